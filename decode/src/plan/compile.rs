//! From the fields of a template to a plan.

use neckar_proto::{Field, Presence};

use super::{Frame, Gather, Op, Place, Plan, Reverse, Shape, Step};
use crate::bytes::low_bits;
use crate::elements::{Convert, REVERSE_PEN, Use, element};
use crate::interfaces::NamePlan;
use crate::sampling::{OptionsPlan, RateUse};
use crate::template::{FieldSpec, Protocol, VARIABLE};

/// What became of a template.
#[derive(Debug)]
pub(crate) enum Compiled {
    Flows(Plan),
    Options(OptionsPlan),
    /// "A minimum record length of zero": its records could not be counted.
    Empty,
}

const ETYPE_V4: u64 = 0x0800;
const ETYPE_V6: u64 = 0x86dd;

/// One element of the template that fills a field.
#[derive(Clone, Copy, Debug)]
struct Source {
    field: Field,
    rank: u8,
    place: Place,
    convert: Convert,
}

/// Everything that the elements of a template were found to do.
#[derive(Debug, Default)]
struct Found {
    sources: Vec<Source>,
    reverse: Vec<Source>,
    labels: Vec<(u8, Place)>,
    /// With the number of sources that stood before each.
    frames: Vec<(crate::elements::Section, Place, usize)>,
    rate: RateUse,
    boot: Option<Place>,
}

/// Compiles the fields of a template record. `scope` of them come first and are scope (options
/// templates only).
pub(crate) fn compile(
    protocol: Protocol,
    specs: &[FieldSpec],
    options: bool,
    scope: usize,
) -> Compiled {
    let (shape, places) = measure(specs);
    if shape.min == 0 {
        return Compiled::Empty;
    }
    let mut found = Found::default();
    for (index, (spec, place)) in specs.iter().zip(&places).enumerate() {
        // "Accepted: zero-length fields beside others." They say nothing.
        if spec.length != 0 {
            find(protocol, specs, index, *place, options && index < scope, &mut found);
        }
    }
    if options {
        let names = NamePlan::find(protocol, specs, &places, scope).map(Box::new);
        Compiled::Options(OptionsPlan { shape, rate: found.rate, boot: found.boot, names })
    } else {
        Compiled::Flows(plan(shape, found))
    }
}

/// Where each field lies, and how long records are.
fn measure(specs: &[FieldSpec]) -> (Shape, Vec<Place>) {
    let mut skips = Vec::new();
    let (mut anchor, mut offset, mut min) = (0, 0_u32, 0_usize);
    let mut places = Vec::with_capacity(specs.len());
    for spec in specs {
        if spec.length == VARIABLE {
            skips.push(offset);
            places.push(Place { anchor: anchor + 1, offset: 0, width: VARIABLE });
            anchor += 2;
            offset = 0;
            min += 1;
        } else {
            places.push(Place { anchor, offset, width: spec.length });
            offset += u32::from(spec.length);
            min += usize::from(spec.length);
        }
    }
    (Shape { last: offset as usize, skips: skips.into(), min }, places)
}

/// Notes what the element at `index` is good for.
fn find(
    protocol: Protocol,
    specs: &[FieldSpec],
    index: usize,
    place: Place,
    scope: bool,
    found: &mut Found,
) {
    let spec = specs[index];
    // "Enterprise fields: full 32-bit PEN, skipped by their length unless mapped."
    let reverse = spec.enterprise == REVERSE_PEN;
    if spec.enterprise != 0 && !reverse {
        return;
    }
    let Some(line) = element(spec.element) else { return };
    if line.v9_only && protocol != Protocol::NetflowV9 {
        return;
    }
    // Scope fields of NetFlow v9 have numbers of their own (RFC 3954 section 6.1: 1 to 5).
    if scope && protocol == Protocol::NetflowV9 && spec.element <= 5 {
        return;
    }
    for one in line.uses {
        match *one {
            Use::Fill { field, rank, convert } if reverse => {
                if is_reversible(field) {
                    found.reverse.push(Source { field, rank, place, convert });
                }
            }
            Use::FillReverse { field, convert } => {
                found.reverse.push(Source { field, rank: 0, place, convert });
            }
            _ if reverse => {}
            // "Total counters (85, 86) count only when the template has no delta counter (1, 2)."
            Use::Fill { .. } if matches!(spec.element, 85 | 86) && has_delta(specs) => {}
            Use::Fill { field, rank, convert } => {
                found.sources.push(Source { field, rank, place, convert });
            }
            Use::VrfName => {
                let field = vrf_name(specs, index);
                found.sources.push(Source { field, rank: 0, place, convert: Convert::Text });
            }
            Use::Label(depth) => found.labels.push((depth, place)),
            // Only what an options record says of its scope is a rate, not the scope itself.
            Use::Rate(part) if !scope => found.rate.set(part, place),
            Use::Rate(_) => {}
            Use::Sampler => found.rate.add_sampler(place),
            // Of options records, and found there by themselves.
            Use::InterfaceName => {}
            Use::Boot => found.boot = Some(place),
            Use::Frame(section) => found.frames.push((section, place, found.sources.len())),
        }
    }
}

/// RFC 5103 section 6.2: keys and identifiers have no reverse. What the reverse flow has of them is
/// swapped.
fn is_reversible(field: Field) -> bool {
    !matches!(
        field,
        Field::SrcAddr
            | Field::DstAddr
            | Field::SrcNet
            | Field::DstNet
            | Field::Etype
            | Field::BiFlowDirection
            | Field::ObservationPointID
    )
}

fn has_delta(specs: &[FieldSpec]) -> bool {
    specs
        .iter()
        .any(|spec| spec.enterprise == 0 && matches!(spec.element, 1 | 2) && spec.length != 0)
}

/// A VRF name (236) belongs to the VRF number before it: 234 is ingress, 235 egress. One name for
/// both numbers is the ingress one.
fn vrf_name(specs: &[FieldSpec], index: usize) -> Field {
    let is = |spec: &FieldSpec, id| spec.enterprise == 0 && spec.element == id;
    let before = &specs[..index];
    let number = before.iter().rev().find(|spec| is(spec, 234) || is(spec, 235));
    let egress = number.is_some_and(|spec| is(spec, 235));
    let ingress_too = specs.iter().any(|spec| is(spec, 234));
    let second = before.iter().any(|spec| is(spec, 236));
    if egress && (second || !ingress_too) { Field::EgressVrfName } else { Field::IngressVrfName }
}

/// Puts the plan together.
fn plan(shape: Shape, mut found: Found) -> Plan {
    found.labels.sort_by_key(|(depth, _)| *depth);
    let sources = &found.sources;
    let sourced = |field| sources.iter().any(|source| source.field == field);
    let icmp_from_port = !sourced(Field::IcmpType)
        && !sourced(Field::IcmpCode)
        && (!found.frames.is_empty() || (sourced(Field::Proto) && sourced(Field::DstPort)));
    let mut emitter = Emitter::default();
    let etype = emitter.all(sources);
    let present = emitter.present.union(header_fields());
    let reverse = (!found.reverse.is_empty()).then(|| reverse(&found.reverse));
    Plan {
        gather: Gather::of(&shape, &emitter.steps).map(Box::new),
        shape,
        present,
        steps: emitter.steps.into(),
        etype,
        labels: found.labels.into(),
        frames: found.frames.iter().map(|frame| frame_of(*frame, sources)).collect(),
        icmp_from_port,
        rate: (!found.rate.is_empty()).then(|| Box::new(found.rate)),
        boot: found.boot,
        reverse: reverse.map(Box::new),
    }
}

/// What every row has, whatever the template says.
fn header_fields() -> Presence {
    let mut present = Presence::default();
    for field in [
        Field::Type,
        Field::TimeReceivedNs,
        Field::TimeFlowStartNs,
        Field::TimeFlowEndNs,
        Field::SequenceNum,
        Field::SamplerAddress,
        Field::ObservationDomainID,
    ] {
        present.insert(field);
    }
    present
}

fn reverse(sources: &[Source]) -> Reverse {
    let mut emitter = Emitter::default();
    emitter.all(sources);
    let fields = Field::all().filter(|field| sources.iter().any(|source| source.field == *field));
    Reverse { steps: emitter.steps.into(), present: emitter.present, fields: fields.collect() }
}

fn frame_of(
    (section, place, before): (crate::elements::Section, Place, usize),
    sources: &[Source],
) -> Frame {
    let mut later = Presence::default();
    for source in &sources[before..] {
        later.insert(source.field);
    }
    let packets_counted = sources.iter().any(|source| source.field == Field::Packets);
    Frame { section, place, later, packets_counted, fields: super::frame::fields() }
}

/// Address families that a template can fill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Families {
    v4: bool,
    v6: bool,
}

impl Families {
    fn of_flow(sources: &[Source]) -> Self {
        let mut families = Self::default();
        let is_end = |field| matches!(field, Field::SrcAddr | Field::DstAddr);
        for source in sources.iter().filter(|source| is_end(source.field)) {
            families.v4 |= matches!(source.place.width, 4 | VARIABLE);
            families.v6 |= matches!(source.place.width, 16 | VARIABLE);
        }
        families
    }

    fn any(self) -> bool {
        self.v4 || self.v6
    }

    fn both(self) -> bool {
        self.v4 && self.v6
    }
}

/// Writes the steps.
#[derive(Debug, Default)]
struct Emitter {
    steps: Vec<Step>,
    present: Presence,
}

impl Emitter {
    /// All steps for `sources`; gives the EtherType if it is the same for every record.
    fn all(&mut self, sources: &[Source]) -> u64 {
        for field in Field::all() {
            if !matches!(field, Field::SrcNet | Field::DstNet | Field::Etype) {
                self.field(field, sources);
            }
        }
        let etype = self.etype(sources);
        self.prefix(Field::SrcNet, sources);
        self.prefix(Field::DstNet, sources);
        etype
    }

    fn field(&mut self, field: Field, sources: &[Source]) {
        let mut group: Vec<Source> = sources
            .iter()
            .filter(|source| source.field == field && fits(source))
            .copied()
            .collect();
        // Last one wins: so fallbacks (higher ranks) go first, and within a rank the order of the
        // record stands.
        group.sort_by_key(|source| u8::MAX - source.rank);
        let dynamic = group.iter().any(|source| source.place.is_variable());
        let mut first = true;
        for source in group {
            self.one(&source, !first, dynamic);
            first = false;
        }
    }

    /// The step of one source.
    fn one(&mut self, source: &Source, merge: bool, dynamic: bool) {
        let Source { field, place, convert, .. } = *source;
        let op = match convert {
            Convert::Text => Op::Text,
            Convert::Time(unit) => Op::Time(unit),
            Convert::IpVersion => Op::IpVersion,
            Convert::Address if dynamic => Op::MaybeAddress,
            Convert::Address => Op::Address,
            _ if dynamic => Op::MaybeWord(convert),
            _ => Op::Word,
        };
        // What is read by itself has no other bytes before it to mask away.
        let alone = matches!(op, Op::MaybeWord(_)) || place.is_variable();
        let width = if alone { 8 } else { u32::from(place.width) };
        let (shift, mask) = bits(convert, width, field);
        if matches!(op, Op::Word | Op::Address | Op::Time(_)) {
            self.present.insert(field);
        }
        let step = Step { op, place, field, merge, shift, mask };
        // "Truncated to the destination only when they do not fit its type (never an error,
        // counted)."
        let cut = low_bits(width * 8) & !low_bits(field_bits(field));
        if op == Op::Word && convert == Convert::Number && cut != 0 {
            self.steps.push(Step { op: Op::CountCut, mask: cut, shift: 0, ..step });
        }
        self.steps.push(step);
    }

    /// "Etype follows the address kept; IE 60 (4, 6) only when there is no address; IE 256
    /// ethernetType when neither."
    fn etype(&mut self, sources: &[Source]) -> u64 {
        let families = Families::of_flow(sources);
        if !families.any() {
            self.field(Field::Etype, sources);
            return 0;
        }
        if !families.both() {
            self.present.insert(Field::Etype);
            return if families.v4 { ETYPE_V4 } else { ETYPE_V6 };
        }
        let place = Place { anchor: 0, offset: 0, width: 0 };
        let op = Op::SettleFamily;
        self.steps.push(Step { op, place, field: Field::Etype, merge: false, shift: 0, mask: 0 });
        0
    }

    /// SrcNet and DstNet are "of the family of the address kept".
    fn prefix(&mut self, field: Field, sources: &[Source]) {
        let families = Families::of_flow(sources);
        let is_v4 = |source: &Source| source.convert == Convert::PrefixV4;
        if !families.both() {
            let kept: Vec<Source> = sources
                .iter()
                .filter(|source| source.field == field)
                .filter(|source| !families.any() || is_v4(source) == families.v4)
                .copied()
                .collect();
            self.field(field, &kept);
            return;
        }
        for source in sources.iter().filter(|source| source.field == field && fits(source)) {
            let op = if is_v4(source) { Op::PrefixV4 } else { Op::PrefixV6 };
            let mask = low_bits(32);
            self.steps.push(Step { op, place: source.place, field, merge: true, shift: 0, mask });
        }
    }
}

/// Has the field a width that its conversion can read? "Any width 1-8" for integers.
fn fits(source: &Source) -> bool {
    let width = source.place.width;
    match source.convert {
        Convert::Text => true,
        Convert::Address => matches!(width, 4 | 16 | VARIABLE),
        Convert::Time(
            crate::elements::Unit::NtpMicroseconds | crate::elements::Unit::NtpNanoseconds,
        ) => width == 8,
        Convert::Time(_) | Convert::IpVersion => (1..=8).contains(&width),
        _ => (1..=8).contains(&width) || width == VARIABLE,
    }
}

/// Bits of the destination. Addresses and texts have none to cut.
fn field_bits(field: Field) -> u32 {
    if field.is_word() { field.bits() } else { 64 }
}

/// How far to rotate right, and what to keep.
fn bits(convert: Convert, width: u32, field: Field) -> (u8, u64) {
    let limit = field_bits(field);
    match convert {
        Convert::Low(count) => (0, low_bits(u32::from(count).min(width * 8))),
        Convert::High if width > 1 => (8, 0xff),
        Convert::High => (0, 0),
        Convert::Left(count) => {
            let count = u32::from(count);
            ((64 - count) as u8, low_bits(limit.min(width * 8 + count)) & !low_bits(count))
        }
        _ => (0, low_bits(limit.min(width * 8))),
    }
}
