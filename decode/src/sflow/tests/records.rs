//! What each record of a flow sample adds to the row.

use super::super::wire::*;
use super::{AGENT, decode, frame, framed};
use crate::packet::layers::{IPV4, ethernet, icmp, ipv4, ipv4_with, ipv6, stack, tcp, udp};

#[test]
fn raw_headers_by_protocol() {
    let bare = "SamplingRate=512 SrcAddr=192.0.2.1 DstAddr=198.51.100.2 Bytes=1000 Packets=1";
    let packet = stack([ipv4(17), udp(53, 5353)]);
    let (texts, _) = decode(&datagram(&[flow(3, 4, &[raw(11, 1000, &packet)])]));
    assert!(texts[0].starts_with(bare) && texts[0].contains("SrcPort=53"), "{texts:?}");
    let packet = stack([ipv6(17), udp(53, 5353)]);
    let (texts, _) = decode(&datagram(&[flow(3, 4, &[raw(12, 1000, &packet)])]));
    assert!(texts[0].contains("DstAddr=2001:db8::2") && texts[0].contains("DstPort=5353"));
    let packet = stack([vec![0, 0, 0x51, 9], ipv4(1), icmp(8, 0)]);
    let (texts, _) = decode(&datagram(&[flow(3, 4, &[raw(13, 1000, &packet)])]));
    assert!(texts[0].contains("IcmpType=8") && texts[0].contains("MPLS1Label=5"), "{texts:?}");
}

/// XDR padding behind the sampled header is no part of the packet.
#[test]
fn padding_is_not_parsed() {
    // Three bytes of a label stack entry and one of padding.
    let header = stack([ethernet(0x8847), vec![0, 6, 0x40]]);
    let (texts, _) = decode(&datagram(&[flow(3, 4, &[raw(1, 1000, &header)])]));
    assert!(texts[0].ends_with("HasMPLS=1 MPLSCount=1 MPLS1Label=100"), "{texts:?}");
}

#[test]
fn a_header_length_beyond_the_record_is_cut() {
    let mut record = raw(1, 1000, &frame());
    record[20..24].copy_from_slice(&u32::MAX.to_be_bytes());
    let (texts, counters) = decode(&datagram(&[flow(3, 4, &[record])]));
    assert_eq!(texts, [framed("")]);
    assert_eq!(counters.parts_malformed, 0);
}

#[test]
fn sampled_packets_without_their_headers() {
    let ends = |records: &[Vec<u8>]| decode(&datagram(&[flow(3, 4, records)])).0.remove(0);
    assert_eq!(
        ends(&[sampled_ipv4(1486, 6)]),
        format!(
            "SamplingRate=512 SrcAddr=192.0.2.1 DstAddr=198.51.100.2 Bytes=1486 Packets=1 {AGENT} \
             InIf=3 OutIf=4 Proto=6 SrcPort=53 DstPort=5353 IPTos=16 TCPFlags=18 Etype=0800"
        )
    );
    assert_eq!(
        ends(&[sampled_ipv6(1486, 17)]),
        format!(
            "SamplingRate=512 SrcAddr=2001:db8::1 DstAddr=2001:db8::2 Bytes=1486 Packets=1 {AGENT} \
             InIf=3 OutIf=4 Proto=17 SrcPort=53 DstPort=5353 IPTos=16 Etype=86dd"
        )
    );
    let link = format!(
        "SamplingRate=512 Bytes=100 Packets=1 {AGENT} InIf=3 OutIf=4 SrcMac=020000000001 \
         DstMac=020000000002 Etype=0800"
    );
    assert_eq!(ends(&[sampled_ethernet(100)]), link);
    // Without the padding, as exporters write it that forget it.
    let unpadded = [words(&[100]), vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], words(&[0x0800])];
    assert_eq!(ends(&[opaque(2, &unpadded.concat())]), link);
}

/// "Raw header beats the sampled Ethernet, IPv4 and IPv6 records", in whatever order they come.
#[test]
fn one_packet_said_several_times() {
    let records = [raw(1, 1000, &frame()), sampled_ethernet(996), sampled_ipv4(982, 6)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let records = order.map(|at| records[at].clone());
        let (texts, _) = decode(&datagram(&[flow(3, 4, &records)]));
        assert_eq!(texts, [framed("")], "{order:?}");
    }
    for records in [
        [sampled_ethernet(996), sampled_ipv4(982, 6)],
        [sampled_ipv4(982, 6), sampled_ethernet(996)],
    ] {
        let (texts, _) = decode(&datagram(&[flow(3, 4, &records)]));
        assert!(texts[0].contains("Bytes=996"), "{texts:?}");
        assert!(texts[0].contains("SrcPort=53") && texts[0].contains("SrcMac=020000000001"));
    }
    // What a cut header does not say, the record does; of two headers the first counts.
    let cut = [raw(1, 1000, &frame()[..31]), sampled_ipv4(982, 6), raw(1, 7, &frame())];
    let (texts, _) = decode(&datagram(&[flow(3, 4, &cut)]));
    let expected = framed("").replace("SrcPort=1234 DstPort=443", "SrcPort=53 DstPort=5353");
    assert_eq!(texts, [expected]);
}

/// "No ports from a non-first fragment", whoever has read them there.
#[test]
fn ports_of_a_fragment_in_a_record() {
    let header = stack([ethernet(IPV4), ipv4_with(6, &[], 7), tcp()]);
    let records = [raw(1, 1000, &header), sampled_ipv4(982, 6)];
    let (texts, _) = decode(&datagram(&[flow(3, 4, &records)]));
    assert!(texts[0].contains("FragmentOffset=7") && !texts[0].contains("Port"), "{texts:?}");
}

#[test]
fn extended_switch_and_router() {
    let with = |records: &[Vec<u8>]| {
        let all = [&[raw(1, 1000, &frame())], records].concat();
        decode(&datagram(&[flow(3, 4, &all)])).0.remove(0)
    };
    assert_eq!(with(&[switch(10, 20)]), framed("SrcVlan=10 DstVlan=20"));
    // "Masked to 12 bits"; all ones say that it is not known.
    assert_eq!(with(&[switch(0x6064, u32::MAX)]), framed("SrcVlan=100"));
    let hop = [1, 0xc000_0264];
    assert_eq!(with(&[router(&hop, 24, 16)]), framed("NextHop=192.0.2.100 SrcNet=24 DstNet=16"));
    let hop = [2, 0x2001_0db8, 0, 0, 9];
    assert_eq!(with(&[router(&hop, 48, 0)]), framed("NextHop=2001:db8::9 SrcNet=48 DstNet=0"));
    assert_eq!(with(&[router(&[0], 24, 16)]), framed("SrcNet=24 DstNet=16"));
}

const HOP: [u32; 2] = [1, 0xc000_02c8];

/// "ASPath: all segments; NextHopAS first, DstAS last, SrcAS src_as if > 0 else own".
#[test]
fn extended_gateway() {
    let with = |records: &[Vec<u8>]| {
        let all = [&[raw(1, 1000, &frame())], records].concat();
        let (texts, counters) = decode(&datagram(&[flow(3, 4, &all)]));
        assert_eq!(counters.parts_malformed, 0);
        texts.into_iter().next().unwrap()
    };
    let hop = "NextHop=192.0.2.200 BgpNextHop=192.0.2.200";
    let path: [(u32, &[u32]); 2] = [(2, &[65001, 65002]), (1, &[65003, 65004])];
    // The list is printed with spaces, which `framed` takes for its own.
    let list = |text: String| text.replace(", ", ",");
    assert_eq!(
        list(with(&[gateway(&HOP, [65000, 65010, 65011], &path)])),
        framed(&format!(
            "{hop} NextHopAS=65001 SrcAS=65010 DstAS=65004 ASPath=[65001,65002,65003,65004]"
        ))
    );
    assert_eq!(
        list(with(&[gateway(&HOP, [65000, 0, 0], &path[..1])])),
        framed(&format!("{hop} NextHopAS=65001 SrcAS=65000 DstAS=65002 ASPath=[65001,65002]"))
    );
    // The destination is in the router's own AS.
    let own = framed(&format!("{hop} SrcAS=65000 DstAS=65000"));
    assert_eq!(with(&[gateway(&HOP, [65000, 0, 0], &[])]), own);
    assert_eq!(with(&[gateway(&HOP, [65000, 0, 0], &[(2, &[])])]), own);
    // A hop that is not known.
    assert_eq!(with(&[gateway(&[0], [65000, 0, 0], &[])]), framed("SrcAS=65000 DstAS=65000"));
}

/// "NextHop takes the BGP one when it has none of its own."
#[test]
fn next_hops_of_router_and_gateway() {
    let gateway = gateway(&HOP, [65000, 0, 0], &[]);
    for (own, expected) in [(0xc000_0264, "192.0.2.100"), (0, "192.0.2.200")] {
        let router = router(&[1, own], 24, 16);
        for records in [[router.clone(), gateway.clone()], [gateway.clone(), router]] {
            let (texts, _) = decode(&datagram(&[flow(3, 4, &records)]));
            assert!(texts[0].contains(&format!(" NextHop={expected} ")), "{texts:?}");
            assert!(texts[0].contains(" BgpNextHop=192.0.2.200"));
        }
    }
}

#[test]
fn an_as_path_longer_than_the_row_keeps() {
    let path: Vec<u32> = (1..=300).collect();
    let record = gateway(&HOP, [65000, 0, 0], &[(2, &path[..200]), (2, &path[200..])]);
    let (texts, _) = decode(&datagram(&[flow(3, 4, &[record])]));
    assert!(texts[0].contains("DstAS=300") && texts[0].ends_with(", 63]"), "{texts:?}");
}

/// A record shorter than its format costs that record.
#[test]
fn records_that_are_too_short() {
    let path_beyond = opaque(1003, &words(&[1, 9, 65000, 0, 0, 1, 2, u32::MAX, 65001]));
    for broken in [
        opaque(1, &words(&[1, 1000, 4])),
        opaque(2, &words(&[100, 0, 0, 0])),
        opaque(3, &words(&[0; 7])),
        opaque(4, &words(&[0; 13])),
        opaque(1001, &words(&[10, 0, 20])),
        opaque(1002, &words(&[1, 1, 2])),
        opaque(1002, &words(&[3, 1, 2, 3, 4])),
        opaque(1003, &words(&[1, 9, 65000, 0, 0])),
        opaque(1003, &words(&[1, 9, 65000, 0, 0, 1])),
        path_beyond,
        opaque(1003, &[]),
    ] {
        for records in
            [[broken.clone(), raw(1, 1000, &frame())], [raw(1, 1000, &frame()), broken.clone()]]
        {
            let (texts, counters) = decode(&datagram(&[flow(3, 4, &records)]));
            assert_eq!(texts, [framed("")], "{broken:02x?}");
            assert_eq!(counters.parts_malformed, 1, "{broken:02x?}");
        }
    }
}
