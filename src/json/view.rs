//! A document as the Engine would decode it: folded keys, exact types, `null` for what is absent (spec 30 §0.3).
//!
//! Owns the reading over a simd-json tape. A document that two decoders could read differently (duplicate keys, trailing
//! data, anything that is not JSON) is refused whole. What a field means is not known here, and nothing is rewritten:
//! the parser works on a copy, because it resolves escapes in place.

use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape};
use thiserror::Error;

use super::duplicates::{self, Key};
use crate::limits::{JSON_KEPT_DOCUMENT_BYTES, JSON_MAX_DEPTH};

/// Why a document cannot be read. Never holds any of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// Not one JSON document in UTF-8, or nested deeper than [`JSON_MAX_DEPTH`].
    #[error("json document is malformed")]
    Malformed,
    /// An object has a key twice, or two keys that are one field to the Engine.
    #[error("json object has a duplicate key")]
    DuplicateKey,
    /// A field that is read has another type than the Engine decodes.
    #[error("json value has the wrong type: expected {0}")]
    WrongType(&'static str),
}

/// Reads documents, one after another, with memory that it keeps.
#[derive(Default)]
pub struct Reader {
    document: Vec<u8>,
    buffers: Option<Buffers>,
    nodes: Vec<Node<'static>>,
    keys: Vec<Key>,
}

impl Reader {
    /// A reader without memory yet.
    #[must_use]
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Parses a document and hands its root to `read`.
    ///
    /// # Errors
    /// [`ReadError::Malformed`] and [`ReadError::DuplicateKey`], before `read` is called; what `read` returns otherwise.
    pub fn read<R, E: From<ReadError>>(
        &mut self,
        document: &[u8],
        read: impl FnOnce(View<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        self.document.clear();
        self.document.reserve(document.len() + INPUT_PADDING);
        self.document.extend_from_slice(document);
        self.document.resize(document.len() + INPUT_PADDING, b' ');
        let buffers = self.buffers.get_or_insert_with(|| Buffers::with_max_depth(0, JSON_MAX_DEPTH));
        // The memory of the last tape, which is empty, for one that borrows this document.
        let mut tape = Tape(std::mem::take(&mut self.nodes)).reset();
        let result = match simd_json::fill_tape_padded(&mut self.document, document.len(), buffers, &mut tape) {
            Err(_) => Err(ReadError::Malformed.into()),
            Ok(()) if duplicates::has_duplicates(&tape.0, &mut self.keys) => Err(ReadError::DuplicateKey.into()),
            Ok(()) => read(View { nodes: &tape.0 }),
        };
        self.nodes = tape.reset().0;
        if document.len() > JSON_KEPT_DOCUMENT_BYTES {
            // A tape takes twelve times its document at worst.
            *self = Reader::new();
        }
        result
    }
}

/// A value in a document.
#[derive(Clone, Copy, Debug)]
pub struct View<'d> {
    /// From the value's own node on; there may be more nodes than are its own.
    nodes: &'d [Node<'d>],
}

impl<'d> View<'d> {
    fn node(self) -> Node<'d> {
        self.nodes.first().copied().unwrap_or(Node::Static(StaticNode::Null))
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.node(), Node::Static(StaticNode::Null))
    }

    /// Whether the value is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        matches!(self.node(), Node::Object { .. })
    }

    /// A truth value; `null` is false.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]
    pub fn flag(self) -> Result<bool, ReadError> {
        match self.node() {
            Node::Static(StaticNode::Bool(value)) => Ok(value),
            Node::Static(StaticNode::Null) => Ok(false),
            _ => Err(ReadError::WrongType("a boolean")),
        }
    }

    /// A string; `null` is empty.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]
    #[inline]
    pub fn text(self) -> Result<&'d str, ReadError> {
        match self.node() {
            Node::String(text) => Ok(text),
            Node::Static(StaticNode::Null) => Ok(""),
            _ => Err(ReadError::WrongType("a string")),
        }
    }

    /// An integer without fraction and exponent; `None` for `null`.
    ///
    /// # Errors
    /// [`ReadError::WrongType`], also for what 64 bits with sign cannot hold.
    pub fn integer(self) -> Result<Option<i64>, ReadError> {
        match self.node() {
            Node::Static(StaticNode::I64(value)) => Ok(Some(value)),
            Node::Static(StaticNode::U64(value)) => {
                i64::try_from(value).map(Some).map_err(|_| ReadError::WrongType("a 64-bit integer"))
            }
            Node::Static(StaticNode::Null) => Ok(None),
            _ => Err(ReadError::WrongType("an integer")),
        }
    }

    /// An integer that is not negative; `None` for `null`.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]
    pub fn unsigned(self) -> Result<Option<u64>, ReadError> {
        match self.node() {
            Node::Static(StaticNode::U64(value)) => Ok(Some(value)),
            Node::Static(StaticNode::I64(value)) => {
                u64::try_from(value).map(Some).map_err(|_| ReadError::WrongType("an integer that is not negative"))
            }
            Node::Static(StaticNode::Null) => Ok(None),
            _ => Err(ReadError::WrongType("an integer")),
        }
    }

    /// The members of an object, as they stand; `null` has none.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]
    pub fn members(self) -> Result<Members<'d>, ReadError> {
        match self.node() {
            Node::Object { len, .. } => Ok(Members { nodes: self.nodes.get(1..).unwrap_or_default(), left: len }),
            Node::Static(StaticNode::Null) => Ok(Members { nodes: &[], left: 0 }),
            _ => Err(ReadError::WrongType("an object")),
        }
    }

    /// The elements of an array; `null` has none.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]
    pub fn elements(self) -> Result<Elements<'d>, ReadError> {
        match self.node() {
            Node::Array { len, .. } => Ok(Elements { nodes: self.nodes.get(1..).unwrap_or_default(), left: len }),
            Node::Static(StaticNode::Null) => Ok(Elements { nodes: &[], left: 0 }),
            _ => Err(ReadError::WrongType("an array")),
        }
    }

    /// A list of strings, every element checked; `null` elements are empty strings.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]
    pub fn texts(self) -> Result<Texts<'d>, ReadError> {
        let elements = self.elements()?;
        elements.clone().try_for_each(|element| element.text().map(drop))?;
        Ok(Texts { elements })
    }

    /// A map whose values are strings, every value checked; `null` values are empty strings. Keys as they stand.
    ///
    /// # Errors
    /// [`ReadError::WrongType`]
    pub fn text_map(self) -> Result<TextMap<'d>, ReadError> {
        let members = self.members()?;
        members.clone().try_for_each(|(_, value)| value.text().map(drop))?;
        Ok(TextMap { members })
    }

    /// Whether the value asks for nothing: `null`, `false`, zero, an empty string, array or object.
    #[must_use]
    pub fn is_zero(self) -> bool {
        match self.node() {
            Node::Static(StaticNode::Null) => true,
            Node::Static(StaticNode::Bool(value)) => !value,
            Node::Static(StaticNode::I64(value)) => value == 0,
            Node::Static(StaticNode::U64(value)) => value == 0,
            Node::Static(StaticNode::F64(value)) => value == 0.0,
            Node::String(text) => text.is_empty(),
            Node::Array { len, .. } | Node::Object { len, .. } => len == 0,
        }
    }
}

/// How many nodes the first value takes.
#[inline]
fn extent(nodes: &[Node<'_>]) -> usize {
    match nodes.first() {
        Some(Node::Object { count, .. } | Node::Array { count, .. }) => count + 1,
        Some(Node::String(_) | Node::Static(_)) | None => 1,
    }
}

/// The members of an object: key and value, in the order of the document.
#[derive(Clone, Debug, Default)]
pub struct Members<'d> {
    nodes: &'d [Node<'d>],
    left: usize,
}

impl<'d> Iterator for Members<'d> {
    type Item = (&'d str, View<'d>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (&Node::String(key), nodes) = self.nodes.split_first()? else { return None };
        self.nodes = nodes.get(extent(nodes)..).unwrap_or_default();
        Some((key, View { nodes }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Members<'_> {}

/// The elements of an array.
#[derive(Clone, Debug, Default)]
pub struct Elements<'d> {
    nodes: &'d [Node<'d>],
    left: usize,
}

impl<'d> Iterator for Elements<'d> {
    type Item = View<'d>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let view = View { nodes: self.nodes };
        self.nodes = self.nodes.get(extent(self.nodes)..).unwrap_or_default();
        Some(view)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// The strings of a list.
#[derive(Clone, Debug, Default)]
pub struct Texts<'d> {
    elements: Elements<'d>,
}

impl<'d> Iterator for Texts<'d> {
    type Item = &'d str;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Every element was checked, so the default is never taken.
        self.elements.next().map(|element| element.text().unwrap_or_default())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.elements.size_hint()
    }
}

impl ExactSizeIterator for Texts<'_> {}

/// The entries of a map of strings.
#[derive(Clone, Debug, Default)]
pub struct TextMap<'d> {
    members: Members<'d>,
}

impl<'d> Iterator for TextMap<'d> {
    type Item = (&'d str, &'d str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Every value was checked, so the default is never taken.
        self.members.next().map(|(key, value)| (key, value.text().unwrap_or_default()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.members.size_hint()
    }
}

impl ExactSizeIterator for TextMap<'_> {}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
