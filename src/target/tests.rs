//! Tables of spec 20 §1 and §2, and the reference property of §10.

use std::borrow::Cow;

use proptest::prelude::*;

use super::query::{Pair, engine_bool, first, is_well_formed, pairs, reencode, replace};
use super::*;
use crate::limits::QUERY_MAX_PAIRS;

fn canonical(raw: &[u8]) -> Vec<u8> {
    let mut path = RequestPath::default();
    path.set(raw).unwrap();
    path.canonical().to_vec()
}

#[test]
fn origin_form_splits_at_the_first_question_mark() {
    for (raw, path, query) in [
        ("/containers/json", "/containers/json", None),
        ("/containers/json?all=1", "/containers/json", Some("all=1")),
        ("/containers/json?", "/containers/json", Some("")),
        ("/a?b?c", "/a", Some("b?c")),
        ("/a?x=%zz", "/a", Some("x=%zz")),
        ("//containers/json", "//containers/json", None),
        ("/a#b", "/a#b", None),
    ] {
        let target = Target::parse(b"GET", raw.as_bytes()).unwrap();
        assert_eq!(target.form, Form::Origin, "{raw}");
        assert_eq!(target.path_of(raw.as_bytes()), path.as_bytes(), "{raw}");
        assert_eq!(target.query.clone().map(|range| &raw[range]), query, "{raw}");
        assert_eq!(target.authority, None, "{raw}");
    }
}

#[test]
fn absolute_form_keeps_its_path_and_authority() {
    for (raw, authority, path, query) in [
        ("http://docker/info", "docker", "/info", ""),
        ("HTTP://docker/info", "docker", "/info", ""),
        ("https://docker/info", "docker", "/info", ""),
        (
            "http://engine.example:2375/v1.45/containers/json?all=1",
            "engine.example:2375",
            "/v1.45/containers/json",
            "all=1",
        ),
        ("http://containers/json", "containers", "/json", ""),
        ("http://h", "h", "", ""),
        ("http://h?q", "h", "", "q"),
        ("http://h?q=/x", "h", "", "q=/x"),
        ("http://[::1]:2375/x", "[::1]:2375", "/x", ""),
        ("http://docker/info/../images/json", "docker", "/info/../images/json", ""),
    ] {
        let bytes = raw.as_bytes();
        let target = Target::parse(b"GET", bytes).unwrap();
        assert_eq!(target.form, Form::Absolute, "{raw}");
        assert_eq!(target.authority_of(bytes), Some(authority.as_bytes()), "{raw}");
        assert_eq!(target.path_of(bytes), path.as_bytes(), "{raw}");
        assert_eq!(target.query_of(bytes), query.as_bytes(), "{raw}");
    }
}

#[test]
fn asterisk_and_authority_belong_to_their_methods() {
    let target = Target::parse(b"OPTIONS", b"*").unwrap();
    assert_eq!((target.form, target.path), (Form::Asterisk, 0..1));
    assert_eq!(Target::parse(b"GET", b"*"), Err(TargetError::UnknownForm));
    assert_eq!(Target::parse(b"OPTIONS", b"*?x"), Err(TargetError::UnknownForm));

    let target = Target::parse(b"CONNECT", b"docker:2375").unwrap();
    assert_eq!((target.form, target.path), (Form::Authority, 0..0));
    assert_eq!(Target::parse(b"GET", b"docker:2375"), Err(TargetError::UnknownForm));
    assert_eq!(Target::parse(b"CONNECT", b"docker/x"), Err(TargetError::InvalidAuthority));
    // With a path it is an origin form; policy refuses the method.
    assert_eq!(Target::parse(b"CONNECT", b"/info").unwrap().form, Form::Origin);
}

#[test]
fn malformed_targets_are_refused() {
    for (raw, error) in [
        (&b""[..], TargetError::Empty),
        (b"containers/json", TargetError::UnknownForm),
        (b"info", TargetError::UnknownForm),
        (b"ftp://docker/info", TargetError::UnknownForm),
        (b"http:/docker/info", TargetError::UnknownForm),
        (b"http:///info", TargetError::InvalidAuthority),
        (b"http://", TargetError::InvalidAuthority),
        (b"http://user@docker/info", TargetError::InvalidAuthority),
        (b"http://docker\\x/info", TargetError::InvalidAuthority),
        (b"http://do%zzcker/info", TargetError::InvalidAuthority),
        (b"/containers/%zz", TargetError::InvalidEscape),
        (b"/containers/%g1", TargetError::InvalidEscape),
        (b"/containers/json%4", TargetError::InvalidEscape),
        (b"/containers/json%", TargetError::InvalidEscape),
        (b"/containers/%%41", TargetError::InvalidEscape),
        (b"http://docker/%zz", TargetError::InvalidEscape),
        (b"/in\x01fo", TargetError::ControlByte(1)),
        (b"/info\0", TargetError::ControlByte(0)),
        (b"/info\x7f", TargetError::ControlByte(0x7f)),
        (b"/info ", TargetError::ControlByte(b' ')),
        (b"/info?a\tb", TargetError::ControlByte(b'\t')),
        (b"/caf\xc3\xa9", TargetError::NonAscii(0xc3)),
        (b"/x?\x80", TargetError::NonAscii(0x80)),
    ] {
        assert_eq!(Target::parse(b"GET", raw), Err(error), "{}", raw.escape_ascii());
    }
    for raw in ["/containers/%41", "/containers/%4a?x=%", "http://docker/%2F", "/~!$&'()*+,;=:@\"<>[\\]^`{|}"] {
        assert!(Target::parse(b"GET", raw.as_bytes()).is_ok(), "{raw}");
    }
}

#[test]
fn decoded_paths_come_out_canonical() {
    for (raw, expected) in [
        ("", ""),
        ("/", "/"),
        ("/containers/json", "/containers/json"),
        ("/v1.45/containers/json", "/containers/json"),
        ("/v1/containers/json", "/containers/json"),
        ("/v01.45/containers/json", "/containers/json"),
        ("/v0/containers/json", "/containers/json"),
        ("/v9999/containers/json", "/containers/json"),
        ("/v99999999999999999999/containers/json", "/containers/json"),
        ("/v1.45/_ping", "/_ping"),
        ("/v1.45/", "/v1.45"),
        ("/v1.45", "/v1.45"),
        ("/V1.45/containers/json", "/V1.45/containers/json"),
        ("/v/x", "/v/x"),
        ("/v1./x", "/v1./x"),
        ("/v1..45/x", "/v1..45/x"),
        ("/v.1/x", "/v.1/x"),
        ("/v1x/containers/json", "/v1x/containers/json"),
        ("/version", "/version"),
        ("/volumes", "/volumes"),
        ("v1.45/containers/json", "v1.45/containers/json"),
        ("/v1.45/v1.46/containers/json", "/v1.46/containers/json"),
        ("/v1.45/../containers/json", "/containers/json"),
        ("/v999.0/../containers/json", "/containers/json"),
        ("//containers///json", "/containers/json"),
        ("///containers/json", "/containers/json"),
        ("/containers////json", "/containers/json"),
        ("/./containers/json", "/containers/json"),
        ("/containers/./json", "/containers/json"),
        ("/containers/json/", "/containers/json"),
        ("/containers/../images/json", "/images/json"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("/containers/json/../../../containers/json", "/containers/json"),
        // The seed strips two components, and it wins over later upstream.
        ("/v1.2.3/x", "/v1.2.3/x"),
        ("/v1.2.3.4/x", "/v1.2.3.4/x"),
        ("/..", "/"),
        ("/.", "/"),
        ("/.hidden/..x/...", "/.hidden/..x/..."),
        ("/a/b/..", "/a"),
        ("*", "*"),
        ("../../a/..", "../.."),
        ("a/..", "."),
        ("a//b/", "a/b"),
    ] {
        assert_eq!(canonical(raw.as_bytes()).escape_ascii().to_string(), expected, "{raw}");
    }
}

#[test]
fn raw_paths_are_decoded_exactly_once() {
    for (raw, expected) in [
        ("/containers%2Fjson", &b"/containers/json"[..]),
        ("/containers/%6a%73%6f%6e", b"/containers/json"),
        ("/containers/%2e%2e/images/json", b"/images/json"),
        ("/v1.45/containers/%2e%2e/images/json", b"/images/json"),
        ("/containers/create/%2e%2e/json", b"/containers/json"),
        ("/%76%31.45/x", b"/x"),
        ("/a/../v1.45/x", b"/x"),
        ("/containers%252Fjson", b"/containers%2Fjson"),
        ("/containers/%252e/json", b"/containers/%2e/json"),
        ("/containers/%252e%252e/images/json", b"/containers/%2e%2e/images/json"),
        ("/v1.45%2Fcontainers/json", b"/containers/json"),
        ("/v1.45%252Fcontainers/json", b"/v1.45%2Fcontainers/json"),
        ("/containers/json%00", b"/containers/json\0"),
        ("/containers/json%20", b"/containers/json "),
        ("/containers/json%09", b"/containers/json\t"),
        ("/containers/json%0a", b"/containers/json\n"),
        ("/containers/json%0D", b"/containers/json\r"),
        ("/containers%5cjson", b"/containers\\json"),
        ("/containers/json;a=1", b"/containers/json;a=1"),
        ("/containers/json%3Fa%23b", b"/containers/json?a#b"),
        ("/a+b", b"/a+b"),
        ("/caf%C3%A9", "/caf\u{e9}".as_bytes()),
        ("/caf%C3%A9%ff", b"/caf\xc3\xa9\xff"),
        ("%2f", b"/"),
    ] {
        assert_eq!(canonical(raw.as_bytes()), expected, "{raw}");
    }
}

#[test]
fn the_parts_of_a_path() {
    let mut path = RequestPath::default();
    path.set(b"/v1.45/containers/%2e%2e/images/json").unwrap();
    assert_eq!(path.decoded(), b"/v1.45/containers/../images/json");
    assert_eq!(path.version_prefix(), b"/v1.45");
    assert_eq!(path.canonical(), b"/images/json");

    path.set(b"/v1.45/_ping").unwrap();
    assert_eq!(
        (path.decoded(), path.version_prefix(), path.canonical()),
        (&b"/v1.45/_ping"[..], &b"/v1.45"[..], &b"/_ping"[..])
    );

    // Nothing of an earlier request is left when a path is refused.
    assert_eq!(path.set(b"/x/%4"), Err(TargetError::InvalidEscape));
    assert_eq!((path.decoded(), path.version_prefix(), path.canonical()), (&b""[..], &b""[..], &b""[..]));
}

/// Spec 20 §11 gap 1.
#[test]
fn version_like_first_segments_are_reported() {
    for (raw, expected) in [
        ("/v1.45.99.1/containers/create", true),
        ("/v1.45.99/containers/create", true),
        ("/v1./x", true),
        ("/v.1/x", true),
        ("/v1..45/x", true),
        ("/a/../v1.2.3/x", true),
        ("/v1.45/v1.46/containers/json", true),
        ("/v1.45", true),
        ("/v1.45/containers/create", false),
        ("/v1/x", false),
        ("/v/x", false),
        ("/v1x/containers/json", false),
        ("/V1.2.3/containers/json", false),
        ("/version", false),
        ("/volumes/v1.2.3/x", false),
        ("/", false),
        ("", false),
    ] {
        let mut path = RequestPath::default();
        path.set(raw.as_bytes()).unwrap();
        assert_eq!(path.has_unaccepted_version(), expected, "{raw}");
    }
}

#[test]
fn a_long_run_of_dot_segments_is_cleaned_in_linear_time() {
    let raw = [b"/a".repeat(200_000), b"/..".repeat(200_000)].concat();
    assert_eq!(canonical(&raw), b"/");
}

/// The clean of §2 written the slow way: a stack of segments.
fn reference_clean(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return Vec::new();
    }
    let is_rooted = path[0] == b'/';
    let mut stack: Vec<&[u8]> = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." if stack.last().is_some_and(|last| *last != b"..") => {
                stack.pop();
            }
            b".." if is_rooted => {}
            other => stack.push(other),
        }
    }
    let joined = stack.join(&b'/');
    match (is_rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// `^/v[0-9]+(\.[0-9]+)?/` replaced by `/`, by trying every prefix length.
fn reference_strip(path: &[u8]) -> Vec<u8> {
    for end in 0..path.len() {
        let prefix = &path[..=end];
        let Some(version) = prefix.strip_prefix(b"/v").and_then(|rest| rest.strip_suffix(b"/")) else { continue };
        let parts: Vec<&[u8]> = version.split(|&byte| byte == b'.').collect();
        if parts.len() <= 2 && parts.iter().all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit)) {
            return path[end..].to_vec();
        }
    }
    path.to_vec()
}

fn reference_decode(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        if raw[at] == b'%' {
            let digits = raw.get(at + 1..at + 3)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            out.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            at += 3;
        } else {
            out.push(raw[at]);
            at += 1;
        }
    }
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn canonical_is_clean_then_version_strip(
        raw in proptest::collection::vec(
            prop_oneof![
                Just("/"), Just("."), Just(".."), Just("v"), Just("1"), Just("v1.45"), Just("a"), Just("%2e"),
                Just("%2F"), Just("%76"), Just("%"), Just("%25"), Just("%00"), Just("containers"), Just("*"),
            ],
            0..12,
        )
    ) {
        let raw = raw.concat().into_bytes();
        let mut path = RequestPath::default();
        // Something is left behind, as in a reused connection.
        path.set(b"/v1.2/left/../over").unwrap();
        let outcome = path.set(&raw);
        match reference_decode(&raw) {
            None => prop_assert_eq!(outcome, Err(TargetError::InvalidEscape)),
            Some(decoded) => {
                prop_assert_eq!(outcome, Ok(()));
                prop_assert_eq!(path.decoded(), &decoded[..]);
                let cleaned = reference_clean(&decoded);
                prop_assert_eq!(path.canonical(), &reference_strip(&cleaned)[..]);
                prop_assert_eq!([path.version_prefix(), path.canonical()].concat(), cleaned);
            }
        }
    }

    #[test]
    fn parsing_never_panics_and_ranges_fit(method in "[A-Z]{3,7}", raw in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(target) = Target::parse(method.as_bytes(), &raw) {
            prop_assert!(target.path.end <= raw.len());
            prop_assert!(RequestPath::default().set(target.path_of(&raw)).is_ok());
        }
    }

    #[test]
    fn a_replaced_parameter_stands_once_and_the_others_stay(query in "[a-c=&;%+0-9 ]{0,40}", value in "[a-c&=% ]{0,6}") {
        let mut out = b"?".to_vec();
        replace(query.as_bytes(), b"a b", value.as_bytes(), &mut out);
        let out = &out[1..];
        prop_assert!(is_well_formed(out));
        let others = |query: &[u8]| pairs(query).filter(|pair| *pair.key != *b"a b").map(|pair| (pair.key.into_owned(), pair.value.into_owned())).collect::<Vec<_>>();
        prop_assert_eq!(others(out), others(query.as_bytes()));
        let own: Vec<_> = pairs(out).filter(|pair| *pair.key == *b"a b").map(|pair| pair.value.into_owned()).collect();
        prop_assert_eq!(own, [value.into_bytes()]);
    }

    #[test]
    fn a_reencoded_query_reads_the_same(query in "[a-c=&;%+0-9 ]{0,40}") {
        let mut out = Vec::new();
        reencode(query.as_bytes(), &mut out);
        prop_assert!(is_well_formed(&out));
        let mut expected: Vec<Pair<'_>> = pairs(query.as_bytes()).collect();
        expected.sort_by(|left, right| left.key.cmp(&right.key));
        prop_assert_eq!(pairs(&out).collect::<Vec<_>>(), expected);
        for key in [&b"a"[..], b"b", b"", b"a b"] {
            let by_pairs = pairs(query.as_bytes()).find(|pair| pair.key == key).map(|pair| pair.value);
            prop_assert_eq!(first(query.as_bytes(), key), by_pairs);
        }
    }
}

#[test]
fn query_pairs_follow_the_engine() {
    let read = |query: &str| -> Vec<(String, String)> {
        let text = |bytes: Cow<'_, [u8]>| bytes.escape_ascii().to_string();
        pairs(query.as_bytes()).map(|pair| (text(pair.key), text(pair.value))).collect()
    };
    for (query, expected) in [
        ("", &[][..]),
        ("a=1&b=2", &[("a", "1"), ("b", "2")][..]),
        ("a=1&a=2", &[("a", "1"), ("a", "2")]),
        ("a&b=&=c&&", &[("a", ""), ("b", ""), ("", "c")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a=x+y%20z", &[("a", "x y z")]),
        ("%61=%3B", &[("a", ";")]),
        ("a=1;b=2&c=3", &[("c", "3")]),
        ("a=%zz&b=%4&%=1&c=3", &[("c", "3")]),
    ] {
        let expected: Vec<(String, String)> =
            expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(read(query), expected, "{query}");
    }
}

#[test]
fn only_unambiguous_queries_are_well_formed() {
    for query in ["", "a=1", "a=%3Bb&all=1", "a=&b&c=1", "filters=%7b%22label%22%3a%5b%22a%3db%22%5d%7d", "x=\"{}\""] {
        assert!(is_well_formed(query.as_bytes()), "{query}");
    }
    for query in ["a=1;b=2", ";", "a=%", "a=%4", "a=%zz", "%g1=1"] {
        assert!(!is_well_formed(query.as_bytes()), "{query}");
    }
}

#[test]
fn reencoding_drops_sorts_and_escapes() {
    for (query, expected) in [
        ("limit=2&all=1;size=3", "limit=2"),
        ("size=1&x=%zz&all=2", "all=2&size=1"),
        ("all=1&x=%", "all=1"),
        ("b=2&a=3&b=1&x=;", "a=3&b=2&b=1"),
        ("q=a+b%20%2f~.-_%C3%a9&;", "q=a+b+%2F~.-_%C3%A9"),
        ("a&;", "a="),
        (";", ""),
    ] {
        let mut out = Vec::new();
        reencode(query.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{query}");
    }
}

#[test]
fn a_query_that_newer_engines_refuse_to_read_has_no_parameters() {
    let largest = vec!["a=1"; QUERY_MAX_PAIRS].join("&");
    assert!(is_well_formed(largest.as_bytes()));
    assert_eq!(pairs(largest.as_bytes()).count(), QUERY_MAX_PAIRS);
    let larger = format!("{largest}&b=2");
    assert!(!is_well_formed(larger.as_bytes()));
    assert_eq!(pairs(larger.as_bytes()).count(), 0);
    assert_eq!(first(larger.as_bytes(), b"a"), None);
    let mut out = Vec::new();
    reencode(larger.as_bytes(), &mut out);
    assert!(out.is_empty());
}

#[test]
fn the_first_readable_value_counts() {
    for (query, expected) in [
        ("size=1", Some("1")),
        ("size=0&size=1", Some("0")),
        ("size=%zz&size=1", Some("1")),
        ("size=1;&size=2", Some("2")),
        ("%73ize=a+b", Some("a b")),
        ("size", Some("")),
        ("Size=1", None),
        ("sizes=1", None),
        ("siz=1", None),
    ] {
        assert_eq!(first(query.as_bytes(), b"size").as_deref(), expected.map(str::as_bytes), "{query}");
    }
    assert!(matches!(first(b"size=1", b"size"), Some(Cow::Borrowed(_))));
}

/// Field report 20.
#[test]
fn the_engines_truth_table() {
    for value in ["", "0", "no", "false", "none", "NO", "False", " none ", "\tfalse\n", "\u{a0}0\u{2003}"] {
        assert!(!engine_bool(value.as_bytes()), "{value:?}");
    }
    for value in ["1", "true", "yes", "on", "t", "n", "f", "off", "00", "0.0", "null", "-", "2", "falsey"] {
        assert!(engine_bool(value.as_bytes()), "{value:?}");
    }
    assert!(engine_bool(b"0\xff"));
    assert!(engine_bool(b"\xa0"));
}

#[test]
fn one_parameter_is_replaced() {
    for (query, expected) in [
        ("", "filters=%7B%7D"),
        ("all=1", "all=1&filters=%7B%7D"),
        ("all=1&filters=x&size=true", "all=1&filters=%7B%7D&size=true"),
        ("filters=x&filters=y&all", "filters=%7B%7D&all="),
        ("%66ilters=x&name=a%2Fb", "filters=%7B%7D&name=a%2Fb"),
        ("Filters=x", "Filters=x&filters=%7B%7D"),
        ("filters=a;b&all=%zz&x=1", "x=1&filters=%7B%7D"),
    ] {
        let mut out = Vec::new();
        replace(query.as_bytes(), b"filters", b"{}", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{query}");
    }
}
