//! A million spoofed sources: memory stays bounded, who was there before stays, and every datagram is
//! accounted for.

use std::net::{IpAddr, Ipv4Addr};

use neckar_decode::{Cause, Config};

use super::Bench;
use super::wire::{HEADER, Header, Wire, message, set, spec, template};

const SPOOFED: u32 = 1_000_000;
/// Far above what the default bounds add up to: 16,384 exporters with a template each.
const MEMORY_MAX: u64 = 64 << 20;

fn with_template(sequence: u32) -> Vec<u8> {
    let fields = [spec(8, 4), spec(1, 4)];
    let header = Header { sequence, ..HEADER };
    message(Wire::V9, header, &[template(Wire::V9, 300, &fields), data()])
}

fn data() -> Vec<u8> {
    set(300, &[10, 0, 0, 1, 0, 0, 0, 99])
}

#[test]
fn a_million_spoofed_sources_cost_bounded_memory_and_nobody_his_templates() {
    let mut bench = Bench::with(Config::default());
    let known = bench.exporter;
    assert_eq!(bench.feed(&with_template(1)).len(), 1);
    let datagram = with_template(1);
    let mut flows = 1;
    let allocated = allocation_counter::measure(|| {
        for source in 0..SPOOFED {
            bench.exporter = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + source));
            flows += bench.feed(&datagram).len() as u64;
        }
    });
    let counters = bench.counters();
    let refused = counters.dropped(Cause::DatagramExporterTableFull);
    let exporters = Config::default().exporters_max as u64;
    assert_eq!(counters.datagrams, u64::from(SPOOFED) + 1);
    assert_eq!(flows + refused, u64::from(SPOOFED) + 1, "each has one flow, or a cause");
    assert_eq!((flows, counters.flows), (exporters, exporters), "who came first has a place");
    assert!(allocated.bytes_current < MEMORY_MAX as i64, "{} bytes", allocated.bytes_current);
    assert!(allocated.bytes_max < MEMORY_MAX, "{} bytes", allocated.bytes_max);
    // The one that was there before decodes on by the template it had.
    bench.exporter = known;
    let later = message(Wire::V9, Header { sequence: 2, ..HEADER }, &[data()]);
    assert_eq!(bench.feed(&later).len(), 1);
}
