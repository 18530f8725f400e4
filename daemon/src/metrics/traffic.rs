//! What counting the traffic comes to; the traffic itself is `/flowdata`.

use super::View;
use super::page::Kind::{Counter, Gauge, Histogram};
use super::page::{Metric, Page};
use crate::board::Snapshot;

const TRAFFIC: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_traffic_counted_total",
        kind: Counter,
        help: "Flows counted for `/flowdata`, talkers and the page; others are `neckar_traffic_missed_total`.",
        value: |snapshot| snapshot.traffic.counts.flows,
    },
    Metric {
        name: "neckar_traffic_unreadable_total",
        kind: Counter,
        help: "Encoded flows that the counting thread could not read: a defect of ours.",
        value: |snapshot| snapshot.traffic.counts.unreadable,
    },
    Metric {
        name: "neckar_traffic_late_total",
        kind: Counter,
        help: "Flows that ended before the two minutes that are open; talkers have them in the older one.",
        value: |snapshot| snapshot.traffic.counts.late,
    },
    Metric {
        name: "neckar_traffic_sketched_total",
        kind: Counter,
        help: "Flows that went into the talkers' sketches; the others are told for by these.",
        value: |snapshot| snapshot.traffic.counts.sketched,
    },
    Metric {
        name: "neckar_traffic_ahead_total",
        kind: Counter,
        help: "Flows that end after they came: the exporter's clock is fast.",
        value: |snapshot| snapshot.traffic.lag.ahead(),
    },
    Metric {
        name: "neckar_traffic_queue",
        kind: Gauge,
        help: "Batches waiting to be counted.",
        value: |snapshot| snapshot.traffic.queued as u64,
    },
    Metric {
        name: "neckar_traffic_path_series",
        kind: Gauge,
        help: "Label sets of `flow_bits`, `traffic.series_max` at most.",
        value: |snapshot| snapshot.traffic.series.0 as u64,
    },
    Metric {
        name: "neckar_traffic_customer_series",
        kind: Gauge,
        help: "Label sets of `flow_bytes` and its kin, `traffic.series_max` at most.",
        value: |snapshot| snapshot.traffic.series.1 as u64,
    },
    Metric {
        name: "neckar_traffic_texts_unkept_total",
        kind: Counter,
        help: "How often a text of a label found no room and was `other`; one that is needed tries again every 30 seconds.",
        value: |snapshot| snapshot.traffic.texts_unkept,
    },
    Metric {
        name: "neckar_traffic_tenants",
        kind: Gauge,
        help: "Customers whose talkers are kept apart.",
        value: |snapshot| snapshot.traffic.tenants as u64,
    },
    Metric {
        name: "neckar_traffic_tenants_unkept_total",
        kind: Counter,
        help: "Flows' ends whose customer found no place among `traffic.tenants_max`.",
        value: |snapshot| snapshot.traffic.tenants_unkept,
    },
];

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    page.table(TRAFFIC, &[], &[([], &view.snapshot)]);
    let help = "Label sets of a metric at most (`traffic.series_max`), beyond which every label says `other`; 0 if the traffic is not counted.";
    let mut samples = page.family(("neckar_traffic_series_max", Gauge), &[], help);
    samples.add([], view.settings.series_max);
    let lag = &view.snapshot.traffic.lag;
    let name = "neckar_flow_age_seconds";
    let help = "From the end of a flow, as its exporter has it, to its receipt; whole seconds.";
    let buckets = lag.cumulative().map(|(bound_s, count)| (bound_s as f64, count));
    let total = (lag.sum_s() as f64, lag.count());
    page.family((name, Histogram), &[], help).histogram([], buckets, total);
}
