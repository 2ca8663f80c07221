//! The client's request body on its way to the Engine.
//!
//! Counted bodies go on as they are; chunked ones are decoded and framed anew, without extensions and trailers
//! (spec 60 §3.3). A transfer that fills its receives moves to bulk buffers of its own.

use std::future::{Future, poll_fn};
use std::ops::Range;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use smallvec::SmallVec;

use super::exchange::RequestBody;
use super::transport::Transport;
use crate::http::Framing;
use crate::http::chunked::{self, ChunkError, Step};
use crate::limits;
use crate::rt::{Bulk, Deadline, Ring, Spool, Stream};

/// A body that has at least this much to come is worth a bulk buffer.
pub(super) const BULK_WORTH_BYTES: u64 = 64 << 10;
/// Receives that filled their buffer, one after another, before a body of unknown length is.
pub(super) const FULL_RECEIVES: u32 = 4;
/// A receive of this size filled its buffer.
pub(super) const FULL_RECEIVE_BYTES: usize = 8192;

/// Why an upload ended early.
#[derive(Debug)]
pub(super) enum UploadError {
    /// The client left before its body was complete.
    ClientGone,
    /// The client's body violates its framing.
    Malformed,
    /// The Engine takes no more.
    EngineGone,
    /// The file that holds the body cannot be read.
    Unreadable,
}

/// The client left while the Engine took nothing.
#[derive(Debug)]
pub(super) struct ClientGone;

impl From<ClientGone> for UploadError {
    fn from(ClientGone: ClientGone) -> Self {
        Self::ClientGone
    }
}

/// Where the body comes from: what was received with the head, then the connection.
pub(super) struct Source<'e> {
    pub(super) input: &'e mut Vec<u8>,
    pub(super) input_used: &'e mut usize,
    pub(super) head_bytes: usize,
    pub(super) body: &'e mut RequestBody,
}

/// Appends what `piece` holds of the body to `out`, framed for the Engine; returns how much of it that was.
///
/// # Errors
/// The chunked coding was violated.
pub(super) fn append_piece(body: &mut RequestBody, piece: &[u8], out: &mut Vec<u8>) -> Result<usize, ChunkError> {
    match body.framing {
        Framing::None | Framing::Close => Ok(0),
        Framing::Length(_) => {
            let here = usize::try_from(body.left).unwrap_or(usize::MAX).min(piece.len());
            out.extend_from_slice(piece.get(..here).unwrap_or_default());
            body.left -= here as u64;
            Ok(here)
        }
        Framing::Chunked => {
            let mut used = 0;
            if body.decoder.is_complete() {
                return Ok(0);
            }
            loop {
                match body.decoder.step(piece, &mut used)? {
                    Step::Data(range) => chunked::append(out, piece.get(range).unwrap_or_default()),
                    Step::More => return Ok(used),
                    Step::End => {
                        chunked::append_last(out, b"");
                        return Ok(used);
                    }
                }
            }
        }
    }
}

/// Appends what `piece` holds of the body to `out`, without any framing; returns how much of it that was.
///
/// # Errors
/// The chunked coding was violated.
pub(super) fn take_piece(body: &mut RequestBody, piece: &[u8], out: &mut Vec<u8>) -> Result<usize, ChunkError> {
    if body.framing != Framing::Chunked {
        return append_piece(body, piece, out);
    }
    let mut used = 0;
    loop {
        match body.decoder.step(piece, &mut used)? {
            Step::Data(range) => out.extend_from_slice(piece.get(range).unwrap_or_default()),
            Step::More | Step::End => return Ok(used),
        }
    }
}

/// Narrows `piece` to what it holds of the body, without any framing; what came behind the body goes to `input`.
///
/// # Errors
/// The chunked coding was violated.
pub(super) fn take_bulk(body: &mut RequestBody, piece: &mut Bulk, input: &mut Vec<u8>) -> Result<(), ChunkError> {
    match body.framing {
        Framing::None | Framing::Close => piece.narrow(0..0),
        Framing::Length(_) => {
            let here = usize::try_from(body.left).unwrap_or(usize::MAX).min(piece.payload().len());
            input.extend_from_slice(piece.payload().get(here..).unwrap_or_default());
            piece.narrow(0..here);
            body.left -= here as u64;
        }
        Framing::Chunked => unchunk(body, piece, input)?,
    }
    Ok(())
}

/// Lets a client go that leaves while the Engine takes nothing: no connection, or no more of an upload (spec 60 §3.5).
///
/// Who still sends a body is watched only once nothing moves: to watch is to read ahead, which would get in the way of
/// bulk receives.
pub(super) struct Watch<'u, T> {
    client: &'u T,
    stuck: Deadline,
    /// How long nothing moves before the client is watched.
    patience: Duration,
    /// Whether the client may have ended its side and still be there.
    half_closes: bool,
}

impl<'u, T: Transport> Watch<'u, T> {
    /// Of a client that sends its body.
    pub(super) fn new(client: &'u T, ring: &Ring) -> Self {
        Watch { client, stuck: Deadline::new(ring), patience: limits::STUCK_UPLOAD_TIMEOUT, half_closes: false }
    }

    /// Of a client that has sent everything.
    pub(super) fn closely(client: &'u T, ring: &Ring) -> Self {
        Watch { patience: Duration::ZERO, ..Self::new(client, ring) }
    }

    /// Of a client that may end its side of a tunnel before there is one.
    pub(super) fn of_tunnel(client: &'u T, ring: &Ring) -> Self {
        Watch { half_closes: true, ..Self::new(client, ring) }
    }

    /// Waits for the Engine to take something, for as long as the client is there.
    ///
    /// # Errors
    /// [`ClientGone`]
    pub(super) async fn passed<O>(&self, taking: impl Future<Output = O>) -> Result<O, ClientGone> {
        self.stuck.set(self.patience);
        let mut taking = pin!(taking);
        let outcome = poll_fn(|cx| match taking.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending if self.has_left(cx) => Poll::Ready(Err(ClientGone)),
            Poll::Pending => Poll::Pending,
        })
        .await;
        self.stuck.clear();
        outcome
    }

    fn has_left(&self, cx: &mut Context<'_>) -> bool {
        if !self.stuck.is_reached(cx.waker()) || self.client.poll_closed(cx).is_pending() {
            return false;
        }
        if !self.half_closes || self.client.is_hung_up() {
            return true;
        }
        // Nothing wakes for the other half: it is looked for.
        self.stuck.set(self.patience);
        self.stuck.is_reached(cx.waker())
    }
}

/// Sends what a private file holds; the file ends with it.
pub(super) async fn run_file<T: Transport>(
    watch: &Watch<'_, T>,
    engine: &Stream,
    file: Spool,
) -> Result<(), UploadError> {
    let mut sent = 0;
    while sent < file.len() {
        let piece = file.read(sent).await.map_err(|_| UploadError::Unreadable)?;
        if piece.payload().is_empty() {
            return Err(UploadError::Unreadable);
        }
        sent += piece.payload().len() as u64;
        watch.passed(engine.send_bulk(piece)).await?.map_err(|_| UploadError::EngineGone)?;
    }
    Ok(())
}

/// Sends a body that is in memory.
pub(super) async fn run_bytes<T: Transport>(
    watch: &Watch<'_, T>,
    engine: &Stream,
    bytes: Vec<u8>,
) -> Result<(), UploadError> {
    watch.passed(engine.send(bytes)).await?.0.map_err(|_| UploadError::EngineGone)
}

/// Uploads the rest of a body.
pub(super) async fn run<T: Transport>(
    watch: &Watch<'_, T>,
    engine: &Stream,
    source: Source<'_>,
    out: &mut Vec<u8>,
) -> Result<(), UploadError> {
    let Source { input, input_used, head_bytes, body } = source;
    let mut full = 0;
    loop {
        out.clear();
        let piece = input.get(*input_used..).unwrap_or_default();
        *input_used += append_piece(body, piece, out).map_err(|_| UploadError::Malformed)?;
        if !out.is_empty() {
            let (sent, back) = watch.passed(engine.send(std::mem::take(out))).await?;
            *out = back;
            sent.map_err(|_| UploadError::EngineGone)?;
        }
        if body.is_complete() {
            return Ok(());
        }
        // The head stays: the request is recorded from it.
        input.truncate(head_bytes);
        *input_used = head_bytes;
        if body.left >= BULK_WORTH_BYTES || full >= FULL_RECEIVES {
            return bulk(watch, engine, body, input).await;
        }
        let received = poll_fn(|cx| watch.client.poll_receive(cx, input)).await;
        match received {
            Ok(0) | Err(_) => return Err(UploadError::ClientGone),
            Ok(count) => full = if count >= FULL_RECEIVE_BYTES { full + 1 } else { 0 },
        }
    }
}

/// Uploads through bulk buffers to the end of the body; what came behind it is put back into `input`.
async fn bulk<T: Transport>(
    watch: &Watch<'_, T>,
    engine: &Stream,
    body: &mut RequestBody,
    input: &mut Vec<u8>,
) -> Result<(), UploadError> {
    while !body.is_complete() {
        let mut piece = poll_fn(|cx| watch.client.poll_receive_bulk(cx)).await.map_err(|_| UploadError::ClientGone)?;
        if piece.payload().is_empty() {
            return Err(UploadError::ClientGone);
        }
        take_bulk(body, &mut piece, input).map_err(|_| UploadError::Malformed)?;
        if !piece.payload().is_empty() {
            if body.framing == Framing::Chunked {
                piece.frame_as_chunk();
            }
            watch.passed(engine.send_bulk(piece)).await?.map_err(|_| UploadError::EngineGone)?;
        }
    }
    if body.framing == Framing::Chunked {
        let mut last = Vec::new();
        chunked::append_last(&mut last, b"");
        watch.passed(engine.send(last)).await?.0.map_err(|_| UploadError::EngineGone)?;
    }
    Ok(())
}

/// Takes the chunked coding off a piece; what is behind the body goes to `input`.
fn unchunk(body: &mut RequestBody, piece: &mut Bulk, input: &mut Vec<u8>) -> Result<(), ChunkError> {
    let (mut used, mut data) = (0, SmallVec::<[Range<usize>; 16]>::new());
    loop {
        match body.decoder.step(piece.payload(), &mut used)? {
            Step::Data(range) => data.push(range),
            Step::More => break,
            Step::End => {
                input.extend_from_slice(piece.payload().get(used..).unwrap_or_default());
                break;
            }
        }
    }
    piece.keep(&data);
    Ok(())
}
