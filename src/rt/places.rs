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
    /// Less than nothing while somebody has more than there are.
    free: Cell<isize>,
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
            free: Cell::new(signed(all)),
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
        self.queue.borrow().front().is_some_and(|first| signed(first.count) > self.free.get())
    }

    fn give_back(&self, count: isize) {
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
#[must_use]
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
            && self.places.free.get() >= signed(first.count)
        {
            let taken = Taken { places: self.places, count: first.count };
            self.places.free.set(self.places.free.get() - signed(first.count));
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
#[must_use]
pub struct Taken<'p> {
    places: &'p Places,
    count: usize,
}

impl Taken<'_> {
    /// Has it be so many instead: gives some back, or takes more without waiting, even if that is more than are free.
    /// Then nobody is served until enough have come back.
    pub fn resize(&mut self, count: usize) {
        self.places.give_back(signed(self.count) - signed(count));
        self.count = count;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.places.give_back(signed(self.count));
    }
}

fn signed(count: usize) -> isize {
    isize::try_from(count).unwrap_or(isize::MAX)
}
