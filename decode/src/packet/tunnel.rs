//! Packets inside packets: GRE, IP in IP, VXLAN, and what segment routing over IPv6 carries.

use super::Link;
use super::link::{ETYPE_IPV4, ETYPE_IPV6, ETYPE_MPLS, Frame};
use super::network::Packet;
use super::transport::UDP;

/// Protocol numbers of packets in packets (RFC 2003, 4213, 2784, 4023, 8986).
const IPV4_INSIDE: u8 = 4;
const IPV6_INSIDE: u8 = 41;
const GRE: u8 = 47;
const MPLS_INSIDE: u8 = 137;
const ETHERNET_INSIDE: u8 = 143;
/// What GRE carries beside IP (RFC 1701, RFC 2637).
const GRE_ETHERNET: u16 = 0x6558;
const GRE_PPP: u16 = 0x880b;
const VXLAN_PORT: u16 = 4789;
const VXLAN_HAS_NETWORK: u8 = 0x08;

/// The innermost packet whose IP header is whole, and the frame it is in; `None` if there is only
/// the outer one.
#[cold]
pub(super) fn innermost<'b>(
    frame: &Frame<'b>,
    packet: &Packet<'b>,
) -> Option<(Frame<'b>, Packet<'b>)> {
    let mut found = inner(frame, packet)?;
    while let Some(deeper) = inner(&found.0, &found.1) {
        found = deeper;
    }
    Some(found)
}

/// The packet that a packet carries. What it has no link of its own for stays the outer packet's:
/// the frame that was sampled carried it.
fn inner<'b>(outer: &Frame<'b>, packet: &Packet<'b>) -> Option<(Frame<'b>, Packet<'b>)> {
    let (link, bytes) = carried(packet.proto?, packet.transport)?;
    let mut frame = Frame::read(link, bytes, true);
    let packet = Packet::read(frame.etype, frame.carried);
    if !packet.network.is_whole() {
        return None;
    }
    if frame.macs.is_empty() {
        (frame.macs, frame.tags) = (outer.macs, outer.tags);
    }
    if frame.labels.is_empty() {
        frame.labels = outer.labels;
    }
    Some((frame, packet))
}

fn carried(proto: u8, bytes: &[u8]) -> Option<(Link, &[u8])> {
    match proto {
        IPV4_INSIDE => Some((Link::Ipv4, bytes)),
        IPV6_INSIDE => Some((Link::Ipv6, bytes)),
        MPLS_INSIDE => Some((Link::Mpls, bytes)),
        ETHERNET_INSIDE => Some((Link::Ethernet, bytes)),
        GRE => gre(bytes),
        UDP => vxlan(bytes),
        _ => None,
    }
}

/// RFC 2784 with key and sequence number (RFC 2890), and version 1 with its acknowledgement (RFC
/// 2637).
fn gre(bytes: &[u8]) -> Option<(Link, &[u8])> {
    const CHECKSUM: u8 = 0x80;
    const ROUTING: u8 = 0x40;
    const KEY: u8 = 0x20;
    const SEQUENCE: u8 = 0x10;
    const ACKNOWLEDGEMENT: u8 = 0x80;
    let ([flags, version, a, b], rest) = bytes.split_first_chunk()?;
    let is_enhanced = match version & 0x07 {
        0 => false,
        1 => true,
        _ => return None,
    };
    // "If the Routing bit is set, … discard" (RFC 2784 section 2.3): nobody knows where the packet
    // begins.
    if flags & ROUTING != 0 {
        return None;
    }
    let words = [CHECKSUM, KEY, SEQUENCE].iter().filter(|bit| flags & **bit != 0).count()
        + usize::from(is_enhanced && version & ACKNOWLEDGEMENT != 0);
    let rest = rest.get(words * 4..)?;
    match u16::from_be_bytes([*a, *b]) {
        ETYPE_IPV4 => Some((Link::Ipv4, rest)),
        ETYPE_IPV6 => Some((Link::Ipv6, rest)),
        ETYPE_MPLS => Some((Link::Mpls, rest)),
        GRE_ETHERNET => Some((Link::Ethernet, rest)),
        GRE_PPP => ppp(rest),
        _ => None,
    }
}

/// PPP (RFC 1661), with address and control (RFC 1662) or without, its protocol compressed to one
/// byte or not.
fn ppp(bytes: &[u8]) -> Option<(Link, &[u8])> {
    let bytes = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    let bytes = bytes.strip_prefix(&[0x00]).unwrap_or(bytes);
    match bytes.split_first()? {
        (0x21, packet) => Some((Link::Ipv4, packet)),
        (0x57, packet) => Some((Link::Ipv6, packet)),
        _ => None,
    }
}

/// RFC 7348 section 5.
fn vxlan(bytes: &[u8]) -> Option<(Link, &[u8])> {
    let ([_, _, a, b, _, _, _, _, flags, ..], frame) = bytes.split_first_chunk::<16>()?;
    let is_vxlan = u16::from_be_bytes([*a, *b]) == VXLAN_PORT && flags & VXLAN_HAS_NETWORK != 0;
    is_vxlan.then_some((Link::Ethernet, frame))
}
