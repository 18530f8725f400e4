//! What holds for any packet: the fast dissector says what its twin says.

use proptest::prelude::*;

use super::layers::*;
use super::{Link, fuzz};

/// One layer of a packet, one that makes sense more often than not.
fn layer() -> impl Strategy<Value = Vec<u8>> {
    let etype = prop_oneof![
        Just(IPV4),
        Just(IPV6),
        Just(MPLS),
        Just(0x8848),
        Just(0x8100),
        Just(0x88a8),
        Just(0x9100),
        0_u16..0x0700,
        any::<u16>(),
    ];
    let proto =
        prop::sample::select(vec![0, 1, 4, 6, 17, 41, 43, 44, 47, 51, 58, 60, 132, 137, 143]);
    let gre_etype = prop::sample::select(vec![IPV4, IPV6, MPLS, 0x6558, 0x880b, 0x0806]);
    prop_oneof![
        2 => etype.clone().prop_map(ethernet),
        2 => (any::<u16>(), etype).prop_map(|(control, etype)| tag(control, etype)),
        2 => (0_u32..1 << 20, any::<u8>(), any::<bool>()).prop_map(|(a, b, c)| label(a, b, c)),
        3 => (proto.clone(), 0_usize..4, prop::sample::select(vec![0, 0, 0x4000, 0x2000, 0x2007]))
            .prop_map(|(proto, words, word)| ipv4_with(proto, &vec![1; words * 4], word)),
        3 => proto.clone().prop_map(ipv6),
        2 => (proto.clone(), 0_u8..4).prop_map(|(next, units)| extension(next, units)),
        1 => proto.clone().prop_map(authentication),
        1 => (proto, 0_u16..2, any::<u32>()).prop_map(|(next, at, id)| fragment(next, at, id)),
        1 => Just(tcp()),
        1 => prop::sample::select(vec![4789, 53]).prop_map(|port| udp(53, port)),
        1 => Just(stack([udp(1, 4789), vxlan()])),
        1 => (any::<u8>(), 0_u8..3, gre_etype).prop_map(|(flags, version, etype)| gre(flags & 0xb0, version, etype)),
        1 => prop::sample::select(vec![&[0_u8, 0, 0, 0][..], &[0xff, 3, 0, 0x21], &[0x57], &[0xaa, 0xaa, 3, 0, 0, 0, 8, 0]])
            .prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..24),
    ]
}

fn link() -> impl Strategy<Value = Link> {
    prop::sample::select(vec![Link::Ethernet, Link::Ipv4, Link::Ipv6, Link::Ip, Link::Mpls])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn layers_in_any_order_and_cut_anywhere_say_what_the_twin_says(
        layers in prop::collection::vec(layer(), 1..8),
        link in link(),
        decapsulate: bool,
        cut in 0_usize..40,
    ) {
        let bytes = layers.concat();
        fuzz::agree(link, &bytes, decapsulate);
        fuzz::agree(link, &bytes[..bytes.len().saturating_sub(cut)], decapsulate);
    }

    #[test]
    fn any_bytes_say_what_the_twin_says(
        bytes in prop::collection::vec(any::<u8>(), 0..160),
        link in link(),
        decapsulate: bool,
    ) {
        fuzz::agree(link, &bytes, decapsulate);
    }
}

/// Sensible packets, their every truncation, and each of their bytes set to values that mean
/// something somewhere.
#[test]
fn corpus_of_mutations() {
    let packets = corpus();
    // Miri takes seconds for what takes microseconds.
    let (choices, step) = if cfg!(miri) { (1, 64) } else { (10, 1) };
    for packet in &packets {
        for choice in 0..choices {
            for len in (0..=packet.len()).step_by(step) {
                fuzz::packet(&[&[choice], &packet[..len]].concat());
            }
            for at in (0..packet.len()).step_by(step) {
                for value in [0, 1, 0x40, 0x45, 0x60, 0x81, 0x88, 0xff] {
                    let mut mutated = [&[choice], &packet[..]].concat();
                    mutated[at + 1] = value;
                    fuzz::packet(&mutated);
                }
            }
        }
    }
}

/// Packets that reach every branch.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let routed = || {
        stack([
            ipv6(0),
            extension(43, 0),
            extension(44, 2),
            fragment(51, 0, 9),
            authentication(6),
            tcp(),
        ])
    };
    vec![
        stack([ethernet(IPV4), ipv4_with(6, &[1; 8], 0x4000), tcp()]),
        stack([ethernet(0x88a8), tag(1, 0x8100), tag(2, IPV6), routed()]),
        stack([ethernet(MPLS), label(1, 2, false), label(3, 4, true), ipv4(1), icmp(8, 0)]),
        stack([ethernet(MPLS), label(1, 2, true), vec![0; 4], ethernet(IPV4), ipv4(17), udp(1, 2)]),
        stack([ethernet(60), vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0], ipv4(132), tcp()]),
        // Found by fuzzing: LLC behind labels was not looked behind.
        stack([
            ethernet(MPLS),
            label(1, 2, true),
            ethernet(60),
            vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
            ipv4(17),
            udp(1, 2),
        ]),
        stack([
            ethernet(IPV4),
            ipv4(17),
            udp(1, 4789),
            vxlan(),
            ethernet(IPV6),
            ipv6(58),
            icmp(1, 2),
        ]),
        stack([ethernet(IPV4), ipv4(47), gre(0xb0, 0, IPV4), inner_ipv4(4), inner_ipv4(6), tcp()]),
        stack([
            ethernet(IPV6),
            ipv6(47),
            gre(0x30, 0x81, 0x880b),
            vec![0xff, 3, 0, 0x21],
            inner_ipv4(6),
            tcp(),
        ]),
        stack([ipv4(41), ipv6(143), ethernet(MPLS), label(1, 2, true), inner_ipv4(17), udp(1, 2)]),
    ]
}
