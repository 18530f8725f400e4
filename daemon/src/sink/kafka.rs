//! A worker's batches into the main topic, or by way of the disk while Kafka does not take them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neckar_kafka::Topic;
use neckar_proto::Batch;

use super::{Route, Sink};
use crate::spooler::Detour;

/// Flows on their way and none acknowledged for so long: Kafka is away, not slow.
const SILENT: Duration = Duration::from_secs(2);

/// A batch of which some flows are still to be taken.
struct Waiting {
    batch: Arc<Batch>,
    flows: Vec<u32>,
}

/// One worker's way to a topic.
pub struct KafkaSink {
    topic: Topic,
    /// What librdkafka has no room for, in order.
    waiting: VecDeque<Waiting>,
    refused: Vec<u32>,
    detour: Option<Detour>,
    /// What the detour has no room for, in order.
    detoured: VecDeque<Arc<Batch>>,
    /// What went to disk at the stop.
    kept: Vec<Arc<Batch>>,
}

impl KafkaSink {
    /// A sink that produces to `topic`, by `detour` if there is one and Kafka is away.
    #[must_use]
    pub fn new(topic: Topic, detour: Option<Detour>) -> Self {
        let (waiting, detoured) = (VecDeque::new(), VecDeque::new());
        Self { topic, waiting, refused: Vec::new(), detour, detoured, kept: Vec::new() }
    }

    /// Should what comes now go to disk? Memory runs short, Kafka is silent, or older flows are
    /// there already.
    fn goes_to_disk(&self, is_short: bool) -> bool {
        let Some(detour) = &self.detour else { return false };
        is_short || !self.detoured.is_empty() || detour.is_in_use() || self.topic.silence() > SILENT
    }

    fn tend_detour(&mut self, deadline: Instant) {
        let Some(detour) = &self.detour else { return };
        while let Some(batch) = self.detoured.pop_front() {
            if let Err(batch) = detour.spool(batch, deadline) {
                self.detoured.push_front(batch);
                return;
            }
        }
    }

    fn tend_waiting(&mut self) {
        while let Some(Waiting { batch, flows }) = self.waiting.pop_front() {
            self.topic.submit_some(&batch, flows.into_iter(), &mut self.refused);
            if !self.refused.is_empty() {
                let flows = std::mem::take(&mut self.refused);
                self.waiting.push_front(Waiting { batch, flows });
                return;
            }
        }
    }

    /// What Kafka's queue had no room for, to disk. Its batch goes whole, since that is what the disk takes,
    /// with those of its flows that did find room.
    fn keep_waiting(&mut self, deadline: Instant) {
        let Some(detour) = &self.detour else { return };
        for Waiting { batch, flows } in std::mem::take(&mut self.waiting) {
            let asked_flows = batch.len() - flows.len();
            match detour.keep(Arc::clone(&batch), asked_flows as u64, deadline) {
                Ok(()) => self.kept.push(batch),
                Err(_) => self.topic.give_up(flows.len() as u64),
            }
        }
    }
}

impl Sink for KafkaSink {
    fn submit(&mut self, batch: Arc<Batch>, is_short: bool) -> Route {
        if self.goes_to_disk(is_short) {
            self.detoured.push_back(batch);
            self.tend_detour(Instant::now());
            return Route::Spool;
        }
        if !self.waiting.is_empty() {
            let flows = (0..batch.len() as u32).collect();
            self.waiting.push_back(Waiting { batch, flows });
            self.tend_waiting();
            return Route::Output;
        }
        self.topic.submit(&batch, &mut self.refused);
        if !self.refused.is_empty() {
            let flows = std::mem::take(&mut self.refused);
            self.waiting.push_back(Waiting { batch, flows });
        }
        Route::Output
    }

    fn tend(&mut self) {
        self.tend_waiting();
        self.tend_detour(Instant::now());
    }

    fn backlog(&self) -> usize {
        self.waiting.len() + self.detoured.len()
    }

    fn finish(&mut self, deadline: Instant, keep_until: Instant) {
        self.tend_detour(deadline);
        self.tend_waiting();
        while !self.waiting.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            self.tend_waiting();
        }
        self.keep_waiting(keep_until);
        self.tend_detour(keep_until);
        for Waiting { flows, .. } in self.waiting.drain(..) {
            self.topic.give_up(flows.len() as u64);
        }
        for batch in self.detoured.drain(..) {
            self.topic.give_up(batch.len() as u64);
        }
        // A batch that is on its way to disk must not be kept once more.
        let is_through = || self.detour.as_ref().is_none_or(Detour::is_through);
        while !is_through() && Instant::now() < keep_until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn unacknowledged(&self) -> Option<u64> {
        self.detour.as_ref().map(|_| self.topic.counts().in_flight)
    }

    fn keep(&mut self, batch: Arc<Batch>, deadline: Instant) {
        let is_kept = self.kept.iter().any(|kept| Arc::ptr_eq(kept, &batch));
        if let Some(detour) = self.detour.as_ref().filter(|_| !is_kept) {
            let asked_flows = batch.len() as u64;
            // Kafka was asked to take all of it: nothing of it is ours to count.
            let _ = detour.keep(batch, asked_flows, deadline);
        }
    }
}
