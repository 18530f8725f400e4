//! The network's board: who sends how much to whom, by everything that flows are labelled with.

use super::suite::VARIABLES;
use super::{Board, Look, Panel, Row, Unit, Variable};

pub(super) fn board() -> Board {
    let mut variables = vec![
        Variable { label: "instance", title: "Daemon", metric: "flow_bits" },
        Variable { label: "cid", title: "Customer", metric: "neckar_traffic_flows_total" },
    ];
    variables.extend(VARIABLES);
    Board {
        name: "network",
        title: "Neckar: network",
        about: "Traffic by everything that flows are labelled with. Asks /flowdata. Choices act where a panel's series have the label: customers are in the upper rows, routers, AS and countries in the lower.",
        refresh: "30s",
        last: "3h",
        documents: &["labels.md", "config.md"],
        variables,
        rows: vec![totals(), kinds(), customers(), far_sides(), hosts()],
    }
}

/// As on the wire, by labels that know customers.
fn wire(label: &str) -> String {
    format!("sum by ({label}) (rate(neckar_traffic_bytes_total{{@customer}}[$w])) * 8")
}

/// As exported, by labels of the path.
fn path(label: &str) -> String {
    format!("sum by ({label}) (rate(flow_bits{{@here, @path}}[$w]))")
}

/// The ten largest, and one line for the rest: a sum that is whole, in a legend that can be read.
fn ten_and_rest(panel: Panel, expr: &str, label: &str) -> Panel {
    let all = expr.replacen(&format!("sum by ({label})"), "sum", 1);
    let legend = format!("{{{{{label}}}}}");
    panel
        .query(&format!("topk(10, {expr})"), &legend)
        .query(&format!("clamp_min({all} - sum(topk(10, {expr})), 0)"), "the rest")
}

fn totals() -> Row {
    let now = |unit: Unit, title: &str, expr: &str, about: &str| {
        Panel::new(Look::Stat, unit, title, about).query(expr, "")
    };
    let about = "As on the wire: multiplied by the sampling rate where the exporter says it.";
    Row::new(
        "Now",
        vec![
            now(
                Unit::Bits,
                "Traffic",
                "sum(rate(neckar_traffic_bytes_total{@customer}[$w])) * 8",
                about,
            ),
            now(
                Unit::Packets,
                "Packets",
                "sum(rate(neckar_traffic_packets_total{@customer}[$w]))",
                about,
            ),
            now(
                Unit::Rate,
                "Flows",
                "sum(rate(neckar_traffic_flows_total{@customer}[$w]))",
                "Flow records, one each.",
            ),
            now(
                Unit::Bytes,
                "Bytes a packet",
                "sum(rate(neckar_traffic_bytes_total{@customer}[$w])) / sum(rate(neckar_traffic_packets_total{@customer}[$w]))",
                "Far below its usual value: many small packets, as floods and scans send.",
            ),
            now(
                Unit::Share,
                "IPv6",
                r#"(sum(rate(neckar_traffic_bytes_total{@customer, ipversion="IPv6"}[$w])) or vector(0)) / sum(rate(neckar_traffic_bytes_total{@customer}[$w]))"#,
                "Share of the bytes.",
            ),
            now(
                Unit::Share,
                "Without a customer",
                r#"(sum(rate(neckar_traffic_bytes_total{@customer, cid=~"0?"}[$w])) or vector(0)) / sum(rate(neckar_traffic_bytes_total{@customer}[$w]))"#,
                "Share of bytes whose near end is in no customer's prefix: transit, or prefixes that the list lacks (docs/labels.md).",
            ),
        ],
    )
}

fn kinds() -> Row {
    let stack = |title: &str, label: &str, about: &str| {
        let panel = Panel::new(Look::Stack, Unit::Bits, title, about).wide(12);
        panel.query(&wire(label), &format!("{{{{{label}}}}}"))
    };
    Row::new(
        "What",
        vec![
            stack(
                "By direction",
                "direction",
                "Incoming is what routers received from outside. The empty name: the record has no direction (IE 61).",
            ),
            Panel::new(
                Look::Lines,
                Unit::Packets,
                "Packets by direction",
                "A flood of small packets shows here first.",
            )
            .wide(12)
            .query(
                "sum by (direction) (rate(neckar_traffic_packets_total{@customer}[$w]))",
                "{{direction}}",
            ),
            stack("By protocol", "protoname", "By the protocol's name."),
            stack(
                "By application",
                "application",
                "By well-known port, the source's first; the empty name is everything else.",
            ),
            stack("By IP version", "ipversion", "IPv4 and IPv6."),
            Panel::new(
                Look::Lines,
                Unit::Rate,
                "Flows by protocol",
                "Records, not bytes: scans are many flows with few bytes.",
            )
            .wide(12)
            .query(
                "sum by (protoname) (rate(neckar_traffic_flows_total{@customer}[$w]))",
                "{{protoname}}",
            ),
        ],
    )
}

fn customers() -> Row {
    let panel = |title: &str, about: &str| {
        Panel::new(Look::Stack, Unit::Bits, title, about).wide(12).high(10)
    };
    Row::new(
        "For whom, and by which way",
        vec![
            ten_and_rest(
                panel(
                    "Customers",
                    "By the number of the customer at the near end (Cid); 0 or the empty name is nobody's.",
                ),
                &wire("cid"),
                "cid",
            ),
            ten_and_rest(
                panel(
                    "Peers",
                    "By the description of the interface to the outside. The empty name: none is known (docs/operate.md, Interface names).",
                ),
                &wire("peer"),
                "peer",
            ),
        ],
    )
}

fn far_sides() -> Row {
    let panel = |title: &str, about: &str| {
        let about = format!(
            "{about} As exported: multiplied by the sampling rate with enrich.normalize only."
        );
        Panel::new(Look::Stack, Unit::Bits, title, &about).wide(12).high(10)
    };
    Row::new(
        "From where, to where",
        vec![
            ten_and_rest(panel("Routers", "By exporter."), &path("router"), "router"),
            ten_and_rest(
                panel(
                    "Far networks",
                    "By the name of the far AS; `other` has none in your tables, `unset` has no number.",
                ),
                &path("remoteas"),
                "remoteas",
            ),
            ten_and_rest(
                panel("Far countries", "By the far side's country."),
                &path("remotecountry"),
                "remotecountry",
            ),
            Panel::new(Look::Map, Unit::Bits, "Far countries", "The same on a map, now.")
                .wide(12)
                .high(10)
                .query(&path("remotecountry"), "{{remotecountry}}"),
        ],
    )
}

fn hosts() -> Row {
    Row::new(
        "Heaviest hosts",
        vec![
            Panel::new(Look::Table, Unit::Bits, "Pairs of hosts of customers", "The 20 heaviest of those that /flowdata has: per customer the ten heaviest.")
                .wide(24).high(11)
                .query(r#"topk(20, sum by (cid, ipSrc, ipDst, peer) (rate(host_bytes{@here, cid=~"$cid", peer=~"$peer"}[$w])) * 8)"#, "bits/s"),
            Panel::new(Look::Bars, Unit::Rate, "Connections", "Flows a second between these two; a scan has many.")
                .wide(12).high(10)
                .query(r#"topk(10, sum by (ipSrc, ipDst) (rate(host_connections_total{@here, cid=~"$cid", peer=~"$peer"}[$w])))"#, "{{ipSrc}} to {{ipDst}}"),
            Panel::new(Look::Bars, Unit::Bits, "Addresses", "The heaviest addresses, whoever's they are.")
                .wide(12).high(10)
                .query("topk(10, sum by (address) (traffic_bps{@here}))", "{{address}}"),
        ],
    )
}
