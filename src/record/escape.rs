//! Values as they stand in a log line (spec 70 §1.1).
//!
//! Owns what a client may put into a record: nothing that ends a line, a string or a terminal's text mode. Values are
//! cut at [`limits::LOGGED_VALUE_MAX_BYTES`](crate::limits::LOGGED_VALUE_MAX_BYTES), and what is not UTF-8 becomes
//! U+FFFD.

use crate::limits::LOGGED_VALUE_MAX_BYTES;

/// Appends `value` as a JSON string with its quotes.
pub fn push_json_string(out: &mut Vec<u8>, value: &[u8]) {
    let value = bounded(value);
    out.push(b'"');
    if is_plain(value) {
        out.extend_from_slice(value);
    } else {
        push_escaped(out, value);
    }
    out.push(b'"');
}

/// Appends `value` as a text record shows it: bare when that is unambiguous, else quoted and escaped as in JSON.
pub fn push_text_value(out: &mut Vec<u8>, value: &[u8]) {
    let value = bounded(value);
    if is_bare(value) {
        out.extend_from_slice(value);
    } else {
        out.push(b'"');
        push_escaped(out, value);
        out.push(b'"');
    }
}

/// At most [`LOGGED_VALUE_MAX_BYTES`], without half a character at the end.
fn bounded(value: &[u8]) -> &[u8] {
    if value.len() <= LOGGED_VALUE_MAX_BYTES {
        return value;
    }
    let is_start = |&end: &usize| value.get(end).is_none_or(|byte| byte & 0xc0 != 0x80);
    let end = (LOGGED_VALUE_MAX_BYTES - 3..=LOGGED_VALUE_MAX_BYTES).rev().find(is_start);
    value.get(..end.unwrap_or(LOGGED_VALUE_MAX_BYTES)).unwrap_or_default()
}

/// Whether JSON shows `value` as it is: printable ASCII without `"` and `\`. No early exit, so that the compiler
/// compares whole vectors; ordinary paths and ids end here.
fn is_plain(value: &[u8]) -> bool {
    value.iter().fold(true, |plain, &byte| plain & matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\'))
}

/// Whether text shows `value` without quotes.
fn is_bare(value: &[u8]) -> bool {
    if value
        .iter()
        .fold(!value.is_empty(), |bare, &byte| bare & matches!(byte, b'!'..=b'~') & (byte != b'"') & (byte != b'='))
    {
        return true;
    }
    let is_bare = |character| is_printable(character) && !matches!(character, ' ' | '"' | '=');
    !value.is_empty() && std::str::from_utf8(value).is_ok_and(|text| text.chars().all(is_bare))
}

/// Whether a terminal, a pager and a line splitter show `character` as itself.
///
/// Besides control characters this keeps out what splits lines for some readers (U+0085, U+2028, U+2029), spaces that
/// look like a separator, and the marks that reverse or hide text.
fn is_printable(character: char) -> bool {
    match character {
        ' '..='~' => true,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => false,
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => false,
        other => !other.is_control() && !other.is_whitespace(),
    }
}

#[cold]
fn push_escaped(out: &mut Vec<u8>, value: &[u8]) {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_character(out, character);
        }
        if !chunk.invalid().is_empty() {
            push_utf8(out, char::REPLACEMENT_CHARACTER);
        }
    }
}

fn push_character(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        // Two characters in the value itself: a reader that decodes a record and prints its members must not be given
        // a line end that a client chose.
        '\r' => out.extend_from_slice(b"\\\\r"),
        '\n' => out.extend_from_slice(b"\\\\n"),
        '\t' => out.extend_from_slice(b"\\t"),
        printable if is_printable(printable) => push_utf8(out, printable),
        hidden => {
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                push_unit_escape(out, *unit);
            }
        }
    }
}

fn push_utf8(out: &mut Vec<u8>, character: char) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// `\u` and four digits.
fn push_unit_escape(out: &mut Vec<u8>, unit: u16) {
    let mut digits = *b"\\u0000";
    super::id::write_hex(&mut digits[2..], &unit.to_be_bytes());
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &[u8]) -> String {
        let mut out = Vec::new();
        push_json_string(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn text(value: &[u8]) -> String {
        let mut out = Vec::new();
        push_text_value(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_and_text_forms() {
        for (value, expected_json, expected_text) in [
            (&b""[..], r#""""#, r#""""#),
            (b"/v1.45/info", r#""/v1.45/info""#, "/v1.45/info"),
            (b"two words", r#""two words""#, r#""two words""#),
            (b"a=b", r#""a=b""#, r#""a=b""#),
            (b"a\"b", r#""a\"b""#, r#""a\"b""#),
            (b"a\\b", r#""a\\b""#, r"a\b"),
            (b"<&>", r#""<&>""#, "<&>"),
            (b"a\tb", r#""a\tb""#, r#""a\tb""#),
            (b"a\r\nb", r#""a\\r\\nb""#, r#""a\\r\\nb""#),
            (b"\x00\x1b[31m\x7f", r#""\u0000\u001b[31m\u007f""#, r#""\u0000\u001b[31m\u007f""#),
            ("gr\u{fc}n".as_bytes(), "\"gr\u{fc}n\"", "gr\u{fc}n"),
            ("\u{1f433}".as_bytes(), "\"\u{1f433}\"", "\u{1f433}"),
            ("a\u{85}b\u{2028}c\u{2029}d".as_bytes(), r#""a\u0085b\u2028c\u2029d""#, r#""a\u0085b\u2028c\u2029d""#),
            ("\u{9b}31m".as_bytes(), r#""\u009b31m""#, r#""\u009b31m""#),
            ("\u{202e}cod\u{2066}".as_bytes(), r#""\u202ecod\u2066""#, r#""\u202ecod\u2066""#),
            ("a\u{a0}b\u{3000}c".as_bytes(), r#""a\u00a0b\u3000c""#, r#""a\u00a0b\u3000c""#),
            ("\u{e0041}".as_bytes(), r#""\udb40\udc41""#, r#""\udb40\udc41""#),
            (b"a\xff\xfeb", "\"a\u{fffd}\u{fffd}b\"", "\"a\u{fffd}\u{fffd}b\""),
            (b"\xe2\x80", "\"\u{fffd}\"", "\"\u{fffd}\""),
        ] {
            assert_eq!(json(value), expected_json);
            assert_eq!(text(value), expected_text);
        }
    }

    #[test]
    fn every_byte_yields_valid_json_on_one_line() {
        for first in 0..=u8::MAX {
            for second in [b'a', 0x80, 0xbf, first] {
                let value = [b'x', first, second];
                let line = json(&value);
                let decoded: String = serde_json::from_str(&line).unwrap();
                assert!(!decoded.contains(['\r', '\n']) && line.lines().count() == 1, "{value:?}");
                let expected = String::from_utf8_lossy(&value).replace('\r', "\\r").replace('\n', "\\n");
                assert_eq!(decoded, expected);
                let shown = text(&value);
                assert!(shown.chars().all(is_printable), "{value:?}");
                assert!(shown.starts_with('"') || !shown.contains([' ', '=', '"']), "{value:?}");
            }
        }
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let limit = LOGGED_VALUE_MAX_BYTES;
        assert_eq!(text(&vec![b'a'; limit]).len(), limit);
        assert_eq!(text(&vec![b'a'; limit + 1]).len(), limit);
        assert_eq!(json(&vec![b'a'; 1 << 20]).len(), limit + 2);
        let wide = format!("ab{}", "\u{20ac}".repeat(limit));
        let shown = text(wide.as_bytes());
        assert!(!shown.contains(char::REPLACEMENT_CHARACTER) && wide.starts_with(&shown));
        assert!((limit - 2..=limit).contains(&shown.len()));
        // Continuation bytes alone must not make the cut slip.
        assert_eq!(bounded(&vec![0x80; limit * 2]).len(), limit);
    }

    #[test]
    fn an_escaped_value_is_at_most_six_times_the_limit() {
        assert_eq!(json(&vec![0; 1 << 20]).len(), 6 * LOGGED_VALUE_MAX_BYTES + 2);
    }
}
