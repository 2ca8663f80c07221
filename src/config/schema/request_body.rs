//! Keys for what request bodies may ask for (spec 10 §2.5). Everything dangerous is off until it is named here.

use super::{KeylessIdentity, SigningKey, block};

/// What happens to an image without a valid signature.
pub const TRUST_MODES: &[&str] = &["off", "warn", "enforce"];

block! {
    /// What request bodies may ask for. Everything that widens is off by default, except images of Docker Hub's
    /// official library.
    pub struct RequestBody {
        /// `POST /containers/create`.
        pub container_create: ContainerCreate = ContainerCreate::default(), applied;
        /// `POST /containers/*/exec` and `POST /exec/*/start`.
        pub exec: Exec = Exec::default(), applied;
        /// `POST /images/create`.
        pub image_pull: ImagePull = ImagePull::default(), applied;
        /// `POST /build`.
        pub build: Build = Build::default(), applied;
        /// `POST /containers/*/update`.
        pub container_update: ContainerUpdate = ContainerUpdate::default(), applied;
        /// `PUT /containers/*/archive`.
        pub container_archive: ContainerArchive = ContainerArchive::default(), applied;
        /// `POST /images/load`.
        pub image_load: ImageLoad = ImageLoad::default(), applied;
        /// `POST /volumes/create`.
        pub volume: Volume = Volume::default(), applied;
        /// `POST /networks/create`, `/networks/*/connect` and `/networks/*/disconnect`.
        pub network: Network = Network::default(), applied;
        /// `POST /secrets/create`.
        pub secret: Drivers = Drivers::default(), applied;
        /// `POST /configs/create`.
        pub config: Drivers = Drivers::default(), applied;
        /// `POST /services/create` and `/services/*/update`.
        pub service: Service = Service::default(), applied;
        /// `POST /swarm/init`, `join`, `update` and `unlock`.
        pub swarm: Swarm = Swarm::default(), applied;
        /// `POST /nodes/*/update`.
        pub node: Node = Node::default(), applied;
        /// `POST /plugins/pull`, `create`, `/plugins/*/upgrade` and `/plugins/*/set`.
        pub plugin: Plugin = Plugin::default(), applied;
    }
}

block! {
    /// `POST /containers/create`. `VolumesFrom`, `UTSMode=host`, `CgroupParent`, `GroupAdd` and `ExtraHosts` are denied
    /// whatever is set here.
    pub struct ContainerCreate {
        /// Allows `HostConfig.Privileged`.
        pub allow_privileged: bool = false, applied;
        /// Allows the host's network namespace.
        pub allow_host_network: bool = false, applied;
        /// Allows the host's process namespace.
        pub allow_host_pid: bool = false, applied;
        /// Allows the host's IPC namespace.
        pub allow_host_ipc: bool = false, applied;
        /// Allows the host's user namespace.
        pub allow_host_userns: bool = false, applied;
        /// Host paths that may be bind-mounted, with everything below them. Named volumes need no entry.
        pub allowed_bind_mounts: Vec<String> = Vec::new(), applied;
        /// Allows every host device.
        pub allow_all_devices: bool = false, applied;
        /// Host devices that may be mapped.
        pub allowed_devices: Vec<String> = Vec::new(), applied;
        /// Allows every device request, uninspected.
        pub allow_device_requests: bool = false, applied;
        /// Device requests that are allowed, such as GPUs.
        pub allowed_device_requests: Vec<DeviceRequest> = Vec::new(), applied;
        /// Allows every device cgroup rule, uninspected.
        pub allow_device_cgroup_rules: bool = false, applied;
        /// Device cgroup rules that are allowed: `c 1:3 rwm`, with `*` for any major or minor number.
        pub allowed_device_cgroup_rules: Vec<String> = Vec::new(), applied;
        /// Allows every added capability.
        pub allow_all_capabilities: bool = false, applied;
        /// Capabilities that may be added, `CAP_` before them or not.
        pub allowed_capabilities: Vec<String> = Vec::new(), applied;
        /// Allows kernel parameters (`HostConfig.Sysctls`).
        pub allow_sysctls: bool = false, applied;
        /// Demands `no-new-privileges`.
        pub require_no_new_privileges: bool = false, applied;
        /// Demands a user other than root.
        pub require_non_root_user: bool = false, applied;
        /// Demands a read-only root file system.
        pub require_readonly_rootfs: bool = false, applied;
        /// Demands that all capabilities are dropped.
        pub require_drop_all_capabilities: bool = false, applied;
        /// Demands a memory limit.
        pub require_memory_limit: bool = false, applied;
        /// Demands a CPU limit.
        pub require_cpu_limit: bool = false, applied;
        /// Demands a limit of processes.
        pub require_pids_limit: bool = false, applied;
        /// Seccomp profiles that are allowed; empty allows all. `default` is the Engine's own.
        pub allowed_seccomp_profiles: Vec<String> = Vec::new(), applied;
        /// Denies `seccomp=unconfined` when there is no list.
        pub deny_unconfined_seccomp: bool = false, applied;
        /// AppArmor profiles that are allowed; empty allows all. `docker-default` is the Engine's own.
        pub allowed_apparmor_profiles: Vec<String> = Vec::new(), applied;
        /// Denies `apparmor=unconfined` when there is no list.
        pub deny_unconfined_apparmor: bool = false, applied;
        /// Labels that must be there with a value.
        pub required_labels: Vec<String> = Vec::new(), applied;
        /// Signatures on images.
        pub image_trust: ImageTrust = ImageTrust::default(), file_only;
    }
}

block! {
    /// One kind of device request that is allowed.
    pub struct DeviceRequest {
        /// Driver, compared without case.
        pub driver: String = String::new(), applied;
        /// Sets of capabilities; each set of a request must be part of one of these.
        pub allowed_capabilities: Vec<Vec<String>> = Vec::new(), applied;
        /// Most devices; absent is any number, `-1` also allows "all".
        pub max_count: Option<i64> = None, applied;
    }
}

block! {
    /// Signatures on images.
    pub struct ImageTrust {
        /// What happens to an image without a valid signature: `off` does not look, `warn` records it, `enforce`
        /// denies.
        pub mode: String = "off".to_owned(), file_only one_of TRUST_MODES;
        /// Public keys of accepted signers.
        pub allowed_signing_keys: Vec<SigningKey> = Vec::new(), file_only;
        /// Identities of accepted keyless signers.
        pub allowed_keyless: Vec<KeylessIdentity> = Vec::new(), file_only;
        /// Demands an entry in the transparency log for keyless signatures.
        pub require_rekor_inclusion: bool = false, file_only;
        /// Longest verification of one image; empty is `10s`.
        pub verify_timeout: String = "10s".to_owned(), file_only;
    }
}

block! {
    /// `POST /containers/*/exec` and `POST /exec/*/start`.
    pub struct Exec {
        /// Allows privileged exec.
        pub allow_privileged: bool = false, applied;
        /// Allows exec as root.
        pub allow_root_user: bool = false, applied;
        /// Commands that are allowed, each a list of globs, one for each argument. In a variable each entry is a
        /// command of one word.
        pub allowed_commands: Vec<Vec<String>> = Vec::new(), applied;
    }
}

block! {
    /// `POST /images/create`.
    pub struct ImagePull {
        /// Allows imports (`fromSrc`).
        pub allow_imports: bool = false, applied;
        /// Allows every registry.
        pub allow_all_registries: bool = false, applied;
        /// Allows the official images of Docker Hub.
        pub allow_official: bool = true, applied;
        /// Registries that are allowed, as host or host:port.
        pub allowed_registries: Vec<String> = Vec::new(), applied;
    }
}

block! {
    /// `POST /build`.
    pub struct Build {
        /// Allows a remote context.
        pub allow_remote_context: bool = false, applied;
        /// Allows the host's network while building.
        pub allow_host_network: bool = false, applied;
        /// Allows `RUN` instructions.
        pub allow_run_instructions: bool = false, applied;
    }
}

block! {
    /// `POST /containers/*/update`.
    pub struct ContainerUpdate {
        /// Allows privileged mode.
        pub allow_privileged: bool = false, applied;
        /// Allows device changes.
        pub allow_all_devices: bool = false, applied;
        /// Allows changes of capabilities and security profiles.
        pub allow_capabilities: bool = false, applied;
        /// Allows changes of resource limits.
        pub allow_resource_updates: bool = false, applied;
        /// Allows changes of the restart policy.
        pub allow_restart_policy: bool = false, applied;
    }
}

block! {
    /// `PUT /containers/*/archive`.
    pub struct ContainerArchive {
        /// Paths inside the container that may be written to, with everything below them; empty is any path.
        pub allowed_paths: Vec<String> = Vec::new(), applied;
        /// Allows set-user-id and set-group-id files.
        pub allow_setid: bool = false, applied;
        /// Allows device files.
        pub allow_device_nodes: bool = false, applied;
        /// Allows links that lead out of the target.
        pub allow_escaping_links: bool = false, applied;
    }
}

block! {
    /// `POST /images/load`.
    pub struct ImageLoad {
        /// Allows every registry.
        pub allow_all_registries: bool = false, applied;
        /// Allows tags of Docker Hub's official images.
        pub allow_official: bool = true, applied;
        /// Registries that are allowed, as host or host:port.
        pub allowed_registries: Vec<String> = Vec::new(), applied;
        /// Allows images without a tag.
        pub allow_untagged: bool = false, applied;
    }
}

block! {
    /// `POST /volumes/create`.
    pub struct Volume {
        /// Allows drivers other than `local`.
        pub allow_custom_drivers: bool = false, applied;
        /// Allows driver options.
        pub allow_driver_opts: bool = false, applied;
    }
}

block! {
    /// `POST /networks/create`, `/networks/*/connect` and `/networks/*/disconnect`.
    pub struct Network {
        /// Allows drivers other than the Engine's.
        pub allow_custom_drivers: bool = false, applied;
        /// Allows swarm scope.
        pub allow_swarm_scope: bool = false, applied;
        /// Allows ingress networks.
        pub allow_ingress: bool = false, applied;
        /// Allows attachable networks.
        pub allow_attachable: bool = false, applied;
        /// Allows networks that only hold a configuration.
        pub allow_config_only: bool = false, applied;
        /// Allows networks made from another's configuration.
        pub allow_config_from: bool = false, applied;
        /// Allows IPAM drivers other than the Engine's.
        pub allow_custom_ipam_drivers: bool = false, applied;
        /// Allows subnets and address ranges.
        pub allow_custom_ipam_config: bool = false, applied;
        /// Allows IPAM options.
        pub allow_ipam_options: bool = false, applied;
        /// Allows driver options.
        pub allow_driver_options: bool = false, applied;
        /// Allows static addresses, aliases and driver options of an endpoint.
        pub allow_endpoint_config: bool = false, applied;
        /// Allows a forced disconnect.
        pub allow_disconnect_force: bool = false, applied;
    }
}

block! {
    /// `POST /secrets/create` and `POST /configs/create`.
    pub struct Drivers {
        /// Allows drivers.
        pub allow_custom_drivers: bool = false, applied;
        /// Allows template drivers.
        pub allow_template_drivers: bool = false, applied;
    }
}

block! {
    /// `POST /services/create` and `/services/*/update`.
    pub struct Service {
        /// Allows the host's network.
        pub allow_host_network: bool = false, applied;
        /// Host paths that may be bind-mounted, with everything below them.
        pub allowed_bind_mounts: Vec<String> = Vec::new(), applied;
        /// Allows images of every registry.
        pub allow_all_registries: bool = false, applied;
        /// Allows the official images of Docker Hub.
        pub allow_official: bool = true, applied;
        /// Registries that are allowed, as host or host:port.
        pub allowed_registries: Vec<String> = Vec::new(), applied;
    }
}

block! {
    /// `POST /swarm/init`, `join`, `update` and `unlock`.
    pub struct Swarm {
        /// Allows `ForceNewCluster`.
        pub allow_force_new_cluster: bool = false, applied;
        /// Allows external certificate authorities.
        pub allow_external_ca: bool = false, applied;
        /// Managers that may be joined, as host or host:port.
        pub allowed_join_remote_addrs: Vec<String> = Vec::new(), applied;
        /// Allows rotation of join tokens.
        pub allow_token_rotation: bool = false, applied;
        /// Allows rotation of the managers' unlock key.
        pub allow_manager_unlock_key_rotation: bool = false, applied;
        /// Allows switching the managers' autolock.
        pub allow_auto_lock_managers: bool = false, applied;
        /// Allows changes of the signing authority.
        pub allow_signing_ca_update: bool = false, applied;
        /// Allows unlocking.
        pub allow_unlock: bool = false, applied;
    }
}

block! {
    /// `POST /nodes/*/update`.
    pub struct Node {
        /// Allows a new name.
        pub allow_name_change: bool = false, applied;
        /// Allows a new role.
        pub allow_role_change: bool = false, applied;
        /// Allows a new availability.
        pub allow_availability_change: bool = false, applied;
        /// Allows changes of any label.
        pub allow_label_mutation: bool = false, applied;
        /// Labels that may be changed.
        pub allowed_label_keys: Vec<String> = Vec::new(), applied;
    }
}

block! {
    /// `POST /plugins/pull`, `create`, `/plugins/*/upgrade` and `/plugins/*/set`.
    pub struct Plugin {
        /// Allows the host's network namespace.
        pub allow_host_network: bool = false, applied;
        /// Allows the host's IPC namespace.
        pub allow_host_ipc: bool = false, applied;
        /// Allows the host's process namespace.
        pub allow_host_pid: bool = false, applied;
        /// Allows every device.
        pub allow_all_devices: bool = false, applied;
        /// Host paths that may be mounted, with everything below them.
        pub allowed_bind_mounts: Vec<String> = Vec::new(), applied;
        /// Devices that may be used.
        pub allowed_devices: Vec<String> = Vec::new(), applied;
        /// Allows every capability.
        pub allow_all_capabilities: bool = false, applied;
        /// Capabilities that are allowed.
        pub allowed_capabilities: Vec<String> = Vec::new(), applied;
        /// Allows every registry.
        pub allow_all_registries: bool = false, applied;
        /// Allows plugins of Docker Hub's official library.
        pub allow_official: bool = true, applied;
        /// Registries that are allowed, as host or host:port.
        pub allowed_registries: Vec<String> = Vec::new(), applied;
        /// Starts of settings that may be changed, `NAME=` and more.
        pub allowed_set_env_prefixes: Vec<String> = Vec::new(), applied;
    }
}
