//! sFlow version 5 (sflow.org, 2004): datagram header, flow samples of raw packet headers, counter
//! samples.

use std::net::IpAddr;

use neckar_proto::{Field, Flow};

use crate::frame;
use crate::writer::Writer;

/// Length of the header of an agent with an IPv4 address.
pub const HEADER_IPV4_BYTES: usize = 28;
/// What a flow sample says first, [`SampleHeader::write`]: sequence, source, rate, pool, drops,
/// behind type and length.
pub const SAMPLE_HEADER_OFFSET: usize = 8;
/// Length of a counter sample of one interface.
pub const COUNTER_SAMPLE_BYTES: usize = 8 + 12 + 8 + INTERFACE_COUNTERS_BYTES;

const FLOW_SAMPLE: u32 = 1;
const COUNTER_SAMPLE: u32 = 2;
const RAW_HEADER: u32 = 1;
const EXTENDED_SWITCH: u32 = 1001;
const EXTENDED_ROUTER: u32 = 1002;
const INTERFACE_COUNTERS: u32 = 1;
const INTERFACE_COUNTERS_BYTES: usize = 88;
const PROTOCOL_ETHERNET: u32 = 1;

/// The header of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The agent: who the flows are said to come from.
    pub agent: IpAddr,
    /// Sub-agent id.
    pub sub_agent: u32,
    /// Datagrams of this sub-agent, this one included.
    pub sequence: u32,
    /// Milliseconds since the agent started.
    pub uptime_ms: u32,
    /// Samples that follow.
    pub samples: u32,
}

impl Header {
    /// Writes the header.
    #[inline]
    pub fn write(&self, out: &mut Writer<'_>) {
        out.u32(5);
        write_address(Some(self.agent), out);
        out.u32(self.sub_agent).u32(self.sequence).u32(self.uptime_ms).u32(self.samples);
    }
}

/// What changes in a flow sample from one to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleHeader {
    /// Samples of this source, this one included.
    pub sequence: u32,
    /// The interface that samples.
    pub source: u32,
    /// 1 of how many packets is sampled.
    pub rate: u32,
    /// Packets that could have been sampled so far.
    pub pool: u32,
}

impl SampleHeader {
    /// Writes it.
    #[inline]
    pub fn write(&self, out: &mut Writer<'_>) {
        const DROPS: u32 = 0;
        out.u32(self.sequence).u32(self.source).u32(self.rate).u32(self.pool).u32(DROPS);
    }
}

/// Length of the flow sample of a frame of `frame_bytes`.
#[must_use]
pub(crate) fn flow_sample_bytes(flow: &Flow, frame_bytes: usize) -> usize {
    let hop_bytes = if matches!(flow.ip(Field::NextHop), Some(IpAddr::V6(_))) { 16 } else { 4 };
    sampled_frame_offset()
        + frame::sampled_bytes(frame_bytes).next_multiple_of(4)
        + (8 + 16)
        + (8 + 12 + hop_bytes)
}

/// Where the frame starts in a flow sample.
pub(crate) const fn sampled_frame_offset() -> usize {
    8 + 32 + 8 + 16
}

/// The flow sample of one frame: its first bytes, the VLANs it was switched between, and its route.
pub(crate) fn write_flow_sample(
    flow: &Flow,
    header: &SampleHeader,
    frame_bytes: usize,
    out: &mut Writer<'_>,
) {
    let word = |field| flow.word_or_zero(field) as u32;
    let bytes = flow_sample_bytes(flow, frame_bytes) - 8;
    out.u32(FLOW_SAMPLE).u32(bytes as u32);
    header.write(out);
    out.u32(word(Field::InIf)).u32(word(Field::OutIf)).u32(3);

    let sampled = frame::sampled_bytes(frame_bytes);
    out.u32(RAW_HEADER).u32(16 + sampled.next_multiple_of(4) as u32);
    out.u32(PROTOCOL_ETHERNET).u32(frame_bytes as u32);
    out.u32(frame::FCS_BYTES as u32).u32(sampled as u32);
    frame::write(flow, frame_bytes, out);
    // "The array is padded to a multiple of 4" (XDR opaque, RFC 4506).
    out.pad();

    out.u32(EXTENDED_SWITCH).u32(16);
    out.u32(word(Field::SrcVlan)).u32(0).u32(word(Field::DstVlan)).u32(0);

    let hop = flow.ip(Field::NextHop);
    out.u32(EXTENDED_ROUTER).u32(if hop.is_some_and(|hop| hop.is_ipv6()) { 28 } else { 16 });
    write_address(hop, out);
    out.u32(word(Field::SrcNet)).u32(word(Field::DstNet));
}

/// What an interface has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InterfaceCounters {
    pub(crate) if_index: u32,
    pub(crate) speed_bps: u64,
    pub(crate) octets: u64,
    pub(crate) packets: u32,
}

/// A counter sample with the generic counters of one interface. Out is as in.
pub(crate) fn write_counter_sample(
    sequence: u32,
    counters: &InterfaceCounters,
    out: &mut Writer<'_>,
) {
    const ETHERNET: u32 = 6;
    const FULL_DUPLEX: u32 = 1;
    const UP: u32 = 3;
    out.u32(COUNTER_SAMPLE).u32(COUNTER_SAMPLE_BYTES as u32 - 8);
    out.u32(sequence).u32(counters.if_index).u32(1);
    out.u32(INTERFACE_COUNTERS).u32(INTERFACE_COUNTERS_BYTES as u32);
    out.u32(counters.if_index).u32(ETHERNET).u64(counters.speed_bps).u32(FULL_DUPLEX).u32(UP);
    // In: octets, unicast, multicast, broadcast, discards, errors, unknown protocols.
    out.u64(counters.octets).u32(counters.packets).u64(0).u64(0).u32(0);
    // Out: octets, unicast, multicast, broadcast, discards, errors; then promiscuous mode.
    out.u64(counters.octets).u32(counters.packets).u64(0).u64(0).u32(0);
}

fn write_address(address: Option<IpAddr>, out: &mut Writer<'_>) {
    match address {
        Some(IpAddr::V4(v4)) => out.u32(1).bytes(&v4.octets()),
        Some(IpAddr::V6(v6)) => out.u32(2).bytes(&v6.octets()),
        // Unspecified, as if it were IPv4: readers know the length of nothing else.
        None => out.u32(1).u32(0),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut bytes = vec![0xaa; 512];
        let mut out = Writer::new(&mut bytes);
        write(&mut out);
        let len = out.len();
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn header_names_agent_of_either_family() {
        let header = Header {
            agent: [198, 18, 0, 7].into(),
            sub_agent: 7,
            sequence: 3,
            uptime_ms: 0x0102_0304,
            samples: 5,
        };
        #[rustfmt::skip]
        assert_eq!(written(|out| header.write(out)), [
            0, 0, 0, 5,
            0, 0, 0, 1, 198, 18, 0, 7,
            0, 0, 0, 7,
            0, 0, 0, 3,
            1, 2, 3, 4,
            0, 0, 0, 5,
        ]);
        let v6 = Header { agent: std::net::Ipv6Addr::LOCALHOST.into(), ..header };
        let bytes = written(|out| v6.write(out));
        assert_eq!((bytes.len(), &bytes[4..8], bytes[23]), (40, &[0, 0, 0, 2][..], 1));
    }

    #[test]
    fn flow_sample_holds_frame_vlans_and_route() {
        let mut flow = Flow::default();
        for (field, value) in [
            (Field::InIf, 501),
            (Field::OutIf, 7),
            (Field::SrcMac, 0x0200_5e00_01f5),
            (Field::DstMac, 0x0200_5e00_0007),
            (Field::Etype, 0x0800),
            (Field::IPTos, 0xb8),
            (Field::FragmentId, 0x1234),
            (Field::IPTTL, 64),
            (Field::Proto, 17),
            (Field::SrcPort, 53),
            (Field::DstPort, 0xc001),
            (Field::SrcVlan, 100),
            (Field::DstVlan, 200),
            (Field::SrcNet, 24),
            (Field::DstNet, 16),
        ] {
            flow.set(field, value);
        }
        flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
        flow.set_v4(Field::DstAddr, [198, 51, 100, 2]);
        flow.set_v4(Field::NextHop, [203, 0, 113, 3]);
        let header = SampleHeader { sequence: 2, source: 501, rate: 1000, pool: 2000 };
        // 65 bytes on the wire: 4 of checksum never sampled, the other 61 filled up to 64.
        let bytes = written(|out| write_flow_sample(&flow, &header, 65, out));
        assert_eq!(bytes.len(), flow_sample_bytes(&flow, 65));
        #[rustfmt::skip]
        let expected: &[u8] = &[
            0, 0, 0, 1, 0, 0, 0, 168, // flow sample
            0, 0, 0, 2, 0, 0, 1, 0xf5, 0, 0, 3, 0xe8, 0, 0, 7, 0xd0, 0, 0, 0, 0,
            0, 0, 1, 0xf5, 0, 0, 0, 7, 0, 0, 0, 3,
            0, 0, 0, 1, 0, 0, 0, 80, // raw header
            0, 0, 0, 1, 0, 0, 0, 65, 0, 0, 0, 4, 0, 0, 0, 61,
            2, 0, 0x5e, 0, 0, 7, 2, 0, 0x5e, 0, 1, 0xf5, 8, 0,
            0x45, 0xb8, 0, 47, 0x12, 0x34, 0, 0, 64, 17, 0x7b, 0x9b, 192, 0, 2, 1, 198, 51, 100, 2,
            0, 53, 0xc0, 1, 0, 27, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, // padding
            0, 0, 3, 0xe9, 0, 0, 0, 16, // extended switch
            0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0,
            0, 0, 3, 0xea, 0, 0, 0, 16, // extended router
            0, 0, 0, 1, 203, 0, 113, 3, 0, 0, 0, 24, 0, 0, 0, 16,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(bytes[sampled_frame_offset()..][..6], [2, 0, 0x5e, 0, 0, 7]);
        assert_eq!(bytes[sampled_frame_offset() + frame::ports_offset(&flow)..][..2], [0, 53]);
    }

    #[test]
    fn counter_sample_has_the_88_bytes_of_generic_counters() {
        let counters = InterfaceCounters {
            if_index: 501,
            speed_bps: 100_000_000_000,
            octets: 0x0001_0002_0003,
            packets: 9,
        };
        let bytes = written(|out| write_counter_sample(4, &counters, out));
        assert_eq!(bytes.len(), COUNTER_SAMPLE_BYTES);
        assert_eq!(
            bytes[..28],
            [
                0, 0, 0, 2, 0, 0, 0, 108, 0, 0, 0, 4, 0, 0, 1, 0xf5, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0,
                0, 88
            ]
        );
        assert_eq!(bytes[28..36], [0, 0, 1, 0xf5, 0, 0, 0, 6]);
        assert_eq!(bytes[36..44], 100_000_000_000u64.to_be_bytes());
        // Octets and packets, in and out (sflow.org, 5: if_counters).
        for at in [52, 84] {
            assert_eq!(bytes[at..at + 12], [0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 0, 9], "at {at}");
        }
    }
}
