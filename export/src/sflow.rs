//! sFlow version 5 (sflow.org, 2004): datagram header, flow samples of raw packet headers, counter samples.

use std::net::IpAddr;

use neckar_proto::{Field, Flow};

use crate::frame;
use crate::writer::Writer;

/// Length of the header of an agent with an IPv4 address.
pub const HEADER_IPV4_BYTES: usize = 28;
/// What a flow sample says first, [`SampleHeader::write`]: sequence, source, rate, pool, drops, behind type and length.
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
