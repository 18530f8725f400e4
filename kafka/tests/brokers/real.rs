//! Producer and consumer against a real Apache Kafka: what went in comes out, byte for byte, also
//! when the broker goes away or hangs in between.
//!
//! `NECKAR_KAFKA=host:port` names a broker that runs already; tests that stop one start their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{either_layout, on_both};
use neckar_kafka::{Consumer, ConsumerConfig, Producer, ProducerConfig, Topic, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow, Rows};
use xtask::kafka::{Broker, create_topic, set_quota};

const PARTITIONS: u32 = 4;
const BATCH_FLOWS: u64 = 5000;
const PATIENCE: Duration = Duration::from_secs(60);

/// The given broker, or one of our own that goes with it.
fn shared() -> (String, Option<Broker>) {
    match std::env::var("NECKAR_KAFKA") {
        Ok(address) => (address, None),
        Err(_) => {
            let broker = Broker::start().expect("Kafka starts; see cargo xtask kafka");
            (broker.address(), Some(broker))
        }
    }
}

fn fresh_topic(transport: Transport, brokers: &str, subject: &str) -> String {
    let name = format!("kafka-{subject}-{transport:?}-{}", std::process::id());
    create_topic(brokers, &name, PARTITIONS).unwrap();
    name
}

fn producer(transport: Transport, brokers: &str) -> Producer {
    let brokers = vec![brokers.to_string()];
    Producer::new(&ProducerConfig { transport, brokers, ..ProducerConfig::default() }).unwrap()
}

fn consumer(brokers: &str, group: &str) -> Consumer {
    let config = ConsumerConfig {
        brokers: vec![brokers.to_string()],
        group: format!("{group}-{}", std::process::id()),
        ..ConsumerConfig::default()
    };
    Consumer::new(&config).unwrap()
}

/// Flow `index`, told apart by `Bytes`, of a length that varies.
fn flow(index: u64) -> Flow {
    let mut flow = Flow::default();
    flow.set(Field::Bytes, 1 + index);
    flow.set(Field::Packets, index % 1000);
    flow.set(Field::SrcPort, index % 65_536);
    flow
}

/// The batches of flows `from` to `to`.
fn batches(from: u64, to: u64) -> Vec<Arc<Batch>> {
    let starts = (from..to).step_by(BATCH_FLOWS as usize);
    starts
        .map(|start| {
            let layout = either_layout(start / BATCH_FLOWS);
            let mut batch = Batch::with_capacity(BATCH_FLOWS as usize, 1 << 20).laid_out(layout);
            for index in start..to.min(start + BATCH_FLOWS) {
                assert!(batch.push(&BWNETFLOW, &flow(index), &[], &[]));
            }
            Arc::new(batch)
        })
        .collect()
}

fn submit(topic: &mut Topic, batches: &[Arc<Batch>]) {
    let mut refused = Vec::new();
    for batch in batches {
        topic.submit(batch, &mut refused);
        assert!(refused.is_empty(), "there is room for all of the test's flows");
    }
}

/// How often each flow is in the topic; every record's bytes are the flow's own.
fn arrived(brokers: &str, topic: &str) -> BTreeMap<u64, u32> {
    let mut times = BTreeMap::new();
    let mut rows = Rows::default();
    let mut expected = Batch::with_capacity(1, 1 << 10);
    let records = consumer(brokers, "arrived").read_all(topic, PATIENCE, |record| {
        rows.clear();
        record.read(&mut rows).unwrap();
        let index = rows.as_slice()[0].word_or_zero(Field::Bytes) - 1;
        expected.clear();
        assert!(expected.push(&BWNETFLOW, &flow(index), &[], &[]));
        assert_eq!(record.payload(), expected.flow(0), "flow {index}");
        *times.entry(index).or_default() += 1;
    });
    assert_eq!(records.unwrap(), times.values().map(|count| u64::from(*count)).sum::<u64>());
    times
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn two_hundred_thousand_flows_arrive_as_they_were(transport: Transport) {
    const FLOWS: u64 = 200_000;
    let (brokers, _own) = shared();
    let name = fresh_topic(transport, &brokers, "arrive");
    let producer = producer(transport, &brokers);
    let mut topic = producer.topic(&name);
    wait_until("the partitions are known", || topic.is_known());
    let batches = batches(0, FLOWS);
    submit(&mut topic, &batches);
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0);
    let counts = producer.counts();
    assert_eq!((counts.submitted, counts.delivered, counts.failed), (FLOWS, FLOWS, 0));
    for batch in &batches {
        assert_eq!(Arc::strong_count(batch), 1, "nobody holds a batch that is delivered");
    }
    // Batches take turns: 40 over four partitions.
    let ends = xtask::kafka::end_offsets(&brokers, &name).unwrap();
    assert_eq!(ends, [FLOWS / 4; PARTITIONS as usize]);
    let times = arrived(&brokers, &name);
    assert!(times.keys().copied().eq(0..FLOWS));
    assert!(times.values().all(|count| *count == 1));
}

fn a_broker_stopped_for_five_seconds_loses_nothing(transport: Transport) {
    const FLOWS: u64 = 200_000;
    let mut broker = Broker::start().unwrap();
    let brokers = broker.address();
    let name = fresh_topic(transport, &brokers, "outage");
    let producer = producer(transport, &brokers);
    let mut topic = producer.topic(&name);
    submit(&mut topic, &batches(0, FLOWS / 4));
    wait_until("something is delivered", || producer.counts().delivered > 0);
    submit(&mut topic, &batches(FLOWS / 4, FLOWS / 2));
    broker.stop().unwrap();
    submit(&mut topic, &batches(FLOWS / 2, 3 * FLOWS / 4));
    wait_until("the outage is told", || producer.counts().trouble.is_some());
    std::thread::sleep(Duration::from_secs(5));
    broker.restart().unwrap();
    submit(&mut topic, &batches(3 * FLOWS / 4, FLOWS));
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0);
    let counts = producer.counts();
    assert_eq!((counts.submitted, counts.delivered, counts.failed), (FLOWS, FLOWS, 0));
    assert_eq!(counts.trouble, None);
    // Without idempotence a broker that wrote and did not answer is given the flows again.
    assert!(arrived(&brokers, &name).keys().copied().eq(0..FLOWS));
}

fn a_broker_that_hangs_is_told_and_waited_for(transport: Transport) {
    const FLOWS: u64 = 20_000;
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    let name = fresh_topic(transport, &brokers, "hang");
    let producer = producer(transport, &brokers);
    let mut topic = producer.topic(&name);
    submit(&mut topic, &batches(0, FLOWS / 2));
    wait_until("it works", || producer.counts().in_flight == 0);
    broker.signal("STOP").unwrap();
    submit(&mut topic, &batches(FLOWS / 2, FLOWS));
    // Its sockets are open and librdkafka complains after a minute; the stall tells before.
    wait_until("the hang is told", || producer.counts().trouble.is_some());
    assert_eq!(producer.counts().in_flight, FLOWS / 2);
    broker.signal("CONT").unwrap();
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0);
    let counts = producer.counts();
    assert_eq!((counts.submitted, counts.delivered, counts.failed), (FLOWS, FLOWS, 0));
    assert!(arrived(&brokers, &name).keys().copied().eq(0..FLOWS));
}

/// Reads `count` records as a member of `group` and answers their flows; `done` for the first
/// `done` of them, then a commit.
fn work(brokers: &str, group: &str, topic: &str, count: usize, done: usize) -> Vec<u64> {
    let consumer = consumer(brokers, group);
    consumer.subscribe(&[topic]).unwrap();
    let mut seen = Vec::new();
    let started = Instant::now();
    while seen.len() < count {
        assert!(started.elapsed() < PATIENCE, "{} of {count} came", seen.len());
        let Some(record) = consumer.next(Duration::from_millis(100)).unwrap() else { continue };
        seen.push(record.message().unwrap().bytes - 1);
        if seen.len() <= done {
            consumer.done(&record).unwrap();
        }
    }
    consumer.commit().unwrap();
    seen
}

fn a_successor_starts_behind_the_work_that_is_done(transport: Transport) {
    let (brokers, _own) = shared();
    let name = format!("kafka-group-{}", std::process::id());
    // One partition, so that the order is the offsets'.
    create_topic(&brokers, &name, 1).unwrap();
    let producer = producer(transport, &brokers);
    submit(&mut producer.topic(&name), &batches(0, 1000));
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0);
    assert_eq!(work(&brokers, "successor", &name, 600, 400), (0..600).collect::<Vec<_>>());
    // 200 were read and not worked on: they come again, and nothing before them.
    assert_eq!(work(&brokers, "successor", &name, 600, 600), (400..1000).collect::<Vec<_>>());
}

/// Flows of a round: some for each partition.
const ROUND: u64 = 10 * PARTITIONS as u64;

/// Submits a round and has the members work until all of it is seen; answers which partitions each of
/// them read. What was `told` to be done never comes again, whoever has the partition by then.
fn round(
    members: &[Consumer],
    topic: &mut Topic,
    first: u64,
    told: &mut BTreeSet<u64>,
) -> Vec<BTreeSet<i32>> {
    for start in (first..first + ROUND).step_by(10) {
        submit(topic, &batches(start, start + 10));
    }
    let mut seen = BTreeSet::new();
    let mut places = vec![BTreeSet::new(); members.len()];
    wait_until("the round is seen", || {
        for (member, places) in members.iter().zip(&mut places) {
            let Some(record) = member.next(Duration::from_millis(20)).unwrap() else { continue };
            let flow = record.message().unwrap().bytes - 1;
            assert!(!told.contains(&flow), "{flow} comes again");
            seen.insert(flow);
            places.insert(record.place().0);
            // Of a partition that went meanwhile, somebody else is to tell.
            if member.done(&record).and_then(|()| member.commit()).is_ok() {
                told.insert(flow);
            }
        }
        (first..first + ROUND).all(|flow| seen.contains(&flow))
    });
    places
}

#[test]
fn members_of_a_group_share_the_work_as_they_come_and_go() {
    const ROUNDS_MAX: u64 = 100;
    let (brokers, _own) = shared();
    let name = fresh_topic(Transport::Native, &brokers, "members");
    let producer = producer(Transport::Native, &brokers);
    let mut topic = producer.topic(&name);
    wait_until("the partitions are known", || topic.is_known());
    let join = || {
        let member = consumer(&brokers, "members");
        member.subscribe(&[&name]).unwrap();
        member
    };
    let (mut members, mut told) = (vec![join()], BTreeSet::new());
    let mut rounds = 0..ROUNDS_MAX;
    let mut work_until_each_has = |members: &[Consumer], count: usize| {
        let has_his = |places: Vec<BTreeSet<i32>>| places.iter().all(|his| his.len() == count);
        let mut next = |turn| round(members, &mut topic, turn * ROUND, &mut told);
        assert!(rounds.any(|turn| has_his(next(turn))), "never {count} for each");
    };
    work_until_each_has(&members, 4);
    members.push(join());
    work_until_each_has(&members, 2);
    drop(members.pop());
    work_until_each_has(&members, 4);
}

/// What a broker says of its quota is kept to: it costs time, and no flow.
#[test]
fn a_quota_costs_time_and_no_flow() {
    const FLOWS: u64 = 100_000;
    let (brokers, _own) = shared();
    let name = fresh_topic(Transport::Native, &brokers, "quota");
    let client = format!("throttled-{}", std::process::id());
    // Half of the flows, a megabyte, are twice of what it allows in its ten seconds.
    set_quota(&brokers, &client, 50_000).unwrap();
    let config = ProducerConfig {
        transport: Transport::Native,
        brokers: vec![brokers.clone()],
        properties: BTreeMap::from([("client.id".into(), client)]),
        ..ProducerConfig::default()
    };
    let producer = Producer::new(&config).unwrap();
    let mut topic = producer.topic(&name);
    submit(&mut topic, &batches(0, FLOWS / 2));
    wait_until("it is throttled", || producer.wire().unwrap().throttled_ms > 0);
    submit(&mut topic, &batches(FLOWS / 2, FLOWS));
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0, "{:?}", producer.counts());
    let counts = producer.counts();
    assert_eq!((counts.delivered, counts.failed), (FLOWS, 0));
    assert_eq!(producer.wire().unwrap().retries, 0);
    assert!(arrived(&brokers, &name).into_iter().eq((0..FLOWS).map(|flow| (flow, 1))));
}

on_both! {
    two_hundred_thousand_flows_arrive_as_they_were,
    a_broker_stopped_for_five_seconds_loses_nothing,
    a_broker_that_hangs_is_told_and_waited_for,
}

#[test]
fn librdkafka_a_successor_starts_behind_the_work_that_is_done() {
    a_successor_starts_behind_the_work_that_is_done(Transport::Librdkafka);
}
