//! The exporters' board: who sends, what of it is missing, whose clock or template interval is wrong.

use super::{Board, Look, Panel, Row, Unit, Variable};

pub(super) fn board() -> Board {
    Board {
        name: "exporters",
        title: "Neckar: exporters",
        about: "Every router that sends: how much, what is missing, and why. Asks /metrics, which has the http.exporters_shown_max (100) that sent most.",
        refresh: "30s",
        last: "3h",
        documents: &["troubleshoot.md", "metrics.md"],
        variables: vec![
            Variable { label: "instance", title: "Daemon", metric: "neckar_build_info" },
            Variable { label: "exporter", title: "Exporter", metric: "neckar_exporter_info" },
        ],
        rows: vec![all(), traffic(), missing(), times()],
    }
}

fn lines(unit: Unit, title: &str, expr: &str, about: &str) -> Panel {
    Panel::new(Look::Lines, unit, title, about).query(expr, "{{exporter}}")
}

fn all() -> Row {
    let stat = |title: &str, expr: &str, about: &str| {
        Panel::new(Look::Stat, Unit::Count, title, about).wide(6).query(expr, "")
    };
    let table = Panel::new(Look::Table, Unit::Count, "Exporters", "Silent for: seconds since its last datagram. Missing: the share that its sequence numbers jumped over and that did not come late, against records: at least so much (NetFlow v9 and sFlow count datagrams). Sampling: as a rule or options data say, empty for those that say it in each record.")
        .wide(24).high(14)
        .query("sum by (exporter, name) (neckar_exporter_info{@exporter})", "shown by")
        .query("sum by (exporter) (rate(neckar_exporter_datagrams_total{@exporter}[$w]))", "datagrams/s")
        .query("sum by (exporter) (rate(neckar_exporter_records_total{@exporter}[$w]))", "records/s")
        .query("time() - max by (exporter) (neckar_exporter_last_seen_timestamp_seconds{@exporter})", "silent for, s")
        .query("100 * (sum by (exporter) (increase(neckar_exporter_missed_total{@exporter}[$__range])) - sum by (exporter) (increase(neckar_exporter_recovered_total{@exporter}[$__range]))) / (sum by (exporter) (increase(neckar_exporter_missed_total{@exporter}[$__range])) + sum by (exporter) (increase(neckar_exporter_records_total{@exporter}[$__range])) > 0)", "missing, %")
        .query("sum by (exporter) (increase(neckar_exporter_dropped_total{@exporter}[$__range]))", "dropped")
        .query("max by (exporter) (neckar_exporter_templates{@exporter})", "templates")
        .query(r#"max by (exporter) (neckar_exporter_sampling_rate{@exporter, end="lowest"})"#, "sampling from")
        .query(r#"max by (exporter) (neckar_exporter_sampling_rate{@exporter, end="highest"})"#, "sampling to");
    Row::new(
        "All",
        vec![
            stat("Exporters", "sum(neckar_exporters{@here})", "Known, up to decode.exporters_max."),
            stat("Silent for ten minutes", "count(time() - neckar_exporter_last_seen_timestamp_seconds{@exporter} > 600) or vector(0)", "Switched off, cut off, or not configured any more.").loss(),
            stat("Not shown", "sum(neckar_exporters_not_shown{@here})", "Those without series of their own: raise http.exporters_shown_max."),
            stat("Templates", "sum(neckar_templates{@here})", "Of all exporters, up to decode.templates_max."),
            table,
        ],
    )
}

fn traffic() -> Row {
    Row::new(
        "What they send",
        vec![
            lines(
                Unit::Rate,
                "Datagrams",
                "topk(15, sum by (exporter) (rate(neckar_exporter_datagrams_total{@exporter}[$w])))",
                "The fifteen that send most.",
            ),
            lines(
                Unit::ByteRate,
                "Bytes",
                "topk(15, sum by (exporter) (rate(neckar_exporter_bytes_total{@exporter}[$w])))",
                "Payload of datagrams.",
            ),
            lines(
                Unit::Rate,
                "Records",
                "topk(15, sum by (exporter) (rate(neckar_exporter_records_total{@exporter}[$w])))",
                "Data records; of sFlow, flow samples. A line that falls to nothing while datagrams come: its templates are missing.",
            ),
            lines(
                Unit::Rate,
                "Options records",
                "topk(15, sum by (exporter) (rate(neckar_exporter_options_records_total{@exporter}[$w])))",
                "Sampling rates and interface names come in these.",
            ),
        ],
    )
}

fn missing() -> Row {
    Row::new(
        "What is missing",
        vec![
            lines(Unit::Rate, "Missed by sequence numbers", "topk(15, sum by (exporter) (rate(neckar_exporter_missed_total{@exporter}[$w]) - rate(neckar_exporter_recovered_total{@exporter}[$w])))", "Lost between it and our socket; what came late is taken off. One exporter: its path. All at once: this host.").loss(),
            lines(Unit::Rate, "Gaps", "topk(15, sum by (exporter) (rate(neckar_exporter_gaps_total{@exporter}[$w])))", "Jumps of its sequence numbers: many small ones are a lossy path, a few large ones outages.").loss(),
            lines(Unit::Rate, "Out of order", "topk(15, sum by (exporter) (rate(neckar_exporter_reordered_total{@exporter}[$w])))", "Datagrams that came after a later one: several paths in between."),
            lines(Unit::Count, "Restarts", "topk(15, sum by (exporter) (increase(neckar_exporter_resets_total{@exporter}[$__range])))", "Times that it counted anew, in the time that is shown."),
            Panel::new(Look::Lines, Unit::Rate, "Dropped by cause", "What came of it and did not become a flow. set_template_missing: shorten its template interval. Nothing above 0 is well.")
                .query("topk(15, sum by (exporter, cause) (rate(neckar_exporter_dropped_total{@exporter}[$w])))", "{{exporter}} {{cause}}").loss(),
        ],
    )
}

fn times() -> Row {
    Row::new(
        "Clocks",
        vec![
            Panel::new(Look::Heat, Unit::Seconds, "Age of flows, of all exporters", "From the end of a flow, as its exporter has it, to its receipt. A band apart from the others is an exporter whose clock or timeout is another.")
                .wide(24)
                .query("sum by (le) (rate(neckar_flow_age_seconds_bucket{@here}[$w]))", "{{le}}"),
            Panel::new(Look::Lines, Unit::Seconds, "Age of flows: mean", "From a flow's last packet to its receipt. As long as the router's inactive timeout is usual; hours are a wrong clock. It has no ceiling, as quantiles have.")
                .wide(12).query("topk(15, sum by (exporter) (rate(neckar_exporter_flow_age_seconds_sum{@exporter}[$w])) / sum by (exporter) (rate(neckar_exporter_flow_age_seconds_count{@exporter}[$w])))", "{{exporter}}"),
            Panel::new(Look::Lines, Unit::Seconds, "Age of flows: 99 of 100 are younger", "The router's active timeout should be above it. Since the start, and an hour at the most: beyond that the mean tells.")
                .wide(12).query(r#"topk(15, max by (exporter) (neckar_exporter_flow_age_seconds{@exporter, quantile="0.99"}))"#, "{{exporter}}"),
        ],
    )
}
