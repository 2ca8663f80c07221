//! What single values have to look like: addresses, networks, names, patterns (spec 10 §4).
//!
//! Owns predicates without context; each is total on any text.

use std::net::IpAddr;

/// `host:port` split at the last colon, brackets around the host removed. A host with colons needs the brackets.
#[must_use]
pub(super) fn split_host_port(address: &str) -> Option<(&str, &str)> {
    let (host, port) = address.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let has_bracket = |text: &str| text.contains(['[', ']']);
    (!has_bracket(host) && !has_bracket(port)).then_some((host, port))
}

/// Whether a listener on this address is reachable from this machine only. In doubt it is not: an address that does
/// not split, a host name other than `localhost`, an IPv6 zone.
#[must_use]
pub fn is_loopback(address: &str) -> bool {
    match split_host_port(address) {
        Some(("localhost", _)) => true,
        Some((host, _)) => host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()),
        None => false,
    }
}

/// `ADDR/BITS`; bits of the host are allowed, a zone is not.
#[must_use]
pub(super) fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.trim().split_once('/') else { return false };
    let is_short_number = bits.len() <= 3 && !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    is_short_number && bits.parse::<u32>().is_ok_and(|bits| bits <= most)
}

/// `key` or `key=value`, neither blank. A comma would be read as two selectors by the Engine's filter.
#[must_use]
pub(super) fn is_label_selector(text: &str) -> bool {
    let (key, value) = text.split_once('=').map_or((text, None), |(key, value)| (key, Some(value)));
    !text.contains(',') && !key.trim().is_empty() && value.is_none_or(|value| !value.trim().is_empty())
}

/// Neither empty nor only blanks.
#[must_use]
pub(super) fn is_not_blank(text: &str) -> bool {
    !text.trim().is_empty()
}

/// A path from the root. Not trimmed: a leading blank would make it another path.
#[must_use]
pub(super) fn is_rooted(text: &str) -> bool {
    text.starts_with('/')
}

/// A registry as host or host:port.
#[must_use]
pub(super) fn is_registry(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && !text.contains('/') && !text.contains(char::is_whitespace)
}

/// A manager's address as host or host:port.
#[must_use]
pub(super) fn is_join_address(text: &str) -> bool {
    is_registry(text)
}

/// The start of a setting: `NAME=` and possibly some of the value.
#[must_use]
pub(super) fn is_setting_prefix(text: &str) -> bool {
    let text = text.trim();
    text.contains('=') && !text.contains(char::is_whitespace)
}

/// A device cgroup rule, `TYPE MAJOR:MINOR PERMISSIONS`.
#[must_use]
pub(super) fn is_device_cgroup_rule(text: &str) -> bool {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [kind, numbers, permissions] = fields.as_slice() else { return false };
    let Some((major, minor)) = numbers.split_once(':') else { return false };
    let is_number = |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    matches!(*kind, "a" | "b" | "c")
        && is_number(major)
        && is_number(minor)
        && permissions.bytes().all(|byte| b"rwm".contains(&byte))
}

/// A URI: scheme, colon, something, nothing that would have to be escaped.
#[must_use]
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()) && escapes_are_whole(rest)
}

fn escapes_are_whole(text: &str) -> bool {
    text.split('%').skip(1).all(|piece| piece.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// A URI with the scheme `spiffe` and a trust domain.
#[must_use]
pub(super) fn is_spiffe_id(text: &str) -> bool {
    let scheme_end = "spiffe://".len();
    let names_spiffe = text.get(..scheme_end).is_some_and(|start| start.eq_ignore_ascii_case("spiffe://"));
    names_spiffe && text.len() > scheme_end && is_uri(text)
}

/// 64 hex digits in any case, `sha256:` before them or not, blanks around them or not.
#[must_use]
pub(super) fn is_sha256_pin(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.strip_prefix("sha256:").unwrap_or(&text);
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A rooted path without `.`, `..`, doubled and trailing slashes, as requests for local endpoints are compared.
#[must_use]
pub fn clean_path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(predicate: impl Fn(&str) -> bool, right: &[&str], wrong: &[&str]) {
        for text in right {
            assert!(predicate(text), "{text:?} is right");
        }
        for text in wrong {
            assert!(!predicate(text), "{text:?} is wrong");
        }
    }

    #[test]
    fn loopback() {
        holds(
            is_loopback,
            &["127.0.0.1:2375", "127.5.6.7:1", "localhost:2375", "[::1]:2375", "[::ffff:127.0.0.1]:1", "127.0.0.1:x"],
            &[
                "",
                ":2375",
                "0.0.0.0:2375",
                "[::]:2375",
                "10.0.0.5:2375",
                "128.0.0.1:1",
                "LOCALHOST:1",
                "proxy:1",
                "[::1%lo]:2375",
                "[::2]:1",
                "[::ffff:10.0.0.1]:1",
                "2130706433:1",
                "127.1:1",
                "127.0.0.1",
                "::1",
                "::1:2375",
                "[::1]",
                "[127.0.0.1:1",
                "localhost.:1",
                "127.0.0.1:1]",
                "[[::1]]:1",
            ],
        );
    }

    #[test]
    fn networks() {
        holds(
            is_cidr,
            &["10.0.0.0/8", "10.1.2.3/8", " 10.0.0.0/8 ", "::1/128", "2001:db8::/32", "0.0.0.0/0", "::/0"],
            &[
                "",
                "10.0.0.1",
                "10.0.0.0/33",
                "10.0.0/8",
                "fe80::1%eth0/64",
                "::/129",
                "10.0.0.0/",
                "office",
                "300.0.0.0/8",
                "10.0.0.0 /8",
                "10.0.0.0/+8",
                "10.0.0.0/-1",
                "10.0.0.0/8/8",
                "/8",
                "10.0.0.0/0008",
            ],
        );
    }

    #[test]
    fn selectors_and_names() {
        holds(is_label_selector, &["team", "a=b", "a=b=c"], &["", " ", "a,b", "=x", " =x", "a=", "a= "]);
        holds(
            is_registry,
            &["ghcr.io", "localhost:5000", " QUAY.io "],
            &["", " ", "https://ghcr.io", "ghcr.io/x", "a b"],
        );
        holds(is_join_address, &["10.0.0.1:2377", "manager"], &["", "\t", "tcp://m:1", "10.0.0.0/24", "a b"]);
        holds(is_setting_prefix, &["DEBUG=", "LEVEL=1", " A= "], &["", "DEBUG", "DE BUG=", "A=b c"]);
        holds(is_rooted, &["/", "/srv"], &["", "srv", " /srv", "C:\\x"]);
    }

    #[test]
    fn device_cgroup_rules() {
        holds(
            is_device_cgroup_rule,
            &["c 1:3 rwm", "c 226:* rwm", "b 8:0 r", "a *:* rwm", "c  1:3  mrw"],
            &[
                "",
                "c 1:3",
                "x 1:3 rwm",
                "c 1:3 rwx",
                "c 1 rwm",
                "c 1:3 rwm x",
                "c -1:3 rwm",
                "c :3 r",
                "c 1: r",
                "cc 1:3 r",
            ],
        );
    }

    #[test]
    fn certificate_selectors() {
        let pin = "0123456789abcdef".repeat(4);
        holds(
            is_sha256_pin,
            &[&pin, &pin.to_uppercase(), &format!(" sha256:{pin} "), &format!("SHA256:{}", pin.to_uppercase())],
            &[
                "",
                " ",
                "sha256:",
                &format!("{pin}0"),
                &pin[1..],
                &format!("sha512:{pin}"),
                &pin.replace('a', "g"),
                &pin.replace("ab", " b"),
                &format!("sha256:sha256:{pin}"),
            ],
        );
        holds(
            is_uri,
            &["spiffe://a/b", "urn:x", "https://a/%20"],
            &["", "x", ":x", "1a:b", "a:", "a: b", "https://a/%2", "a:é"],
        );
        holds(
            is_spiffe_id,
            &["spiffe://a/b", "SPIFFE://a"],
            &["", "https://a.test/x", "spiffe:", "spiffe://", "spiffe:/a"],
        );
    }

    #[test]
    fn cleaned_paths() {
        for (path, clean) in [
            ("/health/", "/health"),
            ("/a/./b//c/../d", "/a/b/d"),
            ("/..", "/"),
            ("/", "/"),
            ("//x", "/x"),
            ("x", "/x"),
        ] {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }
}
