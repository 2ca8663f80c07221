//! Connections over shards, and who may listen where (spec 60 §6, field reports 74, 89, 90).
//!
//! Which shard serves a connection is seen from outside: its thread is the one whose CPU time grows while that
//! connection alone is busy.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use sockguard::scripted::ScriptedEngine;
use support::{Client, Proxy, Setup, allow, eventually};
use tempfile::TempDir;

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
const CONNECTIONS: usize = 64;
const SHARDS: usize = 2;
/// Requests that make a shard's thread stand out.
const BURST: usize = 12;

fn engine() -> (TempDir, ScriptedEngine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start(folder.path().join("engine.sock")).unwrap();
    (folder, engine)
}

/// The shard that serves this connection.
fn shard_of(proxy: &Proxy, client: &mut Client) -> usize {
    let before = proxy.shard_nanoseconds();
    assert_eq!(before.len(), SHARDS, "its shards' threads are not found");
    for _ in 0..BURST {
        assert_eq!(client.ask(PING).status, 200);
    }
    let after = proxy.shard_nanoseconds();
    let spent: Vec<u64> = before.iter().zip(&after).map(|(before, after)| after - before).collect();
    (0..SHARDS).max_by_key(|&shard| spent[shard]).unwrap()
}

fn must_be_even(proxy: &Proxy, clients: &mut [Client]) {
    let mut counts = [0; SHARDS];
    for client in clients.iter_mut() {
        counts[shard_of(proxy, client)] += 1;
    }
    let most = clients.len() / SHARDS * 3 / 2;
    assert!(counts.iter().all(|&count| count <= most), "{counts:?}");
}

#[test]
fn connections_are_spread_evenly() {
    for tcp in [false, true] {
        let (_folder, engine) = engine();
        let setup = Setup::new(SHARDS, allow(&["GET /_ping"]));
        let proxy = if tcp { setup.tcp() } else { setup }.start(engine.socket());
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| proxy.connect()).collect();
        must_be_even(&proxy, &mut clients);
        // Whoever leaves makes room where he was: after that it is even again.
        let mut kept: Vec<_> = clients.into_iter().step_by(2).collect();
        let held = proxy.descriptors();
        assert!(eventually(|| proxy.descriptors() <= held));
        kept.extend((0..CONNECTIONS / 2).map(|_| proxy.connect()));
        must_be_even(&proxy, &mut kept);
    }
}

#[test]
fn two_thousand_at_once_are_all_accepted() {
    for tcp in [false, true] {
        let (_folder, engine) = engine();
        let setup = Setup::new(SHARDS, allow(&["GET /_ping"]));
        let proxy = if tcp { setup.tcp() } else { setup }.start(engine.socket());
        proxy.must_serve();
        let before = proxy.descriptors();
        let clients: Vec<Client> = (0..2000).map(|_| proxy.connect()).collect();
        assert!(eventually(|| proxy.descriptors() >= clients.len()), "{} of them", proxy.descriptors());
        drop(clients);
        assert!(eventually(|| proxy.descriptors() <= before), "{} left", proxy.descriptors());
        proxy.must_serve();
    }
}

#[test]
fn nobody_joins_an_address_that_is_served() {
    let (_folder, engine) = engine();
    let first = Setup::new(SHARDS, allow(&["GET /_ping"])).tcp().start(engine.socket());
    let second = Setup::new(SHARDS, allow(&["GET /_ping"])).at(first.address());
    let log = second.start_in(engine.socket(), tempfile::tempdir().unwrap()).map(|_| ()).expect_err("it joined");
    assert!(log.contains("listener: cannot bind"), "{log}");
    first.must_serve();
    // Free again when it ends, at once.
    let address = first.address();
    drop(first);
    Setup::new(SHARDS, allow(&["GET /_ping"])).at(address).start(engine.socket()).must_serve();
}

#[test]
fn a_live_unix_socket_is_not_stolen() {
    let (_folder, engine) = engine();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let outcome = Setup::new(1, allow(&["GET /_ping"])).start_in(engine.socket(), folder);
    let log = outcome.map(|_| ()).expect_err("it took the socket");
    assert!(log.contains("refusing to steal a live listener"), "{log}");
    drop(listener);
}

/// Field report 89: whatever a killed process leaves behind must not stop the next one.
#[test]
fn fifty_crashes_in_a_row_leave_nothing_behind() {
    let (_folder, engine) = engine();
    let mut folder = tempfile::tempdir().unwrap();
    for round in 0..50 {
        let started = Setup::new(1 + round % 2, allow(&["GET /_ping"])).start_in(engine.socket(), folder);
        let proxy = started.unwrap_or_else(|log| panic!("round {round}: {log}"));
        proxy.must_serve();
        folder = proxy.kill();
    }
    let last = Setup::new(2, allow(&["GET /_ping"])).start_in(engine.socket(), folder);
    last.unwrap_or_else(|log| panic!("{log}")).must_serve();
}
