//! The promise of the hot path: a warm shard allocates nothing for an ordinary request, metrics and access log included.
//!
//! A test binary of its own, because it counts the allocations of the whole process: client and Engine are loops over
//! fixed buffers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sockguard::config::{Candidate, Layers, Overrides, compile};
use sockguard::control::Server;
use sockguard::observe::{BuildInfo, LogStreams, Metrics, Observer, SinkTarget, Sinks};
use sockguard::record::{Format, Level, OwnershipContext};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK";
/// What an inspection of a container looks like, as far as there is something to take out of it.
const DETAILS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 121\r\n\r\n\
    {\"Id\":\"a\",\"Config\":{\"Env\":[\"TOKEN=planted\"],\"Labels\":{}},\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/srv/a\",\"Destination\":\"/a\"}]}";
/// The same as an Engine sends what is longer than a few lines.
const CHUNKED_DETAILS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n79\r\n\
    {\"Id\":\"a\",\"Config\":{\"Env\":[\"TOKEN=planted\"],\"Labels\":{}},\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"/srv/a\",\"Destination\":\"/a\"}]}\
    \r\n0\r\n\r\n";
const WARM_UP: usize = 2000;
const COUNTED: usize = 5000;

/// Answers every head that it reads.
fn engine(listener: UnixListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                let asked = |path: &str| buffer[..length].starts_with(path.as_bytes());
                if asked("GET /v1.45/containers/a/") {
                    stream.write_all(DETAILS).unwrap();
                } else if asked("GET /v1.45/containers/chunked/") {
                    let (first, second) = CHUNKED_DETAILS.split_at(120);
                    stream.write_all(first).unwrap();
                    stream.write_all(second).unwrap();
                } else {
                    stream.write_all(ANSWER).unwrap();
                }
            }
        });
    }
}

fn ask(client: &mut UnixStream, request: &[u8], status: &[u8]) {
    let mut buffer = [0; 8192];
    client.write_all(request).unwrap();
    let length = client.read(&mut buffer).unwrap();
    let answer = &buffer[..length];
    assert!(answer.starts_with(status), "{}", answer.escape_ascii());
    assert!(memchr::memmem::find(answer, b"planted").is_none(), "{}", answer.escape_ascii());
}

/// How many allocations happen in `COUNTED` requests of this kind.
fn allocations_of(client: &mut UnixStream, request: &[u8], status: &[u8]) -> u64 {
    (0..WARM_UP).for_each(|_| ask(client, request, status));
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    (0..COUNTED).for_each(|_| ask(client, request, status));
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// How many allocations happen in `COUNTED` requests that are allowed, denied, and answered with something to take out, in
/// one piece and in several, to a proxy of its own.
fn measure(has_records: bool) -> [u64; 4] {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let listener = UnixListener::bind(path("engine.sock")).unwrap();
    std::thread::spawn(move || engine(listener));
    let yaml = format!(
        "listen: {{socket: {}}}\nupstream: {{socket: {}}}\nmetrics: {{enabled: true}}\nrules:\n\
         - {{match: {{method: GET, path: /_ping}}, action: allow}}\n\
         - {{match: {{method: GET, path: /containers/*/json}}, action: allow}}\n\
         - {{match: {{method: '*', path: /**}}, action: deny, reason: closed}}\n",
        path("proxy.sock").display(),
        path("engine.sock").display(),
    );
    let candidate = Candidate::from_bytes(yaml.as_bytes(), Layers::Signed, &Overrides::default()).unwrap();
    let (mut settings, plan) = compile(&candidate).unwrap();
    settings.shards = Some(1);
    let log = Sinks::default().open(&SinkTarget::File(path("log"))).unwrap();
    let streams = LogStreams {
        operational: log.clone(),
        format: Format::Json,
        level: Level::Info,
        access: has_records,
        audit: has_records.then_some(log),
    };
    let build = BuildInfo { version: "test", commit: "test", date: "test", runtime: "test" };
    let observer = Observer { streams, metrics: Some(Metrics::new(build, std::time::SystemTime::now())) };
    let ownership = OwnershipContext { owner: String::new(), label_key: String::new() };
    let server = Server::bind(&settings, (*plan).clone(), ownership, Arc::new(observer)).unwrap();
    let (serving, served) = std::sync::mpsc::channel();
    std::thread::spawn(move || server.run(|_| serving.send(()).unwrap()).map(|_| ()));
    served.recv().unwrap();

    let mut client = UnixStream::connect(path("proxy.sock")).unwrap();
    let get = b"GET /v1.45/_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: test\r\nX-Request-Id: mine\r\n\r\n";
    let post = b"POST /containers/create HTTP/1.1\r\nHost: docker\r\nContent-Length: 2\r\n\r\n{}";
    let inspect = b"GET /v1.45/containers/a/json HTTP/1.1\r\nHost: docker\r\n\r\n";
    let chunked = b"GET /v1.45/containers/chunked/json HTTP/1.1\r\nHost: docker\r\n\r\n";
    let ok = &b"HTTP/1.1 200"[..];
    [(&get[..], ok), (post, b"HTTP/1.1 403"), (inspect, ok), (chunked, ok)]
        .map(|(request, status)| allocations_of(&mut client, request, status))
}

#[test]
fn a_warm_shard_allocates_nothing_for_an_ordinary_request() {
    // The executor re-arms a timer of its own ten times a second; that is not per request. With access and audit records, a
    // batch now and then grows its buffer.
    for (has_records, at_most) in [(false, COUNTED as u64 / 50), (true, COUNTED as u64 / 5)] {
        for (kind, count) in
            ["allowed", "denied", "redacted", "redacted and chunked"].into_iter().zip(measure(has_records))
        {
            assert!(count <= at_most, "{count} allocations in {COUNTED} {kind} requests, records: {has_records}");
        }
    }
}
