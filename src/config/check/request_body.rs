//! Checks of what request bodies may ask for, at the root and in each profile (spec 10 §4.5).

use super::Check;
use super::forms::{is_device_cgroup_rule, is_join_address, is_not_blank, is_registry, is_rooted, is_setting_prefix};
use super::trust::{Trust, check_trust};
use crate::config::problem::{alternatives, quoted};
use crate::config::schema::{ContainerCreate, RequestBody, TRUST_MODES};

/// `block` is the key path of the block.
pub(super) fn check(check: &mut Check<'_>, block: &str, body: &RequestBody) {
    let at = |key: &str| format!("{block}.{key}");
    let create = &body.container_create;
    for (key, paths) in [
        ("container_create.allowed_bind_mounts", &create.allowed_bind_mounts),
        ("container_create.allowed_devices", &create.allowed_devices),
        ("service.allowed_bind_mounts", &body.service.allowed_bind_mounts),
        ("plugin.allowed_bind_mounts", &body.plugin.allowed_bind_mounts),
        ("plugin.allowed_devices", &body.plugin.allowed_devices),
    ] {
        check.each(&at(key), paths, "an absolute path", is_rooted); // 38
    }
    check_container_create(check, &at("container_create"), create);
    check_commands(check, &at("exec.allowed_commands"), &body.exec.allowed_commands);
    for (key, registries) in [
        ("image_pull.allowed_registries", &body.image_pull.allowed_registries),
        ("image_load.allowed_registries", &body.image_load.allowed_registries),
        ("service.allowed_registries", &body.service.allowed_registries),
        ("plugin.allowed_registries", &body.plugin.allowed_registries),
    ] {
        check.each(&at(key), registries, "a registry as host or host:port", is_registry); // 47
    }
    let swarm = &body.swarm.allowed_join_remote_addrs;
    check.each(&at("swarm.allowed_join_remote_addrs"), swarm, "an address as host or host:port", is_join_address); // 48
    let capabilities = &body.plugin.allowed_capabilities;
    check.each(&at("plugin.allowed_capabilities"), capabilities, "a capability", is_not_blank); // 49
    let prefixes = &body.plugin.allowed_set_env_prefixes;
    let wanted = "NAME= or more, without blanks";
    check.each(&at("plugin.allowed_set_env_prefixes"), prefixes, wanted, is_setting_prefix); // 50
}

/// 39 to 45, 51
fn check_container_create(check: &mut Check<'_>, block: &str, create: &ContainerCreate) {
    for (index, request) in create.allowed_device_requests.iter().enumerate() {
        let path = format!("{block}.allowed_device_requests[{index}]");
        check.required(&format!("{path}.driver"), &request.driver);
        for (set, capabilities) in request.allowed_capabilities.iter().enumerate() {
            if capabilities.is_empty() {
                check.wrong(&format!("{path}.allowed_capabilities[{set}]"), "must contain at least one capability");
            }
        }
        if let Some(count) = request.max_count.filter(|count| *count < -1) {
            check.wrong(&format!("{path}.max_count"), format!("must be -1 or more, got {count}"));
        }
    }
    let rules = &create.allowed_device_cgroup_rules;
    let wanted = "TYPE MAJOR:MINOR PERMISSIONS such as c 1:3 rwm";
    check.each(&format!("{block}.allowed_device_cgroup_rules"), rules, wanted, is_device_cgroup_rule);
    let trust = &create.image_trust;
    match trust.mode.as_str() {
        "" | "off" => {}
        "warn" | "enforce" => {
            let path = format!("{block}.image_trust");
            let trust = Trust {
                path: &path,
                keys: &trust.allowed_signing_keys,
                identities: &trust.allowed_keyless,
                verify_timeout: &trust.verify_timeout,
            };
            check_trust(check, &trust);
        }
        other => {
            let text = format!("must be {}, got {}", alternatives(TRUST_MODES), quoted(other));
            check.wrong(&format!("{block}.image_trust.mode"), text);
        }
    }
}

/// 46
fn check_commands(check: &mut Check<'_>, path: &str, commands: &[Vec<String>]) {
    for (index, command) in commands.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if command.is_empty() {
            check.wrong(&path, format!("command {} must contain at least one word", index + 1));
        } else if !command.iter().all(|word| is_not_blank(word)) {
            check.wrong(&path, format!("command {} has a blank word: {}", index + 1, quoted(&command.join(" "))));
        }
    }
}
