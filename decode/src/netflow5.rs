//! NetFlow v5: a fixed header and fixed records.

use neckar_proto::{Field, Flow, Presence, flow_type};

use crate::counters::Cause;
use crate::decoder::Decoder;
use crate::plan::icmp_from_port;
use crate::template::Protocol;
use crate::{Datagram, ROWS_MAX, RowSink, message, time};

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 48;
/// Records that a datagram may hold by Cisco's definition. Exporters over jumbo frames exceed it.
const RECORDS_MAX: usize = 30;

/// The header.
#[derive(Clone, Copy)]
struct Header {
    count: usize,
    uptime_ms: u32,
    export_ns: u64,
    sequence: u32,
    /// Type and slot of the engine: flows of each have a sequence of their own.
    engine: u16,
    sampling: u16,
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES]) -> Self {
        let (seconds, nanoseconds) = (u64::from(be32(bytes, 8)), u64::from(be32(bytes, 12)));
        Self {
            count: usize::from(be16(bytes, 2)),
            uptime_ms: be32(bytes, 4),
            export_ns: seconds * 1_000_000_000 + nanoseconds,
            sequence: be32(bytes, 16),
            engine: be16(bytes, 20),
            sampling: be16(bytes, 22),
        }
    }
}

/// Every field of a v5 row but the rate.
const PRESENT: Presence = {
    let mut present = Presence { words: 0, addresses: 0, texts: 0 };
    let fields = [
        Field::Type,
        Field::TimeReceivedNs,
        Field::TimeFlowStartNs,
        Field::TimeFlowEndNs,
        Field::SequenceNum,
        Field::SamplerAddress,
        Field::SrcAddr,
        Field::DstAddr,
        Field::NextHop,
        Field::InIf,
        Field::OutIf,
        Field::Packets,
        Field::Bytes,
        Field::SrcPort,
        Field::DstPort,
        Field::TCPFlags,
        Field::Proto,
        Field::IPTos,
        Field::SrcAS,
        Field::DstAS,
        Field::SrcNet,
        Field::DstNet,
        Field::Etype,
    ];
    let mut at = 0;
    while at < fields.len() {
        present.insert(fields[at]);
        at += 1;
    }
    present
};

/// Bytes of a datagram with `count` records.
pub(crate) fn message_length(count: usize) -> usize {
    HEADER_BYTES + count * RECORD_BYTES
}

/// Decodes a datagram that starts like NetFlow v5.
pub(crate) fn decode(decoder: &mut Decoder, datagram: &Datagram<'_>, sink: &mut dyn RowSink) {
    let Some((header, body)) = datagram.bytes.split_first_chunk::<HEADER_BYTES>() else {
        return decoder.counters.drop(Cause::DatagramTruncated, 1);
    };
    let header = Header::read(header);
    let (records, _) = body.as_chunks::<RECORD_BYTES>();
    // A count beyond both what v5 allows and what is there is no count: the header is not one.
    if header.count > RECORDS_MAX && header.count > records.len() {
        return decoder.counters.drop(Cause::DatagramCountInvalid, 1);
    }
    let domain = match decoder.local.enter(datagram, Protocol::NetflowV5, u32::from(header.engine))
    {
        Ok(domain) => domain,
        Err(cause) => return decoder.counters.drop(cause, 1),
    };
    let there = header.count.min(records.len());
    let entry = decoder.local.domain(domain);
    let rate = entry.rates.rate_v5(header.sampling);
    entry.totals.records += header.count as u64;
    let looks_at_age = entry.totals.looks_at_age();
    decoder.counters.records += header.count as u64;
    if there < header.count {
        let missing = (header.count - there) as u64;
        decoder.local.drop(domain, Cause::RecordTruncated, missing, &mut decoder.counters);
    }
    let units = Some(header.count as u32);
    let clock = header.export_ns;
    decoder.local.observe(domain, header.sequence, units, clock, &mut decoder.counters);
    let mut present = PRESENT;
    if rate == 0 {
        decoder.counters.rate_unknown += there as u64;
    } else {
        present.insert(Field::SamplingRate);
    }
    let (local, mut out) = decoder.parts(sink);
    for chunk in records[..there].chunks(ROWS_MAX) {
        let rows = out.rows.extend(chunk.len(), present);
        fill(rows, chunk, &header, datagram, rate);
        if looks_at_age {
            local.domain(domain).totals.ages.note(rows, datagram.received_ns);
        }
        out.flush();
    }
}

/// Fills one row per record.
fn fill(
    rows: &mut [Flow],
    records: &[[u8; RECORD_BYTES]],
    header: &Header,
    datagram: &Datagram<'_>,
    rate: u64,
) {
    let (exporter, exporter_len) = message::address(datagram.exporter);
    for (row, record) in rows.iter_mut().zip(records) {
        let word16 = |at| u64::from(be16(record, at));
        let word32 = |at| u64::from(be32(record, at));
        let v4 = |at: usize| [record[at], record[at + 1], record[at + 2], record[at + 3]];
        row.store_word(Field::Type, flow_type::NETFLOW_V5);
        row.store_word(Field::TimeReceivedNs, datagram.received_ns);
        row.store_word(Field::SequenceNum, u64::from(header.sequence));
        row.store_word(Field::SamplingRate, rate);
        row.store_word(Field::Etype, 0x0800);
        row.store_address(Field::SamplerAddress, exporter, exporter_len);
        row.store_v4(Field::SrcAddr, v4(0));
        row.store_v4(Field::DstAddr, v4(4));
        row.store_v4(Field::NextHop, v4(8));
        row.store_word(Field::InIf, word16(12));
        row.store_word(Field::OutIf, word16(14));
        row.store_word(Field::Packets, word32(16));
        row.store_word(Field::Bytes, word32(20));
        let instant = |at| time::uptime(header.export_ns, header.uptime_ms, be32(record, at));
        row.store_word(Field::TimeFlowStartNs, instant(24));
        row.store_word(Field::TimeFlowEndNs, instant(28));
        row.store_word(Field::SrcPort, word16(32));
        row.store_word(Field::DstPort, word16(34));
        row.store_word(Field::TCPFlags, u64::from(record[37]));
        row.store_word(Field::Proto, u64::from(record[38]));
        row.store_word(Field::IPTos, u64::from(record[39]));
        row.store_word(Field::SrcAS, word16(40));
        row.store_word(Field::DstAS, word16(42));
        row.store_word(Field::SrcNet, u64::from(record[44]));
        row.store_word(Field::DstNet, u64::from(record[45]));
        if matches!(record[38], 1 | 58) {
            icmp_from_port(row);
        }
    }
}
