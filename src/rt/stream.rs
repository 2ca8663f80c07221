//! Byte streams on the ring.
//!
//! Reading is poll-style and keeps no state in the future: a task may poll several streams, or stop polling, without
//! losing bytes ([`Stream::receive_exactly`] excepted). Sending owns its buffer until the kernel is done with it. One
//! reader and one sender at a time.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::event::PollFlags;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType};

use super::bulk::Bulk;
use super::exact::ReceiveExactly;
use super::gathered::Gathered;
use super::operation::{Key, Loan, counted};
use super::receive::{End, Receiving};
use super::ring::{Inner, Ring};

/// A connected stream socket of this shard. Dropping it cancels what is in flight and closes it.
pub struct Stream {
    ring: Ring,
    key: Key,
    fd: RawFd,
}

impl Stream {
    /// Puts a connected, blocking-mode socket on the ring.
    pub fn new(ring: &Ring, socket: OwnedFd) -> Stream {
        let fd = socket.into_raw_fd();
        let key = ring.inner().insert_socket(fd);
        Stream { ring: ring.clone(), key, fd }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// The ring that it lives on.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// The descriptor, for socket options.
    pub fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor stays open until this stream is dropped.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    /// Appends what has arrived to `into`. Ready with 0 at the end of the stream.
    ///
    /// # Errors
    /// The error that ended the connection, again on every later call.
    pub fn poll_receive(&self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let mut ring = self.ring.inner();
        let taken = ring.take_received(self.key, into);
        if taken > 0 {
            return Poll::Ready(Ok(taken));
        }
        if let Some(operation) = ring.socket(self.key).bulk {
            let Some((result, loan)) = ring.collect(operation, cx.waker()) else { return Poll::Pending };
            return Poll::Ready(self.finish_bulk(&mut ring, result, loan).map(|bulk| {
                into.extend_from_slice(bulk.payload());
                bulk.payload().len()
            }));
        }
        let socket = ring.socket(self.key);
        if let Some(end) = socket.ended {
            return Poll::Ready(ended(end));
        }
        socket.wake_with(cx);
        ring.start_receiving(self.key);
        Poll::Pending
    }

    /// As [`Stream::poll_receive`], as a future.
    pub async fn receive(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        poll_fn(|cx| self.poll_receive(cx, into)).await
    }

    /// Receives up to [`super::BULK_BYTES`] into a buffer of its own. An empty payload is the end of the stream.
    ///
    /// # Errors
    /// The error that ended the connection.
    pub fn poll_receive_bulk(&self, cx: &mut Context<'_>) -> Poll<io::Result<Bulk>> {
        let mut ring = self.ring.inner();
        ring.settle(self.key);
        if let Some(bulk) = ring.take_received_bulk(self.key) {
            return Poll::Ready(Ok(bulk));
        }
        let socket = ring.socket(self.key);
        if let Some(operation) = socket.bulk {
            let Some((result, loan)) = ring.collect(operation, cx.waker()) else { return Poll::Pending };
            return Poll::Ready(self.finish_bulk(&mut ring, result, loan));
        }
        if let Some(end) = socket.ended {
            return Poll::Ready(ended(end).map(|_| ring.bulk.take()));
        }
        if socket.receiving != Receiving::Stopped {
            // The order of bytes allows one receive at a time: the one in flight has to end first.
            socket.wake_with(cx);
            ring.stop_receiving(self.key);
            return Poll::Pending;
        }
        let buffer = ring.bulk.take();
        let operation = ring.start_bulk_receive(self.fd, buffer);
        ring.socket(self.key).bulk = Some(operation);
        // Registers the waker; the operation was queued just now and cannot be complete.
        let _ = ring.collect(operation, cx.waker());
        Poll::Pending
    }

    /// Keeps what a bulk receive that was given up half-way has received: it still owned the next bytes.
    pub(super) fn put_aside_bulk(&self, ring: &mut Inner, result: i32, loan: Loan) {
        if let Ok(bulk) = self.finish_bulk(ring, result, loan) {
            ring.socket(self.key).inbox.extend_from_slice(bulk.payload());
        }
    }

    fn finish_bulk(&self, ring: &mut Inner, result: i32, loan: Loan) -> io::Result<Bulk> {
        let socket = ring.socket(self.key);
        socket.bulk = None;
        let Loan::Bulk(mut bulk) = loan else { return Err(io::ErrorKind::InvalidData.into()) };
        match counted(result) {
            Ok(length) => {
                if length == 0 {
                    socket.ended = Some(End::Closed);
                }
                bulk.received(length);
                Ok(bulk)
            }
            Err(error) => {
                socket.ended = Some(End::Failed(-result));
                Err(error)
            }
        }
    }

    /// Receives `count` bytes straight into a buffer, behind what it holds; it comes back with the outcome. Who gives this
    /// up half-way can receive no more from the stream.
    ///
    /// # Errors
    /// The error that ended the connection, or `UnexpectedEof`.
    pub fn receive_exactly(&self, into: Vec<u8>, count: usize) -> ReceiveExactly<'_> {
        ReceiveExactly::new(self, into, count)
    }

    /// Whether more would be received at once, or the stream has ended.
    pub fn is_readable(&self) -> bool {
        self.has_received() || self.is_closed() || self.polled(PollFlags::IN)
    }

    /// Ready once there are bytes to receive, or the stream has ended; takes nothing.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ring = self.ring.inner();
        let socket = ring.socket(self.key);
        if socket.waiting_bytes() > 0 || socket.ended.is_some() {
            return Poll::Ready(());
        }
        if let Some(operation) = socket.bulk {
            let Some((result, loan)) = ring.collect(operation, cx.waker()) else { return Poll::Pending };
            self.put_aside_bulk(&mut ring, result, loan);
            return Poll::Ready(());
        }
        socket.wake_with(cx);
        ring.start_receiving(self.key);
        Poll::Pending
    }

    /// Ready once the peer has closed its side or the connection failed. Bytes that arrive meanwhile are kept for the
    /// next receive, up to a bound; a peer that sends more is read no further until then.
    pub fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ring = self.ring.inner();
        let socket = ring.socket(self.key);
        if socket.ended.is_some() {
            return Poll::Ready(());
        }
        socket.wake_with(cx);
        if socket.bulk.is_some() {
            return Poll::Pending;
        }
        if socket.has_room() {
            ring.start_receiving(self.key);
            return Poll::Pending;
        }
        // The end of the stream is behind bytes that nobody takes: it has to be looked for in another way.
        let operation = match socket.hangup {
            Some(operation) => operation,
            None => {
                let operation = ring.start_hangup(self.fd);
                ring.socket(self.key).hangup = Some(operation);
                operation
            }
        };
        match ring.collect(operation, cx.waker()) {
            None => Poll::Pending,
            Some(_) => {
                ring.socket(self.key).hangup = None;
                Poll::Ready(())
            }
        }
    }

    /// Whether the peer is known to have closed or failed, as of this turn.
    pub fn is_closed(&self) -> bool {
        self.ring.inner().socket(self.key).ended.is_some()
    }

    /// Whether the peer has closed both sides, not only stopped sending. Only a unix socket can tell; elsewhere false.
    pub fn is_hung_up(&self) -> bool {
        self.polled(PollFlags::empty())
    }

    /// Whether one of these conditions holds for the socket, or it has failed.
    fn polled(&self, conditions: PollFlags) -> bool {
        let fd = self.fd();
        let mut polled = [rustix::event::PollFd::new(&fd, conditions)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut polled, Some(&now)).is_ok()
            && polled[0].revents().intersects(conditions | PollFlags::HUP | PollFlags::ERR)
    }

    /// Whether bytes wait to be received, as of this turn.
    pub fn has_received(&self) -> bool {
        self.ring.inner().socket(self.key).waiting_bytes() > 0
    }

    /// Watches an idle connection: arms its receive, so that [`Stream::is_closed`] learns of the peer's close.
    pub fn watch(&self) {
        let mut ring = self.ring.inner();
        if ring.socket(self.key).ended.is_none() {
            ring.start_receiving(self.key);
        }
    }

    /// Sends all of `bytes`; the buffer comes back with the outcome.
    pub fn send(&self, bytes: Vec<u8>) -> impl Future<Output = (io::Result<()>, Vec<u8>)> {
        let length = bytes.len();
        let sending = Sending::new(self, Loan::Bytes(bytes), length);
        async move { sent_bytes(sending.await) }
    }

    /// As [`Stream::send`], and success wakes nobody: for a task that waits for what its peer says to these bytes.
    pub fn send_silently(&self, bytes: Vec<u8>) -> SilentSend<'_> {
        let length = bytes.len();
        let mut sending = Sending::new(self, Loan::Bytes(bytes), length);
        sending.is_silent = true;
        SilentSend(sending)
    }

    /// Sends what [`Bulk::wire`] holds.
    ///
    /// # Errors
    /// The error that ended the connection.
    pub async fn send_bulk(&self, bulk: Bulk) -> io::Result<()> {
        let length = bulk.wire().len();
        Sending::new(self, Loan::Bulk(bulk), length).await.0
    }

    /// Sends all that is gathered; the buffers come back with the outcome, and empty if that is lost.
    pub async fn send_gathered(&self, gathered: Box<Gathered>) -> (io::Result<()>, (Vec<u8>, Vec<u8>)) {
        let length = gathered.len();
        match Sending::new(self, Loan::Gathered(gathered), length).await {
            (outcome, Loan::Gathered(gathered)) => (outcome, gathered.into_buffers()),
            (outcome, Loan::Bytes(_) | Loan::Bulk(_) | Loan::Address(_)) => (outcome, Default::default()),
        }
    }

    /// Ends our side of the stream; the peer's side stays open.
    pub fn close_write(&self) {
        // A socket whose peer is already gone has no side left to end.
        let _ = rustix::net::shutdown(self.fd(), Shutdown::Write);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ring.inner().remove_socket(self.key);
    }
}

pub(super) fn ended(end: End) -> io::Result<usize> {
    match end {
        End::Closed => Ok(0),
        End::Failed(error) => Err(io::Error::from_raw_os_error(error)),
    }
}

struct Sending<'s> {
    stream: &'s Stream,
    loan: Option<Loan>,
    operation: Option<Key>,
    length: usize,
    /// Success wakes nobody.
    is_silent: bool,
}

impl<'s> Sending<'s> {
    fn new(stream: &'s Stream, loan: Loan, length: usize) -> Sending<'s> {
        Sending { stream, loan: Some(loan), operation: None, length, is_silent: false }
    }
}

impl Future for Sending<'_> {
    type Output = (io::Result<()>, Loan);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stream = self.stream;
        let mut ring = stream.ring.inner();
        let operation = match (self.operation, self.loan.take()) {
            (Some(operation), _) => operation,
            (None, Some(loan)) => {
                let silent = self.is_silent.then(|| i32::try_from(self.length).ok()).flatten();
                let operation = ring.start_send(stream.fd, loan, silent);
                self.operation = Some(operation);
                operation
            }
            (None, None) => return Poll::Pending,
        };
        let Some((result, loan)) = ring.collect(operation, cx.waker()) else { return Poll::Pending };
        self.operation = None;
        let outcome = counted(result).and_then(|sent| {
            // The kernel sends everything or fails; a short count is a failure half-way, and told from one at the start.
            if sent == self.length { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
        });
        Poll::Ready((outcome, loan))
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if let Some(operation) = self.operation {
            self.stream.ring.inner().abandon(operation);
        }
    }
}

/// See [`Stream::send_silently`].
pub struct SilentSend<'s>(Sending<'s>);

impl SilentSend<'_> {
    /// From now on its end wakes the task that polled it last, as that of any other send.
    pub fn be_heard(&mut self) {
        self.0.is_silent = false;
        if let Some(operation) = self.0.operation {
            self.0.stream.ring.inner().hear(operation);
        }
    }
}

impl Future for SilentSend<'_> {
    type Output = (io::Result<()>, Vec<u8>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(sent_bytes)
    }
}

fn sent_bytes((outcome, loan): (io::Result<()>, Loan)) -> (io::Result<()>, Vec<u8>) {
    match loan {
        Loan::Bytes(bytes) => (outcome, bytes),
        Loan::Bulk(_) | Loan::Gathered(_) | Loan::Address(_) => (outcome, Vec::new()),
    }
}

/// Connects to the unix socket at `path`.
///
/// # Errors
/// The kernel's, or `InvalidInput` for a path that does not fit a socket address.
pub async fn connect(ring: &Ring, path: &Path) -> io::Result<Stream> {
    let address = unix_address(path)?;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    let stream = Stream::new(ring, socket);
    let operation = ring.inner().start_connect(stream.fd, address);
    Connecting { ring, operation: Some(operation) }.await?;
    Ok(stream)
}

fn unix_address(path: &Path) -> io::Result<Box<libc::sockaddr_un>> {
    // SAFETY: all-zero bytes are a valid sockaddr_un.
    let mut address: Box<libc::sockaddr_un> = Box::new(unsafe { std::mem::zeroed() });
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    let bytes = path.as_os_str().as_bytes();
    // One byte stays for the terminator.
    if bytes.len() >= address.sun_path.len() || bytes.contains(&0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Ok(address)
}

struct Connecting<'r> {
    ring: &'r Ring,
    operation: Option<Key>,
}

impl Future for Connecting<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(operation) = self.operation else { return Poll::Pending };
        let Some((result, _)) = self.ring.inner().collect(operation, cx.waker()) else { return Poll::Pending };
        self.operation = None;
        Poll::Ready(counted(result).map(|_| ()))
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        if let Some(operation) = self.operation {
            self.ring.inner().abandon(operation);
        }
    }
}
