//! IPFIX (RFC 7011): header, template and options sets, and the fields of NetFlow v9's layouts with
//! absolute times.

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

/// A NetFlow v9 layout with what IANA has put in the place of its obsolete fields: uptimes (21, 22)
/// mean nothing without the uptime that IPFIX's header lacks, samplerId (48) "is deprecated in
/// favor of 302 selectorId".
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
    /// "Total number of IPFIX Data Records sent" in this domain before this message, options data
    /// included.
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

/// Options template (RFC 7011, 3.4.2.2) and options data that say which rate selector
/// [`SELECTOR_ID`] has: of `rate` packets one is taken and the others are left (RFC 5477, 8.2).
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

#[cfg(test)]
mod tests {
    use neckar_proto::{Field, Flow};

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
    fn header_is_that_of_rfc_7011() {
        let header = Header {
            bytes: 1396,
            unix_s: 1_700_000_000,
            sequence: 0xfffe_fdfc,
            domain: 0x0a0b_0c0d,
        };
        #[rustfmt::skip]
        assert_eq!(written(HEADER_BYTES, |out| header.write(out)), [
            0, 10, 0x05, 0x74,
            0x65, 0x53, 0xf1, 0x00,
            0xff, 0xfe, 0xfd, 0xfc,
            0x0a, 0x0b, 0x0c, 0x0d,
        ]);
    }

    #[test]
    fn templates_have_absolute_times_and_the_selector() {
        #[rustfmt::skip]
        assert_eq!(written(204, |out| write_template_set(&[IPV4, IPV6], out)), [
            0, 2, 0, 204,
            1, 4, 0, 23,
            0, 2, 0, 8, 0, 1, 0, 8, 0, 8, 0, 4, 0, 12, 0, 4, 0, 10, 0, 4, 0, 14, 0, 4,
            0, 153, 0, 8, 0, 152, 0, 8, 0, 7, 0, 2, 0, 11, 0, 2, 0, 16, 0, 4, 0, 17, 0, 4,
            0, 18, 0, 4, 0, 9, 0, 1, 0, 13, 0, 1, 0, 4, 0, 1, 0, 6, 0, 1, 0, 5, 0, 1,
            0, 61, 0, 1, 0, 89, 0, 1, 1, 46, 0, 2, 0, 234, 0, 4, 0, 235, 0, 4,
            1, 10, 0, 25,
            0, 2, 0, 8, 0, 1, 0, 8, 0, 27, 0, 16, 0, 28, 0, 16, 0, 10, 0, 4, 0, 14, 0, 4,
            0, 152, 0, 8, 0, 153, 0, 8, 0, 31, 0, 4, 0, 64, 0, 4, 0, 7, 0, 2, 0, 11, 0, 2,
            0, 16, 0, 4, 0, 17, 0, 4, 0, 63, 0, 16, 0, 30, 0, 1, 0, 29, 0, 1, 0, 4, 0, 1,
            0, 6, 0, 1, 0, 5, 0, 1, 0, 61, 0, 1, 0, 89, 0, 1, 1, 46, 0, 2, 0, 234, 0, 4,
            0, 235, 0, 4,
        ]);
    }

    #[test]
    fn sampling_is_an_options_template_and_its_data() {
        #[rustfmt::skip]
        assert_eq!(written(28 + 24, |out| write_sampling(1000, out)), [
            0, 3, 0, 28, // options template set
            2, 0, 0, 4, 0, 1, // template 512: 4 fields, 1 of them scope
            1, 46, 0, 8, 1, 48, 0, 2, 1, 49, 0, 4, 1, 50, 0, 4,
            0, 0, // padding
            2, 0, 0, 24, // data set 512
            0, 0, 0, 0, 0, 0, 0, 1,
            0, 1, // systematic count-based
            0, 0, 0, 1, 0, 0, 0x03, 0xe7, // 1 taken, 999 left
            0, 0, // padding
        ]);
    }

    #[test]
    fn times_are_milliseconds_since_1970() {
        let mut flow = Flow::default();
        flow.set(Field::TimeFlowStartNs, 1_700_000_000_001_999_999);
        flow.set(Field::TimeFlowEndNs, 1_700_000_000_002_000_000);
        let record = written(81, |out| IPV4.write_record(&flow, &Clock::default(), out));
        assert_eq!(record[32..40], 1_700_000_000_002u64.to_be_bytes());
        assert_eq!(record[40..48], 1_700_000_000_001u64.to_be_bytes());
    }
}
