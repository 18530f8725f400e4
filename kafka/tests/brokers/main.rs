//! Producer and consumer against brokers: librdkafka's mock cluster, and a real Kafka that is stopped, paused and
//! reached through a faulty network. One program for all of them: they wait more than they compute, and link once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod examples;
mod faults;
mod framing;
mod header;
mod java;
mod native;
mod producer;
mod real;
mod support;
mod witness;
