//! One shard: a glommio executor, its ring, and the turn.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_lite::FutureExt;
use futures_lite::future::CatchUnwind;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder};

use super::ring::Ring;

/// Memory that glommio registers for file I/O, which a shard does not do.
const EXECUTOR_IO_MEMORY_BYTES: usize = 64 << 10;

/// Where a shard's thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Wherever the scheduler puts it.
    Unbound,
    /// On this CPU.
    Cpu(usize),
}

/// Why a shard did not start or ended early.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The executor could not be made: locked memory, `io_uring`, or the CPU is not ours.
    #[error("executor: {0}")]
    Executor(String),
    /// The shard's own ring failed.
    #[error("ring: {0}")]
    Ring(#[from] io::Error),
}

/// A running shard.
pub struct Shard(ExecutorJoinHandle<Result<(), ShardError>>);

impl Shard {
    /// Waits for its end.
    ///
    /// # Errors
    /// When its ring failed or its thread panicked.
    pub fn join(self) -> Result<(), ShardError> {
        match self.0.join() {
            Ok(outcome) => outcome,
            Err(error) => Err(ShardError::Executor(error.to_string())),
        }
    }
}

/// Starts a shard that runs `main` and everything it spawns, until `main` is done. What is then still running is
/// dropped.
///
/// # Errors
/// When the executor cannot be made. A ring that cannot be set up is reported by [`Shard::join`].
pub fn launch<F, T>(name: &str, placement: Placement, main: F) -> Result<Shard, ShardError>
where
    F: FnOnce(Ring) -> T + Send + 'static,
    T: Future<Output = ()> + 'static,
{
    let placement = match placement {
        Placement::Unbound => glommio::Placement::Unbound,
        Placement::Cpu(cpu) => glommio::Placement::Fixed(cpu),
    };
    LocalExecutorBuilder::new(placement)
        .name(name)
        .io_memory(EXECUTOR_IO_MEMORY_BYTES)
        .spawn(move || run(main))
        .map(Shard)
        .map_err(|error| ShardError::Executor(error.to_string()))
}

async fn run<F, T>(main: F) -> Result<(), ShardError>
where
    F: FnOnce(Ring) -> T,
    T: Future<Output = ()> + 'static,
{
    let ring = Ring::open()?;
    let done = Rc::new(Cell::new(false));
    let (watched, marked, main) = (Rc::clone(&done), ring.clone(), main(ring.clone()));
    spawn(async move {
        let _ended = EndMark { done: watched, ring: marked };
        main.await;
    });
    let mut wakers: Vec<Waker> = Vec::new();
    while !done.get() {
        glommio::executor().yield_task_queue_now().await;
        ring.turn(&mut wakers)?;
    }
    Ok(())
}

/// Ends the turn loop when the shard's main task is over, however it ends.
struct EndMark {
    done: Rc<Cell<bool>>,
    ring: Ring,
}

impl Drop for EndMark {
    fn drop(&mut self) {
        self.done.set(true);
        self.ring.mark();
    }
}

/// Runs a task on the calling shard. A panic ends that task only; it is logged.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(Fenced { task: AssertUnwindSafe(task).catch_unwind() }).detach();
}

pin_project_lite::pin_project! {
    /// A task whose panics end here. Not an `async` block: that would hold the task twice, and idle connections are many.
    struct Fenced<F: Future> {
        #[pin]
        task: CatchUnwind<AssertUnwindSafe<F>>,
    }
}

impl<F: Future<Output = ()>> Future for Fenced<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().task.poll(cx).map(|outcome| {
            if let Err(panic) = outcome {
                let text = panic.downcast_ref::<&str>().copied();
                let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
                tracing::error!(panic = text, "task panicked");
            }
        })
    }
}
