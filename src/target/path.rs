//! The path of one request: decoded once, cleaned, version prefix stripped once, in this order (spec 20 §1, §2).
//!
//! Owns the canonical path, the only path on which anything is decided: rules, inspectors, hijack detection, metrics.
//! Two components that derive it separately are a smuggling bug. It is never sent to the Engine.

use memchr::{memchr, memrchr};

use super::{TargetError, escape};

/// Decoded and canonical path of one request. Keeps its capacity from request to request.
#[derive(Debug, Default)]
pub struct RequestPath {
    decoded: Vec<u8>,
    /// Used only when cleaning changes the decoded path.
    cleaned: Vec<u8>,
    is_clean: bool,
    /// Length of the version prefix of the clean path, without the `/` that ends it.
    prefix_length: usize,
}

impl RequestPath {
    /// Takes the raw path of a request, escapes and all, in place of the previous one.
    ///
    /// # Errors
    /// [`TargetError::InvalidEscape`]; the path is then empty and the request must be refused.
    pub fn set(&mut self, raw: &[u8]) -> Result<(), TargetError> {
        self.clear();
        if is_canonical_but_for_version(raw) {
            self.decoded.extend_from_slice(raw);
            self.is_clean = true;
        } else {
            if !escape::decode_path(raw, &mut self.decoded) {
                self.clear();
                return Err(TargetError::InvalidEscape);
            }
            clean(&self.decoded, &mut self.cleaned);
            self.is_clean = false;
        }
        self.prefix_length = version_prefix_length(self.clean_path());
        Ok(())
    }

    /// Empties the path; capacity is kept.
    pub fn clear(&mut self) {
        self.decoded.clear();
        self.cleaned.clear();
        self.is_clean = true;
        self.prefix_length = 0;
    }

    /// Empties the path and gives back memory beyond `kept` bytes.
    pub fn shrink_to(&mut self, kept: usize) {
        self.clear();
        self.decoded.shrink_to(kept);
        self.cleaned.shrink_to(kept);
    }

    /// The path as received, decoded once: version prefix kept, not cleaned.
    #[must_use]
    pub fn decoded(&self) -> &[u8] {
        &self.decoded
    }

    /// The canonical path. Empty when the request has no path.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        self.clean_path().get(self.prefix_length..).unwrap_or_default()
    }

    /// The stripped version prefix after cleaning, for instance `/v1.45`; empty without one.
    #[must_use]
    pub fn version_prefix(&self) -> &[u8] {
        self.clean_path().get(..self.prefix_length).unwrap_or_default()
    }

    /// Whether the canonical path still begins with something that the Engine may take for a version (spec 20 §11
    /// gap 1). See [`has_version_segment`].
    #[must_use]
    pub fn has_unaccepted_version(&self) -> bool {
        has_version_segment(self.canonical())
    }

    fn clean_path(&self) -> &[u8] {
        if self.is_clean { &self.decoded } else { &self.cleaned }
    }
}

/// Whether the first segment of a canonical path is `v` and a run of digits and dots.
///
/// The Engine strips any `/v[0-9.]+/`, policy only the documented form. What is left after that would be judged as
/// `/v1.2.3.4/containers/create` and executed as `/containers/create`, past its inspector, so it is always denied.
#[must_use]
pub fn has_version_segment(canonical: &[u8]) -> bool {
    let Some(rest) = canonical.strip_prefix(b"/v") else { return false };
    let segment = rest.get(..memchr(b'/', rest).unwrap_or(rest.len())).unwrap_or_default();
    !segment.is_empty() && segment.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// The common case: nothing to decode and nothing to clean, as every Docker client sends it. May be `false` for a path
/// that would come out unchanged (`/.well-known`); never `true` for one that would not.
fn is_canonical_but_for_version(raw: &[u8]) -> bool {
    let (Some(b'/'), Some(tail)) = (raw.first(), raw.get(1..)) else { return raw.is_empty() };
    // Both loops run without an early exit so that they are vectorised.
    let has_escape = raw.iter().fold(false, |found, &byte| found | (byte == b'%'));
    let has_empty_or_dot_segment = raw
        .iter()
        .zip(tail)
        .fold(false, |found, (&byte, &next)| found | (byte == b'/') & ((next == b'/') | (next == b'.')));
    let has_trailing_slash = tail.last() == Some(&b'/');
    !(has_escape | has_empty_or_dot_segment | has_trailing_slash)
}

/// Lexical clean: runs of `/` collapse, `.` goes, `..` takes the segment before it, a trailing `/` goes. A rooted path
/// stays within its root; any other keeps its leading `..`. Linear: a byte is removed at most once.
pub(crate) fn clean(path: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if path.is_empty() {
        return;
    }
    let is_rooted = path.first() == Some(&b'/');
    // What `..` cannot remove: the leading `..` of a path without root.
    let mut floor = 0;
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." if out.len() > floor => out.truncate(memrchr(b'/', out).unwrap_or(0)),
            b".." if is_rooted => {}
            _ => {
                if is_rooted || !out.is_empty() {
                    out.push(b'/');
                }
                out.extend_from_slice(segment);
                if segment == b".." {
                    floor = out.len();
                }
            }
        }
    }
    if out.is_empty() {
        out.push(if is_rooted { b'/' } else { b'.' });
    }
}

/// Length of a leading `/vN` or `/vN.N` that is followed by `/`; 0 without one. Case and form are strict, the number
/// of digits is free.
fn version_prefix_length(path: &[u8]) -> usize {
    let Some(version) = path.strip_prefix(b"/v") else { return 0 };
    let Some(length) = memchr(b'/', version) else { return 0 };
    let Some(version) = version.get(..length) else { return 0 };
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let is_version = match memchr(b'.', version) {
        Some(dot) => {
            is_number(version.get(..dot).unwrap_or_default()) && is_number(version.get(dot + 1..).unwrap_or_default())
        }
        None => is_number(version),
    };
    if is_version { "/v".len() + length } else { 0 }
}
