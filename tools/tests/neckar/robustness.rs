//! Every capture and every vector there is, and what becomes of them when bytes change: the program
//! ends, within limits, and its counts add up.

use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use crate::frames::*;
use crate::program::run;
use crate::scratch::Scratch;
use crate::shared;

const FORMATS: [&str; 5] = ["json", "protojson", "csv", "line", "none"];

#[test]
fn every_file_goes_through_in_every_format() {
    let Some(captures) = shared::folder("captures") else { return };
    let files = shared::files(&captures);
    assert!(files.len() > 150, "only {} files", files.len());
    // A file at a time, then all as one stream. What is no capture (the README, expectations) must
    // only end.
    let names: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    for (index, name) in names.iter().enumerate() {
        let format = FORMATS[index % FORMATS.len()];
        let ran = run(["decode", "--stats", "--verbose", "--format", format, name]);
        assert!(matches!(ran.0.status.code(), Some(0 | 1)), "{name}: {:?}", ran.0.status);
        ran.stats();
    }
    for format in FORMATS {
        let args = ["decode", "--stats", "--format", format];
        let ran = run(args.into_iter().chain(names.iter().copied()));
        assert!(matches!(ran.0.status.code(), Some(0 | 1)), "{format}: {:?}", ran.0.status);
        assert!(ran.stats().count("flows") > 5000, "{format}");
    }
}

/// Name and timed packets of a sequence of vectors.
type Case = (String, Vec<(u64, Vec<u8>)>);

#[test]
fn every_vector_goes_through() {
    let Some(vectors) = shared::folder("vectors") else { return };
    let lines = std::fs::read_to_string(vectors.join("cases.jsonl")).unwrap();
    let scratch = Scratch::new();
    let mut cases: Vec<Case> = Vec::new();
    for line in lines.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let name = vector["case"].as_str().unwrap();
        if cases.last().is_none_or(|(last, _)| last != name) {
            cases.push((name.into(), Vec::new()));
        }
        cases.last_mut().unwrap().1.push((TIME_NS, frame(&vector)));
    }
    assert!(cases.len() > 50, "only {} cases", cases.len());
    for (name, frames) in cases {
        let file = scratch.file("case.pcap", &pcap(LITTLE, 101, &frames));
        for format in FORMATS {
            let ran = run(["decode", "--stats", "--format", format, file.to_str().unwrap()]);
            let stats = ran.exits(0).stats();
            assert_eq!(stats.count("datagrams"), frames.len() as u64, "{name}");
        }
    }
}

/// A vector as an IP packet from its exporter.
fn frame(vector: &Value) -> Vec<u8> {
    let hex = vector["hex"].as_str().unwrap();
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    let (source, port) = (vector["src"].as_str().unwrap(), &vector["port"]);
    if source.contains(':') {
        let source = format!("[{source}]:{port}");
        let names = (source.as_str(), V6.1);
        return ipv6(names, 17, &udp(names, &bytes));
    }
    let source = format!("{source}:{port}");
    let names = (source.as_str(), V4.1);
    ipv4(names, (1, 0, false), 0, &udp(names, &bytes))
}

#[test]
fn mutated_captures_go_through() {
    let Some(captures) = shared::folder("captures") else { return };
    let seeds: Vec<Vec<u8>> = shared::files(&captures)
        .iter()
        .filter(|file| !file.to_str().unwrap().contains("/expected/"))
        .map(|file| std::fs::read(file).unwrap())
        .filter(|bytes| bytes.len() < 4000)
        .collect();
    let scratch = Scratch::new();
    let edit = proptest::arbitrary::any::<(proptest::sample::Index, u8)>();
    let seed = proptest::arbitrary::any::<proptest::sample::Index>();
    let strategy = (seed, proptest::collection::vec(edit, 1..20));
    // A hundred files in one run of the program, so that it is the program that takes the time.
    let many = proptest::collection::vec(strategy, 100);
    let mut runner =
        TestRunner::new(Config { cases: 8, max_shrink_iters: 64, ..Config::default() });
    let result = runner.run(&many, |mutations| {
        let mut names = Vec::new();
        for (number, (seed, edits)) in mutations.iter().enumerate() {
            let mut bytes = seeds[seed.index(seeds.len())].clone();
            for (index, value) in edits {
                let index = index.index(bytes.len());
                bytes[index] = *value;
            }
            let file = scratch.file(&number.to_string(), &bytes);
            names.push(file.to_str().unwrap().to_string());
        }
        let args = ["decode", "--stats", "--format", "json"].map(String::from);
        let ran = run(args.into_iter().chain(names));
        assert!(matches!(ran.0.status.code(), Some(0 | 1)), "{:?}: {}", ran.0.status, ran.stderr());
        ran.stats();
        Ok(())
    });
    result.unwrap();
}
