//! Adds up the bytes of a topic's flows by protocol, as a member of a consumer group that loses
//! nothing: an offset is committed when the work is done, and not before.
//!
//! ```text
//! cargo run --release -p neckar-kafka --example consumer -- 127.0.0.1:9092 flows billing
//! ```
//!
//! Kill it and start it again: it goes on where it last committed. What it had worked on and not
//! yet committed comes twice, so work that must not count twice has to be told by its offsets.
//! Ends when nothing has come for three seconds.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::{Duration, Instant};

use neckar_kafka::{Consumer, ConsumerConfig, FlowReader};
use neckar_proto::{Field, Rows};

const COMMIT: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_secs(3);
/// Joining a group takes the broker some seconds.
const JOIN: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [brokers, topic, group] = &args[..] else {
        return Err("usage: consumer BROKERS TOPIC GROUP".into());
    };
    let consumer = Consumer::new(&ConsumerConfig {
        brokers: brokers.split(',').map(Into::into).collect(),
        group: group.clone(),
        ..ConsumerConfig::default()
    })?;
    consumer.subscribe(&[topic])?;
    let bytes = work(&consumer)?;
    for (protocol, bytes) in bytes {
        println!("protocol {protocol}: {bytes} bytes");
    }
    for (partition, records) in consumer.lag(topic)? {
        println!("partition {partition}: {records} records behind");
    }
    Ok(())
}

fn work(consumer: &Consumer) -> Result<BTreeMap<u64, u64>, Box<dyn Error>> {
    let mut bytes = BTreeMap::new();
    let (mut reader, mut rows) = (FlowReader::default(), Rows::default());
    let (mut last, mut patience, mut committed) = (Instant::now(), JOIN, Instant::now());
    while last.elapsed() < patience {
        if let Some(record) = consumer.next(Duration::from_millis(100))? {
            rows.clear();
            // One bad record of somebody else's must not stop us; a real program counts it.
            if let Err(error) = reader.read(record.payload(), &mut rows) {
                eprintln!("{:?}: {error}", record.place());
            }
            for flow in rows.as_slice() {
                let sum = bytes.entry(flow.word_or_zero(Field::Proto)).or_default();
                *sum += flow.word_or_zero(Field::Bytes);
            }
            // The work on it is done. The partition may be somebody else's by now, who will do it
            // again: no error of ours.
            let _ = consumer.done(&record);
            (last, patience) = (Instant::now(), QUIET);
        }
        if committed.elapsed() > COMMIT {
            consumer.commit()?;
            committed = Instant::now();
        }
    }
    consumer.commit()?;
    Ok(bytes)
}
