//! Counters pushed to a real InfluxDB 1.6, and to a stand-in for InfluxDB 2, which Debian does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::counters::{Counters, PEER, secret, stop};
use crate::support::influxd::{Influxd, PASSWORD, USER};
use crate::support::recorder::{Recorder, Request};
use crate::support::{scratch, wait_until};
use neckard::config;
use neckard::push::{PushCounts, Pusher};

const PATIENCE: Duration = Duration::from_secs(30);

fn start(config: &config::Influx, counters: &Counters) -> (Pusher, Arc<PushCounts>) {
    let counts = Arc::<PushCounts>::default();
    let pusher = Pusher::influx(config, counters.source(), Arc::clone(&counts));
    (pusher.unwrap().unwrap(), counts)
}

/// With its administrator, in a hurry.
fn hasty(influxd: &Influxd, folder: &Path) -> config::Influx {
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

#[test]
fn influxdb_has_each_count_once_although_it_was_killed() {
    let mut influxd = Influxd::start("push-influxd");
    let folder = scratch("push-influxd-secret");
    let counters = Counters::default();
    counters.add("neckar", "", "", 17);
    for (cid, count) in [("7", 1000), ("8", 2000)] {
        counters.add("flow_bytes", cid, PEER, count);
        counters.add("flow_packets", cid, "", count / 100);
    }
    let (pusher, counts) = start(&hasty(&influxd, &folder), &counters);
    wait_until("the first points are there", PATIENCE, || counts.view().points == 5);

    influxd.kill();
    count_until_missed(&counters, &counts);
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
    check_customers(&influxd, &counters);
    assert_eq!(influxd.sum("flows", "neckar"), 17);
    assert_eq!(influxd.tag_values("flows-7", "peer"), [PEER], "as it was");
    let retention = influxd.rows("flows-7", "SHOW RETENTION POLICIES");
    assert_eq!(retention[0][1], "72h0m0s");
}

/// So much that it goes on counting while it pushes and is not heard.
fn count_until_missed(counters: &Counters, counts: &PushCounts) {
    for round in 0_u64.. {
        counters.add("flow_bytes", "7", PEER, 100 + round);
        counters.add("flow_bytes", "8", "", 3);
        let view = counts.view();
        if view.errors > 1 && view.buffer_points >= 4 {
            return;
        }
        assert!(round < 1000, "{view:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Each has his own, whole, and nobody else's.
fn check_customers(influxd: &Influxd, counters: &Counters) {
    for cid in ["7", "8"] {
        let database = format!("flows-{cid}");
        for metric in ["flow_bytes", "flow_packets"] {
            assert_eq!(influxd.sum(&database, metric), counters.sum(metric, cid), "{metric}");
            assert_eq!(influxd.sum("flows", metric), 0, "customers' are not here");
        }
        assert_eq!(influxd.tag_values(&database, "cid"), [cid], "nobody else's");
    }
}

#[test]
fn a_database_that_is_dropped_is_made_again() {
    let influxd = Influxd::start("push-dropped");
    let folder = scratch("push-dropped-secret");
    let counters = Counters::default();
    counters.add("flow_bytes", "7", "", 100);
    let (pusher, counts) = start(&hasty(&influxd, &folder), &counters);
    wait_until("the first point is there", PATIENCE, || counts.view().points == 1);
    influxd.rows("", "DROP DATABASE \"flows-7\"");
    counters.add("flow_bytes", "7", "", 11);
    wait_until("the second point is there", PATIENCE, || counts.view().points == 2);
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.creates, view.failed, view.databases_refused), (2, 0, 0), "{view:?}");
    assert_eq!(influxd.sum("flows-7", "flow_bytes"), 11);
}

#[test]
fn a_wrong_password_loses_nothing_but_at_the_end() {
    let influxd = Influxd::start("push-password");
    let folder = scratch("push-password-secret");
    let counters = Counters::default();
    counters.add("flow_bytes", "7", "", 100);
    let config = config::Influx {
        password_file: secret(&folder, "wrong"),
        ..hasty(&influxd, &scratch("push-password-right"))
    };
    let (pusher, counts) = start(&config, &counters);
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
    counters.add("neckar", "", "", 17);
    counters.add("flow_bytes", "7", "", 100);
    counters.add("flow_bytes", "8", "", 200);
    let config = config::Influx { user: "bob".into(), ..hasty(&influxd, &folder) };
    let (pusher, counts) = start(&config, &counters);
    wait_until("all are settled", PATIENCE, || counts.view().points + counts.view().absent == 3);
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.points, view.absent, view.databases_refused), (2, 1, 1), "{view:?}");
    assert_eq!(view.failed, 0, "it is absent, and no failure");
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

/// A bucket at a stand-in, in a hurry.
fn bucket(recorder: &Recorder, subject: &str) -> config::Influx {
    config::Influx {
        url: format!("http://{}/", recorder.address()),
        bucket: "flows".into(),
        org: "the net & co".into(),
        token_file: secret(&scratch(subject), "t0ken"),
        per_tenant: true,
        interval_s: 1,
        backoff_max_s: 1,
        ..config::Influx::default()
    }
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
    let tags = BTreeMap::from([("host".into(), "a".into())]);
    let config = config::Influx { tags, ..bucket(&recorder, "push-two") };
    let counters = Counters::default();
    counters.add("neckar", "", "", 17);
    counters.add("flow_bytes", "7", PEER, 1000);
    counters.add("flow_bytes", "9", "", 1);
    let (pusher, counts) = start(&config, &counters);
    wait_until("two points are there", PATIENCE, || counts.view().points == 2);
    wait_until("one has no bucket", PATIENCE, || counts.view().absent == 1);
    counters.add("flow_bytes", "9", "", 1);
    wait_until("nor has the next", PATIENCE, || counts.view().absent == 2);
    stop(pusher);
    check_requests(&recorder.requests());
    let view = counts.view();
    assert_eq!((view.errors, view.failed, view.creates), (2, 0, 0), "{view:?}");
    assert_eq!(view.databases_refused, 1, "{view:?}");
    assert_eq!(view.trouble, None, "a customer without a bucket is no trouble of ours");
}

/// Who was refused steps behind the others; whose bucket is missing is asked for once, then left alone.
fn check_requests(requests: &[Request]) {
    let targets: Vec<&str> = requests.iter().map(|request| request.target.as_str()).collect();
    let target = |bucket: &str| {
        format!("/api/v2/write?org=the%20net%20%26%20co&bucket={bucket}&precision=s")
    };
    assert_eq!(targets, ["flows", "flows-7", "flows-9", "flows", "flows-7"].map(target));
    assert_eq!(requests[0].body, requests[3].body, "repeated unchanged");
    for request in requests {
        assert_eq!(request.header("authorization"), "Token t0ken");
        assert_eq!(request.header("content-encoding"), "gzip");
    }
    let lines = text(&requests[4]);
    let (series, rest) = lines.split_once(" count=").unwrap();
    assert_eq!(series, "flow_bytes,cid=7,host=a,peer=Köln\\,\\ \"x\\=1\"\\ a\\b\\ \\\\,");
    let (count, at) = rest.trim_end().split_once(' ').unwrap();
    assert_eq!(count, "1000i");
    assert!((1_600_000_000..9_999_999_999).contains(&at.parse::<u64>().unwrap()), "seconds: {at}");
}

/// What the lines of requests add up to, each line once.
fn sum(requests: &[Request]) -> u64 {
    // What was tried several times is the same line, and counts once.
    let lines: BTreeSet<String> = requests
        .iter()
        .flat_map(|one| text(one).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let count = |line: &String| {
        let (_, after) = line.split_once("count=").unwrap();
        after.split('i').next().unwrap().parse::<u64>().unwrap()
    };
    lines.iter().map(count).sum()
}

#[test]
fn one_customers_sick_bucket_holds_up_nobody_else() {
    let recorder = Recorder::start(None, |request| {
        let is_sick = request.target.contains("bucket=flows-7");
        if is_sick { "500 Internal Server Error\r\n" } else { "204 No Content\r\n" }
    });
    let counters = Counters::default();
    let (pusher, counts) = start(&bucket(&recorder, "push-sick"), &counters);
    wait_until("it is left alone", PATIENCE, || {
        for (metric, cid) in [("neckar", ""), ("flow_bytes", "7"), ("flow_bytes", "8")] {
            counters.add(metric, cid, "", 3);
        }
        counts.view().databases_refused == 1
    });
    stop(pusher);
    let view = counts.view();
    assert_eq!((view.failed, view.dropped, view.buffer_points), (0, 0, 0), "{view:?}");
    assert!(view.absent > 0, "{view:?}");
    assert_eq!(view.trouble, None, "one customer's is no trouble of ours");
    for (bucket, metric, cid) in [("flows", "neckar", ""), ("flows-8", "flow_bytes", "8")] {
        let mut requests = recorder.requests();
        requests.retain(|request| request.target.contains(&format!("bucket={bucket}&")));
        assert_eq!(sum(&requests), counters.sum(metric, cid), "{bucket} has everything");
    }
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
    let (pusher, counts) = start(&config, &counters);
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
    assert_eq!(sum(&recorder.requests()), counters.sum("flow_bytes", "7"));
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
        ..hasty(&influxd, &folder)
    };
    let counters = Counters::default();
    counters.add("flow_bytes", "7", "", 1000);
    let (pusher, counts) = start(&config, &counters);
    wait_until("it is in doubt", PATIENCE, || counts.view().errors == 1);
    assert_eq!(influxd.sum("flows", "flow_bytes"), 1000, "it is there already");
    counters.add("flow_bytes", "7", "", 11);
    wait_until("both are there", PATIENCE, || counts.view().points == 2);
    stop(pusher);
    assert_eq!(influxd.sum("flows", "flow_bytes"), 1011);
    assert_eq!(influxd.databases(), ["flows"]);
}
