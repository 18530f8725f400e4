//! What metrics need to know of the configuration, taken when the daemon starts.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::budget::{self, Term};
use crate::config::{Config, OutputKind, parse_prefix};
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
    /// What rules say of exporters: the most specific first.
    rules: Vec<(IpNet, Option<String>, Option<u64>)>,
}

impl Settings {
    /// Reads a valid configuration for this many workers.
    #[must_use]
    pub fn new(config: &Config, workers: usize) -> Self {
        let rules = config.exporter.iter().filter_map(|rule| {
            Some((parse_prefix(&rule.prefix)?, rule.name.clone(), rule.sampling_rate))
        });
        let mut rules: Vec<_> = rules.collect();
        rules.sort_by_key(|(prefix, ..)| std::cmp::Reverse(prefix.prefix_len()));
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
            rules,
        }
    }

    /// What the document shows: everything.
    pub(super) fn whole() -> Self {
        Self { goflow_names: true, ..Self::default() }
    }

    /// How rules name an exporter; empty if none does.
    pub(super) fn name(&self, exporter: IpAddr) -> &str {
        let of_it = self.rules.iter().filter(|(prefix, ..)| prefix.contains(&exporter));
        of_it.filter_map(|(_, name, _)| name.as_deref()).next().unwrap_or_default()
    }

    /// The sampling rate that rules give an exporter.
    pub(super) fn rate(&self, exporter: IpAddr) -> Option<u64> {
        let of_it = self.rules.iter().filter(|(prefix, ..)| prefix.contains(&exporter));
        of_it.filter_map(|(.., rate)| *rate).next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ExporterRule;

    #[test]
    fn the_most_specific_rule_that_says_something_counts() {
        let rule = |prefix: &str, name: Option<&str>, sampling_rate| ExporterRule {
            prefix: prefix.into(),
            name: name.map(Into::into),
            sampling_rate,
            ..ExporterRule::default()
        };
        let exporter = vec![
            rule("192.0.2.0/24", Some("campus"), Some(100)),
            rule("192.0.2.1", Some("core"), None),
        ];
        let settings = Settings::new(&Config { exporter, ..Config::default() }, 1);
        let told = |address: &str| {
            let address = address.parse().expect("an address");
            (settings.name(address), settings.rate(address))
        };
        assert_eq!(told("192.0.2.1"), ("core", Some(100)));
        assert_eq!(told("192.0.2.2"), ("campus", Some(100)));
        assert_eq!(told("2001:db8::1"), ("", None));
    }
}
