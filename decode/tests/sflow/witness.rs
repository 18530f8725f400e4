//! tshark as an independent witness: what it says about sampled packets is what our rows say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use neckar_decode::Config;
use serde_json::Value;

use crate::frames::sample;
use crate::layers::*;
use crate::{captures, decode, pcap, shared_folder};

/// The fields that are compared, by name.
type Said = BTreeMap<&'static str, String>;

/// What tshark says about the flow samples in these datagrams; `None` (said loudly) where it is not
/// installed. Under CI that is a failure.
fn tshark(name: &str, datagrams: &[Vec<u8>]) -> Option<Vec<Vec<Said>>> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pcap"));
    fs::write(&path, capture(datagrams)).unwrap();
    let output = Command::new("tshark")
        .args(["-n", "-T", "json", "--no-duplicate-keys", "-r"])
        .arg(&path)
        .output();
    let Ok(output) = output else {
        assert!(std::env::var_os("CI").is_none(), "tshark is missing");
        let _ = writeln!(std::io::stderr(), "SKIPPED: tshark is missing");
        return None;
    };
    let packets: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(packets.len(), datagrams.len());
    let of_packet = |packet: &Value| {
        let sflow = packet["_source"]["layers"]["sflow"].as_object().unwrap();
        let samples = sflow.iter().filter(|(key, _)| key.contains("low sample, seq"));
        samples.map(|(_, sample)| flow(sample)).collect()
    };
    Some(packets.iter().map(of_packet).collect())
}

/// A pcap file with each datagram in Ethernet, IPv4 and UDP to port 6343.
fn capture(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 1] {
        out.extend(word.to_ne_bytes());
    }
    // Major and minor version are two numbers of 16 bits.
    out[4..8].copy_from_slice(&[2_u16.to_ne_bytes(), 4_u16.to_ne_bytes()].concat());
    for bytes in datagrams {
        let length = bytes.len() as u16;
        let mut frame = stack([ethernet(IPV4), ipv4(17), udp(50_000, 6343)]);
        frame[16..18].copy_from_slice(&(length + 28).to_be_bytes());
        frame[38..40].copy_from_slice(&(length + 8).to_be_bytes());
        frame.extend(bytes);
        for word in [0, 0, frame.len() as u32, frame.len() as u32] {
            out.extend(word.to_ne_bytes());
        }
        out.extend(frame);
    }
    out
}

/// The first of what may be several layers of one name: the outer one.
fn first<'v>(tree: &'v Value, name: &str) -> &'v Value {
    match &tree[name] {
        Value::Array(all) => &all[0],
        value => value,
    }
}

fn all<'v>(tree: &'v Value, name: &str) -> Vec<&'v Value> {
    match &tree[name] {
        Value::Array(all) => all.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// Numbers in decimal, whatever tshark writes them in.
fn plain(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    // XDR's way to say that a number is not known, which our rows do not have then.
    if text == "4294967295" {
        return None;
    }
    let hex = text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16).unwrap());
    Some(hex.map_or_else(|| text.to_string(), |number| number.to_string()))
}

fn flow(sample: &Value) -> Said {
    let mut said = Said::new();
    let mut put = |name, value: &Value| {
        if let Some(value) = plain(value) {
            said.insert(name, value);
        }
    };
    put("SamplingRate", &sample["sflow.flow_sample.sampling_rate"]);
    let switch = &sample["Extended switch data"];
    put("SrcVlan", &switch["sflow_245.vlan.in"]);
    put("DstVlan", &switch["sflow_245.vlan.out"]);
    let router = &sample["Extended router data"];
    put("SrcNet", &router["sflow_245.nexthop.src_mask"]);
    put("DstNet", &router["sflow_245.nexthop.dst_mask"]);
    let raw = &sample["Raw packet header"];
    put("Bytes", &raw["sflow_245.header.frame_length"]);
    let tree = &raw["sflow_245.header_tree"];
    let mac = |value: &Value| value.as_str().map_or(Value::Null, |mac| mac.replace(':', "").into());
    put("SrcMac", &mac(&first(tree, "eth")["eth.src"]));
    put("DstMac", &mac(&first(tree, "eth")["eth.dst"]));
    // 802.1ad is a layer of its own; only the outermost tag is one here.
    let outer_tags = all(tree, "ieee8021ad").into_iter().map(|tag| &tag["ieee8021ad.id"]);
    let tags: Vec<&Value> =
        outer_tags.chain(all(tree, "vlan").into_iter().map(|tag| &tag["vlan.id"])).collect();
    if let [.., innermost] = tags[..] {
        put("VlanId", innermost);
    }
    if let [outermost, .., _] = tags[..] {
        put("OuterVlanId", outermost);
    }
    let labels = all(tree, "mpls");
    for (entry, name) in labels.iter().zip(["MPLS1Label", "MPLS2Label", "MPLS3Label"]) {
        put(name, &entry["mpls.label"]);
    }
    if labels.len() > 3 {
        put("MPLSLastLabel", &labels[labels.len() - 1]["mpls.label"]);
        put("MPLSLastTTL", &labels[labels.len() - 1]["mpls.ttl"]);
    }
    network(tree, &mut said);
    said
}

fn network(tree: &Value, said: &mut Said) {
    let mut put = |name, value: &Value| {
        if let Some(value) = plain(value) {
            said.insert(name, value);
        }
    };
    let (v4, v6) = (first(tree, "ip"), first(tree, "ipv6"));
    // Of both, one carries the other: the outer one says so.
    if v4.is_object() && v6["ipv6.nxt"] != "4" {
        put("SrcAddr", &v4["ip.src"]);
        put("DstAddr", &v4["ip.dst"]);
        put("Proto", &v4["ip.proto"]);
        put("IPTos", &v4["ip.dsfield"]);
        put("IPTTL", &v4["ip.ttl"]);
        put("FragmentId", &v4["ip.id"]);
        put("FragmentOffset", &v4["ip.frag_offset"]);
        let is_tunnel = ["4", "41", "47"].iter().any(|proto| v4["ip.proto"] == *proto);
        if !is_tunnel && v4["ip.frag_offset"] == "0" {
            transport(tree, &mut put);
        }
    } else if v6.is_object() {
        put("SrcAddr", &v6["ipv6.src"]);
        put("DstAddr", &v6["ipv6.dst"]);
        put("Proto", &v6["ipv6.nxt"]);
        put("IPTos", &v6["ipv6.tclass"]);
        put("IPTTL", &v6["ipv6.hlim"]);
        put("IPv6FlowLabel", &v6["ipv6.flow"]);
        if v6["ipv6.nxt"] != "4" {
            transport(tree, &mut put);
        }
    }
}

fn transport(tree: &Value, put: &mut impl FnMut(&'static str, &Value)) {
    for (layer, proto) in [("tcp", 6), ("udp", 17), ("esp", 50), ("icmpv6", 58), ("sctp", 132)] {
        // Behind extension headers too.
        if !first(tree, layer).is_null() {
            put("Proto", &proto.to_string().into());
        }
        put("SrcPort", &first(tree, layer)[&format!("{layer}.srcport")]);
        put("DstPort", &first(tree, layer)[&format!("{layer}.dstport")]);
    }
    put("TCPFlags", &first(tree, "tcp")["tcp.flags"]);
    for layer in ["icmp", "icmpv6"] {
        put("IcmpType", &first(tree, layer)[&format!("{layer}.type")]);
        put("IcmpCode", &first(tree, layer)[&format!("{layer}.code")]);
    }
}

/// The same of our rows, without fields that tshark was not asked for.
fn ours(datagram: &[u8], asked: &BTreeSet<&'static str>) -> Vec<Said> {
    let (lines, _) = decode(Config::default(), [datagram]);
    let row = |line: &String| {
        let fields = line.split(' ').filter_map(|field| field.split_once('='));
        let asked = fields.filter_map(|(name, value)| Some((*asked.get(name)?, value.to_string())));
        asked.collect()
    };
    lines.iter().map(row).collect()
}

fn agree(name: &str, datagrams: &[Vec<u8>], flows_min: usize) {
    let Some(expected) = tshark(name, datagrams) else { return };
    let asked = expected.iter().flatten().flat_map(|said| said.keys().copied()).collect();
    let mut flows = 0;
    for (datagram, mut expected) in datagrams.iter().zip(expected) {
        let mut rows = ours(datagram, &asked);
        // Samples have no order in tshark's JSON.
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected);
        flows += rows.len();
    }
    assert!(flows >= flows_min, "{flows} flows");
}

#[test]
fn tshark_reads_the_same_in_captures() {
    let Some(folder) = shared_folder("captures") else { return };
    agree("captures", &captures::datagrams(&folder), 20);
}

#[test]
fn tshark_reads_the_same_in_sampled_packets() {
    let Some(folder) = shared_folder("captures") else { return };
    let files = crate::frames::files(&folder);
    let frames = files.iter().flat_map(|file| pcap::frames(file));
    let datagrams: Vec<_> = frames.map(|frame| sample(&frame)).collect();
    agree("frames", &datagrams, 12);
}

/// Packets of every shape that both read: tags, labels, options, extension headers, transports.
#[test]
fn tshark_reads_the_same_in_packets_of_our_own() {
    let shapes = 0..4 * 5 * 6 * 5;
    let packets = shapes.map(|shape| packet(shape % 4, shape / 4 % 5, shape / 20 % 6, shape / 120));
    let datagrams: Vec<_> = packets.map(|packet| sample(&packet)).collect();
    agree("own", &datagrams, 600);
}

fn packet(tags: usize, labels: usize, network: usize, transport: usize) -> Vec<u8> {
    let is_v6 = network >= 3;
    let (proto, bytes) = match transport {
        0 => (6, tcp()),
        1 => (17, udp(1000, 2000)),
        2 => (132, [vec![3, 232, 7, 208], vec![0; 8]].concat()),
        3 if is_v6 => (58, icmp(128, 0)),
        3 => (1, icmp(8, 0)),
        _ => (50, vec![0; 16]),
    };
    let network = match network {
        0 => ipv4(proto),
        1 => ipv4_with(proto, &[1; 12], 0x4000),
        2 => ipv4_with(proto, &[], 0x00b9),
        3 => ipv6(proto),
        4 => [ipv6(0), padding(43, 0), padding(proto, 2)].concat(),
        _ => [ipv6(60), padding(proto, 1)].concat(),
    };
    let carried = if is_v6 { IPV6 } else { IPV4 };
    let etype = if labels > 0 { MPLS } else { carried };
    let mut out = ethernet(if tags > 0 { 0x88a8 } else { etype });
    for depth in 0..tags {
        let following = if depth + 1 == tags { etype } else { 0x8100 };
        out.extend(tag(0x2000 | (100 + depth as u16), following));
    }
    for depth in 0..labels {
        out.extend(label(1000 + depth as u32, 60, depth + 1 == labels));
    }
    [out, network, bytes].concat()
}

/// An extension header of nothing: one-byte padding options, or a route without segments.
fn padding(next: u8, units: u8) -> Vec<u8> {
    let mut out = extension(next, units);
    out[2..].fill(0);
    out
}
