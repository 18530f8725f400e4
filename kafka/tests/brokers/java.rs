//! Java is the last word on what lies in a topic: its consumer reads the same from both transports, and
//! its `DumpLogSegments` finds every batch whole and numbered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::either_layout;
use neckar_kafka::{Producer, ProducerConfig, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow};
use xtask::kafka::{Broker, create_topic, java_consumer};

const BATCH_FLOWS: u64 = 2000;
const BATCHES: u64 = 5;
const FLOWS: u64 = BATCH_FLOWS * BATCHES;

/// Numbered, with bits that do not repeat, so that compression has work to do.
fn batch(turn: u64) -> Arc<Batch> {
    let layout = either_layout(turn);
    let mut batch = Batch::with_capacity(BATCH_FLOWS as usize, 1 << 20).laid_out(layout);
    for index in turn * BATCH_FLOWS..(turn + 1) * BATCH_FLOWS {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, 1 + index);
        flow.set(Field::TimeReceivedNs, 1_700_000_000_000_000_000);
        flow.set(Field::Packets, index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

fn produce(brokers: &str, transport: Transport, compression: &str) -> String {
    let topic = format!("java-{transport:?}-{compression}");
    create_topic(brokers, &topic, 1).unwrap();
    let properties = BTreeMap::from([("enable.idempotence".into(), "true".into())]);
    let config = ProducerConfig {
        transport,
        brokers: vec![brokers.into()],
        compression: compression.into(),
        derived: properties,
        ..ProducerConfig::default()
    };
    let config =
        ProducerConfig { properties: BTreeMap::from([("acks".into(), "all".into())]), ..config };
    let producer = Producer::new(&config).unwrap();
    let mut lane = producer.topic(&topic);
    for turn in 0..BATCHES {
        let mut refused = Vec::new();
        lane.submit(&batch(turn), &mut refused);
        assert!(refused.is_empty());
        // A batch of its own each time, in order.
        let started = Instant::now();
        while producer.counts().in_flight > 0 {
            assert!(started.elapsed() < Duration::from_secs(30), "{:?}", producer.counts());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert_eq!(producer.counts().delivered, FLOWS);
    topic
}

/// The value behind `name: ` in a line of the dump.
fn value<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) =
        line.split_once(&format!("{name}: ")).unwrap_or_else(|| panic!("{name}: {line}"));
    rest.split_whitespace().next().unwrap()
}

/// Every batch is good, compressed as asked for, and numbered where the last one ended.
fn check_dump(dump: &str, compression: &str) {
    let batches: Vec<&str> = dump.lines().filter(|line| line.starts_with("baseOffset:")).collect();
    assert!(batches.len() as u64 >= BATCHES, "{dump}");
    let (mut next, mut ids) = (0, std::collections::BTreeSet::new());
    for line in batches {
        assert_eq!(value(line, "isvalid"), "true", "{line}");
        assert_eq!(value(line, "magic"), "2");
        assert_eq!(value(line, "compresscodec").to_lowercase(), compression, "{line}");
        assert_eq!(value(line, "baseSequence"), next.to_string(), "{line}");
        assert_eq!(value(line, "baseOffset"), next.to_string(), "{line}");
        next += value(line, "count").parse::<u64>().unwrap();
        ids.insert(value(line, "producerId").to_owned());
    }
    assert_eq!((next, ids.len()), (FLOWS, 1));
    assert!(!ids.contains("-1"), "idempotent");
    // Decompressed by Java, one by one.
    assert_eq!(
        dump.lines().filter(|line| line.trim_start().starts_with("| offset:")).count() as u64,
        FLOWS
    );
}

#[test]
fn java_finds_the_same_in_topics_of_both_transports() {
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let native = produce(&brokers, Transport::Native, compression);
        check_dump(&broker.dump_log(&native, 0).unwrap(), compression);
        if compression == "none" || compression == "lz4" {
            let librdkafka = produce(&brokers, Transport::Librdkafka, compression);
            let ours = java_consumer(&brokers, &native, FLOWS as usize).unwrap();
            assert_eq!(ours.len() as u64, FLOWS);
            assert_eq!(ours, java_consumer(&brokers, &librdkafka, FLOWS as usize).unwrap());
        }
    }
}
