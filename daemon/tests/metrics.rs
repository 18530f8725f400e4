//! `/metrics` and docs/metrics.md say the same: names, kinds and labels, both ways round.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::process::Neckard;

/// Kind and labels of a metric.
type Nature = (String, BTreeSet<String>);

/// What the table in docs/metrics.md promises.
fn documented() -> BTreeMap<String, Nature> {
    let text = neckard::metrics::markdown();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let labels = cells[2].split(", ").filter(|label| !label.is_empty()).map(String::from);
        (cells[0].to_string(), (cells[1].to_string(), labels.collect()))
    });
    let rows: Vec<(String, Nature)> = rows.collect();
    let (count, rows) = (rows.len(), BTreeMap::from_iter(rows));
    assert_eq!(rows.len(), count, "a metric is documented twice");
    rows
}

/// The kinds that the page announces.
fn announced(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let pairs = lines.map(|line| line.split_once(' ').unwrap());
    let kinds = pairs.map(|(name, kind)| (name.to_string(), kind.to_string()));
    let kinds: Vec<_> = kinds.collect();
    let (count, kinds) = (kinds.len(), BTreeMap::from_iter(kinds));
    assert_eq!(kinds.len(), count, "a metric is announced twice");
    kinds
}

/// Name and label names of a sample's series.
fn parse(series: &str) -> (&str, BTreeSet<String>) {
    let Some((name, labels)) = series.split_once('{') else {
        return (series, BTreeSet::new());
    };
    let labels = labels.strip_suffix('}').unwrap().split(',');
    (name, labels.map(|label| label.split_once('=').unwrap().0.to_string()).collect())
}

#[test]
fn the_page_is_what_the_document_says() {
    let neckard = Neckard::start(&["output.kind=stdout"]);
    let (status, page) = neckard.fetch("/metrics");
    assert_eq!(status, 200);

    let documented = documented();
    let kinds = documented.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect();
    assert_eq!(announced(&page), kinds, "names and kinds");
    for (name, (kind, _)) in &documented {
        let is_total = name.ends_with("_total");
        assert!(name.starts_with("neckar_"), "{name} is ours");
        assert_eq!(is_total, kind == "counter", "{name}: counters end in _total, gauges do not");
    }
    let mut seen = BTreeSet::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}: a number");
        assert!(seen.insert(series), "{series} is there twice");
        let (name, labels) = parse(series);
        assert_eq!(labels, documented[name].1, "labels of {name}");
    }
    // Without Kafka there are no customers, and no errors of an output: nothing else may be missing.
    let sampled: BTreeSet<&str> = seen.iter().map(|series| parse(series).0).collect();
    let silent = documented.keys().filter(|name| !sampled.contains(name.as_str()));
    let may_be =
        |name: &str| name.starts_with("neckar_tenant_") || name == "neckar_output_errors_total";
    let silent: Vec<&String> = silent.filter(|name| !may_be(name)).collect();
    assert!(silent.is_empty(), "announced, without a sample: {silent:?}");
    assert!(neckard.stop().0.success());
}
