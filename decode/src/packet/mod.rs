//! The header dissector: the first bytes of a sampled packet in, fields of a row out.
//!
//! sFlow's raw headers (protocols 1, 11, 12) and the sampled packets inside IPFIX records (IEs 104,
//! 313, 314, 315) come through [`dissect`]. It works in two steps: [`Frame::read`] and
//! [`Packet::read`] find where the headers lie (no field is looked at that does not lead further),
//! then what they say is stored. So a tunnel costs nothing but another look, and a row never mixes
//! two packets. What is rare (MPLS, LLC, extension headers, headers that are cut) is out of
//! line and returns the same plain values, which keeps them in registers where it is not.
//!
//! Deliberately absent: reassembly, checksums, payload, and any memory between two packets. "A cut
//! header yields what was there": nothing here fails. One compare per read, and every loop shrinks
//! its slice, so no input hangs it.

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

use link::Frame;
use network::Packet;

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

/// Stores in `row` what the packet that starts with `bytes` says, and returns how long its
/// (outermost) IP header says it is, header included: absent if there is none or it says 0, as
/// packets do that a network card has yet to segment.
///
/// * Fields found replace what `row` had; fields not found are left as they are. [`FIELDS`] are
///   those it may touch: link, network and transport, never Bytes, Packets, times or interfaces,
///   which the caller knows better.
/// * A caller with rules of its own about what replaces what ("zero never replaces non-zero",
///   element order) dissects into a row that it [`restart`](Flow::restart)ed empty and merges from
///   there.
/// * `decapsulate`: "GRE, IPIP, 6in4, VXLAN: outer fields by default; `decapsulate = true` takes
///   the inner ones", of the innermost packet with a whole IP header. Where there is none the outer
///   fields stand.
/// * `bytes` end where the sample ends; padding is the caller's to cut off.
pub(crate) fn dissect(link: Link, bytes: &[u8], decapsulate: bool, row: &mut Flow) -> Option<u64> {
    let (said, total_bytes) = store(link, bytes, decapsulate, row);
    row.restart(row.presence().union(said));
    total_bytes
}

/// [`dissect`] for a caller that fills more of the row at once: what was stored is for the caller
/// to mark present.
#[inline(always)]
pub(crate) fn store(
    link: Link,
    bytes: &[u8],
    decapsulate: bool,
    row: &mut Flow,
) -> (Presence, Option<u64>) {
    let frame = Frame::read(link, bytes, decapsulate);
    let packet = Packet::read(frame.etype, frame.carried);
    let total_bytes = packet.network.total_bytes();
    let inner = if decapsulate { tunnel::innermost(&frame, &packet) } else { None };
    let (frame, packet) = inner.unwrap_or((frame, packet));
    let said = frame.write(row).union(packet.write(row)).union(transport::write(&packet, row));
    (said, total_bytes)
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

/// The fields of a list as a set.
const fn fields(fields: &[Field]) -> Presence {
    let mut set = Presence { words: 0, addresses: 0, texts: 0 };
    let mut at = 0;
    while at < fields.len() {
        set.insert(fields[at]);
        at += 1;
    }
    set
}
