//! `neckar decode`: formats, counts, exits.

use std::io::Read;
use std::process::Stdio;

use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol, Totals};

use crate::frames::*;
use crate::program::{neckar, run, run_with_input};
use crate::scratch::Scratch;

/// A capture of what synthetic routers send, each from its own address, and what that is.
fn fleet_capture(protocols: &[Protocol], datagrams: usize) -> (Vec<u8>, Totals) {
    let mut fleet = Fleet::new(protocols, 2 * protocols.len(), 1);
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let frames: Vec<_> = (0..datagrams as u64)
        .map(|index| {
            let time_ns = TIME_NS + index * 1_000_000;
            let (router, made) = fleet.datagram(time_ns, &mut out);
            let source = format!("192.0.2.{}:50000", router + 1);
            let names = (source.as_str(), V4.1);
            (time_ns, ipv4(names, (1, 0, false), 0, &udp(names, &out[..made.bytes])))
        })
        .collect();
    (pcap(LITTLE, 101, &frames), fleet.totals())
}

/// A NetFlow v5 datagram of one record: 192.0.2.10:1234 to 198.51.100.20:80, TCP, 3 packets, 4500
/// bytes.
fn v5() -> Vec<u8> {
    let mut out = Vec::new();
    let words: [u32; 6] = [0x0005_0001, 10_000, 1_700_000_000, 0, 7, 0];
    out.extend(words.map(u32::to_be_bytes).concat());
    let words: [u32; 7] = [0xc000_020a, 0xc633_6414, 0, 0x0001_0002, 3, 4500, 9_000];
    out.extend(words.map(u32::to_be_bytes).concat());
    out.extend(10_000_u32.to_be_bytes());
    out.extend([0x04, 0xd2, 0, 80, 0, 0x1b, 6, 0]);
    out.resize(24 + 48, 0);
    out
}

/// An IPFIX message with one set.
fn ipfix(sequence: u32, set: &[u8]) -> Vec<u8> {
    let len = (16 + set.len()) as u16;
    let words = [0x000a_0000 | u32::from(len), 1_700_000_000, sequence, 1];
    join(&[&words.map(u32::to_be_bytes).concat(), set])
}

/// Template 256: source and destination address, bytes.
const TEMPLATE: [u8; 20] = [0, 2, 0, 20, 1, 0, 0, 3, 0, 8, 0, 4, 0, 12, 0, 4, 0, 1, 0, 4];
const DATA: [u8; 16] = [1, 0, 0, 16, 192, 0, 2, 1, 192, 0, 2, 2, 0, 0, 0, 99];

#[test]
fn counts_are_what_was_sent() {
    let (bytes, totals) = fleet_capture(&Protocol::ALL, 2000);
    let scratch = Scratch::new();
    let file = scratch.file("fleet.pcap", &bytes);
    let ran = run(["decode", "--format", "none", "--stats", file.to_str().unwrap()]).exits(0);
    assert_eq!(ran.stdout(), "");
    assert_eq!(ran.stderr().lines().count(), 1, "no progress bar in a pipe: {}", ran.stderr());
    let stats = ran.stats();
    let expected = [
        ("datagrams", totals.datagrams),
        ("bytes", totals.datagram_bytes),
        ("records", totals.all.flows),
        ("reverse_flows", 0),
        ("flows", totals.all.flows),
        ("templates", totals.templates),
        ("options_templates", totals.options_templates),
        ("options_records", totals.options_records),
        ("counter_samples", totals.counter_samples),
        ("held", 0),
        ("exporters", 8),
        ("missed", 0),
    ];
    for (name, count) in expected {
        assert_eq!(stats.count(name), count, "{name}");
    }
    let dropped = stats.0["dropped"].as_object().unwrap();
    assert!(dropped.values().all(|count| count.as_u64() == Some(0)), "{}", stats.0);
}

#[test]
fn every_format_prints_every_flow() {
    let (bytes, totals) = fleet_capture(&Protocol::ALL, 400);
    let scratch = Scratch::new();
    let file = scratch.file("fleet.pcap", &bytes);
    let file = file.to_str().unwrap();
    let flows = totals.all.flows as usize;
    for format in ["json", "protojson"] {
        let ran = run(["decode", "--format", format, file]).exits(0);
        let mut sum = 0;
        for line in ran.stdout().lines() {
            let flow: serde_json::Value = serde_json::from_str(line).unwrap();
            let bytes = &flow["Bytes"];
            sum += bytes.as_u64().or_else(|| bytes.as_str()?.parse().ok()).unwrap_or(0);
        }
        assert_eq!((ran.stdout().lines().count(), sum), (flows, totals.all.bytes), "{format}");
        assert_eq!(ran.stderr(), "");
    }
    assert_eq!(run(["decode", file]).stdout(), run(["decode", "--format", "json", file]).stdout());
    assert_eq!(run(["decode", "--format", "line", file]).stdout().lines().count(), flows);
    let ran = run(["decode", "--format", "csv", file]).exits(0);
    let mut lines = ran.stdout().lines();
    let header: Vec<_> = lines.next().unwrap().split(',').collect();
    let column = header.iter().position(|name| *name == "Bytes").unwrap();
    // No text of these flows has a comma in it.
    let sum: u64 =
        lines.map(|line| line.split(',').nth(column).unwrap().parse().unwrap_or(0)).sum();
    assert_eq!((ran.stdout().lines().count(), sum), (flows + 1, totals.all.bytes));
}

#[test]
fn a_flow_carries_capture_time_and_exporter() {
    let scratch = Scratch::new();
    let file = scratch.file("v5.pcap", &simple(&[&v5()]));
    let ran = run(["decode", file.to_str().unwrap()]).exits(0);
    let flow = ran.json();
    let expected = [
        ("SamplerAddress", "192.0.2.1".into()),
        ("SrcAddr", "192.0.2.10".into()),
        ("DstAddr", "198.51.100.20".into()),
        ("Bytes", 4500.into()),
        ("Packets", 3.into()),
        ("SrcPort", 1234.into()),
        ("DstPort", 80.into()),
        ("TimeReceivedNs", TIME_NS.into()),
        ("TimeFlowStartNs", 1_699_999_999_000_000_000_u64.into()),
        ("TimeFlowEndNs", 1_700_000_000_000_000_000_u64.into()),
    ];
    for (name, value) in expected {
        let value: serde_json::Value = value;
        assert_eq!(flow[name], value, "{name} in {flow}");
    }
    // Without a capture around it, the header's clock is the receive time.
    let file = scratch.file("v5.dat", &v5());
    let flow = run(["decode", file.to_str().unwrap()]).exits(0).json();
    assert_eq!(flow["TimeReceivedNs"].as_u64(), Some(1_700_000_000_000_000_000));
}

#[test]
fn files_are_one_stream_with_one_template_state() {
    let scratch = Scratch::new();
    let template = scratch.file("template.ipfix", &ipfix(0, &TEMPLATE));
    let data = scratch.file("data.ipfix", &ipfix(0, &DATA));
    let (template, data) = (template.to_str().unwrap(), data.to_str().unwrap());
    let stats = |files: &[&str]| {
        let args = [&["decode", "--format", "none", "--stats"], files].concat();
        run(args).exits(0).stats()
    };
    let seen = |stats: &crate::program::Stats| {
        (stats.count("flows"), stats.count("held"), stats.dropped("set_template_missing"))
    };
    assert_eq!(seen(&stats(&[template, data])), (1, 0, 0));
    // Held until the template comes, or until the end.
    assert_eq!(seen(&stats(&[data, template])), (1, 1, 0));
    assert_eq!(seen(&stats(&[data, data])), (0, 2, 2));
}

#[test]
fn standard_input_is_a_file() {
    let ran = run_with_input(["decode", "--format", "json", "-"], &simple(&[&v5(), &v5()]));
    assert_eq!(ran.exits(0).stdout().lines().count(), 2);
    let nothing = run_with_input(["decode", "-"], b"").exits(1);
    assert_eq!(nothing.stderr(), "neckar: standard input: the file is empty\n");
}

#[test]
fn a_reader_that_goes_away_has_seen_enough() {
    let (bytes, totals) = fleet_capture(&[Protocol::V9], 3000);
    let scratch = Scratch::new();
    let file = scratch.file("fleet.pcap", &bytes);
    let file = file.to_str().unwrap();
    for (more, stats) in [(&[][..], false), (&["--stats"], true)] {
        let mut command = neckar([&["decode", file], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 100]).unwrap();
        drop(stdout);
        let ran = crate::program::Ran(child.wait_with_output().unwrap()).exits(0);
        match stats {
            // The counts are of everything all the same.
            true => assert_eq!(ran.stats().count("flows"), totals.all.flows),
            false => assert_eq!(ran.stderr(), ""),
        }
    }
}

#[test]
fn a_damaged_file_is_named_and_the_rest_is_read() {
    let scratch = Scratch::new();
    let whole = simple(&[&v5(), &v5()]);
    let damaged = scratch.file("damaged.pcap", &whole[..whole.len() - 1]);
    let good = scratch.file("good.pcap", &whole);
    let (damaged, good) = (damaged.to_str().unwrap(), good.to_str().unwrap());
    let ran = run(["decode", "--stats", damaged, good]).exits(1);
    assert_eq!(ran.stdout().lines().count(), 3);
    assert_eq!(ran.stats().count("flows"), 3);
    let expected = format!(
        "neckar: {damaged}: at byte 154: the file ends inside a packet; everything before it has been read"
    );
    assert_eq!(ran.stderr().lines().next(), Some(expected.as_str()));
    assert_eq!(ran.stderr().lines().count(), 2);
}

#[test]
fn wrong_usage_is_told() {
    let missing = run(["decode", "/nonexistent.pcap"]).exits(2);
    let expected = "neckar: /nonexistent.pcap: cannot be opened: No such file or directory";
    assert!(missing.stderr().starts_with(expected), "{}", missing.stderr());
    let folder = run(["decode", "/tmp"]).exits(2);
    assert_eq!(folder.stderr(), "neckar: /tmp: is a directory; name the files in it\n");
    let format = run(["decode", "--format", "xml", "x"]).exits(2);
    let known = "[possible values: json, protojson, flowdumper, csv, line, none]";
    assert!(format.stderr().contains(known), "{}", format.stderr());
    run(["decode"]).exits(2);
    run(["frobnicate"]).exits(2);
    let help = run(["decode", "--help"]).exits(0);
    assert!(help.stdout().contains("tcpdump"), "{}", help.stdout());
}

#[test]
fn verbose_says_what_the_files_held() {
    let scratch = Scratch::new();
    let arp = ethernet(0x0806, &[0; 28]);
    let frames = [(TIME_NS, arp), (TIME_NS, ethernet(IPV4, &udp4(&v5())))];
    let file = scratch.file("a.pcap", &pcap(LITTLE, 1, &frames));
    let ran = run(["decode", "--format", "none", "--verbose", file.to_str().unwrap()]).exits(0);
    let expected = "2 frames in captures\n1 frames without IP, or with a malformed IP header\n";
    assert!(ran.stderr().starts_with(expected), "{}", ran.stderr());
}
