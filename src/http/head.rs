//! Request and response heads, parsed in place.
//!
//! [`HeadEnd`] finds where a head ends while it arrives; [`RequestHead`] and [`ResponseHead`] describe a complete one.
//! `httparse` reads the syntax; what it lets through and spec 20 §9 and 60 §2 refuse is refused here.

use std::mem::MaybeUninit;

use super::fields::{Field, FieldName, Span};
use crate::limits;

/// Header lines that are parsed without touching the heap.
const FIELDS_ON_STACK: usize = 96;

/// Why a request head is refused. Such a request never reaches policy (spec 60 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The request line, a header line or the framing cannot be read in exactly one way.
    #[error("malformed request")]
    Malformed,
    /// An HTTP/1.1 request without `Host`.
    #[error("missing required Host header")]
    MissingHost,
    /// Two `Host` fields, or a value with bytes that no host can have.
    #[error("malformed Host header")]
    MalformedHost,
    /// A header name with a byte that names cannot have; white space before the colon is one.
    #[error("invalid header name")]
    InvalidFieldName,
    /// A header value with a control byte.
    #[error("invalid header value")]
    InvalidFieldValue,
    /// More than [`limits::HEAD_MAX_BYTES`] or [`limits::HEAD_MAX_FIELDS`].
    #[error("request header fields too large")]
    TooLarge,
    /// A transfer coding other than `chunked`.
    #[error("unsupported transfer encoding")]
    UnsupportedCoding,
    /// An HTTP version other than 1.0 and 1.1.
    #[error("unsupported HTTP version")]
    UnsupportedVersion,
    /// An expectation other than `100-continue`.
    #[error("unknown expectation")]
    UnknownExpectation,
}

/// The protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// Finds the end of a head while its bytes arrive; remembers where it stopped, so no byte is looked at twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadEnd {
    scanned: usize,
    line_start: usize,
}

impl HeadEnd {
    /// The length of the head that `bytes` starts with, once its empty line is there.
    ///
    /// # Errors
    /// [`HeadError::Malformed`] for a line that ends in a bare line feed or an empty first line: other parsers read
    /// either as something else. [`HeadError::TooLarge`] beyond the limit.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        for at in memchr::memchr_iter(b'\n', bytes.get(self.scanned..).unwrap_or_default()) {
            let line_feed = self.scanned + at;
            if line_feed == 0 || bytes.get(line_feed - 1) != Some(&b'\r') {
                return Err(HeadError::Malformed);
            }
            if line_feed - 1 == self.line_start {
                let (empty_at, end) = (self.line_start, line_feed + 1);
                *self = HeadEnd::default();
                return match (empty_at, end) {
                    (0, _) => Err(HeadError::Malformed),
                    (_, end) if end > limits::HEAD_MAX_BYTES => Err(HeadError::TooLarge),
                    (_, end) => Ok(Some(end)),
                };
            }
            self.line_start = line_feed + 1;
        }
        self.scanned = bytes.len();
        if bytes.len() > limits::HEAD_MAX_BYTES { Err(HeadError::TooLarge) } else { Ok(None) }
    }
}

/// A parsed request head: ranges into the bytes that it was parsed from. Reusable.
#[derive(Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Span,
    /// The request-target, as received.
    pub target: Span,
    /// The protocol version.
    pub version: Version,
    fields: Vec<Field>,
}

impl Default for RequestHead {
    fn default() -> Self {
        RequestHead { method: Span::default(), target: Span::default(), version: Version::Http11, fields: Vec::new() }
    }
}

impl RequestHead {
    /// Parses a complete head, as [`HeadEnd::find`] delimits it, and checks its `Host`.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn parse(&mut self, head: &[u8]) -> Result<(), HeadError> {
        let fields = &mut self.fields;
        let (method, target, minor) = with_fields(
            |storage| {
                let mut request = httparse::Request::new(&mut []);
                match request.parse_with_uninit_headers(head, storage)? {
                    httparse::Status::Complete(end) if end == head.len() => {}
                    httparse::Status::Complete(_) | httparse::Status::Partial => return Err(httparse::Error::Token),
                }
                collect(fields, request.headers, head);
                Ok((request.method.unwrap_or(""), request.path.unwrap_or(""), request.version))
            },
            || HeadError::TooLarge,
            |error| request_error(error, head),
        )?;
        self.method = Span::of(method.as_bytes(), head);
        self.target = Span::of(target.as_bytes(), head);
        self.version = if minor == Some(0) { Version::Http10 } else { Version::Http11 };
        if has_too_many_options(&self.fields, head) {
            return Err(HeadError::TooLarge);
        }
        self.check_host(head)
    }

    fn check_host(&self, head: &[u8]) -> Result<(), HeadError> {
        let mut hosts = self.values(head, FieldName::Host);
        match (hosts.next(), hosts.next()) {
            (_, Some(_)) => Err(HeadError::MalformedHost),
            (None, None) if self.version == Version::Http11 => Err(HeadError::MissingHost),
            (None, None) => Ok(()),
            (Some(host), None) => {
                // Clients send socket paths and worse here (field report 30); only what cannot be printed is refused.
                if host.iter().all(u8::is_ascii_graphic) { Ok(()) } else { Err(HeadError::MalformedHost) }
            }
        }
    }

    /// All fields, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Gives back memory that an unusual head has needed.
    pub fn shrink(&mut self) {
        self.fields.clear();
        self.fields.shrink_to(FIELDS_ON_STACK);
    }

    /// The values of one field, in order.
    pub fn values<'h>(&self, head: &'h [u8], name: FieldName) -> impl Iterator<Item = &'h [u8]> {
        values(&self.fields, head, name)
    }

    /// The first value of one field.
    pub fn first<'h>(&self, head: &'h [u8], name: FieldName) -> Option<&'h [u8]> {
        self.values(head, name).next()
    }

    /// Whether `Connection` names this option.
    pub fn connection_has(&self, head: &[u8], option: &[u8]) -> bool {
        connection_has(&self.fields, head, option)
    }
}

/// A parsed response head: ranges into the bytes that it was parsed from. Reusable.
#[derive(Debug)]
pub struct ResponseHead {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase.
    pub reason: Span,
    /// The protocol version.
    pub version: Version,
    fields: Vec<Field>,
}

impl Default for ResponseHead {
    fn default() -> Self {
        ResponseHead { status: 0, reason: Span::default(), version: Version::Http11, fields: Vec::new() }
    }
}

/// The Engine's answer cannot be read; the client gets a 502 (spec 60 §3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not an HTTP/1 response head, or one that can be read in two ways.
    #[error("malformed response head")]
    Malformed,
    /// Its framing is contradictory or of an unknown kind.
    #[error("malformed response framing")]
    Framing,
    /// The head exceeds the limit.
    #[error("response head too large")]
    TooLarge,
}

impl ResponseHead {
    /// Parses a complete head, as [`HeadEnd::find`] delimits it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn parse(&mut self, head: &[u8]) -> Result<(), ResponseError> {
        let fields = &mut self.fields;
        let (status, reason, minor) = with_fields(
            |storage| {
                let mut response = httparse::Response::new(&mut []);
                let config = httparse::ParserConfig::default();
                match config.parse_response_with_uninit_headers(&mut response, head, storage)? {
                    httparse::Status::Complete(end) if end == head.len() => {}
                    httparse::Status::Complete(_) | httparse::Status::Partial => return Err(httparse::Error::Token),
                }
                collect(fields, response.headers, head);
                Ok((response.code.unwrap_or(0), response.reason.unwrap_or(""), response.version))
            },
            || ResponseError::TooLarge,
            |_| ResponseError::Malformed,
        )?;
        if status < 100 {
            return Err(ResponseError::Malformed);
        }
        self.status = status;
        self.reason = Span::of(reason.as_bytes(), head);
        self.version = if minor == Some(0) { Version::Http10 } else { Version::Http11 };
        if has_too_many_options(&self.fields, head) { Err(ResponseError::TooLarge) } else { Ok(()) }
    }

    /// All fields, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The values of one field, in order.
    pub fn values<'h>(&self, head: &'h [u8], name: FieldName) -> impl Iterator<Item = &'h [u8]> {
        values(&self.fields, head, name)
    }

    /// The first value of one field.
    pub fn first<'h>(&self, head: &'h [u8], name: FieldName) -> Option<&'h [u8]> {
        self.values(head, name).next()
    }

    /// Whether `Connection` names this option.
    pub fn connection_has(&self, head: &[u8], option: &[u8]) -> bool {
        connection_has(&self.fields, head, option)
    }
}

/// Whether `Connection` names more options than any peer has use for. Every field is compared with each of them, so a
/// head full of both would keep a shard busy for minutes.
fn has_too_many_options(fields: &[Field], head: &[u8]) -> bool {
    let options = values(fields, head, FieldName::Connection).flat_map(super::fields::tokens);
    options.take(limits::CONNECTION_OPTIONS_MAX + 1).count() > limits::CONNECTION_OPTIONS_MAX
}

/// Whether a `Connection` field names `option`.
pub(super) fn connection_has(fields: &[Field], head: &[u8], option: &[u8]) -> bool {
    values(fields, head, FieldName::Connection)
        .flat_map(super::fields::tokens)
        .any(|token| token.eq_ignore_ascii_case(option))
}

fn values<'h>(fields: &[Field], head: &'h [u8], name: FieldName) -> impl Iterator<Item = &'h [u8]> {
    fields.iter().filter(move |field| field.known == name).map(|field| field.value.of_head(head))
}

fn collect(fields: &mut Vec<Field>, parsed: &[httparse::Header<'_>], head: &[u8]) {
    fields.clear();
    fields.extend(parsed.iter().map(|header| Field {
        name: Span::of(header.name.as_bytes(), head),
        value: Span::of(header.value, head),
        known: FieldName::of(header.name.as_bytes()),
    }));
}

/// Runs `parse` with room for the usual number of header lines on the stack, and again with more on the heap when a
/// head has more.
fn with_fields<'h, T, E>(
    mut parse: impl FnMut(&mut [MaybeUninit<httparse::Header<'h>>]) -> Result<T, httparse::Error>,
    too_many: impl FnOnce() -> E,
    refused: impl FnOnce(httparse::Error) -> E,
) -> Result<T, E> {
    let mut outcome = parse(&mut [const { MaybeUninit::uninit() }; FIELDS_ON_STACK]);
    let mut room = FIELDS_ON_STACK;
    while let Err(httparse::Error::TooManyHeaders) = outcome {
        if room >= limits::HEAD_MAX_FIELDS {
            return Err(too_many());
        }
        room = (room * 8).min(limits::HEAD_MAX_FIELDS);
        let mut storage = Vec::new();
        storage.resize_with(room, MaybeUninit::uninit);
        outcome = parse(&mut storage);
    }
    outcome.map_err(refused)
}

fn request_error(error: httparse::Error, head: &[u8]) -> HeadError {
    match error {
        httparse::Error::HeaderName => HeadError::InvalidFieldName,
        httparse::Error::HeaderValue => HeadError::InvalidFieldValue,
        httparse::Error::Version if names_another_version(head) => HeadError::UnsupportedVersion,
        _ => HeadError::Malformed,
    }
}

/// Whether a request line of three words ends in a well-formed version that is not ours.
fn names_another_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(_), Some(_), Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None) => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<RequestHead, HeadError> {
        let mut head = RequestHead::default();
        let end = HeadEnd::default().find(text.as_bytes())?.unwrap_or(text.len());
        head.parse(&text.as_bytes()[..end]).map(|()| head)
    }

    #[test]
    fn a_head_is_found_however_it_is_cut() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody";
        for cut in 0..bytes.len() {
            let mut end = HeadEnd::default();
            let first = end.find(&bytes[..cut]).unwrap();
            if cut >= 27 {
                assert_eq!(first, Some(27));
            } else {
                assert_eq!(first, None);
                assert_eq!(end.find(bytes).unwrap(), Some(27));
            }
        }
    }

    #[test]
    fn lines_end_in_crlf_and_heads_do_not_start_empty() {
        for bad in
            ["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "\n"]
        {
            assert_eq!(HeadEnd::default().find(bad.as_bytes()), Err(HeadError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn a_head_beyond_the_limit_is_too_large() {
        let mut end = HeadEnd::default();
        let mut bytes = b"GET / HTTP/1.1\r\nX: ".to_vec();
        bytes.resize(limits::HEAD_MAX_BYTES, b'a');
        assert_eq!(end.find(&bytes), Ok(None));
        bytes.push(b'a');
        assert_eq!(end.find(&bytes), Err(HeadError::TooLarge));
    }

    #[test]
    fn fields_and_lines_are_read() {
        let text = "GET /a?b HTTP/1.0\r\nHost: docker\r\nX-A:  a\tb \r\nConnection: keep-alive, X-B\r\n\r\n";
        let head = request(text).unwrap();
        let bytes = text.as_bytes();
        assert_eq!((head.method.of_head(bytes), head.target.of_head(bytes)), (&b"GET"[..], &b"/a?b"[..]));
        assert_eq!(head.version, Version::Http10);
        assert_eq!(head.first(bytes, FieldName::Host), Some(&b"docker"[..]));
        assert_eq!(head.fields()[1].value.of_head(bytes), b"a\tb");
        assert!(head.connection_has(bytes, b"x-b") && !head.connection_has(bytes, b"close"));
    }

    #[test]
    fn refusals() {
        use HeadError::*;
        let table = [
            ("GET /info\r\nHost: d\r\n\r\n", Malformed),
            ("GET /info http/1.1\r\nHost: d\r\n\r\n", Malformed),
            ("GET  /info HTTP/1.1\r\nHost: d\r\n\r\n", Malformed),
            ("GET /info extra HTTP/1.1\r\nHost: d\r\n\r\n", Malformed),
            ("GET\t/info HTTP/1.1\r\nHost: d\r\n\r\n", Malformed),
            ("GET HTTP/1.1\r\nHost: d\r\n\r\n", Malformed),
            ("GE(T /info HTTP/1.1\r\nHost: d\r\n\r\n", Malformed),
            ("GET /info HTTP/1.x\r\nHost: d\r\n\r\n", Malformed),
            ("GET /info HTTP/1\r\nHost: d\r\n\r\n", Malformed),
            ("GET /info HTTP/2.0\r\nHost: d\r\n\r\n", UnsupportedVersion),
            ("PRI * HTTP/2.0\r\n\r\n", UnsupportedVersion),
            ("GET /info HTTP/3.0\r\nHost: d\r\n\r\n", UnsupportedVersion),
            ("GET /info HTTP/1.1\r\n\r\n", MissingHost),
            ("GET /info HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", MalformedHost),
            ("GET /info HTTP/1.1\r\nHost: a b\r\n\r\n", MalformedHost),
            ("GET /info HTTP/1.1\r\nHost: d\r\nX-A : 1\r\n\r\n", InvalidFieldName),
            ("GET /info HTTP/1.1\r\nHost: d\r\nX@A: 1\r\n\r\n", InvalidFieldName),
            ("GET /info HTTP/1.1\r\nHost: d\r\n: 1\r\n\r\n", InvalidFieldName),
            ("GET /info HTTP/1.1\r\nHost: d\r\nX-A\r\n\r\n", InvalidFieldName),
            ("GET /info HTTP/1.1\r\nHost: d\r\nX-A: 1\r\n 2\r\n\r\n", InvalidFieldName),
            ("GET /info HTTP/1.1\r\n X: 1\r\nHost: d\r\n\r\n", InvalidFieldName),
            ("GET /info HTTP/1.1\r\nHost: d\r\nX-A: a\u{0}b\r\n\r\n", InvalidFieldValue),
            ("GET /info HTTP/1.1\r\nHost: d\r\nX-A: a\u{7}b\r\n\r\n", InvalidFieldValue),
            ("GET /info HTTP/1.1\r\nHost: d\r\nX-A: a\rb\r\n\r\n", InvalidFieldValue),
        ];
        for (text, want) in table {
            assert_eq!(request(text).map(|_| ()), Err(want), "{text:?}");
        }
        for good in [
            "GET /info HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: /var/run/docker.sock\r\n\r\n",
        ] {
            assert!(request(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn many_fields_are_read_and_too_many_refused() {
        let build = |count: usize| {
            let lines: String = (0..count).map(|_| "a:\r\n").collect();
            format!("GET / HTTP/1.1\r\nHost: d\r\n{lines}\r\n")
        };
        assert_eq!(request(&build(5000)).unwrap().fields().len(), 5001);
        assert_eq!(request(&build(limits::HEAD_MAX_FIELDS)).map(|_| ()), Err(HeadError::TooLarge));
    }

    #[test]
    fn responses_are_read_strictly() {
        let text = b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n";
        let mut head = ResponseHead::default();
        head.parse(text).unwrap();
        assert_eq!((head.status, head.reason.of_head(text)), (101, &b"UPGRADED"[..]));
        for bad in [
            "HTTP/1.1 abc OK\r\n\r\n",
            "SSH-2.0-OpenSSH_9\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
            "HTTP/1.1 099 X\r\n\r\n",
        ] {
            assert_eq!(head.parse(bad.as_bytes()), Err(ResponseError::Malformed), "{bad:?}");
        }
    }
}
