//! The inspection layer: what a request carries is read, judged, and held until it is forwarded (spec 20 §4.5, 30).
//!
//! The inspectors are pure ([`crate::inspect`]); this file gets them what they need — the body in memory or in a private
//! file, the Engine's answers — within the limits of spec 60 §2. What was judged is what goes on, byte for byte.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use super::connection::Context;
use super::exchange::{Exchange, Held, ReasonText};
use super::forward;
use super::transport::Transport;
use super::upload;
use crate::endpoint::Inspector;
use crate::engine::lookup;
use crate::http::{FieldName, Framing};
use crate::inspect::archive::{BeforeBody, Upload};
use crate::inspect::dispatch::{self, Needs};
use crate::inspect::{Answer, Outcome, Question, Request, Step};
use crate::limits;
use crate::policy::{Decision, Reason};
use crate::rt::{Bulk, Spool};

/// Questions that one inspection may ask, one after another.
const ROUNDS_MAX: usize = 4;

/// What the layer came to.
pub(super) enum Inspected {
    /// Nothing forbids the request.
    Passed,
    /// It is denied; the verdict is recorded in the exchange.
    Denied {
        /// The status to answer with.
        status: u16,
    },
    /// The client left while its body was read.
    ClientGone,
}

/// Why a body could not be held.
enum Unheld {
    TooLarge,
    Failed,
    ClientGone,
}

/// Inspects a request that the rules allow.
pub(super) async fn inspect<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    inspector: Inspector,
) -> Inspected {
    let Some(generation) = exchange.generation.clone() else { return Inspected::Denied { status: 403 } };
    let options = &generation.plan.inspection;
    let judged = match dispatch::needs(inspector, options) {
        Needs::Exec => Ok(judge(context, exchange, inspector).await),
        Needs::Body { max_bytes } => match hold_in_memory(context, exchange, max_bytes).await {
            Ok(()) => Ok(judge(context, exchange, inspector).await),
            Err(unheld) => Err(unheld),
        },
        Needs::Query => Ok(match dispatch::inspect_before_body(inspector, &upload_of(exchange), options) {
            BeforeBody::Decided(outcome) => outcome,
            BeforeBody::ReadBody => Outcome::Failed(inspector.failure_reason().into()),
        }),
        Needs::Spool { max_bytes } => match dispatch::inspect_before_body(inspector, &upload_of(exchange), options) {
            BeforeBody::Decided(outcome) => Ok(outcome),
            BeforeBody::ReadBody => match context.take(&context.shard.spools, 1).await {
                Some(_place) => match hold_in_file(context, exchange, max_bytes).await {
                    Ok(()) => Ok(judge_file(context, exchange, inspector).await),
                    Err(unheld) => Err(unheld),
                },
                None => Err(Unheld::ClientGone),
            },
        },
    };
    let outcome = match judged {
        Ok(outcome) => outcome,
        Err(Unheld::TooLarge) => Outcome::TooLarge,
        Err(Unheld::Failed) => Outcome::Failed(inspector.failure_reason().into()),
        Err(Unheld::ClientGone) => {
            deny(exchange, Reason::RequestBodyInspectionFailed, inspector.failure_reason().into());
            return Inspected::ClientGone;
        }
    };
    conclude(exchange, inspector, outcome)
}

/// Inspects what needs no waiting: a body that came whole with its head, and no question to the Engine. `None`: it does.
pub(super) fn inspect_at_once<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    inspector: Inspector,
) -> Option<Inspected> {
    let generation = exchange.generation.clone()?;
    let max_bytes = match dispatch::needs(inspector, &generation.plan.inspection) {
        Needs::Body { max_bytes } => max_bytes,
        Needs::Query | Needs::Spool { .. } | Needs::Exec => return None,
    };
    if !came_whole(exchange, max_bytes) {
        return None;
    }
    match step(context, exchange, inspector, &[])? {
        Step::Judged(outcome) => Some(conclude(exchange, inspector, outcome)),
        Step::Ask(_) => None,
    }
}

/// Whether a body within the limit lies behind the head, or there is none.
fn came_whole(exchange: &Exchange, max_bytes: u64) -> bool {
    match exchange.body.framing {
        Framing::None | Framing::Close => true,
        Framing::Length(length) => length <= max_bytes && exchange.unread().len() as u64 >= length,
        Framing::Chunked => false,
    }
}

/// Records an outcome.
fn conclude(exchange: &mut Exchange, inspector: Inspector, outcome: Outcome) -> Inspected {
    match outcome {
        Outcome::Pass => Inspected::Passed,
        Outcome::Denied(text) => {
            deny(exchange, Reason::RequestBodyPolicyDenied, text);
            Inspected::Denied { status: 403 }
        }
        Outcome::TooLarge => {
            let generation = exchange.generation.clone();
            let text = generation.map(|one| dispatch::too_large_reason(inspector, &one.plan.inspection));
            deny(exchange, Reason::RequestBodyTooLarge, text.unwrap_or_default().into());
            Inspected::Denied { status: 413 }
        }
        Outcome::Failed(text) => {
            tracing::error!(
                error = %text,
                method = %exchange.method().escape_ascii(),
                path = %exchange.path.canonical().escape_ascii(),
                "{}", inspector.failure_log()
            );
            deny(exchange, Reason::RequestBodyInspectionFailed, text);
            Inspected::Denied { status: 403 }
        }
    }
}

fn deny(exchange: &mut Exchange, reason: Reason, text: Cow<'static, str>) {
    exchange.decide(Decision::Deny, reason, ReasonText::Owned(text));
}

/// Judges query and body, asking the Engine as often as the inspector has questions.
async fn judge<T: Transport>(context: &Context<'_, T>, exchange: &Exchange, inspector: Inspector) -> Outcome {
    let mut answers: Vec<lookup::Answer> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let given: Vec<Answer<'_>> = answers.iter().map(answer_of).collect();
        match step(context, exchange, inspector, &given) {
            Some(Step::Judged(outcome)) => return outcome,
            Some(Step::Ask(question)) => answers = ask(context, exchange, &question).await,
            None => break,
        }
    }
    Outcome::Failed(inspector.failure_reason().into())
}

fn step<T: Transport>(
    context: &Context<'_, T>,
    exchange: &Exchange,
    inspector: Inspector,
    answers: &[Answer<'_>],
) -> Option<Step> {
    let generation = exchange.generation.as_deref()?;
    let request = Request {
        query: exchange.query(),
        content_type: exchange.head.first(&exchange.input, FieldName::ContentType),
        body: exchange.held_body(),
        answers,
    };
    let mut scratch = context.shard.inspection_scratch.borrow_mut();
    Some(dispatch::inspect(inspector, &request, &generation.plan.inspection, &mut scratch))
}

fn answer_of(answer: &lookup::Answer) -> Answer<'_> {
    match answer {
        lookup::Answer::Found(body) => Answer::Found(body),
        lookup::Answer::NotFound => Answer::NotFound,
        lookup::Answer::Failed => Answer::Failed,
    }
}

async fn ask<T: Transport>(context: &Context<'_, T>, exchange: &Exchange, question: &Question) -> Vec<lookup::Answer> {
    let engine = &context.shard.engine;
    let canonical = exchange.path.canonical();
    let prefix = String::from_utf8_lossy(exchange.path.version_prefix());
    let name = escaped(exchange.endpoint.name(canonical));
    match question {
        Question::Exec => vec![lookup::ask(engine, &format!("{prefix}/exec/{name}/json")).await],
        Question::Node => vec![lookup::ask(engine, &format!("{prefix}/nodes/{name}")).await],
        Question::Networks(names) => {
            let mut answers = Vec::with_capacity(names.len());
            for name in names {
                let name = escaped(name.as_bytes());
                answers.push(lookup::ask(engine, &format!("{prefix}/networks/{name}")).await);
            }
            answers
        }
    }
}

/// One path segment: everything but unreserved characters is escaped, slashes too.
fn escaped(segment: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(segment.len());
    for &byte in segment {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Gets the body into memory. One that came whole with its head stays where it is.
async fn hold_in_memory<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    max_bytes: u64,
) -> Result<(), Unheld> {
    if came_whole(exchange, max_bytes) {
        return Ok(());
    }
    if matches!(exchange.body.framing, Framing::Length(length) if length > max_bytes) {
        return Err(Unheld::TooLarge);
    }
    go_ahead(context, exchange).await?;
    context.deadline.set(limits::INSPECTED_BODY_TIMEOUT);
    exchange.held_bytes.clear();
    loop {
        let piece = exchange.input.get(exchange.input_used..).unwrap_or_default();
        let used = upload::take_piece(&mut exchange.body, piece, &mut exchange.held_bytes);
        exchange.input_used += used.map_err(|_| Unheld::Failed)?;
        if exchange.held_bytes.len() as u64 > max_bytes {
            return Err(Unheld::TooLarge);
        }
        if exchange.body.is_complete() {
            exchange.held = Held::InMemory;
            return Ok(());
        }
        // The head stays: the request is judged and recorded from it.
        exchange.input.truncate(exchange.head_bytes);
        exchange.input_used = exchange.head_bytes;
        let received = poll_fn(|cx| match context.client.poll_receive(cx, &mut exchange.input) {
            Poll::Pending if context.deadline.is_reached(cx.waker()) => Poll::Ready(Err(Unheld::Failed)),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(Err(Unheld::ClientGone)),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
        });
        received.await?;
    }
}

async fn go_ahead<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> Result<(), Unheld> {
    if forward::go_ahead(context, exchange).await { Ok(()) } else { Err(Unheld::ClientGone) }
}

/// Gets the body into a private file.
async fn hold_in_file<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    max_bytes: u64,
) -> Result<(), Unheld> {
    match exchange.body.framing {
        Framing::None | Framing::Close => {
            exchange.held_bytes.clear();
            exchange.held = Held::InMemory;
            return Ok(());
        }
        Framing::Length(length) if length > max_bytes => return Err(Unheld::TooLarge),
        Framing::Length(_) | Framing::Chunked => {}
    }
    let shard = context.shard;
    go_ahead(context, exchange).await?;
    let failed = |error: io::Error| {
        tracing::error!(%error, "cannot spool a request body");
        Unheld::Failed
    };
    let mut spool = Spool::new(&shard.ring, &shard.facts.spool_folder).map_err(failed)?;
    let until = shard.ring.now() + limits::SPOOL_TIMEOUT;
    exchange.held_bytes.clear();
    let piece = exchange.input.get(exchange.input_used..).unwrap_or_default();
    let used = upload::take_piece(&mut exchange.body, piece, &mut exchange.held_bytes);
    exchange.input_used += used.map_err(|_| Unheld::Failed)?;
    spool.append_bytes(&exchange.held_bytes).await.map_err(failed)?;
    while !exchange.body.is_complete() {
        exchange.input.truncate(exchange.head_bytes);
        exchange.input_used = exchange.head_bytes;
        let left = until.saturating_duration_since(shard.ring.now());
        let mut piece = receive_bulk(context, limits::SPOOL_SILENCE_TIMEOUT.min(left)).await?;
        upload::take_bulk(&mut exchange.body, &mut piece, &mut exchange.input).map_err(|_| Unheld::Failed)?;
        if spool.len() + piece.payload().len() as u64 > max_bytes {
            return Err(Unheld::TooLarge);
        }
        spool.append(piece).await.map_err(failed)?;
    }
    if spool.len() > max_bytes {
        return Err(Unheld::TooLarge);
    }
    exchange.held = Held::InFile(spool);
    Ok(())
}

async fn receive_bulk<T: Transport>(context: &Context<'_, T>, limit: Duration) -> Result<Bulk, Unheld> {
    context.deadline.set(limit);
    poll_fn(|cx| match context.client.poll_receive_bulk(cx) {
        Poll::Pending if context.deadline.is_reached(cx.waker()) => Poll::Ready(Err(Unheld::Failed)),
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(piece)) if !piece.payload().is_empty() => Poll::Ready(Ok(piece)),
        Poll::Ready(_) => Poll::Ready(Err(Unheld::ClientGone)),
    })
    .await
}

/// What is known of an archive before its body.
fn upload_of(exchange: &Exchange) -> Upload<'_> {
    Upload {
        query: exchange.query(),
        content_type: exchange.head.first(&exchange.input, FieldName::ContentType),
        has_body: match exchange.body.framing {
            Framing::None | Framing::Close => false,
            Framing::Length(length) => length > 0,
            Framing::Chunked => true,
        },
    }
}

/// Has a worker judge the archive in the file.
async fn judge_file<T: Transport>(context: &Context<'_, T>, exchange: &Exchange, inspector: Inspector) -> Outcome {
    let failed = || Outcome::Failed(inspector.failure_reason().into());
    let Some(generation) = exchange.generation.as_deref().map(std::sync::Arc::clone) else { return failed() };
    let file = match &exchange.held {
        Held::InFile(spool) => spool.share().map(Some),
        Held::Nothing | Held::InMemory => Ok(None),
    };
    let Ok(file) = file else { return failed() };
    let Upload { query, content_type, has_body } = upload_of(exchange);
    let (query, content_type) = (query.to_vec(), content_type.map(<[u8]>::to_vec));
    let job = context.shard.offload.begin(move || {
        let upload = Upload { query: &query, content_type: content_type.as_deref(), has_body };
        let options = &generation.plan.inspection;
        match file {
            // From its beginning: spooling wrote at offsets, and nobody has moved the position since.
            Some(mut file) => dispatch::inspect_archive(inspector, &upload, &mut file, options),
            None => dispatch::inspect_archive(inspector, &upload, &mut io::empty(), options),
        }
    });
    match poll_fn(|cx| job.poll_result(cx)).await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => {
            tracing::error!(%error, "cannot inspect an archive");
            failed()
        }
        None => failed(),
    }
}
