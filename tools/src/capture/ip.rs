//! From an IP packet to the UDP datagram in it, or to the fragment that it is.
//!
//! Lengths in headers are believed only as far as the capture goes: a frame cut by the snapshot
//! length gives what there is of the payload, and padding behind the packet is left out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::{array_at, rest, u8_at, u16_at, u32_at};

/// IP protocol number of UDP.
const UDP: u8 = 17;
const UDP_HEADER_BYTES: usize = 8;
/// Extension headers in front of a transport header (RFC 8200 has seven kinds, each at most once or
/// twice).
const EXTENSIONS_MAX: usize = 16;

/// What an IP packet holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ip<'a> {
    /// A whole packet: what follows the IP header, starting with a header of kind `next`.
    Whole { ends: Ends, next: u8, bytes: &'a [u8] },
    /// A piece of one.
    Fragment { key: FragmentKey, piece: Piece<'a> },
}

/// Source and destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
}

/// What fragments of one packet have in common: "the same Source Address, Destination Address, and
/// Fragment Identification" (RFC 8200, 4.5), in IPv4 the protocol too (RFC 791, 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FragmentKey {
    pub(super) ends: Ends,
    pub(super) id: u32,
    /// Kind of the first header in the payload.
    pub(super) next: u8,
}

/// One fragment's place in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Offset in bytes, a multiple of 8, at most 65,528.
    pub(super) offset: usize,
    /// Are there fragments behind it?
    pub(super) more: bool,
    /// Did the capture cut it?
    pub(super) cut: bool,
    pub(super) bytes: &'a [u8],
}

/// A UDP header's ports, with the payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Udp<'a> {
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) payload: &'a [u8],
    /// Did the capture hold less than the header says?
    pub(super) cut: bool,
}

/// Reads the IP header; `None` if it is malformed.
pub(super) fn parse(packet: &[u8]) -> Option<Ip<'_>> {
    match u8_at(packet, 0)? >> 4 {
        4 => parse_v4(packet),
        6 => parse_v6(packet),
        _ => None,
    }
}

fn parse_v4(packet: &[u8]) -> Option<Ip<'_>> {
    let header = usize::from(u8_at(packet, 0)? & 0x0f) * 4;
    let total = usize::from(u16_at(packet, 2)?);
    if header < 20 {
        return None;
    }
    // 0: the network card was to cut the packet up (segmentation offload), so it ends where the
    // frame ends.
    let said = if total == 0 { packet.len() } else { total };
    let bytes = packet.get(header..said.min(packet.len()))?;
    let ends = Ends {
        source: Ipv4Addr::from(array_at::<4>(packet, 12)?).into(),
        destination: Ipv4Addr::from(array_at::<4>(packet, 16)?).into(),
    };
    let next = u8_at(packet, 9)?;
    let flags = u16_at(packet, 6)?;
    let (more, offset) = (flags & 0x2000 != 0, usize::from(flags & 0x1fff) * 8);
    if !more && offset == 0 {
        return Some(Ip::Whole { ends, next, bytes });
    }
    let id = u32::from(u16_at(packet, 4)?);
    let cut = said > packet.len();
    Some(Ip::Fragment {
        key: FragmentKey { ends, id, next },
        piece: Piece { offset, more, cut, bytes },
    })
}

fn parse_v6(packet: &[u8]) -> Option<Ip<'_>> {
    const HEADER: usize = 40;
    const FRAGMENT: u8 = 44;
    let said = usize::from(u16_at(packet, 4)?);
    let ends = Ends {
        source: Ipv6Addr::from(array_at::<16>(packet, 8)?).into(),
        destination: Ipv6Addr::from(array_at::<16>(packet, 24)?).into(),
    };
    // 0: a jumbogram or segmentation offload; the packet ends where the frame ends.
    let end = if said == 0 { packet.len() } else { (HEADER + said).min(packet.len()) };
    let cut = said != 0 && HEADER + said > packet.len();
    let (next, bytes) = skip_extensions(u8_at(packet, 6)?, packet.get(HEADER..end)?)?;
    if next != FRAGMENT {
        return Some(Ip::Whole { ends, next, bytes });
    }
    let place = u16_at(bytes, 2)?;
    let piece = Piece {
        offset: usize::from(place & 0xfff8),
        more: place & 1 == 1,
        cut,
        bytes: rest(bytes, 8)?,
    };
    let next = u8_at(bytes, 0)?;
    if piece.offset == 0 && !piece.more {
        // An atomic fragment is a whole packet (RFC 6946).
        return Some(Ip::Whole { ends, next, bytes: piece.bytes });
    }
    Some(Ip::Fragment { key: FragmentKey { ends, id: u32_at(bytes, 4)?, next }, piece })
}

/// The first header that is not hop-by-hop, routing, destination options, authentication or
/// mobility.
fn skip_extensions(mut next: u8, mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    for _ in 0..EXTENSIONS_MAX {
        let units = match next {
            0 | 43 | 60 | 135 => (usize::from(u8_at(bytes, 1)?) + 1) * 8,
            // "Payload Len: the length of this header in 32-bit words, minus 2" (RFC 4302, 2.2).
            51 => (usize::from(u8_at(bytes, 1)?) + 2) * 4,
            _ => return Some((next, bytes)),
        };
        next = u8_at(bytes, 0)?;
        bytes = rest(bytes, units)?;
    }
    None
}

/// The UDP datagram in what follows an IP header (of a whole packet); `None` if it is something
/// else.
pub(super) fn udp(next: u8, bytes: &[u8]) -> Option<Udp<'_>> {
    let (next, bytes) = skip_extensions(next, bytes)?;
    if next != UDP {
        return None;
    }
    let said = usize::from(u16_at(bytes, 4)?);
    // 0: "the UDP Length field is set to zero" in jumbograms (RFC 2675, 4) and by segmentation
    // offload.
    let end = match said {
        0 => bytes.len(),
        1..UDP_HEADER_BYTES => return None,
        _ => said.min(bytes.len()),
    };
    Some(Udp {
        source_port: u16_at(bytes, 0)?,
        destination_port: u16_at(bytes, 2)?,
        payload: bytes.get(UDP_HEADER_BYTES..end)?,
        cut: said > bytes.len(),
    })
}
