//! What `neckar-decode` makes of the datagrams is what the router says it has sent: value by value,
//! and in sum.
#![allow(missing_docs, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use neckar_decode::{Cause, Config, Counters, Datagram, Decoder, Shared};
use neckar_export::{DATAGRAM_BYTES_MAX, Fleet, Protocol, Router};
use neckar_proto::{Field, Flow, Rows};

const NOW_NS: u64 = 1_700_000_000_123_456_789;
const STEP_NS: u64 = 10_000_000;

/// What the decoder reads so far; sFlow comes with the next issue, and then this is
/// [`Protocol::ALL`].
const DECODED: [Protocol; 3] = [Protocol::V5, Protocol::V9, Protocol::Ipfix];

fn decoder() -> Decoder {
    let config = Config::default();
    Decoder::new(config.clone(), Arc::new(Shared::new(config)))
}

/// Decodes one datagram as it would come from a router behind this address.
fn decode(decoder: &mut Decoder, exporter: u32, now_ns: u64, bytes: &[u8]) -> Vec<Flow> {
    let exporter = IpAddr::V4(Ipv4Addr::from_bits(0x7f00_0000 | exporter));
    let mut flows = Vec::new();
    let datagram = Datagram { exporter, port: 40_000, received_ns: now_ns, bytes };
    decoder.decode(datagram, &mut |rows: &mut Rows| flows.extend_from_slice(rows.as_slice()));
    flows
}

/// Fields that the datagram says, as the router knows them.
fn assert_says(decoded: &Flow, sent: &Flow) {
    for field in Field::all().filter(|field| sent.has(*field)) {
        if field.is_word() {
            assert_eq!(decoded.word(field), sent.word(field), "{field:?}");
        } else {
            assert_eq!(decoded.ip(field), sent.ip(field), "{field:?}");
        }
    }
}

/// Nothing was lost, misread or doubted on the way.
fn assert_clean(counters: &Counters) {
    for cause in Cause::ALL {
        assert_eq!(counters.dropped(*cause), 0, "{}", cause.name());
    }
    let oddities = [
        counters.held,
        counters.missed,
        counters.reordered,
        counters.resets,
        counters.rate_unknown,
        counters.values_cut,
        counters.times_unix,
        counters.reverse_flows,
    ];
    assert_eq!(oddities, [0; 8]);
}

#[test]
fn every_value_arrives() {
    for protocol in DECODED {
        let (mut router, mut decoder) = (Router::new(protocol, 5, 11), decoder());
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let mut sent = Rows::default();
        for step in 0..300 {
            let now_ns = NOW_NS + step * STEP_NS;
            let datagram = router.datagram(now_ns, &mut out);
            let decoded = decode(&mut decoder, 5, now_ns, &out[..datagram.bytes]);
            assert_eq!(decoded.len(), datagram.flows, "{protocol:?}");
            sent.clear();
            if datagram.flows > 0 {
                router.last_rows(&mut sent);
            }
            for (decoded, sent) in decoded.iter().zip(sent.as_slice()) {
                assert_says(decoded, sent);
                assert_eq!(decoded.word(Field::TimeReceivedNs), Some(now_ns));
            }
        }
        assert_clean(decoder.counters());
    }
}

#[test]
fn a_fleets_sums_arrive() {
    let (mut fleet, mut decoder) = (Fleet::new(&DECODED, 100, 12), decoder());
    let mut out = [0; DATAGRAM_BYTES_MAX];
    let (mut flows, mut bytes, mut packets) = (0, 0, 0);
    for step in 0..20_000 {
        let now_ns = NOW_NS + step * STEP_NS;
        let (index, datagram) = fleet.datagram(now_ns, &mut out);
        for flow in decode(&mut decoder, index as u32, now_ns, &out[..datagram.bytes]) {
            flows += 1;
            bytes += flow.word_or_zero(Field::Bytes);
            packets += flow.word_or_zero(Field::Packets);
        }
    }
    let (totals, counters) = (fleet.totals(), decoder.counters());
    assert_eq!((flows, bytes, packets), (totals.all.flows, totals.all.bytes, totals.all.packets));
    assert_eq!((counters.datagrams, counters.bytes), (totals.datagrams, totals.datagram_bytes));
    assert_eq!((counters.records, counters.flows), (totals.all.flows, totals.all.flows));
    assert_eq!(
        (counters.templates, counters.options_templates, counters.options_records),
        (totals.templates, totals.options_templates, totals.options_records)
    );
    assert_eq!(counters.counter_samples, totals.counter_samples);
    assert_clean(counters);
}
