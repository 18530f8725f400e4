//! The spool's thread: what Kafka does not take goes to disk, and from there to Kafka in order.
//!
//! Workers come here by a [`Detour`], from the moment that Kafka is silent or memory runs short until
//! the disk holds nothing any more. The thread copies from disk into a window of batches of its own,
//! so that a worker's batch is free as soon as it is written, and a batch is gone from the disk when
//! all of its flows are reported on. The splitter gets the batches that come from here, not those
//! that go in: customers' topics live on the same brokers.
//!
//! Deliberately absent: waiting for the disk on a worker. The queue between is bounded; behind it
//! are the worker's own batches, and then counted shedding.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use neckar_kafka::Topic;
use neckar_proto::Batch;

use crate::clock;
use crate::spool::{AppendError, Spool, State, Ticket};

/// Batches that may wait for the thread.
const QUEUE_BATCHES: usize = 64;
/// Batches on their way from disk to Kafka: enough for a second of round trips at any rate that a
/// disk reads.
pub const WINDOW_BATCHES: usize = 16;
/// How often the thread looks at what is on its way, and otherwise.
const BUSY: Duration = Duration::from_millis(5);
const IDLE: Duration = Duration::from_millis(100);
/// Complaints about the disk are this far apart.
const COMPLAIN: Duration = Duration::from_secs(60);
/// What a slow disk writes in a second.
const SLOW_DISK_BYTES: usize = 50_000_000;
/// Keeping what is not acknowledged at the stop may take so long: not less than a disk's hiccup, and not
/// so long that systemd loses patience (`TimeoutStopSec` in the unit).
const KEEP_MIN: Duration = Duration::from_secs(5);
const KEEP_MAX: Duration = Duration::from_secs(20);

/// How long keeping may take behind the stop's deadline, of all workers together: what a slow disk needs
/// for all that memory holds, within bounds.
#[must_use]
pub fn keep_time(memory_bytes: usize) -> Duration {
    let time_s = memory_bytes.div_ceil(SLOW_DISK_BYTES) as u64;
    Duration::from_secs(time_s).clamp(KEEP_MIN, KEEP_MAX)
}

/// What workers and the thread have in common.
#[derive(Debug, Default)]
pub struct SpoolerCounts {
    /// Batches between the workers and the thread.
    queued: AtomicU64,
    /// Batches on disk.
    spooled: AtomicU64,
    /// As in the view.
    not_kept: AtomicU64,
    view: Mutex<SpoolerView>,
}

/// The spool's counts at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpoolerView {
    /// Of the disk.
    pub state: State,
    /// Flows that are on disk and on their way to Kafka.
    pub out_flows: u64,
    /// Flows written at the stop because Kafka had not acknowledged their batches: some of them may
    /// have arrived.
    pub kept_flows: u64,
    /// Flows of such batches that were not written: the disk is full, fails, or is too slow. Some of
    /// them may have arrived. The output counts them as failed, so the state does not as refused.
    pub not_kept_flows: u64,
    /// Flows that the splitter did not see because its queue was full.
    pub splitter_missed: u64,
}

impl SpoolerCounts {
    /// Reads them.
    #[must_use]
    pub fn view(&self) -> SpoolerView {
        let view = *self.view.lock().unwrap_or_else(PoisonError::into_inner);
        SpoolerView { not_kept_flows: self.not_kept.load(Ordering::Relaxed), ..view }
    }

    fn not_kept(&self, flows: u64) {
        self.not_kept.fetch_add(flows, Ordering::Relaxed);
    }
}

/// What workers hand over.
#[derive(Debug)]
struct Handed {
    batch: Arc<Batch>,
    /// Flows of it that Kafka was asked to take: some of them may have arrived.
    asked_flows: u64,
}

/// A worker's way to the spool.
#[derive(Clone, Debug)]
pub struct Detour {
    sender: Sender<Handed>,
    counts: Arc<SpoolerCounts>,
}

impl Detour {
    /// Does anything wait on disk or on the way there? What comes now must not overtake it.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        let read = |count: &AtomicU64| count.load(Ordering::Acquire);
        read(&self.counts.queued) + read(&self.counts.spooled) > 0
    }

    /// Is all that was handed over written, or given up?
    #[must_use]
    pub fn is_through(&self) -> bool {
        self.counts.queued.load(Ordering::Acquire) == 0
    }

    /// Hands a batch over that Kafka was not asked to take, waiting until `deadline` at most.
    ///
    /// # Errors
    /// The batch: there is no room yet.
    pub fn spool(&self, batch: Arc<Batch>, deadline: Instant) -> Result<(), Arc<Batch>> {
        self.hand(Handed { batch, asked_flows: 0 }, deadline)
    }

    /// The same for one of which Kafka was asked to take `asked_flows` and has not acknowledged them all.
    /// If there is no room for it by then, those are counted as given up.
    ///
    /// # Errors
    /// There was none: what Kafka was not asked to take is the caller's to count.
    pub fn keep(
        &self,
        batch: Arc<Batch>,
        asked_flows: u64,
        deadline: Instant,
    ) -> Result<(), Arc<Batch>> {
        let handed = self.hand(Handed { batch, asked_flows }, deadline);
        handed.inspect_err(|_| self.counts.not_kept(asked_flows))
    }

    fn hand(&self, handed: Handed, deadline: Instant) -> Result<(), Arc<Batch>> {
        // Counted first: what the thread counts out was counted in.
        self.counts.queued.fetch_add(1, Ordering::AcqRel);
        self.sender.send_deadline(handed, deadline).map_err(|error| {
            self.counts.queued.fetch_sub(1, Ordering::AcqRel);
            let (SendTimeoutError::Timeout(handed) | SendTimeoutError::Disconnected(handed)) =
                error;
            handed.batch
        })
    }
}

/// The thread.
#[derive(Debug)]
pub struct Spooler {
    detour: Detour,
    until: Arc<OnceLock<Instant>>,
    thread: JoinHandle<()>,
}

/// What the thread is made of.
pub struct SpoolerParts {
    /// The disk.
    pub spool: Spool,
    /// Where its flows go.
    pub topic: Topic,
    /// Who else reads them.
    pub splitter: Option<Sender<Arc<Batch>>>,
    /// Batches of the window, as large as the workers'.
    pub window: Vec<Arc<Batch>>,
}

impl Spooler {
    /// Starts; what an earlier process left is on its way at once.
    ///
    /// # Errors
    /// There is no thread left.
    pub fn start(parts: SpoolerParts, counts: Arc<SpoolerCounts>) -> io::Result<Self> {
        let (sender, receiver) = bounded(QUEUE_BATCHES);
        let detour = Detour { sender, counts: Arc::clone(&counts) };
        let until = Arc::new(OnceLock::new());
        let deadline = Arc::clone(&until);
        let SpoolerParts { spool, topic, splitter, window } = parts;
        let out = window.iter().map(|_| None).collect();
        let (kept_flows, not_kept_flows, splitter_missed, complained) = (0, 0, 0, None);
        let spooling = Spooling {
            spool,
            topic,
            splitter,
            window,
            out,
            counts,
            kept_flows,
            not_kept_flows,
            splitter_missed,
            complained,
        };
        spooling.publish();
        let thread = std::thread::Builder::new()
            .name("spool".into())
            .spawn(move || spooling.run(&receiver, &deadline))?;
        Ok(Self { detour, until, thread })
    }

    /// A worker's way in.
    #[must_use]
    pub fn detour(&self) -> Detour {
        self.detour.clone()
    }

    /// Writes what was handed over, waits until `deadline` for what is on its way to Kafka, and ends.
    /// What is not acknowledged stays on disk. The workers must be gone.
    pub fn stop(self, deadline: Instant) {
        // Nobody has set it before.
        let _ = self.until.set(deadline);
        drop(self.detour);
        // A thread that panicked has told so already.
        let _ = self.thread.join();
    }
}

struct Spooling {
    spool: Spool,
    topic: Topic,
    splitter: Option<Sender<Arc<Batch>>>,
    window: Vec<Arc<Batch>>,
    /// For each batch of the window, what it is if it is on its way.
    out: Vec<Option<Out>>,
    counts: Arc<SpoolerCounts>,
    kept_flows: u64,
    /// Those that the disk refused.
    not_kept_flows: u64,
    splitter_missed: u64,
    complained: Option<Instant>,
}

struct Out {
    ticket: Ticket,
    /// Flows for which librdkafka's queue had no room yet.
    refused: Vec<u32>,
}

impl Spooling {
    fn run(mut self, handed: &Receiver<Handed>, until: &OnceLock<Instant>) {
        loop {
            let is_busy = self.out.iter().any(Option::is_some);
            match handed.recv_timeout(if is_busy { BUSY } else { IDLE }) {
                Ok(first) => self.append_all(first, handed),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.collect();
            if let Err(error) = self.send() {
                self.complain("cannot be read", &error);
            }
            if let Err(error) = self.spool.tend(now_ms()) {
                self.complain("cannot be written", &error);
            }
            self.publish();
        }
        self.finish(until.get().copied().unwrap_or_else(Instant::now));
    }

    /// What waits, to disk.
    fn append_all(&mut self, first: Handed, handed: &Receiver<Handed>) {
        let mut next = Some(first);
        // As many as the queue holds, then Kafka's turn.
        for _ in 0..QUEUE_BATCHES {
            let Some(handed_over) = next else { return };
            self.append(&handed_over);
            drop(handed_over);
            self.publish();
            self.counts.queued.fetch_sub(1, Ordering::AcqRel);
            next = handed.try_recv().ok();
        }
        if let Some(last) = next {
            self.append(&last);
            self.publish();
            self.counts.queued.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn append(&mut self, handed: &Handed) {
        let Handed { batch, asked_flows } = handed;
        let appended = self.spool.append(batch, now_ms());
        match &appended {
            Ok(_) => self.kept_flows += asked_flows,
            Err(_) => {
                self.not_kept_flows += asked_flows;
                self.counts.not_kept(*asked_flows);
            }
        }
        // Full is a policy, and counted.
        if let Err(AppendError::Io(error)) = appended {
            self.complain("cannot be written", &error);
        }
    }

    /// What Kafka has reported on is gone from the disk.
    fn collect(&mut self) {
        for (batch, out) in self.window.iter_mut().zip(&mut self.out) {
            let Some(going) = out else { continue };
            if !going.refused.is_empty() {
                let flows = std::mem::take(&mut going.refused);
                self.topic.submit_some(batch, flows.into_iter(), &mut going.refused);
            }
            let is_done = going.refused.is_empty() && Arc::get_mut(batch).is_some();
            if is_done && let Some(going) = out.take() {
                self.spool.done(going.ticket);
            }
        }
    }

    /// From disk to Kafka, as far as the window goes.
    fn send(&mut self) -> io::Result<()> {
        for (batch, out) in self.window.iter_mut().zip(&mut self.out) {
            if out.is_some() {
                continue;
            }
            let free = Arc::get_mut(batch).expect("it came free before its entry did");
            let Some(ticket) = self.spool.next(free, now_ms())? else { break };
            let mut refused = Vec::new();
            self.topic.submit(batch, &mut refused);
            if let Some(splitter) = &self.splitter
                && splitter.try_send(Arc::clone(batch)).is_err()
            {
                self.splitter_missed += batch.len() as u64;
            }
            *out = Some(Out { ticket, refused });
        }
        Ok(())
    }

    fn finish(mut self, until: Instant) {
        while self.out.iter().any(Option::is_some) && Instant::now() < until {
            std::thread::sleep(BUSY);
            self.collect();
        }
        self.collect();
        self.publish();
        // What is still on its way stays on disk, since its tickets do not come back.
        if let Err(error) = self.spool.close() {
            log::error!("the spool: {error}");
        }
    }

    fn publish(&self) {
        let mut state = self.spool.state();
        // The output counts those: a drop has one counter.
        state.refused_flows -= self.not_kept_flows;
        self.counts.spooled.store(state.batches, Ordering::Release);
        let out_flows = self.out.iter().flatten().map(|out| u64::from(out.ticket.flows())).sum();
        let (kept_flows, splitter_missed) = (self.kept_flows, self.splitter_missed);
        let view =
            SpoolerView { state, out_flows, kept_flows, splitter_missed, ..SpoolerView::default() };
        *self.counts.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    fn complain(&mut self, what: &str, error: &io::Error) {
        if self.complained.is_none_or(|at| at.elapsed() > COMPLAIN) {
            self.complained = Some(Instant::now());
            log::error!("the spool {what}: {error}; it goes on trying");
        }
    }
}

fn now_ms() -> u64 {
    clock::unix_ns() / 1_000_000
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]
mod tests;
