//! What the process may use: CPUs and descriptors.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft descriptor limit is raised to at most this; nothing of ours grows with the limit (field report 75).
const DESCRIPTORS_WANTED: u64 = 1 << 20;

/// The CPUs that the process may run on (affinity mask).
pub fn allowed_cpus() -> Vec<usize> {
    let Ok(set) = rustix::thread::sched_getaffinity(None) else { return vec![0] };
    let cpus: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// Whole CPUs' worth of time that the control group grants, rounded up; `None` without a quota.
pub fn cpu_quota() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let root = Path::new("/sys/fs/cgroup");
    let unified = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let quota_of = |folder: &Path| fs::read_to_string(folder.join("cpu.max")).ok().and_then(|text| parse_quota(&text));
    // A parent's quota binds too; the namespace's root is where a container sees its own.
    let own = root.join(unified.trim_start_matches('/'));
    let unified = own.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(quota_of).min();
    let legacy = || {
        let read = |name: &str| fs::read_to_string(root.join("cpu").join(name)).ok();
        parse_quota(&format!("{} {}", read("cpu.cfs_quota_us")?.trim(), read("cpu.cfs_period_us")?.trim()))
    };
    unified.or_else(legacy)
}

/// Reads `QUOTA PERIOD`, both in microseconds; `max` or a negative quota is none.
fn parse_quota(text: &str) -> Option<usize> {
    let mut words = text.split_ascii_whitespace();
    let quota: u64 = words.next()?.parse().ok()?;
    let period: u64 = words.next()?.parse().ok().filter(|&period| period > 0)?;
    usize::try_from(quota.div_ceil(period)).ok().map(|cpus| cpus.max(1))
}

/// How many shards to run, and on which CPUs if each is to have one of its own. `asked` overrides the count.
pub fn shard_cpus(asked: Option<usize>) -> Vec<Option<usize>> {
    plan_shards(asked, &allowed_cpus(), cpu_quota())
}

fn plan_shards(asked: Option<usize>, allowed: &[usize], quota: Option<usize>) -> Vec<Option<usize>> {
    let usable = quota.map_or(allowed.len(), |quota| quota.min(allowed.len())).max(1);
    let count = asked.unwrap_or(usable).max(1);
    // Pinned only when every CPU gets exactly one: a part of the machine's CPUs would be the part that others use too.
    if count == allowed.len() { allowed.iter().copied().map(Some).collect() } else { vec![None; count] }
}

/// Raises the soft descriptor limit towards the hard one and returns it.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    let soft = limit.current.unwrap_or(u64::MAX);
    let wanted = DESCRIPTORS_WANTED.min(hard);
    if soft < wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_ok() {
        return wanted;
    }
    soft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_rounded_up_to_whole_cpus() {
        assert_eq!(parse_quota("max 100000"), None);
        assert_eq!(parse_quota("-1 100000"), None);
        assert_eq!(parse_quota("150000 100000\n"), Some(2));
        assert_eq!(parse_quota("200000 100000"), Some(2));
        assert_eq!(parse_quota("1000 100000"), Some(1));
        assert_eq!(parse_quota("1000 0"), None);
        assert_eq!(parse_quota(""), None);
    }

    #[test]
    fn shards_follow_mask_quota_and_wish() {
        assert_eq!(plan_shards(None, &[1, 3], None), [Some(1), Some(3)]);
        assert_eq!(plan_shards(None, &[0, 1, 2, 3], Some(2)), [None, None]);
        assert_eq!(plan_shards(Some(1), &[0, 1], None), [None]);
        assert_eq!(plan_shards(Some(2), &[4, 5], Some(1)), [Some(4), Some(5)]);
        assert_eq!(plan_shards(Some(5), &[0], None).len(), 5);
        assert_eq!(plan_shards(None, &[0], Some(8)), [Some(0)]);
    }

    #[test]
    fn there_is_a_cpu_and_a_descriptor() {
        assert!(!allowed_cpus().is_empty());
        assert!(raise_descriptor_limit() > 0);
    }
}
