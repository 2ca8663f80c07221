//! Archives in request bodies: what a tar, compressed or not, would write when the Engine unpacks it (spec 30 §4, §6, §7,
//! §14).
//!
//! Owns reading: [`tar`] walks entries, [`body`] tells compressions apart and keeps budgets, [`wanted`] picks single
//! files, [`links`] knows what lies behind a link, [`multipart`] cuts parts, [`dockerfile`] finds `RUN`. What is allowed is the business of the
//! inspectors beside this folder. All of it reads a stream once, in bounded memory, and where two readers of an archive
//! could disagree, the archive is refused: the one that unpacks must see what was inspected.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{Error as IoError, ErrorKind};

use thiserror::Error;

use super::Outcome;
use super::stop::{NOT_INSPECTABLE, Stop};
use crate::json::{TypeError, Unreadable};

pub mod body;
pub mod dockerfile;
mod header;
pub mod links;
pub mod media_type;
pub mod multipart;
pub mod name;
mod pax;
pub mod tar;
#[cfg(test)]
pub(crate) mod testing;
pub mod wanted;

/// What the inspectors of archives know of a request, the body apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Upload<'r> {
    /// The query as received, without `?`.
    pub query: &'r [u8],
    /// The `Content-Type` header.
    pub content_type: Option<&'r [u8]>,
    /// Whether a body comes: a `Content-Length` other than 0, or a transfer coding.
    pub has_body: bool,
}

/// What an inspector says before it has seen the body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum BeforeBody {
    /// The verdict; the body does not matter and need not be read.
    Decided(Outcome),
    /// The body decides. It has to be spooled, up to [`SPOOLED_BODY_MAX_BYTES`](crate::limits::SPOOLED_BODY_MAX_BYTES).
    ReadBody,
}

/// Why an archive cannot be inspected: 403, `request_body_inspection_failed`, with the inspector's
/// [`failure_reason`](crate::endpoint::Inspector::failure_reason). The text is for the log; it holds no content.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The body, or what it decompresses to, cannot be read.
    #[error("archive cannot be read: {0}")]
    Read(#[source] IoError),
    /// It ends within an entry, or before it could be told what it is.
    #[error("archive is truncated")]
    Truncated,
    /// It begins with no tar header.
    #[error("body is not an archive")]
    NotAnArchive,
    /// A header of an entry is damaged.
    #[error("archive has a malformed entry header")]
    MalformedHeader,
    /// An extended header is damaged, too long, or belongs to no entry.
    #[error("archive has a malformed extended header")]
    MalformedExtension,
    /// A name, link or size is stated twice, with different values; readers disagree on which one counts.
    #[error("archive states twice, with different values, an entry's {0}")]
    Contradiction(&'static str),
    /// An entry of a type that no Engine unpacks.
    #[error("archive has an entry of an unsupported type: {0:#04x}")]
    UnsupportedType(u8),
    /// A compression other than gzip.
    #[error("archive has an unsupported compression")]
    UnsupportedCompression,
    /// A file that has to be read is longer than its bound, in bytes.
    #[error("archive has a file that is too long to be read, in bytes more than {0}")]
    FileTooLong(usize),
    /// More links than are remembered.
    #[error("archive has too many links")]
    TooManyLinks,
    /// A multipart body is damaged.
    #[error("multipart body is malformed")]
    MalformedMultipart,
    /// A file that has to be read as JSON cannot be.
    #[error("archive has a file that cannot be read: {0}")]
    Json(#[from] Unreadable),
    /// A field of such a file has another type than the Engine decodes.
    #[error("archive has a file that cannot be read: {0}")]
    Type(#[from] TypeError),
    /// The body is longer than is read. Inspectors turn it into [`Outcome::TooLarge`].
    #[error("body exceeds the byte limit")]
    BodyTooLong,
    /// The body decompresses to more than is read. Inspectors turn it into a denial.
    #[error("decompressed archive exceeds the byte limit")]
    DecompressedTooLong,
}

impl From<IoError> for ArchiveError {
    fn from(error: IoError) -> ArchiveError {
        if let Some(overrun) = error.get_ref().and_then(|cause| cause.downcast_ref::<body::Overrun>()) {
            return match overrun {
                body::Overrun::Body => ArchiveError::BodyTooLong,
                body::Overrun::Decompressed => ArchiveError::DecompressedTooLong,
            };
        }
        if error.kind() == ErrorKind::UnexpectedEof { ArchiveError::Truncated } else { ArchiveError::Read(error) }
    }
}

/// Why the inspection of an archive stops.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Policy forbids it, or what policy depends on is not there; the text follows `<subject> denied: `.
    Denied(Cow<'static, str>),
    /// The archive cannot be inspected.
    Failed(ArchiveError),
}

/// What a check came to when it has nothing else to give.
pub(crate) type Checked = Result<(), Halt>;

impl From<ArchiveError> for Halt {
    fn from(error: ArchiveError) -> Halt {
        Halt::Failed(error)
    }
}

impl From<IoError> for Halt {
    fn from(error: IoError) -> Halt {
        Halt::Failed(error.into())
    }
}

impl From<Unreadable> for Halt {
    fn from(error: Unreadable) -> Halt {
        Halt::Failed(error.into())
    }
}

impl From<TypeError> for Halt {
    fn from(error: TypeError) -> Halt {
        Halt::Failed(error.into())
    }
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Halt {
        match stop {
            Stop::Denied(reason) => Halt::Denied(reason),
            Stop::Unreadable => Halt::Denied(NOT_INSPECTABLE.into()),
        }
    }
}

/// The reason for a body from which the Engine would take parameters.
pub(crate) const FORM_BODY: &str = "form-encoded request bodies are not allowed";

/// Stops with a fixed reason.
pub(crate) fn deny<T>(reason: &'static str) -> Result<T, Halt> {
    Err(Halt::Denied(reason.into()))
}

/// Stops with a reason that names a value.
pub(crate) fn deny_value<T>(reason: impl Display) -> Result<T, Halt> {
    Err(Halt::Denied(reason.to_string().into()))
}

/// What an inspector's uploads are called in reasons, and how long they may be.
pub(crate) struct Wording {
    /// Precedes ` denied: `.
    pub(crate) subject: &'static str,
    /// What is decompressed, for instance `build context`.
    pub(crate) what: &'static str,
    /// Longest archive after decompression.
    pub(crate) decompressed_max_bytes: u64,
}

impl Wording {
    /// The outcome of the checks that need no body; passing means that the body decides.
    pub(crate) fn before_body(&self, checked: Result<BeforeBody, Halt>) -> BeforeBody {
        let halt = match checked {
            Ok(before) => return before,
            Err(halt) => halt,
        };
        BeforeBody::Decided(match self.conclude(Err(halt)) {
            Ok(outcome) => outcome,
            // No check of a query reads an archive; should one do, its failure still denies.
            Err(error) => self.denied(&error),
        })
    }

    /// The outcome of all checks.
    pub(crate) fn conclude(&self, checked: Checked) -> Result<Outcome, ArchiveError> {
        match checked {
            Ok(()) => Ok(Outcome::Pass),
            Err(Halt::Denied(reason)) => Ok(self.denied(&reason)),
            Err(Halt::Failed(ArchiveError::BodyTooLong)) => Ok(Outcome::TooLarge),
            Err(Halt::Failed(ArchiveError::DecompressedTooLong)) => {
                let Wording { what, decompressed_max_bytes, .. } = self;
                Ok(self.denied(&format_args!("decompressed {what} exceeds {decompressed_max_bytes} byte limit")))
            }
            Err(Halt::Failed(error)) => Err(error),
        }
    }

    fn denied(&self, reason: &dyn Display) -> Outcome {
        Outcome::Denied(format!("{} denied: {reason}", self.subject).into())
    }
}
