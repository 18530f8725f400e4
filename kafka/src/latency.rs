//! A histogram of latencies: eight buckets per doubling, from a microsecond to a day, in fixed
//! memory.

use std::sync::atomic::{AtomicU64, Ordering};

const PER_DOUBLING: u32 = 8;
/// 2^37 microseconds are a day and a half.
const BUCKETS: usize = 37 * PER_DOUBLING as usize;

/// Counts by latency. Written by the reports thread, read by anybody.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// A histogram at one moment, for Prometheus: cumulative, in doublings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    /// Upper bounds in seconds, and how many observations were below each.
    pub buckets: Vec<(f64, u64)>,
    /// All observations.
    pub count: u64,
    /// Their sum in seconds.
    pub sum_s: f64,
}

/// Doublings of a microsecond that are bounds of [`Latency`]: 0.26 ms to 67 s.
const SHOWN: std::ops::RangeInclusive<u32> = 8..=26;

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS], sum_us: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Adds `count` observations of `us` microseconds.
    pub(crate) fn add(&self, us: u64, count: u64) {
        self.counts[bucket(us)].fetch_add(count, Ordering::Relaxed);
        self.sum_us.fetch_add(us.saturating_mul(count), Ordering::Relaxed);
    }

    /// What was observed so far.
    pub(crate) fn view(&self) -> Latency {
        let sum_s = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        let mut below = 0;
        let mut buckets = Vec::new();
        for (index, count) in (1..).zip(&self.counts) {
            below += count.load(Ordering::Relaxed);
            let doublings = index / PER_DOUBLING;
            if index % PER_DOUBLING == 0 && SHOWN.contains(&doublings) {
                buckets.push((f64::from(1_u32 << doublings) / 1e6, below));
            }
        }
        Latency { buckets, count: below, sum_s }
    }

    /// The latency in microseconds that a share of all observations stays below, to within 9 %;
    /// `None` without any.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let counts: Vec<u64> =
            self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let wanted = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        });
        found.map(|index| 2f64.powf((index + 1) as f64 / f64::from(PER_DOUBLING)))
    }
}

fn bucket(us: u64) -> usize {
    let index = (us.max(1) as f64).log2() * f64::from(PER_DOUBLING);
    (index as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near() {
        let histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for us in 1..=10_000 {
            histogram.add(us, 1);
        }
        for (share, exact) in [(0.5, 5000.0), (0.99, 9900.0)] {
            let found = histogram.quantile(share).expect("there are observations");
            assert!((found / exact - 1.0).abs() < 0.1, "{share}: {found} for {exact}");
        }
        let view = histogram.view();
        assert_eq!((view.count, view.sum_s), (10_000, 50.005));
        // Below 2^12 us are 1 to 4095.
        assert!(view.buckets.contains(&(0.004_096, 4095)), "{view:?}");
        assert!(view.buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1));
        histogram.add(u64::MAX, 1);
        assert!(histogram.quantile(1.0).expect("observed") > 1e11);
    }
}
