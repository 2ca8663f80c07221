//! An Engine whose every connection does what a test says, byte by byte.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::PATIENCE;

/// Listens until the test ends; each connection gets a thread and the connection's number, counted from 0. A
/// connection that is closed before it says anything (the check at the product's start is one) is not counted.
pub(crate) struct BrokenEngine {
    folder: TempDir,
    connections: Arc<AtomicUsize>,
}

/// One connection from the product.
pub(crate) struct Upstream {
    stream: UnixStream,
    input: Vec<u8>,
}

impl BrokenEngine {
    /// Starts one whose connections do this.
    pub(crate) fn start(serve: impl Fn(&mut Upstream, usize) + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("engine.sock")).expect("it binds");
        let connections = Arc::new(AtomicUsize::new(0));
        let (serve, counted) = (Arc::new(serve), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (serve, counted) = (Arc::clone(&serve), Arc::clone(&counted));
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
                    let mut upstream = Upstream { stream, input: Vec::new() };
                    if upstream.receive() > 0 {
                        serve(&mut upstream, counted.fetch_add(1, Ordering::SeqCst));
                    }
                });
            }
        });
        Self { folder, connections }
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("engine.sock")
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Connections that said something.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Upstream {
    fn receive(&mut self) -> usize {
        let mut piece = [0; 16 << 10];
        let count = self.stream.read(&mut piece).unwrap_or(0);
        self.input.extend_from_slice(&piece[..count]);
        count
    }

    /// The next request head; `None` when the connection ended instead.
    pub(crate) fn request(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                return Some(String::from_utf8_lossy(&self.input.drain(..at + 4).collect::<Vec<_>>()).into_owned());
            }
            if self.receive() == 0 {
                return None;
            }
        }
    }

    /// Sends these bytes to somebody who may not want them.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Answers `/_ping`-like requests well, for as long as there are any.
    pub(crate) fn serve_well(&mut self) {
        while self.request().is_some() {
            self.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
        }
    }

    /// Reads this many bytes of what follows a head; false when the connection ends first.
    pub(crate) fn body(&mut self, count: usize) -> bool {
        while self.input.len() < count {
            if self.receive() == 0 {
                return false;
            }
        }
        self.input.drain(..count);
        true
    }

    /// Reads to the end of the product's side; what came.
    pub(crate) fn until_closed(&mut self) -> Vec<u8> {
        while self.receive() > 0 {}
        std::mem::take(&mut self.input)
    }
}
