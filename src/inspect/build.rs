//! `POST /build`: remote contexts, the host's network, and `RUN` (spec 30 §7).
//!
//! Owns the order of the checks and the choice of the Dockerfile. It must find the one that the Engine will use, or deny:
//! field report 52 is a context with two. It cannot see what a base image brings along: its `ONBUILD` triggers run
//! commands, too, and are a matter of which images may be pulled.

use std::io::Read;

use super::Outcome;
use super::archive::body::{Body, Format, decompress, drain};
use super::archive::dockerfile::{Finding, find, is_dockerfile};
use super::archive::media_type::is_form;
use super::archive::name::{escapes, normalize};
use super::archive::tar::Walker;
use super::archive::wanted::{Found, Wanted, collect};
use super::archive::{ArchiveError, BeforeBody, FORM_BODY, Halt, Upload, Wording, deny, deny_value};
use super::options::BuildOptions;
use super::query::{parameter, refuse_ambiguous};
use super::reason::Quoted;
use super::request::Request;
use super::text::{is_blank, is_host};
use crate::limits::{BUILD_CONTEXT_MAX_BYTES, DOCKERFILE_MAX_BYTES};

const WORDING: Wording =
    Wording { subject: "build", what: "build context", decompressed_max_bytes: BUILD_CONTEXT_MAX_BYTES };

const DEFAULT_DOCKERFILE: &str = "Dockerfile";
/// The build argument that names a frontend, in place of a directive in the Dockerfile.
const FRONTEND_ARGUMENT: &str = "BUILDKIT_SYNTAX";

/// Judges what can be judged without the build context. While `RUN` is not restricted that is everything, and the
/// context is streamed.
pub fn inspect_query(upload: &Upload<'_>, options: &BuildOptions) -> BeforeBody {
    WORDING.before_body(judge_query(upload, options))
}

/// Judges the build context, after [`inspect_query`] asked for it.
///
/// # Errors
/// When the context cannot be inspected.
pub fn inspect_body(upload: &Upload<'_>, body: &mut dyn Read) -> Result<Outcome, ArchiveError> {
    WORDING.conclude(judge_body(upload, body))
}

fn judge_query(upload: &Upload<'_>, options: &BuildOptions) -> Result<BeforeBody, Halt> {
    refuse_ambiguous(&Request { query: upload.query, ..Request::default() })?;
    if upload.has_body && upload.content_type.is_some_and(is_form) {
        return deny(FORM_BODY);
    }
    let network = parameter(upload.query, "networkmode")?.unwrap_or_default();
    if is_host(&network) && !options.allow_host_network {
        return deny("host network mode is not allowed");
    }
    let remote = parameter(upload.query, "remote")?.unwrap_or_default();
    if !is_blank(&remote) {
        if !options.allow_remote_context {
            return deny_value(format_args!("remote build context {} is not allowed", Quoted(&remote)));
        }
        if !options.allow_run_instructions {
            return deny("remote build contexts cannot be inspected while RUN instructions are restricted");
        }
    }
    if options.allow_run_instructions {
        return Ok(BeforeBody::Decided(Outcome::Pass));
    }
    refuse_frontend_argument(upload.query)?;
    Ok(BeforeBody::ReadBody)
}

/// Refuses build arguments that choose a frontend, which reads the Dockerfile as it likes.
fn refuse_frontend_argument(query: &[u8]) -> Result<(), Halt> {
    let arguments = parameter(query, "buildargs")?.unwrap_or_default();
    if arguments.is_empty() {
        return Ok(());
    }
    // Keys are data here, so that no folding is needed: the Engine decodes a map from string to string.
    let Ok(arguments) = serde_json::from_str::<Option<Arguments>>(&arguments) else {
        return deny("build arguments could not be inspected");
    };
    match arguments.and_then(|mut arguments| arguments.remove(FRONTEND_ARGUMENT)) {
        Some(frontend) => refuse_frontend(&frontend.unwrap_or_default()),
        None => Ok(()),
    }
}

/// Build arguments; one without value takes it from the Engine's environment.
type Arguments = std::collections::HashMap<String, Option<String>>;

fn judge_body(upload: &Upload<'_>, body: &mut dyn Read) -> Result<(), Halt> {
    let body = Body::open(body)?;
    if body.format() == Format::Empty {
        return Ok(());
    }
    let name = dockerfile_name(upload.query)?;
    let dockerfile = match body.format() {
        Format::Empty => return Ok(()),
        Format::Short => return Err(ArchiveError::Truncated.into()),
        Format::Tar => find_in_tar(&mut body.stream(), &name)?,
        Format::Gzip => {
            let mut context = decompress(body.stream(), BUILD_CONTEXT_MAX_BYTES);
            let found = find_in_tar(&mut context, &name);
            drain(&mut context)?;
            found?
        }
        Format::OtherCompression => None,
        Format::Unknown => raw_dockerfile(&mut body.stream())?,
    };
    let Some(dockerfile) = dockerfile else { return refuse_dockerfile(&name) };
    match find(&dockerfile) {
        Some(Finding::Frontend(frontend)) => refuse_frontend(&frontend),
        Some(Finding::Run) => deny("RUN instructions are not allowed"),
        None => Ok(()),
    }
}

/// Which file of the context is the Dockerfile, as a normal name.
fn dockerfile_name(query: &[u8]) -> Result<String, Halt> {
    let given = parameter(query, "dockerfile")?.unwrap_or_default();
    let name = given.trim();
    // The Engine does not trim, and looks for another file.
    if name.len() != given.len() || escapes(name.trim_start_matches('/').as_bytes()) {
        refuse_dockerfile(name)?;
    }
    let mut normal = Vec::new();
    normalize(name.as_bytes(), &mut normal);
    // Cleaning cuts at `/` only, so UTF-8 stays UTF-8.
    let normal = String::from_utf8(normal).unwrap_or_default();
    Ok(if normal.is_empty() { DEFAULT_DOCKERFILE.to_owned() } else { normal })
}

/// The Dockerfile of a tar; `None` when the Engine's choice cannot be told.
fn find_in_tar(context: &mut dyn Read, name: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut wanted = [Wanted::new(name.as_bytes(), DOCKERFILE_MAX_BYTES)];
    match collect(&mut Walker::new(context), &mut wanted) {
        Ok(()) => {}
        Err(ArchiveError::NotAnArchive) => return Ok(None),
        Err(error) => return Err(error),
    }
    let [wanted] = wanted;
    Ok(match wanted.found() {
        Found::File(dockerfile) => Some(dockerfile),
        Found::Absent | Found::Ambiguous => None,
    })
}

/// A body that is a Dockerfile itself.
fn raw_dockerfile(body: &mut dyn Read) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut text = Vec::new();
    body.take(DOCKERFILE_MAX_BYTES as u64 + 1).read_to_end(&mut text)?;
    if !is_dockerfile(&text) {
        return Ok(None);
    }
    if text.len() > DOCKERFILE_MAX_BYTES {
        return Err(ArchiveError::FileTooLong(DOCKERFILE_MAX_BYTES));
    }
    Ok(Some(text))
}

fn refuse_dockerfile(name: &str) -> Result<(), Halt> {
    deny_value(format_args!("unable to inspect Dockerfile {}", Quoted(name)))
}

fn refuse_frontend(frontend: &str) -> Result<(), Halt> {
    deny_value(format_args!(
        "BuildKit syntax frontend {} cannot be inspected while RUN instructions are restricted",
        Quoted(frontend)
    ))
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
