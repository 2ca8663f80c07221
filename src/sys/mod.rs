//! The few lines that talk to the kernel directly: who is at the other end of a socket, what the process may use, and
//! whether the machine can run a shard at all.

pub mod capacity;
pub mod credentials;
pub mod heap;
pub mod probe;
