//! One thread's way to a topic through librdkafka. A flow per message costs least when librdkafka has
//! no partition to choose, so a batch without keys goes to one, and we choose it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use neckar_proto::{Batch, Keying, Layout};
use rdkafka::types::RDKafkaErrorCode;

use super::handle::Handle;
use super::message::{Shape, UNASSIGNED};
use super::produce::Client;
use crate::account::Account;
use crate::counts::Counts;
use crate::framing::Framing;
use crate::leaders::Leaders;
use crate::partitioner::sort_by_key;
use crate::topic::TopicOptions;

/// One thread's way to a topic.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(super) handle: Handle,
    pub(super) client: Arc<Client>,
    /// The producer is gone, or goes.
    pub(super) ended: Arc<AtomicBool>,
    pub(super) options: TopicOptions,
    pub(super) counts: Arc<Counts>,
    pub(super) account: Arc<Account>,
    pub(super) leaders: Arc<Leaders>,
    pub(super) turn: usize,
    /// Flows of the batch in hand by partition, where keys decide and messages are of many flows.
    pub(super) places: Vec<Vec<u32>>,
}

impl Lane {
    /// See [`crate::Topic::submit_some`].
    pub(crate) fn submit(
        &mut self,
        batch: &Arc<Batch>,
        flows: impl Iterator<Item = u32>,
        refused: &mut Vec<u32>,
    ) {
        if self.counts.has_ended() {
            // Each would fail at once. Kept, they go to disk.
            return refused.extend(flows);
        }
        let before = refused.len();
        self.hand_over(batch, flows, refused);
        // Looked at behind handing over: what the producer's end did not see, we see to.
        if self.ended.load(Ordering::SeqCst) {
            let refused = (refused.len() - before) as u64;
            super::end(&self.client, &self.counts, || self.account.counts().in_flight > refused);
        }
    }

    fn hand_over(
        &mut self,
        batch: &Arc<Batch>,
        flows: impl Iterator<Item = u32>,
        refused: &mut Vec<u32>,
    ) {
        let partition = self.partition();
        // Messages are slices of the batch. Another's topic may want them otherwise: seldom.
        let is_laid_out =
            self.options.framing == Framing::Bare || batch.layout() == Layout::Delimited;
        let batch =
            if is_laid_out { Cow::Borrowed(batch) } else { Cow::Owned(Arc::new(batch.delimit())) };
        let batch = &*batch;
        let bytes_max = self.options.packed_bytes;
        let has_keys = self.options.keyed && batch.keying() != Keying::None;
        let partitions = if has_keys { self.leaders.partitions() } else { 0 };
        let Self { handle, counts, account, .. } = self;
        let fail = |code: RDKafkaErrorCode, flows| {
            account.report(false, flows);
            counts.fail(&format!("{code:?}"), flows);
        };
        match self.options.framing {
            Framing::Packed if partitions > 1 => {
                sort_by_key(batch, flows, partitions, &mut self.places);
                for (place, flows) in self.places.iter().enumerate() {
                    let flows = flows.iter().copied();
                    handle.submit_packed(place as i32, bytes_max, batch, flows, refused, fail);
                }
            }
            Framing::Packed => {
                handle.submit_packed(partition, bytes_max, batch, flows, refused, fail);
            }
            framing => {
                let is_delimited = framing == Framing::Delimited;
                let shape = Shape { is_delimited, keyed_partitions: partitions, has_keys };
                let partition = if has_keys { UNASSIGNED } else { partition };
                handle.submit(partition, shape, batch, flows, refused, fail);
            }
        }
    }

    /// Has librdkafka choose the partitions.
    pub(crate) fn leave_choice(&mut self) {
        self.leaders = Arc::default();
    }

    /// The partition for the next batch; librdkafka's choice while none is known to have a leader.
    fn partition(&mut self) -> i32 {
        self.turn = self.turn.wrapping_add(1);
        self.leaders.pick(self.turn).unwrap_or(UNASSIGNED)
    }
}
