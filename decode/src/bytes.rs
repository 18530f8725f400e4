//! Big-endian reads that cannot fail loudly: out of bounds is `None`.

/// The 16-bit number at `at`.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_be_bytes(*chunk))
}

/// The 32-bit number at `at`.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_be_bytes(*chunk))
}

/// The eight bytes that end before `end` as one number: a value of any width up to eight with
/// whatever stands before it, which the caller masks away. One load whatever the width is.
#[inline(always)]
pub(crate) fn tail(bytes: &[u8], end: usize) -> Option<u64> {
    bytes.get(end.wrapping_sub(8)..)?.first_chunk().map(|chunk| u64::from_be_bytes(*chunk))
}

/// An integer of 1 to 8 bytes; other widths hold no integer.
#[inline]
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > 8 {
        return None;
    }
    Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// All ones in the low `bits`.
#[inline]
pub(crate) const fn low_bits(bits: u32) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(u16_at(&bytes, 7), Some(0x0809));
        assert_eq!(u16_at(&bytes, 8), None);
        assert_eq!(u32_at(&bytes, 5), Some(0x0607_0809));
        assert_eq!(u32_at(&bytes, usize::MAX), None);
        assert_eq!(tail(&bytes, 9), Some(0x0203_0405_0607_0809));
        assert_eq!(tail(&bytes, 7), None);
        assert_eq!(tail(&bytes, 10), None);
    }

    #[test]
    fn numbers_have_one_to_eight_bytes() {
        assert_eq!(number(&[]), None);
        assert_eq!(number(&[0xfe]), Some(254));
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0xfe]), Some(0xff_ffff_fffe));
        assert_eq!(number(&[0xff; 8]), Some(u64::MAX));
        assert_eq!(number(&[0; 9]), None);
    }
}
