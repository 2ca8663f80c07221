//! A histogram of request durations.
//!
//! Owns the bucket bounds. The one of `prometheus-client` takes a lock for each observation, so this one counts in
//! atomic integers; sums are kept in microseconds, so that adding up shards rounds nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the buckets: in microseconds, and as the `le` label shows them. One more bucket has no bound.
pub(super) const BOUNDS: [(u64, &str); 11] = [
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
];

const BUCKETS: usize = BOUNDS.len() + 1;

/// Observations of one series on one shard.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_microseconds: AtomicU64,
}

impl Histogram {
    pub(super) fn observe(&self, microseconds: u64) {
        let bucket = BOUNDS.partition_point(|&(bound, _)| bound < microseconds);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }
}

/// The sum of a series over the shards.
#[derive(Clone, Debug, Default)]
pub(super) struct HistogramSum {
    buckets: [u64; BUCKETS],
    pub(super) sum_microseconds: u64,
}

impl HistogramSum {
    pub(super) fn add(&mut self, histogram: &Histogram) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&histogram.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        self.sum_microseconds = self.sum_microseconds.wrapping_add(histogram.sum_microseconds.load(Ordering::Relaxed));
    }

    /// The buckets as they are exposed: each with its `le` label and all observations up to its bound. The last one,
    /// without a bound, is the number of observations.
    pub(super) fn cumulative(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let labels = BOUNDS.iter().map(|&(_, label)| label).chain(["+Inf"]);
        let counts = self.buckets.iter().scan(0, |total, bucket| {
            *total += bucket;
            Some(*total)
        });
        labels.zip(counts)
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_bucket() {
        for (index, (bound, label)) in BOUNDS.into_iter().enumerate() {
            assert_eq!(label.parse::<f64>().unwrap() * 1e6, bound as f64);
            let histogram = Histogram::default();
            histogram.observe(bound);
            histogram.observe(bound + 1);
            let mut sum = HistogramSum::default();
            sum.add(&histogram);
            let counts: Vec<u64> = sum.cumulative().map(|(_, count)| count).collect();
            assert_eq!(counts.get(index), Some(&1), "{label}");
            assert_eq!(counts.get(index + 1), Some(&2), "{label}");
            assert_eq!((sum.count(), sum.sum_microseconds), (2, 2 * bound + 1));
        }
    }
}
