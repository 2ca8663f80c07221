//! Work that takes long or blocks, done on threads of its own; a shard waits for it as for a socket.

use std::io;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::local::Notify;
use super::mailbox::{Sender, mailbox};
use super::ring::Ring;
use super::shard::spawn;

/// Jobs that may wait for a thread.
const QUEUE_CAPACITY: usize = 256;
/// Wake-ups that may be under way to one shard; one is enough for any number of finished jobs.
const WAKES_CAPACITY: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// The threads that do it.
#[derive(Clone)]
pub struct Workers {
    queue: flume::Sender<Job>,
}

impl Workers {
    /// Starts `count` threads; they end when the last handle is gone.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn start(count: usize) -> io::Result<Workers> {
        let (queue, jobs) = flume::bounded::<Job>(QUEUE_CAPACITY);
        for number in 0..count.max(1) {
            let jobs = jobs.clone();
            std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                for job in jobs {
                    // A job that panics has told its shard by dropping its slot; the thread goes on.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                }
            })?;
        }
        Ok(Workers { queue })
    }
}

/// One shard's way to the workers.
pub struct Offload {
    workers: Workers,
    wake: Sender<()>,
    finished: Rc<Notify>,
}

enum Slot<R> {
    Waiting,
    Done(R),
    Lost,
}

/// Says that the job is lost unless it was told otherwise, and wakes the shard.
struct Delivery<R> {
    slot: Arc<Mutex<Slot<R>>>,
    wake: Sender<()>,
}

impl<R> Delivery<R> {
    fn put(&self, outcome: Slot<R>) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
    }
}

impl<R> Drop for Delivery<R> {
    fn drop(&mut self) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*slot, Slot::Waiting) {
            *slot = Slot::Lost;
        }
        drop(slot);
        // A full mailbox means that a wake-up is under way already.
        let _ = self.wake.send(());
    }
}

impl Offload {
    /// For the calling shard.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub fn new(ring: &Ring, workers: Workers) -> io::Result<Offload> {
        let (wake, woken) = mailbox(WAKES_CAPACITY)?;
        let woken = woken.attach(ring);
        let finished = Rc::new(Notify::new(ring));
        let announced = Rc::clone(&finished);
        spawn(async move {
            loop {
                woken.next().await;
                announced.notify();
            }
        });
        Ok(Offload { workers, wake, finished })
    }

    /// Begins a job.
    pub fn begin<R: Send + 'static>(&self, job: impl FnOnce() -> R + Send + 'static) -> Pending<R> {
        let slot = Arc::new(Mutex::new(Slot::Waiting));
        let delivery = Delivery { slot: Arc::clone(&slot), wake: self.wake.clone() };
        let job = Box::new(move || delivery.put(Slot::Done(job())));
        // A queue without room drops the job, which marks it lost.
        let _ = self.workers.queue.try_send(job);
        Pending { slot, finished: Rc::clone(&self.finished) }
    }
}

/// A job that was begun.
pub struct Pending<R> {
    slot: Arc<Mutex<Slot<R>>>,
    finished: Rc<Notify>,
}

impl<R> Pending<R> {
    /// Its result, once; `None` when it was lost: too many jobs waited, or it panicked.
    pub fn poll_result(&self, cx: &mut Context<'_>) -> Poll<Option<R>> {
        // Registered before the slot is looked at, so that a job that ends in between wakes this task.
        let _ = self.finished.poll_after(cx, self.finished.count());
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *slot, Slot::Lost) {
            Slot::Done(result) => Poll::Ready(Some(result)),
            Slot::Lost => Poll::Ready(None),
            Slot::Waiting => {
                *slot = Slot::Waiting;
                Poll::Pending
            }
        }
    }
}
