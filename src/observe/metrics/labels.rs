//! Label sets of the request families (spec 70 §8).
//!
//! Owns the way from a record to label values. All of them come from closed sets or from the configuration: a client
//! must not be able to grow the metrics by inventing methods or paths.

use std::sync::Arc;

use super::exposition::Labels;
use crate::endpoint::Route;
use crate::policy::{Decision, Mode, Reason};
use crate::record::Record;

/// Profile label of a request without a profile.
pub(super) const NO_PROFILE: &str = "default";
/// Profile label of a throttled caller without a profile.
pub(super) const THROTTLED_WITHOUT_PROFILE: &str = "_anonymous";

/// Methods with a label of their own, frequent ones first.
const METHODS: [&str; 9] = ["GET", "POST", "HEAD", "DELETE", "PUT", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
/// Label of every other method.
const OTHER_METHOD: &str = "UNKNOWN";

/// Labels of the request counter, in emission order, which is their sort order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RequestLabels {
    decision: &'static str,
    method: &'static str,
    profile: Arc<str>,
    route: &'static str,
    status: u16,
}

impl RequestLabels {
    pub(super) fn show(&self, write: impl FnOnce(Labels<'_>)) {
        let mut status = itoa::Buffer::new();
        write(&[
            ("decision", self.decision),
            ("method", self.method),
            ("profile", &self.profile),
            ("route", self.route),
            ("status", status.format(self.status)),
        ]);
    }
}

/// Labels of the duration histogram.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DurationLabels {
    decision: &'static str,
    method: &'static str,
    profile: Arc<str>,
    route: &'static str,
}

impl DurationLabels {
    pub(super) fn pairs(&self) -> [(&'static str, &str); 4] {
        [("decision", self.decision), ("method", self.method), ("profile", &self.profile), ("route", self.route)]
    }
}

/// Labels of the denial counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeniedLabels {
    mode: &'static str,
    profile: Arc<str>,
    reason_code: &'static str,
    route: &'static str,
}

impl DeniedLabels {
    pub(super) fn pairs(&self) -> [(&'static str, &str); 4] {
        [("mode", self.mode), ("profile", &self.profile), ("reason_code", self.reason_code), ("route", self.route)]
    }
}

/// Labels of the throttle counter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ThrottleLabels {
    pub(super) mode: &'static str,
    pub(super) profile: Arc<str>,
    pub(super) reason_code: &'static str,
}

impl ThrottleLabels {
    pub(super) fn pairs(&self) -> [(&'static str, &str); 3] {
        [("mode", self.mode), ("profile", &self.profile), ("reason_code", self.reason_code)]
    }
}

/// What of a record decides which series it counts in, the profile apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    decision: DecisionLabel,
    denied: bool,
    method: Method,
    route: Route,
    status: u16,
    mode: Mode,
    reason: Option<Reason>,
}

impl Facts {
    pub(super) fn new(record: &Record<'_>, route: Route) -> Facts {
        Facts {
            decision: DecisionLabel::new(record.decision, record.status),
            denied: match record.decision {
                Some(Decision::Deny | Decision::WouldDeny) => true,
                Some(Decision::Allow) | None => false,
            },
            method: Method::new(record.method),
            route,
            status: record.status,
            mode: record.mode.unwrap_or(Mode::Enforce),
            reason: record.reason,
        }
    }

    /// The same facts without those that a client chooses from.
    pub(super) fn merged(self) -> Facts {
        Facts { method: Method::OTHER, route: Route::UNKNOWN, ..self }
    }

    /// All facts and the index of the profile in one integer. Modes and reasons matter to denials only.
    pub(super) fn key(&self, profile: u16) -> u64 {
        let (mode, reason) = if self.denied { (self.mode as u8, reason_index(self.reason)) } else { (0, 0) };
        u64::from_be_bytes([
            reason,
            (self.decision as u8) << 4 | mode,
            self.method.index,
            // There are fewer than 256 routes, which the assertion below holds.
            self.route.index() as u8,
            profile.to_be_bytes()[0],
            profile.to_be_bytes()[1],
            self.status.to_be_bytes()[0],
            self.status.to_be_bytes()[1],
        ])
    }

    pub(super) fn request_labels(&self, profile: &Arc<str>) -> RequestLabels {
        RequestLabels {
            decision: self.decision.as_str(),
            method: self.method.label,
            profile: Arc::clone(profile),
            route: self.route.as_str(),
            status: self.status,
        }
    }

    pub(super) fn duration_labels(&self, profile: &Arc<str>) -> DurationLabels {
        DurationLabels {
            decision: self.decision.as_str(),
            method: self.method.label,
            profile: Arc::clone(profile),
            route: self.route.as_str(),
        }
    }

    /// None when the request was not denied.
    pub(super) fn denied_labels(&self, profile: &Arc<str>) -> Option<DeniedLabels> {
        self.denied.then(|| DeniedLabels {
            mode: self.mode.as_str(),
            profile: Arc::clone(profile),
            reason_code: self.reason.map_or("unknown", |reason| reason.code()),
            route: self.route.as_str(),
        })
    }
}

const _: () = assert!(Route::COUNT <= 256 && Reason::ALL.len() < 256, "routes and reasons are one byte of a key");

/// 0 for no reason.
fn reason_index(reason: Option<Reason>) -> u8 {
    reason.map_or(0, |reason| reason.index() as u8 + 1)
}

/// Key of a throttle series.
pub(super) fn throttle_key(mode: Mode, reason: Reason, profile: u16) -> u64 {
    let [high, low] = profile.to_be_bytes();
    u64::from_be_bytes([0, 0, 0, 0, mode as u8, reason_index(Some(reason)), high, low])
}

/// Values of the `decision` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum DecisionLabel {
    Allow,
    Deny,
    Error,
    WouldDeny,
}

impl DecisionLabel {
    /// A request that was never evaluated goes by its outcome.
    fn new(decision: Option<Decision>, status: u16) -> DecisionLabel {
        match decision {
            Some(Decision::Allow) => DecisionLabel::Allow,
            Some(Decision::Deny) => DecisionLabel::Deny,
            Some(Decision::WouldDeny) => DecisionLabel::WouldDeny,
            None if status >= 400 => DecisionLabel::Error,
            None => DecisionLabel::Allow,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            DecisionLabel::Allow => Decision::Allow.as_str(),
            DecisionLabel::Deny => Decision::Deny.as_str(),
            DecisionLabel::Error => "error",
            DecisionLabel::WouldDeny => Decision::WouldDeny.as_str(),
        }
    }
}

/// Value of the `method` label.
#[derive(Clone, Copy, Debug)]
struct Method {
    index: u8,
    label: &'static str,
}

impl Method {
    const OTHER: Method = Method { index: u8::MAX, label: OTHER_METHOD };

    fn new(method: &[u8]) -> Method {
        let known = (0..).zip(METHODS).find(|(_, known)| known.as_bytes() == method);
        known.map_or(Method::OTHER, |(index, label)| Method { index, label })
    }
}
