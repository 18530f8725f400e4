//! Records of a flow sample: what is known about the packet that was sampled.

use std::net::IpAddr;

use neckar_proto::{Field, Flow, Rows, TEXT_BYTES_MAX};

use super::Reader;
use crate::packet::{Link, dissect};

// Formats of enterprise 0, which is in the upper 20 bits.
const RAW_HEADER: u32 = 1;
const SAMPLED_ETHERNET: u32 = 2;
const SAMPLED_IPV4: u32 = 3;
const SAMPLED_IPV6: u32 = 4;
const EXTENDED_SWITCH: u32 = 1001;
const EXTENDED_ROUTER: u32 = 1002;
const EXTENDED_GATEWAY: u32 = 1003;

const TCP: u32 = 6;
const ETYPE_IPV4: u64 = 0x0800;
const ETYPE_IPV6: u64 = 0x86dd;
/// "Masked to 12 bits".
const VLAN_MASK: u32 = 0x0fff;
/// XDR's way to say that a number is not known.
const UNKNOWN: u32 = u32::MAX;
/// Numbers of an AS path that the row has room for; longer ones do not occur in the Internet's tables.
const PATH_MAX: usize = TEXT_BYTES_MAX / size_of::<u32>();

/// Which record Bytes is from. A later one in this order knows better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Length {
    #[default]
    None,
    /// Of the IP packet.
    Ip,
    /// Of the Ethernet frame.
    Ethernet,
    /// Of the frame that was sampled.
    Frame,
}

impl Length {
    fn store(&mut self, from: Self, bytes: u32, row: &mut Flow) {
        if from > *self {
            *self = from;
            // "Zero never replaces non-zero".
            row.merge(Field::Bytes, u64::from(bytes));
        }
    }
}

/// Adds what a record says to row `index`. `None` if it is shorter than its format; then it has said nothing.
#[inline(always)]
pub(super) fn decode(
    format: u32,
    body: &[u8],
    decapsulate: bool,
    length: &mut Length,
    rows: &mut Rows,
    index: usize,
) -> Option<()> {
    let reader = Reader(body);
    if format == EXTENDED_GATEWAY {
        return gateway(reader, rows, index);
    }
    let row = &mut rows.as_mut_slice()[index];
    match format {
        RAW_HEADER => raw_header(reader, decapsulate, length, row),
        EXTENDED_SWITCH => switch(reader, row),
        EXTENDED_ROUTER => router(reader, row),
        SAMPLED_ETHERNET => sampled_ethernet(reader, length, row),
        SAMPLED_IPV4 => sampled_ipv4(reader, length, row),
        SAMPLED_IPV6 => sampled_ipv6(reader, length, row),
        // "Unknown … records are skipped by length".
        _ => Some(()),
    }
}

#[inline(always)]
fn raw_header(
    mut reader: Reader<'_>,
    decapsulate: bool,
    length: &mut Length,
    row: &mut Flow,
) -> Option<()> {
    let [protocol, frame_bytes, _stripped, header_bytes] = reader.words()?;
    // One sample is one packet: a second header is not asked.
    if *length == Length::Frame {
        return Some(());
    }
    length.store(Length::Frame, frame_bytes, row);
    // What follows the header is XDR padding, no part of the packet.
    let header = reader.0.get(..header_bytes as usize).unwrap_or(reader.0);
    let link = match protocol {
        1 => Link::Ethernet,
        11 => Link::Ipv4,
        12 => Link::Ipv6,
        13 => Link::Mpls,
        _ => return Some(()),
    };
    // The frame's length counts, not the packet's.
    let _ip_bytes = dissect(link, header, decapsulate, row);
    Some(())
}

#[inline]
fn switch(mut reader: Reader<'_>, row: &mut Flow) -> Option<()> {
    let [source, _priority, destination, _] = reader.words()?;
    for (field, vlan) in [(Field::SrcVlan, source), (Field::DstVlan, destination)] {
        if vlan != UNKNOWN {
            row.set(field, u64::from(vlan & VLAN_MASK));
        }
    }
    Some(())
}

#[inline]
fn router(mut reader: Reader<'_>, row: &mut Flow) -> Option<()> {
    let hop = reader.address()?;
    let [source_bits, destination_bits] = reader.words()?;
    // "Zero never replaces non-zero": the BGP next hop of a gateway record in front of this one.
    if let Some(hop) = hop
        && !(hop.is_unspecified() && row.has(Field::NextHop))
    {
        row.set_ip(Field::NextHop, hop);
    }
    row.set(Field::SrcNet, u64::from(source_bits));
    row.set(Field::DstNet, u64::from(destination_bits));
    Some(())
}

/// A route as BGP knows it.
struct Route {
    next_hop: Option<IpAddr>,
    /// Of the router itself.
    own: u32,
    source: u32,
    /// The path as the row keeps it, all segments in order.
    path: [[u8; 4]; PATH_MAX],
    /// Numbers in the path; more than there is room for are counted.
    path_len: usize,
    last: u32,
}

impl Route {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let next_hop = reader.address()?;
        let [own, source, _source_peer, segments] = reader.words()?;
        let path = [[0; 4]; PATH_MAX];
        let mut route = Self { next_hop, own, source, path, path_len: 0, last: 0 };
        for _ in 0..segments {
            // Sets and sequences alike.
            let [_kind, count] = reader.words()?;
            let (numbers, _) = reader.0.as_chunks::<4>();
            let numbers = numbers.get(..count as usize)?;
            for bytes in numbers {
                route.last = u32::from_be_bytes(*bytes);
                if let Some(slot) = route.path.get_mut(route.path_len) {
                    *slot = route.last.to_le_bytes();
                }
                route.path_len += 1;
            }
            reader.0 = &reader.0[numbers.len() * 4..];
        }
        Some(route)
    }

    /// The kept part of the path.
    fn path(&self) -> &[[u8; 4]] {
        &self.path[..self.path_len.min(PATH_MAX)]
    }
}

fn gateway(mut reader: Reader<'_>, rows: &mut Rows, index: usize) -> Option<()> {
    let route = Route::read(&mut reader)?;
    let row = &mut rows.as_mut_slice()[index];
    if let Some(hop) = route.next_hop {
        row.set_ip(Field::BgpNextHop, hop);
        // "NextHop takes the BGP one when it has none of its own".
        if row.ip(Field::NextHop).is_none_or(|own| own.is_unspecified()) {
            row.set_ip(Field::NextHop, hop);
        }
    }
    let is_local = route.path_len == 0;
    let first = route.path().first().map(|first| u32::from_le_bytes(*first));
    let source = if route.source > 0 { route.source } else { route.own };
    let destination = if is_local { route.own } else { route.last };
    for (field, number) in
        [(Field::SrcAS, Some(source)), (Field::DstAS, Some(destination)), (Field::NextHopAS, first)]
    {
        if let Some(number) = number {
            row.merge(field, u64::from(number));
        }
    }
    if !is_local {
        rows.set_text(index, Field::ASPath, route.path().as_flattened());
    }
    Some(())
}

/// Sets a word that no raw header has said.
fn fill(row: &mut Flow, field: Field, value: u32) {
    if !row.has(field) {
        row.set(field, u64::from(value));
    }
}

#[cold]
fn sampled_ethernet(mut reader: Reader<'_>, length: &mut Length, row: &mut Flow) -> Option<()> {
    let frame_bytes = reader.word()?;
    // "opaque mac[6]" is padded to eight bytes (RFC 4506 section 4.9); exporters that forget it write 20 bytes in all.
    let pad = if reader.0.len() >= 20 { 2 } else { 0 };
    let mut macs = [0; 2];
    for mac in &mut macs {
        let [a, b, c, d, e, f] = *reader.chunk::<6>()?;
        *mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        reader.0 = reader.0.get(pad..)?;
    }
    let etype = reader.word()?;
    length.store(Length::Ethernet, frame_bytes, row);
    for (field, mac) in [(Field::SrcMac, macs[0]), (Field::DstMac, macs[1])] {
        if !row.has(field) {
            row.set(field, mac);
        }
    }
    fill(row, Field::Etype, etype);
    Some(())
}

/// Addresses are both from the same packet: those of a header that was cut between them give way.
#[cold]
fn sampled_ipv4(mut reader: Reader<'_>, length: &mut Length, row: &mut Flow) -> Option<()> {
    let [ip_bytes, proto] = reader.words()?;
    let (source, destination) = (*reader.chunk()?, *reader.chunk()?);
    let rest: [u32; 4] = reader.words()?;
    length.store(Length::Ip, ip_bytes, row);
    if !row.has(Field::DstAddr) {
        row.set_v4(Field::SrcAddr, source);
        row.set_v4(Field::DstAddr, destination);
        row.set(Field::Etype, ETYPE_IPV4);
    }
    fill_transport(proto, rest, row);
    Some(())
}

#[cold]
fn sampled_ipv6(mut reader: Reader<'_>, length: &mut Length, row: &mut Flow) -> Option<()> {
    let [ip_bytes, proto] = reader.words()?;
    let (source, destination) = (*reader.chunk()?, *reader.chunk()?);
    let rest: [u32; 4] = reader.words()?;
    length.store(Length::Ip, ip_bytes, row);
    if !row.has(Field::DstAddr) {
        row.set_v6(Field::SrcAddr, source);
        row.set_v6(Field::DstAddr, destination);
        row.set(Field::Etype, ETYPE_IPV6);
    }
    fill_transport(proto, rest, row);
    Some(())
}

fn fill_transport(proto: u32, rest: [u32; 4], row: &mut Flow) {
    let [source_port, destination_port, tcp_flags, tos] = rest;
    fill(row, Field::Proto, proto);
    fill(row, Field::IPTos, tos);
    // "No ports from a non-first fragment", whoever has read them there.
    if row.word(Field::FragmentOffset).is_some_and(|offset| offset > 0) {
        return;
    }
    fill(row, Field::SrcPort, source_port);
    fill(row, Field::DstPort, destination_port);
    if proto == TCP {
        fill(row, Field::TCPFlags, tcp_flags);
    }
}
