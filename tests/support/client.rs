//! A client that says exactly what a test wants it to say.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::PATIENCE;

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// One connection to the product.
pub(crate) struct Client {
    socket: Socket,
    /// Received and not used yet.
    input: Vec<u8>,
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// Connects to this address.
    pub(crate) fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
        Self { socket: Socket::Tcp(stream), input: Vec::new() }
    }

    /// Connects to this unix socket.
    pub(crate) fn unix(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("it accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
        Self { socket: Socket::Unix(stream), input: Vec::new() }
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("it takes what is sent");
    }

    /// Sends these bytes to somebody who may not want them.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(stream) => stream.write_all(bytes.as_ref()),
            Socket::Unix(stream) => stream.write_all(bytes.as_ref()),
        }
    }

    /// Sends until nothing more fits into the way there; returns how much that was.
    pub(crate) fn send_what_fits(&mut self, bytes: &[u8]) -> usize {
        let blocking = |socket: &Socket, off: bool| match socket {
            Socket::Tcp(stream) => stream.set_nonblocking(off),
            Socket::Unix(stream) => stream.set_nonblocking(off),
        };
        blocking(&self.socket, true).expect("a socket option");
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            let outcome = match &mut self.socket {
                Socket::Tcp(stream) => stream.write(rest),
                Socket::Unix(stream) => stream.write(rest),
            };
            match outcome {
                Ok(count) => sent += count,
                Err(_) => break,
            }
        }
        blocking(&self.socket, false).expect("a socket option");
        sent
    }

    /// Ends this side.
    pub(crate) fn half_close(&self) {
        let outcome = match &self.socket {
            Socket::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Socket::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        // The other side may have gone already.
        let _ = outcome;
    }

    /// Leaves with a reset, where the socket knows such a thing.
    pub(crate) fn reset(self) {
        if let Socket::Tcp(stream) = &self.socket {
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
        }
    }

    /// Receives some bytes; 0 at the end. A reset counts as the end.
    fn receive(&mut self) -> usize {
        let mut piece = [0; 16 << 10];
        let received = match &mut self.socket {
            Socket::Tcp(stream) => stream.read(&mut piece),
            Socket::Unix(stream) => stream.read(&mut piece),
        };
        let count = match received {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => 0,
            Err(error) => panic!("nothing came: {error}; so far {:?}", String::from_utf8_lossy(&self.input)),
        };
        self.input.extend_from_slice(&piece[..count]);
        count
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.receive() > 0 {}
        std::mem::take(&mut self.input)
    }

    /// Exactly this many bytes.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            assert_ne!(self.receive(), 0, "ended after {:?}", String::from_utf8_lossy(&self.input));
        }
        self.input.drain(..count).collect()
    }

    /// Receives this many bytes and drops them.
    pub(crate) fn skip(&mut self, mut count: u64) {
        loop {
            let here = count.min(self.input.len() as u64);
            self.input.drain(..here as usize);
            count -= here;
            if count == 0 {
                return;
            }
            assert_ne!(self.receive(), 0, "ended with {count} bytes to come");
        }
    }

    /// The next head, its empty line included; `None` when the connection ends first.
    pub(crate) fn head(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = self.input.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.receive() == 0 {
                return None;
            }
        };
        Some(String::from_utf8(self.input.drain(..end).collect()).expect("a head is text"))
    }

    /// The next answer, interim ones skipped; `None` when the connection ends before it is complete.
    pub(crate) fn answer(&mut self) -> Option<Response> {
        let (status, head) = loop {
            let head = self.head()?;
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
            if status == 101 || status >= 200 {
                break (status, head);
            }
        };
        let mut answer = Response { status, head, body: Vec::new() };
        let length = answer.header("content-length").map(|length| length.parse().expect("a length"));
        answer.body = match (answer.header("transfer-encoding"), length) {
            _ if matches!(status, 101 | 204 | 304) => Vec::new(),
            (Some(_), _) => self.chunks()?,
            (None, Some(length)) => {
                while self.input.len() < length {
                    if self.receive() == 0 {
                        return None;
                    }
                }
                self.input.drain(..length).collect()
            }
            (None, None) => self.rest(),
        };
        Some(answer)
    }

    fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = self.input.windows(2).position(|two| two == b"\r\n") {
                    break at;
                }
                if self.receive() == 0 {
                    return None;
                }
            };
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            let line = String::from_utf8(line).expect("a size line");
            let size = line.trim_end().split(';').next().unwrap_or_default().to_owned();
            let size = usize::from_str_radix(&size, 16).expect("a size");
            while self.input.len() < size + 2 {
                if self.receive() == 0 {
                    return None;
                }
            }
            body.extend(self.input.drain(..size));
            assert_eq!(self.input.drain(..2).collect::<Vec<_>>(), b"\r\n", "trailers are not expected here");
            if size == 0 {
                return Some(body);
            }
        }
    }

    /// The next answer, if its first byte comes within this time.
    pub(crate) fn answer_within(&mut self, limit: Duration) -> Option<Response> {
        let mut byte = [0];
        let limited = |socket: &Socket, limit| match socket {
            Socket::Tcp(stream) => stream.set_read_timeout(Some(limit)),
            Socket::Unix(stream) => stream.set_read_timeout(Some(limit)),
        };
        limited(&self.socket, limit).expect("a socket option");
        let came = match &mut self.socket {
            Socket::Tcp(stream) => stream.read(&mut byte),
            Socket::Unix(stream) => stream.read(&mut byte),
        };
        limited(&self.socket, PATIENCE).expect("a socket option");
        if !matches!(came, Ok(1)) {
            return None;
        }
        self.input.extend_from_slice(&byte);
        self.answer()
    }

    /// Sends a request and returns its answer.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request);
        self.answer().expect("an answer")
    }
}
