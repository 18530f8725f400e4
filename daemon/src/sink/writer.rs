//! A thread that writes batches to one destination, and each worker's way to it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use neckar_proto::Batch;

use super::{Route, Sink};

/// Batches that may wait for the thread; the workers' pools are the bound beyond.
const QUEUE_BATCHES: usize = 16;
/// How often the destination may look at the time.
const TICK: Duration = Duration::from_secs(1);
/// How often it is looked whether the thread has ended.
const LOOK: Duration = Duration::from_millis(5);

/// Where batches are written to.
pub(super) trait Destination: Send {
    /// Writes the batch; answers how many of its flows are written, in order from the first.
    fn write(&mut self, batch: &Batch) -> usize;

    /// A second has passed, or a batch was written.
    fn tend(&mut self) {}

    /// Nothing more comes.
    fn finish(&mut self) {}
}

/// What the thread did. `submitted = written + failed + given_up` once it has stopped.
#[derive(Debug, Default)]
pub struct WriterCounts {
    /// Flows given to it.
    pub submitted: AtomicU64,
    /// Flows written.
    pub written: AtomicU64,
    /// Flows that could not be written.
    pub failed: AtomicU64,
    /// Flows that time ran out for at the stop.
    pub given_up: AtomicU64,
    /// Flows of which none of these is said yet.
    pending: AtomicU64,
}

impl WriterCounts {
    fn submit(&self, flows: usize) {
        self.pending.fetch_add(flows as u64, Ordering::Relaxed);
        self.submitted.fetch_add(flows as u64, Ordering::Relaxed);
    }

    /// So many of a batch's flows are written. Too late for those that are given up: a drop has one
    /// counter, and no other.
    fn report(&self, flows: usize, written: usize) {
        let taken = |pending: u64| pending.checked_sub(flows as u64);
        if self.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok() {
            self.written.fetch_add(written as u64, Ordering::Relaxed);
            self.failed.fetch_add((flows - written) as u64, Ordering::Relaxed);
        }
    }

    fn give_up(&self, flows: usize) {
        self.pending.fetch_sub(flows as u64, Ordering::Relaxed);
        self.given_up.fetch_add(flows as u64, Ordering::Relaxed);
    }

    /// Gives up on all of which nothing is said yet; answers how many were given up in all.
    fn give_up_rest(&self) -> u64 {
        let rest = self.pending.swap(0, Ordering::Relaxed);
        rest + self.given_up.fetch_add(rest, Ordering::Relaxed)
    }
}

/// The thread.
#[derive(Debug)]
pub struct Writer {
    sender: Sender<Arc<Batch>>,
    thread: JoinHandle<()>,
    counts: Arc<WriterCounts>,
}

impl Writer {
    /// Starts writing, on a thread of this name.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(name: &str, destination: impl Destination + 'static) -> io::Result<Self> {
        let (sender, receiver) = bounded(QUEUE_BATCHES);
        let counts = Arc::new(WriterCounts::default());
        let shared = Arc::clone(&counts);
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || write_all(&receiver, destination, &shared))?;
        Ok(Self { sender, thread, counts })
    }

    /// A worker's way in.
    #[must_use]
    pub fn sink(&self) -> WriterSink {
        let counts = Arc::clone(&self.counts);
        WriterSink { sender: self.sender.clone(), waiting: VecDeque::new(), counts }
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> Arc<WriterCounts> {
        Arc::clone(&self.counts)
    }

    /// Writes what was handed over and ends, at `deadline` at the latest; answers how many flows were
    /// given up. All sinks must be gone.
    #[must_use]
    pub fn stop(self, deadline: Instant) -> u64 {
        drop(self.sender);
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        // Not joined: in a write that nobody reads it would hang for good. It ends with the process.
        self.counts.give_up_rest()
    }
}

fn write_all(
    batches: &Receiver<Arc<Batch>>,
    mut destination: impl Destination,
    counts: &WriterCounts,
) {
    loop {
        match batches.recv_timeout(TICK) {
            Ok(batch) => {
                let written = destination.write(&batch);
                counts.report(batch.len(), written);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return destination.finish(),
        }
        destination.tend();
    }
}

/// One worker's way to the thread.
#[derive(Debug)]
pub struct WriterSink {
    sender: Sender<Arc<Batch>>,
    waiting: VecDeque<Arc<Batch>>,
    counts: Arc<WriterCounts>,
}

impl Sink for WriterSink {
    fn submit(&mut self, batch: Arc<Batch>, _is_short: bool) -> Route {
        self.counts.submit(batch.len());
        self.waiting.push_back(batch);
        self.tend();
        Route::Output
    }

    fn tend(&mut self) {
        while let Some(batch) = self.waiting.pop_front() {
            match self.sender.try_send(batch) {
                Ok(()) => {}
                Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => {
                    self.waiting.push_front(batch);
                    return;
                }
            }
        }
    }

    fn backlog(&self) -> usize {
        self.waiting.len()
    }

    fn finish(&mut self, deadline: Instant, _keep_until: Instant) {
        while let Some(batch) = self.waiting.pop_front() {
            if let Err(lost) = self.sender.send_deadline(batch, deadline) {
                self.counts.give_up(lost.into_inner().len());
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]
mod tests {
    use neckar_proto::Flow;
    use neckar_proto::encode::BWNETFLOW;

    use super::*;

    /// Takes one batch, and sits in the next write until somebody reads.
    struct Pipe {
        taken: usize,
        reader: Receiver<()>,
    }

    impl Destination for Pipe {
        fn write(&mut self, batch: &Batch) -> usize {
            if self.taken > 0 {
                let _ = self.reader.recv();
            }
            self.taken += batch.len();
            batch.len()
        }
    }

    fn batch(flows: usize) -> Arc<Batch> {
        let mut batch = Batch::with_capacity(flows, 16 << 10);
        for _ in 0..flows {
            assert!(batch.push(&BWNETFLOW, &Flow::default(), &[], &[]));
        }
        Arc::new(batch)
    }

    #[test]
    fn what_a_write_that_hangs_keeps_from_being_written_is_given_up_once() {
        let (read, reader) = bounded(0);
        let writer = Writer::start("test", Pipe { taken: 0, reader }).unwrap();
        let (counts, mut sink) = (writer.counts(), writer.sink());
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // One is written, one hangs, the queue is full, and two wait in the sink.
        let all = 2 + QUEUE_BATCHES as u64 + 2;
        sink.submit(batch(10), false);
        while get(&counts.written) == 0 {
            std::thread::sleep(LOOK);
        }
        for _ in 1..all {
            sink.submit(batch(10), false);
        }
        let soon = Instant::now() + Duration::from_millis(100);
        sink.finish(soon, soon);
        drop(sink);
        assert_eq!(writer.stop(Instant::now()), 10 * (all - 1));
        // Somebody reads after all, too late.
        read.send(()).unwrap();
        read.send(()).unwrap();
        let sums = [&counts.submitted, &counts.written, &counts.failed, &counts.given_up].map(get);
        assert_eq!(sums, [10 * all, 10, 0, 10 * (all - 1)]);
    }
}
