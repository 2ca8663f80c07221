//! The response filter (spec 50 C, 60 §3.4): answers that an active redaction toggle covers.
//!
//! Such an answer is read whole before the client is told anything. What cannot be rewritten with certainty is refused
//! with a 502 that shows nothing of it. Long answers share a bounded room, from their first byte until their clients have
//! taken them, so that a hundred lists asked for at once wait for one another instead of filling the memory.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::connection::{After, Context};
use super::download::{self, Body, Event, Unread};
use super::exchange::{Answer, Exchange};
use super::forward::{self, Answering, Delivery};
use super::local::{self, Failure};
use super::transport::Transport;
use crate::http::forward::ResponseBody;
use crate::http::{FieldName, Framing};
use crate::limits;
use crate::redaction::{Cuts, Rejected, Scratch};
use crate::rt::{Gathered, Insets, Places, Ring, Stream, Taken};

/// Whether the answer in `exchange.answer` has to be filtered.
pub(super) fn applies(exchange: &Exchange, framing: Framing) -> bool {
    let status = exchange.answer.head.status;
    framing != Framing::None && (200..300).contains(&status) && status != 205 && is_covered(exchange)
}

/// Whether answers on the path of this request are filtered.
pub(super) fn is_covered(exchange: &Exchange) -> bool {
    exchange.generation.as_deref().is_some_and(|one| one.redaction.covers(exchange.path.canonical()).is_some())
}

fn has_coding(exchange: &Exchange) -> bool {
    let mut codings = exchange.answer.head.values(exchange.answer.raw_head(), FieldName::ContentEncoding);
    codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// A body as far as it was received.
pub(super) enum Received {
    /// Whole behind its head.
    WithHead,
    /// Whole in `exchange.scratch`; `clean`: nothing came behind it.
    Short { clean: bool },
    /// Its beginning is in `exchange.scratch`; [`respond_at_length`] reads on.
    Long(Body),
}

impl Received {
    fn bytes<'e>(&self, exchange: &'e Exchange) -> &'e [u8] {
        match self {
            Received::WithHead => exchange.answer.rest(),
            Received::Short { .. } | Received::Long(_) => &exchange.scratch,
        }
    }
}

/// Receives the body of an answer for as long as it is short: without allocating anything, and without a place.
pub(super) async fn receive<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
    framing: Framing,
) -> Result<Received, Withheld> {
    context.deadline.clear();
    if has_coding(exchange) {
        return Err(Withheld::Refused("content coding on an answer that has to be read"));
    }
    if matches!(framing, Framing::Length(length) if length == exchange.answer.rest().len() as u64) {
        return Ok(Received::WithHead);
    }
    let mut body = Body::new(framing);
    exchange.scratch.clear();
    loop {
        let Answer { bytes, head_bytes, .. } = &mut exchange.answer;
        let piece = bytes.get(*head_bytes..).unwrap_or_default();
        let used = body.take(piece, &mut exchange.scratch)?;
        if body.is_complete() {
            return Ok(Received::Short { clean: used == piece.len() });
        }
        let known = body.known_length(exchange.scratch.len());
        if known > limits::FILTERED_RESPONSE_MAX_BYTES {
            return Err(Unread::TooLarge.into());
        }
        if known > limits::SHORT_ANSWER_MAX_BYTES {
            return Ok(Received::Long(body));
        }
        bytes.truncate(*head_bytes);
        match poll_fn(|cx| download::poll_receive(context.client, engine, bytes, cx)).await {
            Event::Piece(_) => {}
            Event::ClientGone => return Err(Withheld::ClientGone),
            Event::Ended if framing == Framing::Close => return Ok(Received::Short { clean: false }),
            Event::Ended | Event::Failed => return Err(Unread::CutOff.into()),
        }
    }
}

/// Writes the head of a short answer and its edited body into `exchange.downstream`; returns the body's length.
pub(super) fn edit<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    delivery: Delivery,
    received: &Received,
) -> Result<u64, Withheld> {
    if received.bytes(exchange).is_empty() {
        // Nothing to read: the removal of a service answers so on a covered path (spec 50 C1).
        write_head(exchange, delivery, 0);
        return Ok(0);
    }
    let mut scratch = context.shard.redaction_scratch.borrow_mut();
    let cuts = find_cuts(exchange, received.bytes(exchange), &mut scratch)?;
    let length = cuts.edited_len(received.bytes(exchange).len());
    write_head(exchange, delivery, length);
    let mut out = std::mem::take(&mut exchange.downstream);
    cuts.apply(received.bytes(exchange), &mut out);
    exchange.downstream = out;
    Ok(length as u64)
}

fn find_cuts<'s>(exchange: &Exchange, received: &[u8], scratch: &'s mut Scratch) -> Result<&'s Cuts, Withheld> {
    let generation = exchange.generation.as_deref();
    let matcher = generation.and_then(|one| one.redaction.covers(exchange.path.canonical()));
    matcher.ok_or(Withheld::Refused("no policy"))?.cuts(received, scratch).map_err(Withheld::Rejected)
}

/// Writes the head into `exchange.downstream`: whatever framing the Engine used, the length is known now.
fn write_head(exchange: &mut Exchange, delivery: Delivery, length: usize) {
    forward::write_response_head(exchange, Delivery { body: ResponseBody::Replaced(length as u64), ..delivery });
}

/// Answers with a long answer, of which [`receive`] has received the beginning.
pub(super) async fn respond_at_length<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Answering,
    body: Body,
    delivery: Delivery,
) -> After {
    match prepare(context, exchange, engine, body, delivery).await {
        Ok((edited, _room)) => send(context, exchange, edited, delivery).await,
        Err(withheld) => give_up(context, exchange, withheld).await,
    }
}

/// Receives and edits a long answer, once there is room for it.
async fn prepare<'s, T: Transport>(
    context: &Context<'s, T>,
    exchange: &mut Exchange,
    engine: Answering,
    mut body: Body,
    delivery: Delivery,
) -> Result<(Edited, Taken<'s>), Withheld> {
    let long = &context.shard.long_answers;
    // All of it as a rule: the Engine states a length, or writes one chunk. What comes on top is added when it is there.
    let known = body.known_length(exchange.scratch.len());
    let mut room = context.take(&long.room, 2 * known).await.ok_or(Withheld::ClientGone)?;
    let received = {
        let _place = context.take(&long.receiving, 1).await.ok_or(Withheld::ClientGone)?;
        let mut received = long.buffer(known);
        received.extend_from_slice(&exchange.scratch);
        if download::read_whole(context.client, &engine, &mut body, &mut received).await? && delivery.reusable {
            engine.give_back(context.shard);
        }
        received
    };
    room.resize(received.capacity() + received.len());
    let edited = edit_at_length(context, exchange, delivery, received)?;
    room.resize(edited.joined.capacity() + edited.received.capacity());
    Ok((edited, room))
}

/// A long answer that is ready to go out.
struct Edited {
    /// Of the body, in bytes.
    length: u64,
    /// Head and edited body, but for `insets`.
    joined: Vec<u8>,
    /// What the insets are ranges of; without any it is not kept.
    received: Vec<u8>,
    insets: Insets,
}

fn edit_at_length<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    delivery: Delivery,
    mut received: Vec<u8>,
) -> Result<Edited, Withheld> {
    let long = &context.shard.long_answers;
    let mut scratch = context.shard.redaction_scratch.borrow_mut();
    let cuts = find_cuts(exchange, &received, &mut scratch)?;
    let length = cuts.edited_len(received.len());
    write_head(exchange, delivery, length);
    let ranges = cuts.kept(received.len()).map(|range| range.len());
    let in_place: usize = ranges.filter(|bytes| *bytes >= limits::SENT_IN_PLACE_MIN_BYTES).take(Insets::MAX).sum();
    // Both buffers stay until the client has taken its answer; for a little of it that is no bargain.
    let is_worth_it = in_place >= length / 2;
    let joined_bytes = if is_worth_it { length - in_place } else { length };
    let mut joined = long.buffer(exchange.downstream.len() + joined_bytes);
    joined.extend_from_slice(&exchange.downstream);
    let mut insets = Insets::default();
    cuts.apply_around(&received, &mut joined, |at, range| {
        is_worth_it && range.len() >= limits::SENT_IN_PLACE_MIN_BYTES && insets.push(at, range)
    });
    if insets.is_empty() {
        long.keep(std::mem::take(&mut received));
    }
    Ok(Edited { length: length as u64, joined, received, insets })
}

/// Sends a long answer.
async fn send<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    edited: Edited,
    delivery: Delivery,
) -> After {
    exchange.facts.status = exchange.answer.head.status;
    let gathered = Box::new(Gathered::new(edited.joined, edited.received, &edited.insets));
    let Some((sent, (joined, received))) = patiently(context, context.client.send_gathered(gathered)).await else {
        tracing::info!("client does not take its answer, and others wait for the memory: connection closed");
        return After::Close;
    };
    context.shard.long_answers.keep(joined);
    context.shard.long_answers.keep(received);
    if sent.is_err() {
        return After::Close;
    }
    exchange.facts.sent_bytes = edited.length;
    if delivery.close { After::Linger } else { After::Keep }
}

/// Why an answer does not reach the client.
pub(super) enum Withheld {
    Refused(&'static str),
    Rejected(Rejected),
    ClientGone,
}

impl From<Unread> for Withheld {
    fn from(unread: Unread) -> Withheld {
        match unread {
            Unread::ClientGone => Withheld::ClientGone,
            Unread::Malformed => Withheld::Refused("malformed chunked coding"),
            Unread::TooLarge => Withheld::Refused("too large to be filtered"),
            Unread::CutOff => Withheld::Refused("cut off"),
        }
    }
}

/// Answers that the Engine's answer cannot be passed on.
pub(super) async fn give_up<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    withheld: Withheld,
) -> After {
    match withheld {
        Withheld::Refused(cause) => refuse(context, exchange, &cause).await,
        Withheld::Rejected(rejected) => refuse(context, exchange, &rejected).await,
        Withheld::ClientGone => forward::lose(context, exchange, forward::Lost::ClientGone).await,
    }
}

/// Waits for `sending` for as long as it takes; `None` when that is too long and somebody waits for its memory.
async fn patiently<T: Transport, O>(context: &Context<'_, T>, sending: impl Future<Output = O>) -> Option<O> {
    const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);
    let mut sending = pin!(sending);
    context.deadline.set(limits::LONG_ANSWER_PATIENCE);
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(outcome) = sending.as_mut().poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        while context.deadline.is_reached(cx.waker()) {
            if context.shard.long_answers.room.are_short() {
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

/// Lets long answers be on a shard for as long as there is room for them, with buffers that stay warm.
pub(super) struct LongAnswers {
    /// Bytes.
    room: Places,
    receiving: Places,
    /// Buffers between two answers: a pair for each that is received.
    kept: RefCell<Vec<Vec<u8>>>,
}

impl LongAnswers {
    pub(super) fn new(ring: &Ring) -> LongAnswers {
        LongAnswers {
            room: Places::new(ring, limits::LONG_ANSWERS_MAX_BYTES),
            receiving: Places::new(ring, limits::LONG_ANSWERS_AT_ONCE),
            kept: RefCell::default(),
        }
    }

    /// An empty buffer with room for this many bytes; a kept one only for what uses much of it.
    fn buffer(&self, bytes: usize) -> Vec<u8> {
        let kept = if bytes >= limits::LONG_ANSWER_KEPT_BYTES / 4 { self.kept.borrow_mut().pop() } else { None };
        let mut buffer = kept.unwrap_or_default();
        buffer.reserve_exact(bytes);
        buffer
    }

    /// Takes a buffer back.
    fn keep(&self, mut buffer: Vec<u8>) {
        let mut kept = self.kept.borrow_mut();
        if buffer.capacity() >= limits::LONG_ANSWER_KEPT_BYTES / 4 && kept.len() < 2 * limits::LONG_ANSWERS_AT_ONCE {
            buffer.clear();
            buffer.shrink_to(limits::LONG_ANSWER_KEPT_BYTES);
            kept.push(buffer);
        }
    }
}
