//! What brokers answer and real ones seldom do, from librdkafka's mock cluster: each error code has its
//! consequence, and every flow is delivered or counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{bytes_in, either_layout};
use neckar_kafka::{Producer, ProducerConfig, ProducerCounts, Topic, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

const TOPIC: &str = "flows";
const FLOWS: u64 = 3000;
const PATIENCE: Duration = Duration::from_secs(20);

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn batch(first: u64, count: u64) -> Arc<Batch> {
    let layout = either_layout(first / 500);
    let mut batch = Batch::with_capacity(count as usize, 1 << 20).laid_out(layout);
    for index in first..first + count {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, 1 + index);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

fn cluster(brokers: i32, partitions: i32) -> Cluster {
    let cluster = MockCluster::new(brokers).unwrap();
    cluster.create_topic(TOPIC, partitions, brokers.min(3)).unwrap();
    cluster
}

fn producer(cluster: &Cluster, properties: &[(&str, &str)]) -> Producer {
    let properties = properties.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let config = ProducerConfig {
        transport: Transport::Native,
        brokers: cluster.bootstrap_servers().split(',').map(str::to_owned).collect(),
        properties: properties.collect(),
        ..ProducerConfig::default()
    };
    Producer::new(&config).unwrap()
}

fn submit(topic: &mut Topic, batch: &Arc<Batch>) {
    let mut refused = Vec::new();
    topic.submit(batch, &mut refused);
    assert!(refused.is_empty());
}

/// Waits until all is reported on; what came of it.
fn finish(producer: &Producer) -> ProducerCounts {
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0, "{:?}", producer.counts());
    let counts = producer.counts();
    assert_eq!(counts.submitted, counts.delivered + counts.failed);
    counts
}

/// `Bytes` of all flows in the topic, in the order of each partition.
fn read(cluster: &Cluster) -> BTreeMap<i32, Vec<u64>> {
    bytes_in(&cluster.bootstrap_servers(), TOPIC, PATIENCE)
}

/// Three batches to one partition whose leader answers with these errors first.
fn through(errors: &[RDKafkaRespErr], properties: &[(&str, &str)]) -> (ProducerCounts, Vec<u64>) {
    let cluster = cluster(1, 1);
    let producer = producer(&cluster, properties);
    let mut topic = producer.topic(TOPIC);
    cluster.request_errors(RDKafkaApiKey::Produce, errors);
    for turn in 0..3 {
        submit(&mut topic, &batch(turn * FLOWS / 3, FLOWS / 3));
    }
    let counts = finish(&producer);
    let found = read(&cluster).remove(&0).unwrap_or_default();
    (counts, found)
}

#[track_caller]
fn assert_each_once_in_order((counts, found): (ProducerCounts, Vec<u64>)) {
    assert_eq!((counts.delivered, counts.failed), (FLOWS, 0), "{counts:?}");
    assert!(found.into_iter().eq(1..=FLOWS), "each once, in order");
}

#[test]
fn what_may_pass_is_tried_again_in_order() {
    use RDKafkaRespErr as E;
    assert_each_once_in_order(through(
        &[
            E::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            E::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            E::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            E::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
            E::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
        ],
        &[("retry.backoff.ms", "10")],
    ));
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let too_large = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    assert_each_once_in_order(through(&[too_large, too_large, too_large], &[]));
}

#[test]
fn a_lost_number_is_replaced() {
    use RDKafkaRespErr as E;
    let errors = [
        E::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        E::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        E::RD_KAFKA_RESP_ERR_NO_ERROR,
        E::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    ];
    let properties = [("enable.idempotence", "true"), ("retry.backoff.ms", "10")];
    assert_each_once_in_order(through(&errors, &properties));
}

#[test]
fn what_is_refused_is_counted_by_its_name() {
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_POLICY_VIOLATION;
    let cluster = cluster(1, 1);
    let producer = producer(&cluster, &[]);
    let mut topic = producer.topic(TOPIC);
    cluster.request_errors(RDKafkaApiKey::Produce, &[refused]);
    submit(&mut topic, &batch(0, 100));
    let counts = finish(&producer);
    assert_eq!((counts.delivered, counts.failed), (0, 100));
    assert_eq!(counts.errors, BTreeMap::from([("PolicyViolation".into(), 100)]));
    // It is the broker's last word on that batch, and not on the next.
    submit(&mut topic, &batch(100, 50));
    assert_eq!(finish(&producer).delivered, 50);
    assert_eq!(topic.counts().failed, 100);
}

/// The right to write may come back: what waits then arrives, and health says meanwhile what it is.
#[test]
fn what_is_not_allowed_waits_and_is_told() {
    let not_allowed = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    let cluster = cluster(1, 1);
    let producer = producer(&cluster, &[]);
    let mut topic = producer.topic(TOPIC);
    cluster.request_errors(RDKafkaApiKey::Produce, &[not_allowed; 4]);
    submit(&mut topic, &batch(0, FLOWS));
    let started = Instant::now();
    let told = || producer.counts().trouble.is_some_and(|words| words.contains("Authorization"));
    while !told() {
        assert!(started.elapsed() < PATIENCE, "{:?}", producer.counts());
        std::thread::sleep(Duration::from_millis(1));
    }
    let counts = finish(&producer);
    assert_eq!((counts.delivered, counts.failed, counts.trouble), (FLOWS, 0, None));
    assert!(read(&cluster)[&0].iter().copied().eq(1..=FLOWS), "each once, in order");
}

#[test]
fn flows_follow_their_leader() {
    let cluster = cluster(3, 1);
    let producer = producer(&cluster, &[("retry.backoff.ms", "10")]);
    let mut topic = producer.topic(TOPIC);
    for turn in 0..6 {
        cluster.partition_leader(TOPIC, 0, Some(1 + turn % 3)).unwrap();
        submit(&mut topic, &batch(turn as u64 * 500, 500));
        finish(&producer);
    }
    let found = read(&cluster).remove(&0).unwrap();
    assert!(found.into_iter().eq(1..=FLOWS), "each once, in order, whoever leads");
}

#[test]
fn a_broker_that_goes_down_and_comes_back_loses_nothing() {
    let cluster = cluster(2, 4);
    let producer = producer(&cluster, &[]);
    let mut topic = producer.topic(TOPIC);
    submit(&mut topic, &batch(0, 1000));
    cluster.broker_down(2).unwrap();
    submit(&mut topic, &batch(1000, 1000));
    std::thread::sleep(Duration::from_millis(500));
    cluster.broker_up(2).unwrap();
    submit(&mut topic, &batch(2000, 1000));
    assert_eq!(finish(&producer).delivered, FLOWS);
    let mut found: Vec<u64> = read(&cluster).into_values().flatten().collect();
    found.sort_unstable();
    found.dedup();
    assert!(found.into_iter().eq(1..=FLOWS));
}

/// Also those that stood in line for one that never comes back.
#[test]
fn flows_leave_the_line_of_a_leader_that_is_gone() {
    let cluster = cluster(2, 1);
    cluster.partition_leader(TOPIC, 0, Some(1)).unwrap();
    let producer = producer(&cluster, &[]);
    let mut topic = producer.topic(TOPIC);
    submit(&mut topic, &batch(0, 1000));
    assert_eq!(finish(&producer).delivered, 1000);
    cluster.broker_down(1).unwrap();
    submit(&mut topic, &batch(1000, 1000));
    std::thread::sleep(Duration::from_millis(300));
    submit(&mut topic, &batch(2000, 1000));
    assert!(producer.counts().in_flight > 0);
    cluster.partition_leader(TOPIC, 0, Some(2)).unwrap();
    assert_eq!(finish(&producer).delivered, FLOWS);
}

#[test]
fn a_topic_that_nobody_leads_is_told() {
    let cluster = cluster(1, 1);
    cluster.partition_leader(TOPIC, 0, None).unwrap();
    let producer = producer(&cluster, &[]);
    submit(&mut producer.topic(TOPIC), &batch(0, 10));
    let started = Instant::now();
    let told = || producer.counts().trouble.is_some_and(|words| words.contains(TOPIC));
    while !told() {
        assert!(started.elapsed() < PATIENCE, "{:?}", producer.counts());
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.partition_leader(TOPIC, 0, Some(1)).unwrap();
    let counts = finish(&producer);
    assert_eq!((counts.delivered, counts.trouble), (10, None));
}

/// A thousand topics of a few flows each: all of them arrive, by few requests.
#[test]
fn many_topics_share_requests() {
    const TOPICS: u64 = 1000;
    let cluster = MockCluster::new(1).unwrap();
    let producer = producer(&cluster, &[("linger.ms", "50")]);
    let flows = batch(0, 3);
    let mut topics = Vec::new();
    for number in 0..TOPICS {
        let name = format!("customer-{number}");
        cluster.create_topic(&name, 1, 1).unwrap();
        topics.push(producer.topic(&name));
    }
    let started = Instant::now();
    while !topics.iter().all(Topic::is_known) {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    topics.iter_mut().for_each(|topic| submit(topic, &flows));
    assert_eq!(finish(&producer).delivered, 3 * TOPICS);
    assert!(topics.iter().all(|topic| topic.counts().delivered == 3));
    assert_eq!(Arc::strong_count(&flows), 1);
}

/// Too few replicas are worth another try, for as long as it takes; people want to know.
#[test]
fn a_topic_whose_batches_go_again_and_again_is_told() {
    let cluster = cluster(1, 2);
    let producer = producer(&cluster, &[("retry.backoff.ms", "50")]);
    let mut topic = producer.topic(TOPIC);
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS; 1000];
    cluster.request_errors(RDKafkaApiKey::Produce, &errors);
    submit(&mut topic, &batch(0, 10));
    submit(&mut topic, &batch(10, 10));
    let started = Instant::now();
    let told =
        || producer.counts().trouble.is_some_and(|words| words.contains("NotEnoughReplicas"));
    while !told() {
        assert!(started.elapsed() < PATIENCE, "{:?}", producer.counts());
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.clear_request_errors(RDKafkaApiKey::Produce);
    let counts = finish(&producer);
    assert_eq!((counts.delivered, counts.trouble), (20, None));
}

/// One broker of two takes very long: flows go to the other, but for the batch that was sent.
#[test]
fn a_slow_broker_keeps_no_flows_from_the_others() {
    let cluster = cluster(2, 2);
    (0..2).for_each(|at| cluster.partition_leader(TOPIC, at, Some(1 + at)).unwrap());
    let producer = producer(&cluster, &[]);
    let mut topic = producer.topic(TOPIC);
    (0..2).for_each(|turn| submit(&mut topic, &batch(turn * 10, 10)));
    assert_eq!(finish(&producer).delivered, 20);
    cluster.broker_round_trip_time(2, Duration::from_secs(60)).unwrap();
    (2..4).for_each(|turn| submit(&mut topic, &batch(turn * 10, 10)));
    std::thread::sleep(Duration::from_millis(2_100));
    (4..40).for_each(|turn| submit(&mut topic, &batch(turn * 10, 10)));
    let started = Instant::now();
    while producer.counts().delivered < 390 {
        assert!(started.elapsed() < PATIENCE, "{:?}", producer.counts());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(producer.counts().in_flight, 10);
}
