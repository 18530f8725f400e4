//! The rows about what goes on beside the way of a flow: exporters, tables, names, the process.

use super::{gauges, lines, rates, stat};
use crate::boards::{Look, Panel, Row, Unit};

/// Before our sockets.
pub(super) fn host() -> Row {
    let by_interface = |title: &str, what: &str, about: &str| {
        let metric = format!("neckar_host_interface_{what}_total");
        let expr = format!("sum by (interface) (rate({metric}{{@here}}[$w]))");
        lines(Unit::Packets, title, &expr, "{{interface}}", about)
    };
    Row::new(
        "The host, before our sockets",
        vec![
            by_interface("Packets by interface", "received_packets", "Of any kind, not flows only."),
            by_interface("No room in the ring", "missed", "The NIC had no descriptor left: a longer ring (ethtool -G), or a core that is too busy.").loss(),
            by_interface("Dropped behind the interface", "dropped", "By the kernel, unknown protocols among them: a few a minute are usual."),
            by_interface("Broken", "errors", "A cable, an optic, the other side.").loss(),
            rates(Unit::Rate, "The kernel's backlog", "Dropped: a core's backlog was full (net.core.netdev_max_backlog). Squeezed: a core's time was over with work left (net.core.netdev_budget); nothing is lost by it.", &[("neckar_host_softnet_packets_total", "packets"), ("neckar_host_softnet_dropped_total", "dropped"), ("neckar_host_softnet_squeezed_total", "squeezed")]),
            Panel::new(Look::Lines, Unit::Rate, "UDP of the whole host", "Delivered, and not: buffer is a socket's that was full, ours or another program's; no_port is sent to where nobody listens.")
                .query("sum by (family) (rate(neckar_host_udp_datagrams_total{@here}[$w]))", "{{family}}")
                .query("sum by (family, cause) (rate(neckar_host_udp_errors_total{@here}[$w]))", "{{family}}: {{cause}}"),
        ],
    )
}

/// What `/flowdata`, talkers and the page are made of.
pub(super) fn counting() -> Row {
    Row::new(
        "Counting traffic",
        vec![
            rates(Unit::Rate, "Flows", "Counted for /flowdata; of them those in the talkers' sketches, which sample above traffic.sketched_per_s.", &[("neckar_traffic_counted_total", "counted"), ("neckar_traffic_sketched_total", "in sketches")]),
            rates(Unit::Rate, "Flows not counted", "Missed: delivered, but the counting thread's queue was full (traffic.queue_batches). Unreadable: a defect of ours.", &[("neckar_traffic_missed_total", "missed"), ("neckar_traffic_unreadable_total", "unreadable")]).loss(),
            rates(Unit::Rate, "Flows out of time", "Late: ended more than two minutes ago, counted in the older minute. Ahead: end after they came, the exporter's clock is fast.", &[("neckar_traffic_late_total", "late"), ("neckar_traffic_ahead_total", "ahead")]),
            gauges(Unit::Count, "Series of /flowdata", "Label sets, up to traffic.series_max; beyond, every label says `other`.", &[("neckar_traffic_path_series", "flow_bits"), ("neckar_traffic_customer_series", "flow_bytes and its kin"), ("neckar_traffic_series_max", "bound")]),
            gauges(Unit::Count, "Customers with talkers", "Up to traffic.tenants_max.", &[("neckar_traffic_tenants", "customers")]).query("sum(rate(neckar_traffic_tenants_unkept_total{@here}[$w]))", "flows' ends without a place, a second"),
            gauges(Unit::Count, "Queue", "Batches that wait to be counted, and targets (address, class, fate) in this minute's sketch.", &[("neckar_traffic_queue", "batches"), ("toptalkers_db_size", "targets")]),
        ],
    )
}

/// Counters pushed to InfluxDB and by remote write.
pub(super) fn push() -> Row {
    let both = |unit: Unit, title: &str, about: &str, ends: &[(&str, &str)]| {
        let panel = Panel::new(Look::Lines, unit, title, about);
        ["influx", "remote_write"].iter().fold(panel, |panel, way| {
            ends.iter().fold(panel, |panel, (end, legend)| {
                let expr = format!("sum(rate(neckar_{way}_{end}{{@here}}[$w]))");
                panel.query(&expr, &format!("{way}: {legend}"))
            })
        })
    };
    let waited = |title: &str, way: &str| {
        let since = format!("max(neckar_{way}_last_success_timestamp_seconds{{@here}})");
        let expr = format!("(time() - ({since} > 0)) or {since}");
        stat(Unit::Seconds, title, &expr, "0 for never, as when it is not configured.")
    };
    Row::new(
        "Counters pushed",
        vec![
            both(Unit::Rate, "Points", "Taken by InfluxDB, or by whom remote write goes to.", &[("points_total", "points")]),
            both(Unit::Rate, "Points lost", "Failed: refused for good, the log has why. Dropped: older than give_up_s. Flows are never touched by it. docs/influx.md.", &[("failed_total", "failed"), ("dropped_total", "dropped")]).loss(),
            rates(Unit::Rate, "Points without a database", "For customers whose database or bucket is not there, or takes nothing: no fault of ours.", &[("neckar_influx_absent_total", "points")]),
            both(Unit::Rate, "Requests", "Errors are repeated unchanged. Skipped: the buffer was full, the next interval has the counts.", &[("pushes_total", "taken"), ("errors_total", "errors"), ("skipped_total", "intervals skipped")]),
            gauges(Unit::Count, "Points that wait", "While the other side is away.", &[("neckar_influx_buffer_points", "influx"), ("neckar_remote_write_buffer_points", "remote_write")]),
            gauges(Unit::Bytes, "Bytes that wait", "Compressed; bounded, see docs/influx.md.", &[("neckar_influx_buffer_bytes", "influx"), ("neckar_remote_write_buffer_bytes", "remote_write")]),
            gauges(Unit::Count, "Series and databases", "Series at the last look; databases or buckets, and those that take nothing now.", &[("neckar_influx_series", "influx: series"), ("neckar_remote_write_series", "remote_write: series"), ("neckar_influx_databases", "databases"), ("neckar_influx_databases_refused", "databases refused")]),
            waited("InfluxDB: last taken ago", "influx"),
            waited("Remote write: last taken ago", "remote_write"),
            stat(Unit::Count, "Databases asked for", "sum(increase(neckar_influx_creates_total{@here}[$__range]))", "To be made: once for each, and again if it is gone."),
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

/// What is taken, and what may be.
pub(super) fn memory() -> Row {
    Row::new(
        "Memory",
        vec![
            lines(
                Unit::Bytes,
                "By room",
                "sum by (room) (neckar_memory_used_bytes{@here})",
                "{{room}}",
                "What a room takes now, of those that can tell.",
            ),
            Panel::new(
                Look::Bars,
                Unit::Bytes,
                "Bounds",
                "What each room may take at most: the sum that neckard check prints.",
            )
            .query("sum by (room) (neckar_memory_bound_bytes{@here})", "{{room}}"),
            Panel::new(
                Look::Lines,
                Unit::Bytes,
                "Of the process",
                "In use, and the sum of all bounds: the first stays below the second.",
            )
            .query("sum(process_resident_memory_bytes{@process})", "in use")
            .query("sum(neckar_memory_bound_bytes{@here})", "bound"),
        ],
    )
}

/// The process itself.
pub(super) fn process() -> Row {
    Row::new(
        "Process",
        vec![
            Panel::new(Look::Table, Unit::Seconds, "Daemons", "Version and age.")
                .query("sum by (instance, version, revision) (neckar_build_info{@here}) * on (instance) group_left () neckar_uptime_seconds{@here}", "up for"),
            lines(Unit::Share, "Processor by thread", "sum by (thread) (rate(neckar_thread_cpu_seconds_total{@here}[$w]))", "{{thread}}", "1 is a whole core. Workers have cores of their own; the others share what is left."),
            lines(Unit::Share, "Processor", "sum by (instance) (rate(process_cpu_seconds_total{@process}[$w]))", "{{instance}}", "All threads together."),
            Panel::new(Look::Lines, Unit::Count, "Threads and descriptors", "Near the bound of descriptors no connection can be made: LimitNOFILE in the unit. A bound of 0 is none.")
                .query("sum(process_threads{@process})", "threads")
                .query("sum(process_open_fds{@process})", "descriptors")
                .query("min(process_max_fds{@process})", "bound"),
            Panel::new(Look::Lines, Unit::Rate, "Visitors turned away", "Of the page and its like: beyond http.connections_max, without a token, or while another's question took too long.")
                .query("sum(rate(neckar_http_connections_refused_total{@here}[$w]))", "no room")
                .query("sum(rate(neckar_http_denied_total{@here}[$w]))", "not admitted")
                .query("sum(rate(neckar_http_busy_total{@here}[$w]))", "busy"),
            lines(Unit::Count, "Visitors", "sum by (instance) (neckar_http_connections{@here})", "{{instance}}", "Connections to the page and its like."),
            lines(Unit::Bytes, "Address space", "sum by (instance) (process_virtual_memory_bytes{@process})", "{{instance}}", "Reserved, most of it never used: receive rings."),
            stat(Unit::Seconds, "Oldest process", "time() - min(process_start_time_seconds{@process})", "By the kernel's clock."),
        ],
    )
}
