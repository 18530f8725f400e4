//! Every link type gives the same datagram.

use super::*;
use crate::frames::*;

const PAYLOAD: &[u8] = b"one datagram";

/// A file of this link type with these two frames holds [`PAYLOAD`] over IPv4 and IPv6.
#[track_caller]
fn check(link: u32, v4: &[u8], v6: &[u8]) {
    let frames = [(TIME_NS, v4.to_vec()), (TIME_NS, v6.to_vec())];
    let (seen, notes, error) = read(&pcap(LITTLE, link, &frames));
    assert!(error.is_none(), "{}", error.unwrap());
    assert_eq!(notes, Notes { frames: 2, ..Notes::default() });
    for (seen, names) in seen.iter().zip([V4, V6]) {
        let (source, destination) = ends(names);
        let expected = Seen { time_ns: TIME_NS, source, destination, payload: PAYLOAD.to_vec() };
        assert_eq!(*seen, expected, "link type {link}");
    }
    assert_eq!(seen.len(), 2, "link type {link}");
}

/// A frame is a header that ends in the Ethernet type, then the packet.
#[track_caller]
fn check_typed(link: u32, header: &[u8]) {
    let frame = |kind: u16, packet: &[u8]| join(&[header, &kind.to_be_bytes(), packet]);
    check(link, &frame(IPV4, &udp4(PAYLOAD)), &frame(IPV6, &udp6(PAYLOAD)));
}

/// A frame is a header, whatever is in it, then the packet.
#[track_caller]
fn check_raw(link: u32, header: &[u8]) {
    check(link, &join(&[header, &udp4(PAYLOAD)]), &join(&[header, &udp6(PAYLOAD)]));
}

const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];

#[test]
fn ethernet_plain_tagged_and_labelled() {
    check_typed(1, &[2; 12]);
    let tag = |kind: u16| join(&[&kind.to_be_bytes(), &[0x61, 0x23]]);
    check_typed(1, &join(&[&[2; 12], &tag(0x8100)]));
    check_typed(1, &join(&[&[2; 12], &tag(0x88a8), &tag(0x8100)]));
    check_typed(1, &join(&[&[2; 12], &tag(0x9100), &tag(0x8100), &tag(0x8100)]));
    check_raw(1, &join(&[&[2; 12], &[0x88, 0x47, 0, 0, 0x10, 64, 0, 0, 0x21, 64]]));
    // 802.3 with LLC and SNAP, the length counting from LLC on.
    check_typed(1, &join(&[&[2; 12], &[0, 60], &SNAP]));
    // PPPoE, protocol field of two bytes.
    let pppoe = |protocol: u8| join(&[&[2; 12], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, protocol]]);
    let frames = [join(&[&pppoe(0x21), &udp4(PAYLOAD)]), join(&[&pppoe(0x57), &udp6(PAYLOAD)])];
    check(1, &frames[0], &frames[1]);
}

#[test]
fn linux_cooked() {
    check_typed(113, &[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0]);
    let v2 = |kind: u16, packet: &[u8]| {
        join(&[
            &kind.to_be_bytes(),
            &[0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 1, 2, 3, 4, 5, 6, 0, 0],
            packet,
        ])
    };
    check(276, &v2(IPV4, &udp4(PAYLOAD)), &v2(IPV6, &udp6(PAYLOAD)));
    // A tag that the kernel left in the frame.
    let tagged =
        |kind: u16, packet: &[u8]| v2(0x8100, &join(&[&[0, 9], &kind.to_be_bytes(), packet]));
    check(276, &tagged(IPV4, &udp4(PAYLOAD)), &tagged(IPV6, &udp6(PAYLOAD)));
}

#[test]
fn raw_ip_and_loopback() {
    for link in [12, 14, 101] {
        check_raw(link, &[]);
    }
    check_raw(0, &[2, 0, 0, 0]);
    check_raw(108, &[0, 0, 0, 24]);
    let only = |link, packet: Vec<u8>| payloads(&pcap(LITTLE, link, &[(TIME_NS, packet)]));
    assert_eq!(only(228, udp4(PAYLOAD)), [PAYLOAD]);
    assert_eq!(only(229, udp6(PAYLOAD)), [PAYLOAD]);
}

#[test]
fn point_to_point() {
    for (link, header) in [(9, &[0xff, 3][..]), (50, &[0xff, 3]), (9, &[])] {
        let frame = |protocol: u8, packet: &[u8]| join(&[header, &[0, protocol], packet]);
        check(link, &frame(0x21, &udp4(PAYLOAD)), &frame(0x57, &udp6(PAYLOAD)));
    }
    // Protocol numbers of one byte.
    check(9, &join(&[&[0x21], &udp4(PAYLOAD)]), &join(&[&[0x57], &udp6(PAYLOAD)]));
    check_typed(50, &[0x0f, 0]);
    check_typed(104, &[0x0f, 0]);
    let session = |protocol: u8| [0x11, 0, 0, 1, 0, 42, 0, protocol];
    check(51, &join(&[&session(0x21), &udp4(PAYLOAD)]), &join(&[&session(0x57), &udp6(PAYLOAD)]));
}

#[test]
fn wireless() {
    let data = join(&[&[0x08, 0x01, 0, 0], &[2; 20], &SNAP]);
    check_typed(105, &data);
    let qos = join(&[&[0x88, 0x02, 0, 0], &[2; 20], &[0, 0], &SNAP]);
    check_typed(105, &qos);
    let bridge_ht = join(&[&[0x88, 0x83, 0, 0], &[2; 26], &[0; 6], &SNAP]);
    check_typed(105, &bridge_ht);
    check_typed(127, &join(&[&[0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0], &data]));
    check_typed(192, &join(&[&[0, 0, 8, 0, 105, 0, 0, 0], &data]));
    // Encrypted: nothing to see.
    let protected = join(&[&[0x08, 0x41, 0, 0], &[2; 20], &SNAP, &[8, 0], &udp4(PAYLOAD)]);
    let (seen, notes, _) = read(&pcap(LITTLE, 105, &[(TIME_NS, protected)]));
    assert_eq!((seen.len(), notes.not_ip), (0, 1));
}

#[test]
fn others_that_carry_llc_or_a_header_of_their_own() {
    check_typed(6, &join(&[&[0x10, 0x40], &[2; 12], &SNAP]));
    check_typed(10, &join(&[&[0x50], &[2; 12], &SNAP]));
    check_typed(11, &SNAP);
    check_typed(100, &SNAP);
    check_raw(109, &[0; 12]);
    check_raw(117, &join(&[&[61], &[0; 63]]));
    // Netfilter's log: a mark, then the packet, attributes in the byte order of an Intel machine.
    let nflog = |packet: &[u8]| {
        let len = (packet.len() as u16 + 4).to_le_bytes();
        join(&[&[2, 0, 0, 0], &[6, 0, 10, 0, 0, 0, 0, 0], &len, &[9, 0], packet])
    };
    check(239, &nflog(&udp4(PAYLOAD)), &nflog(&udp6(PAYLOAD)));
}

#[test]
fn padding_options_and_extension_headers() {
    // A short frame is padded to 60 bytes, which is no payload.
    let padded = join(&[&ethernet(IPV4, &udp4(b"x")), &[0; 17]]);
    assert_eq!(payloads(&pcap(LITTLE, 1, &[(TIME_NS, padded)])), [b"x"]);
    let options = ethernet(IPV4, &ipv4(V4, (1, 0, false), 40, &udp(V4, PAYLOAD)));
    assert_eq!(payloads(&pcap(LITTLE, 1, &[(TIME_NS, options)])), [PAYLOAD]);
    // Hop-by-hop, destination options of 16 bytes, authentication of 24, routing.
    let extensions = join(&[
        &[60, 0, 0, 0, 0, 0, 0, 0],
        &[51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[43, 4],
        &[0; 22],
        &[17, 0, 0, 0, 0, 0, 0, 0],
        &udp(V6, PAYLOAD),
    ]);
    let packet = ethernet(IPV6, &ipv6(V6, 0, &extensions));
    assert_eq!(payloads(&pcap(LITTLE, 1, &[(TIME_NS, packet)])), [PAYLOAD]);
}

#[test]
fn mapped_addresses_are_ipv4() {
    let names = ("[::ffff:192.0.2.1]:50000", "[::ffff:198.51.100.2]:2055");
    let packet = ethernet(IPV6, &ipv6(names, 17, &udp(names, PAYLOAD)));
    let (seen, _, _) = read(&pcap(LITTLE, 1, &[(TIME_NS, packet)]));
    assert_eq!((seen[0].source, seen[0].destination), ends(V4));
}

#[test]
fn what_is_not_udp_is_counted() {
    let tcp = {
        let mut packet = udp4(PAYLOAD);
        packet[9] = 6;
        ethernet(IPV4, &packet)
    };
    let arp = ethernet(0x0806, &[0; 28]);
    let endless = ethernet(0x8100, &[0x81, 0x00].repeat(100));
    let short_header = ethernet(IPV4, &[0x44; 40]);
    let frames: Vec<_> = [tcp, arp, endless, short_header].map(|frame| (TIME_NS, frame)).into();
    let (seen, notes, error) = read(&pcap(LITTLE, 1, &frames));
    assert!(seen.is_empty() && error.is_none());
    assert_eq!(notes, Notes { frames: 4, not_udp: 1, not_ip: 3, ..Notes::default() });
}

#[test]
fn an_unknown_link_type_is_no_empty_capture() {
    let frames = [(TIME_NS, vec![0; 64]), (TIME_NS, vec![0; 64])];
    let (seen, notes, error) = read(&pcap(LITTLE, 189, &frames));
    assert!(seen.is_empty());
    assert_eq!(notes, Notes { frames: 2, link_unknown: 2, ..Notes::default() });
    assert_eq!(error.unwrap().what, "no UDP can be found in frames of link type 189");
    // Beside an interface that gives something it is only counted.
    let bytes = join(&[
        &section(LITTLE),
        &interface(LITTLE, 189, &[]),
        &interface(LITTLE, 101, &[]),
        &enhanced(LITTLE, 0, 1, &[0; 64]),
        &enhanced(LITTLE, 1, 1, &udp4(PAYLOAD)),
    ]);
    let (seen, notes, error) = read(&bytes);
    assert!(error.is_none());
    assert_eq!((seen.len(), notes.frames, notes.link_unknown), (1, 2, 1));
}

#[test]
fn a_cut_frame_gives_what_is_there() {
    let mut frame = ethernet(IPV4, &udp4(PAYLOAD));
    frame.truncate(frame.len() - 4);
    let (seen, notes, _) = read(&pcap(LITTLE, 1, &[(TIME_NS, frame)]));
    assert_eq!(seen[0].payload, PAYLOAD[..PAYLOAD.len() - 4]);
    assert_eq!(notes.cut, 1);
}
