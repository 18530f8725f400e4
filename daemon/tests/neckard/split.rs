//! Customers' topics, through a real Kafka: who gets which flows, in which shape, and that one
//! customer's trouble is nobody else's.

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::Duration;

use crate::support::process::Neckard;
use crate::support::{SharedBroker, fresh_topic, scratch, topic, wait_until};
use neckar_proto::Message;
use prost::Message as _;
use xtask::kafka::{create_narrow_topic, describe_topic};

/// Datagrams of twelve flows: customers 1 to 6 take turns as sources, port 443 and 80 by halves.
const DATAGRAMS: u64 = 100;
const EACH: u64 = 2 * DATAGRAMS;

fn datagram() -> Vec<u8> {
    let mut datagram = vec![0, 5, 0, 12, 0, 0, 0x10, 0];
    datagram.extend(1_700_000_000_u32.to_be_bytes());
    datagram.resize(24, 0);
    for index in 0..12_u8 {
        let start = datagram.len();
        datagram.extend([10, 0, 1 + index % 6, 9, 198, 51, 100, 7, 0, 0, 0, 0, 0, 1, 0, 2]);
        datagram.extend(1_u32.to_be_bytes());
        datagram.extend(100_u32.to_be_bytes());
        datagram.extend([0, 0, 0x0f, 0, 0, 0, 0x0f, 0xff, 0x30, 0x39]);
        datagram.extend(if index < 6 { 443_u16 } else { 80 }.to_be_bytes());
        datagram.extend([0, 0x10, 6, 0]);
        datagram.resize(start + 48, 0);
    }
    datagram
}

/// A daemon that knows customers 1 to 5 of those, with these settings of `[split]`.
fn start(brokers: &str, main: &str, settings: &[&str]) -> Neckard {
    let list = scratch(main).join("customers.csv");
    let mut text = String::new();
    for cid in 1..=5 {
        let _ = writeln!(text, "10.0.{cid}.0/24,{cid}");
    }
    std::fs::write(&list, text).unwrap();
    let ours = [
        "output.kind=kafka".to_string(),
        format!("kafka.brokers=[\"{brokers}\"]"),
        format!("kafka.topic={main}"),
        format!("enrich.customers={}", list.display()),
        format!("split.topic_prefix={main}"),
        "split.by=src".to_string(),
    ];
    let all: Vec<&str> = ours.iter().map(String::as_str).chain(settings.iter().copied()).collect();
    Neckard::start(&all)
}

fn send(neckard: &Neckard) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..DATAGRAMS {
        socket.send_to(&datagram(), neckard.udp()).unwrap();
        // Loopback holds only so much; this is no test of speed.
        std::thread::sleep(Duration::from_millis(1));
    }
    wait_until("all flows are in Kafka", Duration::from_secs(30), || {
        neckard.metric("neckar_output_delivered_total") == 6 * EACH
    });
}

/// The sources' third bytes must all be this.
#[track_caller]
fn assert_his(messages: &[Message], cid: u8) {
    assert!(messages.iter().all(|message| message.src_addr == [10, 0, cid, 9]));
}

#[test]
fn every_customer_gets_his_flows_as_he_wants_them() {
    let broker = SharedBroker::find();
    let brokers = broker.address();
    let main = fresh_topic("split");
    let (four, rest) = (format!("{main}-four"), format!("{main}-rest"));
    let neckard = start(
        &brokers,
        &main,
        &[
            "split.cids=[1]",
            "split.wildcard=true",
            &format!("split.default_topic={rest}"),
            &format!(
                "split.tenant=[{{cid = 2, filter = \"dst port 443\"}}, \
                 {{cid = 3, fields = [\"SrcAddr\", \"Bytes\"], \
                 anonymize = {{method = \"truncate\", keep_v4 = 16}}}}, \
                 {{cid = 4, topic = \"{four}\", framing = \"packed\"}}]"
            ),
        ],
    );
    send(&neckard);
    let (status, report) = neckard.stop();
    assert!(status.success());
    assert_eq!((report.delivered, report.shed, report.failed), (6 * EACH, 0, 0));

    let of = |cid: u8| topic::read(&brokers, &format!("{main}-{cid}"));
    let (one, two, three, five) = (of(1), of(2), of(3), of(5));
    let lens = [one.len(), two.len(), three.len(), five.len()].map(|len| len as u64);
    assert_eq!(lens, [EACH, EACH / 2, EACH, EACH], "5 is found by the wildcard");
    assert_his(&one, 1);
    assert_his(&two, 2);
    assert_his(&five, 5);
    assert!(two.iter().all(|message| message.dst_port == 443));
    for message in &three {
        let expected = Message {
            bytes: 100,
            src_addr: vec![10, 0, 0, 0],
            src_addr_preserved_len: 0,
            ..Message::default()
        };
        assert_eq!(*message, expected, "two fields, and nothing else");
    }
    let others = topic::read(&brokers, &rest);
    assert_eq!(others.len() as u64, EACH, "nobody's customer");
    assert_his(&others, 6);
    let mut packed = Vec::new();
    let mut messages = 0;
    topic::visit(&brokers, &four, |_, mut payload| {
        messages += 1;
        while !payload.is_empty() {
            packed.push(Message::decode_length_delimited(&mut payload).unwrap());
        }
    });
    assert_eq!(packed.len() as u64, EACH);
    assert!(messages < EACH / 10, "{messages} messages");
    assert_his(&packed, 4);
}

#[test]
fn a_topic_that_refuses_costs_its_own_customer_only() {
    let broker = SharedBroker::find();
    let brokers = broker.address();
    let main = fresh_topic("refuses");
    create_narrow_topic(&brokers, &format!("{main}-2"), 20).unwrap();
    let neckard = start(&brokers, &main, &["split.cids=[1, 2, 3]"]);
    send(&neckard);
    let tenant = |name: &str, cid: u8| {
        let (_, page) = neckard.fetch("/metrics");
        let series = format!("{name}{{topic=\"{main}-{cid}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&series).map(str::to_owned));
        line.map_or(0, |value| value.parse::<u64>().unwrap())
    };
    wait_until("all is said of customer 2", Duration::from_secs(30), || {
        tenant("neckar_tenant_failed_total", 2) == EACH
    });
    for cid in [1, 3] {
        wait_until("others have theirs", Duration::from_secs(30), || {
            tenant("neckar_tenant_delivered_total", cid) == EACH
        });
        assert_eq!(tenant("neckar_tenant_refused_total", cid), 0);
        assert_eq!(tenant("neckar_tenant_failed_total", cid), 0);
    }
    let (status, report) = neckard.stop();
    assert!(status.success());
    assert_eq!((report.delivered, report.shed, report.failed), (6 * EACH, 0, 0));
    assert_eq!(topic::end(&brokers, &format!("{main}-2")), 0);
}

#[test]
fn topics_are_made_as_they_are_wanted() {
    let broker = SharedBroker::find();
    let brokers = broker.address();
    let main = format!("{}-made", fresh_topic("create"));
    let neckard = start(
        &brokers,
        &main,
        &[
            "split.cids=[1]",
            "kafka.create.enabled=true",
            "kafka.create.partitions=7",
            "kafka.create.properties={\"retention.ms\" = \"1800000\"}",
        ],
    );
    send(&neckard);
    wait_until("both are made", Duration::from_secs(30), || {
        neckard.metric("neckar_topics_made_total") == 2
    });
    let (status, _) = neckard.stop();
    assert!(status.success());
    for name in [main.clone(), format!("{main}-1")] {
        let told = describe_topic(&brokers, &name).unwrap();
        assert!(told.contains("PartitionCount: 7"), "{told}");
        assert!(told.contains("retention.ms=1800000"), "{told}");
    }
    assert_eq!(topic::end(&brokers, &main), 6 * EACH);
}
