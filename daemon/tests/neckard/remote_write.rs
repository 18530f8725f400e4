//! Counters pushed by remote write: to a real Prometheus, and to receivers that refuse them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::counters::{Counters, PEER, secret, stop};
use crate::support::receiver::Receiver;
use crate::support::recorder::Recorder;
use crate::support::{scratch, wait_until};
use neckard::config;
use neckard::push::{Page, PushCounts, Pusher};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const PATIENCE: Duration = Duration::from_secs(30);

fn start(
    config: &config::RemoteWrite,
    counters: &Counters,
    page: Page,
) -> (Pusher, Arc<PushCounts>) {
    let counts = Arc::<PushCounts>::default();
    let pusher = Pusher::remote_write(config, counters.source(), page, Arc::clone(&counts));
    (pusher.unwrap().unwrap(), counts)
}

/// A server's side of TLS, and the certificate that it shows.
fn certified() -> (ServerConfig, String) {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    (tls, issued.cert.pem())
}

#[test]
fn a_private_authority_is_trusted_if_the_operator_says_so() {
    let (tls, pem) = certified();
    let recorder = Recorder::start(Some(Arc::new(tls)), |_| "204 No Content\r\n");
    let folder = scratch("push-tls");
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let mut config = config::RemoteWrite {
        url: format!("https://{}/write", recorder.address()),
        token_file: secret(&folder, "t0ken"),
        interval_s: 1,
        ..config::RemoteWrite::default()
    };
    let counters = Counters::default();
    counters.add("flow_bytes", "7", "", 1000);
    let (pusher, counts) = start(&config, &counters, Box::new(String::new));
    wait_until("it is not trusted", PATIENCE, || counts.view().errors > 0);
    stop(pusher);
    assert_eq!(recorder.requests().len(), 0, "nothing was sent, least of all the token");
    let trouble = counts.view().trouble.unwrap_or_default();
    assert!(trouble.to_lowercase().contains("cert"), "{trouble}");

    config.ca_file = ca;
    let (pusher, counts) = start(&config, &counters, Box::new(String::new));
    wait_until("it is trusted", PATIENCE, || counts.view().points > 0);
    stop(pusher);
    let requests = recorder.requests();
    assert_eq!(requests[0].target, "/write");
    assert_eq!(requests[0].header("authorization"), "Bearer t0ken");
    assert_eq!(requests[0].header("content-encoding"), "snappy");
    assert_eq!(requests[0].header("x-prometheus-remote-write-version"), "0.1.0");
}

#[test]
fn prometheus_takes_remote_write_and_answers() {
    let receiver = Receiver::start("push-prometheus");
    let config = config::RemoteWrite {
        url: receiver.url(),
        interval_s: 1,
        labels: BTreeMap::from([("instance".into(), "a".into())]),
        ..config::RemoteWrite::default()
    };
    let counters = Counters::default();
    counters.add("flow_bytes", "7", PEER, 1000);
    counters.add("flow_bytes", "8", "", 50);
    let page = || "# TYPE up gauge\nneckar_up{worker=\"0\"} 0.5\n".to_string();
    let (pusher, counts) = start(&config, &counters, Box::new(page));
    wait_until("the first samples are there", PATIENCE, || counts.view().points >= 3);
    counters.add("flow_bytes", "8", "", 5);
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.failed, view.dropped, view.errors), (0, 0, 0), "{view:?}");
    // The last sample may lie a second ahead of the clock.
    wait_until("Prometheus has the last", PATIENCE, || {
        receiver.value("sum(flow_bytes{instance=\"a\"})") == Some(1055.0)
    });
    let peer = PEER.replace('\\', "\\\\").replace('"', "\\\"");
    assert_eq!(receiver.value(&format!("flow_bytes{{peer=\"{peer}\"}}")), Some(1000.0));
    assert_eq!(receiver.value("neckar_up{worker=\"0\",instance=\"a\"}"), Some(0.5));
}

/// One series at a receiver of our own, in a hurry.
fn hasty(address: SocketAddr) -> (config::RemoteWrite, Counters) {
    let config = config::RemoteWrite {
        url: format!("http://{address}"),
        interval_s: 1,
        backoff_max_s: 1,
        ..config::RemoteWrite::default()
    };
    let counters = Counters::default();
    counters.add("flow_bytes", "7", "", 1);
    (config, counters)
}

#[test]
fn what_is_refused_fails_and_what_has_no_room_is_skipped() {
    let tries = AtomicUsize::new(0);
    let recorder = Recorder::start(None, move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => "400 Bad Request\r\n",
        _ => "503 Service Unavailable\r\n",
    });
    let (config, counters) = hasty(recorder.address());
    let config = config::RemoteWrite { buffer_bytes: 1, ..config };
    let (pusher, counts) = start(&config, &counters, Box::new(String::new));
    wait_until("the first is refused", PATIENCE, || counts.view().failed == 1);
    wait_until("the second fills the buffer", PATIENCE, || counts.view().skipped >= 2);
    let view = counts.view();
    assert_eq!((view.points, view.dropped, view.buffer_points), (0, 0, 1), "{view:?}");
    assert!(view.errors > 0 && view.buffer_bytes > 0, "{view:?}");
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.failed, view.dropped, view.buffer_points), (1, 2, 0), "with the last one");
}

#[test]
fn a_wrong_password_loses_nothing() {
    let is_right = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&is_right);
    let recorder = Recorder::start(None, move |_| {
        let is_right = answers.load(Ordering::Relaxed);
        if is_right { "204 No Content\r\n" } else { "401 Unauthorized\r\n" }
    });
    let (config, counters) = hasty(recorder.address());
    let (pusher, counts) = start(&config, &counters, Box::new(String::new));
    wait_until("it is not let in", PATIENCE, || counts.view().errors > 1);
    is_right.store(true, Ordering::Relaxed);
    wait_until("it is", PATIENCE, || counts.view().points > 1);
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.failed, view.dropped, view.buffer_points), (0, 0, 0), "{view:?}");
}

/// Before or in the midst of a request: whoever stops us does not wait ten minutes.
#[test]
fn a_server_that_never_answers_does_not_hold_up_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (config, counters) = hasty(silent.local_addr().unwrap());
    let config = config::RemoteWrite { timeout_ms: 600_000, ..config };
    let late = config::RemoteWrite { interval_s: 3600, ..config.clone() };
    let (before, given_up) = start(&late, &counters, Box::new(String::new));
    let (amidst, _) = start(&config, &counters, Box::new(String::new));
    let _asked = silent.accept().unwrap();
    Pusher::stop_all(vec![before, amidst], Instant::now());
    let view = given_up.view();
    assert_eq!((view.points, view.errors, view.dropped), (0, 1, 1), "{view:?}");
}
