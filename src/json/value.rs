//! Typed access to a document, with the Engine's rules for types and keys (spec 30 §0.3).
//!
//! Owns those rules and nothing about any endpoint. A field is asked for by its canonical name and found in any case;
//! `null` and absent are the same; a wrong type is an error wherever an inspector looks, and nobody's business where
//! none does. Every list is checked whole before its first element is handed out.

use simd_json::{Node, StaticNode};

use super::fold;

/// A field that is looked at has a type that the Engine would refuse, or read differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("json field is not {expected}: {field}")]
pub struct TypeError {
    /// The field's canonical name; the document itself is `(root)`.
    pub field: &'static str,
    /// What it should be, with its article.
    pub expected: &'static str,
}

/// The nodes of one value: itself, then everything inside it.
type Nodes<'v> = &'v [Node<'v>];

/// A field of an object, which may be absent.
#[derive(Clone, Copy, Debug)]
pub struct Field<'v> {
    name: &'static str,
    /// Empty when the field is absent or null.
    nodes: Nodes<'v>,
}

impl<'v> Field<'v> {
    pub(super) fn root(nodes: Nodes<'v>) -> Field<'v> {
        Field::new("(root)", nodes)
    }

    fn new(name: &'static str, nodes: Nodes<'v>) -> Field<'v> {
        match nodes {
            [Node::Static(StaticNode::Null), ..] => Field { name, nodes: &[] },
            _ => Field { name, nodes },
        }
    }

    /// The canonical name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether the field has a value other than null, of whatever type.
    pub fn is_present(self) -> bool {
        !self.nodes.is_empty()
    }

    /// Whether the value is an object.
    pub fn is_object(self) -> bool {
        matches!(self.nodes, [Node::Object { .. }, ..])
    }

    /// Whether the value asks for nothing: absent, null, `false`, zero, or an empty string, array or object.
    pub fn is_zero(self) -> bool {
        match self.nodes {
            [] | [Node::Static(StaticNode::Null), ..] => true,
            [Node::Static(StaticNode::Bool(value)), ..] => !value,
            [Node::Static(StaticNode::I64(value)), ..] => *value == 0,
            [Node::Static(StaticNode::U64(value)), ..] => *value == 0,
            [Node::Static(StaticNode::F64(value)), ..] => *value == 0.0,
            [Node::String(text), ..] => text.is_empty(),
            [Node::Array { len, .. } | Node::Object { len, .. }, ..] => *len == 0,
        }
    }

    /// `true` or `false`; nothing else counts as either.
    ///
    /// # Errors
    ///
    /// Another type.
    pub fn bool(self) -> Result<Option<bool>, TypeError> {
        match self.nodes {
            [] => Ok(None),
            [Node::Static(StaticNode::Bool(value)), ..] => Ok(Some(*value)),
            _ => self.wrong("a boolean"),
        }
    }

    /// A number without fraction or exponent, within 64 bits with sign.
    ///
    /// # Errors
    ///
    /// Another type, `1.0`, `1e3`, or out of range.
    pub fn integer(self) -> Result<Option<i64>, TypeError> {
        const EXPECTED: &str = "a 64-bit integer";
        match self.nodes {
            [] => Ok(None),
            [Node::Static(StaticNode::I64(value)), ..] => Ok(Some(*value)),
            [Node::Static(StaticNode::U64(value)), ..] => match i64::try_from(*value) {
                Ok(value) => Ok(Some(value)),
                Err(_) => self.wrong(EXPECTED),
            },
            _ => self.wrong(EXPECTED),
        }
    }

    /// A string, escapes resolved.
    ///
    /// # Errors
    ///
    /// Another type.
    pub fn string(self) -> Result<Option<&'v str>, TypeError> {
        match self.nodes {
            [] => Ok(None),
            [Node::String(text), ..] => Ok(Some(text)),
            _ => self.wrong("a string"),
        }
    }

    /// An array of strings, in which null is the empty string. Absent is empty.
    ///
    /// # Errors
    ///
    /// Another type, of the whole or of any element.
    pub fn strings(self) -> Result<Strings<'v>, TypeError> {
        const EXPECTED: &str = "an array of strings";
        let elements = self.elements(EXPECTED)?;
        match elements.clone().all(|element| text(element).is_some()) {
            true => Ok(Strings { elements }),
            false => self.wrong(EXPECTED),
        }
    }

    /// An array of arrays of strings, with null as empty in both places.
    ///
    /// # Errors
    ///
    /// Another type, anywhere inside.
    pub fn string_lists(self) -> Result<impl Iterator<Item = Strings<'v>>, TypeError> {
        const EXPECTED: &str = "an array of arrays of strings";
        let lists = self.elements(EXPECTED)?;
        let name = self.name;
        if lists.clone().any(|list| Field::new(name, list).strings().is_err()) {
            return self.wrong(EXPECTED);
        }
        Ok(lists.filter_map(move |list| Field::new(name, list).strings().ok()))
    }

    /// An object of strings by exact key, in which null is the empty string. Absent is empty.
    ///
    /// # Errors
    ///
    /// Another type, of the whole or of any value.
    pub fn string_map(self) -> Result<StringMap<'v>, TypeError> {
        const EXPECTED: &str = "an object of strings";
        let members = self.members(EXPECTED)?;
        match members.clone().all(|(_, value)| text(value).is_some()) {
            true => Ok(StringMap { members }),
            false => self.wrong(EXPECTED),
        }
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// Another type.
    pub fn object(self) -> Result<Option<Object<'v>>, TypeError> {
        match self.nodes {
            [] => Ok(None),
            _ => Ok(Some(Object { members: self.members("an object")? })),
        }
    }

    /// An array of objects, in which null is an object without fields. Absent is empty.
    ///
    /// # Errors
    ///
    /// Another type, of the whole or of any element.
    pub fn objects(self) -> Result<impl Iterator<Item = Object<'v>> + Clone, TypeError> {
        const EXPECTED: &str = "an array of objects";
        let elements = self.elements(EXPECTED)?;
        match elements.clone().all(|element| object(element).is_some()) {
            true => Ok(elements.filter_map(object)),
            false => self.wrong(EXPECTED),
        }
    }

    /// An object of objects by exact key, in which null is an object without fields. Absent is empty.
    ///
    /// # Errors
    ///
    /// Another type, of the whole or of any value.
    pub fn object_map(self) -> Result<impl Iterator<Item = (&'v str, Object<'v>)> + Clone, TypeError> {
        const EXPECTED: &str = "an object of objects";
        let members = self.members(EXPECTED)?;
        match members.clone().all(|(_, value)| object(value).is_some()) {
            true => Ok(members.filter_map(|(key, value)| Some((key, object(value)?)))),
            false => self.wrong(EXPECTED),
        }
    }

    fn elements(self, expected: &'static str) -> Result<Elements<'v>, TypeError> {
        match self.nodes {
            [] => Ok(Elements::default()),
            [Node::Array { .. }, rest @ ..] => Ok(Elements { rest }),
            _ => self.wrong(expected),
        }
    }

    fn members(self, expected: &'static str) -> Result<Members<'v>, TypeError> {
        match self.nodes {
            [] => Ok(Members::default()),
            [Node::Object { .. }, rest @ ..] => Ok(Members { rest }),
            _ => self.wrong(expected),
        }
    }

    #[cold]
    fn wrong<T>(self, expected: &'static str) -> Result<T, TypeError> {
        Err(TypeError { field: self.name, expected })
    }
}

fn text(nodes: Nodes<'_>) -> Option<&str> {
    match nodes {
        [Node::String(text), ..] => Some(text),
        [Node::Static(StaticNode::Null), ..] => Some(""),
        _ => None,
    }
}

fn object(nodes: Nodes<'_>) -> Option<Object<'_>> {
    match nodes {
        [Node::Object { .. }, rest @ ..] => Some(Object { members: Members { rest } }),
        [Node::Static(StaticNode::Null), ..] => Some(Object::default()),
        _ => None,
    }
}

/// An object of the Engine's API: fields with known names.
#[derive(Clone, Debug, Default)]
pub struct Object<'v> {
    members: Members<'v>,
}

impl<'v> Object<'v> {
    /// The field that the Engine would read under `name`, which has to be ASCII.
    pub fn field(&self, name: &'static str) -> Field<'v> {
        let found = self.members.clone().find(|(key, _)| fold::names(key, name));
        Field::new(name, found.map_or(&[], |(_, nodes)| nodes))
    }

    /// Several fields in one pass over the object, in the order of `names`.
    pub fn fields<const N: usize>(&self, names: [&'static str; N]) -> [Field<'v>; N] {
        let mut fields = names.map(|name| Field { name, nodes: &[] });
        for (key, nodes) in self.members.clone() {
            // Two loops: most of the time goes into comparing lengths, which wants no call.
            let field = if key.is_ascii() {
                fields.iter_mut().find(|field| fold::names_ascii(key, field.name))
            } else {
                fields.iter_mut().find(|field| fold::names_folded(key, field.name))
            };
            if let Some(field) = field {
                *field = Field::new(field.name, nodes);
            }
        }
        fields
    }

    /// Whether it has no members at all, known or not.
    pub fn is_empty(&self) -> bool {
        self.members.rest.is_empty()
    }

    /// The keys as they came, escapes resolved.
    pub fn keys(&self) -> impl Iterator<Item = &'v str> {
        self.members.clone().map(|(key, _)| key)
    }
}

/// The strings of an array.
#[derive(Clone, Debug)]
pub struct Strings<'v> {
    elements: Elements<'v>,
}

impl Strings<'_> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.elements.rest.is_empty()
    }
}

impl<'v> Iterator for Strings<'v> {
    type Item = &'v str;

    fn next(&mut self) -> Option<&'v str> {
        self.elements.next().and_then(text)
    }
}

/// The members of an object of strings.
#[derive(Clone, Debug)]
pub struct StringMap<'v> {
    members: Members<'v>,
}

impl<'v> StringMap<'v> {
    /// The value under exactly this key.
    pub fn get(&self, key: &str) -> Option<&'v str> {
        self.clone().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.rest.is_empty()
    }
}

impl<'v> Iterator for StringMap<'v> {
    type Item = (&'v str, &'v str);

    fn next(&mut self) -> Option<(&'v str, &'v str)> {
        let (key, value) = self.members.next()?;
        Some((key, text(value)?))
    }
}

#[derive(Clone, Debug, Default)]
struct Elements<'v> {
    rest: Nodes<'v>,
}

impl<'v> Iterator for Elements<'v> {
    type Item = Nodes<'v>;

    #[inline]
    fn next(&mut self) -> Option<Nodes<'v>> {
        let (value, rest) = self.rest.split_at_checked(span(self.rest)?)?;
        self.rest = rest;
        Some(value)
    }
}

/// The members of an object: key, and the nodes of the value.
#[derive(Clone, Debug, Default)]
pub(super) struct Members<'v> {
    pub(super) rest: Nodes<'v>,
}

impl<'v> Iterator for Members<'v> {
    type Item = (&'v str, Nodes<'v>);

    #[inline]
    fn next(&mut self) -> Option<(&'v str, Nodes<'v>)> {
        let [Node::String(key), behind @ ..] = self.rest else { return None };
        let (value, rest) = behind.split_at_checked(span(behind)?)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// How many nodes the first value of `nodes` takes, itself included.
#[inline]
fn span(nodes: Nodes<'_>) -> Option<usize> {
    match nodes.first()? {
        Node::String(_) | Node::Static(_) => Some(1),
        Node::Object { count, .. } | Node::Array { count, .. } => count.checked_add(1),
    }
}
