//! A label set as one number, so that it is compared and hashed at once.

use crate::flowdata::{LABELS, Label};
use crate::names::Name;

/// The value of each label; those that are left out are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LabelSet(u128);

/// Bits of each label's name: what is written from a port or a version has few texts, protocols and countries
/// a thousand, and of routers, customers, peers and AS there are as many as there are label sets.
const BITS: [u32; LABELS] = [25, 2, 4, 10, 2, 25, 25, 25, 10];
/// Where they begin; the first label's are on top, so that label sets are in its order.
const SHIFTS: [u32; LABELS] = {
    let mut shifts = [0; LABELS];
    let (mut label, mut end) = (0, u128::BITS);
    while label < LABELS {
        end -= BITS[label];
        shifts[label] = end;
        label += 1;
    }
    shifts
};

impl LabelSet {
    /// Names that a label may have at most: their numbers are below it.
    pub(crate) const fn names_max(label: Label) -> usize {
        1 << BITS[label as usize]
    }

    /// All ones at these labels.
    pub(crate) fn mask(labels: impl Fn(Label) -> bool) -> Self {
        let mut mask = Self::default();
        for label in Label::ALL.into_iter().filter(|label| labels(*label)) {
            mask.put(label, (Self::names_max(label) - 1) as Name);
        }
        mask
    }

    /// The same label in all of those of `mask`.
    pub(crate) fn all(mask: Self, name: Name) -> Self {
        let mut all = Self::default();
        Label::ALL.into_iter().for_each(|label| all.put(label, name));
        all.of(mask)
    }

    /// Puts a label in that was empty.
    #[inline]
    pub(crate) fn put(&mut self, label: Label, name: Name) {
        debug_assert!((name as usize) < Self::names_max(label));
        self.0 |= u128::from(name) << SHIFTS[label as usize];
    }

    /// A label's value.
    #[inline]
    pub(crate) fn name(self, label: Label) -> Name {
        (self.0 >> SHIFTS[label as usize]) as Name & (Self::names_max(label) - 1) as Name
    }

    /// With those of `other` that were empty here.
    #[inline]
    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Only the labels of `mask`.
    #[inline]
    pub(crate) fn of(self, mask: Self) -> Self {
        Self(self.0 & mask.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_bit_is_a_labels() {
        assert_eq!(BITS.iter().sum::<u32>(), u128::BITS);
        assert_eq!(LabelSet::mask(|_| true).0, u128::MAX);
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out(names in any::<[Name; LABELS]>(), kept in any::<[bool; LABELS]>()) {
            let name = |label| names[label as usize] % LabelSet::names_max(label) as Name;
            let mut set = LabelSet::default();
            Label::ALL.into_iter().for_each(|label| set.put(label, name(label)));
            let some = set.of(LabelSet::mask(|label| kept[label as usize]));
            for label in Label::ALL {
                prop_assert_eq!(set.name(label), name(label));
                let left = if kept[label as usize] { name(label) } else { 0 };
                prop_assert_eq!(some.name(label), left);
            }
        }
    }
}
