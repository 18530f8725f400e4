//! A batch of flows that are encoded already, gathered from others: for whoever gets a few of each.

use super::{Batch, Place, put_length, varint_bytes};

/// The least that an empty one grows to.
const BYTES_MIN: usize = 4096;

impl Batch {
    /// A batch that takes no memory and grows with what is [`Batch::append`]ed to it; nothing can be
    /// [`Batch::push`]ed.
    #[must_use]
    pub fn growing() -> Self {
        Self {
            layout: super::Layout::Delimited,
            bytes: Box::default(),
            len: 0,
            places: Vec::new(),
            lead: 1,
            facts: Vec::new(),
            keying: super::Keying::None,
            keys: Vec::new(),
            flows_max: 0,
            bytes_max: 0,
            opened_ns: 0,
        }
    }

    /// The same, which takes as much room as `other` has used once a flow comes.
    #[must_use]
    pub fn growing_like(other: &Self) -> Self {
        Self { bytes_max: other.len, ..Self::growing() }
    }

    /// Copies flow `index` of `other` behind its own flows, behind its length, without its key.
    /// The first one's time is its time.
    ///
    /// # Panics
    /// If there is no such flow, or the batch would be longer than 4 GiB.
    pub fn append(&mut self, other: &Self, index: usize) {
        let flow = other.flow(index);
        let start = self.len + varint_bytes(flow.len());
        let end = start + flow.len();
        assert!(u32::try_from(end).is_ok(), "a batch is at most 4 GiB");
        if end > self.bytes.len() {
            self.grow(end);
        }
        if self.places.is_empty() {
            self.opened_ns = other.opened_ns;
        }
        put_length(&mut self.bytes[self.len..start], flow.len(), start - self.len);
        self.bytes[start..end].copy_from_slice(flow);
        self.len = end;
        self.places.push(Place { start: start as u32, end: end as u32 });
        self.facts.push(other.facts[index]);
    }

    /// The same flows with their keys, each behind its length.
    #[must_use]
    pub fn delimit(&self) -> Self {
        let mut copy = Self::growing_like(self);
        (0..self.len()).for_each(|index| copy.append(self, index));
        copy.keying = self.keying;
        copy.keys.clone_from(&self.keys);
        copy
    }

    /// Makes room for `end` bytes and, the first time, for as many flows as may be expected.
    #[cold]
    fn grow(&mut self, end: usize) {
        if self.bytes.is_empty() {
            let flows = self.bytes_max / end.max(1) + 1;
            self.places.reserve(flows);
            self.facts.reserve(flows);
        }
        let mut bytes = std::mem::take(&mut self.bytes).into_vec();
        bytes.resize(end.max(2 * bytes.len()).max(self.bytes_max).max(BYTES_MIN), 0);
        self.bytes = bytes.into_boxed_slice();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::BWNETFLOW;
    use crate::{Facts, Field, Flow};

    #[test]
    fn flows_of_several_batches_come_together_as_they_were() {
        let mut others = Vec::new();
        for first in [10, 20] {
            let mut batch = Batch::with_capacity(600, 64 << 10);
            batch.set_opened_ns(first);
            for bytes in first..first + 600 {
                let mut flow = Flow::default();
                flow.set(Field::Bytes, bytes);
                flow.set(Field::SrcCid, bytes);
                assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
            }
            others.push(batch);
        }
        let mut gathered = Batch::growing();
        assert!(gathered.is_empty());
        assert!(!gathered.push(&BWNETFLOW, &Flow::default(), &[], &[]), "only by append");
        for index in 0..600 {
            gathered.append(&others[index % 2], index);
        }
        assert_eq!((gathered.len(), gathered.opened_ns()), (600, 10));
        for index in 0..600 {
            let other = &others[index % 2];
            assert_eq!(gathered.flow(index), other.flow(index));
            assert_eq!(gathered.facts()[index], other.facts()[index]);
        }
        assert_eq!(gathered.facts()[0], Facts { src_cid: 10, ..Facts::default() });
        assert_eq!(gathered.delimited(0..600), gathered.bytes());

        let mut next = Batch::growing_like(&gathered);
        assert!(next.is_empty() && next.bytes.is_empty(), "nothing is taken before a flow comes");
        (0..600).for_each(|index| next.append(&others[index % 2], index));
        assert_eq!(next.bytes(), gathered.bytes());
        assert_eq!(next.bytes.len(), gathered.bytes().len(), "it had room at once");
    }
}
