//! A histogram of latencies: eight buckets per doubling, from a microsecond to a day, in fixed
//! memory.

use std::sync::atomic::{AtomicU64, Ordering};

const PER_DOUBLING: u32 = 8;
/// 2^37 microseconds are a day and a half.
const BUCKETS: usize = 37 * PER_DOUBLING as usize;

/// Counts by latency. Written by the reports thread, read by anybody.
#[derive(Debug)]
pub(crate) struct Histogram([AtomicU64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }
}

impl Histogram {
    /// Adds `count` observations of `us` microseconds.
    pub(crate) fn add(&self, us: u64, count: u64) {
        self.0[bucket(us)].fetch_add(count, Ordering::Relaxed);
    }

    /// The latency in microseconds that a share of all observations stays below, to within 9 %;
    /// `None` without any.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
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
        histogram.add(u64::MAX, 1);
        assert!(histogram.quantile(1.0).expect("observed") > 1e11);
    }
}
