//! Sampled packets from captures, in an sFlow datagram each.

use std::path::{Path, PathBuf};

use neckar_decode::Config;

use crate::{decode, pcap, shared_folder};

/// A datagram of agent 192.0.2.99 with one sample of this frame, 1 of 512, from interface 3 to 4.
pub(crate) fn sample(frame: &[u8]) -> Vec<u8> {
    let words =
        |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let header_bytes = frame.len() as u32;
    let padded = header_bytes.next_multiple_of(4);
    let mut out = words(&[5, 1, 0xc000_0263, 0, 77, 123_456, 1]);
    out.extend(words(&[1, 32 + 24 + padded, 1, 3, 512, 9999, 0, 3, 4, 1]));
    out.extend(words(&[1, 16 + padded, 1, header_bytes + 1500, 4, header_bytes]));
    out.extend(frame);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// The captures that hold sampled packets and no export.
pub(crate) fn files(captures: &Path) -> Vec<PathBuf> {
    let folder = captures.join("akvorado-akvorado/outlet/flow/decoder/testdata");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// By default the outer packet; with `decapsulate` the inner one, which only these have.
#[test]
fn sampled_packets_of_captures() {
    let Some(folder) = shared_folder("captures") else { return };
    let expected = [
        ("gre-v4-key", 2, "Proto=47", Some("Proto=1")),
        ("gre-v4-plain", 1, "Proto=47", Some("Proto=17 SrcPort=123 DstPort=123")),
        ("gre-v6-plain", 1, "Proto=47", Some("Proto=6 SrcPort=18716 DstPort=23")),
        ("ipv4-ipv4", 1, "Proto=4", Some("Proto=1")),
        ("ipv4-ipv6", 1, "Proto=41", Some("Proto=6 SrcPort=80 DstPort=35673")),
        ("mpls-explicit-null-ipv4", 1, "MPLSCount=1 MPLS1TTL=255 MPLS1Label=0", None),
        ("mpls-explicit-null-ipv6", 1, "MPLSCount=1 MPLS1TTL=255 MPLS1Label=2", None),
        (
            "mpls-invalid-nibble",
            1,
            "Etype=8847 HasMPLS=1 MPLSCount=1 MPLS1TTL=255 MPLS1Label=100",
            None,
        ),
        ("mpls-ipv4", 1, "MPLS1TTL=255 MPLS1Label=18 MPLS2TTL=255 MPLS2Label=16", None),
        ("mpls-ipv6", 1, "Proto=6 SrcPort=11001 DstPort=80", None),
        // IPv4 in IPv6, in it GRE version 1 with PPP.
        ("vlan-ipv6", 1, "Proto=4", Some("Proto=17 SrcPort=40768 DstPort=53")),
    ];
    for (file, (name, count, outer, inner)) in files(&folder).iter().zip(expected) {
        assert_eq!(file.file_stem().unwrap(), name);
        let frames = pcap::frames(file);
        assert_eq!(frames.len(), count, "{name}");
        for frame in frames {
            let datagram = sample(&frame);
            let (closed, _) = decode(Config::default(), [&datagram[..]]);
            let config = Config { decapsulate: true, ..Config::default() };
            let (opened, _) = decode(config, [&datagram[..]]);
            assert!(closed[0].contains(outer), "{name}: {closed:?}");
            match inner {
                Some(inner) => assert!(opened[0].contains(inner), "{name}: {opened:?}"),
                None => assert_eq!(opened, closed, "{name}"),
            }
        }
    }
    assert_eq!(files(&folder).len(), expected.len());
}
