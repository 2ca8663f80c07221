//! The Docker Engine as a shard uses it: dialled, pooled, checked.
//!
//! Owns the idle connections of one shard. A connection is given back only after a complete exchange, and one that its
//! peer has closed meanwhile is never handed out (spec 60 §3.8). Must not know what is asked of the Engine.

pub mod lookup;
pub mod reach;

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::Instant;

use crate::limits;
use crate::rt::{Deadline, Ring, Stream, connect};

struct Idle {
    stream: Stream,
    since: Instant,
}

impl Idle {
    /// Whether it may serve again. Bytes on an idle connection answer nothing that was asked: it cannot be trusted.
    fn is_usable(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < limits::POOL_IDLE_TIMEOUT
            && !self.stream.is_closed()
            && !self.stream.has_received()
    }
}

/// One shard's way to the Engine.
pub struct Engine {
    ring: Ring,
    socket: PathBuf,
    /// Idle connections, the one used last at the end.
    idle: RefCell<Vec<Idle>>,
    idle_max: usize,
    prune: Deadline,
}

impl Engine {
    /// The Engine behind `socket`, for one of `shards` shards.
    pub fn new(ring: &Ring, socket: &Path, shards: usize) -> Engine {
        Engine {
            ring: ring.clone(),
            socket: socket.to_owned(),
            idle: RefCell::default(),
            idle_max: (limits::POOL_MAX_IDLE_CONNECTIONS / shards.max(1)).max(1),
            prune: Deadline::new(ring),
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// An idle connection that was alive at the beginning of this turn.
    pub fn take_idle(&self) -> Option<Stream> {
        let mut idle = self.idle.borrow_mut();
        while let Some(one) = idle.pop() {
            if one.is_usable(self.ring.now()) {
                return Some(one.stream);
            }
        }
        None
    }

    /// A fresh connection.
    ///
    /// # Errors
    /// The Engine cannot be reached.
    pub async fn dial(&self) -> io::Result<Stream> {
        connect(&self.ring, &self.socket).await
    }

    /// Keeps a connection for the next request; only after a complete request and a complete answer.
    pub fn give_back(&self, stream: Stream) {
        stream.watch();
        let mut idle = self.idle.borrow_mut();
        if idle.is_empty() {
            self.prune.set(limits::POOL_IDLE_TIMEOUT);
        }
        if idle.len() < self.idle_max {
            idle.push(Idle { stream, since: self.ring.now() });
        }
    }

    /// Closes idle connections that may not serve again; for the shard's housekeeping task, which it wakes when there is
    /// something to do.
    pub fn poll_prune(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.prune.is_reached(cx.waker()) {
            return Poll::Pending;
        }
        self.prune.clear();
        let now = self.ring.now();
        let mut idle = self.idle.borrow_mut();
        idle.retain(|one| one.is_usable(now));
        if !idle.is_empty() {
            self.prune.set(limits::POOL_IDLE_TIMEOUT);
        }
        Poll::Ready(())
    }

    /// Closes all idle connections.
    pub fn close_idle(&self) {
        self.idle.take();
    }

    /// How many connections are idle.
    pub fn idle_connections(&self) -> usize {
        self.idle.borrow().len()
    }
}
