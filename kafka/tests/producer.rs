//! The producer against librdkafka's own mock cluster: every flow is delivered, failed or in
//! flight, and batches come free.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neckar_kafka::{Producer, ProducerConfig, ProducerCounts};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Rows};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;

const TOPIC: &str = "flows";

/// `count` flows that differ in their `Bytes`, counting from `first`.
fn batch(first: u64, count: usize) -> Arc<Batch> {
    let mut batch = Batch::with_capacity(count, 1 << 20);
    for index in 0..count {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, 1 + first + index as u64);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

fn producer(brokers: &str, properties: &[(&str, &str)]) -> Producer {
    let properties: BTreeMap<String, String> =
        properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let brokers = brokers.split(',').map(str::to_string).collect();
    Producer::new(&ProducerConfig { brokers, properties, ..ProducerConfig::default() }).unwrap()
}

fn check_sum(counts: &ProducerCounts) {
    assert_eq!(counts.submitted, counts.delivered + counts.failed + counts.in_flight);
    assert_eq!(counts.failed, counts.errors.values().sum::<u64>());
}

#[test]
fn every_flow_arrives_once_and_the_batch_comes_free() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let producer = producer(&brokers, &[]);
    let mut topic = producer.topic(TOPIC);
    let batches: Vec<_> = (0..20).map(|index| batch(index * 5000, 5000)).collect();
    let mut refused = Vec::new();
    for batch in &batches {
        topic.submit(batch, &mut refused);
    }
    assert!(refused.is_empty());
    assert_eq!(producer.finish(Instant::now() + Duration::from_secs(20)), 0);
    let counts = producer.counts();
    check_sum(&counts);
    assert_eq!((counts.delivered, counts.failed), (100_000, 0));
    for batch in &batches {
        assert_eq!(Arc::strong_count(batch), 1, "nobody holds a batch that is delivered");
    }
    let mut bytes: Vec<u64> = read(&brokers, 100_000);
    bytes.sort_unstable();
    assert!(bytes.into_iter().eq(1..=100_000), "each flow once, with its own bytes");
}

fn read(brokers: &str, count: usize) -> Vec<u64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("group.id", "test");
    config.set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    let mut rows = Rows::default();
    let started = Instant::now();
    while rows.len() < count && started.elapsed() < Duration::from_secs(30) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            neckar_proto::decode::decode(message.payload().unwrap(), &mut rows).unwrap();
        }
    }
    rows.as_slice().iter().map(|flow| flow.word_or_zero(Field::Bytes)).collect()
}

#[test]
fn a_full_queue_gives_the_flows_back() {
    // No broker: nothing leaves the queue.
    let producer = producer("127.0.0.1:1", &[("queue.buffering.max.messages", "1000")]);
    let mut topic = producer.topic(TOPIC);
    let batch = batch(0, 3000);
    let mut refused = Vec::new();
    topic.submit(&batch, &mut refused);
    let counts = producer.counts();
    check_sum(&counts);
    assert_eq!(counts.submitted + refused.len() as u64, 3000);
    assert_eq!(refused, (1000..3000).collect::<Vec<u32>>());
    assert!(counts.queue_full > 0);
    // What never got out is counted as failed when time is up, and the batch is free.
    assert_eq!(producer.finish(Instant::now()), 1000);
    let counts = producer.counts();
    check_sum(&counts);
    assert_eq!((counts.delivered, counts.failed, counts.in_flight), (0, 1000, 0));
    assert_eq!(Arc::strong_count(&batch), 1);
}

#[test]
fn a_flow_that_is_too_large_fails_alone() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let producer = producer(&cluster.bootstrap_servers(), &[("message.max.bytes", "1000")]);
    let mut topic = producer.topic(TOPIC);
    let mut rows = Rows::default();
    for len in [10, 255, 10] {
        rows.push();
        let index = rows.len() - 1;
        for field in
            [Field::Note, Field::SrcIfDesc, Field::DstIfDesc, Field::SrcIfName, Field::DstIfName]
        {
            rows.set_text(index, field, &vec![b'x'; len]);
        }
    }
    let mut batch = Batch::with_capacity(8, 1 << 16);
    for flow in rows.as_slice() {
        assert!(batch.push(&BWNETFLOW, flow, rows.texts(), &[]));
    }
    topic.submit(&Arc::new(batch), &mut Vec::new());
    producer.finish(Instant::now() + Duration::from_secs(20));
    let counts = producer.counts();
    check_sum(&counts);
    assert_eq!((counts.delivered, counts.failed), (2, 1));
    assert_eq!(counts.errors.get("MessageSizeTooLarge"), Some(&1), "{:?}", counts.errors);
}

#[test]
fn an_unknown_property_is_named() {
    let properties = BTreeMap::from([("lingre.ms".to_string(), "5".to_string())]);
    let config = ProducerConfig { properties, ..ProducerConfig::default() };
    let error = config.check().unwrap_err();
    assert_eq!((error.property.as_str(), error.value.as_str()), ("lingre.ms", "5"));
}

#[test]
fn a_secret_is_not_shown() {
    let properties = BTreeMap::from([("ssl.key.password".to_string(), "hunter2".to_string())]);
    let config = ProducerConfig { properties, ..ProducerConfig::default() };
    // Taken or refused, it must not appear.
    let said = config.check().map(|_| String::new()).unwrap_or_else(|error| error.to_string());
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn no_broker_is_trouble_that_names_it() {
    let producer = producer("127.0.0.1:1", &[]);
    let _topic = producer.topic(TOPIC);
    let started = Instant::now();
    while producer.counts().trouble.is_none() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let trouble = producer.counts().trouble.expect("told within 20 s");
    assert!(trouble.contains("127.0.0.1:1"), "{trouble}");
}
