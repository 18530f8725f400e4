//! What takes a whole row: addresses of two families, label stacks, ICMP in ports, the way back.

use neckar_proto::{Field, Flow};

use super::{Layout, Place};
use crate::bytes::{low_bits, number};

/// "70-79: label = the top 20 bits of a 3-byte entry"; "4 slots: first three and last;
/// MPLSCount = entries present". Templates have room for the deepest stack, so zeros behind
/// the last entry are no entries.
pub(super) fn labels<L: Layout>(
    labels: &[(u8, Place)],
    bytes: &[u8],
    layout: L,
    rows: &mut [Flow],
) {
    // "4 slots: first three and last."
    const SLOTS: [Field; 3] = [Field::MPLS1Label, Field::MPLS2Label, Field::MPLS3Label];
    for (record, row) in rows.iter_mut().enumerate() {
        let entry = |(depth, place): &(u8, Place)| {
            let bytes = place.bytes(bytes, layout, record);
            (number(bytes).unwrap_or(0), bytes.len() as u32 * 8, *depth)
        };
        let present = labels.iter().rposition(|label| entry(label).0 != 0).map_or(0, |at| at + 1);
        if present == 0 {
            continue;
        }
        row.set(Field::HasMPLS, 1);
        row.set(Field::MPLSCount, present as u64);
        for label in &labels[..present] {
            let (value, bits, depth) = entry(label);
            // Entries of more than eight bytes hold no number.
            let top = value.checked_shr(bits.saturating_sub(20)).unwrap_or(0) & low_bits(20);
            match SLOTS.get(usize::from(depth)) {
                Some(slot) => row.set(*slot, top),
                None => row.set(Field::MPLSLastLabel, top),
            }
        }
    }
}

/// Turns a row round. What was counted or is true in one direction only goes: the way back has
/// counters of its own and another next hop. What came in where it was observed goes out there (IE 61:
/// 0 ingress, 1 egress).
pub(super) fn turn(row: &mut Flow) {
    for (one, other) in [
        (Field::SrcAddr, Field::DstAddr),
        (Field::SrcNet, Field::DstNet),
        (Field::SrcPort, Field::DstPort),
        (Field::SrcAS, Field::DstAS),
        (Field::SrcMac, Field::DstMac),
        (Field::SrcVlan, Field::DstVlan),
        (Field::InIf, Field::OutIf),
        (Field::IngressVrfID, Field::EgressVrfID),
        (Field::IngressVrfName, Field::EgressVrfName),
        (Field::PostNatSrcAddr, Field::PostNatDstAddr),
        (Field::PostNatSrcPort, Field::PostNatDstPort),
    ] {
        row.swap(one, other);
    }
    if let Some(direction @ 0..=1) = row.word(Field::FlowDirection) {
        row.set(Field::FlowDirection, 1 - direction);
    }
    for field in [Field::Bytes, Field::Packets, Field::NextHop, Field::BgpNextHop, Field::NextHopAS]
    {
        row.remove(field);
    }
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// "Last one wins, but zero never replaces non-zero": an all-zero address replaces only another
/// such.
pub(super) fn merge_address(row: &mut Flow, field: Field, bytes: &[u8]) {
    if is_zero(bytes) && row.address(field).is_some_and(|kept| !is_zero(kept)) {
        return;
    }
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        row.set_v4(field, v4);
    } else if let Ok(v6) = <[u8; 16]>::try_from(bytes) {
        row.set_v6(field, v6);
    }
}

/// Both families have a place in the template. "Etype follows the address kept"; and where one end
/// is all zero and the other is not, the zero is of the other's family: a flow has one.
pub(super) fn settle_family(row: &mut Flow) {
    let family = |row: &Flow, field| row.address(field).map(|kept| (kept.len(), is_zero(kept)));
    let kept = match (family(row, Field::SrcAddr), family(row, Field::DstAddr)) {
        (Some((source, true)), Some((destination, false))) if source != destination => {
            zero_of(row, Field::SrcAddr, destination);
            destination
        }
        (Some((source, false)), Some((destination, true))) if source != destination => {
            zero_of(row, Field::DstAddr, source);
            source
        }
        (Some((source, _)), _) => source,
        (None, Some((destination, _))) => destination,
        (None, None) => return,
    };
    row.set(Field::Etype, if kept == 4 { 0x0800 } else { 0x86dd });
}

fn zero_of(row: &mut Flow, field: Field, length: usize) {
    if length == 4 {
        row.set_v4(field, [0; 4]);
    } else {
        row.set_v6(field, [0; 16]);
    }
}

/// "If Proto is 1 or 58 and none is present: from DstPort, which is left as it is."
pub(crate) fn icmp_from_port(row: &mut Flow) {
    if !matches!(row.word_or_zero(Field::Proto), 1 | 58)
        || row.has(Field::IcmpType)
        || row.has(Field::IcmpCode)
    {
        return;
    }
    if let Some(port) = row.word(Field::DstPort) {
        row.set(Field::IcmpType, port >> 8 & 0xff);
        row.set(Field::IcmpCode, port & 0xff);
    }
}
