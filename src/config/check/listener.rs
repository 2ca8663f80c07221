//! Checks of a listener, the main one and the admin one: mode, TLS, acknowledgments (spec 10 §4.1, §4.3).

use std::net::IpAddr;
use std::path::Path;

use super::forms::{is_loopback, is_not_blank, is_sha256_pin, is_uri};
use super::{Check, pem};
use crate::config::problem::{alternatives, quoted};
use crate::config::schema::{SOCKET_MODES, Tls};

/// Longest certificate or key file.
const TLS_FILE_MAX_BYTES: u64 = 1 << 20;

/// A TCP address and what protects it.
pub(super) struct TcpListener<'a> {
    /// Key path of the block: `listen` or `admin.listen`.
    pub(super) block: &'static str,
    pub(super) address: &'a str,
    pub(super) tls: &'a Tls,
    pub(super) allow_plain_tcp: bool,
    pub(super) allow_unauthenticated_clients: bool,
}

/// 2, 26
pub(super) fn check_socket_mode(check: &mut Check<'_>, block: &str, mode: &str) {
    if !SOCKET_MODES.contains(&mode.trim()) {
        let wanted = alternatives(SOCKET_MODES);
        check.wrong(
            &format!("{block}.socket_mode"),
            format!("must be {wanted}, so that only the owner can connect, got {}", quoted(mode)),
        );
    }
}

/// 3 to 6, 28, 29. A partly set TLS block is not what anybody wanted, and is told instead of its consequences.
pub(super) fn check_tcp(check: &mut Check<'_>, listener: &TcpListener<'_>) {
    let tls_path = format!("{}.tls", listener.block);
    let is_partial = !is_complete(listener.tls) && *listener.tls != Tls::default();
    if is_partial {
        check.wrong(&tls_path, "cert_file, key_file and client_ca_file must all be set, or nothing in this block");
    } else if is_complete(listener.tls) {
        check_selectors(check, &tls_path, listener.tls);
        check_files(check, &tls_path, listener.tls);
    }
    if !is_partial || listener.block != "listen" {
        check_acknowledgments(check, listener);
    }
}

/// Whether the listener speaks mutual TLS.
pub(in crate::config) fn is_complete(tls: &Tls) -> bool {
    [&tls.cert_file, &tls.key_file, &tls.client_ca_file].iter().all(|path| is_not_blank(path))
}

/// 6, 29. Two flags, so that one slip does not open the Engine to a network.
fn check_acknowledgments(check: &mut Check<'_>, listener: &TcpListener<'_>) {
    let is_acknowledged = listener.allow_plain_tcp && listener.allow_unauthenticated_clients;
    if is_loopback(listener.address) || is_complete(listener.tls) || is_acknowledged {
        return;
    }
    let block = listener.block;
    check.wrong(
        &format!("{block}.address"),
        format!(
            "{} is reachable from other machines: set {block}.tls for mutual TLS, or both \
             {block}.insecure_allow_plain_tcp and {block}.insecure_allow_unauthenticated_clients",
            quoted(listener.address)
        ),
    );
}

/// 4. Only the first failure is told.
fn check_selectors(check: &mut Check<'_>, path: &str, tls: &Tls) {
    let is_ip = |text: &str| text.trim().parse::<IpAddr>().is_ok();
    let selectors: [Selector<'_>; 5] = [
        ("common_names", &tls.common_names, "a name", &is_not_blank),
        ("dns_names", &tls.dns_names, "a name", &is_not_blank),
        ("ip_addresses", &tls.ip_addresses, "an IP address", &is_ip),
        ("uri_sans", &tls.uri_sans, "a URI", &|text: &str| is_uri(text.trim())),
        ("public_key_sha256_pins", &tls.public_key_sha256_pins, "64 hex digits", &is_sha256_pin),
    ];
    if let Some((path, text)) = first_wrong_selector(path, &selectors) {
        check.wrong(&path, text);
    }
}

/// Key, entries, what an entry has to be, and whether it is.
pub(super) type Selector<'a> = (&'a str, &'a [String], &'a str, &'a dyn Fn(&str) -> bool);

/// Path and text of the first entry that is not what it has to be.
pub(super) fn first_wrong_selector(path: &str, selectors: &[Selector<'_>]) -> Option<(String, String)> {
    selectors.iter().find_map(|(key, entries, wanted, is_right)| {
        let index = entries.iter().position(|entry| !is_right(entry))?;
        let entry = entries.get(index)?;
        Some((format!("{path}.{key}[{index}]"), format!("must be {wanted}, got {}", quoted(entry))))
    })
}

/// 5. The files are opened, also by `validate`: a path that does not exist is the most frequent mistake.
fn check_files(check: &mut Check<'_>, path: &str, tls: &Tls) {
    let files: [(&str, &str, &[&str], &str); 3] = [
        ("cert_file", &tls.cert_file, &["CERTIFICATE"], "certificate"),
        ("key_file", &tls.key_file, &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"], "private key"),
        ("client_ca_file", &tls.client_ca_file, &["CERTIFICATE"], "certificate"),
    ];
    for (key, file, labels, what) in files {
        if let Err(text) = has_pem(Path::new(file), labels, what) {
            check.wrong(&format!("{path}.{key}"), format!("{}: {text}", quoted(file)));
        }
    }
}

fn has_pem(path: &Path, labels: &[&str], what: &str) -> Result<(), String> {
    use std::io::Read as _;
    // Reading a pipe or a device could take for ever.
    if !std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(TLS_FILE_MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    let is_there = pem::blocks(&text).iter().any(|block| labels.contains(&block.label) && pem::is_sequence(&block.der));
    if is_there { Ok(()) } else { Err(format!("has no PEM {what}")) }
}
