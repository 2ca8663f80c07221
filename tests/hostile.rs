//! Clients that break the rules, against the running product: nothing of it reaches the Engine, and the others are
//! served on (spec 20 §9, 60 §2–§4; field reports 26–28, 75, 86).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::{Duration, Instant};

use sockguard::scripted::{Answer, Gate, ScriptedEngine};
use support::{Client, PATIENCE, Proxy, Setup, allow, allow_everything, eventually, on_shards};
use tempfile::TempDir;

struct Engine {
    engine: ScriptedEngine,
    _folder: TempDir,
}

impl std::ops::Deref for Engine {
    type Target = ScriptedEngine;

    fn deref(&self) -> &ScriptedEngine {
        &self.engine
    }
}

fn engine() -> Engine {
    let folder = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start(folder.path().join("engine.sock")).unwrap();
    // Nothing that the proxy would look into.
    engine.on("POST", "/upload", Answer::json(200, "{}"));
    Engine { engine, _folder: folder }
}

/// The proxy holds no more descriptors than before, pooled Engine connections not counted.
fn must_settle(proxy: &Proxy, engine: &ScriptedEngine, before: usize) {
    let settled = eventually(|| proxy.descriptors() <= before + engine.connections_open());
    assert!(
        settled,
        "{} descriptors, {before} before, {} to the Engine",
        proxy.descriptors(),
        engine.connections_open()
    );
}

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n";
const MALFORMED: &str = "400 Bad Request";

/// Heads that no policy ever sees, with status and body of the refusal.
fn refused_heads() -> Vec<(String, u16, &'static str)> {
    let post = |lines: &str| format!("POST /containers/create HTTP/1.1\r\nHost: d\r\n{lines}\r\n");
    let line = |line: &str| format!("{line}\r\nHost: d\r\n\r\n");
    let smuggled = "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}";
    let mut table = vec![
        // framing
        (post("Content-Length: 4\r\nContent-Length: 5\r\n"), 400, MALFORMED),
        (post("Content-Length: 4\r\nContent-Length: 4\r\n"), 400, MALFORMED),
        (post("Content-Length: 4, 4\r\n"), 400, MALFORMED),
        (post("Content-Length: -1\r\n"), 400, MALFORMED),
        (post("Content-Length: +1\r\n"), 400, MALFORMED),
        (post("Content-Length: 0x1\r\n"), 400, MALFORMED),
        (post("Content-Length: 1 1\r\n"), 400, MALFORMED),
        (post("Content-Length: \r\n"), 400, MALFORMED),
        (post("Content-Length: 18446744073709551617\r\n"), 400, MALFORMED),
        (post("Content-Length: 9223372036854775808\r\n"), 400, MALFORMED),
        (post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + smuggled, 400, MALFORMED),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + "0\r\n\r\n" + smuggled, 400, MALFORMED),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, MALFORMED),
        (post("Transfer-Encoding: gzip, chunked\r\n"), 400, MALFORMED),
        (post("Transfer-Encoding: chunked, identity\r\n"), 400, MALFORMED),
        (post("Transfer-Encoding: xchunked\r\n"), 501, "Unsupported transfer encoding"),
        (post("Transfer-Encoding: identity\r\n"), 501, "Unsupported transfer encoding"),
        (post("Transfer-Encoding:\u{b}chunked\r\n"), 400, "400 Bad Request: invalid header value"),
        ("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(), 400, MALFORMED),
        (post("Expect: 200-maybe\r\n"), 417, ""),
        (post("Expect: 100-continue, x\r\n"), 417, ""),
        // lines
        ("GET /_ping HTTP/1.1\nHost: d\n\n".to_owned(), 400, MALFORMED),
        ("GET /_ping HTTP/1.1\r\nHost: d\n\r\n".to_owned(), 400, MALFORMED),
        ("\r\nGET /_ping HTTP/1.1\r\nHost: d\r\n\r\n".to_owned(), 400, MALFORMED),
        (post("X-A: a\r\n b\r\n"), 400, "400 Bad Request: invalid header name"),
        (post("X-A : a\r\n"), 400, "400 Bad Request: invalid header name"),
        (post("X A: a\r\n"), 400, "400 Bad Request: invalid header name"),
        (post(": a\r\n"), 400, "400 Bad Request: invalid header name"),
        (post("X-A\r\n"), 400, "400 Bad Request: invalid header name"),
        (post("X-\u{e9}: a\r\n"), 400, "400 Bad Request: invalid header name"),
        (post("X-A: a\rb\r\n"), 400, "400 Bad Request: invalid header value"),
        (post("X-A: a\0b\r\n"), 400, "400 Bad Request: invalid header value"),
        (post("X-A: a\u{7f}b\r\n"), 400, "400 Bad Request: invalid header value"),
        // host
        ("GET /_ping HTTP/1.1\r\n\r\n".to_owned(), 400, "400 Bad Request: missing required Host header"),
        (line("GET /_ping HTTP/1.1\r\nHost: e"), 400, "400 Bad Request: malformed Host header"),
        ("GET /_ping HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), 400, "400 Bad Request: malformed Host header"),
        // request line
        (line("GET /_ping"), 400, MALFORMED),
        (line("GET  /_ping HTTP/1.1"), 400, MALFORMED),
        (line("GET /_ping  HTTP/1.1"), 400, MALFORMED),
        (line("GET /_ping HTTP/1.1 "), 400, MALFORMED),
        (line("GET /_ping http/1.1"), 400, MALFORMED),
        (line("G(T /_ping HTTP/1.1"), 400, MALFORMED),
        (line(" GET /_ping HTTP/1.1"), 400, MALFORMED),
        (line("GET /_ping HTTP/0.9"), 505, "505 HTTP Version Not Supported"),
        (line("GET /_ping HTTP/1.2"), 505, "505 HTTP Version Not Supported"),
        (line("GET /_ping HTTP/2.0"), 505, "505 HTTP Version Not Supported"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0".to_owned(), 505, "505 HTTP Version Not Supported"),
        // target
        (line("GET /% HTTP/1.1"), 400, MALFORMED),
        (line("GET /%4 HTTP/1.1"), 400, MALFORMED),
        (line("GET /%g1 HTTP/1.1"), 400, MALFORMED),
        (line("GET /a\u{1}b HTTP/1.1"), 400, MALFORMED),
        (line("GET /a\u{7f}b HTTP/1.1"), 400, MALFORMED),
        (line("GET _ping HTTP/1.1"), 400, MALFORMED),
        // TLS hello, and plain noise
        ("\u{16}\u{3}\u{1}\0\u{5}\r\n\r\n".to_owned(), 400, MALFORMED),
        ("\0\0\0\0\r\n\r\n".to_owned(), 400, MALFORMED),
    ];
    let many = |count: usize| "a:\r\n".repeat(count);
    table.push((post(&many(40_000)), 431, "431 Request Header Fields Too Large"));
    table.push((post(&format!("X: {}\r\n", "a".repeat((1 << 20) + 8192))), 431, "431 Request Header Fields Too Large"));
    table.push((
        format!("GET /{} HTTP/1.1\r\nHost: d\r\n\r\n", "a".repeat((1 << 20) + 8192)),
        431,
        "431 Request Header Fields Too Large",
    ));
    table
}

#[test]
fn heads_that_can_be_read_in_two_ways_never_reach_the_engine() {
    on_shards(|shards| {
        let engine = engine();
        let proxy = Setup::new(shards, allow_everything()).start(engine.socket());
        let before = proxy.descriptors();
        for (request, status, body) in refused_heads() {
            let shown: String = request.chars().take(120).collect();
            let mut client = proxy.connect();
            // A head that is far too long is refused before all of it is read.
            let _ = client.try_send(&request);
            let answer = client.answer().unwrap_or_else(|| panic!("no answer to {shown:?}"));
            assert_eq!((answer.status, answer.text().as_str()), (status, body), "{shown:?}");
            assert_eq!(answer.header("connection"), Some("close"), "{shown:?}");
            assert_eq!(answer.header("x-request-id"), None, "{shown:?}");
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{shown:?}");
            assert_eq!(client.rest(), b"", "{shown:?} was answered twice");
        }
        assert_eq!(engine.requests_total(), 0, "{:?}", engine.requests());
        proxy.must_serve();
        must_settle(&proxy, &engine, before);
    });
}

#[test]
fn what_the_parsers_let_through_is_served() {
    let engine = engine();
    let proxy = Setup::new(1, allow_everything()).start(engine.socket());
    let table = [
        "GET /_ping HTTP/1.0\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nHost: /var/run/docker.sock\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nhOsT: %2Fvar%2Frun%2Fdocker.sock\r\n\r\n",
        "GET http://docker/_ping HTTP/1.1\r\nHost: d\r\n\r\n",
        "GET /_ping HTTP/1.1\r\nHost: d\r\nX:\r\nX: \t a\tb \r\n\r\n",
        "POST /containers/c/start HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n",
        "POST /containers/c/start HTTP/1.1\r\nHost: d\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n",
    ];
    for request in table {
        let answer = proxy.connect().ask(request);
        assert!(matches!(answer.status, 200 | 204), "{request:?}: {answer:?}");
    }
    for seen in engine.requests() {
        let hosts: Vec<_> = seen.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).collect();
        assert!(hosts.len() == 1 && !hosts[0].1.contains('/') && !hosts[0].1.is_empty(), "{hosts:?}");
    }
}

#[test]
fn a_request_may_come_one_byte_at_a_time() {
    on_shards(|shards| {
        let engine = engine();
        let proxy = Setup::new(shards, allow(&["GET /_ping", "POST /upload"])).tcp().start(engine.socket());
        let mut client = proxy.connect();
        for request in [
            PING,
            "POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nhello",
            "POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nhel\r\n02\r\nlo\r\n0\r\nX: y\r\n\r\n",
            PING,
        ] {
            for byte in request.as_bytes() {
                client.send([*byte]);
            }
            assert_eq!(client.answer().unwrap().status, 200);
        }
        let bodies: Vec<_> = engine.requests().into_iter().map(|seen| seen.body).collect();
        assert_eq!(bodies, [&b""[..], b"hello", b"hello", b""]);
    });
}

#[test]
fn a_request_that_is_cut_anywhere_never_counts_as_whole() {
    on_shards(|shards| {
        let engine = engine();
        let proxy = Setup::new(shards, allow(&["GET /_ping", "POST /upload"])).start(engine.socket());
        let before = proxy.descriptors();
        for request in [
            &b"POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nhello"[..],
            b"POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
        ] {
            for cut in 0..request.len() {
                // Leaves at once, ends its side and listens, or leaves after a moment of reading.
                let mut leaver = proxy.connect();
                leaver.send(&request[..cut]);
                drop(leaver);
                let mut listener = proxy.connect();
                listener.send(&request[..cut]);
                listener.half_close();
                let said = listener.rest();
                let said = String::from_utf8_lossy(&said);
                assert!(!said.contains(" 200 "), "cut at {cut}: {said}");
            }
        }
        must_settle(&proxy, &engine, before);
        proxy.must_serve();
        let whole = engine.requests().into_iter().find(|seen| seen.method == "POST" && seen.body_complete);
        assert_eq!(whole, None);
    });
}

#[test]
fn bytes_of_one_request_are_never_another() {
    let engine = engine();
    let proxy = Setup::new(2, allow(&["GET /_ping", "POST /upload"])).start(engine.socket());
    let hidden = "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}";
    let length = hidden.len();
    let mut client = proxy.connect();
    // In a body it is the body.
    let answer = client.ask(format!("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n{hidden}"));
    assert_eq!(answer.status, 200);
    // Behind a body it is a request of its own, and judged.
    client.send(format!(
        "POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n{hidden}"
    ));
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(client.answer().unwrap().status, 403);
    // Behind the last request of a connection it is nothing.
    let last = format!("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n{hidden}");
    assert_eq!(client.ask(last).status, 200);
    assert_eq!(client.rest(), b"");
    // A body that a denial left unread is not read as a request.
    for declared in [length, length + 300_000] {
        let mut client = proxy.connect();
        client.send(format!("POST /commit HTTP/1.1\r\nHost: d\r\nContent-Length: {declared}\r\n\r\n{hidden}"));
        assert_eq!(client.answer().unwrap().status, 403);
        client.half_close();
        assert_eq!(client.rest(), b"", "of {declared}");
    }
    let seen = engine.requests();
    assert!(seen.iter().all(|seen| seen.target == "/upload"), "{seen:?}");
    assert_eq!(
        seen.iter().map(|seen| seen.body.as_slice()).collect::<Vec<_>>(),
        [hidden.as_bytes(), hidden.as_bytes(), b""]
    );
}

#[test]
fn a_pipelined_flood_is_answered_in_order() {
    on_shards(|shards| {
        let engine = engine();
        let proxy = Setup::new(shards, allow(&["GET /_ping", "POST /upload"])).tcp().start(engine.socket());
        let rounds = 400;
        let round = format!(
            "{PING}GET /secrets HTTP/1.1\r\nHost: d\r\n\r\nPOST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nabc\
             POST /secrets/create HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\n\r\nGET"
        );
        let mut client = proxy.connect();
        client.send(round.repeat(rounds));
        for number in 0..rounds * 4 {
            let answer = client.answer().unwrap();
            assert_eq!(answer.status, if number % 2 == 0 { 200 } else { 403 }, "answer {number}");
        }
        assert_eq!(engine.requests_total(), 2 * rounds as u64);
    });
}

#[test]
fn chunks_that_break_the_coding_end_the_connection() {
    on_shards(|shards| {
        let engine = engine();
        let proxy = Setup::new(shards, allow(&["GET /_ping", "POST /upload"])).start(engine.socket());
        let overlong = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(8192));
        let trailers = format!("0\r\nX: {}\r\n\r\n", "x".repeat(100_000));
        let table = [
            "\r\nhello",
            "x\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "0x5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "5\r\nhello\r\r\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nX: y\n\r\n",
            "ffffffffffffffff\r\nhello",
            "8000000000000000\r\nhello",
            "10000000000000005\r\nhello\r\n0\r\n\r\n",
            // A decoder that met the violation and began again would take the second half for a chunk.
            "1\r\nA\r\n7;x\n\r\n0\r\n\r\n",
            &overlong,
            &trailers,
        ];
        for body in table {
            for cut in [0, body.len() / 2] {
                let shown: String = body.chars().take(60).collect();
                let mut client = proxy.connect();
                client.send(
                    "POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned() + &body[..cut],
                );
                let _ = client.try_send(&body[cut..]);
                let answer = client.answer().unwrap_or_else(|| panic!("no answer to {shown:?}"));
                assert_eq!(answer.status, 400, "{shown:?} cut at {cut}: {answer:?}");
                assert_eq!(client.rest(), b"", "{shown:?}");
            }
        }
        let whole = engine.requests().into_iter().find(|seen| seen.body_complete);
        assert_eq!(whole, None);
        proxy.must_serve();
    });
}

#[test]
fn a_go_ahead_is_given_once_and_only_to_those_who_may() {
    let engine = engine();
    let proxy =
        Setup::new(1, allow(&["POST /upload", "POST /containers/*/start", "GET /_ping"])).start(engine.socket());
    for path in ["/upload", "/containers/c/start"] {
        let mut client = proxy.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: d\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n"));
        assert_eq!(client.head().unwrap(), "HTTP/1.1 100 Continue\r\n\r\n", "{path}");
        client.send("abc");
        assert!(client.head().unwrap().contains(" 20"), "{path}");
    }
    // Who is denied is told so, and not asked for the body first.
    let mut client = proxy.connect();
    client.send("POST /commit HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 403") && head.contains("Connection: close"), "{head}");
    // The body that comes all the same is not a request.
    client.send(PING);
    assert!(!String::from_utf8_lossy(&client.rest()).contains("HTTP/1.1"));
    // Who waits for a go-ahead without having a body gets an answer.
    assert_eq!(proxy.connect().ask("GET /_ping HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\n\r\n").status, 200);
}

#[test]
fn an_old_client_gets_no_interim_answer() {
    let engine = engine();
    engine.on(
        "POST",
        "/containers/*/start",
        Answer::raw("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
    );
    let proxy = Setup::new(1, allow(&["POST /containers/*/start"])).start(engine.socket());
    let mut client = proxy.connect();
    client.send("POST /containers/c/start HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.0 204"), "{head}");
}

#[test]
fn a_tunnel_gets_what_is_behind_the_body_and_a_denial_nothing() {
    on_shards(|shards| {
        let engine = engine();
        let proxy = Setup::new(shards, allow(&["POST /exec/*/start", "POST /containers/*/attach"]))
            .tcp()
            .start(engine.socket());
        let before = proxy.descriptors();
        let upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
        // Early bytes, with a body, without one, and in chunks.
        for (lines, body) in [("Content-Length: 16\r\n", "{\"Detach\":false}"), ("Content-Length: 0\r\n", ""), ("", "")]
        {
            let mut client = proxy.connect();
            client.send(format!("POST /exec/e/start HTTP/1.1\r\nHost: d\r\n{upgrade}{lines}\r\n{body}early "));
            assert_eq!(client.answer().unwrap().status, 101, "{lines}");
            client.send("late");
            client.half_close();
            let said = client.rest();
            assert_eq!(String::from_utf8_lossy(&said), "early latedone\n", "{lines}");
        }
        // Denied: what was meant for the tunnel is judged as what it looks like.
        let mut client = proxy.connect();
        client.send(format!(
            "POST /commit HTTP/1.1\r\nHost: d\r\n{upgrade}\r\nPOST /containers/create HTTP/1.1\r\nHost: d\r\n\r\n"
        ));
        assert_eq!(client.answer().unwrap().status, 403);
        assert_eq!(client.answer().unwrap().status, 403);
        // Refused by the Engine: likewise.
        engine.on("POST", "/containers/none/attach", Answer::json(404, "{}"));
        client.send(format!(
            "POST /containers/none/attach HTTP/1.1\r\nHost: d\r\n{upgrade}\r\nPOST /commit HTTP/1.1\r\nHost: d\r\n\r\n"
        ));
        assert_eq!(client.answer().unwrap().status, 404);
        assert_eq!(client.answer().unwrap().status, 403);
        drop(client);
        // The proxy's own question about the exec aside, nothing but tunnels.
        let other = engine
            .requests()
            .into_iter()
            .find(|seen| seen.method != "GET" && !seen.path().ends_with("/start") && !seen.path().ends_with("/attach"));
        assert_eq!(other, None);
        must_settle(&proxy, &engine, before);
    });
}

/// An upgrade turns a connection into a tunnel that no rule sees into. Only the endpoints that are tunnels may: with
/// `h2c` any other one would carry whole requests past the policy.
#[test]
fn only_endpoints_that_are_tunnels_are_upgraded() {
    let engine = engine();
    let switch = |exchange: &mut sockguard::scripted::Exchange<'_>| {
        let Some(token) = exchange.request().header("upgrade").map(str::to_owned) else {
            return exchange.respond(200, &[], b"OK");
        };
        exchange.raw(
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {token}\r\n\r\n").as_bytes(),
        )?;
        let mut smuggled = [0; 4096];
        let count = exchange.read_raw(&mut smuggled)?;
        exchange.raw(&smuggled[..count])?;
        exchange.close_after();
        Ok(())
    };
    engine.on("*", "/_ping", Answer::handler(switch));
    engine.on("*", "/containers/*/attach/ws", Answer::handler(switch));
    let proxy = Setup::new(1, allow(&["GET /_ping", "GET /containers/*/attach/ws"])).start(engine.socket());
    let ask = |path: &str, token: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: {token}\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n\r\n"
        )
    };
    let allowed = proxy.connect().ask(ask("/containers/c/attach/ws", "websocket"));
    assert_eq!(allowed.status, 101);
    let smuggling = [("/_ping", "h2c"), ("/_ping", "websocket"), ("/_ping", "tcp"), ("/containers/c/attach/ws", "h2c")];
    for (path, token) in smuggling {
        let mut client = proxy.connect();
        client.send(ask(path, token) + "POST /containers/create HTTP/1.1\r\nHost: d\r\n\r\n");
        let answer = client.answer().unwrap();
        assert_ne!(answer.status, 101, "{path} and {token} opened a tunnel past the policy");
    }
}

/// Whoever is slow with a head is dropped without a word after 5 s (spec 60 §2), the others do not notice.
#[test]
fn slow_heads_are_dropped_in_silence() {
    let engine = engine();
    let proxy = Setup::new(2, allow(&["GET /_ping"])).tcp().start(engine.socket());
    let before = proxy.descriptors();
    let began = Instant::now();
    let mut slow: Vec<Client> = (0..20).map(|_| proxy.connect()).collect();
    for (number, client) in slow.iter_mut().enumerate() {
        match number % 3 {
            // Nothing at all; a part of the first head; a part of the second one.
            0 => {}
            1 => client.send("GET /_ping HT"),
            _ => {
                assert_eq!(client.ask(PING).status, 200);
                client.send("GET /_ping HT");
            }
        }
    }
    let dripping = std::thread::spawn(move || {
        for client in &mut slow {
            assert_eq!(client.rest(), b"", "a word was said");
        }
    });
    // One that keeps sending is no better.
    let mut drip = proxy.connect();
    while drip.try_send("x").is_ok() && began.elapsed() < PATIENCE {
        std::thread::park_timeout(Duration::from_millis(100));
        if began.elapsed() < Duration::from_secs(4) {
            proxy.must_serve();
        }
    }
    assert!(began.elapsed() >= Duration::from_millis(4900) && began.elapsed() < Duration::from_secs(7));
    dripping.join().unwrap();
    must_settle(&proxy, &engine, before);
}

#[test]
fn who_never_reads_keeps_nobody_waiting() {
    on_shards(|shards| {
        let engine = engine();
        engine.set_image_bytes(256 << 20);
        let proxy = Setup::new(shards, allow(&["GET /_ping", "GET /images/*/get"])).tcp().start(engine.socket());
        proxy.must_serve();
        let before = proxy.descriptors();
        proxy.reset_peak();
        let peak = proxy.memory_kib("VmHWM");
        let mut idlers: Vec<Client> = (0..40).map(|_| proxy.connect()).collect();
        for client in &mut idlers {
            client.send("GET /images/i/get HTTP/1.1\r\nHost: d\r\n\r\n");
            assert!(client.head().unwrap().contains(" 200 "));
        }
        // Floods that take no answer either.
        let mut floods: Vec<Client> = (0..10).map(|_| proxy.connect()).collect();
        for client in &mut floods {
            client.send_what_fits(PING.repeat(20_000).as_bytes());
        }
        let began = Instant::now();
        for _ in 0..50 {
            proxy.must_serve();
        }
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        let grown = proxy.memory_kib("VmHWM") - peak;
        assert!(grown < 24 << 10, "{grown} KiB for 50 clients");
        for client in idlers {
            client.reset();
        }
        drop(floods);
        must_settle(&proxy, &engine, before);
    });
}

#[test]
fn clients_leave_at_every_stage() {
    on_shards(|shards| {
        for tcp in [false, true] {
            let engine = engine();
            let held = Gate::closed();
            engine.on("GET", "/info", Answer::json(200, "{}").after(&held));
            let setup = Setup::new(shards, allow(&["GET /**", "POST /upload", "POST /containers/*/attach"]));
            let proxy = if tcp { setup.tcp() } else { setup }.start(engine.socket());
            proxy.must_serve();
            let before = proxy.descriptors();
            let requests = [
                ("", None),
                ("GET /_pi", None),
                ("GET /events HTTP/1.1\r\nHost: d\r\n\r\n", Some(" 200 ")),
                ("GET /images/i/get HTTP/1.1\r\nHost: d\r\n\r\n", Some(" 200 ")),
                ("GET /info HTTP/1.1\r\nHost: d\r\n\r\n", None),
                ("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: 1000000\r\n\r\nabc", None),
                ("POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", None),
                (
                    "POST /upload HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
                    Some(" 100 "),
                ),
                ("POST /containers/c/attach HTTP/1.1\r\nHost: d\r\n\r\n", Some(" 101 ")),
                ("POST /commit HTTP/1.1\r\nHost: d\r\nContent-Length: 1000\r\n\r\nabc", Some(" 403 ")),
            ];
            for (request, until) in requests {
                for how in 0..3 {
                    let mut client = proxy.connect();
                    client.send(request);
                    if let Some(status) = until {
                        assert!(client.head().unwrap().contains(status), "{request:?}");
                    }
                    match how {
                        0 => drop(client),
                        1 => client.reset(),
                        _ => {
                            client.half_close();
                            drop(client);
                        }
                    }
                }
            }
            must_settle(&proxy, &engine, before);
            // Nothing of it lives on at the Engine: only idle connections are open, those of the held answers go too.
            held.open();
            proxy.must_serve();
        }
    });
}

/// A client that has sent more than is read ahead, and then leaves, has left all the same (spec 60 §3.5).
#[test]
fn who_leaves_behind_a_flood_is_missed() {
    on_shards(|shards| {
        // Over TCP no more than fits: an end that is stuck behind bytes on the client's side is seen by nobody.
        for (tcp, flood) in [(false, 4 << 20), (true, 40 << 10), (true, 0)] {
            let engine = engine();
            engine.on(
                "GET",
                "/events",
                Answer::handler(|exchange| {
                    exchange.start_chunked(200, "application/json")?;
                    exchange.client_left_within(PATIENCE * 2)?;
                    Ok(())
                }),
            );
            let setup = Setup::new(shards, allow(&["GET /_ping", "GET /events"]));
            let proxy = if tcp { setup.tcp() } else { setup }.start(engine.socket());
            let mut client = proxy.connect();
            client.send("GET /events HTTP/1.1\r\nHost: d\r\n\r\n");
            assert!(client.head().unwrap().contains(" 200 "));
            client.send("GET /_ping HT");
            let mut sent = 0;
            while sent < flood {
                let more = client.send_what_fits(&vec![b'G'; flood - sent]);
                sent += more;
                if more == 0 {
                    break;
                }
                // It stays full when the proxy reads no further.
                std::thread::park_timeout(Duration::from_millis(100));
            }
            drop(client);
            assert!(engine.wait_for_open_at_most(0, PATIENCE), "still held open; tcp: {tcp}, flood: {flood}");
        }
    });
}

/// Work per head is bounded: a megabyte of it must not stop a shard.
#[test]
fn no_head_keeps_a_shard_busy() {
    let engine = engine();
    let proxy = Setup::new(1, allow(&["GET /_ping", "GET /a/**/b/**/c/**/d"])).start(engine.socket());
    let named = format!(
        "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: {}\r\n{}\r\n",
        "a,".repeat(200_000),
        "b:\r\n".repeat(30_000)
    );
    let many = format!("GET /_ping HTTP/1.1\r\nHost: d\r\n{}\r\n", "Connection: a\r\n".repeat(30_000));
    let deep = format!("GET /a{} HTTP/1.1\r\nHost: d\r\n\r\n", "/b/c".repeat(200_000));
    let dots = format!("GET /_ping{} HTTP/1.1\r\nHost: d\r\n\r\n", "/a/..".repeat(200_000));
    let query = format!("GET /_ping?{} HTTP/1.1\r\nHost: d\r\n\r\n", "a;b=%&".repeat(150_000));
    for (what, request) in [("deep", deep), ("dots", dots), ("query", query), ("many", many), ("named", named)] {
        let mut client = proxy.connect();
        client.send(request);
        // Generous for an unoptimised build; what is quadratic takes minutes.
        let answer = client.answer_within(Duration::from_secs(3));
        assert!(answer.is_some(), "{what}: no answer in time");
        proxy.must_serve();
    }
}
