//! A template, compiled: typed steps that carry bytes of a record to slots of a row.
//!
//! The compiler resolves once per template what semantics.md rule 2 asks of every record: a field
//! with one source is stored unconditionally, several sources merge, fallbacks run first. The
//! runner then executes step by step over up to [`ROWS_MAX`](crate::ROWS_MAX) records at a time, so
//! choosing what to do costs once per step and set instead of once per field.

mod compile;
mod frame;
mod gather;
mod row;
mod run;
mod walk;

use neckar_proto::{Field, Presence};

pub(crate) use compile::{Compiled, compile};
use gather::Gather;
pub(crate) use row::icmp_from_port;
pub(crate) use run::{Context, Out, run};
pub(crate) use walk::{Anchors, Fixed, Layout, Reached, Shape};

use crate::bytes::{low_bits, number, tail};
use crate::elements::{Convert, Section, Unit};
use crate::sampling::RateUse;
use crate::template::VARIABLE;

/// Where a field lies in a record: behind the `anchor`th fixed point of the record, the first being
/// its start. Each variable-length field adds two: where its value starts and where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) anchor: u16,
    pub(crate) offset: u32,
    /// Bytes, or [`VARIABLE`]: up to the next anchor.
    pub(crate) width: u16,
}

impl Place {
    pub(crate) const fn is_variable(self) -> bool {
        self.width == VARIABLE
    }

    /// The integer in this field of record `record`; `None` if it is not 1 to 8 bytes long.
    #[inline]
    pub(crate) fn number<L: Layout>(self, bytes: &[u8], layout: L, record: usize) -> Option<u64> {
        if !(1..=8).contains(&self.width) {
            return number(self.bytes(bytes, layout, record));
        }
        let end =
            layout.start(record, self.anchor) + self.offset as usize + usize::from(self.width);
        tail(bytes, end).map(|raw| raw & low_bits(u32::from(self.width) * 8))
    }

    /// The bytes of this field in record `record`.
    pub(crate) fn bytes<L: Layout>(self, bytes: &[u8], layout: L, record: usize) -> &[u8] {
        let start = layout.start(record, self.anchor) + self.offset as usize;
        let end = if self.is_variable() {
            layout.start(record, self.anchor + 1)
        } else {
            start + usize::from(self.width)
        };
        bytes.get(start..end).unwrap_or_default()
    }
}

/// What a step does with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Word: rotate, mask, store. The field is always present.
    Word,
    /// The same for a field whose presence the record decides (variable length).
    MaybeWord(Convert),
    /// Counts values that `mask` shows to be cut.
    CountCut,
    /// An instant.
    Time(Unit),
    /// 4 or 16 bytes.
    Address,
    /// An address of variable length.
    MaybeAddress,
    /// Addresses of both families may be there: find the family kept, and the EtherType from it.
    SettleFamily,
    /// A prefix length that counts when the address kept is IPv4.
    PrefixV4,
    /// A prefix length that counts when the address kept is IPv6.
    PrefixV6,
    /// EtherType from an IP version.
    IpVersion,
    /// Text or opaque bytes.
    Text,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) op: Op,
    pub(crate) place: Place,
    pub(crate) field: Field,
    /// Not the first source of the field: zero does not replace what is there.
    pub(crate) merge: bool,
    /// Rotate right by this many bits before masking.
    pub(crate) shift: u8,
    pub(crate) mask: u64,
}

/// A sampled packet in the record.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) section: Section,
    pub(crate) place: Place,
    /// Fields that an element after the frame fills: there the frame only stands in for zero.
    pub(crate) later: Presence,
    /// The record has a packet counter of its own.
    pub(crate) packets_counted: bool,
    /// Fields that a packet may fill.
    pub(crate) fields: Box<[Field]>,
}

/// What makes the second flow of a record (RFC 5103).
#[derive(Clone, Debug)]
pub(crate) struct Reverse {
    pub(crate) steps: Box<[Step]>,
    pub(crate) present: Presence,
    /// All fields that the steps may fill.
    pub(crate) fields: Box<[Field]>,
}

/// A compiled template of flow records.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    /// Fields that every record of it has.
    pub(crate) present: Presence,
    pub(crate) steps: Box<[Step]>,
    /// Another way to do most of the steps.
    pub(crate) gather: Option<Box<Gather>>,
    /// EtherType, if the template alone says it; else 0.
    pub(crate) etype: u64,
    /// MPLS label stack entries, by depth.
    pub(crate) labels: Box<[(u8, Place)]>,
    pub(crate) frames: Box<[Frame]>,
    /// No element says ICMP type and code: a destination port may.
    pub(crate) icmp_from_port: bool,
    /// Sampling rate or sampler in the record itself.
    pub(crate) rate: Option<Box<RateUse>>,
    /// When the exporter started, for uptimes in IPFIX.
    pub(crate) boot: Option<Place>,
    pub(crate) reverse: Option<Box<Reverse>>,
}

impl Plan {
    /// Heap bytes, about.
    pub(crate) fn cost_bytes(&self) -> usize {
        let reverse = self.reverse.as_ref().map_or(0, |reverse| reverse.steps.len());
        (self.steps.len() + reverse) * size_of::<Step>()
            + self.labels.len() * size_of::<(u8, Place)>()
            + self.frames.len() * size_of::<Frame>()
            + self.gather.as_ref().map_or(0, |gather| gather.cost_bytes())
            + self.shape.cost_bytes()
            + self.rate.as_ref().map_or(0, |_| size_of::<RateUse>())
    }
}
