//! Whole lines against expectations written by hand.

use std::net::SocketAddr;

use super::*;

const NANOSECONDS: u64 = 1_767_366_245_123_456_789;

/// What a record borrows.
struct Request {
    request_id: RequestId,
    trace: TraceContext,
    peer: Peer,
    ownership: OwnershipContext,
}

impl Request {
    fn new(peer: Peer, traceparent: Option<&[u8]>) -> Request {
        Request {
            request_id: RequestId::from_random([0xab; 16]),
            trace: TraceContext::from_header(traceparent, &[0x11; TRACE_RANDOM_BYTES]),
            peer,
            ownership: OwnershipContext { owner: String::new(), label_key: "com.sockguard.owner".to_owned() },
        }
    }

    fn unix() -> Request {
        Request::new(Peer::Unix { uid: 1000, gid: 1000, pid: 7 }, None)
    }

    fn record(&self) -> Record<'_> {
        Record {
            method: b"GET",
            raw_path: b"/v1.45/containers/%6Ason/json",
            canonical_path: b"/containers/json/json",
            request_id: &self.request_id,
            client_request_id: b"",
            trace: &self.trace,
            decision: Some(Decision::Allow),
            rule: 2,
            profile: None,
            mode: None,
            reason: Some(Reason::MatchedAllowRule),
            reason_text: "",
            status: 200,
            latency_microseconds: 1234,
            sent_bytes: 517,
            peer: &self.peer,
            listener: Listener::Unix,
            tls: false,
            protocol: Protocol::Http11,
            ownership: &self.ownership,
        }
    }
}

fn written(encode: impl Fn(&Timestamp, &mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    encode(&Timestamp::from_unix_nanoseconds(NANOSECONDS), &mut out);
    String::from_utf8(out).unwrap()
}

fn json(record: &Record<'_>) -> String {
    written(|timestamp, out| access::encode_json(record, timestamp, out))
}

fn text(record: &Record<'_>) -> String {
    written(|timestamp, out| access::encode_text(record, timestamp, out))
}

fn audit(record: &Record<'_>) -> String {
    written(|timestamp, out| audit::encode(record, timestamp, out))
}

#[test]
fn access_record_of_an_allowed_request() {
    let request = Request::unix();
    assert_eq!(
        json(&request.record()),
        "{\"time\":\"2026-01-02T15:04:05.123456789Z\",\"level\":\"INFO\",\"msg\":\"request\",\"method\":\"GET\",\
         \"path\":\"/v1.45/containers/%6Ason/json\",\"request_id\":\"abababababababababababababababab\",\
         \"normalized_path\":\"/containers/json/json\",\"decision\":\"allow\",\"rule\":2,\
         \"reason_code\":\"matched_allow_rule\",\"trace_id\":\"11111111111111111111111111111111\",\
         \"trace_span_id\":\"1111111111111111\",\"trace_sampled\":false,\"status\":200,\"latency_ms\":1.234,\
         \"bytes\":517,\"client\":\"unix\"}\n"
    );
    assert_eq!(
        text(&request.record()),
        "time=2026-01-02T15:04:05.123Z level=INFO msg=request method=GET path=/v1.45/containers/%6Ason/json \
         request_id=abababababababababababababababab normalized_path=/containers/json/json decision=allow rule=2 \
         reason_code=matched_allow_rule trace_id=11111111111111111111111111111111 trace_span_id=1111111111111111 \
         trace_sampled=false status=200 latency_ms=1.234 bytes=517 client=unix\n"
    );
}

#[test]
fn access_record_with_every_member() {
    let address: SocketAddr = "[2001:db8::1]:4711".parse().unwrap();
    let request = Request::new(Peer::Tcp(address), Some(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
    let record = Record {
        client_request_id: b"caller\tid",
        decision: Some(Decision::WouldDeny),
        rule: -1,
        profile: Some("watch"),
        mode: Some(Mode::Warn),
        reason: Some(Reason::NoMatchingAllowRule),
        reason_text: "no matching allow rule",
        latency_microseconds: 2000,
        ..request.record()
    };
    assert_eq!(
        json(&record),
        "{\"time\":\"2026-01-02T15:04:05.123456789Z\",\"level\":\"WARN\",\"msg\":\"request_would_deny\",\
         \"method\":\"GET\",\"path\":\"/v1.45/containers/%6Ason/json\",\
         \"request_id\":\"abababababababababababababababab\",\"client_request_id\":\"caller\\tid\",\
         \"normalized_path\":\"/containers/json/json\",\"decision\":\"would_deny\",\"rule\":-1,\"profile\":\"watch\",\
         \"rollout_mode\":\"warn\",\"reason_code\":\"no_matching_allow_rule\",\"reason\":\"no matching allow rule\",\
         \"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"trace_parent_id\":\"00f067aa0ba902b7\",\
         \"trace_span_id\":\"1111111111111111\",\"trace_sampled\":true,\"status\":200,\"latency_ms\":2,\"bytes\":517,\
         \"client\":\"[2001:db8::1]:4711\"}\n"
    );
    assert!(text(&record).ends_with(" latency_ms=2 bytes=517 client=[2001:db8::1]:4711\n"));
    assert!(text(&record).contains(" reason=\"no matching allow rule\" "));
}

#[test]
fn message_and_level_follow_decision_and_mode() {
    let request = Request::unix();
    for (decision, mode, level, message) in [
        (None, None, "INFO", "request"),
        (None, Some(Mode::Warn), "INFO", "request"),
        (Some(Decision::Allow), None, "INFO", "request"),
        (Some(Decision::Allow), Some(Mode::Warn), "INFO", "request"),
        (Some(Decision::Deny), None, "WARN", "request_denied"),
        (Some(Decision::Deny), Some(Mode::Audit), "WARN", "request_denied"),
        (Some(Decision::WouldDeny), Some(Mode::Warn), "WARN", "request_would_deny"),
        (Some(Decision::WouldDeny), Some(Mode::Audit), "INFO", "request_would_deny"),
        (Some(Decision::WouldDeny), None, "WARN", "request_would_deny"),
    ] {
        let line = text(&Record { decision, mode, ..request.record() });
        assert!(line.contains(&format!(" level={level} msg={message} ")), "{line}");
    }
}

#[test]
fn rollout_mode_is_shown_only_when_it_relaxes() {
    let request = Request::unix();
    for (mode, shown) in [
        (None, None),
        (Some(Mode::Enforce), None),
        (Some(Mode::Warn), Some("warn")),
        (Some(Mode::Audit), Some("audit")),
    ] {
        let record = Record { profile: Some("ci"), mode, ..request.record() };
        let value: serde_json::Value = serde_json::from_str(&json(&record)).unwrap();
        assert_eq!(value.get("rollout_mode").and_then(|mode| mode.as_str()), shown);
    }
}

#[test]
fn a_request_that_was_never_evaluated() {
    let request = Request::unix();
    let record =
        Record { raw_path: b"/health", canonical_path: b"", decision: None, rule: 0, reason: None, ..request.record() };
    assert!(json(&record).contains(",\"normalized_path\":\"\",\"decision\":\"\",\"rule\":0,\"trace_id\":"));
    assert!(text(&record).contains(" normalized_path=\"\" decision=\"\" rule=0 trace_id="));
    assert!(audit(&record).contains(",\"decision\":\"\",\"reason_code\":\"\",\"reason\":\"\",\"matched_rule\":0,"));
}

#[test]
fn record_of_a_failed_exchange() {
    let request = Request::unix();
    let line = written(|timestamp, out| {
        access::encode_upstream_failure(
            &request.record(),
            "connect: no such file\nor folder",
            Format::Text,
            timestamp,
            out,
        );
    });
    assert_eq!(
        line,
        "time=2026-01-02T15:04:05.123Z level=ERROR msg=\"upstream request failed\" method=GET \
         path=/v1.45/containers/%6Ason/json request_id=abababababababababababababababab \
         normalized_path=/containers/json/json decision=allow rule=2 reason_code=matched_allow_rule \
         trace_id=11111111111111111111111111111111 trace_span_id=1111111111111111 trace_sampled=false \
         error=\"connect: no such file\\\\nor folder\"\n"
    );
}

#[test]
fn audit_event_of_a_unix_client() {
    let request = Request::unix();
    assert_eq!(
        audit(&request.record()),
        "{\"event_type\":\"http_request\",\"timestamp\":\"2026-01-02T15:04:05.123456789Z\",\
         \"request_id\":\"abababababababababababababababab\",\"client_request_id\":\"\",\
         \"trace_id\":\"11111111111111111111111111111111\",\"trace_parent_id\":\"\",\
         \"trace_span_id\":\"1111111111111111\",\"trace_sampled\":false,\"method\":\"GET\",\
         \"raw_path\":\"/v1.45/containers/%6Ason/json\",\"normalized_path\":\"/containers/json/json\",\
         \"decision\":\"allow\",\"reason_code\":\"matched_allow_rule\",\"reason\":\"\",\"matched_rule\":2,\
         \"selected_profile\":\"\",\"status\":200,\"actor_remote_addr\":\"\",\"actor_source_ip\":\"\",\
         \"transport_listener\":\"unix\",\"transport_scheme\":\"http\",\"transport_protocol\":\"HTTP/1.1\",\
         \"ownership\":{\"enabled\":false,\"owner\":\"\",\"label_key\":\"com.sockguard.owner\"}}\n"
    );
}

#[test]
fn audit_event_of_a_tcp_client_with_a_profile_and_an_owner() {
    let mut request = Request::new(
        Peer::Tcp("192.0.2.7:40000".parse().unwrap()),
        Some(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    );
    request.ownership = OwnershipContext { owner: "job \"7\"".to_owned(), label_key: "example.test/owner".to_owned() };
    let record = Record {
        client_request_id: b"caller-1",
        decision: Some(Decision::Deny),
        rule: -1,
        profile: Some("watch"),
        mode: Some(Mode::Enforce),
        reason: Some(Reason::NoMatchingAllowRule),
        reason_text: "no matching allow rule",
        status: 403,
        listener: Listener::Tcp,
        tls: true,
        protocol: Protocol::Http10,
        ..request.record()
    };
    assert_eq!(
        audit(&record),
        "{\"event_type\":\"http_request\",\"timestamp\":\"2026-01-02T15:04:05.123456789Z\",\
         \"request_id\":\"abababababababababababababababab\",\"client_request_id\":\"caller-1\",\
         \"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"trace_parent_id\":\"00f067aa0ba902b7\",\
         \"trace_span_id\":\"1111111111111111\",\"trace_sampled\":true,\"method\":\"GET\",\
         \"raw_path\":\"/v1.45/containers/%6Ason/json\",\"normalized_path\":\"/containers/json/json\",\
         \"decision\":\"deny\",\"reason_code\":\"no_matching_allow_rule\",\"reason\":\"no matching allow rule\",\
         \"matched_rule\":-1,\"selected_profile\":\"watch\",\"rollout_mode\":\"enforce\",\"status\":403,\
         \"actor_remote_addr\":\"192.0.2.7:40000\",\"actor_source_ip\":\"192.0.2.7\",\"transport_listener\":\"tcp\",\
         \"transport_scheme\":\"https\",\"transport_protocol\":\"HTTP/1.0\",\
         \"ownership\":{\"enabled\":true,\"owner\":\"job \\\"7\\\"\",\"label_key\":\"example.test/owner\"}}\n"
    );
}

/// The keys of a text record, read as a log collector reads it: a quote opens a value in which a backslash escapes.
fn text_keys(line: &str) -> Vec<&str> {
    let (mut keys, mut start, mut quoted, mut escaped) = (Vec::new(), Some(0), false, false);
    for (position, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'=' if !quoted => keys.extend(start.take().map(|start| &line[start..position])),
            b' ' if !quoted => start = Some(position + 1),
            _ => {}
        }
    }
    assert!(!quoted && !escaped, "{line}");
    keys
}

/// Field report 79: a client's value must neither end a record nor begin another one.
#[test]
fn report_79_a_record_cannot_be_split() {
    let request = Request::unix();
    let hostile: [&[u8]; 7] = [
        b"/x\r\nlevel=INFO msg=request",
        b"/x\n{\"msg\":\"forged\"}",
        b"a\"}\n{\"msg\":\"forged",
        b"a\\",
        "\u{2028}level=INFO\u{2029}\u{85}".as_bytes(),
        b"\x0b\x0c\x1c\x1d\x1e",
        b"\xff\n\xfe\x00",
    ];
    for value in hostile {
        let record = Record {
            method: value,
            raw_path: value,
            canonical_path: value,
            client_request_id: value,
            ..request.record()
        };
        for line in [json(&record), text(&record), audit(&record)] {
            let splits = |character: char| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}');
            assert_eq!(line.find(splits), Some(line.len() - 1), "{line}");
        }
        for line in [json(&record), audit(&record)] {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
            let shown = String::from_utf8_lossy(value).replace('\r', "\\r").replace('\n', "\\n");
            assert_eq!(object["client_request_id"], shown);
            assert_eq!(object["normalized_path"], shown);
            assert_ne!(object.get("msg"), Some(&serde_json::Value::from("forged")));
        }
        assert_eq!(
            text_keys(&text(&record)),
            [
                "time",
                "level",
                "msg",
                "method",
                "path",
                "request_id",
                "client_request_id",
                "normalized_path",
                "decision",
                "rule",
                "reason_code",
                "trace_id",
                "trace_span_id",
                "trace_sampled",
                "status",
                "latency_ms",
                "bytes",
                "client"
            ]
        );
    }
}

#[test]
fn a_record_is_bounded_whatever_the_client_sends() {
    let request = Request::unix();
    let value = vec![0; 1 << 20];
    let record = Record {
        method: &value,
        raw_path: &value,
        canonical_path: &value,
        client_request_id: &value,
        ..request.record()
    };
    let bound = 4 * 6 * crate::limits::LOGGED_VALUE_MAX_BYTES + 2048;
    for line in [json(&record), text(&record), audit(&record)] {
        assert!(line.len() < bound, "{}", line.len());
    }
}
