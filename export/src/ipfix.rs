//! IPFIX (RFC 7011): header, template and options sets, and the fields of NetFlow v9's layouts with absolute times.

use neckar_proto::Field;

use crate::template::{Element, Template, Value, element};
use crate::writer::Writer;

pub use crate::netflow9::{SET_HEADER_BYTES, write_data_set};

/// Length of the header.
pub const HEADER_BYTES: usize = 16;
/// Set id of templates.
pub const TEMPLATE_SET: u16 = 2;
/// Set id of options templates.
pub const OPTIONS_TEMPLATE_SET: u16 = 3;
/// The selector that every record names and the options data describe.
pub const SELECTOR_ID: u64 = 1;
/// Template id of the options data that give the sampling rate.
pub const OPTIONS_ID: u16 = 512;

/// IPv4 records: 23 fields, 81 bytes.
pub const IPV4: Template = Template { id: 260, elements: &IPV4_ELEMENTS };
/// IPv6 records: 25 fields, 125 bytes.
pub const IPV6: Template = Template { id: 266, elements: &IPV6_ELEMENTS };

const IPV4_ELEMENTS: [Element; 23] = absolute(crate::netflow9::IPV4.elements);
const IPV6_ELEMENTS: [Element; 25] = absolute(crate::netflow9::IPV6.elements);

const _: () = assert!(IPV4.record_bytes() == 81 && IPV6.record_bytes() == 125);

/// A NetFlow v9 layout with what IANA has put in the place of its obsolete fields: uptimes (21, 22) mean nothing
/// without the uptime that IPFIX's header lacks, samplerId (48) "is deprecated in favor of 302 selectorId".
const fn absolute<const N: usize>(elements: &[Element]) -> [Element; N] {
    let mut out = [element(0, 0, Value::Constant(0)); N];
    let mut index = 0;
    while index < N {
        out[index] = match elements[index].id {
            21 => element(153, 8, Value::LastMs),
            22 => element(152, 8, Value::FirstMs),
            48 => element(302, 2, Value::Constant(SELECTOR_ID)),
            _ => elements[index],
        };
        index += 1;
    }
    out
}

/// The header (RFC 7011, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the whole message.
    pub bytes: u16,
    /// Export time, Unix seconds.
    pub unix_s: u32,
    /// "Total number of IPFIX Data Records sent" in this domain before this message, options data included.
    pub sequence: u32,
    /// Observation domain.
    pub domain: u32,
}

impl Header {
    /// Writes the header.
    #[inline]
    pub fn write(&self, out: &mut Writer<'_>) {
        out.u16(10).u16(self.bytes).u32(self.unix_s).u32(self.sequence).u32(self.domain);
    }
}

/// A template set that defines `templates`.
pub fn write_template_set(templates: &[Template], out: &mut Writer<'_>) {
    let start = out.len();
    crate::netflow9::write_template_set(templates, out);
    // The record is the same in both (RFC 7011, 3.4.1); the set's id is not.
    out.set_u16(start, TEMPLATE_SET);
}

/// Data records that [`write_sampling`] adds to the sequence.
pub const SAMPLING_RECORDS: u32 = 1;

/// Options template (RFC 7011, 3.4.2.2) and options data that say which rate selector [`SELECTOR_ID`] has: of
/// `rate` packets one is taken and the others are left (RFC 5477, 8.2).
pub fn write_sampling(rate: u32, out: &mut Writer<'_>) {
    const SYSTEMATIC_COUNT: u16 = 1;
    out.u16(OPTIONS_TEMPLATE_SET).u16(4 + 6 + 4 * 4 + 2);
    out.u16(OPTIONS_ID).u16(4).u16(1);
    out.u16(302).u16(8).u16(304).u16(2).u16(305).u16(4).u16(306).u16(4);
    out.pad();
    write_data_set(OPTIONS_ID, out, |out| {
        out.u64(SELECTOR_ID).u16(SYSTEMATIC_COUNT).u32(1).u32(rate - 1);
    });
}

/// Which fields of a row a record of these layouts carries, whatever its family.
#[must_use]
pub fn carries(field: Field) -> bool {
    let layouts = IPV4.elements.iter().chain(IPV6.elements);
    layouts.into_iter().any(|element| match element.value {
        Value::Word(one) | Value::Address(one) => one == field,
        Value::NextHop => matches!(field, Field::NextHop | Field::BgpNextHop),
        Value::FirstMs => field == Field::TimeFlowStartNs,
        Value::LastMs => field == Field::TimeFlowEndNs,
        _ => false,
    })
}
