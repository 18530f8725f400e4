//! The producer against librdkafka's own mock cluster: every flow is delivered, failed or in
//! flight, and batches come free.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{on_both, producer};
use neckar_kafka::{Consumer, ConsumerConfig, ProducerConfig, ProducerCounts, Topic, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Rows};
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

fn check_sum(counts: &ProducerCounts) {
    assert_eq!(counts.submitted, counts.delivered + counts.failed + counts.in_flight);
    assert_eq!(counts.failed, counts.errors.values().sum::<u64>());
}

fn every_flow_arrives_once_and_the_batch_comes_free(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let producer = producer(transport, &brokers, &[]);
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
    let mut bytes = read(&brokers, TOPIC);
    bytes.sort_unstable();
    assert!(bytes.into_iter().eq(1..=100_000), "each flow once, with its own bytes");
}

/// `Bytes` of all flows in the topic.
fn read(brokers: &str, topic: &str) -> Vec<u64> {
    let config = ConsumerConfig {
        brokers: brokers.split(',').map(str::to_string).collect(),
        group: "test".into(),
        ..ConsumerConfig::default()
    };
    let mut rows = Rows::default();
    let consumer = Consumer::new(&config).unwrap();
    let patience = Duration::from_secs(30);
    consumer.read_all(topic, patience, |record| record.read(&mut rows).unwrap()).unwrap();
    rows.as_slice().iter().map(|flow| flow.word_or_zero(Field::Bytes)).collect()
}

fn chosen_flows_of_one_batch_go_to_many_topics(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let producer = producer(transport, &brokers, &[]);
    let batch = batch(0, 3000);
    let names = ["thirds-0", "thirds-1", "thirds-2"];
    for (index, name) in names.iter().enumerate() {
        cluster.create_topic(name, 2, 1).unwrap();
        let flows: Vec<u32> = (0..3000).filter(|flow| flow % 3 == index as u32).collect();
        let mut refused = Vec::new();
        producer.topic(name).submit_some(&batch, flows.into_iter(), &mut refused);
        assert!(refused.is_empty());
    }
    assert!(Arc::strong_count(&batch) > 1, "three topics hold it");
    assert_eq!(producer.finish(Instant::now() + Duration::from_secs(20)), 0);
    check_sum(&producer.counts());
    assert_eq!(producer.counts().delivered, 3000);
    assert_eq!(Arc::strong_count(&batch), 1);
    for (index, name) in names.iter().enumerate() {
        let mut bytes = read(&brokers, name);
        bytes.sort_unstable();
        // `Bytes` counts from 1, flows from 0.
        assert!(bytes.into_iter().eq((1..=3000).filter(|one| (one - 1) % 3 == index as u64)));
    }
}

fn many_threads_submit_and_the_sum_holds_at_every_look(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    // A small queue: some flows come back and are submitted again.
    let producer = producer(transport, &brokers, &[("queue.buffering.max.messages", "2000")]);
    let flows = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let mut topic = producer.topic(TOPIC);
                scope.spawn(move || push(&mut topic, thread * 20_000, 20_000))
            })
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            check_sum(&producer.counts());
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    assert_eq!(producer.finish(Instant::now() + Duration::from_secs(30)), 0);
    let counts = producer.counts();
    check_sum(&counts);
    assert_eq!((counts.delivered, flows), (60_000, 60_000));
    assert!(counts.queue_full > 0, "the queue was never full: nothing was tried again");
    let mut bytes = read(&brokers, TOPIC);
    bytes.sort_unstable();
    assert!(bytes.into_iter().eq(1..=60_000), "each once, refused or not");
}

/// Submits until all are taken.
fn push(topic: &mut Topic, first: u64, count: usize) -> u64 {
    let batch = batch(first, count);
    let (mut flows, mut refused) = ((0..count as u32).collect::<Vec<_>>(), Vec::new());
    while !flows.is_empty() {
        topic.submit_some(&batch, flows.drain(..), &mut refused);
        std::mem::swap(&mut flows, &mut refused);
        std::thread::sleep(Duration::from_millis(1));
    }
    count as u64
}

fn a_full_queue_gives_the_flows_back(transport: Transport) {
    // No broker: nothing leaves the queue.
    let producer = producer(transport, "127.0.0.1:1", &[("queue.buffering.max.messages", "1000")]);
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

fn a_flow_that_is_too_large_fails_alone(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let producer =
        producer(transport, &cluster.bootstrap_servers(), &[("message.max.bytes", "1000")]);
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
    // As Java's clients take it; and a slip of the pen. librdkafka's own words have name and value.
    let jaas =
        "org.apache.kafka.common.security.plain.PlainLoginModule required password=\"hunter2\";";
    for (name, value) in [("sasl.jaas.config", jaas), ("sasl_password", "hunter2")] {
        let properties = BTreeMap::from([(name.to_string(), value.to_string())]);
        let config = ProducerConfig { properties, ..ProducerConfig::default() };
        let said = config.check().expect_err("librdkafka has no such property").to_string();
        assert!(said.contains(name) && !said.contains("hunter2"), "{said}");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}

fn no_broker_is_trouble_that_names_it(transport: Transport) {
    let producer = producer(transport, "127.0.0.1:1", &[]);
    let _topic = producer.topic(TOPIC);
    let started = Instant::now();
    while producer.counts().trouble.is_none() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let trouble = producer.counts().trouble.expect("told within 20 s");
    assert!(trouble.contains("127.0.0.1:1"), "{trouble}");
}

fn a_topic_knows_its_own_flows_and_how_long_it_is_silent(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let producer = producer(transport, &brokers, &[]);
    cluster.create_topic("leaderless", 1, 1).unwrap();
    cluster.partition_leader("leaderless", 0, None).unwrap();
    let (mut good, mut silent) = (producer.topic(TOPIC), producer.topic("leaderless"));
    let (one, other) = (batch(0, 1000), batch(1000, 500));
    let mut refused = Vec::new();
    good.submit(&one, &mut refused);
    silent.submit(&other, &mut refused);
    let started = Instant::now();
    while good.counts().in_flight > 0 || silent.silence() < Duration::from_millis(200) {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    let counts = good.counts();
    assert_eq!((counts.submitted, counts.delivered, counts.bytes_in_flight), (1000, 1000, 0));
    assert_eq!(good.silence(), Duration::ZERO);
    let counts = silent.counts();
    assert_eq!((counts.submitted, counts.in_flight), (500, 500));
    // With the flows' lengths or without.
    let bytes: usize = other.flows().map(<[u8]>::len).sum();
    let known = bytes as u64..=other.bytes().len() as u64;
    assert!(known.contains(&counts.bytes_in_flight), "{counts:?}");
    assert_eq!(producer.finish(Instant::now()), 500);
    let counts = silent.counts();
    assert_eq!((counts.failed, counts.in_flight, counts.bytes_in_flight), (500, 0, 0));
    check_sum(&producer.counts());
}

/// Whatever outlives the producer is answered for all the same.
fn flows_that_come_after_the_end_are_counted(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let producer = producer(transport, &cluster.bootstrap_servers(), &[]);
    let mut topic = producer.topic(TOPIC);
    drop(producer);
    let batch = batch(0, 10);
    let mut refused = Vec::new();
    topic.submit(&batch, &mut refused);
    assert!(refused.is_empty());
    assert_eq!((topic.counts().failed, topic.counts().in_flight), (10, 0));
    assert_eq!(Arc::strong_count(&batch), 1);
}

/// None of them is taken by a queue that nobody reads any more.
fn flows_that_come_as_the_producer_ends_are_counted(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 3, 1).unwrap();
    for _ in 0..10 {
        let producer = producer(transport, &cluster.bootstrap_servers(), &[]);
        let (batch, ended) = (batch(0, 10), AtomicBool::new(false));
        let submit = |mut topic: Topic| {
            let mut refused = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                topic.submit(&batch, &mut refused);
            }
            topic.books()
        };
        let books: Vec<_> = std::thread::scope(|scope| {
            let topics = [(); 3].map(|()| producer.topic(TOPIC));
            let threads = topics.map(|topic| scope.spawn(move || submit(topic)));
            std::thread::sleep(Duration::from_millis(20));
            drop(producer);
            ended.store(true, Ordering::Relaxed);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for books in books {
            let counts = books.counts();
            assert_eq!((counts.in_flight, counts.bytes_in_flight), (0, 0), "{counts:?}");
            assert_eq!(counts.submitted, counts.delivered + counts.failed);
        }
        assert_eq!(Arc::strong_count(&batch), 1);
    }
}

on_both! {
    every_flow_arrives_once_and_the_batch_comes_free,
    chosen_flows_of_one_batch_go_to_many_topics,
    many_threads_submit_and_the_sum_holds_at_every_look,
    a_full_queue_gives_the_flows_back,
    a_flow_that_is_too_large_fails_alone,
    no_broker_is_trouble_that_names_it,
    a_topic_knows_its_own_flows_and_how_long_it_is_silent,
    flows_that_come_after_the_end_are_counted,
    flows_that_come_as_the_producer_ends_are_counted,
}
