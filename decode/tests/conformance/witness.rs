//! tshark as an independent witness over every NetFlow and IPFIX capture: what it says of a record is what our row says.
//!
//! A value agrees if it is among those that tshark names for the field's elements; which of several wins is the rules'
//! matter (the twin's), not the witness's. Where we differ on purpose, [`KNOWN`] says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use neckar_proto::{Field, Rows};
use serde_json::Value as Json;

use crate::{Bench, pcap, shared_folder, text};

/// Fields, and the names that tshark gives their elements.
const NAMES: &[(Field, &[&str])] = &[
    (Field::SrcAddr, &["cflow.srcaddr", "cflow.srcaddrv6"]),
    (Field::DstAddr, &["cflow.dstaddr", "cflow.dstaddrv6"]),
    (Field::SrcPort, &["cflow.srcport"]),
    (Field::DstPort, &["cflow.dstport"]),
    (Field::Proto, &["cflow.protocol"]),
    (
        Field::Bytes,
        &[
            "cflow.octets",
            "cflow.octets64",
            "cflow.post_octets",
            "cflow.post_octets64",
            "cflow.permanent_octets",
            "cflow.permanent_octets64",
            "cflow.initiator_octets",
            "cflow.octets_exp",
        ],
    ),
    (
        Field::Packets,
        &[
            "cflow.packets",
            "cflow.packets64",
            "cflow.post_packets",
            "cflow.post_packets64",
            "cflow.permanent_packets",
            "cflow.permanent_packets64",
            "cflow.initiator_packets",
        ],
    ),
    (Field::InIf, &["cflow.inputint", "cflow.ingress_physical_interface"]),
    (Field::OutIf, &["cflow.outputint", "cflow.egress_physical_interface"]),
    (Field::SrcAS, &["cflow.srcas"]),
    (Field::DstAS, &["cflow.dstas"]),
    (
        Field::NextHop,
        &["cflow.nexthop", "cflow.nexthopv6", "cflow.bgpnexthop", "cflow.bgpnexthopv6"],
    ),
    (Field::BgpNextHop, &["cflow.bgpnexthop", "cflow.bgpnexthopv6"]),
    (Field::SrcNet, &["cflow.srcmask", "cflow.srcmaskv6", "cflow.srcnetmask"]),
    (Field::DstNet, &["cflow.dstmask", "cflow.dstmaskv6"]),
    (Field::IPTos, &["cflow.tos"]),
    (Field::TCPFlags, &["cflow.tcpflags", "cflow.tcpflags16"]),
    (Field::IPTTL, &["cflow.ttl_minimum", "cflow.ip_ttl"]),
    (Field::FlowDirection, &["cflow.direction"]),
    (Field::IngressVrfID, &["cflow.ingress_vrfid"]),
    (Field::EgressVrfID, &["cflow.egress_vrfid"]),
    (Field::SrcMac, &["cflow.srcmac", "cflow.post_srcmac"]),
    (Field::DstMac, &["cflow.dstmac", "cflow.post_dstmac"]),
    (Field::FlowEndReason, &["cflow.flow_end_reason"]),
    (Field::PostNatSrcAddr, &["cflow.post_natsource_ipv4_address"]),
    (Field::PostNatDstAddr, &["cflow.post_natdestination_ipv4_address"]),
    (Field::PostNatSrcPort, &["cflow.post_naptsource_transport_port"]),
    (Field::PostNatDstPort, &["cflow.post_naptdestination_transport_port"]),
    (Field::NatEvent, &["cflow.nat_event"]),
    (Field::FragmentId, &["cflow.ip_fragment_id", "cflow.ip_id"]),
    (Field::IPv6FlowLabel, &["cflow.ipv6flowlabel"]),
];

/// Datagrams that belong together, in an order in which templates come first.
struct Case {
    name: String,
    datagrams: Vec<Vec<u8>>,
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// All captures of NetFlow and IPFIX. Files of one exporter are told by their names: what stands before "tpl" or "data".
fn cases(captures: &Path) -> Vec<Case> {
    let mut all = Vec::new();
    files(captures, &mut all);
    let mut groups: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in all {
        let name = path.strip_prefix(captures).unwrap().to_str().unwrap().to_string();
        let left_out =
            ["expected/", "sflow", "README", "decoder/testdata", "fuzz/corpus", "malformed"];
        if left_out.iter().any(|part| name.contains(part)) {
            continue;
        }
        let ends = ["_tpl", "_opttpl", "_data", "template", "data.pcap"];
        let file = name.rfind('/').unwrap();
        let cut = ends.iter().filter_map(|end| name[file..].find(end)).min();
        // telegraf has a folder for each case.
        let cut = if name.contains("telegraf") { Some(0) } else { cut };
        let group = cut.map_or(name.clone(), |cut| name[..file + cut].to_string());
        groups.entry(group).or_default().push(path);
    }
    let order = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let is_data = name.contains("data") && !name.contains("tpl") && !name.contains("options");
        (is_data, !name.contains("template"), name)
    };
    groups
        .into_iter()
        .map(|(name, mut paths)| {
            paths.sort_by_key(order);
            Case { name, datagrams: paths.iter().flat_map(|path| datagrams(path)).collect() }
        })
        .collect()
}

/// The datagrams in a file; messages one after the other are told apart by their own lengths.
fn datagrams(path: &Path) -> Vec<Vec<u8>> {
    if path.extension().is_some_and(|end| end == "pcap") {
        return pcap::payloads(path);
    }
    let bytes = fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = neckar_decode::message_length(rest).unwrap_or(rest.len()).max(16);
        let (datagram, behind) = rest.split_at(length.min(rest.len()));
        found.push(datagram.to_vec());
        rest = behind;
    }
    found
}

/// A capture file with these datagrams as UDP from one exporter.
fn capture(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    // Link type 101: raw IP.
    for word in [0xa1b2_c3d4_u32, 0x0002_0004, 0, 0, 65_535, 101] {
        out.extend(word.to_be_bytes());
    }
    for datagram in datagrams {
        let udp = 8 + datagram.len() as u16;
        let total = 20 + udp;
        for word in [1_700_000_000, 0, u32::from(total), u32::from(total)] {
            out.extend(word.to_be_bytes());
        }
        out.extend([0x45, 0]);
        out.extend(total.to_be_bytes());
        out.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        out.extend([0x20, 0x00, 0x08, 0x07]);
        out.extend(udp.to_be_bytes());
        out.extend([0, 0]);
        out.extend(datagram);
    }
    out
}

/// What tshark says of each datagram; `None` (said loudly) where it is not installed. Under CI that is a failure.
fn tshark(index: usize, datagrams: &[Vec<u8>]) -> Option<Vec<Json>> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("witness-{index}.pcap"));
    fs::write(&path, capture(datagrams)).unwrap();
    let args = ["-n", "-T", "json", "--no-duplicate-keys", "-d", "udp.port==2055,cflow", "-r"];
    let Ok(output) = Command::new("tshark").args(args).arg(&path).output() else {
        assert!(std::env::var_os("CI").is_none(), "tshark is missing");
        let _ = writeln!(std::io::stderr(), "SKIPPED: tshark is missing");
        return None;
    };
    let packets: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
    let of_packet = |packet: Json| packet["_source"]["layers"]["cflow"].clone();
    Some(packets.into_iter().map(of_packet).collect())
}

/// One value, or several of one name.
fn many(value: &Json) -> Vec<&Json> {
    match value {
        Json::Array(several) => several.iter().collect(),
        one => vec![one],
    }
}

/// Members whose name is `start` and a number, by that number.
fn numbered<'v>(tree: &'v Json, start: &str) -> Vec<&'v Json> {
    let number = |name: &str| {
        let digits = name.strip_prefix(start)?.trim_start();
        let end = digits.find(|one: char| !one.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse::<u32>().ok()
    };
    let members = tree.as_object().into_iter().flatten();
    let mut found: Vec<(u32, &Json)> =
        members.filter_map(|(name, value)| Some((number(name)?, value))).collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().flat_map(|(_, value)| many(value)).collect()
}

/// The flows of one datagram, by set id (0 for NetFlow v5).
fn flows(cflow: &Json) -> Vec<(u16, &Json)> {
    let mut flows: Vec<(u16, &Json)> =
        numbered(cflow, "pdu").into_iter().map(|flow| (0, flow)).collect();
    for set in numbered(cflow, "FlowSet").into_iter().chain(numbered(cflow, "Set")) {
        let id = set["cflow.flowset_id"].as_str().unwrap_or("0").parse().unwrap_or(0);
        flows.extend(numbered(set, "Flow").into_iter().map(|flow| (id, flow)));
    }
    flows
}

/// All values that tshark gives under one name, anywhere in a flow.
fn values<'v>(tree: &'v Json, name: &str, found: &mut Vec<&'v str>) {
    for (key, value) in tree.as_object().into_iter().flatten() {
        match value {
            Json::String(text) if key == name => found.push(text),
            Json::Array(several) if key == name => {
                found.extend(several.iter().filter_map(Json::as_str));
            }
            Json::Array(several) => several.iter().for_each(|one| values(one, name, found)),
            other => values(other, name, found),
        }
    }
}

/// A number of tshark's, as we write it.
fn plain(field: Field, text: &str) -> String {
    let is_mac = matches!(field, Field::SrcMac | Field::DstMac);
    let text = if is_mac { text.replace(':', "") } else { text.to_string() };
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).unwrap().to_string(),
        None => text,
    }
}

fn is_zero(value: &str) -> bool {
    value.chars().all(|character| matches!(character, '0' | ':' | '.'))
}

/// What is wrong with one of our rows, by tshark.
fn differences(row: &BTreeMap<Field, String>, flow: &Json, cflow: &Json) -> Vec<String> {
    let mut wrong = Vec::new();
    for (field, names) in NAMES {
        let mut theirs = Vec::new();
        names.iter().for_each(|name| values(flow, name, &mut theirs));
        let theirs: BTreeSet<String> = theirs.iter().map(|text| plain(*field, text)).collect();
        if theirs.is_empty() {
            continue;
        }
        let agrees = row.get(field).is_some_and(|ours| {
            theirs.contains(ours) && (!is_zero(ours) || theirs.iter().all(|their| is_zero(their)))
        });
        if !agrees {
            wrong.push(format!("{} {:?}, tshark {theirs:?}", field.name(), row.get(field)));
        }
    }
    for (field, relative, absolute) in [
        (Field::TimeFlowStartNs, "cflow.timestart", "cflow.abstimestart"),
        (Field::TimeFlowEndNs, "cflow.timeend", "cflow.abstimeend"),
    ] {
        let theirs = times(flow, cflow, relative, absolute);
        if !theirs.is_empty() && !theirs.contains(&row[&field].parse().unwrap()) {
            wrong.push(format!("{} {}, tshark {theirs:?}", field.name(), row[&field]));
        }
    }
    wrong
}

/// The instants that tshark gives: absolute ones, and uptimes against the header's.
fn times(flow: &Json, cflow: &Json, relative: &str, absolute: &str) -> BTreeSet<i128> {
    let mut found = Vec::new();
    values(flow, absolute, &mut found);
    let mut instants: BTreeSet<i128> = found.iter().map(|text| date(text)).collect();
    let mut found = Vec::new();
    values(flow, relative, &mut found);
    if let Some(uptime) = cflow["cflow.sysuptime"].as_str() {
        let mut header = Vec::new();
        values(cflow, "cflow.timestamp", &mut header);
        let before = |text: &&str| {
            // "Signed 32-bit difference" in milliseconds.
            let difference = (decimal(uptime) - decimal(text)) / 1_000_000;
            date(header[0]) - i128::from(difference as u32 as i32) * 1_000_000
        };
        instants.extend(found.iter().map(before));
    }
    instants
}

/// "328883.689000000" in nanoseconds.
fn decimal(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let nanoseconds: i128 = format!("{fraction:0<9}").parse().unwrap();
    whole.parse::<i128>().unwrap() * 1_000_000_000 + nanoseconds
}

/// "Feb 28, 2023 09:46:56.000000000 UTC" in nanoseconds since 1970.
fn date(text: &str) -> i128 {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let parts: Vec<&str> = text.split_whitespace().collect();
    let month = MONTHS.find(parts[0]).unwrap() as i128 / 3 + 1;
    let (day, year): (i128, i128) =
        (parts[1].trim_end_matches(',').parse().unwrap(), parts[2].parse().unwrap());
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let clock: Vec<&str> = parts[3].split(':').collect();
    let (hours, minutes): (i128, i128) = (clock[0].parse().unwrap(), clock[1].parse().unwrap());
    ((days * 24 + hours) * 60 + minutes) * 60 * 1_000_000_000 + decimal(clock[2])
}

/// One row per record of a datagram.
fn ours(bench: &mut Bench, datagram: &[u8]) -> Vec<BTreeMap<Field, String>> {
    let mut rows = Vec::new();
    bench.feed_rows(datagram, &mut |lent: &mut Rows| {
        for flow in lent.as_slice() {
            let value = |field| Some((field, text::value(lent, flow, field)?));
            rows.push(Field::all().filter_map(value).collect::<BTreeMap<_, _>>());
        }
    });
    rows
}

/// Known differences: the end of the case's name, what differs, and why it is meant. The record counts that we make are
/// those of the captures' README, which other counters agree with.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "two inputs + filter by ipVersion/expected",
        "rows",
        "templates change under the same ids in mid-stream; tshark keeps one per id for a file",
    ),
    ("netflow-data/netflow9.pcap", "rows", "tshark misses sets next to their template"),
    ("netflow-data/netflow-v9-1.dat", "rows", "two packets glued together: the first is decoded"),
    ("netflow9_test_invalid01.dat", "rows", "one bad set costs that set, not the datagram"),
    ("netflow9_test_h3c", "rows", "variable length in v9 (semantics.md section 5)"),
    ("correct_variable_length_", "rows", "variable length of elements that tshark takes for fixed"),
    ("/variable_length_", "rows", "the same; the record that overruns is left out"),
    ("netflow5_test_invalid01.dat", "rows", "a count of 55582 in 1464 bytes is no NetFlow v5"),
    ("netflow5_test_invalid02.dat", "rows", "a count of 163 in 1464 bytes is no NetFlow v5"),
    (
        "ipfix_test_barracuda",
        "Bytes",
        "totals (85) do not count beside deltas (rule 2), here of zero",
    ),
    ("ipfix_test_barracuda", "Packets", "the same with 86 beside 2"),
    ("ipfixOrionV4.pcap", "Time", "milliseconds of the year 8991630 are cut to what 64 bits hold"),
    ("", "tshark {0}", "an uptime of 0 is when the exporter started; tshark prints 1970 for it"),
];

/// Which of the known differences this is.
fn known(case: &str, what: &str) -> Option<usize> {
    KNOWN.iter().position(|(end, part, _)| case.ends_with(end) && what.contains(part))
}

/// What tshark says otherwise of one datagram, and how many records were compared.
fn compare(bench: &mut Bench, datagram: &[u8], cflow: &Json) -> (Vec<String>, usize) {
    let rows = ours(bench, datagram);
    let templates = bench.shared.templates();
    let options: BTreeSet<u16> =
        templates.iter().filter(|template| template.options).map(|template| template.id).collect();
    let flows: Vec<&Json> = flows(cflow)
        .into_iter()
        .filter(|(id, _)| !options.contains(id))
        .map(|(_, flow)| flow)
        .collect();
    // Reverse flows are of our making.
    let is_forward = |row: &&BTreeMap<Field, String>| {
        row.get(&Field::BiFlowDirection).is_none_or(|way| way != "2")
    };
    let forward: Vec<_> = rows.iter().filter(is_forward).collect();
    if forward.len() != flows.len() {
        return (vec![format!("{} rows, tshark {}", forward.len(), flows.len())], 0);
    }
    let pairs = forward.into_iter().zip(&flows);
    (pairs.flat_map(|(row, flow)| differences(row, flow, cflow)).collect(), flows.len())
}

#[test]
fn tshark_reads_the_same_in_every_capture() {
    let Some(folder) = shared_folder("captures") else { return };
    let (mut compared, mut wrong, mut met) = (0, Vec::new(), BTreeSet::new());
    for (index, case) in cases(&folder).iter().enumerate() {
        let Some(packets) = tshark(index, &case.datagrams) else { return };
        let mut bench = Bench::new();
        for (datagram, cflow) in case.datagrams.iter().zip(&packets) {
            let (found, records) = compare(&mut bench, datagram, cflow);
            compared += records;
            for what in found {
                match known(&case.name, &what) {
                    Some(at) => drop(met.insert(at)),
                    None => wrong.push(format!("{}: {what}", case.name)),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    let stale: Vec<_> =
        (0..KNOWN.len()).filter(|at| !met.contains(at)).map(|at| KNOWN[at]).collect();
    assert!(stale.is_empty(), "known differences that are none: {stale:?}");
    assert!(compared > 5000, "only {compared} records");
}
