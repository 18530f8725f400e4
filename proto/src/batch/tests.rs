use super::*;
use crate::encode::BWNETFLOW;
use crate::rows::{Rows, TEXT_BYTES_MAX};

#[test]
fn a_length_is_found_again_whatever_it_takes() {
    for len in [0, 1, 126, 127, 128, 129, 16_382, 16_383, 16_384, 16_385, 2_097_151, 2_097_152] {
        let bytes = varint_bytes(len);
        let mut out = [0xee; 5];
        put_length(&mut out, len, bytes);
        let mut expected = Vec::new();
        prost::encoding::encode_varint(len as u64, &mut expected);
        assert_eq!(out[..bytes], expected, "{len}");
        assert_eq!(length_bytes_of(bytes + len), bytes, "{len}");
    }
}

#[test]
fn lengths_of_one_and_of_more_bytes_take_turns() {
    let mut rows = Rows::default();
    for len in [1, 200, 3, 122, 123, 124, 125, 126, 127, 128, 0, TEXT_BYTES_MAX] {
        rows.push();
        rows.set_text(rows.len() - 1, Field::Note, &vec![b'x'; len]);
    }
    let mut batch = Batch::with_capacity(16, 1 << 16);
    // Longer than two bytes can say.
    let label = vec![0xaa; 20_000];
    for (index, flow) in rows.as_slice().iter().enumerate() {
        let labels: &[&[u8]] = if index == 2 { &[&label] } else { &[] };
        assert!(batch.push(&BWNETFLOW, flow, rows.texts(), labels));
    }
    let mut rest = batch.bytes();
    for index in 0..rows.len() {
        let len = prost::encoding::decode_varint(&mut rest).expect("a length") as usize;
        assert_eq!(batch.flow(index), &rest[..len], "flow {index}");
        rest = &rest[len..];
    }
    assert!(rest.is_empty());
    assert!(batch.flow(2).len() > 20_000);
}

#[test]
fn keys_are_as_java_writes_them() {
    let mut flow = Flow::default();
    flow.set_v4(Field::SamplerAddress, [192, 0, 2, 7]);
    flow.set_v4(Field::SrcAddr, [198, 51, 100, 1]);
    flow.set_v6(Field::DstAddr, [0x20; 16]);
    flow.set(Field::SrcPort, 443);
    flow.set(Field::DstPort, 50_000);
    flow.set(Field::Proto, 6);
    flow.set(Field::Cid, 0x0102_0304);
    let mut back = flow.clone();
    back.set_v4(Field::DstAddr, [198, 51, 100, 1]);
    back.set_v6(Field::SrcAddr, [0x20; 16]);
    back.set(Field::DstPort, 443);
    back.set(Field::SrcPort, 50_000);
    let mut other = flow.clone();
    other.set(Field::Proto, 17);
    let keys = |keying| {
        let mut batch = Batch::with_capacity(8, 1 << 14).keyed(keying);
        for flow in [&flow, &back, &other] {
            assert!(batch.push(&BWNETFLOW, flow, &[], &[]));
        }
        [0, 1, 2].map(|index| batch.key(index).to_vec())
    };
    assert!(keys(Keying::None).iter().all(Vec::is_empty));
    assert_eq!(keys(Keying::Exporter), [[192, 0, 2, 7]; 3]);
    assert_eq!(keys(Keying::Customer), [[1, 2, 3, 4]; 3]);
    let [there, back, other] = keys(Keying::Flow);
    assert_eq!((there.len(), &there), (8, &back), "both directions");
    assert_ne!(there, other);
}

#[test]
#[should_panic(expected = "at most 4 GiB")]
fn the_headroom_counts_among_the_4_gib() {
    drop(Batch::with_capacity(1, u32::MAX as usize));
}

#[test]
fn an_empty_batch_takes_a_row_with_the_longest_labels() {
    let mut batch = Batch::with_capacity(2, 16);
    let (flow, label) = (Flow::default(), vec![0; LABELS_BYTES_MAX]);
    assert!(batch.push(&BWNETFLOW, &flow, &[], &[&label]));
    assert!(!batch.push(&BWNETFLOW, &flow, &[], &[]), "now it is full");
    assert_eq!((batch.len(), batch.bytes().len()), (1, 3 + LABELS_BYTES_MAX));
}
