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

const BATCHES: usize = 500;
const BATCH_FLOWS: usize = 2000;

/// One test, so that nothing else moves this process's memory.
#[test]
fn a_flow_in_flight_takes_what_the_budget_says() {
    // Framed when they are sent, so a flow that waits takes nothing beside its batch. First, while
    // there is no freed memory that could hide it.
    assert_eq!(bytes_each(Transport::Native), 0);
    let known = FLOW_IN_FLIGHT_BYTES - 16..=FLOW_IN_FLIGHT_BYTES;
    let each = bytes_each(Transport::Librdkafka);
    assert!(known.contains(&each), "{each} bytes each");
}

fn bytes_each(transport: Transport) -> usize {
    let mut batch = Batch::with_capacity(BATCH_FLOWS, 1 << 20);
    for _ in 0..BATCH_FLOWS {
        assert!(batch.push(&BWNETFLOW, &Flow::default(), &[], &[]));
    }
    let batch = Arc::new(batch);
    // Nobody there: everything stays in flight.
    let brokers = vec!["127.0.0.1:1".to_string()];
    let producer =
        Producer::new(&ProducerConfig { transport, brokers, ..Default::default() }).unwrap();
    let mut topic = producer.topic("flows");
    let mut refused = Vec::new();
    topic.submit(&batch, &mut refused);
    let before = resident_bytes();
    for _ in 0..BATCHES {
        topic.submit(&batch, &mut refused);
    }
    assert!(refused.is_empty());
    resident_bytes().saturating_sub(before) / (BATCHES * BATCH_FLOWS)
}
