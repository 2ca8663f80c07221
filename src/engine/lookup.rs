//! The proxy's own questions to the Engine: small reads that a verdict depends on (spec 60 §3.8).
//!
//! Same connections as requests, `Host: docker`, whole answer within a limit of time and size. A question is a GET and
//! changes nothing, so one that a dying idle connection left unanswered is asked once more.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use super::Engine;
use crate::http::chunked::{Decoder, Step};
use crate::http::{Framing, HeadEnd, ResponseHead, framing};
use crate::limits;
use crate::rt::{Deadline, Stream};

/// What the Engine said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 and this body.
    Found(Vec<u8>),
    /// 404.
    NotFound,
    /// Another status, no answer in time, an answer that cannot be read, or one that is too long.
    Failed,
}

/// Asks for `target`, which is a path of our own making or made of escaped segments.
pub async fn ask(engine: &Engine, target: &str) -> Answer {
    let deadline = Deadline::new(&engine.ring);
    deadline.set(limits::QUICK_READ_HEADER_TIMEOUT);
    let asking = async {
        match exchange(engine, target, true).await {
            Err(Unanswered { reused: true }) => exchange(engine, target, false).await.unwrap_or(Answer::Failed),
            outcome => outcome.unwrap_or(Answer::Failed),
        }
    };
    let late = async {
        deadline.reached().await;
        Answer::Failed
    };
    futures_lite::future::or(asking, late).await
}

/// The connection ended before any byte of an answer.
struct Unanswered {
    reused: bool,
}

async fn exchange(engine: &Engine, target: &str, may_reuse: bool) -> Result<Answer, Unanswered> {
    let idle = if may_reuse { engine.take_idle() } else { None };
    let reused = idle.is_some();
    let stream = match idle {
        Some(stream) => stream,
        None => engine.dial().await.map_err(|_| Unanswered { reused })?,
    };
    let request = format!("GET {target} HTTP/1.1\r\nHost: docker\r\nAccept-Encoding: identity\r\n\r\n");
    let (sent, _) = stream.send(request.into_bytes()).await;
    let mut reader = Reader::default();
    let outcome = match sent {
        Ok(()) => reader.read(&stream).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(answer) => {
            if reader.reusable {
                engine.give_back(stream);
            }
            Ok(answer)
        }
        Err(_) if reader.bytes.is_empty() => Err(Unanswered { reused }),
        Err(_) => Ok(Answer::Failed),
    }
}

/// Reads one whole answer.
#[derive(Default)]
struct Reader {
    bytes: Vec<u8>,
    reusable: bool,
}

impl Reader {
    async fn more(&mut self, stream: &Stream) -> io::Result<usize> {
        poll_fn(|cx| match stream.poll_receive(cx, &mut self.bytes) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            polled => polled,
        })
        .await
    }

    async fn read(&mut self, stream: &Stream) -> io::Result<Answer> {
        let malformed = || io::Error::from(io::ErrorKind::InvalidData);
        let (mut end, mut head) = (HeadEnd::default(), ResponseHead::default());
        let head_bytes = loop {
            match end.find(&self.bytes).map_err(|_| malformed())? {
                None => {
                    self.more(stream).await?;
                }
                Some(length) => {
                    head.parse(self.bytes.get(..length).unwrap_or_default()).map_err(|_| malformed())?;
                    match head.status {
                        // Nobody asked for that; what follows is not HTTP.
                        101 => return Err(malformed()),
                        200.. => break length,
                        _ => {}
                    }
                    self.bytes.drain(..length);
                    end = HeadEnd::default();
                }
            }
        };
        let raw = self.bytes.get(..head_bytes).unwrap_or_default();
        let framing = framing::of_response(&head, raw, b"GET").map_err(|_| malformed())?;
        let keeps = !head.connection_has(raw, b"close") && head.version == crate::http::Version::Http11;
        let body = match self.body(stream, head_bytes, framing).await? {
            Some(body) => body,
            None => return Ok(Answer::Failed),
        };
        self.reusable = keeps && framing != Framing::Close && body.clean;
        Ok(match head.status {
            200 => Answer::Found(body.bytes),
            404 => Answer::NotFound,
            _ => Answer::Failed,
        })
    }

    /// The body behind the head; `None` when it is too long.
    async fn body(&mut self, stream: &Stream, mut at: usize, framing: Framing) -> io::Result<Option<Body>> {
        let mut bytes = Vec::new();
        let mut decoder = Decoder::default();
        loop {
            let came = self.bytes.get(at..).unwrap_or_default();
            let done = match framing {
                Framing::None => return Ok(Some(Body { bytes, clean: came.is_empty() })),
                Framing::Length(length) => {
                    let wanted = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(bytes.len());
                    let here = wanted.min(came.len());
                    bytes.extend_from_slice(came.get(..here).unwrap_or_default());
                    (here == wanted).then_some(here == came.len())
                }
                Framing::Chunked => {
                    let mut used = 0;
                    loop {
                        match decoder.step(came, &mut used).map_err(|_| io::ErrorKind::InvalidData)? {
                            Step::Data(range) => bytes.extend_from_slice(came.get(range).unwrap_or_default()),
                            Step::More => break None,
                            Step::End => break Some(used == came.len()),
                        }
                    }
                }
                Framing::Close => {
                    bytes.extend_from_slice(came);
                    None
                }
            };
            if bytes.len() > limits::LOOKUP_ANSWER_MAX_BYTES {
                return Ok(None);
            }
            if let Some(clean) = done {
                return Ok(Some(Body { bytes, clean }));
            }
            self.bytes.clear();
            at = 0;
            match self.more(stream).await {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && framing == Framing::Close => {
                    return Ok(Some(Body { bytes, clean: false }));
                }
                // What came so far counts as an answer that broke off, not as none.
                Err(error) => {
                    self.bytes.push(0);
                    return Err(error);
                }
            }
        }
    }
}

struct Body {
    bytes: Vec<u8>,
    clean: bool,
}
