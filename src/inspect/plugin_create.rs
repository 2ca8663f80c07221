//! `POST /plugins/create`: what a plugin's own configuration asks of the host (spec 30 §14).
//!
//! Owns the search for `config.json`, in an archive or in one that comes as a part of a form, and the checks of what it
//! asks for. The Engine reads the body as an archive whatever its media type says, so that a form must not begin like
//! one (spec 30 §15 gap 10).

use std::io::Read;

use super::Outcome;
use super::archive::body::{Body, Format, decompress, drain};
use super::archive::media_type::boundary;
use super::archive::multipart::Parts;
use super::archive::tar::Walker;
use super::archive::wanted::{Found, Wanted, collect};
use super::archive::{ArchiveError, Checked, Upload, Wording, deny};
use super::capabilities::Upper;
use super::options::PluginOptions;
use super::paths::{PathPrefixes, clean_absolute};
use super::reason::Quoted;
use super::stop::{Judged, Stop, deny as stop, deny_value, flag, read, text};
use super::text::is_host;
use crate::json::{Object, Reader, TypeError};
use crate::limits::{PLUGIN_ARCHIVE_MAX_BYTES, PLUGIN_CONFIG_MAX_BYTES};

const WORDING: Wording =
    Wording { subject: "plugin create", what: "plugin archive", decompressed_max_bytes: PLUGIN_ARCHIVE_MAX_BYTES };

const CONFIG: &[u8] = b"config.json";
const NOT_INSPECTABLE: &str = "plugin config could not be inspected";

/// Judges a plugin. Nothing in the query matters, so that this is the whole inspection.
///
/// # Errors
/// When the archive cannot be inspected.
pub fn inspect_body(
    upload: &Upload<'_>,
    body: &mut dyn Read,
    options: &PluginOptions,
) -> Result<Outcome, ArchiveError> {
    WORDING.conclude(judge(upload, body, options))
}

fn judge(upload: &Upload<'_>, body: &mut dyn Read, options: &PluginOptions) -> Checked {
    let body = Body::open(body)?;
    let boundary = upload.content_type.and_then(boundary);
    let found = match (body.format(), boundary) {
        (Format::Empty, _) => return Ok(()),
        (Format::Short | Format::Unknown, Some(boundary)) => find_in_parts(Parts::new(&mut body.stream(), &boundary)?)?,
        (Format::Gzip | Format::Tar | Format::OtherCompression, Some(_)) => Found::Ambiguous,
        (Format::Short, None) => return Err(ArchiveError::Truncated.into()),
        (Format::Gzip, None) => find_in_gzip(&mut body.stream(), &mut { PLUGIN_ARCHIVE_MAX_BYTES })?,
        (Format::Tar, None) => find_in_tar(&mut body.stream())?,
        (Format::OtherCompression | Format::Unknown, None) => Found::Absent,
    };
    let Found::File(config) = found else { return deny(NOT_INSPECTABLE) };
    let judged = read(&mut Reader::new(), &config, |view| match view.root().object()? {
        Some(config) => judge_config(&config, options),
        None => Err(Stop::Unreadable),
    });
    match judged {
        Err(Stop::Unreadable) => deny(NOT_INSPECTABLE),
        judged => Ok(judged?),
    }
}

fn find_in_tar(archive: &mut dyn Read) -> Result<Found, ArchiveError> {
    let mut wanted = [Wanted::new(CONFIG, PLUGIN_CONFIG_MAX_BYTES)];
    match collect(&mut Walker::new(archive), &mut wanted) {
        Ok(()) => {}
        Err(ArchiveError::NotAnArchive) => return Ok(Found::Absent),
        Err(error) => return Err(error),
    }
    let [wanted] = wanted;
    Ok(wanted.found())
}

/// Searches a compressed archive, and takes from the budget what it decompresses to.
fn find_in_gzip(archive: &mut dyn Read, budget: &mut u64) -> Result<Found, ArchiveError> {
    let mut archive = decompress(archive, *budget);
    let found = find_in_tar(&mut archive);
    drain(&mut archive)?;
    *budget = archive.left();
    found
}

/// Searches every part that looks like an archive. A second configuration makes the first one doubtful.
fn find_in_parts(mut parts: Parts<'_>) -> Result<Found, ArchiveError> {
    let mut budget = PLUGIN_ARCHIVE_MAX_BYTES;
    let mut found = Found::Absent;
    while let Some(mut part) = parts.next_part()? {
        let part = Body::open(&mut part)?;
        let found_here = match part.format() {
            Format::Gzip => find_in_gzip(&mut part.stream(), &mut budget)?,
            Format::Tar => find_in_tar(&mut part.stream())?,
            Format::Empty | Format::Short | Format::Unknown => Found::Absent,
            Format::OtherCompression => Found::Ambiguous,
        };
        found = match (found, found_here) {
            (found, Found::Absent) | (Found::Absent, found) => found,
            (Found::Ambiguous | Found::File(_), Found::Ambiguous | Found::File(_)) => Found::Ambiguous,
        };
    }
    Ok(found)
}

/// What a plugin's configuration asks for, as far as it is judged.
struct Config<'d> {
    network: &'d str,
    is_ipc_of_host: bool,
    is_pid_of_host: bool,
    mounts: Vec<&'d str>,
    capabilities: Vec<&'d str>,
    has_all_devices: bool,
    devices: Vec<&'d str>,
}

impl<'d> Config<'d> {
    fn decode(config: &Object<'d>) -> Result<Config<'d>, TypeError> {
        let [network, ipc, pid, propagated, mounts, linux] =
            config.fields(["Network", "IpcHost", "PidHost", "PropagatedMount", "Mounts", "Linux"]);
        let network = network.object()?.map_or(Ok(""), |network| text(network.field("Type")))?;
        let mut sources = vec![text(propagated)?];
        for mount in mounts.objects()? {
            sources.push(text(mount.field("Source"))?);
        }
        let mut decoded = Config {
            network,
            is_ipc_of_host: flag(ipc)?,
            is_pid_of_host: flag(pid)?,
            mounts: sources,
            capabilities: Vec::new(),
            has_all_devices: false,
            devices: Vec::new(),
        };
        if let Some(linux) = linux.object()? {
            let [capabilities, all_devices, devices] = linux.fields(["Capabilities", "AllowAllDevices", "Devices"]);
            decoded.capabilities.extend(capabilities.strings()?);
            decoded.has_all_devices = flag(all_devices)?;
            for device in devices.objects()? {
                decoded.devices.push(text(device.field("Path"))?);
            }
        }
        Ok(decoded)
    }
}

fn judge_config(config: &Object<'_>, options: &PluginOptions) -> Judged {
    let config = Config::decode(config)?;
    if is_host(config.network) && !options.allow_host_network {
        return stop("host network is not allowed");
    }
    if config.is_ipc_of_host && !options.allow_host_ipc {
        return stop("host IPC namespace is not allowed");
    }
    if config.is_pid_of_host && !options.allow_host_pid {
        return stop("host PID namespace is not allowed");
    }
    config.mounts.iter().try_for_each(|path| judge_path(path, &options.allowed_bind_mounts, "bind mount source"))?;
    if !options.allow_all_capabilities {
        config.capabilities.iter().try_for_each(|capability| judge_capability(capability, options))?;
    }
    if options.allow_all_devices {
        return Ok(());
    }
    if config.has_all_devices {
        return stop("allow-all-devices is not allowed");
    }
    config.devices.iter().try_for_each(|path| judge_path(path, &options.allowed_devices, "device path"))
}

/// An absolute path has to be listed; anything else is no host path.
fn judge_path(path: &str, allowed: &PathPrefixes, what: &str) -> Judged {
    match clean_absolute(path.trim()) {
        Some(path) if !allowed.allows(&path) => deny_value(format_args!("{what} {} is not allowlisted", Quoted(&path))),
        Some(_) | None => Ok(()),
    }
}

fn judge_capability(capability: &str, options: &PluginOptions) -> Judged {
    let capability = capability.trim();
    if capability.is_empty() || options.allowed_capabilities.contains(capability) {
        return Ok(());
    }
    deny_value(format_args!("capability {} is not allowlisted", Quoted(&Upper(capability).to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::archive::testing::{Builder, gzip};
    use crate::inspect::capabilities::Capabilities;
    use crate::inspect::testing::any_plugin;

    const HARMLESS: &str = r#"{"Description":"d","Entrypoint":["/bin/x"],"Network":{"Type":"bridge"},"IpcHost":false,
        "Mounts":null,"PropagatedMount":"","Linux":{"Capabilities":[],"AllowAllDevices":false,"Devices":null}}"#;
    const NOT_FOUND: Option<&str> = Some(NOT_INSPECTABLE);
    const IPC: Option<&str> = Some("host IPC namespace is not allowed");

    fn judge(content_type: &str, body: &[u8], options: &PluginOptions) -> Option<String> {
        let upload = Upload { content_type: Some(content_type.as_bytes()), ..Upload::default() };
        let mut stream = body;
        match inspect_body(&upload, &mut stream, options) {
            Ok(Outcome::Pass) => None,
            Ok(Outcome::Denied(reason)) => Some(reason.strip_prefix("plugin create denied: ").unwrap().to_owned()),
            Ok(outcome) => panic!("{outcome:?}"),
            Err(error) => Some(format!("failed: {error}")),
        }
    }

    fn by_default(body: &[u8]) -> Option<String> {
        judge("application/x-tar", body, &PluginOptions::default())
    }

    fn plugin(config: &str) -> Builder {
        Builder::new().file("config.json", config).directory("rootfs/").file("rootfs/bin/x", "x")
    }

    fn form(parts: &[&[u8]]) -> Vec<u8> {
        let mut body = Vec::new();
        for part in parts {
            body.extend_from_slice(b"--bnd\r\nContent-Disposition: form-data; name=\"f\"; filename=\"p.tar\"\r\n\r\n");
            body.extend_from_slice(part);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--bnd--\r\n");
        body
    }

    fn multipart(parts: &[&[u8]]) -> Option<String> {
        judge("multipart/form-data; boundary=bnd", &form(parts), &PluginOptions::default())
    }

    fn listed() -> PluginOptions {
        PluginOptions {
            allow_host_network: true,
            allowed_bind_mounts: PathPrefixes::new(["/safe"]),
            allowed_devices: PathPrefixes::new(["/dev/fuse"]),
            allowed_capabilities: Capabilities::with_prefix(["CAP_NET_ADMIN"]),
            ..PluginOptions::default()
        }
    }

    #[test]
    fn configurations_are_judged() {
        for (config, default, with_lists) in [
            (HARMLESS, None, None),
            ("{}", None, None),
            (r#"{"Mounts":[{"Source":"data"},null],"PropagatedMount":"data"}"#, None, None),
            (r#"{"Linux":{"Capabilities":[" "]}}"#, None, None),
            (r#"{"Network":{"Type":" HOST"}}"#, Some("host network is not allowed"), None),
            (r#"{"network":{"type":"host"}}"#, Some("host network is not allowed"), None),
            (r#"{"IpcHost":true}"#, IPC, IPC),
            (
                r#"{"PidHost":true}"#,
                Some("host PID namespace is not allowed"),
                Some("host PID namespace is not allowed"),
            ),
            (r#"{"PropagatedMount":"/safe/p"}"#, Some(r#"bind mount source "/safe/p" is not allowlisted"#), None),
            (
                r#"{"Mounts":[{"Source":"/safe"},{"Source":"/safe/../etc"}]}"#,
                Some(r#"bind mount source "/safe" is not allowlisted"#),
                Some(r#"bind mount source "/etc" is not allowlisted"#),
            ),
            (
                r#"{"Linux":{"Capabilities":["cap_net_admin"]}}"#,
                Some(r#"capability "CAP_NET_ADMIN" is not allowlisted"#),
                None,
            ),
            (
                r#"{"Linux":{"Capabilities":["NET_ADMIN"]}}"#,
                Some(r#"capability "NET_ADMIN" is not allowlisted"#),
                Some(r#"capability "NET_ADMIN" is not allowlisted"#),
            ),
            (
                r#"{"Linux":{"AllowAllDevices":true,"Devices":[{"Path":"/dev/mem"}]}}"#,
                Some("allow-all-devices is not allowed"),
                Some("allow-all-devices is not allowed"),
            ),
            (
                r#"{"Linux":{"Devices":[{"Path":"/dev/fuse"}]}}"#,
                Some(r#"device path "/dev/fuse" is not allowlisted"#),
                None,
            ),
            (
                r#"{"Linux":{"Devices":[{"Path":"/dev/fuse0"}]}}"#,
                Some(r#"device path "/dev/fuse0" is not allowlisted"#),
                Some(r#"device path "/dev/fuse0" is not allowlisted"#),
            ),
        ] {
            let archive = plugin(config).bytes();
            assert_eq!(by_default(&archive).as_deref(), default, "{config}");
            assert_eq!(by_default(&gzip(&archive)).as_deref(), default, "{config}");
            assert_eq!(multipart(&[&archive]).as_deref(), default, "{config}");
            assert_eq!(multipart(&[&gzip(&archive)]).as_deref(), default, "{config}");
            assert_eq!(judge("", &archive, &listed()).as_deref(), with_lists, "{config}");
            assert_eq!(judge("", &archive, &any_plugin()), None, "{config}");
        }
    }

    #[test]
    fn unreadable_configurations_deny() {
        for config in [
            "{",
            "[]",
            "null",
            "",
            "{}{}",
            r#"{"IpcHost":1}"#,
            r#"{"IpcHost":false,"ipchost":true}"#,
            r#"{"Network":"host"}"#,
            r#"{"Mounts":[{"Source":1}]}"#,
            r#"{"Linux":{"Capabilities":"ALL"}}"#,
        ] {
            let archive = plugin(config).bytes();
            assert_eq!(by_default(&archive).as_deref(), NOT_FOUND, "{config}");
            assert_eq!(judge("", &archive, &any_plugin()).as_deref(), NOT_FOUND, "{config}");
        }
        let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
        assert_eq!(by_default(&plugin(&padded(PLUGIN_CONFIG_MAX_BYTES)).bytes()), None);
        let long = by_default(&plugin(&padded(PLUGIN_CONFIG_MAX_BYTES + 1)).bytes()).unwrap();
        assert!(long.starts_with("failed: "), "{long}");
    }

    #[test]
    fn an_archive_has_one_configuration() {
        let evil = r#"{"IpcHost":true}"#;
        for name in ["config.json", "/config.json", "./config.json"] {
            assert_eq!(by_default(&Builder::new().file(name, evil).bytes()).as_deref(), IPC, "{name}");
            assert_eq!(by_default(&Builder::new().file(name, HARMLESS).bytes()), None, "{name}");
            assert_eq!(by_default(&plugin(HARMLESS).file(name, evil).bytes()).as_deref(), NOT_FOUND, "{name}");
        }
        for archive in [
            Builder::new().file("rootfs/x", "1"),
            Builder::new().file("x/config.json", HARMLESS),
            Builder::new().symlink("config.json", "x"),
            plugin(HARMLESS).file(" config.json", evil),
            Builder::new(),
        ] {
            assert_eq!(by_default(&archive.bytes()).as_deref(), NOT_FOUND);
        }
        assert_eq!(by_default(&b"hello ".repeat(200)).as_deref(), NOT_FOUND);
        assert_eq!(by_default(&gzip(&b"hello ".repeat(200))).as_deref(), NOT_FOUND);
        assert_eq!(by_default(&[b"BZh9", &[b'x'; 600][..]].concat()).as_deref(), NOT_FOUND);
        assert_eq!(by_default(b""), None);
        let good = plugin(HARMLESS).file("big", &"x".repeat(3000)).bytes();
        for body in [b"short".to_vec(), good[..3000].to_vec(), gzip(&good)[..50].to_vec()] {
            assert!(by_default(&body).unwrap().starts_with("failed: "));
        }
    }

    #[test]
    fn forms_are_searched_part_by_part() {
        let good = plugin(HARMLESS).bytes();
        let evil = plugin(r#"{"IpcHost":true}"#).bytes();
        let text = b"just text ".repeat(100);
        assert_eq!(multipart(&[&text, b"", &good]), None);
        assert_eq!(multipart(&[&text, &evil]).as_deref(), IPC);
        assert_eq!(multipart(&[&text]).as_deref(), NOT_FOUND);
        assert_eq!(multipart(&[]).as_deref(), NOT_FOUND);
        assert_eq!(multipart(&[&good, &evil]).as_deref(), NOT_FOUND);
        assert_eq!(multipart(&[&good, &gzip(&good)]).as_deref(), NOT_FOUND);
        assert_eq!(multipart(&[&good, b"BZh9"]).as_deref(), NOT_FOUND);
        assert_eq!(multipart(&[&Builder::new().bytes(), &good]), None);
        for (content_type, body) in [
            ("multipart/form-data; boundary=other", form(&[&good])),
            ("multipart/form-data; boundary=bnd", [b"preamble\r\n", &form(&[&good])[..]].concat()),
            ("multipart/form-data; boundary=bnd", form(&[&good])[..3000].to_vec()),
            ("multipart/form-data; boundary=bnd", form(&[&good[..3000]])),
            ("multipart/form-data; boundary=bnd", form(&[&gzip(&good)[..50]])),
        ] {
            let result = judge(content_type, &body, &PluginOptions::default()).unwrap();
            assert!(result.starts_with("failed: "), "{result}");
        }
    }

    #[test]
    fn parts_share_one_budget() {
        let archive = plugin(HARMLESS).bytes();
        let compressed = gzip(&archive);
        let mut budget = archive.len() as u64 + 100;
        assert!(matches!(find_in_gzip(&mut &compressed[..], &mut budget), Ok(Found::File(_))));
        assert_eq!(budget, 100);
        let overrun = find_in_gzip(&mut &compressed[..], &mut budget);
        assert!(matches!(overrun, Err(ArchiveError::DecompressedTooLong)));
        let outcome = WORDING.conclude(overrun.map(drop).map_err(Into::into)).unwrap();
        let reason = "plugin create denied: decompressed plugin archive exceeds 4294967296 byte limit";
        assert_eq!(outcome, Outcome::Denied(reason.into()));
    }

    #[test]
    fn a_form_that_begins_like_an_archive_is_one() {
        let good = plugin(HARMLESS).bytes();
        let evil = plugin(r#"{"IpcHost":true}"#).bytes();
        let multipart = "multipart/form-data; boundary=bnd";
        for body in [[&evil[..], &form(&[&good])].concat(), [&gzip(&evil)[..], &form(&[&good])].concat(), good.clone()]
        {
            assert_eq!(judge(multipart, &body, &PluginOptions::default()).as_deref(), NOT_FOUND);
        }
        for no_boundary in ["multipart/form-data", "multipart/form-data; boundary=\" \""] {
            assert_eq!(judge(no_boundary, &good, &PluginOptions::default()), None);
            assert_eq!(judge(no_boundary, &evil, &PluginOptions::default()).as_deref(), IPC);
        }
    }
}
