//! The table behind the configuration: one row per key, from which everything else follows.
//!
//! The macro `block!` of [`schema`](super::schema) declares a block of keys once: Rust type, default, reload class,
//! text. From that one declaration come the structs, the reader, the environment names, the reference page and the JSON
//! Schema. This file owns the row, the kinds of value and how each kind is read from a [`Node`]; it knows no key of
//! sockguard.

use serde_json::json;

use super::problem::{Origin, Origins, Problem, Problems, quoted};
use super::suggest::nearest;
use super::yaml::{Node, Value};

/// When a changed value takes effect (spec 10 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// On the next successful reload.
    Applied,
    /// Only after a restart: a reload that changes it is rejected.
    Restart,
}

/// One key of a block.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What it does; the first sentence stands alone in tables.
    pub doc: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// When a change takes effect; for a block, its keys say.
    pub reload: Reload,
    /// Whether the environment can set it (blocks: whether it can set what is inside).
    pub env: bool,
    /// Closed set of accepted texts; empty when open.
    pub values: &'static [&'static str],
    /// The default, as JSON.
    pub default: fn() -> serde_json::Value,
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number between two bounds.
    Integer {
        /// Smallest representable value.
        min: i64,
        /// Largest representable value.
        max: i64,
    },
    /// A number.
    Number,
    /// A text.
    Text,
    /// A list of texts; one text is split on commas.
    Texts,
    /// A list of argument vectors; one text is split on commas into vectors of one token.
    Vectors,
    /// A list of whole numbers.
    Integers {
        /// Smallest representable value.
        min: i64,
        /// Largest representable value.
        max: i64,
    },
    /// A block of keys.
    Block(&'static Block),
    /// A block of keys that may be absent, which means something else than its defaults.
    OptionalBlock(&'static Block),
    /// A list of blocks.
    Blocks(&'static Block),
}

impl Kind {
    /// What to write, for error messages and the reference.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Integer { .. } => "a whole number",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Texts => "a list of texts",
            Self::Vectors => "a list of argument lists",
            Self::Integers { .. } => "a list of whole numbers",
            Self::Block(_) | Self::OptionalBlock(_) => "a block of keys",
            Self::Blocks(_) => "a list of blocks",
        }
    }

    /// Whether one environment variable can hold it.
    #[must_use]
    pub fn fits_one_variable(self) -> bool {
        match self {
            Self::Bool | Self::Integer { .. } | Self::Number | Self::Text | Self::Texts | Self::Vectors => true,
            Self::Integers { .. } | Self::Block(_) | Self::OptionalBlock(_) | Self::Blocks(_) => false,
        }
    }
}

/// A block of keys.
#[derive(Debug)]
pub struct Block {
    /// Name of the Rust type, which also names the definition in the JSON Schema.
    pub name: &'static str,
    /// What the block is about.
    pub doc: &'static str,
    /// Its keys in the order of the reference.
    pub fields: &'static [Field],
}

impl Block {
    /// The key of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Most keys that an error about an unknown one lists.
const KEYS_LISTED_MAX: usize = 12;

/// Context of reading one tree: where we are, what came from where, what is wrong.
#[derive(Debug, Default)]
pub struct Reader {
    path: String,
    /// Where each key got its value.
    pub origins: Origins,
    /// What is wrong so far.
    pub problems: Problems,
}

impl Reader {
    /// Full path of the value that is being read.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Runs `read` one level down, at the key `name`.
    pub fn at_key(&mut self, name: &str, read: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        read(self);
        self.path.truncate(length);
    }

    /// Runs `read` one level down, at the element `index`.
    pub fn at_index(&mut self, index: usize, read: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(&format!("[{index}]"));
        read(self);
        self.path.truncate(length);
    }

    /// Notes where the value here came from.
    pub fn note(&mut self, node: &Node) {
        self.origins.note(self.path.clone(), node.origin.clone());
    }

    /// Notes a problem with the value here.
    pub fn wrong(&mut self, node: &Node, text: String) {
        self.problems.push(Problem { path: self.path.clone(), text, origin: node.origin.clone() });
    }

    /// The value has the wrong shape.
    fn unfit(&mut self, node: &Node, kind: Kind) {
        let text = match &node.value {
            Value::Text(text) => format!("must be {}, got {}", kind.noun(), quoted(text)),
            Value::Float { text, .. } => format!("must be {}, got {text}", kind.noun()),
            Value::Integer(number) => format!("must be {}, got {number}", kind.noun()),
            Value::Bool(value) => format!("must be {}, got {value}", kind.noun()),
            Value::Null | Value::List(_) | Value::Map(_) => {
                format!("must be {}, got {}", kind.noun(), node.value.noun())
            }
        };
        self.wrong(node, text);
    }

    /// A key that the block does not have.
    pub fn unknown_key(&mut self, block: &Block, name: &str, node: &Node) {
        if self.problems.is_full() {
            return self.wrong(node, String::new());
        }
        let names: Vec<&str> = block.fields.iter().map(|field| field.name).collect();
        let text = match nearest(name, &names) {
            Some(near) => format!("unknown key, did you mean {near}?"),
            None if names.len() <= KEYS_LISTED_MAX => format!("unknown key, known here: {}", names.join(", ")),
            None => "unknown key".to_owned(),
        };
        self.at_key(name, |reader| reader.wrong(node, text));
    }
}

/// A type that a key can have.
pub trait Setting: Sized {
    /// What the key takes.
    const KIND: Kind;

    /// Replaces `self` by what `node` holds; on a problem tells the reader and leaves `self` alone.
    fn read(&mut self, node: &Node, reader: &mut Reader);

    /// The value as JSON, for defaults in the reference and the JSON Schema.
    fn json(&self) -> serde_json::Value;
}

/// The boolean words of texts and variables (spec 10 §1.3).
#[must_use]
pub fn boolean_word(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

impl Setting for bool {
    const KIND: Kind = Kind::Bool;

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let value = match &node.value {
            Value::Bool(value) => Some(*value),
            Value::Integer(0) => Some(false),
            Value::Integer(1) => Some(true),
            Value::Text(text) => boolean_word(text),
            Value::Null | Value::Integer(_) | Value::Float { .. } | Value::List(_) | Value::Map(_) => None,
        };
        match value {
            Some(value) => *self = value,
            None => reader.unfit(node, Self::KIND),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!(self)
    }
}

/// A whole number in a variable: decimal, or `0x`, `0o`, `0`, `0b` prefixed (spec 10 §1.3).
fn integer_word(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)?),
        Some("0o" | "0O") => (8, digits.get(2..)?),
        Some("0b" | "0B") => (2, digits.get(2..)?),
        Some(two) if two.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// The whole number of a node. Booleans, fractions and quoted texts are none: coercing them would turn a typo into a
/// number, and wrapping one that does not fit would turn user id 4294967296 into root.
fn integer(node: &Node, min: i64, max: i64, reader: &mut Reader) -> Option<i64> {
    let value = match (&node.value, &node.origin) {
        (Value::Integer(value), _) => Some(*value),
        (Value::Text(text), Origin::Variable(_)) => integer_word(text),
        _ => None,
    };
    let Some(value) = value else {
        reader.unfit(node, Kind::Integer { min, max });
        return None;
    };
    let fitting = i64::try_from(value).ok().filter(|value| (min..=max).contains(value));
    if fitting.is_none() {
        reader.wrong(node, format!("must be between {min} and {max}, got {value}"));
    }
    fitting
}

macro_rules! integer_settings {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            const KIND: Kind = Kind::Integer { min: <$type>::MIN as i64, max: <$type>::MAX as i64 };

            fn read(&mut self, node: &Node, reader: &mut Reader) {
                let value = integer(node, <$type>::MIN as i64, <$type>::MAX as i64, reader);
                if let Some(value) = value.and_then(|value| <$type>::try_from(value).ok()) {
                    *self = value;
                }
            }

            fn json(&self) -> serde_json::Value {
                json!(self)
            }
        }

        impl Setting for Vec<$type> {
            const KIND: Kind = Kind::Integers { min: <$type>::MIN as i64, max: <$type>::MAX as i64 };

            fn read(&mut self, node: &Node, reader: &mut Reader) {
                let Value::List(list) = &node.value else { return reader.unfit(node, Self::KIND) };
                let mut values = vec![0; list.len()];
                for (index, (value, element)) in values.iter_mut().zip(list).enumerate() {
                    reader.at_index(index, |reader| value.read(element, reader));
                }
                *self = values;
            }

            fn json(&self) -> serde_json::Value {
                json!(self)
            }
        }
    )*};
}
integer_settings!(i32, u32);

impl Setting for i64 {
    const KIND: Kind = Kind::Integer { min: Self::MIN, max: Self::MAX };

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        if let Some(value) = integer(node, Self::MIN, Self::MAX, reader) {
            *self = value;
        }
    }

    fn json(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Setting for Option<i64> {
    const KIND: Kind = i64::KIND;

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        self.insert(0).read(node, reader);
    }

    fn json(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Setting for f64 {
    const KIND: Kind = Kind::Number;

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match &node.value {
            // Beyond 2^53 the last digit is lost; no rate or cost has a use for it.
            Value::Integer(value) => *self = *value as f64,
            Value::Float { value, .. } => *self = *value,
            Value::Null | Value::Bool(_) | Value::Text(_) | Value::List(_) | Value::Map(_) => {
                reader.unfit(node, Self::KIND);
            }
        }
    }

    fn json(&self) -> serde_json::Value {
        json!(self)
    }
}

/// A scalar as text, spelt as it was written.
fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Float { text, .. } => Some(text.clone()),
        Value::Integer(value) => Some(value.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

impl Setting for String {
    const KIND: Kind = Kind::Text;

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match text_of(node) {
            Some(text) => *self = text,
            None => reader.unfit(node, Self::KIND),
        }
    }

    fn json(&self) -> serde_json::Value {
        json!(self)
    }
}

/// One text where a list is expected: split on commas, blanks around an element dropped. There is no escape.
fn split_on_commas(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|element| element.trim().to_owned())
}

impl Setting for Vec<String> {
    const KIND: Kind = Kind::Texts;

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match &node.value {
            Value::List(list) => {
                let mut texts = vec![String::new(); list.len()];
                for (index, (text, element)) in texts.iter_mut().zip(list).enumerate() {
                    reader.at_index(index, |reader| {
                        reader.note(element);
                        text.read(element, reader);
                    });
                }
                *self = texts;
            }
            Value::Map(_) | Value::Null => reader.unfit(node, Self::KIND),
            Value::Bool(_) | Value::Integer(_) | Value::Float { .. } | Value::Text(_) => {
                *self = text_of(node).iter().flat_map(|text| split_on_commas(text)).collect();
            }
        }
    }

    fn json(&self) -> serde_json::Value {
        json!(self)
    }
}

impl Setting for Vec<Vec<String>> {
    const KIND: Kind = Kind::Vectors;

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match &node.value {
            Value::List(list) => {
                let mut vectors = vec![Vec::new(); list.len()];
                for (index, (vector, element)) in vectors.iter_mut().zip(list).enumerate() {
                    reader.at_index(index, |reader| {
                        reader.note(element);
                        match &element.value {
                            Value::List(_) => vector.read(element, reader),
                            // A text here is one token, not a line to split: "rm -rf /,x" is no list of two.
                            _ => reader.unfit(element, Kind::Texts),
                        }
                    });
                }
                *self = vectors;
            }
            Value::Map(_) | Value::Null => reader.unfit(node, Self::KIND),
            Value::Bool(_) | Value::Integer(_) | Value::Float { .. } | Value::Text(_) => {
                let text = text_of(node);
                *self = text.iter().flat_map(|text| split_on_commas(text)).map(|token| vec![token]).collect();
            }
        }
    }

    fn json(&self) -> serde_json::Value {
        json!(self)
    }
}

/// A type that the macro `block!` made.
pub trait Schema: Default {
    /// The rows of the block.
    const BLOCK: &'static Block;

    /// Hands the value of one key to the field of that name; false when there is no such key.
    fn read_key(&mut self, name: &str, node: &Node, reader: &mut Reader) -> bool;

    /// All keys as JSON.
    fn json(&self) -> serde_json::Value;
}

/// Reads the keys of a block. A null value is an absent key.
pub fn read_block<B: Schema>(block: &mut B, node: &Node, kind: Kind, reader: &mut Reader) {
    let Value::Map(map) = &node.value else { return reader.unfit(node, kind) };
    for (name, value) in map {
        if B::BLOCK.field(name).is_none() {
            reader.unknown_key(B::BLOCK, name, value);
        } else if value.value != Value::Null {
            reader.at_key(name, |reader| {
                reader.note(value);
                block.read_key(name, value, reader);
            });
        }
    }
}

impl<B: Schema> Setting for Option<B> {
    const KIND: Kind = Kind::OptionalBlock(B::BLOCK);

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        read_block(self.insert(B::default()), node, Self::KIND, reader);
    }

    fn json(&self) -> serde_json::Value {
        self.as_ref().map_or(serde_json::Value::Null, Schema::json)
    }
}

impl<B: Schema> Setting for Vec<B> {
    const KIND: Kind = Kind::Blocks(B::BLOCK);

    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Value::List(list) = &node.value else { return reader.unfit(node, Self::KIND) };
        self.clear();
        for (index, element) in list.iter().enumerate() {
            reader.at_index(index, |reader| {
                reader.note(element);
                let mut block = B::default();
                read_block(&mut block, element, Kind::Block(B::BLOCK), reader);
                self.push(block);
            });
        }
    }

    fn json(&self) -> serde_json::Value {
        self.iter().map(Schema::json).collect()
    }
}
