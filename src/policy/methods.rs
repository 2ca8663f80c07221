//! The method part of a rule (spec 20 §4.2).
//!
//! Owns the method list and its comparison: a bit per registered method, text for all others. Compared without case,
//! never trimmed on the request's side, and `HEAD` is not implied by `GET`.

/// A set of request methods. Holds its methods in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods {
    any: bool,
    known: u16,
    others: Box<[Box<str>]>,
}

/// A request method, looked up once and then compared with many rules.
#[derive(Clone, Copy, Debug)]
pub struct RequestMethod<'request> {
    /// One bit, or none for a method that is not registered.
    bit: u16,
    text: &'request [u8],
}

const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];

impl Methods {
    /// Parses a comma-separated list: elements are trimmed, empty ones dropped, `*` stands for every method.
    /// `None` when nothing is left.
    #[must_use]
    pub fn parse(list: &str) -> Option<Methods> {
        let elements = || list.split(',').map(str::trim).filter(|element| !element.is_empty());
        elements().next()?;
        let bit_of = |element: &str| RequestMethod::new(element.as_bytes()).bit;
        Some(Methods {
            any: elements().any(|element| element == "*"),
            known: elements().fold(0, |known, element| known | bit_of(element)),
            others: elements()
                .filter(|element| bit_of(element) == 0)
                .map(|element| element.to_ascii_uppercase().into())
                .collect(),
        })
    }

    /// The set of every method, known or not.
    #[must_use]
    pub fn any() -> Methods {
        Methods { any: true, known: 0, others: Box::default() }
    }

    /// Whether the set has the method.
    #[must_use]
    pub fn contains(&self, method: RequestMethod<'_>) -> bool {
        self.any
            || self.known & method.bit != 0
            || (method.bit == 0 && self.others.iter().any(|other| method.is(other)))
    }
}

impl<'request> RequestMethod<'request> {
    /// Looks a method up as it was received.
    #[must_use]
    pub fn new(text: &'request [u8]) -> RequestMethod<'request> {
        let position = KNOWN.iter().position(|known| text.eq_ignore_ascii_case(known.as_bytes()));
        RequestMethod { bit: position.map_or(0, |position| 1 << position), text }
    }

    /// Whether this is the given method, in any case.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        self.text.eq_ignore_ascii_case(name.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(list: &str, method: &str) -> bool {
        Methods::parse(list).unwrap().contains(RequestMethod::new(method.as_bytes()))
    }

    #[test]
    fn lists() {
        for (list, method, expected) in [
            ("GET", "GET", true),
            ("get", "GET", true),
            ("GET", "get", true),
            ("GET", "HEAD", false),
            ("GET", " GET", false),
            ("GET", "GET ", false),
            ("GET", "GETS", false),
            ("GET", "", false),
            ("GET,HEAD", "HEAD", true),
            ("GET,HEAD", "POST", false),
            ("get , Post", "POST", true),
            ("get , Post", "PUT", false),
            ("PATCH,,DELETE,", "DELETE", true),
            ("PATCH,,DELETE,", "", false),
            ("*", "DELETE", true),
            ("*", "FOO", true),
            ("PUT,*", "FOO", true),
            ("BREW", "BREW", true),
            ("BREW", "brew", true),
            ("BREW", "GET", false),
            ("BREW", "FOO", false),
            ("BREW,GET", "GET", true),
            ("**", "GET", false),
        ] {
            assert_eq!(contains(list, method), expected, "{list:?} {method:?}");
        }
    }

    #[test]
    fn a_list_without_elements_is_no_list() {
        for list in ["", ",", " , ", "\t"] {
            assert_eq!(Methods::parse(list), None, "{list:?}");
        }
    }
}
