//! A topic as one thread produces to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use neckar_proto::Batch;

use crate::account::{Account, TopicBooks, TopicCounts};
use crate::counts::Counts;
use crate::framing::Framing;
use crate::leaders::Leaders;
use crate::{librdkafka, native};

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
/// have a leader taking turns.
#[derive(Debug)]
pub struct Topic {
    lane: Lane,
    counts: Arc<Counts>,
    account: Arc<Account>,
    leaders: Arc<Leaders>,
}

/// The transport's side of it.
#[derive(Debug)]
pub(crate) enum Lane {
    Librdkafka(librdkafka::Lane),
    Native(native::Lane),
}

impl Topic {
    pub(crate) fn new(
        lane: Lane,
        counts: Arc<Counts>,
        account: Arc<Account>,
        leaders: Arc<Leaders>,
    ) -> Self {
        Self { lane, counts, account, leaders }
    }

    /// Hands every flow of `batch` to the transport, without copying: the batch is held until all are
    /// reported on. Flows for which there is no room are put into `refused`, to be submitted again.
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
        let before = refused.len();
        // Counted before the reports can come in: in flight is never negative.
        self.book(flows.len() as u64);
        match &mut self.lane {
            Lane::Librdkafka(lane) => lane.submit(batch, flows, refused),
            Lane::Native(lane) => lane.submit(batch, flows, refused),
        }
        let refused = (refused.len() - before) as u64;
        if refused > 0 {
            self.counts.submitted.fetch_sub(refused, Ordering::Relaxed);
            self.counts.queue_full.fetch_add(1, Ordering::Relaxed);
            self.account.take_back(refused);
        }
    }

    /// In this topic's books and in the producer's.
    fn book(&self, flows: u64) {
        self.counts.submitted.fetch_add(flows, Ordering::Relaxed);
        self.account.submit(flows);
    }

    /// What came of what was submitted here.
    #[must_use]
    pub fn counts(&self) -> TopicCounts {
        self.account.counts()
    }

    /// The same for whoever does not have the topic.
    #[must_use]
    pub fn books(&self) -> TopicBooks {
        TopicBooks(Arc::clone(&self.account))
    }

    /// How long flows of this topic are on their way of which none was reported on; zero if none
    /// are. A topic that does not exist is silent, and so is one whose broker is away.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.account.silence()
    }

    /// Counts flows that the caller gives up on without having them taken: time is up.
    pub fn give_up(&self, flows: u64) {
        self.book(flows);
        self.counts.fail("QueueFull", flows);
        self.account.report(false, flows);
    }

    /// Is it known which of its partitions have a leader?
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.leaders.pick(0).is_some()
    }

    /// Only to measure what our way saves: has librdkafka choose the partitions.
    #[doc(hidden)]
    pub fn leave_choice(&mut self) {
        if let Lane::Librdkafka(lane) = &mut self.lane {
            lane.leave_choice();
        }
    }
}
