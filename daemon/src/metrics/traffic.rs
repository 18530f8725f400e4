//! What counting the traffic comes to; the traffic itself is `/flowdata`.

use super::Kind::{Counter, Gauge};
use super::process::PerProcess;

pub(super) const TRAFFIC: &[PerProcess] = &[
    PerProcess {
        name: "neckar_traffic_counted_total",
        kind: Counter,
        help: "Flows counted for `/flowdata`, talkers and the page; others are `neckar_traffic_missed_total`.",
        value: |snapshot| snapshot.traffic.counts.flows,
    },
    PerProcess {
        name: "neckar_traffic_unreadable_total",
        kind: Counter,
        help: "Encoded flows that the counting thread could not read: a defect of ours.",
        value: |snapshot| snapshot.traffic.counts.unreadable,
    },
    PerProcess {
        name: "neckar_traffic_late_total",
        kind: Counter,
        help: "Flows that ended before the two minutes that are open; talkers have them in the older one.",
        value: |snapshot| snapshot.traffic.counts.late,
    },
    PerProcess {
        name: "neckar_traffic_sketched_total",
        kind: Counter,
        help: "Flows that went into the talkers' sketches; the others are told for by these.",
        value: |snapshot| snapshot.traffic.counts.sketched,
    },
    PerProcess {
        name: "neckar_traffic_ahead_total",
        kind: Counter,
        help: "Flows that end after they came: the exporter's clock is fast.",
        value: |snapshot| snapshot.traffic.lag.ahead(),
    },
    PerProcess {
        name: "neckar_traffic_queue",
        kind: Gauge,
        help: "Batches waiting to be counted.",
        value: |snapshot| snapshot.traffic.queued as u64,
    },
    PerProcess {
        name: "neckar_traffic_path_series",
        kind: Gauge,
        help: "Label sets of `flow_bits`, `traffic.series_max` at most.",
        value: |snapshot| snapshot.traffic.series.0 as u64,
    },
    PerProcess {
        name: "neckar_traffic_customer_series",
        kind: Gauge,
        help: "Label sets of `flow_bytes` and its kin, `traffic.series_max` at most.",
        value: |snapshot| snapshot.traffic.series.1 as u64,
    },
    PerProcess {
        name: "neckar_traffic_tenants",
        kind: Gauge,
        help: "Customers whose talkers are kept apart.",
        value: |snapshot| snapshot.traffic.tenants as u64,
    },
    PerProcess {
        name: "neckar_traffic_tenants_unkept_total",
        kind: Counter,
        help: "Flows' ends whose customer found no place among `traffic.tenants_max`.",
        value: |snapshot| snapshot.traffic.tenants_unkept,
    },
];
