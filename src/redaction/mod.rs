//! Redaction: which answers are edited before a client sees them, and where (spec 50 part C).
//!
//! Owns the table of endpoints and fields, its compilation for one set of toggles, and the one-pass rewriter that
//! turns a whole answer into a list of cuts. It must not decide *whether* an answer is eligible (method, status,
//! content coding): that is the caller's, who holds the head. It keeps nothing between answers but scratch memory.

mod endpoint;

pub use endpoint::Endpoint;

/// The four kinds of secrets that an answer can hold, each on by default (spec 50 C3, `response.redact_*`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Toggles {
    /// `response.redact_container_env`: environments of containers, services, tasks and plugins.
    pub container_env: bool,
    /// `response.redact_mount_paths`: host paths of mounts, binds, volumes and devices.
    pub mount_paths: bool,
    /// `response.redact_network_topology`: addresses, network and node identities.
    pub network_topology: bool,
    /// `response.redact_sensitive_data`: config payloads, secret references, join tokens, TLS material.
    pub sensitive_data: bool,
}

impl Toggles {
    /// Everything is redacted.
    pub const ALL: Toggles =
        Toggles { container_env: true, mount_paths: true, network_topology: true, sensitive_data: true };
    /// Nothing is redacted.
    pub const NONE: Toggles =
        Toggles { container_env: false, mount_paths: false, network_topology: false, sensitive_data: false };
}

/// The redaction of one policy: one compiled [`Matcher`] per covered endpoint.
#[derive(Clone, Debug)]
pub struct Redaction {
    matchers: Vec<Option<Matcher>>,
}

impl Redaction {
    /// Compiles the table for the toggles of one policy. Cannot fail: the table is ours.
    pub fn compile(toggles: Toggles) -> Redaction {
        Redaction { matchers: Endpoint::ALL.iter().map(|endpoint| Matcher::compile(*endpoint, toggles)).collect() }
    }

    /// The matcher for a canonical path, for any method (spec 50 C1), or `None` when no active toggle covers the path
    /// and its answers stream through untouched.
    ///
    /// HEAD, the status and the content coding are the caller's to judge.
    pub fn covers(&self, canonical_path: &[u8]) -> Option<&Matcher> {
        let endpoint = Endpoint::of(canonical_path)?;
        self.matchers.get(endpoint as usize)?.as_ref()
    }
}

/// The rewriter of one endpoint's answers under one set of toggles.
#[derive(Clone, Debug)]
pub struct Matcher {
    endpoint: Endpoint,
}

impl Matcher {
    fn compile(endpoint: Endpoint, toggles: Toggles) -> Option<Matcher> {
        endpoint.is_covered_by(toggles).then_some(Matcher { endpoint })
    }

    /// The endpoint whose answers this edits.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(set: impl Fn(&mut Toggles)) -> Redaction {
        let mut toggles = Toggles::NONE;
        set(&mut toggles);
        Redaction::compile(toggles)
    }

    #[test]
    fn nothing_is_covered_when_every_toggle_is_off() {
        let redaction = Redaction::compile(Toggles::NONE);
        for path in ["/containers/web/json", "/containers/json", "/info", "/swarm/unlockkey"] {
            assert!(redaction.covers(path.as_bytes()).is_none(), "{path}");
        }
    }

    #[test]
    fn a_row_is_covered_by_its_own_toggles_only() {
        let environment = only(|t| t.container_env = true);
        let mounts = only(|t| t.mount_paths = true);
        let topology = only(|t| t.network_topology = true);
        let sensitive = only(|t| t.sensitive_data = true);
        for (path, expected) in [
            ("/containers/web/json", [true, true, true, true]),
            ("/containers/json", [false, true, true, false]),
            ("/networks", [false, false, true, false]),
            ("/networks/n", [false, false, true, false]),
            ("/volumes", [false, true, false, false]),
            ("/volumes/create", [false, true, false, false]),
            ("/services", [true, true, true, true]),
            ("/tasks/t", [true, true, true, true]),
            ("/secrets", [false, false, false, true]),
            ("/configs/c", [false, false, false, true]),
            ("/plugins", [true, true, false, false]),
            ("/plugins/a/b/json", [true, true, false, false]),
            ("/nodes", [false, false, true, true]),
            ("/swarm", [false, false, true, true]),
            ("/swarm/unlockkey", [false, false, false, true]),
            ("/info", [false, false, true, true]),
            ("/system/df", [false, true, true, false]),
            ("/version", [false, false, false, false]),
        ] {
            let covered = [&environment, &mounts, &topology, &sensitive].map(|r| r.covers(path.as_bytes()).is_some());
            assert_eq!(covered, expected, "{path}");
        }
    }
}
