//! The message's fields as columns of text output, and what a row has in them.
//!
//! A column is a field of `flow.proto`. That is a field of the row, except for the times in whole
//! seconds, which are read from their nanoseconds.

use crate::field::{COLUMNS, Field, Kind};
use crate::flow::Flow;
use crate::rows::Rows;

/// A field of `flow.proto`, in output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub(crate) name: &'static str,
    pub(crate) number: u32,
    /// Where the value is in the row.
    pub(crate) field: Field,
    /// The field's nanoseconds are printed as whole seconds, rounded down.
    pub(crate) seconds: bool,
}

/// What a row has in a column, before it is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A `uint32`.
    Number(u64),
    /// A `uint64`.
    Long(u64),
    Bool(bool),
    /// A number and its name, if it has one.
    Enum(u64, Option<&'static str>),
    Mac(u64),
    /// 4 or 16 bytes.
    Address(&'a [u8]),
    /// Meant to be UTF-8.
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// See [`items`].
    List(&'a [u8]),
}

impl Column {
    /// Every field of `flow.proto`, in its order.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &COLUMNS
    }

    /// The field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        COLUMNS.iter().find(|column| column.name == name)
    }

    /// The name in `flow.proto`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What `flow`, one of `rows`, has here; `None` if absent.
    #[inline]
    pub(crate) fn value<'a>(&self, rows: &'a Rows, flow: &'a Flow) -> Option<Value<'a>> {
        if !flow.has(self.field) {
            return None;
        }
        let info = self.field.info();
        let word = || flow.word_or_zero(self.field);
        let text = || rows.text(flow, self.field).unwrap_or_default();
        Some(match info.kind {
            Kind::U32 => Value::Number(word()),
            Kind::U64 => Value::Long(word()),
            Kind::Nanoseconds if self.seconds => Value::Long(word() / 1_000_000_000),
            Kind::Nanoseconds => Value::Long(word()),
            Kind::Bool => Value::Bool(word() != 0),
            Kind::Enum => Value::Enum(word(), info.values.get(word() as usize).copied()),
            Kind::Mac => Value::Mac(word()),
            Kind::Address => Value::Address(flow.address(self.field).unwrap_or_default()),
            Kind::Text => Value::Text(text()),
            Kind::Bytes => Value::Bytes(text()),
            Kind::U32List => Value::List(text()),
        })
    }
}

/// The numbers of a list: little-endian, four bytes each; a rest is none.
pub(crate) fn items(list: &[u8]) -> impl Iterator<Item = u32> {
    list.as_chunks().0.iter().map(|item| u32::from_le_bytes(*item))
}

/// Appends a number in decimal.
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends bytes in hexadecimal with `separator` in between.
pub(crate) fn push_hex(out: &mut Vec<u8>, bytes: &[u8], separator: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(separator);
        }
        out.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
}

/// Appends a MAC address, `aa:bb:cc:dd:ee:ff`.
pub(crate) fn push_mac(out: &mut Vec<u8>, mac: u64) {
    push_hex(out, &mac.to_be_bytes()[2..], b":");
}

/// Appends an address as text (RFC 5952 for IPv6); nothing if it is none.
pub(crate) fn push_address(out: &mut Vec<u8>, address: &[u8]) {
    use std::io::Write as _;
    if let Ok(v4) = <[u8; 4]>::try_from(address) {
        for (index, octet) in v4.into_iter().enumerate() {
            if index > 0 {
                out.push(b'.');
            }
            push_decimal(out, u64::from(octet));
        }
    } else if let Ok(v6) = <[u8; 16]>::try_from(address) {
        write!(out, "{}", std::net::Ipv6Addr::from(v6)).expect("a Vec takes everything");
    }
}
