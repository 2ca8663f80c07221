//! `POST /containers/create`: what a new container may have of the host (spec 30 §1).
//!
//! Owns the checks and their order; the first hit decides. Reading the body is [`body`]'s. What is denied here is what
//! lets a container out of its box: privileges, host namespaces, host paths, devices, capabilities.

mod body;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(crate) use body::Mount;
use body::{Body, DeviceRequest, HostConfig, path_on_host};

use super::Outcome;
use super::capabilities::{self, Upper};
use super::devices::DeviceCgroupRule;
use super::network::Endpoint;
use super::options::{ContainerCreateOptions, ImageTrust, Options, VolumeOptions};
use super::paths::{PathPrefixes, bind_source, clean_absolute};
use super::reason::Quoted;
use super::security::SecurityOptions;
use super::stop::{Judged, Stop, conclude, deny, deny_value, read, text};
use super::text::{is_blank, is_host, is_root, shared_container, trim};
use crate::json::Reader;

/// Judges a body that is not empty.
pub fn inspect(body: &[u8], options: &Options, reader: &mut Reader) -> Outcome {
    // By reference: what was decoded is large, and wants no second place.
    let judged = read(reader, body, |view| judge(Body::decode(view).as_ref().map_err(|error| *error)?, options));
    conclude(judged, "container create", "malformed JSON request body")
}

fn judge(body: &Body<'_>, options: &Options) -> Judged {
    let create = &options.container_create;
    let host = &body.host;
    judge_isolation(host, create)?;
    judge_sharing(host, create)?;
    judge_unconditional(host, create)?;
    judge_device_requests(host, create)?;
    judge_device_cgroup_rules(host, create)?;
    judge_devices(host, create)?;
    judge_sources(host, &create.allowed_bind_mounts)?;
    judge_mounts(host, create, &options.volume)?;
    judge_networks(body, options)?;
    let security = SecurityOptions::judge(host.security_opt.clone(), create).map_err(Stop::Denied)?;
    judge_capabilities(host, create)?;
    if create.require_no_new_privileges && !security.no_new_privileges {
        return deny(
            "no-new-privileges is required (set HostConfig.SecurityOpt to include \"no-new-privileges:true\")",
        );
    }
    judge_requirements(body, create)
}

/// 1 to 5
fn judge_isolation(host: &HostConfig<'_>, options: &ContainerCreateOptions) -> Judged {
    if host.privileged && !options.allow_privileged {
        return deny("privileged containers are not allowed");
    }
    if is_host(host.network_mode) && !options.allow_host_network {
        return deny("host network mode is not allowed");
    }
    if is_host(host.pid_mode) && !options.allow_host_pid {
        return deny("host PID mode is not allowed");
    }
    if is_host(host.ipc_mode) && !options.allow_host_ipc {
        return deny("host IPC mode is not allowed");
    }
    if is_host(host.userns_mode) && !options.allow_host_userns {
        return deny("host user namespace mode is not allowed");
    }
    Ok(())
}

/// Other containers' namespaces (§16.1)
fn judge_sharing(host: &HostConfig<'_>, options: &ContainerCreateOptions) -> Judged {
    if !options.restrict_namespace_sharing {
        return Ok(());
    }
    let allowed = &options.allowed_namespace_sharing_containers;
    for (mode, namespace) in [
        (host.network_mode, "network"),
        (host.pid_mode, "PID"),
        (host.ipc_mode, "IPC"),
        (host.uts_mode, "UTS"),
        (host.userns_mode, "user"),
    ] {
        let Some(container) = shared_container(mode) else { continue };
        if allowed.is_empty() {
            deny_value(format_args!("{namespace} namespace sharing with another container is not allowed"))?;
        }
        if !allowed.iter().any(|known| known == container) {
            deny_value(format_args!("namespace-sharing target {} is not in the allowed list", Quoted(container)))?;
        }
    }
    Ok(())
}

/// 6 to 11
fn judge_unconditional(host: &HostConfig<'_>, options: &ContainerCreateOptions) -> Judged {
    if !host.sysctls.is_empty() && !options.allow_sysctls {
        return deny("setting sysctls is not allowed");
    }
    if !host.volumes_from.is_empty() {
        return deny("VolumesFrom is not allowed");
    }
    if is_host(host.uts_mode) {
        return deny("host UTS mode is not allowed");
    }
    if !is_blank(host.cgroup_parent) {
        return deny("custom cgroup parent is not allowed");
    }
    if !host.group_add.is_empty() {
        return deny("supplemental group IDs are not allowed");
    }
    if !host.extra_hosts.is_empty() {
        return deny("ExtraHosts is not allowed");
    }
    Ok(())
}

/// 12
fn judge_device_requests(host: &HostConfig<'_>, options: &ContainerCreateOptions) -> Judged {
    let requests = host.device_requests.objects()?;
    if options.allow_device_requests || requests.clone().next().is_none() {
        return Ok(());
    }
    if options.allowed_device_requests.is_empty() {
        return deny("device requests are not allowed");
    }
    for (index, request) in requests.enumerate() {
        let request = DeviceRequest::decode(&request)?;
        if is_blank(request.driver) {
            deny_value(format_args!("device request {index} has an empty Driver field"))?;
        }
        let mut is_allowed = false;
        for rule in &options.allowed_device_requests {
            is_allowed |= rule.allows(request.driver, request.count, request.capabilities.string_lists()?);
        }
        if !is_allowed {
            let driver = Quoted(request.driver);
            deny_value(format_args!("device request {index} (driver {driver}) is not permitted by the allowlist"))?;
        }
    }
    Ok(())
}

/// 13
fn judge_device_cgroup_rules(host: &HostConfig<'_>, options: &ContainerCreateOptions) -> Judged {
    if host.device_cgroup_rules.is_empty() || options.allow_device_cgroup_rules {
        return Ok(());
    }
    if options.allowed_device_cgroup_rules.is_empty() {
        return deny("device cgroup rules are not allowed");
    }
    for text in host.device_cgroup_rules.clone() {
        match DeviceCgroupRule::parse(text) {
            None => deny_value(format_args!("device cgroup rule {} is malformed", Quoted(text)))?,
            Some(rule) if !options.allowed_device_cgroup_rules.allows(&rule) => {
                deny_value(format_args!("device cgroup rule {} is not in the allowed list", Quoted(text)))?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// 14
fn judge_devices(host: &HostConfig<'_>, options: &ContainerCreateOptions) -> Judged {
    if options.allow_all_devices {
        return Ok(());
    }
    for device in host.devices.objects()? {
        let path = path_on_host(&device)?.trim();
        if !clean_absolute(path).is_some_and(|path| options.allowed_devices.allows(&path)) {
            deny_value(format_args!("device {} is not allowlisted", Quoted(path)))?;
        }
    }
    Ok(())
}

/// 15: all of `Binds`, then `Mounts`
fn judge_sources(host: &HostConfig<'_>, allowed: &PathPrefixes) -> Judged {
    for bind in host.binds.clone() {
        judge_source(bind_source(bind), allowed)?;
    }
    for mount in host.mounts.objects()? {
        // What is no absolute path is no host path; the Engine refuses it.
        if trim(text(mount.field("Type"))?).eq_ignore_ascii_case("bind") {
            judge_source(clean_absolute(text(mount.field("Source"))?), allowed)?;
        }
    }
    Ok(())
}

/// A host path that is mounted.
pub(crate) fn judge_source(source: Option<Cow<'_, str>>, allowed: &PathPrefixes) -> Judged {
    match source {
        Some(source) if !allowed.allows(&source) => {
            deny_value(format_args!("bind mount source {} is not allowlisted", Quoted(&source)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Kinds of mounts, and the drivers of volumes that are made on the way (§16.1, §15 gap 7)
fn judge_mounts(host: &HostConfig<'_>, options: &ContainerCreateOptions, volume: &VolumeOptions) -> Judged {
    judge_volume_driver(host.volume_driver, volume)?;
    for mount in host.mounts.objects()? {
        let mount = Mount::decode(&mount)?;
        let kind = trim(mount.kind);
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        if is("image") && options.image_trust == ImageTrust::Enforce {
            let source = Quoted(mount.source);
            deny_value(format_args!("image mount source {source} is not covered by image trust verification"))?;
        }
        // A kind that nobody here knows is a way in that nobody here has looked at (field report 50).
        if !["bind", "volume", "tmpfs", "image"].into_iter().any(is) {
            deny_value(format_args!("mount type {} is not allowed", Quoted(&kind.to_lowercase())))?;
        }
        judge_mount_driver(&mount, volume)?;
    }
    Ok(())
}

/// A volume that a mount makes, by the rules for volumes: the `local` driver binds host paths by its options.
pub(crate) fn judge_mount_driver(mount: &Mount<'_>, options: &VolumeOptions) -> Judged {
    judge_volume_driver(mount.driver, options)?;
    if !mount.driver_options.is_empty() && !options.allow_driver_opts {
        return deny("volume driver options are not allowed");
    }
    Ok(())
}

fn judge_volume_driver(driver: &str, options: &VolumeOptions) -> Judged {
    if options.allow_custom_drivers || is_blank(driver) || trim(driver).eq_ignore_ascii_case("local") {
        return Ok(());
    }
    deny_value(format_args!("volume driver {} is not allowed", Quoted(driver)))
}

/// Endpoints, and the host network by its other name (§16.1). Aliases pass: Compose names every service by one.
fn judge_networks(body: &Body<'_>, options: &Options) -> Judged {
    let create = &options.container_create;
    let endpoints = body.endpoints.object_map()?;
    if !create.allow_host_network && endpoints.clone().any(|(network, _)| is_host(network)) {
        return deny("host network mode is not allowed");
    }
    if options.network.allow_endpoint_config {
        return Ok(());
    }
    // In the order of the networks' names, whatever the order in the body.
    let mut first: Option<(&str, &'static str)> = None;
    for (network, endpoint) in endpoints {
        let reason = Endpoint::decode(&endpoint)?.refusal_at_create();
        if let Some(reason) = reason
            && first.is_none_or(|(name, _)| network < name)
        {
            first = Some((network, reason));
        }
    }
    if let Some((_, reason)) = first {
        return deny(reason);
    }
    if !is_blank(body.mac_address) {
        return deny("container MAC address is not allowed");
    }
    Ok(())
}

/// 17
fn judge_capabilities(host: &HostConfig<'_>, options: &ContainerCreateOptions) -> Judged {
    if options.allow_all_capabilities {
        return Ok(());
    }
    for capability in host.cap_add.clone().filter_map(capabilities::canonical) {
        if !options.allowed_capabilities.contains(capability) {
            let capability = Upper(capability).to_string();
            deny_value(format_args!("capability {} is not in the allowed list", Quoted(&capability)))?;
        }
    }
    Ok(())
}

/// 19 to 25
fn judge_requirements(body: &Body<'_>, options: &ContainerCreateOptions) -> Judged {
    let host = &body.host;
    if options.require_non_root_user && is_root(body.user) {
        return deny("non-root user is required (set Config.User to a non-zero UID or non-root username)");
    }
    if options.require_readonly_rootfs && !host.readonly_rootfs {
        return deny("read-only root filesystem is required (set HostConfig.ReadonlyRootfs to true)");
    }
    let drops_all = || host.cap_drop.clone().any(|name| trim(name).eq_ignore_ascii_case("ALL"));
    if options.require_drop_all_capabilities && !drops_all() {
        return deny("HostConfig.CapDrop must include \"ALL\"");
    }
    if options.require_memory_limit && host.memory <= 0 {
        return deny("a memory limit is required (set HostConfig.Memory)");
    }
    let has_cpu_limit = [host.nano_cpus, host.cpu_quota, host.cpu_period, host.cpu_shares].into_iter().any(|n| n > 0);
    if options.require_cpu_limit && !has_cpu_limit {
        return deny("a CPU limit is required (set HostConfig.NanoCpus, CpuQuota, CpuPeriod, or CpuShares)");
    }
    if options.require_pids_limit && host.pids_limit <= 0 {
        return deny("a PIDs limit is required (set HostConfig.PidsLimit to a positive value)");
    }
    for key in &options.required_labels {
        let is_given = body.labels.clone().any(|(label, value)| label == key && !is_blank(value));
        if !is_given {
            deny_value(format_args!("required label {} is missing or empty", Quoted(key)))?;
        }
    }
    Ok(())
}
