//! What the suite's boards ask Prometheus, panel by panel: the surface that stays as it is. `F` stands
//! for the filter that most panels share. Of the boards that there are, those of the detection of
//! attacks (`bw`, `thresholds`, `detection`) are not here: nobody exports these yet.

/// Labels of `flow_bits`, each a variable of the boards.
pub const LABELS: [&str; 8] = [
    "peer",
    "direction",
    "ipversion",
    "protoname",
    "application",
    "router",
    "remoteas",
    "remotecountry",
];

/// Board, panel, query.
pub const PANELS: &[(&str, &str, &str)] = &[
    ("Overview", "countries", "sum by (remotecountry) (rate(flow_bits{F-remotecountry}[1m]))"),
    ("Overview", "direction", "sum by (direction) (rate(flow_bits{F}[1m]))"),
    ("Overview", "IP version", "sum by (ipversion) (rate(flow_bits{F}[1m]))"),
    ("Overview", "protocol", "sum by (protoname) (rate(flow_bits{F}[1m]))"),
    ("Overview", "application", "sum by (application) (rate(flow_bits{F}[1m]))"),
    ("Overview", "router", "sum by (router) (rate(flow_bits{F}[1m]))"),
    (
        "Transit",
        "remote network",
        r#"sum by (remoteas) (rate(flow_bits{F, remoteas!="unset"}[1m]))"#,
    ),
    ("Transit", "peer", "sum by (peer) (rate(flow_bits{F}[1m]))"),
    ("Geolocation", "map", "sum by (remotecountry) (irate(flow_bits{F}[30s])/1024/1024)"),
    ("Meta Monitoring", "flows read", "rate(kafka_messages_total[1m])"),
    ("GoFlow", "NetFlows", "sum(rate(flow_process_nf_flowset_records_sum[5m]))"),
    ("GoFlow", "sFlows", "sum(rate(flow_process_sf_samples_sum[5m]))"),
    ("GoFlow", "bandwidth by exporter", "sum(rate(udp_traffic_bytes[5m])) by (remote_ip)"),
    ("GoFlow", "bandwidth", "sum(rate(udp_traffic_bytes[5m]))"),
    ("GoFlow", "packets by exporter", "sum(rate(udp_traffic_packets[5m])) by (remote_ip)"),
    ("GoFlow", "packets", "sum(rate(udp_traffic_packets[5m]))"),
    (
        "GoFlow",
        "sFlow bandwidth by exporter",
        r#"sum(rate(flow_traffic_bytes{type="sFlow"}[5m])) by (remote_ip)"#,
    ),
    ("GoFlow", "sFlow bandwidth", r#"sum(rate(flow_traffic_bytes{type="sFlow"}[5m]))"#),
    (
        "GoFlow",
        "sFlow packets by exporter",
        r#"sum(rate(flow_traffic_packets{type="sFlow"}[5m])) by (remote_ip)"#,
    ),
    ("GoFlow", "sFlow packets", r#"sum(rate(flow_traffic_packets{type="sFlow"}[5m]))"#),
    (
        "GoFlow",
        "NetFlow bandwidth by exporter",
        r#"sum(rate(flow_traffic_bytes{type="NetFlow"}[1m])) by (remote_ip)"#,
    ),
    ("GoFlow", "NetFlow bandwidth", r#"sum(rate(flow_traffic_bytes{type="NetFlow"}[1m]))"#),
    (
        "GoFlow",
        "NetFlow packets by exporter",
        r#"sum(rate(flow_traffic_packets{type="NetFlow"}[5m])) by (remote_ip)"#,
    ),
    ("GoFlow", "NetFlow packets", r#"sum(rate(flow_traffic_packets{type="NetFlow"}[5m]))"#),
    (
        "GoFlow",
        "by type and version",
        "sum(rate(flow_process_nf_flowset_records_sum[5m])) by (version, type)",
    ),
    ("GoFlow", "errors", "sum(rate(flow_process_nf_errors_count[5m])) by (error)"),
    (
        "GoFlow",
        "templates",
        "sum(rate(flow_process_nf_templates_count[5m])) by (version, router, type)",
    ),
    (
        "GoFlow",
        "by router and version",
        "sum(rate(flow_process_nf_flowset_records_sum[5m])) by (router, version)",
    ),
    (
        "GoFlow",
        "delay",
        "sum(rate(flow_process_nf_delay_summary_seconds[5m])) by (quantile, router, version)",
    ),
    ("GoFlow", "sFlows by type", "sum(rate(flow_process_sf_samples_sum[5m])) by (version, type)"),
    (
        "GoFlow",
        "sFlow records by agent",
        r#"sum(rate(flow_process_sf_samples_records_sum{type="FlowSample"}[5m])) by (agent, version)"#,
    ),
    (
        "GoFlow",
        "NetFlow decoding time",
        r#"avg(flow_summary_decoding_time_us{name="NetFlow"}) by (quantile)"#,
    ),
    (
        "GoFlow",
        "NetFlow processing time",
        r#"avg(flow_summary_processing_time_us{name="NetFlow"}) by (quantile)"#,
    ),
    (
        "GoFlow",
        "sFlow decoding time, twice",
        r#"avg(flow_summary_decoding_time_us{name="sFlow"}) by (quantile)"#,
    ),
    (
        "GoFlow",
        "NetFlow workers",
        r#"sum(rate(flow_decoder_count{name="NetFlow"}[5m])) by (worker)"#,
    ),
    ("GoFlow", "sFlow workers", r#"sum(rate(flow_decoder_count{name="sFlow"}[5m])) by (worker)"#),
    ("flowpipeline", "bits", "sum(traffic_bps)"),
    ("flowpipeline", "packets", "sum(traffic_pps)"),
    ("flowpipeline", "bits by address", r#"traffic_bps{address=~".*"}"#),
    ("flowpipeline", "packets by address", r#"traffic_pps{address=~".*"}"#),
];

/// The query with its filter written out, every variable at "all".
pub fn expand(query: &str) -> String {
    let all = |left_out: &str| {
        let labels = LABELS.iter().filter(|label| **label != left_out);
        labels.map(|label| format!("{label}=~\".*\"")).collect::<Vec<_>>().join(", ")
    };
    query
        .replace("{F-remotecountry", &format!("{{{}", all("remotecountry")))
        .replace("{F", &format!("{{{}", all("")))
}
