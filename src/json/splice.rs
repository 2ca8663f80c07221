//! Setting one string inside a document without touching any other byte (spec 30 §0.4, 50 A1).
//!
//! Owns the edit. It finds fields as the Engine does, writes them under their canonical spelling, and creates the
//! objects that lie on the way. It does not look for duplicates elsewhere: the body was read before.

use super::escape::append_string;
use super::tokens::{Malformed, Window};
use super::walk::{Key, Walk};
use super::{fold, scalar};
use crate::limits::JSON_BODY_MAX_BYTES;

/// A step from an object to one of its members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step<'p> {
    /// A field of the API, found in any case and written like this. Has to be ASCII.
    Field(&'static str),
    /// A key of the user's in a data map, found and written exactly.
    Entry(&'p str),
}

/// Why a document was left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpliceError {
    /// Not one JSON document.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The document itself is not an object.
    #[error("json document is not an object")]
    RootNotObject,
    /// A field on the way is neither absent nor null nor an object.
    #[error("{0} must be an object")]
    NotObject(&'static str),
    /// An object on the way holds the key that is looked for more than once.
    #[error("json document repeats a key on the way of an edit")]
    Duplicate,
    /// More than [`JSON_BODY_MAX_BYTES`].
    #[error("json document exceeds the limit: {0} bytes")]
    TooLarge(usize),
}

/// The memory for splicing; keep it between documents.
#[derive(Debug)]
pub struct Splicer {
    window: Box<Window>,
}

impl Splicer {
    /// Memory of a few kilobytes, which is all that it ever needs.
    pub fn new() -> Splicer {
        Splicer { window: Window::new() }
    }

    /// Appends `document` to `out` with the string at `path` set to `value`, whatever was there.
    ///
    /// Absent and null objects on the way are created. An empty path changes nothing.
    ///
    /// # Errors
    ///
    /// See [`SpliceError`]; `out` then holds an incomplete document behind what it held before.
    pub fn set_string(
        &mut self,
        document: &[u8],
        path: &[Step<'_>],
        value: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), SpliceError> {
        if document.len() > JSON_BODY_MAX_BYTES {
            return Err(SpliceError::TooLarge(document.len()));
        }
        let walk = Walk::of(document, &mut self.window)?;
        let mut edit = Edit { walk, document, copied: 0, value, out };
        if edit.walk.byte() != b'{' {
            return Err(SpliceError::RootNotObject);
        }
        edit.object(path)?;
        edit.walk.finish()?;
        edit.copy_to(document.len());
        Ok(())
    }
}

impl Default for Splicer {
    fn default() -> Splicer {
        Splicer::new()
    }
}

struct Edit<'d, 'w, 'e> {
    walk: Walk<'d, 'w>,
    document: &'d [u8],
    /// How much of the document was copied or replaced so far.
    copied: usize,
    value: &'e str,
    out: &'e mut Vec<u8>,
}

impl<'d, 'w> AsMut<Walk<'d, 'w>> for Edit<'d, 'w, '_> {
    fn as_mut(&mut self) -> &mut Walk<'d, 'w> {
        &mut self.walk
    }
}

impl Edit<'_, '_, '_> {
    /// Edits an object. Recursion follows the path, which is ours.
    fn object(&mut self, path: &[Step<'_>]) -> Result<(), SpliceError> {
        let mut found = false;
        let closing = Walk::members(
            self,
            |_, key| {
                let (step, below) = path.split_first().filter(|(step, _)| step.matches(key.content()))?;
                Some((key, *step, below))
            },
            |edit, (key, step, below)| {
                if std::mem::replace(&mut found, true) {
                    return Err(SpliceError::Duplicate);
                }
                edit.spell(step, key);
                edit.member(step, below)
            },
        )?;
        if !found && !path.is_empty() {
            self.copy_to(closing.at);
            if !closing.is_empty {
                self.out.push(b',');
            }
            self.append_members(path);
        }
        Ok(self.walk.leave()?)
    }

    fn member(&mut self, step: Step<'_>, below: &[Step<'_>]) -> Result<(), SpliceError> {
        let first = self.walk.current();
        if !below.is_empty() && first.byte == b'{' {
            return self.object(below);
        }
        if !below.is_empty() && first.byte != b'n' {
            return Err(SpliceError::NotObject(step.field()));
        }
        let end = self.walk.extent()?;
        self.copy_to(first.at);
        self.append_value(below);
        self.copied = end;
        Ok(())
    }

    /// Writes a field that was found in another spelling under its canonical one.
    fn spell(&mut self, step: Step<'_>, key: Key<'_>) {
        if let Step::Field(name) = step
            && name.as_bytes() != key.content()
        {
            self.copy_to(key.start());
            self.out.extend_from_slice(name.as_bytes());
            self.copied = key.end();
        }
    }

    fn append_value(&mut self, path: &[Step<'_>]) {
        if path.is_empty() {
            append_string(self.out, self.value);
        } else {
            self.out.push(b'{');
            self.append_members(path);
            self.out.push(b'}');
        }
    }

    fn append_members(&mut self, path: &[Step<'_>]) {
        if let Some((step, below)) = path.split_first() {
            append_string(self.out, step.spelling());
            self.out.push(b':');
            self.append_value(below);
        }
    }

    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.document.get(self.copied..end).unwrap_or_default());
        self.copied = end;
    }
}

impl<'p> Step<'p> {
    /// Whether a key, as it stands between its quotes, is this step's.
    fn matches(self, content: &[u8]) -> bool {
        let Ok(content) = std::str::from_utf8(content) else { return false };
        if !content.contains('\\') {
            return match self {
                Step::Field(name) => fold::names(content, name),
                Step::Entry(key) => content == key,
            };
        }
        let mut rest = content;
        let characters = std::iter::from_fn(|| {
            let (character, length) = scalar::character(rest)?;
            rest = rest.get(length..)?;
            Some(character)
        });
        match self {
            Step::Field(name) => characters.map(fold::fold).eq(name.chars().map(fold::fold)),
            Step::Entry(key) => characters.eq(key.chars()),
        }
    }

    fn spelling(self) -> &'p str {
        match self {
            Step::Field(name) => name,
            Step::Entry(key) => key,
        }
    }

    /// For messages; a user's key is none of theirs.
    fn field(self) -> &'static str {
        match self {
            Step::Field(name) => name,
            Step::Entry(_) => "data map entry",
        }
    }
}
