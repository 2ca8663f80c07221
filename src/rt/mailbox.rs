//! Messages to a shard from other threads: a queue, and an eventfd that the shard's ring reads.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use rustix::event::EventfdFlags;

use super::ring::{Post, Ring};

struct Shared {
    event: OwnedFd,
    /// A wake-up is under way: further messages need none of their own.
    signalled: AtomicBool,
}

/// The end that other threads hold.
pub struct Sender<T> {
    queue: flume::Sender<T>,
    shared: Arc<Shared>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { queue: self.queue.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<T> Sender<T> {
    /// Delivers a message without blocking; gives it back when the queue is full or the shard is gone.
    pub fn send(&self, message: T) -> Result<(), T> {
        self.queue.try_send(message).map_err(flume::TrySendError::into_inner)?;
        if !self.shared.signalled.swap(true, Ordering::AcqRel) {
            // Cannot overflow: the shard resets the counter with every read, and one write is enough to wake it.
            let _ = rustix::io::write(&self.shared.event, &1_u64.to_ne_bytes());
        }
        Ok(())
    }
}

/// The receiving end, before it is put on a shard's ring.
pub struct Mailbox<T> {
    queue: flume::Receiver<T>,
    shared: Arc<Shared>,
}

/// The receiving end on its shard.
pub struct Inbox<T> {
    queue: flume::Receiver<T>,
    shared: Arc<Shared>,
    ring: Ring,
    slot: u32,
}

/// A mailbox for at most `capacity` messages.
///
/// # Errors
/// When the process is out of descriptors.
pub fn mailbox<T>(capacity: usize) -> io::Result<(Sender<T>, Mailbox<T>)> {
    let (sender, queue) = flume::bounded(capacity);
    let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC)?;
    let shared = Arc::new(Shared { event, signalled: AtomicBool::new(false) });
    Ok((Sender { queue: sender, shared: Arc::clone(&shared) }, Mailbox { queue, shared }))
}

impl<T> Mailbox<T> {
    /// Puts it on the ring of the calling shard.
    pub fn attach(self, ring: &Ring) -> Inbox<T> {
        let mut inner = ring.inner();
        let post = Post { fd: self.shared.event.as_raw_fd(), counter: Box::new(0), waker: None };
        let slot = inner.posts.insert(post) as u32;
        inner.arm_post(slot);
        drop(inner);
        Inbox { queue: self.queue, shared: self.shared, ring: ring.clone(), slot }
    }
}

impl<T> Inbox<T> {
    /// The next message.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(post) = self.ring.inner().posts.get_mut(self.slot as usize) {
            post.waker = Some(cx.waker().clone());
        }
        self.shared.signalled.store(false, Ordering::Release);
        self.queue.try_recv().map_or(Poll::Pending, Poll::Ready)
    }

    /// As [`Inbox::poll_next`], as a future.
    pub async fn next(&self) -> T {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}
