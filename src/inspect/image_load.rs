//! `POST /images/load`: under which names an archive brings images in (spec 30 §6).
//!
//! Owns the reading of the three places where an archive names images: `manifest.json`, `index.json` (which an Engine with
//! another image store reads instead) and `repositories` (which an old Engine reads when there is no manifest; spec 30
//! §15 gap 11). What the images hold is not looked at.

use std::io::Read;

use super::Outcome;
use super::archive::body::{Body, Format, decompress, drain};
use super::archive::tar::Walker;
use super::archive::wanted::{Found, Wanted, collect};
use super::archive::{ArchiveError, BeforeBody, Checked, Wording, deny, deny_value};
use super::options::ImageLoadOptions;
use super::reason::Quoted;
use super::reference::{RegistryRules, Verdict};
use super::text::is_blank;
use crate::json::{Field, Reader, TypeError};
use crate::limits::{IMAGE_ARCHIVE_MAX_BYTES, IMAGE_MANIFEST_MAX_BYTES};

const WORDING: Wording =
    Wording { subject: "image load", what: "image archive", decompressed_max_bytes: IMAGE_ARCHIVE_MAX_BYTES };

/// How `docker save` writes that an image has no name.
const NO_NAME: &str = "<none>:<none>";
/// The annotations of `index.json` that name an image, the first one having precedence.
const NAME_ANNOTATIONS: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

/// Judges what needs no archive: whether any could be allowed.
pub fn inspect_options(options: &ImageLoadOptions) -> BeforeBody {
    let allows_nothing = rules(options).allow_nothing() && !options.allow_untagged;
    WORDING.before_body(if allows_nothing {
        deny("loading image archives is not allowed")
    } else {
        Ok(BeforeBody::ReadBody)
    })
}

/// Judges an archive, after [`inspect_options`] asked for it.
///
/// # Errors
/// When the archive cannot be inspected.
pub fn inspect_body(body: &mut dyn Read, options: &ImageLoadOptions) -> Result<Outcome, ArchiveError> {
    WORDING.conclude(judge(body, options))
}

fn rules(options: &ImageLoadOptions) -> RegistryRules<'_> {
    let ImageLoadOptions { allow_all_registries, allow_official, ref allowed_registries, .. } = *options;
    RegistryRules { allow_all_registries, allow_official, allowed_registries }
}

fn judge(body: &mut dyn Read, options: &ImageLoadOptions) -> Checked {
    let body = Body::open(body)?;
    let mut wanted = ["manifest.json", "index.json", "repositories"]
        .map(|name| Wanted::new(name.as_bytes(), IMAGE_MANIFEST_MAX_BYTES));
    match body.format() {
        Format::Empty => return Ok(()),
        Format::Short => return Err(ArchiveError::Truncated.into()),
        Format::OtherCompression => return Err(ArchiveError::UnsupportedCompression.into()),
        Format::Unknown => return Err(ArchiveError::NotAnArchive.into()),
        Format::Tar => collect(&mut Walker::new(&mut body.stream()), &mut wanted)?,
        Format::Gzip => {
            let mut archive = decompress(body.stream(), IMAGE_ARCHIVE_MAX_BYTES);
            let collected = collect(&mut Walker::new(&mut archive), &mut wanted);
            drain(&mut archive)?;
            collected?;
        }
    }
    let [manifest, index, repositories] = wanted.map(Wanted::found);
    match manifest {
        Found::File(manifest) => judge_names(&names(&manifest, names_in_manifest)?, options)?,
        Found::Absent if options.allow_untagged && repositories == Found::Absent => {}
        Found::Absent | Found::Ambiguous => return deny("image manifest is not inspectable"),
    }
    match index {
        Found::Absent => Ok(()),
        // Whatever it names would be allowed.
        _ if options.allow_all_registries && options.allow_untagged => Ok(()),
        Found::File(index) => judge_names(&names(&index, names_in_index)?, options),
        Found::Ambiguous => deny("image manifest is not inspectable"),
    }
}

fn judge_names(names: &[String], options: &ImageLoadOptions) -> Checked {
    for name in names {
        if is_blank(name) || name.trim() == NO_NAME {
            if !options.allow_untagged {
                return deny("untagged images are not allowed");
            }
            continue;
        }
        match rules(options).judge(name) {
            Verdict::Allowed => {}
            Verdict::NotListed(registry) => {
                return deny_value(format_args!("registry {} is not allowlisted", Quoted(&registry)));
            }
            Verdict::Unreadable => {
                return deny_value(format_args!("image reference {} could not be inspected", Quoted(name)));
            }
        }
    }
    Ok(())
}

/// The names that a document gives to images; a blank one for an image without.
fn names(
    document: &[u8],
    read: impl FnOnce(Field<'_>) -> Result<Vec<String>, TypeError>,
) -> Result<Vec<String>, ArchiveError> {
    Ok(Reader::new().read(document, |view| read(view.root()))??)
}

/// `manifest.json`: an array of images, each with `RepoTags`. Tagged images do not cover for their untagged neighbours.
fn names_in_manifest(images: Field<'_>) -> Result<Vec<String>, TypeError> {
    let mut names = Vec::new();
    for image in images.objects()? {
        let tags = image.field("RepoTags").strings()?;
        if tags.is_empty() {
            names.push(String::new());
        }
        names.extend(tags.map(str::to_owned));
    }
    if names.is_empty() {
        names.push(String::new());
    }
    Ok(names)
}

/// `index.json`: the image index of an OCI layout, whose `manifests` are named by annotations.
fn names_in_index(index: Field<'_>) -> Result<Vec<String>, TypeError> {
    let mut names = Vec::new();
    let Some(index) = index.object()? else { return Ok(names) };
    for manifest in index.field("manifests").objects()? {
        let annotations = manifest.field("annotations").string_map()?;
        let named = |key| annotations.get(key).filter(|name| !name.is_empty());
        names.push(NAME_ANNOTATIONS.into_iter().find_map(named).unwrap_or_default().to_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::archive::testing::{Builder, gzip};

    fn judge(body: &[u8], options: &ImageLoadOptions) -> Option<String> {
        let mut stream = body;
        let outcome = match inspect_options(options) {
            BeforeBody::Decided(outcome) => outcome,
            BeforeBody::ReadBody => match inspect_body(&mut stream, options) {
                Ok(outcome) => outcome,
                Err(error) => return Some(format!("failed: {error}")),
            },
        };
        match outcome {
            Outcome::Pass => None,
            Outcome::Denied(reason) => Some(reason.strip_prefix("image load denied: ").unwrap().to_owned()),
            Outcome::TooLarge | Outcome::Failed(_) => panic!("{outcome:?}"),
        }
    }

    fn saved(manifest: &str) -> Builder {
        let layer = "x".repeat(1500);
        Builder::new().directory("l/").file("l/layer.tar", &layer).file("manifest.json", manifest)
    }

    fn image(tags: &str) -> String {
        format!(r#"{{"Config":"c.json","RepoTags":{tags},"Layers":["l/layer.tar"]}}"#)
    }

    fn with_tags(tags: &str) -> Vec<u8> {
        saved(&format!("[{}]", image(tags))).bytes()
    }

    fn default() -> ImageLoadOptions {
        ImageLoadOptions::default()
    }

    fn untagged() -> ImageLoadOptions {
        ImageLoadOptions { allow_untagged: true, ..default() }
    }

    fn all() -> ImageLoadOptions {
        ImageLoadOptions { allow_all_registries: true, ..default() }
    }

    const UNTAGGED: Option<&str> = Some("untagged images are not allowed");
    const NO_MANIFEST: Option<&str> = Some("image manifest is not inspectable");

    #[test]
    fn tags_are_judged() {
        let listed = ImageLoadOptions {
            allow_official: false,
            allowed_registries: vec!["registry.example.com:5000".to_owned()],
            ..default()
        };
        let not = |registry: &str| Some(format!("registry \"{registry}\" is not allowlisted"));
        for (tags, options, expected) in [
            (r#"["busybox:1"]"#, default(), None),
            (r#"["docker.io/library/busybox:1"]"#, default(), None),
            (r#"["busybox:1"]"#, listed.clone(), not("docker.io")),
            (r#"["registry.example.com:5000/a:1"]"#, listed.clone(), None),
            (r#"["registry.example.com/a:1"]"#, listed.clone(), not("registry.example.com")),
            (r#"["registry.example.com:5000/a:1","busybox"]"#, listed, not("docker.io")),
            (r#"["evil.example.com/a:1"]"#, default(), not("evil.example.com")),
            (r#"["evil.example.com/a:1"]"#, untagged(), not("evil.example.com")),
            (r#"["evil.example.com/a:1"]"#, all(), None),
            (r#"["busybox:1","ghcr.io/a/b:1"]"#, default(), not("ghcr.io")),
            (r#"["acme/app:1"]"#, default(), not("docker.io")),
            (
                r#"["registry.example.com//app:1"]"#,
                all(),
                Some(r#"image reference "registry.example.com//app:1" could not be inspected"#.to_owned()),
            ),
        ] {
            assert_eq!(judge(&with_tags(tags), &options), expected, "{tags}");
            assert_eq!(judge(&gzip(&with_tags(tags)), &options), expected, "{tags}");
        }
        for tags in ["null", "[]", r#"["<none>:<none>"]"#, r#"[" "]"#, "[null]"] {
            assert_eq!(judge(&with_tags(tags), &default()).as_deref(), UNTAGGED, "{tags}");
            assert_eq!(judge(&with_tags(tags), &all()).as_deref(), UNTAGGED, "{tags}");
            assert_eq!(judge(&with_tags(tags), &untagged()), None, "{tags}");
        }
        // Every image counts for itself.
        let two = |first: &str, second: &str| saved(&format!("[{},{}]", image(first), image(second))).bytes();
        assert_eq!(judge(&two(r#"["busybox"]"#, r#"["ghcr.io/a/b"]"#), &default()), not("ghcr.io"));
        assert_eq!(judge(&two(r#"["busybox"]"#, "null"), &default()).as_deref(), UNTAGGED);
        assert_eq!(judge(&two(r#"["busybox"]"#, r#"["alpine"]"#), &default()), None);
        assert_eq!(judge(&saved("[]").bytes(), &default()).as_deref(), UNTAGGED);
        assert_eq!(judge(&saved("null").bytes(), &untagged()), None);
    }

    #[test]
    fn an_archive_has_one_manifest() {
        let good = format!("[{}]", image(r#"["busybox"]"#));
        let evil = format!("[{}]", image(r#"["evil.example.com/a"]"#));
        for name in ["manifest.json", "/manifest.json", "./manifest.json"] {
            assert_eq!(judge(&Builder::new().file(name, &good).bytes(), &default()), None, "{name}");
            assert!(judge(&Builder::new().file(name, &evil).bytes(), &default()).is_some(), "{name}");
            let two = saved(&good).file(name, &evil).bytes();
            assert_eq!(judge(&two, &default()).as_deref(), NO_MANIFEST, "{name}");
            assert_eq!(judge(&two, &untagged()).as_deref(), NO_MANIFEST, "{name}");
        }
        for archive in [
            saved(&good).file(" manifest.json", &evil),
            saved(&good).symlink("manifest.json", "evil"),
            saved(&good).symlink("d", ".").file("d/manifest.json", &evil),
            Builder::new().file("evil", &evil).symlink("manifest.json", "evil"),
        ] {
            assert_eq!(judge(&archive.bytes(), &untagged()).as_deref(), NO_MANIFEST);
        }
        for archive in [Builder::new().file("sub/manifest.json", &good), Builder::new().file("l", "x"), Builder::new()]
        {
            assert_eq!(judge(&archive.bytes(), &default()).as_deref(), NO_MANIFEST);
            assert_eq!(judge(&archive.bytes(), &all()).as_deref(), NO_MANIFEST);
            assert_eq!(judge(&archive.bytes(), &untagged()), None);
            assert_eq!(judge(&gzip(&archive.bytes()), &untagged()), None);
        }
        // An old Engine takes names from here when there is no manifest.
        let legacy = Builder::new().file("repositories", r#"{"evil.example.com/a":{"1":"id"}}"#).bytes();
        assert_eq!(judge(&legacy, &untagged()).as_deref(), NO_MANIFEST);
        let both = saved(&good).file("repositories", r#"{"busybox":{"latest":"id"}}"#).bytes();
        assert_eq!(judge(&both, &default()), None);
    }

    #[test]
    fn an_index_names_images_too() {
        let manifest = format!("[{}]", image(r#"["busybox"]"#));
        let index = |annotations: &str| {
            let index =
                format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"sha256:0a","annotations":{annotations}}}]}}"#);
            saved(&manifest).file("index.json", &index).bytes()
        };
        let good = index(
            r#"{"io.containerd.image.name":"docker.io/library/busybox:latest","org.opencontainers.image.ref.name":"latest"}"#,
        );
        assert_eq!(judge(&good, &default()), None);
        let evil = r#"{"io.containerd.image.name":"evil.example.com/a:1"}"#;
        let denied = Some("registry \"evil.example.com\" is not allowlisted");
        assert_eq!(judge(&index(evil), &default()).as_deref(), denied);
        assert_eq!(judge(&index(evil), &untagged()).as_deref(), denied);
        assert_eq!(judge(&index(evil), &all()), None);
        let by_reference = r#"{"org.opencontainers.image.ref.name":"evil.example.com/a:1"}"#;
        assert_eq!(judge(&index(by_reference), &default()).as_deref(), denied);
        for unnamed in ["null", "{}", r#"{"io.containerd.image.name":""}"#, r#"{"IO.containerd.image.name":"busybox"}"#]
        {
            assert_eq!(judge(&index(unnamed), &default()).as_deref(), UNTAGGED, "{unnamed}");
            assert_eq!(judge(&index(unnamed), &untagged()), None, "{unnamed}");
        }
        let everything = ImageLoadOptions { allow_untagged: true, ..all() };
        assert_eq!(judge(&saved(&manifest).file("index.json", "{").bytes(), &everything), None);
        for damaged in ["{", "[]", r#"{"manifests":{}}"#, r#"{"manifests":[1]}"#, r#"{"Manifests":[],"manifests":[]}"#]
        {
            let result = judge(&saved(&manifest).file("index.json", damaged).bytes(), &default()).unwrap();
            assert!(result.starts_with("failed: "), "{damaged}");
        }
        let two = saved(&manifest).file("index.json", "{}").file("./index.json", "{}").bytes();
        assert_eq!(judge(&two, &default()).as_deref(), NO_MANIFEST);
    }

    #[test]
    fn unreadable_archives_fail() {
        let good = with_tags(r#"["busybox"]"#);
        for body in [
            saved("[{").bytes(),
            saved(r#"{"RepoTags":["busybox:1"]}"#).bytes(),
            saved(r#"[{"RepoTags":"busybox:1"}]"#).bytes(),
            saved(r#"[{"RepoTags":["busybox"],"repotags":["evil.example.com/a"]}]"#).bytes(),
            saved("[] []").bytes(),
            saved(&" ".repeat(IMAGE_MANIFEST_MAX_BYTES + 1)).bytes(),
            b"hello world, this is no archive\n".repeat(40),
            b"short".to_vec(),
            good[..2000].to_vec(),
            gzip(&good)[..40].to_vec(),
            gzip(b"hello"),
            [&gzip(&good)[..], b"rest"].concat(),
            [b"BZh9", &good[..]].concat(),
        ] {
            for options in [default(), untagged(), all()] {
                let result = judge(&body, &options).unwrap();
                assert!(result.starts_with("failed: "), "{result}");
            }
        }
        let mut spaced = format!("[{}]", image(r#"["busybox"]"#));
        spaced.extend(std::iter::repeat_n(' ', IMAGE_MANIFEST_MAX_BYTES - spaced.len()));
        assert_eq!(judge(&saved(&spaced).bytes(), &default()), None);
    }

    #[test]
    fn nothing_may_be_loaded_when_nothing_is_allowed() {
        let nothing = ImageLoadOptions { allow_official: false, ..default() };
        for body in [with_tags(r#"["busybox"]"#), Vec::new()] {
            assert_eq!(judge(&body, &nothing).as_deref(), Some("loading image archives is not allowed"));
        }
        assert_eq!(judge(b"", &default()), None);
        let untagged_only = ImageLoadOptions { allow_untagged: true, ..nothing };
        assert_eq!(judge(&with_tags("null"), &untagged_only), None);
    }
}
