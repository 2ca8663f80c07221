//! The words that several inspectors read alike: blank, host mode, root user (spec 30 §0.5).
//!
//! Owns predicates on single values. None of them allocates.

/// Without Unicode white space at both ends. Hardly any text has it there, so that is looked at first.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [] => text,
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
    }
}

/// Whether nothing is left after trimming Unicode white space.
pub(crate) fn is_blank(text: &str) -> bool {
    trim(text).is_empty()
}

/// Whether a namespace mode or a network name is the host's: `host` in any case, blanks around it or not.
pub(crate) fn is_host(mode: &str) -> bool {
    trim(mode).eq_ignore_ascii_case("host")
}

/// The container that `container:REF` names. The prefix in any case; a blank REF names none.
pub(crate) fn shared_container(mode: &str) -> Option<&str> {
    const PREFIX: &str = "container:";
    let mode = trim(mode);
    let prefix = mode.get(..PREFIX.len())?;
    let container = mode.get(PREFIX.len()..)?.trim();
    (prefix.eq_ignore_ascii_case(PREFIX) && !container.is_empty()).then_some(container)
}

/// Whether a container or exec with this user runs as root. No user is root; so is every spelling of zero that the
/// Engine's integer parser takes, padded and signed (spec 30 §15 gap 13).
pub(crate) fn is_root(user: &str) -> bool {
    let name = trim(user.split(':').next().unwrap_or_default());
    let digits = name.strip_prefix(['+', '-']).unwrap_or(name);
    let is_zero = !digits.is_empty() && digits.bytes().all(|byte| byte == b'0');
    name.is_empty() || is_zero || name.eq_ignore_ascii_case("root")
}

/// The entries of a configured list: trimmed, blanks and repetitions dropped, order kept.
#[must_use]
pub fn normal_list<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for entry in entries {
        let entry = entry.as_ref().trim();
        if !entry.is_empty() && !list.iter().any(|known| known == entry) {
            list.push(entry.to_owned());
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_many_spellings() {
        for root in [
            "",
            "   ",
            "root",
            "ROOT",
            "root:staff",
            "0",
            "00",
            "0:1000",
            "0000:5",
            ":1000",
            "+0",
            "-0",
            "-000:1",
            " 0 ",
            " root : x",
        ] {
            assert!(is_root(root), "{root:?}");
        }
        for other in ["1000", "1000:0", "nobody", "app", "app:root", "1", "01", "+1", "+", "-", "0x0", "rooty", "o"] {
            assert!(!is_root(other), "{other:?}");
        }
    }

    #[test]
    fn host_is_read_without_case_and_blanks() {
        for host in ["host", "HOST", " Host\t", "\u{a0}host"] {
            assert!(is_host(host), "{host:?}");
        }
        for other in ["", "hos", "hosts", "host:x", "h ost", "bridge", "container:host", "none"] {
            assert!(!is_host(other), "{other:?}");
        }
    }

    #[test]
    fn shared_containers_are_named_after_the_prefix() {
        for (mode, expected) in [
            ("container:abc", Some("abc")),
            (" CONTAINER: Abc ", Some("Abc")),
            ("container:a:b", Some("a:b")),
            ("container:", None),
            ("container: ", None),
            ("container", None),
            ("containers:abc", None),
            ("häcontainer:x", None),
            ("host", None),
            ("", None),
        ] {
            assert_eq!(shared_container(mode), expected, "{mode:?}");
        }
    }

    #[test]
    fn lists_lose_blanks_and_repetitions() {
        assert_eq!(normal_list([" a", "", "b ", "a", " ", "A"]), ["a", "b", "A"]);
    }
}
