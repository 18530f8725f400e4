//! The suite's boards, for those who have lost theirs: the same questions about the same series, in
//! our own words and layout. Where the suite's question had a defect, the panel says so and asks the
//! right one; `daemon/tests/prometheus.rs` asks the old ones, too.

use super::{Board, Look, Panel, Row, Unit, Variable};

/// The suite's filter, label by label.
pub(super) const VARIABLES: [Variable; 8] = [
    Variable { label: "router", title: "Router", metric: "flow_bits" },
    Variable { label: "ipversion", title: "IP version", metric: "flow_bits" },
    Variable { label: "protoname", title: "Protocol", metric: "flow_bits" },
    Variable { label: "application", title: "Application", metric: "flow_bits" },
    Variable { label: "direction", title: "Direction", metric: "flow_bits" },
    Variable { label: "peer", title: "Peer", metric: "flow_bits" },
    Variable { label: "remoteas", title: "Remote AS", metric: "flow_bits" },
    Variable { label: "remotecountry", title: "Remote country", metric: "flow_bits" },
];

/// All of them.
pub(super) fn boards() -> Vec<Board> {
    vec![overview(), transit(), geolocation(), meta_monitoring(), addresses()]
}

fn overview() -> Board {
    let by = |title: &str, label: &str, about: &str| {
        let expr = format!("sum by ({label}) (rate(flow_bits{{@path}}[1m]))");
        let panel = Panel::new(Look::Stack, Unit::Bits, title, about).wide(12).high(9);
        panel.query(&expr, &format!("{{{{{label}}}}}"))
    };
    // A circle of countries that leaves out those that are not chosen would always be full.
    let countries = r#"sum by (remotecountry) (rate(flow_bits{peer=~"$peer", direction=~"$direction", ipversion=~"$ipversion", protoname=~"$protoname", application=~"$application", router=~"$router", remoteas=~"$remoteas"}[1m]))"#;
    Board {
        name: "overview",
        title: "Neckar: overview (suite)",
        about: "The suite's Overview: what crosses the border, from several sides. Asks /flowdata.",
        refresh: "5s",
        last: "5m",
        documents: &["labels.md"],
        variables: VARIABLES.to_vec(),
        rows: vec![Row::new(
            "What crosses the border",
            vec![
                by("In and out", "direction", "Incoming is what a router received from outside, Outgoing what it sent there, by the flows' direction (IE 61). Flows without one are under the empty name."),
                Panel::new(Look::Pie, Unit::Bits, "Far countries", "Where the far side is: RemoteCountry, of your MaxMind database or your networks file. All of one empty name: neither is configured (docs/labels.md).")
                    .wide(12).high(9).query(countries, "{{remotecountry}}"),
                by("By IP version", "ipversion", "IPv4 and IPv6, by EtherType."),
                by("By protocol", "protoname", "By the protocol's name, as it is in the flows (ProtoName)."),
                by("By application", "application", "By well-known port, the source's first; the empty name is everything else."),
                by("By router", "router", "By exporter (SamplerAddress)."),
            ],
        )],
    }
}

fn transit() -> Board {
    Board {
        name: "transit",
        title: "Neckar: transit analysis (suite)",
        about: "The suite's Transit Analysis: through whom and with whom traffic is exchanged. Asks /flowdata.",
        refresh: "30s",
        last: "1h",
        documents: &["labels.md", "operate.md"],
        variables: VARIABLES.to_vec(),
        rows: vec![Row::new(
            "Who is at the far end",
            vec![
                Panel::new(Look::Stack, Unit::Bits, "By far network", "By the name of the AS at the far end. `other` has a number and no name in your tables; flows without a number are left out.")
                    .wide(24).high(11)
                    .query(r#"sum by (remoteas) (rate(flow_bits{@path, remoteas!="unset"}[1m]))"#, "{{remoteas}}"),
                Panel::new(Look::Stack, Unit::Bits, "By peering interface", "By the description of the interface to the outside (ifAlias by SNMP, or your interfaces file). The empty name: no description is known (docs/operate.md, Interface names).")
                    .wide(24).high(11)
                    .query("sum by (peer) (rate(flow_bits{@path}[1m]))", "{{peer}}"),
            ],
        )],
    }
}

fn geolocation() -> Board {
    Board {
        name: "geolocation",
        title: "Neckar: geolocation (suite)",
        about: "The suite's Geolocation: the far sides on a map. Asks /flowdata.",
        refresh: "30s",
        last: "1h",
        documents: &["labels.md"],
        variables: VARIABLES.to_vec(),
        rows: vec![Row::new(
            "Where the far ends are",
            vec![
                Panel::new(Look::Map, Unit::Megabits, "By country", "Traffic of the last minute by country of the far side, in units of 1024 x 1024 bits a second, as the suite's map had them. The suite took the last two samples within 30 s, which a scrape every 15 s often leaves empty; this is the mean of a minute.")
                    .query("sum by (remotecountry) (rate(flow_bits{@path}[1m])) / 1024 / 1024", "{{remotecountry}}"),
            ],
        )],
    }
}

fn meta_monitoring() -> Board {
    Board {
        name: "metamonitoring",
        title: "Neckar: meta monitoring (suite)",
        about: "The suite's Meta Monitoring: does anything arrive at all? More: Neckar: pipeline.",
        refresh: "10s",
        last: "1h",
        documents: &["troubleshoot.md"],
        variables: Vec::new(),
        rows: vec![Row::new(
            "The consumer's place",
            vec![
                Panel::new(Look::Lines, Unit::Rate, "Flows a second", "What the suite's consumer read from Kafka each second; here, what was delivered to Kafka for it to read.")
                    .wide(24).high(9)
                    .query("rate(kafka_messages_total[1m])", "{{instance}}"),
            ],
        )],
    }
}

/// What flowpipeline's demonstration shows of addresses with much traffic.
fn addresses() -> Board {
    let address = Variable { label: "address", title: "Address", metric: "traffic_bps" };
    Board {
        name: "addresses",
        title: "Neckar: addresses (flowpipeline)",
        about: "flowpipeline's toptalkers_metrics: addresses with much traffic, forwarded and dropped. Asks /flowdata.",
        refresh: "10s",
        last: "15m",
        documents: &["config.md"],
        variables: vec![address],
        rows: vec![Row::new(
            "Addresses with much traffic",
            vec![
                Panel::new(Look::Lines, Unit::Bits, "Bits by address", "Of each address among the heaviest; one that leaves them has no line any more.")
                    .wide(12).high(10).query(r#"traffic_bps{address=~"$address"}"#, "{{address}} {{traffic_type}} {{forwarding_status}}"),
                Panel::new(Look::Lines, Unit::Packets, "Packets by address", "The same by packets: small ones in great numbers are what hurts routers.")
                    .wide(12).high(10).query(r#"traffic_pps{address=~"$address"}"#, "{{address}} {{traffic_type}} {{forwarding_status}}"),
                Panel::new(Look::Lines, Unit::Bits, "Bits of all of them", "A sum of the heaviest only: the rest is not in it.")
                    .wide(12).query("sum(traffic_bps)", "bits"),
                Panel::new(Look::Lines, Unit::Packets, "Packets of all of them", "The same by packets.")
                    .wide(12).query("sum(traffic_pps)", "packets"),
            ],
        )],
    }
}
