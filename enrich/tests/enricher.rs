//! The old enricher's fields on a corpus of flows, value by value, and its defects (bwnetflow.md,
//! 1.1) turned right.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use std::path::Path;
use std::sync::Arc;

use neckar_enrich::sources::{customers, interfaces, networks};
use neckar_enrich::{ExporterRule, Labels, Settings, Sources, Tables};
use neckar_proto::{Field, Rows};

const CUSTOMERS: &str = "192.0.2.0/24,100\n2001:db8::/32,100\n198.51.100.0/24,200\n";
const COUNTRIES: &str = "prefix,country\n8.8.8.0/24,US\n2a00::/16,FR\n192.0.2.0/24,DE\n";
const INTERFACES: &str = "203.0.113.1,7,xe-0/0/7,Transit,100000\n203.0.113.1,8,lo0,,\n";

fn tables() -> Tables {
    let mut exporter = ExporterRule::new("203.0.113.2/32".parse().unwrap());
    exporter.sampling_rate = Some(32);
    let sources = Sources {
        prefixes: vec![
            Arc::new(customers::parse(Path::new("cid.csv"), CUSTOMERS.as_bytes()).unwrap()),
            Arc::new(networks::parse(Path::new("geo.csv"), COUNTRIES.as_bytes()).unwrap()),
        ],
        exporters: vec![exporter],
        interfaces: interfaces::parse(Path::new("if.csv"), INTERFACES.as_bytes()).unwrap(),
        settings: Settings { normalize: true, ..Settings::default() },
        ..Sources::default()
    };
    Tables::build(&sources).unwrap()
}

/// A flow of exporter 203.0.113.1 with these words, labelled `times` times.
fn labelled(src: &str, dst: &str, words: &[(Field, u64)], times: usize) -> Rows {
    let mut rows = Rows::default();
    let flow = rows.push();
    flow.set_ip(Field::SrcAddr, src.parse().unwrap());
    flow.set_ip(Field::DstAddr, dst.parse().unwrap());
    flow.set_v4(Field::SamplerAddress, [203, 0, 113, 1]);
    words.iter().for_each(|(field, value)| flow.set(*field, *value));
    let (tables, mut labels) = (tables(), Labels::default());
    for _ in 0..times {
        tables.label(&mut rows, &mut labels);
        labels.write_to(&mut rows);
    }
    rows
}

fn word(rows: &Rows, field: Field) -> Option<u64> {
    rows.as_slice()[0].word(field)
}

fn text(rows: &Rows, field: Field) -> String {
    let text = rows.text(&rows.as_slice()[0], field).unwrap_or_default();
    String::from_utf8(text.to_vec()).unwrap()
}

const INGRESS: (Field, u64) = (Field::FlowDirection, 0);
const EGRESS: (Field, u64) = (Field::FlowDirection, 1);

#[test]
fn an_ingress_flow_gets_every_label() {
    let words = [
        INGRESS,
        (Field::Proto, 6),
        (Field::Bytes, 1500),
        (Field::Packets, 1),
        (Field::SamplingRate, 1000),
        (Field::InIf, 7),
        (Field::OutIf, 8),
    ];
    let rows = labelled("8.8.8.8", "192.0.2.9", &words, 1);
    for (field, value) in [
        (Field::Cid, 100),
        (Field::DstCid, 100),
        (Field::RemoteAddr, 1),
        (Field::Bytes, 1_500_000),
        (Field::Packets, 1000),
        (Field::SamplingRate, 1000),
        (Field::Normalized, 1),
        (Field::SrcIfSpeed, 100_000),
    ] {
        assert_eq!(word(&rows, field), Some(value), "{field:?}");
    }
    assert_eq!((word(&rows, Field::SrcCid), word(&rows, Field::DstIfSpeed)), (None, None));
    for (field, value) in [
        (Field::RemoteCountry, "US"),
        (Field::SrcCountry, "US"),
        (Field::DstCountry, "DE"),
        (Field::ProtoName, "TCP"),
        (Field::SrcIfName, "xe-0/0/7"),
        (Field::SrcIfDesc, "Transit"),
        (Field::DstIfName, "lo0"),
        (Field::DstIfDesc, ""),
    ] {
        assert_eq!(text(&rows, field), value, "{field:?}");
    }
}

#[test]
fn an_egress_flow_looks_the_other_way() {
    let rows = labelled("2001:db8::1", "2a00::1", &[EGRESS, (Field::Proto, 58)], 1);
    assert_eq!((word(&rows, Field::Cid), word(&rows, Field::RemoteAddr)), (Some(100), Some(2)));
    assert_eq!(text(&rows, Field::RemoteCountry), "FR");
    assert_eq!(text(&rows, Field::ProtoName), "IPv6-ICMP");
}

#[test]
fn an_address_without_country_has_none_whatever_came_before() {
    // The old enricher's record was shared, so a miss showed the country of the flow before.
    let mut rows = Rows::default();
    for src in [[8, 8, 8, 8], [9, 9, 9, 9]] {
        let flow = rows.push();
        flow.set_v4(Field::SrcAddr, src);
        flow.set(Field::FlowDirection, 0);
    }
    // And what an earlier stage wrote goes as well.
    rows.set_text(1, Field::RemoteCountry, b"XX");
    let (tables, mut labels) = (tables(), Labels::default());
    tables.label(&mut rows, &mut labels);
    labels.write_to(&mut rows);
    let country = |row: usize| rows.text(&rows.as_slice()[row], Field::RemoteCountry);
    assert_eq!((country(0), country(1)), (Some(&b"US"[..]), None));
}

#[test]
fn an_absent_direction_is_not_ingress() {
    let rows = labelled("192.0.2.9", "8.8.8.8", &[], 1);
    assert_eq!((word(&rows, Field::RemoteAddr), word(&rows, Field::Cid)), (Some(2), Some(100)));
    let rows = labelled("192.0.2.9", "198.51.100.9", &[], 1);
    assert_eq!((word(&rows, Field::RemoteAddr), word(&rows, Field::Cid)), (None, None));
    assert_eq!((word(&rows, Field::SrcCid), word(&rows, Field::DstCid)), (Some(100), Some(200)));
}

#[test]
fn labelling_twice_normalises_once() {
    let words = [(Field::Bytes, 10), (Field::Packets, 2), (Field::SamplingRate, 7)];
    let rows = labelled("192.0.2.9", "8.8.8.8", &words, 2);
    assert_eq!((word(&rows, Field::Bytes), word(&rows, Field::Packets)), (Some(70), Some(14)));
}

#[test]
fn no_flow_is_multiplied_by_32_unless_the_operator_says_so() {
    let counters = [(Field::Bytes, 10), (Field::Packets, 2)];
    let rows = labelled("192.0.2.9", "8.8.8.8", &counters, 1);
    assert_eq!((word(&rows, Field::Bytes), word(&rows, Field::Normalized)), (Some(10), None));

    let mut rows = Rows::default();
    let flow = rows.push();
    flow.set_v4(Field::SamplerAddress, [203, 0, 113, 2]);
    counters.iter().for_each(|(field, value)| flow.set(*field, *value));
    let mut labels = Labels::default();
    tables().label(&mut rows, &mut labels);
    assert_eq!(
        (word(&rows, Field::Bytes), word(&rows, Field::SamplingRate)),
        (Some(320), Some(32))
    );
    assert_eq!(labels.counts().normalized, 1);
}

#[test]
fn every_protocol_with_a_keyword_is_named_and_others_are_not() {
    for (proto, name) in [
        (47, "GRE"),
        (89, "OSPFIGP"),
        (94, "IPIP"),
        (132, "SCTP"),
        (139, "HIP"),
        (147, "BIT-EMU"),
        (148, ""),
        (200, ""),
        (300, ""),
    ] {
        let rows = labelled("192.0.2.9", "8.8.8.8", &[(Field::Proto, proto)], 1);
        assert_eq!(text(&rows, Field::ProtoName), name, "{proto}");
    }
}

#[test]
fn an_unknown_interface_is_an_empty_label_and_a_counter() {
    let mut rows = Rows::default();
    let flow = rows.push();
    flow.set_v4(Field::SamplerAddress, [203, 0, 113, 1]);
    flow.set(Field::InIf, 99);
    flow.set(Field::OutIf, 0);
    let mut labels = Labels::default();
    tables().label(&mut rows, &mut labels);
    labels.write_to(&mut rows);
    assert_eq!(text(&rows, Field::SrcIfName), "");
    assert_eq!(labels.counts().interface_unknown, 1);
}

#[test]
fn addresses_that_no_table_knows_are_counted() {
    let mut rows = Rows::default();
    let known = rows.push();
    known.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
    known.set_v4(Field::DstAddr, [203, 0, 113, 200]);
    rows.push().set_v6(Field::SrcAddr, [0xfe; 16]);
    let mut labels = Labels::default();
    tables().label(&mut rows, &mut labels);
    let counts = labels.counts();
    assert_eq!((counts.addresses, counts.addresses_unknown), (3, 2));
}

#[test]
fn interfaces_of_an_unknown_exporter_are_missed_too() {
    let mut rows = Rows::default();
    let flow = rows.push();
    flow.set_v4(Field::SamplerAddress, [203, 0, 113, 77]);
    flow.set(Field::InIf, 7);
    flow.set(Field::OutIf, 8);
    let mut labels = Labels::default();
    tables().label(&mut rows, &mut labels);
    assert_eq!(labels.counts().interface_unknown, 2);
    // Where nobody names interfaces, none is missing.
    let mut labels = Labels::default();
    Tables::build(&Sources::default()).unwrap().label(&mut rows, &mut labels);
    assert_eq!(labels.counts().interface_unknown, 0);
}

#[test]
fn an_ipv4_address_inside_an_ipv6_one_is_labelled_as_ipv4() {
    let rows = labelled("::ffff:192.0.2.9", "::ffff:8.8.8.8", &[EGRESS], 1);
    assert_eq!((word(&rows, Field::Cid), word(&rows, Field::SrcCid)), (Some(100), Some(100)));
    assert_eq!(text(&rows, Field::RemoteCountry), "US");
    let mapped = "::ffff:192.0.2.9".parse().unwrap();
    assert_eq!(tables().cid(mapped), 100);
}
