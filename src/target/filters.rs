//! The Engine's `filters` parameter: a JSON object that gives a list of texts to each filter key (spec 50 A3).
//!
//! Owns its grammar and what may be added to it. What the entries mean is the Engine's business; only label entries are
//! looked into, as far as the label's key. Whatever form was read, what is written back is lists of strings, and a key
//! that stands twice has the value that counts for the Engine: the last.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::limits::FILTERS_MAX_BYTES;

/// Why a value of `filters` is none. The message holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FiltersError {
    /// More than [`FILTERS_MAX_BYTES`].
    #[error("decode filters: longer than {FILTERS_MAX_BYTES} bytes: {0}")]
    TooLong(usize),
    /// Not one JSON document in UTF-8, or nested too deeply.
    #[error("decode filters: not a json document")]
    Malformed,
    /// Neither an object nor `null`.
    #[error("decode filters: unexpected type {0}")]
    Document(&'static str),
    /// A key has neither a list nor an object.
    #[error("decode filters: unexpected label filter type {0}")]
    List(&'static str),
    /// An element of a list is no string.
    #[error("decode filters: unexpected label filter element type {0}")]
    Element(&'static str),
    /// A member of an object is no boolean.
    #[error("decode filters: unexpected label filter value type {0}")]
    Member(&'static str),
}

/// A value of `filters`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    lists: BTreeMap<String, Vec<String>>,
}

impl Filters {
    /// Reads the decoded value of the parameter; an empty one has no filters.
    ///
    /// # Errors
    ///
    /// The client wrote something else: see [`FiltersError`].
    pub fn decode(value: &[u8]) -> Result<Filters, FiltersError> {
        if value.len() > FILTERS_MAX_BYTES {
            return Err(FiltersError::TooLong(value.len()));
        }
        if value.is_empty() {
            return Ok(Filters::default());
        }
        match serde_json::from_slice(value).map_err(|_| FiltersError::Malformed)? {
            Value::Null => Ok(Filters::default()),
            Value::Object(members) => {
                let lists = members.into_iter().map(|(key, value)| Ok((key, list(value)?)));
                Ok(Filters { lists: lists.collect::<Result<_, _>>()? })
            }
            other => Err(FiltersError::Document(name(&other))),
        }
    }

    /// The entries under `key`, in the order that was sent; those of an object in ascending order.
    #[must_use]
    pub fn list(&self, key: &str) -> &[String] {
        self.lists.get(key).map_or(&[], Vec::as_slice)
    }

    /// Adds `entry` under `key` unless it is there already; returns whether it was added.
    pub fn require(&mut self, key: &str, entry: &str) -> bool {
        if self.list(key).iter().any(|known| known == entry) {
            return false;
        }
        self.lists.entry(key.to_owned()).or_default().push(entry.to_owned());
        true
    }

    /// Drops the entries under `key` that speak of the label `label`, whatever they say of it. Some lists of the Engine
    /// keep one entry for a label, and which one is not defined.
    pub fn drop_label(&mut self, key: &str, label: &str) {
        if let Some(list) = self.lists.get_mut(key) {
            list.retain(|entry| label_of(entry) != label);
        }
    }

    /// The value as it is sent: an object of lists of strings.
    #[must_use]
    pub fn to_json(&self) -> String {
        let lists = self.lists.iter().map(|(key, list)| (key.as_str(), list.as_slice()));
        Value::from_iter(lists).to_string()
    }
}

/// The label that an entry speaks of: `team`, `team=x` and `team!=x` all speak of `team`.
fn label_of(entry: &str) -> &str {
    let key = entry.split_once('=').map_or(entry, |(key, _)| key);
    key.strip_suffix('!').unwrap_or(key)
}

fn list(value: Value) -> Result<Vec<String>, FiltersError> {
    match value {
        Value::Array(elements) => elements
            .into_iter()
            .map(|element| match element {
                Value::String(text) => Ok(text),
                other => Err(FiltersError::Element(name(&other))),
            })
            .collect(),
        Value::Object(members) => {
            let mut keys = members
                .into_iter()
                .map(
                    |(key, member)| {
                        if member.is_boolean() { Ok(key) } else { Err(FiltersError::Member(name(&member))) }
                    },
                )
                .collect::<Result<Vec<_>, _>>()?;
            keys.sort_unstable();
            Ok(keys)
        }
        other => Err(FiltersError::List(name(&other))),
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Spec 50 A3: the owner's entry replaces what the client says of the owner's label and stands beside the rest.
    #[test]
    fn an_owner_is_required_beside_what_the_client_asks() {
        for (sent, expected) in [
            ("", r#"{"label":["K=O"]}"#),
            ("null", r#"{"label":["K=O"]}"#),
            ("{}", r#"{"label":["K=O"]}"#),
            (r#"{"label":[]}"#, r#"{"label":["K=O"]}"#),
            (r#"{"label":{}}"#, r#"{"label":["K=O"]}"#),
            (r#"{"label":["app=x"],"status":["running"]}"#, r#"{"label":["app=x","K=O"],"status":["running"]}"#),
            (r#"{"label":["K=victim"]}"#, r#"{"label":["K=O"]}"#),
            (r#"{"label":["K"]}"#, r#"{"label":["K=O"]}"#),
            (r#"{"label":["K!"]}"#, r#"{"label":["K=O"]}"#),
            (r#"{"label":["K!=O"]}"#, r#"{"label":["K=O"]}"#),
            (r#"{"label":["K=O","K=O"]}"#, r#"{"label":["K=O"]}"#),
            (r#"{"label":["Kx=1","app!=y","k=2"]}"#, r#"{"label":["Kx=1","app!=y","k=2","K=O"]}"#),
            (
                r#"{"label":{"app=x":true},"status":{"running":true,"paused":false}}"#,
                r#"{"label":["app=x","K=O"],"status":["paused","running"]}"#,
            ),
            (r#"{"label!":["K=O"]}"#, r#"{"label":["K=O"],"label!":["K=O"]}"#),
            (r#"{"Label":["K=x"]}"#, r#"{"Label":["K=x"],"label":["K=O"]}"#),
            // The last of two equal keys is the one that the Engine reads.
            (r#"{"label":["a"],"label":["b"]}"#, r#"{"label":["b","K=O"]}"#),
        ] {
            let mut filters = Filters::decode(sent.as_bytes()).unwrap();
            filters.drop_label("label", "K");
            assert!(filters.require("label", "K=O"), "{sent}");
            assert_eq!(filters.to_json(), expected, "{sent}");
            assert!(!filters.require("label", "K=O"), "{sent}");
        }
    }

    #[test]
    fn a_list_that_has_what_is_required_stays() {
        let mut filters = Filters::decode(br#"{"label":["vis=true","team"]}"#).unwrap();
        assert!(!filters.require("label", "vis=true"));
        assert!(filters.require("node.label", "vis=true"));
        assert_eq!(filters.list("label"), ["vis=true", "team"]);
        assert_eq!(filters.list("node.label"), ["vis=true"]);
        assert!(filters.list("name").is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        use FiltersError::*;
        for (sent, error) in [
            ("{", Malformed),
            ("running", Malformed),
            ("{} {}", Malformed),
            (" ", Malformed),
            ("{\"label\":[\"\u{1}\"]}", Malformed),
            ("[]", Document("array")),
            ("7", Document("number")),
            (r#"{"label":"bad"}"#, List("string")),
            (r#"{"label":7}"#, List("number")),
            (r#"{"label":null}"#, List("null")),
            (r#"{"label":[1]}"#, Element("number")),
            (r#"{"status":[null]}"#, Element("null")),
            (r#"{"label":[["a"]]}"#, Element("array")),
            (r#"{"label":{"a":1}}"#, Member("number")),
            (r#"{"label":{"a":"true"}}"#, Member("string")),
        ] {
            assert_eq!(Filters::decode(sent.as_bytes()), Err(error), "{sent}");
        }
        assert_eq!(Filters::decode(b"{\"label\":[\"\xff\"]}"), Err(Malformed));
        assert_eq!(Filters::decode(&[b'['; 5_000]), Err(Malformed));
        let spaces = |count: usize| [&b"{}"[..], &vec![b' '; count - 2]].concat();
        assert_eq!(Filters::decode(&spaces(FILTERS_MAX_BYTES)), Ok(Filters::default()));
        assert_eq!(Filters::decode(&spaces(FILTERS_MAX_BYTES + 1)), Err(TooLong(FILTERS_MAX_BYTES + 1)));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(lists in prop::collection::btree_map(".{0,6}", prop::collection::vec(".{0,6}", 0..4), 0..4)) {
            let filters = Filters { lists };
            prop_assert_eq!(Filters::decode(filters.to_json().as_bytes()), Ok(filters));
        }
    }
}
