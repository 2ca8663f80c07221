//! The handler chain: one request through every layer, outermost first (spec 60 §1.1).

use std::time::Duration;

use super::connection::{After, Context};
use super::exchange::{Exchange, ReasonText};
use super::inspection::{self, Inspected};
use super::shard::InFlight;
use super::transport::Transport;
use super::{forward, local, tunnel};
use crate::endpoint;
use crate::http::{FieldName, Version};
use crate::limits;
use crate::observe::ActiveRequest;
use crate::policy::rules::NO_MATCHING_ALLOW_RULE;
use crate::policy::{Decision, Reason};
use crate::record::{Protocol, Record, RequestId, TraceContext};

/// How often a connection looks whether the audit writer has caught up.
const AUDIT_POLL: Duration = Duration::from_millis(32);

/// Handles one request whose head is parsed, and records it.
pub(super) async fn handle<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> After {
    let active = begin(context, exchange);
    let mut in_flight = context.shard.begin_request();
    let after = layers(context, exchange, &mut in_flight).await;
    drop((in_flight, active));
    finish(context, exchange);
    if context.shard.observer.borrow().audit_congested() {
        Box::pin(await_audit(context)).await;
    }
    after
}

/// The layers between the record and the Engine.
async fn layers<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    in_flight: &mut InFlight<'_>,
) -> After {
    // Client ACL: comes with profiles.
    if let Some(endpoint) = local::endpoint(context.shard, exchange) {
        return local::serve(context, exchange, endpoint).await;
    }
    // Limits and in-band admin: come with profiles.
    if let Verdict::Denied { status } = judge(exchange) {
        return local::deny(context, exchange, status).await;
    }
    if let Some(inspector) = endpoint::inspector(exchange.method(), exchange.endpoint) {
        let inspected = match inspection::inspect_at_once(context, exchange, inspector) {
            Some(inspected) => inspected,
            None => Box::pin(inspection::inspect(context, exchange, inspector)).await,
        };
        match inspected {
            Inspected::Passed => {}
            Inspected::Denied { status } => return local::deny(context, exchange, status).await,
            Inspected::ClientGone => {
                exchange.facts.status = 403;
                return After::Close;
            }
        }
    }
    // Visibility and ownership: come with profiles.
    if endpoint::is_hijack(exchange.method(), exchange.endpoint) {
        return Box::pin(tunnel::hijack(context, exchange, in_flight)).await;
    }
    forward::forward(context, exchange, in_flight).await
}

enum Verdict {
    Allowed,
    Denied { status: u16 },
}

/// The first half of the filter layer: the rules.
fn judge(exchange: &mut Exchange) -> Verdict {
    exchange.facts.path_judged = true;
    exchange.endpoint = endpoint::classify(exchange.path.canonical());
    let Some(generation) = exchange.generation.clone() else {
        exchange.decide(Decision::Deny, Reason::NoMatchingAllowRule, ReasonText::Fixed("no policy"));
        return Verdict::Denied { status: 403 };
    };
    let plan = &generation.plan;
    if exchange.path.canonical().is_empty() {
        // An absolute target without a path: the Engine would read it as `/`, which is not what rules have judged.
        exchange.facts.rule = -1;
        exchange.decide(Decision::Deny, Reason::NoMatchingAllowRule, ReasonText::Fixed(NO_MATCHING_ALLOW_RULE));
        return Verdict::Denied { status: 403 };
    }
    let verdict = plan.rules.judge(exchange.method(), exchange.path.canonical());
    let (decision, reason, rule) = (verdict.decision, verdict.reason, verdict.rule);
    let text = usize::try_from(rule).map_or(ReasonText::Fixed(NO_MATCHING_ALLOW_RULE), ReasonText::Rule);
    exchange.facts.rule = rule;
    exchange.decide(decision, reason, text);
    match decision {
        Decision::Allow => Verdict::Allowed,
        Decision::Deny | Decision::WouldDeny => Verdict::Denied { status: 403 },
    }
}

/// Request id, trace context, the policy in force, and the beginning of the measurement.
fn begin<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> Option<ActiveRequest> {
    let shard = context.shard;
    exchange.began = shard.ring.now();
    exchange.generation = Some(shard.policy.current());
    let mut random = shard.random.borrow_mut();
    exchange.request_id = RequestId::from_random(random.take());
    let traceparent = exchange.head.first(&exchange.input, FieldName::Traceparent);
    exchange.trace = TraceContext::from_header(traceparent, &random.take());
    exchange.traceparent = exchange.trace.traceparent();
    drop(random);
    shard.observer.borrow().started()
}

/// One access record, one audit event, one count (spec 70 §2, §3, §8).
fn finish<T: Transport>(context: &Context<'_, T>, exchange: &Exchange) {
    let record = record(context, exchange);
    let route = if exchange.facts.path_judged {
        exchange.endpoint.route(exchange.path.canonical())
    } else {
        endpoint::Route::of(record.raw_path)
    };
    let shard = context.shard;
    let unix_nanoseconds = shard.dates.borrow_mut().unix_nanoseconds(shard.ring.now());
    shard.observer.borrow_mut().finish(&record, route, unix_nanoseconds);
}

/// What is known of a request so far.
pub(super) fn record<'e, T: Transport>(context: &'e Context<'_, T>, exchange: &'e Exchange) -> Record<'e> {
    let shard = context.shard;
    let latency = shard.ring.now().saturating_duration_since(exchange.began);
    Record {
        method: exchange.method(),
        raw_path: exchange.raw_path(),
        canonical_path: if exchange.facts.path_judged { exchange.path.canonical() } else { b"" },
        request_id: &exchange.request_id,
        client_request_id: exchange.head.first(&exchange.input, FieldName::XRequestId).unwrap_or_default(),
        trace: &exchange.trace,
        decision: exchange.facts.decision,
        rule: exchange.facts.rule,
        profile: None,
        mode: None,
        reason: exchange.facts.reason,
        reason_text: exchange.reason_text(),
        status: exchange.facts.status,
        latency_microseconds: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
        sent_bytes: exchange.facts.sent_bytes,
        peer: context.peer,
        listener: shard.facts.listener,
        tls: false,
        protocol: match exchange.head.version {
            Version::Http10 => Protocol::Http10,
            Version::Http11 => Protocol::Http11,
        },
        ownership: &shard.facts.ownership,
    }
}

/// Waits, for a while, until the audit writer has caught up: better late than lost. The answer is out by now.
async fn await_audit<T: Transport>(context: &Context<'_, T>) {
    let shard = context.shard;
    let until = shard.ring.now() + limits::AUDIT_WAIT;
    while shard.observer.borrow().audit_congested() && shard.ring.now() < until {
        context.deadline.set(AUDIT_POLL);
        context.deadline.reached().await;
    }
}
