//! The Engine's reading of request bodies, and the splice (spec 30 §0, 50 A2).

use std::collections::BTreeMap;

use sockguard::json::{Field, Names, Reader, SpliceError, Splicer, Step, Unreadable};

use super::document::{Kind, Value, folded, read};

/// Field names at which a body is looked at.
const NAMES: [&str; 6] = ["Image", "HostConfig", "Labels", "Kk", "Memory", "Ss"];

static PREPARED: Names<6> = Names::new(NAMES);

/// Fields whose direct keys are the user's (spec 30 §0.4).
const DATA_MAPS: [&str; 14] = [
    "labels",
    "annotations",
    "volumes",
    "exposedports",
    "portbindings",
    "sysctls",
    "storageopt",
    "tmpfs",
    "endpointsconfig",
    "options",
    "driveropts",
    "opts",
    "config",
    "auxiliaryaddresses",
];

/// The input is a body. What is read is one document without ambiguous keys, and says to the inspectors what it says.
pub fn json_view(data: &[u8]) {
    let shown = data.escape_ascii();
    let document = std::str::from_utf8(data).ok().and_then(read);
    let outcome = Reader::new().read(data, |view| {
        let Some(root) = &document else { panic!("not a document: {shown}") };
        assert!(!repeats(root, false, &folded), "ambiguous: {shown}");
        let expected = matches!(root.kind, Kind::Object(_) | Kind::Null);
        assert_eq!(view.object().is_ok(), expected, "{shown}");
        let Ok(object) = view.object() else { return };
        for ((name, field), prepared) in NAMES.iter().zip(object.fields(NAMES)).zip(object.fields_of(&PREPARED)) {
            assert_eq!([field.name(), prepared.name()], [*name; 2]);
            same(field, root.field(name), data);
            same(prepared, root.field(name), data);
            same(object.field(field.name()), root.field(name), data);
        }
    });
    match (outcome, document) {
        (Ok(()), _) | (Err(_), None) => {}
        (Err(Unreadable::Duplicate), Some(root)) => {
            let lower: fn(&str) -> String = |key| key.to_lowercase();
            let upper: fn(&str) -> String = |key| key.to_lowercase().to_uppercase();
            let both: fn(&str) -> String = |key| key.to_uppercase().to_lowercase();
            let found = [lower, upper, both, folded].iter().any(|fold| repeats(&root, false, fold));
            assert!(found, "no key is repeated: {shown}");
        }
        // What no 64-bit number holds may be refused, for the Engine refuses it where it looks.
        (Err(Unreadable::Malformed(_)), Some(root)) => {
            assert!(has_huge_number(&root, data), "a good document is refused: {shown}");
        }
        (Err(Unreadable::TooLarge(_)), Some(_)) => panic!("too large: {}", data.len()),
    }
}

/// Whether an object repeats a key: folded, or exactly where the keys are the user's.
fn repeats(value: &Value, is_data: bool, fold: &dyn Fn(&str) -> String) -> bool {
    let mut seen = BTreeMap::new();
    let repeated = value.members().iter().any(|(key, _)| {
        let key = if is_data { key.clone() } else { fold(key) };
        seen.insert(key, ()).is_some()
    });
    repeated
        || value.elements().iter().any(|element| repeats(element, false, fold))
        || value
            .members()
            .iter()
            .any(|(key, member)| repeats(member, !is_data && DATA_MAPS.contains(&folded(key).as_str()), fold))
}

fn has_huge_number(value: &Value, text: &[u8]) -> bool {
    let number = || std::str::from_utf8(&text[value.start..value.end]).ok()?.parse::<f64>().ok();
    match value.kind {
        Kind::Number => number().is_none_or(|number| !number.is_finite()),
        _ => {
            value.elements().iter().any(|element| has_huge_number(element, text))
                || value.members().iter().any(|(_, member)| has_huge_number(member, text))
        }
    }
}

/// Every typed reading of one field.
fn same(field: Field<'_>, value: Option<&Value>, text: &[u8]) {
    let shown = text.escape_ascii();
    assert_eq!(field.is_present(), value.is_some(), "{shown}");
    let Some(value) = value else {
        assert_eq!((field.bool(), field.integer(), field.string()), (Ok(None), Ok(None), Ok(None)));
        assert!(field.strings().is_ok_and(|all| all.is_empty()) && field.string_map().is_ok_and(|all| all.is_empty()));
        return;
    };
    let raw = std::str::from_utf8(&text[value.start..value.end]).unwrap_or_default();
    let bool = matches!(value.kind, Kind::Bool).then_some(raw == "true");
    assert_eq!(field.bool().ok(), bool.map(Some), "{shown}");
    assert_eq!(field.string().ok(), value.text().map(Some), "{shown}");
    let integer = matches!(value.kind, Kind::Number).then(|| raw.parse::<i64>().ok()).flatten();
    assert_eq!(field.integer().ok(), integer.map(Some), "{shown}");

    let or_null = |value: &Value| if value.is_null() { Some(String::new()) } else { value.text().map(str::to_owned) };
    let texts: Option<Vec<String>> =
        if let Kind::Array(elements) = &value.kind { elements.iter().map(or_null).collect() } else { None };
    assert_eq!(field.strings().ok().map(|all| all.map(str::to_owned).collect()), texts, "{shown}");
    let map: Option<Vec<(String, String)>> = match &value.kind {
        Kind::Object(members) => members.iter().map(|(key, value)| Some((key.clone(), or_null(value)?))).collect(),
        _ => None,
    };
    let found = field.string_map().ok();
    assert_eq!(found.clone().map(|all| all.count()), map.as_ref().map(Vec::len), "{shown}");
    for (key, value) in map.iter().flatten() {
        assert_eq!(found.as_ref().and_then(|all| all.get(key)), Some(value.as_str()), "{shown}");
    }
    let is_zero = match &value.kind {
        Kind::Null => true,
        Kind::Bool => raw == "false",
        Kind::Number => raw.parse::<f64>().is_ok_and(|number| number == 0.0),
        Kind::String(text) => text.is_empty(),
        Kind::Array(elements) => elements.is_empty(),
        Kind::Object(members) => members.is_empty(),
    };
    // A number of which no bit is left is zero to some and not to others.
    let is_tiny = matches!(value.kind, Kind::Number) && is_zero && raw.contains(|digit| ('1'..='9').contains(&digit));
    assert!(is_tiny || field.is_zero() == is_zero, "{shown}");
    let is_object = |value: &Value| matches!(value.kind, Kind::Object(_) | Kind::Null);
    let objects = matches!(value.kind, Kind::Array(_)) && value.elements().iter().all(is_object);
    assert_eq!(field.objects().is_ok(), objects, "{shown}");
    let object_map = is_object(value) && value.members().iter().all(|(_, member)| is_object(member));
    assert_eq!(field.object_map().is_ok(), object_map, "{shown}");
}

/// The input is a letter for the path, the value up to a NUL, and a document. A document that was read gets the value
/// and keeps everything else.
pub fn json_splice(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let (value, document) = super::split_once(rest, 0);
    let Ok(value) = std::str::from_utf8(value) else { return };
    let path: &[Step<'_>] = match choice % 4 {
        0 => &[Step::Field("Labels"), Step::Entry("com.sockguard.owner")],
        1 => &[Step::Field("Image")],
        2 => &[Step::Field("TaskTemplate"), Step::Field("ContainerSpec"), Step::Field("Labels"), Step::Entry(value)],
        _ => &[Step::Field("Sks"), Step::Entry("é\"\\")],
    };
    let mut out = b"kept".to_vec();
    let outcome = Splicer::new().set_string(document, path, value, &mut out);
    assert!(out.starts_with(b"kept"));
    // It relies on a body that was read before; of any other only a panic would be wrong.
    if Reader::new().read(document, |_| ()).is_err() {
        return;
    }
    let Ok(text) = std::str::from_utf8(document) else { panic!("read, but no text") };
    let Some(before) = read(text) else { panic!("read, but no document: {text:?}") };
    let expected = can_descend(&before, path);
    assert_eq!(outcome.is_ok(), expected, "{outcome:?}: {text:?}");
    if let Err(error) = outcome {
        assert!(!matches!(error, SpliceError::Malformed(_) | SpliceError::TooLarge(_)), "{error}: {text:?}");
        return;
    }
    let Ok(edited) = std::str::from_utf8(&out[4..]) else { panic!("no text comes out: {text:?}") };
    let Some(after) = read(edited) else { panic!("no document comes out: {text:?} {edited:?}") };
    spliced((text, &before), (edited, &after), path, value);
    // Blanks around the document stay as well.
    assert_eq!(text[..=before.start], edited[..=after.start]);
    assert_eq!(text[before.end..], edited[after.end..]);
}

fn is_step(step: Step<'_>, key: &str) -> bool {
    match step {
        Step::Field(name) => folded(name) == folded(key),
        Step::Entry(name) => name == key,
    }
}

fn can_descend(value: &Value, path: &[Step<'_>]) -> bool {
    let Kind::Object(members) = &value.kind else { return false };
    let Some((step, below)) = path.split_first() else { return true };
    let mut found = members.iter().filter(|(key, _)| is_step(*step, key)).map(|(_, member)| member);
    match (found.next(), found.next()) {
        (_, Some(_)) => false,
        (Some(member), None) => below.is_empty() || member.is_null() || can_descend(member, below),
        (None, None) => true,
    }
}

type Placed<'t, 'v> = (&'t str, &'v Value);

/// Walks both documents beside each other.
fn spliced((text, before): Placed<'_, '_>, (edited, after): Placed<'_, '_>, path: &[Step<'_>], value: &str) {
    let Some((step, below)) = path.split_first() else {
        assert_eq!(after.text(), Some(value), "{edited:?}");
        return;
    };
    let (Step::Field(spelling) | Step::Entry(spelling)) = *step;
    let (old, new) = (before.members(), after.members());
    let place = old.iter().position(|(key, _)| is_step(*step, key));
    assert_eq!(new.len(), old.len() + usize::from(place.is_none()), "{text:?} {edited:?}");
    for (index, ((old_key, old), (new_key, new))) in old.iter().zip(new).enumerate() {
        if Some(index) == place {
            assert_eq!(new_key, spelling, "{edited:?}");
            spliced((text, old), (edited, new), below, value);
        } else {
            assert_eq!((old_key, &text[old.start..old.end]), (new_key, &edited[new.start..new.end]));
        }
    }
    if let (None, Some((key, new))) = (place, new.last()) {
        assert_eq!(key, spelling, "{edited:?}");
        spliced(("{}", &Value { start: 0, end: 2, kind: Kind::Null }), (edited, new), below, value);
    }
}
