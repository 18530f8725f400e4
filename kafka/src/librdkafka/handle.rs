//! A topic of one thread: batches become messages and are handed over, and what librdkafka has no
//! room for is sorted out.

use std::os::raw::c_void;
use std::sync::Arc;

use neckar_proto::Batch;
use rdkafka::bindings as sys;
use rdkafka::types::RDKafkaErrorCode;

use crate::account::Account;

use super::message::{Held, Shape, packed};
use super::produce::{Client, InFlight, Messages, TopicHandle, release};
use crate::packer::pack_len;

/// librdkafka takes batches of any size; ours go in pieces of this many messages, for which the
/// array is kept.
const MESSAGES_MAX: usize = 2048;

/// The topic's handle, and the arrays that its batches are handed over with.
pub(crate) struct Handle {
    topic: TopicHandle,
    messages: Messages,
    /// Which flow of the batch each message is.
    flows: Vec<u32>,
    /// How many flows each message has, of many in one.
    packs: Vec<usize>,
    account: Arc<Account>,
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Handle")
    }
}

impl Handle {
    /// The topic need not exist yet.
    pub(crate) fn new(client: Arc<Client>, name: &str, account: Arc<Account>) -> Self {
        // The arrays grow to what the topic's batches need: most of many topics get few flows of each.
        Self {
            topic: TopicHandle::new(client, name),
            messages: Messages::default(),
            flows: Vec::new(),
            packs: Vec::new(),
            account,
        }
    }

    /// Hands `flows` of `batch`, in order and each as a message, to `partition` (or [`UNASSIGNED`]),
    /// unless `shape` puts them where their keys belong. Those for which librdkafka's queue had no
    /// room go to `refused`; those that it will never take are told to `failed`.
    pub(crate) fn submit(
        &mut self,
        partition: i32,
        shape: Shape,
        batch: &Arc<Batch>,
        flows: impl Iterator<Item = u32>,
        refused: &mut Vec<u32>,
        mut failed: impl FnMut(RDKafkaErrorCode, u64),
    ) {
        let mut flows = flows.peekable();
        while flows.peek().is_some() {
            self.messages.0.clear();
            self.flows.clear();
            for flow in flows.by_ref().take(MESSAGES_MAX) {
                self.messages.0.push(shape.message(batch, flow as usize));
                self.flows.push(flow);
            }
            let count = self.messages.0.len();
            let bytes = self.messages.0.iter().map(|message| message.len as u64).sum();
            let held = Held::Batch(Arc::clone(batch));
            let entry = self.start(held, batch.opened_ns(), (count, bytes), 1);
            for message in &mut self.messages.0 {
                message._private = entry.cast::<c_void>();
            }
            let each = if shape.keyed_partitions > 0 { sys::RD_KAFKA_MSG_F_PARTITION } else { 0 };
            let accepted = self.call(partition, each);
            // Refused messages are never reported on: count them out here.
            if accepted < count {
                let _ = release(entry, count - accepted);
                if self.is_full(refused, &mut failed) {
                    // In order: nothing overtakes what was refused.
                    refused.extend(flows.by_ref());
                }
            }
        }
    }

    /// The same with many flows in a message of at most `bytes_max`; without keys.
    pub(crate) fn submit_packed(
        &mut self,
        partition: i32,
        bytes_max: usize,
        batch: &Arc<Batch>,
        flows: impl Iterator<Item = u32>,
        refused: &mut Vec<u32>,
        mut failed: impl FnMut(RDKafkaErrorCode, u64),
    ) {
        self.messages.0.clear();
        self.flows.clear();
        self.packs.clear();
        self.flows.extend(flows);
        let mut rest = &self.flows[..];
        while !rest.is_empty() {
            let (pack, behind) = rest.split_at(pack_len(batch, rest, bytes_max));
            let (mut message, held) = packed(batch, pack);
            let size = (1, message.len as u64);
            let entry = self.start(held, batch.opened_ns(), size, pack.len() as u64);
            message._private = entry.cast();
            self.messages.0.push(message);
            self.packs.push(pack.len());
            rest = behind;
        }
        let accepted = self.call(partition, 0);
        if accepted < self.messages.0.len() {
            let mut start = 0;
            for (message, count) in self.messages.0.iter().zip(&self.packs) {
                let flows = &self.flows[start..start + count];
                start += count;
                match drop_refused(message) {
                    RDKafkaErrorCode::NoError => {}
                    RDKafkaErrorCode::QueueFull => refused.extend_from_slice(flows),
                    code => failed(code, *count as u64),
                }
            }
        }
    }

    fn start(
        &self,
        held: Held,
        opened_ns: u64,
        (messages, bytes): (usize, u64),
        flows_each: u64,
    ) -> *mut InFlight {
        let account = Arc::clone(&self.account);
        InFlight::start(held, account, opened_ns, (messages, bytes), flows_each)
    }

    fn call(&mut self, partition: i32, flags: i32) -> usize {
        self.topic.produce(partition, flags, &mut self.messages)
    }

    /// Sorts out what was not accepted; was there no room for some? librdkafka refuses everything
    /// behind the first message for which it has none.
    fn is_full(
        &self,
        refused: &mut Vec<u32>,
        failed: &mut impl FnMut(RDKafkaErrorCode, u64),
    ) -> bool {
        let before = refused.len();
        for (message, flow) in self.messages.0.iter().zip(&self.flows) {
            match message.err.into() {
                RDKafkaErrorCode::NoError => {}
                RDKafkaErrorCode::QueueFull => refused.push(*flow),
                code => failed(code, 1),
            }
        }
        refused.len() > before
    }
}

/// librdkafka's word on a message that has its entry to itself. One that it did not take is never
/// reported on, so the entry goes here.
fn drop_refused(message: &sys::rd_kafka_message_t) -> RDKafkaErrorCode {
    let code = message.err.into();
    if code != RDKafkaErrorCode::NoError {
        let _ = release(message._private.cast(), 1);
    }
    code
}
