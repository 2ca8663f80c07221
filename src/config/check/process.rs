//! Checks of listeners, upstream, logs, responses, local endpoints, reload and the signed configuration
//! (spec 10 §4.1 to §4.4, and 75).

use super::Check;
use super::forms::{clean_path, is_label_selector, is_not_blank};
use super::listener::{TcpListener, check_socket_mode, check_tcp};
use super::trust::{Trust, check_positive_duration, check_trust};
use crate::config::duration::parse_nanoseconds;
use crate::config::problem::quoted;
use crate::config::schema::{AUDIT_FORMATS, DENY_VERBOSITIES, LOG_FORMATS, LOG_LEVELS};
use crate::observe::SinkTarget;

pub(super) fn check(check: &mut Check<'_>) {
    check_listen(check);
    check_log(check);
    check_response(check);
    check_local_paths(check);
    check_admin_listener(check);
    check_reload(check);
    check_policy_bundle(check);
    check_ownership(check);
}

/// 1 to 8. TLS keys beside a unix listener are not used and not judged (7).
fn check_listen(check: &mut Check<'_>) {
    let listen = &check.config.listen;
    if !listen.socket.is_empty() {
        check_socket_mode(check, "listen", &listen.socket_mode);
    } else if listen.address.is_empty() {
        check.wrong("listen", "must contain at least one of socket or address"); // 1
    } else {
        let listener = TcpListener {
            block: "listen",
            address: &listen.address,
            tls: &listen.tls,
            allow_plain_tcp: listen.insecure_allow_plain_tcp,
            allow_unauthenticated_clients: listen.insecure_allow_unauthenticated_clients,
        };
        check_tcp(check, &listener);
    }
    check.required("upstream.socket", &check.config.upstream.socket); // 8
}

/// 9 to 13
fn check_log(check: &mut Check<'_>) {
    let log = &check.config.log;
    check.one_of("log.level", &log.level, LOG_LEVELS);
    check.one_of("log.format", &log.format, LOG_FORMATS);
    check_sink(check, "log.output", &log.output);
    if log.audit.enabled {
        check.one_of("log.audit.format", &log.audit.format, AUDIT_FORMATS);
        check_sink(check, "log.audit.output", &log.audit.output);
    }
}

fn check_sink(check: &mut Check<'_>, path: &str, text: &str) {
    if let Err(error) = SinkTarget::parse(text) {
        check.wrong(path, format!("{error}, got {}", quoted(text)));
    }
}

/// 14, 15
fn check_response(check: &mut Check<'_>) {
    let response = &check.config.response;
    check.one_of("response.deny_verbosity", &response.deny_verbosity, DENY_VERBOSITIES);
    check_visibility(
        check,
        "response",
        &response.visible_resource_labels,
        &response.name_patterns,
        &response.image_patterns,
    );
}

/// 15, 59. An empty pattern matches nothing that has a name; whoever wrote it wanted something else.
pub(super) fn check_visibility(
    check: &mut Check<'_>,
    block: &str,
    labels: &[String],
    name_patterns: &[String],
    image_patterns: &[String],
) {
    let wanted = "key or key=value without commas";
    check.each(&format!("{block}.visible_resource_labels"), labels, wanted, is_label_selector);
    check.each(&format!("{block}.name_patterns"), name_patterns, "a glob", is_not_blank);
    check.each(&format!("{block}.image_patterns"), image_patterns, "a glob", is_not_blank);
}

/// 16 to 24. Paths are compared cleaned: `/health/` and `/health` collide.
fn check_local_paths(check: &mut Check<'_>) {
    let config = check.config;
    let mut taken: Vec<(&str, String)> = Vec::new();
    let endpoints = [
        ("health.path", config.health.enabled, &config.health.path),
        ("metrics.path", config.metrics.enabled, &config.metrics.path),
        ("admin.path", config.admin.enabled, &config.admin.path),
        ("admin.policy_version_path", config.admin.enabled, &config.admin.policy_version_path),
    ];
    for (key, _, path) in endpoints.into_iter().filter(|(_, is_enabled, _)| *is_enabled) {
        if !path.starts_with('/') {
            check.wrong(key, format!("must start with /, got {}", quoted(path))); // 16, 18, 20, 23
            continue;
        }
        let clean = clean_path(path);
        for (other, _) in taken.iter().filter(|(_, other)| *other == clean) {
            check.wrong(key, format!("must differ from {other}, got {}", quoted(path))); // 19, 22, 24
        }
        taken.push((key, clean));
    }
    if config.health.watchdog.enabled {
        check_positive_duration(check, "health.watchdog.interval", &config.health.watchdog.interval); // 17
    }
    if config.admin.enabled && config.admin.max_request_bytes <= 0 {
        let text = format!("must be more than zero, got {}", config.admin.max_request_bytes);
        check.wrong("admin.max_request_bytes", text); // 21
    }
}

/// 25 to 29
fn check_admin_listener(check: &mut Check<'_>) {
    let config = check.config;
    let admin = &config.admin.listen;
    if !config.admin.enabled {
        return;
    }
    if !admin.socket.is_empty() && !admin.address.is_empty() {
        check.wrong("admin.listen", "has both socket and address, only one can be used"); // 25
    }
    if !admin.socket.is_empty() {
        check_socket_mode(check, "admin.listen", &admin.socket_mode);
        if admin.socket == config.listen.socket {
            check
                .wrong("admin.listen.socket", format!("must differ from listen.socket, got {}", quoted(&admin.socket)));
        }
    }
    if !admin.address.is_empty() {
        let listener = TcpListener {
            block: "admin.listen",
            address: &admin.address,
            tls: &admin.tls,
            allow_plain_tcp: admin.insecure_allow_plain_tcp,
            allow_unauthenticated_clients: admin.insecure_allow_unauthenticated_clients,
        };
        check_tcp(check, &listener);
        if !check.is_unix() && admin.address == config.listen.address {
            let text = format!("must differ from listen.address, got {}", quoted(&admin.address));
            check.wrong("admin.listen.address", text); // 27
        }
    }
}

/// 30, 31
fn check_reload(check: &mut Check<'_>) {
    let reload = &check.config.reload;
    if !reload.enabled {
        return;
    }
    for (path, text) in [("reload.debounce", &reload.debounce), ("reload.poll_interval", &reload.poll_interval)] {
        match parse_nanoseconds(text) {
            _ if text.is_empty() => {}
            Err(error) => check.wrong(path, format!("{error}, got {}", quoted(text))),
            Ok(nanoseconds) if nanoseconds < 0 => {
                check.wrong(path, format!("must not be negative, got {}", quoted(text)))
            }
            Ok(_) => {}
        }
    }
}

/// 32 to 36
fn check_policy_bundle(check: &mut Check<'_>) {
    let bundle = &check.config.policy_bundle;
    if bundle.enabled {
        check.required("policy_bundle.signature_path", &bundle.signature_path);
        let trust = Trust {
            path: "policy_bundle",
            keys: &bundle.allowed_signing_keys,
            identities: &bundle.allowed_keyless,
            verify_timeout: &bundle.verify_timeout,
        };
        check_trust(check, &trust);
    }
}

/// 75
fn check_ownership(check: &mut Check<'_>) {
    let ownership = &check.config.ownership;
    if !ownership.owner.is_empty() && !is_not_blank(&ownership.label_key) {
        check.wrong("ownership.label_key", "is required when ownership.owner is set");
    }
}
