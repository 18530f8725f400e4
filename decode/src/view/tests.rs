//! Looks at many exporters: bounded, in order, and at nobody's expense.

use std::net::IpAddr;
use std::sync::Arc;

use neckar_proto::Rows;

use crate::shared::lock;
use crate::{Config, Datagram, Decoder, Protocol, Shared};

const NOW_NS: u64 = 1_700_000_000_000_000_000;

fn decoder() -> (Arc<Shared>, Decoder) {
    let shared = Arc::new(Shared::new(Config::default()));
    let decoder = Decoder::new(Config::default(), Arc::clone(&shared));
    (shared, decoder)
}

/// `count` NetFlow v9 messages without sets.
fn send(decoder: &mut Decoder, exporter: &str, count: usize) {
    let exporter: IpAddr = exporter.parse().expect("an address");
    let mut bytes = [0; 20];
    bytes[1] = 9;
    for _ in 0..count {
        let datagram = Datagram { exporter, port: 2055, received_ns: NOW_NS, bytes: &bytes };
        decoder.decode(datagram, &mut |_: &mut Rows| {});
    }
}

fn report(decoder: &mut Decoder) {
    decoder.expire(NOW_NS, &mut |_: &mut Rows| {});
}

#[test]
fn the_busiest_are_shown_and_no_more_than_asked_for() {
    let (shared, mut decoder) = decoder();
    for (exporter, count) in [("192.0.2.1", 1), ("192.0.2.2", 3), ("192.0.2.3", 2), ("::1", 3)] {
        send(&mut decoder, exporter, count);
    }
    report(&mut decoder);
    let shown = |most| {
        let accounts = shared.busiest(most).into_iter();
        accounts.map(|one| (one.exporter.to_string(), one.totals().datagrams)).collect::<Vec<_>>()
    };
    let expected = [("::1", 3), ("192.0.2.2", 3), ("192.0.2.3", 2), ("192.0.2.1", 1)];
    let expected = expected.map(|(exporter, count)| (exporter.to_owned(), count));
    assert_eq!(shown(10), expected);
    assert_eq!(shown(2), expected[..2]);
    assert!(shown(0).is_empty());
    let [v5, v9, ipfix, sflow] = shared.busiest(1)[0].protocols;
    assert!(v5.is_none() && ipfix.is_none() && sflow.is_none());
    assert_eq!(v9.map(|totals| totals.bytes), Some(60));
    assert_eq!(Protocol::ALL.map(|protocol| protocol as usize), [0, 1, 2, 3]);
}

#[test]
fn whoever_reads_keeps_no_worker_waiting() {
    let (shared, mut decoder) = decoder();
    send(&mut decoder, "192.0.2.1", 2);
    let cell = Arc::clone(&shared.cells()[0].1[0]);
    let reader = lock(&cell.state);
    // On this very thread: if it waited it would wait for ever.
    report(&mut decoder);
    assert_eq!(reader.totals.datagrams, 0, "not told yet");
    drop(reader);
    send(&mut decoder, "192.0.2.1", 1);
    report(&mut decoder);
    assert_eq!(shared.busiest(1)[0].totals().datagrams, 3, "told once, and all of it");
    report(&mut decoder);
    assert_eq!(shared.busiest(1)[0].totals().datagrams, 3);
}
