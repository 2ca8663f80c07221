//! Decisions, rollout modes and the reason codes of every layer (spec 70 §3.3, 20 §7).
//!
//! Owns the closed sets that records and metrics are written in. Each reason code is defined here once.

/// What was decided about a request. A request that was never evaluated (health, metrics) has none.
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

/// Rollout mode of a profile: what becomes of its denials (spec 20 §7).
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

    /// The value in the configuration, in records and in labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Warn => "warn",
            Mode::Audit => "audit",
        }
    }

    /// What a denial for this reason comes to in this mode.
    #[must_use]
    pub const fn denial(self, reason: Reason) -> Decision {
        match self {
            Mode::Enforce => Decision::Deny,
            Mode::Warn | Mode::Audit => {
                if reason.is_relaxable() {
                    Decision::WouldDeny
                } else {
                    Decision::Deny
                }
            }
        }
    }
}

/// Declares [`Reason`]: variant, code, and whether warn and audit relax it.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident $code:literal $relaxed:ident,)*) => {
        /// Why a request was decided as it was.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason once, in index order.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant,)*];

            /// The `reason_code` in records and labels.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Reason::$variant => $code,)* }
            }

            /// Whether a denial for this reason is forwarded in the modes warn and audit. What is no judgement of a
            /// profile's policy (identity, lookups, malformed requests) is enforced in every mode.
            #[must_use]
            pub const fn is_relaxable(self) -> bool {
                match self { $(Reason::$variant => reasons!(@ $relaxed),)* }
            }

            /// Position among all reasons, below `Reason::ALL.len()`.
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
    (@ relaxed) => { true };
    (@ enforced) => { false };
}

reasons! {
    /// A rule allowed the request.
    MatchedAllowRule "matched_allow_rule" enforced,
    /// A deny rule matched.
    MatchedDenyRule "matched_deny_rule" relaxed,
    /// No rule matched, or the deny rule that did says so in these words.
    NoMatchingAllowRule "no_matching_allow_rule" relaxed,
    /// The caller was assigned a profile that does not exist.
    ClientPolicyProfileUnresolved "client_policy_profile_unresolved" enforced,
    /// An inspector denied the request.
    RequestBodyPolicyDenied "request_body_policy_denied" relaxed,
    /// The body is larger than its inspector reads.
    RequestBodyTooLarge "request_body_too_large" relaxed,
    /// The body could not be inspected.
    RequestBodyInspectionFailed "request_body_inspection_failed" relaxed,
    /// The source address is in no allowed range.
    ClientIpNotAllowed "client_ip_not_allowed" enforced,
    /// The caller's profile could not be found out.
    ClientIdentityLookupFailed "client_identity_lookup_failed" enforced,
    /// The caller's container could not be found out.
    ClientLabelAclLookupFailed "client_label_acl_lookup_failed" enforced,
    /// The labels of the caller's container could not be evaluated.
    ClientLabelAclEvaluationFailed "client_label_acl_evaluation_failed" enforced,
    /// The labels of the caller's container do not allow the request.
    ClientLabelPolicyDeniedRequest "client_label_policy_denied_request" relaxed,
    /// The client gate cannot work as configured.
    ClientAclMisconfigured "client_acl_misconfigured" enforced,
    /// The profiles cannot work as configured; every request gets this.
    ClientProfileConfigInvalid "client_profile_config_invalid" enforced,
    /// The profile's token bucket is empty.
    RateLimitExceeded "rate_limit_exceeded" relaxed,
    /// The profile has its number of requests in flight.
    ConcurrencyCap "concurrency_cap" relaxed,
    /// The share of the global cap that the profile's priority may use is taken.
    PriorityFloor "priority_floor" relaxed,
    /// The resource is not visible to the caller.
    VisibilityPolicyHidResource "visibility_policy_hid_resource" relaxed,
    /// The request's `filters` cannot be read.
    VisibilityFilterInvalid "visibility_filter_invalid" enforced,
    /// The resource could not be looked up.
    VisibilityPolicyLookupFailed "visibility_policy_lookup_failed" enforced,
    /// The answer is too large to be filtered.
    VisibilityResponseTooLarge "visibility_response_too_large" enforced,
    /// Visibility cannot work as configured.
    VisibilityPolicyMisconfigured "visibility_policy_misconfigured" enforced,
    /// The caller was assigned a profile that has no visibility policy.
    VisibilityProfileUnresolved "visibility_profile_unresolved" enforced,
    /// The request cannot be stamped or filtered for its owner.
    OwnerRequestInvalid "owner_request_invalid" enforced,
    /// The owner of the resource could not be looked up.
    OwnerPolicyLookupFailed "owner_policy_lookup_failed" enforced,
    /// The resource belongs to another owner.
    OwnerPolicyDeniedAccess "owner_policy_denied_access" relaxed,
    /// The Engine cannot be reached or broke off.
    UpstreamSocketUnreachable "upstream_socket_unreachable" enforced,
    /// The Engine's answer could not be made safe.
    UpstreamResponseRejectedByPolicy "upstream_response_rejected_by_policy" enforced,
    /// The Engine did not answer in time.
    UpstreamRequestTimeout "upstream_request_timeout" enforced,
    /// Wrong method on an admin endpoint.
    AdminMethodNotAllowed "admin_method_not_allowed" enforced,
    /// The candidate configuration is too large.
    AdminBodyTooLarge "admin_body_too_large" enforced,
    /// The candidate configuration is invalid.
    AdminValidationFailed "admin_validation_failed" enforced,
    /// No policy version was published yet.
    AdminPolicyVersionUnavailable "admin_policy_version_unavailable" enforced,
    /// Unknown path on the admin listener.
    AdminUnknownPath "admin_unknown_path" enforced,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_indexed() {
        let codes: HashSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert_eq!(Reason::ALL.len(), 34);
        for (index, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }

    #[test]
    fn only_judgements_of_policy_are_relaxed() {
        let relaxed: Vec<&str> =
            Reason::ALL.iter().filter(|reason| reason.is_relaxable()).map(|reason| reason.code()).collect();
        assert_eq!(
            relaxed,
            [
                "matched_deny_rule",
                "no_matching_allow_rule",
                "request_body_policy_denied",
                "request_body_too_large",
                "request_body_inspection_failed",
                "client_label_policy_denied_request",
                "rate_limit_exceeded",
                "concurrency_cap",
                "priority_floor",
                "visibility_policy_hid_resource",
                "owner_policy_denied_access",
            ]
        );
    }

    #[test]
    fn modes_turn_denials_into_decisions() {
        for (mode, reason, expected) in [
            (Mode::Enforce, Reason::MatchedDenyRule, Decision::Deny),
            (Mode::Warn, Reason::MatchedDenyRule, Decision::WouldDeny),
            (Mode::Audit, Reason::RequestBodyTooLarge, Decision::WouldDeny),
            (Mode::Warn, Reason::ClientPolicyProfileUnresolved, Decision::Deny),
            (Mode::Audit, Reason::ClientIpNotAllowed, Decision::Deny),
        ] {
            assert_eq!(mode.denial(reason), expected, "{} {}", mode.as_str(), reason.code());
        }
    }
}
