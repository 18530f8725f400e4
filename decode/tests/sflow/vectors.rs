//! Every sFlow vector against `vectors.txt`, which says what semantics.md demands.

use std::collections::BTreeMap;

use neckar_decode::{Config, Counters};

use crate::{decode, shared_folder};

/// What a case comes to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    rows: Vec<BTreeMap<String, String>>,
    /// With `decapsulate`, where that makes a difference.
    inner: Vec<BTreeMap<String, String>>,
    /// Counters that are not 0, apart from records and flows.
    counts: String,
}

/// Cases and their outcomes, as `vectors.txt` has them.
fn expected() -> Vec<(String, Outcome)> {
    let text = include_str!("vectors.txt");
    let shorthands: BTreeMap<&str, &str> = text
        .lines()
        .filter(|line| line.starts_with('@'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    let mut cases: Vec<(String, Outcome)> = Vec::new();
    for line in text.lines().skip_while(|line| !line.starts_with('#')) {
        if let Some(said) = line.strip_prefix("  ") {
            let outcome = &mut cases.last_mut().unwrap().1;
            if let Some(counts) = said.strip_prefix("count: ") {
                outcome.counts = counts.into();
            } else if let Some(row) = said.strip_prefix("inner: ") {
                outcome.inner.push(fields(row, &shorthands));
            } else {
                outcome.rows.push(fields(said, &shorthands));
            }
        } else if line.starts_with("sf-") {
            cases.push((line.to_string(), Outcome::default()));
        }
    }
    cases
}

/// Fields by name; of one said twice the last counts.
fn fields(text: &str, shorthands: &BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for word in text.split(' ') {
        match word.split_once('=') {
            Some((name, value)) => {
                fields.insert(name.to_string(), value.to_string());
            }
            None => fields.extend(self::fields(shorthands[word], shorthands)),
        }
    }
    fields
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

fn counts(counters: &Counters) -> String {
    let all = [
        ("counter_samples", counters.counter_samples),
        ("discard_samples", counters.discard_samples),
        ("unknown_samples", counters.unknown_samples),
        ("parts_malformed", counters.parts_malformed),
        ("rate_unknown", counters.rate_unknown),
        ("dropped", counters.dropped.iter().sum()),
    ];
    let some = all.iter().filter(|(_, count)| *count > 0);
    some.map(|(name, count)| format!("{name}={count}")).collect::<Vec<_>>().join(" ")
}

fn outcome(bytes: &[u8]) -> Outcome {
    let none = BTreeMap::new();
    let all = |lines: &[String]| lines.iter().map(|line| fields(line, &none)).collect();
    let (rows, counters) = decode(Config::default(), [bytes]);
    let (inner, _) = decode(Config { decapsulate: true, ..Config::default() }, [bytes]);
    let inner = if inner == rows { Vec::new() } else { all(&inner) };
    Outcome { rows: all(&rows), inner, counts: counts(&counters) }
}

#[test]
fn every_vector_decodes_as_the_rules_say() {
    let Some(folder) = shared_folder("vectors") else { return };
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let cases = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut expected = expected().into_iter();
    for case in cases.filter(|case| case["proto"] == "sflow") {
        let name = case["case"].as_str().unwrap();
        let outcome = outcome(&bytes(case["hex"].as_str().unwrap()));
        assert_eq!(Some((name.to_string(), outcome)), expected.next(), "{name}");
    }
    assert_eq!(expected.next(), None, "expected, but there is no such vector");
}
