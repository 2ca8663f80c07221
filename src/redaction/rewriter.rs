//! One pass over a whole answer: judges it and lists the cuts (spec 50 C2, C5).
//!
//! Owns the walk along the matcher's tree beside the document. It builds no document and prints none: what no rule
//! touches is checked and left where it is. Recursion follows the table, never the document.

use super::bind;
use super::cuts::{Cuts, Replacement};
use super::fields::Operation;
use super::matcher::{Node, Object, Root};
use crate::json::tokens::{Malformed, Window, offset};
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
    let mut rewriter = Rewriter { walk: Walk::of(answer, window)?, cuts, key: "(root)" };
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

/// Each method that reads a value finds the walk at its first token and leaves it at the token behind it.
impl Rewriter<'_, '_> {
    fn document(&mut self, root: &Root) -> Result<(), Rejected> {
        match (root, self.walk.byte()) {
            (Root::Inspect(_), b'n') => self.walk.skip()?,
            (Root::List(element), b'[') => self.list(element)?,
            (Root::Inspect(object), b'{') => self.object(object)?,
            (Root::List(_) | Root::Inspect(_), _) => return self.misshapen(self.key),
        }
        Ok(self.walk.finish()?)
    }

    /// The elements of a root list: objects, and null, which stays.
    fn list(&mut self, element: &Object) -> Result<(), Rejected> {
        Walk::elements(self, |rewriter| match rewriter.walk.byte() {
            b'{' => rewriter.object(element),
            b'n' => Ok(rewriter.walk.skip()?),
            _ => rewriter.misshapen(rewriter.key),
        })
    }

    fn object(&mut self, object: &Object) -> Result<(), Rejected> {
        let outer = self.key;
        let mut seen = 0u32;
        let closing = Walk::members(
            self,
            |rewriter, key| object.find(key, rewriter.walk.has_escapes()),
            |rewriter, (place, field)| {
                if seen & 1 << place != 0 {
                    return Err(Rejected::Duplicate { key: field.key, at: offset(rewriter.walk.current().at) });
                }
                seen |= 1 << place;
                match field.value {
                    // Most of what there is to do.
                    Node::Leaf(Operation::Text) if rewriter.walk.byte() == b'"' => {
                        return rewriter.cut(Replacement::Placeholder);
                    }
                    Node::Leaf(operation) => return rewriter.leaf(operation, field.key),
                    Node::Object(_) | Node::Each(_) | Node::Values(_) => {}
                }
                rewriter.key = field.key;
                rewriter.value(&field.value)?;
                rewriter.key = outer;
                Ok(())
            },
        )?;
        if let Some(key) = object.missing(seen) {
            let member = if closing.is_empty { Replacement::FirstMember(key) } else { Replacement::Member(key) };
            self.cuts.push(closing.at, closing.at, member);
        }
        Ok(self.walk.leave()?)
    }

    fn value(&mut self, node: &Node) -> Result<(), Rejected> {
        match (node, self.walk.byte()) {
            (Node::Leaf(operation), _) => self.leaf(*operation, self.key),
            (_, b'n') => Ok(self.walk.skip()?),
            (Node::Object(object), b'{') => self.object(object),
            (Node::Each(inner), b'[') => Walk::elements(self, |rewriter| rewriter.inner(inner)),
            (Node::Values(inner), b'{') => {
                Walk::members(self, |_, _| Some(()), |rewriter, ()| rewriter.inner(inner))?;
                Ok(self.walk.leave()?)
            }
            (Node::Object(_) | Node::Each(_) | Node::Values(_), _) => self.misshapen(self.key),
        }
    }

    /// An element or value that a path steps through: unlike a field it may not be null.
    fn inner(&mut self, node: &Node) -> Result<(), Rejected> {
        match self.walk.byte() {
            b'n' => self.misshapen(self.key),
            _ => self.value(node),
        }
    }

    /// Does what the rule for the field `key` says.
    fn leaf(&mut self, operation: Operation, key: &'static str) -> Result<(), Rejected> {
        let replacement = match (operation, self.walk.byte()) {
            (Operation::ForceEmptyArray(_), _) => Replacement::EmptyArray,
            (Operation::BindSource, b'"') => return self.bind(),
            (Operation::BindSource, _) => return self.misshapen(key),
            (_, b'n') => return Ok(self.walk.skip()?),
            (Operation::Text, _) => Replacement::Placeholder,
            (Operation::EmptyArray, b'[') => Replacement::EmptyArray,
            (Operation::EmptyObject, b'{') => Replacement::EmptyObject,
            (Operation::Zero, b'-' | b'0'..=b'9') => Replacement::Zero,
            (Operation::EmptyArray | Operation::EmptyObject | Operation::Zero, _) => return self.misshapen(key),
        };
        self.cut(replacement)
    }

    /// Cuts a whole value, which has to be well formed all the same.
    #[inline(always)]
    fn cut(&mut self, replacement: Replacement) -> Result<(), Rejected> {
        let start = self.walk.current().at;
        let end = self.walk.extent()?;
        self.cuts.push(start, end, replacement);
        Ok(())
    }

    fn bind(&mut self) -> Result<(), Rejected> {
        let bind = self.walk.key();
        match bind::host_path_len(bind.content()) {
            Some(0) => {}
            Some(length) => {
                self.cuts.push(bind.start(), bind.start() + length, Replacement::PartialPlaceholder);
            }
            None => return Err(unexpected(self.walk.current()).into()),
        }
        Ok(self.walk.skip()?)
    }

    #[cold]
    fn misshapen<T>(&self, key: &'static str) -> Result<T, Rejected> {
        Err(Rejected::Shape { key, at: offset(self.walk.current().at) })
    }
}
