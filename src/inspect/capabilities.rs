//! Kernel capabilities by name, and the list of those that may be added (spec 30 §0.5, §14).
//!
//! Owns how a capability is spelled. `ALL` is an ordinary name here: it is allowed only when it is listed.

use std::fmt::{self, Display, Write};

/// Capabilities that are allowed, in upper case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    names: Vec<String>,
}

impl Capabilities {
    /// Compiles names that may bear `CAP_` or not, as containers have them. Blanks are dropped.
    #[must_use]
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Capabilities {
        Capabilities::collect(names, |name| canonical(name).unwrap_or_default().to_ascii_uppercase())
    }

    /// Compiles names of which `CAP_` is a part, as plugins have them. Blanks are dropped.
    #[must_use]
    pub fn with_prefix<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Capabilities {
        Capabilities::collect(names, |name| name.trim().to_ascii_uppercase())
    }

    /// Whether `name`, already canonical for this kind of list, is one of them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    fn collect<S: AsRef<str>>(names: impl IntoIterator<Item = S>, fold: impl Fn(&str) -> String) -> Capabilities {
        let names = names.into_iter().map(|name| fold(name.as_ref())).filter(|name| !name.is_empty()).collect();
        Capabilities { names }
    }
}

/// A container's capability without blanks around it and without one leading `CAP_`; `None` when nothing is named.
pub(crate) fn canonical(name: &str) -> Option<&str> {
    let name = name.trim();
    let prefix = name.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("CAP_"));
    let name = if prefix.is_some() { name.get(4..).unwrap_or_default() } else { name };
    // `CAP_` alone names nothing that the Engine knows, but it does ask for something.
    (!name.is_empty() || prefix.is_some()).then_some(name)
}

/// Displays a name in upper case.
pub(crate) struct Upper<'n>(pub(crate) &'n str);

impl Display for Upper<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| out.write_char(character.to_ascii_uppercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_blanks_and_one_prefix() {
        for (name, expected) in [
            ("NET_ADMIN", Some("NET_ADMIN")),
            ("cap_net_admin", Some("net_admin")),
            (" CAP_NET_ADMIN ", Some("NET_ADMIN")),
            ("CAP_CAP_NET_ADMIN", Some("CAP_NET_ADMIN")),
            ("CAP_", Some("")),
            ("CAP", Some("CAP")),
            ("é", Some("é")),
            ("", None),
            ("  ", None),
        ] {
            assert_eq!(canonical(name), expected, "{name:?}");
        }
    }

    #[test]
    fn only_what_is_listed_is_contained() {
        let listed = Capabilities::new(["NET_ADMIN", "cap_chown", " ", "CAP_"]);
        for (name, contained) in [
            ("NET_ADMIN", true),
            ("net_admin", true),
            ("CHOWN", true),
            ("SYS_ADMIN", false),
            ("ALL", false),
            ("NET", false),
            ("CAP_NET_ADMIN", false),
            ("", false),
        ] {
            assert_eq!(listed.contains(name), contained, "{name}");
        }
        assert!(Capabilities::new(["CAP_ALL"]).contains("ALL"));
        assert!(!Capabilities::default().contains("CHOWN"));
    }

    #[test]
    fn a_plugin_list_keeps_the_prefix() {
        let listed = Capabilities::with_prefix(["cap_net_admin"]);
        assert!(listed.contains("CAP_NET_ADMIN"));
        assert!(!listed.contains("NET_ADMIN"));
    }

    #[test]
    fn upper_case_is_displayed() {
        assert_eq!(Upper("net_admin").to_string(), "NET_ADMIN");
    }
}
