//! The response filter (spec 50 C, 60 §3.4): answers that an active redaction toggle covers.
//!
//! Such an answer is read whole before the client is told anything. What cannot be rewritten with certainty is refused
//! with a 502 that shows nothing of it. Long answers are few at a time on a shard, and bounded in what their clients have
//! not taken of them, so that a hundred lists asked for at once wait for one another instead of filling the memory.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use super::connection::{After, Context};
use super::download::{self, Body, Event, Unread};
use super::exchange::{Answer, Exchange};
use super::forward::{self, Answering, Delivery};
use super::local::{self, Failure};
use super::places::{Places, Taken};
use super::transport::Transport;
use crate::http::forward::ResponseBody;
use crate::http::{FieldName, Framing};
use crate::limits;
use crate::redaction::{Cuts, Rejected, Scratch};
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

fn has_coding(exchange: &Exchange) -> bool {
    let mut codings = exchange.answer.head.values(exchange.answer.raw_head(), FieldName::ContentEncoding);
    codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// A received body.
pub(super) enum Read {
    /// Whole behind its head.
    WithHead,
    /// Whole in `exchange.scratch`; `clean`: nothing came behind it.
    Short { clean: bool },
    /// Its beginning is in `exchange.scratch`; [`respond_at_length`] reads on.
    Long(Body),
}

impl Read {
    fn bytes<'e>(&self, exchange: &'e Exchange) -> &'e [u8] {
        match self {
            Read::WithHead => exchange.answer.rest(),
            Read::Short { .. } | Read::Long(_) => &exchange.scratch,
        }
    }
}

/// Reads the body of an answer for as long as it is short: without allocating anything, and without a place.
pub(super) async fn read<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
    framing: Framing,
) -> Result<Read, Cut> {
    context.deadline.clear();
    if has_coding(exchange) {
        return Err(Cut::Refused("content coding on an answer that has to be read"));
    }
    if matches!(framing, Framing::Length(length) if length == exchange.answer.rest().len() as u64) {
        return Ok(Read::WithHead);
    }
    let mut body = Body::unframed(framing);
    exchange.scratch.clear();
    let clean = poll_fn(|cx| {
        let Answer { bytes, head_bytes, .. } = &mut exchange.answer;
        loop {
            let piece = bytes.get(*head_bytes..).unwrap_or_default();
            let Some(used) = body.take(piece, &mut exchange.scratch) else {
                return Poll::Ready(Err(Unread::Malformed));
            };
            if body.is_complete() {
                return Poll::Ready(Ok(Some(used == piece.len())));
            }
            if body.is_longer_than(limits::SHORT_ANSWER_MAX_BYTES, exchange.scratch.len()) {
                return Poll::Ready(Ok(None));
            }
            bytes.truncate(*head_bytes);
            match ready!(download::poll_receive(context.client, engine, bytes, cx)) {
                Event::Piece(_) => {}
                Event::Ended => return Poll::Ready(body.end().map(|()| Some(false))),
                Event::ClientGone => return Poll::Ready(Err(Unread::ClientGone)),
            }
        }
    })
    .await?;
    Ok(clean.map_or_else(|| Read::Long(body), |clean| Read::Short { clean }))
}

/// Writes the head of a short answer and its edited body into `exchange.downstream`; returns the body's length.
pub(super) fn edit<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    delivery: Delivery,
    read: &Read,
) -> Result<u64, Cut> {
    if read.bytes(exchange).is_empty() {
        // Nothing to read: the removal of a service answers so on a covered path (spec 50 C1).
        forward::write_response_head(exchange, Delivery { body: ResponseBody::Replaced(0), ..delivery });
        return Ok(0);
    }
    let mut scratch = context.shard.redaction_scratch.borrow_mut();
    let cuts = find_cuts(exchange, read.bytes(exchange), &mut scratch)?;
    let length = cuts.edited_len(read.bytes(exchange).len());
    // Whatever framing the Engine used, the length is known now.
    forward::write_response_head(exchange, Delivery { body: ResponseBody::Replaced(length as u64), ..delivery });
    let mut out = std::mem::take(&mut exchange.downstream);
    cuts.apply(read.bytes(exchange), &mut out);
    exchange.downstream = out;
    Ok(length as u64)
}

fn find_cuts<'s>(exchange: &Exchange, received: &[u8], scratch: &'s mut Scratch) -> Result<&'s Cuts, Cut> {
    let generation = exchange.generation.as_deref();
    let matcher = generation.and_then(|one| one.redaction.covers(exchange.path.canonical()));
    matcher.ok_or(Cut::Refused("no policy"))?.cuts(received, scratch).map_err(Cut::Rejected)
}

/// Answers with a long answer, of which [`read`] has read the beginning.
pub(super) async fn respond_at_length<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Answering,
    body: Body,
    delivery: Delivery,
) -> After {
    let long = &context.shard.long_answers;
    let prepared = match long.reading.take(1, context.client).await {
        Some(_place) => prepare(context, exchange, engine, body, delivery).await,
        None => Err(Cut::ClientGone),
    };
    // The place is free again: a client that reads slowly keeps its own answer waiting, nobody else's.
    match prepared {
        Ok(prepared) => send(context, exchange, prepared, delivery).await,
        Err(cut) => give_up(context, exchange, cut).await,
    }
}

/// A long answer that is ready to go out, and has the room for that.
struct Prepared<'s> {
    /// Of the body, in bytes.
    length: u64,
    /// Head and edited body, but for long ranges, which go out from where they were received.
    joined: Vec<u8>,
    received: Vec<u8>,
    insets: Insets,
    _room: Taken<'s>,
}

/// Reads and edits a long answer, and waits until there is room for it.
async fn prepare<'s, T: Transport>(
    context: &Context<'s, T>,
    exchange: &mut Exchange,
    engine: Answering,
    mut body: Body,
    delivery: Delivery,
) -> Result<Prepared<'s>, Cut> {
    let long = &context.shard.long_answers;
    let mut received = long.buffer();
    received.extend_from_slice(&exchange.scratch);
    if let Framing::Length(length) = delivery.framing {
        let length = usize::try_from(length).ok().filter(|length| *length <= limits::FILTERED_RESPONSE_MAX_BYTES);
        received.reserve_exact(length.ok_or(Unread::TooLarge)?.saturating_sub(received.len()));
    }
    match download::read_whole(context.client, &engine, &mut body, &mut received).await? && delivery.reusable {
        true => engine.give_back(context.shard),
        false => drop(engine),
    }
    let (mut joined, mut insets) = (long.buffer(), Insets::default());
    let length = {
        let mut scratch = context.shard.redaction_scratch.borrow_mut();
        let cuts = find_cuts(exchange, &received, &mut scratch)?;
        let length = cuts.edited_len(received.len());
        forward::write_response_head(exchange, Delivery { body: ResponseBody::Replaced(length as u64), ..delivery });
        joined.reserve_exact(exchange.downstream.len() + length);
        joined.extend_from_slice(&exchange.downstream);
        let in_place = |at, range| insets.push(at, range);
        cuts.apply_around(&received, &mut joined, limits::SENT_IN_PLACE_MIN_BYTES, in_place);
        length as u64
    };
    if insets.is_empty() {
        long.keep(std::mem::take(&mut received));
    }
    let bytes = (joined.len() + received.len()).min(limits::LONG_ANSWERS_UNSENT_MAX_BYTES);
    let room = long.unsent.take(bytes, context.client).await.ok_or(Cut::ClientGone)?;
    Ok(Prepared { length, joined, received, insets, _room: room })
}

/// Sends a long answer.
async fn send<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    prepared: Prepared<'_>,
    delivery: Delivery,
) -> After {
    exchange.facts.status = exchange.answer.head.status;
    let gathered = Box::new(Gathered::new(prepared.joined, prepared.received, &prepared.insets));
    let Some((sent, (joined, received))) = patiently(context, context.client.send_gathered(gathered)).await else {
        tracing::warn!("client does not take its answer, and others wait for the memory: connection closed");
        return After::Close;
    };
    context.shard.long_answers.keep(joined);
    context.shard.long_answers.keep(received);
    if sent.is_err() {
        return After::Close;
    }
    exchange.facts.sent_bytes = prepared.length;
    if delivery.close { After::Linger } else { After::Keep }
}

/// Why an answer does not reach the client.
pub(super) enum Cut {
    Refused(&'static str),
    Rejected(Rejected),
    ClientGone,
}

impl From<Unread> for Cut {
    fn from(unread: Unread) -> Cut {
        match unread {
            Unread::ClientGone => Cut::ClientGone,
            Unread::Malformed => Cut::Refused("malformed chunked coding"),
            Unread::TooLarge => Cut::Refused("too large to be filtered"),
            Unread::CutOff => Cut::Refused("cut off"),
        }
    }
}

/// Answers that the Engine's answer cannot be passed on.
pub(super) async fn give_up<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, cut: Cut) -> After {
    match cut {
        Cut::Refused(cause) => refuse(context, exchange, &cause).await,
        Cut::Rejected(rejected) => refuse(context, exchange, &rejected).await,
        Cut::ClientGone => forward::lose(context, exchange, forward::Lost::ClientGone).await,
    }
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

    /// An empty buffer.
    fn buffer(&self) -> Vec<u8> {
        self.kept.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    fn keep(&self, mut buffer: Vec<u8>) {
        let mut kept = self.kept.borrow_mut();
        if buffer.capacity() > 0 && kept.len() < 2 * limits::LONG_ANSWERS_AT_ONCE {
            buffer.clear();
            buffer.shrink_to(limits::LONG_ANSWER_KEPT_BYTES);
            kept.push(buffer);
        }
    }
}
