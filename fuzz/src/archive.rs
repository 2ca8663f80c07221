//! Archives in request bodies and the Dockerfiles in them (spec 30 §4, §6, §7).

use std::collections::BTreeMap;

use sockguard::inspect::Options;
use sockguard::inspect::archive::dockerfile::{Finding, find};
use sockguard::inspect::archive::tar::{Kind, Walker};
use sockguard::inspect::archive::wanted::{Found, Wanted, collect};
use sockguard::inspect::archive::{ArchiveError, Upload};
use sockguard::inspect::{build, container_archive, image_load};

const BLOCK: usize = 512;

/// The input is an archive; header blocks get the checksum that they should have, which no mutation would hit. Entries
/// that are walked are those that another reader unpacks, and the file that is judged is the one that is used.
pub fn tar(data: &[u8]) {
    let archive = with_checksums(data);
    let outcome = walk(&archive);
    if let Ok(entries) = &outcome {
        assert_eq!(Some(entries), read(&archive).as_ref());
    }
    let mut wanted = [Wanted::new(b"Dockerfile", 1 << 20)];
    let mut source = &archive[..];
    if collect(&mut Walker::new(&mut source), &mut wanted).is_ok() {
        let [wanted] = wanted;
        let last = outcome.iter().flatten().rfind(|entry| normal(&entry.name) == b"Dockerfile");
        match (wanted.found(), last) {
            (Found::File(content), Some(entry)) => assert_eq!(content, entry.payload),
            (Found::File(_), None) => panic!("a file that nobody unpacks"),
            (Found::Absent, Some(entry)) => panic!("overlooked: {entry:?}"),
            (Found::Absent, None) | (Found::Ambiguous, _) => {}
        }
    }
}

/// The input is a body as it comes, compressed or not. Nothing panics, and every way to judge it ends.
pub fn archive_body(data: &[u8]) {
    let options = Options::default();
    for content_type in [None, Some(&b"text/plain"[..]), Some(b"application/x-tar")] {
        let upload = Upload { query: b"dockerfile=a%2FDockerfile", content_type, has_body: true };
        drop(build::inspect_body(&upload, &mut &data[..]));
        drop(build::inspect_body(&Upload { query: b"", ..upload }, &mut &data[..]));
    }
    drop(container_archive::inspect_body(&mut &data[..], &options.container_archive));
    drop(image_load::inspect_body(&mut &data[..], &options.image_load));
}

#[derive(Debug, PartialEq, Eq)]
struct Unpacked {
    kind: Kind,
    name: Vec<u8>,
    link: Vec<u8>,
    payload: Vec<u8>,
}

fn walk(archive: &[u8]) -> Result<Vec<Unpacked>, ArchiveError> {
    let mut source = archive;
    let mut walker = Walker::new(&mut source);
    let mut entries = Vec::new();
    while let Some(entry) = walker.next_entry()? {
        let (name, link) = (walker.name().to_vec(), walker.link().to_vec());
        let payload = walker.read_payload(1 << 20)?;
        assert_eq!(payload.len() as u64, entry.size);
        entries.push(Unpacked { kind: entry.kind, name, link, payload });
    }
    Ok(entries)
}

// ---- the second reader: one block after another, the last statement counts, nothing is refused for being odd

fn with_checksums(data: &[u8]) -> Vec<u8> {
    let (mut archive, mut at) = (data.to_vec(), 0);
    while let Some(block) = archive.get_mut(at..at + BLOCK) {
        if block.iter().any(|&byte| byte != 0) {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let Some(size) = number(&block[124..136]) else { break };
        at += BLOCK + size.next_multiple_of(BLOCK);
    }
    archive
}

/// Octal digits between blanks and NULs, or base 256. No size here is larger than any input.
fn number(field: &[u8]) -> Option<usize> {
    let value = if field[0] & 0x80 != 0 {
        field[1..]
            .iter()
            .try_fold(usize::from(field[0] & 0x7f), |sum, &byte| Some(sum.checked_mul(256)? + usize::from(byte)))?
    } else {
        let text: String = field.iter().map(|&byte| char::from(byte)).collect();
        let text = text.trim_matches([' ', '\0']).split('\0').next().unwrap_or_default().to_owned();
        if text.is_empty() { 0 } else { usize::from_str_radix(&text, 8).ok()? }
    };
    (value <= 1 << 40).then_some(value)
}

fn text(field: &[u8]) -> Vec<u8> {
    super::split_once(field, 0).0.to_vec()
}

fn read(archive: &[u8]) -> Option<Vec<Unpacked>> {
    let (mut at, mut entries) = (0, Vec::new());
    let mut stated: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    while let Some(block) = archive.get(at..at + BLOCK).filter(|block| block.iter().any(|&byte| byte != 0)) {
        let size = number(&block[124..136])?;
        let payload = archive.get(at + BLOCK..at + BLOCK + size)?.to_vec();
        at += BLOCK + size.next_multiple_of(BLOCK);
        match block[156] {
            b'x' => stated.extend(records(&payload)?),
            b'g' => {}
            b'L' => drop(stated.insert(b"path".to_vec(), text(&payload))),
            b'K' => drop(stated.insert(b"linkpath".to_vec(), text(&payload))),
            kind => {
                let is_ustar = &block[257..263] == b"ustar\0";
                let length = if &block[508..512] == b"tar\0" { 131 } else { 155 };
                let prefix = if is_ustar { text(&block[345..345 + length]) } else { Vec::new() };
                let in_header =
                    if prefix.is_empty() { text(&block[..100]) } else { [prefix, text(&block[..100])].join(&b'/') };
                let mut of = |key: &[u8]| stated.remove(key).filter(|value| !value.is_empty());
                let path = of(b"path");
                let name = of(b"GNU.sparse.name").or(path).unwrap_or(in_header);
                let kind = match kind {
                    0 if name.ends_with(b"/") => Kind::Directory,
                    0 | b'0' => Kind::Regular,
                    b'1' => Kind::HardLink,
                    b'2' => Kind::Symlink,
                    b'3' => Kind::CharacterDevice,
                    b'4' => Kind::BlockDevice,
                    b'5' => Kind::Directory,
                    b'6' => Kind::Fifo,
                    _ => return None,
                };
                let link = of(b"linkpath").unwrap_or_else(|| text(&block[157..257]));
                let link = if kind.is_link() { link } else { Vec::new() };
                entries.push(Unpacked { kind, name, link, payload });
                stated.clear();
            }
        }
    }
    Some(entries)
}

fn records(mut payload: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut all = Vec::new();
    while !payload.is_empty() {
        let (length, _) = super::split_once(payload, b' ');
        let end: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
        let record = payload.get(length.len() + 1..end)?.strip_suffix(b"\n")?;
        let (key, value) = super::split_once(record, b'=');
        all.push((key.to_vec(), value.to_vec()));
        payload = &payload[end..];
    }
    Some(all)
}

/// Where the Engine puts an entry, relative to the place.
fn normal(name: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(part),
        }
    }
    kept.join(&b'/')
}

// ---- Dockerfiles

/// The input is a Dockerfile. What is let through runs nothing and names no frontend, as the spec and as BuildKit read
/// it.
pub fn dockerfile(data: &[u8]) {
    let found = find(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if found.is_some() {
        if let Some(Finding::Frontend(frontend)) = found {
            assert!(!frontend.is_empty() && text.contains(&frontend), "{text:?}");
        }
        return;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (escape, has_frontend) = directives(text);
    assert!(!has_frontend, "a frontend is let through: {text:?}");
    assert!(!as_the_spec_reads(text, escape).iter().any(|one| runs(one)), "{text:?}");
    assert!(!as_buildkit_reads(text, escape).iter().any(|one| runs(one)), "{text:?}");
}

fn runs(instruction: &str) -> bool {
    let words: Vec<String> = instruction.split_whitespace().take(2).map(str::to_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(words[..], ["RUN", ..] | ["ONBUILD", "RUN"])
}

/// The escape character, and whether a frontend is named.
fn directives(text: &str) -> (char, bool) {
    let (mut escape, mut has_frontend) = ('\\', false);
    for line in text.split('\n') {
        let Some((key, value)) = line.trim().strip_prefix('#').and_then(|rest| rest.split_once('=')) else { break };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match key.as_str() {
            _ if value.is_empty() => break,
            "syntax" => has_frontend = true,
            "escape" if value == "`" => escape = '`',
            "escape" => escape = '\\',
            "check" => {}
            _ => break,
        }
    }
    (escape, has_frontend)
}

/// Spec 30 §7, line by line.
fn as_the_spec_reads(text: &str, escape: char) -> Vec<String> {
    let (mut all, mut open): (_, Option<String>) = (Vec::new(), None);
    for line in text.split('\n').map(str::trim) {
        if line.is_empty() || (open.is_none() && line.starts_with('#')) {
            continue;
        }
        let joined = open.take().unwrap_or_default() + line;
        match joined.strip_suffix(escape) {
            Some(begun) => open = Some(begun.to_owned()),
            None => all.push(joined),
        }
    }
    all.extend(open);
    all
}

/// The instructions in front of the first here-document.
fn as_buildkit_reads(text: &str, escape: char) -> Vec<String> {
    let (mut all, mut open): (_, Option<String>) = (Vec::new(), None);
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let joined = match open.take() {
            Some(begun) => begun + line,
            None => line.trim_start().to_owned(),
        };
        let end = line.trim_end_matches([' ', '\t']);
        if let Some(begun) = end.strip_suffix(escape)
            && !begun.ends_with(escape)
        {
            let kept = joined.trim_end_matches([' ', '\t']);
            open = Some(kept[..kept.len() - escape.len_utf8()].to_owned());
            continue;
        }
        let has_document = joined.contains("<<");
        all.push(joined);
        if has_document {
            return all;
        }
    }
    all.extend(open);
    all
}
