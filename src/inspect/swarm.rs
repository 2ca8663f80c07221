//! `POST /swarm/init`, `join`, `update` and `unlock` (spec 30 §12).
//!
//! Owns what may be done to the cluster: who may be joined, whose authority signs, which tokens and keys are rotated.
//! Keys and tokens are type-checked only and appear in no reason.

use super::Outcome;
use super::options::SwarmOptions;
use super::query::{parameter, refuse_ambiguous};
use super::reason::Quoted;
use super::request::Request;
use super::stop::{Judged, NOT_INSPECTABLE, Stop, conclude, deny, deny_value, flag, integer, read, text};
use super::text::is_blank;
use crate::json::{Object, Reader, View};

/// Judges the body of `POST /swarm/init` that is not empty.
pub fn inspect_init(body: &[u8], options: &SwarmOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge_init(view, options)), "swarm init", NOT_INSPECTABLE)
}

/// Judges the body of `POST /swarm/join` that is not empty.
pub fn inspect_join(body: &[u8], options: &SwarmOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge_join(view, options)), "swarm join", NOT_INSPECTABLE)
}

/// Judges `POST /swarm/update`; the query counts even when there is no body.
pub fn inspect_update(request: &Request<'_>, options: &SwarmOptions, reader: &mut Reader) -> Outcome {
    conclude(judge_update(request, options, reader), "swarm update", NOT_INSPECTABLE)
}

/// Judges `POST /swarm/unlock`, which is denied without a body too.
pub fn inspect_unlock(body: &[u8], options: &SwarmOptions, reader: &mut Reader) -> Outcome {
    conclude(judge_unlock(body, options, reader), "swarm unlock", NOT_INSPECTABLE)
}

fn judge_init(view: View<'_>, options: &SwarmOptions) -> Judged {
    let [force_new_cluster, auto_lock_managers, spec] =
        view.object()?.fields(["ForceNewCluster", "AutoLockManagers", "Spec"]);
    let force_new_cluster = flag(force_new_cluster)?;
    let auto_lock_managers = flag(auto_lock_managers)?;
    let spec = Spec::decode(&spec.object()?.unwrap_or_default())?;
    if force_new_cluster && !options.allow_force_new_cluster {
        return deny("force-new-cluster is not allowed");
    }
    judge_authority(&spec, options)?;
    if (auto_lock_managers || spec.auto_lock_managers) && !options.allow_auto_lock_managers {
        return deny("manager autolock is not allowed");
    }
    Ok(())
}

fn judge_join(view: View<'_>, options: &SwarmOptions) -> Judged {
    let join = view.object()?;
    join.fields(["ListenAddr", "AdvertiseAddr", "DataPathAddr", "JoinToken"])
        .into_iter()
        .try_for_each(|field| text(field).map(drop))?;
    for address in join.field("RemoteAddrs").strings()?.map(str::trim).filter(|address| !address.is_empty()) {
        let is_it = |allowed: &String| allowed.trim().eq_ignore_ascii_case(address);
        if !options.allowed_join_remote_addrs.iter().any(is_it) {
            let address = address.to_lowercase();
            deny_value(format_args!("remote address {} is not allowlisted", Quoted(&address)))?;
        }
    }
    Ok(())
}

fn judge_update(request: &Request<'_>, options: &SwarmOptions, reader: &mut Reader) -> Judged {
    refuse_ambiguous(request)?;
    if !request.body.is_empty() {
        read(reader, request.body, |view| {
            let spec = Spec::decode(&view.object()?)?;
            judge_authority(&spec, options)?;
            if spec.auto_lock_managers && !options.allow_auto_lock_managers {
                return deny("manager autolock is not allowed");
            }
            Ok(())
        })?;
    }
    for (name, is_allowed, reason) in [
        ("rotateWorkerToken", options.allow_token_rotation, "worker token rotation is not allowed"),
        ("rotateManagerToken", options.allow_token_rotation, "manager token rotation is not allowed"),
        (
            "rotateManagerUnlockKey",
            options.allow_manager_unlock_key_rotation,
            "manager unlock key rotation is not allowed",
        ),
    ] {
        if is_true(parameter(request.query, name)?.as_deref().unwrap_or_default()) && !is_allowed {
            return deny(reason);
        }
    }
    Ok(())
}

fn judge_unlock(body: &[u8], options: &SwarmOptions, reader: &mut Reader) -> Judged {
    if !body.is_empty() {
        read(reader, body, |view| Ok(text(view.object()?.field("UnlockKey")).map(drop)?))?;
    }
    if options.allow_unlock { Ok(()) } else { deny("swarm unlock is not allowed") }
}

/// What the Engine takes for true, and then some: it parses `1`, `t`, `true`.
fn is_true(value: &str) -> bool {
    ["1", "t", "true", "yes", "y", "on"].iter().any(|word| value.trim().eq_ignore_ascii_case(word))
}

/// A cluster's specification.
struct Spec {
    has_external_ca: bool,
    updates_signing_ca: bool,
    auto_lock_managers: bool,
}

impl Spec {
    fn decode(spec: &Object<'_>) -> Result<Spec, Stop> {
        let [ca, encryption] = spec.fields(["CAConfig", "EncryptionConfig"]);
        let [external, certificate, key, force_rotate] =
            ca.object()?.unwrap_or_default().fields(["ExternalCAs", "SigningCACert", "SigningCAKey", "ForceRotate"]);
        let force_rotate = integer(force_rotate)?;
        if force_rotate < 0 {
            // The Engine's type has no sign.
            return Err(Stop::Unreadable);
        }
        let gives_signing_ca = !is_blank(text(certificate)?) | !is_blank(text(key)?);
        Ok(Spec {
            has_external_ca: external.objects()?.next().is_some(),
            updates_signing_ca: gives_signing_ca || force_rotate > 0,
            auto_lock_managers: flag(encryption.object()?.unwrap_or_default().field("AutoLockManagers"))?,
        })
    }
}

fn judge_authority(spec: &Spec, options: &SwarmOptions) -> Judged {
    if spec.has_external_ca && !options.allow_external_ca {
        return deny("external CAs are not allowed");
    }
    if spec.updates_signing_ca && !options.allow_signing_ca_update {
        return deny("signing CA updates are not allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::{Table, UNREADABLE};

    fn everything() -> SwarmOptions {
        SwarmOptions {
            allow_force_new_cluster: true,
            allow_external_ca: true,
            allowed_join_remote_addrs: Vec::new(),
            allow_token_rotation: true,
            allow_manager_unlock_key_rotation: true,
            allow_auto_lock_managers: true,
            allow_signing_ca_update: true,
            allow_unlock: true,
        }
    }

    #[test]
    fn a_cluster_is_made_plainly() {
        Table::new("swarm init", |body| inspect_init(body, &SwarmOptions::default(), &mut Reader::new()))
            .passes([
                r#"{"ListenAddr":"0.0.0.0:2377","AdvertiseAddr":"10.0.0.1"}"#,
                r#"{"ForceNewCluster":false,"Spec":{"CAConfig":{"ExternalCAs":[],"ForceRotate":0,"SigningCACert":""}}}"#,
                r#"{"ForceNewCluster":null,"AutoLockManagers":false,"Spec":{"CAConfig":null,
                    "EncryptionConfig":{"AutoLockManagers":false}}}"#,
                "null",
            ])
            .denies("force-new-cluster is not allowed", [
                r#"{"forceNewCluster":true,"Spec":{"CAConfig":{"ForceRotate":1}}}"#,
            ])
            .denies("external CAs are not allowed", [
                r#"{"Spec":{"CAConfig":{"ExternalCAs":[{}],"ForceRotate":1}}}"#,
                r#"{"Spec":{"CAConfig":{"ExternalCAs":[null]}}}"#,
            ])
            .denies("signing CA updates are not allowed", [
                r#"{"Spec":{"CAConfig":{"ForceRotate":1}}}"#,
                r#"{"Spec":{"CAConfig":{"SigningCACert":"PEM"}}}"#,
                r#"{"Spec":{"CAConfig":{"SigningCAKey":"PEM"}},"AutoLockManagers":true}"#,
            ])
            .denies("manager autolock is not allowed", [
                r#"{"AutoLockManagers":true}"#,
                r#"{"Spec":{"EncryptionConfig":{"AutoLockManagers":true}}}"#,
            ])
            .denies(UNREADABLE, [
                "{",
                "[]",
                r#"{"ForceNewCluster":"true"}"#,
                r#"{"Spec":{"CAConfig":{"ForceRotate":-1}}}"#,
                r#"{"Spec":{"CAConfig":{"ExternalCAs":["x"]}}}"#,
                r#"{"Spec":[]}"#,
            ]);
        Table::new("swarm init", |body| inspect_init(body, &everything(), &mut Reader::new())).passes([
            r#"{"ForceNewCluster":true,"AutoLockManagers":true,"Spec":{"CAConfig":{"ExternalCAs":[{}],"ForceRotate":1}}}"#,
        ]);
    }

    #[test]
    fn only_listed_managers_are_joined() {
        let options = SwarmOptions {
            allowed_join_remote_addrs: ["MANAGER.internal:2377", " m:2377 ", "10.0.0.7"].map(str::to_owned).to_vec(),
            ..SwarmOptions::default()
        };
        Table::new("swarm join", |body| inspect_join(body, &options, &mut Reader::new()))
            .passes([
                r#"{"RemoteAddrs":["manager.internal:2377"],"JoinToken":"SWMTKN-1-x"}"#,
                r#"{"RemoteAddrs":[" M:2377","10.0.0.7"]}"#,
                r#"{"RemoteAddrs":[]}"#,
                r#"{"RemoteAddrs":["",null," "]}"#,
                "{}",
            ])
            .denies(r#"remote address "o:2377" is not allowlisted"#, [r#"{"RemoteAddrs":["m:2377"," O:2377"]}"#])
            .denies(r#"remote address "m:2378" is not allowlisted"#, [r#"{"RemoteAddrs":["m:2378"]}"#])
            .denies(r#"remote address "m" is not allowlisted"#, [r#"{"REMOTEADDRS":["m"]}"#])
            .denies(r#"remote address "10.0.0.7:2377" is not allowlisted"#, [r#"{"RemoteAddrs":["10.0.0.7:2377"]}"#])
            .denies(UNREADABLE, ["[]", r#"{"RemoteAddrs":["m:2377"],"JoinToken":5}"#, r#"{"RemoteAddrs":"m:2377"}"#]);
    }

    #[test]
    fn updates_are_judged_by_body_and_query() {
        let inspect = |query: &str, body: &str, options: &SwarmOptions| {
            let request = Request { query: query.as_bytes(), body: body.as_bytes(), ..Request::default() };
            match inspect_update(&request, options, &mut Reader::new()) {
                Outcome::Denied(reason) => reason.into_owned(),
                outcome => format!("{outcome:?}"),
            }
        };
        const WORKER: &str = "swarm update denied: worker token rotation is not allowed";
        for (query, body, expected) in [
            ("version=2", r#"{"Raft":{"SnapshotInterval":10}}"#, "Pass"),
            ("version=2", "", "Pass"),
            ("rotateWorkerToken=0&rotateManagerToken=false&rotateManagerUnlockKey=", "{}", "Pass"),
            ("rotateworkertoken=1", "{}", "Pass"),
            ("rotateWorkerToken=1", "{}", WORKER),
            ("rotateWorkerToken=TRUE", "", WORKER),
            ("rotateWorkerToken=+yes", "{}", WORKER),
            ("rotateWorkerToken=on&rotateManagerToken=1", "{}", WORKER),
            ("rotateWorkerToken=T", "{}", WORKER),
            ("rotate%57orkerToken=y", "{}", WORKER),
            ("rotateManagerToken=true", "{}", "swarm update denied: manager token rotation is not allowed"),
            ("rotateManagerUnlockKey=1", "", "swarm update denied: manager unlock key rotation is not allowed"),
            (
                "rotateWorkerToken=0&rotateWorkerToken=1",
                "{}",
                "swarm update denied: query parameter \"rotateWorkerToken\" is repeated",
            ),
            ("a=1;rotateWorkerToken=1", "{}", "swarm update denied: query could not be inspected"),
            ("", r#"{"CAConfig":{"ExternalCAs":[{}]}}"#, "swarm update denied: external CAs are not allowed"),
            ("", r#"{"CAConfig":{"SigningCAKey":"k"}}"#, "swarm update denied: signing CA updates are not allowed"),
            (
                "rotateWorkerToken=1",
                r#"{"EncryptionConfig":{"AutoLockManagers":true}}"#,
                "swarm update denied: manager autolock is not allowed",
            ),
            ("", r#"{"EncryptionConfig":{"AutoLockManagers":false}}"#, "Pass"),
            ("rotateWorkerToken=1", "{", "swarm update denied: request body could not be inspected"),
        ] {
            assert_eq!(inspect(query, body, &SwarmOptions::default()), expected, "{query} {body}");
            let is_lifted = !expected.contains("inspected") && !expected.contains("repeated");
            assert_eq!(inspect(query, body, &everything()) == "Pass", is_lifted, "{query} {body}");
        }
        let tokens = SwarmOptions { allow_token_rotation: true, ..SwarmOptions::default() };
        assert_eq!(inspect("rotateWorkerToken=1&rotateManagerToken=1", "{}", &tokens), "Pass");
        assert_ne!(inspect("rotateManagerUnlockKey=1", "{}", &tokens), "Pass");
    }

    #[test]
    fn unlocking_is_denied_without_a_body_too() {
        Table::new("swarm unlock", |body| inspect_unlock(body, &SwarmOptions::default(), &mut Reader::new()))
            .denies("swarm unlock is not allowed", [r#"{"UnlockKey":"SWMKEY-1-x"}"#, "", "{}"])
            .denies(UNREADABLE, ["{", r#"{"UnlockKey":1}"#]);
        Table::new("swarm unlock", |body| inspect_unlock(body, &everything(), &mut Reader::new()))
            .passes([r#"{"UnlockKey":"k"}"#, ""])
            .denies(UNREADABLE, ["{"]);
    }
}
