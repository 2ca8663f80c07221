//! Metrics route templates (spec 70 §8).
//!
//! Owns the closed set of `route` label values. A segment that a client chooses never becomes a label: an unknown verb
//! and an unknown first segment have one fixed value each, so that no client can grow the metrics without bound.

use memchr::memchr;

use super::{Endpoint, Resource, classify};
use crate::target::path::has_version_segment;

/// One of a closed set of route templates; usable as an index below [`Route::COUNT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(u8);

impl Route {
    /// Number of routes.
    pub const COUNT: usize = TEMPLATES.len();
    /// The route of a request without a path.
    pub const UNKNOWN: Route = Route::named("unknown");
    /// The route of a path whose first segment is in no table.
    pub const OTHER: Route = Route::named("/...");

    /// The route of a canonical path, or of a raw path where nothing was normalised (local endpoints). A leading
    /// version segment is left out.
    #[must_use]
    pub fn of(path: &[u8]) -> Route {
        let path = without_version(path);
        classify(path).route(path)
    }

    /// Every route once, in index order.
    pub fn all() -> impl Iterator<Item = Route> {
        (0..=u8::MAX).take(Route::COUNT).map(Route)
    }

    /// The label value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        TEMPLATES.get(self.index()).copied().unwrap_or("unknown")
    }

    /// Position among all routes, below [`Route::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The route with this template. A template that is not in the table does not compile.
    pub(super) const fn named(template: &str) -> Route {
        let mut index = 0;
        while index < TEMPLATES.len() {
            if same(TEMPLATES[index].as_bytes(), template.as_bytes()) {
                return Route(index as u8);
            }
            index += 1;
        }
        panic!("no such route template")
    }
}

impl Endpoint {
    /// The metrics route of a request to this endpoint; `canonical` is the path that was classified.
    #[must_use]
    pub fn route(self, canonical: &[u8]) -> Route {
        match (self.plain_route(), self.resource()) {
            // Several segments and no known verb among them: a name with slashes or a verb that nobody documents.
            (Some(_), Some(resource))
                if self == Endpoint::item(resource) && memchr(b'/', self.name(canonical)).is_some() =>
            {
                unknown_verb(resource)
            }
            (Some(route), _) => route,
            (None, _) => unknown_path(canonical),
        }
    }
}

const fn unknown_verb(resource: Resource) -> Route {
    match resource {
        Resource::Containers => const { Route::named("/containers/{id}/...") },
        Resource::Exec => const { Route::named("/exec/{id}/...") },
        Resource::Images => const { Route::named("/images/{id}/...") },
        Resource::Volumes => const { Route::named("/volumes/{id}/...") },
        Resource::Networks => const { Route::named("/networks/{id}/...") },
        Resource::Secrets => const { Route::named("/secrets/{id}/...") },
        Resource::Configs => const { Route::named("/configs/{id}/...") },
        Resource::Services => const { Route::named("/services/{id}/...") },
        Resource::Tasks => const { Route::named("/tasks/...") },
        Resource::Nodes => const { Route::named("/nodes/{id}/...") },
        Resource::Plugins => const { Route::named("/plugins/{name}/...") },
        Resource::Distribution => const { Route::named("/distribution/...") },
    }
}

/// A path that is no endpoint goes by its first segment, if that is a known one.
fn unknown_path(path: &[u8]) -> Route {
    if path.iter().all(u8::is_ascii_whitespace) {
        return Route::UNKNOWN;
    }
    let mut segments = path.split(|&byte| byte == b'/').filter(|segment| !segment.is_empty());
    let Some(first) = segments.next() else { return const { Route::named("/") } };
    let is_alone = segments.next().is_none();
    match first {
        b"_ping" => const { Route::named("/_ping") },
        b"version" => const { Route::named("/version") },
        b"events" => const { Route::named("/events") },
        b"info" => const { Route::named("/info") },
        b"build" => const { Route::named("/build") },
        b"containers" if is_alone => const { Route::named("/containers") },
        b"images" if is_alone => const { Route::named("/images") },
        b"exec" if is_alone => const { Route::named("/exec") },
        b"system" if is_alone => const { Route::named("/system") },
        b"system" => const { Route::named("/system/...") },
        b"swarm" => const { Route::named("/swarm/...") },
        b"health" => const { Route::named("/health/...") },
        b"metrics" => const { Route::named("/metrics/...") },
        b"admin" => const { Route::named("/admin/...") },
        b"auth" => const { Route::named("/auth/...") },
        b"commit" => const { Route::named("/commit/...") },
        b"session" => const { Route::named("/session/...") },
        b"grpc" => const { Route::named("/grpc/...") },
        b"distribution" => const { Route::named("/distribution/...") },
        b"libpod" => const { Route::named("/libpod/...") },
        b"tasks" => const { Route::named("/tasks/...") },
        _ => Route::OTHER,
    }
}

/// Drops a leading `v<digits/dots>` segment.
fn without_version(path: &[u8]) -> &[u8] {
    if !has_version_segment(path) {
        return path;
    }
    let tail = path.get(1..).unwrap_or_default();
    memchr(b'/', tail).and_then(|slash| tail.get(slash..)).unwrap_or(b"/")
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

const TEMPLATES: &[&str] = &[
    "unknown",
    "/",
    "/...",
    "/_ping",
    "/version",
    "/events",
    "/info",
    "/build",
    "/health/...",
    "/metrics/...",
    "/admin/...",
    "/auth/...",
    "/commit/...",
    "/session/...",
    "/grpc/...",
    "/distribution/...",
    "/libpod/...",
    "/tasks/...",
    "/system",
    "/system/df",
    "/system/...",
    "/containers",
    "/containers/json",
    "/containers/create",
    "/containers/prune",
    "/containers/{id}",
    "/containers/{id}/json",
    "/containers/{id}/logs",
    "/containers/{id}/stats",
    "/containers/{id}/top",
    "/containers/{id}/changes",
    "/containers/{id}/export",
    "/containers/{id}/archive",
    "/containers/{id}/attach",
    "/containers/{id}/ws",
    "/containers/{id}/start",
    "/containers/{id}/stop",
    "/containers/{id}/restart",
    "/containers/{id}/kill",
    "/containers/{id}/pause",
    "/containers/{id}/unpause",
    "/containers/{id}/wait",
    "/containers/{id}/rename",
    "/containers/{id}/resize",
    "/containers/{id}/update",
    "/containers/{id}/checkpoints",
    "/containers/{id}/exec",
    "/containers/{id}/...",
    "/exec",
    "/exec/{id}",
    "/exec/{id}/json",
    "/exec/{id}/start",
    "/exec/{id}/resize",
    "/exec/{id}/...",
    "/images",
    "/images/json",
    "/images/create",
    "/images/load",
    "/images/prune",
    "/images/search",
    "/images/{id}",
    "/images/{id}/json",
    "/images/{id}/history",
    "/images/{id}/push",
    "/images/{id}/tag",
    "/images/{id}/get",
    "/images/{id}/attestations",
    "/images/{id}/...",
    "/volumes",
    "/volumes/create",
    "/volumes/{id}",
    "/volumes/{id}/...",
    "/networks",
    "/networks/create",
    "/networks/{id}",
    "/networks/{id}/connect",
    "/networks/{id}/disconnect",
    "/networks/{id}/...",
    "/secrets",
    "/secrets/create",
    "/secrets/{id}",
    "/secrets/{id}/update",
    "/secrets/{id}/...",
    "/configs",
    "/configs/create",
    "/configs/{id}",
    "/configs/{id}/update",
    "/configs/{id}/...",
    "/services",
    "/services/create",
    "/services/{id}",
    "/services/{id}/update",
    "/services/{id}/logs",
    "/services/{id}/...",
    "/nodes",
    "/nodes/{id}",
    "/nodes/{id}/update",
    "/nodes/{id}/...",
    "/swarm",
    "/swarm/init",
    "/swarm/join",
    "/swarm/leave",
    "/swarm/update",
    "/swarm/unlock",
    "/swarm/unlockkey",
    "/swarm/...",
    "/plugins",
    "/plugins/pull",
    "/plugins/create",
    "/plugins/privileges",
    "/plugins/{name}",
    "/plugins/{name}/json",
    "/plugins/{name}/enable",
    "/plugins/{name}/disable",
    "/plugins/{name}/upgrade",
    "/plugins/{name}/push",
    "/plugins/{name}/set",
    "/plugins/{name}/...",
];

const _: () = assert!(TEMPLATES.len() <= u8::MAX as usize + 1, "a route is one byte");
