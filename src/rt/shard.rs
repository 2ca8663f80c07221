//! One shard: a glommio executor, its ring, and the turn.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Waker;

use futures_lite::FutureExt;
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
    let fenced = AssertUnwindSafe(task).catch_unwind();
    glommio::spawn_local(async move {
        if let Err(panic) = fenced.await {
            let cause = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            tracing::error!(panic = cause, "task panicked");
        }
    })
    .detach();
}
