//! Every preset, through the binary: it validates, says for whom it is, ends with its own denial, and allows and denies
//! what its consumer needs and does not need (spec 10 §8).

#![allow(clippy::expect_used, reason = "a helper that cannot go on ends the test")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;
use sockguard::config::presets::PRESETS;

/// Preset, requests that it allows, requests that it denies.
type Expectation = (&'static str, &'static [&'static str], &'static [&'static str]);

const EXPECTATIONS: &[Expectation] = &[
    ("sockguard", &["GET /_ping", "GET /v1.45/events"], &["GET /containers/json", "POST /_ping"]),
    (
        "readonly",
        &["GET /containers/json", "HEAD /_ping", "GET /images/a/b/json"],
        &["POST /containers/create", "DELETE /containers/web", "HEAD /containers/web/archive"],
    ),
    (
        "traefik",
        &["GET /events", "GET /containers/web/json", "GET /networks"],
        &["POST /containers/web/stop", "GET /images/json", "GET /secrets"],
    ),
    ("homepage", &["GET /containers/web/stats", "GET /images/json"], &["POST /containers/web/start", "GET /volumes"]),
    (
        "homarr",
        &["POST /containers/web/start", "POST /containers/web/restart", "GET /containers/json"],
        &["POST /containers/web/kill", "POST /containers/create", "DELETE /containers/web"],
    ),
    (
        "dozzle",
        &["GET /containers/web/logs", "GET /containers/json", "GET /events"],
        &["POST /containers/web/exec", "GET /containers/web/archive", "POST /containers/web/stop"],
    ),
    ("diun", &["GET /containers/json", "GET /images/a/b/json"], &["POST /images/create", "GET /info"]),
    (
        "autoheal",
        &["GET /containers/json", "POST /containers/web/restart"],
        &["POST /containers/web/stop", "GET /containers/web/logs"],
    ),
    (
        "watchtower",
        &["POST /containers/create", "POST /images/create", "POST /exec/e/start", "POST /networks/n/connect"],
        &["POST /build", "POST /volumes/create", "POST /containers/web/update", "DELETE /networks/n"],
    ),
    (
        "portainer",
        &["DELETE /volumes/v", "POST /build", "POST /plugins/p/set", "GET /system/df"],
        &["POST /session", "POST /grpc", "PUT /_unknown"],
    ),
    (
        "compose",
        &["POST /containers/create", "POST /networks/create", "GET /containers/web/logs", "POST /containers/web/pause"],
        &["POST /build", "POST /containers/web/update", "GET /containers/web/archive", "POST /swarm/init"],
    ),
    (
        "github-actions-runner",
        &["POST /containers/create", "POST /containers/job/exec", "POST /images/create", "DELETE /networks/n"],
        &["POST /build", "DELETE /images/a", "PUT /containers/job/archive", "GET /secrets"],
    ),
    (
        "gitlab-runner",
        &["POST /containers/create", "DELETE /images/a/b", "GET /containers/job/top"],
        &["POST /build", "POST /containers/job/rename", "POST /swarm/join"],
    ),
    (
        "jenkins",
        &["POST /containers/create", "POST /images/a/b/tag", "POST /containers/agent/attach"],
        &["POST /networks/create", "POST /build", "POST /images/a/push"],
    ),
    (
        "testcontainers",
        &["POST /build", "PUT /containers/db/archive", "POST /networks/create", "GET /containers/db/logs"],
        &["POST /containers/db/update", "POST /images/a/push", "GET /secrets"],
    ),
    (
        "cis-docker-benchmark",
        &["POST /containers/create", "GET /containers/json", "POST /images/create"],
        &["POST /containers/web/exec", "POST /containers/web/attach", "POST /networks/create"],
    ),
];

fn sockguard() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sockguard"));
    command.env_clear();
    command
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging/presets").join(format!("{name}.yaml"))
}

fn decision(name: &str, request: &str) -> Value {
    let (method, target) = request.split_once(' ').expect("a method and a path");
    let output =
        sockguard().args(["match", "-o", "json", "-X", method, "--path", target, "-c"]).arg(path(name)).unwrap();
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn every_preset_has_expectations_and_a_file() {
    let embedded: BTreeSet<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    let expected: BTreeSet<&str> = EXPECTATIONS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(embedded, expected);
    let folder = std::fs::read_dir(path("x").parent().expect("a folder")).expect("the presets");
    let files: BTreeSet<String> =
        folder.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(files, embedded.iter().map(|name| format!("{name}.yaml")).collect());
}

#[test]
fn presets_allow_and_deny() {
    for (name, allowed, denied) in EXPECTATIONS {
        assert!(allowed.len() >= 2 && denied.len() >= 2, "{name}");
        for request in *allowed {
            assert_eq!(decision(name, request)["decision"], "allow", "{name}: {request}");
        }
        for request in *denied {
            assert_eq!(decision(name, request)["decision"], "deny", "{name}: {request}");
        }
    }
}

#[test]
fn presets_validate_and_end_with_their_own_denial() {
    for preset in PRESETS {
        let output = sockguard().args(["validate", "-c"]).arg(path(preset.name)).unwrap();
        assert!(output.stderr.is_empty(), "{}", preset.name);
        let last = decision(preset.name, "BREW /nowhere/at/all");
        assert_eq!(last["matched_rule"]["path"], "/**", "{}", preset.name);
        assert_eq!(last["matched_rule"]["method"], "*", "{}", preset.name);
        let reason = last["reason"].as_str().unwrap_or_default();
        let expected = if preset.name == "sockguard" { "no matching allow rule" } else { preset.name };
        assert!(reason.starts_with(expected), "{}: {reason}", preset.name);
    }
}

#[test]
fn the_default_file_leaves_room_for_the_classic_variables() {
    let mut command = sockguard();
    command.env("CONTAINERS", "1").env("SOCKGUARD_INSECURE_ALLOW_READ_EXFILTRATION", "true");
    let text = command.args(["validate", "-c"]).arg(path("sockguard")).unwrap().stdout;
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(text.contains("tecnativa compatibility") && text.contains("/containers/**"), "{text}");
}

#[test]
fn every_header_says_for_whom_and_what_it_exposes() {
    for preset in PRESETS {
        let header: String = preset.text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(preset.purpose().len() > 20 && header.contains("Exposes "), "{}", preset.name);
        // An acknowledgment is never without its reason.
        for (index, line) in preset.text.lines().enumerate().filter(|(_, line)| line.starts_with("insecure_")) {
            let before = preset.text.lines().nth(index - 1).unwrap_or_default();
            assert!(before.starts_with("# "), "{}: {line}", preset.name);
        }
    }
}

#[test]
fn presets_are_listed_and_shown() {
    let list = String::from_utf8(sockguard().args(["presets", "list"]).unwrap().stdout).expect("text");
    assert_eq!(list.lines().count(), PRESETS.len());
    let shown = sockguard().args(["presets", "show", "dozzle"]).unwrap().stdout;
    assert_eq!(shown, std::fs::read(path("dozzle")).expect("the file"));
    sockguard().args(["presets", "show", "nobody"]).assert().code(1);
}
