//! The counting thread: every batch that a worker hands over, counted once, whatever becomes of it.
//!
//! It shares the batches with the output and the splitter and copies nothing but what is kept for
//! searching. A worker never waits for it: what its queue has no room for is counted as missed. Readers
//! ([`board::TrafficBoard`]) hold the counters for as long as they take to write a page; meanwhile batches
//! wait in the queue.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use neckar_proto::Batch;

mod board;
mod search;

pub use board::{TrafficBoard, TrafficView};
pub use search::{Found, Search};

use crate::clock;
use crate::config::Config;

/// How often time alone is attended to.
const TEND: Duration = Duration::from_secs(1);

/// The running thread.
#[derive(Debug)]
pub struct TrafficCounter {
    sender: Sender<Arc<Batch>>,
    thread: JoinHandle<()>,
    board: Arc<TrafficBoard>,
}

impl TrafficCounter {
    /// Starts counting, if that is wanted. `batches` are all that the workers have.
    ///
    /// # Errors
    /// There is no thread left.
    pub fn start(config: &Config, batches: usize) -> io::Result<Option<Self>> {
        if !config.counts_traffic() {
            return Ok(None);
        }
        let (sender, receiver) = bounded(queue_batches(config, batches));
        let board = Arc::new(TrafficBoard::new(&config.traffic, clock::unix_ns() / 1_000_000_000));
        let counted = Arc::clone(&board);
        let run = move || count(&receiver, &counted);
        let thread = std::thread::Builder::new().name("traffic".into()).spawn(run)?;
        Ok(Some(Self { sender, thread, board }))
    }

    /// A worker's way in.
    #[must_use]
    pub fn sender(&self) -> Sender<Arc<Batch>> {
        self.sender.clone()
    }

    /// Where it can be read.
    #[must_use]
    pub fn board(&self) -> &Arc<TrafficBoard> {
        &self.board
    }

    /// Counts what was handed over and ends. The workers must be gone.
    pub fn stop(self) {
        drop(self.sender);
        // One that panicked has told so already.
        let _ = self.thread.join();
    }
}

/// Batches that may wait to be counted, of all that the workers have: a quarter, so that counting that falls
/// behind never keeps a worker from a free batch.
#[must_use]
pub fn queue_batches(config: &Config, batches: usize) -> usize {
    config.traffic.queue_batches.min(batches / 4).max(1)
}

/// Until the workers are gone.
fn count(batches: &Receiver<Arc<Batch>>, board: &TrafficBoard) {
    let mut tended_s = 0;
    loop {
        let next = batches.recv_timeout(TEND);
        let now_s = clock::unix_ns() / 1_000_000_000;
        match next {
            Ok(batch) => board.count(&batch, batches.len(), now_s),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if now_s != tended_s {
            tended_s = now_s;
            board.tend(now_s);
        }
    }
}
