use std::io::Read as _;

use super::*;
use crate::push::Source;

fn influx(change: impl FnOnce(&mut config::Influx)) -> Influx {
    let mut config = config::Influx {
        url: "http://127.0.0.1:1".into(),
        database: "flows".into(),
        ..config::Influx::default()
    };
    change(&mut config);
    Influx::new(&config, Arc::default()).unwrap()
}

/// Counters `(metric, cid, value)`, as they stand.
fn still(counters: &'static [(&str, &str, u64)]) -> Still {
    let source: Source = Box::new(move |visit| {
        for (metric, cid, value) in counters {
            let labels = [("cid", *cid), ("peer", "a b")];
            visit(Sample { metric, labels: &labels, value: *value, since_s: 1 });
        }
    });
    Still::take(&source, 10)
}

/// Place, points and text of each parcel.
fn read(parcels: &[Parcel]) -> Vec<(String, u64, String)> {
    let text = |parcel: &Parcel| {
        let mut text = String::new();
        flate2::read::GzDecoder::new(&*parcel.body).read_to_string(&mut text).unwrap();
        (parcel.place.to_string(), parcel.points, text)
    };
    parcels.iter().map(text).collect()
}

#[test]
fn points_are_what_was_counted_since() {
    let mut influx = influx(|_| {});
    let first = still(&[("flow_bytes", "7", 100), ("flow_packets", "7", 0)]);
    let parcels = read(&influx.pack(&first, 10));
    let expected = "flow_bytes,cid=7,peer=a\\ b count=100i 10\n";
    assert_eq!(parcels, [("flows".into(), 1, expected.into())]);
    let second = still(&[("flow_bytes", "7", 130), ("flow_packets", "7", 2)]);
    let expected = "flow_bytes,cid=7,peer=a\\ b count=30i 20\n\
                    flow_packets,cid=7,peer=a\\ b count=2i 20\n";
    assert_eq!(read(&influx.pack(&second, 20)), [("flows".into(), 2, expected.into())]);
    assert_eq!(influx.pack(&second, 30), [], "nothing has been counted");
    assert_eq!(influx.counts.view().series, 2);
}

#[test]
fn requests_are_bounded() {
    let mut influx = influx(|config| config.points_max = 2);
    let five = [("m", "1", 1), ("m", "2", 1), ("m", "3", 1), ("m", "4", 1), ("m", "5", 1)];
    let parcels = influx.pack(&still(Box::leak(Box::new(five))), 10);
    let points: Vec<u64> = parcels.iter().map(|parcel| parcel.points).collect();
    assert_eq!(points, [2, 2, 1]);
}

#[test]
fn customers_have_places_of_their_own() {
    let mut influx = influx(|config| (config.per_tenant, config.tenants_max) = (true, 2));
    let counters = still(&[
        ("m", "7", 1),
        ("m", "0", 2),
        ("m", "", 3),
        ("m", "other", 4),
        ("n", "7", 5),
        ("m", "9", 6),
    ]);
    let parcels = read(&influx.pack(&counters, 10));
    let places: Vec<(&str, u64)> =
        parcels.iter().map(|(place, points, _)| (place.as_str(), *points)).collect();
    // The third customer is one too many, and no number is no customer.
    assert_eq!(places, [("flows", 3), ("flows-0", 1), ("flows-7", 2)]);
    assert!(parcels[0].2.contains("cid=9"), "{}", parcels[0].2);
    assert_eq!(influx.counts.view().databases, 3);
}

#[test]
fn what_a_partial_write_left_out_is_read() {
    let text = "{\"error\":\"partial write: points beyond retention policy dropped=3\"}";
    assert_eq!(dropped(text), Some(3));
    assert_eq!(dropped("{\"error\":\"unable to parse 'x dropped=3'\"}"), None);
    assert_eq!(dropped("partial write: nobody knows"), None);
}

#[test]
fn a_version_wants_its_own_credentials() {
    let refused = |change: &dyn Fn(&mut config::Influx)| {
        let mut config = config::Influx::default();
        change(&mut config);
        Influx::new(&config, Arc::default()).err().map(|problem| problem.key)
    };
    // Cargo sets this one for every test.
    let secret = "CARGO_PKG_NAME";
    let token = |config: &mut config::Influx| config.token_env = secret.into();
    assert_eq!(refused(&token).as_deref(), Some("influx.token_env"));
    let bucket = |config: &mut config::Influx| config.bucket = "b".into();
    assert_eq!(refused(&bucket).as_deref(), Some("influx.bucket"));
    let both = |config: &mut config::Influx| {
        token(config);
        bucket(config);
    };
    assert_eq!(refused(&both), None);
}

#[test]
fn answers_are_judged_by_whom_they_concern() {
    let mut influx = influx(|config| config.per_tenant = true);
    let parcels = influx.pack(&still(&[("m", "", 1), ("m", "7", 1), ("n", "7", 1)]), 10);
    let [main, tenant] = &parcels[..] else { panic!("{parcels:?}") };
    let answer = |status, text: &str| Answer { status, retry_after: None, text: text.into() };
    let why = |text: &str| format!("\"flows-7\": HTTP status {text}");
    let later = |why: String| Verdict::Later { why, after: None };

    let missing = answer(404, "no");
    let for_main = later("\"flows\": HTTP status 404: no".into());
    assert_eq!(influx.judge(main, &missing, 100), for_main, "it waits until it is there");
    let wrong = answer(401, "who?");
    assert_eq!(influx.judge(tenant, &wrong, 100), later(why("401: who?")), "nor is it his fault");
    let partial = answer(400, "partial write: too old dropped=1");
    let told = why("400: partial write: too old dropped=1");
    let expected = Verdict::Taken { refused: 1, why: Some(told.clone()) };
    assert_eq!(influx.judge(tenant, &partial, 100), expected);
    let large = answer(413, "");
    assert_eq!(influx.judge(tenant, &large, 100), Verdict::Refused(why("413")));

    // His own is left alone, is tried again, and is well again.
    assert_eq!(influx.judge(tenant, &missing, 100), Verdict::Absent);
    assert_eq!(influx.counts.view().databases_refused, 1);
    assert_eq!(influx.send(tenant, 100 + HOLD_S * 1000 - 1), Verdict::Absent, "nobody is asked");
    let Verdict::Later { why, .. } = influx.send(tenant, 100 + HOLD_S * 1000) else {
        panic!("asked")
    };
    assert!(why.contains("onnect"), "nobody listens there: {why}");
    let taken = Verdict::Taken { refused: 0, why: None };
    assert_eq!(influx.judge(tenant, &answer(204, ""), 1_000_000), taken);
    assert_eq!(influx.counts.view().databases_refused, 0);
}

#[test]
fn a_customer_whose_database_fails_alone_is_left_alone() {
    let mut influx = influx(|config| config.per_tenant = true);
    let parcels = influx.pack(&still(&[("m", "", 1), ("m", "7", 1)]), 10);
    let [main, tenant] = &parcels[..] else { panic!("{parcels:?}") };
    let answer = Answer { status: 204, retry_after: None, text: String::new() };
    let is_later = |verdict| matches!(verdict, Verdict::Later { .. });
    // Nobody listens: as long as nobody takes anything it may be the whole server, and all wait.
    for _ in 0..10 {
        assert!(is_later(influx.send(tenant, 0)) && is_later(influx.send(main, 0)));
    }
    for _ in 1..FAILURES_MAX {
        influx.judge(main, &answer, 0);
        for _ in 0..10 {
            assert!(is_later(influx.send(tenant, 0)), "not yet");
        }
    }
    influx.judge(main, &answer, 0);
    assert_eq!(influx.send(tenant, 0), Verdict::Absent);
    assert_eq!(influx.counts.view().databases_refused, 1);
    // The main place is never left alone.
    for _ in 0..10 {
        influx.taken += 1;
        assert!(is_later(influx.send(main, 0)));
    }
    // He is well again.
    influx.judge(tenant, &answer, HOLD_S * 1000);
    assert_eq!(influx.counts.view().databases_refused, 0);
    assert!(is_later(influx.send(tenant, HOLD_S * 1000)), "patience begins anew");
}
