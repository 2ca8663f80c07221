//! What is allowed: rules, their glob dialect, decisions and reason codes, start-up guards, and the compiled plan.
//!
//! Owns every verdict that needs only method and path (spec 20 §3 to §8). It knows no configuration format: whoever
//! loads one compiles it into a [`Plan`]. It reads no socket and keeps no state between requests.

pub mod answer;
pub mod decision;
pub mod guards;
pub mod methods;
pub mod plan;
pub mod rules;

pub use crate::glob::Glob;
pub use decision::{Decision, Mode, Reason};
pub use methods::{Methods, RequestMethod};
pub use plan::{Plan, Verbosity};
pub use rules::{Action, Rule, RuleError, RuleProblem, RuleSet, RuleSpec, Verdict};
