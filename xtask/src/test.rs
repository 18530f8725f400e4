//! `cargo xtask test`: everything CI does, the same on a laptop.
//!
//! Installs what is missing (and says so first), starts one Kafka for all tests, runs the steps in
//! order, stops what it started, and ends with one line of sums. A step that fails does not keep
//! the later ones from running, so that one run shows everything that is wrong.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::install;
use crate::kafka::Broker;

/// Programs that the end-to-end tests run, the Debian package of each, and what it is for.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("cc", "build-essential", "builds the C libraries"),
    ("make", "build-essential", "builds the C libraries"),
    ("perl", "perl", "configures OpenSSL"),
    ("pkg-config", "pkg-config", "finds libraries while building"),
    ("java", "openjdk-17-jre-headless", "runs Apache Kafka"),
    ("mvn", "maven", "fetches Apache Kafka's jars"),
    ("tshark", "tshark", "independent witness of what datagrams say"),
    ("softflowd", "softflowd", "real exporter: NetFlow v5, v9, IPFIX"),
    ("pmacctd", "pmacct", "real exporter: nfprobe"),
    ("nfcapd", "nfdump", "fills the files that nfreplay exports"),
    ("nfreplay", "nfdump", "real exporter: v9 from files"),
    ("snmpd", "snmpd", "real device that is asked for interface names"),
    ("snmpsimd", "snmpsim", "simulated devices with thousands of interfaces"),
    ("chromium", "chromium", "real browser that looks at the page"),
    ("chromedriver", "chromium-driver", "drives the browser"),
    ("python3", "python3", "drives witnesses in another language"),
    ("protoc", "protobuf-compiler", "makes other languages' code of our .proto"),
    (
        "/usr/lib/python3/dist-packages/confluent_kafka",
        "python3-confluent-kafka",
        "reads Kafka in another language",
    ),
    (
        "/usr/lib/python3/dist-packages/google/protobuf",
        "python3-protobuf",
        "decodes flows in another language",
    ),
    ("influxd", "influxdb", "takes the counters that are pushed"),
    (
        "prometheus",
        "prometheus",
        "scrapes the daemon, answers the boards' queries, takes remote writes",
    ),
    ("promtool", "prometheus", "checks the rules and runs their tests"),
    ("valgrind", "valgrind", "counts the hot rooms' instructions"),
];

/// Crates without C code, whose tests also run with debug assertions and overflow checks.
const CHECKED: &[&str] = &[
    "neckar-proto",
    "neckar-decode",
    "neckar-enrich",
    "neckar-filter",
    "neckar-export",
    "neckar-traffic",
];

/// Counts of the test harness.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// One step and how it went.
struct Outcome {
    name: &'static str,
    ok: bool,
    seconds: u64,
}

/// Runs all steps.
#[must_use]
pub fn run() -> ExitCode {
    if let Err(what) = install::programs(PROGRAMS) {
        eprintln!("xtask: {what}");
        return ExitCode::FAILURE;
    }
    let mut tally = Tally::default();
    let mut outcomes = Vec::new();
    let mut step = |name: &'static str, command: &mut Command| {
        println!("\n=== {name}");
        let started = Instant::now();
        let ok = stream(command, &mut tally);
        outcomes.push(Outcome { name, ok, seconds: started.elapsed().as_secs() });
    };
    step("format", cargo(&["fmt", "--all", "--check"]));
    step("build", cargo(&["build", "--release", "--workspace", "--bins"]));
    step(
        "lints",
        cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "-Dwarnings"]),
    );
    let mut checked = vec!["test"];
    for name in CHECKED {
        checked.extend(["-p", name]);
    }
    step("tests with overflow checks", cargo(&checked));
    step("instruction counts", cargo(&["xtask", "bench", "counts"]));
    match Broker::start() {
        Ok(broker) => {
            let mut tests = Command::new("cargo");
            tests.args(["test", "--release", "--workspace", "--no-fail-fast"]);
            step("tests against a real Kafka", tests.env("NECKAR_KAFKA", broker.address()));
        }
        Err(error) => {
            eprintln!("xtask: no Kafka: {error}");
            outcomes.push(Outcome { name: "tests against a real Kafka", ok: false, seconds: 0 });
        }
    }
    conclude(&outcomes, tally)
}

/// The long form of `daemon/tests/neckard/torture.rs`, one test at a time, each telling what became of what.
///
/// # Errors
/// A test failed; it has told why.
pub fn torture(rounds: u64) -> io::Result<()> {
    let mut tests = Command::new("cargo");
    tests.args(["test", "--release", "-p", "neckard", "--test", "neckard", "--", "torture::"]);
    tests.args(["--test-threads", "1", "--nocapture"]);
    let status = tests.env("NECKAR_TORTURE_ROUNDS", rounds.to_string()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("some tests failed")) }
}

/// A cargo command, leaked so that a list of steps reads as one: xtask ends soon after.
fn cargo(args: &[&str]) -> &'static mut Command {
    let command = Box::leak(Box::new(Command::new("cargo")));
    command.args(args)
}

/// Runs a command, passing its standard output on while reading the harness's result lines from it.
fn stream(command: &mut Command, tally: &mut Tally) -> bool {
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("xtask: {command:?}: {error}");
            return false;
        }
    };
    let output = child.stdout.take().expect("it is piped");
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        tally.read(&line);
        // Nobody reads: the exit code still tells.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    child.wait().is_ok_and(|status| status.success())
}

impl Tally {
    /// Adds a line like `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        for part in rest.split([';', '.']) {
            let mut words = part.split_whitespace();
            let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
                continue;
            };
            match words.next() {
                Some("passed") => self.passed += count,
                Some("failed") => self.failed += count,
                Some("ignored") => self.ignored += count,
                _ => {}
            }
        }
    }
}

fn conclude(outcomes: &[Outcome], mut tally: Tally) -> ExitCode {
    println!();
    for outcome in outcomes {
        let mark = if outcome.ok { "ok    " } else { "FAILED" };
        println!("{mark} {:>4} s  {}", outcome.seconds, outcome.name);
    }
    // A step that failed without a failed test (format, lints, a test that does not build) counts
    // as one.
    let failed = outcomes.iter().filter(|outcome| !outcome.ok).count() as u64;
    tally.failed = tally.failed.max(failed);
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.ignored);
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_lines_are_added_up() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        tally.read("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured");
        tally.read("test something ... ok");
        assert_eq!((tally.passed, tally.failed, tally.ignored), (5, 4, 1));
    }
}
