//! Log sinks: where records go, one writer thread for each distinct target (spec 70 §1.2).
//!
//! Owns the queues in front of the writers and the count of what was lost there. Handing a batch over never blocks: a
//! full queue gives the batch back, and the caller says what becomes of it. Writing itself is in `writer`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;

use rustix::fs::OFlags;

use super::writer::{Flush, Message, Output, Writer};
use crate::limits;

/// Where a log stream is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SinkTarget {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, appended to, and created for its owner alone when it does not exist.
    File(PathBuf),
}

/// Why a text names no sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be stderr, stdout, file:/absolute/path or /absolute/path without a .. segment")]
pub struct SinkTargetError;

impl SinkTarget {
    /// Reads the four forms of spec 10 §2.1; blanks around them do not count.
    ///
    /// # Errors
    /// Any other word, a relative path, and a path with a `..` segment, which would hide where the file is.
    pub fn parse(text: &str) -> Result<Self, SinkTargetError> {
        let text = text.trim();
        match text {
            "stderr" => return Ok(Self::Stderr),
            "stdout" => return Ok(Self::Stdout),
            _ => {}
        }
        let path = text.strip_prefix("file:").unwrap_or(text);
        let names_a_file = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
        if !names_a_file || path.split('/').any(|segment| segment == "..") {
            return Err(SinkTargetError);
        }
        Ok(Self::File(path.into()))
    }
}

/// Why a sink could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Usually a folder that does not exist, or a file of somebody else.
    #[error("open log file {}: {source}", path.display())]
    Open {
        /// The configured path.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The process may not start another thread.
    #[error("start log writer: {0}")]
    Thread(io::Error),
}

/// What a batch consists of. Losses are counted for each of these apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Messages of the process itself.
    Operational,
    /// Access records, and failures that belong to a request.
    Access,
    /// Audit events.
    Audit,
}

impl StreamKind {
    /// Every kind once, in index order.
    pub(super) const ALL: [StreamKind; 3] = [StreamKind::Operational, StreamKind::Access, StreamKind::Audit];
}

/// One value for each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PerKind<T> {
    operational: T,
    access: T,
    audit: T,
}

impl<T> PerKind<T> {
    pub(super) fn of(&self, kind: StreamKind) -> &T {
        match kind {
            StreamKind::Operational => &self.operational,
            StreamKind::Access => &self.access,
            StreamKind::Audit => &self.audit,
        }
    }

    pub(super) fn of_mut(&mut self, kind: StreamKind) -> &mut T {
        match kind {
            StreamKind::Operational => &mut self.operational,
            StreamKind::Access => &mut self.access,
            StreamKind::Audit => &mut self.audit,
        }
    }
}

/// Whole records of one kind.
#[derive(Debug)]
pub struct Batch {
    /// The lines, each with its end.
    pub bytes: Vec<u8>,
    /// How many they are.
    pub records: u64,
    /// What they are.
    pub kind: StreamKind,
}

/// A handle on one sink, for any thread.
#[derive(Clone, Debug)]
pub struct Sink {
    shared: Arc<Shared>,
    queue: flume::Sender<Message>,
    spares: flume::Receiver<Vec<u8>>,
}

/// What handles and writer have in common.
#[derive(Debug)]
pub(super) struct Shared {
    queued_bytes: AtomicUsize,
    queued_batches: AtomicUsize,
    writer: OnceLock<Thread>,
    lost: PerKind<Lost>,
    opened: Instant,
}

/// Records of one kind that were lost, and whether somebody was told.
#[derive(Debug, Default)]
struct Lost {
    total: AtomicU64,
    reported: AtomicU64,
    /// Milliseconds since the sink was opened, plus one; 0 when nothing was reported yet.
    reported_at: AtomicU64,
}

impl Sink {
    /// Hands a batch to the writer.
    ///
    /// # Errors
    /// Gives the batch back when the writer is behind. When the writer has gone, the batch is counted as lost instead.
    pub fn send(&self, batch: Batch) -> Result<(), Batch> {
        let size = batch.bytes.len();
        let queued = self.shared.queued_bytes.load(Ordering::Relaxed);
        if queued > 0 && queued.saturating_add(size) > limits::LOG_QUEUE_MAX_BYTES {
            return Err(batch);
        }
        // Counted before it is queued: the writer must not take off what was not added yet.
        let is_urgent = self.shared.add_queued(size);
        match self.queue.try_send(Message::Batch(batch)) {
            Ok(()) => {
                if is_urgent {
                    self.shared.end_rest();
                }
                Ok(())
            }
            Err(refused) => {
                self.shared.remove_queued(size);
                let is_full = matches!(refused, flume::TrySendError::Full(_));
                match refused.into_inner() {
                    Message::Batch(batch) if is_full => Err(batch),
                    Message::Batch(batch) => {
                        self.count_lost(batch.kind, batch.records);
                        Ok(())
                    }
                    Message::Close => Ok(()),
                }
            }
        }
    }

    /// Hands a batch to the writer and waits for room; for the end of a stream, never for a shard in operation. What
    /// finds no room until `deadline` is lost.
    pub fn send_until(&self, batch: Batch, deadline: Instant) {
        let (size, kind, records) = (batch.bytes.len(), batch.kind, batch.records);
        self.shared.add_queued(size);
        if self.queue.send_deadline(Message::Batch(batch), deadline).is_err() {
            self.shared.remove_queued(size);
            self.count_lost(kind, records);
        }
    }

    /// An empty buffer that the writer has given back.
    pub fn spare(&self) -> Option<Vec<u8>> {
        self.spares.try_recv().ok()
    }

    /// Counts records that never reached the writer.
    pub fn count_lost(&self, kind: StreamKind, records: u64) {
        self.shared.count_lost(kind, records);
    }

    /// Records of this kind that were lost since the sink was opened.
    #[must_use]
    pub fn lost(&self, kind: StreamKind) -> u64 {
        self.shared.lost.of(kind).total.load(Ordering::Relaxed)
    }

    /// The total of lost records, when it has risen since the last report and that was long enough ago. Of several
    /// callers one gets it.
    pub fn losses_to_report(&self, kind: StreamKind) -> Option<u64> {
        let lost = self.shared.lost.of(kind);
        let total = lost.total.load(Ordering::Relaxed);
        if total == lost.reported.load(Ordering::Relaxed) {
            return None;
        }
        let now = u64::try_from(self.shared.opened.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        let before = lost.reported_at.load(Ordering::Relaxed);
        let is_due = before == 0 || u128::from(now - before.min(now)) >= limits::LOG_LOSS_WARNING_INTERVAL.as_millis();
        if !is_due || lost.reported_at.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return None;
        }
        lost.reported.store(total, Ordering::Relaxed);
        Some(total)
    }
}

#[cfg(test)]
impl Sink {
    /// As if the last report lay long enough in the past.
    pub(super) fn forget_report_time(&self, kind: StreamKind) {
        self.shared.lost.of(kind).reported_at.store(0, Ordering::Relaxed);
    }
}

impl Shared {
    pub(super) fn new() -> Shared {
        Shared {
            queued_bytes: AtomicUsize::new(0),
            queued_batches: AtomicUsize::new(0),
            writer: OnceLock::new(),
            lost: PerKind::default(),
            opened: Instant::now(),
        }
    }

    /// Counts a batch as queued; true when this one made the queue so long that the writer should not rest.
    fn add_queued(&self, size: usize) -> bool {
        let bytes = self.queued_bytes.fetch_add(size, Ordering::Relaxed);
        let batches = self.queued_batches.fetch_add(1, Ordering::Relaxed);
        let crosses = |before: usize, after: usize, mark: usize| before < mark && after >= mark;
        crosses(bytes, bytes.saturating_add(size), limits::LOG_QUEUE_URGENT_BYTES)
            || crosses(batches, batches.saturating_add(1), limits::LOG_QUEUE_URGENT_BATCHES)
    }

    /// Counts a batch as queued no more.
    pub(super) fn remove_queued(&self, size: usize) {
        self.queued_bytes.fetch_sub(size, Ordering::Relaxed);
        self.queued_batches.fetch_sub(1, Ordering::Relaxed);
    }

    fn end_rest(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    pub(super) fn count_lost(&self, kind: StreamKind, records: u64) {
        self.lost.of(kind).total.fetch_add(records, Ordering::Relaxed);
    }
}

/// All sinks of the process. Streams that name the same target share one.
#[derive(Debug, Default)]
pub struct Sinks {
    open: Vec<OpenSink>,
}

#[derive(Debug)]
struct OpenSink {
    target: SinkTarget,
    sink: Sink,
    writer: JoinHandle<()>,
    /// Disconnected when the writer has ended.
    ended: flume::Receiver<std::convert::Infallible>,
}

impl Sinks {
    /// Opens a target, or finds it open.
    ///
    /// # Errors
    /// When the file cannot be opened or created, or the thread not started.
    pub fn open(&mut self, target: &SinkTarget) -> Result<Sink, SinkError> {
        if let Some(open) = self.open.iter().find(|open| open.target == *target) {
            return Ok(open.sink.clone());
        }
        let output = match target {
            SinkTarget::Stderr => Output::Stderr(io::stderr()),
            SinkTarget::Stdout => Output::Stdout(io::stdout()),
            SinkTarget::File(path) => {
                Output::File(open_file(path).map_err(|source| SinkError::Open { path: path.clone(), source })?)
            }
        };
        let flush = match target {
            SinkTarget::Stderr | SinkTarget::Stdout => Flush::AtOnce,
            SinkTarget::File(_) => Flush::Buffered,
        };
        self.start(target.clone(), output, flush, limits::LOG_QUEUE_MAX_BATCHES)
    }

    /// Starts the writer of a target.
    pub(super) fn start(
        &mut self,
        target: SinkTarget,
        output: Output,
        flush: Flush,
        queue_batches: usize,
    ) -> Result<Sink, SinkError> {
        let (queue, batches) = flume::bounded(queue_batches);
        let (give_back, spares) = flume::bounded(limits::LOG_SPARE_BUFFERS);
        let (ending, ended) = flume::bounded(1);
        let shared = Arc::new(Shared::new());
        let writer = Writer::new(output, flush, batches, give_back, Arc::clone(&shared));
        let writer = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || {
                let _ending = ending;
                writer.run();
            })
            .map_err(SinkError::Thread)?;
        shared.writer.get_or_init(|| writer.thread().clone());
        let sink = Sink { shared, queue, spares };
        self.open.push(OpenSink { target, sink: sink.clone(), writer, ended });
        Ok(sink)
    }

    /// Has everything written that was handed over, and ends the writers. A writer that does not get rid of its bytes
    /// within [`limits::LOG_CLOSE_TIMEOUT`] is left behind: a reader that has stopped must not keep the process.
    ///
    /// Returns whether all of them ended.
    pub fn close(self) -> bool {
        self.close_until(Instant::now() + limits::LOG_CLOSE_TIMEOUT)
    }

    pub(super) fn close_until(self, deadline: Instant) -> bool {
        for open in &self.open {
            // A writer that is stuck takes no message, and one that has gone needs none.
            let _ = open.sink.queue.send_deadline(Message::Close, deadline);
        }
        let mut all_ended = true;
        for open in self.open {
            match open.ended.recv_deadline(deadline) {
                Err(flume::RecvTimeoutError::Disconnected) => all_ended &= open.writer.join().is_ok(),
                Err(flume::RecvTimeoutError::Timeout) => all_ended = false,
                Ok(never) => match never {},
            }
        }
        all_ended
    }
}

/// Without `O_NONBLOCK` a named pipe that nobody reads would hold the start up for ever; with it, opening fails.
fn open_file(path: &std::path::Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags.bits().cast_signed()).open(path)
}
