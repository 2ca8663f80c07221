//! Which registry an image comes from, and whether that is allowed (spec 30 §0.5).
//!
//! Owns the reading of references as far as the registry goes; tag and digest never matter.

use super::reason::Quoted;
use super::stop::{Judged, deny_value};

/// Which registries are allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registries<'o> {
    pub(crate) allow_all: bool,
    pub(crate) allow_official: bool,
    pub(crate) allowed: &'o [String],
}

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    /// In lower case, port included.
    registry: String,
    /// One of Docker Hub's official images.
    is_official: bool,
}

const DOCKER_HUB: &str = "docker.io";

/// `None` when the reference is not one.
fn origin(reference: &str) -> Option<Origin> {
    let name = reference.trim().split('@').next().unwrap_or_default();
    let name = match name.rfind(':') {
        Some(colon) if name.rfind('/').is_none_or(|slash| slash < colon) => name.get(..colon)?,
        Some(_) | None => name,
    };
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (normal(first), rest),
        Some(_) | None => (DOCKER_HUB.to_owned(), name),
    };
    let mut parts = repository.split('/');
    if parts.clone().any(|part| part.trim().is_empty()) {
        return None;
    }
    let is_official = match (parts.next(), parts.next(), parts.next()) {
        (Some(_), None, _) | (Some("library"), Some(_), None) => registry == DOCKER_HUB,
        (_, _, _) => false,
    };
    Some(Origin { registry, is_official })
}

/// A first component with upper case is a registry to the Engine, for a repository has none (spec 30 §15 gap 14).
fn is_registry(component: &str) -> bool {
    component.contains(['.', ':'])
        || component.eq_ignore_ascii_case("localhost")
        || component.chars().any(char::is_uppercase)
}

fn normal(registry: &str) -> String {
    let registry = registry.trim().to_lowercase();
    if registry == "index.docker.io" { DOCKER_HUB.to_owned() } else { registry }
}

impl Registries<'_> {
    /// Judges the registry of an image. What is no reference is the Engine's to refuse.
    pub(crate) fn judge(&self, image: &str) -> Judged {
        let Some(origin) = origin(image) else { return Ok(()) };
        let is_allowed = self.allow_all
            || origin.is_official && self.allow_official
            || self.allowed.iter().any(|allowed| normal(allowed) == origin.registry);
        if is_allowed {
            return Ok(());
        }
        deny_value(format_args!("registry {} is not allowlisted", Quoted(&origin.registry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_an_origin() {
        for (references, registry, is_official) in [
            (
                &["nginx", "nginx:1.27", "library/nginx", "busybox@sha256:abc", " nginx ", "docker.io/nginx"][..],
                "docker.io",
                true,
            ),
            (
                &["docker.io/library/nginx:1", "index.docker.io/library/nginx", "INDEX.docker.io/nginx"],
                "docker.io",
                true,
            ),
            (&["acme/app", "docker.io/acme/app", "docker.io/library/a/b", "library/a/b"], "docker.io", false),
            (&["registry-1.docker.io/library/nginx"], "registry-1.docker.io", false),
            (
                &["ghcr.io/acme/app", "GHCR.io/acme/app:1@sha256:abc", "ghcr.io/acme/app@", "ghcr.io/x"],
                "ghcr.io",
                false,
            ),
            (&["localhost/app", "LOCALHOST/app"], "localhost", false),
            (&["localhost:5000/app:1"], "localhost:5000", false),
            (&["registry.example.com:5000"], "docker.io", true),
            (&["[::1]:5000/app"], "[::1]:5000", false),
            (&["../a/b"], "..", false),
            (&["Acme/app"], "acme", false),
        ] {
            for reference in references {
                let expected = Origin { registry: registry.to_owned(), is_official };
                assert_eq!(origin(reference), Some(expected), "{reference}");
            }
        }
        for reference in ["ghcr.io/", "ghcr.io//app", "http://h/app", "", "  ", "a//b", "/a", "@sha256:abc", ":1"] {
            assert_eq!(origin(reference), None, "{reference}");
        }
    }

    #[test]
    fn registries_are_allowed_by_name() {
        let listed = ["GHCR.io ".to_owned(), "localhost:5000".to_owned()];
        let registries = Registries { allow_all: false, allow_official: true, allowed: &listed };
        for (image, is_allowed) in [
            ("nginx", true),
            ("ghcr.io/a/b", true),
            ("localhost:5000/a", true),
            ("", true),
            ("ghcr.io//a", true),
            ("acme/app", false),
            ("ghcr.io:8443/a", false),
            ("ghcr.io.evil.example/a", false),
            ("ghcrxio/a", false),
            ("localhost/a", false),
        ] {
            assert_eq!(registries.judge(image).is_ok(), is_allowed, "{image}");
        }
        assert!(Registries { allow_all: true, allow_official: false, allowed: &[] }.judge("evil.example/x").is_ok());
        assert!(Registries { allow_all: false, allow_official: false, allowed: &[] }.judge("nginx").is_err());
        let hub = ["index.docker.io".to_owned()];
        assert!(Registries { allow_all: false, allow_official: false, allowed: &hub }.judge("acme/app").is_ok());
    }
}
