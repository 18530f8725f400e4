//! Workers side by side: every one of them sees what any of them learns, and the sums come out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_proto::{Field, Rows};

use crate::balance;
use crate::wire::*;

const WORKERS: u64 = 4;
const ROUNDS: u32 = 3000;

fn datagram(exporter: u8, bytes: &[u8]) -> Datagram<'_> {
    let exporter = [192, 0, 2, exporter].into();
    Datagram { exporter, port: 1, received_ns: 1_700_000_000_000_000_000, bytes }
}

/// The layouts that template 300 changes between. A record says which one it is of, so a row made
/// with the wrong layout shows: the source port is the destination port plus one, in any order of
/// fields.
fn layout(which: u32) -> (Vec<u8>, Vec<u8>) {
    let (source, destination) = (spec(7, 2), spec(11, 2));
    let (fields, record) = match which % 3 {
        0 => (vec![source, destination], vec![0, 11, 0, 10]),
        1 => (vec![destination, source], vec![0, 20, 0, 21]),
        _ => (vec![destination, spec(210, 3), source], vec![0, 30, 9, 9, 9, 0, 31]),
    };
    (template(Wire::V9, 300, &fields), set(300, &record))
}

/// Each message carries the layout that its own data has, so whatever the others announce
/// meanwhile, its rows are right.
#[test]
fn layouts_that_change_under_many_workers_never_mix() {
    let config = Config::default();
    let shared = Arc::new(Shared::new(config.clone()));
    let flows = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (config, shared, flows) = (config.clone(), Arc::clone(&shared), &flows);
            scope.spawn(move || {
                let mut decoder = Decoder::new(config, shared);
                for round in 0..ROUNDS {
                    let (template, data) = layout(round.wrapping_mul(7) ^ worker as u32);
                    let bytes = message(Wire::V9, HEADER, &[template, data.clone(), data]);
                    decoder.decode(datagram(1, &bytes), &mut |rows: &mut Rows| {
                        for row in rows.as_slice() {
                            let ports = [Field::SrcPort, Field::DstPort]
                                .map(|port| row.word(port).unwrap());
                            assert_eq!(ports[0], ports[1] + 1, "worker {worker}, round {round}");
                        }
                        flows.fetch_add(rows.len() as u64, Ordering::Relaxed);
                    });
                    if round % 64 == 0 {
                        decoder.expire(1_700_000_000_000_000_000, &mut |_: &mut Rows| {});
                    }
                }
                balance(decoder.counters());
                decoder.expire(u64::MAX, &mut |_: &mut Rows| {});
            });
        }
    });
    assert_eq!(flows.into_inner(), WORKERS * u64::from(ROUNDS) * 2);
    assert_eq!(shared.template_count(), 1);
    let exporters = shared.exporters();
    let totals = exporters[0].domains[0].totals;
    assert_eq!(totals.datagrams, WORKERS * u64::from(ROUNDS), "no report is lost");
    assert_eq!(totals.records, WORKERS * u64::from(ROUNDS) * 2);
}

/// One worker announces, the others get only data: nothing is lost, whoever is first.
#[test]
fn what_one_worker_learns_the_others_decode_with() {
    const TEMPLATES: u16 = 300;
    let config = Config::default();
    let shared = Arc::new(Shared::new(config.clone()));
    let flows = AtomicU64::new(0);
    let announced = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (config, shared) = (config.clone(), Arc::clone(&shared));
            let (flows, announced) = (&flows, &announced);
            scope.spawn(move || {
                let mut decoder = Decoder::new(config, shared);
                let mut sink = |rows: &mut Rows| {
                    flows.fetch_add(rows.len() as u64, Ordering::Relaxed);
                };
                for id in 256..256 + TEMPLATES {
                    let sets = match worker {
                        0 => template(Wire::V9, id, &[spec(7, 2)]),
                        _ => set(id, &[0, 53]),
                    };
                    let exporter = (id % 5) as u8;
                    decoder
                        .decode(datagram(exporter, &message(Wire::V9, HEADER, &[sets])), &mut sink);
                }
                if worker == 0 {
                    announced.store(1, Ordering::Release);
                }
                while announced.load(Ordering::Acquire) == 0 {
                    std::thread::yield_now();
                }
                // What is still held finds its template now.
                decoder.expire(1_700_000_000_000_000_000, &mut sink);
                let counters = decoder.counters();
                balance(counters);
                assert_eq!(counters.held, counters.released);
                assert_eq!(counters.dropped.iter().sum::<u64>(), 0);
            });
        }
    });
    assert_eq!(flows.into_inner(), (WORKERS - 1) * u64::from(TEMPLATES));
}

/// A sampling rate told to one worker is everybody's; exporters come, go silent and come back on
/// all workers at once.
#[test]
fn a_full_table_under_many_workers_keeps_its_sums() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let config = Config { exporters_max: 8, exporter_idle_ns: HOUR_NS, ..Config::default() };
    let shared = Arc::new(Shared::new(config.clone()));
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (config, shared) = (config.clone(), Arc::clone(&shared));
            scope.spawn(move || {
                let mut decoder = Decoder::new(config, shared);
                let mut now_ns = 1_700_000_000_000_000_000;
                for round in 0..ROUNDS {
                    now_ns += HOUR_NS / 40;
                    let exporter = (round.wrapping_mul(2_654_435_761) >> 27) as u8;
                    let (template, data) = layout(round);
                    let bytes = message(Wire::V9, HEADER, &[template, data]);
                    let of_now = Datagram { received_ns: now_ns, ..datagram(exporter, &bytes) };
                    decoder.decode(of_now, &mut |rows: &mut Rows| {
                        assert_eq!(rows.len(), 1, "worker {worker}");
                    });
                    decoder.expire(now_ns, &mut |_: &mut Rows| {});
                }
                balance(decoder.counters());
            });
        }
    });
    let exporters = shared.exporters();
    assert!(exporters.len() <= 8);
    let templates: usize = exporters
        .iter()
        .flat_map(|exporter| &exporter.domains)
        .map(|domain| domain.templates)
        .sum();
    assert_eq!(shared.template_count(), templates, "what was forgotten is no longer counted");
}
