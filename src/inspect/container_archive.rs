//! `PUT /containers/X/archive`: where files go in a container, and which (spec 30 §4).
//!
//! Owns the checks of the target path and of every entry. All are lexical: the links that a container has already are the
//! Engine's to follow, and no check here can know them. The links that the archive itself brings are known (spec 30 §15
//! gap 15).

use std::io::Read;

use super::Outcome;
use super::archive::body::{Body, Format};
use super::archive::links::Links;
use super::archive::media_type::is_form;
use super::archive::name::{escapes, is_ancestor, normalize, trim};
use super::archive::tar::{Entry, Kind, Walker};
use super::archive::{ArchiveError, BeforeBody, Checked, FORM_BODY, Upload, Wording, deny, deny_value};
use super::options::ContainerArchiveOptions;
use super::query::{parameter, refuse_ambiguous};
use super::reason::Quoted;
use super::request::Request;
use crate::limits::SPOOLED_BODY_MAX_BYTES;

const WORDING: Wording = Wording {
    subject: "container archive",
    what: "container archive",
    // Nothing is decompressed here.
    decompressed_max_bytes: SPOOLED_BODY_MAX_BYTES,
};

/// Set-user-id and set-group-id.
const SETID_BITS: i64 = 0o6000;

/// Judges where the archive is to be unpacked.
pub fn inspect_query(upload: &Upload<'_>, options: &ContainerArchiveOptions) -> BeforeBody {
    WORDING.before_body(judge_query(upload, options).map(|()| BeforeBody::ReadBody))
}

/// Judges the archive, after [`inspect_query`] asked for it.
///
/// # Errors
/// When the archive cannot be inspected; a compressed one cannot.
pub fn inspect_body(body: &mut dyn Read, options: &ContainerArchiveOptions) -> Result<Outcome, ArchiveError> {
    WORDING.conclude(judge_body(body, options))
}

fn judge_query(upload: &Upload<'_>, options: &ContainerArchiveOptions) -> Checked {
    refuse_ambiguous(&Request { query: upload.query, ..Request::default() })?;
    if upload.has_body && upload.content_type.is_some_and(is_form) {
        return deny(FORM_BODY);
    }
    let path = parameter(upload.query, "path")?.unwrap_or_default();
    let path = path.trim();
    if path.is_empty() {
        return Ok(());
    }
    let Some(target) = relative(path) else { return deny("target path must stay within the container path") };
    // Blank entries list nothing; entries that lead outside list nothing that could be a target.
    let mut entries =
        options.allowed_paths.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()).peekable();
    let is_allowed = entries.peek().is_none()
        || entries
            .filter_map(relative)
            .any(|entry| entry == target || is_ancestor(entry.as_bytes(), target.as_bytes()));
    if is_allowed {
        return Ok(());
    }
    let shown = if target.is_empty() { "." } else { &target };
    deny_value(format_args!("target path {} is not allowlisted", Quoted(shown)))
}

/// The path relative to the container's root, clean, empty for the root itself; `None` when it leads outside.
fn relative(path: &str) -> Option<String> {
    let path = path.trim_start_matches('/');
    if escapes(path.as_bytes()) {
        return None;
    }
    let mut normal = Vec::new();
    normalize(path.as_bytes(), &mut normal);
    // Cleaning cuts at `/` only, so UTF-8 stays UTF-8.
    String::from_utf8(normal).ok()
}

fn judge_body(body: &mut dyn Read, options: &ContainerArchiveOptions) -> Checked {
    let body = Body::open(body)?;
    match body.format() {
        Format::Empty => return Ok(()),
        Format::Tar => {}
        Format::Gzip | Format::OtherCompression => return Err(ArchiveError::UnsupportedCompression.into()),
        Format::Short => return Err(ArchiveError::Truncated.into()),
        Format::Unknown => return Err(ArchiveError::NotAnArchive.into()),
    }
    let mut stream = body.stream();
    let mut walker = Walker::new(&mut stream);
    let mut links = Links::default();
    let mut normal = Vec::new();
    while let Some(entry) = walker.next_entry()? {
        let name = walker.name();
        if trim(name).is_empty() || name.starts_with(b"/") || escapes(name) {
            return deny_entry(name, "must be relative and stay within the archive");
        }
        if (entry.mode & SETID_BITS != 0 || entry.has_capabilities) && !options.allow_setid {
            return deny_entry(name, "sets setuid/setgid bits");
        }
        if matches!(entry.kind, Kind::CharacterDevice | Kind::BlockDevice) && !options.allow_device_nodes {
            return deny_entry(name, "is a device node");
        }
        if !options.allow_escaping_links {
            normalize(name, &mut normal);
            judge_links(&walker, entry, &normal, &mut links)?;
        }
    }
    Ok(())
}

/// Refuses links that lead outside, and entries behind links.
fn judge_links(walker: &Walker<'_>, entry: Entry, normal: &[u8], links: &mut Links) -> Checked {
    if links.lead_to(normal) {
        return deny_entry(walker.name(), "must be relative and stay within the archive");
    }
    let (what, directory) = match entry.kind {
        Kind::Symlink => ("symlink", parent(normal)),
        // A hard link's target counts from where the archive is unpacked.
        Kind::HardLink => ("hardlink", &b""[..]),
        Kind::Regular | Kind::CharacterDevice | Kind::BlockDevice | Kind::Directory | Kind::Fifo => return Ok(()),
    };
    let target = walker.link();
    let escapes = !trim(target).is_empty()
        && (target.starts_with(b"/")
            || links.let_escape(directory, target)?
            || entry.kind == Kind::HardLink && leads_through_link(target, links));
    if escapes || !links.insert(normal)? {
        let name = String::from_utf8_lossy(walker.name());
        return deny_value(format_args!("{what} {} escapes the archive", Quoted(&name)));
    }
    Ok(())
}

/// Whether a hard link is one to something behind a link, which may be a file outside the archive.
fn leads_through_link(target: &[u8], links: &Links) -> bool {
    let mut normal = Vec::new();
    normalize(target, &mut normal);
    links.lead_to(&normal)
}

/// The directory in which a normal name lies.
fn parent(normal: &[u8]) -> &[u8] {
    normal.get(..memchr::memrchr(b'/', normal).unwrap_or(0)).unwrap_or_default()
}

fn deny_entry(name: &[u8], what: &str) -> Checked {
    deny_value(format_args!("tar entry {} {what}", Quoted(&String::from_utf8_lossy(name))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::archive::testing::{Builder, gzip};

    fn reason(outcome: Outcome) -> Option<String> {
        match outcome {
            Outcome::Pass => None,
            Outcome::Denied(reason) => Some(reason.strip_prefix("container archive denied: ").unwrap().to_owned()),
            Outcome::TooLarge | Outcome::Failed(_) => panic!("{outcome:?}"),
        }
    }

    fn target(query: &str, allowed: &[&str]) -> Option<String> {
        let allowed_paths = allowed.iter().map(|&path| path.to_owned()).collect();
        let options = ContainerArchiveOptions { allowed_paths, ..ContainerArchiveOptions::default() };
        match inspect_query(&Upload { query: query.as_bytes(), ..Upload::default() }, &options) {
            BeforeBody::ReadBody => None,
            BeforeBody::Decided(outcome) => Some(reason(outcome).unwrap()),
        }
    }

    fn archive(body: &[u8], options: &ContainerArchiveOptions) -> Option<String> {
        let mut stream = body;
        match inspect_body(&mut stream, options) {
            Ok(outcome) => reason(outcome),
            Err(error) => Some(format!("failed: {error}")),
        }
    }

    fn by_default(archive_: &Builder) -> Option<String> {
        archive(&archive_.bytes(), &ContainerArchiveOptions::default())
    }

    #[test]
    fn targets_stay_within_the_container() {
        for query in ["path=/app", "path=app", "path=/", "", "path=", "path=%20", "path=/a/../b", "path=/app/uploads"] {
            assert_eq!(target(query, &[]), None, "{query}");
        }
        for query in ["path=../etc", "path=app/../../etc", "path=%2e%2e%2fetc", "path=/..", "path=..", "path=//../x"] {
            for allowed in [&[][..], &["/app"], &["/"]] {
                let expected = Some("target path must stay within the container path");
                assert_eq!(target(query, allowed).as_deref(), expected, "{query}");
            }
        }
    }

    #[test]
    fn listed_targets_are_whole_segments() {
        let listed = &["/app", " var/uploads/ ", "../x", ""][..];
        for query in ["path=/app", "path=/app/uploads", "path=app", "path=/var/uploads/x", "path=", "path=/x/../app"] {
            assert_eq!(target(query, listed), None, "{query}");
        }
        for (query, shown) in [
            ("path=etc", "etc"),
            ("path=/", "."),
            ("path=/application", "application"),
            ("path=/app/../etc", "etc"),
            ("path=/var", "var"),
            ("path=/x", "x"),
        ] {
            let expected = format!("target path \"{shown}\" is not allowlisted");
            assert_eq!(target(query, listed), Some(expected), "{query}");
        }
        assert_eq!(target("path=/etc", &["/"]), None);
        assert_eq!(target("path=/", &["/"]), None);
        assert_eq!(target("path=/etc", &["", " "]), None);
        // A list of nothing but entries that lead outside is a list.
        assert!(target("path=/etc", &["../x"]).is_some());
    }

    #[test]
    fn ambiguous_requests_are_denied() {
        for query in ["path=/app&path=/etc", "path=/app;path=/etc", "path=%zz", "path=%ff"] {
            assert!(target(query, &[]).is_some(), "{query}");
        }
        let form = Upload { query: b"", content_type: Some(b"application/x-www-form-urlencoded"), has_body: true };
        let before = inspect_query(&form, &ContainerArchiveOptions::default());
        assert!(matches!(before, BeforeBody::Decided(Outcome::Denied(_))));
    }

    #[test]
    fn entries_stay_within_the_archive() {
        for name in ["app/file.txt", "./x", "rootfs/", "a/../b", "..a", "a/.../b"] {
            assert_eq!(by_default(&Builder::new().file(name, "x")), None, "{name}");
        }
        for name in ["/etc/passwd", "../etc/passwd", "a/../../b", "", "  ", ".."] {
            let expected = format!("tar entry \"{name}\" must be relative and stay within the archive");
            assert_eq!(by_default(&Builder::new().file("good", "x").file(name, "x")), Some(expected), "{name}");
        }
        assert!(by_default(&Builder::new().pax(&[("path", "../x")]).file("x", "")).is_some());
        assert!(by_default(&Builder::new().long(b'L', "/x").file("x", "")).is_some());
        let everything = ContainerArchiveOptions {
            allow_setid: true,
            allow_device_nodes: true,
            allow_escaping_links: true,
            ..ContainerArchiveOptions::default()
        };
        assert!(archive(&Builder::new().file("../x", "").bytes(), &everything).is_some());
    }

    #[test]
    fn privileges_are_not_brought_in() {
        let setid = |name: &str| Some(format!("tar entry \"{name}\" sets setuid/setgid bits"));
        let device = |name: &str| Some(format!("tar entry \"{name}\" is a device node"));
        let tool = Builder::new().entry(b'0', "bin/tool", "", 0o4755, b"x");
        let directory = Builder::new().entry(b'5', "d/", "", 0o2755, b"");
        let capable = Builder::new()
            .pax(&[("SCHILY.xattr.security.capability", "\u{1}")])
            .entry(b'0', "bin/ping", "", 0o755, b"x");
        let character = Builder::new().entry(b'3', "dev/kvm", "", 0o600, b"");
        let block = Builder::new().entry(b'4', "dev/sda", "", 0o600, b"");
        assert_eq!(by_default(&tool), setid("bin/tool"));
        assert_eq!(by_default(&directory), setid("d/"));
        assert_eq!(by_default(&capable), setid("bin/ping"));
        assert_eq!(by_default(&character), device("dev/kvm"));
        assert_eq!(by_default(&block), device("dev/sda"));
        assert_eq!(
            by_default(&Builder::new().entry(b'5', "tmp/", "", 0o1777, b"").entry(b'6', "p", "", 0o644, b"")),
            None
        );
        let setids = ContainerArchiveOptions { allow_setid: true, ..ContainerArchiveOptions::default() };
        let devices = ContainerArchiveOptions { allow_device_nodes: true, ..ContainerArchiveOptions::default() };
        for archive_ in [&tool, &directory, &capable] {
            assert_eq!(archive(&archive_.bytes(), &setids), None);
            assert!(archive(&archive_.bytes(), &devices).is_some());
        }
        for archive_ in [&character, &block] {
            assert_eq!(archive(&archive_.bytes(), &devices), None);
            assert!(archive(&archive_.bytes(), &setids).is_some());
        }
        let both = Builder::new().entry(b'4', "b", "", 0o4600, b"");
        assert_eq!(archive(&both.bytes(), &devices), setid("b"));
    }

    #[test]
    fn links_stay_within_the_archive() {
        let links = ContainerArchiveOptions { allow_escaping_links: true, ..ContainerArchiveOptions::default() };
        for archive_ in [
            Builder::new().symlink("app/current", "file.txt"),
            Builder::new().symlink("a/f", "../sibling"),
            Builder::new().symlink("a/f", ""),
            Builder::new().symlink("a/b", "c").symlink("a/c", "d").symlink("e", "a/b"),
            Builder::new().file("f", "x").hard_link("l", "f").hard_link("m", "./f"),
            Builder::new().symlink("lib", "usr/lib").symlink("x", "lib/y"),
        ] {
            assert_eq!(by_default(&archive_), None);
        }
        for (archive_, expected) in [
            (Builder::new().symlink("link", "../etc/passwd"), "symlink \"link\" escapes the archive"),
            (Builder::new().symlink("a/f", "../../x"), "symlink \"a/f\" escapes the archive"),
            (Builder::new().symlink("l", "/etc"), "symlink \"l\" escapes the archive"),
            (Builder::new().hard_link("l", "../etc/passwd"), "hardlink \"l\" escapes the archive"),
            (Builder::new().hard_link("a/l", "../etc/passwd"), "hardlink \"a/l\" escapes the archive"),
            (Builder::new().hard_link("l", "/etc/passwd"), "hardlink \"l\" escapes the archive"),
            (Builder::new().long(b'K', "/etc").symlink("l", "x"), "symlink \"l\" escapes the archive"),
            // The target leaves the archive through another link of it.
            (Builder::new().symlink("x/d", "..").symlink("e", "x/d/../etc"), "symlink \"e\" escapes the archive"),
            (Builder::new().symlink("e", "x/d/../etc").symlink("x/d", ".."), "symlink \"x/d\" escapes the archive"),
            (Builder::new().symlink("d", "e").hard_link("l", "d/passwd"), "hardlink \"l\" escapes the archive"),
            (
                Builder::new().symlink("d", "e").file("d/x", ""),
                "tar entry \"d/x\" must be relative and stay within the archive",
            ),
        ] {
            assert_eq!(by_default(&archive_).as_deref(), Some(expected));
            assert_eq!(archive(&archive_.bytes(), &links), None, "{expected}");
        }
        let outside = Builder::new().symlink("../l", "x").bytes();
        assert!(archive(&outside, &links).is_some());
    }

    #[test]
    fn unreadable_archives_fail() {
        let good = Builder::new().file("f", &"x".repeat(5000)).bytes();
        for body in [
            gzip(&good),
            good[..1200].to_vec(),
            b"hello ".repeat(300),
            b"short".to_vec(),
            [b"BZh9", &good[..]].concat(),
            Builder::new().file("f", "x").raw(&[1; 512]).bytes(),
        ] {
            let result = archive(&body, &ContainerArchiveOptions::default()).unwrap();
            assert!(result.starts_with("failed: "), "{result}");
        }
        assert_eq!(archive(b"", &ContainerArchiveOptions::default()), None);
        assert_eq!(archive(&[0; 1024], &ContainerArchiveOptions::default()), None);
    }

    #[test]
    fn reasons_are_bounded_and_printable() {
        let name = "../".to_owned() + &"\n".repeat(100_000);
        let reason = by_default(&Builder::new().long(b'L', &name).file("x", "")).unwrap();
        assert!(reason.len() < 20_000 && !reason.contains('\n'));
    }
}
