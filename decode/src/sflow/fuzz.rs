//! What must hold for any bytes: the body of the fuzz target `sflow`, and of the tests that replay
//! its corpus.

use std::net::IpAddr;
use std::sync::Arc;

use neckar_proto::{Field, Flow, Presence, Rows};

use super::sample::COMMON;
use super::twin;
use crate::packet::twin::Said;
use crate::{Cause, Config, Counters, Datagram, Decoder, ROWS_MAX, Shared};

/// The first byte says whether the rest is a datagram or what follows the header of one, and
/// whether tunnels are opened.
pub fn sflow(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let decapsulate = choice & 1 == 1;
    if choice & 2 == 0 {
        return agree(bytes, decapsulate);
    }
    // Agent 192.0.2.99, sub-agent, sequence, uptime; the number of samples is the fuzzer's.
    let header = [5_u32, 1, 0xc000_0263, 0, 77, 123_456].map(u32::to_be_bytes);
    agree(&[header.as_flattened(), bytes].concat(), decapsulate);
}

/// The fast decoder and the obvious one say the same, and the sums hold.
pub(crate) fn agree(bytes: &[u8], decapsulate: bool) {
    let config = Config { decapsulate, ..Config::default() };
    let mut decoder = Decoder::new(config.clone(), Arc::new(Shared::new(config)));
    let exporter = IpAddr::from([192, 0, 2, 1]);
    let datagram = Datagram { exporter, port: 6343, received_ns: 1_700_000_000_000_000_000, bytes };
    let is_sflow = bytes.first_chunk() == Some(&[0, 0, 0, 5]);
    let mut flows = Vec::new();
    decoder.decode(datagram, &mut |rows: &mut Rows| {
        assert!((1..=ROWS_MAX).contains(&rows.len()));
        flows.extend(rows.as_slice().iter().map(|row| said(rows, row)));
    });
    if !is_sflow {
        return;
    }
    let counters = decoder.counters();
    let expected = twin::decode(bytes, decapsulate);
    let malformed = counters.dropped(Cause::RecordSampleMalformed);
    // "Received = emitted + dropped by cause."
    assert_eq!(counters.records, counters.flows + malformed);
    assert_eq!(counters.flows, flows.len() as u64);
    let Some(expected) = expected else {
        let whole: u64 = counters.dropped.iter().sum();
        assert_eq!((whole, counters.records), (1, 0), "{counters:?}");
        return;
    };
    assert_eq!(flows, expected.flows, "{bytes:02x?}");
    let account = twin::Account { flows, ..account(counters) };
    assert_eq!(account, expected, "{bytes:02x?}");
}

fn account(counters: &Counters) -> twin::Account {
    twin::Account {
        flows: Vec::new(),
        samples: counters.records,
        malformed: counters.dropped(Cause::RecordSampleMalformed),
        parts_malformed: counters.parts_malformed,
        counter_samples: counters.counter_samples,
        discard_samples: counters.discard_samples,
        unknown_samples: counters.unknown_samples,
        overruns: counters.dropped(Cause::SetLengthInvalid),
        rate_unknown: counters.rate_unknown,
    }
}

/// What a row says beyond what the header of its datagram does.
fn said(rows: &Rows, row: &Flow) -> Said {
    let mut of_header = COMMON;
    of_header.remove(Field::Packets);
    assert_eq!(row.presence().union(of_header), *row.presence());
    let value = |field: Field| {
        if field.is_address() {
            row.address(field).map(<[u8]>::to_vec)
        } else if field.is_word() {
            row.word(field).map(|word| word.to_be_bytes().to_vec())
        } else {
            rows.text(row, field).map(<[u8]>::to_vec)
        }
    };
    let more = |field: &Field| !Presence::contains(&of_header, *field);
    Field::all().filter(more).filter_map(|field| Some((field.name(), value(field)?))).collect()
}
