//! The exposition, read back.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::names::ALL;
use super::*;
use crate::endpoint::Route;
use crate::identity::Peer;
use crate::limits;
use crate::policy::{Decision, Mode, Reason};
use crate::record::{Listener, OwnershipContext, Protocol, Record, RequestId, TraceContext};

const BUILD: BuildInfo = BuildInfo { version: "1.2.3", commit: "abc", date: "2026-01-02", runtime: "rustc 1.95.0" };

fn metrics() -> Arc<Metrics> {
    Metrics::new(BUILD, UNIX_EPOCH + Duration::from_micros(1_767_366_245_250_000))
}

/// What the records of these tests borrow.
struct Request {
    request_id: RequestId,
    trace: TraceContext,
    peer: Peer,
    ownership: OwnershipContext,
}

static REQUEST: LazyLock<Request> = LazyLock::new(|| Request {
    request_id: RequestId::default(),
    trace: TraceContext::default(),
    peer: Peer::Unix { uid: 0, gid: 0, pid: 1 },
    ownership: OwnershipContext { owner: String::new(), label_key: String::new() },
});

/// Counts a request that differs from an allowed `GET` by what `change` does.
fn count<'a>(shard: &mut ShardMetrics, path: &'a [u8], change: impl FnOnce(&mut Record<'a>)) {
    let Request { request_id, trace, peer, ownership } = &*REQUEST;
    let mut record = Record {
        method: b"GET",
        raw_path: path,
        canonical_path: path,
        request_id,
        client_request_id: b"",
        trace,
        decision: Some(Decision::Allow),
        rule: 0,
        profile: None,
        mode: None,
        reason: Some(Reason::MatchedAllowRule),
        reason_text: "",
        status: 200,
        latency_microseconds: 7_500,
        sent_bytes: 2,
        peer,
        listener: Listener::Unix,
        tls: false,
        protocol: Protocol::Http11,
        ownership,
    };
    change(&mut record);
    shard.finished(&record, Route::of(path));
}

fn exposed(metrics: &Metrics) -> String {
    let mut out = Vec::new();
    metrics.expose(&mut out);
    String::from_utf8(out).unwrap()
}

/// Samples by name and labels, in the order of the exposition, after a check of the form.
fn samples(text: &str) -> Vec<(String, f64)> {
    let mut family = ("", "");
    let mut lines = text.lines().peekable();
    let mut samples = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap();
            assert!(!help.is_empty());
            family = (name, kind);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let suffix = series.split('{').next().unwrap().strip_prefix(family.0).unwrap();
        let suffixes: &[&str] = if family.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        samples.push((series.to_owned(), value.parse().unwrap()));
    }
    assert!(text.ends_with('\n'));
    samples
}

fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    samples(&exposed(metrics)).into_iter().find(|(name, _)| name == series).map(|(_, value)| value)
}

#[test]
fn a_fresh_process_shows_its_families_in_order() {
    let text = exposed(&metrics());
    let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let absent = ["sockguard_upstream_socket_up", "sockguard_config_reload_last_success_timestamp_seconds"];
    let expected: Vec<&str> = ALL.iter().map(|family| family.name).filter(|name| !absent.contains(name)).collect();
    assert_eq!(families, expected);
    assert!(text.contains(
        "\nsockguard_build_info{version=\"1.2.3\",commit=\"abc\",build_date=\"2026-01-02\",go_version=\"rustc 1.95.0\"} 1\n"
    ));
    assert!(text.contains("\nsockguard_start_time_seconds 1767366245.25\n"));
    assert!(text.contains("\nsockguard_http_requests_active 0\n"));
    assert_eq!(samples(&text).len(), 3);
}

#[test]
fn gauges_appear_with_their_first_observation() {
    let metrics = metrics();
    metrics.watchdog_checked(false);
    assert_eq!(value(&metrics, "sockguard_upstream_socket_up"), Some(0.0));
    metrics.watchdog_checked(true);
    metrics.watchdog_checked(true);
    assert_eq!(value(&metrics, "sockguard_upstream_socket_up"), Some(1.0));
    assert_eq!(value(&metrics, "sockguard_upstream_watchdog_checks_total{result=\"connected\"}"), Some(2.0));
    assert_eq!(value(&metrics, "sockguard_upstream_watchdog_checks_total{result=\"unreachable\"}"), Some(1.0));

    let last = "sockguard_config_reload_last_success_timestamp_seconds";
    let moment = UNIX_EPOCH + Duration::from_millis(1_500);
    metrics.reloaded(ReloadOutcome::RejectImmutable, moment);
    assert_eq!(value(&metrics, last), None);
    metrics.reloaded(ReloadOutcome::Ok, moment);
    metrics.reloaded(ReloadOutcome::RejectLoad, moment + Duration::from_secs(1));
    assert_eq!(value(&metrics, last), Some(1.5));
    for result in ["ok", "reject_immutable", "reject_load"] {
        assert_eq!(value(&metrics, &format!("sockguard_config_reload_total{{result=\"{result}\"}}")), Some(1.0));
    }
    let text = exposed(&metrics);
    let families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    assert_eq!(families, ALL.map(|family| family.name));
}

#[test]
fn a_request_counts_in_its_series() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    count(&mut shard, b"/info", |_| {});
    count(&mut shard, b"/info", |record| record.latency_microseconds = 20_000_000);
    count(&mut shard, b"/info", |record| {
        (record.decision, record.status) = (Some(Decision::Deny), 403);
        record.reason = Some(Reason::NoMatchingAllowRule);
    });
    let text = exposed(&metrics);
    for line in [
        "sockguard_http_requests_total{decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\",status=\"200\"} 2",
        "sockguard_http_requests_total{decision=\"deny\",method=\"GET\",profile=\"default\",route=\"/info\",status=\"403\"} 1",
        "sockguard_http_denied_requests_total{mode=\"enforce\",profile=\"default\",reason_code=\"no_matching_allow_rule\",route=\"/info\"} 1",
        "sockguard_http_request_duration_seconds_bucket{decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\",le=\"0.005\"} 0",
        "sockguard_http_request_duration_seconds_bucket{decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\",le=\"0.01\"} 1",
        "sockguard_http_request_duration_seconds_bucket{decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\",le=\"10\"} 1",
        "sockguard_http_request_duration_seconds_bucket{decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\",le=\"+Inf\"} 2",
        "sockguard_http_request_duration_seconds_sum{decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\"} 20.0075",
        "sockguard_http_request_duration_seconds_count{decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\"} 2",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}\n{text}");
    }
    // 1 build, 1 start, 2 requests, 1 denied, 2 × (12 + 2) duration, 1 active
    assert_eq!(samples(&text).len(), 34);
}

#[test]
fn decision_label_of_what_was_never_evaluated_follows_the_status() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    for (decision, status, label) in [
        (None, 200, "allow"),
        (None, 399, "allow"),
        (None, 400, "error"),
        (None, 503, "error"),
        (Some(Decision::Allow), 502, "allow"),
        (Some(Decision::WouldDeny), 201, "would_deny"),
        (Some(Decision::Deny), 404, "deny"),
    ] {
        count(&mut shard, b"/_ping", |record| (record.decision, record.status) = (decision, status));
        let series = format!(
            "sockguard_http_requests_total{{decision=\"{label}\",method=\"GET\",profile=\"default\",route=\"/_ping\",status=\"{status}\"}}"
        );
        assert_eq!(value(&metrics, &series), Some(1.0), "{series}");
    }
}

#[test]
fn denials_carry_mode_profile_and_reason() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    for (decision, mode, reason, labels) in [
        (Decision::Deny, None, None, Some("mode=\"enforce\",profile=\"ci\",reason_code=\"unknown\"")),
        (
            Decision::WouldDeny,
            Some(Mode::Warn),
            Some(Reason::NoMatchingAllowRule),
            Some("mode=\"warn\",profile=\"ci\",reason_code=\"no_matching_allow_rule\""),
        ),
        (
            Decision::WouldDeny,
            Some(Mode::Audit),
            Some(Reason::NoMatchingAllowRule),
            Some("mode=\"audit\",profile=\"ci\",reason_code=\"no_matching_allow_rule\""),
        ),
        (Decision::Allow, Some(Mode::Warn), Some(Reason::MatchedAllowRule), None),
    ] {
        let before = samples(&exposed(&metrics)).iter().filter(|(name, _)| name.contains("denied")).count();
        count(&mut shard, b"/info", |record| {
            (record.decision, record.mode, record.reason) = (Some(decision), mode, reason);
            record.profile = Some("ci");
        });
        let after = samples(&exposed(&metrics));
        assert_eq!(
            after.iter().filter(|(name, _)| name.contains("denied")).count() - before,
            usize::from(labels.is_some())
        );
        if let Some(labels) = labels {
            let series = format!("sockguard_http_denied_requests_total{{{labels},route=\"/info\"}}");
            assert_eq!(value(&metrics, &series), Some(1.0), "{series}");
        }
    }
}

#[test]
fn a_client_cannot_invent_methods() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    for method in ["BREW", "get", "", "GET ", "XGET", "A\"},x=\"", "PUT"] {
        count(&mut shard, b"/info", |record| record.method = method.as_bytes());
    }
    let text = exposed(&metrics);
    assert!(text.contains("method=\"UNKNOWN\",profile=\"default\",route=\"/info\",status=\"200\"} 6\n"));
    assert!(text.contains("method=\"PUT\",profile=\"default\",route=\"/info\",status=\"200\"} 1\n"));
    assert_eq!(text.matches("sockguard_http_requests_total{").count(), 2);
}

#[test]
fn samples_are_sorted_by_label_values() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    for (method, path, profile, status) in [
        ("PUT", "/info", None, 403),
        ("GET", "/info", Some("zeta"), 200),
        ("GET", "/_ping", None, 404),
        ("GET", "/_ping", None, 200),
        ("DELETE", "/containers/json", Some("alpha"), 200),
    ] {
        count(&mut shard, path.as_bytes(), |record| {
            (record.method, record.profile, record.status) = (method.as_bytes(), profile, status);
        });
    }
    let names: Vec<String> = samples(&exposed(&metrics))
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("sockguard_http_requests_total{"))
        .collect();
    assert_eq!(names.len(), 5);
    assert!(names.is_sorted(), "{names:#?}");
}

#[test]
fn a_scrape_adds_up_the_shards() {
    let metrics = metrics();
    let (mut one, mut other) = (metrics.shard(), metrics.shard());
    let (first, _second) = (one.started(), other.started());
    count(&mut one, b"/info", |_| {});
    count(&mut other, b"/info", |record| record.latency_microseconds = 500);
    count(&mut other, b"/_ping", |_| {});
    let labels = "decision=\"allow\",method=\"GET\",profile=\"default\",route=\"/info\"";
    assert_eq!(value(&metrics, &format!("sockguard_http_requests_total{{{labels},status=\"200\"}}")), Some(2.0));
    assert_eq!(value(&metrics, &format!("sockguard_http_request_duration_seconds_sum{{{labels}}}")), Some(0.008));
    assert_eq!(value(&metrics, "sockguard_http_requests_active"), Some(2.0));
    drop(first);
    assert_eq!(value(&metrics, "sockguard_http_requests_active"), Some(1.0));
}

#[test]
fn a_panic_releases_the_active_gauge() {
    let metrics = metrics();
    let shard = metrics.shard();
    let active = shard.started();
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _active = active;
        std::panic::resume_unwind(Box::new("connection broke"));
    }));
    assert!(outcome.is_err());
    assert_eq!(value(&metrics, "sockguard_http_requests_active"), Some(0.0));
}

#[test]
fn throttles_count_every_time() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    for _ in 0..3 {
        shard.throttled(Some("ci"), Mode::Audit, Reason::RateLimitExceeded);
    }
    shard.throttled(None, Mode::Enforce, Reason::RateLimitExceeded);
    // Profile label of a request and of a throttle differ; the same index must not mix them up.
    count(&mut shard, b"/info", |record| record.profile = Some("ci"));
    let text = exposed(&metrics);
    for line in [
        "sockguard_throttle_requests_total{mode=\"audit\",profile=\"ci\",reason_code=\"rate_limit_exceeded\"} 3",
        "sockguard_throttle_requests_total{mode=\"enforce\",profile=\"_anonymous\",reason_code=\"rate_limit_exceeded\"} 1",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{text}");
    }
}

#[test]
fn inflight_gauges_go_with_their_limit() {
    let metrics = metrics();
    let gauge = metrics.inflight("ci");
    gauge.inc();
    metrics.inflight("ci").inc();
    metrics.inflight("ops").set(7);
    assert_eq!(value(&metrics, "sockguard_inflight_requests{profile=\"ci\"}"), Some(2.0));
    metrics.retain_inflight(|profile| profile == "ops");
    gauge.dec();
    assert_eq!(value(&metrics, "sockguard_inflight_requests{profile=\"ci\"}"), None);
    assert_eq!(value(&metrics, "sockguard_inflight_requests{profile=\"ops\"}"), Some(7.0));
}

#[test]
fn a_profile_name_cannot_break_the_format() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    count(&mut shard, b"/info", |record| record.profile = Some("a\"b\\c\nd"));
    assert!(exposed(&metrics).contains("profile=\"a\\\"b\\\\c\\nd\""));
    samples(&exposed(&metrics));
}

#[test]
fn the_number_of_series_is_bounded_and_nothing_goes_uncounted() {
    let metrics = metrics();
    let mut shard = metrics.shard();
    let mut requests = 0;
    let profiles: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();
    for profile in &profiles {
        for status in 100..1000 {
            count(&mut shard, b"/info", |record| (record.profile, record.status) = (Some(profile.as_str()), status));
            requests += 1;
        }
    }
    assert!(requests > limits::METRIC_SERIES_MAX);
    let counted: BTreeMap<String, f64> = samples(&exposed(&metrics))
        .into_iter()
        .filter(|(name, _)| name.starts_with("sockguard_http_requests_total{"))
        .collect();
    assert!(counted.len() <= limits::METRIC_SERIES_MAX + 900, "{}", counted.len());
    assert_eq!(counted.values().sum::<f64>(), requests as f64);
    assert!(counted.keys().any(|name| name.contains("method=\"UNKNOWN\",profile=\"default\",route=\"unknown\"")));
}
