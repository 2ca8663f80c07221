//! The reference of the configuration, made from the table: a JSON Schema for editors, a page for people.
//!
//! Owns the form of both. What they say about a key is the key's own text in [`schema`](super::schema); the pieces of
//! the page that are about no single key are in `reference.md` beside this file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::compat::built_in_rules;
use super::environment::{OTHER_VARIABLES, variable_name};
use super::field::{Block, Field, Kind, Reload, Schema};
use super::presets::PRESETS;
use super::schema::Config;

/// The JSON Schema (draft 2020-12) of a configuration file.
///
/// It is as strict as an editor should be: the coercions that old files rely on, such as `"true"` for `true`, are read
/// but not advertised.
#[must_use]
pub fn json_schema() -> Value {
    let mut definitions = BTreeMap::new();
    let mut schema = match block_schema(Config::BLOCK, &mut definitions) {
        Value::Object(schema) => schema,
        other => return other,
    };
    let head = [("$schema", "https://json-schema.org/draft/2020-12/schema"), ("title", "sockguard configuration")];
    for (key, value) in head {
        schema.insert(key.to_owned(), json!(value));
    }
    schema.insert("$defs".to_owned(), json!(definitions));
    Value::Object(schema)
}

fn block_schema(block: &'static Block, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    let mut properties = Map::new();
    for field in block.fields {
        properties.insert(field.name.to_owned(), field_schema(field, definitions));
    }
    json!({
        "description": one_paragraph(block.doc),
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A reference to the definition of a block, which is made at its first use.
fn reference(block: &'static Block, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    if !definitions.contains_key(block.name) {
        definitions.insert(block.name, Value::Null);
        let schema = block_schema(block, definitions);
        definitions.insert(block.name, schema);
    }
    json!(format!("#/$defs/{}", block.name))
}

fn field_schema(field: &Field, definitions: &mut BTreeMap<&'static str, Value>) -> Value {
    let scalar_texts = json!({"type": ["string", "number"]});
    let mut schema = match field.kind {
        Kind::Bool => json!({"type": ["boolean", "null"]}),
        // The bounds of 64 bits are no bounds of ours, and most readers of JSON cannot represent them.
        Kind::Integer { min: i64::MIN, max: i64::MAX } => json!({"type": ["integer", "null"]}),
        Kind::Integer { min, max } => json!({"type": ["integer", "null"], "minimum": min, "maximum": max}),
        Kind::Number => json!({"type": ["number", "null"]}),
        Kind::Text if field.values.is_empty() => json!({"type": ["string", "number", "null"]}),
        Kind::Text => {
            let values: Vec<Value> = field.values.iter().map(|value| json!(value)).chain([Value::Null]).collect();
            json!({"enum": values})
        }
        Kind::Texts => json!({"type": ["array", "string", "number", "null"], "items": scalar_texts}),
        Kind::Vectors => {
            json!({"type": ["array", "string", "null"], "items": {"type": "array", "items": scalar_texts}})
        }
        Kind::Integers { min, max } => {
            json!({"type": ["array", "null"], "items": {"type": "integer", "minimum": min, "maximum": max}})
        }
        Kind::Block(block) | Kind::OptionalBlock(block) => json!({"$ref": reference(block, definitions)}),
        Kind::Blocks(block) => json!({"type": ["array", "null"], "items": {"$ref": reference(block, definitions)}}),
    };
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(one_paragraph(field.doc)));
        if !matches!(field.kind, Kind::Block(_) | Kind::OptionalBlock(_)) {
            schema.insert("default".to_owned(), (field.default)());
        }
    }
    schema
}

/// A documentation text without its line breaks.
fn one_paragraph(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The page `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = Page::default();
    page.text += include_str!("reference.md");
    page.text += "\n## Built-in rules\n\nWhen nobody configures rules, these hold:\n\n";
    for rule in built_in_rules() {
        let _ = writeln!(page.text, "- {} `{} {}`", rule.action, rule.r#match.method, rule.r#match.path);
    }
    page.text +=
        "\n## Presets\n\n`sockguard presets show NAME` prints one, with a header that says what it exposes.\n\n";
    for preset in PRESETS {
        let _ = writeln!(page.text, "- `{}`: {}", preset.name, preset.purpose());
    }
    page.text += "\n## Keys\n";
    page.block(Config::BLOCK, &[]);
    page.text += "\n## Variables that set no key\n\n";
    for variable in OTHER_VARIABLES {
        let _ =
            writeln!(page.text, "- `{variable}`: how many cores serve, as the flag `--shards`; all of them by default");
    }
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    /// Where each block was described first.
    described: BTreeMap<&'static str, String>,
}

impl Page {
    /// One section: the keys of a block that hold values, then a section for each block inside.
    fn block(&mut self, block: &'static Block, path: &[&str]) {
        let shown_path = path.join(".");
        let title = if path.is_empty() { "Top level".to_owned() } else { format!("`{shown_path}`") };
        let _ = write!(self.text, "\n### {title}\n\n");
        if let Some(first) = self.described.get(block.name) {
            let _ = writeln!(self.text, "The same keys as [`{first}`](#{}).", anchor(first));
            return;
        }
        self.described.insert(block.name, shown_path);
        let _ = writeln!(self.text, "{}", one_paragraph(block.doc));
        let mut inner = Vec::new();
        let mut rows = String::new();
        for field in block.fields {
            match field.kind {
                Kind::Block(block) | Kind::OptionalBlock(block) => inner.push((block, field.name.to_owned())),
                Kind::Blocks(block) => inner.push((block, format!("{}[]", field.name))),
                _ => row(&mut rows, field, path),
            }
        }
        if !rows.is_empty() {
            self.text += "\n| Key | Takes | Default | Change | Variable | What it does |\n|---|---|---|---|---|---|\n";
            self.text += &rows;
        }
        for (block, name) in inner {
            let path: Vec<&str> = path.iter().copied().chain([name.as_str()]).collect();
            self.block(block, &path);
        }
    }
}

/// The fragment that a heading with this text gets.
fn anchor(heading: &str) -> String {
    heading.chars().filter(|c| c.is_alphanumeric() || *c == '_' || *c == '-').collect::<String>().to_lowercase()
}

fn row(rows: &mut String, field: &Field, path: &[&str]) {
    let takes = match field.values {
        [] => field.kind.noun().to_owned(),
        values => values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "),
    };
    let default = match (field.default)() {
        Value::Null => "absent".to_owned(),
        value => format!("`{value}`"),
    };
    let change = match field.reload {
        Reload::Applied => "reload",
        Reload::Restart => "restart",
    };
    let in_a_list = path.iter().any(|name| name.ends_with("[]") || *name == "global_concurrency");
    let variable = if field.env && field.kind.fits_one_variable() && !in_a_list {
        let path: Vec<&str> = path.iter().copied().chain([field.name]).collect();
        format!("`{}`", variable_name(&path))
    } else {
        "file only".to_owned()
    };
    let doc = one_paragraph(field.doc).replace('|', "\\|");
    let _ = writeln!(rows, "| `{}` | {takes} | {default} | {change} | {variable} | {doc} |", field.name);
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
