//! The far end: a consumer of the topic that counts what arrives, as a customer's would.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use neckar_proto::{Field, Rows};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// What arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumed {
    pub(super) messages: u64,
    /// `Bytes` of all flows, summed up.
    pub(super) bytes_sum: u64,
    /// One flow as JSON.
    pub(super) sample: Option<String>,
}

/// The running consumer.
pub(super) struct FarEnd {
    stop: Arc<AtomicBool>,
    messages: Arc<AtomicU64>,
    thread: JoinHandle<Consumed>,
}

impl FarEnd {
    pub(super) fn start(brokers: &str, topic: &str, partitions: i32) -> Result<Self, KafkaError> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "neckard-demo")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .create()?;
        // Assigned, not subscribed: a group would take three seconds to form, and nobody else reads
        // here.
        let mut list = TopicPartitionList::new();
        for partition in 0..partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        let stop = Arc::new(AtomicBool::new(false));
        let messages = Arc::new(AtomicU64::new(0));
        let (stopping, counted) = (Arc::clone(&stop), Arc::clone(&messages));
        let thread = std::thread::spawn(move || consume(&consumer, &stopping, &counted));
        Ok(Self { stop, messages, thread })
    }

    pub(super) fn messages_so_far(&self) -> u64 {
        self.messages.load(Ordering::Relaxed)
    }

    /// Waits until `expected` messages have arrived or `patience` is over.
    pub(super) fn stop(self, expected: u64, patience: Duration) -> Consumed {
        let started = Instant::now();
        while self.messages_so_far() < expected && started.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn consume(consumer: &BaseConsumer, stop: &AtomicBool, counted: &AtomicU64) -> Consumed {
    let mut consumed = Consumed::default();
    let mut rows = Rows::default();
    while !stop.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
        rows.clear();
        let payload = message.payload().unwrap_or_default();
        if neckar_proto::decode::decode(payload, &mut rows).is_ok() {
            let flow = &rows.as_slice()[0];
            consumed.bytes_sum += flow.word_or_zero(Field::Bytes);
            // One with a customer shows what labelling does.
            if consumed.sample.is_none() && flow.has(Field::Cid) {
                let mut text = Vec::new();
                neckar_proto::json::write(&mut text, &rows, flow);
                consumed.sample = Some(String::from_utf8_lossy(&text).trim_end().to_string());
            }
        }
        consumed.messages += 1;
        counted.store(consumed.messages, Ordering::Relaxed);
    }
    consumed
}
