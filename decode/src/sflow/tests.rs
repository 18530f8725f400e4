//! Golden datagrams, value by value.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::net::IpAddr;
use std::sync::Arc;

use neckar_proto::{Field, Flow, Kind, Rows};

use super::wire::*;
use crate::packet::layers::{IPV4, ethernet, ipv4, stack, tcp, udp};
use crate::{Cause, Config, Counters, Datagram, Decoder, Shared};

mod accounts;
mod records;

const RECEIVED_NS: u64 = 1_700_000_000_000_000_005;

fn decoder(config: &Config) -> Decoder {
    Decoder::new(config.clone(), Arc::new(Shared::new(config.clone())))
}

/// Feeds one datagram; what its rows say, and the counters.
fn decode(bytes: &[u8]) -> (Vec<String>, Counters) {
    decode_with(&Config::default(), bytes)
}

fn decode_with(config: &Config, bytes: &[u8]) -> (Vec<String>, Counters) {
    let mut decoder = decoder(config);
    let texts = feed(&mut decoder, bytes);
    (texts, decoder.counters().clone())
}

fn feed(decoder: &mut Decoder, bytes: &[u8]) -> Vec<String> {
    feed_at(decoder, RECEIVED_NS, bytes)
}

fn feed_at(decoder: &mut Decoder, received_ns: u64, bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    let exporter = IpAddr::from([192, 0, 2, 1]);
    let datagram = Datagram { exporter, port: 6343, received_ns, bytes };
    decoder.decode(datagram, &mut |rows: &mut Rows| {
        texts.extend(rows.as_slice().iter().map(|row| text(rows, row)));
    });
    texts
}

/// Present fields in the order of `flow.proto`, without those that every row of sFlow has.
pub(super) fn text(rows: &Rows, row: &Flow) -> String {
    const OF_EVERY_ROW: [Field; 5] = [
        Field::Type,
        Field::SequenceNum,
        Field::TimeReceivedNs,
        Field::TimeFlowStartNs,
        Field::TimeFlowEndNs,
    ];
    let value = |field: Field| match field.info().kind {
        Kind::Address => Some(row.ip(field)?.to_string()),
        Kind::Mac => Some(format!("{:012x}", row.word(field)?)),
        Kind::U32List => {
            let (numbers, _) = rows.text(row, field)?.as_chunks::<4>();
            Some(format!(
                "{:?}",
                numbers.iter().map(|n| u32::from_le_bytes(*n)).collect::<Vec<_>>()
            ))
        }
        Kind::Text | Kind::Bytes => None,
        _ if field == Field::Etype => Some(format!("{:04x}", row.word(field)?)),
        _ => Some(row.word(field)?.to_string()),
    };
    let fields = Field::in_file_order().iter().filter(|field| !OF_EVERY_ROW.contains(field));
    let texts = fields.filter_map(|field| Some(format!("{}={}", field.name(), value(*field)?)));
    texts.collect::<Vec<_>>().join(" ")
}

const AGENT: &str = "SamplerAddress=192.0.2.99";

fn frame() -> Vec<u8> {
    stack([ethernet(IPV4), ipv4(6), tcp()])
}

/// What [`frame`] says, in a sample of rate 512 from interface 3 to 4 and a frame of 1000 bytes.
fn framed(more: &str) -> String {
    let all = format!(
        "SamplingRate=512 SrcAddr=192.0.2.1 DstAddr=198.51.100.2 Bytes=1000 Packets=1 {AGENT} \
         InIf=3 OutIf=4 Proto=6 SrcPort=1234 DstPort=443 IPTos=46 IPTTL=63 TCPFlags=18 \
         SrcMac=02005e00000a DstMac=02005e00000b Etype=0800 FragmentId=43981 FragmentOffset=0"
    );
    // Fields given are put where they belong.
    let mut fields: Vec<&str> = all.split(' ').chain(more.split_whitespace()).collect();
    let place = |field: &&str| {
        let name = field.split('=').next().unwrap();
        Field::in_file_order().iter().position(|field| field.name() == name).unwrap()
    };
    fields.sort_by_key(place);
    fields.join(" ")
}

#[test]
fn a_compact_flow_sample() {
    let bytes = datagram(&[flow(3, 4, &[raw(1, 1000, &frame())])]);
    let (texts, counters) = decode(&bytes);
    assert_eq!(texts, [framed("")]);
    let expected = Counters {
        protocols: [0, 0, 0, 1],
        datagrams: 1,
        bytes: bytes.len() as u64,
        records: 1,
        flows: 1,
        ..Counters::default()
    };
    assert_eq!(counters, expected);
}

#[test]
fn fields_that_every_row_has() {
    let mut decoder = decoder(&Config::default());
    let exporter = IpAddr::from([192, 0, 2, 1]);
    let bytes = datagram(&[flow(3, 4, &[])]);
    let datagram = Datagram { exporter, port: 6343, received_ns: RECEIVED_NS, bytes: &bytes };
    let mut rows_seen = 0;
    decoder.decode(datagram, &mut |rows: &mut Rows| {
        let row = &rows.as_slice()[0];
        assert_eq!(row.word(Field::Type), Some(1));
        assert_eq!(row.word(Field::SequenceNum), Some(77));
        // "sFlow: receive time."
        for time in [Field::TimeReceivedNs, Field::TimeFlowStartNs, Field::TimeFlowEndNs] {
            assert_eq!(row.word(time), Some(RECEIVED_NS));
        }
        assert!(!row.has(Field::ObservationDomainID));
        rows_seen += rows.len();
    });
    assert_eq!(rows_seen, 1);
}

/// A flow sample is a flow, whatever its records are worth.
#[test]
fn a_sample_without_records() {
    let bare = format!("SamplingRate=512 Packets=1 {AGENT} InIf=3 OutIf=4");
    assert_eq!(decode(&datagram(&[flow(3, 4, &[])])).0, [bare]);
    // Protocol 7 is PPP.
    let other = format!("SamplingRate=512 Bytes=1000 Packets=1 {AGENT} InIf=3 OutIf=4");
    assert_eq!(decode(&datagram(&[flow(3, 4, &[raw(7, 1000, &frame())])])).0, [other]);
}

#[test]
fn an_expanded_flow_sample() {
    let records = [raw(1, 1000, &frame())];
    let bytes = datagram(&[expanded([0, 3], [0, 4], &records)]);
    assert_eq!(decode(&bytes).0, [framed("")]);
    let large = expanded([0, 0x4000_0003], [0, 0xffff_0004], &records);
    let expected = framed("").replace("InIf=3 OutIf=4", "InIf=1073741827 OutIf=4294901764");
    assert_eq!(decode(&datagram(&[large])).0, [expected]);
}

/// An interface is written only where the wire says one index.
#[test]
fn interfaces_that_are_none() {
    let ends = |sample| {
        let (texts, _) = decode(&datagram(&[sample]));
        texts[0].split(&format!("{AGENT} ")).nth(1).unwrap_or_default().to_string()
    };
    assert_eq!(ends(flow(0, 4, &[])), "InIf=0 OutIf=4");
    assert_eq!(ends(flow(0x3fff_ffff, 4, &[])), "OutIf=4");
    assert_eq!(ends(flow(3, 0x3fff_ffff, &[])), "InIf=3");
    // Two interfaces, and an unknown number of them.
    assert_eq!(ends(flow(3, 0x8000_0002, &[])), "InIf=3");
    assert_eq!(ends(flow(3, 0x8000_0000, &[])), "InIf=3");
    // Discarded: by an access list (258), without a reason.
    assert_eq!(ends(flow(3, 0x4000_0102, &[])), "InIf=3 ForwardingStatus=128");
    assert_eq!(ends(expanded([0, 3], [1, 0], &[])), "InIf=3 ForwardingStatus=128");
    assert_eq!(ends(expanded([0, 3], [2, 2], &[])), "InIf=3");
    assert_eq!(ends(expanded([0, 0x3fff_ffff], [0, 0x3fff_ffff], &[])), "");
}

#[test]
fn other_samples_are_counted_and_skipped() {
    let flow = flow(3, 4, &[raw(1, 1000, &frame())]);
    let discarded = opaque(5, &words(&[2, 0, 1, 1, 0, 1, 2, 1, 0]));
    let samples = [
        counters(2),
        flow.clone(),
        counters(4),
        opaque(99, &[0; 24]),
        discarded,
        // Format 1 of another enterprise.
        opaque(8800 << 12 | 1, &[0; 8]),
        flow,
    ];
    let (texts, counters) = decode(&datagram(&samples));
    assert_eq!(texts, [framed(""), framed("")]);
    assert_eq!((counters.records, counters.flows), (2, 2));
    assert_eq!((counters.counter_samples, counters.discard_samples), (2, 1));
    assert_eq!(counters.unknown_samples, 2);
    assert_eq!(counters.dropped, Counters::default().dropped);
}

#[test]
fn unknown_records_are_skipped_by_length() {
    let records = [
        opaque(4000, &[1, 2, 3, 4, 5, 6, 7, 8]),
        opaque(8800 << 12 | 1, &[0; 100]),
        // A length that is no multiple of four is padded to one.
        opaque(1063, &[7; 5]),
        raw(1, 1000, &frame()),
    ];
    let (texts, counters) = decode(&datagram(&[flow(3, 4, &records)]));
    assert_eq!((texts, counters.parts_malformed), (vec![framed("")], 0));
}

/// One broken sample costs that sample.
#[test]
fn samples_that_do_not_parse() {
    let good = flow(3, 4, &[raw(1, 1000, &frame())]);
    let mut overrun = flow(3, 4, &[raw(1, 1000, &frame())]);
    // The record says that it is four bytes longer than the sample.
    overrun[44..48].copy_from_slice(&(16 + 56 + 4_u32).to_be_bytes());
    for broken in [overrun, opaque(1, &words(&[0; 7])), opaque(3, &words(&[0; 10])), opaque(1, &[])]
    {
        let (texts, counters) = decode(&datagram(&[good.clone(), broken, good.clone()]));
        assert_eq!(texts, [framed(""), framed("")]);
        assert_eq!((counters.records, counters.flows), (3, 2));
        assert_eq!(counters.dropped(Cause::RecordSampleMalformed), 1);
    }
    // More records are announced than there are; those that are there are whole.
    let mut few = good.clone();
    few[36..40].copy_from_slice(&9_u32.to_be_bytes());
    assert_eq!(decode(&datagram(&[few])).0, [framed("")]);
}

#[test]
fn a_datagram_that_ends_early() {
    let good = flow(3, 4, &[raw(1, 1000, &frame())]);
    let bytes = datagram(&[good.clone(), good.clone(), counters(2)]);
    let second = 28 + good.len();
    for len in 0..bytes.len() {
        let (texts, counters) = decode(&bytes[..len]);
        let at = |cause| counters.dropped(cause);
        let expected = match len {
            0..28 => (0, 1, 0, 0),
            _ if len < 28 + 4 => (0, 0, 0, 1),
            _ if len < second => (0, 0, 1, 0),
            _ if len < second + 4 => (1, 0, 0, 1),
            _ if len < second + good.len() => (1, 0, 1, 0),
            _ => (2, 0, 0, 1),
        };
        let causes =
            (Cause::DatagramTruncated, Cause::RecordSampleMalformed, Cause::SetLengthInvalid);
        assert_eq!(
            (texts.len(), at(causes.0), at(causes.1), at(causes.2)),
            expected,
            "{len} bytes"
        );
        assert_eq!(counters.records, counters.flows + at(causes.1));
    }
}

#[test]
fn counts_in_the_bytes_are_not_believed() {
    let mut bytes = datagram(&[]);
    bytes[24..28].copy_from_slice(&u32::MAX.to_be_bytes());
    let (texts, counters) = decode(&bytes);
    assert_eq!((texts.len(), counters.records), (0, 0));
    assert_eq!(counters.dropped(Cause::SetLengthInvalid), 1);
    // No samples are announced and some are there: nobody said what they are.
    let mut bytes = datagram(&[flow(3, 4, &[])]);
    bytes[24..28].fill(0);
    let (texts, counters) = decode(&bytes);
    assert_eq!((texts.len(), counters.dropped), (0, Counters::default().dropped));
}

#[test]
fn more_rows_than_the_sink_takes_at_once() {
    let samples = vec![flow(3, 4, &[]); 150];
    let mut decoder = decoder(&Config::default());
    let bytes = datagram(&samples);
    let exporter = IpAddr::from([192, 0, 2, 1]);
    let datagram = Datagram { exporter, port: 6343, received_ns: RECEIVED_NS, bytes: &bytes };
    let mut lent = Vec::new();
    decoder.decode(datagram, &mut |rows: &mut Rows| lent.push(rows.len()));
    assert_eq!(lent, [64, 64, 22]);
    assert_eq!((decoder.counters().records, decoder.counters().flows), (150, 150));
}

/// "Sampling rate, first that applies": configured, in the record, default, unknown.
#[test]
fn sampling_rates() {
    let configured =
        Config { rates: vec![("192.0.2.99/32".parse().unwrap(), 7)], ..Config::default() };
    let default = Config { default_rate: 9, ..Config::default() };
    for (config, said, expected, unknown) in [
        (&Config::default(), 512, "SamplingRate=512 Packets=1", 0),
        (&Config::default(), 0, "Packets=1", 1),
        (&default, 0, "SamplingRate=9 Packets=1", 0),
        (&default, 512, "SamplingRate=512 Packets=1", 0),
        (&configured, 512, "SamplingRate=7 Packets=1", 0),
        (&configured, 0, "SamplingRate=7 Packets=1", 0),
    ] {
        let (texts, counters) = decode_with(config, &datagram(&[flow_with(said, 3, 4, &[])]));
        assert!(texts[0].starts_with(expected), "{texts:?}");
        assert_eq!(counters.rate_unknown, unknown);
    }
}

#[test]
fn tunnels_are_opened_on_request() {
    let packet = stack([ipv4(4), ipv4(17), udp(7, 8)]);
    let bytes = datagram(&[flow(3, 4, &[raw(11, 1000, &packet)])]);
    assert!(decode(&bytes).0[0].contains("Proto=4 "));
    let config = Config { decapsulate: true, ..Config::default() };
    let (texts, _) = decode_with(&config, &bytes);
    // Bytes stay those of the frame on the wire.
    assert!(texts[0].contains("Proto=17 SrcPort=7 DstPort=8") && texts[0].contains("Bytes=1000"));
}
