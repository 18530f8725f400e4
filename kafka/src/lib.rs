//! Batches of encoded flows into Kafka, and records back out, through librdkafka.
//!
//! In: [`Batch`](neckar_proto::Batch)es, shared and not copied. Out: counted reports. One
//! [`Producer`] a process, one [`Topic`] a thread and topic. `produce.rs` is the only file with C
//! calls and the only unsafe one. And back out again: a [`Consumer`] of the topic's records.
//!
//! Deliberately absent: retrying what the queue refuses (the caller holds it), any knowledge of
//! what a flow is. Cost: benches/README.md, "Kafka".
#![deny(unsafe_code)]

mod config;
mod consumer;
mod framing;
mod generations;
mod latency;
#[allow(
    unsafe_code,
    reason = "rd_kafka_produce_batch: rdkafka's safe API has one call per message"
)]
mod produce;
mod producer;
mod range;
mod topics;
mod wire;

pub use config::{ConfigError, ProducerConfig};
pub use consumer::{Consumer, ConsumerConfig, Record};
pub use framing::Framing;
pub use generations::FlowReader;
pub use producer::{FLOW_IN_FLIGHT_BYTES, Producer, ProducerCounts, Topic};
pub use range::{Position, Span};
