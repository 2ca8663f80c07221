//! Receiving a known number of bytes straight to where they have to be.
//!
//! One operation for all of them, however many times the peer has to send: neither buffers of the ring nor copies.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::operation::{Loan, counted};
use super::receive::{End, Receiving};
use super::stream::Stream;

/// See [`Stream::receive_exactly`].
pub struct ReceiveExactly<'s> {
    stream: &'s Stream,
    /// Not here while the kernel writes to it.
    into: Vec<u8>,
    left: usize,
    /// The operation is in flight; it is the socket's `bulk`.
    is_started: bool,
}

impl<'s> ReceiveExactly<'s> {
    pub(super) fn new(stream: &'s Stream, mut into: Vec<u8>, count: usize) -> ReceiveExactly<'s> {
        into.reserve_exact(count);
        ReceiveExactly { stream, into, left: count, is_started: false }
    }

    /// Takes the outcome of the operation.
    fn finish(&mut self, result: i32, loan: Loan) -> (io::Result<()>, Vec<u8>) {
        let mut ring = self.stream.ring().inner();
        let socket = ring.socket(self.stream.key());
        socket.bulk = None;
        let Loan::Bytes(mut into) = loan else { return (Err(io::ErrorKind::InvalidData.into()), Vec::new()) };
        match counted(result) {
            Ok(count) => {
                // SAFETY: the kernel has written these bytes, into spare capacity of at least `self.left`.
                unsafe { into.set_len(into.len() + count.min(self.left)) };
                if count == self.left {
                    return (Ok(()), into);
                }
                socket.ended = Some(End::Closed);
                (Err(io::ErrorKind::UnexpectedEof.into()), into)
            }
            Err(error) => {
                socket.ended = Some(End::Failed(-result));
                (Err(error), into)
            }
        }
    }
}

impl Future for ReceiveExactly<'_> {
    type Output = (io::Result<()>, Vec<u8>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let key = this.stream.key();
        loop {
            let mut ring = this.stream.ring().inner();
            if let Some(operation) = ring.socket(key).bulk {
                let Some((result, loan)) = ring.collect(operation, cx.waker()) else { return Poll::Pending };
                if this.is_started {
                    this.is_started = false;
                    drop(ring);
                    return Poll::Ready(this.finish(result, loan));
                }
                this.stream.put_aside_bulk(&mut ring, result, loan);
            }
            ring.settle(key);
            this.left -= ring.take_from_inbox(key, &mut this.into, this.left);
            if this.left == 0 {
                return Poll::Ready((Ok(()), std::mem::take(&mut this.into)));
            }
            let socket = ring.socket(key);
            if let Some(end) = socket.ended {
                let error = match end {
                    End::Closed => io::ErrorKind::UnexpectedEof.into(),
                    End::Failed(error) => io::Error::from_raw_os_error(error),
                };
                return Poll::Ready((Err(error), std::mem::take(&mut this.into)));
            }
            if socket.receiving != Receiving::Stopped {
                // The order of bytes allows one receive at a time: the one in flight has to end first.
                socket.wake_with(cx);
                ring.stop_receiving(key);
                return Poll::Pending;
            }
            let operation = ring.start_exact_receive(key, std::mem::take(&mut this.into), this.left);
            ring.socket(key).bulk = Some(operation);
            this.is_started = true;
        }
    }
}

impl Drop for ReceiveExactly<'_> {
    fn drop(&mut self) {
        if self.is_started {
            let mut ring = self.stream.ring().inner();
            let socket = ring.socket(self.stream.key());
            // What it has received so far is lost, and with it the place in the stream.
            socket.ended = Some(End::Failed(libc::ECANCELED));
            if let Some(operation) = socket.bulk.take() {
                ring.abandon(operation);
            }
        }
    }
}
