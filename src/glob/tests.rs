//! Tables of spec 20 §3, and a comparison with a backtracking matcher.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

#[test]
fn the_dialect() {
    for (pattern, matching, others) in [
        (
            "/containers/json",
            &["/containers/json"][..],
            &["/containers/abc", "/containers/jsonx", "/containers/jso"][..],
        ),
        ("/containers/*", &["/containers/json", "/containers/abc123"], &["/containers", "/containers/abc/start"]),
        (
            "/containers/*/exec",
            &["/containers/abc/exec", "/containers//exec"],
            &["/containers/a/b/exec", "/images/abc/exec", "/containers/exec"],
        ),
        ("/a/*/b/*/c", &["/a/1/b/2/c"], &["/a/1/b/2/3/c", "/a/1/b/c"]),
        ("/*", &["/", "/info"], &["/a/b", ""]),
        ("/*/b/c", &["/a/b/c"], &["/a", "/b/c"]),
        (
            "/containers/**",
            &["/containers", "/containers/json", "/containers/a/b/c", "/containers/"],
            &["/containers-extra", "/containerstuff", "/images/json"],
        ),
        ("/**", &["", "*", "/", "/a/b", "x/y\n"], &[]),
        ("**", &["", "*", "/", "a\nb"], &[]),
        ("/**/json", &["/json", "/a/json", "/a/b/json"], &["/ajson", "json"]),
        (
            "/containers/**/json",
            &["/containers/json", "/containers/a/json", "/containers/a/b/json"],
            &["/containerstuff/json", "/containersjson"],
        ),
        ("/foo/**/bar", &["/foo/bar", "/foo/x/y/bar"], &["/foobar", "/foo/xbar"]),
        ("/foo/**bar", &["/foobar", "/foo/xbar", "/foo/x/bar"], &["/foo/x"]),
        ("/foo**", &["/foo", "/foobar/baz"], &["/fo"]),
        ("/a/***", &["/a", "/abc", "/a/b/c"], &["/b"]),
        ("abc*", &["abc", "abcdef"], &["xabc", "abc/"]),
        ("*def", &["abcdef", "def"], &["abcxyz"]),
        ("a*b*c", &["a1b2c", "abc", "abbcc"], &["a1b2x", "a1/b2c"]),
        ("*ab", &["aab", "ab"], &["aac"]),
        ("/containers/[abc]", &["/containers/[abc]"], &["/containers/a"]),
        ("/opt/a?b", &["/opt/a?b"], &["/opt/axb"]),
        ("/dot/a.b", &["/dot/a.b"], &["/dot/axb"]),
        ("/{x,y}", &["/{x,y}"], &["/x"]),
        (r"/a\*b", &[r"/a\b", r"/a\xb"], &["/a*b"]),
        ("+()^$|", &["+()^$|"], &["+"]),
        ("", &[""], &["/", "a"]),
        ("/images/*/json", &["/images/busybox/json"], &["/images/library/busybox/json"]),
        ("/images/**/json", &["/images/library/busybox/json", "/images/json"], &["/images/x"]),
        // Anchored absolutely: no newline at the end is tolerated.
        ("/info", &["/info"], &["/info\n", "\n/info"]),
        ("/*/x", &["/\n/x"], &["/a/x\n"]),
        ("/Info", &["/Info"], &["/info"]),
        ("/caf\u{e9}/*", &["/caf\u{e9}/x"], &["/cafe\u{301}/x"]),
    ] {
        for strict in [false, true] {
            let glob = if strict { Glob::new_lf_strict(pattern) } else { Glob::new(pattern) };
            for subject in matching.iter().filter(|subject| !strict || !subject.contains('\n')) {
                assert!(glob.matches(subject.as_bytes()), "{pattern} must match {subject:?}");
            }
            for subject in others {
                assert!(!glob.matches(subject.as_bytes()), "{pattern} must not match {subject:?}");
            }
        }
    }
}

#[test]
fn a_double_star_crosses_line_feeds_only_in_paths() {
    for (pattern, subject) in [
        ("**", "a\nb"),
        ("/**", "/a\nb"),
        ("/**", "\n"),
        ("a**b", "a\nb"),
        ("/x/**/y", "/x/\n/y"),
        ("/x/**/*y", "/x/\n/y"),
        ("**-**", "\n-"),
    ] {
        assert!(Glob::new(pattern).matches(subject.as_bytes()), "{pattern} {subject:?}");
        assert!(!Glob::new_lf_strict(pattern).matches(subject.as_bytes()), "{pattern} {subject:?}");
    }
    // `*` matches it in both.
    for (pattern, subject) in [("*", "a\nb"), ("a*b*", "a\nb\n"), ("***", "x/y\nz"), ("**x*", "/x\n")] {
        assert!(Glob::new(pattern).matches(subject.as_bytes()), "{pattern} {subject:?}");
        assert!(Glob::new_lf_strict(pattern).matches(subject.as_bytes()), "{pattern} {subject:?}");
    }
}

#[test]
fn bytes_that_are_no_text_match_wildcards() {
    assert!(Glob::new("/x/*/y").matches(b"/x/\xff\xfe/y"));
    assert!(Glob::new("/x/*/*/y").matches(b"/x/\xff/\xfe/y"));
    assert!(!Glob::new("/x/*/*/y").matches(b"/x/\xff\xfe/y"));
    assert!(Glob::new("/x/**").matches(b"/x/\xff"));
}

/// Spec 20 §3: a 16 KiB path of about 8 200 segments, match and no match, within 100 ms each.
#[test]
fn hostile_paths_take_linear_time() {
    let segments = "/a".repeat(8200);
    let pattern = "/**/x/**/y/**/z/*/*/**";
    let started = Instant::now();
    assert!(!Glob::new(pattern).matches(segments.as_bytes()));
    assert!(Glob::new(pattern).matches(format!("{segments}/x{segments}/y/z/1/2{segments}").as_bytes()));
    assert!(!Glob::new(&"*a".repeat(40)).matches("a".repeat(16 << 10).replace("aaaaaaaa", "aaaaaaa/").as_bytes()));
    assert!(started.elapsed() < Duration::from_millis(800), "{:?}", started.elapsed());
}

/// What the dialect says, tried in every way; `known` remembers the outcomes by what is left of pattern and subject.
fn reference(pattern: &[u8], subject: &[u8], strict: bool) -> bool {
    let pattern = if pattern == b"/**" { b"**" } else { pattern };
    tokens_match(pattern, subject, strict, &mut HashMap::new())
}

fn tokens_match(pattern: &[u8], subject: &[u8], strict: bool, known: &mut HashMap<(usize, usize), bool>) -> bool {
    let left = (pattern.len(), subject.len());
    if let Some(&outcome) = known.get(&left) {
        return outcome;
    }
    let mut run = |rest: &[u8], subject: &[u8], stops_at: Option<u8>| {
        (0..=subject.len())
            .take_while(|&length| !stops_at.is_some_and(|stop| subject[..length].contains(&stop)))
            .any(|length| tokens_match(rest, &subject[length..], strict, known))
    };
    let line = strict.then_some(b'\n');
    let outcome = if let Some(rest) = pattern.strip_prefix(b"/**") {
        subject.strip_prefix(b"/").is_some_and(|below| run(rest, below, line))
            || tokens_match(rest, subject, strict, known)
    } else if let Some(rest) = pattern.strip_prefix(b"**") {
        run(rest, subject, line)
    } else if let Some(rest) = pattern.strip_prefix(b"*") {
        run(rest, subject, Some(b'/'))
    } else {
        match (pattern.split_first(), subject.split_first()) {
            (None, None) => true,
            (Some((expected, pattern)), Some((found, subject))) => {
                expected == found && tokens_match(pattern, subject, strict, known)
            }
            (_, _) => false,
        }
    };
    known.insert(left, outcome);
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn globs_agree_with_backtracking(pattern in "[/*ab]{0,9}|(/[*]{1,3}|[/ab*]){0,6}", subject in "[/ab\n]{0,9}") {
        for strict in [false, true] {
            let glob = if strict { Glob::new_lf_strict(&pattern) } else { Glob::new(&pattern) };
            prop_assert_eq!(
                glob.matches(subject.as_bytes()),
                reference(pattern.as_bytes(), subject.as_bytes(), strict),
                "{} {:?} {}", pattern, subject, strict
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// The same across word borders of the bit sets: wildcards and runs of wildcards around bits 63, 64 and 127.
    #[test]
    fn long_globs_agree_with_backtracking(
        lead in 56usize..68,
        second in 56usize..68,
        middle in "(/[*]{1,3}|[/ab*]){0,6}",
        tail in "(/[*]{1,3}|[*/ab]){0,4}",
        subject in "[/ab\n]{0,6}",
        rest in "[/ab]{0,4}",
    ) {
        let pattern = format!("*{}{middle}{}{tail}*", "x".repeat(lead), "y".repeat(second));
        let subject = format!("{}{subject}{}{rest}", "x".repeat(lead), "y".repeat(second));
        for strict in [false, true] {
            let glob = if strict { Glob::new_lf_strict(&pattern) } else { Glob::new(&pattern) };
            prop_assert_eq!(
                glob.matches(subject.as_bytes()),
                reference(pattern.as_bytes(), subject.as_bytes(), strict),
                "{} {:?} {}", pattern, subject, strict
            );
        }
    }

    /// Patterns with a run of wildcards longer than a word.
    #[test]
    fn runs_of_wildcards_carry_over(count in 20usize..80, subject in "[/a]{0,12}") {
        let pattern = "/***".repeat(count);
        let glob = Glob::new_lf_strict(&pattern);
        // `(/**)(*)` over and over: whatever has no leading name before its first `/` is matched, and so is a name.
        prop_assert!(glob.matches(subject.as_bytes()));
        let glob = Glob::new(&format!("{pattern}b"));
        prop_assert!(!glob.matches(subject.as_bytes()));
    }
}
