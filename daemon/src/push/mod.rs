//! Counters pushed to those who keep them: InfluxDB by line protocol, Prometheus by remote write.
//!
//! One thread for each. Every interval it copies the counters, which is all that whoever counts is
//! held up for, makes requests of them, and sends these until they are taken, those for one place in
//! their order. What cannot be sent waits within a bound; beyond it no new requests are made, and what is counted
//! meanwhile comes in a later one. Deliberately not here: waiting requests on disk, and workers.

mod client;
mod counts;
mod deltas;
mod exposition;
mod influx;
mod line;
mod outbox;
mod remote_write;
mod sample;
mod sources;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::clock;
use crate::config::{self, Pace, Problem};
use counts::add;
pub use counts::{PushCounts, PushView};
use influx::Influx;
use outbox::{Outbox, Parcel, Verdict};
pub use remote_write::Page;
use remote_write::RemoteWrite;
use sample::Still;
pub use sample::{Sample, Source};
pub use sources::{everything, traffic};

/// What requests look like, and how a server judges them.
trait Format: Send {
    /// Requests for what the counters say, at `at_s`, which no earlier call had.
    fn pack(&mut self, still: &Still, at_s: u64) -> Vec<Parcel>;
    /// Sends one, at `now_ms` of a clock that never steps.
    fn send(&mut self, parcel: &Parcel, now_ms: u64) -> Verdict;
    /// From here on no request takes longer than `timeout`, nor outlasts `until`.
    fn hurry(&mut self, timeout: Duration, until: Instant);
}

/// At the end no request takes longer, however patient the configuration is: systemd is not.
const LAST: Duration = Duration::from_secs(5);

/// A thread that pushes.
#[derive(Debug)]
pub struct Pusher {
    whom: &'static str,
    stop: Sender<Instant>,
    /// Says nothing; it is cut when the thread has ended.
    ended: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Pusher {
    /// Pushes to InfluxDB, if that is on.
    ///
    /// # Errors
    /// A secret or certificate that is not there, or no thread left.
    pub fn influx(
        config: &config::Influx,
        source: Source,
        counts: Arc<PushCounts>,
    ) -> Result<Option<Self>, Problem> {
        if !config.is_on() {
            return Ok(None);
        }
        let format = Influx::new(config, Arc::clone(&counts))?;
        let pace = config.pace();
        let started = Room::new("InfluxDB", Box::new(format), source, counts, pace).spawn("influx");
        started.map(Some).map_err(|error| no_thread("influx.url", &config.url, &error))
    }

    /// Pushes by remote write, if that is on. `page` is `/metrics`.
    ///
    /// # Errors
    /// A secret or certificate that is not there, or no thread left.
    pub fn remote_write(
        config: &config::RemoteWrite,
        source: Source,
        page: Page,
        counts: Arc<PushCounts>,
    ) -> Result<Option<Self>, Problem> {
        if !config.is_on() {
            return Ok(None);
        }
        let format = RemoteWrite::new(config, page, Arc::clone(&counts))?;
        let pace = config.pace();
        let room = Room::new("remote write", Box::new(format), source, counts, pace);
        let started = room.spawn("remote-write");
        started.map(Some).map_err(|error| no_thread("remote_write.url", &config.url, &error))
    }

    /// Has each of `pushers` push what was counted up to now, and what waits, until `until` or for five
    /// seconds, and end; all at once. What is left is given up and counted. One that waits for the answer
    /// to an earlier request all that time is left behind.
    pub fn stop_all(pushers: Vec<Self>, until: Instant) {
        let until = until.max(Instant::now() + LAST);
        for pusher in &pushers {
            // An error means that the thread has ended by itself, and has told so.
            let _ = pusher.stop.send(until);
        }
        // The last request ends then, and something has to be done about its answer.
        let until = until + Duration::from_secs(1);
        for Self { whom, ended, thread, .. } in pushers {
            if ended.recv_deadline(until) == Err(RecvTimeoutError::Timeout) {
                log::warn!("{whom}: no answer yet; what waits is lost, it is time to stop");
            } else {
                let _ = thread.join();
            }
        }
    }
}

/// Judges what needs files: secrets and certificates.
///
/// # Errors
/// The key of what is not there.
pub fn check(config: &config::Config) -> Result<(), Problem> {
    if config.influx.is_on() {
        Influx::new(&config.influx, Arc::default())?;
    }
    if config.remote_write.is_on() {
        RemoteWrite::new(&config.remote_write, Box::new(String::new), Arc::default())?;
    }
    Ok(())
}

fn no_thread(key: &str, url: &str, error: &io::Error) -> Problem {
    Problem::new(key, format!("{url:?}"), error, "free a thread, or switch it off")
}

/// What the thread has.
struct Room {
    whom: &'static str,
    outbox: Outbox,
    format: Box<dyn Format>,
    source: Source,
    counts: Arc<PushCounts>,
    pace: Pace,
    /// The time that points had last, in Unix seconds.
    last_s: u64,
    started: Instant,
}

impl Room {
    fn new(
        whom: &'static str,
        format: Box<dyn Format>,
        source: Source,
        counts: Arc<PushCounts>,
        pace: Pace,
    ) -> Self {
        let outbox = Outbox::new(whom, pace, Arc::clone(&counts));
        Self { whom, outbox, format, source, counts, pace, last_s: 0, started: Instant::now() }
    }

    fn spawn(self, name: &str) -> io::Result<Pusher> {
        let (whom, (stop, stopped), (ending, ended)) = (self.whom, bounded(1), bounded(0));
        let run = move || {
            let _ending = ending;
            self.run(&stopped);
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Pusher { whom, stop, ended, thread })
    }

    /// Until it is told to stop.
    fn run(mut self, stopped: &Receiver<Instant>) {
        let interval = Duration::from_secs(self.pace.interval_s);
        let mut due = Instant::now() + interval;
        loop {
            let send_at =
                self.outbox.first().map(|(_, ms)| self.started + Duration::from_millis(ms));
            let wake = send_at.map_or(due, |at| at.min(due));
            match stopped.recv_deadline(wake) {
                Ok(until) => return self.finish(until),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= due {
                self.outbox.give_up_old(self.now_ms());
                if self.outbox.has_room() {
                    self.collect();
                } else {
                    add(&self.counts.skipped, 1);
                }
                // Intervals that have passed meanwhile are in this one.
                due = (due + interval).max(Instant::now());
            }
            // One at least, however long the others of its thread's duties took.
            while self.send_first(false) && Instant::now() < due && stopped.is_empty() {}
        }
    }

    /// Makes requests of what the counters say now.
    fn collect(&mut self) {
        let now_s = now_s();
        let at_s = stamp(now_s, self.last_s, self.pace.interval_s);
        if at_s < self.last_s {
            let ahead_s = self.last_s - at_s;
            log::warn!("{}: the clock was {ahead_s} s ahead; points follow it back", self.whom);
        }
        self.last_s = at_s;
        let still = Still::take(&self.source, now_s);
        let parcels = self.format.pack(&still, at_s);
        self.outbox.put(parcels, self.now_ms());
    }

    /// Sends the oldest request, unless it has to wait; tells whether there may be another to send.
    fn send_first(&mut self, is_last: bool) -> bool {
        let now_ms = self.now_ms();
        let first = self.outbox.first().filter(|(_, at_ms)| is_last || *at_ms <= now_ms);
        let Some((parcel, _)) = first else { return false };
        let verdict = self.format.send(parcel, now_ms);
        let goes_on = !matches!(verdict, Verdict::Later { .. });
        let now_ms = self.now_ms();
        self.outbox.settle(verdict, now_s(), now_ms);
        goes_on
    }

    /// The last interval and what waits: one failure is the end of it, for each place.
    fn finish(mut self, until: Instant) {
        self.collect();
        self.format.hurry(LAST, until);
        let mut failed = BTreeSet::new();
        while Instant::now() < until
            && let Some((first, _)) = self.outbox.first()
            && !failed.contains(&first.place)
        {
            let place = Arc::clone(&first.place);
            if !self.send_first(true) {
                failed.insert(place);
            }
        }
        let left = self.outbox.give_up_all();
        if left > 0 {
            log::warn!("{}: {left} points are given up, it is time to stop", self.whom);
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

/// The time of the next points. A point is known by it: no two may have the same, even if the clock was
/// set back a little. But one that was far ahead, and was mended, is followed: else points would be a
/// second apart until it gets there.
fn stamp(now_s: u64, last_s: u64, interval_s: u64) -> u64 {
    if now_s.saturating_add(2 * interval_s) < last_s { now_s } else { now_s.max(last_s + 1) }
}

fn now_s() -> u64 {
    clock::unix_ns() / 1_000_000_000
}

#[cfg(test)]
mod tests;
