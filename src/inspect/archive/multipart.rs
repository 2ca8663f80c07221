//! Multipart bodies, read as a stream (RFC 2046 §5.1.1).
//!
//! Owns the cut into parts, in bounded memory. What a part holds is not looked at, nor are its headers. It is stricter
//! than the grammar: no preamble, because the Engine does not know multipart and would read the preamble, and no line
//! that begins like a boundary and goes on otherwise.

use std::io::{ErrorKind, Read, Result as IoResult};

use memchr::memmem;

use super::ArchiveError;
use super::media_type::is_valid_boundary;
use crate::limits::MULTIPART_HEADERS_MAX_BYTES;

/// Held at once; more than the headers of a part, and than any boundary.
const BUFFER_BYTES: usize = 2 * MULTIPART_HEADERS_MAX_BYTES;

/// The parts of a multipart body, one after another.
pub struct Parts<'s> {
    source: &'s mut dyn Read,
    buffer: Vec<u8>,
    /// What of the buffer was not used.
    start: usize,
    end: usize,
    is_source_empty: bool,
    /// The line break before a boundary is part of it.
    boundary: memmem::Finder<'static>,
    is_within_part: bool,
}

impl<'s> Parts<'s> {
    /// The parts of the body, with the boundary that its media type states.
    ///
    /// # Errors
    /// [`ArchiveError::MalformedMultipart`] when the boundary is none, or the body does not begin with it.
    pub fn new(source: &'s mut dyn Read, boundary: &[u8]) -> Result<Parts<'s>, ArchiveError> {
        if !is_valid_boundary(boundary) {
            return Err(ArchiveError::MalformedMultipart);
        }
        let boundary = memmem::Finder::new(&[b"\r\n--", boundary].concat()).into_owned();
        let mut parts = Parts {
            source,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            is_source_empty: false,
            boundary,
            is_within_part: true,
        };
        // The first boundary stands as if after a line break, which may be there.
        let length = parts.boundary.needle().len();
        parts.fill(length)?;
        let first = parts.boundary.needle().get(2..).unwrap_or_default();
        if parts.available().starts_with(first) {
            parts.is_within_part = false;
            parts.start += length - 2;
        } else if !parts.available().starts_with(parts.boundary.needle()) {
            return Err(ArchiveError::MalformedMultipart);
        }
        Ok(parts)
    }

    /// The payload of the next part, what is left of the current one skipped; `None` after the last.
    ///
    /// # Errors
    /// [`ArchiveError::MalformedMultipart`] and [`ArchiveError::Truncated`]; what the source returns.
    pub fn next_part(&mut self) -> Result<Option<Part<'_, 's>>, ArchiveError> {
        if self.is_within_part {
            while let Some(length) = self.payload()? {
                self.start += length;
            }
            self.start += self.boundary.needle().len();
        }
        self.fill(BUFFER_BYTES)?;
        if self.available().starts_with(b"--") {
            self.is_within_part = false;
            // For whoever asks again.
            return Ok(None);
        }
        let padding = self.available().iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.start += padding;
        let headers = self.available();
        let headers = headers.get(..MULTIPART_HEADERS_MAX_BYTES).unwrap_or(headers);
        // Without headers, the line break of the boundary is followed by an empty line.
        let length = if headers.starts_with(b"\r\n\r\n") {
            4
        } else {
            let end = memmem::find(headers, b"\r\n\r\n").filter(|_| headers.starts_with(b"\r\n"));
            end.ok_or(ArchiveError::MalformedMultipart)? + 4
        };
        self.start += length;
        self.is_within_part = true;
        Ok(Some(Part { parts: self }))
    }

    /// How many bytes at the start belong to the current part for certain, at least one; `None` at its end.
    fn payload(&mut self) -> IoResult<Option<usize>> {
        let boundary = self.boundary.needle().len();
        self.fill(boundary)?;
        match self.boundary.find(self.available()) {
            Some(0) => Ok(None),
            Some(length) => Ok(Some(length)),
            // The last bytes could begin a boundary.
            None => match self.available().len().checked_sub(boundary - 1) {
                Some(length) if length > 0 => Ok(Some(length)),
                Some(_) | None => Err(ErrorKind::UnexpectedEof.into()),
            },
        }
    }

    fn available(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads until so many bytes are available, unless there are no more.
    fn fill(&mut self, length: usize) -> IoResult<()> {
        if self.available().len() >= length || self.is_source_empty {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < length {
            match self.source.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => {
                    self.is_source_empty = true;
                    break;
                }
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The payload of one part.
pub struct Part<'p, 's> {
    parts: &'p mut Parts<'s>,
}

impl Read for Part<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        let Some(length) = self.parts.payload()? else { return Ok(0) };
        let length = length.min(into.len());
        let from = self.parts.available().get(..length).unwrap_or_default();
        into.get_mut(..length).unwrap_or_default().copy_from_slice(from);
        self.parts.start += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let mut source = body;
        let mut parts = Parts::new(&mut source, b"bnd")?;
        let mut payloads = Vec::new();
        while let Some(mut part) = parts.next_part()? {
            let mut payload = Vec::new();
            part.read_to_end(&mut payload)?;
            payloads.push(payload);
        }
        Ok(payloads)
    }

    fn skip(body: &[u8]) -> Result<usize, ArchiveError> {
        let mut source = body;
        let mut parts = Parts::new(&mut source, b"bnd")?;
        let mut count = 0;
        while parts.next_part()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn bodies_are_cut_at_boundaries() {
        for (body, expected) in [
            ("--bnd\r\nA: b\r\n\r\none\r\n--bnd\r\n\r\ntwo\r\n--bnd--\r\n", &["one", "two"][..]),
            ("\r\n--bnd \t\r\nA: b\r\nC: d\r\n\r\none\r\n--bnd--", &["one"]),
            ("--bnd\r\n\r\n\r\n--bnd\r\n\r\n\r\n\r\n--bnd--epilogue", &["", "\r\n"]),
            ("--bnd\r\n\r\na\r\n--bn\r\n-bnd--\r\r\n--bnd--", &["a\r\n--bn\r\n-bnd--\r"]),
            ("--bnd--", &[]),
        ] {
            let expected: Vec<Vec<u8>> = expected.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(read(body.as_bytes()).unwrap(), expected, "{body:?}");
            assert_eq!(skip(body.as_bytes()).unwrap(), expected.len(), "{body:?}");
        }
    }

    #[test]
    fn boundaries_are_found_wherever_they_stand() {
        for length in (0..300).chain(BUFFER_BYTES - 80..BUFFER_BYTES + 20) {
            let payload = vec![b'\r'; length];
            let body = [b"--bnd\r\n\r\n", &payload[..], b"\r\n--bnd\r\nA: b\r\n\r\nsecond\r\n--bnd--"].concat();
            assert_eq!(read(&body).unwrap(), [payload, b"second".to_vec()], "{length}");
            assert_eq!(skip(&body).unwrap(), 2, "{length}");
        }
    }

    #[test]
    fn damaged_bodies_are_refused() {
        for body in [
            "",
            "--bn",
            "--other\r\n\r\n",
            "preamble\r\n--bnd\r\n\r\none\r\n--bnd--",
            "--bnd",
            "--bnd\r\n",
            "--bnd\r\nA: b\r\n",
            "--bndx\r\n\r\none\r\n--bnd--",
            "--bnd\n\none\n--bnd--",
            "--bnd\r\n\r\none",
            "--bnd\r\n\r\none\r\n--bn",
            "--bnd\r\n\r\none\r\n--bnd",
            "--bnd\r\n\r\none\r\n--bnd-",
            "--bnd\r\n\r\none\r\n--bndx",
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body:?}");
            assert!(skip(body.as_bytes()).is_err(), "{body:?}");
        }
        let headers = |length: usize| {
            let body = format!("--bnd\r\nA: {}\r\n\r\none\r\n--bnd--", "x".repeat(length));
            read(body.as_bytes()).is_ok()
        };
        assert!(headers(MULTIPART_HEADERS_MAX_BYTES - 100));
        assert!(!headers(MULTIPART_HEADERS_MAX_BYTES));
        assert!(!headers(MULTIPART_HEADERS_MAX_BYTES * 3));
        assert!(Parts::new(&mut &b"--a\r\n"[..], b"a\r\n").is_err());
    }
}
