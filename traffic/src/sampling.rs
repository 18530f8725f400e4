//! Which flows go into the sketches when there are more than the thread has time for.
//!
//! A flow is taken with a probability that grows with its size and weighed by the inverse, so sums stay
//! right on average and large flows are always in (threshold sampling: Duffield, Lund and Thorup
//! 2005). With `k` as the sampler has it, means `m` and a key's true sum `x`, the standard deviation
//! of its figure is at most `sqrt(k m x)`, for bytes, packets and flows (mean 1) alike.

use crate::Sums;
use crate::random::Random;

/// The sampler: adapts each second to what came.
pub(crate) struct Sampler {
    random: Random,
    /// 1: every flow is taken. Beyond, the smallest are taken with a probability of `1 / k`.
    k: f64,
    /// What a flow is, by the second before.
    means: Sums,
    per_s: f64,
    taken: u64,
    /// Of all flows of this second.
    totals: Sums,
    second_s: u64,
}

/// The smallest flows stand for so many at most: beyond, the thread takes the time that it takes.
const K_MAX: f64 = 4096.0;

impl Sampler {
    pub(crate) fn new(per_s: u64) -> Self {
        Self {
            random: Random::new(0x9e37_79b9_7f4a_7c15),
            k: 1.0,
            means: Sums { bytes: 1.0, packets: 1.0, flows: 1.0 },
            per_s: per_s.max(1) as f64,
            taken: 0,
            totals: Sums::default(),
            second_s: 0,
        }
    }

    /// For how many a flow stands, itself included; `None` if it is left to others.
    #[inline]
    pub(crate) fn admit(&mut self, sums: &Sums) -> Option<f64> {
        self.totals.add(sums, 1.0);
        let mut times = 1.0;
        if self.k > 1.0 {
            let size = (sums.bytes / self.means.bytes).max(sums.packets / self.means.packets);
            let share = size.max(1.0) / self.k;
            if share < 1.0 {
                if self.random.unit() >= share {
                    return None;
                }
                times = 1.0 / share;
            }
        }
        self.taken += 1;
        if self.taken as f64 > self.per_s {
            self.take_less();
        }
        Some(times)
    }

    /// Does not wait for the second's end when far too many come.
    #[cold]
    fn take_less(&mut self) {
        self.taken = 0;
        self.means = self.totals.means(&self.means);
        self.k = (self.k * 2.0).min(K_MAX);
    }

    /// Looks at the second that is over, and takes more if there is time for it.
    pub(crate) fn adapt(&mut self, now_s: u64) {
        if now_s == self.second_s {
            return;
        }
        // A clock that was set back does not say how long it was.
        let seconds = now_s.saturating_sub(self.second_s).max(1);
        let per_s = self.taken as f64 / seconds as f64;
        self.means = self.totals.means(&self.means);
        (self.second_s, self.taken, self.totals) = (now_s, 0, Sums::default());
        // Slowly, so that it does not swing between two rates.
        if per_s < self.per_s / 2.0 {
            self.k = (self.k / 1.25).max(1.0);
        }
    }

    /// See [`crate::Sampling`]: how many the smallest stand for, and the variance of a figure by its size.
    pub(crate) fn spread(&self) -> (f64, Sums) {
        let k = self.k;
        if k <= 1.0 {
            return (1.0, Sums::default());
        }
        let Sums { bytes, packets, .. } = self.means;
        (k, Sums { bytes: k * bytes, packets: k * packets, flows: k })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_the_rate_every_flow_is_taken() {
        let mut sampler = Sampler::new(100);
        for second in 1..=3 {
            for _ in 0..100 {
                assert_eq!(sampler.admit(&Sums::default()), Some(1.0));
            }
            sampler.adapt(second);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_it() {
        let mut sampler = Sampler::new(100);
        sampler.adapt(10_000);
        for _ in 0..1000 {
            sampler.admit(&Sums::default());
        }
        assert!(sampler.spread().0 > 1.0);
        for second in 3000..3100 {
            sampler.adapt(second);
        }
        assert_eq!(sampler.spread().0, 1.0, "there was time for all again");
    }

    /// Sums stay right on average, large flows exact, and the rate is held.
    #[test]
    fn above_it_flows_stand_for_others() {
        let mut sampler = Sampler::new(1000);
        let small = Sums { bytes: 500.0, packets: 1.0, flows: 1.0 };
        let large = Sums { bytes: 1e9, packets: 1e6, flows: 1.0 };
        let (mut estimate, mut taken, mut offered) = (0.0, 0, 0.0);
        for second in 1..=200 {
            for number in 0..20_000 {
                if number == 7 {
                    assert_eq!(sampler.admit(&large), Some(1.0));
                } else if let Some(times) = sampler.admit(&small) {
                    estimate += small.bytes * times;
                    taken += 1;
                }
            }
            offered += 19_999.0 * small.bytes;
            sampler.adapt(second);
        }
        assert!(taken < 200 * 2000, "{taken} of {offered} bytes");
        assert!((estimate / offered - 1.0).abs() < 0.02, "{estimate} for {offered}");
    }
}
