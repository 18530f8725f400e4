//! Receive buffers that the kernel picks from by itself: memory, and the ring through which buffers
//! are given to it.
//!
//! ```text
//! ring:   [ addr len bid | addr len bid | ... ]   written by us, read by the kernel up to `tail`
//! memory: [ buffer 0 | buffer 1 | ... | buffer COUNT-1 ]
//! ```
//! A buffer belongs to the kernel from `give` until a completion names it, and to us from then
//! until it is given again.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

/// Buffers of a worker; a power of two, as the ring demands.
pub(super) const COUNT: usize = 256;
/// A coalesced bundle is at most 64 KiB, with room for the header that the kernel puts before it.
/// Pages that nothing is written to cost address space only.
pub(super) const BYTES: usize = (64 << 10) + 256;
/// The only group of buffers of a ring.
pub(super) const GROUP: u16 = 0;

const PAGE: usize = 4096;

/// Memory mapped from the kernel, zeroed, page-aligned, unmapped on drop.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is memory without ties to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        let len = len.next_multiple_of(PAGE);
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches no memory of
        // ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this length, and nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// The buffers of one ring.
pub(super) struct Buffers {
    ring: Mapping,
    memory: Mapping,
    tail: u16,
}

impl Buffers {
    /// Maps the memory. Dropped after the `IoUring` that they were registered with: the kernel
    /// writes until that is gone.
    pub(super) fn new() -> io::Result<Self> {
        let ring = Mapping::new(COUNT * size_of::<BufRingEntry>())?;
        Ok(Self { ring, memory: Mapping::new(COUNT * BYTES)?, tail: 0 })
    }

    /// Registers them with a ring and gives all of them to the kernel.
    pub(super) fn register(&mut self, uring: &IoUring) -> io::Result<()> {
        let address = self.ring.start.as_ptr() as u64;
        // SAFETY: the mapping is page-aligned and holds COUNT entries; its owner drops the
        // `IoUring` before it.
        unsafe { uring.submitter().register_buf_ring_with_flags(address, COUNT as u16, GROUP, 0) }?;
        for id in 0..COUNT as u16 {
            self.give(id);
        }
        Ok(())
    }

    /// The first `len` bytes of a buffer that a completion named.
    #[inline]
    pub(super) fn content(&self, id: u16, len: usize) -> &[u8] {
        let offset = usize::from(id) % COUNT * BYTES;
        // SAFETY: `offset` is below COUNT * BYTES, the length of the mapping.
        let start = unsafe { self.memory.start.as_ptr().add(offset) };
        // SAFETY: `len` is cut to the buffer's length, so the slice lies in the mapping; the kernel
        // does not write to the buffer until it is given again, for which `give` needs
        // `&mut self`.
        unsafe { std::slice::from_raw_parts(start, len.min(BYTES)) }
    }

    /// Gives a buffer to the kernel.
    #[inline]
    pub(super) fn give(&mut self, id: u16) {
        let offset = usize::from(id) % COUNT * BYTES;
        let address = self.memory.start.as_ptr() as u64 + offset as u64;
        let ring = self.ring.start.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the index is below COUNT, the number of entries in the mapping.
        let entry = unsafe { ring.add(usize::from(self.tail) % COUNT) };
        // SAFETY: the entry is ours to write: the kernel reads entries only below the tail that is
        // published below, and of those this one was consumed, since there are as many
        // entries as buffers.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address);
        entry.set_len(BYTES as u32);
        entry.set_bid(id % COUNT as u16);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the ring's first entry exists; the tail lies in its reserved half-word.
        let tail = unsafe { BufRingEntry::tail(ring) };
        // SAFETY: the half-word is aligned, in our mapping, and shared with the kernel only, which
        // reads it atomically.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: pairs with the kernel's acquire load of the tail; the entry's fields are written
        // before it is seen.
        tail.store(self.tail, Ordering::Release);
    }
}
