//! Nothing is lost without a counter: what the routers sent is what Kafka has, to the last flow.

use std::time::Duration;

use crate::support::generator::Generator;
use crate::support::process::{Neckard, Report};
use crate::support::{SharedBroker, fresh_topic, topic, traffic};
use xtask::kafka::Broker;

fn start(brokers: &str, topic: &str) -> Neckard {
    Neckard::start(&[
        "output.kind=kafka",
        &format!("kafka.brokers=[\"{brokers}\"]"),
        &format!("kafka.topic={topic}"),
        "kafka.compression=none",
    ])
}

/// The daemon's own books balance, and Kafka has what it says it delivered.
fn check_books(report: &Report, in_kafka: u64) {
    assert_eq!(report.flows, report.delivered + report.shed + report.failed + report.left);
    assert_eq!(in_kafka, report.delivered);
}

/// Waits until nothing more arrives.
fn settle(neckard: &Neckard) {
    let mut last = u64::MAX;
    loop {
        let now = neckard.metric("neckar_receive_datagrams_total");
        if now == last {
            return;
        }
        last = now;
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn two_million_flows_from_a_hundred_exporters() {
    let broker = SharedBroker::find();
    let name = fresh_topic("conservation");
    let neckard = start(&broker.address(), &name);
    let summary = Generator::start(neckard.udp(), "v9", 2_000_000, 100_000).summary();
    let sent = summary["flows"].as_u64().unwrap();
    settle(&neckard);
    traffic::check_sums(&neckard, &summary["totals"]);
    let (status, report) = neckard.stop();
    assert!(status.success());
    assert!(sent >= 2_000_000);
    let in_kafka = topic::end(&broker.address(), &name);
    check_books(&report, in_kafka);
    assert_eq!(report.kernel_drops, 0, "datagrams dropped by the kernel at a modest rate");
    assert_eq!(sent, in_kafka + report.shed + report.failed + report.not_decoded);
    assert_eq!(report.shed + report.failed + report.not_decoded + report.left, 0);
}

#[test]
fn every_protocol_arrives_whole() {
    let broker = SharedBroker::find();
    for protocol in ["v5", "ipfix", "sflow"] {
        let name = fresh_topic(protocol);
        let neckard = start(&broker.address(), &name);
        let sent = Generator::start(neckard.udp(), protocol, 100_000, 50_000).flows();
        settle(&neckard);
        let (_, report) = neckard.stop();
        let in_kafka = topic::end(&broker.address(), &name);
        check_books(&report, in_kafka);
        assert_eq!((sent, 0), (in_kafka, report.not_decoded), "{protocol}");
    }
}

#[test]
fn a_broker_stopped_for_ten_seconds_loses_nothing() {
    let mut broker = Broker::start().unwrap();
    let brokers = broker.address().to_string();
    let name = fresh_topic("outage");
    let neckard = start(&brokers, &name);
    let generator = Generator::start(neckard.udp(), "v9", 500_000, 25_000);
    std::thread::sleep(Duration::from_secs(4));
    broker.stop().unwrap();
    std::thread::sleep(Duration::from_secs(10));
    broker.restart().unwrap();
    let sent = generator.flows();
    settle(&neckard);
    let (status, report) = neckard.stop();
    assert!(status.success());
    let in_kafka = topic::end(&brokers, &name);
    assert_eq!(report.shed + report.failed + report.left + report.not_decoded, 0, "{report:?}");
    assert_eq!(report.kernel_drops, 0);
    assert_eq!(report.delivered, sent);
    // A broker that dies after writing and before answering is asked again: at least once.
    assert!(in_kafka >= sent, "{in_kafka} in Kafka of {sent} sent");
}

#[test]
fn sigterm_under_load_loses_nothing_that_was_received() {
    let broker = SharedBroker::find();
    let name = fresh_topic("sigterm");
    let neckard = start(&broker.address(), &name);
    let generator = Generator::start(neckard.udp(), "v9", 400_000, 100_000);
    std::thread::sleep(Duration::from_secs(2));
    let (status, report) = neckard.stop();
    assert!(status.success());
    drop(generator);
    assert!(report.flows > 50_000, "it stopped in the midst of it: {report:?}");
    assert_eq!((report.shed, report.failed, report.left, report.not_decoded), (0, 0, 0, 0));
    check_books(&report, topic::end(&broker.address(), &name));
}
