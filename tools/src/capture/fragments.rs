//! IP fragments put together again, IPv4 and IPv6.
//!
//! In: pieces with the time of their capture. Out: the payload of the packet when its last piece
//! has come, in whatever order. Overlaps are not resolved but refused: "If any of the fragments
//! being reassembled overlap with any other fragments being reassembled for the same packet,
//! reassembly of that packet must be abandoned" (RFC 8200, 4.5; for IPv4 the same is the only safe
//! choice), "except an exact duplicate", which captures of two interfaces do hold.
//!
//! Costs at most [`PACKETS_MAX`] x 64 KiB; what does not become whole within [`AGE_MAX_NS`] is
//! given up and counted.

use std::collections::HashMap;
use std::ops::Range;

use super::ip::{FragmentKey, Piece};

/// Packets in pieces at any time.
const PACKETS_MAX: usize = 256;
/// How long their pieces may lie apart in the capture: 30 s, as Linux waits (`ipfrag_time`).
const AGE_MAX_NS: u64 = 30_000_000_000;
/// "the maximum IP packet size of 65,535 octets" (RFC 8200, 4.5).
const PACKET_BYTES_MAX: usize = 65_535;

/// Packets whose pieces are coming in.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    open: HashMap<FragmentKey, Partial>,
    /// Packets started so far: the one that started first is given up first.
    started: u64,
    abandoned: u64,
}

#[derive(Debug)]
struct Partial {
    number: u64,
    first_ns: u64,
    bytes: Vec<u8>,
    /// What of `bytes` has come: in order, disjoint and not touching.
    ranges: Vec<Range<usize>>,
    /// The packet's length, known from its last piece.
    end: Option<usize>,
    /// It overlapped or was cut. Kept until it is too old, so that its later pieces do not start a
    /// new packet.
    refused: bool,
}

impl Fragments {
    /// Packets given up: pieces missing, overlapping or cut.
    pub(super) fn abandoned(&self) -> u64 {
        self.abandoned + self.open.len() as u64
    }

    /// Adds a piece captured at `now_ns`; the payload of the whole packet if this was the last one
    /// missing.
    pub(super) fn add(
        &mut self,
        key: FragmentKey,
        piece: &Piece<'_>,
        now_ns: u64,
    ) -> Option<Vec<u8>> {
        if self.open.get(&key).is_some_and(|partial| partial.is_old(now_ns)) {
            self.abandon(&key);
        }
        if !self.open.contains_key(&key) {
            self.make_room(now_ns);
            self.started += 1;
        }
        let number = self.started;
        let partial = self.open.entry(key).or_insert_with(|| Partial::new(number, now_ns));
        if !partial.refused && partial.add(piece).is_none() {
            partial.refuse();
        }
        if !partial.is_whole() {
            return None;
        }
        self.open.remove(&key).map(|partial| partial.bytes)
    }

    /// Takes out what is too old, and the oldest if that was not enough.
    fn make_room(&mut self, now_ns: u64) {
        if self.open.len() < PACKETS_MAX {
            return;
        }
        let before = self.open.len();
        self.open.retain(|_, partial| !partial.is_old(now_ns));
        self.abandoned += (before - self.open.len()) as u64;
        if self.open.len() < PACKETS_MAX {
            return;
        }
        let oldest = self.open.iter().min_by_key(|(_, partial)| partial.number);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.abandon(&key);
        }
    }

    fn abandon(&mut self, key: &FragmentKey) {
        self.open.remove(key);
        self.abandoned += 1;
    }
}

impl Partial {
    fn new(number: u64, first_ns: u64) -> Self {
        Self { number, first_ns, bytes: Vec::new(), ranges: Vec::new(), end: None, refused: false }
    }

    fn is_old(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.first_ns) > AGE_MAX_NS
    }

    fn is_whole(&self) -> bool {
        let all = self.end.map(|end| 0..end);
        !self.refused && self.ranges.len() == 1 && self.ranges.first() == all.as_ref()
    }

    fn refuse(&mut self) {
        *self = Self { refused: true, ..Self::new(self.number, self.first_ns) };
    }

    /// `None` if this piece cannot belong to a packet that is what its sender sent.
    fn add(&mut self, piece: &Piece<'_>) -> Option<()> {
        let range = piece.offset..piece.offset + piece.bytes.len();
        // "If the length of a fragment ... is not a multiple of 8 octets and the M flag of that
        // fragment is 1, then that fragment must be discarded" (RFC 8200, 4.5).
        let odd = piece.more && !piece.bytes.len().is_multiple_of(8);
        if piece.cut || odd || range.is_empty() || range.end > PACKET_BYTES_MAX {
            return None;
        }
        let end = if piece.more { self.end } else { Some(range.end) };
        if self.end.is_some_and(|known| end != Some(known) || range.end > known) {
            return None;
        }
        if end.is_some_and(|end| self.bytes.len() > end) {
            return None;
        }
        self.end = end;
        self.insert(range, piece.bytes)
    }

    fn insert(&mut self, range: Range<usize>, bytes: &[u8]) -> Option<()> {
        let next = self.ranges.partition_point(|other| other.end <= range.start);
        if let Some(other) = self.ranges.get(next)
            && other.start < range.end
        {
            let known = other.start <= range.start && range.end <= other.end;
            return (known && self.bytes.get(range)? == bytes).then_some(());
        }
        if self.bytes.len() < range.end {
            self.bytes.resize(range.end, 0);
        }
        self.bytes[range.clone()].copy_from_slice(bytes);
        self.join(next, range);
        Some(())
    }

    /// Puts `range` in front of the range at `next`, grown together with neighbours that it
    /// touches.
    fn join(&mut self, next: usize, mut range: Range<usize>) {
        let mut replaced = next..next;
        if let Some(before) = next.checked_sub(1).and_then(|index| self.ranges.get(index))
            && before.end == range.start
        {
            range.start = before.start;
            replaced.start -= 1;
        }
        if let Some(after) = self.ranges.get(next)
            && after.start == range.end
        {
            range.end = after.end;
            replaced.end += 1;
        }
        self.ranges.splice(replaced, [range]);
    }
}
