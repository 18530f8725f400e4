//! A flow in a record of Kafka's (protocol guide, "Record", magic 2).
//!
//! Before it stand the record's length, attributes, what its time is after the batch's, its number in
//! the batch, the key's length and its own, all but the attributes varints in zigzag; behind it how
//! many headers there are. Attributes, time and headers are 0 and there is no key.

/// What stands around a flow takes at most so much: three varints and four bytes.
pub(super) const AROUND_BYTES_MAX: usize = 3 * 5 + 3 + TAIL_BYTES;
/// Attributes and time, zero; then the number; then this, no key (-1).
const ATTRIBUTES_TIME: usize = 2;
const NO_KEY: u8 = 1;
/// Behind the flow: no headers.
pub(super) const TAIL_BYTES: usize = 1;

/// Bytes before flow `index` of `len` bytes.
#[inline(always)]
pub(super) fn lead_bytes(index: usize, len: usize) -> usize {
    let inner = inner_bytes(index, len);
    varint_bytes(inner + len + TAIL_BYTES) + inner
}

/// Those of them behind the record's length.
#[inline(always)]
fn inner_bytes(index: usize, len: usize) -> usize {
    ATTRIBUTES_TIME + varint_bytes(index) + 1 + varint_bytes(len)
}

/// Writes what stands around flow `index` of `len` bytes, which lies behind `lead` bytes; answers
/// where it all ends.
#[inline(always)]
pub(super) fn put_around(out: &mut [u8], lead: usize, index: usize, len: usize) -> usize {
    let behind = lead + len;
    let record_bytes = inner_bytes(index, len) + len + TAIL_BYTES;
    let mut at = put_varint(out, 0, record_bytes);
    out[at..at + ATTRIBUTES_TIME].fill(0);
    at = put_varint(out, at + ATTRIBUTES_TIME, index);
    out[at] = NO_KEY;
    put_varint(out, at + 1, len);
    out[behind] = 0;
    behind + TAIL_BYTES
}

/// Zigzag doubles what is not negative.
#[inline(always)]
fn varint_bytes(value: usize) -> usize {
    super::varint_bytes(value << 1)
}

#[inline(always)]
fn put_varint(out: &mut [u8], at: usize, value: usize) -> usize {
    let bytes = varint_bytes(value);
    super::put_length(&mut out[at..], value << 1, bytes);
    at + bytes
}
