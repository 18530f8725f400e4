//! The suite's customer labels, value by value, from list to encoded flow.

#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use std::path::Path;
use std::sync::Arc;

use neckar_enrich::sources::customers;
use neckar_enrich::{Labels, RemotePolicy, Settings, Sources, Tables};
use neckar_proto::encode::{BWNETFLOW, GOFLOW2, ROW_BYTES_MAX, encode};
use neckar_proto::{Field, Message, Rows};
use prost::Message as _;

const LIST: &str = "prefix,cid\n192.0.2.0/24,100\n192.0.2.128/25,101\n2001:db8::/32,100\n198.51.100.0/24,0\n198.51.0.0/16,102\n203.0.113.0/24,uni-ulm\n";

fn tables(settings: Settings) -> Tables {
    let list = customers::parse(Path::new("list.csv"), LIST.as_bytes()).unwrap();
    let sources = Sources { prefixes: vec![Arc::new(list)], settings, ..Sources::default() };
    Tables::build(&sources).unwrap()
}

/// A flow between two addresses, labelled and read back by prost.
fn labelled(settings: Settings, src: &str, dst: &str, direction: Option<u64>) -> Message {
    let mut rows = Rows::with_capacity(1);
    let flow = rows.push();
    flow.set_ip(Field::SrcAddr, src.parse().unwrap());
    flow.set_ip(Field::DstAddr, dst.parse().unwrap());
    flow.set(Field::Proto, 6);
    // Left over from an earlier stage.
    flow.set(Field::Cid, 9999);
    flow.set(Field::SrcCid, 9999);
    if let Some(direction) = direction {
        flow.set(Field::FlowDirection, direction);
    }
    let tables = tables(settings);
    let mut labels = Labels::default();
    tables.label(&mut rows, &mut labels);
    let mut out = vec![0; ROW_BYTES_MAX + 1000];
    let parts = labels.of(0);
    let len = encode(settings.profile, &rows.as_slice()[0], rows.texts(), &parts, &mut out);
    Message::decode(&out[..len]).unwrap()
}

#[test]
fn cid_is_the_local_sides() {
    // Source, destination, direction; RemoteAddr, Cid, SrcCid, DstCid.
    for (src, dst, direction, expected) in [
        ("192.0.2.1", "8.8.8.8", Some(0), (1, 0, 100, 0)),
        ("192.0.2.1", "8.8.8.8", Some(1), (2, 100, 100, 0)),
        ("8.8.8.8", "192.0.2.200", Some(0), (1, 101, 0, 101)),
        ("8.8.8.8", "192.0.2.200", Some(1), (2, 0, 0, 101)),
        ("192.0.2.1", "192.0.2.200", Some(0), (1, 101, 100, 101)),
        // Without direction only a single customer tells the sides apart.
        ("192.0.2.1", "8.8.8.8", None, (2, 100, 100, 0)),
        ("8.8.8.8", "192.0.2.200", None, (1, 101, 0, 101)),
        ("192.0.2.1", "192.0.2.200", None, (0, 0, 100, 101)),
        ("8.8.8.8", "9.9.9.9", None, (0, 0, 0, 0)),
        // A prefix with customer 0 undoes the one around it.
        ("198.51.100.7", "8.8.8.8", Some(1), (2, 0, 0, 0)),
        ("198.51.101.7", "8.8.8.8", Some(1), (2, 102, 102, 0)),
        ("2001:db8::1", "2a00::1", Some(1), (2, 100, 100, 0)),
    ] {
        let flow = labelled(Settings::default(), src, dst, direction);
        let found = (flow.remote_addr, flow.cid, flow.src_cid, flow.dst_cid);
        assert_eq!(found, expected, "{src} {dst} {direction:?}");
    }
}

#[test]
fn customers_with_names_fill_the_texts() {
    let flow = labelled(Settings::default(), "203.0.113.9", "192.0.2.1", Some(1));
    assert_eq!((flow.cid_string.as_str(), flow.src_cid_string.as_str()), ("uni-ulm", "uni-ulm"));
    assert_eq!((flow.cid, flow.src_cid, flow.dst_cid), (0, 0, 100));
    let flow = labelled(Settings::default(), "8.8.8.8", "203.0.113.9", Some(1));
    assert_eq!((flow.cid_string.as_str(), flow.dst_cid_string.as_str()), ("", "uni-ulm"));
}

#[test]
fn policies() {
    let user = Settings { remote: RemotePolicy::User, ..Settings::default() };
    let flow = labelled(user, "192.0.2.1", "8.8.8.8", Some(0));
    assert_eq!((flow.remote_addr, flow.cid), (2, 100));
    let clear = Settings { remote: RemotePolicy::Clear, ..Settings::default() };
    let flow = labelled(clear, "192.0.2.1", "8.8.8.8", Some(1));
    assert_eq!((flow.remote_addr, flow.cid, flow.src_cid), (0, 0, 100));
}

#[test]
fn protocol_names_are_a_choice() {
    let flow = labelled(Settings::default(), "192.0.2.1", "8.8.8.8", None);
    assert_eq!(flow.proto_name, "TCP");
    let without = Settings { protocol_names: false, ..Settings::default() };
    assert_eq!(labelled(without, "192.0.2.1", "8.8.8.8", None).proto_name, "");
}

#[test]
fn another_output_gets_no_labels_that_it_has_no_numbers_for() {
    let settings = Settings { profile: &GOFLOW2, ..Settings::default() };
    let flow = labelled(settings, "203.0.113.9", "8.8.8.8", Some(1));
    assert_eq!((flow.cid_string.as_str(), flow.proto_name.as_str()), ("", ""));
}

#[test]
fn labels_can_be_had_as_texts() {
    let tables = tables(Settings::default());
    let mut rows = Rows::default();
    for (src, proto) in [([203, 0, 113, 1], 17), ([8, 8, 8, 8], 61)] {
        let flow = rows.push();
        flow.set_v4(Field::SrcAddr, src);
        flow.set(Field::Proto, proto);
    }
    let mut labels = Labels::default();
    tables.label(&mut rows, &mut labels);
    labels.write_to(&mut rows);
    let text = |row: usize, field| rows.text(&rows.as_slice()[row], field).map(<[u8]>::to_vec);
    assert_eq!(text(0, Field::SrcCidString), Some(b"uni-ulm".to_vec()));
    assert_eq!(text(0, Field::ProtoName), Some(b"UDP".to_vec()));
    assert_eq!((text(1, Field::SrcCidString), text(1, Field::ProtoName)), (None, None));
}

#[test]
fn the_default_output_is_the_suites() {
    assert!(std::ptr::eq(Settings::default().profile, &BWNETFLOW));
}
