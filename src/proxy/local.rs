//! What the proxy answers itself: health, metrics, denials, and the errors of spec 60 §3.7.

use super::chain;
use super::connection::{After, Context};
use super::exchange::{Exchange, ReasonText};
use super::shard::{Facts, Shard};
use super::transport::Transport;
use crate::http::forward::Correlation;
use crate::http::{FieldName, Framing, Version, reply};
use crate::limits;
use crate::policy::{Reason, Verbosity, answer};

/// An endpoint of the proxy's own on the main listener.
#[derive(Clone, Copy, Debug)]
pub(super) enum LocalEndpoint {
    /// `health.path`
    Health,
    /// `metrics.path`
    Metrics,
}

/// The local endpoint that a request asks for: GET, and the once-decoded path exactly (spec 60 §1.4).
pub(super) fn endpoint(shard: &Shard, exchange: &Exchange) -> Option<LocalEndpoint> {
    if exchange.method() != b"GET" {
        return None;
    }
    let asked = |path: &Option<Box<[u8]>>| path.as_deref() == Some(exchange.path.decoded());
    if asked(&shard.facts.metrics_path) {
        Some(LocalEndpoint::Metrics)
    } else if asked(&shard.facts.health_path) {
        Some(LocalEndpoint::Health)
    } else {
        None
    }
}

/// Answers a local endpoint.
pub(super) async fn serve<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    endpoint: LocalEndpoint,
) -> After {
    exchange.scratch.clear();
    match endpoint {
        LocalEndpoint::Metrics => {
            context.shard.process.expose(&mut exchange.scratch);
            respond(context, exchange, 200, "text/plain; version=0.0.4; charset=utf-8").await
        }
        LocalEndpoint::Health => {
            let shard = context.shard;
            let alive = match shard.facts.watched.as_ref().and_then(|watched| watched.latest()) {
                Some(true) => Ok(()),
                Some(false) => Err("the watchdog cannot reach it".to_owned()),
                None => shard.liveness.check(shard.engine.socket()).await,
            };
            if let Err(error) = &alive {
                let socket = shard.engine.socket().display();
                tracing::warn!(%error, upstream_socket = %socket, "health check failed: upstream unreachable");
            }
            append_health(&mut exchange.scratch, alive.is_ok(), &shard.facts);
            respond(context, exchange, if alive.is_ok() { 200 } else { 503 }, reply::JSON).await
        }
    }
}

fn append_health(out: &mut Vec<u8>, alive: bool, facts: &Facts) {
    out.extend_from_slice(if alive {
        b"{\"status\":\"healthy\",\"upstream\":\"connected\""
    } else {
        b"{\"status\":\"unhealthy\",\"upstream\":\"unreachable\",\"error\":\"upstream unreachable\""
    });
    out.extend_from_slice(b",\"version\":\"");
    out.extend_from_slice(facts.version.as_bytes());
    out.extend_from_slice(b"\",\"uptime_seconds\":");
    out.extend_from_slice(itoa::Buffer::new().format(facts.started.elapsed().as_secs()).as_bytes());
    out.extend_from_slice(b"}\n");
}

/// Answers a request that policy denied (spec 20 §5).
pub(super) async fn deny<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, status: u16) -> After {
    let verbosity = exchange.generation.as_deref().map_or(Verbosity::Minimal, |one| one.plan.verbosity);
    let mut body = std::mem::take(&mut exchange.scratch);
    body.clear();
    answer::deny_body(&mut body, verbosity, exchange.method(), &exchange.path, exchange.reason_text());
    exchange.scratch = body;
    respond(context, exchange, status, reply::JSON).await
}

/// A failure on the way to the Engine or back, before the client was told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It cannot be reached, hung up, or its answer cannot be read; or the client left first.
    Unreachable,
    /// Its answer was refused by policy.
    Rejected,
    /// Its answer did not come in time.
    Late,
    /// The hijack path could not write the request.
    NotForwarded,
    /// The hijack path could not read the answer.
    NotRead,
}

impl Failure {
    fn status(self) -> u16 {
        match self {
            Failure::Unreachable | Failure::Rejected | Failure::NotForwarded | Failure::NotRead => 502,
            Failure::Late => 504,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Failure::Unreachable => "upstream Docker socket unreachable",
            Failure::Rejected => "upstream Docker response rejected by sockguard policy",
            Failure::Late => "upstream request timed out",
            Failure::NotForwarded => "failed to forward request to upstream",
            Failure::NotRead => "failed to read upstream response",
        }
    }

    fn reason(self) -> Reason {
        match self {
            Failure::Unreachable | Failure::NotForwarded | Failure::NotRead => Reason::UpstreamSocketUnreachable,
            Failure::Rejected => Reason::UpstreamResponseRejectedByPolicy,
            Failure::Late => Reason::UpstreamRequestTimeout,
        }
    }
}

/// Records a failure; the decision stays as it was taken. The error goes to the log with the request's correlation
/// attributes.
pub(super) fn record_failure<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    failure: Failure,
    error: &dyn std::fmt::Display,
) {
    exchange.facts.status = failure.status();
    exchange.facts.reason = Some(failure.reason());
    exchange.facts.reason_text = ReasonText::Fixed(failure.message());
    let shard = context.shard;
    let now = shard.dates.borrow_mut().unix_nanoseconds(shard.ring.now());
    let record = chain::record(context, exchange);
    shard.observer.borrow_mut().upstream_failed(&record, &error.to_string(), now);
}

/// Answers with a failure. What went wrong goes to the log only: neither the socket's path nor the error reaches the
/// client.
pub(super) async fn fail<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    failure: Failure,
    error: &dyn std::fmt::Display,
) -> After {
    record_failure(context, exchange, failure, error);
    exchange.scratch.clear();
    answer::message_body(&mut exchange.scratch, failure.message());
    respond(context, exchange, failure.status(), reply::JSON).await
}

/// What happens to a request body that nobody has read when the answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    Nothing,
    /// Short enough to be read and forgotten.
    Drained,
    /// The connection closes instead.
    Closed,
}

fn unread_body(exchange: &Exchange) -> Unread {
    let body = &exchange.body;
    if body.is_complete() {
        return Unread::Nothing;
    }
    // A client that waits for `100 Continue` will not send the body after a final answer.
    let waits = exchange.head.first(&exchange.input, FieldName::Expect).is_some();
    match body.framing {
        Framing::Length(_) if !waits && body.left < limits::UNREAD_BODY_DRAIN_MAX_BYTES => Unread::Drained,
        Framing::None | Framing::Close | Framing::Length(_) | Framing::Chunked => Unread::Closed,
    }
}

/// Whether the client's connection closes behind the answer to this request.
pub(super) fn closes(shard: &Shard, exchange: &Exchange) -> bool {
    exchange.head.version == Version::Http10
        || exchange.head.connection_has(&exchange.input, b"close")
        || shard.ring.is_draining()
}

/// Sends an answer whose body is in `exchange.scratch`, and deals with a request body that was not read.
pub(super) async fn respond<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    status: u16,
    content_type: &'static str,
) -> After {
    let unread = unread_body(exchange);
    let close = closes(context.shard, exchange) || unread == Unread::Closed;
    let mut out = std::mem::take(&mut exchange.downstream);
    out.clear();
    exchange.facts.status = status;
    exchange.facts.sent_bytes = reply::append(
        &mut out,
        &reply::Reply {
            version: exchange.head.version,
            status,
            content_type,
            body: &exchange.scratch,
            head_only: exchange.method() == b"HEAD",
            close,
            date: context.shard.dates.borrow_mut().date(context.shard.ring.now()),
            correlation: correlation(exchange),
        },
    );
    let (sent, out) = context.client.send(out).await;
    exchange.downstream = out;
    match (sent, unread) {
        (Err(_), _) => After::Close,
        (Ok(()), Unread::Closed) => After::Linger,
        (Ok(()), _) if close => After::Linger,
        (Ok(()), Unread::Nothing) => After::Keep,
        (Ok(()), Unread::Drained) => drain(context, exchange).await,
    }
}

/// The correlation fields of this exchange.
pub(super) fn correlation(exchange: &Exchange) -> Correlation<'_> {
    Correlation { request_id: exchange.request_id.as_bytes(), traceparent: &exchange.traceparent }
}

/// Reads the rest of a counted body and forgets it.
async fn drain<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> After {
    context.deadline.set(limits::HEAD_READ_TIMEOUT);
    loop {
        let here = exchange.body.left.min(exchange.unread().len() as u64);
        exchange.body.left -= here;
        exchange.input_used += here as usize;
        if exchange.body.left == 0 {
            return After::Keep;
        }
        // The request is recorded from the head, so the head stays and only what was read behind it goes.
        exchange.input.truncate(exchange.head_bytes);
        exchange.input_used = exchange.head_bytes;
        if context.receive_in_time(&mut exchange.input).await == 0 {
            return After::Close;
        }
    }
}
