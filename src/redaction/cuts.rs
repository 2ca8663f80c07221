//! The outcome for one answer: which ranges of it are replaced by what.
//!
//! Owns the bookkeeping of lengths and the walk over the ranges that remain. It does not know why a range is cut.

use std::ops::Range;

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
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    start: u32,
    end: u32,
    replacement: Replacement,
}

/// The cuts of one answer, in the order of the document, without overlap.
///
/// Offsets are for the answer that they were made from; with another one the ranges are meaningless (but no panic).
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

    /// The length in bytes of the edited answer, given that of the received one: the new `Content-Length`.
    pub fn edited_len(&self, received_len: usize) -> usize {
        received_len.saturating_add_signed(self.growth)
    }

    /// Appends the edited answer to `out`, which grows at most once.
    pub fn apply(&self, received: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.edited_len(received.len()));
        self.apply_around(received, out, |_, _| false);
    }

    /// The ranges of the received answer that stay, in order; some may be empty.
    pub fn kept(&self, received_len: usize) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.cuts.iter().map(|cut| cut.end as usize));
        let ends = self.cuts.iter().map(|cut| cut.start as usize).chain(std::iter::once(received_len));
        starts.zip(ends).map(|(start, end)| start..end)
    }

    /// As [`apply`](Self::apply), but without the ranges of `received` that `leave_out` accepts. It is asked about each, in
    /// order: where in `out` it would begin, and the range.
    pub fn apply_around(
        &self,
        received: &[u8],
        out: &mut Vec<u8>,
        mut leave_out: impl FnMut(usize, Range<usize>) -> bool,
    ) {
        let mut start = 0;
        for cut in &self.cuts {
            let end = cut.start as usize;
            if !leave_out(out.len(), start..end) {
                append(out, received.get(start..).unwrap_or_default(), end.saturating_sub(start));
            }
            let text = cut.replacement.text();
            append(out, &text.bytes, text.length);
            start = cut.end as usize;
        }
        let rest = received.get(start..).unwrap_or_default();
        if !leave_out(out.len(), start..received.len()) {
            out.extend_from_slice(rest);
        }
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
