//! What metrics need to know of the configuration, taken when the daemon starts.

use crate::budget::{self, Term};
use crate::config::{Config, OutputKind};
use crate::exporter_rules::ExporterRules;
use crate::settings;

/// What of the configuration shows in metrics.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Exporters that have series of their own, at most.
    pub(super) exporters_shown_max: usize,
    /// Write goflow's names, too.
    pub(super) goflow_names: bool,
    /// The terms of the memory sum.
    pub(super) rooms: Vec<Term>,
    /// Batches of each worker.
    pub(super) batches: usize,
    /// Bytes that one of them takes.
    pub(super) batch_bytes: usize,
    /// Batches that may wait for the splitter; 0 if there is none.
    pub(super) splitter_queue_max: usize,
    /// Bytes on disk at most; 0 if there is no spool.
    pub(super) spool_bytes_max: u64,
    /// The main topic, if flows go to Kafka.
    pub(super) topic: Option<String>,
    /// Label sets of a metric of `/flowdata` at most; 0 if the traffic is not counted.
    pub(super) series_max: usize,
    /// What rules say of exporters.
    pub(super) rules: ExporterRules,
}

impl Settings {
    /// Reads a valid configuration for this many workers.
    #[must_use]
    pub fn new(config: &Config, workers: usize) -> Self {
        let batch = &config.batch;
        let to_kafka = config.output.kind == OutputKind::Kafka;
        let batches = budget::batches_per_worker(config, workers);
        let splitter_queue = config.split.queue(workers * batches);
        Self {
            exporters_shown_max: config.http.exporters_shown_max,
            goflow_names: config.http.goflow_metrics,
            rooms: budget::budget(config, &settings::receiver(config), workers),
            batches,
            batch_bytes: neckar_proto::Batch::memory_bytes(batch.flows_max, batch.bytes_max),
            splitter_queue_max: if config.split.is_on() { splitter_queue } else { 0 },
            spool_bytes_max: if config.spool.is_on() { config.spool.bytes_max } else { 0 },
            topic: to_kafka.then(|| config.kafka.topic.clone()),
            series_max: if config.counts_traffic() { config.traffic.series_max } else { 0 },
            rules: ExporterRules::new(config),
        }
    }

    /// What the document shows: everything.
    pub(super) fn whole() -> Self {
        Self { goflow_names: true, ..Self::default() }
    }
}
