//! sockguard: a default-deny security proxy in front of the Docker Engine API.
//!
//! The crate has two halves. The *pure half* takes bytes and facts and returns decisions and bytes: no sockets, files,
//! clock, environment, threads or log macros. The *daemon half* (feature `daemon`) moves bytes, keeps time and owns
//! sockets and threads; it asks the pure half what to do and does it. Dependencies point down the pure list and from
//! the daemon half to the pure half, never back; `tests/layering.rs` holds this.
//!
//! A request crosses the modules in the order in which they are listed here; [`proxy`](crate::proxy) shows it whole.

// Pure half, in flow order: a module may use the ones above it.
pub mod limits;

pub mod http;
pub mod target;

pub mod glob;

pub mod endpoint;
pub mod json;

pub mod identity;
pub mod redaction;

pub mod inspect;
pub mod policy;

pub mod record;

// Daemon half.
#[cfg(feature = "daemon")]
pub mod sys;

#[cfg(feature = "daemon")]
pub mod rt;

#[cfg(feature = "daemon")]
pub mod observe;

#[cfg(feature = "daemon")]
pub mod config;

#[cfg(feature = "daemon")]
pub mod engine;
#[cfg(feature = "daemon")]
pub mod listen;

#[cfg(feature = "daemon")]
pub mod proxy;

#[cfg(feature = "daemon")]
pub mod control;

// Beside the product: the Engine that tests, benches and the demo put behind it.
#[cfg(feature = "daemon")]
pub mod scripted;

#[cfg(feature = "daemon")]
pub mod cli;
