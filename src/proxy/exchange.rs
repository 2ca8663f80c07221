//! Everything that one request needs between its first byte and its record.
//!
//! Exchanges are pooled per shard: a connection takes one with the first byte of a request and gives it back when it
//! falls idle, so an idle connection holds no buffer, and a warm shard allocates nothing for an ordinary request.

use std::borrow::Cow;
use std::ops::Range;
use std::time::Instant;

use super::generation::Current;
use crate::endpoint::Endpoint;
use crate::http::{Framing, HeadEnd, RequestHead, ResponseHead, Version, chunked};
use crate::policy::{Decision, Reason};
use crate::record::{RequestId, TRACE_RANDOM_BYTES, TraceContext, trace::TRACEPARENT_BYTES};
use crate::rt::Spool;
use crate::target::{Form, RequestPath, Target};

/// Buffers that grew beyond this are not kept in the pool.
const KEPT_BUFFER_BYTES: usize = 64 << 10;

/// The text that explains a decision.
#[derive(Clone, Debug)]
pub(super) enum ReasonText {
    /// A fixed text.
    Fixed(&'static str),
    /// The reason of the rule with this index.
    Rule(usize),
    /// A text made for this request.
    Owned(Cow<'static, str>),
}

/// Where a request body is that was read before it is forwarded.
#[derive(Default)]
pub(super) enum Held {
    /// Nowhere: it is read as it is forwarded, or came whole with the head.
    #[default]
    Nothing,
    /// In `held_bytes`.
    InMemory,
    /// In a private file.
    InFile(Spool),
}

/// What is recorded of a request (spec 60 §1.2).
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) decision: Option<Decision>,
    pub(super) rule: i32,
    pub(super) reason: Option<Reason>,
    pub(super) reason_text: ReasonText,
    /// Whether a layer has normalised the path; records show it only then.
    pub(super) path_judged: bool,
    pub(super) status: u16,
    /// Bytes of the response body that went to the client, those of a tunnel included.
    pub(super) sent_bytes: u64,
}

impl Default for Facts {
    fn default() -> Self {
        Facts {
            decision: None,
            rule: 0,
            reason: None,
            reason_text: ReasonText::Fixed(""),
            path_judged: false,
            status: 0,
            sent_bytes: 0,
        }
    }
}

/// How far the client's request body has been read.
#[derive(Debug)]
pub(super) struct RequestBody {
    pub(super) framing: Framing,
    /// Bytes that are still to come of a counted body.
    pub(super) left: u64,
    pub(super) decoder: chunked::Decoder,
}

impl Default for RequestBody {
    fn default() -> Self {
        RequestBody { framing: Framing::None, left: 0, decoder: chunked::Decoder::default() }
    }
}

impl RequestBody {
    /// Stands for a body that somebody else reads: never complete.
    pub(super) fn open() -> Self {
        RequestBody { framing: Framing::Length(u64::MAX), left: u64::MAX, decoder: chunked::Decoder::default() }
    }

    fn begin(&mut self, framing: Framing) {
        self.framing = framing;
        self.left = if let Framing::Length(length) = framing { length } else { 0 };
        if framing == Framing::Chunked {
            self.decoder = chunked::Decoder::default();
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        match self.framing {
            Framing::None | Framing::Close => true,
            Framing::Length(_) => self.left == 0,
            Framing::Chunked => self.decoder.is_complete(),
        }
    }
}

/// The Engine's answer as far as it has arrived.
#[derive(Default)]
pub(super) struct Answer {
    /// Received bytes: the head, and what came with it.
    pub(super) bytes: Vec<u8>,
    pub(super) head: ResponseHead,
    pub(super) head_bytes: usize,
    /// Whether the client knows interim answers; HTTP/1.0 has none.
    pub(super) passes_interim: bool,
    end: HeadEnd,
}

impl Answer {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.head_bytes = 0;
        self.end = HeadEnd::default();
    }

    /// Whether the head is there; it is then parsed.
    pub(super) fn has_head(&mut self) -> Result<bool, &'static str> {
        match self.end.find(&self.bytes) {
            Ok(None) => Ok(false),
            Ok(Some(length)) => {
                self.head_bytes = length;
                self.head.parse(self.bytes.get(..length).unwrap_or_default()).map_err(|_| "malformed response head")?;
                Ok(true)
            }
            Err(_) => Err("malformed response head"),
        }
    }

    pub(super) fn raw_head(&self) -> &[u8] {
        self.bytes.get(..self.head_bytes).unwrap_or_default()
    }

    /// What came behind the head.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.head_bytes..).unwrap_or_default()
    }

    /// Forgets an interim head, and looks for the next one in what came behind it.
    pub(super) fn drop_head(&mut self) {
        self.bytes.drain(..self.head_bytes);
        self.head_bytes = 0;
        self.end = HeadEnd::default();
    }
}

/// One request in flight.
pub(super) struct Exchange {
    /// Received bytes: the head, and what the client sent behind it.
    pub(super) input: Vec<u8>,
    pub(super) input_end: HeadEnd,
    pub(super) head: RequestHead,
    pub(super) head_bytes: usize,
    /// From here on `input` is unread: body, tunnel bytes, or the next request.
    pub(super) input_used: usize,
    pub(super) target: Target,
    pub(super) path: RequestPath,
    pub(super) endpoint: Endpoint,
    pub(super) body: RequestBody,
    pub(super) held: Held,
    pub(super) held_bytes: Vec<u8>,
    /// Bytes on their way to the Engine.
    pub(super) upstream: Vec<u8>,
    pub(super) answer: Answer,
    /// Bytes on their way to the client.
    pub(super) downstream: Vec<u8>,
    /// A body that the proxy makes, a query that it rewrites, or an answer that it edits.
    pub(super) scratch: Vec<u8>,
    pub(super) request_id: RequestId,
    pub(super) trace: TraceContext,
    /// What `trace` says on the wire.
    pub(super) traceparent: [u8; TRACEPARENT_BYTES],
    pub(super) generation: Option<Current>,
    pub(super) began: Instant,
    pub(super) facts: Facts,
}

impl Exchange {
    pub(super) fn new(now: Instant) -> Exchange {
        Exchange {
            input: Vec::new(),
            input_end: HeadEnd::default(),
            head: RequestHead::default(),
            head_bytes: 0,
            input_used: 0,
            target: Target { form: Form::Origin, path: 0..0, query: None, authority: None },
            path: RequestPath::default(),
            endpoint: Endpoint::Unknown,
            body: RequestBody::default(),
            held: Held::Nothing,
            held_bytes: Vec::new(),
            upstream: Vec::new(),
            answer: Answer::default(),
            downstream: Vec::new(),
            scratch: Vec::new(),
            request_id: RequestId::from_random([0; 16]),
            trace: TraceContext::start(&[0; TRACE_RANDOM_BYTES]),
            traceparent: [0; TRACEPARENT_BYTES],
            generation: None,
            began: now,
            facts: Facts::default(),
        }
    }

    /// Prepares for the next request on the connection; what the client has sent beyond this one stays.
    pub(super) fn next_request(&mut self) {
        self.input.drain(..self.input_used.min(self.input.len()));
        self.clear_request();
    }

    /// Prepares for another connection.
    pub(super) fn reset(&mut self) {
        self.input.clear();
        self.clear_request();
        for buffer in [
            &mut self.input,
            &mut self.upstream,
            &mut self.downstream,
            &mut self.scratch,
            &mut self.answer.bytes,
            &mut self.held_bytes,
        ] {
            buffer.clear();
            buffer.shrink_to(KEPT_BUFFER_BYTES);
        }
        self.path.shrink_to(KEPT_BUFFER_BYTES);
        self.head.shrink();
    }

    fn clear_request(&mut self) {
        self.input_end = HeadEnd::default();
        self.head_bytes = 0;
        self.input_used = 0;
        self.answer.clear();
        self.generation = None;
        self.held = Held::Nothing;
        self.facts = Facts::default();
    }

    /// Takes up a body of this framing behind the head.
    pub(super) fn begin_body(&mut self, framing: Framing) {
        self.input_used = self.head_bytes;
        self.answer.passes_interim = self.head.version == Version::Http11;
        self.body.begin(framing);
    }

    pub(super) fn raw_head(&self) -> &[u8] {
        self.input.get(..self.head_bytes).unwrap_or_default()
    }

    pub(super) fn method(&self) -> &[u8] {
        self.head.method.of_head(&self.input)
    }

    pub(super) fn raw_target(&self) -> &[u8] {
        self.head.target.of_head(&self.input)
    }

    /// The path as the client sent it, without the query.
    pub(super) fn raw_path(&self) -> &[u8] {
        self.target.path_of(self.raw_target())
    }

    pub(super) fn query(&self) -> &[u8] {
        self.target.query_of(self.raw_target())
    }

    /// What of `input` is not read yet.
    pub(super) fn unread(&self) -> &[u8] {
        self.input.get(self.input_used..).unwrap_or_default()
    }

    /// The body as an inspector reads it: held in memory, or whole behind the head.
    pub(super) fn held_body(&self) -> &[u8] {
        match (&self.held, self.body.framing) {
            (Held::InMemory, _) => &self.held_bytes,
            (Held::Nothing, Framing::Length(length)) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                self.unread().get(..length).unwrap_or_default()
            }
            (Held::Nothing | Held::InFile(_), _) => b"",
        }
    }

    /// The range of `input` behind what was read.
    pub(super) fn unread_range(&self) -> Range<usize> {
        self.input_used.min(self.input.len())..self.input.len()
    }

    /// Records a verdict.
    pub(super) fn decide(&mut self, decision: Decision, reason: Reason, text: ReasonText) {
        self.facts.decision = Some(decision);
        self.facts.reason = Some(reason);
        self.facts.reason_text = text;
    }

    /// The text that explains the decision.
    pub(super) fn reason_text(&self) -> &str {
        match &self.facts.reason_text {
            ReasonText::Fixed(text) => text,
            ReasonText::Owned(text) => text,
            ReasonText::Rule(index) => {
                let rules = self.generation.as_deref().map(|generation| generation.plan.rules.rules());
                rules.and_then(|rules| rules.get(*index)).map_or("", |rule| rule.reason())
            }
        }
    }
}
