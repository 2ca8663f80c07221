//! `match`: what the root rules, and on demand the inspectors, say about one request (spec 10 §3.3).
//!
//! The path goes through the very code that live requests go through, so the answer cannot differ from theirs.

use std::fmt::Write as _;

use serde::Serialize;

use super::Failure;
use super::arguments::{MatchFlags, Output};
use super::carried::BodyJudged;
use super::terminal::{Terminal, on_one_line};
use crate::config::{Candidate, ConfigFile, Environment, Overrides, compile};
use crate::endpoint;
use crate::policy::methods::RequestMethod;
use crate::policy::{Decision, Glob, Methods, Plan, Rule};
use crate::target::RequestPath;

pub(super) fn run(
    file: &ConfigFile,
    environment: &Environment,
    flags: &MatchFlags,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let request = Request::of(flags)?;
    // Rules that nobody wrote answer no question: here the default file has to be there as well.
    if file.read()?.is_none() {
        return Err(Failure::Error(format!("config file: {}: no such file", file.path().display())));
    }
    let candidate = Candidate::load(file, environment, &Overrides::default())?;
    let (_, plan) = compile(&candidate).map_err(|problems| Failure::Error(format!("config validation: {problems}")))?;
    let mut answer = Answer::of(file, &candidate, &plan, &request, flags.explain);
    if let Some(path) = &flags.body {
        let endpoint = endpoint::classify(request.canonical.canonical());
        let inspector = endpoint::inspector(request.method.as_bytes(), endpoint);
        let judged = BodyJudged::of(inspector, request.query.as_bytes(), path, &plan.inspection)?;
        answer.add_body(judged);
    }
    let text = match flags.output {
        Output::Json => format!("{}\n", serde_json::to_string(&answer)?),
        Output::Text => answer.text(),
    };
    Ok(terminal.print(&text)?)
}

/// The request in question.
struct Request {
    method: String,
    path: String,
    query: String,
    canonical: RequestPath,
}

impl Request {
    fn of(flags: &MatchFlags) -> Result<Self, Failure> {
        let method = flags.method.trim().to_uppercase();
        let path = flags.path.trim();
        if method.is_empty() {
            return Err(Failure::Error("--method cannot be blank".to_owned()));
        }
        if !path.starts_with('/') {
            return Err(Failure::Error(format!("--path must start with /, got {path:?}")));
        }
        let mut canonical = RequestPath::default();
        let (raw, query) = path.split_once('?').unwrap_or((path, ""));
        canonical.set(raw.as_bytes()).map_err(|error| Failure::Error(format!("--path: {error}, got {path:?}")))?;
        Ok(Self { method, path: path.to_owned(), query: query.to_owned(), canonical })
    }
}

/// The answer; as JSON it is the documented object.
#[derive(Serialize)]
struct Answer {
    config: String,
    method: String,
    path: String,
    normalized_path: String,
    decision: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    compat_mode: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched_rule: Option<RuleShown>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules_tried: Vec<RuleTried>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<BodyJudged>,
}

/// A rule as configured.
#[derive(Serialize)]
struct RuleShown {
    /// Position, from 1.
    index: usize,
    method: String,
    path: String,
    action: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl RuleShown {
    fn of(index: usize, rule: &Rule) -> Self {
        Self {
            index: index + 1,
            method: rule.method_text().to_owned(),
            path: rule.path_text().to_owned(),
            action: rule.action().as_str(),
            reason: rule.reason().to_owned(),
        }
    }
}

/// A rule and what of it fits the request.
#[derive(Serialize)]
struct RuleTried {
    #[serde(flatten)]
    rule: RuleShown,
    method_matches: bool,
    path_matches: bool,
}

impl Answer {
    fn of(file: &ConfigFile, candidate: &Candidate, plan: &Plan, request: &Request, explain: bool) -> Self {
        let canonical = request.canonical.canonical();
        let rules = plan.rules.rules();
        let verdict = plan.rules.judge(request.method.as_bytes(), canonical);
        let matched = usize::try_from(verdict.rule).ok();
        let tried = matched.map_or(rules.len(), |index| index + 1);
        Self {
            config: file.path().display().to_string(),
            method: request.method.clone(),
            path: request.path.clone(),
            normalized_path: String::from_utf8_lossy(canonical).into_owned(),
            decision: match verdict.decision {
                Decision::Allow => "allow",
                Decision::Deny | Decision::WouldDeny => "deny",
            },
            reason: verdict.text.to_owned(),
            compat_mode: candidate.is_compatibility_mode(),
            matched_rule: matched.and_then(|index| Some(RuleShown::of(index, rules.get(index)?))),
            rules_tried: match explain {
                true => {
                    rules.iter().take(tried).enumerate().map(|(index, rule)| try_rule(index, rule, request)).collect()
                }
                false => Vec::new(),
            },
            body: None,
        }
    }

    /// Takes in what the body is judged to be: a request that the rules allow may be denied for it.
    fn add_body(&mut self, body: BodyJudged) {
        if self.decision == "allow" && body.verdict.denies() {
            self.decision = "deny";
            self.reason.clone_from(&body.reason);
        }
        self.body = Some(body);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "{label:<16} {}", on_one_line(value));
        };
        line("Config:", &self.config);
        line("Method:", &self.method);
        line("Path:", &self.path);
        line("Normalized path:", &self.normalized_path);
        if self.compat_mode {
            line("Mode:", "tecnativa compatibility");
        }
        let mut text = text + "\n";
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "{label:<16} {}", on_one_line(value));
        };
        line("Decision:", self.decision);
        match &self.matched_rule {
            Some(rule) => {
                line("Matched rule:", &format!("#{}", rule.index));
                line("Rule:", &format!("{} {} {}", rule.action, rule.method, rule.path));
            }
            None => line("Matched rule:", "none"),
        }
        if !self.reason.is_empty() {
            line("Reason:", &self.reason);
        }
        if let Some(BodyJudged { inspected, verdict, reason }) = &self.body {
            line("Body:", verdict.as_str());
            line("Inspected:", inspected.unwrap_or("nothing"));
            if !reason.is_empty() {
                line("Body reason:", reason);
            }
        }
        if !self.rules_tried.is_empty() {
            text += "\nRules tried:\n";
        }
        for RuleTried { rule, method_matches, path_matches } in &self.rules_tried {
            let outcome = match (method_matches, path_matches) {
                (true, true) => "matches",
                (true, false) => "path differs",
                (false, true) => "method differs",
                (false, false) => "method and path differ",
            };
            let shown = on_one_line(&format!("{} {} {}", rule.action, rule.method, rule.path));
            let _ = writeln!(text, "  #{:<4} {shown}: {outcome}", rule.index);
        }
        text
    }
}

fn try_rule(index: usize, rule: &Rule, request: &Request) -> RuleTried {
    let method = RequestMethod::new(request.method.as_bytes());
    RuleTried {
        rule: RuleShown::of(index, rule),
        method_matches: Methods::parse(rule.method_text()).is_some_and(|methods| methods.contains(method)),
        path_matches: Glob::new(rule.path_text()).matches(request.canonical.canonical()),
    }
}
