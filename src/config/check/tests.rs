//! One table for every numbered check of spec 10 §4: what it refuses, with the texts that must appear, beside its
//! nearest allowed neighbour.

use std::collections::BTreeSet;

use super::check;
use crate::config::{Candidate, Environment, Layers, Overrides};

const KEY: &str = "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n-----END PUBLIC KEY-----";

/// A configuration that a check refuses, or accepts.
struct Case {
    number: u32,
    yaml: String,
    /// Pieces of the error; none when the configuration is right.
    pieces: Vec<&'static str>,
}

fn bad(number: u32, yaml: impl Into<String>, pieces: &[&'static str]) -> Case {
    Case { number, yaml: yaml.into(), pieces: pieces.to_vec() }
}

fn good(number: u32, yaml: impl Into<String>) -> Case {
    bad(number, yaml, &[])
}

/// Checks with another place: 7 and 52 demand nothing, 37 belongs to the start-up, 76 and 81 cannot fail (76: the
/// built-in rules replace an empty list; 81: every glob compiles).
const WITHOUT_A_REFUSAL: [u32; 5] = [7, 37, 52, 76, 81];

fn body(yaml: &str) -> String {
    format!("request_body: {{{yaml}}}")
}

fn profile(yaml: &str) -> String {
    format!(
        "clients: {{profiles: [{{name: p, rules: [{{match: {{method: GET, path: /info}}, action: allow}}], {yaml}}}]}}"
    )
}

fn limits(yaml: &str) -> String {
    profile(&format!("limits: {{{yaml}}}"))
}

fn rules(yaml: &str) -> String {
    format!("rules: [{{match: {{method: GET, path: /a}}, action: allow}}, {{{yaml}}}]")
}

/// Assignments beside one profile `p`.
fn assigned(yaml: &str) -> String {
    format!("{}, {yaml}}}", profile("mode: enforce").trim_end_matches('}'))
        .replace("mode: enforce, ", "mode: enforce}], ")
}

fn admin(yaml: &str) -> String {
    format!("admin: {{enabled: true, {yaml}}}")
}

fn bundle(yaml: &str) -> String {
    format!("policy_bundle: {{enabled: true, signature_path: /s, {yaml}}}")
}

fn listener_cases(tls_files: &str) -> Vec<Case> {
    let tls = |more: &str| format!("listen: {{tls: {{{tls_files}, {more}}}}}");
    let open = |more: &str| format!("listen: {{address: '0.0.0.0:2375', {more}}}");
    let pin = "ab".repeat(32);
    vec![
        bad(1, "listen: {address: ''}", &["listen: must contain at least one of socket or address"]),
        good(1, "listen: {address: '', socket: /s}"),
        bad(2, "listen: {socket: /s, socket_mode: 0660}", &["listen.socket_mode", "\"0660\""]),
        good(2, "listen: {socket: /s, socket_mode: ' 0600 '}"),
        good(2, "listen: {socket_mode: 0777}"),
        bad(3, "listen: {tls: {cert_file: /c}}", &["listen.tls: cert_file, key_file and client_ca_file"]),
        bad(3, "listen: {tls: {common_names: [a]}}", &["listen.tls: cert_file"]),
        bad(
            3,
            "listen: {address: '0.0.0.0:1', insecure_allow_plain_tcp: true, insecure_allow_unauthenticated_clients: true, tls: {key_file: /k}}",
            &["listen.tls: cert_file"],
        ),
        good(3, "listen: {tls: {}}"),
        good(3, tls("")),
        bad(4, tls("common_names: [a, ' ']"), &["listen.tls.common_names[1]", "\" \""]),
        bad(4, tls("dns_names: ['']"), &["listen.tls.dns_names[0]"]),
        bad(4, tls("ip_addresses: [10.0.0]"), &["listen.tls.ip_addresses[0]", "\"10.0.0\""]),
        bad(4, tls("uri_sans: [nothing]"), &["listen.tls.uri_sans[0]", "\"nothing\""]),
        bad(4, tls("public_key_sha256_pins: [abc]"), &["listen.tls.public_key_sha256_pins[0]", "\"abc\""]),
        good(
            4,
            tls(&format!(
                "common_names: [a], dns_names: [b], ip_addresses: ['::1'], uri_sans: ['spiffe://a'], public_key_sha256_pins: ['sha256:{pin}']"
            )),
        ),
        bad(5, tls("").replace("key.pem", "none.pem"), &["listen.tls.key_file", "none.pem"]),
        bad(5, tls("").replace("key.pem", "cert.pem"), &["listen.tls.key_file", "has no PEM private key"]),
        bad(5, tls("").replace("ca.pem", "key.pem"), &["listen.tls.client_ca_file", "has no PEM certificate"]),
        bad(5, tls("").replace("ca.pem", "."), &["listen.tls.client_ca_file", "is not a regular file"]),
        bad(5, tls("").replace("cert.pem", "."), &["listen.tls.cert_file"]),
        good(5, tls("")),
        bad(
            6,
            open(""),
            &[
                "listen.address",
                "0.0.0.0:2375",
                "insecure_allow_plain_tcp and listen.insecure_allow_unauthenticated_clients",
            ],
        ),
        bad(6, open("insecure_allow_plain_tcp: true"), &["listen.address"]),
        bad(6, open("insecure_allow_unauthenticated_clients: true"), &["listen.address"]),
        good(6, open("insecure_allow_plain_tcp: true, insecure_allow_unauthenticated_clients: true")),
        good(6, open(&format!("tls: {{{tls_files}}}"))),
        good(7, "listen: {socket: /s, tls: {cert_file: /c, common_names: ['']}}"),
    ]
}

fn process_cases() -> Vec<Case> {
    vec![
        bad(8, "upstream: {socket: ''}", &["upstream.socket: is required"]),
        good(8, "upstream: {socket: /x}"),
        bad(9, "log: {level: INFO}", &["log.level: must be debug, info, warn, or error, got \"INFO\" (line 1)"]),
        good(9, "log: {level: debug}"),
        bad(10, "log: {format: xml}", &["log.format: must be json or text, got \"xml\""]),
        good(10, "log: {format: text}"),
        bad(11, "log: {output: syslog}", &["log.output", "\"syslog\""]),
        good(11, "log: {output: /var/log/a}"),
        bad(12, "log: {audit: {enabled: true, format: text}}", &["log.audit.format: must be json, got \"text\""]),
        good(12, "log: {audit: {enabled: false, format: text}}"),
        bad(13, "log: {audit: {enabled: true, output: a.log}}", &["log.audit.output", "\"a.log\""]),
        good(13, "log: {audit: {enabled: true, output: 'file:/a.log'}}"),
        good(13, "log: {audit: {enabled: false, output: a.log}}"),
        bad(14, "response: {deny_verbosity: ''}", &["response.deny_verbosity: must be minimal or verbose, got \"\""]),
        good(14, "response: {deny_verbosity: verbose}"),
        bad(15, "response: {visible_resource_labels: [a, 'b=']}", &["response.visible_resource_labels[1]", "\"b=\""]),
        bad(15, "response: {name_patterns: ['']}", &["response.name_patterns[0]"]),
        good(15, "response: {visible_resource_labels: [a, b=c], name_patterns: ['*']}"),
        bad(16, "health: {path: x}", &["health.path: must start with /, got \"x\""]),
        good(16, "health: {path: x, enabled: false}"),
        bad(
            17,
            "health: {watchdog: {enabled: true, interval: 0s}}",
            &["health.watchdog.interval: must be more than zero, got \"0s\""],
        ),
        bad(
            17,
            "health: {watchdog: {enabled: true, interval: 5}}",
            &["health.watchdog.interval", "without a unit", "\"5\""],
        ),
        good(17, "health: {watchdog: {enabled: true, interval: 1s}}"),
        good(17, "health: {watchdog: {interval: soon}}"),
        bad(18, "metrics: {enabled: true, path: x}", &["metrics.path: must start with /"]),
        good(18, "metrics: {path: x}"),
        bad(
            19,
            "metrics: {enabled: true, path: /health}",
            &["metrics.path: must differ from health.path, got \"/health\""],
        ),
        bad(19, "metrics: {enabled: true, path: //health/.}", &["metrics.path: must differ from health.path"]),
        good(19, "metrics: {enabled: true, path: /health}\nhealth: {enabled: false}"),
        bad(20, admin("path: x"), &["admin.path: must start with /"]),
        good(20, "admin: {path: x}"),
        bad(21, admin("max_request_bytes: 0"), &["admin.max_request_bytes: must be more than zero, got 0"]),
        good(21, admin("max_request_bytes: 1")),
        bad(22, admin("path: /health"), &["admin.path: must differ from health.path"]),
        bad(22, admin("path: /metrics") + "\nmetrics: {enabled: true}", &["admin.path: must differ from metrics.path"]),
        good(22, admin("path: /metrics")),
        bad(23, admin("policy_version_path: x"), &["admin.policy_version_path: must start with /"]),
        good(23, admin("policy_version_path: /x")),
        bad(
            24,
            admin("path: /x, policy_version_path: /x/"),
            &["admin.policy_version_path: must differ from admin.path"],
        ),
        bad(24, admin("policy_version_path: /health"), &["admin.policy_version_path: must differ from health.path"]),
        good(24, admin("path: /x, policy_version_path: /x/y")),
        bad(25, admin("listen: {socket: /a, address: '127.0.0.1:1'}"), &["admin.listen: has both socket and address"]),
        good(25, admin("listen: {socket: /a}")),
        bad(26, admin("listen: {socket: /a, socket_mode: 0666}"), &["admin.listen.socket_mode", "\"0666\""]),
        good(26, admin("listen: {address: '127.0.0.1:1', socket_mode: 0666}")),
        bad(
            27,
            admin("listen: {socket: /a}") + "\nlisten: {socket: /a}",
            &["admin.listen.socket: must differ from listen.socket, got \"/a\""],
        ),
        bad(
            27,
            admin("listen: {address: '127.0.0.1:2375'}"),
            &["admin.listen.address: must differ from listen.address"],
        ),
        good(27, admin("listen: {address: '127.0.0.1:2375'}") + "\nlisten: {socket: /a}"),
        bad(28, admin("listen: {address: '127.0.0.1:1', tls: {cert_file: /c}}"), &["admin.listen.tls: cert_file"]),
        bad(
            28,
            admin("listen: {address: '0.0.0.0:1', tls: {cert_file: /c}}"),
            &["admin.listen.tls: cert_file", "admin.listen.address: "],
        ),
        good(28, admin("listen: {address: '127.0.0.1:1', tls: {}}")),
        bad(
            29,
            admin("listen: {address: '0.0.0.0:1', insecure_allow_plain_tcp: true}"),
            &["admin.listen.address", "admin.listen.insecure_allow_unauthenticated_clients"],
        ),
        good(
            29,
            admin(
                "listen: {address: '0.0.0.0:1', insecure_allow_plain_tcp: true, insecure_allow_unauthenticated_clients: true}",
            ),
        ),
        bad(30, "reload: {enabled: true, debounce: -1s}", &["reload.debounce: must not be negative, got \"-1s\""]),
        bad(30, "reload: {enabled: true, debounce: soon}", &["reload.debounce", "\"soon\""]),
        good(30, "reload: {enabled: true, debounce: '', poll_interval: '0'}"),
        bad(31, "reload: {enabled: true, poll_interval: 1d}", &["reload.poll_interval", "unknown unit", "\"1d\""]),
        good(31, "reload: {poll_interval: 1d}"),
        bad(
            32,
            "policy_bundle: {enabled: true, allowed_keyless: [{issuer: i, subject_pattern: s}]}",
            &["policy_bundle.signature_path: is required"],
        ),
        good(32, bundle("allowed_keyless: [{issuer: i, subject_pattern: s}]")),
        bad(33, bundle(""), &["policy_bundle: must contain at least one of allowed_signing_keys or allowed_keyless"]),
        good(33, "policy_bundle: {enabled: false}"),
        bad(
            34,
            bundle("allowed_signing_keys: [{pem: ' '}]"),
            &["policy_bundle.allowed_signing_keys[0].pem: is required"],
        ),
        bad(
            34,
            bundle("allowed_signing_keys: [{pem: junk}]"),
            &["policy_bundle.allowed_signing_keys[0].pem: must be one PEM public key"],
        ),
        good(34, bundle(&format!("allowed_signing_keys: [{{pem: \"{KEY}\"}}]"))),
        bad(
            35,
            bundle("allowed_keyless: [{subject_pattern: s}]"),
            &["policy_bundle.allowed_keyless[0].issuer: is required"],
        ),
        bad(
            35,
            bundle("allowed_keyless: [{issuer: i}]"),
            &["policy_bundle.allowed_keyless[0].subject_pattern: is required"],
        ),
        bad(
            35,
            bundle("allowed_keyless: [{issuer: i, subject_pattern: 'a('}]"),
            &["subject_pattern: is no regular expression", "\"a(\""],
        ),
        bad(
            35,
            bundle("allowed_keyless: [{issuer: i, subject_pattern: 'a)|(b'}]"),
            &["subject_pattern: is no regular expression"],
        ),
        bad(
            35,
            bundle("allowed_keyless: [{issuer: i, subject_pattern: '(?x)a #'}]"),
            &["subject_pattern: is no regular expression"],
        ),
        good(35, bundle("allowed_keyless: [{issuer: i, subject_pattern: '^a(b|c)$'}]")),
        bad(
            36,
            bundle("allowed_keyless: [{issuer: i, subject_pattern: s}], verify_timeout: 0s"),
            &["policy_bundle.verify_timeout: must be more than zero"],
        ),
        good(36, bundle("allowed_keyless: [{issuer: i, subject_pattern: s}], verify_timeout: 1s")),
        bad(
            75,
            "ownership: {owner: o, label_key: ''}",
            &["ownership.label_key: is required when ownership.owner is set"],
        ),
        good(75, "ownership: {label_key: ''}"),
    ]
}

fn body_cases() -> Vec<Case> {
    let create = |yaml: &str| body(&format!("container_create: {{{yaml}}}"));
    let trust = |yaml: &str| create(&format!("image_trust: {{mode: enforce, {yaml}}}"));
    let key = format!("allowed_signing_keys: [{{pem: \"{KEY}\"}}]");
    vec![
        bad(
            38,
            create("allowed_bind_mounts: [/a, ' /b']"),
            &["request_body.container_create.allowed_bind_mounts[1]", "\" /b\""],
        ),
        bad(38, create("allowed_devices: ['']"), &["request_body.container_create.allowed_devices[0]"]),
        bad(38, body("service: {allowed_bind_mounts: [a]}"), &["request_body.service.allowed_bind_mounts[0]"]),
        bad(38, body("plugin: {allowed_bind_mounts: [a]}"), &["request_body.plugin.allowed_bind_mounts[0]"]),
        bad(38, body("plugin: {allowed_devices: [a]}"), &["request_body.plugin.allowed_devices[0]"]),
        good(38, create("allowed_bind_mounts: [/], allowed_devices: [/dev/dri]")),
        bad(
            39,
            create("allowed_device_requests: [{driver: ' '}]"),
            &["request_body.container_create.allowed_device_requests[0].driver: is required"],
        ),
        good(39, create("allowed_device_requests: [{driver: nvidia}]")),
        bad(
            40,
            create("allowed_device_requests: [{driver: d, allowed_capabilities: [[gpu], []]}]"),
            &["allowed_device_requests[0].allowed_capabilities[1]: must contain at least one"],
        ),
        good(40, create("allowed_device_requests: [{driver: d, allowed_capabilities: [[gpu]]}]")),
        bad(
            41,
            create("allowed_device_requests: [{driver: d, max_count: -2}]"),
            &["allowed_device_requests[0].max_count: must be -1 or more, got -2"],
        ),
        good(41, create("allowed_device_requests: [{driver: d, max_count: -1}]")),
        bad(
            42,
            create("image_trust: {mode: Enforce}"),
            &["request_body.container_create.image_trust.mode: must be off, warn, or enforce, got \"Enforce\""],
        ),
        good(42, create("image_trust: {mode: off, allowed_signing_keys: [{pem: ''}], verify_timeout: never}")),
        good(42, create("image_trust: {mode: ''}")),
        bad(43, trust(""), &["request_body.container_create.image_trust: must contain at least one of"]),
        good(43, trust(&key)),
        bad(
            44,
            trust("allowed_signing_keys: [{pem: junk}]"),
            &["image_trust.allowed_signing_keys[0].pem: must be one PEM public key"],
        ),
        bad(
            44,
            trust("allowed_keyless: [{issuer: ' ', subject_pattern: '*'}]"),
            &["image_trust.allowed_keyless[0].issuer: is required", "subject_pattern: is no regular expression"],
        ),
        good(44, trust("allowed_keyless: [{issuer: i, subject_pattern: '.*'}]")),
        bad(45, trust(&format!("{key}, verify_timeout: -1s")), &["image_trust.verify_timeout: must be more than zero"]),
        good(45, trust(&format!("{key}, verify_timeout: ''"))),
        bad(
            46,
            body("exec: {allowed_commands: [[a], []]}"),
            &["request_body.exec.allowed_commands[1]: command 2 must contain"],
        ),
        bad(
            46,
            body("exec: {allowed_commands: [[a, ' ']]}"),
            &["request_body.exec.allowed_commands[0]: command 1 has a blank word"],
        ),
        good(46, body("exec: {allowed_commands: [[a, '**']]}")),
        bad(
            47,
            body("image_pull: {allowed_registries: ['https://ghcr.io']}"),
            &["request_body.image_pull.allowed_registries[0]", "https://ghcr.io"],
        ),
        bad(
            47,
            body("image_load: {allowed_registries: [ghcr.io/x]}"),
            &["request_body.image_load.allowed_registries[0]"],
        ),
        bad(47, body("service: {allowed_registries: ['']}"), &["request_body.service.allowed_registries[0]"]),
        bad(47, body("plugin: {allowed_registries: [ghcr.io, ' ']}"), &["request_body.plugin.allowed_registries[1]"]),
        good(47, body("image_pull: {allowed_registries: [' GHCR.io ', 'localhost:5000', index.docker.io]}")),
        bad(
            48,
            body("swarm: {allowed_join_remote_addrs: ['tcp://m:1']}"),
            &["request_body.swarm.allowed_join_remote_addrs[0]", "tcp://m:1"],
        ),
        good(48, body("swarm: {allowed_join_remote_addrs: ['m:1', m]}")),
        bad(49, body("plugin: {allowed_capabilities: [' ']}"), &["request_body.plugin.allowed_capabilities[0]"]),
        good(49, body("plugin: {allowed_capabilities: [CAP_NET_ADMIN]}")),
        bad(
            50,
            body("plugin: {allowed_set_env_prefixes: [DEBUG]}"),
            &["request_body.plugin.allowed_set_env_prefixes[0]", "\"DEBUG\""],
        ),
        good(50, body("plugin: {allowed_set_env_prefixes: [DEBUG=]}")),
        bad(
            51,
            create("allowed_device_cgroup_rules: ['c 1:3']"),
            &["request_body.container_create.allowed_device_cgroup_rules[0]", "\"c 1:3\""],
        ),
        good(51, create("allowed_device_cgroup_rules: ['c 1:* rwm']")),
        good(52, create("allowed_capabilities: [''], allowed_seccomp_profiles: [''], required_labels: ['']")),
    ]
}

fn client_cases(tls_files: &str) -> Vec<Case> {
    let peers = |yaml: &str| assigned(&format!("unix_peer_profiles: [{{{yaml}}}]")) + "\nlisten: {socket: /s}";
    let certificates = |yaml: &str| {
        assigned(&format!("client_certificate_profiles: [{{{yaml}}}]")) + &format!("\nlisten: {{tls: {{{tls_files}}}}}")
    };
    let on_unix = |yaml: &str| format!("{yaml}\nlisten: {{socket: /s}}");
    vec![
        bad(53, "clients: {allowed_cidrs: [10.0.0.0/8, 10.0.0.1]}", &["clients.allowed_cidrs[1]", "\"10.0.0.1\""]),
        good(53, "clients: {allowed_cidrs: [10.1.2.3/8, ' ::/0 ']}"),
        bad(
            54,
            "clients: {container_labels: {enabled: true, label_prefix: ''}}",
            &["clients.container_labels.label_prefix: is required when"],
        ),
        good(54, "clients: {container_labels: {label_prefix: ''}}"),
        bad(55, on_unix("clients: {allowed_cidrs: ['::/0']}"), &["clients.allowed_cidrs: needs a TCP listener"]),
        bad(
            55,
            on_unix("clients: {container_labels: {enabled: true}}"),
            &["clients.container_labels.enabled: needs a TCP listener"],
        ),
        bad(
            55,
            on_unix(&assigned("source_ip_profiles: [{profile: p, cidrs: ['::/0']}]")),
            &["clients.source_ip_profiles: needs a TCP listener"],
        ),
        bad(
            55,
            on_unix(&assigned("client_certificate_profiles: [{profile: p, dns_names: [a]}]")),
            &["clients.client_certificate_profiles: needs a TCP listener"],
        ),
        bad(
            55,
            assigned("unix_peer_profiles: [{profile: p, uids: [0]}]"),
            &["clients.unix_peer_profiles: needs a unix listener"],
        ),
        good(55, assigned("source_ip_profiles: [{profile: p, cidrs: ['::/0']}]")),
        bad(56, profile("mode: warn").replace("name: p", "name: ' '"), &["clients.profiles[0].name: is required"]),
        bad(
            56,
            "clients: {profiles: [{name: p, rules: [{match: {method: GET, path: /}, action: deny}]}, {name: p, rules: [{match: {method: GET, path: /}, action: deny}]}]}",
            &["clients.profiles[1].name: must be unique, got duplicate \"p\""],
        ),
        good(56, profile("mode: warn")),
        bad(57, "clients: {profiles: [{name: p}]}", &["clients.profiles[0].rules: must contain at least one rule"]),
        good(57, profile("")),
        bad(58, profile("mode: off"), &["clients.profiles[0].mode: must be enforce, warn, or audit, got \"off\""]),
        bad(58, profile("mode: ' '"), &["clients.profiles[0].mode"]),
        good(58, profile("mode: ' Audit '")),
        good(58, profile("mode: ''")),
        bad(
            59,
            profile("response: {visible_resource_labels: ['a,b']}"),
            &["clients.profiles[0].response.visible_resource_labels[0]", "\"a,b\""],
        ),
        good(59, profile("response: {visible_resource_labels: [a]}")),
        bad(
            60,
            profile("request_body: {exec: {allowed_commands: [[]]}}"),
            &["clients.profiles[0].request_body.exec.allowed_commands[0]"],
        ),
        good(60, profile("request_body: {exec: {allowed_commands: [[a]]}}")),
        bad(
            61,
            limits("priority: urgent"),
            &["clients.profiles[0].limits.priority: must be low, normal, or high, got \"urgent\""],
        ),
        bad(61, limits("priority: ' '"), &["clients.profiles[0].limits.priority"]),
        good(61, limits("priority: ' HIGH '")),
        bad(
            62,
            limits("rate: {tokens_per_second: 0}"),
            &["clients.profiles[0].limits.rate.tokens_per_second: must be more than zero, got 0"],
        ),
        bad(62, limits("rate: {burst: 5}"), &["limits.rate.tokens_per_second"]),
        bad(62, limits("rate: {tokens_per_second: .nan}"), &["limits.rate.tokens_per_second", "NaN"]),
        bad(
            62,
            limits("rate: {tokens_per_second: .inf, burst: .inf}"),
            &["limits.rate.tokens_per_second", "limits.rate.burst"],
        ),
        good(62, limits("rate: {tokens_per_second: 0.5}")),
        bad(
            63,
            limits("rate: {tokens_per_second: 1, burst: -1}"),
            &["limits.rate.burst: must not be negative, got -1"],
        ),
        bad(
            63,
            limits("rate: {tokens_per_second: 10, burst: 9.5}"),
            &["limits.rate.burst: must be at least tokens_per_second (10)", "9.5"],
        ),
        bad(63, limits("rate: {tokens_per_second: 1, burst: .nan}"), &["limits.rate.burst"]),
        good(63, limits("rate: {tokens_per_second: 10, burst: 0}")),
        bad(
            64,
            limits("rate: {tokens_per_second: 10, endpoint_costs: [{cost: 1}]}"),
            &["limits.rate.endpoint_costs[0].path: is required"],
        ),
        good(64, limits("rate: {tokens_per_second: 10, endpoint_costs: [{cost: 1, path: /build}]}")),
        bad(
            65,
            limits("rate: {tokens_per_second: 10, endpoint_costs: [{path: /a}]}"),
            &["limits.rate.endpoint_costs[0].cost: must be at least 1, got 0"],
        ),
        bad(
            65,
            limits("rate: {tokens_per_second: 10, endpoint_costs: [{path: /a, cost: .nan}]}"),
            &["endpoint_costs[0].cost"],
        ),
        good(65, limits("rate: {tokens_per_second: 10, endpoint_costs: [{path: /a, cost: 1.5}]}")),
        bad(
            66,
            limits("rate: {tokens_per_second: 10, endpoint_costs: [{path: /a, cost: 11}]}"),
            &["endpoint_costs[0].cost: must be at most the burst (10)", "11"],
        ),
        good(66, limits("rate: {tokens_per_second: 10, burst: 11, endpoint_costs: [{path: /a, cost: 11}]}")),
        bad(
            67,
            limits("rate: {tokens_per_second: 10, endpoint_costs: [{path: /a, cost: 1, methods: [GET, ' ']}]}"),
            &["endpoint_costs[0].methods[1]"],
        ),
        good(67, limits("rate: {tokens_per_second: 10, endpoint_costs: [{path: /a, cost: 1, methods: [get]}]}")),
        bad(
            68,
            limits("concurrency: {max_inflight: 0}"),
            &["clients.profiles[0].limits.concurrency.max_inflight: must be more than zero, got 0"],
        ),
        good(68, limits("concurrency: {max_inflight: 1}")),
        bad(
            69,
            "clients: {global_concurrency: {}}",
            &["clients.global_concurrency.max_inflight: must be more than zero, got 0"],
        ),
        good(69, "clients: {global_concurrency: ~}"),
        bad(
            70,
            assigned("default_profile: q"),
            &["clients.default_profile: must match a configured profile (p), got \"q\""],
        ),
        bad(70, "clients: {default_profile: q}", &["(there is none)"]),
        good(70, assigned("default_profile: p")),
        bad(
            71,
            assigned("source_ip_profiles: [{profile: q, cidrs: ['::/0']}]"),
            &["clients.source_ip_profiles[0].profile: must match", "\"q\""],
        ),
        bad(
            71,
            assigned("source_ip_profiles: [{cidrs: ['::/0']}]"),
            &["clients.source_ip_profiles[0].profile: is required"],
        ),
        bad(
            71,
            assigned("source_ip_profiles: [{profile: p}]"),
            &["clients.source_ip_profiles[0].cidrs: must contain at least one"],
        ),
        bad(
            71,
            assigned("source_ip_profiles: [{profile: p, cidrs: [x]}]"),
            &["clients.source_ip_profiles[0].cidrs[0]", "\"x\""],
        ),
        good(71, assigned("source_ip_profiles: [{profile: p, cidrs: ['::/0']}]")),
        bad(
            72,
            assigned("client_certificate_profiles: [{profile: p, dns_names: [a]}]"),
            &["clients.client_certificate_profiles: needs mutual TLS"],
        ),
        good(72, certificates("profile: p, dns_names: [a]")),
        bad(
            73,
            certificates("profile: q, dns_names: [a]"),
            &["clients.client_certificate_profiles[0].profile: must match"],
        ),
        bad(
            73,
            certificates("profile: p"),
            &["clients.client_certificate_profiles[0]: must contain at least one selector"],
        ),
        bad(
            73,
            certificates("profile: p, spiffe_ids: ['https://a']"),
            &["clients.client_certificate_profiles[0].spiffe_ids[0]", "https://a"],
        ),
        bad(
            73,
            certificates("profile: p, ip_addresses: [x], common_names: [' ']"),
            &["[0].ip_addresses[0]", "[0].common_names[0]"],
        ),
        good(73, certificates("profile: p, spiffe_ids: ['spiffe://a/b'], uri_sans: ['urn:x']")),
        bad(74, peers("profile: q, uids: [0]"), &["clients.unix_peer_profiles[0].profile: must match"]),
        bad(
            74,
            peers("profile: p"),
            &["clients.unix_peer_profiles[0]: must contain at least one of uids, gids or pids"],
        ),
        bad(
            74,
            peers("profile: p, pids: [1, 0]"),
            &["clients.unix_peer_profiles[0].pids[1]: must be more than zero, got 0"],
        ),
        good(74, peers("profile: p, pids: [1]")),
        good(74, peers("profile: p, uids: [0]")),
    ]
}

fn rule_cases() -> Vec<Case> {
    vec![
        good(76, "rules: []"),
        bad(77, rules("match: {path: /a}, action: allow"), &["rule 2: match.method is required (line 1)"]),
        bad(77, rules("match: {method: ' , ', path: /a}, action: allow"), &["rule 2: match.method is required"]),
        bad(
            77,
            profile("").replace("method: GET", "method: ''"),
            &["clients.profiles[0].rules[0]: match.method is required"],
        ),
        good(77, rules("match: {method: 'GET,, head', path: /a}, action: allow")),
        bad(78, rules("match: {method: GET}, action: allow"), &["rule 2: match.path is required"]),
        good(78, rules("match: {method: GET, path: a}, action: allow")),
        bad(79, rules("match: {method: GET, path: /a%2Fb}, action: allow"), &["rule 2", "'%'", "/a%2Fb"]),
        good(79, rules("match: {method: GET, path: /a/b}, action: allow")),
        bad(
            80,
            rules("match: {method: GET, path: /a}, action: Allow"),
            &["rule 2: action must be allow or deny, got \"Allow\""],
        ),
        bad(80, rules("match: {method: GET, path: /a}"), &["rule 2: action must be allow or deny, got \"\""]),
        good(80, rules("match: {method: GET, path: /a}, action: deny")),
        good(81, rules("match: {method: GET, path: '/[***?{'}, action: deny")),
    ]
}

fn problems(yaml: &str) -> String {
    let environment = Environment::default();
    let candidate = Candidate::from_bytes(yaml.as_bytes(), Layers::Environment(&environment), &Overrides::default())
        .unwrap_or_else(|problems| panic!("not readable: {yaml}: {problems}"));
    check(&candidate).lines().join("\n")
}

/// A folder with PEM files that have the right shape, and the three keys that name them.
fn tls_files() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let pem = |label: &str| format!("-----BEGIN {label}-----\nMAMCAQA=\n-----END {label}-----\n");
    for (name, label) in [("cert.pem", "CERTIFICATE"), ("key.pem", "PRIVATE KEY"), ("ca.pem", "CERTIFICATE")] {
        std::fs::write(folder.path().join(name), pem(label)).expect("written");
    }
    let at = folder.path().display();
    let keys = format!("cert_file: {at}/cert.pem, key_file: {at}/key.pem, client_ca_file: {at}/ca.pem");
    (folder, keys)
}

#[test]
fn every_check_refuses_and_accepts() {
    let (_folder, tls) = tls_files();
    let cases = [listener_cases(&tls), process_cases(), body_cases(), client_cases(&tls), rule_cases()];
    let (mut refused, mut accepted) = (BTreeSet::new(), BTreeSet::new());
    for Case { number, yaml, pieces } in cases.into_iter().flatten() {
        let told = problems(&yaml);
        if pieces.is_empty() {
            assert_eq!(told, "", "check {number}: {yaml}");
            accepted.insert(number);
        } else {
            for piece in pieces {
                assert!(told.contains(piece), "check {number} lacks {piece:?}: {yaml}\n{told}");
            }
            refused.insert(number);
        }
    }
    let numbers = |without: &[u32]| (1..=81).filter(|number| !without.contains(number)).collect::<BTreeSet<u32>>();
    assert_eq!(refused, numbers(&WITHOUT_A_REFUSAL));
    assert_eq!(accepted, numbers(&[37]));
}

#[test]
fn all_failures_are_told_at_once() {
    let yaml =
        "log: {level: loud}\nhealth: {path: h}\nclients: {allowed_cidrs: [nope]}\nrules: [{match: {method: GET}}]";
    assert_eq!(
        problems(yaml),
        "log.level: must be debug, info, warn, or error, got \"loud\" (line 1)\n\
         health.path: must start with /, got \"h\" (line 2)\n\
         clients.allowed_cidrs[0]: must be a network as ADDRESS/BITS, got \"nope\" (line 3)\n\
         rule 1: match.path is required (line 4)\n\
         rule 1: action must be allow or deny, got \"\" (line 4)"
    );
}
