//! "No allocation … per flow": once a decoder has seen what an exporter sends, decoding more of it
//! allocates nothing.
//!
//! A test program of its own, because counting takes the place of the global allocator.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "conformance/wire.rs"]
#[allow(dead_code, reason = "shared with the conformance tests, which use more of it")]
mod wire;

use std::sync::Arc;

use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_proto::Rows;
use wire::*;

const NOW_NS: u64 = 1_700_000_000_000_000_000;

fn record_of(fields: &[Spec], index: u8) -> Vec<u8> {
    let values: Vec<Vec<u8>> = fields
        .iter()
        .map(|field| {
            let length = if field.length == VARIABLE { index % 40 } else { field.length as u8 };
            vec![index; usize::from(length)]
        })
        .collect();
    record(fields, &values, false)
}

fn data(id: u16, fields: &[Spec], records: u8) -> Vec<u8> {
    let body: Vec<u8> = (1..=records).flat_map(|index| record_of(fields, index)).collect();
    set(id, &body)
}

/// Everything that an exporter sends all day: fixed, variable, reverse, sampled, both families,
/// refreshes and options.
fn datagrams() -> Vec<Vec<u8>> {
    let fixed =
        [spec(8, 4), spec(12, 4), spec(7, 2), spec(11, 2), spec(1, 8), spec(2, 8), spec(48, 1)];
    let both =
        [spec(8, 4), spec(12, 4), spec(27, 16), spec(28, 16), spec(9, 1), spec(29, 1), spec(4, 1)];
    let variable = [spec(8, 4), spec(371, VARIABLE), spec(236, VARIABLE), spec(12, 4), spec(95, 4)];
    let back = [spec(8, 4), spec(12, 4), spec(1, 4), reverse(1, 4), reverse(2, 4), spec(371, 8)];
    let labels =
        [spec(70, 3), spec(71, 3), spec(72, 3), spec(73, 3), spec(312, 2), spec(315, VARIABLE)];
    let layouts: [(u16, &[Spec]); 5] =
        [(300, &fixed), (301, &both), (302, &variable), (303, &back), (304, &labels)];
    let scope = [spec(302, 4)];
    let told = [spec(335, VARIABLE), spec(34, 4)];
    let templates: Vec<Vec<u8>> = layouts
        .iter()
        .map(|(id, fields)| template(Wire::Ipfix, *id, fields))
        .chain([options(Wire::Ipfix, 400, &scope, &told)])
        .collect();
    let options_record = set(400, &[0, 0, 0, 1, 2, b'a', b'b', 0, 0, 3, 232]);
    let sets: Vec<Vec<u8>> = layouts.iter().map(|(id, fields)| data(*id, fields, 20)).collect();
    let mut v5 = vec![0, 5, 0, 30];
    v5.resize(24 + 30 * 48, 1);
    v5[2..4].copy_from_slice(&[0, 30]);
    vec![
        message(Wire::Ipfix, HEADER, &templates),
        message(Wire::Ipfix, HEADER, &[options_record]),
        message(Wire::Ipfix, HEADER, &sets),
        // Far more records than rows that are lent at once.
        message(Wire::Ipfix, HEADER, &[data(300, &fixed, 255)]),
        v5,
    ]
}

fn play(decoder: &mut Decoder, datagrams: &[Vec<u8>], rounds: usize) -> u64 {
    let mut flows = 0;
    for _ in 0..rounds {
        for bytes in datagrams {
            for last in 1..=3 {
                let exporter = [192, 0, 2, last].into();
                let datagram = Datagram { exporter, port: 2055, received_ns: NOW_NS, bytes };
                decoder.decode(datagram, &mut |rows: &mut Rows| flows += rows.len() as u64);
            }
        }
        decoder.expire(NOW_NS, &mut |_: &mut Rows| {});
    }
    flows
}

#[test]
fn a_warm_decoder_allocates_nothing() {
    let config = Config::default();
    let mut decoder = Decoder::new(config.clone(), Arc::new(Shared::new(config)));
    let datagrams = datagrams();
    let mut per_round = 0;
    let cold = allocation_counter::measure(|| per_round = play(&mut decoder, &datagrams, 1));
    assert!(cold.count_total > 20, "the counter counts: {cold:?}");
    assert!(per_round > 1000, "{per_round} flows a round");
    let mut flows = 0;
    let counted = allocation_counter::measure(|| flows = play(&mut decoder, &datagrams, 50));
    assert_eq!(flows, 50 * per_round);
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
    let counters = decoder.counters();
    assert_eq!(counters.dropped.iter().sum::<u64>(), 0, "{counters:?}");
}
