//! Start-up guards: which dangerous endpoints do the rules open? (spec 20 §8, 10 §5)
//!
//! Owns the two catalogues and their probes. A probe is judged exactly like a request, so an earlier deny rule clears
//! it. Rules that name one object are narrow enough to stay silent here; request-time checks still apply to them.

use super::decision::Decision;
use super::rules::RuleSet;

/// What the policy restricts by itself, so that the endpoint is not blind although the rules open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restrictions {
    /// `exec.allowed_commands` is not empty.
    pub exec_commands: bool,
    /// `swarm.allowed_join_remote_addrs` is not empty.
    pub swarm_join_addresses: bool,
    /// `plugin.allowed_set_env_prefixes` is not empty.
    pub plugin_set_prefixes: bool,
}

/// Endpoints whose bodies can do anything and which the rules allow without a restriction, as `POST /swarm/join`. The
/// other inspected endpoints are not in the catalogue: their inspectors deny by default.
#[must_use]
pub fn blind_writes(rules: &RuleSet, restrictions: Restrictions) -> Vec<&'static str> {
    let catalogue = [
        (restrictions.exec_commands, EXEC_CREATE),
        (restrictions.exec_commands, EXEC_START),
        (restrictions.swarm_join_addresses, SWARM_JOIN),
        (restrictions.plugin_set_prefixes, PLUGIN_SET),
    ];
    let unrestricted = catalogue.iter().filter(|(is_restricted, _)| !is_restricted);
    unrestricted.map(|(_, probe)| probe).filter(|probe| probe.is_open(rules)).map(|probe| probe.text).collect()
}

/// Endpoints that stream raw data out of the Engine and which the rules allow, as `GET /containers/*/logs`.
#[must_use]
pub fn read_exfiltration(rules: &RuleSet) -> Vec<&'static str> {
    RAW_READS.iter().filter(|probe| probe.is_open(rules)).map(|probe| probe.text).collect()
}

/// An endpoint of a catalogue.
#[derive(Clone, Copy)]
struct Probe {
    /// Method, blank, path with `*` for the name.
    text: &'static str,
    /// Names that are put in place of `*`; open for one is open.
    names: &'static [&'static str],
}

/// A plain word, an id, and a name with every separator that one segment may have: `*` patterns match some of them.
const NAMES: &[&str] =
    &["sockguard-test", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "sockguard_test.name-1"];
/// The same, and a name of several segments.
const NAMES_WITH_SLASHES: &[&str] = &[
    "sockguard-test",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "sockguard_test.name-1",
    "registry.example/sockguard/test:latest",
];

const EXEC_CREATE: Probe = Probe::one_segment("POST /containers/*/exec");
const EXEC_START: Probe = Probe::one_segment("POST /exec/*/start");
const SWARM_JOIN: Probe = Probe::one_segment("POST /swarm/join");
const PLUGIN_SET: Probe = Probe::one_segment("POST /plugins/*/set");

/// Raw archives, logs and attached streams, image tarballs, and pushes to a registry of the caller's choice.
const RAW_READS: &[Probe] = &[
    Probe::one_segment("GET /containers/*/archive"),
    Probe::one_segment("GET /containers/*/export"),
    Probe::one_segment("GET /containers/*/logs"),
    Probe::one_segment("GET /containers/*/attach/ws"),
    Probe::one_segment("POST /containers/*/attach"),
    Probe::one_segment("GET /services/*/logs"),
    Probe::one_segment("GET /tasks/*/logs"),
    Probe::one_segment("GET /images/get"),
    Probe::many_segments("GET /images/*/get"),
    Probe::many_segments("POST /images/*/push"),
    Probe::one_segment("POST /plugins/*/push"),
];

impl Probe {
    const fn one_segment(text: &'static str) -> Probe {
        Probe { text, names: NAMES }
    }

    const fn many_segments(text: &'static str) -> Probe {
        Probe { text, names: NAMES_WITH_SLASHES }
    }

    fn is_open(&self, rules: &RuleSet) -> bool {
        let Some((method, path)) = self.text.split_once(' ') else { return false };
        self.names.iter().any(|name| {
            let sample = path.replace('*', name);
            rules.judge(method.as_bytes(), sample.as_bytes()).decision == Decision::Allow
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rules::RuleSpec;

    const NONE: Restrictions =
        Restrictions { exec_commands: false, swarm_join_addresses: false, plugin_set_prefixes: false };

    fn rules(specs: &[(&str, &str, &str)]) -> RuleSet {
        let specs: Vec<RuleSpec<'_>> =
            specs.iter().map(|(action, method, path)| RuleSpec { method, path, action, reason: "" }).collect();
        RuleSet::compile(&specs).unwrap()
    }

    #[test]
    fn blind_writes_need_a_restriction_or_an_acknowledgment() {
        let everything = rules(&[("allow", "*", "/**")]);
        let all = ["POST /containers/*/exec", "POST /exec/*/start", "POST /swarm/join", "POST /plugins/*/set"];
        assert_eq!(blind_writes(&everything, NONE), all);
        assert_eq!(blind_writes(&everything, Restrictions { exec_commands: true, ..NONE }), all[2..]);
        assert_eq!(
            blind_writes(&everything, Restrictions { swarm_join_addresses: true, ..NONE }),
            [all[0], all[1], all[3]]
        );
        assert_eq!(blind_writes(&everything, Restrictions { plugin_set_prefixes: true, ..NONE }), all[..3]);
    }

    #[test]
    fn rules_are_probed_like_requests() {
        for (specs, expected) in [
            (&[("allow", "POST", "/containers/*/exec")][..], &["POST /containers/*/exec"][..]),
            (&[("allow", "POST", "/containers/????")], &[]),
            (&[("allow", "GET", "/containers/*/exec")], &[]),
            // Narrow: one concrete id, or part of a name.
            (&[("allow", "POST", "/containers/web/exec"), ("allow", "POST", "/exec/e1/start")], &[]),
            (&[("allow", "POST", "/containers/web-*/exec")], &[]),
            // A pattern that only an id or only a name with separators fits.
            (&[("allow", "POST", "/containers/0*/exec")], &["POST /containers/*/exec"]),
            (&[("allow", "POST", "/exec/*.*/start")], &["POST /exec/*/start"]),
            // An earlier deny clears the probe, a later one does not.
            (&[("deny", "POST", "/containers/*/exec"), ("allow", "POST", "/containers/**")], &[]),
            (&[("allow", "POST", "/containers/**"), ("deny", "*", "/**")], &["POST /containers/*/exec"]),
            // Inspected with deny defaults.
            (
                &[
                    ("allow", "POST", "/containers/create"),
                    ("allow", "POST", "/build"),
                    ("allow", "PUT", "/containers/*/archive"),
                    ("allow", "POST", "/containers/*/update"),
                    ("allow", "POST", "/swarm/init"),
                ],
                &[],
            ),
        ] {
            assert_eq!(blind_writes(&rules(specs), NONE), expected, "{specs:?}");
        }
    }

    #[test]
    fn raw_reads_are_found() {
        let everything = read_exfiltration(&rules(&[("allow", "*", "/**")]));
        assert_eq!(everything.len(), RAW_READS.len());
        for (specs, expected) in [
            (&[("allow", "GET", "/containers/*/logs")][..], &["GET /containers/*/logs"][..]),
            (
                &[("allow", "GET", "/containers/**")],
                &[
                    "GET /containers/*/archive",
                    "GET /containers/*/export",
                    "GET /containers/*/logs",
                    "GET /containers/*/attach/ws",
                ],
            ),
            (
                &[("deny", "GET", "/containers/*/logs"), ("allow", "GET", "/containers/*/*")],
                &["GET /containers/*/archive", "GET /containers/*/export"],
            ),
            (&[("allow", "GET", "/containers/json"), ("allow", "GET", "/containers/*/json")], &[]),
            (&[("allow", "POST", "/containers/*/attach")], &["POST /containers/*/attach"]),
            (&[("allow", "GET", "/images/*/*/*/get")], &["GET /images/*/get"]),
            (&[("allow", "GET", "/images/get")], &["GET /images/get"]),
            (&[("allow", "HEAD", "/**")], &[]),
        ] {
            assert_eq!(read_exfiltration(&rules(specs)), expected, "{specs:?}");
        }
    }
}
