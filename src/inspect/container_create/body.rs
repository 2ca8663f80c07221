//! The body of `POST /containers/create`, as far as it is inspected (spec 30 §1).
//!
//! Owns the decoding: every listed field must have its type, whatever else decides. One pass over each object; a key is
//! folded once and compared with names in lower case.

use crate::inspect::network::Endpoint;
use crate::json::fold::{FoldBuffer, fold};
use crate::json::view::{Elements, Members, TextMap, Texts};
use crate::json::{ReadError, View};

/// The body.
#[derive(Debug, Default)]
pub(super) struct Body<'d> {
    pub(super) user: &'d str,
    pub(super) labels: TextMap<'d>,
    pub(super) mac_address: &'d str,
    pub(super) host: HostConfig<'d>,
    /// `NetworkingConfig.EndpointsConfig`, each value decodable as an [`Endpoint`].
    pub(super) endpoints: Members<'d>,
}

/// `HostConfig`.
#[derive(Debug, Default)]
pub(super) struct HostConfig<'d> {
    pub(super) privileged: bool,
    pub(super) network_mode: &'d str,
    pub(super) pid_mode: &'d str,
    pub(super) ipc_mode: &'d str,
    pub(super) userns_mode: &'d str,
    pub(super) uts_mode: &'d str,
    pub(super) sysctls: TextMap<'d>,
    pub(super) volumes_from: Texts<'d>,
    pub(super) cgroup_parent: &'d str,
    pub(super) group_add: Texts<'d>,
    pub(super) extra_hosts: Texts<'d>,
    /// Each decodable as a [`DeviceRequest`].
    pub(super) device_requests: Elements<'d>,
    pub(super) device_cgroup_rules: Texts<'d>,
    /// Each decodable as a [`Device`].
    pub(super) devices: Elements<'d>,
    pub(super) binds: Texts<'d>,
    /// Each decodable as a [`Mount`].
    pub(super) mounts: Elements<'d>,
    pub(super) volume_driver: &'d str,
    pub(super) security_opt: Texts<'d>,
    pub(super) cap_add: Texts<'d>,
    pub(super) cap_drop: Texts<'d>,
    pub(super) readonly_rootfs: bool,
    pub(super) memory: i64,
    pub(super) nano_cpus: i64,
    pub(super) cpu_quota: i64,
    pub(super) cpu_period: i64,
    pub(super) cpu_shares: i64,
    pub(super) pids_limit: i64,
}

impl<'d> Body<'d> {
    pub(super) fn decode(view: View<'d>) -> Result<Body<'d>, ReadError> {
        let mut body = Body::default();
        for (key, value) in view.members()? {
            match fold(key, &mut FoldBuffer::default()) {
                b"image" => drop(value.text()?),
                b"user" => body.user = value.text()?,
                b"labels" => body.labels = value.text_map()?,
                b"macaddress" => body.mac_address = value.text()?,
                b"hostconfig" => body.host = HostConfig::decode(value)?,
                b"networkingconfig" => body.endpoints = endpoints(value)?,
                _ => {}
            }
        }
        Ok(body)
    }
}

impl<'d> HostConfig<'d> {
    fn decode(view: View<'d>) -> Result<HostConfig<'d>, ReadError> {
        let mut host = HostConfig::default();
        for (key, value) in view.members()? {
            match fold(key, &mut FoldBuffer::default()) {
                b"privileged" => host.privileged = value.flag()?,
                b"networkmode" => host.network_mode = value.text()?,
                b"pidmode" => host.pid_mode = value.text()?,
                b"ipcmode" => host.ipc_mode = value.text()?,
                b"usernsmode" => host.userns_mode = value.text()?,
                b"utsmode" => host.uts_mode = value.text()?,
                b"sysctls" => host.sysctls = value.text_map()?,
                b"volumesfrom" => host.volumes_from = value.texts()?,
                b"cgroupparent" => host.cgroup_parent = value.text()?,
                b"groupadd" => host.group_add = value.texts()?,
                b"extrahosts" => host.extra_hosts = value.texts()?,
                b"devicerequests" => host.device_requests = checked(value, DeviceRequest::decode)?,
                b"devicecgrouprules" => host.device_cgroup_rules = value.texts()?,
                b"devices" => host.devices = checked(value, Device::decode)?,
                b"binds" => host.binds = value.texts()?,
                b"mounts" => host.mounts = checked(value, Mount::decode)?,
                b"volumedriver" => host.volume_driver = value.text()?,
                b"securityopt" => host.security_opt = value.texts()?,
                b"capadd" => host.cap_add = value.texts()?,
                b"capdrop" => host.cap_drop = value.texts()?,
                b"readonlyrootfs" => host.readonly_rootfs = value.flag()?,
                b"memory" => host.memory = value.integer()?.unwrap_or(0),
                b"memoryreservation" => drop(value.integer()?),
                b"nanocpus" => host.nano_cpus = value.integer()?.unwrap_or(0),
                b"cpuquota" => host.cpu_quota = value.integer()?.unwrap_or(0),
                b"cpuperiod" => host.cpu_period = value.integer()?.unwrap_or(0),
                b"cpushares" => host.cpu_shares = value.integer()?.unwrap_or(0),
                b"pidslimit" => host.pids_limit = value.integer()?.unwrap_or(0),
                _ => {}
            }
        }
        Ok(host)
    }
}

/// One of `HostConfig.Devices`.
pub(super) struct Device<'d> {
    pub(super) path_on_host: &'d str,
}

impl<'d> Device<'d> {
    pub(super) fn decode(view: View<'d>) -> Result<Device<'d>, ReadError> {
        let mut device = Device { path_on_host: "" };
        for (key, value) in view.members()? {
            if fold(key, &mut FoldBuffer::default()) == b"pathonhost" {
                device.path_on_host = value.text()?;
            }
        }
        Ok(device)
    }
}

/// One of `HostConfig.DeviceRequests`.
#[derive(Default)]
pub(super) struct DeviceRequest<'d> {
    pub(super) driver: &'d str,
    pub(super) count: i64,
    /// Each a list of strings.
    capabilities: Elements<'d>,
}

impl<'d> DeviceRequest<'d> {
    pub(super) fn decode(view: View<'d>) -> Result<DeviceRequest<'d>, ReadError> {
        let mut request = DeviceRequest::default();
        for (key, value) in view.members()? {
            match fold(key, &mut FoldBuffer::default()) {
                b"driver" => request.driver = value.text()?,
                b"count" => request.count = value.integer()?.unwrap_or(0),
                b"deviceids" => drop(value.texts()?),
                b"capabilities" => request.capabilities = checked(value, View::texts)?,
                b"options" => drop(value.text_map()?),
                _ => {}
            }
        }
        Ok(request)
    }

    /// The sets of capabilities.
    pub(super) fn capability_sets(&self) -> impl Iterator<Item = Texts<'d>> + Clone {
        // Every set was checked, so the default is never taken.
        self.capabilities.clone().map(|set| set.texts().unwrap_or_default())
    }
}

/// One of `HostConfig.Mounts`, or of a service's.
#[derive(Default)]
pub(crate) struct Mount<'d> {
    pub(crate) kind: &'d str,
    pub(crate) source: &'d str,
    /// `VolumeOptions.DriverConfig`
    pub(crate) driver: &'d str,
    pub(crate) driver_options: TextMap<'d>,
}

impl<'d> Mount<'d> {
    pub(crate) fn decode(view: View<'d>) -> Result<Mount<'d>, ReadError> {
        let mut mount = Mount::default();
        for (key, value) in view.members()? {
            match fold(key, &mut FoldBuffer::default()) {
                b"type" => mount.kind = value.text()?,
                b"source" => mount.source = value.text()?,
                b"volumeoptions" => mount.decode_volume_options(value)?,
                _ => {}
            }
        }
        Ok(mount)
    }

    fn decode_volume_options(&mut self, view: View<'d>) -> Result<(), ReadError> {
        for (key, value) in view.members()? {
            if fold(key, &mut FoldBuffer::default()) != b"driverconfig" {
                continue;
            }
            for (key, value) in value.members()? {
                match fold(key, &mut FoldBuffer::default()) {
                    b"name" => self.driver = value.text()?,
                    b"options" => self.driver_options = value.text_map()?,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn endpoints(networking_config: View<'_>) -> Result<Members<'_>, ReadError> {
    let mut endpoints = Members::default();
    for (key, value) in networking_config.members()? {
        if fold(key, &mut FoldBuffer::default()) == b"endpointsconfig" {
            endpoints = value.members()?;
        }
    }
    endpoints.clone().try_for_each(|(_, endpoint)| Endpoint::decode(endpoint).map(drop))?;
    Ok(endpoints)
}

/// The elements of a list, each of which `decode` accepts.
pub(crate) fn checked<'d, T>(
    list: View<'d>,
    decode: impl Fn(View<'d>) -> Result<T, ReadError>,
) -> Result<Elements<'d>, ReadError> {
    let elements = list.elements()?;
    elements.clone().try_for_each(|element| decode(element).map(drop))?;
    Ok(elements)
}
