//! What the workers do with a datagram once it is in memory, stage by stage: decode, label, encode.
//!
//! NetFlow v9 of the synthetic routers: 23 fields for IPv4, 25 for IPv6, their customers as labels,
//! the bwNetFlow message, as records of Kafka.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_enrich::sources::customers;
use neckar_enrich::{Labels, Sources, Tables};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Layout, Rows};

const NOW_NS: u64 = 1_700_000_000_000_000_000;
const EXPORTER: [u8; 4] = [192, 0, 2, 1];

/// Datagrams of one router: the templates first, then flows.
fn datagrams(protocol: Protocol, count: usize) -> (Vec<Vec<u8>>, u64) {
    let mut fleet = Fleet::new(&[protocol], 1, 1);
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    let made = (0..count).map(|_| {
        let (_, made) = fleet.datagram(NOW_NS, &mut bytes);
        bytes[..made.bytes].to_vec()
    });
    (made.collect(), fleet.totals().all.flows)
}

fn tables() -> Tables {
    let mut sources = Sources::default();
    let csv = neckar_export::customers_csv();
    let customers = customers::parse("customers.csv".as_ref(), csv.as_bytes()).expect("our own");
    sources.prefixes.push(Arc::new(customers));
    Tables::build(&sources).expect("a small table")
}

fn pipeline(criterion: &mut Criterion) {
    for protocol in Protocol::ALL {
        let (datagrams, flows) = datagrams(protocol, 190);
        let mut decoder = Decoder::new(Config::default(), Arc::new(Shared::new(Config::default())));
        let tables = tables();
        let mut labels = Labels::default();
        let mut batch = Batch::with_capacity(1 << 16, 32 << 20).laid_out(Layout::Records);
        let mut group = criterion.benchmark_group(format!("pipeline-{}", protocol.name()));
        group.throughput(Throughput::Elements(flows));
        let mut run = |sink: &mut dyn FnMut(&mut Rows)| {
            for bytes in &datagrams {
                let datagram =
                    Datagram { exporter: EXPORTER.into(), port: 2055, received_ns: NOW_NS, bytes };
                decoder.decode(datagram, &mut |rows: &mut Rows| sink(rows));
            }
        };
        group.bench_function("decode", |bencher| bencher.iter(|| run(&mut |_| {})));
        group.bench_function("decode+label", |bencher| {
            bencher.iter(|| run(&mut |rows| tables.label(rows, &mut labels)));
        });
        group.bench_function("decode+label+encode", |bencher| {
            bencher.iter(|| {
                batch.clear();
                run(&mut |rows| {
                    tables.label(rows, &mut labels);
                    for (index, flow) in rows.as_slice().iter().enumerate() {
                        let labels = labels.of(index);
                        assert!(batch.push(&BWNETFLOW, flow, rows.texts(), &labels));
                    }
                });
                batch.len()
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = stages;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(1));
    targets = pipeline
}
criterion_main!(stages);
