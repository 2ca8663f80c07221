//! Private temporary files on the ring: what is too large for memory waits here.
//!
//! A file has no name from its first instant, so nobody else can open it and nothing is left behind.

use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::{Mode, OFlags};

use super::bulk::Bulk;
use super::operation::{Key, Loan, counted};
use super::ring::Ring;

/// A temporary file of this shard.
pub struct Spool {
    ring: Ring,
    file: OwnedFd,
    bytes: u64,
}

impl Spool {
    /// Makes an empty one in `folder`.
    ///
    /// # Errors
    /// The folder cannot be written to, or its file system knows no unnamed files.
    pub fn new(ring: &Ring, folder: &Path) -> io::Result<Spool> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR)?;
        Ok(Spool { ring: ring.clone(), file, bytes: 0 })
    }

    /// How much it holds.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// A handle for another thread; it has the same position, which neither [`Spool`] operation uses.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub fn share(&self) -> io::Result<std::fs::File> {
        Ok(self.file.try_clone()?.into())
    }

    /// Appends a payload.
    ///
    /// # Errors
    /// The disk is full, or worse.
    pub async fn append(&mut self, bulk: Bulk) -> io::Result<()> {
        let mut bulk = Some(bulk);
        while let Some(piece) = bulk.take().filter(|piece| !piece.payload().is_empty()) {
            let key = self.ring.inner().start_file_write(self.file.as_raw_fd(), piece, self.bytes);
            let (result, loan) = FileOperation { ring: &self.ring, key: Some(key) }.await;
            let written = counted(result)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.bytes += written as u64;
            if let Loan::Bulk(mut piece) = loan {
                let length = piece.payload().len();
                piece.narrow(written..length);
                bulk = Some(piece);
            }
        }
        Ok(())
    }

    /// Appends bytes that were received otherwise.
    ///
    /// # Errors
    /// As [`Spool::append`].
    pub async fn append_bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut bulk = self.ring.inner().bulk.take();
            let used = bulk.fill(bytes);
            bytes = bytes.get(used..).unwrap_or_default();
            self.append(bulk).await?;
        }
        Ok(())
    }

    /// Reads from `offset`; an empty payload is the end.
    ///
    /// # Errors
    /// The disk's.
    pub async fn read(&self, offset: u64) -> io::Result<Bulk> {
        let key = self.ring.inner().start_file_read(self.file.as_raw_fd(), offset);
        let (result, loan) = FileOperation { ring: &self.ring, key: Some(key) }.await;
        let length = counted(result)?;
        let Loan::Bulk(mut bulk) = loan else { return Err(io::ErrorKind::InvalidData.into()) };
        bulk.received(length);
        Ok(bulk)
    }
}

struct FileOperation<'r> {
    ring: &'r Ring,
    key: Option<Key>,
}

impl Future for FileOperation<'_> {
    type Output = (i32, Loan);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(key) = self.key else { return Poll::Pending };
        match self.ring.inner().collect(key, cx.waker()) {
            Some(collected) => {
                self.key = None;
                Poll::Ready(collected)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for FileOperation<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.ring.inner().abandon(key);
        }
    }
}
