//! The heads that go on: the request head to the Engine and the response head to the client.
//!
//! Both are written anew from parsed values, with one framing field at most; fields that belong to one connection stop
//! here (spec 60 §3.2, §3.4, §4.2, §4.3).

use smallvec::SmallVec;

use super::fields::{Field, FieldName, tokens};
use super::framing::Framing;
use super::head::{RequestHead, ResponseHead, Version};

/// The proxy's correlation fields, on every message that it forwards.
#[derive(Clone, Copy, Debug)]
pub struct Correlation<'a> {
    /// Value of `X-Request-Id`.
    pub request_id: &'a [u8],
    /// Value of `Traceparent`.
    pub traceparent: &'a [u8],
}

impl Correlation<'_> {
    fn append(&self, out: &mut Vec<u8>) {
        field(out, b"X-Request-Id", self.request_id);
        field(out, b"Traceparent", self.traceparent);
    }
}

/// What of a request head is not copied from the client's.
#[derive(Clone, Copy, Debug)]
pub struct RequestForm<'a> {
    /// The path, as the client sent it.
    pub path: &'a [u8],
    /// The query, without its question mark.
    pub query: Option<&'a [u8]>,
    /// Value of `Host`.
    pub host: &'a [u8],
    /// How the body goes out; [`Framing::Close`] cannot be said of a request and writes nothing.
    pub framing: Framing,
    /// Whether the client's `Expect` goes on.
    pub keep_expect: bool,
    /// Whether the client's `Tracestate` goes on.
    pub keep_tracestate: bool,
    /// Whether the answer must come without a content coding: it is going to be read.
    pub identity_coding: bool,
    /// The protocol to ask for.
    pub upgrade: Option<&'a [u8]>,
    /// The proxy's correlation fields.
    pub correlation: Correlation<'a>,
}

/// Appends the request head for the Engine.
pub fn append_request(out: &mut Vec<u8>, request: &RequestHead, head: &[u8], form: &RequestForm<'_>) {
    out.extend_from_slice(request.method.of_head(head));
    out.push(b' ');
    out.extend_from_slice(form.path);
    if let Some(query) = form.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    field(out, b"Host", form.host);
    let named = ConnectionNamed::of(request.fields(), head);
    for one in request.fields() {
        let goes_on = match one.known {
            FieldName::Host | FieldName::ContentLength | FieldName::XRequestId | FieldName::Traceparent => false,
            FieldName::AcceptEncoding => !form.identity_coding,
            FieldName::Expect => form.keep_expect,
            FieldName::Tracestate => form.keep_tracestate,
            known => !known.is_hop_by_hop() && !known.is_forwarding_claim(),
        };
        if goes_on && !named.has(one, head) {
            copy(out, one, head);
        }
    }
    if request.values(head, FieldName::Te).flat_map(tokens).any(is_trailers) {
        field(out, b"Te", b"trailers");
    }
    if form.identity_coding {
        field(out, b"Accept-Encoding", b"identity");
    }
    if let Some(token) = form.upgrade {
        field(out, b"Connection", b"Upgrade");
        field(out, b"Upgrade", token);
    }
    match form.framing {
        // Clients that say that there is no body are taken at their word, with the same words.
        Framing::None if request.first(head, FieldName::ContentLength).is_some() => length(out, 0),
        Framing::None | Framing::Close => {}
        Framing::Length(bytes) => length(out, bytes),
        Framing::Chunked => field(out, b"Transfer-Encoding", b"chunked"),
    }
    form.correlation.append(out);
    out.extend_from_slice(b"\r\n");
}

fn is_trailers(token: &[u8]) -> bool {
    let name = token.split(|&byte| byte == b';').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"trailers")
}

/// Whether the Engine's server takes this value as a `Host`: it refuses a slash, for one (field report 30).
pub fn is_host(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(byte))
}

/// Whether a token can be sent as `Upgrade`.
pub fn is_upgrade_token(token: &[u8]) -> bool {
    !token.is_empty() && token.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// How a response goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// As the Engine framed it, or without a body: its `Content-Length` goes on.
    AsFramed,
    /// Chunked anew.
    Chunked,
    /// Until the connection ends.
    Close,
    /// A body of the proxy's making, of this length.
    Replaced(u64),
}

/// What of a response head is not copied from the Engine's.
#[derive(Clone, Copy, Debug)]
pub struct ResponseForm<'a> {
    /// The client's protocol version.
    pub version: Version,
    /// How the body goes out.
    pub body: ResponseBody,
    /// Whether the client connection closes behind this answer.
    pub close: bool,
    /// The proxy's correlation fields; the Engine's own of these names are dropped.
    pub correlation: Correlation<'a>,
}

/// What else says something of the bytes that a replaced body is made of (field report 29).
const TELLS_OF_BYTES: [&[u8]; 7] =
    [b"accept-ranges", b"content-digest", b"content-md5", b"content-range", b"digest", b"etag", b"repr-digest"];

/// Appends a final response head for the client.
pub fn append_response(out: &mut Vec<u8>, response: &ResponseHead, head: &[u8], form: &ResponseForm<'_>) {
    status_line(out, form.version, response.status, response.reason.of_head(head));
    let named = ConnectionNamed::of(response.fields(), head);
    let is_replaced = matches!(form.body, ResponseBody::Replaced(_));
    for one in response.fields() {
        let goes_on = match one.known {
            FieldName::XRequestId | FieldName::Traceparent => false,
            // A 204 counts nothing: who believed the number would wait for the bytes (RFC 9110 §8.6).
            FieldName::ContentLength => form.body == ResponseBody::AsFramed && response.status != 204,
            FieldName::ContentEncoding => !is_replaced,
            FieldName::Other if is_replaced => {
                let name = one.name.of_head(head);
                !TELLS_OF_BYTES.iter().any(|tells| tells.eq_ignore_ascii_case(name))
            }
            FieldName::Trailer => form.body == ResponseBody::Chunked,
            known => !known.is_hop_by_hop(),
        };
        if goes_on && !named.has(one, head) {
            copy(out, one, head);
        }
    }
    match form.body {
        ResponseBody::AsFramed | ResponseBody::Close => {}
        ResponseBody::Chunked => field(out, b"Transfer-Encoding", b"chunked"),
        ResponseBody::Replaced(bytes) => length(out, bytes),
    }
    if form.close {
        field(out, b"Connection", b"close");
    }
    form.correlation.append(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends an interim response (1xx other than 101) as received, without what belongs to the Engine's connection.
pub fn append_interim(out: &mut Vec<u8>, response: &ResponseHead, head: &[u8]) {
    status_line(out, Version::Http11, response.status, response.reason.of_head(head));
    for one in response.fields().iter().filter(|one| !one.known.is_hop_by_hop() && !is_framing(one)) {
        copy(out, one, head);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the head that turns the client's connection into a tunnel: the Engine's, verbatim but for framing fields.
/// `correlation` replaces the Engine's own fields of these names; without it they go on as they are (spec 60 §4.3).
pub fn append_tunnel(out: &mut Vec<u8>, response: &ResponseHead, head: &[u8], correlation: Option<Correlation<'_>>) {
    status_line(out, Version::Http11, response.status, response.reason.of_head(head));
    let switched = response.status == 101;
    for one in response.fields() {
        let goes_on = match one.known {
            FieldName::XRequestId | FieldName::Traceparent => correlation.is_none(),
            FieldName::Connection | FieldName::Upgrade => switched,
            known => !known.is_hop_by_hop() && !is_framing(one),
        };
        if goes_on {
            copy(out, one, head);
        }
    }
    if !switched {
        field(out, b"Connection", b"close");
    }
    if let Some(correlation) = correlation {
        correlation.append(out);
    }
    out.extend_from_slice(b"\r\n");
}

fn is_framing(one: &Field) -> bool {
    matches!(one.known, FieldName::ContentLength | FieldName::TransferEncoding)
}

/// The names that a `Connection` field declares to belong to the connection.
struct ConnectionNamed<'h>(SmallVec<[&'h [u8]; 8]>);

impl<'h> ConnectionNamed<'h> {
    fn of(fields: &[Field], head: &'h [u8]) -> Self {
        let usual = |token: &[u8]| {
            [&b"close"[..], b"keep-alive", b"upgrade", b"te"].iter().any(|name| token.eq_ignore_ascii_case(name))
        };
        let named = fields
            .iter()
            .filter(|one| one.known == FieldName::Connection)
            .flat_map(|one| tokens(one.value.of_head(head)))
            .filter(|token| !usual(token))
            .collect();
        ConnectionNamed(named)
    }

    fn has(&self, one: &Field, head: &[u8]) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(one.name.of_head(head)))
    }
}

fn copy(out: &mut Vec<u8>, one: &Field, head: &[u8]) {
    field(out, one.name.of_head(head), one.value.of_head(head));
}

/// Appends one header line.
pub(super) fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `Content-Length`.
pub(super) fn length(out: &mut Vec<u8>, bytes: u64) {
    field(out, b"Content-Length", itoa::Buffer::new().format(bytes).as_bytes());
}

/// Appends a status line.
pub(super) fn status_line(out: &mut Vec<u8>, version: Version, status: u16, reason: &[u8]) {
    out.extend_from_slice(match version {
        Version::Http10 => b"HTTP/1.0 ",
        Version::Http11 => b"HTTP/1.1 ",
    });
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORRELATION: Correlation<'_> = Correlation { request_id: b"ID", traceparent: b"TP" };

    fn forwarded(text: &str, form: impl FnOnce(&mut RequestForm<'_>)) -> String {
        let mut head = RequestHead::default();
        head.parse(text.as_bytes()).unwrap();
        let mut request = RequestForm {
            path: b"/x",
            query: None,
            host: b"docker",
            framing: Framing::None,
            keep_expect: true,
            keep_tracestate: false,
            identity_coding: false,
            upgrade: None,
            correlation: CORRELATION,
        };
        form(&mut request);
        let mut out = Vec::new();
        append_request(&mut out, &head, text.as_bytes(), &request);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_what_belongs_to_the_engine_goes_on() {
        let text = "POST /ignored HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, X-Private, close\r\nX-Private: 1\r\n\
                    x-private: 2\r\nX-Public: 3\r\nKeep-Alive: 5\r\nTE: gzip, Trailers;q=0.5\r\nUpgrade: h2c\r\n\
                    X-Forwarded-For: 1.2.3.4\r\nForwarded: for=x\r\nX-Request-Id: mine\r\nTraceparent: t\r\n\
                    Tracestate: s\r\nVia: 1.1 v\r\nExpect: 100-continue\r\nContent-Length: 4\r\nTrailer: X\r\n\r\n";
        let got = forwarded(text, |form| {
            (form.path, form.query, form.framing) = (b"/v1.45/a%2Fb", Some(&b"q=1&q=2"[..]), Framing::Length(4));
        });
        assert_eq!(
            got,
            "POST /v1.45/a%2Fb?q=1&q=2 HTTP/1.1\r\nHost: docker\r\nX-Public: 3\r\nVia: 1.1 v\r\n\
             Expect: 100-continue\r\nTe: trailers\r\nContent-Length: 4\r\nX-Request-Id: ID\r\nTraceparent: TP\r\n\r\n"
        );
    }

    #[test]
    fn upgrades_and_framing_are_written_anew() {
        let text = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n";
        let got = forwarded(text, |form| (form.upgrade, form.framing) = (Some(&b"tcp"[..]), Framing::Chunked));
        assert_eq!(
            got,
            "POST /x HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nTransfer-Encoding: chunked\r\n\
             X-Request-Id: ID\r\nTraceparent: TP\r\n\r\n"
        );
        assert!(
            forwarded("POST / HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n", |_| ()).contains("Content-Length: 0")
        );
        assert!(!forwarded("GET / HTTP/1.1\r\nHost:\r\n\r\n", |_| ()).contains("Content-Length"));
    }

    fn answered(text: &str, form: impl FnOnce(&mut ResponseForm<'_>)) -> String {
        let mut head = ResponseHead::default();
        head.parse(text.as_bytes()).unwrap();
        let mut response = ResponseForm {
            version: Version::Http11,
            body: ResponseBody::AsFramed,
            close: false,
            correlation: CORRELATION,
        };
        form(&mut response);
        let mut out = Vec::new();
        append_response(&mut out, &head, text.as_bytes(), &response);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses() {
        let text = "HTTP/1.1 200 Fine\r\nConnection: X-Inner\r\nX-Inner: 1\r\nServer: Docker\r\nTransfer-Encoding: chunked\r\n\
                    Trailer: X-Sum\r\nContent-Length: 7\r\nX-Request-Id: daemon\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n";
        assert_eq!(
            answered(text, |form| form.body = ResponseBody::Chunked),
            "HTTP/1.1 200 Fine\r\nServer: Docker\r\nTrailer: X-Sum\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\
             Transfer-Encoding: chunked\r\nX-Request-Id: ID\r\nTraceparent: TP\r\n\r\n"
        );
        assert_eq!(
            answered(text, |form| (form.version, form.body, form.close) = (Version::Http10, ResponseBody::Close, true)),
            "HTTP/1.0 200 Fine\r\nServer: Docker\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nConnection: close\r\n\
             X-Request-Id: ID\r\nTraceparent: TP\r\n\r\n"
        );
        assert!(answered(text, |_| ()).contains("Content-Length: 7"));
        assert!(answered(text, |form| form.body = ResponseBody::Replaced(9)).contains("Content-Length: 9"));
    }

    #[test]
    fn what_was_said_of_a_body_goes_with_it() {
        let text = "HTTP/1.1 200 Fine\r\nETag: a\r\nContent-MD5: b\r\nContent-Encoding: identity\r\nLast-Modified: c\r\n\
                    Content-Length: 7\r\n\r\n";
        assert_eq!(
            answered(text, |form| form.body = ResponseBody::Replaced(9)),
            "HTTP/1.1 200 Fine\r\nLast-Modified: c\r\nContent-Length: 9\r\nX-Request-Id: ID\r\nTraceparent: TP\r\n\r\n"
        );
        let kept = answered(text, |_| ());
        assert!(["ETag: a", "Content-MD5: b", "Content-Encoding: identity"].iter().all(|field| kept.contains(field)));
        let nothing = answered("HTTP/1.1 204 X\r\nContent-Length: 7\r\nETag: a\r\n\r\n", |_| ());
        assert!(nothing.contains("ETag") && !nothing.contains("Content-Length"), "{nothing}");
        assert!(answered("HTTP/1.1 304 X\r\nContent-Length: 7\r\n\r\n", |_| ()).contains("Content-Length: 7"));
    }

    #[test]
    fn tunnel_heads_are_verbatim() {
        let text = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
        let mut head = ResponseHead::default();
        head.parse(text).unwrap();
        let mut out = Vec::new();
        append_tunnel(&mut out, &head, text, None);
        assert_eq!(out, text);
        out.clear();
        append_tunnel(&mut out, &head, text, Some(CORRELATION));
        assert!(out.ends_with(b"Upgrade: tcp\r\nX-Request-Id: ID\r\nTraceparent: TP\r\n\r\n"));
        let bare =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: keep-alive\r\n\r\n";
        head.parse(bare).unwrap();
        out.clear();
        append_tunnel(&mut out, &head, bare, None);
        assert_eq!(
            out,
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn hosts_that_the_engine_would_refuse() {
        assert!(is_host(b"docker") && is_host(b"[::1]:2375") && is_host(b"%2Fvar%2Frun"));
        assert!(!is_host(b"/var/run/docker.sock") && !is_host(b"") && !is_host(b"a b"));
    }
}
