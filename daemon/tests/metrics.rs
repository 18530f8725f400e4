//! `/metrics` and docs/metrics.md say the same: names, kinds and labels, both ways round.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::time::Duration;

use support::process::Neckard;
use support::wait_until;

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
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    // One that is no flow: a drop with its cause is on the page then.
    sender.send_to(&[0xff; 64], neckard.udp()).unwrap();
    wait_until("the datagram is counted", Duration::from_secs(20), || {
        neckard.metric("neckar_receive_datagrams_total") == 1
    });
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
    assert!(neckard.metric("neckar_dropped_total") > 0, "the drop is counted");
    assert!(neckard.stop().0.success());
}
