//! Text as a JSON string.
//!
//! Owns the escaping for everything that we print: logs, local answers, spliced values. Appends to a buffer that the
//! caller keeps; runs that need no escape are copied whole.

/// Which bytes are escaped beside those that JSON demands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Html,
}

/// Appends `text` as a JSON string, quotes included.
pub fn append_string(out: &mut Vec<u8>, text: &str) {
    append(out, text, Style::Plain);
}

/// Appends `text` as a JSON string that is also safe inside HTML, the way the Engine prints its answers: `<`, `>`, `&`
/// and the line separators U+2028 and U+2029 are escaped (spec 60 §9).
pub fn append_html_safe_string(out: &mut Vec<u8>, text: &str) {
    append(out, text, Style::Html);
}

/// As [`append_string`] for bytes that should be UTF-8: what is not becomes U+FFFD.
pub fn append_lossy_string(out: &mut Vec<u8>, bytes: &[u8]) {
    append_lossy(out, bytes, Style::Plain);
}

/// As [`append_html_safe_string`] for bytes that should be UTF-8: what is not becomes U+FFFD.
pub fn append_lossy_html_safe_string(out: &mut Vec<u8>, bytes: &[u8]) {
    append_lossy(out, bytes, Style::Html);
}

fn append(out: &mut Vec<u8>, text: &str, style: Style) {
    out.push(b'"');
    append_content(out, text, style);
    out.push(b'"');
}

fn append_lossy(out: &mut Vec<u8>, bytes: &[u8], style: Style) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        append_content(out, chunk.valid(), style);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

fn append_content(out: &mut Vec<u8>, text: &str, style: Style) {
    let mut rest = text.as_bytes();
    while let Some(clean) = rest.iter().position(|byte| needs_care(*byte, style)) {
        let (before, from) = rest.split_at(clean);
        out.extend_from_slice(before);
        rest = append_escape(out, from);
    }
    out.extend_from_slice(rest);
}

#[inline]
fn needs_care(byte: u8, style: Style) -> bool {
    match byte {
        0..0x20 | b'"' | b'\\' => true,
        // 0xe2 starts the line separators, and much else.
        b'<' | b'>' | b'&' | 0xe2 => style == Style::Html,
        _ => false,
    }
}

/// Appends what the first character of `from` becomes, and returns what is behind it.
fn append_escape<'t>(out: &mut Vec<u8>, from: &'t [u8]) -> &'t [u8] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let Some((first, rest)) = from.split_first() else { return from };
    let short = match first {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0xe2 => {
            let Some(rest) = from.strip_prefix(b"\xe2\x80") else {
                out.push(*first);
                return rest;
            };
            return match rest {
                [0xa8, rest @ ..] => {
                    out.extend_from_slice(b"\\u2028");
                    rest
                }
                [0xa9, rest @ ..] => {
                    out.extend_from_slice(b"\\u2029");
                    rest
                }
                _ => {
                    out.extend_from_slice(b"\xe2\x80");
                    rest
                }
            };
        }
        _ => {
            let digit = |nibble: u8| HEX[usize::from(nibble & 0xf)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(first >> 4), digit(*first)]);
            return rest;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(append: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        append(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped() {
        for (text, plain, html) in [
            ("", r#""""#, r#""""#),
            ("plain é 😀\u{7f}", "\"plain é 😀\u{7f}\"", "\"plain é 😀\u{7f}\""),
            ("a\"b\\c/d", r#""a\"b\\c/d""#, r#""a\"b\\c/d""#),
            (
                "\n\r\t\u{0}\u{8}\u{c}\u{1f}",
                r#""\n\r\t\u0000\u0008\u000c\u001f""#,
                r#""\n\r\t\u0000\u0008\u000c\u001f""#,
            ),
            ("<a> & b", r#""<a> & b""#, r#""\u003ca\u003e \u0026 b""#),
            ("x\u{2028}y\u{2029}", "\"x\u{2028}y\u{2029}\"", r#""x\u2028y\u2029""#),
            ("– ⁰ €", "\"– ⁰ €\"", "\"– ⁰ €\""),
        ] {
            assert_eq!(print(append_string, text), plain);
            assert_eq!(print(append_html_safe_string, text), html);
        }
    }

    #[test]
    fn what_is_not_utf8_is_replaced() {
        let mut out = Vec::new();
        append_lossy_string(&mut out, b"a\xff<\xe2\x82\"");
        append_lossy_html_safe_string(&mut out, b"\xe2<\xed\xa0\x80");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a\u{fffd}<\u{fffd}\\\"\"\"\u{fffd}\\u003c\u{fffd}\u{fffd}\u{fffd}\""
        );
    }

    #[test]
    fn every_character_survives_a_second_reader() {
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = format!("a{character}b");
            assert_eq!(serde_json::from_str::<String>(&print(append_string, &text)).unwrap(), text);
            assert_eq!(serde_json::from_str::<String>(&print(append_html_safe_string, &text)).unwrap(), text);
        }
    }
}
