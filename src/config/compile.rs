//! From a readable configuration to one that may run: checks, rules, guards, typed settings (spec 10 §3.1 step 8, §5).
//!
//! Owns the order of the stages. It never returns half a policy: either everything holds, or the list of what does not.

use std::sync::Arc;
use std::time::Duration;

use super::candidate::Candidate;
use super::check::{check, rule_specs};
use super::duration::parse_nanoseconds;
use super::inspection;
use super::problem::{Problem, Problems};
use super::schema::{Config, RequestBody, Rule};
use super::settings::{HealthSettings, ListenAddress, LogSettings, MetricsSettings, Settings};
use crate::observe::SinkTarget;
use crate::policy::guards::{self, Restrictions};
use crate::policy::{Plan, RuleSet, Verbosity};
use crate::record::{Format, Level};
use crate::redaction::Toggles;

/// Compiles a candidate.
///
/// # Errors
/// All failed checks; or, when they hold, the first guard that objects, with all endpoints that it found.
pub fn compile(candidate: &Candidate) -> Result<(Settings, Arc<Plan>), Problems> {
    check(candidate).or(())?;
    let config = &candidate.config;
    let rules = compile_rules(&config.rules)?;
    guard(config, &rules, &config.request_body, None)?;
    for profile in &config.clients.profiles {
        guard(config, &compile_rules(&profile.rules)?, &profile.request_body, Some(&profile.name))?;
    }
    Ok((settings(candidate)?, Arc::new(plan(config, rules))))
}

fn compile_rules(rules: &[Rule]) -> Result<RuleSet, Problems> {
    RuleSet::compile(&rule_specs(rules)).map_err(|errors| {
        let mut problems = Problems::default();
        for error in errors {
            problems.push(Problem { path: String::new(), text: error.to_string(), origin: Default::default() });
        }
        problems
    })
}

/// The start-up guards over one rule set. The acknowledgments are global; a profile has none of its own.
fn guard(config: &Config, rules: &RuleSet, body: &RequestBody, profile: Option<&str>) -> Result<(), Problems> {
    let subject = profile.map_or_else(|| "rules allow".to_owned(), |name| format!("client profile {name:?} allows"));
    let scope = if profile.is_some() { " (a global key, there is none for a profile)" } else { "" };
    if !config.insecure_allow_body_blind_writes {
        let found = guards::blind_writes(rules, restrictions(body));
        if !found.is_empty() {
            return Err(Problems::one(format!(
                "{subject} body-sensitive write endpoints without request body inspection; narrow the rules, restrict \
                 bodies under request_body, or set insecure_allow_body_blind_writes: true{scope}: {}",
                found.join(", ")
            )));
        }
    }
    if !config.insecure_allow_read_exfiltration {
        let found = guards::read_exfiltration(rules);
        if !found.is_empty() {
            return Err(Problems::one(format!(
                "{subject} raw reads that take data out; narrow the rules, or set insecure_allow_read_exfiltration: \
                 true{scope}: {}",
                found.join(", ")
            )));
        }
    }
    Ok(())
}

fn restrictions(body: &RequestBody) -> Restrictions {
    Restrictions {
        exec_commands: !body.exec.allowed_commands.is_empty(),
        swarm_join_addresses: !body.swarm.allowed_join_remote_addrs.is_empty(),
        plugin_set_prefixes: !body.plugin.allowed_set_env_prefixes.is_empty(),
    }
}

fn plan(config: &Config, rules: RuleSet) -> Plan {
    let response = &config.response;
    Plan {
        rules,
        verbosity: Verbosity::from_config(&response.deny_verbosity),
        redaction: Toggles {
            container_env: response.redact_container_env,
            mount_paths: response.redact_mount_paths,
            network_topology: response.redact_network_topology,
            sensitive_data: response.redact_sensitive_data,
        },
        inspection: inspection::options(config, &config.request_body),
        body_blind_writes: config.insecure_allow_body_blind_writes,
        read_exfiltration: config.insecure_allow_read_exfiltration,
    }
}

/// The typed settings. The checks have passed, so a refusal here means that a check and its parser disagree.
fn settings(candidate: &Candidate) -> Result<Settings, Problems> {
    let config = &candidate.config;
    let sink =
        |path: &str, text: &str| SinkTarget::parse(text).map_err(|error| Problems::one(format!("{path}: {error}")));
    let log = LogSettings {
        level: Level::parse(&config.log.level).ok_or_else(|| Problems::one("log.level: unknown"))?,
        format: Format::parse(&config.log.format).ok_or_else(|| Problems::one("log.format: unknown"))?,
        output: sink("log.output", &config.log.output)?,
        access_log: config.log.access_log,
        audit: match config.log.audit.enabled {
            true => Some(sink("log.audit.output", &config.log.audit.output)?),
            false => None,
        },
    };
    let watchdog = &config.health.watchdog;
    Ok(Settings {
        listen: ListenAddress::of(config),
        upstream: config.upstream.socket.clone().into(),
        log,
        health: config.health.enabled.then(|| HealthSettings { path: config.health.path.clone() }),
        watchdog: match watchdog.enabled {
            true => Some(duration("health.watchdog.interval", &watchdog.interval)?),
            false => None,
        },
        metrics: config.metrics.enabled.then(|| MetricsSettings { path: config.metrics.path.clone() }),
        shards: candidate.shards,
    })
}

fn duration(path: &str, text: &str) -> Result<Duration, Problems> {
    parse_nanoseconds(text)
        .ok()
        .and_then(|nanoseconds| u64::try_from(nanoseconds).ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| Problems::one(format!("{path}: is no positive duration")))
}

#[cfg(test)]
#[path = "compile_tests.rs"]
mod tests;
