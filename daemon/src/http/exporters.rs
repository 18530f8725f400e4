//! Who sends, as a table: sorted and cut here, so that ten thousand exporters are no burden to a
//! browser.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use neckar_decode::{DomainView, ExporterView};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::exporter_rules::ExporterRules;

/// Rows at most.
pub(super) const ROWS_MAX: usize = 1000;
/// Ids of missing templates, and rates, that a row names.
const NAMED_MAX: usize = 8;

/// What the rows are sorted by; the largest first, except for addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    Address,
    #[default]
    Records,
    Datagrams,
    Missed,
    Gaps,
    Templates,
    Missing,
    LastSeen,
}

/// Names of exporters by the rules of the configuration.
#[derive(Debug, Default)]
pub(super) struct Names(ExporterRules);

impl Names {
    pub(super) fn new(config: &Config) -> Self {
        Self(ExporterRules::new(config))
    }

    fn of(&self, address: IpAddr) -> &str {
        self.0.name(address)
    }
}

/// One exporter, its domains summed up.
struct Summary {
    view: ExporterView,
    datagrams: u64,
    records: u64,
    missed: u64,
    gaps: u64,
    templates: usize,
    missing_sets: u64,
    last_seen_ns: u64,
}

/// The table: at most `rows` of `views`, and how many there are.
pub(super) fn table(views: Vec<ExporterView>, names: &Names, order: Order, rows: usize) -> Value {
    let known = views.len();
    let mut all: Vec<Summary> = views.into_iter().map(summary).collect();
    all.sort_by_cached_key(|one| {
        let size = match order {
            Order::Address => 0,
            Order::Records => one.records,
            Order::Datagrams => one.datagrams,
            Order::Missed => one.missed,
            Order::Gaps => one.gaps,
            Order::Templates => one.templates as u64,
            Order::Missing => one.missing_sets,
            Order::LastSeen => one.last_seen_ns,
        };
        (Reverse(size), one.view.exporter, one.view.port)
    });
    all.truncate(rows.clamp(1, ROWS_MAX));
    let rows: Vec<Value> = all.iter().map(|one| row(one, names)).collect();
    json!({"known": known, "exporters": rows})
}

fn summary(view: ExporterView) -> Summary {
    let sum = |value: fn(&DomainView) -> u64| view.domains.iter().map(value).sum::<u64>();
    Summary {
        datagrams: sum(|domain| domain.totals.datagrams),
        records: sum(|domain| domain.totals.records),
        // What came late after all is not lost.
        missed: sum(|domain| domain.totals.missed.saturating_sub(domain.totals.recovered)),
        gaps: sum(|domain| domain.totals.gaps),
        templates: view.domains.iter().map(|domain| domain.templates).sum(),
        missing_sets: sum(|domain| domain.missing.iter().map(|(_, sets)| sets).sum()),
        last_seen_ns: view.domains.iter().map(|one| one.totals.last_seen_ns).max().unwrap_or(0),
        view,
    }
}

fn row(one: &Summary, names: &Names) -> Value {
    let domains = &one.view.domains;
    let protocols: BTreeSet<&str> = domains.iter().map(|domain| domain.protocol.name()).collect();
    let missing: BTreeSet<u16> =
        domains.iter().flat_map(|domain| domain.missing.iter().map(|(id, _)| *id)).collect();
    let rates: BTreeSet<u64> =
        domains.iter().flat_map(|domain| domain.rates.iter().map(|(_, rate)| *rate)).collect();
    let sum = |value: fn(&DomainView) -> u64| domains.iter().map(value).sum::<u64>();
    json!({
        "address": one.view.exporter.to_string(), "port": one.view.port,
        "name": names.of(one.view.exporter), "protocols": protocols, "domains": domains.len(),
        "datagrams": one.datagrams, "bytes": sum(|domain| domain.totals.bytes),
        "records": one.records, "missed": one.missed, "gaps": one.gaps,
        "reordered": sum(|domain| domain.totals.reordered),
        "resets": sum(|domain| domain.totals.resets),
        "templates": one.templates, "missing_sets": one.missing_sets,
        "missing": missing.iter().take(NAMED_MAX).collect::<Vec<_>>(),
        "rates": rates.iter().take(NAMED_MAX).collect::<Vec<_>>(),
        "dropped": one.view.dropped.iter().sum::<u64>(),
        "last_seen_ms": one.last_seen_ns / 1_000_000,
    })
}
