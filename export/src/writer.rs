//! Big-endian output into a slice of fixed size: all four protocols are big-endian, and none needs
//! more.

/// Writes numbers and bytes one behind the other.
///
/// Every method panics if the slice is full: lengths are the caller's to compute beforehand.
#[derive(Debug)]
pub struct Writer<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// Writes to the front of `bytes`.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.at
    }

    /// Is nothing written yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// Appends bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
        self
    }

    /// Appends 8 bits.
    #[inline]
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes(&[value])
    }

    /// Appends 16 bits.
    #[inline]
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends 32 bits.
    #[inline]
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends 64 bits.
    #[inline]
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    /// Appends the low `len` bytes of `value`, at most 8.
    #[inline]
    pub fn integer(&mut self, value: u64, len: usize) -> &mut Self {
        self.bytes(&value.to_be_bytes()[8 - len..])
    }

    /// Appends zeros until the length is a multiple of four.
    pub fn pad(&mut self) -> &mut Self {
        let len = self.at.next_multiple_of(4) - self.at;
        self.bytes(&[0; 3][..len])
    }

    /// Overwrites 16 bits written before: lengths and counts that are known only at the end.
    pub fn set_u16(&mut self, at: usize, value: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
}
