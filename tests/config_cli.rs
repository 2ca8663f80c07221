//! The command line, through the binary: exit codes, streams, and what a tired operator reads (spec 10 §3).

#![allow(clippy::expect_used, reason = "a helper that cannot go on ends the test")]

use std::process::Output;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::{Value, json};

/// Runs the program with an empty environment plus `variables`.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sockguard"));
    command.env_clear().envs(variables.iter().copied()).args(arguments);
    command.output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A configuration file that lives as long as the handle.
struct File(tempfile::NamedTempFile);

impl File {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        Self(file)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("text")
    }
}

const RULES: &str = "upstream: {socket: /u}\nlisten: {socket: /l}\nrules:\n- match: {method: \"GET,HEAD\", path: /_ping}\n  \
                     action: allow\n- match: {method: GET, path: /containers/json}\n  action: allow\n  reason: fine\n\
                     clients: {default_profile: p, profiles: [{name: p, rules: [{match: {method: '*', path: /**}, action: deny}]}]}\n";

#[test]
fn validate_tells_what_would_run() {
    let file = File::new(RULES);
    let output = run(&["validate", "-c", file.path()], &[]);
    assert!(output.status.success() && output.stderr.is_empty());
    let expected = format!(
        "  Config    {}\n  Listen    unix:/l\n  Upstream  /u\n\n  Rules (2)\n    ✓ allow  GET,HEAD /_ping\n    \
         ✓ allow  GET    /containers/json\n\n  Client Profiles (1)\n    p (default)\n      ✗ deny   *      /**\n\n  \
         ✓ validation passed\n",
        file.path()
    );
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn validate_lists_what_is_wrong() {
    let file = File::new("log: {level: loud}\nhealth: {path: h}\n");
    let output = run(&["validate", "-c", file.path()], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert_eq!(
        text(&output.stderr),
        "  ✗ validation failed\n\n    config validation failed:\n      - log.level: must be debug, info, warn, or error, got \
         \"loud\" (line 1)\n      - health.path: must start with /, got \"h\" (line 2)\n"
    );
}

#[test]
fn validate_reports_for_machines() {
    let report = |content: &str, variables: &[(&str, &str)]| -> (Option<i32>, Value) {
        let file = File::new(content);
        let output = run(&["validate", "-o", "JSON", "-c", file.path()], variables);
        assert!(output.stderr.is_empty());
        (output.status.code(), serde_json::from_slice(&output.stdout).expect("JSON"))
    };
    let passed = |rules: u32, compat: bool| json!({"ok": true, "rules": rules, "profiles": 0, "compat_active": compat});
    assert_eq!(report("", &[]), (Some(0), passed(5, false)));
    assert_eq!(report("", &[("PING", "0")]), (Some(0), passed(3, true)));
    let failed = |errors: &[&str]| {
        (Some(1), json!({"ok": false, "rules": 0, "profiles": 0, "compat_active": false, "errors": errors}))
    };
    assert_eq!(
        report("health: {path: h}\nlog: {format: x}", &[]),
        failed(&[
            "log.format: must be json or text, got \"x\" (line 2)",
            "health.path: must start with /, got \"h\" (line 1)"
        ])
    );
    let (code, report) = report("log: {levle: x, formatt: y}", &[]);
    let errors = report["errors"].as_array().expect("a list");
    assert!(code == Some(1) && errors.len() == 1, "{report}");
    assert!(
        errors[0]
            .as_str()
            .is_some_and(|error| error.starts_with("parse: log.levle: ") && error.contains("; log.formatt: "))
    );
}

#[test]
fn a_configured_text_cannot_forge_lines() {
    let file = File::new("upstream: {socket: \"/u\\n  ✓ validation passed\\e[2K\"}\n");
    let output = text(&run(&["validate", "-c", file.path()], &[]).stdout);
    assert_eq!(output.lines().filter(|line| line.contains("validation passed")).count(), 2);
    assert!(output.contains("/u\\n  ✓ validation passed\\u{1b}[2K"), "{output}");
}

#[test]
fn colour_is_asked_for_and_refused() {
    let file = File::new("");
    let coloured = |variables: &[(&str, &str)]| run(&["validate", "-c", file.path()], variables).stdout.contains(&0x1b);
    assert!(!coloured(&[]));
    assert!(coloured(&[("FORCE_COLOR", "1")]));
    assert!(!coloured(&[("FORCE_COLOR", "")]));
    assert!(!coloured(&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")]));
    assert!(coloured(&[("FORCE_COLOR", "1"), ("NO_COLOR", "")]));
}

#[test]
fn match_answers_in_text() {
    let file = File::new(RULES);
    let output = run(&["match", "-c", file.path(), "-X", " get ", "--path", "/v1.45/containers/%2e/json?all=1"], &[]);
    assert!(output.status.success());
    assert_eq!(
        text(&output.stdout),
        format!(
            "Config:          {}\nMethod:          GET\nPath:            /v1.45/containers/%2e/json?all=1\nNormalized path: \
             /containers/json\n\nDecision:        allow\nMatched rule:    #2\nRule:            allow GET /containers/json\n\
             Reason:          fine\n",
            file.path()
        )
    );
}

#[test]
fn match_explains_every_rule_that_was_tried() {
    let file = File::new(RULES);
    let arguments = ["match", "--explain", "-c", file.path(), "-X", "POST", "--path", "/_ping"];
    let output = text(&run(&arguments, &[]).stdout);
    let expected = "\nRules tried:\n  #1    allow GET,HEAD /_ping: method differs\n  #2    allow GET /containers/json: method and path differ\n";
    assert!(output.contains("Matched rule:    none\nReason:          no matching allow rule\n"), "{output}");
    assert!(output.ends_with(expected), "{output}");
    let output = run(&[&arguments[..], &["-o", "json"]].concat(), &[]);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["rules_tried"][0]["path_matches"], true);
    assert_eq!(answer["rules_tried"][0]["method_matches"], false);
    assert!(answer.get("matched_rule").is_none() && answer["decision"] == "deny");
}

#[test]
fn match_judges_a_body_where_the_rules_allow() {
    let file = File::new(
        "upstream: {socket: /u}\nlisten: {socket: /l}\nrules:\n- match: {method: \"*\", path: /**}\n  action: allow\n\
         insecure_allow_read_exfiltration: true\ninsecure_allow_body_blind_writes: true\n",
    );
    let (clean, privileged) = (File::new(r#"{"Image":"x"}"#), File::new(r#"{"HostConfig":{"Privileged":true}}"#));
    let (no_json, long) = (File::new("{"), File::new(vec![b' '; (1 << 20) + 1]));
    // An archive of nothing but its end, as long as may be and a byte longer.
    let (no_build, no_build_too_long) = (File::new(""), File::new(""));
    no_build.0.as_file().set_len(512 << 20).expect("sparse");
    no_build_too_long.0.as_file().set_len((512 << 20) + 1).expect("sparse");
    for (method, path, body, decision, verdict, reason) in [
        ("POST", "/containers/create", &clean, "allow", "passes", ""),
        ("POST", "/containers/create", &privileged, "deny", "denied", "container create denied: privileged containers"),
        (
            "POST",
            "/v1.45/containers/create?name=x",
            &privileged,
            "deny",
            "denied",
            "container create denied: privileged",
        ),
        ("POST", "/containers/create", &no_json, "deny", "denied", "container create denied: malformed JSON"),
        ("POST", "/containers/create", &long, "deny", "too_large", "container create denied: request body exceeds"),
        ("POST", "/build", &no_json, "deny", "cannot_be_inspected", "archive"),
        ("POST", "/build", &no_build, "deny", "denied", "build denied"),
        ("POST", "/build", &no_build_too_long, "deny", "too_large", "build denied"),
        ("POST", "/images/create?fromImage=evil.example/x", &clean, "deny", "denied", "image pull denied"),
        ("POST", "/exec/abc/start", &clean, "allow", "depends_on_the_engine", ""),
        ("POST", "/containers/abc/start", &privileged, "allow", "not_inspected", ""),
    ] {
        let arguments = ["match", "-c", file.path(), "-X", method, "--path", path, "--body", body.path()];
        let output = run(&[&arguments[..], &["-o", "json"]].concat(), &[]);
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&answer["decision"], &answer["body"]["verdict"]), (&json!(decision), &json!(verdict)), "{path}");
        let said = answer["body"]["reason"].as_str().unwrap_or_default();
        assert!(said.starts_with(reason) && said.is_empty() == reason.is_empty(), "{path}: {said}");
    }
    let arguments = ["match", "-c", file.path(), "-X", "POST", "--path", "/containers/create", "--body"];
    let output = text(&run(&[&arguments[..], &[privileged.path()]].concat(), &[]).stdout);
    assert!(output.contains("Decision:        deny\n"), "{output}");
    assert!(
        output.contains(
            "Body:            denied\nInspected:       container create request body\nBody reason:     container create \
             denied: privileged containers are not allowed\n"
        ),
        "{output}"
    );
    let output = run(&[&arguments[..], &["/none"]].concat(), &[]);
    assert!(text(&output.stderr).starts_with("Error: --body: /none: "), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn errors_name_the_argument_and_exit_with_1() {
    let file = File::new(RULES);
    for (arguments, expected) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["validate", "--strictly"], "--strictly"),
        (&["validate", "-c"], "--config <PATH>"),
        (&["validate", "surplus"], "surplus"),
        (&["version", "now"], "now"),
        (&["version", "-o", "yaml"], "unknown output format \"yaml\" (want text or json)"),
        (&["--upstream-socket", "x"], "--upstream-socket"),
        (&["validate", "--log-level", "debug"], "--log-level"),
        (&["serve", "--shards", "0"], "--shards"),
        (&["match", "--path", "/"], "--method"),
        (&["match", "-X", "GET"], "--path"),
        (&["match", "-X", " ", "--path", "/"], "--method cannot be blank"),
        (&["match", "-X", "GET", "--path", "x"], "--path must start with /, got \"x\""),
        (&["match", "-X", "GET", "--path", "/%4"], "invalid percent-escape"),
        (&["match", "-X", "GET", "--path", "/", "-o", "xml"], "xml"),
        (&["match", "-X", "GET", "--path", "/", "-c", "/none.yaml"], "config preflight: config file: /none.yaml"),
    ] {
        let output = run(arguments, &[]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(error.starts_with("Error: ") && error.contains(expected), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    assert!(run(&["match", "-X", "GET", "--path", "/", "-c", file.path()], &[]).status.success());
}

#[test]
fn help_goes_to_standard_output_and_loads_nothing() {
    for arguments in
        [&["--help"][..], &["-h"], &["help"], &["help", "serve"], &["match", "--help"], &["-c", "/none", "serve", "-h"]]
    {
        let output = run(arguments, &[("SOCKGUARD_HEALTH_ENABLED", "maybe")]);
        assert!(output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn version_tells_the_build() {
    let shown = text(&run(&["version"], &[]).stdout);
    let labels: Vec<&str> = shown.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(labels, ["sockguard", "commit", "built", "rustc"]);
    let version: Value = serde_json::from_slice(&run(&["version", "-o", "json"], &[]).stdout).expect("JSON");
    let keys: Vec<&String> = version.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["built", "commit", "rustc", "version"]);
}

#[test]
fn completions_and_man_page_know_the_flags() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(text(&run(&["completions", shell], &[]).stdout).contains("deny-verbosity"), "{shell}");
    }
    assert!(text(&run(&["man"], &[]).stdout).starts_with(".ie"));
    let schema: Value = serde_json::from_slice(&run(&["schema"], &[]).stdout).expect("JSON");
    assert_eq!(schema["properties"]["log"]["$ref"], "#/$defs/Log");
}

#[test]
fn serve_refuses_what_it_cannot_serve() {
    let file = File::new(
        "listen: {socket: /nowhere/l}\nupstream: {socket: /nowhere/u}\nreload: {enabled: true}\nownership: {owner: o}\n",
    );
    let output = run(&["serve", "-c", file.path()], &[]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    for line in [
        "reload.enabled: not available in this build (line 3)",
        "ownership.owner: not available in this build (line 4)",
    ] {
        assert!(error.contains(line), "{error}");
    }
}

/// A clear error, in time. The bound is generous for a busy machine and a build without optimisation; what it excludes
/// is an error that takes minutes.
#[test]
fn hostile_files_are_refused_in_time() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs += &format!("a{level}: &a{level} [{inner}]\n");
    }
    for (content, expected) in [
        (vec![b' '; 10 << 20], "at most 1048576 are read"),
        (b"a: \xff\xfe\n".to_vec(), "not UTF-8 (line 1)"),
        ("[".repeat(1 << 20).into_bytes(), "brackets are open"),
        ("{a: ".repeat(1 << 18).into_bytes(), "brackets are open"),
        ("- ".repeat(1 << 19).into_bytes(), "too many values inside one another"),
        (laughs.into_bytes(), "aliases that expand to too many"),
        ((0..80_000).map(|key| format!("k{key}: 1\n")).collect::<String>().into_bytes(), "80000 problems"),
        ("k: 1\n".repeat(80_000).into_bytes(), "79999 problems"),
        ("rules: [&a [*a]]".as_bytes().to_vec(), "too many values inside one another"),
    ] {
        let file = File::new(&content);
        let began = Instant::now();
        let output = run(&["validate", "-c", file.path()], &[]);
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(expected), "{expected}: {error}");
        assert!(began.elapsed() < Duration::from_secs(20), "{expected} took {:?}", began.elapsed());
        assert!(error.len() < 20_000, "{expected} is told in {} bytes", error.len());
    }
}
