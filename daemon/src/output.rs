//! Where all flows go, as the pipeline sees it: Kafka, files or standard output.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::Sender;
use neckar_kafka::{
    Admin, Latency, Producer, ProducerConfig, Topic, TopicOptions, Transport, WireCounts,
};

use crate::config::{Config, OutputKind, Problem};
use crate::pipeline::StartError;
use crate::settings;
use crate::sink::{self, FileCounts, KafkaSink, Sink, Writer, WriterCounts};
use crate::spooler::{Detour, SpoolerCounts, SpoolerView};
use crate::topic_maker::{self, TopicMakerCounts};

/// Why flows failed that were to be kept on disk at the stop, and were not.
const NOT_KEPT: &str = "NotKept";
/// Why flows failed on their way to files or standard output: the write failed, or time was up.
const WRITE_FAILED: &str = "WriteFailed";
const NOT_IN_TIME: &str = "NotInTime";

/// The output's counts at one moment. `submitted = delivered + failed + purged + in_flight`.
#[derive(Clone, Debug, Default)]
pub struct OutputCounts {
    /// Flows given to it.
    pub submitted: u64,
    /// Flows that it acknowledged.
    pub delivered: u64,
    /// Flows that it gave up on.
    pub failed: u64,
    /// Flows under way.
    pub in_flight: u64,
    /// Times that it had no room.
    pub queue_full: u64,
    /// Failed flows by the output's name for the error.
    pub errors: BTreeMap<String, u64>,
    /// Why it takes nothing, if so.
    pub trouble: Option<String>,
    /// Median and 99th percentile from receipt to acknowledgement, in microseconds.
    pub latency_us: Option<(f64, f64)>,
    /// What waits on disk; `None` if there is no spool.
    pub spool: Option<SpoolerView>,
    /// Flows given up on at the stop because they were on disk by then.
    pub purged: u64,
    /// Topics made on request.
    pub topics_made: u64,
    /// Topics that the brokers refused to make for good.
    pub topics_refused: u64,
    /// Files finished.
    pub files_finished: u64,
    /// Old files deleted.
    pub files_deleted: u64,
    /// Bytes of finished files.
    pub files_bytes: u64,
}

impl OutputCounts {
    /// Flows left on disk at the stop that may have arrived: at most so many come twice.
    #[must_use]
    pub fn doubles(&self) -> u64 {
        let spool = self.spool.unwrap_or_default();
        (spool.kept_flows + spool.out_flows).saturating_sub(self.purged)
    }
}

/// What only metrics want to know of it.
#[derive(Clone, Debug, Default)]
pub struct OutputDetails {
    /// From receipt to acknowledgement.
    pub latency: Latency,
    /// What goes over the wire, by producer: of all flows, and of customers' copies.
    pub wire: Vec<(&'static str, WireCounts)>,
    /// By partition of the main topic, the offset of the last record that was acknowledged.
    pub offsets: BTreeMap<i32, i64>,
    /// Bytes handed over and not acknowledged.
    pub bytes_in_flight: u64,
}

/// The output, shared by all workers.
pub enum Output {
    /// A topic.
    Kafka {
        /// The producer of the main topic.
        producer: Arc<Producer>,
        /// The producer of customers' topics, if there are any: its counts are theirs.
        tenants: Option<Arc<Producer>>,
        /// The main topic.
        topic: String,
        /// What its messages are.
        options: TopicOptions,
        /// The way to ask for topics, if they are made on request.
        topics: Option<Sender<String>>,
        /// What came of that.
        made: Arc<TopicMakerCounts>,
        /// What waits on disk, if there is a disk for it.
        spool: Option<Arc<SpoolerCounts>>,
    },
    /// Standard output, or files.
    Written {
        /// The writing thread until it is stopped.
        writer: Mutex<Option<Writer>>,
        /// What it counts of flows.
        counts: Arc<WriterCounts>,
        /// What it counts of files.
        files: Arc<FileCounts>,
    },
}

impl Output {
    /// Starts what the configuration names. `closed` is called if nobody reads it any more.
    ///
    /// # Errors
    /// A property that librdkafka does not take.
    pub fn start(
        config: &Config,
        closed: impl FnOnce() + Send + 'static,
    ) -> Result<Self, StartError> {
        match config.output.kind {
            OutputKind::Kafka => {
                let (name, why) = transport(config)?;
                log::info!("to Kafka through {name}: {why}");
                let producer = Arc::new(new_producer(config, settings::producer(config)?)?);
                let tenants = match config.split.is_on() {
                    true => Some(new_producer(config, settings::producer(config)?)?),
                    false => None,
                };
                let tenants = tenants.map(Arc::new);
                let (topic, options) = (config.kafka.topic.clone(), settings::topic(config));
                let spool = config.spool.is_on().then(Arc::default);
                let made = Arc::default();
                let topics = start_topic_maker(config, &made)?;
                Ok(Self::Kafka { producer, tenants, topic, options, topics, made, spool })
            }
            OutputKind::Stdout => {
                let writer = sink::print(config.output.format, closed).map_err(system)?;
                Ok(Self::written(writer, Arc::default()))
            }
            OutputKind::File => {
                let (file, format) = (&config.output.file, config.output.format);
                let files = Arc::default();
                let writer = sink::write_files(file, format, Arc::clone(&files));
                let writer = writer.map_err(|error| {
                    let folder = file.directory.display();
                    let fix = "give a folder that the daemon's user can write to and no other daemon uses";
                    Problem::new("output.file.directory", format!("\"{folder}\""), error, fix)
                })?;
                Ok(Self::written(writer, files))
            }
        }
    }

    fn written(writer: Writer, files: Arc<FileCounts>) -> Self {
        let counts = writer.counts();
        Self::Written { writer: Mutex::new(Some(writer)), counts, files }
    }

    /// A worker's way in; `detour` is its way to disk.
    #[must_use]
    pub fn sink(&self, detour: Option<Detour>) -> Box<dyn Sink> {
        match self {
            Self::Kafka { producer, topic, options, .. } => {
                Box::new(KafkaSink::new(producer.topic_as(topic, *options), detour))
            }
            Self::Written { writer, .. } => {
                let writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                Box::new(writer.as_ref().expect("workers are made before the stop").sink())
            }
        }
    }

    /// The disk's way to the main topic, and its counts; `None` if there is none.
    #[must_use]
    pub fn spool(&self) -> Option<(Topic, Arc<SpoolerCounts>)> {
        match self {
            Self::Kafka { producer, topic, options, spool, .. } => {
                let counts = Arc::clone(spool.as_ref()?);
                Some((producer.topic_as(topic, *options), counts))
            }
            Self::Written { .. } => None,
        }
    }

    /// The way to ask for topics, if they are made on request.
    #[must_use]
    pub fn topics(&self) -> Option<Sender<String>> {
        match self {
            Self::Kafka { topics, .. } => topics.clone(),
            Self::Written { .. } => None,
        }
    }

    /// The producer for customers' topics.
    #[must_use]
    pub fn tenants(&self) -> Option<Arc<Producer>> {
        match self {
            Self::Kafka { tenants, .. } => tenants.clone(),
            Self::Written { .. } => None,
        }
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> OutputCounts {
        match self {
            Self::Kafka { producer, spool, made, .. } => {
                let mut counts = producer.counts();
                let spool = spool.as_ref().map(|spool| spool.view());
                // Given up on at the stop: on disk by then, if there is one and it took them.
                let given_up = spool.map_or(0, |_| counts.take_purged());
                let lost = spool.map_or(0, |spool| spool.not_kept_flows).min(given_up);
                let purged = given_up - lost;
                if lost > 0 {
                    counts.failed += lost;
                    counts.errors.insert(NOT_KEPT.into(), lost);
                }
                OutputCounts {
                    spool,
                    topics_made: made.made.load(Ordering::Relaxed),
                    topics_refused: made.refused.load(Ordering::Relaxed),
                    purged,
                    submitted: counts.submitted,
                    delivered: counts.delivered,
                    failed: counts.failed,
                    in_flight: counts.in_flight,
                    queue_full: counts.queue_full,
                    errors: counts.errors,
                    trouble: counts.trouble,
                    latency_us: counts.latency_us,
                    ..OutputCounts::default()
                }
            }
            Self::Written { counts, files, .. } => {
                let delivered = counts.written.load(Ordering::Relaxed);
                let errors = [(WRITE_FAILED, &counts.failed), (NOT_IN_TIME, &counts.given_up)];
                let errors = errors.map(|(name, flows)| (name, flows.load(Ordering::Relaxed)));
                let failed = errors.iter().map(|(_, flows)| flows).sum();
                let submitted = counts.submitted.load(Ordering::Relaxed).max(delivered + failed);
                let errors = errors.into_iter().filter(|(_, flows)| *flows > 0);
                OutputCounts {
                    submitted,
                    delivered,
                    failed,
                    in_flight: submitted - delivered - failed,
                    errors: errors.map(|(name, flows)| (name.into(), flows)).collect(),
                    files_finished: files.finished.load(Ordering::Relaxed),
                    files_deleted: files.deleted.load(Ordering::Relaxed),
                    files_bytes: files.bytes.load(Ordering::Relaxed),
                    ..OutputCounts::default()
                }
            }
        }
    }

    /// What only metrics want to know.
    #[must_use]
    pub fn details(&self) -> OutputDetails {
        let Self::Kafka { producer, tenants, topic, .. } = self else {
            return OutputDetails::default();
        };
        let producers = [("flows", Some(producer)), ("customers", tenants.as_ref())];
        let named = producers.into_iter().filter_map(|(name, one)| Some((name, one?)));
        OutputDetails {
            latency: producer.latency(),
            wire: named.filter_map(|(name, one)| Some((name, one.wire()?))).collect(),
            offsets: producer.offsets(topic),
            bytes_in_flight: producer.bytes_in_flight(),
        }
    }

    /// Delivers what was submitted, until `deadline`. All sinks must be gone.
    pub fn finish(&self, deadline: Instant) {
        match self {
            Self::Kafka { producer, tenants, spool, .. } => {
                let left = producer.finish(deadline);
                let kept = spool.as_ref().map(|spool| spool.view());
                let lost = kept.map_or(left, |kept| kept.not_kept_flows.min(left));
                if lost > 0 {
                    log::error!("{lost} flows were not acknowledged in time and are given up");
                }
                if let Some(tenants) = tenants {
                    let left = tenants.finish(deadline);
                    if left > 0 {
                        log::error!("{left} customers' copies were not acknowledged in time");
                    }
                }
            }
            Self::Written { writer, .. } => {
                let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
                let lost = writer.map_or(0, |writer| writer.stop(deadline));
                if lost > 0 {
                    log::error!("{lost} flows were not written in time and are given up");
                }
            }
        }
    }
}

fn system(error: impl ToString) -> StartError {
    StartError::System(error.to_string())
}

/// Asks at once for all topics whose names are known.
fn start_topic_maker(
    config: &Config,
    made: &Arc<TopicMakerCounts>,
) -> Result<Option<Sender<String>>, StartError> {
    let Some(like) = settings::new_topics(&config.kafka.create) else { return Ok(None) };
    let admin = Admin::new(&settings::producer(config)?);
    let admin = admin.map_err(|error| property_problem(config, &error))?;
    let mut first = config.split.topics();
    first.push(config.kafka.topic.clone());
    topic_maker::start(admin, like, first, Arc::clone(made)).map(Some).map_err(system)
}

/// Who speaks to Kafka, and why.
///
/// # Errors
/// What a start would say.
pub(crate) fn transport(config: &Config) -> Result<(&'static str, String), Problem> {
    let choice = settings::producer(config)?.choice_with_files();
    let choice = choice.map_err(|error| property_problem(config, &error))?;
    let name = match choice.transport {
        Transport::Librdkafka => "librdkafka",
        Transport::Auto | Transport::Native => "the native transport",
    };
    Ok((name, choice.why))
}

fn new_producer(config: &Config, settings: ProducerConfig) -> Result<Producer, Problem> {
    Producer::new(&settings).map_err(|error| property_problem(config, &error))
}

/// Names the key that gave the property.
pub(crate) fn property_problem(config: &Config, error: &neckar_kafka::ConfigError) -> Problem {
    let key = match error.property.as_str() {
        "bootstrap.servers" => "kafka.brokers".to_string(),
        "compression.codec" => "kafka.compression".to_string(),
        "ssl.ca.location" => "kafka.tls.ca_file".to_string(),
        "ssl.certificate.location" => "kafka.tls.certificate_file".to_string(),
        "ssl.key.location" => "kafka.tls.key_file".to_string(),
        name if config.kafka.properties.contains_key(name) => format!("kafka.properties.{name}"),
        _ => "kafka.properties".to_string(),
    };
    let fix = "see librdkafka's CONFIGURATION.md for names and values";
    Problem::new(&key, format!("{:?}", error.value), &error.why, fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_has_failed_by_its_cause() {
        let (counts, files) = (Arc::new(WriterCounts::default()), Arc::default());
        for (count, flows) in [
            (&counts.submitted, 20),
            (&counts.written, 10),
            (&counts.failed, 3),
            (&counts.given_up, 5),
        ] {
            count.store(flows, Ordering::Relaxed);
        }
        let seen = Output::Written { writer: Mutex::new(None), counts, files }.counts();
        assert_eq!((seen.submitted, seen.delivered, seen.failed, seen.in_flight), (20, 10, 8, 2));
        let causes: Vec<_> = seen.errors.into_iter().collect();
        assert_eq!(causes, [("NotInTime".into(), 5), ("WriteFailed".into(), 3)]);
    }
}
