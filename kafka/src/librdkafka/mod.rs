//! The transport through librdkafka: messages that point into our batches, reports as events.
//!
//! Two threads beside librdkafka's own: one takes reports, one asks which partitions have a leader.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::types::RDKafkaErrorCode;

mod handle;
mod lane;
mod message;
#[allow(
    unsafe_code,
    reason = "rd_kafka_produce_batch: rdkafka's safe API has one call per message"
)]
mod produce;
mod watch;

pub(crate) use lane::Lane;

use crate::account::Account;
use crate::config::ConfigError;
use crate::counts::{Counts, ENDED};
use crate::leaders::{Leaders, Topics};
use crate::topic::TopicOptions;
use handle::Handle;
use produce::{Client, Report};
use watch::Watch;

/// How long the reports thread sleeps at most.
const POLL: Duration = Duration::from_millis(100);
/// How long librdkafka may take to report on what is purged.
const PATIENCE: Duration = Duration::from_secs(5);

/// Memory that librdkafka takes for a flow in flight, beside the flow's own bytes in its batch: its
/// book-keeping of one message. `kafka/tests/memory.rs` measures it.
pub const FLOW_IN_FLIGHT_BYTES: usize = 192;

/// The client and its threads.
#[derive(Debug)]
pub(crate) struct Librdkafka {
    client: Arc<Client>,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Librdkafka {
    pub(crate) fn start(
        config: &ClientConfig,
        counts: &Arc<Counts>,
        topics: &Arc<Topics>,
    ) -> Result<Self, ConfigError> {
        let native =
            config.create_native_config().map_err(|error| ConfigError::whole(error.to_string()))?;
        let client = Arc::new(Client::new(native).map_err(ConfigError::whole)?);
        let stop = Arc::new(AtomicBool::new(false));
        let threads = Vec::new();
        let mut started = Self { client, counts: Arc::clone(counts), stop, threads };
        let threads = started.start_threads(counts, topics);
        threads.map_err(|error| ConfigError::whole(error.to_string()))?;
        Ok(started)
    }

    fn start_threads(&mut self, counts: &Arc<Counts>, topics: &Arc<Topics>) -> std::io::Result<()> {
        let (client, to, stop) =
            (Arc::clone(&self.client), Arc::clone(counts), Arc::clone(&self.stop));
        let reports =
            std::thread::Builder::new().name("kafka-reports".into()).spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    client.poll(POLL, |report| take(&to, report));
                }
            })?;
        self.threads.push(reports);
        let (client, counts) = (Arc::clone(&self.client), Arc::clone(counts));
        let (topics, stop) = (Arc::clone(topics), Arc::clone(&self.stop));
        let topics = std::thread::Builder::new()
            .name("kafka-topics".into())
            .spawn(move || Watch::new(&client, &topics, &counts).run(&stop))?;
        self.threads.push(topics);
        Ok(())
    }

    /// One thread's way to a topic.
    pub(crate) fn lane(
        &self,
        name: &str,
        options: TopicOptions,
        counts: &Arc<Counts>,
        account: &Arc<Account>,
        leaders: &Arc<Leaders>,
    ) -> Lane {
        Lane {
            handle: Handle::new(Arc::clone(&self.client), name, Arc::clone(account)),
            client: Arc::clone(&self.client),
            ended: Arc::clone(&self.stop),
            options,
            counts: Arc::clone(counts),
            account: Arc::clone(account),
            leaders: Arc::clone(leaders),
            // Several threads with one topic do not start at one partition.
            turn: Arc::strong_count(leaders),
            places: Vec::new(),
        }
    }

    /// Gives up on everything queued or in flight; the reports say so.
    pub(crate) fn purge(&self) {
        self.client.purge();
    }
}

impl Drop for Librdkafka {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
        end(&self.client, &self.counts, || {
            let (submitted, reported) = self.counts.submitted_reported();
            submitted > reported
        });
    }
}

/// Gives up on what is left when nobody takes reports any more, and counts it.
fn end(client: &Client, counts: &Counts, is_left: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while is_left() && Instant::now() < until {
        client.purge();
        client.poll(POLL, |report| match report {
            Report::Flows(code, flows) if code != RDKafkaErrorCode::NoError => {
                counts.fail(ENDED, flows);
            }
            report => take(counts, report),
        });
    }
}

/// Notes what came back.
fn take(counts: &Counts, report: Report) {
    match report {
        Report::Flows(RDKafkaErrorCode::NoError, flows) => counts.deliver(flows),
        Report::Flows(code, flows) => counts.fail(&format!("{code:?}"), flows),
        Report::Done(flows, opened_ns) => counts.done(flows, opened_ns),
        Report::Trouble(RDKafkaErrorCode::AllBrokersDown, words) => counts.no_broker(words),
        // Ours is the producer that brokers do not believe any more (idempotence): only a new one helps.
        Report::Trouble(RDKafkaErrorCode::Fatal, words) => {
            counts.end(format!("librdkafka has ended, start neckard anew: {words}"));
        }
        Report::Trouble(_, words) => counts.complain(words),
    }
}
