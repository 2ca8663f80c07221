//! Reading a request body the way the Engine does, and refusing what the two could read differently (spec 30 §0).
//!
//! Owns the parse and its memory. The parser resolves escapes in place, so it works on a copy and the received bytes
//! stay what is forwarded. What a field means is the inspectors' business.

use simd_json::{Buffers, INPUT_PADDING, Tape};

use super::duplicates::Duplicates;
use super::value::{Field, Object, TypeError};
use crate::limits::{JSON_BODY_MAX_BYTES, JSON_MAX_DEPTH, JSON_SCRATCH_KEPT_BYTES};

/// Why a body cannot be judged. Nothing of it is part of the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not exactly one JSON document in UTF-8, or nested deeper than [`JSON_MAX_DEPTH`].
    #[error("body is not a json document, or nested too deeply: byte {0}")]
    Malformed(usize),
    /// An object holds a key twice, or two keys that differ in case alone: readers disagree on which one counts.
    #[error("body holds duplicate or case-variant json keys")]
    Duplicate,
    /// More than [`JSON_BODY_MAX_BYTES`].
    #[error("body exceeds the limit for json: {0} bytes")]
    TooLarge(usize),
}

/// The memory for reading; keep one per shard, and bodies of usual size allocate nothing once it has grown.
pub struct Reader {
    copy: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
    duplicates: Duplicates,
}

impl Reader {
    /// Empty memory.
    pub fn new() -> Reader {
        Reader {
            copy: Vec::new(),
            buffers: Buffers::with_max_depth(0, JSON_MAX_DEPTH),
            tape: Tape(Vec::new()),
            duplicates: Duplicates::default(),
        }
    }

    /// Reads `body` and hands its view to `judge`, whose outcome comes back.
    ///
    /// # Errors
    ///
    /// The body must not be forwarded: see [`Unreadable`].
    pub fn read<R>(&mut self, body: &[u8], judge: impl FnOnce(View<'_>) -> R) -> Result<R, Unreadable> {
        if body.len() > JSON_BODY_MAX_BYTES {
            return Err(Unreadable::TooLarge(body.len()));
        }
        if body.is_empty() {
            return Err(Unreadable::Malformed(0));
        }
        self.copy.clear();
        self.copy.reserve(body.len() + INPUT_PADDING);
        self.copy.extend_from_slice(body);
        self.copy.resize(body.len() + INPUT_PADDING, b' ');

        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let outcome = simd_json::fill_tape_padded(&mut self.copy, body.len(), &mut self.buffers, &mut tape)
            .map_err(|error| Unreadable::Malformed(error.index()))
            .and_then(|()| self.duplicates.check(&tape.0))
            .map(|()| judge(View { root: Field::root(&tape.0) }));
        self.tape = tape.reset();
        if body.len() > JSON_SCRATCH_KEPT_BYTES {
            *self = Reader::new();
        }
        outcome
    }
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new()
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("capacity", &self.copy.capacity()).finish_non_exhaustive()
    }
}

/// A body that was read: well formed, without ambiguous keys.
#[derive(Clone, Copy, Debug)]
pub struct View<'v> {
    root: Field<'v>,
}

impl<'v> View<'v> {
    /// The document itself, for bodies that are not objects. `null` counts as absent.
    pub fn root(self) -> Field<'v> {
        self.root
    }

    /// The document as an object; `null` is one without fields (spec 30 §0.3).
    ///
    /// # Errors
    ///
    /// The document is of another kind.
    pub fn object(self) -> Result<Object<'v>, TypeError> {
        Ok(self.root.object()?.unwrap_or_default())
    }
}
