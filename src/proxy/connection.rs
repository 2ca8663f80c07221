//! One client connection: heads in, exchanges one after another, and how it ends.
//!
//! Owns the time limits of spec 60 §2 on the client's side. While it is idle it holds a stream, a deadline and nothing
//! else.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::chain;
use super::exchange::Exchange;
use super::shard::Shard;
use super::transport::Transport;
use crate::http::{HeadError, framing, reply};
use crate::identity::Peer;
use crate::limits;
use crate::rt::{Deadline, Places, Taken};
use crate::target::Target;

/// What an exchange is carried out with.
pub(super) struct Context<'c, T> {
    pub(super) shard: &'c Shard,
    pub(super) client: &'c T,
    pub(super) peer: &'c Peer,
    /// The connection's one deadline; whoever waits sets it for itself.
    pub(super) deadline: &'c Deadline,
}

impl<T: Transport> Context<'_, T> {
    /// Waits for places for as long as the client is there; `None` when it left first.
    pub(super) async fn take<'p>(&self, places: &'p Places, count: usize) -> Option<Taken<'p>> {
        let waiting = places.queue_up(count);
        poll_fn(|cx| match waiting.poll_take(cx) {
            Poll::Ready(taken) => Poll::Ready(Some(taken)),
            Poll::Pending => self.client.poll_closed(cx).map(|()| None),
        })
        .await
    }

    /// Receives from the client until the deadline; 0 when nothing came, whatever the cause.
    pub(super) async fn receive_in_time(&self, into: &mut Vec<u8>) -> usize {
        poll_fn(|cx| match self.client.poll_receive(cx, into) {
            Poll::Pending if self.deadline.is_reached(cx.waker()) => Poll::Ready(0),
            Poll::Pending => Poll::Pending,
            Poll::Ready(received) => Poll::Ready(received.unwrap_or(0)),
        })
        .await
    }
}

/// How a connection goes on after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// With the next request.
    Keep,
    /// It closes; the client may still be sending, so it gets time to read the answer.
    Linger,
    /// It closes at once: everything was said, or what was said must be seen to be cut off.
    Close,
}

/// Serves one client connection to its end.
pub async fn serve<T: Transport>(shard: Rc<Shard>, client: T, peer: Peer) {
    let _connected = shard.begin_connection();
    let deadline = Deadline::new(&shard.ring);
    deadline.set(limits::HEAD_READ_TIMEOUT);
    let mut exchange = None;
    let mut first = true;
    loop {
        if exchange.is_none() {
            if !await_request(&shard, &client, &deadline, first).await {
                return;
            }
            exchange = Some(shard.take_exchange());
        }
        let Some(current) = exchange.as_deref_mut() else { return };
        let context = Context { shard: &shard, client: &client, peer: &peer, deadline: &deadline };
        let after = match read_head(&context, current, first).await {
            Head::Complete => answer(&context, current).await,
            Head::Refused(error) => refuse(&context, current, error).await,
            Head::Gone => After::Close,
        };
        first = false;
        match after {
            After::Keep => {
                current.next_request();
                if current.input.is_empty() {
                    exchange.take().into_iter().for_each(|idle| shard.give_exchange(idle));
                    deadline.set(limits::KEEP_ALIVE_IDLE_TIMEOUT);
                } else {
                    deadline.set(limits::HEAD_READ_TIMEOUT);
                }
            }
            After::Linger => {
                linger(&client, &deadline, &mut current.input).await;
                break;
            }
            After::Close => break,
        }
    }
    exchange.into_iter().for_each(|done| shard.give_exchange(done));
}

/// Waits for the first byte of a request; false when the connection should close instead.
async fn await_request<T: Transport>(shard: &Shard, client: &T, deadline: &Deadline, first: bool) -> bool {
    let since = shard.ring.now();
    poll_fn(|cx| {
        if client.poll_readable(cx).is_ready() {
            return Poll::Ready(true);
        }
        let unwanted = shard.ring.is_draining() || shard.sheds(since);
        let over = deadline.is_reached(cx.waker()) || (unwanted && !first);
        if over { Poll::Ready(false) } else { Poll::Pending }
    })
    .await
}

enum Head {
    Complete,
    Refused(HeadError),
    /// The client left, or took too long; it gets no answer.
    Gone,
}

/// Reads one head. `first`: the limit has been running since the connection was accepted.
async fn read_head<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, first: bool) -> Head {
    let mut timed = first || !exchange.input.is_empty();
    loop {
        match exchange.input_end.find(&exchange.input) {
            Ok(Some(length)) => {
                exchange.head_bytes = length;
                let parsed = exchange.head.parse(exchange.input.get(..length).unwrap_or_default());
                return parsed.map_or_else(Head::Refused, |()| Head::Complete);
            }
            Ok(None) => {}
            Err(error) => return Head::Refused(error),
        }
        if !timed && !exchange.input.is_empty() {
            // The first bytes did not hold the whole head: from now on the client is on the clock.
            timed = true;
            context.deadline.set(limits::HEAD_READ_TIMEOUT);
        }
        if context.receive_in_time(&mut exchange.input).await == 0 {
            return Head::Gone;
        }
    }
}

/// Takes the request apart as far as that needs no policy, and passes it on to the chain.
async fn answer<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange) -> After {
    let framing = match framing::of_request(&exchange.head, exchange.raw_head()) {
        Ok(framing) => framing,
        Err(error) => return refuse(context, exchange, error).await,
    };
    let judged = Target::parse(exchange.method(), exchange.raw_target()).and_then(|target| {
        exchange.target = target;
        let raw = exchange.head.target.of_head(&exchange.input);
        exchange.path.set(exchange.target.path_of(raw))
    });
    if judged.is_err() {
        return refuse(context, exchange, HeadError::Malformed).await;
    }
    exchange.begin_body(framing);
    chain::handle(context, exchange).await
}

/// Refuses a head that cannot be read: no record, no metric, no later layer (spec 60 §2).
async fn refuse<T: Transport>(context: &Context<'_, T>, exchange: &mut Exchange, error: HeadError) -> After {
    let mut out = std::mem::take(&mut exchange.downstream);
    out.clear();
    reply::append_refusal(&mut out, error, context.shard.dates.borrow_mut().date(context.shard.ring.now()));
    let (_, out) = context.client.send(out).await;
    exchange.downstream = out;
    After::Linger
}

/// Ends our side and reads on for a moment, so that the client reads the answer and not a reset.
async fn linger<T: Transport>(client: &T, deadline: &Deadline, scratch: &mut Vec<u8>) {
    client.close_write();
    deadline.set(limits::CLOSE_LINGER);
    poll_fn(|cx| {
        loop {
            scratch.clear();
            match client.poll_receive(cx, scratch) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        if deadline.is_reached(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The promise behind the memory target: what an idle connection costs is this future and its socket's entry.
    #[test]
    fn an_idle_connection_is_small() {
        fn size<F: Future>(_: impl FnOnce(Rc<Shard>, crate::rt::Stream, Peer) -> F) -> usize {
            size_of::<F>()
        }
        let bytes = size(serve::<crate::rt::Stream>);
        assert!(bytes <= 1152, "{bytes} bytes");
    }
}
