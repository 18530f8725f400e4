//! What talkers are told apart by: dimensions, and the keys that a flow has in each.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neckar_proto::FlowView;

use crate::class::Class;
use crate::prefixes;

/// What the heaviest are looked for of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Dimension {
    /// Source addresses.
    SrcHost,
    /// Destination addresses.
    DstHost,
    /// Source and destination address.
    Pair,
    /// AS of the source.
    SrcAs,
    /// AS of the destination.
    DstAs,
    /// Prefixes of the source, of several lengths ([`crate::prefixes`]).
    SrcPrefix,
    /// Prefixes of the destination.
    DstPrefix,
    /// Protocol and the lower of the two ports: mostly the service's.
    Port,
    /// IP protocol.
    Protocol,
    /// Country of the far side.
    Country,
    /// Exporter, interface, and whether in or out.
    Interface,
    /// Customer, at either end.
    Tenant,
    /// Exporter.
    Exporter,
    /// Destination address, traffic class and what became of the packets: what attacks are told by.
    Target,
}

/// Keys that a flow has at most: three prefixes of each address, two interfaces, three customers.
const KEYS_MAX: usize = DIMENSIONS + 2 + 2 + 1 + 2;
/// How many dimensions there are.
pub(crate) const DIMENSIONS: usize = 14;

impl Dimension {
    /// Every dimension, by its number.
    pub const ALL: [Self; DIMENSIONS] = [
        Self::SrcHost,
        Self::DstHost,
        Self::Pair,
        Self::SrcAs,
        Self::DstAs,
        Self::SrcPrefix,
        Self::DstPrefix,
        Self::Port,
        Self::Protocol,
        Self::Country,
        Self::Interface,
        Self::Tenant,
        Self::Exporter,
        Self::Target,
    ];

    /// Those that are kept for each customer apart.
    pub const OF_TENANTS: [Self; 5] =
        [Self::SrcHost, Self::DstHost, Self::Pair, Self::Port, Self::Country];
}

/// Which way flows go. On the wire an absent direction is the same as incoming (proto3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Direction {
    /// Into the network, or unknown.
    Incoming,
    /// Out of it.
    Outgoing,
}

impl Direction {
    /// Of a flow.
    #[must_use]
    pub fn of(view: &FlowView<'_>) -> Self {
        if view.flow_direction == 1 { Self::Outgoing } else { Self::Incoming }
    }
}

/// A key of any dimension; which one it is of is known where it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// An address as IPv6 (IPv4 mapped), a number, or 0.
    first: u128,
    second: u128,
    /// What fits beside.
    detail: u32,
}

/// What became of a target's packets, by the forwarding status (IE 89): 0 is unknown, not dropped.
fn fate(status: u32) -> (u32, &'static str) {
    match status >> 6 {
        1 => (1, "forwarded"),
        2 => (2, "dropped"),
        3 => (3, "consumed"),
        _ => (0, "unknown"),
    }
}

const FATES: [&str; 4] = ["unknown", "forwarded", "dropped", "consumed"];

impl Key {
    /// Of an address.
    pub(crate) fn of_address(address: u128) -> Self {
        Self { first: address, ..Self::default() }
    }

    pub(crate) fn of_prefix(address: u128, len: u32) -> Self {
        Self { first: address, second: 0, detail: len }
    }

    /// The triple of the suite's `host_bytes`: addresses, and the number of the peer's text.
    pub(crate) fn of_triple(source: u128, destination: u128, peer: u32) -> Self {
        Self { first: source, second: destination, detail: peer }
    }

    fn of_number(number: u32) -> Self {
        Self { detail: number, ..Self::default() }
    }

    /// The two addresses, and what is beside them.
    pub(crate) fn parts(&self) -> (IpAddr, IpAddr, u32) {
        (address_of(self.first), address_of(self.second), self.detail)
    }

    /// Address and length, of a prefix.
    pub(crate) fn prefix(&self) -> (u128, u32) {
        (self.first, self.detail)
    }

    /// As people read it.
    #[must_use]
    pub fn text(&self, dimension: Dimension) -> String {
        let (first, second, detail) = self.parts();
        match dimension {
            Dimension::SrcHost | Dimension::DstHost | Dimension::Exporter => first.to_string(),
            Dimension::Pair => format!("{first} > {second}"),
            Dimension::SrcAs | Dimension::DstAs => format!("AS{detail}"),
            Dimension::SrcPrefix | Dimension::DstPrefix => prefixes::text(first, detail),
            Dimension::Port => match detail >> 16 {
                6 => format!("tcp/{}", detail & 0xffff),
                17 => format!("udp/{}", detail & 0xffff),
                132 => format!("sctp/{}", detail & 0xffff),
                other => format!("{other}/{}", detail & 0xffff),
            },
            Dimension::Protocol | Dimension::Tenant => detail.to_string(),
            Dimension::Country => detail.to_be_bytes()[2..].iter().map(|b| *b as char).collect(),
            Dimension::Interface => {
                let way = if self.second == 0 { "in" } else { "out" };
                format!("{first} {detail} {way}")
            }
            Dimension::Target => {
                let mut out = first.to_string();
                let (class, fate) = self.target();
                let _ = write!(out, " {} {fate}", class.name());
                out
            }
        }
    }

    /// Class and fate of a target.
    pub(crate) fn target(&self) -> (Class, &'static str) {
        let class = Class::ALL[(self.detail & 0xff) as usize % Class::ALL.len()];
        (class, FATES[(self.detail >> 8) as usize % FATES.len()])
    }
}

/// An address of 4 or 16 bytes as IPv6; `None` if it is neither, or unspecified.
#[inline]
pub(crate) fn address(bytes: &[u8]) -> Option<u128> {
    let address = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_ipv6_mapped().to_bits(),
        16 => u128::from_be_bytes(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    (address != 0).then_some(address)
}

pub(crate) fn address_of(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).to_canonical()
}

/// A key of a flow, and the text that names it.
#[derive(Clone, Copy)]
pub(crate) struct FlowKey<'a> {
    pub(crate) dimension: Dimension,
    pub(crate) key: Key,
    pub(crate) text: &'a [u8],
}

/// Makes `keys` those of a flow; what a flow does not have it has no key of.
pub(crate) fn put_keys<'a>(view: &FlowView<'a>, keys: &mut Vec<FlowKey<'a>>) {
    keys.clear();
    keys.reserve(KEYS_MAX);
    let mut visit = |dimension, key, text| keys.push(FlowKey { dimension, key, text });
    let (source, destination) = (address(view.src_addr), address(view.dst_addr));
    let exporter = address(view.sampler_address);
    if let Some(source) = source {
        visit(Dimension::SrcHost, Key::of_address(source), b"");
        prefixes::of(source).for_each(|key| visit(Dimension::SrcPrefix, key, b""));
    }
    if let Some(destination) = destination {
        visit(Dimension::DstHost, Key::of_address(destination), b"");
        prefixes::of(destination).for_each(|key| visit(Dimension::DstPrefix, key, b""));
        let detail = Class::of(view) as u32 | fate(view.forwarding_status).0 << 8;
        visit(Dimension::Target, Key { first: destination, second: 0, detail }, b"");
    }
    if let (Some(source), Some(destination)) = (source, destination) {
        visit(Dimension::Pair, Key::of_triple(source, destination, 0), b"");
    }
    if view.src_as != 0 {
        visit(Dimension::SrcAs, Key::of_number(view.src_as), view.src_as_name);
    }
    if view.dst_as != 0 {
        visit(Dimension::DstAs, Key::of_number(view.dst_as), view.dst_as_name);
    }
    if let Some(port) = port(view) {
        visit(Dimension::Port, Key::of_number(view.proto << 16 | port), b"");
    }
    visit(Dimension::Protocol, Key::of_number(view.proto), view.proto_name);
    if let [high, low] = view.remote_country {
        visit(Dimension::Country, Key::of_number(u32::from(*high) << 8 | u32::from(*low)), b"");
    }
    if let Some(exporter) = exporter {
        visit(Dimension::Exporter, Key::of_address(exporter), b"");
        let ways = [(view.in_if, 0, view.src_if_name), (view.out_if, 1, view.dst_if_name)];
        for (index, way, name) in ways.into_iter().filter(|(index, ..)| *index != 0) {
            visit(Dimension::Interface, Key { first: exporter, second: way, detail: index }, name);
        }
    }
    for (cid, _) in tenants(view) {
        visit(Dimension::Tenant, Key::of_number(cid), b"");
    }
}

/// The lower port, where there are ports.
#[inline]
fn port(view: &FlowView<'_>) -> Option<u32> {
    let lower = match (view.src_port, view.dst_port) {
        (0, one) | (one, 0) => one,
        (source, destination) => source.min(destination),
    };
    (matches!(view.proto, 6 | 17 | 33 | 132 | 136) && lower != 0).then_some(lower & 0xffff)
}

/// Customers that a flow is about and which way it goes as they see it: the destination's and the
/// source's, and the one on the local side where it is neither. What a customer sends to himself is
/// one flow of his, incoming.
pub(crate) fn tenants(view: &FlowView<'_>) -> impl Iterator<Item = (u32, Direction)> + use<> {
    let source = if view.src_cid == view.dst_cid { 0 } else { view.src_cid };
    let ends = [(view.dst_cid, Direction::Incoming), (source, Direction::Outgoing)];
    let is_there = view.cid == view.dst_cid || view.cid == view.src_cid;
    let local = (if is_there { 0 } else { view.cid }, Direction::of(view));
    ends.into_iter().chain([local]).filter(|(cid, _)| *cid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(view: &FlowView<'_>) -> Vec<(Dimension, String)> {
        let mut keys = Vec::new();
        put_keys(view, &mut keys);
        let keys = keys.into_iter();
        keys.map(|FlowKey { dimension, key, .. }| (dimension, key.text(dimension))).collect()
    }

    fn of(keys: &[(Dimension, String)], dimension: Dimension) -> Vec<&str> {
        let of = keys.iter().filter(|(one, _)| *one == dimension);
        of.map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn a_flow_has_a_key_in_every_dimension() {
        let view = FlowView {
            src_addr: &[192, 0, 2, 1],
            dst_addr: &[198, 51, 100, 7],
            sampler_address: &[10, 0, 0, 1],
            src_as: 64_496,
            dst_as: 64_497,
            in_if: 3,
            out_if: 4,
            proto: 17,
            src_port: 50_000,
            dst_port: 53,
            forwarding_status: 64,
            remote_country: b"DE",
            src_cid: 7,
            dst_cid: 8,
            ..FlowView::default()
        };
        let keys = keys(&view);
        assert_eq!(of(&keys, Dimension::SrcHost), ["192.0.2.1"]);
        assert_eq!(of(&keys, Dimension::DstHost), ["198.51.100.7"]);
        assert_eq!(of(&keys, Dimension::Pair), ["192.0.2.1 > 198.51.100.7"]);
        assert_eq!(of(&keys, Dimension::SrcAs), ["AS64496"]);
        assert_eq!(of(&keys, Dimension::DstAs), ["AS64497"]);
        let prefixes = ["192.0.2.0/24", "192.0.0.0/16", "192.0.0.0/8"];
        assert_eq!(of(&keys, Dimension::SrcPrefix), prefixes);
        assert_eq!(of(&keys, Dimension::DstPrefix)[0], "198.51.100.0/24");
        assert_eq!(of(&keys, Dimension::Port), ["udp/53"]);
        assert_eq!(of(&keys, Dimension::Protocol), ["17"]);
        assert_eq!(of(&keys, Dimension::Country), ["DE"]);
        assert_eq!(of(&keys, Dimension::Interface), ["10.0.0.1 3 in", "10.0.0.1 4 out"]);
        assert_eq!(of(&keys, Dimension::Tenant), ["8", "7"]);
        assert_eq!(of(&keys, Dimension::Exporter), ["10.0.0.1"]);
        assert_eq!(of(&keys, Dimension::Target), ["198.51.100.7 udp forwarded"]);
        let dimensions = Dimension::ALL.iter().enumerate();
        assert!(dimensions.clone().all(|(number, one)| *one as usize == number));
        assert!(Dimension::ALL.iter().all(|one| !of(&keys, *one).is_empty()));
    }

    #[test]
    fn what_a_flow_does_not_have_has_no_key() {
        let keys = keys(&FlowView { proto: 1, src_port: 5, ..FlowView::default() });
        assert_eq!(keys, [(Dimension::Protocol, "1".to_string())]);
    }

    #[test]
    fn a_customer_on_the_local_side_counts_once() {
        let of = |view: FlowView<'_>| tenants(&view).collect::<Vec<_>>();
        let local = FlowView { cid: 5, flow_direction: 1, ..FlowView::default() };
        assert_eq!(of(local), [(5, Direction::Outgoing)]);
        let same = FlowView { src_cid: 5, ..local };
        assert_eq!(of(same), [(5, Direction::Outgoing)], "and not twice");
        let other = FlowView { src_cid: 6, ..local };
        assert_eq!(of(other), [(6, Direction::Outgoing), (5, Direction::Outgoing)]);
    }

    #[test]
    fn what_a_customer_sends_to_himself_counts_once() {
        let of = |view: FlowView<'_>| tenants(&view).collect::<Vec<_>>();
        let own = FlowView { src_cid: 5, dst_cid: 5, ..FlowView::default() };
        assert_eq!(of(own), [(5, Direction::Incoming)]);
        assert_eq!(of(FlowView { cid: 5, flow_direction: 1, ..own }), [(5, Direction::Incoming)]);
        assert_eq!(of(FlowView::default()), [], "nobody's");
    }
}
