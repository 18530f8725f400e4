//! `cargo xtask test`: everything CI does, the same on a laptop.
//!
//! Installs what is missing (and says so first), starts one Kafka for all tests, runs the steps,
//! stops what it started, and ends with one line of sums. A step that fails does not keep the later
//! ones from running, so that one run shows everything that is wrong.
//!
//! The end-to-end tests mostly wait: for brokers, for timers, for a minute to be over. The steps that
//! only compute run beside them, at the lowest priority so that no test notices. Without that the run
//! would take the sum of both.

use std::io::{self, BufRead, BufReader, Write};
use std::num::NonZero;
use std::process::{Command, ExitCode, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::install;
use crate::kafka::Broker;

/// Programs that the end-to-end tests run, the Debian package of each, and what it is for.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("cc", "build-essential", "builds the C libraries"),
    ("make", "build-essential", "builds the C libraries"),
    ("perl", "perl", "configures OpenSSL"),
    ("pkg-config", "pkg-config", "finds libraries while building"),
    ("/usr/include/librdkafka/rdkafka.h", "librdkafka-dev", "the example in C reads Kafka by it"),
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

/// Everything that there is to test. It builds the programs, too.
const TESTS: [&str; 3] = ["test", "--release", "--workspace"];

/// Tests at a time, also on two cores: they wait more than they compute.
const THREADS_MIN: usize = 3;

/// What users build: the programs with the features that they ask for themselves, without those that
/// tests add. Whether they compile is the question; that they link and run, the tests have shown.
const ALONE: [&str; 4] = ["check", "--release", "--workspace", "--bins"];

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
    tally: Tally,
}

/// Runs all steps.
#[must_use]
pub fn run() -> ExitCode {
    if let Err(what) = install::programs(PROGRAMS) {
        eprintln!("xtask: {what}");
        return ExitCode::FAILURE;
    }
    // The first start fetches Kafka's jars, which takes as long as the network does.
    let broker = thread::spawn(Broker::start);
    let mut outcomes = vec![
        step("format", Command::new("cargo").args(["fmt", "--all", "--check"])),
        step("build", Command::new("cargo").args([&TESTS[..], &["--no-run"]].concat())),
    ];
    let beside = thread::spawn(compute);
    outcomes.push(test(broker));
    outcomes.extend(beside.join().expect("steps do not panic"));
    conclude(&outcomes)
}

/// All tests in order, against one Kafka.
fn test(broker: JoinHandle<io::Result<Broker>>) -> Outcome {
    const NAME: &str = "tests against a real Kafka";
    match broker.join().expect("starting Kafka does not panic") {
        Ok(broker) => {
            let cores = thread::available_parallelism().map_or(1, NonZero::get);
            let mut tests = Command::new("cargo");
            tests.args(TESTS).arg("--no-fail-fast");
            tests.env("RUST_TEST_THREADS", cores.max(THREADS_MIN).to_string());
            step(NAME, tests.env("NECKAR_KAFKA", broker.address()))
        }
        Err(error) => {
            eprintln!("xtask: no Kafka: {error}");
            Outcome { name: NAME, ok: false, seconds: 0, tally: Tally::default() }
        }
    }
}

/// What waits for nothing. The first step builds in `target/debug`: in `target/release` it would wait
/// for the lock until the tests have begun, or they for it.
fn compute() -> Vec<Outcome> {
    let packages = CHECKED.iter().flat_map(|name| ["-p", name]);
    let checked: Vec<&str> = ["test"].into_iter().chain(packages).collect();
    let steps: [(&str, &[&str]); 4] = [
        ("tests with overflow checks", &checked),
        ("lints", &["clippy", "--release", "--workspace", "--all-targets", "--", "-Dwarnings"]),
        ("programs as users build them", &ALONE),
        ("instruction counts", &["xtask", "bench", "counts"]),
    ];
    steps.map(|(name, args)| quiet_step(name, args)).into()
}

/// The long form of `daemon/tests/neckard/torture.rs`, one test at a time, each telling what became of what.
///
/// # Errors
/// A test failed; it has told why.
pub fn torture(rounds: u64, transport: &str) -> io::Result<()> {
    let mut tests = Command::new("cargo");
    tests.args(["test", "--release", "-p", "neckard", "--test", "neckard", "--", "torture::"]);
    tests.args(["--test-threads", "1", "--nocapture"]);
    tests.env("NECKAR_TORTURE_ROUNDS", rounds.to_string());
    let status = tests.env("NECKAR_TORTURE_TRANSPORT", transport).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("some tests failed")) }
}

/// Runs a command, passing its standard output on while reading the harness's result lines from it.
fn step(name: &'static str, command: &mut Command) -> Outcome {
    println!("\n=== {name}");
    let (started, mut tally) = (Instant::now(), Tally::default());
    let ok = stream(command, &mut tally).unwrap_or_else(|error| {
        eprintln!("xtask: {command:?}: {error}");
        false
    });
    Outcome { name, ok, seconds: started.elapsed().as_secs(), tally }
}

fn stream(command: &mut Command, tally: &mut Tally) -> io::Result<bool> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let output = child.stdout.take().expect("it is piped");
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        tally.read(&line);
        // Nobody reads: the exit code still tells.
        let _ = writeln!(io::stdout(), "{line}");
    }
    Ok(child.wait()?.success())
}

/// Runs cargo at the lowest priority and says all of it at the end, so that it does not get between
/// the lines of a step that runs beside it.
fn quiet_step(name: &'static str, args: &[&str]) -> Outcome {
    let (started, mut tally) = (Instant::now(), Tally::default());
    // The shell puts what cargo and rustc say of errors in its place between the results.
    let mut command = Command::new("sh");
    command.args(["-c", "exec nice -n 19 cargo \"$@\" 2>&1", "sh"]).args(args);
    // What makes the next build quicker makes this one slower.
    command.env("CARGO_INCREMENTAL", "0");
    let (ok, said) = match command.stdin(Stdio::null()).output() {
        Ok(output) => (output.status.success(), output.stdout),
        Err(error) => (false, error.to_string().into()),
    };
    let said = String::from_utf8_lossy(&said);
    said.lines().for_each(|line| tally.read(line));
    let _ = writeln!(io::stdout(), "\n=== {name}\n{said}");
    Outcome { name, ok, seconds: started.elapsed().as_secs(), tally }
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

fn conclude(outcomes: &[Outcome]) -> ExitCode {
    println!();
    for outcome in outcomes {
        let mark = if outcome.ok { "ok    " } else { "FAILED" };
        println!("{mark} {:>4} s  {}", outcome.seconds, outcome.name);
    }
    let sum = |count: fn(&Tally) -> u64| outcomes.iter().map(|one| count(&one.tally)).sum::<u64>();
    // A step that failed without a failed test (format, lints, a test that does not build) counts
    // as one.
    let steps = outcomes.iter().filter(|outcome| !outcome.ok).count() as u64;
    let failed = sum(|tally| tally.failed).max(steps);
    println!(
        "{} passed, {failed} failed, {} skipped",
        sum(|tally| tally.passed),
        sum(|tally| tally.ignored)
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
