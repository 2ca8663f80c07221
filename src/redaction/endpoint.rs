//! The covered endpoints and the canonical paths that reach them (spec 50 C3, first column).
//!
//! Owns the path column only. Which field is edited where is in the field table. Paths are canonical (spec 20 §2):
//! clean, decoded once, without the version prefix.

/// An Engine endpoint whose answers can hold something to redact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Endpoint {
    /// `/containers/{name}/json`
    ContainerInspect,
    /// `/containers/json`
    ContainerList,
    /// `/networks`
    NetworkList,
    /// `/networks/{name}`, also the answers of create and prune.
    NetworkInspect,
    /// `/volumes`
    VolumeList,
    /// `/volumes/{name}`, also the answers of create and prune.
    VolumeInspect,
    /// `/services`
    ServiceList,
    /// `/services/{id}`
    ServiceInspect,
    /// `/tasks`
    TaskList,
    /// `/tasks/{id}`
    TaskInspect,
    /// `/secrets`
    SecretList,
    /// `/secrets/{id}`
    SecretInspect,
    /// `/configs`
    ConfigList,
    /// `/configs/{id}`
    ConfigInspect,
    /// `/plugins`
    PluginList,
    /// `/plugins/{name}/json`
    PluginInspect,
    /// `/nodes`
    NodeList,
    /// `/nodes/{id}`
    NodeInspect,
    /// `/swarm`
    SwarmInspect,
    /// `/swarm/unlockkey`
    SwarmUnlockKey,
    /// `/info`
    Info,
    /// `/system/df`
    DiskUsage,
}

impl Endpoint {
    /// Every endpoint, in the order of its discriminants.
    pub const ALL: [Endpoint; 22] = [
        Endpoint::ContainerInspect,
        Endpoint::ContainerList,
        Endpoint::NetworkList,
        Endpoint::NetworkInspect,
        Endpoint::VolumeList,
        Endpoint::VolumeInspect,
        Endpoint::ServiceList,
        Endpoint::ServiceInspect,
        Endpoint::TaskList,
        Endpoint::TaskInspect,
        Endpoint::SecretList,
        Endpoint::SecretInspect,
        Endpoint::ConfigList,
        Endpoint::ConfigInspect,
        Endpoint::PluginList,
        Endpoint::PluginInspect,
        Endpoint::NodeList,
        Endpoint::NodeInspect,
        Endpoint::SwarmInspect,
        Endpoint::SwarmUnlockKey,
        Endpoint::Info,
        Endpoint::DiskUsage,
    ];

    /// How the API reference spells the path.
    pub fn path(self) -> &'static str {
        match self {
            Endpoint::ContainerInspect => "/containers/{name}/json",
            Endpoint::ContainerList => "/containers/json",
            Endpoint::NetworkList => "/networks",
            Endpoint::NetworkInspect => "/networks/{name}",
            Endpoint::VolumeList => "/volumes",
            Endpoint::VolumeInspect => "/volumes/{name}",
            Endpoint::ServiceList => "/services",
            Endpoint::ServiceInspect => "/services/{id}",
            Endpoint::TaskList => "/tasks",
            Endpoint::TaskInspect => "/tasks/{id}",
            Endpoint::SecretList => "/secrets",
            Endpoint::SecretInspect => "/secrets/{id}",
            Endpoint::ConfigList => "/configs",
            Endpoint::ConfigInspect => "/configs/{id}",
            Endpoint::PluginList => "/plugins",
            Endpoint::PluginInspect => "/plugins/{name}/json",
            Endpoint::NodeList => "/nodes",
            Endpoint::NodeInspect => "/nodes/{id}",
            Endpoint::SwarmInspect => "/swarm",
            Endpoint::SwarmUnlockKey => "/swarm/unlockkey",
            Endpoint::Info => "/info",
            Endpoint::DiskUsage => "/system/df",
        }
    }

    /// The endpoint that a canonical path reaches, if it is a covered one.
    ///
    /// The Engine's routes for containers, networks, volumes and plugins let a name span several segments
    /// (spec 20 §11 gap 3); so do these, or `/networks/a/b` would show what `/networks/a` hides. Names of swarm objects
    /// are one segment there and here, which keeps `/services/{id}/logs` a stream.
    pub fn of(canonical_path: &[u8]) -> Option<Endpoint> {
        let path = canonical_path.strip_prefix(b"/")?;
        let (collection, rest) = match memchr::memchr(b'/', path) {
            Some(slash) => (path.get(..slash)?, path.get(slash + 1..)?),
            None => (path, &[][..]),
        };
        let one_segment = !rest.is_empty() && memchr::memchr(b'/', rest).is_none();
        let named_json = rest.strip_suffix(b"/json").is_some_and(|name| !name.is_empty());
        let list_or_inspect = |list, inspect| match rest.is_empty() {
            true => Some(list),
            false => one_segment.then_some(inspect),
        };
        match collection {
            b"containers" if rest == b"json" => Some(Endpoint::ContainerList),
            b"containers" => named_json.then_some(Endpoint::ContainerInspect),
            b"networks" if rest.is_empty() => Some(Endpoint::NetworkList),
            b"networks" => Some(Endpoint::NetworkInspect),
            b"volumes" if rest.is_empty() => Some(Endpoint::VolumeList),
            b"volumes" => Some(Endpoint::VolumeInspect),
            b"services" => list_or_inspect(Endpoint::ServiceList, Endpoint::ServiceInspect),
            b"tasks" => list_or_inspect(Endpoint::TaskList, Endpoint::TaskInspect),
            b"secrets" => list_or_inspect(Endpoint::SecretList, Endpoint::SecretInspect),
            b"configs" => list_or_inspect(Endpoint::ConfigList, Endpoint::ConfigInspect),
            b"nodes" => list_or_inspect(Endpoint::NodeList, Endpoint::NodeInspect),
            b"plugins" if rest.is_empty() => Some(Endpoint::PluginList),
            b"plugins" => named_json.then_some(Endpoint::PluginInspect),
            b"swarm" if rest.is_empty() => Some(Endpoint::SwarmInspect),
            b"swarm" => (rest == b"unlockkey").then_some(Endpoint::SwarmUnlockKey),
            b"info" => rest.is_empty().then_some(Endpoint::Info),
            b"system" => (rest == b"df").then_some(Endpoint::DiskUsage),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discriminants_index_the_list() {
        for (index, endpoint) in Endpoint::ALL.iter().enumerate() {
            assert_eq!(*endpoint as usize, index);
            assert_eq!(Endpoint::of(endpoint.path().as_bytes()), Some(*endpoint));
        }
    }

    #[test]
    fn paths_reach_their_endpoint_and_neighbours_do_not() {
        for (path, expected) in [
            ("/containers/json", Some(Endpoint::ContainerList)),
            ("/containers/web/json", Some(Endpoint::ContainerInspect)),
            ("/containers/create/json", Some(Endpoint::ContainerInspect)),
            ("/containers/json/json", Some(Endpoint::ContainerInspect)),
            ("/containers/parent/alias/json", Some(Endpoint::ContainerInspect)),
            ("/containers/create", None),
            ("/containers/web/jsonx", None),
            ("/containers/web/JSON", None),
            ("/containers/web/top", None),
            ("/containers", None),
            ("/Containers/json", None),
            ("/networks", Some(Endpoint::NetworkList)),
            ("/networks/create", Some(Endpoint::NetworkInspect)),
            ("/networks/a/b", Some(Endpoint::NetworkInspect)),
            ("/networksx", None),
            ("/volumes", Some(Endpoint::VolumeList)),
            ("/volumes/create", Some(Endpoint::VolumeInspect)),
            ("/services", Some(Endpoint::ServiceList)),
            ("/services/s", Some(Endpoint::ServiceInspect)),
            ("/services/s/logs", None),
            ("/services/s/update", None),
            ("/tasks", Some(Endpoint::TaskList)),
            ("/tasks/t", Some(Endpoint::TaskInspect)),
            ("/tasks/t/logs", None),
            ("/secrets", Some(Endpoint::SecretList)),
            ("/secrets/s", Some(Endpoint::SecretInspect)),
            ("/configs", Some(Endpoint::ConfigList)),
            ("/configs/c", Some(Endpoint::ConfigInspect)),
            ("/configs/c/update", None),
            ("/plugins", Some(Endpoint::PluginList)),
            ("/plugins/p/json", Some(Endpoint::PluginInspect)),
            ("/plugins/registry.example/team/p/json", Some(Endpoint::PluginInspect)),
            ("/plugins/json", None),
            ("/plugins/privileges", None),
            ("/plugins/p/enable", None),
            ("/nodes", Some(Endpoint::NodeList)),
            ("/nodes/n", Some(Endpoint::NodeInspect)),
            ("/swarm", Some(Endpoint::SwarmInspect)),
            ("/swarm/unlockkey", Some(Endpoint::SwarmUnlockKey)),
            ("/swarm/init", None),
            ("/info", Some(Endpoint::Info)),
            ("/info/x", None),
            ("/system/df", Some(Endpoint::DiskUsage)),
            ("/system", None),
            ("/images/a/json", None),
            ("", None),
            ("/", None),
            ("*", None),
            ("containers/json", None),
        ] {
            assert_eq!(Endpoint::of(path.as_bytes()), expected, "{path}");
        }
    }
}
