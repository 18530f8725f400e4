//! What the tests share.

pub(crate) mod proxy;

use std::collections::BTreeMap;
use std::time::Duration;

use neckar_kafka::{Consumer, ConsumerConfig, Producer, ProducerConfig, Record, Transport};
use neckar_proto::{Field, Layout, Rows};

/// Each test on both transports: they are to do the same.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod native {
            $(#[test] fn $name() { super::$name(neckar_kafka::Transport::Native); })*
        }
        mod librdkafka {
            $(#[test] fn $name() { super::$name(neckar_kafka::Transport::Librdkafka); })*
        }
    };
}
pub(crate) use on_both;

pub(crate) fn producer(
    transport: Transport,
    brokers: &str,
    properties: &[(&str, &str)],
) -> Producer {
    let properties: BTreeMap<String, String> =
        properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let brokers = brokers.split(',').map(str::to_string).collect();
    let config = ProducerConfig { transport, brokers, properties, ..ProducerConfig::default() };
    Producer::new(&config).unwrap()
}

/// Both layouts of batches, taking turns: what arrives is the same.
pub(crate) fn either_layout(turn: u64) -> Layout {
    if turn.is_multiple_of(2) { Layout::Records } else { Layout::Delimited }
}

/// `Bytes` of all flows in the topic by partition, in the order of each.
pub(crate) fn bytes_in(brokers: &str, topic: &str, patience: Duration) -> BTreeMap<i32, Vec<u64>> {
    let brokers = vec![brokers.into()];
    let config = ConsumerConfig { brokers, group: topic.into(), ..ConsumerConfig::default() };
    let mut found: BTreeMap<i32, Vec<u64>> = BTreeMap::new();
    let mut rows = Rows::default();
    let visit = |record: &Record<'_>| {
        rows.clear();
        record.read(&mut rows).unwrap();
        let bytes = rows.as_slice()[0].word_or_zero(Field::Bytes);
        found.entry(record.place().0).or_default().push(bytes);
    };
    Consumer::new(&config).unwrap().read_all(topic, patience, visit).unwrap();
    found
}
