//! Filters on a chunk of flows: nanoseconds a flow, small and large expressions. A filter's cost is
//! that of the tests that it comes to, so each case says how many of the flows match.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use neckar_filter::{Filter, Options};
use neckar_proto::{Field, Rows};

const FLOWS: u64 = 64;
const INTERFACES: [&str; 4] =
    ["Uplink DE-CIX Frankfurt 100G", "Customer Uni Ulm", "Core to Stuttgart, LAG 4", ""];

/// Flows that differ as flows do: three of four TCP, addresses all over, a few ports.
fn rows() -> Rows {
    let mut rows = Rows::default();
    for index in 0..FLOWS {
        let mix = (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let flow = rows.push();
        let (proto, flags) = if index % 4 == 0 { (17, 0) } else { (6, 1 << (mix >> 8 & 3)) };
        for (field, value) in [
            (Field::Proto, proto),
            (Field::TCPFlags, flags),
            (Field::SrcPort, [443, 80, 53, 22, 8080, 123, 25, 993][index as usize % 8]),
            (Field::DstPort, mix & 0xffff),
            (Field::Bytes, mix >> 44),
            (Field::Packets, mix >> 54),
            (Field::TimeFlowStartNs, 1_700_000_000_000_000_000),
            (Field::TimeFlowEndNs, 1_700_000_000_000_000_000 + (mix >> 32)),
            (Field::InIf, index % 16),
            (Field::SrcAS, 64_496 + index % 16),
            (Field::ForwardingStatus, 64),
            (Field::FlowDirection, index & 1),
        ] {
            flow.set(field, value);
        }
        flow.set_v4(Field::SrcAddr, (mix as u32).to_be_bytes());
        if index % 4 == 1 {
            flow.set_v6(Field::DstAddr, (u128::from(mix) << 64 | 0x20 << 120).to_be_bytes());
        } else {
            flow.set_v4(Field::DstAddr, (mix as u32 ^ 0x5a5a_5a5a).to_be_bytes());
        }
        let index = index as usize;
        rows.set_text(index, Field::SrcIfDesc, INTERFACES[index % 4].as_bytes());
        rows.set_text(index, Field::DstIfDesc, INTERFACES[index / 4 % 4].as_bytes());
    }
    rows
}

/// `address A or address B or …`, as lists are written where there are none.
fn address_chain(count: u32) -> String {
    let mut text = String::new();
    for index in 0..count {
        let separator = if index == 0 { "" } else { " or " };
        let address = std::net::Ipv4Addr::from(index.wrapping_mul(0x9e37_79b9));
        let _ = write!(text, "{separator}address {address}/20");
    }
    text
}

fn cases() -> Vec<(&'static str, String)> {
    let ports: Vec<String> = (0..500).map(|index| (index * 131).to_string()).collect();
    vec![
        ("everything", String::new()),
        ("1 term", "proto tcp".into()),
        ("2 terms", "src port 443 and proto tcp".into()),
        ("address", "address 10.0.0.0/8".into()),
        ("amplification", "proto udp and src port 53, 123, 389, 1900, 11211 and bytes >1000".into()),
        ("rate", "bps >1M or pps >1k".into()),
        (
            "20 terms",
            "(proto tcp and (tcpflags syn or tcpflags rst) and not dst port 80, 443) or \
             (proto udp and src port 53, 123 and packets >10) or (proto icmp and icmp type 3, 11) or \
             (address 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7 and incoming) or \
             (src asn 64500-64510 and iface 3 and not status dropped) or router 192.0.2.0/24 or \
             (outgoing and duration >60 and bytes >10M)"
                .into(),
        ),
        ("interface text", "iface desc \"de-cix\"".into()),
        ("500 ports", format!("port {}", ports.join(", "))),
        ("1,000 prefixes, by or", address_chain(1000)),
        ("100,000 prefixes, by or", address_chain(100_000)),
    ]
}

fn filters(criterion: &mut Criterion) {
    let rows = rows();
    let mut group = criterion.benchmark_group("filter");
    group.throughput(Throughput::Elements(FLOWS));
    for (name, text) in cases() {
        let filter = Filter::parse(&text, &Options::default()).expect("valid");
        let matched = rows.as_slice().iter().filter(|flow| filter.matches(flow, &rows)).count();
        println!("{name}: {matched} of {FLOWS} flows match");
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let flows = black_box(&rows).as_slice();
                flows.iter().filter(|flow| filter.matches(flow, &rows)).count()
            });
        });
    }
    group.finish();
}

/// What a reload costs.
fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("filter/parse");
    for (name, text) in cases() {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| Filter::parse(black_box(&text), &Options::default()).expect("valid"));
        });
    }
    group.finish();
}

criterion_group! {
    name = filtering;
    config = Criterion::default().sample_size(20).warm_up_time(std::time::Duration::from_millis(300)).measurement_time(std::time::Duration::from_secs(1));
    targets = filters, parsing
}
criterion_main!(filtering);
