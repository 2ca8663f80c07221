//! What the shards of one process report to.

use std::sync::Arc;

use super::{LogStreams, Metrics, ShardLog, ShardObserver};

/// The log streams and the metrics of the process.
#[derive(Debug)]
pub struct Observer {
    /// Where records go.
    pub streams: LogStreams,
    /// The metrics, when they are on.
    pub metrics: Option<Arc<Metrics>>,
}

impl Observer {
    /// The end that one shard reports through.
    #[must_use]
    pub fn shard(&self) -> ShardObserver {
        ShardObserver::new(ShardLog::new(&self.streams), self.metrics.as_ref().map(|metrics| metrics.shard()))
    }

    /// Appends the metrics in their text form; nothing when they are off.
    pub fn expose(&self, out: &mut Vec<u8>) {
        self.metrics.iter().for_each(|metrics| metrics.expose(out));
    }
}
