//! librdkafka's messages, made of flows.
//!
//! A message is pointers and lengths. Making them is safe and is here; keeping what they point into
//! alive until librdkafka has reported on them is `produce.rs`'s business, with the [`Held`] that
//! comes with each.

use std::borrow::Cow;
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use neckar_proto::Batch;
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaRespErr;

use crate::packer::{side_by_side, together};
use crate::partitioner::partition_of;

/// Let librdkafka's partitioner choose (`RD_KAFKA_PARTITION_UA`).
pub(crate) const UNASSIGNED: i32 = -1;

/// What messages point into.
#[expect(dead_code, reason = "held until it is dropped, which is all it is for")]
pub(crate) enum Held {
    /// A worker's batch, or a part of it.
    Batch(Arc<Batch>),
    /// Flows that did not stand side by side, copied together.
    Copy(Box<[u8]>),
}

/// How a call's flows become messages.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// With their length, or without.
    pub(crate) is_delimited: bool,
    /// Put each where its key belongs, of so many partitions; 0 leaves all in one.
    pub(crate) keyed_partitions: u32,
    /// Give Kafka the keys.
    pub(crate) has_keys: bool,
}

impl Shape {
    /// The message of one flow.
    pub(crate) fn message(self, batch: &Batch, flow: usize) -> sys::rd_kafka_message_t {
        let mut message = match self.is_delimited {
            true => message(in_place(batch, flow..flow + 1)),
            false => message(batch.flow(flow)),
        };
        let key = if self.has_keys { batch.key(flow) } else { &[] };
        if !key.is_empty() {
            message.key = key.as_ptr().cast_mut().cast();
            message.key_len = key.len();
            message.partition = match self.keyed_partitions {
                0 => UNASSIGNED,
                partitions => partition_of(key, partitions),
            };
        }
        message
    }
}

/// `flows` as one message: a slice of the batch if they stand side by side in it, else a copy.
pub(crate) fn packed(batch: &Arc<Batch>, flows: &[u32]) -> (sys::rd_kafka_message_t, Held) {
    match side_by_side(flows) {
        Some(range) => (message(in_place(batch, range)), Held::Batch(Arc::clone(batch))),
        None => {
            let bytes = together(batch, flows);
            // Moving the box does not move what it holds.
            (message(&bytes), Held::Copy(bytes))
        }
    }
}

/// Flows behind their lengths where they lie: a copy would be gone before the message.
fn in_place(batch: &Batch, flows: Range<usize>) -> &[u8] {
    match batch.delimited(flows) {
        Cow::Borrowed(bytes) => bytes,
        Cow::Owned(_) => unreachable!("the lane has the batch laid out for it"),
    }
}

/// A message without a key, whose entry is still to be set.
pub(crate) fn message(payload: &[u8]) -> sys::rd_kafka_message_t {
    sys::rd_kafka_message_t {
        err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: ptr::null_mut(),
        partition: 0,
        payload: payload.as_ptr().cast_mut().cast(),
        len: payload.len(),
        key: ptr::null_mut(),
        key_len: 0,
        offset: 0,
        _private: ptr::null_mut(),
    }
}
