//! A second reading of the redaction contract, slow and plain, that the tests hold against the rewriter.
//!
//! Parses the answer into a tree of spans, then walks each rule's path alone, straight from the table's text. Shares
//! the table with the product and nothing else.

use super::endpoint::Endpoint;
use super::fields::{Added, Operation};
use super::toggles::Toggles;
use crate::limits::JSON_MAX_DEPTH;

/// The edited answer, or `None` when it has to be rejected.
pub(super) fn redact(endpoint: Endpoint, toggles: Toggles, answer: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(answer).ok()?;
    let mut parser = Parser { text, at: 0 };
    parser.space();
    let root = parser.value(0)?;
    parser.space();
    if parser.at != text.len() {
        return None;
    }
    let documents: Vec<&Tree> = match (&root.kind, endpoint.is_list()) {
        (Kind::Null, false) => vec![],
        (Kind::Array(elements), true) => elements.iter().filter(|element| element.kind != Kind::Null).collect(),
        (Kind::Object(_), false) => vec![&root],
        _ => return None,
    };
    let mut cuts = Vec::new();
    for document in documents {
        let Kind::Object(_) = document.kind else { return None };
        for (prefix, rules) in endpoint.groups() {
            for rule in rules.iter().filter(|rule| toggles.has(rule.toggle)) {
                let path = format!("{prefix}.{}", rule.path);
                let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
                walk(text, document, &steps, rule.operation, &mut cuts)?;
            }
        }
    }
    cuts.sort();
    let mut out = String::new();
    let mut start = 0;
    for (from, to, replacement) in cuts {
        out += &text[start..from];
        out += &replacement;
        start = to;
    }
    out += &text[start..];
    Some(out.into_bytes())
}

type Cuts = Vec<(usize, usize, String)>;

fn walk(text: &str, tree: &Tree, steps: &[&str], operation: Operation, cuts: &mut Cuts) -> Option<()> {
    let [step, rest @ ..] = steps else { return apply(text, tree, operation, cuts) };
    let Kind::Object(members) = &tree.kind else { return None };
    let key = step.trim_end_matches("[]").trim_end_matches("{}");
    let mut found = members.iter().filter(|(name, _)| name == key).map(|(_, value)| value);
    let value = found.next();
    if found.next().is_some() {
        return None;
    }
    let Some(value) = value else {
        if let (Operation::ForceEmptyArray(added), []) = (operation, rest) {
            let name = match added {
                Added::Env => "Env",
                Added::Config => "Config",
            };
            let comma = if members.is_empty() { "" } else { "," };
            cuts.push((tree.end - 1, tree.end - 1, format!("{comma}\"{name}\":[]")));
        }
        return Some(());
    };
    if value.kind == Kind::Null && !(rest.is_empty() && matches!(operation, Operation::ForceEmptyArray(_))) {
        return Some(());
    }
    let inner: Vec<&Tree> = match (&value.kind, step) {
        (Kind::Array(elements), step) if step.ends_with("[]") => elements.iter().collect(),
        (Kind::Object(members), step) if step.ends_with("{}") => members.iter().map(|(_, value)| value).collect(),
        (_, step) if step.ends_with("[]") || step.ends_with("{}") => return None,
        _ => vec![value],
    };
    inner.into_iter().try_for_each(|tree| walk(text, tree, rest, operation, cuts))
}

fn apply(text: &str, tree: &Tree, operation: Operation, cuts: &mut Cuts) -> Option<()> {
    let replacement = match (operation, &tree.kind) {
        (Operation::Text, _) => "\"<redacted>\"",
        (Operation::EmptyArray, Kind::Array(_)) | (Operation::ForceEmptyArray(_), _) => "[]",
        (Operation::EmptyObject, Kind::Object(_)) => "{}",
        (Operation::Zero, Kind::Number) => "0",
        (Operation::BindSource, Kind::String(bind)) => {
            // Compared as decoded text: the source in front of the target's colon.
            let source = &bind[..source_len(bind)];
            let trimmed = source.trim_start();
            let drive = |then: &str| trimmed.get(1..).is_some_and(|rest| rest.starts_with(then));
            if trimmed.starts_with('/') || trimmed.starts_with("\\\\") || drive(":\\") || drive(":/") {
                let raw = &text[tree.start + 1..tree.end - 1];
                let characters = source.chars().count();
                let mut rest = raw;
                for _ in 0..characters {
                    rest = skip_character(rest);
                }
                let end = tree.end - 1 - rest.len();
                cuts.push((tree.start + 1, end, "<redacted>".to_owned()));
            }
            return Some(());
        }
        _ => return None,
    };
    cuts.push((tree.start, tree.end, replacement.to_owned()));
    Some(())
}

fn source_len(bind: &str) -> usize {
    let blank = bind.len() - bind.trim_start().len();
    let trimmed = &bind[blank..];
    let is_letter = trimmed.starts_with(|c: char| c.is_ascii_alphabetic());
    let drive = is_letter && (trimmed[1..].starts_with(":\\") || trimmed[1..].starts_with(":/"));
    let first = bind.find(':').unwrap_or(bind.len());
    if !drive {
        return first;
    }
    let behind = bind[blank + 2..].find(':').map(|colon| blank + 2 + colon);
    behind.unwrap_or(if trimmed[1..].starts_with(":\\") { bind.len() } else { first })
}

fn skip_character(raw: &str) -> &str {
    let length = match raw.as_bytes() {
        [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'A' | b'b' | b'B', ..] => 12,
        [b'\\', b'u', ..] => 6,
        [b'\\', ..] => 2,
        _ => raw.chars().next().map_or(0, char::len_utf8),
    };
    &raw[length..]
}

struct Tree {
    start: usize,
    end: usize,
    kind: Kind,
}

impl PartialEq for Tree {
    fn eq(&self, other: &Tree) -> bool {
        self.start == other.start
    }
}

#[derive(PartialEq)]
enum Kind {
    Null,
    Bool,
    Number,
    String(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte && self.at < self.text.len()).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Option<Tree> {
        let start = self.at;
        let kind = match self.peek() {
            b'{' | b'[' if depth == JSON_MAX_DEPTH => return None,
            b'{' => self.object(depth + 1)?,
            b'[' => self.array(depth + 1)?,
            b'"' => Kind::String(self.string()?),
            _ => self.scalar()?,
        };
        Some(Tree { start, end: self.at, kind })
    }

    fn object(&mut self, depth: usize) -> Option<Kind> {
        let mut members = Vec::new();
        self.take(b'{')?;
        self.space();
        while self.peek() != b'}' {
            if !members.is_empty() {
                self.take(b',')?;
                self.space();
            }
            let key = self.string()?;
            self.space();
            self.take(b':')?;
            self.space();
            members.push((key, self.value(depth)?));
            self.space();
        }
        self.take(b'}')?;
        Some(Kind::Object(members))
    }

    fn array(&mut self, depth: usize) -> Option<Kind> {
        let mut elements = Vec::new();
        self.take(b'[')?;
        self.space();
        while self.peek() != b']' {
            if !elements.is_empty() {
                self.take(b',')?;
                self.space();
            }
            elements.push(self.value(depth)?);
            self.space();
        }
        self.take(b']')?;
        Some(Kind::Array(elements))
    }

    /// The raw string is cut by hand and decoded by serde_json, which refuses what is not a JSON string.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.take(b'"')?;
        while self.peek() != b'"' {
            if self.at >= self.text.len() {
                return None;
            }
            self.at += if self.peek() == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_str(self.text.get(start..self.at)?).ok()
    }

    fn scalar(&mut self) -> Option<Kind> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        self.at += end;
        match word {
            "null" => Some(Kind::Null),
            "true" | "false" => Some(Kind::Bool),
            _ => serde_json::from_str::<serde::de::IgnoredAny>(word).ok().map(|_| Kind::Number),
        }
    }
}
