//! A scripted Docker Engine: the one test double that tests, benches and the demo put behind the proxy.
//!
//! Owns a unix socket, one thread per connection and the record of what arrived. It answers as a small Engine does
//! (`canned.rs` lists the routes), and a test replaces any answer by path. It never judges a request and never
//! sleeps: what has to wait, waits for a [`Gate`] or for the client. It is no part of the product's request path and
//! uses plain threads on purpose, so that a fault in `rt` cannot hide in it.

mod answer;
mod canned;
mod exchange;
mod seen;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Gate};
pub use exchange::Exchange;
pub use seen::{RECORDED_BODY_MAX_BYTES, RECORDED_REQUESTS_MAX, SeenRequest};

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use answer::Route;
use exchange::{Connection, serve_connection};
use seen::Ledger;

/// Size of the archive that `GET /images/{id}/get` answers with, unless [`ScriptedEngine::set_image_bytes`] says so.
pub const DEFAULT_IMAGE_BYTES: u64 = 8 << 20;

/// Stack of a connection thread: the scripts are shallow, and tests open thousands of connections.
const THREAD_STACK_BYTES: usize = 256 << 10;

/// A running scripted Engine. Dropping it closes every connection, stops the listener and removes the socket.
#[derive(Debug)]
pub struct ScriptedEngine {
    shared: Arc<Shared>,
    listener: Arc<UnixListener>,
    socket_inode: u64,
    acceptor: Option<JoinHandle<()>>,
}

/// What the handle and the connection threads share.
#[derive(Debug)]
struct Shared {
    socket: PathBuf,
    ledger: Ledger,
    script: Mutex<Script>,
    connections: Mutex<Connections>,
    connections_changed: Condvar,
}

#[derive(Debug)]
struct Script {
    /// The latest comes first when a request is answered.
    routes: Vec<Route>,
    image_bytes: u64,
}

#[derive(Debug, Default)]
struct Connections {
    open: HashMap<u64, UnixStream>,
    accepted: u64,
    stopping: bool,
}

impl ScriptedEngine {
    /// Listens on `socket` (which must not exist) and answers from the first moment.
    ///
    /// # Errors
    /// The bind error: most often a socket file that is already there, a folder that is not, or a path over 107 bytes.
    pub fn start(socket: impl AsRef<Path>) -> io::Result<Self> {
        let socket = socket.as_ref().to_path_buf();
        let listener = Arc::new(UnixListener::bind(&socket)?);
        let socket_inode = std::fs::symlink_metadata(&socket)?.ino();
        let shared = Arc::new(Shared {
            socket,
            ledger: Ledger::default(),
            script: Mutex::new(Script { routes: Vec::new(), image_bytes: DEFAULT_IMAGE_BYTES }),
            connections: Mutex::new(Connections::default()),
            connections_changed: Condvar::new(),
        });
        let acceptor = {
            let (shared, listener) = (Arc::clone(&shared), Arc::clone(&listener));
            thread("scripted-accept").spawn(move || accept(&shared, &listener))?
        };
        Ok(Self { shared, listener, socket_inode, acceptor: Some(acceptor) })
    }

    /// The path of its socket.
    pub fn socket(&self) -> &Path {
        &self.shared.socket
    }

    /// Answers requests of `method` (`*`: any) on `path` with `answer` from now on; a later script wins over an
    /// earlier one and over the canned routes. `path` is compared without query and `/vN.NN` prefix; a segment `*`
    /// matches any one segment.
    pub fn on(&self, method: &str, path: &str, answer: Answer) {
        lock(&self.shared.script).routes.push(Route::new(method, path, answer));
    }

    /// Size of the archive that `GET /images/{id}/get` answers with.
    pub fn set_image_bytes(&self, bytes: u64) {
        lock(&self.shared.script).image_bytes = bytes;
    }

    /// The requests that arrived, oldest first; at most the latest [`RECORDED_REQUESTS_MAX`].
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.shared.ledger.requests()
    }

    /// How many requests arrived since the start.
    pub fn requests_total(&self) -> u64 {
        self.shared.ledger.total()
    }

    /// The first recorded request that `matches`, waiting for it for at most `within`. A request is recorded with its
    /// head and again when its body has ended, so a predicate may ask for either.
    pub fn wait_for(&self, within: Duration, matches: impl Fn(&SeenRequest) -> bool) -> Option<SeenRequest> {
        self.shared.ledger.wait_for(within, matches)
    }

    /// How many connections were accepted since the start.
    pub fn connections_accepted(&self) -> u64 {
        lock(&self.shared.connections).accepted
    }

    /// How many connections are open.
    pub fn connections_open(&self) -> usize {
        lock(&self.shared.connections).open.len()
    }

    /// Waits until `count` connections or fewer are open; false when that takes longer than `within`.
    pub fn wait_for_open_at_most(&self, count: usize, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut connections = lock(&self.shared.connections);
        while connections.open.len() > count {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            connections = self
                .shared
                .connections_changed
                .wait_timeout(connections, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// Closes every open connection, as an Engine that restarts does; it goes on accepting.
    pub fn disconnect_all(&self) {
        disconnect(&lock(&self.shared.connections));
    }
}

impl Drop for ScriptedEngine {
    fn drop(&mut self) {
        {
            let mut connections = lock(&self.shared.connections);
            connections.stopping = true;
            disconnect(&connections);
        }
        // Wakes the accepting thread, which no signal and no close of a descriptor would do.
        if rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both).is_ok()
            && let Some(acceptor) = self.acceptor.take()
        {
            // A panic in there has been printed already.
            let _ = acceptor.join();
        }
        // Another Engine may have taken the path meanwhile.
        if std::fs::symlink_metadata(&self.shared.socket).is_ok_and(|now| now.ino() == self.socket_inode) {
            let _ = std::fs::remove_file(&self.shared.socket);
        }
    }
}

impl Shared {
    fn register(&self, stream: &UnixStream) -> io::Result<u64> {
        let copy = stream.try_clone()?;
        let mut connections = lock(&self.connections);
        if connections.stopping {
            return Err(io::Error::other("the scripted engine is stopping"));
        }
        connections.accepted += 1;
        let number = connections.accepted;
        connections.open.insert(number, copy);
        Ok(number)
    }

    fn forget(&self, number: u64) {
        lock(&self.connections).open.remove(&number);
        self.connections_changed.notify_all();
    }

    fn stopping(&self) -> bool {
        lock(&self.connections).stopping
    }
}

fn accept(shared: &Arc<Shared>, listener: &UnixListener) {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(_) if shared.stopping() => return,
            // Out of descriptors: one may be free in a moment.
            Err(_) => {
                std::thread::park_timeout(Duration::from_millis(5));
                continue;
            }
        };
        let Ok(number) = shared.register(&stream) else { continue };
        let thread_shared = Arc::clone(shared);
        let spawned = thread("scripted-connection").spawn(move || {
            // A script that panics (a failed assertion in a test's closure) must not leave its connection open.
            let forget = Forget { shared: &thread_shared, number };
            serve_connection(&thread_shared, Connection::new(stream, number));
            drop(forget);
        });
        if spawned.is_err() {
            shared.forget(number);
        }
    }
}

/// Takes the connection off the list whichever way its thread ends.
struct Forget<'s> {
    shared: &'s Shared,
    number: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.shared.forget(self.number);
    }
}

fn disconnect(connections: &Connections) {
    for stream in connections.open.values() {
        // Already closed by the other side: nothing left to do.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn thread(name: &str) -> std::thread::Builder {
    std::thread::Builder::new().name(name.to_owned()).stack_size(THREAD_STACK_BYTES)
}

/// The lock, whether or not a script panicked while it held one: what it guards is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
