//! A compiled filter: tests in a row, each naming where to go from here.
//!
//! Targets lie strictly ahead, so a run ends. A test reads one or two fields of the row; the sets,
//! texts and paths that do not fit into a test stand beside it in tables. An absent number is 0, as
//! the message's consumers see it (proto3); the compiler asks [`Test::Has`] first where that is
//! wrong.

use neckar_proto::{Field, Flow, Presence};

use crate::Texts;
use crate::intervals::Intervals;
use crate::names::SECOND_NS;
use crate::texts::{Needle, contains, contains_numbers};

/// Where to go: the index of a step, or one of the two answers.
pub(crate) type Target = u32;
pub(crate) const MATCH: Target = u32::MAX;
pub(crate) const NO_MATCH: Target = u32::MAX - 1;

/// Indexes into the program's tables.
pub(crate) type Index = u32;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) test: Test,
    pub(crate) then: Target,
    pub(crate) otherwise: Target,
}

/// One question. At most 24 bytes, so that a step is half a cache line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Test {
    Has(Field),
    /// The number is at least `low` and at most `low + span`.
    Between {
        field: Field,
        low: u64,
        span: u64,
    },
    /// The number is in a set.
    In {
        field: Field,
        set: Index,
    },
    /// Of the number's bits, those of `mask` are `value`.
    Bits {
        field: Field,
        mask: u64,
        value: u64,
    },
    /// One of the MPLS stack's entries is in a set.
    Stack {
        fields: &'static [Field],
        set: Index,
    },
    /// What is worked out of several fields is in a set.
    Derived {
        quantity: Derived,
        set: Index,
    },
    /// The address is IPv4, at least `low` and at most `low + span`.
    V4 {
        field: Field,
        low: u32,
        span: u32,
    },
    /// The address is in a set.
    Address {
        field: Field,
        set: Index,
    },
    /// The text has a needle in it.
    Contains {
        field: Field,
        needle: Index,
    },
    /// The text has these bytes in it.
    HasBytes {
        field: Field,
        bytes: Index,
    },
    /// The text is this.
    IsBytes {
        field: Field,
        bytes: Index,
    },
    /// The path goes through these, one after the other.
    Path {
        path: Index,
    },
}

const _: () = assert!(size_of::<Step>() <= 32);

/// Quantities that are in no single field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derived {
    Duration,
    BitRate,
    PacketRate,
    IcmpType,
    IcmpCode,
    /// As the suite had them: by the port alone.
    PortType,
    PortCode,
}

/// Addresses of both families. IPv4-mapped IPv6 counts as IPv4.
#[derive(Clone, Debug)]
pub(crate) struct AddressSet {
    pub(crate) v4: Intervals<u32>,
    pub(crate) v6: Intervals<u128>,
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) steps: Box<[Step]>,
    /// Where it begins.
    pub(crate) entry: Target,
    pub(crate) sets: Box<[Intervals<u64>]>,
    pub(crate) addresses: Box<[AddressSet]>,
    pub(crate) needles: Box<[Needle]>,
    pub(crate) bytes: Box<[Box<[u8]>]>,
}

impl Program {
    pub(crate) const fn is_always(&self) -> bool {
        self.entry == MATCH
    }

    #[inline]
    pub(crate) fn matches<T: Texts + ?Sized>(&self, flow: &Flow, texts: &T) -> bool {
        let mut at = self.entry;
        // The answers are no indexes.
        while let Some(step) = self.steps.get(at as usize) {
            at = if self.holds(&step.test, flow, texts) { step.then } else { step.otherwise };
        }
        at == MATCH
    }

    #[inline]
    fn holds<T: Texts + ?Sized>(&self, test: &Test, flow: &Flow, texts: &T) -> bool {
        match *test {
            Test::Has(field) => flow.has(field),
            Test::Between { field, low, span } => {
                flow.word_or_zero(field).wrapping_sub(low) <= span
            }
            Test::In { field, set } => self.set(set).contains(flow.word_or_zero(field)),
            Test::Bits { field, mask, value } => flow.word_or_zero(field) & mask == value,
            Test::Stack { fields, set } => {
                // "4 slots: first three and last; MPLSCount = entries present"
                let entries = flow.word_or_zero(Field::MPLSCount).min(4) as usize;
                let set = self.set(set);
                fields[..entries].iter().any(|field| set.contains(flow.word_or_zero(*field)))
            }
            Test::Derived { quantity, set } => self.set(set).contains(quantity.of(flow)),
            Test::V4 { field, low, span } => match address(flow, field) {
                Some(Address::V4(v4)) => v4.wrapping_sub(low) <= span,
                _ => false,
            },
            Test::Address { field, set } => {
                let set = &self.addresses[set as usize];
                match address(flow, field) {
                    Some(Address::V4(v4)) => set.v4.contains(v4),
                    Some(Address::V6(v6)) => set.v6.contains(v6),
                    None => false,
                }
            }
            Test::Contains { field, needle } => {
                let needle = &self.needles[needle as usize];
                needle.is_in(texts.text(flow, field).unwrap_or_default())
            }
            Test::HasBytes { field, bytes } => {
                contains(texts.text(flow, field).unwrap_or_default(), &self.bytes[bytes as usize])
            }
            Test::IsBytes { field, bytes } => {
                *texts.text(flow, field).unwrap_or_default() == *self.bytes[bytes as usize]
            }
            Test::Path { path } => {
                let list = texts.text(flow, Field::ASPath).unwrap_or_default();
                contains_numbers(list, &self.bytes[path as usize])
            }
        }
    }

    #[inline]
    fn set(&self, index: Index) -> &Intervals<u64> {
        &self.sets[index as usize]
    }

    pub(crate) fn reads(&self) -> Presence {
        let mut presence = Presence::default();
        for step in &self.steps {
            for field in step.test.fields() {
                presence.insert(*field);
            }
        }
        presence
    }
}

impl Test {
    fn fields(&self) -> &[Field] {
        use std::slice::from_ref;
        match self {
            Self::Has(field)
            | Self::Between { field, .. }
            | Self::In { field, .. }
            | Self::Bits { field, .. }
            | Self::V4 { field, .. }
            | Self::Address { field, .. }
            | Self::Contains { field, .. }
            | Self::HasBytes { field, .. }
            | Self::IsBytes { field, .. } => from_ref(field),
            Self::Stack { fields: [Field::MPLS1TTL, ..], .. } => &[
                Field::MPLSCount,
                Field::MPLS1TTL,
                Field::MPLS2TTL,
                Field::MPLS3TTL,
                Field::MPLSLastTTL,
            ],
            Self::Stack { .. } => &[
                Field::MPLSCount,
                Field::MPLS1Label,
                Field::MPLS2Label,
                Field::MPLS3Label,
                Field::MPLSLastLabel,
            ],
            Self::Derived { quantity, .. } => quantity.fields(),
            Self::Path { .. } => &[Field::ASPath],
        }
    }
}

impl Derived {
    const fn fields(self) -> &'static [Field] {
        use Field as F;
        match self {
            Self::Duration => &[F::TimeFlowStartNs, F::TimeFlowEndNs],
            Self::BitRate => &[F::TimeFlowStartNs, F::TimeFlowEndNs, F::Bytes],
            Self::PacketRate => &[F::TimeFlowStartNs, F::TimeFlowEndNs, F::Packets],
            Self::IcmpType | Self::IcmpCode => &[F::IcmpType, F::IcmpCode, F::DstPort],
            Self::PortType | Self::PortCode => &[F::DstPort],
        }
    }

    fn of(self, flow: &Flow) -> u64 {
        let word = |field| flow.word_or_zero(field);
        match self {
            Self::Duration => duration_s(flow),
            // "bps = Bytes·8/max(duration,1); pps alike"
            Self::BitRate => word(Field::Bytes).saturating_mul(8) / duration_s(flow).max(1),
            Self::PacketRate => word(Field::Packets) / duration_s(flow).max(1),
            Self::IcmpType => icmp(flow).0,
            Self::IcmpCode => icmp(flow).1,
            Self::PortType => word(Field::DstPort) / 256,
            Self::PortCode => word(Field::DstPort) % 256,
        }
    }
}

/// "TimeFlowEnd − TimeFlowStart (s)": each in whole seconds, as consumers of the message see them.
/// A flow that ends before it starts took no time.
fn duration_s(flow: &Flow) -> u64 {
    let second = |field| flow.word_or_zero(field) / SECOND_NS;
    second(Field::TimeFlowEndNs).saturating_sub(second(Field::TimeFlowStartNs))
}

/// Type and code. From the port, where routers put them, if the row has neither; zeros are not told
/// from nothing, so that the answer is the same for the row and for the message made of it.
fn icmp(flow: &Flow) -> (u64, u64) {
    let of_its_own = (flow.word_or_zero(Field::IcmpType), flow.word_or_zero(Field::IcmpCode));
    if of_its_own != (0, 0) {
        return of_its_own;
    }
    let port = flow.word_or_zero(Field::DstPort);
    (port / 256, port % 256)
}

enum Address {
    V4(u32),
    V6(u128),
}

#[inline]
fn address(flow: &Flow, field: Field) -> Option<Address> {
    const MAPPED: u128 = 0xffff << 32;
    let bytes = flow.address(field)?;
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(Address::V4(u32::from_be_bytes(v4)));
    }
    let v6 = u128::from_be_bytes(bytes.try_into().ok()?);
    Some(if v6 >> 32 << 32 == MAPPED { Address::V4(v6 as u32) } else { Address::V6(v6) })
}
