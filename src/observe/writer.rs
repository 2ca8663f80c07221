//! The writer thread of one log sink.
//!
//! Owns the system calls. What cannot be written is counted as lost; no failure of a log ends the process.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::sink::{Batch, PerKind, Shared, StreamKind};
use crate::limits;

/// A buffer that a burst has made larger than this is not reused.
const KEPT_BUFFER_BYTES: usize = 2 * limits::LOG_BATCH_BYTES;

/// What a writer is told.
#[derive(Debug)]
pub(super) enum Message {
    Batch(Batch),
    /// Write what is queued, then end.
    Close,
}

/// Where a writer writes.
#[derive(Debug)]
pub(super) enum Output {
    Stderr(io::Stderr),
    Stdout(io::Stdout),
    File(File),
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Output::Stderr(stderr) => stderr.as_fd(),
            Output::Stdout(stdout) => stdout.as_fd(),
            Output::File(file) => file.as_fd(),
        }
    }
}

/// When bytes leave the write buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// As soon as nothing more is queued.
    AtOnce,
    /// When the buffer is full, and after [`limits::LOG_FILE_FLUSH_INTERVAL`] at the latest.
    Buffered,
}

pub(super) struct Writer {
    output: Output,
    flush: Flush,
    queue: flume::Receiver<Message>,
    give_back: flume::Sender<Vec<u8>>,
    shared: Arc<Shared>,
    pending: Vec<u8>,
    pending_records: PerKind<u64>,
    /// When the oldest pending byte has to leave.
    flush_due: Option<Instant>,
    /// A failed write has left half a line behind.
    is_torn: bool,
}

/// What ends a wait.
enum Event {
    Message(Message),
    FlushDue,
    /// Every handle is gone.
    Abandoned,
}

impl Writer {
    pub(super) fn new(
        output: Output,
        flush: Flush,
        queue: flume::Receiver<Message>,
        give_back: flume::Sender<Vec<u8>>,
        shared: Arc<Shared>,
    ) -> Writer {
        Writer {
            output,
            flush,
            queue,
            give_back,
            shared,
            pending: Vec::with_capacity(limits::LOG_FILE_BUFFER_BYTES),
            pending_records: PerKind::default(),
            flush_due: None,
            is_torn: false,
        }
    }

    /// Writes until it is told to end.
    pub(super) fn run(mut self) {
        let mut is_open = true;
        while is_open {
            match self.wait() {
                Event::Message(Message::Batch(batch)) => {
                    self.take(batch);
                    is_open = self.take_queued();
                    if self.is_flush_due() {
                        self.write_pending();
                    }
                    if is_open {
                        // While this thread rests it waits for no message, so a busy shard does not pay for waking it.
                        std::thread::park_timeout(limits::LOG_WRITER_REST);
                    }
                }
                Event::FlushDue => self.write_pending(),
                Event::Message(Message::Close) | Event::Abandoned => is_open = false,
            }
        }
        // What came while the end was announced.
        self.take_queued();
        self.write_pending();
    }

    fn wait(&self) -> Event {
        match self.flush_due {
            None => self.queue.recv().map_or(Event::Abandoned, Event::Message),
            Some(due) => match self.queue.recv_deadline(due) {
                Ok(message) => Event::Message(message),
                Err(flume::RecvTimeoutError::Timeout) => Event::FlushDue,
                Err(flume::RecvTimeoutError::Disconnected) => Event::Abandoned,
            },
        }
    }

    fn is_flush_due(&self) -> bool {
        match self.flush {
            Flush::AtOnce => true,
            Flush::Buffered => self.flush_due.is_some_and(|due| due <= Instant::now()),
        }
    }

    /// Takes all batches that are queued; false when the end was announced among them.
    fn take_queued(&mut self) -> bool {
        let mut is_open = true;
        while let Ok(message) = self.queue.try_recv() {
            match message {
                Message::Batch(batch) => self.take(batch),
                Message::Close => is_open = false,
            }
        }
        is_open
    }

    pub(super) fn take(&mut self, batch: Batch) {
        let Batch { mut bytes, records, kind } = batch;
        if self.pending.len() + bytes.len() > limits::LOG_FILE_BUFFER_BYTES {
            self.write_pending();
        }
        *self.pending_records.of_mut(kind) += records;
        if bytes.len() >= limits::LOG_FILE_BUFFER_BYTES {
            self.write(&bytes);
        } else {
            self.pending.extend_from_slice(&bytes);
            self.flush_due.get_or_insert_with(|| Instant::now() + limits::LOG_FILE_FLUSH_INTERVAL);
        }
        self.shared.remove_queued(bytes.len());
        bytes.clear();
        self.keep_spare(bytes);
    }

    /// Gives a buffer back for reuse, unless it is larger than ordinary ones or there are enough.
    fn keep_spare(&self, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let kept = if capacity <= limits::LOG_SPARE_SMALL_BYTES {
            limits::LOG_SPARE_BUFFERS
        } else if capacity <= KEPT_BUFFER_BYTES {
            limits::LOG_SPARE_LARGE_BUFFERS
        } else {
            0
        };
        if self.give_back.len() < kept {
            // Only this thread gives back, so there is room.
            let _ = self.give_back.try_send(buffer);
        }
    }

    pub(super) fn write_pending(&mut self) {
        self.flush_due = None;
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.write(&pending);
            self.pending = pending;
            self.pending.clear();
        }
    }

    /// Writes all bytes, or counts the records that they belong to as lost.
    fn write(&mut self, bytes: &[u8]) {
        let fd = self.output.as_fd();
        let mut outcome = Ok(());
        if self.is_torn {
            // Half a line must not swallow the record that follows it.
            outcome = write_all(fd, b"\n").map(|()| self.is_torn = false).map_err(|_| 0);
        }
        if outcome.is_ok() {
            outcome = write_all(fd, bytes);
        }
        let records = std::mem::take(&mut self.pending_records);
        if let Err(written) = outcome {
            self.is_torn |= written.checked_sub(1).and_then(|last| bytes.get(last)).is_some_and(|&byte| byte != b'\n');
            for kind in StreamKind::ALL {
                self.shared.count_lost(kind, *records.of(kind));
            }
        }
    }
}

#[cfg(test)]
impl Writer {
    pub(super) fn redirect(&mut self, output: Output) {
        self.output = output;
    }
}

/// Writes all bytes.
///
/// # Errors
/// How many bytes were written before it failed, for whatever reason: disk full, reader gone.
fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), usize> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(fd, rest) {
            Ok(written @ 1..) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            // Somebody has made the terminal or pipe that we were given non-blocking.
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&fd, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return Err(bytes.len() - rest.len()),
            },
            Ok(0) | Err(_) => return Err(bytes.len() - rest.len()),
        }
    }
    Ok(())
}
