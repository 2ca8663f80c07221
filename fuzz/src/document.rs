//! A second reader of JSON that remembers where everything stands.
//!
//! Strings and other scalars are read by serde_json; what stands between them leaves little to get wrong.

use serde::de::{DeserializeOwned, IgnoredAny};
use sockguard::limits::JSON_MAX_DEPTH;

/// Reads exactly one document.
pub(crate) fn read(text: &str) -> Option<Value> {
    let mut reader = Reader { text, at: 0 };
    let root = reader.value(0)?;
    reader.blanks();
    (reader.at == text.len()).then_some(root)
}

/// A value and where it stands in the text.
pub(crate) struct Value {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
}

/// What a value is. Members keep their order, and repeated keys.
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    String(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> &[(String, Value)] {
        match &self.kind {
            Kind::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements of an array; none of anything else.
    pub(crate) fn elements(&self) -> &[Value] {
        match &self.kind {
            Kind::Array(elements) => elements,
            _ => &[],
        }
    }

    /// A string's text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The field that the Engine reads under `name`, in any case; null is absent.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        let found = self.members().iter().find(|(key, _)| folded(key) == folded(name));
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }
}

/// As the Engine compares names: beside the letters of other case, two characters fold into ASCII.
pub(crate) fn folded(key: &str) -> String {
    key.replace('\u{17f}', "s").replace('\u{212a}', "k").to_ascii_lowercase()
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.at += self.text[self.at..].bytes().take_while(|byte| b" \t\r\n".contains(byte)).count();
    }

    /// Takes `byte` and the blanks in front of it.
    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let is_there = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn scalar<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut reader = serde_json::Deserializer::from_str(&self.text[self.at..]).into_iter();
        let value = reader.next()?.ok()?;
        self.at += reader.byte_offset();
        Some(value)
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        self.blanks();
        let start = self.at;
        let first = *self.text.as_bytes().get(start)?;
        let kind = match first {
            b'{' | b'[' if depth == JSON_MAX_DEPTH => return None,
            b'{' => Kind::Object(self.sequence([b'{', b'}'], |reader| {
                reader.blanks();
                let key = reader.scalar()?;
                reader.take(b':').then(|| reader.value(depth + 1)).flatten().map(|value| (key, value))
            })?),
            b'[' => Kind::Array(self.sequence([b'[', b']'], |reader| reader.value(depth + 1))?),
            b'"' => Kind::String(self.scalar()?),
            _ => {
                self.scalar::<IgnoredAny>()?;
                match first {
                    b'n' => Kind::Null,
                    b't' | b'f' => Kind::Bool,
                    _ => Kind::Number,
                }
            }
        };
        Some(Value { start, end: self.at, kind })
    }

    fn sequence<T>(&mut self, [open, close]: [u8; 2], item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        if !self.take(open) {
            return None;
        }
        while !self.take(close) {
            if !items.is_empty() && !self.take(b',') {
                return None;
            }
            items.push(item(self)?);
        }
        Some(items)
    }
}
