//! Accepting connections on the ring.

use std::io;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::task::{Context, Poll};

use super::ring::{Accepting, Ring};

/// A listening socket of this shard. Dropping it stops accepting and closes it.
pub struct Acceptor {
    ring: Ring,
    slot: u32,
}

impl Acceptor {
    /// Puts a listening, blocking-mode socket on the ring.
    pub fn new(ring: &Ring, listener: OwnedFd) -> Acceptor {
        let mut inner = ring.inner();
        let generation = inner.next_generation();
        let slot = inner.acceptors.insert(Accepting {
            fd: listener.into_raw_fd(),
            generation,
            accepted: std::collections::VecDeque::new(),
            armed: false,
            waker: None,
        });
        drop(inner);
        Acceptor { ring: ring.clone(), slot: slot as u32 }
    }

    /// The next connection.
    ///
    /// # Errors
    /// What accept says, for example that the process is out of descriptors; the next call tries again.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<OwnedFd>> {
        let mut ring = self.ring.inner();
        let Some(acceptor) = ring.acceptors.get_mut(self.slot as usize) else { return Poll::Pending };
        if let Some(accepted) = acceptor.accepted.pop_front() {
            return Poll::Ready(accepted);
        }
        acceptor.waker = Some(cx.waker().clone());
        ring.arm_acceptor(self.slot);
        Poll::Pending
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.ring.inner().remove_acceptor(self.slot);
    }
}
