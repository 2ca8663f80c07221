//! Request-body inspection: what a request asks the Engine for, judged before the Engine sees it (spec 30).
//!
//! Owns the verdict type, the options and one file per Engine resource. Everything here is pure: query, headers and
//! body in, [`Outcome`] out. It reads no socket, asks the Engine nothing and rewrites nothing; whoever calls forwards
//! the bytes that were inspected, or none.

use std::borrow::Cow;

pub mod capabilities;
pub mod devices;
pub mod exec;
pub mod options;
pub mod paths;
mod reason;
mod security;
pub mod text;

pub use options::Options;

/// What an inspection came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Nothing in the request is forbidden: forward it unchanged.
    Pass,
    /// 403, `request_body_policy_denied`. The text is the reason, exactly as spec 30 words it.
    Denied(Cow<'static, str>),
    /// 413, `request_body_too_large`: the body is longer than its inspector reads.
    TooLarge,
    /// 403, `request_body_inspection_failed`: the inspection could not be carried out. The text is the reason.
    Failed(Cow<'static, str>),
}

impl Outcome {
    /// Denied, with `subject`, ` denied: ` and the reason.
    pub(crate) fn denied(subject: &str, reason: impl std::fmt::Display) -> Outcome {
        Outcome::Denied(Cow::Owned(format!("{subject} denied: {reason}")))
    }
}
