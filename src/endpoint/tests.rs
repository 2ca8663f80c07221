//! Dispatch tables of spec 30 §0.1, 60 §3.8, §4.1 and 70 §8.

use std::collections::HashSet;

use super::*;

#[test]
fn every_endpoint_classifies_its_own_template() {
    for &endpoint in Endpoint::ALL.iter().filter(|endpoint| **endpoint != Endpoint::Unknown) {
        for name in ["x", "web/db", "json", "create", "attach", "a/attach", "\u{e9}"] {
            let path = endpoint.template().replace("{id}", name).replace("{name}", name);
            let is_item = endpoint.resource().is_some_and(|resource| endpoint == Endpoint::item(resource));
            if is_item && name != "x" && name != "\u{e9}" {
                // These words are verbs or fixed paths there.
                continue;
            }
            assert_eq!(classify(path.as_bytes()), endpoint, "{path}");
            if endpoint.resource().is_some() {
                assert_eq!(endpoint.name(path.as_bytes()), name.as_bytes(), "{path}");
            } else {
                assert_eq!(endpoint.name(path.as_bytes()), b"", "{path}");
            }
        }
    }
    assert_eq!(size_of::<Endpoint>(), 1);
}

#[test]
fn neighbours_are_told_apart() {
    for (path, endpoint) in [
        ("", Endpoint::Unknown),
        ("/", Endpoint::Unknown),
        ("*", Endpoint::Unknown),
        ("/_ping/x", Endpoint::Unknown),
        ("/Version", Endpoint::Unknown),
        ("/containers", Endpoint::Unknown),
        ("/containers/createstuff", Endpoint::Container),
        ("/containers/json", Endpoint::ContainerList),
        ("/containers/create", Endpoint::ContainerCreate),
        ("/containers/create/exec", Endpoint::ExecCreate),
        ("/containers/prune/start", Endpoint::ContainerStart),
        ("/containers/json/json", Endpoint::ContainerInspect),
        ("/containers/json/extra", Endpoint::Container),
        ("/containers/web/db/exec", Endpoint::ExecCreate),
        ("/containers/web/db", Endpoint::Container),
        ("/containers/x/attach/ws", Endpoint::ContainerAttachWebsocket),
        ("/containers/attach/ws", Endpoint::Container),
        ("/containers/x/ws", Endpoint::Container),
        ("/containers/x/attach/ws/y", Endpoint::Container),
        ("/containers/ws/attach", Endpoint::ContainerAttach),
        ("/containers/x/EXEC", Endpoint::Container),
        ("/containers/x/exec\0", Endpoint::Container),
        ("/images/createstuff", Endpoint::Image),
        ("/images/ghcr.io/a/b:t/json", Endpoint::ImageInspect),
        ("/images/library/busybox", Endpoint::Image),
        ("/images/get", Endpoint::ImageExportMany),
        ("/images/x/get", Endpoint::ImageExport),
        ("/builds", Endpoint::Unknown),
        ("/build/abc", Endpoint::Unknown),
        ("/build/prune", Endpoint::BuildPrune),
        ("/volumes/abc", Endpoint::Volume),
        ("/swarm", Endpoint::SwarmInspect),
        ("/swarm/unlockkey", Endpoint::SwarmUnlockKey),
        ("/swarm/unlock", Endpoint::SwarmUnlock),
        ("/swarm/init/x", Endpoint::Unknown),
        ("/exec/X/json", Endpoint::ExecInspect),
        ("/exec/a/b/start", Endpoint::ExecStart),
        ("/exec/start", Endpoint::Exec),
        ("/networks/X", Endpoint::Network),
        ("/plugins/vieux/sshfs:1/upgrade", Endpoint::PluginUpgrade),
        ("/plugins/pull", Endpoint::PluginPull),
        ("/plugins/pull/x", Endpoint::Plugin),
        ("/distribution/a/b/json", Endpoint::DistributionInspect),
        ("/libpod/containers/create", Endpoint::Unknown),
        ("containers/json", Endpoint::Unknown),
        ("/{id}", Endpoint::Unknown),
        ("/containers/{id}/json", Endpoint::ContainerInspect),
    ] {
        assert_eq!(classify(path.as_bytes()), endpoint, "{path}");
    }
}

#[test]
fn names_that_are_no_text_still_find_their_endpoint() {
    assert_eq!(classify(b"/containers/\xff/exec"), Endpoint::ExecCreate);
    assert_eq!(Endpoint::ExecCreate.name(b"/containers/\xff/exec"), b"\xff");
    assert_eq!(classify(b"/containers/a\xc3/x/attach/ws"), Endpoint::ContainerAttachWebsocket);
    assert_eq!(classify(b"/volumes/\xff"), Endpoint::Volume);
    assert_eq!(classify(b"/swarm/\xff"), Endpoint::Unknown);
    assert_eq!(classify(b"\xff/containers/x/exec"), Endpoint::Unknown);
}

#[test]
fn exactly_the_listed_requests_are_inspected() {
    let inspected = |method: &str, path: &str| inspector(method.as_bytes(), classify(path.as_bytes()));
    let table = [
        ("POST", "/containers/create", Inspector::ContainerCreate),
        ("POST", "/containers/X/exec", Inspector::ExecCreate),
        ("POST", "/exec/X/start", Inspector::ExecStart),
        ("POST", "/containers/X/update", Inspector::ContainerUpdate),
        ("PUT", "/containers/X/archive", Inspector::ContainerArchive),
        ("POST", "/images/create", Inspector::ImagePull),
        ("POST", "/images/load", Inspector::ImageLoad),
        ("POST", "/build", Inspector::Build),
        ("POST", "/volumes/create", Inspector::VolumeCreate),
        ("POST", "/networks/create", Inspector::NetworkCreate),
        ("POST", "/networks/X/connect", Inspector::NetworkConnect),
        ("POST", "/networks/X/disconnect", Inspector::NetworkDisconnect),
        ("POST", "/secrets/create", Inspector::SecretCreate),
        ("POST", "/configs/create", Inspector::ConfigCreate),
        ("POST", "/services/create", Inspector::ServiceCreate),
        ("POST", "/services/X/update", Inspector::ServiceUpdate),
        ("POST", "/swarm/init", Inspector::SwarmInit),
        ("POST", "/swarm/join", Inspector::SwarmJoin),
        ("POST", "/swarm/update", Inspector::SwarmUpdate),
        ("POST", "/swarm/unlock", Inspector::SwarmUnlock),
        ("POST", "/nodes/X/update", Inspector::NodeUpdate),
        ("POST", "/plugins/pull", Inspector::PluginPull),
        ("POST", "/plugins/X/upgrade", Inspector::PluginUpgrade),
        ("POST", "/plugins/X/set", Inspector::PluginSet),
        ("POST", "/plugins/create", Inspector::PluginCreate),
    ];
    for (method, path, expected) in table {
        assert_eq!(inspected(method, path), Some(expected), "{method} {path}");
        // Spec 20 §11 gap 2 and gap 3.
        assert_eq!(inspected(&method.to_lowercase(), path), Some(expected), "{method} {path}");
        assert_eq!(inspected(method, &path.replace('X', "a/b")), Some(expected), "{method} {path}");
        for other in ["GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "", "POSTS"] {
            assert_eq!(inspected(other, path), None, "{other} {path}");
        }
        assert_eq!(inspected(if method == "PUT" { "POST" } else { "PUT" }, path), None, "{path}");
    }
    let listed: HashSet<Inspector> = table.iter().map(|(_, _, inspector)| *inspector).collect();
    assert_eq!(listed.len(), Inspector::ALL.len());
    let reachable: HashSet<Inspector> = Endpoint::ALL
        .iter()
        .flat_map(|&endpoint| [inspector(b"POST", endpoint), inspector(b"PUT", endpoint)])
        .flatten()
        .collect();
    assert_eq!(reachable, listed);

    for path in [
        "/containers/createstuff",
        "/containers/json",
        "/images/createstuff",
        "/builds",
        "/build/abc",
        "/volumes/abc",
        "/swarm/unlockkey",
        "/swarm",
        "/exec/X/json",
        "/networks/X",
        "/containers/exec",
        "/exec/start",
    ] {
        assert_eq!(inspected("POST", path), None, "{path}");
    }
    assert_eq!(inspected("POST", "/containers/create/exec"), Some(Inspector::ExecCreate));
}

#[test]
fn failed_inspections_have_their_words() {
    assert_eq!(Inspector::ContainerCreate.failure_reason(), "unable to inspect container create request body");
    assert_eq!(Inspector::ImagePull.failure_reason(), "unable to inspect image pull request");
    assert_eq!(Inspector::Build.failure_log(), "failed to inspect build request");
    assert_eq!(Inspector::NodeUpdate.what(), "node update request body");
}

#[test]
fn hijacked_requests() {
    let hijacked = |method: &str, path: &str| is_hijack(method.as_bytes(), classify(path.as_bytes()));
    for path in ["/containers/x/attach", "/exec/x/start", "/containers/web/db/attach", "/containers/attach/attach"] {
        assert!(hijacked("POST", path), "{path}");
        assert!(hijacked("post", path), "{path}");
        for method in ["GET", "PUT", "HEAD", ""] {
            assert!(!hijacked(method, path), "{method} {path}");
        }
    }
    for path in [
        "/containers/x/attach/ws",
        "/session",
        "/grpc",
        "/exec/x/json",
        "/containers/attach",
        "/exec/start",
        "/containers/x/start",
    ] {
        assert!(!hijacked("POST", path), "{path}");
    }
}

#[test]
fn quick_reads() {
    let quick = |method: &str, path: &str, query: &str| {
        is_quick_read(method.as_bytes(), classify(path.as_bytes()), query.as_bytes())
    };
    for path in [
        "/_ping",
        "/info",
        "/containers/json",
        "/containers/x/json",
        "/containers/x/top",
        "/images/a/b/json",
        "/unheard-of",
    ] {
        assert!(quick("GET", path, ""), "{path}");
        assert!(quick("HEAD", path, ""), "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert!(!quick(method, path, ""), "{method} {path}");
        }
    }
    for path in [
        "/events",
        "/containers/x/logs",
        "/containers/x/stats",
        "/containers/x/export",
        "/containers/x/archive",
        "/containers/x/attach/ws",
        "/services/x/logs",
        "/tasks/x/logs",
        "/images/a/b/get",
        "/images/get",
        "/images/search",
        "/distribution/a/b/json",
        "/system/df",
        "/containers/web/db/logs",
    ] {
        assert!(!quick("GET", path, ""), "{path}");
        assert!(!quick("HEAD", path, ""), "{path}");
    }
    for (query, expected) in [
        ("size=1", false),
        ("all=1&size=yes", false),
        ("%73ize=true", false),
        ("size=0", true),
        ("size=", true),
        ("size", true),
        ("size=none", true),
        ("size=0&size=1", true),
        ("sizes=1", true),
        ("size=%zz", true),
    ] {
        assert_eq!(quick("GET", "/containers/json", query), expected, "{query}");
        assert_eq!(quick("GET", "/containers/x/json", query), expected, "{query}");
    }
}

#[test]
fn metrics_routes() {
    for (path, route) in [
        ("", "unknown"),
        (" ", "unknown"),
        ("/", "/"),
        ("*", "/..."),
        ("/_ping", "/_ping"),
        ("/v1.45/_ping", "/_ping"),
        ("/v1.45.99.1/info", "/info"),
        ("/v1.45", "/"),
        ("/version", "/version"),
        ("/events", "/events"),
        ("/info", "/info"),
        ("/build", "/build"),
        ("/build/prune", "/build"),
        ("/build/x", "/build"),
        ("/containers", "/containers"),
        ("/containers/json", "/containers/json"),
        ("/containers/create", "/containers/create"),
        ("/containers/prune", "/containers/prune"),
        ("/containers/abc", "/containers/{id}"),
        ("/containers/abc/logs", "/containers/{id}/logs"),
        ("/containers/abc/zverbq1", "/containers/{id}/..."),
        ("/containers/abc/attach/ws", "/containers/{id}/ws"),
        ("/images", "/images"),
        ("/images/json", "/images/json"),
        ("/images/search", "/images/search"),
        ("/images/get", "/images/{id}"),
        ("/images/ghcr.io/a/b:t/json", "/images/{id}/json"),
        ("/images/a/b", "/images/{id}/..."),
        ("/volumes", "/volumes"),
        ("/volumes/create", "/volumes/create"),
        ("/volumes/v1", "/volumes/{id}"),
        ("/networks/n1/connect", "/networks/{id}/connect"),
        ("/secrets/s1", "/secrets/{id}"),
        ("/configs", "/configs"),
        ("/services/s/logs", "/services/{id}/logs"),
        ("/exec", "/exec"),
        ("/exec/e1/start", "/exec/{id}/start"),
        ("/nodes", "/nodes"),
        ("/nodes/n1", "/nodes/{id}"),
        ("/swarm", "/swarm"),
        ("/swarm/init", "/swarm/init"),
        ("/swarm/zz", "/swarm/..."),
        ("/system", "/system"),
        ("/system/df", "/system/df"),
        ("/system/zz", "/system/..."),
        ("/plugins", "/plugins"),
        ("/plugins/pull", "/plugins/pull"),
        ("/plugins/privileges", "/plugins/privileges"),
        ("/plugins/p1", "/plugins/{name}"),
        ("/plugins/p1/enable", "/plugins/{name}/enable"),
        ("/plugins/a/b/enable", "/plugins/{name}/enable"),
        ("/plugins/p1/zz", "/plugins/{name}/..."),
        ("/tasks", "/tasks/..."),
        ("/tasks/t/logs", "/tasks/..."),
        ("/distribution/x/json", "/distribution/..."),
        ("/health", "/health/..."),
        ("/metrics", "/metrics/..."),
        ("/admin/validate", "/admin/..."),
        ("/session", "/session/..."),
        ("/zqxjkv-attacker/y", "/..."),
    ] {
        assert_eq!(Route::of(path.as_bytes()).as_str(), route, "{path}");
    }
    assert_eq!(Route::of(b"/containers/\xff/logs").as_str(), "/containers/{id}/logs");
    assert_eq!(Route::of(b"/\xff").as_str(), "/...");
}

#[test]
fn routes_are_distinct_and_all_reachable() {
    let texts: HashSet<&str> = Route::all().map(Route::as_str).collect();
    assert_eq!(texts.len(), Route::COUNT);
    let reached: HashSet<&str> = Route::all()
        .map(|route| {
            let path = route.as_str().replace("{id}/ws", "x/attach/ws").replace("{id}", "x").replace("{name}", "x");
            let path = if path == "unknown" { String::new() } else { path.replace("...", "no-verb/no-verb") };
            Route::of(path.as_bytes()).as_str()
        })
        .collect();
    let missed: Vec<&&str> = texts.difference(&reached).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
