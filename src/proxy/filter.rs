//! The response filter (spec 50 C, 60 §3.4): answers that an active redaction toggle covers.
//!
//! Such an answer is read whole before the client is told anything. What cannot be rewritten with certainty is refused
//! with a 502 that shows nothing of it. Long answers are few at a time on a shard, so that a hundred lists asked for at
//! once wait for one another instead of filling the memory.

use std::future::poll_fn;
use std::task::Poll;

use super::connection::{After, Context};
use super::download::{Body, read_whole};
use super::exchange::Exchange;
use super::forward::{self, Delivery};
use super::local::{self, Failure};
use super::transport::Transport;
use crate::http::forward::ResponseBody;
use crate::http::{FieldName, Framing};
use crate::limits;
use crate::rt::Stream;

/// Whether the answer in `exchange.answer` has to be filtered.
pub(super) fn applies(exchange: &Exchange, framing: Framing) -> bool {
    let status = exchange.answer.head.status;
    framing != Framing::None && (200..300).contains(&status) && status != 205 && is_covered(exchange)
}

/// Whether answers on the path of this request are filtered.
pub(super) fn is_covered(exchange: &Exchange) -> bool {
    exchange.generation.as_deref().is_some_and(|one| one.redaction.covers(exchange.path.canonical()).is_some())
}

/// Answers with the filtered body.
pub(super) async fn respond<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Stream,
    delivery: Delivery,
) -> After {
    let coding = exchange.answer.head.first(exchange.answer.raw_head(), FieldName::ContentEncoding);
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return refuse(context, exchange, &"content coding on an answer that has to be read").await;
    }
    context.deadline.clear();
    let mut body = std::mem::take(&mut exchange.scratch);
    body.clear();
    let read = gather(context, exchange, &engine, delivery, &mut body).await;
    exchange.scratch = body;
    match read {
        Ok(clean) if clean && delivery.reusable => context.shard.engine.give_back(engine),
        Ok(_) => drop(engine),
        Err(Cut::Refused(cause)) => return refuse(context, exchange, &cause).await,
        Err(Cut::ClientGone) => return forward::lose(context, exchange, forward::Lost::ClientGone).await,
    }
    let Some(generation) = exchange.generation.clone() else { return After::Close };
    let Some(matcher) = generation.redaction.covers(exchange.path.canonical()) else { return After::Close };
    let shard = context.shard;
    let filtered = {
        let mut scratch = shard.redaction_scratch.borrow_mut();
        match matcher.cuts(&exchange.scratch, &mut scratch) {
            Ok(cuts) => {
                let length = cuts.edited_len(exchange.scratch.len()) as u64;
                // Nothing of the proxy's own needs a body of unknown length any more.
                let delivery = Delivery { body: ResponseBody::Replaced(length), ..delivery };
                forward::write_response_head(exchange, delivery);
                cuts.apply(&exchange.scratch, &mut exchange.downstream);
                Ok(length)
            }
            Err(rejected) => Err(rejected),
        }
    };
    match filtered {
        Ok(length) => send(context, exchange, length, delivery).await,
        Err(rejected) => refuse(context, exchange, &rejected).await,
    }
}

/// Why an answer was not read to its end.
enum Cut {
    Refused(&'static str),
    ClientGone,
}

/// Reads the whole body; true when nothing came behind it.
async fn gather<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
    delivery: Delivery,
    into: &mut Vec<u8>,
) -> Result<bool, Cut> {
    let mut body = Body::unframed(delivery.framing);
    let came = exchange.answer.rest();
    let mut clean = body.take(came, into).ok_or(Cut::Refused("malformed chunked coding"))? == came.len();
    if body.is_complete() {
        return Ok(clean);
    }
    if matches!(delivery.framing, Framing::Length(length) if length > limits::FILTERED_RESPONSE_MAX_BYTES as u64) {
        return Err(Cut::Refused("too large to be filtered"));
    }
    let _turn = context.shard.long_answers.turn().await;
    clean = read_whole(context.client, engine, &mut body, into).await.map_err(|error| match error {
        super::download::Unread::ClientGone => Cut::ClientGone,
        super::download::Unread::Malformed => Cut::Refused("malformed chunked coding"),
        super::download::Unread::TooLarge => Cut::Refused("too large to be filtered"),
        super::download::Unread::CutOff => Cut::Refused("cut off"),
    })?;
    Ok(clean)
}

async fn send<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    length: u64,
    delivery: Delivery,
) -> After {
    exchange.facts.status = exchange.answer.head.status;
    let (sent, back) = context.client.send(std::mem::take(&mut exchange.downstream)).await;
    exchange.downstream = back;
    if sent.is_err() {
        return After::Close;
    }
    exchange.facts.sent_bytes = length;
    if delivery.close { After::Linger } else { After::Keep }
}

async fn refuse<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    cause: &dyn std::fmt::Display,
) -> After {
    local::fail(context, exchange, Failure::Rejected, cause).await
}

/// Lets a few long answers be read at a time.
pub(super) struct LongAnswers {
    free: std::cell::Cell<usize>,
    freed: crate::rt::Notify,
}

/// One of the places; given back on drop.
pub(super) struct Turn<'l>(&'l LongAnswers);

impl LongAnswers {
    pub(super) fn new(ring: &crate::rt::Ring) -> LongAnswers {
        LongAnswers { free: std::cell::Cell::new(limits::LONG_ANSWERS_AT_ONCE), freed: crate::rt::Notify::new(ring) }
    }

    async fn turn(&self) -> Turn<'_> {
        poll_fn(|cx| {
            if let Some(left) = self.free.get().checked_sub(1) {
                self.free.set(left);
                return Poll::Ready(());
            }
            // Always pending: it registers for the next place that is freed.
            self.freed.poll_after(cx, self.freed.count())
        })
        .await;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.free.set(self.0.free.get() + 1);
        self.0.freed.notify();
    }
}
