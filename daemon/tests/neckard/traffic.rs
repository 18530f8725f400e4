//! Counting the traffic of a running daemon: sums to the byte, whatever the protocol, and what becomes of flows
//! that there is no time to count.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::generator::Generator;
use crate::support::process::Neckard;
use crate::support::{scratch, traffic, wait_until};
use xtask::bench::flood;

/// Customers of the generator's address plan as labels.
fn customers() -> String {
    let file = scratch("traffic").join("customers.csv");
    std::fs::write(&file, neckar_export::customers_csv()).unwrap();
    format!("enrich.customers=\"{}\"", file.display())
}

fn send(neckard: &Neckard, protocol: &str) -> serde_json::Value {
    let summary = Generator::start(neckard.udp(), protocol, 50_000, 50_000).summary();
    let sent = summary["flows"].as_u64().unwrap();
    wait_until("all flows are encoded", Duration::from_secs(20), || {
        neckard.metric("neckar_flows_encoded_total") == sent
    });
    summary
}

#[test]
fn flowdata_is_what_the_routers_sent() {
    let customers = customers();
    for protocol in ["v9", "sflow"] {
        let neckard = Neckard::start(&["output.kind=stdout", &customers]);
        let summary = send(&neckard, protocol);
        let totals = &summary["totals"];
        traffic::check_sums(&neckard, totals);
        let (_, page) = neckard.fetch("/flowdata");
        // sFlow samples have no direction, and so no local side whose customer would be the flow's.
        if protocol == "v9" {
            let by_cid = traffic::sums(&page, "flow_bytes", "cid");
            for (cid, sums) in totals["customers"].as_object().unwrap() {
                let bytes = by_cid.get(cid).copied().unwrap_or(0);
                assert_eq!(bytes, sums["bytes"].as_u64().unwrap(), "customer {cid}");
            }
        }
        assert!(neckard.stop().0.success());
    }
}

/// Every flow another, with labels loaded, from many exporters and over the end of a minute: memory grows by no
/// more than `neckard check` says, and once the tables are full it stays.
#[test]
fn a_spoofed_flood_leaves_memory_within_what_check_says() {
    // As small as may be, so that a flood of some seconds is one of many times the tables.
    let bounds =
        ["output.kind=stdout", "batch.memory_bytes=8388608", "decode.hold_total_bytes=1048576"];
    let traffic =
        ["traffic.series_max=500", "traffic.talkers_max=512", "traffic.recent_bytes=2000000"];
    let labels = [customers(), as_names(), interfaces()];
    let settings: Vec<&str> =
        bounds.into_iter().chain(traffic).chain(labels.iter().map(String::as_str)).collect();
    let sum_kib = memory_sum_kib(&settings);
    let neckard = Neckard::start(&settings);
    let empty = resident_kib(neckard.id());
    let mut flood = Flood { target: neckard.udp(), first: 0 };
    flood.send(300_000);
    let minute = unix_s() / 60;
    wait_until("a minute is over", Duration::from_secs(70), || unix_s() / 60 > minute);
    flood.send(150_000);
    let full = resident_kib(neckard.id());
    flood.send(450_000);
    let later = resident_kib(neckard.id());
    assert!(later - empty <= sum_kib, "{empty} KiB, then {later}; check says {sum_kib} at most");
    assert!(later < full + full / 20, "{full} KiB, then {later} after three times as much");
    assert!(neckard.metric("neckar_traffic_counted_total") > 800_000);
    // In time, or all of it would have been in the minute that is older.
    assert!(neckard.metric("neckar_traffic_late_total") < 1000);
    assert!(neckard.metric("neckar_traffic_path_series") == 500);
    assert!(neckard.metric("neckar_traffic_tenants") > 10);
    let series = neckard.fetch("/flowdata").1.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series > 2000, "{series}");
    assert!(neckard.stop().0.success());
}

/// Flows that never were, from one address of loopback after the other.
struct Flood {
    target: SocketAddr,
    first: u32,
}

impl Flood {
    fn send(&mut self, flows: u32) {
        let until = self.first + flows;
        while self.first < until {
            let source = Ipv4Addr::new(127, 0, 1, (self.first / flood::FLOWS % 250 + 1) as u8);
            let socket = UdpSocket::bind((source, 0)).unwrap();
            let datagram = flood::datagram(self.first, unix_s() as u32);
            socket.send_to(&datagram, self.target).unwrap();
            self.first += flood::FLOWS;
            // What the socket's buffer has no room for would prove nothing.
            if self.first % 3000 < flood::FLOWS {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// A name for every number of an AS that NetFlow v5 has.
fn as_names() -> String {
    let file = scratch("traffic-names").join("names.csv");
    let names: String = (1..=65_535).map(|number| format!("{number},Network {number}\n")).collect();
    std::fs::write(&file, names).unwrap();
    format!("enrich.as_names=\"{}\"", file.display())
}

/// Names for the flood's interfaces at some of its exporters.
fn interfaces() -> String {
    let file = scratch("traffic-interfaces").join("interfaces.csv");
    let exporters = (1..=20).flat_map(|exporter| (1..=500).map(move |index| (exporter, index)));
    let line = |(exporter, index)| {
        format!("127.0.1.{exporter},{index},if{index},Peer {index} at {exporter},10000\n")
    };
    std::fs::write(&file, exporters.map(line).collect::<String>()).unwrap();
    format!("enrich.interfaces=\"{}\"", file.display())
}

/// What `neckard check` adds up, in KiB.
fn memory_sum_kib(settings: &[&str]) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neckard"));
    command.arg("check").args(settings.iter().flat_map(|setting| ["--set", setting]));
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let line = text.lines().find(|line| line.ends_with("  sum"));
    let sum = line.unwrap_or_else(|| panic!("no sum: {text}"));
    sum.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn resident_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Without anybody who could see it nothing is counted, and the page says nothing.
#[test]
fn counting_can_be_switched_off() {
    let neckard = Neckard::start(&["output.kind=stdout", "traffic.enabled=false"]);
    send(&neckard, "v5");
    assert_eq!(neckard.metric("neckar_traffic_counted_total"), 0);
    assert_eq!(neckard.metric("neckar_traffic_missed_total"), 0);
    assert_eq!(neckard.fetch("/flowdata"), (200, String::new()));
    assert!(neckard.stop().0.success());
}
