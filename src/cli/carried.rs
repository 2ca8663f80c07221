//! `match --body`: what the inspectors say of a body, as far as that can be said without an Engine (spec 30).

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;

use super::Failure;
use crate::endpoint::Inspector;
use crate::inspect::archive::{BeforeBody, Upload};
use crate::inspect::dispatch::{self, Needs, Scratch};
use crate::inspect::{Options, Outcome, Request, Step};

/// What is said of a body.
#[derive(Debug, Serialize)]
pub(super) struct BodyJudged {
    /// What was inspected; absent when nothing inspects such requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inspected: Option<&'static str>,
    pub(super) verdict: Verdict,
    /// Why, naming the field that decided.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// No inspector is in charge of such requests.
    NotInspected,
    Passes,
    Denied,
    TooLarge,
    /// It cannot be read as what it has to be, so the request would be denied.
    CannotBeInspected,
    /// Only the Engine knows what it is about: an exec, a node, a network.
    DependsOnTheEngine,
}

impl Verdict {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NotInspected => "not inspected",
            Self::Passes => "passes",
            Self::Denied => "denied",
            Self::TooLarge => "too large",
            Self::CannotBeInspected => "cannot be inspected",
            Self::DependsOnTheEngine => "depends on the Engine",
        }
    }

    /// Whether the request would be denied for it.
    pub(super) const fn denies(self) -> bool {
        matches!(self, Self::Denied | Self::TooLarge | Self::CannotBeInspected)
    }
}

impl BodyJudged {
    /// Judges the body in `path` (`-`: standard input), sent with this query.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn of(
        inspector: Option<Inspector>,
        query: &[u8],
        path: &Path,
        options: &Options,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::Error(format!("--body: {}: {error}", path.display()));
        let body: Box<dyn Read> = match path.to_str() {
            Some("-") => Box::new(io::stdin().lock()),
            _ => Box::new(File::open(path).map_err(failed)?),
        };
        let Some(inspector) = inspector else {
            return Ok(Self { inspected: None, verdict: Verdict::NotInspected, reason: String::new() });
        };
        let upload = Upload { query, content_type: Some(b"application/x-tar"), has_body: true };
        let outcome = match dispatch::needs(inspector, options) {
            Needs::Exec => return Ok(Self::asks(inspector)),
            Needs::Body { max_bytes } => {
                let mut bytes = Vec::new();
                body.take(max_bytes + 1).read_to_end(&mut bytes).map_err(failed)?;
                let content_type = Some(&b"application/json"[..]);
                let request = Request { query, content_type, body: &bytes, ..Request::default() };
                if bytes.len() as u64 > max_bytes {
                    Outcome::TooLarge
                } else {
                    match dispatch::inspect(inspector, &request, options, &mut Scratch::default()) {
                        Step::Judged(outcome) => outcome,
                        Step::Ask(_) => return Ok(Self::asks(inspector)),
                    }
                }
            }
            Needs::Query => match dispatch::inspect_before_body(inspector, &upload, options) {
                BeforeBody::Decided(outcome) => outcome,
                BeforeBody::ReadBody => Outcome::Failed(inspector.failure_reason().into()),
            },
            Needs::Spool { max_bytes } => match dispatch::inspect_before_body(inspector, &upload, options) {
                BeforeBody::Decided(outcome) => outcome,
                BeforeBody::ReadBody => {
                    let mut body = body.take(max_bytes + 1);
                    let outcome = dispatch::inspect_archive(inspector, &upload, &mut body, options);
                    // The product counts the whole body before anybody looks at it.
                    io::copy(&mut body, &mut io::sink()).map_err(failed)?;
                    match outcome {
                        _ if body.limit() == 0 => Outcome::TooLarge,
                        Ok(outcome) => outcome,
                        Err(error) => Outcome::Failed(error.to_string().into()),
                    }
                }
            },
        };
        Ok(Self::judged(inspector, options, outcome))
    }

    fn judged(inspector: Inspector, options: &Options, outcome: Outcome) -> Self {
        let (verdict, reason) = match outcome {
            Outcome::Pass => (Verdict::Passes, String::new()),
            Outcome::Denied(text) => (Verdict::Denied, text.into_owned()),
            Outcome::TooLarge => (Verdict::TooLarge, dispatch::too_large_reason(inspector, options)),
            Outcome::Failed(text) => (Verdict::CannotBeInspected, text.into_owned()),
        };
        Self { inspected: Some(inspector.what()), verdict, reason }
    }

    fn asks(inspector: Inspector) -> Self {
        Self { inspected: Some(inspector.what()), verdict: Verdict::DependsOnTheEngine, reason: String::new() }
    }
}
