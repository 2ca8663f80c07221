//! Reason texts: how a value from the request appears in them (spec 30, "double-quoted values are C-style quoted").
//!
//! Owns the quoting. A reason goes to the client and to logs, so a value in it cannot end the line, move the cursor,
//! reverse the text or grow without bound.

use std::fmt::{self, Display, Write};

use crate::limits::LOGGED_VALUE_MAX_BYTES;

/// Displays a value in double quotes, escaped as in C.
pub(crate) struct Quoted<'v>(pub(crate) &'v str);

impl Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('"')?;
        write_escaped(out, self.0, LOGGED_VALUE_MAX_BYTES)?;
        out.write_char('"')
    }
}

/// Displays words in one pair of double quotes, joined by single spaces.
pub(crate) struct QuotedWords<W>(pub(crate) W);

impl<'v, W: Iterator<Item = &'v str> + Clone> Display for QuotedWords<W> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('"')?;
        let mut room = LOGGED_VALUE_MAX_BYTES;
        for (index, word) in self.0.clone().enumerate() {
            if index > 0 {
                out.write_char(' ')?;
            }
            write_escaped(out, word, room)?;
            match room.checked_sub(word.len() + 1) {
                Some(left) => room = left,
                None => break,
            }
        }
        out.write_char('"')
    }
}

/// Writes the value, at most `room` bytes of it; a value that is cut ends in `…`.
fn write_escaped(out: &mut fmt::Formatter<'_>, value: &str, room: usize) -> fmt::Result {
    for (at, character) in value.char_indices() {
        if at >= room {
            return out.write_char('…');
        }
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\u{7}' => out.write_str("\\a")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\u{b}' => out.write_str("\\v")?,
            '\0'..' ' | '\u{7f}' => write!(out, "\\x{:02x}", u32::from(character))?,
            _ if is_printable(character) => out.write_char(character)?,
            '\0'..='\u{ffff}' => write!(out, "\\u{:04x}", u32::from(character))?,
            '\u{10000}'.. => write!(out, "\\U{:08x}", u32::from(character))?,
        }
    }
    Ok(())
}

/// Neither a control or format character (bidirectional overrides hide what a reason says) nor a space that looks like
/// another.
fn is_printable(character: char) -> bool {
    let is_format = matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !(is_format || character.is_control() || (character.is_whitespace() && character != ' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_in_c() {
        for (value, expected) in [
            ("nfs", r#""nfs""#),
            ("", r#""""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\r\t\0\u{1b}\u{7f}", r#""a\nb\r\t\x00\x1b\x7f""#),
            ("grün 日本", r#""grün 日本""#),
            ("\u{202e}txt\u{a0}\u{85}", r#""\u202etxt\u00a0\u0085""#),
            ("\u{e0041}😀", r#""\U000e0041😀""#),
        ] {
            assert_eq!(Quoted(value).to_string(), expected);
        }
    }

    #[test]
    fn words_are_joined_by_single_spaces() {
        assert_eq!(QuotedWords(["sh", "-c", "a \"b\""].into_iter()).to_string(), r#""sh -c a \"b\"""#);
        assert_eq!(QuotedWords(std::iter::empty()).to_string(), r#""""#);
    }

    #[test]
    fn long_values_are_cut() {
        let long = "é".repeat(LOGGED_VALUE_MAX_BYTES);
        assert!(Quoted(&long).to_string().len() < LOGGED_VALUE_MAX_BYTES + 10);
        assert!(Quoted(&long).to_string().ends_with("é…\""));
        let exact = "x".repeat(LOGGED_VALUE_MAX_BYTES);
        assert_eq!(Quoted(&exact).to_string(), format!("\"{exact}\""));
        let words = vec!["x"; 100_000];
        assert!(QuotedWords(words.iter().copied()).to_string().len() < LOGGED_VALUE_MAX_BYTES + 10);
    }
}
