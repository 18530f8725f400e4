//! Outages that are longer than memory, with a real Kafka: what does not fit waits on disk, in order,
//! over the end of the daemon too, and every flow is accounted for.

use std::time::Duration;

use crate::support::audit::audit;
use crate::support::generator::Generator;
use crate::support::process::{Neckard, Report};
use crate::support::{Disk, fresh_topic, scratch, wait_until};
use xtask::kafka::Broker;

const RATE: u64 = 20_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker, and daemons that share a topic and a spool.
struct Sitting {
    broker: Broker,
    topic: String,
    settings: Vec<String>,
}

impl Sitting {
    /// With the least memory there is: a fraction of a second at this rate.
    fn new(subject: &str, extra: &[&str]) -> Self {
        let broker = Broker::start().unwrap();
        let (topic, folder) = (fresh_topic(subject), scratch(subject).join("spool"));
        let mut settings = vec![
            "output.kind=kafka".into(),
            format!("kafka.brokers=[\"{}\"]", broker.address()),
            format!("kafka.topic={topic}"),
            "kafka.compression=none".into(),
            "batch.memory_bytes=4194304".into(),
            // A disk that is slow for a moment is waited for.
            "batch.stall_ms=1000".into(),
            format!("spool.directory={}", folder.display()),
        ];
        settings.extend(extra.iter().map(ToString::to_string));
        Self { broker, topic, settings }
    }

    fn start(&self) -> Neckard {
        Neckard::start(&self.settings.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Nothing waits on disk or on its way.
    fn drained(neckard: &Neckard) {
        wait_until("the disk is empty", PATIENCE, || {
            neckard.metric("neckar_spool_flows") == 0
                && neckard.metric("neckar_output_in_flight") == 0
        });
    }
}

/// What the daemon says of its disk: carried in, written, delivered, shed, damaged, left, refused, may
/// come twice.
fn spool_line(log: &[String]) -> [u64; 8] {
    let line = log.iter().rfind(|line| line.contains("carried in")).unwrap();
    let after = line.split_once("spool: ").unwrap().1;
    let words = after.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap()
}

fn stop(neckard: Neckard) -> (Report, [u64; 8]) {
    let (status, report, log) = neckard.stop_with_log();
    assert!(status.success());
    let spool = spool_line(&log);
    let [carried_in, written, delivered, shed, damaged, left, ..] = spool;
    assert_eq!(carried_in + written, delivered + shed + damaged + left, "{spool:?}");
    (report, spool)
}

#[test]
fn an_outage_longer_than_memory_loses_nothing() {
    let mut sitting = Sitting::new("spool-outage", &[]);
    let neckard = sitting.start();
    let generator = Generator::start(neckard.udp(), "v5", 10 * RATE, RATE);
    std::thread::sleep(Duration::from_secs(2));
    sitting.broker.stop().unwrap();
    let on_disk = || neckard.metric("neckar_spool_flows");
    wait_until("the disk has more than memory", PATIENCE, || on_disk() > 3 * RATE);
    sitting.broker.restart().unwrap();
    let sent = generator.flows();
    Sitting::drained(&neckard);
    let (report, [_, written, ..]) = stop(neckard);
    assert_eq!((report.flows, report.shed, report.failed, report.left), (sent, 0, 0, 0));
    assert_eq!((report.delivered, report.kernel_drops), (sent, 0), "{report:?}");
    assert!(written > 3 * RATE, "{written} flows were on disk");
    let audit = audit(&sitting.broker.address(), &sitting.topic);
    assert_eq!((audit.distinct, audit.missing), (sent, 0), "{audit:?}");
}

#[test]
fn what_was_on_disk_outlives_the_daemon() {
    let mut sitting = Sitting::new("spool-restart", &["stop.deadline_s=1"]);
    let neckard = sitting.start();
    let sent = Generator::start(neckard.udp(), "v5", RATE, RATE).flows();
    wait_until("all are in Kafka", PATIENCE, || {
        neckard.metric("neckar_output_delivered_total") == sent
    });
    sitting.broker.stop().unwrap();
    // Killed while it writes: the disk has what it says it has.
    let mut generator = Generator::start(neckard.udp(), "v5", 10 * RATE, RATE);
    wait_until("some are on disk", PATIENCE, || neckard.metric("neckar_spool_flows") > RATE);
    let on_disk = neckard.metric("neckar_spool_flows");
    neckard.kill();
    assert!(generator.sends(), "in the midst of it");
    drop(generator);
    // Stopped in an orderly manner while Kafka is away: nothing is lost.
    let neckard = sitting.start();
    let carried_in = neckard.metric("neckar_spool_carried_in_total");
    assert!(carried_in >= on_disk, "{carried_in} of {on_disk}");
    assert_eq!(neckard.metric("neckar_spool_damaged_total"), 0);
    let more = Generator::start(neckard.udp(), "v5", RATE, RATE).flows();
    let (report, spool) = stop(neckard);
    assert_eq!((report.flows, report.shed, report.failed), (more, 0, 0));
    let [_, _, _, _, _, left, _, doubles] = spool;
    assert_eq!((report.delivered, left, doubles), (0, carried_in + more, 0), "{spool:?}");
    // And all of it arrives with the next one.
    sitting.broker.restart().unwrap();
    let neckard = sitting.start();
    Sitting::drained(&neckard);
    let (report, spool) = stop(neckard);
    assert_eq!((report.delivered, spool[0]), (left, left));
    let audit = audit(&sitting.broker.address(), &sitting.topic);
    assert_eq!(audit.messages, sent + carried_in + more);
}

#[test]
fn a_full_disk_gives_up_the_oldest_or_the_newest_and_counts_them() {
    for (policy, counter) in [("oldest", 3), ("newest", 6)] {
        let shed = format!("spool.shed={policy}");
        let bounds = ["spool.bytes_max=2097152", "spool.segment_bytes=262144", &shed];
        let mut sitting = Sitting::new("spool-full", &bounds);
        let neckard = sitting.start();
        let generator = Generator::start(neckard.udp(), "v5", 4 * RATE, RATE);
        sitting.broker.stop().unwrap();
        let sent = generator.flows();
        let metric =
            format!("neckar_spool_{}_total", ["shed", "refused"][usize::from(counter == 6)]);
        wait_until("some are given up", PATIENCE, || neckard.metric(&metric) > 0);
        let (status, body) = neckard.fetch("/readyz");
        assert!(status == 503 && body.contains("output"), "{policy}: {body}");
        sitting.broker.restart().unwrap();
        Sitting::drained(&neckard);
        let (report, spool) = stop(neckard);
        let given_up = spool[3] + spool[6];
        assert!(spool[counter] > 0 && given_up == spool[counter], "{policy}: {spool:?}");
        assert_eq!((report.flows, report.shed), (sent, 0), "{policy}: {report:?}");
        assert_eq!(sent, report.delivered + report.failed + given_up, "{policy}: {spool:?}");
        let audit = audit(&sitting.broker.address(), &sitting.topic);
        assert_eq!(audit.distinct, report.delivered, "{policy}");
    }
}

/// Long before the spool has all that it may have the disk is full, with others' files perhaps.
#[test]
fn a_disk_that_is_full_by_itself_is_no_room() {
    let folder = scratch("spool-disk");
    let Some(disk) = Disk::mount(&folder, "1m") else { return };
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        "kafka.brokers=[\"127.0.0.1:1\"]",
        "batch.memory_bytes=4194304",
        "spool.shed=newest",
        "stop.deadline_s=1",
        &format!("spool.directory={}", folder.display()),
    ]);
    let ready = || neckard.fetch("/readyz");
    wait_until("Kafka is away", PATIENCE, || neckard.fetch("/healthz").0 == 503);
    assert_eq!(ready().0, 200, "the spool has room");
    let first = Generator::start(neckard.udp(), "v5", 2 * RATE, RATE).flows();
    wait_until("it is full", PATIENCE, || neckard.metric("neckar_spool_refused_total") > 0);
    let (status, body) = ready();
    assert!(status == 503 && body.contains("output"), "{body}");
    disk.resize("100m");
    let second = Generator::start(neckard.udp(), "v5", RATE, RATE).flows();
    wait_until("it has room again", PATIENCE, || ready().0 == 200);
    let (report, [_, _, _, _, _, left, refused, _]) = stop(neckard);
    assert_eq!((report.flows, report.delivered), (first + second, 0));
    assert_eq!(report.shed + report.failed + left + refused, first + second, "{report:?}");
}
