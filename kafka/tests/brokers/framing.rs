//! Framings and keys against librdkafka's mock cluster: every flow is in one message, where its key
//! belongs, and counted once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{either_layout, on_both, producer};
use neckar_kafka::{Consumer, ConsumerConfig, Framing, Producer, Topic, TopicOptions, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Keying, Rows};
use rdkafka::mocking::MockCluster;

const TOPIC: &str = "flows";
const PARTITIONS: i32 = 5;
const PACKED_BYTES: usize = 1000;

/// One message as it was read.
struct Message {
    partition: i32,
    key: Vec<u8>,
    /// `Bytes` of its flows.
    flows: Vec<u64>,
    len: usize,
}

/// `count` flows that differ in `Bytes`, of ten customers that take turns.
fn batch(first: u64, count: usize, keying: Keying) -> Arc<Batch> {
    let layout = either_layout(first / 1000);
    let mut batch = Batch::with_capacity(count, 1 << 20).laid_out(layout).keyed(keying);
    for index in first..first + count as u64 {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, 1 + index);
        flow.set(Field::Cid, 1 + index % 10);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

fn packed(packed_bytes: usize) -> TopicOptions {
    TopicOptions { framing: Framing::Packed, packed_bytes, ..TopicOptions::default() }
}

/// The flows of a message's value, told apart by hand.
fn values(mut payload: &[u8], framing: Framing) -> Vec<&[u8]> {
    if framing == Framing::Bare {
        return vec![payload];
    }
    let mut values = Vec::new();
    while !payload.is_empty() {
        let len = prost::decode_length_delimiter(&mut payload).unwrap();
        values.push(payload.split_off(..len).expect("a whole flow"));
    }
    values
}

/// A topic whose partitions are known.
fn topic(producer: &Producer, options: TopicOptions) -> Topic {
    let topic = producer.topic_as(TOPIC, options);
    let started = Instant::now();
    while !topic.is_known() {
        assert!(started.elapsed() < Duration::from_secs(30), "the partitions are not known");
        std::thread::sleep(Duration::from_millis(10));
    }
    topic
}

/// All of the topic, in order of the flows' `Bytes`.
fn read(brokers: &str, framing: Framing) -> Vec<Message> {
    let config = ConsumerConfig {
        brokers: brokers.split(',').map(str::to_string).collect(),
        group: "test".into(),
        ..ConsumerConfig::default()
    };
    let mut messages = Vec::new();
    let visit = |record: &neckar_kafka::Record<'_>| {
        let mut rows = Rows::default();
        for flow in values(record.payload(), framing) {
            neckar_proto::decode::decode(flow, &mut rows).unwrap();
        }
        let flows = rows.as_slice().iter().map(|flow| flow.word_or_zero(Field::Bytes)).collect();
        let (partition, _) = record.place();
        let (key, len) = (record.key().to_vec(), record.payload().len());
        messages.push(Message { partition, key, flows, len });
    };
    Consumer::new(&config).unwrap().read_all(TOPIC, Duration::from_secs(30), visit).unwrap();
    messages.sort_by_key(|message| message.flows[0]);
    messages
}

/// Everything that was produced has arrived, each flow once.
fn check_sum(producer: &Producer, messages: &[Message], flows: u64) {
    let counts = producer.counts();
    assert_eq!((counts.submitted, counts.delivered, counts.failed), (flows, flows, 0));
    assert_eq!(counts.in_flight, 0);
    let mut arrived: Vec<u64> = messages.iter().flat_map(|message| message.flows.clone()).collect();
    arrived.sort_unstable();
    assert!(arrived.into_iter().eq(1..=flows), "each flow once");
}

/// Produces three batches of 1000 flows and reads them back.
fn through(transport: Transport, framing: Framing, keying: Keying) -> Vec<Message> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let producer = producer(transport, &brokers, &[]);
    let mut topic = topic(
        &producer,
        TopicOptions { framing, packed_bytes: PACKED_BYTES, keyed: keying != Keying::None },
    );
    let batches: Vec<_> = (0..3).map(|turn| batch(turn * 1000, 1000, keying)).collect();
    for batch in &batches {
        let mut refused = Vec::new();
        topic.submit(batch, &mut refused);
        assert!(refused.is_empty());
    }
    assert_eq!(producer.finish(Instant::now() + Duration::from_secs(20)), 0);
    for batch in &batches {
        assert_eq!(Arc::strong_count(batch), 1, "nobody holds a batch that is delivered");
    }
    let messages = read(&brokers, framing);
    check_sum(&producer, &messages, 3000);
    messages
}

fn a_delimited_flow_is_alone(transport: Transport) {
    let messages = through(transport, Framing::Delimited, Keying::None);
    assert_eq!(messages.len(), 3000);
    assert!(messages.iter().all(|message| message.key.is_empty() && message.flows.len() == 1));
}

fn packed_flows_stand_side_by_side_up_to_the_bound(transport: Transport) {
    let messages = through(transport, Framing::Packed, Keying::None);
    assert!(messages.iter().all(|message| message.len <= 1000));
    // 6 or 7 bytes each, lengths and all: a message that is not its batch's last is nearly full.
    assert_eq!(messages.iter().filter(|message| message.len < 985).count(), 3);
    for message in &messages {
        let first = message.flows[0];
        assert!(message.flows.iter().copied().eq(first..first + message.flows.len() as u64));
    }
}

/// Where each customer's flows went: one place, and all together not one.
fn places(messages: &[Message]) -> BTreeMap<u64, i32> {
    let mut places = BTreeMap::new();
    for message in messages {
        for flow in &message.flows {
            let place = *places.entry((flow - 1) % 10).or_insert(message.partition);
            assert_eq!(place, message.partition, "flow {flow}");
        }
    }
    places
}

/// librdkafka's own partitioner, which every Java producer's agrees with.
fn places_of_librdkafka() -> BTreeMap<u64, i32> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    // Not yet known to us: it is librdkafka that chooses.
    let producer = producer(Transport::Librdkafka, &brokers, &[]);
    let mut topic = producer.topic_as(TOPIC, TopicOptions { keyed: true, ..Default::default() });
    assert!(!topic.is_known());
    topic.submit(&batch(0, 100, Keying::Customer), &mut Vec::new());
    assert_eq!(producer.finish(Instant::now() + Duration::from_secs(20)), 0);
    places(&read(&brokers, Framing::Bare))
}

fn a_key_decides_the_partition_as_librdkafka_would(transport: Transport) {
    let expected = places_of_librdkafka();
    assert!(expected.values().any(|place| *place != expected[&0]));
    let messages = through(transport, Framing::Bare, Keying::Customer);
    assert_eq!(places(&messages), expected);
    for message in &messages {
        let cid = 1 + (message.flows[0] - 1) % 10;
        assert_eq!(message.key, (cid as u32).to_be_bytes());
    }
    let packed = through(transport, Framing::Packed, Keying::Customer);
    assert_eq!(places(&packed), expected, "also where many are in one");
    assert!(packed.iter().all(|message| message.key.is_empty()) && packed.len() < 60);
}

fn what_a_full_queue_refuses_of_packed_flows_comes_back_whole(transport: Transport) {
    let producer = producer(transport, "127.0.0.1:1", &[("queue.buffering.max.messages", "10")]);
    let mut topic = producer.topic_as(TOPIC, packed(100));
    let batch = batch(0, 1000, Keying::None);
    let mut refused = Vec::new();
    topic.submit(&batch, &mut refused);
    let taken = producer.counts().submitted;
    assert!((140..=160).contains(&taken), "{taken} in ten messages");
    assert!(refused.iter().copied().eq(taken as u32..1000));
    assert_eq!(producer.counts().in_flight, taken);
    // Not one of those in the queue is forgotten when they are given up.
    assert_eq!(producer.finish(Instant::now()), taken);
    let counts = producer.counts();
    assert_eq!((counts.delivered, counts.failed, counts.in_flight), (0, taken, 0));
    assert_eq!(Arc::strong_count(&batch), 1);
}

fn a_packed_message_that_is_too_large_fails_with_all_its_flows(transport: Transport) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let producer =
        producer(transport, &cluster.bootstrap_servers(), &[("message.max.bytes", "1000")]);
    let mut topic = topic(&producer, packed(5000));
    let mut refused = Vec::new();
    topic.submit(&batch(0, 500, Keying::None), &mut refused);
    topic.submit(&batch(500, 50, Keying::None), &mut refused);
    assert!(refused.is_empty());
    producer.finish(Instant::now() + Duration::from_secs(20));
    let counts = producer.counts();
    assert_eq!((counts.submitted, counts.delivered, counts.failed), (550, 50, 500));
    assert_eq!(counts.errors.get("MessageSizeTooLarge"), Some(&500));
}

on_both! {
    a_delimited_flow_is_alone,
    packed_flows_stand_side_by_side_up_to_the_bound,
    a_key_decides_the_partition_as_librdkafka_would,
}

#[test]
fn librdkafka_what_a_full_queue_refuses_of_packed_flows_comes_back_whole() {
    what_a_full_queue_refuses_of_packed_flows_comes_back_whole(Transport::Librdkafka);
}

#[test]
fn librdkafka_a_packed_message_that_is_too_large_fails_with_all_its_flows() {
    a_packed_message_that_is_too_large_fails_with_all_its_flows(Transport::Librdkafka);
}
