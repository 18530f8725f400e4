//! The fields of a flow: names, numbers and kinds, made from `flow.proto` at build time.

use crate::column::Column;

/// What a field holds, which decides how it is printed and put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any 64-bit count.
    U64,
    /// An integer that the message declares as `uint32`.
    U32,
    /// 0 or 1.
    Bool,
    /// A number with named values.
    Enum,
    /// A MAC address in the low 48 bits.
    Mac,
    /// Nanoseconds since 1970.
    Nanoseconds,
    /// 4 or 16 bytes in network order.
    Address,
    /// UTF-8.
    Text,
    /// Opaque bytes.
    Bytes,
    /// Little-endian 32-bit numbers, one after another.
    U32List,
}

/// One row of the field table.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The field.
    pub field: Field,
    /// Its name in `flow.proto` and its key in JSON.
    pub name: &'static str,
    /// Its protobuf number.
    pub number: u32,
    /// What it holds.
    pub kind: Kind,
    /// For times: name and number of the field that carries the same instant in whole seconds.
    pub seconds: Option<(&'static str, u32)>,
    /// For enums: the names of the values, by value.
    pub values: &'static [&'static str],
}

include!(concat!(env!("OUT_DIR"), "/fields.rs"));

impl Field {
    /// Every field, in the order of the row.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|info| info.field)
    }

    /// Every field, in the order of `flow.proto`: the order of JSON keys and CSV columns.
    #[must_use]
    pub fn in_file_order() -> &'static [Self] {
        &IN_FILE_ORDER
    }

    /// Name, number and kind.
    #[must_use]
    pub const fn info(self) -> &'static FieldInfo {
        &TABLE[self as usize]
    }

    /// The name in `flow.proto`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The field of this name; `None` for the derived whole-second times and for unknown names.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLE.iter().find(|info| info.name == name).map(|info| info.field)
    }

    /// Is it a number, kept as a word of the row?
    #[must_use]
    pub const fn is_word(self) -> bool {
        (self as usize) < WORDS
    }

    /// Is it an address?
    #[must_use]
    pub const fn is_address(self) -> bool {
        !self.is_word() && (self as usize) < WORDS + ADDRESSES
    }

    /// The text in this slot.
    pub(crate) const fn text_at(slot: usize) -> Self {
        TABLE[WORDS + ADDRESSES + slot].field
    }

    /// Slot within its store. The row's arrays have exactly as many slots as the store has fields.
    #[must_use]
    pub const fn slot(self) -> usize {
        if self.is_word() {
            self as usize
        } else if self.is_address() {
            self as usize - WORDS
        } else {
            self as usize - WORDS - ADDRESSES
        }
    }

    /// Bits that the declared type can hold: what a longer value on the wire is cut to.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self.info().kind {
            Kind::U64 | Kind::Nanoseconds => 64,
            Kind::Mac => 48,
            Kind::Bool => 1,
            _ => 32,
        }
    }
}

/// Slots for words in the row: a power of two, so that a slot is checked by a mask; one bit of a
/// `u128` each.
pub(crate) const WORD_SLOTS: usize = 128;
/// Slots for addresses in the row; one bit of a `u16` each.
pub(crate) const ADDRESS_SLOTS: usize = 16;

const _: () = assert!(WORDS <= WORD_SLOTS && ADDRESSES <= ADDRESS_SLOTS && TEXTS <= 64);
