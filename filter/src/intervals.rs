//! Sets of numbers as sorted intervals: whatever the list was, being in it is one binary search.

/// Disjoint intervals in order, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intervals<T> {
    intervals: Box<[(T, T)]>,
}

/// A number that has a next one.
pub(crate) trait Step: Copy + Ord {
    /// The next number; `None` behind the last.
    fn next(self) -> Option<Self>;
}

macro_rules! step {
    ($($number:ty),*) => {
        $(impl Step for $number {
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
        })*
    };
}
step!(u32, u64, u128);

impl<T: Step> Intervals<T> {
    /// Sorts and merges. Intervals that are the wrong way round are empty.
    pub(crate) fn new(mut intervals: Vec<(T, T)>) -> Self {
        intervals.retain(|(low, high)| low <= high);
        intervals.sort_unstable();
        intervals.dedup_by(|(low, high), (_, last)| {
            let touches = last.next().is_none_or(|next| *low <= next);
            if touches {
                *last = (*last).max(*high);
            }
            touches
        });
        Self { intervals: intervals.into_boxed_slice() }
    }

    #[inline]
    pub(crate) fn contains(&self, number: T) -> bool {
        let behind = self.intervals.partition_point(|(low, _)| *low <= number);
        behind > 0 && number <= self.intervals[behind - 1].1
    }

    pub(crate) fn as_slice(&self) -> &[(T, T)] {
        &self.intervals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_are_merged_and_empty_ones_dropped() {
        let set = Intervals::new(vec![(9, 8), (5, 6), (0, 2), (3, 3), (1, 1), (7, u32::MAX)]);
        assert_eq!(set.as_slice(), [(0, 3), (5, u32::MAX)]);
        assert!(Intervals::<u64>::new(Vec::new()).as_slice().is_empty());
    }

    proptest! {
        #[test]
        fn a_set_is_the_union_of_its_intervals(
            list in prop::collection::vec((0u32..40, 0u32..40), 0..8),
        ) {
            let set = Intervals::new(list.clone());
            for number in 0..42 {
                let expected = list.iter().any(|(low, high)| (*low..=*high).contains(&number));
                prop_assert_eq!(set.contains(number), expected, "{}", number);
            }
            prop_assert!(set.as_slice().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
