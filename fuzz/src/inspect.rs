//! Inspectors of request bodies that are held in memory (spec 30).

use std::sync::LazyLock;

use sockguard::endpoint::Inspector;
use sockguard::inspect::{Answer, Options, Outcome, Request, Scratch, Step, container_create as create};
use sockguard::json::Reader;

use super::document::{Kind, Value, read};

static DEFAULTS: LazyLock<Options> = LazyLock::new(Options::default);
static STRICT: LazyLock<Options> = LazyLock::new(|| {
    let mut options = Options::default();
    let create = &mut options.container_create;
    create.restrict_namespace_sharing = true;
    create.require_no_new_privileges = true;
    create.require_non_root_user = true;
    create.require_readonly_rootfs = true;
    create.require_drop_all_capabilities = true;
    create.require_memory_limit = true;
    create.require_cpu_limit = true;
    create.require_pids_limit = true;
    create.deny_unconfined_seccomp = true;
    create.deny_unconfined_apparmor = true;
    create.required_labels = vec!["team".to_owned()];
    options
});

/// The input is a letter for the inspector, then query, content type, the Engine's answer and body, each ended by a
/// NUL. Nothing panics, and memory that was used before changes no verdict.
pub fn inspect(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let inspector = Inspector::ALL[usize::from(*choice) % Inspector::ALL.len()];
    let mut parts = rest.splitn(4, |&byte| byte == 0);
    let [query, content_type, answer, body] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let answers = [
        &[][..],
        &[Answer::Found(answer)],
        &[Answer::NotFound],
        &[Answer::Failed],
        &[Answer::Found(answer), Answer::Found(answer), Answer::NotFound],
    ];
    let content_type = (!content_type.is_empty()).then_some(content_type);
    let mut used = Scratch::default();
    for options in [&*DEFAULTS, &*STRICT] {
        for answers in answers {
            let request = Request { query, content_type, body, answers };
            let fresh = sockguard::inspect::inspect(inspector, &request, options, &mut Scratch::default());
            assert_eq!(fresh, sockguard::inspect::inspect(inspector, &request, options, &mut used));
            if let Step::Judged(Outcome::Denied(reason) | Outcome::Failed(reason)) = &fresh {
                assert!(!reason.trim().is_empty(), "denied without a reason: {inspector:?}");
            }
        }
    }
}

/// The input is a body of `POST /containers/create`. What passes under the default options gives the container nothing
/// of the host.
pub fn container_create(data: &[u8]) {
    if data.is_empty() {
        return;
    }
    let mut reader = Reader::new();
    let outcome = create::inspect(data, &DEFAULTS, &mut reader);
    let strict = create::inspect(data, &STRICT, &mut reader);
    let shown = data.escape_ascii();
    assert!(!matches!(outcome, Outcome::TooLarge | Outcome::Failed(_)), "{outcome:?}: {shown}");
    if outcome != Outcome::Pass {
        assert_ne!(strict, Outcome::Pass, "more is demanded, and less denied: {shown}");
        return;
    }
    let Some(root) = std::str::from_utf8(data).ok().and_then(read) else { panic!("no document: {shown}") };
    let reaches = what_it_reaches(&root, data);
    assert!(reaches.is_empty(), "{reaches:?}: {shown}");
    if strict == Outcome::Pass {
        let lacks = what_it_lacks(&root, data);
        assert!(lacks.is_empty(), "{lacks:?}: {shown}");
    }
}

const HOST_MODES: [&str; 5] = ["NetworkMode", "PidMode", "IpcMode", "UsernsMode", "UTSMode"];
const LISTS: [&str; 8] =
    ["Sysctls", "VolumesFrom", "GroupAdd", "ExtraHosts", "DeviceRequests", "DeviceCgroupRules", "Devices", "CapAdd"];

fn is_true(value: Option<&Value>, text: &[u8]) -> bool {
    value.is_some_and(|value| &text[value.start..value.end] == b"true")
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    value.map(|value| value.elements().iter().filter_map(Value::text).collect()).unwrap_or_default()
}

/// What of the host the container would get (spec 30 §1, rows 1 to 17), a wrong type of an inspected field included.
fn what_it_reaches(root: &Value, text: &[u8]) -> Vec<&'static str> {
    let mut found = Vec::new();
    let Some(host) = root.field("HostConfig") else { return found };
    if !matches!(host.kind, Kind::Object(_)) {
        return vec!["HostConfig is no object"];
    }
    for name in ["Privileged", "ReadonlyRootfs"] {
        if host.field(name).is_some_and(|value| !matches!(value.kind, Kind::Bool)) {
            found.push(name);
        }
    }
    if is_true(host.field("Privileged"), text) {
        found.push("Privileged");
    }
    found.extend(HOST_MODES.iter().filter(|mode| {
        host.field(mode).is_some_and(|value| value.text().is_none_or(|mode| mode.trim().eq_ignore_ascii_case("host")))
    }));
    if host.field("CgroupParent").is_some_and(|value| value.text().is_none_or(|text| !text.trim().is_empty())) {
        found.push("CgroupParent");
    }
    for name in LISTS {
        let Some(value) = host.field(name) else { continue };
        let is_harmless = match (&value.kind, name) {
            (Kind::Object(members), "Sysctls") => members.is_empty(),
            // A blank entry adds nothing.
            (Kind::Array(elements), "CapAdd") => {
                elements.iter().all(|one| one.is_null() || one.text().is_some_and(|name| name.trim().is_empty()))
            }
            (Kind::Array(elements), "Devices") => elements.iter().all(|device| {
                device.is_null()
                    || (matches!(device.kind, Kind::Object(_))
                        && device.field("PathOnHost").is_none_or(|path| path.text() == Some("")))
            }),
            (Kind::Array(elements), _) => elements.is_empty(),
            _ => false,
        };
        if !is_harmless {
            found.push(name);
        }
    }
    if texts(host.field("Binds")).iter().any(|bind| bind.starts_with('/') && bind.contains(':')) {
        found.push("Binds");
    }
    let mounts = host.field("Mounts").map(Value::elements).unwrap_or_default();
    if mounts.iter().any(|mount| {
        let is = |name: &str| mount.field(name).and_then(Value::text).unwrap_or_default();
        is("Type").eq_ignore_ascii_case("bind") && is("Source").starts_with('/')
    }) {
        found.push("Mounts");
    }
    found
}

/// What the container would lack of what the operator demands (rows 18 to 25).
fn what_it_lacks(root: &Value, text: &[u8]) -> Vec<&'static str> {
    let null = Value { start: 0, end: 0, kind: Kind::Null };
    let host = root.field("HostConfig").unwrap_or(&null);
    let positive = |name: &str| {
        host.field(name).is_some_and(|value| {
            let number = std::str::from_utf8(&text[value.start..value.end]).ok();
            number.and_then(|number| number.parse::<i64>().ok()).is_some_and(|number| number > 0)
        })
    };
    let user = root.field("User").and_then(Value::text).unwrap_or_default();
    let user = user.split(':').next().unwrap_or_default().trim();
    let is_root = user.is_empty() || user.eq_ignore_ascii_case("root") || user.bytes().all(|digit| digit == b'0');
    let label = root.field("Labels").map(Value::members).unwrap_or_default().iter().find(|(key, _)| key == "team");
    let security = texts(host.field("SecurityOpt"));
    [
        ("a user", !is_root),
        ("a read-only root", is_true(host.field("ReadonlyRootfs"), text)),
        (
            "dropped capabilities",
            texts(host.field("CapDrop")).iter().any(|name| name.trim().eq_ignore_ascii_case("all")),
        ),
        ("a memory limit", positive("Memory")),
        ("a CPU limit", ["NanoCpus", "CpuQuota", "CpuPeriod", "CpuShares"].iter().any(|name| positive(name))),
        ("a PIDs limit", positive("PidsLimit")),
        ("a label", label.and_then(|(_, value)| value.text()).is_some_and(|value| !value.trim().is_empty())),
        ("no-new-privileges", security.iter().any(|option| option.to_lowercase().contains("no-new-privileges"))),
        ("confinement", !security.iter().any(|option| option.to_lowercase().replace(' ', "").ends_with("=unconfined"))),
    ]
    .into_iter()
    .filter_map(|(what, is_there)| (!is_there).then_some(what))
    .collect()
}
