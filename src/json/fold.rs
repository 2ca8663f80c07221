//! Keys as the Engine matches them to its fields: exactly, or equal under Unicode simple case folding (spec 30 §0.3).
//!
//! Owns the folding. The Engine's field names are ASCII, and outside ASCII only two letters fold onto ASCII ones: the
//! long s `ſ` and the Kelvin sign `K`. A reader that forgets them does not see `{"ſecurityOpt": …}`, which the Engine does.

/// Room for the longest field name that we know.
pub const FOLDED_MAX_BYTES: usize = 32;

/// Where a folded key is put.
pub type FoldBuffer = [u8; FOLDED_MAX_BYTES];

/// The key in lower case; empty when it is longer than every field name. Compare with names in lower case.
#[inline]
pub fn fold<'b>(key: &str, buffer: &'b mut FoldBuffer) -> &'b [u8] {
    let bytes = key.as_bytes();
    if !bytes.is_ascii() {
        return fold_unicode(key, buffer);
    }
    let Some(folded) = buffer.get_mut(..bytes.len()) else { return &[] };
    folded.copy_from_slice(bytes);
    folded.make_ascii_lowercase();
    folded
}

#[cold]
fn fold_unicode<'b>(key: &str, buffer: &'b mut FoldBuffer) -> &'b [u8] {
    let mut length = 0;
    for character in key.chars().map(fold_character) {
        // A letter that stays outside ASCII makes this the name of no field.
        let (Ok(byte), Some(slot)) = (u8::try_from(character), buffer.get_mut(length)) else { return &[] };
        if !byte.is_ascii() {
            return &[];
        }
        *slot = byte;
        length += 1;
    }
    buffer.get(..length).unwrap_or_default()
}

/// Whether two keys are one to the Engine, as far as that can matter: letters that fold onto no ASCII letter are
/// compared as they are.
#[must_use]
pub fn fold_equal(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.chars().map(fold_character).eq(right.chars().map(fold_character))
}

/// One character, folded.
pub(super) fn fold_character(character: char) -> char {
    match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fold_onto_field_names() {
        for (key, folded) in [
            ("Privileged", "privileged"),
            ("PRIVILEGED", "privileged"),
            ("Ho\u{17f}tConfig", "hostconfig"),
            ("Networ\u{212a}Mode", "networkmode"),
            ("\u{17f}\u{17f}", "ss"),
            ("Privileged ", "privileged "),
            ("a_b-1", "a_b-1"),
            ("", ""),
            ("É", ""),
            ("Binds\u{307}", ""),
            ("ÿ", ""),
            ("\u{17f}12345678901234567890123456789012", ""),
            ("123456789012345678901234567890123", ""),
            ("12345678901234567890123456789012", "12345678901234567890123456789012"),
        ] {
            assert_eq!(fold(key, &mut [0; FOLDED_MAX_BYTES]), folded.as_bytes(), "{key}");
        }
    }

    #[test]
    fn keys_are_equal_when_the_engine_says_so() {
        for (left, right, equal) in [
            ("HostConfig", "hostconfig", true),
            ("Binds", "Bind\u{17f}", true),
            ("NetworkMode", "NETWOR\u{212a}MODE", true),
            ("\u{17f}", "\u{17f}", true),
            ("Binds", "Bind", false),
            ("é", "e", false),
            ("", "", true),
        ] {
            assert_eq!(fold_equal(left, right), equal, "{left} {right}");
            assert_eq!(fold_equal(right, left), equal, "{right} {left}");
        }
    }
}
