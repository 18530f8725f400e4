//! From a captured frame to the IP packet in it.
//!
//! In: the frame and its link type (the numbers of <https://www.tcpdump.org/linktypes.html>). Out: the bytes from the IP
//! header on, or `None` when there is no IP in the frame. Deliberately absent: link types without
//! UDP (USB, Bluetooth, ...), tunnels above IP, and frames that only macOS writes (PKTAP).

use super::bytes::{rest, u8_at, u16_at, u32_at};

/// Tags and labels in front of an IP header; more of them is no network but an attack on this loop.
const TAGS_MAX: usize = 16;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Is this a link type that we can look into?
pub(super) fn is_known(link: i32) -> bool {
    const KNOWN: [i32; 24] = [
        0, 1, 6, 9, 10, 11, 12, 14, 50, 51, 100, 101, 104, 105, 108, 109, 113, 117, 127, 192, 228,
        229, 239, 276,
    ];
    KNOWN.contains(&link)
}

/// The IP packet in `frame`, header first; `None` if the frame holds something else.
pub(super) fn ip(link: i32, frame: &[u8]) -> Option<&[u8]> {
    match link {
        // NULL and LOOP: an address family whose number differs between systems, so IP's own
        // version decides.
        0 | 108 => raw(rest(frame, 4)?),
        1 => ethertype(u16_at(frame, 12)?, rest(frame, 14)?),
        // Token ring: access and frame control, addresses, then LLC. FDDI the same with one byte
        // less in front.
        6 => llc(rest(frame, 14)?),
        10 => llc(rest(frame, 13)?),
        // ATM with RFC 1483 encapsulation, as two numbers.
        11 | 100 => llc(frame),
        9 | 50 => ppp(frame),
        51 => pppoe(frame),
        12 | 14 | 101 | 228 | 229 => raw(frame),
        // Cisco HDLC: address, control, Ethernet type.
        104 => ethertype(u16_at(frame, 2)?, rest(frame, 4)?),
        105 => wireless(frame),
        // OpenBSD's IPsec and packet filter interfaces.
        109 => raw(rest(frame, 12)?),
        117 => raw(rest(frame, usize::from(u8_at(frame, 0)?).next_multiple_of(4))?),
        // Linux cooked capture, versions 1 and 2.
        113 => ethertype(u16_at(frame, 14)?, rest(frame, 16)?),
        276 => ethertype(u16_at(frame, 0)?, rest(frame, 20)?),
        // Radiotap and PPI put a little-endian length in front of the wireless frame.
        127 => wireless(rest(frame, usize::from(u16_at(frame, 2)?.swap_bytes()))?),
        192 => per_packet_information(frame),
        239 => nflog(frame),
        _ => None,
    }
}

/// What IP's own version says.
fn raw(packet: &[u8]) -> Option<&[u8]> {
    matches!(u8_at(packet, 0)? >> 4, 4 | 6).then_some(packet)
}

/// What follows an Ethernet type, through any stack of VLAN tags and MPLS labels.
fn ethertype(mut kind: u16, mut bytes: &[u8]) -> Option<&[u8]> {
    for _ in 0..TAGS_MAX {
        match kind {
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return raw(bytes),
            // 802.1Q, 802.1ad and what was used before it: tag, then the next type.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                kind = u16_at(bytes, 2)?;
                bytes = rest(bytes, 4)?;
            }
            0x8847 | 0x8848 => return mpls(bytes),
            0x8864 => return pppoe(bytes),
            // "A value of 1536 or more is a type, below it is a length" (IEEE 802.3, 3.2.6); then
            // comes LLC.
            0..=1500 => return llc(bytes),
            _ => return None,
        }
    }
    None
}

/// Labels to the bottom of the stack (RFC 3032, 2.1); below it only a first nibble of 4 or 6 is IP
/// (RFC 4928, 3).
fn mpls(mut bytes: &[u8]) -> Option<&[u8]> {
    const BOTTOM: u32 = 1 << 8;
    for _ in 0..TAGS_MAX {
        let entry = u32_at(bytes, 0)?;
        bytes = rest(bytes, 4)?;
        if entry & BOTTOM != 0 {
            return raw(bytes);
        }
    }
    None
}

/// LLC with SNAP (RFC 1042): an organisation of zero, then an Ethernet type. The type cannot be a
/// length again.
fn llc(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.get(..6)? != [0xaa, 0xaa, 0x03, 0, 0, 0] {
        return None;
    }
    let kind = u16_at(bytes, 6)?;
    if kind <= 1500 { None } else { ethertype(kind, rest(bytes, 8)?) }
}

/// PPP (RFC 1661), with or without the address and control bytes of HDLC framing (RFC 1662).
fn ppp(bytes: &[u8]) -> Option<&[u8]> {
    // 0x0f and 0x8f: Cisco's framing under the same link type.
    match u16_at(bytes, 0)? {
        0xff03 => ppp_protocol(rest(bytes, 2)?),
        0x0f00 | 0x8f00 => ethertype(u16_at(bytes, 2)?, rest(bytes, 4)?),
        _ => ppp_protocol(bytes),
    }
}

fn ppp_protocol(bytes: &[u8]) -> Option<&[u8]> {
    let first = u8_at(bytes, 0)?;
    // An odd first byte is a protocol number compressed to one byte (RFC 1661, 6.5).
    let (protocol, bytes) = if first & 1 == 1 {
        (u16::from(first), rest(bytes, 1)?)
    } else {
        (u16_at(bytes, 0)?, rest(bytes, 2)?)
    };
    match protocol {
        0x0021 | 0x0057 => raw(bytes),
        0x0281 | 0x0283 => mpls(bytes),
        _ => None,
    }
}

/// PPPoE session (RFC 2516): version, type, code, session, length.
fn pppoe(bytes: &[u8]) -> Option<&[u8]> {
    ppp_protocol(rest(bytes, 6)?)
}

/// An 802.11 data frame that is not encrypted: header, then LLC.
fn wireless(frame: &[u8]) -> Option<&[u8]> {
    const KIND: u16 = 0x0c00;
    const DATA: u16 = 0x0800;
    const QOS: u16 = 0x8000;
    const NO_DATA: u16 = 0x4000;
    const TO_FROM_DS: u16 = 0x0003;
    const PROTECTED: u16 = 0x0040;
    const ORDER: u16 = 0x0080;
    let control = u16_at(frame, 0)?;
    if control & KIND != DATA || control & (NO_DATA | PROTECTED) != 0 {
        return None;
    }
    let four_addresses = control & TO_FROM_DS == TO_FROM_DS;
    let qos = control & QOS != 0;
    let high_throughput = qos && control & ORDER != 0;
    let header = 24
        + if four_addresses { 6 } else { 0 }
        + if qos { 2 } else { 0 }
        + if high_throughput { 4 } else { 0 };
    llc(rest(frame, header)?)
}

/// PPI: version, flags, length and the link type of what follows, all little-endian.
fn per_packet_information(frame: &[u8]) -> Option<&[u8]> {
    let header = usize::from(u16_at(frame, 2)?.swap_bytes());
    let inner = u32_at(frame, 4)?.swap_bytes();
    let bytes = rest(frame, header)?;
    match inner {
        1 => ip(1, bytes),
        105 => wireless(bytes),
        _ => None,
    }
}

/// Linux's netfilter log: a header of 4 bytes, then attributes, each with length and type in the
/// byte order of the machine that wrote it. The one that fits decides; attribute 9 is the packet.
fn nflog(frame: &[u8]) -> Option<&[u8]> {
    const PAYLOAD: u16 = 9;
    let mut attributes = rest(frame, 4)?;
    while attributes.len() >= 4 {
        let (mut len, mut kind) = (u16_at(attributes, 0)?, u16_at(attributes, 2)?);
        // Types are small numbers: the order in which this one is small is the right one.
        if kind > 0xff {
            (len, kind) = (len.swap_bytes(), kind.swap_bytes());
        }
        let len = usize::from(len);
        if len < 4 {
            return None;
        }
        if kind == PAYLOAD {
            return raw(attributes.get(4..len.min(attributes.len()))?);
        }
        attributes = rest(attributes, len.next_multiple_of(4))?;
    }
    None
}
