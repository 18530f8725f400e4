//! A topic's books: what was given to librdkafka for it, and what came of that. Written by whoever
//! submits and by the reports thread, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A topic's counts at one moment. `submitted = delivered + failed + in_flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicCounts {
    /// Flows that librdkafka took.
    pub submitted: u64,
    /// Flows that the broker acknowledged.
    pub delivered: u64,
    /// Flows given up on.
    pub failed: u64,
    /// Flows taken and not reported on.
    pub in_flight: u64,
    /// Bytes that calls not wholly reported on have handed over.
    pub bytes_in_flight: u64,
}

impl TopicCounts {
    /// Adds another topic's.
    pub fn add(&mut self, other: &Self) {
        self.submitted += other.submitted;
        self.delivered += other.delivered;
        self.failed += other.failed;
        self.in_flight += other.in_flight;
        self.bytes_in_flight += other.bytes_in_flight;
    }
}

/// A topic's books, to be read by whoever does not have the topic.
#[derive(Clone, Debug)]
pub struct TopicBooks(pub(crate) Arc<Account>);

impl TopicBooks {
    /// What they say now.
    #[must_use]
    pub fn counts(&self) -> TopicCounts {
        self.0.counts()
    }
}

/// One topic's, shared by its messages in flight.
#[derive(Debug, Default)]
pub(crate) struct Account {
    submitted: AtomicU64,
    delivered: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    /// Of all the producer's topics.
    all_bytes: Arc<AtomicU64>,
    /// When something was reported last, or flows went out while none were; [`now_ms`].
    moved_ms: AtomicU64,
}

impl Account {
    pub(crate) fn new(all_bytes: Arc<AtomicU64>) -> Self {
        Self { all_bytes, ..Self::default() }
    }

    /// Flows are about to be handed over.
    pub(crate) fn submit(&self, flows: u64) {
        if self.counts().in_flight == 0 {
            self.moved_ms.store(now_ms(), Ordering::Relaxed);
        }
        self.submitted.fetch_add(flows, Ordering::Relaxed);
    }

    /// Flows were not taken after all.
    pub(crate) fn take_back(&self, flows: u64) {
        self.submitted.fetch_sub(flows, Ordering::Relaxed);
    }

    /// The broker has acknowledged flows, or they were given up on.
    pub(crate) fn report(&self, is_delivered: bool, flows: u64) {
        let count = if is_delivered { &self.delivered } else { &self.failed };
        count.fetch_add(flows, Ordering::Release);
        self.moved_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// A call's bytes are on their way.
    pub(crate) fn hold(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.all_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A call is wholly reported on.
    pub(crate) fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.all_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn counts(&self) -> TopicCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Acquire);
        // What is reported on was submitted before: in this order the difference is never negative.
        let (delivered, failed) = (read(&self.delivered), read(&self.failed));
        let submitted = read(&self.submitted);
        let in_flight = submitted.saturating_sub(delivered + failed);
        TopicCounts { submitted, delivered, failed, in_flight, bytes_in_flight: read(&self.bytes) }
    }

    /// How long flows are in flight of which none was reported on; zero if none are.
    pub(crate) fn silence(&self) -> Duration {
        if self.counts().in_flight == 0 {
            return Duration::ZERO;
        }
        Duration::from_millis(now_ms().saturating_sub(self.moved_ms.load(Ordering::Relaxed)))
    }
}

/// Milliseconds of a clock that only goes forward.
fn now_ms() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_in_flight_until_they_are_reported_on() {
        let account = Account::default();
        account.submit(10);
        account.hold(700);
        account.take_back(3);
        account.report(true, 4);
        account.report(false, 2);
        let counts = account.counts();
        assert_eq!((counts.submitted, counts.delivered, counts.failed), (7, 4, 2));
        assert_eq!((counts.in_flight, counts.bytes_in_flight), (1, 700));
        account.report(true, 1);
        account.release(700);
        assert_eq!((account.counts().in_flight, account.counts().bytes_in_flight), (0, 0));
        assert_eq!(account.silence(), Duration::ZERO, "nothing is in flight");
    }
}
