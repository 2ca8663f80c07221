//! The rewriter of answers (spec 50 part C).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::de::IgnoredAny;
use sockguard::redaction::{Endpoint, Redaction, Scratch, Toggles};

use super::document::{Kind, Value, read};

/// Rows as the operators' page shows them: field, toggle, what it becomes. The product's table is not looked at.
type Rows = Vec<[&'static str; 3]>;

static PAGE: LazyLock<BTreeMap<&'static str, Rows>> = LazyLock::new(|| {
    let (mut page, mut paths) = (BTreeMap::<_, Rows>::new(), Vec::new());
    for line in include_str!("../../docs/redaction.md").lines() {
        if let Some(heading) = line.strip_prefix("### ") {
            paths = heading.split(", ").map(|path| path.trim_matches('`')).collect();
        } else if let [_, field, toggle, becomes, _] = line.split('|').collect::<Vec<_>>()[..]
            && field.trim().starts_with('`')
        {
            let row = [field, toggle, becomes].map(|cell| cell.trim().trim_matches('`'));
            paths.iter().for_each(|path| page.entry(*path).or_default().push(row));
        }
    }
    page
});

static COMPILED: LazyLock<Vec<Redaction>> =
    LazyLock::new(|| (0..16).map(|set| Redaction::compile(toggles(set))).collect());

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

fn toggles(set: u8) -> Toggles {
    let on = |bit: u8| set & bit != 0;
    Toggles { container_env: on(1), mount_paths: on(2), network_topology: on(4), sensitive_data: on(8) }
}

fn is_on(toggle: &str, set: u8) -> bool {
    let keys = ["redact_container_env", "redact_mount_paths", "redact_network_topology", "redact_sensitive_data"];
    keys.iter().position(|key| *key == toggle).is_some_and(|bit| set >> bit & 1 == 1)
}

/// The input is a letter for the endpoint, a letter for the toggles (`O` is all of them), and an answer. Product and
/// reference agree on whether it may go out, and to the byte on how.
pub fn redaction(data: &[u8]) {
    let [endpoint, set, answer @ ..] = data else { return };
    let endpoint = Endpoint::ALL[usize::from(*endpoint) % Endpoint::ALL.len()];
    let set = set % 16;
    let path = endpoint.path().replace("{name}", "n").replace("{id}", "i");
    let rows: Vec<_> = PAGE
        .get(endpoint.path())
        .map(|rows| rows.iter().filter(|[_, toggle, _]| is_on(toggle, set)).collect())
        .unwrap_or_default();
    let Some(matcher) = COMPILED[usize::from(set)].covers(path.as_bytes()) else {
        assert!(rows.is_empty(), "{path} is not covered");
        return;
    };
    assert_eq!(matcher.endpoint(), endpoint);
    let expected = edit(endpoint.path(), &rows, answer);
    let shown = answer.escape_ascii();
    SCRATCH.with_borrow_mut(|scratch| {
        let found = matcher.cuts(answer, scratch).map(|cuts| {
            let mut out = Vec::new();
            cuts.apply(answer, &mut out);
            let (mut around, mut left_out) = (Vec::new(), Vec::new());
            cuts.apply_around(answer, &mut around, |at, range| {
                let is_long = range.len() >= 16;
                if is_long {
                    left_out.push((at, range));
                }
                is_long
            });
            for (at, range) in left_out.into_iter().rev() {
                around.splice(at..at, answer[range].iter().copied());
            }
            assert_eq!(out, around, "{shown}");
            assert_eq!(out.len(), cuts.edited_len(answer.len()), "{shown}");
            out
        });
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{path} {found:?}: {shown}");
        let Ok(out) = found else { return };
        // Serde takes recursion less deep and numbers less long than the proxy passes on.
        assert!(serde_json::from_slice::<IgnoredAny>(&out).is_ok(), "no json goes out: {shown}");
        // Whoever reads the edited answer again finds nothing more to hide.
        let again = matcher.cuts(&out, scratch).map(|cuts| {
            let mut again = Vec::new();
            cuts.apply(&out, &mut again);
            again
        });
        assert_eq!(again.as_ref().ok(), Some(&out), "{path} {again:?}: {shown}");
    });
}

// ---- the reference

/// The edited answer, or `None` when it has to be refused.
fn edit(path: &str, rows: &[&[&'static str; 3]], answer: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(answer).ok()?;
    let root = read(text)?;
    let documents = match root.kind {
        Kind::Null if !is_list(path) => vec![],
        Kind::Array(ref elements) if is_list(path) => {
            elements.iter().filter(|element| !matches!(element.kind, Kind::Null)).collect()
        }
        Kind::Object(_) if !is_list(path) => vec![&root],
        _ => return None,
    };
    let mut cuts = BTreeMap::new();
    for document in documents {
        let Kind::Object(_) = document.kind else { return None };
        for [field, _, becomes] in rows {
            let steps: Vec<&str> = field.split('.').collect();
            walk(text, document, &steps, becomes, &mut cuts)?;
        }
    }
    let (mut out, mut start) = (String::new(), 0);
    for ((from, to), replacement) in cuts {
        out += &text[start..from];
        out += &replacement;
        start = to;
    }
    Some((out + &text[start..]).into_bytes())
}

/// Lists answer with an array, all others with an object.
fn is_list(path: &str) -> bool {
    ["/containers/json", "/networks", "/services", "/tasks", "/secrets", "/configs", "/plugins", "/nodes"]
        .contains(&path)
}

type Cuts = BTreeMap<(usize, usize), String>;

fn walk(text: &str, at: &Value, steps: &[&str], becomes: &str, cuts: &mut Cuts) -> Option<()> {
    let [step, behind @ ..] = steps else { return replace(text, at, becomes, cuts) };
    let Kind::Object(members) = &at.kind else { return None };
    let key = step.trim_end_matches("[]").trim_end_matches("{}");
    let is_forced = behind.is_empty() && becomes.contains("also when absent");
    let found: Vec<&Value> = members.iter().filter(|(name, _)| name == key).map(|(_, value)| value).collect();
    let value = match found[..] {
        [] if is_forced => {
            let comma = if members.is_empty() { "" } else { "," };
            cuts.insert((at.end - 1, at.end - 1), format!("{comma}\"{key}\":[]"));
            return Some(());
        }
        [] => return Some(()),
        [value] => value,
        // Readers differ on which of two counts.
        _ => return None,
    };
    if matches!(value.kind, Kind::Null) && !is_forced {
        return Some(());
    }
    match &value.kind {
        Kind::Array(elements) if step.ends_with("[]") => {
            elements.iter().try_for_each(|element| walk(text, element, behind, becomes, cuts))
        }
        Kind::Object(members) if step.ends_with("{}") => {
            members.iter().try_for_each(|(_, member)| walk(text, member, behind, becomes, cuts))
        }
        _ if step.ends_with("[]") || step.ends_with("{}") => None,
        _ => walk(text, value, behind, becomes, cuts),
    }
}

fn replace(text: &str, value: &Value, becomes: &str, cuts: &mut Cuts) -> Option<()> {
    let is_forced = becomes.contains("also when absent");
    let becomes = becomes.split(['`', ',']).next()?;
    let fits = match (becomes, &value.kind) {
        ("the host path in it: ", Kind::String(bind)) => {
            let characters = host_path(bind);
            if characters > 0 {
                let mut rest = &text[value.start + 1..value.end - 1];
                (0..characters).for_each(|_| rest = behind_character(rest));
                cuts.insert((value.start + 1, value.end - 1 - rest.len()), "<redacted>".to_owned());
            }
            return Some(());
        }
        ("\"<redacted>\"", _) => true,
        ("[]", _) if is_forced => true,
        ("[]", Kind::Array(_)) | ("{}", Kind::Object(_)) | ("0", Kind::Number) => true,
        _ => false,
    };
    fits.then(|| cuts.insert((value.start, value.end), becomes.to_owned())).map(|_| ())
}

/// How many characters of a bind string are a host path (spec 50 C4).
fn host_path(bind: &str) -> usize {
    let lead: Vec<char> = bind.chars().collect();
    let blanks = lead.iter().take_while(|character| character.is_whitespace()).count();
    let path = &lead[blanks..];
    let colon = |from: usize| path.iter().skip(from).position(|&character| character == ':').map(|at| from + at);
    let end = match path {
        ['/', ..] | ['\\', '\\', ..] => colon(0).unwrap_or(path.len()),
        [drive, ':', '\\', ..] if drive.is_ascii_alphabetic() => colon(2).unwrap_or(path.len()),
        // Without a target behind it, `v:/cache` is the volume `v` at `/cache`.
        [drive, ':', '/', ..] if drive.is_ascii_alphabetic() => colon(2).unwrap_or(0),
        _ => 0,
    };
    if end == 0 { 0 } else { blanks + end }
}

/// `raw` without the character, escaped or not, that it begins with.
fn behind_character(raw: &str) -> &str {
    let length = match raw.as_bytes() {
        [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..] => 12,
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        _ => raw.chars().next().map_or(0, char::len_utf8),
    };
    &raw[length..]
}
