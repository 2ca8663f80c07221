//! Request targets, canonical paths, queries, and what the rules make of them (spec 20 §1, §2, §10, 60 §3.1).

use std::sync::LazyLock;

use sockguard::endpoint::{Endpoint, classify, is_hijack};
use sockguard::policy::{Decision, RuleSet, RuleSpec};
use sockguard::target::path::has_version_segment;
use sockguard::target::query::{engine_bool, first, is_well_formed, pairs, reencode};
use sockguard::target::{Form, RequestPath, Target};

static LIST_ONLY: LazyLock<Option<RuleSet>> = LazyLock::new(|| rules("GET", "/containers/json"));
static EVERYTHING: LazyLock<Option<RuleSet>> = LazyLock::new(|| rules("*", "/**"));

fn rules(method: &str, path: &str) -> Option<RuleSet> {
    RuleSet::compile(&[RuleSpec { method, path, action: "allow", reason: "" }]).ok()
}

/// The input is `method SP target`.
pub fn target(data: &[u8]) {
    let (method, raw) = super::split_once(data, b' ');
    let parsed = Target::parse(method, raw);
    let expected = read_target(method, raw);
    let shown = raw.escape_ascii();
    assert_eq!(parsed.is_ok(), expected.is_some(), "{parsed:?}: {shown}");
    // Any bytes can stand in a path and a query once, so they are tried whether or not the target is one.
    path(method, raw, false);
    query(super::split_once(raw, b'?').1);
    let (Ok(parsed), Some(expected)) = (parsed, expected) else { return };
    let query_found = parsed.query.is_some().then(|| parsed.query_of(raw));
    let found = (parsed.form, parsed.authority_of(raw), parsed.path_of(raw), query_found);
    assert_eq!(found, expected, "{shown}");
    path(method, parsed.path_of(raw), true);
    query(parsed.query_of(raw));
}

// ---- the target

type Parts<'raw> = (Form, Option<&'raw [u8]>, &'raw [u8], Option<&'raw [u8]>);

fn read_target<'raw>(method: &[u8], raw: &'raw [u8]) -> Option<Parts<'raw>> {
    if raw.is_empty() || !raw.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    if raw[0] != b'/' && method.eq_ignore_ascii_case(b"CONNECT") {
        return is_authority(raw).then_some((Form::Authority, Some(raw), b"", None));
    }
    if raw == b"*" && method.eq_ignore_ascii_case(b"OPTIONS") {
        return Some((Form::Asterisk, None, raw, None));
    }
    let (form, authority, rest) = if raw[0] == b'/' {
        (Form::Origin, None, raw)
    } else {
        let scheme = [&b"http://"[..], b"https://"]
            .into_iter()
            .find(|scheme| raw.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
        let rest = &raw[scheme.len()..];
        let end = rest.iter().position(|byte| b"/?".contains(byte)).unwrap_or(rest.len());
        is_authority(&rest[..end]).then_some((Form::Absolute, Some(&rest[..end]), &rest[end..]))?
    };
    let (path, query) = super::split_once(rest, b'?');
    decode(path)?;
    Some((form, authority, path, rest.contains(&b'?').then_some(query)))
}

/// No user information, no path, no quotes; an escape is a whole one.
fn is_authority(text: &[u8]) -> bool {
    !text.is_empty() && decode(text).is_some() && !text.iter().any(|byte| b"@/?#\\\"<>^`{|}".contains(byte))
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || char::from(*bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            other => other,
        });
    }
    Some(out)
}

// ---- the path

fn path(method: &[u8], raw: &[u8], is_of_target: bool) {
    let mut path = RequestPath::default();
    let outcome = path.set(raw);
    let shown = raw.escape_ascii();
    let Some(decoded) = decode(raw) else {
        assert!(outcome.is_err() && path.canonical().is_empty() && path.decoded().is_empty(), "{shown}");
        return;
    };
    assert!(outcome.is_ok(), "{outcome:?}: {shown}");
    assert_eq!(path.decoded(), decoded, "{shown}");
    let cleaned = clean(&decoded);
    let version = documented_version(&cleaned);
    assert_eq!((path.version_prefix(), path.canonical()), cleaned.split_at(version), "{shown}");
    let canonical = path.canonical();
    assert_eq!(path.has_unaccepted_version(), has_version_segment(canonical));
    let is_odd = canonical.split(|&byte| byte == b'/').nth(1).is_some_and(|segment| {
        segment.len() > 1 && segment[0] == b'v' && segment[1..].iter().all(|byte| b"0123456789.".contains(byte))
    });
    assert_eq!(path.has_unaccepted_version(), is_odd && canonical[0] == b'/', "{shown}");

    // What is left behind a version is clean already, and nothing but a second version may come off it.
    let mut again = RequestPath::default();
    let escaped = escape_percent(canonical);
    assert!(again.set(&escaped).is_ok());
    let expected = if has_version_segment(canonical) { clean(canonical) } else { canonical.to_vec() };
    assert_eq!([again.version_prefix(), again.canonical()].concat(), expected, "not idempotent: {shown}");

    if is_of_target {
        judged_as_the_engine_reads_it(method, &decoded, canonical);
    }
}

fn escape_percent(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|&byte| if byte == b'%' { b"%25".to_vec() } else { vec![byte] }).collect()
}

fn clean(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return Vec::new();
    }
    let is_rooted = path[0] == b'/';
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => drop(kept.pop()),
            b".." if is_rooted => {}
            _ => kept.push(segment),
        }
    }
    match (is_rooted, kept.is_empty()) {
        (true, _) => [b"/", kept.join(&b'/').as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => kept.join(&b'/'),
    }
}

/// Length of a leading `/vN` or `/vN.N` in front of a slash.
fn documented_version(path: &[u8]) -> usize {
    let mut segments = path.split(|&byte| byte == b'/');
    let (Some(b""), Some([b'v', version @ ..]), Some(_)) = (segments.next(), segments.next(), segments.next()) else {
        return 0;
    };
    let numbers: Vec<_> = version.split(|&byte| byte == b'.').collect();
    let well_formed =
        numbers.len() <= 2 && numbers.iter().all(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit));
    if well_formed { version.len() + 2 } else { 0 }
}

// ---- policy and Engine

/// What the Engine would do with a request that reaches it (spec 20 §10).
fn route_of_the_engine(method: &[u8], decoded: &[u8]) -> Option<Endpoint> {
    let mut path = decoded;
    if let Some(rest) = path.strip_prefix(b"/v") {
        let digits = rest.iter().take_while(|byte| b"0123456789.".contains(byte)).count();
        if digits > 0 && rest.get(digits) == Some(&b'/') {
            path = &rest[digits..];
        }
    }
    let cleaned = clean(&[b"/", path].concat());
    let segments: Vec<&[u8]> = cleaned[1..].split(|&byte| byte == b'/').collect();
    Some(match (method.to_ascii_uppercase().as_slice(), segments.as_slice()) {
        (b"GET", [b"_ping"]) => Endpoint::Ping,
        (b"GET", [b"version"]) => Endpoint::Version,
        (b"GET", [b"info"]) => Endpoint::Info,
        (b"POST", [b"build"]) => Endpoint::Build,
        (b"GET", [b"containers", b"json"]) => Endpoint::ContainerList,
        (b"POST", [b"containers", b"create"]) => Endpoint::ContainerCreate,
        (b"GET", [b"containers", _, b"json"]) => Endpoint::ContainerInspect,
        (b"POST", [b"containers", _, b"start"]) => Endpoint::ContainerStart,
        (b"POST", [b"containers", _, b"attach"]) => Endpoint::ContainerAttach,
        // The Engine's names may span several segments (spec 20 §11 gap 3).
        (b"POST", [b"containers", name @ .., b"exec"]) if !name.is_empty() => Endpoint::ExecCreate,
        (b"POST", [b"containers", name @ .., b"update"]) if !name.is_empty() => Endpoint::ContainerUpdate,
        (b"PUT", [b"containers", name @ .., b"archive"]) if !name.is_empty() => Endpoint::ContainerArchive,
        (b"POST", [b"exec", _, b"start"]) => Endpoint::ExecStart,
        (b"GET", [b"images", b"json"]) => Endpoint::ImageList,
        (b"POST", [b"images", b"create"]) => Endpoint::ImageCreate,
        (b"POST", [b"images", b"load"]) => Endpoint::ImageLoad,
        (b"POST", [b"volumes", b"create"]) => Endpoint::VolumeCreate,
        (b"POST", [b"networks", b"create"]) => Endpoint::NetworkCreate,
        (b"POST", [b"networks", name @ .., b"connect"]) if !name.is_empty() => Endpoint::NetworkConnect,
        (b"POST", [b"services", b"create"]) => Endpoint::ServiceCreate,
        (b"POST", [b"services", name @ .., b"update"]) if !name.is_empty() => Endpoint::ServiceUpdate,
        (b"POST", [b"swarm", b"init"]) => Endpoint::SwarmInit,
        (b"POST", [b"plugins", b"pull"]) => Endpoint::PluginPull,
        (b"POST", [b"plugins", name @ .., b"set"]) if !name.is_empty() => Endpoint::PluginSet,
        _ => return None,
    })
}

/// No request is executed as something else than it was judged to be.
fn judged_as_the_engine_reads_it(method: &[u8], decoded: &[u8], canonical: &[u8]) {
    let executed = route_of_the_engine(method, decoded);
    let shown = format!("{} {}", method.escape_ascii(), decoded.escape_ascii());
    let allows = |rules: &LazyLock<Option<RuleSet>>| {
        rules.as_ref().is_some_and(|rules| rules.judge(method, canonical).decision == Decision::Allow)
    };
    if allows(&LIST_ONLY) {
        assert!(matches!(executed, Some(Endpoint::ContainerList) | None), "{executed:?}: {shown}");
    }
    assert!(!(method.eq_ignore_ascii_case(b"CONNECT") && allows(&EVERYTHING)), "{shown}");
    let Some(executed) = executed else { return };
    // Allowed by everybody's widest rule, it still meets the inspector of what the Engine is going to do.
    if allows(&EVERYTHING) {
        assert_eq!(classify(canonical), executed, "{shown}");
        let hijacks = matches!(executed, Endpoint::ContainerAttach | Endpoint::ExecStart);
        assert_eq!(is_hijack(method, classify(canonical)), hijacks, "{shown}");
    }
}

// ---- the query

/// Go's `url.ParseQuery`.
fn read_query(query: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let spaced = |text: &[u8]| -> Vec<u8> { text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect() };
    let pairs = query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty() && !pair.contains(&b';'));
    pairs
        .filter_map(|pair| {
            let (key, value) = super::split_once(pair, b'=');
            Some((decode(&spaced(key))?, decode(&spaced(value))?))
        })
        .collect()
}

fn query(query: &[u8]) {
    // Of more pairs than this nothing is read.
    if query.iter().filter(|&&byte| byte == b'&').count() >= 9_000 {
        return;
    }
    let shown = query.escape_ascii();
    let read = |query: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
        pairs(query).map(|pair| (pair.key.into_owned(), pair.value.into_owned())).collect()
    };
    let expected = read_query(query);
    assert_eq!(read(query), expected, "{shown}");
    if is_well_formed(query) {
        let count = query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).count();
        assert_eq!(expected.len(), count, "a pair of a well-formed query is not read: {shown}");
    }
    for (key, _) in &expected {
        let counts = expected.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_slice());
        assert_eq!(first(query, key).as_deref(), counts, "{}: {shown}", key.escape_ascii());
    }
    let absent = b"a key that is not there";
    assert_eq!(first(query, absent).is_some(), expected.iter().any(|(key, _)| key == absent));

    let (mut once, mut twice) = (Vec::new(), Vec::new());
    reencode(query, &mut once);
    reencode(&once, &mut twice);
    assert_eq!(once, twice, "{shown}");
    assert!(is_well_formed(&once) && once.iter().all(u8::is_ascii_graphic), "{shown}");
    let mut sorted = expected.clone();
    sorted.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(read(&once), sorted, "{shown}");

    for (_, value) in &expected {
        let text = std::str::from_utf8(value).map(|text| text.trim().to_lowercase());
        let is_false = text.is_ok_and(|text| ["", "0", "no", "false", "none"].contains(&text.as_str()));
        assert_eq!(engine_bool(value), !is_false, "{}", value.escape_ascii());
    }
}
