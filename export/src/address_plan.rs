//! Who has which addresses: the customers that synthetic traffic belongs to, as a prefix list for
//! enrichment and as the rule that ground truth is kept by.
//!
//! Customer `i` of [`CUSTOMERS`] has number `101 + i`, `10.(16+i).0.0/16` and
//! `2001:db8:(1+i)::/48`. The upper half of them also have a more specific prefix inside another's,
//! so that a longest match and a first match differ.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many customers there are.
pub const CUSTOMERS: usize = 16;
/// The number of the first customer.
const CID_FIRST: u32 = 101;
const HALF: usize = CUSTOMERS / 2;
/// Third octet of the prefixes that belong to somebody else.
const CARVED_V4: u8 = 200;
/// Upper byte of the subnet number of those of IPv6.
const CARVED_V6: u8 = 0xff;

/// The customer number of customer `index`.
#[must_use]
pub(crate) const fn cid(index: usize) -> u32 {
    CID_FIRST + index as u32
}

/// Every prefix with its length and the number of its customer.
pub fn customer_prefixes() -> impl Iterator<Item = (IpAddr, u8, u32)> {
    let own = (0..CUSTOMERS).flat_map(|index| {
        let v4 = Ipv4Addr::from(v4_network(index));
        let v6 = Ipv6Addr::from(v6_network(index));
        [(v4.into(), 16, cid(index)), (v6.into(), 48, cid(index))]
    });
    let carved = (HALF..CUSTOMERS).flat_map(|index| {
        let v4 = Ipv4Addr::from(v4_carved(index));
        let v6 = Ipv6Addr::from(v6_carved(index));
        [(v4.into(), 24, cid(index)), (v6.into(), 56, cid(index))]
    });
    own.chain(carved)
}

/// The prefix list as `neckard` reads it: `prefix,cid`, one a line.
#[must_use]
pub fn customers_csv() -> String {
    let mut csv = String::new();
    for (address, len, cid) in customer_prefixes() {
        let _ = writeln!(csv, "{address}/{len},{cid}");
    }
    csv
}

/// The number of the customer that an address belongs to, by longest match; 0 if nobody's.
#[must_use]
pub fn customer_of(address: IpAddr) -> u32 {
    let matching = customer_prefixes().filter(|(prefix, len, _)| contains(*prefix, *len, address));
    matching.max_by_key(|(_, len, _)| *len).map_or(0, |(_, _, cid)| cid)
}

fn contains(prefix: IpAddr, len: u8, address: IpAddr) -> bool {
    match (prefix, address) {
        (IpAddr::V4(prefix), IpAddr::V4(address)) => {
            (prefix.to_bits() ^ address.to_bits()) >> (32 - len) == 0
        }
        (IpAddr::V6(prefix), IpAddr::V6(address)) => {
            (prefix.to_bits() ^ address.to_bits()) >> (128 - len) == 0
        }
        _ => false,
    }
}

const fn v4_network(index: usize) -> [u8; 4] {
    [10, 16 + index as u8, 0, 0]
}

const fn v4_carved(index: usize) -> [u8; 4] {
    [10, 16 + (index - HALF) as u8, CARVED_V4, 0]
}

const fn v6_network(index: usize) -> [u8; 16] {
    [0x20, 0x01, 0x0d, 0xb8, 0, 1 + index as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

const fn v6_carved(index: usize) -> [u8; 16] {
    let mut network = v6_network(index - HALF);
    network[6] = CARVED_V6;
    network
}

/// The IPv4 address of a customer's host: `host` is a rank below 2^15, `carved` asks for the prefix
/// within another's where the customer has one.
pub(crate) fn v4_host(index: usize, host: u16, carved: bool) -> [u8; 4] {
    let [high, low] = host.to_be_bytes();
    if carved && index >= HALF {
        let [a, b, c, _] = v4_carved(index);
        return [a, b, c, low];
    }
    let [a, b, _, _] = v4_network(index);
    // The upper half of the /16 stays free, and with it the prefix that is carved out.
    [a, b, high & 0x7f, low]
}

/// The IPv6 address of a customer's host, like [`v4_host`].
pub(crate) fn v6_host(index: usize, host: u16, carved: bool) -> [u8; 16] {
    let [high, low] = host.to_be_bytes();
    let mut address = if carved && index >= HALF { v6_carved(index) } else { v6_network(index) };
    if address[6] == 0 {
        address[6] = high & 0x7f;
    }
    address[7] = low;
    // An interface identifier as SLAAC makes them: full of bits that no table can guess.
    address[8..].copy_from_slice(&crate::random::mix(u64::from(host)).to_be_bytes());
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_list_is_what_the_enricher_reads() {
        let csv = customers_csv();
        assert_eq!(csv.lines().count(), 2 * CUSTOMERS + 2 * HALF);
        assert!(csv.starts_with("10.16.0.0/16,101\n2001:db8:1::/48,101\n10.17.0.0/16,102\n"));
        assert!(csv.ends_with("10.23.200.0/24,116\n2001:db8:8:ff00::/56,116\n"), "{csv}");
    }

    #[test]
    fn a_carved_prefix_beats_the_one_around_it() {
        assert_eq!(customer_of("10.16.199.1".parse().unwrap()), 101);
        assert_eq!(customer_of("10.16.200.1".parse().unwrap()), 109);
        assert_eq!(customer_of("2001:db8:1:feff::1".parse().unwrap()), 101);
        assert_eq!(customer_of("2001:db8:1:ff00::1".parse().unwrap()), 109);
        assert_eq!(customer_of("192.0.2.1".parse().unwrap()), 0);
        assert_eq!(customer_of("10.32.0.1".parse().unwrap()), 0);
    }

    #[test]
    fn every_host_belongs_to_its_customer() {
        for index in 0..CUSTOMERS {
            for host in (0..=u16::MAX).step_by(97) {
                for carved in [false, true] {
                    assert_eq!(customer_of(v4_host(index, host, carved).into()), cid(index));
                    assert_eq!(customer_of(v6_host(index, host, carved).into()), cid(index));
                }
            }
        }
    }
}
