//! Good and hostile archives, and what two readers could make of them.

use proptest::prelude::*;

use super::*;
use crate::inspect::archive::testing::{Builder, gzip};

/// Kind, name and link of every entry.
fn walk(archive: &[u8]) -> Result<Vec<(Kind, String, String)>, ArchiveError> {
    let mut source = archive;
    let mut walker = Walker::new(&mut source);
    let mut entries = Vec::new();
    while let Some(entry) = walker.next_entry()? {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        entries.push((entry.kind, text(walker.name()), text(walker.link())));
    }
    Ok(entries)
}

fn names(archive: &Builder) -> Result<Vec<String>, ArchiveError> {
    Ok(walk(&archive.bytes())?.into_iter().map(|(_, name, _)| name).collect())
}

#[test]
fn entries_come_with_kind_name_and_link() {
    let archive = Builder::new()
        .directory("d/")
        .file("d/f", &"x".repeat(1300))
        .file("empty", "")
        .hard_link("h", "d/f")
        .symlink("s", "../x")
        .entry(b'3', "c", "", 0o600, b"")
        .entry(b'4', "b", "", 0o600, b"")
        .entry(b'6', "p", "", 0o600, b"")
        .entry(0, "old", "", 0o600, b"yz")
        .entry(0, "old/", "", 0o600, b"");
    let expected = [
        (Kind::Directory, "d/", ""),
        (Kind::Regular, "d/f", ""),
        (Kind::Regular, "empty", ""),
        (Kind::HardLink, "h", "d/f"),
        (Kind::Symlink, "s", "../x"),
        (Kind::CharacterDevice, "c", ""),
        (Kind::BlockDevice, "b", ""),
        (Kind::Fifo, "p", ""),
        (Kind::Regular, "old", ""),
        (Kind::Directory, "old/", ""),
    ];
    let expected = expected.map(|(kind, name, link)| (kind, name.to_owned(), link.to_owned()));
    assert_eq!(walk(&archive.bytes()).unwrap(), expected);
    // The end marker may be missing, and what follows it is nobody's.
    assert_eq!(walk(&archive.open_bytes()).unwrap(), expected);
    assert_eq!(walk(&[archive.open_bytes(), vec![0; 512]].concat()).unwrap(), expected);
    assert_eq!(walk(&[archive.bytes(), b"rest".to_vec()].concat()).unwrap(), expected);
    assert_eq!(walk(b"").unwrap(), []);
    assert_eq!(walk(&[0; 1024]).unwrap(), []);
}

#[test]
fn payloads_are_read_or_skipped() {
    let archive = Builder::new().file("a", &"1".repeat(70_000)).file("b", "two").file("c", "").bytes();
    let mut source = &archive[..];
    let mut walker = Walker::new(&mut source);
    assert_eq!(walker.next_entry().unwrap().unwrap().size, 70_000);
    assert!(matches!(walker.read_payload(69_999), Err(ArchiveError::FileTooLong(69_999))));
    assert_eq!(walker.read_payload(70_000).unwrap(), [b'1'; 70_000]);
    walker.next_entry().unwrap();
    assert_eq!(walker.read_payload(3).unwrap(), b"two");
    assert_eq!(walker.read_payload(3).unwrap(), b"");
    walker.next_entry().unwrap();
    assert_eq!(walker.read_payload(0).unwrap(), b"");
    assert_eq!(walker.next_entry().unwrap(), None);
}

#[test]
fn long_names_and_records_belong_to_the_next_entry() {
    let long = "d/".repeat(100) + "f";
    assert_eq!(names(&Builder::new().long(b'L', &long).file("cut", "x").file("next", "")).unwrap(), [&long, "next"]);
    assert_eq!(
        names(&Builder::new().pax(&[("path", &long)]).file("cut", "x").file("next", "")).unwrap(),
        [long.as_str(), "next"]
    );
    let both = Builder::new().pax(&[("path", &long)]).long(b'L', &long).file("cut", "");
    assert_eq!(names(&both).unwrap(), [long.as_str()]);
    let link = Builder::new().long(b'K', &long).symlink("s", "cut").pax(&[("linkpath", "t")]).hard_link("h", "cut");
    let links: Vec<_> = walk(&link.bytes()).unwrap().into_iter().map(|(_, _, link)| link).collect();
    assert_eq!(links, [long.as_str(), "t"]);
    // Records of an entry that is no link do not make it one.
    let file = Builder::new().pax(&[("linkpath", "t"), ("mtime", "1")]).file("f", "");
    assert_eq!(walk(&file.bytes()).unwrap(), [(Kind::Regular, "f".to_owned(), String::new())]);
    // The old type for directories looks at the long name.
    let directory = Builder::new().pax(&[("path", "d/")]).entry(0, "d", "", 0o755, b"");
    assert_eq!(walk(&directory.bytes()).unwrap()[0].0, Kind::Directory);
}

#[test]
fn sparse_files_have_their_real_name() {
    let archive = Builder::new()
        .pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.name", "Dockerfile")])
        .file("GNUSparseFile.1/Dockerfile", "1\n0\n5\n");
    let archive = archive.bytes();
    let mut source = &archive[..];
    let mut walker = Walker::new(&mut source);
    assert!(walker.next_entry().unwrap().unwrap().is_sparse);
    assert_eq!(walker.name(), b"Dockerfile");
}

#[test]
fn what_is_stated_twice_is_refused() {
    for archive in [
        Builder::new().pax(&[("path", "a")]).long(b'L', "b").file("c", ""),
        Builder::new().long(b'L', "b").pax(&[("path", "a")]).file("c", ""),
        Builder::new().long(b'K', "b").pax(&[("linkpath", "a")]).symlink("c", ""),
        Builder::new().pax(&[("path", "a"), ("path", "b")]).file("c", ""),
        Builder::new().pax(&[("size", "512")]).file("c", ""),
        Builder::new().pax(&[("size", "0")]).file("c", "x"),
    ] {
        assert!(matches!(names(&archive), Err(ArchiveError::Contradiction(_))));
    }
    assert!(names(&Builder::new().pax(&[("size", "1")]).file("c", "x")).is_ok());
    for archive in [
        Builder::new().pax(&[("path", "a")]).pax(&[("path", "a")]).file("c", ""),
        Builder::new().long(b'L', "a").long(b'L', "a").file("c", ""),
        Builder::new().long(b'K', "a").long(b'K', "a").symlink("c", ""),
    ] {
        assert!(matches!(names(&archive), Err(ArchiveError::MalformedExtension)));
    }
}

#[test]
fn entries_without_payload_state_no_size() {
    for kind in *b"123456" {
        let archive =
            Builder::new().entry(kind, "x", "y", 0o644, &Builder::new().file("Dockerfile", "RUN").open_bytes());
        assert!(matches!(names(&archive), Err(ArchiveError::Contradiction("size"))), "{kind}");
        assert!(names(&Builder::new().entry(kind, "x", "y", 0o644, b"")).is_ok(), "{kind}");
    }
}

#[test]
fn unknown_types_are_refused() {
    for kind in (0..=u8::MAX).filter(|kind| !b"\x000123456xgLK".contains(kind)) {
        let archive = Builder::new().entry(kind, "x", "y", 0o644, b"");
        assert!(matches!(names(&archive), Err(ArchiveError::UnsupportedType(found)) if found == kind), "{kind}");
    }
}

#[test]
fn global_records_change_nothing() {
    let global = |records: &[(&str, &str)]| {
        let payload = crate::inspect::archive::testing::pax_payload(records);
        Builder::new().entry(b'g', "pax_global_header", "", 0o644, &payload)
    };
    // As `git archive` writes it.
    assert_eq!(names(&global(&[("comment", "1f3a")]).file("a", "x")).unwrap(), ["a"]);
    assert!(names(&global(&[("path", "b")]).file("a", "x")).is_err());
    assert!(names(&global(&[("size", "0")]).file("a", "x")).is_err());
    assert!(names(&global(&[("linkpath", "0")]).file("a", "x")).is_err());
    let between = Builder::new().pax(&[("path", "b")]).raw(&global(&[("comment", "x")]).open_bytes()).file("a", "");
    assert!(names(&between).is_err());
}

#[test]
fn extensions_are_bounded_and_belong_to_an_entry() {
    let length = TAR_EXTENSION_MAX_BYTES as usize - 100;
    assert!(names(&Builder::new().long(b'L', &"x".repeat(length)).file("a", "")).is_ok());
    assert!(names(&Builder::new().long(b'L', &"x".repeat(length + 101)).file("a", "")).is_err());
    for archive in [
        Builder::new().file("a", "").pax(&[("path", "b")]),
        Builder::new().long(b'L', "b"),
        Builder::new().long(b'L', "").file("a", ""),
        Builder::new().long(b'L', "a\0b").file("a", ""),
        Builder::new().block(b'L', "x", "", 0, b"77777777777\0"),
        Builder::new().block(b'x', "x", "", 0, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"),
        Builder::new().entry(b'x', "x", "", 0, b"nonsense").file("a", ""),
    ] {
        assert!(matches!(names(&archive), Err(ArchiveError::MalformedExtension)));
    }
}

#[test]
fn lying_sizes_end_the_walk() {
    for size in [
        &b"77777777777\0"[..],
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xfe\0",
        b"00000002001\0",
    ] {
        let archive = Builder::new().file("a", "x").block(b'0', "b", "", 0o644, size).bytes();
        assert!(matches!(walk(&archive), Err(ArchiveError::Truncated)), "{}", size.escape_ascii());
        let mut source = &archive[..];
        let mut walker = Walker::new(&mut source);
        walker.next_entry().unwrap();
        walker.next_entry().unwrap();
        assert!(walker.read_payload(1 << 20).is_err());
    }
    for size in [&[0xff; 12], b"-0000000001\0", b"0000000000x\0"] {
        let archive = Builder::new().file("a", "x").block(b'0', "b", "", 0o644, size);
        assert!(matches!(names(&archive), Err(ArchiveError::MalformedHeader)));
    }
}

#[test]
fn truncation_is_an_error_but_for_the_last_padding() {
    let archive = Builder::new().pax(&[("path", "b")]).file("a", "four").open_bytes();
    for length in 0..=archive.len() {
        let is_complete = length == 0 || length >= archive.len() - 508;
        assert_eq!(walk(&archive[..length]).is_ok(), is_complete, "{length}");
    }
}

#[test]
fn damage_is_told_from_what_is_no_archive() {
    assert!(matches!(walk(&[b'x'; 1024]), Err(ArchiveError::NotAnArchive)));
    assert!(matches!(walk(&gzip(&Builder::new().bytes())), Err(ArchiveError::Truncated)));
    let damaged = Builder::new().file("a", "x").raw(&[b'x'; 512]);
    assert!(matches!(names(&damaged), Err(ArchiveError::MalformedHeader)));
    let half_an_end = Builder::new().file("a", "x").raw(&[0; 512]).file("b", "x");
    assert!(matches!(names(&half_an_end), Err(ArchiveError::MalformedHeader)));
}

#[test]
fn a_million_members_are_walked() {
    let block = Builder::new().file("some/file", "").open_bytes();
    struct Repeat<'b>(&'b [u8], usize, usize);
    impl Read for Repeat<'_> {
        fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
            let mut written = 0;
            while written < into.len() && self.2 > 0 {
                let part = &self.0[self.1..];
                let step = part.len().min(into.len() - written);
                into[written..written + step].copy_from_slice(&part[..step]);
                written += step;
                self.1 = (self.1 + step) % self.0.len();
                self.2 -= usize::from(self.1 == 0);
            }
            Ok(written)
        }
    }
    let mut source = Repeat(&block, 0, 1_000_000);
    let mut walker = Walker::new(&mut source);
    let mut count = 0;
    while walker.next_entry().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 1_000_000);
}

/// Hands out a byte at a time, with interruptions.
struct Trickle<'b>(&'b [u8], bool);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> IoResult<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(ErrorKind::Interrupted.into());
        }
        self.0.read(&mut into[..1])
    }
}

#[test]
fn slow_sources_are_read_alike() {
    let archive = Builder::new().long(b'L', "long").file("a", "four").symlink("b", "c").bytes();
    let mut source = Trickle(&archive, false);
    let mut walker = Walker::new(&mut source);
    walker.next_entry().unwrap();
    assert_eq!(walker.name(), b"long");
    assert_eq!(walker.read_payload(4).unwrap(), b"four");
    walker.next_entry().unwrap();
    assert_eq!(walker.link(), b"c");
    assert_eq!(walker.next_entry().unwrap(), None);
}

fn any_archive() -> impl Strategy<Value = Vec<u8>> {
    let name = "[a-c./ ]{0,12}";
    let entry = (any::<u8>(), name, name, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..700));
    proptest::collection::vec(entry, 0..8).prop_map(|entries| {
        let mut archive = Builder::new();
        for (kind, name, link, mode, payload) in entries {
            let kind = b"\x0001234560000xgLKS7"[usize::from(kind) % 18];
            archive = match kind {
                b'x' | b'g' => archive.entry(
                    kind,
                    &name,
                    &link,
                    0,
                    &crate::inspect::archive::testing::pax_payload(&[("path", &link)]),
                ),
                _ => archive.entry(kind, &name, &link, mode & 0o7777, &payload),
            };
        }
        archive.bytes()
    })
}

proptest! {
    #[test]
    fn mutated_archives_never_panic(
        mut archive in any_archive(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        fix_sums in any::<bool>(),
    ) {
        for (at, byte) in changes {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        if fix_sums {
            for block in archive.chunks_exact_mut(512) {
                block[148..156].fill(b' ');
                let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let mut source = &archive[..];
        let mut walker = Walker::new(&mut source);
        // Every step consumes a block at least, so this ends.
        while let Ok(Some(entry)) = walker.next_entry() {
            let _ = walker.read_payload(usize::try_from(entry.size).unwrap_or(0).min(1 << 20));
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let _ = walk(&bytes);
    }
}
