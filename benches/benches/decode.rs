//! Datagrams to rows: ours beside `netflow_parser`, warm templates, one core.
//!
//! The v9 datagram has the layout that Cisco's IOS XR sends (23 fields, 21 records); the values are
//! ours.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_proto::{Field, Rows};
use netflow_parser::NetflowParser;

/// Element and length of each field.
const XR: [(u16, u16); 23] = [
    (2, 4),
    (1, 4),
    (8, 4),
    (12, 4),
    (10, 4),
    (14, 4),
    (21, 4),
    (22, 4),
    (7, 2),
    (11, 2),
    (16, 4),
    (17, 4),
    (18, 4),
    (9, 1),
    (13, 1),
    (4, 1),
    (6, 1),
    (5, 1),
    (61, 1),
    (89, 1),
    (48, 2),
    (234, 4),
    (235, 4),
];
const XR_RECORDS: usize = 21;
const TEMPLATE: u16 = 260;

/// The value of a field in a record: as wide and as varied as in life.
fn value(element: u16, record: u32) -> u64 {
    let mix = record.wrapping_mul(0x9e37_79b9).rotate_left(7);
    u64::from(match element {
        1 => 40 + mix % 1_000_000,
        2 => 1 + mix % 1000,
        4 => {
            if record.is_multiple_of(3) {
                17
            } else {
                6
            }
        }
        5 | 61 => 0,
        6 => 0x1b,
        7 => mix & 0xffff,
        8 => 0x0a00_0000 | mix >> 8,
        9 => 24,
        10 => 100 + record % 40,
        11 => 443,
        12 => 0xc000_0200 | mix & 0xff,
        13 => 16,
        14 => 7,
        15 | 18 => 0x0a00_0001,
        16 => 64_500 + record % 30,
        17 => 3320,
        21 => 3_599_000 + record,
        22 => 3_590_000 + record,
        48 => 1,
        89 => 64,
        234 | 235 => 0x6000_0000,
        _ => 0,
    })
}

fn record(fields: &[(u16, u16)], record: u32, out: &mut Vec<u8>) {
    for (element, length) in fields {
        let bytes = value(*element, record).to_be_bytes();
        if *length == VARIABLE {
            let name = &b"somebody@customer.example"[..10 + record as usize % 16];
            out.push(name.len() as u8);
            out.extend(name);
        } else if *length > 8 {
            // An address of the other family, all zero.
            out.resize(out.len() + usize::from(*length), 0);
        } else {
            out.extend(&bytes[8 - usize::from(*length)..]);
        }
    }
}

fn set(id: u16, body: &[u8], out: &mut Vec<u8>) {
    let padding = (4 - body.len() % 4) % 4;
    out.extend(id.to_be_bytes());
    out.extend(((4 + body.len() + padding) as u16).to_be_bytes());
    out.extend(body);
    out.resize(out.len() + padding, 0);
}

fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend((fields.len() as u16).to_be_bytes());
    for (element, length) in fields {
        body.extend(element.to_be_bytes());
        body.extend(length.to_be_bytes());
    }
    body
}

#[derive(Clone, Copy)]
enum Wire {
    V9,
    Ipfix,
}

fn message(wire: Wire, sets: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match wire {
        Wire::V9 => {
            out.extend([0, 9, 0, 21]);
            out.extend(3_600_000_u32.to_be_bytes());
            out.extend(1_700_000_000_u32.to_be_bytes());
            out.extend([0, 0, 0, 1, 0, 0, 8, 0x81]);
        }
        Wire::Ipfix => {
            out.extend([0, 10]);
            out.extend((16 + sets.len() as u16).to_be_bytes());
            out.extend(1_700_000_000_u32.to_be_bytes());
            out.extend([0, 0, 0, 1, 0, 0, 8, 0x81]);
        }
    }
    out.extend(sets);
    out
}

fn templates(wire: Wire, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut sets = Vec::new();
    set(if matches!(wire, Wire::V9) { 0 } else { 2 }, &template(TEMPLATE, fields), &mut sets);
    message(wire, &sets)
}

fn data(wire: Wire, fields: &[(u16, u16)], records: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for index in 0..records {
        record(fields, index as u32, &mut body);
    }
    let mut sets = Vec::new();
    set(TEMPLATE, &body, &mut sets);
    message(wire, &sets)
}

fn v5() -> Vec<u8> {
    let mut out = vec![0, 5, 0, 30];
    out.extend(3_600_000_u32.to_be_bytes());
    out.extend(1_700_000_000_u32.to_be_bytes());
    out.extend([0; 4]);
    out.extend([0, 0, 0, 1, 0, 0, 0x40, 100]);
    for index in 0..30 {
        for (element, length) in [
            (8, 4),
            (12, 4),
            (15, 4),
            (10, 2),
            (14, 2),
            (2, 4),
            (1, 4),
            (22, 4),
            (21, 4),
            (7, 2),
            (11, 2),
            (0, 1),
            (6, 1),
            (4, 1),
            (5, 1),
            (16, 2),
            (17, 2),
            (9, 1),
            (13, 1),
            (0, 2),
        ] {
            record(&[(element, length)], index, &mut out);
        }
    }
    out
}

fn decoder() -> Decoder {
    let config = Config::default();
    Decoder::new(config.clone(), Arc::new(Shared::new(config)))
}

fn datagram(bytes: &[u8]) -> Datagram<'_> {
    let exporter = IpAddr::from([192, 0, 2, 1]);
    Datagram { exporter, port: 2055, received_ns: 1_700_000_001_000_000_000, bytes }
}

fn ours(c: &mut Criterion) {
    let mut sum = 0_u64;
    let mut sink = |rows: &mut Rows| sum += rows.as_slice()[0].word_or_zero(Field::Bytes);
    let cases: [(&str, Option<Vec<u8>>, Vec<u8>, usize); 3] = [
        ("v9 23 fields", Some(templates(Wire::V9, &XR)), data(Wire::V9, &XR, XR_RECORDS), 21),
        ("ipfix 23 fields", Some(templates(Wire::Ipfix, &XR)), data(Wire::Ipfix, &XR, 21), 21),
        ("v5", None, v5(), 30),
    ];
    let mut group = c.benchmark_group("neckar");
    for (name, template, data, records) in &cases {
        let mut decoder = decoder();
        if let Some(bytes) = template {
            decoder.decode(datagram(bytes), &mut sink);
        }
        decoder.decode(datagram(data), &mut sink);
        assert_eq!(decoder.counters().flows, *records as u64);
        group.throughput(Throughput::Elements(*records as u64));
        group.bench_function(*name, |b| {
            b.iter(|| decoder.decode(black_box(datagram(data)), &mut sink));
        });
    }
    group.finish();
    black_box(sum);
}

/// The crate that everybody finds, on the same datagrams.
fn netflow_parser(c: &mut Criterion) {
    let mut group = c.benchmark_group("netflow_parser");
    for (name, wire) in [("v9 23 fields", Wire::V9), ("ipfix 23 fields", Wire::Ipfix)] {
        let (template, data) = (templates(wire, &XR), data(wire, &XR, XR_RECORDS));
        let mut parser = NetflowParser::default();
        assert!(parser.parse_bytes(&template).error.is_none());
        let parsed = parser.parse_bytes(&data);
        assert!(parsed.error.is_none() && parsed.packets.len() == 1, "it reads {name}");
        group.throughput(Throughput::Elements(XR_RECORDS as u64));
        group.bench_function(name, |b| b.iter(|| parser.parse_bytes(black_box(&data))));
    }
    let v5 = v5();
    group.throughput(Throughput::Elements(30));
    let mut parser = NetflowParser::default();
    group.bench_function("v5", |b| b.iter(|| parser.parse_bytes(black_box(&v5))));
    group.finish();
}

/// The most faithful other decoder, on the same datagrams. Only on request (`--features netgauze`): it
/// brings along an HTTP client and AWS's C cryptography, which would be built for every test.
#[cfg(feature = "netgauze")]
fn netgauze(c: &mut Criterion) {
    use std::collections::HashMap;

    use netgauze_flow_pkt::ipfix::IpfixPacket;
    use netgauze_flow_pkt::netflow::NetFlowV9Packet;
    use netgauze_parse_utils::reader::SliceReader;
    use netgauze_parse_utils::traits::ParseFromWithOneInput;

    let mut group = c.benchmark_group("netgauze-flow-pkt");
    group.throughput(Throughput::Elements(XR_RECORDS as u64));
    let (template, bytes) = (templates(Wire::V9, &XR), data(Wire::V9, &XR, XR_RECORDS));
    let mut known = HashMap::new();
    let mut parse = |bytes: &[u8]| NetFlowV9Packet::parse(&mut SliceReader::new(bytes), &mut known);
    parse(&template).expect("a template");
    parse(&bytes).expect("it reads the records");
    group.bench_function("v9 23 fields", |b| b.iter(|| parse(black_box(&bytes))));

    let (template, bytes) = (templates(Wire::Ipfix, &XR), data(Wire::Ipfix, &XR, XR_RECORDS));
    let mut known = HashMap::new();
    let mut parse = |bytes: &[u8]| IpfixPacket::parse(&mut SliceReader::new(bytes), &mut known);
    parse(&template).expect("a template");
    parse(&bytes).expect("it reads the records");
    group.bench_function("ipfix 23 fields", |b| b.iter(|| parse(black_box(&bytes))));
    group.finish();
}

#[cfg(not(feature = "netgauze"))]
fn netgauze(_: &mut Criterion) {}

/// A length that each record tells.
const VARIABLE: u16 = u16::MAX;

/// Templates that cannot run straight through: names of variable length, both families, sixty fields.
fn shapes(c: &mut Criterion) {
    let variable = vec![(8, 4), (12, 4), (7, 2), (11, 2), (371, VARIABLE), (1, 8), (2, 8)];
    let families = [(8, 4), (12, 4), (27, 16), (28, 16), (9, 1), (29, 1)];
    let both = families.into_iter().chain([(7, 2), (11, 2), (4, 1), (1, 8), (2, 8)]).collect();
    // Every field of the router's layout, and as many that nobody maps.
    let unmapped = (20_000..20_037).map(|element| (element, 4));
    let sixty: Vec<(u16, u16)> = XR.into_iter().chain(unmapped).collect();
    let mut group = c.benchmark_group("shapes");
    for (name, fields, records) in
        [("variable length", variable, 30), ("both families", both, 20), ("60 fields", sixty, 6)]
    {
        let mut decoder = decoder();
        let mut flows = 0;
        let mut sink = |rows: &mut Rows| flows += rows.len();
        decoder.decode(datagram(&templates(Wire::Ipfix, &fields)), &mut sink);
        let data = data(Wire::Ipfix, &fields, records);
        decoder.decode(datagram(&data), &mut sink);
        assert_eq!(decoder.counters().flows, records as u64, "{name}");
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(name, |b| {
            b.iter(|| decoder.decode(black_box(datagram(&data)), &mut sink));
        });
        black_box(flows);
    }
    group.finish();
}

/// "Cost flat from 1 to 10,000 exporters and 50,000 templates": exporters take turns at random, each with five templates
/// and a datagram of one of them.
fn exporters(c: &mut Criterion) {
    let mut group = c.benchmark_group("exporters");
    group.throughput(Throughput::Elements(XR_RECORDS as u64));
    let mut body = Vec::new();
    for id in TEMPLATE..TEMPLATE + 5 {
        set(0, &template(id, &XR), &mut body);
    }
    let templates = message(Wire::V9, &body);
    let data = data(Wire::V9, &XR, XR_RECORDS);
    for exporters in [1_u32, 10, 100, 1000, 10_000] {
        let mut decoder = decoder();
        let mut flows = 0;
        let mut sink = |rows: &mut Rows| flows += rows.len();
        let from = |bytes, index: u32| Datagram {
            exporter: Ipv4Addr::from_bits(0x0a00_0000 + index).into(),
            ..datagram(bytes)
        };
        for index in 0..exporters {
            decoder.decode(from(&templates, index), &mut sink);
        }
        let mut turn = 0_u32;
        group.bench_function(BenchmarkId::from_parameter(exporters), |b| {
            b.iter(|| {
                turn = turn.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let index = ((u64::from(turn) * u64::from(exporters)) >> 32) as u32;
                decoder.decode(black_box(from(&data, index)), &mut sink);
            });
        });
        black_box(flows);
    }
    group.finish();
}

criterion_group!(benches, ours, netflow_parser, netgauze, shapes, exporters);
criterion_main!(benches);
