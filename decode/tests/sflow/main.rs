//! What the decoder makes of sFlow written for this project and of real agents' bytes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod allocation;
mod captures;
mod frames;
#[allow(dead_code, reason = "packets of the dissector's own tests; not all are needed here")]
#[path = "../../src/packet/layers.rs"]
mod layers;
mod pcap;
mod vectors;
#[allow(dead_code, reason = "datagrams of the decoder's own tests; not all are needed here")]
#[path = "../../src/sflow/wire.rs"]
mod wire;
mod witness;

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use neckar_decode::{Cause, Config, Counters, Datagram, Decoder, Shared};
use neckar_proto::{Field, Flow, Kind, Rows};

const RECEIVED_NS: u64 = 1_700_000_000_000_000_005;

/// The folder beside the repository with vectors or captures; `None` (said loudly) where it is
/// missing. Under CI that is a failure.
fn shared_folder(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is missing", folder.display());
    let _ = writeln!(std::io::stderr(), "SKIPPED: {} is missing", folder.display());
    None
}

/// Decodes datagrams by a fresh decoder; one text a row, and what was counted.
fn decode<'b>(
    config: Config,
    datagrams: impl IntoIterator<Item = &'b [u8]>,
) -> (Vec<String>, Counters) {
    let mut decoder = Decoder::new(config.clone(), Arc::new(Shared::new(config)));
    let mut lines = Vec::new();
    for bytes in datagrams {
        let exporter = IpAddr::from([192, 0, 2, 1]);
        let datagram = Datagram { exporter, port: 6343, received_ns: RECEIVED_NS, bytes };
        decoder.decode(datagram, &mut |rows: &mut Rows| {
            lines.extend(rows.as_slice().iter().map(|row| text(rows, row)));
        });
    }
    let counters = decoder.counters().clone();
    // "`records + reverse_flows = flows + dropped records`, always."
    let dropped = counters.dropped(Cause::RecordSampleMalformed);
    assert_eq!(counters.records, counters.flows + dropped);
    (lines, counters)
}

/// Every present field but type and times, which are the same in all rows: `Name=value` in the
/// order of `flow.proto`.
fn text(rows: &Rows, row: &Flow) -> String {
    assert_eq!(row.word(Field::Type), Some(1));
    for time in [Field::TimeReceivedNs, Field::TimeFlowStartNs, Field::TimeFlowEndNs] {
        assert_eq!(row.word(time), Some(RECEIVED_NS), "sFlow: receive time");
    }
    let value = |field: Field| match field.info().kind {
        Kind::Nanoseconds => None,
        Kind::Address => row.ip(field).map(|address| address.to_string()),
        Kind::Mac => row.word(field).map(|mac| format!("{mac:012x}")),
        Kind::U32List => rows.text(row, field).map(|bytes| {
            let (numbers, _) = bytes.as_chunks::<4>();
            let numbers = numbers.iter().map(|number| u32::from_le_bytes(*number).to_string());
            numbers.collect::<Vec<_>>().join(",")
        }),
        Kind::Text | Kind::Bytes => rows.text(row, field).map(|text| format!("{text:?}")),
        _ if field == Field::Type => None,
        _ if field == Field::Etype => row.word(field).map(|etype| format!("{etype:04x}")),
        _ => row.word(field).map(|word| word.to_string()),
    };
    let fields = Field::in_file_order().iter();
    let texts = fields.filter_map(|field| Some(format!("{}={}", field.name(), value(*field)?)));
    texts.collect::<Vec<_>>().join(" ")
}
