//! Checks of signers: keys, identities, time-out; for signed configurations and for images (spec 10 §4.4, §4.5).

use regex::RegexBuilder;

use super::Check;
use super::pem::is_public_key;
use crate::config::duration::parse_nanoseconds;
use crate::config::problem::quoted;
use crate::config::schema::{KeylessIdentity, SigningKey};

/// Largest compiled pattern.
const PATTERN_MAX_BYTES: usize = 1 << 20;

/// Who may sign, and how long a verification may take.
pub(super) struct Trust<'a> {
    /// Key path of the block.
    pub(super) path: &'a str,
    pub(super) keys: &'a [SigningKey],
    pub(super) identities: &'a [KeylessIdentity],
    pub(super) verify_timeout: &'a str,
}

/// 33 to 36, 43 to 45
pub(super) fn check_trust(check: &mut Check<'_>, trust: &Trust<'_>) {
    let path = trust.path;
    if trust.keys.is_empty() && trust.identities.is_empty() {
        check.wrong(path, "must contain at least one of allowed_signing_keys or allowed_keyless");
    }
    for (index, key) in trust.keys.iter().enumerate() {
        let path = format!("{path}.allowed_signing_keys[{index}].pem");
        if check.required(&path, &key.pem) && !is_public_key(&key.pem) {
            check.wrong(&path, "must be one PEM public key: ECDSA, RSA or ed25519");
        }
    }
    for (index, identity) in trust.identities.iter().enumerate() {
        let path = format!("{path}.allowed_keyless[{index}]");
        check.required(&format!("{path}.issuer"), &identity.issuer);
        check_pattern(check, &format!("{path}.subject_pattern"), &identity.subject_pattern);
    }
    check_timeout(check, &format!("{path}.verify_timeout"), trust.verify_timeout);
}

fn check_pattern(check: &mut Check<'_>, path: &str, pattern: &str) {
    if !check.required(path, pattern) {
        return;
    }
    // The pattern itself first: `a)|(b` is none, though the anchored form around it would be one and match too much.
    for pattern in [pattern.to_owned(), format!("^(?:{pattern})$")] {
        if let Err(error) = RegexBuilder::new(&pattern).size_limit(PATTERN_MAX_BYTES).build() {
            let error = error.to_string();
            let cause = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            return check.wrong(path, format!("is no regular expression: {cause}, got {}", quoted(&pattern)));
        }
    }
}

/// 17 as well.
pub(super) fn check_positive_duration(check: &mut Check<'_>, path: &str, text: &str) {
    match parse_nanoseconds(text) {
        Err(error) => check.wrong(path, format!("{error}, got {}", quoted(text))),
        Ok(nanoseconds) if nanoseconds <= 0 => {
            check.wrong(path, format!("must be more than zero, got {}", quoted(text)))
        }
        Ok(_) => {}
    }
}

/// Empty is the default; anything else must be a positive duration.
fn check_timeout(check: &mut Check<'_>, path: &str, text: &str) {
    if !text.is_empty() {
        check_positive_duration(check, path, text);
    }
}
