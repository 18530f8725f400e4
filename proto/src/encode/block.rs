//! Sixteen words at a time: tag and varint of each are worked out for all of them at once, then each
//! is one store of eight bytes, whether the word is there or not, and the position advances by as
//! many as count: none for what is absent or zero, which proto3 leaves out.
//!
//! Varints of 32 bits at most; who meets a longer number writes the block word by word. Two
//! implementations, the portable one being the other's twin: compilers make of it about twice as
//! many instructions.

use super::{Flow, Profile, Tag, in_seconds, walk};

/// Words of a block.
pub(super) const BLOCK: usize = 16;
/// What a store writes: as much as three bytes of tag and five of varint take.
const STORE: usize = 8;
/// What writing a block may touch, word by word too: three bytes of tag and ten of varint each.
pub(super) const BLOCK_BYTES: usize = BLOCK * (3 + 10) + STORE;

/// Tags of a block of words, as its arithmetic wants them.
#[derive(Clone, Copy)]
pub(super) struct BlockTags {
    bytes: [u64; BLOCK],
    /// Eight times the tag's length.
    bits: [u64; BLOCK],
    /// Of a number of one byte with its tag, by [`lane`].
    lens: [u32; BLOCK],
}

impl BlockTags {
    pub(super) const NONE: Self = Self { bytes: [0; BLOCK], bits: [0; BLOCK], lens: [0; BLOCK] };

    pub(super) const fn set(&mut self, slot: usize, tag: Tag) {
        self.bytes[slot] = tag.bytes as u64;
        self.bits[slot] = 8 * tag.len as u64;
        self.lens[lane(slot)] = tag.len as u32 + 1;
    }
}

/// Where a word stands among the 32-bit numbers of its block: words of four and the four after them
/// take turns, since so they come out of 64-bit ones, and go back, without being moved about.
const fn lane(slot: usize) -> usize {
    let (half, slot) = (slot / 8, slot % 8);
    8 * half + 2 * (slot % 4) + slot / 4
}

/// Blocks of fewer words are walked.
const SPARSE: u32 = 4;

/// Writes the words of `flow` to the front of `out` and answers where they end.
#[inline]
pub(super) fn put_words(profile: &Profile, flow: &Flow, out: &mut [u8]) -> usize {
    let mut present = flow.present.words & profile.words_kept;
    let blocks = flow.words.as_chunks::<BLOCK>().0;
    let mut at = if profile.seconds {
        put(profile, 0, &in_seconds(&blocks[0]), present as u16, out)
    } else {
        put(profile, 0, &blocks[0], present as u16, out)
    };
    let mut rest = blocks.iter().enumerate().skip(1);
    present >>= BLOCK;
    while present != 0 {
        let Some((block, words)) = rest.next() else { break };
        if present as u16 != 0 {
            at += put(profile, block, words, present as u16, &mut out[at..]);
        }
        present >>= BLOCK;
    }
    at
}

#[inline(always)]
fn put(profile: &Profile, block: usize, words: &[u64; BLOCK], bits: u16, out: &mut [u8]) -> usize {
    let room = out.first_chunk_mut().expect("the slack holds a block");
    let is_sparse = bits.count_ones() < SPARSE;
    let put = if is_sparse { None } else { put_block(room, &profile.blocks[block], words, bits) };
    put.unwrap_or_else(|| walk(&profile.words.as_chunks::<BLOCK>().0[block], words, bits, room))
}

/// Writes those of `words` that `bits` says are there to the front of `out` and answers where they
/// end; `None` if one has more than 31 bits.
#[cfg(target_feature = "avx2")]
#[inline(always)]
fn put_block(
    out: &mut [u8; BLOCK_BYTES],
    tags: &BlockTags,
    words: &[u64; BLOCK],
    bits: u16,
) -> Option<usize> {
    avx2::put_block(out, tags, words, bits)
}

/// See there.
#[cfg(not(target_feature = "avx2"))]
use portable::put_block;

#[cfg(target_feature = "avx2")]
mod avx2 {
    use safe_arch::*;

    use super::{BLOCK, BLOCK_BYTES, BlockTags, STORE};

    #[inline(always)]
    pub(super) fn put_block(
        out: &mut [u8; BLOCK_BYTES],
        tags: &BlockTags,
        words: &[u64; BLOCK],
        bits: u16,
    ) -> Option<usize> {
        let bits = set_splat_i32_m256i(bits.into());
        let words = words.as_chunks::<4>().0;
        let (front, lost) = narrow(words[0], words[1], bits, presence(0));
        let (back, also_lost) = narrow(words[2], words[3], bits, presence(8));
        let lost = lost | also_lost;
        if testz_m256i(lost, lost) == 0 {
            return None;
        }
        let end = put_half::<0>(out, 0, tags, front);
        Some(put_half::<8>(out, end, tags, back))
    }

    /// Bits of the words from `first` on, by lane.
    const fn presence(first: usize) -> [u32; 8] {
        let mut bits = [0; 8];
        let mut slot = first;
        while slot < first + 8 {
            bits[super::lane(slot) - first] = 1 << slot;
            slot += 1;
        }
        bits
    }

    /// Eight words as 32-bit numbers, zero for those that are not there; and what of them did not
    /// fit.
    #[inline(always)]
    fn narrow(one: [u64; 4], other: [u64; 4], bits: m256i, of: [u32; 8]) -> (m256i, m256i) {
        let (one, other, of) = (m256i::from(one), m256i::from(other), m256i::from(of));
        let present = cmp_eq_mask_i32_m256i(bits & of, of);
        let low = blend_imm_i32_m256i::<0b1010_1010>(one, shl_imm_u64_m256i::<32>(other));
        let high = blend_imm_i32_m256i::<0b1010_1010>(shr_imm_u64_m256i::<32>(one), other);
        let sign = shr_imm_u32_m256i::<31>(low);
        (low & present, (high | sign) & present)
    }

    /// Writes the eight words from `FIRST` on.
    #[inline(always)]
    fn put_half<const FIRST: usize>(
        out: &mut [u8; BLOCK_BYTES],
        mut end: usize,
        tags: &BlockTags,
        values: m256i,
    ) -> usize {
        let splat = set_splat_i32_m256i;
        // Seven bits to a byte: halves of 14, then bytes.
        let halves = values & splat(0x3fff) | shl_imm_u32_m256i::<2>(values) & splat(0x3fff_0000);
        let groups =
            halves & splat(0x007f_007f) | shl_imm_u32_m256i::<1>(halves) & splat(0x7f00_7f00);
        // Minus the bytes that go on.
        let reaches = |bound: i32| cmp_gt_mask_i32_m256i(values, splat(bound - 1));
        let more = add_i32_m256i(
            add_i32_m256i(reaches(1 << 7), reaches(1 << 14)),
            add_i32_m256i(reaches(1 << 21), reaches(1 << 28)),
        );
        let in_each_byte = shuffle_av_i8z_half_m256i(more, m256i::from(FIRST_BYTE));
        let goes_on =
            cmp_gt_mask_i8_m256i(splat(i32::from_le_bytes([0, !0, !1, !2])), in_each_byte);
        let varints = groups | goes_on & splat(i32::from_le_bytes([0x80, 0x80, 0x80, 0x80]));
        let fifth = shr_imm_u32_m256i::<28>(values);

        let is_zero = cmp_eq_mask_i32_m256i(values, zeroed_m256i());
        let of_tags = m256i::from(*lanes::<_, 8, FIRST>(&tags.lens));
        let lens = bitandnot_m256i(is_zero, sub_i32_m256i(of_tags, more));
        let lens: [u32; 8] = lens.into();

        let low = set_splat_i64_m256i(0xffff_ffff);
        let one = varints & low | shl_imm_u64_m256i::<32>(fifth);
        let other = shr_imm_u64_m256i::<32>(varints) | bitandnot_m256i(low, fifth);
        let with_tags = |varints: m256i, bits: &[u64; 4], bytes: &[u64; 4]| -> [u64; 4] {
            (shl_each_u64_m256i(varints, m256i::from(*bits)) | m256i::from(*bytes)).into()
        };
        let (bits, bytes) = (lanes::<_, 8, FIRST>(&tags.bits), lanes::<_, 8, FIRST>(&tags.bytes));
        let (bits, bytes) = (bits.as_chunks::<4>().0, bytes.as_chunks::<4>().0);
        let stores = [with_tags(one, &bits[0], &bytes[0]), with_tags(other, &bits[1], &bytes[1])];
        for slot in 0..8 {
            // No more than fifteen words stand before; the remainder says so to the compiler.
            let start = end % (BLOCK * STORE);
            out[start..start + STORE].copy_from_slice(&stores[slot / 4][slot % 4].to_le_bytes());
            end += lens[super::lane(slot)] as usize;
        }
        end
    }

    /// The first byte of each number, four times.
    const FIRST_BYTE: [u8; 32] = {
        let mut bytes = [0; 32];
        let mut at = 0;
        while at < 32 {
            bytes[at] = (at % 16 / 4 * 4) as u8;
            at += 1;
        }
        bytes
    };

    /// `LEN` of them from `FIRST` on.
    #[inline(always)]
    fn lanes<T, const LEN: usize, const FIRST: usize>(all: &[T; BLOCK]) -> &[T; LEN] {
        all[FIRST..].first_chunk().expect("a half of them")
    }
}

#[cfg(any(test, not(target_feature = "avx2")))]
mod portable {
    use super::{BLOCK, BLOCK_BYTES, BlockTags, STORE, lane};

    pub(super) fn put_block(
        out: &mut [u8; BLOCK_BYTES],
        tags: &BlockTags,
        words: &[u64; BLOCK],
        bits: u16,
    ) -> Option<usize> {
        let (mut stores, mut lens) = ([0; BLOCK], [0; BLOCK]);
        let mut lost = 0;
        for slot in 0..BLOCK {
            let value = if bits >> slot & 1 == 0 { 0 } else { words[slot] };
            lost |= value >> 31;
            let reaches = |bits: u32| u64::from(value >> bits != 0);
            let groups = value & 0x7f
                | value << 1 & 0x7f00
                | value << 2 & 0x7f_0000
                | value << 3 & 0x7f00_0000
                | value << 4 & 0x7f_0000_0000;
            let goes_on =
                reaches(7) << 7 | reaches(14) << 15 | reaches(21) << 23 | reaches(28) << 31;
            let more = reaches(7) + reaches(14) + reaches(21) + reaches(28);
            stores[slot] = tags.bytes[slot] | (groups | goes_on) << tags.bits[slot];
            lens[slot] = reaches(0) * (u64::from(tags.lens[lane(slot)]) + more);
        }
        if lost != 0 {
            return None;
        }
        let mut end = 0;
        for slot in 0..BLOCK {
            let start = end % (BLOCK * STORE);
            out[start..start + STORE].copy_from_slice(&stores[slot].to_le_bytes());
            end += lens[slot] as usize;
        }
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encode::{BWNETFLOW, GOFLOW2};

    fn any_word() -> impl Strategy<Value = u64> {
        prop_oneof![
            8 => (0..32u32, any::<u64>()).prop_map(|(bits, word)| word & ((1 << bits) - 1)),
            4 => (0..31u32).prop_map(|bit| 1 << bit),
            1 => any::<u64>(),
        ]
    }

    proptest! {
        #[test]
        fn both_write_the_same(
            words in proptest::array::uniform16(any_word()),
            bits in any::<u16>(),
            block in 0..2_usize,
        ) {
            for profile in [&BWNETFLOW, &GOFLOW2] {
                let tags = &profile.blocks[block];
                let (mut one, mut other) = ([0; BLOCK_BYTES], [0; BLOCK_BYTES]);
                let end = put_block(&mut one, tags, &words, bits);
                prop_assert_eq!(end, portable::put_block(&mut other, tags, &words, bits));
                let end = end.unwrap_or(0);
                prop_assert_eq!(&one[..end], &other[..end]);
            }
        }
    }
}
