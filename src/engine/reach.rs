//! Whether the Engine can be reached: once at start, and for `/health`.
//!
//! Connection level only, no request (spec 60 §5, §7).

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::limits;
use crate::rt::{Deadline, Notify, Ring, connect};

/// Why the Engine cannot be reached at start; the texts are spec 60 §5's.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// Nothing is at the path: is the Engine installed, is the path mounted?
    #[error("upstream socket not found ({0}): {1}")]
    NotFound(String, io::Error),
    /// The socket belongs to others: run as a member of its group.
    #[error("permission denied on upstream socket ({0}): {1}")]
    Denied(String, io::Error),
    /// The Engine does not accept.
    #[error("upstream socket unreachable ({0}): {1}")]
    Unreachable(String, io::Error),
}

/// Connects to the Engine and closes, blocking for at most [`limits::DIAL_TIMEOUT`].
///
/// # Errors
/// Why it cannot be reached.
pub fn check_at_start(socket: &Path) -> Result<(), ReachError> {
    let path = socket.display().to_string();
    match connect_blocking(socket, limits::DIAL_TIMEOUT) {
        Ok(()) => Ok(()),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::NotFound => ReachError::NotFound(path, error),
            io::ErrorKind::PermissionDenied => ReachError::Denied(path, error),
            _ => ReachError::Unreachable(path, error),
        }),
    }
}

/// Connects to a unix socket and closes. A full backlog is waited for until `limit` has passed.
///
/// # Errors
/// The kernel's.
pub fn connect_blocking(socket: &Path, limit: Duration) -> io::Result<()> {
    let address = SocketAddrUnix::new(socket)?;
    let began = Instant::now();
    loop {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match rustix::net::connect(&probe, &address) {
            Err(rustix::io::Errno::AGAIN) if began.elapsed() < limit => {
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// The latest observation of a watchdog, for every shard to read.
#[derive(Debug, Default)]
pub struct Observation(AtomicU8);

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

impl Observation {
    /// Records an observation; returns the one before.
    pub fn record(&self, is_up: bool) -> Option<bool> {
        known(self.0.swap(if is_up { UP } else { DOWN }, Ordering::Relaxed))
    }

    /// Whether the Engine was up when it was last looked at; `None` before the first look.
    pub fn latest(&self) -> Option<bool> {
        known(self.0.load(Ordering::Relaxed))
    }
}

fn known(state: u8) -> Option<bool> {
    (state != UNKNOWN).then_some(state == UP)
}

/// One shard's view of the Engine's liveness, with the cache of spec 60 §7: concurrent questions share one check.
pub struct Liveness {
    ring: Ring,
    last: Cell<Option<(Instant, bool)>>,
    error: RefCell<String>,
    checking: Cell<bool>,
    checked: Notify,
}

impl Liveness {
    /// Nothing is known yet.
    pub fn new(ring: &Ring) -> Liveness {
        Liveness {
            ring: ring.clone(),
            last: Cell::new(None),
            error: RefCell::default(),
            checking: Cell::new(false),
            checked: Notify::new(ring),
        }
    }

    fn believed(&self) -> Option<bool> {
        let (at, alive) = self.last.get()?;
        let ttl = if alive { limits::HEALTH_SUCCESS_TTL } else { limits::HEALTH_FAILURE_TTL };
        (self.ring.now().saturating_duration_since(at) < ttl).then_some(alive)
    }

    /// Whether the Engine accepts connections; `Err` says why not, for the log.
    pub async fn check(&self, socket: &Path) -> Result<(), String> {
        loop {
            if let Some(alive) = self.believed() {
                return if alive { Ok(()) } else { Err(self.error.borrow().clone()) };
            }
            if self.checking.get() {
                self.checked.after(self.checked.count()).await;
                continue;
            }
            // The guard tells the others even when this caller goes away half-way.
            let guard = Checking::begin(self);
            let outcome = self.connect(socket).await;
            self.last.set(Some((self.ring.now(), outcome.is_ok())));
            *self.error.borrow_mut() = outcome.as_ref().err().cloned().unwrap_or_default();
            drop(guard);
            return outcome;
        }
    }

    async fn connect(&self, socket: &Path) -> Result<(), String> {
        let deadline = Deadline::new(&self.ring);
        deadline.set(limits::HEALTH_CONNECT_TIMEOUT);
        let connecting = async { connect(&self.ring, socket).await.map(drop).map_err(|error| error.to_string()) };
        let late = async {
            deadline.reached().await;
            Err("timed out".to_owned())
        };
        futures_lite::future::or(connecting, late).await
    }
}

struct Checking<'l>(&'l Liveness);

impl<'l> Checking<'l> {
    fn begin(liveness: &'l Liveness) -> Self {
        liveness.checking.set(true);
        Checking(liveness)
    }
}

impl Drop for Checking<'_> {
    fn drop(&mut self) {
        self.0.checking.set(false);
        self.0.checked.notify();
    }
}
