//! The writer thread of one log sink.
//!
//! Owns the system calls. What cannot be written is counted as lost; no failure of a log ends the process.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
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
        loop {
            match self.wait() {
                Event::Message(Message::Batch(batch)) => {
                    self.take(batch);
                    if !self.take_queued() {
                        break;
                    }
                    match self.flush {
                        Flush::AtOnce => self.write_pending(),
                        Flush::Buffered => {}
                    }
                    // While this thread sleeps it waits for no message, so a busy shard does not pay for waking it.
                    std::thread::sleep(limits::LOG_WRITER_REST);
                }
                Event::FlushDue => self.write_pending(),
                Event::Message(Message::Close) | Event::Abandoned => break,
            }
        }
        // Whatever was handed over before the end, behind the message that announced it included.
        while self.take_queued() && !self.queue.is_empty() {}
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

    /// Takes all batches that are queued; false when the end was announced among them.
    fn take_queued(&mut self) -> bool {
        while let Ok(message) = self.queue.try_recv() {
            match message {
                Message::Batch(batch) => self.take(batch),
                Message::Close => return false,
            }
        }
        true
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
        self.shared.queued_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
        if bytes.capacity() <= KEPT_BUFFER_BYTES {
            bytes.clear();
            // When enough spare buffers are there already, this one is freed.
            let _ = self.give_back.try_send(bytes);
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
