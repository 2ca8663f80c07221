//! `dev/conformance` judges by pending.txt: a case can neither fail unlisted nor stay listed when it passes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test panics as the test does")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Exit status and output for these outcomes of the suites (name, holds) and this list.
fn judged(vectors: &[(&str, bool)], streams: &[(&str, bool)], pending: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    for (script, outcomes) in [("run.py", vectors), ("streams.py", streams)] {
        let mut rows = String::new();
        for (name, holds) in outcomes {
            let (suite, case) = name.split_once('/').unwrap();
            let suite = if script == "run.py" { format!("'suite': '{suite}', ") } else { String::new() };
            let problems = if *holds { "[]" } else { "['it broke']" };
            write!(rows, "{{{suite}'id': '{case}', 'problems': {problems}}}, ").unwrap();
        }
        let text = format!(
            "import json, sys\nopen(sys.argv[sys.argv.index('--json') + 1], 'w').write(json.dumps([{rows}]))\n"
        );
        std::fs::write(folder.path().join(script), text).unwrap();
    }
    std::fs::write(folder.path().join("pending.txt"), pending).unwrap();
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/conformance"))
        .args(["--bin", "/bin/true", "--suites"])
        .arg(folder.path())
        .output()
        .expect("python3 is installed");
    (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

fn assert_judged(outcome: (bool, String), passes: bool, last_line: &str, says: &str) {
    let (passed, text) = outcome;
    assert_eq!(text.lines().last(), Some(last_line), "{text}");
    assert!(passed == passes && text.contains(says), "passed: {passed}, wanted {says:?} in\n{text}");
}

#[test]
fn all_hold() {
    assert_judged(
        judged(&[("a/one", true)], &[("streams/s", true)], "# nothing waits\n"),
        true,
        "2 passed, 0 failed",
        "",
    );
}

#[test]
fn an_unlisted_failure_fails_with_its_reason() {
    let outcome = judged(&[("a/one", true), ("a/two", false)], &[("streams/s", true)], "");
    assert_judged(outcome, false, "2 passed, 1 failed", "FAIL a/two\n     it broke");
}

#[test]
fn a_listed_failure_waits() {
    let pending = "a/two  # waits for two\nstreams/s # waits for s\n";
    let outcome = judged(&[("a/one", true), ("a/two", false)], &[("streams/s", false)], pending);
    assert_judged(outcome, true, "1 passed, 0 failed", "2 wait");
}

#[test]
fn a_listed_case_that_passes_fails() {
    let outcome = judged(&[("a/one", true), ("a/two", true)], &[], "a/two  # waits\n");
    assert_judged(outcome, false, "1 passed, 1 failed", "FAIL a/two\n     it passes");
}

#[test]
fn a_whole_suite_waits_until_all_of_it_passes() {
    let outcome = judged(&[("a/one", true), ("b/one", true), ("b/two", false)], &[], "b/*  # waits for b\n");
    assert_judged(outcome, true, "1 passed, 0 failed", "2 wait");
    let outcome = judged(&[("a/one", true), ("b/one", true), ("b/two", true)], &[], "b/*  # waits for b\n");
    assert_judged(outcome, false, "1 passed, 1 failed", "FAIL b/*\n     all of it passes");
}

#[test]
fn lines_that_name_nothing_or_say_nothing_fail() {
    for (line, says) in [
        ("a/gone  # reason", "no suite has it"),
        ("gone/*  # reason", "no such suite"),
        ("a/two", "has no reason"),
        ("a/t*  # reason", "neither suite/case nor suite/*"),
        ("a  # reason", "neither suite/case nor suite/*"),
        ("b/*  # reason\nb/two  # again", "listed twice"),
    ] {
        let (passed, text) = judged(&[("a/one", true), ("b/two", false)], &[], line);
        assert!(!passed && text.contains(says), "{line}: {text}");
    }
}

#[test]
fn nothing_run_is_no_pass() {
    assert_judged(judged(&[], &[], ""), false, "0 passed, 0 failed", "");
}

#[test]
fn a_runner_that_breaks_fails() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("run.py"), "raise SystemExit('it broke down')\n").unwrap();
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/conformance"))
        .args(["--bin", "/bin/true", "vectors", "--suites"])
        .arg(folder.path())
        .output()
        .expect("python3 is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && text.contains("it broke down"), "{text}");
}
