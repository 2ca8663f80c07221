//! Host paths in requests, and the lists of those that may be mounted or mapped (spec 30 §0.5, §1.3).
//!
//! Owns the comparison: lexical clean first, then whole segments, so that neither `/srv/data/../../etc` nor
//! `/srv/database` passes for `/srv/data` (field report 49). It cannot see the host: a symbolic link below an allowed
//! directory is followed by the Engine, and no check here can know.

use std::borrow::Cow;

use memchr::memchr;

use crate::target::path::clean;

/// Absolute paths, each allowing itself and everything below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathPrefixes {
    /// Clean; `/` is the empty text, below which everything is.
    entries: Vec<String>,
}

impl PathPrefixes {
    /// Compiles configured paths. What is not absolute allows nothing; the configuration refuses it.
    #[must_use]
    pub fn new<S: AsRef<str>>(paths: impl IntoIterator<Item = S>) -> PathPrefixes {
        let mut entries: Vec<String> = Vec::new();
        for path in paths {
            let Some(path) = clean_absolute(path.as_ref()) else { continue };
            let entry = path.trim_end_matches('/');
            if !entries.iter().any(|known| known == entry) {
                entries.push(entry.to_owned());
            }
        }
        PathPrefixes { entries }
    }

    /// Whether a clean absolute path is an entry or below one. A path with NUL never is: the Engine would hand its
    /// beginning to the kernel.
    #[must_use]
    pub fn allows(&self, clean_path: &str) -> bool {
        let is_within = |entry: &String| {
            clean_path.strip_prefix(entry.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        memchr(0, clean_path.as_bytes()).is_none() && self.entries.iter().any(is_within)
    }
}

/// The path, lexically clean; `None` when it is not absolute. Not trimmed: a leading blank makes it another path.
/// Allocates only when there is something to clean.
#[must_use]
pub fn clean_absolute(path: &str) -> Option<Cow<'_, str>> {
    let bytes = path.as_bytes();
    let tail = bytes.strip_prefix(b"/")?;
    let needs_cleaning = bytes.last() == Some(&b'/') && !tail.is_empty()
        || bytes.iter().zip(tail).any(|(&byte, &next)| byte == b'/' && (next == b'/' || next == b'.'));
    if !needs_cleaning {
        return Some(Cow::Borrowed(path));
    }
    let mut cleaned = Vec::with_capacity(bytes.len());
    clean(bytes, &mut cleaned);
    // Cleaning cuts at `/` only, so UTF-8 stays UTF-8.
    String::from_utf8(cleaned).ok().map(Cow::Owned)
}

/// The source of a `HostConfig.Binds` entry when it is a host path: the clean text before the first `:`. An entry
/// without `:` is an anonymous volume, one whose source has no leading `/` names a volume.
pub(crate) fn bind_source(bind: &str) -> Option<Cow<'_, str>> {
    let (source, _) = bind.split_once(':')?;
    clean_absolute(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        for (path, expected) in [
            ("/", Some("/")),
            ("/srv/data", Some("/srv/data")),
            ("/srv/data/", Some("/srv/data")),
            ("/srv/x/../data", Some("/srv/data")),
            ("/srv/data/../../etc", Some("/etc")),
            ("//srv//data/../..", Some("/")),
            ("/../..", Some("/")),
            ("/.", Some("/")),
            ("/./a/.", Some("/a")),
            ("/.hidden/..a", Some("/.hidden/..a")),
            ("/grün/../é", Some("/é")),
            ("srv", None),
            ("", None),
            (" /srv", None),
            ("./srv", None),
        ] {
            assert_eq!(clean_absolute(path).as_deref(), expected, "{path:?}");
        }
        assert!(matches!(clean_absolute("/srv/data"), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn prefixes_end_at_segments() {
        let listed = PathPrefixes::new(["/srv/data", "/var/lib/app-data/../app", "/dev/snd/", "relative", ""]);
        for (path, allowed) in [
            ("/srv/data", true),
            ("/srv/data/", true),
            ("/srv/data/x", true),
            ("/srv/x/../data", true),
            ("/var/lib/app/x", true),
            ("/dev/snd/pcm", true),
            ("/srv/database", false),
            ("/srv", false),
            ("/", false),
            ("/srv/data/../other", false),
            ("/srv/data/../../etc", false),
            ("//srv//data/../..", false),
            ("/var/lib/app-data", false),
            ("/relative", false),
            ("/srv/data/\0", false),
            ("/srv/data\0/x", false),
        ] {
            let clean = clean_absolute(path).unwrap();
            assert_eq!(listed.allows(&clean), allowed, "{path:?}");
        }
    }

    #[test]
    fn the_root_allows_all_and_nothing_allows_none() {
        for path in ["/", "/etc", "/var/run/docker.sock"] {
            assert!(PathPrefixes::new(["/"]).allows(path));
            assert!(PathPrefixes::new(["/srv/.."]).allows(path));
            assert!(!PathPrefixes::default().allows(path));
        }
    }

    #[test]
    fn only_host_paths_are_bind_sources() {
        for (bind, source) in [
            ("/srv/a:/data:rw", Some("/srv/a")),
            ("/srv/a/../../etc:/x", Some("/etc")),
            ("/:/host", Some("/")),
            ("/data", None),
            ("cache:/c", None),
            ("./x:/y", None),
            (":/y", None),
            ("", None),
        ] {
            assert_eq!(bind_source(bind).as_deref(), source, "{bind:?}");
        }
    }
}
