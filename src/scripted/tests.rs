//! The test double itself: what it answers, what it records, and that it ends.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;

const WAIT: Duration = Duration::from_secs(10);

struct Client(UnixStream);

impl Client {
    fn connect(engine: &ScriptedEngine) -> Self {
        let stream = UnixStream::connect(engine.socket()).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.write_all(bytes).unwrap();
        self
    }

    fn get(&mut self, target: &str) -> &mut Self {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n").as_bytes())
    }

    /// Reads until what was read ends with `end`.
    fn until(&mut self, end: &str) -> String {
        let mut out = Vec::new();
        let mut byte = [0];
        while !out.ends_with(end.as_bytes()) {
            let read = self.0.read(&mut byte).unwrap();
            assert_eq!(read, 1, "ended after {:?}, wanted {end:?}", String::from_utf8_lossy(&out));
            out.push(byte[0]);
        }
        String::from_utf8(out).unwrap()
    }

    fn rest(&mut self) -> String {
        let mut out = Vec::new();
        self.0.read_to_end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }
}

fn engine() -> (ScriptedEngine, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (ScriptedEngine::start(folder.path().join("engine.sock")).unwrap(), folder)
}

#[test]
fn answers_in_the_engines_shape_and_keeps_the_connection() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    let head = client.get("/_ping").until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for line in [
        "Api-Version: 1.45",
        "Docker-Experimental: false",
        "Ostype: linux",
        "Server: Docker/",
        "Date: ",
        "Content-Length: 2",
    ] {
        assert!(head.contains(&format!("\r\n{line}")), "{line} is missing in {head}");
    }
    client.until("OK");
    client.get("/v1.45/version").until("\"ApiVersion\":\"1.45\"");
    client.until("}\n");
    client.get("/v1.45/volumes").until("HTTP/1.1 404 Not Found\r\n");
    client.until("{\"message\":\"page not found\"}\n");
    assert_eq!((engine.connections_accepted(), engine.requests_total()), (1, 3));
}

#[test]
fn head_answers_have_no_body() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    let head = client.send(b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n").until("\r\n\r\n");
    assert!(head.contains("Content-Length: 0\r\n"), "{head}");
    client.get("/_ping").until("HTTP/1.1 200 OK\r\n");
}

#[test]
fn canned_documents_are_json() {
    let (engine, _folder) = engine();
    for path in ["/version", "/info", "/containers/json", "/images/json", "/containers/c1/json"] {
        let mut client = Client::connect(&engine);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n").as_bytes());
        let answer = client.rest();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str::<serde_json::Value>(body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"));
    }
}

#[test]
fn records_head_body_and_framing() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    client.send(b"POST /v1.45/containers/create?name=a HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n");
    client.until("\"Warnings\":[]}\n");
    client.send(b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\nX-Test: Yes\r\n\r\nabc").until("}\r\n");
    let seen = engine.requests();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path(), seen[0].query("name")),
        ("POST", "/containers/create", Some("a"))
    );
    assert_eq!(
        (seen[0].body.as_slice(), seen[0].body_bytes, seen[0].body_complete),
        (b"{\"a\":1}".as_slice(), 7, true)
    );
    assert_eq!((seen[1].header("x-test"), seen[1].body.as_slice()), (Some("Yes"), b"abc".as_slice()));
}

#[test]
fn a_long_body_is_counted_whole_and_kept_up_to_the_bound() {
    let (engine, _folder) = engine();
    let body = vec![b'x'; RECORDED_BODY_MAX_BYTES + 12_345];
    let mut client = Client::connect(&engine);
    client.send(format!("POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
    client.send(&body).until("}\r\n");
    let seen = &engine.requests()[0];
    assert_eq!((seen.body.len(), seen.body_bytes), (RECORDED_BODY_MAX_BYTES, body.len() as u64));
}

#[test]
fn an_unfinished_body_is_on_record_as_such() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    client.send(b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 10\r\n\r\nabc");
    let seen = engine.wait_for(WAIT, |r| r.body_bytes == 3).unwrap();
    assert!(!seen.body_complete);
    drop(client);
    assert!(engine.wait_for_open_at_most(0, WAIT));
    assert!(!engine.requests()[0].body_complete);
}

#[test]
fn expect_continue_gets_one_interim_answer() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    client.send(b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"abc").until("HTTP/1.1 200 OK\r\n");
}

#[test]
fn attach_echoes_and_answers_after_the_half_close() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    // Input in the same segment as the request.
    client.send(
        b"POST /containers/c1/attach?stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly ",
    );
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 101 UPGRADED\r\n"));
    client.send(b"late");
    assert_eq!(client.until("late"), "early late");
    client.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.rest(), "done\n");
}

#[test]
fn exec_start_tunnels_unless_detached() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    client.send(b"POST /exec/e1/start HTTP/1.1\r\nHost: d\r\nContent-Length: 15\r\n\r\n{\"Detach\":true}");
    client.until("Content-Length: 0\r\n\r\n");
    client.send(b"POST /exec/e1/start HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: 16\r\n\r\n{\"Detach\":false}hi");
    client.until("\r\n\r\nhi");
}

#[test]
fn followed_streams_last_until_the_client_leaves() {
    let (engine, _folder) = engine();
    for target in ["/events", "/containers/c1/logs?stdout=1&follow=yes"] {
        let mut client = Client::connect(&engine);
        client.get(target).until("Transfer-Encoding: chunked\r\n\r\n");
        client.until("\n\r\n");
        client.until("\n\r\n");
        assert_eq!(engine.connections_open(), 1);
        drop(client);
        assert!(engine.wait_for_open_at_most(0, WAIT), "{target}");
    }
    Client::connect(&engine).get("/containers/c1/logs?stdout=1&follow=none").until("\r\n0\r\n\r\n");
}

#[test]
fn an_image_has_the_set_size() {
    let (engine, _folder) = engine();
    engine.set_image_bytes(100_000);
    let mut client = Client::connect(&engine);
    client.send(b"GET /images/a/b:1/get HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    client.0.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains("\r\n\r\n10000\r\n") && text.contains("\r\n86a0\r\n") && text.ends_with("\r\n0\r\n\r\n"));
    assert_eq!(0x10000 + 0x86a0, 100_000);
}

#[test]
fn scripts_win_over_canned_answers_and_later_ones_over_earlier() {
    let (engine, _folder) = engine();
    engine.on("GET", "/containers/*/json", Answer::json(500, "{}"));
    engine.on("*", "/containers/a/json", Answer::body(200, "text/plain", "mine").with_header("X-One", "1"));
    let mut client = Client::connect(&engine);
    let head = client.get("/v1.44/containers/a/json?size=1").until("mine");
    assert!(head.contains("X-One: 1\r\n"), "{head}");
    client.get("/containers/b/json").until("HTTP/1.1 500 Internal Server Error\r\n");
    client.until("{}");
    client.get("/containers/b/c/json").until("HTTP/1.1 404");
}

#[test]
fn a_gate_holds_an_answer_back() {
    let (engine, _folder) = engine();
    let gate = Gate::closed();
    engine.on("GET", "/slow", Answer::json(200, "{}").after(&gate));
    let mut client = Client::connect(&engine);
    client.get("/slow");
    assert!(engine.wait_for(WAIT, |r| r.path() == "/slow").is_some());
    client.0.set_nonblocking(true).unwrap();
    assert_eq!(client.0.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    client.0.set_nonblocking(false).unwrap();
    gate.open();
    client.until("{}");
}

#[test]
fn raw_answers_may_be_cut() {
    let (engine, _folder) = engine();
    engine.on("GET", "/cut", Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc").then_close());
    assert_eq!(Client::connect(&engine).get("/cut").rest(), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
}

#[test]
fn closures_answer_and_an_unfinished_answer_closes() {
    let (engine, _folder) = engine();
    engine.on(
        "GET",
        "/stream",
        Answer::handler(|exchange| {
            exchange.start_chunked(200, "text/plain")?;
            exchange.chunk(b"one")
        }),
    );
    assert!(Client::connect(&engine).get("/stream").rest().ends_with("\r\n\r\n3\r\none\r\n"));
    engine.on("GET", "/panic", Answer::handler(|_| panic!("a test's assertion")));
    assert_eq!(Client::connect(&engine).get("/panic").rest(), "");
    Client::connect(&engine).get("/_ping").until("\r\n\r\nOK");
}

#[test]
fn ambiguous_framing_is_never_answered() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    client.send(b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    let mut out = Vec::new();
    // The rest of the request was not read, so this end may be a reset.
    let _ = client.0.read_to_end(&mut out);
    assert!(out.is_empty());
}

#[test]
fn the_record_is_bounded() {
    let (engine, _folder) = engine();
    let mut client = Client::connect(&engine);
    for _ in 0..RECORDED_REQUESTS_MAX + 3 {
        client.get("/_ping").until("\r\n\r\nOK");
    }
    assert_eq!(engine.requests().len(), RECORDED_REQUESTS_MAX);
    assert_eq!(engine.requests_total(), RECORDED_REQUESTS_MAX as u64 + 3);
}

#[test]
fn dropping_it_ends_everything_and_frees_the_path() {
    let (engine, folder) = engine();
    let path = engine.socket().to_path_buf();
    let mut client = Client::connect(&engine);
    client.get("/_ping").until("\r\n\r\nOK");
    engine.disconnect_all();
    assert_eq!(client.rest(), "");
    let mut client = Client::connect(&engine);
    client.get("/_ping").until("\r\n\r\nOK");
    drop(engine);
    assert_eq!(client.rest(), "");
    assert!(!path.exists());
    let again = ScriptedEngine::start(&path).unwrap();
    Client::connect(&again).get("/_ping").until("\r\n\r\nOK");
    // One that took the path over keeps it.
    std::fs::rename(&path, folder.path().join("moved")).unwrap();
    let third = ScriptedEngine::start(&path).unwrap();
    drop(again);
    Client::connect(&third).get("/_ping").until("\r\n\r\nOK");
}
