//! Real exporters - softflowd, pmacctd's nfprobe, nfreplay - through a running `neckard` into a
//! real Kafka, each flow compared with what tshark says of the same datagrams.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::capture::{Relay, write_traffic};
use crate::support::process::Neckard;
use crate::support::witness::{Seen, tshark};
use crate::support::{SharedBroker, free_udp_port, fresh_topic, scratch, topic, wait_until};
use neckar_proto::Message;

/// Five-tuples that the exporters get to see.
const FLOWS: u32 = 600;

/// Runs `export` against a relay in front of neckard and compares the topic with tshark.
fn check(subject: &str, export: impl FnOnce(&Path, &Path, SocketAddr)) {
    let folder = scratch(subject);
    let (traffic, capture) = (folder.join("traffic.pcap"), folder.join("export.pcap"));
    write_traffic(&traffic, FLOWS);
    let broker = SharedBroker::find();
    let (brokers, name) = (broker.address(), fresh_topic(subject));
    let neckard = Neckard::start(&[
        "output.kind=kafka",
        &format!("kafka.brokers=[\"{brokers}\"]"),
        &format!("kafka.topic={name}"),
    ]);
    let relay = Relay::start(neckard.udp(), &capture);
    let port = relay.address().port();
    export(&folder, &traffic, relay.address());
    let passed = relay.stop();
    wait_until("every datagram is received", Duration::from_secs(20), || {
        neckard.metric("neckar_receive_datagrams_total") == passed
    });
    let (status, report) = neckard.stop();
    assert!(status.success());
    assert_eq!((report.shed, report.failed, report.left, report.kernel_drops), (0, 0, 0, 0));

    let mut flows: Vec<Seen> = topic::read(&brokers, &name).iter().map(seen).collect();
    flows.sort();
    let expected = tshark(&capture, port);
    assert!(expected.len() > FLOWS as usize / 2, "the exporter saw {} flows", expected.len());
    assert_eq!(flows.len(), expected.len(), "flows in the topic, flows that tshark sees");
    for (ours, theirs) in flows.iter().zip(&expected) {
        assert_eq!(ours, theirs);
    }
}

fn seen(message: &Message) -> Seen {
    let address = |bytes: &[u8]| -> IpAddr {
        match <[u8; 4]>::try_from(bytes) {
            Ok(v4) => v4.into(),
            Err(_) => <[u8; 16]>::try_from(bytes).unwrap().into(),
        }
    };
    Seen {
        source: address(&message.src_addr),
        target: address(&message.dst_addr),
        source_port: message.src_port.into(),
        target_port: message.dst_port.into(),
        protocol: message.proto.into(),
        bytes: message.bytes,
        packets: message.packets,
    }
}

fn softflowd(version: &str, traffic: &Path, target: SocketAddr) {
    let status = Command::new("softflowd")
        .args(["-d", "-v", version, "-n", &target.to_string(), "-r"])
        .arg(traffic)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("softflowd is installed; see cargo xtask test");
    assert!(status.success());
}

#[test]
fn softflowd_netflow_v5() {
    check("softflowd-v5", |_, traffic, target| softflowd("5", traffic, target));
}

#[test]
fn softflowd_netflow_v9() {
    check("softflowd-v9", |_, traffic, target| softflowd("9", traffic, target));
}

#[test]
fn softflowd_ipfix() {
    check("softflowd-ipfix", |_, traffic, target| softflowd("10", traffic, target));
}

fn nfprobe(version: &str, folder: &Path, traffic: &Path, target: SocketAddr) {
    let config = folder.join("pmacctd.conf");
    let text = format!(
        "pcap_savefile: {}\nplugins: nfprobe\nnfprobe_receiver: {target}\nnfprobe_version: {version}\n\
         aggregate: src_host, dst_host, src_port, dst_port, proto, tos\n\
         nfprobe_timeouts: tcp=1:tcp.rst=1:tcp.fin=1:udp=1:icmp=1:general=1:maxlife=1:expint=1\n\
         pcap_savefile_delay: 1\n",
        traffic.display(),
    );
    std::fs::write(&config, text).unwrap();
    let mut pmacctd = Command::new("pmacctd")
        .arg("-f")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("pmacctd is installed; see cargo xtask test");
    // The plugin exports on its timers and flushes the rest when told to end.
    std::thread::sleep(Duration::from_secs(6));
    drop(Command::new("pkill").args(["-INT", "-f", &config.display().to_string()]).status());
    wait_until("pmacctd ends", Duration::from_secs(20), || pmacctd.try_wait().unwrap().is_some());
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn nfprobe_netflow_v5() {
    check("nfprobe-v5", |folder, traffic, target| nfprobe("5", folder, traffic, target));
}

#[test]
fn nfprobe_netflow_v9() {
    check("nfprobe-v9", |folder, traffic, target| nfprobe("9", folder, traffic, target));
}

#[test]
fn nfprobe_ipfix() {
    check("nfprobe-ipfix", |folder, traffic, target| nfprobe("10", folder, traffic, target));
}

#[test]
fn nfreplay_netflow_v9() {
    check("nfreplay-v9", |folder, traffic, target| {
        let files = folder.join("nfcapd");
        std::fs::create_dir_all(&files).unwrap();
        let port = free_udp_port();
        let mut nfcapd = Command::new("nfcapd")
            .args(["-p", &port.to_string(), "-b", "127.0.0.1", "-l"])
            .arg(&files)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nfcapd is installed; see cargo xtask test");
        std::thread::sleep(Duration::from_secs(1));
        softflowd("9", traffic, SocketAddr::from(([127, 0, 0, 1], port)));
        std::thread::sleep(Duration::from_secs(1));
        // SIGTERM makes it rotate, so that its file is complete.
        drop(Command::new("kill").arg(nfcapd.id().to_string()).status());
        nfcapd.wait().unwrap();
        for file in std::fs::read_dir(&files).unwrap() {
            let status = Command::new("nfreplay")
                .args(["-v", "9", "-H", "127.0.0.1", "-p", &target.port().to_string(), "-r"])
                .arg(file.unwrap().path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success());
        }
        std::thread::sleep(Duration::from_millis(500));
    });
}
