//! The records of one shard on their way to the log writers (spec 70 §2, §3.1).
//!
//! Owns the batches in which a shard encodes, and what happens when a writer is behind: access records are lost and
//! counted, audit events are held back, and when too many are, connections are asked to wait.

use std::marker::PhantomData;
use std::time::Instant;

use super::sink::{Batch, Sink, StreamKind};
use crate::limits;
use crate::record::{Format, Level, Record, Timestamp, TimestampFormatter, access, audit};

/// Which records are written, and where.
#[derive(Clone, Debug)]
pub struct LogStreams {
    /// Sink of the operational log, which access records and failures of requests go to.
    pub operational: Sink,
    /// Form of the operational log.
    pub format: Format,
    /// Records of less importance are not written.
    pub level: Level,
    /// Whether there are access records.
    pub access: bool,
    /// Sink of the audit events, when there are any.
    pub audit: Option<Sink>,
}

/// Encodes the records of one shard. Belongs to the shard's thread.
#[derive(Debug)]
pub struct ShardLog {
    operational: Lane,
    format: Format,
    level: Level,
    has_access: bool,
    audit: Option<Lane>,
    timestamps: TimestampFormatter,
    not_send: PhantomData<*const ()>,
}

impl ShardLog {
    /// The log of one shard.
    #[must_use]
    pub fn new(streams: &LogStreams) -> ShardLog {
        ShardLog {
            operational: Lane::new(streams.operational.clone(), StreamKind::Access),
            format: streams.format,
            level: streams.level,
            has_access: streams.access,
            audit: streams.audit.clone().map(|sink| Lane::new(sink, StreamKind::Audit)),
            timestamps: TimestampFormatter::new(),
            not_send: PhantomData,
        }
    }

    /// Writes the access record and the audit event of a request that has ended at this time, nanoseconds since the
    /// Unix epoch.
    pub fn finish(&mut self, record: &Record<'_>, unix_nanoseconds: u64) {
        let has_access = self.has_access && access::level(record) >= self.level;
        if !has_access && self.audit.is_none() {
            return;
        }
        let timestamp = self.timestamps.format(unix_nanoseconds);
        if has_access {
            self.access(record, &timestamp);
        }
        self.audit(record, &timestamp);
    }

    /// Writes the record of an exchange with the Engine that failed.
    pub fn upstream_failed(&mut self, record: &Record<'_>, error: &str, unix_nanoseconds: u64) {
        let timestamp = self.timestamps.format(unix_nanoseconds);
        let format = self.format;
        self.operational.append(|out| access::encode_upstream_failure(record, error, format, &timestamp, out));
        self.operational.hand_over_full_batch();
    }

    /// Hands what was encoded to the writers if they have an empty buffer to give in return; to be called once a turn.
    /// A writer that is behind gets larger batches instead of more of them, and no buffer is allocated.
    pub fn offer(&mut self) {
        self.operational.offer();
        if let Some(audit) = &mut self.audit {
            audit.offer();
        }
    }

    /// Hands what was encoded to the writers; to be called soon after an [`offer`](Self::offer) that left something.
    pub fn flush(&mut self) {
        self.operational.hand_over_or_lose();
        if let Some(total) = self.operational.sink.losses_to_report(StreamKind::Access) {
            tracing::warn!(dropped_total = total, "access records dropped");
        }
        if let Some(audit) = &mut self.audit {
            audit.hand_over();
            if let Some(total) = audit.sink.losses_to_report(StreamKind::Audit) {
                tracing::warn!(dropped_total = total, "audit events dropped");
            }
        }
    }

    /// Whether so many audit events are held back that a connection should wait before it takes its next request.
    #[must_use]
    pub fn audit_congested(&self) -> bool {
        self.audit.as_ref().is_some_and(|audit| audit.bytes.len() >= limits::AUDIT_BACKLOG_SOFT_BYTES)
    }

    /// Whether anything is left after an [`offer`](Self::offer) or a [`flush`](Self::flush). The shard must then flush
    /// without waiting for traffic: nobody wakes it when there is room.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        !self.operational.bytes.is_empty() || self.audit.as_ref().is_some_and(|audit| !audit.bytes.is_empty())
    }

    /// Hands everything over before the shard ends, and waits for room until `deadline`.
    pub fn close(&mut self, deadline: Instant) {
        self.operational.hand_over_until(deadline);
        if let Some(audit) = &mut self.audit {
            audit.hand_over_until(deadline);
        }
    }

    fn access(&mut self, record: &Record<'_>, timestamp: &Timestamp) {
        let format = self.format;
        self.operational.append(|out| access::encode(record, format, timestamp, out));
        self.operational.hand_over_full_batch();
    }

    fn audit(&mut self, record: &Record<'_>, timestamp: &Timestamp) {
        let Some(lane) = &mut self.audit else { return };
        if lane.bytes.len() >= limits::AUDIT_BACKLOG_MAX_BYTES {
            lane.sink.count_lost(StreamKind::Audit, 1);
            return;
        }
        lane.append(|out| audit::encode(record, timestamp, out));
        if lane.bytes.len() >= limits::LOG_BATCH_BYTES {
            lane.hand_over();
        }
    }
}

#[cfg(test)]
impl ShardLog {
    pub(super) fn capacities(&self) -> (usize, Option<usize>) {
        (self.operational.bytes.capacity(), self.audit.as_ref().map(|lane| lane.bytes.capacity()))
    }

    pub(super) fn discard(&mut self) {
        self.operational.bytes.clear();
        self.audit.as_mut().into_iter().for_each(|lane| lane.bytes.clear());
    }
}

/// The current batch for one sink.
#[derive(Debug)]
struct Lane {
    sink: Sink,
    kind: StreamKind,
    bytes: Vec<u8>,
    records: u64,
}

impl Lane {
    fn new(sink: Sink, kind: StreamKind) -> Lane {
        Lane { bytes: Vec::new(), sink, kind, records: 0 }
    }

    fn append(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.bytes);
        self.records += 1;
    }

    fn take_batch(&mut self) -> Option<Batch> {
        if self.bytes.is_empty() {
            return None;
        }
        let (bytes, records) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.records));
        Some(Batch { bytes, records, kind: self.kind })
    }

    /// Hands the batch over if the writer has given a buffer back.
    fn offer(&mut self) {
        if !self.bytes.is_empty()
            && let Some(spare) = self.sink.spare()
        {
            self.hand_over_for(spare);
        }
    }

    /// Hands the batch over, or keeps it.
    fn hand_over(&mut self) {
        let spare = self.sink.spare().unwrap_or_default();
        self.hand_over_for(spare);
    }

    fn hand_over_for(&mut self, spare: Vec<u8>) {
        let Some(batch) = self.take_batch() else { return };
        match self.sink.send(batch) {
            Ok(()) => self.bytes = spare,
            Err(refused) => (self.bytes, self.records) = (refused.bytes, refused.records),
        }
    }

    /// Hands the batch over, or counts its records as lost.
    fn hand_over_or_lose(&mut self) {
        self.hand_over();
        if !self.bytes.is_empty() {
            self.bytes.clear();
            self.sink.count_lost(self.kind, std::mem::take(&mut self.records));
        }
    }

    fn hand_over_full_batch(&mut self) {
        if self.bytes.len() >= limits::LOG_BATCH_BYTES {
            self.hand_over_or_lose();
        }
    }

    fn hand_over_until(&mut self, deadline: Instant) {
        if let Some(batch) = self.take_batch() {
            self.sink.send_until(batch, deadline);
        }
    }
}
