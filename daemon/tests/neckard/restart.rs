//! `systemctl restart` under load loses nothing that the kernel took in.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::process::Neckard;
use crate::support::systemd::Systemd;
use crate::support::{SharedBroker, free_udp_port, fresh_topic, scratch, topic, wait_until};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol};

const START_NS: u64 = 1_700_000_000_000_000_000;

/// Sends until told to stop; answers flows and datagrams sent.
fn send(port: u16, stop: &AtomicBool) -> (u64, u64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut fleet = Fleet::new(&[Protocol::V9, Protocol::Ipfix], 8, 3);
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    let mut datagrams = 0;
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..4 {
            let (_, made) = fleet.datagram(START_NS, &mut bytes);
            socket.send_to(&bytes[..made.bytes], ("127.0.0.1", port)).unwrap();
            datagrams += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    (fleet.totals().all.flows, datagrams)
}

#[test]
fn nothing_is_lost_by_three_restarts_under_load() {
    let broker = SharedBroker::find();
    let (brokers, name) = (broker.address(), fresh_topic("restart"));
    let state = scratch("restart-state");
    let port = free_udp_port();
    let settings = [
        "output.kind=kafka".to_string(),
        format!("kafka.brokers=[\"{brokers}\"]"),
        format!("kafka.topic={name}"),
        format!("listen=[{{address = \"127.0.0.1:{port}\"}}]"),
        format!("state.directory={}", state.display()),
        "stop.keep_sockets=true".to_string(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let mut systemd = Systemd::new("restart");
    let mut neckard = systemd.start(&settings);
    let stored = systemd.stored();
    assert!(stored > 0, "a socket for every worker is kept");
    let stop = AtomicBool::new(false);
    let mut reports = Vec::new();
    let (flows, datagrams, neckard) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| send(port, &stop));
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(700));
            let (status, report) = neckard.stop();
            assert!(status.success());
            reports.push(report);
            // Nobody reads now; the sender goes on.
            std::thread::sleep(Duration::from_millis(300));
            neckard = systemd.start(&settings);
            assert_eq!(systemd.stored(), stored, "sockets are taken over, not bound anew");
        }
        std::thread::sleep(Duration::from_millis(300));
        stop.store(true, Ordering::Relaxed);
        let (flows, datagrams) = sender.join().unwrap();
        (flows, datagrams, neckard)
    });
    // What the last run has not read yet is in its sockets: it stops like the others.
    std::thread::sleep(Duration::from_millis(500));
    let (_, report) = neckard.stop();
    reports.push(report);
    assert!(reports.iter().all(|report| report.datagrams > 0), "every run had work: {reports:?}");
    assert_eq!(reports.iter().map(|report| report.kernel_drops).sum::<u64>(), 0, "{reports:?}");
    assert_eq!(reports.iter().map(|report| report.datagrams).sum::<u64>(), datagrams);
    assert_eq!(reports.iter().map(|report| report.not_decoded).sum::<u64>(), 0, "{reports:?}");
    assert_eq!(reports.iter().map(|report| report.delivered).sum::<u64>(), flows);
    assert_eq!(topic::read(&brokers, &name).len() as u64, flows);
}

/// Sockets were kept once and are not any more: the store lets go of them, and nobody is deaf.
#[test]
fn sockets_that_are_kept_no_longer_hear_and_are_given_back() {
    let mut systemd = Systemd::new("kept-no-longer");
    let port = free_udp_port();
    let listen = format!("listen=[{{address = \"127.0.0.1:{port}\"}}]");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    let mut fleet = Fleet::new(&[Protocol::Ipfix], 1, 3);
    let mut assert_hears = |neckard: Neckard| {
        let (_, made) = fleet.datagram(START_NS, &mut bytes);
        sender.send_to(&bytes[..made.bytes], ("127.0.0.1", port)).unwrap();
        wait_until("it hears", Duration::from_secs(20), || {
            neckard.metric("neckar_receive_datagrams_total") == 1
        });
        let _ = neckard.stop();
    };
    assert_hears(systemd.start(&["stop.keep_sockets=true", &listen]));
    assert!(systemd.stored() > 0);
    let unit = systemd.copies();
    assert_hears(systemd.start(&["stop.keep_sockets=false", &listen]));
    assert_eq!(systemd.stored(), 0, "they are given back");
    // As a socket unit has them: it passes its own whatever it is told.
    systemd.put(unit);
    for _ in 0..2 {
        let unit = systemd.copies();
        assert_hears(systemd.start(&["stop.keep_sockets=false", &listen]));
        systemd.put(unit);
    }
}

#[test]
fn a_kept_socket_that_nobody_listens_to_any_more_is_closed() {
    let mut systemd = Systemd::new("removed-address");
    let (first, second) = (free_udp_port(), free_udp_port());
    let listen = |port| format!("listen=[{{address = \"127.0.0.1:{port}\"}}]");
    let neckard = systemd.start(&["stop.keep_sockets=true", &listen(first)]);
    let stored = systemd.stored();
    let _ = neckard.stop();
    let neckard = systemd.start(&["stop.keep_sockets=true", &listen(second)]);
    assert_eq!(systemd.stored(), stored, "the old ones are removed, the new ones are in");
    assert!(neckard.log().iter().any(|line| line.contains("is not listened to any more")));
    let _ = neckard.stop();
}
