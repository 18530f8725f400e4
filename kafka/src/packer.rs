//! Many flows in one message.
//!
//! A batch has each flow behind its length already, so flows that stand side by side in it are one
//! message without a copy; those that do not are copied together. Deliberately absent: an age. A
//! message holds flows of one batch, and the batch has one; a [`Packer`] is as old as its caller
//! lets it be.

use std::ops::Range;

use neckar_proto::Batch;

/// How many of `flows`, from the first one on, fit into a message: at least one.
pub(crate) fn pack_len(batch: &Batch, flows: &[u32], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fitting = flows.iter().take_while(|flow| {
        bytes += delimited(batch, **flow).len();
        bytes <= bytes_max
    });
    fitting.count().clamp(1, flows.len().max(1))
}

/// The flows as a range, if they stand side by side.
pub(crate) fn side_by_side(flows: &[u32]) -> Option<Range<usize>> {
    let (first, last) = (*flows.first()? as usize, *flows.last()? as usize);
    // They come in rising order, each once: what they span is then what they are.
    (last.checked_sub(first)? + 1 == flows.len()).then_some(first..last + 1)
}

/// The flows copied together.
pub(crate) fn together(batch: &Batch, flows: &[u32]) -> Box<[u8]> {
    let bytes = flows.iter().map(|flow| delimited(batch, *flow).len()).sum();
    let mut copy = Vec::with_capacity(bytes);
    for flow in flows {
        copy.extend_from_slice(delimited(batch, *flow));
    }
    copy.into_boxed_slice()
}

fn delimited(batch: &Batch, flow: u32) -> &[u8] {
    batch.delimited(flow as usize..flow as usize + 1)
}

/// Flows of many batches copied into one message: for a topic that gets a few of each batch.
#[derive(Debug)]
pub struct Packer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) flows: u64,
    pub(crate) opened_ns: u64,
    bytes_max: usize,
}

impl Packer {
    /// An empty one, for messages of at most so many bytes; a flow that is longer goes alone.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), flows: 0, opened_ns: 0, bytes_max }
    }

    /// Takes the flow. `false`, and nothing changed, if the message is full: submit it first.
    ///
    /// # Panics
    /// If the batch has no such flow.
    pub fn push(&mut self, batch: &Batch, flow: u32) -> bool {
        let flow = delimited(batch, flow);
        if self.flows > 0 && self.bytes.len() + flow.len() > self.bytes_max {
            return false;
        }
        if self.flows == 0 {
            self.opened_ns = batch.opened_ns();
        }
        self.bytes.extend_from_slice(flow);
        self.flows += 1;
        true
    }

    /// How many flows it holds.
    #[must_use]
    pub fn flows(&self) -> u64 {
        self.flows
    }

    /// How many bytes its message has.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// When the batch of its first flow was opened, in Unix nanoseconds: its age is the caller's to
    /// judge. 0 if it is empty.
    #[must_use]
    pub fn opened_ns(&self) -> u64 {
        self.opened_ns
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.flows = 0;
        self.opened_ns = 0;
    }
}

#[cfg(test)]
mod tests {
    use neckar_proto::encode::BWNETFLOW;
    use neckar_proto::{Field, Flow};

    use super::*;

    /// Flows of 2 bytes, 3 with their length.
    fn batch(flows: u64) -> Batch {
        let mut batch = Batch::with_capacity(16, 1 << 12);
        for index in 0..flows {
            let mut flow = Flow::default();
            flow.set(Field::Bytes, 1 + index);
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
        }
        batch
    }

    #[test]
    fn a_pack_is_as_long_as_it_may_be_and_never_empty() {
        let batch = batch(5);
        let flows = [0, 1, 3, 4];
        for (bytes_max, expected) in [(0, 1), (3, 1), (5, 1), (6, 2), (11, 3), (12, 4), (99, 4)] {
            assert_eq!(pack_len(&batch, &flows, bytes_max), expected, "{bytes_max}");
        }
    }

    #[test]
    fn only_neighbours_stand_side_by_side() {
        assert_eq!(side_by_side(&[]), None);
        assert_eq!(side_by_side(&[3]), Some(3..4));
        assert_eq!(side_by_side(&[3, 4, 5]), Some(3..6));
        assert_eq!(side_by_side(&[3, 5]), None);
    }

    #[test]
    fn a_packer_takes_flows_of_several_batches() {
        let (mut one, other) = (batch(3), batch(1));
        one.set_opened_ns(77);
        let mut packer = Packer::new(9);
        assert!(packer.push(&one, 0) && packer.push(&one, 2) && packer.push(&other, 0));
        assert!(!packer.push(&other, 0), "it is full");
        assert_eq!((packer.flows(), packer.opened_ns()), (3, 77));
        assert_eq!(packer.bytes, [2, 9 << 3, 1, 2, 9 << 3, 3, 2, 9 << 3, 1]);
        packer.clear();
        assert_eq!((packer.flows(), packer.opened_ns()), (0, 0));
        let mut small = Packer::new(1);
        assert!(small.push(&one, 0), "longer than the bound, alone");
    }
}
