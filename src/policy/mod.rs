//! Decisions, rollout modes and reason codes.

/// What was decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Forwarded.
    Allow,
    /// Refused; nothing reached the Engine.
    Deny,
    /// Would have been refused, but the profile's mode only observes; forwarded.
    WouldDeny,
}

impl Decision {
    /// The value in records and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::WouldDeny => "would_deny",
        }
    }
}

/// Rollout mode of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Denials are denials.
    Enforce,
    /// Denials are recorded as warnings and the request is forwarded.
    Warn,
    /// Denials are recorded and the request is forwarded.
    Audit,
}

impl Mode {
    /// Every mode once.
    pub const ALL: &'static [Mode] = &[Mode::Enforce, Mode::Warn, Mode::Audit];

    /// The value in records and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Warn => "warn",
            Mode::Audit => "audit",
        }
    }
}

/// Why a request was decided as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// A rule allowed the request.
    MatchedAllowRule,
    /// No rule matched.
    NoMatchingAllowRule,
    /// The profile's token bucket is empty.
    RateLimitExceeded,
    /// The Engine cannot be reached or broke off.
    UpstreamSocketUnreachable,
}

impl Reason {
    /// Every reason once, in index order.
    pub const ALL: &'static [Reason] = &[
        Reason::MatchedAllowRule,
        Reason::NoMatchingAllowRule,
        Reason::RateLimitExceeded,
        Reason::UpstreamSocketUnreachable,
    ];

    /// The `reason_code` in records and labels.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Reason::MatchedAllowRule => "matched_allow_rule",
            Reason::NoMatchingAllowRule => "no_matching_allow_rule",
            Reason::RateLimitExceeded => "rate_limit_exceeded",
            Reason::UpstreamSocketUnreachable => "upstream_socket_unreachable",
        }
    }

    /// Position among all reasons.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
