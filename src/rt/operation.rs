//! Operations that own what the kernel reads or writes until they complete.
//!
//! A future that is dropped abandons its operation: the entry stays, with its memory, until the completion arrives.

use std::io;
use std::task::Waker;

use super::bulk::Bulk;
use super::gathered::Gathered;

/// What an operation lends to the kernel.
pub(super) enum Loan {
    /// A buffer that is sent, or received into behind what it holds.
    Bytes(Vec<u8>),
    /// A bulk buffer that is sent or received into.
    Bulk(Bulk),
    /// Two buffers that are sent as one.
    Gathered(Box<Gathered>),
    /// The address of a connect.
    Address(Box<libc::sockaddr_un>),
}

/// One operation in flight, or complete and not yet collected.
pub(super) struct Operation {
    pub(super) generation: u32,
    pub(super) loan: Loan,
    pub(super) result: Option<i32>,
    pub(super) waker: Option<Waker>,
    /// The result that wakes nobody.
    pub(super) silent: Option<i32>,
    /// Nobody will collect it: remove it when it completes.
    pub(super) abandoned: bool,
}

/// The key of an operation: its slot, and the generation that tells it from a later one in the same slot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Turns a completion's result into a count.
pub(super) fn counted(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}
