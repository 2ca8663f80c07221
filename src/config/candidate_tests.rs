use super::{Candidate, ConfigFile, Layers, LoadError, Overrides, RulesSource};
use crate::config::environment::Environment;
use crate::config::problem::Origin;
use crate::config::schema::Config;

fn from(yaml: &str, variables: &[(&str, &str)]) -> Result<Candidate, String> {
    let environment: Environment = variables.iter().copied().collect();
    Candidate::from_bytes(yaml.as_bytes(), Layers::Environment(&environment), &Overrides::default())
        .map_err(|problems| problems.to_string())
}

#[track_caller]
fn read(yaml: &str) -> Config {
    from(yaml, &[]).unwrap_or_else(|error| panic!("{yaml}: {error}")).config
}

#[track_caller]
fn refused(yaml: &str) -> String {
    from(yaml, &[]).map(|_| ()).expect_err("this is not readable")
}

#[test]
fn nothing_is_the_defaults() {
    let candidate = from("", &[]).expect("no file is fine");
    let mut defaults = Config::default();
    assert_eq!(candidate.rules_source, RulesSource::BuiltIn);
    defaults.rules.clone_from(&candidate.config.rules);
    assert_eq!(candidate.config, defaults);
    assert_eq!(candidate.config.rules.len(), 5);
    assert_eq!(candidate.config.listen.address, "127.0.0.1:2375");
    assert!(candidate.config.response.redact_mount_paths && candidate.config.health.enabled);
    assert!(!candidate.config.metrics.enabled && candidate.shards.is_none());
}

#[test]
fn null_is_absent() {
    let config = read("log:\nhealth: ~\nlisten: {address: null}\nrules: ~\nclients: {profiles: }\n");
    assert_eq!(config.log, Config::default().log);
    assert_eq!(config.listen.address, "127.0.0.1:2375");
}

#[test]
fn all_wrong_keys_and_values_are_told_with_line_and_path() {
    let yaml = "listne: {}\nhealth:\n  enable: false\n  enabled: yes\nclients:\n  profiles:\n    - name: p\n      request_body:\n        \
                container_create: {allow_privilaged: true}\n    - 5\nadmin: {max_request_bytes: 1.5}\nlog: info\n";
    assert_eq!(
        refused(yaml),
        "7 problems:\n  \
         - listne: unknown key, did you mean listen? (line 1)\n  \
         - health.enable: unknown key, did you mean enabled? (line 3)\n  \
         - health.enabled: must be true or false, got \"yes\" (line 4)\n  \
         - clients.profiles[0].request_body.container_create.allow_privilaged: unknown key, did you mean allow_privileged? (line 9)\n  \
         - clients.profiles[1]: must be a block of keys, got 5 (line 9)\n  \
         - admin.max_request_bytes: must be a whole number, got 1.5 (line 11)\n  \
         - log: must be a block of keys, got \"info\" (line 12)"
    );
}

#[test]
fn unknown_keys_far_from_any_other() {
    assert!(
        refused("log: {xyzzy: 1}")
            .contains("log.xyzzy: unknown key, known here: level, format, output, access_log, audit")
    );
    assert_eq!(
        refused("request_body: {container_create: {xyzzy: 1}}"),
        "request_body.container_create.xyzzy: unknown key (line 1)"
    );
    // A profile has no redaction of its own; a key that does nothing would be a trap.
    assert!(refused("clients: {profiles: [{name: p, response: {redact_mount_paths: false}}]}").contains("unknown key"));
    assert!(refused("Health: {enabled: true}").contains("did you mean health?"));
}

#[test]
fn booleans() {
    for (text, expected) in
        [("true", true), ("\"T\"", true), ("1", true), ("False", false), ("\"0\"", false), ("0", false)]
    {
        assert_eq!(read(&format!("health: {{enabled: {text}}}")).health.enabled, expected, "{text}");
    }
    for text in ["yes", "on", "2", "1.0", "[true]", "{}", "\"\"", "TrUe"] {
        assert!(
            refused(&format!("health: {{enabled: {text}}}")).starts_with("health.enabled: must be true or false"),
            "{text}"
        );
    }
}

#[test]
fn whole_numbers_neither_round_nor_wrap() {
    let uids = |text: &str| format!("clients: {{unix_peer_profiles: [{{uids: [{text}]}}]}}");
    assert_eq!(read(&uids("0, 4294967295")).clients.unix_peer_profiles[0].uids, [0, u32::MAX]);
    for (text, expected) in [
        ("4294967296", "uids[0]: must be between 0 and 4294967295, got 4294967296"),
        ("-1", "uids[0]: must be between 0 and 4294967295, got -1"),
        ("1, 1.5", "uids[1]: must be a whole number, got 1.5"),
        ("true", "uids[0]: must be a whole number, got true"),
        ("root", "uids[0]: must be a whole number, got \"root\""),
        ("\"5\"", "uids[0]: must be a whole number, got \"5\""),
        ("340282366920938463463374607431768211456", "uids[0]: must be a whole number"),
        ("170141183460469231731687303715884105728", "uids[0]: must be between 0 and 4294967295"),
    ] {
        let error = refused(&uids(text));
        assert!(error.contains(expected), "{text}: {error}");
    }
    assert_eq!(read("admin: {max_request_bytes: 9223372036854775807}").admin.max_request_bytes, i64::MAX);
    assert!(refused("admin: {max_request_bytes: 9223372036854775808}").contains("must be between"));
    let count = |text: &str| {
        format!("request_body: {{container_create: {{allowed_device_requests: [{{max_count: {text}}}]}}}}")
    };
    let counted = |text: &str| read(&count(text)).request_body.container_create.allowed_device_requests[0].max_count;
    assert_eq!((counted("-1"), counted("~")), (Some(-1), None));
}

#[test]
fn texts_keep_their_spelling() {
    for (text, expected) in
        [("12345", "12345"), ("1.10", "1.10"), ("0600", "0600"), ("no", "no"), ("true", "true"), ("0x10", "16")]
    {
        assert_eq!(read(&format!("ownership: {{owner: {text}}}")).ownership.owner, expected, "{text}");
    }
    assert!(refused("ownership: {owner: [a]}").contains("must be a text, got a list"));
}

#[test]
fn lists_of_texts() {
    let cidrs = |text: &str| read(&format!("clients: {{allowed_cidrs: {text}}}")).clients.allowed_cidrs;
    assert_eq!(cidrs("[a, \"b,c\", 5]"), ["a", "b,c", "5"]);
    assert_eq!(cidrs("\"a, b ,c\""), ["a", "b", "c"]);
    assert_eq!(cidrs("a"), ["a"]);
    assert_eq!(cidrs("[]"), Vec::<String>::new());
    assert!(refused("clients: {allowed_cidrs: {a: b}}").contains("must be a list of texts, got a block of keys"));
    assert!(
        refused("clients: {allowed_cidrs: [a, [b], ~]}")
            .contains("clients.allowed_cidrs[2]: must be a text, got nothing")
    );
    let commands = |text: &str| {
        read(&format!("request_body: {{exec: {{allowed_commands: {text}}}}}")).request_body.exec.allowed_commands
    };
    assert_eq!(commands("[[a, b], [c]]"), [vec!["a", "b"], vec!["c"]]);
    assert_eq!(commands("\"a b, c\""), [vec!["a b"], vec!["c"]]);
    assert!(
        refused("request_body: {exec: {allowed_commands: [a]}}")
            .contains("allowed_commands[0]: must be a list of texts, got \"a\"")
    );
}

#[test]
fn lists_of_blocks_are_lists() {
    assert!(
        refused("rules: {match: {method: GET, path: /}, action: allow}").starts_with("rules: must be a list of blocks")
    );
    assert!(refused("rules: x").contains("got \"x\""));
    assert!(refused("rules: [x]").contains("rules[0]: must be a block of keys, got \"x\""));
    assert!(refused("rules: [{match: GET /, action: allow}]").contains("rules[0].match: must be a block of keys"));
    assert_eq!(read("rules: []").rules.len(), 5);
}

#[test]
fn an_optional_block_is_there_or_not() {
    assert_eq!(read("clients: {global_concurrency: ~}").clients.global_concurrency, None);
    assert_eq!(
        read("clients: {global_concurrency: {}}").clients.global_concurrency.map(|block| block.max_inflight),
        Some(0)
    );
}

#[test]
fn a_profile_has_the_same_body_defaults_as_the_root() {
    let config = read(
        "request_body: {image_pull: {allow_official: false}}\nclients: {profiles: [{name: p, request_body: {exec: {allow_root_user: true}}}]}",
    );
    let body = &config.clients.profiles[0].request_body;
    assert!(
        body.image_pull.allow_official && body.exec.allow_root_user && !config.request_body.image_pull.allow_official
    );
}

#[test]
fn variables_replace_leaves_and_spare_their_siblings() {
    let yaml = "log: {level: loud, format: text}\nclients: {allowed_cidrs: [1.0.0.0/8, 2.0.0.0/8]}\n";
    let config =
        from(yaml, &[("SOCKGUARD_LOG_LEVEL", "debug"), ("SOCKGUARD_CLIENTS_ALLOWED_CIDRS", "3.0.0.0/8, 4.0.0.0/8")])
            .expect("readable")
            .config;
    assert_eq!((config.log.level.as_str(), config.log.format.as_str()), ("debug", "text"));
    assert_eq!(config.clients.allowed_cidrs, ["3.0.0.0/8", "4.0.0.0/8"]);
    // Empty is unset, a block cannot be set, and a value of the wrong kind in the file does not matter once replaced.
    let config =
        from("log: {level: warn}", &[("SOCKGUARD_LOG_LEVEL", ""), ("SOCKGUARD_LOG", "x"), ("SOCKGUARD_RULES", "[]")]);
    assert_eq!(config.expect("readable").config.log.level, "warn");
    let config = from("health: {enabled: maybe}", &[("SOCKGUARD_HEALTH_ENABLED", "f")]).expect("readable").config;
    assert!(!config.health.enabled);
}

#[test]
fn a_variable_that_does_not_parse_is_named() {
    for (variable, value, expected) in [
        (
            "SOCKGUARD_HEALTH_ENABLED",
            "yes",
            "health.enabled: must be true or false, got \"yes\" (from SOCKGUARD_HEALTH_ENABLED)",
        ),
        (
            "SOCKGUARD_ADMIN_MAX_REQUEST_BYTES",
            "4k",
            "admin.max_request_bytes: must be a whole number, got \"4k\" (from SOCKGUARD_ADMIN_MAX_REQUEST_BYTES)",
        ),
        ("SOCKGUARD_SHARDS", "0", "SOCKGUARD_SHARDS: must be a number between 1 and 1024, got \"0\""),
    ] {
        assert_eq!(from("", &[(variable, value)]).map(|_| ()), Err(expected.to_owned()));
    }
    assert!(
        from("log: 5", &[("SOCKGUARD_LOG_LEVEL", "debug")])
            .map(|_| ())
            .is_err_and(|error| error.contains("log: must be a block"))
    );
}

#[test]
fn numbers_in_variables_have_prefixes() {
    for (text, expected) in
        [("12", 12), ("0x10", 16), ("0o17", 15), ("017", 15), ("0b101", 5), ("-3", -3), ("+3", 3), ("0", 0)]
    {
        let candidate = from("", &[("SOCKGUARD_ADMIN_MAX_REQUEST_BYTES", text)]).expect(text);
        assert_eq!(candidate.config.admin.max_request_bytes, expected, "{text}");
    }
    for text in ["0x", "1_000", " 1", "--1", "0x-1", "08", "9223372036854775808", "1.0", "é"] {
        assert!(from("", &[("SOCKGUARD_ADMIN_MAX_REQUEST_BYTES", text)]).is_err(), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let value = std::ffi::OsString::from_vec(vec![0xff]);
    let environment: Environment = [("SOCKGUARD_LOG_LEVEL", value)].into_iter().collect();
    let error = Candidate::from_bytes(b"", Layers::Environment(&environment), &Overrides::default()).map(|_| ());
    assert_eq!(error.map_err(|problems| problems.to_string()), Err("SOCKGUARD_LOG_LEVEL: is not UTF-8".to_owned()));
}

#[test]
fn aliases_lie_between_file_and_variables() {
    let level = |yaml: &str, variables: &[(&str, &str)]| from(yaml, variables).expect("readable").config.log.level;
    for (text, expected) in [
        ("debug", "debug"),
        (" NOTICE ", "info"),
        ("warning", "warn"),
        ("err", "error"),
        ("crit", "error"),
        ("alert", "error"),
        ("emerg", "error"),
        ("Loud", "loud"),
        ("", ""),
    ] {
        assert_eq!(level("log: {level: error}", &[("LOG_LEVEL", text)]), expected, "{text:?}");
    }
    assert_eq!(level("log: {level: error}", &[("LOG_LEVEL", "debug"), ("SOCKGUARD_LOG_LEVEL", "warn")]), "warn");
    // There but empty: it silences the alias and is itself unset.
    assert_eq!(level("log: {level: error}", &[("LOG_LEVEL", "debug"), ("SOCKGUARD_LOG_LEVEL", "")]), "error");
    let socket = |variables: &[(&str, &str)]| {
        from("upstream: {socket: /file}", variables).expect("readable").config.upstream.socket
    };
    assert_eq!(socket(&[("SOCKET_PATH", " /alias ")]), "/alias");
    assert_eq!(socket(&[("SOCKET_PATH", " ")]), "/file");
    assert_eq!(socket(&[("SOCKET_PATH", "/alias"), ("SOCKGUARD_UPSTREAM_SOCKET", "/env")]), "/env");
    assert_eq!(socket(&[("SOCKET_PATH", "/alias"), ("SOCKGUARD_UPSTREAM_SOCKET", "")]), "/file");
}

#[test]
fn flags_win_and_an_empty_one_counts() {
    let overrides =
        Overrides { log_level: Some("error".into()), upstream_socket: Some(String::new()), ..Overrides::default() };
    let environment: Environment = [("SOCKGUARD_LOG_LEVEL", "debug")].into_iter().collect();
    let candidate =
        Candidate::from_bytes(b"log: {level: warn}", Layers::Environment(&environment), &overrides).expect("readable");
    assert_eq!((candidate.config.log.level.as_str(), candidate.config.upstream.socket.as_str()), ("error", ""));
    assert_eq!(candidate.origins.of("log.level"), Origin::Flag("--log-level"));
    // A default is told with the block around it, which is where a better value belongs.
    assert_eq!(candidate.origins.of("log.format"), Origin::Line(1));
    assert_eq!(candidate.origins.of("health.path"), Origin::BuiltIn);
}

#[test]
fn shards() {
    let shards = |flag, variables: &[(&str, &str)]| {
        let environment: Environment = variables.iter().copied().collect();
        let overrides = Overrides { shards: flag, ..Overrides::default() };
        Candidate::from_bytes(b"", Layers::Environment(&environment), &overrides).expect("readable").shards
    };
    assert_eq!(shards(None, &[]), None);
    assert_eq!(shards(None, &[("SOCKGUARD_SHARDS", "3")]), Some(3));
    assert_eq!(shards(Some(2), &[("SOCKGUARD_SHARDS", "3")]), Some(2));
}

const ONE_RULE: &str = "rules: [{match: {method: GET, path: /info}, action: allow}]";

#[test]
fn whose_rules_are_in_effect() {
    let source = |yaml: &str, variables: &[(&str, &str)]| from(yaml, variables).expect("readable").rules_source;
    assert_eq!(source(ONE_RULE, &[("CONTAINERS", "1")]), RulesSource::Configured);
    assert!(matches!(source("", &[("CONTAINERS", "0")]), RulesSource::Compatibility(_)));
    assert!(matches!(source("rules: []", &[("POST", "")]), RulesSource::Compatibility(_)));
    assert_eq!(source("", &[("SOCKET_PATH", "/x"), ("LOG_LEVEL", "info")]), RulesSource::BuiltIn);
    // Also when the file spells the built-in rules out.
    let spelt = "rules:\n- {match: {method: GET, path: /_ping}, action: allow}\n- {match: {method: HEAD, path: /_ping}, action: allow}\n\
                 - {match: {method: GET, path: /version}, action: allow}\n- {match: {method: GET, path: /events}, action: allow}\n\
                 - {match: {method: '*', path: /**}, action: deny, reason: no matching allow rule}\n";
    let candidate = from(spelt, &[("CONTAINERS", "1")]).expect("readable");
    assert_eq!(candidate.rules_source, RulesSource::Configured);
    assert_eq!(candidate.config.rules, crate::config::compat::built_in_rules());
}

#[test]
fn unsigned_switches_do_not_widen_a_signed_policy() {
    let candidate = from("policy_bundle: {enabled: true}", &[("CONTAINERS", "1"), ("POST", "1")]).expect("readable");
    assert_eq!(candidate.rules_source, RulesSource::BuiltIn);
    assert_eq!(candidate.ignored_switches, ["CONTAINERS", "POST"]);
}

#[test]
fn layers_of_signed_and_posted_candidates() {
    let environment: Environment =
        [("SOCKGUARD_LOG_LEVEL", "debug"), ("LOG_LEVEL", "debug"), ("PING", "1")].into_iter().collect();
    let read = |layers| Candidate::from_bytes(b"", layers, &Overrides::default()).expect("readable");
    let signed = read(Layers::Signed);
    assert_eq!((signed.config.log.level.as_str(), signed.rules_source), ("info", RulesSource::BuiltIn));
    let posted = read(Layers::CompatibilityOnly(&environment));
    assert_eq!(posted.config.log.level, "info");
    assert!(posted.is_compatibility_mode() && posted.unknown_variables.is_empty());
}

#[test]
fn where_the_file_comes_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a.conf"), "log: {levle: debug}").expect("written");
    let load = |path: String| Candidate::load(&ConfigFile::Named(path), &Environment::default(), &Overrides::default());
    let error = |path: String| load(path).map(|_| ()).expect_err("not loadable").to_string();
    assert_eq!(error(" ".into()), "config preflight: config file path cannot be empty");
    assert!(error(path("none")).starts_with(&format!("config preflight: config file: {}: ", path("none"))));
    assert!(error(path("")).starts_with("config load: "));
    assert!(error(path("a.conf/x")).starts_with("config load: "));
    assert_eq!(error(path("a.conf")), "config load: log.levle: unknown key, did you mean level? (line 1)");
    std::fs::write(path("b"), "a: b: c").expect("written");
    assert!(
        error(path("b")).starts_with(&format!("config load: {}: ", path("b")))
            && error(path("b")).ends_with("(line 1)")
    );
    std::fs::write(path("c"), "").expect("written");
    assert!(load(path("c")).is_ok());
    assert!(matches!(load(path("none")), Err(LoadError::Preflight(_))));
}

#[test]
fn an_endless_file_is_not_read_to_its_end() {
    let error = Candidate::load(&ConfigFile::Named("/dev/zero".into()), &Environment::default(), &Overrides::default());
    assert!(error.map(|_| ()).expect_err("too big").to_string().contains("1048577 bytes"));
}

proptest::proptest! {
    /// Whatever the file and a variable say, reading and judging them ends without a panic.
    #[test]
    fn no_text_panics(text in "([a-z_]{1,4}|listen|rules|clients|profiles|log|[\\[\\]{}:,&*!|>'\"#\n -]|<<|\\PC){0,60}", value in "\\PC{0,20}") {
        let environment: Environment = [("SOCKGUARD_ADMIN_MAX_REQUEST_BYTES", value)].into_iter().collect();
        let layers = Layers::Environment(&environment);
        if let Ok(candidate) = Candidate::from_bytes(text.as_bytes(), layers, &Overrides::default()) {
            let _ = crate::config::compile(&candidate);
        }
    }
}
