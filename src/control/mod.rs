//! The control core: start-up in order, supervision, shutdown.
//!
//! Plain threads. Shares with the data plane only the published [`Generation`](crate::proxy::Generation) and bounded
//! channels.

mod server;
mod shards;
mod signals;
mod watchdog;

pub use server::{ServeError, Server, Stopped};
