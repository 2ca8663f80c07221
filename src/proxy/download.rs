//! The Engine's answer on its way to the client, piece by piece as it comes; and for `super::filter`, which has to see it
//! first, whole.
//!
//! What is relayed is not held back: every receive is sent on at once, and a piece of a chunk is not waited out. A chunked body
//! goes on as the bytes that the strict decoder has accepted. The client is watched, so that the Engine learns at once
//! when it leaves; an answer that breaks off is broken off, never ended as if it were complete (spec 60 §3.4, §3.5).

use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::pin;
use std::task::{self, Poll};

use smallvec::SmallVec;

use super::connection::{After, Context};
use super::exchange::Exchange;
use super::forward::{Answering, Delivery};
use super::transport::Transport;
use super::upload::{BULK_WORTH_BYTES, FULL_RECEIVE_BYTES, FULL_RECEIVES};
use crate::http::Framing;
use crate::http::chunked::{ChunkError, Decoder, Step};
use crate::http::forward::ResponseBody;
use crate::limits;
use crate::rt::{Bulk, Stream};

/// Follows a response body through the pieces it comes in.
pub(super) struct Body {
    framing: Framing,
    left: u64,
    decoder: Decoder,
    /// Chunked from the Engine, plain to the client.
    unchunked: bool,
    complete: bool,
}

/// What of a piece goes to the client.
#[derive(Default)]
struct Passed {
    ranges: SmallVec<[Range<usize>; 16]>,
    payload: u64,
    /// How much of the piece belongs to the body.
    used: usize,
}

impl Body {
    fn relayed(delivery: Delivery) -> Body {
        let unchunked = delivery.framing == Framing::Chunked && delivery.body == ResponseBody::Close;
        Body { unchunked, ..Body::new(delivery.framing) }
    }

    pub(super) fn new(framing: Framing) -> Body {
        let (left, complete) = match framing {
            Framing::None => (0, true),
            Framing::Length(length) => (length, length == 0),
            Framing::Chunked | Framing::Close => (0, false),
        };
        Body { framing, left, decoder: Decoder::default(), unchunked: false, complete }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Appends what `piece` holds of the body; returns how much of it that was.
    ///
    /// # Errors
    /// The coding is violated.
    pub(super) fn take(&mut self, piece: &[u8], into: &mut Vec<u8>) -> Result<usize, Unread> {
        if self.framing != Framing::Chunked {
            let used = self.pass(piece).map_err(|_| Unread::Malformed)?.used;
            into.extend_from_slice(piece.get(..used).unwrap_or_default());
            return Ok(used);
        }
        let mut used = 0;
        loop {
            match self.decoder.step(piece, &mut used).map_err(|_| Unread::Malformed)? {
                Step::Data(range) => into.extend_from_slice(piece.get(range).unwrap_or_default()),
                Step::More => return Ok(used),
                Step::End => {
                    self.complete = true;
                    return Ok(used);
                }
            }
        }
    }

    /// How many bytes of nothing but payload come next, as far as that is known.
    fn payload_left(&self) -> u64 {
        if self.framing == Framing::Chunked { self.decoder.payload_left() } else { self.left }
    }

    /// Takes note of payload that was received.
    fn skip_payload(&mut self, count: u64) {
        if self.framing == Framing::Chunked {
            self.decoder.skip_payload(count);
        } else {
            self.left -= count;
            self.complete = self.left == 0;
        }
    }

    /// How many bytes the body has at least, when `taken` of them were.
    pub(super) fn known_length(&self, taken: usize) -> usize {
        usize::try_from(self.payload_left()).unwrap_or(usize::MAX).saturating_add(taken)
    }

    /// What the end of the stream means.
    fn end(&self) -> End {
        if self.framing == Framing::Close { End::Body { clean: false } } else { End::Engine }
    }

    fn pass(&mut self, piece: &[u8]) -> Result<Passed, ChunkError> {
        let mut passed = Passed::default();
        match self.framing {
            Framing::None => {}
            Framing::Close => {
                passed.used = piece.len();
                passed.payload = piece.len() as u64;
            }
            Framing::Length(_) => {
                passed.used = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
                passed.payload = passed.used as u64;
                self.left -= passed.payload;
                self.complete = self.left == 0;
            }
            Framing::Chunked => loop {
                match self.decoder.step(piece, &mut passed.used)? {
                    Step::Data(range) => {
                        passed.payload += range.len() as u64;
                        if self.unchunked {
                            passed.ranges.push(range);
                        }
                    }
                    Step::More => return Ok(passed),
                    Step::End => {
                        self.complete = true;
                        return Ok(passed);
                    }
                }
            },
        }
        Ok(passed)
    }
}

/// What came next from the Engine.
pub(super) enum Event<P> {
    Piece(P),
    /// The end of the stream.
    Ended,
    Failed,
    ClientGone,
}

/// Receives the next piece from the Engine, unless the client leaves first.
pub(super) fn poll_receive<T: Transport>(
    client: &T,
    engine: &Stream,
    into: &mut Vec<u8>,
    cx: &mut task::Context<'_>,
) -> Poll<Event<usize>> {
    match engine.poll_receive(cx, into) {
        Poll::Ready(Ok(0)) => Poll::Ready(Event::Ended),
        Poll::Ready(Ok(count)) => Poll::Ready(Event::Piece(count)),
        Poll::Ready(Err(_)) => Poll::Ready(Event::Failed),
        Poll::Pending if client.poll_closed(cx).is_ready() => Poll::Ready(Event::ClientGone),
        Poll::Pending => Poll::Pending,
    }
}

/// Relays an answer whose head is written in `exchange.downstream`.
pub(super) async fn relay<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Answering,
    delivery: Delivery,
) -> After {
    context.deadline.clear();
    let mut body = Body::relayed(delivery);
    match relay_body(context, exchange, &engine, &mut body).await {
        Ok(End::Engine | End::Client) | Err(_) => After::Close,
        Ok(End::Body { clean }) => {
            if clean && delivery.reusable {
                engine.give_back(context.shard);
            }
            if delivery.close || !delivery.request_read { After::Linger } else { After::Keep }
        }
    }
}

enum End {
    /// The body is complete; `clean`: nothing came behind it.
    Body {
        clean: bool,
    },
    Engine,
    Client,
}

async fn relay_body<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
    body: &mut Body,
) -> io::Result<End> {
    let mut full = 0;
    let mut at = exchange.answer.head_bytes;
    loop {
        let piece = exchange.answer.bytes.get(at..).unwrap_or_default();
        let passed = match body.pass(piece) {
            Ok(passed) => passed,
            Err(error) => {
                tracing::debug!(%error, "response body cut off");
                send(context, exchange, 0).await?;
                return Ok(End::Engine);
            }
        };
        let clean = passed.used == piece.len();
        if body.unchunked {
            for range in &passed.ranges {
                exchange.downstream.extend_from_slice(piece.get(range.clone()).unwrap_or_default());
            }
        } else {
            exchange.downstream.extend_from_slice(piece.get(..passed.used).unwrap_or_default());
        }
        send(context, exchange, passed.payload).await?;
        if body.complete {
            return Ok(End::Body { clean });
        }
        exchange.answer.bytes.clear();
        at = 0;
        if body.left >= BULK_WORTH_BYTES || full >= FULL_RECEIVES {
            return relay_bulk(context, exchange, engine, body).await;
        }
        let bytes = &mut exchange.answer.bytes;
        match poll_fn(|cx| poll_receive(context.client, engine, bytes, cx)).await {
            Event::Piece(count) => full = if count >= FULL_RECEIVE_BYTES { full + 1 } else { 0 },
            Event::Ended => return Ok(body.end()),
            Event::Failed => return Ok(End::Engine),
            Event::ClientGone => return Ok(End::Client),
        }
    }
}

async fn send<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, payload: u64) -> io::Result<()> {
    if exchange.downstream.is_empty() {
        return Ok(());
    }
    let (sent, mut back) = context.client.send(std::mem::take(&mut exchange.downstream)).await;
    back.clear();
    exchange.downstream = back;
    exchange.facts.sent_bytes += payload;
    sent
}

async fn relay_bulk<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
    body: &mut Body,
) -> io::Result<End> {
    loop {
        let mut piece = match receive_bulk(context.client, engine).await {
            Event::Piece(piece) => piece,
            Event::Ended => return Ok(body.end()),
            Event::Failed => return Ok(End::Engine),
            Event::ClientGone => return Ok(End::Client),
        };
        let Ok(passed) = body.pass(piece.payload()) else { return Ok(End::Engine) };
        let clean = passed.used == piece.payload().len();
        if body.unchunked {
            piece.keep(&passed.ranges);
        } else {
            piece.narrow(0..passed.used);
        }
        if !piece.payload().is_empty() {
            exchange.facts.sent_bytes += passed.payload;
            context.client.send_bulk(piece).await?;
        }
        if body.complete {
            return Ok(End::Body { clean });
        }
    }
}

/// As [`poll_receive`], into a buffer of its own.
async fn receive_bulk<T: Transport>(client: &T, engine: &Stream) -> Event<Bulk> {
    poll_fn(|cx| match engine.poll_receive_bulk(cx) {
        Poll::Ready(Ok(piece)) if piece.payload().is_empty() => Poll::Ready(Event::Ended),
        Poll::Ready(Ok(piece)) => Poll::Ready(Event::Piece(piece)),
        Poll::Ready(Err(_)) => Poll::Ready(Event::Failed),
        Poll::Pending if client.poll_closed(cx).is_ready() => Poll::Ready(Event::ClientGone),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Why a body was not read whole.
pub(super) enum Unread {
    ClientGone,
    CutOff,
    Malformed,
    TooLarge,
}

/// Reads the rest of a body that the client does not get as it comes; true when nothing came behind it.
///
/// # Errors
/// See [`Unread`].
pub(super) async fn read_whole<T: Transport>(
    client: &T,
    engine: &Stream,
    body: &mut Body,
    into: &mut Vec<u8>,
) -> Result<bool, Unread> {
    loop {
        let known = body.known_length(into.len());
        if known > limits::FILTERED_RESPONSE_MAX_BYTES {
            return Err(Unread::TooLarge);
        }
        let straight = known - into.len();
        if straight as u64 >= BULK_WORTH_BYTES {
            receive_straight(client, engine, straight, into).await?;
            body.skip_payload(straight as u64);
            if body.complete {
                return Ok(!engine.is_readable());
            }
        }
        let piece = match receive_bulk(client, engine).await {
            Event::Piece(piece) => piece,
            Event::Ended if body.framing == Framing::Close => return Ok(false),
            Event::Ended | Event::Failed => return Err(Unread::CutOff),
            Event::ClientGone => return Err(Unread::ClientGone),
        };
        let used = body.take(piece.payload(), into)?;
        if into.len() > limits::FILTERED_RESPONSE_MAX_BYTES {
            return Err(Unread::TooLarge);
        }
        if body.complete {
            return Ok(used == piece.payload().len());
        }
    }
}

/// Receives `count` bytes to where they have to be.
async fn receive_straight<T: Transport>(
    client: &T,
    engine: &Stream,
    count: usize,
    into: &mut Vec<u8>,
) -> Result<(), Unread> {
    let mut receiving = pin!(engine.receive_exactly(std::mem::take(into), count));
    let received = poll_fn(|cx| match receiving.as_mut().poll(cx) {
        Poll::Ready(received) => Poll::Ready(Some(received)),
        Poll::Pending => client.poll_closed(cx).map(|()| None),
    })
    .await;
    let (outcome, buffer) = received.ok_or(Unread::ClientGone)?;
    *into = buffer;
    outcome.map_err(|_| Unread::CutOff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(framing: Framing, unchunked: bool) -> Body {
        Body { unchunked, ..Body::new(framing) }
    }

    #[test]
    fn a_counted_body_ends_where_it_says() {
        let mut body = body(Framing::Length(5), false);
        assert_eq!(body.pass(b"abc").unwrap().used, 3);
        assert!(!body.complete);
        let passed = body.pass(b"deXX").unwrap();
        assert_eq!((passed.used, passed.payload, body.complete), (2, 2, true));
    }

    #[test]
    fn a_chunked_body_goes_on_as_it_is_or_plain() {
        let wire = b"3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\nnext";
        let mut kept = body(Framing::Chunked, false);
        let passed = kept.pass(wire).unwrap();
        assert_eq!((&wire[passed.used..], passed.payload, kept.complete), (&b"next"[..], 5, true));
        let mut plain = body(Framing::Chunked, true);
        let passed = plain.pass(wire).unwrap();
        let data: Vec<u8> = passed.ranges.iter().flat_map(|range| wire[range.clone()].to_vec()).collect();
        assert_eq!(data, b"abcde");
        assert!(body(Framing::Chunked, false).pass(b"zz\r\n").is_err());
    }
}
