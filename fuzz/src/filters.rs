//! The Engine's `filters` parameter and its place in a query (spec 50 A3).

use serde_json::Value;
use sockguard::target::filters::Filters;
use sockguard::target::query::{first, is_well_formed, pairs, replace};

/// The label that is required, and its key.
const OWNER: (&str, &str) = ("K", "K=O");

/// The input is a query, a line break, and the decoded value of its `filters`.
pub fn filters(data: &[u8]) {
    let (query, value) = super::split_once(data, b'\n');
    let shown = value.escape_ascii();
    let Some(expected) = read(value) else {
        assert!(Filters::decode(value).is_err(), "{shown}");
        return;
    };
    let decoded = Filters::decode(value);
    assert!(decoded.is_ok(), "{decoded:?}: {shown}");
    let Ok(mut filters) = decoded else { return };
    for (key, list) in &expected {
        assert_eq!(filters.list(key), list, "{shown}");
    }
    assert_eq!(read(filters.to_json().as_bytes()).as_ref(), Some(&expected), "{shown}");

    filters.drop_label("label", OWNER.0);
    filters.require("label", OWNER.1);
    assert!(!filters.require("label", OWNER.1));
    let mut sent = Vec::new();
    replace(query, b"filters", filters.to_json().as_bytes(), &mut sent);
    reaches_the_engine(query, &sent, expected);
}

/// What the Engine reads is what the client asked for and the owner's entry, in one parameter among the others.
fn reaches_the_engine(query: &[u8], sent: &[u8], mut expected: Vec<(String, Vec<String>)>) {
    let shown = sent.escape_ascii();
    assert!(is_well_formed(sent), "{shown}");
    assert_eq!(pairs(sent).filter(|pair| *pair.key == *b"filters").count(), 1, "{shown}");
    let others = |query: &[u8]| -> Vec<(Vec<u8>, Vec<u8>)> {
        let others = pairs(query).filter(|pair| *pair.key != *b"filters");
        others.map(|pair| (pair.key.into_owned(), pair.value.into_owned())).collect()
    };
    assert_eq!(others(sent), others(query), "{shown}");

    if !expected.iter().any(|(key, _)| key == "label") {
        expected.push(("label".to_owned(), Vec::new()));
    }
    for (_, list) in expected.iter_mut().filter(|(key, _)| key == "label") {
        list.retain(|entry| entry != OWNER.0 && entry != "K!" && !entry.starts_with("K=") && !entry.starts_with("K!="));
        list.push(OWNER.1.to_owned());
    }
    expected.sort();
    let read = first(sent, b"filters").and_then(|value| read(&value));
    assert_eq!(read, Some(expected), "{shown}");
}

/// The lists in the order of their keys.
fn read(value: &[u8]) -> Option<Vec<(String, Vec<String>)>> {
    if value.len() > 65_536 {
        return None;
    }
    let document = if value.is_empty() { Value::Null } else { serde_json::from_slice(value).ok()? };
    let members = match document {
        Value::Null => return Some(Vec::new()),
        document => document.as_object()?.clone(),
    };
    let mut lists = Vec::new();
    for (key, value) in members {
        let list: Option<Vec<String>> = if let Some(object) = value.as_object() {
            let mut keys: Vec<String> = object.keys().cloned().collect();
            keys.sort();
            object.values().all(Value::is_boolean).then_some(keys)
        } else {
            value.as_array()?.iter().map(|element| element.as_str().map(str::to_owned)).collect()
        };
        lists.push((key, list?));
    }
    lists.sort();
    Some(lists)
}
