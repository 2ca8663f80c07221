//! What the outside sees of the process: access and audit records, the operational log, metrics, the banner.
//!
//! Owns the log writers and the metric storage. The forms of records are in [`record`](crate::record). Nothing here
//! blocks a shard and nothing takes a lock per request.

pub mod banner;
pub mod logger;
pub mod metrics;
pub mod observer;
pub mod process;
pub mod shard_log;
pub mod sink;
#[cfg(test)]
mod tests;
mod writer;

pub use metrics::{ActiveRequest, BuildInfo, Metrics, ReloadOutcome, ShardMetrics};
pub use observer::ShardObserver;
pub use process::Observer;
pub use shard_log::{LogStreams, ShardLog};
pub use sink::{Sink, SinkError, SinkTarget, SinkTargetError, Sinks};
