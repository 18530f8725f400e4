//! Encoded flows back to back: what a worker hands to Kafka, to files and to the splitter, shared
//! and never copied.

use crate::encode::{self, LABELS_BYTES_MAX, Profile, ROW_BYTES_MAX};
use crate::field::Field;
use crate::flow::Flow;

/// What splitting and counting need of a flow without decoding it again. 0 is "no customer".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Customer on the local side.
    pub cid: u32,
    /// Customer of the source address.
    pub src_cid: u32,
    /// Customer of the destination address.
    pub dst_cid: u32,
}

/// A batch of encoded flows of bounded size. Filled by one worker, then read-only behind an `Arc`,
/// then filled again.
#[derive(Debug)]
pub struct Batch {
    bytes: Box<[u8]>,
    len: usize,
    /// End of each flow in `bytes`; it starts where the one before ends.
    ends: Vec<u32>,
    facts: Vec<Facts>,
    flows_max: usize,
    bytes_max: usize,
    opened_ns: u64,
}

/// Behind `bytes_max`, so that any row fits that starts before: an empty batch takes every row.
const HEADROOM_BYTES: usize = ROW_BYTES_MAX + LABELS_BYTES_MAX;

impl Batch {
    /// Room for `flows_max` flows, none of which starts behind `bytes_max` bytes; allocates it all
    /// now.
    ///
    /// # Panics
    /// If that may end beyond 4 GiB: ends are 32-bit.
    #[must_use]
    pub fn with_capacity(flows_max: usize, bytes_max: usize) -> Self {
        let bytes = bytes_max.saturating_add(HEADROOM_BYTES);
        assert!(u32::try_from(bytes).is_ok(), "a batch is at most 4 GiB");
        Self {
            bytes: vec![0; bytes].into_boxed_slice(),
            len: 0,
            ends: Vec::with_capacity(flows_max),
            facts: Vec::with_capacity(flows_max),
            flows_max,
            bytes_max,
            opened_ns: 0,
        }
    }

    /// Bytes of memory that a batch of this capacity takes: what `budget` adds up.
    #[must_use]
    pub const fn memory_bytes(flows_max: usize, bytes_max: usize) -> usize {
        bytes_max + HEADROOM_BYTES + flows_max * (size_of::<u32>() + size_of::<Facts>())
    }

    /// Notes when the first flow came, in Unix nanoseconds: what its latency is counted from.
    pub fn set_opened_ns(&mut self, now_ns: u64) {
        self.opened_ns = now_ns;
    }

    /// When the first flow came, in Unix nanoseconds; 0 if nobody noted it.
    #[must_use]
    pub fn opened_ns(&self) -> u64 {
        self.opened_ns
    }

    /// Forgets the flows; keeps the memory.
    pub fn clear(&mut self) {
        self.opened_ns = 0;
        self.len = 0;
        self.ends.clear();
        self.facts.clear();
    }

    /// Encodes `flow` behind the others. `false`, and nothing changed, if the batch is full; an
    /// empty one is not.
    ///
    /// # Panics
    /// If the labels are longer than [`LABELS_BYTES_MAX`], which tables are held to.
    #[inline]
    pub fn push(&mut self, profile: &Profile, flow: &Flow, texts: &[u8], labels: &[&[u8]]) -> bool {
        if self.ends.len() >= self.flows_max || self.len > self.bytes_max {
            return false;
        }
        self.len += encode::encode(profile, flow, texts, labels, &mut self.bytes[self.len..]);
        self.ends.push(self.len as u32);
        self.facts.push(Facts {
            cid: flow.word_or_zero(Field::Cid) as u32,
            src_cid: flow.word_or_zero(Field::SrcCid) as u32,
            dst_cid: flow.word_or_zero(Field::DstCid) as u32,
        });
        true
    }

    /// How many flows it holds.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Does it hold none?
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All flows' bytes, one behind the other.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The bytes of flow `index`.
    ///
    /// # Panics
    /// If there is no such flow.
    #[inline]
    #[must_use]
    pub fn flow(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.bytes[start..self.ends[index] as usize]
    }

    /// The flows in order.
    pub fn flows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.flow(index))
    }

    /// What splitting and counting need of each flow, in order.
    #[inline]
    #[must_use]
    pub fn facts(&self) -> &[Facts] {
        &self.facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::BWNETFLOW;

    #[test]
    #[should_panic(expected = "at most 4 GiB")]
    fn the_headroom_counts_among_the_4_gib() {
        drop(Batch::with_capacity(1, u32::MAX as usize));
    }

    #[test]
    fn an_empty_batch_takes_a_row_with_the_longest_labels() {
        let mut batch = Batch::with_capacity(2, 16);
        let (flow, label) = (Flow::default(), vec![0; LABELS_BYTES_MAX]);
        assert!(batch.push(&BWNETFLOW, &flow, &[], &[&label]));
        assert!(!batch.push(&BWNETFLOW, &flow, &[], &[]), "now it is full");
        assert_eq!((batch.len(), batch.bytes().len()), (1, LABELS_BYTES_MAX));
    }
}
