//! What a canonical path is to the Engine: a closed set of endpoints.
//!
//! Owns the one table of Engine paths. Everybody who asks "is this exec start?" asks here, so that the inspector, the
//! tunnel and the response filter cannot disagree about a path (spec 20 §2). It knows paths only; methods join in
//! [`mod@inspector`] and [`transfer`].
//!
//! The Engine's routes let a name span several segments (`/images/ghcr.io/a/b/json`, `/containers/web/db/exec`), so a
//! path is read from both ends: a resource prefix on the left, a known verb on the right, and at least one segment of
//! name between them (spec 20 §11 gap 3).

pub mod inspector;
pub mod route;
pub mod transfer;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use matchit::Router;
use memchr::memrchr;

pub use inspector::{Inspector, inspector};
pub use route::Route;
pub use transfer::{is_hijack, is_quick_read, may_upgrade, passes_upgrade};

/// Declares [`Endpoint`] and the tables that read it. `=>` is followed by the metrics route (spec 70 §8).
macro_rules! endpoints {
    (
        fixed { $($fixed:ident $path:literal => $fixed_route:literal,)* }
        named { $($named:ident $resource:ident $verb:literal $template:literal => $named_route:literal,)* }
        items { $($item:ident $item_resource:ident $item_template:literal => $item_route:literal,)* }
    ) => {
        /// An endpoint of the Engine, told from its canonical path alone. `{id}` and `{name}` are one or more segments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Endpoint {
            $(#[doc = concat!("`", $path, "`")] $fixed,)*
            $(#[doc = concat!("`", $template, "`")] $named,)*
            $(#[doc = concat!("`", $item_template, "`")] $item,)*
            /// Any other path.
            Unknown,
        }

        impl Endpoint {
            /// Every endpoint once.
            pub const ALL: &'static [Endpoint] =
                &[$(Endpoint::$fixed,)* $(Endpoint::$named,)* $(Endpoint::$item,)* Endpoint::Unknown];

            /// The path template, for people. `Unknown` has none.
            #[must_use]
            pub const fn template(self) -> &'static str {
                match self {
                    $(Endpoint::$fixed => $path,)*
                    $(Endpoint::$named => $template,)*
                    $(Endpoint::$item => $item_template,)*
                    Endpoint::Unknown => "",
                }
            }

            /// The resource whose name is part of the path, if one is.
            #[must_use]
            pub const fn resource(self) -> Option<Resource> {
                match self {
                    $(Endpoint::$fixed => None,)*
                    $(Endpoint::$named => Some(Resource::$resource),)*
                    $(Endpoint::$item => Some(Resource::$item_resource),)*
                    Endpoint::Unknown => None,
                }
            }

            /// The metrics route, provided that a name is one segment and the path is known.
            const fn plain_route(self) -> Option<Route> {
                match self {
                    $(Endpoint::$fixed => Some(const { Route::named($fixed_route) }),)*
                    $(Endpoint::$named => Some(const { Route::named($named_route) }),)*
                    $(Endpoint::$item => Some(const { Route::named($item_route) }),)*
                    Endpoint::Unknown => None,
                }
            }

            const fn item(resource: Resource) -> Endpoint {
                match resource {
                    $(Resource::$item_resource => Endpoint::$item,)*
                }
            }

            fn verb(resource: Resource, verb: &[u8]) -> Option<Endpoint> {
                match (resource, verb) {
                    $((Resource::$resource, $verb) => Some(Endpoint::$named),)*
                    (_, _) => None,
                }
            }
        }

        const FIXED: &[(&str, Endpoint)] = &[$(($path, Endpoint::$fixed),)*];
    };
}

endpoints! {
    fixed {
        Ping "/_ping" => "/_ping",
        Version "/version" => "/version",
        Info "/info" => "/info",
        Events "/events" => "/events",
        Auth "/auth" => "/auth/...",
        SystemDiskUsage "/system/df" => "/system/df",
        Session "/session" => "/session/...",
        Grpc "/grpc" => "/grpc/...",
        Commit "/commit" => "/commit/...",
        Build "/build" => "/build",
        BuildPrune "/build/prune" => "/build",
        BuildCancel "/build/cancel" => "/build",
        ContainerList "/containers/json" => "/containers/json",
        ContainerCreate "/containers/create" => "/containers/create",
        ContainerPrune "/containers/prune" => "/containers/prune",
        ImageList "/images/json" => "/images/json",
        ImageCreate "/images/create" => "/images/create",
        ImageLoad "/images/load" => "/images/load",
        ImagePrune "/images/prune" => "/images/prune",
        ImageSearch "/images/search" => "/images/search",
        ImageExportMany "/images/get" => "/images/{id}",
        VolumeList "/volumes" => "/volumes",
        VolumeCreate "/volumes/create" => "/volumes/create",
        VolumePrune "/volumes/prune" => "/volumes/{id}",
        NetworkList "/networks" => "/networks",
        NetworkCreate "/networks/create" => "/networks/create",
        NetworkPrune "/networks/prune" => "/networks/{id}",
        SecretList "/secrets" => "/secrets",
        SecretCreate "/secrets/create" => "/secrets/create",
        ConfigList "/configs" => "/configs",
        ConfigCreate "/configs/create" => "/configs/create",
        ServiceList "/services" => "/services",
        ServiceCreate "/services/create" => "/services/create",
        TaskList "/tasks" => "/tasks/...",
        NodeList "/nodes" => "/nodes",
        SwarmInspect "/swarm" => "/swarm",
        SwarmInit "/swarm/init" => "/swarm/init",
        SwarmJoin "/swarm/join" => "/swarm/join",
        SwarmLeave "/swarm/leave" => "/swarm/leave",
        SwarmUpdate "/swarm/update" => "/swarm/update",
        SwarmUnlock "/swarm/unlock" => "/swarm/unlock",
        SwarmUnlockKey "/swarm/unlockkey" => "/swarm/unlockkey",
        PluginList "/plugins" => "/plugins",
        PluginPrivileges "/plugins/privileges" => "/plugins/privileges",
        PluginPull "/plugins/pull" => "/plugins/pull",
        PluginCreate "/plugins/create" => "/plugins/create",
    }
    named {
        ContainerInspect Containers b"json" "/containers/{id}/json" => "/containers/{id}/json",
        ContainerLogs Containers b"logs" "/containers/{id}/logs" => "/containers/{id}/logs",
        ContainerStats Containers b"stats" "/containers/{id}/stats" => "/containers/{id}/stats",
        ContainerTop Containers b"top" "/containers/{id}/top" => "/containers/{id}/top",
        ContainerChanges Containers b"changes" "/containers/{id}/changes" => "/containers/{id}/changes",
        ContainerExport Containers b"export" "/containers/{id}/export" => "/containers/{id}/export",
        ContainerArchive Containers b"archive" "/containers/{id}/archive" => "/containers/{id}/archive",
        ContainerAttach Containers b"attach" "/containers/{id}/attach" => "/containers/{id}/attach",
        ContainerAttachWebsocket Containers b"attach/ws" "/containers/{id}/attach/ws" => "/containers/{id}/ws",
        ContainerStart Containers b"start" "/containers/{id}/start" => "/containers/{id}/start",
        ContainerStop Containers b"stop" "/containers/{id}/stop" => "/containers/{id}/stop",
        ContainerRestart Containers b"restart" "/containers/{id}/restart" => "/containers/{id}/restart",
        ContainerKill Containers b"kill" "/containers/{id}/kill" => "/containers/{id}/kill",
        ContainerPause Containers b"pause" "/containers/{id}/pause" => "/containers/{id}/pause",
        ContainerUnpause Containers b"unpause" "/containers/{id}/unpause" => "/containers/{id}/unpause",
        ContainerWait Containers b"wait" "/containers/{id}/wait" => "/containers/{id}/wait",
        ContainerRename Containers b"rename" "/containers/{id}/rename" => "/containers/{id}/rename",
        ContainerResize Containers b"resize" "/containers/{id}/resize" => "/containers/{id}/resize",
        ContainerUpdate Containers b"update" "/containers/{id}/update" => "/containers/{id}/update",
        ContainerCheckpoints Containers b"checkpoints" "/containers/{id}/checkpoints" => "/containers/{id}/checkpoints",
        ExecCreate Containers b"exec" "/containers/{id}/exec" => "/containers/{id}/exec",
        ExecInspect Exec b"json" "/exec/{id}/json" => "/exec/{id}/json",
        ExecStart Exec b"start" "/exec/{id}/start" => "/exec/{id}/start",
        ExecResize Exec b"resize" "/exec/{id}/resize" => "/exec/{id}/resize",
        ImageInspect Images b"json" "/images/{name}/json" => "/images/{id}/json",
        ImageHistory Images b"history" "/images/{name}/history" => "/images/{id}/history",
        ImagePush Images b"push" "/images/{name}/push" => "/images/{id}/push",
        ImageTag Images b"tag" "/images/{name}/tag" => "/images/{id}/tag",
        ImageExport Images b"get" "/images/{name}/get" => "/images/{id}/get",
        ImageAttestations Images b"attestations" "/images/{name}/attestations" => "/images/{id}/attestations",
        NetworkConnect Networks b"connect" "/networks/{id}/connect" => "/networks/{id}/connect",
        NetworkDisconnect Networks b"disconnect" "/networks/{id}/disconnect" => "/networks/{id}/disconnect",
        SecretUpdate Secrets b"update" "/secrets/{id}/update" => "/secrets/{id}/update",
        ConfigUpdate Configs b"update" "/configs/{id}/update" => "/configs/{id}/update",
        ServiceUpdate Services b"update" "/services/{id}/update" => "/services/{id}/update",
        ServiceLogs Services b"logs" "/services/{id}/logs" => "/services/{id}/logs",
        TaskLogs Tasks b"logs" "/tasks/{id}/logs" => "/tasks/...",
        NodeUpdate Nodes b"update" "/nodes/{id}/update" => "/nodes/{id}/update",
        PluginInspect Plugins b"json" "/plugins/{name}/json" => "/plugins/{name}/json",
        PluginEnable Plugins b"enable" "/plugins/{name}/enable" => "/plugins/{name}/enable",
        PluginDisable Plugins b"disable" "/plugins/{name}/disable" => "/plugins/{name}/disable",
        PluginUpgrade Plugins b"upgrade" "/plugins/{name}/upgrade" => "/plugins/{name}/upgrade",
        PluginPush Plugins b"push" "/plugins/{name}/push" => "/plugins/{name}/push",
        PluginSet Plugins b"set" "/plugins/{name}/set" => "/plugins/{name}/set",
        DistributionInspect Distribution b"json" "/distribution/{name}/json" => "/distribution/...",
    }
    items {
        Container Containers "/containers/{id}" => "/containers/{id}",
        Exec Exec "/exec/{id}" => "/exec/{id}",
        Image Images "/images/{name}" => "/images/{id}",
        Volume Volumes "/volumes/{name}" => "/volumes/{id}",
        Network Networks "/networks/{id}" => "/networks/{id}",
        Secret Secrets "/secrets/{id}" => "/secrets/{id}",
        Config Configs "/configs/{id}" => "/configs/{id}",
        Service Services "/services/{id}" => "/services/{id}",
        Task Tasks "/tasks/{id}" => "/tasks/...",
        Node Nodes "/nodes/{id}" => "/nodes/{id}",
        Plugin Plugins "/plugins/{name}" => "/plugins/{name}",
        Distribution Distribution "/distribution/{name}" => "/distribution/...",
    }
}

/// A kind of thing that paths name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Containers, by id, name or link name.
    Containers,
    /// Exec instances, by id.
    Exec,
    /// Images, by id or reference; a reference may have many segments.
    Images,
    /// Volumes, by name.
    Volumes,
    /// Networks, by id or name.
    Networks,
    /// Swarm secrets.
    Secrets,
    /// Swarm configs.
    Configs,
    /// Swarm services.
    Services,
    /// Swarm tasks.
    Tasks,
    /// Swarm nodes.
    Nodes,
    /// Plugins, by name; a name may have many segments.
    Plugins,
    /// Images in a registry, by reference.
    Distribution,
}

impl Resource {
    /// Every resource once.
    pub const ALL: &'static [Resource] = &[
        Resource::Containers,
        Resource::Exec,
        Resource::Images,
        Resource::Volumes,
        Resource::Networks,
        Resource::Secrets,
        Resource::Configs,
        Resource::Services,
        Resource::Tasks,
        Resource::Nodes,
        Resource::Plugins,
        Resource::Distribution,
    ];

    /// What a path that names one begins with, for instance `/containers/`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Resource::Containers => "/containers/",
            Resource::Exec => "/exec/",
            Resource::Images => "/images/",
            Resource::Volumes => "/volumes/",
            Resource::Networks => "/networks/",
            Resource::Secrets => "/secrets/",
            Resource::Configs => "/configs/",
            Resource::Services => "/services/",
            Resource::Tasks => "/tasks/",
            Resource::Nodes => "/nodes/",
            Resource::Plugins => "/plugins/",
            Resource::Distribution => "/distribution/",
        }
    }
}

/// The endpoint of a canonical path. Total, allocates nothing.
#[must_use]
pub fn classify(canonical: &[u8]) -> Endpoint {
    let resource = match std::str::from_utf8(canonical) {
        Ok(path) => {
            if let Ok(found) = FIXED_PATHS.at(path) {
                return *found.value;
            }
            NAMED_PATHS.at(path).ok().map(|found| *found.value)
        }
        // No fixed path has such bytes, but a name may: it still selects its inspector.
        Err(_) => Resource::ALL.iter().find(|resource| canonical.starts_with(resource.prefix().as_bytes())).copied(),
    };
    let Some(resource) = resource else { return Endpoint::Unknown };
    let (_, verb) = name_and_verb(canonical.get(resource.prefix().len()..).unwrap_or_default());
    Endpoint::verb(resource, verb).unwrap_or(Endpoint::item(resource))
}

impl Endpoint {
    /// The name in a canonical path of this endpoint, between the resource prefix and the verb: one or more segments.
    /// Empty for an endpoint without a name. `canonical` must be the path that was classified.
    #[must_use]
    pub fn name(self, canonical: &[u8]) -> &[u8] {
        let Some(resource) = self.resource() else { return b"" };
        let rest = canonical.get(resource.prefix().len()..).unwrap_or_default();
        if self == Endpoint::item(resource) { rest } else { name_and_verb(rest).0 }
    }
}

/// The path after a resource prefix, split before its verb. The verb is empty when there is only one segment.
fn name_and_verb(rest: &[u8]) -> (&[u8], &[u8]) {
    let split = |at: usize| (rest.get(..at).unwrap_or_default(), rest.get(at + 1..).unwrap_or_default());
    let Some(slash) = memrchr(b'/', rest) else { return (rest, b"") };
    let (name, verb) = split(slash);
    // The only verb of two segments. A container may be called `attach`, hence the look for a name before it.
    match name.strip_suffix(b"/attach") {
        Some(shorter) if verb == b"ws" && !shorter.is_empty() => split(shorter.len()),
        _ => (name, verb),
    }
}

/// Paths without a name. Apart from the others: a router that has to choose between a fixed segment and a name keeps a
/// list of what it may have to come back to, on the heap.
static FIXED_PATHS: LazyLock<Router<Endpoint>> =
    LazyLock::new(|| router(FIXED.iter().map(|(path, endpoint)| ((*path).to_owned(), *endpoint))));

/// Paths that begin with a resource and its name.
static NAMED_PATHS: LazyLock<Router<Resource>> = LazyLock::new(|| {
    router(Resource::ALL.iter().map(|resource| (format!("{}{{*name}}", resource.prefix()), *resource)))
});

fn router<T: std::fmt::Debug>(routes: impl Iterator<Item = (String, T)>) -> Router<T> {
    let mut router = Router::new();
    for (path, value) in routes {
        let inserted = router.insert(path, value);
        assert!(inserted.is_ok(), "two endpoints share a path: {inserted:?}");
    }
    router
}
