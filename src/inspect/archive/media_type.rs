//! The media type of an upload, as the Engine's HTTP library reads it.
//!
//! Owns the two questions that matter: whether the Engine takes parameters out of such a body, and where a multipart
//! body is cut.

use crate::limits::MULTIPART_BOUNDARY_MAX_BYTES;

/// Whether the Engine looks for parameters in the body: they would stand in for the query's, which was inspected (spec 30
/// §15 gap 1). A multipart form supplies those that the query lacks, from behind a preamble that may be a tar.
#[must_use]
pub fn is_form(content_type: &[u8]) -> bool {
    is(content_type, "application/x-www-form-urlencoded") || is(content_type, "multipart/form-data")
}

/// The boundary of a `multipart/form-data` body; `None` for other types and for a blank boundary.
#[must_use]
pub fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    if !is(content_type, "multipart/form-data") {
        return None;
    }
    parameter(content_type, "boundary").filter(|boundary| !boundary.trim_ascii().is_empty())
}

/// Whether the boundary could be one: visible characters, and not too many of them.
#[must_use]
pub fn is_valid_boundary(boundary: &[u8]) -> bool {
    boundary.len() <= MULTIPART_BOUNDARY_MAX_BYTES
        && boundary.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && boundary.last() != Some(&b' ')
}

/// Whether the type, its parameters and its case apart, is this one.
fn is(content_type: &[u8], media_type: &str) -> bool {
    let given = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    let given = String::from_utf8_lossy(given);
    given.trim().chars().map(lower).eq(media_type.chars())
}

/// Lower case as in Go: one character for one, `İ` being the large dotted i of its ASCII neighbour.
fn lower(character: char) -> char {
    match character {
        'İ' => 'i',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

/// The value of a parameter, quotes resolved.
fn parameter(content_type: &[u8], name: &str) -> Option<Vec<u8>> {
    let (_, mut rest) = split_at_byte(content_type, b';')?;
    loop {
        let (key, after) = split_at_byte(rest, b'=')?;
        let (value, tail) = match after.trim_ascii_start().strip_prefix(b"\"") {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let end = after.iter().position(|&byte| byte == b';').unwrap_or(after.len());
                (after.get(..end)?.trim_ascii().to_vec(), after.get(end..)?)
            }
        };
        if key.trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
            return Some(value);
        }
        (_, rest) = split_at_byte(tail, b';')?;
    }
}

/// The text up to the closing quote, and what follows it.
fn quoted_value(quoted: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut bytes = quoted.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, quoted.get(at + 1..)?)),
            b'\\' => value.push(*bytes.next()?.1),
            _ => value.push(byte),
        }
    }
    None
}

fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_known_in_every_spelling() {
        for form in [
            "application/x-www-form-urlencoded",
            " Application/X-WWW-Form-Urlencoded ; charset=utf-8",
            "application/x-www-form-urlencoded;;",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "MULTİPART/FORM-DATA; boundary=x",
        ] {
            assert!(is_form(form.as_bytes()), "{form}");
        }
        for other in ["", "application/x-tar", "text/plain", "multipart/mixed; boundary=x", "x; multipart/form-data"] {
            assert!(!is_form(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn boundaries_are_read() {
        for (content_type, expected) in [
            ("multipart/form-data; boundary=bnd", Some("bnd")),
            ("Multipart/Form-Data;BOUNDARY=\"b;n\\\"d\"; x=y", Some("b;n\"d")),
            ("multipart/form-data; charset=\"a;boundary=b\"; boundary = c ", Some("c")),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"  \"", None),
            ("multipart/form-data; boundary=\"x", None),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=x", None),
            ("application/x-tar", None),
        ] {
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(boundary(content_type.as_bytes()), expected, "{content_type}");
        }
        assert!(is_valid_boundary(b"----WebKitFormBoundary7MA4YWxkTrZu0gW"));
        assert!(is_valid_boundary(&[b'x'; 70]));
        for boundary in [&b"a\r\n"[..], b"a\0", &[b'x'; 71], b"x "] {
            assert!(!is_valid_boundary(boundary), "{}", boundary.escape_ascii());
        }
    }
}
