//! Every NetFlow and IPFIX vector against `vectors.txt`, which says what semantics.md demands.

use crate::{Bench, shared_folder};

/// Cases and their rows, as `vectors.txt` has them.
fn expected() -> Vec<(String, Vec<String>)> {
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    let text = include_str!("vectors.txt");
    for line in text.lines().skip_while(|line| !line.starts_with('#')) {
        let export = "TimeFlowStartNs=1700000000000000000 TimeFlowEndNs=1700000000000000000";
        match line.strip_prefix("  ") {
            Some(row) => cases.last_mut().unwrap().1.push(row.replace("@export", export)),
            None if line.is_empty() || line.starts_with('#') => {}
            None => cases.push((line.to_string(), Vec::new())),
        }
    }
    cases
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

#[test]
fn every_vector_decodes_as_the_rules_say() {
    let Some(folder) = shared_folder("vectors") else { return };
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let cases = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut expected = expected().into_iter();
    let mut bench = Bench::new();
    let mut last = String::new();
    // sFlow has its own test beside its code.
    for case in cases.filter(|case| case["proto"] != "sflow") {
        let name = case["case"].as_str().unwrap();
        if name != last {
            bench = Bench::new();
            last = name.into();
        }
        bench.exporter = case["src"].as_str().unwrap().parse().unwrap();
        let rows = bench.feed(&bytes(case["hex"].as_str().unwrap()));
        assert_eq!(Some((name.to_string(), rows)), expected.next(), "{name}");
    }
    assert_eq!(expected.next(), None, "expected, but there is no such vector");
}

/// What does not become a row is counted once, under the right name.
#[test]
fn every_vector_without_rows_has_its_counter() {
    let Some(folder) = shared_folder("vectors") else { return };
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let dropped = [
        ("v5-shortcount", "record_truncated", 2),
        ("v5-trunc-record", "record_truncated", 1),
        ("tmpl-missing", "set_template_missing", 1),
        ("tmpl-other-domain", "set_template_missing", 1),
        ("tmpl-trunc", "set_template_malformed", 1),
        ("tmpl-trunc", "set_template_missing", 1),
        ("set-id-5", "set_id_reserved", 1),
        ("ipfix-len-lt16", "datagram_length_invalid", 1),
        ("ver-8", "datagram_netflow_v8", 1),
        ("varlen-overrun", "set_truncated", 1),
        ("opt-scopezero", "set_template_malformed", 1),
        ("opt-scopezero", "set_template_missing", 1),
        ("withdraw-all", "set_template_missing", 1),
    ];
    let mut found = Vec::new();
    let cases = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let cases: Vec<_> = cases.filter(|case| case["proto"] != "sflow").collect();
    for group in cases.chunk_by(|one, next| one["case"] == next["case"]) {
        let mut bench = Bench::new();
        for case in group {
            bench.exporter = case["src"].as_str().unwrap().parse().unwrap();
            bench.feed(&bytes(case["hex"].as_str().unwrap()));
        }
        bench.decoder.expire(u64::MAX, &mut |_: &mut neckar_proto::Rows| panic!("nothing is left"));
        for cause in neckar_decode::Cause::ALL {
            if bench.counters().dropped(*cause) > 0 {
                let name = group[0]["case"].as_str().unwrap().to_string();
                found.push((name, cause.name(), bench.counters().dropped(*cause)));
            }
        }
    }
    let found: Vec<_> =
        found.iter().map(|(name, cause, count)| (&**name, *cause, *count)).collect();
    assert_eq!(found, dropped);
}
