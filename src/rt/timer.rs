//! Deadlines: a hashed timer wheel that the turn's wait time-out drives.
//!
//! A deadline is set and cleared far more often than it is reached, so both only write its time; the wheel entry stays
//! where it is and is moved when it comes up early. Resolution is one tick.

use std::task::Waker;
use std::time::{Duration, Instant};

use slab::Slab;

use super::ring::Ring;

const TICK: Duration = Duration::from_millis(32);
/// Slots of the wheel; a deadline further away than `SLOTS` ticks is moved on when its slot comes up.
const SLOTS: usize = 4096;

struct Entry {
    generation: u32,
    /// The tick at which the deadline is reached; `None` while it is cleared.
    due: Option<u64>,
    /// The tick of the wheel slot that holds this entry; `None` while no slot does.
    queued: Option<u64>,
    waker: Option<Waker>,
}

/// The deadlines of one ring.
pub(super) struct Wheel {
    started: Instant,
    /// Every tick before this one was served.
    served: u64,
    slots: Vec<Vec<(u32, u32)>>,
    entries: Slab<Entry>,
    generation: u32,
    queued: usize,
    /// No slot before this tick holds anything.
    soonest: u64,
}

impl Wheel {
    pub(super) fn new(now: Instant) -> Wheel {
        let slots = std::iter::repeat_with(Vec::new).take(SLOTS).collect();
        Wheel { started: now, served: 0, slots, entries: Slab::new(), generation: 0, queued: 0, soonest: u64::MAX }
    }

    fn tick(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.started).as_millis();
        u64::try_from(since.div_ceil(TICK.as_millis())).unwrap_or(u64::MAX)
    }

    fn insert(&mut self) -> (usize, u32) {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        (self.entries.insert(Entry { generation, due: None, queued: None, waker: None }), generation)
    }

    fn enqueue(&mut self, key: usize, tick: u64) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let tick = tick.max(self.served).min(self.served + SLOTS as u64 - 1);
        entry.queued = Some(tick);
        let generation = entry.generation;
        self.slots[(tick % SLOTS as u64) as usize].push((key as u32, generation));
        self.queued += 1;
        self.soonest = self.soonest.min(tick);
    }

    fn set(&mut self, key: usize, at: Instant) {
        let due = self.tick(at);
        let Some(entry) = self.entries.get_mut(key) else { return };
        entry.due = Some(due);
        if entry.queued.is_none_or(|queued| queued > due) {
            self.enqueue(key, due);
        }
    }

    /// The wait after which [`Wheel::serve`] may have something to do; `None` when nothing is queued.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        if self.queued == 0 {
            return None;
        }
        let at = self.started + TICK * u32::try_from(self.soonest).unwrap_or(u32::MAX);
        Some(at.saturating_duration_since(now))
    }

    /// Moves the wheel to `now` and collects the wakers of the deadlines that were reached.
    pub(super) fn serve(&mut self, now: Instant, wake: &mut Vec<Waker>) {
        let elapsed = now.saturating_duration_since(self.started).as_millis() / TICK.as_millis();
        let end = u64::try_from(elapsed).unwrap_or(u64::MAX).saturating_add(1);
        if end <= self.soonest {
            self.served = self.served.max(end);
            return;
        }
        self.served = self.served.max(self.soonest);
        while self.served < end && self.queued > 0 {
            let slot = (self.served % SLOTS as u64) as usize;
            let mut due = std::mem::take(&mut self.slots[slot]);
            let tick = self.served;
            self.served += 1;
            self.queued -= due.len();
            for (key, generation) in due.drain(..) {
                self.come_up(key as usize, generation, tick, wake);
            }
            if self.slots[slot].is_empty() {
                self.slots[slot] = due;
            }
        }
        self.served = self.served.max(end);
        self.soonest = self.next_occupied();
    }

    fn next_occupied(&self) -> u64 {
        if self.queued == 0 {
            return u64::MAX;
        }
        let mut ticks = self.served..self.served + SLOTS as u64;
        ticks.find(|tick| !self.slots[(tick % SLOTS as u64) as usize].is_empty()).unwrap_or(self.served)
    }

    fn come_up(&mut self, key: usize, generation: u32, tick: u64, wake: &mut Vec<Waker>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        if entry.generation != generation || entry.queued != Some(tick) {
            return;
        }
        entry.queued = None;
        match entry.due {
            Some(due) if due <= tick => wake.extend(entry.waker.take()),
            Some(due) => self.enqueue(key, due),
            None => {}
        }
    }
}

/// One deadline of one task. Reached once the ring's clock has passed it; the task that polled it is then woken.
pub struct Deadline {
    ring: Ring,
    key: usize,
}

impl Deadline {
    /// A cleared deadline.
    pub fn new(ring: &Ring) -> Deadline {
        let (key, _) = ring.inner().wheel.insert();
        Deadline { ring: ring.clone(), key }
    }

    /// Sets it to `after` from the ring's present.
    pub fn set(&self, after: Duration) {
        let mut ring = self.ring.inner();
        let at = ring.now + after;
        ring.wheel.set(self.key, at);
    }

    /// Makes it unreachable until it is set again.
    pub fn clear(&self) {
        if let Some(entry) = self.ring.inner().wheel.entries.get_mut(self.key) {
            entry.due = None;
        }
    }

    /// Whether it is reached; if not, `waker` is woken when it is.
    pub fn is_reached(&self, waker: &Waker) -> bool {
        let mut ring = self.ring.inner();
        let served = ring.wheel.served;
        let Some(entry) = ring.wheel.entries.get_mut(self.key) else { return false };
        if entry.due.is_some_and(|due| due < served) {
            return true;
        }
        if !entry.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            entry.waker = Some(waker.clone());
        }
        false
    }

    /// Completes when it is reached.
    pub async fn reached(&self) {
        std::future::poll_fn(|cx| {
            if self.is_reached(cx.waker()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.ring.inner().wheel.entries.try_remove(self.key);
    }
}
