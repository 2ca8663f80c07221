//! When two keys are the same field for the Engine: Unicode simple case folding (spec 30 §0.3).
//!
//! Owns the comparison. The Engine's field names are ASCII, and beside the letters of other case only U+017F (long s)
//! and U+212A (kelvin sign) fold into ASCII; folding beyond ASCII matters to the refusal of duplicates alone.

/// The representative of all characters that fold into `character`.
#[inline]
pub(crate) fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    // The dotless i has the upper case I but folds with nothing.
    if character == '\u{131}' {
        return character;
    }
    // Through upper case and back, so that variants with one upper case (as sigma and final sigma) meet.
    let lower = single(character.to_lowercase()).unwrap_or(character);
    let upper = single(lower.to_uppercase()).unwrap_or(lower);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// Simple folding maps one character to one: longer mappings do not count.
fn single(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next()?;
    mapped.next().is_none().then_some(first)
}

/// Whether `key` names the field `name`, which is ASCII.
#[inline]
pub(crate) fn names(key: &str, name: &str) -> bool {
    debug_assert!(name.is_ascii());
    names_ascii(key, name) || !is_ascii(key) && names_folded(key, name)
}

/// The same for a key that is ASCII; another names nothing here.
#[inline]
pub(crate) fn names_ascii(key: &str, name: &str) -> bool {
    if key.len() != name.len() {
        return false;
    }
    match (Ends::of(key.as_bytes()), Ends::of(name.as_bytes())) {
        (Some(ends), Some(others)) if !ends.may_name(others) => false,
        // Hardly any key comes in another case than its name.
        (Some(ends), Some(others)) if ends == others => true,
        _ => key.eq_ignore_ascii_case(name),
    }
}

/// The same for a key that is not. Hardly any such key comes, and it need not be quick.
#[cold]
pub(crate) fn names_folded(key: &str, name: &str) -> bool {
    key.chars().map(fold).eq(name.chars().map(fold))
}

/// Whether all of `key` is ASCII, quickly for the few bytes that a key has.
#[inline]
pub(crate) fn is_ascii(key: &str) -> bool {
    match Ends::of(key.as_bytes()) {
        Some(ends) => ends.is_ascii(),
        None => key.is_ascii(),
    }
}

/// Bit 5 of each byte, in which the cases of ASCII letters differ.
pub(crate) const CASE: u64 = 0x2020_2020_2020_2020;

/// The bit of each byte that no ASCII character has.
pub(crate) const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Up to sixteen bytes as two words, which overlap or repeat what is between them: two strings of one length are equal
/// if both words are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ends {
    pub(crate) head: u64,
    pub(crate) tail: u64,
}

impl Ends {
    /// `None`: there are more bytes than that.
    #[inline(always)]
    pub(crate) const fn of(bytes: &[u8]) -> Option<Ends> {
        let [head, tail] = if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) {
            if bytes.len() > 16 {
                return None;
            }
            [u64::from_le_bytes(*head), u64::from_le_bytes(*tail)]
        } else if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk()) {
            [u32::from_le_bytes(*head) as u64, u32::from_le_bytes(*tail) as u64]
        } else {
            match *bytes {
                [first, second, third, ..] => [first as u64 | (second as u64) << 8, third as u64],
                [first, second] => [first as u64, second as u64],
                [first] => [first as u64, 0],
                [] => [0, 0],
            }
        };
        Some(Ends { head, tail })
    }

    /// Whether the strings, of one length, are the same or differ in bit 5 alone: in the case of letters, or between
    /// a few other characters.
    #[inline(always)]
    pub(crate) fn may_name(self, name: Ends) -> bool {
        ((self.head ^ name.head) | (self.tail ^ name.tail)) & !CASE == 0
    }

    #[inline(always)]
    pub(crate) fn is_ascii(self) -> bool {
        (self.head | self.tail) & NOT_ASCII == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = char> {
        (0..=0x10_ffff).filter_map(char::from_u32)
    }

    #[test]
    fn only_two_characters_fold_into_ascii() {
        let folding: Vec<char> = all().filter(|c| !c.is_ascii() && fold(*c).is_ascii()).collect();
        assert_eq!(folding, ['\u{17f}', '\u{212a}']);
        assert_eq!([fold('\u{17f}'), fold('\u{212a}')], ['s', 'k']);
    }

    #[test]
    fn folding_is_stable_and_joins_the_cases() {
        for character in all() {
            assert_eq!(fold(fold(character)), fold(character), "{character:?}");
        }
        for pair in ["éÉ", "σς", "Σς", "µμ", "ǅǆ", "ßẞ", "ѣᲇ", "ᾳᾼ", "Åå", "Ωω", "ꭰᎠ"] {
            let mut characters = pair.chars().map(fold);
            assert_eq!(characters.next(), characters.next(), "{pair}");
        }
        for pair in ["iı", "Iı", "iİ", "eé", "ßs", "kx"] {
            let mut characters = pair.chars().map(fold);
            assert_ne!(characters.next(), characters.next(), "{pair}");
        }
    }

    #[test]
    fn keys_name_fields() {
        for (key, is) in [
            ("HostConfig", true),
            ("hostconfig", true),
            ("HO\u{17f}TCONFIG", true),
            ("HostConfi\u{212a}", false),
            ("HostConfig ", false),
            ("HostConfi", false),
            ("", false),
            ("HostConfıg", false),
        ] {
            assert_eq!(names(key, "HostConfig"), is, "{key}");
        }
        assert!(names("Networ\u{212a}Mode", "NetworkMode"));
        assert!(names("\u{212a}ey\u{17f}", "Keys"));
        assert!(names("DEVICE\u{17f}AndMoreOfThem", "DevicesAndMoreOfThem"));
    }

    /// Bit 5 joins the cases of letters and nothing else, however long the key is and wherever the byte stands.
    #[test]
    fn ascii_keys_name_fields_in_any_case_alone() {
        let alphabet: String = ('a'..='z').chain('A'..='Z').collect();
        for length in 0..40 {
            let name = alphabet.get(..length).unwrap();
            assert!(names_ascii(name, name) && names_ascii(&name.to_uppercase(), name), "{name}");
            assert!(!names_ascii(alphabet.get(..length + 1).unwrap(), name), "{name}");
            for place in 0..length {
                for byte in 0..0x80 {
                    let mut key = name.as_bytes().to_vec();
                    key[place] = byte;
                    let key = String::from_utf8(key).unwrap();
                    assert_eq!(names_ascii(&key, name), key.eq_ignore_ascii_case(name), "{key:?} {name}");
                    let mut other = name.as_bytes().to_vec();
                    other[place] = byte ^ 0x20;
                    let other = String::from_utf8(other).unwrap();
                    assert_eq!(names_ascii(&key, &other), key.eq_ignore_ascii_case(&other), "{key:?} {other:?}");
                }
                let mut key = name.to_owned();
                key.replace_range(place..=place, "\u{e9}");
                assert!(!is_ascii(&key), "{key}");
                assert!(is_ascii(name), "{name}");
            }
        }
        assert!(names("\u{212a}ey\u{17f}", "Keys"));
    }
}
