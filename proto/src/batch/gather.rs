//! A batch of flows that are encoded already, gathered from others: for whoever gets a few of each.

use super::{Batch, Place};

/// The least that an empty one grows to.
const BYTES_MIN: usize = 4096;

impl Batch {
    /// A batch that grows with what is [`Batch::append`]ed to it, and takes `bytes` of memory once a flow
    /// comes; nothing can be [`Batch::push`]ed.
    #[must_use]
    pub fn growing(bytes: usize) -> Self {
        Self {
            layout: super::Layout::Delimited,
            bytes: Vec::new(),
            len: 0,
            places: Vec::new(),
            lead: 1,
            facts: Vec::new(),
            keying: super::Keying::None,
            keys: Vec::new(),
            flows_max: 0,
            bytes_max: bytes,
            opened_ns: 0,
        }
    }

    /// One that has grown, empty, laid out so, in the same memory.
    #[must_use]
    pub fn grown_anew(mut self, layout: super::Layout) -> Self {
        self.bytes.clear();
        self.laid_out(layout)
    }

    /// Bytes of memory for flows.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Copies flow `index` of `other` behind its own flows, without its key and its [`Facts`]. The first
    /// one's time is its time.
    ///
    /// # Panics
    /// If there is no such flow, or the batch would be longer than 4 GiB.
    pub fn append(&mut self, other: &Self, index: usize) {
        let flow = other.flow(index);
        let number = self.places.len();
        let lead = self.layout.lead_bytes(number, flow.len());
        let start = self.len + lead;
        let behind = start + flow.len();
        let end = behind + self.layout.tail_bytes();
        assert!(u32::try_from(end).is_ok(), "a batch is at most 4 GiB");
        if end > self.bytes.capacity() {
            self.grow(end);
        }
        if self.places.is_empty() {
            self.opened_ns = other.opened_ns;
        }
        self.bytes.resize(start, 0);
        self.bytes.extend_from_slice(flow);
        self.bytes.resize(end, 0);
        self.layout.put_around(&mut self.bytes[self.len..], lead, number, flow.len());
        self.len = end;
        self.places.push(Place { start: start as u32, end: behind as u32 });
    }

    /// The same flows with their keys, each behind its length.
    #[must_use]
    pub fn delimit(&self) -> Self {
        let mut copy = Self::growing(self.len);
        (0..self.len()).for_each(|index| copy.append(self, index));
        copy.keying = self.keying;
        copy.keys.clone_from(&self.keys);
        copy.facts.clone_from(&self.facts);
        copy
    }

    /// Makes room for `end` bytes and, the first time, for as many flows as may be expected.
    #[cold]
    fn grow(&mut self, end: usize) {
        let capacity = end.max(2 * self.bytes.capacity()).max(self.bytes_max).max(BYTES_MIN);
        if self.bytes.is_empty() {
            self.places.reserve(capacity / end + 1);
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::BWNETFLOW;
    use crate::{Field, Flow, Layout};

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
        let mut gathered = Batch::growing(0);
        assert!(gathered.is_empty());
        assert!(!gathered.push(&BWNETFLOW, &Flow::default(), &[], &[]), "only by append");
        for index in 0..600 {
            gathered.append(&others[index % 2], index);
        }
        assert_eq!((gathered.len(), gathered.opened_ns()), (600, 10));
        for index in 0..600 {
            let other = &others[index % 2];
            assert_eq!(gathered.flow(index), other.flow(index));
        }
        assert_eq!(gathered.delimited(0..600), gathered.bytes());

        for layout in [Layout::Delimited, Layout::Records] {
            let mut first = Batch::growing(0).laid_out(layout);
            (0..600).for_each(|index| first.append(&others[index % 2], index));
            assert!(first.flows().eq(gathered.flows()));
            let mut next = Batch::growing(first.bytes().len()).laid_out(layout);
            assert!(next.is_empty() && next.capacity() == 0, "nothing is taken before a flow");
            (0..600).for_each(|index| next.append(&others[index % 2], index));
            assert_eq!((next.bytes(), next.layout()), (first.bytes(), layout));
            assert_eq!(next.capacity(), first.bytes().len(), "it had room at once");
            let mut anew = gathered.delimit().grown_anew(layout);
            (0..600).for_each(|index| anew.append(&others[index % 2], index));
            assert_eq!(anew.bytes(), first.bytes());
        }
    }
}
