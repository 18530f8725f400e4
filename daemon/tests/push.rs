//! Counters pushed: to a real InfluxDB 1.6 and a real Prometheus, and to a stand-in for InfluxDB 2,
//! which Debian does not have.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use neckard::config;
use neckard::push::{PushCounts, Pusher, Sample, Source};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use support::generator::Generator;
use support::influxd::{Influxd, PASSWORD, USER};
use support::process::Neckard;
use support::receiver::Receiver;
use support::recorder::{Recorder, Request};
use support::{scratch, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// Counters of the test's own: by metric, customer and peer.
#[derive(Clone, Default)]
struct Counters(Arc<Mutex<BTreeMap<(&'static str, &'static str, &'static str), u64>>>);

impl Counters {
    fn add(&self, metric: &'static str, cid: &'static str, peer: &'static str, count: u64) {
        *self.0.lock().unwrap().entry((metric, cid, peer)).or_default() += count;
    }

    fn sum(&self, metric: &str, cid: &str) -> u64 {
        let counters = self.0.lock().unwrap();
        let of = counters.iter().filter(|((own, whose, _), _)| *own == metric && *whose == cid);
        of.map(|(_, count)| count).sum()
    }

    fn source(&self) -> Source {
        let counters = self.clone();
        Box::new(move |visit| {
            for ((metric, cid, peer), value) in counters.0.lock().unwrap().iter() {
                let labels = [("cid", *cid), ("peer", *peer)];
                visit(Sample { metric, labels: &labels, value: *value, since_s: 1 });
            }
        })
    }
}

/// A file with a secret in the folder of the test.
fn secret(folder: &Path, text: &str) -> std::path::PathBuf {
    let file = folder.join("secret");
    std::fs::write(&file, format!("{text}\n")).unwrap();
    file
}

fn stop(pusher: Pusher) {
    Pusher::stop_all(vec![pusher], Instant::now() + PATIENCE);
}

fn one(influxd: &Influxd, folder: &Path) -> config::Influx {
    config::Influx {
        url: influxd.url(),
        database: "flows".into(),
        user: USER.into(),
        password_file: secret(folder, PASSWORD),
        per_tenant: true,
        interval_s: 1,
        backoff_max_s: 1,
        ..config::Influx::default()
    }
}

/// Text that means something to the line protocol.
const PEER: &str = "Köln, \"x=1\" a\\b \\,";

#[test]
fn influxdb_has_each_count_once_although_it_was_killed() {
    let mut influxd = Influxd::start("push-influxd");
    let folder = scratch("push-influxd-secret");
    let counters = Counters::default();
    let counts = Arc::<PushCounts>::default();
    counters.add("neckar", "", "", 17);
    for (cid, count) in [("7", 1000), ("8", 2000)] {
        counters.add("flow_bytes", cid, PEER, count);
        counters.add("flow_packets", cid, "", count / 100);
    }
    let config = one(&influxd, &folder);
    let pusher = Pusher::influx(&config, counters.source(), Arc::clone(&counts)).unwrap().unwrap();
    wait_until("the first points are there", PATIENCE, || counts.view().points == 5);

    influxd.kill();
    // So much that it goes on counting while it pushes, is refused and is heard again.
    for round in 0_u64.. {
        counters.add("flow_bytes", "7", PEER, 100 + round);
        counters.add("flow_bytes", "8", "", 3);
        let view = counts.view();
        if view.errors > 1 && view.buffer_points >= 4 {
            break;
        }
        assert!(round < 1000, "{view:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let trouble = counts.view().trouble.unwrap();
    assert!(trouble.contains("onnect"), "{trouble}");
    influxd.launch();
    wait_until("it is well again", PATIENCE, || {
        counters.add("flow_packets", "8", "x", 1);
        counts.view().trouble.is_none()
    });
    counters.add("flow_bytes", "8", PEER, 5);
    stop(pusher);

    let view = counts.view();
    assert_eq!((view.failed, view.dropped, view.buffer_points), (0, 0, 0), "{view:?}");
    assert_eq!((view.creates, view.databases), (3, 3), "each is made once");
    assert_eq!(influxd.databases(), ["flows", "flows-7", "flows-8"]);
    for cid in ["7", "8"] {
        let database = format!("flows-{cid}");
        for metric in ["flow_bytes", "flow_packets"] {
            assert_eq!(influxd.sum(&database, metric), counters.sum(metric, cid), "{metric}");
            assert_eq!(influxd.sum("flows", metric), 0, "customers' are not here");
        }
        assert_eq!(influxd.tag_values(&database, "cid"), [cid], "nobody else's");
    }
    assert_eq!(influxd.sum("flows", "neckar"), 17);
    assert_eq!(influxd.tag_values("flows-7", "peer"), [PEER], "as it was");
    let retention = influxd.rows("flows-7", "SHOW RETENTION POLICIES");
    assert_eq!(retention[0][1], "72h0m0s");
}

#[test]
fn a_database_that_is_dropped_is_made_again_and_a_wrong_password_loses_nothing() {
    let influxd = Influxd::start("push-dropped");
    let folder = scratch("push-dropped-secret");
    let counters = Counters::default();
    let counts = Arc::<PushCounts>::default();
    counters.add("flow_bytes", "7", "", 100);
    let mut config = one(&influxd, &folder);
    let pusher = Pusher::influx(&config, counters.source(), Arc::clone(&counts)).unwrap().unwrap();
    wait_until("the first point is there", PATIENCE, || counts.view().points == 1);
    influxd.rows("", "DROP DATABASE \"flows-7\"");
    counters.add("flow_bytes", "7", "", 11);
    wait_until("the second point is there", PATIENCE, || counts.view().points == 2);
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.creates, view.failed, view.databases_refused), (2, 0, 0), "{view:?}");
    assert_eq!(influxd.sum("flows-7", "flow_bytes"), 11);

    config.password_file = secret(&folder, "wrong");
    let counts = Arc::<PushCounts>::default();
    let pusher = Pusher::influx(&config, counters.source(), Arc::clone(&counts)).unwrap().unwrap();
    wait_until("it is refused", PATIENCE, || counts.view().errors > 0);
    let view = counts.view();
    let trouble = view.trouble.unwrap();
    assert_eq!(trouble, "\"flows-7\": HTTP status 401: authorization failed");
    assert_eq!((view.failed, view.buffer_points), (0, 1), "it waits");
    stop(pusher);
    assert_eq!(counts.view().dropped, 1, "given up at the end, and counted");
}

#[test]
fn who_may_not_make_databases_writes_to_those_that_are_there() {
    let influxd = Influxd::start("push-grant");
    let folder = scratch("push-grant-secret");
    for query in [
        "CREATE DATABASE \"flows\"",
        "CREATE DATABASE \"flows-8\"",
        "CREATE USER bob WITH PASSWORD 's3cret'",
        "GRANT WRITE ON \"flows\" TO bob",
        "GRANT WRITE ON \"flows-8\" TO bob",
    ] {
        influxd.rows("", query);
    }
    let counters = Counters::default();
    let counts = Arc::<PushCounts>::default();
    counters.add("neckar", "", "", 17);
    counters.add("flow_bytes", "7", "", 100);
    counters.add("flow_bytes", "8", "", 200);
    let config = config::Influx { user: "bob".into(), ..one(&influxd, &folder) };
    let pusher = Pusher::influx(&config, counters.source(), Arc::clone(&counts)).unwrap().unwrap();
    wait_until("all are settled", PATIENCE, || counts.view().points + counts.view().failed == 3);
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.points, view.failed, view.databases_refused), (2, 1, 1), "{view:?}");
    assert_eq!(view.trouble, None, "customer 7 has no database, which is no trouble of ours");
    assert_eq!(influxd.sum("flows", "neckar"), 17);
    assert_eq!(influxd.sum("flows-8", "flow_bytes"), 200);
    assert_eq!(influxd.databases(), ["flows", "flows-8"]);
}

/// The text of a request's body.
fn text(request: &Request) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*request.body).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn influxdb_2_is_written_to_as_its_api_says() {
    let tries = AtomicUsize::new(0);
    let recorder = Recorder::start(None, move |request| {
        if request.target.contains("bucket=flows-9") {
            return "404 Not Found\r\n";
        }
        // Refuses for a while.
        match tries.fetch_add(1, Ordering::Relaxed) {
            0 => "503 Service Unavailable\r\nretry-after: 1\r\n",
            1 => "429 Too Many Requests\r\nretry-after: 0\r\n",
            _ => "204 No Content\r\n",
        }
    });
    let folder = scratch("push-two");
    let config = config::Influx {
        url: format!("http://{}/", recorder.address()),
        bucket: "flows".into(),
        org: "the net & co".into(),
        token_file: secret(&folder, "t0ken"),
        per_tenant: true,
        interval_s: 1,
        tags: BTreeMap::from([("host".into(), "a".into())]),
        ..config::Influx::default()
    };
    let counters = Counters::default();
    let counts = Arc::<PushCounts>::default();
    counters.add("neckar", "", "", 17);
    counters.add("flow_bytes", "7", PEER, 1000);
    counters.add("flow_bytes", "9", "", 1);
    let pusher = Pusher::influx(&config, counters.source(), Arc::clone(&counts)).unwrap().unwrap();
    wait_until("two points are there", PATIENCE, || counts.view().points == 2);
    wait_until("one has no bucket", PATIENCE, || counts.view().failed == 1);
    counters.add("flow_bytes", "9", "", 1);
    wait_until("nor has the next", PATIENCE, || counts.view().failed == 2);
    stop(pusher);

    let requests = recorder.requests();
    let targets: Vec<&str> = requests.iter().map(|request| request.target.as_str()).collect();
    let target = |bucket: &str| {
        format!("/api/v2/write?org=the%20net%20%26%20co&bucket={bucket}&precision=s")
    };
    // The main bucket's three times over; whose bucket is missing is asked for once, then left alone.
    let main = target("flows");
    let expected = [&main, &main, &main, &target("flows-7"), &target("flows-9")];
    assert_eq!(targets, expected);
    assert_eq!(requests[0].body, requests[2].body, "repeated unchanged");
    for request in &requests {
        assert_eq!(request.header("authorization"), "Token t0ken");
        assert_eq!(request.header("content-encoding"), "gzip");
    }
    let lines = text(&requests[3]);
    let (series, rest) = lines.split_once(" count=").unwrap();
    assert_eq!(series, "flow_bytes,cid=7,host=a,peer=Köln\\,\\ \"x\\=1\"\\ a\\b\\ \\\\,");
    let (count, at) = rest.trim_end().split_once(' ').unwrap();
    assert_eq!(count, "1000i");
    assert!((1_600_000_000..9_999_999_999).contains(&at.parse::<u64>().unwrap()), "seconds: {at}");
    let view = counts.view();
    assert_eq!((view.errors, view.databases_refused, view.creates), (2, 1, 0), "{view:?}");
    assert_eq!(view.trouble, None, "a customer without a bucket is no trouble of ours");
}

#[test]
fn a_full_buffer_loses_no_count() {
    let is_well = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&is_well);
    let recorder = Recorder::start(None, move |_| {
        let is_well = answers.load(Ordering::Relaxed);
        if is_well { "204 No Content\r\n" } else { "503 Service Unavailable\r\n" }
    });
    let config = config::Influx {
        url: format!("http://{}", recorder.address()),
        bucket: "flows".into(),
        org: "net".into(),
        token_file: secret(&scratch("push-full"), "t0ken"),
        interval_s: 1,
        backoff_max_s: 1,
        buffer_bytes: 1,
        ..config::Influx::default()
    };
    let counters = Counters::default();
    let counts = Arc::<PushCounts>::default();
    let pusher = Pusher::influx(&config, counters.source(), Arc::clone(&counts)).unwrap().unwrap();
    wait_until("two intervals are skipped", PATIENCE, || {
        counters.add("flow_bytes", "7", "", 3);
        counts.view().skipped >= 2
    });
    assert_eq!(counts.view().buffer_points, 1, "what was counted first waits");
    is_well.store(true, Ordering::Relaxed);
    wait_until("it is taken", PATIENCE, || counts.view().points > 0);
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.failed, view.dropped, view.buffer_points), (0, 0, 0), "{view:?}");
    // What was tried several times is the same line, and counts once.
    let lines: BTreeSet<String> = recorder.requests().iter().map(text).collect();
    let count = |line: &String| {
        let (_, after) = line.split_once("count=").unwrap();
        after.split('i').next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(lines.iter().map(count).sum::<u64>(), counters.sum("flow_bytes", "7"));
}

#[test]
fn a_private_authority_is_trusted_if_the_operator_says_so() {
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key)
        .unwrap();
    let recorder = Recorder::start(Some(Arc::new(tls)), |_| "204 No Content\r\n");
    let folder = scratch("push-tls");
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, issued.cert.pem()).unwrap();
    let mut config = config::RemoteWrite {
        url: format!("https://{}/write", recorder.address()),
        token_file: secret(&folder, "t0ken"),
        interval_s: 1,
        ..config::RemoteWrite::default()
    };
    let counters = Counters::default();
    counters.add("flow_bytes", "7", "", 1000);
    let start = |config: &config::RemoteWrite| {
        let counts = Arc::<PushCounts>::default();
        let page = Box::new(String::new);
        let pusher = Pusher::remote_write(config, counters.source(), page, Arc::clone(&counts));
        (pusher.unwrap().unwrap(), counts)
    };
    let (pusher, counts) = start(&config);
    wait_until("it is not trusted", PATIENCE, || counts.view().errors > 0);
    stop(pusher);
    assert_eq!(recorder.requests().len(), 0, "nothing was sent, least of all the token");
    let trouble = counts.view().trouble.unwrap_or_default();
    assert!(trouble.to_lowercase().contains("cert"), "{trouble}");

    config.ca_file = ca;
    let (pusher, counts) = start(&config);
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
    let counts = Arc::<PushCounts>::default();
    counters.add("flow_bytes", "7", PEER, 1000);
    counters.add("flow_bytes", "8", "", 50);
    let page = || "# TYPE up gauge\nneckar_up{worker=\"0\"} 0.5\n".to_string();
    let pusher =
        Pusher::remote_write(&config, counters.source(), Box::new(page), Arc::clone(&counts));
    let pusher = pusher.unwrap().unwrap();
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

/// What the generator says that it sent, of one customer or of all.
fn sent(summaries: &[Value], whose: &str, what: &str) -> u64 {
    let of = |summary: &Value| {
        let totals = &summary["totals"];
        let sum = if whose == "all" { &totals["all"] } else { &totals["customers"][whose] };
        sum[what].as_u64().unwrap()
    };
    summaries.iter().map(of).sum()
}

#[test]
fn the_sums_in_influxdb_are_those_of_the_routers() {
    let mut influxd = Influxd::reserve("push-daemon");
    let receiver = Receiver::start("push-daemon-prometheus");
    let folder = scratch("push-daemon-files");
    let customers = folder.join("customers.csv");
    std::fs::write(&customers, neckar_export::customers_csv()).unwrap();
    let neckard = Neckard::start(&[
        "batch.linger_ms=10",
        &format!("enrich.customers={}", customers.display()),
        &format!("influx.url={}", influxd.url()),
        "influx.database=flows",
        &format!("influx.user={USER}"),
        &format!("influx.password_file={}", secret(&folder, PASSWORD).display()),
        "influx.per_tenant=true",
        "influx.interval_s=1",
        "influx.backoff_max_s=1",
        &format!("remote_write.url={}", receiver.url()),
        "remote_write.interval_s=1",
    ]);
    let mut summaries = vec![Generator::start(neckard.udp(), "ipfix", 10_000, 10_000).summary()];
    let flows = sent(&summaries, "all", "flows");
    wait_until("InfluxDB is missed, and what is counted waits", PATIENCE, || {
        neckard.metric("neckar_influx_errors_total") > 0
            && neckard.metric("neckar_influx_buffer_points") > 0
            && neckard.metric("neckar_traffic_counted_total") == flows
    });
    let (status, health) = neckard.fetch("/healthz");
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status, &health["status"]), (503, &Value::from("degraded")));
    assert!(health["reasons"]["influx"].is_string(), "{health}");
    assert_eq!(neckard.fetch("/readyz").0, 200, "flows may come all the same");
    influxd.launch();
    wait_until("all is well", PATIENCE, || neckard.fetch("/healthz").0 == 200);
    summaries.push(Generator::start(neckard.udp(), "ipfix", 10_000, 10_000).summary());
    let (status, report, log) = neckard.stop_with_log();
    assert!(status.success());
    let lines = log.iter().filter(|line| line.contains("InfluxDB: ") && !line.contains("database"));
    assert_eq!(lines.count(), 2, "one for each change: {log:?}");

    assert_eq!(report.flows, sent(&summaries, "all", "flows"), "none was lost on the way");
    let mut all = [0; 3];
    let names = [
        ("flow_bytes", "bytes"),
        ("flow_packets", "packets"),
        ("neckar_traffic_flows_total", "flows"),
    ];
    for database in influxd.databases() {
        let Some(cid) = database.strip_prefix("flows-") else { continue };
        for (at, (metric, what)) in names.into_iter().enumerate() {
            let sum = influxd.sum(&database, metric);
            all[at] += sum;
            // 0 is nobody's.
            assert!(cid == "0" || sum == sent(&summaries, cid, what), "{database} {metric}");
        }
        assert_eq!(influxd.tag_values(&database, "cid"), [cid], "nobody else's");
        assert!(cid == "0" || influxd.sum(&database, "host_bytes") > 0, "{database}");
    }
    assert_eq!(all, names.map(|(_, what)| sent(&summaries, "all", what)));
    check_totals(&influxd, &summaries);
    wait_until("Prometheus has the last", PATIENCE, || {
        receiver.value("sum(flow_bytes)") == Some(all[0] as f64)
    });
    let delivered = receiver.value("neckar_output_delivered_total{job=\"neckar\"}");
    assert_eq!(delivered, Some(report.flows as f64), "of /metrics");
    assert_eq!(receiver.value("neckar_remote_write_failed_total"), Some(0.0));
}

/// What knows no customers, and the pipeline's own.
fn check_totals(influxd: &Influxd, summaries: &[Value]) {
    let flows = sent(summaries, "all", "flows");
    assert_eq!(influxd.sum("flows", "flow_bits"), 8 * sent(summaries, "all", "bytes"));
    let query = "SELECT SUM(\"count\") FROM \"neckar\" WHERE \"counter\" = ";
    for counter in ["flows", "delivered"] {
        let rows = influxd.rows("flows", &format!("{query}'{counter}'"));
        assert_eq!(rows[0][1].as_u64(), Some(flows), "{counter}");
    }
}

/// Takes every request to a real InfluxDB and says that it failed, the first time.
fn forwarder(influxd: &Influxd) -> Recorder {
    let (url, tries) = (influxd.url(), AtomicUsize::new(0));
    Recorder::start(None, move |request| {
        let agent = ureq::Agent::config_builder().proxy(None).build().new_agent();
        let forward = || {
            let mut forward = agent.post(format!("{url}{}", request.target));
            for name in ["authorization", "content-encoding", "content-type"] {
                forward = forward.header(name, request.header(name));
            }
            forward.send(&*request.body)
        };
        // A busy machine's InfluxDB may refuse at first; what it then takes twice is there once.
        wait_until("it is forwarded", PATIENCE, || forward().is_ok());
        let is_first =
            request.target.starts_with("/write") && tries.fetch_add(1, Ordering::Relaxed) == 0;
        if is_first { "504 Gateway Timeout\r\n" } else { "204 No Content\r\n" }
    })
}

#[test]
fn a_push_in_doubt_counts_once() {
    let influxd = Influxd::start("push-doubt");
    let folder = scratch("push-doubt-secret");
    let forwarder = forwarder(&influxd);
    let config = config::Influx {
        url: format!("http://{}", forwarder.address()),
        per_tenant: false,
        ..one(&influxd, &folder)
    };
    let counters = Counters::default();
    let counts = Arc::<PushCounts>::default();
    counters.add("flow_bytes", "7", "", 1000);
    let pusher = Pusher::influx(&config, counters.source(), Arc::clone(&counts)).unwrap().unwrap();
    wait_until("it is in doubt", PATIENCE, || counts.view().errors == 1);
    assert_eq!(influxd.sum("flows", "flow_bytes"), 1000, "it is there already");
    counters.add("flow_bytes", "7", "", 11);
    wait_until("both are there", PATIENCE, || counts.view().points == 2);
    stop(pusher);
    assert_eq!(influxd.sum("flows", "flow_bytes"), 1011);
    assert_eq!(influxd.databases(), ["flows"]);
}
