//! Interface names by SNMP, end to end: real and simulated agents on one side, flows with names on
//! the other; and devices that do not answer, which cost counters and nothing else.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use crate::support::agent::{Agent, Answer};
use crate::support::process::Neckard;
use crate::support::{scratch, wait_until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const IF_DESCR: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 2];
const IF_SPEED: [u32; 10] = [1, 3, 6, 1, 2, 1, 2, 2, 1, 5];
const IF_X_ENTRY: [u32; 10] = [1, 3, 6, 1, 2, 1, 31, 1, 1, 1];

/// Starts neckard with these rules of exporters and prints flows as JSON.
fn neckard(rules: &[String], settings: &[&str]) -> Neckard {
    let rules = format!("exporter=[{}]", rules.join(", "));
    let mut all = vec!["output.format=json", "batch.linger_ms=10", &rules];
    all.extend(settings);
    Neckard::start(&all)
}

/// Sends, as the exporter `address`, a NetFlow v5 datagram of one flow between two of its
/// interfaces.
fn export(neckard: &Neckard, address: &str, in_if: u16, out_if: u16) {
    let mut bytes = [0; 72];
    bytes[..4].copy_from_slice(&[0, 5, 0, 1]);
    bytes[8..12].copy_from_slice(&1_700_000_000_u32.to_be_bytes());
    bytes[24..32].copy_from_slice(&[192, 0, 2, 1, 198, 51, 100, 1]);
    bytes[36..38].copy_from_slice(&in_if.to_be_bytes());
    bytes[38..40].copy_from_slice(&out_if.to_be_bytes());
    bytes[40..48].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 64]);
    bytes[62] = 17;
    let socket = UdpSocket::bind((address, 0)).unwrap();
    assert_eq!(socket.send_to(&bytes, neckard.udp()).unwrap(), bytes.len());
}

/// Exports a flow and answers how it comes out.
fn flow(neckard: &Neckard, address: &str, in_if: u16, out_if: u16) -> Value {
    let before = neckard.printed().len();
    export(neckard, address, in_if, out_if);
    wait_until("the flow is printed", PATIENCE, || neckard.printed().len() > before);
    let flow: Value = serde_json::from_str(&neckard.printed()[before]).unwrap();
    assert_eq!(flow["SamplerAddress"], address);
    flow
}

/// A rule for one exporter.
fn rule(exporter: &str, port: u16, access: &str) -> String {
    format!("{{prefix=\"{exporter}\", snmp={{address=\"127.0.0.1\", port={port}, {access}}}}}")
}

/// Writes secrets to files; answers their paths.
fn secrets<const N: usize>(folder: &Path, secrets: [&str; N]) -> [String; N] {
    secrets.map(|secret| {
        let path = folder.join(secret.replace(' ', "-"));
        std::fs::write(&path, format!("{secret}\n")).unwrap();
        path.display().to_string()
    })
}

fn told_of(neckard: &Neckard, what: &str) -> usize {
    neckard.log().iter().filter(|line| line.contains(what)).count()
}

#[test]
fn a_real_agent_gives_names_in_both_versions_and_they_survive_a_restart() {
    let folder = scratch("snmp-real");
    let [community, auth, privacy, wrong] =
        secrets(&folder, ["river bank", "what it says", "nobody reads", "not the phrase"]);
    let agent = Agent::snmpd(
        &folder,
        "com2sec reader 127.0.0.1 \"river bank\"\n\
         group readers v2c reader\n\
         view all included .1\n\
         access readers \"\" any noauth exact all none none\n\
         createUser neckar SHA-256 \"what it says\" AES \"nobody reads\"\n\
         rouser neckar authPriv\n\
         override 1.3.6.1.2.1.31.1.1.1.18.1 octet_str \"PEER: Loop Net #7\"\n",
    );
    let user = |auth: &str| {
        format!("version=\"3\", user=\"neckar\", auth_file=\"{auth}\", privacy_file=\"{privacy}\"")
    };
    let rules = [
        rule("127.0.1.1", agent.port(), &format!("community_file=\"{community}\"")),
        rule("127.0.1.2", agent.port(), &user(&auth)),
        rule("127.0.1.3", agent.port(), &user(&wrong)),
    ];
    let state = format!("state.directory={}", folder.join("state").display());
    let settings = ["snmp.description_regex=^PEER: (.*?)( #.*)?$", "snmp.backoff_s=3600", &state];
    let daemon = neckard(&rules, &settings);
    let before = flow(&daemon, "127.0.1.1", 1, 60_000);
    assert_eq!(before.get("SrcIfName"), None, "no walk has ended yet");
    export(&daemon, "127.0.1.2", 1, 60_000);
    export(&daemon, "127.0.1.3", 1, 60_000);
    wait_until("all were asked", PATIENCE, || {
        daemon.metric("neckar_snmp_walks_total") == 2
            && daemon.metric("neckar_snmp_failed_total") == 1
    });
    assert_eq!(daemon.metric("neckar_snmp_devices"), 3);
    assert_eq!(daemon.metric("neckar_snmp_devices_backing_off"), 1);
    let interfaces = daemon.metric("neckar_snmp_interfaces");
    assert!(interfaces >= 2, "two exporters with the loopback interface at least");
    wait_until("names are in force", PATIENCE, || {
        daemon.metric("neckar_tables_interfaces") == interfaces
    });
    let named = |daemon: &Neckard, exporter: &str| {
        let flow = flow(daemon, exporter, 1, 60_000);
        assert_eq!(flow["SrcIfName"], "lo");
        assert_eq!(flow["SrcIfDesc"], "Loop Net");
        assert_eq!(flow["SrcIfSpeed"], 10);
        assert_eq!(flow.get("DstIfName"), None, "there is no interface of that number");
    };
    named(&daemon, "127.0.1.1");
    named(&daemon, "127.0.1.2");
    // Its report that the digest is wrong is not authentic, so it counts for nothing.
    assert_eq!(flow(&daemon, "127.0.1.3", 1, 1).get("SrcIfName"), None);
    let (_, page) = daemon.fetch("/metrics");
    assert!(page.contains("neckar_snmp_failed_total{cause=\"timeout\"} 1"), "{page}");
    assert_eq!(told_of(&daemon, "snmp: 127.0.1.3: timeout"), 1, "{:?}", daemon.log());
    for secret in ["river bank", "what it says", "nobody reads", "not the phrase"] {
        assert_eq!(told_of(&daemon, secret), 0, "{secret} is in the log");
    }
    daemon.stop();

    drop(agent);
    let daemon = neckard(&rules, &settings);
    wait_until("names are in force again", PATIENCE, || {
        daemon.metric("neckar_tables_interfaces") == interfaces
    });
    named(&daemon, "127.0.1.2");
    assert_eq!(daemon.metric("neckar_snmp_walks_total"), 0);
    daemon.stop();

    // Whoever is asked no more has no names any more.
    let daemon = neckard(&rules[..1], &settings);
    wait_until("half of them", PATIENCE, || {
        daemon.metric("neckar_tables_interfaces") == interfaces / 2
    });
    assert_eq!(flow(&daemon, "127.0.1.2", 1, 1).get("SrcIfName"), None);
    daemon.stop();
}

/// A router with `count` interfaces from 1 on, as IF-MIB has it.
fn router(count: u32) -> Vec<Answer> {
    let column = |column: u32, if_index: u32| [&IF_X_ENTRY[..], &[column, if_index]].concat();
    let interfaces = (1..=count).flat_map(|if_index| {
        [
            (column(1, if_index), 4, format!("xe-{}/0/{}", if_index / 100, if_index % 100)),
            (column(15, if_index), 66, (if_index * 10).to_string()),
            (column(18, if_index), 4, format!("Customer {if_index}")),
        ]
    });
    interfaces.collect()
}

/// A device from before IF-MIB, or nearly: one interface of 10 Mbit/s, which has an empty name, and
/// one whose speed it cannot say.
fn old_device() -> Vec<Answer> {
    let rows = [(3, "Ethernet0", 10_000_000), (7, "Backplane", u32::MAX)];
    let rows = rows.into_iter().flat_map(|(if_index, name, speed)| {
        [
            ([&IF_DESCR[..], &[if_index]].concat(), 4, name.to_string()),
            ([&IF_SPEED[..], &[if_index]].concat(), 66, speed.to_string()),
        ]
    });
    let empty = [(([&IF_X_ENTRY[..], &[1, 3]].concat()), 4, String::new())];
    rows.chain(empty).collect()
}

#[test]
fn thousands_of_interfaces_are_walked_up_to_the_bound_and_old_devices_too() {
    let folder = scratch("snmp-many");
    let [many, more, old] = secrets(&folder, ["many", "more", "old"]);
    let devices = [("many", router(5000)), ("more", router(5100)), ("old", old_device())];
    let agent = Agent::simulator(&folder, &devices);
    let community = |exporter: &str, file: &str| {
        rule(exporter, agent.port(), &format!("community_file=\"{file}\""))
    };
    let rules = [
        community("127.0.2.1", &many),
        community("127.0.2.2", &more),
        community("127.0.2.3", &old),
    ];
    let daemon = neckard(&rules, &["snmp.interfaces_per_exporter_max=5000"]);
    for exporter in ["127.0.2.1", "127.0.2.2", "127.0.2.3"] {
        export(&daemon, exporter, 1, 1);
    }
    wait_until("all were walked", PATIENCE, || daemon.metric("neckar_snmp_walks_total") == 3);
    assert_eq!(daemon.metric("neckar_snmp_interfaces"), 10_002);
    assert_eq!(daemon.metric("neckar_snmp_cut_total"), 1);
    wait_until("names are in force", PATIENCE, || {
        daemon.metric("neckar_tables_interfaces") == 10_002
    });
    for (exporter, last) in [("127.0.2.1", 5000), ("127.0.2.2", 5000)] {
        let flow = flow(&daemon, exporter, 4321, last);
        assert_eq!(flow["SrcIfName"], "xe-43/0/21");
        assert_eq!(flow["SrcIfDesc"], "Customer 4321");
        assert_eq!(flow["SrcIfSpeed"], 43_210);
        assert_eq!(flow["DstIfName"], "xe-50/0/0");
    }
    assert_eq!(flow(&daemon, "127.0.2.2", 5001, 1).get("SrcIfName"), None, "beyond the bound");
    let flow = flow(&daemon, "127.0.2.3", 3, 7);
    assert_eq!((&flow["SrcIfName"], &flow["SrcIfSpeed"]), (&"Ethernet0".into(), &10.into()));
    assert_eq!((&flow["DstIfName"], flow.get("DstIfSpeed")), (&"Backplane".into(), None));
    assert_eq!(flow.get("SrcIfDesc"), None);
    daemon.stop();
}

#[test]
fn a_silent_device_is_left_alone_ever_longer_and_costs_no_flow() {
    let folder = scratch("snmp-silent");
    let [community] = secrets(&folder, ["anybody there"]);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let port = silent.local_addr().unwrap().port();
    let rules = [rule("127.0.3.1", port, &format!("community_file=\"{community}\""))];
    let settings =
        ["snmp.timeout_ms=50", "snmp.retries=1", "snmp.backoff_s=1", "snmp.backoff_max_s=2"];
    let daemon = neckard(&rules, &settings);
    export(&daemon, "127.0.3.1", 1, 2);
    wait_until("it was asked four times", PATIENCE, || {
        daemon.metric("neckar_snmp_failed_total") >= 4
    });
    let (_, page) = daemon.fetch("/metrics");
    let failed = daemon.metric("neckar_snmp_failed_total");
    assert!(page.contains("neckar_snmp_failed_total{cause=\"timeout\"} "), "{page}");
    assert_eq!(daemon.metric("neckar_snmp_devices_backing_off"), 1);
    assert_eq!(daemon.metric("neckar_snmp_walks_total"), 0);
    assert_eq!(told_of(&daemon, "snmp: 127.0.3.1: timeout"), 1, "once, however often it fails");
    let mut asked = 0;
    while silent.recv(&mut [0; 1500]).is_ok() {
        asked += 1;
    }
    assert!(asked >= 8 && asked <= 2 * (failed + 1), "{asked} requests, two for each walk");
    assert_eq!(flow(&daemon, "127.0.3.1", 1, 2).get("SrcIfName"), None);
    let (_, report) = daemon.stop();
    assert_eq!((report.datagrams, report.delivered, report.shed), (2, 2, 0));
}
