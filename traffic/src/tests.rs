//! The whole room, fed with batches as the workers make them.

mod flowdata;
mod talkers;

use std::net::Ipv4Addr;

use neckar_proto::encode::BWNETFLOW;
use neckar_proto::{Batch, Field, Rows};
use proptest::prelude::*;

use super::*;

/// A flow as a test thinks of it.
#[derive(Clone, Debug)]
struct Spec {
    src: u32,
    dst: u32,
    src_port: u16,
    proto: u8,
    bytes: u64,
    packets: u64,
    rate: u64,
    direction: u8,
    cid: u32,
    remote_as: u32,
    end_s: u64,
    router: [u8; 4],
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            src: 0x0a00_0001,
            dst: 0xc000_0201,
            src_port: 443,
            proto: 6,
            bytes: 1000,
            packets: 10,
            rate: 1,
            direction: 0,
            cid: 7,
            remote_as: 0,
            end_s: NOON_S,
            router: ROUTER,
        }
    }
}

/// A minute begins.
const NOON_S: u64 = 1_800_000_000 / 60 * 60;

const ROUTER: [u8; 4] = [192, 0, 2, 99];

impl Spec {
    fn write(&self, rows: &mut Rows) {
        let flow = rows.push();
        flow.set(Field::TimeReceivedNs, self.end_s * 1_000_000_000);
        flow.set(Field::TimeFlowEndNs, self.end_s * 1_000_000_000);
        flow.set(Field::SamplingRate, self.rate);
        flow.set(Field::Bytes, self.bytes);
        flow.set(Field::Packets, self.packets);
        flow.set(Field::Etype, 0x0800);
        flow.set(Field::Proto, self.proto.into());
        flow.set(Field::SrcPort, self.src_port.into());
        flow.set(Field::DstPort, 50_000);
        flow.set(Field::FlowDirection, self.direction.into());
        flow.set(Field::Cid, self.cid.into());
        let remote = if self.direction == 0 { Field::SrcAS } else { Field::DstAS };
        flow.set(remote, self.remote_as.into());
        flow.set_v4(Field::SrcAddr, Ipv4Addr::from(self.src).octets());
        flow.set_v4(Field::DstAddr, Ipv4Addr::from(self.dst).octets());
        flow.set_v4(Field::SamplerAddress, self.router);
        let at = rows.len() - 1;
        rows.set_text(at, Field::ProtoName, if self.proto == 6 { b"TCP" } else { b"UDP" });
        rows.set_text(at, Field::SrcIfDesc, b"transit \"A\"");
        rows.set_text(at, Field::DstIfDesc, b"customer");
        if self.remote_as == 64_496 {
            let name = if self.direction == 0 { Field::SrcASName } else { Field::DstASName };
            rows.set_text(at, name, b"Example");
        }
    }

    /// What the wire had, by the sampling rate.
    fn sums(&self) -> Sums {
        let scaled = |count: u64| (count * self.rate.max(1)) as f64;
        Sums { bytes: scaled(self.bytes), packets: scaled(self.packets), flows: 1.0 }
    }
}

fn batch(specs: &[Spec]) -> Batch {
    let mut batch = Batch::with_capacity(specs.len().max(1), specs.len() * 400 + 4096);
    let mut rows = Rows::default();
    for spec in specs {
        rows.clear();
        spec.write(&mut rows);
        assert!(batch.push(&BWNETFLOW, &rows.as_slice()[0], rows.texts(), &[]));
    }
    batch
}

fn counted(config: &Config, specs: &[Spec]) -> Traffic {
    let mut traffic = Traffic::new(config, NOON_S);
    traffic.count(&batch(specs), NOON_S);
    traffic
}

/// Flows of few kinds, so that they meet.
fn specs(flows: usize) -> impl Strategy<Value = Vec<Spec>> {
    let ends = (0_u32..12, 0_u32..12);
    let numbers = (1_u64..100_000, 1_u64..100, prop::sample::select(vec![0_u64, 1, 32]));
    let rest = (0_u8..2, 0_u32..4, prop::sample::select(vec![0_u32, 64_496, 64_497]));
    let port = prop::sample::select(vec![53_u16, 80, 443, 4000]);
    let spec = (ends, numbers, rest, port, any::<bool>());
    let spec = spec.prop_map(|((src, dst), (bytes, packets, rate), rest, src_port, is_tcp)| {
        let (direction, cid, remote_as) = rest;
        let proto = if is_tcp { 6 } else { 17 };
        let (src, dst) = (0x0a00_0001 + src, 0xc000_0201 + dst);
        Spec {
            src,
            dst,
            src_port,
            proto,
            bytes,
            packets,
            rate,
            direction,
            cid,
            remote_as,
            ..Spec::default()
        }
    });
    prop::collection::vec(spec, 1..flows)
}

#[test]
fn every_message_is_counted_or_said_to_be_unreadable() {
    let mut traffic = counted(&Config::default(), &[Spec::default(), Spec::default()]);
    assert_eq!(traffic.counts().flows, 2);
    assert_eq!(traffic.counts().unreadable, 0);
    let late = Spec { end_s: NOON_S - 61, ..Spec::default() };
    let in_time = Spec { end_s: NOON_S - 60, ..Spec::default() };
    traffic.count(&batch(&[late, in_time]), NOON_S);
    assert_eq!((traffic.counts().flows, traffic.counts().late), (4, 1));
    assert_eq!(traffic.lag().count(), 4);
    assert_eq!(traffic.recent().since(0)[0].kept, 4);
}

/// A record that says more than there can be is as much as fits, in the series and the talkers alike.
#[test]
fn what_does_not_fit_stays_at_the_most() {
    let view =
        FlowView { bytes: u64::MAX / 2, packets: 3, sampling_rate: 4, ..FlowView::default() };
    let counters = series::Counters::of(&view);
    assert_eq!((counters.scaled_bytes, counters.scaled_packets), (u64::MAX, 12));
    assert_eq!(Sums::of(&view).bytes, u64::MAX as f64);
    let normalized = FlowView { normalized: true, ..view };
    assert_eq!(series::Counters::of(&normalized).scaled_packets, 3);
}

/// Every flow from another source, to another port, for a simulated minute: no table grows beyond its bound.
#[test]
fn a_spoofed_flood_leaves_every_table_within_its_bound() {
    let config = Config {
        series_max: 500,
        talkers_max: 256,
        tenants_max: 20,
        recent_bytes: 100_000,
        ..Config::default()
    };
    let mut traffic = Traffic::new(&config, NOON_S);
    for second in 0..60_u32 {
        let now_s = NOON_S + u64::from(second);
        let spec = |number: u32| {
            let number = second * 1000 + number;
            Spec {
                src: number.wrapping_mul(0x9e37_79b1),
                dst: number.wrapping_mul(0x85eb_ca6b) | 1,
                src_port: number as u16,
                proto: number as u8,
                cid: number,
                remote_as: number,
                end_s: now_s,
                ..Spec::default()
            }
        };
        traffic.count(&batch(&(0..1000).map(spec).collect::<Vec<_>>()), now_s);
        traffic.tend(now_s);
    }
    assert_eq!(traffic.counts().flows, 60_000);
    let (by_path, by_customer) = traffic.flowdata().series();
    assert!(by_path <= 500 && by_customer <= 500, "{by_path}, {by_customer}");
    assert_eq!(traffic.tenants().cids().len(), 20);
    assert!(traffic.tenants().unkept() > 0);
    let recent: u64 = traffic.recent().since(0).iter().map(|second| second.kept).sum();
    assert!(recent * 100 < 100_000 * 2, "{recent} flows kept");
    for dimension in Dimension::ALL {
        let question = talkers::question(dimension, Measure::Flows);
        let report = traffic.report(&Question { rows_max: usize::MAX, ..question });
        assert!(report.rows.len() <= 2 * 256, "{dimension:?}: {}", report.rows.len());
    }
    assert!(traffic.page().len() < Traffic::page_bytes(&config), "{}", traffic.page().len());
    let series = traffic.page().lines().filter(|line| !line.starts_with('#')).count();
    assert!(series <= METRICS.len() * 501 + 2 * 20 * 20 + 2 * 50 + 1, "{series} lines");
}
