//! The tokens of a document: where operators, strings and scalars start, found without a branch per byte.
//!
//! Owns what a vector pass can say: string boundaries, control bytes and escapes inside strings, UTF-8. It does not
//! know the grammar; a reader that takes tokens must refuse a sequence that is not JSON. Tokens come through a window of
//! fixed size, so a document of nothing but commas costs no more memory than any other.

use super::classify::{self, BLOCK_BYTES, Task, Vectors};
use super::scalar;

/// Blocks that one refill of the window scans.
const WINDOW_BLOCKS: usize = 32;
/// Tokens that can be seen ahead, the current one included, wherever it stands.
pub(crate) const AHEAD: usize = 8;
/// Room for what was not taken, for a token per byte, and for the blind writes of the last block.
const WINDOW_TOKENS: usize = AHEAD + (WINDOW_BLOCKS + 1) * BLOCK_BYTES;

/// Why a document is not JSON. Offsets are bytes from its start; content is never part of the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// Something stands where the grammar does not allow it, or the document ends too early.
    #[error("json is not well formed at byte {0}")]
    Syntax(u32),
    /// A byte below 0x20 inside a string, close to the offset.
    #[error("json string holds a raw control byte near byte {0}")]
    ControlByte(u32),
    /// An unknown escape, or half of a surrogate pair.
    #[error("json string holds an invalid escape at byte {0}")]
    Escape(u32),
    /// The document is not UTF-8 after this many bytes.
    #[error("json is not utf-8 at byte {0}")]
    Utf8(u32),
    /// More than [`JSON_MAX_DEPTH`](crate::limits::JSON_MAX_DEPTH) arrays and objects inside each other.
    #[error("json is nested too deeply at byte {0}")]
    TooDeep(u32),
    /// Something follows the document.
    #[error("data follows the json document at byte {0}")]
    Trailing(u32),
}

/// The start of an operator, a string (its opening quote) or a scalar.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// Byte offset; the document's length at its end.
    pub(crate) at: usize,
    /// The byte there; zero at the end.
    pub(crate) byte: u8,
}

/// The memory that a scan needs; keep it between documents.
#[derive(Debug)]
pub(crate) struct Window {
    /// Where each token starts.
    positions: [u32; WINDOW_TOKENS],
    /// The byte there, so that a reader can compare several tokens at once.
    bytes: [u8; WINDOW_TOKENS],
}

impl Window {
    pub(crate) fn new() -> Box<Window> {
        Box::new(Window { positions: [0; WINDOW_TOKENS], bytes: [0; WINDOW_TOKENS] })
    }
}

/// What one block says to the next.
#[derive(Clone, Copy, Default)]
struct Carry {
    /// Bit 0: the first byte is escaped.
    escaped: u64,
    /// All ones while inside a string.
    in_string: u64,
    /// Bit 0: the last byte was part of a scalar.
    scalar: u64,
}

/// The tokens of one document, in order: a place between them that moves forward.
pub(crate) struct Tokens<'d, 'w> {
    document: &'d [u8],
    blocks: &'d [[u8; BLOCK_BYTES]],
    /// The bytes after the last whole block, until they are scanned.
    tail: &'d [u8],
    window: &'w mut Window,
    /// Tokens in the window, and how many of them are taken: the current one is the next.
    filled: usize,
    taken: usize,
    /// How many may be taken until the window has fewer than [`AHEAD`] left.
    enough: usize,
    /// Offset of the first byte that is not scanned yet.
    scanned: usize,
    carry: Carry,
    has_escapes: bool,
    first_non_ascii: Option<usize>,
    /// Where the low half of a surrogate pair has to stand, once its high half was seen (offset of its `u`).
    low_surrogate_at: usize,
}

impl<'d, 'w> Tokens<'d, 'w> {
    /// The first token of a document, whose length has to fit 32 bits.
    pub(crate) fn of(document: &'d [u8], window: &'w mut Window) -> Result<Tokens<'d, 'w>, Malformed> {
        debug_assert!(u32::try_from(document.len()).is_ok());
        let (blocks, tail) = document.as_chunks();
        let mut tokens = Tokens {
            document,
            blocks,
            tail,
            window,
            filled: 0,
            taken: 0,
            enough: 0,
            scanned: 0,
            carry: Carry::default(),
            has_escapes: false,
            first_non_ascii: None,
            low_surrogate_at: 0,
        };
        tokens.refill()?;
        Ok(tokens)
    }

    /// Whether any string up to the current token, or soon after it, holds a backslash.
    #[inline]
    pub(crate) fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// Where the token stands that is `number` behind the current one, which is less than [`AHEAD`]. At the end of the
    /// document, and only there, it is the document's length.
    #[inline(always)]
    pub(crate) fn position(&self, number: usize) -> usize {
        debug_assert!(number < AHEAD);
        self.window.positions.get(self.taken + number).map_or(self.document.len(), |at| *at as usize)
    }

    /// The first bytes of the current token and those behind it, [`AHEAD`] at most; zero at the end of the document.
    #[inline(always)]
    pub(crate) fn bytes<const COUNT: usize>(&self) -> [u8; COUNT] {
        const { assert!(COUNT <= AHEAD) };
        let ahead = self.window.bytes.get(self.taken..).and_then(<[u8]>::first_chunk);
        ahead.copied().unwrap_or([0; COUNT])
    }

    /// The current token.
    #[inline(always)]
    pub(crate) fn current(&self) -> Token {
        let [byte] = self.bytes();
        Token { at: self.position(0), byte }
    }

    /// Goes on by `count` tokens, [`AHEAD`] at most. The end of the document is followed by itself.
    #[inline(always)]
    pub(crate) fn advance(&mut self, count: usize) -> Result<(), Malformed> {
        debug_assert!(count <= AHEAD);
        self.taken += count;
        if self.taken <= self.enough { Ok(()) } else { self.refill() }
    }

    /// Scans on until enough tokens can be seen ahead.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> Result<(), Malformed> {
        let left = self.filled.saturating_sub(self.taken);
        if let Some(positions) =
            self.window.positions.get(self.taken..).and_then(<[u32]>::first_chunk::<AHEAD>).copied()
            && let Some(first) = self.window.positions.first_chunk_mut()
        {
            *first = positions;
        }
        let bytes: [u8; AHEAD] = self.bytes();
        if let Some(first) = self.window.bytes.first_chunk_mut() {
            *first = bytes;
        }
        self.taken = 0;
        self.filled = left;
        while self.filled < AHEAD {
            let count = self.blocks.len().min(WINDOW_BLOCKS);
            if count > 0 {
                let (blocks, rest) = self.blocks.split_at(count);
                self.blocks = rest;
                classify::run(Scan { tokens: self, blocks })?;
            } else if !self.tail.is_empty() {
                let mut padded = [b' '; BLOCK_BYTES];
                for (to, from) in padded.iter_mut().zip(self.tail) {
                    *to = *from;
                }
                self.tail = &[];
                classify::run(Scan { tokens: self, blocks: &[padded] })?;
            } else {
                self.finish()?;
            }
        }
        self.enough = self.filled - AHEAD;
        Ok(())
    }

    /// Judges the document as a whole, and puts its end into the window as often as a reader may look ahead.
    fn finish(&mut self) -> Result<(), Malformed> {
        if self.carry.in_string != 0 {
            return Err(Malformed::Syntax(offset(self.document.len())));
        }
        if let Some(start) = self.first_non_ascii.take()
            && let Err(error) = std::str::from_utf8(self.document.get(start..).unwrap_or_default())
        {
            return Err(Malformed::Utf8(offset(start + error.valid_up_to())));
        }
        let ends = self.filled..self.filled + AHEAD;
        if let Some(positions) = self.window.positions.get_mut(ends.clone()) {
            positions.fill(offset(self.document.len()));
        }
        if let Some(bytes) = self.window.bytes.get_mut(ends) {
            bytes.fill(0);
        }
        self.filled += AHEAD;
        Ok(())
    }

    #[inline(always)]
    fn scan<V: Vectors>(&mut self, blocks: &[[u8; BLOCK_BYTES]], vectors: V) -> Result<(), Malformed> {
        let mut carry = self.carry;
        let mut filled = self.filled;
        let mut first = self.scanned;
        for block in blocks {
            let masks = vectors.masks(block);
            let escaped = match masks.backslash | carry.escaped {
                0 => 0,
                _ => escaped(masks.backslash, &mut carry.escaped),
            };
            let quote = masks.quote & !escaped;
            // From each opening quote up to the byte before its closing quote.
            let in_string = vectors.prefix_xor(quote) ^ carry.in_string;
            carry.in_string = ((in_string as i64) >> 63) as u64;
            // All of a string but its opening quote.
            let string_rest = in_string ^ quote;

            if masks.control & in_string != 0 {
                return Err(Malformed::ControlByte(offset(first)));
            }
            // By the escaped byte, not by its backslash, which may be the last byte of the block before.
            if escaped & in_string != 0 {
                self.has_escapes = true;
                self.check_escapes(first, escaped & in_string)?;
            }
            if masks.non_ascii != 0 && self.first_non_ascii.is_none() {
                self.first_non_ascii = Some(first + masks.non_ascii.trailing_zeros() as usize);
            }

            let scalar = !(masks.operator | masks.whitespace);
            let bare = scalar & !quote;
            let continued = bare << 1 | carry.scalar;
            carry.scalar = bare >> 63;
            let starts = (masks.operator | scalar & !continued) & !string_rest;

            let positions = self.window.positions.get_mut(filled..).and_then(<[u32]>::first_chunk_mut);
            let bytes = self.window.bytes.get_mut(filled..).and_then(<[u8]>::first_chunk_mut);
            // There is always room; a document that found none would have to be refused.
            let (Some(positions), Some(bytes)) = (positions, bytes) else {
                return Err(Malformed::Syntax(offset(first)));
            };
            vectors.compress(block, starts, first as u32, positions, bytes);
            filled += starts.count_ones() as usize;
            first += BLOCK_BYTES;
        }
        self.carry = carry;
        self.filled = filled;
        self.scanned = first;
        Ok(())
    }

    /// Judges the characters behind the backslashes of the block at `first`; a `\u` may reach into the next.
    fn check_escapes(&mut self, first: usize, mut escaped: u64) -> Result<(), Malformed> {
        while escaped != 0 {
            let at = first + escaped.trailing_zeros() as usize;
            escaped &= escaped - 1;
            match self.document.get(at) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                Some(b'u') if self.is_valid_unicode_escape(at) => {}
                _ => return Err(Malformed::Escape(offset(at))),
            }
        }
        Ok(())
    }

    fn is_valid_unicode_escape(&mut self, at: usize) -> bool {
        let Some(unit) = scalar::hex4(self.document, at + 1) else { return false };
        if scalar::is_high_surrogate(unit) {
            self.low_surrogate_at = at + 6;
            let low = self.document.get(at + 5..at + 7).filter(|pair| *pair == b"\\u");
            return low.and_then(|_| scalar::hex4(self.document, at + 7)).is_some_and(scalar::is_low_surrogate);
        }
        !scalar::is_low_surrogate(unit) || self.low_surrogate_at == at
    }
}

/// The next blocks of a document.
struct Scan<'t, 'd, 'w, 'b> {
    tokens: &'t mut Tokens<'d, 'w>,
    blocks: &'b [[u8; BLOCK_BYTES]],
}

impl Task for Scan<'_, '_, '_, '_> {
    type Output = Result<(), Malformed>;

    #[inline(always)]
    fn run<V: Vectors>(self, vectors: V) -> Result<(), Malformed> {
        self.tokens.scan(self.blocks, vectors)
    }
}

/// Which bytes a backslash escapes; `carried` speaks of the first byte of this block, then of the next. Costs a step
/// per escape, and escapes are rare where speed matters.
#[inline]
fn escaped(backslash: u64, carried: &mut u64) -> u64 {
    let mut escaped = *carried;
    *carried = 0;
    let mut escaping = backslash & !escaped;
    while escaping != 0 {
        let first = escaping & escaping.wrapping_neg();
        *carried = first >> 63;
        escaped |= first << 1;
        // An escaped backslash escapes nothing.
        escaping &= !(first | first << 1);
    }
    escaped
}

/// An offset for an error message; documents are bounded far below 32 bits.
#[inline]
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
