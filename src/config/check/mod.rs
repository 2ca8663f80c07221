//! Structural checks: every one runs, every failure is told (spec 10 §4).
//!
//! Owns the order of the checks and their numbers, which are the spec's: a comment `// 55` marks where check 55 is
//! made. A check looks at values only, apart from the certificate files of a TLS listener, which it opens. What the
//! rules open is not judged here but by the guards that [`compile`](super::compile) runs afterwards.

mod clients;
mod forms;
mod listener;
mod pem;
mod process;
mod request_body;
mod trust;

use super::candidate::Candidate;
use super::problem::{Origins, Problem, Problems, alternatives, quoted};
use super::schema::{Config, Rule};
use super::settings::ListenAddress;
use crate::policy::{RuleError, RuleSet, RuleSpec};

pub(super) use clients::effective_burst;
pub use forms::{clean_path, is_loopback};
pub(super) use listener::is_complete as is_mutual_tls;

/// Runs all checks.
#[must_use]
pub fn check(candidate: &Candidate) -> Problems {
    let mut check = Check::new(&candidate.config, &candidate.origins);
    process::check(&mut check);
    request_body::check(&mut check, "request_body", &candidate.config.request_body);
    clients::check(&mut check);
    check.root_rules();
    check.problems
}

/// Context of the checks.
struct Check<'a> {
    config: &'a Config,
    origins: &'a Origins,
    problems: Problems,
}

impl<'a> Check<'a> {
    fn new(config: &'a Config, origins: &'a Origins) -> Self {
        Self { config, origins, problems: Problems::default() }
    }

    /// Notes that the value at `path` is wrong.
    fn wrong(&mut self, path: &str, text: impl Into<String>) {
        self.wrong_at(path, path, text.into());
    }

    /// The same, shown under another name than its key path.
    fn wrong_at(&mut self, shown: &str, path: &str, text: String) {
        self.problems.push(Problem { path: shown.to_owned(), text, origin: self.origins.of(path) });
    }

    /// REQ
    fn required(&mut self, path: &str, value: &str) -> bool {
        let is_there = !value.trim().is_empty();
        if !is_there {
            self.wrong(path, "is required");
        }
        is_there
    }

    /// ENUM, exact.
    fn one_of(&mut self, path: &str, value: &str, values: &[&str]) {
        if !values.contains(&value) {
            self.wrong(path, format!("must be {}, got {}", alternatives(values), quoted(value)));
        }
    }

    /// ENUM without case and surrounding blanks; empty is absent, but blanks alone are not.
    fn one_of_folded(&mut self, path: &str, value: &str, values: &[&str]) {
        if !value.is_empty() && !values.contains(&value.trim().to_lowercase().as_str()) {
            self.wrong(path, format!("must be {}, got {}", alternatives(values), quoted(value)));
        }
    }

    /// Every element has to please `is_right`; `wanted` says what that is.
    fn each(&mut self, path: &str, values: &[String], wanted: &str, is_right: impl Fn(&str) -> bool) {
        for (index, value) in values.iter().enumerate() {
            if !is_right(value) {
                self.wrong(&format!("{path}[{index}]"), format!("must be {wanted}, got {}", quoted(value)));
            }
        }
    }

    /// Whether clients come over a unix socket; the address has a default and says nothing (spec 10 §0).
    fn is_unix(&self) -> bool {
        match ListenAddress::of(self.config) {
            ListenAddress::Unix { .. } => true,
            ListenAddress::Tcp { .. } => false,
        }
    }

    /// 76 to 81 for the root rules, which are named by their 1-based position.
    fn root_rules(&mut self) {
        for error in rule_errors(&self.config.rules) {
            match error {
                RuleError::NoRules => self.wrong("rules", "must contain at least one rule"),
                RuleError::Rule { index, problem } => {
                    let path = format!("rules[{index}]");
                    self.wrong_at(&format!("rule {}", index + 1), &path, problem.to_string());
                }
            }
        }
    }

    /// 57 and 77 to 81 for the rules of a profile.
    fn profile_rules(&mut self, path: &str, rules: &[Rule]) {
        for error in rule_errors(rules) {
            match error {
                RuleError::NoRules => self.wrong(path, "must contain at least one rule"),
                RuleError::Rule { index, problem } => self.wrong(&format!("{path}[{index}]"), problem.to_string()),
            }
        }
    }
}

fn rule_errors(rules: &[Rule]) -> Vec<RuleError> {
    RuleSet::compile(&rule_specs(rules)).err().unwrap_or_default()
}

/// The rules as policy takes them.
#[must_use]
pub fn rule_specs(rules: &[Rule]) -> Vec<RuleSpec<'_>> {
    rules
        .iter()
        .map(|rule| RuleSpec {
            method: &rule.r#match.method,
            path: &rule.r#match.path,
            action: &rule.action,
            reason: &rule.reason,
        })
        .collect()
}

#[cfg(test)]
mod tests;
