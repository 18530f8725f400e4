//! Executes a plan over the records of one set, column by column.

use neckar_proto::{Field, Flow, Rows};

use super::row::{self, icmp_from_port, merge_address, settle_family, turn};
use super::{Anchors, Fixed, Layout, Op, Plan, Reached, Reverse, Step};
use crate::counters::{Cause, Counters};
use crate::elements::{Convert, Unit};
use crate::message::Message;
use crate::sampling::Rates;
use crate::{ROWS_MAX, RowSink, text, time};

/// What the rows of a set have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) message: &'a Message,
    pub(crate) rates: &'a Rates,
    /// Take the inner packet of tunnels in sampled frames.
    pub(crate) decapsulate: bool,
}

/// Where rows go, with the memory that is kept from set to set.
pub(crate) struct Out<'a> {
    pub(crate) rows: &'a mut Rows,
    pub(crate) counters: &'a mut Counters,
    pub(crate) anchors: &'a mut Anchors,
    pub(crate) frame: &'a mut Flow,
    /// What the rows of a set have in common ([`stamp`]), and nothing else.
    pub(crate) common: &'a mut Flow,
    pub(crate) sink: &'a mut dyn RowSink,
}

impl Out<'_> {
    /// Lends the rows to the sink.
    pub(crate) fn flush(&mut self) {
        if !self.rows.is_empty() {
            self.counters.flows += self.rows.len() as u64;
            self.sink.rows(self.rows);
            self.rows.clear();
        }
    }

    /// Room for rows before the next flush; at least `want`, which is at most [`ROWS_MAX`].
    fn room(&mut self, want: usize) -> usize {
        if self.rows.len() + want > ROWS_MAX {
            self.flush();
        }
        ROWS_MAX - self.rows.len()
    }
}

/// Decodes the records of a set: `bytes[start..end]`, with at least eight bytes before `start`.
/// Returns how many whole records there were.
pub(crate) fn run(
    plan: &Plan,
    context: Context<'_>,
    bytes: &[u8],
    (start, end): (usize, usize),
    out: &mut Out<'_>,
) -> u64 {
    if plan.shape.is_fixed() {
        fixed(plan, context, bytes, (start, end), out)
    } else {
        variable(plan, context, bytes, (start, end), out)
    }
}

fn fixed(
    plan: &Plan,
    context: Context<'_>,
    bytes: &[u8],
    (start, end): (usize, usize),
    out: &mut Out<'_>,
) -> u64 {
    let stride = plan.shape.min;
    let records = end.saturating_sub(start) / stride;
    out.counters.records += records as u64;
    let mut done = 0;
    while done < records {
        let count = (records - done).min(chunk_max(plan, out));
        let layout = Fixed { first: start + done * stride, stride };
        chunk(plan, context, bytes, layout, count, out);
        done += count;
    }
    records as u64
}

fn variable(
    plan: &Plan,
    context: Context<'_>,
    bytes: &[u8],
    (start, end): (usize, usize),
    out: &mut Out<'_>,
) -> u64 {
    let mut anchors = std::mem::take(out.anchors);
    let mut at = start;
    let mut total = 0;
    loop {
        let most = chunk_max(plan, out);
        anchors.clear();
        let mut overrun = false;
        while anchors.records() < most && !is_padding(plan, bytes, at, end) {
            match anchors.walk(&plan.shape, bytes, at, end) {
                Reached::To(next) => at = next,
                Reached::Overrun => {
                    overrun = true;
                    break;
                }
            }
        }
        let count = anchors.records();
        out.counters.records += count as u64;
        total += count as u64;
        if count > 0 {
            chunk(plan, context, bytes, anchors.layout(&plan.shape), count, out);
        }
        // A set with no record at all is counted as that.
        if overrun && total > 0 && bytes[at..end].iter().any(|byte| *byte != 0) {
            out.counters.drop(Cause::SetRecordOverrun, 1);
        }
        if count < most {
            break;
        }
    }
    *out.anchors = anchors;
    total
}

/// Is what is left of a set of variable-length records padding? "Any padding (zero or not) shorter
/// than a record"; and up to three zeros, which would pass as records of empty values where every
/// field is of variable length.
fn is_padding(plan: &Plan, bytes: &[u8], at: usize, end: usize) -> bool {
    let rest = &bytes[at..end];
    rest.len() < plan.shape.min || (rest.len() < 4 && rest.iter().all(|byte| *byte == 0))
}

/// Records to take at once: a reverse flow stands right behind its forward one, so those go one by
/// one.
fn chunk_max(plan: &Plan, out: &mut Out<'_>) -> usize {
    if plan.reverse.is_some() {
        out.room(2);
        1
    } else {
        out.room(1)
    }
}

/// `count` records become rows.
fn chunk<L: Layout>(
    plan: &Plan,
    context: Context<'_>,
    bytes: &[u8],
    layout: L,
    count: usize,
    out: &mut Out<'_>,
) {
    let from = out.rows.len();
    let constant_rate = match &plan.rate {
        Some(_) if context.rates.configured == 0 => None,
        _ => Some(context.rates.rate(None)),
    };
    let mut present = plan.present;
    if constant_rate != Some(0) {
        present.insert(Field::SamplingRate);
    }
    let rows = out.rows.extend(count, present);
    let rate = constant_rate.unwrap_or(0);
    let run = Run { plan, context, bytes, layout };
    let steps = match (&plan.gather, layout.fixed()) {
        (Some(gather), Some(fixed)) => {
            stamp(std::slice::from_mut(out.common), plan, context, rate);
            gather.fill(out.common, bytes, fixed, rows);
            &gather.rest
        }
        _ => {
            stamp(rows, plan, context, rate);
            &plan.steps
        }
    };
    for step in steps {
        run.step(step, from, out);
    }
    run.rest(from, constant_rate, out);
}

/// Writes what all rows of a set have in common. Steps overwrite what the records say better.
fn stamp(rows: &mut [Flow], plan: &Plan, context: Context<'_>, rate: u64) {
    let message = context.message;
    for row in rows {
        row.store_word(Field::Type, message.flow_type);
        row.store_word(Field::TimeReceivedNs, message.received_ns);
        // "No time in the record: export time."
        row.store_word(Field::TimeFlowStartNs, message.export_ns);
        row.store_word(Field::TimeFlowEndNs, message.export_ns);
        row.store_word(Field::SequenceNum, u64::from(message.sequence));
        row.store_word(Field::ObservationDomainID, u64::from(message.domain));
        row.store_word(Field::SamplingRate, rate);
        row.store_word(Field::Etype, plan.etype);
        row.store_address(Field::SamplerAddress, message.exporter, message.exporter_len);
    }
}

/// One chunk on its way.
#[derive(Clone, Copy)]
struct Run<'a, L> {
    plan: &'a Plan,
    context: Context<'a>,
    bytes: &'a [u8],
    layout: L,
}

impl<L: Layout> Run<'_, L> {
    /// Executes one step for the rows from `from` on.
    fn step(&self, step: &Step, from: usize, out: &mut Out<'_>) {
        let rows = &mut out.rows.as_mut_slice()[from..];
        match step.op {
            Op::Word => self.word(step, rows),
            Op::Address => self.address(step, rows),
            Op::Time(unit) => self.time(step, unit, rows, out.counters),
            Op::CountCut => {
                self.each(step, rows, |_, raw| {
                    out.counters.values_cut += u64::from(raw & step.mask != 0);
                });
            }
            Op::MaybeWord(convert) => self.maybe_word(step, convert, rows, out.counters),
            Op::MaybeAddress => {
                for (record, row) in rows.iter_mut().enumerate() {
                    merge_address(
                        row,
                        step.field,
                        step.place.bytes(self.bytes, self.layout, record),
                    );
                }
            }
            Op::SettleFamily => rows.iter_mut().for_each(settle_family),
            Op::PrefixV4 => self.prefix(step, rows, 4),
            Op::PrefixV6 => self.prefix(step, rows, 16),
            Op::IpVersion => self.each(step, rows, |row, raw| match raw & step.mask {
                4 => row.set(Field::Etype, 0x0800),
                6 => row.set(Field::Etype, 0x86dd),
                _ => {}
            }),
            Op::Text => self.text(step, from, out.rows),
        }
    }

    /// Calls `store` for each row with the eight bytes that end with the field.
    #[inline(always)]
    fn each(&self, step: &Step, rows: &mut [Flow], store: impl FnMut(&mut Flow, u64)) {
        let end = step.place.offset as usize + usize::from(step.place.width);
        self.layout.each(self.bytes, step.place.anchor, end, rows, store);
    }

    fn word(&self, step: &Step, rows: &mut [Flow]) {
        let (field, mask) = (step.field, step.mask);
        match (step.merge, step.shift) {
            (false, 0) => self.each(step, rows, |row, raw| row.store_word(field, raw & mask)),
            (false, shift) => self.each(step, rows, |row, raw| {
                row.store_word(field, raw.rotate_right(u32::from(shift)) & mask);
            }),
            // "Last one wins, but zero never replaces non-zero."
            (true, shift) => self.each(step, rows, |row, raw| {
                let value = raw.rotate_right(u32::from(shift)) & mask;
                if value != 0 {
                    row.store_word(field, value);
                }
            }),
        }
    }

    fn maybe_word(
        &self,
        step: &Step,
        convert: Convert,
        rows: &mut [Flow],
        counters: &mut Counters,
    ) {
        for (record, row) in rows.iter_mut().enumerate() {
            let Some(raw) = step.place.number(self.bytes, self.layout, record) else { continue };
            if convert == Convert::Number && raw & !step.mask != 0 {
                counters.values_cut += 1;
            }
            row.merge(step.field, raw.rotate_right(u32::from(step.shift)) & step.mask);
        }
    }

    fn time(&self, step: &Step, unit: Unit, rows: &mut [Flow], counters: &mut Counters) {
        let Message { export_ns, received_ns, .. } = *self.context.message;
        match unit {
            Unit::Uptime => self.uptime(step, rows),
            Unit::Seconds => self.instants(step, rows, time::seconds),
            Unit::Milliseconds => self.instants(step, rows, time::milliseconds),
            Unit::DeltaMicroseconds => {
                self.instants(step, rows, |delta| time::before(export_ns, delta));
            }
            Unit::NtpMicroseconds | Unit::NtpNanoseconds => self.instants(step, rows, |raw| {
                let (instant, unix) = match unit {
                    Unit::NtpMicroseconds => time::ntp_microseconds(raw, received_ns),
                    _ => time::ntp_nanoseconds(raw, received_ns),
                };
                counters.times_unix += u64::from(unix);
                instant
            }),
        }
    }

    /// Stores what `instant` makes of each value; a zero does not replace what an earlier element
    /// said.
    #[inline(always)]
    fn instants(&self, step: &Step, rows: &mut [Flow], mut instant: impl FnMut(u64) -> u64) {
        let (field, mask, merge) = (step.field, step.mask, step.merge);
        self.each(step, rows, |row, raw| {
            if raw & mask != 0 || !merge {
                row.store_word(field, instant(raw & mask));
            }
        });
    }

    /// 21 and 22: against the header's uptime in v9, against 160 in IPFIX, whose header has none.
    fn uptime(&self, step: &Step, rows: &mut [Flow]) {
        let (field, mask, merge) = (step.field, step.mask, step.merge);
        let message = self.context.message;
        if let Some(uptime_ms) = message.uptime_ms {
            self.each(step, rows, |row, raw| {
                let at_ms = (raw & mask) as u32;
                if at_ms != 0 || !merge {
                    row.store_word(field, time::uptime(message.export_ns, uptime_ms, at_ms));
                }
            });
            return;
        }
        let told = self.context.rates.own().boot_ms();
        for (record, row) in rows.iter_mut().enumerate() {
            let in_record =
                self.plan.boot.and_then(|place| place.number(self.bytes, self.layout, record));
            let Some(boot_ms) = in_record.filter(|boot| *boot != 0).or(told) else { continue };
            let Some(at_ms) = step.place.number(self.bytes, self.layout, record) else { continue };
            if at_ms != 0 || !merge {
                row.store_word(field, time::milliseconds(boot_ms.saturating_add(at_ms)));
            }
        }
    }

    fn address(&self, step: &Step, rows: &mut [Flow]) {
        let (field, place) = (step.field, step.place);
        if place.width == 4 && !step.merge {
            self.each(step, rows, |row, raw| row.store_v4(field, (raw as u32).to_be_bytes()));
            return;
        }
        for (record, row) in rows.iter_mut().enumerate() {
            let bytes = place.bytes(self.bytes, self.layout, record);
            if step.merge {
                merge_address(row, field, bytes);
            } else if let Ok(v6) = bytes.try_into() {
                row.store_v6(field, v6);
            }
        }
    }

    /// SrcNet and DstNet are "of the family of the address kept".
    fn prefix(&self, step: &Step, rows: &mut [Flow], address_len: usize) {
        let (own, other) = match step.field {
            Field::SrcNet => (Field::SrcAddr, Field::DstAddr),
            _ => (Field::DstAddr, Field::SrcAddr),
        };
        for (record, row) in rows.iter_mut().enumerate() {
            let kept = row.address(own).or(row.address(other));
            if kept.is_some_and(|kept| kept.len() == address_len)
                && let Some(length) = step.place.number(self.bytes, self.layout, record)
            {
                row.merge(step.field, length & step.mask);
            }
        }
    }

    fn text(&self, step: &Step, from: usize, rows: &mut Rows) {
        for record in 0..rows.len() - from {
            let bytes = step.place.bytes(self.bytes, self.layout, record);
            text::set(rows, from + record, step.field, bytes);
        }
    }

    /// What needs the whole row: frames, labels, ICMP, the rate, the reverse flow.
    fn rest(&self, from: usize, constant_rate: Option<u64>, out: &mut Out<'_>) {
        let plan = self.plan;
        if !plan.labels.is_empty() {
            let rows = &mut out.rows.as_mut_slice()[from..];
            row::labels(&plan.labels, self.bytes, self.layout, rows);
        }
        for frame in &plan.frames {
            super::frame::merge(
                frame,
                self.context.decapsulate,
                self.bytes,
                self.layout,
                from,
                out,
            );
        }
        if plan.icmp_from_port {
            out.rows.as_mut_slice()[from..].iter_mut().for_each(icmp_from_port);
        }
        match (constant_rate, &plan.rate) {
            (None, Some(rate)) => {
                let unknown = self.rates(rate, &mut out.rows.as_mut_slice()[from..]);
                out.counters.rate_unknown += unknown;
            }
            (Some(0), _) => out.counters.rate_unknown += (out.rows.len() - from) as u64,
            _ => {}
        }
        // "A reverse direction (RFC 5103, PEN 29305) with a non-zero counter gives a second flow."
        if let Some(reverse) = &plan.reverse {
            self.reverse(reverse, from, out);
        }
    }

    /// The rate of each record; returns for how many it is unknown.
    fn rates(&self, rate: &crate::sampling::RateUse, rows: &mut [Flow]) -> u64 {
        let says = rate.says_rate();
        // Neighbouring records mostly name the same sampler.
        let (mut sampler, mut named) = (None, self.context.rates.rate(None));
        let mut unknown = 0;
        for (record, row) in rows.iter_mut().enumerate() {
            let mut found = if says { rate.rate(self.bytes, self.layout, record) } else { 0 };
            if found == 0 {
                let names = rate.sampler(self.bytes, self.layout, record);
                if names != sampler {
                    (sampler, named) = (names, self.context.rates.rate(names));
                }
                found = named;
            }
            row.store_word(Field::SamplingRate, found);
            if found == 0 {
                row.remove(Field::SamplingRate);
                unknown += 1;
            }
        }
        unknown
    }

    /// The second flow of each record: "with endpoints, ports and interfaces swapped".
    fn reverse(&self, reverse: &Reverse, from: usize, out: &mut Out<'_>) {
        debug_assert_eq!(
            out.rows.len(),
            from + 1,
            "plans with a reverse side run record by record"
        );
        // What the reverse elements say is found on a row of its own, then laid over the turned
        // copy.
        let turned = out.rows.push_copy(from);
        turn(turned);
        let instants = [Field::TimeFlowStartNs, Field::TimeFlowEndNs]
            .map(|field| (field, turned.word_or_zero(field)));
        let said = &mut out.rows.extend(1, reverse.present)[0];
        // An uptime without anything to count from stores nothing.
        for (field, instant) in instants {
            said.store_word(field, instant);
        }
        for step in &reverse.steps {
            self.step(step, from + 2, out);
        }
        let [.., row, said] = out.rows.as_mut_slice() else { return };
        for field in &reverse.fields {
            if said.has(*field) {
                row.copy_field(*field, said);
            }
        }
        out.rows.truncate(from + 2);
        let row = &mut out.rows.as_mut_slice()[from + 1];
        let counted = row.word_or_zero(Field::Bytes) != 0 || row.word_or_zero(Field::Packets) != 0;
        if !counted {
            out.rows.truncate(from + 1);
            return;
        }
        // RFC 5103 section 6.3: 1 initiator, 2 reverse initiator.
        let said = row.word_or_zero(Field::BiFlowDirection);
        row.set(Field::BiFlowDirection, if said == 2 { 1 } else { 2 });
        out.counters.rate_unknown += u64::from(!row.has(Field::SamplingRate));
        out.counters.reverse_flows += 1;
        if said == 0 {
            out.rows.as_mut_slice()[from].set(Field::BiFlowDirection, 1);
        }
    }
}
