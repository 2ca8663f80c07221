//! `serve`: start-up in the order of spec 10 §3.1, then the servers.

use super::Failure;
use crate::config::{Candidate, ConfigFile, Environment, Overrides, compile, unavailable};

/// Serves until a signal ends the process.
///
/// # Errors
/// The first stage of the start-up that fails, with its prefix.
pub fn run(overrides: &Overrides, file: &ConfigFile) -> Result<(), Failure> {
    let environment: Environment = std::env::vars_os().collect();
    let candidate = Candidate::load(file, &environment, overrides)?;
    compile(&candidate).map_err(|problems| Failure::Error(format!("config validation: {problems}")))?;
    let missing = unavailable(&candidate);
    if !missing.is_empty() {
        return Err(Failure::Error(format!("config validation: {missing}")));
    }
    Err(Failure::Error("serve: not available in this build".to_owned()))
}
