//! IPv4 and IPv6 with their extension headers.

use neckar_proto::Field;

use super::link::{ETYPE_IPV4, ETYPE_IPV6};
use super::{Headers, Out};

const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
/// IPv6 extension headers (RFC 8200 section 4.1), which are protocol numbers too.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// The IP header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Network<'b> {
    None,
    V4(&'b [u8; IPV4_BYTES]),
    V6(&'b [u8; IPV6_BYTES], Option<&'b [u8; 8]>),
    /// The beginning of an IPv4 header.
    CutV4(&'b [u8]),
    /// The beginning of an IPv6 header.
    CutV6(&'b [u8]),
}

impl Network<'_> {
    pub(super) const fn is_some(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Are the addresses there?
    pub(super) const fn is_whole(&self) -> bool {
        matches!(self, Self::V4(_) | Self::V6(..))
    }

    /// How long the packet is, header included, as far as the header says.
    #[inline]
    pub(super) fn total_bytes(&self) -> Option<u64> {
        let (header, length_at, more): (&[u8], _, _) = match self {
            Self::V4(header) => (*header, 2, 0),
            Self::V6(header, _) => (*header, 4, IPV6_BYTES as u64),
            Self::CutV4(header) => (header, 2, 0),
            Self::CutV6(header) => (header, 4, IPV6_BYTES as u64),
            Self::None => return None,
        };
        let length: &[u8; 2] = header.get(length_at..)?.first_chunk()?;
        match u64::from(u16::from_be_bytes(*length)) {
            0 => None,
            length => Some(length + more),
        }
    }
}

impl<'b> Headers<'b> {
    /// The packet behind an EtherType. A header whose own version says otherwise is none.
    #[inline]
    pub(super) fn read_network(&mut self, etype: u16, bytes: &'b [u8]) {
        self.etype = etype;
        match (etype, bytes.first().map(|first| first >> 4)) {
            (ETYPE_IPV4, Some(4)) => self.read_ipv4(bytes),
            (ETYPE_IPV6, Some(6)) => self.read_ipv6(bytes),
            _ => {}
        }
    }

    /// A packet that says its version itself.
    #[inline]
    pub(super) fn read_ip(&mut self, bytes: &'b [u8]) {
        match bytes.first().map(|first| first >> 4) {
            Some(4) => self.read_network(ETYPE_IPV4, bytes),
            Some(6) => self.read_network(ETYPE_IPV6, bytes),
            _ => {}
        }
    }

    #[inline]
    fn read_ipv4(&mut self, bytes: &'b [u8]) {
        let Some((header, rest)) = bytes.split_first_chunk::<IPV4_BYTES>() else {
            self.network = Network::CutV4(bytes);
            self.proto = bytes.get(9).copied();
            return;
        };
        self.network = Network::V4(header);
        self.proto = Some(header[9]);
        // "IPv4 with IHL honoured": options stand between the addresses and what the packet carries. A length shorter
        // than the header itself says nothing about where that begins.
        let options = (usize::from(header[0] & 0x0f) * 4).checked_sub(IPV4_BYTES);
        // "No ports from a non-first fragment".
        if offset_v4(header[6], header[7]) == 0 {
            self.transport = options.and_then(|options| rest.get(options..)).unwrap_or_default();
        }
    }

    /// "IPv6 with hop-by-hop, routing, fragment and destination headers", and authentication headers.
    #[inline]
    fn read_ipv6(&mut self, bytes: &'b [u8]) {
        let Some((header, mut rest)) = bytes.split_first_chunk::<IPV6_BYTES>() else {
            self.network = Network::CutV6(bytes);
            self.proto = bytes.get(6).copied();
            return;
        };
        let mut next = header[6];
        let mut fragment = None;
        loop {
            let units: fn(u8) -> usize = match next {
                HOP_BY_HOP | ROUTING | DESTINATION => |length| (usize::from(length) + 1) * 8,
                AUTHENTICATION => |length| (usize::from(length) + 2) * 4,
                FRAGMENT => |_| 8,
                _ => break,
            };
            let Some([following, length]) = rest.first_chunk::<2>() else { break };
            let behind = rest.get(units(*length)..).unwrap_or_default();
            if next == FRAGMENT
                && let Some(header) = rest.first_chunk::<8>()
            {
                fragment = Some(header);
                if offset_v6(header) != 0 {
                    next = *following;
                    rest = &[];
                    break;
                }
            }
            next = *following;
            rest = behind;
        }
        self.network = Network::V6(header, fragment);
        self.proto = Some(next);
        self.transport = rest;
    }
}

/// "88 (13 bits)", "flags are not ORed into the offset".
#[inline]
fn offset_v4(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high, low]) & 0x1fff
}

/// In units of eight bytes, as in IPv4 (RFC 8200 section 4.5).
#[inline]
fn offset_v6(header: &[u8; 8]) -> u16 {
    u16::from_be_bytes([header[2], header[3]]) >> 3
}

#[inline]
pub(super) fn write(headers: &Headers<'_>, out: &mut Out<'_>) {
    match headers.network {
        Network::V4(header) => write_ipv4(header, out),
        Network::V6(header, fragment) => write_ipv6(header, fragment, out),
        Network::None => {}
        Network::CutV4(bytes) => write_cut_ipv4(bytes, out),
        Network::CutV6(bytes) => write_cut_ipv6(bytes, out),
    }
    if let Some(proto) = headers.proto {
        out.put(Field::Proto, u64::from(proto));
    }
}

#[inline]
fn write_ipv4(header: &[u8; IPV4_BYTES], out: &mut Out<'_>) {
    let [_, tos, _, _, id @ .., high, low, ttl, _, _, _, a, b, c, d, e, f, g, h] = *header;
    out.put(Field::IPTos, u64::from(tos));
    out.put(Field::FragmentId, u64::from(u16::from_be_bytes(id)));
    out.put(Field::FragmentOffset, u64::from(offset_v4(high, low)));
    out.put(Field::IPTTL, u64::from(ttl));
    out.put_v4(Field::SrcAddr, [a, b, c, d]);
    out.put_v4(Field::DstAddr, [e, f, g, h]);
}

#[inline]
fn write_ipv6(header: &[u8; IPV6_BYTES], fragment: Option<&[u8; 8]>, out: &mut Out<'_>) {
    let [a, b, c, d, ..] = *header;
    let word = u32::from_be_bytes([a, b, c, d]);
    out.put(Field::IPTos, u64::from(word >> 20 & 0xff));
    out.put(Field::IPv6FlowLabel, u64::from(word & 0xf_ffff));
    out.put(Field::IPTTL, u64::from(header[7]));
    let (source, destination) = header[8..].split_at(16);
    if let (Some(source), Some(destination)) = (source.first_chunk(), destination.first_chunk()) {
        out.put_v6(Field::SrcAddr, *source);
        out.put_v6(Field::DstAddr, *destination);
    }
    if let Some(header) = fragment {
        let [_, _, _, _, id @ ..] = *header;
        out.put(Field::FragmentId, u64::from(u32::from_be_bytes(id)));
        out.put(Field::FragmentOffset, u64::from(offset_v6(header)));
    }
}

/// Of a cut header, the fields that are whole.
#[cold]
fn write_cut_ipv4(bytes: &[u8], out: &mut Out<'_>) {
    if let [_, tos, ..] = bytes {
        out.put(Field::IPTos, u64::from(*tos));
    }
    if let [_, _, _, _, high, low, ..] = bytes {
        out.put(Field::FragmentId, u64::from(u16::from_be_bytes([*high, *low])));
    }
    if let [_, _, _, _, _, _, high, low, ..] = bytes {
        out.put(Field::FragmentOffset, u64::from(offset_v4(*high, *low)));
    }
    if let Some(ttl) = bytes.get(8) {
        out.put(Field::IPTTL, u64::from(*ttl));
    }
    if let Some(source) = bytes.get(12..).and_then(<[u8]>::first_chunk) {
        out.put_v4(Field::SrcAddr, *source);
    }
}

/// Of a cut header, the fields that are whole.
#[cold]
fn write_cut_ipv6(bytes: &[u8], out: &mut Out<'_>) {
    if let [high, low, ..] = bytes {
        out.put(Field::IPTos, u64::from(u16::from_be_bytes([*high, *low]) >> 4 & 0xff));
    }
    if let [_, a, b, c, ..] = bytes {
        let label = u32::from_be_bytes([0, *a, *b, *c]) & 0xf_ffff;
        out.put(Field::IPv6FlowLabel, u64::from(label));
    }
    if let Some(hops) = bytes.get(7) {
        out.put(Field::IPTTL, u64::from(*hops));
    }
    if let Some(source) = bytes.get(8..).and_then(<[u8]>::first_chunk) {
        out.put_v6(Field::SrcAddr, *source);
    }
}
