//! Pseudo-random numbers that are the same for a seed on every machine and with every compiler:
//! ground truth that tests and benches quote must not move when a crate changes its algorithm.
//! SplitMix64 (Steele, Lea, Flood 2014), integers only.

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// The stream of `seed`. Neighbouring seeds give unrelated streams.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: mix(seed) }
    }

    /// 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `percent` times in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A rank below `2^bits` whose popularity falls as one over the rank (Zipf, exponent 1): each
    /// octave of ranks is as likely as every other.
    pub(crate) fn zipf(&mut self, bits: u32) -> u64 {
        let octave = self.below(u64::from(bits) + 1);
        if octave == 0 {
            return 0;
        }
        let low = 1 << (octave - 1);
        low + self.below(low)
    }

    /// A size from 1 to `2^bits_max - 1` with a heavy tail (Pareto, exponent 1): each octave is
    /// half as likely as the one below.
    pub(crate) fn pareto(&mut self, bits_max: u32) -> u64 {
        let octave = self.next().trailing_zeros().min(bits_max - 1);
        (1 << octave) + self.below(1 << octave)
    }

    /// One of `choices`, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let total = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.below(total);
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        // Unreachable while `below` keeps its word; the last choice is as good as any.
        choices[choices.len() - 1].1
    }
}

/// A bijection of 64 bits that looks random: also used to scatter ranks over addresses.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_never_changes() {
        // The published first outputs of SplitMix64 for state 0.
        let mut random = Random::new(0);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn zipf_gives_every_octave_its_share_and_stays_below_the_bound() {
        let mut random = Random::new(7);
        let mut octaves = [0u32; 9];
        for _ in 0..90_000 {
            let rank = random.zipf(8);
            assert!(rank < 256);
            octaves[(u64::BITS - rank.leading_zeros()) as usize] += 1;
        }
        assert!(octaves.iter().all(|count| (9_500..10_500).contains(count)), "{octaves:?}");
    }

    #[test]
    fn pareto_halves_with_every_octave_and_stays_below_the_bound() {
        let mut random = Random::new(7);
        let mut octaves = [0u32; 17];
        for _ in 0..64_000 {
            let size = random.pareto(16);
            assert!((1..1 << 16).contains(&size));
            octaves[(u64::BITS - size.leading_zeros()) as usize] += 1;
        }
        assert!((31_000..33_000).contains(&octaves[1]), "{octaves:?}");
        assert!((15_000..17_000).contains(&octaves[2]), "{octaves:?}");
        assert!(octaves[9] > 50, "no tail: {octaves:?}");
    }

    #[test]
    fn weights_are_kept() {
        let mut random = Random::new(7);
        let hits = (0..10_000).filter(|_| random.weighted(&[(3, true), (7, false)])).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
    }
}
