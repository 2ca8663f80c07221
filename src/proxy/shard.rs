//! What all connections of one shard share.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::clock::{Dates, Random};
use super::exchange::Exchange;
use super::filter::LongAnswers;
use super::generation::{Policy, Published};
use crate::engine::Engine;
use crate::engine::reach::{Liveness, Observation};
use crate::inspect;
use crate::limits;
use crate::observe::{Observer, ShardObserver};
use crate::record::{Listener, OwnershipContext};
use crate::redaction::Scratch;
use crate::rt::{Deadline, Notify, Offload, Places, Ring};

/// How soon writers that had no room are asked again.
const BACKLOG_RETRY: Duration = Duration::from_millis(30);
/// How long a shard waits for the writers at its end.
const RECORDS_CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// Exchanges that a shard keeps ready.
const KEPT_EXCHANGES: usize = 128;

/// Facts of the process that no request changes.
pub struct Facts {
    /// Which listener requests arrive on.
    pub listener: Listener,
    /// Path of the health endpoint, when it is on.
    pub health_path: Option<Box<[u8]>>,
    /// Path of the metrics endpoint, when it is on.
    pub metrics_path: Option<Box<[u8]>>,
    /// What the watchdog sees, when it runs.
    pub watched: Option<Arc<Observation>>,
    /// The Engine's socket.
    pub upstream: PathBuf,
    /// Version of the product.
    pub version: &'static str,
    /// When the process started.
    pub started: Instant,
    /// What records say of ownership.
    pub ownership: OwnershipContext,
    /// How many shards there are.
    pub shards: usize,
    /// Where bodies that are too large for memory wait for their inspection.
    pub spool_folder: PathBuf,
}

/// One shard of the data plane.
pub struct Shard {
    pub(super) ring: Ring,
    pub(super) engine: Engine,
    pub(super) liveness: Liveness,
    pub(super) policy: Policy,
    pub(super) facts: Arc<Facts>,
    pub(super) process: Arc<Observer>,
    pub(super) observer: RefCell<ShardObserver>,
    pub(super) dates: RefCell<Dates>,
    pub(super) random: RefCell<Random>,
    #[expect(clippy::vec_box, reason = "exchanges are large and move between pool and connections as pointers")]
    exchanges: RefCell<Vec<Box<Exchange>>>,
    /// Requests in flight, tunnels not counted: what a drain waits for.
    in_flight: Cell<usize>,
    finished: Notify,
    connections: Cell<usize>,
    shed: Cell<Instant>,
    pub(super) redaction_scratch: RefCell<Scratch>,
    pub(super) long_answers: LongAnswers,
    pub(super) inspection_scratch: RefCell<inspect::dispatch::Scratch>,
    pub(super) spools: Places,
    pub(super) offload: Offload,
    /// When to offer the writers again what they had no room for.
    backlog: Deadline,
    has_backlog: Cell<bool>,
}

/// Counts one client connection.
pub(super) struct Connected(Rc<Shard>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}

impl Shard {
    /// Sets a shard up on its ring.
    pub fn new(
        ring: &Ring,
        facts: Arc<Facts>,
        published: Published,
        process: Arc<Observer>,
        offload: Offload,
    ) -> Shard {
        Shard {
            ring: ring.clone(),
            engine: Engine::new(ring, &facts.upstream, facts.shards),
            liveness: Liveness::new(ring),
            policy: Policy::new(published),
            observer: RefCell::new(process.shard()),
            process,
            backlog: Deadline::new(ring),
            has_backlog: Cell::new(false),
            dates: RefCell::new(Dates::new(ring.now())),
            random: RefCell::new(Random::new()),
            exchanges: RefCell::default(),
            in_flight: Cell::new(0),
            finished: Notify::new(ring),
            connections: Cell::new(0),
            shed: Cell::new(ring.now()),
            redaction_scratch: RefCell::new(Scratch::new()),
            long_answers: LongAnswers::new(ring),
            inspection_scratch: RefCell::default(),
            spools: Places::new(ring, limits::SPOOLS_AT_ONCE),
            offload,
            facts,
        }
    }

    /// The ring that everything of this shard lives on.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// How many client connections are open.
    pub fn connections(&self) -> usize {
        self.connections.get()
    }

    pub(super) fn begin_connection(self: &Rc<Self>) -> Connected {
        self.connections.set(self.connections.get() + 1);
        Connected(Rc::clone(self))
    }

    /// The Engine as this shard uses it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Hands the records of this turn to the writers; once a turn.
    pub fn flush_records(&self) {
        let mut observer = self.observer.borrow_mut();
        observer.offer();
        if observer.has_backlog() && !self.has_backlog.replace(true) {
            self.backlog.set(BACKLOG_RETRY);
        }
    }

    /// Hands over all records before the shard ends.
    pub fn close_records(&self) {
        self.observer.borrow_mut().close(Instant::now() + RECORDS_CLOSE_LIMIT);
    }

    /// Ready when there is housekeeping to do, which it then does: for the shard's main task, whom it wakes.
    pub fn poll_housekeeping(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.backlog.is_reached(cx.waker()) {
            self.backlog.clear();
            self.has_backlog.set(false);
            self.observer.borrow_mut().flush();
            return Poll::Ready(());
        }
        self.engine.poll_prune(cx)
    }

    /// Closes connections that are idle now: the process is out of descriptors (field report 75).
    pub fn shed_idle(&self) {
        self.shed.set(self.ring.now());
        self.ring.wake_all();
    }

    /// Whether a connection that has been idle since `since` should make room.
    pub(super) fn sheds(&self, since: Instant) -> bool {
        since < self.shed.get()
    }

    /// Completes when no request is in flight; tunnels are not waited for.
    pub async fn quiet(&self) {
        while self.in_flight.get() > 0 {
            self.finished.after(self.finished.count()).await;
        }
    }

    pub(super) fn take_exchange(&self) -> Box<Exchange> {
        let kept = self.exchanges.borrow_mut().pop();
        kept.unwrap_or_else(|| Box::new(Exchange::new(self.ring.now())))
    }

    pub(super) fn give_exchange(&self, mut exchange: Box<Exchange>) {
        exchange.reset();
        let mut kept = self.exchanges.borrow_mut();
        if kept.len() < KEPT_EXCHANGES {
            kept.push(exchange);
        }
    }

    pub(super) fn begin_request(&self) -> InFlight<'_> {
        self.in_flight.set(self.in_flight.get() + 1);
        InFlight { shard: self, counted: true }
    }
}

/// Counts one request that a drain waits for.
pub(super) struct InFlight<'s> {
    shard: &'s Shard,
    counted: bool,
}

impl InFlight<'_> {
    /// The request has become a tunnel: nobody waits for it any more.
    pub(super) fn is_tunnel(&mut self) {
        if std::mem::take(&mut self.counted) {
            self.shard.in_flight.set(self.shard.in_flight.get() - 1);
            self.shard.finished.notify();
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.is_tunnel();
    }
}
