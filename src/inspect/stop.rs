//! How an inspector stops early: with a reason, or because it cannot read what it was given.
//!
//! Owns the error type of the inspectors' own functions, so that each check is one line and `?` ends the inspection at
//! the first hit.

use std::borrow::Cow;
use std::fmt::Display;

use super::Outcome;
use crate::json::{Field, Reader, TypeError, View};

/// Why an inspection stops.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Policy forbids it; the text follows `<subject> denied: `.
    Denied(Cow<'static, str>),
    /// The body is not what the Engine would decode.
    Unreadable,
}

/// What a check came to when it has nothing else to give.
pub(crate) type Judged = Result<(), Stop>;

impl From<TypeError> for Stop {
    fn from(_: TypeError) -> Stop {
        Stop::Unreadable
    }
}

/// Reads a document and judges it.
pub(crate) fn read<R>(
    reader: &mut Reader,
    document: &[u8],
    judge: impl FnOnce(View<'_>) -> Result<R, Stop>,
) -> Result<R, Stop> {
    reader.read(document, judge).map_err(|_| Stop::Unreadable)?
}

/// A string field; absent is empty.
pub(crate) fn text(field: Field<'_>) -> Result<&str, TypeError> {
    Ok(field.string()?.unwrap_or_default())
}

/// A truth field; absent is false.
pub(crate) fn flag(field: Field<'_>) -> Result<bool, TypeError> {
    Ok(field.bool()?.unwrap_or_default())
}

/// An integer field; absent is zero.
pub(crate) fn integer(field: Field<'_>) -> Result<i64, TypeError> {
    Ok(field.integer()?.unwrap_or_default())
}

/// Whether a field is an object with any member.
pub(crate) fn has_members(field: Field<'_>) -> Result<bool, TypeError> {
    Ok(field.object()?.is_some_and(|object| !object.is_empty()))
}

/// Stops with a fixed reason.
pub(crate) fn deny(reason: &'static str) -> Judged {
    Err(Stop::Denied(Cow::Borrowed(reason)))
}

/// Stops with a reason that names a value.
pub(crate) fn deny_value(reason: impl Display) -> Judged {
    Err(Stop::Denied(Cow::Owned(reason.to_string())))
}

/// The outcome for `subject`, with the reason for a body that cannot be read.
pub(crate) fn conclude(judged: Judged, subject: &str, unreadable: &str) -> Outcome {
    let reason = match judged {
        Ok(()) => return Outcome::Pass,
        Err(Stop::Denied(reason)) => reason,
        Err(Stop::Unreadable) => Cow::Owned(unreadable.to_owned()),
    };
    Outcome::Denied(Cow::Owned(format!("{subject} denied: {reason}")))
}

/// The reason of most inspectors for a body that they cannot read.
pub(crate) const NOT_INSPECTABLE: &str = "request body could not be inspected";
