//! Accepting, and spreading connections over the shards.
//!
//! The kernel wakes waiters on a shared listener in a fixed order, and spreads a port's listeners by a hash that is
//! uneven for few connections. So whoever accepts hands a connection to the shard with the fewest.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use rustix::net::sockopt;

use crate::identity::Peer;
use crate::rt::{Acceptor, Deadline, Ring, Sender};
use crate::sys::credentials::peer_credentials;

/// Connections by which a shard may lead before it hands one over.
const LEAD: usize = 1;
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// A connection on its way to the shard that will serve it. It counts as that shard's until it is dropped.
pub struct Arrival {
    socket: Option<OwnedFd>,
    peer: Peer,
    count: Count,
}

struct Count {
    loads: Arc<[AtomicUsize]>,
    shard: usize,
}

impl Drop for Count {
    fn drop(&mut self) {
        if let Some(load) = self.loads.get(self.shard) {
            load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Keeps a served connection counted.
pub struct Counted(#[expect(dead_code, reason = "held for its drop")] Count);

impl Arrival {
    /// The socket, who is at its other end, and what to hold while it is served.
    pub fn take(mut self) -> Option<(OwnedFd, Peer, Counted)> {
        let socket = self.socket.take()?;
        Some((socket, self.peer, Counted(self.count)))
    }
}

/// Knows how many connections each shard has, and how to reach it.
pub struct Router<M> {
    loads: Arc<[AtomicUsize]>,
    shards: Vec<Sender<M>>,
}

impl<M: From<Arrival>> Router<M> {
    /// For shards that take messages at `shards`.
    pub fn new(shards: Vec<Sender<M>>) -> Router<M> {
        let loads = shards.iter().map(|_| AtomicUsize::new(0)).collect();
        Router { loads, shards }
    }

    /// How many connections each shard has.
    pub fn loads(&self) -> Vec<usize> {
        self.loads.iter().map(|load| load.load(Ordering::Relaxed)).collect()
    }

    fn choose(&self, own: usize) -> usize {
        let load = |shard: usize| self.loads.get(shard).map_or(usize::MAX, |load| load.load(Ordering::Relaxed));
        let least = (0..self.loads.len()).min_by_key(|&shard| load(shard)).unwrap_or(own);
        if load(own) <= load(least).saturating_add(LEAD) { own } else { least }
    }

    /// Gives a connection to the shard with the fewest. Returns it when that is `own`.
    fn route(&self, own: usize, socket: OwnedFd, peer: Peer) -> Option<M> {
        let shard = self.choose(own);
        let arrival = self.arrival(shard, socket, peer);
        if shard == own {
            return Some(arrival);
        }
        // A shard whose queue is full is busy enough: the connection stays here, counted there.
        self.shards.get(shard).and_then(|target| target.send(arrival).err())
    }

    fn arrival(&self, shard: usize, socket: OwnedFd, peer: Peer) -> M {
        if let Some(load) = self.loads.get(shard) {
            load.fetch_add(1, Ordering::Relaxed);
        }
        M::from(Arrival { socket: Some(socket), peer, count: Count { loads: Arc::clone(&self.loads), shard } })
    }
}

/// Accepts on one listener for ever and routes what comes; what stays on this shard goes to `keep`. `exhausted` is told
/// when the process has no descriptor left for the next connection.
pub async fn accept<M: From<Arrival>>(
    ring: &Ring,
    own: usize,
    acceptor: &Acceptor,
    router: &Router<M>,
    mut keep: impl FnMut(M),
    exhausted: impl Fn(),
) {
    let pause = Deadline::new(ring);
    let mut backoff = BACKOFF_FIRST;
    loop {
        let accepted = poll_fn(|cx| acceptor.poll_accept(cx)).await;
        match accepted.and_then(|socket| peer_of(&socket).map(|peer| (socket, peer))) {
            Ok((socket, peer)) => {
                backoff = BACKOFF_FIRST;
                router.route(own, socket, peer).into_iter().for_each(&mut keep);
            }
            Err(error) if is_transient(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: others have to finish first.
                exhausted();
                tracing::warn!(%error, backoff_ms = backoff.as_millis() as u64, "accept failed");
                pause.set(backoff);
                poll_fn(|cx| if pause.is_reached(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// Errors of the connection that was accepted, not of accepting.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | NotConnected)
}

/// What the kernel says of the other end; also sets what an accepted TCP connection needs.
fn peer_of(socket: &OwnedFd) -> io::Result<Peer> {
    let peer = rustix::net::getpeername(socket)?;
    if let Some(peer) = peer
        && let Ok(address) = std::net::SocketAddr::try_from(peer)
    {
        sockopt::set_tcp_nodelay(socket, true)?;
        // Dead peers are found, and half-closed tunnels kept alive, by keep-alive alone (spec 60 §4.4).
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, Duration::from_secs(60))?;
        sockopt::set_tcp_keepintvl(socket, Duration::from_secs(15))?;
        sockopt::set_tcp_keepcnt(socket, 4)?;
        return Ok(Peer::Tcp(address));
    }
    let credentials = peer_credentials(socket.as_fd())?;
    Ok(Peer::Unix { uid: credentials.uid, gid: credentials.gid, pid: credentials.pid })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::mailbox;

    #[test]
    fn connections_go_to_the_shard_with_the_fewest() {
        let (senders, mailboxes): (Vec<_>, Vec<_>) = (0..3).map(|_| mailbox::<Arrival>(100).unwrap()).unzip();
        let router = Router::new(senders);
        let mut kept = Vec::new();
        for _ in 0..60 {
            let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            let peer = Peer::Unix { uid: 0, gid: 0, pid: 1 };
            kept.extend(router.route(0, ours.into(), peer));
        }
        let loads = router.loads();
        assert_eq!(loads.iter().sum::<usize>(), 60);
        assert!(loads.iter().all(|&load| load.abs_diff(20) <= 1), "{loads:?}");
        // What is dropped is no longer counted, wherever it was waiting.
        drop((kept, mailboxes, router.shards));
        assert!(router.loads.iter().all(|load| load.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn peers_are_told_apart() {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let me = std::process::id();
        assert!(matches!(peer_of(&ours.into()), Ok(Peer::Unix { pid, .. }) if pid as u32 == me));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let server = OwnedFd::from(server);
        assert_eq!(peer_of(&server).unwrap(), Peer::Tcp(client.local_addr().unwrap()));
        assert!(sockopt::socket_keepalive(&server).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&server).unwrap(), Duration::from_secs(60));
    }
}
