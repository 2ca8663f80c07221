//! The walk over a tar: one entry after another, each with the name under which the Engine would unpack it.
//!
//! Owns how headers combine (pax records and GNU long names before their entry) and where payloads lie. It follows the
//! Engine's reader (spec 30 §15 gap 19) and is never more lenient: what that reader resolves by a rule of its own (a name
//! stated twice, a size on an entry without payload, global records that change entries) is refused, because another
//! reader resolves it otherwise. It gives names as they stand; what they mean is for [`name`](super::name).

use std::io::{BufRead, BufReader, ErrorKind, Read, Result as IoResult};

use super::ArchiveError;
use super::header::{BLOCK_BYTES, Block, Header, until_nul};
use super::pax::Records;
use crate::limits::TAR_EXTENSION_MAX_BYTES;

/// Read from the source at once.
const BUFFER_BYTES: usize = 64 << 10;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file with the entry's payload.
    Regular,
    /// Another name of a file that is there already.
    HardLink,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

impl Kind {
    /// Whether what is below the entry is somewhere else. So it is for a hard link, too: it may be one to a symbolic link.
    #[must_use]
    pub fn is_link(self) -> bool {
        matches!(self, Kind::HardLink | Kind::Symlink)
    }
}

/// An entry, its name and link apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits as stated, including bits that no file system knows.
    pub mode: i64,
    /// Bytes of payload.
    pub size: u64,
    /// The payload is not the file but a map and pieces of it.
    pub is_sparse: bool,
    /// The file gets capabilities, which raise privileges as set-user-id does.
    pub has_capabilities: bool,
}

/// Walks the entries of an uncompressed tar.
pub struct Walker<'s> {
    source: BufReader<&'s mut dyn Read>,
    name: Vec<u8>,
    link: Vec<u8>,
    /// Payload of the current entry that was not read.
    unread: u64,
    /// Bytes between the payload and the next header.
    padding: u64,
    has_header: bool,
}

/// Extended headers that wait for their entry.
#[derive(Default)]
struct Extensions {
    records: Option<Records>,
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extensions {
    fn is_empty(&self) -> bool {
        self.records.is_none() && self.name.is_none() && self.link.is_none()
    }
}

impl<'s> Walker<'s> {
    /// A walk from the beginning of `source`.
    pub fn new(source: &'s mut dyn Read) -> Walker<'s> {
        Walker {
            source: BufReader::with_capacity(BUFFER_BYTES, source),
            name: Vec::new(),
            link: Vec::new(),
            unread: 0,
            padding: 0,
            has_header: false,
        }
    }

    /// The next entry, what is left of the current one skipped; `None` at the end, after which nothing may be read.
    ///
    /// # Errors
    /// [`ArchiveError::NotAnArchive`] when the first block is no header; otherwise what is wrong with the archive.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_to_header()?;
            let Some(block) = self.header_block()? else {
                return if extensions.is_empty() { Ok(None) } else { Err(ArchiveError::MalformedExtension) };
            };
            let Some(header) = Header::parse(&block) else {
                return Err(if self.has_header { ArchiveError::MalformedHeader } else { ArchiveError::NotAnArchive });
            };
            self.has_header = true;
            self.unread = header.size;
            self.padding = header.size.wrapping_neg() % BLOCK_BYTES as u64;
            match header.kind {
                b'x' => set_once(&mut extensions.records, Records::parse(&self.extension()?)?)?,
                b'g' => {
                    if Records::parse(&self.extension()?)?.change_entries() || !extensions.is_empty() {
                        return Err(ArchiveError::MalformedExtension);
                    }
                }
                b'L' => set_once(&mut extensions.name, self.long_text()?)?,
                b'K' => set_once(&mut extensions.link, self.long_text()?)?,
                _ => return self.entry(&header, extensions).map(Some),
            }
        }
    }

    /// The name of the current entry, as the archive states it.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Where the current entry links to, as the archive states it; empty for entries that are no links.
    #[must_use]
    pub fn link(&self) -> &[u8] {
        &self.link
    }

    /// The payload of the current entry.
    ///
    /// # Errors
    /// [`ArchiveError::FileTooLong`] when it is longer than `max_bytes`; otherwise what is wrong with the archive.
    pub fn read_payload(&mut self, max_bytes: usize) -> Result<Vec<u8>, ArchiveError> {
        let length = usize::try_from(self.unread).ok().filter(|&length| length <= max_bytes);
        let mut payload = vec![0; length.ok_or(ArchiveError::FileTooLong(max_bytes))?];
        self.source.read_exact(&mut payload)?;
        self.unread = 0;
        Ok(payload)
    }

    fn entry(&mut self, header: &Header<'_>, extensions: Extensions) -> Result<Entry, ArchiveError> {
        let records = extensions.records.unwrap_or_default();
        let long_name = one_of(extensions.name, records.path, "name")?;
        // The name of a sparse file in its header is a made-up one.
        let long_name = records.sparse_name.or(long_name);
        self.name.clear();
        match long_name {
            Some(name) => self.name.extend_from_slice(&name),
            None => {
                if !header.prefix.is_empty() {
                    self.name.extend_from_slice(header.prefix);
                    self.name.push(b'/');
                }
                self.name.extend_from_slice(header.name);
            }
        }
        let long_link = one_of(extensions.link, records.link, "link")?;
        let kind = match header.kind {
            // Before there was a type for directories, a `/` marked them.
            0 if self.name.ends_with(b"/") => Kind::Directory,
            0 | b'0' => Kind::Regular,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::CharacterDevice,
            b'4' => Kind::BlockDevice,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => return Err(ArchiveError::UnsupportedType(other)),
        };
        self.link.clear();
        if kind.is_link() {
            self.link.extend_from_slice(long_link.as_deref().unwrap_or(header.link));
        }
        // A reader that believes one size takes for a header what another takes for payload.
        if kind != Kind::Regular && header.size != 0 || records.size.is_some_and(|size| size != header.size) {
            return Err(ArchiveError::Contradiction("size"));
        }
        Ok(Entry {
            kind,
            mode: header.mode,
            size: header.size,
            is_sparse: records.is_sparse,
            has_capabilities: records.has_capabilities,
        })
    }

    /// The payload of an extended header.
    fn extension(&mut self) -> Result<Vec<u8>, ArchiveError> {
        if self.unread > TAR_EXTENSION_MAX_BYTES {
            return Err(ArchiveError::MalformedExtension);
        }
        self.read_payload(usize::MAX)
    }

    /// The payload of a GNU long name or link.
    fn long_text(&mut self) -> Result<Vec<u8>, ArchiveError> {
        let mut payload = self.extension()?;
        let length = until_nul(&payload).len();
        let is_padded = payload.get(length..).is_some_and(|rest| rest.iter().all(|&byte| byte == 0));
        if length == 0 || !is_padded {
            return Err(ArchiveError::MalformedExtension);
        }
        payload.truncate(length);
        Ok(payload)
    }

    /// The next block that is not zero; `None` at the end, which is two zero blocks or the end of the source.
    fn header_block(&mut self) -> Result<Option<Block>, ArchiveError> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block.iter().any(|&byte| byte != 0) {
            return Ok(Some(block));
        }
        match self.block()? {
            Some(block) if block.iter().any(|&byte| byte != 0) => Err(ArchiveError::MalformedHeader),
            Some(_) | None => Ok(None),
        }
    }

    /// A whole block; `None` when there is not a byte left.
    fn block(&mut self) -> Result<Option<Block>, ArchiveError> {
        let mut block = [0; BLOCK_BYTES];
        if fill(&mut self.source)?.is_empty() {
            return Ok(None);
        }
        self.source.read_exact(&mut block)?;
        Ok(Some(block))
    }

    fn skip_to_header(&mut self) -> Result<(), ArchiveError> {
        let unread = std::mem::take(&mut self.unread);
        if self.skip(unread)? != unread {
            return Err(ArchiveError::Truncated);
        }
        // Some writers leave out the last padding; readers take that for the end.
        let padding = std::mem::take(&mut self.padding);
        self.skip(padding)?;
        Ok(())
    }

    /// Skips so many bytes, or less at the end of the source.
    fn skip(&mut self, length: u64) -> IoResult<u64> {
        let mut left = length;
        while left > 0 {
            let available = fill(&mut self.source)?.len();
            if available == 0 {
                break;
            }
            let step = usize::try_from(left).unwrap_or(usize::MAX).min(available);
            self.source.consume(step);
            left -= step as u64;
        }
        Ok(length - left)
    }
}

/// What is buffered; empty only at the end of the source.
fn fill<R: Read>(source: &mut BufReader<R>) -> IoResult<&[u8]> {
    // Asked again below, because a borrow cannot leave a loop.
    while let Err(error) = source.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(source.buffer())
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), ArchiveError> {
    if slot.is_some() {
        return Err(ArchiveError::MalformedExtension);
    }
    *slot = Some(value);
    Ok(())
}

/// The value that one of two extensions states, or both alike.
fn one_of(gnu: Option<Vec<u8>>, pax: Option<Vec<u8>>, what: &'static str) -> Result<Option<Vec<u8>>, ArchiveError> {
    match (gnu, pax) {
        (Some(gnu), Some(pax)) if gnu != pax => Err(ArchiveError::Contradiction(what)),
        (gnu, pax) => Ok(gnu.or(pax)),
    }
}

#[cfg(test)]
#[path = "tar_tests.rs"]
mod tests;
