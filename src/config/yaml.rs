//! YAML text → a tree of values with their source lines.
//!
//! Owns everything that is about YAML and nothing that is about sockguard's keys: one document, duplicate keys refused,
//! merge keys resolved, aliases expanded within a bound, the text of every scalar as it was written (spec 10 §1.4).
//! The tree is what lets one run report all wrong keys instead of the first.
//!
//! The parser hands out numbers without their spelling, and `1.10` must stay `1.10` where a text is wanted. So the
//! document is read twice: once for its shape, and once more, led by that shape, for the spelling of its floats.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::problem::{Origin, Problem, Problems};
use crate::limits::{CONFIG_MAX_BYTES, CONFIG_MAX_OPEN_BRACKETS, CONFIG_MAX_VALUES};

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Line or environment variable.
    pub origin: Origin,
    /// The value.
    pub value: Value,
}

/// A YAML value. A scalar keeps its text; what it is good for is the schema's to say.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing at all: the same as an absent key.
    Null,
    /// `true`, `True`, `TRUE` and the same for false; no other word is a boolean.
    Bool(bool),
    /// A whole number within 128 bits.
    Integer(i128),
    /// Any other number.
    Float {
        /// The number.
        value: f64,
        /// As it was written.
        text: String,
    },
    /// Anything else that is one word, line or paragraph.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in source order, keys unique.
    Map(Vec<(String, Node)>),
}

impl Value {
    /// What it is, for an error message.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::Float { .. } => "a fraction",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a block of keys",
        }
    }
}

/// Reads one document.
///
/// # Errors
/// All duplicate keys and bad merge keys, or the one thing that stopped the parser.
pub fn read(bytes: &[u8]) -> Result<Node, Problems> {
    let text = checked_text(bytes)?;
    let lines = Lines::new(text);
    let mut reading =
        Reading { lines: &lines, problems: Problems::default(), values: 0, text_bytes: 0, floats: 0, line: 1 };
    let mut root =
        Shape(&mut reading).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| one(&error))?;
    if reading.floats > 0 {
        Spelling(&mut root).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| one(&error))?;
    }
    let mut problems = reading.problems;
    settle_mappings(&mut root, &mut problems);
    problems.or(root)
}

/// Size, encoding and brackets, before the parser sees a byte.
fn checked_text(bytes: &[u8]) -> Result<&str, Problems> {
    if bytes.len() as u64 > CONFIG_MAX_BYTES {
        return Err(Problems::one(format!("the file has {} bytes, at most {CONFIG_MAX_BYTES} are read", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
        at(line, "the file is not UTF-8".to_owned())
    })?;
    if let Some(line) = piles_up_brackets(text) {
        return Err(at(line, format!("more than {CONFIG_MAX_OPEN_BRACKETS} brackets are open")));
    }
    Ok(text)
}

/// The line where open brackets pile up beyond the bound.
///
/// The parser bounds nesting only after it has read the whole document, and it reads nested `{a: ` in quadratic time:
/// a megabyte of it would keep it busy for minutes. Brackets in texts and comments count too, so the bound is far above
/// the nesting that the schema knows.
fn piles_up_brackets(text: &str) -> Option<usize> {
    let mut open: usize = 0;
    for (index, line) in text.lines().enumerate() {
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > CONFIG_MAX_OPEN_BRACKETS {
                return Some(index + 1);
            }
        }
    }
    None
}

fn at(line: usize, text: String) -> Problems {
    let mut problems = Problems::default();
    problems.push(Problem { path: String::new(), text, origin: Origin::Line(line) });
    problems
}

fn one(error: &serde_yaml::Error) -> Problems {
    // The parser puts its position into the text; it is cut off there and said our way.
    let text = error.to_string();
    let text = text.split_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let text = match text {
        "recursion limit exceeded" => "too many values inside one another",
        "repetition limit exceeded" => TOO_MANY_ALIASES,
        text => text,
    };
    at(error.location().map_or(0, |location| location.line()), text.to_owned())
}

/// Offsets of line starts, to turn a borrowed piece of the source into its line.
struct Lines<'text> {
    text: &'text str,
    starts: Vec<usize>,
}

impl<'text> Lines<'text> {
    fn new(text: &'text str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1).collect();
        Self { text, starts }
    }

    /// The line of a piece that the parser lent out of the source.
    fn of(&self, piece: &str) -> Option<usize> {
        let offset = (piece.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        (offset <= self.text.len()).then(|| 1 + self.starts.partition_point(|start| *start <= offset))
    }
}

/// The text of the bound on aliases, ours and the parser's own.
const TOO_MANY_ALIASES: &str = "too many values, or aliases that expand to too many";

/// State of the first reading.
struct Reading<'text> {
    lines: &'text Lines<'text>,
    problems: Problems,
    values: usize,
    text_bytes: usize,
    floats: usize,
    /// The last line that was seen. The parser lends out keys and texts but not numbers: these are told with the line
    /// of what was before them.
    line: usize,
}

impl Reading<'_> {
    /// Counts a value. Ten short lines of aliases expand to billions of values ("billion laughs"); the bound is on what
    /// comes out, since what goes in is small.
    fn count<E: serde::de::Error>(&mut self, text_bytes: usize) -> Result<(), E> {
        self.values += 1;
        self.text_bytes += text_bytes;
        if self.values > CONFIG_MAX_VALUES || self.text_bytes as u64 > 4 * CONFIG_MAX_BYTES {
            return Err(E::custom(TOO_MANY_ALIASES));
        }
        Ok(())
    }
}

/// First reading of one value.
struct Shape<'a, 'text>(&'a mut Reading<'text>);

impl Shape<'_, '_> {
    fn node<E: serde::de::Error>(self, text_bytes: usize, value: Value) -> Result<Node, E> {
        self.0.count(text_bytes)?;
        Ok(Node { origin: Origin::Line(self.0.line), value })
    }
}

impl<'de> DeserializeSeed<'de> for Shape<'_, '_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_, '_> {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Node, E> {
        self.node(0, Value::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Node, E> {
        self.node(0, Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Node, E> {
        self.node(0, Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Node, E> {
        self.node(0, Value::Integer(value.into()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        self.node(0, Value::Integer(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Node, E> {
        self.node(0, Value::Integer(value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Node, E> {
        self.node(0, Value::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        self.0.floats += 1;
        self.node(0, Value::Float { value, text: String::new() })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Node, E> {
        self.node(text.len(), Value::Text(text.to_owned()))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Node, E> {
        self.0.line = self.0.lines.of(text).unwrap_or(self.0.line);
        self.visit_str(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let Self(reading) = self;
        reading.count(0)?;
        let line = reading.line;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(Shape(&mut *reading))? {
            list.push(element);
        }
        let origin = list.first().map_or(Origin::Line(line), |element: &Node| element.origin.clone());
        Ok(Node { origin, value: Value::List(list) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let Self(reading) = self;
        reading.count(0)?;
        let line = reading.line;
        let mut map: Vec<(String, Node)> = Vec::new();
        while let Some((key, key_line)) = entries.next_key_seed(Key { lines: reading.lines })? {
            let key_line = key_line.unwrap_or(reading.line);
            reading.line = key_line;
            reading.count::<A::Error>(key.len())?;
            let mut node = entries.next_value_seed(Shape(&mut *reading))?;
            // Operators look for the key, also when its value starts on a later line.
            node.origin = Origin::Line(key_line);
            map.push((key, node));
        }
        let origin = map.first().map_or(Origin::Line(line), |(_, node)| node.origin.clone());
        Ok(Node { origin, value: Value::Map(map) })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom("YAML tags (!name) are not supported"))
    }
}

/// First reading of a key: its text and, when the parser lends it out of the source, its line.
struct Key<'text> {
    lines: &'text Lines<'text>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = (String, Option<usize>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = (String, Option<usize>);

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a plain key")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok((text.to_owned(), None))
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok((text.to_owned(), self.lines.of(text)))
    }
}

/// Second reading: fills in how floats were spelt. The document has the shape that the first reading found.
struct Spelling<'a>(&'a mut Node);

impl<'de> DeserializeSeed<'de> for Spelling<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match &self.0.value {
            Value::Float { .. } => deserializer.deserialize_str(self),
            Value::List(_) => deserializer.deserialize_seq(self),
            Value::Map(_) => deserializer.deserialize_map(self),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Text(_) => {
                deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ())
            }
        }
    }
}

impl<'de> Visitor<'de> for Spelling<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the same document")
    }

    fn visit_str<E: serde::de::Error>(self, spelt: &str) -> Result<(), E> {
        if let Value::Float { text, .. } = &mut self.0.value {
            spelt.clone_into(text);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if let Value::List(list) = &mut self.0.value {
            for node in list {
                elements.next_element_seed(Spelling(node))?;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if let Value::Map(map) = &mut self.0.value {
            for (_, node) in map {
                entries.next_key::<IgnoredAny>()?;
                entries.next_value_seed(Spelling(node))?;
            }
        }
        Ok(())
    }
}

/// Refuses duplicate keys and resolves merge keys, in this order, from the leaves up.
///
/// The last of two equal keys would win silently, so that a reviewer reads `allow: false` and the process runs with
/// the `true` further down.
fn settle_mappings(node: &mut Node, problems: &mut Problems) {
    match &mut node.value {
        Value::List(list) => list.iter_mut().for_each(|element| settle_mappings(element, problems)),
        Value::Map(map) => {
            let mut seen = BTreeSet::new();
            for (key, value) in &mut *map {
                settle_mappings(value, problems);
                if !seen.insert(key.clone()) {
                    let text = format!("the key {key:?} is there twice");
                    problems.push(Problem { path: String::new(), text, origin: value.origin.clone() });
                }
            }
            if let Some(index) = map.iter().position(|(key, _)| key == "<<") {
                let (_, merged) = map.remove(index);
                merge(map, merged, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float { .. } | Value::Text(_) => {}
    }
}

/// Adds the keys of a merged mapping, or of a list of them, that the mapping does not have itself; earlier ones win.
fn merge(map: &mut Vec<(String, Node)>, merged: Node, problems: &mut Problems) {
    let mut own: BTreeSet<String> = map.iter().map(|(key, _)| key.clone()).collect();
    let sources = match merged.value {
        Value::List(list) => list,
        value => vec![Node { origin: merged.origin.clone(), value }],
    };
    for source in sources {
        let Value::Map(entries) = source.value else {
            let text = format!("a merge key (<<) needs a block of keys, got {}", source.value.noun());
            problems.push(Problem { path: String::new(), text, origin: merged.origin.clone() });
            continue;
        };
        map.extend(entries.into_iter().filter(|(key, _)| own.insert(key.clone())));
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
