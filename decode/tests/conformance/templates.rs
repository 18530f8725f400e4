//! Templates: what exporters may do with them, and what they may not (semantics.md section 5).

use neckar_decode::{Cause, Config};

use crate::Bench;
use crate::wire::*;

const ADDRESS: Spec = Spec { element: 8, enterprise: 0, length: 4 };
const PORT: Spec = Spec { element: 7, enterprise: 0, length: 2 };
const NAME: Spec = Spec { element: 82, enterprise: 0, length: VARIABLE };

fn feed(bench: &mut Bench, wire: Wire, sets: &[Vec<u8>]) -> Vec<String> {
    let rows = bench.feed(&message(wire, HEADER, sets));
    rows.iter().map(|row| row.split(" TimeFlow").next().unwrap().to_string()).collect()
}

fn dropped(bench: &Bench) -> Vec<(&'static str, u64)> {
    let causes = Cause::ALL.iter().map(|cause| (cause.name(), bench.counters().dropped(*cause)));
    causes.filter(|(_, count)| *count > 0).collect()
}

fn source(last: u8) -> Vec<u8> {
    set(300, &[10, 0, 0, last])
}

fn row(last: u8) -> String {
    format!("SrcAddr=10.0.0.{last} Etype=0800")
}

#[test]
fn a_set_before_its_template_in_the_same_message_is_decoded_in_its_place() {
    for wire in [Wire::V9, Wire::Ipfix] {
        let mut bench = Bench::with(Config { hold_bytes: 0, ..Config::default() });
        let known = template(wire, 301, &[PORT]);
        assert!(feed(&mut bench, wire, &[known]).is_empty());
        let sets = [source(1), set(301, &[0, 80]), template(wire, 300, &[ADDRESS]), source(2)];
        assert_eq!(feed(&mut bench, wire, &sets), [row(1), "SrcPort=80".into(), row(2)]);
        assert_eq!((bench.counters().held, dropped(&bench)), (0, vec![]));
        assert_eq!(bench.counters().templates, 2, "looking ahead counts nothing twice");
    }
}

#[test]
fn a_changed_template_counts_from_its_place_in_the_message() {
    for wire in [Wire::V9, Wire::Ipfix] {
        let mut bench = Bench::new();
        feed(&mut bench, wire, &[template(wire, 300, &[ADDRESS])]);
        // 302 is not known yet and makes the decoder look ahead, past the new layout of 300.
        let sets = [
            set(302, &[0, 1]),
            source(1),
            template(wire, 300, &[PORT, PORT]),
            set(300, &[0, 5, 0, 6]),
            template(wire, 302, &[PORT]),
        ];
        let rows = feed(&mut bench, wire, &sets);
        assert_eq!(rows, ["SrcPort=1".into(), row(1), "SrcPort=6".to_string()]);
    }
}

#[test]
fn a_refresh_changes_nothing_and_a_new_layout_replaces_at_once() {
    let mut bench = Bench::new();
    let first = template(Wire::V9, 300, &[ADDRESS]);
    feed(&mut bench, Wire::V9, std::slice::from_ref(&first));
    let revision = bench.shared.revision();
    feed(&mut bench, Wire::V9, &[first.clone(), first]);
    assert_eq!(bench.shared.revision(), revision, "an identical refresh is no change");
    assert_eq!(bench.counters().templates, 3);
    feed(&mut bench, Wire::V9, &[template(Wire::V9, 300, &[PORT])]);
    assert_ne!(bench.shared.revision(), revision);
    assert_eq!(feed(&mut bench, Wire::V9, &[set(300, &[0, 53])]), ["SrcPort=53"]);
}

#[test]
fn data_and_options_templates_share_the_ids() {
    let mut bench = Bench::new();
    feed(&mut bench, Wire::Ipfix, &[template(Wire::Ipfix, 300, &[ADDRESS])]);
    // The same bytes of definition would not make it the same template.
    let options = options(Wire::Ipfix, 300, &[spec(149, 4)], &[spec(41, 4)]);
    feed(&mut bench, Wire::Ipfix, &[options]);
    assert!(feed(&mut bench, Wire::Ipfix, &[set(300, &[0; 8])]).is_empty());
    assert_eq!(bench.counters().options_records, 1);
    feed(&mut bench, Wire::Ipfix, &[template(Wire::Ipfix, 300, &[ADDRESS])]);
    assert_eq!(feed(&mut bench, Wire::Ipfix, &[source(9)]), [row(9)]);
}

#[test]
fn a_malformed_replacement_does_not_evict_the_good_one() {
    let broken = [
        // More fields than there are.
        set(2, &[1, 44, 0, 9, 0, 8, 0, 4]),
        // No record of it could ever take a byte.
        template(Wire::Ipfix, 300, &[spec(8, 0), spec(12, 0)]),
    ];
    for bad in broken {
        let mut bench = Bench::new();
        feed(&mut bench, Wire::Ipfix, &[template(Wire::Ipfix, 300, &[ADDRESS]), bad]);
        assert_eq!(dropped(&bench).len(), 1, "counted once");
        assert_eq!(feed(&mut bench, Wire::Ipfix, &[source(1)]), [row(1)]);
    }
    // NetFlow v9 knows no withdrawal: a template without fields is a broken one.
    let mut bench = Bench::new();
    feed(&mut bench, Wire::V9, &[template(Wire::V9, 300, &[ADDRESS]), set(0, &[1, 44, 0, 0])]);
    assert_eq!(dropped(&bench), [("set_template_malformed", 1)]);
    assert_eq!(feed(&mut bench, Wire::V9, &[source(1)]), [row(1)]);
}

/// The packets on which nfacctd, nfcapd, goflow and goflow2 loop for ever.
#[test]
fn records_of_length_zero_are_rejected_in_every_disguise() {
    let wire = Wire::Ipfix;
    let zero = spec(8, 0);
    let disguises: Vec<(&str, Wire, Vec<Vec<u8>>, &str)> = vec![
        ("no fields (v9)", Wire::V9, vec![set(0, &[1, 44, 0, 0])], "set_template_malformed"),
        (
            "one zero field (v9)",
            Wire::V9,
            vec![template(Wire::V9, 300, &[zero])],
            "set_template_zero_length",
        ),
        ("one zero field", wire, vec![template(wire, 300, &[zero])], "set_template_zero_length"),
        (
            "many zero fields",
            wire,
            vec![template(wire, 300, &[zero; 50])],
            "set_template_zero_length",
        ),
        (
            "enterprise fields",
            wire,
            vec![template(wire, 300, &[Spec { element: 1, enterprise: 9, length: 0 }])],
            "set_template_zero_length",
        ),
        (
            "options, v9, no fields",
            Wire::V9,
            vec![options(Wire::V9, 300, &[], &[])],
            "set_template_malformed",
        ),
        (
            "options, v9, zero scope",
            Wire::V9,
            vec![options(Wire::V9, 300, &[spec(1, 0)], &[])],
            "set_template_zero_length",
        ),
        (
            "options, zero scope and fields",
            wire,
            vec![options(wire, 300, &[spec(149, 0)], &[spec(34, 0)])],
            "set_template_zero_length",
        ),
    ];
    for (name, wire, sets, cause) in disguises {
        let mut bench = Bench::new();
        assert!(feed(&mut bench, wire, &sets).is_empty(), "{name}");
        assert!(feed(&mut bench, wire, &[set(300, &[0; 1400])]).is_empty(), "{name}");
        assert_eq!(dropped(&bench), [(cause, 1)], "{name}");
        assert_eq!(bench.counters().held, 1, "{name}: its data waits like any other");
        bench.decoder.expire(u64::MAX, &mut |_: &mut neckar_proto::Rows| panic!("{name}"));
        assert_eq!(dropped(&bench).last(), Some(&("set_template_missing", 1)), "{name}");
    }
    // Withdrawn, then used.
    let mut bench = Bench::new();
    feed(
        &mut bench,
        wire,
        &[template(wire, 300, &[ADDRESS]), withdrawal(2, 300), set(300, &[0; 1400])],
    );
    assert_eq!((bench.counters().withdrawals, bench.counters().held), (1, 1));
}

#[test]
fn empty_values_of_variable_length_take_a_byte_each() {
    let mut bench = Bench::new();
    feed(&mut bench, Wire::Ipfix, &[template(Wire::Ipfix, 300, &[NAME])]);
    let rows = feed(&mut bench, Wire::Ipfix, &[set(300, &[0; 1000])]);
    assert_eq!(rows.len(), 997, "the last three zeros pass for padding");
    assert_eq!(bench.counters().records, 997);
}

#[test]
fn withdrawals_remove_one_all_of_a_kind_and_nothing_else() {
    let wire = Wire::Ipfix;
    let mut bench = Bench::new();
    let scope = [spec(149, 4)];
    let known = [
        template(wire, 300, &[ADDRESS]),
        template(wire, 301, &[ADDRESS]),
        options(wire, 400, &scope, &[spec(34, 4)]),
    ];
    let ids = |bench: &Bench| {
        bench.shared.templates().iter().map(|template| template.id).collect::<Vec<_>>()
    };
    feed(&mut bench, wire, &known);
    assert_eq!(ids(&bench), [300, 301, 400]);
    feed(&mut bench, wire, &[withdrawal(2, 300)]);
    assert_eq!(ids(&bench), [301, 400]);
    feed(&mut bench, wire, &known);
    feed(&mut bench, wire, &[withdrawal(2, 2)]);
    assert_eq!(ids(&bench), [400], "all data templates");
    feed(&mut bench, wire, &known);
    feed(&mut bench, wire, &[withdrawal(3, 3)]);
    assert_eq!(ids(&bench), [300, 301], "all options templates");
    feed(&mut bench, wire, &[withdrawal(3, 301), template(wire, 302, &[PORT])]);
    assert_eq!(ids(&bench), [300, 302], "the ids are shared; what follows in the message stands");
    assert_eq!(bench.counters().withdrawals, 4);
    assert_eq!(bench.shared.template_count(), 2);
    // Other domains keep theirs.
    let other = Header { domain: 9, ..HEADER };
    bench.feed(&message(wire, other, &[withdrawal(2, 2)]));
    assert_eq!(ids(&bench), [300, 302]);
    assert_eq!(dropped(&bench), []);
}

#[test]
fn the_key_is_exporter_version_domain_and_id_but_not_the_port() {
    let mut bench = Bench::new();
    feed(&mut bench, Wire::V9, &[template(Wire::V9, 300, &[ADDRESS])]);
    bench.port = 40_000;
    assert_eq!(feed(&mut bench, Wire::V9, &[source(1)]), [row(1)], "another port");
    assert!(feed(&mut bench, Wire::Ipfix, &[source(1)]).is_empty(), "another protocol");
    let domain = Header { domain: 257, ..HEADER };
    assert!(bench.feed(&message(Wire::V9, domain, &[source(1)])).is_empty(), "another domain");
    bench.exporter = [192, 0, 2, 2].into();
    assert!(feed(&mut bench, Wire::V9, &[source(1)]).is_empty(), "another exporter");
    assert_eq!(bench.counters().held, 3);

    let mut by_port = Bench::with(Config { key_by_port: true, ..Config::default() });
    feed(&mut by_port, Wire::V9, &[template(Wire::V9, 300, &[ADDRESS])]);
    by_port.port = 40_000;
    assert!(feed(&mut by_port, Wire::V9, &[source(1)]).is_empty());
    by_port.port = 2055;
    assert_eq!(feed(&mut by_port, Wire::V9, &[source(1)]), [row(1)]);
}

#[test]
fn padding_of_any_kind_is_passed_over() {
    let two = template(Wire::V9, 300, &[ADDRESS, PORT]);
    let data = |padding: &[u8]| {
        set(300, &[&[10, 0, 0, 1, 0, 80, 10, 0, 0, 2, 0, 81][..], padding].concat())
    };
    for padding in [&[][..], &[0], &[0; 5], &[0xff; 5], &[1, 2, 3]] {
        let mut bench = Bench::new();
        let mut sets = two.clone();
        sets.extend([0xab, 0xcd, 0xef].iter().take(padding.len()));
        let length = sets.len() as u16;
        sets[2..4].copy_from_slice(&length.to_be_bytes());
        let rows = feed(&mut bench, Wire::V9, &[sets, data(padding)]);
        assert_eq!(rows.len(), 2, "{padding:?}");
        assert_eq!(dropped(&bench), [], "{padding:?}");
    }
    // Zero fill to the end of a v9 datagram, of any length.
    for fill in 0..40 {
        let mut bench = Bench::new();
        let mut bytes = message(Wire::V9, HEADER, &[two.clone(), data(&[])]);
        bytes.resize(bytes.len() + fill, 0);
        assert_eq!(bench.feed(&bytes).len(), 2);
        assert_eq!(dropped(&bench), [], "{fill} zeros");
    }
}

#[test]
fn one_bad_set_costs_that_set() {
    for wire in [Wire::V9, Wire::Ipfix] {
        let good = template(wire, 300, &[ADDRESS]);
        let cases: [(Vec<u8>, &str, usize); 5] = [
            (set(20, &[1, 2, 3, 4]), "set_id_reserved", 2),
            (
                set(if wire == Wire::V9 { 0 } else { 2 }, &[2, 0, 0, 3, 0, 1]),
                "set_template_malformed",
                2,
            ),
            (set(300, &[1, 2]), "set_truncated", 2),
            (set(300, &[]), "set_truncated", 2),
            // Nothing behind it can be found.
            (vec![1, 44, 0, 3], "set_length_invalid", 1),
        ];
        for (bad, cause, rows) in cases {
            let mut bench = Bench::new();
            let got = feed(&mut bench, wire, &[good.clone(), source(1), bad, source(2)]);
            assert_eq!(got.len(), rows, "{wire:?} {cause}");
            assert_eq!(dropped(&bench), [(cause, 1)], "{wire:?}");
        }
    }
}

#[test]
fn a_cut_datagram_gives_its_whole_records() {
    let mut bench = Bench::new();
    feed(&mut bench, Wire::Ipfix, &[template(Wire::Ipfix, 300, &[ADDRESS])]);
    let whole = message(Wire::Ipfix, HEADER, &[set(300, &[10, 0, 0, 1, 10, 0, 0, 2, 10, 0, 0, 3])]);
    let counts: Vec<usize> =
        (16..=whole.len()).map(|end| bench.feed(&whole[..end]).len()).collect();
    assert_eq!(counts, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
}

#[test]
fn several_templates_and_options_templates_share_a_set() {
    let mut body = template(Wire::V9, 300, &[ADDRESS])[4..].to_vec();
    body.extend(&template(Wire::V9, 301, &[PORT])[4..]);
    let mut options_body = options(Wire::V9, 400, &[spec(1, 4)], &[spec(34, 4)])[4..].to_vec();
    // Scope length 0 in v9 is in the field.
    options_body.extend(&options(Wire::V9, 401, &[], &[spec(34, 4)])[4..]);
    let mut bench = Bench::new();
    feed(&mut bench, Wire::V9, &[set(0, &body), set(1, &options_body)]);
    assert_eq!((bench.counters().templates, bench.counters().options_templates), (2, 2));
    assert_eq!(bench.shared.template_count(), 4);
    assert_eq!(dropped(&bench), []);
}

#[test]
fn ids_below_256_and_scope_counts_that_cannot_be_are_rejected() {
    let scopeless = options(Wire::Ipfix, 400, &[], &[spec(34, 4)]);
    let mut too_much_scope = options(Wire::Ipfix, 400, &[spec(149, 4)], &[spec(34, 4)]);
    too_much_scope[9] = 3;
    let mut odd_lengths = options(Wire::V9, 400, &[spec(1, 4)], &[spec(34, 4)]);
    odd_lengths[7] = 5;
    for (wire, bad) in [
        (Wire::V9, template(Wire::V9, 255, &[ADDRESS])),
        (Wire::Ipfix, template(Wire::Ipfix, 7, &[ADDRESS])),
        (Wire::Ipfix, scopeless),
        (Wire::Ipfix, too_much_scope),
        (Wire::V9, odd_lengths),
    ] {
        let mut bench = Bench::new();
        feed(&mut bench, wire, &[bad, template(wire, 300, &[ADDRESS]), source(1)]);
        assert_eq!(dropped(&bench), [("set_template_malformed", 1)]);
        assert_eq!(bench.counters().flows, 1, "the sets behind it stand");
    }
}

#[test]
fn templates_are_bounded_and_those_there_first_stay() {
    let config = Config {
        templates_per_exporter_max: 3,
        templates_max: 5,
        template_fields_max: 4,
        ..Config::default()
    };
    let mut bench = Bench::with(config);
    let many: Vec<_> = (300..310).map(|id| template(Wire::V9, id, &[ADDRESS])).collect();
    feed(&mut bench, Wire::V9, &many);
    assert_eq!(bench.shared.template_count(), 3);
    assert_eq!(dropped(&bench), [("set_template_over_limit", 7)]);
    bench.exporter = [192, 0, 2, 2].into();
    feed(&mut bench, Wire::V9, &many);
    assert_eq!(bench.shared.template_count(), 5);
    bench.exporter = [192, 0, 2, 1].into();
    assert_eq!(feed(&mut bench, Wire::V9, &[source(1)]), [row(1)]);
    // A new layout needs no room; a long one is refused.
    feed(&mut bench, Wire::V9, &[template(Wire::V9, 300, &[PORT])]);
    assert_eq!(feed(&mut bench, Wire::V9, &[set(300, &[0, 7])]), ["SrcPort=7"]);
    let before = bench.counters().dropped(Cause::SetTemplateOverLimit);
    feed(&mut bench, Wire::V9, &[template(Wire::V9, 300, &[PORT; 5])]);
    assert_eq!(bench.counters().dropped(Cause::SetTemplateOverLimit), before + 1);
    assert_eq!(feed(&mut bench, Wire::V9, &[set(300, &[0, 7])]), ["SrcPort=7"]);
}

#[test]
fn templates_past_their_lifetime_are_forgotten() {
    const SECOND_NS: u64 = 1_000_000_000;
    let config = Config { template_lifetime_ns: 60 * SECOND_NS, ..Config::default() };
    let mut bench = Bench::with(config);
    let sink = &mut |_: &mut neckar_proto::Rows| {};
    feed(&mut bench, Wire::V9, &[template(Wire::V9, 300, &[ADDRESS])]);
    let start_ns = bench.received_ns;
    bench.received_ns += 50 * SECOND_NS;
    feed(&mut bench, Wire::V9, &[template(Wire::V9, 300, &[ADDRESS])]);
    bench.decoder.expire(start_ns + 100 * SECOND_NS, sink);
    assert_eq!(feed(&mut bench, Wire::V9, &[source(1)]), [row(1)], "announced 50 s ago");
    bench.decoder.expire(start_ns + 111 * SECOND_NS, sink);
    assert!(feed(&mut bench, Wire::V9, &[source(1)]).is_empty());
    assert_eq!(bench.shared.template_count(), 0);
}
