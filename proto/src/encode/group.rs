//! Eight words at a time, on processors since Ice Lake and Zen 4: tags and varints are worked out in
//! one register, one instruction moves the bytes that count together (`vpcompressb`), one store
//! writes them. Chosen when the program runs; its twin is `block.rs`, which is for all others.

use archmage::prelude::*;

use super::{Flow, Profile, SECOND_NS, TIMES, Tag, in_seconds, walk};

/// Words of a group.
pub(super) const GROUP: usize = 8;
/// What writing a group may touch: two registers, or word by word three bytes of tag and ten of
/// varint each, stored by eight.
const GROUP_BYTES: usize = 128;
const _: () = assert!(GROUP_BYTES >= GROUP * 13 + 8 && GROUP_BYTES <= super::BLOCK_BYTES);
/// Five groups of seven bits: no more fits beside a tag of three bytes.
const LONGEST: i64 = (1 << 35) - 1;

/// Tags of a group of words.
#[derive(Clone, Copy)]
pub(super) struct GroupTags {
    bytes: [u64; GROUP],
    /// Eight times the tag's length.
    bits: [u64; GROUP],
}

impl GroupTags {
    pub(super) const NONE: Self = Self { bytes: [0; GROUP], bits: [0; GROUP] };

    pub(super) const fn set(&mut self, slot: usize, tag: Tag) {
        self.bytes[slot] = tag.bytes as u64;
        self.bits[slot] = 8 * tag.len as u64;
    }
}

/// Writes the words of `flow` to the front of `out` and answers where they end.
#[arcane(import_intrinsics)]
pub(super) fn put_words(
    token: X64V4xToken,
    profile: &Profile,
    flow: &Flow,
    out: &mut [u8],
) -> usize {
    let mut present = flow.present.words & profile.words_kept;
    let groups = flow.words.as_chunks::<GROUP>().0;
    let mut at = 0;
    for (group, words) in groups.iter().enumerate() {
        if present == 0 {
            break;
        }
        let is_timed = group == 0 && profile.seconds;
        let numbers = match is_timed {
            true => times_in_seconds(token, words),
            false => _mm512_loadu_si512(words),
        };
        let room = out[at..].first_chunk_mut().expect("the slack holds a group");
        let put = put_group(token, &profile.groups[group], numbers, present as u8, room);
        at += put.unwrap_or_else(|| {
            let words = if is_timed { in_seconds(words) } else { *words };
            walk(&profile.words.as_chunks::<GROUP>().0[group], &words, (present as u8).into(), room)
        });
        present >>= GROUP;
    }
    at
}

/// The first words of a row, its times in seconds: put together in the register, since a load waits
/// for stores that are narrower than itself.
#[rite(import_intrinsics)]
fn times_in_seconds(_: X64V4xToken, words: &[u64; GROUP]) -> __m512i {
    let second = |time: usize| (words[TIMES + time] / SECOND_NS) as i64;
    let mut times = [0; GROUP];
    (times[TIMES], times[TIMES + 1], times[TIMES + 2]) = (second(0), second(1), second(2));
    let [a, b, c, d, e, f, g, h] = times;
    let times = _mm512_setr_epi64(a, b, c, d, e, f, g, h);
    _mm512_mask_blend_epi64(0b111 << TIMES, _mm512_loadu_si512(words), times)
}

/// Writes those of `words` that `bits` says are there and answers how many bytes they took; `None` if
/// one has more than 56 bits.
#[rite(import_intrinsics)]
fn put_group(
    token: X64V4xToken,
    tags: &GroupTags,
    words: __m512i,
    bits: u8,
    out: &mut [u8; GROUP_BYTES],
) -> Option<usize> {
    let ones = _mm512_set1_epi64(-1);
    let present = _mm512_mask_test_epi64_mask(bits, words, words);
    // Each byte of the result takes the bits from its own multiple of seven on.
    let from = _mm512_set1_epi64(i64::from_le_bytes([0, 7, 14, 21, 28, 35, 42, 49]));
    let sevens = _mm512_multishift_epi64_epi8(from, words);
    let sevens = _mm512_and_si512(sevens, _mm512_set1_epi8(0x7f));
    // Eight times the number of the last byte that is not zero: all before it go on.
    let last = _mm512_xor_si512(_mm512_lzcnt_epi64(sevens), ones);
    let last = _mm512_and_si512(last, _mm512_set1_epi64(0x38));
    let goes_on = _mm512_andnot_si512(_mm512_sllv_epi64(ones, last), _mm512_set1_epi8(i8::MIN));
    let varints = _mm512_or_si512(sevens, goes_on);

    let tag_bits = _mm512_loadu_si512(&tags.bits);
    let bytes = _mm512_sllv_epi64(varints, tag_bits);
    let bytes = _mm512_or_si512(bytes, _mm512_loadu_si512(&tags.bytes));
    let end = _mm512_add_epi64(_mm512_add_epi64(last, tag_bits), _mm512_set1_epi64(8));
    let unused = _mm512_mask_sllv_epi64(ones, present, ones, end);
    if _mm512_mask_cmpgt_epu64_mask(present, words, _mm512_set1_epi64(LONGEST)) == 0 {
        return Some(put_used(token, bytes, unused, out));
    }
    if _mm512_mask_cmpgt_epu64_mask(present, words, _mm512_set1_epi64((1 << 56) - 1)) != 0 {
        return None;
    }
    // What did not fit stands behind what did: sixteen bytes a word.
    let bits = _mm512_set1_epi64(64);
    let behind = _mm512_srlv_epi64(varints, _mm512_sub_epi64(bits, tag_bits));
    let end = _mm512_sub_epi64(_mm512_max_epu64(end, bits), bits);
    let unused_behind = _mm512_mask_sllv_epi64(ones, present, ones, end);
    let mut at = 0;
    for places in [[0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15_u64]] {
        let places = _mm512_loadu_si512(&places);
        let bytes = _mm512_permutex2var_epi64(bytes, places, behind);
        let unused = _mm512_permutex2var_epi64(unused, places, unused_behind);
        at += put_used(token, bytes, unused, &mut out[at..]);
    }
    Some(at)
}

/// Writes the bytes that are used one behind the other and answers how many they are.
#[rite(import_intrinsics)]
fn put_used(_: X64V4xToken, bytes: __m512i, unused: __m512i, out: &mut [u8]) -> usize {
    let used = _mm512_testn_epi8_mask(unused, unused);
    let room = out.first_chunk_mut::<64>().expect("a register fits");
    _mm512_storeu_si512(room, _mm512_maskz_compress_epi8(used, bytes));
    used.count_ones() as usize
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::encode::{BWNETFLOW, GOFLOW2, ROW_BYTES_MAX, block};
    use crate::twin::any_row;

    proptest! {
        #[test]
        fn the_same_bytes_as_by_blocks(rows in any_row()) {
            let Some(token) = X64V4xToken::summon() else {
                let _ = writeln!(std::io::stderr(), "SKIPPED: this processor has no AVX-512");
                return Ok(());
            };
            let flow = &rows.as_slice()[0];
            for profile in [&BWNETFLOW, &GOFLOW2] {
                let (mut one, mut other) = (vec![0xee; ROW_BYTES_MAX], vec![0xee; ROW_BYTES_MAX]);
                let end = put_words(token, profile, flow, &mut one);
                prop_assert_eq!(end, block::put_words(profile, flow, &mut other));
                prop_assert_eq!(&one[..end], &other[..end]);
            }
        }
    }
}
