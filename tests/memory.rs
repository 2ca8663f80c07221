//! Memory and descriptors stay within bounds, whatever clients do (spec 60 §3.8, §4.4; field reports 75, 82, 85, 86).
//!
//! The peak is the kernel's `VmHWM`, reset before each case.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::{Duration, Instant};

use sockguard::scripted::{Answer, ScriptedEngine};
use support::{Client, Proxy, Setup, allow, eventually, on_shards};
use tempfile::TempDir;

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
const TRANSFER_BYTES: usize = 64 << 20;
const MIB: u64 = 1 << 10;

fn engine() -> (TempDir, ScriptedEngine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start(folder.path().join("engine.sock")).unwrap();
    // Nothing that the proxy would look into.
    engine.on("POST", "/upload", Answer::json(200, "{}"));
    (folder, engine)
}

/// An answer without a stated length, in chunks of so many bytes.
fn chunked(body: &str, chunk_bytes: usize) -> Answer {
    let mut answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.as_bytes().chunks(chunk_bytes) {
        answer.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        answer.extend(chunk);
        answer.extend(b"\r\n");
    }
    answer.extend(b"0\r\n\r\n");
    Answer::raw(answer)
}

/// KiB by which the peak rises while `case` runs.
fn growth(proxy: &Proxy, case: impl FnOnce()) -> u64 {
    proxy.must_serve();
    proxy.reset_peak();
    let before = proxy.memory_kib("VmHWM");
    case();
    proxy.memory_kib("VmHWM") - before
}

#[test]
fn transfers_pass_through_without_staying() {
    on_shards(|shards| {
        for tcp in [false, true] {
            let (_folder, engine) = engine();
            engine.set_image_bytes(TRANSFER_BYTES as u64);
            let setup = Setup::new(shards, allow(&["GET /**", "POST /upload"]));
            let proxy = if tcp { setup.tcp() } else { setup }.start(engine.socket());
            let grown = growth(&proxy, || {
                let mut client = proxy.connect();
                client.send("GET /images/i/get HTTP/1.1\r\nHost: d\r\n\r\n");
                assert!(client.head().unwrap().contains(" 200 "));
                client.skip(TRANSFER_BYTES as u64);
            });
            assert!(grown < 16 * MIB, "download: {grown} KiB");
            let grown = growth(&proxy, || {
                let mut client = proxy.connect();
                client.send(format!("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: {TRANSFER_BYTES}\r\n\r\n"));
                let piece = vec![7; 1 << 20];
                (0..TRANSFER_BYTES / piece.len()).for_each(|_| client.send(&piece));
                assert_eq!(client.answer().unwrap().status, 200);
            });
            assert!(grown < 16 * MIB, "upload: {grown} KiB");
            let grown = growth(&proxy, || {
                let mut client = proxy.connect();
                client.send("POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n");
                let piece = [b"8000\r\n".to_vec(), vec![7; 0x8000], b"\r\n".to_vec()].concat();
                (0..TRANSFER_BYTES / 0x8000).for_each(|_| client.send(&piece));
                client.send("0\r\n\r\n");
                assert_eq!(client.answer().unwrap().status, 200);
            });
            assert!(grown < 16 * MIB, "chunked upload: {grown} KiB");
            let whole = engine.requests().into_iter().filter(|seen| seen.body_bytes == TRANSFER_BYTES as u64);
            assert_eq!(whole.count(), 2);
        }
    });
}

/// A hundred long lists at once: a few are read at a time, the other clients wait their turn (spec 50 C5).
#[test]
fn long_lists_wait_for_one_another() {
    const CLIENTS: usize = 100;
    let list = format!("[{}]", vec![r#"{"Id":"c","Mounts":[{"Source":"/planted"}]}"#; 24_000].join(","));
    assert!(list.len() > 1 << 20);
    let (_folder, engine) = engine();
    let proxy = Setup::new(1, allow(&["GET /**"])).redact().start(engine.socket());
    for answer in [chunked(&list, list.len()), chunked(&list, 2048), Answer::json(200, list)] {
        engine.on("GET", "/containers/json", answer);
        let grown = growth(&proxy, || {
            std::thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    scope.spawn(|| {
                        let mut client = proxy.connect();
                        client.send("GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n");
                        // The last one waits for all the others, on a machine that may be busy.
                        let answer = client.answer_within(Duration::from_secs(120)).unwrap();
                        assert_eq!(answer.status, 200);
                        assert!(!answer.text().contains("planted"));
                    });
                }
            });
        });
        assert!(grown < 48 * MIB, "{grown} KiB for {CLIENTS} lists");
    }
}

/// Long lists that nobody reads fill no memory either: those who ask later wait, and get theirs once the first have had
/// their time.
#[test]
fn long_lists_that_nobody_reads_make_room() {
    const CLIENTS: usize = 100;
    let patience = sockguard::limits::LONG_ANSWER_PATIENCE;
    let most = sockguard::limits::LONG_ANSWERS_MAX_BYTES as u64 >> 10;
    let list = format!("[{}]", vec![r#"{"Id":"c","Mounts":[{"Source":"/planted"}]}"#; 48_000].join(","));
    let (_folder, engine) = engine();
    engine.on("GET", "/containers/json", chunked(&list, list.len()));
    let proxy = Setup::new(1, allow(&["GET /**"])).redact().start(engine.socket());
    let grown = growth(&proxy, || {
        let ask = || {
            let mut client = proxy.connect();
            client.send("GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n");
            client
        };
        let before = proxy.memory_kib("VmRSS");
        let began = Instant::now();
        let mut first = ask();
        assert!(eventually(|| proxy.memory_kib("VmRSS") > before + MIB));
        let mut idle: Vec<Client> = (0..CLIENTS / 2).map(|_| ask()).collect();
        assert!(eventually(|| engine.requests().len() > CLIENTS / 2));
        let mut reading = ask();
        idle.extend((0..CLIENTS / 2).map(|_| ask()));
        // Who asks for no list does not wait.
        proxy.must_serve();
        let answer = reading.answer_within(20 * patience).unwrap();
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("planted"));
        assert!(began.elapsed() > patience / 2, "nobody had to wait: {:?}", began.elapsed());
        // Who made room sees the answer cut off.
        let cut_off = first.rest();
        assert!(!cut_off.is_empty() && cut_off.len() < 1 << 20, "{} bytes", cut_off.len());
        drop(idle);
    });
    assert!(grown < most + 16 * MIB, "{grown} KiB for {CLIENTS} lists");
}

#[test]
fn idle_tunnels_cost_little() {
    on_shards(|shards| {
        let (_folder, engine) = engine();
        let proxy = Setup::new(shards, allow(&["GET /_ping", "POST /containers/*/attach"])).start(engine.socket());
        let before = proxy.descriptors();
        let mut tunnels = Vec::new();
        let grown = growth(&proxy, || {
            for _ in 0..200 {
                let mut client = proxy.connect();
                let answer = client.ask(
                    "POST /containers/c/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
                );
                assert_eq!(answer.status, 101);
                tunnels.push(client);
            }
            for client in &mut tunnels {
                client.send("ping");
                assert_eq!(client.exactly(4), b"ping");
            }
        });
        assert!(grown < 16 * MIB, "{grown} KiB for 200 tunnels");
        proxy.must_serve();
        drop(tunnels);
        assert!(eventually(|| proxy.descriptors() <= before + engine.connections_open()));
    });
}

#[test]
fn half_heads_cost_little() {
    let (_folder, engine) = engine();
    let proxy = Setup::new(2, allow(&["GET /_ping"])).tcp().start(engine.socket());
    let mut clients = Vec::new();
    let grown = growth(&proxy, || {
        for _ in 0..500 {
            let mut client = proxy.connect();
            client.send(format!("GET /_ping HTTP/1.1\r\nHost: d\r\nX: {}", "a".repeat(2000)));
            clients.push(client);
        }
        proxy.must_serve();
    });
    assert!(grown < 16 * MIB, "{grown} KiB for 500 half heads");
    assert_eq!(engine.requests().iter().filter(|seen| seen.header("x").is_some()).count(), 0);
}

/// Clients who are answered and read nothing are read no further: their requests stay in the kernel.
#[test]
fn floods_wait_outside() {
    let (_folder, engine) = engine();
    let proxy = Setup::new(1, allow(&["GET /_ping"])).tcp().start(engine.socket());
    let mut clients: Vec<Client> = (0..50).map(|_| proxy.connect()).collect();
    let flood = "GET /secrets HTTP/1.1\r\nHost: d\r\n\r\n".repeat(100_000);
    let grown = growth(&proxy, || {
        for _ in 0..5 {
            for client in &mut clients {
                client.send_what_fits(flood.as_bytes());
            }
        }
        proxy.must_serve();
    });
    assert!(grown < 24 * MIB, "{grown} KiB for 50 floods");
}

/// What hostile heads made the buffers grow to is not kept: neither their bytes, nor their paths, nor their fields.
#[test]
fn large_heads_leave_nothing_behind() {
    let (_folder, engine) = engine();
    let proxy = Setup::new(1, allow(&["GET /_ping"])).start(engine.socket());
    proxy.must_serve();
    let path = format!("GET /%41{} HTTP/1.1\r\nHost: d\r\n", "/./a".repeat(100_000));
    let fields = format!("GET /a HTTP/1.1\r\nHost: d\r\n{}", "b:\r\n".repeat(32_000));
    for (what, head) in [("paths", path), ("fields", fields)] {
        let before = proxy.memory_kib("VmRSS");
        // Together, so that each of them has buffers of its own.
        let mut clients: Vec<Client> = (0..50).map(|_| proxy.connect()).collect();
        for client in &mut clients {
            client.send(&head);
        }
        for client in &mut clients {
            client.send("Connection: close\r\n\r\n");
            assert_eq!(client.answer().unwrap().status, 403);
        }
        drop(clients);
        let kept = || proxy.memory_kib("VmRSS").saturating_sub(before);
        assert!(eventually(|| kept() < 16 * MIB), "{what}: {} KiB are still there", kept());
    }
}

/// Field report 75: out of descriptors, the product neither spins nor dies, and it recovers.
#[test]
fn running_out_of_descriptors_is_survived() {
    on_shards(|shards| {
        let (_folder, engine) = engine();
        let proxy = Setup::new(shards, allow(&["GET /_ping"])).descriptors(256).tcp().start(engine.socket());
        proxy.must_serve();
        let before = proxy.descriptors();
        let clients: Vec<Client> = (0..400).map(|_| proxy.connect()).collect();
        assert!(eventually(|| proxy.descriptors() >= 250), "{}", proxy.descriptors());
        let spent = || proxy.shard_nanoseconds().iter().sum::<u64>();
        let (began, busy) = (Instant::now(), spent());
        std::thread::park_timeout(Duration::from_secs(1));
        let (took, busy) = (began.elapsed(), spent() - busy);
        assert!(u128::from(busy) < took.as_nanos() / 5, "{busy} ns busy while nothing can be done");
        drop(clients);
        assert!(eventually(|| proxy.descriptors() <= before + engine.connections_open()), "{}", proxy.descriptors());
        proxy.must_serve();
    });
}

/// Out of descriptors, idle kept connections make room for new ones.
#[test]
fn idle_connections_make_room() {
    let (_folder, engine) = engine();
    let proxy = Setup::new(1, allow(&["GET /_ping"])).descriptors(256).start(engine.socket());
    let mut idle: Vec<Client> = (0..150).map(|_| proxy.connect()).collect();
    for client in &mut idle {
        assert_eq!(client.ask(PING).status, 200);
    }
    let mut late: Vec<Client> = (0..150).map(|_| proxy.connect()).collect();
    for client in &mut late {
        client.send(PING);
    }
    assert_eq!(late.iter_mut().filter_map(Client::answer).count(), late.len());
}
