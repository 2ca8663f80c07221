//! Where a message body ends (RFC 9112 §6), read in exactly one way or not at all.
//!
//! Two parsers that disagree about it let a second, unjudged request ride along with the first (spec 20 §9, field
//! report 27). So: one framing field at most, digits only, `chunked` only.

use super::fields::{FieldName, tokens};
use super::head::{HeadError, RequestHead, ResponseError, ResponseHead, Version};

/// How a message body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// This many bytes follow the head; more than zero.
    Length(u64),
    /// The chunked coding.
    Chunked,
    /// Responses only: the body ends with the connection.
    Close,
}

/// The largest length that Go's readers, the Engine's among them, take for one.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// The framing of a request's body.
///
/// # Errors
/// [`HeadError::Malformed`] for lengths and codings that contradict each other or are not well-formed,
/// [`HeadError::UnsupportedCoding`] for a coding other than `chunked`, [`HeadError::UnknownExpectation`].
pub fn of_request(request: &RequestHead, head: &[u8]) -> Result<Framing, HeadError> {
    if request.values(head, FieldName::Expect).any(|value| !value.eq_ignore_ascii_case(b"100-continue")) {
        return Err(HeadError::UnknownExpectation);
    }
    let length = content_length(request.values(head, FieldName::ContentLength)).map_err(|()| HeadError::Malformed)?;
    let mut codings = request.values(head, FieldName::TransferEncoding);
    match (codings.next(), codings.next(), length) {
        (None, _, None | Some(0)) => Ok(Framing::None),
        (None, _, Some(length)) => Ok(Framing::Length(length)),
        (Some(_), _, Some(_)) | (Some(_), Some(_), _) => Err(HeadError::Malformed),
        (Some(coding), None, None) if coding.eq_ignore_ascii_case(b"chunked") => match request.version {
            Version::Http11 => Ok(Framing::Chunked),
            Version::Http10 => Err(HeadError::Malformed),
        },
        (Some(coding), None, None) => {
            let has_chunked = tokens(coding).any(|token| token.eq_ignore_ascii_case(b"chunked"));
            Err(if has_chunked { HeadError::Malformed } else { HeadError::UnsupportedCoding })
        }
    }
}

/// The framing of a response's body, given the method that it answers.
///
/// # Errors
/// [`ResponseError::Framing`].
pub fn of_response(response: &ResponseHead, head: &[u8], method: &[u8]) -> Result<Framing, ResponseError> {
    if method == b"HEAD" || response.status < 200 || matches!(response.status, 204 | 304) {
        return Ok(Framing::None);
    }
    let length =
        content_length(response.values(head, FieldName::ContentLength)).map_err(|()| ResponseError::Framing)?;
    let mut codings = response.values(head, FieldName::TransferEncoding);
    match (codings.next(), codings.next(), length) {
        (None, _, None) => Ok(Framing::Close),
        (None, _, Some(0)) => Ok(Framing::None),
        (None, _, Some(length)) => Ok(Framing::Length(length)),
        (Some(coding), None, None)
            if coding.eq_ignore_ascii_case(b"chunked") && response.version == Version::Http11 =>
        {
            Ok(Framing::Chunked)
        }
        (Some(_), _, _) => Err(ResponseError::Framing),
    }
}

/// The one `Content-Length`, if any; an error when there are several or it is not a plain decimal number.
fn content_length<'h>(mut values: impl Iterator<Item = &'h [u8]>) -> Result<Option<u64>, ()> {
    let Some(value) = values.next() else { return Ok(None) };
    if value.is_empty() || values.next().is_some() {
        return Err(());
    }
    let length = value.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit).filter(|&sum| sum <= LENGTH_MAX)
    });
    length.map(Some).ok_or(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &str) -> Result<Framing, HeadError> {
        let text = format!("POST /x HTTP/1.1\r\nHost: d\r\n{lines}\r\n");
        let mut head = RequestHead::default();
        head.parse(text.as_bytes())?;
        of_request(&head, text.as_bytes())
    }

    #[test]
    fn requests() {
        use HeadError::*;
        let table: &[(&str, Result<Framing, HeadError>)] = &[
            ("", Ok(Framing::None)),
            ("Content-Length: 0\r\n", Ok(Framing::None)),
            ("Content-Length: 4\r\n", Ok(Framing::Length(4))),
            ("Content-Length: 004\r\n", Ok(Framing::Length(4))),
            ("Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            ("transfer-encoding: Chunked\r\n", Ok(Framing::Chunked)),
            ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", Err(Malformed)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", Err(Malformed)),
            ("Content-Length: 4\r\nContent-Length: 4\r\n", Err(Malformed)),
            ("Content-Length: 4\r\nContent-Length: 5\r\n", Err(Malformed)),
            ("Content-Length: 4, 4\r\n", Err(Malformed)),
            ("Content-Length: +4\r\n", Err(Malformed)),
            ("Content-Length: -1\r\n", Err(Malformed)),
            ("Content-Length: 0x4\r\n", Err(Malformed)),
            ("Content-Length: 4 bytes\r\n", Err(Malformed)),
            ("Content-Length:\r\n", Err(Malformed)),
            ("Content-Length: 9223372036854775807\r\n", Ok(Framing::Length(LENGTH_MAX))),
            ("Content-Length: 9223372036854775808\r\n", Err(Malformed)),
            ("Content-Length: 18446744073709551620\r\n", Err(Malformed)),
            ("Transfer-Encoding: gzip\r\n", Err(UnsupportedCoding)),
            ("Transfer-Encoding:\r\n", Err(UnsupportedCoding)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(Malformed)),
            ("Transfer-Encoding: chunked, identity\r\n", Err(Malformed)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(Malformed)),
            ("Expect: 100-Continue\r\nContent-Length: 1\r\n", Ok(Framing::Length(1))),
            ("Expect: tomorrow\r\n", Err(UnknownExpectation)),
            ("Expect: 100-continue\r\nExpect: more\r\n", Err(UnknownExpectation)),
        ];
        for (lines, want) in table {
            assert_eq!(&request(lines), want, "{lines:?}");
        }
    }

    #[test]
    fn chunked_does_not_exist_in_http_1_0() {
        let text = b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut head = RequestHead::default();
        head.parse(text).unwrap();
        assert_eq!(of_request(&head, text), Err(HeadError::Malformed));
    }

    #[test]
    fn responses() {
        let table: &[(&str, &str, Result<Framing, ResponseError>)] = &[
            ("GET", "HTTP/1.1 200 OK\r\n\r\n", Ok(Framing::Close)),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Ok(Framing::Length(2))),
            ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", Ok(Framing::None)),
            ("GET", "HTTP/1.1 204 X\r\nContent-Length: 2\r\n\r\n", Ok(Framing::None)),
            ("GET", "HTTP/1.1 304 X\r\n\r\n", Ok(Framing::None)),
            ("GET", "HTTP/1.1 100 X\r\n\r\n", Ok(Framing::None)),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Ok(Framing::Chunked)),
            ("GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Err(ResponseError::Framing)),
            ("GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", Err(ResponseError::Framing)),
            (
                "GET",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
                Err(ResponseError::Framing),
            ),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", Err(ResponseError::Framing)),
            ("GET", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Err(ResponseError::Framing)),
        ];
        for (method, text, want) in table {
            let mut head = ResponseHead::default();
            head.parse(text.as_bytes()).unwrap();
            assert_eq!(&of_response(&head, text.as_bytes(), method.as_bytes()), want, "{text:?}");
        }
    }
}
