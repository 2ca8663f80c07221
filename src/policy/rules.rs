//! Ordered rules: first match wins, no match is a denial (spec 20 §4).
//!
//! Owns the compiled rule set and its one question, [`RuleSet::judge`]. Also owns what no rule may override: `CONNECT`
//! and paths that the Engine would read with another version prefix than policy does (spec 20 §11 gaps 1 and 4).

use thiserror::Error;

use super::decision::{Decision, Mode, Reason};
use super::methods::{Methods, RequestMethod};
use crate::glob::Glob;
use crate::target::path::has_version_segment;

/// Reason text of a denial by default. A deny rule with this very text counts as no match (spec 20 §6).
pub const NO_MATCHING_ALLOW_RULE: &str = "no matching allow rule";

/// What a rule does with the requests that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Forward, after inspection.
    Allow,
    /// Refuse.
    Deny,
}

impl Action {
    /// The value in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Action::Allow => "allow",
            Action::Deny => "deny",
        }
    }
}

/// A rule as written, before it is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleSpec<'text> {
    /// `match.method`: a comma-separated list.
    pub method: &'text str,
    /// `match.path`: a glob.
    pub path: &'text str,
    /// `allow` or `deny`, exactly.
    pub action: &'text str,
    /// Reason text; may be empty.
    pub reason: &'text str,
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    methods: Methods,
    path: Glob,
    action: Action,
    code: Reason,
    reason: Box<str>,
    method_text: Box<str>,
    path_text: Box<str>,
}

impl Rule {
    /// What the rule does.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }

    /// The reason as written; empty when there is none.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// `match.method` as written.
    #[must_use]
    pub fn method_text(&self) -> &str {
        &self.method_text
    }

    /// `match.path` as written.
    #[must_use]
    pub fn path_text(&self) -> &str {
        &self.path_text
    }

    /// Whether the path pattern begins with a version prefix. Such a rule never matches a request that the Engine
    /// understands; the operator gets a warning (spec 20 §4.1).
    #[must_use]
    pub fn has_versioned_path(&self) -> bool {
        has_version_segment(self.path_text.as_bytes())
    }

    fn matches(&self, method: RequestMethod<'_>, canonical: &[u8]) -> bool {
        self.methods.contains(method) && self.path.matches(canonical)
    }

    fn compile(spec: &RuleSpec<'_>) -> Result<Rule, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let methods = Methods::parse(spec.method);
        if methods.is_none() {
            problems.push(RuleProblem::MissingMethod);
        }
        if spec.path.is_empty() {
            problems.push(RuleProblem::MissingPath);
        }
        if spec.path.contains('%') {
            problems.push(RuleProblem::EscapeInPath(spec.path.to_owned()));
        }
        let action = match spec.action {
            "allow" => Some(Action::Allow),
            "deny" => Some(Action::Deny),
            other => {
                problems.push(RuleProblem::UnknownAction(other.to_owned()));
                None
            }
        };
        let (Some(methods), Some(action), true) = (methods, action, problems.is_empty()) else {
            return Err(problems);
        };
        let code = match action {
            Action::Allow => Reason::MatchedAllowRule,
            Action::Deny if spec.reason == NO_MATCHING_ALLOW_RULE => Reason::NoMatchingAllowRule,
            Action::Deny => Reason::MatchedDenyRule,
        };
        Ok(Rule {
            methods,
            path: Glob::new(spec.path),
            action,
            code,
            reason: spec.reason.into(),
            method_text: spec.method.into(),
            path_text: spec.path.into(),
        })
    }
}

/// What is wrong with one rule. Displays without the rule's position, for callers that name it by its key path.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleProblem {
    /// The method list is empty or has only commas and blanks.
    #[error("match.method is required")]
    MissingMethod,
    /// The path pattern is empty.
    #[error("match.path is required")]
    MissingPath,
    /// The path is decoded before it is matched, so the rule could never match.
    #[error("match.path has a literal '%' and could never match, because paths are decoded before matching: {0:?}")]
    EscapeInPath(String),
    /// The action is something else, or not in lower case.
    #[error("action must be allow or deny, got {0:?}")]
    UnknownAction(String),
}

/// Why a list of rules does not compile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    /// There are no rules. A policy that denies everything has to say so.
    #[error("rules must contain at least one rule")]
    NoRules,
    /// One rule is wrong.
    #[error("rule {}: {problem}", .index + 1)]
    Rule {
        /// 0-based position; displayed 1-based.
        index: usize,
        /// What is wrong with it.
        problem: RuleProblem,
    },
}

/// What the rules say about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict<'policy> {
    /// [`Decision::Allow`] or [`Decision::Deny`], before any rollout mode: see [`Verdict::under`].
    pub decision: Decision,
    /// 0-based index of the rule that matched, -1 without one.
    pub rule: i32,
    /// Reason code.
    pub reason: Reason,
    /// Reason text; empty when the rule has none.
    pub text: &'policy str,
    /// Whether the denial stands in every rollout mode, because later stages would work on another path than the
    /// Engine.
    pub is_final: bool,
}

impl Verdict<'_> {
    /// The verdict on a request that no rule speaks for.
    pub const NO_MATCH: Verdict<'static> = Verdict {
        decision: Decision::Deny,
        rule: -1,
        reason: Reason::NoMatchingAllowRule,
        text: NO_MATCHING_ALLOW_RULE,
        is_final: false,
    };

    /// The verdict on a request that no rule may speak for.
    pub const REFUSED: Verdict<'static> = Verdict { is_final: true, ..Verdict::NO_MATCH };

    /// The decision under a profile's rollout mode. A final denial stays one: forwarded in warn mode, the request would
    /// get past redaction and owner stamps, which are no denials and hold in every mode.
    #[must_use]
    pub fn under(&self, mode: Mode) -> Decision {
        match self.decision {
            Decision::Deny if !self.is_final => mode.denial(self.reason),
            Decision::Allow | Decision::Deny | Decision::WouldDeny => self.decision,
        }
    }
}

/// Compiled rules in declared order.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Box<[Rule]>,
}

impl RuleSet {
    /// Compiles rules.
    ///
    /// # Errors
    /// All problems of all rules, in order. A path without a leading `/` or with odd wildcards is none.
    pub fn compile(specs: &[RuleSpec<'_>]) -> Result<RuleSet, Vec<RuleError>> {
        if specs.is_empty() {
            return Err(vec![RuleError::NoRules]);
        }
        let mut rules = Vec::with_capacity(specs.len());
        let mut errors = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            match Rule::compile(spec) {
                Ok(rule) => rules.push(rule),
                Err(problems) => {
                    errors.extend(problems.into_iter().map(|problem| RuleError::Rule { index, problem }));
                }
            }
        }
        if errors.is_empty() { Ok(RuleSet { rules: rules.into() }) } else { Err(errors) }
    }

    /// The rule set without rules, which denies every request: what an unusable policy is replaced by.
    #[must_use]
    pub fn deny_everything() -> RuleSet {
        RuleSet { rules: Box::default() }
    }

    /// The rules in declared order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Judges a request by its method as received and its canonical path. Allocates nothing.
    #[must_use]
    pub fn judge(&self, method: &[u8], canonical: &[u8]) -> Verdict<'_> {
        let method = RequestMethod::new(method);
        // `CONNECT` asks for a tunnel past the policy, and its empty path is matched by `/**`.
        if has_version_segment(canonical) || method.is("CONNECT") {
            return Verdict::REFUSED;
        }
        let matched = (0..).zip(&self.rules).find(|(_, rule)| rule.matches(method, canonical));
        let Some((index, rule)) = matched else { return Verdict::NO_MATCH };
        let decision = match rule.action {
            Action::Allow => Decision::Allow,
            Action::Deny => Decision::Deny,
        };
        Verdict { decision, rule: index, reason: rule.code, text: &rule.reason, is_final: false }
    }
}

#[cfg(test)]
mod tests;
