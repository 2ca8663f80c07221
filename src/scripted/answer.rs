//! How a test says what the scripted Engine answers: canned bytes or a closure, held back by a gate if need be.

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::exchange::Exchange;
use super::lock;
use super::seen::SeenRequest;

/// How long a gate that nobody opens holds an answer. Long enough for any test, short enough to end a broken one.
const GATE_LIMIT: Duration = Duration::from_secs(60);

type Handler = dyn Fn(&mut Exchange<'_>) -> io::Result<()> + Send + Sync;

/// What the Engine does with a request.
#[derive(Clone)]
pub struct Answer {
    action: Action,
    gate: Option<Gate>,
    then_close: bool,
}

#[derive(Clone)]
enum Action {
    Framed { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    Raw(Vec<u8>),
    Handler(Arc<Handler>),
}

impl Answer {
    /// A JSON answer with its length, after the request body has been read.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::body(status, "application/json", body)
    }

    /// An answer of this type with its length, after the request body has been read.
    pub fn body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self::from(Action::Framed { status, headers, body: body.into() })
    }

    /// These bytes and nothing else, head included, after the request body has been read. The connection then serves
    /// on; see [`Answer::then_close`].
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from(Action::Raw(bytes.into()))
    }

    /// Whatever the closure does with the exchange. An error, or an answer that it left open, closes the connection.
    pub fn handler(handler: impl Fn(&mut Exchange<'_>) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::from(Action::Handler(Arc::new(handler)))
    }

    /// With one header line more. Has no effect on [`Answer::raw`] and [`Answer::handler`].
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Action::Framed { headers, .. } = &mut self.action {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Held back until `gate` opens. The request is on record before that.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Closes the connection once the answer is written, which cuts an answer that promised more.
    #[must_use]
    pub fn then_close(mut self) -> Self {
        self.then_close = true;
        self
    }

    fn from(action: Action) -> Self {
        Self { action, gate: None, then_close: false }
    }

    pub(super) fn give(&self, exchange: &mut Exchange<'_>) -> io::Result<()> {
        if !matches!(self.action, Action::Handler(_)) {
            exchange.read_body()?;
        }
        if let Some(gate) = &self.gate {
            gate.pass()?;
        }
        match &self.action {
            Action::Framed { status, headers, body } => exchange.respond(*status, headers, body)?,
            Action::Raw(bytes) => exchange.raw(bytes)?,
            Action::Handler(handler) => handler(exchange)?,
        }
        if self.then_close {
            exchange.close_after();
        }
        Ok(())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.action {
            Action::Framed { .. } => "framed",
            Action::Raw(_) => "raw",
            Action::Handler(_) => "handler",
        };
        f.debug_struct("Answer").field("kind", &kind).field("then_close", &self.then_close).finish_non_exhaustive()
    }
}

/// Holds answers back until a test opens it; stays open then. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lets everything pass from now on.
    pub fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open.
    ///
    /// # Errors
    /// `TimedOut` when nobody opens it within a minute.
    pub fn pass(&self) -> io::Result<()> {
        let deadline = Instant::now() + GATE_LIMIT;
        let mut open = lock(&self.0.0);
        while !*open {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody opened the gate"));
            };
            open = self.0.1.wait_timeout(open, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

/// A scripted answer and the requests that it is for.
#[derive(Debug, Clone)]
pub(super) struct Route {
    method: String,
    path: String,
    answer: Answer,
}

impl Route {
    pub(super) fn new(method: &str, path: &str, answer: Answer) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), answer }
    }

    pub(super) fn answer_for(&self, request: &SeenRequest) -> Option<Answer> {
        let method = self.method == "*" || self.method == request.method;
        (method && same_path(&self.path, request.path())).then(|| self.answer.clone())
    }
}

fn same_path(pattern: &str, path: &str) -> bool {
    let mut given = path.split('/');
    pattern.split('/').all(|want| given.next().is_some_and(|got| want == "*" || want == got)) && given.next().is_none()
}
