//! NetFlow v5: a fixed header and fixed records of 48 bytes, IPv4 only.

use neckar_proto::{Field, Flow};

use crate::template::Clock;
use crate::writer::Writer;

/// Length of the header.
pub const HEADER_BYTES: usize = 24;
/// Length of a record.
pub const RECORD_BYTES: usize = 48;
/// A datagram holds at most this many records.
pub const RECORDS_MAX: usize = 30;
/// Where the start of the flow lies in a record.
pub const FIRST_OFFSET: usize = 24;
/// Where the end of the flow lies in a record.
pub const LAST_OFFSET: usize = 28;
/// Where the source port lies in a record; the destination's follows.
pub const SRC_PORT_OFFSET: usize = 32;
/// What stands for an AS number of more than 16 bits (RFC 6793, AS_TRANS).
pub const AS_TRANS: u16 = 23456;
/// Sampling rates have 14 bits.
pub const SAMPLING_RATE_MAX: u32 = (1 << 14) - 1;

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Records that follow.
    pub count: u16,
    /// Milliseconds since the router started.
    pub uptime_ms: u32,
    /// Unix nanoseconds.
    pub unix_ns: u64,
    /// Flows of this engine before this datagram.
    pub sequence: u32,
    /// Engine type and id.
    pub engine: u16,
    /// 1 of how many packets was looked at, at most [`SAMPLING_RATE_MAX`]; 0 not said.
    pub sampling_rate: u32,
}

impl Header {
    /// Writes the header.
    #[inline]
    pub fn write(&self, out: &mut Writer<'_>) {
        const MODE_PACKET_INTERVAL: u16 = 1 << 14;
        let (seconds, nanoseconds) = (self.unix_ns / 1_000_000_000, self.unix_ns % 1_000_000_000);
        out.u16(5).u16(self.count).u32(self.uptime_ms);
        out.u32(seconds as u32).u32(nanoseconds as u32);
        out.u32(self.sequence).u16(self.engine);
        out.u16(match self.sampling_rate.min(SAMPLING_RATE_MAX) {
            0 => 0,
            rate => MODE_PACKET_INTERVAL | rate as u16,
        });
    }
}

/// The record of an IPv4 flow. Numbers too big for their place are cut to its largest value, AS numbers to
/// [`AS_TRANS`].
pub fn write_record(flow: &Flow, clock: &Clock, out: &mut Writer<'_>) {
    let word = |field| flow.word_or_zero(field);
    let short = |field| word(field).min(u64::from(u16::MAX)) as u16;
    let long = |field| word(field).min(u64::from(u32::MAX)) as u32;
    let autonomous_system = |field| u16::try_from(word(field)).unwrap_or(AS_TRANS);
    for field in [Field::SrcAddr, Field::DstAddr, Field::NextHop] {
        let address = flow.address(field).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        out.bytes(&address.unwrap_or_default());
    }
    out.u16(short(Field::InIf)).u16(short(Field::OutIf));
    out.u32(long(Field::Packets)).u32(long(Field::Bytes));
    out.u32(clock.uptime_ms_at(word(Field::TimeFlowStartNs)));
    out.u32(clock.uptime_ms_at(word(Field::TimeFlowEndNs)));
    out.u16(short(Field::SrcPort)).u16(short(Field::DstPort));
    out.u8(0).u8(word(Field::TCPFlags) as u8).u8(word(Field::Proto) as u8);
    out.u8(word(Field::IPTos) as u8);
    out.u16(autonomous_system(Field::SrcAS)).u16(autonomous_system(Field::DstAS));
    out.u8(word(Field::SrcNet) as u8).u8(word(Field::DstNet) as u8).u16(0);
}
