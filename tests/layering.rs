//! The module map holds: dependencies point down, the pure half touches no world, io_uring stays in its rooms.
//!
//! Reads the sources as tokens, without comments, strings and test code, and judges every path that they name.
//! What it cannot see (a macro that builds a path) has no place in this project.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of a test panics as the test does")]

use std::fs;
use std::path::{Path, PathBuf};

/// The map of `src/lib.rs`: a module may use the ones above it and nothing else of the crate.
const MAP: &[(&str, Half)] = &[
    ("limits", Half::Pure),
    ("http", Half::Pure),
    ("target", Half::Pure),
    ("glob", Half::Pure),
    ("endpoint", Half::Pure),
    ("json", Half::Pure),
    ("identity", Half::Pure),
    ("redaction", Half::Pure),
    ("inspect", Half::Pure),
    ("policy", Half::Pure),
    ("record", Half::Pure),
    ("sys", Half::Daemon),
    ("rt", Half::Daemon),
    ("observe", Half::Daemon),
    ("config", Half::Daemon),
    ("engine", Half::Daemon),
    ("listen", Half::Daemon),
    ("proxy", Half::Daemon),
    ("control", Half::Daemon),
    ("scripted", Half::Daemon),
    ("cli", Half::Daemon),
];

/// What may keep the scripted Engine: it is a test double, and the demo is its only user in the product.
const USERS_OF_SCRIPTED: &[&str] = &["cli"];

/// The pure half decides from bytes and facts: no sockets, files, environment, threads, clock or log macros.
const NOT_IN_THE_PURE_HALF: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::sync::mpsc",
    "std::thread",
    "std::thread_local",
    "std::time::Instant",
    "std::time::SystemTime",
    "log",
    "thread_local",
    "tracing",
];

/// Crates that only some modules may name; the compiler keeps all of these out of the pure half.
const ROOMS: &[(&str, &[&str])] = &[
    ("glommio", &["rt"]),
    ("io_uring", &["rt", "sys"]),
    ("libc", &["rt", "sys"]),
    ("serde_yaml", &["config"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli"]),
    ("prometheus_client", &["observe"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Pure,
    Daemon,
}

// ---- the tests

#[test]
fn the_sources_keep_the_map() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in rust_files(&source) {
        let shown = file.strip_prefix(&source).unwrap().display().to_string();
        let parts: Vec<&str> = shown.split('/').collect();
        // Test code may use anything; it is the module's own business that it says so in its name.
        if parts.contains(&"tests") || parts.last() == Some(&"tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        found.extend(violations(&parts, &text).into_iter().map(|what| format!("src/{shown}: {what}")));
    }
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_map_is_the_one_of_the_library() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let tokens = tokens(&text);
    let mut listed = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token == "mod" {
            let daemon = at >= 9 && tokens[..at].iter().rev().take(9).any(|t| t == "\"daemon\"");
            listed.push((tokens[at + 1].clone(), if daemon { Half::Daemon } else { Half::Pure }));
        }
    }
    let map: Vec<_> = MAP.iter().map(|(name, half)| ((*name).to_owned(), *half)).collect();
    assert_eq!(listed, map);
}

#[test]
fn every_kind_of_violation_is_found() {
    for (file, source, complaint) in [
        ("http/head.rs", "use crate::policy::Plan;", "http uses policy"),
        ("http/head.rs", "use crate::{limits, policy};", "http uses policy"),
        ("http/head.rs", "fn f() { crate::rt::now(); }", "http uses rt"),
        ("policy/mod.rs", "use super::config;", "reaches the crate root"),
        ("policy/glob.rs", "use super::super::config;", "reaches the crate root"),
        ("policy/mod.rs", "use std::{fmt, fs};", "names std::fs"),
        ("policy/mod.rs", "use std::time::{Duration, Instant};", "names std::time::Instant"),
        ("policy/mod.rs", "use std::time;", "names std::time"),
        ("policy/mod.rs", "use std::time::*;", "names std::time"),
        ("policy/mod.rs", "fn f() { std::env::var(\"A\"); }", "names std::env"),
        ("policy/mod.rs", "fn f() { tracing::info!(\"a\"); }", "names tracing"),
        ("policy/mod.rs", "thread_local! { }", "names thread_local"),
        ("engine/mod.rs", "use glommio::Task;", "names glommio"),
        ("control/mod.rs", "use crate::scripted::ScriptedEngine;", "control uses scripted"),
        ("proxy/mod.rs", "use crate::control::Reload;", "proxy uses control"),
        ("main.rs", "use sockguard::proxy::Chain;", "main uses proxy"),
        ("nowhere/mod.rs", "", "not on the map"),
    ] {
        let parts: Vec<&str> = file.split('/').collect();
        let found = violations(&parts, source);
        assert!(found.len() == 1 && found[0].contains(complaint), "{file}, {source}: {found:?}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    for (file, source) in [
        (
            "policy/mod.rs",
            "use crate::{http::head::{self, Head}, limits::*};\nuse std::net::IpAddr;\nuse std::time::Duration;",
        ),
        ("policy/glob.rs", "use super::Decision; use self::inner::X; use crate::policy::Plan;"),
        (
            "policy/mod.rs",
            "// std::fs\n/* std::env /* nested */ */ const A: &str = \"crate::rt\"; const B: char = '\"'; fn f<'a>(x: &'a str) {}",
        ),
        (
            "policy/mod.rs",
            "const R: &str = r#\"std::fs \" crate::rt\"#; const C: &[u8] = b\"std::fs\\\"\"; const D: u8 = b'\\'';",
        ),
        (
            "policy/mod.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; use crate::rt::X; fn g() { { } } }\nfn h() {}",
        ),
        ("policy/mod.rs", "struct S { fs: u8 } fn f(s: S) { s.fs; std::format!(\"\"); }"),
        ("rt/ring.rs", "use io_uring::IoUring; use glommio::Task; use crate::sys::probe;"),
        ("cli/demo.rs", "use crate::scripted::ScriptedEngine;"),
        ("main.rs", "fn main() { sockguard::cli::run(); }"),
    ] {
        let parts: Vec<&str> = file.split('/').collect();
        assert_eq!(violations(&parts, source), Vec::<String>::new(), "{file}, {source}");
    }
}

// ---- judging

/// What is wrong with one source file, given by the parts of its path below `src`.
fn violations(parts: &[&str], source: &str) -> Vec<String> {
    let module = parts[0].trim_end_matches(".rs");
    if module == "lib" {
        return Vec::new();
    }
    // A file in its folder is one level below the crate root when it is the folder's own, two otherwise, and so on.
    let depth = if parts.last() == Some(&"mod.rs") { parts.len() - 1 } else { parts.len() };
    let place = MAP.iter().position(|(name, _)| *name == module);
    let half = place.map(|at| MAP[at].1);
    let mut found = Vec::new();
    if place.is_none() && module != "main" {
        found.push(format!("{module} is not on the map"));
    }
    for path in paths(&tokens(source)) {
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        let shown = segments.join("::");
        let supers = segments.iter().take_while(|s| **s == "super").count();
        if supers >= depth && supers > 0 {
            found.push(format!("{shown} reaches the crate root: say crate::"));
        }
        if let ["crate" | "sockguard", used, ..] = segments.as_slice()
            && let Some(used_place) = MAP.iter().position(|(name, _)| name == used)
        {
            let below = match place {
                Some(place) => used_place <= place,
                None => *used == "cli",
            };
            let double = *used == "scripted" && module != "scripted" && !USERS_OF_SCRIPTED.contains(&module);
            if !below || double {
                found.push(format!("{module} uses {used} ({shown})"));
            }
        }
        if half == Some(Half::Pure) && NOT_IN_THE_PURE_HALF.iter().any(|banned| covers(&segments, banned)) {
            found.push(format!("names {shown}, which the pure half must not"));
        }
        if let Some((name, rooms)) = ROOMS.iter().find(|(name, _)| segments[0] == *name)
            && !rooms.contains(&module)
        {
            found.push(format!("names {name}, which only {rooms:?} may"));
        }
    }
    found
}

/// Whether a path names a banned one: itself, what is below it, or a module of `std` from which it could be taken.
fn covers(path: &[&str], banned: &str) -> bool {
    let banned: Vec<&str> = banned.split("::").collect();
    let path = match path {
        [all @ .., "*" | "self"] => all,
        all => all,
    };
    path.starts_with(&banned) || (path.len() > 1 && banned.starts_with(path))
}

// ---- reading

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Every path that the tokens name, `use` trees spread out, without the items that are compiled for tests only.
fn paths(tokens: &[String]) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        if starts(rest, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            at += skip_block(rest);
        } else if tokens[at] == "use" {
            let mut position = at + 1;
            use_tree(tokens, &mut position, &[], &mut out);
            at = position;
        } else if is_name(&tokens[at]) && (at == 0 || !["::", "."].contains(&tokens[at - 1].as_str())) {
            let mut path = vec![tokens[at].clone()];
            at += 1;
            while at + 1 < tokens.len() && tokens[at] == "::" && is_name(&tokens[at + 1]) {
                path.push(tokens[at + 1].clone());
                at += 2;
            }
            // A lone word is a path only where it is called as a macro or leads one; fields and variables are not.
            if path.len() > 1 || tokens.get(at).is_some_and(|next| next == "!") {
                out.push(path);
            }
        } else {
            at += 1;
        }
    }
    out
}

fn use_tree(tokens: &[String], at: &mut usize, prefix: &[String], out: &mut Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.as_str() {
            "::" => {}
            "{" => {
                while tokens.get(*at).is_some_and(|t| t != "}") {
                    use_tree(tokens, at, &path, out);
                }
                *at += 1;
                return;
            }
            "as" => *at += 1,
            "," | ";" => break,
            "}" => {
                *at -= 1;
                break;
            }
            name => path.push(name.to_owned()),
        }
    }
    if path.len() > prefix.len() {
        out.push(path);
    }
}

/// Length of the tokens up to the end of the first block in braces, or up to a `;` before it.
fn skip_block(tokens: &[String]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
    }
    tokens.len()
}

fn starts(tokens: &[String], with: &[&str]) -> bool {
    tokens.len() >= with.len() && tokens.iter().zip(with).all(|(token, want)| token == want)
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, single punctuation and string literals (quotes kept), without comments, characters and lifetimes.
fn tokens(source: &str) -> Vec<String> {
    let text: Vec<char> = source.chars().collect();
    let get = |at: usize| text.get(at).copied().unwrap_or('\0');
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match get(at) {
            '/' if get(at + 1) == '/' => {
                while at < text.len() && get(at) != '\n' {
                    at += 1;
                }
            }
            '/' if get(at + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (get(at), get(at + 1)) {
                        ('/', '*') => (depth, at) = (depth + 1, at + 2),
                        ('*', '/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= text.len() {
                        break;
                    }
                }
            }
            '"' => {
                let start = at;
                at += 1;
                while at < text.len() && get(at) != '"' {
                    at += if get(at) == '\\' { 2 } else { 1 };
                }
                at = (at + 1).min(text.len());
                out.push(text[start..at].iter().collect());
            }
            '\'' if get(at + 1) == '\\' => {
                at += 3;
                while at < text.len() && get(at) != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if get(at + 2) == '\'' => at += 3,
            '\'' => at += 1,
            ':' if get(at + 1) == ':' => {
                out.push("::".to_owned());
                at += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                let start = at;
                while get(at).is_alphanumeric() || get(at) == '_' {
                    at += 1;
                }
                let word: String = text[start..at].iter().collect();
                let hashes = text[at..].iter().take_while(|c| **c == '#').count();
                if ["r", "br", "cr"].contains(&word.as_str()) && get(at + hashes) == '"' {
                    let end: String = std::iter::once('"').chain("#".repeat(hashes).chars()).collect();
                    let rest: String = text[at + hashes + 1..].iter().collect();
                    let length = rest.find(&end).map_or(rest.chars().count(), |bytes| rest[..bytes].chars().count());
                    at = (at + hashes + 1 + length + end.len()).min(text.len());
                } else if !["b", "c"].contains(&word.as_str()) || !['"', '\''].contains(&get(at)) {
                    out.push(word);
                }
            }
            c if c.is_whitespace() => at += 1,
            c => {
                out.push(c.to_string());
                at += 1;
            }
        }
    }
    out
}
