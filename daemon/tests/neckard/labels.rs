//! Labels and customers' topics, end to end: what the customer list says is what the topics hold; a
//! reload changes it without a restart, and a broken list changes nothing.

use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use crate::support::process::Neckard;
use crate::support::{SharedBroker, fresh_topic, scratch, topic, wait_until};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};
use neckar_proto::Message;
use serde_json::json;

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
    told("reload: labels loaded");
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

#[test]
fn a_changed_file_is_taken_in_by_itself_and_a_broken_one_changes_nothing() {
    let folder = scratch("watch");
    let list = folder.join("customers.csv");
    std::fs::write(&list, "10.0.0.0/8,1\n").unwrap();
    let neckard = Neckard::start(&[&format!("enrich.customers={}", list.display())]);
    assert_eq!(neckard.metric("neckar_tables_prefixes"), 1);
    // As an editor does it: a new file in the old one's place.
    let replace = |text: &str| {
        std::fs::write(folder.join("new"), text).unwrap();
        std::fs::rename(folder.join("new"), &list).unwrap();
    };
    replace("10.0.0.0/8,1\n192.0.2.0/24,2\n");
    wait_until("the new list is in force", Duration::from_secs(20), || {
        neckard.metric("neckar_tables_prefixes") == 2
    });
    replace("10.0.0.0/8,1\n192.0.2.0/33,2\n198.51.100.0/24,3\n");
    wait_until("the broken list is refused", Duration::from_secs(20), || {
        neckard.metric("neckar_tables_failures_total") == 1
    });
    assert_eq!(neckard.metric("neckar_tables_up"), 0);
    assert_eq!(neckard.metric("neckar_tables_prefixes"), 2);
    let (status, body) = neckard.fetch("/healthz");
    assert!(status == 503 && body.contains("tables") && body.contains("192.0.2.0/33"), "{body}");
    assert_eq!(neckard.fetch("/readyz").0, 200);
    let line = format!("{}:2: `192.0.2.0/33,2`", list.display());
    assert!(neckard.log().iter().any(|told| told.contains(&line)), "{:?}", neckard.log());
    replace("10.0.0.0/8,1\n");
    wait_until("the mended list is in force", Duration::from_secs(20), || {
        neckard.metric("neckar_tables_prefixes") == 1 && neckard.metric("neckar_tables_up") == 1
    });
    assert_eq!(neckard.fetch("/healthz").0, 200);
    wait_until("the old tables are freed", Duration::from_secs(20), || {
        neckard.metric("neckar_tables_retired") == 0
    });
    let _ = neckard.stop();
}

/// As a release is switched: the file stays what it is, and a link on the way points elsewhere.
#[test]
fn a_link_that_is_switched_is_noticed() {
    let folder = scratch("links");
    for (release, list) in [("one", "10.0.0.0/8,1\n"), ("two", "10.0.0.0/8,2\n10.1.0.0/16,3\n")] {
        std::fs::create_dir_all(folder.join(release)).unwrap();
        std::fs::write(folder.join(release).join("customers.csv"), list).unwrap();
    }
    let point_to = |release: &str| {
        symlink(release, folder.join("new")).unwrap();
        std::fs::rename(folder.join("new"), folder.join("current")).unwrap();
    };
    point_to("one");
    let list = folder.join("current/customers.csv");
    let neckard = Neckard::start(&[&format!("enrich.customers={}", list.display())]);
    assert_eq!(neckard.metric("neckar_tables_prefixes"), 1);
    point_to("two");
    wait_until("the other list is in force", Duration::from_secs(20), || {
        neckard.metric("neckar_tables_prefixes") == 2
    });
    let look_up = |address: &str| {
        let (status, body) = neckard.fetch(&format!("/api/lookup?address={address}"));
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    let found = look_up("10.1.2.3");
    assert_eq!(
        (&found["labels"], &found["sources"][0]["prefix"]),
        (&json!({"Cid": 3}), &json!("10.1.0.0/16"))
    );
    assert_eq!(look_up("::ffff:10.1.2.3"), found, "IPv4, however it is written");
    let _ = neckard.stop();
}

/// What a reload does not take over, it does not take over by half: the exporter is called as
/// before while the customers are the new ones.
#[test]
fn a_reload_leaves_alone_what_needs_a_restart() {
    let folder = scratch("restart");
    let (list, file) = (folder.join("customers.csv"), folder.join("neckard.toml"));
    let write = |cid: u32, name: &str| {
        std::fs::write(&list, format!("10.0.0.0/8,{cid}\n")).unwrap();
        let rule = format!("[[exporter]]\nprefix = \"127.0.0.0/8\"\nname = \"{name}\"\n");
        std::fs::write(&file, format!("[enrich]\ncustomers = {list:?}\nwatch = false\n{rule}"))
            .unwrap();
    };
    write(1, "before");
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" --config \"$CONFIG\"", env!("CARGO_BIN_EXE_neckard")]);
    command.env("CONFIG", &file);
    let neckard = Neckard::launch(command, &["output.format=json", "batch.linger_ms=10"]);
    write(2, "after");
    neckard.signal("HUP");
    wait_until("it is loaded", Duration::from_secs(20), || {
        neckard.log().iter().any(|line| line.contains("reload: labels loaded"))
    });
    let warned = |line: &String| line.contains("reload: changes in [exporter] need a restart");
    assert!(neckard.log().iter().any(warned), "{:?}", neckard.log());
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&netflow5(), neckard.udp()).unwrap();
    let flow: serde_json::Value = serde_json::from_str(&neckard.first_line()).unwrap();
    assert_eq!((&flow["SrcCid"], &flow["SamplerHostName"]), (&json!(2), &json!("before")));
    let _ = neckard.stop();
}

/// A configuration that is refused shows until one is taken, whatever files load meanwhile.
#[test]
fn a_refused_configuration_shows_until_a_good_one() {
    let folder = scratch("refused");
    let (list, file) = (folder.join("customers.csv"), folder.join("neckard.toml"));
    let good = format!("[enrich]\ncustomers = {list:?}\n");
    std::fs::write(&list, "10.0.0.0/8,1\n").unwrap();
    std::fs::write(&file, &good).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" --config \"$CONFIG\"", env!("CARGO_BIN_EXE_neckard")]);
    command.env("CONFIG", &file);
    let neckard = Neckard::launch(command, &[]);
    std::fs::write(&file, format!("{good}custommers = \"x\"\n")).unwrap();
    neckard.signal("HUP");
    let is_down = || {
        let (status, body) = neckard.fetch("/healthz");
        let is_told = body.contains("configuration") && body.contains("neckard.toml:3: ");
        status == 503 && is_told && neckard.metric("neckar_tables_up") == 0
    };
    wait_until("it is refused", Duration::from_secs(20), is_down);
    assert_eq!(neckard.metric("neckar_tables_failures_total"), 1);
    assert_eq!(neckard.fetch("/readyz").0, 200, "the old stays in force");
    let refused = neckard.log().iter().filter(|line| line.contains("reload refused")).count();
    assert_eq!(refused, 1, "{:?}", neckard.log());
    std::fs::write(&list, "10.0.0.0/8,1\n10.1.0.0/16,2\n").unwrap();
    wait_until("the list is taken in", Duration::from_secs(20), || {
        neckard.metric("neckar_tables_prefixes") == 2
    });
    assert!(is_down(), "a list makes no configuration good");
    std::fs::write(&file, good).unwrap();
    neckard.signal("HUP");
    wait_until("it is taken", Duration::from_secs(20), || {
        neckard.fetch("/healthz").0 == 200 && neckard.metric("neckar_tables_up") == 1
    });
    assert_eq!(neckard.metric("neckar_tables_failures_total"), 1);
    let _ = neckard.stop();
}

/// Every kind of source that a text file can be, at once: the last flow's line has all labels.
#[test]
fn every_source_and_rule_labels_the_flow() {
    let folder = scratch("sources");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let customers = file("customers.csv", "10.0.0.0/8,7\n");
    let networks = file("networks.csv", "prefix,site,name\n10.0.0.0/8,Ulm,core\n");
    let list = file("list.txt", "# bad ones\n198.51.100.7\n");
    let prefixes = file("as.csv", "198.51.100.0/24,64500\n");
    let names = file("names.csv", "64500,EXAMPLE\n");
    let interfaces = file("interfaces.csv", "127.0.0.1,1,xe-0/0/1,uplink,10000\n");
    let neckard = Neckard::start(&[
        "output.format=json",
        "batch.linger_ms=10",
        &format!("enrich.customers={customers}"),
        &format!("enrich.networks=[{networks:?}]"),
        &format!("enrich.lists={{ cnc = {list:?} }}"),
        &format!("enrich.as_prefixes=[{prefixes:?}]"),
        &format!("enrich.as_names={names}"),
        &format!("enrich.interfaces={interfaces}"),
        "enrich.normalize=true",
        "exporter=[{ prefix = \"127.0.0.0/8\", name = \"edge\", tenant = \"uni\", sampling_rate = 10 }]",
    ]);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&netflow5(), neckard.udp()).unwrap();
    let line = neckard.first_line();
    let flow: serde_json::Value = serde_json::from_str(&line).unwrap();
    for (field, expected) in [
        ("SrcAddr", json!("10.1.2.3")),
        ("SrcCid", json!(7)),
        ("Cid", json!(7)),
        ("SrcAS", json!(64496)),
        ("DstAS", json!(64500)),
        ("DstASName", json!("EXAMPLE")),
        ("SrcIfName", json!("xe-0/0/1")),
        ("SrcIfDesc", json!("uplink")),
        ("SrcIfSpeed", json!(10000)),
        ("SamplerHostName", json!("edge")),
        ("Tenant", json!("uni")),
        ("Bytes", json!(1000)),
        ("Normalized", json!("Yes")),
        ("ProtoName", json!("TCP")),
        ("SrcNetSite", json!("Ulm")),
        ("DstList", json!("cnc")),
    ] {
        assert_eq!(flow[field], expected, "{field} in {line}");
    }
    let (_, found) = neckard.fetch("/api/lookup?address=198.51.100.7");
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let name = json!({
        "source": "enrich.as_names", "prefix": null, "overruled": [],
        "labels": [{"kind": "AS name", "value": "EXAMPLE"}],
    });
    assert_eq!(found["sources"].as_array().unwrap().last(), Some(&name), "{found}");
    assert_eq!(found["labels"], json!({"AS": 64500, "ASName": "EXAMPLE", "List": "cnc"}));
    let _ = neckard.stop();
}

/// An IPFIX message whose options data call interface 1 of the exporter \"ge-0/0/1\", \"to Ulm\".
fn interface_options() -> Vec<u8> {
    let template: [u16; 10] = [257, 3, 1, 10, 4, 82, 8, 83, 8, 0];
    let mut sets: Vec<u8> = [3_u16, 4 + 20].map(u16::to_be_bytes).concat();
    sets.extend(template.into_iter().flat_map(u16::to_be_bytes));
    sets.extend([257_u16, 4 + 20].map(u16::to_be_bytes).concat());
    sets.extend([0, 0, 0, 1]);
    sets.extend(b"ge-0/0/1to Ulm\0\0");
    let mut message: Vec<u8> = [10, 16 + sets.len() as u16].map(u16::to_be_bytes).concat();
    message.extend(1_700_000_000_u32.to_be_bytes());
    message.extend([0; 8]);
    message.extend(sets);
    message
}

#[test]
fn what_exporters_call_their_interfaces_is_written_to_their_flows() {
    let neckard = Neckard::start(&["output.format=json", "batch.linger_ms=10"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&interface_options(), neckard.udp()).unwrap();
    wait_until("the name is in force", Duration::from_secs(20), || {
        neckard.metric("neckar_tables_interfaces") == 1
    });
    socket.send_to(&netflow5(), neckard.udp()).unwrap();
    let flow: serde_json::Value = serde_json::from_str(&neckard.first_line()).unwrap();
    assert_eq!((&flow["SrcIfName"], &flow["SrcIfDesc"]), (&json!("ge-0/0/1"), &json!("to Ulm")));
    assert_eq!(flow["DstIfName"], json!(null), "nobody has named interface 2");
    let _ = neckard.stop();
}

/// One record: 10.1.2.3 to 198.51.100.7, TCP, interface 1 to 2, AS 64496, 100 bytes.
fn netflow5() -> Vec<u8> {
    let mut datagram = vec![0, 5, 0, 1];
    datagram.extend([0, 0, 0x10, 0]);
    datagram.extend(1_700_000_000_u32.to_be_bytes());
    datagram.resize(24, 0);
    datagram.extend([10, 1, 2, 3, 198, 51, 100, 7, 0, 0, 0, 0, 0, 1, 0, 2]);
    datagram.extend(1_u32.to_be_bytes());
    datagram.extend(100_u32.to_be_bytes());
    datagram.extend([0, 0, 0x0f, 0, 0, 0, 0x0f, 0xff, 0x30, 0x39, 1, 187, 0, 0x10, 6, 0]);
    datagram.extend(64_496_u16.to_be_bytes());
    datagram.resize(72, 0);
    datagram
}

#[test]
fn addresses_are_made_unrecognisable_after_labelling() {
    let folder = scratch("anonymize");
    let list = folder.join("customers.csv");
    std::fs::write(&list, "10.1.2.3/32,7\n").unwrap();
    let neckard = Neckard::start(&[
        "output.format=json",
        "batch.linger_ms=10",
        &format!("enrich.customers={}", list.display()),
        "anonymize.method=truncate",
        "anonymize.keep_v4=16",
        "anonymize.fields=[\"SrcAddr\", \"DstAddr\"]",
    ]);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&netflow5(), neckard.udp()).unwrap();
    let line = neckard.first_line();
    let flow: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&flow["SrcAddr"], &flow["DstAddr"]), (&json!("10.1.0.0"), &json!("198.51.0.0")));
    assert_eq!(flow["SrcCid"], json!(7));
    assert_eq!(flow["SrcAddrPreservedLen"], json!(16));
    let _ = neckard.stop();
}
