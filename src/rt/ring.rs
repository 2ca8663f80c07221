//! The ring of one shard: submission, completion, and what they belong to.
//!
//! Owns the `io_uring`, its sockets ([`super::receive`] has their receive side), listeners and the operations in flight.
//! One thread only.
//!
//! Rules that keep it sound:
//! - an operation owns its memory until its completion has come ([`super::operation`]);
//! - completions carry slot and generation, so one that arrives after its socket is gone is recognised and dropped;
//! - descriptors are closed by an operation that is queued behind all others of the socket, so a reused descriptor
//!   number can never be hit by an operation meant for the old one;
//! - a receive buffer is given back within the turn after the one that delivered it: what the task did not read by
//!   then moves to the socket's own inbox.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use io_uring::{IoUring, cqueue, opcode, squeue, types};
use slab::Slab;

use super::buffers::Buffers;
use super::bulk::BulkPool;
use super::operation::{Key, Loan, Operation};
use super::receive::{self, End, Receiving, Socket, SpareInboxes};
use super::timer::Wheel;

const SUBMISSION_ENTRIES: u32 = 1024;
const COMPLETION_ENTRIES: u32 = 4096;

const KIND_SHIFT: u32 = 56;
const GENERATION_MASK: u32 = 0x00ff_ffff;
/// The user data of what nobody waits for.
const IGNORED: u64 = 0;

/// What a completion belongs to; the top byte of its user data.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Ignored = 0,
    Accepted = 1,
    Received = 2,
    Operation = 3,
    Posted = 4,
    ReceiveCancelled = 5,
}

impl Kind {
    fn of(user_data: u64) -> Kind {
        match user_data >> KIND_SHIFT {
            1 => Kind::Accepted,
            2 => Kind::Received,
            3 => Kind::Operation,
            4 => Kind::Posted,
            5 => Kind::ReceiveCancelled,
            _ => Kind::Ignored,
        }
    }
}

pub(super) fn user_data(kind: Kind, key: Key) -> u64 {
    ((kind as u64) << KIND_SHIFT) | (u64::from(key.generation & GENERATION_MASK) << 32) | u64::from(key.slot)
}

fn key_of(user_data: u64) -> Key {
    Key { slot: user_data as u32, generation: (user_data >> 32) as u32 & GENERATION_MASK }
}

/// The accept side of one listener.
pub(super) struct Accepting {
    pub(super) fd: RawFd,
    pub(super) generation: u32,
    pub(super) accepted: VecDeque<io::Result<OwnedFd>>,
    pub(super) armed: bool,
    pub(super) waker: Option<Waker>,
}

/// An eventfd that other threads write to.
pub(super) struct Post {
    pub(super) fd: RawFd,
    pub(super) counter: Box<u64>,
    pub(super) waker: Option<Waker>,
}

/// The state behind [`Ring`].
pub(super) struct Inner {
    uring: IoUring,
    pub(super) buffers: Buffers,
    pub(super) bulk: BulkPool,
    pub(super) spare_inboxes: SpareInboxes,
    pub(super) sockets: Slab<Socket>,
    pub(super) operations: Slab<Operation>,
    pub(super) acceptors: Slab<Accepting>,
    pub(super) posts: Slab<Post>,
    pub(super) wheel: Wheel,
    pub(super) now: Instant,
    generation: u32,
    /// Sockets that hold a fresh buffer.
    pub(super) delivered: Vec<Key>,
    /// Whether the kernel bounds a multishot receive.
    pub(super) bounds_multishot: bool,
}

/// A handle on the shard's ring; cheap to clone.
#[derive(Clone)]
pub struct Ring(Rc<Shared>);

struct Shared {
    inner: RefCell<Inner>,
    /// A task is ready that the turn has not seen: it must not wait.
    marked: Cell<bool>,
    draining: Cell<bool>,
    /// Runs once a turn, before the wait.
    before_wait: RefCell<Option<Hook>>,
}

type Hook = Box<dyn FnMut()>;

impl Ring {
    /// Sets up a ring for the calling thread.
    ///
    /// # Errors
    /// When the kernel refuses `io_uring` (seccomp profile, `kernel.io_uring_disabled`, Linux before 6.1) or memory;
    /// `crate::sys::probe` explains which.
    pub fn open() -> io::Result<Ring> {
        let mut uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_cqsize(COMPLETION_ENTRIES)
            .build(SUBMISSION_ENTRIES)?;
        let mut buffers = Buffers::register(&uring)?;
        let bounds_multishot = receive::can_bound(&mut uring, &mut buffers)?;
        let now = Instant::now();
        let inner = Inner {
            uring,
            buffers,
            bulk: BulkPool::default(),
            spare_inboxes: SpareInboxes::default(),
            sockets: Slab::new(),
            operations: Slab::new(),
            acceptors: Slab::new(),
            posts: Slab::new(),
            wheel: Wheel::new(now),
            now,
            generation: 0,
            delivered: Vec::new(),
            bounds_multishot,
        };
        Ok(Ring(Rc::new(Shared {
            inner: RefCell::new(inner),
            marked: Cell::default(),
            draining: Cell::default(),
            before_wait: RefCell::default(),
        })))
    }

    pub(super) fn inner(&self) -> RefMut<'_, Inner> {
        self.0.inner.borrow_mut()
    }

    /// The present, as of the current turn.
    pub fn now(&self) -> Instant {
        self.0.inner.borrow().now
    }

    /// Keeps the next turn from waiting: a task was woken.
    pub(super) fn mark(&self) {
        self.0.marked.set(true);
    }

    /// Whether the shard is asked to finish: connections without a request in flight should close.
    pub fn is_draining(&self) -> bool {
        self.0.draining.get()
    }

    /// Asks every connection to finish.
    pub fn drain(&self) {
        self.0.draining.set(true);
        self.wake_all();
    }

    /// Wakes every task that waits for bytes or connections, so that it looks at what has changed.
    pub fn wake_all(&self) {
        let mut wakers = Vec::new();
        {
            let mut inner = self.0.inner.borrow_mut();
            wakers.extend(inner.sockets.iter_mut().filter_map(|(_, socket)| socket.waker.take()));
            wakers.extend(inner.acceptors.iter_mut().filter_map(|(_, acceptor)| acceptor.waker.take()));
        }
        self.mark();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends every connection of the shard: whatever waits on one sees it fail.
    pub fn fail_all(&self) {
        let mut wakers = Vec::new();
        for (_, socket) in &mut self.0.inner.borrow_mut().sockets {
            socket.ended = Some(End::Failed(libc::ECONNABORTED));
            wakers.extend(socket.waker.take());
            // SAFETY: a socket's descriptor is open for as long as it has an entry.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(socket.fd) };
            // Completes what is in flight on it; a peer that is already gone needs nothing more.
            let _ = rustix::net::shutdown(fd, rustix::net::Shutdown::Both);
        }
        self.mark();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Connections and other sockets that are open on this ring.
    pub fn open_sockets(&self) -> usize {
        self.0.inner.borrow().sockets.len()
    }

    /// Has `hook` run once a turn, after the tasks and before the wait: the place to hand over what they collected.
    pub fn set_before_wait(&self, hook: impl FnMut() + 'static) {
        *self.0.before_wait.borrow_mut() = Some(Box::new(hook));
    }

    /// Submits what was queued, waits for a completion (or the next deadline, unless a task is ready), and wakes the
    /// tasks that the completions belong to.
    pub(super) fn turn(&self, wakers: &mut Vec<Waker>) -> io::Result<()> {
        if let Some(hook) = self.0.before_wait.borrow_mut().as_mut() {
            hook();
        }
        let ready = self.0.marked.replace(false);
        {
            let mut inner = self.0.inner.borrow_mut();
            inner.put_aside();
            inner.submit(!ready)?;
            inner.now = Instant::now();
            let now = inner.now;
            inner.wheel.serve(now, wakers);
            inner.complete(wakers);
        }
        wakers.drain(..).for_each(Waker::wake);
        Ok(())
    }
}

impl Inner {
    /// A generation for a new socket, operation or listener.
    pub(super) fn next_generation(&mut self) -> u32 {
        self.generation = self.generation.wrapping_add(1) & GENERATION_MASK;
        self.generation
    }

    pub(super) fn push(&mut self, entry: &squeue::Entry) {
        loop {
            // SAFETY: what the entry points to is owned by an `Operation`, `Post` or `Buffers` that stays in place
            // until the entry's completion has come.
            if unsafe { self.uring.submission().push(entry) }.is_ok() {
                return;
            }
            // The queue is full: hand over what is there. A busy kernel (EBUSY) makes room with the next turn's
            // completions; nothing is lost because submission is retried.
            let _ = self.uring.submit();
        }
    }

    fn submit(&mut self, wait: bool) -> io::Result<()> {
        let outcome = if wait {
            match self.wheel.wait(Instant::now()) {
                None => self.uring.submit_and_wait(1),
                Some(limit) => {
                    let limit = limit.max(Duration::from_millis(1));
                    let limit = types::Timespec::from(limit);
                    self.uring.submitter().submit_with_args(1, &types::SubmitArgs::new().timespec(&limit))
                }
            }
        } else {
            self.uring.submitter().submit_and_wait(0)
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    fn complete(&mut self, wakers: &mut Vec<Waker>) {
        loop {
            let Some(done) = self.uring.completion().next() else { return };
            let key = key_of(done.user_data());
            match Kind::of(done.user_data()) {
                Kind::Received => self.received(key, &done, wakers),
                Kind::Operation => self.operated(key, done.result(), wakers),
                Kind::Accepted => self.accepted(key, &done, wakers),
                Kind::Posted => self.posted(key, wakers),
                Kind::ReceiveCancelled => self.receive_cancelled(key, done.result()),
                Kind::Ignored => {}
            }
        }
    }

    fn operated(&mut self, key: Key, result: i32, wakers: &mut Vec<Waker>) {
        let Some(operation) = self.operations.get_mut(key.slot as usize) else { return };
        if operation.generation != key.generation {
            return;
        }
        if operation.abandoned {
            self.operations.remove(key.slot as usize);
            return;
        }
        operation.result = Some(result);
        if operation.silent != Some(result) {
            wakers.extend(operation.waker.take());
        }
    }

    fn accepted(&mut self, key: Key, done: &cqueue::Entry, wakers: &mut Vec<Waker>) {
        let accepted = match done.result() {
            // SAFETY: the kernel made this descriptor for us with this completion; nobody else owns it.
            fd @ 0.. => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
            error => Err(io::Error::from_raw_os_error(-error)),
        };
        let acceptor =
            self.acceptors.get_mut(key.slot as usize).filter(|acceptor| acceptor.generation == key.generation);
        let Some(acceptor) = acceptor else { return };
        acceptor.armed = cqueue::more(done.flags());
        acceptor.accepted.push_back(accepted);
        wakers.extend(acceptor.waker.take());
    }

    fn posted(&mut self, key: Key, wakers: &mut Vec<Waker>) {
        let Some(post) = self.posts.get_mut(key.slot as usize) else { return };
        wakers.extend(post.waker.take());
        self.arm_post(key.slot);
    }

    /// Registers a connected socket.
    pub(super) fn insert_socket(&mut self, fd: RawFd) -> Key {
        let generation = self.next_generation();
        let slot = self.sockets.insert(Socket::new(fd, generation));
        Key { slot: slot as u32, generation }
    }

    pub(super) fn socket(&mut self, key: Key) -> &mut Socket {
        &mut self.sockets[key.slot as usize]
    }

    /// Cancels what was submitted as `target`; the cancellation completes as `told`.
    pub(super) fn cancel(&mut self, target: u64, told: u64) {
        self.push(&opcode::AsyncCancel::new(target).build().user_data(told));
    }

    fn start(&mut self, loan: Loan, build: impl FnOnce(&mut Loan) -> squeue::Entry) -> Key {
        self.start_silent(loan, None, build)
    }

    /// As [`Inner::start`]; the result `silent` wakes nobody.
    fn start_silent(&mut self, loan: Loan, silent: Option<i32>, build: impl FnOnce(&mut Loan) -> squeue::Entry) -> Key {
        let generation = self.next_generation();
        let slot =
            self.operations.insert(Operation { generation, loan, result: None, waker: None, silent, abandoned: false });
        let key = Key { slot: slot as u32, generation };
        let entry = build(&mut self.operations[slot].loan).user_data(user_data(Kind::Operation, key));
        self.push(&entry);
        key
    }

    /// Sends the loan's bytes, all of them or an error; the result `silent` wakes nobody.
    pub(super) fn start_send(&mut self, fd: RawFd, loan: Loan, silent: Option<i32>) -> Key {
        const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        // The heap memory behind the loan does not move when the slab of operations grows.
        self.start_silent(loan, silent, |loan| {
            let bytes = match loan {
                Loan::Bytes(bytes) => bytes.as_slice(),
                Loan::Bulk(bulk) => bulk.wire(),
                Loan::Gathered(gathered) => {
                    return opcode::SendMsg::new(types::Fd(fd), gathered.message()).flags(FLAGS as u32).build();
                }
                Loan::Address(_) => &[],
            };
            opcode::Send::new(types::Fd(fd), bytes.as_ptr(), u32::try_from(bytes.len()).unwrap_or(u32::MAX))
                .flags(FLAGS)
                .build()
        })
    }

    /// Has a silent operation in flight wake its task after all.
    pub(super) fn hear(&mut self, key: Key) {
        if let Some(operation) = self.operations.get_mut(key.slot as usize) {
            operation.silent = None;
        }
    }

    /// Receives once into the loan's bulk buffer.
    pub(super) fn start_bulk_receive(&mut self, fd: RawFd, bulk: super::Bulk) -> Key {
        self.start(Loan::Bulk(bulk), |loan| {
            let (start, length) = match loan {
                Loan::Bulk(bulk) => (bulk.room().as_mut_ptr(), bulk.room().len()),
                Loan::Bytes(_) | Loan::Gathered(_) | Loan::Address(_) => (std::ptr::null_mut(), 0),
            };
            opcode::Recv::new(types::Fd(fd), start, length as u32).build()
        })
    }

    /// Receives up to `count` bytes behind those of `into`, which has the room for it.
    pub(super) fn start_exact_receive(&mut self, socket: Key, into: Vec<u8>, count: usize) -> Key {
        let fd = self.socket(socket).fd;
        self.start(Loan::Bytes(into), |loan| {
            let room = match loan {
                Loan::Bytes(into) => into.spare_capacity_mut(),
                Loan::Bulk(_) | Loan::Gathered(_) | Loan::Address(_) => &mut [],
            };
            let length = u32::try_from(room.len().min(count)).unwrap_or(u32::MAX);
            opcode::Recv::new(types::Fd(fd), room.as_mut_ptr().cast(), length).build()
        })
    }

    /// Watches for the peer's end of the stream, whatever waits before it.
    pub(super) fn start_hangup(&mut self, fd: RawFd) -> Key {
        self.start(Loan::Bytes(Vec::new()), |_| {
            opcode::PollAdd::new(types::Fd(fd), (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) as u32).build()
        })
    }

    /// Writes the payload of a bulk buffer to a file.
    pub(super) fn start_file_write(&mut self, fd: RawFd, bulk: super::Bulk, offset: u64) -> Key {
        self.start(Loan::Bulk(bulk), |loan| {
            let bytes = match loan {
                Loan::Bulk(bulk) => bulk.payload(),
                Loan::Bytes(_) | Loan::Gathered(_) | Loan::Address(_) => &[],
            };
            opcode::Write::new(types::Fd(fd), bytes.as_ptr(), bytes.len() as u32).offset(offset).build()
        })
    }

    /// Reads from a file into a bulk buffer.
    pub(super) fn start_file_read(&mut self, fd: RawFd, offset: u64) -> Key {
        let bulk = self.bulk.take();
        self.start(Loan::Bulk(bulk), |loan| {
            let (start, length) = match loan {
                Loan::Bulk(bulk) => (bulk.room().as_mut_ptr(), bulk.room().len()),
                Loan::Bytes(_) | Loan::Gathered(_) | Loan::Address(_) => (std::ptr::null_mut(), 0),
            };
            opcode::Read::new(types::Fd(fd), start, length as u32).offset(offset).build()
        })
    }

    /// Connects a unix socket.
    pub(super) fn start_connect(&mut self, fd: RawFd, address: Box<libc::sockaddr_un>) -> Key {
        self.start(Loan::Address(address), |loan| {
            let address: *const libc::sockaddr_un = match loan {
                Loan::Address(address) => &raw const **address,
                Loan::Bytes(_) | Loan::Bulk(_) | Loan::Gathered(_) => std::ptr::null(),
            };
            opcode::Connect::new(types::Fd(fd), address.cast(), size_of::<libc::sockaddr_un>() as u32).build()
        })
    }

    /// Collects a complete operation; `None` while it is in flight, and then `waker` is woken by its completion.
    pub(super) fn collect(&mut self, key: Key, waker: &Waker) -> Option<(i32, Loan)> {
        let operation = self.operations.get_mut(key.slot as usize)?;
        if let Some(result) = operation.result {
            return Some((result, self.operations.remove(key.slot as usize).loan));
        }
        if !operation.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            operation.waker = Some(waker.clone());
        }
        None
    }

    /// Gives an operation up: it is cancelled, and keeps its memory until the kernel has let go of it.
    pub(super) fn abandon(&mut self, key: Key) {
        let Some(operation) = self.operations.get_mut(key.slot as usize) else { return };
        if operation.generation != key.generation {
            return;
        }
        if operation.result.is_some() {
            self.operations.remove(key.slot as usize);
            return;
        }
        operation.abandoned = true;
        operation.waker = None;
        self.cancel(user_data(Kind::Operation, key), IGNORED);
    }

    /// Forgets a socket and closes it behind everything that was queued for it.
    pub(super) fn remove_socket(&mut self, key: Key) {
        let Some(socket) = self.sockets.try_remove(key.slot as usize) else { return };
        if let Some((id, _)) = socket.fresh {
            self.buffers.give(id);
        }
        if socket.receiving == Receiving::Armed {
            self.cancel_receive(key);
        }
        for operation in [socket.bulk, socket.hangup].into_iter().flatten() {
            self.abandon(operation);
        }
        self.close(socket.fd);
    }

    /// Closes a descriptor behind everything that was queued for it.
    pub(super) fn close(&mut self, fd: RawFd) {
        let entry = opcode::Close::new(types::Fd(fd)).build().user_data(IGNORED);
        self.push(&entry);
    }

    /// Arms a listener's multishot accept.
    pub(super) fn arm_acceptor(&mut self, slot: u32) {
        let Some(acceptor) = self.acceptors.get_mut(slot as usize) else { return };
        if acceptor.armed {
            return;
        }
        acceptor.armed = true;
        let key = Key { slot, generation: acceptor.generation };
        let entry = opcode::AcceptMulti::new(types::Fd(acceptor.fd))
            .flags(libc::SOCK_CLOEXEC)
            .build()
            .user_data(user_data(Kind::Accepted, key));
        self.push(&entry);
    }

    /// Forgets a listener, cancels its accept and closes it; connections that were accepted and not taken are closed.
    pub(super) fn remove_acceptor(&mut self, slot: u32) {
        let Some(acceptor) = self.acceptors.try_remove(slot as usize) else { return };
        if acceptor.armed {
            let key = Key { slot, generation: acceptor.generation };
            self.cancel(user_data(Kind::Accepted, key), IGNORED);
        }
        self.close(acceptor.fd);
    }

    /// Reads an eventfd, to be woken by the next write to it.
    pub(super) fn arm_post(&mut self, slot: u32) {
        let Some(post) = self.posts.get_mut(slot as usize) else { return };
        let counter: *mut u64 = &raw mut *post.counter;
        let entry = opcode::Read::new(types::Fd(post.fd), counter.cast(), 8)
            .build()
            .user_data(user_data(Kind::Posted, Key { slot, generation: 0 }));
        self.push(&entry);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The closes that dropped streams have queued.
        let _ = self.uring.submit();
        // The kernel ends what is still in flight after the ring is closed, not before: memory that it may still
        // write to is never freed.
        if self.operations.iter().any(|(_, operation)| operation.result.is_none()) {
            std::mem::forget(std::mem::take(&mut self.operations));
        }
        self.posts.drain().for_each(|post| std::mem::forget(post.counter));
    }
}
