//! Percent-encoding as the Engine reads it.
//!
//! Owns the one decoder and the one encoder of the product, so that no two components decode differently (spec 20 §1).
//! It decodes exactly once and interprets nothing: NUL, `/` and line breaks come out as bytes like any other.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2};

/// Whether every `%` is followed by two hexadecimal digits.
pub(super) fn is_well_formed(bytes: &[u8]) -> bool {
    // `%` is no digit, so escapes cannot overlap and each `%` can be checked by itself.
    memchr_iter(b'%', bytes).all(|at| escaped_byte(bytes, at).is_some())
}

/// Appends the decoded path; `false` on an invalid escape, with `out` partly filled. `+` stays `+`.
pub(super) fn decode_path(raw: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = raw;
    while let Some(at) = memchr(b'%', rest) {
        let (Some(plain), Some(byte), Some(tail)) = (rest.get(..at), escaped_byte(rest, at), rest.get(at + 3..)) else {
            return false;
        };
        out.extend_from_slice(plain);
        out.push(byte);
        rest = tail;
    }
    out.extend_from_slice(rest);
    true
}

/// The decoded key or value of a query pair, `+` being a space; `None` on an invalid escape.
/// Allocates only when something is to be decoded.
pub(super) fn decode_query(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if memchr2(b'%', b'+', raw).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    out.extend(QueryBytes::new(raw));
    is_well_formed(raw).then_some(Cow::Owned(out))
}

/// Whether the decoded key equals `key`, without decoding it to memory. `raw` must be well formed.
pub(super) fn query_equals(raw: &[u8], key: &[u8]) -> bool {
    QueryBytes::new(raw).eq(key.iter().copied())
}

/// Appends `bytes` in the escaping of Go's `url.QueryEscape`, which is how a re-encoded query reaches the Engine.
pub(super) fn encode_query(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 0xf)]),
        }
    }
}

/// The byte that the escape at `at` stands for; `None` when it is cut short or not hexadecimal.
fn escaped_byte(bytes: &[u8], at: usize) -> Option<u8> {
    let high = hex_value(*bytes.get(at + 1)?)?;
    let low = hex_value(*bytes.get(at + 2)?)?;
    Some(high << 4 | low)
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'A' + value - 10 }
}

/// The decoded bytes of a query key or value. Stops at an invalid escape.
struct QueryBytes<'raw> {
    rest: &'raw [u8],
}

impl<'raw> QueryBytes<'raw> {
    fn new(raw: &'raw [u8]) -> Self {
        QueryBytes { rest: raw }
    }
}

impl Iterator for QueryBytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (&first, tail) = self.rest.split_first()?;
        match first {
            b'%' => {
                let byte = escaped_byte(self.rest, 0)?;
                self.rest = self.rest.get(3..)?;
                Some(byte)
            }
            b'+' => {
                self.rest = tail;
                Some(b' ')
            }
            _ => {
                self.rest = tail;
                Some(first)
            }
        }
    }
}
