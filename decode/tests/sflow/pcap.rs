//! Frames of a capture file, and the UDP payloads in them.

use std::fs::File;
use std::path::Path;

use pcap_parser::{Linktype, PcapBlockOwned, PcapError, create_reader};

/// Every frame of a pcap or pcapng file with Ethernet frames.
pub(crate) fn frames(path: &Path) -> Vec<Vec<u8>> {
    let file = File::open(path).unwrap();
    let mut reader = create_reader(1 << 16, file).unwrap();
    let mut frames = Vec::new();
    loop {
        match reader.next() {
            Ok((used, block)) => {
                match block {
                    PcapBlockOwned::LegacyHeader(header) => {
                        assert_eq!(header.network, Linktype::ETHERNET, "{}", path.display());
                    }
                    PcapBlockOwned::Legacy(packet) => frames.push(packet.data.to_vec()),
                    PcapBlockOwned::NG(_) => panic!("{}: pcapng", path.display()),
                }
                reader.consume(used);
            }
            Err(PcapError::Eof) => return frames,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

/// The UDP payload of each frame: Ethernet, IPv4 without options or IPv6 without extension headers.
pub(crate) fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let payload = |frame: Vec<u8>| {
        let (network, udp) = match frame[12..14] {
            [8, 0] => (14, 34),
            [0x86, 0xdd] => (14, 54),
            _ => panic!("{}: no IP", path.display()),
        };
        assert!(matches!(frame[network], 0x45 | 0x60..=0x6f));
        let length = usize::from(u16::from_be_bytes([frame[udp + 4], frame[udp + 5]]));
        frame[udp + 8..udp + length].to_vec()
    };
    frames(path).into_iter().map(payload).collect()
}
