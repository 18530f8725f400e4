//! Sends made-up flows to a topic, and says what became of them.
//!
//! ```text
//! cargo run --release -p neckar-kafka --example producer -- 127.0.0.1:9092 flows 100000
//! ```
//!
//! The order that matters: fill a batch, share it, submit it until librdkafka has taken all of it,
//! finish before the end. `submitted = delivered + failed + in flight` holds at any time.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neckar_kafka::{Producer, ProducerConfig, Topic};
use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Flow};

const BATCH_FLOWS: usize = 5000;
const BATCH_BYTES: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, name, flows] = &args[..] else {
        return Err("usage: producer BROKERS TOPIC FLOWS".into());
    };
    let producer = Producer::new(&ProducerConfig {
        brokers: brokers.split(',').map(Into::into).collect(),
        compression: "lz4".into(),
        ..ProducerConfig::default()
    })?;
    let mut topic = producer.topic(name);
    let mut left: usize = flows.parse()?;
    while left > 0 {
        let batch = Arc::new(filled(left.min(BATCH_FLOWS)));
        left -= batch.len();
        submit(&mut topic, &batch);
    }
    // Waits for the reports; what is not delivered by then is counted, and lost with the process.
    let lost = producer.finish(Instant::now() + Duration::from_secs(30));
    let counts = producer.counts();
    println!(
        "{} submitted, {} delivered, {} failed",
        counts.submitted, counts.delivered, counts.failed
    );
    match (lost, counts.trouble) {
        (0, _) => Ok(()),
        (lost, trouble) => {
            Err(format!("{lost} not delivered in time; last trouble: {trouble:?}").into())
        }
    }
}

/// Hands a batch over. What librdkafka's queue has no room for stays ours: a program that receives
/// flows would go on doing so instead of sleeping.
fn submit(topic: &mut Topic, batch: &Arc<Batch>) {
    let mut refused = Vec::new();
    topic.submit(batch, &mut refused);
    while !refused.is_empty() {
        std::thread::sleep(Duration::from_millis(10));
        let again = std::mem::take(&mut refused);
        topic.submit_some(batch, again.into_iter(), &mut refused);
    }
}

fn filled(flows: usize) -> Batch {
    let mut batch = Batch::with_capacity(BATCH_FLOWS, BATCH_BYTES);
    let mut flow = Flow::default();
    for index in 0..flows as u64 {
        flow.set(Field::Bytes, 1500 + index);
        flow.set(Field::Packets, 1);
        flow.set(Field::Proto, 6);
        flow.set_v4(Field::SrcAddr, [192, 0, 2, index as u8]);
        flow.set_v4(Field::DstAddr, [198, 51, 100, 1]);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[]), "a batch has room for its flows");
    }
    batch
}
