//! The outcome for one answer: which ranges of it are replaced by what.
//!
//! Owns the bookkeeping of lengths and the walk over the pieces that remain. It does not know why a range is cut.

use super::fields::Added;
use crate::limits::CUTS_KEPT;

/// A text that takes the place of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Replacement {
    /// A whole value.
    Placeholder,
    /// A part of a string.
    PartialPlaceholder,
    EmptyArray,
    EmptyObject,
    Zero,
    /// A new member of an object, behind another one.
    Member(Added),
    /// A new member of an empty object.
    FirstMember(Added),
}

impl Replacement {
    /// `<` and `>` stand as themselves: an answer is JSON and nothing else.
    #[inline]
    fn text(self) -> &'static Text {
        match self {
            Replacement::Placeholder => const { &Text::of(b"\"<redacted>\"") },
            Replacement::PartialPlaceholder => const { &Text::of(b"<redacted>") },
            Replacement::EmptyArray => const { &Text::of(b"[]") },
            Replacement::EmptyObject => const { &Text::of(b"{}") },
            Replacement::Zero => const { &Text::of(b"0") },
            Replacement::Member(Added::Env) => const { &Text::of(b",\"Env\":[]") },
            Replacement::Member(Added::Config) => const { &Text::of(b",\"Config\":[]") },
            Replacement::FirstMember(Added::Env) => const { &Text::of(b"\"Env\":[]") },
            Replacement::FirstMember(Added::Config) => const { &Text::of(b"\"Config\":[]") },
        }
    }
}

/// A short text with room to be copied whole.
struct Text {
    bytes: [u8; 16],
    length: usize,
}

impl Text {
    const fn of(text: &[u8]) -> Text {
        let mut bytes = [0; 16];
        bytes.split_at_mut(text.len()).0.copy_from_slice(text);
        Text { bytes, length: text.len() }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    start: u32,
    end: u32,
    replacement: Replacement,
}

/// The cuts of one answer, in the order of the document, without overlap.
///
/// Offsets are for the answer that they were made from; with another one the pieces are meaningless (but no panic).
#[derive(Debug, Default)]
pub struct Cuts {
    cuts: Vec<Cut>,
    /// By how much the edited answer is longer.
    growth: isize,
}

impl Cuts {
    pub(super) const fn new() -> Cuts {
        Cuts { cuts: Vec::new(), growth: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.cuts.clear();
        self.cuts.shrink_to(CUTS_KEPT);
        self.growth = 0;
    }

    /// Replaces `start..end`, which must lie behind every earlier cut.
    #[inline]
    pub(super) fn push(&mut self, start: usize, end: usize, replacement: Replacement) {
        debug_assert!(start <= end && self.cuts.last().is_none_or(|last| last.end as usize <= start));
        // Answers are bounded far below what would not fit.
        self.growth += replacement.text().length as isize - (end - start) as isize;
        self.cuts.push(Cut { start: start as u32, end: end as u32, replacement });
    }

    /// Whether the answer stays as it came.
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// How many ranges are replaced.
    pub fn len(&self) -> usize {
        self.cuts.len()
    }

    /// The length in bytes of the edited answer, given that of the received one: the new `Content-Length`.
    pub fn edited_len(&self, received_len: usize) -> usize {
        received_len.saturating_add_signed(self.growth)
    }

    /// The edited answer as slices in order, for output without a copy; the proxy joins them with
    /// [`apply`](Self::apply). None of them is empty. At most twice [`len`](Self::len) plus one.
    pub fn pieces<'p>(&'p self, received: &'p [u8]) -> impl Iterator<Item = &'p [u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().map(|cut| cut.end as usize));
        let ends = self.cuts.iter().map(|cut| cut.start as usize).chain(std::iter::once(received.len()));
        let kept = starts.zip(ends).map(|(start, end)| received.get(start..end).unwrap_or_default());
        let replaced = self.cuts.iter().map(|cut| cut.replacement.text().bytes()).chain(std::iter::once(&[][..]));
        kept.zip(replaced).flat_map(|(kept, replaced)| [kept, replaced]).filter(|piece| !piece.is_empty())
    }

    /// Appends the edited answer to `out`, which grows at most once. The cheaper way out when there are many small
    /// pieces.
    pub fn apply(&self, received: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.edited_len(received.len()));
        let mut start = 0;
        for cut in &self.cuts {
            let kept = received.get(start..).unwrap_or_default();
            append(out, kept, (cut.start as usize).saturating_sub(start));
            let text = cut.replacement.text();
            append(out, &text.bytes, text.length);
            start = cut.end as usize;
        }
        out.extend_from_slice(received.get(start..).unwrap_or_default());
    }
}

/// Appends the first `length` bytes of `from`. Most pieces are shorter than calling for a copy of just their length takes:
/// of those a fixed number of bytes is copied, and what is too much is dropped again.
#[inline(always)]
fn append(out: &mut Vec<u8>, from: &[u8], length: usize) {
    if !append_chunk::<16>(out, from, length) && !append_chunk::<48>(out, from, length) {
        out.extend_from_slice(from.get(..length).unwrap_or_default());
    }
}

/// Does nothing and says so where a chunk is too short, or there are too few bytes or too little room for it.
#[inline(always)]
fn append_chunk<const BYTES: usize>(out: &mut Vec<u8>, from: &[u8], length: usize) -> bool {
    let end = out.len() + length;
    match from.first_chunk::<BYTES>() {
        Some(chunk) if length <= BYTES && out.capacity() - out.len() >= BYTES => {
            out.extend_from_slice(chunk);
            out.truncate(end);
            true
        }
        _ => false,
    }
}
