//! The first bytes of an Ethernet frame, as a switch samples it, made of a row.

use neckar_proto::{Field, Flow};

use crate::traffic::{ICMP, ICMPV6, IPV6, TCP, UDP};
use crate::writer::Writer;

/// Bytes of a frame that a sample holds at most.
pub(crate) const SAMPLED_BYTES_MAX: usize = 128;
/// The frame check sequence counts in a frame's length and is never sampled.
pub(crate) const FCS_BYTES: usize = 4;
const ETHERNET_BYTES: usize = 14;
const TAG_BYTES: usize = 4;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const FRAME_BYTES_MIN: usize = 64;
const FRAME_BYTES_MAX: usize = 1518;

/// Bytes in front of the IP header.
fn link_bytes(flow: &Flow) -> usize {
    if flow.has(Field::VlanId) { ETHERNET_BYTES + TAG_BYTES } else { ETHERNET_BYTES }
}

/// The length on the wire of a frame that carries an IP packet of about `ip_bytes`: at least all
/// its headers, at most what Ethernet carries.
pub(crate) fn frame_bytes(flow: &Flow, ip_bytes: u64) -> usize {
    let network_bytes = if is_ipv6(flow) { IPV6_BYTES } else { IPV4_BYTES };
    let transport_bytes = match flow.word_or_zero(Field::Proto) {
        TCP => 20,
        _ => 8,
    };
    let overhead = link_bytes(flow) + FCS_BYTES;
    let bytes = ip_bytes as usize + overhead;
    let least = (network_bytes + transport_bytes + overhead).max(FRAME_BYTES_MIN);
    bytes.clamp(least, FRAME_BYTES_MAX)
}

/// How many bytes of a frame of this length are sampled.
pub(crate) fn sampled_bytes(frame_bytes: usize) -> usize {
    (frame_bytes - FCS_BYTES).min(SAMPLED_BYTES_MAX)
}

/// Where the ports lie, for the protocols that have some.
pub(crate) fn ports_offset(flow: &Flow) -> usize {
    link_bytes(flow) + if is_ipv6(flow) { IPV6_BYTES } else { IPV4_BYTES }
}

/// Writes the sampled bytes of the frame that `flow` describes; `frame_bytes` is its length on the
/// wire.
pub(crate) fn write(flow: &Flow, frame_bytes: usize, out: &mut Writer<'_>) {
    let end = out.len() + sampled_bytes(frame_bytes);
    let mac = |field| flow.word_or_zero(field);
    out.integer(mac(Field::DstMac), 6).integer(mac(Field::SrcMac), 6);
    if let Some(vlan) = flow.word(Field::VlanId) {
        // Priority 3 in front of the id: a reader must mask.
        out.u16(0x8100).u16(3 << 13 | vlan as u16);
    }
    out.u16(flow.word_or_zero(Field::Etype) as u16);
    let ip_bytes = frame_bytes - FCS_BYTES - link_bytes(flow);
    if is_ipv6(flow) {
        write_ipv6(flow, ip_bytes, out);
        write_transport(flow, ip_bytes - IPV6_BYTES, out);
    } else {
        write_ipv4(flow, ip_bytes, out);
        write_transport(flow, ip_bytes - IPV4_BYTES, out);
    }
    // A payload of nothing, to where the sample ends.
    let rest = end - out.len();
    out.bytes(&[0; SAMPLED_BYTES_MAX][..rest]);
}

fn is_ipv6(flow: &Flow) -> bool {
    flow.word_or_zero(Field::Etype) == IPV6
}

fn write_ipv4(flow: &Flow, ip_bytes: usize, out: &mut Writer<'_>) {
    let mut header = [0; IPV4_BYTES];
    let word = |field| flow.word_or_zero(field);
    let mut fields = Writer::new(&mut header);
    fields.u8(0x45).u8(word(Field::IPTos) as u8).u16(ip_bytes as u16);
    fields.u16(word(Field::FragmentId) as u16).u16(0);
    fields.u8(word(Field::IPTTL) as u8).u8(word(Field::Proto) as u8).u16(0);
    fields.bytes(flow.address(Field::SrcAddr).unwrap_or(&[0; 4]));
    fields.bytes(flow.address(Field::DstAddr).unwrap_or(&[0; 4]));
    let checksum = checksum(&header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    out.bytes(&header);
}

/// "The 16-bit one's complement of the one's complement sum of all 16 bit words in the header" (RFC
/// 791, 3.1).
fn checksum(header: &[u8]) -> u16 {
    let words =
        header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let folded = (sum >> 16) + (sum & 0xffff);
    !((folded >> 16) + folded) as u16
}

fn write_ipv6(flow: &Flow, ip_bytes: usize, out: &mut Writer<'_>) {
    let word = |field| flow.word_or_zero(field);
    out.u32((6 << 28 | word(Field::IPTos) << 20 | word(Field::IPv6FlowLabel)) as u32);
    out.u16((ip_bytes - IPV6_BYTES) as u16);
    out.u8(word(Field::Proto) as u8).u8(word(Field::IPTTL) as u8);
    out.bytes(flow.address(Field::SrcAddr).unwrap_or(&[0; 16]));
    out.bytes(flow.address(Field::DstAddr).unwrap_or(&[0; 16]));
}

/// Checksums are left zero: they would cover bytes that the sample does not hold.
fn write_transport(flow: &Flow, bytes: usize, out: &mut Writer<'_>) {
    let word = |field| flow.word_or_zero(field);
    let (src_port, dst_port) = (word(Field::SrcPort) as u16, word(Field::DstPort) as u16);
    match word(Field::Proto) {
        TCP => {
            out.u16(src_port).u16(dst_port).u32(1).u32(1);
            out.u8(5 << 4).u8(word(Field::TCPFlags) as u8).u16(0xffff).u32(0);
        }
        UDP => {
            out.u16(src_port).u16(dst_port).u16(bytes as u16).u16(0);
        }
        ICMP | ICMPV6 => {
            out.u8(word(Field::IcmpType) as u8).u8(word(Field::IcmpCode) as u8).u16(0).u32(0);
        }
        _ => {
            out.u32(0).u32(1);
        }
    }
}
