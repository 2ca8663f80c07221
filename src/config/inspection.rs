//! `request_body` as the inspectors want it: lists compiled, texts trimmed (spec 10 §2.5).

use super::schema::{Config, Drivers, RequestBody};
use crate::inspect::Options;
use crate::inspect::capabilities::Capabilities;
use crate::inspect::devices::{DeviceCgroupRules, DeviceRequestRule};
use crate::inspect::exec::Commands;
use crate::inspect::options::{
    BuildOptions, ContainerArchiveOptions, ContainerCreateOptions, ContainerUpdateOptions, DriverOptions, ExecOptions,
    ImageLoadOptions, ImagePullOptions, ImageTrust, NetworkOptions, NodeOptions, PluginOptions, ServiceOptions,
    SwarmOptions, VolumeOptions,
};
use crate::inspect::paths::PathPrefixes;

/// Makes a struct of options: the fields that are listed are copied from the group of the same keys.
macro_rules! options {
    ($options:ident from $group:expr, copied { $($field:ident)* } $($rest:tt)*) => {
        $options { $($field: $group.$field,)* $($rest)* }
    };
}

/// The options of one policy.
pub(super) fn options(config: &Config, body: &RequestBody) -> Options {
    Options {
        container_create: container_create(body),
        exec: options!(ExecOptions from body.exec, copied { allow_privileged allow_root_user }
            allowed_commands: Commands::new(&body.exec.allowed_commands)),
        image_pull: options!(ImagePullOptions from body.image_pull,
            copied { allow_imports allow_all_registries allow_official }
            allowed_registries: registries(&body.image_pull.allowed_registries)),
        build: options!(BuildOptions from body.build,
            copied { allow_remote_context allow_host_network allow_run_instructions }),
        container_update: options!(ContainerUpdateOptions from body.container_update, copied {
            allow_privileged allow_all_devices allow_capabilities allow_resource_updates allow_restart_policy
        }),
        container_archive: options!(ContainerArchiveOptions from body.container_archive,
            copied { allow_setid allow_device_nodes allow_escaping_links }
            allowed_paths: body.container_archive.allowed_paths.clone()),
        image_load: options!(ImageLoadOptions from body.image_load,
            copied { allow_all_registries allow_official allow_untagged }
            allowed_registries: registries(&body.image_load.allowed_registries)),
        volume: options!(VolumeOptions from body.volume, copied { allow_custom_drivers allow_driver_opts }),
        network: options!(NetworkOptions from body.network, copied {
            allow_custom_drivers allow_swarm_scope allow_ingress allow_attachable allow_config_only allow_config_from
            allow_custom_ipam_drivers allow_custom_ipam_config allow_ipam_options allow_driver_options
            allow_endpoint_config allow_disconnect_force
        }),
        secret: drivers(&body.secret),
        config: drivers(&body.config),
        service: options!(ServiceOptions from body.service,
            copied { allow_host_network allow_all_registries allow_official }
            allowed_bind_mounts: PathPrefixes::new(&body.service.allowed_bind_mounts),
            allowed_registries: registries(&body.service.allowed_registries)),
        swarm: options!(SwarmOptions from body.swarm, copied {
            allow_force_new_cluster allow_external_ca allow_token_rotation allow_manager_unlock_key_rotation
            allow_auto_lock_managers allow_signing_ca_update allow_unlock
        } allowed_join_remote_addrs: trimmed(&body.swarm.allowed_join_remote_addrs)),
        node: options!(NodeOptions from body.node,
            copied { allow_name_change allow_role_change allow_availability_change allow_label_mutation }
            allowed_label_keys: trimmed(&body.node.allowed_label_keys),
            owner_label_key: config.ownership.label_key.clone()),
        plugin: plugin(body),
        body_blind_writes: config.insecure_allow_body_blind_writes,
    }
}

fn container_create(body: &RequestBody) -> ContainerCreateOptions {
    let group = &body.container_create;
    let device_requests = group.allowed_device_requests.iter();
    ContainerCreateOptions {
        allowed_bind_mounts: PathPrefixes::new(&group.allowed_bind_mounts),
        allowed_devices: PathPrefixes::new(&group.allowed_devices),
        allowed_device_requests: device_requests
            .map(|rule| DeviceRequestRule::new(&rule.driver, &rule.allowed_capabilities, rule.max_count))
            .collect(),
        allowed_device_cgroup_rules: DeviceCgroupRules::new(&group.allowed_device_cgroup_rules),
        allowed_capabilities: Capabilities::new(&group.allowed_capabilities),
        allowed_seccomp_profiles: trimmed(&group.allowed_seccomp_profiles),
        allowed_apparmor_profiles: trimmed(&group.allowed_apparmor_profiles),
        required_labels: trimmed(&group.required_labels),
        image_trust: match group.image_trust.mode.as_str() {
            "warn" => ImageTrust::Warn,
            "enforce" => ImageTrust::Enforce,
            _ => ImageTrust::Off,
        },
        ..options!(ContainerCreateOptions from group, copied {
            allow_privileged allow_host_network allow_host_pid allow_host_ipc allow_host_userns allow_all_devices
            allow_device_requests allow_device_cgroup_rules allow_all_capabilities allow_sysctls
            require_no_new_privileges require_non_root_user require_readonly_rootfs require_drop_all_capabilities
            require_memory_limit require_cpu_limit require_pids_limit deny_unconfined_seccomp deny_unconfined_apparmor
        } ..ContainerCreateOptions::default())
    }
}

fn plugin(body: &RequestBody) -> PluginOptions {
    let group = &body.plugin;
    options!(PluginOptions from group, copied {
        allow_host_network allow_host_ipc allow_host_pid allow_all_devices allow_all_capabilities allow_all_registries
        allow_official
    }
        allowed_bind_mounts: PathPrefixes::new(&group.allowed_bind_mounts),
        allowed_devices: PathPrefixes::new(&group.allowed_devices),
        allowed_capabilities: Capabilities::with_prefix(&group.allowed_capabilities),
        allowed_registries: registries(&group.allowed_registries),
        allowed_set_env_prefixes: trimmed(&group.allowed_set_env_prefixes))
}

fn drivers(group: &Drivers) -> DriverOptions {
    options!(DriverOptions from group, copied { allow_custom_drivers allow_template_drivers })
}

fn trimmed(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Registry hosts in the one spelling that image references are brought to.
fn registries(hosts: &[String]) -> Vec<String> {
    let normal = |host: String| if host == "index.docker.io" { "docker.io".to_owned() } else { host };
    trimmed(hosts).into_iter().map(|host| normal(host.to_ascii_lowercase())).collect()
}
