//! Chance for sampling: fast, and of no use to anybody who wants to guess keys.

/// Xorshift64* (Vigna 2016).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// `seed` 0 is taken for another.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// Evenly from 0 to 1, 1 left out.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
