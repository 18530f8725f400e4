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
/// With a number of one byte and lengths of two.
const USUAL_LEAD_BYTES: usize = 2 + ATTRIBUTES_TIME + 1 + 1 + 2;
/// Behind the flow: no headers.
pub(super) const TAIL_BYTES: usize = 1;

/// Do both lengths take two bytes, and the number three at most? As good as all flows.
#[inline(always)]
fn is_usual(index: usize, len: usize) -> bool {
    (64..8_000).contains(&len) && index < 1 << 20
}

/// Bytes before flow `index` of `len` bytes.
#[inline(always)]
pub(super) fn lead_bytes(index: usize, len: usize) -> usize {
    if is_usual(index, len) {
        return USUAL_LEAD_BYTES + usize::from(index >= 1 << 6) + usize::from(index >= 1 << 13);
    }
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
    out[behind] = 0;
    if is_usual(index, len) {
        put_usual(out, lead, index, len);
        return behind + TAIL_BYTES;
    }
    let record_bytes = inner_bytes(index, len) + len + TAIL_BYTES;
    let mut at = put_varint(out, 0, record_bytes);
    out[at..at + ATTRIBUTES_TIME].fill(0);
    at = put_varint(out, at + ATTRIBUTES_TIME, index);
    out[at] = NO_KEY;
    put_varint(out, at + 1, len);
    behind + TAIL_BYTES
}

/// The same in two stores: all up to the flow's length in eight bytes, then that.
#[inline(always)]
fn put_usual(out: &mut [u8], lead: usize, index: usize, len: usize) {
    let two = |value: usize| (value << 1 & 0x7f | 0x80 | value >> 6 << 8) as u64;
    let number_bytes = lead + 1 - USUAL_LEAD_BYTES;
    let number = (index << 1) as u64;
    let number = number & 0x7f | (number >> 7 & 0x7f) << 8 | number >> 14 << 16;
    let goes_on = 0x8080 & ((1 << (8 * (number_bytes - 1))) - 1);
    let record_bytes = lead - 2 + len + TAIL_BYTES;
    let no_key = u64::from(NO_KEY) << (32 + 8 * number_bytes);
    let word = two(record_bytes) | (number | goes_on) << 32 | no_key;
    out[..8].copy_from_slice(&word.to_le_bytes());
    out[lead - 2..lead].copy_from_slice(&two(len).to_le_bytes()[..2]);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The short way and the long way agree where one ends and the other begins.
    #[test]
    fn a_record_is_written_the_same_either_way() {
        for index in [0, 63, 64, 8_191, 8_192, (1 << 20) - 1, 1 << 20] {
            for len in [0, 1, 63, 64, 65, 7_999, 8_000, 8_180, 8_191, 8_192] {
                let inner = inner_bytes(index, len);
                let record_bytes = inner + len + TAIL_BYTES;
                let lead = varint_bytes(record_bytes) + inner;
                assert_eq!(lead_bytes(index, len), lead, "flow {index} of {len}");
                let mut expected = vec![0; lead];
                let at = put_varint(&mut expected, 0, record_bytes) + ATTRIBUTES_TIME;
                let at = put_varint(&mut expected, at, index);
                expected[at] = NO_KEY;
                assert_eq!(put_varint(&mut expected, at + 1, len), lead);
                expected.resize(lead + len, 0x55);
                expected.push(0);
                let mut out = vec![0x55; lead + len + TAIL_BYTES];
                assert_eq!(put_around(&mut out, lead, index, len), out.len());
                assert!(out == expected, "flow {index} of {len}");
            }
        }
    }
}
