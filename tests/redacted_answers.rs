//! Answers that are redacted, from an Engine that puts its messages together in strange ways, against the running
//! product (spec 50 C, 60 §3.4).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::{Arc, Mutex};

use sockguard::scripted::Gate;
use support::{BrokenEngine, Client, Setup, allow_everything, eventually};

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

/// What is redacted comes out redacted or not at all, however its message is put together (field report 29).
#[test]
fn redacted_answers_in_strange_messages() {
    let whole = r#"{"Id":"c","Config":{"Env":["TOKEN=hunter2"]}}"#;
    let length = whole.len();
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{lines}\r\n");
    let counted = |lines: &str| head(&format!("Content-Length: {length}\r\n{lines}"));
    let chunks = format!("{length:x}\r\n{whole}\r\n0\r\n");
    let halves = format!("10\r\n{}\r\n{:x};x=y\r\n{}\r\n0\r\n", &whole[..16], length - 16, &whole[16..]);
    // What the Engine says, the status, and whether the client gets the edited body.
    let table = [
        (counted("") + whole, 200, true),
        (format!("HTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\n{}{whole}", counted("")), 200, true),
        (
            counted("Content-Encoding: identity\r\nETag: \"a\"\r\nDigest: sha-256=x\r\nContent-MD5: x\r\n") + whole,
            200,
            true,
        ),
        (head("Transfer-Encoding: chunked\r\n") + &chunks + "\r\n", 200, true),
        (head("Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n") + &halves + "X-Sum: 1\r\n\r\n", 200, true),
        (head("") + whole, 200, true),
        // Lying lengths: what is behind the answer is nobody's, what is missing makes it worthless.
        (counted("") + whole + GOOD, 200, true),
        (head("Content-Length: 20\r\n") + whole, 502, false),
        (head(&format!("Content-Length: {}\r\n", length + 1)) + whole, 502, false),
        (head("Content-Length: 0\r\n") + whole, 200, false),
        (head("Content-Length: 99999999999\r\n") + whole, 502, false),
        (head("Transfer-Encoding: chunked\r\n") + &chunks, 502, false),
        (head("Transfer-Encoding: chunked\r\n") + &chunks.replace("\r\n0", "x\r\n0") + "\r\n", 502, false),
        (counted("Transfer-Encoding: chunked\r\n") + whole, 502, false),
        (counted("Content-Encoding: gzip\r\n") + whole, 502, false),
        (counted("Content-Encoding: identity\r\nContent-Encoding: br\r\n") + whole, 502, false),
        (counted("") + &whole.replace('}', "]"), 502, false),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n".to_owned() + whole, 204, false),
        ("HTTP/1.1 304 Not Modified\r\n\r\n".to_owned() + whole, 304, false),
    ];
    for (shards, method) in [(1, "GET"), (2, "GET"), (1, "HEAD")] {
        let said = Arc::new(Mutex::new(String::new()));
        let told = Arc::clone(&said);
        let engine = BrokenEngine::start(move |upstream, _| {
            while let Some(head) = upstream.request() {
                if !head.contains("/containers/c/json") {
                    upstream.say(GOOD);
                    continue;
                }
                let said = told.lock().unwrap().clone();
                upstream.say(&said);
                // The end of the connection is a part of what is said.
                if said.ends_with(whole) || said.contains("chunked") {
                    return;
                }
            }
        });
        let proxy = Setup::new(shards, allow_everything()).redact().start(&engine.socket());
        for (answer, status, is_edited) in &table {
            said.lock().unwrap().clone_from(answer);
            let mut client = proxy.connect();
            client.send(format!("{method} /containers/c/json HTTP/1.1\r\nHost: d\r\n\r\n"));
            if method == "HEAD" {
                let head = client.head().unwrap();
                assert!(!head.contains("hunter2"), "{answer:?}: {head}");
                continue;
            }
            let got = client.answer().unwrap_or_else(|| panic!("no answer to {answer:?}"));
            assert_eq!(got.status, *status, "{answer:?}: {got:?}");
            assert!(!got.text().contains("hunter2"), "{answer:?}: {got:?}");
            assert_eq!(got.text().contains("\"Id\":\"c\""), *is_edited, "{answer:?}: {got:?}");
            if *is_edited {
                assert_eq!(got.header("content-length"), Some(got.body.len().to_string().as_str()));
                // What spoke of the Engine's bytes says nothing true of these.
                for stale in ["transfer-encoding", "trailer", "content-encoding", "etag", "digest", "content-md5"] {
                    assert_eq!(got.header(stale), None, "{answer:?}");
                }
            }
            if *status == 204 {
                assert_eq!(got.header("content-length"), None, "a 204 has no body to count");
            }
            // Nothing of it is left for the next.
            if !got.head.contains("Connection: close") {
                assert_eq!(client.ask(PING).text(), "OK", "{answer:?}");
            }
            assert_eq!(proxy.connect().ask(PING).text(), "OK", "{answer:?}");
        }
        proxy.must_serve();
    }
}

/// The Engine is asked for no coding where its answer has to be read, and for the client's anywhere else (spec 50 C5).
#[test]
fn no_coding_is_asked_for_where_answers_are_edited() {
    let seen = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&seen);
    let engine = BrokenEngine::start(move |upstream, _| {
        while let Some(head) = upstream.request() {
            *told.lock().unwrap() = head.to_ascii_lowercase();
            upstream.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        }
    });
    let redacting = Setup::new(1, allow_everything()).redact().start(&engine.socket());
    let plain = Setup::new(1, allow_everything()).start(&engine.socket());
    let theirs = "Accept-Encoding: gzip\r\naccept-encoding: br;q=1.0\r\n";
    for (proxy, path, asked, expected) in [
        (&redacting, "/v1.45/containers/c/json", theirs, vec!["identity"]),
        (&redacting, "/containers/%63/json", "", vec!["identity"]),
        (&redacting, "//containers/./c/json?x", "Accept-Encoding: *\r\n", vec!["identity"]),
        (&redacting, "/version", theirs, vec!["gzip", "br;q=1.0"]),
        (&redacting, "/version", "", vec![]),
        (&plain, "/containers/c/json", theirs, vec!["gzip", "br;q=1.0"]),
        (&plain, "/containers/c/json", "", vec![]),
    ] {
        let answer = proxy.connect().ask(format!("GET {path} HTTP/1.1\r\nHost: d\r\n{asked}\r\n"));
        assert_eq!(answer.status, 200, "{path}");
        let head = seen.lock().unwrap().clone();
        let found: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("accept-encoding: ")).collect();
        assert_eq!(found, expected, "{path} {asked}");
    }
}

/// Nothing of a rejected answer is in what is said or recorded of it, and the records say why there was none.
#[test]
fn a_rejected_answer_is_recorded() {
    let engine = BrokenEngine::start(move |upstream, _| {
        while let Some(head) = upstream.request() {
            let body = if head.contains("good") { "{\"Id\":\"planted\"}" } else { "{\"Config\":\"planted\"}" };
            let length = body.len();
            upstream.say(format!("HTTP/1.1 200 OK\r\nX-Planted: 1\r\nContent-Length: {length}\r\n\r\n{body}"));
        }
    });
    let proxy = Setup::new(1, allow_everything()).redact().start(&engine.socket());
    let good = proxy.connect().ask("GET /containers/good/json HTTP/1.1\r\nHost: d\r\n\r\n");
    assert_eq!((good.status, good.header("x-planted")), (200, Some("1")));
    let code = "\"reason_code\":\"upstream_response_rejected_by_policy\"";
    assert!(!proxy.log().contains(code));
    let bad = proxy.connect().ask("GET /containers/bad/json HTTP/1.1\r\nHost: d\r\n\r\n");
    assert_eq!((bad.status, bad.header("x-planted")), (502, None));
    assert_eq!(bad.text(), "{\"message\":\"upstream Docker response rejected by sockguard policy\"}\n");
    assert!(eventually(|| proxy.log().lines().any(|line| {
        line.contains(code)
            && line.contains("\"level\":\"ERROR\"")
            && line.contains("\"msg\":\"upstream request failed\"")
            && line.contains("\"decision\":\"allow\"")
            && line.contains("unexpected type")
    })));
    assert!(!proxy.log().contains("planted"), "{}", proxy.log());
}

/// The end of the stream ends an answer that nothing else does; its failure does not.
#[test]
fn an_answer_whose_connection_fails_is_not_whole() {
    const BODY_BYTES: usize = 300_000;
    for reads_all in [true, false] {
        let engine = BrokenEngine::start(move |upstream, _| {
            let Some(head) = upstream.request() else { return };
            if !head.contains("/containers/") {
                upstream.say(GOOD);
                return;
            }
            if reads_all {
                upstream.body(BODY_BYTES);
            }
            // What is closed with bytes that nobody has read fails at the other end.
            upstream.say("HTTP/1.1 200 OK\r\n\r\n{\"Id\":\"c\"}");
        });
        let proxy = Setup::new(1, allow_everything()).redact().start(&engine.socket());
        let mut client = proxy.connect();
        client.send(format!("POST /containers/c/json HTTP/1.1\r\nHost: d\r\nContent-Length: {BODY_BYTES}\r\n\r\n"));
        let _ = client.try_send(vec![b'x'; BODY_BYTES]);
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, if reads_all { 200 } else { 502 }, "{answer:?}");
        assert_eq!(answer.text().contains("\"Id\""), reads_all);
        assert_eq!(proxy.connect().ask(PING).text(), "OK");
    }
}

/// Long ranges that no rule touches go out from where they were received, shorter ones are copied, and the client sees no
/// difference; more of the long ones than one send takes included.
#[test]
fn long_answers_arrive_to_the_byte() {
    let field = |bytes: usize, number: usize| format!("{number:08}{}", "é\\n".repeat(bytes / 4));
    let element = |bytes: usize, number: usize, source: &str| {
        format!(r#"{{"Command" : "{}", "Mounts":[{{"Source":"{source}"}}]}}"#, field(bytes, number))
    };
    let list = |bytes: usize, count: usize, source: &str| {
        let elements: Vec<String> = (0..count).map(|number| element(bytes, number, source)).collect();
        format!("[{}]", elements.join(",\n"))
    };
    for (bytes, count) in [(100, 2000), (5000, 30), (5000, 1200), (1 << 20, 1), (200_000, 20)] {
        let (received, expected) = (list(bytes, count, "/planted/path"), list(bytes, count, "<redacted>"));
        let untouched = expected.replace("Source", "Target");
        let chunked = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{received}\r\n0\r\n\r\n",
            received.len()
        );
        let answers = [
            (format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{received}", received.len()), &expected),
            (chunked, &expected),
            (format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{untouched}", untouched.len()), &untouched),
        ];
        for (answer, expected) in answers {
            let engine = BrokenEngine::start(move |upstream, _| {
                while let Some(head) = upstream.request() {
                    upstream.say(if head.contains("/containers/json") { answer.as_str() } else { GOOD });
                }
            });
            for tcp in [false, true] {
                let setup = Setup::new(1, allow_everything()).redact();
                let proxy = if tcp { setup.tcp() } else { setup }.start(&engine.socket());
                let mut client = proxy.connect();
                for _ in 0..2 {
                    let got = client.ask("GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n");
                    assert_eq!(got.status, 200, "{bytes} {count}: {}", got.head);
                    assert!(got.body == expected.as_bytes(), "{bytes} {count}");
                    assert_eq!(client.ask(PING).text(), "OK");
                }
            }
        }
    }
}

/// One byte less, just as many, and one more than each bound on the way, in every framing; only what is longer than may be
/// edited is refused.
#[test]
fn answers_at_every_bound_arrive_or_are_refused() {
    use sockguard::limits::{FILTERED_RESPONSE_MAX_BYTES, SHORT_ANSWER_MAX_BYTES};
    let answer = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&answer);
    let engine = BrokenEngine::start(move |upstream, _| {
        while let Some(head) = upstream.request() {
            let said = if head.contains("/_ping") { GOOD.into() } else { told.lock().unwrap().clone() };
            upstream.say(&said);
            if said.starts_with(b"HTTP/1.1 200 OK\r\n\r\n") {
                return;
            }
        }
    });
    let proxy = Setup::new(1, allow_everything()).redact().start(&engine.socket());
    let document = |bytes: usize, source: &str| {
        let (before, behind) = (format!(r#"{{"Mounts":[{{"Source":"{source}"}}],"x":""#), r#""}"#);
        let grown = source.len() - "/planted".len();
        before.clone() + &"y".repeat(bytes + grown - before.len() - behind.len()) + behind
    };
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    for bound in
        [8 << 10, SHORT_ANSWER_MAX_BYTES, 64 << 10, SHORT_ANSWER_MAX_BYTES + (64 << 10), FILTERED_RESPONSE_MAX_BYTES]
    {
        for bytes in [bound - 1, bound, bound + 1] {
            let (received, expected) = (document(bytes, "/planted"), document(bytes, "<redacted>"));
            let received = received.as_bytes();
            assert_eq!(received.len(), bytes);
            let ok = "HTTP/1.1 200 OK\r\n";
            let chunked = |parts: &[&[u8]]| {
                let chunks: Vec<u8> = parts.iter().flat_map(|part| chunk(part)).collect();
                [format!("{ok}Transfer-Encoding: chunked\r\n\r\n").as_bytes(), &chunks, b"0\r\n\r\n"].concat()
            };
            for said in [
                [format!("{ok}Content-Length: {bytes}\r\n\r\n").as_bytes(), received].concat(),
                [format!("{ok}\r\n").as_bytes(), received].concat(),
                chunked(&[received]),
                chunked(&[&received[..bytes / 2], &received[bytes / 2..]]),
                chunked(&[&received[..bytes - 1], &received[bytes - 1..]]),
            ] {
                *answer.lock().unwrap() = said;
                let mut client = proxy.connect();
                let got = client.ask("GET /containers/c/json HTTP/1.1\r\nHost: d\r\n\r\n");
                assert!(!got.head.contains("planted") && memchr::memmem::find(&got.body, b"planted").is_none());
                if bytes > FILTERED_RESPONSE_MAX_BYTES {
                    assert_eq!(got.status, 502, "{bytes}");
                } else {
                    assert_eq!(got.status, 200, "{bytes}");
                    assert_eq!(got.header("content-length"), Some(expected.len().to_string().as_str()));
                    assert!(got.body == expected.as_bytes(), "{bytes}");
                }
                assert_eq!(proxy.connect().ask(PING).text(), "OK");
            }
        }
    }
}

/// Long answers are few at a time: who gives up waiting for a place is let go, and those who need none are served, short
/// answers that come slowly included.
#[test]
fn waiting_to_be_redacted_holds_nobody() {
    let at_once = sockguard::limits::LONG_ANSWERS_AT_ONCE;
    let long = format!("{{\"Id\":\"{}\"}}", "c".repeat(1 << 20));
    let answers = long.clone();
    let finish = Gate::closed();
    let finishes = finish.clone();
    let engine = BrokenEngine::start(move |upstream, _| {
        while let Some(head) = upstream.request() {
            let (_, path) = head.split_once("/containers/").unwrap_or_default();
            let body = if path.starts_with("long") { &answers } else { "{\"Id\":\"c\"}" };
            if path.is_empty() {
                upstream.say(GOOD);
                continue;
            }
            upstream.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{\"", body.len()));
            if !path.starts_with("prompt") {
                finishes.pass().unwrap();
            }
            upstream.say(&body[2..]);
        }
    });
    let proxy = Setup::new(1, allow_everything()).redact().start(&engine.socket());
    let idle = proxy.descriptors();
    let ask = |name: &str| {
        let mut client = proxy.connect();
        client.send(format!("GET /containers/{name}/json HTTP/1.1\r\nHost: d\r\n\r\n"));
        client
    };
    let mut reading: Vec<Client> = (0..at_once).map(|_| ask("long")).collect();
    assert!(eventually(|| engine.connections() == at_once));
    let waiting: Vec<Client> = (0..40).map(|number| ask(["long", "slow"][number % 2])).collect();
    assert!(eventually(|| engine.connections() == at_once + 40));
    // Their heads are there; a little later they all wait.
    proxy.must_serve();
    assert_eq!(ask("prompt").answer().unwrap().text(), "{\"Id\":\"c\"}");
    drop(waiting);
    let pooled = 1;
    assert!(eventually(|| proxy.descriptors() <= idle + 2 * at_once + pooled), "{} of {idle}", proxy.descriptors());
    // So is who gives up in the middle.
    drop(reading.pop());
    let left = idle + 2 * (at_once - 1) + pooled;
    assert!(eventually(|| proxy.descriptors() <= left), "{} of {idle}", proxy.descriptors());
    finish.open();
    for mut client in reading {
        assert_eq!(client.answer().unwrap().text(), long);
    }
}
