//! How fast request bodies are read and stamped. Promise: 1 GB/s for the view of a body of 64 KiB.

#![allow(clippy::expect_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sockguard::json::{Names, Reader, Splicer, Step, View};

/// `POST /containers/create` as a runner sends it, brought to size with its environment.
fn create_body(bytes: usize) -> Vec<u8> {
    let head = r#"{"Hostname":"","Domainname":"","User":"1000","AttachStdin":false,"Tty":false,"Image":"ghcr.io/acme/runner:7","WorkingDir":"/work","Entrypoint":["/bin/run"],"Cmd":["--job","7"],"Labels":{"com.acme.job":"7","com.acme.team":"build"},"HostConfig":{"Binds":["/srv/jobs/7/work:/work:rw"],"NetworkMode":"bridge","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":true,"CapAdd":null,"CapDrop":["ALL"],"Dns":[],"IpcMode":"private","PidMode":"","Privileged":false,"ReadonlyRootfs":true,"SecurityOpt":["no-new-privileges:true"],"Memory":536870912,"NanoCpus":0,"Devices":[],"PidsLimit":256,"Ulimits":null},"Env":["#;
    let mut body = head.to_owned();
    for n in 0.. {
        body.push_str(&format!(r#""KEY_{n}=value of the variable {n}""#));
        if body.len() + 2 >= bytes {
            break;
        }
        body.push(',');
    }
    body.push_str("]}");
    body.into_bytes()
}

static HOST_CONFIG: Names<28> = Names::new([
    "Privileged",
    "ReadonlyRootfs",
    "AutoRemove",
    "NetworkMode",
    "PidMode",
    "IpcMode",
    "UTSMode",
    "UsernsMode",
    "CgroupParent",
    "Binds",
    "CapAdd",
    "CapDrop",
    "SecurityOpt",
    "VolumesFrom",
    "GroupAdd",
    "ExtraHosts",
    "Memory",
    "MemoryReservation",
    "NanoCpus",
    "CpuQuota",
    "CpuPeriod",
    "CpuShares",
    "PidsLimit",
    "Sysctls",
    "DeviceRequests",
    "DeviceCgroupRules",
    "Devices",
    "Mounts",
]);

/// The fields that a container create asks for most.
fn judge(view: View<'_>) -> bool {
    let body = view.object().expect("object");
    let [image, user, host, labels] = body.fields(["Image", "User", "HostConfig", "Labels"]);
    let host = host.object().expect("typed").expect("present");
    let fields = host.fields_of(&HOST_CONFIG);
    let (flags, rest) = fields.split_at(3);
    let (texts, rest) = rest.split_at(6);
    let (lists, rest) = rest.split_at(7);
    let (numbers, _) = rest.split_at(7);
    flags.iter().all(|field| field.bool().is_ok())
        && texts.iter().all(|field| field.string().is_ok())
        && lists.iter().all(|field| field.strings().is_ok())
        && numbers.iter().all(|field| field.integer().is_ok())
        && image.string().is_ok()
        && user.string().is_ok()
        && labels.string_map().is_ok()
}

fn json(criterion: &mut Criterion) {
    let mut reader = Reader::new();
    let mut splicer = Splicer::new();
    let mut out = Vec::new();
    for (name, bytes) in [("create-1KiB", 1 << 10), ("create-4KiB", 4 << 10), ("create-64KiB", 64 << 10)] {
        let body = create_body(bytes);
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("view", |bencher| {
            bencher.iter(|| assert!(reader.read(black_box(&body), judge).expect("readable")));
        });
        group.bench_function("stamp", |bencher| {
            bencher.iter(|| {
                out.clear();
                let path = [Step::Field("Labels"), Step::Entry("com.sockguard.owner")];
                splicer.set_string(black_box(&body), &path, "ci-1", &mut out).expect("spliced");
                black_box(out.len())
            });
        });
        group.finish();
    }
}

criterion_group!(benches, json);
criterion_main!(benches);
