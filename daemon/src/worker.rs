//! One worker: receive, decode, label, encode, hand over; on its own core, sharing nothing that
//! another worker writes.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use neckar_decode::{Counters, Datagram, Decoder};

use crate::clock;
use crate::effort::Effort;
use crate::ingest::{Queue, ReceiveStats, Received, Receiver};
use crate::stage::{Stage, StageCounts};

/// How long a worker sleeps at most: the latency of stopping and of counters while nothing comes.
const IDLE: Duration = Duration::from_millis(50);
/// How often held data is looked through.
const EXPIRE: Duration = Duration::from_secs(1);

/// How long a worker goes on taking in when others will read its sockets: long enough for what was
/// queued, and an end under any load.
const RELEASE: Duration = Duration::from_millis(200);

/// Everything one worker counts; plain numbers, copied out as a whole so that the sums hold
/// whenever they are read.
#[derive(Clone, Debug, Default)]
pub struct WorkerCounts {
    /// From the sockets.
    pub receive: ReceiveStats,
    /// Datagrams that the kernel dropped because the sockets' buffers were full.
    pub kernel_drops: u64,
    /// What the kernel holds for the sockets.
    pub queue: Queue,
    /// How long it is at work.
    pub effort: Effort,
    /// Bytes of data sets that wait for their templates.
    pub held_bytes: u64,
    /// From the decoder.
    pub decode: Counters,
    /// From labelling to hand-over.
    pub stage: StageCounts,
}

/// Where a worker leaves a copy of its counts for others to read.
#[derive(Debug, Default)]
pub struct Published(Mutex<WorkerCounts>);

impl Published {
    /// The counts as of the worker's last loop, at most [`IDLE`] ago.
    #[must_use]
    pub fn read(&self) -> WorkerCounts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Never waits: if somebody is reading, the next loop publishes.
    fn publish(&self, fill: impl FnOnce(&mut WorkerCounts)) {
        if let Ok(mut counts) = self.0.try_lock() {
            fill(&mut counts);
        }
    }
}

/// The rooms a worker runs through.
pub struct Worker {
    /// Its sockets.
    pub receiver: Receiver,
    /// Its decoder; templates are shared behind it.
    pub decoder: Decoder,
    /// Labels, batches, hand-over.
    pub stage: Stage,
    /// Somebody else reads the sockets after us.
    pub keep_sockets: bool,
    /// Where its counts can be read.
    pub published: Arc<Published>,
    /// How long it was at work so far.
    pub effort: Effort,
}

impl Worker {
    /// Works until `stop`, then takes in what the kernel had queued and hands everything over.
    /// Returns when what is left is up to the sink, or at `deadline` after the stop.
    ///
    /// # Errors
    /// The sockets failed; what was received until then is handed over all the same.
    pub fn run(mut self, stop: &AtomicBool, deadline: Duration) -> io::Result<WorkerCounts> {
        let mut result = Ok(());
        let mut expired = Instant::now();
        while result.is_ok() && !stop.load(Ordering::Relaxed) {
            let timeout = self.stage.time_left(clock::unix_ns()).min(IDLE);
            result = self.receive(timeout);
            let now_ns = clock::unix_ns();
            if expired.elapsed() >= EXPIRE {
                self.decoder.expire(now_ns, &mut self.stage);
                expired = Instant::now();
            }
            self.stage.tend(now_ns);
            self.publish();
        }
        let drained = self.drain();
        self.decoder.expire(u64::MAX, &mut self.stage);
        self.stage.finish(Instant::now() + deadline);
        self.publish_at_last();
        result.and(drained).map(|()| self.published.read())
    }

    fn receive(&mut self, timeout: Duration) -> io::Result<()> {
        let Self { receiver, decoder, stage, effort, .. } = self;
        let mut turn = None;
        let stalled_ns = stage.counts().stalled_ns;
        let taken = receiver.receive(timeout, &mut |received| {
            // Once per batch, and only if there is one.
            let (_, now_ns) = *turn.get_or_insert_with(|| {
                let now_ns = clock::unix_ns();
                stage.set_now(now_ns);
                (Instant::now(), now_ns)
            });
            decoder.decode(datagram(&received, now_ns), stage);
        })?;
        if let Some((began, _)) = turn {
            // Waiting for a free batch is no work.
            let waited_ns = stage.counts().stalled_ns - stalled_ns;
            let ns = began.elapsed().as_nanos() as u64;
            effort.note(taken as u64, ns.saturating_sub(waited_ns));
        }
        Ok(())
    }

    fn drain(&mut self) -> io::Result<()> {
        let Self { receiver, decoder, stage, keep_sockets, .. } = self;
        let now_ns = clock::unix_ns();
        stage.set_now(now_ns);
        let mut take = |received: Received<'_>| decoder.decode(datagram(&received, now_ns), stage);
        if *keep_sockets {
            return receiver.release(RELEASE, &mut take);
        }
        receiver.drain(&mut take).map(drop)
    }

    fn publish(&mut self) {
        let published = Arc::clone(&self.published);
        published.publish(|counts| self.copy_counts(counts));
    }

    fn publish_at_last(&mut self) {
        let published = Arc::clone(&self.published);
        let mut counts = published.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.copy_counts(&mut counts);
    }

    fn copy_counts(&mut self, into: &mut WorkerCounts) {
        into.queue = self.receiver.queue();
        into.kernel_drops = into.queue.drops;
        into.receive.clone_from(self.receiver.stats());
        into.effort.clone_from(&self.effort);
        into.held_bytes = self.decoder.held_bytes() as u64;
        into.decode.clone_from(self.decoder.counters());
        into.stage.clone_from(self.stage.counts());
    }
}

fn datagram<'a>(received: &Received<'a>, received_ns: u64) -> Datagram<'a> {
    Datagram {
        exporter: received.source.ip().to_canonical(),
        port: received.source.port(),
        received_ns,
        bytes: received.bytes,
    }
}
