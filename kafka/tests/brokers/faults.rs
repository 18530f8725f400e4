//! The native transport over a way that cuts, stalls, garbles and delays, to a real broker: nothing
//! panics or hangs, the books are right at every look, and with idempotence every flow is there once
//! and in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::proxy::Proxy;
use crate::support::{bytes_in, either_layout};
use neckar_kafka::{Producer, ProducerConfig, Topic, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow};
use xtask::kafka::{Broker, create_topic, end_offsets};

const TOPIC: &str = "faults";
const PARTITIONS: u32 = 3;
const BATCH_FLOWS: u64 = 500;
const TROUBLED: Duration = Duration::from_secs(12);
const PATIENCE: Duration = Duration::from_secs(60);

fn batch(first: u64) -> Arc<Batch> {
    let layout = either_layout(first / BATCH_FLOWS);
    let mut batch = Batch::with_capacity(BATCH_FLOWS as usize, 1 << 20).laid_out(layout);
    for index in first..first + BATCH_FLOWS {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, 1 + index);
        flow.set(Field::Packets, index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
    }
    Arc::new(batch)
}

/// Numbers of the flows by partition, in the order of the topic.
fn read(brokers: &str) -> BTreeMap<i32, Vec<u64>> {
    let mut found = bytes_in(brokers, TOPIC, PATIENCE);
    found.values_mut().flatten().for_each(|bytes| *bytes -= 1);
    found
}

fn producer(proxy: &Proxy, properties: &[(&str, &str)]) -> Producer {
    let own = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
    let config = ProducerConfig {
        transport: Transport::Native,
        brokers: vec![format!("127.0.0.1:{}", proxy.port)],
        properties: properties.iter().map(own).collect(),
        ..ProducerConfig::default()
    };
    Producer::new(&config).unwrap()
}

fn submit(topic: &mut Topic, first: u64) {
    let mut refused = Vec::new();
    topic.submit(&batch(first), &mut refused);
    assert!(refused.is_empty());
}

/// Produces through the troubled way; answers how many flows were taken, and what is in the topic.
fn through(idempotence: bool, seed: u64) -> (u64, BTreeMap<i32, Vec<u64>>) {
    let proxy = Proxy::open(seed).unwrap();
    let broker = Broker::start_behind(proxy.port).unwrap();
    proxy.lead_to(&broker.address());
    create_topic(&broker.address(), TOPIC, PARTITIONS).unwrap();
    let given = [
        ("enable.idempotence", if idempotence { "true" } else { "false" }),
        ("request.timeout.ms", "1000"),
        ("reconnect.backoff.ms", "10"),
        ("reconnect.backoff.max.ms", "100"),
    ];
    let producer = producer(&proxy, &given);
    let mut topic = producer.topic(TOPIC);
    proxy.set_faults(true);
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < TROUBLED {
        submit(&mut topic, sent);
        sent += BATCH_FLOWS;
        let counts = producer.counts();
        assert_eq!(counts.submitted, counts.delivered + counts.failed + counts.in_flight);
        std::thread::sleep(Duration::from_millis(10));
    }
    let faults = proxy.faults();
    assert!(faults >= 10, "only {faults} connections had a fault");
    proxy.set_faults(false);
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0, "{:?}", producer.counts());
    let counts = producer.counts();
    assert_eq!((counts.submitted, counts.delivered, counts.failed), (sent, sent, 0));
    proxy.set_faults(false);
    println!("idempotence {idempotence}: {sent} flows over {faults} faulty connections");
    (sent, read(&format!("127.0.0.1:{}", proxy.port)))
}

#[test]
fn with_idempotence_every_flow_is_there_once_and_in_order() {
    let (sent, found) = through(true, 1);
    for flows in found.values() {
        assert!(flows.is_sorted(), "in order");
    }
    let mut all: Vec<u64> = found.into_values().flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..sent), "each once");
}

/// A broker that wrote and could not say so is given the flows again, in their place.
#[test]
fn without_it_every_flow_is_there_and_none_is_overtaken() {
    let (sent, found) = through(false, 2);
    let mut seen = vec![false; sent as usize];
    for flows in found.values() {
        // The first time that each is seen, nothing later was seen before.
        let mut latest = None;
        for flow in flows {
            if !std::mem::replace(&mut seen[*flow as usize], true) {
                assert!(Some(*flow) > latest, "{flow} behind {latest:?}");
                latest = Some(*flow);
            }
        }
    }
    assert!(seen.iter().all(|seen| *seen));
}

/// The broker wrote a batch that was given up on. Were its numbers given again, the broker would take
/// the next batch for it and write nothing.
#[test]
fn a_batch_given_up_in_doubt_does_not_swallow_the_next() {
    let proxy = Proxy::open(3).unwrap();
    let broker = Broker::start_behind(proxy.port).unwrap();
    proxy.lead_to(&broker.address());
    create_topic(&broker.address(), TOPIC, 1).unwrap();
    let producer = producer(&proxy, &[("enable.idempotence", "true")]);
    let mut topic = producer.topic(TOPIC);
    submit(&mut topic, 0);
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0);
    proxy.silence();
    submit(&mut topic, BATCH_FLOWS);
    let started = Instant::now();
    while end_offsets(&broker.address(), TOPIC).unwrap() != [2 * BATCH_FLOWS] {
        assert!(started.elapsed() < PATIENCE, "{:?}", producer.counts());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(producer.finish(Instant::now()), BATCH_FLOWS, "nobody said that it is there");
    submit(&mut topic, 2 * BATCH_FLOWS);
    assert_eq!(producer.finish(Instant::now() + PATIENCE), 0);
    let found = read(&format!("127.0.0.1:{}", proxy.port));
    assert!(found[&0].iter().copied().eq(0..3 * BATCH_FLOWS), "each once, in order");
}
