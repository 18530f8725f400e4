//! Templates of NetFlow v9 and IPFIX: which fields a record has, and records made of a [`Flow`] by
//! them.
//!
//! The layouts 260 (IPv4) and 266 (IPv6) of NetFlow v9 are those of bwNetFlow's converter, byte for
//! byte; IPFIX has the same fields with absolute times and the selector id that replaced the
//! sampler id. A record is written field by field (some 60 ns); the synthetic routers do that once
//! and copy ever after.

use neckar_proto::{Field, Flow};

use crate::writer::Writer;

/// Where the bytes of a field come from. Absent fields are written as zero: the formats know no
/// absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number of the row, its low bytes where the template has fewer.
    Word(Field),
    /// An address of the row; zero if it is of the other family.
    Address(Field),
    /// The BGP next hop, or the next hop of a row that has no BGP one.
    NextHop,
    /// Start of the flow as milliseconds of uptime (IE 22).
    FirstUptime,
    /// End of the flow as milliseconds of uptime (IE 21).
    LastUptime,
    /// Start of the flow in Unix milliseconds (IE 152).
    FirstMs,
    /// End of the flow in Unix milliseconds (IE 153).
    LastMs,
    /// Always this number.
    Constant(u64),
}

/// One field of a template: information element, length in bytes, and what to put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// IANA number.
    pub id: u16,
    /// Length in the record.
    pub bytes: u16,
    /// What is written.
    pub value: Value,
}

/// A template record's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// 256 and up.
    pub id: u16,
    /// The fields in order.
    pub elements: &'static [Element],
}

/// What turns an instant into uptime: the header that the record will stand under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The header's time, Unix nanoseconds, as exact as the header says it.
    pub unix_ns: u64,
    /// The header's uptime.
    pub uptime_ms: u32,
}

impl Clock {
    /// The uptime at an instant. 32 bits that wrap, before and after the header's alike.
    #[must_use]
    pub fn uptime_ms_at(&self, unix_ns: u64) -> u32 {
        let before_ms = (self.unix_ns as i64).wrapping_sub(unix_ns as i64) / 1_000_000;
        self.uptime_ms.wrapping_sub(before_ms as u32)
    }
}

impl Template {
    /// Length of a record.
    #[must_use]
    pub const fn record_bytes(&self) -> usize {
        self.offset_of(self.elements.len())
    }

    /// Where the field at `index` starts in a record.
    #[must_use]
    pub const fn offset_of(&self, index: usize) -> usize {
        let mut sum = 0;
        let mut at = 0;
        while at < index {
            sum += self.elements[at].bytes as usize;
            at += 1;
        }
        sum
    }

    /// Where the first field with this value starts, if there is one.
    #[must_use]
    pub fn offset_of_value(&self, value: Value) -> Option<usize> {
        self.elements.iter().position(|element| element.value == value).map(|at| self.offset_of(at))
    }

    /// The template record, which is the same in NetFlow v9 (RFC 3954, 5.2) and IPFIX (RFC 7011,
    /// 3.4.1).
    pub fn write_definition(&self, out: &mut Writer<'_>) {
        out.u16(self.id).u16(self.elements.len() as u16);
        for element in self.elements {
            out.u16(element.id).u16(element.bytes);
        }
    }

    /// The data record of `flow`.
    pub fn write_record(&self, flow: &Flow, clock: &Clock, out: &mut Writer<'_>) {
        for element in self.elements {
            write_element(element, flow, clock, out);
        }
    }
}

fn write_element(element: &Element, flow: &Flow, clock: &Clock, out: &mut Writer<'_>) {
    let len = usize::from(element.bytes);
    let start = flow.word_or_zero(Field::TimeFlowStartNs);
    let end = flow.word_or_zero(Field::TimeFlowEndNs);
    let number = match element.value {
        Value::Word(field) => flow.word_or_zero(field),
        Value::Address(field) => return write_address(flow.address(field), len, out),
        Value::NextHop => {
            let hop = flow.address(Field::BgpNextHop).or_else(|| flow.address(Field::NextHop));
            return write_address(hop, len, out);
        }
        Value::FirstUptime => u64::from(clock.uptime_ms_at(start)),
        Value::LastUptime => u64::from(clock.uptime_ms_at(end)),
        Value::FirstMs => start / 1_000_000,
        Value::LastMs => end / 1_000_000,
        Value::Constant(value) => value,
    };
    out.integer(number, len);
}

fn write_address(address: Option<&[u8]>, len: usize, out: &mut Writer<'_>) {
    match address {
        Some(address) if address.len() == len => out.bytes(address),
        _ => out.bytes(&[0; 16][..len]),
    };
}

/// Shorthand for the tables of layouts.
pub(crate) const fn element(id: u16, bytes: u16, value: Value) -> Element {
    Element { id, bytes, value }
}
