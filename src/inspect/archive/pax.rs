//! Pax records: what an extended header says about the entry that follows.
//!
//! Owns the record syntax and the choice of records that matter. A record that is stated twice with different values is
//! refused: readers disagree on which one counts. So is a layout of sparse files that the Engine's reader does not know,
//! since the name of such a file depends on knowing it.

use memchr::memchr;

use super::ArchiveError;

/// The records of one extended header that matter; absent ones and empty ones alike leave what the header says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// The entry is a sparse file: its payload is a map and pieces.
    pub(super) is_sparse: bool,
    /// The real name of a sparse file.
    pub(super) sparse_name: Option<Vec<u8>>,
    /// The file gets capabilities, which raise privileges as set-user-id does.
    pub(super) has_capabilities: bool,
}

/// The records as they stand. An empty value is one: readers for which the last of two values counts take it for none.
#[derive(Default)]
struct Stated<'p> {
    path: Option<&'p [u8]>,
    link: Option<&'p [u8]>,
    size: Option<&'p [u8]>,
    sparse_name: Option<&'p [u8]>,
    sparse_major: Option<&'p [u8]>,
    sparse_minor: Option<&'p [u8]>,
    sparse_map: Option<&'p [u8]>,
    has_sparse_record: bool,
    has_capabilities: bool,
}

impl Records {
    /// Reads the payload of an extended header.
    ///
    /// # Errors
    /// [`ArchiveError::MalformedExtension`], [`ArchiveError::Contradiction`].
    pub(super) fn parse(mut payload: &[u8]) -> Result<Records, ArchiveError> {
        let mut stated = Stated::default();
        while !payload.is_empty() {
            let (key, value, rest) = next_record(payload).ok_or(ArchiveError::MalformedExtension)?;
            payload = rest;
            stated.add(key, value)?;
        }
        let size = match stated.size {
            None | Some(b"") => None,
            Some(size) => Some(decimal(size).ok_or(ArchiveError::MalformedExtension)?),
        };
        Ok(Records {
            path: text(stated.path)?,
            link: text(stated.link)?,
            size,
            is_sparse: stated.is_sparse()?,
            sparse_name: text(stated.sparse_name)?,
            has_capabilities: stated.has_capabilities,
        })
    }

    /// Whether the records would change what an entry is. In a global header they may not: some readers apply them to
    /// every entry that follows, the Engine's does not.
    pub(super) fn change_entries(&self) -> bool {
        self.path.is_some() || self.link.is_some() || self.size.is_some() || self.is_sparse || self.has_capabilities
    }
}

impl<'p> Stated<'p> {
    fn add(&mut self, key: &[u8], value: &'p [u8]) -> Result<(), ArchiveError> {
        self.has_sparse_record |= key.starts_with(b"GNU.sparse.");
        let (slot, what) = match key {
            b"path" => (&mut self.path, "name"),
            b"linkpath" => (&mut self.link, "link"),
            b"size" => (&mut self.size, "size"),
            b"GNU.sparse.name" => (&mut self.sparse_name, "name"),
            b"GNU.sparse.major" => (&mut self.sparse_major, "sparse layout"),
            b"GNU.sparse.minor" => (&mut self.sparse_minor, "sparse layout"),
            b"GNU.sparse.map" => (&mut self.sparse_map, "sparse layout"),
            // The map of layout 0.0, one record after another. Nobody writes it, and readers join it differently.
            b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => return Err(ArchiveError::MalformedExtension),
            b"SCHILY.xattr.security.capability" => {
                self.has_capabilities = true;
                return Ok(());
            }
            _ => return Ok(()),
        };
        if slot.is_some_and(|stated| stated != value) {
            return Err(ArchiveError::Contradiction(what));
        }
        *slot = Some(value);
        Ok(())
    }

    /// Whether the entry is sparse in a layout that is known.
    fn is_sparse(&self) -> Result<bool, ArchiveError> {
        let [major, minor, map] =
            [self.sparse_major, self.sparse_minor, self.sparse_map].map(Option::unwrap_or_default);
        match (major, minor) {
            (b"0", b"0" | b"1") | (b"1", b"0") => Ok(true),
            (b"", b"") if !map.is_empty() => Ok(true),
            (b"", b"") if !self.has_sparse_record => Ok(false),
            _ => Err(ArchiveError::MalformedExtension),
        }
    }
}

/// A value that is a text; an empty one states nothing.
fn text(value: Option<&[u8]>) -> Result<Option<Vec<u8>>, ArchiveError> {
    match value {
        None | Some(b"") => Ok(None),
        Some(value) if memchr(0, value).is_some() => Err(ArchiveError::MalformedExtension),
        Some(value) => Ok(Some(value.to_vec())),
    }
}

/// Key, value and what follows the first record: `LENGTH KEY=VALUE\n`, the length counting itself.
fn next_record(payload: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = memchr(b' ', payload)?;
    let length = usize::try_from(decimal(payload.get(..blank)?)?).ok()?;
    let record = payload.get(blank + 1..length)?;
    let rest = payload.get(length..)?;
    let (b'\n', record) = record.split_last()? else { return None };
    let equals = memchr(b'=', record)?;
    let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
    (!key.is_empty() && memchr(0, key).is_none()).then_some((key, value, rest))
}

/// A decimal number without sign.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &byte| match byte {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::archive::testing::pax_payload;

    fn parse(records: &[(&str, &str)]) -> Result<Records, ArchiveError> {
        Records::parse(&pax_payload(records))
    }

    #[test]
    fn records_are_read() {
        let records =
            parse(&[("mtime", "1.5"), ("path", "a/b=c\nd"), ("linkpath", "x"), ("size", "17"), ("comment", "")])
                .unwrap();
        assert_eq!(records.path.as_deref(), Some(&b"a/b=c\nd"[..]));
        assert_eq!(records.link.as_deref(), Some(&b"x"[..]));
        assert_eq!(records.size, Some(17));
        assert!(!records.is_sparse && !records.has_capabilities && records.change_entries());
        assert!(!parse(&[("path", ""), ("size", ""), ("comment", "x")]).unwrap().change_entries());
        assert!(parse(&[("SCHILY.xattr.security.capability", "\0\u{1}")]).unwrap().has_capabilities);
        assert_eq!(Records::parse(b"").unwrap(), Records::default());
    }

    #[test]
    fn nothing_is_stated_twice() {
        assert!(parse(&[("path", "a"), ("path", "a")]).is_ok());
        assert!(matches!(parse(&[("path", "a"), ("path", "b")]), Err(ArchiveError::Contradiction("name"))));
        assert!(matches!(parse(&[("linkpath", "a"), ("linkpath", "b")]), Err(ArchiveError::Contradiction("link"))));
        assert!(matches!(parse(&[("size", "1"), ("size", "2")]), Err(ArchiveError::Contradiction("size"))));
        assert!(parse(&[("size", "1"), ("size", "1")]).is_ok());
        // To a reader for which the last value counts, an empty one takes the first one back.
        for key in ["path", "linkpath", "size", "GNU.sparse.map"] {
            assert!(matches!(parse(&[(key, "1"), (key, "")]), Err(ArchiveError::Contradiction(_))), "{key}");
            assert!(matches!(parse(&[(key, ""), (key, "1")]), Err(ArchiveError::Contradiction(_))), "{key}");
        }
    }

    #[test]
    fn damaged_records_are_refused() {
        for payload in [
            &b"x"[..],
            b" ",
            b"5 a=\n5",
            b"4 a=\n",
            b"+6 a=b\n",
            b"99999999999999999999 a=b\n",
            b"18446744073709551615 a=b\n",
            b"8 a=b\n",
            b"0 a=b\n",
            b"6 ab\n\n",
            b"6 a=bc",
            b"5 =b\n",
            b"9 path=\0\n",
            b"11 size=-1\n",
            b"11 size=0x\n",
            b"29 size=18446744073709551616\n",
            b"\xff\xff",
        ] {
            assert!(Records::parse(payload).is_err(), "{}", payload.escape_ascii());
        }
        assert!(Records::parse(b"6 a=b\n6 a=c\n11 size=10\n").is_ok());
    }

    #[test]
    fn sparse_layouts_are_known_or_refused() {
        for (records, is_sparse) in [
            (&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "big")][..], Some(true)),
            (&[("GNU.sparse.major", "0"), ("GNU.sparse.minor", "1"), ("GNU.sparse.map", "0,1")], Some(true)),
            (&[("GNU.sparse.map", "0,1")], Some(true)),
            (&[("GNU.sparse.size", "5"), ("GNU.sparse.offset", "0"), ("GNU.sparse.numbytes", "5")], None),
            (&[("GNU.sparse.map", "0,1"), ("GNU.sparse.offset", "")], None),
            (&[("path", "a")], Some(false)),
            (&[("GNU.sparse.major", "2"), ("GNU.sparse.minor", "0")], None),
            (&[("GNU.sparse.major", "1")], None),
            (&[("GNU.sparse.name", "big")], None),
            (&[("GNU.sparse.name", "big"), ("GNU.sparse.map", "")], None),
            (&[("GNU.sparse.name", "big"), ("GNU.sparse.name", "bag"), ("GNU.sparse.map", "0,1")], None),
        ] {
            assert_eq!(parse(records).ok().map(|records| records.is_sparse), is_sparse, "{records:?}");
        }
    }
}
