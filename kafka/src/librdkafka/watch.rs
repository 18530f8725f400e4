//! Which partitions have a leader: asked of the brokers on a thread of its own, since it waits.
//!
//! One request for all topics, however many customers there are. Asked when a topic is new, when a
//! broker is in trouble or nothing is acknowledged any more, and once a minute.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::produce::Client;
use crate::counts::Counts;
use crate::leaders::Topics;

/// How often the thread looks whether to ask or to end.
const LOOK: Duration = Duration::from_millis(100);
/// How soon to ask again while something is wrong or new, and otherwise.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(60);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Without an answer for so long, no broker is there: one answer may be late.
const SILENCE: Duration = Duration::from_secs(3);
/// So long after librdkafka complained, a leader may have moved.
const UNEASY: Duration = Duration::from_secs(30);
/// Flows in flight and none acknowledged for so long: ask.
const STALLED: Duration = Duration::from_secs(5);

/// The thread's state.
pub(crate) struct Watch<'a> {
    client: &'a Client,
    topics: &'a Topics,
    counts: &'a Counts,
    asked: Option<Instant>,
    answered: Instant,
    /// How long to wait for topics that no broker knows: longer each time.
    patience: Duration,
    seen: usize,
    reported: u64,
    moved: Instant,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(client: &'a Client, topics: &'a Topics, counts: &'a Counts) -> Self {
        let now = Instant::now();
        Self {
            client,
            topics,
            counts,
            asked: None,
            answered: now,
            patience: SOON,
            seen: 0,
            reported: 0,
            moved: now,
        }
    }

    pub(crate) fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if self.is_due() {
                self.ask();
            }
            sleep(LOOK);
        }
    }

    fn is_due(&mut self) -> bool {
        let (topics, unknown) = self.topics.tidy();
        let is_new = topics > self.seen;
        self.seen = topics;
        if is_new {
            self.patience = SOON;
        }
        let wait = match unknown {
            _ if is_new => LOOK,
            _ if self.is_uneasy() => SOON,
            0 => LATER,
            _ => self.patience,
        };
        topics > 0 && self.asked.is_none_or(|asked| asked.elapsed() >= wait)
    }

    /// Is there a reason to think that what we know is not so any more?
    fn is_uneasy(&mut self) -> bool {
        let (submitted, reported) = self.counts.submitted_reported();
        if reported != self.reported || submitted == reported {
            self.reported = reported;
            self.moved = Instant::now();
        }
        self.moved.elapsed() > STALLED || self.counts.complained_within(UNEASY)
    }

    fn ask(&mut self) {
        self.asked = Some(Instant::now());
        self.patience = (self.patience * 2).min(LATER);
        if self.client.leaders(PATIENCE, |name, led, all| self.topics.set(name, led, all)) {
            self.answered = Instant::now();
            self.counts.broker_answers();
        } else if self.answered.elapsed() > SILENCE {
            self.counts.no_broker("no broker answers".into());
        }
    }
}
