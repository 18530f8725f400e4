//! The sets of a NetFlow v9 or IPFIX message.
//!
//! "One bad set costs that set: sets before it stand; sets after it are decoded where the lengths
//! still add up."

use crate::bytes::u16_at;
use crate::counters::Cause;
use crate::decoder::{Decoder, Memory};
use crate::hold::{HeldSet, LEAD_BYTES};
use crate::interfaces::{InterfaceName, NamePlan};
use crate::local::Domain;
use crate::message::Message;
use crate::plan::{Anchors, Context, Fixed, Out, Reached, run};
use crate::sampling::{Fact, OptionsPlan};
use crate::template::{Definition, Protocol, Reading, Record, TemplateSet};
use crate::{Datagram, RowSink};

const SET_HEADER_BYTES: usize = 4;

/// A set in a message.
#[derive(Clone, Copy, Debug)]
struct Set {
    id: u16,
    /// Where its content starts and ends in the datagram.
    start: usize,
    end: usize,
}

/// What the rest of a message starts with.
enum Next {
    Set(Set),
    End,
    /// A length that cannot be: nothing behind it can be found.
    Broken,
}

fn next_set(bytes: &[u8], at: usize, end: usize) -> Next {
    let bytes = &bytes[..end];
    let rest = bytes.get(at..).unwrap_or_default();
    // "Zero fill to the end of a v9 datagram", and fill shorter than a set header.
    if rest.len() < SET_HEADER_BYTES {
        return Next::End;
    }
    let (Some(id), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) else { return Next::End };
    if usize::from(length) < SET_HEADER_BYTES {
        let fill = id == 0 && rest.iter().all(|byte| *byte == 0);
        return if fill { Next::End } else { Next::Broken };
    }
    // A set that runs over the end was cut; what is there stands.
    let set_end = (at + usize::from(length)).min(end);
    Next::Set(Set { id, start: at + SET_HEADER_BYTES, end: set_end })
}

/// Is this the id of a set of templates, and of which kind? `Some(true)` for options templates.
fn template_kind(protocol: Protocol, id: u16) -> Option<bool> {
    match (protocol, id) {
        (Protocol::Ipfix, 2) | (Protocol::NetflowV9, 0) => Some(false),
        (Protocol::Ipfix, 3) | (Protocol::NetflowV9, 1) => Some(true),
        _ => None,
    }
}

/// One message on its way through the decoder.
struct Walk<'a, 'b> {
    decoder: &'a mut Decoder,
    message: &'a Message,
    bytes: &'b [u8],
    /// End of the message.
    end: usize,
    domain: u32,
    /// Templates behind the current set were looked at already.
    looked_ahead: bool,
    /// Options records behind the current set were looked at already.
    rates_ahead: bool,
    /// Records so far; `None` once a set was uncountable.
    units: Option<u32>,
}

/// Decodes the sets of `datagram` between the two offsets `body`.
pub(crate) fn decode(
    decoder: &mut Decoder,
    datagram: &Datagram<'_>,
    message: &Message,
    body: (usize, usize),
    sink: &mut dyn RowSink,
) {
    let Some(domain) = enter(decoder, datagram, message, sink) else { return };
    let mut walk = Walk {
        decoder,
        message,
        bytes: datagram.bytes,
        end: body.1,
        domain,
        looked_ahead: false,
        rates_ahead: false,
        units: Some(0),
    };
    let mut at = body.0;
    loop {
        match next_set(datagram.bytes, at, body.1) {
            Next::End => break,
            Next::Broken => {
                walk.drop(Cause::SetLengthInvalid);
                walk.units = None;
                break;
            }
            Next::Set(set) => {
                walk.set(set, sink);
                at = set.end;
            }
        }
    }
    let units = match message.protocol {
        Protocol::NetflowV9 => Some(1),
        _ => walk.units,
    };
    let (local, mut out) = decoder.parts(sink);
    local.observe(domain, message.sequence, units, message.export_ns, out.counters);
    let totals = &mut local.domain(domain).totals;
    if totals.looks_at_age() {
        totals.ages.note(out.rows.as_slice(), message.received_ns);
    }
    out.flush();
}

/// The domain of a message, brought up to date.
fn enter(
    decoder: &mut Decoder,
    datagram: &Datagram<'_>,
    message: &Message,
    sink: &mut dyn RowSink,
) -> Option<u32> {
    // Twice at most: an exporter that was forgotten meanwhile is admitted anew.
    for _ in 0..2 {
        let entered = decoder.local.enter(datagram, message.protocol, message.domain);
        let domain = match entered {
            Ok(domain) => domain,
            Err(cause) => {
                decoder.counters.drop(cause, 1);
                return None;
            }
        };
        if !decoder.local.is_stale(domain) {
            return Some(domain);
        }
        if decoder.local.refresh(domain) {
            release(decoder, domain, sink);
            return Some(domain);
        }
        decoder.local.forget(domain, &mut decoder.counters);
    }
    decoder.counters.drop(Cause::DatagramExporterTableFull, 1);
    None
}

impl Walk<'_, '_> {
    fn drop(&mut self, cause: Cause) {
        self.decoder.local.drop(self.domain, cause, 1, &mut self.decoder.counters);
    }

    fn domain(&mut self) -> &mut Domain {
        self.decoder.local.domain(self.domain)
    }

    fn set(&mut self, set: Set, sink: &mut dyn RowSink) {
        if set.id >= 256 {
            self.data(set, sink);
        } else if let Some(options) = template_kind(self.message.protocol, set.id) {
            self.templates(set, options, sink);
        } else {
            self.drop(Cause::SetIdReserved);
        }
    }

    /// A data set: decoded, or held until its template comes.
    fn data(&mut self, set: Set, sink: &mut dyn RowSink) {
        if !self.looked_ahead && self.domain().find(set.id).is_none() {
            self.look_ahead(set.end);
        }
        if !self.rates_ahead && self.domain().wants_rate() {
            self.learn_rates_ahead(set.end);
        }
        let Some(found) = self.domain().find(set.id) else { return self.hold(set) };
        let range = (set.start, set.end);
        let records =
            records(self.decoder, self.domain, found, self.message, self.bytes, range, sink);
        self.units = self.units.map(|units| units.wrapping_add(records as u32));
    }

    fn hold(&mut self, set: Set) {
        // How many records wait in it nobody can say.
        self.units = None;
        let records = &self.bytes[set.start..set.end];
        let Decoder { local, counters, .. } = &mut *self.decoder;
        if local.hold(self.domain, self.message, set.id, records, counters) {
            counters.held += 1;
        }
    }

    /// "Learnt in any order inside a message: a data set that precedes its template in the same
    /// message is decoded." Only templates that are not known are taken from further on; a
    /// changed one counts from its place.
    fn look_ahead(&mut self, mut at: usize) {
        self.looked_ahead = true;
        while let Next::Set(set) = next_set(self.bytes, at, self.end) {
            if let Some(options) = template_kind(self.message.protocol, set.id) {
                let body = &self.bytes[set.start..set.end];
                let mut records = TemplateSet::new(self.message.protocol, options, body);
                while let Ok(Some(record)) = records.next() {
                    if let Record::Template(id, definition) = record
                        && !self.domain().knows(id)
                    {
                        // What is wrong with it is counted where it stands.
                        let _ = self.install(id, &definition);
                    }
                }
            }
            at = set.end;
        }
    }

    /// Options records say the rate of the records before them too, as long as no rate is known at
    /// all: so the first flows of an exporter are not unknown only because it puts its options
    /// last.
    fn learn_rates_ahead(&mut self, mut at: usize) {
        self.rates_ahead = true;
        while let Next::Set(set) = next_set(self.bytes, at, self.end) {
            let domain = self.decoder.local.domain(self.domain);
            if let Some(found) = domain.find(set.id)
                && let Reading::Options(plan) = &domain.design(found).reading
            {
                let Memory { facts, anchors, .. } = &mut self.decoder.memory;
                facts.clear();
                options(plan, self.bytes, (set.start, set.end), anchors, facts);
                self.decoder.local.learn(self.domain, facts);
            }
            at = set.end;
        }
    }

    /// A set of templates. What is good in it is learnt; what is bad is counted once for the set.
    fn templates(&mut self, set: Set, options: bool, sink: &mut dyn RowSink) {
        let body = &self.bytes[set.start..set.end];
        let mut records = TemplateSet::new(self.message.protocol, options, body);
        let mut bad = None;
        let mut changed = false;
        let totals = &mut self.domain().totals;
        *(if options { &mut totals.options_template_sets } else { &mut totals.template_sets }) += 1;
        loop {
            match records.next() {
                Ok(None) => break,
                Err(_) => {
                    bad = bad.or(Some(Cause::SetTemplateMalformed));
                    break;
                }
                Ok(Some(Record::Rejected(fields))) => {
                    // A data template without fields announces nothing, as other counters see it
                    // too.
                    if options || fields > 0 {
                        self.count_template(options);
                    }
                    bad = bad.or(Some(Cause::SetTemplateMalformed));
                }
                Ok(Some(Record::Withdrawal(id))) => {
                    if !self.withdraw(id, set.id, options) {
                        bad = bad.or(Some(Cause::SetTemplateMalformed));
                    }
                }
                Ok(Some(Record::Template(id, definition))) => {
                    self.count_template(options);
                    match self.install(id, &definition) {
                        Ok(new) => changed |= new,
                        Err(cause) => bad = bad.or(Some(cause)),
                    }
                }
            }
        }
        if let Some(cause) = bad {
            self.drop(cause);
        }
        if changed {
            release(self.decoder, self.domain, sink);
        }
    }

    fn count_template(&mut self, options: bool) {
        let counters = &mut self.decoder.counters;
        *(if options { &mut counters.options_templates } else { &mut counters.templates }) += 1;
        let totals = &mut self.domain().totals;
        *(if options { &mut totals.options_templates } else { &mut totals.templates }) += 1;
    }

    /// Puts a template in place; `true` if it is new or changed. "A refresh that is byte-identical
    /// costs a comparison."
    fn install(&mut self, id: u16, definition: &Definition<'_>) -> Result<bool, Cause> {
        let Decoder { local, config, shared, .. } = &mut *self.decoder;
        let domain = local.domain(self.domain);
        if let Some(found) = domain.find(id) {
            let known = domain.template(found);
            if known.is(definition) {
                known.refresh(self.message.received_ns);
                return Ok(false);
            }
        }
        if definition.fields > config.template_fields_max {
            return Err(Cause::SetTemplateOverLimit);
        }
        let template = shared
            .template(id, definition, self.message.received_ns)
            .ok_or(Cause::SetTemplateZeroLength)?;
        local.install(self.domain, template)?;
        Ok(true)
    }

    /// "Withdrawal (field count 0; set-wide with id 2 or 3) removes; over UDP too."
    fn withdraw(&mut self, id: u16, set_id: u16, options: bool) -> bool {
        if id == set_id {
            self.decoder.local.remove(self.domain, |template| template.design.options == options);
        } else if id >= 256 {
            self.decoder.local.remove(self.domain, |template| template.id == id);
        } else {
            return false;
        }
        self.decoder.counters.withdrawals += 1;
        true
    }
}

/// Decodes what waited for templates that are there now, in order, each set with the header it came
/// under.
pub(crate) fn release(decoder: &mut Decoder, domain: u32, sink: &mut dyn RowSink) {
    for set in decoder.local.released(domain) {
        decoder.counters.released += 1;
        let HeldSet { message, template, bytes, .. } = &set;
        let Some(found) = decoder.local.domain(domain).find(*template) else { continue };
        let range = (LEAD_BYTES, bytes.len());
        records(decoder, domain, found, message, bytes, range, sink);
        // Rows given to a sink in one call are of one datagram.
        decoder.parts(sink).1.flush();
    }
}

/// Decodes the records of a data set with the template at `found`; returns how many there were.
fn records(
    decoder: &mut Decoder,
    domain: u32,
    found: usize,
    message: &Message,
    bytes: &[u8],
    range: (usize, usize),
    sink: &mut dyn RowSink,
) -> u64 {
    let decapsulate = decoder.config.decapsulate;
    let Decoder { local, counters, memory, .. } = &mut *decoder;
    let entry = local.domain(domain);
    let records = match &entry.design(found).reading {
        Reading::Flows(plan) => {
            let context = Context { message, rates: &entry.rates, decapsulate };
            let Memory { rows, anchors, frame, common, .. } = memory;
            let out = &mut Out { rows, counters, anchors, frame, common, sink };
            let records = run(plan, context, bytes, range, out);
            entry.totals.records += records;
            entry.totals.data_sets += 1;
            records
        }
        Reading::Options(plan) => {
            memory.facts.clear();
            let records = options(plan, bytes, range, &mut memory.anchors, &mut memory.facts);
            let names =
                plan.names.as_deref().map(|names| interfaces(plan, names, bytes, range, memory));
            counters.options_records += records;
            if !memory.facts.is_empty() {
                local.learn(domain, &memory.facts);
            }
            let totals = &mut local.domain(domain).totals;
            totals.options_records += records;
            totals.options_sets += 1;
            if let Some(names) = names {
                local.learn_names(domain, names);
            }
            records
        }
    };
    // "Every set that does not become a flow": a set without a single record is a drop.
    if records == 0 {
        local.drop(domain, Cause::SetTruncated, 1, counters);
    }
    records
}

/// What options records call interfaces. Seldom: it may allocate.
#[cold]
fn interfaces(
    plan: &OptionsPlan,
    names: &NamePlan,
    bytes: &[u8],
    (start, end): (usize, usize),
    memory: &mut Memory,
) -> Vec<(u32, InterfaceName)> {
    if plan.shape.is_fixed() {
        let layout = Fixed { first: start, stride: plan.shape.min };
        let records = 0..(end - start) / plan.shape.min;
        return records.filter_map(|record| names.read(bytes, layout, record)).collect();
    }
    let (mut at, mut said) = (start, Vec::new());
    while end - at >= plan.shape.min {
        memory.anchors.clear();
        let Reached::To(next) = memory.anchors.walk(&plan.shape, bytes, at, end) else {
            break;
        };
        said.extend(names.read(bytes, memory.anchors.layout(&plan.shape), 0));
        at = next;
    }
    said
}

/// Reads options records; what they tell goes to `facts`. Returns how many there were.
fn options(
    plan: &OptionsPlan,
    bytes: &[u8],
    (start, end): (usize, usize),
    anchors: &mut Anchors,
    facts: &mut Vec<Fact>,
) -> u64 {
    let useful = plan.is_useful();
    if plan.shape.is_fixed() {
        let records = (end - start) / plan.shape.min;
        if useful {
            let layout = Fixed { first: start, stride: plan.shape.min };
            facts.extend((0..records).map(|record| plan.fact(bytes, layout, record)));
        }
        return records as u64;
    }
    let (mut at, mut records) = (start, 0);
    while end - at >= plan.shape.min {
        anchors.clear();
        let Reached::To(next) = anchors.walk(&plan.shape, bytes, at, end) else {
            break;
        };
        if useful {
            facts.push(plan.fact(bytes, anchors.layout(&plan.shape), 0));
        }
        at = next;
        records += 1;
    }
    records
}
