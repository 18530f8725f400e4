//! NetFlow v9 (RFC 3954): header, template and options sets, and the layouts 260 and 266.

use neckar_proto::Field;

use crate::template::{Element, Template, Value, element};
use crate::writer::Writer;

/// Length of the header.
pub const HEADER_BYTES: usize = 20;
/// Length of a set's header.
pub const SET_HEADER_BYTES: usize = 4;
/// Set id of templates.
pub const TEMPLATE_SET: u16 = 0;
/// Set id of options templates.
pub const OPTIONS_TEMPLATE_SET: u16 = 1;
/// The sampler that every record names and the options data describe.
pub const SAMPLER_ID: u16 = 1;
/// Template id of the options data that give the sampling rate.
pub const OPTIONS_ID: u16 = 512;

/// IPv4 records: 23 fields, 73 bytes, bwNetFlow's template 260.
pub const IPV4: Template = Template { id: 260, elements: &IPV4_ELEMENTS };
/// IPv6 records: 25 fields, 117 bytes, bwNetFlow's template 266.
pub const IPV6: Template = Template { id: 266, elements: &IPV6_ELEMENTS };

const IPV4_ELEMENTS: [Element; 23] = [
    element(2, 8, Value::Word(Field::Packets)),
    element(1, 8, Value::Word(Field::Bytes)),
    element(8, 4, Value::Address(Field::SrcAddr)),
    element(12, 4, Value::Address(Field::DstAddr)),
    element(10, 4, Value::Word(Field::InIf)),
    element(14, 4, Value::Word(Field::OutIf)),
    element(21, 4, Value::LastUptime),
    element(22, 4, Value::FirstUptime),
    element(7, 2, Value::Word(Field::SrcPort)),
    element(11, 2, Value::Word(Field::DstPort)),
    element(16, 4, Value::Word(Field::SrcAS)),
    element(17, 4, Value::Word(Field::DstAS)),
    element(18, 4, Value::NextHop),
    element(9, 1, Value::Word(Field::SrcNet)),
    element(13, 1, Value::Word(Field::DstNet)),
    element(4, 1, Value::Word(Field::Proto)),
    element(6, 1, Value::Word(Field::TCPFlags)),
    element(5, 1, Value::Word(Field::IPTos)),
    element(61, 1, Value::Word(Field::FlowDirection)),
    element(89, 1, Value::Word(Field::ForwardingStatus)),
    element(48, 2, Value::Constant(SAMPLER_ID as u64)),
    element(234, 4, Value::Word(Field::IngressVrfID)),
    element(235, 4, Value::Word(Field::EgressVrfID)),
];

// First before last, and the destination's mask before the source's: unlike template 260, and so it
// is on the wire.
const IPV6_ELEMENTS: [Element; 25] = [
    element(2, 8, Value::Word(Field::Packets)),
    element(1, 8, Value::Word(Field::Bytes)),
    element(27, 16, Value::Address(Field::SrcAddr)),
    element(28, 16, Value::Address(Field::DstAddr)),
    element(10, 4, Value::Word(Field::InIf)),
    element(14, 4, Value::Word(Field::OutIf)),
    element(22, 4, Value::FirstUptime),
    element(21, 4, Value::LastUptime),
    element(31, 4, Value::Word(Field::IPv6FlowLabel)),
    element(64, 4, Value::Constant(0)),
    element(7, 2, Value::Word(Field::SrcPort)),
    element(11, 2, Value::Word(Field::DstPort)),
    element(16, 4, Value::Word(Field::SrcAS)),
    element(17, 4, Value::Word(Field::DstAS)),
    element(63, 16, Value::NextHop),
    element(30, 1, Value::Word(Field::DstNet)),
    element(29, 1, Value::Word(Field::SrcNet)),
    element(4, 1, Value::Word(Field::Proto)),
    element(6, 1, Value::Word(Field::TCPFlags)),
    element(5, 1, Value::Word(Field::IPTos)),
    element(61, 1, Value::Word(Field::FlowDirection)),
    element(89, 1, Value::Word(Field::ForwardingStatus)),
    element(48, 2, Value::Constant(SAMPLER_ID as u64)),
    element(234, 4, Value::Word(Field::IngressVrfID)),
    element(235, 4, Value::Word(Field::EgressVrfID)),
];

const _: () = assert!(IPV4.record_bytes() == 73 && IPV6.record_bytes() == 117);

/// The header (RFC 3954, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// "The total number of records in the Export Packet", templates and options included.
    pub count: u16,
    /// Milliseconds since the router started.
    pub uptime_ms: u32,
    /// Unix seconds.
    pub unix_s: u32,
    /// Datagrams of this source id before this one.
    pub sequence: u32,
    /// Source id, the observation domain.
    pub source_id: u32,
}

impl Header {
    /// Writes the header.
    #[inline]
    pub fn write(&self, out: &mut Writer<'_>) {
        out.u16(9).u16(self.count).u32(self.uptime_ms).u32(self.unix_s);
        out.u32(self.sequence).u32(self.source_id);
    }
}

/// A template set that defines `templates`. Its length is a multiple of four by itself.
pub fn write_template_set(templates: &[Template], out: &mut Writer<'_>) {
    let fields: usize = templates.iter().map(|template| template.elements.len()).sum();
    let bytes = SET_HEADER_BYTES + 4 * (templates.len() + fields);
    out.u16(TEMPLATE_SET).u16(bytes as u16);
    for template in templates {
        template.write_definition(out);
    }
}

/// A data set of one template, filled by `records`, then padded to four bytes and given its length.
pub fn write_data_set(
    template_id: u16,
    out: &mut Writer<'_>,
    records: impl FnOnce(&mut Writer<'_>),
) {
    let start = out.len();
    out.u16(template_id).u16(0);
    records(out);
    out.pad();
    out.set_u16(start + 2, (out.len() - start) as u16);
}

/// Records that [`write_sampling`] adds to the header's count.
pub const SAMPLING_RECORDS: u16 = 2;

/// Options template (RFC 3954, 6.1) and options data (6.2) that say which rate sampler
/// [`SAMPLER_ID`] has.
pub fn write_sampling(rate: u32, out: &mut Writer<'_>) {
    const SCOPE_SYSTEM: u16 = 1;
    const RANDOM: u8 = 2;
    // Lengths of scope and option fields are in bytes of template, four for each.
    out.u16(OPTIONS_TEMPLATE_SET).u16(4 + 6 + 4 + 12 + 2);
    out.u16(OPTIONS_ID).u16(4).u16(12);
    out.u16(SCOPE_SYSTEM).u16(4);
    out.u16(48).u16(2).u16(49).u16(1).u16(50).u16(4);
    out.pad();
    write_data_set(OPTIONS_ID, out, |out| {
        out.u32(0).u16(SAMPLER_ID).u8(RANDOM).u32(rate);
    });
}

#[cfg(test)]
mod tests {
    use neckar_proto::Flow;

    use super::*;
    use crate::template::Clock;

    fn written(len: usize, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut bytes = vec![0xaa; len];
        let mut out = Writer::new(&mut bytes);
        write(&mut out);
        assert_eq!(out.len(), len);
        bytes
    }

    #[test]
    fn header_is_that_of_rfc_3954() {
        let header = Header {
            count: 18,
            uptime_ms: 0x0102_0304,
            unix_s: 1_700_000_000,
            sequence: 0xfffe_fdfc,
            source_id: 0x0a0b_0c0d,
        };
        #[rustfmt::skip]
        assert_eq!(written(HEADER_BYTES, |out| header.write(out)), [
            0, 9, 0, 18,
            1, 2, 3, 4,
            0x65, 0x53, 0xf1, 0x00,
            0xff, 0xfe, 0xfd, 0xfc,
            0x0a, 0x0b, 0x0c, 0x0d,
        ]);
    }

    #[test]
    fn template_260_is_bwnetflows() {
        // A set of 100 bytes: id, length, template id, 23 fields.
        #[rustfmt::skip]
        assert_eq!(written(100, |out| write_template_set(&[IPV4], out)), [
            0, 0, 0, 100, 1, 4, 0, 23,
            0, 2, 0, 8, 0, 1, 0, 8, 0, 8, 0, 4, 0, 12, 0, 4, 0, 10, 0, 4, 0, 14, 0, 4,
            0, 21, 0, 4, 0, 22, 0, 4, 0, 7, 0, 2, 0, 11, 0, 2, 0, 16, 0, 4, 0, 17, 0, 4,
            0, 18, 0, 4, 0, 9, 0, 1, 0, 13, 0, 1, 0, 4, 0, 1, 0, 6, 0, 1, 0, 5, 0, 1,
            0, 61, 0, 1, 0, 89, 0, 1, 0, 48, 0, 2, 0, 234, 0, 4, 0, 235, 0, 4,
        ]);
    }

    #[test]
    fn template_266_is_bwnetflows() {
        // A set of 108 bytes: id, length, template id, 25 fields.
        #[rustfmt::skip]
        assert_eq!(written(108, |out| write_template_set(&[IPV6], out)), [
            0, 0, 0, 108, 1, 10, 0, 25,
            0, 2, 0, 8, 0, 1, 0, 8, 0, 27, 0, 16, 0, 28, 0, 16, 0, 10, 0, 4, 0, 14, 0, 4,
            0, 22, 0, 4, 0, 21, 0, 4, 0, 31, 0, 4, 0, 64, 0, 4, 0, 7, 0, 2, 0, 11, 0, 2,
            0, 16, 0, 4, 0, 17, 0, 4, 0, 63, 0, 16, 0, 30, 0, 1, 0, 29, 0, 1, 0, 4, 0, 1,
            0, 6, 0, 1, 0, 5, 0, 1, 0, 61, 0, 1, 0, 89, 0, 1, 0, 48, 0, 2, 0, 234, 0, 4,
            0, 235, 0, 4,
        ]);
    }

    #[test]
    fn sampling_is_an_options_template_and_its_data() {
        #[rustfmt::skip]
        assert_eq!(written(28 + 16, |out| write_sampling(1000, out)), [
            0, 1, 0, 28, // options template set
            2, 0, 0, 4, 0, 12, // template 512: 4 bytes of scope, 12 of options
            0, 1, 0, 4, // scope System
            0, 48, 0, 2, 0, 49, 0, 1, 0, 50, 0, 4,
            0, 0, // padding
            2, 0, 0, 16, // data set 512
            0, 0, 0, 0, 0, 1, 2, 0, 0, 0x03, 0xe8,
            0, // padding
        ]);
    }

    fn flow() -> Flow {
        let mut flow = Flow::default();
        for (field, value) in [
            (Field::Packets, 0x0102),
            (Field::Bytes, 0x0304_0506_0708),
            (Field::InIf, 501),
            (Field::OutIf, 7),
            (Field::TimeFlowEndNs, 999_000_000),
            (Field::TimeFlowStartNs, 998_000_000),
            (Field::SrcPort, 443),
            (Field::DstPort, 0xc001),
            (Field::SrcAS, 64_512),
            (Field::DstAS, 0x0002_0001),
            (Field::SrcNet, 24),
            (Field::DstNet, 16),
            (Field::Proto, 6),
            (Field::TCPFlags, 0x1b),
            (Field::IPTos, 0xb8),
            (Field::FlowDirection, 1),
            (Field::ForwardingStatus, 0x40),
            (Field::IngressVrfID, 0x6000_0000),
        ] {
            flow.set(field, value);
        }
        flow
    }

    const CLOCK: Clock = Clock { unix_ns: 1_000_000_000, uptime_ms: 0x0001_0002 };

    #[test]
    fn record_260_holds_the_row() {
        let mut flow = flow();
        flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
        flow.set_v4(Field::DstAddr, [198, 51, 100, 2]);
        flow.set_v4(Field::NextHop, [203, 0, 113, 9]);
        flow.set_v4(Field::BgpNextHop, [203, 0, 113, 3]);
        #[rustfmt::skip]
        assert_eq!(written(73, |out| IPV4.write_record(&flow, &CLOCK, out)), [
            0, 0, 0, 0, 0, 0, 1, 2,
            0, 0, 3, 4, 5, 6, 7, 8,
            192, 0, 2, 1,
            198, 51, 100, 2,
            0, 0, 1, 0xf5,
            0, 0, 0, 7,
            0, 1, 0, 1, // last
            0, 1, 0, 0, // first
            0x01, 0xbb, 0xc0, 0x01,
            0, 0, 0xfc, 0,
            0, 2, 0, 1,
            203, 0, 113, 3,
            24, 16, 6, 0x1b, 0xb8, 1, 0x40,
            0, 1,
            0x60, 0, 0, 0,
            0, 0, 0, 0, // no egress VRF in the row
        ]);
    }

    #[test]
    fn record_266_holds_the_row() {
        let mut flow = flow();
        let address = |last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        flow.set_v6(Field::SrcAddr, address(1));
        flow.set_v6(Field::DstAddr, address(2));
        // No BGP next hop: the other one stands in for it.
        flow.set_v6(Field::NextHop, address(3));
        flow.set(Field::IPv6FlowLabel, 0x000f_1234);
        #[rustfmt::skip]
        assert_eq!(written(117, |out| IPV6.write_record(&flow, &CLOCK, out)), [
            0, 0, 0, 0, 0, 0, 1, 2,
            0, 0, 3, 4, 5, 6, 7, 8,
            0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
            0, 0, 1, 0xf5,
            0, 0, 0, 7,
            0, 1, 0, 0, // first
            0, 1, 0, 1, // last
            0, 0x0f, 0x12, 0x34,
            0, 0, 0, 0,
            0x01, 0xbb, 0xc0, 0x01,
            0, 0, 0xfc, 0,
            0, 2, 0, 1,
            0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3,
            16, 24, // destination, source
            6, 0x1b, 0xb8, 1, 0x40,
            0, 1,
            0x60, 0, 0, 0,
            0, 0, 0, 0,
        ]);
    }

    #[test]
    fn a_row_of_the_other_family_leaves_addresses_zero() {
        let mut flow = Flow::default();
        flow.set_v6(Field::SrcAddr, [0x20; 16]);
        let record = written(73, |out| IPV4.write_record(&flow, &CLOCK, out));
        assert_eq!(record[16..24], [0; 8]);
    }
}
