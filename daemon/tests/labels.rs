//! Labels and customers' topics, end to end: what the customer list says is what the topics hold; a
//! reload changes it without a restart, and a broken list changes nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod support;

use std::net::UdpSocket;
use std::time::Duration;

use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use neckar_proto::Message;
use support::process::Neckard;
use support::{SharedBroker, fresh_topic, scratch, topic, wait_until};

const START_NS: u64 = 1_700_000_000_000_000_000;
const CIDS: [u32; 3] = [101, 109, 116];

/// Sends `datagrams` of a fleet and answers its books.
fn send(neckard: &Neckard, fleet: &mut Fleet, datagrams: usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = neckard.metric("neckar_receive_datagrams_total");
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    for index in 0..datagrams {
        let (_, made) = fleet.datagram(START_NS, &mut bytes);
        socket.send_to(&bytes[..made.bytes], neckard.udp()).unwrap();
        if index % 50 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    wait_until("all is received", Duration::from_secs(20), || {
        neckard.metric("neckar_receive_datagrams_total") == before + datagrams as u64
    });
}

#[test]
fn every_customer_gets_its_flows_and_no_others() {
    let broker = SharedBroker::find();
    let (brokers, name) = (broker.address(), fresh_topic("split"));
    let list = scratch("split").join("customers.csv");
    std::fs::write(&list, neckar_export::customers_csv()).unwrap();
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        &format!("kafka.brokers=[\"{brokers}\"]"),
        &format!("kafka.topic={name}"),
        &format!("enrich.customers={}", list.display()),
        &format!("split.cids={CIDS:?}"),
        &format!("split.topic_prefix={name}"),
    ]);
    let mut fleet = Fleet::new(&Protocol::ALL, 8, 3);
    send(&neckard, &mut fleet, 1000);
    let (status, report) = neckard.stop();
    assert!(status.success());
    let totals = fleet.totals();
    assert_eq!(report.delivered, totals.all.flows);

    let all = topic::read(&brokers, &name);
    assert_eq!(all.len() as u64, totals.all.flows);
    for cid in CIDS {
        let has =
            |message: &&Message| [message.cid, message.src_cid, message.dst_cid].contains(&cid);
        let own = topic::read(&brokers, &format!("{name}-{cid}"));
        assert_eq!(own.len() as u64, totals.customer(cid).flows, "customer {cid}");
        assert_eq!(own.len(), all.iter().filter(has).count(), "customer {cid}");
        assert!(own.iter().all(|message| has(&message)), "customer {cid} has others' flows");
        let bytes: u64 = own.iter().map(|message| message.bytes).sum();
        assert_eq!(bytes, totals.customer(cid).bytes, "customer {cid}");
    }
}

#[test]
fn a_reload_takes_a_good_list_and_refuses_a_broken_one() {
    let broker = SharedBroker::find();
    let (brokers, name) = (broker.address(), fresh_topic("reload"));
    let list = scratch("reload").join("customers.csv");
    std::fs::write(&list, "10.0.0.0/8,1\n2001:db8::/32,1\n").unwrap();
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        &format!("kafka.brokers=[\"{brokers}\"]"),
        &format!("kafka.topic={name}"),
        &format!("enrich.customers={}", list.display()),
        "batch.linger_ms=10",
    ]);
    let mut fleet = Fleet::new(&[Protocol::V5], 1, 3);
    let told = |what: &str| {
        wait_until(what, Duration::from_secs(20), || {
            neckard.log().iter().any(|line| line.contains(what))
        });
    };
    send(&neckard, &mut fleet, 10);
    std::fs::write(&list, "10.0.0.0/8,2\nnonsense,3\n").unwrap();
    neckard.signal("HUP");
    told("reload refused, the old stays in force: enrich.customers");
    send(&neckard, &mut fleet, 10);
    std::fs::write(&list, "10.0.0.0/8,2\n").unwrap();
    neckard.signal("HUP");
    told("reloaded");
    send(&neckard, &mut fleet, 10);
    let (_, report) = neckard.stop();

    let mut seen = [0u64; 3];
    for message in topic::read(&brokers, &name) {
        seen[message.src_cid.max(message.dst_cid) as usize] += 1;
    }
    let [nobody, one, two] = seen;
    assert_eq!(report.delivered, nobody + one + two);
    // Two thirds of the flows came under the first list, the rest under the last one.
    assert!(one > two && two > 0, "{seen:?}");
    let third = (one + two) / 3;
    assert!(two.abs_diff(third) <= third / 5, "{seen:?}");
}
