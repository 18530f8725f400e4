//! Reading a topic back.

use std::time::{Duration, Instant};

use neckar_proto::Message;
use prost::Message as _;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// End offsets of the topic, summed over its partitions: how many messages were ever put there.
pub fn end(brokers: &str, topic: &str) -> u64 {
    let consumer = consumer(brokers);
    partitions(&consumer, topic)
        .into_iter()
        .map(|partition| {
            let timeout = Duration::from_secs(10);
            consumer.fetch_watermarks(topic, partition, timeout).map_or(0, |(_, end)| end as u64)
        })
        .sum()
}

/// Every message of the topic up to its present end, decoded by prost: not by our own decoder.
pub fn read(brokers: &str, topic: &str) -> Vec<Message> {
    let mut messages = Vec::new();
    visit(brokers, topic, |_, payload| {
        messages.push(Message::decode(payload).expect("one bare message per record"));
    });
    messages
}

/// Calls `visit` with partition and payload of every message of the topic up to its present end.
pub fn visit(brokers: &str, topic: &str, mut visit: impl FnMut(i32, &[u8])) {
    let expected = end(brokers, topic);
    let consumer = consumer(brokers);
    let mut list = TopicPartitionList::new();
    for partition in partitions(&consumer, topic) {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a valid offset");
    }
    consumer.assign(&list).expect("the partitions exist");
    let mut seen = 0;
    let mut last = Instant::now();
    while seen < expected {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                visit(message.partition(), message.payload().unwrap_or_default());
                seen += 1;
                last = Instant::now();
            }
            _ => assert!(last.elapsed().as_secs() < 30, "{seen} of {expected} messages came"),
        }
    }
}

fn consumer(brokers: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "neckar-tests")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a plain consumer")
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> Vec<i32> {
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(20));
    let metadata = metadata.expect("the broker answers");
    let ids = metadata.topics().iter().flat_map(|topic| topic.partitions());
    ids.map(|partition| partition.id()).collect()
}
