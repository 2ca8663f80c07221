//! Image references: which registry an image comes from, and whether that registry is allowed (spec 30 §0.5).
//!
//! Owns the reading of references, which is the Engine's (`GHCR.io/a` is on `ghcr.io`, `library/nginx` is official), and
//! the comparison with a list of registries: literal, port included, so that neither `ghcr.io.evil.example` nor
//! `gcrXio` passes (field report 53). Tags and digests never matter.

use std::borrow::Cow;

use super::reason::Quoted;
use super::stop::{Judged, deny_value};

const DOCKER_HUB: &str = "docker.io";
/// The name under which old clients know Docker Hub.
const DOCKER_HUB_INDEX: &str = "index.docker.io";
/// The namespace of Docker Hub's official images.
const OFFICIAL_NAMESPACE: &str = "library";

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin<'r> {
    /// Host, or host and port, in lower case.
    pub registry: Cow<'r, str>,
    /// Whether it is one of Docker Hub's official images.
    pub is_official: bool,
}

impl<'r> Origin<'r> {
    /// Reads a reference; `None` when it names no image.
    #[must_use]
    pub fn parse(reference: &'r str) -> Option<Origin<'r>> {
        let reference = reference.trim();
        let name = reference.split_once('@').map_or(reference, |(name, _digest)| name);
        let name = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => name,
        };
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if names_registry(first) => (normal_registry(first), rest),
            _ => (Cow::Borrowed(DOCKER_HUB), name),
        };
        if repository.split('/').any(|part| part.trim().is_empty()) {
            return None;
        }
        let is_single = |path: &str| !path.contains('/');
        let is_official = registry == DOCKER_HUB
            && match repository.split_once('/') {
                Some((namespace, image)) => namespace == OFFICIAL_NAMESPACE && is_single(image),
                None => true,
            };
        Some(Origin { registry, is_official })
    }
}

/// Which registries are allowed: the three keys that every group of options with images has.
#[derive(Clone, Copy, Debug)]
pub struct RegistryRules<'o> {
    /// Allows every registry.
    pub allow_all_registries: bool,
    /// Allows the official images of Docker Hub.
    pub allow_official: bool,
    /// Registries that are allowed, as host or host:port, in any spelling.
    pub allowed_registries: &'o [String],
}

/// What the rules say about one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict<'r> {
    /// The image may come from there.
    Allowed,
    /// The registry is not on the list; displayed by the caller as `registry "R" is not allowlisted`.
    NotListed(Cow<'r, str>),
    /// The reference names no image. Whether that denies is the caller's business.
    Unreadable,
}

impl RegistryRules<'_> {
    /// Judges a reference.
    pub fn judge<'r>(&self, reference: &'r str) -> Verdict<'r> {
        let Some(origin) = Origin::parse(reference) else { return Verdict::Unreadable };
        let is_allowed = self.allow_all_registries
            || (origin.is_official && self.allow_official)
            || self.allowed_registries.iter().any(|listed| normal_registry(listed) == origin.registry);
        if is_allowed { Verdict::Allowed } else { Verdict::NotListed(origin.registry) }
    }

    /// Denies an image from a registry that is not allowed. What names no image is the Engine's to refuse.
    pub(crate) fn require(&self, reference: &str) -> Judged {
        match self.judge(reference) {
            Verdict::NotListed(registry) => {
                deny_value(format_args!("registry {} is not allowlisted", Quoted(&registry)))
            }
            Verdict::Allowed | Verdict::Unreadable => Ok(()),
        }
    }

    /// Whether no image at all can be allowed.
    #[must_use]
    pub fn allow_nothing(&self) -> bool {
        !self.allow_all_registries && !self.allow_official && self.allowed_registries.is_empty()
    }
}

/// Whether the first of several parts is a registry and not a namespace. Namespaces are in lower case, so a part with
/// capitals is a registry for the Engine (spec 30 §15 gap 14).
fn names_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost") || first.chars().any(char::is_uppercase)
}

fn normal_registry(registry: &str) -> Cow<'_, str> {
    let registry = registry.trim();
    let registry = if registry.chars().any(char::is_uppercase) {
        Cow::Owned(registry.to_lowercase())
    } else {
        Cow::Borrowed(registry)
    };
    if registry == DOCKER_HUB_INDEX { Cow::Borrowed(DOCKER_HUB) } else { registry }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(reference: &str) -> Option<(String, bool)> {
        Origin::parse(reference).map(|origin| (origin.registry.into_owned(), origin.is_official))
    }

    #[test]
    fn references_are_read_as_the_engine_reads_them() {
        for (reference, registry, is_official) in [
            ("nginx", "docker.io", true),
            (" nginx:1.27\t", "docker.io", true),
            ("library/nginx", "docker.io", true),
            ("busybox@sha256:abc", "docker.io", true),
            ("docker.io/nginx", "docker.io", true),
            ("docker.io/library/nginx:1", "docker.io", true),
            ("index.docker.io/library/nginx", "docker.io", true),
            ("INDEX.docker.io/nginx", "docker.io", true),
            ("registry.example.com:5000", "docker.io", true),
            ("acme/app", "docker.io", false),
            ("Library/nginx", "library", false),
            ("docker.io/Library/nginx", "docker.io", false),
            ("docker.io/acme/app", "docker.io", false),
            ("docker.io/library/a/b", "docker.io", false),
            ("registry-1.docker.io/library/nginx", "registry-1.docker.io", false),
            ("ghcr.io/acme/app", "ghcr.io", false),
            ("GHCR.io/acme/app:1@sha256:abc", "ghcr.io", false),
            ("ghcr.io/acme/app@", "ghcr.io", false),
            ("ghcr.io.evil.example/a", "ghcr.io.evil.example", false),
            ("localhost/app", "localhost", false),
            ("LOCALHOST/app", "localhost", false),
            ("localhost:5000/app:1", "localhost:5000", false),
            ("[::1]:5000/app", "[::1]:5000", false),
            ("../a/b", "..", false),
            ("Acme/app", "acme", false),
        ] {
            assert_eq!(origin(reference), Some((registry.to_owned(), is_official)), "{reference}");
        }
        for reference in ["", "  ", "ghcr.io/", "ghcr.io//app", "http://h/app", "@sha256:abc", ":1", "a/ /b", "/a"] {
            assert_eq!(origin(reference), None, "{reference}");
        }
    }

    #[test]
    fn listed_registries_match_literally() {
        let listed = [" GHCR.io ", "localhost:5000", ""].map(str::to_owned);
        let rules = RegistryRules { allow_all_registries: false, allow_official: false, allowed_registries: &listed };
        for reference in ["ghcr.io/a/b", "GHCR.IO/a/b:1", "localhost:5000/x"] {
            assert_eq!(rules.judge(reference), Verdict::Allowed, "{reference}");
        }
        for (reference, registry) in [
            ("ghcr.io.evil.example/a", "ghcr.io.evil.example"),
            ("ghcr.io:8443/a", "ghcr.io:8443"),
            ("ghcrXio/a", "ghcrxio"),
            ("localhost/x", "localhost"),
            ("nginx", "docker.io"),
            ("acme/app", "docker.io"),
        ] {
            assert_eq!(rules.judge(reference), Verdict::NotListed(registry.into()), "{reference}");
        }
        assert_eq!(rules.judge("ghcr.io//a"), Verdict::Unreadable);
    }

    #[test]
    fn switches_widen() {
        let official = RegistryRules { allow_all_registries: false, allow_official: true, allowed_registries: &[] };
        assert_eq!(official.judge("nginx"), Verdict::Allowed);
        assert_eq!(official.judge("acme/app"), Verdict::NotListed("docker.io".into()));
        let hub = ["index.Docker.io".to_owned()];
        let hub = RegistryRules { allow_all_registries: false, allow_official: false, allowed_registries: &hub };
        assert_eq!(hub.judge("acme/app"), Verdict::Allowed);
        assert_eq!(hub.judge("nginx"), Verdict::Allowed);
        let all = RegistryRules { allow_all_registries: true, allow_official: false, allowed_registries: &[] };
        assert_eq!(all.judge("evil.example/x"), Verdict::Allowed);
        assert_eq!(all.judge("evil.example//x"), Verdict::Unreadable);
        let none = RegistryRules { allow_all_registries: false, allow_official: false, allowed_registries: &[] };
        assert_eq!([official, hub, all, none].map(|rules| rules.allow_nothing()), [false, false, false, true]);
    }
}
