//! How a request to an endpoint travels: as a tunnel, as a quick read, or at its own pace.
//!
//! Owns the hijack set (spec 60 §4.1) and the quick-read set (60 §3.8). Both are decided by method, path and, for quick
//! reads, one query parameter; never by headers, which a client could set to leave the inspected set.

use super::Endpoint;
use crate::target::query;

/// Whether the request is one that the Engine hijacks: `POST` attach and exec start. These get a dedicated connection
/// and end in a tunnel.
#[must_use]
pub fn is_hijack(method: &[u8], endpoint: Endpoint) -> bool {
    method.eq_ignore_ascii_case(b"POST") && matches!(endpoint, Endpoint::ContainerAttach | Endpoint::ExecStart)
}

/// Whether the Engine gets to hear of a client's wish to upgrade to `token` (spec 60 §3.6).
///
/// A tunnel is seen into by no rule: `Upgrade: h2c` on an endpoint that is no tunnel of its own would carry whole
/// requests past the policy to an Engine that speaks HTTP/2. A websocket carries no requests; the Engine may decline it.
#[must_use]
pub fn passes_upgrade(method: &[u8], endpoint: Endpoint, token: &[u8]) -> bool {
    opens_session(method, endpoint) || (method == b"GET" && token.eq_ignore_ascii_case(b"websocket"))
}

/// Whether the connection becomes a tunnel when the Engine agrees to such a wish.
#[must_use]
pub fn may_upgrade(method: &[u8], endpoint: Endpoint) -> bool {
    opens_session(method, endpoint) || (method == b"GET" && endpoint == Endpoint::ContainerAttachWebsocket)
}

fn opens_session(method: &[u8], endpoint: Endpoint) -> bool {
    method == b"POST" && matches!(endpoint, Endpoint::Session | Endpoint::Grpc)
}

/// Whether the request is answered from the Engine's own state, so that a response-header timeout is safe. Everything
/// else may legitimately send no header for minutes and waits as long as its client does (field report 19).
#[must_use]
pub fn is_quick_read(method: &[u8], endpoint: Endpoint, query: &[u8]) -> bool {
    let is_read = method == b"GET" || method == b"HEAD";
    is_read && !is_slow_or_streaming(endpoint) && !asks_for_sizes(query)
}

/// The exceptions of spec 60 §3.8: streams, registry round-trips and walks over the disk.
const fn is_slow_or_streaming(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::Events
            | Endpoint::ContainerLogs
            | Endpoint::ContainerStats
            | Endpoint::ContainerExport
            | Endpoint::ContainerArchive
            | Endpoint::ContainerAttachWebsocket
            | Endpoint::ServiceLogs
            | Endpoint::TaskLogs
            | Endpoint::ImageExport
            | Endpoint::ImageExportMany
            | Endpoint::ImageSearch
            | Endpoint::DistributionInspect
            | Endpoint::SystemDiskUsage
    )
}

/// A list or inspect with sizes walks every container's file system.
fn asks_for_sizes(query: &[u8]) -> bool {
    query::first(query, b"size").is_some_and(|value| query::engine_bool(&value))
}
