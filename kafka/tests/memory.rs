//! What a flow in flight takes of memory beside its batch: the budget counts on the figure.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

use std::sync::Arc;

use neckar_kafka::{FLOW_IN_FLIGHT_BYTES, Producer, ProducerConfig, Transport};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Flow};

/// Memory that this process has in use, in bytes: the second field of /proc/self/statm, in pages.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_flow_in_flight_takes_what_the_budget_says() {
    const BATCHES: usize = 500;
    const BATCH_FLOWS: usize = 2000;
    let mut batch = Batch::with_capacity(BATCH_FLOWS, 1 << 20);
    for _ in 0..BATCH_FLOWS {
        assert!(batch.push(&BWNETFLOW, &Flow::default(), &[], &[]));
    }
    let batch = Arc::new(batch);
    // Nobody there: everything stays in flight.
    let brokers = vec!["127.0.0.1:1".to_string()];
    let producer = Producer::new(&ProducerConfig {
        transport: Transport::Librdkafka,
        brokers,
        ..Default::default()
    })
    .unwrap();
    let mut topic = producer.topic("flows");
    let mut refused = Vec::new();
    topic.submit(&batch, &mut refused);
    let before = resident_bytes();
    for _ in 0..BATCHES {
        topic.submit(&batch, &mut refused);
    }
    assert!(refused.is_empty());
    let each = (resident_bytes() - before) / (BATCHES * BATCH_FLOWS);
    let known = FLOW_IN_FLIGHT_BYTES - 16..=FLOW_IN_FLIGHT_BYTES;
    assert!(known.contains(&each), "{each} bytes each");
}
