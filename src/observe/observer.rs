//! Everything that a shard does about a request besides serving it.

use std::time::Instant;

use super::metrics::{ActiveRequest, ShardMetrics};
use super::shard_log::ShardLog;
use crate::endpoint::Route;
use crate::policy::{Mode, Reason};
use crate::record::Record;

/// One shard's log and metrics. Belongs to the shard's thread.
#[derive(Debug)]
pub struct ShardObserver {
    log: ShardLog,
    metrics: Option<ShardMetrics>,
}

impl ShardObserver {
    /// Observes into this log, and into metrics when they are on.
    #[must_use]
    pub fn new(log: ShardLog, metrics: Option<ShardMetrics>) -> ShardObserver {
        ShardObserver { log, metrics }
    }

    /// A request has begun; it is in flight until the guard is dropped. None when there are no metrics.
    #[must_use]
    pub fn started(&self) -> Option<ActiveRequest> {
        self.metrics.as_ref().map(ShardMetrics::started)
    }

    /// A request has ended at this time, nanoseconds since the Unix epoch.
    pub fn finish(&mut self, record: &Record<'_>, route: Route, unix_nanoseconds: u64) {
        if let Some(metrics) = &mut self.metrics {
            metrics.finished(record, route);
        }
        self.log.finish(record, unix_nanoseconds);
    }

    /// An exchange with the Engine has failed.
    pub fn upstream_failed(&mut self, record: &Record<'_>, error: &str, unix_nanoseconds: u64) {
        self.log.upstream_failed(record, error, unix_nanoseconds);
    }

    /// A limit has turned a request down, or would have.
    pub fn throttled(&mut self, profile: Option<&str>, mode: Mode, reason: Reason) {
        if let Some(metrics) = &mut self.metrics {
            metrics.throttled(profile, mode, reason);
        }
    }

    /// Hands what was recorded to the writers if they keep up; to be called once a turn.
    pub fn offer(&mut self) {
        self.log.offer();
    }

    /// Hands what was recorded to the writers; to be called soon after an [`offer`](Self::offer) that left something.
    pub fn flush(&mut self) {
        self.log.flush();
    }

    /// Whether a connection should wait before it takes its next request.
    #[must_use]
    pub fn audit_congested(&self) -> bool {
        self.log.audit_congested()
    }

    /// Whether [`flush`](Self::flush) has to be called although nothing happens.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        self.log.has_backlog()
    }

    /// Hands everything over before the shard ends, and waits for room until `deadline`.
    pub fn close(&mut self, deadline: Instant) {
        self.log.close(deadline);
    }
}
