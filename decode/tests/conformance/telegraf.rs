//! Flows as telegraf's expectations have them (`expected/telegraf`): ends, protocol, counters and, where
//! they are there, times.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use neckar_proto::{Field, Rows};

use super::{Bench, shared_folder};

/// Cases, and how many flows each has.
const CASES: [(&str, usize); 4] = [
    ("ipfix_example", 29),
    ("ipfix_pen_35632", 2),
    ("netflow_v5_example", 8),
    ("netflow_v9_example", 8),
];

/// One flow as words, in the order of [`NAMES`].
type Words = Vec<String>;

/// telegraf's names; the first that a line has counts.
const NAMES: [&[&str]; 8] = [
    &["src"],
    &["dst"],
    &["src_port"],
    &["dst_port"],
    &["protocol"],
    &["in_bytes", "in_total_bytes"],
    &["in_packets", "in_total_packets"],
    &["flow_start_ms"],
];

/// The flows of a file in line protocol. Values have no comma in the fields that we look at.
fn expected(path: &Path) -> Vec<Words> {
    let text = fs::read_to_string(path).unwrap();
    let mut flows = Vec::new();
    for line in text.lines() {
        let pairs = line.split([',', ' ']).filter_map(|pair| pair.split_once('='));
        let pairs: BTreeMap<&str, &str> = pairs.collect();
        if !pairs.contains_key("src") {
            continue;
        }
        let word = |names: &&[&str]| {
            let value = names.iter().find_map(|name| pairs.get(name)).copied().unwrap_or("-");
            value.trim_matches('"').trim_end_matches('u').to_string()
        };
        let mut words: Words = NAMES.iter().map(word).collect();
        words[4] = match words[4].as_str() {
            "tcp" => "6".into(),
            "udp" => "17".into(),
            other => panic!("protocol {other}"),
        };
        flows.push(words);
    }
    flows
}

/// What the decoder makes of a case's datagrams, in the order of their names.
fn decoded(folder: &Path) -> Vec<Words> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "bin"))
        .collect();
    files.sort();
    let mut bench = Bench::new();
    let mut flows = Vec::new();
    for file in files {
        let bytes = fs::read(file).unwrap();
        bench.feed_rows(&bytes, &mut |rows: &mut Rows| {
            flows.extend(rows.as_slice().iter().map(|flow| {
                let word = |field| flow.word_or_zero(field).to_string();
                vec![
                    flow.ip(Field::SrcAddr).unwrap().to_string(),
                    flow.ip(Field::DstAddr).unwrap().to_string(),
                    word(Field::SrcPort),
                    word(Field::DstPort),
                    word(Field::Proto),
                    word(Field::Bytes),
                    word(Field::Packets),
                    (flow.word_or_zero(Field::TimeFlowStartNs) / 1_000_000).to_string(),
                ]
            }));
        });
    }
    flows
}

#[test]
fn flows_are_as_telegraf_has_them() {
    let Some(captures) = shared_folder("captures") else { return };
    let inputs = captures.join("influxdata-telegraf/plugins/inputs/netflow/testcases");
    for (name, count) in CASES {
        let mut expected = expected(&captures.join(format!("expected/telegraf/{name}.out")));
        let mut found = decoded(&inputs.join(name));
        assert_eq!(expected.len(), count, "{name}");
        // It has v5's times in milliseconds since the router started.
        for flow in found.iter_mut().filter(|_| name == "netflow_v5_example") {
            flow[7] = "-".into();
        }
        let ends = |flow: &Words| flow[..4].to_vec();
        for flow in expected.drain(..) {
            let at = found.iter().position(|one| *one == flow);
            let at = at.unwrap_or_else(|| panic!("{name}: no {flow:?} among {found:?}"));
            // Of a biflow telegraf has one line, we have the way back too (RFC 5103).
            let back = [&flow[1], &flow[0], &flow[3], &flow[2]].map(Clone::clone);
            let is_biflow = found.get(at + 1).is_some_and(|next| ends(next) == back);
            found.drain(at..=at + usize::from(is_biflow));
        }
        assert!(found.is_empty(), "{name}: more than telegraf has: {found:?}");
    }
}
