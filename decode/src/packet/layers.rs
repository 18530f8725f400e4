//! Packets for tests, layer by layer: each function is one header, put together with [`stack`].

pub(crate) const DST_MAC: [u8; 6] = [0x02, 0, 0x5e, 0, 0, 0x0b];
pub(crate) const SRC_MAC: [u8; 6] = [0x02, 0, 0x5e, 0, 0, 0x0a];
pub(crate) const V6_SRC: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const V6_DST: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;
pub(crate) const MPLS: u16 = 0x8847;

/// Layers, outermost first.
pub(crate) fn stack<const N: usize>(layers: [Vec<u8>; N]) -> Vec<u8> {
    layers.concat()
}

/// Addresses and what follows.
pub(crate) fn ethernet(etype: u16) -> Vec<u8> {
    [&DST_MAC[..], &SRC_MAC, &etype.to_be_bytes()].concat()
}

/// A tag behind its own EtherType: id with priority, and what follows.
pub(crate) fn tag(control: u16, etype: u16) -> Vec<u8> {
    [control.to_be_bytes(), etype.to_be_bytes()].concat()
}

/// A label stack entry with traffic class 5.
pub(crate) fn label(label: u32, ttl: u8, is_bottom: bool) -> Vec<u8> {
    (label << 12 | 5 << 9 | u32::from(is_bottom) << 8 | u32::from(ttl)).to_be_bytes().to_vec()
}

/// 192.0.2.1 to 198.51.100.2, id 0xabcd, TTL 63, TOS 0x2e, total length 1000.
pub(crate) fn ipv4(proto: u8) -> Vec<u8> {
    ipv4_with(proto, &[], 0)
}

/// The same with options and a fragment word.
pub(crate) fn ipv4_with(proto: u8, options: &[u8], fragment: u16) -> Vec<u8> {
    let mut out = vec![0x45 + (options.len() / 4) as u8, 0x2e, 0x03, 0xe8, 0xab, 0xcd];
    out.extend(fragment.to_be_bytes());
    out.extend([63, proto, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2]);
    out.extend(options);
    out
}

/// 2001:db8::1 to 2001:db8::2, hop limit 61, traffic class 0x2e, flow label 0xabcde, payload length
/// 960.
pub(crate) fn ipv6(next: u8) -> Vec<u8> {
    let mut out = vec![0x62, 0xea, 0xbc, 0xde, 0x03, 0xc0, next, 61];
    out.extend(V6_SRC);
    out.extend(V6_DST);
    out
}

/// An IPv6 extension header of `units` times eight bytes more than eight.
pub(crate) fn extension(next: u8, units: u8) -> Vec<u8> {
    let mut out = vec![next, units];
    out.resize((usize::from(units) + 1) * 8, 0xee);
    out
}

/// An authentication header, which counts its length in another way: 24 bytes.
pub(crate) fn authentication(next: u8) -> Vec<u8> {
    let mut out = vec![next, 4];
    out.resize(24, 0xee);
    out
}

/// An IPv6 fragment header; `offset` in units of eight bytes.
pub(crate) fn fragment(next: u8, offset: u16, id: u32) -> Vec<u8> {
    let mut out = vec![next, 0];
    out.extend((offset << 3 | 1).to_be_bytes());
    out.extend(id.to_be_bytes());
    out
}

/// Port 1234 to 443 with SYN and ACK.
pub(crate) fn tcp() -> Vec<u8> {
    vec![4, 210, 1, 187, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 0, 100, 0, 0, 0, 0]
}

pub(crate) fn udp(source: u16, destination: u16) -> Vec<u8> {
    [source.to_be_bytes(), destination.to_be_bytes(), [0, 100], [0, 0]].concat()
}

pub(crate) fn icmp(kind: u8, code: u8) -> Vec<u8> {
    vec![kind, code, 0, 0, 0, 1, 0, 2]
}

/// GRE with the optional words that `flags` announce.
pub(crate) fn gre(flags: u8, version: u8, etype: u16) -> Vec<u8> {
    let words = (flags & 0xb0).count_ones() + u32::from(version & 0x80 != 0);
    let mut out = vec![flags, version];
    out.extend(etype.to_be_bytes());
    out.resize(4 + words as usize * 4, 0x45);
    out
}

/// VXLAN of network 100.
pub(crate) fn vxlan() -> Vec<u8> {
    vec![8, 0, 0, 0, 0, 0, 100, 0]
}

/// Another packet, to be inside: 10.0.0.1 to 10.0.0.2, TTL 9, id 7.
pub(crate) fn inner_ipv4(proto: u8) -> Vec<u8> {
    vec![0x45, 4, 0, 100, 0, 7, 0, 0, 9, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
}
