//! Requests that wait for the server, oldest first, each made once and sent unchanged until it is
//! taken.
//!
//! Unchanged, because a request that timed out may have been taken: sent again with the same times
//! it overwrites itself, where one made anew would count twice. Knows nothing of HTTP, and time is
//! an argument.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::counts::{PushCounts, add, set};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    /// The database or bucket; empty where there is no such thing.
    pub(super) place: Arc<str>,
    /// As it is sent.
    pub(super) body: Vec<u8>,
    /// Points in it.
    pub(super) points: u64,
    /// When they were counted, in Unix seconds.
    pub(super) at_s: u64,
}

/// What the server said to a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It has it, but for `refused` of its points, for a reason.
    Taken { refused: u64, why: Option<String> },
    /// It never will.
    Refused(String),
    /// As before, because the customer's database is not there: no trouble of ours.
    Absent,
    /// Not now; perhaps it said when.
    Later { why: String, after: Option<Duration> },
}

/// What an outbox may hold, and how patient it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) buffer_bytes: usize,
    pub(super) give_up_s: u64,
    pub(super) backoff_max_s: u64,
}

/// The longest that a server may ask us to wait.
const AFTER_MAX: Duration = Duration::from_secs(300);

/// The parcels that wait.
pub(super) struct Outbox {
    /// Who takes them, for the log.
    whom: &'static str,
    parcels: VecDeque<Parcel>,
    bytes: usize,
    points: u64,
    bounds: Bounds,
    counts: Arc<PushCounts>,
    /// Failures in a row.
    failures: u32,
    pause_until_ms: u64,
    /// Why something was refused since all was sent last.
    refusal: Option<String>,
    chance: RandomState,
}

impl Outbox {
    pub(super) fn new(whom: &'static str, bounds: Bounds, counts: Arc<PushCounts>) -> Self {
        Self {
            whom,
            parcels: VecDeque::new(),
            bytes: 0,
            points: 0,
            bounds,
            counts,
            failures: 0,
            pause_until_ms: 0,
            refusal: None,
            chance: RandomState::new(),
        }
    }

    /// Is there room for another interval? One always fits, whatever its size.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.bounds.buffer_bytes
    }

    /// Takes in parcels behind those that wait.
    pub(super) fn put(&mut self, parcels: Vec<Parcel>) {
        for parcel in parcels {
            self.bytes += parcel.body.len();
            self.points += parcel.points;
            self.parcels.push_back(parcel);
        }
        self.show();
    }

    /// Gives up what has waited too long, the oldest first.
    pub(super) fn give_up_old(&mut self, now_s: u64) {
        let is_old = |parcel: &Parcel| parcel.at_s.saturating_add(self.bounds.give_up_s) < now_s;
        let old = self.parcels.iter().take_while(|parcel| is_old(parcel)).count();
        self.drop_first(old);
    }

    /// Gives up everything; answers how many points that were.
    pub(super) fn give_up_all(&mut self) -> u64 {
        let points = self.points;
        self.drop_first(self.parcels.len());
        points
    }

    fn drop_first(&mut self, parcels: usize) {
        for parcel in self.parcels.drain(..parcels) {
            self.bytes -= parcel.body.len();
            self.points -= parcel.points;
            add(&self.counts.dropped, parcel.points);
        }
        self.show();
    }

    /// The one to send next, and when; `None` if none waits.
    pub(super) fn first(&self) -> Option<(&Parcel, u64)> {
        self.parcels.front().map(|parcel| (parcel, self.pause_until_ms))
    }

    /// What became of the first one, at `now_s` of Unix time and `now_ms` of a clock that never
    /// steps.
    pub(super) fn settle(&mut self, verdict: Verdict, now_s: u64, now_ms: u64) {
        match verdict {
            Verdict::Taken { refused, why } => {
                let taken = self.pop().saturating_sub(refused);
                add(&self.counts.points, taken);
                add(&self.counts.failed, refused);
                add(&self.counts.pushes, 1);
                set(&self.counts.last_success_s, now_s);
                self.failures = 0;
                self.refusal = self.refusal.take().or(why);
            }
            Verdict::Refused(why) => {
                let points = self.pop();
                add(&self.counts.failed, points);
                self.failures = 0;
                self.refusal.get_or_insert(why);
            }
            Verdict::Absent => {
                let points = self.pop();
                add(&self.counts.failed, points);
            }
            Verdict::Later { why, after } => {
                add(&self.counts.errors, 1);
                let pause_ms = after.map_or_else(
                    || self.pause_ms(),
                    |after| after.min(AFTER_MAX).as_millis() as u64,
                );
                self.failures += 1;
                self.pause_until_ms = now_ms + pause_ms;
                self.tell(Some(why));
            }
        }
        self.show();
        // Told of the whole of what waited, so that a server that takes some and refuses some does
        // not fill the log.
        if self.parcels.is_empty() {
            let refusal = self.refusal.take();
            self.tell(refusal);
        }
    }

    fn pop(&mut self) -> u64 {
        let Some(parcel) = self.parcels.pop_front() else { return 0 };
        self.bytes -= parcel.body.len();
        self.points -= parcel.points;
        parcel.points
    }

    /// Doubles from a second; between half of it and all, so that daemons do not come together.
    fn pause_ms(&self) -> u64 {
        let full_ms = (1000 << self.failures.min(16)).min(self.bounds.backoff_max_s * 1000);
        full_ms / 2 + self.chance.hash_one(self.failures) % (full_ms / 2 + 1)
    }

    /// One line of log for each change.
    fn tell(&self, trouble: Option<String>) {
        let before = self.counts.set_trouble(trouble.clone());
        match (before, trouble) {
            (None, Some(why)) => log::warn!("{}: {why}", self.whom),
            (Some(_), None) => log::info!("{}: takes everything again", self.whom),
            _ => {}
        }
    }

    fn show(&self) {
        set(&self.counts.buffer_bytes, self.bytes as u64);
        set(&self.counts.buffer_points, self.points);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests;
