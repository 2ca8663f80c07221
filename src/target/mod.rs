//! The request target: raw bytes of the request line to form, path and query.
//!
//! Owns the four target forms and the refusal of malformed targets (spec 20 §1, 60 §2). It must not rewrite anything:
//! what is forwarded is what the client sent, so everything here is a range into the received bytes. The canonical
//! path, on which policy is judged, is in [`path`]; the Engine's reading of the query is in [`query`], and of its `filters`
//! parameter in [`filters`].

mod escape;
pub mod filters;
pub mod path;
pub mod query;

#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::{memchr, memmem};
use thiserror::Error;

pub use path::RequestPath;

/// The four forms of a request target (RFC 9112 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `/path?query`
    Origin,
    /// `http://authority/path?query`
    Absolute,
    /// `host:port`, with `CONNECT` only. Its path is empty; policy refuses the method whatever the rules say.
    Authority,
    /// `*`, with `OPTIONS` only. Its path is `*`.
    Asterisk,
}

/// A well-formed request target, as ranges into the raw target that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The form that the client used.
    pub form: Form,
    /// The path, still percent-encoded. Empty for the authority form and for an absolute form without a path.
    pub path: Range<usize>,
    /// The query without its `?`; `None` without a `?`.
    pub query: Option<Range<usize>>,
    /// Host and optional port of an absolute or authority form; it replaces the value of `Host` (spec 20 §1).
    pub authority: Option<Range<usize>>,
}

/// Why a request target is refused, always with status 400 and before any policy (spec 20 §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// The request line has no target; the client sent two spaces or none.
    #[error("request target is empty")]
    Empty,
    /// A `%` in the path is not followed by two hexadecimal digits.
    #[error("request target has an invalid percent-escape")]
    InvalidEscape,
    /// A raw control byte or space. Bytes like these must be percent-encoded.
    #[error("request target has a raw control byte: {0:#04x}")]
    ControlByte(u8),
    /// A raw byte above 0x7e. Clients that mean text encode its UTF-8 form.
    #[error("request target has a raw non-ASCII byte: {0:#04x}")]
    NonAscii(u8),
    /// Neither origin, absolute, authority nor asterisk form, for instance `GET containers/json`.
    #[error("request target has no known form")]
    UnknownForm,
    /// The authority is empty, has user information, or has a byte that no host and port has.
    #[error("request target has an invalid authority")]
    InvalidAuthority,
}

impl Target {
    /// Parses the raw target of a request line.
    ///
    /// # Errors
    /// Every error is the client's and is answered with status 400.
    pub fn parse(method: &[u8], raw: &[u8]) -> Result<Target, TargetError> {
        refuse_raw_bytes(raw)?;
        match raw.first() {
            None => Err(TargetError::Empty),
            Some(b'/') => Target::path_and_query(raw, Form::Origin, 0, None),
            Some(_) if method.eq_ignore_ascii_case(b"CONNECT") => {
                if !is_authority(raw) {
                    return Err(TargetError::InvalidAuthority);
                }
                Ok(Target { form: Form::Authority, path: 0..0, query: None, authority: Some(0..raw.len()) })
            }
            Some(b'*') if raw.len() == 1 && method.eq_ignore_ascii_case(b"OPTIONS") => {
                Ok(Target { form: Form::Asterisk, path: 0..1, query: None, authority: None })
            }
            Some(_) => Target::absolute(raw),
        }
    }

    /// The path's bytes; `raw` is the slice that was parsed.
    #[must_use]
    pub fn path_of<'raw>(&self, raw: &'raw [u8]) -> &'raw [u8] {
        raw.get(self.path.clone()).unwrap_or_default()
    }

    /// The query's bytes without `?`, empty when there is none; `raw` is the slice that was parsed.
    #[must_use]
    pub fn query_of<'raw>(&self, raw: &'raw [u8]) -> &'raw [u8] {
        self.query.clone().and_then(|range| raw.get(range)).unwrap_or_default()
    }

    /// The authority's bytes; `raw` is the slice that was parsed.
    #[must_use]
    pub fn authority_of<'raw>(&self, raw: &'raw [u8]) -> Option<&'raw [u8]> {
        self.authority.clone().and_then(|range| raw.get(range))
    }

    fn absolute(raw: &[u8]) -> Result<Target, TargetError> {
        let scheme = memmem::find(raw, b"://").ok_or(TargetError::UnknownForm)?;
        let name = raw.get(..scheme).unwrap_or_default();
        if !name.eq_ignore_ascii_case(b"http") && !name.eq_ignore_ascii_case(b"https") {
            return Err(TargetError::UnknownForm);
        }
        let start = scheme + "://".len();
        let rest = raw.get(start..).unwrap_or_default();
        let end = start + memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
        if !is_authority(raw.get(start..end).unwrap_or_default()) {
            return Err(TargetError::InvalidAuthority);
        }
        Target::path_and_query(raw, Form::Absolute, end, Some(start..end))
    }

    /// Splits `raw[start..]` at its first `?`. An escape in the query may be malformed: the pair is dropped later
    /// (spec 60 §3.1). An escape in the path may not: proxy and Engine would decode different paths.
    fn path_and_query(
        raw: &[u8],
        form: Form,
        start: usize,
        authority: Option<Range<usize>>,
    ) -> Result<Target, TargetError> {
        let rest = raw.get(start..).unwrap_or_default();
        let (end, query) = match memchr(b'?', rest) {
            Some(mark) => (start + mark, Some(start + mark + 1..raw.len())),
            None => (raw.len(), None),
        };
        if !escape::is_well_formed(raw.get(start..end).unwrap_or_default()) {
            return Err(TargetError::InvalidEscape);
        }
        Ok(Target { form, path: start..end, query, authority })
    }
}

/// Refuses what no target may contain raw. A space or line break that got this far would start a new field or line in
/// the forwarded request; bytes above 0x7e are read differently by every parser.
fn refuse_raw_bytes(raw: &[u8]) -> Result<(), TargetError> {
    // Without an early exit the loop is vectorised; the offender is looked for only when there is one.
    let clean = raw.iter().fold(true, |clean, &byte| clean & is_visible(byte));
    if clean {
        return Ok(());
    }
    match raw.iter().copied().find(|&byte| !is_visible(byte)) {
        Some(byte) if byte > 0x7f => Err(TargetError::NonAscii(byte)),
        Some(byte) => Err(TargetError::ControlByte(byte)),
        None => Ok(()),
    }
}

fn is_visible(byte: u8) -> bool {
    byte.wrapping_sub(0x21) < 0x7f - 0x21
}

/// Host and port of RFC 3986 without user information, which would end up in `Host`.
fn is_authority(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(byte))
        && escape::is_well_formed(bytes)
}
