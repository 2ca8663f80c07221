//! The tables of spec 30 §7.

use super::*;
use crate::inspect::archive::testing::{Builder, gzip};

const CLEAN: &str = "FROM busybox\nCOPY . /app\nCMD [\"/app/x\"]\n";
const RUNS: &str = "FROM a\nRUN id\n";

/// The whole inspection; `None` passes, otherwise the reason.
fn judge(query: &str, content_type: Option<&str>, body: &[u8], options: BuildOptions) -> Option<String> {
    let upload =
        Upload { query: query.as_bytes(), content_type: content_type.map(str::as_bytes), has_body: !body.is_empty() };
    let mut stream = body;
    let outcome = match inspect_query(&upload, &options) {
        BeforeBody::Decided(outcome) => outcome,
        BeforeBody::ReadBody => match inspect_body(&upload, &mut stream) {
            Ok(outcome) => outcome,
            Err(error) => return Some(format!("failed: {error}")),
        },
    };
    match outcome {
        Outcome::Pass => None,
        Outcome::Denied(reason) => Some(reason.strip_prefix("build denied: ").unwrap().to_owned()),
        Outcome::TooLarge | Outcome::Failed(_) => panic!("{outcome:?}"),
    }
}

fn by_default(query: &str, body: &[u8]) -> Option<String> {
    judge(query, Some("application/x-tar"), body, BuildOptions::default())
}

fn context(dockerfile: &str) -> Vec<u8> {
    Builder::new().file("Dockerfile", dockerfile).file("app/main.py", "print(1)\n").bytes()
}

const NO_RUN: Option<&str> = Some("RUN instructions are not allowed");
const NOT_FOUND: Option<&str> = Some("unable to inspect Dockerfile \"Dockerfile\"");
const TRUNCATED: Option<&str> = Some("failed: archive is truncated");

#[test]
fn queries_are_judged_first() {
    let host = Some("host network mode is not allowed");
    let remote = Some("remote build context \"https://g/x\" is not allowed");
    let unseen = Some("remote build contexts cannot be inspected while RUN instructions are restricted");
    let default = BuildOptions::default();
    let remotes = BuildOptions { allow_remote_context: true, ..default.clone() };
    let runs = BuildOptions { allow_run_instructions: true, ..default.clone() };
    let both = BuildOptions { allow_remote_context: true, allow_run_instructions: true, ..default.clone() };
    let network = BuildOptions { allow_host_network: true, ..default.clone() };
    for (query, options, expected) in [
        ("networkmode=HOST", &default, host),
        ("networkmode=%20host", &default, host),
        ("networkmode=host", &runs, host),
        ("networkmode=host", &both, host),
        ("networkmode=host", &network, None),
        ("networkmode=bridge", &default, None),
        ("networkmode=none&nocache=1", &default, None),
        ("remote=https://g/x&networkmode=host", &default, host),
        ("remote=https%3A%2F%2Fg%2Fx", &default, remote),
        ("remote=https://g/x", &runs, remote),
        ("remote=https://g/x", &remotes, unseen),
        ("remote=https://g/x", &both, None),
        ("remote=%20", &default, None),
        ("", &default, None),
    ] {
        assert_eq!(judge(query, None, &context(CLEAN), options.clone()).as_deref(), expected, "{query}");
        let may_be_empty = judge(query, None, b"", options.clone());
        assert_eq!(may_be_empty.as_deref(), expected, "{query}");
    }
    assert_eq!(judge("", None, &context(RUNS), runs.clone()), None);
    assert_eq!(judge("", None, b"anything at all", runs.clone()), None);
    assert_eq!(judge("", None, &context(RUNS), network).as_deref(), NO_RUN);
    assert_eq!(judge("", None, &context(RUNS), remotes).as_deref(), NO_RUN);
    // What the Engine could read differently.
    for query in ["remote=&remote=x", "networkmode=a;networkmode=host", "t=%zz", "dockerfile=a&dockerfile=b"] {
        assert!(judge(query, None, &context(CLEAN), default.clone()).is_some(), "{query}");
    }
    // Parameters in the body, even when nothing else in the body matters.
    let form = Some("form-encoded request bodies are not allowed");
    for content_type in ["application/x-www-form-urlencoded", "Multipart/Form-Data; boundary=x"] {
        for options in [&default, &both] {
            assert_eq!(judge("", Some(content_type), b"remote=x", options.clone()).as_deref(), form, "{content_type}");
            assert_eq!(judge("", Some(content_type), b"", options.clone()), None, "{content_type}");
        }
    }
}

#[test]
fn build_arguments_choose_no_frontend() {
    let encode = |json: &str| json.bytes().fold("buildargs=".to_owned(), |query, byte| query + &format!("%{byte:02x}"));
    let body = context(CLEAN);
    for arguments in [
        r#"{"HTTP_PROXY":"http://p","http_proxy":"http://p","A":null}"#,
        r#"{"buildkit_syntax":"x"}"#,
        "{}",
        "null",
        "",
    ] {
        assert_eq!(by_default(&encode(arguments), &body), None, "{arguments}");
    }
    let frontend = Some("BuildKit syntax frontend \"x\" cannot be inspected while RUN instructions are restricted");
    for arguments in [
        r#"{"BUILDKIT_SYNTAX":"x"}"#,
        r#"{"A":"1","BUILDKIT\u005fSYNTAX":"x"}"#,
        r#"{"BUILDKIT_SYNTAX":"y","BUILDKIT_SYNTAX":"x"}"#,
    ] {
        assert_eq!(by_default(&encode(arguments), &body).as_deref(), frontend, "{arguments}");
    }
    for arguments in ["{", "[]", r#"{"A":1}"#, r#"{"A":"1"}{}"#, r#"{"A":"\ud800"}"#] {
        let expected = Some("build arguments could not be inspected");
        assert_eq!(by_default(&encode(arguments), &body).as_deref(), expected, "{arguments}");
    }
    let runs = BuildOptions { allow_run_instructions: true, ..BuildOptions::default() };
    assert_eq!(judge(&encode(r#"{"BUILDKIT_SYNTAX":"x"}"#), None, &body, runs), None);
}

#[test]
fn the_named_dockerfile_is_judged() {
    let tar = |entries: &[(&str, &str)]| {
        entries.iter().fold(Builder::new(), |tar, (name, text)| tar.file(name, text)).bytes()
    };
    let missing = Some("unable to inspect Dockerfile \"Dockerfile.missing\"");
    for (query, entries, expected) in [
        ("", &[("Dockerfile", CLEAN)][..], None),
        ("", &[("Dockerfile", RUNS)], NO_RUN),
        ("t=x&dockerfile=", &[("Dockerfile", CLEAN)], None),
        ("dockerfile=.", &[("Dockerfile", CLEAN)], None),
        ("dockerfile=docker%2FDockerfile.prod", &[("docker/Dockerfile.prod", CLEAN)], None),
        ("dockerfile=docker/Dockerfile.prod", &[("docker/Dockerfile.prod", RUNS)], NO_RUN),
        ("dockerfile=Dockerfile.missing", &[("Dockerfile", CLEAN)], missing),
        ("dockerfile=/Dockerfile.x", &[("Dockerfile.x", CLEAN)], None),
        ("dockerfile=./a/../Dockerfile.x", &[("Dockerfile.x", CLEAN)], None),
        ("dockerfile=B", &[("Dockerfile", CLEAN), ("B", RUNS)], NO_RUN),
        ("dockerfile=B", &[("Dockerfile", RUNS), ("B", CLEAN)], None),
        ("", &[("./Dockerfile", CLEAN)], None),
        ("", &[("./Dockerfile", RUNS)], NO_RUN),
        ("", &[("dockerfile", CLEAN)], NOT_FOUND),
        ("", &[("sub/Dockerfile", CLEAN)], NOT_FOUND),
        ("", &[("app/main.py", "x")], NOT_FOUND),
        ("", &[("Dockerfile", CLEAN), ("Dockerfile", CLEAN)], NOT_FOUND),
        ("", &[("Dockerfile", CLEAN), ("./Dockerfile", RUNS)], NOT_FOUND),
        ("", &[("Dockerfile", CLEAN), ("/Dockerfile", RUNS)], NOT_FOUND),
        ("", &[("Dockerfile", CLEAN), (" Dockerfile", RUNS)], NOT_FOUND),
        ("dockerfile=%20Dockerfile", &[("Dockerfile", CLEAN), (" Dockerfile", RUNS)], NOT_FOUND),
        ("dockerfile=%20", &[("Dockerfile", CLEAN), (" ", RUNS)], Some("unable to inspect Dockerfile \"\"")),
        ("dockerfile=../x", &[("x", CLEAN)], Some("unable to inspect Dockerfile \"../x\"")),
        ("dockerfile=a&x", &[("a", CLEAN)], None),
    ] {
        assert_eq!(by_default(query, &tar(entries)).as_deref(), expected, "{query} {entries:?}");
    }
}

#[test]
fn links_do_not_replace_the_dockerfile() {
    let clean = || Builder::new().file("Dockerfile", CLEAN).file("evil", RUNS);
    for context in [
        clean().symlink("Dockerfile", "evil"),
        clean().hard_link("Dockerfile", "evil"),
        clean().symlink("l", ".").file("l/Dockerfile", RUNS),
        clean().symlink("l", ".").symlink("l/x", ".").file("x/Dockerfile", RUNS),
        Builder::new().file("evil", RUNS).symlink("Dockerfile", "evil"),
    ] {
        assert_eq!(by_default("", &context.bytes()).as_deref(), NOT_FOUND);
    }
    assert_eq!(by_default("", &clean().symlink("l", "/etc").hard_link("h", "evil").bytes()), None);
    let nested = Builder::new().file("d/Dockerfile", CLEAN).file("e/Dockerfile", RUNS).symlink("d", "e");
    let expected = Some("unable to inspect Dockerfile \"d/Dockerfile\"");
    assert_eq!(by_default("dockerfile=d/Dockerfile", &nested.bytes()).as_deref(), expected);
}

#[test]
fn compressed_contexts_are_read() {
    assert_eq!(by_default("", &gzip(&context(CLEAN))), None);
    assert_eq!(by_default("", &gzip(&context(RUNS))).as_deref(), NO_RUN);
    let good = gzip(&context(CLEAN));
    assert_eq!(by_default("", &good[..good.len() - 8]).as_deref(), TRUNCATED);
    assert!(by_default("", &good[..12]).unwrap().starts_with("failed: "));
    // Damage behind the end of the tar.
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(by_default("", &damaged).unwrap().starts_with("failed: "));
    assert_eq!(by_default("", &gzip(&[b'x'; 2000])).as_deref(), NOT_FOUND);
    assert!(by_default("", &gzip(b"")).is_some());
    // A second member is part of the context.
    let halves = context(CLEAN);
    let (first, second) = halves.split_at(512);
    assert_eq!(by_default("", &[gzip(first), gzip(second)].concat()), None);
    for magic in [&b"BZh9"[..], b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"] {
        let body = [magic, &[b'x'; 2000]].concat();
        assert_eq!(by_default("", &body).as_deref(), NOT_FOUND);
        assert_eq!(judge("", Some("text/plain"), &body, BuildOptions::default()).as_deref(), NOT_FOUND);
    }
}

#[test]
fn bodies_may_be_dockerfiles() {
    let padded = |text: &str| format!("{text}# {}\n", "x".repeat(600)).into_bytes();
    for content_type in [Some("text/plain"), Some("text/plain; charset=utf-8"), None] {
        let judge = |body: &[u8]| judge("", content_type, body, BuildOptions::default());
        assert_eq!(judge(&padded(CLEAN)), None);
        assert_eq!(judge(&padded(RUNS)).as_deref(), NO_RUN);
        assert_eq!(judge(&padded("# note\n\narg x\nFROM a\n")), None);
        assert_eq!(judge(&padded("hello\n")).as_deref(), NOT_FOUND);
        assert_eq!(judge(RUNS.as_bytes()).as_deref(), TRUNCATED);
    }
    let of = |length: usize| {
        let mut text = CLEAN.to_owned() + "# ";
        text.extend(std::iter::repeat_n('x', length - text.len()));
        by_default("", text.as_bytes())
    };
    assert_eq!(of(DOCKERFILE_MAX_BYTES), None);
    assert!(of(DOCKERFILE_MAX_BYTES + 1).unwrap().starts_with("failed: archive has a file that is too long"));
}

#[test]
fn long_dockerfiles_fail() {
    let of = |length: usize| {
        let mut text = CLEAN.to_owned() + "# ";
        text.extend(std::iter::repeat_n('x', length - text.len()));
        by_default("", &context(&text))
    };
    assert_eq!(of(DOCKERFILE_MAX_BYTES), None);
    assert!(of(DOCKERFILE_MAX_BYTES + 1).unwrap().starts_with("failed: archive has a file that is too long"));
}

#[test]
fn frontends_are_refused() {
    let expected = Some(
        "BuildKit syntax frontend \"docker/dockerfile:1\" cannot be inspected while RUN instructions are restricted",
    );
    let body = context("# syntax=docker/dockerfile:1\nFROM a\nRUN id\n");
    assert_eq!(by_default("", &body).as_deref(), expected);
}

#[test]
fn damaged_contexts_fail() {
    let good = Builder::new().file("Dockerfile", CLEAN).file("big", &"x".repeat(2000)).bytes();
    assert_eq!(by_default("", &good[..1024 + 512 + 700]).as_deref(), TRUNCATED);
    let damaged = Builder::new().file("Dockerfile", CLEAN).raw(&[b'x'; 512]).bytes();
    assert_eq!(by_default("", &damaged).as_deref(), Some("failed: archive has a malformed entry header"));
    assert_eq!(by_default("", &[0; 1024]).as_deref(), NOT_FOUND);
    assert_eq!(by_default("", b""), None);
}

/// Zeros without end.
struct Zeros;

impl Read for Zeros {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        into.fill(0);
        Ok(into.len())
    }
}

#[test]
fn endless_bodies_are_too_large() {
    let header = Builder::new().block(b'0', "big", "", 0o644, b"77777777777\0").open_bytes();
    let mut body = std::io::Cursor::new(header).chain(Zeros);
    assert_eq!(inspect_body(&Upload::default(), &mut body).unwrap(), Outcome::TooLarge);
}
