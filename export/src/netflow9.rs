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

// First before last, and the destination's mask before the source's: unlike template 260, and so it is on the wire.
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

/// Options template (RFC 3954, 6.1) and options data (6.2) that say which rate sampler [`SAMPLER_ID`] has.
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
