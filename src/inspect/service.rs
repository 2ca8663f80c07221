//! `POST /services/create` and `/services/X/update`: networks, mounts and images of a service (spec 30 §11).
//!
//! Owns the checks, which both share. A service names networks by name or id; whether an id is the host network's only
//! the Engine knows, so it is asked about every network that is not `host` by name (spec 30 §15 gap 16).

use super::Outcome;
use super::container_create::{Mount, judge_mount_driver, judge_source};
use super::options::{Options, ServiceOptions};
use super::paths::clean_absolute;
use super::plugin;
use super::reason::Quoted;
use super::reference::RegistryRules;
use super::request::{Answer, Question, Request, Step};
use super::stop::{Judged, NOT_INSPECTABLE, Stop, conclude, deny, deny_value, read, text};
use super::text::is_host;
use crate::endpoint::Inspector;
use crate::json::{Field, Object, Reader, TypeError, View};
use crate::limits::SERVICE_NETWORK_LOOKUPS_MAX;

const HOST_NETWORK: &str = "host network is not allowed";

/// Judges a body that is not empty. `answers` reads the Engine's answers.
pub fn inspect(request: &Request<'_>, options: &Options, reader: &mut Reader, answers: &mut Reader) -> Step {
    let networks = match read(reader, request.body, |view| judge(&Spec::decode(&view.object()?)?, options)) {
        Err(stop) => return Step::Judged(conclude(Err(stop), "service", NOT_INSPECTABLE)),
        Ok(networks) => networks,
    };
    if networks.is_empty() {
        return Step::Judged(Outcome::Pass);
    }
    let failed = Step::Judged(Outcome::Failed(Inspector::ServiceCreate.failure_reason().into()));
    if networks.len() > SERVICE_NETWORK_LOOKUPS_MAX {
        return failed;
    }
    if request.answers.is_empty() {
        return Step::Ask(Question::Networks(networks));
    }
    if request.answers.len() != networks.len() {
        return failed;
    }
    for answer in request.answers {
        let is_host_network = match answer {
            Answer::Found(network) => match answers.read(network, is_host_network) {
                Ok(Ok(is_host_network)) => is_host_network,
                Ok(Err(_)) | Err(_) => return failed,
            },
            // The swarm may know an id that this endpoint does not.
            Answer::NotFound => true,
            Answer::Failed => return failed,
        };
        if is_host_network {
            return Step::Judged(conclude(deny(HOST_NETWORK), "service", NOT_INSPECTABLE));
        }
    }
    Step::Judged(Outcome::Pass)
}

/// Whether the Engine's answer about a network describes the host's.
fn is_host_network(view: View<'_>) -> Result<bool, TypeError> {
    let [name, driver] = view.object()?.fields(["Name", "Driver"]);
    Ok(is_host(text(name)?) | is_host(text(driver)?))
}

/// A service, as far as it is inspected.
struct Spec<'d> {
    /// Each decodable by [`target`].
    networks: Field<'d>,
    task_networks: Field<'d>,
    image: &'d str,
    /// Each decodable as a [`Mount`].
    mounts: Field<'d>,
    plugin: Option<Object<'d>>,
}

impl<'d> Spec<'d> {
    fn decode(spec: &Object<'d>) -> Result<Spec<'d>, TypeError> {
        let [networks, task] = spec.fields(["Networks", "TaskTemplate"]);
        let [task_networks, container, plugin] =
            task.object()?.unwrap_or_default().fields(["Networks", "ContainerSpec", "PluginSpec"]);
        let [image, mounts] = container.object()?.unwrap_or_default().fields(["Image", "Mounts"]);
        for attachment in networks.objects()?.chain(task_networks.objects()?) {
            target(&attachment)?;
        }
        mounts.objects()?.try_for_each(|mount| Mount::decode(&mount).map(drop))?;
        Ok(Spec { networks, task_networks, image: text(image)?, mounts, plugin: plugin.object()? })
    }
}

/// The `Target` of a network attachment.
fn target<'d>(attachment: &Object<'d>) -> Result<&'d str, TypeError> {
    text(attachment.field("Target"))
}

/// Judges what the body says; the networks that the Engine has to be asked about.
fn judge(spec: &Spec<'_>, options: &Options) -> Result<Vec<String>, Stop> {
    let service = &options.service;
    let mut networks: Vec<String> = Vec::new();
    if !service.allow_host_network {
        for attachment in spec.networks.objects()?.chain(spec.task_networks.objects()?) {
            let network = target(&attachment)?;
            if is_host(network) {
                deny(HOST_NETWORK)?;
            }
            // One more than may be looked up is enough to know that there are too many.
            let is_new = !network.trim().is_empty() && !networks.iter().any(|known| known == network);
            if is_new && networks.len() <= SERVICE_NETWORK_LOOKUPS_MAX {
                networks.push(network.to_owned());
            }
        }
    }
    let registries = registries(service);
    for mount in spec.mounts.objects()? {
        judge_mount(&Mount::decode(&mount)?, options, &registries)?;
    }
    registries.require(spec.image.trim())?;
    if let Some(plugin) = &spec.plugin {
        judge_plugin(plugin, options)?;
    }
    Ok(networks)
}

fn registries(service: &ServiceOptions) -> RegistryRules<'_> {
    let ServiceOptions { allow_all_registries, allow_official, ref allowed_registries, .. } = *service;
    RegistryRules { allow_all_registries, allow_official, allowed_registries }
}

fn judge_mount(mount: &Mount<'_>, options: &Options, registries: &RegistryRules<'_>) -> Judged {
    let kind = mount.kind.trim();
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    // Where a mount of a service has no type, the Engine takes its first one, which is bind.
    if kind.is_empty() || is("bind") {
        return judge_source(clean_absolute(mount.source), &options.service.allowed_bind_mounts);
    }
    if is("image") {
        return registries.require(mount.source.trim());
    }
    // A kind that nobody here knows is a way in that nobody here has looked at (field report 50).
    if !["volume", "tmpfs", "cluster"].into_iter().any(is) {
        return deny_value(format_args!("mount type {} is not allowed", Quoted(&kind.to_lowercase())));
    }
    judge_mount_driver(mount, &options.volume)
}

/// A plugin that the service installs on every node, by the rules for plugins.
fn judge_plugin(spec: &Object<'_>, options: &Options) -> Judged {
    let [remote, environment] = spec.fields(["Remote", "Env"]);
    plugin::judge_origin(text(remote)?, &options.plugin)?;
    for privileges in spec.fields(["Privileges", "PluginPrivilege", "PluginPrivileges"]) {
        plugin::judge_privileges(privileges, &options.plugin)?;
    }
    plugin::judge_settings(environment.strings()?, &options.plugin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::paths::PathPrefixes;
    use crate::inspect::testing::{Table, UNREADABLE};

    /// Judged after every network was found to be one of the swarm's.
    fn inspect_found(body: &[u8], options: &Options) -> Outcome {
        let request = Request { body, ..Request::default() };
        let answers = match inspect(&request, options, &mut Reader::new(), &mut Reader::new()) {
            Step::Judged(outcome) => return outcome,
            Step::Ask(Question::Networks(names)) => {
                vec![Answer::Found(br#"{"Name":"x","Driver":"overlay"}"#); names.len()]
            }
            Step::Ask(question) => panic!("{question:?}"),
        };
        let request = Request { body, answers: &answers, ..Request::default() };
        match inspect(&request, options, &mut Reader::new(), &mut Reader::new()) {
            Step::Judged(outcome) => outcome,
            Step::Ask(question) => panic!("{question:?}"),
        }
    }

    fn table(change: fn(&mut Options)) -> Table<impl Fn(&[u8]) -> Outcome> {
        let mut options = Options::default();
        change(&mut options);
        Table::new("service", move |body| inspect_found(body, &options))
    }

    #[test]
    fn services_are_plain_by_default() {
        table(|_| {})
            .passes([
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"nginx:1.27"}}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":""},"PluginSpec":null,"Networks":null},"Networks":null}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"ghcr.io//x"}}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"nginx"},"Networks":[{"Target":"back"}]},"Networks":[{"Target":"front"}]}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"volume","Source":"v"},{"Type":"tmpfs"},{"Type":"Cluster"},
                    {"Type":"image","Source":"nginx"},{"Type":"bind","Source":"relative"}]}}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"docker.io/library/nginx@sha256:abc","Mounts":null}}}"#,
                "{}",
                "null",
            ])
            .denies(HOST_NETWORK, [
                r#"{"Networks":[{"Target":"HOST"}]}"#,
                r#"{"TaskTemplate":{"Networks":[{"Target":" host"}]}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"ghcr.io/a/b"}},"networks":[{"Target":"front"},{"target":"host"}]}"#,
            ])
            .denies(r#"bind mount source "/host" is not allowlisted"#, [
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"ghcr.io/a/b","Mounts":[{"Type":"bind","Source":"/host"}]}}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"volume","Source":"v"},{"Type":"BIND","Source":"/host/."}]}}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Source":"/host","Target":"/h"}]}}}"#,
            ])
            .denies(r#"registry "ghcr.io" is not allowlisted"#, [
                r#"{"taskTemplate":{"containerSpec":{"image":" ghcr.io/a/b"}}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"nginx","Mounts":[{"Type":"image","Source":"ghcr.io/a/b"}]}}}"#,
            ])
            .denies(r#"registry "docker.io" is not allowlisted"#, [r#"{"TaskTemplate":{"ContainerSpec":{"Image":"acme/app:1"}}}"#])
            .denies(r#"mount type "npipe" is not allowed"#, [r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"npipe"}]}}}"#])
            .denies(UNREADABLE, [
                r#"{"TaskTemplate":"#,
                "[]",
                r#"{"Networks":{"Target":"x"}}"#,
                r#"{"Networks":["host"]}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":5}}}"#,
                r#"{"TaskTemplate":{"ContainerSpec":{"Image":"ghcr.io/a/b"},"Networks":[{"Target":1}]}}"#,
                r#"{"Networks":[],"networks":[{"Target":"host"}]}"#,
            ]);
    }

    #[test]
    fn options_widen() {
        table(|o| {
            o.service.allowed_bind_mounts = PathPrefixes::new(["/srv/services"]);
            o.service.allowed_registries = vec!["ghcr.io".to_owned()];
        })
        .passes([
            r#"{"TaskTemplate":{"ContainerSpec":{"Image":"nginx","Mounts":[{"Type":"bind","Source":"/srv/services/a"}]}}}"#,
            r#"{"TaskTemplate":{"ContainerSpec":{"Image":"ghcr.io/a/b:1"}}}"#,
        ])
        .denies(r#"bind mount source "/srv/servicesx" is not allowlisted"#, [
            r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/srv/servicesx"}]}}}"#,
        ])
        .denies(r#"registry "quay.io" is not allowlisted"#, [r#"{"TaskTemplate":{"ContainerSpec":{"Image":"quay.io/a/b"}}}"#]);
        table(|o| o.service.allow_host_network = true)
            .passes([
                r#"{"TaskTemplate":{"Networks":[{"Target":"host"}]},"Networks":[{"Target":"host"},{"Target":"x"}]}"#,
            ])
            .denies(
                r#"bind mount source "/x" is not allowlisted"#,
                [r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"bind","Source":"/x"}]}}}"#],
            );
        table(|o| o.service.allow_all_registries = true)
            .passes([r#"{"TaskTemplate":{"ContainerSpec":{"Image":"evil.example/x"}}}"#]);
        table(|o| o.service.allow_official = false).denies(
            r#"registry "docker.io" is not allowlisted"#,
            [r#"{"TaskTemplate":{"ContainerSpec":{"Image":"nginx"}}}"#],
        );
    }

    #[test]
    fn volumes_and_plugins_obey_their_own_options() {
        table(|_| {})
            .denies("volume driver options are not allowed", [
                r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":
                    {"Options":{"type":"none","o":"bind","device":"/"}}}}]}}}"#,
            ])
            .passes([r#"{"TaskTemplate":{"PluginSpec":{"Name":"p","Remote":"sample","Privileges":[],"Env":null}}}"#])
            .denies(r#"registry "evil.example" is not allowlisted"#, [
                r#"{"TaskTemplate":{"PluginSpec":{"Remote":"evil.example/p"}}}"#,
            ])
            .denies("host network is not allowed", [
                r#"{"TaskTemplate":{"PluginSpec":{"Remote":"p","Privileges":[{"Name":"network","Value":["host"]}]}}}"#,
            ])
            .denies(r#"setting "A=1" is not allowlisted"#, [r#"{"TaskTemplate":{"PluginSpec":{"Env":["A=1"]}}}"#])
            .denies(UNREADABLE, [r#"{"TaskTemplate":{"PluginSpec":"p"}}"#]);
        table(|o| {
            o.plugin.allow_all_registries = true;
            o.volume.allow_driver_opts = true;
        })
        .passes([
            r#"{"TaskTemplate":{"PluginSpec":{"Remote":"evil.example/p"}}}"#,
            r#"{"TaskTemplate":{"ContainerSpec":{"Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":{"a":"b"}}}}]}}}"#,
        ]);
    }

    #[test]
    fn networks_are_looked_up() {
        let body = br#"{"Networks":[{"Target":"a"},{"Target":"b"},{"Target":" "}],"TaskTemplate":{"Networks":[{"Target":"a"}]}}"#;
        let judge = |answers: &[Answer<'_>]| {
            let request = Request { body, answers, ..Request::default() };
            inspect(&request, &Options::default(), &mut Reader::new(), &mut Reader::new())
        };
        let question = Question::Networks(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(judge(&[]), Step::Ask(question));
        let overlay = Answer::Found(br#"{"Name":"b","Driver":"overlay","Labels":{"x":"1"}}"#);
        let denied = Step::Judged(Outcome::Denied("service denied: host network is not allowed".into()));
        let failed = Step::Judged(Outcome::Failed("unable to inspect service request body".into()));
        assert_eq!(judge(&[overlay, overlay]), Step::Judged(Outcome::Pass));
        assert_eq!(judge(&[overlay, Answer::Found(b"{}")]), Step::Judged(Outcome::Pass));
        assert_eq!(judge(&[overlay, Answer::Found(br#"{"Name":"host","Driver":"host"}"#)]), denied);
        assert_eq!(judge(&[Answer::Found(br#"{"Name":"x","Driver":"host"}"#), overlay]), denied);
        assert_eq!(judge(&[overlay, Answer::NotFound]), denied);
        assert_eq!(judge(&[overlay, Answer::Failed]), failed);
        assert_eq!(judge(&[overlay, Answer::Found(b"<html>")]), failed);
        assert_eq!(judge(&[overlay]), failed);

        let many: String = (0..=SERVICE_NETWORK_LOOKUPS_MAX).map(|n| format!(r#"{{"Target":"n{n}"}},"#)).collect();
        let body = format!(r#"{{"Networks":[{many}null]}}"#);
        let request = Request { body: body.as_bytes(), ..Request::default() };
        assert_eq!(inspect(&request, &Options::default(), &mut Reader::new(), &mut Reader::new()), failed);
    }
}
