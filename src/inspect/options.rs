//! What the operator allows, group by group as in the configuration (spec 10 §2.5, `request_body`).
//!
//! Owns the options and their defaults: everything that widens is off, except images of Docker Hub's official library.
//! Lists are compiled when the policy is loaded, so that an inspection neither cleans nor folds them again. Where the
//! options come from is the configuration's business; each field bears the name of its key.

use super::capabilities::Capabilities;
use super::devices::{DeviceCgroupRules, DeviceRequestRule};
use super::exec::Commands;
use super::paths::PathPrefixes;

/// `request_body`: of the root policy or of one profile. The default allows what the seed allows.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `POST /containers/create`.
    pub container_create: ContainerCreateOptions,
    /// `POST /containers/*/exec` and `POST /exec/*/start`.
    pub exec: ExecOptions,
    /// `POST /images/create`.
    pub image_pull: ImagePullOptions,
    /// `POST /build`.
    pub build: BuildOptions,
    /// `POST /containers/*/update`.
    pub container_update: ContainerUpdateOptions,
    /// `PUT /containers/*/archive`.
    pub container_archive: ContainerArchiveOptions,
    /// `POST /images/load`.
    pub image_load: ImageLoadOptions,
    /// `POST /volumes/create`, and the volume drivers that mounts name.
    pub volume: VolumeOptions,
    /// `POST /networks/create`, `/networks/*/connect`, `/networks/*/disconnect`, and the endpoints of a new container.
    pub network: NetworkOptions,
    /// `POST /secrets/create`.
    pub secret: DriverOptions,
    /// `POST /configs/create`.
    pub config: DriverOptions,
    /// `POST /services/create` and `/services/*/update`.
    pub service: ServiceOptions,
    /// `POST /swarm/init`, `join`, `update` and `unlock`.
    pub swarm: SwarmOptions,
    /// `POST /nodes/*/update`.
    pub node: NodeOptions,
    /// `POST /plugins/pull`, `create`, `/plugins/*/upgrade` and `/plugins/*/set`.
    pub plugin: PluginOptions,
    /// `insecure_allow_body_blind_writes`: exec without a command list is acknowledged (spec 30 §2).
    pub body_blind_writes: bool,
}

/// `request_body.container_create` (spec 30 §1).
#[derive(Clone, Debug, Default)]
pub struct ContainerCreateOptions {
    /// Allows `HostConfig.Privileged`.
    pub allow_privileged: bool,
    /// Allows the host's network namespace.
    pub allow_host_network: bool,
    /// Allows the host's process namespace.
    pub allow_host_pid: bool,
    /// Allows the host's IPC namespace.
    pub allow_host_ipc: bool,
    /// Allows the host's user namespace.
    pub allow_host_userns: bool,
    /// Denies another container's namespaces unless the container is listed.
    pub restrict_namespace_sharing: bool,
    /// Containers whose namespaces may be shared.
    pub allowed_namespace_sharing_containers: Vec<String>,
    /// Host paths that may be bind-mounted, with everything below them.
    pub allowed_bind_mounts: PathPrefixes,
    /// Allows every host device.
    pub allow_all_devices: bool,
    /// Host devices that may be mapped, with everything below them.
    pub allowed_devices: PathPrefixes,
    /// Allows every device request, uninspected.
    pub allow_device_requests: bool,
    /// Device requests that are allowed, such as GPUs.
    pub allowed_device_requests: Vec<DeviceRequestRule>,
    /// Allows every device cgroup rule, uninspected.
    pub allow_device_cgroup_rules: bool,
    /// Device cgroup rules that are allowed.
    pub allowed_device_cgroup_rules: DeviceCgroupRules,
    /// Allows every added capability.
    pub allow_all_capabilities: bool,
    /// Capabilities that may be added.
    pub allowed_capabilities: Capabilities,
    /// Allows kernel parameters (`HostConfig.Sysctls`).
    pub allow_sysctls: bool,
    /// Demands `no-new-privileges`.
    pub require_no_new_privileges: bool,
    /// Demands a user other than root.
    pub require_non_root_user: bool,
    /// Demands a read-only root file system.
    pub require_readonly_rootfs: bool,
    /// Demands that all capabilities are dropped.
    pub require_drop_all_capabilities: bool,
    /// Demands a memory limit.
    pub require_memory_limit: bool,
    /// Demands a CPU limit.
    pub require_cpu_limit: bool,
    /// Demands a limit of processes.
    pub require_pids_limit: bool,
    /// Seccomp profiles that are allowed; empty allows all. Trimmed, no blanks.
    pub allowed_seccomp_profiles: Vec<String>,
    /// Denies `seccomp=unconfined` when there is no list.
    pub deny_unconfined_seccomp: bool,
    /// AppArmor profiles that are allowed; empty allows all. Trimmed, no blanks.
    pub allowed_apparmor_profiles: Vec<String>,
    /// Denies `apparmor=unconfined` when there is no list.
    pub deny_unconfined_apparmor: bool,
    /// Labels that must be there with a value. Trimmed, no blanks.
    pub required_labels: Vec<String>,
    /// `image_trust.mode` other than `off`: the image has to be known after the inspection (spec 30 §1.6).
    pub image_trust: ImageTrust,
}

/// `request_body.container_create.image_trust.mode`. The verification itself is the trust module's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageTrust {
    /// Nothing is verified.
    #[default]
    Off,
    /// A failure is recorded and the request forwarded.
    Warn,
    /// A failure denies; so does an image that comes in by another way than the verified one.
    Enforce,
}

/// `request_body.exec` (spec 30 §2).
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// Allows privileged exec.
    pub allow_privileged: bool,
    /// Allows exec as root.
    pub allow_root_user: bool,
    /// Commands that are allowed, each a list of globs, one for each argument.
    pub allowed_commands: Commands,
}

/// `request_body.image_pull` (spec 30 §5).
#[derive(Clone, Debug)]
pub struct ImagePullOptions {
    /// Allows imports (`fromSrc`).
    pub allow_imports: bool,
    /// Allows every registry.
    pub allow_all_registries: bool,
    /// Allows the official images of Docker Hub.
    pub allow_official: bool,
    /// Registries that are allowed, as [`normal_registries`](super::reference::normal_registries) leaves them.
    pub allowed_registries: Vec<String>,
}

impl Default for ImagePullOptions {
    fn default() -> Self {
        ImagePullOptions {
            allow_imports: false,
            allow_all_registries: false,
            allow_official: true,
            allowed_registries: Vec::new(),
        }
    }
}

/// `request_body.build` (spec 30 §7).
#[derive(Clone, Debug, Default)]
pub struct BuildOptions {
    /// Allows a remote context.
    pub allow_remote_context: bool,
    /// Allows the host's network while building.
    pub allow_host_network: bool,
    /// Allows `RUN` instructions.
    pub allow_run_instructions: bool,
}

/// `request_body.container_update` (spec 30 §3).
#[derive(Clone, Copy, Debug, Default)]
pub struct ContainerUpdateOptions {
    /// Allows privileged mode.
    pub allow_privileged: bool,
    /// Allows device changes.
    pub allow_all_devices: bool,
    /// Allows changes of capabilities and security profiles.
    pub allow_capabilities: bool,
    /// Allows changes of resource limits.
    pub allow_resource_updates: bool,
    /// Allows changes of the restart policy.
    pub allow_restart_policy: bool,
}

/// `request_body.container_archive` (spec 30 §4).
#[derive(Clone, Debug, Default)]
pub struct ContainerArchiveOptions {
    /// Paths inside the container that may be written to, with everything below them; empty is any path.
    pub allowed_paths: Vec<String>,
    /// Allows set-user-id and set-group-id files.
    pub allow_setid: bool,
    /// Allows device files.
    pub allow_device_nodes: bool,
    /// Allows links that lead out of the target.
    pub allow_escaping_links: bool,
}

/// `request_body.image_load` (spec 30 §6).
#[derive(Clone, Debug)]
pub struct ImageLoadOptions {
    /// Allows every registry.
    pub allow_all_registries: bool,
    /// Allows tags of Docker Hub's official images.
    pub allow_official: bool,
    /// Registries that are allowed, as [`normal_registries`](super::reference::normal_registries) leaves them.
    pub allowed_registries: Vec<String>,
    /// Allows images without a tag.
    pub allow_untagged: bool,
}

impl Default for ImageLoadOptions {
    fn default() -> Self {
        ImageLoadOptions {
            allow_all_registries: false,
            allow_official: true,
            allowed_registries: Vec::new(),
            allow_untagged: false,
        }
    }
}

/// `request_body.volume` (spec 30 §8).
#[derive(Clone, Copy, Debug, Default)]
pub struct VolumeOptions {
    /// Allows drivers other than `local`.
    pub allow_custom_drivers: bool,
    /// Allows driver options.
    pub allow_driver_opts: bool,
}

/// `request_body.network` (spec 30 §9).
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkOptions {
    /// Allows drivers other than the Engine's.
    pub allow_custom_drivers: bool,
    /// Allows swarm scope.
    pub allow_swarm_scope: bool,
    /// Allows ingress networks.
    pub allow_ingress: bool,
    /// Allows attachable networks.
    pub allow_attachable: bool,
    /// Allows networks that only hold a configuration.
    pub allow_config_only: bool,
    /// Allows networks made from another's configuration.
    pub allow_config_from: bool,
    /// Allows IPAM drivers other than the Engine's.
    pub allow_custom_ipam_drivers: bool,
    /// Allows subnets and address ranges.
    pub allow_custom_ipam_config: bool,
    /// Allows IPAM options.
    pub allow_ipam_options: bool,
    /// Allows driver options.
    pub allow_driver_options: bool,
    /// Allows static addresses, aliases and driver options of an endpoint.
    pub allow_endpoint_config: bool,
    /// Allows a forced disconnect.
    pub allow_disconnect_force: bool,
}

/// `request_body.secret` and `request_body.config` (spec 30 §10).
#[derive(Clone, Copy, Debug, Default)]
pub struct DriverOptions {
    /// Allows drivers.
    pub allow_custom_drivers: bool,
    /// Allows template drivers.
    pub allow_template_drivers: bool,
}

/// `request_body.service` (spec 30 §11).
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// Allows the host's network.
    pub allow_host_network: bool,
    /// Host paths that may be bind-mounted, with everything below them.
    pub allowed_bind_mounts: PathPrefixes,
    /// Allows images of every registry.
    pub allow_all_registries: bool,
    /// Allows the official images of Docker Hub.
    pub allow_official: bool,
    /// Registries that are allowed, as [`normal_registries`](super::reference::normal_registries) leaves them.
    pub allowed_registries: Vec<String>,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        ServiceOptions {
            allow_host_network: false,
            allowed_bind_mounts: PathPrefixes::default(),
            allow_all_registries: false,
            allow_official: true,
            allowed_registries: Vec::new(),
        }
    }
}

/// `request_body.swarm` (spec 30 §12).
#[derive(Clone, Debug, Default)]
pub struct SwarmOptions {
    /// Allows `ForceNewCluster`.
    pub allow_force_new_cluster: bool,
    /// Allows external certificate authorities.
    pub allow_external_ca: bool,
    /// Managers that may be joined, as host or host:port. Compared without case, blanks around them removed.
    pub allowed_join_remote_addrs: Vec<String>,
    /// Allows rotation of join tokens.
    pub allow_token_rotation: bool,
    /// Allows rotation of the managers' unlock key.
    pub allow_manager_unlock_key_rotation: bool,
    /// Allows switching the managers' autolock on.
    pub allow_auto_lock_managers: bool,
    /// Allows changes of the signing authority.
    pub allow_signing_ca_update: bool,
    /// Allows unlocking.
    pub allow_unlock: bool,
}

/// `request_body.node` (spec 30 §13).
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// Allows a new name.
    pub allow_name_change: bool,
    /// Allows a new role.
    pub allow_role_change: bool,
    /// Allows a new availability.
    pub allow_availability_change: bool,
    /// Allows changes of any label.
    pub allow_label_mutation: bool,
    /// Labels that may be changed.
    pub allowed_label_keys: Vec<String>,
    /// The label that says who owns a node: `ownership.label_key` when ownership is on. Always an allowed key.
    pub owner_label_key: String,
}

/// The owner label when the configuration names no other (spec 30 §13).
pub const DEFAULT_OWNER_LABEL_KEY: &str = "com.sockguard.owner";

impl Default for NodeOptions {
    fn default() -> Self {
        NodeOptions {
            allow_name_change: false,
            allow_role_change: false,
            allow_availability_change: false,
            allow_label_mutation: false,
            allowed_label_keys: Vec::new(),
            owner_label_key: DEFAULT_OWNER_LABEL_KEY.to_owned(),
        }
    }
}

/// `request_body.plugin` (spec 30 §14).
#[derive(Clone, Debug)]
pub struct PluginOptions {
    /// Allows the host's network namespace.
    pub allow_host_network: bool,
    /// Allows the host's IPC namespace.
    pub allow_host_ipc: bool,
    /// Allows the host's process namespace.
    pub allow_host_pid: bool,
    /// Allows every device.
    pub allow_all_devices: bool,
    /// Host paths that may be mounted, with everything below them.
    pub allowed_bind_mounts: PathPrefixes,
    /// Devices that may be used, with everything below them.
    pub allowed_devices: PathPrefixes,
    /// Allows every capability.
    pub allow_all_capabilities: bool,
    /// Capabilities that are allowed, with their `CAP_`: here it is part of the name.
    pub allowed_capabilities: Capabilities,
    /// Allows every registry.
    pub allow_all_registries: bool,
    /// Allows plugins of Docker Hub's official library.
    pub allow_official: bool,
    /// Registries that are allowed, as [`normal_registries`](super::reference::normal_registries) leaves them.
    pub allowed_registries: Vec<String>,
    /// Starts of settings that may be changed, `NAME=` and more. Trimmed, no blanks.
    pub allowed_set_env_prefixes: Vec<String>,
}

impl Default for PluginOptions {
    fn default() -> Self {
        PluginOptions {
            allow_host_network: false,
            allow_host_ipc: false,
            allow_host_pid: false,
            allow_all_devices: false,
            allowed_bind_mounts: PathPrefixes::default(),
            allowed_devices: PathPrefixes::default(),
            allow_all_capabilities: false,
            allowed_capabilities: Capabilities::default(),
            allow_all_registries: false,
            allow_official: true,
            allowed_registries: Vec::new(),
            allowed_set_env_prefixes: Vec::new(),
        }
    }
}
