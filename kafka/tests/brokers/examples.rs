//! The examples do what they say, on a real Kafka.

use std::path::PathBuf;
use std::process::Command;

use xtask::kafka::{Broker, create_topic};

/// Runs an example, as the reader of its first lines would.
fn run(example: &str, args: &[&str]) -> String {
    let ran = Command::new(built(example)).args(args).output().unwrap();
    assert!(ran.status.success(), "{example}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Where an example lies: `cargo test` has built it beside the tests. Cargo is not asked again: from within
/// a test it sees another environment, and builds librdkafka anew.
fn built(example: &str) -> PathBuf {
    // The test itself lies in `deps`, beside `examples`.
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples").join(example);
    assert!(path.exists(), "{}: cargo test -p neckar-kafka builds it", path.display());
    path
}

#[test]
fn what_is_produced_is_consumed_once() {
    const FLOWS: u64 = 12_000;
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    create_topic(&brokers, "flows", 2).unwrap();
    let produced = run("producer", &[&brokers, "flows", &FLOWS.to_string()]);
    assert_eq!(produced, "12000 submitted, 12000 delivered, 0 failed\n");
    let consume = || run("consumer", &[&brokers, "flows", "billing"]);
    // Two batches of 5000 and one of 2000, each counting from 0.
    let bytes: u64 =
        [5000, 5000, 2000].map(|flows: u64| flows * 1500 + flows * (flows - 1) / 2).iter().sum();
    let behind = "partition 0: 0 records behind\npartition 1: 0 records behind\n";
    assert_eq!(consume(), format!("protocol 6: {bytes} bytes\n{behind}"));
    assert_eq!(consume(), behind, "what is committed does not come again");
}
