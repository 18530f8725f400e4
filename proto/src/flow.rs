//! One flow as a plain row.
//!
//! Presence is a set of bits beside the values, so a row is emptied by clearing three words however
//! many fields it has, and "absent" never looks like "zero". Values of absent fields are stale:
//! read through the accessors, which check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::field::{ADDRESS_SLOTS, Field, TEXTS, WORD_SLOTS};

/// Which fields a row has: one bit a slot, per store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Numbers, by slot.
    pub words: u128,
    /// Addresses, by slot.
    pub addresses: u16,
    /// Texts, by slot.
    pub texts: u64,
}

impl Presence {
    /// Adds `field`.
    #[inline]
    pub const fn insert(&mut self, field: Field) {
        if field.is_word() {
            self.words |= 1 << field.slot();
        } else if field.is_address() {
            self.addresses |= 1 << field.slot();
        } else {
            self.texts |= 1 << field.slot();
        }
    }

    /// Takes `field` out.
    #[inline]
    pub const fn remove(&mut self, field: Field) {
        if field.is_word() {
            self.words &= !(1 << field.slot());
        } else if field.is_address() {
            self.addresses &= !(1 << field.slot());
        } else {
            self.texts &= !(1 << field.slot());
        }
    }

    /// Is `field` among them?
    #[inline]
    #[must_use]
    pub const fn contains(&self, field: Field) -> bool {
        if field.is_word() {
            self.words >> field.slot() & 1 == 1
        } else if field.is_address() {
            self.addresses >> field.slot() & 1 == 1
        } else {
            self.texts >> field.slot() & 1 == 1
        }
    }

    /// Those of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            words: self.words | other.words,
            addresses: self.addresses | other.addresses,
            texts: self.texts | other.texts,
        }
    }
}

/// Where a text lies in the batch's text buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

/// One flow. Plain data; 1.7 kB, of which a usual flow touches a handful of cache lines.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct Flow {
    pub(crate) present: Presence,
    /// 4 or 16, for each address that is present.
    pub(crate) address_len: [u8; ADDRESS_SLOTS],
    /// So that four addresses, and eight words, are a cache line.
    _room: [u8; 16],
    pub(crate) addresses: [[u8; 16]; ADDRESS_SLOTS],
    pub(crate) words: [u64; WORD_SLOTS],
    pub(crate) texts: [Span; TEXTS],
}

const _: () = assert!(
    std::mem::offset_of!(Flow, addresses) % 64 == 0 && std::mem::offset_of!(Flow, words) % 64 == 0
);

impl Default for Flow {
    fn default() -> Self {
        Self {
            present: Presence::default(),
            address_len: [0; ADDRESS_SLOTS],
            _room: [0; 16],
            addresses: [[0; 16]; ADDRESS_SLOTS],
            words: [0; WORD_SLOTS],
            texts: [Span::default(); TEXTS],
        }
    }
}

impl Flow {
    /// Starts the row anew with exactly these fields. The caller stores a value for each of them
    /// ([`Flow::store_word`], [`Flow::store_address`]), or the row shows what stood there before.
    #[inline]
    pub fn restart(&mut self, present: Presence) {
        self.present = present;
    }

    /// Which fields the row has.
    #[inline]
    #[must_use]
    pub const fn presence(&self) -> &Presence {
        &self.present
    }

    /// Has the row this field?
    #[inline]
    #[must_use]
    pub const fn has(&self, field: Field) -> bool {
        self.present.contains(field)
    }

    /// The number in `field`, which is a word field; `None` if absent.
    #[inline]
    #[must_use]
    pub fn word(&self, field: Field) -> Option<u64> {
        debug_assert!(field.is_word());
        self.has(field).then(|| self.words[field.slot()])
    }

    /// The number in `field`, or 0: what proto3 makes of an absent field. Only for output;
    /// decisions use [`Flow::word`].
    #[inline]
    #[must_use]
    pub fn word_or_zero(&self, field: Field) -> u64 {
        self.word(field).unwrap_or(0)
    }

    /// Sets a word field.
    #[inline]
    pub fn set(&mut self, field: Field, value: u64) {
        debug_assert!(field.is_word());
        self.words[field.slot()] = value;
        self.present.words |= 1 << field.slot();
    }

    /// Sets a word field unless that would replace something else by zero (semantics, rule 2).
    #[inline]
    pub fn merge(&mut self, field: Field, value: u64) {
        if value != 0 || !self.has(field) {
            self.set(field, value);
        }
    }

    /// Stores a value without marking it present: for callers that [`restart`](Flow::restart)ed
    /// with the field set.
    #[inline(always)]
    pub fn store_word(&mut self, field: Field, value: u64) {
        debug_assert!(field.is_word());
        self.words[field.slot() % WORD_SLOTS] = value;
    }

    /// The words of the slots from `8 * group` on, to be stored together, without marking them
    /// present; those of absent fields may become anything.
    ///
    /// # Panics
    /// If there are no such slots: there are sixteen groups.
    #[inline(always)]
    pub fn words_mut(&mut self, group: usize) -> &mut [u64; 8] {
        &mut self.words.as_chunks_mut().0[group]
    }

    /// The first four addresses, 16 bytes each, and the lengths of all, likewise.
    #[inline(always)]
    pub fn addresses_mut(&mut self) -> (&mut [u8; 64], &mut [u8; ADDRESS_SLOTS]) {
        let first = self.addresses.as_flattened_mut().first_chunk_mut();
        (first.expect("there are more than four"), &mut self.address_len)
    }

    /// Sets a word field to `value`, unless that is zero: without a branch, for values of which every
    /// other one is.
    #[inline(always)]
    pub fn set_unless_zero(&mut self, field: Field, value: u64) {
        debug_assert!(field.is_word());
        let word = &mut self.words[field.slot() % WORD_SLOTS];
        *word = if value != 0 { value } else { *word };
        self.present.words |= u128::from(value != 0) << field.slot();
    }

    /// The address in `field`, which is an address field: 4 or 16 bytes, or `None`.
    #[inline]
    #[must_use]
    pub fn address(&self, field: Field) -> Option<&[u8]> {
        debug_assert!(field.is_address());
        let slot = field.slot();
        self.has(field)
            .then(|| &self.addresses[slot][..usize::from(self.address_len[slot].min(16))])
    }

    /// The address in `field`, typed.
    #[inline]
    #[must_use]
    pub fn ip(&self, field: Field) -> Option<IpAddr> {
        let bytes = self.address(field)?;
        match <[u8; 4]>::try_from(bytes) {
            Ok(v4) => Some(IpAddr::V4(Ipv4Addr::from(v4))),
            Err(_) => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))),
        }
    }

    /// Sets an IPv4 address.
    #[inline]
    pub fn set_v4(&mut self, field: Field, address: [u8; 4]) {
        self.present.insert(field);
        self.store_v4(field, address);
    }

    /// Sets an IPv6 address.
    #[inline]
    pub fn set_v6(&mut self, field: Field, address: [u8; 16]) {
        self.present.insert(field);
        self.store_v6(field, address);
    }

    /// Sets an address; IPv4-mapped IPv6 stays IPv6 (callers that want it canonical say so).
    pub fn set_ip(&mut self, field: Field, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.set_v4(field, v4.octets()),
            IpAddr::V6(v6) => self.set_v6(field, v6.octets()),
        }
    }

    /// Stores an IPv4 address without marking it present.
    #[inline(always)]
    pub fn store_v4(&mut self, field: Field, address: [u8; 4]) {
        let slot = field.slot() % ADDRESS_SLOTS;
        self.addresses[slot][..4].copy_from_slice(&address);
        self.address_len[slot] = 4;
    }

    /// Stores an IPv6 address without marking it present.
    #[inline(always)]
    pub fn store_v6(&mut self, field: Field, address: [u8; 16]) {
        let slot = field.slot() % ADDRESS_SLOTS;
        self.addresses[slot] = address;
        self.address_len[slot] = 16;
    }

    /// Stores an address of either family, `len` (4 or 16) of the `address` bytes, without marking
    /// it present.
    #[inline(always)]
    pub fn store_address(&mut self, field: Field, address: [u8; 16], len: u8) {
        let slot = field.slot() % ADDRESS_SLOTS;
        self.addresses[slot] = address;
        self.address_len[slot] = len;
    }

    /// Takes a field out of the row.
    #[inline]
    pub fn remove(&mut self, field: Field) {
        self.present.remove(field);
    }

    /// Makes a field what it is in `other`, a row of the same [`Rows`](crate::Rows): value and
    /// presence. Texts are shared.
    pub fn copy_field(&mut self, field: Field, other: &Self) {
        let slot = field.slot();
        if field.is_word() {
            self.words[slot] = other.words[slot];
        } else if field.is_address() {
            self.addresses[slot] = other.addresses[slot];
            self.address_len[slot] = other.address_len[slot];
        } else {
            self.texts[slot] = other.texts[slot];
        }
        if other.has(field) { self.present.insert(field) } else { self.present.remove(field) }
    }

    /// Exchanges two fields of the same store, presence included: what a reverse flow does (RFC
    /// 5103).
    pub fn swap(&mut self, one: Field, other: Field) {
        debug_assert!(one.is_word() == other.is_word() && one.is_address() == other.is_address());
        let (a, b) = (one.slot(), other.slot());
        let (has_one, has_other) = (self.has(one), self.has(other));
        if one.is_word() {
            self.words.swap(a, b);
        } else if one.is_address() {
            self.addresses.swap(a, b);
            self.address_len.swap(a, b);
        } else {
            self.texts.swap(a, b);
        }
        for (field, present) in [(one, has_other), (other, has_one)] {
            if present { self.present.insert(field) } else { self.present.remove(field) }
        }
    }
}
