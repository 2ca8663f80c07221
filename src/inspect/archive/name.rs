//! Names of entries: where the Engine would put them.
//!
//! Owns lexical reading only. The Engine joins a name to the directory into which it unpacks; leading and doubled
//! slashes, `.` and `..` disappear on the way, so that many names are one file.

use crate::target::path::clean;

/// A name relative to where the archive is unpacked: no leading, doubled or trailing slash, no `.`, no `..`. Empty for
/// the place itself. A name that leads outside comes out as if it could not, as with a root.
pub fn normalize(name: &[u8], normal: &mut Vec<u8>) {
    // The usual form of archives of directories, and no work.
    let is_normal =
        !name.is_empty() && name.split(|&byte| byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."));
    if is_normal {
        normal.clear();
        normal.extend_from_slice(name);
        return;
    }
    let mut rooted = Vec::with_capacity(name.len() + 1);
    rooted.push(b'/');
    rooted.extend_from_slice(name);
    clean(&rooted, normal);
    normal.drain(..1);
}

/// Whether a relative name, lexically clean, begins with `..`.
#[must_use]
pub fn escapes(name: &[u8]) -> bool {
    let mut depth = 0_usize;
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}

/// The name without white space around it.
#[must_use]
pub fn trim(name: &[u8]) -> &[u8] {
    std::str::from_utf8(name).map_or_else(|_| name.trim_ascii(), |text| text.trim().as_bytes())
}

/// Whether `path` is a proper ancestor of `below`; both normal.
#[must_use]
pub fn is_ancestor(path: &[u8], below: &[u8]) -> bool {
    path.is_empty() || below.strip_prefix(path).is_some_and(|rest| rest.first() == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_one_file() {
        for (name, expected) in [
            ("Dockerfile", "Dockerfile"),
            ("./Dockerfile", "Dockerfile"),
            ("/Dockerfile", "Dockerfile"),
            ("//./Dockerfile", "Dockerfile"),
            ("Dockerfile/", "Dockerfile"),
            ("a/../Dockerfile", "Dockerfile"),
            ("../Dockerfile", "Dockerfile"),
            ("/../Dockerfile", "Dockerfile"),
            ("a//b/./c", "a/b/c"),
            ("a/b/..", "a"),
            ("", ""),
            (".", ""),
            ("./", ""),
            ("/", ""),
            ("..", ""),
            (" Dockerfile", " Dockerfile"),
            ("...", "..."),
        ] {
            let mut normal = b"rest".to_vec();
            normalize(name.as_bytes(), &mut normal);
            assert_eq!(normal, expected.as_bytes(), "{name:?}");
        }
    }

    #[test]
    fn names_that_lead_outside() {
        for name in ["..", "../x", "a/../../b", "./..", "a/./../..", "a/b/../../../c/d"] {
            assert!(escapes(name.as_bytes()), "{name}");
        }
        for name in ["", ".", "a", "a/..", "a/../b", "..a", "a/...", "./a/b/../c", "a/b/../../c"] {
            assert!(!escapes(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn ancestors_are_whole_segments() {
        for (path, below, expected) in [
            ("a", "a/b", true),
            ("", "a", true),
            ("a/b", "a/b/c", true),
            ("a", "a", false),
            ("a", "ab/c", false),
            ("a/b", "a", false),
        ] {
            assert_eq!(is_ancestor(path.as_bytes(), below.as_bytes()), expected, "{path} {below}");
        }
    }

    #[test]
    fn names_are_trimmed() {
        assert_eq!(trim(b" a b\t"), b"a b");
        assert_eq!(trim("\u{a0}a".as_bytes()), b"a");
        assert_eq!(trim(b" \xff "), b"\xff");
    }
}
