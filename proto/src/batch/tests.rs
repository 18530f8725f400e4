use super::*;
use crate::encode::BWNETFLOW;
use crate::rows::{Rows, TEXT_BYTES_MAX};

#[test]
fn a_length_is_written_whatever_it_takes() {
    for len in [0, 1, 126, 127, 128, 129, 16_382, 16_383, 16_384, 16_385, 2_097_151, 2_097_152] {
        let bytes = varint_bytes(len);
        let mut out = [0xee; 5];
        put_length(&mut out, len, bytes);
        let mut expected = Vec::new();
        prost::encoding::encode_varint(len as u64, &mut expected);
        assert_eq!(out[..bytes], expected, "{len}");
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

/// A record, byte by byte, as Kafka's protocol guide has it.
fn record(index: usize, flow: &[u8]) -> Vec<u8> {
    let varint = |value: i64, out: &mut Vec<u8>| {
        prost::encoding::encode_varint((value << 1 ^ value >> 63) as u64, out);
    };
    // Attributes, and no time after the batch's.
    let mut record = vec![0, 0];
    varint(index as i64, &mut record);
    varint(-1, &mut record);
    varint(flow.len() as i64, &mut record);
    record.extend_from_slice(flow);
    varint(0, &mut record);
    let mut all = Vec::new();
    varint(record.len() as i64, &mut all);
    all.extend(record);
    all
}

#[test]
fn a_flow_in_a_record_is_the_same_flow() {
    let mut delimited = Batch::with_capacity(10_000, 32 << 20);
    let mut records = Batch::with_capacity(10_000, 32 << 20).laid_out(Layout::Records);
    let mut expected = Vec::new();
    for index in 0..9_000 {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, index);
        flow.set(Field::SrcCid, index % 7);
        // Lengths whose varints take one, two and three bytes, near where they change above all.
        let label =
            vec![0x55; [0, 50, 54, 55, 56, 57, 118, 8_170, 8_185, 8_190][index as usize % 10]];
        for batch in [&mut delimited, &mut records] {
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[&label]));
        }
        expected.extend(record(index as usize, delimited.flow(index as usize)));
    }
    assert_eq!((records.layout(), records.len()), (Layout::Records, 9_000));
    assert!(records.bytes() == expected);
    assert!(records.flows().eq(delimited.flows()));
    assert_eq!(records.facts(), delimited.facts());
    for range in [0..1, 0..9_000, 63..66, 8_999..9_000] {
        assert!(records.delimited(range.clone()) == delimited.delimited(range.clone()));
        let one_by_one = range.clone().map(|index| record(index, records.flow(index)).len());
        assert_eq!(records.bytes_of(range.clone()), one_by_one.sum::<usize>());
        assert_eq!(delimited.bytes_of(range.clone()), delimited.delimited(range).len());
    }
    assert_eq!(records.bytes_of(0..0), 0);

    let (mut of_records, mut of_delimited) = (Batch::growing(0), Batch::growing(0));
    for index in (0..9_000).step_by(9) {
        of_records.append(&records, index);
        of_delimited.append(&delimited, index);
    }
    assert!(of_records.facts().is_empty());
    assert!(of_records.bytes() == of_delimited.bytes());

    let copy = records.delimit();
    assert!(copy.bytes() == delimited.bytes() && copy.facts() == delimited.facts());
    assert_eq!(copy.layout(), Layout::Delimited);

    let mut again = records.laid_out(Layout::Records);
    assert!(again.is_empty());
    assert!(again.push(&BWNETFLOW, &Flow::default(), &[], &[]));
    assert_eq!(again.bytes(), record(0, &[]), "numbers begin anew");
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
        let copy = batch.delimit();
        let keys = [0, 1, 2].map(|index| batch.key(index).to_vec());
        assert_eq!([0, 1, 2].map(|index| copy.key(index).to_vec()), keys);
        keys
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
    let mut batch = Batch::with_capacity(2, 16).laid_out(Layout::Records);
    assert!(batch.push(&BWNETFLOW, &flow, &[], &[&label]), "there is room for a record, too");
}
