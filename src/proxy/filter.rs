//! The response filter (spec 50 C, 60 §3.4): answers that an active redaction toggle covers.
//!
//! Such an answer is read whole before the client is told anything. What cannot be rewritten with certainty is refused
//! with a 502 that shows nothing of it. Long answers are few at a time on a shard, so that a hundred lists asked for at
//! once wait for one another instead of filling the memory.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::connection::{After, Context};
use super::download::{Body, Unread, read_whole};
use super::exchange::Exchange;
use super::forward::{self, Answering, Delivery};
use super::local::{self, Failure};
use super::places::{Places, Taken};
use super::transport::Transport;
use crate::http::forward::ResponseBody;
use crate::http::{FieldName, Framing};
use crate::limits;
use crate::redaction::Rejected;
use crate::rt::{Gathered, Insets, Ring, Stream};

/// Whether the answer in `exchange.answer` has to be filtered.
pub(super) fn applies(exchange: &Exchange, framing: Framing) -> bool {
    let status = exchange.answer.head.status;
    framing != Framing::None && (200..300).contains(&status) && status != 205 && is_covered(exchange)
}

/// Whether answers on the path of this request are filtered.
pub(super) fn is_covered(exchange: &Exchange) -> bool {
    exchange.generation.as_deref().is_some_and(|one| one.redaction.covers(exchange.path.canonical()).is_some())
}

/// What came of an answer that was edited where it stands.
pub(super) enum AtOnce {
    /// Head and body, which has this length, are in `exchange.downstream`.
    Edited(u64),
    /// It is refused; [`give_up`] says so.
    Cut(Cut),
    /// It is not all there, or not to be read: [`respond`] sees to it.
    Later(Answering),
}

/// Edits an answer that came whole with its head, without waiting and without allocating anything.
pub(super) fn edit_at_once<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Answering,
    delivery: Delivery,
) -> AtOnce {
    let came_whole =
        matches!(delivery.framing, Framing::Length(length) if exchange.answer.rest().len() as u64 == length);
    if !came_whole || has_coding(exchange) {
        return AtOnce::Later(engine);
    }
    context.deadline.clear();
    if delivery.reusable {
        engine.give_back(context.shard);
    }
    match edit(context, exchange, delivery, Received::WithHead) {
        Ok(edited) => AtOnce::Edited(edited.length),
        Err(cut) => AtOnce::Cut(cut),
    }
}

fn has_coding(exchange: &Exchange) -> bool {
    let mut codings = exchange.answer.head.values(exchange.answer.raw_head(), FieldName::ContentEncoding);
    codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// Answers with the filtered body of an answer that may still be on its way.
pub(super) async fn respond<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Answering,
    delivery: Delivery,
) -> After {
    if has_coding(exchange) {
        return refuse(context, exchange, &"content coding on an answer that has to be read").await;
    }
    context.deadline.clear();
    let long = &context.shard.long_answers;
    let prepared = {
        let Some(_place) = long.reading.take(1, context.client).await else {
            return forward::lose(context, exchange, forward::Lost::ClientGone).await;
        };
        long.lend(exchange);
        prepare(context, exchange, engine, delivery).await
    };
    // The place is free again: a client that reads slowly keeps its own answer waiting, nobody else's.
    match prepared {
        Ok((edited, _unsent)) => send(context, exchange, edited, delivery).await,
        Err(cut) => {
            long.keep(std::mem::take(&mut exchange.scratch));
            let after = give_up(context, exchange, cut).await;
            long.keep(std::mem::take(&mut exchange.downstream));
            after
        }
    }
}

/// Reads and edits an answer, and waits until there is room for it on its way out.
async fn prepare<'s, T: Transport>(
    context: &Context<'s, T>,
    exchange: &mut Exchange,
    engine: Answering,
    delivery: Delivery,
) -> Result<(Edited, Taken<'s>), Cut> {
    let mut body = std::mem::take(&mut exchange.scratch);
    body.clear();
    let gathered = gather(context, exchange, &engine, delivery, &mut body).await;
    exchange.scratch = body;
    match gathered? && delivery.reusable {
        true => engine.give_back(context.shard),
        false => drop(engine),
    }
    let edited = edit(context, exchange, delivery, Received::InScratch)?;
    let long = &context.shard.long_answers;
    if edited.insets.is_empty() {
        long.keep(std::mem::take(&mut exchange.scratch));
    }
    let unsent = exchange.downstream.len() + exchange.scratch.len();
    let unsent = long.unsent.take(unsent.min(limits::LONG_ANSWERS_UNSENT_MAX_BYTES), context.client).await;
    Ok((edited, unsent.ok_or(Cut::ClientGone)?))
}

/// Where the body is that the Engine sent.
#[derive(Clone, Copy)]
enum Received {
    /// Behind its head, whole.
    WithHead,
    /// In `exchange.scratch`.
    InScratch,
}

impl Received {
    fn of(self, exchange: &Exchange) -> &[u8] {
        match self {
            Received::WithHead => exchange.answer.rest(),
            Received::InScratch => &exchange.scratch,
        }
    }
}

/// An edited answer: `exchange.downstream`, with some of the received body in between.
struct Edited {
    /// Of the body, in bytes.
    length: u64,
    insets: Insets,
}

/// Writes the head and the edited body into `exchange.downstream`, but for long ranges of a long body, which go out from
/// where they are. An answer that came in one piece is too short for that to pay.
fn edit<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    delivery: Delivery,
    received: Received,
) -> Result<Edited, Cut> {
    let mut insets = Insets::default();
    if received.of(exchange).is_empty() {
        // Nothing to read: the removal of a service answers so on a covered path (spec 50 C1).
        forward::write_response_head(exchange, Delivery { body: ResponseBody::Replaced(0), ..delivery });
        return Ok(Edited { length: 0, insets });
    }
    let generation = exchange.generation.clone();
    let matcher = generation.as_deref().and_then(|one| one.redaction.covers(exchange.path.canonical()));
    let matcher = matcher.ok_or(Cut::Refused("no policy"))?;
    let mut scratch = context.shard.redaction_scratch.borrow_mut();
    let cuts = matcher.cuts(received.of(exchange), &mut scratch).map_err(Cut::Rejected)?;
    let length = cuts.edited_len(received.of(exchange).len());
    // Whatever framing the Engine used, the length is known now.
    forward::write_response_head(exchange, Delivery { body: ResponseBody::Replaced(length as u64), ..delivery });
    exchange.downstream.reserve_exact(length);
    match received {
        Received::WithHead => cuts.apply(exchange.answer.rest(), &mut exchange.downstream),
        Received::InScratch => {
            let in_place = |at, range| insets.push(at, range);
            let min_bytes = limits::SENT_IN_PLACE_MIN_BYTES;
            cuts.apply_around(&exchange.scratch, &mut exchange.downstream, min_bytes, in_place);
        }
    }
    Ok(Edited { length: length as u64, insets })
}

/// Why an answer was not read to its end.
pub(super) enum Cut {
    Refused(&'static str),
    Rejected(Rejected),
    ClientGone,
}

/// Answers that the Engine's answer cannot be passed on.
pub(super) async fn give_up<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, cut: Cut) -> After {
    match cut {
        Cut::Refused(cause) => refuse(context, exchange, &cause).await,
        Cut::Rejected(rejected) => refuse(context, exchange, &rejected).await,
        Cut::ClientGone => forward::lose(context, exchange, forward::Lost::ClientGone).await,
    }
}

/// Takes what came of the body with the head; true when nothing came behind it.
fn begin(exchange: &Exchange, delivery: Delivery, into: &mut Vec<u8>) -> Result<(Body, bool), Cut> {
    let mut body = Body::unframed(delivery.framing);
    let came = exchange.answer.rest();
    let used = body.take(came, into).ok_or(Cut::Refused("malformed chunked coding"))?;
    Ok((body, used == came.len()))
}

/// Reads the whole body; true when nothing came behind it.
async fn gather<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
    delivery: Delivery,
    into: &mut Vec<u8>,
) -> Result<bool, Cut> {
    let (mut body, clean) = begin(exchange, delivery, into)?;
    if body.is_complete() {
        return Ok(clean);
    }
    if matches!(delivery.framing, Framing::Length(length) if length > limits::FILTERED_RESPONSE_MAX_BYTES as u64) {
        return Err(Cut::Refused("too large to be filtered"));
    }
    if let Framing::Length(length) = delivery.framing {
        into.reserve_exact(usize::try_from(length).unwrap_or_default().saturating_sub(into.len()));
    }
    read_whole(context.client, engine, &mut body, into).await.map_err(|error| match error {
        Unread::ClientGone => Cut::ClientGone,
        Unread::Malformed => Cut::Refused("malformed chunked coding"),
        Unread::TooLarge => Cut::Refused("too large to be filtered"),
        Unread::CutOff => Cut::Refused("cut off"),
    })
}

/// Sends a long answer, and gives its buffers back.
async fn send<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    edited: Edited,
    delivery: Delivery,
) -> After {
    exchange.facts.status = exchange.answer.head.status;
    let (joined, apart) = (std::mem::take(&mut exchange.downstream), std::mem::take(&mut exchange.scratch));
    let gathered = Box::new(Gathered::new(joined, apart, &edited.insets));
    let Some((sent, (joined, apart))) = patiently(context, context.client.send_gathered(gathered)).await else {
        tracing::warn!("client does not take its answer, and others wait for the memory: connection closed");
        return After::Close;
    };
    let long = &context.shard.long_answers;
    long.keep(joined);
    long.keep(apart);
    if sent.is_err() {
        return After::Close;
    }
    exchange.facts.sent_bytes = edited.length;
    if delivery.close { After::Linger } else { After::Keep }
}

/// Waits for `sending` for as long as it takes; `None` when that is too long and others wait for its memory.
async fn patiently<T: Transport, O>(context: &Context<'_, T>, sending: impl Future<Output = O>) -> Option<O> {
    const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);
    let mut sending = pin!(sending);
    context.deadline.set(limits::LONG_ANSWER_PATIENCE);
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(outcome) = sending.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        while context.deadline.is_reached(cx.waker()) {
            if context.shard.long_answers.unsent.are_wanted() {
                return Poll::Ready(None);
            }
            context.deadline.set(ASKED_AGAIN_AFTER);
        }
        Poll::Pending
    })
    .await;
    context.deadline.clear();
    outcome
}

async fn refuse<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    cause: &dyn std::fmt::Display,
) -> After {
    local::fail(context, exchange, Failure::Rejected, cause).await
}

/// Lets a few long answers be read at a time, and so many be on their way out as fit a bound, with buffers that stay
/// warm.
pub(super) struct LongAnswers {
    reading: Places,
    /// Bytes.
    unsent: Places,
    /// Buffers between two answers: a pair for each that is read.
    kept: RefCell<Vec<Vec<u8>>>,
}

impl LongAnswers {
    pub(super) fn new(ring: &Ring) -> LongAnswers {
        LongAnswers {
            reading: Places::new(ring, limits::LONG_ANSWERS_AT_ONCE),
            unsent: Places::new(ring, limits::LONG_ANSWERS_UNSENT_MAX_BYTES),
            kept: RefCell::default(),
        }
    }

    /// Gives an exchange large buffers for the answer as received and as edited. Its ordinary ones are dropped: they are
    /// small, and the next request makes new ones.
    fn lend(&self, exchange: &mut Exchange) {
        exchange.scratch = self.take();
        exchange.downstream = self.take();
    }

    fn take(&self) -> Vec<u8> {
        self.kept.borrow_mut().pop().unwrap_or_default()
    }

    fn keep(&self, mut buffer: Vec<u8>) {
        let mut kept = self.kept.borrow_mut();
        if buffer.capacity() > 0 && kept.len() < 2 * limits::LONG_ANSWERS_AT_ONCE {
            buffer.clear();
            buffer.shrink_to(limits::LONG_ANSWER_KEPT_BYTES);
            kept.push(buffer);
        }
    }
}
