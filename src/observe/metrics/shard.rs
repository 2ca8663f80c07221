//! The metrics of one shard: counting without a lock and, once a combination of labels was seen, without allocating.
//!
//! Owns the way from a record to its series. A series is resolved once; after that a packed integer finds it. The only
//! lock is taken when a combination is new, and by a scrape.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::histogram::Histogram;
use super::labels::{
    DeniedLabels, DurationLabels, Facts, NO_PROFILE, RequestLabels, THROTTLED_WITHOUT_PROFILE, ThrottleLabels,
    throttle_key,
};
use super::series::Series;
use crate::endpoint::Route;
use crate::limits;
use crate::policy::{Mode, Reason};
use crate::record::Record;

/// Series of one shard, shared with scrapes.
#[derive(Debug, Default)]
pub(super) struct ShardSeries {
    pub(super) active: Gauge,
    pub(super) requests: Series<RequestLabels, Counter>,
    pub(super) denied: Series<DeniedLabels, Counter>,
    pub(super) durations: Series<DurationLabels, Arc<Histogram>>,
    pub(super) throttled: Series<ThrottleLabels, Counter>,
}

/// Counts the requests of one shard. Belongs to the shard's thread.
#[derive(Debug)]
pub struct ShardMetrics {
    series: Arc<ShardSeries>,
    active: Rc<Gauge>,
    resolved: HashMap<u64, Resolved, BuildHasherDefault<KeyHasher>>,
    throttled: HashMap<u64, Counter, BuildHasherDefault<KeyHasher>>,
    profiles: Profiles,
}

/// The series that a request counts in.
#[derive(Debug)]
struct Resolved {
    requests: Counter,
    duration: Arc<Histogram>,
    denied: Option<Counter>,
}

/// A request in flight; it is no longer once this is dropped, however it ends.
#[derive(Debug)]
pub struct ActiveRequest(Rc<Gauge>);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ShardMetrics {
    pub(super) fn new(series: Arc<ShardSeries>) -> ShardMetrics {
        ShardMetrics {
            active: Rc::new(series.active.clone()),
            series,
            resolved: HashMap::default(),
            throttled: HashMap::default(),
            profiles: Profiles::default(),
        }
    }

    /// Counts a request as in flight.
    #[must_use]
    pub fn started(&self) -> ActiveRequest {
        self.active.inc();
        ActiveRequest(Rc::clone(&self.active))
    }

    /// Counts a request that has ended.
    pub fn finished(&mut self, record: &Record<'_>, route: Route) {
        let facts = Facts::new(record, route);
        let (profile, profile_name) = self.profiles.intern(record.profile);
        let key = facts.key(profile);
        if let Some(resolved) = self.resolved.get(&key) {
            resolved.count(record.latency_microseconds);
        } else if self.resolved.len() < limits::METRIC_SERIES_MAX {
            let resolved = Resolved::new(&self.series, &facts, profile_name.unwrap_or(NO_PROFILE));
            resolved.count(record.latency_microseconds);
            self.resolved.insert(key, resolved);
        } else {
            Resolved::new(&self.series, &facts.merged(), NO_PROFILE).count(record.latency_microseconds);
        }
    }

    /// Counts a request that a limit turned down, or would have. `profile` is none for a caller without one.
    pub fn throttled(&mut self, profile: Option<&str>, mode: Mode, reason: Reason) {
        let (profile, profile_name) = self.profiles.intern(profile);
        let counter = self.throttled.entry(throttle_key(mode, reason, profile)).or_insert_with(|| {
            self.series.throttled.resolve(ThrottleLabels {
                mode: mode.as_str(),
                profile: profile_name.unwrap_or(THROTTLED_WITHOUT_PROFILE).into(),
                reason_code: reason.code(),
            })
        });
        counter.inc();
    }
}

impl Resolved {
    fn new(series: &ShardSeries, facts: &Facts, profile: &str) -> Resolved {
        let profile = Arc::from(profile);
        Resolved {
            requests: series.requests.resolve(facts.request_labels(&profile)),
            duration: series.durations.resolve(facts.duration_labels(&profile)),
            denied: facts.denied_labels(&profile).map(|labels| series.denied.resolve(labels)),
        }
    }

    fn count(&self, latency_microseconds: u64) {
        self.requests.inc();
        self.duration.observe(latency_microseconds);
        if let Some(denied) = &self.denied {
            denied.inc();
        }
    }
}

/// Small integers for profile names. Names come from the configuration, so that they are few; a process that has
/// reloaded its way past the range counts further ones as no profile.
#[derive(Debug, Default)]
struct Profiles(HashMap<Box<str>, u16>);

impl Profiles {
    /// Index and name; index 0 and no name stand for no profile.
    fn intern<'n>(&mut self, name: Option<&'n str>) -> (u16, Option<&'n str>) {
        let Some(name) = name else { return (0, None) };
        if let Some(&index) = self.0.get(name) {
            return (index, Some(name));
        }
        match u16::try_from(self.0.len() + 1) {
            Ok(index) => {
                self.0.insert(name.into(), index);
                (index, Some(name))
            }
            Err(_) => (0, None),
        }
    }
}

/// Spreads packed keys over a hash table. They come from closed sets and are bounded in number, so that nothing is to
/// be had from colliding ones.
#[derive(Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        // The golden ratio's bits; folded, because a table looks at both ends of a hash.
        let product = u128::from(self.0 ^ key) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}
