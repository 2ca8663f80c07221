//! Request and response heads, their framing, and the heads that go on (spec 20 §9, 60 §2, §3.2, §3.4).

use sockguard::http::forward::{
    Correlation, RequestForm, ResponseBody, ResponseForm, append_interim, append_request, append_response,
    append_tunnel,
};
use sockguard::http::framing::{of_request, of_response};
use sockguard::http::{Field, FieldName, Framing, HeadEnd, RequestHead, ResponseHead, Version};
use sockguard::limits::CONNECTION_OPTIONS_MAX;

use super::message::{Length, Message};

const CORRELATION: Correlation<'_> = Correlation { request_id: b"proxy-id", traceparent: b"proxy-parent" };
const HOP_BY_HOP: &[&str] =
    &["Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Trailer", "Transfer-Encoding"];

/// The input is what a peer sends: heads are found in it however it is cut, read as requests and as responses, and
/// what is written for the other side is one head with one reading.
pub fn head(data: &[u8]) {
    let whole = HeadEnd::default().find(data);
    assert_eq!(whole.ok(), end_of_head(data), "where the head ends: {}", data.escape_ascii());
    let mut growing = HeadEnd::default();
    let piecemeal = (0..=data.len()).map(|end| growing.find(&data[..end])).find(|found| !matches!(found, Ok(None)));
    assert_eq!(piecemeal.unwrap_or(Ok(None)), whole, "byte by byte: {}", data.escape_ascii());
    if let Ok(Some(end)) = whole {
        request(&data[..end]);
        response(&data[..end]);
    }
}

/// `None` for a head that no parser may be shown, `Some(None)` for one that is not complete.
fn end_of_head(bytes: &[u8]) -> Option<Option<usize>> {
    let mut end = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        end += line.len();
        match line {
            b"\r\n" if end == 2 => return None,
            b"\r\n" => return Some(Some(end)),
            _ if line.ends_with(b"\r\n") => {}
            _ => return None,
        }
    }
    Some(None)
}

fn same_fields(ours: &[Field], head: &[u8], message: &Message<'_>) {
    let ours: Vec<_> = ours.iter().map(|one| (one.name.of_head(head), one.value.of_head(head))).collect();
    assert_eq!(ours, message.fields, "{}", head.escape_ascii());
}

fn request(head: &[u8]) {
    let mut parsed = RequestHead::default();
    let outcome = parsed.parse(head);
    let Some(message) = Message::request(head) else {
        assert!(outcome.is_err(), "a request with two readings is accepted: {}", head.escape_ascii());
        return;
    };
    let is_http_1_0 = message.start[2] == b"HTTP/1.0";
    let host_is_good = match message.values("Host").as_slice() {
        [] => is_http_1_0,
        [host] => host.iter().all(u8::is_ascii_graphic),
        _ => false,
    };
    // The target is judged by its own parser, which is stricter: what is refused here must be refused there.
    let target_is_plain = message.start[1].iter().all(u8::is_ascii_graphic);
    let is_bounded = message.connection_options().len() <= CONNECTION_OPTIONS_MAX;
    if outcome.is_err() {
        assert!(!host_is_good || !target_is_plain || !is_bounded, "{outcome:?}: {}", head.escape_ascii());
        return;
    }
    assert!(is_bounded, "{}", head.escape_ascii());
    assert!(host_is_good, "{}", head.escape_ascii());
    assert_eq!([parsed.method.of_head(head), parsed.target.of_head(head)], message.start[..2]);
    assert_eq!(parsed.version == Version::Http10, is_http_1_0);
    same_fields(parsed.fields(), head, &message);

    let expects_more = message.values("Expect").iter().any(|value| !value.eq_ignore_ascii_case(b"100-continue"));
    let expected = message.length(is_http_1_0).filter(|_| !expects_more).map(|length| match length {
        Length::Unsaid | Length::Known(0) => Framing::None,
        Length::Known(bytes) => Framing::Length(bytes),
        Length::Chunked => Framing::Chunked,
    });
    let framing = of_request(&parsed, head);
    assert_eq!(framing.ok(), expected, "{}", head.escape_ascii());
    if let Ok(framing) = framing
        && target_is_plain
    {
        forwarded_request(&parsed, head, &message, framing);
    }
}

fn forwarded_request(parsed: &RequestHead, head: &[u8], message: &Message<'_>, framing: Framing) {
    let (path, query) = super::split_once(message.start[1], b'?');
    let form = RequestForm {
        path,
        query: message.start[1].contains(&b'?').then_some(query),
        host: b"docker",
        framing,
        keep_expect: true,
        keep_tracestate: true,
        identity_coding: true,
        upgrade: None,
        correlation: CORRELATION,
    };
    let mut out = Vec::new();
    append_request(&mut out, parsed, head, &form);
    assert_eq!(end_of_head(&out), Some(Some(out.len())), "more than one head: {}", out.escape_ascii());
    // A target that is nothing but a question mark is refused before anything is forwarded.
    if path.is_empty() {
        return;
    }
    let Some(sent) = Message::request(&out) else { panic!("the engine is sent {}", out.escape_ascii()) };
    assert_eq!(sent.start, [message.start[0], message.start[1], b"HTTP/1.1"]);
    let expected = match framing {
        Framing::None if message.values("Content-Length").is_empty() => Length::Unsaid,
        Framing::None => Length::Known(0),
        Framing::Length(bytes) => Length::Known(bytes),
        Framing::Chunked => Length::Chunked,
        Framing::Close => panic!("not the framing of a request"),
    };
    assert_eq!(sent.length(false), Some(expected), "{}", out.escape_ascii());
    assert_eq!(sent.values("Host"), [b"docker"]);
    assert_eq!(sent.values("Accept-Encoding"), [b"identity"]);
    assert_eq!(sent.values("X-Request-Id"), [b"proxy-id"]);
    assert_eq!(sent.values("Traceparent"), [b"proxy-parent"]);
    for name in ["Connection", "Upgrade", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"] {
        assert!(sent.values(name).is_empty(), "{name}: {}", out.escape_ascii());
    }
    no_hop_by_hop(&sent, message, &out);
    // What belongs to nobody's connection is there, in order.
    let kept = |fields: &[(&[u8], &[u8])]| -> Vec<(Vec<u8>, Vec<u8>)> {
        let named = message.connection_options();
        let others = fields
            .iter()
            .filter(|(name, _)| FieldName::of(name) == FieldName::Other && !named.contains(&name.to_ascii_lowercase()));
        others.map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    };
    assert_eq!(kept(&sent.fields), kept(&message.fields));
}

/// Nothing that belonged to the sender's connection, whoever declared it so. Framing is written anew.
fn no_hop_by_hop(sent: &Message<'_>, received: &Message<'_>, out: &[u8]) {
    for name in HOP_BY_HOP.iter().filter(|name| **name != "Transfer-Encoding" && **name != "Trailer") {
        assert!(sent.values(name).is_empty(), "{name}: {}", out.escape_ascii());
    }
    let rewritten: [&[u8]; 8] = [
        b"close",
        b"te",
        b"host",
        b"accept-encoding",
        b"x-request-id",
        b"traceparent",
        b"content-length",
        b"connection",
    ];
    for name in received.connection_options().iter().filter(|name| !rewritten.contains(&name.as_slice())) {
        let passed = sent.fields.iter().any(|(found, _)| found.to_ascii_lowercase() == *name);
        let is_framing = name.eq_ignore_ascii_case(b"transfer-encoding");
        assert!(!passed || is_framing, "{}: {}", name.escape_ascii(), out.escape_ascii());
    }
}

fn response(head: &[u8]) {
    let mut parsed = ResponseHead::default();
    let outcome = parsed.parse(head);
    let Some(message) = Message::response(head) else {
        assert!(outcome.is_err(), "a response with two readings is accepted: {}", head.escape_ascii());
        return;
    };
    let is_bounded = message.connection_options().len() <= CONNECTION_OPTIONS_MAX;
    assert_eq!(outcome.is_ok(), is_bounded, "{outcome:?}: {}", head.escape_ascii());
    if outcome.is_err() {
        return;
    }
    let is_http_1_0 = message.start[0] == b"HTTP/1.0";
    assert_eq!(parsed.status.to_string().as_bytes(), message.start[1]);
    assert_eq!(parsed.version == Version::Http10, is_http_1_0);
    same_fields(parsed.fields(), head, &message);

    for method in [&b"GET"[..], b"HEAD"] {
        let is_bodiless = method == b"HEAD" || parsed.status < 200 || [204, 304].contains(&parsed.status);
        let expected = match message.length(is_http_1_0) {
            _ if is_bodiless => Some(Framing::None),
            None => None,
            Some(Length::Unsaid) => Some(Framing::Close),
            Some(Length::Known(0)) => Some(Framing::None),
            Some(Length::Known(bytes)) => Some(Framing::Length(bytes)),
            Some(Length::Chunked) => Some(Framing::Chunked),
        };
        let framing = of_response(&parsed, head, method);
        assert_eq!(framing.ok(), expected, "{}", head.escape_ascii());
        if framing.is_ok() && !is_bodiless {
            forwarded_response(&parsed, head, &message);
        }
    }
    let mut out = Vec::new();
    append_interim(&mut out, &parsed, head);
    assert!(Message::response(&out).is_some_and(|sent| sent.length(false) == Some(Length::Unsaid)));
    for correlation in [None, Some(CORRELATION)] {
        out.clear();
        append_tunnel(&mut out, &parsed, head, correlation);
        let sent = Message::response(&out);
        assert!(sent.is_some_and(|sent| sent.length(false) == Some(Length::Unsaid)), "{}", out.escape_ascii());
    }
}

fn forwarded_response(parsed: &ResponseHead, head: &[u8], message: &Message<'_>) {
    for (body, expected) in [
        (ResponseBody::Chunked, Length::Chunked),
        (ResponseBody::Replaced(7), Length::Known(7)),
        (ResponseBody::Close, Length::Unsaid),
    ] {
        let form = ResponseForm { version: Version::Http11, body, close: true, correlation: CORRELATION };
        let mut out = Vec::new();
        append_response(&mut out, parsed, head, &form);
        assert_eq!(end_of_head(&out), Some(Some(out.len())), "more than one head: {}", out.escape_ascii());
        let Some(sent) = Message::response(&out) else { panic!("the client is sent {}", out.escape_ascii()) };
        assert_eq!(sent.length(false), Some(expected), "{}", out.escape_ascii());
        assert_eq!(sent.values("X-Request-Id"), [b"proxy-id"]);
        assert_eq!(sent.values("Traceparent"), [b"proxy-parent"]);
        assert_eq!(sent.values("Connection"), [b"close"]);
        no_hop_by_hop(&sent, message, &out);
    }
}
