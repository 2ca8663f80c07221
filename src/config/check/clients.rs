//! Checks of clients, profiles and limits (spec 10 §4.6).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::forms::{is_cidr, is_not_blank, is_sha256_pin, is_spiffe_id, is_uri};
use super::listener::{Selector, first_wrong_selector, is_complete};
use super::{Check, request_body};
use crate::config::problem::quoted;
use crate::config::schema::{CertificateProfile, Limits, MODES, PRIORITIES, Profile, Rate};

pub(super) fn check(check: &mut Check<'_>) {
    check_admission(check);
    check_transport(check);
    check_profiles(check);
    check_assignments(check);
}

const CIDR: &str = "a network as ADDRESS/BITS";

/// 53, 54, 69
fn check_admission(check: &mut Check<'_>) {
    let clients = &check.config.clients;
    check.each("clients.allowed_cidrs", &clients.allowed_cidrs, CIDR, is_cidr);
    if clients.container_labels.enabled && !is_not_blank(&clients.container_labels.label_prefix) {
        check.wrong(
            "clients.container_labels.label_prefix",
            "is required when clients.container_labels.enabled is true",
        );
    }
    if let Some(concurrency) = &clients.global_concurrency {
        check_inflight(check, "clients.global_concurrency", concurrency.max_inflight);
    }
}

/// 68, 69
fn check_inflight(check: &mut Check<'_>, block: &str, max_inflight: i64) {
    if max_inflight <= 0 {
        check.wrong(&format!("{block}.max_inflight"), format!("must be more than zero, got {max_inflight}"));
    }
}

/// 55, 72. Judged by the transport that is really used: with a socket the default address is only a default.
fn check_transport(check: &mut Check<'_>) {
    let clients = &check.config.clients;
    let need_tcp = [
        ("clients.allowed_cidrs", !clients.allowed_cidrs.is_empty()),
        ("clients.container_labels.enabled", clients.container_labels.enabled),
        ("clients.source_ip_profiles", !clients.source_ip_profiles.is_empty()),
        ("clients.client_certificate_profiles", !clients.client_certificate_profiles.is_empty()),
    ];
    if check.is_unix() {
        for (path, _) in need_tcp.into_iter().filter(|(_, is_used)| *is_used) {
            check.wrong(path, "needs a TCP listener, but listen.socket is set: a peer of a unix socket has no address");
        }
        return;
    }
    if !clients.unix_peer_profiles.is_empty() {
        check.wrong("clients.unix_peer_profiles", "needs a unix listener, but listen.socket is not set");
    }
    if !clients.client_certificate_profiles.is_empty() && !is_complete(&check.config.listen.tls) {
        let text = "needs mutual TLS: listen.tls.cert_file, key_file and client_ca_file";
        check.wrong("clients.client_certificate_profiles", text);
    }
}

/// 56 to 68, 70
fn check_profiles(check: &mut Check<'_>) {
    let clients = &check.config.clients;
    let mut names = BTreeSet::new();
    for (index, profile) in clients.profiles.iter().enumerate() {
        let path = format!("clients.profiles[{index}]");
        let name_path = format!("{path}.name");
        if check.required(&name_path, &profile.name) && !names.insert(profile.name.as_str()) {
            check.wrong(&name_path, format!("must be unique, got duplicate {}", quoted(&profile.name)));
        }
        check_profile(check, &path, profile);
    }
    if !clients.default_profile.is_empty() {
        check_reference(check, "clients.default_profile", &clients.default_profile);
    }
}

fn check_profile(check: &mut Check<'_>, path: &str, profile: &Profile) {
    check.one_of_folded(&format!("{path}.mode"), &profile.mode, MODES);
    let response = &profile.response;
    super::process::check_visibility(
        check,
        &format!("{path}.response"),
        &response.visible_resource_labels,
        &response.name_patterns,
        &response.image_patterns,
    );
    request_body::check(check, &format!("{path}.request_body"), &profile.request_body);
    check.profile_rules(&format!("{path}.rules"), &profile.rules);
    check_limits(check, &format!("{path}.limits"), &profile.limits);
}

/// 61 to 68
fn check_limits(check: &mut Check<'_>, path: &str, limits: &Limits) {
    check.one_of_folded(&format!("{path}.priority"), &limits.priority, PRIORITIES);
    if let Some(rate) = &limits.rate {
        check_rate(check, &format!("{path}.rate"), rate);
    }
    if let Some(concurrency) = &limits.concurrency {
        check_inflight(check, &format!("{path}.concurrency"), concurrency.max_inflight);
    }
}

/// 62 to 67. Comparisons are written so that NaN, which compares false with everything, is refused.
fn check_rate(check: &mut Check<'_>, path: &str, rate: &Rate) {
    let (tokens, burst) = (rate.tokens_per_second, rate.burst);
    let tokens_are_right = tokens.is_finite() && tokens > 0.0;
    if !tokens_are_right {
        check.wrong(&format!("{path}.tokens_per_second"), format!("must be more than zero, got {tokens}"));
    }
    let burst_path = format!("{path}.burst");
    if !(burst.is_finite() && burst >= 0.0) {
        check.wrong(&burst_path, format!("must not be negative, got {burst}"));
    } else if tokens_are_right && burst != 0.0 && burst < tokens {
        check.wrong(&burst_path, format!("must be at least tokens_per_second ({tokens}), or 0 for it, got {burst}"));
    }
    for (index, cost) in rate.endpoint_costs.iter().enumerate() {
        let path = format!("{path}.endpoint_costs[{index}]");
        check.required(&format!("{path}.path"), &cost.path);
        let is_price = cost.cost.is_finite() && cost.cost >= 1.0;
        if !is_price {
            check.wrong(&format!("{path}.cost"), format!("must be at least 1, got {}", cost.cost));
        } else if cost.cost > effective_burst(rate) {
            let text = format!(
                "must be at most the burst ({}), or no such request passes, got {}",
                effective_burst(rate),
                cost.cost
            );
            check.wrong(&format!("{path}.cost"), text);
        }
        check.each(&format!("{path}.methods"), &cost.methods, "a method", is_not_blank);
    }
}

/// Tokens that the bucket holds.
pub(in crate::config) fn effective_burst(rate: &Rate) -> f64 {
    if rate.burst == 0.0 { rate.tokens_per_second } else { rate.burst }
}

/// 71, 73, 74
fn check_assignments(check: &mut Check<'_>) {
    let clients = &check.config.clients;
    for (index, assignment) in clients.source_ip_profiles.iter().enumerate() {
        let path = format!("clients.source_ip_profiles[{index}]");
        check_reference(check, &format!("{path}.profile"), &assignment.profile);
        let cidrs_path = format!("{path}.cidrs");
        if assignment.cidrs.is_empty() {
            check.wrong(&cidrs_path, "must contain at least one network");
        }
        check.each(&cidrs_path, &assignment.cidrs, CIDR, is_cidr);
    }
    for (index, assignment) in clients.client_certificate_profiles.iter().enumerate() {
        let path = format!("clients.client_certificate_profiles[{index}]");
        check_reference(check, &format!("{path}.profile"), &assignment.profile);
        check_certificate_selectors(check, &path, assignment);
    }
    for (index, assignment) in clients.unix_peer_profiles.iter().enumerate() {
        let path = format!("clients.unix_peer_profiles[{index}]");
        check_reference(check, &format!("{path}.profile"), &assignment.profile);
        if assignment.uids.is_empty() && assignment.gids.is_empty() && assignment.pids.is_empty() {
            check.wrong(&path, "must contain at least one of uids, gids or pids");
        }
        for (position, pid) in assignment.pids.iter().enumerate().filter(|(_, pid)| **pid <= 0) {
            check.wrong(&format!("{path}.pids[{position}]"), format!("must be more than zero, got {pid}"));
        }
    }
}

/// REQ and REF
fn check_reference(check: &mut Check<'_>, path: &str, name: &str) {
    let names = || check.config.clients.profiles.iter().map(|profile| profile.name.as_str());
    if !is_not_blank(name) {
        check.wrong(path, "is required");
    } else if !names().any(|known| known == name) {
        let known: Vec<&str> = names().collect();
        let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
        check.wrong(path, format!("must match a configured profile ({known}), got {}", quoted(name)));
    }
}

/// 73
fn check_certificate_selectors(check: &mut Check<'_>, path: &str, assignment: &CertificateProfile) {
    let is_ip = |text: &str| text.trim().parse::<IpAddr>().is_ok();
    let selectors: [Selector<'_>; 6] = [
        ("common_names", &assignment.common_names, "a name", &is_not_blank),
        ("dns_names", &assignment.dns_names, "a name", &is_not_blank),
        ("ip_addresses", &assignment.ip_addresses, "an IP address", &is_ip),
        ("uri_sans", &assignment.uri_sans, "a URI", &|text: &str| is_uri(text.trim())),
        ("spiffe_ids", &assignment.spiffe_ids, "a URI with the scheme spiffe", &|text: &str| is_spiffe_id(text.trim())),
        ("public_key_sha256_pins", &assignment.public_key_sha256_pins, "64 hex digits", &is_sha256_pin),
    ];
    if selectors.iter().all(|(_, entries, _, _)| entries.is_empty()) {
        check.wrong(path, "must contain at least one selector");
    }
    for selector in selectors {
        if let Some((path, text)) = first_wrong_selector(path, &[selector]) {
            check.wrong(&path, text);
        }
    }
}
