//! `/flowdata` beside the generator's own sums.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::process::Neckard;
use super::wait_until;

/// The sum of a metric of `/flowdata` by the values of one label.
pub fn sums(page: &str, metric: &str, label: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let Some((name, labels)) = series.split_once('{') else { continue };
        if name != metric {
            continue;
        }
        let start = format!("{label}=\"");
        let of = labels.trim_end_matches('}').split(',').find_map(|one| one.strip_prefix(&start));
        let of = of.unwrap().trim_end_matches('"').to_string();
        *sums.entry(of).or_default() += value.parse::<u64>().unwrap();
    }
    sums
}

/// Waits until everything handed over is counted, and none of it missed.
pub fn settle(neckard: &Neckard) {
    wait_until("all flows are counted", Duration::from_secs(20), || {
        neckard.metric("neckar_traffic_counted_total")
            == neckard.metric("neckar_flows_encoded_total")
    });
    assert_eq!(neckard.metric("neckar_traffic_missed_total"), 0);
}

/// Flows, bytes and packets of `/flowdata` are the generator's, in all and by protocol.
pub fn check_sums(neckard: &Neckard, totals: &Value) {
    settle(neckard);
    let (_, page) = neckard.fetch("/flowdata");
    let of = |kind: &str, count: &str| totals[kind][count].as_u64().unwrap();
    let metrics = [
        ("flow_bits", "bytes", 8),
        ("flow_bytes", "bytes", 1),
        ("flow_packets", "packets", 1),
        ("neckar_traffic_flows_total", "flows", 1),
    ];
    for (metric, count, times) in metrics {
        let sums = sums(&page, metric, "protoname");
        assert_eq!(sums.values().sum::<u64>(), times * of("all", count), "{metric}");
        for (protocol, kind) in [("TCP", "tcp"), ("UDP", "udp")] {
            assert_eq!(sums[protocol], times * of(kind, count), "{metric} of {protocol}");
        }
    }
}
