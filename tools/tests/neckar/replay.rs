//! `neckar replay` over loopback.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::frames::*;
use crate::program::{Ran, run, run_with_input};
use crate::receiver::{Got, Receiver};
use crate::scratch::Scratch;

fn replay(file: &Path, to: SocketAddr, more: &[&str]) -> Ran {
    let (file, to) = (file.to_str().unwrap(), to.to_string());
    run([&["replay", file, "--json", "--to", &to], more].concat())
}

fn payloads(got: &[Got]) -> Vec<&[u8]> {
    got.iter().map(|(_, payload)| payload.as_slice()).collect()
}

fn sources(got: &[Got]) -> Vec<IpAddr> {
    let set: BTreeSet<IpAddr> = got.iter().map(|(from, _)| from.ip()).collect();
    set.into_iter().collect()
}

fn loopback(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 1, last])
}

/// A capture of one datagram from each of these hosts, over IPv4.
fn from_hosts(hosts: &[&str]) -> Vec<u8> {
    let frames: Vec<_> = hosts
        .iter()
        .map(|host| {
            let names = (*host, V4.1);
            let packet = ipv4(names, (1, 0, false), 0, &udp(names, host.as_bytes()));
            (TIME_NS, ethernet(IPV4, &packet))
        })
        .collect();
    pcap(LITTLE, 1, &frames)
}

#[test]
fn every_payload_arrives_as_it_was() {
    let scratch = Scratch::new();
    let sent: [&[u8]; 4] = [b"one", b"", b"three", &[7; 1400]];
    let file = scratch.file("a.pcap", &simple(&sent));
    let receiver = Receiver::start();
    let ran = replay(&file, receiver.address, &[]).exits(0);
    let got = receiver.stop();
    assert_eq!(payloads(&got), sent);
    assert_eq!(sources(&got), [loopback(1)]);
    let json = ran.json();
    assert_eq!((json["datagrams"].as_u64(), json["bytes"].as_u64()), (Some(4), Some(1408)));
    assert_eq!((json["refused"].as_u64(), json["retried"].as_u64()), (Some(0), Some(0)));
    assert!(ran.stderr().starts_with("4 datagrams (1408 bytes) to 127.0.0.1:"), "{}", ran.stderr());
    assert_eq!(ran.stderr().lines().count(), 1, "no progress bar in a pipe");
}

#[test]
fn exporters_keep_a_source_of_their_own() {
    let scratch = Scratch::new();
    let hosts = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.1:2", "192.0.2.3:9"];
    let file = scratch.file("a.pcap", &from_hosts(&hosts));
    let receiver = Receiver::start();
    replay(&file, receiver.address, &["--flood"]).exits(0);
    let got = receiver.stop();
    let expected = [(1, hosts[0]), (2, hosts[1]), (1, hosts[2]), (3, hosts[3])];
    let expected: Vec<_> =
        expected.iter().map(|(last, host)| (loopback(*last), host.as_bytes())).collect();
    let seen: Vec<_> = got.iter().map(|(from, payload)| (from.ip(), &payload[..])).collect();
    assert_eq!(seen, expected);
}

#[test]
fn copies_come_from_sources_of_their_own() {
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", &from_hosts(&["192.0.2.1:1", "192.0.2.2:1", "192.0.2.1:1"]));
    let receiver = Receiver::start();
    let ran = replay(&file, receiver.address, &["--flood", "--exporters", "3"]).exits(0);
    let got = receiver.stop();
    assert_eq!((got.len(), ran.json()["datagrams"].as_u64()), (9, Some(9)));
    assert_eq!(sources(&got), (1..=6).map(loopback).collect::<Vec<_>>());
    for source in sources(&got) {
        let own: Vec<_> = got.iter().filter(|(from, _)| from.ip() == source).collect();
        // Every source sends one exporter's datagrams, all of them.
        assert!(own.iter().all(|(_, payload)| *payload == own[0].1));
        assert_eq!(own.len(), if own[0].1 == b"192.0.2.1:1" { 2 } else { 1 });
    }
}

#[test]
fn to_ipv6_every_exporter_has_a_port() {
    let Ok(probe) = std::net::UdpSocket::bind("[::1]:0") else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: this machine has no IPv6");
        return;
    };
    drop(probe);
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", &from_hosts(&["192.0.2.1:1", "192.0.2.2:1"]));
    let receiver = Receiver::at("[::1]:0");
    replay(&file, receiver.address, &["--flood"]).exits(0);
    let got = receiver.stop();
    assert_eq!(got.len(), 2);
    assert_ne!(got[0].0.port(), got[1].0.port());
}

#[test]
fn rounds_send_everything_again_and_retime_goes_on() {
    let v9 = |sequence: u32| {
        let words = [0x0009_0001, 5, 1_500_000_000, sequence, 42];
        words.map(u32::to_be_bytes).concat()
    };
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", &simple(&[&v9(70), &v9(71)]));
    let word =
        |payload: &[u8], at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as u32;

    let receiver = Receiver::start();
    replay(&file, receiver.address, &["--flood", "--loop", "3"]).exits(0);
    let got = receiver.stop();
    let sent: Vec<_> = (0..6).map(|index| v9(70 + index % 2)).collect();
    assert_eq!(payloads(&got), sent);

    let (receiver, before) = (Receiver::start(), now());
    let more = ["--flood", "--loop", "3", "--retime", "--exporters", "2"];
    replay(&file, receiver.address, &more).exits(0);
    let got = receiver.stop();
    for source in [loopback(1), loopback(2)] {
        let own: Vec<_> = got.iter().filter(|(from, _)| from.ip() == source).collect();
        let sequences: Vec<_> = own.iter().map(|(_, payload)| word(payload, 12)).collect();
        assert_eq!(sequences, [70, 71, 72, 73, 74, 75]);
        assert!(own.iter().all(|(_, payload)| (before..=now()).contains(&word(payload, 8))));
    }
}

#[test]
fn ipfix_sequences_go_on_by_their_records() {
    // Template 256 of one field of one byte, then data sets of 3 records and of 1.
    let message = |sequence: u32, sets: &[u8]| {
        let len = (16 + sets.len()) as u16;
        let header = [&[0, 10], &len.to_be_bytes()[..], &[0; 4], &sequence.to_be_bytes(), &[0; 4]];
        join(&[&join(&header), sets])
    };
    let template = message(10, &[0, 2, 0, 12, 1, 0, 0, 1, 0, 4, 0, 1]);
    let three = message(10, &[1, 0, 0, 7, 6, 17, 1]);
    let one = message(13, &[1, 0, 0, 5, 6]);
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", &simple(&[&template, &three, &one]));
    let receiver = Receiver::start();
    replay(&file, receiver.address, &["--flood", "--loop", "2", "--retime"]).exits(0);
    let got = receiver.stop();
    let sequence = |payload: &[u8]| u32::from_be_bytes(payload[8..12].try_into().unwrap());
    let sequences: Vec<_> = got.iter().map(|(_, payload)| sequence(payload)).collect();
    assert_eq!(sequences, [10, 10, 13, 14, 14, 17]);
}

#[test]
fn the_pace_is_the_captures_or_what_was_asked() {
    let scratch = Scratch::new();
    let ms = 1_000_000;
    let frame = |at: u64| (TIME_NS + at * ms, ethernet(IPV4, &udp4(b"x")));
    let file = scratch.file("a.pcap", &pcap(LITTLE, 1, &[frame(0), frame(100), frame(300)]));
    let receiver = Receiver::start();
    let seconds = |more: &[&str]| {
        let ran = replay(&file, receiver.address, more).exits(0);
        ran.json()["seconds"].as_f64().unwrap()
    };
    // Never faster than asked; how much slower is the machine's affair.
    assert!(seconds(&[]) >= 0.3);
    assert!(seconds(&["--speed", "3"]) >= 0.1);
    assert!(seconds(&["--speed", "0.75"]) >= 0.4);
    assert!(seconds(&["--pps", "10"]) >= 0.2);
    receiver.stop();
}

#[test]
fn standard_input_is_a_file() {
    let receiver = Receiver::start();
    let to = receiver.address.to_string();
    run_with_input(["replay", "-", "--to", &to], &simple(&[b"piped"])).exits(0);
    assert_eq!(payloads(&receiver.stop()), [b"piped"]);
}

#[test]
fn nobody_listening_is_counted_and_said() {
    let free = Receiver::start();
    let to = free.address;
    free.stop();
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", &simple(&[b"one", b"two"]));
    let ran = replay(&file, to, &["--flood"]).exits(0);
    assert_eq!(ran.json()["refused"].as_u64(), Some(2));
    assert!(ran.stderr().contains("2 refused: nobody listens there"), "{}", ran.stderr());
}

#[test]
fn a_damaged_file_sends_what_is_whole_and_fails() {
    let scratch = Scratch::new();
    let whole = simple(&[b"one", b"two"]);
    let damaged = scratch.file("damaged.pcap", &whole[..whole.len() - 1]);
    let receiver = Receiver::start();
    let ran = replay(&damaged, receiver.address, &["--flood", "--loop", "2"]).exits(1);
    assert_eq!(payloads(&receiver.stop()), [b"one", b"one"]);
    let start = format!("neckar: {}: at byte 85: the file ends inside a packet", damaged.display());
    assert!(ran.stderr().starts_with(&start), "{}", ran.stderr());
    assert_eq!(ran.stderr().matches("at byte").count(), 1, "said once, not every round");
}

#[test]
fn wrong_usage_is_told_in_a_line_with_the_fix() {
    let scratch = Scratch::new();
    let file = scratch.file("a.pcap", &simple(&[b"one"]));
    let file = file.to_str().unwrap();
    let to = "127.0.0.1:2055";
    let cases: [(&[&str], &str); 8] = [
        (&[file, "--to", "127.0.0.1"], "give HOST:PORT, for example 127.0.0.1:2055"),
        (&[file], "--to <HOST:PORT>"),
        (&["--to", to], "<FILE>"),
        (&["/nonexistent.pcap", "--to", to], "/nonexistent.pcap: cannot be opened"),
        (&[file, "--to", to, "--pps", "0"], "give a number above 0"),
        (&[file, "--to", to, "--pps", "1", "--flood"], "cannot be used with"),
        (&[file, "--to", to, "--loop", "0"], "0 is not in 1.."),
        (&["-", "--to", to, "--loop", "2"], "--loop cannot read standard input again"),
    ];
    for (args, what) in cases {
        let ran = run([&["replay"], args].concat()).exits(2);
        assert!(ran.stderr().contains(what), "{args:?}: {}", ran.stderr());
    }
    let ran = run(["replay", file, "--to", "no-such-host.invalid:2055"]).exits(1);
    assert!(ran.stderr().contains("no-such-host.invalid:2055: the host is not found"));
}
