//! What one request leaves behind: ids, trace context, and its access and audit records (spec 70 §1 to §4).
//!
//! Owns the facts of a finished request and how they are written. It reads no clock and writes no file: it appends
//! lines to the caller's buffer, which allocates nothing once the buffer has grown.

pub mod access;
pub mod audit;
pub mod escape;
pub mod id;
pub mod line;
pub mod timestamp;
pub mod trace;

#[cfg(test)]
mod tests;

pub use id::RequestId;
pub use line::{Format, Level, Line};
pub use timestamp::{Timestamp, TimestampFormatter};
pub use trace::{TRACE_RANDOM_BYTES, TraceContext};

use crate::identity::Peer;
use crate::policy::{Decision, Mode, Reason};

/// Which kind of listener a request arrived on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A unix socket.
    Unix,
    /// A TCP port.
    Tcp,
}

impl Listener {
    /// The value in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Listener::Unix => "unix",
            Listener::Tcp => "tcp",
        }
    }
}

/// Protocol version of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

impl Protocol {
    /// The value in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Protocol::Http10 => "HTTP/1.0",
            Protocol::Http11 => "HTTP/1.1",
        }
    }
}

/// What every audit event says of ownership, whether or not the request touched an owned resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnershipContext {
    /// The configured owner; empty when ownership is off.
    pub owner: String,
    /// The label that carries the owner.
    pub label_key: String,
}

impl OwnershipContext {
    /// Whether an owner is configured.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        !self.owner.is_empty()
    }
}

/// Everything that one finished request leaves behind. Bytes are as the client sent them; writing makes them harmless.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Method as received.
    pub method: &'a [u8],
    /// Path as received, without the query.
    pub raw_path: &'a [u8],
    /// Canonical path; empty when no layer has normalised the path.
    pub canonical_path: &'a [u8],
    /// The proxy's own id.
    pub request_id: &'a RequestId,
    /// The caller's id; empty when it sent none.
    pub client_request_id: &'a [u8],
    /// Trace correlation.
    pub trace: &'a TraceContext,
    /// What was decided; none when the request was never evaluated.
    pub decision: Option<Decision>,
    /// Index of the rule that matched, -1 when none did, 0 when rules never ran.
    pub rule: i32,
    /// The caller's profile.
    pub profile: Option<&'a str>,
    /// Rollout mode of the profile; none without a profile.
    pub mode: Option<Mode>,
    /// Reason code.
    pub reason: Option<Reason>,
    /// The reason in words; empty when there is none.
    pub reason_text: &'a str,
    /// Final status.
    pub status: u16,
    /// From the end of the head to the end of the answer or tunnel.
    pub latency_microseconds: u64,
    /// Bytes of the response body that went to the client, those of a tunnel included.
    pub sent_bytes: u64,
    /// Who called.
    pub peer: &'a Peer,
    /// Where the call arrived.
    pub listener: Listener,
    /// Whether it arrived over TLS.
    pub tls: bool,
    /// Protocol version of the request.
    pub protocol: Protocol,
    /// What the configuration says of ownership.
    pub ownership: &'a OwnershipContext,
}

/// The values of an empty decision and an empty reason code.
fn decision_text(decision: Option<Decision>) -> &'static str {
    decision.map_or("", Decision::as_str)
}
