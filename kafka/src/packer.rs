//! Many flows in one message.
//!
//! A batch that is [`Layout::Delimited`](neckar_proto::Layout) has each flow behind its length already,
//! so flows that stand side by side in it are one message without a copy; others are copied together. Deliberately absent: an age. A
//! message holds flows of one batch, and the batch has one.

use std::ops::Range;

use neckar_proto::Batch;

/// How many of `flows`, from the first one on, fit into a message: at least one.
pub(crate) fn pack_len(batch: &Batch, flows: &[u32], bytes_max: usize) -> usize {
    let mut bytes = 0;
    let fitting = flows.iter().take_while(|flow| {
        bytes += batch.delimited_len(**flow as usize);
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
    let bytes = flows.iter().map(|flow| batch.delimited_len(*flow as usize)).sum();
    let mut copy = Vec::with_capacity(bytes);
    for flow in flows {
        let flow = *flow as usize;
        copy.extend_from_slice(&batch.delimited(flow..flow + 1));
    }
    copy.into_boxed_slice()
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
}
