//! What a producer did, written by its transport's threads and by those who submit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::account::Account;
use crate::latency::{Histogram, Latency};

/// What was said of one broker explains that none answers, if it was said this lately.
const DETAIL_AGE: Duration = Duration::from_secs(60);

/// The transports' names for flows that time ran out for: not handed to a broker yet, or not
/// acknowledged.
pub(crate) const PURGED: [&str; 2] = ["PurgeQueue", "PurgeInflight"];

/// Our name for flows that came to a producer as it ended, or after. Not the transports' own for what
/// is purged: nobody has put these on disk.
pub(crate) const ENDED: &str = "ProducerEnded";

/// Written by the transport's threads and by those who submit.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) submitted: AtomicU64,
    delivered: AtomicU64,
    /// Bytes of all topics under way.
    bytes: Arc<AtomicU64>,
    pub(crate) queue_full: AtomicU64,
    /// Failed flows by error: the only count of them, so that its parts always add up.
    errors: Mutex<BTreeMap<String, u64>>,
    /// Since when no broker answers, and the word for it.
    trouble: Mutex<Option<(Instant, String)>>,
    /// The transport takes nothing any more, whatever brokers answer, and why.
    ended: OnceLock<(Instant, String)>,
    /// What was said last about any broker, and when.
    detail: Mutex<Option<(Instant, String)>>,
    /// From the first flow of a batch to the last acknowledgement.
    latency: Histogram,
    /// Of the native transport.
    pub(crate) wire: Wire,
}

/// What the native transport counts of its connections. Written by its thread.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) requests: AtomicU64,
    pub(crate) request_bytes: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) throttled_ms: AtomicU64,
    pub(crate) connections_lost: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireCounts {
    /// Produce requests sent.
    pub requests: u64,
    /// Bytes of the record batches in them, compressed as they are.
    pub request_bytes: u64,
    /// Record batches that have to go again: a broker was in trouble, or was not the leader any
    /// more.
    pub retries: u64,
    /// Milliseconds that brokers asked to be left alone (quotas).
    pub throttled_ms: u64,
    /// Connections lost or not made.
    pub connections_lost: u64,
}

impl Wire {
    pub(crate) fn view(&self) -> WireCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WireCounts {
            requests: read(&self.requests),
            request_bytes: read(&self.request_bytes),
            retries: read(&self.retries),
            throttled_ms: read(&self.throttled_ms),
            connections_lost: read(&self.connections_lost),
        }
    }
}

/// The producer's counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct ProducerCounts {
    /// Flows that the transport took.
    pub submitted: u64,
    /// Flows that the broker acknowledged.
    pub delivered: u64,
    /// Flows given up on.
    pub failed: u64,
    /// Flows taken and not reported on.
    pub in_flight: u64,
    /// Times that the queue had no room.
    pub queue_full: u64,
    /// Failed flows by Kafka's name for the error.
    pub errors: BTreeMap<String, u64>,
    /// What is wrong with the brokers, if something is.
    pub trouble: Option<String>,
    /// Median and 99th percentile from the receipt of a batch's first flow to the acknowledgement
    /// of its last, in microseconds, weighted by flows: no flow waited longer than its batch.
    pub latency_us: Option<(f64, f64)>,
}

impl ProducerCounts {
    /// Takes those out of the failed flows that [`Producer::finish`](crate::Producer::finish) gave up on; answers how many.
    pub fn take_purged(&mut self) -> u64 {
        let taken = PURGED.map(|name| self.errors.remove(name).unwrap_or(0));
        let purged = taken.into_iter().sum();
        self.failed -= purged;
        purged
    }
}

impl Counts {
    /// New books of a topic.
    pub(crate) fn account(&self) -> Account {
        Account::new(Arc::clone(&self.bytes))
    }

    /// What they say now.
    pub(crate) fn view(&self) -> ProducerCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Acquire);
        // What is reported on was submitted before: in this order the difference is never negative.
        let errors = lock(&self.errors).clone();
        let (delivered, failed) = (read(&self.delivered), errors.values().sum());
        let submitted = read(&self.submitted);
        let trouble = lock(&self.trouble);
        ProducerCounts {
            submitted,
            delivered,
            failed,
            in_flight: submitted.saturating_sub(delivered + failed),
            queue_full: read(&self.queue_full),
            errors,
            trouble: self
                .ended
                .get()
                .or(trouble.as_ref())
                .map(|(since, what)| format!("{what}, for {} s", since.elapsed().as_secs())),
            latency_us: self.latency.quantile(0.5).zip(self.latency.quantile(0.99)),
        }
    }

    pub(crate) fn latency(&self) -> Latency {
        self.latency.view()
    }

    pub(crate) fn bytes_in_flight(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Flows are in Kafka.
    pub(crate) fn deliver(&self, flows: u64) {
        self.delivered.fetch_add(flows, Ordering::Release);
        self.broker_answers();
    }

    /// Flows are given up on, for an error of this name.
    pub(crate) fn fail(&self, error: &str, flows: u64) {
        *lock(&self.errors).entry(error.to_owned()).or_default() += flows;
    }

    /// The last of so many flows that were handed over together is reported on; the first came at
    /// `opened_ns`, 0 if nobody noted it.
    pub(crate) fn done(&self, flows: u64, opened_ns: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_us = now.as_micros() as u64;
        if opened_ns > 0 {
            self.latency.add(now_us.saturating_sub(opened_ns / 1000), flows);
        }
    }

    /// Flows submitted, and those that were reported on.
    pub(crate) fn submitted_reported(&self) -> (u64, u64) {
        let failed: u64 = lock(&self.errors).values().sum();
        let reported = self.delivered.load(Ordering::Acquire) + failed;
        (self.submitted.load(Ordering::Acquire), reported)
    }

    /// Is there trouble, or was there a complaint about any broker this long ago?
    pub(crate) fn complained_within(&self, span: Duration) -> bool {
        let recent = |(when, _): &(Instant, String)| when.elapsed() < span;
        lock(&self.trouble).is_some() || lock(&self.detail).as_ref().is_some_and(recent)
    }

    /// The transport has ended for good.
    pub(crate) fn end(&self, words: String) {
        self.ended.get_or_init(|| (Instant::now(), words));
    }

    /// Has it?
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// A broker answers: what was wrong is over.
    pub(crate) fn broker_answers(&self) {
        *lock(&self.trouble) = None;
    }

    /// One broker of several, perhaps, is in trouble: worth a word once none is left.
    pub(crate) fn complain(&self, words: String) {
        *lock(&self.detail) = Some((Instant::now(), words));
    }

    /// No broker answers; what was said of one tells more than that.
    pub(crate) fn no_broker(&self, words: String) {
        let detail = lock(&self.detail).clone();
        let recent = detail.filter(|(when, _)| when.elapsed() < DETAIL_AGE);
        let mut trouble = lock(&self.trouble);
        let since = trouble.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        *trouble = Some((since, recent.map_or(words, |(_, words)| words)));
    }
}

/// A thread that panicked while it held the lock has told so; the counts are still counts.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_that_has_ended_is_trouble_whatever_brokers_answer() {
        let counts = Counts::default();
        counts.no_broker("no broker answers".into());
        counts.broker_answers();
        assert_eq!((counts.view().trouble, counts.has_ended()), (None, false));
        counts.end("it is over".into());
        counts.end("once more".into());
        counts.broker_answers();
        assert_eq!(counts.view().trouble.as_deref(), Some("it is over, for 0 s"));
        assert!(counts.has_ended());
    }
}
