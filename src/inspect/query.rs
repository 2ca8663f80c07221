//! Query parameters on which a verdict depends (spec 30 §15 gaps 1 and 2).
//!
//! Owns the refusal of queries that the Engine and we could read differently. Which parameters matter is the
//! inspectors' business.

use std::borrow::Cow;

use super::reason::Quoted;
use super::request::Request;
use super::stop::{Judged, Stop, deny, deny_value};
use crate::target::query;

/// The one value of a parameter; `None` when it is absent.
///
/// # Errors
/// A denial when it stands there twice (readers disagree which one counts), or when it is not UTF-8.
pub(crate) fn parameter<'q>(query: &'q [u8], name: &str) -> Result<Option<Cow<'q, str>>, Stop> {
    let mut values = query::pairs(query).filter(|pair| *pair.key == *name.as_bytes());
    let Some(pair) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        deny_value(format_args!("query parameter {} is repeated", Quoted(name)))?;
    }
    let text = match pair.value {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    if text.is_none() {
        deny_value(format_args!("query parameter {} is not UTF-8", Quoted(name)))?;
    }
    Ok(text)
}

/// Refuses what makes parameters ambiguous: an invalid escape or a `;` in the query, and a form as body, whose
/// parameters override those of the query.
pub(crate) fn refuse_ambiguous(request: &Request<'_>) -> Judged {
    if !query::is_well_formed(request.query) {
        return deny("query could not be inspected");
    }
    if !request.body.is_empty() && request.content_type.is_some_and(is_form) {
        return deny("form-encoded request bodies are not allowed");
    }
    Ok(())
}

/// Whether the media type is a form's, in any case and with any parameters.
fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(judged: Judged) -> Option<String> {
        match judged {
            Ok(()) => None,
            Err(Stop::Denied(reason)) => Some(reason.into_owned()),
            Err(Stop::Unreadable) => Some("unreadable".to_owned()),
        }
    }

    #[test]
    fn parameters_have_one_value() {
        for (query, expected) in [
            (&b"remote=a%2Fb"[..], Ok(Some("a/b"))),
            (b"x=1&remote=a+b&y", Ok(Some("a b"))),
            (b"remote", Ok(Some(""))),
            (b"rem%6fte=a", Ok(Some("a"))),
            (b"Remote=a", Ok(None)),
            (b"", Ok(None)),
            (b"remote=a&remote=b", Err("query parameter \"remote\" is repeated")),
            (b"remote=a&rem%6fte=a", Err("query parameter \"remote\" is repeated")),
            (b"remote=%ff", Err("query parameter \"remote\" is not UTF-8")),
        ] {
            let read = parameter(query, "remote");
            let read = match &read {
                Ok(value) => Ok(value.as_deref()),
                Err(Stop::Denied(reason)) => Err(reason.as_ref()),
                Err(Stop::Unreadable) => Err("unreadable"),
            };
            assert_eq!(read, expected, "{}", query.escape_ascii());
        }
    }

    #[test]
    fn ambiguous_queries_are_refused() {
        for (query, is_refused) in [(&b"a=1;b=2"[..], true), (b"a=%zz", true), (b"a=%2", true), (b"a=%3b&b", false)] {
            let request = Request { query, ..Request::default() };
            assert_eq!(reason(refuse_ambiguous(&request)).is_some(), is_refused, "{}", query.escape_ascii());
        }
    }

    #[test]
    fn forms_are_refused() {
        for (content_type, body, is_refused) in [
            (Some(&b"application/x-www-form-urlencoded"[..]), &b"remote=b"[..], true),
            (Some(b" Application/X-WWW-Form-Urlencoded ; charset=utf-8"), b"remote=b", true),
            (Some(b"application/x-www-form-urlencoded"), b"", false),
            (Some(b"application/json"), b"[]", false),
            (None, b"[]", false),
        ] {
            let request = Request { content_type, body, ..Request::default() };
            assert_eq!(reason(refuse_ambiguous(&request)).is_some(), is_refused, "{content_type:?}");
        }
    }
}
