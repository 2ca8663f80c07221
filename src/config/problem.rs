//! What is wrong with a configuration, in words for the operator who has to repair it.
//!
//! Owns the wording frame: key path first, then what is wrong, then where the value came from. Every stage collects all
//! its problems before it gives up, so that one run shows the whole list (spec 10 §4).

use std::collections::BTreeMap;
use std::fmt;

/// Longest piece of a value that an error repeats.
const SHOWN_VALUE_MAX_CHARACTERS: usize = 200;

/// Where a value came from; layers later in this list win over earlier ones (spec 10 §1.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    BuiltIn,
    /// Line of the configuration file, counted from 1; 0 when it could not be told.
    Line(usize),
    /// Environment variable of this name.
    Variable(String),
    /// Command-line flag, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn | Self::Line(0) => Ok(()),
            Self::Line(line) => write!(out, " (line {line})"),
            Self::Variable(name) => write!(out, " (from {name})"),
            Self::Flag(name) => write!(out, " (from {name})"),
        }
    }
}

/// Which key got its value from where. Keys are full paths such as `clients.profiles[0].mode`.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Notes that the value at `path` came from `origin`.
    pub fn note(&mut self, path: impl Into<String>, origin: Origin) {
        self.0.insert(path.into(), origin);
    }

    /// Where the value at `path` came from; for a value that is not noted itself, where the list or block around it
    /// did.
    #[must_use]
    pub fn of(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            if let Some(origin) = self.0.get(path) {
                return origin.clone();
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = path.get(..end).unwrap_or_default(),
                None => return Origin::BuiltIn,
            }
        }
    }

    /// Whether somebody set this very key.
    #[must_use]
    pub fn is_set(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Full key path, or `rule N` for a root rule; empty when the file as a whole is meant.
    pub path: String,
    /// What is wrong and what would be right.
    pub text: String,
    /// Where the value came from.
    pub origin: Origin,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(out, "{}: ", Visible(&self.path))?;
        }
        write!(out, "{}{}", Visible(&self.text), self.origin)
    }
}

/// A text without what a terminal obeys or does not show. Keys and variables come from the file as they are, and a
/// colour code or a line end in one of them must not forge what the operator reads.
struct Visible<'text>(&'text str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().try_for_each(|character| match character {
            // These two would be escaped as well, but belong to ordinary messages.
            '\'' | '"' | '\\' => out.write_char(character),
            _ => write!(out, "{}", character.escape_debug()),
        })
    }
}

/// Everything that one stage found wrong, in the order of the checks; never empty when returned as an error.
///
/// A hostile file can have a hundred thousand wrong keys: only the first hundred are kept, the rest is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    kept: Vec<Problem>,
    omitted: usize,
}

/// Most problems that one stage reports.
const PROBLEMS_MAX: usize = 100;

impl Problems {
    /// A list of one.
    #[must_use]
    pub fn one(text: impl Into<String>) -> Self {
        let mut problems = Self::default();
        problems.push(Problem { path: String::new(), text: text.into(), origin: Origin::BuiltIn });
        problems
    }

    /// Adds one problem.
    pub fn push(&mut self, problem: Problem) {
        if self.is_full() {
            self.omitted += 1;
        } else {
            self.kept.push(problem);
        }
    }

    /// Whether further problems are only counted, so that their wording is wasted work.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.kept.len() >= PROBLEMS_MAX
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The problems in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Problem> {
        self.kept.iter()
    }

    /// The same list with each problem changed.
    #[must_use]
    pub fn map(mut self, change: impl FnMut(&mut Problem)) -> Self {
        self.kept.iter_mut().for_each(change);
        self
    }

    /// One line for each problem, and one for those that were only counted.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let omitted = (self.omitted > 0).then(|| format!("and {} more", self.omitted));
        self.kept.iter().map(ToString::to_string).chain(omitted).collect()
    }

    /// `value` when nothing is wrong, else the list.
    ///
    /// # Errors
    /// The list itself, when it has an entry.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    /// One problem on the same line; several as a list, one line each.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kept.as_slice() {
            [only] => only.fmt(out),
            several => {
                write!(out, "{} problems:", several.len() + self.omitted)?;
                self.lines().iter().try_for_each(|line| write!(out, "\n  - {line}"))
            }
        }
    }
}

impl std::error::Error for Problems {}

/// A value as an error repeats it: quoted, control characters escaped, cut when long.
#[must_use]
pub fn quoted(value: &str) -> String {
    match value.char_indices().nth(SHOWN_VALUE_MAX_CHARACTERS) {
        Some((end, _)) => format!("{:?}…", value.get(..end).unwrap_or_default()),
        None => format!("{value:?}"),
    }
}

/// `a`, `a or b`, `a, b, or c`.
#[must_use]
pub fn alternatives(values: &[&str]) -> String {
    match values {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, second] => format!("{first} or {second}"),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, Origins, Problem, Problems, alternatives, quoted};

    #[test]
    fn a_problem_starts_with_its_path_and_ends_with_its_origin() {
        let problem = |origin| Problem { path: "log.level".into(), text: "is wrong".into(), origin };
        assert_eq!(problem(Origin::Line(3)).to_string(), "log.level: is wrong (line 3)");
        assert_eq!(problem(Origin::Line(0)).to_string(), "log.level: is wrong");
        assert_eq!(problem(Origin::BuiltIn).to_string(), "log.level: is wrong");
        assert_eq!(problem(Origin::Flag("--log-level")).to_string(), "log.level: is wrong (from --log-level)");
        let mut several = Problems::one("first");
        assert_eq!(several.to_string(), "first");
        several.push(problem(Origin::Variable("LOG_LEVEL".into())));
        assert_eq!(several.to_string(), "2 problems:\n  - first\n  - log.level: is wrong (from LOG_LEVEL)");
    }

    #[test]
    fn a_key_cannot_forge_what_the_operator_reads() {
        let path = "log.\u{1b}[31m\nlevel\u{202e}".to_owned();
        let problem = Problem { path, text: "is \"é\\n\", with \u{85}".into(), origin: Origin::Line(3) };
        assert_eq!(problem.to_string(), "log.\\u{1b}[31m\\nlevel\\u{202e}: is \"é\\n\", with \\u{85} (line 3)");
    }

    #[test]
    fn a_flood_of_problems_is_cut() {
        let mut problems = Problems::default();
        for number in 0..150 {
            problems.push(Problem { path: String::new(), text: number.to_string(), origin: Origin::BuiltIn });
        }
        assert!(problems.to_string().starts_with("150 problems:\n  - 0\n"));
        assert_eq!(problems.lines().len(), 101);
        assert_eq!(problems.lines().last().map(String::as_str), Some("and 50 more"));
    }

    #[test]
    fn an_element_inherits_the_origin_of_its_list() {
        let mut origins = Origins::default();
        origins.note("clients.allowed_cidrs", Origin::Line(7));
        assert_eq!(origins.of("clients.allowed_cidrs[4]"), Origin::Line(7));
        assert_eq!(origins.of("clients.default_profile"), Origin::BuiltIn);
        assert!(origins.is_set("clients.allowed_cidrs") && !origins.is_set("clients.allowed_cidrs[4]"));
    }

    #[test]
    fn values_are_quoted_and_cut() {
        assert_eq!(quoted("a\"\n"), "\"a\\\"\\n\"");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 203);
        assert_eq!(alternatives(&["a"]), "a");
        assert_eq!(alternatives(&["a", "b"]), "a or b");
        assert_eq!(alternatives(&["a", "b", "c"]), "a, b, or c");
    }
}
