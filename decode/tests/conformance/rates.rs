//! Sampling rates end to end: the eight steps of semantics.md section 4, and what IPFIX needs to
//! place uptimes.

use neckar_decode::Config;
use neckar_proto::{Field, Rows};

use crate::Bench;
use crate::wire::*;

const PORT: Spec = Spec { element: 7, enterprise: 0, length: 2 };
const SAMPLER: Spec = Spec { element: 48, enterprise: 0, length: 1 };

/// The rates of the rows of one message; `None` where it is not known.
fn rates(bench: &mut Bench, domain: u32, sets: &[Vec<u8>]) -> Vec<Option<u64>> {
    let mut rates = Vec::new();
    let bytes = message(Wire::Ipfix, Header { domain, ..HEADER }, sets);
    bench.feed_rows(&bytes, &mut |rows: &mut Rows| {
        rates.extend(rows.as_slice().iter().map(|row| row.word(Field::SamplingRate)));
    });
    rates
}

fn templates() -> [Vec<u8>; 4] {
    [
        template(Wire::Ipfix, 300, &[PORT]),
        template(Wire::Ipfix, 301, &[PORT, SAMPLER]),
        options(Wire::Ipfix, 400, &[spec(149, 4)], &[spec(34, 4)]),
        options(Wire::Ipfix, 401, &[spec(302, 4)], &[spec(309, 4), spec(310, 4)]),
    ]
}

fn general(rate: u32) -> Vec<u8> {
    set(400, &[[0; 4], rate.to_be_bytes()].concat())
}

fn named(sampler: u32, size: u32, population: u32) -> Vec<u8> {
    set(401, &[sampler.to_be_bytes(), size.to_be_bytes(), population.to_be_bytes()].concat())
}

fn plain() -> Vec<u8> {
    set(300, &[0, 1])
}

fn by(sampler: u8) -> Vec<u8> {
    set(301, &[0, 1, sampler])
}

#[test]
fn the_steps_come_in_their_order() {
    let mut bench = Bench::with(Config { default_rate: 7, ..Config::default() });
    let steps: [(&[Vec<u8>], Option<u64>, Option<u64>); 6] = [
        // 7. the configured default.
        (&[], Some(7), Some(7)),
        // 4. the only row, though it names a sampler that the record does not name.
        (&[named(1, 10, 1000)], Some(100), Some(100)),
        // 3. the row of the sampler that the record names; two rows and no name leave the default.
        (&[named(2, 1, 4000)], Some(7), Some(4000)),
        // 4. the row that names none, where the record names none.
        (&[general(512)], Some(512), Some(4000)),
        // The newest of them.
        (&[general(256)], Some(256), Some(4000)),
        // "A rate of 0 in the packet means not said."
        (&[general(0), named(2, 1, 0)], Some(256), Some(4000)),
    ];
    rates(&mut bench, 5, &templates());
    for (told, without, with) in steps {
        rates(&mut bench, 5, told);
        assert_eq!(rates(&mut bench, 5, &[plain(), by(2)]), [without, with], "{told:?}");
    }
    assert_eq!(bench.counters().rate_unknown, 0);
}

#[test]
fn unknown_is_absent_and_counted() {
    let mut bench = Bench::new();
    rates(&mut bench, 5, &templates());
    assert_eq!(rates(&mut bench, 5, &[plain(), by(1), plain()]), [None; 3]);
    assert_eq!(bench.counters().rate_unknown, 3);
}

#[test]
fn domain_zero_stands_in_for_the_others_of_its_exporter() {
    let mut bench = Bench::new();
    rates(&mut bench, 0, &templates());
    rates(&mut bench, 5, &templates());
    assert_eq!(rates(&mut bench, 5, &[plain()]), [None]);
    // Told after domain 5 was seen: it must hear of it.
    rates(&mut bench, 0, &[general(1000), named(3, 1, 30)]);
    assert_eq!(rates(&mut bench, 5, &[plain(), by(3)]), [Some(1000), Some(30)]);
    // Its own row beats that of domain 0, but for a sampler that only domain 0 knows nothing is
    // general.
    rates(&mut bench, 5, &[general(64)]);
    assert_eq!(rates(&mut bench, 5, &[plain()]), [Some(64)]);
    bench.exporter = [192, 0, 2, 2].into();
    rates(&mut bench, 5, &templates());
    assert_eq!(rates(&mut bench, 5, &[plain()]), [None], "another exporter");
}

#[test]
fn what_is_configured_for_the_exporter_beats_all() {
    let rules = vec![("192.0.2.0/24".parse().unwrap(), 42)];
    let mut bench = Bench::with(Config { rates: rules, default_rate: 7, ..Config::default() });
    rates(&mut bench, 5, &templates());
    rates(&mut bench, 5, &[general(512), named(1, 1, 99)]);
    assert_eq!(rates(&mut bench, 5, &[plain(), by(1)]), [Some(42), Some(42)]);
    bench.exporter = [198, 51, 100, 1].into();
    rates(&mut bench, 5, &templates());
    assert_eq!(rates(&mut bench, 5, &[plain()]), [Some(7)]);
}

#[test]
fn what_is_configured_for_an_exporter_that_says_nothing_gives_way_to_what_it_says() {
    let default_rates = [("192.0.2.0/24", 42), ("192.0.2.128/25", 43)]
        .map(|(prefix, rate)| (prefix.parse().unwrap(), rate));
    let config =
        Config { default_rates: default_rates.to_vec(), default_rate: 7, ..Config::default() };
    let mut bench = Bench::with(config);
    for (exporter, unsaid) in [([192, 0, 2, 1], 42), ([192, 0, 2, 129], 43), ([198, 51, 100, 1], 7)]
    {
        bench.exporter = exporter.into();
        rates(&mut bench, 5, &templates());
        assert_eq!(rates(&mut bench, 5, &[plain()]), [Some(unsaid)]);
        rates(&mut bench, 5, &[general(512)]);
        assert_eq!(rates(&mut bench, 5, &[plain()]), [Some(512)]);
    }
}

#[test]
fn options_behind_the_first_flows_of_a_message_count_for_them() {
    let mut bench = Bench::new();
    let mut sets = templates().to_vec();
    sets.extend([plain(), general(500), plain()]);
    assert_eq!(rates(&mut bench, 5, &sets), [Some(500), Some(500)]);
    assert_eq!(bench.counters().options_records, 1, "read twice, counted once");
    // Once a rate is known, a new one counts from where it stands.
    assert_eq!(rates(&mut bench, 5, &[plain(), general(600), plain()]), [Some(500), Some(600)]);
}

#[test]
fn options_of_variable_length_and_odd_widths_are_read() {
    let mut bench = Bench::new();
    let scope = [spec(149, 4)];
    let odd = options(Wire::Ipfix, 400, &scope, &[spec(335, VARIABLE), spec(34, 3)]);
    rates(&mut bench, 5, &[templates()[0].clone(), odd]);
    let records = [0, 0, 0, 5, 2, b'a', b'b', 0, 3, 232, 0, 0, 0, 6, 0, 0, 7, 208];
    rates(&mut bench, 5, &[set(400, &records)]);
    assert_eq!(rates(&mut bench, 5, &[plain()]), [Some(2000)]);
    assert_eq!(bench.counters().options_records, 2);
}

#[test]
fn a_start_time_told_by_options_places_uptimes_in_ipfix() {
    let mut bench = Bench::new();
    let uptimes = template(Wire::Ipfix, 300, &[spec(22, 4), spec(21, 4)]);
    let start = options(Wire::Ipfix, 400, &[spec(149, 4)], &[spec(160, 8)]);
    let data = set(300, &[0, 0, 3, 232, 0, 0, 7, 208]);
    let times = |bench: &mut Bench, sets: &[Vec<u8>]| {
        let mut times = Vec::new();
        bench.feed_rows(&message(Wire::Ipfix, HEADER, sets), &mut |rows: &mut Rows| {
            let fields = [Field::TimeFlowStartNs, Field::TimeFlowEndNs];
            times.extend(
                rows.as_slice().iter().map(|row| fields.map(|field| row.word(field).unwrap())),
            );
        });
        times
    };
    let export_ns = u64::from(HEADER.export_s) * 1_000_000_000;
    assert_eq!(times(&mut bench, &[uptimes, start, data.clone()]), [[export_ns; 2]]);
    let told = set(400, &[&[0; 4][..], &1_699_990_000_000_u64.to_be_bytes()].concat());
    times(&mut bench, &[told]);
    let expected = [1_699_990_001_000_000_000, 1_699_990_002_000_000_000];
    assert_eq!(times(&mut bench, &[data]), [expected]);
}
