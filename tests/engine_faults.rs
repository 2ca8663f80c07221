//! An Engine that breaks, against the running product: the client learns it in the right way, nothing of one answer
//! gets into the next, and the product serves on (spec 60 §3.4–§3.8; field reports 5, 26, 29, 77).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use sockguard::scripted::{Answer, Gate, ScriptedEngine};
use support::{BrokenEngine, PATIENCE, Proxy, Setup, Upstream, allow_everything, on_shards};

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
const POST: &str = "POST /containers/c/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 3\r\n\r\nabc";
const UNREACHABLE: &str = "{\"message\":\"upstream Docker socket unreachable\"}\n";
const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

/// An Engine that answers `/bad` with the bytes in the returned cell and then closes, and everything else well.
fn answering() -> (BrokenEngine, Arc<Mutex<Vec<u8>>>) {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&bytes);
    let engine = BrokenEngine::start(move |upstream, _| {
        while let Some(head) = upstream.request() {
            if head.contains(" /bad") {
                let bytes = told.lock().unwrap().clone();
                upstream.say(bytes);
                return;
            }
            upstream.say(GOOD);
        }
    });
    (engine, bytes)
}

fn bad(proxy: &Proxy) -> Option<support::Response> {
    let mut client = proxy.connect();
    client.send("GET /bad HTTP/1.1\r\nHost: docker\r\n\r\n");
    client.answer()
}

#[test]
fn heads_that_cannot_be_read_are_bad_gateways() {
    on_shards(|shards| {
        let (engine, bytes) = answering();
        let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
        let framed = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n5\r\nhello\r\n0\r\n\r\n");
        let table = [
            String::new(),
            "\r\n\r\n".to_owned(),
            "nonsense\r\n\r\n".to_owned(),
            "HTTP/2.0 200 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 099 OK\r\n\r\n".to_owned(),
            "HTTP/1.1 abc OK\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\nContent-Length: 0\n\n".to_owned(),
            "HTTP/1.1 200 OK\r\n folded\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nX Y: z\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nX : z\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n".to_owned(),
            "\0\u{1}\u{2}\u{3}\r\n\r\n".to_owned(),
            format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat((1 << 20) + 8192)),
            format!("HTTP/1.1 200 OK\r\n{}\r\n", "a:\r\n".repeat(40_000)),
            framed("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            framed("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
            framed("Content-Length: 5\r\nContent-Length: 15\r\n"),
            framed("Content-Length: 15\r\nContent-Length: 15\r\n"),
            framed("Content-Length: -5\r\n"),
            framed("Content-Length: 5, 5\r\n"),
            framed("Content-Length: 99999999999999999999\r\n"),
            framed("Transfer-Encoding: gzip\r\n"),
            framed("Transfer-Encoding: gzip, chunked\r\n"),
            framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            framed("Transfer-Encoding: chunked\r\n").replace("HTTP/1.1", "HTTP/1.0"),
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nraw".to_owned(),
            "HTTP/1.1 100 Continue\r\n\r\n".to_owned(),
        ];
        for answer in table {
            let shown: String = answer.chars().take(80).collect();
            *bytes.lock().unwrap() = answer.into_bytes();
            let got = bad(&proxy).unwrap_or_else(|| panic!("no answer for {shown:?}"));
            assert_eq!((got.status, got.text().as_str()), (502, UNREACHABLE), "{shown:?}");
            assert_eq!(got.header("content-type"), Some("application/json"));
            proxy.must_serve();
        }
    });
}

#[test]
fn an_answer_that_is_cut_anywhere_is_never_whole() {
    on_shards(|shards| {
        let (engine, bytes) = answering();
        let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
        let counted = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n";
        for whole in [counted, chunked] {
            let head = whole.find("\r\n\r\n").unwrap() + 4;
            for cut in 0..whole.len() {
                *bytes.lock().unwrap() = whole.as_bytes()[..cut].to_vec();
                let mut client = proxy.connect();
                client.send("GET /bad HTTP/1.1\r\nHost: docker\r\n\r\n");
                if cut < head {
                    assert_eq!(client.answer().unwrap().status, 502, "cut at {cut}");
                } else {
                    let said = String::from_utf8(client.rest()).unwrap();
                    assert!(said.starts_with("HTTP/1.1 200"), "cut at {cut}: {said}");
                    let ended =
                        said.ends_with("hello") || said.ends_with("0\r\nX: y\r\n\r\n") || said.contains("HTTP/1.1 502");
                    assert!(!ended, "cut at {cut}: {said}");
                }
            }
            *bytes.lock().unwrap() = whole.as_bytes().to_vec();
            let mut client = proxy.connect();
            client.send("GET /bad HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
            let said = String::from_utf8(client.rest()).unwrap();
            assert!(said.ends_with("hello") || said.ends_with("0\r\nX: y\r\n\r\n"), "{said}");
        }
        proxy.must_serve();
    });
}

#[test]
fn chunks_that_break_the_coding_are_cut_off() {
    let (engine, bytes) = answering();
    let proxy = Setup::new(1, allow_everything()).start(&engine.socket());
    let overlong = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(8192));
    let trailers = format!("5\r\nhello\r\n0\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    for body in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r\n0\nX\r\n\r\n",
        "5\r\nhello\r\nffffffffffffffff\r\n",
        &overlong,
        &trailers,
    ] {
        for old in [false, true] {
            *bytes.lock().unwrap() =
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes();
            let mut client = proxy.connect();
            client.send(if old { "GET /bad HTTP/1.0\r\n\r\n" } else { "GET /bad HTTP/1.1\r\nHost: d\r\n\r\n" });
            let said = String::from_utf8(client.rest()).unwrap();
            let shown: String = body.chars().take(40).collect();
            let (head, got) = said.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(" 200 OK") && !got.ends_with("0\r\n\r\n"), "{shown:?}: {said}");
            proxy.must_serve();
        }
    }
}

/// What an Engine says beyond an answer must not be taken for the next one, whenever it says it.
#[test]
fn bytes_behind_an_answer_are_never_the_next_answer() {
    on_shards(|shards| {
        let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL";
        // With the answer; behind a HEAD, a 204, a 304; and late, on the idle connection.
        for case in ["counted", "chunked", "head", "204", "304", "late"] {
            let (said, told) = mpsc::channel();
            let engine = BrokenEngine::start(move |upstream, _| {
                while let Some(head) = upstream.request() {
                    if !head.contains(" /bad") {
                        upstream.say(GOOD);
                        continue;
                    }
                    match case {
                        "counted" => upstream.say(format!("{GOOD}{evil}")),
                        "chunked" => upstream
                            .say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{evil}")),
                        "head" => upstream.say(format!("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{evil}")),
                        "204" => upstream.say(format!("HTTP/1.1 204 No Content\r\nContent-Length: 40\r\n\r\n{evil}")),
                        "304" => upstream.say(format!("HTTP/1.1 304 Not Modified\r\n\r\n{evil}")),
                        _ => {
                            upstream.say(GOOD);
                            std::thread::park_timeout(Duration::from_millis(50));
                            upstream.say(evil);
                        }
                    }
                    let _ = said.send(());
                }
            });
            let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
            let mut client = proxy.connect();
            let method = if case == "head" { "HEAD" } else { "GET" };
            client.send(format!("{method} /bad HTTP/1.1\r\nHost: d\r\n\r\n"));
            assert!(client.head().is_some());
            if matches!(case, "counted" | "late") {
                assert_eq!(client.exactly(2), b"OK");
            } else if case == "chunked" {
                assert_eq!(client.exactly(5), b"0\r\n\r\n");
            }
            told.recv_timeout(PATIENCE).unwrap();
            for _ in 0..8 {
                let answer = client.ask(PING);
                assert_eq!(answer.text(), "OK", "{case}");
                let answer = proxy.connect().ask(PING);
                assert_eq!(answer.text(), "OK", "{case}");
            }
        }
    });
}

#[test]
fn interim_answers_are_passed_on_however_many() {
    let flood = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\nConnection: close\r\nContent-Length: 3\r\n\r\n".repeat(100);
    let engine = BrokenEngine::start(move |upstream, _| {
        while let Some(head) = upstream.request() {
            if head.contains(" /bad") {
                upstream.say(format!("{flood}{GOOD}"));
            } else {
                upstream.say(GOOD);
            }
        }
    });
    let proxy = Setup::new(1, allow_everything()).start(&engine.socket());
    let mut client = proxy.connect();
    client.send("GET /bad HTTP/1.1\r\nHost: d\r\n\r\n");
    for _ in 0..100 {
        // Without what belongs to the Engine's connection or pretends to have a body.
        assert_eq!(client.head().unwrap(), "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
    }
    assert_eq!(client.answer().unwrap().text(), "OK");
    assert_eq!(client.ask(PING).text(), "OK");
    assert_eq!(proxy.connect().ask("GET /bad HTTP/1.0\r\n\r\n").head.lines().next(), Some("HTTP/1.0 200 OK"));
}

#[test]
fn an_upgrade_to_something_else_is_a_bad_gateway() {
    let engine_for = |answer: &'static str| {
        BrokenEngine::start(move |upstream, _| {
            while let Some(head) = upstream.request() {
                upstream.say(if head.contains("/attach/ws") { answer } else { GOOD });
                if head.contains("/attach/ws") {
                    return;
                }
            }
        })
    };
    for answer in [
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nraw",
        "HTTP/1.1 101 Switching Protocols\r\n\r\nraw",
        "HTTP/1.1 101 Switching Pro",
        "",
    ] {
        let engine = engine_for(answer);
        let proxy = Setup::new(1, allow_everything()).start(&engine.socket());
        let got = proxy.connect().ask(
            "GET /containers/c/attach/ws HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        assert_eq!((got.status, got.text().as_str()), (502, UNREACHABLE), "{answer:?}");
        proxy.must_serve();
    }
}

/// Once a tunnel is open its only error signal is its end (field report 5).
#[test]
fn nothing_is_written_into_a_broken_tunnel() {
    on_shards(|shards| {
        let engine = BrokenEngine::start(|upstream: &mut Upstream, _| {
            let Some(head) = upstream.request() else { return };
            if head.contains("/attach") {
                upstream.say("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\npart");
            } else {
                upstream.say(GOOD);
                upstream.serve_well();
            }
        });
        let proxy = Setup::new(shards, allow_everything()).tcp().start(&engine.socket());
        let mut client = proxy.connect();
        assert_eq!(client.ask("POST /containers/c/attach HTTP/1.1\r\nHost: d\r\n\r\n").status, 101);
        assert_eq!(client.rest(), b"part");
        proxy.must_serve();
    });
}

/// An idle connection that turns out dead costs a read one more try and a write nothing but the truth: what may have
/// reached the Engine is never sent twice (spec 60 §3.8, field report 26).
#[test]
fn requests_are_repeated_only_when_that_is_safe() {
    on_shards(|shards| {
        let posts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&posts);
        // Serves one request on each connection, and dies of the second.
        let engine = BrokenEngine::start(move |upstream, _| {
            if upstream.request().is_some_and(|head| head.starts_with("POST")) {
                counted.fetch_add(1, Ordering::SeqCst);
                upstream.body(3);
            }
            upstream.say(GOOD);
            if upstream.request().is_some_and(|head| head.starts_with("POST")) {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
        let mut client = proxy.connect();
        for _ in 0..5 {
            assert_eq!(client.ask(PING).text(), "OK");
        }
        assert_eq!(posts.load(Ordering::SeqCst), 0);
        // Brings the pool to one connection that has served once.
        let mut sent = 0;
        for _ in 0..4 {
            let answer = client.ask(POST);
            sent += 1;
            assert!(matches!(answer.status, 200 | 502), "{answer:?}");
            assert!(posts.load(Ordering::SeqCst) <= sent, "a POST was sent twice");
        }
        assert_eq!(posts.load(Ordering::SeqCst), sent);
    });
}

/// An Engine that closes idle connections between two requests is not noticed by any of them.
#[test]
fn connections_that_died_while_idle_are_not_used() {
    on_shards(|shards| {
        let folder = tempfile::tempdir().unwrap();
        let engine = ScriptedEngine::start(folder.path().join("engine.sock")).unwrap();
        let proxy = Setup::new(shards, allow_everything()).start(engine.socket());
        let mut client = proxy.connect();
        for _ in 0..20 {
            assert_eq!(client.ask(POST).status, 204);
            engine.disconnect_all();
            assert!(engine.wait_for_open_at_most(0, PATIENCE));
        }
        assert_eq!(engine.requests_total(), 20);
    });
}

#[test]
fn another_engine_at_the_same_path_takes_over() {
    on_shards(|shards| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("engine.sock");
        let first = ScriptedEngine::start(&path).unwrap();
        let proxy = Setup::new(shards, allow_everything()).start(&path);
        let mut client = proxy.connect();
        assert_eq!(client.ask(PING).status, 200);
        drop(first);
        let answer = client.ask(PING);
        assert_eq!((answer.status, answer.text().as_str()), (502, UNREACHABLE));
        let second = ScriptedEngine::start(&path).unwrap();
        assert_eq!(client.ask(PING).status, 200);
        assert_eq!(second.requests_total(), 1);
    });
}

/// Whatever the Engine is doing, or not doing, a client that leaves takes its Engine connection along (spec 60 §3.5).
#[test]
fn who_leaves_a_hung_engine_is_not_waited_for() {
    on_shards(|shards| {
        let long = format!("GET /_ping HTTP/1.1\r\nHost: d\r\nX: {}\r\n\r\n", "a".repeat(900_000));
        // Over TCP an end looks like a half-close, and who asks for a tunnel may half-close: that one over unix.
        let cases = [
            ("a quick read", PING.to_owned()),
            ("a slow one", "POST /containers/c/wait HTTP/1.1\r\nHost: d\r\n\r\n".to_owned()),
            ("a stream", "GET /events HTTP/1.1\r\nHost: d\r\n\r\n".to_owned()),
            ("a tunnel", "POST /containers/c/attach HTTP/1.1\r\nHost: d\r\n\r\n".to_owned()),
            ("an old client's tunnel", "POST /containers/c/attach HTTP/1.0\r\n\r\n".to_owned()),
            ("a head that the Engine does not read", long),
        ];
        for (what, request) in cases {
            let (gone, goes) = mpsc::channel();
            let leave = Gate::closed();
            let left = leave.clone();
            // Reads a little, then nothing until the client has left; then it looks.
            let engine = BrokenEngine::start(move |upstream, _| {
                left.pass().unwrap();
                upstream.until_closed();
                gone.send(()).unwrap();
            });
            let setup = Setup::new(shards, allow_everything());
            let proxy = if what.ends_with("tunnel") { setup } else { setup.tcp() }.start(&engine.socket());
            let before = proxy.descriptors();
            let mut client = proxy.connect();
            client.send_what_fits(request.as_bytes());
            assert!(support::eventually(|| engine.connections() == 1), "{what}");
            drop(client);
            assert!(support::eventually(|| proxy.descriptors() <= before), "{what}: still held");
            leave.open();
            goes.recv_timeout(PATIENCE).unwrap();
        }
    });
}

/// An Engine may answer while it still reads, as an image import does that reports its progress: upload and answer go
/// on side by side.
#[test]
fn an_early_answer_does_not_end_the_upload() {
    on_shards(|shards| {
        let folder = tempfile::tempdir().unwrap();
        let engine = ScriptedEngine::start(folder.path().join("engine.sock")).unwrap();
        engine.on(
            "POST",
            "/upload",
            Answer::handler(|exchange| {
                exchange.start_chunked(200, "application/json")?;
                exchange.chunk(b"{\"status\":\"Importing\"}")?;
                while exchange.read_some_body()? {}
                exchange.chunk(b"{\"status\":\"sha256:0\"}")?;
                exchange.finish()
            }),
        );
        let proxy = Setup::new(shards, allow_everything()).start(engine.socket());
        let length = 4 << 20;
        let mut client = proxy.connect();
        client.send(format!("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n"));
        assert!(client.head().unwrap().contains(" 200 "));
        let sent = client.try_send(vec![7; length]);
        assert!(sent.is_ok(), "{sent:?}");
        assert!(engine.wait_for(PATIENCE, |seen| seen.body_complete).is_some(), "cut short");
        let said = String::from_utf8(client.exactly(60)).unwrap();
        assert!(said.contains("sha256:0"), "{said}");
    });
}

/// An Engine that refuses an upload from its head alone is heard, though it reads no further.
#[test]
fn a_refusal_in_the_middle_of_an_upload_is_heard() {
    on_shards(|shards| {
        let engine = BrokenEngine::start(|upstream: &mut Upstream, _| {
            let Some(head) = upstream.request() else { return };
            if head.contains("/upload") {
                upstream.say("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
            } else {
                upstream.say(GOOD);
            }
        });
        let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
        let mut client = proxy.connect();
        client.send("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: 100000000\r\n\r\n");
        let _ = client.try_send(vec![7; 100_000]);
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.text().as_str(), answer.header("connection")), (413, "no", Some("close")));
        proxy.must_serve();
    });
}

/// A connection that was asked to switch protocols serves nobody again, whatever the Engine answered (spec 60 §4.2):
/// what it says late would be the next client's answer.
#[test]
fn a_connection_that_was_asked_to_switch_is_never_pooled() {
    on_shards(|shards| {
        let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
        let cases = [
            ("POST /containers/c/attach", "", 404, "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}"),
            ("POST /exec/e/start", "", 409, "HTTP/1.1 409 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
            ("POST /exec/e/start", "", 200, GOOD),
            ("POST /containers/c/attach", "", 204, "HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET /containers/c/attach/ws", websocket, 400, "HTTP/1.1 400 X\r\nContent-Length: 2\r\n\r\n{}"),
            ("POST /session", "Connection: Upgrade\r\nUpgrade: h2c\r\n", 200, GOOD),
        ];
        for (what, lines, status, answer) in cases {
            let (ended, ends) = mpsc::channel();
            // Of an exec that does not exist nothing can be judged.
            let unknown = "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}";
            let engine = BrokenEngine::start(move |upstream, _| {
                let mut switching = false;
                while let Some(head) = upstream.request() {
                    if switching {
                        let _ = ended.send(Some(head));
                        return;
                    }
                    switching = head.starts_with(what);
                    upstream.say(match () {
                        () if switching => answer,
                        () if head.contains("/exec/e/json") => unknown,
                        () => GOOD,
                    });
                }
                if switching {
                    let _ = ended.send(None);
                }
            });
            let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
            let mut client = proxy.connect();
            client.send(format!("{what} HTTP/1.1\r\nHost: d\r\n{lines}\r\n"));
            assert_eq!(client.answer().unwrap().status, status, "{what}");
            // The client's own connection is as good as before.
            assert_eq!(client.ask(PING).text(), "OK", "{what}");
            let next = ends.recv_timeout(PATIENCE).unwrap();
            assert_eq!(next, None, "{what}, answered {status}: the connection served again");
        }
        // The neighbour: an ordinary request to the same path leaves its connection to the next one.
        let engine = BrokenEngine::start(|upstream, _| upstream.serve_well());
        let proxy = Setup::new(1, allow_everything()).start(&engine.socket());
        let mut client = proxy.connect();
        for request in ["GET /containers/c/attach/ws HTTP/1.1\r\nHost: d\r\n\r\n", PING, PING] {
            assert_eq!(client.ask(request).text(), "OK");
        }
        assert_eq!(engine.connections(), 1);
    });
}

/// Interim answers to a hijack are skipped (spec 60 §4.3): clients take the first head for the switch. A client that
/// waits for a go-ahead gets the proxy's.
#[test]
fn a_hijack_has_one_go_ahead_and_no_interim_answers() {
    on_shards(|shards| {
        let engine = BrokenEngine::start(|upstream, _| {
            let Some(head) = upstream.request() else { return };
            if !head.contains("/attach") {
                upstream.say(GOOD);
                return upstream.serve_well();
            }
            assert!(!head.to_lowercase().contains("expect"), "{head}");
            upstream.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n");
            let tail = if upstream.body(3) { "hello" } else { "cut off" };
            upstream.say(format!("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{tail}"));
        });
        let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
        for waits in [true, false] {
            let mut client = proxy.connect();
            let lines = if waits { "Expect: 100-continue\r\n" } else { "" };
            client.send(format!("POST /containers/c/attach HTTP/1.1\r\nHost: d\r\n{lines}Content-Length: 3\r\n\r\n"));
            if waits {
                assert_eq!(client.head().unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
            }
            client.send("abc");
            assert!(client.head().unwrap().starts_with("HTTP/1.1 101 "), "waits: {waits}");
            assert_eq!(client.rest(), b"hello");
        }
        proxy.must_serve();
    });
}

/// The proxy's own question is answered by an answer only: what follows a switch of protocols is not HTTP.
#[test]
fn a_switch_of_protocols_answers_no_question() {
    let unknown = "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}";
    for (before, status) in [
        ("", 101),
        ("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", 101),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n", 403),
    ] {
        let engine = BrokenEngine::start(move |upstream, _| {
            while let Some(head) = upstream.request() {
                upstream.say(match () {
                    () if head.contains("/exec/e/json") => format!("{before}{unknown}"),
                    () if head.contains("/exec/e/start") => "HTTP/1.1 101 UPGRADED\r\n\r\n".to_owned(),
                    () => GOOD.to_owned(),
                });
            }
        });
        let proxy = Setup::new(1, allow_everything()).start(&engine.socket());
        assert_eq!(proxy.connect().ask("POST /exec/e/start HTTP/1.1\r\nHost: d\r\n\r\n").status, status, "{before:?}");
    }
}
