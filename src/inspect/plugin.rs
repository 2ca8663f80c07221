//! `POST /plugins/pull`, `/plugins/X/upgrade` and `/plugins/X/set`: where a plugin comes from, and what it may have of
//! the host (spec 30 §14).
//!
//! Owns the privileges that a client grants and the settings that it changes. A plugin runs as root on the host; what
//! it is granted here is what the Engine gives it.

use super::Outcome;
use super::options::PluginOptions;
use super::paths::{PathPrefixes, clean_absolute};
use super::query::{parameter, refuse_ambiguous};
use super::reason::Quoted;
use super::reference::RegistryRules;
use super::request::Request;
use super::stop::{Judged, NOT_INSPECTABLE, Stop, conclude, deny, deny_value, read, text};
use super::text::is_host;
use crate::json::{Field, Object, Reader, Strings, TypeError};

/// Judges `POST /plugins/pull`; the query counts even when there is no body.
pub fn inspect_pull(request: &Request<'_>, options: &PluginOptions, reader: &mut Reader) -> Outcome {
    inspect_grant(request, options, reader, "plugin pull")
}

/// Judges `POST /plugins/X/upgrade`; the query counts even when there is no body.
pub fn inspect_upgrade(request: &Request<'_>, options: &PluginOptions, reader: &mut Reader) -> Outcome {
    inspect_grant(request, options, reader, "plugin upgrade")
}

/// Judges the body of `POST /plugins/X/set` that is not empty.
pub fn inspect_set(body: &[u8], options: &PluginOptions, reader: &mut Reader) -> Outcome {
    let judged = read(reader, body, |view| judge_settings(view.root().strings()?, options));
    conclude(judged, "plugin set", NOT_INSPECTABLE)
}

fn inspect_grant(request: &Request<'_>, options: &PluginOptions, reader: &mut Reader, subject: &str) -> Outcome {
    match judge_grant(request, options, reader) {
        // The one reason without the subject that the others have (spec 30 §14).
        Err(Stop::Unreadable) => conclude(Err(Stop::Unreadable), "plugin", NOT_INSPECTABLE),
        judged => conclude(judged, subject, NOT_INSPECTABLE),
    }
}

fn judge_grant(request: &Request<'_>, options: &PluginOptions, reader: &mut Reader) -> Judged {
    refuse_ambiguous(request)?;
    if let Some(remote) = parameter(request.query, "remote")? {
        judge_origin(&remote, options)?;
    }
    if request.body.is_empty() {
        return Ok(());
    }
    read(reader, request.body, |view| judge_privileges(view.root(), options))
}

/// The registry of a plugin.
pub(crate) fn judge_origin(remote: &str, options: &PluginOptions) -> Judged {
    let PluginOptions { allow_all_registries, allow_official, ref allowed_registries, .. } = *options;
    RegistryRules { allow_all_registries, allow_official, allowed_registries }.require(remote)
}

/// Privileges that are granted: a list of name and values.
pub(crate) fn judge_privileges(list: Field<'_>, options: &PluginOptions) -> Judged {
    // All types first: a wrong one denies as such, wherever it stands.
    list.objects()?.try_for_each(|privilege| Privilege::decode(&privilege).map(drop))?;
    for privilege in list.objects()? {
        judge_privilege(&Privilege::decode(&privilege)?, options)?;
    }
    Ok(())
}

struct Privilege<'d> {
    name: &'d str,
    values: Strings<'d>,
}

impl<'d> Privilege<'d> {
    fn decode(privilege: &Object<'d>) -> Result<Privilege<'d>, TypeError> {
        let [name, description, value] = privilege.fields(["Name", "Description", "Value"]);
        text(description)?;
        Ok(Privilege { name: text(name)?, values: value.strings()? })
    }
}

fn judge_privilege(privilege: &Privilege<'_>, options: &PluginOptions) -> Judged {
    let mut values = privilege.values.clone();
    let name = privilege.name.trim();
    match name.to_ascii_lowercase().as_str() {
        "network" if !options.allow_host_network && values.any(is_host) => deny("host network is not allowed"),
        "host ipc namespace" if !options.allow_host_ipc => deny("host IPC namespace is not allowed"),
        "host pid namespace" if !options.allow_host_pid => deny("host PID namespace is not allowed"),
        "allow-all-devices" if !options.allow_all_devices => deny("allow-all-devices is not allowed"),
        "mount" => values.try_for_each(|path| judge_mount(path, options)),
        "device" if !options.allow_all_devices => values.try_for_each(|path| judge_device(path, options)),
        "capabilities" if !options.allow_all_capabilities => {
            values.try_for_each(|capability| judge_capability(capability, options))
        }
        "network" | "host ipc namespace" | "host pid namespace" | "allow-all-devices" | "device" | "capabilities" => {
            Ok(())
        }
        // A privilege that nobody here knows is one that nobody here can bound (spec 30 §15 gap 9).
        _ => deny_value(format_args!("privilege {} is not allowed", Quoted(name))),
    }
}

fn judge_mount(path: &str, options: &PluginOptions) -> Judged {
    judge_path(path, &options.allowed_bind_mounts, "bind mount source")
}

fn judge_device(path: &str, options: &PluginOptions) -> Judged {
    judge_path(path, &options.allowed_devices, "device path")
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
    deny_value(format_args!("capability {} is not allowlisted", Quoted(&capability.to_uppercase())))
}

/// Settings that are changed: `NAME=VALUE` each.
pub(crate) fn judge_settings(mut settings: Strings<'_>, options: &PluginOptions) -> Judged {
    settings.try_for_each(|setting| judge_setting(setting, options))
}

fn judge_setting(setting: &str, options: &PluginOptions) -> Judged {
    let Some((key, value)) = setting.split_once('=') else {
        return deny_value(format_args!("setting {} is not an allowed assignment", Quoted(setting)));
    };
    match host_path(key.trim(), value.trim()) {
        HostPath::Mount(path) => judge_mount(path, options),
        HostPath::Device(path) => judge_device(path, options),
        HostPath::None
            if options.allowed_set_env_prefixes.iter().any(|prefix| setting.starts_with(prefix.as_str())) =>
        {
            Ok(())
        }
        HostPath::None => deny_value(format_args!("setting {} is not allowlisted", Quoted(setting))),
    }
}

/// Which host path a setting names.
enum HostPath<'v> {
    None,
    Mount(&'v str),
    Device(&'v str),
}

/// A plugin's settings are `MOUNT.source`, `DEVICE.path`, arguments and variables; variables are in upper case by custom.
fn host_path<'v>(key: &str, value: &'v str) -> HostPath<'v> {
    let has_suffix = |suffix: &str| {
        let start = key.len().checked_sub(suffix.len()).and_then(|at| key.get(at..));
        start.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
    };
    if key.is_empty() || !value.starts_with('/') {
        HostPath::None
    } else if has_suffix(".source") {
        HostPath::Mount(value)
    } else if has_suffix(".path") {
        HostPath::Device(value)
    } else if !key.chars().any(char::is_lowercase) {
        HostPath::None
    } else if value.starts_with("/dev/") {
        HostPath::Device(value)
    } else {
        HostPath::Mount(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::capabilities::Capabilities;
    use crate::inspect::testing::{Table, UNREADABLE, any_plugin};

    fn listed() -> PluginOptions {
        PluginOptions {
            allowed_registries: vec!["registry.example.com".to_owned()],
            allowed_bind_mounts: PathPrefixes::new(["/allowed"]),
            allowed_devices: PathPrefixes::new(["/dev/fuse"]),
            allowed_capabilities: Capabilities::with_prefix(["cap_net_admin"]),
            allowed_set_env_prefixes: vec!["DEBUG=".to_owned(), "LOG_LEVEL=".to_owned()],
            ..PluginOptions::default()
        }
    }

    fn pull(query: &str, body: &[u8], options: &PluginOptions) -> Outcome {
        let request = Request { query: query.as_bytes(), body, ..Request::default() };
        inspect_pull(&request, options, &mut Reader::new())
    }

    #[test]
    fn plugins_come_from_allowed_registries() {
        for (query, default, with_list) in [
            ("remote=sample%3A1", true, true),
            ("", true, true),
            ("remote=", true, true),
            ("remote=vieux%2Fsshfs", false, false),
            ("remote=registry.example.com%2Fa%2Fp%3A1", false, true),
            ("remote=evil.example.com%2Fa%2Fp%3A1", false, false),
            ("remote=sample&remote=evil.example.com%2Fp", false, false),
            ("remote=sample;x", false, false),
        ] {
            for body in [&b"[]"[..], b""] {
                assert_eq!(pull(query, body, &PluginOptions::default()) == Outcome::Pass, default, "{query}");
                assert_eq!(pull(query, body, &listed()) == Outcome::Pass, with_list, "{query}");
            }
        }
        let expected = "plugin pull denied: registry \"evil.example.com\" is not allowlisted";
        assert_eq!(pull("remote=evil.example.com/p", b"[", &listed()), Outcome::Denied(expected.into()));
        let request = Request { query: b"remote=evil.example.com/p", ..Request::default() };
        let expected = "plugin upgrade denied: registry \"evil.example.com\" is not allowlisted";
        assert_eq!(inspect_upgrade(&request, &listed(), &mut Reader::new()), Outcome::Denied(expected.into()));
        let form = Request {
            content_type: Some(b"application/x-www-form-urlencoded"),
            body: b"remote=evil.example.com/p",
            ..Request::default()
        };
        let expected = "plugin pull denied: form-encoded request bodies are not allowed";
        assert_eq!(inspect_pull(&form, &any_plugin(), &mut Reader::new()), Outcome::Denied(expected.into()));
    }

    #[test]
    fn privileges_are_bounded() {
        Table::new("plugin pull", |body| pull("remote=p", body, &PluginOptions::default()))
            .passes([
                "[]",
                "null",
                r#"[{"Name":"network","Description":"d","Value":["bridge"]}]"#,
                r#"[{"Name":"mount","Value":["data",""]},{"Name":"device","Value":null}]"#,
                r#"[{"Name":"capabilities","Value":[" "]}]"#,
            ])
            .denies(
                "host network is not allowed",
                [r#"[{"Name":" Network","Value":["bridge"," HOST "]}]"#, r#"[{"name":"network","value":["host"]}]"#],
            )
            .denies(
                r#"bind mount source "/etc" is not allowlisted"#,
                [
                    r#"[{"Name":"network","Value":["bridge"]},{"Name":"mount","Value":["","/x/../etc/"]}]"#,
                    r#"[{"Name":"mount","Value":[" /etc"]}]"#,
                ],
            )
            .denies(r#"device path "/dev/kvm" is not allowlisted"#, [r#"[{"Name":"device","Value":["/dev/kvm"]}]"#])
            .denies(
                r#"capability "CAP_SYS_ADMIN" is not allowlisted"#,
                [r#"[{"Name":"capabilities","Value":["cap_sys_admin"]}]"#],
            )
            .denies("host IPC namespace is not allowed", [r#"[{"Name":"host ipc namespace","Value":["true"]}]"#])
            .denies("host PID namespace is not allowed", [r#"[{"Name":"Host PID namespace","Value":["true"]}]"#])
            .denies("allow-all-devices is not allowed", [r#"[{"Name":"allow-all-devices","Value":["true"]}]"#])
            .denies(r#"privilege "teleport" is not allowed"#, [r#"[{"Name":"teleport "}]"#]);
        Table::new("plugin", |body| pull("remote=p", body, &any_plugin())).denies(
            UNREADABLE,
            [
                "{}",
                "[",
                r#"[{"Name":"mount","Value":"/etc"}]"#,
                r#"[{"Name":1}]"#,
                r#"["mount"]"#,
                r#"[{"Name":"mount","NAME":"network"}]"#,
            ],
        );
    }

    #[test]
    fn lists_and_flags_widen_privileges() {
        Table::new("plugin pull", |body| pull("", body, &listed()))
            .passes([
                r#"[{"Name":"mount","Value":["/allowed/x","/allowed"]},{"Name":"device","Value":["/dev/fuse"]}]"#,
                r#"[{"Name":"capabilities","Value":["CAP_NET_ADMIN"]}]"#,
            ])
            .denies(
                r#"bind mount source "/allowed2" is not allowlisted"#,
                [r#"[{"Name":"mount","Value":["/allowed2"]}]"#],
            )
            .denies(r#"device path "/dev/fuse0" is not allowlisted"#, [r#"[{"Name":"device","Value":["/dev/fuse0"]}]"#])
            .denies(
                r#"capability "NET_ADMIN" is not allowlisted"#,
                [r#"[{"Name":"capabilities","Value":["NET_ADMIN"]}]"#],
            );
        Table::new("plugin pull", |body| pull("remote=evil.example.com/p", body, &any_plugin()))
            .passes([
                r#"[{"Name":"network","Value":["host"]},{"Name":"mount","Value":["/etc"]},{"Name":"device","Value":["/dev/mem"]},
                    {"Name":"capabilities","Value":["CAP_SYS_ADMIN"]},{"Name":"host ipc namespace","Value":["true"]},
                    {"Name":"host pid namespace","Value":["true"]},{"Name":"allow-all-devices","Value":["true"]}]"#,
            ])
            .denies(r#"privilege "x" is not allowed"#, [r#"[{"Name":"x"}]"#]);
    }

    #[test]
    fn settings_are_listed_or_paths() {
        Table::new("plugin set", |body| inspect_set(body, &listed(), &mut Reader::new()))
            .passes([
                "[]",
                r#"["DEBUG=1","LOG_LEVEL=info","DEBUG=/etc"]"#,
                r#"["mybind.source=/allowed/x","mydev.path=/dev/fuse","foo=/allowed","foo=/dev/fuse"]"#,
                r#"["MYBIND.SOURCE = /allowed"]"#,
            ])
            .denies(r#"setting "DEBUG" is not an allowed assignment"#, [r#"["DEBUG"]"#])
            .denies(r#"setting "" is not an allowed assignment"#, [r#"[null]"#])
            .denies(r#"setting "OTHER=1" is not allowlisted"#, [r#"["DEBUG=1","OTHER=1"]"#])
            .denies(r#"setting "OTHER=/allowed" is not allowlisted"#, [r#"["OTHER=/allowed"]"#])
            .denies(r#"setting "debug=1" is not allowlisted"#, [r#"["debug=1"]"#])
            .denies(r#"setting " DEBUG=1" is not allowlisted"#, [r#"[" DEBUG=1"]"#])
            .denies(r#"setting "--cap-add=SYS_ADMIN" is not allowlisted"#, [r#"["--cap-add=SYS_ADMIN"]"#])
            .denies(r#"setting "b.source=relative" is not allowlisted"#, [r#"["b.source=relative"]"#])
            .denies(r#"setting "=/allowed" is not allowlisted"#, [r#"["=/allowed"]"#])
            .denies(
                r#"bind mount source "/etc" is not allowlisted"#,
                [r#"["b.source=/allowed/../etc"]"#, r#"["b.Source= /etc "]"#, r#"["foo=/etc"]"#],
            )
            .denies(r#"bind mount source "/allowed2" is not allowlisted"#, [r#"["b.source=/allowed2"]"#])
            .denies(
                r#"device path "/dev/mem" is not allowlisted"#,
                [r#"["d.path=/dev/mem"]"#, r#"["D.PATH=/dev/mem"]"#, r#"["foo=/dev/mem"]"#],
            )
            .denies(r#"device path "/allowed" is not allowlisted"#, [r#"["d.path=/allowed"]"#])
            .denies(UNREADABLE, ["{}", "[1,2]", r#"["DEBUG=1""#, r#""DEBUG=1""#]);
        // What lifts devices at pull does not lift them here.
        Table::new("plugin set", |body| inspect_set(body, &any_plugin(), &mut Reader::new()))
            .denies(r#"device path "/dev/mem" is not allowlisted"#, [r#"["d.path=/dev/mem"]"#])
            .denies(r#"setting "OTHER=1" is not allowlisted"#, [r#"["OTHER=1"]"#]);
    }
}
