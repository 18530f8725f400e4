//! The reader of messages: golden cases, and prost as the twin on whatever bytes look like protobuf.

use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::Message;
use crate::encode::{BWNETFLOW, ROW_BYTES_MAX, encode};

#[test]
fn what_was_encoded_comes_back() {
    let mut rows = Rows::with_capacity(1);
    let flow = rows.push();
    flow.set(Field::Bytes, u64::MAX);
    flow.set(Field::Proto, 17);
    flow.set(Field::TimeReceivedNs, 1_700_000_000_123_456_789);
    flow.set_v4(Field::SrcAddr, [192, 0, 2, 1]);
    flow.set_v6(Field::DstAddr, [0x20; 16]);
    rows.set_text(0, Field::SrcIfName, b"xe-0/0/1");
    rows.set_text(0, Field::ASPath, &[1, 0, 0, 0, 0, 0xfc, 0, 0]);
    let mut out = vec![0; ROW_BYTES_MAX];
    let len = encode(&BWNETFLOW, &rows.as_slice()[0], rows.texts(), &[], &mut out);

    let mut back = Rows::default();
    decode(&out[..len], &mut back).expect("our own bytes");
    let flow = &back.as_slice()[0];
    assert_eq!(flow.word(Field::Bytes), Some(u64::MAX));
    assert_eq!(flow.word(Field::Proto), Some(17));
    assert_eq!(flow.word(Field::TimeReceivedNs), Some(1_700_000_000_000_000_000));
    assert_eq!(flow.address(Field::SrcAddr), Some(&[192, 0, 2, 1][..]));
    assert_eq!(flow.address(Field::DstAddr), Some(&[0x20; 16][..]));
    assert_eq!(back.text(flow, Field::SrcIfName), Some(&b"xe-0/0/1"[..]));
    assert_eq!(back.text(flow, Field::ASPath), Some(&[1, 0, 0, 0, 0, 0xfc, 0, 0][..]));
    assert_eq!(flow.word(Field::Packets), None);
}

#[test]
fn malformed_bytes_leave_no_row() {
    let cases: [&[u8]; 6] =
        [&[0x48], &[0x48, 0x80], &[0x4a, 1, 0], &[0x32, 3, 1, 2, 3], &[0x32, 9, 1], &[7, 0]];
    for bytes in cases {
        let mut rows = Rows::default();
        assert_eq!(decode(bytes, &mut rows), Err(Malformed { offset: 0 }), "{bytes:x?}");
        assert!(rows.is_empty());
    }
}

#[test]
fn unknown_fields_are_skipped() {
    // Number 900 in each wire type, then Proto.
    let bytes = [
        0xa0, 0x38, 1, 0xa1, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0xa2, 0x38, 2, 9, 9, 0xa5, 0x38, 0, 0,
        0, 0, 0xa0, 0x01, 6,
    ];
    let mut rows = Rows::default();
    decode(&bytes, &mut rows).expect("well-formed");
    assert_eq!(rows.as_slice()[0].word(Field::Proto), Some(6));
}

/// A field on the wire: mostly numbers that the schema has, mostly wire types that fit them.
fn any_field() -> impl Strategy<Value = Vec<u8>> {
    let known =
        proptest::sample::select(Field::all().map(|field| field.info()).collect::<Vec<_>>());
    let number = prop_oneof![
        8 => known.prop_map(|info| (info.number, Some(info.kind))),
        2 => proptest::sample::select(vec![2_u32, 5, 38]).prop_map(|time| (time, Some(Kind::U64))),
        2 => Just((1171, Some(Kind::U32List))),
        1 => (0..5000_u32).prop_map(|number| (number, None)),
    ];
    let any_value = prop_oneof![0..4_u64, any::<u64>(), (0..64_u32).prop_map(|bit| 1 << bit)];
    (number, any_value, 0..60_u8, "[a-zü]{0,20}").prop_map(|((number, kind), value, dice, text)| {
        let text = text.as_bytes();
        let mut out = Vec::new();
        let mut put = |wire_type: u64| {
            prost::encoding::encode_varint(u64::from(number) << 3 | wire_type, &mut out);
        };
        match (kind, dice) {
            // Rarely something else than the schema says; wire types 6 and 7 are none.
            (_, wire_type @ 0..8) => {
                put(wire_type.into());
                prost::encoding::encode_varint(value, &mut out);
            }
            (None, _) | (Some(Kind::U32List), 30..) => {
                put(0);
                prost::encoding::encode_varint(value, &mut out);
            }
            (Some(Kind::U32List), _) => {
                put(2);
                let mut packed = Vec::new();
                for item in 0..u64::from(dice % 5) {
                    prost::encoding::encode_varint(value.wrapping_mul(item + 1), &mut packed);
                }
                out.push(packed.len() as u8);
                out.extend(packed);
            }
            (Some(Kind::Address), _) => {
                put(2);
                let len = [0, 4, 16][usize::from(dice % 3)];
                out.push(len);
                out.extend(value.to_be_bytes().iter().cycle().take(len.into()));
            }
            (Some(Kind::Text | Kind::Bytes), _) => {
                put(2);
                out.push(text.len() as u8);
                out.extend(text);
            }
            (Some(_), _) => {
                put(0);
                prost::encoding::encode_varint(value, &mut out);
            }
        }
        out
    })
}

/// Does the row say what prost's message says? Nanoseconds are compared where the message has them,
/// else the seconds that the row made nanoseconds of.
fn assert_same(rows: &Rows, mut twin: Message) {
    let flow = &rows.as_slice()[0];
    for (field, nanoseconds, seconds) in [
        (Field::TimeReceivedNs, &mut twin.time_received_ns, &mut twin.time_received),
        (Field::TimeFlowStartNs, &mut twin.time_flow_start_ns, &mut twin.time_flow_start),
        (Field::TimeFlowEndNs, &mut twin.time_flow_end_ns, &mut twin.time_flow_end),
    ] {
        if *nanoseconds == 0 {
            *nanoseconds = seconds.saturating_mul(SECOND_NS);
        }
        assert_eq!(flow.word_or_zero(field), *nanoseconds, "{field:?}");
        *seconds = *nanoseconds / SECOND_NS;
        *nanoseconds = 0;
    }
    twin.as_path.truncate(crate::TEXT_BYTES_MAX / 4);
    let mut out = vec![0; ROW_BYTES_MAX];
    let len = encode(&BWNETFLOW, flow, rows.texts(), &[], &mut out);
    assert_eq!(Message::decode(&out[..len]).expect("our own bytes"), twin);
}

/// prost and we read or refuse the same messages, and read the same out of them.
fn compare(bytes: &[u8]) {
    let mut rows = Rows::default();
    let ours = decode(bytes, &mut rows);
    match Message::decode(bytes) {
        Ok(twin) => {
            // Bytes that prost takes and a row has no place for: see the module's header.
            if addresses_fit(&twin) {
                assert_eq!(ours, Ok(()), "{bytes:x?}");
                assert_same(&rows, twin);
            }
        }
        Err(error) => assert!(ours.is_err() || is_utf8(&error), "{error}: {bytes:x?}"),
    }
    if ours.is_err() {
        assert!(rows.is_empty() && rows.texts().is_empty(), "{bytes:x?}");
    }
}

fn addresses_fit(twin: &Message) -> bool {
    let addresses = [
        &twin.src_addr,
        &twin.dst_addr,
        &twin.sampler_address,
        &twin.next_hop,
        &twin.bgp_next_hop,
        &twin.post_nat_src_addr,
        &twin.post_nat_dst_addr,
    ];
    addresses.iter().all(|address| matches!(address.len(), 0 | 4 | 16))
}

fn is_utf8(error: &prost::DecodeError) -> bool {
    error.to_string().contains("UTF-8")
}

proptest! {
    #[test]
    fn prost_reads_the_same(fields in proptest::collection::vec(any_field(), 0..30)) {
        compare(&fields.concat());
    }

    #[test]
    fn prost_reads_the_same_of_single_fields(field in any_field()) {
        compare(&field);
    }
}

#[test]
fn lists_come_packed_unpacked_and_in_pieces() {
    // 1171: packed 1 and 2, unpacked 300, packed 4; between them a text.
    let key = [0x98, 0x49];
    let packed = [0x9a, 0x49];
    let bytes =
        [&packed[..], &[2, 1, 2], &key, &[0xac, 2], &[0xc2, 0x3f, 1, b'n'], &packed, &[1, 4]]
            .concat();
    let mut rows = Rows::default();
    decode(&bytes, &mut rows).expect("well-formed");
    let list: Vec<u8> = [1_u32, 2, 300, 4].into_iter().flat_map(u32::to_le_bytes).collect();
    assert_eq!(rows.text(&rows.as_slice()[0], Field::ASPath), Some(&list[..]));
    assert_eq!(rows.text(&rows.as_slice()[0], Field::Note), Some(&b"n"[..]));
    compare(&bytes);
}

#[test]
fn numbers_are_cut_to_their_declared_type() {
    // Proto (uint32) and HasMPLS (bool).
    let bytes = [0xa0, 0x01, 0x86, 0x80, 0x80, 0x80, 0x10, 0xa8, 0x03, 2];
    let mut rows = Rows::default();
    decode(&bytes, &mut rows).expect("well-formed");
    assert_eq!(rows.as_slice()[0].word(Field::Proto), Some(6));
    assert_eq!(rows.as_slice()[0].word(Field::HasMPLS), Some(1));
    compare(&bytes);
}

#[test]
fn a_malformed_message_leaves_the_texts_of_others_alone() {
    let note = [0xc2, 0x3f, 1, b'n'];
    let mut rows = Rows::default();
    decode(&note, &mut rows).expect("well-formed");
    let broken = [&note[..], &[0x48]].concat();
    assert_eq!(decode(&broken, &mut rows), Err(Malformed { offset: 4 }));
    assert_eq!((rows.len(), rows.texts()), (1, &b"n"[..]));
}

#[test]
fn the_last_of_several_values_wins() {
    // SrcAddr, then an empty one; TimeReceived twice; nanoseconds before and after seconds.
    compare(&[0x32, 4, 192, 0, 2, 1, 0x32, 0]);
    compare(&[0x10, 1, 0x10, 2]);
    compare(&[0xf0, 0x06, 9, 0x10, 2]);
    compare(&[0x10, 2, 0xf0, 0x06, 9]);
    compare(&[0xf0, 0x06, 0, 0x10, 2]);
}

#[test]
fn varints_and_keys_have_their_bounds() {
    // Bytes with 64 bits, with 65; a key of more than 32 bits.
    compare(&[0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
    compare(&[0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]);
    compare(&[0xc8, 0x80, 0x80, 0x80, 0x10, 1]);
}

#[test]
fn groups_are_skipped_as_deep_as_prost_skips_them() {
    for depth in [1, 2, 99, 100, 101, 102, 200] {
        // Number 900; within it number 901.
        let open = [0xa3, 0x38].repeat(depth);
        let close = [0xa4, 0x38].repeat(depth);
        compare(&[&open[..], &close].concat());
        compare(&[&open[..], &[0xa8, 0x38, 1], &close].concat());
        compare(&[&open[..], &close[2..]].concat());
    }
    compare(&[0xa3, 0x38, 0xac, 0x38]);
    compare(&[0xa4, 0x38]);
}
