//! Wake-ups between tasks of one shard.
//!
//! The only primitives through which one task may wake another: they mark the turn, which then does not wait in the
//! kernel while a task is ready.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
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

/// Tasks that wait in the order in which they came, of which only the first is ever woken.
pub struct Queue {
    ring: Ring,
    waiting: RefCell<VecDeque<(u64, Option<Waker>)>>,
    next_ticket: Cell<u64>,
}

/// A task's position in a [`Queue`]; it leaves on drop.
pub struct Turn<'q> {
    queue: &'q Queue,
    ticket: u64,
}

impl Queue {
    /// Nobody waits yet.
    pub fn new(ring: &Ring) -> Queue {
        Queue { ring: ring.clone(), waiting: RefCell::default(), next_ticket: Cell::default() }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Joins the queue at its end.
    pub fn join(&self) -> Turn<'_> {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        self.waiting.borrow_mut().push_back((ticket, None));
        Turn { queue: self, ticket }
    }

    /// Tells the first that what it waits for may be there.
    pub fn wake_first(&self) {
        let waker = self.waiting.borrow_mut().front_mut().and_then(|(_, waker)| waker.take());
        if let Some(waker) = waker {
            self.ring.mark();
            waker.wake();
        }
    }
}

impl Turn<'_> {
    /// Whether everybody who came before has left. The task is woken once that is so, and then by
    /// [`Queue::wake_first`].
    pub fn is_first(&self, cx: &Context<'_>) -> bool {
        let mut waiting = self.queue.waiting.borrow_mut();
        let Ok(place) = waiting.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket) else { return false };
        if let Some((_, waker)) = waiting.get_mut(place)
            && !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        place == 0
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting.borrow_mut();
        let place = waiting.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        if let Ok(place) = place {
            waiting.remove(place);
        }
        drop(waiting);
        if place == Ok(0) {
            self.queue.wake_first();
        }
    }
}
