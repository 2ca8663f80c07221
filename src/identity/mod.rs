//! Who is calling: the facts that the kernel states about the peer of a connection.
//!
//! Owns the identity of a connection before any policy is applied. Nothing in here comes from the request, so that no
//! client can choose who it is.

use std::net::SocketAddr;

/// The peer of an accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A TCP peer, by the address that the kernel reports.
    Tcp(SocketAddr),
    /// A unix-socket peer, by the credentials that the kernel recorded when it connected.
    Unix {
        /// Effective user id.
        uid: u32,
        /// Effective group id.
        gid: u32,
        /// Process id in the proxy's namespace; 0 when the peer lives in another one.
        pid: i32,
    },
}
