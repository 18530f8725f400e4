//! sFlow samples to rows: ours, which dissects the sampled header down to its ports, beside
//! `flowparser-sflow`, which keeps it as bytes. One core, warm, headers of 128 bytes in datagrams
//! of at most 1400.

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowparser_sflow::SflowParser;
use neckar_decode::{Config, Datagram, Decoder, Shared};
use neckar_proto::{Field, Rows};

const HEADER_BYTES: usize = 128;
const DATAGRAM_BYTES_MAX: usize = 1400;
/// Datagrams in turn, so that branches are predicted as in life and not by heart.
const DATAGRAMS: u32 = 64;

fn words(values: &[u32], out: &mut Vec<u8>) {
    out.extend(values.iter().flat_map(|value| value.to_be_bytes()));
}

/// The frame of a packet, as varied as a case wants.
fn frame(mix: u32, case: &Case) -> Vec<u8> {
    let mut out = vec![2, 0, 0x5e, 0, 0, 1, 2, 0, 0x5e, 0, 0, 2];
    if case.mixed && mix.is_multiple_of(2) {
        out.extend([0x81, 0, 0x60 | (mix >> 8 & 0xf) as u8, mix as u8]);
    }
    let proto = [6, 17, 6][mix as usize % 3];
    if case.mixed && mix.is_multiple_of(4) {
        out.extend([0x86, 0xdd, 0x60, 0, 0, 0, 5, 0, proto, 63]);
        for host in [mix, mix >> 7] {
            out.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
            out.extend(host.to_be_bytes());
        }
    } else {
        out.extend([8, 0, 0x45, 0, 5, 0, 0x12, 0x34, 0x40, 0, 63, proto, 0, 0]);
        words(&[0x0a00_0000 | mix >> 8, 0xc633_6400 | mix & 0xff], &mut out);
    }
    words(&[443 << 16 | mix & 0xffff, mix, mix, 0x5018_ffff, 0], &mut out);
    out.resize(HEADER_BYTES, 0xaa);
    out
}

fn sample(sequence: u32, mix: u32, case: &Case) -> Vec<u8> {
    let mut body = Vec::new();
    words(&[sequence, 501, 1000, sequence * 1000, 0, 501, 7 + mix % 3], &mut body);
    words(&[1 + 2 * u32::from(case.switched) + u32::from(case.routed)], &mut body);
    words(&[1, 16 + HEADER_BYTES as u32, 1, 1300, 4, HEADER_BYTES as u32], &mut body);
    body.extend(frame(mix, case));
    if case.switched {
        words(&[1001, 16, 100, 0, 200, 0], &mut body);
        words(&[1002, 16, 1, 0xc000_02fe, 24, 16], &mut body);
    }
    if case.routed {
        words(&[1003, 52, 1, 0xc000_02fe, 64_496, 0, 64_497, 1, 2, 4], &mut body);
        words(&[64_500, 64_501, 64_502, 3320, 0, 100], &mut body);
    }
    body
}

struct Case {
    name: &'static str,
    /// IPv6 and VLAN tags between.
    mixed: bool,
    /// Extended switch and router records.
    switched: bool,
    /// Extended gateway records.
    routed: bool,
}

fn datagrams(case: &Case) -> (Vec<Vec<u8>>, u64) {
    let mut samples = 0;
    let mut all = Vec::new();
    for sequence in 0..DATAGRAMS {
        let mut body = Vec::new();
        let mut count = 0;
        loop {
            let mix = (sequence * 16 + count).wrapping_mul(0x9e37_79b9).rotate_left(9);
            let sample = sample(sequence * 16 + count, mix, case);
            if 28 + body.len() + 8 + sample.len() > DATAGRAM_BYTES_MAX {
                break;
            }
            words(&[1, sample.len() as u32], &mut body);
            body.extend(sample);
            count += 1;
        }
        let mut out = Vec::new();
        words(&[5, 1, 0xc612_0001, 0, sequence, 123_456, count], &mut out);
        out.extend(body);
        all.push(out);
        samples += u64::from(count);
    }
    (all, samples)
}

fn benches(criterion: &mut Criterion) {
    let cases = [
        Case { name: "header", mixed: false, switched: false, routed: false },
        Case { name: "header, mixed", mixed: true, switched: false, routed: false },
        Case { name: "header, switch, router", mixed: false, switched: true, routed: false },
        Case { name: "header, switch, router, gateway", mixed: true, switched: true, routed: true },
    ];
    let exporter = IpAddr::from([192, 0, 2, 1]);
    for case in &cases {
        let (datagrams, samples) = datagrams(case);
        let mut group = criterion.benchmark_group(format!("sflow/{}", case.name));
        group.throughput(Throughput::Elements(samples));
        let config = Config::default();
        let mut decoder = Decoder::new(config.clone(), Arc::new(Shared::new(config)));
        let mut ports = 0;
        group.bench_function("neckar", |bencher| {
            bencher.iter(|| {
                for bytes in &datagrams {
                    let received_ns = 1_700_000_001_000_000_000;
                    let datagram = Datagram { exporter, port: 6343, received_ns, bytes };
                    decoder.decode(black_box(datagram), &mut |rows: &mut Rows| {
                        ports += rows.as_slice()[0].word_or_zero(Field::SrcPort);
                    });
                }
            });
        });
        assert_eq!(decoder.counters().flows, decoder.counters().records);
        assert!(decoder.counters().flows > 0 && ports.is_multiple_of(443));
        let parser = SflowParser::default();
        group.bench_function("flowparser-sflow", |bencher| {
            bencher.iter(|| {
                let parsed = datagrams.iter().map(|bytes| parser.parse_bytes(black_box(bytes)));
                parsed.map(|result| result.datagrams[0].samples.len()).sum::<usize>()
            });
        });
        group.finish();
    }
}

criterion_group! {
    name = sflow;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(500)).measurement_time(std::time::Duration::from_secs(2));
    targets = benches
}
criterion_main!(sflow);
