//! Shard logs whose writer keeps up, and ones whose writer does not.

use super::*;
use crate::endpoint::Route;
use crate::identity::Peer;
use crate::limits;
use crate::observe::{LogStreams, Metrics, ShardLog, ShardObserver, metrics};
use crate::policy::{Decision, Reason};
use crate::record::{Format, Level, Listener, OwnershipContext, Protocol, Record, RequestId, TraceContext};

/// What a record borrows.
struct Request {
    request_id: RequestId,
    trace: TraceContext,
    peer: Peer,
    ownership: OwnershipContext,
}

impl Request {
    fn new() -> Request {
        Request {
            request_id: RequestId::default(),
            trace: TraceContext::default(),
            peer: Peer::Unix { uid: 0, gid: 0, pid: 1 },
            ownership: OwnershipContext { owner: String::new(), label_key: String::new() },
        }
    }

    fn record(&self, decision: Decision) -> Record<'_> {
        Record {
            method: b"GET",
            raw_path: b"/info",
            canonical_path: b"/info",
            request_id: &self.request_id,
            client_request_id: b"",
            trace: &self.trace,
            decision: Some(decision),
            rule: 0,
            profile: None,
            mode: None,
            reason: Some(Reason::MatchedAllowRule),
            reason_text: "",
            status: 200,
            latency_microseconds: 100,
            sent_bytes: 2,
            peer: &self.peer,
            listener: Listener::Unix,
            tls: false,
            protocol: Protocol::Http11,
            ownership: &self.ownership,
        }
    }
}

fn streams(operational: &Sink, audit: Option<&Sink>) -> LogStreams {
    LogStreams {
        operational: operational.clone(),
        format: Format::Json,
        level: Level::Info,
        access: true,
        audit: audit.cloned(),
    }
}

#[test]
fn a_request_leaves_one_record_and_one_event() {
    let (access_sinks, access, access_reader) = pipe_sink(Flush::AtOnce, 8);
    let (audit_sinks, audit, audit_reader) = pipe_sink(Flush::Buffered, 8);
    let request = Request::new();
    let mut log = ShardLog::new(&streams(&access, Some(&audit)));
    log.finish(&request.record(Decision::Allow), 1);
    log.finish(&request.record(Decision::Deny), 1_000_000_001);
    log.flush();
    assert!(!log.has_backlog() && !log.audit_congested());
    log.close(far());
    assert!(access_sinks.close() && audit_sinks.close());
    let (access, audit) = (read_all(access_reader), read_all(audit_reader));
    let messages: Vec<&str> = access.lines().map(|line| line.split('"').nth(11).unwrap()).collect();
    assert_eq!(messages, ["request", "request_denied"]);
    let times: Vec<&str> = audit.lines().map(|line| line.split('"').nth(7).unwrap()).collect();
    assert_eq!(times, ["1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:01.000000001Z"]);
}

#[test]
fn level_and_switch_silence_access_records_only() {
    for (level, has_access, expected) in [
        (Level::Info, true, (2, 2)),
        (Level::Debug, true, (2, 2)),
        (Level::Warn, true, (1, 2)),
        (Level::Error, true, (0, 2)),
        (Level::Info, false, (0, 2)),
    ] {
        let (access_sinks, access, access_reader) = pipe_sink(Flush::AtOnce, 8);
        let (audit_sinks, audit, audit_reader) = pipe_sink(Flush::AtOnce, 8);
        let request = Request::new();
        let mut log = ShardLog::new(&LogStreams { level, access: has_access, ..streams(&access, Some(&audit)) });
        log.finish(&request.record(Decision::Allow), 0);
        log.finish(&request.record(Decision::Deny), 0);
        // A failure is no access record.
        log.upstream_failed(&request.record(Decision::Allow), "refused", 0);
        log.close(far());
        assert!(access_sinks.close() && audit_sinks.close());
        let lines = read_all(access_reader);
        assert_eq!(lines.matches("\"msg\":\"upstream request failed\"").count(), 1);
        assert_eq!((lines.lines().count() - 1, read_all(audit_reader).lines().count()), expected, "{level:?}");
    }
}

#[test]
fn access_records_are_lost_and_counted_when_the_writer_is_behind() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 1);
    let request = Request::new();
    let mut log = ShardLog::new(&streams(&sink, None));
    let mut finished = 0;
    while sink.lost(StreamKind::Access) == 0 {
        log.finish(&request.record(Decision::Allow), 0);
        finished += 1;
        // Batches go at their size, also within one turn that lasts.
        assert!(finished < 10_000, "nothing was lost");
    }
    assert!(!log.has_backlog() && !log.audit_congested());
    let reading = std::thread::spawn(move || read_all(reader));
    log.close(far());
    assert!(sinks.close_until(far()));
    let written = reading.join().unwrap().lines().count() as u64;
    assert_eq!(written + sink.lost(StreamKind::Access), finished);
}

#[test]
fn audit_events_are_held_back_then_connections_wait_then_events_are_lost() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 1);
    let (access_sinks, access, _access_reader) = pipe_sink(Flush::AtOnce, 1);
    let request = Request::new();
    let mut log = ShardLog::new(&LogStreams { access: false, ..streams(&access, Some(&sink)) });
    let record = request.record(Decision::Allow);
    let (mut finished, mut congested_at) = (0, None);
    while sink.lost(StreamKind::Audit) == 0 {
        log.finish(&record, 0);
        log.flush();
        finished += 1;
        if log.audit_congested() && congested_at.is_none() {
            assert!(log.has_backlog());
            congested_at = Some(finished);
        }
        assert!(finished < 100_000, "the backlog has no bound");
    }
    let event = 600;
    let congested_at = congested_at.expect("connections were never asked to wait");
    assert!(finished - congested_at > (limits::AUDIT_BACKLOG_MAX_BYTES - limits::AUDIT_BACKLOG_SOFT_BYTES) / event / 2);
    let reading = std::thread::spawn(move || read_all(reader));
    log.close(far());
    assert!(!log.has_backlog() && !log.audit_congested());
    assert!(sinks.close_until(far()) && access_sinks.close());
    // Everything that was not counted as lost is there, whole.
    let text = reading.join().unwrap();
    assert_eq!(text.lines().count() as u64 + sink.lost(StreamKind::Audit), finished as u64);
    assert!(text.lines().all(|line| line.starts_with("{\"event_type\":") && line.ends_with("}}")));
}

#[test]
fn a_warm_shard_encodes_without_growing_its_buffers() {
    let (sinks, sink, _reader) = pipe_sink(Flush::Buffered, 8);
    let request = Request::new();
    let mut log = ShardLog::new(&streams(&sink, Some(&sink)));
    let record = request.record(Decision::Allow);
    log.finish(&record, 0);
    let before = log.capacities();
    // As many turns as it takes for a leak to show; the batches are emptied in place of a writer.
    for turn in 0..1000 {
        log.discard();
        log.finish(&record, turn);
    }
    assert_eq!(log.capacities(), before);
    assert!(sinks.close());
}

#[test]
fn an_observer_counts_and_writes() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 8);
    let build = metrics::BuildInfo { version: "1", commit: "c", date: "d", runtime: "r" };
    let metrics = Metrics::new(build, std::time::SystemTime::UNIX_EPOCH);
    let request = Request::new();
    let mut observer = ShardObserver::new(ShardLog::new(&streams(&sink, None)), Some(metrics.shard()));
    let active = observer.started();
    observer.finish(&request.record(Decision::Allow), Route::of(b"/info"), 0);
    drop(active);
    observer.flush();
    observer.close(far());
    assert!(sinks.close());
    assert_eq!(read_all(reader).lines().count(), 1);
    let mut out = Vec::new();
    metrics.expose(&mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("route=\"/info\",status=\"200\"} 1\n") && text.contains("\nsockguard_http_requests_active 0\n")
    );
}
