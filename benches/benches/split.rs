//! What customers' copies cost: the splitter into a real Kafka, from one customer to a thousand, beside
//! producing the same flows once.
//!
//! Processor time of the whole process per flow (user and system, all threads), at a steady 100,000
//! flows/s once it runs, each flow the copy of one customer. The cases take turns, round by round; the
//! median is told. `NECKAR_KAFKA=host:port` names a broker that runs already.
//! `cargo bench -p neckar-benches --bench split [-- 'Native 1000' [flows a second]]`
#![allow(missing_docs, reason = "a bench has no API")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use neckar_kafka::{Producer, ProducerConfig, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Layout};
use neckard::config::{Split, SplitBy};
use neckard::splitter::{Splitter, SplitterCounts, SplitterParts};
use rustix::time::{ClockId, clock_gettime};
use xtask::kafka::Broker;

/// The daemon's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FLOWS_PER_SECOND: f64 = 100_000.0;
const BATCH_FLOWS: usize = 2048;
/// Before anything is measured: topics are made, connections opened, memory met for the first time.
const WARM_UP_SECONDS: f64 = 3.0;
/// In each run.
const BATCHES: usize = 500;
const QUEUE_BATCHES: usize = 150;
const ROUNDS: usize = 3;
/// Customers; 0 is no splitter, but a second topic of all flows.
const CUSTOMERS: [u32; 5] = [0, 1, 10, 100, 1000];
const TRANSPORTS: [Transport; 2] = [Transport::Native, Transport::Librdkafka];
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let given = std::env::var("NECKAR_KAFKA").ok();
    let own = given.is_none().then(|| Broker::start().expect("Kafka starts"));
    let brokers = given.or(own.as_ref().map(Broker::address)).expect("one of both is there");
    let of = |transport| CUSTOMERS.map(|customers| (transport, customers));
    // cargo gives `--bench`; words of ours have no dashes: only cases whose name has the first, and at
    // what rate.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-'));
    let word = words.next().unwrap_or_default();
    let rate = words.next().map_or(FLOWS_PER_SECOND, |rate| rate.parse().expect("flows a second"));
    let is_wanted = |case: &(Transport, u32)| format!("{:?} {}", case.0, case.1).contains(&word);
    let cases: Vec<(Transport, u32)> =
        TRANSPORTS.into_iter().flat_map(of).filter(is_wanted).collect();
    let mut figures = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for ((transport, customers), figures) in cases.iter().zip(&mut figures) {
            figures.push(run(*transport, *customers, &brokers, rate));
        }
    }
    println!(
        "| transport | customers | ns per copy (lowest to highest) | of producing once more |\n\
         | --- | --- | --- | --- |"
    );
    let mut once = f64::NAN;
    for ((transport, customers), figures) in cases.iter().zip(&mut figures) {
        figures.sort_by(f64::total_cmp);
        let median = figures[ROUNDS / 2];
        let (low, high) = (figures[0], figures[ROUNDS - 1]);
        if *customers == 0 {
            once = median;
        }
        let times = median / once;
        println!(
            "| {transport:?} | {customers} | {median:.0} ({low:.0} to {high:.0}) | {times:.2} |"
        );
    }
}

/// Nanoseconds of processor time per flow.
fn run(transport: Transport, customers: u32, brokers: &str, rate: f64) -> f64 {
    let split = Split {
        cids: (1..=customers).collect(),
        by: SplitBy::Src,
        topic_prefix: format!("bench-split-{customers}"),
        queue_batches: QUEUE_BATCHES,
        ..Split::default()
    };
    let config =
        ProducerConfig { transport, brokers: vec![brokers.into()], ..ProducerConfig::default() };
    let producer = Arc::new(Producer::new(&config).expect("good settings"));
    let batches = batches(customers.max(1));
    let counts = Arc::new(SplitterCounts::default());
    let parts = SplitterParts {
        wishes: Vec::new(),
        // So that the queue is as long as it says.
        batches: 4 * QUEUE_BATCHES,
        packed_bytes: 1 << 18,
        producer: Arc::clone(&producer),
        topics: None,
        counts: Arc::clone(&counts),
    };
    let splitter = Splitter::start(&split, parts);
    let splitter = splitter.expect("a thread");
    let sender = splitter.sender();
    let mut topic = producer.topic("bench-split");
    let mut refused = Vec::new();
    let mut hand_over = |batch: &Arc<Batch>| match customers {
        0 => topic.submit(batch, &mut refused),
        _ => sender.send(Arc::clone(batch)).expect("it runs"),
    };
    let warm_up = (WARM_UP_SECONDS * rate) as usize / BATCH_FLOWS;
    let (started, mut before) = (Instant::now(), Duration::ZERO);
    for (index, batch) in batches.iter().cycle().take(warm_up + BATCHES).enumerate() {
        if index == warm_up {
            before = processor_time();
        }
        hand_over(batch);
        let due = Duration::from_secs_f64((index * BATCH_FLOWS) as f64 / rate);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
    }
    let spent = processor_time() - before;
    drop(sender);
    splitter.stop();
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0, "all delivered");
    let counts = producer.counts();
    assert_eq!(counts.delivered, ((warm_up + BATCHES) * BATCH_FLOWS) as u64);
    spent.as_nanos() as f64 / (BATCHES * BATCH_FLOWS) as f64
}

/// Flows of 130 bytes, customers taking turns at random.
fn batches(customers: u32) -> Vec<Arc<Batch>> {
    let mut random = 1_u64;
    let mut batches = Vec::new();
    for _ in 0..16 {
        let batch = Batch::with_capacity(BATCH_FLOWS, 1 << 20);
        let mut batch = batch.laid_out(Layout::Records);
        for _ in 0..BATCH_FLOWS {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut flow = Flow::default();
            flow.set(Field::SrcCid, 1 + (random >> 33) % u64::from(customers));
            for field in Field::all().filter(|field| field.is_word()).take(20) {
                if field != Field::SrcCid {
                    flow.set(field, random >> 40);
                }
            }
            flow.set_v4(Field::SrcAddr, (random as u32).to_be_bytes());
            flow.set_v4(Field::DstAddr, (!random as u32).to_be_bytes());
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
        }
        batches.push(Arc::new(batch));
    }
    batches
}

/// User and system time of this process so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
