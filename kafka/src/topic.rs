//! A topic as one thread produces to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use neckar_proto::{Batch, Keying};
use rdkafka::types::RDKafkaErrorCode;

use crate::account::{TopicBooks, TopicCounts};
use crate::framing::Framing;
use crate::handle::Handle;
use crate::message::{Shape, UNASSIGNED};
use crate::partitioner::partition_of;

use crate::producer::Counts;
use crate::topics::Leaders;

/// What a topic's messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicOptions {
    /// A message's value.
    pub framing: Framing,
    /// Bytes that a packed message may have; a flow that is longer goes alone.
    pub packed_bytes: usize,
    /// Put each flow into the partition of its key, as [`Batch::keyed`] kept it, and give Kafka the
    /// key. Messages of many flows have no key, but hold flows of one partition only.
    pub keyed: bool,
}

impl Default for TopicOptions {
    /// Bare flows without keys.
    fn default() -> Self {
        Self { framing: Framing::Bare, packed_bytes: 256 << 10, keyed: false }
    }
}

/// A topic as one thread produces to it. Without keys each batch goes to one partition, those that
/// have a leader taking turns: a flow per message costs least when librdkafka has no partition to
/// choose.
#[derive(Debug)]
pub struct Topic {
    handle: Handle,
    options: TopicOptions,
    counts: Arc<Counts>,
    leaders: Arc<Leaders>,
    turn: usize,
    /// Flows of the batch in hand by partition, where keys decide and messages are of many flows.
    places: Vec<Vec<u32>>,
}

impl Topic {
    pub(crate) fn new(
        handle: Handle,
        options: TopicOptions,
        counts: Arc<Counts>,
        leaders: Arc<Leaders>,
        turn: usize,
    ) -> Self {
        let places = Vec::new();
        Self { handle, options, counts, leaders, turn, places }
    }

    /// Hands every flow of `batch` to librdkafka, without copying: the batch is held until all are
    /// reported on. Flows for which its queue has no room are put into `refused`, to be
    /// submitted again.
    pub fn submit(&mut self, batch: &Arc<Batch>, refused: &mut Vec<u32>) {
        self.submit_some(batch, 0..batch.len() as u32, refused);
    }

    /// The same for chosen flows, in rising order.
    pub fn submit_some(
        &mut self,
        batch: &Arc<Batch>,
        flows: impl ExactSizeIterator<Item = u32>,
        refused: &mut Vec<u32>,
    ) {
        let partition = self.partition();
        let before = refused.len();
        // Counted before the reports can come in: in flight is never negative.
        self.book(flows.len() as u64);
        let bytes_max = self.options.packed_bytes;
        let has_keys = self.options.keyed && batch.keying() != Keying::None;
        let partitions = if has_keys { self.leaders.partitions() } else { 0 };
        let account = Arc::clone(self.handle.account());
        let Self { handle, counts, .. } = self;
        let fail = |code, flows| {
            account.report(false, flows);
            counts.fail(code, flows);
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
        let refused = (refused.len() - before) as u64;
        if refused > 0 {
            self.unbook(refused);
        }
    }

    /// In this topic's books and in the producer's.
    fn book(&self, flows: u64) {
        self.counts.submitted.fetch_add(flows, Ordering::Relaxed);
        self.handle.account().submit(flows);
    }

    fn unbook(&self, flows: u64) {
        self.counts.submitted.fetch_sub(flows, Ordering::Relaxed);
        self.counts.queue_full.fetch_add(1, Ordering::Relaxed);
        self.handle.account().take_back(flows);
    }

    fn fail(&self, code: RDKafkaErrorCode, flows: u64) {
        self.counts.fail(code, flows);
        self.handle.account().report(false, flows);
    }

    /// What came of what was submitted here.
    #[must_use]
    pub fn counts(&self) -> TopicCounts {
        self.handle.account().counts()
    }

    /// The same for whoever does not have the topic.
    #[must_use]
    pub fn books(&self) -> TopicBooks {
        TopicBooks(Arc::clone(self.handle.account()))
    }

    /// How long flows of this topic are on their way of which none was reported on; zero if none
    /// are. A topic that does not exist is silent, and so is one whose broker is away.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.handle.account().silence()
    }

    /// Has librdkafka copy the flows from now on, or not any more: a batch that is copied from does
    /// not wait for the topic's reports. Costs the copy.
    pub fn copy(&mut self, copy: bool) {
        self.handle.copy(copy);
    }

    /// Counts flows that the caller gives up on without having them taken: time is up.
    pub fn give_up(&self, flows: u64) {
        self.book(flows);
        self.fail(RDKafkaErrorCode::QueueFull, flows);
    }

    /// Is it known which of its partitions have a leader? Batches submitted before go where
    /// librdkafka likes.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.leaders.pick(0).is_some()
    }

    /// Only to measure what our way saves: has librdkafka choose the partitions.
    #[doc(hidden)]
    pub fn leave_choice(&mut self) {
        self.leaders = Arc::default();
    }

    /// The partition for the next batch; librdkafka's choice while none is known to have a leader.
    fn partition(&mut self) -> i32 {
        self.turn = self.turn.wrapping_add(1);
        self.leaders.pick(self.turn).unwrap_or(UNASSIGNED)
    }
}

/// Notes each flow at the partition of its key.
fn sort_by_key(
    batch: &Batch,
    flows: impl Iterator<Item = u32>,
    partitions: u32,
    places: &mut Vec<Vec<u32>>,
) {
    places.resize_with(partitions as usize, Vec::new);
    places.iter_mut().for_each(Vec::clear);
    for flow in flows {
        let place = partition_of(batch.key(flow as usize), partitions);
        places[place as usize].push(flow);
    }
}
