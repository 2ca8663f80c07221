//! Access records, failure records and audit events (spec 70 §1 to §4).

use std::net::{Ipv6Addr, SocketAddr};

use serde_json::Value;
use sockguard::identity::Peer;
use sockguard::limits::LOGGED_VALUE_MAX_BYTES;
use sockguard::policy::{Decision, Mode, Reason};
use sockguard::record::{
    Format, Listener, OwnershipContext, Protocol, Record, RequestId, TRACE_RANDOM_BYTES, Timestamp, TraceContext,
    access, audit,
};

/// The input is what a client and an operator choose, each text behind a line of its own kind: see `FIELDS`. However
/// odd, a record stays one line, its values stay what they are, and no value becomes a member.
pub fn record(data: &[u8]) {
    let mut fields = data.split(|&byte| byte == 0x1e);
    let choices: [u8; 8] = std::array::from_fn(|at| data.get(at).copied().unwrap_or_default());
    let [method, raw_path, canonical_path, client_request_id, traceparent, reason, profile, owner, label] =
        std::array::from_fn(|_| fields.next().unwrap_or_default());
    let [reason, profile, owner, label] = [reason, profile, owner, label].map(String::from_utf8_lossy);
    // Too long to be logged whole: the input itself need not be.
    let long_path =
        raw_path.repeat(if choices[0] == b'L' { LOGGED_VALUE_MAX_BYTES / raw_path.len().max(1) + 1 } else { 1 });
    let number = u64::from_le_bytes(choices);
    let random: [u8; TRACE_RANDOM_BYTES] = std::array::from_fn(|at| data.get(at + 8).copied().unwrap_or_default());
    let peer = match choices[1] % 3 {
        0 => Peer::Unix { uid: 0, gid: 0, pid: 1 },
        1 => Peer::Tcp(SocketAddr::from(([127, 0, 0, choices[2]], 4))),
        _ => Peer::Tcp(SocketAddr::from((Ipv6Addr::from_bits(u128::from(number)), 65_535))),
    };
    let record = Record {
        method,
        raw_path: &long_path,
        canonical_path,
        request_id: &RequestId::from_random(std::array::from_fn(|at| choices[at % 8])),
        client_request_id,
        trace: &TraceContext::from_header(Some(traceparent), &random),
        decision: [None, Some(Decision::Allow), Some(Decision::Deny), Some(Decision::WouldDeny)]
            [usize::from(choices[3] % 4)],
        rule: i32::from_le_bytes([choices[0], choices[1], choices[2], choices[3]]),
        profile: (!profile.is_empty()).then_some(&profile),
        mode: Mode::ALL.get(usize::from(choices[4] % 4)).copied(),
        reason: Reason::ALL.get(usize::from(choices[5])).copied(),
        reason_text: &reason,
        status: u16::from(choices[6]) << 2,
        latency_microseconds: number,
        sent_bytes: number.rotate_left(9),
        peer: &peer,
        listener: if matches!(peer, Peer::Unix { .. }) { Listener::Unix } else { Listener::Tcp },
        tls: choices[7] & 1 == 1,
        protocol: if choices[7] & 2 == 2 { Protocol::Http11 } else { Protocol::Http10 },
        ownership: &OwnershipContext { owner: owner.to_string(), label_key: label.to_string() },
    };
    trace(&record, traceparent, &random);
    let timestamp = Timestamp::from_unix_nanoseconds(number);
    as_json(&record, &timestamp);
    as_text(&record, &timestamp);
}

fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    let Ok(text) = String::from_utf8(out) else { panic!("a record is not UTF-8") };
    let Some(line) = text.strip_suffix('\n') else { panic!("a record does not end its line: {text:?}") };
    let is_hidden = |character: char| {
        let others = ['\u{2028}', '\u{2029}', '\u{202e}', '\u{200b}', '\u{feff}', '\u{2066}'];
        !character.is_ascii_graphic() && (character.is_control() || others.contains(&character))
    };
    assert!(!line.contains(is_hidden), "a record is more than it shows: {line:?}");
    line.to_owned()
}

/// A record shows the value, line ends spelled out; of a long one it shows the beginning, without half a character.
fn same(found: Option<&str>, value: &[u8], line: &str) {
    let start = value.get(..LOGGED_VALUE_MAX_BYTES).unwrap_or(value);
    let shown = String::from_utf8_lossy(start).replace('\n', "\\n").replace('\r', "\\r");
    let Some(found) = found else { panic!("nothing is shown: {line}") };
    if start.len() == value.len() {
        assert_eq!(found, shown, "{line}");
        return;
    }
    let missing = shown.strip_prefix(found).map(|missing| missing.chars().count());
    // Three bytes at most, one of which may be a line end.
    assert!(missing.is_some_and(|characters| characters <= 4), "{line}");
}

fn as_json(record: &Record<'_>, timestamp: &Timestamp) {
    let access = line(|out| access::encode_json(record, timestamp, out));
    let audit = line(|out| audit::encode(record, timestamp, out));
    let error = String::from_utf8_lossy(record.raw_path);
    let failure = line(|out| access::encode_upstream_failure(record, &error, Format::Json, timestamp, out));
    for (line, path_key) in [(access, "path"), (audit, "raw_path"), (failure, "path")] {
        let Ok(Value::Object(members)) = serde_json::from_str(&line) else { panic!("not an object: {line}") };
        // A key that occurs twice would leave fewer members than the line has keys.
        let nested = members.get("ownership").and_then(Value::as_object).map_or(0, |inner| inner.len());
        assert_eq!(keys_of(&line), members.len() + nested, "{line}");
        for (key, value) in [
            ("method", record.method),
            (path_key, record.raw_path),
            ("normalized_path", record.canonical_path),
            ("client_request_id", record.client_request_id),
            ("reason", record.reason_text.as_bytes()),
        ] {
            let found = members.get(key).map(|found| found.as_str().unwrap_or("not a string"));
            if found.is_some() || !value.is_empty() {
                same(found, value, &line);
            }
        }
        assert!(members.get("request_id").is_some_and(|id| id == record.request_id.as_str()), "{line}");
        if let Some(status) = members.get("status") {
            assert_eq!(status.as_u64(), Some(record.status.into()), "{line}");
        }
    }
}

/// Colons that are outside of strings: one behind each key.
fn keys_of(line: &str) -> usize {
    let (mut keys, mut is_string, mut is_escaped) = (0, false, false);
    for byte in line.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b':' if !is_string => keys += 1,
            _ => {}
        }
    }
    keys
}

fn as_text(record: &Record<'_>, timestamp: &Timestamp) {
    let line = line(|out| access::encode_text(record, timestamp, out));
    let mut pairs = Vec::new();
    let mut rest = line.as_str();
    while !rest.is_empty() {
        let Some((key, behind)) = rest.split_once('=') else { panic!("no value: {line}") };
        assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{key}: {line}");
        let value;
        (value, rest) = text_value(behind, &line);
        rest = rest.strip_prefix(' ').unwrap_or(rest);
        pairs.push((key, value));
    }
    let find = |key: &str| -> Vec<&str> {
        pairs.iter().filter(|(found, _)| *found == key).map(|(_, value)| value.as_str()).collect()
    };
    for (key, value) in
        [("method", record.method), ("path", record.raw_path), ("normalized_path", record.canonical_path)]
    {
        let found = find(key);
        assert_eq!(found.len(), 1, "{key}: {line}");
        same(found.first().copied(), value, &line);
    }
    assert_eq!(find("request_id"), [record.request_id.as_str()], "{line}");
    assert_eq!(find("status"), [record.status.to_string()], "{line}");
    assert_eq!(find("client").len(), 1, "{line}");
}

/// The value that `text` begins with, and what is behind it: quoted as a JSON string, or up to the next space.
fn text_value<'t>(text: &'t str, line: &str) -> (String, &'t str) {
    if !text.starts_with('"') {
        let end = text.find(' ').unwrap_or(text.len());
        assert!(end > 0 && !text[..end].contains(['"', '=']), "{line}");
        return (text[..end].to_owned(), &text[end..]);
    }
    let mut reader = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let Some(Ok(value)) = reader.next() else { panic!("an open quote: {line}") };
    (value, &text[reader.byte_offset()..])
}

fn trace(record: &Record<'_>, received: &[u8], random: &[u8; TRACE_RANDOM_BYTES]) {
    let sent = record.trace.traceparent();
    let well_formed = |value: &[u8]| {
        let parts: Vec<&[u8]> = value.split(|&byte| byte == b'-').collect();
        let is_id = |part: &[u8], length| part.len() == length && part.iter().any(|&digit| digit != b'0');
        value.iter().all(|byte| b"0123456789abcdef-".contains(byte))
            && matches!(parts.as_slice(), [b"00", trace, span, [_, _]] if is_id(trace, 32) && is_id(span, 16))
    };
    assert!(well_formed(&sent), "{}", sent.escape_ascii());
    let is_carried_on = well_formed(received);
    assert_eq!(record.trace.is_tracestate_kept(), is_carried_on, "{}", received.escape_ascii());
    assert_eq!(record.trace.parent_id().is_empty(), !is_carried_on);
    if is_carried_on {
        assert_eq!((&sent[..36], &sent[52..]), (&received[..36], &received[52..]));
        assert_eq!(record.trace.parent_id(), &received[36..52]);
    } else {
        assert_eq!(*record.trace, TraceContext::start(random));
    }
}
