//! IPv6 address to label set.
//!
//! A full table lives in a corner of the space and mostly between /20 and /48, so the bits are
//! taken in unequal steps: the first 20 directly (4 MiB, of which traffic touches some kilobytes),
//! the next 12 as in [`crate::v4`] (64 blocks of runs), and from /32 on 16 at a time in nodes that
//! hold only the runs there are. A node is a small search tree over the ends of its runs whose
//! lines are one cache line each: 11 runs in one line, 363 in two, any number in four.
//!
//! A lookup on a full table touches an entry of the first level (usually in the first-level cache),
//! a block, a value, and one to three lines of a node; prefixes longer than /48 add a node for each
//! 16 bits.

use crate::block::Block;
use crate::ranges::Range;

/// In the first level: leads to 64 blocks. In values: leads to a node.
const DEEPER: u32 = 1 << 31;
const ROOT_BITS: u32 = 20;
const ROOT_ENTRIES: usize = 1 << ROOT_BITS;
/// A node as a value: two bits of height, the rest is the number of its first line.
const HEIGHT_SHIFT: u32 = 29;
const LINE_MASK: u32 = (1 << HEIGHT_SHIFT) - 1;

/// Runs in a leaf line: ten ends (the last run ends where the node does) and eleven values.
const LEAF_RUNS: usize = 11;
/// Children of an inner line: 32 ends.
const CHILDREN: usize = 33;
/// Lines of a full subtree, by height: an inner line, then its children one behind the other.
const SUBTREE_LINES: [usize; 4] = {
    let mut lines = [1; 4];
    let mut height = 1;
    while height < 4 {
        lines[height] = 1 + CHILDREN * lines[height - 1];
        height += 1;
    }
    lines
};

/// A cache line of a node. Leaf: ends in 0 to 9, values in pairs (low, high) from 10 on. Inner:
/// ends of the first 32 children. Unused ends are 65535, which no position lies behind.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u16; 32]);

/// The table. 4 MiB, 1 KiB for each /20 with anything in it, and about 8 bytes a run behind /32.
pub(crate) struct V6 {
    root: Box<[u32; ROOT_ENTRIES]>,
    blocks: Vec<[Block; 64]>,
    values: Vec<u32>,
    lines: Vec<Line>,
}

impl V6 {
    /// Builds the table from ranges that cover the space. `None` if it would exceed what 29-bit
    /// line numbers reach (32 GiB).
    pub(crate) fn build(ranges: &[Range<u128>]) -> Option<Self> {
        let root: Box<[u32]> = vec![0; ROOT_ENTRIES].into();
        let mut table = Self {
            root: root.try_into().expect("made with this length"),
            blocks: Vec::new(),
            values: vec![u32::MAX],
            lines: Vec::new(),
        };
        let mut within = Within { ranges, value: 0 };
        for entry in 0..ROOT_ENTRIES {
            let part = within.take(entry as u128, 128 - ROOT_BITS);
            table.root[entry] = match part.single() {
                Some(value) => value,
                None => table.push_blocks(part, (entry as u128) << (128 - ROOT_BITS))?,
            };
        }
        table.values.shrink_to_fit();
        table.lines.shrink_to_fit();
        Some(table)
    }

    /// Appends the 4096 positions behind a /20 and returns the entry that leads to them.
    fn push_blocks(&mut self, mut within: Within<'_>, start: u128) -> Option<u32> {
        let mut blocks = [Block::default(); 64];
        for (number, block) in (0..).zip(&mut blocks) {
            let mut positions = [0; 64];
            for (position, value) in (0..).zip(&mut positions) {
                let network = (start >> 96) + (number << 6 | position);
                let part = within.take(network, 96);
                *value = match part.single() {
                    Some(value) => value,
                    None => self.push_node(part, network << 96, 80)?,
                };
            }
            *block = Block::pack(&positions, &mut self.values)?;
        }
        self.blocks.push(blocks);
        let index = u32::try_from(self.blocks.len() - 1).ok()?;
        (index < DEEPER).then_some(index | DEEPER)
    }

    /// Appends a node for the 16 bits above `shift` behind `start` and returns the value that leads
    /// to it.
    fn push_node(&mut self, mut within: Within<'_>, start: u128, shift: u32) -> Option<u32> {
        let first = start >> shift;
        // Runs as (last position, value). The borders of the ranges say where something can change
        // at all.
        let mut runs: Vec<(u16, u32)> = Vec::new();
        let mut position = 0;
        while position <= 0xffff {
            let part = within.take(first + position, shift);
            let (end, value) = match part.single() {
                Some(value) => (within.positions_alike(first, shift).max(position), value),
                None => (
                    position,
                    self.push_node(part, (first + position) << shift, shift.checked_sub(16)?)?,
                ),
            };
            match runs.last_mut() {
                Some(last) if last.1 == value => last.0 = end as u16,
                _ => runs.push((end as u16, value)),
            }
            position = end + 1;
        }
        self.push_tree(&runs)
    }

    /// Appends the lines of a node and returns the value that leads to it.
    fn push_tree(&mut self, runs: &[(u16, u32)]) -> Option<u32> {
        let mut height = 0;
        while runs.len() > LEAF_RUNS * CHILDREN.pow(height) {
            height += 1;
        }
        let index = u32::try_from(self.lines.len()).ok().filter(|index| *index <= LINE_MASK)?;
        self.push_lines(runs, height);
        Some(DEEPER | height << HEIGHT_SHIFT | index)
    }

    fn push_lines(&mut self, runs: &[(u16, u32)], height: u32) {
        let mut line = [u16::MAX; 32];
        if height == 0 {
            let last = runs.last().expect("a node has runs").1;
            for slot in 0..LEAF_RUNS {
                let value = runs.get(slot).map_or(last, |run| run.1);
                line[10 + 2 * slot] = value as u16;
                line[11 + 2 * slot] = (value >> 16) as u16;
            }
            for (end, run) in line.iter_mut().zip(&runs[..runs.len() - 1]) {
                *end = run.0;
            }
            self.lines.push(Line(line));
            return;
        }
        let child_runs = LEAF_RUNS * CHILDREN.pow(height - 1);
        let children = runs.chunks(child_runs);
        for (end, child) in line.iter_mut().zip(children.clone().take(children.len() - 1)) {
            *end = child.last().expect("chunks are not empty").0;
        }
        self.lines.push(Line(line));
        for child in children {
            self.push_lines(child, height - 1);
        }
    }

    /// The label set of `address`.
    #[inline]
    pub(crate) fn look_up(&self, address: u128) -> u32 {
        let entry = self.root[(address >> (128 - ROOT_BITS)) as usize];
        if entry & DEEPER == 0 {
            return entry;
        }
        let value = self.values[self.block_index(entry, address)];
        self.descend(value, address)
    }

    /// The label sets of `addresses`, into `sets` of the same length; in passes, as
    /// [`crate::v4::V4::look_up_all`].
    pub(crate) fn look_up_all(&self, addresses: &[u128], sets: &mut [u32]) {
        for (set, address) in sets.iter_mut().zip(addresses) {
            let entry = self.root[(address >> (128 - ROOT_BITS)) as usize];
            *set = if entry & DEEPER == 0 {
                entry
            } else {
                self.block_index(entry, *address) as u32 | DEEPER
            };
        }
        for set in sets.iter_mut() {
            if *set & DEEPER != 0 {
                *set = self.values[(*set ^ DEEPER) as usize];
            }
        }
        for (set, address) in sets.iter_mut().zip(addresses) {
            *set = self.descend(*set, *address);
        }
    }

    /// Bytes of memory that the table takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.root)
            + size_of_val(&self.blocks[..])
            + size_of_val(&self.values[..])
            + size_of_val(&self.lines[..])
    }

    #[inline(always)]
    fn block_index(&self, entry: u32, address: u128) -> usize {
        let high = (address >> 96) as u32;
        self.blocks[(entry ^ DEEPER) as usize][(high >> 6 & 63) as usize].index(high)
    }

    /// Follows nodes down from the value of a /32.
    #[inline(always)]
    fn descend(&self, mut value: u32, address: u128) -> u32 {
        let mut rest = address << 32;
        while value & DEEPER != 0 {
            value = self.search(value, (rest >> 112) as u16);
            rest <<= 16;
        }
        value
    }

    #[inline(always)]
    fn search(&self, node: u32, position: u16) -> u32 {
        let mut line = (node & LINE_MASK) as usize;
        let mut height = (node >> HEIGHT_SHIFT & 3) as usize;
        while height > 0 {
            height -= 1;
            let child = count_before(&self.lines[line].0, position);
            line += 1 + child * SUBTREE_LINES[height];
        }
        let Line(leaf) = &self.lines[line];
        let ends: &[u16; 10] = leaf[..10].try_into().expect("ten of 32");
        let run = count_before(ends, position);
        // At most ten ends lie before it, so the pair ends at 31.
        let at = 10 + 2 * run;
        u32::from(leaf[at & 31]) | u32::from(leaf[(at + 1) & 31]) << 16
    }
}

/// How many of the ends lie before `position`. Without branches: the compiler compares a line at
/// once.
#[inline(always)]
fn count_before<const N: usize>(ends: &[u16; N], position: u16) -> usize {
    usize::from(ends.iter().map(|end| u16::from(*end < position)).sum::<u16>())
}

/// Ranges within a part of the space, consumed from the front while addresses ascend.
#[derive(Clone, Copy)]
struct Within<'a> {
    ranges: &'a [Range<u128>],
    /// In force before the first of them.
    value: u32,
}

impl<'a> Within<'a> {
    /// Takes the ranges that begin in the network numbered `number` of size 2^`shift`.
    fn take(&mut self, number: u128, shift: u32) -> Self {
        let first = number << shift;
        let last = first | ((1 << shift) - 1);
        while let Some((range, rest)) = self.ranges.split_first()
            && range.start <= first
        {
            self.value = range.value;
            self.ranges = rest;
        }
        let count = self.ranges.iter().take_while(|range| range.start <= last).count();
        let part = Self { ranges: &self.ranges[..count], value: self.value };
        self.ranges = &self.ranges[count..];
        if let Some(range) = part.ranges.last() {
            self.value = range.value;
        }
        part
    }

    /// The value, if there is only one.
    fn single(&self) -> Option<u32> {
        self.ranges.is_empty().then_some(self.value)
    }

    /// The last of the 65536 positions of size 2^`shift` from `first` on that lies wholly before
    /// the next range.
    fn positions_alike(&self, first: u128, shift: u32) -> u128 {
        let next = self.ranges.first().map_or(u128::MAX, |range| range.start >> shift);
        (next.saturating_sub(first)).saturating_sub(1).min(0xffff)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ranges::{Address as _, Prefix, cut, find};
    use crate::twin::{any_prefixes, edges, longest_match, sorted};

    fn prefix(text: &str, value: u32) -> Prefix<u128> {
        let net: ipnet::Ipv6Net = text.parse().unwrap();
        Prefix { start: net.network().into(), len: net.prefix_len(), value }
    }

    /// Both ways of looking up agree with the twin at `addresses` and at the edges of all prefixes.
    fn check(prefixes: &[Prefix<u128>], mut addresses: Vec<u128>) {
        addresses.extend(edges(prefixes));
        let table = V6::build(&cut(prefixes, |_, own| own)).unwrap();
        let mut found = vec![0; addresses.len()];
        table.look_up_all(&addresses, &mut found);
        for (address, found) in addresses.iter().zip(&found) {
            let expected = longest_match(prefixes, *address);
            assert_eq!((*found, table.look_up(*address)), (expected, expected), "{address:#x}");
        }
    }

    #[test]
    fn edges_of_the_space_and_of_every_step() {
        let prefixes = [
            "::/0",
            "::/128",
            "::1/128",
            "2000::/3",
            "2001::/20",
            "2001:db8::/32",
            "2001:db8::/33",
            "2001:db8:0:1::/64",
            "2001:db8:1::/48",
            "2001:db8:1:2:3::/80",
            "2001:db8:1:2:3:4::/96",
            "2001:db8:1:2:3:4:5::/112",
            "2001:db8:1:2:3:4:5:6/128",
            "2001:db8:ffff:ffff::/64",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
            "2003:0:8000::/33",
            "2002::/16",
        ];
        let prefixes =
            sorted(prefixes.iter().zip(1..).map(|(text, value)| prefix(text, value)).collect());
        check(&prefixes, vec![0, u128::MAX, 1 << 127]);
        check(&[], vec![0, u128::MAX]);
    }

    /// As large as the Internet's in miniature; against binary search, since the linear twin would
    /// take hours.
    #[test]
    fn a_full_table() {
        let routes = crate::synthetic::full_table_v6(50_000, 7);
        let prefixes = routes.iter().map(|(net, asn)| Prefix {
            start: net.network().into(),
            len: net.prefix_len(),
            value: *asn,
        });
        let ranges = cut(&prefixes.collect::<Vec<_>>(), |_, own| own);
        let table = V6::build(&ranges).unwrap();
        for range in &ranges {
            for address in [range.start, range.start.wrapping_sub(1), range.start | 1 << 79] {
                assert_eq!(table.look_up(address), find(&ranges, address), "{address:#x}");
            }
        }
    }

    /// Enough runs behind one /32 for search trees of each height.
    #[test]
    fn nodes_of_every_height() {
        let base = 0x2001_0db8_u128 << 96;
        for runs in [1, 5, 6, 11, 12, 181, 182, 363, 364, 5989, 5990, 6100, 32768] {
            // Every other /48, so that each makes two runs.
            let network = |number: u128| base | number << 81;
            let prefixes: Vec<_> = (0..runs)
                .map(|number| Prefix { start: network(number), len: 48, value: number as u32 + 1 })
                .collect();
            let table = V6::build(&cut(&prefixes, |_, own| own)).unwrap();
            for number in 0..32768 {
                let inside = if number < runs { number as u32 + 1 } else { 0 };
                assert_eq!(table.look_up(network(number)), inside);
                assert_eq!(table.look_up(network(number).last(48)), inside);
                assert_eq!(table.look_up(network(number) | 1 << 80), 0);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn equals_the_linear_twin(
            prefixes in any_prefixes(128),
            addresses in proptest::collection::vec(any::<u128>(), 0..100),
        ) {
            check(&prefixes, addresses);
        }
    }
}
