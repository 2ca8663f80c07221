//! Wall-clock time and randomness of a shard, both fetched in bulk.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::http::date::{DATE_BYTES, http_date};

/// The `Date` of the current second.
pub(super) struct Dates {
    anchor: Instant,
    anchor_nanoseconds: u64,
    second: u64,
    date: [u8; DATE_BYTES],
}

impl Dates {
    pub(super) fn new(now: Instant) -> Dates {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = u64::try_from(wall.as_nanos()).unwrap_or(u64::MAX);
        let second = nanoseconds / 1_000_000_000;
        Dates { anchor: now, anchor_nanoseconds: nanoseconds, second, date: http_date(second) }
    }

    /// Nanoseconds since the epoch at `now`. The wall clock is read again once a minute, so it follows corrections.
    pub(super) fn unix_nanoseconds(&mut self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.anchor);
        if since.as_secs() >= 60 {
            *self = Dates::new(now);
            return self.anchor_nanoseconds;
        }
        self.anchor_nanoseconds.saturating_add(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn date(&mut self, now: Instant) -> &[u8; DATE_BYTES] {
        let second = self.unix_nanoseconds(now) / 1_000_000_000;
        if second != self.second {
            self.second = second;
            self.date = http_date(second);
        }
        &self.date
    }
}

/// Random bytes for identifiers, from the kernel, a block at a time.
pub(super) struct Random {
    block: [u8; 4080],
    used: usize,
    fallback: u64,
}

impl Random {
    pub(super) fn new() -> Random {
        Random { block: [0; 4080], used: 4080, fallback: 0 }
    }

    /// The next `N` bytes; `N` is small.
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        if self.used + N > self.block.len() {
            self.refill();
        }
        let mut out = [0; N];
        out.copy_from_slice(&self.block[self.used..self.used + N]);
        self.used += N;
        out
    }

    fn refill(&mut self) {
        self.used = 0;
        let filled = rustix::rand::getrandom(&mut self.block[..], rustix::rand::GetRandomFlags::empty());
        if filled.is_ok_and(|count| count == self.block.len()) {
            return;
        }
        // Without kernel randomness: clock and counter, unique if not unguessable (spec 70 §4.1).
        for part in self.block.chunks_mut(16) {
            self.fallback += 1;
            let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
            let words = [nanoseconds.to_be_bytes(), self.fallback.to_be_bytes()].concat();
            part.copy_from_slice(&words[..part.len()]);
        }
    }
}
