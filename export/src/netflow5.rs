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

/// The record of an IPv4 flow. Numbers too big for their place are cut to its largest value, AS
/// numbers to [`AS_TRANS`].
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_24_bytes_as_cisco_lays_them_out() {
        let header = Header {
            count: 30,
            uptime_ms: 0x0102_0304,
            unix_ns: 1_700_000_000_123_456_789,
            sequence: 0xfffe_fdfc,
            engine: 0x0a0b,
            sampling_rate: 1000,
        };
        let mut bytes = [0xaa; 26];
        header.write(&mut Writer::new(&mut bytes));
        #[rustfmt::skip]
        assert_eq!(bytes, [
            0, 5, 0, 30,
            1, 2, 3, 4,
            0x65, 0x53, 0xf1, 0x00, // 1700000000
            0x07, 0x5b, 0xcd, 0x15, // 123456789
            0xff, 0xfe, 0xfd, 0xfc,
            0x0a, 0x0b,
            0x43, 0xe8, // mode 1, rate 1000
            0xaa, 0xaa,
        ]);
        let unsampled = Header { sampling_rate: 0, ..header };
        unsampled.write(&mut Writer::new(&mut bytes));
        assert_eq!(bytes[22..24], [0, 0]);
        let rare = Header { sampling_rate: 70_000, ..header };
        rare.write(&mut Writer::new(&mut bytes));
        assert_eq!(bytes[22..24], [0x7f, 0xff]);
    }

    #[test]
    fn record_is_48_bytes_as_cisco_lays_them_out() {
        let mut flow = Flow::default();
        flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
        flow.set_v4(Field::DstAddr, [198, 51, 100, 2]);
        flow.set_v4(Field::NextHop, [203, 0, 113, 3]);
        for (field, value) in [
            (Field::InIf, 0x0102),
            (Field::OutIf, 70_000),
            (Field::Packets, 0x0a0b_0c0d),
            (Field::Bytes, 1 << 32),
            (Field::TimeFlowStartNs, 997_000_000),
            (Field::TimeFlowEndNs, 1_002_000_000),
            (Field::SrcPort, 443),
            (Field::DstPort, 0xc001),
            (Field::TCPFlags, 0x1b),
            (Field::Proto, 6),
            (Field::IPTos, 0xb8),
            (Field::SrcAS, 64_512),
            (Field::DstAS, 65_536),
            (Field::SrcNet, 24),
            (Field::DstNet, 16),
        ] {
            flow.set(field, value);
        }
        let clock = Clock { unix_ns: 1_000_000_000, uptime_ms: 1 };
        let mut bytes = [0xaa; 48];
        write_record(&flow, &clock, &mut Writer::new(&mut bytes));
        #[rustfmt::skip]
        assert_eq!(bytes, [
            192, 0, 2, 1,
            198, 51, 100, 2,
            203, 0, 113, 3,
            0x01, 0x02, 0xff, 0xff, // an index of more than 16 bits
            0x0a, 0x0b, 0x0c, 0x0d,
            0xff, 0xff, 0xff, 0xff, // a count of more than 32 bits
            0xff, 0xff, 0xff, 0xfe, // 3 ms before an uptime of 1 ms: before the counter wrapped
            0, 0, 0, 3, // after the header
            0x01, 0xbb, 0xc0, 0x01,
            0, 0x1b, 6, 0xb8,
            0xfc, 0x00, 0x5b, 0xa0, // AS_TRANS
            24, 16, 0, 0,
        ]);
        assert_eq!(bytes[FIRST_OFFSET..][..4], [0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(bytes[LAST_OFFSET..][..4], [0, 0, 0, 3]);
        assert_eq!(bytes[SRC_PORT_OFFSET..][..2], [0x01, 0xbb]);
    }
}
