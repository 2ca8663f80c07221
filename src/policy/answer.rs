//! Bodies of locally made JSON answers (spec 20 §5, 60 §9).
//!
//! Owns the denial body, the generic message body and what a verbose denial hides. Headers and status are the HTTP
//! layer's. Everything is appended to the caller's buffer; bytes that are not UTF-8 become U+FFFD.

use std::borrow::Cow;

use super::plan::Verbosity;
use crate::json::escape::{append_html_safe_string, append_lossy_html_safe_string};
use crate::target::RequestPath;

/// `message` of every denial by rule or inspector.
pub const DENIED_MESSAGE: &str = "request denied by sockguard policy";

/// Appends the body of a denial and a line feed. `reason` is the rule's or the inspector's text; empty members are left
/// out. The path is the one received, decoded, without query, and with the names of secrets and unlock keys hidden.
pub fn deny_body(out: &mut Vec<u8>, verbosity: Verbosity, method: &[u8], path: &RequestPath, reason: &str) {
    out.extend_from_slice(b"{\"message\":");
    append_html_safe_string(out, DENIED_MESSAGE);
    match verbosity {
        Verbosity::Minimal => {}
        Verbosity::Verbose => {
            push_member(out, b",\"method\":", method);
            push_member(out, b",\"path\":", &shown_path(path));
            push_member(out, b",\"reason\":", reason.as_bytes());
        }
    }
    out.extend_from_slice(b"}\n");
}

/// Appends `{"message":"…"}` and a line feed.
pub fn message_body(out: &mut Vec<u8>, message: &str) {
    out.extend_from_slice(b"{\"message\":");
    append_html_safe_string(out, message);
    out.extend_from_slice(b"}\n");
}

/// The path that a verbose denial shows. What is hidden is decided on the canonical path: the spelling that the client
/// chose must not get a name past it.
fn shown_path(path: &RequestPath) -> Cow<'_, [u8]> {
    let canonical = path.canonical();
    if canonical.starts_with(b"/secrets/") {
        [path.version_prefix(), b"/secrets/<redacted>"].concat().into()
    } else if canonical == b"/swarm/unlockkey" {
        [path.version_prefix(), b"/swarm/<redacted>"].concat().into()
    } else {
        path.decoded().into()
    }
}

fn push_member(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    if !value.is_empty() {
        out.extend_from_slice(key);
        append_lossy_html_safe_string(out, value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verbose(method: &str, raw_path: &str, reason: &str) -> serde_json::Value {
        let mut path = RequestPath::default();
        path.set(raw_path.as_bytes()).unwrap();
        let mut out = Vec::new();
        deny_body(&mut out, Verbosity::Verbose, method.as_bytes(), &path, reason);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn minimal_tells_nothing() {
        let mut path = RequestPath::default();
        path.set(b"/containers/create").unwrap();
        let mut out = Vec::new();
        deny_body(&mut out, Verbosity::Minimal, b"POST", &path, "writes are off");
        assert_eq!(out, b"{\"message\":\"request denied by sockguard policy\"}\n");
    }

    #[test]
    fn verbose_shows_the_path_as_received_but_for_secrets() {
        for (raw, shown) in [
            ("/v1.45/containers/create", "/v1.45/containers/create"),
            ("/v1.45/containers/%2e%2e/images/json", "/v1.45/containers/../images/json"),
            ("/v1.45/secrets/prod-db-password", "/v1.45/secrets/<redacted>"),
            ("/secrets/x", "/secrets/<redacted>"),
            ("/secrets/create", "/secrets/<redacted>"),
            ("/secrets/x/update", "/secrets/<redacted>"),
            ("//v1.45/./secrets//x", "/v1.45/secrets/<redacted>"),
            ("/images/..%2fsecrets/x", "/secrets/<redacted>"),
            ("/secrets", "/secrets"),
            ("/secretsx/y", "/secretsx/y"),
            ("/v1.45/swarm/unlockkey", "/v1.45/swarm/<redacted>"),
            ("/swarm/unlockkey/", "/swarm/<redacted>"),
            ("/swarm", "/swarm"),
            ("/swarm/unlock", "/swarm/unlock"),
        ] {
            let body = verbose("GET", raw, "nothing else");
            assert_eq!(body["path"], shown, "{raw}");
            assert_eq!(body["method"], "GET");
            assert_eq!(body["reason"], "nothing else");
            assert_eq!(body["message"], DENIED_MESSAGE);
        }
    }

    #[test]
    fn empty_members_are_left_out() {
        assert_eq!(verbose("", "", ""), serde_json::json!({"message": DENIED_MESSAGE}));
    }

    #[test]
    fn members_come_in_order_and_escaped() {
        let mut path = RequestPath::default();
        path.set(b"/secrets/%ff").unwrap();
        let mut out = Vec::new();
        deny_body(&mut out, Verbosity::Verbose, b"GET", &path, "a \"b\" \\ & \n\u{1}\u{e9}");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"message":"request denied by sockguard policy","method":"GET","#,
                r#""path":"/secrets/\u003credacted\u003e","reason":"a \"b\" \\ \u0026 \n\u0001é"}"#,
                "\n"
            )
        );
        let mut out = Vec::new();
        message_body(&mut out, "upstream <x>");
        assert_eq!(out, b"{\"message\":\"upstream \\u003cx\\u003e\"}\n");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(verbose("GET", "/a%ff%00b", "")["path"], "/a\u{fffd}\u{0}b");
    }

    proptest! {
        #[test]
        fn every_body_is_one_line_of_json(method in "[ -~]{0,8}", path in "[ -$&-~]{0,20}", reason in ".{0,20}") {
            let body = verbose(&method, &path, &reason);
            prop_assert_eq!(body["reason"].as_str().unwrap_or_default(), &reason);
            prop_assert_eq!(body["method"].as_str().unwrap_or_default(), &method);
        }
    }
}
