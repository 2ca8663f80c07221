//! Typed access to a document, with the Engine's rules for types and keys (spec 30 §0.3).
//!
//! Owns those rules and nothing about any endpoint. A field is asked for by its canonical name and found in any case;
//! `null` and absent are the same; a wrong type is an error wherever an inspector looks, and nobody's business where
//! none does. Every list is checked whole before its first element is handed out.

use std::slice;

use simd_json::{Node, StaticNode};

use super::fold::{self, Ends};

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

    const fn absent(name: &'static str) -> Field<'v> {
        Field { name, nodes: &[] }
    }

    fn new(name: &'static str, nodes: Nodes<'v>) -> Field<'v> {
        match nodes {
            [Node::Static(StaticNode::Null), ..] => Field::absent(name),
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
        // Strings and nulls are one node each, as their keys are.
        let (pairs, rest) = members.rest.as_chunks();
        match rest.is_empty() && pairs.iter().all(|[_, value]| text(slice::from_ref(value)).is_some()) {
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
        let mut fields = names.map(Field::absent);
        for (key, nodes) in self.members.clone() {
            if let Some(field) = fields.iter_mut().find(|field| fold::names(key, field.name)) {
                *field = Field::new(field.name, nodes);
            }
        }
        fields
    }

    /// The same, for the bodies that come most: the names are prepared once.
    pub fn fields_of<const N: usize>(&self, names: &'static Names<N>) -> [Field<'v>; N] {
        let mut fields = names.absent;
        for (key, nodes) in self.members.clone() {
            if let Some(field) = names.position(key).and_then(|position| fields.get_mut(position)) {
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

/// Names of fields, prepared for looking keys up among them.
#[derive(Debug)]
pub struct Names<const N: usize> {
    /// What an object without any of them gives.
    absent: [Field<'static>; N],
    /// The bytes of each, as far as they fit.
    ends: [Ends; N],
    /// By the length of a key, the names that have it: bit `n` stands for name `n`.
    by_length: [u32; NAME_MAX_BYTES + 1],
}

/// The longest name that [`Names`] takes.
const NAME_MAX_BYTES: usize = 31;

impl<const N: usize> Names<N> {
    /// Prepares up to 32 names, each of ASCII and of at most 31 bytes. Panics on others: it is there for statics.
    #[must_use]
    pub const fn new(names: [&'static str; N]) -> Names<N> {
        assert!(N <= 32, "too many names");
        let mut prepared = Names {
            absent: [Field::absent(""); N],
            ends: [Ends { head: 0, tail: 0 }; N],
            by_length: [0; NAME_MAX_BYTES + 1],
        };
        let mut n = 0;
        while n < N {
            let name = names[n];
            assert!(name.is_ascii() && name.len() <= NAME_MAX_BYTES, "a name is not ASCII, or too long");
            prepared.absent[n] = Field::absent(name);
            if let Some(ends) = Ends::of(name.as_bytes()) {
                prepared.ends[n] = ends;
            }
            prepared.by_length[name.len()] |= 1 << n;
            n += 1;
        }
        prepared
    }

    /// Which of the names `key` means.
    #[inline(always)]
    pub(super) fn position(&self, key: &str) -> Option<usize> {
        let Some(ends) = Ends::of(key.as_bytes()) else { return self.position_of_long(key) };
        let mut candidates = self.by_length.get(key.len()).copied().unwrap_or_default();
        while candidates != 0 {
            let position = candidates.trailing_zeros() as usize;
            let (name, field) = (self.ends.get(position)?, self.absent.get(position)?);
            if ends.may_name(*name) && (ends == *name || key.eq_ignore_ascii_case(field.name)) {
                return Some(position);
            }
            candidates &= candidates - 1;
        }
        if ends.is_ascii() { None } else { self.position_folded(key) }
    }

    /// The same for a key of more bytes than [`Ends`] hold.
    fn position_of_long(&self, key: &str) -> Option<usize> {
        let candidates = self.by_length.get(key.len()).copied().unwrap_or_default();
        let is_it = |n: &usize| self.absent.get(*n).is_some_and(|field| key.eq_ignore_ascii_case(field.name));
        let found = if candidates == 0 { None } else { (0..N).filter(|n| candidates >> n & 1 == 1).find(is_it) };
        if found.is_some() || key.is_ascii() { found } else { self.position_folded(key) }
    }

    #[cold]
    fn position_folded(&self, key: &str) -> Option<usize> {
        self.absent.iter().position(|field| fold::names_folded(key, field.name))
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
#[inline(always)]
fn span(nodes: Nodes<'_>) -> Option<usize> {
    Some(match nodes.first()? {
        Node::String(_) | Node::Static(_) => 1,
        Node::Object { count, .. } | Node::Array { count, .. } => count.saturating_add(1),
    })
}
