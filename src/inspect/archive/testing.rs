//! Archives for tests, good and hostile.
//!
//! Owns a writer that lets every field be wrong, written apart from the reader that it tests.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Writes a tar in the GNU format.
#[derive(Clone, Debug, Default)]
pub(crate) struct Builder {
    archive: Vec<u8>,
}

impl Builder {
    pub(crate) fn new() -> Builder {
        Builder::default()
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Builder {
        self.entry(b'0', name, "", 0o644, content.as_bytes())
    }

    pub(crate) fn directory(self, name: &str) -> Builder {
        self.entry(b'5', name, "", 0o755, b"")
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Builder {
        self.entry(b'2', name, target, 0o777, b"")
    }

    pub(crate) fn hard_link(self, name: &str, target: &str) -> Builder {
        self.entry(b'1', name, target, 0o644, b"")
    }

    /// A pax header for the next entry.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Builder {
        self.entry(b'x', "pax", "", 0o644, &pax_payload(records))
    }

    /// A GNU long name (`L`) or link (`K`) for the next entry.
    pub(crate) fn long(self, kind: u8, text: &str) -> Builder {
        self.entry(kind, "././@LongLink", "", 0o644, format!("{text}\0").as_bytes())
    }

    pub(crate) fn entry(self, kind: u8, name: &str, link: &str, mode: u32, payload: &[u8]) -> Builder {
        let size = format!("{:011o}\0", payload.len());
        self.block(kind, name, link, mode, size.as_bytes()).raw(payload).padding()
    }

    /// A header alone, its size as it shall be stated.
    pub(crate) fn block(self, kind: u8, name: &str, link: &str, mode: u32, size: &[u8]) -> Builder {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, name.as_bytes());
        put(100, format!("{mode:07o}\0").as_bytes());
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, size);
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, link.as_bytes());
        put(257, b"ustar  \0");
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.raw(&block)
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Builder {
        self.archive.extend_from_slice(bytes);
        self
    }

    fn padding(mut self) -> Builder {
        self.archive.resize(self.archive.len().next_multiple_of(512), 0);
        self
    }

    /// The archive without the two zero blocks of its end.
    pub(crate) fn open_bytes(&self) -> Vec<u8> {
        self.archive.clone()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut archive = self.archive.clone();
        archive.extend_from_slice(&[0; 1024]);
        archive
    }
}

/// The payload of a pax header.
pub(crate) fn pax_payload(records: &[(&str, &str)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (key, value) in records {
        let without_length = key.len() + value.len() + 3;
        let mut length = without_length + 1;
        while length != without_length + length.to_string().len() {
            length += 1;
        }
        payload.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
    }
    payload
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
