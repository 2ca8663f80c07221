//! The links of an archive, and what lies behind them (spec 30 §15 gaps 5 and 15).
//!
//! Owns the memory of links. Unpacking follows a link that an earlier entry made: after `a -> .`, the entry
//! `a/Dockerfile` writes `Dockerfile`, and no lexical check of names sees it. Links are remembered as hashes, so that the
//! memory is bounded; two names with one hash can only make an archive look worse than it is.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use super::ArchiveError;
use crate::limits::ARCHIVE_MAX_LINKS;

/// The links that entries have made so far.
#[derive(Debug, Default)]
pub struct Links {
    links: HashSet<u64>,
    /// Directories that a link's target leaves again through `..`. They must not become links: the target would then
    /// lead elsewhere than it reads.
    left: HashSet<u64>,
}

impl Links {
    /// Notes that the entry with this normal name is a link. `false` when the target of an earlier link depends on its
    /// not being one.
    ///
    /// # Errors
    /// [`ArchiveError::TooManyLinks`]
    pub fn insert(&mut self, normal: &[u8]) -> Result<bool, ArchiveError> {
        let hash = hash(normal);
        insert(&mut self.links, hash)?;
        Ok(!self.left.contains(&hash))
    }

    /// Whether an entry with this normal name would be written through a link.
    #[must_use]
    pub fn lead_to(&self, normal: &[u8]) -> bool {
        if self.links.is_empty() {
            return false;
        }
        let mut parts = normal.split(|&byte| byte == b'/');
        parts.next_back();
        let mut hasher = DefaultHasher::new();
        parts.any(|part| self.links.contains(&add(&mut hasher, part)))
    }

    /// Whether a target leads outside the archive, taken from a directory with a normal name: by counting `..`, or
    /// because it leaves through `..` what is a link.
    ///
    /// # Errors
    /// [`ArchiveError::TooManyLinks`]
    pub fn let_escape(&mut self, directory: &[u8], target: &[u8]) -> Result<bool, ArchiveError> {
        let mut place: Vec<&[u8]> = directory.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).collect();
        // The directory itself was not reached through a link.
        let mut entered = 0_usize;
        for part in target.split(|&byte| byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    if let Some(outer) = entered.checked_sub(1) {
                        let hash = hash_parts(&place);
                        if self.links.contains(&hash) {
                            return Ok(true);
                        }
                        insert(&mut self.left, hash)?;
                        entered = outer;
                    }
                    if place.pop().is_none() {
                        return Ok(true);
                    }
                }
                _ => {
                    place.push(part);
                    entered += 1;
                }
            }
        }
        Ok(false)
    }
}

fn insert(set: &mut HashSet<u64>, hash: u64) -> Result<(), ArchiveError> {
    if set.len() >= ARCHIVE_MAX_LINKS && !set.contains(&hash) {
        return Err(ArchiveError::TooManyLinks);
    }
    set.insert(hash);
    Ok(())
}

fn hash(normal: &[u8]) -> u64 {
    hash_all(normal.split(|&byte| byte == b'/'))
}

fn hash_parts(parts: &[&[u8]]) -> u64 {
    hash_all(parts.iter().copied())
}

fn hash_all<'p>(parts: impl Iterator<Item = &'p [u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.fold(0, |_, part| add(&mut hasher, part))
}

/// The hash of a path that was hashed so far and continues with `part`.
fn add(hasher: &mut DefaultHasher, part: &[u8]) -> u64 {
    hasher.write(part);
    hasher.write_u8(b'/');
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_below_links_are_known() {
        let mut links = Links::default();
        assert!(!links.lead_to(b"a/b"));
        assert!(links.insert(b"a").unwrap() && links.insert(b"x/y").unwrap());
        for (name, expected) in [
            ("a/b", true),
            ("a/b/c", true),
            ("x/y/z", true),
            ("a", false),
            ("x/y", false),
            ("x/z", false),
            ("ab/c", false),
            ("b/a/c", false),
            ("", false),
        ] {
            assert_eq!(links.lead_to(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn targets_escape_by_dots() {
        for (directory, target, expected) in [
            ("", "../etc/passwd", true),
            ("", "..", true),
            ("a", "../../x", true),
            ("a", "../sibling", false),
            ("a", "..", false),
            ("a/b", "../../x/../y", false),
            ("", "x/../../y", true),
            ("", "file.txt", false),
            ("", "", false),
        ] {
            let mut links = Links::default();
            assert_eq!(links.let_escape(directory.as_bytes(), target.as_bytes()).unwrap(), expected, "{target}");
        }
    }

    #[test]
    fn targets_escape_through_links() {
        // `x/y/d` is the archive's root, so `x/y/d/..` is outside, though it reads `x/y`.
        let mut links = Links::default();
        assert!(!links.let_escape(b"x/y", b"../..").unwrap());
        assert!(links.insert(b"x/y/d").unwrap());
        assert!(links.let_escape(b"", b"x/y/d/../etc").unwrap());
        assert!(!links.let_escape(b"", b"x/y/e/../etc").unwrap());
        assert!(!links.let_escape(b"", b"x/y/d/etc").unwrap());
        // The other way round: the target first, then the link through which it leads outside.
        let mut links = Links::default();
        assert!(!links.let_escape(b"", b"x/y/d/../etc").unwrap());
        assert!(!links.insert(b"x/y/d").unwrap());
        assert!(links.insert(b"x/y/e").unwrap());
        // A `..` from the link's own directory leaves no link.
        let mut links = Links::default();
        assert!(!links.let_escape(b"a/b", b"../c").unwrap());
        assert!(links.insert(b"a/b").unwrap());
    }

    #[test]
    fn memory_is_bounded() {
        let mut links = Links::default();
        let mut result = Ok(true);
        for number in 0..=ARCHIVE_MAX_LINKS {
            result = links.insert(format!("l{number}").as_bytes());
        }
        assert!(matches!(result, Err(ArchiveError::TooManyLinks)));
        assert!(links.insert(b"l0").is_ok());
    }
}
