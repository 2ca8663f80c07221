//! One pass over a whole answer: judges it and lists the cuts (spec 50 C2, C5).
//!
//! Owns the grammar of JSON over the scanner's tokens and the walk along the matcher's tree. It builds no document and
//! prints none: what no rule touches is checked and left where it is. Recursion follows the table, never the document;
//! below the table's reach a loop with a bit per level does.

use super::bind;
use super::cuts::{Cuts, Replacement};
use super::fields::Operation;
use super::matcher::{Node, Object, Root};
use crate::json::scalar;
use crate::json::tokens::{Malformed, Token, Tokens, Window, offset};
use crate::limits::{FILTERED_RESPONSE_MAX_BYTES, JSON_MAX_DEPTH};

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
    let mut rewriter =
        Rewriter { tokens: Tokens::new(answer, window), answer, cuts, depth: 0, closed_at: 0, key: "(root)" };
    rewriter.document(root)?;
    Ok(cuts)
}

struct Rewriter<'a, 's> {
    tokens: Tokens<'a, 's>,
    answer: &'a [u8],
    cuts: &'s mut Cuts,
    /// Arrays and objects around the current token.
    depth: usize,
    /// Where the container that was skipped last ended: one past its bracket.
    closed_at: usize,
    /// For messages: the innermost key of the table.
    key: &'static str,
}

/// Each method that reads a value takes its first token and returns the token behind it.
impl Rewriter<'_, '_> {
    fn document(&mut self, root: &Root) -> Result<(), Rejected> {
        let first = self.tokens.next()?;
        let behind = match (root, first.byte) {
            (_, b'n') => self.skip(first)?,
            (Root::List(element), b'[') => self.list(element)?,
            (Root::Inspect(object), b'{') => self.object(object)?,
            (Root::List(_) | Root::Inspect(_), _) => return self.misshapen(first),
        };
        if behind.at != self.answer.len() {
            return Err(Malformed::Trailing(offset(behind.at)).into());
        }
        Ok(())
    }

    /// The elements of a root list: objects, and null, which stays.
    fn list(&mut self, element: &Object) -> Result<Token, Rejected> {
        self.elements(|rewriter, first| match first.byte {
            b'{' => rewriter.object(element),
            b'n' => rewriter.skip(first),
            _ => rewriter.misshapen(first),
        })
    }

    /// Reads `[`, already taken, up to and including `]`, with `read` for each element.
    #[inline]
    fn elements(
        &mut self,
        mut read: impl FnMut(&mut Self, Token) -> Result<Token, Rejected>,
    ) -> Result<Token, Rejected> {
        let mut token = self.enter()?;
        if token.byte != b']' {
            loop {
                token = read(self, token)?;
                match token.byte {
                    b',' => token = self.tokens.next()?,
                    b']' => break,
                    _ => return unexpected(token),
                }
            }
        }
        self.leave()
    }

    /// Reads `{`, already taken, up to and including `}`, with `read` for the value of each key. Ends on `}`.
    #[inline]
    fn members(
        &mut self,
        mut read: impl FnMut(&mut Self, &[u8], Token) -> Result<Token, Rejected>,
    ) -> Result<Token, Rejected> {
        let mut token = self.enter()?;
        if token.byte != b'}' {
            loop {
                let colon = self.colon_behind(token)?;
                let key = self.answer.get(token.at + 1..self.string_end(colon.at) - 1).unwrap_or_default();
                let value = self.tokens.next()?;
                token = read(self, key, value)?;
                match token.byte {
                    b',' => token = self.tokens.next()?,
                    b'}' => break,
                    _ => return unexpected(token),
                }
            }
        }
        Ok(token)
    }

    fn object(&mut self, object: &Object) -> Result<Token, Rejected> {
        let outer = self.key;
        let mut seen = 0u32;
        let mut is_empty = true;
        let closing = self.members(|rewriter, key, value| {
            is_empty = false;
            let Some((place, field)) = object.find(key, rewriter.tokens.has_escapes()) else {
                return rewriter.skip(value);
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
        self.leave()
    }

    fn value(&mut self, node: &Node, first: Token) -> Result<Token, Rejected> {
        match (node, first.byte) {
            (Node::Leaf(operation), _) => self.leaf(*operation, first),
            (_, b'n') => self.skip(first),
            (Node::Object(object), b'{') => self.object(object),
            (Node::Each(inner), b'[') => self.elements(|rewriter, first| rewriter.inner(inner, first)),
            (Node::Values(inner), b'{') => {
                self.members(|rewriter, _, first| rewriter.inner(inner, first))?;
                self.leave()
            }
            (Node::Object(_) | Node::Each(_) | Node::Values(_), _) => self.misshapen(first),
        }
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
            _ if is_null => self.skip(first),
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
        let behind = self.skip(first)?;
        let end = match first.byte {
            b'"' => self.string_end(behind.at),
            b'{' | b'[' => self.closed_at,
            _ => scalar::end(self.answer, first.at).unwrap_or(first.at),
        };
        self.cuts.push(first.at, end, replacement);
        Ok(behind)
    }

    fn bind(&mut self, first: Token) -> Result<Token, Rejected> {
        let behind = self.tokens.next()?;
        let start = first.at + 1;
        let content = self.answer.get(start..self.string_end(behind.at) - 1).unwrap_or_default();
        match bind::host_path_len(content) {
            Some(0) => {}
            Some(length) => self.cuts.push(start, start + length, Replacement::PartialPlaceholder),
            None => return unexpected(first),
        }
        Ok(behind)
    }

    /// Checks a value that no rule touches.
    fn skip(&mut self, first: Token) -> Result<Token, Rejected> {
        match first.byte {
            b'"' => Ok(self.tokens.next()?),
            b'{' | b'[' => Ok(self.skip_container(first)?),
            _ => {
                self.scalar(first)?;
                Ok(self.tokens.next()?)
            }
        }
    }

    fn skip_container(&mut self, first: Token) -> Result<Token, Malformed> {
        let room = JSON_MAX_DEPTH - self.depth;
        // A bit per open container, the innermost lowest: set for an object. Room is at most 128.
        let mut objects: u128 = 0;
        let mut open = 0;
        let mut token = first;
        loop {
            // `token` starts a value.
            let mut behind = match token.byte {
                b'"' => self.tokens.next()?,
                b'{' | b'[' => {
                    if open == room {
                        return Err(Malformed::TooDeep(offset(token.at)));
                    }
                    let is_object = token.byte == b'{';
                    objects = objects << 1 | u128::from(is_object);
                    open += 1;
                    let inside = self.tokens.next()?;
                    match (is_object, inside.byte) {
                        (true, b'}') | (false, b']') => inside,
                        (true, _) => {
                            self.colon_behind(inside)?;
                            token = self.tokens.next()?;
                            continue;
                        }
                        (false, _) => {
                            token = inside;
                            continue;
                        }
                    }
                }
                _ => {
                    self.scalar(token)?;
                    self.tokens.next()?
                }
            };
            // `behind` follows a value, or closes an empty container.
            loop {
                let in_object = objects & 1 == 1;
                match behind.byte {
                    b',' if in_object => {
                        let key = self.tokens.next()?;
                        self.colon_behind(key)?;
                        token = self.tokens.next()?;
                        break;
                    }
                    b',' => {
                        token = self.tokens.next()?;
                        break;
                    }
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ => return Err(Malformed::Syntax(offset(behind.at))),
                }
                objects >>= 1;
                open -= 1;
                let closed_at = behind.at + 1;
                behind = self.tokens.next()?;
                if open == 0 {
                    self.closed_at = closed_at;
                    return Ok(behind);
                }
            }
        }
    }

    /// Checks that `key` is a string with a colon behind it, and returns the colon.
    #[inline]
    fn colon_behind(&mut self, key: Token) -> Result<Token, Malformed> {
        if key.byte != b'"' {
            return Err(Malformed::Syntax(offset(key.at)));
        }
        let colon = self.tokens.next()?;
        if colon.byte != b':' {
            return Err(Malformed::Syntax(offset(colon.at)));
        }
        Ok(colon)
    }

    #[inline]
    fn scalar(&self, first: Token) -> Result<(), Malformed> {
        scalar::end(self.answer, first.at).map(|_| ()).ok_or(Malformed::Syntax(offset(first.at)))
    }

    /// One past the closing quote of the string whose next token stands at `behind`: only white space lies between.
    #[inline]
    fn string_end(&self, behind: usize) -> usize {
        let mut end = behind;
        while end > 1 && self.answer.get(end - 1).is_some_and(|byte| *byte != b'"') {
            end -= 1;
        }
        end
    }

    /// Counts a container in and takes its first token.
    #[inline]
    fn enter(&mut self) -> Result<Token, Malformed> {
        self.depth += 1;
        self.tokens.next()
    }

    /// Counts a container out and takes the token behind it.
    #[inline]
    fn leave(&mut self) -> Result<Token, Rejected> {
        self.depth -= 1;
        Ok(self.tokens.next()?)
    }

    #[cold]
    fn misshapen<T>(&self, first: Token) -> Result<T, Rejected> {
        Err(Rejected::Shape { key: self.key, at: offset(first.at) })
    }
}

#[cold]
fn unexpected<T>(token: Token) -> Result<T, Rejected> {
    Err(Malformed::Syntax(offset(token.at)).into())
}
