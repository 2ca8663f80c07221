//! Receiving into the shard's shared buffers: the receive side of every socket.
//!
//! Owns the sockets' inboxes, arming and cancelling of receives, and what a receive delivers. A receive that fills a
//! buffer of its own is an operation ([`super::operation`]).
//!
//! A receive is *multishot*: armed once, it delivers buffer after buffer. It must have a bound: while its peer keeps up
//! with it the kernel is always about to run it, where no cancellation finds it, and a fast sender whose bytes nobody
//! takes would fill the memory. Linux bounds one since 6.17 ([`can_bound`]); before that, a receive is for one buffer.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::task::Waker;

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::buffers::{BUFFER_BYTES, Buffers, GROUP};
use super::bulk::Bulk;
use super::operation::Key;
use super::ring::{Inner, Kind, user_data};

/// What one multishot receive may deliver, up to the end of the buffer that reaches it.
const MULTISHOT_BYTES: u32 = 2 * BUFFER_BYTES as u32;
/// Bytes that may wait in a socket's inbox when its receive is armed.
const INBOX_MAX_BYTES: usize = BUFFER_BYTES;

/// `IORING_RECVSEND_POLL_FIRST`: wait for bytes before the first attempt.
const POLL_FIRST: u16 = 1;
/// Where an entry holds `optlen`, which bounds a multishot receive; `include/uapi/linux/io_uring.h`.
const LIMIT_OFFSET: usize = 44;
const _: () = assert!(size_of::<squeue::Entry>() == 64);

/// Whether the kernel is asked for a socket's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiving {
    /// No receive is in flight.
    Stopped,
    /// A receive is in flight.
    Armed,
    /// The receive was cancelled; its last completion has not come yet.
    Stopping,
}

/// How a socket's byte stream ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The peer sends no more.
    Closed,
    /// The connection failed with this error number.
    Failed(i32),
}

/// The receive side of one socket.
pub(super) struct Socket {
    pub(super) fd: RawFd,
    pub(super) generation: u32,
    pub(super) receiving: Receiving,
    pub(super) ended: Option<End>,
    /// Bytes that no task was there to read, oldest first, from `inbox_start` on.
    pub(super) inbox: Vec<u8>,
    pub(super) inbox_start: usize,
    /// The receive buffer that this turn delivered: id and length.
    pub(super) fresh: Option<(u16, usize)>,
    pub(super) waker: Option<Waker>,
    /// The receive into a buffer of its own that is in flight, if any.
    pub(super) bulk: Option<Key>,
    /// The watch for the peer's close in flight, if any: for when the inbox is full and nothing is received.
    pub(super) hangup: Option<Key>,
}

impl Socket {
    pub(super) fn new(fd: RawFd, generation: u32) -> Socket {
        Socket {
            fd,
            generation,
            receiving: Receiving::Stopped,
            ended: None,
            inbox: Vec::new(),
            inbox_start: 0,
            fresh: None,
            waker: None,
            bulk: None,
            hangup: None,
        }
    }

    /// Has the socket's next completion wake the task behind `cx`.
    pub(super) fn wake_with(&mut self, cx: &std::task::Context<'_>) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.waker = Some(cx.waker().clone());
        }
    }

    /// Whether more may be received before anybody reads.
    pub(super) fn has_room(&self) -> bool {
        self.waiting_bytes() < INBOX_MAX_BYTES
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.inbox.len() - self.inbox_start + self.fresh.map_or(0, |(_, length)| length)
    }

    /// Gives up the inbox, whose bytes were all read.
    pub(super) fn empty_inbox(&mut self, spare: &mut SpareInboxes) {
        spare.give(std::mem::take(&mut self.inbox));
        self.inbox_start = 0;
    }

    /// Copies what a receive buffer holds behind the bytes in the inbox, and gives the buffer back.
    fn keep(&mut self, buffers: &mut Buffers, spare: &mut SpareInboxes, received: Option<(u16, usize)>) {
        if let Some((id, length)) = received {
            if self.inbox.capacity() == 0 {
                self.inbox = spare.0.pop().unwrap_or_default();
            }
            self.inbox.extend_from_slice(buffers.bytes(id, length));
            buffers.give(id);
        }
    }
}

/// Empty inboxes of sockets that wait for more: an idle socket holds no memory.
#[derive(Default)]
pub(super) struct SpareInboxes(Vec<Vec<u8>>);

impl SpareInboxes {
    const COUNT_MAX: usize = 16;
    const KEPT_BYTES: usize = 2 * BUFFER_BYTES;

    fn give(&mut self, mut inbox: Vec<u8>) {
        if self.0.len() < Self::COUNT_MAX && inbox.capacity() <= Self::KEPT_BYTES {
            inbox.clear();
            self.0.push(inbox);
        }
    }
}

impl Inner {
    /// Asks the kernel for a socket's bytes.
    pub(super) fn start_receiving(&mut self, key: Key) {
        let bounds_multishot = self.bounds_multishot;
        let socket = self.socket(key);
        if socket.receiving != Receiving::Stopped {
            return;
        }
        socket.receiving = Receiving::Armed;
        let entry = if bounds_multishot { multishot(socket.fd, MULTISHOT_BYTES) } else { once(socket.fd) };
        self.push(&entry.user_data(user_data(Kind::Received, key)));
    }

    /// Cancels a socket's receive; bytes that are under way still arrive.
    pub(super) fn stop_receiving(&mut self, key: Key) {
        let socket = self.socket(key);
        if socket.receiving != Receiving::Armed {
            return;
        }
        socket.receiving = Receiving::Stopping;
        self.cancel_receive(key);
    }

    pub(super) fn cancel_receive(&mut self, key: Key) {
        self.cancel(user_data(Kind::Received, key), user_data(Kind::ReceiveCancelled, key));
    }

    /// A receive that was about to run was not found: it has run by now, and is looked for again.
    pub(super) fn receive_cancelled(&mut self, key: Key, result: i32) {
        let stopping = self
            .sockets
            .get(key.slot as usize)
            .is_some_and(|socket| socket.generation == key.generation && socket.receiving == Receiving::Stopping);
        if stopping && result < 0 {
            self.cancel_receive(key);
        }
    }

    pub(super) fn received(&mut self, key: Key, done: &cqueue::Entry, wakers: &mut Vec<Waker>) {
        let buffer = cqueue::buffer_select(done.flags());
        let socket = self.sockets.get_mut(key.slot as usize).filter(|socket| socket.generation == key.generation);
        let Some(socket) = socket else {
            if let Some(id) = buffer {
                self.buffers.give(id);
            }
            if cqueue::more(done.flags()) {
                // The cancellation that came with the socket's removal has missed it.
                self.cancel_receive(key);
            }
            return;
        };
        if !cqueue::more(done.flags()) {
            socket.receiving = Receiving::Stopped;
        }
        match (done.result(), buffer) {
            (length @ 1.., Some(id)) => {
                let earlier = socket.fresh.replace((id, length as usize));
                if earlier.is_none() {
                    self.delivered.push(key);
                }
                socket.keep(&mut self.buffers, &mut self.spare_inboxes, earlier);
            }
            (result, buffer) => {
                if let Some(id) = buffer {
                    self.buffers.give(id);
                }
                match -result {
                    _ if socket.ended.is_some() => {}
                    0 => socket.ended = Some(End::Closed),
                    // Out of buffers, or cancelled by us: whoever reads next arms it again.
                    libc::ENOBUFS | libc::ECANCELED | libc::EINTR => {}
                    error => socket.ended = Some(End::Failed(error)),
                }
            }
        }
        wakers.extend(socket.waker.take());
    }

    /// Moves receive buffers that their tasks did not read into the sockets' own inboxes.
    pub(super) fn put_aside(&mut self) {
        while let Some(key) = self.delivered.pop() {
            let Some(socket) = self.sockets.get_mut(key.slot as usize) else { continue };
            if socket.generation != key.generation {
                continue;
            }
            let fresh = socket.fresh.take();
            socket.keep(&mut self.buffers, &mut self.spare_inboxes, fresh);
        }
    }

    /// Takes what has arrived for a socket, up to the end of its fresh buffer, into `into`; returns the count.
    pub(super) fn take_received(&mut self, key: Key, into: &mut Vec<u8>) -> usize {
        let socket = &mut self.sockets[key.slot as usize];
        let mut taken = 0;
        if socket.inbox_start < socket.inbox.len() {
            into.extend_from_slice(&socket.inbox[socket.inbox_start..]);
            taken += socket.inbox.len() - socket.inbox_start;
            socket.empty_inbox(&mut self.spare_inboxes);
        }
        if let Some((id, length)) = socket.fresh.take() {
            into.extend_from_slice(self.buffers.bytes(id, length));
            self.buffers.give(id);
            taken += length;
        }
        taken
    }

    /// Takes up to `most` bytes that wait in a socket's inbox; returns the count.
    pub(super) fn take_from_inbox(&mut self, key: Key, into: &mut Vec<u8>, most: usize) -> usize {
        let socket = &mut self.sockets[key.slot as usize];
        let waiting = socket.inbox.get(socket.inbox_start..).unwrap_or_default();
        let count = waiting.len().min(most);
        into.extend_from_slice(&waiting[..count]);
        socket.inbox_start += count;
        if count > 0 && socket.inbox_start == socket.inbox.len() {
            socket.empty_inbox(&mut self.spare_inboxes);
        }
        count
    }

    /// Takes what waits in a socket's inbox, as far as it fits into a bulk buffer; `None` when nothing does.
    pub(super) fn take_received_bulk(&mut self, key: Key) -> Option<Bulk> {
        let socket = &mut self.sockets[key.slot as usize];
        let waiting = socket.inbox.get(socket.inbox_start..).filter(|waiting| !waiting.is_empty())?;
        let mut bulk = self.bulk.take();
        socket.inbox_start += bulk.fill(waiting);
        if socket.inbox_start == socket.inbox.len() {
            socket.empty_inbox(&mut self.spare_inboxes);
        }
        Some(bulk)
    }

    /// Moves a fresh buffer to the inbox at once.
    pub(super) fn settle(&mut self, key: Key) {
        let socket = &mut self.sockets[key.slot as usize];
        let fresh = socket.fresh.take();
        socket.keep(&mut self.buffers, &mut self.spare_inboxes, fresh);
    }
}

/// A receive of one buffer. It is armed when nothing is there as a rule, so an attempt before the wait would be lost.
fn once(fd: RawFd) -> squeue::Entry {
    opcode::Recv::new(types::Fd(fd), std::ptr::null_mut(), BUFFER_BYTES as u32)
        .buf_group(GROUP)
        .ioprio(POLL_FIRST)
        .build()
        .flags(squeue::Flags::BUFFER_SELECT)
}

/// A receive that ends by itself once it has delivered `limit` bytes or more.
fn multishot(fd: RawFd, limit: u32) -> squeue::Entry {
    let mut entry = opcode::RecvMulti::new(types::Fd(fd), GROUP).build();
    // SAFETY: the entry is 64 bytes of plain data (asserted above), in the kernel's layout, and four of them from an
    // aligned offset are written.
    unsafe { (&raw mut entry).cast::<u8>().add(LIMIT_OFFSET).cast::<u32>().write(limit) };
    entry
}

/// Whether the kernel bounds multishot receives. One that cannot refuses the field.
///
/// # Errors
/// When the ring or a pair of sockets fails.
pub(super) fn can_bound(uring: &mut IoUring, buffers: &mut Buffers) -> io::Result<bool> {
    let (receiving, sending) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::io::write(&sending, b"?")?;
    // SAFETY: the entry points to no memory, and the ring is this thread's.
    unsafe { uring.submission().push(&multishot(receiving.as_raw_fd(), 1)) }
        .map_err(|_| io::Error::from(io::ErrorKind::QuotaExceeded))?;
    uring.submit_and_wait(1)?;
    let Some(done) = uring.completion().next() else { return Ok(false) };
    if let Some(id) = cqueue::buffer_select(done.flags()) {
        buffers.give(id);
    }
    Ok(done.result() == 1 && !cqueue::more(done.flags()))
}
