//! Which file judges a request, and what it has to be given (spec 30 §0.1, §0.2).
//!
//! Owns the table from inspector to file, the limits and subjects, and the rule for bodies of zero bytes.

use super::options::Options;
use super::request::{Request, Step};
use super::{
    Outcome, container_create, container_update, exec, network, node, plugin, secret_config, service, swarm, volume,
};
use crate::endpoint::Inspector;
use crate::json::Reader;
use crate::limits::{EXEC_BODY_MAX_BYTES, INSPECTED_BODY_MAX_BYTES, SPOOLED_BODY_MAX_BYTES, SWARM_BODY_MAX_BYTES};

/// What an inspector has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The query; the body is forwarded as it comes.
    Query,
    /// Query and headers, and the body in memory.
    Body {
        /// A longer body is refused, before it is read when its length is declared.
        max_bytes: u64,
    },
    /// Query and headers, and the body in a private file; judged where blocking is allowed.
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

/// Judges a request for which [`needs`] says [`Needs::Body`] or [`Needs::Exec`]. Those with an archive have functions of
/// their own, for they read a file; given here, they fail.
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
        | Inspector::PluginCreate => Outcome::Failed(inspector.failure_reason().into()),
    })
}
