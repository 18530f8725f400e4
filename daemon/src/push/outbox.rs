//! Requests that wait for the server, each made once and sent unchanged until it is taken: those for
//! one place in their order, the places in the order of the oldest.
//!
//! Unchanged, because a request that timed out may have been taken: sent again with the same times
//! it overwrites itself, where one made anew would count twice. A place that takes nothing steps
//! behind the others, which need not wait for it. Knows nothing of HTTP, and time is an argument.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use super::counts::{PushCounts, add, set};
use crate::config::Pace;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    /// The database or bucket; empty where there is no such thing.
    pub(super) place: Arc<str>,
    /// As it is sent.
    pub(super) body: Vec<u8>,
    /// Points in it.
    pub(super) points: u64,
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

/// The longest that a server may ask us to wait.
const AFTER_MAX: Duration = Duration::from_secs(300);
/// The shortest: one that says "now" and means "never" would be asked as fast as it answers.
const AFTER_MIN: Duration = Duration::from_millis(500);

/// A parcel, and since when it waits, of a clock that never steps.
struct Waiting {
    parcel: Parcel,
    since_ms: u64,
}

/// The parcels that wait.
pub(super) struct Outbox {
    /// Who takes them, for the log.
    whom: &'static str,
    parcels: VecDeque<Waiting>,
    bytes: usize,
    points: u64,
    pace: Pace,
    counts: Arc<PushCounts>,
    /// Failures in a row.
    failures: u32,
    pause_until_ms: u64,
    /// Why something was refused since all was sent last.
    refusal: Option<String>,
    chance: RandomState,
}

impl Outbox {
    pub(super) fn new(whom: &'static str, pace: Pace, counts: Arc<PushCounts>) -> Self {
        Self {
            whom,
            parcels: VecDeque::new(),
            bytes: 0,
            points: 0,
            pace,
            counts,
            failures: 0,
            pause_until_ms: 0,
            refusal: None,
            chance: RandomState::new(),
        }
    }

    /// Is there room for another interval? One always fits, whatever its size.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < self.pace.buffer_bytes
    }

    /// Takes in parcels behind those that wait.
    pub(super) fn put(&mut self, parcels: Vec<Parcel>, now_ms: u64) {
        for parcel in parcels {
            self.bytes += parcel.body.len();
            self.points += parcel.points;
            self.parcels.push_back(Waiting { parcel, since_ms: now_ms });
        }
        self.show();
    }

    /// Gives up what has waited too long.
    pub(super) fn give_up_old(&mut self, now_ms: u64) {
        let patience_ms = self.pace.give_up_s.saturating_mul(1000);
        self.give_up(|waiting| waiting.since_ms.saturating_add(patience_ms) < now_ms);
    }

    /// Gives up everything; answers how many points that were.
    pub(super) fn give_up_all(&mut self) -> u64 {
        let points = self.points;
        self.give_up(|_| true);
        points
    }

    fn give_up(&mut self, goes: impl Fn(&Waiting) -> bool) {
        let (gone, kept): (VecDeque<_>, VecDeque<_>) = self.parcels.drain(..).partition(goes);
        self.parcels = kept;
        for Waiting { parcel, .. } in gone {
            self.bytes -= parcel.body.len();
            self.points -= parcel.points;
            add(&self.counts.dropped, parcel.points);
        }
        self.show();
    }

    /// The one to send next, and when; `None` if none waits.
    pub(super) fn first(&self) -> Option<(&Parcel, u64)> {
        self.parcels.front().map(|waiting| (&waiting.parcel, self.pause_until_ms))
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
                add(&self.counts.absent, points);
            }
            Verdict::Later { why, after } => self.postpone(why, after, now_ms),
        }
        self.show();
        // Told of the whole of what waited, so that a server that takes some and refuses some does
        // not fill the log.
        if self.parcels.is_empty() {
            let refusal = self.refusal.take();
            self.tell(refusal);
        }
    }

    fn postpone(&mut self, why: String, after: Option<Duration>, now_ms: u64) {
        add(&self.counts.errors, 1);
        let after_ms = after.map(|after| after.clamp(AFTER_MIN, AFTER_MAX).as_millis() as u64);
        self.pause_until_ms = now_ms + after_ms.unwrap_or_else(|| self.pause_ms());
        self.failures += 1;
        self.tell(Some(why));
        self.step_aside();
    }

    /// Puts what goes to the first one's place behind what goes to others, in its own order.
    fn step_aside(&mut self) {
        let Some((first, _)) = self.first() else { return };
        let place = Arc::clone(&first.place);
        let waiting = self.parcels.drain(..);
        let (of_it, mut others): (VecDeque<_>, VecDeque<_>) =
            waiting.partition(|waiting| waiting.parcel.place == place);
        others.extend(of_it);
        self.parcels = others;
    }

    fn pop(&mut self) -> u64 {
        let Some(Waiting { parcel, .. }) = self.parcels.pop_front() else { return 0 };
        self.bytes -= parcel.body.len();
        self.points -= parcel.points;
        parcel.points
    }

    /// Doubles from a second; between half of it and all, so that daemons do not come together.
    fn pause_ms(&self) -> u64 {
        let full_ms = (1000 << self.failures.min(16)).min(self.pace.backoff_max_s * 1000);
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
