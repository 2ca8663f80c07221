//! The verdict on a candidate in one machine-readable object (spec 10 §3.2, 70 §10.1).
//!
//! Owns the shape, which `validate --output json` prints and the admin endpoint answers with.

use serde::Serialize;

use super::candidate::{Candidate, LoadError};
use super::problem::Problems;

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the candidate may run.
    pub ok: bool,
    /// Rules in effect at the root; 0 when the candidate may not run.
    pub rules: usize,
    /// Profiles; 0 when the candidate may not run.
    pub profiles: usize,
    /// Whether the rules come from compatibility variables.
    pub compat_active: bool,
    /// What is wrong, one entry for each problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

impl Report {
    /// The candidate may run.
    #[must_use]
    pub fn passed(candidate: &Candidate) -> Self {
        Self {
            ok: true,
            rules: candidate.rules().len(),
            profiles: candidate.config.clients.profiles.len(),
            compat_active: candidate.is_compatibility_mode(),
            errors: Vec::new(),
        }
    }

    /// The candidate was read but may not run.
    #[must_use]
    pub fn rejected(candidate: &Candidate, problems: &Problems) -> Self {
        let compat_active = candidate.is_compatibility_mode();
        Self { ok: false, rules: 0, profiles: 0, compat_active, errors: problems.lines() }
    }

    /// The candidate could not be read: one entry, whatever the number of problems.
    #[must_use]
    pub fn unreadable(problems: &Problems) -> Self {
        let errors = vec![format!("parse: {}", problems.lines().join("; "))];
        Self { ok: false, rules: 0, profiles: 0, compat_active: false, errors }
    }

    /// There was nothing to read a candidate from.
    #[must_use]
    pub fn not_loaded(error: &LoadError) -> Self {
        match error {
            LoadError::Load(problems) => Self::unreadable(problems),
            LoadError::Preflight(_) => {
                Self { ok: false, rules: 0, profiles: 0, compat_active: false, errors: vec![error.to_string()] }
            }
        }
    }
}
