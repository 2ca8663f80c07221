//! Every row of spec 30 §1 with its neighbour that passes.

use proptest::prelude::*;

use super::*;
use crate::inspect::capabilities::Capabilities;
use crate::inspect::devices::{DeviceCgroupRules, DeviceRequestRule};
use crate::inspect::testing::Table;

const MALFORMED: &str = "malformed JSON request body";

fn table(change: impl FnOnce(&mut Options)) -> Table<impl Fn(&[u8]) -> Outcome> {
    let mut options = Options::default();
    change(&mut options);
    Table::new("container create", move |body| inspect(body, &options, &mut Reader::new()))
}

/// What a client sends for `docker run nginx`: every field, nothing asked for.
const PLAIN: &str = r#"{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"ExposedPorts":{"80/tcp":{}},"Tty":false,
    "Env":null,"Cmd":null,"Image":"nginx","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},
    "MacAddress":"","HostConfig":{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},
    "NetworkMode":"default","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":false,
    "VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[30,120],"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],
    "DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,
    "PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"",
    "UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,
    "BlkioWeightDevice":[],"CpuPeriod":0,"CpuQuota":0,"Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,
    "MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"Ulimits":[],
    "Sysctls":null,"Mounts":null,"MaskedPaths":null,"ReadonlyPaths":null},
    "NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"",
    "DriverOpts":null,"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"",
    "GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}},"Platform":null}"#;

#[test]
fn nothing_asked_for_is_allowed() {
    table(|_| {}).passes([
        PLAIN,
        "{}",
        "null",
        r#"{"HostConfig":null,"NetworkingConfig":null,"Labels":null,"User":null}"#,
        r#"{"Privileged":true}"#,
        r#"{"Image":"x","Tty":"yes","Env":5,"HostConfig":{"ShmSize":"big","LogConfig":[]}}"#,
        r#"{"HostConfig":{"Binds":[null],"CapAdd":[null],"SecurityOpt":[null]},"Labels":{"a":null}}"#,
        r#"{"Image":"nginx:1.27","Labels":{"Foo":"1","foo":"2"},"HostConfig":{"Memory":9223372036854775807}}"#,
        r#"{"HostConfig":{"NetworkMode":"container:abc","PidMode":"container:abc","IpcMode":"shareable"}}"#,
        r#"{"HostConfig":{"SecurityOpt":["seccomp=unconfined","apparmor=unconfined","label=disable"]}}"#,
    ]);
}

/// A check, a body that it denies, a neighbour that passes, and what lifts it.
type Row = (&'static str, &'static str, &'static str, Option<fn(&mut ContainerCreateOptions)>);

/// Checks 1 to 14 and 17, in order.
const ROWS: &[Row] = &[
    (
        "privileged containers are not allowed",
        r#""Privileged":true"#,
        r#""Privileged":false"#,
        Some(|o| o.allow_privileged = true),
    ),
    (
        "host network mode is not allowed",
        r#""NetworkMode":"host""#,
        r#""NetworkMode":"bridge""#,
        Some(|o| o.allow_host_network = true),
    ),
    (
        "host PID mode is not allowed",
        r#""PidMode":" Host""#,
        r#""PidMode":"container:x""#,
        Some(|o| o.allow_host_pid = true),
    ),
    (
        "host IPC mode is not allowed",
        r#""IpcMode":"HOST""#,
        r#""IpcMode":"private""#,
        Some(|o| o.allow_host_ipc = true),
    ),
    (
        "host user namespace mode is not allowed",
        r#""UsernsMode":"host""#,
        r#""UsernsMode":"""#,
        Some(|o| o.allow_host_userns = true),
    ),
    ("setting sysctls is not allowed", r#""Sysctls":{"a":"1"}"#, r#""Sysctls":{}"#, Some(|o| o.allow_sysctls = true)),
    ("VolumesFrom is not allowed", r#""VolumesFrom":["other:ro"]"#, r#""VolumesFrom":[]"#, None),
    ("host UTS mode is not allowed", r#""UTSMode":"host""#, r#""UTSMode":"x""#, None),
    ("custom cgroup parent is not allowed", r#""CgroupParent":"/machine""#, r#""CgroupParent":"  ""#, None),
    ("supplemental group IDs are not allowed", r#""GroupAdd":["docker"]"#, r#""GroupAdd":null"#, None),
    ("ExtraHosts is not allowed", r#""ExtraHosts":["a:1.2.3.4"]"#, r#""ExtraHosts":[]"#, None),
    (
        "device requests are not allowed",
        r#""DeviceRequests":[{"Driver":"nvidia","Count":-1,"Capabilities":[["gpu"]]}]"#,
        r#""DeviceRequests":[]"#,
        Some(|o| o.allow_device_requests = true),
    ),
    (
        "device cgroup rules are not allowed",
        r#""DeviceCgroupRules":["c 1:3 rwm"]"#,
        r#""DeviceCgroupRules":[]"#,
        Some(|o| o.allow_device_cgroup_rules = true),
    ),
    (
        "device \"/dev/fuse\" is not allowlisted",
        r#""Devices":[{"PathOnHost":"/dev/fuse","CgroupPermissions":"rwm"}]"#,
        r#""Devices":[]"#,
        Some(|o| o.allow_all_devices = true),
    ),
    (
        "bind mount source \"/\" is not allowlisted",
        r#""Binds":["/:/host"]"#,
        r#""Binds":["cache:/c"]"#,
        Some(|o| o.allowed_bind_mounts = PathPrefixes::new(["/"])),
    ),
    (
        "capability \"NET_ADMIN\" is not in the allowed list",
        r#""CapAdd":["cap_net_admin"]"#,
        r#""CapAdd":[""," "]"#,
        Some(|o| o.allow_all_capabilities = true),
    ),
];

fn host_config(members: &str) -> String {
    format!(r#"{{"Image":"busybox","HostConfig":{{{members}}}}}"#)
}

#[test]
fn each_check_denies_and_its_neighbour_passes() {
    for (reason, denied, neighbour, _) in ROWS {
        table(|_| {}).passes([&host_config(neighbour)]).denies(reason, [&host_config(denied)]);
    }
}

#[test]
fn the_first_hit_decides() {
    for pair in ROWS.windows(2) {
        let [(reason, first, ..), (_, second, ..)] = pair else { unreachable!() };
        table(|_| {}).denies(reason, [&host_config(&format!("{second},{first}"))]);
    }
}

#[test]
fn each_option_lifts_its_check_alone() {
    for (index, (_, denied, _, lift)) in ROWS.iter().enumerate() {
        for (other, (reason, other_denied, ..)) in ROWS.iter().enumerate() {
            let set = |options: &mut Options| {
                if let Some(lift) = lift {
                    lift(&mut options.container_create);
                }
            };
            if index == other && lift.is_some() {
                table(set).passes([&host_config(denied)]);
            } else {
                table(set).denies(reason, [&host_config(other_denied)]);
            }
        }
    }
}

#[test]
fn listed_fields_must_have_their_types() {
    for field in ["Privileged", "ReadonlyRootfs"] {
        for value in ["1", "\"true\"", "[]"] {
            table(|_| {}).denies(MALFORMED, [&host_config(&format!("\"{field}\":{value}"))]);
        }
    }
    for field in ["NetworkMode", "PidMode", "IpcMode", "UsernsMode", "UTSMode", "CgroupParent", "VolumeDriver"] {
        for value in ["0", "false", "[]", "{}"] {
            table(|_| {}).denies(MALFORMED, [&host_config(&format!("\"{field}\":{value}"))]);
        }
    }
    for field in
        ["VolumesFrom", "GroupAdd", "ExtraHosts", "DeviceCgroupRules", "Binds", "SecurityOpt", "CapAdd", "CapDrop"]
    {
        for value in ["\"x\"", "{}", "[0]", "[[]]", "0"] {
            table(|_| {}).denies(MALFORMED, [&host_config(&format!("\"{field}\":{value}"))]);
        }
    }
    for field in ["DeviceRequests", "Devices", "Mounts"] {
        for value in ["\"x\"", "{}", "[0]", "[\"/dev/x\"]", "[[]]", "true"] {
            table(|_| {}).denies(MALFORMED, [&host_config(&format!("\"{field}\":{value}"))]);
        }
    }
    for field in ["Memory", "MemoryReservation", "NanoCpus", "CpuQuota", "CpuPeriod", "CpuShares", "PidsLimit"] {
        for value in ["\"1\"", "true", "1.0", "1e3", "9223372036854775808", "[]"] {
            table(|_| {}).denies(MALFORMED, [&host_config(&format!("\"{field}\":{value}"))]);
        }
    }
    table(|_| {}).denies(
        MALFORMED,
        [
            r#"{"HostConfig":[]}"#,
            r#"{"HostConfig":"x"}"#,
            r#"{"HostConfig":{"Sysctls":[]}}"#,
            r#"{"HostConfig":{"Sysctls":{"a":1}}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":1}]}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Options":[]}}}]}}"#,
            r#"{"HostConfig":{"Devices":[{"PathOnHost":1}]}}"#,
            r#"{"HostConfig":{"DeviceRequests":[{"Driver":1}]}}"#,
            r#"{"HostConfig":{"DeviceRequests":[{"Count":"1"}]}}"#,
            r#"{"HostConfig":{"DeviceRequests":[{"DeviceIDs":[1]}]}}"#,
            r#"{"HostConfig":{"DeviceRequests":[{"Capabilities":["gpu"]}]}}"#,
            r#"{"HostConfig":{"DeviceRequests":[{"Options":{"a":1}}]}}"#,
            r#"{"Image":5}"#,
            r#"{"User":1000}"#,
            r#"{"Labels":["a=1"]}"#,
            r#"{"Labels":{"a":1}}"#,
            r#"{"NetworkingConfig":[]}"#,
            r#"{"NetworkingConfig":{"EndpointsConfig":[]}}"#,
            r#"{"NetworkingConfig":{"EndpointsConfig":{"a":{"MacAddress":7}}}}"#,
            // Wrong types deny even where another field would have decided.
            r#"{"HostConfig":{"Privileged":true,"Memory":"1"}}"#,
            r#"{"HostConfig":{}}{"HostConfig":{"Privileged":true}}"#,
            r#"{"HostConfig":"#,
            r#"{"HostConfig":{"Privileged":true,"Privileged":false}}"#,
            "[]",
            "5",
            "   ",
        ],
    );
}

#[test]
fn keys_are_folded() {
    table(|_| {}).denies(
        "privileged containers are not allowed",
        [
            r#"{"hostconfig":{"PRIVILEGED":true}}"#,
            r#"{"HOSTCONFIG":{"pRiViLeGeD":true}}"#,
            r#"{"\u0048ostConfig":{"\u0050rivileged":true}}"#,
            "{\"Ho\u{17f}tConfig\":{\"Privileged\":true}}",
            "{\n\"HostConfig\"\n:\n{\n\"Privileged\"\n:\ntrue\n}\n}",
        ],
    );
    table(|_| {})
        .denies("host network mode is not allowed", ["{\"HostConfig\":{\"Networ\u{212a}Mode\":\"host\"}}"])
        .denies("device \"/dev/mem\" is not allowlisted", [r#"{"HostConfig":{"devices":[{"pathonhost":"/dev/mem"}]}}"#])
        .passes([r#"{"HostConfig":{"Privileged2":true,"Privileged ":true}}"#]);
}

#[test]
fn namespaces_of_others_can_be_restricted() {
    let restrict = |o: &mut Options| o.container_create.restrict_namespace_sharing = true;
    table(restrict)
        .passes([PLAIN, r#"{"HostConfig":{"NetworkMode":"container:"}}"#])
        .denies(
            "network namespace sharing with another container is not allowed",
            [r#"{"HostConfig":{"PidMode":"container:a","NetworkMode":" Container:a"}}"#],
        )
        .denies(
            "PID namespace sharing with another container is not allowed",
            [r#"{"HostConfig":{"PidMode":"container:a"}}"#],
        )
        .denies(
            "IPC namespace sharing with another container is not allowed",
            [r#"{"HostConfig":{"IpcMode":"container:a"}}"#],
        )
        .denies(
            "UTS namespace sharing with another container is not allowed",
            [r#"{"HostConfig":{"UTSMode":"container:a"}}"#],
        )
        .denies(
            "user namespace sharing with another container is not allowed",
            [r#"{"HostConfig":{"UsernsMode":"container:a"}}"#],
        );
    table(|o| {
        restrict(o);
        o.container_create.allowed_namespace_sharing_containers = vec!["vpn".to_owned()];
    })
    .passes([r#"{"HostConfig":{"NetworkMode":"container:vpn"}}"#])
    .denies(
        r#"namespace-sharing target "VPN" is not in the allowed list"#,
        [r#"{"HostConfig":{"NetworkMode":"container:VPN"}}"#],
    );
}

#[test]
fn device_requests_need_a_rule() {
    let rule = |driver: &str, sets: &[&str], most| DeviceRequestRule::new(driver, &[sets.to_vec()], most);
    table(|o| {
        o.container_create.allowed_device_requests =
            vec![rule("nvidia", &["gpu", "compute"], None), rule("amd", &["gpu"], Some(1))];
    })
    .passes([
        r#"{"HostConfig":{"DeviceRequests":[{"Driver":"Nvidia","Count":-1,"Capabilities":[["gpu"]],"Options":{"a":"b"}}]}}"#,
        r#"{"HostConfig":{"DeviceRequests":[{"Driver":"nvidia","Capabilities":[["gpu"],[]]},
            {"Driver":"amd","Count":1,"Capabilities":[["gpu"]]}]}}"#,
    ])
    .denies("device request 0 has an empty Driver field", [
        r#"{"HostConfig":{"DeviceRequests":[{"Driver":" ","Capabilities":[["gpu"]]}]}}"#,
        r#"{"HostConfig":{"DeviceRequests":[null]}}"#,
    ])
    .denies(r#"device request 1 (driver " habana") is not permitted by the allowlist"#, [
        r#"{"HostConfig":{"DeviceRequests":[{"Driver":"nvidia","Capabilities":[["gpu"]]},
            {"Driver":" habana","Capabilities":[["gpu"]]}]}}"#,
    ])
    .denies(r#"device request 0 (driver "amd") is not permitted by the allowlist"#, [
        r#"{"HostConfig":{"DeviceRequests":[{"Driver":"amd","Count":4,"Capabilities":[["gpu"]]}]}}"#,
        r#"{"HostConfig":{"DeviceRequests":[{"Driver":"amd","Count":-2,"Capabilities":[["gpu"]]}]}}"#,
        r#"{"HostConfig":{"DeviceRequests":[{"Driver":"amd","Count":1,"Capabilities":[]}]}}"#,
    ]);
}

#[test]
fn device_cgroup_rules_need_an_entry() {
    table(|o| o.container_create.allowed_device_cgroup_rules = DeviceCgroupRules::new(["c 1:3 rwm"]))
        .passes([r#"{"HostConfig":{"DeviceCgroupRules":["c  1:3  mrw"]}}"#])
        .denies(
            r#"device cgroup rule "c 1:5 rwm" is not in the allowed list"#,
            [r#"{"HostConfig":{"DeviceCgroupRules":["c 1:3 rwm","c 1:5 rwm","x"]}}"#],
        )
        .denies(r#"device cgroup rule "c 1:3" is malformed"#, [r#"{"HostConfig":{"DeviceCgroupRules":["c 1:3"]}}"#]);
}

#[test]
fn devices_and_sources_need_a_prefix() {
    let set = |o: &mut Options| {
        o.container_create.allowed_devices = PathPrefixes::new(["/dev/dri"]);
        o.container_create.allowed_bind_mounts = PathPrefixes::new(["/srv/containers"]);
    };
    table(set)
        .passes([
            r#"{"HostConfig":{"Devices":[{"PathOnHost":" /dev/dri/card0 "},{"PathOnHost":"/dev/dri/"}]}}"#,
            r#"{"HostConfig":{"Binds":["/srv/containers/a:/data:rw","cache:/c","/data",""]}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv/x/../containers"},{"Type":"volume","Source":"v"},
                {"Type":"tmpfs","Target":"/t"},{"Type":"bind","Source":"relative"}]}}"#,
        ])
        .denies(r#"device "/dev/dri/../kvm" is not allowlisted"#, [
            r#"{"HostConfig":{"Devices":[{"PathOnHost":"/dev/dri"},{"PathOnHost":"/dev/dri/../kvm"}]}}"#,
        ])
        .denies(r#"device "" is not allowlisted"#, [
            r#"{"HostConfig":{"Devices":[{}]}}"#,
            r#"{"HostConfig":{"Devices":[null]}}"#,
        ])
        .denies(r#"device "dev/dri" is not allowlisted"#, [r#"{"HostConfig":{"Devices":[{"PathOnHost":"dev/dri"}]}}"#])
        .denies(r#"bind mount source "/etc" is not allowlisted"#, [
            r#"{"HostConfig":{"Binds":["/srv/containers/../../etc:/x"]}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":"BIND","Source":"/etc"}]}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":" bind","Source":"/etc"}]}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":"bind","Source":"/srv"}],"Binds":["c:/c","//etc/.:/e:ro"]}}"#,
        ])
        .denies(r#"bind mount source "/srv/containers2" is not allowlisted"#, [
            r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"v"},{"Type":"bind","Source":"/srv/containers2"}]}}"#,
        ]);
    table(|_| {}).denies(
        r#"bind mount source "/var/run/docker.sock" is not allowlisted"#,
        [r#"{"HostConfig":{"Binds":["/var/run/docker.sock:/var/run/docker.sock"]}}"#],
    );
    // A list of devices lifts neither requests nor cgroup rules.
    table(|o| o.container_create.allow_all_devices = true)
        .denies("device requests are not allowed", [r#"{"HostConfig":{"DeviceRequests":[{"Driver":"nvidia"}]}}"#])
        .denies("device cgroup rules are not allowed", [r#"{"HostConfig":{"DeviceCgroupRules":["c 1:1 r"]}}"#]);
}

#[test]
fn mounts_are_of_known_kinds() {
    table(|_| {})
        .passes([r#"{"HostConfig":{"Mounts":[{"Type":"Image","Source":"x"},{"Type":"volume","VolumeOptions":null}]}}"#])
        .denies(r#"mount type "cluster" is not allowed"#, [r#"{"HostConfig":{"Mounts":[{"Type":"Cluster "}]}}"#])
        .denies(
            r#"mount type "" is not allowed"#,
            [r#"{"HostConfig":{"Mounts":[{"Source":"/etc"}]}}"#, r#"{"HostConfig":{"Mounts":[null]}}"#],
        );
    table(|o| o.container_create.image_trust = ImageTrust::Enforce).denies(
        r#"image mount source "evil.example/x:1" is not covered by image trust verification"#,
        [r#"{"HostConfig":{"Mounts":[{"Type":"image","Source":"evil.example/x:1","Target":"/x"}]}}"#],
    );
    table(|o| o.container_create.image_trust = ImageTrust::Warn)
        .passes([r#"{"HostConfig":{"Mounts":[{"Type":"image","Source":"evil.example/x:1","Target":"/x"}]}}"#]);
}

#[test]
fn volumes_made_on_the_way_obey_the_volume_options() {
    const BIND: &str = r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"v","Target":"/h","VolumeOptions":{"DriverConfig":
        {"Name":"local","Options":{"type":"none","o":"bind","device":"/"}}}}]}}"#;
    const NFS: &str =
        r#"{"HostConfig":{"Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Name":"nfs"}}}]}}"#;
    const DRIVER: &str = r#"{"HostConfig":{"VolumeDriver":"nfs","Binds":["v:/v"]}}"#;
    table(|_| {})
        .passes([
            r#"{"HostConfig":{"VolumeDriver":"local","Mounts":[{"Type":"volume","VolumeOptions":{"NoCopy":true,
                "DriverConfig":{"Name":"Local","Options":{}}}}]}}"#,
            r#"{"HostConfig":{"Mounts":[{"Type":"volume","VolumeOptions":{"DriverConfig":{"Name":"","Options":null}}}]}}"#,
        ])
        .denies("volume driver options are not allowed", [BIND])
        .denies(r#"volume driver "nfs" is not allowed"#, [NFS, DRIVER]);
    table(|o| o.volume.allow_driver_opts = true)
        .passes([BIND])
        .denies(r#"volume driver "nfs" is not allowed"#, [NFS, DRIVER]);
    table(|o| o.volume.allow_custom_drivers = true)
        .passes([NFS, DRIVER])
        .denies("volume driver options are not allowed", [BIND]);
}

#[test]
fn endpoints_are_plain_but_for_aliases() {
    let endpoints = |endpoints: &str| format!(r#"{{"NetworkingConfig":{{"EndpointsConfig":{endpoints}}}}}"#);
    const STATIC: &str = "endpoint static IP configuration is not allowed";
    const MAC: &str = "endpoint MAC address is not allowed";
    const LINKS: &str = "endpoint links are not allowed";
    const OPTIONS: &str = "endpoint driver options are not allowed";
    for passes in [
        r#"{"a":{"Aliases":["web","web-1"],"IPAMConfig":null,"Links":null,"MacAddress":"","DriverOpts":null}}"#,
        r#"{"a":{}}"#,
        r#"{"a":null}"#,
        r#"{"a":{"IPAMConfig":{}},"A":{"Aliases":["x"]}}"#,
        "{}",
        "null",
    ] {
        table(|_| {}).passes([&endpoints(passes)]);
    }
    for (reason, denied) in [
        (STATIC, r#"{"a":{"IPAMConfig":{"IPv4Address":"10.0.0.9"}}}"#),
        (STATIC, r#"{"a":{"ipamconfig":{"ipv6address":"fd00::9"}}}"#),
        (STATIC, r#"{"a":{"IPAMConfig":{"LinkLocalIPs":["169.254.1.1"]}}}"#),
        (STATIC, r#"{"a":{},"b":{"IPAddress":"10.0.0.9","Links":["x"]}}"#),
        (MAC, r#"{"a":{"MacAddress":"02:42:ac:11:00:09","Links":["x"]}}"#),
        (LINKS, r#"{"a":{"Links":["db:db"],"DriverOpts":{"a":"b"},"Aliases":["x"]}}"#),
        (OPTIONS, r#"{"a":{"DriverOpts":{"a":"b"},"Aliases":["x"]}}"#),
        // The network whose name comes first decides.
        (OPTIONS, r#"{"b":{"MacAddress":"x"},"a":{"DriverOpts":{"a":"b"}}}"#),
    ] {
        table(|_| {}).denies(reason, [&endpoints(denied)]);
        table(|o| o.network.allow_endpoint_config = true).passes([&endpoints(denied)]);
    }
    table(|_| {}).denies("container MAC address is not allowed", [r#"{"MacAddress":"02:42:ac:11:00:09"}"#]);
    table(|o| o.network.allow_endpoint_config = true).passes([r#"{"MacAddress":"02:42:ac:11:00:09"}"#]);
    table(|_| {}).denies("host network mode is not allowed", [&endpoints(r#"{"host":{}}"#)]);
    table(|o| o.container_create.allow_host_network = true).passes([&endpoints(r#"{"host":{}}"#)]);
}

#[test]
fn capabilities_need_an_entry() {
    table(|o| o.container_create.allowed_capabilities = Capabilities::new(["NET_ADMIN", "cap_chown"]))
        .passes([r#"{"HostConfig":{"CapAdd":["NET_ADMIN"," cap_net_admin ","CHOWN"]}}"#])
        .denies(
            r#"capability "SYS_MODULE" is not in the allowed list"#,
            [r#"{"HostConfig":{"CapAdd":["NET_ADMIN","sys_module"]}}"#],
        )
        .denies(r#"capability "ALL" is not in the allowed list"#, [r#"{"HostConfig":{"CapAdd":["CAP_ALL"]}}"#])
        .denies(
            r#"capability "CAP_NET_ADMIN" is not in the allowed list"#,
            [r#"{"HostConfig":{"CapAdd":["CAP_CAP_NET_ADMIN"]}}"#],
        )
        .denies(r#"capability "NET" is not in the allowed list"#, [r#"{"HostConfig":{"CapAdd":["NET"]}}"#]);
}

/// A body that meets every requirement.
const HARDENED: &str = r#"{"User":"1000:1000","Labels":{"team":"a","com.example/env":"prod"},"HostConfig":{
    "SecurityOpt":["no-new-privileges:true"],"ReadonlyRootfs":true,"CapDrop":["net_raw"," all "],"Memory":67108864,
    "NanoCpus":500000000,"PidsLimit":100}}"#;

fn harden(options: &mut Options) {
    let create = &mut options.container_create;
    create.require_no_new_privileges = true;
    create.require_non_root_user = true;
    create.require_readonly_rootfs = true;
    create.require_drop_all_capabilities = true;
    create.require_memory_limit = true;
    create.require_cpu_limit = true;
    create.require_pids_limit = true;
    create.required_labels = vec!["team".to_owned(), "com.example/env".to_owned()];
}

#[test]
fn requirements_are_met_in_order() {
    const NNP: &str =
        "no-new-privileges is required (set HostConfig.SecurityOpt to include \"no-new-privileges:true\")";
    const CPU: &str = "a CPU limit is required (set HostConfig.NanoCpus, CpuQuota, CpuPeriod, or CpuShares)";
    const PIDS: &str = "a PIDs limit is required (set HostConfig.PidsLimit to a positive value)";
    const MEMORY: &str = "a memory limit is required (set HostConfig.Memory)";
    const USER: &str = "non-root user is required (set Config.User to a non-zero UID or non-root username)";
    const DROP: &str = "HostConfig.CapDrop must include \"ALL\"";
    const ROOTFS: &str = "read-only root filesystem is required (set HostConfig.ReadonlyRootfs to true)";
    table(harden).passes([HARDENED]).denies(NNP, ["{}", "null"]);
    for (from, to, reason) in [
        ("\"no-new-privileges:true\"", "", NNP),
        ("no-new-privileges:true", "no-new-privileges:false", NNP),
        ("no-new-privileges:true\"", "no-new-privileges\",\"no-new-privileges=false\"", NNP),
        ("1000:1000", "", USER),
        ("1000:1000", "root:staff", USER),
        ("1000:1000", "0000", USER),
        ("\"ReadonlyRootfs\":true", "\"ReadonlyRootfs\":false", ROOTFS),
        (" all ", "CAP_ALL", DROP),
        ("\"Memory\":67108864", "\"MemoryReservation\":67108864", MEMORY),
        ("\"Memory\":67108864", "\"Memory\":-1", MEMORY),
        ("\"NanoCpus\":500000000", "\"NanoCpus\":0,\"CpuQuota\":-1", CPU),
        ("\"PidsLimit\":100", "\"PidsLimit\":null", PIDS),
        ("\"PidsLimit\":100", "\"PidsLimit\":0", PIDS),
        ("\"PidsLimit\":100", "\"PidsLimit\":-1", PIDS),
        ("\"team\":\"a\"", "\"team\":\" \"", "required label \"team\" is missing or empty"),
        ("\"team\":\"a\"", "\"Team\":\"a\"", "required label \"team\" is missing or empty"),
        ("com.example/env", "x", "required label \"com.example/env\" is missing or empty"),
    ] {
        let body = HARDENED.replace(from, to);
        assert_ne!(body, HARDENED);
        table(harden).denies(reason, [&body]);
        table(|_| {}).passes([&body]);
    }
    for (from, to) in [
        ("\"NanoCpus\":500000000", "\"CpuQuota\":50000"),
        ("\"NanoCpus\":500000000", "\"CpuPeriod\":100000"),
        ("\"NanoCpus\":500000000", "\"CpuShares\":1"),
        ("1000:1000", "app"),
        ("1000:1000", "1000:0"),
        ("no-new-privileges:true\"", "label=type:x\",\"No-New-Privileges\""),
    ] {
        table(harden).passes([&HARDENED.replace(from, to)]);
    }
}

#[test]
fn profiles_are_judged_before_capabilities() {
    let set = |o: &mut Options| {
        o.container_create.allowed_seccomp_profiles = vec!["runtime/default".to_owned()];
        o.container_create.deny_unconfined_apparmor = true;
    };
    table(set)
        .passes([r#"{"HostConfig":{"SecurityOpt":["seccomp=runtime/default"]}}"#])
        .denies(
            "a seccomp profile is required (set HostConfig.SecurityOpt to include seccomp=<profile>)",
            [r#"{"HostConfig":{"CapAdd":["X"]}}"#],
        )
        .denies(
            "unconfined apparmor profile is not allowed",
            [r#"{"HostConfig":{"SecurityOpt":["seccomp=runtime/default","apparmor:UNCONFINED"],"CapAdd":["X"]}}"#],
        );
}

#[test]
fn hostile_bodies_are_refused_in_time() {
    let many = format!(r#"{{"HostConfig":{{{}"Privileged":true}}}}"#, "\"a\":0,".repeat(150_000));
    table(|_| {}).denies(MALFORMED, [&many]);
    let keys: String = (0..70_000).map(|index| format!("\"k{index}\":0,")).collect();
    table(|_| {})
        .denies("privileged containers are not allowed", [&format!(r#"{{"HostConfig":{{{keys}"Privileged":true}}}}"#)]);
    table(|_| {}).denies(MALFORMED, [&"{\"HostConfig\":".repeat(70_000)]);
    let binds = format!(r#"{{"HostConfig":{{"Binds":[{}"/etc:/e"]}}}}"#, "\"v:/v\",".repeat(100_000));
    table(|_| {}).denies("bind mount source \"/etc\" is not allowlisted", [&binds]);
}

proptest! {
    /// Whatever else the body holds, in whatever order and spelling: the first check with a hit decides.
    #[test]
    fn fields_do_not_hide_each_other(
        choices in prop::collection::vec(0..3_u8, ROWS.len()),
        order in Just((0..ROWS.len()).collect::<Vec<_>>()).prop_shuffle(),
        capitals in any::<u32>(),
    ) {
        let respell = |member: &str| -> String {
            let (key, value) = member.split_once(':').expect("a key and a value");
            let letters = key.chars().enumerate().map(|(index, letter)| match (capitals >> (index % 32)) & 1 {
                0 => letter.to_ascii_lowercase(),
                _ => letter.to_ascii_uppercase(),
            });
            format!("{}:{value}", letters.collect::<String>())
        };
        let members: Vec<String> = order
            .iter()
            .filter_map(|&index| match choices[index] {
                0 => None,
                1 => Some(respell(ROWS[index].2)),
                _ => Some(respell(ROWS[index].1)),
            })
            .collect();
        let body = format!(r#"{{"Image":"x","hostconfig":{{{}}}}}"#, members.join(","));
        let hit = choices.iter().position(|&choice| choice == 2);
        let expected = match hit {
            Some(index) => Outcome::Denied(format!("container create denied: {}", ROWS[index].0).into()),
            None => Outcome::Pass,
        };
        prop_assert_eq!(inspect(body.as_bytes(), &Options::default(), &mut Reader::new()), expected, "{}", body);
    }

    /// A body that was damaged anywhere is judged all the same, without a panic, and never passes when it is no JSON.
    #[test]
    fn damaged_bodies_do_not_panic(at in 0..PLAIN.len(), byte in any::<u8>(), cut in 0..PLAIN.len()) {
        let mut body = PLAIN.as_bytes().to_vec();
        body[at] = byte;
        let is_json = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
        let outcome = inspect(&body, &Options::default(), &mut Reader::new());
        prop_assert!(is_json || outcome != Outcome::Pass);
        body.truncate(cut);
        prop_assert_ne!(inspect(&body, &Options::default(), &mut Reader::new()), Outcome::Pass);
    }
}
