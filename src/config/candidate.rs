//! One candidate configuration: file, variables and flags merged into the schema (spec 10 §1).
//!
//! Owns where the file comes from, which layers apply to whom, and which rules are in effect. A candidate is readable
//! but unchecked; [`compile`](super::compile) decides whether it may run. Files are read here and nowhere else.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::compat::{Compat, built_in_rules, switches_present};
use super::environment::{self, Environment, SHARDS_VARIABLE};
use super::field::{Reader, Setting as _};
use super::problem::{Origin, Origins, Problem, Problems, quoted};
use super::schema::{Config, Rule};
use super::yaml::{self, Value};
use crate::limits::{CONFIG_MAX_BYTES, SHARDS_MAX};

/// Where the configuration is looked for when nobody names a file. There is no other place.
pub const DEFAULT_PATH: &str = "/etc/sockguard/sockguard.yaml";

/// Which file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFile {
    /// [`DEFAULT_PATH`], which may be absent.
    Default,
    /// The file of `--config`, which must exist.
    Named(String),
}

impl ConfigFile {
    /// The path to read.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Default => Path::new(DEFAULT_PATH),
            Self::Named(path) => Path::new(path),
        }
    }

    /// The bytes of the file; `None` when the default file is absent. Reads no more than a configuration can have.
    ///
    /// # Errors
    /// [`LoadError::Preflight`] when a named file is blank or absent, [`LoadError::Load`] when it cannot be read.
    pub fn read(&self) -> Result<Option<Vec<u8>>, LoadError> {
        if let Self::Named(path) = self
            && path.trim().is_empty()
        {
            return Err(LoadError::Preflight("config file path cannot be empty".to_owned()));
        }
        let mut bytes = Vec::new();
        // One byte more than is allowed, so that the reader of the bytes sees that there are too many.
        let read = File::open(self.path()).and_then(|file| file.take(CONFIG_MAX_BYTES + 1).read_to_end(&mut bytes));
        match (read, self) {
            (Ok(_), _) => Ok(Some(bytes)),
            (Err(error), Self::Default) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            (Err(error), Self::Named(path)) if error.kind() == io::ErrorKind::NotFound => {
                Err(LoadError::Preflight(format!("config file: {path}: {error}")))
            }
            (Err(error), _) => Err(LoadError::Load(Problems::one(format!("{}: {error}", self.path().display())))),
        }
    }
}

/// Why there is no candidate. The texts are the prefixes of spec 10 §3.1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The file that was named is not there.
    #[error("config preflight: {0}")]
    Preflight(String),
    /// The file or a variable cannot be read as a configuration.
    #[error("config load: {0}")]
    Load(Problems),
}

/// Which layers lie over the bytes of a file.
#[derive(Clone, Copy, Debug)]
pub enum Layers<'environment> {
    /// Variables, aliases and compatibility rules: how the process starts and reloads.
    Environment(&'environment Environment),
    /// Only compatibility rules: a candidate that somebody posts (spec 10 §1.2 exception 2).
    CompatibilityOnly(&'environment Environment),
    /// Nothing: bytes whose signature was verified. Unsigned variables must not widen a signed policy.
    Signed,
}

/// Values of command-line flags, which win over everything. An explicitly empty value counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen-socket`
    pub listen_socket: Option<String>,
    /// `--upstream-socket`
    pub upstream_socket: Option<String>,
    /// `--log-level`
    pub log_level: Option<String>,
    /// `--log-format`
    pub log_format: Option<String>,
    /// `--deny-verbosity`
    pub deny_verbosity: Option<String>,
    /// `--shards`
    pub shards: Option<usize>,
}

/// Whose rules are in effect.
#[derive(Clone, Debug, PartialEq)]
pub enum RulesSource {
    /// The file's.
    Configured,
    /// The compatibility variables'.
    Compatibility(Compat),
    /// Nobody's: the built-in ones.
    BuiltIn,
}

/// A readable, unchecked configuration.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The values. `rules` are those in effect, whoever made them.
    pub config: Config,
    /// Where each value came from.
    pub origins: Origins,
    /// Whose rules are in effect.
    pub rules_source: RulesSource,
    /// Compatibility variables that are there but ignored, because a signed configuration is demanded.
    pub ignored_switches: Vec<&'static str>,
    /// `SOCKGUARD_*` variables that mean nothing, each with the one that was probably meant.
    pub unknown_variables: Vec<(String, Option<String>)>,
    /// How many shards serve; `None` is one for each core.
    pub shards: Option<usize>,
}

impl Candidate {
    /// Reads the file and lays variables and flags over it.
    ///
    /// # Errors
    /// See [`LoadError`]; all wrong keys and values are listed.
    pub fn load(file: &ConfigFile, environment: &Environment, overrides: &Overrides) -> Result<Self, LoadError> {
        let bytes = file.read()?;
        Self::from_bytes(bytes.as_deref().unwrap_or_default(), Layers::Environment(environment), overrides)
            .map_err(|problems| LoadError::Load(named(file, problems)))
    }

    /// Reads the bytes of a file; no bytes are the built-in defaults.
    ///
    /// # Errors
    /// All wrong keys and values, or what stopped the parser.
    pub fn from_bytes(bytes: &[u8], layers: Layers<'_>, overrides: &Overrides) -> Result<Self, Problems> {
        let mut root = yaml::read(bytes)?;
        let mut shards = overrides.shards;
        if let Layers::Environment(environment) = layers {
            environment::overlay(&mut root, environment)?;
            shards = shards.map_or_else(|| shards_of(environment), |shards| Ok(Some(shards)))?;
        }
        let mut reader = Reader::default();
        let mut config = Config::default();
        if root.value != Value::Null {
            config.read(&root, &mut reader);
        }
        let mut origins = reader.problems.or(reader.origins)?;
        apply(overrides, &mut config, &mut origins);
        let mut candidate = Self {
            config,
            origins,
            rules_source: RulesSource::Configured,
            ignored_switches: Vec::new(),
            unknown_variables: Vec::new(),
            shards,
        };
        candidate.choose_rules(layers);
        Ok(candidate)
    }

    /// The rules in effect are the file's, else those of the variables, else the built-in ones.
    fn choose_rules(&mut self, layers: Layers<'_>) {
        let environment = match layers {
            Layers::Environment(environment) => {
                self.unknown_variables = environment.unknown_variables();
                Some(environment)
            }
            Layers::CompatibilityOnly(environment) => Some(environment),
            Layers::Signed => None,
        };
        if !self.config.rules.is_empty() {
            return;
        }
        let environment = environment.filter(|environment| {
            // The variables are unsigned; a process that demands signatures must not let them widen its policy.
            if self.config.policy_bundle.enabled {
                self.ignored_switches = switches_present(environment);
            }
            !self.config.policy_bundle.enabled
        });
        match environment.and_then(Compat::from_environment) {
            Some(compat) => {
                self.config.rules.clone_from(&compat.rules);
                self.rules_source = RulesSource::Compatibility(compat);
            }
            None => {
                self.config.rules = built_in_rules();
                self.rules_source = RulesSource::BuiltIn;
            }
        }
    }

    /// The rules in effect.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.config.rules
    }

    /// Whether the rules come from compatibility variables.
    #[must_use]
    pub fn is_compatibility_mode(&self) -> bool {
        matches!(self.rules_source, RulesSource::Compatibility(_))
    }
}

/// The problems of the file as a whole with its name in front; the others begin with their key.
fn named(file: &ConfigFile, problems: Problems) -> Problems {
    problems.map(|problem| {
        if problem.path.is_empty() {
            problem.text = format!("{}: {}", file.path().display(), problem.text);
        }
    })
}

fn shards_of(environment: &Environment) -> Result<Option<usize>, Problems> {
    let one = |problem| {
        let mut problems = Problems::default();
        problems.push(problem);
        problems
    };
    let Some(text) = environment.text(SHARDS_VARIABLE).map_err(one)? else { return Ok(None) };
    match text.parse() {
        Ok(shards) if (1..=SHARDS_MAX).contains(&shards) => Ok(Some(shards)),
        _ => Err(one(Problem {
            path: SHARDS_VARIABLE.to_owned(),
            text: format!("must be a number between 1 and {SHARDS_MAX}, got {}", quoted(text)),
            origin: Origin::BuiltIn,
        })),
    }
}

/// Applies the flags that were given.
fn apply(overrides: &Overrides, config: &mut Config, origins: &mut Origins) {
    let flags = [
        (&overrides.listen_socket, &mut config.listen.socket, "listen.socket", "--listen-socket"),
        (&overrides.upstream_socket, &mut config.upstream.socket, "upstream.socket", "--upstream-socket"),
        (&overrides.log_level, &mut config.log.level, "log.level", "--log-level"),
        (&overrides.log_format, &mut config.log.format, "log.format", "--log-format"),
        (&overrides.deny_verbosity, &mut config.response.deny_verbosity, "response.deny_verbosity", "--deny-verbosity"),
    ];
    for (given, value, path, flag) in flags {
        if let Some(given) = given {
            value.clone_from(given);
            origins.note(path, Origin::Flag(flag));
        }
    }
}

#[cfg(test)]
#[path = "candidate_tests.rs"]
mod tests;
