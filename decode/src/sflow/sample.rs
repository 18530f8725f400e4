//! Samples: what a datagram is made of. A flow sample becomes a row, any other a count.

use neckar_proto::{Field, Flow, Presence, Rows, flow_type};

use super::record::{self, Row, Sampled};
use super::{Header, Reader, Tally};
use crate::decoder::Decoder;
use crate::message::address;

// Formats of enterprise 0, which is in the upper 20 bits.
const FLOW: u32 = 1;
const COUNTERS: u32 = 2;
const FLOW_EXPANDED: u32 = 3;
const COUNTERS_EXPANDED: u32 = 4;
const DISCARD: u32 = 5;

/// "The maximum value, 0x3FFFFFFF, indicates that there is no input or output interface": the
/// packet starts or ends in the device itself.
const INTERFACE_LOCAL: u32 = 0x3fff_ffff;
const INTERFACE_SINGLE: u32 = 0;
const INTERFACE_DISCARD: u32 = 1;
/// RFC 7270 section 4.12: dropped, for a reason not said.
const STATUS_DROPPED: u64 = 0x80;

/// A record in [`decode_flow`]'s count.
const RECORD_SEEN: u64 = 1 << 16;

/// What every row of a datagram has.
pub(super) const COMMON: Presence = {
    let mut fields = Presence { words: 0, addresses: 0, texts: 0 };
    fields.insert(Field::Type);
    fields.insert(Field::SequenceNum);
    fields.insert(Field::SamplerAddress);
    fields.insert(Field::TimeReceivedNs);
    fields.insert(Field::TimeFlowStartNs);
    fields.insert(Field::TimeFlowEndNs);
    fields.insert(Field::Packets);
    fields
};

/// What the rows of a datagram share.
pub(super) struct Common {
    agent: [u8; 16],
    agent_len: u8,
    sequence: u64,
    received_ns: u64,
    configured_rate: u64,
    default_rate: u64,
    decapsulate: bool,
}

impl Common {
    pub(super) fn new(
        header: &Header,
        decoder: &mut Decoder,
        domain: u32,
        received_ns: u64,
    ) -> Self {
        let (agent, agent_len) = address(header.agent);
        let rates = &decoder.local.domain(domain).rates;
        Self {
            agent,
            agent_len,
            sequence: u64::from(header.sequence),
            received_ns,
            configured_rate: rates.configured,
            default_rate: rates.default,
            decapsulate: decoder.config.decapsulate,
        }
    }

    #[inline(always)]
    fn store(&self, row: &mut Flow) {
        row.store_word(Field::Type, flow_type::SFLOW_5);
        row.store_word(Field::SequenceNum, self.sequence);
        row.store_address(Field::SamplerAddress, self.agent, self.agent_len);
        for time in [Field::TimeReceivedNs, Field::TimeFlowStartNs, Field::TimeFlowEndNs] {
            row.store_word(time, self.received_ns);
        }
        row.store_word(Field::Packets, 1);
    }

    /// "Sampling rate, first that applies", of the steps that sFlow has: configured, in the record,
    /// default, unknown.
    #[inline(always)]
    fn rate(&self, said: u32) -> u64 {
        match (self.configured_rate, said) {
            (0, 0) => self.default_rate,
            (0, said) => u64::from(said),
            (configured, _) => configured,
        }
    }
}

pub(super) const fn is_flow(format: u32) -> bool {
    matches!(format, FLOW | FLOW_EXPANDED)
}

pub(super) const fn is_expanded(format: u32) -> bool {
    format == FLOW_EXPANDED
}

/// Decodes one sample: at most one row more.
#[inline]
pub(super) fn decode(
    format: u32,
    body: &[u8],
    common: &Common,
    tally: &mut Tally,
    rows: &mut Rows,
) {
    match format {
        FLOW | FLOW_EXPANDED => {
            tally.samples += 1;
            tally.format = format;
            let before = rows.len();
            if decode_flow(format, body, common, tally, rows).is_none() {
                rows.truncate(before);
                tally.malformed += 1;
            }
        }
        COUNTERS | COUNTERS_EXPANDED => tally.counter_samples += 1,
        DISCARD => tally.discard_samples += 1,
        _ => tally.unknown_samples += 1,
    }
}

/// What a flow sample says in front of its records.
struct Head {
    rate: u32,
    input: Interface,
    output: Interface,
    records: u32,
}

#[derive(Clone, Copy)]
struct Interface {
    format: u32,
    value: u32,
}

impl Interface {
    /// The compact form has the format in the two upper bits.
    const fn compact(bits: u32) -> Self {
        Self { format: bits >> 30, value: bits & 0x3fff_ffff }
    }

    fn index(self) -> Option<u64> {
        let is_index = self.format == INTERFACE_SINGLE && self.value != INTERFACE_LOCAL;
        is_index.then_some(u64::from(self.value))
    }
}

impl Head {
    #[inline(always)]
    fn read(format: u32, reader: &mut Reader<'_>) -> Option<Self> {
        if format == FLOW {
            let [_, _, rate, _, _, input, output, records] = reader.words()?;
            let (input, output) = (Interface::compact(input), Interface::compact(output));
            return Some(Self { rate, input, output, records });
        }
        let [_, _, _, rate, _, _, in_format, input, out_format, output, records] =
            reader.words()?;
        let input = Interface { format: in_format, value: input };
        let output = Interface { format: out_format, value: output };
        Some(Self { rate, input, output, records })
    }

    #[inline(always)]
    fn store(&self, common: &Common, row: &mut Row<'_>) {
        if let Some(index) = self.input.index() {
            row.set(Field::InIf, index);
        }
        if let Some(index) = self.output.index() {
            row.set(Field::OutIf, index);
        }
        if self.output.format == INTERFACE_DISCARD {
            row.set(Field::ForwardingStatus, STATUS_DROPPED);
        }
        match common.rate(self.rate) {
            0 => {}
            rate => row.set(Field::SamplingRate, rate),
        }
    }
}

/// `None` if it does not parse; what it has left in `rows` is then for the caller to take away.
#[inline(always)]
fn decode_flow(
    format: u32,
    body: &[u8],
    common: &Common,
    tally: &mut Tally,
    rows: &mut Rows,
) -> Option<()> {
    let mut reader = Reader(body);
    let head = Head::read(format, &mut reader)?;
    let index = rows.len();
    let [row] = rows.extend(1, Presence::default()) else { return None };
    common.store(row);
    let mut said = COMMON;
    head.store(common, &mut Row { flow: row, said: &mut said });
    let mut sampled = Sampled::default();
    // Two counts in one register: whole records above, those shorter than their format below. A
    // datagram has room for 8192.
    let mut seen = 0;
    for _ in 0..head.records {
        // A count too high is no harm while the records that are there are whole.
        if reader.0.is_empty() {
            break;
        }
        let (kind, body) = reader.opaque()?;
        let place = (&mut *rows, index);
        let read = record::decode(kind, body, common.decapsulate, &mut sampled, place, &mut said);
        seen += RECORD_SEEN + u64::from(read.is_none());
    }
    let row = &mut rows.as_mut_slice()[index];
    row.restart(said);
    sampled.fill(row);
    tally.rate_unknown += u64::from(!said.contains(Field::SamplingRate));
    tally.parts_malformed += seen % RECORD_SEEN;
    tally.records += seen / RECORD_SEEN;
    Some(())
}
