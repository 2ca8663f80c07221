//! Listeners: bound before anything serves, accepted on the shards' rings, spread over the shards.

mod accept;
mod tcp;
mod unix;

pub use accept::{Arrival, Router, accept};
pub use tcp::bind_tcp;
pub use unix::{UnixBinding, bind_unix};

use std::io;
use std::os::fd::OwnedFd;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Why a listener could not be bound; the texts are spec 60 §6's.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is not `host:port`, or the host is unknown.
    #[error("cannot resolve listen address {address:?}: {cause}")]
    Address {
        /// As configured.
        address: String,
        /// Why.
        cause: io::Error,
    },
    /// Somebody else listens there, or the address is not ours.
    #[error("cannot bind {address}: {cause}")]
    Bind {
        /// Address or path.
        address: String,
        /// Why.
        cause: io::Error,
    },
    /// Something that is not a socket is at the path. It is never removed.
    #[error("socket path {0:?} exists and is not a socket")]
    NotASocket(String),
    /// Another process serves the path.
    #[error("socket path {0:?} is actively serving another process; refusing to steal a live listener")]
    Live(String),
    /// It cannot be told whether another process serves the path.
    #[error("socket path {path:?}: probe result is ambiguous; refusing to remove it: {cause}")]
    Ambiguous {
        /// The path.
        path: String,
        /// What the probe said.
        cause: io::Error,
    },
    /// The path changed while it was probed: somebody else is starting there.
    #[error("socket path {0:?} changed during stale-socket probe; refusing to remove it")]
    Changed(String),
    /// The path is in use and cannot be looked at.
    #[error("socket path already in use and could not inspect {path:?}: {cause}")]
    Uninspectable {
        /// The path.
        path: String,
        /// Why.
        cause: io::Error,
    },
    /// The leftover of an earlier process cannot be removed.
    #[error("remove stale socket: {0}")]
    Stale(io::Error),
}

impl ListenError {
    /// Whether somebody else has the address, who may be on the way out.
    pub fn may_pass(&self) -> bool {
        match self {
            ListenError::Live(_) | ListenError::Changed(_) => true,
            ListenError::Bind { cause, .. } => cause.kind() == io::ErrorKind::AddrInUse,
            ListenError::Address { .. }
            | ListenError::NotASocket(_)
            | ListenError::Ambiguous { .. }
            | ListenError::Uninspectable { .. }
            | ListenError::Stale(_) => false,
        }
    }
}

/// The listening sockets of one listener.
pub enum Listening {
    /// One socket for each shard; the kernel spreads connections over them.
    Each(Vec<OwnedFd>),
    /// One socket, accepted on the first shard.
    One(OwnedFd),
}
