use std::path::Path;
use std::time::Duration;

use super::compile;
use crate::config::{Candidate, Environment, Layers, ListenAddress, Overrides, Settings};
use crate::observe::SinkTarget;
use crate::policy::{Decision, Plan, Verbosity};
use crate::record::{Format, Level};

fn compiled(yaml: &str) -> Result<(Settings, std::sync::Arc<Plan>), String> {
    let environment = Environment::default();
    let candidate = Candidate::from_bytes(yaml.as_bytes(), Layers::Environment(&environment), &Overrides::default());
    compile(&candidate.expect("readable")).map_err(|problems| problems.to_string())
}

#[track_caller]
fn refused(yaml: &str) -> String {
    compiled(yaml).map(|_| ()).expect_err("this may not run")
}

#[test]
fn defaults() {
    let (settings, plan) = compiled("").expect("defaults may run");
    assert_eq!(settings.listen, ListenAddress::Tcp { address: "127.0.0.1:2375".into() });
    assert_eq!(settings.listen.to_string(), "tcp://127.0.0.1:2375");
    assert_eq!(settings.upstream, Path::new("/var/run/docker.sock"));
    assert_eq!((settings.log.level, settings.log.format), (Level::Info, Format::Json));
    assert_eq!((settings.log.output, settings.log.audit), (SinkTarget::Stderr, None));
    assert_eq!(settings.health.map(|health| health.path).as_deref(), Some("/health"));
    assert_eq!((settings.watchdog, settings.metrics, settings.shards), (None, None, None));
    assert_eq!(plan.verbosity, Verbosity::Minimal);
    assert!(plan.redaction.container_env && plan.redaction.mount_paths);
    assert!(plan.redaction.network_topology && plan.redaction.sensitive_data);
    assert!(!plan.body_blind_writes && !plan.read_exfiltration);
    assert_eq!(plan.rules.judge(b"GET", b"/_ping").decision, Decision::Allow);
    assert_eq!(plan.rules.judge(b"GET", b"/containers/json").decision, Decision::Deny);
}

#[test]
fn values_arrive() {
    let yaml = "listen: {socket: /s}\nupstream: {socket: /u}\nlog: {level: warn, format: text, output: 'file:/l', access_log: false, \
                audit: {enabled: true, output: /a}}\nhealth: {enabled: false, watchdog: {enabled: true, interval: 1m30s}}\n\
                metrics: {enabled: true, path: /m}\nresponse: {deny_verbosity: verbose, redact_mount_paths: false}\n\
                insecure_allow_body_blind_writes: true\ninsecure_allow_read_exfiltration: true\n";
    let (settings, plan) = compiled(yaml).expect("this may run");
    assert_eq!(settings.listen.to_string(), "unix:/s");
    assert_eq!((settings.log.level, settings.log.format), (Level::Warn, Format::Text));
    assert_eq!(settings.log.output, SinkTarget::File("/l".into()));
    assert_eq!(settings.log.audit, Some(SinkTarget::File("/a".into())));
    assert!(!settings.log.access_log && settings.health.is_none());
    assert_eq!(settings.watchdog, Some(Duration::from_secs(90)));
    assert_eq!(settings.metrics.map(|metrics| metrics.path).as_deref(), Some("/m"));
    assert_eq!(plan.verbosity, Verbosity::Verbose);
    assert!(!plan.redaction.mount_paths && plan.redaction.container_env);
    assert!(plan.body_blind_writes && plan.read_exfiltration);
}

fn rule(method: &str, path: &str) -> String {
    format!("{{match: {{method: '{method}', path: '{path}'}}, action: allow}}")
}

#[test]
fn checks_come_before_guards() {
    let yaml = format!("log: {{level: loud}}\nrules: [{}]", rule("*", "/**"));
    assert!(refused(&yaml).starts_with("log.level:"));
}

#[test]
fn blind_writes_need_a_restriction_or_the_acknowledgment() {
    for (path, restriction) in [
        ("/containers/*/exec", "exec: {allowed_commands: [[/bin/true]]}"),
        ("/exec/*/start", "exec: {allowed_commands: [[/bin/true]]}"),
        ("/swarm/join", "swarm: {allowed_join_remote_addrs: ['m:1']}"),
        ("/plugins/*/set", "plugin: {allowed_set_env_prefixes: [A=]}"),
    ] {
        let rules = format!("rules: [{}]", rule("POST", path));
        let error = refused(&rules);
        assert!(
            error.starts_with("rules allow body-sensitive write endpoints without request body inspection; "),
            "{error}"
        );
        assert!(
            error.contains("insecure_allow_body_blind_writes") && error.ends_with(&format!(": POST {path}")),
            "{error}"
        );
        assert!(compiled(&format!("{rules}\ninsecure_allow_body_blind_writes: true")).is_ok());
        assert!(compiled(&format!("{rules}\nrequest_body: {{{restriction}}}")).is_ok(), "{path}");
        assert!(compiled(&format!("{rules}\ninsecure_allow_read_exfiltration: true")).is_err());
    }
    assert!(compiled(&format!("rules: [{}]", rule("POST", "/containers/web/exec"))).is_ok());
}

#[test]
fn raw_reads_need_the_acknowledgment() {
    let rules = format!("rules: [{}]", rule("GET", "/containers/**"));
    let error = refused(&rules);
    assert!(error.contains("insecure_allow_read_exfiltration"), "{error}");
    assert!(error.ends_with(
        "GET /containers/*/archive, GET /containers/*/export, GET /containers/*/logs, GET /containers/*/attach/ws"
    ));
    assert!(compiled(&format!("{rules}\ninsecure_allow_read_exfiltration: true")).is_ok());
    assert!(compiled(&format!("{rules}\ninsecure_allow_body_blind_writes: true")).is_err());
    assert!(compiled(&format!("rules: [{}]", rule("GET", "/containers/json"))).is_ok());
}

#[test]
fn only_the_first_guard_is_told() {
    let error = refused(&format!("rules: [{}]", rule("*", "/**")));
    assert!(error.contains("insecure_allow_body_blind_writes") && !error.contains("insecure_allow_read_exfiltration"));
}

#[test]
fn a_profile_is_guarded_by_its_own_restrictions_and_the_global_keys() {
    let profile = |body: &str| {
        format!(
            "clients: {{profiles: [{{name: reader, request_body: {{{body}}}, rules: [{}]}}]}}",
            rule("POST", "/exec/*/start")
        )
    };
    let commands = "exec: {allowed_commands: [[/bin/true]]}";
    let error = refused(&profile(""));
    assert!(error.starts_with("client profile \"reader\" allows body-sensitive write endpoints"), "{error}");
    assert!(error.contains("a global key") && error.ends_with("POST /exec/*/start"), "{error}");
    assert!(compiled(&profile(commands)).is_ok());
    assert!(compiled(&format!("{}\nrequest_body: {{{commands}}}", profile(""))).is_err());
    assert!(compiled(&format!("{}\ninsecure_allow_body_blind_writes: true", profile(""))).is_ok());
}
