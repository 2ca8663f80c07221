//! The data plane: connections, the handler chain, forwarding and tunnels.
//!
//! [`chain`] is the one function to open to see a request's whole way, in the order of spec 60 §1.1. Everything here
//! runs on a shard; what takes time or blocks happens elsewhere. The client's side is generic over [`Transport`], so
//! that TLS and tests can stand in for a socket.

mod chain;
mod clock;
mod connection;
mod download;
mod exchange;
mod filter;
mod forward;
mod generation;
mod inspection;
mod local;
mod shard;
mod transport;
mod tunnel;
mod upload;

pub use connection::serve;
pub use generation::{Generation, Published};
pub use shard::{Facts, Shard};
pub use transport::Transport;
