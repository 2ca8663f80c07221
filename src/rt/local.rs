//! Wake-ups between tasks of one shard.
//!
//! Whatever wakes another task marks the turn, which then does not wait in the kernel while a task is ready. This and
//! [`super::places`] are all there is.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

use super::ring::Ring;

/// A counter of events that any number of tasks can wait on.
pub struct Notify {
    ring: Ring,
    count: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Notify {
    /// No event yet.
    pub fn new(ring: &Ring) -> Notify {
        Notify { ring: ring.clone(), count: Cell::new(0), waiting: RefCell::new(Vec::new()) }
    }

    /// How many events there were.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// Announces an event to all that wait.
    pub fn notify(&self) {
        self.count.set(self.count.get() + 1);
        let waiting = self.waiting.take();
        if !waiting.is_empty() {
            self.ring.mark();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Ready when there were more than `seen` events.
    pub fn poll_after(&self, cx: &mut Context<'_>, seen: u64) -> Poll<()> {
        if self.count.get() > seen {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|known| known.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Completes when there were more than `seen` events.
    pub async fn after(&self, seen: u64) {
        std::future::poll_fn(|cx| self.poll_after(cx, seen)).await;
    }
}
