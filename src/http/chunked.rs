//! The chunked transfer coding (RFC 9112 §7.1), decoded in place and strictly.
//!
//! The decoder holds no data: it is shown what has arrived and names the payload in it. Sizes are bare hexadecimal
//! digits, lines end in CRLF, extensions are skipped, trailers are kept up to a bound for those who pass them on.

use std::ops::Range;

use crate::limits;

/// The coding was violated; nothing behind the violation can be trusted (spec 20 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A size that is not plain hexadecimal, too large, or missing.
    #[error("invalid chunk size")]
    Size,
    /// A size line beyond [`limits::CHUNK_LINE_MAX_BYTES`], or with bytes that end lines elsewhere.
    #[error("invalid chunk line")]
    Line,
    /// Chunk data that is not followed by CRLF.
    #[error("chunk data not followed by a line end")]
    DataEnd,
    /// A trailer section that is malformed or beyond [`limits::TRAILERS_MAX_BYTES`].
    #[error("invalid trailer section")]
    Trailers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a size line: what was read of the size, and how many of its digits.
    Size {
        size: u64,
        digits: u8,
    },
    /// In blanks behind the size: an extension or the line's end has to follow.
    Blanks {
        size: u64,
    },
    /// In the extension behind the size.
    Extension {
        size: u64,
    },
    /// The CR of a size line was seen.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    Trailers,
    /// The CR of the empty line behind the trailers was seen.
    EndLf,
    End,
}

/// What the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Payload: this range of the input.
    Data(Range<usize>),
    /// All of the input is used up; more must come.
    More,
    /// The body is complete.
    End,
}

/// Decodes one chunked body.
#[derive(Clone, Debug)]
pub struct Decoder {
    state: State,
    line_bytes: usize,
    trailers: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { state: State::Size { size: 0, digits: 0 }, line_bytes: 0, trailers: Vec::new() }
    }
}

impl Decoder {
    /// Looks at `input` from `*used` on, advances `*used` over what it has dealt with, and says what it found there.
    ///
    /// # Errors
    /// The coding was violated.
    pub fn step(&mut self, input: &[u8], used: &mut usize) -> Result<Step, ChunkError> {
        loop {
            let rest = input.get(*used..).unwrap_or_default();
            if let State::Data { left } = self.state {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                if here == 0 {
                    return Ok(Step::More);
                }
                self.skip_payload(here as u64);
                let start = *used;
                *used += here;
                return Ok(Step::Data(start..*used));
            }
            if self.state == State::End {
                return Ok(Step::End);
            }
            let Some(&byte) = rest.first() else { return Ok(Step::More) };
            *used += 1;
            self.state = self.next(byte)?;
        }
    }

    /// How many bytes of payload come next; 0 where something else does.
    pub fn payload_left(&self) -> u64 {
        if let State::Data { left } = self.state { left } else { 0 }
    }

    /// Takes note of `count` bytes of payload that went another way; no more than [`Decoder::payload_left`].
    pub fn skip_payload(&mut self, count: u64) {
        if let State::Data { left } = self.state {
            let left = left.saturating_sub(count);
            self.state = if left == 0 { State::DataCr } else { State::Data { left } };
        }
    }

    /// The trailer section that came with the last chunk: complete lines, without the empty one.
    pub fn trailers(&self) -> &[u8] {
        &self.trailers
    }

    /// Whether the body is complete.
    pub fn is_complete(&self) -> bool {
        self.state == State::End
    }

    fn next(&mut self, byte: u8) -> Result<State, ChunkError> {
        match self.state {
            State::Size { size, digits } => self.size(byte, size, digits),
            State::Blanks { size } => {
                self.lengthen_line()?;
                match byte {
                    b' ' | b'\t' => Ok(State::Blanks { size }),
                    b';' => Ok(State::Extension { size }),
                    b'\r' => Ok(State::SizeEnd { size }),
                    // `1 2` is one, two or twelve, depending on who reads it.
                    _ => Err(ChunkError::Line),
                }
            }
            State::Extension { size } => {
                self.lengthen_line()?;
                match byte {
                    b'\r' => Ok(State::SizeEnd { size }),
                    b'\n' | 0 => Err(ChunkError::Line),
                    _ => Ok(State::Extension { size }),
                }
            }
            State::SizeEnd { size } => {
                self.line_bytes = 0;
                match (byte, size) {
                    (b'\n', 0) => Ok(State::Trailers),
                    (b'\n', left) => Ok(State::Data { left }),
                    _ => Err(ChunkError::Line),
                }
            }
            State::DataCr if byte == b'\r' => Ok(State::DataLf),
            State::DataLf if byte == b'\n' => Ok(State::Size { size: 0, digits: 0 }),
            State::DataCr | State::DataLf => Err(ChunkError::DataEnd),
            State::Trailers => self.trailer(byte),
            State::EndLf if byte == b'\n' => Ok(State::End),
            State::EndLf => Err(ChunkError::Trailers),
            // `step` deals with these itself.
            State::Data { .. } | State::End => Ok(self.state),
        }
    }

    fn lengthen_line(&mut self) -> Result<(), ChunkError> {
        self.line_bytes += 1;
        if self.line_bytes > limits::CHUNK_LINE_MAX_BYTES { Err(ChunkError::Line) } else { Ok(()) }
    }

    fn size(&self, byte: u8, size: u64, digits: u8) -> Result<State, ChunkError> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if digits > 0 => return Ok(State::SizeEnd { size }),
            b' ' | b'\t' if digits > 0 => return Ok(State::Blanks { size }),
            b';' if digits > 0 => return Ok(State::Extension { size }),
            _ => return Err(ChunkError::Size),
        };
        // Sixteen digits fit 64 bits; a size of 2^63 or more is a negative number to the Engine.
        if digits == 16 || size >> 59 != 0 {
            return Err(ChunkError::Size);
        }
        Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
    }

    fn trailer(&mut self, byte: u8) -> Result<State, ChunkError> {
        let previous = self.trailers.last().copied();
        let well_formed = match byte {
            b'\r' if previous.is_none_or(|previous| previous == b'\n') => return Ok(State::EndLf),
            b'\n' => previous == Some(b'\r'),
            0 => false,
            _ => previous != Some(b'\r'),
        };
        if !well_formed || self.trailers.len() >= limits::TRAILERS_MAX_BYTES {
            return Err(ChunkError::Trailers);
        }
        self.trailers.push(byte);
        if byte != b'\n' {
            return Ok(State::Trailers);
        }
        let lines = self.trailers.strip_suffix(b"\r\n").unwrap_or_default();
        let start = memchr::memrchr(b'\n', lines).map_or(0, |end| end + 1);
        let line = lines.get(start..).unwrap_or_default();
        if is_field_line(line) { Ok(State::Trailers) } else { Err(ChunkError::Trailers) }
    }
}

/// Whether a trailer line is `name: value`, as header lines have to be: it goes on as one.
fn is_field_line(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else { return false };
    let (name, value) = line.split_at(colon);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_value = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    !name.is_empty() && name.iter().all(is_name) && value.iter().all(is_value)
}

/// Writes the size line of a chunk of `length` bytes.
pub fn size_line(length: usize, into: &mut [u8; 16]) -> &[u8] {
    let mut at = into.len() - 2;
    into[at] = b'\r';
    into[at + 1] = b'\n';
    let mut left = length;
    loop {
        at -= 1;
        into[at] = b"0123456789abcdef"[left & 15];
        left >>= 4;
        // The room holds 14 digits: 56 bits, more than a chunk of ours ever has.
        if left == 0 || at == 0 {
            return &into[at..];
        }
    }
}

/// Appends one chunk.
pub fn append(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        out.extend_from_slice(size_line(data.len(), &mut [0; 16]));
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the last chunk and its trailer section, which is complete lines or empty.
pub fn append_last(out: &mut Vec<u8>, trailers: &[u8]) {
    out.extend_from_slice(b"0\r\n");
    out.extend_from_slice(trailers);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(parts: &[&[u8]]) -> Result<(Vec<u8>, Vec<u8>, bool), ChunkError> {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        for part in parts {
            let mut used = 0;
            loop {
                match decoder.step(part, &mut used)? {
                    Step::Data(range) => out.extend_from_slice(&part[range]),
                    Step::More => break,
                    Step::End => return Ok((out, decoder.trailers().to_vec(), used == part.len())),
                }
            }
        }
        Ok((out, Vec::new(), decoder.is_complete()))
    }

    #[test]
    fn bodies_are_decoded_however_they_are_cut() {
        let wire = b"3;ext=\"a\"\r\nabc\r\n00A\r\n0123456789\r\n0;x\r\nX-Sum: 7\r\nX-B: c\r\n\r\n";
        for cut in 0..=wire.len() {
            let (body, trailers, complete) = decode(&[&wire[..cut], &wire[cut..]]).unwrap();
            assert_eq!((body.as_slice(), complete), (&b"abc0123456789"[..], true), "{cut}");
            assert_eq!(trailers, b"X-Sum: 7\r\nX-B: c\r\n");
        }
        let single: Vec<&[u8]> = wire.chunks(1).collect();
        assert_eq!(decode(&single).unwrap().0, b"abc0123456789");
    }

    #[test]
    fn bytes_behind_the_body_are_not_touched() {
        let wire = b"0\r\n\r\nGET / HTTP/1.1\r\n";
        let (mut decoder, mut used) = (Decoder::default(), 0);
        assert_eq!(decoder.step(wire, &mut used), Ok(Step::End));
        assert_eq!(&wire[used..], b"GET / HTTP/1.1\r\n");
        assert_eq!(decoder.trailers(), b"");
    }

    #[test]
    fn violations() {
        let table: &[(&[u8], ChunkError)] = &[
            (b"zz\r\n", ChunkError::Size),
            (b"\r\n{}", ChunkError::Size),
            (b";a\r\n", ChunkError::Size),
            (b"-2\r\n", ChunkError::Size),
            (b"+2\r\n", ChunkError::Size),
            (b"0x2\r\n", ChunkError::Size),
            (b" 2\r\n", ChunkError::Size),
            (b"fffffffffffffffff\r\n", ChunkError::Size),
            (b"8000000000000000\r\n", ChunkError::Size),
            (b"00000000000000001\r\n", ChunkError::Size),
            (b"2\n{}", ChunkError::Size),
            (b"2;a\n{}", ChunkError::Line),
            (b"2\r{}", ChunkError::Line),
            (b"1 2\r\n{}", ChunkError::Line),
            (b"2 \t x\r\n{}", ChunkError::Line),
            (b"2\r\n{}{}", ChunkError::DataEnd),
            (b"2\r\n{}\n", ChunkError::DataEnd),
            (b"0\r\nA: b\n\r\n", ChunkError::Trailers),
            (b"0\r\nA: \rb\r\n\r\n", ChunkError::Trailers),
            (b"0\r\nA: b\r\n c\r\n\r\n", ChunkError::Trailers),
            (b"0\r\nA: b\x1b\r\n\r\n", ChunkError::Trailers),
            (b"0\r\nA : b\r\n\r\n", ChunkError::Trailers),
            (b"0\r\n: b\r\n\r\n", ChunkError::Trailers),
            (b"0\r\nnonsense\r\n\r\n", ChunkError::Trailers),
        ];
        for (wire, want) in table {
            assert_eq!(decode(&[wire]).map(|_| ()), Err(*want), "{}", wire.escape_ascii());
        }
        let long = [&b"1;"[..], &[b'a'; 5000]].concat();
        assert_eq!(decode(&[&long]).map(|_| ()), Err(ChunkError::Line));
        let long = [&b"0\r\n"[..], &[b'a'; limits::TRAILERS_MAX_BYTES + 1]].concat();
        assert_eq!(decode(&[&long]).map(|_| ()), Err(ChunkError::Trailers));
        assert!(decode(&[b"7fffffff\r\nabc"]).is_ok());
        for neighbour in [&b"2 \r\n{}\r\n0\r\n\r\n"[..], b"2\t ;x y\r\n{}\r\n0 \r\nA:\tb\xff\r\nB:\r\n\r\n"] {
            assert!(decode(&[neighbour]).is_ok_and(|(body, ..)| body == b"{}"), "{}", neighbour.escape_ascii());
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        for length in [1, 15, 16, 255, 65536] {
            append(&mut out, &vec![b'x'; length]);
        }
        append(&mut out, b"");
        append_last(&mut out, b"A: b\r\n");
        let (body, trailers, complete) = decode(&[&out]).unwrap();
        assert_eq!((body.len(), trailers.as_slice(), complete), (65823, &b"A: b\r\n"[..], true));
    }
}
