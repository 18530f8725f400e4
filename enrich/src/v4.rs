//! IPv4 address to label set.
//!
//! DIR-24-8 with its runs packed: the first 24 bits choose a /24 directly, and prefixes longer than
//! that get 256 positions of their own. A plain DIR-24-8 has an entry for each of the 16.8 M /24
//! (64 MiB), most of them equal to their neighbours; here 64 of them are one [`Block`] of 16 bytes
//! and only runs have values. That is 4 MiB of blocks and, for a full table, about as much of
//! values: it stays in the third-level cache, where two touches cost less than one in memory
//! (measured: `benches/README.md`).
//!
//! A lookup touches a block and a value, and once more both for an address in a prefix longer than
//! /24.

use crate::block::Block;
use crate::ranges::Range;

/// Marks a value that leads to 256 positions of their own.
const DEEP: u32 = 1 << 31;
/// /24 networks in a block of the first level, as bits of the address below the block's number.
const TOP_BITS: u32 = 18;
const TOP_BLOCKS: usize = 1 << TOP_BITS;

/// The table. About 4 MiB and 4 bytes a run of equal /24 networks, 68 to 1,100 bytes for a /24 that
/// is cut up.
pub(crate) struct V4 {
    top: Box<[Block; TOP_BLOCKS]>,
    deep: Vec<[Block; 4]>,
    values: Vec<u32>,
}

impl V4 {
    /// Builds the table from ranges that cover the space. `None` if there are more than 2^31
    /// values.
    pub(crate) fn build(ranges: &[Range<u32>]) -> Option<Self> {
        let mut table = Self { top: empty_top(), deep: Vec::new(), values: vec![u32::MAX] };
        let mut walk = Walk { ranges, value: 0 };
        for number in 0..TOP_BLOCKS {
            let mut positions = [0; 64];
            for (position, entry) in positions.iter_mut().enumerate() {
                let network = (number as u32) << 14 | (position as u32) << 8;
                *entry = match walk.value_through(network, network | 0xff) {
                    Some(value) => value,
                    None => table.push_deep(&mut walk, network)?,
                };
            }
            table.top[number] = Block::pack(&positions, &mut table.values)?;
        }
        table.values.shrink_to_fit();
        Some(table)
    }

    /// Appends the 256 positions of `network` and returns the value that leads to them.
    fn push_deep(&mut self, walk: &mut Walk<'_>, network: u32) -> Option<u32> {
        let mut blocks = [Block::default(); 4];
        for (part, block) in (0..).zip(&mut blocks) {
            let mut positions = [0; 64];
            for (position, entry) in (0..).zip(&mut positions) {
                *entry = walk.value_at(network | part << 6 | position);
            }
            *block = Block::pack(&positions, &mut self.values)?;
        }
        self.deep.push(blocks);
        let index = u32::try_from(self.deep.len() - 1).ok()?;
        (index < DEEP).then_some(index | DEEP)
    }

    /// The label set of `address`.
    #[inline]
    pub(crate) fn look_up(&self, address: u32) -> u32 {
        let value = self.values[self.top_index(address)];
        if value & DEEP == 0 { value } else { self.look_deeper(address, value) }
    }

    /// The label sets of `addresses`, into `sets` of the same length. Each pass is one load per
    /// address that depends on no other, so that the processor has many of them under way at a
    /// time: what a prefetch would do, without asking for it.
    pub(crate) fn look_up_all(&self, addresses: &[u32], sets: &mut [u32]) {
        for (set, address) in sets.iter_mut().zip(addresses) {
            *set = self.top_index(*address) as u32;
        }
        let mut deep = 0;
        for set in sets.iter_mut() {
            *set = self.values[*set as usize];
            deep |= *set;
        }
        if deep & DEEP != 0 {
            for (set, address) in sets.iter_mut().zip(addresses) {
                if *set & DEEP != 0 {
                    *set = self.look_deeper(*address, *set);
                }
            }
        }
    }

    /// Bytes of memory that the table takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.top) + size_of_val(&self.deep[..]) + size_of_val(&self.values[..])
    }

    #[inline(always)]
    fn top_index(&self, address: u32) -> usize {
        self.top[(address >> (32 - TOP_BITS)) as usize].index(address >> 8)
    }

    #[inline(always)]
    fn look_deeper(&self, address: u32, value: u32) -> u32 {
        let blocks = &self.deep[(value ^ DEEP) as usize];
        self.values[blocks[(address >> 6 & 3) as usize].index(address)]
    }
}

fn empty_top() -> Box<[Block; TOP_BLOCKS]> {
    vec![Block::default(); TOP_BLOCKS].try_into().expect("made with this length")
}

/// Ranges consumed from the front while addresses ascend.
struct Walk<'a> {
    /// Those that begin after the last address asked for.
    ranges: &'a [Range<u32>],
    value: u32,
}

impl Walk<'_> {
    fn value_at(&mut self, address: u32) -> u32 {
        while let Some((range, rest)) = self.ranges.split_first()
            && range.start <= address
        {
            self.value = range.value;
            self.ranges = rest;
        }
        self.value
    }

    /// The value of all addresses from `first` to `last`; `None` if they differ.
    fn value_through(&mut self, first: u32, last: u32) -> Option<u32> {
        let value = self.value_at(first);
        self.ranges.first().is_none_or(|range| range.start > last).then_some(value)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ranges::{Prefix, cut, find};
    use crate::twin::{any_prefixes, edges, longest_match, sorted};

    fn prefix(start: u32, len: u8, value: u32) -> Prefix<u32> {
        Prefix { start, len, value }
    }

    fn table(prefixes: &[Prefix<u32>]) -> V4 {
        V4::build(&cut(prefixes, |_, own| own)).unwrap()
    }

    /// Both ways of looking up agree with the twin at `addresses`.
    fn check(prefixes: &[Prefix<u32>], addresses: &[u32]) {
        let table = table(prefixes);
        let mut found = vec![0; addresses.len()];
        table.look_up_all(addresses, &mut found);
        for (address, found) in addresses.iter().zip(&found) {
            let expected = longest_match(prefixes, *address);
            assert_eq!((*found, table.look_up(*address)), (expected, expected), "{address:#x}");
        }
    }

    #[test]
    fn edges_of_the_space() {
        let prefixes = sorted(vec![
            prefix(0, 0, 1),
            prefix(0, 32, 2),
            prefix(u32::MAX, 32, 3),
            prefix(0x0a00_0000, 8, 4),
            prefix(0x0a00_0000, 24, 5),
            prefix(0x0a00_00fe, 31, 6),
            prefix(0x0aff_fffe, 31, 7),
        ]);
        let addresses: Vec<u32> = prefixes
            .iter()
            .flat_map(|p| {
                let last = p.start | u32::MAX.checked_shr(p.len.into()).unwrap_or(0);
                [p.start, last, p.start.wrapping_sub(1), last.wrapping_add(1)]
            })
            .collect();
        check(&prefixes, &addresses);
        check(&[], &addresses);
    }

    #[test]
    fn every_address_of_a_cut_up_network() {
        let prefixes = sorted(vec![
            prefix(0xc000_0200, 24, 1),
            prefix(0xc000_0240, 26, 2),
            prefix(0xc000_0241, 32, 3),
            prefix(0xc000_02f0, 28, 4),
        ]);
        let addresses: Vec<u32> = (0xc000_01ff..=0xc000_0300).collect();
        check(&prefixes, &addresses);
    }

    /// As large as the Internet's in miniature; against binary search, since the linear twin would
    /// take hours.
    #[test]
    fn a_full_table() {
        let routes = crate::synthetic::full_table_v4(100_000, 7);
        let prefixes =
            routes.iter().map(|(net, asn)| prefix(net.network().into(), net.prefix_len(), *asn));
        let ranges = cut(&prefixes.collect::<Vec<_>>(), |_, own| own);
        let table = V4::build(&ranges).unwrap();
        for range in &ranges {
            for address in [range.start, range.start.wrapping_sub(1), range.start | 0xff] {
                assert_eq!(table.look_up(address), find(&ranges, address), "{address:#x}");
            }
        }
    }

    #[test]
    fn memory_is_as_stated() {
        let empty = table(&[]).memory_bytes();
        assert!((4 << 20..(4 << 20) + 64).contains(&empty), "{empty}");
        let host = table(&[prefix(1, 32, 1)]).memory_bytes();
        assert!(host - empty <= 100, "{host}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn equals_the_linear_twin(
            prefixes in any_prefixes(32),
            mut addresses in proptest::collection::vec(any::<u32>(), 0..200),
        ) {
            addresses.extend(edges(&prefixes).map(|address| (address >> 96) as u32));
            let prefixes = sorted(prefixes.iter().map(|p| prefix((p.start >> 96) as u32, p.len, p.value)).collect());
            check(&prefixes, &addresses);
        }
    }
}
