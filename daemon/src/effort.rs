//! How long a worker is at work, and on a datagram. Costs a worker two clock readings that it takes
//! anyway, and nothing per datagram.

/// Doublings of a nanosecond: up to half a second for a datagram, the rest in the last.
const BUCKETS: usize = 30;
/// The first bound that is shown: 128 ns.
const SHOWN_FROM: usize = 7;

/// A worker's time.
#[derive(Clone, Debug, Default)]
pub struct Effort {
    busy_ns: u64,
    /// Datagrams by the doubling of a nanosecond that stays above what they took.
    by_cost: [u64; BUCKETS],
}

impl Effort {
    /// A turn of work on so many datagrams took so long.
    pub fn note(&mut self, datagrams: u64, ns: u64) {
        if let Some(each_ns) = ns.checked_div(datagrams) {
            self.busy_ns += ns;
            let doubling = (u64::BITS - each_ns.leading_zeros()) as usize;
            self.by_cost[doubling.min(BUCKETS - 1)] += datagrams;
        }
    }

    /// Time at work, in seconds.
    #[must_use]
    pub fn busy_s(&self) -> f64 {
        self.busy_ns as f64 / 1e9
    }

    /// Datagrams worked on.
    #[must_use]
    pub fn datagrams(&self) -> u64 {
        self.by_cost.iter().sum()
    }

    /// Upper bounds in seconds, each four times the one before, with how many datagrams took less.
    pub fn buckets_s(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut below = 0;
        let counts = self.by_cost.iter().enumerate().take(BUCKETS - 1);
        let cumulative = counts.map(move |(doubling, count)| {
            below += count;
            ((1_u64 << doubling) as f64 / 1e9, below)
        });
        cumulative.skip(SHOWN_FROM).step_by(2)
    }

    /// Adds another worker's.
    pub fn add(&mut self, other: &Self) {
        self.busy_ns += other.busy_ns;
        self.by_cost.iter_mut().zip(other.by_cost).for_each(|(sum, count)| *sum += count);
    }

    /// The time in seconds that a share of the datagrams stayed below, to within a factor of two;
    /// `None` without datagrams.
    #[must_use]
    pub fn quantile_s(&self, share: f64) -> Option<f64> {
        let wanted = (self.datagrams() as f64 * share).max(1.0);
        let mut below = 0;
        let found = self.by_cost.iter().position(|count| {
            below += count;
            below as f64 >= wanted
        });
        found.map(|doubling| (1_u64 << doubling) as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_shared_out_among_its_datagrams() {
        let mut effort = Effort::default();
        assert_eq!(effort.quantile_s(0.5), None);
        effort.note(0, 5_000);
        effort.note(10, 10_000);
        effort.note(1, 1_000_000);
        assert_eq!((effort.datagrams(), effort.busy_s()), (11, 0.001_01));
        assert_eq!(effort.quantile_s(0.5), Some(1.024e-6));
        let buckets: Vec<_> = effort.buckets_s().collect();
        assert_eq!(buckets.first(), Some(&(1.28e-7, 0)));
        assert!(buckets.contains(&(2.048e-6, 10)) && buckets.contains(&(0.002_097_152, 11)));
        effort.note(1, u64::MAX / 2);
        assert_eq!(
            effort.buckets_s().last().map(|(_, below)| below),
            Some(11),
            "the rest is above"
        );
    }
}
