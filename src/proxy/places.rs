//! A limited number of places for what needs much of a shard: whoever finds too few free waits in a queue.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use super::transport::Transport;
use crate::rt::{Queue, Ring};

/// The places of one kind on one shard.
pub(super) struct Places {
    free: Cell<usize>,
    queue: Queue,
}

/// Some of them; given back on drop.
pub(super) struct Taken<'p> {
    places: &'p Places,
    count: usize,
}

impl Places {
    pub(super) fn new(ring: &Ring, count: usize) -> Places {
        Places { free: Cell::new(count), queue: Queue::new(ring) }
    }

    /// Waits for `count` free places, which must not be more than there are, for as long as the client is there; `None`
    /// when it left first. Who came first is served first, so that many who need few do not keep out one who needs many.
    pub(super) async fn take<T: Transport>(&self, count: usize, client: &T) -> Option<Taken<'_>> {
        let turn = self.queue.join();
        poll_fn(|cx| {
            if turn.is_first(cx)
                && let Some(left) = self.free.get().checked_sub(count)
            {
                self.free.set(left);
                return Poll::Ready(Some(Taken { places: self, count }));
            }
            client.poll_closed(cx).map(|()| None)
        })
        .await
    }

    /// Whether somebody waits.
    pub(super) fn are_wanted(&self) -> bool {
        !self.queue.is_empty()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.places.free.set(self.places.free.get() + self.count);
        self.places.queue.wake_first();
    }
}
