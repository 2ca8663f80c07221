//! stand-in
#![allow(missing_docs)]
use crate::{identity::Peer, policy::*};
use std::time::Duration;
#[derive(Default, Debug)]
pub struct RequestId(String);
impl RequestId {
    pub fn from_random(r: [u8; 16]) -> Self {
        RequestId(r.iter().map(|b| format!("{b:02x}")).collect())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
#[derive(Default, Debug)]
pub struct TraceContext(String);
impl TraceContext {
    pub fn from_header(_: Option<&[u8]>, r: [u8; 24]) -> Self {
        let h: String = r.iter().map(|b| format!("{b:02x}")).collect();
        TraceContext(format!("00-{}-{}-00", &h[..32], &h[32..]))
    }
    pub fn traceparent(&self) -> &[u8] {
        self.0.as_bytes()
    }
    pub fn trace_id(&self) -> &str {
        ""
    }
    pub fn sampled(&self) -> bool {
        false
    }
    pub fn keeps_tracestate(&self) -> bool {
        false
    }
}
#[derive(Clone, Copy, Debug)]
pub enum Listener {
    Unix,
    Tcp,
}
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Http10,
    Http11,
}
#[derive(Clone, Debug, Default)]
pub struct OwnershipContext;
pub struct Record<'a> {
    pub method: &'a [u8],
    pub raw_path: &'a [u8],
    pub canonical_path: &'a [u8],
    pub request_id: &'a RequestId,
    pub client_request_id: Option<&'a [u8]>,
    pub trace: &'a TraceContext,
    pub decision: Option<Decision>,
    pub rule: i32,
    pub profile: Option<&'a str>,
    pub mode: Option<Mode>,
    pub reason: Option<Reason>,
    pub reason_text: &'a str,
    pub status: u16,
    pub latency: Duration,
    pub bytes: u64,
    pub peer: &'a Peer,
    pub listener: Listener,
    pub tls: bool,
    pub protocol: Protocol,
    pub ownership: &'a OwnershipContext,
}
