//! The shard runtime: the only module that names glommio and io_uring.
//!
//! Owns: the executor of each shard, the one ring on which all of its sockets live, streams, accepts, deadlines,
//! wake-ups between tasks and messages from other threads. Must not know what bytes mean.
//!
//! How a shard runs: tasks queue operations on the ring; one task, *the turn* ([`shard`]), submits them and waits for
//! completions in a single system call, wakes the tasks that they belong to, and yields. Every wake of a task comes from
//! the turn, or from [`Notify`] or [`Places`], which mark the turn: a marked turn submits without waiting. A task that
//! wakes another one in any other way would leave it sleeping behind the turn's wait, so glommio's own streams, timers,
//! channels and locks must not be used on a shard.

mod accept;
mod buffers;
mod bulk;
mod exact;
mod file;
mod gathered;
mod local;
mod mailbox;
mod offload;
mod operation;
mod places;
mod receive;
mod ring;
mod shard;
mod stream;
mod timer;

#[cfg(test)]
mod tests;

pub use accept::Acceptor;
pub use bulk::{BULK_BYTES, Bulk};
pub use exact::ReceiveExactly;
pub use file::Spool;
pub use gathered::{Gathered, Insets};
pub use local::Notify;
pub use mailbox::{Inbox, Mailbox, Sender, mailbox};
pub use offload::{Offload, Pending, Workers};
pub use places::{Places, Taken, Waiting};
pub use ring::Ring;
pub use shard::{Placement, Shard, ShardError, launch, spawn};
pub use stream::{SilentSend, Stream, connect};
pub use timer::Deadline;
