//! What an inspector is given, and what it may ask for.
//!
//! Owns the shapes only. Some verdicts need something that only the Engine knows: then the inspection stops with a
//! [`Question`], the caller asks the Engine and inspects again with the [`Answer`].

use super::Outcome;

/// One request, as far as inspectors look at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'r> {
    /// The query as received, without `?`.
    pub query: &'r [u8],
    /// The `Content-Type` header.
    pub content_type: Option<&'r [u8]>,
    /// The whole body, transfer coding removed. Empty when there is none, and for inspectors that do not read it.
    pub body: &'r [u8],
    /// The Engine's answers to the question that this request raised before; empty the first time.
    pub answers: &'r [Answer<'r>],
}

/// What the Engine said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// 200 and this body.
    Found(&'a [u8]),
    /// 404.
    NotFound,
    /// Anything else: another status, no answer in time, a longer body than is read.
    Failed,
}

/// An inspection, finished or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Finished.
    Judged(Outcome),
    /// To be repeated with the Engine's answers.
    Ask(Question),
}

/// What an inspector wants to know from the Engine. Asked with the version prefix of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// `GET /exec/X/json` for the exec of the request; one answer.
    Exec,
    /// `GET /nodes/X` for the node of the request; one answer.
    Node,
    /// `GET /networks/NAME`, one answer for each name, in this order. A name is one path segment: escape it.
    Networks(Vec<String>),
}
