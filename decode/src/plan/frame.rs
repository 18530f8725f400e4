//! Sampled packets inside records (104, 313, 314, 315), parsed like an sFlow header.
//!
//! The packet is dissected into a row of its own and merged from there, so that "last one wins, but
//! zero never replaces non-zero" holds between elements and packet as it does among elements.

use neckar_proto::{Field, Flow};

use super::row::{is_zero, merge_address, settle_family};
use super::{Frame, Layout, Out};
use crate::elements::Section;
use crate::packet::{FIELDS, Link, dissect};

/// The fields that a packet may fill.
pub(super) fn fields() -> Box<[Field]> {
    Field::all().filter(|field| FIELDS.contains(*field)).collect()
}

/// Merges what the packet in `frame` says into the rows from `from` on.
pub(super) fn merge<L: Layout>(
    frame: &Frame,
    decapsulate: bool,
    bytes: &[u8],
    layout: L,
    from: usize,
    out: &mut Out<'_>,
) {
    let link = match frame.section {
        Section::Ethernet => Link::Ethernet,
        Section::Ip => Link::Ip,
        Section::Mpls => Link::Mpls,
    };
    for (record, row) in out.rows.as_mut_slice()[from..].iter_mut().enumerate() {
        out.frame.restart(Default::default());
        let packet = frame.place.bytes(bytes, layout, record);
        let ip_bytes = dissect(link, packet, decapsulate, out.frame);
        for field in &frame.fields {
            if out.frame.has(*field) {
                merge_field(frame, *field, out.frame, row);
            }
        }
        if row.has(Field::SrcAddr) || row.has(Field::DstAddr) {
            settle_family(row);
        }
        // "IE counters beat the frame's. Bytes = 312, else the IP total length; Packets = 1 when
        // the record has no packet counter." 312 fills Bytes as an element does.
        if let Some(ip_bytes) = ip_bytes
            && row.word_or_zero(Field::Bytes) == 0
        {
            row.set(Field::Bytes, ip_bytes);
        }
        if !frame.packets_counted {
            row.set(Field::Packets, 1);
        }
    }
}

/// One field of the packet: an element that stands after the packet in the record beats it, unless
/// it says zero.
fn merge_field(frame: &Frame, field: Field, packet: &Flow, row: &mut Flow) {
    let element_later = frame.later.contains(field);
    if let Some(address) = field.is_address().then(|| packet.address(field)).flatten() {
        let said = row.address(field).is_some_and(|said| !is_zero(said));
        if !(element_later && said) {
            merge_address(row, field, address);
        }
    } else if let Some(value) = field.is_word().then(|| packet.word(field)).flatten()
        && !(element_later && row.word_or_zero(field) != 0)
    {
        row.merge(field, value);
    }
}
