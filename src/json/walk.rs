//! The grammar of JSON over the scanner's tokens, without a tree.
//!
//! Owns the walk: which token may follow which, how deep, where a value ends. Recursion is left to callers, who may
//! follow their own finite tables but never the document; what they do not step into, a loop with a bit per level
//! checks. Every method that reads a value takes its first token and returns the token behind it.

use super::scalar;
use super::tokens::{Malformed, Token, Tokens, Window, offset};
use crate::limits::JSON_MAX_DEPTH;

/// A walk through one document.
pub(crate) struct Walk<'d, 'w> {
    document: &'d [u8],
    tokens: Tokens<'d, 'w>,
    /// Arrays and objects around the current token.
    depth: usize,
    /// Where the container that was skipped last ended: one past its bracket.
    closed_at: usize,
}

impl<'d, 'w> Walk<'d, 'w> {
    /// Starts on a document, whose length has to fit 32 bits.
    pub(crate) fn new(document: &'d [u8], window: &'w mut Window) -> Walk<'d, 'w> {
        Walk { document, tokens: Tokens::new(document, window), depth: 0, closed_at: 0 }
    }

    /// The next token; only a caller that knows the grammar may take one.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Token, Malformed> {
        self.tokens.next()
    }

    /// Whether any string so far holds a backslash.
    #[inline]
    pub(crate) fn has_escapes(&self) -> bool {
        self.tokens.has_escapes()
    }

    /// Checks that the document ends with the value in front of `behind`.
    pub(crate) fn finish(&self, behind: Token) -> Result<(), Malformed> {
        if behind.at == self.document.len() { Ok(()) } else { Err(Malformed::Trailing(offset(behind.at))) }
    }

    /// Reads `[`, already taken, up to `]`, with `read` for each element. Returns the `]`; [`leave`](Self::leave)
    /// goes on.
    #[inline]
    pub(crate) fn elements<W: AsMut<Self>, E: From<Malformed>>(
        walker: &mut W,
        mut read: impl FnMut(&mut W, Token) -> Result<Token, E>,
    ) -> Result<Token, E> {
        let mut token = walker.as_mut().enter()?;
        if token.byte != b']' {
            loop {
                token = read(walker, token)?;
                match token.byte {
                    b',' => token = walker.as_mut().next()?,
                    b']' => break,
                    _ => return Err(unexpected(token).into()),
                }
            }
        }
        Ok(token)
    }

    /// Reads `{`, already taken, up to `}`, with `read` for each member: its key with the quotes, and the first token
    /// of its value. Returns the `}`; [`leave`](Self::leave) goes on.
    #[inline]
    pub(crate) fn members<W: AsMut<Self>, E: From<Malformed>>(
        walker: &mut W,
        mut read: impl FnMut(&mut W, Key<'d>, Token) -> Result<Token, E>,
    ) -> Result<Token, E> {
        let mut token = walker.as_mut().enter()?;
        if token.byte != b'}' {
            loop {
                let walk = walker.as_mut();
                let colon = walk.colon_behind(token)?;
                let key = walk.string(token, colon);
                let value = walk.next()?;
                token = read(walker, key, value)?;
                match token.byte {
                    b',' => token = walker.as_mut().next()?,
                    b'}' => break,
                    _ => return Err(unexpected(token).into()),
                }
            }
        }
        Ok(token)
    }

    /// Counts a container in and takes its first token.
    #[inline]
    fn enter(&mut self) -> Result<Token, Malformed> {
        self.depth += 1;
        self.next()
    }

    /// Counts a container out, whose bracket was returned, and takes the token behind it.
    #[inline]
    pub(crate) fn leave(&mut self) -> Result<Token, Malformed> {
        self.depth -= 1;
        self.next()
    }

    /// Checks a value without looking into it.
    #[inline]
    pub(crate) fn skip(&mut self, first: Token) -> Result<Token, Malformed> {
        match first.byte {
            b'"' => self.next(),
            b'{' | b'[' => self.skip_container(first),
            _ => {
                self.scalar(first)?;
                self.next()
            }
        }
    }

    /// Checks a value without looking into it, and says where it ends.
    #[inline]
    pub(crate) fn extent(&mut self, first: Token) -> Result<(usize, Token), Malformed> {
        let behind = self.skip(first)?;
        let end = match first.byte {
            b'"' => self.string_end(behind.at),
            b'{' | b'[' => self.closed_at,
            _ => self.scalar(first)?,
        };
        Ok((end, behind))
    }

    fn skip_container(&mut self, first: Token) -> Result<Token, Malformed> {
        let room = JSON_MAX_DEPTH.saturating_sub(self.depth);
        // A bit per open container, the innermost lowest: set for an object. Room is at most 128.
        let mut objects: u128 = 0;
        let mut open = 0;
        let mut token = first;
        loop {
            // `token` starts a value.
            let mut behind = match token.byte {
                b'"' => self.next()?,
                b'{' | b'[' => {
                    if open == room {
                        return Err(Malformed::TooDeep(offset(token.at)));
                    }
                    let is_object = token.byte == b'{';
                    objects = objects << 1 | u128::from(is_object);
                    open += 1;
                    let inside = self.next()?;
                    match (is_object, inside.byte) {
                        (true, b'}') | (false, b']') => inside,
                        (true, _) => {
                            self.colon_behind(inside)?;
                            token = self.next()?;
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
                    self.next()?
                }
            };
            // `behind` follows a value, or closes an empty container.
            loop {
                let in_object = objects & 1 == 1;
                match behind.byte {
                    b',' if in_object => {
                        let key = self.next()?;
                        self.colon_behind(key)?;
                        token = self.next()?;
                        break;
                    }
                    b',' => {
                        token = self.next()?;
                        break;
                    }
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ => return Err(unexpected(behind)),
                }
                objects >>= 1;
                open -= 1;
                let closed_at = behind.at + 1;
                behind = self.next()?;
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
            return Err(unexpected(key));
        }
        let colon = self.next()?;
        if colon.byte != b':' {
            return Err(unexpected(colon));
        }
        Ok(colon)
    }

    #[inline]
    fn scalar(&self, first: Token) -> Result<usize, Malformed> {
        scalar::end(self.document, first.at).ok_or(unexpected(first))
    }

    /// The string that starts at `first` and has `behind` as its next token.
    #[inline]
    pub(crate) fn string(&self, first: Token, behind: Token) -> Key<'d> {
        let end = self.string_end(behind.at);
        Key { start: first.at, end, content: self.document.get(first.at + 1..end - 1).unwrap_or_default() }
    }

    /// One past the closing quote of the string whose next token stands at `behind`: only white space lies between.
    #[inline]
    fn string_end(&self, behind: usize) -> usize {
        let mut end = behind;
        while end > 1 && self.document.get(end - 1).is_some_and(|byte| *byte != b'"') {
            end -= 1;
        }
        end
    }
}

/// A string as it stands in the document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'d> {
    /// Offset of the opening quote.
    pub(crate) start: usize,
    /// One past the closing quote.
    pub(crate) end: usize,
    /// What is between the quotes, escapes as they came.
    pub(crate) content: &'d [u8],
}

/// The error for a token that the grammar does not allow.
#[cold]
pub(crate) fn unexpected(token: Token) -> Malformed {
    Malformed::Syntax(offset(token.at))
}
