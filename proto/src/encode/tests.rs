//! The encoder against messages that prost-reflect builds from the same rows.

use std::sync::LazyLock;

use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage as _, Value};

use super::*;
use crate::batch::Batch;
use crate::rows::Rows;
use crate::twin::{any_row, descriptor, flow_message, message, value};
use crate::{Facts, Message};

fn encoded(profile: &Profile, rows: &Rows, labels: &[&[u8]]) -> Vec<u8> {
    let labels_len: usize = labels.iter().map(|label| label.len()).sum();
    let mut out = vec![0xee; ROW_BYTES_MAX + labels_len];
    let len = encode(profile, &rows.as_slice()[0], rows.texts(), labels, &mut out);
    out.truncate(len);
    out
}

/// The row in the bwNetFlow profile, by reflection: no nanoseconds.
fn bwnetflow_twin(rows: &Rows) -> Message {
    let mut twin = message(rows, flow_message());
    for name in ["TimeReceivedNs", "TimeFlowStartNs", "TimeFlowEndNs"] {
        twin.clear_field_by_name(name);
    }
    twin.transcode_to().expect("the same schema")
}

/// goflow2's field and ours.
const GOFLOW2_FIELDS: [(&str, Field); 41] = [
    ("type", Field::Type),
    ("sampling_rate", Field::SamplingRate),
    ("sequence_num", Field::SequenceNum),
    ("src_addr", Field::SrcAddr),
    ("dst_addr", Field::DstAddr),
    ("bytes", Field::Bytes),
    ("packets", Field::Packets),
    ("sampler_address", Field::SamplerAddress),
    ("next_hop", Field::NextHop),
    ("next_hop_as", Field::NextHopAS),
    ("src_as", Field::SrcAS),
    ("dst_as", Field::DstAS),
    ("src_net", Field::SrcNet),
    ("dst_net", Field::DstNet),
    ("in_if", Field::InIf),
    ("out_if", Field::OutIf),
    ("proto", Field::Proto),
    ("src_port", Field::SrcPort),
    ("dst_port", Field::DstPort),
    ("ip_tos", Field::IPTos),
    ("forwarding_status", Field::ForwardingStatus),
    ("ip_ttl", Field::IPTTL),
    ("tcp_flags", Field::TCPFlags),
    ("src_mac", Field::SrcMac),
    ("dst_mac", Field::DstMac),
    ("vlan_id", Field::VlanId),
    ("etype", Field::Etype),
    ("icmp_type", Field::IcmpType),
    ("icmp_code", Field::IcmpCode),
    ("src_vlan", Field::SrcVlan),
    ("dst_vlan", Field::DstVlan),
    ("fragment_id", Field::FragmentId),
    ("fragment_offset", Field::FragmentOffset),
    ("ipv6_flow_label", Field::IPv6FlowLabel),
    ("observation_domain_id", Field::ObservationDomainID),
    ("observation_point_id", Field::ObservationPointID),
    ("bgp_next_hop", Field::BgpNextHop),
    ("as_path", Field::ASPath),
    ("time_received_ns", Field::TimeReceivedNs),
    ("time_flow_start_ns", Field::TimeFlowStartNs),
    ("time_flow_end_ns", Field::TimeFlowEndNs),
];

fn goflow2_twin(rows: &Rows) -> DynamicMessage {
    static MESSAGE: LazyLock<MessageDescriptor> =
        LazyLock::new(|| descriptor("src/encode/goflow2.proto", "goflow2.FlowMessage"));
    let descriptor = &*MESSAGE;
    assert_eq!(descriptor.fields().count(), GOFLOW2_FIELDS.len() + 2, "and two lists of MPLS");
    let flow = &rows.as_slice()[0];
    let mut twin = DynamicMessage::new(descriptor.clone());
    for (name, field) in GOFLOW2_FIELDS {
        let kind = descriptor.get_field_by_name(name).expect("one of its fields").kind();
        if let Some(value) = value(rows, flow, field, &kind) {
            twin.set_field_by_name(name, value);
        }
    }
    let (ttls, labels) = mpls_lists(flow);
    twin.set_field_by_name("mpls_ttl", Value::List(ttls));
    twin.set_field_by_name("mpls_label", Value::List(labels));
    twin
}

/// A list has as many entries as the stack, at most four, or none if the row has no entry of its
/// kind.
fn mpls_lists(flow: &Flow) -> (Vec<Value>, Vec<Value>) {
    let depth = flow.word(Field::MPLSCount).unwrap_or(0).min(4) as usize;
    let list = |fields: [Field; 4]| {
        let some = fields[..depth].iter().any(|field| flow.has(*field));
        let entry = |field: &Field| Value::U32(flow.word_or_zero(*field) as u32);
        if some { fields[..depth].iter().map(entry).collect() } else { Vec::new() }
    };
    (
        list([Field::MPLS1TTL, Field::MPLS2TTL, Field::MPLS3TTL, Field::MPLSLastTTL]),
        list([Field::MPLS1Label, Field::MPLS2Label, Field::MPLS3Label, Field::MPLSLastLabel]),
    )
}

proptest! {
    #[test]
    fn bwnetflow_bytes_are_the_twins_message(rows in any_row()) {
        let bytes = encoded(&BWNETFLOW, &rows, &[]);
        let ours = Message::decode(&*bytes).expect("prost reads it");
        let twin = bwnetflow_twin(&rows);
        prop_assert_eq!(&ours, &twin);
        // Canonical bytes of both: every field, whatever `PartialEq` thinks, and no field twice.
        let canonical = ours.encode_to_vec();
        prop_assert_eq!(&canonical, &twin.encode_to_vec());
        prop_assert_eq!(bytes.len(), canonical.len());
    }

    #[test]
    fn goflow2_bytes_are_the_twins_message(rows in any_row()) {
        let bytes = encoded(&GOFLOW2, &rows, &[]);
        let twin = goflow2_twin(&rows);
        let ours = DynamicMessage::decode(twin.descriptor(), &*bytes).expect("prost reads it");
        // Fields that goflow2 has no number for would show up as unknown ones.
        prop_assert_eq!(ours.unknown_fields().count(), 0);
        let canonical = ours.encode_to_vec();
        prop_assert_eq!(&canonical, &twin.encode_to_vec());
        prop_assert_eq!(bytes.len(), canonical.len());
    }

    #[test]
    fn labels_are_merged(rows in any_row(), labels in any_row()) {
        let label = encoded(&BWNETFLOW, &labels, &[]);
        let (front, back) = label.split_at(0);
        let bytes = encoded(&BWNETFLOW, &rows, &[front, back]);
        let mut twin = bwnetflow_twin(&rows);
        twin.merge(&*label).expect("prost reads it");
        prop_assert_eq!(Message::decode(&*bytes).expect("prost reads it"), twin);
    }

    #[test]
    fn decode_gives_the_row_back(rows in any_row()) {
        let bytes = encoded(&BWNETFLOW, &rows, &[]);
        let mut back = Rows::default();
        crate::decode::decode(&bytes, &mut back).expect("our own bytes");
        prop_assert_eq!(encoded(&BWNETFLOW, &back, &[]), bytes);
    }

    #[test]
    fn a_batch_holds_what_encode_writes(rows in proptest::collection::vec(any_row(), 1..8)) {
        let mut batch = Batch::with_capacity(5, 64 * 1024);
        for turn in 0..2 {
            batch.clear();
            prop_assert!(batch.is_empty() && batch.bytes().is_empty());
            for (index, row) in rows.iter().enumerate() {
                let pushed = batch.push(&BWNETFLOW, &row.as_slice()[0], row.texts(), &[b"\xc0\x3e\x07"]);
                prop_assert_eq!(pushed, index < 5, "turn {}", turn);
            }
            let expected: Vec<Vec<u8>> =
                rows.iter().take(5).map(|row| encoded(&BWNETFLOW, row, &[b"\xc0\x3e\x07"])).collect();
            prop_assert_eq!(batch.len(), expected.len());
            prop_assert_eq!(batch.flows().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
            let all: Vec<u8> = expected.iter().flat_map(|flow| delimited(flow)).collect();
            prop_assert_eq!(batch.bytes(), &*all);
            prop_assert_eq!(batch.delimited(0..batch.len()), &*all);
            let last = batch.len() - 1;
            prop_assert_eq!(batch.delimited(last..last + 1), delimited(&expected[last]));
            let facts: Vec<Facts> = rows.iter().take(5).map(|row| facts(&row.as_slice()[0])).collect();
            prop_assert_eq!(batch.facts(), facts);
        }
    }
}

/// As prost writes a length and a message.
fn delimited(flow: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(flow.len() as u64, &mut bytes);
    bytes.extend_from_slice(flow);
    bytes
}

fn facts(flow: &Flow) -> Facts {
    let cid = |field| flow.word(field).unwrap_or(0) as u32;
    Facts { cid: cid(Field::Cid), src_cid: cid(Field::SrcCid), dst_cid: cid(Field::DstCid) }
}

#[test]
fn golden_bytes() {
    let mut rows = Rows::default();
    let flow = rows.push();
    flow.set(Field::Type, 3);
    flow.set(Field::TimeReceivedNs, 1_700_000_000_999_999_999);
    flow.set(Field::Bytes, 300);
    flow.set(Field::Packets, 0);
    flow.set(Field::Cid, 101);
    flow.set(Field::OuterVlanId, 5);
    flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
    rows.set_text(0, Field::SrcIfName, b"xe-0");
    #[rustfmt::skip]
    assert_eq!(encoded(&BWNETFLOW, &rows, &[b"\x2a\x00"]), [
        0x08, 3, // 1
        0x10, 0x80, 0xe2, 0xcf, 0xaa, 0x06, // 2, whole seconds
        0x48, 0xac, 0x02, // 9
        0xc0, 0x3e, 101, // 1000
        0x90, 0xbc, 0x01, 5, // 3010
        0x32, 4, 192, 0, 2, 1, // 6
        0xda, 0x3e, 4, b'x', b'e', b'-', b'0', // 1003
        0x2a, 0x00, // the label
    ]);
    #[rustfmt::skip]
    assert_eq!(encoded(&GOFLOW2, &rows, &[]), [
        0x08, 3,
        0xf0, 0x06, 0xff, 0x93, 0x93, 0x8e, 0xe7, 0x9f, 0xe7, 0xcb, 0x17, // 110, nanoseconds
        0x48, 0xac, 0x02,
        0x32, 4, 192, 0, 2, 1,
    ]);
}

/// The row than which none is longer: values wider than their type included.
fn worst_row(text: &[u8]) -> Rows {
    let mut rows = Rows::default();
    rows.push();
    for field in Field::all() {
        if field.is_word() {
            rows.as_mut_slice()[0].set(field, u64::MAX);
        } else if field.is_address() {
            rows.as_mut_slice()[0].set_v6(field, [0xff; 16]);
        } else {
            rows.set_text(0, field, text);
        }
    }
    rows
}

#[test]
fn no_row_is_longer_than_the_bound() {
    for profile in [&BWNETFLOW, &GOFLOW2] {
        // Lists grow when they are encoded, texts do not.
        for text in [&[0xff; 300][..], &[b'x'; 300]] {
            let len = encoded(profile, &worst_row(text), &[]).len();
            assert!(len + SLACK <= ROW_BYTES_MAX, "{len}");
        }
    }
    assert!(encoded(&BWNETFLOW, &worst_row(&[b'x'; 300]), &[]).len() > ROW_BYTES_MAX / 3);
}

#[test]
fn a_batch_takes_rows_until_one_might_not_fit() {
    let worst = worst_row(&[b'x'; 300]);
    let bytes_max = 40_000;
    let mut batch = Batch::with_capacity(1_000, bytes_max);
    let mut ends = Vec::new();
    while batch.push(&BWNETFLOW, &worst.as_slice()[0], worst.texts(), &[]) {
        ends.push(batch.bytes().len());
    }
    // Every row started within the bound, and there it ended.
    assert!(ends[ends.len() - 2] <= bytes_max && *ends.last().expect("one") > bytes_max);
    let before = batch.bytes().to_vec();
    assert!(!batch.push(&BWNETFLOW, &worst.as_slice()[0], worst.texts(), &[]));
    assert_eq!((batch.bytes(), batch.len()), (&before[..], ends.len()));
    let both = ends[ends.len() - 1] - ends[ends.len() - 2];
    assert_eq!(delimited(batch.flow(ends.len() - 1)).len(), both);
}

#[test]
fn a_text_alone_is_encoded_as_in_a_row() {
    for len in [0, 1, 127, 128, TEXT_BYTES_MAX, TEXT_BYTES_MAX + 9] {
        let text = "x".repeat(len);
        for (profile, field) in [(&BWNETFLOW, Field::SrcIfName), (&GOFLOW2, Field::SrcIfName)] {
            let mut rows = Rows::default();
            rows.push();
            rows.set_text(0, field, text.as_bytes());
            let mut alone = Vec::new();
            encode_text(profile, field, &text, &mut alone);
            assert_eq!(alone, encoded(profile, &rows, &[]), "{len} bytes");
        }
    }
}

#[test]
fn a_long_text_is_cut_between_characters() {
    for (text, kept) in [
        ("x".repeat(253) + "\u{fc}", 255),
        ("x".repeat(254) + "\u{fc}", 254),
        ("x".repeat(255) + "\u{fc}", 255),
        ("x".repeat(252) + "\u{1f409}", 252),
        ("\u{fc}".repeat(200), 254),
    ] {
        let mut alone = Vec::new();
        encode_text(&BWNETFLOW, Field::SamplerHostName, &text, &mut alone);
        let read = Message::decode(&alone[..]).expect("valid UTF-8");
        assert_eq!(read.sampler_host_name, text[..kept]);
    }
}
