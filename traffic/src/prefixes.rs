//! Prefixes as talkers: of which lengths, and which of them say something that longer ones do not.
//!
//! A prefix is heavy by itself or because one below it is; hierarchical heavy hitters are those that
//! stay heavy when what longer heavy ones explain is taken out (Cormode and others, 2003).

use std::net::IpAddr;

use crate::Sums;
use crate::key::{Key, address_of};

/// Bits of an IPv4 address in IPv6 before its own.
const MAPPED_BITS: u32 = 96;
/// Lengths that are counted, the longest first.
const V4_LENGTHS: [u32; 3] = [24, 16, 8];
const V6_LENGTHS: [u32; 3] = [64, 48, 32];

/// The prefixes of an address, the longest first.
pub(crate) fn of(address: u128) -> impl Iterator<Item = Key> {
    let is_v4 = address >> 32 == 0xffff;
    let lengths = if is_v4 { V4_LENGTHS.map(|len| len + MAPPED_BITS) } else { V6_LENGTHS };
    lengths.into_iter().map(move |len| Key::of_prefix(masked(address, len), len))
}

fn masked(address: u128, len: u32) -> u128 {
    address & u128::MAX.checked_shl(128 - len).unwrap_or(0)
}

/// As people write it.
pub(crate) fn text(address: IpAddr, len: u32) -> String {
    let len = if address.is_ipv4() { len - MAPPED_BITS } else { len };
    format!("{address}/{len}")
}

/// Of prefixes with their sums, those that have at least `floor` by `measure` beside what longer ones
/// among them explain, each with that remainder.
pub(crate) fn hierarchical<T>(
    mut prefixes: Vec<T>,
    key: impl Fn(&T) -> Key,
    sums: impl Fn(&T) -> Sums,
    measure: impl Fn(&Sums) -> f64,
    floor: f64,
) -> Vec<(T, Sums)> {
    prefixes.sort_by_key(|one| std::cmp::Reverse(key(one).prefix().1));
    let mut found: Vec<(T, Sums)> = Vec::new();
    for prefix in prefixes {
        let (address, len) = key(&prefix).prefix();
        let is_v4 = address_of(address).is_ipv4();
        let mut own = sums(&prefix);
        for (longer, remainder) in &found {
            let (below, below_len) = key(longer).prefix();
            let is_below = below_len > len && masked(below, len) == address;
            if is_below && address_of(below).is_ipv4() == is_v4 {
                own.add(remainder, -1.0);
            }
        }
        if measure(&own) >= floor {
            found.push((prefix, own));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn v4(a: u8, b: u8, c: u8, len: u32) -> Key {
        let address = Ipv4Addr::new(a, b, c, 0).to_ipv6_mapped().to_bits();
        Key::of_prefix(address, len + MAPPED_BITS)
    }

    /// 10.1.2.0/24 is all of 10.1.0.0/16; 10.0.0.0/8 has as much again from many small ones.
    #[test]
    fn what_longer_prefixes_explain_does_not_count_twice() {
        let bytes = |bytes| Sums { bytes, ..Sums::default() };
        let prefixes = vec![
            (v4(10, 0, 0, 8), bytes(200.0)),
            (v4(10, 1, 0, 16), bytes(101.0)),
            (v4(10, 1, 2, 24), bytes(100.0)),
            (v4(10, 9, 0, 16), bytes(3.0)),
            (v4(11, 1, 2, 24), bytes(50.0)),
        ];
        let sums = |one: &(Key, Sums)| one.1;
        let found = hierarchical(prefixes, |one| one.0, sums, |sums| sums.bytes, 20.0);
        let found: Vec<(Key, f64)> = found.iter().map(|(one, own)| (one.0, own.bytes)).collect();
        let expected =
            [(v4(10, 1, 2, 24), 100.0), (v4(11, 1, 2, 24), 50.0), (v4(10, 0, 0, 8), 100.0)];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_address_of_either_family_has_three() {
        let texts = |address: IpAddr| {
            let bits = match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
                IpAddr::V6(v6) => v6.to_bits(),
            };
            let prefixes = of(bits).map(|key| text(address_of(key.prefix().0), key.prefix().1));
            prefixes.collect::<Vec<_>>()
        };
        let v4 = texts("192.0.2.77".parse().expect("an address"));
        assert_eq!(v4, ["192.0.2.0/24", "192.0.0.0/16", "192.0.0.0/8"]);
        let v6 = texts("2001:db8:1:2::3".parse().expect("an address"));
        assert_eq!(v6, ["2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"]);
    }
}
