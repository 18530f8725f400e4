//! `neckar generate` over loopback.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{IpAddr, UdpSocket};
use std::process::Stdio;
use std::time::Duration;

use crate::frames::*;
use crate::program::{Ran, neckar, run};
use crate::receiver::{Got, Receiver};
use crate::scratch::Scratch;

/// What `neckar decode --stats` makes of datagrams as they were received.
fn decoded(got: &[Got]) -> Ran {
    let scratch = Scratch::new();
    let frames: Vec<_> = got
        .iter()
        .map(|(from, payload)| {
            let from = from.to_string();
            let names = (from.as_str(), "127.0.0.1:2055");
            (TIME_NS, ipv4(names, (1, 0, false), 0, &udp(names, payload)))
        })
        .collect();
    let file = scratch.file("got.pcap", &pcap(LITTLE, 101, &frames));
    run(["decode", "--format", "none", "--stats", file.to_str().unwrap()]).exits(0)
}

#[test]
fn what_it_says_it_sent_arrives_and_decodes() {
    for protocols in ["v5", "v9", "ipfix", "sflow", "v5,v9,ipfix,sflow"] {
        let receiver = Receiver::start();
        let to = receiver.address.to_string();
        let ran = run([
            &["generate", "--json", "--to", &to, "--protocol", protocols][..],
            &["--exporters", "8", "--rate", "10000", "--flows", "4000"],
        ]
        .concat())
        .exits(0);
        let got = receiver.stop();
        let json = ran.json();
        let bytes: usize = got.iter().map(|(_, payload)| payload.len()).sum();
        assert_eq!(json["datagrams"].as_u64(), Some(got.len() as u64), "{protocols}");
        assert_eq!(json["bytes"].as_u64(), Some(bytes as u64), "{protocols}");
        let sources: BTreeSet<IpAddr> = got.iter().map(|(from, _)| from.ip()).collect();
        let expected: BTreeSet<_> = (1..=8).map(|last| IpAddr::from([127, 0, 1, last])).collect();
        assert_eq!(sources, expected, "{protocols}");

        let flows = json["flows"].as_u64().unwrap();
        // Whole datagrams: at most one more than needed, and none has 100 flows.
        assert!((4000..4100).contains(&flows), "{protocols}: {flows}");
        let by_protocol = json["flows_by_protocol"].as_object().unwrap();
        assert_eq!(by_protocol.values().map(|n| n.as_u64().unwrap()).sum::<u64>(), flows);
        for (name, count) in by_protocol {
            let asked = protocols.split(',').any(|protocol| protocol == name);
            assert_eq!(count.as_u64().unwrap() > 0, asked, "{protocols}: {name}");
        }
        let stats = decoded(&got).stats();
        assert_eq!(stats.count("flows"), flows, "{protocols}");
        assert_eq!((stats.count("exporters"), stats.count("missed")), (8, 0), "{protocols}");
    }
}

#[test]
fn a_run_that_keeps_up_sends_rate_times_seconds() {
    let receiver = Receiver::start();
    let to = receiver.address.to_string();
    let args = ["generate", "--json", "--to", &to, "--rate", "5000", "--seconds", "0.4"];
    let json = run(args).exits(0).json();
    let got = receiver.stop();
    assert_eq!(json["datagrams"].as_u64(), Some(got.len() as u64));
    // On a machine that is busy otherwise it may be less, but never more than a datagram too many.
    let flows = json["flows"].as_u64().unwrap();
    assert!(flows > 0 && flows < 2000 + 100, "{flows}");
}

#[test]
fn the_same_seed_gives_the_same_flows() {
    let body = |seed: &str| {
        let receiver = Receiver::start();
        let to = receiver.address.to_string();
        let more = ["--protocol", "v5", "--rate", "1e6", "--flows", "50", "--seed", seed];
        run([&["generate", "--to", &to], &more[..]].concat()).exits(0);
        let got = receiver.stop();
        // Addresses and ports of the first record; clocks differ.
        got[0].1[24..32].to_vec()
    };
    assert_eq!(body("7"), body("7"));
    assert_ne!(body("7"), body("8"));
}

#[test]
fn ctrl_c_ends_it_with_a_summary() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let to = socket.local_addr().unwrap().to_string();
    // Not through a shell: the signal must reach the program.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_neckar"));
    command.args(["generate", "--json", "--to", &to]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    socket.recv(&mut [0; 2000]).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(json["datagrams"].as_u64().unwrap() >= 1, "{out}");
}

#[test]
fn wrong_usage_is_told() {
    let to = "127.0.0.1:2055";
    let cases: [(&[&str], &str); 4] = [
        (&["--to", to, "--protocol", "v7"], "[possible values: v5, v9, ipfix, sflow]"),
        (&["--to", to, "--exporters", "0"], "0 is not in 1.."),
        (&["--to", to, "--rate", "0"], "give a number above 0"),
        (&["--protocol", "v9"], "--to <HOST:PORT>"),
    ];
    for (args, what) in cases {
        let ran = run([&["generate"], args].concat()).exits(2);
        assert!(ran.stderr().contains(what), "{args:?}: {}", ran.stderr());
    }
    let help = neckar(["generate", "--help"]).output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("127.0.1.1"));
}
