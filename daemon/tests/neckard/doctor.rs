//! `neckar doctor` at the bed of a running daemon: a well one, and one that loses flows in three ways.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::datagrams::{ipfix, set, v5};
use crate::support::neckar;
use crate::support::process::Neckard;
use serde_json::Value;

/// A router that sends until it is dropped.
struct Router {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Router {
    /// From 127.0.3.`host`, what `datagrams` makes of the number of the turn, some hundred turns a
    /// second.
    fn start(
        host: u8,
        neckard: &Neckard,
        datagrams: impl Fn(usize) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind(format!("127.0.3.{host}:0")).unwrap();
        socket.connect(neckard.udp()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for turn in 0.. {
                if stopping.load(Ordering::Relaxed) {
                    return;
                }
                for datagram in datagrams(turn) {
                    socket.send(&datagram).unwrap();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Exit code, and what it says to scripts.
fn doctor(url: &str) -> (i32, Value) {
    let run = Command::new(neckar())
        .args(["doctor", "--json", "--seconds", "1.5", "--url", url])
        .output()
        .unwrap();
    let report = serde_json::from_slice(&run.stdout).unwrap_or_default();
    (run.status.code().unwrap(), report)
}

fn of(neckard: &Neckard) -> String {
    format!("http://{}", neckard.http())
}

/// Losses by rule, with the words: of the daemon, whatever the host's interfaces are at.
fn losses(report: &Value) -> Vec<(String, String)> {
    let findings = report["findings"].as_array().unwrap().iter();
    let losses = findings.filter(|one| one["gravity"] == "loss" && one["step"] != "interface");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    losses.map(|one| (text(&one["rule"]), text(&one["words"]))).collect()
}

#[test]
fn a_daemon_that_loses_nothing_is_well() {
    let neckard = Neckard::start(&["output.kind=stdout"]);
    let router = Router::start(1, &neckard, |turn| vec![v5(turn, 0)]);
    let (code, report) = doctor(&of(&neckard));
    drop(router);
    assert_eq!(losses(&report), [], "{report}");
    // The host may lose packets of others.
    assert_eq!(code, i32::from(report["losing"] == true));
    assert_eq!(report["steps"].as_array().unwrap().len(), 11, "{report}");
    assert!(neckard.stop().0.success());
}

#[test]
fn each_loss_is_told_with_who_and_what_to_do() {
    let settings = ["output.kind=stdout", "decode.hold_s=0", "receive.buffer_bytes=4096"];
    let neckard = Neckard::start(&settings);
    let garbage = Router::start(1, &neckard, |_| vec![b"what is this?".to_vec()]);
    let forgetful = Router::start(2, &neckard, |_| vec![ipfix(0, &[set(999, &[0; 8])])]);
    // More at a time than the buffer holds.
    let flood =
        Router::start(3, &neckard, |turn| (0..100).map(|n| v5(100 * turn + n, 0)).collect());
    let (code, report) = doctor(&of(&neckard));
    drop((garbage, forgetful, flood));
    assert_eq!(code, 1, "{report}");
    let losses = losses(&report);
    let words = |rule: &str| {
        let found = losses.iter().find(|(found, _)| found == rule);
        found.map_or_else(|| panic!("no {rule}: {losses:?}"), |(_, words)| words.clone())
    };
    assert!(words("datagrams_unknown").contains("of no protocol that we know"));
    assert!(words("template_missing").ends_with("most of them 127.0.3.2"), "{losses:?}");
    assert!(words("kernel_drops").contains("found the socket's buffer full"));
    assert!(words("missed").ends_with("most of them 127.0.3.3"), "{losses:?}");
    assert!(report["verdict"].as_str().unwrap().starts_with("Flows are being lost: "));
    assert!(neckard.stop().0.success());
}

#[test]
fn a_daemon_that_is_not_there_is_told_apart() {
    let (code, report) = doctor("http://127.0.0.1:1");
    assert_eq!((code, report), (2, Value::Null));
    assert_eq!(doctor("127.0.0.1:8080").0, 2, "no http:// before it");
}
