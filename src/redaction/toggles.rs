//! The four switches of `response.redact_*` (spec 50 C3).

/// The kinds of secrets that an answer can hold, each on by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Toggles {
    /// `response.redact_container_env`: environments of containers, services, tasks and plugins.
    pub container_env: bool,
    /// `response.redact_mount_paths`: host paths of mounts, binds, volumes and devices.
    pub mount_paths: bool,
    /// `response.redact_network_topology`: addresses, network and node identities.
    pub network_topology: bool,
    /// `response.redact_sensitive_data`: config payloads, secret references, join tokens, TLS material.
    pub sensitive_data: bool,
}

impl Toggles {
    /// Everything is redacted.
    pub const ALL: Toggles =
        Toggles { container_env: true, mount_paths: true, network_topology: true, sensitive_data: true };
    /// Nothing is redacted.
    pub const NONE: Toggles =
        Toggles { container_env: false, mount_paths: false, network_topology: false, sensitive_data: false };

    pub(super) fn has(self, toggle: Toggle) -> bool {
        match toggle {
            Toggle::ContainerEnv => self.container_env,
            Toggle::MountPaths => self.mount_paths,
            Toggle::NetworkTopology => self.network_topology,
            Toggle::SensitiveData => self.sensitive_data,
        }
    }
}

/// One of the four, as the field table names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Toggle {
    ContainerEnv,
    MountPaths,
    NetworkTopology,
    SensitiveData,
}

impl Toggle {
    /// The key below `response.` in the configuration.
    #[cfg(test)]
    pub(super) fn key(self) -> &'static str {
        match self {
            Toggle::ContainerEnv => "redact_container_env",
            Toggle::MountPaths => "redact_mount_paths",
            Toggle::NetworkTopology => "redact_network_topology",
            Toggle::SensitiveData => "redact_sensitive_data",
        }
    }
}
