//! One pass over a whole answer: judges it and lists the cuts (spec 50 C2, C5).
//!
//! Owns the walk along the matcher's tree beside the document. It builds no document and prints none: what no rule
//! touches is checked and left where it is. Recursion follows the table, never the document.

use super::bind;
use super::cuts::{Cuts, Replacement};
use super::fields::Operation;
use super::matcher::{Node, Object, Root};
use crate::json::tokens::{Malformed, Token, Window, offset};
use crate::json::walk::{Walk, unexpected};
use crate::limits::FILTERED_RESPONSE_MAX_BYTES;

/// Why an answer must not reach the client (spec 50 C5: 502). Nothing of the answer is part of the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rejected {
    /// The answer is not one JSON document that we are willing to read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A field that a rule descends into or replaces has another type; its name is one of the table's.
    #[error("upstream answer has an unexpected type at byte {at} in {key}")]
    Shape {
        /// The innermost key of the table around the place; the document itself is `(root)`.
        key: &'static str,
        /// Bytes from the start of the answer.
        at: u32,
    },
    /// A key that a rule names occurs twice in one object: readers differ on which counts.
    #[error("upstream answer repeats a key at byte {at}: {key}")]
    Duplicate {
        /// The key.
        key: &'static str,
        /// Bytes from the start of the answer.
        at: u32,
    },
    /// More than [`FILTERED_RESPONSE_MAX_BYTES`].
    #[error("upstream answer exceeds the limit for edited answers: {0} bytes")]
    TooLarge(usize),
}

/// The memory that rewriting needs; keep one per shard, and nothing is allocated once it has grown.
#[derive(Debug)]
pub struct Scratch {
    window: Box<Window>,
    cuts: Cuts,
}

impl Scratch {
    /// Empty scratch memory of a few kilobytes.
    pub fn new() -> Scratch {
        Scratch { window: Window::new(), cuts: Cuts::new() }
    }
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch::new()
    }
}

/// Judges `answer` and lists its cuts.
pub(super) fn rewrite<'s>(root: &Root, answer: &[u8], scratch: &'s mut Scratch) -> Result<&'s Cuts, Rejected> {
    let Scratch { window, cuts } = scratch;
    cuts.clear();
    if answer.len() > FILTERED_RESPONSE_MAX_BYTES {
        return Err(Rejected::TooLarge(answer.len()));
    }
    let mut rewriter = Rewriter { walk: Walk::new(answer, window), cuts, key: "(root)" };
    rewriter.document(root)?;
    Ok(cuts)
}

struct Rewriter<'a, 's> {
    walk: Walk<'a, 's>,
    cuts: &'s mut Cuts,
    /// For messages: the innermost key of the table.
    key: &'static str,
}

impl<'a, 's> AsMut<Walk<'a, 's>> for Rewriter<'a, 's> {
    #[inline]
    fn as_mut(&mut self) -> &mut Walk<'a, 's> {
        &mut self.walk
    }
}

/// Each method that reads a value takes its first token and returns the token behind it.
impl Rewriter<'_, '_> {
    fn document(&mut self, root: &Root) -> Result<(), Rejected> {
        let first = self.walk.next()?;
        let behind = match (root, first.byte) {
            (Root::Inspect(_), b'n') => self.walk.skip(first)?,
            (Root::List(element), b'[') => self.list(element)?,
            (Root::Inspect(object), b'{') => self.object(object)?,
            (Root::List(_) | Root::Inspect(_), _) => return self.misshapen(first),
        };
        Ok(self.walk.finish(behind)?)
    }

    /// The elements of a root list: objects, and null, which stays.
    fn list(&mut self, element: &Object) -> Result<Token, Rejected> {
        Walk::elements(self, |rewriter, first| match first.byte {
            b'{' => rewriter.object(element),
            b'n' => Ok(rewriter.walk.skip(first)?),
            _ => rewriter.misshapen(first),
        })?;
        Ok(self.walk.leave()?)
    }

    fn object(&mut self, object: &Object) -> Result<Token, Rejected> {
        let outer = self.key;
        let mut seen = 0u32;
        let mut is_empty = true;
        let closing = Walk::members(self, |rewriter, key, value| {
            is_empty = false;
            let Some((place, field)) = object.find(key.content, rewriter.walk.has_escapes()) else {
                return Ok(rewriter.walk.skip(value)?);
            };
            if seen & 1 << place != 0 {
                return Err(Rejected::Duplicate { key: field.key, at: offset(value.at) });
            }
            seen |= 1 << place;
            rewriter.key = field.key;
            let behind = rewriter.value(&field.value, value)?;
            rewriter.key = outer;
            Ok(behind)
        })?;
        if let Some(key) = object.missing(seen) {
            let member = if is_empty { Replacement::FirstMember(key) } else { Replacement::Member(key) };
            self.cuts.push(closing.at, closing.at, member);
        }
        Ok(self.walk.leave()?)
    }

    fn value(&mut self, node: &Node, first: Token) -> Result<Token, Rejected> {
        match (node, first.byte) {
            (Node::Leaf(operation), _) => return self.leaf(*operation, first),
            (_, b'n') => return Ok(self.walk.skip(first)?),
            (Node::Object(object), b'{') => return self.object(object),
            (Node::Each(inner), b'[') => Walk::elements(self, |rewriter, first| rewriter.inner(inner, first))?,
            (Node::Values(inner), b'{') => Walk::members(self, |rewriter, _, first| rewriter.inner(inner, first))?,
            (Node::Object(_) | Node::Each(_) | Node::Values(_), _) => return self.misshapen(first),
        };
        Ok(self.walk.leave()?)
    }

    /// An element or value that a path steps through: unlike a field it may not be null.
    fn inner(&mut self, node: &Node, first: Token) -> Result<Token, Rejected> {
        match first.byte {
            b'n' => self.misshapen(first),
            _ => self.value(node, first),
        }
    }

    fn leaf(&mut self, operation: Operation, first: Token) -> Result<Token, Rejected> {
        let is_null = first.byte == b'n';
        match (operation, first.byte) {
            (Operation::ForceEmptyArray(_), _) => self.replace(first, Replacement::EmptyArray),
            (Operation::BindSource, b'"') => self.bind(first),
            (Operation::BindSource, _) => self.misshapen(first),
            _ if is_null => Ok(self.walk.skip(first)?),
            (Operation::Text, _) => self.replace(first, Replacement::Placeholder),
            (Operation::EmptyArray, b'[') => self.replace(first, Replacement::EmptyArray),
            (Operation::EmptyObject, b'{') => self.replace(first, Replacement::EmptyObject),
            (Operation::Zero, b'-' | b'0'..=b'9') => self.replace(first, Replacement::Zero),
            (Operation::EmptyArray | Operation::EmptyObject | Operation::Zero, _) => self.misshapen(first),
        }
    }

    /// Cuts a whole value, which has to be well formed all the same.
    #[inline]
    fn replace(&mut self, first: Token, replacement: Replacement) -> Result<Token, Rejected> {
        let (end, behind) = self.walk.extent(first)?;
        self.cuts.push(first.at, end, replacement);
        Ok(behind)
    }

    fn bind(&mut self, first: Token) -> Result<Token, Rejected> {
        let behind = self.walk.next()?;
        let bind = self.walk.string(first, behind);
        match bind::host_path_len(bind.content) {
            Some(0) => {}
            Some(length) => {
                let start = bind.start + 1;
                self.cuts.push(start, start + length, Replacement::PartialPlaceholder);
            }
            None => return Err(unexpected(first).into()),
        }
        Ok(behind)
    }

    #[cold]
    fn misshapen<T>(&self, first: Token) -> Result<T, Rejected> {
        Err(Rejected::Shape { key: self.key, at: offset(first.at) })
    }
}
