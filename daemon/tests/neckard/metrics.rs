//! `/metrics` and docs/metrics.md say the same, both ways round; every metric moves when what it
//! counts happens; and no label grows without bound.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::datagrams::{self, ipfix, set, sflow, v5, v9};
use crate::support::elsewhere::moved_elsewhere;
use crate::support::process::Neckard;
use crate::support::{SharedBroker, fresh_topic, scratch, wait_until};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol, customers_csv};

const PATIENCE: Duration = Duration::from_secs(30);

/// Kind and labels of a metric.
type Nature = (String, BTreeSet<String>);

/// What the table in docs/metrics.md promises.
fn documented() -> BTreeMap<String, Nature> {
    let text = neckard::metrics::markdown();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let labels = cells[2].split(", ").filter(|label| !label.is_empty()).map(String::from);
        (cells[0].to_string(), (cells[1].to_string(), labels.collect()))
    });
    let rows: Vec<(String, Nature)> = rows.collect();
    let (count, rows) = (rows.len(), BTreeMap::from_iter(rows));
    assert_eq!(rows.len(), count, "a metric is documented twice");
    rows
}

/// The kinds that the page announces.
fn announced(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let pairs = lines.map(|line| line.split_once(' ').unwrap());
    let kinds = pairs.map(|(name, kind)| (name.to_string(), kind.to_string()));
    let kinds: Vec<_> = kinds.collect();
    let (count, kinds) = (kinds.len(), BTreeMap::from_iter(kinds));
    assert_eq!(kinds.len(), count, "a metric is announced twice");
    kinds
}

/// Name and label names of a sample's series.
fn parse(series: &str) -> (&str, BTreeSet<String>) {
    let Some((name, labels)) = series.split_once('{') else {
        return (series, BTreeSet::new());
    };
    let labels = labels.strip_suffix('}').unwrap().split("\",");
    (name, labels.map(|label| label.split_once('=').unwrap().0.to_string()).collect())
}

/// The family of a sample, and the labels beside the family's own that its kind brings along.
fn family<'a>(name: &'a str, documented: &BTreeMap<String, Nature>) -> &'a str {
    let part = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
    part.filter(|family| {
        let kind = documented.get(*family).map(|(kind, _)| kind.as_str());
        matches!(kind, Some("histogram" | "summary"))
    })
    .unwrap_or(name)
}

/// Checks a page against the document; answers the families that have a sample other than 0.
#[track_caller]
fn check(page: &str) -> BTreeSet<String> {
    let documented = documented();
    let kinds = documented.iter().map(|(name, (kind, _))| (name.clone(), kind.clone())).collect();
    assert_eq!(announced(page), kinds, "names and kinds");
    let (mut seen, mut moved) = (BTreeSet::new(), BTreeSet::new());
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}: a number"));
        assert!(seen.insert(series), "{series} is there twice");
        let (name, mut labels) = parse(series);
        let name = family(name, &documented);
        labels.remove("le");
        labels.remove("quantile");
        assert_eq!(labels, documented[name].1, "labels of {name}");
        if value != 0.0 {
            moved.insert(name.to_string());
        }
    }
    moved
}

#[test]
fn every_label_is_bounded_and_every_name_is_as_custom_wants_it() {
    for (name, (kind, _)) in documented() {
        // Those of goflow and the suite are what they are.
        let is_ours = name.starts_with("neckar_") || name.starts_with("process_");
        let theirs = ["flow_", "udp_traffic_", "kafka_"].iter().any(|one| name.starts_with(one));
        assert!(is_ours || theirs, "{name} is somebody's");
        let is_total = name.ends_with("_total");
        assert!(!is_ours || is_total == (kind == "counter"), "{name}: counters end in _total");
    }
    for line in neckard::metrics::markdown().lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let labels = cells[2].split(", ").filter(|label| !label.is_empty());
        let bounds: BTreeMap<&str, &str> =
            cells[3].split("; ").filter_map(|bound| bound.split_once(": ")).collect();
        for label in labels {
            let bound =
                bounds.get(label).unwrap_or_else(|| panic!("nothing bounds {label}: {line}"));
            assert!(!bound.is_empty(), "nothing bounds {label}: {line}");
        }
        assert!(cells[4].len() > 10, "no meaning: {line}");
    }
}

/// Routers of all protocols, each with an address of its own.
struct Routers {
    fleet: Fleet,
    sockets: Vec<UdpSocket>,
}

impl Routers {
    fn new(count: usize) -> Self {
        let bind = |index| UdpSocket::bind(format!("127.0.3.{index}:0")).unwrap();
        Self {
            fleet: Fleet::new(&Protocol::ALL, count, 1),
            sockets: (1..=count).map(bind).collect(),
        }
    }

    /// Sends so many datagrams, slowly enough for any receiver.
    fn send(&mut self, neckard: &Neckard, datagrams: u64) {
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..datagrams {
            let (router, made) = self.fleet.datagram(now_ns(), &mut bytes);
            self.sockets[router].send_to(&bytes[..made.bytes], neckard.udp()).unwrap();
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// Everything that can be wrong with what one router sends.
fn oddities() -> Vec<Vec<u8>> {
    let port = |id: u16| datagrams::template(id, &[(7, 2)]);
    let mut reverse = datagrams::template(303, &[(1, 4), (0x8001, 4)]);
    reverse.extend(29_305_u32.to_be_bytes());
    let mut odd = vec![
        b"neither flow nor sample".to_vec(),
        // Number 2 comes before 1, and then the router starts anew.
        v5(100, 0),
        v5(102, 0),
        v5(101, 0),
        v5(0, 600),
        // A clock that is a generation fast.
        v5(1, 1_000_000_000),
        // Held for a template that comes, and for one that does not.
        ipfix(0, &[set(300, &[0, 80])]),
        ipfix(1, &[set(2, &port(300))]),
        ipfix(1, &[set(999, &[0; 8])]),
        v9(1, &[set(0, &datagrams::template(301, &[(1, 4)])), set(301, &[0, 0, 1, 0])]),
        // Withdrawn.
        ipfix(1, &[set(2, &datagrams::template(300, &[]))]),
        // An interface beyond 32 bits, and microseconds since 1970 where RFC 7011 counts from 1900.
        ipfix(
            1,
            &[set(2, &datagrams::template(302, &[(10, 8), (154, 8)])), {
                let micros = (now_ns() / 1000).to_be_bytes();
                set(302, &[(1_u64 << 40).to_be_bytes(), micros].concat())
            }],
        ),
        // Bytes of both directions (RFC 5103).
        ipfix(1, &[set(2, &reverse), set(303, &[0, 0, 0, 1, 0, 0, 0, 2])]),
        // A set that ends before it begins.
        ipfix(1, &[vec![1, 44, 0, 3]]),
    ];
    // A discarded packet, a format of nobody's, and a header that is shorter than its format.
    let short_record = [&[0, 0, 0, 1, 0, 0, 0, 4][..], &[0; 4]].concat();
    let mut sample = [[0, 0, 0, 1], [0; 4], [0, 0, 0, 9], [0; 4], [0; 4], [0; 4], [0; 4]].concat();
    sample.extend([&[0, 0, 0, 1][..], &short_record].concat());
    odd.push(sflow(&[(5, vec![0; 32]), (4000, vec![0; 8]), (1, sample)]));
    // A sample that is shorter than its own head.
    odd.extend((0..5).map(|_| sflow(&[(1, vec![0; 8])])));
    odd
}

/// A daemon that receives whatever there is.
fn receives_everything() -> BTreeSet<String> {
    let settings = [
        "output.kind=stdout",
        "decode.hold_s=1",
        "http.exporters_shown_max=10",
        "exporter=[{prefix = \"127.0.3.1\", name = \"north\"}]",
        "enrich.normalize=true",
    ];
    let neckard = Neckard::start(&settings);
    let mut routers = Routers::new(8);
    routers.send(&neckard, 400);
    let odd = UdpSocket::bind("127.0.3.99:0").unwrap();
    for datagram in oddities() {
        odd.send_to(&datagram, neckard.udp()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    let quiet = UdpSocket::bind("127.0.3.98:0").unwrap();
    quiet.send_to(&v5(0, 0), neckard.udp()).unwrap();
    // What is held, while it is.
    wait_until("sets are held", PATIENCE, || neckard.metric("neckar_decode_held_bytes") > 0);
    let mut moved = check(&neckard.fetch("/metrics").1);
    wait_until("they are given up", PATIENCE, || neckard.metric("neckar_decode_held_bytes") == 0);
    wait_until("all is told of exporters", PATIENCE, || {
        neckard.metric("neckar_exporter_datagrams_total") >= 400 + 15
    });
    let page = neckard.fetch("/metrics").1;
    // Eight routers, the odd one, the agent in its sFlow, and the quiet one.
    assert_eq!(neckard.metric("neckar_exporters"), 11);
    assert_eq!(neckard.metric("neckar_exporters_not_shown"), 1);
    assert!(page.contains("neckar_exporter_info{exporter=\"127.0.3.1\",name=\"north\"} 1"));
    moved.extend(check(&page));
    assert!(neckard.stop().0.success());
    moved
}

/// A daemon without a broker, whose sockets overflow and whose disk fills.
fn loses_and_spools(spool: &str) -> BTreeSet<String> {
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        "kafka.brokers=[\"127.0.0.1:1\"]",
        "receive.buffer_bytes=65536",
        "stop.deadline_s=1",
        spool,
    ]);
    // The kernel holds what it can while the daemon stands still.
    neckard.signal("STOP");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..2000 {
        sender.send_to(&v5(number, 0), neckard.udp()).unwrap();
    }
    neckard.signal("CONT");
    wait_until("some are dropped", PATIENCE, || {
        neckard.metric("neckar_receive_kernel_drops_total") > 0
    });
    wait_until("some are on disk", PATIENCE, || {
        sender.send_to(&v5(0, 0), neckard.udp()).unwrap();
        neckard.metric("neckar_spool_flows") > 0
            && neckard.metric("neckar_kafka_connections_lost_total") > 0
    });
    let moved = check(&neckard.fetch("/metrics").1);
    assert!(neckard.stop().0.success());
    moved
}

/// A daemon without a broker and without a disk: every batch waits, and then there is none left.
fn sheds() -> BTreeSet<String> {
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        "kafka.brokers=[\"127.0.0.1:1\"]",
        "batch.memory_bytes=4194304",
        "batch.linger_ms=10",
        "batch.stall_ms=10",
        "stop.deadline_s=1",
    ]);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    wait_until("flows are shed", PATIENCE, || {
        sender.send_to(&v5(0, 0), neckard.udp()).unwrap();
        neckard.metric("neckar_flows_shed_total") > 0
    });
    let moved = check(&neckard.fetch("/metrics").1);
    assert!(neckard.stop().0.success());
    moved
}

/// A daemon with a broker, customers, and what the one before has left on disk.
fn delivers(spool: &str) -> BTreeSet<String> {
    let broker = SharedBroker::find();
    let main = fresh_topic("metrics");
    let customers = scratch("metrics-customers").join("customers.csv");
    let list = customers_csv();
    let first = list.lines().next().unwrap().split_once(',').unwrap().1;
    std::fs::write(&customers, &list).unwrap();
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        &format!("kafka.brokers=[\"{}\"]", broker.address()),
        &format!("kafka.topic={main}"),
        "kafka.create.enabled=true",
        &format!("enrich.customers={}", customers.display()),
        &format!("split.topic_prefix={main}"),
        "split.wildcard=true",
        "traffic.tenants_max=1",
        &format!("split.tenant=[{{cid = {first}, filter = \"dst port 1\"}}]"),
        spool,
    ]);
    let mut moved = BTreeSet::new();
    let mut routers = Routers::new(4);
    wait_until("all is delivered", PATIENCE, || {
        routers.send(&neckard, 50);
        moved.extend(check(&neckard.fetch("/metrics").1));
        neckard.metric("neckar_splitter_delivered_total") > 0
            && neckard.metric("neckar_splitter_filtered_total") > 0
            && neckard.metric("neckar_spool_flows") == 0
            && neckard.metric("neckar_output_delivered_total") > 1000
    });
    moved.extend(check(&neckard.fetch("/metrics").1));
    let delivered = neckard.metric("neckar_output_delivered_total");
    assert!(neckard.metric("kafka_messages_total") >= delivered);
    assert!(neckard.metric("neckar_output_latency_seconds_count") > 1000);
    assert!(neckard.stop().0.success());
    moved
}

#[test]
fn every_metric_moves() {
    let spool = format!("spool.directory={}", scratch("metrics-spool").display());
    let mut moved = receives_everything();
    moved.extend(loses_and_spools(&spool));
    moved.extend(sheds());
    moved.extend(delivers(&spool));
    let elsewhere = moved_elsewhere();
    let by_name: BTreeMap<&str, &str> = elsewhere.iter().copied().collect();
    assert_eq!(by_name.len(), elsewhere.len(), "each has one reason");
    let documented = documented();
    let still = documented.keys().map(String::as_str);
    let still: Vec<&str> =
        still.filter(|name| !moved.contains(*name) && !by_name.contains_key(name)).collect();
    assert!(still.is_empty(), "nothing moves {still:?}");
    for (name, by) in by_name {
        assert!(documented.contains_key(name), "{name} is no metric any more; {by}");
    }
}

/// A reason that names a test names one that there is.
#[test]
fn what_moves_elsewhere_is_moved_by_a_test_that_there_is() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, by) in moved_elsewhere().into_iter().filter(|(_, by)| by.contains(".rs")) {
        let (file, function) = by.split_once("::").unwrap_or_else(|| panic!("{by}: which test?"));
        let source = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let is_there = source.contains(&format!("fn {function}("));
        assert!(is_there, "{name}: there is no test {function} in {file}");
    }
}

#[test]
fn the_page_is_as_large_as_it_may_be_and_no_larger() {
    let send = |neckard: &Neckard| {
        let mut routers = Routers::new(40);
        routers.send(neckard, 200);
        wait_until("all are known", PATIENCE, || neckard.metric("neckar_exporters") == 40);
        neckard.fetch("/metrics").1
    };
    let series = |page: &str, of: &str| page.lines().filter(|line| line.contains(of)).count();
    let few = Neckard::start(&["output.kind=stdout", "http.exporters_shown_max=3"]);
    let page = send(&few);
    let exporters: BTreeSet<&str> =
        page.split("exporter=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(exporters.len(), 3, "{exporters:?}");
    let routers: BTreeSet<&str> =
        page.split("router=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(routers.is_subset(&exporters), "goflow's names keep to the same bound: {routers:?}");
    let none = ["output.kind=stdout", "http.exporters_shown_max=0", "http.goflow_metrics=false"];
    let none = Neckard::start(&none);
    let page = send(&none);
    assert_eq!(none.metric("neckar_exporters_not_shown"), 40);
    for gone in ["exporter=", "router=", "flow_traffic", "kafka_messages_total"] {
        assert_eq!(series(&page, gone), 0, "{gone}");
    }
    assert!(few.stop().0.success() && none.stop().0.success());
}
