//! Sinks, shard logs and the operational log against real files and pipes.

mod logger;
mod shard_log;
mod sink;

use std::fs::File;
use std::io::{PipeReader, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::sink::{Batch, Sink, SinkTarget, Sinks, StreamKind};
use super::writer::{Flush, Output};

/// A sink that writes to a pipe, with room for this many batches.
fn pipe_sink(flush: Flush, queue_batches: usize) -> (Sinks, Sink, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut sinks = Sinks::default();
    let output = Output::File(File::from(OwnedFd::from(writer)));
    let sink = sinks.start(SinkTarget::File(PathBuf::from("pipe")), output, flush, queue_batches).unwrap();
    (sinks, sink, reader)
}

fn batch(lines: &str) -> Batch {
    let records = lines.lines().count() as u64;
    Batch { bytes: lines.as_bytes().to_vec(), records, kind: StreamKind::Access }
}

/// Reads until the writing end is closed.
fn read_all(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// Far enough not to be reached.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}
