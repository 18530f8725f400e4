//! The heaviest beside exact sums, and the minutes beside the clock.

use std::collections::HashMap;

use proptest::test_runner::TestCaseError;

use super::*;

pub(super) fn question(dimension: Dimension, measure: Measure) -> Question {
    Question { dimension, measure, direction: None, tenant: None, minutes: 60, rows_max: 1000 }
}

/// Exact sums by source.
fn exact<'a>(specs: impl IntoIterator<Item = &'a Spec>) -> HashMap<String, Sums> {
    let mut exact: HashMap<String, Sums> = HashMap::new();
    for spec in specs {
        let source = Ipv4Addr::from(spec.src).to_string();
        exact.entry(source).or_default().add(&spec.sums(), 1.0);
    }
    exact
}

proptest! {
    /// Tables far too small: what is told is at most the truth, with its error at least; totals are exact.
    #[test]
    fn figures_hold_their_bounds(specs in specs(300), talkers_max in 2_usize..8) {
        let traffic = counted(&Config { talkers_max, ..Config::default() }, &specs);
        for direction in [None, Some(Direction::Incoming), Some(Direction::Outgoing)] {
            let is_meant = |spec: &&Spec| {
                direction.is_none_or(|direction| direction as u8 == spec.direction)
            };
            let question = Question { direction, ..question(Dimension::SrcHost, Measure::Bytes) };
            let report = traffic.report(&question);
            let mut totals = Sums::default();
            specs.iter().filter(is_meant).for_each(|spec| totals.add(&spec.sums(), 1.0));
            prop_assert_eq!(report.totals, totals);
            for truth in check_bounds(&report, exact(specs.iter().filter(is_meant)))? {
                for of in Sums::MEASURES {
                    prop_assert!(of(&truth) <= of(&report.absent) * (1.0 + 1e-9));
                }
            }
        }
    }
}

proptest! {
    /// A flow becomes another thing from minute to minute, so that weights are made with means that do not hold;
    /// prefixes have three keys a flow. What is told holds all the same.
    #[test]
    fn bounds_hold_when_the_means_do_not(
        minutes in prop::collection::vec((specs(80), prop::sample::select(vec![1_u64, 300, 1_000_000])), 2..5),
        talkers_max in 2_usize..8,
    ) {
        let mut traffic = Traffic::new(&Config { talkers_max, ..Config::default() }, NOON_S);
        let mut all = Vec::new();
        for (minute, (mut specs, size)) in (0_u32..).zip(minutes) {
            let now_s = NOON_S + 60 * u64::from(minute);
            for (number, spec) in (0..).zip(&mut specs) {
                (spec.end_s, spec.bytes) = (now_s, spec.bytes * size);
                // A few in each prefix, and each minute others.
                spec.src = (10 + minute) << 24 | (number % 7) << 12 | number;
            }
            traffic.count(&batch(&specs), now_s);
            all.extend(specs);
        }
        let report = traffic.report(&question(Dimension::SrcHost, Measure::Bytes));
        let absent = check_bounds(&report, exact(&all))?;
        for truth in absent {
            for of in Sums::MEASURES {
                prop_assert!(of(&truth) <= of(&report.absent) * (1.0 + 1e-9));
            }
        }
        // What longer prefixes explain is not shown, and not absent.
        check_bounds(&traffic.report(&question(Dimension::SrcPrefix, Measure::Bytes)), by_prefix(&all))?;
    }
}

/// Exact sums by the source's prefixes.
fn by_prefix(specs: &[Spec]) -> HashMap<String, Sums> {
    let mut exact: HashMap<String, Sums> = HashMap::new();
    for spec in specs {
        for len in [8, 16, 24] {
            let prefix = Ipv4Addr::from(spec.src & u32::MAX << (32 - len));
            exact.entry(format!("{prefix}/{len}")).or_default().add(&spec.sums(), 1.0);
        }
    }
    exact
}

/// Every row is at most the truth, with its error at least. Answers those who are not shown.
fn check_bounds(
    report: &Report,
    mut exact: HashMap<String, Sums>,
) -> Result<Vec<Sums>, TestCaseError> {
    for row in &report.rows {
        let truth = exact.remove(&row.key).expect("somebody who was there");
        for of in Sums::MEASURES {
            prop_assert!(of(&row.sums) <= of(&truth) * (1.0 + 1e-9));
            let upper = of(&row.sums) + of(&row.error);
            prop_assert!(upper >= of(&truth) * (1.0 - 1e-9), "{row:?} for {truth:?}");
        }
    }
    Ok(exact.into_values().collect())
}

#[test]
fn with_room_for_all_there_is_no_error() {
    let specs: Vec<Spec> = (0..50_u32)
        .map(|number| Spec { src: 1 + number, bytes: u64::from(number) + 1, ..Spec::default() })
        .collect();
    let traffic = counted(&Config::default(), &specs);
    let report = traffic.report(&question(Dimension::SrcHost, Measure::Bytes));
    assert_eq!(report.rows.len(), 50);
    assert_eq!((report.rows[0].key.as_str(), report.rows[0].sums.bytes), ("0.0.0.50", 50.0));
    assert!(report.rows.iter().all(|row| row.error == Sums::default()));
    assert_eq!((report.absent, report.sampling.one_in), (Sums::default(), 1.0));
}

#[test]
fn minutes_are_of_event_time_and_go_by_the_clock() {
    let mut traffic = counted(&Config::default(), &[Spec::default()]);
    let before = Spec { end_s: NOON_S - 30, bytes: 77, ..Spec::default() };
    traffic.count(&batch(&[before]), NOON_S);
    let bytes = |traffic: &Traffic, minutes| {
        let question = Question { minutes, ..question(Dimension::SrcHost, Measure::Bytes) };
        traffic.report(&question).rows.first().map(|row| row.sums.bytes)
    };
    assert_eq!(bytes(&traffic, 1), Some(1000.0), "what ended in this minute");
    assert_eq!(bytes(&traffic, 2), Some(1077.0));
    // No traffic, and time goes on.
    traffic.tend(NOON_S + 60);
    assert_eq!(bytes(&traffic, 1), None);
    assert_eq!((bytes(&traffic, 2), bytes(&traffic, 3)), (Some(1000.0), Some(1077.0)));
    traffic.tend(NOON_S + 59 * 60);
    assert_eq!(bytes(&traffic, 60), Some(1000.0), "an hour, this minute included");
    traffic.tend(NOON_S + 60 * 60);
    assert_eq!(bytes(&traffic, 60), None);
    traffic.tend(NOON_S + 1_000_000);
    let report = traffic.report(&question(Dimension::SrcHost, Measure::Bytes));
    assert_eq!(report.to_s, (NOON_S + 1_000_000) / 60 * 60 + 60);
    assert_eq!(report.totals, Sums::default());
}

/// Two hours back: nothing waits until the clock is there again.
#[test]
fn a_clock_that_is_set_back_does_not_stop_the_minutes() {
    let config = Config { series_idle_s: 100, ..Config::default() };
    let mut traffic = counted(&config, &[Spec::default()]);
    traffic.tend(NOON_S + 60);
    let back_s = NOON_S - 7200;
    traffic.tend(back_s);
    let flow = |end_s| batch(&[Spec { src: 9, cid: 8, end_s, ..Spec::default() }]);
    traffic.count(&flow(back_s), back_s);
    let question = |minutes, tenant| {
        let question = question(Dimension::SrcHost, Measure::Bytes);
        Question { minutes, tenant, ..question }
    };
    let report = traffic.report(&question(60, None));
    assert_eq!((report.to_s, report.totals.flows), (back_s + 60, 1.0), "what lay ahead is gone");
    traffic.tend(back_s + 60);
    traffic.count(&flow(back_s + 60), back_s + 60);
    let report = traffic.report(&question(1, None));
    assert_eq!((report.to_s, report.totals.flows), (back_s + 120, 1.0), "minutes close again");
    assert_eq!(traffic.report(&question(60, Some(7))).to_s, back_s / 300 * 300 + 300);

    traffic.tend(back_s + 120);
    let cids = super::flowdata::sums(&traffic, "flow_bytes", "cid");
    assert_eq!(cids, [("8".to_string(), 2000)].into(), "7 was idle");
    traffic.tend(back_s + 1500);
    assert_eq!(traffic.tenants().cids(), [0; 0], "and so are customers");
    assert_eq!(traffic.recent().since(0).len(), 0);
}

#[test]
fn what_closed_minutes_keep_holds_its_bounds() {
    let mut traffic = Traffic::new(&Config::default(), NOON_S);
    // 500 sources a minute: 100 of each measure are kept.
    let mut all = Vec::new();
    for minute in 0..5_u64 {
        let end_s = NOON_S + minute * 60;
        let spec = |number: u32| {
            let size = u64::from(number) + 1 + minute * 7 % 5;
            Spec { src: 1 + number, bytes: size * size, end_s, ..Spec::default() }
        };
        let specs: Vec<Spec> = (0..500).map(spec).collect();
        traffic.count(&batch(&specs), end_s);
        all.extend(specs);
    }
    traffic.tend(NOON_S + 600);
    let report = traffic.report(&question(Dimension::SrcHost, Measure::Bytes));
    let exact = exact(&all);
    assert_eq!(report.rows[0].key, "0.0.1.244");
    for row in &report.rows {
        let truth = exact[&row.key];
        assert!(row.sums.bytes <= truth.bytes && row.sums.bytes + row.error.bytes >= truth.bytes);
    }
    assert!(report.rows.len() < 500 && report.absent.bytes > 0.0);
}

#[test]
fn names_come_with_the_keys() {
    let specs = [Spec { remote_as: 64_496, ..Spec::default() }];
    let traffic = counted(&Config::default(), &specs);
    let first = |dimension| {
        let row = traffic.report(&question(dimension, Measure::Bytes)).rows.remove(0);
        (row.key, row.name)
    };
    assert_eq!(first(Dimension::SrcAs), ("AS64496".into(), "Example".into()));
    assert_eq!(first(Dimension::Protocol), ("6".into(), "TCP".into()));
    assert_eq!(first(Dimension::Port), ("tcp/443".into(), String::new()));
}

#[test]
fn a_customer_has_talkers_of_its_own() {
    let specs = [7, 7, 8].map(|cid| Spec { cid, src: 100 + cid, ..Spec::default() });
    let mut traffic = counted(&Config { tenants_max: 1, ..Config::default() }, &specs);
    let of = |traffic: &Traffic, tenant| {
        let question =
            Question { tenant: Some(tenant), ..question(Dimension::SrcHost, Measure::Flows) };
        let report = traffic.report(&question);
        report.rows.iter().map(|row| (row.key.clone(), row.sums.flows)).collect::<Vec<_>>()
    };
    assert_eq!(of(&traffic, 7), [("0.0.0.107".to_string(), 2.0)]);
    assert_eq!(of(&traffic, 8), [], "there is room for one");
    assert_eq!((traffic.tenants().cids(), traffic.tenants().unkept()), (vec![7], 1));
    traffic.tend(NOON_S + 300);
    assert_eq!(of(&traffic, 7).len(), 1, "the five minutes before");
    traffic.tend(NOON_S + 1300);
    assert_eq!(traffic.tenants().cids(), [0; 0], "idle");
}

/// What a customer is shown says that it was sampled, too.
#[test]
fn a_customers_figures_tell_that_they_are_sampled() {
    let specs = vec![Spec::default(); 2000];
    let config = Config { sketched_per_s: 10, ..Config::default() };
    let traffic = counted(&config, &specs);
    let question = Question { tenant: Some(7), ..question(Dimension::DstHost, Measure::Flows) };
    let report = traffic.report(&question);
    assert!(report.sampling.one_in > 1.0 && report.sampling.variance_per_unit.flows > 1.0);
    let all = traffic.report(&Question { tenant: None, ..question });
    assert_eq!((all.totals.flows, all.sampling.one_in), (2000.0, report.sampling.one_in));
}

/// Even one all of whose flows were left to others but the one before the flood.
#[test]
fn a_customer_is_told_of_flows_that_were_left_to_others() {
    let small = Spec { cid: 8, bytes: 1, packets: 1, ..Spec::default() };
    let flood = vec![Spec::default(); 2000];
    let few = vec![small.clone(); 5];
    let specs = [vec![small], flood, few].concat();
    let config = Config { sketched_per_s: 10, ..Config::default() };
    let mut traffic = counted(&config, &specs);
    let question = question(Dimension::DstHost, Measure::Flows);
    let of = |traffic: &Traffic| traffic.report(&Question { tenant: Some(8), ..question });
    let report = of(&traffic);
    assert_eq!(report.totals.flows, 1.0, "the others were passed over");
    assert!(report.sampling.one_in > 1.0 && report.sampling.variance_per_unit.bytes > 1.0);
    let minutes = |minutes: u64| NOON_S + 60 * minutes;
    traffic.tend(minutes(6));
    assert!(of(&traffic).sampling.one_in > 1.0, "in the five minutes before");
    (7..18).for_each(|minute| traffic.tend(minutes(minute)));
    assert_eq!(of(&traffic).sampling.one_in, 1.0, "{:?}", of(&traffic));
}

/// Targets by class are what the minute before had: the seam for detecting attacks.
#[test]
fn targets_show_the_minute_before() {
    let specs = [Spec { src_port: 53, proto: 17, bytes: 7500, packets: 60, ..Spec::default() }];
    let mut traffic = counted(&Config::default(), &specs);
    traffic.tend(NOON_S + 60);
    let labels =
        "traffic_type=\"udp_amplified\",address=\"192.0.2.1\",forwarding_status=\"unknown\"";
    let page = traffic.page();
    assert!(page.contains(&format!("traffic_bps{{{labels}}} 1000\n")), "{page}");
    assert!(page.contains(&format!("traffic_pps{{{labels}}} 1\n")), "{page}");
}

/// Ten times what may be sketched: sums are still right, within four standard deviations.
#[test]
fn sampled_figures_are_right_on_average() {
    let config = Config { sketched_per_s: 1000, ..Config::default() };
    let mut traffic = Traffic::new(&config, NOON_S);
    let mut all = Vec::new();
    for second in 0..30 {
        let now_s = NOON_S + second;
        let spec = |number: u32| Spec {
            src: 1 + number % 10,
            bytes: 100 + u64::from(number) * 13 % 1400,
            packets: 1 + u64::from(number) % 5,
            end_s: now_s,
            ..Spec::default()
        };
        let specs: Vec<Spec> = (0..10_000).map(spec).collect();
        specs.chunks(1000).for_each(|chunk| traffic.count(&batch(chunk), now_s));
        traffic.tend(now_s + 1);
        all.extend(specs);
    }
    assert!(traffic.counts().sketched < 60_000, "{}", traffic.counts().sketched);
    let report = traffic.report(&question(Dimension::SrcHost, Measure::Bytes));
    assert_eq!(report.totals.flows, 300_000.0, "totals are not sampled");
    assert!(report.sampling.one_in > 1.0);
    let exact = exact(&all);
    for row in &report.rows {
        let truth = exact[&row.key];
        for of in Sums::MEASURES {
            let deviation = (of(&report.sampling.variance_per_unit) * of(&truth)).sqrt();
            let off = (of(&row.sums) - of(&truth)).abs();
            assert!(off <= 4.0 * deviation, "{row:?} for {truth:?}");
        }
    }
}
