//! Request bodies whose Engine or client does not play along, against the running product: answers that come early,
//! bodies that are cut off, Engines that take nothing, archives that wait for their inspection (spec 60 §2, §3.3–§3.8).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use sockguard::scripted::{Answer, Gate, ScriptedEngine};
use support::{BrokenEngine, Client, PATIENCE, Setup, Upstream, allow, allow_everything, eventually, on_shards};
use tempfile::TempDir;

const PING: &str = "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n";
const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";
const UNREACHABLE: &str = "{\"message\":\"upstream Docker socket unreachable\"}\n";
/// Archives that one shard takes in at once; the product's own limit.
const SPOOLS_AT_ONCE: usize = sockguard::limits::SPOOLS_AT_ONCE;

fn engine() -> (TempDir, ScriptedEngine) {
    let folder = tempfile::tempdir().unwrap();
    let engine = ScriptedEngine::start(folder.path().join("engine.sock")).unwrap();
    // Nothing that the proxy would look into.
    engine.on("POST", "/upload", Answer::json(200, "{}"));
    (folder, engine)
}

/// A build context that passes its inspection, of at least this many bytes.
fn context(bytes: usize) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, content) in [("Dockerfile", b"FROM scratch\n".to_vec()), ("filling", vec![b'x'; bytes])] {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(&content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn build(length: usize) -> String {
    format!("POST /build HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: {length}\r\n\r\n")
}

/// Sends until the way to the other end stays full.
fn fill(client: &mut Client, bytes: &[u8]) {
    let (mut sent, mut idle) = (0, 0);
    while sent < bytes.len() && idle < 2 {
        let more = client.send_what_fits(&bytes[sent..]);
        sent += more;
        idle = if more == 0 { idle + 1 } else { 0 };
        // Nobody announces that nothing more fits.
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// An Engine that answers an upload before it has read it ends the connection with that answer: what the client still
/// sends of the body is neither a request nor the Engine's, and a second request behind it is never one either.
#[test]
fn the_rest_of_a_body_that_got_an_early_answer_is_never_a_request() {
    let no = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    let answers = [
        ("stops reading", no.to_owned(), false),
        // Cannot be read at all: the client is told so, and the connection ends all the same.
        ("contradicts itself", no.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n"), false),
        ("switches", no.replace("413 Too Large", "101 Switching Protocols"), false),
        ("says nonsense", "nonsense\r\n\r\n".to_owned(), false),
        ("closes", no.to_owned(), true),
        ("answers twice", format!("{no}{GOOD}"), false),
        ("after a go-ahead", format!("HTTP/1.1 100 Continue\r\n\r\n{no}"), false),
        ("after hints", format!("HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n{no}"), true),
        ("in chunks", "HTTP/1.1 413 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n".to_owned(), false),
        ("to the end", "HTTP/1.1 413 X\r\n\r\nno".to_owned(), true),
    ];
    let hidden = "POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}";
    for (what, answer, closes) in answers {
        for (framing, begins, goes_on) in [
            ("Content-Length: 100000", "begin", hidden.to_owned()),
            ("Transfer-Encoding: chunked", "5\r\nbegin\r\n", format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())),
        ] {
            let heads = Arc::new(Mutex::new(Vec::new()));
            let (kept, said) = (Arc::clone(&heads), answer.clone());
            let read_on = Gate::closed();
            let reads_on = read_on.clone();
            let engine = BrokenEngine::start(move |upstream: &mut Upstream, _| {
                let Some(head) = upstream.request() else { return };
                let early = head.contains("/upload");
                kept.lock().unwrap().push(head);
                if !early {
                    upstream.say(GOOD);
                    return upstream.serve_well();
                }
                upstream.say(&said);
                if !closes {
                    reads_on.pass().unwrap();
                }
            });
            let proxy = Setup::new(1, allow_everything()).start(&engine.socket());
            let mut client = proxy.connect();
            client.send(format!("POST /upload HTTP/1.1\r\nHost: d\r\n{framing}\r\n\r\n{begins}"));
            let answer = client.answer().unwrap_or_else(|| panic!("{what}, {framing}: no answer"));
            let unreadable = matches!(what, "contradicts itself" | "switches" | "says nonsense");
            let expected = if unreadable { (502, UNREACHABLE) } else { (413, "no") };
            assert_eq!((answer.status, answer.text().as_str()), expected, "{what}, {framing}");
            assert_eq!(answer.header("connection"), Some("close"), "{what}, {framing}");
            let _ = client.try_send(goes_on + PING);
            assert_eq!(client.rest(), b"", "{what}, {framing}");
            proxy.must_serve();
            read_on.open();
            let heads = heads.lock().unwrap();
            let strange = heads.iter().find(|head| !head.contains(" /upload ") && !head.contains(" /_ping "));
            assert_eq!(strange, None, "{what}, {framing}");
        }
    }
}

/// The neighbour: an Engine that has the whole body answers, and what follows is the next request.
#[test]
fn what_follows_a_whole_body_is_the_next_request() {
    on_shards(|shards| {
        let (_folder, engine) = engine();
        let proxy = Setup::new(shards, allow(&["POST /upload", "GET /_ping"])).start(engine.socket());
        let mut client = proxy.connect();
        let long = "x".repeat(200_000);
        for _ in 0..3 {
            client.send(format!("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: 200000\r\n\r\n{long}{PING}"));
            assert_eq!(client.answer().unwrap().status, 200);
            assert_eq!(client.answer().unwrap().status, 200);
            let chunked = format!("30d40\r\n{long}\r\n0\r\n\r\n");
            client
                .send(format!("POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}{PING}"));
            assert_eq!(client.answer().unwrap().status, 200);
            assert_eq!(client.answer().unwrap().status, 200);
        }
        assert_eq!(engine.requests_total(), 12);
        assert!(engine.requests().iter().all(|seen| seen.body_complete));
    });
}

/// An Engine that takes nothing does not hold those who leave, whatever of their request is stuck (spec 60 §3.5).
#[test]
fn who_leaves_a_stuck_upload_is_not_waited_for() {
    on_shards(|shards| {
        let long = "a".repeat(900_000);
        let body = "x".repeat(8 << 20);
        let context = context(8 << 20);
        let mut spooled = build(context.len()).into_bytes();
        spooled.extend_from_slice(&context);
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let length = body.len();
        let json = format!("{{\"Image\":\"x\"{}}}", " ".repeat(1_000_000));
        let in_memory =
            format!("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: {}\r\n\r\n{json}", json.len());
        let cases = [
            (
                "counted",
                format!("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes(),
            ),
            (
                "chunked",
                format!("POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}").into_bytes(),
            ),
            (
                "a head",
                format!("POST /upload HTTP/1.1\r\nHost: d\r\nX: {long}\r\nContent-Length: 9\r\n\r\n").into_bytes(),
            ),
            ("spooled", spooled),
            ("in memory", in_memory.into_bytes()),
            (
                "a tunnel's head",
                format!("POST /containers/c/attach HTTP/1.1\r\nHost: d\r\nX: {long}\r\n\r\n").into_bytes(),
            ),
            (
                "a tunnel's body",
                format!("POST /containers/c/attach HTTP/1.1\r\nHost: d\r\nContent-Length: {length}\r\n\r\n{body}")
                    .into_bytes(),
            ),
        ];
        for (what, request) in cases {
            let leave = Gate::closed();
            let left = leave.clone();
            let engine = BrokenEngine::start(move |upstream, _| {
                left.pass().unwrap();
                upstream.until_closed();
            });
            // Over TCP an end that is stuck behind bytes is seen by nobody, and who leaves before there is a tunnel does not
            // differ from who has said all.
            let setup = Setup::new(shards, allow_everything());
            let proxy =
                if matches!(what, "spooled" | "in memory") { setup.tcp() } else { setup }.start(&engine.socket());
            let before = proxy.descriptors();
            let mut client = proxy.connect();
            fill(&mut client, &request);
            assert!(eventually(|| engine.connections() == 1), "{what}");
            drop(client);
            let gone = eventually(|| proxy.descriptors() <= before);
            leave.open();
            assert!(gone, "{what}: {} descriptors, {before} before", proxy.descriptors());
        }
    });
}

/// The neighbour: an Engine that pauses for longer than anybody is watched for gets the whole upload all the same.
#[test]
fn an_engine_may_pause_in_an_upload() {
    let go_on = Gate::closed();
    let goes_on = go_on.clone();
    let (_folder, engine) = engine();
    engine.on(
        "POST",
        "/upload",
        Answer::handler(move |exchange| {
            goes_on.pass()?;
            while exchange.read_some_body()? {}
            exchange.respond(200, &[], b"whole")
        }),
    );
    let proxy = Setup::new(1, allow_everything()).start(engine.socket());
    let mut client = proxy.connect();
    let body = vec![7; 4 << 20];
    client.send(format!("POST /upload HTTP/1.1\r\nHost: d\r\nContent-Length: {}\r\n\r\n", body.len()));
    let stuck = client.send_what_fits(&body);
    // Long enough for the pause to be noticed.
    std::thread::park_timeout(sockguard::limits::STUCK_UPLOAD_TIMEOUT * 2);
    go_on.open();
    client.send(&body[stuck..]);
    assert_eq!(client.answer().unwrap().text(), "whole");
    assert_eq!(client.ask(PING).status, 200);
}

/// An archive that is not all there is not judged and goes nowhere; a whole one goes on byte for byte.
#[test]
fn archives_that_are_cut_off_never_reach_the_engine() {
    on_shards(|shards| {
        let (_folder, engine) = engine();
        engine.on("POST", "/build", Answer::json(200, "{}"));
        let proxy = Setup::new(shards, allow(&["GET /_ping", "POST /build"])).start(engine.socket());
        let before = proxy.descriptors();
        let archive = context(300_000);
        let chunked = [
            b"POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            format!("{:x}\r\n", archive.len()).into_bytes(),
            archive.clone(),
            b"\r\n0\r\n\r\n".to_vec(),
        ]
        .concat();
        let counted = [build(archive.len()).into_bytes(), archive.clone()].concat();
        for whole in [&counted, &chunked] {
            for cut in [100, 200, 70_000, 250_000, whole.len() - 1030, whole.len() - 6, whole.len() - 1] {
                let mut listener = proxy.connect();
                listener.send(&whole[..cut]);
                listener.half_close();
                let said = String::from_utf8_lossy(&listener.rest()).into_owned();
                assert!(!said.contains(" 200 "), "cut at {cut}: {said}");
                let mut leaver = proxy.connect();
                leaver.send(&whole[..cut]);
                leaver.reset();
            }
        }
        assert_eq!(engine.requests_total(), 0, "{:?}", engine.requests());
        assert!(eventually(|| proxy.descriptors() <= before), "{} of {before}", proxy.descriptors());
        let mut client = proxy.connect();
        for whole in [&counted, &chunked] {
            client.send(whole);
            client.send(PING);
            assert_eq!(client.answer().unwrap().status, 200);
            assert_eq!(client.answer().unwrap().status, 200);
        }
        for seen in engine.requests().iter().filter(|seen| seen.path() == "/build") {
            assert!(seen.body == archive && seen.body_complete, "{} bytes", seen.body_bytes);
            assert_eq!(seen.header("content-length"), Some(archive.len().to_string().as_str()));
            assert_eq!(seen.header("transfer-encoding"), None);
        }
    });
}

/// Whose archive is inspected gets the go-ahead from the proxy, once; the Engine is not asked for another.
#[test]
fn one_go_ahead_for_an_archive() {
    let (_folder, engine) = engine();
    engine.on("POST", "/build", Answer::json(200, "{}"));
    let proxy = Setup::new(1, allow(&["POST /build"])).start(engine.socket());
    let archive = context(100_000);
    let mut client = proxy.connect();
    let head = build(archive.len()).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    client.send(head);
    assert_eq!(client.head().unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(&archive);
    assert!(client.head().unwrap().starts_with("HTTP/1.1 200 "));
    let seen = engine.requests().remove(0);
    assert_eq!((seen.header("expect"), seen.header("content-type")), (None, Some("application/x-tar")));
    // One that is denied for its length alone is not asked for.
    let mut client = proxy.connect();
    let head = build(1 << 40).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    client.send(head);
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("Connection: close"), "{head}");
}

/// An Engine that refuses a body which was read before it went on is heard, though it reads no further.
#[test]
fn a_refusal_in_the_middle_of_an_inspected_body_is_heard() {
    let archive = context(4 << 20);
    let json = format!("{{\"Image\":\"x\"{}}}", " ".repeat(1_000_000));
    let create = format!("POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: {}\r\n\r\n", json.len());
    let requests = [[build(archive.len()).into_bytes(), archive].concat(), (create + &json).into_bytes()];
    on_shards(|shards| {
        for (request, closes) in requests.iter().flat_map(|request| [(request, true), (request, false)]) {
            let read_on = Gate::closed();
            let reads_on = read_on.clone();
            let engine = BrokenEngine::start(move |upstream: &mut Upstream, _| {
                let Some(head) = upstream.request() else { return };
                if head.contains(" /_ping ") {
                    upstream.say(GOOD);
                    return upstream.serve_well();
                }
                upstream.say("HTTP/1.1 507 Full\r\nContent-Length: 2\r\n\r\nno");
                if !closes {
                    reads_on.pass().unwrap();
                }
            });
            let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
            let before = proxy.descriptors();
            let mut client = proxy.connect();
            client.send(request);
            let answer = client.answer().unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (507, "no"));
            drop(client);
            assert!(eventually(|| proxy.descriptors() <= before), "{} of {before}", proxy.descriptors());
            read_on.open();
            proxy.must_serve();
        }
    });
}

/// The neighbour: a long body that is inspected in memory goes on byte for byte, and its connection serves again.
#[test]
fn a_long_inspected_body_goes_on_whole() {
    let (_folder, engine) = engine();
    let proxy = Setup::new(1, allow(&["GET /_ping", "POST /containers/create"])).start(engine.socket());
    let mut client = proxy.connect();
    for length in [60_000, 65_536, 65_537, 1_000_000] {
        let body = format!("{{\"Image\":\"x\"{}}}", " ".repeat(length - 13));
        for chunked in [false, true] {
            let (framing, wire) = if chunked {
                ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
            } else {
                (format!("Content-Length: {}", body.len()), body.clone())
            };
            client.send(format!("POST /containers/create HTTP/1.1\r\nHost: d\r\n{framing}\r\n\r\n{wire}{PING}"));
            assert_eq!((client.answer().unwrap().status, client.answer().unwrap().status), (201, 200), "{length}");
            let seen = engine.requests().into_iter().rev().find(|seen| seen.method == "POST").unwrap();
            assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
            assert!(seen.body_bytes == body.len() as u64 && seen.body_complete, "{length}");
            assert!(body.as_bytes().starts_with(&seen.body));
        }
    }
    assert_eq!(engine.connections_accepted(), 2, "one for the check at the start, one that served all");
}

/// The file that an archive waited in ends with its upload: a build that runs for hours holds no disk.
#[test]
fn an_archive_is_forgotten_once_the_engine_has_it() {
    let (_folder, engine) = engine();
    let finish = Gate::closed();
    let finishes = finish.clone();
    let (read, reads) = mpsc::channel();
    engine.on(
        "POST",
        "/build",
        Answer::handler(move |exchange| {
            while exchange.read_some_body()? {}
            let _ = read.send(());
            finishes.pass()?;
            exchange.respond(200, &[], b"built")
        }),
    );
    let proxy = Setup::new(1, allow(&["POST /build"])).start(engine.socket());
    let before = proxy.descriptors();
    let archive = context(1 << 20);
    let mut client = proxy.connect();
    client.send([build(archive.len()).into_bytes(), archive].concat());
    reads.recv_timeout(PATIENCE).unwrap();
    // The client's connection and the Engine's.
    assert!(eventually(|| proxy.descriptors() <= before + 2), "{} after {before}", proxy.descriptors());
    finish.open();
    assert_eq!(client.answer().unwrap().text(), "built");
}

/// Uploads that trickle take all places for archives; nobody else is kept waiting, and who gives up waiting is let go.
#[test]
fn waiting_for_a_place_holds_nobody() {
    let (_folder, engine) = engine();
    engine.on("POST", "/build", Answer::json(200, "{}"));
    let proxy = Setup::new(1, allow(&["GET /_ping", "POST /build"])).tcp().start(engine.socket());
    let archive = context(100_000);
    let whole = [build(archive.len()).into_bytes(), archive].concat();
    let idle = proxy.descriptors();
    let mut trickling: Vec<Client> = (0..SPOOLS_AT_ONCE).map(|_| proxy.connect()).collect();
    for client in &mut trickling {
        client.send(&whole[..1000]);
    }
    // A connection and a file for each.
    assert!(eventually(|| proxy.descriptors() == idle + 2 * SPOOLS_AT_ONCE), "{}", proxy.descriptors());
    let taken = proxy.descriptors();
    let mut leaving: Vec<Client> = (0..20).map(|_| proxy.connect()).collect();
    for client in &mut leaving {
        client.send(&whole[..1000]);
    }
    let mut staying = proxy.connect();
    staying.send(&whole);
    assert!(eventually(|| proxy.descriptors() == taken + 21), "{}", proxy.descriptors());
    proxy.must_serve();
    drop(leaving);
    let held = || proxy.descriptors() - engine.connections_open();
    assert!(eventually(|| held() <= taken + 1), "{} of {taken}", held());
    assert_eq!(engine.requests().iter().filter(|seen| seen.path() == "/build").count(), 0);
    drop(trickling.pop());
    assert_eq!(staying.answer().unwrap().status, 200);
    for client in &mut trickling {
        client.send(&whole[1000..]);
        assert_eq!(client.answer().unwrap().status, 200);
    }
}

/// A body that breaks off while its answer is on the way takes the answer along: the Engine waits for what never comes.
#[test]
fn an_upload_that_breaks_off_takes_its_early_answer_along() {
    on_shards(|shards| {
        let violation = |client: &mut Client| client.send("zz\r\nmore\r\n");
        let half_close = |client: &mut Client| client.half_close();
        for breaks_off in [violation as fn(&mut Client), half_close] {
            let (ended, ends) = mpsc::channel();
            let engine = BrokenEngine::start(move |upstream: &mut Upstream, _| {
                let Some(head) = upstream.request() else { return };
                if !head.contains("/upload") {
                    upstream.say(GOOD);
                    return upstream.serve_well();
                }
                upstream.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
                let _ = ended.send(upstream.until_closed());
            });
            let proxy = Setup::new(shards, allow_everything()).start(&engine.socket());
            let mut client = proxy.connect();
            client.send("POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            assert!(client.head().unwrap().contains(" 200 "));
            breaks_off(&mut client);
            assert_eq!(client.rest(), b"2\r\nhe\r\n");
            assert_eq!(ends.recv_timeout(PATIENCE).unwrap(), b"5\r\nhello\r\n");
            proxy.must_serve();
        }
    });
}

/// An Engine that accepts no connection does not hold those who leave either; once it accepts, the others are served.
#[test]
fn who_leaves_while_the_engine_accepts_nobody_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let address = socket2::SockAddr::unix(&path).unwrap();
    listener.bind(&address).unwrap();
    listener.listen(1).unwrap();
    let proxy = Setup::new(1, allow_everything()).start(&path);
    let before = proxy.descriptors();
    // The queue is full now, the check at the product's start included.
    let fill = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    fill.connect(&address).unwrap();
    let upload = "POST /upload HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let websocket =
        "GET /containers/c/attach/ws HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let ask = |request: &str| {
        let mut client = proxy.connect();
        client.send(request);
        client
    };
    let clients = [ask(upload), ask(websocket), ask("GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n")];
    assert!(eventually(|| proxy.descriptors() == before + 6), "{} after {before}", proxy.descriptors());
    drop(clients);
    assert!(eventually(|| proxy.descriptors() == before), "{} after {before}", proxy.descriptors());
    let mut patient = ask(upload);
    let accepting = std::thread::spawn(move || {
        // The check, the filling, those who left: all but the last have nothing to say.
        while let Ok((mut stream, _)) = listener.accept() {
            let mut piece = [0; 1024];
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            if std::io::Read::read(&mut stream, &mut piece).is_ok_and(|count| count > 0) {
                std::io::Write::write_all(&mut stream, GOOD.as_bytes()).unwrap();
                return;
            }
        }
    });
    drop(fill);
    assert_eq!(patient.answer().unwrap().text(), "OK");
    accepting.join().unwrap();
}
