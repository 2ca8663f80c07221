//! W3C trace context (spec 70 §4.2): what a caller sent, and what goes on to the Engine and back to the caller.
//!
//! Owns the `traceparent` grammar. Malformed input starts a fresh trace; it is never an error and never an answer.

use super::id::{is_lower_hex, write_hex};

/// Length of a `traceparent` value.
pub const TRACEPARENT_BYTES: usize = 55;
/// Random bytes that a trace context takes: 16 for a trace id, 8 for a span id.
pub const TRACE_RANDOM_BYTES: usize = 24;

const TRACE_ID_BYTES: usize = 32;
const SPAN_ID_BYTES: usize = 16;
const FLAG_SAMPLED: u8 = 1;

/// Trace correlation of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; TRACE_ID_BYTES],
    span_id: [u8; SPAN_ID_BYTES],
    parent_id: Option<[u8; SPAN_ID_BYTES]>,
    flags: [u8; 2],
}

impl TraceContext {
    /// A fresh trace: not sampled, without a parent.
    #[must_use]
    pub fn start(random: &[u8; TRACE_RANDOM_BYTES]) -> TraceContext {
        let mut trace_id = [b'0'; TRACE_ID_BYTES];
        write_hex(&mut trace_id, &random[..TRACE_ID_BYTES / 2]);
        TraceContext { trace_id: never_zero(trace_id), span_id: span_id_of(random), parent_id: None, flags: [b'0'; 2] }
    }

    /// Carries on the trace of a request whose first `traceparent` field has this value, under a span of our own. A
    /// value that is not exactly of version 00, and an absent one, start a fresh trace.
    #[must_use]
    pub fn from_header(value: Option<&[u8]>, random: &[u8; TRACE_RANDOM_BYTES]) -> TraceContext {
        match value.and_then(Incoming::parse) {
            Some(Incoming { trace_id, parent_id, flags }) => {
                TraceContext { trace_id, span_id: span_id_of(random), parent_id: Some(parent_id), flags }
            }
            None => TraceContext::start(random),
        }
    }

    /// Trace id, 32 digits.
    #[must_use]
    pub fn trace_id(&self) -> &[u8] {
        &self.trace_id
    }

    /// The proxy's own span, 16 digits.
    #[must_use]
    pub fn span_id(&self) -> &[u8] {
        &self.span_id
    }

    /// The caller's span, 16 digits; empty when the trace began here.
    #[must_use]
    pub fn parent_id(&self) -> &[u8] {
        self.parent_id.as_ref().map_or(b"", |digits| digits.as_slice())
    }

    /// Whether the caller has this trace sampled.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        let digit = match self.flags[1] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit => digit.wrapping_sub(b'a').wrapping_add(10),
        };
        digit & FLAG_SAMPLED != 0
    }

    /// Whether the caller's `tracestate` goes on: it belongs to a trace that was carried on. A stale one is dropped.
    #[must_use]
    pub fn is_tracestate_kept(&self) -> bool {
        self.parent_id.is_some()
    }

    /// The outgoing `traceparent` value, for the Engine and for the caller.
    #[must_use]
    pub fn traceparent(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        value[3..35].copy_from_slice(&self.trace_id);
        value[36..52].copy_from_slice(&self.span_id);
        value[53..].copy_from_slice(&self.flags);
        value
    }
}

impl Default for TraceContext {
    /// The place-holder of a request that has not begun.
    fn default() -> Self {
        TraceContext::start(&[0; TRACE_RANDOM_BYTES])
    }
}

/// A valid `traceparent` as received.
struct Incoming {
    trace_id: [u8; TRACE_ID_BYTES],
    parent_id: [u8; SPAN_ID_BYTES],
    flags: [u8; 2],
}

impl Incoming {
    fn parse(value: &[u8]) -> Option<Incoming> {
        let value: &[u8; TRACEPARENT_BYTES] = value.try_into().ok()?;
        let (trace_id, parent_id, flags) = (&value[3..35], &value[36..52], &value[53..]);
        let separated = value.starts_with(b"00-") && value[35] == b'-' && value[52] == b'-';
        let digits = is_lower_hex(trace_id) && is_lower_hex(parent_id) && is_lower_hex(flags);
        if !separated || !digits || is_zero(trace_id) || is_zero(parent_id) {
            return None;
        }
        Some(Incoming {
            trace_id: trace_id.try_into().ok()?,
            parent_id: parent_id.try_into().ok()?,
            flags: flags.try_into().ok()?,
        })
    }
}

fn is_zero(digits: &[u8]) -> bool {
    digits.iter().all(|&digit| digit == b'0')
}

fn span_id_of(random: &[u8; TRACE_RANDOM_BYTES]) -> [u8; SPAN_ID_BYTES] {
    let mut span_id = [b'0'; SPAN_ID_BYTES];
    write_hex(&mut span_id, &random[TRACE_ID_BYTES / 2..]);
    never_zero(span_id)
}

/// An all-zero id is invalid on the wire; one chance in 2^64, and certain for a broken source of randomness.
fn never_zero<const DIGITS: usize>(mut digits: [u8; DIGITS]) -> [u8; DIGITS] {
    if is_zero(&digits)
        && let Some(last) = digits.last_mut()
    {
        *last = b'1';
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; TRACE_RANDOM_BYTES] =
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18];
    const FRESH: &str = "00-0102030405060708090a0b0c0d0e0f10-a1b2c3d4e5f60718-00";

    fn outgoing(value: Option<&[u8]>) -> (TraceContext, String) {
        let context = TraceContext::from_header(value, &RANDOM);
        (context, String::from_utf8(context.traceparent().to_vec()).unwrap())
    }

    #[test]
    fn a_valid_trace_is_carried_on_with_a_span_of_our_own() {
        for (flags, sampled) in [
            ("00", false),
            ("01", true),
            ("02", false),
            ("03", true),
            ("ff", true),
            ("fe", false),
            ("0a", false),
            ("0b", true),
        ] {
            let value = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
            let (context, outgoing) = outgoing(Some(value.as_bytes()));
            assert_eq!(outgoing, format!("00-4bf92f3577b34da6a3ce929d0e0e4736-a1b2c3d4e5f60718-{flags}"));
            assert_eq!(context.parent_id(), b"00f067aa0ba902b7");
            assert_eq!(context.span_id(), b"a1b2c3d4e5f60718");
            assert_eq!(context.trace_id(), b"4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(context.is_sampled(), sampled, "flags {flags}");
            assert!(context.is_tracestate_kept());
        }
    }

    #[test]
    fn anything_else_starts_afresh() {
        for value in [
            "",
            "nonsense",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00F067AA0BA902B7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            let (context, outgoing) = outgoing(Some(value.as_bytes()));
            assert_eq!(outgoing, FRESH, "{value}");
            assert_eq!(context.parent_id(), b"", "{value}");
            assert!(!context.is_sampled() && !context.is_tracestate_kept(), "{value}");
        }
        assert_eq!(outgoing(None).1, FRESH);
    }

    #[test]
    fn a_broken_source_of_randomness_yields_no_invalid_ids() {
        let context = TraceContext::start(&[0; TRACE_RANDOM_BYTES]);
        assert_eq!(&context.traceparent(), b"00-00000000000000000000000000000001-0000000000000001-00");
    }
}
