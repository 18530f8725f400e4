//! Golden packets, value by value.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use neckar_proto::{Field, Flow, Kind, Presence};

use super::layers::*;
use super::{FIELDS, Link, dissect};

/// What `bytes` say, as `Name=value` in the order of the row.
fn said(link: Link, bytes: &[u8], decapsulate: bool) -> Vec<String> {
    let mut row = Flow::default();
    dissect(link, bytes, decapsulate, &mut row);
    text(&row)
}

fn text(row: &Flow) -> Vec<String> {
    let value = |field: Field| {
        let text = match field.info().kind {
            Kind::Address => row.ip(field)?.to_string(),
            Kind::Mac => format!("{:012x}", row.word(field)?),
            _ if field == Field::Etype => format!("{:04x}", row.word(field)?),
            _ => row.word(field)?.to_string(),
        };
        Some(format!("{}={text}", field.name()))
    };
    Field::in_file_order()
        .iter()
        .filter(|field| field.is_word() || field.is_address())
        .filter_map(|field| value(*field))
        .collect()
}

#[track_caller]
fn expect(link: Link, bytes: &[u8], expected: &str) {
    assert_eq!(said(link, bytes, false).join(" "), expected);
}

#[track_caller]
fn expect_inner(bytes: &[u8], expected: &str) {
    assert_eq!(said(Link::Ethernet, bytes, true).join(" "), expected);
}

const V4: &str = "SrcAddr=192.0.2.1 DstAddr=198.51.100.2";
const V6: &str = "SrcAddr=2001:db8::1 DstAddr=2001:db8::2";
const MACS: &str = "SrcMac=02005e00000a DstMac=02005e00000b";

#[test]
fn ethernet_ipv4_tcp() {
    let packet = stack([ethernet(IPV4), ipv4(6), tcp()]);
    expect(
        Link::Ethernet,
        &packet,
        &format!(
            "{V4} Proto=6 SrcPort=1234 DstPort=443 IPTos=46 IPTTL=63 TCPFlags=18 {MACS} \
             Etype=0800 FragmentId=43981 FragmentOffset=0"
        ),
    );
}

#[test]
fn the_ip_header_says_how_long_the_packet_is() {
    let total = |link, bytes: &[u8]| dissect(link, bytes, false, &mut Flow::default());
    assert_eq!(total(Link::Ethernet, &stack([ethernet(IPV4), ipv4(6)])), Some(1000));
    assert_eq!(total(Link::Ipv6, &ipv6(6)), Some(1000));
    assert_eq!(total(Link::Ipv4, &ipv4(6)[..4]), Some(1000));
    assert_eq!(total(Link::Ipv4, &ipv4(6)[..3]), None);
    assert_eq!(total(Link::Ethernet, &ethernet(0x0806)), None);
    // A packet that the network card has yet to segment says nothing.
    let mut unsegmented = ipv4(6);
    unsegmented[2..4].fill(0);
    assert_eq!(total(Link::Ipv4, &unsegmented), None);
    // Of a tunnel, the packet that was on the wire.
    let tunnel = stack([ipv4(4), inner_ipv4(17), udp(1, 2)]);
    assert_eq!(dissect(Link::Ipv4, &tunnel, true, &mut Flow::default()), Some(1000));
}

#[test]
fn ipv6_udp() {
    let expected = format!(
        "{V6} Proto=17 SrcPort=53 DstPort=5353 IPTos=46 IPTTL=61 Etype=86dd IPv6FlowLabel=703710"
    );
    let packet = stack([ipv6(17), udp(53, 5353)]);
    expect(Link::Ipv6, &packet, &expected);
    expect(Link::Ip, &packet, &expected);
    let framed = stack([ethernet(IPV6), packet]);
    expect(Link::Ethernet, &framed, &expected.replace("Etype", &format!("{MACS} Etype")));
}

/// "Any depth of 802.1Q / 802.1ad (innermost id in VlanId, outer kept)", "masked to 12 bits".
#[test]
fn vlan_tags() {
    let arp = format!("{MACS} VlanId=100 Etype=0806");
    expect(Link::Ethernet, &stack([ethernet(0x8100), tag(0x6064, 0x0806)]), &arp);
    expect(Link::Ethernet, &stack([ethernet(0x88a8), tag(0xf064, 0x0806)]), &arp);
    expect(Link::Ethernet, &stack([ethernet(0x9100), tag(0x0064, 0x0806)]), &arp);
    let stacked = [ethernet(0x88a8), tag(0x0064, 0x8100), tag(0x6065, 0x8100), tag(0xffff, 0x0806)];
    let expected = format!("{MACS} VlanId=4095 Etype=0806 OuterVlanId=100");
    expect(Link::Ethernet, &stack(stacked), &expected);
    // A priority tag: the VLAN is 0, which is something else than none.
    let priority = format!("{MACS} VlanId=0 Etype=0806");
    expect(Link::Ethernet, &stack([ethernet(0x8100), tag(0xe000, 0x0806)]), &priority);
}

#[test]
fn a_frame_with_a_length_in_place_of_a_type() {
    // Spanning tree: no EtherType to speak of.
    expect(Link::Ethernet, &stack([ethernet(38), vec![0x42, 0x42, 3, 0, 0]]), MACS);
    let snap = vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 6];
    expect(Link::Ethernet, &stack([ethernet(60), snap]), &format!("{MACS} Etype=0806"));
}

/// "MPLS (0x8847, 0x8848) to the bottom of stack"; "first three and last; MPLSCount = entries
/// present".
#[test]
fn mpls_stacks() {
    let one = stack([ethernet(MPLS), label(100, 60, true), ipv4(132), tcp()]);
    let outer = format!("{MACS} Etype=0800 FragmentId=43981 FragmentOffset=0");
    let ports = "SrcPort=1234 DstPort=443";
    expect(
        Link::Ethernet,
        &one,
        &format!(
            "{V4} Proto=132 {ports} IPTos=46 IPTTL=63 {outer} HasMPLS=1 MPLSCount=1 MPLS1TTL=60 \
             MPLS1Label=100"
        ),
    );
    let five = stack([
        ethernet(0x8848),
        label(1_048_575, 1, false),
        label(2, 2, false),
        label(3, 3, false),
        label(4, 4, false),
        label(0, 5, true),
        ipv6(59),
    ]);
    expect(
        Link::Ethernet,
        &five,
        &format!(
            "{V6} Proto=59 IPTos=46 IPTTL=61 {MACS} Etype=86dd IPv6FlowLabel=703710 HasMPLS=1 \
             MPLSCount=5 MPLS1TTL=1 MPLS1Label=1048575 MPLS2TTL=2 MPLS2Label=2 MPLS3TTL=3 \
             MPLS3Label=3 MPLSLastTTL=5 MPLSLastLabel=0"
        ),
    );
}

#[test]
fn label_stacks_that_end_early() {
    let macs = format!("{MACS} Etype=8847 HasMPLS=1");
    let two = stack([ethernet(MPLS), label(7, 1, false), label(8, 2, false)]);
    let whole = format!("{macs} MPLSCount=2 MPLS1TTL=1 MPLS1Label=7 MPLS2TTL=2 MPLS2Label=8");
    expect(Link::Ethernet, &two, &whole);
    // Three bytes of an entry hold its label, two do not.
    expect(Link::Ethernet, &two[..21], &whole.replace(" MPLS2TTL=2", ""));
    let first = format!("{macs} MPLSCount=1 MPLS1TTL=1 MPLS1Label=7");
    expect(Link::Ethernet, &two[..20], &first);
    expect(Link::Mpls, &two[14..18], "Etype=8847 HasMPLS=1 MPLSCount=1 MPLS1TTL=1 MPLS1Label=7");
}

/// RFC 4448: Ethernet behind the labels, with a control word or without. The frame that was sampled
/// stays the link.
#[test]
fn ethernet_over_mpls() {
    let other = vec![0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x06, 0x11, 0x22, 0x33, 0x44, 0x66];
    let inside = |control: &[u8]| {
        let tagged = vec![0x81, 0, 0, 9, 8, 0];
        stack([
            ethernet(MPLS),
            label(16, 9, true),
            control.to_vec(),
            other.clone(),
            tagged,
            ipv4(17),
            udp(1, 2),
        ])
    };
    let expected = format!(
        "{V4} Proto=17 SrcPort=1 DstPort=2 IPTos=46 IPTTL=63 {MACS} Etype=0800 FragmentId=43981 \
         FragmentOffset=0 HasMPLS=1 MPLSCount=1 MPLS1TTL=9 MPLS1Label=16"
    );
    expect(Link::Ethernet, &inside(&[0, 0, 0x12, 0x34]), &expected);
    expect(Link::Ethernet, &inside(&[]), &expected);
    let inner = expected.replace(MACS, "SrcMac=061122334466 DstMac=001122334455 VlanId=9");
    expect_inner(&inside(&[0, 0, 0x12, 0x34]), &inner);
    // What is neither IP nor an Ethernet frame with IP is left alone.
    let channel = stack([ethernet(MPLS), label(16, 9, true), vec![0x10, 0, 0, 7, 1, 2, 3, 4]]);
    let stopped = format!("{MACS} Etype=8847 HasMPLS=1 MPLSCount=1 MPLS1TTL=9 MPLS1Label=16");
    expect(Link::Ethernet, &channel, &stopped);
}

/// "IPv4 with IHL honoured."
#[test]
fn ipv4_options_are_no_ports() {
    let fields = "IPTos=46 IPTTL=63 Etype=0800 FragmentId=43981 FragmentOffset=0";
    let packet = stack([ipv4_with(17, &[1; 8], 0), udp(53, 5353)]);
    expect(Link::Ipv4, &packet, &format!("{V4} Proto=17 SrcPort=53 DstPort=5353 {fields}"));
    // Cut within the options, and a header that says it is shorter than it is: ports are nowhere.
    expect(Link::Ipv4, &packet[..24], &format!("{V4} Proto=17 {fields}"));
    let mut short = stack([ipv4(17), udp(53, 5353)]);
    short[0] = 0x44;
    expect(Link::Ipv4, &short, &format!("{V4} Proto=17 {fields}"));
}

/// "No ports from a non-first fragment"; "88 (13 bits)", "flags are not ORed into the offset".
#[test]
fn fragments() {
    let packet = |fragment| stack([ipv4_with(17, &[], fragment), udp(53, 5353)]);
    let fields =
        |offset| format!("IPTos=46 IPTTL=63 Etype=0800 FragmentId=43981 FragmentOffset={offset}");
    let ports = "SrcPort=53 DstPort=5353";
    expect(Link::Ipv4, &packet(0x4000), &format!("{V4} Proto=17 {ports} {}", fields(0)));
    expect(Link::Ipv4, &packet(0x2000), &format!("{V4} Proto=17 {ports} {}", fields(0)));
    expect(Link::Ipv4, &packet(0x20b9), &format!("{V4} Proto=17 {}", fields(185)));
    expect(Link::Ipv4, &packet(0x1fff), &format!("{V4} Proto=17 {}", fields(8191)));
    let packet = |offset| stack([ipv6(44), fragment(17, offset, 0x1234_5678), udp(53, 5353)]);
    let fields = |offset| {
        format!(
            "IPTos=46 IPTTL=61 Etype=86dd FragmentId=305419896 FragmentOffset={offset} IPv6FlowLabel=703710"
        )
    };
    expect(Link::Ipv6, &packet(0), &format!("{V6} Proto=17 {ports} {}", fields(0)));
    expect(Link::Ipv6, &packet(185), &format!("{V6} Proto=17 {}", fields(185)));
    // What it would go on with is in the first fragment.
    let options = stack([ipv6(44), fragment(60, 1, 0x1234_5678), extension(6, 0), tcp()]);
    expect(Link::Ipv6, &options, &format!("{V6} Proto=60 {}", fields(1)));
}

/// "IPv6 with hop-by-hop, routing, fragment and destination headers."
#[test]
fn ipv6_extension_headers() {
    let packet = stack([
        ipv6(0),
        extension(43, 0),
        extension(60, 4),
        extension(51, 1),
        authentication(44),
        fragment(6, 0, 9),
        tcp(),
    ]);
    let fields = "IPTos=46 IPTTL=61";
    let tail = "Etype=86dd FragmentId=9 FragmentOffset=0 IPv6FlowLabel=703710";
    let ports = "SrcPort=1234 DstPort=443";
    expect(Link::Ipv6, &packet, &format!("{V6} Proto=6 {ports} {fields} TCPFlags=18 {tail}"));
    // Cut anywhere in the chain, the protocol is the last one that was named.
    let tail = "Etype=86dd IPv6FlowLabel=703710";
    expect(Link::Ipv6, &packet[..40], &format!("{V6} Proto=0 {fields} {tail}"));
    expect(Link::Ipv6, &packet[..41], &format!("{V6} Proto=0 {fields} {tail}"));
    expect(Link::Ipv6, &packet[..42], &format!("{V6} Proto=43 {fields} {tail}"));
    expect(Link::Ipv6, &packet[..50], &format!("{V6} Proto=60 {fields} {tail}"));
}

#[test]
fn icmp_has_type_and_code_and_no_ports() {
    let fields = "IPTos=46 IPTTL=63 Etype=0800";
    let fragment = "FragmentId=43981 FragmentOffset=0";
    let packet = stack([ipv4(1), icmp(8, 1)]);
    let whole = format!("{V4} Proto=1 {fields} IcmpType=8 IcmpCode=1 {fragment}");
    expect(Link::Ipv4, &packet, &whole);
    expect(Link::Ipv4, &packet[..21], &whole.replace(" IcmpCode=1", ""));
    let packet = stack([ipv6(58), icmp(128, 0)]);
    let fields = "IPTos=46 IPTTL=61 Etype=86dd";
    expect(
        Link::Ipv6,
        &packet,
        &format!("{V6} Proto=58 {fields} IcmpType=128 IcmpCode=0 IPv6FlowLabel=703710"),
    );
}

/// "TCP, UDP, SCTP ports from 4 bytes of L4."
#[test]
fn ports_from_four_bytes() {
    let rest = "Etype=0800 FragmentId=43981 FragmentOffset=0";
    let ports = "SrcPort=1234 DstPort=443 IPTos=46 IPTTL=63";
    let packet = stack([ipv4(6), tcp()]);
    for (len, expected) in [
        (23, format!("{V4} Proto=6 IPTos=46 IPTTL=63 {rest}")),
        (24, format!("{V4} Proto=6 {ports} {rest}")),
        (33, format!("{V4} Proto=6 {ports} {rest}")),
        (34, format!("{V4} Proto=6 {ports} TCPFlags=18 {rest}")),
    ] {
        expect(Link::Ipv4, &packet[..len], &expected);
    }
}

/// "A cut header yields what was there."
#[test]
fn cut_headers() {
    let packet = stack([ethernet(IPV4), ipv4(6), tcp()]);
    for (len, expected) in [
        (0, ""),
        (5, ""),
        (6, "DstMac=02005e00000b"),
        (11, "DstMac=02005e00000b"),
        (12, MACS),
        (13, MACS),
        (14, &format!("{MACS} Etype=0800")),
        (15, &format!("{MACS} Etype=0800")),
        (16, &format!("IPTos=46 {MACS} Etype=0800")),
        (20, &format!("IPTos=46 {MACS} Etype=0800 FragmentId=43981")),
        (22, &format!("IPTos=46 {MACS} Etype=0800 FragmentId=43981 FragmentOffset=0")),
        (
            24,
            &format!(
                "Proto=6 IPTos=46 IPTTL=63 {MACS} Etype=0800 FragmentId=43981 FragmentOffset=0"
            ),
        ),
        (
            33,
            &format!(
                "SrcAddr=192.0.2.1 Proto=6 IPTos=46 IPTTL=63 {MACS} Etype=0800 FragmentId=43981 FragmentOffset=0"
            ),
        ),
    ] {
        expect(Link::Ethernet, &packet[..len], expected);
    }
    let packet = ipv6(17);
    for (len, expected) in [
        (1, "Etype=86dd"),
        (2, "IPTos=46 Etype=86dd"),
        (4, "IPTos=46 Etype=86dd IPv6FlowLabel=703710"),
        (7, "Proto=17 IPTos=46 Etype=86dd IPv6FlowLabel=703710"),
        (8, "Proto=17 IPTos=46 IPTTL=61 Etype=86dd IPv6FlowLabel=703710"),
        (39, "SrcAddr=2001:db8::1 Proto=17 IPTos=46 IPTTL=61 Etype=86dd IPv6FlowLabel=703710"),
    ] {
        expect(Link::Ipv6, &packet[..len], expected);
    }
    // Of a cut tag the id may be there; what it tags is not.
    let packet = stack([ethernet(0x8100), tag(100, IPV4)]);
    expect(Link::Ethernet, &packet[..17], &format!("{MACS} VlanId=100 Etype=8100"));
    expect(Link::Ethernet, &packet[..15], &format!("{MACS} Etype=8100"));
}

#[test]
fn a_version_that_contradicts_the_type_is_no_packet() {
    let packet = stack([ethernet(IPV6), ipv4(6), tcp()]);
    expect(Link::Ethernet, &packet, &format!("{MACS} Etype=86dd"));
    expect(Link::Ip, &[0x50; 40], "");
    expect(Link::Ip, &[], "");
}

const INNER: &str = "SrcAddr=10.0.0.1 DstAddr=10.0.0.2";

/// "GRE, IPIP, 6in4, VXLAN: outer fields by default."
#[test]
fn tunnels_are_left_closed_by_default() {
    let inner = stack([inner_ipv4(6), tcp()]);
    for (proto, carried) in [
        (4, inner.clone()),
        (41, stack([ipv6(6), tcp()])),
        (47, stack([gre(0x20, 0, IPV4), inner])),
    ] {
        let packet = stack([ipv4(proto), carried]);
        let rest = "IPTos=46 IPTTL=63 Etype=0800 FragmentId=43981 FragmentOffset=0";
        expect(Link::Ipv4, &packet, &format!("{V4} Proto={proto} {rest}"));
    }
    let packet = stack([ipv4(17), udp(4444, 4789), vxlan(), ethernet(IPV4), inner_ipv4(6), tcp()]);
    let rest = "IPTos=46 IPTTL=63 Etype=0800 FragmentId=43981 FragmentOffset=0";
    expect(Link::Ipv4, &packet, &format!("{V4} Proto=17 SrcPort=4444 DstPort=4789 {rest}"));
}

/// "`decapsulate = true` takes the inner ones." The sampled frame stays the link, since GRE carries
/// none.
#[test]
fn inner_packet_of_ip_and_gre() {
    let link = format!("{MACS} Etype=0800 FragmentId=7 FragmentOffset=0");
    let expected =
        format!("{INNER} Proto=6 SrcPort=1234 DstPort=443 IPTos=4 IPTTL=9 TCPFlags=18 {link}");
    let inside = |layers: Vec<u8>| stack([ethernet(IPV4), layers, inner_ipv4(6), tcp()]);
    expect_inner(&inside(ipv4(4)), &expected);
    for (flags, version) in [(0, 0), (0x80, 0), (0x20, 0), (0xb0, 0), (0x30, 0x81)] {
        expect_inner(&inside(stack([ipv4(47), gre(flags, version, IPV4)])), &expected);
    }
    // PPTP: GRE version 1 with PPP, its address and control bytes there or not.
    for ppp in [&[0xff, 0x03, 0x00, 0x21][..], &[0x00, 0x21], &[0x21]] {
        expect_inner(&inside(stack([ipv4(47), gre(0x30, 1, 0x880b), ppp.to_vec()])), &expected);
    }
    let labelled = stack([ipv4(47), gre(0, 0, MPLS), label(5, 6, true)]);
    let labels = "HasMPLS=1 MPLSCount=1 MPLS1TTL=6 MPLS1Label=5";
    expect_inner(&inside(labelled), &format!("{expected} {labels}"));
    // 4in6 with segment routing in between, and tunnels in tunnels: the innermost.
    let segments = stack([ethernet(IPV6), ipv6(43), extension(4, 4), inner_ipv4(6), tcp()]);
    expect_inner(&segments, &expected);
    expect_inner(&inside(stack([ipv4(47), gre(0, 0, IPV4), ipv4(4)])), &expected);
}

#[test]
fn inner_packet_of_6in4() {
    let packet = stack([ethernet(0x8100), tag(5, IPV4), ipv4(41), ipv6(17), udp(7, 8)]);
    expect_inner(
        &packet,
        &format!(
            "{V6} Proto=17 SrcPort=7 DstPort=8 IPTos=46 IPTTL=61 {MACS} VlanId=5 Etype=86dd \
             IPv6FlowLabel=703710"
        ),
    );
}

#[test]
fn inner_frame_of_vxlan() {
    let frame = stack([vec![4, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 2, 0x81, 0], tag(300, IPV4)]);
    let carried = stack([vxlan(), frame, inner_ipv4(1), icmp(0, 0)]);
    let packet = |destination| {
        stack([ethernet(0x8100), tag(5, IPV4), ipv4(17), udp(4444, destination), carried.clone()])
    };
    expect_inner(
        &packet(4789),
        &format!(
            "{INNER} Proto=1 IPTos=4 IPTTL=9 SrcMac=040000000002 DstMac=040000000001 VlanId=300 \
             Etype=0800 IcmpType=0 IcmpCode=0 FragmentId=7 FragmentOffset=0"
        ),
    );
    let other_port = packet(4790);
    let outer = said(Link::Ethernet, &other_port, false);
    assert_eq!(said(Link::Ethernet, &other_port, true), outer);
}

/// Fields of two packets never mix: an inner header that is not whole leaves the outer ones.
#[test]
fn tunnels_without_a_whole_packet_inside_stay_closed() {
    let whole = stack([ethernet(IPV4), ipv4(47), gre(0x20, 0, IPV4), inner_ipv4(6)]);
    let outer = said(Link::Ethernet, &whole, false);
    assert_ne!(said(Link::Ethernet, &whole, true), outer);
    for len in 34..whole.len() {
        assert_eq!(said(Link::Ethernet, &whole[..len], true), outer, "{len} bytes");
    }
    for other in [
        // Source routing, an unknown version, a payload that is not IP.
        stack([ethernet(IPV4), ipv4(47), vec![0x40, 0, 8, 0], inner_ipv4(6)]),
        stack([ethernet(IPV4), ipv4(47), vec![0, 2, 8, 0], inner_ipv4(6)]),
        stack([ethernet(IPV4), ipv4(47), gre(0, 0, 0x0806), inner_ipv4(6)]),
        // A fragment that does not begin the tunnel's packet.
        stack([ethernet(IPV4), ipv4_with(4, &[], 1), inner_ipv4(6), tcp()]),
        // VXLAN without a valid network, and with ARP inside.
        stack([ethernet(IPV4), ipv4(17), udp(1, 4789), vec![0; 8], ethernet(IPV4), inner_ipv4(6)]),
        stack([ethernet(IPV4), ipv4(17), udp(1, 4789), vxlan(), ethernet(0x0806), vec![0; 28]]),
    ] {
        assert_eq!(said(Link::Ethernet, &other, true), said(Link::Ethernet, &other, false));
    }
}

#[test]
fn other_fields_of_the_row_are_left_alone() {
    let mut row = Flow::default();
    row.set(Field::Bytes, 77);
    row.set(Field::InIf, 5);
    row.set(Field::SrcPort, 9);
    row.set(Field::VlanId, 6);
    dissect(Link::Ethernet, &stack([ethernet(IPV4), ipv4(6), tcp()]), false, &mut row);
    for (field, value) in
        [(Field::Bytes, 77), (Field::InIf, 5), (Field::SrcPort, 1234), (Field::VlanId, 6)]
    {
        assert_eq!(row.word(field), Some(value));
    }
}

#[test]
fn nothing_beyond_the_announced_fields_is_set() {
    let union = |a: Presence, b: &Flow| a.union(*b.presence());
    let mut seen = Presence::default();
    for packet in [
        stack([
            ethernet(0x88a8),
            tag(1, 0x8100),
            tag(2, MPLS),
            label(1, 1, false),
            label(1, 1, false),
            label(1, 1, false),
            label(1, 1, true),
            ipv4(6),
            tcp(),
        ]),
        stack([ethernet(IPV6), ipv6(58), icmp(1, 1), vec![]]),
    ] {
        let mut row = Flow::default();
        dissect(Link::Ethernet, &packet, false, &mut row);
        seen = union(seen, &row);
    }
    assert_eq!(seen, FIELDS);
}
