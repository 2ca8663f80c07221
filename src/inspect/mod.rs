//! Request-body inspection: what a request asks the Engine for, judged before the Engine sees it (spec 30).
//!
//! Owns the verdict type, the options and one file per Engine resource. Everything here is pure: query, headers, body
//! and the Engine's answers in, [`Outcome`] out. It reads no socket and rewrites nothing; whoever calls forwards the
//! bytes that were inspected, or none. [`dispatch`] chooses the file and says what it has to be given.

use std::borrow::Cow;

pub mod archive;
pub mod build;
pub mod capabilities;
pub mod container_archive;
pub mod container_create;
pub mod container_update;
pub mod devices;
pub mod dispatch;
pub mod exec;
pub mod image_load;
pub mod image_pull;
pub mod network;
pub mod node;
pub mod options;
pub mod paths;
pub mod plugin;
pub mod plugin_create;
mod query;
mod reason;
pub mod reference;
mod request;
pub mod secret_config;
mod security;
pub mod service;
mod stop;
pub mod swarm;
#[cfg(test)]
mod testing;
pub mod text;
pub mod volume;

pub use archive::{ArchiveError, BeforeBody, Upload};
pub use dispatch::{Needs, Scratch, inspect, inspect_archive, inspect_before_body, needs, too_large_reason};
pub use options::Options;
pub use request::{Answer, Question, Request, Step};

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
