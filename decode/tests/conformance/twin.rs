//! The slow obvious twin of the plan: semantics.md read aloud, one record at a time, field by
//! field.
//!
//! Shares no code with the decoder. Every rule is written where it stands in the page; nothing is
//! fast.

use std::collections::BTreeMap;

use neckar_proto::Field;

use crate::wire::{Header, Spec, VARIABLE, Wire};

/// A value of a row: words, addresses and texts alike as bytes or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

pub(crate) type Row = BTreeMap<Field, Value>;

/// One field of a record on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) spec: Spec,
    pub(crate) bytes: Vec<u8>,
}

/// What the decoder is told beside the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around {
    pub(crate) wire: Wire,
    pub(crate) header: Header,
    pub(crate) received_ns: u64,
}

/// Something that an element says about a field.
#[derive(Clone, Debug)]
struct Said {
    field: Field,
    /// Smaller ranks go first; larger ones stand in.
    rank: u8,
    value: Value,
    /// Does it count as zero?
    zero: bool,
}

/// The rows of one record: one, or two with a reverse flow.
pub(crate) fn rows(items: &[Item], around: Around) -> Vec<Row> {
    let mut forward = merged(&said(items, around, false));
    addresses(items, &mut forward);
    icmp_from_port(items, &mut forward);
    labels(items, &mut forward);
    times(&mut forward, around);
    match rate(items) {
        0 => {}
        rate => drop(forward.insert(Field::SamplingRate, Value::Number(rate))),
    }
    match reverse(items, around, &forward) {
        None => vec![forward],
        Some(mut back) => {
            let direction = number_of(&forward, Field::BiFlowDirection);
            back.insert(Field::BiFlowDirection, Value::Number(if direction == 2 { 1 } else { 2 }));
            if direction == 0 {
                forward.insert(Field::BiFlowDirection, Value::Number(1));
            }
            vec![forward, back]
        }
    }
}

fn number_of(row: &Row, field: Field) -> u64 {
    match row.get(&field) {
        Some(Value::Number(number)) => *number,
        _ => 0,
    }
}

fn integer(bytes: &[u8]) -> Option<u64> {
    (1..=8).contains(&bytes.len()).then(|| {
        let mut value = 0;
        for byte in bytes {
            value = value * 256 + u64::from(*byte);
        }
        value
    })
}

/// "Last one wins, but zero never replaces non-zero", rank by rank.
fn merged(said: &[Said]) -> Row {
    let mut row = Row::new();
    for field in Field::all() {
        let mut of_field: Vec<&Said> = said.iter().filter(|one| one.field == field).collect();
        of_field.sort_by_key(|one| one.rank);
        let best = of_field.iter().filter(|one| !one.zero).min_by_key(|one| one.rank);
        let rank = best.or(of_field.first()).map(|one| one.rank);
        // A zero among zeros changes nothing, but for addresses, whose zeros have a family; an
        // instant stays the first.
        let is_time = matches!(field, Field::TimeFlowStartNs | Field::TimeFlowEndNs);
        let mut candidates =
            of_field.iter().filter(|one| Some(one.rank) == rank && (best.is_none() || !one.zero));
        let last =
            if best.is_none() && is_time { candidates.next() } else { candidates.next_back() };
        if let Some(last) = last {
            row.insert(field, last.value.clone());
        }
    }
    row
}

fn said(items: &[Item], around: Around, reverse: bool) -> Vec<Said> {
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match (item.spec.enterprise, reverse) {
            (0, false) => element(&mut all, items, index, around, false),
            (29305, true) => element(&mut all, items, index, around, true),
            (0, true) if item.spec.element == 232 => numbers(&mut all, item, &[(Field::Bytes, 0)]),
            (0, true) if item.spec.element == 299 => {
                numbers(&mut all, item, &[(Field::Packets, 0)]);
            }
            _ => {}
        }
    }
    all
}

fn numbers(all: &mut Vec<Said>, item: &Item, fields: &[(Field, u8)]) {
    for (field, rank) in fields {
        if let Some(value) = integer(&item.bytes) {
            let bits = field.bits();
            let value = if bits == 64 { value } else { value % (1 << bits) };
            all.push(Said {
                field: *field,
                rank: *rank,
                value: Value::Number(value),
                zero: value == 0,
            });
        }
    }
}

fn masked(all: &mut Vec<Said>, item: &Item, fields: &[(Field, u8)], make: impl Fn(u64) -> u64) {
    for (field, rank) in fields {
        if let Some(value) = integer(&item.bytes).map(&make) {
            all.push(Said {
                field: *field,
                rank: *rank,
                value: Value::Number(value),
                zero: value == 0,
            });
        }
    }
}

fn address(all: &mut Vec<Said>, item: &Item, fields: &[(Field, u8)]) {
    if matches!(item.bytes.len(), 4 | 16) {
        for (field, rank) in fields {
            let zero = item.bytes.iter().all(|byte| *byte == 0);
            let value = Value::Bytes(item.bytes.clone());
            all.push(Said { field: *field, rank: *rank, value, zero });
        }
    }
}

fn text(all: &mut Vec<Said>, item: &Item, field: Field, cut_at_zero: bool) {
    let end = item.bytes.iter().position(|byte| *byte == 0).filter(|_| cut_at_zero);
    let bytes = item.bytes[..end.unwrap_or(item.bytes.len())].to_vec();
    if !bytes.is_empty() {
        all.push(Said { field, rank: 0, value: Value::Bytes(bytes), zero: false });
    }
}

/// The field map of section 2.
fn element(all: &mut Vec<Said>, items: &[Item], index: usize, around: Around, reverse: bool) {
    use Field::*;
    let item = &items[index];
    // RFC 5103 section 6.2: keys and identifiers have no reverse.
    if reverse && matches!(item.spec.element, 8 | 12 | 27 | 28 | 138 | 239) {
        return;
    }
    let has = |elements: &[u16]| {
        items.iter().any(|other| {
            let plain = around.wire == Wire::V9 || other.spec.enterprise == 0;
            plain && elements.contains(&other.spec.element) && other.spec.length != 0
        })
    };
    match item.spec.element {
        1 | 23 => numbers(all, item, &[(Bytes, 0)]),
        2 | 24 => numbers(all, item, &[(Packets, 0)]),
        // "Total counters (85, 86) count only when the template has no delta counter (1, 2)."
        85 if reverse || !has(&[1, 2]) => numbers(all, item, &[(Bytes, 0)]),
        86 if reverse || !has(&[1, 2]) => numbers(all, item, &[(Packets, 0)]),
        231 => numbers(all, item, &[(Bytes, 0)]),
        298 => numbers(all, item, &[(Packets, 0)]),
        232 if reverse => numbers(all, item, &[(Bytes, 0)]),
        299 if reverse => numbers(all, item, &[(Packets, 0)]),
        312 => numbers(all, item, &[(Bytes, 1)]),
        8 | 27 => address(all, item, &[(SrcAddr, 0)]),
        12 | 28 => address(all, item, &[(DstAddr, 0)]),
        4 => numbers(all, item, &[(Proto, 0)]),
        5 => numbers(all, item, &[(IPTos, 0)]),
        195 => masked(all, item, &[(IPTos, 1)], |value| value << 2 & 0xffff_ffff),
        6 => numbers(all, item, &[(TCPFlags, 0)]),
        52 => numbers(all, item, &[(IPTTL, 0)]),
        192 => numbers(all, item, &[(IPTTL, 1)]),
        53 => numbers(all, item, &[(IPTTL, 2)]),
        7 => numbers(all, item, &[(SrcPort, 0)]),
        11 => numbers(all, item, &[(DstPort, 0)]),
        180 | 182 => numbers(all, item, &[(SrcPort, 1)]),
        181 | 183 => numbers(all, item, &[(DstPort, 1)]),
        176 | 178 => numbers(all, item, &[(IcmpType, 0)]),
        177 | 179 => numbers(all, item, &[(IcmpCode, 0)]),
        32 | 139 => {
            masked(all, item, &[(IcmpType, 0)], |value| value >> 8 & 0xff);
            masked(all, item, &[(IcmpCode, 0)], |value| value & 0xff);
        }
        10 => numbers(all, item, &[(InIf, 0)]),
        14 => numbers(all, item, &[(OutIf, 0)]),
        252 => numbers(all, item, &[(InIf, 1)]),
        253 => numbers(all, item, &[(OutIf, 1)]),
        56 | 81 => numbers(all, item, &[(SrcMac, 0)]),
        57 | 80 => numbers(all, item, &[(DstMac, 0)]),
        58 => masked(all, item, &[(VlanId, 0), (SrcVlan, 0)], |value| value & 0xfff),
        243 => masked(all, item, &[(VlanId, 1), (SrcVlan, 1)], |value| value & 0xfff),
        59 => masked(all, item, &[(DstVlan, 0)], |value| value & 0xfff),
        254 => masked(all, item, &[(DstVlan, 1)], |value| value & 0xfff),
        54 => numbers(all, item, &[(FragmentId, 0)]),
        88 => masked(all, item, &[(FragmentOffset, 0)], |value| value & 0x1fff),
        31 => masked(all, item, &[(IPv6FlowLabel, 0)], |value| value & 0xf_ffff),
        16 => numbers(all, item, &[(SrcAS, 0)]),
        17 => numbers(all, item, &[(DstAS, 0)]),
        128 => numbers(all, item, &[(NextHopAS, 0)]),
        15 | 62 => address(all, item, &[(NextHop, 0)]),
        18 | 63 => address(all, item, &[(BgpNextHop, 0), (NextHop, 1)]),
        61 => numbers(all, item, &[(FlowDirection, 0)]),
        239 => numbers(all, item, &[(BiFlowDirection, 0)]),
        234 => numbers(all, item, &[(IngressVrfID, 0)]),
        235 => numbers(all, item, &[(EgressVrfID, 0)]),
        89 => numbers(all, item, &[(ForwardingStatus, 0)]),
        138 => numbers(all, item, &[(ObservationPointID, 0)]),
        200 => numbers(all, item, &[(MPLS1TTL, 0)]),
        136 => numbers(all, item, &[(FlowEndReason, 0)]),
        230 => numbers(all, item, &[(NatEvent, 0)]),
        225 | 281 => address(all, item, &[(PostNatSrcAddr, 0)]),
        226 | 282 => address(all, item, &[(PostNatDstAddr, 0)]),
        227 => numbers(all, item, &[(PostNatSrcPort, 0)]),
        228 => numbers(all, item, &[(PostNatDstPort, 0)]),
        95 => text(all, item, ApplicationId, false),
        371 => text(all, item, UserName, true),
        21 | 22 | 150..=159 => time(all, items, index, around, reverse),
        _ => {}
    }
}

/// Section 3.
fn time(all: &mut Vec<Said>, items: &[Item], index: usize, around: Around, reverse: bool) {
    let item = &items[index];
    let Some(raw) = integer(&item.bytes).filter(|_| item.spec.length != VARIABLE) else { return };
    let export_ns = u128::from(around.header.export_s) * 1_000_000_000;
    let is_boot = |other: &&Item| {
        other.spec.element == 160 && other.spec.enterprise == 0 && other.spec.length != 0
    };
    let boot = items.iter().rfind(is_boot).and_then(|boot| integer(&boot.bytes));
    let boot = boot.filter(|boot| *boot != 0);
    let instant: u128 = match item.spec.element {
        21 | 22 if around.wire == Wire::V9 => {
            let difference = around.header.uptime_ms.wrapping_sub(raw as u32) as i32;
            (export_ns as i128 - i128::from(difference) * 1_000_000) as u128
        }
        21 | 22 => {
            match boot {
                Some(boot) => {
                    (u128::from(boot.saturating_add(raw)) * 1_000_000).min(u128::from(u64::MAX))
                }
                // Nothing to count from: as good as no time, which is the export time.
                _ => export_ns,
            }
        }
        150 | 151 => (u128::from(raw) * 1_000_000_000).min(u128::from(u64::MAX)),
        152 | 153 => (u128::from(raw) * 1_000_000).min(u128::from(u64::MAX)),
        158 | 159 => export_ns.saturating_sub(u128::from(raw) * 1000),
        _ if item.bytes.len() != 8 => return,
        154 | 155 => ntp(raw, u128::from(raw) * 1000, around),
        _ => ntp(raw, u128::from(raw), around),
    };
    let start = matches!(item.spec.element, 22 | 150 | 152 | 154 | 156 | 158);
    let field = if start { Field::TimeFlowStartNs } else { Field::TimeFlowEndNs };
    let uptime = matches!(item.spec.element, 21 | 22);
    let zero = raw == 0 || (uptime && around.wire == Wire::Ipfix && boot.is_none());
    // An uptime is 32 bits wide whatever the exporter says.
    let zero = if matches!(item.spec.element, 21 | 22) && around.wire == Wire::V9 {
        raw as u32 == 0
    } else {
        zero
    };
    // Going back, what the way there has stays instead.
    let stays = reverse && uptime && around.wire == Wire::Ipfix && boot.is_none();
    let value = if stays { Value::Bytes(Vec::new()) } else { Value::Number(instant as u64) };
    all.push(Said { field, rank: 0, value, zero });
}

/// "NTP values that decode to before 2000 or more than a day after the receive time, while the same
/// bits read as Unix lie within a day of it, are taken as Unix."
fn ntp(raw: u64, unix_ns: u128, around: Around) -> u128 {
    if raw == 0 {
        return 0;
    }
    let (seconds, fraction) = (i128::from(raw >> 32), i128::from(raw & 0xffff_ffff));
    let since_1970 = seconds - 2_208_988_800;
    let received = i128::from(around.received_ns);
    let day = 86_400 * 1_000_000_000;
    let as_ntp = since_1970 * 1_000_000_000 + fraction * 1_000_000_000 / (1 << 32);
    let implausible = as_ntp < 946_684_800 * 1_000_000_000 || as_ntp > received + day;
    if implausible && (unix_ns as i128 - received).abs() <= day {
        return unix_ns;
    }
    if since_1970 < 0 { (as_ntp + (1_i128 << 32) * 1_000_000_000) as u128 } else { as_ntp as u128 }
}

/// "No time in the record: export time."
fn times(row: &mut Row, around: Around) {
    let export_ns = u64::from(around.header.export_s) * 1_000_000_000;
    for field in [Field::TimeFlowStartNs, Field::TimeFlowEndNs] {
        row.entry(field).or_insert(Value::Number(export_ns));
    }
}

/// EtherType and prefix lengths by the address kept.
fn addresses(items: &[Item], row: &mut Row) {
    let bytes = |row: &Row, field| match row.get(&field) {
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    };
    let zero = |bytes: &Vec<u8>| bytes.iter().all(|byte| *byte == 0);
    // One flow has one family: an end that is all zero has the family of the other.
    if let (Some(source), Some(destination)) =
        (bytes(row, Field::SrcAddr), bytes(row, Field::DstAddr))
        && source.len() != destination.len()
        && has_both_families(items)
    {
        if zero(&source) && !zero(&destination) {
            row.insert(Field::SrcAddr, Value::Bytes(vec![0; destination.len()]));
        } else if zero(&destination) && !zero(&source) {
            row.insert(Field::DstAddr, Value::Bytes(vec![0; source.len()]));
        }
    }
    let kept = bytes(row, Field::SrcAddr).or(bytes(row, Field::DstAddr));
    let etype = match kept {
        Some(kept) if kept.len() == 4 => Some(0x0800),
        Some(_) => Some(0x86dd),
        None if items.iter().any(is_address_element) => None,
        None => etype_without_address(items),
    };
    if let Some(etype) = etype {
        row.insert(Field::Etype, Value::Number(etype));
    }
    let source = bytes(row, Field::SrcAddr).map(|kept| kept.len());
    let destination = bytes(row, Field::DstAddr).map(|kept| kept.len());
    for (field, kept, v4, v6) in [
        (Field::SrcNet, source.or(destination), 9, 29),
        (Field::DstNet, destination.or(source), 13, 30),
    ] {
        let of_family = |item: &&Item| match (kept, item.spec.element) {
            (Some(4), element) => element == v4,
            (Some(_), element) => element == v6,
            // No address: any prefix length will do, unless the template has a place for one.
            (None, element) => {
                (element == v4 || element == v6) && !items.iter().any(is_address_element)
            }
        };
        let mut all = Vec::new();
        items
            .iter()
            .filter(|item| item.spec.enterprise == 0)
            .filter(of_family)
            .for_each(|item| numbers(&mut all, item, &[(field, 0)]));
        if let Some(value) = merged(&all).remove(&field) {
            row.insert(field, value);
        }
    }
}

fn fills(item: &Item, address: Field) -> bool {
    let elements = if address == Field::SrcAddr { [8, 27] } else { [12, 28] };
    item.spec.enterprise == 0
        && elements.contains(&item.spec.element)
        && matches!(item.spec.length, 4 | 16 | VARIABLE)
}

fn is_address_element(item: &Item) -> bool {
    fills(item, Field::SrcAddr) || fills(item, Field::DstAddr)
}

fn has_both_families(items: &[Item]) -> bool {
    let any = |length| {
        items.iter().any(|item| {
            is_address_element(item)
                && matches!(item.spec.length, VARIABLE) | (item.spec.length == length)
        })
    };
    any(4) && any(16)
}

/// "IE 60 (4, 6) only when there is no address; IE 256 ethernetType when neither."
fn etype_without_address(items: &[Item]) -> Option<u64> {
    let plain = |element| {
        items.iter().filter(move |item| item.spec.enterprise == 0 && item.spec.element == element)
    };
    let mut version = plain(60)
        .filter(|item| item.spec.length != VARIABLE)
        .filter_map(|item| integer(&item.bytes))
        .filter_map(|version| match version {
            4 => Some(0x0800),
            6 => Some(0x86dd),
            _ => None,
        });
    let mut all = Vec::new();
    plain(256).for_each(|item| numbers(&mut all, item, &[(Field::Etype, 0)]));
    version.next_back().or_else(|| match merged(&all).remove(&Field::Etype) {
        Some(Value::Number(etype)) => Some(etype),
        _ => None,
    })
}

/// "If Proto is 1 or 58 and none is present: from DstPort, which is left as it is."
fn icmp_from_port(items: &[Item], row: &mut Row) {
    let icmp = |item: &Item| {
        item.spec.enterprise == 0 && matches!(item.spec.element, 32 | 139 | 176..=179) && {
            let length = item.spec.length;
            length != 0
        }
    };
    if items.iter().any(icmp) || !matches!(number_of(row, Field::Proto), 1 | 58) {
        return;
    }
    if let Some(Value::Number(port)) = row.get(&Field::DstPort).cloned() {
        row.insert(Field::IcmpType, Value::Number(port >> 8 & 0xff));
        row.insert(Field::IcmpCode, Value::Number(port & 0xff));
    }
}

/// "70-79: label = the top 20 bits of a 3-byte entry; 4 slots: first three and last; MPLSCount =
/// entries present."
fn labels(items: &[Item], row: &mut Row) {
    let mut stack: Vec<(u16, &[u8])> = items
        .iter()
        .filter(|item| item.spec.enterprise == 0 && (70..=79).contains(&item.spec.element))
        .filter(|item| item.spec.length != 0)
        .map(|item| (item.spec.element - 70, &item.bytes[..]))
        .collect();
    stack.sort_by_key(|(depth, _)| *depth);
    while stack.last().is_some_and(|(_, bytes)| integer(bytes).unwrap_or(0) == 0) {
        stack.pop();
    }
    if stack.is_empty() {
        return;
    }
    row.insert(Field::HasMPLS, Value::Number(1));
    row.insert(Field::MPLSCount, Value::Number(stack.len() as u64));
    for (depth, bytes) in stack {
        let bits = bytes.len() as u32 * 8;
        let label = integer(bytes).map_or(0, |entry| entry >> bits.saturating_sub(20) & 0xf_ffff);
        let slot = match depth {
            0 => Field::MPLS1Label,
            1 => Field::MPLS2Label,
            2 => Field::MPLS3Label,
            _ => Field::MPLSLastLabel,
        };
        row.insert(slot, Value::Number(label));
    }
}

/// Section 4, step 2. The other steps have tests of their own.
fn rate(items: &[Item]) -> u64 {
    let last = |element| {
        let plain = |item: &&Item| {
            item.spec.enterprise == 0 && item.spec.element == element && item.spec.length != 0
        };
        items.iter().rfind(plain).map(|item| &item.bytes)
    };
    let read = |element| last(element).and_then(|bytes| integer(bytes));
    let positive = |element| read(element).filter(|value| *value != 0);
    if let (Some(interval), Some(space)) = (positive(305), read(306)) {
        return interval.saturating_add(space) / interval;
    }
    if let Some(rate) = positive(50).or(positive(34)) {
        return rate;
    }
    if let (Some(size), Some(population)) = (positive(309), positive(310))
        && population / size > 0
    {
        return population / size;
    }
    positive(305).unwrap_or(0)
}

/// "A reverse direction with a non-zero counter gives a second flow with endpoints, ports and
/// interfaces swapped."
fn reverse(items: &[Item], around: Around, forward: &Row) -> Option<Row> {
    if around.wire == Wire::V9 && !items.iter().any(|item| matches!(item.spec.element, 232 | 299)) {
        return None;
    }
    let mut row = forward.clone();
    for (one, other) in [
        (Field::SrcAddr, Field::DstAddr),
        (Field::SrcNet, Field::DstNet),
        (Field::SrcPort, Field::DstPort),
        (Field::SrcAS, Field::DstAS),
        (Field::SrcMac, Field::DstMac),
        (Field::SrcVlan, Field::DstVlan),
        (Field::InIf, Field::OutIf),
        (Field::IngressVrfID, Field::EgressVrfID),
        (Field::PostNatSrcAddr, Field::PostNatDstAddr),
        (Field::PostNatSrcPort, Field::PostNatDstPort),
    ] {
        let (a, b) = (row.remove(&one), row.remove(&other));
        b.into_iter().for_each(|b| drop(row.insert(one, b)));
        a.into_iter().for_each(|a| drop(row.insert(other, a)));
    }
    for field in [Field::Bytes, Field::Packets, Field::NextHop, Field::BgpNextHop, Field::NextHopAS]
    {
        row.remove(&field);
    }
    let turned = match row.get(&Field::FlowDirection) {
        Some(Value::Number(0)) => Some(1),
        Some(Value::Number(1)) => Some(0),
        _ => None,
    };
    row.extend(turned.map(|direction| (Field::FlowDirection, Value::Number(direction))));
    let back = merged(&said(items, around, true));
    row.extend(back.into_iter().filter(|(_, value)| *value != Value::Bytes(Vec::new())));
    let counted = number_of(&row, Field::Bytes) != 0 || number_of(&row, Field::Packets) != 0;
    counted.then_some(row)
}
