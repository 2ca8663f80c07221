//! `POST /containers/X/update`: what may be changed on a container that exists (spec 30 §3).
//!
//! Owns the table of keys. Real clients send the whole document with every update, so a key counts by what it asks for,
//! not by being there.

use super::Outcome;
use super::options::ContainerUpdateOptions;
use super::stop::{Judged, NOT_INSPECTABLE, conclude, deny, read};
use crate::json::{Field, Object, Reader, View};

/// Judges a body that is not empty.
pub fn inspect(body: &[u8], options: &ContainerUpdateOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge(view, options)), "container update", NOT_INSPECTABLE)
}

fn judge(view: View<'_>, options: &ContainerUpdateOptions) -> Judged {
    let root = view.object()?;
    let mut changes = Changes::default();
    changes.collect(&root);
    let [host_config, resources] = root.fields(["HostConfig", "Resources"]);
    changes.collect_resources(resources);
    if let Ok(Some(host_config)) = host_config.object() {
        changes.collect(&host_config);
        changes.collect_resources(host_config.field("Resources"));
    }
    if changes.privileged && !options.allow_privileged {
        return deny("privileged mode changes are not allowed");
    }
    if changes.devices && !options.allow_all_devices {
        return deny("device changes are not allowed");
    }
    if changes.capabilities && !options.allow_capabilities {
        return deny("capability changes are not allowed");
    }
    if changes.restart_policy && !options.allow_restart_policy {
        return deny("restart policy changes are not allowed");
    }
    if changes.resources && !options.allow_resource_updates {
        return deny("resource control changes are not allowed");
    }
    Ok(())
}

/// Which kinds of change a body asks for, wherever in it.
#[derive(Default)]
struct Changes {
    privileged: bool,
    devices: bool,
    capabilities: bool,
    restart_policy: bool,
    resources: bool,
}

impl Changes {
    /// Searches one object. The Engine embeds one in the other, so that a key counts in each.
    fn collect(&mut self, object: &Object<'_>) {
        let asks = |field: Field<'_>| !field.is_zero();
        self.privileged |= asks(object.field("Privileged"));
        self.devices |= object.fields(DEVICES).into_iter().any(asks);
        self.capabilities |= object.fields(CAPABILITIES).into_iter().any(asks);
        self.restart_policy |= sets_restart_policy(object.field("RestartPolicy"));
        self.resources |= object.fields(RESOURCES).into_iter().any(asks);
        self.resources |= object.fields(RESOURCE_POINTERS).into_iter().any(Field::is_present);
    }

    /// Searches `Resources` when it is an object. Of another form it is a change, for we do not know what it asks.
    fn collect_resources(&mut self, field: Field<'_>) {
        match field.object() {
            Ok(Some(resources)) => {
                self.collect(&resources);
                self.resources |= !resources.field("Resources").is_zero();
            }
            Ok(None) => {}
            Err(_) => self.resources |= !field.is_zero(),
        }
    }
}

const DEVICES: [&str; 3] = ["Devices", "DeviceCgroupRules", "DeviceRequests"];
const CAPABILITIES: [&str; 5] = ["CapAdd", "CapDrop", "Capabilities", "NoNewPrivileges", "SecurityOpt"];
/// Pointers in the Engine: zero and false are values like any other.
const RESOURCE_POINTERS: [&str; 3] = ["PidsLimit", "MemorySwappiness", "OomKillDisable"];
/// Other keys of resource control.
const RESOURCES: [&str; 26] = [
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeight",
    "BlkioWeightDevice",
    "CgroupParent",
    "CgroupnsMode",
    "CpuCount",
    "CpuPercent",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "IOMaximumBandwidth",
    "IOMaximumIOps",
    "KernelMemory",
    "KernelMemoryTCP",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "NanoCpus",
    "Ulimits",
];

/// Whether a policy is named or a count given. A value of another form is a change, for we do not know what it asks.
fn sets_restart_policy(field: Field<'_>) -> bool {
    match field.object() {
        Ok(policy) => {
            policy.unwrap_or_default().fields(["Name", "MaximumRetryCount"]).iter().any(|field| !field.is_zero())
        }
        Err(_) => !field.is_zero(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::{Table, UNREADABLE};

    const PRIVILEGED: &str = "privileged mode changes are not allowed";
    const DEVICES: &str = "device changes are not allowed";
    const CAPABILITIES: &str = "capability changes are not allowed";
    const RESTART: &str = "restart policy changes are not allowed";
    const RESOURCE: &str = "resource control changes are not allowed";

    /// What `docker update --memory 64m` sends.
    const REAL_CLIENT: &str = r#"{"CpuShares":0,"Memory":67108864,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,
        "BlkioWeightDevice":null,"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,"BlkioDeviceReadIOps":null,
        "BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"",
        "CpusetMems":"","Devices":null,"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,
        "MemorySwappiness":null,"OomKillDisable":null,"PidsLimit":null,"Ulimits":null,"CpuCount":0,"CpuPercent":0,
        "IOMaximumIOps":0,"IOMaximumBandwidth":0,"RestartPolicy":{"Name":"","MaximumRetryCount":0}}"#;

    fn table(change: fn(&mut ContainerUpdateOptions)) -> Table<impl Fn(&[u8]) -> Outcome> {
        let mut options = ContainerUpdateOptions::default();
        change(&mut options);
        Table::new("container update", move |body| inspect(body, &options, &mut Reader::new()))
    }

    #[test]
    fn nothing_may_be_changed_by_default() {
        table(|_| {})
            .passes([
                "{}",
                "null",
                r#"{"Foo":1}"#,
                r#"{"Memory":0,"Devices":null,"RestartPolicy":{"Name":""}}"#,
                r#"{"Privileged":false,"CapAdd":[],"SecurityOpt":null,"NoNewPrivileges":false,"Ulimits":[],"CpusetCpus":""}"#,
                r#"{"RestartPolicy":{"Name":"","MaximumRetryCount":0}}"#,
                r#"{"RestartPolicy":{"Name":null,"MaximumRetryCount":null}}"#,
                r#"{"RestartPolicy":null}"#,
                r#"{"RestartPolicy":{}}"#,
                r#"{"Resources":{}}"#,
                r#"{"HostConfig":null,"Resources":null}"#,
                r#"{"HostConfig":{"Resources":{"Memory":0}},"Resources":{"Devices":[]}}"#,
                r#"{"HostConfig":[],"PidsLimit":null,"MemorySwappiness":null,"OomKillDisable":null}"#,
                r#"{"Resources":{"HostConfig":{"Memory":1}}}"#,
            ])
            .denies(PRIVILEGED, [
                r#"{"Privileged":true}"#,
                r#"{"HostConfig":{"privileged":true},"Devices":[1]}"#,
                r#"{"Resources":{"Privileged":true}}"#,
                r#"{"Privileged":"true"}"#,
            ])
            .denies(DEVICES, [
                r#"{"Devices":[{"PathOnHost":"/dev/sda"}]}"#,
                r#"{"DeviceCgroupRules":["c 1:3 rwm"]}"#,
                r#"{"DeviceRequests":[{}],"CapAdd":["X"]}"#,
            ])
            .denies(CAPABILITIES, [
                r#"{"CapAdd":["X"],"Memory":1}"#,
                r#"{"CapDrop":["X"]}"#,
                r#"{"Capabilities":["X"]}"#,
                r#"{"NoNewPrivileges":true}"#,
                r#"{"SecurityOpt":["X"],"RestartPolicy":{"Name":"no"}}"#,
            ])
            .denies(RESTART, [
                r#"{"RestartPolicy":{"Name":"always"}}"#,
                r#"{"RestartPolicy":{"MaximumRetryCount":3},"Memory":1}"#,
                r#"{"RestartPolicy":{"name":"no"}}"#,
                r#"{"RestartPolicy":"always"}"#,
                r#"{"RestartPolicy":[1]}"#,
            ])
            .denies(RESOURCE, [
                r#"{"Memory":1}"#,
                r#"{"nanocpus":1}"#,
                r#"{"PidsLimit":-1}"#,
                r#"{"PidsLimit":0}"#,
                r#"{"MemorySwappiness":0}"#,
                r#"{"OomKillDisable":false}"#,
                r#"{"HostConfig":{"Memory":1}}"#,
                r#"{"Resources":{"Memory":1}}"#,
                r#"{"HostConfig":{"Resources":{"Memory":1}}}"#,
                r#"{"Resources":[1]}"#,
                r#"{"Resources":{"Resources":{"Memory":1}}}"#,
                REAL_CLIENT,
            ])
            .denies(UNREADABLE, ["[]", "{", "5", r#"{"HostConfig":{},"hostconfig":{"Memory":1}}"#, r#"{"Memory":1,"memory":0}"#]);
    }

    #[test]
    fn every_resource_key_counts() {
        for key in RESOURCES {
            let inspect = |value: &str| {
                let body = format!("{{\"{}\":{value}}}", key.to_uppercase());
                inspect(body.as_bytes(), &ContainerUpdateOptions::default(), &mut Reader::new())
            };
            assert_ne!(inspect("1"), Outcome::Pass, "{key}");
            assert_ne!(inspect("[0]"), Outcome::Pass, "{key}");
            assert_eq!(inspect("0"), Outcome::Pass, "{key}");
            assert_eq!(inspect("null"), Outcome::Pass, "{key}");
        }
    }

    #[test]
    fn each_flag_lifts_its_check() {
        let restart = r#"{"RestartPolicy":{"Name":"no"}}"#;
        let devices = r#"{"Devices":[{}]}"#;
        table(|o| o.allow_privileged = true).passes([r#"{"Privileged":true}"#]).denies(DEVICES, [devices]);
        table(|o| o.allow_all_devices = true).passes([devices]).denies(CAPABILITIES, [r#"{"CapAdd":["X"]}"#]);
        table(|o| o.allow_capabilities = true).passes([r#"{"CapAdd":["X"]}"#]).denies(RESTART, [restart]);
        table(|o| o.allow_restart_policy = true).passes([restart]).denies(RESOURCE, [r#"{"Memory":1}"#, REAL_CLIENT]);
        table(|o| o.allow_resource_updates = true).passes([r#"{"Memory":1}"#, REAL_CLIENT]).denies(RESTART, [restart]);
    }
}
