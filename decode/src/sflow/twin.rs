//! The slow obvious twin of the decoder: a datagram into maps of fields, written from the
//! specification's structures and semantics.md, sharing nothing with the fast one but the names of
//! fields and the twin of the dissector.

use neckar_proto::Field;

use crate::packet::twin::{Said, number, put};
use crate::packet::{Link, twin};

/// What a datagram comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// One per flow, without what the header of the datagram says.
    pub(crate) flows: Vec<Said>,
    pub(crate) samples: u64,
    pub(crate) malformed: u64,
    pub(crate) parts_malformed: u64,
    pub(crate) counter_samples: u64,
    pub(crate) discard_samples: u64,
    pub(crate) unknown_samples: u64,
    pub(crate) overruns: u64,
    pub(crate) rate_unknown: u64,
}

/// `None` if the header of the datagram is not whole or not one of version 5.
pub(crate) fn decode(bytes: &[u8], decapsulate: bool) -> Option<Account> {
    let agent_bytes = match (number(bytes, 0, 4)?, number(bytes, 4, 4)?) {
        (5, 0) => 0,
        (5, 1) => 4,
        (5, 2) => 16,
        _ => return None,
    };
    let mut at = 8 + agent_bytes + 12;
    let count = number(bytes, at, 4)?;
    at += 4;
    let mut account = Account::default();
    for _ in 0..count {
        let format = number(bytes, at, 4);
        let length = number(bytes, at + 4, 4).map(|length| length as usize);
        let body = length.and_then(|length| bytes.get(at + 8..at + 8 + length));
        let is_flow = matches!(format, Some(1 | 3));
        account.samples += u64::from(is_flow);
        let Some(body) = body else {
            account.malformed += u64::from(is_flow);
            account.overruns += u64::from(!is_flow);
            break;
        };
        match format {
            Some(1 | 3) => match flow(format == Some(3), body, decapsulate) {
                Some((said, short)) => {
                    account.rate_unknown += u64::from(!said.contains_key("SamplingRate"));
                    account.parts_malformed += short;
                    account.flows.push(said);
                }
                None => account.malformed += 1,
            },
            Some(2 | 4) => account.counter_samples += 1,
            Some(5) => account.discard_samples += 1,
            _ => account.unknown_samples += 1,
        }
        at = (at + 8 + body.len()).next_multiple_of(4);
        at = at.min(bytes.len());
    }
    Some(account)
}

/// A sample in two passes: what is in it, then what it says. Also gives how many records were too
/// short.
fn flow(is_expanded: bool, body: &[u8], decapsulate: bool) -> Option<(Said, u64)> {
    let word = |index: usize| number(body, index * 4, 4);
    let (rate, input, output, mut at) = if is_expanded {
        word(10)?;
        (word(3)?, (word(6)?, word(7)?), (word(8)?, word(9)?), 40)
    } else {
        word(7)?;
        let split = |value: u64| (value >> 30, value & 0x3fff_ffff);
        (word(2)?, split(word(5)?), split(word(6)?), 28)
    };
    let count = number(body, at, 4)?;
    at += 4;
    let mut records = Vec::new();
    for _ in 0..count {
        if at >= body.len() {
            break;
        }
        let length = number(body, at + 4, 4)? as usize;
        records.push((number(body, at, 4)?, body.get(at + 8..at + 8 + length)?));
        at += 8 + length.next_multiple_of(4);
    }

    let mut said = Said::new();
    put(&mut said, Field::Packets, Some(1));
    put(&mut said, Field::SamplingRate, (rate > 0).then_some(rate));
    let index = |(format, value)| (format == 0 && value != 0x3fff_ffff).then_some(value);
    put(&mut said, Field::InIf, index(input));
    put(&mut said, Field::OutIf, index(output));
    put(&mut said, Field::ForwardingStatus, (output.0 == 1).then_some(128));
    let whole: Vec<_> = records.iter().filter(|(format, body)| is_whole(*format, body)).collect();
    let short = records.len() - whole.len();
    packet(&whole, decapsulate, &mut said);
    for (format, body) in whole {
        match format {
            1001 => switch(body, &mut said),
            1002 => router(body, &mut said),
            1003 => gateway(body, &mut said),
            _ => {}
        }
    }
    Some((said, short as u64))
}

/// Bytes of an address with its kind.
fn address_bytes(body: &[u8]) -> Option<usize> {
    match number(body, 0, 4)? {
        0 => Some(4),
        1 => Some(8),
        2 => Some(20),
        _ => None,
    }
}

fn is_whole(format: u64, body: &[u8]) -> bool {
    let with_address = |more: usize| address_bytes(body).is_some_and(|at| body.len() >= at + more);
    match format {
        1 | 1001 => body.len() >= 16,
        2 => body.len() >= 20,
        3 => body.len() >= 32,
        4 => body.len() >= 56,
        1002 => with_address(8),
        1003 => with_address(16) && path(body).is_some(),
        _ => true,
    }
}

/// Raw header, sampled Ethernet, sampled IP: what is known better goes over what is known worse.
fn packet(records: &[&(u64, &[u8])], decapsulate: bool, said: &mut Said) {
    let of =
        |format| records.iter().filter(move |record| record.0 == format).map(|record| record.1);
    let raw = of(1).next();
    let mut header = Said::new();
    if let Some(body) = raw {
        let sampled: Vec<u8> =
            body[16..].iter().take(number(body, 12, 4).unwrap_or(0) as usize).copied().collect();
        let link = match number(body, 0, 4) {
            Some(1) => Some(Link::Ethernet),
            Some(11) => Some(Link::Ipv4),
            Some(12) => Some(Link::Ipv6),
            Some(13) => Some(Link::Mpls),
            _ => None,
        };
        if let Some(link) = link {
            header = twin::dissect(link, &sampled, decapsulate);
        }
    }
    let is_fragment = header.get("FragmentOffset").is_some_and(|offset| offset != &[0; 8]);
    // In order of what they know, the first of each kind.
    let ethernet = of(2).next();
    let ip = records.iter().find(|record| matches!(record.0, 3 | 4));
    let lengths = [
        raw.and_then(|body| number(body, 4, 4)),
        ethernet.and_then(|body| number(body, 0, 4)),
        ip.and_then(|record| number(record.1, 0, 4)),
    ];
    let said_lengths = || lengths.iter().flatten().copied();
    put(said, Field::Bytes, said_lengths().find(|bytes| *bytes > 0).or(said_lengths().next()));
    let kept =
        ethernet.map(|body| (2, body)).into_iter().chain(ip.map(|record| (record.0, record.1)));
    for (format, body) in kept {
        let mut add = |field: Field, value: Vec<u8>| {
            if !header.contains_key(field.name()) {
                said.entry(field.name()).or_insert(value);
            }
        };
        let wide = |at, width| number(body, at, width).unwrap_or(0).to_be_bytes().to_vec();
        match format {
            2 => {
                let pad = if body.len() >= 24 { 2 } else { 0 };
                add(Field::SrcMac, wide(4, 6));
                add(Field::DstMac, wide(10 + pad, 6));
                add(Field::Etype, wide(16 + 2 * pad, 4));
            }
            3 | 4 => {
                let width = if format == 3 { 4 } else { 16 };
                let rest = 8 + 2 * width;
                add(Field::Proto, wide(4, 4));
                add(Field::IPTos, wide(rest + 12, 4));
                if !is_fragment {
                    add(Field::SrcPort, wide(rest, 4));
                    add(Field::DstPort, wide(rest + 4, 4));
                    if number(body, 4, 4) == Some(6) {
                        add(Field::TCPFlags, wide(rest + 8, 4));
                    }
                }
            }
            _ => {}
        }
    }
    said.extend(header);
    // Both addresses from the first that has both, and the EtherType with them.
    if !said.contains_key("DstAddr")
        && let Some((format, body)) = ip
    {
        let width = if *format == 3 { 4 } else { 16 };
        said.insert("SrcAddr", body[8..8 + width].to_vec());
        said.insert("DstAddr", body[8 + width..8 + 2 * width].to_vec());
        put(said, Field::Etype, Some(if *format == 3 { 0x0800 } else { 0x86dd }));
    }
}

fn switch(body: &[u8], said: &mut Said) {
    for (field, at) in [(Field::SrcVlan, 0), (Field::DstVlan, 8)] {
        let vlan = number(body, at, 4).filter(|vlan| *vlan != 0xffff_ffff);
        put(said, field, vlan.map(|vlan| vlan % 4096));
    }
}

/// The address at the start, an IPv4-mapped one as IPv4; `None` if it is unknown.
fn hop(body: &[u8]) -> Option<Vec<u8>> {
    let address = body[4..address_bytes(body)?].to_vec();
    let is_mapped = address.len() == 16 && address[..10] == [0; 10] && address[10..12] == [0xff; 2];
    match (address.len(), is_mapped) {
        (0, _) => None,
        (_, true) => Some(address[12..].to_vec()),
        _ => Some(address),
    }
}

fn is_zero(said: &Said, field: Field) -> bool {
    said.get(field.name()).is_none_or(|address| address.iter().all(|byte| *byte == 0))
}

fn router(body: &[u8], said: &mut Said) {
    let at = address_bytes(body).unwrap_or(0);
    if let Some(hop) = hop(body) {
        let is_nothing = hop.iter().all(|byte| *byte == 0);
        if !is_nothing || !said.contains_key("NextHop") {
            said.insert("NextHop", hop);
        }
    }
    put(said, Field::SrcNet, number(body, at, 4));
    put(said, Field::DstNet, number(body, at + 4, 4));
}

/// All numbers of the path; `None` if it is longer than the record.
fn path(body: &[u8]) -> Option<Vec<u64>> {
    let mut at = address_bytes(body)? + 16;
    let segments = number(body, at - 4, 4)?;
    let mut path = Vec::new();
    for _ in 0..segments {
        let count = number(body, at + 4, 4)?;
        at += 8;
        for _ in 0..count {
            path.push(number(body, at, 4)?);
            at += 4;
        }
    }
    Some(path)
}

fn gateway(body: &[u8], said: &mut Said) {
    let at = address_bytes(body).unwrap_or(0);
    let path = path(body).unwrap_or_default();
    if let Some(hop) = hop(body) {
        if is_zero(said, Field::NextHop) {
            said.insert("NextHop", hop.clone());
        }
        said.insert("BgpNextHop", hop);
    }
    let own = number(body, at, 4).unwrap_or(0);
    let source = number(body, at + 4, 4).filter(|number| *number > 0).unwrap_or(own);
    let destination = path.last().copied().unwrap_or(own);
    for (field, value) in [
        (Field::SrcAS, Some(source)),
        (Field::DstAS, Some(destination)),
        (Field::NextHopAS, path.first().copied()),
    ] {
        if let Some(value) = value
            && (value > 0 || !said.contains_key(field.name()))
        {
            put(said, field, Some(value));
        }
    }
    if !path.is_empty() {
        let kept = path.iter().take(63).flat_map(|number| (*number as u32).to_le_bytes());
        said.insert("ASPath", kept.collect());
    }
}
