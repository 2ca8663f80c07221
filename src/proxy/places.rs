//! A limited number of places for what needs much of a shard: whoever finds none free waits.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use super::transport::Transport;
use crate::rt::{Notify, Ring};

/// The places of one kind on one shard.
pub(super) struct Places {
    free: Cell<usize>,
    freed: Notify,
}

/// One of them; given back on drop.
pub(super) struct Place<'p>(&'p Places);

impl Places {
    pub(super) fn new(ring: &Ring, count: usize) -> Places {
        Places { free: Cell::new(count), freed: Notify::new(ring) }
    }

    /// Waits for a free place, for as long as the client is there; `None` when it left first.
    pub(super) async fn take<T: Transport>(&self, client: &T) -> Option<Place<'_>> {
        poll_fn(|cx| {
            if let Some(left) = self.free.get().checked_sub(1) {
                self.free.set(left);
                return Poll::Ready(Some(Place(self)));
            }
            // Always pending: it registers for the next place that is freed.
            let _ = self.freed.poll_after(cx, self.freed.count());
            client.poll_closed(cx).map(|()| None)
        })
        .await
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.freed.notify();
    }
}
