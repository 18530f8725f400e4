//! `neckar dump` on a real Kafka: every framing and generation, filters, parts of a topic, groups.

use std::process::Stdio;
use std::time::Duration;

use neckar_proto::encode::{BWNETFLOW, ROW_BYTES_MAX, encode};
use neckar_proto::{Field, Rows};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use xtask::kafka::{Broker, create_topic};

use crate::program::{Ran, neckar, run};

/// 2026-01-31 12:00:00 UTC, the first record's time; each is a minute after the one before.
const START_MS: i64 = 1_769_860_800_000;
const MINUTE_MS: i64 = 60_000;

/// A flow told apart by `Bytes`, as the daemon encodes it; the tenth is UDP.
fn flow(bytes: u64) -> Vec<u8> {
    let mut rows = Rows::default();
    let flow = rows.push();
    flow.set(Field::Type, 3);
    flow.set(Field::Bytes, bytes);
    flow.set(Field::Proto, if bytes == 10 { 17 } else { 6 });
    flow.set(Field::SrcPort, 443);
    flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
    flow.set_v4(Field::DstAddr, [198, 51, 100, 2]);
    rows.set_text(0, Field::SrcIfDesc, b"uplink");
    let mut out = vec![0; ROW_BYTES_MAX];
    let len = encode(&BWNETFLOW, &rows.as_slice()[0], rows.texts(), &[], &mut out);
    out.truncate(len);
    out
}

/// Behind their lengths, which are below 128.
fn framed(flows: &[u64]) -> Vec<u8> {
    flows
        .iter()
        .flat_map(|bytes| {
            let flow = flow(*bytes);
            std::iter::once(flow.len() as u8).chain(flow)
        })
        .collect()
}

/// Ten records, ten flows: the first five bare, then framed in other ways, one that is no flow, and
/// one of goflow2 with its IP flags (2) where others have a time.
fn records() -> Vec<Vec<u8>> {
    let mut records: Vec<Vec<u8>> = (1..=5).map(flow).collect();
    records.push(framed(&[6]));
    records.push(framed(&[7, 8]));
    records.push(b"{\"SrcAddr\":1}".to_vec());
    records.push(vec![0x08, 4, 0x48, 9, 0xa0, 1, 6, 0xb0, 2, 2]);
    records.push(flow(10));
    records
}

fn produce(brokers: &str, topic: &str, first: i64, records: &[Vec<u8>]) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    for (time, payload) in (first..).zip(records) {
        let record = BaseRecord::<(), [u8]>::to(topic)
            .payload(payload)
            .partition(0)
            .timestamp(START_MS + time * MINUTE_MS);
        producer.send(record).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// The `Bytes` of what was printed.
fn printed(ran: &Ran) -> Vec<u64> {
    let objects = ran.stdout().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    objects.map(|object| object["Bytes"].as_u64().unwrap()).collect()
}

struct Topic {
    brokers: String,
    name: String,
}

impl Topic {
    fn args<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        let place = ["dump", "--brokers", &self.brokers, "--topic", &self.name];
        place.into_iter().chain(rest.iter().copied()).collect()
    }

    fn dump(&self, rest: &[&str]) -> Ran {
        run(self.args(rest)).exits(0)
    }
}

#[test]
fn a_topic_is_printed() {
    let broker = Broker::start().unwrap();
    let topic = Topic { brokers: broker.address(), name: "dump".into() };
    create_topic(&topic.brokers, &topic.name, 1).unwrap();
    produce(&topic.brokers, &topic.name, 0, &records());
    everything_is_told_apart(&topic);
    parts_are_found(&topic);
    formats_are_the_suites(&topic);
    a_group_goes_on_where_it_stopped(&topic);
    what_is_not_there_is_told(&topic);
    // The last: it adds to the topic.
    new_flows_are_followed(&topic);
}

fn everything_is_told_apart(topic: &Topic) {
    let ran = topic.dump(&["--stats"]);
    assert_eq!(printed(&ran), (1..=10).collect::<Vec<_>>());
    let lines: Vec<&str> = ran.stderr().lines().collect();
    let expected = "neckar: 1 records are no flows; the first is partition 0 offset 7, at byte 0";
    assert_eq!(lines[0], expected);
    let stats: Value = serde_json::from_str(lines[1]).unwrap();
    let expected = json!({
        "records": 10, "flows": 10, "printed": 10, "filtered": 0, "beyond": 0, "malformed": 1,
    });
    assert_eq!(stats, expected);
    // goflow2's flags are no time.
    let ninth: Value = serde_json::from_str(ran.stdout().lines().nth(8).unwrap()).unwrap();
    assert_eq!(ninth["TimeFlowStartNs"], Value::Null);
    let ran = topic.dump(&["--framing", "bare", "--format", "none", "--stats"]);
    let stats: Value = serde_json::from_str(ran.stderr().lines().last().unwrap()).unwrap();
    assert_eq!((&stats["flows"], &stats["malformed"]), (&json!(7), &json!(3)));
}

fn parts_are_found(topic: &Topic) {
    let cases: [(&[&str], &[u64]); 9] = [
        (&["--filter", "bytes >8"], &[9, 10]),
        (&["--filter", "proto udp or src port 80"], &[10]),
        (&["--count", "3"], &[1, 2, 3]),
        (&["--from", "2", "--until", "5"], &[3, 4, 5]),
        (&["--from", "-2"], &[9, 10]),
        (&["--from", "end"], &[]),
        (&["--from", "2026-01-31T12:08:00Z"], &[9, 10]),
        (&["--from", "2026-01-31 12:00:30", "--until", "2026-01-31 12:03:00"], &[2, 3]),
        (&["--until", "5000d"], &[]),
    ];
    for (args, expected) in cases {
        assert_eq!(printed(&topic.dump(args)), expected, "{args:?}");
    }
}

fn formats_are_the_suites(topic: &Topic) {
    let expected = r#"{"ipVersion":"IPv4","srcIP":"192.0.2.1","dstIP":"198.51.100.2","srcPort":443,"dstPort":0,"proto":"TCP","peer":"uplink","bytes":1,"packets":0}"#;
    let ran = topic.dump(&["--format", "flowdumper", "-n", "1"]);
    assert_eq!(ran.stdout(), format!("{expected}\n"));
    let ran = topic.dump(&["--format", "line", "-n", "1"]);
    assert_eq!(
        ran.stdout(),
        "00:00:00: 192.0.2.1:443 → 198.51.100.2:0 [uplink → UNKNOWN/0@- → 0], TCP, 1s, 8 bps, 0 pps\n"
    );
}

fn a_group_goes_on_where_it_stopped(topic: &Topic) {
    let group = |count: &str| printed(&topic.dump(&["--group", "siem", "--count", count]));
    assert_eq!(group("4"), [1, 2, 3, 4]);
    // 7 and 8 are one record: not all of it was printed, so it comes again.
    assert_eq!(group("3"), [5, 6, 7]);
    assert_eq!(group("4"), [7, 8, 9, 10]);
}

fn what_is_not_there_is_told(topic: &Topic) {
    let ran = run(topic.args(&["--filter", "port 80 and prot udp"])).exits(2);
    assert!(ran.stderr().contains("prot udp") && ran.stderr().contains('^'), "{}", ran.stderr());
    assert!(ran.stderr().contains("proto"), "{}", ran.stderr());
    run(topic.args(&["--from", "yesterday"])).exits(2);
    run(topic.args(&["--group", "g", "--follow"])).exits(2);
    let other = Topic { name: "other".into(), brokers: topic.brokers.clone() };
    let ran = run(other.args(&[])).exits(1);
    assert!(ran.stderr().starts_with("neckar: other: "), "{}", ran.stderr());
    assert_eq!(ran.stderr().lines().count(), 1, "{}", ran.stderr());
}

fn new_flows_are_followed(topic: &Topic) {
    let mut following = neckar(topic.args(&["--follow", "--from", "10", "--count", "2"]));
    let following = following.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    produce(&topic.brokers, &topic.name, 10, &[flow(11), flow(12), flow(13)]);
    let ran = Ran(following.wait_with_output().unwrap()).exits(0);
    assert_eq!(printed(&ran), [11, 12]);
}
