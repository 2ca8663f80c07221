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
    if key.is_ascii() { names_ascii(key, name) } else { names_folded(key, name) }
}

/// The same for a key that is known to be ASCII.
#[inline]
pub(crate) fn names_ascii(key: &str, name: &str) -> bool {
    key.len() == name.len() && key.as_bytes().eq_ignore_ascii_case(name.as_bytes())
}

/// The same for a key that is not. Hardly any such key comes, and it need not be quick.
#[cold]
pub(crate) fn names_folded(key: &str, name: &str) -> bool {
    key.chars().map(fold).eq(name.chars().map(fold))
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
    }
}
