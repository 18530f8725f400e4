//! Labelling decoded chunks: what it costs per flow, from no table at all to every label on a full
//! table, and with encoding.
//!
//! `cargo bench -p neckar-benches --bench label`

use std::hint::black_box;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ipnet::IpNet;
use neckar_enrich::{Interface, Labels, Sources, Tables, sources, synthetic};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Rows};

/// The daemon's: it asks for huge pages, without which tables of this size cost a page walk a look.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a chunk, and chunks that take turns, so that what was looked up does not stay in the
/// caches.
const ROWS: usize = 64;
const CHUNKS: usize = 512;

fn full_sources(customers: usize) -> (Sources, Vec<IpNet>) {
    let v4 = synthetic::full_table_v4(1_200_000, 1);
    let v6 = synthetic::full_table_v6(250_000, 1);
    let list = synthetic::csv(synthetic::customers(&v4, &v6, customers, 1));
    let nets: Vec<(IpNet, u32)> = v4
        .iter()
        .map(|(net, asn)| (IpNet::V4(*net), *asn))
        .chain(v6.iter().map(|(net, asn)| (IpNet::V6(*net), *asn)))
        .collect();
    // Every holder sits in one of 200 countries.
    let mut countries = String::from("prefix,country\n");
    for (net, asn) in &nets {
        let [a, b] = [asn % 10, asn / 10 % 20].map(|digit| char::from(b'A' + digit as u8));
        countries.push_str(&format!("{net},{a}{b}\n"));
    }
    let routes = synthetic::csv(nets.iter().copied());
    let parsed = [
        sources::customers::parse(Path::new("customers"), list.as_bytes()),
        sources::asn::parse(Path::new("routes"), routes.as_bytes()),
        sources::networks::parse(Path::new("countries"), countries.as_bytes()),
        Ok(sources::list::bogons()),
    ];
    let prefixes = parsed.map(|source| Arc::new(source.expect("our own rows")));
    let mut all = Sources { prefixes: prefixes.into(), ..Sources::default() };
    all.as_names = (1..=80_000).map(|asn| (asn, format!("Provider number {asn}"))).collect();
    for if_index in 1..200 {
        let name = format!("xe-0/1/{if_index}");
        let interface = Interface { name, description: "Transit".into(), speed_mbps: 100_000 };
        all.interfaces.insert([192, 0, 2, 1].into(), if_index, interface);
    }
    (all, nets.into_iter().map(|(net, _)| net).collect())
}

/// Source and destination of each row of a chunk, as the decoder would store them.
type Chunk = [[IpAddr; 2]; ROWS];

/// Addresses by Zipf's law, one flow in eight of IPv6.
fn chunks(nets: &[IpNet]) -> Vec<Chunk> {
    let (v4, v6): (Vec<IpNet>, Vec<IpNet>) =
        nets.iter().partition(|net| matches!(net, IpNet::V4(_)));
    let addresses = |nets| synthetic::addresses(nets, 2 * ROWS * CHUNKS, true, 5);
    let (mut v4, mut v6) = (addresses(&v4), addresses(&v6));
    let mut pair = |row: usize| {
        let family: &mut dyn Iterator<Item = IpAddr> = if row % 8 == 7 { &mut v6 } else { &mut v4 };
        [(); 2].map(|()| family.next().expect("enough"))
    };
    (0..CHUNKS).map(|_| std::array::from_fn(&mut pair)).collect()
}

/// The rows of a worker: always the same memory.
fn rows() -> Rows {
    let mut random = synthetic::Random(9);
    let mut rows = Rows::with_capacity(ROWS);
    for _ in 0..ROWS {
        let flow = rows.push();
        flow.set_v4(Field::SamplerAddress, [192, 0, 2, 1]);
        for (field, value) in [
            (Field::Type, 3),
            (Field::Bytes, 40 + random.below(100_000)),
            (Field::Packets, 1 + random.below(100)),
            (Field::SamplingRate, 32),
            (Field::Proto, [6, 17][random.below(2) as usize]),
            (Field::SrcPort, random.below(65_536)),
            (Field::DstPort, 443),
            (Field::InIf, 1 + random.below(199)),
            (Field::OutIf, 1 + random.below(199)),
            (Field::FlowDirection, random.below(2)),
            (Field::TimeReceivedNs, 1_700_000_000_000_000_000),
            (Field::TimeFlowStartNs, 1_700_000_000_000_000_000),
            (Field::TimeFlowEndNs, 1_700_000_000_000_000_000),
        ] {
            flow.set(field, value);
        }
    }
    rows
}

/// What the decoder does to a row's addresses and to what labels would otherwise find already
/// there.
#[inline(always)]
fn refill(rows: &mut Rows, chunk: &Chunk) {
    for (flow, [src, dst]) in rows.as_mut_slice().iter_mut().zip(chunk) {
        flow.set_ip(Field::SrcAddr, *src);
        flow.set_ip(Field::DstAddr, *dst);
        flow.remove(Field::SrcAS);
        flow.remove(Field::DstAS);
    }
}

fn encode(rows: &Rows, labels: &Labels, batch: &mut Batch) {
    for (index, flow) in rows.as_slice().iter().enumerate() {
        let parts = labels.of(index);
        if !batch.push(&BWNETFLOW, flow, rows.texts(), &parts) {
            batch.clear();
        }
    }
}

fn bench_tables(criterion: &mut Criterion, name: &str, tables: &Tables, chunks: &[Chunk]) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements((ROWS * CHUNKS) as u64));
    let (mut rows, mut labels) = (rows(), Labels::default());
    // As many bytes as a worker's batch, and as warm.
    let mut batch = Batch::with_capacity(ROWS * CHUNKS, 1 << 20);
    for (what, label, encoded) in
        [("neither", false, false), ("label", true, false), ("label_and_encode", true, true)]
    {
        group.bench_function(what, |bencher| {
            bencher.iter(|| {
                for chunk in chunks {
                    refill(&mut rows, black_box(chunk));
                    if label {
                        tables.label(&mut rows, &mut labels);
                    }
                    if encoded {
                        encode(&rows, &labels, &mut batch);
                    }
                    black_box(&rows);
                }
            });
        });
    }
    group.finish();
    batch.clear();
    let mut label_bytes = 0;
    for chunk in &chunks[..32] {
        refill(&mut rows, chunk);
        tables.label(&mut rows, &mut labels);
        encode(&rows, &labels, &mut batch);
        label_bytes += (0..ROWS).map(|row| labels.of(row).concat().len()).sum::<usize>();
    }
    println!(
        "{name}: {} bytes of labels, {} in all a flow; tables {:.1} MiB",
        label_bytes / (32 * ROWS),
        batch.bytes().len() / batch.len(),
        tables.memory_bytes() as f64 / (1 << 20) as f64,
    );
}

fn benches(criterion: &mut Criterion) {
    let (all, nets) = full_sources(10_000);
    let chunks = chunks(&nets);
    let none = Tables::build(&Sources::default()).expect("nothing");
    bench_tables(criterion, "protocol_name_only", &none, &chunks);
    let customers = Sources { prefixes: all.prefixes[..1].to_vec(), ..Sources::default() };
    let customers = Tables::build(&customers).expect("small");
    bench_tables(criterion, "customers", &customers, &chunks);
    let everything = Tables::build(&all).expect("within bounds");
    bench_tables(criterion, "everything", &everything, &chunks);
}

/// Labelling alone, by the size of the tables: prefixes with their AS, and customers.
fn curve(criterion: &mut Criterion) {
    let v4 = synthetic::full_table_v4(1_200_000, 1);
    let v6 = synthetic::full_table_v6(250_000, 1);
    let nets: Vec<(IpNet, u32)> = v4
        .iter()
        .map(|(net, asn)| (IpNet::V4(*net), *asn))
        .chain(v6.iter().map(|(net, asn)| (IpNet::V6(*net), *asn)))
        .collect();
    let chunks = chunks(&nets.iter().map(|(net, _)| *net).collect::<Vec<_>>());
    let mut group = criterion.benchmark_group("curve");
    group.throughput(Throughput::Elements((ROWS * CHUNKS) as u64));
    for (prefixes, customers) in [
        (0, 0),
        (0, 100),
        (0, 10_000),
        (14_500, 0),
        (145_000, 0),
        (1_450_000, 0),
        (1_450_000, 10_000),
    ] {
        let share = nets.len() / prefixes.max(1);
        let routes = synthetic::csv(nets.iter().copied().step_by(share.max(1)).take(prefixes));
        let list = synthetic::csv(synthetic::customers(&v4, &v6, customers, 1));
        let parsed = [
            sources::customers::parse(Path::new("customers"), list.as_bytes()),
            sources::asn::parse(Path::new("routes"), routes.as_bytes()),
        ];
        let prefixes_of = parsed.map(|source| Arc::new(source.expect("our own rows")));
        let all = Sources { prefixes: prefixes_of.into(), ..Sources::default() };
        let tables = Tables::build(&all).expect("within bounds");
        let (mut rows, mut labels) = (rows(), Labels::default());
        group.bench_function(format!("{prefixes}_prefixes_{customers}_customers"), |bencher| {
            bencher.iter(|| {
                for chunk in &chunks {
                    refill(&mut rows, black_box(chunk));
                    tables.label(&mut rows, &mut labels);
                    black_box(&rows);
                }
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = label;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = benches, curve
}
criterion_main!(label);
