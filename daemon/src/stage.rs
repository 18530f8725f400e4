//! From decoded rows to batches: label, encode, hand over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use crossbeam_channel::{Sender, TrySendError};
use neckar_decode::RowSink;
use neckar_enrich::anonymize::Anonymizer;
use neckar_enrich::{LabelCounts, Labels, Tables};
use neckar_proto::encode::Profile;
use neckar_proto::{Batch, Rows};

use crate::pool::Pool;
use crate::reverse_names::NameLabels;
use crate::sink::{Route, Sink};

/// What becomes of the rows that the decoder lent. `flows = encoded + shed`, always.
#[derive(Clone, Debug, Default)]
pub struct StageCounts {
    /// Flows encoded into a batch.
    pub encoded: u64,
    /// Their bytes, with what stands around each.
    pub encoded_bytes: u64,
    /// Flows dropped because every batch was still waiting for the output.
    pub shed: u64,
    /// Batches handed over.
    pub batches: u64,
    /// Times that the worker had to wait for a free batch.
    pub stalls: u64,
    /// Nanoseconds that it waited.
    pub stalled_ns: u64,
    /// Flows that the splitter did not see because its queue was full.
    pub splitter_missed: u64,
    /// Flows that were not counted as traffic because that queue was full.
    pub traffic_missed: u64,
    /// Batches lent out now.
    pub batches_lent: u64,
    /// Batches waiting in the sink for room in the output's own queue.
    pub backlog: u64,
    /// What labelling met.
    pub labels: LabelCounts,
}

/// One worker's labelling, encoding and hand-over.
pub struct Stage {
    source: Cache<Arc<ArcSwap<Tables>>, Arc<Tables>>,
    /// The tables in force for this batch of datagrams: labels found in them are encoded from
    /// them.
    tables: Arc<Tables>,
    labels: Labels,
    names: Option<NameLabels>,
    anonymizer: Option<Arc<Anonymizer>>,
    profile: &'static Profile,
    pool: Pool,
    sink: Box<dyn Sink>,
    splitter: Option<Sender<Arc<Batch>>>,
    traffic: Option<Sender<Arc<Batch>>>,
    linger: Duration,
    stall: Duration,
    keep: Duration,
    /// When the first flow of the open batch came; 0 while it is empty.
    opened_ns: u64,
    now_ns: u64,
    /// No batch came free in time: do not wait again until one does.
    shedding: bool,
    counts: StageCounts,
}

/// What a stage is made of.
pub struct StageParts {
    /// The labels' tables, swapped whole.
    pub tables: Arc<ArcSwap<Tables>>,
    /// Names of hosts.
    pub names: Option<NameLabels>,
    /// Makes addresses unrecognisable once they are labelled.
    pub anonymizer: Option<Arc<Anonymizer>>,
    /// The output's field numbers.
    pub profile: &'static Profile,
    /// Its batches.
    pub pool: Pool,
    /// Where they go.
    pub sink: Box<dyn Sink>,
    /// Who else reads what goes to the output.
    pub splitter: Option<Sender<Arc<Batch>>>,
    /// Who counts all of them.
    pub traffic: Option<Sender<Arc<Batch>>>,
    /// How long a batch stays open at most.
    pub linger: Duration,
    /// How long to wait for a free batch before shedding.
    pub stall: Duration,
    /// How long the sink may take at the stop to keep what the output has not acknowledged by then.
    pub keep: Duration,
}

impl Stage {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: StageParts) -> Self {
        let StageParts {
            tables,
            names,
            anonymizer,
            profile,
            pool,
            sink,
            splitter,
            traffic,
            linger,
            stall,
            keep,
        } = parts;
        Self {
            tables: tables.load_full(),
            source: Cache::new(tables),
            labels: Labels::default(),
            names,
            anonymizer,
            profile,
            pool,
            sink,
            splitter,
            traffic,
            linger,
            stall,
            keep,
            opened_ns: 0,
            now_ns: 0,
            shedding: false,
            counts: StageCounts::default(),
        }
    }

    /// Tells the time, once per batch of datagrams; the moment at which new tables come into force.
    pub fn set_now(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        let fresh = self.source.load();
        if !Arc::ptr_eq(fresh, &self.tables) {
            self.tables = Arc::clone(fresh);
        }
    }

    /// How long until the open batch has to go.
    #[must_use]
    pub fn time_left(&self, now_ns: u64) -> Duration {
        if self.opened_ns == 0 {
            return Duration::MAX;
        }
        self.linger.saturating_sub(Duration::from_nanos(now_ns.saturating_sub(self.opened_ns)))
    }

    /// Hands the open batch over if its time has come, and lets the sink retry what it could not
    /// place.
    pub fn tend(&mut self, now_ns: u64) {
        self.set_now(now_ns);
        if self.time_left(now_ns).is_zero() {
            self.hand_over();
        }
        self.sink.tend();
    }

    /// Hands over what is open and gives the sink until `deadline` to place its backlog, and the
    /// output to acknowledge it if it can keep what it has not, for which there is a little more time.
    pub fn finish(&mut self, deadline: Instant) {
        let keep_until = deadline + self.keep;
        self.hand_over();
        self.sink.finish(deadline, keep_until);
        let is_waited_for = |sink: &dyn Sink| sink.unacknowledged().is_some_and(|flows| flows > 0);
        while is_waited_for(&*self.sink) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if is_waited_for(&*self.sink) {
            self.pool.lent_batches().for_each(|batch| self.sink.keep(batch, keep_until));
        }
    }

    /// What became of the rows so far.
    pub fn counts(&mut self) -> &StageCounts {
        self.counts.batches_lent = self.pool.lent_count() as u64;
        self.counts.backlog = self.sink.backlog() as u64;
        self.counts.labels = *self.labels.counts();
        &self.counts
    }

    fn hand_over(&mut self) {
        self.opened_ns = 0;
        let Some(batch) = self.pool.close() else { return };
        self.counts.batches += 1;
        self.counts.encoded_bytes += batch.bytes().len() as u64;
        if let Some(traffic) = &self.traffic {
            self.counts.traffic_missed += missed(traffic, Arc::clone(&batch));
        }
        let is_short = self.pool.is_short();
        let route = self.sink.submit(Arc::clone(&batch), is_short);
        if let Some(splitter) = self.splitter.as_ref().filter(|_| route == Route::Output) {
            self.counts.splitter_missed += missed(splitter, batch);
        }
    }

    /// Waits for a free batch, once per time that the output falls behind.
    fn wait_for_batch(&mut self) -> bool {
        if self.shedding {
            self.sink.tend();
            self.shedding = self.pool.open().is_none();
            return !self.shedding;
        }
        let started = Instant::now();
        self.counts.stalls += 1;
        while self.pool.open().is_none() && started.elapsed() < self.stall {
            self.sink.tend();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.counts.stalled_ns += started.elapsed().as_nanos() as u64;
        self.shedding = self.pool.open().is_none();
        !self.shedding
    }
}

/// Hands a batch to another reader, who must not make us wait; answers how many flows it has no room for.
fn missed(reader: &Sender<Arc<Batch>>, batch: Arc<Batch>) -> u64 {
    match reader.try_send(batch) {
        Ok(()) => 0,
        Err(TrySendError::Full(missed) | TrySendError::Disconnected(missed)) => missed.len() as u64,
    }
}

impl RowSink for Stage {
    fn rows(&mut self, rows: &mut Rows) {
        let mut done = 0;
        self.tables.label(rows, &mut self.labels);
        if let Some(names) = &mut self.names {
            names.label(rows, self.now_ns / 1_000_000_000);
        }
        if let Some(anonymizer) = &self.anonymizer {
            rows.as_mut_slice().iter_mut().for_each(|flow| anonymizer.anonymize(flow));
        }
        while done < rows.len() {
            done += self.encode(rows, done);
            if done < rows.len() {
                // The batch is full, or there is none.
                self.hand_over();
                if self.pool.open().is_none() && !self.wait_for_batch() {
                    self.counts.shed += (rows.len() - done) as u64;
                    return;
                }
            }
        }
    }
}

impl Stage {
    /// Encodes rows from `start` on into the open batch until it is full; returns how many.
    fn encode(&mut self, rows: &Rows, start: usize) -> usize {
        let Some(batch) = self.pool.open() else { return 0 };
        if batch.is_empty() {
            self.opened_ns = self.now_ns;
            batch.set_opened_ns(self.now_ns);
        }
        let flows = rows.as_slice().iter().enumerate().skip(start);
        let taken = flows
            .take_while(|(index, flow)| {
                let labels = self.labels.of(*index);
                batch.push(self.profile, flow, rows.texts(), &labels)
            })
            .count();
        self.counts.encoded += taken as u64;
        taken
    }
}

#[cfg(test)]
mod tests {
    use neckar_proto::Flow;
    use neckar_proto::encode::BWNETFLOW;

    use super::*;

    /// A full queue, and one that nobody reads any more, cost a count and no time.
    #[test]
    fn who_has_no_room_misses_the_flows_of_a_batch() {
        let mut batch = Batch::with_capacity(8, 16 << 10);
        for _ in 0..3 {
            assert!(batch.push(&BWNETFLOW, &Flow::default(), &[], &[]));
        }
        let batch = Arc::new(batch);
        let (sender, receiver) = crossbeam_channel::bounded(1);
        assert_eq!(missed(&sender, Arc::clone(&batch)), 0);
        assert_eq!(missed(&sender, Arc::clone(&batch)), 3);
        drop(receiver);
        assert_eq!(missed(&sender, batch), 3);
    }
}
