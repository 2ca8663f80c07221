//! Settings that are understood but not served yet.
//!
//! Owns the list. A setting is never accepted and ignored: `serve` refuses to start and names each key, while
//! `validate` and `match` judge the whole schema. Whoever builds a feature deletes its lines here.

use super::candidate::Candidate;
use super::problem::{Problem, Problems};
use super::schema::{Config, RequestBody, Tls};
use super::settings::ListenAddress;

/// Every setting that asks for a feature which this build does not have.
#[must_use]
pub fn unavailable(candidate: &Candidate) -> Problems {
    let mut problems = Problems::default();
    for path in paths(&candidate.config) {
        let origin = candidate.origins.of(&path);
        problems.push(Problem { path, text: "not available in this build".to_owned(), origin });
    }
    problems
}

fn paths(config: &Config) -> Vec<String> {
    let is_tcp = matches!(ListenAddress::of(config), ListenAddress::Tcp { .. });
    let (clients, response) = (&config.clients, &config.response);
    let asked = [
        ("listen.tls", is_tcp && config.listen.tls != Tls::default()),
        ("clients.allowed_cidrs", !clients.allowed_cidrs.is_empty()),
        ("clients.container_labels.enabled", clients.container_labels.enabled),
        ("clients.default_profile", !clients.default_profile.is_empty()),
        ("clients.source_ip_profiles", !clients.source_ip_profiles.is_empty()),
        ("clients.client_certificate_profiles", !clients.client_certificate_profiles.is_empty()),
        ("clients.unix_peer_profiles", !clients.unix_peer_profiles.is_empty()),
        ("clients.global_concurrency", clients.global_concurrency.is_some()),
        ("clients.profiles", !clients.profiles.is_empty()),
        ("ownership.owner", !config.ownership.owner.is_empty()),
        ("admin.enabled", config.admin.enabled),
        ("reload.enabled", config.reload.enabled),
        ("policy_bundle.enabled", config.policy_bundle.enabled),
        ("response.visible_resource_labels", !response.visible_resource_labels.is_empty()),
        ("response.name_patterns", !response.name_patterns.is_empty()),
        ("response.image_patterns", !response.image_patterns.is_empty()),
        ("request_body.container_create.image_trust.mode", asks_for_image_trust(&config.request_body)),
    ];
    asked.into_iter().filter(|(_, is_asked)| *is_asked).map(|(path, _)| path.to_owned()).collect()
}

fn asks_for_image_trust(body: &RequestBody) -> bool {
    !matches!(body.container_create.image_trust.mode.as_str(), "" | "off")
}

#[cfg(test)]
mod tests {
    use super::unavailable;
    use crate::config::{Candidate, Environment, Layers, Overrides};

    fn refused(yaml: &str) -> Vec<String> {
        let environment = Environment::default();
        let candidate =
            Candidate::from_bytes(yaml.as_bytes(), Layers::Environment(&environment), &Overrides::default());
        unavailable(&candidate.expect("the configuration is readable")).lines()
    }

    #[test]
    fn defaults_and_body_options_are_served() {
        assert!(refused("").is_empty());
        assert!(
            refused("request_body: {exec: {allow_root_user: true}, container_create: {image_trust: {mode: off}}}")
                .is_empty()
        );
        // TLS keys beside a unix socket are not used, so nobody asks for TLS.
        assert!(refused("listen: {socket: /s, tls: {cert_file: /c}}").is_empty());
    }

    #[test]
    fn each_missing_feature_is_named_with_its_line() {
        let yaml = "listen:\n  tls: {cert_file: /c}\nreload:\n  enabled: true\nclients:\n  profiles: [{name: p}]\n";
        assert_eq!(
            refused(yaml),
            [
                "listen.tls: not available in this build (line 2)",
                "clients.profiles: not available in this build (line 6)",
                "reload.enabled: not available in this build (line 4)",
            ]
        );
    }
}
