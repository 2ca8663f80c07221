//! Tables of spec 20 §4, the corpus and the differential oracle of §10, and the gaps of §11.

use proptest::prelude::*;

use super::*;
use crate::endpoint::{Endpoint, classify};
use crate::target::{RequestPath, Target};

fn compile(specs: &[(&str, &str, &str, &str)]) -> RuleSet {
    let specs: Vec<RuleSpec<'_>> =
        specs.iter().map(|(action, method, path, reason)| RuleSpec { method, path, action, reason }).collect();
    RuleSet::compile(&specs).unwrap()
}

/// The verdict on a raw target, by the way that a request takes.
fn judge<'policy>(rules: &'policy RuleSet, method: &str, raw: &str) -> Verdict<'policy> {
    let target = Target::parse(method.as_bytes(), raw.as_bytes()).unwrap();
    let mut path = RequestPath::default();
    path.set(target.path_of(raw.as_bytes())).unwrap();
    rules.judge(method.as_bytes(), path.canonical())
}

#[test]
fn the_first_match_decides() {
    let listing = &[
        ("allow", "GET", "/_ping", ""),
        ("allow", "GET", "/containers/**", ""),
        ("deny", "*", "/**", NO_MATCHING_ALLOW_RULE),
    ][..];
    for (specs, method, target, decision, rule, reason) in [
        (listing, "GET", "/_ping", Decision::Allow, 0, Reason::MatchedAllowRule),
        (listing, "GET", "/v1.45/containers/json", Decision::Allow, 1, Reason::MatchedAllowRule),
        (listing, "POST", "/containers/create", Decision::Deny, 2, Reason::NoMatchingAllowRule),
        (listing, "GET", "/images/json", Decision::Deny, 2, Reason::NoMatchingAllowRule),
        (listing, "HEAD", "/_ping", Decision::Deny, 2, Reason::NoMatchingAllowRule),
        (
            &[("deny", "GET", "/secret", "hands off"), ("allow", "GET", "/secret", "")],
            "GET",
            "/secret",
            Decision::Deny,
            0,
            Reason::MatchedDenyRule,
        ),
        (
            &[("allow", "GET", "/public", ""), ("deny", "GET", "/public", "")],
            "GET",
            "/public",
            Decision::Allow,
            0,
            Reason::MatchedAllowRule,
        ),
        (
            &[("deny", "POST", "/containers/create", ""), ("allow", "POST", "/**", "")],
            "POST",
            "/containers/create",
            Decision::Deny,
            0,
            Reason::MatchedDenyRule,
        ),
        (&[("allow", "GET", "/x", "")], "GET", "/y", Decision::Deny, -1, Reason::NoMatchingAllowRule),
        // Same text, other case: an ordinary deny rule.
        (&[("deny", "GET", "/x", "No matching allow rule")], "GET", "/x", Decision::Deny, 0, Reason::MatchedDenyRule),
        (&[("allow", "OPTIONS", "/**", "")], "OPTIONS", "*", Decision::Allow, 0, Reason::MatchedAllowRule),
        (&[("allow", "*", "/*", "")], "OPTIONS", "*", Decision::Deny, -1, Reason::NoMatchingAllowRule),
    ] {
        let rules = compile(specs);
        let verdict = judge(&rules, method, target);
        assert_eq!((verdict.decision, verdict.rule, verdict.reason), (decision, rule, reason), "{method} {target}");
    }
}

#[test]
fn the_text_is_the_rules_own() {
    let rules = compile(&[("deny", "GET", "/a", "hands off"), ("deny", "GET", "/b", ""), ("allow", "GET", "/c", "ok")]);
    assert_eq!(judge(&rules, "GET", "/a").text, "hands off");
    assert_eq!(judge(&rules, "GET", "/b").text, "");
    assert_eq!(judge(&rules, "GET", "/c").text, "ok");
    assert_eq!(judge(&rules, "GET", "/d"), Verdict::NO_MATCH);
    assert_eq!(judge(&rules, "GET", "/d").text, "no matching allow rule");
    assert_eq!(judge(&RuleSet::deny_everything(), "GET", "/_ping"), Verdict::NO_MATCH);
}

#[test]
fn compiling_reports_every_problem() {
    let texts = |specs: &[(&str, &str, &str)]| -> Vec<String> {
        let specs: Vec<RuleSpec<'_>> =
            specs.iter().map(|(action, method, path)| RuleSpec { method, path, action, reason: "" }).collect();
        match RuleSet::compile(&specs) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        }
    };
    assert_eq!(texts(&[]), ["rules must contain at least one rule"]);
    for accepted in [("allow", "GET", "containers/json"), ("deny", "*", "**/x"), ("allow", "BREW", "/v1.45/x")] {
        assert!(texts(&[accepted]).is_empty(), "{accepted:?}");
    }
    for method in ["", ",", " , "] {
        assert_eq!(texts(&[("allow", method, "/x")]), ["rule 1: match.method is required"]);
    }
    assert_eq!(
        texts(&[
            ("allow", "GET", "/_ping"),
            ("Allow", "GET", ""),
            ("permit", "", "/a%20b"),
            ("deny", "GET", "/containers%2Fjson"),
        ]),
        [
            "rule 2: match.path is required",
            "rule 2: action must be allow or deny, got \"Allow\"",
            "rule 3: match.method is required",
            "rule 3: match.path has a literal '%' and could never match, because paths are decoded before matching: \"/a%20b\"",
            "rule 3: action must be allow or deny, got \"permit\"",
            "rule 4: match.path has a literal '%' and could never match, because paths are decoded before matching: \"/containers%2Fjson\"",
        ]
    );
}

#[test]
fn versioned_rule_paths_are_told() {
    let rules =
        compile(&[("allow", "GET", "/v1.45/x", ""), ("allow", "GET", "/volumes", ""), ("deny", "*", "/**", "")]);
    let versioned: Vec<bool> = rules.rules().iter().map(Rule::has_versioned_path).collect();
    assert_eq!(versioned, [true, false, false]);
}

/// Spec 20 §10: what the policy `{allow GET /containers/json}` allows.
#[test]
fn the_corpus() {
    let rules = compile(&[("allow", "GET", "/containers/json", "")]);
    for target in [
        "/containers/json",
        "/v1.45/containers/json",
        "/v1/containers/json",
        "/v9.99/containers/json",
        "/v01.45/containers/json",
        "/v0/containers/json",
        "/containers/json/",
        "//containers/json",
        "///containers/json",
        "/containers//json",
        "/containers////json",
        "/./containers/json",
        "/containers/./json",
        "/containers/json/../json",
        "/containers/create/../json",
        "/containers/create/%2e%2e/json",
        "/containers/json/../../../containers/json",
        "/containers/%6a%73%6f%6e",
        "/containers%2Fjson",
        "/containers/json?all=1",
        "http://docker/containers/json",
    ] {
        assert_eq!(judge(&rules, "GET", target).decision, Decision::Allow, "{target}");
        assert_eq!(judge(&rules, "POST", target).decision, Decision::Deny, "{target}");
        assert_eq!(judge(&rules, "HEAD", target).decision, Decision::Deny, "{target}");
    }
    for target in [
        "/V1.45/containers/json",
        "/v1.45/v1.46/containers/json",
        "/v/containers/json",
        "/v1.45.99.1/containers/json",
        "/v1.45.99/containers/json",
        "/containers/json/../create",
        "/containers/json/%2e%2e/create",
        "/containers/json/../../exec/abc/start",
        "/Containers/json",
        "/containers/JSON",
        "/containers/json;ignore=1",
        "/containers;x/json",
        "/containers/json%00",
        "/containers%5cjson",
        "/containers/json%20",
        "/containers/json%09",
        "/containers/json%0a",
        "/containers/json%0d",
        "/containers/%256a%2573%256f%256e",
        "/containers%252Fjson",
        "/containers/%252e/json",
        "/containers/json%00/extra",
        "/containers%00/json",
        "/containers/%00/json",
        "/containers/json%3Fall=1",
        "/containers/json/extra",
        "http://containers/json",
    ] {
        for method in ["GET", "POST"] {
            let verdict = judge(&rules, method, target);
            assert_eq!(Verdict { is_final: false, ..verdict }, Verdict::NO_MATCH, "{method} {target}");
        }
    }
}

/// Spec 20 §11 gap 1: the Engine would execute these past their inspector.
#[test]
fn unaccepted_versions_are_denied_whatever_the_rules_say() {
    let rules = compile(&[("allow", "*", "/**", "")]);
    for target in ["/v1.45.99.1/containers/create", "/v1.45.99/containers/create", "/v1./x", "/v.1/x", "/v1/v2/x"] {
        assert_eq!(judge(&rules, "POST", target), Verdict::REFUSED, "{target}");
    }
    for target in ["/v1.45/containers/create", "/v1/x", "/v/x", "/volumes/create", "/version", "/V1.2.3/x"] {
        assert_eq!(judge(&rules, "POST", target).decision, Decision::Allow, "{target}");
    }
}

/// Spec 20 §11 gap 4: its empty path is matched by `/**`.
#[test]
fn connect_is_denied_whatever_the_rules_say() {
    for method in ["*", "CONNECT", "connect"] {
        let rules = compile(&[("allow", method, "/**", "")]);
        for (method, target) in [("CONNECT", "docker:2375"), ("CONNECT", "/containers/json"), ("connect", "/info")] {
            assert_eq!(judge(&rules, method, target), Verdict::REFUSED, "{method} {target}");
        }
    }
    let rules = compile(&[("allow", "*", "/**", "")]);
    assert_eq!(judge(&rules, "GET", "/containers/json").decision, Decision::Allow);
    assert_eq!(judge(&rules, "CONNECTED", "/containers/json").decision, Decision::Allow);
}

#[test]
fn rollout_modes_relax_what_rules_deny_and_nothing_else() {
    let rules = compile(&[("allow", "GET", "/info", ""), ("deny", "GET", "/events", "")]);
    for (method, target, enforced, observed) in [
        ("GET", "/info", Decision::Allow, Decision::Allow),
        ("GET", "/events", Decision::Deny, Decision::WouldDeny),
        ("GET", "/version", Decision::Deny, Decision::WouldDeny),
        ("CONNECT", "/info", Decision::Deny, Decision::Deny),
        ("GET", "/v1.45.99.1/info", Decision::Deny, Decision::Deny),
    ] {
        let verdict = judge(&rules, method, target);
        assert_eq!(verdict.under(Mode::Enforce), enforced, "{method} {target}");
        assert_eq!(verdict.under(Mode::Warn), observed, "{method} {target}");
        assert_eq!(verdict.under(Mode::Audit), observed, "{method} {target}");
    }
}

/// The Engine's router as spec 20 §10 models it, reduced to what a policy could be tricked about: the path that it
/// routes. Written apart from the code under test.
fn oracle(raw_path: &str) -> Vec<u8> {
    let decoded = {
        let (mut out, bytes, mut at) = (Vec::new(), raw_path.as_bytes(), 0);
        while at < bytes.len() {
            if bytes[at] == b'%' {
                out.push(u8::from_str_radix(&raw_path[at + 1..at + 3], 16).unwrap());
                at += 3;
            } else {
                out.push(bytes[at]);
                at += 1;
            }
        }
        out
    };
    let stripped = match decoded.strip_prefix(b"/v") {
        Some(rest) => {
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
            if length > 0 && rest.get(length) == Some(&b'/') { &rest[length..] } else { &decoded[..] }
        }
        None => &decoded[..],
    };
    let mut stack: Vec<&[u8]> = Vec::new();
    for segment in stripped.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(stack.pop()),
            other => stack.push(other),
        }
    }
    [b"/", &stack.join(&b'/')[..]].concat()
}

/// Whatever the spelling, an allowed request is one that the Engine routes to what was allowed, or to nothing.
fn routed_as_judged(method: &str, raw: &str) -> Result<(), TestCaseError> {
    let listing = compile(&[("allow", "GET", "/containers/json", "")]);
    let routed = oracle(raw);
    if judge(&listing, method, raw).decision == Decision::Allow {
        prop_assert!(method.eq_ignore_ascii_case("GET"));
        prop_assert!(
            routed == b"/containers/json" || classify(&routed) == Endpoint::Unknown,
            "{} reaches {}",
            raw,
            routed.escape_ascii()
        );
    }

    // Under a broad rule the endpoint that selects the inspector is the one that the Engine executes.
    let everything = compile(&[("allow", "*", "/**", "")]);
    if judge(&everything, method, raw).decision == Decision::Allow {
        let mut path = RequestPath::default();
        path.set(raw.as_bytes()).unwrap();
        // A spelling that the Engine routes nowhere executes nothing, whatever it was judged as.
        prop_assert!(
            [classify(path.canonical()), Endpoint::Unknown].contains(&classify(&routed)),
            "{} is judged as {} and routed as {}",
            raw,
            path.canonical().escape_ascii(),
            routed.escape_ascii()
        );
    }
    Ok(())
}

/// A version counts as one in front alone, also where the path spells it twice.
#[test]
fn a_version_behind_a_name_is_a_name() {
    routed_as_judged("GET", "//v1.45/containers/v1.45").unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8000))]

    #[test]
    fn the_engine_routes_what_was_judged(
        method in prop_oneof![Just("GET"), Just("POST"), Just("get"), Just("HEAD"), Just("CONNECT")],
        parts in proptest::collection::vec(
            prop_oneof![
                Just("/"), Just("/"), Just("."), Just(".."), Just("v1.45"), Just("v1"), Just("v1.2.3"), Just("v."),
                Just("containers"), Just("json"), Just("create"), Just("exec"), Just("%2e"), Just("%2F"), Just("%76"),
                Just("%00"), Just("%252f"), Just("x"), Just("V1"), Just(";"),
            ],
            0..10,
        ),
    ) {
        routed_as_judged(method, &format!("/{}", parts.concat()))?;
    }
}
