//! Networks: creating, connecting, disconnecting (spec 30 §9).
//!
//! Owns what a network and an endpoint may be given. The endpoints of a new container are read here too, and judged
//! with the same checks but for aliases (spec 30 §16.1).

use super::Outcome;
use super::options::NetworkOptions;
use super::reason::Quoted;
use super::stop::{Judged, NOT_INSPECTABLE, conclude, deny, deny_value, flag, has_members, integer, read, text};
use super::text::is_blank;
use crate::json::{Names, Object, Reader, TypeError, View};

/// Drivers that the Engine brings.
const DRIVERS: &[&str] = &["bridge", "host", "ipvlan", "macvlan", "none", "null", "overlay"];
/// IPAM drivers that the Engine brings.
const IPAM_DRIVERS: &[&str] = &["default", "null"];

/// Judges the body of `POST /networks/create` that is not empty.
pub fn inspect_create(body: &[u8], options: &NetworkOptions, reader: &mut Reader) -> Outcome {
    conclude(
        read(reader, body, |view| judge_create(&Network::decode(&view.object()?)?, options)),
        "network create",
        NOT_INSPECTABLE,
    )
}

/// Judges the body of `POST /networks/X/connect` that is not empty.
pub fn inspect_connect(body: &[u8], options: &NetworkOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge_connect(view, options)), "network connect", NOT_INSPECTABLE)
}

/// Judges the body of `POST /networks/X/disconnect` that is not empty.
pub fn inspect_disconnect(body: &[u8], options: &NetworkOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge_disconnect(view, options)), "network disconnect", NOT_INSPECTABLE)
}

/// The body of a create request.
struct Network<'d> {
    driver: &'d str,
    scope: &'d str,
    ingress: bool,
    attachable: bool,
    config_only: bool,
    has_config_from: bool,
    ipam_driver: &'d str,
    has_ipam_config: bool,
    has_ipam_options: bool,
    has_options: bool,
}

impl<'d> Network<'d> {
    fn decode(network: &Object<'d>) -> Result<Network<'d>, TypeError> {
        let [driver, scope, ingress, attachable, config_only, config_from, ipam, options] =
            network.fields(["Driver", "Scope", "Ingress", "Attachable", "ConfigOnly", "ConfigFrom", "IPAM", "Options"]);
        let [ipam_driver, ipam_config, ipam_options] =
            ipam.object()?.unwrap_or_default().fields(["Driver", "Config", "Options"]);
        Ok(Network {
            driver: text(driver)?,
            scope: text(scope)?,
            ingress: flag(ingress)?,
            attachable: flag(attachable)?,
            config_only: flag(config_only)?,
            has_config_from: config_from.is_present(),
            ipam_driver: text(ipam_driver)?,
            has_ipam_config: ipam_config.objects()?.next().is_some(),
            has_ipam_options: has_members(ipam_options)?,
            has_options: has_members(options)?,
        })
    }
}

fn judge_create(network: &Network<'_>, options: &NetworkOptions) -> Judged {
    if !options.allow_custom_drivers && is_custom(network.driver, DRIVERS) {
        return deny_value(format_args!("driver {} is not allowed", Quoted(network.driver)));
    }
    if !options.allow_swarm_scope && network.scope.trim().eq_ignore_ascii_case("swarm") {
        return deny("swarm scope is not allowed");
    }
    if network.ingress && !options.allow_ingress {
        return deny("ingress networks are not allowed");
    }
    if network.attachable && !options.allow_attachable {
        return deny("attachable networks are not allowed");
    }
    if network.config_only && !options.allow_config_only {
        return deny("config-only networks are not allowed");
    }
    if network.has_config_from && !options.allow_config_from {
        return deny("config-from networks are not allowed");
    }
    if !options.allow_custom_ipam_drivers && is_custom(network.ipam_driver, IPAM_DRIVERS) {
        return deny_value(format_args!("IPAM driver {} is not allowed", Quoted(network.ipam_driver)));
    }
    if network.has_ipam_config && !options.allow_custom_ipam_config {
        return deny("custom IPAM config is not allowed");
    }
    if network.has_ipam_options && !options.allow_ipam_options {
        return deny("IPAM options are not allowed");
    }
    if network.has_options && !options.allow_driver_options {
        return deny("driver options are not allowed");
    }
    Ok(())
}

/// Whether a driver is named that is none of the known ones.
fn is_custom(driver: &str, known: &[&str]) -> bool {
    !is_blank(driver) && !known.iter().any(|name| driver.trim().eq_ignore_ascii_case(name))
}

fn judge_connect(view: View<'_>, options: &NetworkOptions) -> Judged {
    let endpoint = view.object()?.field("EndpointConfig").object()?.unwrap_or_default();
    match Endpoint::decode(&endpoint)?.refusal_at_connect() {
        Some(reason) if !options.allow_endpoint_config => deny(reason),
        Some(_) | None => Ok(()),
    }
}

fn judge_disconnect(view: View<'_>, options: &NetworkOptions) -> Judged {
    let force = flag(view.object()?.field("Force"))?;
    if force && !options.allow_disconnect_force { deny("force disconnect is not allowed") } else { Ok(()) }
}

/// What an endpoint asks for beyond being connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    has_static_address: bool,
    has_mac_address: bool,
    has_aliases: bool,
    has_links: bool,
    has_driver_options: bool,
}

#[rustfmt::skip]
static ENDPOINT: Names<11> = Names::new([
    "IPAMConfig", "MacAddress", "Aliases", "Links", "DriverOpts", "Gateway", "IPAddress", "IPv6Gateway",
    "GlobalIPv6Address", "IPPrefixLen", "GlobalIPv6PrefixLen",
]);
static ENDPOINT_IPAM: Names<3> = Names::new(["IPv4Address", "IPv6Address", "LinkLocalIPs"]);

impl Endpoint {
    pub(crate) fn decode(endpoint: &Object<'_>) -> Result<Endpoint, TypeError> {
        #[rustfmt::skip]
        let [
            ipam, mac_address, aliases, links, driver_options, gateway, address, gateway6, address6, length, length6,
        ] = endpoint.fields_of(&ENDPOINT);
        let [ipv4, ipv6, link_local] = ipam.object()?.unwrap_or_default().fields_of(&ENDPOINT_IPAM);
        let mut has_static_address = !link_local.strings()?.is_empty();
        for address in [gateway, address, gateway6, address6, ipv4, ipv6] {
            has_static_address |= !is_blank(text(address)?);
        }
        for length in [length, length6] {
            has_static_address |= integer(length)? != 0;
        }
        Ok(Endpoint {
            has_static_address,
            has_mac_address: !is_blank(text(mac_address)?),
            has_aliases: !aliases.strings()?.is_empty(),
            has_links: !links.strings()?.is_empty(),
            has_driver_options: has_members(driver_options)?,
        })
    }

    /// Why an endpoint is refused when a container is connected.
    fn refusal_at_connect(self) -> Option<&'static str> {
        if self.has_static_address {
            Some("endpoint static IP configuration is not allowed")
        } else if self.has_mac_address {
            Some("endpoint MAC address is not allowed")
        } else if self.has_aliases || self.has_links {
            Some("endpoint aliases are not allowed")
        } else if self.has_driver_options {
            Some("endpoint driver options are not allowed")
        } else {
            None
        }
    }

    /// Why an endpoint is refused when a container is created: aliases pass, for there they name the container itself.
    pub(crate) fn refusal_at_create(self) -> Option<&'static str> {
        let mut endpoint = self;
        endpoint.has_aliases = false;
        if endpoint.has_links && !endpoint.has_static_address && !endpoint.has_mac_address {
            return Some("endpoint links are not allowed");
        }
        endpoint.refusal_at_connect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::{Table, UNREADABLE};

    #[test]
    fn networks_are_plain_by_default() {
        Table::new("network create", |body| inspect_create(body, &NetworkOptions::default(), &mut Reader::new()))
            .passes([
                r#"{"Name":"a"}"#,
                r#"{"Driver":"BRIDGE"}"#,
                r#"{"Driver":" "}"#,
                r#"{"Driver":"host"}"#,
                r#"{"Driver":"ipvlan"}"#,
                r#"{"Driver":"macvlan"}"#,
                r#"{"Driver":"none"}"#,
                r#"{"Driver":"null"}"#,
                r#"{"Driver":"overlay","Scope":"local"}"#,
                r#"{"IPAM":{"Driver":"default"}}"#,
                r#"{"IPAM":{"Driver":"NULL","Config":[],"Options":{}},"Options":{}}"#,
                r#"{"IPAM":null,"Options":null,"ConfigFrom":null,"Attachable":false,"Ingress":false,"ConfigOnly":false,"Scope":""}"#,
                r#"{"Name":"a","Internal":true,"EnableIPv6":true,"EnableIPv4":null,"Labels":{"x":"y"}}"#,
                "null",
            ])
            .denies(r#"driver "weave" is not allowed"#, [
                r#"{"Driver":"weave"}"#,
                r#"{"driver":"weave","Scope":"swarm"}"#,
            ])
            .denies("swarm scope is not allowed", [r#"{"Driver":"overlay","Attachable":true,"Scope":" Swarm"}"#])
            .denies("ingress networks are not allowed", [r#"{"Ingress":true,"Attachable":true}"#])
            .denies("attachable networks are not allowed", [r#"{"aTTachable":true,"ConfigOnly":true}"#])
            .denies("config-only networks are not allowed", [r#"{"ConfigOnly":true,"ConfigFrom":{}}"#])
            .denies("config-from networks are not allowed", [
                r#"{"ConfigFrom":{}}"#,
                r#"{"ConfigFrom":{"Network":"base"},"IPAM":{"Driver":"x"}}"#,
            ])
            .denies(r#"IPAM driver "infoblox" is not allowed"#, [r#"{"IPAM":{"Driver":"infoblox","Config":[{}]}}"#])
            .denies("custom IPAM config is not allowed", [
                r#"{"IPAM":{"Config":[{"Subnet":"10.9.0.0/24"}],"Options":{"a":1}}}"#,
            ])
            .denies("IPAM options are not allowed", [r#"{"IPAM":{"Options":{"a":1}},"Options":{"a":1}}"#])
            .denies("driver options are not allowed", [
                r#"{"Options":{"com.docker.network.bridge.name":"br"}}"#,
                r#"{"Options":{"a":[1]}}"#,
            ])
            .denies(UNREADABLE, [
                "[]",
                r#"{"Name":"#,
                r#"{"Driver":["bridge"]}"#,
                r#"{"Attachable":"true"}"#,
                r#"{"IPAM":[]}"#,
                r#"{"IPAM":{"Config":{}}}"#,
                r#"{"Options":[]}"#,
            ]);
    }

    #[test]
    fn each_flag_lifts_its_check_alone() {
        type Set = fn(&mut NetworkOptions);
        let cases: [(Set, &str); 10] = [
            (|o| o.allow_custom_drivers = true, r#"{"Driver":"weave"}"#),
            (|o| o.allow_swarm_scope = true, r#"{"Scope":"swarm"}"#),
            (|o| o.allow_ingress = true, r#"{"Ingress":true}"#),
            (|o| o.allow_attachable = true, r#"{"Attachable":true}"#),
            (|o| o.allow_config_only = true, r#"{"ConfigOnly":true}"#),
            (|o| o.allow_config_from = true, r#"{"ConfigFrom":{}}"#),
            (|o| o.allow_custom_ipam_drivers = true, r#"{"IPAM":{"Driver":"x"}}"#),
            (|o| o.allow_custom_ipam_config = true, r#"{"IPAM":{"Config":[{}]}}"#),
            (|o| o.allow_ipam_options = true, r#"{"IPAM":{"Options":{"a":"b"}}}"#),
            (|o| o.allow_driver_options = true, r#"{"Options":{"a":"b"}}"#),
        ];
        for (index, (set, _)) in cases.iter().enumerate() {
            let mut options = NetworkOptions::default();
            set(&mut options);
            for (other, (_, body)) in cases.iter().enumerate() {
                let outcome = inspect_create(body.as_bytes(), &options, &mut Reader::new());
                assert_eq!(outcome == Outcome::Pass, index == other, "{index} {body}");
            }
        }
    }

    #[test]
    fn endpoints_are_plain_by_default() {
        Table::new("network connect", |body| inspect_connect(body, &NetworkOptions::default(), &mut Reader::new()))
            .passes([
                r#"{"Container":"w"}"#,
                r#"{"Container":"w","EndpointConfig":{}}"#,
                r#"{"Container":"w","EndpointConfig":null}"#,
                r#"{"EndpointConfig":{"IPAMConfig":{"IPv4Address":"","LinkLocalIPs":[]},"MacAddress":" ","IPPrefixLen":0,
                    "Aliases":[],"Links":null,"DriverOpts":{},"NetworkID":"x","GwPriority":0}}"#,
            ])
            .denies("endpoint static IP configuration is not allowed", [
                r#"{"EndpointConfig":{"IPAddress":"172.30.0.10","Aliases":["a"]}}"#,
                r#"{"EndpointConfig":{"IPAMConfig":{"IPv4Address":"172.30.0.9"}}}"#,
                r#"{"EndpointConfig":{"IPAMConfig":{"IPv6Address":"fd00::9"}}}"#,
                r#"{"EndpointConfig":{"IPAMConfig":{"LinkLocalIPs":["169.254.1.1"]}}}"#,
                r#"{"EndpointConfig":{"Gateway":"172.30.0.1"}}"#,
                r#"{"EndpointConfig":{"IPv6Gateway":"fd00::1"}}"#,
                r#"{"EndpointConfig":{"GlobalIPv6Address":"fd00::8"}}"#,
                r#"{"EndpointConfig":{"IPPrefixLen":24}}"#,
                r#"{"EndpointConfig":{"GlobalIPv6PrefixLen":64}}"#,
                r#"{"endpointconfig":{"ipamconfig":{"ipv4address":"10.0.0.9"}}}"#,
            ])
            .denies("endpoint MAC address is not allowed", [
                r#"{"EndpointConfig":{"MacAddress":"02:42:ac:11:00:02","Links":["a"]}}"#,
            ])
            .denies("endpoint aliases are not allowed", [
                r#"{"EndpointConfig":{"Aliases":["db"]}}"#,
                r#"{"EndpointConfig":{"Links":["db:db"],"DriverOpts":{"a":"b"}}}"#,
            ])
            .denies("endpoint driver options are not allowed", [
                r#"{"EndpointConfig":{"DriverOpts":{"a":"b"}}}"#,
                r#"{"EndpointConfig":{"DriverOpts":{"a":1}}}"#,
            ])
            .denies(UNREADABLE, [
                r#"{"Container":"w""#,
                r#"{"EndpointConfig":[]}"#,
                r#"{"EndpointConfig":{"MacAddress":7}}"#,
                r#"{"EndpointConfig":{"Aliases":"a"}}"#,
                "[]",
            ]);
        let options = NetworkOptions { allow_endpoint_config: true, ..NetworkOptions::default() };
        Table::new("network connect", |body| inspect_connect(body, &options, &mut Reader::new()))
            .passes([r#"{"EndpointConfig":{"IPAddress":"172.30.0.10","Aliases":["a"],"DriverOpts":{"a":"b"}}}"#])
            .denies(UNREADABLE, [r#"{"EndpointConfig":"#, r#"{"EndpointConfig":{"IPAddress":1}}"#]);
    }

    #[test]
    fn disconnects_are_not_forced() {
        Table::new("network disconnect", |body| {
            inspect_disconnect(body, &NetworkOptions::default(), &mut Reader::new())
        })
        .passes([r#"{"Container":"w"}"#, r#"{"Container":"w","Force":false}"#, r#"{"Force":null}"#])
        .denies("force disconnect is not allowed", [r#"{"Container":"w","Force":true}"#, r#"{"FORCE":true}"#])
        .denies(UNREADABLE, ["{", r#"{"Force":1}"#, r#"["x"]"#]);
        let options = NetworkOptions { allow_disconnect_force: true, ..NetworkOptions::default() };
        Table::new("network disconnect", |body| inspect_disconnect(body, &options, &mut Reader::new()))
            .passes([r#"{"Container":"w","Force":true}"#])
            .denies(UNREADABLE, [r#"["x"]"#]);
    }
}
