//! Answers of the proxy's own.
//!
//! Two kinds: the plain refusal of a head that cannot be read, which no later layer ever sees (spec 60 §2), and the JSON
//! answer of every other layer (spec 60 §9).

use super::date::DATE_BYTES;
use super::forward::{Correlation, field, length, status_line};
use super::head::{HeadError, Version};

/// The reason phrase of a status that the proxy itself answers with.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Request Entity Too Large",
        417 => "Expectation Failed",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// The status and the body with which a head is refused.
pub fn refusal(error: HeadError) -> (u16, &'static str) {
    match error {
        HeadError::Malformed => (400, "400 Bad Request"),
        HeadError::MissingHost => (400, "400 Bad Request: missing required Host header"),
        HeadError::MalformedHost => (400, "400 Bad Request: malformed Host header"),
        HeadError::InvalidFieldName => (400, "400 Bad Request: invalid header name"),
        HeadError::InvalidFieldValue => (400, "400 Bad Request: invalid header value"),
        HeadError::TooLarge => (431, "431 Request Header Fields Too Large"),
        HeadError::UnsupportedCoding => (501, "Unsupported transfer encoding"),
        HeadError::UnsupportedVersion => (505, "505 HTTP Version Not Supported"),
        HeadError::UnknownExpectation => (417, ""),
    }
}

/// Appends the complete answer that refuses a head; the connection closes behind it.
pub fn append_refusal(out: &mut Vec<u8>, error: HeadError, date: &[u8; DATE_BYTES]) {
    let (status, body) = refusal(error);
    status_line(out, Version::Http11, status, reason_phrase(status).as_bytes());
    field(out, b"Content-Type", b"text/plain; charset=utf-8");
    field(out, b"Date", date);
    length(out, body.len() as u64);
    field(out, b"Connection", b"close");
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body.as_bytes());
}

/// What of an answer of the proxy's own differs from case to case.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The client's protocol version.
    pub version: Version,
    /// The status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: &'a [u8],
    /// Whether the body is left out, its length not: the answer to a HEAD.
    pub head_only: bool,
    /// Whether the connection closes behind it.
    pub close: bool,
    /// The present.
    pub date: &'a [u8; DATE_BYTES],
    /// The proxy's correlation fields.
    pub correlation: Correlation<'a>,
}

/// The media type of the proxy's JSON answers.
pub const JSON: &str = "application/json";

/// Appends a complete answer of the proxy's own; returns the length of its body on the wire.
pub fn append(out: &mut Vec<u8>, reply: &Reply<'_>) -> u64 {
    status_line(out, reply.version, reply.status, reason_phrase(reply.status).as_bytes());
    field(out, b"Content-Type", reply.content_type.as_bytes());
    field(out, b"X-Content-Type-Options", b"nosniff");
    field(out, b"Date", reply.date);
    length(out, reply.body.len() as u64);
    if reply.close {
        field(out, b"Connection", b"close");
    }
    field(out, b"X-Request-Id", reply.correlation.request_id);
    field(out, b"Traceparent", reply.correlation.traceparent);
    out.extend_from_slice(b"\r\n");
    if reply.head_only {
        return 0;
    }
    out.extend_from_slice(reply.body);
    reply.body.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_complete_messages() {
        let date = super::super::date::http_date(0);
        let mut out = Vec::new();
        append_refusal(&mut out, HeadError::MissingHost, &date);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Length: 45\r\nConnection: close\r\n\r\n400 Bad Request: missing required Host header"
        );
        let mut reply = Reply {
            version: Version::Http11,
            status: 403,
            content_type: JSON,
            body: b"{}\n",
            head_only: false,
            close: false,
            date: &date,
            correlation: Correlation { request_id: b"i", traceparent: b"t" },
        };
        let mut out = Vec::new();
        assert_eq!(append(&mut out, &reply), 3);
        assert!(out.ends_with(b"Content-Length: 3\r\nX-Request-Id: i\r\nTraceparent: t\r\n\r\n{}\n"));
        reply.head_only = true;
        out.clear();
        assert_eq!(append(&mut out, &reply), 0);
        assert!(out.ends_with(b"\r\n\r\n"));
    }
}
