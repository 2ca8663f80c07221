//! One request and its answer on one connection of the scripted Engine, as HTTP/1.1 bytes.
//!
//! Reads just enough of HTTP to serve a well-formed request; it must not be lenient where that could hide a fault of
//! the proxy, so a request that it cannot frame ends the connection without an answer.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::canned;
use super::seen::{RECORDED_BODY_MAX_BYTES, SeenRequest};
use super::{Shared, lock};
use crate::limits::{CHUNK_LINE_MAX_BYTES, HEAD_MAX_BYTES, HEAD_MAX_FIELDS};

/// The lines that the Engine puts in every answer; the date stands still, so that an answer is the same twice.
const ENGINE_HEADERS: &str = "Api-Version: 1.45\r\nDocker-Experimental: false\r\nOstype: linux\r\n\
                              Server: Docker/26.1.5 (linux)\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
const READ_BYTES: usize = 64 << 10;

/// One accepted connection and the bytes that were read from it and not used yet.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    number: u64,
    input: Vec<u8>,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, number: u64) -> Self {
        Self { stream, number, input: Vec::new() }
    }

    /// Reads more; 0 at the end of the stream.
    fn fill(&mut self) -> io::Result<usize> {
        let used = self.input.len();
        self.input.resize(used + READ_BYTES, 0);
        let got = loop {
            match self.stream.read(self.input.get_mut(used..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => break other,
            }
        };
        self.input.truncate(used + *got.as_ref().unwrap_or(&0));
        got
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        match self.fill()? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next request head; none when the client closed before its first byte.
    fn head(&mut self) -> io::Result<Option<SeenRequest>> {
        let mut fields = 128;
        loop {
            let mut headers = vec![httparse::EMPTY_HEADER; fields];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(&self.input) {
                Ok(httparse::Status::Complete(used)) => {
                    let seen = SeenRequest {
                        connection: self.number,
                        method: request.method.unwrap_or_default().to_owned(),
                        target: request.path.unwrap_or_default().to_owned(),
                        headers: request
                            .headers
                            .iter()
                            .map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()))
                            .collect(),
                        body: Vec::new(),
                        body_bytes: 0,
                        body_complete: false,
                    };
                    self.input.drain(..used);
                    return Ok(Some(seen));
                }
                Ok(httparse::Status::Partial) if self.input.len() > HEAD_MAX_BYTES => return Err(malformed("head")),
                Ok(httparse::Status::Partial) => match self.fill()? {
                    0 if self.input.is_empty() => return Ok(None),
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    _ => {}
                },
                Err(httparse::Error::TooManyHeaders) if fields < HEAD_MAX_FIELDS => fields = HEAD_MAX_FIELDS,
                Err(_) => return Err(malformed("head")),
            }
        }
    }

    /// A line of a chunked body, without its end.
    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.input.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| malformed("line"));
            }
            if self.input.len() > CHUNK_LINE_MAX_BYTES {
                return Err(malformed("line"));
            }
            self.fill_or_fail()?;
        }
    }
}

/// What is left of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Counted(u64),
    /// Bytes left of the current chunk.
    Chunked(u64),
    Ended,
}

/// Serves the requests of one connection until either side is done with it.
pub(super) fn serve_connection(engine: &Shared, mut connection: Connection) {
    while let Ok(Some(request)) = connection.head() {
        let number = engine.ledger.push(request.clone());
        let Ok(body) = framing(&request) else { break };
        let mut exchange = Exchange {
            engine,
            connection: &mut connection,
            number,
            body,
            continue_due: request.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")),
            close: request.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close")),
            open_answer: false,
            request,
        };
        exchange.note_end_of_body();
        let answered = exchange.answer();
        if answered.is_err() || exchange.close || exchange.open_answer || exchange.body != Body::Ended {
            break;
        }
    }
    // The copy that the handle keeps would hold the connection open.
    let _ = connection.stream.shutdown(Shutdown::Both);
}

fn framing(request: &SeenRequest) -> io::Result<Body> {
    match (request.header("transfer-encoding"), request.header("content-length")) {
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Body::Chunked(0)),
        (None, Some(length)) => match length.parse() {
            Ok(0) => Ok(Body::Ended),
            Ok(length) => Ok(Body::Counted(length)),
            Err(_) => Err(malformed("content-length")),
        },
        (None, None) => Ok(Body::Ended),
        (Some(_), _) => Err(malformed("transfer-encoding")),
    }
}

/// A request being answered. What a script does not read of the body and does not finish of the answer costs the
/// connection.
#[derive(Debug)]
pub struct Exchange<'c> {
    engine: &'c Shared,
    connection: &'c mut Connection,
    request: SeenRequest,
    /// Its number in the ledger.
    number: u64,
    body: Body,
    /// The client waits for `100 Continue` before it sends its body.
    continue_due: bool,
    close: bool,
    /// A chunked or close-delimited answer has been started and not ended.
    open_answer: bool,
}

impl Exchange<'_> {
    /// The request; its body fields are filled by [`Exchange::read_body`].
    pub fn request(&self) -> &SeenRequest {
        &self.request
    }

    /// Size of the archive that an image export answers with.
    pub(super) fn image_bytes(&self) -> u64 {
        lock(&self.engine.script).image_bytes
    }

    /// Reads the body to its end and returns its first [`RECORDED_BODY_MAX_BYTES`]; the rest is counted and dropped.
    /// Sends `100 Continue` first when the client asked for it.
    ///
    /// # Errors
    /// `UnexpectedEof` when the client leaves in the middle, `InvalidData` when the chunks are malformed.
    pub fn read_body(&mut self) -> io::Result<&[u8]> {
        while self.read_some_body()? {}
        Ok(&self.request.body)
    }

    /// Reads some more of the body; false at its end.
    ///
    /// # Errors
    /// As [`Exchange::read_body`].
    pub fn read_some_body(&mut self) -> io::Result<bool> {
        if self.body == Body::Ended {
            return Ok(false);
        }
        if std::mem::take(&mut self.continue_due) && self.connection.input.is_empty() {
            self.connection.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let left = match self.body {
            Body::Counted(left) => left,
            Body::Chunked(0) => {
                let line = self.connection.line()?;
                let size = line.split(';').next().unwrap_or_default();
                let size = u64::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
                if size == 0 {
                    while !self.connection.line()?.is_empty() {}
                    self.body = Body::Ended;
                    self.note_end_of_body();
                    return Ok(false);
                }
                size
            }
            Body::Chunked(left) => left,
            Body::Ended => 0,
        };
        if self.connection.input.is_empty() {
            self.connection.fill_or_fail()?;
        }
        let taken = self.connection.input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let room = RECORDED_BODY_MAX_BYTES.saturating_sub(self.request.body.len());
        for (at, byte) in self.connection.input.drain(..taken).enumerate() {
            if at < room {
                self.request.body.push(byte);
            }
        }
        self.request.body_bytes += taken as u64;
        let left = left - taken as u64;
        self.body = match (self.body, left) {
            (Body::Counted(_), 0) => Body::Ended,
            (Body::Counted(_), left) => Body::Counted(left),
            (Body::Chunked(_) | Body::Ended, left) => Body::Chunked(left),
        };
        if matches!(self.body, Body::Chunked(0)) && !self.connection.line()?.is_empty() {
            return Err(malformed("end of chunk"));
        }
        self.note_end_of_body();
        Ok(true)
    }

    /// A whole answer with its length and the Engine's own header lines; a HEAD request gets no body.
    ///
    /// # Errors
    /// The write error: the client has gone.
    pub fn respond(&mut self, status: u16, headers: &[(String, String)], body: &[u8]) -> io::Result<()> {
        let mut out = self.head_of(status, headers);
        if status >= 200 && status != 204 && status != 304 {
            out.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if self.request.method != "HEAD" && status != 204 && status != 304 {
            out.extend_from_slice(body);
        }
        self.connection.stream.write_all(&out)
    }

    /// A whole JSON answer.
    ///
    /// # Errors
    /// As [`Exchange::respond`].
    pub fn respond_json(&mut self, status: u16, body: &str) -> io::Result<()> {
        self.respond(status, &[("Content-Type".to_owned(), "application/json".to_owned())], body.as_bytes())
    }

    /// Sends the head of a chunked answer at once; [`Exchange::chunk`] and [`Exchange::finish`] follow.
    ///
    /// # Errors
    /// As [`Exchange::respond`].
    pub fn start_chunked(&mut self, status: u16, content_type: &str) -> io::Result<()> {
        let mut out = self.head_of(status, &[("Content-Type".to_owned(), content_type.to_owned())]);
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
        self.open_answer = true;
        self.connection.stream.write_all(&out)
    }

    /// Sends one chunk, in one write.
    ///
    /// # Errors
    /// As [`Exchange::respond`].
    pub fn chunk(&mut self, data: &[u8]) -> io::Result<()> {
        let mut out = format!("{:x}\r\n", data.len()).into_bytes();
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
        self.connection.stream.write_all(&out)
    }

    /// Ends a chunked answer.
    ///
    /// # Errors
    /// As [`Exchange::respond`].
    pub fn finish(&mut self) -> io::Result<()> {
        self.open_answer = false;
        self.connection.stream.write_all(b"0\r\n\r\n")
    }

    /// Sends these bytes as they are.
    ///
    /// # Errors
    /// As [`Exchange::respond`].
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.stream.write_all(bytes)
    }

    /// Reads raw bytes that follow the request, after a switch of protocols; 0 when the client has half-closed.
    ///
    /// # Errors
    /// The read error.
    pub fn read_raw(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.connection.input.is_empty() {
            return self.connection.stream.read(out);
        }
        let taken = self.connection.input.len().min(out.len());
        for (slot, byte) in out.iter_mut().zip(self.connection.input.drain(..taken)) {
            *slot = byte;
        }
        Ok(taken)
    }

    /// Ends the Engine's side of the stream; the client's side stays open.
    ///
    /// # Errors
    /// The error of the shutdown: the client has gone.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.close = true;
        self.connection.stream.shutdown(Shutdown::Write)
    }

    /// Closes the connection when the script returns.
    pub fn close_after(&mut self) {
        self.close = true;
    }

    /// Waits for the client to leave, for at most `wait`; true when it has left.
    ///
    /// # Errors
    /// The error of setting the time-out.
    pub fn client_left_within(&mut self, wait: Duration) -> io::Result<bool> {
        self.connection.stream.set_read_timeout(Some(wait))?;
        let got = self.connection.fill();
        self.connection.stream.set_read_timeout(None)?;
        Ok(match got {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        })
    }

    fn answer(&mut self) -> io::Result<()> {
        let scripted = lock(&self.engine.script).routes.iter().rev().find_map(|route| route.answer_for(&self.request));
        match scripted {
            Some(answer) => answer.give(self),
            None => canned::answer(self),
        }
    }

    fn head_of(&self, status: u16, headers: &[(String, String)]) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {status} {}\r\n{ENGINE_HEADERS}", reason_phrase(status));
        for (name, value) in headers {
            out.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        out.into_bytes()
    }

    fn note_end_of_body(&mut self) {
        if self.body == Body::Ended {
            self.request.body_complete = true;
        }
        let (body, bytes, complete) = (&self.request.body, self.request.body_bytes, self.request.body_complete);
        self.engine.ledger.update(self.number, |seen| {
            seen.body.extend_from_slice(body.get(seen.body.len()..).unwrap_or_default());
            seen.body_bytes = bytes;
            seen.body_complete = complete;
        });
    }
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        101 => "UPGRADED",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        409 => "Conflict",
        500 => "Internal Server Error",
        _ => "Scripted",
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed {what}"))
}
