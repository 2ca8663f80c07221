//! The access record (spec 70 §2), and the block of members that ties other records to a request.
//!
//! Owns which members there are, in which order, and which of them are left out when empty.

use std::io::Write;

use super::line::{Format, Level, Line, key};
use super::{Record, Timestamp, decision_text};
use crate::identity::Peer;
use crate::policy::{Decision, Mode};

/// The level of a record: denials are warnings, and what a profile merely watches is not.
#[must_use]
pub const fn level(record: &Record<'_>) -> Level {
    match (record.decision, record.mode) {
        (None | Some(Decision::Allow), _) | (Some(Decision::WouldDeny), Some(Mode::Audit)) => Level::Info,
        (Some(Decision::WouldDeny), None | Some(Mode::Enforce | Mode::Warn)) | (Some(Decision::Deny), _) => Level::Warn,
    }
}

const fn message(decision: Option<Decision>) -> &'static str {
    match decision {
        None | Some(Decision::Allow) => "request",
        Some(Decision::Deny) => "request_denied",
        Some(Decision::WouldDeny) => "request_would_deny",
    }
}

/// Appends the access record of a finished request.
pub fn encode(record: &Record<'_>, format: Format, timestamp: &Timestamp, out: &mut Vec<u8>) {
    let mut line = Line::begin(out, format, timestamp, level(record), message(record.decision));
    push_correlation(&mut line, record);
    line.key(key!("status")).integer(record.status);
    line.key(key!("latency_ms")).milliseconds(record.latency_microseconds);
    line.key(key!("bytes")).integer(record.sent_bytes);
    line.key(key!("client"));
    match record.peer {
        Peer::Tcp(address) => {
            let quote: &[u8] = match format {
                Format::Json => b"\"",
                Format::Text => b"",
            };
            let out = line.buffer();
            out.extend_from_slice(quote);
            // Digits, dots, colons, brackets: nothing to escape. Writing to a vector does not fail.
            let _ = write!(out, "{address}");
            out.extend_from_slice(quote);
        }
        Peer::Unix { .. } => line.verbatim(b"unix"),
    }
    line.end();
}

/// Appends the access record as one line of JSON.
pub fn encode_json(record: &Record<'_>, timestamp: &Timestamp, out: &mut Vec<u8>) {
    encode(record, Format::Json, timestamp, out);
}

/// Appends the access record as one line of text.
pub fn encode_text(record: &Record<'_>, timestamp: &Timestamp, out: &mut Vec<u8>) {
    encode(record, Format::Text, timestamp, out);
}

/// Appends the record of a failed exchange with the Engine: the request that it belongs to, and what went wrong, which
/// the client is not told (spec 60 §3.7). Always an error; its status and latency follow in the access record.
pub fn encode_upstream_failure(
    record: &Record<'_>,
    error: &str,
    format: Format,
    timestamp: &Timestamp,
    out: &mut Vec<u8>,
) {
    let mut line = Line::begin(out, format, timestamp, Level::Error, "upstream request failed");
    push_correlation(&mut line, record);
    line.key(key!("error")).string(error.as_bytes());
    line.end();
}

/// The members from `method` to `trace_sampled`.
fn push_correlation(line: &mut Line<'_>, record: &Record<'_>) {
    line.key(key!("method")).string(record.method);
    line.key(key!("path")).string(record.raw_path);
    line.key(key!("request_id")).verbatim(record.request_id.as_bytes());
    if !record.client_request_id.is_empty() {
        line.key(key!("client_request_id")).string(record.client_request_id);
    }
    line.key(key!("normalized_path")).string(record.canonical_path);
    line.key(key!("decision")).string(decision_text(record.decision).as_bytes());
    line.key(key!("rule")).integer(record.rule);
    if let Some(profile) = record.profile {
        line.key(key!("profile")).string(profile.as_bytes());
    }
    match record.mode {
        Some(mode @ (Mode::Warn | Mode::Audit)) => line.key(key!("rollout_mode")).verbatim(mode.as_str().as_bytes()),
        Some(Mode::Enforce) | None => {}
    }
    if let Some(reason) = record.reason {
        line.key(key!("reason_code")).verbatim(reason.code().as_bytes());
    }
    if !record.reason_text.is_empty() {
        line.key(key!("reason")).string(record.reason_text.as_bytes());
    }
    line.key(key!("trace_id")).verbatim(record.trace.trace_id());
    if !record.trace.parent_id().is_empty() {
        line.key(key!("trace_parent_id")).verbatim(record.trace.parent_id());
    }
    line.key(key!("trace_span_id")).verbatim(record.trace.span_id());
    line.key(key!("trace_sampled")).boolean(record.trace.is_sampled());
}
