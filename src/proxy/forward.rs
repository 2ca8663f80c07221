//! Forwarding one request to the Engine and its answer to the client (spec 60 §3).
//!
//! The ordinary request (no body, or one that came with the head) and the answer that came in one piece take the short
//! way: one write to the Engine, one write to the client, no allocation. Everything else streams ([`super::upload`],
//! [`super::download`]) or becomes a tunnel.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use super::connection::{After, Context};
use super::exchange::{Answer, Exchange, Held, RequestBody};
use super::filter::Received;
use super::local::{self, Failure};
use super::shard::{InFlight, Shard};
use super::transport::Transport;
use super::upload::{self, ClientGone, UploadError, Watch};
use super::{download, filter, tunnel};
use crate::endpoint;
use crate::http::forward::{RequestForm, ResponseBody, ResponseForm, append_interim, append_request, append_response};
use crate::http::forward::{is_host, is_upgrade_token};
use crate::http::{FieldName, Framing, HeadError, Version, framing, reply};
use crate::limits;
use crate::rt::Stream;
use crate::target::query;

/// A body that came whole with its head and fits is sent with it.
const SHORT_BODY_MAX_BYTES: u64 = 64 << 10;
/// What the Engine is called when the client's name for it cannot be passed on.
pub(super) const ENGINE_HOST: &[u8] = b"docker";

/// Why no answer came.
#[derive(Debug)]
pub(super) enum Lost {
    /// The Engine ended the connection before any byte of an answer.
    Unanswered(io::Error),
    /// It ended half-way through the head, or the head cannot be read.
    Malformed(&'static str),
    /// The client left.
    ClientGone,
    /// The time for an answer is over.
    Late,
    /// The client's body violates its framing.
    BadBody,
}

impl From<ClientGone> for Lost {
    fn from(ClientGone: ClientGone) -> Self {
        Self::ClientGone
    }
}

/// Forwards an allowed request.
pub(super) async fn forward<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    in_flight: &mut InFlight<'_>,
) -> After {
    match exchange.held {
        Held::InMemory if exchange.held_bytes.len() as u64 <= SHORT_BODY_MAX_BYTES => {
            return short(context, exchange).await;
        }
        Held::InMemory | Held::InFile(_) => return Box::pin(held(context, exchange)).await,
        Held::Nothing => {}
    }
    // A wish for anything else is ignored, as HTTP allows: a tunnel is seen into by no rule.
    let token = exchange.head.first(&exchange.input, FieldName::Upgrade);
    let upgrades = exchange.head.connection_has(&exchange.input, b"upgrade")
        && token.is_some_and(|token| endpoint::passes_upgrade(exchange.method(), exchange.endpoint, token));
    if upgrades {
        return Box::pin(tunnel::upgrade(context, exchange, in_flight)).await;
    }
    let whole = match exchange.body.framing {
        Framing::None => true,
        Framing::Length(length) => length <= SHORT_BODY_MAX_BYTES && exchange.unread().len() as u64 >= length,
        Framing::Chunked | Framing::Close => false,
    };
    if whole { short(context, exchange).await } else { Box::pin(streamed(context, exchange)).await }
}

/// The short way: the whole request is here.
async fn short<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> After {
    let body = write_whole_request(exchange);
    let timed = endpoint::is_quick_read(exchange.method(), exchange.endpoint, exchange.query());
    let mut may_reuse = true;
    loop {
        let (engine, reused) = if may_reuse && let Some(idle) = context.shard.engine.take_idle() {
            (idle, true)
        } else {
            // Aside: it is rare, and idle connections would pay for what it holds.
            match Box::pin(dial_watched(context)).await {
                Ok(fresh) => (fresh, false),
                Err(lost) => return lose(context, exchange, lost).await,
            }
        };
        if timed {
            context.deadline.set(limits::QUICK_READ_HEADER_TIMEOUT);
        } else {
            context.deadline.clear();
        }
        let (sent, answered) = ask(context, exchange, &engine).await;
        match answered {
            Ok(()) => return respond(context, exchange, Answering::Alone(engine), true).await,
            Err(Lost::Unanswered(_)) if reused && may_repeat(exchange.method(), body, sent.as_ref()) => {
                // The idle connection died before it answered: once more, on a fresh one (spec 60 §3.8).
                may_reuse = false;
                exchange.answer.clear();
            }
            Err(lost) => return lose(context, exchange, lost).await,
        }
    }
}

/// A fresh Engine connection, for as long as the client, who has sent everything, is there.
async fn dial_watched<T: Transport>(context: &Context<'_, T>) -> Result<Stream, Lost> {
    let watch = Watch::closely(context.client, &context.shard.ring);
    watch.passed(context.shard.engine.dial()).await?.map_err(Lost::Unanswered)
}

/// Sends `exchange.upstream` to the Engine and waits for the head of its answer. Returns what became of the send as well:
/// `None` while it is still going on, and then its bytes are not back.
///
/// The client is watched meanwhile: an Engine that reads nothing would otherwise hold both connections for ever.
async fn ask<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Stream,
) -> (Option<io::Result<()>>, Result<(), Lost>) {
    let mut sent = None;
    let watched = Cell::new(true);
    let mut sending = pin!(engine.send_silently(std::mem::take(&mut exchange.upstream)));
    {
        let mut answer = pin!(await_head(context, engine, &mut exchange.answer, &mut exchange.downstream, &watched));
        let answered = poll_fn(|cx| {
            if sent.is_none()
                && let Poll::Ready((outcome, back)) = sending.as_mut().poll(cx)
            {
                (sent, exchange.upstream) = (Some(outcome), back);
            }
            answer.as_mut().poll(cx)
        })
        .await;
        if sent.is_some() || answered.is_err() {
            return (sent, answered);
        }
    }
    // It has answered before it took everything, and goes on taking.
    sending.be_heard();
    let taken = poll_fn(|cx| match sending.as_mut().poll(cx) {
        Poll::Ready(taken) => Poll::Ready(Some(taken)),
        Poll::Pending => context.client.poll_closed(cx).map(|()| None),
    })
    .await;
    match taken {
        Some((outcome, back)) => {
            exchange.upstream = back;
            (Some(outcome), Ok(()))
        }
        None => (None, Err(Lost::ClientGone)),
    }
}

/// Writes head and body into `exchange.upstream`; returns the length of the body.
fn write_whole_request(exchange: &mut Exchange) -> usize {
    if let Held::InMemory = exchange.held {
        let length = exchange.held_bytes.len();
        write_request_head(exchange, counted(length as u64), false, None, None);
        exchange.upstream.extend_from_slice(&exchange.held_bytes);
        return length;
    }
    write_request_head(exchange, exchange.body.framing, true, None, None);
    let length = exchange.body.left as usize;
    let (start, end) = (exchange.input_used, exchange.input_used + length);
    exchange.upstream.extend_from_slice(exchange.input.get(start..end).unwrap_or_default());
    exchange.input_used = end;
    exchange.body.left = 0;
    length
}

fn counted(length: u64) -> Framing {
    if length == 0 { Framing::None } else { Framing::Length(length) }
}

/// Whether a request that was not answered may be sent again: its send is over, and it was not heard or changes nothing.
fn may_repeat(method: &[u8], body: usize, sent: Option<&io::Result<()>>) -> bool {
    let changes_nothing = body == 0 && matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE");
    sent.is_some_and(|sent| changes_nothing || took_nothing(sent))
}

/// Whether a send failed before its first byte was taken. What the Engine may have seen a part of is not sent again.
fn took_nothing(sent: &io::Result<()>) -> bool {
    sent.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WriteZero)
}

/// Writes the request head into `exchange.upstream`.
pub(super) fn write_request_head(
    exchange: &mut Exchange,
    framing: Framing,
    keep_expect: bool,
    upgrade: Option<&[u8]>,
    host: Option<&[u8]>,
) {
    let mut out = std::mem::take(&mut exchange.upstream);
    out.clear();
    // The Engine must not see a parameter that policy did not see.
    let given = exchange.target.query.is_some().then(|| exchange.query());
    let rewritten = given.is_some_and(|given| !query::is_well_formed(given));
    if rewritten {
        let mut scratch = std::mem::take(&mut exchange.scratch);
        scratch.clear();
        query::reencode(exchange.query(), &mut scratch);
        exchange.scratch = scratch;
    }
    let named = exchange.target.authority_of(exchange.raw_target());
    let named = named.or_else(|| exchange.head.first(&exchange.input, FieldName::Host));
    let host = host.unwrap_or_else(|| named.filter(|host| is_host(host)).unwrap_or(ENGINE_HOST));
    let form = RequestForm {
        path: exchange.raw_path(),
        query: if rewritten {
            Some(exchange.scratch.as_slice()).filter(|query| !query.is_empty())
        } else {
            exchange.target.query.is_some().then(|| exchange.query())
        },
        host,
        framing,
        keep_expect,
        keep_tracestate: exchange.trace.is_tracestate_kept(),
        identity_coding: filter::is_covered(exchange),
        upgrade,
        correlation: local::correlation(exchange),
    };
    append_request(&mut out, &exchange.head, exchange.raw_head(), &form);
    exchange.upstream = out;
}

enum Event {
    Received,
    Ended(io::Error),
    ClientGone,
    Late,
}

/// Waits for the final head of the Engine's answer; interim ones go to the client as they come. The client is watched
/// while `watched` says so.
pub(super) async fn await_head<T: Transport>(
    context: &Context<'_, T>,
    engine: &Stream,
    answer: &mut Answer,
    downstream: &mut Vec<u8>,
    watched: &Cell<bool>,
) -> Result<(), Lost> {
    loop {
        match answer.has_head() {
            Ok(false) => {}
            Ok(true) if answer.head.status < 200 && answer.head.status != 101 => {
                if !answer.passes_interim {
                    answer.drop_head();
                    continue;
                }
                downstream.clear();
                append_interim(downstream, &answer.head, answer.raw_head());
                answer.drop_head();
                let (sent, back) = context.client.send(std::mem::take(downstream)).await;
                *downstream = back;
                if sent.is_err() {
                    return Err(Lost::ClientGone);
                }
                continue;
            }
            Ok(true) => return Ok(()),
            Err(cause) => return Err(Lost::Malformed(cause)),
        }
        let event = poll_fn(|cx| match engine.poll_receive(cx, &mut answer.bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Event::Ended(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(_)) => Poll::Ready(Event::Received),
            Poll::Ready(Err(error)) => Poll::Ready(Event::Ended(error)),
            Poll::Pending if watched.get() && context.client.poll_closed(cx).is_ready() => {
                Poll::Ready(Event::ClientGone)
            }
            Poll::Pending if context.deadline.is_reached(cx.waker()) => Poll::Ready(Event::Late),
            Poll::Pending => Poll::Pending,
        })
        .await;
        match event {
            Event::Received => {}
            Event::Ended(error) if answer.bytes.is_empty() => return Err(Lost::Unanswered(error)),
            Event::Ended(_) => return Err(Lost::Malformed("response head cut off")),
            Event::ClientGone => return Err(Lost::ClientGone),
            Event::Late => return Err(Lost::Late),
        }
    }
}

/// Tells the client, if there still is one, that no answer came.
pub(super) async fn lose<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, lost: Lost) -> After {
    match lost {
        Lost::Unanswered(error) => local::fail(context, exchange, Failure::Unreachable, &error).await,
        Lost::Malformed(cause) => local::fail(context, exchange, Failure::Unreachable, &cause).await,
        Lost::Late => local::fail(context, exchange, Failure::Late, &"no response head in time").await,
        Lost::ClientGone => {
            local::record_failure(context, exchange, Failure::Unreachable, &"client closed the connection");
            After::Close
        }
        Lost::BadBody => {
            // Not the Engine's fault: the framing was the client's, so the answer is too (spec 20 §9).
            let mut out = std::mem::take(&mut exchange.downstream);
            out.clear();
            let shard = context.shard;
            reply::append_refusal(&mut out, HeadError::Malformed, shard.dates.borrow_mut().date(shard.ring.now()));
            exchange.facts.status = 400;
            let (_, out) = context.client.send(out).await;
            exchange.downstream = out;
            After::Linger
        }
    }
}

/// A request whose body is still on its way.
async fn streamed<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> After {
    context.deadline.clear();
    write_request_head(exchange, exchange.body.framing, true, None, None);
    let range = exchange.unread_range();
    let piece = exchange.input.get(range).unwrap_or_default();
    match upload::append_piece(&mut exchange.body, piece, &mut exchange.upstream) {
        Ok(used) => exchange.input_used += used,
        // At once: a decoder that met a violation must not see the piece again, from the middle of a state.
        Err(_) => return lose(context, exchange, Lost::BadBody).await,
    }
    let watch = Watch::new(context.client, &context.shard.ring);
    let engine = match send_first(context, exchange, &watch).await {
        Ok(engine) => Rc::new(engine),
        Err(lost) => return lose(context, exchange, lost).await,
    };
    // The upload may outlast the answer's head: it has its own part of the exchange, which shows an open body meanwhile.
    let mut body = std::mem::replace(&mut exchange.body, RequestBody::open());
    let mut out = std::mem::take(&mut exchange.upstream);
    let (mut input, mut input_used) = (exchange.unread().to_vec(), 0);
    exchange.input.truncate(exchange.head_bytes);
    exchange.input_used = exchange.head_bytes;
    let source = upload::Source { input: &mut input, input_used: &mut input_used, head_bytes: 0, body: &mut body };
    let over = Cell::new(false);
    let after = {
        let mut upload = pin!(upload::run(&watch, &engine, source, &mut out));
        match converse(context, &engine, exchange, upload.as_mut(), &over).await {
            Ok(true) => None,
            Ok(false) => Some(respond_beside(context, exchange, &engine, upload, over).await),
            Err(lost) => Some(lose(context, exchange, lost).await),
        }
    };
    exchange.body = body;
    exchange.upstream = out;
    exchange.input.extend_from_slice(input.get(input_used..).unwrap_or_default());
    match after {
        Some(after) => after,
        None => respond(context, exchange, Answering::of(engine), true).await,
    }
}

/// A request whose body was read before it goes on, and is too long to go with its head.
async fn held<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> After {
    context.deadline.clear();
    let (held, bytes) = (std::mem::take(&mut exchange.held), std::mem::take(&mut exchange.held_bytes));
    let length = if let Held::InFile(file) = &held { file.len() } else { bytes.len() as u64 };
    write_request_head(exchange, counted(length), false, None, None);
    let watch = Watch::closely(context.client, &context.shard.ring);
    let engine = match send_first(context, exchange, &watch).await {
        Ok(engine) => Rc::new(engine),
        Err(lost) => return lose(context, exchange, lost).await,
    };
    let over = Cell::new(false);
    {
        let mut upload = pin!(async {
            match held {
                Held::InFile(file) => upload::run_file(&watch, &engine, file).await,
                Held::InMemory | Held::Nothing => upload::run_bytes(&watch, &engine, bytes).await,
            }
        });
        match converse(context, &engine, exchange, upload.as_mut(), &over).await {
            Ok(true) => {}
            Ok(false) => return respond_beside(context, exchange, &engine, upload, over).await,
            Err(lost) => return lose(context, exchange, lost).await,
        }
    }
    respond(context, exchange, Answering::of(engine), true).await
}

/// Passes on an answer that began before the upload was over; both go on side by side until the answer ends, for an
/// Engine may report on what it reads.
async fn respond_beside<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: &Rc<Stream>,
    mut upload: Pin<&mut impl Future<Output = Result<(), UploadError>>>,
    over: Cell<bool>,
) -> After {
    let mut response = pin!(respond(context, exchange, Answering::Beside(Rc::clone(engine)), false));
    poll_fn(|cx| {
        let after = response.as_mut().poll(cx);
        if after.is_ready() || over.get() {
            return after;
        }
        let Poll::Ready(outcome) = upload.as_mut().poll(cx) else { return Poll::Pending };
        over.set(true);
        match outcome {
            Ok(()) | Err(UploadError::EngineGone) => Poll::Pending,
            // The Engine waits for a body that does not come; its answer is worth nothing any more.
            Err(UploadError::ClientGone | UploadError::Malformed | UploadError::Unreadable) => {
                Poll::Ready(After::Close)
            }
        }
    })
    .await
}

/// An Engine connection while its answer is read.
pub(super) enum Answering {
    /// Nobody else uses it: it may serve again.
    Alone(Stream),
    /// An upload goes on beside the answer: it ends with it.
    Beside(Rc<Stream>),
    /// It was asked to switch protocols, and serves nobody again whatever it answered (spec 60 §4.2).
    AskedToSwitch(Stream),
}

impl Answering {
    fn of(engine: Rc<Stream>) -> Self {
        Rc::try_unwrap(engine).map_or_else(Self::Beside, Self::Alone)
    }

    /// Lets the connection serve again.
    pub(super) fn give_back(self, shard: &Shard) {
        match self {
            Self::Alone(engine) => shard.engine.give_back(engine),
            Self::Beside(_) | Self::AskedToSwitch(_) => {}
        }
    }
}

impl Deref for Answering {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        match self {
            Self::Alone(engine) | Self::AskedToSwitch(engine) => engine,
            Self::Beside(engine) => engine,
        }
    }
}

/// Tells a client that waits for it to send its body; false when the client is gone. One `100 Continue` comes from here
/// or from the Engine, never from both: after this the request goes on without `Expect`.
pub(super) async fn go_ahead<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> bool {
    let waits = exchange.head.first(&exchange.input, FieldName::Expect).is_some();
    if !waits || exchange.head.version == Version::Http10 {
        return true;
    }
    let mut out = std::mem::take(&mut exchange.downstream);
    out.clear();
    out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
    let (sent, out) = context.client.send(out).await;
    exchange.downstream = out;
    sent.is_ok()
}

/// Sends what is in `exchange.upstream`. A pooled connection that takes nothing of it is replaced once.
async fn send_first<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    watch: &Watch<'_, T>,
) -> Result<Stream, Lost> {
    let idle = context.shard.engine.take_idle();
    let reused = idle.is_some();
    let engine = match idle {
        Some(engine) => engine,
        None => watch.passed(context.shard.engine.dial()).await?.map_err(Lost::Unanswered)?,
    };
    let (sent, back) = watch.passed(engine.send(std::mem::take(&mut exchange.upstream))).await?;
    exchange.upstream = back;
    if !reused || !took_nothing(&sent) {
        // An Engine that stopped reading may have said why; the answer decides.
        return Ok(engine);
    }
    let engine = watch.passed(context.shard.engine.dial()).await?.map_err(Lost::Unanswered)?;
    let (_, back) = watch.passed(engine.send(std::mem::take(&mut exchange.upstream))).await?;
    exchange.upstream = back;
    Ok(engine)
}

/// Uploads and waits for the answer's head, both at once; true when the upload was over before the head came.
///
/// Sets `over` when the upload must not be polled again.
async fn converse<T: Transport>(
    context: &Context<'_, T>,
    engine: &Stream,
    exchange: &mut Exchange,
    mut upload: Pin<&mut impl Future<Output = Result<(), UploadError>>>,
    over: &Cell<bool>,
) -> Result<bool, Lost> {
    let Exchange { answer, downstream, .. } = exchange;
    let mut uploaded = false;
    let mut head = pin!(await_head(context, engine, answer, downstream, over));
    poll_fn(|cx| {
        if !over.get()
            && let Poll::Ready(outcome) = upload.as_mut().poll(cx)
        {
            over.set(true);
            match outcome {
                Ok(()) => uploaded = true,
                // An Engine that stops reading has usually said why.
                Err(UploadError::EngineGone) => {}
                Err(UploadError::ClientGone) => return Poll::Ready(Err(Lost::ClientGone)),
                Err(UploadError::Malformed) => return Poll::Ready(Err(Lost::BadBody)),
                Err(UploadError::Unreadable) => return Poll::Ready(Err(Lost::Malformed("spooled body unreadable"))),
            }
        }
        head.as_mut().poll(cx).map_ok(|()| uploaded)
    })
    .await
}

/// How an answer goes to the client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    pub(super) framing: Framing,
    pub(super) body: ResponseBody,
    pub(super) close: bool,
    /// Whether the Engine's connection may serve again behind this answer.
    pub(super) reusable: bool,
    /// Whether the request body was read to its end.
    pub(super) request_read: bool,
}

/// Relays an answer whose head is in `exchange.answer`.
pub(super) async fn respond<T: Transport>(
    context: &Context<'_, T>,
    exchange: &mut Exchange,
    engine: Answering,
    request_read: bool,
) -> After {
    let answer = &exchange.answer;
    let framing = framing::of_response(&answer.head, answer.raw_head(), exchange.method());
    let framing = match framing {
        Ok(_) if answer.head.status == 101 => {
            let cause = "unexpected switch of protocols";
            return local::fail(context, exchange, Failure::Unreachable, &cause).await;
        }
        Ok(framing) => framing,
        Err(error) => return local::fail(context, exchange, Failure::Unreachable, &error).await,
    };
    let old_client = exchange.head.version == Version::Http10;
    let body = match framing {
        Framing::None | Framing::Length(_) => ResponseBody::AsFramed,
        Framing::Chunked if !old_client => ResponseBody::Chunked,
        Framing::Chunked | Framing::Close => ResponseBody::Close,
    };
    let delivery = Delivery {
        framing,
        body,
        close: local::closes(context.shard, exchange) || body == ResponseBody::Close || !request_read,
        reusable: request_read
            && framing != Framing::Close
            && answer.head.version == Version::Http11
            && !answer.head.connection_has(answer.raw_head(), b"close"),
        request_read,
    };
    let length = if filter::applies(exchange, framing) {
        let edited = match filter::receive(context, exchange, &engine, framing).await {
            Ok(Received::Long(body)) => {
                return Box::pin(filter::respond_at_length(context, exchange, engine, body, delivery)).await;
            }
            Ok(received) => {
                if delivery.reusable && !matches!(received, Received::Short { clean: false }) {
                    engine.give_back(context.shard);
                } else {
                    drop(engine);
                }
                filter::edit(context, exchange, delivery, &received)
            }
            Err(withheld) => Err(withheld),
        };
        match edited {
            Ok(length) => length,
            Err(withheld) => return Box::pin(filter::give_up(context, exchange, withheld)).await,
        }
    } else {
        write_response_head(exchange, delivery);
        let length = match framing {
            Framing::None => 0,
            Framing::Length(length) => length,
            Framing::Chunked | Framing::Close => u64::MAX,
        };
        if exchange.answer.rest().len() as u64 != length || !request_read {
            exchange.facts.status = exchange.answer.head.status;
            return Box::pin(download::relay(context, exchange, engine, delivery)).await;
        }
        let rest = exchange.answer.bytes.get(exchange.answer.head_bytes..).unwrap_or_default();
        exchange.downstream.extend_from_slice(rest);
        if delivery.reusable {
            engine.give_back(context.shard);
        }
        length
    };
    exchange.facts.status = exchange.answer.head.status;
    let (sent, back) = context.client.send(std::mem::take(&mut exchange.downstream)).await;
    exchange.downstream = back;
    match sent {
        Ok(()) => {
            exchange.facts.sent_bytes = length;
            if delivery.close { After::Linger } else { After::Keep }
        }
        Err(_) => After::Close,
    }
}

/// Writes the response head into `exchange.downstream`.
pub(super) fn write_response_head(exchange: &mut Exchange, delivery: Delivery) {
    let mut out = std::mem::take(&mut exchange.downstream);
    out.clear();
    let form = ResponseForm {
        version: exchange.head.version,
        body: delivery.body,
        close: delivery.close,
        correlation: local::correlation(exchange),
    };
    append_response(&mut out, &exchange.answer.head, exchange.answer.raw_head(), &form);
    exchange.downstream = out;
}

/// The token that a client asks to upgrade to.
///
/// # Errors
/// It cannot be sent on; nothing is dialled (spec 60 §3.2).
pub(super) fn upgrade_token(exchange: &Exchange) -> Result<Vec<u8>, &'static str> {
    let token = exchange.head.first(&exchange.input, FieldName::Upgrade).unwrap_or_default();
    if is_upgrade_token(token) { Ok(token.to_vec()) } else { Err("unprintable upgrade token") }
}
