//! Batches of encoded flows into Kafka, and records back out.
//!
//! In: [`Batch`](neckar_proto::Batch)es, shared and not copied. Out: counted reports. One
//! [`Producer`] a process, one [`Topic`] a thread and topic, over one of two transports: `native`
//! frames record batches itself, `librdkafka` has the only file with C calls, `produce.rs`, which is
//! the only unsafe one. And back out again: a [`Consumer`] of the topic's records, through librdkafka.
//!
//! A [`FlowReader`] takes records apart that anybody wrote: bare, behind their length or packed, with
//! the numbers of bwNetFlow, flowpipeline (v1, v2), goflow or goflow2.
//!
//! Two whole programs stand beside the library, and a test runs them against a real Kafka:
//! `examples/producer.rs` (submit, what a full queue refuses, finish) and `examples/consumer.rs` (a
//! member of a group that commits when the work is done, and says how far behind it is). For C and C++ there are a
//! header, `include/neckar_flows.h`, and `examples/consumer.c`. In short:
//!
//! ```no_run
//! use neckar_kafka::{Consumer, ConsumerConfig, FlowReader};
//! use neckar_proto::{Field, Rows};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let brokers = vec!["127.0.0.1:9092".to_owned()];
//! let group = "billing".to_owned();
//! let consumer = Consumer::new(&ConsumerConfig { brokers, group, ..Default::default() })?;
//! consumer.subscribe(&["flow-messages-enriched"])?;
//! let (mut reader, mut rows) = (FlowReader::default(), Rows::default());
//! while let Some(record) = consumer.next(std::time::Duration::from_secs(10))? {
//!     rows.clear();
//!     reader.read(record.payload(), &mut rows)?;
//!     for flow in rows.as_slice() {
//!         println!("{:?} {} bytes", flow.ip(Field::SrcAddr), flow.word_or_zero(Field::Bytes));
//!     }
//!     consumer.done(&record)?;
//! }
//! consumer.commit()?;
//! # Ok(())
//! # }
//! ```
//!
//! Deliberately absent: retrying what the queue refuses (the caller holds it), any knowledge of
//! what a flow is. Cost: benches/README.md, "Kafka".
#![deny(unsafe_code)]

mod account;
mod admin;
mod config;
mod consumer;
mod counts;
mod framing;
mod generations;
mod latency;
mod leaders;
mod librdkafka;
mod native;
mod packer;
mod partitioner;
mod producer;
mod range;
mod topic;
mod wire;

pub use account::{TopicBooks, TopicCounts};
pub use admin::{Admin, Made, NewTopics};
pub use config::{Choice, ConfigError, ProducerConfig, Transport};
pub use consumer::{Consumer, ConsumerConfig, Record};
pub use counts::{ProducerCounts, WireCounts};
pub use framing::Framing;
pub use generations::FlowReader;
pub use latency::Latency;
pub use librdkafka::FLOW_IN_FLIGHT_BYTES;
pub use native::REQUESTS_BYTES;
pub use producer::Producer;
pub use range::{Position, Span};
pub use topic::{Topic, TopicOptions};
