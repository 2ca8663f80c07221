//! Metrics (spec 70 §7, §8): what is counted, and its exposition.
//!
//! Owns the storage. Each shard counts in series of its own; a scrape adds them up. `prometheus-client` supplies the
//! atomic counters and gauges; its histogram and its encoder do not fit, for reasons that `histogram` and [`exposition`]
//! give.

pub mod exposition;
mod histogram;
mod labels;
pub mod names;
mod series;
mod shard;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use self::exposition::{Exposition, Labels};
use self::histogram::HistogramSum;
use self::names::Family;
use self::series::Series;
use self::shard::ShardSeries;
pub use self::shard::{ActiveRequest, ShardMetrics};

/// What was built, for `sockguard_build_info` and the banner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildInfo {
    /// Version of the product.
    pub version: &'static str,
    /// Commit that it was built from.
    pub commit: &'static str,
    /// When it was built.
    pub date: &'static str,
    /// The compiler that built it.
    pub runtime: &'static str,
}

/// How a configuration reload ended: the `result` of its log line and of its counter (spec 70 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The candidate is in force.
    Ok,
    /// A field changed that only a restart can change.
    RejectImmutable,
    /// The candidate could not be read.
    RejectLoad,
    /// The candidate's signature did not verify.
    RejectSignature,
    /// The candidate is invalid.
    RejectValidation,
}

impl ReloadOutcome {
    /// The value in records and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ReloadOutcome::Ok => "ok",
            ReloadOutcome::RejectImmutable => "reject_immutable",
            ReloadOutcome::RejectLoad => "reject_load",
            ReloadOutcome::RejectSignature => "reject_signature",
            ReloadOutcome::RejectValidation => "reject_validation",
        }
    }
}

/// The process's metrics. They live as long as the process; a reload does not touch them.
#[derive(Debug)]
pub struct Metrics {
    build: BuildInfo,
    started_unix_microseconds: u64,
    shards: Mutex<Vec<Arc<ShardSeries>>>,
    socket_up: OnceLock<Gauge>,
    watchdog_checks: Series<&'static str, Counter>,
    inflight: Mutex<BTreeMap<Box<str>, Gauge>>,
    reloads: Series<&'static str, Counter>,
    last_reload_unix_microseconds: OnceLock<Gauge<u64, AtomicU64>>,
}

impl Metrics {
    /// The metrics of a process that has started at this time.
    #[must_use]
    pub fn new(build: BuildInfo, started: SystemTime) -> Arc<Metrics> {
        Arc::new(Metrics {
            build,
            started_unix_microseconds: unix_microseconds(started),
            shards: Mutex::default(),
            socket_up: OnceLock::new(),
            watchdog_checks: Series::default(),
            inflight: Mutex::default(),
            reloads: Series::default(),
            last_reload_unix_microseconds: OnceLock::new(),
        })
    }

    /// Counters for one more shard.
    #[must_use]
    pub fn shard(&self) -> ShardMetrics {
        let series = Arc::new(ShardSeries::default());
        lock(&self.shards).push(Arc::clone(&series));
        ShardMetrics::new(series)
    }

    /// Counts a check of the watchdog and shows what it has found.
    pub fn watchdog_checked(&self, is_up: bool) {
        self.watchdog_checks.resolve(if is_up { "connected" } else { "unreachable" }).inc();
        self.socket_up.get_or_init(Gauge::default).set(i64::from(is_up));
    }

    /// Counts a reload that has ended at this time.
    pub fn reloaded(&self, outcome: ReloadOutcome, at: SystemTime) {
        self.reloads.resolve(outcome.as_str()).inc();
        match outcome {
            ReloadOutcome::Ok => {
                self.last_reload_unix_microseconds.get_or_init(Gauge::default).set(unix_microseconds(at));
            }
            ReloadOutcome::RejectImmutable
            | ReloadOutcome::RejectLoad
            | ReloadOutcome::RejectSignature
            | ReloadOutcome::RejectValidation => {}
        }
    }

    /// The gauge of requests in flight of a profile with a concurrency limit.
    #[must_use]
    pub fn inflight(&self, profile: &str) -> Gauge {
        lock(&self.inflight).entry(profile.into()).or_default().clone()
    }

    /// Forgets the gauges of profiles that have no concurrency limit any more.
    pub fn retain_inflight(&self, is_limited: impl Fn(&str) -> bool) {
        lock(&self.inflight).retain(|profile, _| is_limited(profile));
    }

    /// Appends the exposition.
    pub fn expose(&self, out: &mut Vec<u8>) {
        let shards = lock(&self.shards).clone();
        let mut exposition = Exposition::new(out);
        self.expose_process(&mut exposition);
        expose_requests(&mut exposition, &shards);
        self.expose_upstream(&mut exposition);
        expose_throttled(&mut exposition, &shards);
        self.expose_limits_and_reloads(&mut exposition);
    }

    fn expose_process(&self, exposition: &mut Exposition<'_>) {
        exposition.family(names::BUILD_INFO);
        // Dashboards know the last label by this name; its value is the compiler of this process.
        let labels: Labels<'_> = &[
            ("version", self.build.version),
            ("commit", self.build.commit),
            ("build_date", self.build.date),
            ("go_version", self.build.runtime),
        ];
        exposition.integer(labels, 1);
        exposition.family(names::START_TIME);
        exposition.suffixed_seconds("", &[], self.started_unix_microseconds);
    }

    fn expose_upstream(&self, exposition: &mut Exposition<'_>) {
        if let Some(socket_up) = self.socket_up.get() {
            exposition.family(names::SOCKET_UP);
            exposition.integer(&[], socket_up.get());
        }
        expose_by_result(exposition, names::WATCHDOG_CHECKS, &self.watchdog_checks);
    }

    fn expose_limits_and_reloads(&self, exposition: &mut Exposition<'_>) {
        exposition.family(names::INFLIGHT_REQUESTS);
        for (profile, gauge) in lock(&self.inflight).iter() {
            exposition.integer(&[("profile", profile)], gauge.get());
        }
        expose_by_result(exposition, names::RELOADS, &self.reloads);
        if let Some(last) = self.last_reload_unix_microseconds.get() {
            exposition.family(names::LAST_RELOAD);
            exposition.suffixed_seconds("", &[], last.get());
        }
    }
}

fn expose_requests(exposition: &mut Exposition<'_>, shards: &[Arc<ShardSeries>]) {
    exposition.family(names::REQUESTS);
    for (labels, count) in sum_counters(shards, |shard| &shard.requests) {
        labels.show(|labels| exposition.integer(labels, count));
    }
    exposition.family(names::DENIED_REQUESTS);
    for (labels, count) in sum_counters(shards, |shard| &shard.denied) {
        exposition.integer(&labels.pairs(), count);
    }
    exposition.family(names::REQUEST_DURATION);
    for (labels, sum) in sum(shards, |shard| &shard.durations, |sum: &mut HistogramSum, histogram| sum.add(histogram)) {
        let [decision, method, profile, route] = labels.pairs();
        for (bound, count) in sum.cumulative() {
            let labels: Labels<'_> = &[decision, method, profile, route, ("le", bound)];
            exposition.suffixed_integer("_bucket", labels, count);
        }
        exposition.suffixed_seconds("_sum", &labels.pairs(), sum.sum_microseconds);
        exposition.suffixed_integer("_count", &labels.pairs(), sum.count());
    }
    exposition.family(names::ACTIVE_REQUESTS);
    exposition.integer(&[], shards.iter().map(|shard| shard.active.get()).sum::<i64>());
}

fn expose_throttled(exposition: &mut Exposition<'_>, shards: &[Arc<ShardSeries>]) {
    exposition.family(names::THROTTLED_REQUESTS);
    for (labels, count) in sum_counters(shards, |shard| &shard.throttled) {
        exposition.integer(&labels.pairs(), count);
    }
}

fn expose_by_result(exposition: &mut Exposition<'_>, family: Family, series: &Series<&'static str, Counter>) {
    exposition.family(family);
    for (result, counter) in series.lock().iter() {
        exposition.integer(&[("result", result)], counter.get());
    }
}

/// The samples of one family, added up over the shards, in label order.
fn sum<L: Ord + Clone, M: Clone + Default, S: Default>(
    shards: &[Arc<ShardSeries>],
    family: impl Fn(&ShardSeries) -> &Series<L, M>,
    add: impl Fn(&mut S, &M),
) -> BTreeMap<L, S> {
    let mut sums = BTreeMap::new();
    for shard in shards {
        for (labels, sample) in family(shard).lock().iter() {
            if let Some(sum) = sums.get_mut(labels) {
                add(sum, sample);
            } else {
                add(sums.entry(labels.clone()).or_default(), sample);
            }
        }
    }
    sums
}

fn sum_counters<L: Ord + Clone>(
    shards: &[Arc<ShardSeries>],
    family: impl Fn(&ShardSeries) -> &Series<L, Counter>,
) -> BTreeMap<L, u64> {
    sum(shards, family, |sum, counter: &Counter| *sum += counter.get())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unix_microseconds(time: SystemTime) -> u64 {
    let since_epoch: Duration = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
}
