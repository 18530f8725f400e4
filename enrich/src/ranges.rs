//! Prefixes to ranges: the address space of one family cut where a value changes.
//!
//! In: prefixes of one source, in any order, nested as they like. Out: ranges that cover the whole
//! space, each with the value of the longest prefix around it. [`merge`] lays the ranges of several
//! sources over each other, so that the tables ([`crate::v4`], [`crate::v6`]) are built once for
//! all of them. Cost: a sort of the prefixes and one walk; memory 8 bytes a range for IPv4 and 32
//! for IPv6. Lookup by binary search is here too: for the exporter rules, which are few, and as the
//! middle-sized twin of the fast tables in tests.

/// An address as a number: `u32` for IPv4, `u128` for IPv6.
pub(crate) trait Address: Copy + Ord + std::fmt::Debug {
    /// The first address.
    const MIN: Self;
    /// The first address of the prefix of `len` bits that holds this one.
    #[must_use]
    fn first(self, len: u8) -> Self;
    /// The last address of the prefix of `len` bits that holds this one.
    #[must_use]
    fn last(self, len: u8) -> Self;
    /// The address after this one; `None` after the last.
    #[must_use]
    fn next(self) -> Option<Self>;
}

macro_rules! address {
    ($number:ty) => {
        impl Address for $number {
            const MIN: Self = 0;
            fn first(self, len: u8) -> Self {
                self & !(<$number>::MAX.checked_shr(u32::from(len)).unwrap_or(0))
            }
            fn last(self, len: u8) -> Self {
                self | <$number>::MAX.checked_shr(u32::from(len)).unwrap_or(0)
            }
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
        }
    };
}
address!(u32);
address!(u128);

/// A prefix of a source and what the source says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix<A> {
    /// Its first address.
    pub(crate) start: A,
    /// Its length in bits.
    pub(crate) len: u8,
    /// Index of what it stands for; 0 means "nothing", which a longer prefix may say to undo a
    /// shorter one.
    pub(crate) value: u32,
}

/// Addresses from `start` up to the next range's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range<A> {
    /// The first address.
    pub(crate) start: A,
    /// What they stand for; 0 means "nothing".
    pub(crate) value: u32,
}

/// Cuts the space at the borders of `prefixes`, which are sorted by start and length and hold no
/// prefix twice. A longer prefix hides the shorter ones around it, except that its value is
/// `overlay(outer value, own value)`.
pub(crate) fn cut<A: Address>(
    prefixes: &[Prefix<A>],
    mut overlay: impl FnMut(u32, u32) -> u32,
) -> Vec<Range<A>> {
    let mut ranges = Ranges::with_capacity(prefixes.len() + prefixes.len() / 4);
    // The prefixes around the current one, outermost first, with their last addresses.
    let mut around: Vec<(A, u32)> = Vec::new();
    for prefix in prefixes {
        ranges.leave(&mut around, Some(prefix.start));
        let outer = around.last().map_or(0, |(_, value)| *value);
        let value = overlay(outer, prefix.value);
        ranges.begin(prefix.start, value);
        around.push((prefix.start.last(prefix.len), value));
    }
    ranges.leave(&mut around, None);
    ranges.0
}

/// Ranges under construction: starts ascend, neighbours differ.
struct Ranges<A>(Vec<Range<A>>);

impl<A: Address> Ranges<A> {
    fn with_capacity(ranges: usize) -> Self {
        let mut vec = Vec::with_capacity(ranges + 1);
        vec.push(Range { start: A::MIN, value: 0 });
        Self(vec)
    }

    fn begin(&mut self, start: A, value: u32) {
        if self.0.last().is_some_and(|last| last.start == start) {
            self.0.pop();
        }
        if self.0.last().is_none_or(|last| last.value != value) {
            self.0.push(Range { start, value });
        }
    }

    /// Ends the prefixes that end before `until`; behind each the one around it goes on.
    fn leave(&mut self, around: &mut Vec<(A, u32)>, until: Option<A>) {
        while let Some((last, _)) = around.last().copied() {
            if until.is_some_and(|until| last >= until) {
                return;
            }
            around.pop();
            if let Some(next) = last.next() {
                self.begin(next, around.last().map_or(0, |(_, value)| *value));
            }
        }
    }
}

/// Lays the ranges of several sources over each other. Each resulting range's value is what
/// `intern` makes of the values that the sources have there, in their order.
pub(crate) fn merge<A: Address>(
    sources: &[Vec<Range<A>>],
    mut intern: impl FnMut(&[u32]) -> u32,
) -> Vec<Range<A>> {
    let mut merged = Ranges::with_capacity(sources.iter().map(Vec::len).max().unwrap_or(0));
    let mut values = vec![0; sources.len()];
    let mut next = vec![0; sources.len()];
    let mut start = Some(A::MIN);
    while let Some(at) = start {
        start = None;
        for ((ranges, next), value) in sources.iter().zip(&mut next).zip(&mut values) {
            if ranges.get(*next).is_some_and(|range| range.start == at) {
                *value = ranges[*next].value;
                *next += 1;
            }
            if let Some(range) = ranges.get(*next) {
                start = Some(start.map_or(range.start, |start: A| start.min(range.start)));
            }
        }
        merged.begin(at, intern(&values));
    }
    merged.0
}

/// The value at `address`, by binary search. `ranges` begin at the first address.
pub(crate) fn find<A: Address>(ranges: &[Range<A>], address: A) -> u32 {
    let after = ranges.partition_point(|range| range.start <= address);
    after.checked_sub(1).map_or(0, |index| ranges[index].value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(start: u32, len: u8, value: u32) -> Prefix<u32> {
        Prefix { start, len, value }
    }

    fn cut_plain(prefixes: &[Prefix<u32>]) -> Vec<(u32, u32)> {
        cut(prefixes, |_, own| own).iter().map(|range| (range.start, range.value)).collect()
    }

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(0xc000_0200_u32.last(24), 0xc000_02ff);
        assert_eq!((0_u32.last(0), 7_u32.last(32)), (u32::MAX, 7));
        assert_eq!((0_u128.last(0), 7_u128.last(128)), (u128::MAX, 7));
        assert_eq!((7_u32.next(), u32::MAX.next()), (Some(8), None));
    }

    #[test]
    fn a_longer_prefix_hides_the_one_around_it() {
        let ranges = cut_plain(&[
            prefix(0x0a00_0000, 8, 1),
            prefix(0x0a00_0000, 24, 2),
            prefix(0x0a00_0080, 32, 3),
            prefix(0x0aff_ff00, 24, 4),
        ]);
        let expected = [
            (0, 0),
            (0x0a00_0000, 2),
            (0x0a00_0080, 3),
            (0x0a00_0081, 2),
            (0x0a00_0100, 1),
            (0x0aff_ff00, 4),
            (0x0b00_0000, 0),
        ];
        assert_eq!(ranges, expected);
    }

    #[test]
    fn the_whole_space_and_its_edges() {
        let ranges = cut_plain(&[prefix(0, 0, 1), prefix(0, 32, 2), prefix(u32::MAX, 32, 3)]);
        assert_eq!(ranges, [(0, 2), (1, 1), (u32::MAX, 3)]);
        assert_eq!(cut_plain(&[]), [(0, 0)]);
        assert_eq!(cut_plain(&[prefix(0, 1, 5), prefix(1 << 31, 1, 5)]), [(0, 5)]);
    }

    #[test]
    fn merged_ranges_change_where_any_source_does() {
        let one = cut(&[prefix(10, 31, 1)], |_, own| own);
        let two = cut(&[prefix(8, 29, 2), prefix(11, 32, 0)], |_, own| own);
        let merged = merge(&[one, two], |values| values[0] * 10 + values[1]);
        let merged: Vec<_> = merged.iter().map(|range| (range.start, range.value)).collect();
        assert_eq!(merged, [(0, 0), (8, 2), (10, 12), (11, 10), (12, 2), (16, 0)]);
    }

    #[test]
    fn overlay_sees_the_value_around() {
        let ranges =
            cut(&[prefix(0, 8, 1), prefix(0, 16, 2), prefix(0, 24, 4)], |outer, own| outer + own);
        assert_eq!(find(&ranges, 0), 7);
        assert_eq!(find(&ranges, 0x100), 3);
        assert_eq!(find(&ranges, 0x1_0000), 1);
        assert_eq!(find(&ranges, u32::MAX), 0);
    }
}
