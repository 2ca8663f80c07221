//! What stands between the operators: numbers, literals, escapes (RFC 8259).
//!
//! Owns their grammar and nothing else. Every function takes the whole document and a position, so that no caller has
//! to cut first; none panics for any position.

/// Finds the end of the number or literal that starts at `at`, or `None` when none does.
///
/// What follows has to be white space, an operator or the end: `nullx` and `1.2.3` are refused here.
#[inline]
pub(crate) fn end(document: &[u8], at: usize) -> Option<usize> {
    let end = match document.get(at)? {
        b't' => literal(document, at, b"true")?,
        b'f' => literal(document, at, b"false")?,
        b'n' => literal(document, at, b"null")?,
        _ => number(document, at)?,
    };
    match document.get(end) {
        None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b':' | b'{' | b'[') => Some(end),
        Some(_) => None,
    }
}

/// Whether `text` is a literal or a whole number of no sign, which most scalars are. `false` says nothing.
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    if text == b"null" || text == b"true" || text == b"false" {
        return true;
    }
    match text {
        [b'1'..=b'9', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => text == b"0",
    }
}

#[inline]
fn literal(document: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    let end = at + word.len();
    (document.get(at..end)? == word).then_some(end)
}

/// `-? (0 | [1-9][0-9]*) (\.[0-9]+)? ([eE][+-]?[0-9]+)?`
#[inline]
fn number(document: &[u8], at: usize) -> Option<usize> {
    let integer = if document.get(at) == Some(&b'-') { at + 1 } else { at };
    let mut end = digits(document, integer)?;
    if document.get(integer) == Some(&b'0') && end > integer + 1 {
        return None;
    }
    if document.get(end) == Some(&b'.') {
        end = digits(document, end + 1)?;
    }
    if let Some(b'e' | b'E') = document.get(end) {
        let sign = matches!(document.get(end + 1), Some(b'+' | b'-'));
        end = digits(document, end + 1 + usize::from(sign))?;
    }
    Some(end)
}

/// The end of one digit or more.
#[inline]
fn digits(document: &[u8], start: usize) -> Option<usize> {
    let mut end = start;
    while document.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    (end > start).then_some(end)
}

/// The four hexadecimal digits at `at` (after `\u`) as a UTF-16 code unit.
pub(crate) fn hex4(document: &[u8], at: usize) -> Option<u16> {
    let mut unit = 0;
    for digit in document.get(at..at + 4)? {
        let value = char::from(*digit).to_digit(16)?;
        unit = unit << 4 | value as u16;
    }
    Some(unit)
}

/// One character of a string's content and how many bytes it takes there, escapes resolved. `None` at the end, and
/// where the escape is not one; a lone surrogate is not one.
pub(crate) fn character(content: &str) -> Option<(char, usize)> {
    let first = content.chars().next()?;
    if first != '\\' {
        return Some((first, first.len_utf8()));
    }
    let bytes = content.as_bytes();
    let plain = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(bytes),
        _ => return None,
    };
    Some((plain, 2))
}

fn unicode_escape(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = hex4(bytes, 2)?;
    if !is_high_surrogate(unit) {
        return char::from_u32(u32::from(unit)).map(|character| (character, 6));
    }
    let low = if bytes.get(6..8)? == b"\\u" { hex4(bytes, 8)? } else { return None };
    let pair = char::decode_utf16([unit, low]).next()?.ok()?;
    Some((pair, 12))
}

/// The first half of a surrogate pair.
pub(crate) fn is_high_surrogate(unit: u16) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

/// The second half of a surrogate pair.
pub(crate) fn is_low_surrogate(unit: u16) -> bool {
    (0xdc00..0xe000).contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_end_where_they_should() {
        for whole in
            ["true", "false", "null", "0", "-0", "10", "-12.50", "1e3", "1E+3", "0.1e-9", "18446744073709551617"]
        {
            assert_eq!(end(whole.as_bytes(), 0), Some(whole.len()), "{whole}");
            assert_eq!(is_plain(whole.as_bytes()), !whole.contains(['-', '.', '+', 'E']) && whole != "1e3", "{whole}");
            for next in [",", "}", "]", " ", "\n"] {
                assert_eq!(end(format!("{whole}{next}").as_bytes(), 0), Some(whole.len()), "{whole}{next}");
            }
        }
        for refused in [
            "", "tru", "truE", "True", "nullx", "null\"", "01", "-01", "00", "-", "+1", ".5", "1.", "1.e3", "1e",
            "1e+", "1.2.3", "0x1", "NaN", "Infinity", "1\0", "1\\", "'a'", "é", "/", "1_0",
        ] {
            assert_eq!(end(refused.as_bytes(), 0), None, "{refused}");
            assert!(!is_plain(refused.as_bytes()), "{refused}");
        }
    }

    #[test]
    fn characters_resolve_their_escapes() {
        for (content, expected) in [
            ("a", Some(('a', 1))),
            ("é", Some(('é', 2))),
            (r"\n", Some(('\n', 2))),
            (r"\/", Some(('/', 2))),
            (r"\u003a", Some((':', 6))),
            (r"\u212A", Some(('\u{212a}', 6))),
            (r"\ud83d\ude00", Some(('😀', 12))),
            (r"\ud83d", None),
            (r"\ud83dx", None),
            (r"\ud83d\n0000", None),
            (r"\ud83d\u0041", None),
            (r"\ude00", None),
            (r"\u12", None),
            (r"\u12g4", None),
            (r"\x41", None),
            (r"\", None),
            ("", None),
        ] {
            assert_eq!(character(content), expected, "{content}");
        }
    }
}
