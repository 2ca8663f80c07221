//! The host path inside a bind string such as `/srv/data:/data:ro` (spec 50 C4).
//!
//! Owns the split, on the string as it stands in the document: escapes are read, never rewritten.

use crate::json::scalar;

/// How many bytes of `content` (a string's raw content, between its quotes) are a host path to replace; zero when the
/// source is a volume name or relative.
///
/// White space ahead of the path does not hide it, neither from the test for a drive letter nor from that for a slash.
/// The content has to be valid JSON string content; `None` when it is not.
pub(super) fn host_path_len(content: &[u8]) -> Option<usize> {
    let content = std::str::from_utf8(content).ok()?;
    let mut lead = Lead::Blank;
    let mut rest = content;
    while !rest.is_empty() {
        let (character, length) = scalar::character(rest)?;
        if character == ':' && lead.ends_at_colon() {
            break;
        }
        lead = lead.and(character);
        rest = rest.get(length..)?;
    }
    let is_host_path = match lead {
        Lead::HostPath => true,
        // Without a target behind it, `v:/cache` is the volume `v` at `/cache`.
        Lead::SlashDrive => !rest.is_empty(),
        Lead::Blank | Lead::Letter | Lead::Drive | Lead::Backslash | Lead::Other => false,
    };
    Some(if is_host_path { content.len() - rest.len() } else { 0 })
}

/// What the source looks like so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// Nothing but white space.
    Blank,
    /// `X`
    Letter,
    /// `X:`
    Drive,
    /// `\`
    Backslash,
    /// `X:/` and anything behind.
    SlashDrive,
    /// `/`, `\\` or `X:\`, and anything behind.
    HostPath,
    /// A name or a relative path.
    Other,
}

impl Lead {
    /// The colon of `X:\` belongs to the path; whether one follows shows a character later.
    fn ends_at_colon(self) -> bool {
        self != Lead::Letter
    }

    fn and(self, character: char) -> Lead {
        match (self, character) {
            (Lead::HostPath, _) => Lead::HostPath,
            (Lead::Blank, '/') | (Lead::Backslash | Lead::Drive, '\\') => Lead::HostPath,
            (Lead::SlashDrive, _) | (Lead::Drive, '/') => Lead::SlashDrive,
            (Lead::Blank, '\\') => Lead::Backslash,
            (Lead::Blank, 'a'..='z' | 'A'..='Z') => Lead::Letter,
            (Lead::Blank, blank) if blank.is_whitespace() => Lead::Blank,
            (Lead::Letter, ':') => Lead::Drive,
            (Lead::Blank | Lead::Letter | Lead::Drive | Lead::Backslash | Lead::Other, _) => Lead::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_strings_are_cut_before_the_colon_of_the_target() {
        for (content, rest) in [
            // Spec 50 C4.
            ("/srv/s:/run/s:ro", Some(":/run/s:ro")),
            ("named:/cache", None),
            (r"C:\\data:/mnt", Some(":/mnt")),
            (r"\\\\srv\\share:/m", Some(":/m")),
            ("/srv/data", Some("")),
            ("rel/path:/x", None),
            ("", None),
            // Escapes say the same.
            (r"\u002fsrv:/run", Some(":/run")),
            (r"\/srv\u003a/run", Some(r"\u003a/run")),
            (r"\u0043:\u005cdata:/mnt", Some(":/mnt")),
            // Drives.
            ("c:/data:/mnt:ro", Some(":/mnt:ro")),
            (r"C:\\data", Some("")),
            ("c:data:/mnt", None),
            ("C:", None),
            ("C", None),
            // Spec 50 C6: a volume with a name of one letter.
            ("v:/c", None),
            ("1:/x", None),
            // White space and neighbours.
            (" /srv:/x", Some(":/x")),
            ("\u{a0}/srv:/x", Some(":/x")),
            (r"\t C:\\data:/x", Some(":/x")),
            (r"\\srv:/x", None),
            (":/x", None),
            ("/:/host", Some(":/host")),
            ("é:/x", None),
        ] {
            let cut = content.len() - rest.map_or(content.len(), str::len);
            assert_eq!(host_path_len(content.as_bytes()), Some(cut), "{content}");
        }
        assert_eq!(host_path_len(b"/\xff:/x"), None);
        assert_eq!(host_path_len(br"/\ud800:/x"), None);
    }
}
