//! A worker's batches into the main topic; what librdkafka has no room for waits here, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neckar_kafka::Topic;
use neckar_proto::Batch;

use super::Sink;

/// A batch of which some flows are still to be taken.
struct Waiting {
    batch: Arc<Batch>,
    flows: Vec<u32>,
}

/// One worker's way to a topic.
pub struct KafkaSink {
    topic: Topic,
    waiting: VecDeque<Waiting>,
    refused: Vec<u32>,
}

impl KafkaSink {
    /// A sink that produces to `topic`.
    #[must_use]
    pub fn new(topic: Topic) -> Self {
        Self { topic, waiting: VecDeque::new(), refused: Vec::new() }
    }
}

impl Sink for KafkaSink {
    fn submit(&mut self, batch: Arc<Batch>) {
        if !self.waiting.is_empty() {
            let flows = (0..batch.len() as u32).collect();
            self.waiting.push_back(Waiting { batch, flows });
            return self.tend();
        }
        self.topic.submit(&batch, &mut self.refused);
        if !self.refused.is_empty() {
            let flows = std::mem::take(&mut self.refused);
            self.waiting.push_back(Waiting { batch, flows });
        }
    }

    fn tend(&mut self) {
        while let Some(Waiting { batch, flows }) = self.waiting.pop_front() {
            self.topic.submit_some(&batch, flows.into_iter(), &mut self.refused);
            if !self.refused.is_empty() {
                let flows = std::mem::take(&mut self.refused);
                self.waiting.push_front(Waiting { batch, flows });
                return;
            }
        }
    }

    fn backlog(&self) -> usize {
        self.waiting.len()
    }

    fn finish(&mut self, deadline: Instant) {
        self.tend();
        while !self.waiting.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            self.tend();
        }
        for Waiting { flows, .. } in self.waiting.drain(..) {
            self.topic.give_up(flows.len() as u64);
        }
    }
}
