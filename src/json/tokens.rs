//! The tokens of a document: where operators, strings and scalars start, found without a branch per byte.
//!
//! Owns what a vector pass can say: string boundaries, control bytes and escapes inside strings, UTF-8. It does not
//! know the grammar; a reader that takes tokens must refuse a sequence that is not JSON. Tokens come through a window of
//! fixed size, so a document of nothing but commas costs no more memory than any other.

use super::classify::{BLOCK_BYTES, Masks, STRIDE, classify, places};
use super::scalar;

/// Blocks that one refill of the window classifies.
const WINDOW_BLOCKS: usize = 32;
/// Room for a token per byte of the window, and for the blind writes of the last block.
const WINDOW_TOKENS: usize = WINDOW_BLOCKS * BLOCK_BYTES + STRIDE;

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
    masks: [Masks; WINDOW_BLOCKS],
    /// A bit for each byte where a token starts.
    starts: [u64; WINDOW_BLOCKS],
    positions: [u32; WINDOW_TOKENS],
}

impl Window {
    pub(crate) fn new() -> Box<Window> {
        Box::new(Window {
            masks: [Masks::default(); WINDOW_BLOCKS],
            starts: [0; WINDOW_BLOCKS],
            positions: [0; WINDOW_TOKENS],
        })
    }
}

/// What one block says to the next.
#[derive(Default)]
struct Carry {
    /// Bit 0: the first byte is escaped.
    escaped: u64,
    /// All ones while inside a string.
    in_string: u64,
    /// Bit 0: the last byte was part of a scalar.
    scalar: u64,
}

/// The tokens of one document, in order.
pub(crate) struct Tokens<'d, 'w> {
    document: &'d [u8],
    blocks: &'d [[u8; BLOCK_BYTES]],
    /// The bytes after the last whole block, until they are scanned.
    tail: &'d [u8],
    window: &'w mut Window,
    /// Tokens in the window, and how many of them are taken.
    filled: usize,
    taken: usize,
    /// Offset of the first byte that is not scanned yet.
    scanned: usize,
    carry: Carry,
    has_escapes: bool,
    first_non_ascii: Option<usize>,
    /// Where the low half of a surrogate pair has to stand, once its high half was seen (offset of its `u`).
    low_surrogate_at: usize,
}

impl<'d, 'w> Tokens<'d, 'w> {
    /// Starts on a document, whose length has to fit 32 bits.
    pub(crate) fn new(document: &'d [u8], window: &'w mut Window) -> Tokens<'d, 'w> {
        debug_assert!(u32::try_from(document.len()).is_ok());
        let (blocks, tail) = document.as_chunks();
        Tokens {
            document,
            blocks,
            tail,
            window,
            filled: 0,
            taken: 0,
            scanned: 0,
            carry: Carry::default(),
            has_escapes: false,
            first_non_ascii: None,
            low_surrogate_at: 0,
        }
    }

    /// Whether any string that was handed out so far holds a backslash.
    #[inline]
    pub(crate) fn has_escapes(&self) -> bool {
        self.has_escapes
    }

    /// The next token. At the end of the document, and only there, its offset is the document's length.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Token, Malformed> {
        if self.taken == self.filled {
            self.refill()?;
        }
        let at = match self.window.positions.get(self.taken) {
            Some(at) if self.taken < self.filled => *at as usize,
            _ => self.document.len(),
        };
        self.taken += 1;
        let byte = self.document.get(at).copied().unwrap_or(0);
        Ok(Token { at, byte })
    }

    /// Scans on until there is a token, or to the end: then the window stays empty.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> Result<(), Malformed> {
        self.taken = 0;
        self.filled = 0;
        while self.filled == 0 {
            let count = self.blocks.len().min(WINDOW_BLOCKS);
            if count > 0 {
                let (blocks, rest) = self.blocks.split_at(count);
                self.blocks = rest;
                self.scan(blocks)?;
            } else if !self.tail.is_empty() {
                let mut padded = [b' '; BLOCK_BYTES];
                for (to, from) in padded.iter_mut().zip(self.tail) {
                    *to = *from;
                }
                self.tail = &[];
                self.scan(&[padded])?;
            } else {
                return self.finish();
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Malformed> {
        if self.carry.in_string != 0 {
            return Err(Malformed::Syntax(offset(self.document.len())));
        }
        let Some(start) = self.first_non_ascii.take() else { return Ok(()) };
        match std::str::from_utf8(self.document.get(start..).unwrap_or_default()) {
            Ok(_) => Ok(()),
            Err(error) => Err(Malformed::Utf8(offset(start + error.valid_up_to()))),
        }
    }

    fn scan(&mut self, blocks: &[[u8; BLOCK_BYTES]]) -> Result<(), Malformed> {
        let first = self.scanned as u32;
        classify(blocks, &mut self.window.masks);
        for index in 0..blocks.len().min(WINDOW_BLOCKS) {
            let masks = self.window.masks[index];
            let escaped = self.escaped(masks.backslash);
            let quote = masks.quote & !escaped;
            // From each opening quote up to the byte before its closing quote.
            let in_string = prefix_xor(quote) ^ self.carry.in_string;
            self.carry.in_string = ((in_string as i64) >> 63) as u64;
            // All of a string but its opening quote.
            let string_rest = in_string ^ quote;

            if masks.control & in_string != 0 {
                return Err(Malformed::ControlByte(offset(self.scanned)));
            }
            // By the escaped byte, not by its backslash, which may be the last byte of the block before.
            if escaped & in_string != 0 {
                self.has_escapes = true;
                self.check_escapes(escaped & in_string)?;
            }
            if masks.non_ascii != 0 && self.first_non_ascii.is_none() {
                self.first_non_ascii = Some(self.scanned + masks.non_ascii.trailing_zeros() as usize);
            }

            let scalar = !(masks.operator | masks.whitespace);
            let bare = scalar & !quote;
            let continued = bare << 1 | self.carry.scalar;
            self.carry.scalar = bare >> 63;
            self.window.starts[index] = (masks.operator | scalar & !continued) & !string_rest;
            self.scanned += BLOCK_BYTES;
        }
        let starts = self.window.starts.get(..blocks.len()).unwrap_or_default();
        self.filled = places(starts, first, &mut self.window.positions);
        Ok(())
    }

    /// Which bytes a backslash escapes. Costs a step per escape, and escapes are rare where speed matters.
    #[inline]
    fn escaped(&mut self, backslash: u64) -> u64 {
        let mut escaped = self.carry.escaped;
        self.carry.escaped = 0;
        let mut escaping = backslash & !escaped;
        while escaping != 0 {
            let first = escaping & escaping.wrapping_neg();
            self.carry.escaped = first >> 63;
            escaped |= first << 1;
            // An escaped backslash escapes nothing.
            escaping &= !(first | first << 1);
        }
        escaped
    }

    /// Judges the characters behind the backslashes of one block; a `\u` may reach into the next.
    fn check_escapes(&mut self, mut escaped: u64) -> Result<(), Malformed> {
        while escaped != 0 {
            let at = self.scanned + escaped.trailing_zeros() as usize;
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

/// Bit `i` of the result is the parity of bits `0..=i`.
#[inline]
fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ bits << 32
}

/// An offset for an error message; documents are bounded far below 32 bits.
#[inline]
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
