//! The promise of the inspectors: once their memory has grown, a request that passes costs no allocation.
//!
//! A test binary of its own, because it counts the allocations of the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sockguard::endpoint::Inspector;
use sockguard::inspect::devices::DeviceRequestRule;
use sockguard::inspect::exec::Commands;
use sockguard::inspect::options::Options;
use sockguard::inspect::paths::PathPrefixes;
use sockguard::inspect::{Outcome, Request, Scratch, Step, inspect};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Everything that a create request can hold and still pass.
const CREATE: &str = r#"{"Image":"nginx:1.27","User":"1000","Labels":{"team":"a","Team":"b"},"HostConfig":{
    "Binds":["/srv/jobs/7:/work","cache:/cache"],"Mounts":[{"Type":"volume","Source":"v","VolumeOptions":{"Labels":{}}},
    {"Type":"bind","Source":"/srv/jobs/7"}],"Devices":[{"PathOnHost":"/dev/dri/card0"}],"NetworkMode":"jobs",
    "DeviceRequests":[{"Driver":"nvidia","Count":1,"Capabilities":[["gpu"]]}],"SecurityOpt":["no-new-privileges"],
    "CapDrop":["ALL"],"ReadonlyRootfs":true,"Memory":1048576,"PidsLimit":100,"Sysctls":{},"CapAdd":[]},
    "NetworkingConfig":{"EndpointsConfig":{"jobs":{"Aliases":["web"],"IPAMConfig":{}}}}}"#;

fn options() -> Options {
    let mut options = Options::default();
    let create = &mut options.container_create;
    create.allowed_bind_mounts = PathPrefixes::new(["/srv/jobs"]);
    create.allowed_devices = PathPrefixes::new(["/dev/dri"]);
    create.allowed_device_requests = vec![DeviceRequestRule::new("nvidia", &[vec!["gpu"]], None)];
    create.require_no_new_privileges = true;
    create.require_non_root_user = true;
    create.require_readonly_rootfs = true;
    create.require_drop_all_capabilities = true;
    create.require_memory_limit = true;
    create.require_pids_limit = true;
    create.required_labels = vec!["team".to_owned()];
    options.exec.allowed_commands = Commands::new(&[vec!["deploy-*", "**"]]);
    options
}

#[test]
fn requests_that_pass_allocate_nothing() {
    let options = options();
    let mut scratch = Scratch::default();
    for (inspector, query, body) in [
        (Inspector::ContainerCreate, "name=web", CREATE),
        (Inspector::ContainerCreate, "", ""),
        (Inspector::ExecCreate, "", r#"{"Cmd":["deploy-1","a/b"],"User":"1000"}"#),
        (Inspector::ExecCreate, "", r#"{"Cmd":"deploy-1 \u0061/b","User":"1000"}"#),
        (Inspector::ContainerUpdate, "", r#"{"Memory":0,"RestartPolicy":{"Name":""},"Resources":{}}"#),
        (Inspector::VolumeCreate, "", r#"{"Name":"v","Driver":"local","DriverOpts":{}}"#),
        (Inspector::NetworkCreate, "", r#"{"Name":"n","Driver":"bridge","IPAM":{"Driver":"default","Config":[]}}"#),
        (Inspector::NetworkConnect, "", r#"{"Container":"c","EndpointConfig":{"IPAMConfig":null}}"#),
        (Inspector::NetworkDisconnect, "", r#"{"Container":"c","Force":false}"#),
        (Inspector::SecretCreate, "", r#"{"Name":"s","Data":"eA=="}"#),
        (Inspector::SwarmUpdate, "version=1&rotateWorkerToken=0", r#"{"CAConfig":{}}"#),
    ] {
        let request = Request { query: query.as_bytes(), body: body.as_bytes(), ..Request::default() };
        let mut judge = || inspect(inspector, &request, &options, &mut scratch);
        assert_eq!(judge(), Step::Judged(Outcome::Pass), "{body}");
        let before = ALLOCATIONS.get();
        for _ in 0..100 {
            assert_eq!(judge(), Step::Judged(Outcome::Pass));
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{inspector:?} {body}");
    }
}

/// The count counts: a denial, whose reason names a value, does allocate.
#[test]
fn denials_are_counted() {
    let mut scratch = Scratch::default();
    let request = Request { body: br#"{"Driver":"nfs"}"#, ..Request::default() };
    let mut judge = || inspect(Inspector::VolumeCreate, &request, &Options::default(), &mut scratch);
    assert!(matches!(judge(), Step::Judged(Outcome::Denied(_))));
    let before = ALLOCATIONS.get();
    assert!(matches!(judge(), Step::Judged(Outcome::Denied(_))));
    assert!(ALLOCATIONS.get() > before);
}
