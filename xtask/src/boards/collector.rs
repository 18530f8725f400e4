//! The collector's board: what GoFlow's internals board asks, of the series that are kept under its names.

use super::{Board, Look, Panel, Row, Unit};

pub(super) fn board() -> Board {
    Board {
        name: "collector",
        title: "Neckar: collector (GoFlow's names)",
        about: "What GoFlow's internals board asked, of the series that Neckar keeps under GoFlow's names. Neckar: pipeline says more.",
        refresh: "30s",
        last: "1h",
        documents: &["metrics.md", "troubleshoot.md"],
        variables: Vec::new(),
        rows: vec![all(), netflow(), sflow(), work()],
    }
}

fn lines(unit: Unit, title: &str, expr: &str, legend: &str, about: &str) -> Panel {
    Panel::new(Look::Lines, unit, title, about).query(expr, legend)
}

/// Bytes and datagrams of a listener, by exporter and together.
fn listener(kind: &str) -> Vec<Panel> {
    let panel = |what: &str, unit: Unit| {
        let series = format!("rate(flow_traffic_{what}{{type=\"{kind}\"}}[5m])");
        let about = "Datagrams of this listener, by exporter and all together.";
        Panel::new(Look::Lines, unit, &format!("{kind}: {what} of datagrams"), about)
            .query(&format!("sum({series}) by (remote_ip)"), "{{remote_ip}}")
            .query(&format!("sum({series})"), "all")
    };
    vec![panel("bytes", Unit::ByteRate), panel("packets", Unit::Rate)]
}

fn all() -> Row {
    let stat = |unit: Unit, title: &str, metric: &str, about: &str| {
        let expr = format!("sum(rate({metric}[5m]))");
        Panel::new(Look::Stat, unit, title, about).wide(6).query(&expr, "")
    };
    let by_exporter = |unit: Unit, title: &str, metric: &str, about: &str| {
        let expr = format!("sum(rate({metric}[5m])) by (remote_ip)");
        lines(unit, title, &expr, "{{remote_ip}}", about).wide(12)
    };
    Row::new(
        "All",
        vec![
            stat(
                Unit::Rate,
                "NetFlow records",
                "flow_process_nf_flowset_records_sum",
                "All versions, templates and options included.",
            ),
            stat(
                Unit::Rate,
                "sFlow samples",
                "flow_process_sf_samples_sum",
                "Flow and counter samples.",
            ),
            stat(
                Unit::ByteRate,
                "Bytes from exporters",
                "udp_traffic_bytes",
                "Payload of datagrams.",
            ),
            stat(Unit::Rate, "Datagrams from exporters", "udp_traffic_packets", "All protocols."),
            by_exporter(
                Unit::ByteRate,
                "Bytes by exporter",
                "udp_traffic_bytes",
                "Payload of datagrams.",
            ),
            by_exporter(
                Unit::Rate,
                "Datagrams by exporter",
                "udp_traffic_packets",
                "All protocols.",
            ),
        ],
    )
}

fn netflow() -> Row {
    let mut panels = listener("NetFlow");
    panels.extend([
        lines(Unit::Rate, "Records by type and version", "sum(rate(flow_process_nf_flowset_records_sum[5m])) by (version, type)", "v{{version}} {{type}}", "Data, template and options records."),
        lines(Unit::Rate, "Records by router and version", "sum(rate(flow_process_nf_flowset_records_sum[5m])) by (router, version)", "{{router}} v{{version}}", "The same by exporter."),
        lines(Unit::Rate, "Templates", "sum(rate(flow_process_nf_templates_count[5m])) by (version, router, type)", "{{router}} v{{version}} {{type}}", "Template records, refreshes included. An exporter whose line is flat at 0 has sent none in five minutes."),
        lines(Unit::Rate, "Errors", "sum(rate(flow_process_nf_errors_count[5m])) by (error)", "{{error}}", "template_not_found: data whose template did not come while it was held (decode.hold_s).").loss(),
        lines(Unit::Seconds, "From flow to receipt", "max(flow_process_nf_delay_summary_seconds) by (quantile, router, version)", "{{router}} v{{version}} {{quantile}}", "From a flow's end to its receipt. The suite drew the rate of this, which means nothing; here is the delay itself."),
    ]);
    Row::new("NetFlow and IPFIX", panels)
}

fn sflow() -> Row {
    let mut panels = listener("sFlow");
    panels.extend([
        lines(Unit::Rate, "Samples by type", "sum(rate(flow_process_sf_samples_sum[5m])) by (version, type)", "v{{version}} {{type}}", "Flow and counter samples."),
        lines(Unit::Rate, "Flow samples' records by agent", r#"sum(rate(flow_process_sf_samples_records_sum{type="FlowSample"}[5m])) by (agent, version)"#, "{{agent}} v{{version}}", "Records within flow samples, by agent."),
    ]);
    Row::new("sFlow", panels)
}

fn work() -> Row {
    let time = |listener: &str, what: &str, about: &str| {
        let expr = format!("avg(flow_summary_{what}_time_us{{name=\"{listener}\"}}) by (quantile)");
        lines(Unit::Microseconds, &format!("{listener}: {what} time"), &expr, "{{quantile}}", about)
    };
    let workers = |listener: &str, about: &str| {
        let expr = format!("sum(rate(flow_decoder_count{{name=\"{listener}\"}}[5m])) by (worker)");
        lines(
            Unit::Rate,
            &format!("{listener}: datagrams by worker"),
            &expr,
            "worker {{worker}}",
            about,
        )
    };
    let both = "Decoding, labelling and encoding of a datagram together: nobody reads the clock in between, so decoding and processing say the same, whatever the protocol.";
    let old = "The suite's panel of this title asked for the decoding time; here both are one.";
    let unequal = "Unequal lines: the kernel's hash puts exporters on workers (workers.steering).";
    Row::new(
        "Work",
        vec![
            time("NetFlow", "decoding", both),
            time("NetFlow", "processing", both),
            workers("NetFlow", unequal),
            time("sFlow", "decoding", both),
            time("sFlow", "processing", old),
            workers("sFlow", unequal),
        ],
    )
}
