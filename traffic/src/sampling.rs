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
    per_s: f64,
    taken: u64,
    second_s: u64,
}

/// The smallest flows stand for so many at most: beyond, the thread takes the time that it takes.
const K_MAX: f64 = 4096.0;

impl Sampler {
    pub(crate) fn new(per_s: u64) -> Self {
        Self {
            random: Random::new(0x9e37_79b9_7f4a_7c15),
            k: 1.0,
            per_s: per_s.max(1) as f64,
            taken: 0,
            second_s: 0,
        }
    }

    /// For how many a flow stands, itself included; `None` if it is left to others.
    #[inline]
    pub(crate) fn admit(&mut self, sums: &Sums, means: &Sums) -> Option<f64> {
        if self.k > 1.0 {
            let size = (sums.bytes / means.bytes).max(sums.packets / means.packets).max(1.0);
            let share = size / self.k;
            if share < 1.0 {
                if self.random.unit() >= share {
                    return None;
                }
                self.count();
                return Some(1.0 / share);
            }
        }
        self.count();
        Some(1.0)
    }

    /// Does not wait for the second's end when far too many come.
    #[inline]
    fn count(&mut self) {
        self.taken += 1;
        if self.taken as f64 > self.per_s {
            self.taken = 0;
            self.k = (self.k * 2.0).min(K_MAX);
        }
    }

    /// Looks at the second that is over, and takes more if there is time for it.
    pub(crate) fn adapt(&mut self, now_s: u64) {
        let seconds = now_s.saturating_sub(self.second_s);
        if seconds == 0 {
            return;
        }
        let per_s = self.taken as f64 / seconds as f64;
        self.second_s = now_s;
        self.taken = 0;
        // Halved as slowly as that so that it does not swing between two rates.
        if per_s < self.per_s / 2.0 {
            self.k = (self.k / 1.25).max(1.0);
        }
    }

    pub(crate) fn k(&self) -> f64 {
        self.k
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEANS: Sums = Sums { bytes: 1000.0, packets: 2.0, flows: 1.0 };

    #[test]
    fn below_the_rate_every_flow_is_taken() {
        let mut sampler = Sampler::new(100);
        for second in 1..=3 {
            for _ in 0..100 {
                assert_eq!(sampler.admit(&Sums::default(), &MEANS), Some(1.0));
            }
            sampler.adapt(second);
        }
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
                    assert_eq!(sampler.admit(&large, &MEANS), Some(1.0));
                } else if let Some(times) = sampler.admit(&small, &MEANS) {
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
