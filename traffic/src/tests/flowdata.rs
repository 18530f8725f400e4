//! The suite's series beside a slow sum over the flows.

use std::collections::BTreeMap;

use super::*;

/// Series by name and labels, as the page has them.
fn page(traffic: &Traffic) -> BTreeMap<String, u64> {
    let page = traffic.page();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        Some((series.to_string(), value.parse().ok()?))
    });
    samples.collect()
}

/// What the suite's consumers would say of the flow, written from their description: labels by path, labels
/// by customer.
fn labels(spec: &Spec) -> (String, String) {
    let application = match spec.src_port {
        53 => "dns",
        80 => "http",
        443 => "https",
        _ => "",
    };
    let protoname = if spec.proto == 6 { "TCP" } else { "UDP" };
    let (direction, peer) = match spec.direction {
        0 => ("Incoming", "transit \\\"A\\\""),
        _ => ("Outgoing", "customer"),
    };
    let remote_as = match spec.remote_as {
        0 => "unset",
        64_496 => "Example",
        _ => "other",
    };
    let start = format!(
        "ipversion=\"IPv4\",application=\"{application}\",protoname=\"{protoname}\",direction=\"{direction}\""
    );
    (
        format!(
            "{{router=\"192.0.2.99\",{start},peer=\"{peer}\",remoteas=\"{remote_as}\",remotecountry=\"\"}}"
        ),
        format!("{{{start},cid=\"{}\",peer=\"{peer}\"}}", spec.cid),
    )
}

proptest! {
    /// All seven metrics, to the byte, whatever the order.
    #[test]
    fn series_are_what_a_slow_sum_says(specs in specs(300)) {
        let mut expected: BTreeMap<String, u64> = BTreeMap::new();
        for spec in &specs {
            let (by_path, by_customer) = labels(spec);
            let scale = spec.rate.max(1);
            let mut add = |name: &str, labels: &str, value: u64| {
                *expected.entry(format!("{name}{labels}")).or_default() += value;
            };
            add("flow_bits", &by_path, spec.bytes * 8);
            add("flow_bytes", &by_customer, spec.bytes);
            add("flow_packets", &by_customer, spec.packets);
            add("flow_number_total", &by_customer, spec.rate);
            add("neckar_traffic_flows_total", &by_customer, 1);
            add("neckar_traffic_bytes_total", &by_customer, spec.bytes * scale);
            add("neckar_traffic_packets_total", &by_customer, spec.packets * scale);
        }
        let mut found = page(&counted(&Config::default(), &specs));
        found.retain(|series, _| !series.starts_with("host_") && !series.starts_with("toptalkers"));
        prop_assert_eq!(found, expected);
    }
}

/// Sums of a metric by the value of one label.
pub(super) fn sums(traffic: &Traffic, metric: &str, label: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    traffic.each_sample(|sample| {
        if sample.metric == metric {
            let value = sample.labels.iter().find(|(name, _)| *name == label);
            let value = value.map_or("", |(_, value)| value).to_string();
            *sums.entry(value).or_default() += sample.value;
        }
    });
    sums
}

#[test]
fn beyond_the_cap_everything_is_other_and_nothing_is_lost() {
    let config = Config { series_max: 3, ..Config::default() };
    let specs: Vec<Spec> = (0..10).map(|cid| Spec { cid, ..Spec::default() }).collect();
    let traffic = counted(&config, &specs);
    let by_cid = sums(&traffic, "flow_bytes", "cid");
    let expected = [("0", 1000), ("1", 1000), ("2", 1000), ("other", 7000)];
    assert_eq!(by_cid, expected.map(|(cid, bytes)| (cid.to_string(), bytes)).into());
    assert_eq!(sums(&traffic, "flow_bytes", "direction")["other"], 7000, "every label says so");
}

/// An AS without a name is `other`, and so is what is beyond the cap: where there is no other label, both are
/// one series.
#[test]
fn a_label_set_that_is_really_other_is_the_one_of_the_rest() {
    let config = Config { series_max: 1, labels: vec![Label::RemoteAs], ..Config::default() };
    let unnamed = Spec { remote_as: 64_500, ..Spec::default() };
    let named = Spec { remote_as: 64_496, ..Spec::default() };
    let traffic = counted(&config, &[unnamed.clone(), Spec::default(), named, unnamed]);
    let page = traffic.page();
    let lines = page.lines().filter(|line| line.starts_with("flow_bits{"));
    let expected = ["flow_bits{remoteas=\"other\"} 24000", "flow_bits{remoteas=\"unset\"} 8000"];
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn labels_that_are_not_wanted_are_summed_over() {
    let labels = vec![Label::Direction, Label::RemoteAs];
    let config = Config { labels, ..Config::default() };
    let specs = [1, 2, 3].map(|cid| Spec { cid, src_port: cid as u16, ..Spec::default() });
    let page = page(&counted(&config, &specs));
    assert_eq!(page["flow_bits{direction=\"Incoming\",remoteas=\"unset\"}"], 24_000);
    assert_eq!(page["flow_bytes{direction=\"Incoming\"}"], 3000);
}

/// A hundred routers, where there is room for ten series.
fn many_routers(first: u8) -> Vec<Spec> {
    let spec = |number| Spec { router: [10, 9, first, number], ..Spec::default() };
    (0..100).map(spec).collect()
}

/// Whoever makes up routers drives out routers, not customers, and not for longer than until the next look.
#[test]
fn texts_of_one_label_do_not_drive_out_those_of_another() {
    let config = Config { series_max: 10, ..Config::default() };
    let mut traffic = counted(&config, &many_routers(0));
    let unkept = traffic.flowdata().texts_unkept();
    assert!((1..100).contains(&unkept), "{unkept}");
    traffic.count(&batch(&[Spec { cid: 8, ..Spec::default() }]), NOON_S);
    assert_eq!(sums(&traffic, "flow_bytes", "cid")["8"], 1000, "a customer is no other");
    // Nothing has expired, and yet there is room again.
    let unkept = traffic.flowdata().texts_unkept();
    traffic.tend(NOON_S + 30);
    traffic.count(&batch(&many_routers(1)[..20]), NOON_S + 30);
    assert_eq!(traffic.flowdata().texts_unkept(), unkept);
    assert_eq!(sums(&traffic, "flow_bits", "router")["10.9.0.9"], 8000, "who had a place has it");
}

#[test]
fn labels_that_are_not_wanted_take_no_room() {
    let config = Config { series_max: 10, labels: vec![Label::Cid], ..Config::default() };
    assert_eq!(counted(&config, &many_routers(0)).flowdata().texts_unkept(), 0);
}

#[test]
fn an_idle_series_goes_and_comes_back_as_another() {
    let config = Config { series_idle_s: 100, ..Config::default() };
    let mut traffic = counted(&config, &[Spec::default(), Spec { cid: 8, ..Spec::default() }]);
    let since = |traffic: &Traffic| {
        let mut since = BTreeMap::new();
        traffic.each_sample(|sample| {
            if let ("flow_bytes", Some((_, cid))) =
                (sample.metric, sample.labels.iter().find(|(name, _)| *name == "cid"))
            {
                since.insert((*cid).to_string(), (sample.since_s, sample.value));
            }
        });
        since
    };
    let both = [("7", (NOON_S, 1000)), ("8", (NOON_S, 1000))];
    assert_eq!(since(&traffic), both.map(|(cid, of)| (cid.to_string(), of)).into());

    let later_s = NOON_S + 90;
    traffic.count(&batch(&[Spec { end_s: later_s, ..Spec::default() }]), later_s);
    traffic.tend(later_s + 30);
    assert_eq!(since(&traffic), [("7".to_string(), (NOON_S, 2000))].into(), "8 was idle");

    let again_s = later_s + 40;
    traffic.count(&batch(&[Spec { cid: 8, end_s: again_s, ..Spec::default() }]), again_s);
    assert_eq!(since(&traffic)["8"], (again_s, 1000), "from 0 on");
}

/// The suite counts pairs of hosts of each customer, by bytes as the record has them and by flows.
#[test]
fn hosts_are_pairs_by_customer_and_peer() {
    let large = Spec { bytes: 5000, rate: 10, ..Spec::default() };
    let other = Spec { dst: 0xc000_0202, direction: 1, ..Spec::default() };
    let nobody = Spec { cid: 0, ..Spec::default() };
    let traffic = counted(&Config::default(), &[large.clone(), large, other, nobody]);
    let found = page(&traffic);
    let of = |name: &str, dst: &str, peer: &str| {
        let labels = format!("{{cid=\"7\",ipSrc=\"10.0.0.1\",ipDst=\"{dst}\",peer=\"{peer}\"}}");
        found.get(&format!("{name}{labels}")).copied()
    };
    assert_eq!(of("host_bytes", "192.0.2.1", "transit \\\"A\\\""), Some(10_000));
    assert_eq!(of("host_connections_total", "192.0.2.1", "transit \\\"A\\\""), Some(2));
    assert_eq!(of("host_bytes", "192.0.2.2", "customer"), Some(1000));
    assert_eq!(of("host_connections_total", "192.0.2.2", "customer"), Some(1));
    let hosts = found.keys().filter(|series| series.starts_with("host_")).count();
    assert_eq!(hosts, 4, "a flow without a customer is nobody's");
}
