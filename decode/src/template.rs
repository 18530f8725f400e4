//! Template records: what the bytes of a template set define.
//!
//! Parsing borrows; a [`Design`] is compiled only of a definition that nobody has announced before. Everything
//! that RFC 7011 section 3.4 and RFC 3954 section 5.2, 6.1 let a template say is understood here,
//! and nothing else is trusted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use hashbrown::HashMap;

use crate::bytes::u16_at;
use crate::plan::{Compiled, Plan, compile};
use crate::sampling::OptionsPlan;

/// A length in a template that says: each record tells (RFC 7011 section 7).
pub(crate) const VARIABLE: u16 = u16::MAX;

/// The two protocols with templates. They share element numbers and differ in how templates and
/// headers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// NetFlow v5: no templates, here for accounting.
    NetflowV5,
    /// NetFlow v9 (RFC 3954).
    NetflowV9,
    /// IPFIX (RFC 7011).
    Ipfix,
    /// sFlow v5: no templates, here for accounting.
    Sflow,
}

impl Protocol {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 4] = [Self::NetflowV5, Self::NetflowV9, Self::Ipfix, Self::Sflow];

    /// Its name in metrics and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetflowV5 => "netflow_v5",
            Self::NetflowV9 => "netflow_v9",
            Self::Ipfix => "ipfix",
            Self::Sflow => "sflow",
        }
    }
}

/// One field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    pub(crate) element: u16,
    /// 0 for IANA's own.
    pub(crate) enterprise: u32,
    pub(crate) length: u16,
}

/// A template record as it stands on the wire, after its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definition<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) options: bool,
    /// From the counts to the last field. Equal bytes are the same definition.
    pub(crate) bytes: &'a [u8],
    /// Fields in all, scope included.
    pub(crate) fields: usize,
    /// How many of them are scope.
    pub(crate) scope: usize,
}

/// What a place in a template set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// A template of this id.
    Template(u16, Definition<'a>),
    /// "field count 0": forget the template, or all of its kind if the id is the set's own.
    Withdrawal(u16),
    /// Understood as a template of so many fields, yet one that must not be used; the next one can
    /// be found.
    Rejected(usize),
}

/// Reads the records of one template set, one after the other.
pub(crate) struct TemplateSet<'a> {
    protocol: Protocol,
    options: bool,
    rest: &'a [u8],
}

impl<'a> TemplateSet<'a> {
    /// `body` is the set without its header.
    pub(crate) fn new(protocol: Protocol, options: bool, body: &'a [u8]) -> Self {
        Self { protocol, options, rest: body }
    }

    /// The next record; `None` at the end or at padding, `Err` where nothing further can be found.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'a>>, Malformed> {
        // "any padding (zero or not) shorter than a record"; zeros of any length can be no
        // template, ids start at 256.
        if self.rest.len() < 4 || self.rest.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let id = u16_at(self.rest, 0).ok_or(Malformed)?;
        let count = u16_at(self.rest, 2).ok_or(Malformed)?;
        if self.protocol == Protocol::Ipfix && count == 0 {
            self.rest = &self.rest[4..];
            return Ok(Some(Record::Withdrawal(id)));
        }
        let definition = self.definition()?;
        self.rest = &self.rest[2 + definition.bytes.len()..];
        // "Ids below 256 [...] scope count 0 in IPFIX options: rejected and counted." RFC 3954
        // knows no withdrawal, so a v9 template without fields is a broken one.
        let scopeless = self.protocol == Protocol::Ipfix && self.options && definition.scope == 0;
        if id < 256 || scopeless || definition.fields == 0 {
            return Ok(Some(Record::Rejected(definition.fields)));
        }
        Ok(Some(Record::Template(id, definition)))
    }

    /// Measures the definition at the start of `rest`.
    fn definition(&self) -> Result<Definition<'a>, Malformed> {
        let first = usize::from(u16_at(self.rest, 2).ok_or(Malformed)?);
        let (header, fields, scope) = match (self.options, self.protocol) {
            (false, _) => (2, first, 0),
            (true, Protocol::Ipfix) => {
                let scope = usize::from(u16_at(self.rest, 4).ok_or(Malformed)?);
                (4, first, scope)
            }
            // RFC 3954 section 6.1 counts bytes of scopes and options, four a field.
            (true, _) => {
                let options = usize::from(u16_at(self.rest, 4).ok_or(Malformed)?);
                if !first.is_multiple_of(4) || !options.is_multiple_of(4) {
                    return Err(Malformed);
                }
                (4, (first + options) / 4, first / 4)
            }
        };
        if scope > fields {
            return Err(Malformed);
        }
        let after_id = &self.rest[2..];
        let mut end = header;
        for _ in 0..fields {
            let element = u16_at(after_id, end).ok_or(Malformed)?;
            end += if self.protocol == Protocol::Ipfix && element & 0x8000 != 0 { 8 } else { 4 };
        }
        let bytes = after_id.get(..end).ok_or(Malformed)?;
        Ok(Definition { protocol: self.protocol, options: self.options, bytes, fields, scope })
    }
}

/// A template set that cannot be read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Definition<'_> {
    /// The fields in wire order.
    pub(crate) fn specs(&self) -> impl Iterator<Item = FieldSpec> {
        let mut at = if self.options { 4 } else { 2 };
        let with_enterprise = self.protocol == Protocol::Ipfix;
        (0..self.fields).map_while(move |_| {
            let element = u16_at(self.bytes, at)?;
            let length = u16_at(self.bytes, at + 2)?;
            if with_enterprise && element & 0x8000 != 0 {
                let enterprise = crate::bytes::u32_at(self.bytes, at + 4)?;
                at += 8;
                return Some(FieldSpec { element: element & 0x7fff, enterprise, length });
            }
            at += 4;
            Some(FieldSpec { element, enterprise: 0, length })
        })
    }
}

/// How the records of a template are read.
#[derive(Debug)]
pub(crate) enum Reading {
    /// They become rows.
    Flows(Plan),
    /// They tell about the exporter.
    Options(OptionsPlan),
}

/// A definition, compiled. Exporters of one kind announce the same one, so it is shared by all of them: the plans of ten
/// thousand equal routers are one plan in the cache.
#[derive(Debug)]
pub(crate) struct Design {
    pub(crate) options: bool,
    fields: u16,
    pub(crate) scope: u16,
    /// As on the wire, after the id.
    pub(crate) definition: Box<[u8]>,
    pub(crate) reading: Reading,
}

impl Design {
    /// Compiles `definition`; `None` if a record could take no bytes at all.
    fn new(definition: &Definition<'_>) -> Option<Self> {
        let Definition { protocol, options, bytes, fields, scope } = *definition;
        let specs: Vec<FieldSpec> = definition.specs().collect();
        let reading = match compile(protocol, &specs, options, scope) {
            Compiled::Flows(plan) => Reading::Flows(plan),
            Compiled::Options(plan) => Reading::Options(plan),
            Compiled::Empty => return None,
        };
        // 64 KiB of datagram hold no more fields than 16 bits count.
        let (fields, scope) = (fields as u16, scope as u16);
        Some(Self { options, fields, scope, definition: bytes.into(), reading })
    }

    /// The definition again, for views.
    pub(crate) fn definition(&self, protocol: Protocol) -> Definition<'_> {
        Definition {
            protocol,
            options: self.options,
            bytes: &self.definition,
            fields: usize::from(self.fields),
            scope: usize::from(self.scope),
        }
    }

    /// Can its records tell a sampling rate to others?
    pub(crate) fn tells_rate(&self) -> bool {
        matches!(&self.reading, Reading::Options(plan) if plan.rate.says_rate())
    }

    /// Memory it takes, about.
    pub(crate) fn cost_bytes(&self) -> usize {
        let steps = match &self.reading {
            Reading::Flows(plan) => plan.cost_bytes(),
            Reading::Options(_) => 256,
        };
        size_of::<Self>() + self.definition.len() + steps
    }
}

/// All designs in use, by protocol, kind and definition.
#[derive(Debug, Default)]
pub(crate) struct Designs {
    known: HashMap<Box<[u8]>, Weak<Design>>,
    /// How many there may be before those that nobody uses any more are let go.
    sweep_at: usize,
}

/// Fewer are not worth a sweep.
const SWEEP_MIN: usize = 256;

impl Designs {
    /// The design of `definition`, compiled if it is the first of its kind; `None` if a record of it could be empty.
    pub(crate) fn of(&mut self, definition: &Definition<'_>) -> Option<Arc<Design>> {
        let kind = [definition.protocol as u8, u8::from(definition.options)];
        let key = [&kind[..], definition.bytes].concat();
        if let Some(design) = self.known.get(&*key).and_then(Weak::upgrade) {
            return Some(design);
        }
        let design = Arc::new(Design::new(definition)?);
        if self.known.len() >= self.sweep_at.max(SWEEP_MIN) {
            self.known.retain(|_, design| design.strong_count() > 0);
            self.sweep_at = 2 * self.known.len();
        }
        self.known.insert(key.into(), Arc::downgrade(&design));
        Some(design)
    }
}

/// A template that records can be read with.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) id: u16,
    pub(crate) design: Arc<Design>,
    /// When it was last announced, Unix nanoseconds.
    refreshed_ns: AtomicU64,
}

impl Template {
    pub(crate) fn new(id: u16, design: Arc<Design>, now_ns: u64) -> Self {
        Self { id, design, refreshed_ns: AtomicU64::new(now_ns) }
    }

    /// Does it say the same as `definition`? The kind belongs to it: data and options templates share the id space.
    pub(crate) fn is(&self, definition: &Definition<'_>) -> bool {
        self.design.options == definition.options && *self.design.definition == *definition.bytes
    }

    /// Is the other one the same template?
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.design, &other.design)
    }

    /// Notes that it was announced again.
    pub(crate) fn refresh(&self, now_ns: u64) {
        self.refreshed_ns.store(now_ns, Ordering::Relaxed);
    }

    /// When it was last announced.
    pub(crate) fn refreshed_ns(&self) -> u64 {
        self.refreshed_ns.load(Ordering::Relaxed)
    }

    /// Was it last announced before `oldest_ns`?
    pub(crate) fn refreshed_before(&self, oldest_ns: u64) -> bool {
        self.refreshed_ns() < oldest_ns
    }

    /// Memory it takes at most, about: as if nobody shared its design.
    pub(crate) fn cost_bytes(&self) -> usize {
        size_of::<Self>() + self.design.cost_bytes()
    }
}
