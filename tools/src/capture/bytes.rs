//! Big-endian integers at an offset, and the rest of a slice: `None` where the bytes end.
//! Everything in this room that looks into a packet does so through these, so that no length can
//! make it panic.

pub(super) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_be_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_be_bytes)
}

pub(super) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

pub(super) fn rest(bytes: &[u8], at: usize) -> Option<&[u8]> {
    bytes.get(at..)
}
