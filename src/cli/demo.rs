//! `demo`: shows what the proxy does, against a made-up Engine.

use super::Failure;

/// Runs the demonstration.
///
/// # Errors
/// Always, until the demonstration is built.
pub fn run() -> Result<(), Failure> {
    Err(Failure::Error("demo: not available in this build".to_owned()))
}
