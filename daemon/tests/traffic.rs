//! Counting the traffic of a running daemon: sums to the byte, whatever the protocol, and what becomes of flows
//! that there is no time to count.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod support;

use std::time::Duration;

use support::datagrams::v5_flood;
use support::generator::Generator;
use support::process::Neckard;
use support::{scratch, traffic, wait_until};

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

/// Every flow from another source to another target: once the tables are full they stay as large as they are, and
/// the largest stay within what `neckard check` says.
#[test]
fn a_spoofed_flood_leaves_memory_flat() {
    // As small as may be, so that a flood of some seconds is one of many times the tables.
    let bounds =
        ["traffic.series_max=500", "traffic.talkers_max=512", "traffic.recent_bytes=2000000"];
    let neckard = Neckard::start(&["output.kind=stdout", bounds[0], bounds[1], bounds[2]]);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut first = 1;
    let mut flood = |flows: u32| {
        let until = first + flows;
        while first < until {
            socket.send_to(&v5_flood(first), neckard.udp()).unwrap();
            first += 30;
            // What the socket's buffer has no room for would prove nothing.
            if first % 3000 < 30 {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        std::thread::sleep(Duration::from_secs(1));
        resident_kib(neckard.id())
    };
    flood(150_000);
    let full = flood(150_000);
    let later = flood(450_000);
    assert!(
        later < full + full / 20,
        "{full} KiB once full, {later} KiB after three times as much"
    );
    assert!(neckard.metric("neckar_traffic_counted_total") > 600_000);
    assert!(neckard.stop().0.success());
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
