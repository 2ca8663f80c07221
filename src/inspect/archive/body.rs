//! The body of an upload: what kind of archive it is, and how much of it is read.
//!
//! Owns the first look (magic numbers, in the Engine's order) and the two budgets: bytes received and bytes after
//! decompression. The second defeats the archive bomb; the first repeats what spooling has enforced.

use std::io::{BufReader, Cursor, Error as IoError, ErrorKind, Read, Result as IoResult};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

use super::header::{BLOCK_BYTES, Block, Header};
use crate::limits::SPOOLED_BODY_MAX_BYTES;

/// Read from a compressed source at once.
const BUFFER_BYTES: usize = 64 << 10;

/// The three bytes by which the Engine knows gzip.
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
/// Compressions that the Engine unpacks and we do not. It looks for them before it looks for a tar, so that a tar whose
/// first name begins with one of them is no tar.
const OTHERS: &[&[u8]] = &[b"BZh", &[0xfd, b'7', b'z', b'X', b'Z', 0], &[0x28, 0xb5, 0x2f, 0xfd]];
/// A frame that zstd skips: the first byte is any from 0x50 to 0x5f.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// More bytes than the budget holds. Travels inside an [`IoError`] through the readers in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Overrun {
    /// The body is too long.
    #[error("body exceeds the byte limit")]
    Body,
    /// What it decompresses to is too long.
    #[error("decompressed data exceeds the byte limit")]
    Decompressed,
}

/// What a body begins like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// No byte at all.
    Empty,
    /// Gzip; what is inside is not known yet.
    Gzip,
    /// Another compression.
    OtherCompression,
    /// A tar header, or the zero block of an empty tar.
    Tar,
    /// Less than a header, and no compression.
    Short,
    /// Anything else.
    Unknown,
}

impl Format {
    /// What these first bytes of a body, a block or all that there is, begin.
    #[must_use]
    pub fn of(head: &[u8]) -> Format {
        let is_skippable = matches!(head.split_first(), Some((0x50..=0x5f, rest)) if rest.starts_with(ZSTD_SKIPPABLE));
        if head.is_empty() {
            Format::Empty
        } else if head.starts_with(GZIP) {
            Format::Gzip
        } else if is_skippable || OTHERS.iter().any(|magic| head.starts_with(magic)) {
            Format::OtherCompression
        } else {
            match head.first_chunk::<BLOCK_BYTES>() {
                None => Format::Short,
                Some(block) if is_tar(block) => Format::Tar,
                Some(_) => Format::Unknown,
            }
        }
    }
}

fn is_tar(block: &Block) -> bool {
    Header::parse(block).is_some() || block.iter().all(|&byte| byte == 0)
}

/// A body of which the first block was looked at.
pub struct Body<'b> {
    head: Vec<u8>,
    rest: Budgeted<&'b mut dyn Read>,
}

impl<'b> Body<'b> {
    /// Takes the first look. At most [`SPOOLED_BODY_MAX_BYTES`] are read in all.
    ///
    /// # Errors
    /// When the body cannot be read.
    pub fn open(body: &'b mut dyn Read) -> IoResult<Body<'b>> {
        let mut rest = Budgeted::new(body, SPOOLED_BODY_MAX_BYTES, Overrun::Body);
        let mut head = Vec::with_capacity(BLOCK_BYTES);
        (&mut rest).take(BLOCK_BYTES as u64).read_to_end(&mut head)?;
        Ok(Body { head, rest })
    }

    /// What the body begins like.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::of(&self.head)
    }

    /// The whole body from its beginning.
    pub fn stream(self) -> impl Read + use<'b> {
        Cursor::new(self.head).chain(self.rest)
    }
}

/// Passes on so many bytes; one more is an error.
pub struct Budgeted<R> {
    source: R,
    left: u64,
    overrun: Overrun,
}

impl<R: Read> Budgeted<R> {
    /// Passes on `max_bytes` of `source`.
    pub fn new(source: R, max_bytes: u64, overrun: Overrun) -> Budgeted<R> {
        Budgeted { source, left: max_bytes, overrun }
    }

    /// How many bytes are left of the budget.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            // Exactly the budget is within it.
            return if self.source.read(&mut [0])? == 0 { Ok(0) } else { Err(IoError::other(self.overrun)) };
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        let into = into.get_mut(..length).unwrap_or_default();
        let read = self.source.read(into)?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// What a gzip stream holds: its members one after another, up to `max_bytes`.
pub fn decompress<R: Read>(source: R, max_bytes: u64) -> Budgeted<impl Read> {
    let source = BufReader::with_capacity(BUFFER_BYTES, source);
    Budgeted::new(MultiGzDecoder::new(source), max_bytes, Overrun::Decompressed)
}

/// Reads to the end, so that a stream that is damaged behind its last interesting byte is known to be damaged.
///
/// # Errors
/// What the source returns.
pub fn drain(source: &mut dyn Read) -> IoResult<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::archive::ArchiveError;
    use crate::inspect::archive::testing::{Builder, gzip};

    #[test]
    fn formats_are_told_apart_as_the_engine_does() {
        let tar = Builder::new().file("Dockerfile", "FROM a").bytes();
        let text = b"FROM busybox\nCOPY . /app\n".repeat(40);
        let mut named_like_bzip2 = Builder::new().file("BZh91AY", "x").bytes();
        for (body, format) in [
            (&b""[..], Format::Empty),
            (&tar, Format::Tar),
            (&[0; 1024], Format::Tar),
            (&gzip(&tar), Format::Gzip),
            (&[0x1f, 0x8b, 0x08], Format::Gzip),
            (&[0x1f, 0x8b], Format::Short),
            (b"BZh91AY&SY", Format::OtherCompression),
            (&named_like_bzip2, Format::OtherCompression),
            (b"\xfd7zXZ\0\0", Format::OtherCompression),
            (b"\x28\xb5\x2f\xfd", Format::OtherCompression),
            (b"\x5a\x2a\x4d\x18....", Format::OtherCompression),
            (b"FROM a", Format::Short),
            (&text, Format::Unknown),
            (&[0; 511], Format::Short),
        ] {
            assert_eq!(
                Body::open(&mut &*body).unwrap().format(),
                format,
                "{}",
                body[..body.len().min(9)].escape_ascii()
            );
        }
        named_like_bzip2[148] ^= 1;
        assert_eq!(Format::of(&named_like_bzip2), Format::OtherCompression);
    }

    #[test]
    fn the_stream_is_the_whole_body() {
        let body: Vec<u8> = (0..3000_u32).map(|number| number as u8).collect();
        let mut read = Vec::new();
        Body::open(&mut &body[..]).unwrap().stream().read_to_end(&mut read).unwrap();
        assert_eq!(read, body);
    }

    #[test]
    fn budgets_hold_exactly_what_they_say() {
        for (length, fits) in [(0, true), (99, true), (100, true), (101, false)] {
            let mut read = Vec::new();
            let body = vec![7; length];
            let result = Budgeted::new(&body[..], 100, Overrun::Body).read_to_end(&mut read);
            match result.map_err(ArchiveError::from) {
                Ok(_) => assert!(fits && read == body),
                Err(ArchiveError::BodyTooLong) => assert!(!fits && read.len() == 100),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn damaged_gzip_is_an_error() {
        let good = gzip(&[b'x'; 5000]);
        let read = |bytes: &[u8]| drain(&mut decompress(bytes, 10_000)).map_err(ArchiveError::from);
        assert!(read(&good).is_ok());
        assert!(read(&[&good[..], &good[..]].concat()).is_ok());
        assert!(matches!(read(&[&good[..], &good[..], &good[..]].concat()), Err(ArchiveError::DecompressedTooLong)));
        for length in 0..good.len() {
            assert!(read(&good[..length]).is_err(), "{length}");
        }
        let mut bad_sum = good.clone();
        let at = bad_sum.len() - 5;
        bad_sum[at] ^= 1;
        assert!(read(&bad_sum).is_err());
        assert!(read(&[&good[..], b"rest"].concat()).is_err());
    }
}
