//! Owned buffers for bulk bodies.
//!
//! A transfer that fills its receives goes through buffers of this size that the transfer owns; the ring's shared
//! receive buffers stay free for everybody else. Each has headroom before and after the payload, so that a chunk's
//! size line and line end are written around it and the whole goes out in one send.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Payload bytes of one bulk buffer.
pub const BULK_BYTES: usize = 64 << 10;
/// Room before the payload: the longest chunk-size line that we write.
const HEADROOM_BYTES: usize = 16;
/// Room behind the payload: the line end of a chunk.
const TAILROOM_BYTES: usize = 2;
/// Idle buffers kept by one shard.
const KEPT: usize = 16;

/// The idle bulk buffers of one shard.
#[derive(Clone, Default)]
pub(super) struct BulkPool(Rc<RefCell<Vec<Vec<u8>>>>);

impl BulkPool {
    pub(super) fn take(&self) -> Bulk {
        let memory = self.0.borrow_mut().pop();
        let memory = memory.unwrap_or_else(|| vec![0; HEADROOM_BYTES + BULK_BYTES + TAILROOM_BYTES]);
        Bulk {
            memory,
            payload: HEADROOM_BYTES..HEADROOM_BYTES,
            framed: HEADROOM_BYTES..HEADROOM_BYTES,
            home: self.clone(),
        }
    }
}

/// One bulk buffer with the payload that it holds. Goes back to its shard on drop.
pub struct Bulk {
    memory: Vec<u8>,
    payload: Range<usize>,
    framed: Range<usize>,
    home: BulkPool,
}

impl Bulk {
    /// The bytes received.
    pub fn payload(&self) -> &[u8] {
        self.memory.get(self.payload.clone()).unwrap_or_default()
    }

    /// Keeps only `range` of the payload; out-of-range ends are clamped.
    pub fn narrow(&mut self, range: Range<usize>) {
        let length = self.payload.len();
        let (start, end) = (range.start.min(length), range.end.min(length));
        self.payload = self.payload.start + start..self.payload.start + end.max(start);
        self.framed = self.payload.clone();
    }

    /// Keeps only these ranges of the payload, moved together; they are in order and do not overlap.
    pub fn keep(&mut self, ranges: &[Range<usize>]) {
        let (base, length) = (self.payload.start, self.payload.len());
        let mut kept = 0;
        for range in ranges {
            let (start, end) = (range.start.min(length), range.end.min(length));
            if start < end && kept <= start {
                self.memory.copy_within(base + start..base + end, base + kept);
                kept += end - start;
            }
        }
        self.narrow(0..kept);
    }

    /// Writes the payload's chunk-size line before it and its line end behind it; [`Bulk::wire`] then holds a chunk.
    pub fn frame_as_chunk(&mut self) {
        let mut line = [0; HEADROOM_BYTES];
        let line = crate::http::chunked::size_line(self.payload.len(), &mut line);
        let start = self.payload.start.saturating_sub(line.len());
        if let Some(room) = self.memory.get_mut(start..self.payload.start) {
            room.copy_from_slice(line);
        }
        if let Some(room) = self.memory.get_mut(self.payload.end..self.payload.end + TAILROOM_BYTES) {
            room.copy_from_slice(b"\r\n");
        }
        self.framed = start..self.payload.end + TAILROOM_BYTES;
    }

    /// What goes out: the payload, with its framing if it was framed.
    pub fn wire(&self) -> &[u8] {
        self.memory.get(self.framed.clone()).unwrap_or_default()
    }

    /// Where a receive may write.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.memory.get_mut(HEADROOM_BYTES..HEADROOM_BYTES + BULK_BYTES).unwrap_or_default()
    }

    /// Declares the first `length` bytes of the room received.
    pub(super) fn received(&mut self, length: usize) {
        self.payload = HEADROOM_BYTES..HEADROOM_BYTES + length.min(BULK_BYTES);
        self.framed = self.payload.clone();
    }

    /// Copies bytes in as if they had been received; returns how many fitted.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> usize {
        let length = bytes.len().min(BULK_BYTES);
        self.room()[..length].copy_from_slice(&bytes[..length]);
        self.received(length);
        length
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        let mut kept = self.home.0.borrow_mut();
        if kept.len() < KEPT {
            kept.push(std::mem::take(&mut self.memory));
        }
    }
}
