//! What an operator sees who got something wrong, or whose broker is away.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use crate::support::process::Neckard;
use crate::support::{scratch, wait_until};

/// Runs `neckard` with `text` as its file; answers exit code and standard error.
fn run(subject: &str, command: &str, text: &str) -> (i32, String) {
    let folder = scratch(subject);
    let file = folder.join("neckard.toml");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_neckard"))
        .args([command, "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let place = format!("{}/", folder.display());
    let stderr = String::from_utf8(output.stderr).unwrap().replace(&place, "");
    (output.status.code().unwrap(), stderr)
}

#[track_caller]
fn check(subject: &str, text: &str, expected: &str) {
    for command in ["run", "check"] {
        let (code, stderr) = run(subject, command, text);
        assert_eq!((code, stderr.as_str()), (2, format!("neckard: {expected}\n").as_str()));
    }
}

#[test]
fn an_unknown_key() {
    check(
        "unknown-key",
        "[state]\ndirctory = \"/var/lib/neckar\"\n",
        "neckard.toml:2: state.dirctory: unknown field `dirctory`, expected `directory`; \
         did you mean `directory`?",
    );
}

#[test]
fn a_bad_address() {
    check(
        "bad-address",
        "[[listen]]\naddress = \"2055\"\n",
        "neckard.toml:2: listen[0].address = \"2055\": not an IP address and port; \
         write it like [::]:2055 or 192.0.2.1:2055",
    );
}

#[test]
fn a_customer_list_that_is_not_there() {
    let (code, stderr) =
        run("missing-customers", "check", "[enrich]\ncustomers = \"/nowhere/customers.csv\"\n");
    assert_eq!(code, 2);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("neckard: neckard.toml:2: enrich.customers"), "{stderr}");
    assert!(stderr.contains("/nowhere/customers.csv"), "{stderr}");
}

#[test]
fn anonymisation_without_a_key_fails_closed() {
    check(
        "no-key",
        "[anonymize]\nmethod = \"crypto-pan\"\n",
        "neckard.toml:2: anonymize.method: it needs key_file or key_env; \
         no flow is written without it; mend it, or say method = \"none\"",
    );
}

/// A section that somebody began to fill in, and that would do nothing.
#[test]
fn anonymisation_without_a_method_fails_closed() {
    let why = "not given, so nothing would be done: say crypto-pan, truncate or both";
    check(
        "no-method",
        "[http]\naddress = \"\"\n[anonymize]\nkeep_v4 = 24\n",
        &format!(
            "neckard.toml:3: anonymize.method: {why}; no flow is written without it; mend it, or say \
             method = \"none\""
        ),
    );
    let text =
        "[output]\nkind = \"kafka\"\n[[split.tenant]]\ncid = 7\nanonymize = { key_env = \"K\" }\n";
    let expected = format!(
        "neckard: neckard.toml:5: split.tenant[0].anonymize.method: {why}; none of his flows is \
         written without it; mend it, or say method = \"none\"\n"
    );
    assert_eq!(run("no-tenants-method", "check", text), (2, expected));
}

#[test]
fn two_rules_for_the_same_exporters() {
    let rules = |first: &str, second: &str| {
        format!("[[exporter]]\nprefix = {first:?}\n[[exporter]]\nprefix = {second:?}\n")
    };
    for (first, second) in [
        ("192.0.2.0/24", "192.0.2.9/24"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.0/24", "::ffff:192.0.2.0/120"),
        ("2001:db8::/32", "2001:0db8::1/32"),
    ] {
        check(
            "two-rules",
            &rules(first, second),
            &format!(
                "neckard.toml:4: exporter[1].prefix = {second:?}: the same addresses as \
                 exporter[0].prefix = {first:?}; say all of them in one rule"
            ),
        );
    }
    let nested = rules("192.0.2.0/24", "192.0.2.0/25");
    assert_eq!(run("nested-rules", "check", &nested), (0, String::new()));
}

#[test]
fn a_sampling_rate_of_nothing() {
    for key in ["sampling_rate", "default_rate"] {
        check(
            "rate-0",
            &format!("[[exporter]]\nprefix = \"192.0.2.0/24\"\n{key} = 0\n"),
            &format!(
                "neckard.toml:3: exporter[0].{key} = 0: 0 is no rate; \
                 give 1 if every packet is counted, or take it out"
            ),
        );
    }
}

#[test]
fn names_beside_anonymisation() {
    check(
        "names",
        "[reverse_names]\nenabled = true\n[anonymize]\nmethod = \"truncate\"\n",
        "neckard.toml:2: reverse_names.enabled = true: names tell what [anonymize] hides; \
         switch one of both off",
    );
}

#[test]
fn a_source_that_is_none() {
    check(
        "odd-source",
        "[enrich]\n\nmaxmind = [\"/etc/hostname\"]\n",
        "neckard.toml:3: enrich.maxmind = \"/etc/hostname\": /etc/hostname: a MaxMind DB was \
         expected: invalid database: could not find MaxMind DB metadata in file; \
         mend the file; nothing of it is taken while a row is wrong",
    );
}

#[test]
fn a_kafka_property_that_does_not_exist() {
    let (code, stderr) = run(
        "unknown-property",
        "check",
        "[output]\nkind = \"kafka\"\n[kafka.properties]\n\"lingre.ms\" = \"5\"\n",
    );
    assert_eq!(code, 2);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("lingre.ms"), "{stderr}");
    assert!(stderr.starts_with("neckard: neckard.toml:4: kafka.properties"), "{stderr}");
}

#[test]
fn an_unknown_command_is_wrong_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_neckard")).arg("--nonsense").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_broker_that_is_away_is_no_reason_to_exit() {
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        "kafka.brokers=[\"127.0.0.1:1\"]",
        "stop.deadline_s=2",
    ]);
    wait_until("/healthz tells", Duration::from_secs(30), || {
        let (status, body) = neckard.fetch("/healthz");
        status == 503 && body.contains("output") && body.contains("127.0.0.1:1")
    });
    assert_eq!(neckard.metric("neckar_output_up"), 0);
    let (status, body) = neckard.fetch("/readyz");
    assert!(status == 503 && body.contains("not ready") && body.contains("output"), "{body}");
    // A flow that nobody takes keeps it from ending at once.
    let mut datagram = [0; 72];
    datagram[..4].copy_from_slice(&[0, 5, 0, 1]);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram, neckard.udp()).unwrap();
    wait_until("it is under way", Duration::from_secs(5), || {
        neckard.metric("neckar_output_in_flight") == 1
    });
    neckard.signal("TERM");
    wait_until("it tells that it stops", Duration::from_secs(2), || {
        neckard.fetch("/readyz").1.contains("stopping")
    });
    let (status, report) = neckard.stop();
    assert!(status.success());
    assert_eq!((report.flows, report.failed), (1, 1), "{report:?}");
}

#[test]
fn a_broker_that_is_away_leaves_one_with_a_spool_ready() {
    let spool = scratch("ready-spool");
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        "kafka.brokers=[\"127.0.0.1:1\"]",
        "stop.deadline_s=1",
        &format!("spool.directory={}", spool.display()),
    ]);
    wait_until("/healthz tells", Duration::from_secs(30), || neckard.fetch("/healthz").0 == 503);
    assert_eq!(neckard.fetch("/readyz"), (200, "{\"status\":\"ready\"}".into()));
    let (status, _) = neckard.stop();
    assert!(status.success());
}

#[test]
fn an_snmp_rule_whose_secret_is_missing() {
    let (code, stderr) = run(
        "snmp-secret",
        "check",
        "[[exporter]]\nprefix = \"192.0.2.0/24\"\nsnmp = { community_file = \"/nowhere/c\" }\n",
    );
    assert_eq!(code, 2);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let expected = "neckard: neckard.toml:3: exporter[0].snmp.community_file = \"/nowhere/c\": ";
    assert!(stderr.starts_with(expected), "{stderr}");
}

#[test]
fn an_snmp_expression_without_a_group() {
    check(
        "snmp-regex",
        "[snmp]\ndescription_regex = \"^PEER: .*\"\n",
        "neckard.toml:2: snmp.description_regex = \"^PEER: .*\": has no group 1; \
         put what is to be kept in parentheses",
    );
}

#[test]
fn a_push_to_nowhere() {
    check(
        "influx-nowhere",
        "[influx]\nurl = \"http://127.0.0.1:8086\"\n",
        "neckard.toml:2: influx.url = \"http://127.0.0.1:8086\": push to which place there?; \
         give influx.database (1.x) or influx.bucket (2.x)",
    );
    check(
        "influx-url",
        "[influx]\nurl = \"127.0.0.1:8086\"\n",
        "neckard.toml:2: influx.url = \"127.0.0.1:8086\": not the start of an address; \
         write it like http://influx.example.net:8086",
    );
    check(
        "influx-secret-in-url",
        "[influx]\nurl = \"http://ann:s3cret@127.0.0.1:8086\"\n",
        "neckard.toml:2: influx.url: there is a user in it; \
         give them by keys of their own, the secret by a file or the environment",
    );
    check(
        "influx-password",
        "[influx]\nurl = \"http://127.0.0.1:8086\"\ndatabase = \"flows\"\nuser = \"ann\"\n",
        "neckard.toml:4: influx.user = \"ann\": a user without a password; \
         give influx.password_file or influx.password_env",
    );
    check(
        "influx-no-customers",
        "[traffic]\nlabels = [\"router\"]\n[influx]\nurl = \"http://127.0.0.1:8086\"\n\
         database = \"flows\"\nper_tenant = true\n",
        "neckard.toml:6: influx.per_tenant = true: no series has a customer's number; \
         have cid among traffic.labels",
    );
    check(
        "remote-write-label",
        "[remote_write]\nlabels = {\"a-b\" = \"c\"}\n",
        "neckard.toml:2: remote_write.labels = \"a-b\": not the name of a label; \
         letters, digits and underscores",
    );
}

#[test]
fn a_push_out_of_its_pace() {
    check(
        "influx-pace",
        "[influx]\ninterval_s = 0\n",
        "neckard.toml:2: influx.interval_s = 0: out of bounds; choose 1 to 3600",
    );
    check(
        "remote-write-pace",
        "[remote_write]\nbuffer_bytes = 5\n",
        "neckard.toml:2: remote_write.buffer_bytes = 5: out of bounds; \
         choose 65536 to 1099511627776",
    );
    check(
        "influx-seldom",
        "[influx]\nurl = \"http://127.0.0.1:8086\"\ndatabase = \"flows\"\ninterval_s = 1801\n",
        "neckard.toml:4: influx.interval_s = 1801: series may be forgotten in between; \
         choose at most half of traffic.series_idle_s",
    );
    check(
        "remote-write-seldom",
        "[traffic]\nseries_idle_s = 60\n[remote_write]\nurl = \"http://127.0.0.1:9090\"\n\
         interval_s = 31\n",
        "neckard.toml:5: remote_write.interval_s = 31: series may be forgotten in between; \
         choose at most half of traffic.series_idle_s",
    );
}
