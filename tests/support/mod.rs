//! What the tests against the running product share: the product itself, a client that may misbehave, an Engine that
//! may break. Plain blocking sockets; every wait has a limit, so that a fault fails a test instead of hanging it.

#![allow(dead_code, unused_imports, reason = "every test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that cannot go on ends the test")]
#![allow(clippy::print_stderr, reason = "the log of a product that failed belongs to the failure")]

mod broken;
mod client;
mod proxy;

pub(crate) use broken::{BrokenEngine, Upstream};
pub(crate) use client::{Client, Response};
pub(crate) use proxy::{Listen, Proxy, Setup, allow, allow_everything};

use std::time::{Duration, Instant};

/// Longest wait for anything that has to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);

/// Polls `fact` until it holds, for facts that nobody announces; false when it never did.
pub(crate) fn eventually(mut fact: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !fact() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    true
}

/// Runs a test with one shard and with two.
pub(crate) fn on_shards(test: impl Fn(usize)) {
    for shards in [1, 2] {
        test(shards);
    }
}
