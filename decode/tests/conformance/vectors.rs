//! stub
use crate::{Bench, shared_folder};

#[test]
fn dump() {
    let Some(folder) = shared_folder("vectors") else { return };
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let mut last = String::new();
    let mut bench = Bench::new();
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = case["case"].as_str().unwrap().to_string();
        if name != last {
            println!("{:?}", bench.counters().dropped);
            bench = Bench::new();
            last.clone_from(&name);
        }
        bench.exporter = case["src"].as_str().unwrap().parse().unwrap();
        let hex = case["hex"].as_str().unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        println!("{name}: {:#?}", bench.feed(&bytes));
    }
}
