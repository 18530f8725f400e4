//! A full table made up: prefixes with the lengths and the crowding of the Internet's, for tests
//! and benches.
//!
//! Address space is handed out front to back in blocks, as registries do; each block has a holder,
//! who announces it and cuts more specific prefixes out of it, mostly /24 and /48. Deterministic:
//! the same seed gives the same table on every machine.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Numbers that look random (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn next_wide(&mut self) -> u128 {
        u128::from(self.number()) << 64 | u128::from(self.number())
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// One of the lengths, each as often as its weight says.
    fn length(&mut self, weights: &[(u8, u64)]) -> u8 {
        let mut left = self.below(weights.iter().map(|(_, weight)| weight).sum());
        for (len, weight) in weights {
            if left < *weight {
                return *len;
            }
            left -= weight;
        }
        weights[0].0
    }
}

/// AS numbers in use.
const ASES: u64 = 80_000;

/// How a family's space is handed out.
struct Family {
    bits: u8,
    blocks: &'static [(u8, u64)],
    specifics: &'static [(u8, u64)],
    /// Space per registry region: first address, length, as the upper 32 bits.
    regions: &'static [(u32, u8)],
    /// Of how many blocks one has many specifics, and how many at most.
    crowded: (u64, u64),
}

const V4: Family = Family {
    bits: 32,
    blocks: &[
        (13, 1),
        (14, 4),
        (15, 6),
        (16, 30),
        (17, 20),
        (18, 40),
        (19, 70),
        (20, 120),
        (21, 120),
        (22, 260),
        (23, 120),
        (24, 400),
    ],
    specifics: &[(24, 700), (23, 90), (22, 110), (21, 40), (20, 40), (19, 20)],
    regions: &[(0x0100_0000, 0)],
    crowded: (20, 150),
};

const V6: Family = Family {
    bits: 128,
    blocks: &[(32, 600), (29, 150), (48, 250), (36, 30), (28, 10), (40, 40)],
    specifics: &[
        (48, 600),
        (44, 90),
        (40, 100),
        (36, 70),
        (33, 20),
        (34, 20),
        (35, 15),
        (46, 20),
        (47, 20),
        (42, 20),
        (64, 3),
    ],
    regions: &[
        (0x2001_0000, 16),
        (0x2400_0000, 12),
        (0x2600_0000, 12),
        (0x2800_0000, 12),
        (0x2a00_0000, 12),
        (0x2c00_0000, 12),
    ],
    crowded: (40, 900),
};

/// `count` IPv4 prefixes with their origin AS, without repetitions, sorted.
#[must_use]
pub fn full_table_v4(count: usize, seed: u64) -> Vec<(Ipv4Net, u32)> {
    let prefixes = hand_out(&V4, count, seed);
    let prefixes = prefixes.into_iter().map(|(start, len, asn)| {
        let address = Ipv4Addr::from((start >> 96) as u32);
        (Ipv4Net::new(address, len).expect("at most 32"), asn)
    });
    prefixes.collect()
}

/// `count` IPv6 prefixes with their origin AS, without repetitions, sorted.
#[must_use]
pub fn full_table_v6(count: usize, seed: u64) -> Vec<(Ipv6Net, u32)> {
    let prefixes = hand_out(&V6, count, seed);
    let prefixes = prefixes.into_iter().map(|(start, len, asn)| {
        (Ipv6Net::new(Ipv6Addr::from(start), len).expect("at most 128"), asn)
    });
    prefixes.collect()
}

fn hand_out(family: &Family, count: usize, seed: u64) -> Vec<(u128, u8, u32)> {
    let mut random = Random(seed);
    let mut prefixes = HashMap::with_capacity(count);
    let starts = family.regions.iter().map(|(start, _)| u128::from(*start) << 96);
    let mut next: Vec<u128> = starts.collect();
    let mut region = 0;
    while prefixes.len() < count {
        let len = random.length(family.blocks);
        let size = 1_u128 << (128 - len);
        region = (region + 1) % next.len();
        let start = next[region].next_multiple_of(size);
        // IPv6 is handed out with room to grow.
        let gap = if family.bits == 128 { size * u128::from(random.below(4)) } else { 0 };
        next[region] = start + size + gap;
        if next[region] >= family.end(region) {
            // All handed out: parts are sold on.
            next[region] = u128::from(family.regions[region].0) << 96;
            continue;
        }
        // Most announcements are of few holders.
        let holders = 1 + random.below(ASES);
        let asn = 1 + random.below(holders) as u32;
        prefixes.insert((start, len), asn);
        for _ in 0..family.specifics_of_a_block(&mut random) {
            let specific = random.length(family.specifics);
            if specific > len && prefixes.len() < count {
                let inside = random.next_wide() & (size - 1) & !((1 << (128 - specific)) - 1);
                // Some customers of the holder have an AS of their own.
                let own = random.below(3) == 0;
                let asn = if own { 1 + random.below(ASES) as u32 } else { asn };
                prefixes.insert((start | inside, specific), asn);
            }
        }
    }
    let mut prefixes: Vec<_> =
        prefixes.into_iter().map(|((start, len), asn)| (start, len, asn)).collect();
    prefixes.sort_unstable();
    prefixes
}

impl Family {
    /// The address behind a region.
    fn end(&self, region: usize) -> u128 {
        match self.regions[region] {
            // IPv4: up to multicast.
            (_, 0) => 0xe000_0000 << 96,
            (first, len) => (u128::from(first) << 96) + (1 << (128 - len)),
        }
    }

    fn specifics_of_a_block(&self, random: &mut Random) -> u64 {
        let crowded = random.below(self.crowded.0) == 0;
        random.below(if crowded { self.crowded.1 } else { 4 })
    }
}

/// `count` customer prefixes with customer numbers from 100 on: cut out of the announced ones, a
/// fifth of them IPv6.
#[must_use]
pub fn customers(
    v4: &[(Ipv4Net, u32)],
    v6: &[(Ipv6Net, u32)],
    count: usize,
    seed: u64,
) -> Vec<(IpNet, u32)> {
    let mut random = Random(seed ^ 0xc1d);
    let mut customers = Vec::with_capacity(count);
    for cid in (100..).take(count) {
        let net = if cid % 5 == 0 && !v6.is_empty() {
            let (net, _) = v6[random.below(v6.len() as u64) as usize];
            let len = net.prefix_len().max([48, 56, 64][random.below(3) as usize]);
            IpNet::V6(Ipv6Net::new(net.addr(), len).expect("at most 128").trunc())
        } else {
            let (net, _) = v4[random.below(v4.len() as u64) as usize];
            let len = net.prefix_len().max([22, 24, 24, 26, 28, 29, 32][random.below(7) as usize]);
            IpNet::V4(Ipv4Net::new(net.addr(), len).expect("at most 32").trunc())
        };
        customers.push((net, cid));
    }
    customers.sort_unstable();
    customers.dedup_by_key(|(net, _)| *net);
    customers
}

/// Rows of `prefix,number`: what the sources read.
#[must_use]
pub fn csv(rows: impl IntoIterator<Item = (impl Into<IpNet>, u32)>) -> String {
    let mut text = String::new();
    for (net, number) in rows {
        let net: IpNet = net.into();
        let _ = writeln!(text, "{net},{number}");
    }
    text
}

/// `count` addresses, each inside one of `nets`, which are drawn evenly (`skew` 0) or so that few
/// of them get most (`skew` 1 is Zipf's law).
pub fn addresses<'a>(
    nets: &'a [IpNet],
    count: usize,
    skew: bool,
    seed: u64,
) -> impl Iterator<Item = IpAddr> + 'a {
    let mut random = Random(seed);
    // Ranks are dealt out over the table by a permutation (an odd multiplier), so that popular
    // prefixes are not neighbours.
    let len = nets.len() as u64;
    (0..count).map(move |_| {
        let uniform = (random.number() >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = if skew {
            ((len as f64).powf(uniform) - 1.0) as u64
        } else {
            (len as f64 * uniform) as u64
        };
        let net = nets[(rank.wrapping_mul(0x9e37_79b1) % len) as usize];
        let inside = random.next_wide();
        match net {
            IpNet::V4(net) => IpAddr::V4(
                (u32::from(net.network()) | inside as u32 & u32::from(net.hostmask())).into(),
            ),
            IpNet::V6(net) => {
                IpAddr::V6((u128::from(net.network()) | inside & u128::from(net.hostmask())).into())
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_size_asked_for_and_no_repetitions() {
        let v4 = full_table_v4(20_000, 1);
        let v6 = full_table_v6(5_000, 1);
        assert_eq!((v4.len(), v6.len()), (20_000, 5_000));
        assert!(v4.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(v6.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(v4, full_table_v4(20_000, 1));
        let customers = customers(&v4, &v6, 1000, 1);
        assert!((900..=1000).contains(&customers.len()), "{}", customers.len());
    }

    #[test]
    fn addresses_lie_in_their_nets() {
        let nets: Vec<IpNet> = ["192.0.2.0/30", "2001:db8::/127"]
            .iter()
            .map(|net| net.parse().expect("valid"))
            .collect();
        for skew in [false, true] {
            assert!(
                addresses(&nets, 100, skew, 3)
                    .all(|address| nets.iter().any(|net| net.contains(&address)))
            );
        }
    }
}
