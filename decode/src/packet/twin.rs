//! The slow obvious twin of the dissector: byte numbers, one optional byte at a time, fields into a
//! map. Written from semantics.md section 6 and the RFCs, sharing nothing with the fast one but the
//! names of fields.

use std::collections::BTreeMap;

use neckar_proto::Field;

use super::Link;

/// What a packet says: numbers big-endian in eight bytes, addresses as they are.
pub(crate) type Said = BTreeMap<&'static str, Vec<u8>>;

#[derive(Clone, Default)]
struct Packet {
    link: Said,
    labels: Said,
    rest: Said,
    /// Both addresses are there.
    whole: bool,
    has_ip: bool,
    carried: Option<(Link, Vec<u8>)>,
}

/// What the fast one should say.
pub(crate) fn dissect(link: Link, bytes: &[u8], decapsulate: bool) -> Said {
    let mut packet = parse(link, bytes, decapsulate);
    while decapsulate && let Some((link, bytes)) = &packet.carried {
        let inner = parse(*link, bytes, true);
        if !inner.whole {
            break;
        }
        let link = if inner.link.is_empty() { packet.link } else { inner.link.clone() };
        let labels = if inner.labels.is_empty() { packet.labels } else { inner.labels.clone() };
        packet = Packet { link, labels, ..inner };
    }
    packet.rest.into_iter().chain(packet.link).chain(packet.labels).collect()
}

pub(crate) fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let mut value = 0;
    for index in at..at + width {
        value = value * 256 + u64::from(*bytes.get(index)?);
    }
    Some(value)
}

pub(crate) fn put(said: &mut Said, field: Field, value: Option<u64>) {
    if let Some(value) = value {
        said.insert(field.name(), value.to_be_bytes().to_vec());
    }
}

fn from(bytes: &[u8], at: usize) -> Vec<u8> {
    bytes.iter().skip(at).copied().collect()
}

fn parse(link: Link, bytes: &[u8], decapsulate: bool) -> Packet {
    let mut packet = Packet::default();
    match link {
        Link::Ethernet => ethernet(bytes, decapsulate, true, &mut packet),
        Link::Ipv4 => ip(0x0800, bytes, &mut packet),
        Link::Ipv6 => ip(0x86dd, bytes, &mut packet),
        Link::Ip => match number(bytes, 0, 1).map(|byte| byte / 16) {
            Some(4) => ip(0x0800, bytes, &mut packet),
            Some(6) => ip(0x86dd, bytes, &mut packet),
            _ => {}
        },
        Link::Mpls => mpls(0x8847, bytes, decapsulate, &mut packet),
    }
    packet
}

fn ethernet(bytes: &[u8], decapsulate: bool, labels_too: bool, packet: &mut Packet) {
    put(&mut packet.link, Field::DstMac, number(bytes, 0, 6));
    put(&mut packet.link, Field::SrcMac, number(bytes, 6, 6));
    let mut at = 12;
    let mut ids = Vec::new();
    let mut etype = number(bytes, at, 2);
    at += 2;
    while let Some(0x8100 | 0x88a8 | 0x9100) = etype {
        let Some(control) = number(bytes, at, 2) else { break };
        ids.push(control % 4096);
        match number(bytes, at + 2, 2) {
            Some(following) => etype = Some(following),
            None => break,
        }
        at += 4;
    }
    put(&mut packet.link, Field::VlanId, ids.last().copied());
    if ids.len() > 1 {
        put(&mut packet.link, Field::OuterVlanId, ids.first().copied());
    }
    if etype.is_some_and(|etype| etype < 0x600) {
        let snap = bytes.get(at..at + 6) == Some(&[0xaa, 0xaa, 3, 0, 0, 0]);
        etype = if snap { number(bytes, at + 6, 2) } else { None };
        at += 8;
        // 802.2 behind 802.2 is nothing; a type of 0 neither.
        etype = etype.filter(|etype| *etype != 0);
    }
    put(&mut packet.rest, Field::Etype, etype);
    match etype {
        Some(etype @ (0x8847 | 0x8848)) if labels_too => {
            mpls(etype, &from(bytes, at), decapsulate, packet);
        }
        Some(etype @ (0x0800 | 0x86dd)) => ip(etype, &from(bytes, at), packet),
        _ => {}
    }
}

fn mpls(etype: u64, bytes: &[u8], decapsulate: bool, packet: &mut Packet) {
    const NAMES: [(Field, Field); 4] = [
        (Field::MPLS1Label, Field::MPLS1TTL),
        (Field::MPLS2Label, Field::MPLS2TTL),
        (Field::MPLS3Label, Field::MPLS3TTL),
        (Field::MPLSLastLabel, Field::MPLSLastTTL),
    ];
    put(&mut packet.rest, Field::Etype, Some(etype));
    let mut depth = 0;
    let mut bottom = false;
    while !bottom && let Some(entry) = number(bytes, depth * 4, 3) {
        let (label, ttl) = NAMES[depth.min(3)];
        packet.labels.remove(ttl.name());
        put(&mut packet.labels, label, Some(entry / 16));
        put(&mut packet.labels, ttl, number(bytes, depth * 4 + 3, 1));
        bottom = entry % 2 == 1 && number(bytes, depth * 4 + 3, 1).is_some();
        depth += 1;
    }
    if depth > 0 {
        put(&mut packet.labels, Field::HasMPLS, Some(1));
        put(&mut packet.labels, Field::MPLSCount, Some(depth as u64));
    }
    if !bottom {
        return;
    }
    let carried = from(bytes, depth * 4);
    match carried.first().map(|byte| byte / 16) {
        Some(4) => ip(0x0800, &carried, packet),
        Some(6) => ip(0x86dd, &carried, packet),
        Some(0) => pseudowire(&[from(&carried, 4), carried], decapsulate, packet),
        _ => pseudowire(&[carried], decapsulate, packet),
    }
}

fn pseudowire(candidates: &[Vec<u8>], decapsulate: bool, packet: &mut Packet) {
    for frame in candidates {
        let mut inner = Packet::default();
        ethernet(frame, decapsulate, false, &mut inner);
        if inner.has_ip {
            inner.labels = packet.labels.clone();
            if !decapsulate {
                inner.link = packet.link.clone();
            }
            *packet = inner;
            return;
        }
    }
}

fn ip(etype: u64, bytes: &[u8], packet: &mut Packet) {
    put(&mut packet.rest, Field::Etype, Some(etype));
    match (etype, number(bytes, 0, 1).map(|byte| byte / 16)) {
        (0x0800, Some(4)) => ipv4(bytes, packet),
        (0x86dd, Some(6)) => ipv6(bytes, packet),
        _ => {}
    }
}

fn ipv4(bytes: &[u8], packet: &mut Packet) {
    let said = &mut packet.rest;
    packet.has_ip = true;
    put(said, Field::IPTos, number(bytes, 1, 1));
    put(said, Field::FragmentId, number(bytes, 4, 2));
    let offset = number(bytes, 6, 2).map(|word| word % 8192);
    put(said, Field::FragmentOffset, offset);
    put(said, Field::IPTTL, number(bytes, 8, 1));
    put(said, Field::Proto, number(bytes, 9, 1));
    for (field, at) in [(Field::SrcAddr, 12), (Field::DstAddr, 16)] {
        if let Some(address) = bytes.get(at..at + 4) {
            said.insert(field.name(), address.to_vec());
        }
    }
    packet.whole = bytes.len() >= 20;
    let words = number(bytes, 0, 1).unwrap_or(0) % 16;
    if packet.whole && words >= 5 && offset == Some(0) {
        transport(bytes[9], &from(bytes, words as usize * 4), packet);
    }
}

fn ipv6(bytes: &[u8], packet: &mut Packet) {
    let said = &mut packet.rest;
    packet.has_ip = true;
    put(said, Field::IPTos, number(bytes, 0, 2).map(|word| word / 16 % 256));
    put(said, Field::IPv6FlowLabel, number(bytes, 0, 4).map(|word| word % (1 << 20)));
    put(said, Field::IPTTL, number(bytes, 7, 1));
    for (field, at) in [(Field::SrcAddr, 8), (Field::DstAddr, 24)] {
        if let Some(address) = bytes.get(at..at + 16) {
            said.insert(field.name(), address.to_vec());
        }
    }
    packet.whole = bytes.len() >= 40;
    let Some(mut next) = number(bytes, 6, 1) else { return };
    let mut at = 40;
    let mut is_first = true;
    while is_first
        && let (Some(following), Some(length)) = (number(bytes, at, 1), number(bytes, at + 1, 1))
    {
        let length = match next {
            0 | 43 | 60 => 8 * (length as usize + 1),
            51 => 4 * (length as usize + 2),
            44 => 8,
            _ => break,
        };
        if next == 44
            && let Some(id) = number(bytes, at + 4, 4)
        {
            let offset = number(bytes, at + 2, 2).unwrap_or(0) / 8;
            put(said, Field::FragmentId, Some(id));
            put(said, Field::FragmentOffset, Some(offset));
            is_first = offset == 0;
        }
        next = following;
        at += length;
    }
    put(said, Field::Proto, Some(next));
    if is_first && packet.whole {
        transport(next as u8, &from(bytes, at), packet);
    }
}

fn transport(proto: u8, bytes: &[u8], packet: &mut Packet) {
    let said = &mut packet.rest;
    match proto {
        6 | 17 | 132 if bytes.len() >= 4 => {
            put(said, Field::SrcPort, number(bytes, 0, 2));
            put(said, Field::DstPort, number(bytes, 2, 2));
        }
        1 | 58 => {
            put(said, Field::IcmpType, number(bytes, 0, 1));
            put(said, Field::IcmpCode, number(bytes, 1, 1));
        }
        _ => {}
    }
    if proto == 6 {
        put(said, Field::TCPFlags, number(bytes, 13, 1));
    }
    packet.carried = match proto {
        4 => Some((Link::Ipv4, bytes.to_vec())),
        41 => Some((Link::Ipv6, bytes.to_vec())),
        137 => Some((Link::Mpls, bytes.to_vec())),
        143 => Some((Link::Ethernet, bytes.to_vec())),
        17 if number(bytes, 2, 2) == Some(4789) && bytes.len() >= 16 && bytes[8] / 8 % 2 == 1 => {
            Some((Link::Ethernet, from(bytes, 16)))
        }
        47 => gre(bytes),
        _ => None,
    };
}

fn gre(bytes: &[u8]) -> Option<(Link, Vec<u8>)> {
    let bits = number(bytes, 0, 2)?;
    let etype = number(bytes, 2, 2)?;
    let bit = |number: u32| bits >> (15 - number) & 1 == 1;
    let version = bits % 8;
    if version > 1 || bit(1) {
        return None;
    }
    let mut at = 4;
    for (number, applies) in [(0, true), (2, true), (3, true), (8, version == 1)] {
        if bit(number) && applies {
            at += 4;
        }
    }
    if at > bytes.len() {
        return None;
    }
    match etype {
        0x0800 => Some((Link::Ipv4, from(bytes, at))),
        0x86dd => Some((Link::Ipv6, from(bytes, at))),
        0x8847 => Some((Link::Mpls, from(bytes, at))),
        0x6558 => Some((Link::Ethernet, from(bytes, at))),
        0x880b => {
            if number(bytes, at, 2) == Some(0xff03) {
                at += 2;
            }
            if number(bytes, at, 1) == Some(0) {
                at += 1;
            }
            match number(bytes, at, 1)? {
                0x21 => Some((Link::Ipv4, from(bytes, at + 1))),
                0x57 => Some((Link::Ipv6, from(bytes, at + 1))),
                _ => None,
            }
        }
        _ => None,
    }
}
