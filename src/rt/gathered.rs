//! One send from two buffers, for bytes that are mostly where they have to be already.
//!
//! Owns both buffers and the kernel's list of slices, so that all of it stays in place until the send is over.

use std::ops::Range;

/// Which ranges of one buffer go out in between the bytes of another, and where.
#[derive(Debug, Default)]
pub struct Insets(Vec<(usize, Range<usize>)>);

impl Insets {
    /// Most that one send takes: the kernel takes 1024 slices (`IOV_MAX`), and each inset needs one for itself and one for
    /// what stands before it.
    pub const MAX: usize = 511;

    /// Puts `range` of the one buffer before byte `at` of the other, behind every earlier inset. False, and nothing
    /// changes, when one send can take no more.
    pub fn push(&mut self, at: usize, range: Range<usize>) -> bool {
        let fits = self.0.len() < Self::MAX;
        if fits {
            self.0.push((at, range));
        }
        fits
    }

    /// Whether nothing is taken from the second buffer.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The bytes of `joined`, with ranges of `apart` in between.
pub struct Gathered {
    joined: Vec<u8>,
    apart: Vec<u8>,
    slices: Vec<libc::iovec>,
    message: libc::msghdr,
    length: usize,
}

impl Gathered {
    /// Puts together what goes out. The insets have to lie inside of the buffers.
    pub fn new(joined: Vec<u8>, apart: Vec<u8>, insets: &Insets) -> Gathered {
        let mut slices = Vec::with_capacity(2 * insets.0.len() + 1);
        let mut length = 0;
        let mut push = |bytes: &[u8]| {
            if !bytes.is_empty() {
                slices.push(libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() });
                length += bytes.len();
            }
        };
        let mut start = 0;
        for (at, range) in &insets.0 {
            debug_assert!(joined.get(start..*at).is_some() && apart.get(range.clone()).is_some());
            push(joined.get(start..*at).unwrap_or_default());
            push(apart.get(range.clone()).unwrap_or_default());
            start = *at;
        }
        push(joined.get(start..).unwrap_or_default());
        // SAFETY: all-zero bytes are a valid msghdr.
        let message = unsafe { std::mem::zeroed() };
        Gathered { joined, apart, slices, message, length }
    }

    /// How many bytes go out.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The two buffers, for the next use.
    pub fn into_buffers(self) -> (Vec<u8>, Vec<u8>) {
        (self.joined, self.apart)
    }

    /// The message for the kernel: valid for as long as `self` neither moves nor ends.
    pub(super) fn message(&mut self) -> *const libc::msghdr {
        self.message.msg_iov = self.slices.as_mut_ptr();
        self.message.msg_iovlen = self.slices.len();
        &raw const self.message
    }
}
