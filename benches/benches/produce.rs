//! What a flow into a real Kafka costs the process that produces it: the native transport beside ways
//! to hand it to librdkafka, compressions, and the settings that our defaults were chosen by.
//!
//! Processor time of the whole process (user and system, all threads of the transport included), from
//! the first flow submitted to the last one acknowledged. No criterion: time on the wall says what
//! the broker does, which runs beside on the same cores. The cases take turns, round by round, and
//! the median of the rounds is told, so that a noisy neighbour hits them all.
//!
//! `NECKAR_KAFKA=host:port` names a broker that runs already. Writes `target/bench/produce.json`.
//! `cargo xtask bench produce [WORD]`: only cases whose name has the word.
#![allow(missing_docs, reason = "a bench has no API")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_enrich::sources::customers;
use neckar_enrich::{Labels, Sources, Tables};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use neckar_kafka::{Framing, Producer, ProducerConfig, Topic, TopicOptions, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Layout, Rows};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use xtask::kafka::{Broker, create_topic};

const NOW_NS: u64 = 1_700_000_000_000_000_000;
const PARTITIONS: u32 = 4;
/// As the daemon's batches are.
const BATCH_FLOWS: usize = 2048;
/// Distinct flows: far more than a compressor's window sees.
const BATCHES: usize = 32;
/// Flows per run at full speed, and at a rate.
const FLOWS: u64 = 500_000;
const PACED_FLOWS: u64 = 200_000;
const ROUNDS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

/// How flows are handed over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// rdkafka's own call, one per flow; it copies and has librdkafka choose the partition.
    Send,
    /// `rd_kafka_produce_batch`, not copying; we choose the partition or librdkafka does.
    Batch { assign: bool },
    /// Record batches of our own.
    Native,
}

/// What the daemon does with librdkafka.
const OURS: Way = Way::Batch { assign: true };

struct Case {
    name: &'static str,
    way: Way,
    compression: &'static str,
    framing: Framing,
    /// Of the batches, as the daemon has them unless said otherwise.
    layout: Layout,
    /// Flows per second; 0 is as fast as it goes.
    rate: u64,
    properties: &'static [(&'static str, &'static str)],
}

const fn case(name: &'static str, way: Way, compression: &'static str) -> Case {
    let (framing, layout) = (Framing::Bare, Layout::Delimited);
    Case { name, way, compression, framing, layout, rate: 0, properties: &[] }
}

const fn framed(name: &'static str, framing: Framing, compression: &'static str) -> Case {
    Case { framing, ..case(name, OURS, compression) }
}

const fn native(name: &'static str, framing: Framing, compression: &'static str) -> Case {
    let layout = match framing {
        Framing::Bare => Layout::Records,
        Framing::Delimited | Framing::Packed => Layout::Delimited,
    };
    Case { framing, layout, ..case(name, Way::Native, compression) }
}

const fn with(name: &'static str, properties: &'static [(&'static str, &'static str)]) -> Case {
    Case { properties, ..case(name, OURS, "none") }
}

const fn paced(name: &'static str, properties: &'static [(&'static str, &'static str)]) -> Case {
    Case { rate: 100_000, properties, ..case(name, OURS, "none") }
}

const CASES: &[Case] = &[
    case("send", Way::Send, "none"),
    native("native", Framing::Bare, "none"),
    Case { layout: Layout::Delimited, ..native("native, copied", Framing::Bare, "none") },
    case("batch, librdkafka's partition", Way::Batch { assign: false }, "none"),
    case("batch, our partition", OURS, "none"),
    case("send, lz4", Way::Send, "lz4"),
    native("native, lz4", Framing::Bare, "lz4"),
    native("native, snappy", Framing::Bare, "snappy"),
    native("native, zstd", Framing::Bare, "zstd"),
    native("native, gzip", Framing::Bare, "gzip"),
    native("native, packed", Framing::Packed, "none"),
    native("native, packed, lz4", Framing::Packed, "lz4"),
    Case {
        properties: &[("acks", "all"), ("enable.idempotence", "true")],
        ..native("native, idempotence", Framing::Bare, "none")
    },
    Case { rate: 100_000, ..native("native, 100k/s", Framing::Bare, "none") },
    case("batch, our partition, lz4", OURS, "lz4"),
    case("batch, our partition, snappy", OURS, "snappy"),
    case("batch, our partition, zstd", OURS, "zstd"),
    case("batch, our partition, gzip", OURS, "gzip"),
    framed("delimited", Framing::Delimited, "none"),
    framed("packed", Framing::Packed, "none"),
    framed("packed, lz4", Framing::Packed, "lz4"),
    framed("packed, zstd", Framing::Packed, "zstd"),
    with("acks=all", &[("acks", "all")]),
    with("idempotence", &[("acks", "all"), ("enable.idempotence", "true")]),
    with("max.in.flight=5", &[("max.in.flight", "5")]),
    with("batch.size=100000", &[("batch.size", "100000")]),
    with("batch.size=300000", &[("batch.size", "300000")]),
    paced("100k/s, linger.ms=5", &[("linger.ms", "5")]),
    paced("100k/s, linger.ms=20", &[("linger.ms", "20")]),
    paced("100k/s, linger.ms=100", &[("linger.ms", "100")]),
    paced("100k/s, idempotence", &[("acks", "all"), ("enable.idempotence", "true")]),
];

fn main() {
    // cargo gives `--bench`; a word of ours has no dashes.
    let word = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name.contains(&word)).collect();
    let given = std::env::var("NECKAR_KAFKA").ok();
    let own = given.is_none().then(|| Broker::start().expect("Kafka starts"));
    let brokers = given.or(own.as_ref().map(Broker::address)).expect("one of both is there");
    let topic = format!("bench-produce-{}", std::process::id());
    create_topic(&brokers, &topic, PARTITIONS).expect("a fresh topic");
    let [delimited, records] = [Layout::Delimited, Layout::Records].map(batches);
    let bytes: usize = delimited.iter().map(|batch| batch.bytes().len()).sum();
    println!("{:.1} bytes a flow", bytes as f64 / (BATCHES * BATCH_FLOWS) as f64);
    let mut figures = vec![Vec::new(); cases.len()];
    for _ in 0..ROUNDS {
        for (case, figures) in cases.iter().zip(&mut figures) {
            let batches = match case.layout {
                Layout::Delimited => &delimited,
                Layout::Records => &records,
            };
            figures.push(run(case, &brokers, &topic, batches));
        }
    }
    tell(&cases, &mut figures);
}

/// Processor time of one run, in nanoseconds per flow.
fn run(case: &Case, brokers: &str, topic: &str, batches: &[Arc<Batch>]) -> f64 {
    let given = case.properties.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let transport = match case.way {
        Way::Native => Transport::Native,
        _ => Transport::Librdkafka,
    };
    let config = ProducerConfig {
        transport,
        brokers: vec![brokers.into()],
        compression: case.compression.into(),
        properties: given.collect(),
        ..ProducerConfig::default()
    };
    let (flows, used) = match case.way {
        Way::Send => run_send(&config, topic, batches),
        way => {
            let producer = Producer::new(&config).expect("good settings");
            let options = TopicOptions { framing: case.framing, ..TopicOptions::default() };
            let mut topic = producer.topic_as(topic, options);
            while !topic.is_known() {
                std::thread::sleep(Duration::from_millis(10));
            }
            if way == (Way::Batch { assign: false }) {
                topic.leave_choice();
            }
            run_batches(case.rate, &producer, &mut topic, batches)
        }
    };
    used.as_nanos() as f64 / flows as f64
}

fn run_batches(
    rate: u64,
    producer: &Producer,
    topic: &mut Topic,
    batches: &[Arc<Batch>],
) -> (u64, Duration) {
    let flows = if rate == 0 { FLOWS } else { PACED_FLOWS };
    let mut refused = Vec::new();
    // Connections to every leader are not what is measured.
    for batch in &batches[..PARTITIONS as usize] {
        topic.submit(batch, &mut refused);
    }
    while producer.counts().in_flight > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (before, started) = (processor_time(), Instant::now());
    let mut submitted = 0;
    for batch in batches.iter().cycle() {
        topic.submit(batch, &mut refused);
        assert!(refused.is_empty(), "the queue has room for a run");
        submitted += batch.len() as u64;
        if submitted >= flows {
            break;
        }
        if rate > 0 {
            let due = Duration::from_secs_f64(submitted as f64 / rate as f64);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
        }
    }
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0, "all delivered");
    assert_eq!(producer.counts().failed, 0, "none refused");
    (submitted, processor_time() - before)
}

/// Counts what arrives.
struct Arrivals(Arc<AtomicU64>);

impl ClientContext for Arrivals {}

impl ProducerContext for Arrivals {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        assert!(result.is_ok(), "delivered");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn run_send(config: &ProducerConfig, topic: &str, batches: &[Arc<Batch>]) -> (u64, Duration) {
    let arrived = Arc::new(AtomicU64::new(0));
    let config = config.check().expect("good settings");
    let producer: BaseProducer<Arrivals> =
        config.create_with_context(Arrivals(Arc::clone(&arrived))).expect("good settings");
    let send = |batch: &Batch| {
        for flow in batch.flows() {
            let mut record = BaseRecord::<(), [u8]>::to(topic).payload(flow);
            while let Err((error, back)) = producer.send(record) {
                assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
                producer.poll(Duration::from_millis(1));
                record = back;
            }
        }
        // Once a batch: the cheapest way to take reports that the wrapper has.
        producer.poll(Duration::ZERO);
    };
    send(&batches[0]);
    producer.flush(PATIENCE).expect("delivered");
    arrived.store(0, Ordering::Relaxed);
    let before = processor_time();
    let mut submitted = 0;
    for batch in batches.iter().cycle() {
        send(batch);
        submitted += batch.len() as u64;
        if submitted >= FLOWS {
            break;
        }
    }
    producer.flush(PATIENCE).expect("delivered");
    assert_eq!(arrived.load(Ordering::Relaxed), submitted, "all delivered");
    (submitted, processor_time() - before)
}

/// User and system time of this process so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Flows of synthetic routers, decoded, labelled and encoded as the daemon does.
fn batches(layout: Layout) -> Vec<Arc<Batch>> {
    let mut sources = Sources::default();
    let csv = neckar_export::customers_csv();
    let list = customers::parse("customers.csv".as_ref(), csv.as_bytes()).expect("our own");
    sources.prefixes.push(Arc::new(list));
    let (tables, mut labels) = (Tables::build(&sources).expect("a small table"), Labels::default());
    let mut decoder = Decoder::new(Config::default(), Arc::new(Shared::new(Config::default())));
    let mut fleet = Fleet::new(&[Protocol::V9], 100, 1);
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    let fresh = || Batch::with_capacity(BATCH_FLOWS, 1 << 20).laid_out(layout);
    let mut batches = vec![fresh()];
    while batches.len() <= BATCHES {
        let (router, made) = fleet.datagram(NOW_NS, &mut bytes);
        let exporter = [192, 0, 2, router as u8].into();
        let bytes = &bytes[..made.bytes];
        let datagram = Datagram { exporter, port: 2055, received_ns: NOW_NS, bytes };
        decoder.decode(datagram, &mut |rows: &mut Rows| {
            tables.label(rows, &mut labels);
            for (index, flow) in rows.as_slice().iter().enumerate() {
                let labels = labels.of(index);
                let open = batches.last_mut().expect("there is always one");
                // The flow that finds a batch full is left out: there are enough.
                if !open.push(&BWNETFLOW, flow, rows.texts(), &labels) {
                    batches.push(fresh());
                }
            }
        });
    }
    batches.into_iter().take(BATCHES).map(Arc::new).collect()
}

fn tell(cases: &[&Case], figures: &mut [Vec<f64>]) {
    let mut medians = BTreeMap::new();
    println!("| case | ns per flow (lowest to highest) | of send |\n| --- | --- | --- |");
    for (case, figures) in cases.iter().zip(figures) {
        figures.sort_by(f64::total_cmp);
        let median = figures[figures.len() / 2];
        medians.insert(case.name, median);
        let base = if case.compression == "none" { "send" } else { "send, lz4" };
        let ratio = medians.get(base).map_or("-".into(), |base| format!("{:.2}", median / base));
        let (low, high) = (figures[0], figures[figures.len() - 1]);
        println!("| {} | {median:.0} ({low:.0} to {high:.0}) | {ratio} |", case.name);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("produce.json"), json!(medians).to_string()));
    written.expect("target/ can be written to");
}
