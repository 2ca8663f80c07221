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
    /// The bytes. `<` and `>` stand as themselves: an answer is JSON and nothing else.
    #[inline]
    fn bytes(self) -> &'static [u8] {
        match self {
            Replacement::Placeholder => b"\"<redacted>\"",
            Replacement::PartialPlaceholder => b"<redacted>",
            Replacement::EmptyArray => b"[]",
            Replacement::EmptyObject => b"{}",
            Replacement::Zero => b"0",
            Replacement::Member(Added::Env) => b",\"Env\":[]",
            Replacement::Member(Added::Config) => b",\"Config\":[]",
            Replacement::FirstMember(Added::Env) => b"\"Env\":[]",
            Replacement::FirstMember(Added::Config) => b"\"Config\":[]",
        }
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
    removed: usize,
    added: usize,
}

impl Cuts {
    pub(super) const fn new() -> Cuts {
        Cuts { cuts: Vec::new(), removed: 0, added: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.cuts.clear();
        self.cuts.shrink_to(CUTS_KEPT);
        self.removed = 0;
        self.added = 0;
    }

    /// Replaces `start..end`, which must lie behind every earlier cut.
    #[inline]
    pub(super) fn push(&mut self, start: usize, end: usize, replacement: Replacement) {
        debug_assert!(start <= end && self.cuts.last().is_none_or(|last| last.end as usize <= start));
        self.removed += end - start;
        self.added += replacement.bytes().len();
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
        received_len.saturating_sub(self.removed).saturating_add(self.added)
    }

    /// The edited answer as slices in order, for vectored output. None of them is empty. At most twice
    /// [`len`](Self::len) plus one.
    pub fn pieces<'p>(&'p self, received: &'p [u8]) -> impl Iterator<Item = &'p [u8]> {
        let starts = std::iter::once(0).chain(self.cuts.iter().map(|cut| cut.end as usize));
        let ends = self.cuts.iter().map(|cut| cut.start as usize).chain(std::iter::once(received.len()));
        let kept = starts.zip(ends).map(|(start, end)| received.get(start..end).unwrap_or_default());
        let replaced = self.cuts.iter().map(|cut| cut.replacement.bytes()).chain(std::iter::once(&[][..]));
        kept.zip(replaced).flat_map(|(kept, replaced)| [kept, replaced]).filter(|piece| !piece.is_empty())
    }

    /// Appends the edited answer to `out`, which grows at most once. The cheaper way out when there are many small
    /// pieces.
    pub fn apply(&self, received: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.edited_len(received.len()));
        let mut start = 0;
        for cut in &self.cuts {
            out.extend_from_slice(received.get(start..cut.start as usize).unwrap_or_default());
            out.extend_from_slice(cut.replacement.bytes());
            start = cut.end as usize;
        }
        out.extend_from_slice(received.get(start..).unwrap_or_default());
    }
}
