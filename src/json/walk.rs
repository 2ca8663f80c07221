//! The grammar of JSON over the scanner's tokens, without a tree.
//!
//! Owns the walk: which token may follow which, how deep, where a value ends. Recursion is left to callers, who may
//! follow their own finite tables but never the document; what they do not step into, a loop with a bit per level
//! checks. Every method that reads a value finds the walk at its first token and leaves it at the token behind it.

use super::scalar;
use super::tokens::{Malformed, Token, Tokens, Window, offset};
use crate::limits::JSON_MAX_DEPTH;

/// A walk through one document.
pub(crate) struct Walk<'d, 'w> {
    document: &'d [u8],
    tokens: Tokens<'d, 'w>,
    /// Arrays and objects around the current token.
    depth: usize,
}

impl<'d, 'w> Walk<'d, 'w> {
    /// Stands at the first token of a document, whose length has to fit 32 bits.
    pub(crate) fn of(document: &'d [u8], window: &'w mut Window) -> Result<Walk<'d, 'w>, Malformed> {
        Ok(Walk { document, tokens: Tokens::of(document, window)?, depth: 0 })
    }

    /// The token that the walk stands at.
    #[inline(always)]
    pub(crate) fn current(&self) -> Token {
        self.tokens.current()
    }

    /// Its first byte.
    #[inline(always)]
    pub(crate) fn byte(&self) -> u8 {
        let [byte] = self.tokens.bytes();
        byte
    }

    /// Whether any string so far holds a backslash.
    #[inline]
    pub(crate) fn has_escapes(&self) -> bool {
        self.tokens.has_escapes()
    }

    /// Checks that the document ends here.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        let Token { at, .. } = self.current();
        if at == self.document.len() { Ok(()) } else { Err(Malformed::Trailing(offset(at))) }
    }

    /// Reads an array, with `read` for each element.
    #[inline]
    pub(crate) fn elements<W: AsMut<Self>, E: From<Malformed>>(
        walker: &mut W,
        mut read: impl FnMut(&mut W) -> Result<(), E>,
    ) -> Result<(), E> {
        let walk = walker.as_mut();
        walk.depth += 1;
        walk.tokens.advance(1)?;
        if walk.byte() != b']' {
            loop {
                read(walker)?;
                let walk = walker.as_mut();
                match walk.byte() {
                    b',' => walk.tokens.advance(1)?,
                    b']' => break,
                    _ => return Err(unexpected(walk.current()).into()),
                }
            }
        }
        Ok(walker.as_mut().leave()?)
    }

    /// Reads an object. `find` says of each key whether it is wanted; if so, `read` gets what it found and reads the
    /// value, and all other values are skipped. Stops at the closing brace, where the caller may want to add something;
    /// [`leave`](Self::leave) goes on.
    #[inline]
    pub(crate) fn members<W: AsMut<Self>, F, E: From<Malformed>>(
        walker: &mut W,
        mut find: impl FnMut(&mut W, Key<'d>) -> Option<F>,
        mut read: impl FnMut(&mut W, F) -> Result<(), E>,
    ) -> Result<Closing, E> {
        let walk = walker.as_mut();
        walk.depth += 1;
        walk.tokens.advance(1)?;
        let is_empty = walk.byte() == b'}';
        if !is_empty {
            while Self::member(walker, &mut find, &mut read)? {}
        }
        Ok(Closing { at: walker.as_mut().current().at, is_empty })
    }

    /// Reads a member and the comma behind it; false without one, at the closing brace.
    #[inline(always)]
    fn member<W: AsMut<Self>, F, E: From<Malformed>>(
        walker: &mut W,
        find: &mut impl FnMut(&mut W, Key<'d>) -> Option<F>,
        read: &mut impl FnMut(&mut W, F) -> Result<(), E>,
    ) -> Result<bool, E> {
        let walk = walker.as_mut();
        let [quote, colon, value, behind] = walk.tokens.bytes();
        if [quote, colon] != *b"\":" {
            return Err(walk.misplaced_key().into());
        }
        let key = walk.key();
        if let Some(found) = find(walker, key) {
            walker.as_mut().tokens.advance(2)?;
            read(walker, found)?;
        } else {
            let walk = walker.as_mut();
            if [value, behind] == *b"\"," {
                walk.tokens.advance(4)?;
                return Ok(true);
            }
            walk.tokens.advance(2)?;
            walk.skip()?;
        }
        let walk = walker.as_mut();
        match walk.byte() {
            b',' => {
                walk.tokens.advance(1)?;
                Ok(true)
            }
            b'}' => Ok(false),
            _ => Err(unexpected(walk.current()).into()),
        }
    }

    /// Leaves a container at its closing bracket.
    #[inline]
    pub(crate) fn leave(&mut self) -> Result<(), Malformed> {
        self.depth -= 1;
        self.tokens.advance(1)
    }

    /// Checks a value without looking into it.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<(), Malformed> {
        match self.byte() {
            b'"' => self.tokens.advance(1),
            b'{' | b'[' => self.skip_container().map(|_| ()),
            _ => self.scalar().map(|_| ()),
        }
    }

    /// Checks a value without looking into it, and says where it ends.
    #[inline(always)]
    pub(crate) fn extent(&mut self) -> Result<usize, Malformed> {
        match self.byte() {
            b'"' => {
                let end = self.string_end(self.tokens.position(1));
                self.tokens.advance(1)?;
                Ok(end)
            }
            b'{' | b'[' => self.skip_container(),
            _ => self.scalar(),
        }
    }

    /// Returns where it ends.
    fn skip_container(&mut self) -> Result<usize, Malformed> {
        let room = JSON_MAX_DEPTH.saturating_sub(self.depth);
        // A bit per open container, the innermost lowest: set for an object. Room is at most 128.
        let mut objects: u128 = 0;
        let mut open = 0;
        loop {
            // At a value.
            let opening = self.byte();
            match opening {
                b'"' => self.tokens.advance(1)?,
                b'{' | b'[' => {
                    if open == room {
                        return Err(Malformed::TooDeep(offset(self.current().at)));
                    }
                    let is_object = opening == b'{';
                    objects = objects << 1 | u128::from(is_object);
                    open += 1;
                    self.tokens.advance(1)?;
                    match (is_object, self.byte()) {
                        (true, b'}') | (false, b']') => {}
                        (true, _) => {
                            self.skip_keys()?;
                            continue;
                        }
                        (false, _) => {
                            self.skip_strings()?;
                            continue;
                        }
                    }
                }
                _ => {
                    self.scalar()?;
                }
            }
            // Behind a value, or at the end of an empty container.
            loop {
                let in_object = objects & 1 == 1;
                match self.byte() {
                    b',' if in_object => {
                        self.tokens.advance(1)?;
                        self.skip_keys()?;
                        break;
                    }
                    b',' => {
                        self.tokens.advance(1)?;
                        self.skip_strings()?;
                        break;
                    }
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ => return Err(unexpected(self.current())),
                }
                objects >>= 1;
                open -= 1;
                let closing = self.current().at;
                self.tokens.advance(1)?;
                if open == 0 {
                    return Ok(closing + 1);
                }
            }
        }
    }

    /// At a key in an object: skips members that are strings, as long as others follow, and stops at the value of the
    /// first that may be something else, or the last.
    #[inline(always)]
    fn skip_keys(&mut self) -> Result<(), Malformed> {
        while self.tokens.bytes() == *b"\":\"," {
            self.tokens.advance(4)?;
        }
        if self.tokens.bytes() != *b"\":" {
            return Err(self.misplaced_key());
        }
        self.tokens.advance(2)
    }

    /// At an element of an array: skips strings as long as something follows, and stops at the first element that may
    /// be something else, or the last.
    #[inline(always)]
    fn skip_strings(&mut self) -> Result<(), Malformed> {
        while self.tokens.bytes() == *b"\",\",\",\"," {
            self.tokens.advance(8)?;
        }
        while self.tokens.bytes() == *b"\"," {
            self.tokens.advance(2)?;
        }
        Ok(())
    }

    /// The error where a key and its colon should stand and do not.
    #[cold]
    fn misplaced_key(&mut self) -> Malformed {
        if self.byte() != b'"' {
            return unexpected(self.current());
        }
        match self.tokens.advance(1) {
            Ok(()) => unexpected(self.current()),
            Err(error) => error,
        }
    }

    /// Checks a number or a literal, and says where it ends.
    #[inline]
    fn scalar(&mut self) -> Result<usize, Malformed> {
        let (start, behind) = (self.tokens.position(0), self.tokens.position(1));
        // Without white space behind it, and so almost always, it ends where the next token stands.
        let end = match self.document.get(start..behind) {
            Some(text) if scalar::is_plain(text) => behind,
            _ => self.scalar_end(start)?,
        };
        self.tokens.advance(1)?;
        Ok(end)
    }

    #[inline(never)]
    fn scalar_end(&self, start: usize) -> Result<usize, Malformed> {
        scalar::end(self.document, start).ok_or_else(|| unexpected(self.current()))
    }

    /// The string that the walk stands at.
    #[inline(always)]
    pub(crate) fn key(&self) -> Key<'d> {
        let start = self.tokens.position(0).wrapping_add(1);
        Key { document: self.document, start, end: self.string_end(self.tokens.position(1)).wrapping_sub(1) }
    }

    /// One past the closing quote of the string whose next token stands at `behind`.
    #[inline(always)]
    fn string_end(&self, behind: usize) -> usize {
        match self.document.get(behind.wrapping_sub(1)) {
            Some(b'"') => behind,
            _ => self.string_end_before(behind),
        }
    }

    /// The same where there is white space between.
    #[inline(never)]
    fn string_end_before(&self, behind: usize) -> usize {
        let before = self.document.get(..behind).unwrap_or_default();
        before.iter().rposition(|byte| *byte == b'"').map_or(0, |quote| quote + 1)
    }
}

/// The end of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    /// Offset of the brace.
    pub(crate) at: usize,
    /// Whether the object has no members.
    pub(crate) is_empty: bool,
}

/// A string as it stands in the document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'d> {
    document: &'d [u8],
    /// Offset behind the opening quote.
    start: usize,
    /// Offset of the closing quote.
    end: usize,
}

impl<'d> Key<'d> {
    /// A string of its own.
    #[cfg(test)]
    pub(crate) fn new(content: &'d [u8]) -> Key<'d> {
        Key { document: content, start: 0, end: content.len() }
    }

    /// Offset of the content, which is behind the opening quote.
    #[inline]
    pub(crate) fn start(self) -> usize {
        self.start
    }

    /// Offset of the closing quote.
    #[inline]
    pub(crate) fn end(self) -> usize {
        self.end
    }

    /// Length of the content in bytes.
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.end.wrapping_sub(self.start)
    }

    /// What is between the quotes, escapes as they came.
    #[inline]
    pub(crate) fn content(self) -> &'d [u8] {
        self.document.get(self.start..self.end).unwrap_or_default()
    }

    /// The content and whatever is behind it in the document.
    #[inline]
    pub(crate) fn onwards(self) -> &'d [u8] {
        self.document.get(self.start..).unwrap_or_default()
    }
}

/// The error for a token that the grammar does not allow.
#[cold]
pub(crate) fn unexpected(token: Token) -> Malformed {
    Malformed::Syntax(offset(token.at))
}
