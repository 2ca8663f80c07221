//! Which build this is.
//!
//! Owns the values that the build puts into the binary through its environment; what was not set says so.

/// Version, from `SOCKGUARD_VERSION` at build time.
pub const VERSION: &str = or(option_env!("SOCKGUARD_VERSION"), "dev");
/// Commit, from `SOCKGUARD_COMMIT` at build time.
pub const COMMIT: &str = or(option_env!("SOCKGUARD_COMMIT"), "unknown");
/// When it was built, from `SOCKGUARD_BUILT` at build time.
pub const BUILT: &str = or(option_env!("SOCKGUARD_BUILT"), "unknown");
/// Compiler, from `SOCKGUARD_RUSTC` at build time.
pub const RUSTC: &str = or(option_env!("SOCKGUARD_RUSTC"), "unknown");

/// First characters of the commit, as people name it.
#[must_use]
pub fn short_commit() -> &'static str {
    COMMIT.get(..7).unwrap_or(COMMIT)
}

const fn or(set: Option<&'static str>, unset: &'static str) -> &'static str {
    match set {
        Some(set) => set,
        None => unset,
    }
}
