//! Slow, obvious twins for tests: longest match by looking at every prefix.

use proptest::prelude::*;

use crate::ranges::{Address, Prefix};

/// The value of the longest of `prefixes` around `address`.
pub(crate) fn longest_match<A: Address>(prefixes: &[Prefix<A>], address: A) -> u32 {
    prefixes
        .iter()
        .filter(|prefix| prefix.start <= address && address <= prefix.start.last(prefix.len))
        .max_by_key(|prefix| prefix.len)
        .map_or(0, |prefix| prefix.value)
}

/// Sorted, no prefix twice, as sources have them.
pub(crate) fn sorted<A: Address>(mut prefixes: Vec<Prefix<A>>) -> Vec<Prefix<A>> {
    prefixes.sort_by_key(|prefix| (prefix.start, prefix.len));
    prefixes.dedup_by_key(|prefix| (prefix.start, prefix.len));
    prefixes
}

/// The addresses at which something can change: both ends of each prefix, and their neighbours.
pub(crate) fn edges(prefixes: &[Prefix<u128>]) -> impl Iterator<Item = u128> {
    prefixes.iter().flat_map(|prefix| {
        let last = prefix.start.last(prefix.len);
        [prefix.start, last, prefix.start.wrapping_sub(1), last.wrapping_add(1)]
    })
}

/// Prefixes of up to `bits` bits that crowd into few places, so that they nest and touch. As
/// 128-bit numbers with the address in the upper `bits`.
pub(crate) fn any_prefixes(bits: u8) -> impl Strategy<Value = Vec<Prefix<u128>>> {
    let place = prop_oneof![
        Just(0_u128),
        Just(u128::MAX),
        Just(0x2001_0db8 << 96),
        Just(0x2001_0db8_0001_0002 << 64),
        any::<u128>(),
    ];
    let near = prop_oneof![Just(0_u128), any::<u16>().prop_map(u128::from), any::<u128>()];
    let prefix = (place, near, 0..128_u32, 0..=bits, 1..9_u32);
    let prefix = prefix.prop_map(move |(place, near, shift, len, value)| {
        let start = place ^ near.checked_shl(shift).unwrap_or(0);
        let start = start & !(u128::MAX.checked_shr(len.into()).unwrap_or(0));
        Prefix { start, len, value }
    });
    proptest::collection::vec(prefix, 0..60).prop_map(sorted)
}
