//! The body of `POST /containers/create`, as far as it is inspected (spec 30 §1).
//!
//! Owns the decoding: every listed field must have its type, whatever else decides. Lists of objects are checked here
//! and kept as they are; the checks walk them again, which is cheaper than collecting them.

use crate::inspect::network::Endpoint;
use crate::inspect::stop::{flag, integer, text};
use crate::json::{Field, Names, Object, StringMap, Strings, TypeError, View};

/// The body.
#[derive(Debug)]
pub(super) struct Body<'d> {
    pub(super) user: &'d str,
    pub(super) labels: StringMap<'d>,
    pub(super) mac_address: &'d str,
    pub(super) host: HostConfig<'d>,
    /// `NetworkingConfig.EndpointsConfig`, each value decodable as an [`Endpoint`].
    pub(super) endpoints: Field<'d>,
}

/// `HostConfig`.
#[derive(Debug)]
pub(super) struct HostConfig<'d> {
    pub(super) privileged: bool,
    pub(super) network_mode: &'d str,
    pub(super) pid_mode: &'d str,
    pub(super) ipc_mode: &'d str,
    pub(super) userns_mode: &'d str,
    pub(super) uts_mode: &'d str,
    pub(super) sysctls: StringMap<'d>,
    pub(super) volumes_from: Strings<'d>,
    pub(super) cgroup_parent: &'d str,
    pub(super) group_add: Strings<'d>,
    pub(super) extra_hosts: Strings<'d>,
    /// Each decodable as a [`DeviceRequest`].
    pub(super) device_requests: Field<'d>,
    pub(super) device_cgroup_rules: Strings<'d>,
    /// Each decodable by [`path_on_host`].
    pub(super) devices: Field<'d>,
    pub(super) binds: Strings<'d>,
    /// Each decodable as a [`Mount`].
    pub(super) mounts: Field<'d>,
    pub(super) volume_driver: &'d str,
    pub(super) security_opt: Strings<'d>,
    pub(super) cap_add: Strings<'d>,
    pub(super) cap_drop: Strings<'d>,
    pub(super) readonly_rootfs: bool,
    pub(super) memory: i64,
    pub(super) nano_cpus: i64,
    pub(super) cpu_quota: i64,
    pub(super) cpu_period: i64,
    pub(super) cpu_shares: i64,
    pub(super) pids_limit: i64,
}

static BODY: Names<6> = Names::new(["Image", "User", "Labels", "MacAddress", "HostConfig", "NetworkingConfig"]);

impl<'d> Body<'d> {
    pub(super) fn decode(view: View<'d>) -> Result<Body<'d>, TypeError> {
        let [image, user, labels, mac_address, host, networking] = view.object()?.fields_of(&BODY);
        text(image)?;
        let endpoints = networking.object()?.unwrap_or_default().field("EndpointsConfig");
        endpoints.object_map()?.try_for_each(|(_, endpoint)| Endpoint::decode(&endpoint).map(drop))?;
        Ok(Body {
            user: text(user)?,
            labels: labels.string_map()?,
            mac_address: text(mac_address)?,
            host: HostConfig::decode(&host.object()?.unwrap_or_default())?,
            endpoints,
        })
    }
}

/// In the order in which they are decoded.
#[rustfmt::skip]
static HOST_CONFIG: Names<28> = Names::new([
    "Privileged", "NetworkMode", "PidMode", "IpcMode", "UsernsMode", "UTSMode", "Sysctls", "VolumesFrom",
    "CgroupParent", "GroupAdd", "ExtraHosts", "DeviceRequests", "DeviceCgroupRules", "Devices", "Binds", "Mounts",
    "VolumeDriver", "SecurityOpt", "CapAdd", "CapDrop", "ReadonlyRootfs", "Memory", "MemoryReservation", "NanoCpus",
    "CpuQuota", "CpuPeriod", "CpuShares", "PidsLimit",
]);

impl<'d> HostConfig<'d> {
    fn decode(host: &Object<'d>) -> Result<HostConfig<'d>, TypeError> {
        // One pass over the members for all of them.
        #[rustfmt::skip]
        let [
            privileged, network_mode, pid_mode, ipc_mode, userns_mode, uts_mode, sysctls, volumes_from, cgroup_parent,
            group_add, extra_hosts, device_requests, device_cgroup_rules, devices, binds, mounts, volume_driver,
            security_opt, cap_add, cap_drop, readonly_rootfs, memory, memory_reservation, nano_cpus, cpu_quota,
            cpu_period, cpu_shares, pids_limit,
        ] = host.fields_of(&HOST_CONFIG);
        device_requests.objects()?.try_for_each(|request| DeviceRequest::decode(&request).map(drop))?;
        devices.objects()?.try_for_each(|device| path_on_host(&device).map(drop))?;
        mounts.objects()?.try_for_each(|mount| Mount::decode(&mount).map(drop))?;
        integer(memory_reservation)?;
        Ok(HostConfig {
            privileged: flag(privileged)?,
            network_mode: text(network_mode)?,
            pid_mode: text(pid_mode)?,
            ipc_mode: text(ipc_mode)?,
            userns_mode: text(userns_mode)?,
            uts_mode: text(uts_mode)?,
            sysctls: sysctls.string_map()?,
            volumes_from: volumes_from.strings()?,
            cgroup_parent: text(cgroup_parent)?,
            group_add: group_add.strings()?,
            extra_hosts: extra_hosts.strings()?,
            device_requests,
            device_cgroup_rules: device_cgroup_rules.strings()?,
            devices,
            binds: binds.strings()?,
            mounts,
            volume_driver: text(volume_driver)?,
            security_opt: security_opt.strings()?,
            cap_add: cap_add.strings()?,
            cap_drop: cap_drop.strings()?,
            readonly_rootfs: flag(readonly_rootfs)?,
            memory: integer(memory)?,
            nano_cpus: integer(nano_cpus)?,
            cpu_quota: integer(cpu_quota)?,
            cpu_period: integer(cpu_period)?,
            cpu_shares: integer(cpu_shares)?,
            pids_limit: integer(pids_limit)?,
        })
    }
}

/// The path of one of `HostConfig.Devices`.
pub(super) fn path_on_host<'d>(device: &Object<'d>) -> Result<&'d str, TypeError> {
    text(device.field("PathOnHost"))
}

/// One of `HostConfig.DeviceRequests`.
pub(super) struct DeviceRequest<'d> {
    pub(super) driver: &'d str,
    pub(super) count: i64,
    /// A list of lists of strings.
    pub(super) capabilities: Field<'d>,
}

impl<'d> DeviceRequest<'d> {
    pub(super) fn decode(request: &Object<'d>) -> Result<DeviceRequest<'d>, TypeError> {
        let [driver, count, device_ids, capabilities, options] =
            request.fields(["Driver", "Count", "DeviceIDs", "Capabilities", "Options"]);
        device_ids.strings()?;
        options.string_map()?;
        capabilities.string_lists().map(drop)?;
        Ok(DeviceRequest { driver: text(driver)?, count: integer(count)?, capabilities })
    }
}

/// One of `HostConfig.Mounts`, or of a service's.
pub(crate) struct Mount<'d> {
    pub(crate) kind: &'d str,
    pub(crate) source: &'d str,
    /// `VolumeOptions.DriverConfig`
    pub(crate) driver: &'d str,
    pub(crate) driver_options: StringMap<'d>,
}

static MOUNT: Names<3> = Names::new(["Type", "Source", "VolumeOptions"]);
static DRIVER_CONFIG: Names<2> = Names::new(["Name", "Options"]);

impl<'d> Mount<'d> {
    pub(crate) fn decode(mount: &Object<'d>) -> Result<Mount<'d>, TypeError> {
        let [kind, source, volume] = mount.fields_of(&MOUNT);
        let driver = volume.object()?.unwrap_or_default().field("DriverConfig");
        let [name, options] = driver.object()?.unwrap_or_default().fields_of(&DRIVER_CONFIG);
        Ok(Mount {
            kind: text(kind)?,
            source: text(source)?,
            driver: text(name)?,
            driver_options: options.string_map()?,
        })
    }
}
