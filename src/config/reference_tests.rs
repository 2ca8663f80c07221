use std::collections::BTreeSet;

use serde_json::Value;

use super::{json_schema, markdown};
use crate::config::environment::leaves;
use crate::config::field::{Block, Kind, Schema};
use crate::config::presets::PRESETS;
use crate::config::schema::Config;

/// Validates by the part of JSON Schema that ours uses; anything else in it fails the test.
fn violations(value: &Value, schema: &Value, root: &Value, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (keyword, argument) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "properties" => {}
            "$ref" => {
                let name = argument.as_str().and_then(|text| text.strip_prefix("#/$defs/")).expect("a local reference");
                let target = root["$defs"].get(name).unwrap_or_else(|| panic!("no definition {name}"));
                found.extend(violations(value, target, root, path));
            }
            "type" => {
                let types = argument.as_array().cloned().unwrap_or_else(|| vec![argument.clone()]);
                if !types.iter().any(|kind| has_type(value, kind.as_str().expect("a type name"))) {
                    found.push(format!("{path}: {value} is none of {argument}"));
                }
            }
            "enum" => {
                if !argument.as_array().expect("a list").contains(value) {
                    found.push(format!("{path}: {value} is none of {argument}"));
                }
            }
            "minimum" if value.as_i64() < argument.as_i64() && value.is_number() => {
                found.push(format!("{path}: too small"))
            }
            "maximum" if value.as_i64() > argument.as_i64() => found.push(format!("{path}: too big")),
            "minimum" | "maximum" => {}
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    found.extend(violations(item, argument, root, &format!("{path}[{index}]")));
                }
            }
            "additionalProperties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    match schema["properties"].get(key) {
                        Some(schema) => found.extend(violations(inner, schema, root, &format!("{path}.{key}"))),
                        None => found.push(format!("{path}: unknown key {key}")),
                    }
                }
            }
            other => panic!("the test does not know the keyword {other}"),
        }
    }
    found
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    }
}

fn judged(yaml: &str) -> Vec<String> {
    let value: Value = serde_yaml::from_str(yaml).expect("YAML");
    let schema = json_schema();
    violations(&value, &schema, &schema, "")
}

#[test]
fn the_schema_accepts_every_preset() {
    for preset in PRESETS {
        assert_eq!(judged(preset.text), Vec::<String>::new(), "{}", preset.name);
    }
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    for (yaml, is_right) in [
        ("{}", true),
        ("log: {level: debug, audit: {enabled: true}}", true),
        ("log: {level: loud}", false),
        ("log: {levle: debug}", false),
        ("log: 5", false),
        ("health: {enabled: yes}", false),
        ("rules: [{match: {method: GET, path: /}, action: allow}]", true),
        ("rules: [{match: {method: GET, path: /}, action: permit}]", false),
        ("rules: {match: {method: GET, path: /}, action: allow}", false),
        ("clients: {unix_peer_profiles: [{uids: [4294967295]}]}", true),
        ("clients: {unix_peer_profiles: [{uids: [4294967296]}]}", false),
        ("clients: {unix_peer_profiles: [{uids: [-1]}]}", false),
        ("clients: {profiles: [{name: p, request_body: {exec: {allowed_commands: [[a]]}}}]}", true),
        ("clients: {profiles: [{name: p, request_body: {exec: {allowed_commands: [a]}}}]}", false),
    ] {
        assert_eq!(judged(yaml).is_empty(), is_right, "{yaml}: {:?}", judged(yaml));
    }
}

/// Every key with its path, as `a.b[].c`.
fn every_key(block: &'static Block, path: &str, keys: &mut Vec<String>, docs: &mut Vec<&'static str>) {
    for field in block.fields {
        let key = if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
        docs.push(field.doc);
        match field.kind {
            Kind::Block(inner) | Kind::OptionalBlock(inner) => every_key(inner, &key, keys, docs),
            Kind::Blocks(inner) => every_key(inner, &format!("{key}[]"), keys, docs),
            _ => {}
        }
        keys.push(key);
    }
}

#[test]
fn every_key_is_described() {
    let (mut keys, mut docs) = (Vec::new(), Vec::new());
    every_key(Config::BLOCK, "", &mut keys, &mut docs);
    assert!(keys.iter().any(|key| key == "clients.profiles[].rules[].match.path"), "{keys:?}");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
    for doc in docs {
        let doc = doc.trim();
        assert!(doc.ends_with('.') && doc.starts_with(|c: char| c.is_uppercase() || c == '`'), "{doc:?}");
    }
}

#[test]
fn the_page_names_every_variable_and_block() {
    let page = markdown();
    for leaf in leaves() {
        // A block that is described once is not listed again where it is used again.
        let is_repeated =
            leaf.path.starts_with(&["admin", "listen", "tls"]) || leaf.path.starts_with(&["request_body", "config"]);
        assert_eq!(page.contains(&format!("| `{}` |", leaf.variable)), !is_repeated, "{}", leaf.variable);
    }
    for heading in ["### `listen.tls`", "### `clients.profiles[].limits.rate.endpoint_costs[]`", "### `rules[].match`"]
    {
        assert!(page.contains(&format!("\n{heading}\n")), "{heading}");
    }
    assert!(page.contains("The same keys as [`request_body`](#request_body)."));
    assert!(page.contains("The same keys as [`rules[]`](#rules)."));
}
