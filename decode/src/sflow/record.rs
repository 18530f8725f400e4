//! Records of a flow sample: what is known about the packet that was sampled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use neckar_proto::{Field, Flow, Presence, Rows, TEXT_BYTES_MAX};

use super::{Address, Reader};
use crate::packet::{self, Link};

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

/// A row that is being filled. What it says is marked present in the end, all at once: changing the
/// marks in memory with every field costs more than the fields.
pub(super) struct Row<'r> {
    pub(super) flow: &'r mut Flow,
    pub(super) said: &'r mut Presence,
}

impl Row<'_> {
    #[inline(always)]
    pub(super) fn set(&mut self, field: Field, value: u64) {
        self.flow.store_word(field, value);
        self.said.insert(field);
    }

    /// "Zero never replaces non-zero."
    #[inline(always)]
    fn merge(&mut self, field: Field, value: u64) {
        if value != 0 || !self.said.contains(field) {
            self.set(field, value);
        }
    }

    #[inline(always)]
    fn set_address(&mut self, field: Field, address: Address) {
        self.flow.store_address(field, address.bytes, address.len);
        self.said.insert(field);
    }
}

/// What the records of one sample say about its packet, the best first: a raw header is stored as
/// it comes, the others wait until all have been seen and then fill in what is absent, so the order
/// of records makes no difference.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    has_header: bool,
    ethernet: Option<SampledEthernet>,
    ip: Option<SampledIp>,
    /// A next hop other than zero has been said, by the router or for want of that by BGP.
    has_hop: bool,
}

/// Adds what a record says to row `index`, which so far says `said`. `None` if it is shorter than
/// its format; then it has said nothing.
#[inline(always)]
pub(super) fn decode(
    format: u32,
    body: &[u8],
    decapsulate: bool,
    sampled: &mut Sampled,
    (rows, index): (&mut Rows, usize),
    said: &mut Presence,
) -> Option<()> {
    let reader = Reader(body);
    let mut row = Row { flow: &mut rows.as_mut_slice()[index], said };
    match format {
        RAW_HEADER => sampled.raw_header(reader, decapsulate, &mut row),
        EXTENDED_SWITCH => switch(reader, &mut row),
        EXTENDED_ROUTER => sampled.router(reader, &mut row),
        EXTENDED_GATEWAY => {
            let mut path = [[0; 4]; PATH_MAX];
            let path_len = sampled.gateway(reader, &mut path, &mut row)?;
            if path_len > 0 {
                said.insert(Field::ASPath);
                rows.set_text(index, Field::ASPath, path[..path_len].as_flattened());
            }
            Some(())
        }
        SAMPLED_ETHERNET | SAMPLED_IPV4 | SAMPLED_IPV6 => sampled.keep(format, reader),
        // "Unknown … records are skipped by length".
        _ => Some(()),
    }
}

impl Sampled {
    #[inline(always)]
    fn raw_header(
        &mut self,
        mut reader: Reader<'_>,
        decapsulate: bool,
        row: &mut Row<'_>,
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
        let (said, _ip_bytes) = packet::store(link, header, decapsulate, row.flow);
        *row.said = row.said.union(said);
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

    #[inline(always)]
    fn router(&mut self, mut reader: Reader<'_>, row: &mut Row<'_>) -> Option<()> {
        let hop = reader.address()?;
        let [source_bits, destination_bits] = reader.words()?;
        // "Zero never replaces non-zero": the BGP next hop of a gateway record in front of this
        // one.
        if !hop.is_nothing() || hop.is_known() && !row.said.contains(Field::NextHop) {
            row.set_address(Field::NextHop, hop);
            self.has_hop |= !hop.is_nothing();
        }
        row.set(Field::SrcNet, u64::from(source_bits));
        row.set(Field::DstNet, u64::from(destination_bits));
        Some(())
    }

    /// Gives how many numbers of the path there are in `path`.
    #[inline(always)]
    fn gateway(
        &mut self,
        mut reader: Reader<'_>,
        path: &mut [[u8; 4]; PATH_MAX],
        row: &mut Row<'_>,
    ) -> Option<usize> {
        let hop = reader.address()?;
        let [own, source, _source_peer, segments] = reader.words()?;
        let (path_len, ends) = read_path(&mut reader, segments, path)?;
        if hop.is_known() {
            row.set_address(Field::BgpNextHop, hop);
            // "NextHop takes the BGP one when it has none of its own".
            if !self.has_hop {
                row.set_address(Field::NextHop, hop);
                self.has_hop = !hop.is_nothing();
            }
        }
        // A source of 0 is in the router's own AS, and so is a destination that no path leads to.
        row.merge(Field::SrcAS, u64::from(if source > 0 { source } else { own }));
        row.merge(Field::DstAS, u64::from(ends.map_or(own, |(_, last)| last)));
        if let Some((first, _)) = ends {
            row.merge(Field::NextHopAS, u64::from(first));
        }
        Some(path_len)
    }

    /// Adds what no header has said. To be called behind the last record, with the row marked.
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

#[inline(always)]
fn switch(mut reader: Reader<'_>, row: &mut Row<'_>) -> Option<()> {
    let [source, _priority, destination, _] = reader.words()?;
    for (field, vlan) in [(Field::SrcVlan, source), (Field::DstVlan, destination)] {
        if vlan != UNKNOWN {
            row.set(field, u64::from(vlan & VLAN_MASK));
        }
    }
    Some(())
}

/// Reads the segments of an AS path, sets and sequences alike: as many of its numbers as `kept` has
/// room for, as the row keeps them. Gives how many those are, and the first and the last number of
/// all.
#[inline(always)]
fn read_path(
    reader: &mut Reader<'_>,
    segments: u32,
    kept: &mut [[u8; 4]; PATH_MAX],
) -> Option<(usize, Option<(u32, u32)>)> {
    let mut count = 0;
    let mut ends = None;
    for _ in 0..segments {
        let [_kind, length] = reader.words()?;
        let (numbers, _) = reader.0.as_chunks::<4>();
        let (numbers, _) = numbers.split_at_checked(length as usize)?;
        reader.0 = &reader.0[numbers.len() * 4..];
        for (slot, number) in kept[count..].iter_mut().zip(numbers) {
            *slot = u32::from_be_bytes(*number).to_le_bytes();
        }
        count = PATH_MAX.min(count + numbers.len());
        if let ([first, ..], [.., last]) = (numbers, numbers) {
            let first = ends.map_or(u32::from_be_bytes(*first), |(first, _)| first);
            ends = Some((first, u32::from_be_bytes(*last)));
        }
    }
    Some((count, ends))
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
