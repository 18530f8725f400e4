//! IPv4 and IPv6 with their extension headers.

use neckar_proto::{Field, Flow, Presence};

use super::fields;
use super::link::{ETYPE_IPV4, ETYPE_IPV6};

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

/// An IP packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'b> {
    pub(super) network: Network<'b>,
    /// Upper-layer protocol, behind all extension headers.
    pub(super) proto: Option<u8>,
    /// What follows the headers; empty in a fragment other than the first.
    pub(super) transport: &'b [u8],
}

impl<'b> Packet<'b> {
    /// The packet behind an EtherType. A header whose own version says otherwise is none.
    #[inline(always)]
    pub(super) fn read(etype: u16, bytes: &'b [u8]) -> Self {
        match (etype, bytes.first().map(|first| first >> 4)) {
            (ETYPE_IPV4, Some(4)) => Self::read_ipv4(bytes),
            (ETYPE_IPV6, Some(6)) => Self::read_ipv6(bytes),
            _ => Self { network: Network::None, proto: None, transport: &[] },
        }
    }

    #[inline(always)]
    fn read_ipv4(bytes: &'b [u8]) -> Self {
        let Some((header, rest)) = bytes.split_first_chunk::<IPV4_BYTES>() else {
            let proto = bytes.get(9).copied();
            return Self { network: Network::CutV4(bytes), proto, transport: &[] };
        };
        // "IPv4 with IHL honoured": options stand between the addresses and what the packet
        // carries. A length shorter than the header itself says nothing about where that
        // begins. "No ports from a non-first fragment."
        let transport = match (usize::from(header[0] & 0x0f) * 4).checked_sub(IPV4_BYTES) {
            Some(options) if offset_v4(header) == 0 => rest.get(options..).unwrap_or_default(),
            _ => &[],
        };
        Self { network: Network::V4(header), proto: Some(header[9]), transport }
    }

    #[inline(always)]
    fn read_ipv6(bytes: &'b [u8]) -> Self {
        let Some((header, rest)) = bytes.split_first_chunk::<IPV6_BYTES>() else {
            let proto = bytes.get(6).copied();
            return Self { network: Network::CutV6(bytes), proto, transport: &[] };
        };
        if is_extension(header[6]) {
            return Self::read_extensions(header, rest);
        }
        Self { network: Network::V6(header, None), proto: Some(header[6]), transport: rest }
    }

    /// "IPv6 with hop-by-hop, routing, fragment and destination headers", and authentication
    /// headers.
    #[cold]
    fn read_extensions(header: &'b [u8; IPV6_BYTES], mut rest: &'b [u8]) -> Self {
        let mut next = header[6];
        let mut fragment = None;
        while is_extension(next)
            && let Some([following, length]) = rest.first_chunk::<2>()
        {
            let length = usize::from(*length);
            let bytes = match next {
                FRAGMENT => 8,
                AUTHENTICATION => (length + 2) * 4,
                _ => (length + 1) * 8,
            };
            if next == FRAGMENT
                && let Some(header) = rest.first_chunk::<8>()
            {
                fragment = Some(header);
                // "No ports from a non-first fragment", nor the headers between.
                if offset_v6(header) != 0 {
                    next = *following;
                    rest = &[];
                    break;
                }
            }
            next = *following;
            rest = rest.get(bytes..).unwrap_or_default();
        }
        Self { network: Network::V6(header, fragment), proto: Some(next), transport: rest }
    }

    /// Stores what the headers say; the caller marks it present.
    #[inline(always)]
    pub(super) fn write(&self, row: &mut Flow) -> Presence {
        let mut said = match self.network {
            Network::V4(header) => write_ipv4(header, row),
            Network::V6(header, fragment) => write_ipv6(header, fragment, row),
            Network::None => Presence::default(),
            Network::CutV4(bytes) => write_cut_ipv4(bytes, row),
            Network::CutV6(bytes) => write_cut_ipv6(bytes, row),
        };
        if let Some(proto) = self.proto {
            row.store_word(Field::Proto, u64::from(proto));
            said.insert(Field::Proto);
        }
        said
    }
}

const fn is_extension(next: u8) -> bool {
    matches!(next, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION)
}

/// "88 (13 bits)", "flags are not ORed into the offset".
#[inline(always)]
fn offset_v4(header: &[u8; IPV4_BYTES]) -> u16 {
    u16::from_be_bytes([header[6], header[7]]) & 0x1fff
}

/// In units of eight bytes, as in IPv4 (RFC 8200 section 4.5).
fn offset_v6(header: &[u8; 8]) -> u16 {
    u16::from_be_bytes([header[2], header[3]]) >> 3
}

#[inline(always)]
fn write_ipv4(header: &[u8; IPV4_BYTES], row: &mut Flow) -> Presence {
    const SAID: Presence = fields(&[
        Field::IPTos,
        Field::FragmentId,
        Field::FragmentOffset,
        Field::IPTTL,
        Field::SrcAddr,
        Field::DstAddr,
    ]);
    let [_, tos, _, _, id @ .., _, _, ttl, _, _, _, a, b, c, d, e, f, g, h] = *header;
    row.store_word(Field::IPTos, u64::from(tos));
    row.store_word(Field::FragmentId, u64::from(u16::from_be_bytes(id)));
    row.store_word(Field::FragmentOffset, u64::from(offset_v4(header)));
    row.store_word(Field::IPTTL, u64::from(ttl));
    row.store_v4(Field::SrcAddr, [a, b, c, d]);
    row.store_v4(Field::DstAddr, [e, f, g, h]);
    SAID
}

#[inline(always)]
fn write_ipv6(header: &[u8; IPV6_BYTES], fragment: Option<&[u8; 8]>, row: &mut Flow) -> Presence {
    const SAID: Presence =
        fields(&[Field::IPTos, Field::IPv6FlowLabel, Field::IPTTL, Field::SrcAddr, Field::DstAddr]);
    const FRAGMENT: Presence = fields(&[Field::FragmentId, Field::FragmentOffset]);
    let [a, b, c, d, ..] = *header;
    let word = u32::from_be_bytes([a, b, c, d]);
    row.store_word(Field::IPTos, u64::from(word >> 20 & 0xff));
    row.store_word(Field::IPv6FlowLabel, u64::from(word & 0xf_ffff));
    row.store_word(Field::IPTTL, u64::from(header[7]));
    if let [source, destination] = *header[8..].as_chunks().0 {
        row.store_v6(Field::SrcAddr, source);
        row.store_v6(Field::DstAddr, destination);
    }
    let Some(fragment) = fragment else { return SAID };
    let [_, _, _, _, id @ ..] = *fragment;
    row.store_word(Field::FragmentId, u64::from(u32::from_be_bytes(id)));
    row.store_word(Field::FragmentOffset, u64::from(offset_v6(fragment)));
    SAID.union(FRAGMENT)
}

/// Of a cut header, the fields that are whole.
#[cold]
fn write_cut_ipv4(bytes: &[u8], row: &mut Flow) -> Presence {
    let mut said = Presence::default();
    let mut put = |field, value: u64| {
        row.store_word(field, value);
        said.insert(field);
    };
    if let [_, tos, ..] = bytes {
        put(Field::IPTos, u64::from(*tos));
    }
    if let [_, _, _, _, high, low, ..] = bytes {
        put(Field::FragmentId, u64::from(u16::from_be_bytes([*high, *low])));
    }
    if let [_, _, _, _, _, _, high, low, ..] = bytes {
        put(Field::FragmentOffset, u64::from(u16::from_be_bytes([*high, *low]) & 0x1fff));
    }
    if let Some(ttl) = bytes.get(8) {
        put(Field::IPTTL, u64::from(*ttl));
    }
    if let Some(source) = bytes.get(12..).and_then(<[u8]>::first_chunk) {
        row.store_v4(Field::SrcAddr, *source);
        said.insert(Field::SrcAddr);
    }
    said
}

/// Of a cut header, the fields that are whole.
#[cold]
fn write_cut_ipv6(bytes: &[u8], row: &mut Flow) -> Presence {
    let mut said = Presence::default();
    let mut put = |field, value: u64| {
        row.store_word(field, value);
        said.insert(field);
    };
    if let [high, low, ..] = bytes {
        put(Field::IPTos, u64::from(u16::from_be_bytes([*high, *low]) >> 4 & 0xff));
    }
    if let [_, a, b, c, ..] = bytes {
        let label = u32::from_be_bytes([0, *a, *b, *c]) & 0xf_ffff;
        put(Field::IPv6FlowLabel, u64::from(label));
    }
    if let Some(hops) = bytes.get(7) {
        put(Field::IPTTL, u64::from(*hops));
    }
    if let Some(source) = bytes.get(8..).and_then(<[u8]>::first_chunk) {
        row.store_v6(Field::SrcAddr, *source);
        said.insert(Field::SrcAddr);
    }
    said
}
