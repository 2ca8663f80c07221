//! The audit event (spec 70 §3.2): a stable schema, always JSON, every key always there.
//!
//! Owns which members there are and in which order. Delivery is the daemon's.

use std::io::Write;

use super::line::{Line, key};
use super::{Record, Timestamp, decision_text};
use crate::identity::Peer;

/// Appends the audit event of a finished request as one line of JSON.
pub fn encode(record: &Record<'_>, timestamp: &Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event_type\":\"http_request\",\"timestamp\":\"");
    out.extend_from_slice(timestamp.nanosecond_form());
    out.push(b'"');
    let mut line = Line::of_object(out);
    line.key(key!("request_id")).verbatim(record.request_id.as_bytes());
    line.key(key!("client_request_id")).string(record.client_request_id);
    line.key(key!("trace_id")).verbatim(record.trace.trace_id());
    line.key(key!("trace_parent_id")).verbatim(record.trace.parent_id());
    line.key(key!("trace_span_id")).verbatim(record.trace.span_id());
    line.key(key!("trace_sampled")).boolean(record.trace.is_sampled());
    line.key(key!("method")).string(record.method);
    line.key(key!("raw_path")).string(record.raw_path);
    line.key(key!("normalized_path")).string(record.canonical_path);
    line.key(key!("decision")).verbatim(decision_text(record.decision).as_bytes());
    line.key(key!("reason_code")).verbatim(record.reason.map_or("", |reason| reason.code()).as_bytes());
    line.key(key!("reason")).string(record.reason_text.as_bytes());
    line.key(key!("matched_rule")).integer(record.rule);
    line.key(key!("selected_profile")).string(record.profile.unwrap_or_default().as_bytes());
    if let Some(mode) = record.mode {
        line.key(key!("rollout_mode")).verbatim(mode.as_str().as_bytes());
    }
    line.key(key!("status")).integer(record.status);
    push_actor(&mut line, record.peer);
    line.key(key!("transport_listener")).verbatim(record.listener.as_str().as_bytes());
    line.key(key!("transport_scheme")).verbatim(if record.tls { b"https" } else { b"http" });
    line.key(key!("transport_protocol")).verbatim(record.protocol.as_str().as_bytes());
    let out = line.buffer();
    out.extend_from_slice(b",\"ownership\":{\"enabled\":");
    line.boolean(record.ownership.is_enabled());
    line.key(key!("owner")).string(record.ownership.owner.as_bytes());
    line.key(key!("label_key")).string(record.ownership.label_key.as_bytes());
    line.buffer().push(b'}');
    line.end();
}

/// Who called, from the connection; forwarding headers are claims and have no part in it.
fn push_actor(line: &mut Line<'_>, peer: &Peer) {
    match peer {
        Peer::Tcp(address) => {
            // Digits, dots, colons, brackets: nothing to escape. Writing to a vector does not fail.
            let _ =
                write!(line.buffer(), ",\"actor_remote_addr\":\"{address}\",\"actor_source_ip\":\"{}\"", address.ip());
        }
        Peer::Unix { .. } => {
            line.key(key!("actor_remote_addr")).verbatim(b"");
            line.key(key!("actor_source_ip")).verbatim(b"");
        }
    }
}
