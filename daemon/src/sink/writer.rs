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

/// Where batches are written to.
pub(super) trait Destination: Send {
    /// Writes the batch; answers how many of its flows are written, in order from the first.
    fn write(&mut self, batch: &Batch) -> usize;

    /// A second has passed, or a batch was written.
    fn tend(&mut self) {}

    /// Nothing more comes.
    fn finish(&mut self) {}
}

/// What the thread did. `submitted = written + failed` once it has stopped.
#[derive(Debug, Default)]
pub struct WriterCounts {
    /// Flows given to it.
    pub submitted: AtomicU64,
    /// Flows written.
    pub written: AtomicU64,
    /// Flows that could not be written.
    pub failed: AtomicU64,
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

    /// Writes what was handed over and ends. All sinks must be gone.
    pub fn stop(self) {
        drop(self.sender);
        // A thread that panicked has told so already.
        let _ = self.thread.join();
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
                counts.written.fetch_add(written as u64, Ordering::Relaxed);
                counts.failed.fetch_add((batch.len() - written) as u64, Ordering::Relaxed);
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
        self.counts.submitted.fetch_add(batch.len() as u64, Ordering::Relaxed);
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

    fn finish(&mut self, deadline: Instant) {
        while let Some(batch) = self.waiting.pop_front() {
            if let Err(lost) = self.sender.send_deadline(batch, deadline) {
                let lost = lost.into_inner().len() as u64;
                self.counts.failed.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }
}
