//! The plan: one compiled policy, immutable from the moment it is published.
//!
//! Owns what a request is judged by once its caller is known: the root policy or one profile's. Changing anything means
//! compiling another plan and swapping it in; a request keeps the plan with which it began.

use super::rules::RuleSet;
use crate::inspect::Options;
use crate::redaction::Toggles;

/// How much a denied caller is told (`response.deny_verbosity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verbosity {
    /// The generic message only.
    Minimal,
    /// Method, path and reason too. For rule authoring.
    Verbose,
}

impl Verbosity {
    /// Reads the configured value; anything but `verbose` is minimal, so that a typing error tells callers nothing.
    #[must_use]
    pub fn from_config(value: &str) -> Verbosity {
        if value == "verbose" { Verbosity::Verbose } else { Verbosity::Minimal }
    }

    /// The value in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verbosity::Minimal => "minimal",
            Verbosity::Verbose => "verbose",
        }
    }
}

/// One compiled, immutable policy.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rules, judged first.
    pub rules: RuleSet,
    /// What a denied caller is told.
    pub verbosity: Verbosity,
    /// What is taken out of the Engine's answers.
    pub redaction: Toggles,
    /// What requests may ask the Engine for.
    pub inspection: Options,
    /// `insecure_allow_body_blind_writes`: exec without a command allow list is acknowledged.
    pub body_blind_writes: bool,
    /// `insecure_allow_read_exfiltration`: raw reads are acknowledged.
    pub read_exfiltration: bool,
}
