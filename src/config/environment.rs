//! The environment layer: `SOCKGUARD_*` variables and the two aliases over the file (spec 10 §1.2, §1.3, §6.3).
//!
//! Owns the names and what "set" means. It works on the tree that was read from the file, before the schema reads it,
//! so that a variable replaces a leaf whole and its siblings keep what the file says. The environment is handed in as
//! data; nothing here asks the process for it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::field::{Block, Field, Kind, Schema};
use super::problem::{Origin, Problem, Problems};
use super::schema::Config;
use super::suggest::nearest;
use super::yaml::{Node, Value};

/// Start of every variable that sets a key.
pub const PREFIX: &str = "SOCKGUARD_";
/// Variables with the prefix that set no key of the file.
pub const OTHER_VARIABLES: &[&str] = &[SHARDS_VARIABLE];
/// How many shards serve; the flag `--shards` wins.
pub const SHARDS_VARIABLE: &str = "SOCKGUARD_SHARDS";

/// The variables of a process.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Environment {
    /// Whether the variable exists, with whatever value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(OsStr::new(name))
    }

    /// The value, when the variable exists; text that is not UTF-8 has replacement characters.
    #[must_use]
    pub fn lossy(&self, name: &str) -> Option<String> {
        self.0.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned())
    }

    /// The value, when the variable exists and is not empty: an empty variable counts as unset.
    ///
    /// # Errors
    /// The value is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.get(OsStr::new(name)).map(|value| value.to_str()) {
            None | Some(Some("")) => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(Problem { path: name.to_owned(), text: "is not UTF-8".into(), origin: Origin::BuiltIn }),
        }
    }

    /// Names that start with [`PREFIX`] and mean nothing, each with the name that was probably meant.
    ///
    /// They are no error (spec 10 §1.3), but a misspelt variable must not go unnoticed.
    #[must_use]
    pub fn unknown_variables(&self) -> Vec<(String, Option<String>)> {
        let known: Vec<String> = leaves().map(|leaf| leaf.variable).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).chain(OTHER_VARIABLES.iter().copied()).collect();
        let names = self.0.keys().map(|name| name.to_string_lossy());
        names
            .filter(|name| name.starts_with(PREFIX) && !known.contains(&name.as_ref()))
            .map(|name| (name.to_string(), nearest(&name, &known).map(str::to_owned)))
            .collect()
    }
}

/// A key that one variable can set.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Names of the blocks around the key and of the key.
    pub path: Vec<&'static str>,
    /// Name of the variable.
    pub variable: String,
    /// Its row.
    pub field: &'static Field,
}

/// Name of the variable for a path of keys.
#[must_use]
pub fn variable_name(path: &[&str]) -> String {
    format!("{PREFIX}{}", path.join("_").to_uppercase())
}

/// Every key that a variable can set, in the order of the schema.
pub fn leaves() -> impl Iterator<Item = Leaf> {
    let mut found = Vec::new();
    collect_leaves(Config::BLOCK, &mut Vec::new(), &mut found);
    found.into_iter()
}

fn collect_leaves(block: &'static Block, path: &mut Vec<&'static str>, found: &mut Vec<Leaf>) {
    for field in block.fields.iter().filter(|field| field.env) {
        path.push(field.name);
        match field.kind {
            Kind::Block(inner) => collect_leaves(inner, path, found),
            kind if kind.fits_one_variable() => {
                found.push(Leaf { path: path.clone(), variable: variable_name(path), field });
            }
            _ => {}
        }
        path.pop();
    }
}

/// Lays the variables over the tree of the file.
///
/// # Errors
/// Values that are not UTF-8. Values of the wrong kind are found when the schema reads them, which names the variable.
pub fn overlay(root: &mut Node, environment: &Environment) -> Result<(), Problems> {
    let mut problems = Problems::default();
    overlay_aliases(root, environment, &mut problems);
    for leaf in leaves() {
        match environment.text(&leaf.variable) {
            Ok(None) => {}
            Ok(Some(text)) => set(root, &leaf.path, &leaf.variable, text.to_owned()),
            Err(problem) => problems.push(problem),
        }
    }
    problems.or(())
}

/// `SOCKET_PATH` and `LOG_LEVEL`, as the classic images read them. Each gives way to its `SOCKGUARD_*` form, also when
/// that is there but empty.
fn overlay_aliases(root: &mut Node, environment: &Environment, problems: &mut Problems) {
    let socket = ["upstream", "socket"];
    if !environment.has(&variable_name(&socket)) {
        match environment.text("SOCKET_PATH") {
            Ok(path) => {
                if let Some(path) = path.map(str::trim).filter(|path| !path.is_empty()) {
                    set(root, &socket, "SOCKET_PATH", path.to_owned());
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    let level = ["log", "level"];
    if !environment.has(&variable_name(&level))
        && let Some(text) = environment.lossy("LOG_LEVEL")
    {
        set(root, &level, "LOG_LEVEL", classic_log_level(&text));
    }
}

/// The level that a syslog-like word stands for. Other words stay as they are and fail the check of `log.level`.
fn classic_log_level(text: &str) -> String {
    let word = text.trim().to_lowercase();
    match word.as_str() {
        "notice" => "info".to_owned(),
        "warning" => "warn".to_owned(),
        "err" | "crit" | "alert" | "emerg" => "error".to_owned(),
        _ => word,
    }
}

/// Puts a text at a path of keys and makes the blocks on the way. What is no block stays: the schema will say so.
fn set(root: &mut Node, path: &[&str], variable: &str, text: String) {
    let origin = Origin::Variable(variable.to_owned());
    let mut node = root;
    for key in path {
        if node.value == Value::Null {
            // The block itself is nobody's: what else is in it has its default, not this variable's doing.
            *node = Node { origin: Origin::BuiltIn, value: Value::Map(Vec::new()) };
        }
        let Value::Map(map) = &mut node.value else { return };
        let index = map.iter().position(|(name, _)| name == key).unwrap_or(map.len());
        if index == map.len() {
            map.push(((*key).to_owned(), Node { origin: Origin::BuiltIn, value: Value::Null }));
        }
        let Some((_, inner)) = map.get_mut(index) else { return };
        node = inner;
    }
    *node = Node { origin, value: Value::Text(text) };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Environment, leaves, variable_name};

    #[test]
    fn names_follow_the_path() {
        let names: Vec<String> = leaves().map(|leaf| leaf.variable).collect();
        for name in [
            "SOCKGUARD_REQUEST_BODY_EXEC_ALLOW_ROOT_USER",
            "SOCKGUARD_LOG_AUDIT_ENABLED",
            "SOCKGUARD_INSECURE_ALLOW_READ_EXFILTRATION",
            "SOCKGUARD_ADMIN_LISTEN_TLS_PUBLIC_KEY_SHA256_PINS",
            "SOCKGUARD_REQUEST_BODY_EXEC_ALLOWED_COMMANDS",
            "SOCKGUARD_POLICY_BUNDLE_REQUIRE_REKOR_INCLUSION",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        for name in [
            "SOCKGUARD_LOG",
            "SOCKGUARD_RULES",
            "SOCKGUARD_CLIENTS_PROFILES",
            "SOCKGUARD_CLIENTS_GLOBAL_CONCURRENCY_MAX_INFLIGHT",
            "SOCKGUARD_POLICY_BUNDLE_ALLOWED_SIGNING_KEYS",
            "SOCKGUARD_REQUEST_BODY_CONTAINER_CREATE_ALLOWED_DEVICE_REQUESTS",
            "SOCKGUARD_REQUEST_BODY_CONTAINER_CREATE_IMAGE_TRUST_MODE",
        ] {
            assert!(!names.iter().any(|known| known == name), "{name}");
        }
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "two keys share a variable");
        assert_eq!(variable_name(&["log", "level"]), "SOCKGUARD_LOG_LEVEL");
    }

    #[test]
    fn a_misspelt_variable_is_noticed() {
        let environment: Environment = [
            ("SOCKGUARD_LOG_LEVLE", "debug"),
            ("SOCKGUARD_LOG_LEVEL", "debug"),
            ("SOCKGUARD_SHARDS", "1"),
            ("SOCKGUARD_XYZZY", ""),
            ("PATH", "/bin"),
        ]
        .into_iter()
        .collect();
        assert_eq!(
            environment.unknown_variables(),
            [
                ("SOCKGUARD_LOG_LEVLE".to_owned(), Some("SOCKGUARD_LOG_LEVEL".to_owned())),
                ("SOCKGUARD_XYZZY".to_owned(), None)
            ]
        );
    }
}
