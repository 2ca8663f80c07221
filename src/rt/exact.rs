//! Receiving a known number of bytes straight to where they have to be: neither buffers of the ring nor copies.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::operation::{Loan, counted};
use super::receive::{End, Receiving};
use super::ring::Inner;
use super::stream::{self, Stream};

/// See [`Stream::receive_exactly`].
pub struct ReceiveExactly<'s> {
    stream: &'s Stream,
    /// Not here while the kernel writes to it.
    into: Vec<u8>,
    left: usize,
    /// Bytes were taken from the stream, or an operation takes some, and they are lost if this is given up now. From then
    /// on the socket's `bulk` is an operation of this.
    has_taken: bool,
}

impl<'s> ReceiveExactly<'s> {
    pub(super) fn new(stream: &'s Stream, mut into: Vec<u8>, count: usize) -> ReceiveExactly<'s> {
        into.reserve(count);
        ReceiveExactly { stream, into, left: count, has_taken: false }
    }

    fn ended(&mut self, outcome: io::Result<()>) -> Poll<(io::Result<()>, Vec<u8>)> {
        self.has_taken = false;
        Poll::Ready((outcome, std::mem::take(&mut self.into)))
    }

    /// Takes the buffer back from an operation.
    fn collect(&mut self, ring: &mut Inner, result: i32, loan: Loan) -> io::Result<()> {
        let socket = ring.socket(self.stream.key());
        socket.bulk = None;
        let Loan::Bytes(into) = loan else { return Err(io::ErrorKind::InvalidData.into()) };
        self.into = into;
        match counted(result) {
            Ok(count @ 1..) => {
                let count = count.min(self.left);
                // SAFETY: the kernel has written these bytes, into spare capacity of at least `self.left`.
                unsafe { self.into.set_len(self.into.len() + count) };
                self.left -= count;
            }
            Ok(0) => socket.ended = Some(End::Closed),
            Err(_) => socket.ended = Some(End::Failed(-result)),
        }
        Ok(())
    }
}

impl Future for ReceiveExactly<'_> {
    type Output = (io::Result<()>, Vec<u8>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let key = this.stream.key();
        let mut ring = this.stream.ring().inner();
        loop {
            if let Some(operation) = ring.socket(key).bulk {
                let Some((result, loan)) = ring.collect(operation, cx.waker()) else { return Poll::Pending };
                if !this.has_taken {
                    this.stream.put_aside_bulk(&mut ring, result, loan);
                } else if let Err(error) = this.collect(&mut ring, result, loan) {
                    return this.ended(Err(error));
                }
            }
            ring.settle(key);
            let taken = ring.take_from_inbox(key, &mut this.into, this.left);
            this.left -= taken;
            this.has_taken |= taken > 0;
            if this.left == 0 {
                return this.ended(Ok(()));
            }
            let socket = ring.socket(key);
            if let Some(end) = socket.ended {
                return this.ended(Err(stream::ended(end).err().unwrap_or(io::ErrorKind::UnexpectedEof.into())));
            }
            if socket.receiving != Receiving::Stopped {
                // The order of bytes allows one receive at a time: the one in flight has to end first.
                socket.wake_with(cx);
                ring.stop_receiving(key);
                return Poll::Pending;
            }
            let operation = ring.start_exact_receive(key, std::mem::take(&mut this.into), this.left);
            ring.socket(key).bulk = Some(operation);
            this.has_taken = true;
        }
    }
}

impl Drop for ReceiveExactly<'_> {
    fn drop(&mut self) {
        if self.has_taken {
            let mut ring = self.stream.ring().inner();
            let socket = ring.socket(self.stream.key());
            // The place in the stream is lost with what it has received.
            socket.ended = Some(End::Failed(libc::ECANCELED));
            if let Some(operation) = socket.bulk.take() {
                ring.abandon(operation);
            }
        }
    }
}
