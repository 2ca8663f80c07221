//! Which file judges a request, and what it has to be given (spec 30 §0.1, §0.2).
//!
//! Owns the table from inspector to file, the limits and subjects, and the rule for bodies of zero bytes.

use std::io::Read;

use super::archive::{ArchiveError, BeforeBody, Upload};
use super::options::Options;
use super::request::{Request, Step};
use super::{
    Outcome, build, container_archive, container_create, container_update, exec, image_load, image_pull, network, node,
    plugin, plugin_create, secret_config, service, swarm, volume,
};
use crate::endpoint::Inspector;
use crate::json::Reader;
use crate::limits::{EXEC_BODY_MAX_BYTES, INSPECTED_BODY_MAX_BYTES, SPOOLED_BODY_MAX_BYTES, SWARM_BODY_MAX_BYTES};

/// What an inspector has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Query and headers, see [`inspect_before_body`]; the body is forwarded as it comes.
    Query,
    /// Query and headers, and the body in memory.
    Body {
        /// A longer body is refused, before it is read when its length is declared.
        max_bytes: u64,
    },
    /// Query and headers first, see [`inspect_before_body`], then the body in a private file, judged where blocking is
    /// allowed, see [`inspect_archive`].
    Spool {
        /// A longer body is refused, before it is read when its length is declared.
        max_bytes: u64,
    },
    /// The Engine's answer about the exec; the body is forwarded as it comes.
    Exec,
}

/// What to give to `inspector`.
#[must_use]
pub fn needs(inspector: Inspector, options: &Options) -> Needs {
    match inspector {
        Inspector::ExecStart => Needs::Exec,
        Inspector::ImagePull => Needs::Query,
        Inspector::Build if options.build.allow_run_instructions => Needs::Query,
        Inspector::Build | Inspector::ContainerArchive | Inspector::ImageLoad | Inspector::PluginCreate => {
            Needs::Spool { max_bytes: SPOOLED_BODY_MAX_BYTES }
        }
        Inspector::ExecCreate => Needs::Body { max_bytes: EXEC_BODY_MAX_BYTES },
        Inspector::SwarmInit
        | Inspector::SwarmJoin
        | Inspector::SwarmUpdate
        | Inspector::SwarmUnlock
        | Inspector::NodeUpdate => Needs::Body { max_bytes: SWARM_BODY_MAX_BYTES },
        Inspector::ContainerCreate
        | Inspector::ContainerUpdate
        | Inspector::VolumeCreate
        | Inspector::NetworkCreate
        | Inspector::NetworkConnect
        | Inspector::NetworkDisconnect
        | Inspector::SecretCreate
        | Inspector::ConfigCreate
        | Inspector::ServiceCreate
        | Inspector::ServiceUpdate
        | Inspector::PluginPull
        | Inspector::PluginUpgrade
        | Inspector::PluginSet => Needs::Body { max_bytes: INSPECTED_BODY_MAX_BYTES },
    }
}

/// The reason that goes with [`Outcome::TooLarge`].
#[must_use]
pub fn too_large_reason(inspector: Inspector, options: &Options) -> String {
    let max_bytes = match needs(inspector, options) {
        Needs::Body { max_bytes } | Needs::Spool { max_bytes } => max_bytes,
        Needs::Query | Needs::Exec => 0,
    };
    format!("{} denied: request body exceeds {max_bytes} byte limit", subject(inspector))
}

/// What a body that is too large was for.
const fn subject(inspector: Inspector) -> &'static str {
    match inspector {
        Inspector::ContainerCreate => "container create",
        Inspector::ExecCreate | Inspector::ExecStart => "exec",
        Inspector::ContainerUpdate => "container update",
        Inspector::ContainerArchive => "container archive",
        Inspector::ImagePull => "image pull",
        Inspector::ImageLoad => "image load",
        Inspector::Build => "build",
        Inspector::VolumeCreate => "volume create",
        Inspector::NetworkCreate | Inspector::NetworkConnect | Inspector::NetworkDisconnect => "network",
        Inspector::SecretCreate => "secret create",
        Inspector::ConfigCreate => "config create",
        Inspector::ServiceCreate | Inspector::ServiceUpdate => "service",
        Inspector::SwarmInit => "swarm init",
        Inspector::SwarmJoin => "swarm join",
        Inspector::SwarmUpdate => "swarm update",
        Inspector::SwarmUnlock => "swarm unlock",
        Inspector::NodeUpdate => "node update",
        Inspector::PluginPull => "plugin pull",
        Inspector::PluginUpgrade => "plugin upgrade",
        Inspector::PluginSet => "plugin set",
        Inspector::PluginCreate => "plugin create",
    }
}

/// The memory of inspections, kept from one to the next. One per shard.
#[derive(Default)]
pub struct Scratch {
    body: Reader,
    answer: Reader,
}

/// An inspector that judges without having the body in memory.
enum Transfer {
    Build,
    ContainerArchive,
    ImagePull,
    ImageLoad,
    PluginCreate,
}

/// `None`: it is one for [`inspect`].
const fn transfer(inspector: Inspector) -> Option<Transfer> {
    match inspector {
        Inspector::Build => Some(Transfer::Build),
        Inspector::ContainerArchive => Some(Transfer::ContainerArchive),
        Inspector::ImagePull => Some(Transfer::ImagePull),
        Inspector::ImageLoad => Some(Transfer::ImageLoad),
        Inspector::PluginCreate => Some(Transfer::PluginCreate),
        Inspector::ContainerCreate
        | Inspector::ExecCreate
        | Inspector::ExecStart
        | Inspector::ContainerUpdate
        | Inspector::VolumeCreate
        | Inspector::NetworkCreate
        | Inspector::NetworkConnect
        | Inspector::NetworkDisconnect
        | Inspector::SecretCreate
        | Inspector::ConfigCreate
        | Inspector::ServiceCreate
        | Inspector::ServiceUpdate
        | Inspector::SwarmInit
        | Inspector::SwarmJoin
        | Inspector::SwarmUpdate
        | Inspector::SwarmUnlock
        | Inspector::NodeUpdate
        | Inspector::PluginPull
        | Inspector::PluginUpgrade
        | Inspector::PluginSet => None,
    }
}

/// Judges what can be judged without the body, for requests for which [`needs`] says [`Needs::Query`] or
/// [`Needs::Spool`]. Given another, it fails.
pub fn inspect_before_body(inspector: Inspector, upload: &Upload<'_>, options: &Options) -> BeforeBody {
    match transfer(inspector) {
        Some(Transfer::Build) => build::inspect_query(upload, &options.build),
        Some(Transfer::ContainerArchive) => container_archive::inspect_query(upload, &options.container_archive),
        Some(Transfer::ImagePull) => BeforeBody::Decided(image_pull::inspect(upload, &options.image_pull)),
        Some(Transfer::ImageLoad) => image_load::inspect_options(&options.image_load),
        Some(Transfer::PluginCreate) => BeforeBody::ReadBody,
        None => BeforeBody::Decided(failed(inspector)),
    }
}

/// Judges the body of a request for which [`inspect_before_body`] said [`BeforeBody::ReadBody`]. Reads it once, from its
/// beginning; may take long, and blocks as the reader does. Given another request, it fails.
///
/// # Errors
/// Why the archive cannot be inspected, for the log. The outcome is then [`Outcome::Failed`] with the inspector's
/// [`failure_reason`](Inspector::failure_reason).
pub fn inspect_archive(
    inspector: Inspector,
    upload: &Upload<'_>,
    body: &mut dyn Read,
    options: &Options,
) -> Result<Outcome, ArchiveError> {
    match transfer(inspector) {
        Some(Transfer::Build) => build::inspect_body(upload, body),
        Some(Transfer::ContainerArchive) => container_archive::inspect_body(body, &options.container_archive),
        Some(Transfer::ImageLoad) => image_load::inspect_body(body, &options.image_load),
        Some(Transfer::PluginCreate) => plugin_create::inspect_body(upload, body, &options.plugin),
        Some(Transfer::ImagePull) | None => Ok(failed(inspector)),
    }
}

fn failed(inspector: Inspector) -> Outcome {
    Outcome::Failed(inspector.failure_reason().into())
}

/// Judges a request for which [`needs`] says [`Needs::Body`] or [`Needs::Exec`]. Given another, it fails.
///
/// Allocates nothing once `scratch` has grown, unless the request is denied or the Engine has to be asked.
pub fn inspect(inspector: Inspector, request: &Request<'_>, options: &Options, scratch: &mut Scratch) -> Step {
    let body = request.body;
    let Scratch { body: reader, answer } = scratch;
    let judge = |judge: &mut dyn FnMut() -> Outcome| {
        // Without a body there is nothing to judge: the Engine validates (spec 30 §0.2).
        if body.is_empty() { Outcome::Pass } else { judge() }
    };
    Step::Judged(match inspector {
        Inspector::ContainerCreate => judge(&mut || container_create::inspect(body, options, reader)),
        Inspector::ExecCreate => judge(&mut || exec::inspect_create(body, options, reader)),
        Inspector::ExecStart => return exec::inspect_start(request.answers.first(), options, answer),
        Inspector::ContainerUpdate => judge(&mut || container_update::inspect(body, &options.container_update, reader)),
        Inspector::VolumeCreate => judge(&mut || volume::inspect(body, &options.volume, reader)),
        Inspector::NetworkCreate => judge(&mut || network::inspect_create(body, &options.network, reader)),
        Inspector::NetworkConnect => judge(&mut || network::inspect_connect(body, &options.network, reader)),
        Inspector::NetworkDisconnect => judge(&mut || network::inspect_disconnect(body, &options.network, reader)),
        Inspector::SecretCreate => judge(&mut || secret_config::inspect_secret(body, &options.secret, reader)),
        Inspector::ConfigCreate => judge(&mut || secret_config::inspect_config(body, &options.config, reader)),
        Inspector::ServiceCreate | Inspector::ServiceUpdate if body.is_empty() => Outcome::Pass,
        Inspector::ServiceCreate | Inspector::ServiceUpdate => {
            return service::inspect(request, options, reader, answer);
        }
        Inspector::SwarmInit => judge(&mut || swarm::inspect_init(body, &options.swarm, reader)),
        Inspector::SwarmJoin => judge(&mut || swarm::inspect_join(body, &options.swarm, reader)),
        // The query counts without a body, too, and unlocking is denied whatever comes with it.
        Inspector::SwarmUpdate => swarm::inspect_update(request, &options.swarm, reader),
        Inspector::SwarmUnlock => swarm::inspect_unlock(body, &options.swarm, reader),
        Inspector::NodeUpdate if body.is_empty() => Outcome::Pass,
        Inspector::NodeUpdate => return node::inspect(request, &options.node, reader, answer),
        Inspector::PluginPull => plugin::inspect_pull(request, &options.plugin, reader),
        Inspector::PluginUpgrade => plugin::inspect_upgrade(request, &options.plugin, reader),
        Inspector::PluginSet => judge(&mut || plugin::inspect_set(body, &options.plugin, reader)),
        Inspector::ContainerArchive
        | Inspector::ImagePull
        | Inspector::ImageLoad
        | Inspector::Build
        | Inspector::PluginCreate => failed(inspector),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{Answer, Question};

    fn judge(inspector: Inspector, request: &Request<'_>) -> Step {
        inspect(inspector, request, &Options::default(), &mut Scratch::default())
    }

    #[test]
    fn limits_are_those_of_the_table() {
        let mut options = Options::default();
        for (inspector, expected) in [
            (Inspector::ContainerCreate, Needs::Body { max_bytes: 1_048_576 }),
            (Inspector::ExecCreate, Needs::Body { max_bytes: 65_536 }),
            (Inspector::ExecStart, Needs::Exec),
            (Inspector::ContainerUpdate, Needs::Body { max_bytes: 1_048_576 }),
            (Inspector::ContainerArchive, Needs::Spool { max_bytes: 536_870_912 }),
            (Inspector::ImagePull, Needs::Query),
            (Inspector::ImageLoad, Needs::Spool { max_bytes: 536_870_912 }),
            (Inspector::Build, Needs::Spool { max_bytes: 536_870_912 }),
            (Inspector::SwarmUnlock, Needs::Body { max_bytes: 262_144 }),
            (Inspector::NodeUpdate, Needs::Body { max_bytes: 262_144 }),
            (Inspector::PluginSet, Needs::Body { max_bytes: 1_048_576 }),
            (Inspector::PluginCreate, Needs::Spool { max_bytes: 536_870_912 }),
        ] {
            assert_eq!(needs(inspector, &options), expected, "{inspector:?}");
        }
        options.build.allow_run_instructions = true;
        assert_eq!(needs(Inspector::Build, &options), Needs::Query, "nothing to restrict, nothing to read");
    }

    #[test]
    fn a_body_that_is_too_large_is_named_by_its_subject() {
        for (inspector, reason) in [
            (Inspector::ContainerCreate, "container create denied: request body exceeds 1048576 byte limit"),
            (Inspector::ExecCreate, "exec denied: request body exceeds 65536 byte limit"),
            (Inspector::NetworkConnect, "network denied: request body exceeds 1048576 byte limit"),
            (Inspector::ServiceUpdate, "service denied: request body exceeds 1048576 byte limit"),
            (Inspector::SwarmJoin, "swarm join denied: request body exceeds 262144 byte limit"),
            (Inspector::NodeUpdate, "node update denied: request body exceeds 262144 byte limit"),
            (Inspector::Build, "build denied: request body exceeds 536870912 byte limit"),
        ] {
            assert_eq!(too_large_reason(inspector, &Options::default()), reason);
        }
    }

    #[test]
    fn without_a_body_the_engine_validates() {
        for &inspector in Inspector::ALL {
            let step = judge(inspector, &Request::default());
            match inspector {
                Inspector::ExecStart => assert_eq!(step, Step::Ask(Question::Exec)),
                Inspector::SwarmUnlock => {
                    let reason = "swarm unlock denied: swarm unlock is not allowed";
                    assert_eq!(step, Step::Judged(Outcome::Denied(reason.into())));
                }
                _ if matches!(needs(inspector, &Options::default()), Needs::Body { .. }) => {
                    assert_eq!(step, Step::Judged(Outcome::Pass), "{inspector:?}");
                }
                _ => assert!(matches!(step, Step::Judged(Outcome::Failed(_))), "{inspector:?}"),
            }
        }
    }

    #[test]
    fn a_query_counts_without_a_body() {
        for (inspector, query) in [
            (Inspector::SwarmUpdate, &b"rotateWorkerToken=1"[..]),
            (Inspector::PluginPull, b"remote=evil.example%2Fp"),
            (Inspector::PluginUpgrade, b"remote=evil.example%2Fp"),
        ] {
            let request = Request { query, ..Request::default() };
            assert!(matches!(judge(inspector, &request), Step::Judged(Outcome::Denied(_))), "{inspector:?}");
        }
    }

    #[test]
    fn archives_are_judged_in_two_steps() {
        let upload = |query: &'static str| Upload { query: query.as_bytes(), has_body: true, ..Upload::default() };
        let before = |inspector, query| inspect_before_body(inspector, &upload(query), &Options::default());
        for (inspector, passes, denied) in
            [(Inspector::Build, "t=x", "remote=https://g/x"), (Inspector::ContainerArchive, "path=/app", "path=../etc")]
        {
            assert_eq!(before(inspector, passes), BeforeBody::ReadBody, "{inspector:?}");
            assert!(matches!(before(inspector, denied), BeforeBody::Decided(Outcome::Denied(_))), "{inspector:?}");
        }
        let pull = |query| before(Inspector::ImagePull, query);
        assert_eq!(pull("fromImage=nginx"), BeforeBody::Decided(Outcome::Pass));
        assert!(matches!(pull("fromImage=evil.example/x"), BeforeBody::Decided(Outcome::Denied(_))));
        assert_eq!(before(Inspector::ImageLoad, ""), BeforeBody::ReadBody);
        assert_eq!(before(Inspector::PluginCreate, ""), BeforeBody::ReadBody);

        let mut options = Options::default();
        options.build.allow_run_instructions = true;
        options.image_load.allow_official = false;
        let decided = |inspector| inspect_before_body(inspector, &upload(""), &options);
        assert_eq!(decided(Inspector::Build), BeforeBody::Decided(Outcome::Pass));
        assert!(matches!(decided(Inspector::ImageLoad), BeforeBody::Decided(Outcome::Denied(_))));

        for &inspector in Inspector::ALL {
            let mut body = &b"no archive at all"[..];
            let outcome = inspect_archive(inspector, &upload(""), &mut body, &Options::default());
            assert!(matches!(outcome, Err(_) | Ok(Outcome::Failed(_) | Outcome::Denied(_))), "{inspector:?}");
            if matches!(needs(inspector, &Options::default()), Needs::Body { .. } | Needs::Exec) {
                assert_eq!(before(inspector, ""), BeforeBody::Decided(failed(inspector)));
            }
        }
    }

    /// Each inspector judges the bodies that are its own: one that it denies, which the others let pass or cannot read.
    #[test]
    fn each_inspector_has_its_file() {
        for (inspector, body, reason) in [
            (
                Inspector::ContainerCreate,
                r#"{"HostConfig":{"Privileged":true}}"#,
                "container create denied: privileged",
            ),
            (Inspector::ExecCreate, r#"{"Cmd":["id"]}"#, "exec denied: no commands"),
            (Inspector::ContainerUpdate, r#"{"Memory":1}"#, "container update denied: resource"),
            (Inspector::VolumeCreate, r#"{"Driver":"nfs"}"#, "volume create denied: driver"),
            (Inspector::NetworkCreate, r#"{"Driver":"weave"}"#, "network create denied: driver"),
            (Inspector::NetworkConnect, r#"{"EndpointConfig":{"Links":["x"]}}"#, "network connect denied: endpoint"),
            (Inspector::NetworkDisconnect, r#"{"Force":true}"#, "network disconnect denied: force"),
            (Inspector::SecretCreate, r#"{"Driver":"s3"}"#, "secret create denied: driver"),
            (Inspector::ConfigCreate, r#"{"Driver":"s3"}"#, "config create denied: driver"),
            (Inspector::ServiceCreate, r#"{"Networks":[{"Target":"host"}]}"#, "service denied: host network"),
            (Inspector::ServiceUpdate, r#"{"Networks":[{"Target":"host"}]}"#, "service denied: host network"),
            (Inspector::SwarmInit, r#"{"ForceNewCluster":true}"#, "swarm init denied: force"),
            (Inspector::SwarmJoin, r#"{"RemoteAddrs":["m"]}"#, "swarm join denied: remote"),
            (Inspector::SwarmUpdate, r#"{"CAConfig":{"ForceRotate":1}}"#, "swarm update denied: signing"),
            (Inspector::SwarmUnlock, "{}", "swarm unlock denied: swarm unlock"),
            (Inspector::NodeUpdate, r#"{"Role":"manager"}"#, "node update denied: role"),
            (Inspector::PluginPull, r#"[{"Name":"mount","Value":["/"]}]"#, "plugin pull denied: bind mount"),
            (Inspector::PluginUpgrade, r#"[{"Name":"mount","Value":["/"]}]"#, "plugin upgrade denied: bind mount"),
            (Inspector::PluginSet, r#"["A=1"]"#, "plugin set denied: setting"),
        ] {
            let request = Request { body: body.as_bytes(), answers: &[Answer::NotFound], ..Request::default() };
            match judge(inspector, &request) {
                Step::Judged(Outcome::Denied(text)) => assert!(text.starts_with(reason), "{inspector:?}: {text}"),
                step => panic!("{inspector:?}: {step:?}"),
            }
        }
    }
}
