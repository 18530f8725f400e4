//! The producer: batches in, counted reports out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::types::RDKafkaErrorCode;

use crate::account::Account;
use crate::config::{ConfigError, ProducerConfig};
use crate::handle::Handle;
use crate::latency::Histogram;
use crate::produce::{Client, Report};
use crate::topic::{Topic, TopicOptions};
use crate::topics::{Topics, Watch};

/// How long the reports thread sleeps at most.
const POLL: Duration = Duration::from_millis(100);
/// What librdkafka said of one broker explains that none answers, if it said so this lately.
const DETAIL_AGE: Duration = Duration::from_secs(60);

/// Memory that librdkafka takes for a flow in flight, beside the flow's own bytes in its batch: its
/// book-keeping of one message. `kafka/tests/memory.rs` measures it.
pub const FLOW_IN_FLIGHT_BYTES: usize = 192;

/// One producer for the whole process; workers share it. Flows given to it are delivered, failed or
/// still in flight: `submitted = delivered + failed + in_flight`, always.
#[derive(Debug)]
pub struct Producer {
    client: Arc<Client>,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    topics: Arc<Topics>,
    threads: Vec<JoinHandle<()>>,
}

/// Written by the reports thread and by those who submit.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) submitted: AtomicU64,
    delivered: AtomicU64,
    /// Bytes of all topics under way.
    bytes: Arc<AtomicU64>,
    pub(crate) queue_full: AtomicU64,
    /// Failed flows by error: the only count of them, so that its parts always add up.
    errors: Mutex<BTreeMap<String, u64>>,
    /// Since when no broker answers, and librdkafka's word for it.
    trouble: Mutex<Option<(Instant, String)>>,
    /// What librdkafka said last about any broker, and when.
    detail: Mutex<Option<(Instant, String)>>,
    /// From the first flow of a batch to the last acknowledgement.
    latency: Histogram,
}

/// The producer's counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct ProducerCounts {
    /// Flows that librdkafka took.
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
    /// Takes those out of the failed flows that [`Producer::finish`] gave up on; answers how many.
    pub fn take_purged(&mut self) -> u64 {
        let names = [RDKafkaErrorCode::PurgeQueue, RDKafkaErrorCode::PurgeInflight];
        let taken = names.map(|code| self.errors.remove(&format!("{code:?}")).unwrap_or(0));
        let purged = taken.into_iter().sum();
        self.failed -= purged;
        purged
    }
}

impl Producer {
    /// Starts the client and its reports thread. No broker need be there: it is looked for until it
    /// comes.
    ///
    /// # Errors
    /// A property that librdkafka does not take.
    pub fn new(config: &ProducerConfig) -> Result<Self, ConfigError> {
        let checked = config.check()?;
        let native = checked
            .create_native_config()
            .map_err(|error| ConfigError::whole(error.to_string()))?;
        let client = Arc::new(Client::new(native).map_err(ConfigError::whole)?);
        let counts = Arc::new(Counts::default());
        let stop = Arc::new(AtomicBool::new(false));
        let topics = Arc::new(Topics::default());
        let mut producer = Self { client, counts, stop, topics, threads: Vec::new() };
        producer.start_threads().map_err(|error| ConfigError::whole(error.to_string()))?;
        Ok(producer)
    }

    fn start_threads(&mut self) -> std::io::Result<()> {
        let (client, counts) = (Arc::clone(&self.client), Arc::clone(&self.counts));
        let stop = Arc::clone(&self.stop);
        let reports =
            std::thread::Builder::new().name("kafka-reports".into()).spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.poll(POLL, |report| counts.take(report));
                }
            })?;
        self.threads.push(reports);
        let (client, counts) = (Arc::clone(&self.client), Arc::clone(&self.counts));
        let (topics, stop) = (Arc::clone(&self.topics), Arc::clone(&self.stop));
        let topics = std::thread::Builder::new()
            .name("kafka-topics".into())
            .spawn(move || Watch::new(&client, &topics, &counts).run(&stop))?;
        self.threads.push(topics);
        Ok(())
    }

    /// A topic, for one thread, of bare flows without keys. It need not exist yet.
    #[must_use]
    pub fn topic(&self, name: &str) -> Topic {
        self.topic_as(name, TopicOptions::default())
    }

    /// A topic, for one thread. It need not exist yet.
    #[must_use]
    pub fn topic_as(&self, name: &str, options: TopicOptions) -> Topic {
        let handle = Handle::new(Arc::clone(&self.client), name, self.counts.account());
        let leaders = self.topics.of(name);
        // Several threads with one topic do not start at one partition.
        let turn = Arc::strong_count(&leaders);
        let counts = Arc::clone(&self.counts);
        Topic::new(handle, options, counts, leaders, turn)
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> ProducerCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Acquire);
        let counts = &self.counts;
        // What is reported on was submitted before: in this order the difference is never negative.
        let errors = lock(&counts.errors).clone();
        let (delivered, failed) = (read(&counts.delivered), errors.values().sum());
        let submitted = read(&counts.submitted);
        let trouble = lock(&counts.trouble);
        ProducerCounts {
            submitted,
            delivered,
            failed,
            in_flight: submitted.saturating_sub(delivered + failed),
            queue_full: read(&counts.queue_full),
            errors,
            trouble: trouble
                .as_ref()
                .map(|(since, what)| format!("{what}, for {} s", since.elapsed().as_secs())),
            latency_us: counts.latency.quantile(0.5).zip(counts.latency.quantile(0.99)),
        }
    }

    /// Bytes handed over by calls that are not wholly reported on, of all topics.
    #[must_use]
    pub fn bytes_in_flight(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Waits until everything is reported on, at most until `deadline`. What is left then is given
    /// up on and counted as failed. Answers how many flows that were.
    pub fn finish(&self, deadline: Instant) -> u64 {
        while self.client.queued() > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let left = self.counts().in_flight;
        if left > 0 {
            self.client.purge();
            let patience = Instant::now() + Duration::from_secs(5);
            while self.counts().in_flight > 0 && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        left
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

impl Counts {
    /// New books of a topic.
    fn account(&self) -> Account {
        Account::new(Arc::clone(&self.bytes))
    }

    fn take(&self, report: Report) {
        match report {
            Report::Flows(RDKafkaErrorCode::NoError, count) => {
                self.delivered.fetch_add(count, Ordering::Release);
                *lock(&self.trouble) = None;
            }
            Report::Flows(code, count) => self.fail(code, count),
            Report::Done(flows, opened_ns) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let now_us = now.as_micros() as u64;
                if opened_ns > 0 {
                    self.latency.add(now_us.saturating_sub(opened_ns / 1000), flows);
                }
            }
            Report::Trouble(RDKafkaErrorCode::AllBrokersDown, words) => self.no_broker(words),
            // One broker of several, perhaps: worth a word once none is left.
            Report::Trouble(_, words) => *lock(&self.detail) = Some((Instant::now(), words)),
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

    /// A broker answers: what was wrong is over.
    pub(crate) fn broker_answers(&self) {
        *lock(&self.trouble) = None;
    }

    /// No broker answers; what librdkafka said of one tells more than that.
    pub(crate) fn no_broker(&self, words: String) {
        let detail = lock(&self.detail).clone();
        let recent = detail.filter(|(when, _)| when.elapsed() < DETAIL_AGE);
        let mut trouble = lock(&self.trouble);
        let since = trouble.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        *trouble = Some((since, recent.map_or(words, |(_, words)| words)));
    }

    pub(crate) fn fail(&self, code: RDKafkaErrorCode, count: u64) {
        *lock(&self.errors).entry(format!("{code:?}")).or_default() += count;
    }
}

/// A thread that panicked while it held the lock has told so; the counts are still counts.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
