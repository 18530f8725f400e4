//! What our encoder writes, read by what is known of it: numbers stand in front, 64 bytes of which tell by their
//! top bits where each ends, so none waits for the one before; behind them are bytes with short tags and lengths.
//!
//! Both loops stop where something else comes; [`Fields::read`](super::Fields::read), their slow twin, goes on
//! from there. They may look behind the message's end, and tell where they came to.

use super::{LEN, NUMBERS, SLICE_PLACES, VARINT, WORD_PLACES, place, varint};

/// Bytes whose ends are found at once: as many as eight numbers with their tags have, since none has more than
/// eight here.
const WINDOW: usize = 64;
const FIELDS: usize = 8;
/// As far as eight bytes at any of them reach.
const REACH: usize = WINDOW + 8;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Reads the numbers that `bytes` begin with; answers where they end. Never inline: it needs all registers.
#[inline(never)]
pub(super) fn numbers(bytes: &[u8], words: &mut [u64; 32]) -> usize {
    let mut at = 0;
    'windows: while let Some(window) = bytes.get(at..).and_then(<[u8]>::first_chunk::<REACH>) {
        let mut ends = ends(window);
        let mut start = 0;
        for _ in 0..FIELDS {
            // Behind the end of a tag the end of its value; without one the field is too long.
            let of_values = ends & ends.wrapping_sub(1);
            let end = of_values.trailing_zeros() as usize;
            let len = end + 1 - start;
            let word = load(window, start);
            let joined = extract(word, low(!TOPS, 8 * len as u32));
            // A tag of one byte or of two.
            let two = word >> 7 & 1;
            let bits = 7 << two;
            let key = low(joined, bits);
            let is_short = ends >> (start as u64 + two) & 1 == 1 && len <= 8;
            if key & 7 != u64::from(VARINT) {
                return at + start;
            }
            if !is_short {
                at += start;
                match long_number(&bytes[at..], words) {
                    Some(len) => at += len,
                    None => return at,
                }
                continue 'windows;
            }
            let place = WORD_PLACES[key as usize >> 3 & (NUMBERS - 1)];
            words[usize::from(place) & 31] = joined >> bits;
            start = end + 1;
            ends = of_values & of_values.wrapping_sub(1);
        }
        at += start;
    }
    at
}

/// Reads one that is longer, and answers how long: a time in nanoseconds has nine bytes, a number of our own a tag
/// of three.
#[inline(never)]
fn long_number(bytes: &[u8], words: &mut [u64; 32]) -> Option<usize> {
    let mut rest = bytes;
    let key = varint(&mut rest)? as u32;
    let value = varint(&mut rest)?;
    if key & 7 != VARINT {
        return None;
    }
    words[place(&WORD_PLACES, key >> 3) & 31] = value;
    Some(bytes.len() - rest.len())
}

#[inline(always)]
fn load(window: &[u8; REACH], at: usize) -> u64 {
    // Ends are found in the window, so tags begin there.
    window[at % WINDOW..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Reads what stands behind lengths from `at` to `end`; answers where it ends.
#[inline(never)]
pub(super) fn slices<'a>(
    bytes: &'a [u8],
    (mut at, end): (usize, usize),
    slices: &mut [&'a [u8]; 16],
) -> usize {
    while at < end {
        let Some(head) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { return at };
        let head = u64::from_le_bytes(*head);
        // A tag of one or two bytes, and a length of one.
        let (number, len, start, is_short) = if head & 0x80 == 0 {
            (head >> 3 & 0xf, head >> 8 & 0xff, at + 2, head & 0x8007 == u64::from(LEN))
        } else {
            let number = head >> 3 & 0xf | head >> 4 & 0x7f0;
            (number, head >> 16 & 0xff, at + 3, head & 0x80_8007 == u64::from(LEN))
        };
        if !is_short {
            match long_slice(&bytes[at..], slices) {
                Some(len) => at += len,
                None => return at,
            }
            continue;
        }
        let Some(slice) = bytes.get(start..start + len as usize) else { return at };
        slices[usize::from(SLICE_PLACES[number as usize]) & 15] = slice;
        at = start + len as usize;
    }
    at
}

/// Reads one with a longer tag or length, and answers how long all of it is.
#[inline(never)]
fn long_slice<'a>(bytes: &'a [u8], slices: &mut [&'a [u8]; 16]) -> Option<usize> {
    let mut rest = bytes;
    let key = varint(&mut rest)? as u32;
    if key & 7 != LEN {
        return None;
    }
    let len = usize::try_from(varint(&mut rest)?).ok()?;
    let (slice, after) = rest.split_at_checked(len)?;
    slices[place(&SLICE_PLACES, key >> 3) & 15] = slice;
    Some(bytes.len() - after.len())
}

#[cfg(not(all(target_feature = "avx2", target_feature = "bmi2")))]
use portable::{ends, extract, low};
#[cfg(all(target_feature = "avx2", target_feature = "bmi2"))]
use x86::{ends, extract, low};

/// What the loops do with bits, by the instructions for it.
#[cfg(all(target_feature = "avx2", target_feature = "bmi2"))]
mod x86 {
    use super::{REACH, WINDOW};

    /// The lowest `bits` of `word`.
    #[inline(always)]
    pub(super) fn low(word: u64, bits: u32) -> u64 {
        safe_arch::bit_zero_high_index_u64(word, bits)
    }

    /// The bits of `word` that `mask` says, side by side.
    #[inline(always)]
    pub(super) fn extract(word: u64, mask: u64) -> u64 {
        safe_arch::population_extract_u64(word, mask)
    }

    /// Bit by bit, which bytes of a window are the last of a number: those without a top bit.
    #[inline(always)]
    pub(super) fn ends(window: &[u8; REACH]) -> u64 {
        const HALF: usize = WINDOW / 2;
        let halves = window.as_chunks::<HALF>().0;
        let tops = |half: [u8; HALF]| u64::from(safe_arch::move_mask_i8_m256i(half.into()) as u32);
        !(tops(halves[1]) << HALF | tops(halves[0]))
    }
}

/// The same without, and the other's twin.
#[cfg(any(test, not(all(target_feature = "avx2", target_feature = "bmi2"))))]
mod portable {
    use super::{REACH, TOPS, WINDOW};

    #[inline(always)]
    pub(super) fn low(word: u64, bits: u32) -> u64 {
        word & u64::MAX.wrapping_shr(64_u32.wrapping_sub(bits))
    }

    /// Of groups of seven bits in bytes: three steps close the gaps.
    #[inline(always)]
    pub(super) fn extract(word: u64, mask: u64) -> u64 {
        let word = word & mask;
        let word = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
        let word = word & 0x0000_3fff_0000_3fff | (word & 0x3fff_0000_3fff_0000) >> 2;
        word & 0x0fff_ffff | (word & 0x0fff_ffff_0000_0000) >> 4
    }

    /// Eight at a time: a product moves their top bits side by side.
    #[inline(always)]
    pub(super) fn ends(window: &[u8; REACH]) -> u64 {
        let tops = |eight: &[u8; 8]| {
            (u64::from_le_bytes(*eight) & TOPS).wrapping_mul(0x0002_0408_1020_4081) >> 56
        };
        let eights = window[..WINDOW].as_chunks::<8>().0.iter().rev();
        !eights.fold(0, |ends, eight| ends << 8 | tops(eight))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_do_the_same_with_bits(
            bytes in prop::collection::vec(any::<u8>(), REACH),
            word in any::<u64>(),
            len in 1_u32..=8,
        ) {
            let window = bytes.first_chunk().expect("as many");
            prop_assert_eq!(ends(window), portable::ends(window));
            prop_assert_eq!(low(word, 8 * len), portable::low(word, 8 * len));
            let mask = low(!TOPS, 8 * len);
            prop_assert_eq!(extract(word, mask), portable::extract(word, mask));
        }
    }
}
