//! The operational log, line by line.

use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::observe::logger::LogLayer;
use crate::record::{Format, Level};

/// The lines that `events` leaves behind, without their times.
fn logged(format: Format, level: Level, events: impl FnOnce()) -> Vec<String> {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 64);
    let subscriber = tracing_subscriber::registry().with(LogLayer::new(sink, format, level));
    tracing::subscriber::with_default(subscriber, events);
    assert!(sinks.close());
    read_all(reader).lines().map(|line| without_time(line, format)).collect()
}

fn without_time(line: &str, format: Format) -> String {
    let (start, end, time_bytes) = match format {
        Format::Json => ("{\"time\":\"20", "\",", 30),
        Format::Text => ("time=20", " ", 24),
    };
    let rest = line.strip_prefix(start).unwrap_or_else(|| panic!("{line}"));
    let (time, rest) = rest.split_once(end).unwrap();
    assert!(time.len() == time_bytes - 2 && time.ends_with('Z'), "{line}");
    rest.to_owned()
}

fn some_events() {
    let error = std::io::Error::other("disk on fire");
    let cause: &dyn std::error::Error = &error;
    tracing::info!(version = "1.2.3", rules = 15_u64, delta = -1_i64, share = 0.5, up = true, "sockguard started");
    tracing::warn!(error = cause, socket = %"/run/a b.sock", kind = ?Some(1), "remove socket error");
    tracing::info!(throttle.method = "GET", throttle.cost = 2.5, throttle.burst = 4.0, after = 1, "throttle");
    tracing::error!("plain");
}

#[test]
fn json_lines() {
    assert_eq!(
        logged(Format::Json, Level::Info, some_events),
        [
            r#""level":"INFO","msg":"sockguard started","version":"1.2.3","rules":15,"delta":-1,"share":0.5,"up":true}"#,
            r#""level":"WARN","msg":"remove socket error","error":"disk on fire","socket":"/run/a b.sock","kind":"Some(1)"}"#,
            r#""level":"INFO","msg":"throttle","throttle":{"method":"GET","cost":2.5,"burst":4},"after":1}"#,
            r#""level":"ERROR","msg":"plain"}"#,
        ]
    );
}

#[test]
fn text_lines() {
    assert_eq!(
        logged(Format::Text, Level::Info, some_events),
        [
            "level=INFO msg=\"sockguard started\" version=1.2.3 rules=15 delta=-1 share=0.5 up=true",
            "level=WARN msg=\"remove socket error\" error=\"disk on fire\" socket=\"/run/a b.sock\" kind=Some(1)",
            "level=INFO msg=throttle throttle.method=GET throttle.cost=2.5 throttle.burst=4 after=1",
            "level=ERROR msg=plain",
        ]
    );
}

#[test]
fn the_message_stands_first_and_a_group_at_the_end_is_closed() {
    let lines = logged(Format::Json, Level::Info, || {
        tracing::info!(throttle.reason = "x", message = "late");
    });
    assert_eq!(lines, [r#""level":"INFO","msg":"late","throttle":{"reason":"x"}}"#]);
}

#[test]
fn level_filters() {
    for (level, expected) in [(Level::Debug, 4), (Level::Info, 3), (Level::Warn, 2), (Level::Error, 1)] {
        let lines = logged(Format::Text, level, || {
            tracing::trace!("t");
            tracing::debug!("d");
            tracing::info!("i");
            tracing::warn!("w");
            tracing::error!("e");
        });
        assert_eq!(lines.len(), expected, "{level:?}");
    }
}

/// Field report 79, in the operational log.
#[test]
fn report_79_attributes_cannot_split_a_line() {
    let hostile = "a\r\nlevel=INFO msg=forged\u{2028}\u{1b}[31m";
    for format in [Format::Json, Format::Text] {
        let lines = logged(format, Level::Info, || {
            tracing::info!(path = hostile, error = %hostile, debug = ?hostile, "{hostile}");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(!line.contains(|character: char| character.is_control() || character == '\u{2028}'), "{line}");
    }
}

#[test]
fn spans_leave_nothing_behind() {
    let lines = logged(Format::Text, Level::Debug, || {
        let _entered = tracing::info_span!("span", a = 1).entered();
        tracing::info!("inside");
    });
    assert_eq!(lines, ["level=INFO msg=inside"]);
}

#[test]
fn a_full_queue_loses_events_and_blocks_nobody() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 1);
    let subscriber = tracing_subscriber::registry().with(LogLayer::new(sink.clone(), Format::Text, Level::Info));
    let mut logged = 0;
    tracing::subscriber::with_default(subscriber, || {
        while sink.lost(StreamKind::Operational) == 0 {
            tracing::info!(padding = "x".repeat(4000), "event");
            logged += 1;
        }
    });
    let reading = std::thread::spawn(move || read_all(reader));
    assert!(sinks.close_until(far()));
    assert_eq!(reading.join().unwrap().lines().count() as u64 + sink.lost(StreamKind::Operational), logged);
}
