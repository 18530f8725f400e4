//! Faults, one after another, under load, into the real Kafka: what was sent, what arrived, what came
//! twice, what was dropped and why. Every test prints its line of the table.
//!
//! `cargo xtask torture --rounds N` runs the long form; plain `cargo test` one round. By which transport,
//! `--transport` says; otherwise it is the native one, and one fault by librdkafka, too.

use std::io::Write as _;
use std::time::Duration;

use crate::support::audit::{Audit, audit};
use crate::support::generator::Generator;
use crate::support::process::{Neckard, Report};
use crate::support::systemd::Systemd;
use crate::support::{free_udp_port, fresh_topic, scratch, wait_until};
use xtask::kafka::{self, Broker, Cluster, PASSWORD, Secured, USER};

const RATE: u64 = 20_000;
/// A fault and its recovery: broker processes of this size need so long.
const ROUND: Duration = Duration::from_secs(12);

fn rounds() -> u64 {
    std::env::var("NECKAR_TORTURE_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

fn transport() -> String {
    std::env::var("NECKAR_TORTURE_TRANSPORT").unwrap_or_else(|_| "auto".into())
}

/// Flows that keep the generator busy through all rounds and a bit longer.
fn flows() -> u64 {
    RATE * (rounds() * ROUND.as_secs() + 4)
}

fn sleep_ms(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

struct Sitting {
    topic: String,
    settings: Vec<String>,
}

impl Sitting {
    fn new(subject: &str, brokers: &str, extra: &[&str]) -> Self {
        Self::by(&transport(), subject, brokers, extra)
    }

    fn by(transport: &str, subject: &str, brokers: &str, extra: &[&str]) -> Self {
        let topic = fresh_topic(subject);
        let mut settings = vec![
            "output.kind=kafka".to_string(),
            format!("kafka.brokers={:?}", brokers.split(',').collect::<Vec<_>>()),
            format!("kafka.topic={topic}"),
            "kafka.compression=none".to_string(),
            format!("kafka.transport={transport}"),
        ];
        settings.extend(extra.iter().map(ToString::to_string));
        Self { topic, settings }
    }

    fn start(&self) -> Neckard {
        Neckard::start(&self.settings.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// Stops the daemon once nothing more comes, reads the topic, and prints the line.
fn conclude(
    what: &str,
    sitting: &Sitting,
    brokers: &str,
    neckard: Neckard,
    sent: u64,
) -> (Report, Audit) {
    conclude_after(&[], what, sitting, brokers, neckard, sent)
}

/// The same for the last of several daemons, of which the `earlier` ones have reported.
fn conclude_after(
    earlier: &[Report],
    what: &str,
    sitting: &Sitting,
    brokers: &str,
    neckard: Neckard,
    sent: u64,
) -> (Report, Audit) {
    let mut last = u64::MAX;
    while last != neckard.metric("neckar_receive_datagrams_total") {
        last = neckard.metric("neckar_receive_datagrams_total");
        sleep_ms(500);
    }
    let (status, report) = neckard.stop();
    assert!(status.success(), "{what}: {status}");
    let report = earlier.iter().fold(report, |sum, one| sum.and(one));
    let audit = audit(brokers, &sitting.topic);
    print_line(what, sent, &report, &audit);
    // The daemon's own books, whatever happened.
    assert_eq!(
        report.flows,
        report.delivered + report.shed + report.failed + report.left,
        "{what}"
    );
    (report, audit)
}

fn print_line(what: &str, sent: u64, report: &Report, audit: &Audit) {
    println!(
        "{what}: {sent} sent = {} delivered + {} shed + {} failed + {} left + {} not decoded; {} in Kafka, \
         {} of them duplicates, {} missing by sequence numbers, {} overtaken; {} datagrams dropped by \
         the kernel",
        report.delivered,
        report.shed,
        report.failed,
        report.left,
        report.not_decoded,
        audit.messages,
        audit.duplicates(),
        audit.missing,
        audit.overtaken,
        report.kernel_drops,
    );
}

/// Everything sent is in Kafka, at least once.
fn assert_nothing_lost(what: &str, sent: u64, report: &Report, audit: &Audit) {
    assert_eq!(report.kernel_drops + report.not_decoded, 0, "{what}: {report:?}");
    assert_eq!(report.delivered, sent, "{what}: {report:?}");
    assert_eq!((audit.distinct, audit.missing), (sent, 0), "{what}: {audit:?}");
}

#[test]
fn a_broker_killed_and_restarted() {
    kill_and_restart("broker killed", &transport());
}

#[test]
fn a_broker_killed_and_restarted_under_librdkafka() {
    kill_and_restart("broker killed, librdkafka", "librdkafka");
}

fn kill_and_restart(what: &str, transport: &str) {
    let mut broker = Broker::start().unwrap();
    let brokers = broker.address();
    let sitting = Sitting::by(transport, "killed", &brokers, &[]);
    let neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    for _ in 0..rounds() {
        sleep_ms(2000);
        broker.kill().unwrap();
        sleep_ms(1000);
        broker.restart().unwrap();
    }
    let sent = generator.flows();
    let (report, audit) = conclude(what, &sitting, &brokers, neckard, sent);
    assert_nothing_lost(what, sent, &report, &audit);
}

#[test]
fn a_broker_that_is_there_and_does_not_answer() {
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    let sitting = Sitting::new("paused", &brokers, &[]);
    let neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    for _ in 0..rounds() {
        sleep_ms(2000);
        broker.signal("STOP").unwrap();
        sleep_ms(5000);
        broker.signal("CONT").unwrap();
    }
    let sent = generator.flows();
    let (report, audit) = conclude("broker paused", &sitting, &brokers, neckard, sent);
    assert_nothing_lost("broker paused", sent, &report, &audit);
}

/// What was in it is gone by the operator's will; what comes after is delivered or counted.
#[test]
fn a_topic_deleted() {
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    let sitting = Sitting::new("deleted", &brokers, &[]);
    let neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    for _ in 0..rounds() {
        sleep_ms(3000);
        kafka::delete_topic(&brokers, &sitting.topic).unwrap();
    }
    sleep_ms(2000);
    let sent = generator.flows();
    let (report, audit) = conclude("topic deleted", &sitting, &brokers, neckard, sent);
    assert_eq!(report.flows, sent);
    assert!(audit.messages > 0, "the topic is made anew and filled: {report:?}");
}

/// Kafka gives up when its disk is full; with room again it takes everything that waited.
#[test]
fn a_disk_that_is_full() {
    let Ok(mut broker) = Broker::start_on_disk_of(20) else {
        let _ = writeln!(std::io::stderr(), "SKIPPED: a disk of its own needs root");
        assert!(std::env::var_os("CI").is_none(), "CI runs as root");
        return;
    };
    let brokers = broker.address();
    let sitting = Sitting::new("disk-full", &brokers, &[]);
    let neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    wait_until("the broker gives up", ROUND, || !broker.runs());
    broker.resize_disk(2000).unwrap();
    sleep_ms(1000);
    broker.restart().unwrap();
    let sent = generator.flows();
    let (report, audit) = conclude("disk full", &sitting, &brokers, neckard, sent);
    assert_nothing_lost("disk full", sent, &report, &audit);
}

/// What a crash of ours costs is what was in memory, and the routers' sequence numbers tell how much.
#[test]
fn the_daemon_killed() {
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    let port = free_udp_port();
    let state = scratch("torture-state");
    let listen = format!("listen=[{{address = \"127.0.0.1:{port}\"}}]");
    let state = format!("state.directory={}", state.display());
    let sitting = Sitting::new("crash", &brokers, &[&listen, &state]);
    let mut neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    for _ in 0..rounds() {
        sleep_ms(4000);
        neckard.kill();
        neckard = sitting.start();
    }
    let sent = generator.flows();
    let (_, audit) = conclude("daemon killed", &sitting, &brokers, neckard, sent);
    assert_eq!(audit.missing, sent - audit.distinct, "{audit:?}");
    // A second of flows: what lingered in batches and in the producer, and what came while nobody
    // listened.
    assert!(audit.missing < rounds() * 2 * RATE, "{audit:?}");
    assert_eq!(audit.duplicates(), 0);
}

#[test]
fn a_leader_killed_among_three() {
    let mut cluster = Cluster::start().unwrap();
    let brokers = cluster.addresses();
    let safe = "kafka.properties={ acks = \"all\", \"enable.idempotence\" = \"true\" }";
    let sitting = Sitting::new("leader", &brokers, &[safe]);
    kafka::create_topic(&brokers, &sitting.topic, 6).unwrap();
    let neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    for round in 0..rounds() as usize {
        sleep_ms(3000);
        let broker = &mut cluster.brokers[round % 3];
        broker.kill().unwrap();
        sleep_ms(3000);
        broker.restart().unwrap();
    }
    let sent = generator.flows();
    let (report, audit) = conclude("leader killed", &sitting, &brokers, neckard, sent);
    assert_nothing_lost("leader killed", sent, &report, &audit);
    assert_eq!((audit.duplicates(), audit.overtaken), (0, 0), "{audit:?}");
}

/// SIGTERM: what the kernel had taken in is delivered before the end; what comes while nobody listens
/// is missing, and nothing else is.
#[test]
fn the_daemon_stopped() {
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    let listen = format!("listen=[{{address = \"127.0.0.1:{}\"}}]", free_udp_port());
    let sitting = Sitting::new("stopped", &brokers, &[&listen]);
    let mut neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    let mut reports = Vec::new();
    for _ in 0..rounds() {
        sleep_ms(4000);
        let (status, report) = neckard.stop();
        assert!(status.success());
        reports.push(report);
        neckard = sitting.start();
    }
    let sent = generator.flows();
    let (report, audit) =
        conclude_after(&reports, "daemon stopped", &sitting, &brokers, neckard, sent);
    assert_eq!((report.shed, report.failed, report.left, report.not_decoded), (0, 0, 0, 0));
    assert_eq!((report.delivered, audit.duplicates()), (audit.distinct, 0), "{audit:?}");
    assert_eq!(audit.missing, sent - audit.distinct, "{audit:?}");
}

/// The same where systemd keeps the sockets: nothing is missing.
#[test]
fn the_daemon_restarted_with_its_sockets_kept() {
    let broker = Broker::start().unwrap();
    let brokers = broker.address();
    let listen = format!("listen=[{{address = \"127.0.0.1:{}\"}}]", free_udp_port());
    let state = format!("state.directory={}", scratch("torture-handover").display());
    let extra = [listen.as_str(), &state, "stop.keep_sockets=true"];
    let sitting = Sitting::new("handover", &brokers, &extra);
    let settings: Vec<&str> = sitting.settings.iter().map(String::as_str).collect();
    let mut systemd = Systemd::new("torture-systemd");
    let mut neckard = systemd.start(&settings);
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    let mut reports = Vec::new();
    assert!(systemd.stored() > 0);
    for _ in 0..rounds() {
        sleep_ms(4000);
        let (status, report) = neckard.stop();
        assert!(status.success());
        reports.push(report);
        neckard = systemd.start(&settings);
    }
    let sent = generator.flows();
    let (report, audit) =
        conclude_after(&reports, "daemon restarted", &sitting, &brokers, neckard, sent);
    assert_nothing_lost("daemon restarted", sent, &report, &audit);
    assert_eq!(audit.duplicates(), 0, "{audit:?}");
}

/// The topic is not there, and nobody makes it but the operator: flows wait for it.
#[test]
fn a_topic_that_is_made_late() {
    let broker = Broker::start_with_known_topics().unwrap();
    let brokers = broker.address();
    let sitting = Sitting::new("late", &brokers, &[]);
    let neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", 4 * RATE, RATE);
    wait_until("all are under way", ROUND, || {
        neckard.metric("neckar_output_in_flight") >= 4 * RATE
    });
    assert_eq!(neckard.metric("neckar_output_delivered_total"), 0);
    kafka::create_topic(&brokers, &sitting.topic, 3).unwrap();
    let sent = generator.flows();
    let (report, audit) = conclude("topic made late", &sitting, &brokers, neckard, sent);
    assert_nothing_lost("topic made late", sent, &report, &audit);
    assert_eq!(audit.duplicates(), 0);
}

/// The right to write is taken away and given back: flows wait, told by name, and all are delivered
/// without anybody's doing. Through librdkafka they fail at once, counted by that name.
#[test]
fn the_right_to_write_lost() {
    let secured = Secured::start(&scratch("torture-secured")).unwrap();
    let plain = secured.broker.address();
    let password = scratch("torture-password").join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    let sasl = format!(
        "kafka.sasl={{mechanism = \"plain\", username = \"{USER}\", password_file = \"{}\"}}",
        password.display(),
    );
    let sitting = Sitting::new("forbidden", &secured.sasl, &[&sasl]);
    kafka::create_topic(&plain, &sitting.topic, 3).unwrap();
    let neckard = sitting.start();
    let metric = |name: &str| neckard.metric(&format!("neckar_output_{name}"));
    let generator = Generator::start(neckard.udp(), "v5", flows(), RATE);
    wait_until("some are delivered", ROUND, || metric("delivered_total") > RATE);
    kafka::forbid(&plain, &sitting.topic, USER, true).unwrap();
    let waits = transport() != "librdkafka";
    let place = if waits { "/healthz" } else { "/metrics" };
    let says_so = || neckard.fetch(place).1.contains("TopicAuthorizationFailed");
    wait_until("it is told", ROUND, says_so);
    kafka::forbid(&plain, &sitting.topic, USER, false).unwrap();
    let delivered = metric("delivered_total");
    wait_until("more are delivered", 2 * ROUND, || metric("delivered_total") > delivered);
    let sent = generator.flows();
    let (report, audit) = conclude("right to write lost", &sitting, &plain, neckard, sent);
    assert_eq!(audit.duplicates(), 0);
    if waits {
        return assert_nothing_lost("right to write lost", sent, &report, &audit);
    }
    assert!(report.failed > 0, "{report:?}");
    assert_eq!((report.delivered, report.delivered + report.failed), (audit.distinct, sent));
}
