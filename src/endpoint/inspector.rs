//! Which requests are inspected before they are forwarded (spec 30 §0.1).
//!
//! Owns the choice of the one inspector per request, by method and endpoint; what an inspector does is not its concern.

use super::Endpoint;

/// Declares [`Inspector`] with the words of spec 30 §0.2 for an inspection that could not be carried out.
macro_rules! inspectors {
    ($($(#[$doc:meta])* $variant:ident $what:literal,)*) => {
        /// The inspector of a request: one per section of spec 30.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Inspector {
            $($(#[$doc])* $variant,)*
        }

        impl Inspector {
            /// Every inspector once.
            pub const ALL: &'static [Inspector] = &[$(Inspector::$variant,)*];

            /// What is inspected, for instance `container create request body`.
            #[must_use]
            pub const fn what(self) -> &'static str {
                match self { $(Inspector::$variant => $what,)* }
            }

            /// Denial reason when the inspection itself fails.
            #[must_use]
            pub const fn failure_reason(self) -> &'static str {
                match self { $(Inspector::$variant => concat!("unable to inspect ", $what),)* }
            }

            /// Log message when the inspection itself fails.
            #[must_use]
            pub const fn failure_log(self) -> &'static str {
                match self { $(Inspector::$variant => concat!("failed to inspect ", $what),)* }
            }
        }
    };
}

inspectors! {
    /// Section 1.
    ContainerCreate "container create request body",
    /// Section 2.
    ExecCreate "exec request body",
    /// Section 2; the body is not read, the Engine is asked what was created.
    ExecStart "exec request body",
    /// Section 3.
    ContainerUpdate "container update request body",
    /// Section 4.
    ContainerArchive "container archive request body",
    /// Section 5; the parameters are in the query.
    ImagePull "image pull request",
    /// Section 6.
    ImageLoad "image load request body",
    /// Section 7.
    Build "build request",
    /// Section 8.
    VolumeCreate "volume create request body",
    /// Section 9.
    NetworkCreate "network request body",
    /// Section 9.
    NetworkConnect "network request body",
    /// Section 9.
    NetworkDisconnect "network request body",
    /// Section 10.
    SecretCreate "secret create request body",
    /// Section 10.
    ConfigCreate "config create request body",
    /// Section 11.
    ServiceCreate "service request body",
    /// Section 11.
    ServiceUpdate "service request body",
    /// Section 12.
    SwarmInit "swarm request body",
    /// Section 12.
    SwarmJoin "swarm request body",
    /// Section 12.
    SwarmUpdate "swarm request body",
    /// Section 12.
    SwarmUnlock "swarm request body",
    /// Section 13.
    NodeUpdate "node update request body",
    /// Section 14.
    PluginPull "plugin request body",
    /// Section 14.
    PluginUpgrade "plugin request body",
    /// Section 14.
    PluginSet "plugin request body",
    /// Section 14.
    PluginCreate "plugin request body",
}

/// The inspector of a request. The method is compared without case, as the rules compare it: `post /containers/create`
/// would otherwise match an allow rule and meet no inspector (spec 20 §11 gap 2).
#[must_use]
pub fn inspector(method: &[u8], endpoint: Endpoint) -> Option<Inspector> {
    let inspector = match endpoint {
        Endpoint::ContainerArchive => {
            return method.eq_ignore_ascii_case(b"PUT").then_some(Inspector::ContainerArchive);
        }
        Endpoint::ContainerCreate => Inspector::ContainerCreate,
        Endpoint::ExecCreate => Inspector::ExecCreate,
        Endpoint::ExecStart => Inspector::ExecStart,
        Endpoint::ContainerUpdate => Inspector::ContainerUpdate,
        Endpoint::ImageCreate => Inspector::ImagePull,
        Endpoint::ImageLoad => Inspector::ImageLoad,
        Endpoint::Build => Inspector::Build,
        Endpoint::VolumeCreate => Inspector::VolumeCreate,
        Endpoint::NetworkCreate => Inspector::NetworkCreate,
        Endpoint::NetworkConnect => Inspector::NetworkConnect,
        Endpoint::NetworkDisconnect => Inspector::NetworkDisconnect,
        Endpoint::SecretCreate => Inspector::SecretCreate,
        Endpoint::ConfigCreate => Inspector::ConfigCreate,
        Endpoint::ServiceCreate => Inspector::ServiceCreate,
        Endpoint::ServiceUpdate => Inspector::ServiceUpdate,
        Endpoint::SwarmInit => Inspector::SwarmInit,
        Endpoint::SwarmJoin => Inspector::SwarmJoin,
        Endpoint::SwarmUpdate => Inspector::SwarmUpdate,
        Endpoint::SwarmUnlock => Inspector::SwarmUnlock,
        Endpoint::NodeUpdate => Inspector::NodeUpdate,
        Endpoint::PluginPull => Inspector::PluginPull,
        Endpoint::PluginUpgrade => Inspector::PluginUpgrade,
        Endpoint::PluginSet => Inspector::PluginSet,
        Endpoint::PluginCreate => Inspector::PluginCreate,
        // Listed, not `_`: a new endpoint must be told here whether it is inspected.
        Endpoint::Ping
        | Endpoint::Version
        | Endpoint::Info
        | Endpoint::Events
        | Endpoint::Auth
        | Endpoint::SystemDiskUsage
        | Endpoint::Session
        | Endpoint::Grpc
        | Endpoint::Commit
        | Endpoint::BuildPrune
        | Endpoint::BuildCancel
        | Endpoint::ContainerList
        | Endpoint::ContainerPrune
        | Endpoint::ContainerInspect
        | Endpoint::ContainerLogs
        | Endpoint::ContainerStats
        | Endpoint::ContainerTop
        | Endpoint::ContainerChanges
        | Endpoint::ContainerExport
        | Endpoint::ContainerAttach
        | Endpoint::ContainerAttachWebsocket
        | Endpoint::ContainerStart
        | Endpoint::ContainerStop
        | Endpoint::ContainerRestart
        | Endpoint::ContainerKill
        | Endpoint::ContainerPause
        | Endpoint::ContainerUnpause
        | Endpoint::ContainerWait
        | Endpoint::ContainerRename
        | Endpoint::ContainerResize
        | Endpoint::ContainerCheckpoints
        | Endpoint::Container
        | Endpoint::ExecInspect
        | Endpoint::ExecResize
        | Endpoint::Exec
        | Endpoint::ImageList
        | Endpoint::ImagePrune
        | Endpoint::ImageSearch
        | Endpoint::ImageExportMany
        | Endpoint::ImageInspect
        | Endpoint::ImageHistory
        | Endpoint::ImagePush
        | Endpoint::ImageTag
        | Endpoint::ImageExport
        | Endpoint::ImageAttestations
        | Endpoint::Image
        | Endpoint::VolumeList
        | Endpoint::VolumePrune
        | Endpoint::Volume
        | Endpoint::NetworkList
        | Endpoint::NetworkPrune
        | Endpoint::Network
        | Endpoint::SecretList
        | Endpoint::SecretUpdate
        | Endpoint::Secret
        | Endpoint::ConfigList
        | Endpoint::ConfigUpdate
        | Endpoint::Config
        | Endpoint::ServiceList
        | Endpoint::ServiceLogs
        | Endpoint::Service
        | Endpoint::TaskList
        | Endpoint::TaskLogs
        | Endpoint::Task
        | Endpoint::NodeList
        | Endpoint::Node
        | Endpoint::SwarmInspect
        | Endpoint::SwarmLeave
        | Endpoint::SwarmUnlockKey
        | Endpoint::PluginList
        | Endpoint::PluginPrivileges
        | Endpoint::PluginInspect
        | Endpoint::PluginEnable
        | Endpoint::PluginDisable
        | Endpoint::PluginPush
        | Endpoint::Plugin
        | Endpoint::DistributionInspect
        | Endpoint::Distribution
        | Endpoint::Unknown => return None,
    };
    method.eq_ignore_ascii_case(b"POST").then_some(inspector)
}
