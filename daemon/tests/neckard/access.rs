//! The way to Kafka is secured as the configuration says: a real broker with certificates and
//! passwords takes what it should, and nothing gets past it that should not.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::support::generator::Generator;
use crate::support::process::Neckard;
use crate::support::{fresh_topic, scratch, topic, wait_until};
use xtask::kafka::{PASSWORD, Secured, USER};

const FLOWS: u64 = 2000;
const VARIABLE: &str = "NECKAR_TEST_KAFKA_PASSWORD";

/// Flows that arrive in a fresh topic through `broker` with these settings.
fn arrived(secured: &Secured, subject: &str, broker: &str, settings: &[&str]) -> u64 {
    let name = fresh_topic(subject);
    let neckard = start(broker, &name, settings);
    let sent = Generator::start(neckard.udp(), "v9", FLOWS, 20_000).flows();
    wait_until("all flows are acknowledged", Duration::from_secs(30), || {
        neckard.metric("neckar_output_delivered_total") == sent
    });
    let (status, report) = neckard.stop();
    assert!(status.success());
    assert_eq!((report.delivered, report.failed, report.shed), (sent, 0, 0), "{subject}");
    assert_eq!(topic::end(&secured.broker.address(), &name), sent, "{subject}");
    sent
}

fn start(broker: &str, topic: &str, settings: &[&str]) -> Neckard {
    let (brokers, topic) =
        (format!("kafka.brokers=[\"{broker}\"]"), format!("kafka.topic={topic}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_neckard"));
    command.env(VARIABLE, PASSWORD);
    let ours = ["output.kind=kafka", "stop.deadline_s=2", &brokers, &topic];
    Neckard::launch(command, &[&ours, settings].concat())
}

#[test]
fn a_broker_takes_whom_it_knows_and_nobody_else() {
    let folder = scratch("access");
    let secured = Secured::start(&folder).unwrap();
    let password = folder.join("password");
    fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let ca = format!("kafka.tls.ca_file={}", secured.ca_file().display());
    let tls = ["kafka.tls.enabled=true", &ca];
    let certificate =
        format!("kafka.tls.certificate_file={}", secured.certificate_file().display());
    let key = format!("kafka.tls.key_file={}", secured.key_file().display());
    let mutual = [&tls[..], &[&certificate, &key]].concat();
    assert!(arrived(&secured, "mutual-tls", &secured.tls, &mutual) >= FLOWS);

    let user = format!("kafka.sasl.username={USER}");
    let file = format!("kafka.sasl.password_file={}", password.display());
    let variable = format!("kafka.sasl.password_env={VARIABLE}");
    let scram = ["kafka.sasl.mechanism=scram-sha-512", &user, &file];
    let scram_tls = [&tls[..], &scram].concat();
    assert!(arrived(&secured, "scram-512-tls", &secured.sasl_tls, &scram_tls) >= FLOWS);
    let scram = ["kafka.sasl.mechanism=scram-sha-256", &user, &variable];
    assert!(arrived(&secured, "scram-256", &secured.sasl, &scram) >= FLOWS);
    let plain = ["kafka.sasl.mechanism=plain", &user, &variable];
    assert!(arrived(&secured, "plain", &secured.sasl, &plain) >= FLOWS);

    fs::write(&password, "wrong").unwrap();
    refused(&secured.sasl_tls, &scram_tls, &["authentication", "Authentication"]);
    // Mutual TLS without our own certificate, and a broker whom we have no reason to trust.
    refused(&secured.tls, &tls, &["wants a certificate", "SSL", "ssl"]);
    refused(&secured.sasl_tls, &["kafka.tls.enabled=true"], &["certificate"]);
}

/// Nothing is delivered, health says why, no secret is said, and every flow is accounted for.
#[track_caller]
fn refused(broker: &str, settings: &[&str], words: &[&str]) {
    let neckard = start(broker, &fresh_topic("refused"), settings);
    let sent = Generator::start(neckard.udp(), "v9", FLOWS, 20_000).flows();
    wait_until("health says why", Duration::from_secs(30), || {
        let (status, health) = neckard.fetch("/healthz");
        status == 503 && words.iter().any(|word| health.contains(word))
    });
    let log = neckard.log();
    let (_, report) = neckard.stop();
    assert_eq!(report.delivered, 0);
    assert_eq!(report.shed + report.failed + report.left, sent, "{report:?}");
    let told = log.iter().any(|line| line.contains(PASSWORD) || line.contains("wrong"));
    assert!(!told, "a secret in the log: {log:?}");
}
