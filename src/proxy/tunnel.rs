//! Hijacked and upgraded connections: raw bytes both ways (spec 60 §3.6, §4).
//!
//! A tunnel begins with whatever either parser had already read, has no time limit of any kind, and ends one direction
//! at a time: the end of one side's bytes is a half-close of the other. After the head that opens it the only error
//! signal is the end of the connection.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use super::connection::{After, Context};
use super::exchange::Exchange;
use super::forward::{self, Answering, ENGINE_HOST, Lost, await_head, lose, write_request_head};
use super::local::{self, Failure};
use super::shard::InFlight;
use super::transport::Transport;
use super::upload::{self, FULL_RECEIVE_BYTES, FULL_RECEIVES, UploadError, Watch};
use crate::endpoint;
use crate::http::forward::append_tunnel;
use crate::http::{FieldName, ResponseHead};
use crate::limits;
use crate::rt::Stream;

/// How long the Engine may take to open a tunnel whose client has already ended its side.
const ANSWER_AFTER_HALF_CLOSE: std::time::Duration = std::time::Duration::from_secs(30);

/// Attach and exec start: a connection of their own, always asked to switch (spec 60 §4).
pub(super) async fn hijack<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    in_flight: &mut InFlight<'_>,
) -> After {
    context.deadline.set(limits::DIAL_TIMEOUT);
    let engine = {
        let mut dialling = pin!(context.shard.engine.dial());
        poll_fn(|cx| match dialling.as_mut().poll(cx) {
            Poll::Pending if context.deadline.is_reached(cx.waker()) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            polled => polled,
        })
        .await
    };
    context.deadline.clear();
    let engine = match engine {
        Ok(engine) => engine,
        Err(error) => {
            tracing::error!(path = %exchange.raw_path().escape_ascii(), %error, "hijack: upstream dial failed");
            return local::fail(context, exchange, Failure::Unreachable, &error).await;
        }
    };
    // Who asks for a hijack takes the first head that comes for the answer (spec 60 §4.3).
    exchange.answer.passes_interim = false;
    write_request_head(exchange, exchange.body.framing, false, Some(b"tcp"), Some(ENGINE_HOST));
    open(context, exchange, in_flight, engine, Opening::Hijack).await
}

/// Any other upgrade that policy allows: `attach/ws`, `/session`, `/grpc` (spec 60 §3.6).
pub(super) async fn upgrade<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    in_flight: &mut InFlight<'_>,
) -> After {
    let token = match forward::upgrade_token(exchange) {
        Ok(token) => token,
        Err(error) => return local::fail(context, exchange, Failure::Unreachable, &error).await,
    };
    context.deadline.clear();
    // An upgraded connection never serves again, and the request is not repeated: a fresh one from the start.
    let watch = Watch::of_tunnel(context.client, &context.shard.ring);
    let engine = match watch.passed(context.shard.engine.dial()).await {
        Ok(Ok(engine)) => engine,
        Ok(Err(error)) => return local::fail(context, exchange, Failure::Unreachable, &error).await,
        Err(gone) => return lose(context, exchange, gone.into()).await,
    };
    write_request_head(exchange, exchange.body.framing, false, Some(&token), None);
    open(context, exchange, in_flight, engine, Opening::Upgrade { token }).await
}

/// What kind of tunnel is asked for.
enum Opening {
    Hijack,
    Upgrade { token: Vec<u8> },
}

/// What the Engine's answer to it means.
enum Opened {
    Tunnel,
    Ordinary,
    Mismatch,
}

impl Opening {
    fn judge(&self, exchange: &Exchange) -> Opened {
        let (head, raw) = (&exchange.answer.head, exchange.answer.raw_head());
        match self {
            Opening::Hijack if head.status == 101 => Opened::Tunnel,
            Opening::Upgrade { token } if head.status == 101 => {
                let switched = head.first(raw, FieldName::Upgrade);
                let agreed = switched.is_some_and(|to| to.eq_ignore_ascii_case(token));
                if agreed && endpoint::may_upgrade(exchange.method(), exchange.endpoint) {
                    Opened::Tunnel
                } else {
                    Opened::Mismatch
                }
            }
            Opening::Hijack if is_bare_stream(head, raw) => Opened::Tunnel,
            Opening::Upgrade { .. } if exchange.method() == b"POST" && is_bare_stream(head, raw) => Opened::Tunnel,
            Opening::Hijack | Opening::Upgrade { .. } => Opened::Ordinary,
        }
    }

    fn unread(&self) -> Failure {
        match self {
            Opening::Hijack => Failure::NotRead,
            Opening::Upgrade { .. } => Failure::Unreachable,
        }
    }

    fn unwritten(&self) -> Failure {
        match self {
            Opening::Hijack => Failure::NotForwarded,
            Opening::Upgrade { .. } => Failure::Unreachable,
        }
    }
}

/// How engines before the switch of protocols answer a hijack: a 200 of a raw stream media type without any framing.
/// The media type alone means nothing: ordinary log answers have it too (field report 8).
fn is_bare_stream(head: &ResponseHead, raw: &[u8]) -> bool {
    let framed =
        head.first(raw, FieldName::ContentLength).is_some() || head.first(raw, FieldName::TransferEncoding).is_some();
    let media_type = head.first(raw, FieldName::ContentType).unwrap_or_default();
    let media_type = media_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    head.status == 200
        && !framed
        && (media_type.eq_ignore_ascii_case(b"application/vnd.docker.raw-stream")
            || media_type.eq_ignore_ascii_case(b"application/vnd.docker.multiplexed-stream"))
}

/// Sends the request whose head is in `exchange.upstream`, with its body, and tunnels if the Engine agrees.
async fn open<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    in_flight: &mut InFlight<'_>,
    engine: Stream,
    opening: Opening,
) -> After {
    // Only what the framing declares is body; bytes behind it wait for the tunnel (field report 10).
    let piece = exchange.input.get(exchange.unread_range()).unwrap_or_default();
    match upload::append_piece(&mut exchange.body, piece, &mut exchange.upstream) {
        Ok(used) => exchange.input_used += used,
        Err(_) => return lose(context, exchange, Lost::BadBody).await,
    }
    let watch = Watch::of_tunnel(context.client, &context.shard.ring);
    let Ok((sent, back)) = watch.passed(engine.send(std::mem::take(&mut exchange.upstream))).await else {
        return lose(context, exchange, Lost::ClientGone).await;
    };
    exchange.upstream = back;
    if let Err(error) = sent {
        tracing::error!(path = %exchange.raw_path().escape_ascii(), %error, "hijack: write request to upstream failed");
        return local::fail(context, exchange, opening.unwritten(), &error).await;
    }
    if !exchange.body.is_complete() && !forward::go_ahead(context, exchange).await {
        return lose(context, exchange, Lost::ClientGone).await;
    }
    match await_answer(context, exchange, &engine, &watch).await {
        Ok(()) => {}
        Err(Lost::Unanswered(error)) => {
            tracing::error!(path = %exchange.raw_path().escape_ascii(), %error, "hijack: read upstream response failed");
            return local::fail(context, exchange, opening.unread(), &error).await;
        }
        Err(Lost::Malformed(cause)) => return local::fail(context, exchange, opening.unread(), &cause).await,
        Err(lost) => return lose(context, exchange, lost).await,
    }
    match opening.judge(exchange) {
        Opened::Tunnel => {}
        Opened::Ordinary => {
            let read = exchange.body.is_complete();
            return forward::respond(context, exchange, Answering::AskedToSwitch(engine), read).await;
        }
        Opened::Mismatch => {
            let cause = "switched to a protocol that was not asked for";
            return local::fail(context, exchange, Failure::Unreachable, &cause).await;
        }
    }
    let correlation = match opening {
        Opening::Hijack => None,
        Opening::Upgrade { .. } => Some(local::correlation(exchange)),
    };
    let mut out = Vec::new();
    append_tunnel(&mut out, &exchange.answer.head, exchange.answer.raw_head(), correlation);
    exchange.facts.status = exchange.answer.head.status;
    in_flight.is_tunnel();
    let (sent, _) = context.client.send(out).await;
    if let Err(error) = sent {
        tracing::error!(path = %exchange.raw_path().escape_ascii(), %error, "hijack: write 101 to client failed");
        return After::Close;
    }
    tracing::debug!(path = %exchange.raw_path().escape_ascii(), "hijack: connection upgraded");
    run(context, exchange, &engine).await;
    tracing::debug!(path = %exchange.raw_path().escape_ascii(), "hijack: connection closed");
    // The client may still be sending; a reset would take the end of the output with it.
    After::Linger
}

/// Uploads the rest of the request body, if any, and waits for the answer's head. A client that ends its side early
/// has not left: it may have sent all its input ahead.
async fn await_answer<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
    watch: &Watch<'_, T>,
) -> Result<(), Lost> {
    let unwatched = Cell::new(false);
    let mut upload_over = exchange.body.is_complete();
    let Exchange { input, input_used, head_bytes, body, upstream, answer, downstream, .. } = exchange;
    let mut watches_end = true;
    let source = upload::Source { input, input_used, head_bytes: *head_bytes, body };
    let mut upload = pin!(upload::run(watch, engine, source, upstream));
    let mut head = pin!(await_head(context, engine, answer, downstream, &unwatched));
    poll_fn(|cx| {
        if !upload_over {
            match upload.as_mut().poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(()) | Err(UploadError::EngineGone | UploadError::Unreadable)) => upload_over = true,
                Poll::Ready(Err(UploadError::ClientGone)) => return Poll::Ready(Err(Lost::ClientGone)),
                Poll::Ready(Err(UploadError::Malformed)) => return Poll::Ready(Err(Lost::BadBody)),
            }
        }
        if upload_over && watches_end && context.client.poll_closed(cx).is_ready() {
            if context.client.is_hung_up() {
                return Poll::Ready(Err(Lost::ClientGone));
            }
            watches_end = false;
            context.deadline.set(ANSWER_AFTER_HALF_CLOSE);
        }
        match head.as_mut().poll(cx) {
            Poll::Ready(Err(Lost::Late)) => Poll::Ready(Err(Lost::ClientGone)),
            polled => polled,
        }
    })
    .await
}

/// Copies both ways until both directions have ended or one has failed.
async fn run<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, engine: &Stream) {
    let (to_client, to_engine) = (Cell::new(0), Cell::new(0));
    let from_engine = exchange.answer.rest().to_vec();
    let from_client = exchange.unread().to_vec();
    let down = copy(engine, context.client, from_engine, &to_client);
    let up = copy(context.client, engine, from_client, &to_engine);
    if let Err(error) = futures_lite::future::try_zip(down, up).await {
        tracing::debug!(%error, "hijack: copy ended");
    }
    exchange.facts.sent_bytes = to_client.get();
}

/// Copies one direction to its end, then half-closes the target.
///
/// # Errors
/// The direction failed, or its source is gone altogether: the tunnel is over.
async fn copy(from: &impl Transport, to: &impl Transport, early: Vec<u8>, sent: &Cell<u64>) -> io::Result<()> {
    let mut buffer = early;
    let mut full = 0;
    loop {
        if !buffer.is_empty() {
            sent.set(sent.get() + buffer.len() as u64);
            let (outcome, back) = to.send(buffer).await;
            outcome?;
            buffer = back;
            buffer.clear();
        }
        // An idle tunnel holds no buffer.
        if buffer.capacity() > FULL_RECEIVE_BYTES {
            buffer = Vec::new();
        }
        let received = if full < FULL_RECEIVES {
            poll_fn(|cx| from.poll_receive(cx, &mut buffer)).await?
        } else {
            let piece = poll_fn(|cx| from.poll_receive_bulk(cx)).await?;
            let received = piece.payload().len();
            if received > 0 {
                sent.set(sent.get() + received as u64);
                to.send_bulk(piece).await?;
            }
            received
        };
        if received == 0 {
            break;
        }
        full = if received >= FULL_RECEIVE_BYTES { full + 1 } else { 0 };
    }
    to.close_write();
    // A side that has closed both ways takes nothing either: the other direction has nowhere to go.
    if from.is_hung_up() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
}
