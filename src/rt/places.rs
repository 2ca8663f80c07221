//! A limited number of places for what needs much of a shard, handed out in the order in which they were asked for.
//!
//! Of those who wait only the first is ever woken, so a long queue costs nothing while it stands.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::ring::Ring;

/// The places of one kind. Whoever needs many is not overtaken by those who need few.
pub struct Places {
    ring: Ring,
    all: usize,
    free: Cell<usize>,
    queue: RefCell<VecDeque<Asked>>,
    next_ticket: Cell<u64>,
}

struct Asked {
    ticket: u64,
    count: usize,
    waker: Option<Waker>,
}

impl Places {
    /// So many places, all of them free.
    pub fn new(ring: &Ring, all: usize) -> Places {
        Places {
            ring: ring.clone(),
            all,
            free: Cell::new(all),
            queue: RefCell::default(),
            next_ticket: Cell::default(),
        }
    }

    /// Queues up for `count` places, or for all if there are not so many.
    pub fn queue_up(&self, count: usize) -> Waiting<'_> {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        self.queue.borrow_mut().push_back(Asked { ticket, count: count.min(self.all), waker: None });
        Waiting { places: self, ticket }
    }

    /// Whether somebody waits for more places than are free.
    pub fn are_short(&self) -> bool {
        self.queue.borrow().front().is_some_and(|first| first.count > self.free.get())
    }

    fn give_back(&self, count: usize) {
        self.free.set(self.free.get() + count);
        self.wake_first();
    }

    fn wake_first(&self) {
        let waker = self.queue.borrow_mut().front_mut().and_then(|first| first.waker.take());
        if let Some(waker) = waker {
            self.ring.mark();
            waker.wake();
        }
    }
}

/// One who waits for places; leaves the queue on drop.
pub struct Waiting<'p> {
    places: &'p Places,
    ticket: u64,
}

impl<'p> Waiting<'p> {
    /// Ready once there are enough places and everybody who asked earlier has been served or has left.
    pub fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Taken<'p>> {
        let mut queue = self.places.queue.borrow_mut();
        if let Some(first) = queue.front()
            && first.ticket == self.ticket
            && let Some(left) = self.places.free.get().checked_sub(first.count)
        {
            let taken = Taken { places: self.places, count: first.count };
            self.places.free.set(left);
            queue.pop_front();
            drop(queue);
            self.places.wake_first();
            return Poll::Ready(taken);
        }
        if let Some(asked) = self.find(&queue).and_then(|at| queue.get_mut(at))
            && !asked.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker()))
        {
            asked.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn find(&self, queue: &VecDeque<Asked>) -> Option<usize> {
        queue.binary_search_by_key(&self.ticket, |asked| asked.ticket).ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut queue = self.places.queue.borrow_mut();
        let at = self.find(&queue);
        at.map(|at| queue.remove(at));
        drop(queue);
        if at == Some(0) {
            self.places.wake_first();
        }
    }
}

/// Places that were taken; given back on drop.
pub struct Taken<'p> {
    places: &'p Places,
    count: usize,
}

impl Taken<'_> {
    /// Gives back all but `count` of them.
    pub fn keep(&mut self, count: usize) {
        let surplus = self.count.saturating_sub(count);
        self.count -= surplus;
        self.places.give_back(surplus);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.places.give_back(self.count);
    }
}
