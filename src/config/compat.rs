//! Rules from the variables of the classic Docker socket images (spec 10 §6), and the built-in rules (§7).
//!
//! Owns which variables count, what they mean and which rules they make. The rules go through the same checks, guards
//! and inspection as any others.

use super::environment::Environment;
use super::schema::{Match, Rule};

/// A variable that switches a section, its default, and the path that it opens.
const SECTIONS: [(&str, bool, &str); 24] = [
    ("PING", true, "/_ping"),
    ("VERSION", true, "/version"),
    ("EVENTS", true, "/events"),
    ("AUTH", false, "/auth/**"),
    ("BUILD", false, "/build/**"),
    ("COMMIT", false, "/commit/**"),
    ("CONFIGS", false, "/configs/**"),
    ("CONTAINERS", false, "/containers/**"),
    ("DISTRIBUTION", false, "/distribution/**"),
    ("EXEC", false, "/exec/**"),
    ("EXEC", false, "/containers/*/exec"),
    ("GRPC", false, "/grpc/**"),
    ("IMAGES", false, "/images/**"),
    ("INFO", false, "/info"),
    ("NETWORKS", false, "/networks/**"),
    ("NODES", false, "/nodes/**"),
    ("PLUGINS", false, "/plugins/**"),
    ("SECRETS", false, "/secrets/**"),
    ("SERVICES", false, "/services/**"),
    ("SESSION", false, "/session/**"),
    ("SWARM", false, "/swarm/**"),
    ("SYSTEM", false, "/system/**"),
    ("TASKS", false, "/tasks/**"),
    ("VOLUMES", false, "/volumes/**"),
];

/// Variables any of which opens a single write, independent of `POST`.
const WRITES: [(&[&str], &str, &str); 10] = [
    (&["ALLOW_CREATE"], "POST", "/containers/create"),
    (&["ALLOW_DELETE"], "DELETE", "/containers/*"),
    (&["ALLOW_EXEC"], "POST", "/containers/*/exec"),
    (&["ALLOW_KILL", "ALLOW_RESTARTS", "ALLOW_RESTART"], "POST", "/containers/*/kill"),
    (&["ALLOW_PAUSE"], "POST", "/containers/*/pause"),
    (&["ALLOW_PRUNE"], "POST", "/containers/prune"),
    (&["ALLOW_RESTARTS", "ALLOW_RESTART"], "POST", "/containers/*/restart"),
    (&["ALLOW_START"], "POST", "/containers/*/start"),
    (&["ALLOW_STOP", "ALLOW_RESTARTS", "ALLOW_RESTART"], "POST", "/containers/*/stop"),
    (&["ALLOW_UNPAUSE"], "POST", "/containers/*/unpause"),
];

/// The variable that opens the sections for all methods.
const POST: &str = "POST";

/// Words that these variables take.
pub const ACCEPTED_VALUES: &str = "1, true, yes, 0, false, no";

/// The reason of the last generated rule.
const NO_MATCH: &str = "no matching allow rule";

/// What the variables made.
#[derive(Clone, Debug, PartialEq)]
pub struct Compat {
    /// The rules, in order.
    pub rules: Vec<Rule>,
    /// Variables whose value is no boolean, which counts as false, with the value.
    pub unreadable: Vec<(&'static str, String)>,
}

impl Compat {
    /// Generates the rules; nothing when no switch is in the environment.
    #[must_use]
    pub fn from_environment(environment: &Environment) -> Option<Self> {
        let present = switches_present(environment);
        if present.is_empty() {
            return None;
        }
        let unreadable = present
            .iter()
            .filter_map(|name| environment.lossy(name).map(|value| (*name, value)))
            .filter(|(_, value)| boolean(value).is_none())
            .collect();
        Some(Self { rules: generate(environment), unreadable })
    }
}

/// The switches in the environment, whatever their values, in alphabetical order.
#[must_use]
pub fn switches_present(environment: &Environment) -> Vec<&'static str> {
    let mut names: Vec<&str> = std::iter::once(POST)
        .chain(SECTIONS.iter().map(|(name, _, _)| *name))
        .chain(WRITES.iter().flat_map(|(names, _, _)| names.iter().copied()))
        .filter(|name| environment.has(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn generate(environment: &Environment) -> Vec<Rule> {
    let is_on = |name: &str, default: bool| match environment.lossy(name) {
        Some(value) => boolean(&value).unwrap_or(false),
        None => default,
    };
    // The classic read-only gate lets HEAD through as well.
    let method = if is_on(POST, false) { "*" } else { "GET,HEAD" };
    let sections = SECTIONS
        .iter()
        .filter(|(name, default, _)| is_on(name, *default))
        .map(|(_, _, path)| rule(method, path, "allow", ""));
    let writes = WRITES
        .iter()
        .filter(|(names, _, _)| names.iter().any(|name| is_on(name, false)))
        .map(|(_, method, path)| rule(method, path, "allow", ""));
    sections.chain(writes).chain(std::iter::once(rule("*", "/**", "deny", NO_MATCH))).collect()
}

fn boolean(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

fn rule(method: &str, path: &str, action: &str, reason: &str) -> Rule {
    Rule {
        r#match: Match { method: method.to_owned(), path: path.to_owned() },
        action: action.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The rules that hold when nobody configured any (spec 10 §7).
#[must_use]
pub fn built_in_rules() -> Vec<Rule> {
    vec![
        rule("GET", "/_ping", "allow", ""),
        rule("HEAD", "/_ping", "allow", ""),
        rule("GET", "/version", "allow", ""),
        rule("GET", "/events", "allow", ""),
        rule("*", "/**", "deny", NO_MATCH),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Compat, SECTIONS, WRITES, built_in_rules};
    use crate::config::environment::Environment;

    /// The generated rules as `METHOD PATH`, without the last.
    fn rules(variables: &[(&str, &str)]) -> Vec<String> {
        let environment: Environment = variables.iter().copied().collect();
        let compat = Compat::from_environment(&environment).expect("a switch is set");
        let (last, allowed) = compat.rules.split_last().expect("there is the last rule");
        assert_eq!((last.r#match.method.as_str(), last.r#match.path.as_str()), ("*", "/**"));
        assert_eq!((last.action.as_str(), last.reason.as_str()), ("deny", "no matching allow rule"));
        assert!(allowed.iter().all(|rule| rule.action == "allow" && rule.reason.is_empty()));
        allowed.iter().map(|rule| format!("{} {}", rule.r#match.method, rule.r#match.path)).collect()
    }

    const DEFAULTS: [&str; 3] = ["GET,HEAD /_ping", "GET,HEAD /version", "GET,HEAD /events"];

    #[test]
    fn nothing_set_is_no_compatibility_mode() {
        let environment: Environment =
            [("SOCKET_PATH", "/x"), ("LOG_LEVEL", "info"), ("PATH", "/bin")].into_iter().collect();
        assert_eq!(Compat::from_environment(&environment), None);
    }

    #[test]
    fn any_switch_with_any_value_activates() {
        for value in ["0", "1", "", "garbage"] {
            assert_eq!(rules(&[("BUILD", value)])[..3], DEFAULTS, "{value:?}");
        }
        for (name, ..) in SECTIONS {
            assert!(!rules(&[(name, "1")]).is_empty(), "{name}");
        }
        for name in WRITES.iter().flat_map(|(names, ..)| names.iter()) {
            assert_eq!(rules(&[(name, "0")]), DEFAULTS, "{name}");
        }
    }

    #[test]
    fn sections_follow_post() {
        assert_eq!(rules(&[("CONTAINERS", "1")])[3..], ["GET,HEAD /containers/**"]);
        assert_eq!(
            rules(&[("EXEC", "yes"), ("POST", "TRUE")])[..],
            ["* /_ping", "* /version", "* /events", "* /exec/**", "* /containers/*/exec"]
        );
        assert_eq!(rules(&[("POST", "1")]), ["* /_ping", "* /version", "* /events"]);
        assert_eq!(rules(&[("PING", "no"), ("EVENTS", "False")]), ["GET,HEAD /version"]);
    }

    #[test]
    fn writes_ignore_post() {
        assert_eq!(
            rules(&[("ALLOW_RESTARTS", "1"), ("POST", "0")])[3..],
            ["POST /containers/*/kill", "POST /containers/*/restart", "POST /containers/*/stop"]
        );
        assert_eq!(rules(&[("ALLOW_RESTART", "1")]), rules(&[("ALLOW_RESTARTS", "1")]));
        assert_eq!(rules(&[("ALLOW_DELETE", "1")])[3..], ["DELETE /containers/*"]);
    }

    #[test]
    fn what_is_no_boolean_is_false_and_told() {
        let environment: Environment =
            [("VERSION", "1.2.3"), ("PING", ""), ("INFO", " 1"), ("POST", "1")].into_iter().collect();
        let compat = Compat::from_environment(&environment).expect("a switch is set");
        let told: Vec<&str> = compat.unreadable.iter().map(|(name, _)| *name).collect();
        assert_eq!(told, ["INFO", "PING", "VERSION"]);
        assert_eq!(compat.rules.len(), 2);
        assert_eq!(built_in_rules().len(), 5);
    }
}
