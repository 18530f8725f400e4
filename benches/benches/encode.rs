//! Row to protobuf: our one-pass encoder beside prost's generated one, on a row like those of a
//! 23-field template.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use neckar_proto::encode::{BWNETFLOW, ROW_BYTES_MAX, encode};
use neckar_proto::{Field, Flow, Message};
use prost::Message as _;
use std::hint::black_box;

/// Flows that differ as flows do: value widths decide the lengths of varints.
fn rows() -> Vec<Flow> {
    (0..64u64)
        .map(|index| {
            let mix = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut flow = Flow::default();
            for (field, value) in [
                (Field::Type, 3),
                (Field::SamplingRate, 1000),
                (Field::SequenceNum, 1_000_000 + index),
                (Field::Bytes, 40 + (mix >> (40 + index % 20))),
                (Field::Packets, 1 + (mix >> (52 + index % 10))),
                (Field::SrcAS, 64_496 + index),
                (Field::DstAS, 3320),
                (Field::SrcNet, 24),
                (Field::DstNet, 16),
                (Field::InIf, 500 + index),
                (Field::OutIf, 42),
                (Field::Proto, if index % 3 == 0 { 17 } else { 6 }),
                (Field::SrcPort, mix & 0xffff),
                (Field::DstPort, 443),
                (Field::IPTos, 0),
                (Field::ForwardingStatus, 64),
                (Field::TCPFlags, if index % 3 == 0 { 0 } else { 0x1b }),
                (Field::Etype, 0x0800),
                (Field::IngressVrfID, 0x6000_0001),
                (Field::EgressVrfID, 0x6000_0002),
                (Field::FlowDirection, index & 1),
                (Field::ObservationDomainID, 256),
                (Field::TimeReceivedNs, 1_700_000_000_000_000_000 + mix % 1_000_000_000),
                (Field::TimeFlowStartNs, 1_699_999_990_000_000_000 + mix % 1_000_000_000),
                (Field::TimeFlowEndNs, 1_699_999_999_000_000_000 + mix % 1_000_000_000),
                (Field::SrcCid, 4711),
                (Field::Cid, 4711),
            ] {
                flow.set(field, value);
            }
            flow.set_v4(Field::SrcAddr, (mix as u32).to_be_bytes());
            flow.set_v4(Field::DstAddr, (mix as u32 ^ 0x0a0a_0a0a).to_be_bytes());
            flow.set_v4(Field::SamplerAddress, [192, 0, 2, 1]);
            flow.set_v4(Field::BgpNextHop, [192, 0, 2, 254]);
            flow
        })
        .collect()
}

fn benches(criterion: &mut Criterion) {
    let rows = rows();
    let mut out = vec![0; ROW_BYTES_MAX];
    let messages: Vec<Message> = rows
        .iter()
        .map(|flow| {
            let len = encode(&BWNETFLOW, flow, &[], &[], &mut out);
            Message::decode(&out[..len]).expect("our own bytes")
        })
        .collect();
    let bytes: usize = messages.iter().map(prost::Message::encoded_len).sum();
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(rows.len() as u64));
    println!("{} bytes a flow", bytes / rows.len());
    group.bench_function("neckar", |bencher| {
        bencher.iter(|| {
            rows.iter()
                .map(|flow| encode(&BWNETFLOW, black_box(flow), &[], &[], &mut out))
                .sum::<usize>()
        });
    });
    let mut buffer = Vec::with_capacity(1 << 16);
    group.bench_function("prost", |bencher| {
        bencher.iter(|| {
            buffer.clear();
            for message in &messages {
                black_box(message).encode(&mut buffer).expect("a Vec grows");
            }
            buffer.len()
        });
    });
    group.finish();
}

criterion_group! {
    name = encoding;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(500)).measurement_time(std::time::Duration::from_secs(2));
    targets = benches
}
criterion_main!(encoding);
