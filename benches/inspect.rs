//! How much the inspection of a request costs. Promise: a few microseconds for a `containers/create` of 4 KiB.

#![allow(clippy::expect_used, missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sockguard::endpoint::Inspector;
use sockguard::inspect::options::{ContainerCreateOptions, Options};
use sockguard::inspect::paths::PathPrefixes;
use sockguard::inspect::{Outcome, Request, Scratch, Step, inspect};

/// What the Docker CLI sends for a runner: every field of the document, brought to size with its environment.
fn create_body(bytes: usize) -> Vec<u8> {
    let mut body = r#"{"Hostname":"","Domainname":"","User":"1000","AttachStdin":false,"AttachStdout":true,"Tty":false,
"Image":"ghcr.io/acme/runner:7","Volumes":{},"WorkingDir":"/work","Entrypoint":["/bin/run"],"Cmd":["--job","7"],"Labels":
{"com.acme.job":"7","com.acme.team":"build"},"HostConfig":{"Binds":["/srv/jobs/7/work:/work:rw","cache:/cache"],"LogConfig":
{"Type":"","Config":{}},"NetworkMode":"jobs","PortBindings":{"8080/tcp":[{"HostPort":""}]},"RestartPolicy":{"Name":"no",
"MaximumRetryCount":0},"AutoRemove":true,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[0,0],"CapAdd":null,"CapDrop":
["ALL"],"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Links":
null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":true,"SecurityOpt":
["no-new-privileges:true"],"UTSMode":"","UsernsMode":"","ShmSize":0,"CpuShares":0,"Memory":536870912,"NanoCpus":0,
"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],"CpuPeriod":0,"CpuQuota":0,"CpusetCpus":"","Devices":[],
"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,"PidsLimit":256,
"Ulimits":[],"Mounts":[{"Type":"volume","Source":"work","Target":"/w"}]},"NetworkingConfig":{"EndpointsConfig":{"jobs":
{"IPAMConfig":null,"Links":null,"Aliases":["runner"],"MacAddress":"","DriverOpts":null}}},"Env":[""#
        .replace('\n', "");
    for n in 0.. {
        body.push_str(&format!(r#"KEY_{n}=value of the variable {n}""#));
        if body.len() + 2 >= bytes {
            break;
        }
        body.push_str(",\"");
    }
    body.push_str("]}");
    body.into_bytes()
}

/// A policy of the strict kind: everything that can be demanded is.
fn options() -> Options {
    Options {
        container_create: ContainerCreateOptions {
            allowed_bind_mounts: PathPrefixes::new(["/srv/jobs", "/var/lib/app"]),
            require_no_new_privileges: true,
            require_non_root_user: true,
            require_readonly_rootfs: true,
            require_drop_all_capabilities: true,
            require_memory_limit: true,
            require_pids_limit: true,
            required_labels: vec!["com.acme.team".to_owned()],
            ..ContainerCreateOptions::default()
        },
        ..Options::default()
    }
}

fn container_create(criterion: &mut Criterion) {
    let options = options();
    let mut scratch = Scratch::default();
    let mut group = criterion.benchmark_group("container_create");
    for kibibytes in [1, 4, 64] {
        let body = create_body(kibibytes << 10);
        let request = Request { body: &body, ..Request::default() };
        let step = inspect(Inspector::ContainerCreate, &request, &options, &mut scratch);
        assert_eq!(step, Step::Judged(Outcome::Pass));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{kibibytes}KiB")), |bencher| {
            bencher.iter(|| inspect(Inspector::ContainerCreate, black_box(&request), &options, &mut scratch));
        });
    }
    group.finish();
}

/// The smallest of the others, for the fixed cost.
fn small(criterion: &mut Criterion) {
    let options = Options::default();
    let mut scratch = Scratch::default();
    let request = Request { body: br#"{"Name":"cache","Driver":"local","Labels":{"a":"b"}}"#, ..Request::default() };
    criterion.bench_function("volume_create", |bencher| {
        bencher.iter(|| inspect(Inspector::VolumeCreate, black_box(&request), &options, &mut scratch));
    });
}

criterion_group!(benches, container_create, small);
criterion_main!(benches);
