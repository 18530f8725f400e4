//! The rows about what goes on beside the way of a flow: exporters, tables, names, the process.

use super::{gauges, lines, rates, stat};
use crate::boards::{Look, Panel, Row, Unit};

/// Who sends.
pub(super) fn exporters() -> Row {
    Row::new("Exporters", Vec::new())
}

/// What `/flowdata`, talkers and the page are made of.
pub(super) fn counting() -> Row {
    Row::new(
        "Counting traffic",
        vec![
            rates(Unit::Rate, "Flows", "Counted for /flowdata; of them those in the talkers' sketches, which sample above traffic.sketched_per_s.", &[("neckar_traffic_counted_total", "counted"), ("neckar_traffic_sketched_total", "in sketches")]),
            rates(Unit::Rate, "Flows not counted", "Missed: delivered, but the counting thread's queue was full (traffic.queue_batches). Unreadable: a defect of ours.", &[("neckar_traffic_missed_total", "missed"), ("neckar_traffic_unreadable_total", "unreadable")]).loss(),
            rates(Unit::Rate, "Flows out of time", "Late: ended more than two minutes ago, counted in the older minute. Ahead: end after they came, the exporter's clock is fast.", &[("neckar_traffic_late_total", "late"), ("neckar_traffic_ahead_total", "ahead")]),
            gauges(Unit::Count, "Series of /flowdata", "Label sets, up to traffic.series_max; beyond, every label says `other`.", &[("neckar_traffic_path_series", "flow_bits"), ("neckar_traffic_customer_series", "flow_bytes and its kin")]),
            gauges(Unit::Count, "Customers with talkers", "Up to traffic.tenants_max.", &[("neckar_traffic_tenants", "customers")]).query("sum(rate(neckar_traffic_tenants_unkept_total{@here}[$w]))", "flows' ends without a place, a second"),
            gauges(Unit::Count, "Queue", "Batches that wait to be counted, and targets (address, class, fate) in this minute's sketch.", &[("neckar_traffic_queue", "batches"), ("toptalkers_db_size", "targets")]),
        ],
    )
}

/// Where labels come from.
pub(super) fn tables() -> Row {
    Row::new(
        "Tables of labels",
        vec![
            gauges(Unit::Count, "In force", "Prefixes of all sources, different sets of labels, interfaces.", &[("neckar_tables_prefixes", "prefixes"), ("neckar_tables_label_sets", "label sets"), ("neckar_tables_interfaces", "interfaces")]),
            gauges(Unit::Bytes, "Memory", "Of the tables in force. It doubles while new ones are made.", &[("neckar_tables_bytes", "bytes")]),
            lines(Unit::Milliseconds, "Last load", "max by (instance) (neckar_tables_load_milliseconds{@here})", "{{instance}}", "How long it took; workers do not wait for it."),
            stat(Unit::Seconds, "Age", "time() - min(neckar_tables_loaded_timestamp_seconds{@here} > 0)", "Since the prefixes in force were loaded. Much older than the files are meant to be: the job that fetches them has stopped.").wide(4),
            stat(Unit::Count, "Loads failed", "sum(increase(neckar_tables_failures_total{@here}[$__range]))", "The old stayed in force. The log has file, line and what was expected.").wide(4).loss(),
            stat(Unit::Count, "Swaps", "sum(increase(neckar_tables_swaps_total{@here}[$__range]))", "New tables that came into force.").wide(4),
            stat(Unit::Count, "Not freed yet", "sum(neckar_tables_retired{@here})", "Old tables that a worker still reads. More than 2 for long: a worker hangs.").wide(4),
        ],
    )
}

/// Names of interfaces and hosts.
pub(super) fn names() -> Row {
    Row::new(
        "SNMP and names of hosts",
        vec![
            gauges(Unit::Count, "Devices", "Asked by SNMP; those that rest after a failure; those being asked now.", &[("neckar_snmp_devices", "devices"), ("neckar_snmp_devices_backing_off", "backing off"), ("neckar_snmp_devices_walking", "walking")]),
            rates(Unit::Rate, "Walks", "Cut: more interfaces than snmp.interfaces_max or snmp.interfaces_per_exporter_max leave room for.", &[("neckar_snmp_walks_total", "done"), ("neckar_snmp_cut_total", "cut")]).query("sum by (cause) (rate(neckar_snmp_failed_total{@here}[$w]))", "failed: {{cause}}"),
            gauges(Unit::Count, "Interfaces known", "By SNMP, remembered ones included.", &[("neckar_snmp_interfaces", "interfaces")]),
            rates(Unit::Rate, "Names of hosts", "asked = answered + nameless + failed. Queue full: more addresses are new than the name server answers for.", &[("neckar_names_asked_total", "asked"), ("neckar_names_answered_total", "answered"), ("neckar_names_nameless_total", "nameless"), ("neckar_names_failed_total", "failed"), ("neckar_names_queue_full_total", "queue full"), ("neckar_names_evicted_total", "forgotten early")]),
            gauges(Unit::Count, "Names remembered", "Up to reverse_names.names_max.", &[("neckar_names_entries", "addresses")]),
        ],
    )
}

/// The process itself.
pub(super) fn process() -> Row {
    Row::new(
        "Process",
        vec![
            Panel::new(Look::Table, Unit::Seconds, "Daemons", "Version and age.")
                .wide(12)
                .query("sum by (instance, version) (neckar_build_info{@here}) * on (instance) group_left () neckar_uptime_seconds{@here}", "up for"),
        ],
    )
}
