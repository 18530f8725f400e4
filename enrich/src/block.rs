//! 64 neighbouring positions in 16 bytes: a bit where a run of equal values begins, and where the
//! values are.

/// A position's value is found by counting the runs that begin at or before it.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(16))]
pub(crate) struct Block {
    /// Bit `n`: a run begins at position `n`. Bit 0 is always set.
    starts: u64,
    /// Index of the first run's value, less one, since counting starts with one.
    before: u32,
}

impl Block {
    /// Packs 64 values, appending those of the runs to `values`, which is not empty. `None` if an
    /// index does not fit.
    pub(crate) fn pack(positions: &[u32; 64], values: &mut Vec<u32>) -> Option<Self> {
        // A block that goes on with the last value of the one before shares it.
        let shared = usize::from(values.last() == positions.first());
        let first = values.len() - shared;
        let mut starts = 0;
        let mut last = None;
        for (position, value) in positions.iter().enumerate() {
            if last != Some(*value) {
                starts |= 1 << position;
                if position > 0 || shared == 0 {
                    values.push(*value);
                }
                last = Some(*value);
            }
        }
        Some(Self { starts, before: u32::try_from(first).ok()?.checked_sub(1)? })
    }

    /// Where the value of `position` (0 to 63) is.
    #[inline(always)]
    pub(crate) const fn index(self, position: u32) -> usize {
        let up_to = self.starts << (63 - (position & 63));
        self.before as usize + up_to.count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_finds_its_value() {
        let mut values = vec![0];
        let mut positions = [7; 64];
        positions[1..5].fill(8);
        positions[63] = 9;
        let one = Block::pack(&positions, &mut values).expect("small");
        let two = Block::pack(&[9; 64], &mut values).expect("small");
        assert_eq!(values, [0, 7, 8, 7, 9]);
        for (position, value) in positions.iter().enumerate() {
            assert_eq!(values[one.index(position as u32)], *value);
            assert_eq!(values[two.index(position as u32)], 9);
        }
    }
}
