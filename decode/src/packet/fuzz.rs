//! What must hold for any bytes: the body of the fuzz target `packet`, and of the tests that replay
//! its corpus.

use neckar_proto::{Field, Flow};

use super::{FIELDS, Link, dissect, twin};

/// The first byte says what the rest starts with, and whether tunnels are opened.
pub fn packet(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let link = [Link::Ethernet, Link::Ipv4, Link::Ipv6, Link::Ip, Link::Mpls]
        [usize::from(choice >> 1) % 5];
    agree(link, bytes, choice & 1 == 1);
}

/// The fast dissector and the obvious one say the same, and nothing else of the row changes.
pub(crate) fn agree(link: Link, bytes: &[u8], decapsulate: bool) {
    let mut row = Flow::default();
    let total = dissect(link, bytes, decapsulate, &mut row);
    assert_eq!(row.presence().union(FIELDS), FIELDS, "{bytes:02x?}");
    assert_eq!(said(&row), twin::dissect(link, bytes, decapsulate), "{link:?} {bytes:02x?}");
    assert!(total.is_none_or(|total| total > 0 && total <= 65_575), "{total:?}");

    // What was there before makes no difference.
    let mut used = Flow::default();
    for field in Field::all().filter(|field| field.is_word()) {
        used.set(field, 0x5555);
    }
    used.restart(neckar_proto::Presence::default());
    dissect(link, bytes, decapsulate, &mut used);
    assert_eq!(said(&used), said(&row), "{link:?} {bytes:02x?}");
}

fn said(row: &Flow) -> twin::Said {
    let value = |field: Field| match field.is_address() {
        true => Some(row.address(field)?.to_vec()),
        false => Some(row.word(field)?.to_be_bytes().to_vec()),
    };
    let fields = Field::all().filter(|field| FIELDS.contains(*field));
    fields.filter_map(|field| Some((field.name(), value(field)?))).collect()
}
