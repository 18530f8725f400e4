//! What holds for any datagram: the fast decoder says what its twin says, and the sums hold.

use proptest::prelude::*;

use super::fuzz;
use super::wire::*;
use crate::packet::properties::corpus as packets;

fn address() -> impl Strategy<Value = Vec<u32>> {
    prop::sample::select(vec![
        vec![0],
        vec![1, 0],
        vec![1, 0xc000_0201],
        vec![2, 0x2001_0db8, 0, 0, 1],
        vec![2, 0, 0, 0xffff, 0xc000_0201],
        vec![2, 0, 0, 0, 0],
        vec![9],
    ])
}

/// Numbers that mean something, and others.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        3 => 0_u32..8,
        1 => prop::sample::select(vec![0x3fff_ffff, 0x4000_0001, 0x8000_0002, u32::MAX]),
        1 => any::<u32>(),
    ]
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let packet = prop::sample::select(packets());
    let protocol = prop::sample::select(vec![1, 1, 1, 11, 12, 13, 7]);
    let segment = (0_u32..3, prop::collection::vec(word(), 0..40));
    prop_oneof![
        4 => (protocol, word(), packet, 0_usize..80).prop_map(|(protocol, length, packet, cut)| {
            raw(protocol, length, &packet[..packet.len().saturating_sub(cut)])
        }),
        1 => word().prop_map(sampled_ethernet),
        1 => (word(), word()).prop_map(|(length, proto)| sampled_ipv4(length, proto)),
        1 => (word(), word()).prop_map(|(length, proto)| sampled_ipv6(length, proto)),
        1 => (word(), word()).prop_map(|(source, destination)| switch(source, destination)),
        1 => (address(), word(), word()).prop_map(|(hop, a, b)| router(&hop, a, b)),
        2 => (address(), any::<[bool; 3]>(), prop::collection::vec(segment, 0..4)).prop_map(
            |(hop, known, segments)| {
                let segments: Vec<(u32, &[u32])> =
                    segments.iter().map(|(kind, path)| (*kind, &path[..])).collect();
                gateway(&hop, known.map(|known| u32::from(known) * 65_000), &segments)
            }
        ),
        1 => (prop::sample::select(vec![1_u32, 2, 3, 4, 77, 1001, 1002, 1003]),
              prop::collection::vec(any::<u8>(), 0..30)).prop_map(|(format, body)| opaque(format, &body)),
    ]
}

fn sample() -> impl Strategy<Value = Vec<u8>> {
    let records = || prop::collection::vec(record(), 0..5);
    prop_oneof![
        4 => (word(), word(), word(), records()).prop_map(|(rate, a, b, r)| flow_with(rate, a, b, &r)),
        3 => ([word(), word()], [word(), word()], records()).prop_map(|(a, b, r)| expanded(a, b, &r)),
        1 => (2_u32..8).prop_map(counters),
        1 => (0_u32..8, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(f, b)| opaque(f, &b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn samples_of_any_kind_say_what_the_twin_says(
        samples in prop::collection::vec(sample(), 0..5),
        decapsulate: bool,
        agent in address(),
        cut in 0_usize..200,
        change in (any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let mut bytes = datagram_of(&agent, [0, 1, 2], &samples);
        fuzz::agree(&bytes, decapsulate);
        fuzz::agree(&bytes[..bytes.len().saturating_sub(cut)], decapsulate);
        let at = change.0.index(bytes.len());
        bytes[at] = change.1;
        fuzz::agree(&bytes, decapsulate);
    }

    #[test]
    fn any_bytes_say_what_the_twin_says(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        fuzz::sflow(&bytes);
    }
}

/// Datagrams that reach every branch, their every truncation, and each of their bytes set to values
/// that mean something.
#[test]
fn corpus_of_mutations() {
    // Miri takes seconds for what takes microseconds.
    let step = if cfg!(miri) { 64 } else { 1 };
    for bytes in corpus() {
        for len in (0..=bytes.len()).step_by(step) {
            fuzz::agree(&bytes[..len], false);
        }
        for at in (0..bytes.len()).step_by(step) {
            for value in [0, 1, 2, 4, 5, 0x3f, 0x80, 0xeb, 0xff] {
                let mut mutated = bytes.clone();
                mutated[at] = value;
                fuzz::agree(&mutated, value & 1 == 1);
            }
        }
    }
}

pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let packets = packets();
    let hop = [1, 0xc000_0201];
    let routed = [
        raw(1, 1000, &packets[0]),
        switch(10, 20),
        router(&hop, 24, 16),
        gateway(&hop, [65000, 0, 65002], &[(2, &[65003, 65004]), (1, &[65005])]),
    ];
    let without_header = [sampled_ethernet(100), sampled_ipv4(86, 6), sampled_ipv6(1, 17)];
    vec![
        datagram(&[flow(3, 4, &routed), counters(2), expanded([0, 3], [1, 2], &without_header)]),
        datagram_of(&[2, 0x2001_0db8, 0, 0, 9], [1, 2, 3], &[expanded([0, 3], [0, 4], &routed)]),
        datagram(&[opaque(99, &[1, 2, 3]), counters(5), flow(3, 4, &[raw(11, 60, &packets[8])])]),
    ]
}
