//! The field table: what is replaced where, by endpoint and toggle (spec 50 C3).
//!
//! Owns the table as data. The matcher is compiled from it, `docs/redaction.md` is checked against it, and the tests
//! walk it; nothing else names a field.

use super::endpoint::Endpoint;
use super::toggles::{Toggle, Toggles};

/// What happens to a value that a rule names. An absent key stays absent unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    /// Any value but null, the empty string included, becomes `"<redacted>"`.
    Text,
    /// An array becomes `[]`; null stays; anything else is rejected.
    EmptyArray,
    /// An object becomes `{}`; null stays; anything else is rejected.
    EmptyObject,
    /// A number becomes `0`; null stays; anything else is rejected.
    Zero,
    /// Any value, null included, becomes `[]`, and an absent key is added with `[]`.
    ForceEmptyArray(Added),
    /// The host path of a bind string becomes `<redacted>` (spec 50 C4); anything but a string is rejected.
    BindSource,
}

/// The keys that are added where they are absent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Added {
    Env,
    Config,
}

/// One line of the table: under this toggle, this field gets this operation.
///
/// In a path `.` descends into an object, `[]` into each element of an array and `{}` into each value of an object.
/// Where a path descends, null and absent end it, and any other shape rejects the answer. Elements and values that a
/// path steps through may not be null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) toggle: Toggle,
    pub(super) path: &'static str,
    pub(super) operation: Operation,
}

/// A prefix and the rules below it; an empty prefix is the document itself, or each element of a list.
pub(super) type Group = (&'static str, &'static [Rule]);

impl Endpoint {
    /// Whether the answer is an array of objects rather than one object.
    pub(super) fn is_list(self) -> bool {
        match self {
            Endpoint::ContainerList
            | Endpoint::NetworkList
            | Endpoint::ServiceList
            | Endpoint::TaskList
            | Endpoint::SecretList
            | Endpoint::ConfigList
            | Endpoint::PluginList
            | Endpoint::NodeList => true,
            Endpoint::ContainerInspect
            | Endpoint::NetworkInspect
            | Endpoint::VolumeList
            | Endpoint::VolumeInspect
            | Endpoint::ServiceInspect
            | Endpoint::TaskInspect
            | Endpoint::SecretInspect
            | Endpoint::ConfigInspect
            | Endpoint::PluginInspect
            | Endpoint::NodeInspect
            | Endpoint::SwarmInspect
            | Endpoint::SwarmUnlockKey
            | Endpoint::Info
            | Endpoint::DiskUsage => false,
        }
    }

    /// The rules for this endpoint's answers, whatever the toggles.
    pub(super) fn groups(self) -> &'static [Group] {
        match self {
            Endpoint::ContainerInspect => &[("", CONTAINER_INSPECT), ("", CONTAINER_TOPOLOGY)],
            Endpoint::ContainerList => &[("", CONTAINER_MOUNTS), ("", CONTAINER_TOPOLOGY)],
            Endpoint::NetworkList | Endpoint::NetworkInspect => &[("", NETWORK)],
            Endpoint::VolumeList => &[("Volumes[]", VOLUME)],
            Endpoint::VolumeInspect => &[("", VOLUME)],
            Endpoint::ServiceList | Endpoint::ServiceInspect => &[
                ("Spec.TaskTemplate.ContainerSpec", CONTAINER_SPEC),
                ("PreviousSpec.TaskTemplate.ContainerSpec", CONTAINER_SPEC),
                ("Endpoint.VirtualIPs[]", VIRTUAL_ADDRESS),
            ],
            Endpoint::TaskList | Endpoint::TaskInspect => &[("Spec.ContainerSpec", CONTAINER_SPEC), ("", TASK)],
            Endpoint::SecretList | Endpoint::SecretInspect | Endpoint::ConfigList | Endpoint::ConfigInspect => {
                &[("Spec", PAYLOAD)]
            }
            Endpoint::PluginList | Endpoint::PluginInspect => {
                &[("Settings", PLUGIN_SETTINGS), ("Config", PLUGIN_CONFIG)]
            }
            Endpoint::NodeList | Endpoint::NodeInspect => &[("", NODE), ("Description.TLSInfo", TLS)],
            Endpoint::SwarmInspect => &[("", SWARM), ("TLSInfo", TLS)],
            Endpoint::SwarmUnlockKey => &[("", UNLOCK_KEY)],
            Endpoint::Info => &[("Swarm", INFO_SWARM), ("Swarm.Cluster.TLSInfo", TLS)],
            Endpoint::DiskUsage => &[
                ("ContainerUsage.Items[]", CONTAINER_MOUNTS),
                ("ContainerUsage.Items[]", CONTAINER_TOPOLOGY),
                // Engines answer clients below API 1.52 with the four legacy arrays.
                ("Containers[]", CONTAINER_MOUNTS),
                ("Containers[]", CONTAINER_TOPOLOGY),
                ("VolumeUsage.Items[]", VOLUME),
                ("Volumes[]", VOLUME),
            ],
        }
    }

    /// Whether an answer passes through the rewriter under these toggles.
    ///
    /// A container inspect does under any of them, so that the most telling answer of all is never forwarded unread.
    pub(super) fn is_covered_by(self, toggles: Toggles) -> bool {
        match self {
            Endpoint::ContainerInspect => toggles != Toggles::NONE,
            _ => self.groups().iter().flat_map(|(_, rules)| *rules).any(|rule| toggles.has(rule.toggle)),
        }
    }
}

const fn environment(path: &'static str, operation: Operation) -> Rule {
    Rule { toggle: Toggle::ContainerEnv, path, operation }
}

const fn mount(path: &'static str, operation: Operation) -> Rule {
    Rule { toggle: Toggle::MountPaths, path, operation }
}

const fn topology(path: &'static str, operation: Operation) -> Rule {
    Rule { toggle: Toggle::NetworkTopology, path, operation }
}

const fn sensitive(path: &'static str, operation: Operation) -> Rule {
    Rule { toggle: Toggle::SensitiveData, path, operation }
}

const CONTAINER_INSPECT: &[Rule] = &[
    environment("Config.Env", Operation::ForceEmptyArray(Added::Env)),
    mount("Mounts[].Source", Operation::Text),
    mount("HostConfig.Mounts[].Source", Operation::Text),
    mount("HostConfig.Binds[]", Operation::BindSource),
    mount("HostConfig.Devices[].PathOnHost", Operation::Text),
];

const CONTAINER_MOUNTS: &[Rule] = &[mount("Mounts[].Source", Operation::Text)];

const CONTAINER_TOPOLOGY: &[Rule] = &[
    topology("HostConfig.NetworkMode", Operation::Text),
    topology("NetworkSettings.Bridge", Operation::Text),
    topology("NetworkSettings.EndpointID", Operation::Text),
    topology("NetworkSettings.Gateway", Operation::Text),
    topology("NetworkSettings.GlobalIPv6Address", Operation::Text),
    topology("NetworkSettings.GlobalIPv6PrefixLen", Operation::Zero),
    topology("NetworkSettings.IPAddress", Operation::Text),
    topology("NetworkSettings.IPPrefixLen", Operation::Zero),
    topology("NetworkSettings.IPv6Gateway", Operation::Text),
    topology("NetworkSettings.LinkLocalIPv6Address", Operation::Text),
    topology("NetworkSettings.LinkLocalIPv6PrefixLen", Operation::Zero),
    topology("NetworkSettings.MacAddress", Operation::Text),
    topology("NetworkSettings.SandboxID", Operation::Text),
    topology("NetworkSettings.SandboxKey", Operation::Text),
    topology("NetworkSettings.SecondaryIPAddresses", Operation::EmptyArray),
    topology("NetworkSettings.SecondaryIPv6Addresses", Operation::EmptyArray),
    topology("NetworkSettings.Networks{}.EndpointID", Operation::Text),
    topology("NetworkSettings.Networks{}.Gateway", Operation::Text),
    topology("NetworkSettings.Networks{}.GlobalIPv6Address", Operation::Text),
    topology("NetworkSettings.Networks{}.GlobalIPv6PrefixLen", Operation::Zero),
    topology("NetworkSettings.Networks{}.IPAddress", Operation::Text),
    topology("NetworkSettings.Networks{}.IPPrefixLen", Operation::Zero),
    topology("NetworkSettings.Networks{}.IPv6Gateway", Operation::Text),
    topology("NetworkSettings.Networks{}.MacAddress", Operation::Text),
    topology("NetworkSettings.Networks{}.NetworkID", Operation::Text),
];

const NETWORK: &[Rule] = &[
    topology("IPAM.Config", Operation::ForceEmptyArray(Added::Config)),
    topology("Containers", Operation::EmptyObject),
    topology("Peers", Operation::EmptyArray),
];

const VOLUME: &[Rule] = &[mount("Mountpoint", Operation::Text)];

const CONTAINER_SPEC: &[Rule] = &[
    environment("Env", Operation::EmptyArray),
    mount("Mounts[].Source", Operation::Text),
    sensitive("Secrets[].SecretID", Operation::Text),
    sensitive("Secrets[].SecretName", Operation::Text),
    sensitive("Configs[].ConfigID", Operation::Text),
    sensitive("Configs[].ConfigName", Operation::Text),
];

const VIRTUAL_ADDRESS: &[Rule] = &[topology("NetworkID", Operation::Text), topology("Addr", Operation::Text)];

const TASK: &[Rule] = &[
    topology("ServiceID", Operation::Text),
    topology("NodeID", Operation::Text),
    topology("Status.ContainerStatus.ContainerID", Operation::Text),
    topology("Status.ContainerStatus.PID", Operation::Zero),
    topology("NetworksAttachments[].Addresses", Operation::EmptyArray),
    topology("NetworksAttachments[].Network.ID", Operation::Text),
    topology("NetworksAttachments[].Network.IPAMOptions.Configs", Operation::EmptyArray),
];

const PAYLOAD: &[Rule] = &[sensitive("Data", Operation::Text)];

const PLUGIN_SETTINGS: &[Rule] = &[
    environment("Env", Operation::EmptyArray),
    mount("Mounts[].Source", Operation::Text),
    mount("Devices[].Path", Operation::Text),
];

const PLUGIN_CONFIG: &[Rule] = &[
    environment("Env", Operation::EmptyArray),
    mount("Mounts[].Source", Operation::Text),
    mount("PropagatedMount", Operation::Text),
    mount("Linux.Devices[].Path", Operation::Text),
];

const NODE: &[Rule] = &[topology("Status.Addr", Operation::Text), topology("ManagerStatus.Addr", Operation::Text)];

const TLS: &[Rule] = &[
    sensitive("TrustRoot", Operation::Text),
    sensitive("CertIssuerSubject", Operation::Text),
    sensitive("CertIssuerPublicKey", Operation::Text),
];

const SWARM: &[Rule] = &[
    sensitive("JoinTokens.Worker", Operation::Text),
    sensitive("JoinTokens.Manager", Operation::Text),
    sensitive("Spec.CAConfig.SigningCACert", Operation::Text),
    sensitive("Spec.CAConfig.SigningCAKey", Operation::Text),
    sensitive("Spec.CAConfig.ExternalCAs", Operation::EmptyArray),
    topology("DefaultAddrPool", Operation::EmptyArray),
];

const UNLOCK_KEY: &[Rule] = &[sensitive("UnlockKey", Operation::Text)];

const INFO_SWARM: &[Rule] = &[
    topology("NodeID", Operation::Text),
    topology("NodeAddr", Operation::Text),
    topology("RemoteManagers", Operation::EmptyArray),
    topology("Cluster.DefaultAddrPool", Operation::EmptyArray),
];
