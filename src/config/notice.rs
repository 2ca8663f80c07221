//! What an operator should hear at the start although nothing is wrong (spec 10 §3.1).
//!
//! Owns the conditions and the texts. The caller logs them with its logger, in order.

use super::candidate::{Candidate, RulesSource};
use super::check::{effective_burst, is_loopback, is_mutual_tls};
use super::compat::ACCEPTED_VALUES;
use super::schema::{Config, Limits};
use crate::policy::Plan;
use crate::record::Level;

/// One log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its level.
    pub level: Level,
    /// Its message.
    pub message: &'static str,
    /// Its attributes, in order.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether a reload should not say it again.
    pub once: bool,
}

/// Everything to say about a candidate that compiled to `plan`.
#[must_use]
pub fn notices(candidate: &Candidate, plan: &Plan) -> Vec<Notice> {
    let mut notices = Notices::default();
    notices.environment(candidate);
    notices.clients(&candidate.config);
    notices.rules(&candidate.config, plan);
    notices.limits(&candidate.config);
    notices.admin(&candidate.config);
    notices.visibility(&candidate.config);
    notices.0
}

#[derive(Default)]
struct Notices(Vec<Notice>);

impl Notices {
    fn once(&mut self, level: Level, message: &'static str, attributes: Vec<(&'static str, String)>) {
        self.0.push(Notice { level, message, attributes, once: true });
    }

    fn warn(&mut self, message: &'static str, attributes: Vec<(&'static str, String)>) {
        self.0.push(Notice { level: Level::Warn, message, attributes, once: false });
    }

    fn environment(&mut self, candidate: &Candidate) {
        for (variable, meant) in &candidate.unknown_variables {
            let mut attributes = vec![("variable", variable.clone())];
            attributes.extend(meant.iter().map(|meant| ("did_you_mean", meant.clone())));
            self.once(Level::Warn, "environment variable sets no configuration key", attributes);
        }
        if !candidate.ignored_switches.is_empty() {
            let attributes = vec![("variables", candidate.ignored_switches.join(","))];
            let message = "compatibility variables are ignored because policy_bundle.enabled is set";
            self.once(Level::Warn, message, attributes);
        }
        let RulesSource::Compatibility(compat) = &candidate.rules_source else { return };
        let note = "rules are generated from environment variables; a rules key in the configuration replaces them";
        self.once(Level::Info, "tecnativa compatibility mode active", vec![("note", note.to_owned())]);
        for (variable, value) in &compat.unreadable {
            let attributes = vec![
                ("var", (*variable).to_owned()),
                ("value", value.clone()),
                ("accepted_values", ACCEPTED_VALUES.to_owned()),
            ];
            self.once(Level::Warn, "compatibility variable is no boolean and counts as false", attributes);
        }
        for (index, rule) in compat.rules.iter().enumerate() {
            let attributes = vec![
                ("index", (index + 1).to_string()),
                ("method", rule.r#match.method.clone()),
                ("path", rule.r#match.path.clone()),
                ("action", rule.action.clone()),
            ];
            self.once(Level::Debug, "compat rule generated", attributes);
        }
    }

    fn clients(&mut self, config: &Config) {
        let labels = &config.clients.container_labels;
        if labels.enabled {
            let message = "container label ACLs are trustworthy only if nothing else reaches the Engine's own socket";
            self.once(Level::Warn, message, vec![("label_prefix", labels.label_prefix.clone())]);
        }
        for (index, assignment) in config.clients.unix_peer_profiles.iter().enumerate() {
            if assignment.uids.is_empty() && assignment.gids.is_empty() {
                let assignment = format!("clients.unix_peer_profiles[{index}]");
                let message =
                    "a profile is assigned by process id alone, which the kernel gives to other processes later";
                self.once(Level::Warn, message, vec![("assignment", assignment)]);
            }
        }
    }

    fn rules(&mut self, config: &Config, plan: &Plan) {
        let rules = plan.rules.rules().iter();
        let patterns: Vec<&str> = rules.filter(|rule| rule.has_versioned_path()).map(|rule| rule.path_text()).collect();
        if !patterns.is_empty() {
            let message = "rule patterns start with an API version and never match: paths are judged without it";
            self.once(Level::Warn, message, vec![("patterns", patterns.join(","))]);
        }
        if config.insecure_allow_body_blind_writes {
            let message =
                "insecure_allow_body_blind_writes is enabled: some write bodies are forwarded without inspection";
            self.once(Level::Warn, message, Vec::new());
        }
    }

    /// Limits protect the clients that have them from those that have none.
    fn limits(&mut self, config: &Config) {
        let clients = &config.clients;
        let profiles = || clients.profiles.iter();
        for profile in profiles() {
            if let Some(rate) = &profile.limits.rate
                && effective_burst(rate) < 1.0
            {
                let message =
                    "a profile admits no request: its bucket holds less than one token, set limits.rate.burst";
                self.warn(message, vec![("profile", profile.name.clone())]);
            }
        }
        let is_limiting = |limits: &Limits| {
            let is_prioritized = !matches!(limits.priority.trim().to_lowercase().as_str(), "" | "normal");
            limits.rate.is_some() || limits.concurrency.is_some() || is_prioritized
        };
        if clients.global_concurrency.is_none() && !profiles().any(|profile| is_limiting(&profile.limits)) {
            return;
        }
        let assigned = |name: &str| {
            clients.default_profile == name
                || clients.source_ip_profiles.iter().any(|assignment| assignment.profile == name)
                || clients.client_certificate_profiles.iter().any(|assignment| assignment.profile == name)
                || clients.unix_peer_profiles.iter().any(|assignment| assignment.profile == name)
        };
        for profile in profiles().filter(|profile| assigned(&profile.name) && !is_limiting(&profile.limits)) {
            let recommendation = "set limits.rate, limits.concurrency or limits.priority".to_owned();
            self.warn(
                "client profile is assigned to callers but has no rate or concurrency limits configured",
                vec![("profile", profile.name.clone()), ("recommendation", recommendation)],
            );
        }
    }

    fn admin(&mut self, config: &Config) {
        let listen = &config.admin.listen;
        let is_open = config.admin.enabled
            && !listen.address.is_empty()
            && !is_loopback(&listen.address)
            && !is_mutual_tls(&listen.tls)
            && config.clients.allowed_cidrs.is_empty();
        if is_open {
            let message =
                "admin listener is reachable from other machines, without TLS and without clients.allowed_cidrs";
            self.once(Level::Warn, message, vec![("address", listen.address.clone())]);
        }
    }

    /// Patterns hide by name, which a client may choose; labels are the operator's.
    fn visibility(&mut self, config: &Config) {
        let root = &config.response;
        let has_root_labels = !root.visible_resource_labels.is_empty();
        let has_patterns = |names: &[String], images: &[String]| !names.is_empty() || !images.is_empty();
        let message = "name or image patterns are set without a label selector";
        if has_patterns(&root.name_patterns, &root.image_patterns) && !has_root_labels {
            self.warn(message, vec![("scope", "root".to_owned())]);
        }
        for profile in &config.clients.profiles {
            let response = &profile.response;
            let has_labels = has_root_labels || !response.visible_resource_labels.is_empty();
            if has_patterns(&response.name_patterns, &response.image_patterns) && !has_labels {
                self.warn(message, vec![("scope", profile.name.clone())]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::notices;
    use crate::config::{Candidate, Environment, Layers, Overrides, compile};
    use crate::record::Level;

    /// The warnings as `message: key=value …`.
    fn warnings(yaml: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let environment: Environment = variables.iter().copied().collect();
        let layers = Layers::Environment(&environment);
        let candidate = Candidate::from_bytes(yaml.as_bytes(), layers, &Overrides::default()).expect("readable");
        let (_, plan) = compile(&candidate).expect("valid");
        notices(&candidate, &plan)
            .into_iter()
            .filter(|notice| notice.level == Level::Warn)
            .map(|notice| {
                let attributes = notice.attributes.iter().map(|(key, value)| format!(" {key}={value}"));
                format!("{}:{}", notice.message, attributes.collect::<String>())
            })
            .collect()
    }

    /// The only warning has this in it.
    #[track_caller]
    fn warns(yaml: &str, piece: &str) {
        let found = warnings(yaml, &[]);
        assert!(found.len() == 1 && found[0].contains(piece), "{yaml}: {found:?}");
    }

    #[track_caller]
    fn is_silent(yaml: &str) {
        assert_eq!(warnings(yaml, &[]), Vec::<String>::new(), "{yaml}");
    }

    #[test]
    fn defaults_are_silent() {
        is_silent("");
    }

    #[test]
    fn labels_of_containers() {
        warns("clients: {container_labels: {enabled: true, label_prefix: a.}}", "label_prefix=a.");
        is_silent("clients: {container_labels: {enabled: false, label_prefix: a.}}");
    }

    #[test]
    fn versioned_patterns() {
        let rule = |path: &str| format!("rules: [{{match: {{method: GET, path: {path}}}, action: allow}}]");
        warns(&rule("/v1.45/version"), "patterns=/v1.45/version");
        is_silent(&rule("/version"));
    }

    #[test]
    fn acknowledged_blind_writes() {
        warns("insecure_allow_body_blind_writes: true", "insecure_allow_body_blind_writes");
        is_silent("insecure_allow_read_exfiltration: true");
    }

    const PROFILE: &str = "rules: [{match: {method: GET, path: /info}, action: allow}]";

    #[test]
    fn an_assigned_profile_without_limits_beside_others_with() {
        let profiles = |limits: &str| {
            format!(
                "clients: {{default_profile: a, profiles: [{{name: a, {PROFILE}}}, \
                 {{name: b, {PROFILE}, limits: {{{limits}}}}}, {{name: c, {PROFILE}}}]}}"
            )
        };
        warns(&profiles("concurrency: {max_inflight: 1}"), "profile=a");
        warns(&profiles("priority: high"), "profile=a");
        is_silent(&profiles("priority: normal"));
        is_silent(&profiles(""));
    }

    #[test]
    fn a_bucket_that_never_holds_a_token() {
        let rate = |burst: &str| {
            format!(
                "clients: {{profiles: [{{name: a, {PROFILE}, limits: {{rate: {{tokens_per_second: 0.5, burst: {burst}}}}}}}]}}"
            )
        };
        warns(&rate("0"), "profile=a");
        warns(&rate("0.7"), "profile=a");
        is_silent(&rate("1"));
    }

    #[test]
    fn an_open_admin_listener() {
        let admin = |address: &str, clients: &str| {
            format!(
                "admin: {{enabled: true, listen: {{address: '{address}', insecure_allow_plain_tcp: true, \
                 insecure_allow_unauthenticated_clients: true}}}}\nclients: {{{clients}}}"
            )
        };
        warns(&admin("0.0.0.0:1", ""), "address=0.0.0.0:1");
        is_silent(&admin("127.0.0.1:1", ""));
        is_silent(&admin("0.0.0.0:1", "allowed_cidrs: 10.0.0.0/8"));
    }

    #[test]
    fn patterns_without_labels() {
        warns("response: {name_patterns: [a*]}", "scope=root");
        is_silent("response: {name_patterns: [a*], visible_resource_labels: [b]}");
        let profile = |root: &str| {
            format!(
                "response: {{{root}}}\nclients: {{profiles: [{{name: p, response: {{image_patterns: [x]}}, {PROFILE}}}]}}"
            )
        };
        warns(&profile(""), "scope=p");
        is_silent(&profile("visible_resource_labels: [b]"));
    }

    #[test]
    fn process_ids_alone() {
        let peers = |selectors: &str| {
            format!(
                "listen: {{socket: /s}}\nclients: {{profiles: [{{name: p, {PROFILE}}}], \
                 unix_peer_profiles: [{{profile: p, {selectors}}}]}}"
            )
        };
        warns(&peers("pids: [5]"), "unix_peer_profiles[0]");
        is_silent(&peers("pids: [5], uids: [0]"));
    }

    #[test]
    fn variables() {
        let found = warnings("", &[("SOCKGUARD_LOG_LEVLE", "debug"), ("PING", "maybe")]);
        assert_eq!(
            found,
            [
                "environment variable sets no configuration key: variable=SOCKGUARD_LOG_LEVLE did_you_mean=SOCKGUARD_LOG_LEVEL",
                "compatibility variable is no boolean and counts as false: var=PING value=maybe accepted_values=1, true, yes, 0, false, no",
            ]
        );
        assert!(warnings("", &[("SOCKGUARD_LOG_LEVEL", "debug"), ("PING", "yes")]).is_empty());
    }
}
