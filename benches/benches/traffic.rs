//! What counting a flow costs the counting thread: reading it off its bytes, the suite's series, and all of
//! it with the sketches, at rates below and far beyond what they take. With customers alone for labels, whose
//! label sets are few, and with a full table of AS and countries and a peer behind each interface, which has
//! more label sets than there is room for.
//!
//! `cargo bench -p neckar-benches --bench traffic`

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use neckar_decode::{Datagram, Decoder, Shared};
use neckar_enrich::{Interface, Labels, Sources, Tables, sources, synthetic};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, FlowView, Rows};
use neckar_traffic::{Config, Traffic};
use rustix::time::{ClockId, clock_gettime};

const NOW_S: u64 = 1_700_000_000;
const ROUTERS: usize = 100;
const BATCH_FLOWS: usize = 2048;
const BATCHES: usize = 64;

/// The customers that the synthetic routers have.
fn customers() -> Sources {
    let csv = neckar_export::customers_csv();
    let customers = sources::customers::parse("customers.csv".as_ref(), csv.as_bytes());
    let prefixes = vec![Arc::new(customers.expect("our own"))];
    Sources { prefixes, ..Sources::default() }
}

/// The same, and what a large network knows: whose every address is and where, and who is behind its interfaces.
fn full_table() -> Sources {
    let mut all = customers();
    let routes = synthetic::csv(synthetic::full_table_v4(1_200_000, 1));
    let mut countries = String::from("prefix,country\n");
    for (prefix, holder) in routes.lines().filter_map(|row| row.split_once(',')) {
        let holder: u32 = holder.parse().expect("a number of ours");
        let [a, b] = [holder % 10, holder / 10 % 20].map(|digit| char::from(b'A' + digit as u8));
        countries.push_str(&format!("{prefix},{a}{b}\n"));
    }
    for source in [
        sources::asn::parse("routes".as_ref(), routes.as_bytes()),
        sources::networks::parse("countries".as_ref(), countries.as_bytes()),
    ] {
        all.prefixes.push(Arc::new(source.expect("our own rows")));
    }
    all.as_names = (1..=80_000).map(|asn| (asn, format!("Provider number {asn}"))).collect();
    for (router, index) in (0..ROUTERS).flat_map(|router| (0..64).map(move |index| (router, index)))
    {
        let name = format!("xe-0/1/{index}");
        let description = format!("Transit {router} over port {index}");
        let interface = Interface { name, description, speed_mbps: 100_000 };
        all.interfaces.insert(exporter(router), index, interface);
    }
    all
}

fn exporter(router: usize) -> IpAddr {
    [192, 0, 2, router as u8].into()
}

/// Batches as the workers make them, of all protocols.
fn batches(sources: &Sources) -> Vec<Batch> {
    let mut fleet = Fleet::new(&Protocol::ALL, ROUTERS, 1);
    let mut decoder = Decoder::new(Default::default(), Arc::new(Shared::new(Default::default())));
    let tables = Tables::build(sources).expect("the table");
    let (mut labels, mut batches) = (Labels::default(), Vec::new());
    let mut batch = Batch::with_capacity(BATCH_FLOWS, 1 << 20);
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    while batches.len() < BATCHES {
        let (router, made) = fleet.datagram(NOW_S * 1_000_000_000, &mut bytes);
        let exporter = exporter(router);
        let received_ns = NOW_S * 1_000_000_000;
        let datagram = Datagram { exporter, port: 2055, received_ns, bytes: &bytes[..made.bytes] };
        decoder.decode(datagram, &mut |rows: &mut Rows| {
            tables.label(rows, &mut labels);
            for (index, flow) in rows.as_slice().iter().enumerate() {
                let labels = labels.of(index);
                while !batch.push(&BWNETFLOW, flow, rows.texts(), &labels) {
                    let fresh = Batch::with_capacity(BATCH_FLOWS, 1 << 20);
                    batches.push(std::mem::replace(&mut batch, fresh));
                }
            }
        });
    }
    batches
}

fn traffic(criterion: &mut Criterion) {
    count(criterion, "traffic", &batches(&customers()));
    count(criterion, "traffic, full table", &batches(&full_table()));
}

fn count(criterion: &mut Criterion, name: &str, batches: &[Batch]) {
    let flows: u64 = batches.iter().map(|batch| batch.len() as u64).sum();
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(flows));
    group.bench_function("read the view", |bencher| {
        let read = || {
            let flows = batches.iter().flat_map(Batch::flows_in_place);
            let views = flows.filter_map(|(bytes, len)| FlowView::read_in_place(bytes, len));
            black_box(views.map(|view| black_box(view).bytes).fold(0, u64::wrapping_add));
        };
        bencher.iter_custom(|times| cpu_time(times, read));
    });
    // Every run over the batches is a second: 131,000 flows/s. A rate n times as high is the same as sketches that
    // take an nth of it.
    let per_s = Config::default().sketched_per_s;
    for (name, sketched_per_s) in [
        ("count, every flow sketched", u64::MAX),
        ("count at 131,000 flows/s", per_s),
        ("count at 1 M flows/s", per_s * 131 / 1000),
    ] {
        let config = Config { sketched_per_s, ..Config::default() };
        let mut traffic = Traffic::new(&config, NOW_S);
        let mut now_s = NOW_S;
        group.bench_function(name, |bencher| {
            let mut second = || {
                now_s += 1;
                traffic.tend(now_s);
                batches.iter().for_each(|batch| traffic.count(batch, now_s));
            };
            bencher.iter_custom(|times| cpu_time(times, &mut second));
        });
        eprintln!("{:?}", traffic.counts());
    }
    group.finish();
}

/// Processor time: other threads may be busy.
fn cpu_time(times: u64, mut run: impl FnMut()) -> Duration {
    let cpu = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let before = cpu();
    (0..times).for_each(|_| run());
    cpu() - before
}

criterion_group! {
    name = counting;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(2))
        .measurement_time(Duration::from_secs(3));
    targets = traffic
}
criterion_main!(counting);
