//! The provided receive buffers of one ring.
//!
//! Owns the registered buffer ring and its memory. A buffer is the kernel's until a completion names it, ours until
//! [`Buffers::give`] hands it back. No buffer is held across turns: what a task did not read is copied out
//! (see [`super::ring`]), so a client that does not read cannot starve the others.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::{IoUring, types};

/// The buffer group of all receives that take a shared buffer.
pub(super) const GROUP: u16 = 1;
/// Buffers per ring; a power of two.
const COUNT: u16 = 512;
/// Bytes per buffer: a head, or an answer of ordinary size, in one receive.
pub(super) const BUFFER_BYTES: usize = 8192;

const RING_BYTES: usize = COUNT as usize * size_of::<types::BufRingEntry>();
const MEMORY_BYTES: usize = COUNT as usize * BUFFER_BYTES;

/// An anonymous private mapping. Never unmapped: the kernel may use it until its ring is gone, which is after the close
/// of the ring returns, and a shard ends with its process.
struct Mapping {
    start: NonNull<u8>,
}

impl Mapping {
    fn new(bytes: usize) -> io::Result<Mapping> {
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice; the result is checked.
        let start = unsafe {
            rustix::mm::mmap_anonymous(
                std::ptr::null_mut(),
                bytes,
                rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE,
                rustix::mm::MapFlags::PRIVATE,
            )?
        };
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Mapping { start })
    }
}

/// The receive buffers that the kernel picks from.
pub(super) struct Buffers {
    entries: Mapping,
    memory: Mapping,
    tail: u16,
}

impl Buffers {
    /// Registers the group with `ring` and hands every buffer to the kernel.
    pub(super) fn register(ring: &IoUring) -> io::Result<Buffers> {
        let mut buffers = Buffers { entries: Mapping::new(RING_BYTES)?, memory: Mapping::new(MEMORY_BYTES)?, tail: 0 };
        // SAFETY: the mapping is page aligned, holds COUNT entries, and is never unmapped.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(buffers.entries.start.as_ptr() as u64, COUNT, GROUP, 0)?;
        }
        for id in 0..COUNT {
            buffers.give(id);
        }
        Ok(buffers)
    }

    /// The first `length` bytes of a buffer that a completion has named and that was not given back yet.
    pub(super) fn bytes(&self, id: u16, length: usize) -> &[u8] {
        let (id, length) = (usize::from(id % COUNT), length.min(BUFFER_BYTES));
        // SAFETY: the range lies inside the mapping, and the kernel does not write to a buffer that it has handed out.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr().add(id * BUFFER_BYTES), length) }
    }

    /// Hands a buffer back to the kernel.
    pub(super) fn give(&mut self, id: u16) {
        let entries: *mut types::BufRingEntry = self.entries.start.as_ptr().cast();
        // SAFETY: both indices are masked into their mappings; the tail is written last, with release order, so the
        // kernel sees a complete entry.
        unsafe {
            let entry = &mut *entries.add(usize::from(self.tail & (COUNT - 1)));
            entry.set_addr(self.memory.start.as_ptr().add(usize::from(id % COUNT) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            (*types::BufRingEntry::tail(entries).cast::<AtomicU16>()).store(self.tail, Ordering::Release);
        }
    }
}
