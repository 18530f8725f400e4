//! What pushing counters came to, to InfluxDB and by remote write: the same for both.

use super::View;
use super::page::Kind::{Counter, Gauge};
use super::page::{Metric, Page};
use crate::board::Snapshot;

/// A row for each of the two.
macro_rules! rows {
    ($(($kind:ident, $name:literal, $field:ident, $influx:literal, $write:literal),)*) => {
        &[
            $(Metric {
                name: concat!("neckar_influx_", $name),
                kind: $kind,
                help: $influx,
                value: |snapshot| snapshot.influx.$field,
            },)*
            $(Metric {
                name: concat!("neckar_remote_write_", $name),
                kind: $kind,
                help: $write,
                value: |snapshot| snapshot.remote_write.$field,
            },)*
            Metric {
                name: "neckar_influx_absent_total",
                kind: Counter,
                help: "Points for customers whose database or bucket is not there, or takes nothing.",
                value: |snapshot| snapshot.influx.absent,
            },
            Metric {
                name: "neckar_influx_databases",
                kind: Gauge,
                help: "Databases or buckets that points go to.",
                value: |snapshot| snapshot.influx.databases,
            },
            Metric {
                name: "neckar_influx_databases_refused",
                kind: Gauge,
                help: "Customers' databases or buckets that take nothing now; their points are `neckar_influx_absent_total`.",
                value: |snapshot| snapshot.influx.databases_refused,
            },
            Metric {
                name: "neckar_influx_creates_total",
                kind: Counter,
                help: "Times that a database was asked to be made: once for each, and again if it is gone.",
                value: |snapshot| snapshot.influx.creates,
            },
        ]
    };
}

const PUSH: &[Metric<Snapshot>] = rows![
    (
        Counter,
        "points_total",
        points,
        "Points that InfluxDB took.",
        "Samples that remote write delivered."
    ),
    (
        Counter,
        "failed_total",
        failed,
        "Points that it refused for good; the log has why.",
        "Samples that were refused for good; the log has why."
    ),
    (
        Counter,
        "dropped_total",
        dropped,
        "Points given up: older than `influx.give_up_s`, or still waiting at the end.",
        "Samples given up: older than `remote_write.give_up_s`, or still waiting at the end."
    ),
    (Counter, "pushes_total", pushes, "Requests that InfluxDB took.", "Requests that were taken."),
    (
        Counter,
        "errors_total",
        errors,
        "Requests that failed and are repeated unchanged.",
        "Requests that failed and are repeated unchanged."
    ),
    (
        Counter,
        "skipped_total",
        skipped,
        "Intervals without points of their own because the buffer was full; the next one has their counts.",
        "Intervals without samples because the buffer was full."
    ),
    (
        Gauge,
        "buffer_bytes",
        buffer_bytes,
        "Bytes of points that wait, compressed.",
        "Bytes of samples that wait, compressed."
    ),
    (Gauge, "buffer_points", buffer_points, "Points that wait.", "Samples that wait."),
    (Gauge, "series", series, "Series at the last look.", "Series at the last look."),
    (
        Gauge,
        "last_success_timestamp_seconds",
        last_success_s,
        "When InfluxDB last took points, Unix time; 0 for never.",
        "When samples were last taken, Unix time; 0 for never."
    ),
];

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    page.table(PUSH, &[], &[([], &view.snapshot)]);
}
