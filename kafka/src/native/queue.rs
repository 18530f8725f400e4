//! Flows on their way: which of which batch, and who wants to know what comes of them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use neckar_proto::{Batch, Keying, Layout};

use crate::account::Account;
use crate::counts::{Counts, ENDED};
use crate::framing::Framing;
use crate::topic::TopicOptions;

/// One call's flows. The batch is held until the last of them is reported on, so that it can still
/// go to disk if Kafka does not take it.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) batch: Arc<Batch>,
    pub(super) options: TopicOptions,
    account: Arc<Account>,
    counts: Arc<Counts>,
    /// When its first flow came, in Unix milliseconds: the records' time.
    pub(super) time_ms: i64,
    flows: u64,
    /// Those not reported on.
    left: AtomicU64,
    bytes: u64,
}

impl Submission {
    pub(super) fn new(
        batch: Arc<Batch>,
        options: TopicOptions,
        (account, counts): (Arc<Account>, Arc<Counts>),
        time_ms: i64,
        (flows, bytes): (u64, u64),
    ) -> Self {
        account.hold(bytes);
        let left = AtomicU64::new(flows);
        Self { batch, options, account, counts, time_ms, flows, left, bytes }
    }

    /// Flows are in Kafka, or given up on for an error of this name.
    fn report(&self, flows: u64, error: Option<&str>) {
        match error {
            None => self.counts.deliver(flows),
            Some(error) => self.counts.fail(error, flows),
        }
        self.account.report(error.is_none(), flows);
        if self.left.fetch_sub(flows, Ordering::Relaxed) == flows {
            self.counts.done(self.flows, self.batch.opened_ns());
        }
    }
}

/// Whoever drops flows need not report on them: the thread at its end, a panic, a queue that nobody
/// reads any more.
impl Drop for Submission {
    fn drop(&mut self) {
        let left = *self.left.get_mut();
        if left > 0 {
            self.counts.fail(ENDED, left);
            self.account.report(false, left);
        }
        self.account.release(self.bytes);
    }
}

/// Some flows of a batch, in rising order.
#[derive(Clone, Debug)]
pub(super) struct Flows {
    /// Which; all in a row if there is no list.
    list: Option<Arc<[u32]>>,
    /// Places in the list, or the flows themselves.
    range: Range<u32>,
}

impl Flows {
    pub(super) fn all(range: Range<u32>) -> Self {
        Self { list: None, range }
    }

    pub(super) fn listed(list: Arc<[u32]>) -> Self {
        let range = 0..list.len() as u32;
        Self { list: Some(list), range }
    }

    pub(super) fn len(&self) -> usize {
        self.range.len()
    }

    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let list = self.list.as_deref();
        self.range.clone().map(move |at| list.map_or(at, |list| list[at as usize]))
    }

    /// As a range of the batch, if they stand side by side there.
    fn side_by_side(&self) -> Option<Range<usize>> {
        let is_range = self.list.is_none() && !self.range.is_empty();
        is_range.then_some(self.range.start as usize..self.range.end as usize)
    }

    /// Bytes that they take in `batch`, what stands around them among these where that is quicker told.
    pub(super) fn bytes_in(&self, batch: &Batch) -> usize {
        match self.side_by_side() {
            Some(range) => batch.bytes_of(range),
            None => self.iter().map(|flow| batch.flow(flow as usize).len()).sum(),
        }
    }

    /// Takes the first so many out.
    pub(super) fn split_off_front(&mut self, count: usize) -> Self {
        let middle = self.range.end.min(self.range.start + count as u32);
        let front = Self { list: self.list.clone(), range: self.range.start..middle };
        self.range.start = middle;
        front
    }
}

/// Flows of one call that go to one partition.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) of: Arc<Submission>,
    pub(super) flows: Flows,
}

impl Piece {
    /// Tells what came of it, and ends it.
    pub(super) fn report(self, error: Option<&str>) {
        self.of.report(self.flows.len() as u64, error);
    }

    /// Do keys bind its flows to their partition?
    pub(super) fn has_keys(&self) -> bool {
        self.of.options.keyed && self.of.batch.keying() != Keying::None
    }

    /// Is it all of a batch whose flows are records already, as its topic wants them?
    pub(super) fn has_records(&self) -> bool {
        let batch = &self.of.batch;
        batch.layout() == Layout::Records
            && self.of.options.framing == Framing::Bare
            && !self.has_keys()
            && self.flows.side_by_side() == Some(0..batch.len())
    }

    /// Bytes of its flows, as [`Flows::bytes_in`] has them.
    pub(super) fn bytes(&self) -> usize {
        self.flows.bytes_in(&self.of.batch)
    }

    /// Bytes of its longest flow.
    pub(super) fn longest(&self) -> usize {
        let len = |flow: u32| self.of.batch.flow(flow as usize).len();
        self.flows.iter().map(len).max().unwrap_or(0)
    }

    /// Takes the first so many flows out.
    pub(super) fn split_off_front(&mut self, count: usize) -> Self {
        Self { of: Arc::clone(&self.of), flows: self.flows.split_off_front(count) }
    }
}
