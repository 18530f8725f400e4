//! One message of every generation, written here field by field, and every framing of them.
#![allow(clippy::unwrap_used, reason = "a panic is what a test is for")]

use neckar_proto::Field as Row;
use proptest::prelude::*;

use super::*;
use crate::wire::put_varint;

const SECONDS: u64 = 1_700_000_000;

fn message(fields: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, value) in fields {
        put(&mut out, *number, *value);
    }
    out
}

fn int(number: u32, word: u64) -> (u32, Value<'static>) {
    (number, Value::Varint(word))
}

fn text(number: u32, text: &[u8]) -> (u32, Value<'_>) {
    (number, Value::Bytes(text))
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        put_varint(&mut out, message.len() as u64);
        out.extend_from_slice(message);
    }
    out
}

fn read(payload: &[u8]) -> Rows {
    let mut rows = Rows::default();
    FlowReader::default().read(payload, &mut rows).unwrap();
    rows
}

/// Words and texts of the first row; `None` for what it has not.
fn words<const N: usize>(rows: &Rows, fields: [Row; N]) -> [Option<u64>; N] {
    fields.map(|field| rows.as_slice()[0].word(field))
}

fn texts<const N: usize>(rows: &Rows, fields: [Row; N]) -> [Option<&[u8]>; N] {
    fields.map(|field| rows.text(&rows.as_slice()[0], field))
}

/// As all generations have it.
fn usual() -> Vec<(u32, Value<'static>)> {
    vec![int(1, 3), text(6, &[192, 0, 2, 1]), int(9, 1500), int(10, 3), int(20, 6)]
}

#[test]
fn bwnetflow_and_flowpipeline_v1_stand_as_they_are() {
    let mut fields = usual();
    fields.extend([int(38, SECONDS), int(1000, 101), text(1001, b"uni"), text(1171, &[1, 2])]);
    let rows = read(&message(&fields));
    let expected = [Some(1500), Some(SECONDS * 1_000_000_000), Some(101)];
    assert_eq!(words(&rows, [Row::Bytes, Row::TimeFlowStartNs, Row::Cid]), expected);
    assert_eq!(texts(&rows, [Row::CidString]), [Some(&b"uni"[..])]);
    assert_eq!(texts(&rows, [Row::ASPath]), [Some(&[1, 0, 0, 0, 2, 0, 0, 0][..])]);
}

#[test]
fn flowpipeline_v2_is_renumbered() {
    let mut fields = usual();
    fields.extend([int(38, 2), int(5, SECONDS), text(1000, b"DE"), text(1001, b"FR")]);
    fields.extend([int(2000, 101), text(2004, b"uplink"), text(2014, b""), int(2163, 48)]);
    fields.extend([int(2172, 7), text(2302, &[1, 2]), int(2538, SECONDS - 9), int(2539, 5)]);
    let rows = read(&message(&fields));
    let found = words(
        &rows,
        [Row::Cid, Row::TimeFlowStartNs, Row::TimeFlowEndNs, Row::IngressVrfID, Row::Med],
    );
    let ns = 1_000_000_000;
    assert_eq!(found, [Some(101), Some((SECONDS - 9) * ns), Some(SECONDS * ns), Some(5), Some(7)]);
    let found = texts(&rows, [Row::SrcCountry, Row::DstCountry, Row::SrcIfDesc]);
    assert_eq!(found, [&b"DE"[..], b"FR", b"uplink"].map(Some));
    assert_eq!(texts(&rows, [Row::ASPath]), [Some(&[1, 0, 0, 0, 2, 0, 0, 0][..])]);
    assert_eq!(words(&rows, [Row::DstAddrPreservedLen]), [Some(48)]);
}

#[test]
fn goflow2_v2s_flags_are_no_time_and_its_lists_are_stacks() {
    let mut fields = usual();
    fields.extend([int(38, 2), text(80, &[64, 63, 62, 61]), text(81, &[16, 17, 18, 19])]);
    fields.extend([text(102, &[9, 8]), int(110, 5), int(111, 6), int(112, 7)]);
    let rows = read(&message(&fields));
    let times = [Row::TimeReceivedNs, Row::TimeFlowStartNs, Row::TimeFlowEndNs];
    assert_eq!(words(&rows, times), [5, 6, 7].map(Some));
    let labels = [Row::MPLS1Label, Row::MPLS2Label, Row::MPLS3Label, Row::MPLSLastLabel];
    assert_eq!(words(&rows, labels), [16, 17, 18, 19].map(Some));
    let found = words(&rows, [Row::MPLS3TTL, Row::MPLSLastTTL, Row::MPLSCount, Row::HasMPLS]);
    assert_eq!(found, [62, 61, 4, 1].map(Some));
    assert_eq!(texts(&rows, [Row::ASPath]), [Some(&[9, 0, 0, 0, 8, 0, 0, 0][..])]);
}

#[test]
fn milliseconds_and_ppp_share_numbers() {
    let mut fields = usual();
    fields.extend([int(63, SECONDS * 1000 + 1), int(64, SECONDS * 1000 + 2)]);
    let rows = read(&message(&fields));
    let expected = [1, 2].map(|ms| Some((SECONDS * 1000 + ms) * 1_000_000));
    assert_eq!(words(&rows, [Row::TimeFlowStartNs, Row::TimeFlowEndNs]), expected);
    let mut fields = usual();
    fields.extend([int(43, 1), int(63, 1), int(64, 0xff)]);
    let rows = read(&message(&fields));
    assert_eq!(words(&rows, [Row::TimeFlowStartNs, Row::Bytes]), [None, Some(1500)]);
}

#[test]
fn goflow2_v1s_custom_fields_are_not_taken_for_labels() {
    let mut fields = usual();
    fields.extend([int(1001, 7), int(1003, 7), text(1011, b"x"), text(1012, b"y")]);
    let rows = read(&message(&fields));
    assert_eq!(words(&rows, [Row::RemoteAddr, Row::SrcCid, Row::Packets]), [None, None, Some(3)]);
    assert_eq!(texts(&rows, [Row::CidString, Row::SrcIfName]), [None, None]);
}

#[test]
fn framings_are_told_apart_whatever_a_message_begins_with() {
    let long = [0_u8; 200];
    let starts: [Vec<(u32, Value<'_>)>; 5] = [
        usual(),
        usual()[1..].to_vec(),
        vec![int(2, SECONDS), int(9, 1)],
        vec![int(9, 1)],
        vec![text(6, &[8; 16]), text(1016, &long)],
    ];
    for fields in starts {
        let one = message(&fields);
        let two = vec![one.clone(), message(&usual())];
        let cases = [
            (one.clone(), Framing::Bare, 1),
            (framed(std::slice::from_ref(&one)), Framing::Delimited, 1),
            (framed(&two), Framing::Packed, 2),
        ];
        for (payload, framing, flows) in cases {
            assert_eq!(Framing::of(&payload), framing, "{payload:02x?}");
            for reader in [None, Some(framing)] {
                let mut rows = Rows::default();
                assert_eq!(FlowReader::new(reader).read(&payload, &mut rows), Ok(flows));
                assert_eq!(rows.len(), flows);
            }
        }
    }
}

#[test]
fn what_is_no_flow_leaves_no_row_and_says_where() {
    let good = message(&usual());
    let mut packed = framed(&[good.clone(), good.clone()]);
    let second = packed.len() / 2;
    packed.truncate(packed.len() - 1);
    let mut rows = Rows::default();
    let mut read = |framing, payload: &[u8]| {
        let error = FlowReader::new(framing).read(payload, &mut rows).unwrap_err();
        assert!(rows.is_empty());
        error.offset
    };
    assert_eq!(read(Some(Framing::Packed), &packed), second);
    assert_eq!(read(Some(Framing::Delimited), &framed(&[good.clone(), good.clone()])), 0);
    assert_eq!(read(None, b"{\"SrcAddr\":1}"), 0);
    assert_eq!(read(None, &good[..good.len() - 1]), good.len() - 3);
}

#[test]
fn no_bytes_are_a_flow_that_says_nothing() {
    // proto3: a message whose fields are all zero has no bytes.
    assert_eq!(read(b"").len(), 1);
}

/// Any flow that a collector may write: field 1 is its type and always there, some others, of any
/// value.
fn any_flow() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![0_u64..300, any::<u64>()];
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(|bytes| bytes.to_vec()),
        any::<[u8; 16]>().prop_map(|bytes| bytes.to_vec()),
    ];
    let words = proptest::collection::btree_map(2_u32..=62, value, 0..20);
    let texts = proptest::collection::vec(".{0,200}", 0..3);
    (1_u64..=5, words, address.clone(), address, texts).prop_map(
        |(kind, words, src, dst, texts)| {
            let mut out = message(&[int(1, kind)]);
            for (number, value) in words {
                match number {
                    6 => put(&mut out, 6, Value::Bytes(&src)),
                    7 => put(&mut out, 7, Value::Bytes(&dst)),
                    8 | 11 | 12 => {}
                    _ => put(&mut out, number, Value::Varint(value)),
                }
            }
            for (number, text) in [1003, 1004, 1016].into_iter().zip(&texts) {
                put(&mut out, number, Value::Bytes(text.as_bytes()));
            }
            out
        },
    )
}

proptest! {
    #[test]
    fn no_flow_is_taken_for_another_framing(flows in proptest::collection::vec(any_flow(), 2..5)) {
        prop_assert_eq!(Framing::of(&flows[0]), Framing::Bare);
        prop_assert_eq!(Framing::of(&framed(&flows[..1])), Framing::Delimited);
        prop_assert_eq!(Framing::of(&framed(&flows)), Framing::Packed);
    }

    #[test]
    fn any_bytes_are_flows_or_an_error(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        for framing in [None, Some(Framing::Bare), Some(Framing::Delimited), Some(Framing::Packed)] {
            let mut rows = Rows::default();
            match FlowReader::new(framing).read(&payload, &mut rows) {
                Ok(flows) => prop_assert_eq!(rows.len(), flows),
                Err(error) => {
                    prop_assert!(rows.is_empty());
                    prop_assert!(error.offset <= payload.len());
                }
            }
        }
    }
}
