//! Records of a flow sample: what is known about the packet that was sampled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
/// Numbers of an AS path that the row has room for; longer ones do not occur in the Internet's
/// tables.
const PATH_MAX: usize = TEXT_BYTES_MAX / size_of::<u32>();

/// What the records of one sample say about its packet, the best first: a raw header is stored as
/// it comes, the others wait until all have been seen and then fill in what is absent, so the order
/// of records makes no difference.
#[derive(Debug, Default)]
pub(super) struct Packet {
    has_header: bool,
    ethernet: Option<SampledEthernet>,
    ip: Option<SampledIp>,
}

/// Adds what a record says to row `index`. `None` if it is shorter than its format; then it has
/// said nothing.
#[inline(always)]
pub(super) fn decode(
    format: u32,
    body: &[u8],
    decapsulate: bool,
    packet: &mut Packet,
    rows: &mut Rows,
    index: usize,
) -> Option<()> {
    let reader = Reader(body);
    if format == EXTENDED_GATEWAY {
        return gateway(reader, rows, index);
    }
    let row = &mut rows.as_mut_slice()[index];
    match format {
        RAW_HEADER => packet.raw_header(reader, decapsulate, row),
        EXTENDED_SWITCH => switch(reader, row),
        EXTENDED_ROUTER => router(reader, row),
        SAMPLED_ETHERNET | SAMPLED_IPV4 | SAMPLED_IPV6 => packet.keep(format, reader),
        // "Unknown … records are skipped by length".
        _ => Some(()),
    }
}

impl Packet {
    #[inline(always)]
    fn raw_header(
        &mut self,
        mut reader: Reader<'_>,
        decapsulate: bool,
        row: &mut Flow,
    ) -> Option<()> {
        let [protocol, frame_bytes, _stripped, header_bytes] = reader.words()?;
        // One sample is one packet: a second header is not asked.
        if self.has_header {
            return Some(());
        }
        self.has_header = true;
        row.set(Field::Bytes, u64::from(frame_bytes));
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

    #[cold]
    fn keep(&mut self, format: u32, mut reader: Reader<'_>) -> Option<()> {
        if format == SAMPLED_ETHERNET {
            let read = SampledEthernet::read(&mut reader)?;
            self.ethernet.get_or_insert(read);
        } else {
            let read = SampledIp::read(format, &mut reader)?;
            self.ip.get_or_insert(read);
        }
        Some(())
    }

    /// Adds what no header has said. To be called behind the last record.
    #[inline(always)]
    pub(super) fn fill(&self, row: &mut Flow) {
        if let Some(ethernet) = &self.ethernet {
            ethernet.fill(row);
        }
        if let Some(ip) = &self.ip {
            ip.fill(row);
        }
    }
}

/// Sets Bytes where nothing, or nothing but zero, was said by a record that knows better.
fn fill_bytes(row: &mut Flow, bytes: u32) {
    if row.word_or_zero(Field::Bytes) == 0 {
        row.set(Field::Bytes, u64::from(bytes));
    }
}

/// Sets a word that no record that knows better has said.
fn fill(row: &mut Flow, field: Field, value: u64) {
    if !row.has(field) {
        row.set(field, value);
    }
}

/// Record 2.
#[derive(Debug)]
struct SampledEthernet {
    frame_bytes: u32,
    source: u64,
    destination: u64,
    etype: u32,
}

impl SampledEthernet {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let frame_bytes = reader.word()?;
        // "opaque mac[6]" is padded to eight bytes (RFC 4506 section 4.9); exporters that forget it
        // write 20 in all.
        let pad = if reader.0.len() >= 20 { 2 } else { 0 };
        let mut mac = || {
            let [a, b, c, d, e, f] = *reader.chunk::<6>()?;
            reader.0 = reader.0.get(pad..)?;
            Some(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
        };
        let (source, destination) = (mac()?, mac()?);
        Some(Self { frame_bytes, source, destination, etype: reader.word()? })
    }

    fn fill(&self, row: &mut Flow) {
        fill_bytes(row, self.frame_bytes);
        fill(row, Field::SrcMac, self.source);
        fill(row, Field::DstMac, self.destination);
        fill(row, Field::Etype, u64::from(self.etype));
    }
}

/// Records 3 and 4.
#[derive(Debug)]
struct SampledIp {
    ip_bytes: u32,
    proto: u32,
    source: IpAddr,
    destination: IpAddr,
    source_port: u32,
    destination_port: u32,
    tcp_flags: u32,
    tos: u32,
}

impl SampledIp {
    fn read(format: u32, reader: &mut Reader<'_>) -> Option<Self> {
        let [ip_bytes, proto] = reader.words()?;
        let mut address = || -> Option<IpAddr> {
            Some(match format {
                SAMPLED_IPV4 => Ipv4Addr::from_octets(*reader.chunk()?).into(),
                _ => Ipv6Addr::from_octets(*reader.chunk()?).into(),
            })
        };
        let (source, destination) = (address()?, address()?);
        let [source_port, destination_port, tcp_flags, tos] = reader.words()?;
        Some(Self {
            ip_bytes,
            proto,
            source,
            destination,
            source_port,
            destination_port,
            tcp_flags,
            tos,
        })
    }

    fn fill(&self, row: &mut Flow) {
        fill_bytes(row, self.ip_bytes);
        // Both addresses from one record: the one that a header was cut behind gives way.
        if !row.has(Field::DstAddr) {
            row.set_ip(Field::SrcAddr, self.source);
            row.set_ip(Field::DstAddr, self.destination);
            row.set(Field::Etype, if self.source.is_ipv4() { ETYPE_IPV4 } else { ETYPE_IPV6 });
        }
        fill(row, Field::Proto, u64::from(self.proto));
        fill(row, Field::IPTos, u64::from(self.tos));
        // "No ports from a non-first fragment", whoever has read them there.
        if row.word(Field::FragmentOffset).is_some_and(|offset| offset > 0) {
            return;
        }
        fill(row, Field::SrcPort, u64::from(self.source_port));
        fill(row, Field::DstPort, u64::from(self.destination_port));
        if self.proto == TCP {
            fill(row, Field::TCPFlags, u64::from(self.tcp_flags));
        }
    }
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
