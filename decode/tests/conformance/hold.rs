//! Data whose template comes later, and data whose template never comes.

use std::sync::Arc;

use neckar_decode::{Cause, Config, Datagram, Decoder, Shared};
use neckar_proto::{Field, Rows};

use crate::wire::*;
use crate::{Bench, balance};

const SECOND_NS: u64 = 1_000_000_000;
const UPTIME: Spec = Spec { element: 22, enterprise: 0, length: 4 };
const PORT: Spec = Spec { element: 7, enterprise: 0, length: 2 };

fn data(port: u16, first_ms: u32) -> Vec<u8> {
    set(300, &[&port.to_be_bytes()[..], &first_ms.to_be_bytes()].concat())
}

/// What of a row comes from the header of its own datagram.
fn headers(bench: &mut Bench, bytes: &[u8]) -> Vec<[u64; 4]> {
    let mut seen = Vec::new();
    bench.feed_rows(bytes, &mut |rows: &mut Rows| {
        let fields =
            [Field::SrcPort, Field::SequenceNum, Field::TimeReceivedNs, Field::TimeFlowStartNs];
        let of_row = |row: &neckar_proto::Flow| fields.map(|field| row.word(field).unwrap());
        seen.extend(rows.as_slice().iter().map(of_row));
    });
    seen
}

#[test]
fn held_sets_are_decoded_in_order_each_by_its_own_header() {
    let mut bench = Bench::new();
    let start_ns = bench.received_ns;
    for (sequence, port) in [(1, 10), (2, 20), (3, 30)] {
        let header = Header {
            sequence,
            uptime_ms: 1000 * sequence,
            export_s: HEADER.export_s + sequence,
            ..HEADER
        };
        bench.received_ns = start_ns + u64::from(sequence);
        assert!(headers(&mut bench, &message(Wire::V9, header, &[data(port, 500)])).is_empty());
    }
    assert_eq!((bench.counters().held, bench.counters().records), (3, 0));
    bench.received_ns = start_ns + 9;
    let last = Header { sequence: 4, uptime_ms: 4000, export_s: HEADER.export_s + 4, ..HEADER };
    let sets = [template(Wire::V9, 300, &[PORT, UPTIME]), data(40, 500)];
    let rows = headers(&mut bench, &message(Wire::V9, last, &sets));
    // Uptime 500 ms is the same instant for all of them.
    let instant = u64::from(HEADER.export_s) * SECOND_NS + SECOND_NS / 2;
    assert_eq!(
        rows,
        [
            [10, 1, start_ns + 1, instant],
            [20, 2, start_ns + 2, instant],
            [30, 3, start_ns + 3, instant],
            [40, 4, start_ns + 9, instant],
        ]
    );
    assert_eq!((bench.counters().released, bench.counters().records), (3, 4));
    assert_eq!(bench.counters().dropped(Cause::SetTemplateMissing), 0);
}

#[test]
fn what_waits_too_long_is_counted_by_exporter_and_template() {
    let config = Config { hold_ns: 10 * SECOND_NS, ..Config::default() };
    let mut bench = Bench::with(config);
    let none = &mut |_: &mut Rows| panic!("nothing can be decoded");
    let start_ns = bench.received_ns;
    for (age_s, id) in [(0, 300), (5, 301), (5, 300)] {
        bench.received_ns = start_ns + age_s * SECOND_NS;
        bench.feed(&message(Wire::V9, HEADER, &[set(id, &[1, 2, 3, 4])]));
    }
    bench.decoder.expire(start_ns + 10 * SECOND_NS, none);
    assert_eq!(bench.counters().dropped(Cause::SetTemplateMissing), 0, "as old as allowed");
    bench.decoder.expire(start_ns + 11 * SECOND_NS, none);
    assert_eq!(bench.counters().dropped(Cause::SetTemplateMissing), 1);
    bench.decoder.expire(u64::MAX, none);
    assert_eq!(bench.counters().dropped(Cause::SetTemplateMissing), 3, "each once");
    let exporters = bench.shared.exporters();
    assert_eq!(exporters[0].domains[0].missing, [(300, 2), (301, 1)]);
    assert_eq!(exporters[0].dropped[Cause::SetTemplateMissing as usize], 3);
    // Nothing of it is left for a template that comes now.
    assert!(bench.feed(&message(Wire::V9, HEADER, &[template(Wire::V9, 300, &[PORT])])).is_empty());
    assert_eq!((bench.counters().held, bench.counters().released), (3, 0));
}

#[test]
fn an_exporter_that_holds_too_much_loses_its_oldest_and_nobody_elses() {
    let config = Config { hold_bytes: 4096, hold_total_bytes: 8192, ..Config::default() };
    let mut bench = Bench::with(config);
    let sent = 100_u16;
    let template = message(Wire::V9, HEADER, &[template(Wire::V9, 300, &[PORT])]);
    bench.exporter = [192, 0, 2, 7].into();
    bench.feed(&message(Wire::V9, HEADER, &[set(300, &[0, 7])]));
    bench.exporter = [192, 0, 2, 1].into();
    for port in 0..sent {
        bench.feed(&message(Wire::V9, HEADER, &[set(300, &port.to_be_bytes())]));
    }
    let lost = bench.counters().dropped(Cause::SetTemplateMissing);
    assert!(lost > 50 && lost < 90, "{lost} of {sent} lost");
    let kept: Vec<String> = bench.feed(&template);
    assert_eq!(kept.len() as u64, u64::from(sent) - lost);
    assert!(kept[0].starts_with(&format!("SrcPort={lost} ")), "the oldest went: {}", kept[0]);
    assert!(kept.last().unwrap().starts_with("SrcPort=99 "));
    bench.exporter = [192, 0, 2, 7].into();
    assert_eq!(bench.feed(&template).len(), 1);
}

#[test]
fn all_exporters_together_are_bounded_and_those_there_first_stay() {
    let config = Config { hold_bytes: 4096, hold_total_bytes: 1024, ..Config::default() };
    let mut bench = Bench::with(config);
    for last in 1..=100 {
        bench.exporter = [192, 0, 2, last].into();
        bench.feed(&message(Wire::V9, HEADER, &[set(300, &[0, last])]));
    }
    let held = bench.counters().held;
    assert!(held > 2 && held < 20, "{held}");
    assert_eq!(bench.counters().dropped(Cause::SetTemplateMissing), 100 - held);
    bench.exporter = [192, 0, 2, 1].into();
    let template = message(Wire::V9, HEADER, &[template(Wire::V9, 300, &[PORT])]);
    assert_eq!(bench.feed(&template).len(), 1);
    // What was released makes room.
    bench.exporter = [192, 0, 2, 200].into();
    bench.feed(&message(Wire::V9, HEADER, &[set(300, &[0, 1])]));
    assert_eq!(bench.counters().held, held + 1);
}

#[test]
fn a_set_larger_than_the_bound_is_dropped_at_once() {
    let mut bench = Bench::with(Config { hold_bytes: 500, ..Config::default() });
    bench.feed(&message(Wire::V9, HEADER, &[set(300, &[0; 600])]));
    assert_eq!(bench.counters().held, 0);
    assert_eq!(bench.counters().dropped(Cause::SetTemplateMissing), 1);
}

fn datagram(bytes: &[u8]) -> Datagram<'_> {
    let exporter = [192, 0, 2, 1].into();
    Datagram { exporter, port: 1, received_ns: 5 * SECOND_NS, bytes }
}

/// Two workers: one gets the data, the other the template.
#[test]
fn a_template_learnt_by_another_worker_releases_what_this_one_holds() {
    let config = Config::default();
    let shared = Arc::new(Shared::new(config.clone()));
    let mut one = Decoder::new(config.clone(), Arc::clone(&shared));
    let mut other = Decoder::new(config, shared);
    let mut ports = Vec::new();
    let mut sink =
        |rows: &mut Rows| ports.extend(rows.as_slice().iter().map(|row| row.word(Field::SrcPort)));
    let data = |port: u16| message(Wire::V9, HEADER, &[set(300, &port.to_be_bytes())]);
    one.decode(datagram(&data(1)), &mut sink);
    one.decode(datagram(&data(2)), &mut sink);
    let template = message(Wire::V9, HEADER, &[template(Wire::V9, 300, &[PORT])]);
    other.decode(datagram(&template), &mut |_: &mut Rows| panic!("only a template"));
    // With the next datagram ...
    one.decode(datagram(&data(3)), &mut sink);
    assert_eq!(one.counters().released, 2);
    // ... or without one.
    let withdrawn = message(Wire::V9, Header { domain: 1, ..HEADER }, &[set(300, &[0, 4])]);
    one.decode(datagram(&withdrawn), &mut sink);
    let template = message(
        Wire::V9,
        Header { domain: 1, ..HEADER },
        &[crate::wire::template(Wire::V9, 300, &[PORT])],
    );
    other.decode(datagram(&template), &mut |_: &mut Rows| panic!("only a template"));
    one.expire(6 * SECOND_NS, &mut sink);
    assert_eq!(ports, [Some(1), Some(2), Some(3), Some(4)]);
    balance(one.counters());
}
