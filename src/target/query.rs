//! The query as the Engine reads it: Go's `url.ParseQuery`, and the Engine's own boolean.
//!
//! Owns the one reading of query parameters, so that policy never judges a parameter that the Engine does not see, or
//! the other way round (spec 60 §3.1). A query on which two readings could differ is re-encoded before it is forwarded.

use std::borrow::Cow;

use memchr::memchr;

use super::escape;
use crate::limits::QUERY_MAX_PAIRS;

/// One decoded parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair<'query> {
    /// Decoded key; may be empty.
    pub key: Cow<'query, [u8]>,
    /// Decoded value; empty for `key` and for `key=`.
    pub value: Cow<'query, [u8]>,
}

/// The parameters in the order in which they were sent. Pairs with `;` or an invalid escape are left out, as the Engine
/// leaves them out. Allocates only for keys and values with escapes.
pub fn pairs(query: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    raw_pairs(query)
        .filter_map(|(key, value)| Some(Pair { key: escape::decode_query(key)?, value: escape::decode_query(value)? }))
}

/// Whether every reading of the query agrees: no `;`, no invalid escape, not more pairs than the Engine accepts. Only
/// such a query may be forwarded byte for byte.
#[must_use]
pub fn is_well_formed(query: &[u8]) -> bool {
    memchr(b';', query).is_none() && escape::is_well_formed(query) && has_acceptable_count(query)
}

/// Appends the query as the Engine would write it back: unreadable pairs dropped, keys in ascending byte order, the
/// values of one key in the order received (spec 60 §3.1).
pub fn reencode(query: &[u8], out: &mut Vec<u8>) {
    let mut sorted: Vec<Pair<'_>> = pairs(query).collect();
    sorted.sort_by(|left, right| left.key.cmp(&right.key));
    for (index, pair) in sorted.iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        escape::encode_query(&pair.key, out);
        out.push(b'=');
        escape::encode_query(&pair.value, out);
    }
}

/// Appends the query with exactly one `key`, whose value is `value`: where the first one stood, or behind the others.
/// Unreadable pairs are dropped, the other ones keep their spelling.
pub fn replace(query: &[u8], key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let (start, mut is_written) = (out.len(), false);
    for pair in readable_pairs(query).map(Some).chain([None]) {
        let other = pair.filter(|(name, _)| !escape::query_equals(name, key));
        if other.is_none() && is_written {
            continue;
        }
        if out.len() > start {
            out.push(b'&');
        }
        if let Some((name, value)) = other {
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend_from_slice(value);
        } else {
            escape::encode_query(key, out);
            out.push(b'=');
            escape::encode_query(value, out);
            is_written = true;
        }
    }
}

/// The first value of `key`, which is the one that counts for the Engine. Allocates only when the value has escapes.
#[must_use]
pub fn first<'query>(query: &'query [u8], key: &[u8]) -> Option<Cow<'query, [u8]>> {
    readable_pairs(query)
        .find(|(name, _)| escape::query_equals(name, key))
        .and_then(|(_, value)| escape::decode_query(value))
}

/// The Engine's boolean: everything is true but, after trim and case fold, the empty value, `0`, `no`, `false` and
/// `none` (field report 20). An absent parameter is the caller's business.
#[must_use]
pub fn engine_bool(value: &[u8]) -> bool {
    // A value that is not UTF-8 is none of the false words, whatever is trimmed.
    let Ok(text) = std::str::from_utf8(value) else { return true };
    let text = text.trim();
    !text.is_empty() && !["0", "no", "false", "none"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Those of [`raw_pairs`] that can be decoded.
fn readable_pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    raw_pairs(query).filter(|(key, value)| escape::is_well_formed(key) && escape::is_well_formed(value))
}

/// Undecoded keys and values. Empty pairs and pairs with `;` are left out.
fn raw_pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let query = if has_acceptable_count(query) { query } else { b"" };
    query.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty() && memchr(b';', pair).is_none()).map(|pair| {
        match memchr(b'=', pair) {
            Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
            None => (pair, &b""[..]),
        }
    })
}

/// Newer Engines refuse to read a query with more pairs, older ones read them all. We read none and forward none, so
/// that neither acts on a parameter that was not judged.
fn has_acceptable_count(query: &[u8]) -> bool {
    query.len() < QUERY_MAX_PAIRS || memchr::memchr_iter(b'&', query).count() < QUERY_MAX_PAIRS
}
