//! `POST /images/create`: from where images are pulled, and whether they are imported (spec 30 §5).
//!
//! Owns the two parameters that say where an image comes from. Both are judged: the Engine prefers `fromImage` when both
//! are there, so that a permission to import must not lift the list of registries (spec 30 §15 gap 3). The body, if any,
//! is the imported file system and not read.

use super::Outcome;
use super::archive::media_type::is_form;
use super::archive::{FORM_BODY, Upload};
use super::options::ImagePullOptions;
use super::query::{parameter, refuse_ambiguous};
use super::reason::Quoted;
use super::reference::RegistryRules;
use super::request::Request;
use super::stop::{Judged, NOT_INSPECTABLE, conclude, deny, deny_value};
use super::text::is_blank;

const SUBJECT: &str = "image pull";

/// Judges a pull or an import.
pub fn inspect(upload: &Upload<'_>, options: &ImagePullOptions) -> Outcome {
    conclude(judge(upload, options), SUBJECT, NOT_INSPECTABLE)
}

fn judge(upload: &Upload<'_>, options: &ImagePullOptions) -> Judged {
    refuse_ambiguous(&Request { query: upload.query, ..Request::default() })?;
    if upload.has_body && upload.content_type.is_some_and(is_form) {
        return deny(FORM_BODY);
    }
    let source = parameter(upload.query, "fromSrc")?.unwrap_or_default();
    let image = parameter(upload.query, "fromImage")?.unwrap_or_default();
    if !is_blank(&source) && !options.allow_imports {
        return deny_value(format_args!("importing images from {} is not allowed", Quoted(&source)));
    }
    let ImagePullOptions { allow_all_registries, allow_official, ref allowed_registries, .. } = *options;
    // What names no image pulls none.
    RegistryRules { allow_all_registries, allow_official, allowed_registries }.require(&image)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(query: &str, options: &ImagePullOptions) -> Option<String> {
        match inspect(&Upload { query: query.as_bytes(), ..Upload::default() }, options) {
            Outcome::Pass => None,
            Outcome::Denied(reason) => Some(reason.into_owned()),
            Outcome::TooLarge | Outcome::Failed(_) => panic!("{query}"),
        }
    }

    #[test]
    fn official_images_pass_by_default() {
        let options = ImagePullOptions::default();
        for query in [
            "fromImage=busybox&tag=latest",
            "fromImage=nginx%3A1.27",
            "fromImage=library%2Fnginx",
            "fromImage=busybox%40sha256%3A0a",
            "fromImage=docker.io%2Flibrary%2Fnginx%3A1",
            "fromImage=registry.example.com%3A5000",
            "fromImage=busybox&repo=ghcr.io/x/y&message=hello&platform=linux",
            "fromImage=%20%20",
            "fromImage=ghcr.io%2F%2Fa",
            "fromimage=ghcr.io/a/b",
            "",
        ] {
            assert_eq!(reason(query, &options), None, "{query}");
        }
        for (query, registry) in [
            ("fromImage=acme%2Fapp", "docker.io"),
            ("fromImage=ghcr.io/acme/app&tag=latest", "ghcr.io"),
            ("fromImage=GHCR.io%2Facme%2Fapp", "ghcr.io"),
            ("fromImage=localhost%3A5000%2Fapp%3A1", "localhost:5000"),
            ("fromImage=%5B%3A%3A1%5D%3A5000%2Fapp", "[::1]:5000"),
            ("fromImage=..%2Fx%2Fy", ".."),
        ] {
            let expected = format!("image pull denied: registry \"{registry}\" is not allowlisted");
            assert_eq!(reason(query, &options), Some(expected), "{query}");
        }
    }

    #[test]
    fn imports_and_registries_are_judged_apart() {
        let import = "fromSrc=https%3A%2F%2Fh%2Fr.tar";
        let denied = "image pull denied: importing images from \"https://h/r.tar\" is not allowed";
        let default = ImagePullOptions::default();
        assert_eq!(reason(import, &default).as_deref(), Some(denied));
        assert_eq!(reason(&format!("fromImage=busybox&{import}"), &default).as_deref(), Some(denied));
        assert_eq!(reason("fromSrc=%20", &default), None);
        let imports = ImagePullOptions { allow_imports: true, ..ImagePullOptions::default() };
        assert_eq!(reason(import, &imports), None);
        assert_eq!(reason(&format!("fromImage=busybox&{import}"), &imports), None);
        assert!(reason(&format!("fromImage=ghcr.io/a/b&{import}"), &imports).is_some());
        let all = ImagePullOptions { allow_all_registries: true, ..ImagePullOptions::default() };
        assert_eq!(reason("fromImage=evil.example.com/a", &all), None);
        assert!(reason(import, &all).is_some());
    }

    #[test]
    fn ambiguous_requests_are_denied() {
        let options = ImagePullOptions { allow_imports: true, allow_all_registries: true, ..Default::default() };
        for query in
            ["fromImage=a&fromImage=b", "fromSrc=a&from%53rc=b", "fromImage=a;fromImage=b", "x=%zz", "fromImage=%ff"]
        {
            assert!(reason(query, &options).is_some(), "{query}");
        }
        let form = Upload {
            query: b"fromImage=busybox",
            content_type: Some(b"application/x-www-form-urlencoded"),
            has_body: true,
        };
        let denied = Outcome::Denied("image pull denied: form-encoded request bodies are not allowed".into());
        assert_eq!(inspect(&form, &options), denied);
        assert_eq!(inspect(&Upload { has_body: false, ..form }, &options), Outcome::Pass);
        assert_eq!(inspect(&Upload { content_type: Some(b"application/x-tar"), ..form }, &options), Outcome::Pass);
    }
}
