//! Labelling against a straightforward twin written from the documentation, over random tables and
//! flows.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

mod twin;

use std::net::IpAddr;

use neckar_enrich::{AsOrder, ExporterRule, Interface, Labels, RemotePolicy, Settings, Tables};
use neckar_proto::{Field, Rows};
use proptest::prelude::*;
use twin::{Row, Said, Table, World};

/// Few prefixes that nest and touch, so that tables overlap and flows hit them.
const NETS: [&str; 16] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.1.0/24",
    "10.1.1.128/25",
    "10.1.1.200/32",
    "192.0.2.0/24",
    "192.0.3.0/24",
    "::/0",
    "2001:db8::/32",
    "2001:db8:1::/48",
    "2001:db8:1:1::/64",
    "2001:db8:1:1::1/128",
    "2001:db8:2::/47",
    "fc00::/7",
    "255.255.255.255/32",
];
const ADDRESSES: [&str; 18] = [
    "10.0.0.1",
    "10.1.0.1",
    "10.1.1.1",
    "10.1.1.129",
    "10.1.1.200",
    "192.0.2.1",
    "192.0.3.255",
    "8.8.8.8",
    "255.255.255.255",
    "0.0.0.0",
    // IPv4 as some exporters write it.
    "::ffff:10.1.1.129",
    "::ffff:192.0.2.1",
    "2001:db8::1",
    "2001:db8:1::1",
    "2001:db8:1:1::1",
    "2001:db8:1:1::2",
    "2001:db8:3::1",
    "fd00::1",
];
const EXPORTERS: [&str; 4] = ["192.0.2.254", "198.51.100.1", "2001:db8::254", "::ffff:192.0.2.254"];

fn pick(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 3 => prop::sample::select(texts).prop_map(str::to_owned)]
}

fn any_said() -> impl Strategy<Value = Said> {
    let numbers = (prop_oneof![Just(0), 1..4_u32], prop_oneof![Just(0), 64_500..64_504_u32]);
    let texts = (pick(&["DE", "FR"]), pick(&["Ulm", "Kehl"]), pick(&["BelWue", "DTAG"]));
    let more = (pick(&["uni-a", "uni-b"]), any::<bool>());
    (numbers, texts, more).prop_map(|((cid, asn), (country, site, as_name), (customer, named))| {
        Said {
            cid: if named { 0 } else { cid },
            customer: if named { customer } else { String::new() },
            asn,
            as_name,
            country,
            site,
            list: String::new(),
        }
    })
}

/// One table: a prefix at most once, as a file that loads has it.
fn any_rows() -> impl Strategy<Value = Vec<(&'static str, Said)>> {
    let row = (prop::sample::select(&NETS[..]), any_said());
    proptest::collection::vec(row, 0..12).prop_map(|mut rows| {
        rows.sort_by_key(|(net, _)| *net);
        rows.dedup_by_key(|(net, _)| *net);
        rows
    })
}

fn any_order() -> impl Strategy<Value = AsOrder> {
    prop::sample::select(
        &[AsOrder::RecordFirst, AsOrder::TableFirst, AsOrder::RecordOnly, AsOrder::TableOnly][..],
    )
}

fn any_policy() -> impl Strategy<Value = RemotePolicy> {
    use RemotePolicy::{Border, Clear, Customers, User};
    prop::sample::select(&[Border, User, Customers, Clear][..])
}

fn any_rule() -> impl Strategy<Value = ExporterRule> {
    let net =
        prop::sample::select(&["0.0.0.0/0", "192.0.2.0/24", "192.0.2.254/32", "2001:db8::/32"][..]);
    let attributes = (
        prop::option::of(Just("core-1".to_owned())),
        prop::option::of(1..100_u64),
        prop::option::of(any_policy()),
        prop::option::of(Just("belwue".to_owned())),
    );
    (net, attributes).prop_map(|(net, (name, sampling_rate, remote, tenant))| ExporterRule {
        prefix: net.parse().unwrap(),
        name,
        sampling_rate,
        remote,
        tenant,
    })
}

fn any_world() -> impl Strategy<Value = World> {
    let tables = (any_rows(), any_rows(), any_rows(), any_rows(), any_rows());
    let names = proptest::collection::hash_map(
        64_500..64_506_u32,
        prop::sample::select(&["Own", "Other"][..]),
        0..4,
    );
    let rules = proptest::collection::vec(any_rule(), 0..4).prop_map(|mut rules| {
        rules.sort_by_key(|rule| rule.prefix);
        rules.dedup_by_key(|rule| rule.prefix);
        rules
    });
    let settings = (any::<bool>(), any::<bool>(), any_policy(), any_order(), any_order());
    (tables, names, rules, settings).prop_map(|(tables, names, exporters, settings)| {
        let (customers, networks, routes, list, other) = tables;
        let (protocol_names, normalize, remote, src_as, dst_as) = settings;
        World {
            tables: vec![
                Table::customers(customers),
                Table::networks(networks),
                Table::routes(routes),
                Table::list("drop", list),
                Table::list("c2", other),
            ],
            as_names: names.into_iter().map(|(asn, name)| (asn, name.to_owned())).collect(),
            exporters,
            interfaces: vec![
                (
                    EXPORTERS[0].parse().unwrap(),
                    1,
                    Interface {
                        name: "xe-1".into(),
                        description: "Transit".into(),
                        speed_mbps: 10_000,
                    },
                ),
                (
                    EXPORTERS[0].parse().unwrap(),
                    2,
                    Interface { name: "xe-2".into(), ..Interface::default() },
                ),
                (
                    EXPORTERS[2].parse().unwrap(),
                    1,
                    Interface { description: "Peering".into(), ..Interface::default() },
                ),
            ],
            settings: Settings {
                protocol_names,
                normalize,
                remote,
                src_as,
                dst_as,
                ..Settings::default()
            },
        }
    })
}

/// A flow with what matters to labelling, present or not, and with left-overs of an earlier
/// labelling.
fn any_row() -> impl Strategy<Value = Row> {
    let address = || prop::option::weighted(0.9, prop::sample::select(&ADDRESSES[..]));
    let addresses =
        (address(), address(), prop::option::weighted(0.9, prop::sample::select(&EXPORTERS[..])));
    let word = |values: &'static [u64]| prop::option::of(prop::sample::select(values));
    let words = (
        word(&[0, 1, 2]),
        word(&[0, 1, 6, 17, 61, 255, 256]),
        word(&[0, 64_500, 64_505, 1]),
        word(&[0, 64_501]),
        word(&[0, 64_502]),
        word(&[0, 1, 2, 3]),
        word(&[0, 1, 2]),
    );
    let counters =
        (word(&[0, 100, u64::MAX]), word(&[3]), word(&[0, 10]), word(&[0, 1]), word(&[7]));
    let texts = (any::<bool>(), any::<bool>());
    (addresses, words, counters, texts).prop_map(|(addresses, words, counters, stale)| {
        let mut row = Row::default();
        let addresses = [
            (Field::SrcAddr, addresses.0),
            (Field::DstAddr, addresses.1),
            (Field::SamplerAddress, addresses.2),
        ];
        for (field, address) in addresses {
            if let Some(address) = address {
                row.insert(field, address.to_owned());
            }
        }
        for (field, word) in [
            (Field::FlowDirection, words.0),
            (Field::Proto, words.1),
            (Field::SrcAS, words.2),
            (Field::DstAS, words.3),
            (Field::NextHopAS, words.4),
            (Field::InIf, words.5),
            (Field::OutIf, words.6),
            (Field::Bytes, counters.0),
            (Field::Packets, counters.1),
            (Field::SamplingRate, counters.2),
            (Field::Normalized, counters.3),
            (Field::Cid, counters.4),
            (Field::RemoteAddr, counters.4.map(|_| 1)),
            (Field::DstCid, counters.4),
        ] {
            if let Some(word) = word {
                row.insert(field, word.to_string());
            }
        }
        for (field, present) in [
            (Field::RemoteCountry, stale.0),
            (Field::SrcCountry, stale.0),
            (Field::CidString, stale.0),
            (Field::ProtoName, stale.1),
            (Field::SrcIfName, stale.1),
            (Field::DstASName, stale.1),
        ] {
            if present {
                row.insert(field, "stale".to_owned());
            }
        }
        row
    })
}

fn fill(rows: &mut Rows, row: &Row) {
    let index = rows.len();
    rows.push();
    for (field, text) in row {
        let flow = &mut rows.as_mut_slice()[index];
        if field.is_word() {
            flow.set(*field, text.parse().unwrap());
        } else if field.is_address() {
            flow.set_ip(*field, text.parse().unwrap());
        } else {
            rows.set_text(index, *field, text.as_bytes());
        }
    }
}

fn read(rows: &Rows, index: usize) -> Row {
    let flow = &rows.as_slice()[index];
    let value = |field: Field| {
        if field.is_word() {
            flow.word(field).map(|word| word.to_string())
        } else if field.is_address() {
            flow.ip(field).map(|address: IpAddr| address.to_string())
        } else {
            rows.text(flow, field).map(|text| String::from_utf8(text.to_vec()).unwrap())
        }
    };
    Field::all().filter_map(|field| Some((field, value(field)?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn equals_the_twin(world in any_world(), flows in proptest::collection::vec(any_row(), 1..150)) {
        let tables = Tables::build(&world.sources()).unwrap();
        let mut labels = Labels::default();
        let mut rows = Rows::default();
        // A worker's buffers are used again and again.
        for _ in 0..2 {
            rows.clear();
            flows.iter().for_each(|row| fill(&mut rows, row));
            tables.label(&mut rows, &mut labels);
            labels.write_to(&mut rows);
        }
        for (index, row) in flows.iter().enumerate() {
            prop_assert_eq!(read(&rows, index), world.label(row), "{:?}", row);
        }
        prop_assert_eq!(labels.counts().rows, 2 * flows.len() as u64);
    }
}
