//! What a swap of the tables costs a worker: the time of each chunk of 64 rows, labelled on one thread
//! while another loads and swaps whole tables without pause, beside the same without swaps.
//!
//! `cargo bench -p neckar-benches --bench swap`
//!
//! Thread processor time and wall time: the first is what the worker did, the second is what its
//! datagrams waited, other processes of this machine included.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use ipnet::IpNet;
use neckar_enrich::{Labels, Sources, Tables, sources, synthetic};
use neckar_proto::{Field, Rows};
use rustix::time::{ClockId, clock_gettime};

const ROWS: usize = 64;
const RUN: Duration = Duration::from_secs(6);

fn main() {
    let v4 = synthetic::full_table_v4(1_200_000, 1);
    let nets: Vec<(IpNet, u32)> = v4.iter().map(|(net, asn)| (IpNet::V4(*net), *asn)).collect();
    let routes = synthetic::csv(nets.iter().copied());
    let routes = sources::asn::parse(Path::new("routes"), routes.as_bytes()).expect("our own rows");
    let sources = Sources { prefixes: vec![Arc::new(routes)], ..Sources::default() };
    let nets: Vec<IpNet> = nets.into_iter().map(|(net, _)| net).collect();
    println!(
        "us for a chunk of {ROWS} rows    cpu p50   p99.9   worst   wall p99.9   worst   swaps"
    );
    for swapping in [false, true] {
        println!("{}", measure(&sources, &nets, swapping));
    }
}

/// One line of the table.
fn measure(sources: &Sources, nets: &[IpNet], swapping: bool) -> String {
    let tables = Arc::new(ArcSwap::from_pointee(Tables::build(sources).expect("in bounds")));
    let (stop, swaps) = (AtomicBool::new(false), AtomicU64::new(0));
    let (cpu, wall) = std::thread::scope(|scope| {
        if swapping {
            scope.spawn(|| swap(sources, &tables, &stop, &swaps));
        }
        let times = label(&tables, nets);
        stop.store(true, Ordering::Relaxed);
        times
    });
    let name = if swapping { "swapping all the time" } else { "no swaps" };
    format!(
        "{name:24} {:>11.2} {:>7.2} {:>7.2} {:>12.2} {:>7.2} {:>7}",
        at(&cpu, 0.5),
        at(&cpu, 0.999),
        at(&cpu, 1.0),
        at(&wall, 0.999),
        at(&wall, 1.0),
        swaps.load(Ordering::Relaxed),
    )
}

/// As the table keeper does it: the old tables are freed here, once the worker has let go.
fn swap(sources: &Sources, tables: &ArcSwap<Tables>, stop: &AtomicBool, swaps: &AtomicU64) {
    let mut retired: Vec<Arc<Tables>> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let fresh = Arc::new(Tables::build(sources).expect("in bounds"));
        retired.push(tables.swap(fresh));
        retired.retain(|old| Arc::strong_count(old) > 1);
        swaps.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sorted microseconds of processor and wall time of every chunk.
fn label(tables: &Arc<ArcSwap<Tables>>, nets: &[IpNet]) -> (Vec<f64>, Vec<f64>) {
    let mut tables = Cache::new(Arc::clone(tables));
    let (mut rows, mut labels) = (Rows::with_capacity(ROWS), Labels::default());
    for _ in 0..ROWS {
        let _ = rows.push();
    }
    let addresses: Vec<IpAddr> = synthetic::addresses(nets, 1 << 20, true, 5).collect();
    let mut addresses = addresses.into_iter().cycle();
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < RUN {
        for flow in rows.as_mut_slice() {
            for field in [Field::SrcAddr, Field::DstAddr] {
                flow.set_ip(field, addresses.next().expect("it cycles"));
            }
        }
        let (started, used) = (Instant::now(), thread_us());
        tables.load().label(&mut rows, &mut labels);
        cpu.push(thread_us() - used);
        wall.push(started.elapsed().as_secs_f64() * 1e6);
    }
    cpu.sort_by(f64::total_cmp);
    wall.sort_by(f64::total_cmp);
    (cpu, wall)
}

fn thread_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn at(sorted: &[f64], quantile: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * quantile) as usize]
}
