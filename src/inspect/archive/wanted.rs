//! Single files in an archive, on which a verdict depends: a Dockerfile, a manifest, a plugin's configuration.
//!
//! Owns the certainty that what was read is what the Engine will read (spec 30 §15 gap 5, field report 52). A file that
//! stands there twice in whatever spelling, as something else than a regular file, or possibly behind a link, is
//! ambiguous, and so not inspectable.

use super::ArchiveError;
use super::links::Links;
use super::name::{is_ancestor, normalize, trim};
use super::tar::{Entry, Kind, Walker};

/// A file that is looked for, and what was found.
#[derive(Debug)]
pub struct Wanted {
    /// Normal.
    path: Vec<u8>,
    max_bytes: usize,
    content: Option<Vec<u8>>,
    is_ambiguous: bool,
}

/// What was found after the walk.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing by that name.
    Absent,
    /// What the Engine will read cannot be told.
    Ambiguous,
    /// The file.
    File(Vec<u8>),
}

impl Wanted {
    /// Looks for the file with this normal name, of up to `max_bytes`.
    #[must_use]
    pub fn new(path: &[u8], max_bytes: usize) -> Wanted {
        Wanted { path: path.to_vec(), max_bytes, content: None, is_ambiguous: false }
    }

    /// What was found.
    #[must_use]
    pub fn found(self) -> Found {
        match self.content {
            _ if self.is_ambiguous => Found::Ambiguous,
            Some(content) => Found::File(content),
            None => Found::Absent,
        }
    }

    /// Looks at an entry.
    fn meet(&mut self, walker: &mut Walker<'_>, entry: Entry, normal: &[u8]) -> Result<(), ArchiveError> {
        if normal == self.path {
            if entry.kind == Kind::Regular && !entry.is_sparse && self.content.is_none() {
                self.content = Some(walker.read_payload(self.max_bytes)?);
            } else {
                self.is_ambiguous = true;
            }
        } else if entry.kind != Kind::Directory && is_ancestor(normal, &self.path) {
            // What the file lies in is replaced.
            self.is_ambiguous = true;
        }
        Ok(())
    }
}

/// Walks the whole archive for some files.
///
/// # Errors
/// What is wrong with the archive; [`ArchiveError::FileTooLong`] for a wanted file.
pub fn collect(walker: &mut Walker<'_>, wanted: &mut [Wanted]) -> Result<(), ArchiveError> {
    let mut links = Links::default();
    let mut normal = Vec::new();
    let mut trimmed = Vec::new();
    while let Some(entry) = walker.next_entry()? {
        normalize(walker.name(), &mut normal);
        // An entry behind a link may be written anywhere, a link there redirect any later one.
        let is_anywhere = links.lead_to(&normal);
        if entry.kind.is_link() {
            links.insert(&normal)?;
        }
        // Names with blanks around them are other files, but policy reads them as if they were not.
        let name = walker.name();
        let has_blanks = trim(name).len() != name.len();
        if has_blanks {
            normalize(trim(name), &mut trimmed);
        }
        for file in &mut *wanted {
            file.is_ambiguous |= is_anywhere || (has_blanks && trimmed == file.path);
            file.meet(walker, entry, &normal)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::archive::testing::Builder;

    fn find(path: &str, archive: &Builder) -> Found {
        let archive = archive.bytes();
        let mut source = &archive[..];
        let mut wanted = [Wanted::new(path.as_bytes(), 100)];
        collect(&mut Walker::new(&mut source), &mut wanted).unwrap();
        let [wanted] = wanted;
        wanted.found()
    }

    #[test]
    fn one_regular_file_is_found() {
        for name in ["Dockerfile", "./Dockerfile", "/Dockerfile", "x/../Dockerfile"] {
            let archive = Builder::new().file("a", "1").file(name, "FROM a").directory("b/").file("b/Dockerfile", "x");
            assert_eq!(find("Dockerfile", &archive), Found::File(b"FROM a".to_vec()), "{name}");
        }
        let nested = Builder::new().directory("b").file("b/Dockerfile", "x").symlink("c", "b");
        assert_eq!(find("b/Dockerfile", &nested), Found::File(b"x".to_vec()));
        assert_eq!(find("Dockerfile", &nested), Found::Absent);
        assert_eq!(find("dockerfile", &Builder::new().file("Dockerfile", "x")), Found::Absent);
        assert_eq!(find("Dockerfile", &Builder::new()), Found::Absent);
    }

    #[test]
    fn doubt_is_ambiguous() {
        let good = || Builder::new().file("Dockerfile", "FROM a");
        for archive in [
            good().file("Dockerfile", "FROM b"),
            good().file("./Dockerfile", "FROM b"),
            good().file("/Dockerfile", "FROM b"),
            good().file(" Dockerfile", "FROM b"),
            good().file("Dockerfile\t", "FROM b"),
            Builder::new().file(" Dockerfile", "FROM b"),
            good().symlink("Dockerfile", "b"),
            good().hard_link("Dockerfile", "b"),
            good().directory("Dockerfile/"),
            Builder::new().pax(&[("GNU.sparse.map", "0,6")]).file("Dockerfile", "FROM a"),
            Builder::new().symlink("Dockerfile", "b"),
            Builder::new().directory("Dockerfile"),
            good().symlink("l", ".").file("l/Dockerfile", "FROM b"),
            good().symlink("l", ".").file("l/other", "FROM b"),
            good().symlink("l", ".").hard_link("h", "l").file("h/Dockerfile", "FROM b"),
            Builder::new().symlink("l", ".").file("l/x", "").file("Dockerfile", "FROM a"),
        ] {
            assert_eq!(find("Dockerfile", &archive), Found::Ambiguous);
        }
        for archive in [
            Builder::new().file("d/Dockerfile", "x").symlink("d", "e"),
            Builder::new().file("d/Dockerfile", "x").file("d", "e"),
        ] {
            assert_eq!(find("d/Dockerfile", &archive), Found::Ambiguous);
        }
    }

    #[test]
    fn long_files_are_errors() {
        for (length, fits) in [(100, true), (101, false)] {
            let archive = Builder::new().file("f", &"x".repeat(length)).bytes();
            let mut source = &archive[..];
            let result = collect(&mut Walker::new(&mut source), &mut [Wanted::new(b"f", 100)]);
            assert_eq!(result.is_ok(), fits);
        }
    }
}
