//! How the allocator deals with large blocks.
//!
//! The C library raises the size from which a block gets a mapping of its own each time such a block is freed, up to
//! 32 MiB. From then on what a hostile megabyte of head has needed lies scattered over the heap and never goes back to
//! the system. A fixed threshold keeps large blocks apart, so that freeing them gives their memory back.

#[cfg(target_env = "gnu")]
/// Blocks from this size on are mapped, and unmapped when freed.
const MAPPED_BYTES: libc::c_int = 256 << 10;

/// Fixes the size from which blocks are mapped. Before any thread starts.
pub fn map_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it changes a number in the allocator, which is ready for that at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_BYTES);
    }
}
