//! A real Prometheus scrapes a running daemon: the boards' queries, the suite's and ours, find series, the
//! sums are what was sent, and the rules are evaluated without an error.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

#[path = "neckard/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use support::process::Neckard;
use support::prometheus::Prometheus;
use support::{scratch, suite_boards, wait_until};
use xtask::boards::{self, Look, promql};

const PATIENCE: Duration = Duration::from_secs(30);
const EXPORTERS: usize = 8;
/// A rate needs two scrapes; these seconds of traffic make several.
const SECONDS: usize = 4;
const DATAGRAMS_PER_SECOND: usize = 400;

/// Series of our own boards that a good run does not have, and why.
const MAY_BE_EMPTY: &[(&str, &str)] = &[("neckar_output_errors_total", "no flow failed")];

/// Recorded series that need more history than a test has.
const UNTIL_LATER: &[&str] = &[
    "flow_bits:irate1h:offset",
    "flow_bits:irate1h:offset:mean",
    "flow_bits:irate1h:offset:stddev",
];

/// A daemon with everything on that labels flows, Prometheus beside it, and what was sent.
struct Scene {
    _cluster: MockCluster<'static, DefaultProducerContext>,
    neckard: Neckard,
    prometheus: Prometheus,
    fleet: Fleet,
}

impl Scene {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in ["flow-messages-enriched", "flows-101", "flows-109"] {
            cluster.create_topic(topic, 2, 1).unwrap();
        }
        let fleet = Fleet::new(&Protocol::ALL, EXPORTERS, 7);
        let mut settings = labels(&fleet);
        settings.extend([
            "output.kind=kafka".to_string(),
            format!("kafka.brokers=[{:?}]", cluster.bootstrap_servers()),
            "split.cids=[101, 109]".to_string(),
        ]);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let neckard = Neckard::start(&settings);
        let prometheus = Prometheus::start("prometheus", neckard.http());
        // It looks for its targets after five seconds first.
        wait_until("the first scrape", PATIENCE, || {
            prometheus.value("sum(up)").is_some_and(|up| up > 0.0)
        });
        Self { _cluster: cluster, neckard, prometheus, fleet }
    }

    /// Sends for some seconds, evenly: what rates are made of. Flows say that they are a minute old,
    /// since `traffic_bps` tells of the minute before.
    fn send(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        socket.send_to(&malformed(), self.neckard.udp()).unwrap();
        for _ in 0..10 * SECONDS {
            let then = SystemTime::now() - Duration::from_secs(60);
            let then = then.duration_since(UNIX_EPOCH).unwrap();
            for _ in 0..DATAGRAMS_PER_SECOND / 10 {
                let (_, made) = self.fleet.datagram(then.as_nanos() as u64, &mut bytes);
                socket.send_to(&bytes[..made.bytes], self.neckard.udp()).unwrap();
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let sent = self.fleet.totals().all.flows;
        wait_until("all is delivered", PATIENCE, || {
            self.neckard.metric("neckar_output_delivered_total") == sent
        });
    }

    /// Waits until the newest sample says so.
    fn expect(&self, expr: &str, value: u64) {
        let newest = || self.prometheus.value(expr);
        wait_until(&format!("{expr} is {value}, not {:?}", newest()), PATIENCE, || {
            newest() == Some(value as f64)
        });
    }

    /// Of these queries those that find nothing.
    fn empty(&self, queries: impl Iterator<Item = (String, String)>) -> Vec<String> {
        let empty = queries.filter(|(_, expr)| !self.has_found(expr));
        empty.map(|(place, expr)| format!("{place}: {expr}")).collect()
    }

    /// Does it find something now, or did it at some moment of the last minute? What tells of a minute
    /// is gone when the next one is over.
    fn has_found(&self, expr: &str) -> bool {
        let lately = format!("last_over_time(({expr})[1m:1s])");
        !self.prometheus.query(expr).is_empty() || !self.prometheus.query(&lately).is_empty()
    }
}

/// An IPFIX message with a set of a number that is reserved, from a domain of its own: what is dropped
/// has a panel, too.
fn malformed() -> Vec<u8> {
    let [version, length, reserved] = [10_u16, 16 + 4, 5].map(u16::to_be_bytes);
    let [time, sequence, domain] = [1_700_000_000_u32, 0, 99].map(u32::to_be_bytes);
    let header = [&version[..], &length, &time, &sequence, &domain].concat();
    [&header[..], &reserved, &4_u16.to_be_bytes()].concat()
}

/// Settings for every label that the boards ask for, from files of our own.
fn labels(fleet: &Fleet) -> Vec<String> {
    let folder = scratch("prometheus-labels");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let networks = "prefix,country\n0.0.0.0/1,DE\n128.0.0.0/1,FR\n2400::/8,JP\n";
    let names: String = (1..2000).map(|number| format!("{number},Network {number}\n")).collect();
    // Agents of sFlow have addresses of their own; all else comes from the socket.
    let agents = fleet.routers().iter().map(|router| router.address().to_string());
    let mut interfaces = String::new();
    for exporter in agents.chain(["127.0.0.1".to_string()]) {
        for index in (1..=16).chain(501..=504) {
            let name = if index > 500 { "Transit" } else { "Customer" };
            writeln!(interfaces, "{exporter},{index},if{index},{name} {index},10000").unwrap();
        }
    }
    vec![
        format!("enrich.customers={}", file("customers.csv", &neckar_export::customers_csv())),
        format!("enrich.networks=[{:?}]", file("networks.csv", networks)),
        format!("enrich.as_names={}", file("names.csv", &names)),
        format!("enrich.interfaces={}", file("interfaces.csv", &interfaces)),
    ]
}

/// A query of ours as Grafana would send it, every variable at "all".
fn expand(query: &str) -> String {
    let query = query.replace("$__rate_interval", "1m").replace("$__range", "1m");
    let mut parts = query.split('$');
    let mut out = parts.next().unwrap().to_string();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap();
        out = out + ".*" + &part[end..];
    }
    out
}

#[test]
fn a_real_prometheus_answers_the_boards() {
    let mut scene = Scene::new();
    scene.send();
    sums_are_what_was_sent(&scene);
    queries_find_series(&scene);
    nothing_is_unaccounted_for(&scene);
    rules_are_evaluated(&scene);
    assert_eq!(scene.prometheus.log(), "", "Prometheus complains");
    let _ = scene.neckard.stop();
}

fn sums_are_what_was_sent(scene: &Scene) {
    let totals = scene.fleet.totals();
    scene.expect("sum(neckar_decode_flows_total)", totals.all.flows);
    scene.expect("sum(neckar_output_delivered_total)", totals.all.flows);
    let dropped = r#"sum(neckar_exporter_dropped_total{cause="set_id_reserved"})"#;
    scene.expect(dropped, 1);
    scene.expect("sum(neckar_traffic_flows_total)", totals.all.flows);
    scene.expect("sum(flow_bits)", 8 * totals.all.bytes);
    scene.expect("sum(flow_bytes)", totals.all.bytes);
    scene.expect("sum(flow_packets)", totals.all.packets);
    for (label, value, sum) in [
        ("protoname", "TCP", totals.tcp),
        ("protoname", "UDP", totals.udp),
        ("ipversion", "IPv6", totals.ipv6),
        ("cid", "101", totals.customer(101)),
        ("cid", "109", totals.customer(109)),
        ("cid", "116", totals.customer(116)),
    ] {
        let of = |metric: &str| format!("sum({metric}{{{label}=\"{value}\"}})");
        scene.expect(&of("neckar_traffic_flows_total"), sum.flows);
        scene.expect(&of("flow_bytes"), sum.bytes);
        scene.expect(&of("flow_packets"), sum.packets);
    }
    let routers = scene.fleet.routers();
    let rate = |index: usize| u64::from(routers[index].sampling_rate());
    let scaled: Vec<_> = (0..routers.len()).map(|at| routers[at].totals().all * rate(at)).collect();
    scene.expect("sum(neckar_traffic_bytes_total)", scaled.iter().map(|sum| sum.bytes).sum());
    scene.expect("sum(neckar_traffic_packets_total)", scaled.iter().map(|sum| sum.packets).sum());
    // The suite's "flow number" adds sampling rates up.
    scene.expect("sum(flow_number_total)", scaled.iter().map(|sum| sum.flows).sum());
}

fn queries_find_series(scene: &Scene) {
    let old = suite_boards::PANELS.iter().map(|(board, panel, query)| {
        (format!("suite's {board}, {panel}"), suite_boards::expand(query))
    });
    let boards = boards::all();
    let new = boards.iter().flat_map(|board| board.panels().map(move |panel| (board.name, panel)));
    let new = new.flat_map(|(board, panel)| {
        panel
            .queries
            .iter()
            .map(move |query| (format!("{board}, {}", panel.title), expand(&query.expr)))
    });
    let may_be = |expr: &str| MAY_BE_EMPTY.iter().any(|(part, _)| expr.contains(part));
    let empty = scene.empty(old.chain(new).filter(|(_, expr)| !may_be(expr)));
    assert!(empty.is_empty(), "nothing is found by\n{}", empty.join("\n"));
}

/// What the pipeline's board shows in red unless it is 0.
fn nothing_is_unaccounted_for(scene: &Scene) {
    let boards = boards::all();
    let panels = boards.iter().flat_map(|board| board.panels());
    let stats = panels.filter(|panel| panel.is_loss && panel.look == Look::Stat);
    let queries: Vec<&str> =
        stats.flat_map(|panel| &panel.queries).map(|query| query.expr.as_str()).collect();
    assert!(queries.len() > 3, "{queries:?}");
    for query in queries {
        assert_eq!(scene.prometheus.value(&expand(query)), Some(0.0), "{query}");
    }
}

fn rules_are_evaluated(scene: &Scene) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    wait_until("all rules have been evaluated", PATIENCE, || {
        scene.prometheus.rules().iter().all(|rule| rule["health"] != "unknown")
    });
    let rules = scene.prometheus.rules();
    let mut alerts = 0;
    for rule in &rules {
        let name = rule["name"].as_str().unwrap();
        assert_eq!(rule["health"], "ok", "{name}: {}", rule["lastError"]);
        for metric in promql::metrics(rule["query"].as_str().unwrap()) {
            let is_there = !scene.prometheus.query(&format!("count({metric})")).is_empty();
            assert!(is_there || UNTIL_LATER.contains(&&*metric), "{name} asks for {metric}");
        }
        if rule["type"] != "alerting" {
            continue;
        }
        alerts += 1;
        let said = |what: &str| rule["annotations"][what].as_str().unwrap_or_default();
        assert!(said("summary").len() > 20 && said("action").len() > 20, "{name} says what to do");
        assert!(root.join(said("document")).is_file(), "{name}: {:?}", said("document"));
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()));
    }
    assert!(alerts > 10 && rules.len() > alerts, "{alerts} of {}", rules.len());
    let firing = scene.prometheus.query(r#"ALERTS{alertstate="firing"}"#);
    assert!(firing.is_empty(), "on a good day nobody is called: {firing:?}");
}
