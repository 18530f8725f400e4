//! The daemon's own counters pushed, to a real InfluxDB 1.6 and a real Prometheus: their sums are those
//! of the routers.

use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::counters::secret;
use crate::support::datagrams::{ipfix, set, template};
use crate::support::generator::Generator;
use crate::support::influxd::{Influxd, PASSWORD, USER};
use crate::support::process::Neckard;
use crate::support::receiver::Receiver;
use crate::support::recorder::Recorder;
use crate::support::{scratch, wait_until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

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
    let bytes = check_customers(&influxd, &summaries);
    check_totals(&influxd, &summaries);
    wait_until("Prometheus has the last", PATIENCE, || {
        receiver.value("sum(flow_bytes)") == Some(bytes as f64)
    });
    let delivered = receiver.value("neckar_output_delivered_total{job=\"neckar\"}");
    assert_eq!(delivered, Some(report.flows as f64), "of /metrics");
    assert_eq!(receiver.value("neckar_remote_write_failed_total"), Some(0.0));
}

/// Each customer's own, and all of them together; answers the bytes of all.
fn check_customers(influxd: &Influxd, summaries: &[Value]) -> u64 {
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
            assert!(cid == "0" || sum == sent(summaries, cid, what), "{database} {metric}");
        }
        assert_eq!(influxd.tag_values(&database, "cid"), [cid], "nobody else's");
        assert!(cid == "0" || influxd.sum(&database, "host_bytes") > 0, "{database}");
    }
    assert_eq!(all, names.map(|(_, what)| sent(summaries, "all", what)));
    all[0]
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

/// Whoever keeps counters may take his time; what outlives us is on disk by then.
#[test]
fn templates_are_on_disk_before_the_last_push() {
    let state = scratch("push-state");
    let (file, seen) = (state.join("templates.neckar"), Arc::<Mutex<Vec<bool>>>::default());
    let noted = Arc::clone(&seen);
    let recorder = Recorder::start(None, move |_| {
        noted.lock().unwrap().push(file.exists());
        "204 No Content\r\n"
    });
    // So rarely that the last push is the only one.
    let neckard = Neckard::start(&[
        &format!("state.directory={}", state.display()),
        &format!("remote_write.url=http://{}", recorder.address()),
        "remote_write.interval_s=1800",
    ]);
    let datagram = ipfix(0, &[set(2, &template(300, &[(1, 4)]))]);
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram, neckard.udp()).unwrap();
    assert!(neckard.stop().0.success());
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty() && seen.iter().all(|was_there| *was_there), "{seen:?}");
}
