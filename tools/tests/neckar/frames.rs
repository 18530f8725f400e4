//! Frames and captures written byte by byte: the slow obvious twin of `capture`.

use std::net::{IpAddr, SocketAddr};

pub(crate) const V4: (&str, &str) = ("192.0.2.1:50000", "198.51.100.2:2055");
pub(crate) const V6: (&str, &str) = ("[2001:db8::1]:50000", "[2001:db8::2]:4739");
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;

pub(crate) fn ends(names: (&str, &str)) -> (SocketAddr, SocketAddr) {
    (names.0.parse().unwrap(), names.1.parse().unwrap())
}

fn put16(out: &mut Vec<u8>, value: usize) {
    out.extend(u16::try_from(value).unwrap().to_be_bytes());
}

/// UDP header and payload.
pub(crate) fn udp(names: (&str, &str), payload: &[u8]) -> Vec<u8> {
    let (source, destination) = ends(names);
    let mut out = Vec::new();
    put16(&mut out, source.port().into());
    put16(&mut out, destination.port().into());
    put16(&mut out, payload.len() + 8);
    put16(&mut out, 0);
    out.extend(payload);
    out
}

/// Where a fragment lies in its packet: identification, offset in bytes, more to come.
pub(crate) type Place = (u32, usize, bool);

pub(crate) fn ipv4(names: (&str, &str), place: Place, options: usize, bytes: &[u8]) -> Vec<u8> {
    let (source, destination) = ends(names);
    let header = 20 + options;
    let mut out = vec![0x40 | (header / 4) as u8, 0];
    put16(&mut out, header + bytes.len());
    put16(&mut out, place.0 as usize);
    put16(&mut out, (place.1 / 8) | if place.2 { 0x2000 } else { 0 });
    out.extend([64, 17, 0, 0]);
    for end in [source, destination] {
        let IpAddr::V4(address) = end.ip() else { panic!("not IPv4") };
        out.extend(address.octets());
    }
    out.resize(header, 1);
    out.extend(bytes);
    out
}

/// An IPv6 packet whose first next header is `next`.
pub(crate) fn ipv6(names: (&str, &str), next: u8, bytes: &[u8]) -> Vec<u8> {
    let (source, destination) = ends(names);
    let mut out = vec![0x60, 0, 0, 0];
    put16(&mut out, bytes.len());
    out.extend([next, 64]);
    for end in [source, destination] {
        let IpAddr::V6(address) = end.ip() else { panic!("not IPv6") };
        out.extend(address.octets());
    }
    out.extend(bytes);
    out
}

/// A fragment header (RFC 8200, 4.5) in front of a piece.
pub(crate) fn fragment_header(next: u8, place: Place, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![next, 0];
    put16(&mut out, place.1 | usize::from(place.2));
    out.extend(place.0.to_be_bytes());
    out.extend(bytes);
    out
}

/// A whole IPv4 packet with UDP in it.
pub(crate) fn udp4(payload: &[u8]) -> Vec<u8> {
    ipv4(V4, (7, 0, false), 0, &udp(V4, payload))
}

/// A whole IPv6 packet with UDP in it.
pub(crate) fn udp6(payload: &[u8]) -> Vec<u8> {
    ipv6(V6, 17, &udp(V6, payload))
}

/// An Ethernet frame.
pub(crate) fn ethernet(kind: u16, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    out.extend(kind.to_be_bytes());
    out.extend(bytes);
    out
}

/// Bytes one after another.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// How a pcap file is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) big_endian: bool,
    pub(crate) nanoseconds: bool,
}

pub(crate) const LITTLE: Order = Order { big_endian: false, nanoseconds: false };

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// A pcap file of frames with their times.
pub(crate) fn pcap(order: Order, link: u32, frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let magic = if order.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut out = Vec::from(order.u32(magic));
    out.extend(order.u16(2));
    out.extend(order.u16(4));
    for word in [0, 0, 262_144, link] {
        out.extend(order.u32(word));
    }
    for (time_ns, frame) in frames {
        let fraction = time_ns % 1_000_000_000 / if order.nanoseconds { 1 } else { 1000 };
        let len = frame.len() as u32;
        for word in [(time_ns / 1_000_000_000) as u32, fraction as u32, len, len] {
            out.extend(order.u32(word));
        }
        out.extend(frame);
    }
    out
}

/// A capture of one Ethernet frame per payload, all from [`V4`], a millisecond apart.
pub(crate) fn simple(payloads: &[&[u8]]) -> Vec<u8> {
    let times = (0..).map(|index| TIME_NS + index * 1_000_000);
    let frames: Vec<_> = times.zip(payloads).map(|(t, p)| (t, ethernet(IPV4, &udp4(p)))).collect();
    pcap(LITTLE, 1, &frames)
}

/// When the captures of these tests begin.
pub(crate) const TIME_NS: u64 = 1_700_000_000_123_456_000;

/// A block of a pcapng file.
pub(crate) fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    let len = order.u32(body.len() as u32 + 12);
    join(&[&order.u32(kind), &len, &body, &len])
}

/// A section header.
pub(crate) fn section(order: Order) -> Vec<u8> {
    let mut body = Vec::from(order.u32(0x1a2b_3c4d));
    body.extend(order.u16(1));
    body.extend(order.u16(0));
    body.extend([0xff; 8]);
    block(order, 0x0a0d_0d0a, &body)
}

/// An interface, with its options as code and value.
pub(crate) fn interface(order: Order, link: u16, options: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::from(order.u16(link));
    body.extend(order.u16(0));
    body.extend(order.u32(0));
    for (code, value) in options {
        body.extend(order.u16(*code));
        body.extend(order.u16(value.len() as u16));
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    body.extend([0; 4]);
    block(order, 1, &body)
}

/// An enhanced packet block.
pub(crate) fn enhanced(order: Order, interface: u32, ticks: u64, frame: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let len = frame.len() as u32;
    for word in [interface, (ticks >> 32) as u32, ticks as u32, len, len] {
        body.extend(order.u32(word));
    }
    body.extend(frame);
    block(order, 6, &body)
}

/// A simple packet block.
pub(crate) fn simple_packet(order: Order, frame: &[u8]) -> Vec<u8> {
    block(order, 3, &join(&[&order.u32(frame.len() as u32), frame]))
}
