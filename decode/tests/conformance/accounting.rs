//! Sequence numbers, drops and sums, per exporter and domain (semantics.md section 7).

use neckar_decode::{Cause, Config, Protocol, Totals};
use neckar_proto::Rows;

use crate::Bench;
use crate::wire::*;

const PORT: Spec = Spec { element: 7, enterprise: 0, length: 2 };

fn totals(bench: &mut Bench) -> Totals {
    bench.decoder.expire(bench.received_ns, &mut |_: &mut Rows| {});
    let exporters = bench.shared.exporters();
    assert_eq!((exporters.len(), exporters[0].domains.len()), (1, 1));
    exporters[0].domains[0].totals
}

fn v9(sequence: u32, export_s: u32) -> Vec<u8> {
    message(Wire::V9, Header { sequence, export_s, ..HEADER }, &[])
}

#[test]
fn v9_counts_datagrams() {
    let mut bench = Bench::new();
    for sequence in [10, 11, 14, 15, 13, 16] {
        bench.feed(&v9(sequence, 1_700_000_000));
    }
    let seen = totals(&mut bench);
    assert_eq!((seen.datagrams, seen.bytes), (6, 6 * 20));
    // 12 and 13 were jumped over, 13 came late: 12 is lost.
    assert_eq!((seen.missed, seen.recovered, seen.gaps, seen.reordered), (2, 1, 1, 1));
    assert_eq!((bench.counters().missed, bench.counters().recovered), (2, 1));
    assert_eq!((bench.counters().reordered, bench.counters().resets), (1, 0));
}

#[test]
fn a_restart_is_no_loss() {
    let mut bench = Bench::new();
    for (sequence, export_s) in
        [(50_000, 1_700_000_000), (50_001, 1_700_000_000), (0, 1_700_000_090)]
    {
        bench.feed(&v9(sequence, export_s));
    }
    assert_eq!((bench.counters().resets, bench.counters().missed), (1, 0));
    assert_eq!(totals(&mut bench).resets, 1);
}

#[test]
fn ipfix_counts_data_records_options_included() {
    let mut bench = Bench::new();
    let ipfix =
        |sequence, sets: &[Vec<u8>]| message(Wire::Ipfix, Header { sequence, ..HEADER }, sets);
    let templates = [
        template(Wire::Ipfix, 300, &[PORT]),
        options(Wire::Ipfix, 400, &[spec(149, 4)], &[spec(41, 4)]),
    ];
    bench.feed(&ipfix(100, &templates));
    bench.feed(&ipfix(100, &[set(300, &[0, 1, 0, 2, 0, 3])]));
    bench.feed(&ipfix(103, &[set(400, &[0; 16])]));
    bench.feed(&ipfix(105, &[set(300, &[0, 1]), set(400, &[0; 8])]));
    assert_eq!(bench.counters().missed, 0);
    bench.feed(&ipfix(117, &[]));
    assert_eq!(bench.counters().missed, 10);
    // A set whose template is missing holds records that nobody can count: no expectation after it.
    bench.feed(&ipfix(117, &[set(999, &[0; 80])]));
    bench.feed(&ipfix(137, &[set(300, &[0, 1])]));
    bench.feed(&ipfix(138, &[]));
    assert_eq!(bench.counters().missed, 10);
    let seen = totals(&mut bench);
    assert_eq!((seen.records, seen.options_records, seen.missed), (5, 3, 10));
    assert_eq!((seen.data_sets, seen.options_sets), (3, 2));
    assert_eq!((seen.template_sets, seen.options_template_sets), (1, 1));
    assert_eq!((seen.templates, seen.options_templates), (1, 1));
}

fn v5(sequence: u32, count: u16, records: usize, engine: u8) -> Vec<u8> {
    let mut bytes = vec![0, 5];
    bytes.extend(count.to_be_bytes());
    bytes.extend(3_600_000_u32.to_be_bytes());
    bytes.extend(1_700_000_000_u32.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend([0, engine, 0, 0]);
    bytes.resize(24 + 48 * records, 0);
    bytes
}

#[test]
fn v5_counts_flows_per_engine() {
    let mut bench = Bench::new();
    bench.feed(&v5(1000, 30, 30, 1));
    bench.feed(&v5(1030, 30, 30, 1));
    bench.feed(&v5(7, 2, 2, 2));
    bench.feed(&v5(1090, 1, 1, 1));
    bench.feed(&v5(9, 1, 1, 2));
    assert_eq!(bench.counters().missed, 30);
    bench.decoder.expire(0, &mut |_: &mut Rows| {});
    let exporters = bench.shared.exporters();
    let domains: Vec<_> = exporters[0]
        .domains
        .iter()
        .map(|domain| (domain.protocol, domain.domain, domain.totals.missed))
        .collect();
    assert_eq!(domains, [(Protocol::NetflowV5, 1, 30), (Protocol::NetflowV5, 2, 0)]);
}

#[test]
fn v5_records_that_are_not_there_are_counted_and_impossible_counts_reject() {
    let mut bench = Bench::new();
    assert_eq!(bench.feed(&v5(0, 3, 1, 0)).len(), 1);
    assert_eq!(bench.counters().dropped(Cause::RecordTruncated), 2);
    // Garbage in the header, seen in the field: 163 and 55582 records in 1464 bytes.
    assert!(bench.feed(&v5(3, 163, 30, 0)).is_empty());
    assert_eq!(bench.counters().dropped(Cause::DatagramCountInvalid), 1);
    // Over jumbo frames there may be more than 30 of them.
    assert_eq!(bench.feed(&v5(3, 163, 163, 0)).len(), 163);
    // A count of fewer than there are is honoured.
    assert_eq!(bench.feed(&v5(166, 2, 30, 0)).len(), 2);
    assert_eq!((bench.counters().records, bench.counters().missed), (168, 0));
}

#[test]
fn datagrams_of_no_protocol_have_a_name_each() {
    let cases: [(&[u8], Cause); 12] = [
        (&[], Cause::DatagramTruncated),
        (&[0], Cause::DatagramTruncated),
        (&[0, 0, 0], Cause::DatagramTruncated),
        (&[0, 1, 0, 0], Cause::DatagramNetflowV1),
        (&[0, 7, 0, 0], Cause::DatagramNetflowV7),
        (&[0, 8, 0, 0], Cause::DatagramNetflowV8),
        (&[0, 0, 0, 4, 0, 0], Cause::DatagramSflowVersion),
        (&[0, 0, 0, 9], Cause::DatagramVersionUnknown),
        (b"GET / HTTP/1.1", Cause::DatagramVersionUnknown),
        (&[0, 5, 0, 1], Cause::DatagramTruncated),
        (&[0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Cause::DatagramTruncated),
        (&[0, 10, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Cause::DatagramTruncated),
    ];
    for (bytes, cause) in cases {
        let mut bench = Bench::new();
        assert!(bench.feed(bytes).is_empty());
        assert_eq!(bench.counters().dropped(cause), 1, "{bytes:?}");
        assert_eq!(bench.counters().dropped.iter().sum::<u64>(), 1, "{bytes:?}");
        assert_eq!(bench.shared.exporter_count(), 0, "nobody is remembered for that");
    }
}

#[test]
fn a_flood_of_spoofed_sources_takes_no_memory_and_evicts_nobody() {
    let config = Config { exporters_max: 100, ..Config::default() };
    let mut bench = Bench::with(config);
    bench.feed(&message(Wire::V9, HEADER, &[template(Wire::V9, 300, &[PORT])]));
    for source in 0..200_000_u32 {
        bench.exporter = std::net::Ipv4Addr::from_bits(0x0a00_0000 + source).into();
        bench.feed(&v9(1, 1_700_000_000));
    }
    assert_eq!(bench.shared.exporter_count(), 100);
    assert_eq!(bench.counters().dropped(Cause::DatagramExporterTableFull), 200_000 - 99);
    bench.exporter = [192, 0, 2, 1].into();
    assert_eq!(bench.feed(&message(Wire::V9, HEADER, &[set(300, &[0, 1])])).len(), 1);
}

#[test]
fn exporters_silent_for_long_give_way_when_the_table_is_full() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let config = Config { exporters_max: 2, exporter_idle_ns: HOUR_NS, ..Config::default() };
    let mut bench = Bench::with(config);
    let start_ns = bench.received_ns;
    let template = message(Wire::V9, HEADER, &[template(Wire::V9, 300, &[PORT])]);
    let data = message(Wire::V9, HEADER, &[set(300, &[0, 1])]);
    let at = |bench: &mut Bench, last: u8, now_ns: u64, bytes: &[u8]| {
        bench.exporter = [192, 0, 2, last].into();
        bench.received_ns = now_ns;
        let rows = bench.feed(bytes).len();
        bench.decoder.expire(now_ns, &mut |_: &mut Rows| {});
        rows
    };
    at(&mut bench, 1, start_ns, &template);
    at(&mut bench, 2, start_ns, &template);
    at(&mut bench, 2, start_ns + HOUR_NS / 2, &data);
    assert_eq!(at(&mut bench, 3, start_ns + HOUR_NS / 2, &template), 0);
    assert_eq!(bench.counters().dropped(Cause::DatagramExporterTableFull), 1);
    // The first has been silent for an hour, the second has not.
    at(&mut bench, 3, start_ns + HOUR_NS, &template);
    assert_eq!(at(&mut bench, 3, start_ns + HOUR_NS, &data), 1);
    assert_eq!(at(&mut bench, 2, start_ns + HOUR_NS, &data), 1);
    assert_eq!((bench.shared.exporter_count(), bench.shared.template_count()), (2, 2));
    // It comes back an hour later, when the others have gone silent: admitted anew, without its
    // template.
    assert_eq!(at(&mut bench, 1, start_ns + 3 * HOUR_NS, &data), 0);
    assert_eq!(bench.counters().held, 1);
    assert_eq!(at(&mut bench, 1, start_ns + 3 * HOUR_NS, &template), 1);
}

#[test]
fn domains_are_bounded_too() {
    let config = Config { domains_per_exporter_max: 3, domains_max: 5, ..Config::default() };
    let mut bench = Bench::with(config);
    for last in [1, 2] {
        bench.exporter = [192, 0, 2, last].into();
        for domain in 0..10 {
            bench.feed(&message(Wire::V9, Header { domain, ..HEADER }, &[]));
        }
    }
    assert_eq!(bench.counters().dropped(Cause::DatagramDomainTableFull), 20 - 5);
    bench.exporter = [192, 0, 2, 1].into();
    bench.feed(&message(Wire::V9, Header { domain: 2, sequence: 9, ..HEADER }, &[]));
    assert_eq!(bench.counters().dropped(Cause::DatagramDomainTableFull), 20 - 5);
}

#[test]
fn exporters_may_be_limited_by_prefix() {
    let allow = vec!["192.0.2.0/28".parse().unwrap(), "2001:db8::/64".parse().unwrap()];
    let mut bench = Bench::with(Config { allow, ..Config::default() });
    for exporter in ["192.0.2.1", "192.0.2.16", "2001:db8::9", "2001:db9::9"] {
        bench.exporter = exporter.parse().unwrap();
        bench.feed(&v9(1, 1_700_000_000));
        bench.feed(&v9(2, 1_700_000_000));
    }
    assert_eq!(bench.counters().dropped(Cause::DatagramExporterDenied), 4);
    assert_eq!(bench.shared.exporter_count(), 2);
}

/// NetFlow v5 has no other place for them: "from DstPort, which is left as it is".
#[test]
fn v5_has_icmp_type_and_code_in_the_port() {
    let mut bytes = v5(0, 2, 2, 0);
    for (record, proto) in [(0, 1), (1, 17)] {
        let start = 24 + 48 * record;
        bytes[start + 34..start + 36].copy_from_slice(&[8, 3]);
        bytes[start + 38] = proto;
    }
    let rows = Bench::new().feed(&bytes);
    assert!(rows[0].contains("DstPort=2051 ") && rows[0].contains("IcmpType=8 IcmpCode=3"));
    assert!(rows[1].contains("DstPort=2051 ") && !rows[1].contains("Icmp"), "{}", rows[1]);
}
