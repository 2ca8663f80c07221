//! Writer threads against files and pipes whose readers are slow, stuck or gone.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::super::sink::SinkTargetError;
use super::*;
use crate::limits;

#[test]
fn a_file_is_created_for_its_owner_and_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    for line in ["one\n", "two\n"] {
        let mut sinks = Sinks::default();
        let sink = sinks.open(&SinkTarget::File(path.clone())).unwrap();
        sink.send(batch(line)).unwrap();
        assert!(sinks.close());
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn an_existing_file_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    std::fs::write(&path, "before\n").unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let mut sinks = Sinks::default();
    sinks.open(&SinkTarget::File(path.clone())).unwrap().send(batch("after\n")).unwrap();
    assert!(sinks.close());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nafter\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
}

#[test]
fn folders_are_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/access.log");
    let error = Sinks::default().open(&SinkTarget::File(path.clone())).unwrap_err();
    assert!(error.to_string().starts_with(&format!("open log file {}: ", path.display())), "{error}");
    assert!(!folder.path().join("missing").exists());
}

#[test]
fn a_named_pipe_without_a_reader_does_not_hold_the_start_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert!(Sinks::default().open(&SinkTarget::File(path)).is_err());
}

#[test]
fn streams_with_one_target_share_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut sinks = Sinks::default();
    let one = sinks.open(&SinkTarget::File(folder.path().join("a"))).unwrap();
    let same = sinks.open(&SinkTarget::File(folder.path().join("a"))).unwrap();
    let other = sinks.open(&SinkTarget::File(folder.path().join("b"))).unwrap();
    one.send(batch("1\n")).unwrap();
    same.send(batch("2\n")).unwrap();
    other.send(batch("3\n")).unwrap();
    assert!(sinks.close());
    assert_eq!(std::fs::read_to_string(folder.path().join("a")).unwrap(), "1\n2\n");
    assert_eq!(std::fs::read_to_string(folder.path().join("b")).unwrap(), "3\n");
}

#[test]
fn a_stream_shows_records_at_once_and_a_buffered_file_after_its_interval() {
    for flush in [Flush::AtOnce, Flush::Buffered] {
        let (sinks, sink, mut reader) = pipe_sink(flush, 8);
        sink.send(batch("shown\n")).unwrap();
        let mut shown = [0; 6];
        reader.read_exact(&mut shown).unwrap();
        assert_eq!(&shown, b"shown\n");
        assert!(sinks.close());
    }
}

#[test]
fn a_slow_reader_gets_everything_in_order() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 4);
    let mut lines = (0..).map(|number| format!("{number}{}\n", "x".repeat(9000)));
    let mut expected = String::new();
    // Until pipe and queue are full.
    let refused = loop {
        let line = lines.next().unwrap();
        match sink.send(batch(&line)) {
            Ok(()) => expected.push_str(&line),
            Err(refused) => break refused,
        }
    };
    expected.push_str(std::str::from_utf8(&refused.bytes).unwrap());
    assert_eq!(refused.records, 1);
    let reading = std::thread::spawn(move || read_all(reader));
    sink.send_until(refused, far());
    assert!(sinks.close_until(far()));
    assert_eq!(reading.join().unwrap(), expected);
    assert_eq!(sink.lost(StreamKind::Access), 0);
}

#[test]
fn the_queue_is_bounded_in_bytes() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 64);
    let huge = || Batch { bytes: vec![b'x'; limits::LOG_QUEUE_MAX_BYTES / 4], records: 1, kind: StreamKind::Access };
    let accepted = (0..64).take_while(|_| sink.send(huge()).is_ok()).count();
    assert_eq!(accepted, 4);
    let reading = std::thread::spawn(move || read_all(reader).len());
    assert!(sinks.close_until(far()));
    assert_eq!(reading.join().unwrap(), accepted * limits::LOG_QUEUE_MAX_BYTES / 4);
}

#[test]
fn a_batch_beyond_the_bound_passes_when_nothing_is_queued() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 4);
    let size = limits::LOG_QUEUE_MAX_BYTES + 1;
    sink.send(Batch { bytes: vec![b'x'; size], records: 1, kind: StreamKind::Audit }).unwrap();
    let reading = std::thread::spawn(move || read_all(reader).len());
    assert!(sinks.close_until(far()));
    assert_eq!(reading.join().unwrap(), size);
}

#[test]
fn records_for_a_reader_that_has_gone_are_counted() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 8);
    drop(reader);
    sink.send(batch("a\nb\n")).unwrap();
    sink.send(Batch { kind: StreamKind::Audit, ..batch("c\n") }).unwrap();
    assert!(sinks.close());
    assert_eq!((sink.lost(StreamKind::Access), sink.lost(StreamKind::Audit)), (2, 1));
    // Nobody is there any more; the handle stays harmless.
    sink.send(batch("d\n")).unwrap();
    assert_eq!(sink.lost(StreamKind::Access), 3);
}

#[test]
fn a_full_disk_costs_records_and_nothing_else() {
    let mut sinks = Sinks::default();
    let sink = sinks.open(&SinkTarget::File(PathBuf::from("/dev/full"))).unwrap();
    sink.send(batch("a\nb\nc\n")).unwrap();
    assert!(sinks.close());
    assert_eq!(sink.lost(StreamKind::Access), 3);
}

#[test]
fn a_stuck_reader_does_not_hold_the_exit() {
    let (sinks, sink, reader) = pipe_sink(Flush::AtOnce, 1);
    while sink.send(batch(&format!("{}\n", "x".repeat(1 << 20)))).is_ok() {}
    assert!(!sinks.close_until(Instant::now() + Duration::from_millis(20)));
    drop(reader);
}

#[test]
fn a_line_that_was_cut_off_does_not_swallow_the_next_one() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (_queue, messages) = flume::bounded(1);
    let (give_back, _spares) = flume::bounded(1);
    let shared = Arc::new(crate::observe::sink::Shared::new());
    let output = Output::File(File::from(OwnedFd::from(writer)));
    let mut writer = crate::observe::writer::Writer::new(output, Flush::AtOnce, messages, give_back, shared);
    let leaving = std::thread::spawn(move || reader.read_exact(&mut [0; 10]).unwrap());
    writer.take(batch(&format!("{}\n", "x".repeat(1 << 20))));
    leaving.join().unwrap();

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"half a li").unwrap();
    writer.redirect(Output::File(file.try_clone().unwrap()));
    writer.take(batch("whole\n"));
    writer.write_pending();
    writer.take(batch("next\n"));
    writer.write_pending();
    let mut text = String::new();
    std::io::Seek::rewind(&mut file).unwrap();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "half a li\nwhole\nnext\n");
}

#[test]
fn losses_are_reported_once_in_a_while() {
    let (_sinks, sink, _reader) = pipe_sink(Flush::AtOnce, 1);
    assert_eq!(sink.losses_to_report(StreamKind::Audit), None);
    sink.count_lost(StreamKind::Audit, 3);
    assert_eq!(sink.losses_to_report(StreamKind::Access), None);
    assert_eq!(sink.losses_to_report(StreamKind::Audit), Some(3));
    sink.count_lost(StreamKind::Audit, 1);
    assert_eq!(sink.losses_to_report(StreamKind::Audit), None);
    sink.forget_report_time(StreamKind::Audit);
    assert_eq!(sink.losses_to_report(StreamKind::Audit), Some(4));
    assert_eq!(sink.losses_to_report(StreamKind::Audit), None);
}

#[test]
fn grown_buffers_come_back() {
    let (sinks, sink, mut reader) = pipe_sink(Flush::AtOnce, 8);
    sink.send(batch("first\n")).unwrap();
    // The writer has given the buffer back before it wrote.
    reader.read_exact(&mut [0; 6]).unwrap();
    let spare = sink.spare().unwrap_or_default();
    assert!(spare.is_empty() && spare.capacity() >= 6);
    assert!(sink.spare().is_none());
    assert!(sinks.close());
}

#[test]
fn targets_have_four_forms() {
    let file = |path: &str| Ok(SinkTarget::File(path.into()));
    for (text, sink) in [
        ("stderr", Ok(SinkTarget::Stderr)),
        (" stdout ", Ok(SinkTarget::Stdout)),
        ("file:/var/log/a.log", file("/var/log/a.log")),
        ("/var/log/a.log", file("/var/log/a.log")),
        ("/var/log/..a/b..", file("/var/log/..a/b..")),
        ("", Err(SinkTargetError)),
        ("STDERR", Err(SinkTargetError)),
        ("syslog", Err(SinkTargetError)),
        ("file:", Err(SinkTargetError)),
        ("file:a.log", Err(SinkTargetError)),
        ("a/b.log", Err(SinkTargetError)),
        ("./a.log", Err(SinkTargetError)),
        ("/var/log/../a.log", Err(SinkTargetError)),
        ("file:/..", Err(SinkTargetError)),
        ("file: /a", Err(SinkTargetError)),
        ("/", Err(SinkTargetError)),
        ("/var/log/", Err(SinkTargetError)),
        ("/a\0b", Err(SinkTargetError)),
    ] {
        assert_eq!(SinkTarget::parse(text), sink, "{text:?}");
    }
}
