//! The header dissector: the first bytes of a sampled packet in, fields of a row out.
//!
//! sFlow's raw headers (protocols 1, 11, 12) and the sampled packets inside IPFIX records (IEs 104, 313, 314, 315) come
//! through [`dissect`]. It works in two steps that know nothing of each other: [`Headers::read`] finds where the headers
//! lie (link, network, transport; no field is looked at that does not lead further), [`Headers::write`] stores what
//! they say. So a tunnel costs nothing but another look, and a row never mixes two packets.
//!
//! Deliberately absent: reassembly, checksums, payload, and any memory between two packets. "A cut header yields what
//! was there": nothing here fails. One compare per read, and every loop shrinks its slice, so no input hangs it.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(test)]
pub(crate) mod layers;
mod link;
mod network;
#[cfg(test)]
pub(crate) mod properties;
#[cfg(test)]
mod tests;
mod transport;
mod tunnel;
#[cfg(any(test, fuzzing))]
pub(crate) mod twin;

use neckar_proto::{Field, Flow, Presence};

use link::Tags;
use network::Network;

/// What the bytes start with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// An Ethernet header without preamble.
    Ethernet,
    /// An IPv4 header.
    Ipv4,
    /// An IPv6 header.
    Ipv6,
    /// An IPv4 or IPv6 header: its first nibble tells.
    Ip,
    /// An MPLS label stack.
    Mpls,
}

/// Stores in `row` what the packet that starts with `bytes` says, and returns how long its (outermost) IP header says
/// it is, header included: absent if there is none or it says 0, as packets do that a network card has yet to segment.
///
/// * Fields found replace what `row` had; fields not found are left as they are. [`FIELDS`] are those it may touch:
///   link, network and transport, never Bytes, Packets, times or interfaces, which the caller knows better.
/// * A caller with rules of its own about what replaces what ("zero never replaces non-zero", element order) dissects
///   into a row that it [`restart`](Flow::restart)ed empty and merges from there.
/// * `decapsulate`: "GRE, IPIP, 6in4, VXLAN: outer fields by default; `decapsulate = true` takes the inner ones", of
///   the innermost packet with a whole IP header. Where there is none the outer fields stand.
/// * `bytes` end where the sample ends; padding is the caller's to cut off.
#[inline]
pub(crate) fn dissect(link: Link, bytes: &[u8], decapsulate: bool, row: &mut Flow) -> Option<u64> {
    let mut headers = Headers::read(link, bytes, decapsulate);
    let ip_bytes = headers.network.total_bytes();
    if decapsulate {
        while let Some(inner) = tunnel::inner(&headers) {
            headers = inner;
        }
    }
    headers.write(row);
    ip_bytes
}

/// Every field that [`dissect`] may set.
pub(crate) const FIELDS: Presence = fields(&[
    Field::SrcMac,
    Field::DstMac,
    Field::VlanId,
    Field::OuterVlanId,
    Field::Etype,
    Field::HasMPLS,
    Field::MPLSCount,
    Field::MPLS1Label,
    Field::MPLS1TTL,
    Field::MPLS2Label,
    Field::MPLS2TTL,
    Field::MPLS3Label,
    Field::MPLS3TTL,
    Field::MPLSLastLabel,
    Field::MPLSLastTTL,
    Field::SrcAddr,
    Field::DstAddr,
    Field::Proto,
    Field::IPTos,
    Field::IPTTL,
    Field::FragmentId,
    Field::FragmentOffset,
    Field::IPv6FlowLabel,
    Field::SrcPort,
    Field::DstPort,
    Field::TCPFlags,
    Field::IcmpType,
    Field::IcmpCode,
]);

const fn fields(fields: &[Field]) -> Presence {
    let mut set = Presence { words: 0, addresses: 0, texts: 0 };
    let mut at = 0;
    while at < fields.len() {
        set.insert(fields[at]);
        at += 1;
    }
    set
}

/// Where the headers of one packet lie.
#[derive(Clone, Copy, Debug)]
struct Headers<'b> {
    /// Destination, then source address of the link; shorter if cut, empty if there is none.
    macs: &'b [u8],
    tags: Tags,
    /// MPLS label stack entries, outermost first.
    labels: &'b [u8],
    /// What follows tags and labels; 0 if nothing says so.
    etype: u16,
    network: Network<'b>,
    /// Upper-layer protocol, behind all extension headers.
    proto: Option<u8>,
    /// What follows the network headers; empty in a fragment other than the first.
    transport: &'b [u8],
}

impl<'b> Headers<'b> {
    const NONE: Self = Self {
        macs: &[],
        tags: Tags::NONE,
        labels: &[],
        etype: 0,
        network: Network::None,
        proto: None,
        transport: &[],
    };

    #[inline]
    fn read(link: Link, bytes: &'b [u8], decapsulate: bool) -> Self {
        let mut headers = Self::NONE;
        match link {
            Link::Ethernet => headers.read_ethernet(bytes, decapsulate),
            Link::Ipv4 => headers.read_network(link::ETYPE_IPV4, bytes),
            Link::Ipv6 => headers.read_network(link::ETYPE_IPV6, bytes),
            Link::Ip => headers.read_ip(bytes),
            Link::Mpls => headers.read_labels(link::ETYPE_MPLS, bytes, decapsulate),
        }
        headers
    }

    /// Stores what the headers say.
    #[inline]
    fn write(&self, row: &mut Flow) {
        let mut out = Out { present: *row.presence(), row };
        link::write(self, &mut out);
        network::write(self, &mut out);
        transport::write(self, &mut out);
        let Out { present, row } = out;
        row.restart(present);
    }
}

/// A row that gains fields. They are marked present together at the end, which costs one store instead of one each.
struct Out<'r> {
    row: &'r mut Flow,
    present: Presence,
}

impl Out<'_> {
    #[inline(always)]
    fn put(&mut self, field: Field, value: u64) {
        self.present.insert(field);
        self.row.store_word(field, value);
    }

    #[inline(always)]
    fn put_v4(&mut self, field: Field, address: [u8; 4]) {
        self.present.insert(field);
        self.row.store_v4(field, address);
    }

    #[inline(always)]
    fn put_v6(&mut self, field: Field, address: [u8; 16]) {
        self.present.insert(field);
        self.row.store_v6(field, address);
    }
}
