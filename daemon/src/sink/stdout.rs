//! One line a flow on standard output, printed by a thread of its own.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use neckar_proto::{Batch, Rows};

use super::Sink;
use crate::config::LineFormat;

/// Batches that may wait for the printer; the workers' pools are the bound beyond.
const QUEUE_BATCHES: usize = 16;

/// What the printer did. `submitted = printed + failed` once it has stopped.
#[derive(Debug, Default)]
pub struct StdoutCounts {
    /// Flows given to it.
    pub submitted: AtomicU64,
    /// Flows printed.
    pub printed: AtomicU64,
    /// Flows that could not be printed: nobody reads standard output any more.
    pub failed: AtomicU64,
}

/// The printing thread.
#[derive(Debug)]
pub struct Stdout {
    sender: Sender<Arc<Batch>>,
    thread: JoinHandle<()>,
    counts: Arc<StdoutCounts>,
}

impl Stdout {
    /// Starts printing. `broken` is called once if standard output is closed.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start(format: LineFormat, broken: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = bounded(QUEUE_BATCHES);
        let counts = Arc::new(StdoutCounts::default());
        let shared = Arc::clone(&counts);
        let thread = std::thread::Builder::new()
            .name("stdout".into())
            .spawn(move || print_all(&receiver, format, &shared, broken))?;
        Ok(Self { sender, thread, counts })
    }

    /// A worker's way in.
    #[must_use]
    pub fn sink(&self) -> StdoutSink {
        StdoutSink {
            sender: self.sender.clone(),
            waiting: VecDeque::new(),
            counts: Arc::clone(&self.counts),
        }
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> Arc<StdoutCounts> {
        Arc::clone(&self.counts)
    }

    /// Prints what was handed over and ends. All sinks must be gone.
    pub fn stop(self) {
        drop(self.sender);
        // A printer that panicked has told so already.
        let _ = self.thread.join();
    }
}

fn print_all(
    batches: &Receiver<Arc<Batch>>,
    format: LineFormat,
    counts: &StdoutCounts,
    broken: impl FnOnce(),
) {
    let mut broken = Some(broken);
    let mut rows = Rows::default();
    let mut text = Vec::new();
    for batch in batches {
        rows.clear();
        text.clear();
        for flow in batch.flows() {
            // Our own encoder's bytes: malformed would be a bug that the encoder's tests catch.
            if neckar_proto::decode::decode(flow, &mut rows).is_err() {
                counts.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        for flow in rows.as_slice() {
            match format {
                LineFormat::Line => neckar_proto::line::write(&mut text, &rows, flow),
                LineFormat::Json => neckar_proto::json::write(&mut text, &rows, flow),
            }
        }
        let count = rows.len() as u64;
        let mut out = io::stdout().lock();
        if out.write_all(&text).and_then(|()| out.flush()).is_ok() {
            counts.printed.fetch_add(count, Ordering::Relaxed);
        } else {
            counts.failed.fetch_add(count, Ordering::Relaxed);
            if let Some(tell) = broken.take() {
                tell();
            }
        }
    }
}

/// One worker's way to the printer.
#[derive(Debug)]
pub struct StdoutSink {
    sender: Sender<Arc<Batch>>,
    waiting: VecDeque<Arc<Batch>>,
    counts: Arc<StdoutCounts>,
}

impl Sink for StdoutSink {
    fn submit(&mut self, batch: Arc<Batch>) {
        self.counts.submitted.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.waiting.push_back(batch);
        self.tend();
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
