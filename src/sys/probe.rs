//! Whether this machine can run a shard, and what to change when it cannot.
//!
//! A proxy is usually a container, and container engines block `io_uring` by default (field report 87); a shard also
//! locks memory (field report 88). Both are tried before anything starts, and the message says what to do.

use std::io;

use io_uring::{IoUring, Probe, opcode};
use rustix::process::{Resource, getrlimit};

/// Locked memory that one executor's rings need.
const EXECUTOR_LOCKED_BYTES: u64 = 512 << 10;

/// Why shards cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A filter or policy refuses the system call.
    #[error(
        "io_uring is blocked ({0}): in a container, run it with a seccomp profile that allows io_uring_setup, \
         io_uring_enter and io_uring_register (--security-opt seccomp=packaging/seccomp.json); on the host, check that \
         the sysctl kernel.io_uring_disabled is 0"
    )]
    Blocked(io::Error),
    /// The sysctl switches it off.
    #[error("io_uring is switched off: set the sysctl kernel.io_uring_disabled to 0 (it is {0})")]
    Disabled(String),
    /// The kernel does not have it, or not enough of it.
    #[error("io_uring of Linux 6.1 or later is needed ({0}): upgrade the kernel")]
    TooOld(String),
    /// The limit on locked memory is too small for that many shards.
    #[error(
        "the limit on locked memory is too small: {shards} shards need {needed} KiB, the limit is {limit} KiB; raise \
         it (ulimit -l, LimitMEMLOCK=, --ulimit memlock=) or run fewer shards (--shards)"
    )]
    LockedMemory {
        /// How many were to run.
        shards: usize,
        /// What they need.
        needed: u64,
        /// What is allowed.
        limit: u64,
    },
    /// Anything else.
    #[error("io_uring cannot be set up: {0}")]
    Other(io::Error),
}

/// Tries what `shards` shards need.
///
/// # Errors
/// What is missing, with its remedy.
pub fn check(shards: usize) -> Result<(), ProbeError> {
    let ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .build(8)
        .map_err(|error| explain(error, shards))?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(ProbeError::Other)?;
    let needed = [opcode::SendZc::CODE, opcode::AcceptMulti::CODE, opcode::AsyncCancel::CODE, opcode::Close::CODE];
    if !needed.iter().all(|&code| probe.is_supported(code)) {
        return Err(ProbeError::TooOld("operations are missing".to_owned()));
    }
    Ok(())
}

fn explain(error: io::Error, shards: usize) -> ProbeError {
    match error.raw_os_error() {
        Some(libc::EPERM) => match std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled") {
            Ok(value) if value.trim() != "0" => ProbeError::Disabled(value.trim().to_owned()),
            _ => ProbeError::Blocked(error),
        },
        Some(libc::EACCES) => ProbeError::Blocked(error),
        Some(libc::ENOSYS) => match kernel_release() {
            // A filter may answer as if the call did not exist.
            Some(release) if is_recent(&release) => ProbeError::Blocked(error),
            release => ProbeError::TooOld(release.unwrap_or_else(|| "no io_uring".to_owned())),
        },
        Some(libc::EINVAL) => ProbeError::TooOld(kernel_release().unwrap_or_else(|| error.to_string())),
        Some(libc::ENOMEM) => locked_memory(shards).unwrap_or(ProbeError::Other(error)),
        _ => ProbeError::Other(error),
    }
}

/// The locked-memory limit, when it is the likely cause of a failure. Kernels since 5.12 charge rings to the control
/// group instead, so the limit alone proves nothing.
pub fn locked_memory(shards: usize) -> Option<ProbeError> {
    let limit = getrlimit(Resource::Memlock).current?;
    let needed = EXECUTOR_LOCKED_BYTES.saturating_mul(shards as u64);
    (limit < needed).then_some(ProbeError::LockedMemory { shards, needed: needed / 1024, limit: limit / 1024 })
}

fn kernel_release() -> Option<String> {
    rustix::system::uname().release().to_str().ok().map(str::to_owned)
}

fn is_recent(release: &str) -> bool {
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_remedy() {
        let explained = |code: i32| explain(io::Error::from_raw_os_error(code), 4).to_string();
        assert!(
            explained(libc::EPERM).contains("seccomp") || explained(libc::EPERM).contains("kernel.io_uring_disabled")
        );
        assert!(explained(libc::EINVAL).contains("6.1"));
        assert!(explained(libc::EIO).contains("cannot be set up"));
        let memory = ProbeError::LockedMemory { shards: 4, needed: 2048, limit: 64 }.to_string();
        assert!(memory.contains("4 shards need 2048 KiB") && memory.contains("ulimit -l"));
    }

    #[test]
    fn releases_are_compared_as_numbers() {
        assert!(is_recent("6.1.0-13-amd64") && is_recent("6.18.44-fc") && is_recent("10.0"));
        assert!(!is_recent("6.0.9") && !is_recent("5.15.0-91-generic") && !is_recent("weird"));
    }

    #[test]
    fn this_machine_can_run_a_shard() {
        check(1).unwrap();
    }
}
