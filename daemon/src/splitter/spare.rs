//! Memory that customers' copies have been in, for the next ones: the system clears each page that it
//! hands out, which costs more than writing the copies.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use neckar_proto::{Batch, Layout};

/// The smallest size, and how many there are, each twice the one before.
const LEAST_BYTES: usize = 4 << 10;
const SIZES: usize = 8;
/// Batches looked at for one that is free.
const TRIES: usize = 4;
/// What nobody wanted for so long goes back to the system.
const KEPT: Duration = Duration::from_secs(5);

/// Batches that were sent, by size, those that are free soonest more or less at the front.
#[derive(Debug)]
pub(super) struct Spare {
    sent: [VecDeque<Sent>; SIZES],
    bytes: usize,
    bytes_max: usize,
    now: Instant,
}

/// Kafka lets go of it before long, as a rule.
#[derive(Debug)]
struct Sent {
    batch: Arc<Batch>,
    at: Instant,
}

impl Spare {
    /// Keeps so many bytes at most.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { sent: Default::default(), bytes: 0, bytes_max, now: Instant::now() }
    }

    /// An empty batch that grows, with room for `bytes` if that is known.
    pub(super) fn take(&mut self, bytes: usize, layout: Layout) -> Batch {
        let size = size_for(bytes);
        if let Some(all) = self.sent.get_mut(size) {
            for _ in 0..TRIES.min(all.len()) {
                let Some(mut sent) = all.pop_front() else { break };
                match Arc::try_unwrap(sent.batch) {
                    Ok(batch) => {
                        self.bytes -= batch.capacity();
                        return batch.grown_anew(layout);
                    }
                    // Kafka has it: just sent, or for a topic that is slow.
                    Err(batch) => sent.batch = batch,
                }
                all.push_back(sent);
            }
        }
        Batch::growing(LEAST_BYTES << size.min(SIZES - 1)).laid_out(layout)
    }

    /// Keeps one that is being sent.
    pub(super) fn keep(&mut self, batch: &Arc<Batch>) {
        let (bytes, size) = (batch.capacity(), size_of(batch.capacity()));
        if let Some(sent) = self.sent.get_mut(size)
            && self.bytes + bytes <= self.bytes_max
        {
            self.bytes += bytes;
            sent.push_back(Sent { batch: Arc::clone(batch), at: self.now });
        }
    }

    /// Gives back what is old, and takes `now` for what is sent until the next call.
    pub(super) fn tend(&mut self, now: Instant) {
        self.now = now;
        for sent in &mut self.sent {
            sent.retain(|sent| {
                let is_wanted = now.duration_since(sent.at) <= KEPT;
                self.bytes -= if is_wanted { 0 } else { sent.batch.capacity() };
                is_wanted
            });
        }
    }
}

/// The size that has room for so many bytes; `SIZES` if none has.
fn size_for(bytes: usize) -> usize {
    let steps = bytes.div_ceil(LEAST_BYTES).max(1).next_power_of_two().ilog2();
    (steps as usize).min(SIZES)
}

/// The size of a capacity.
fn size_of(capacity: usize) -> usize {
    (capacity / LEAST_BYTES).checked_ilog2().map_or(SIZES, |steps| steps as usize)
}

#[cfg(test)]
mod tests {
    use neckar_proto::encode::BWNETFLOW;
    use neckar_proto::{Field, Flow};

    use super::*;

    fn fill(batch: &mut Batch, flows: usize) {
        let mut one = Batch::with_capacity(1, 1000);
        let mut flow = Flow::default();
        flow.set(Field::Bytes, 7);
        assert!(one.push(&BWNETFLOW, &flow, &[], &[]));
        (0..flows).for_each(|_| batch.append(&one, 0));
    }

    /// One that was sent, and where its memory lies.
    fn sent(spare: &mut Spare, bytes: usize) -> (Arc<Batch>, *const u8) {
        let mut batch = spare.take(bytes, Layout::Records);
        fill(&mut batch, 100);
        let memory = batch.bytes().as_ptr();
        let batch = Arc::new(batch);
        spare.keep(&batch);
        (batch, memory)
    }

    #[test]
    fn memory_comes_back_once_it_is_let_go() {
        let mut spare = Spare::new(1 << 20);
        let (batch, memory) = sent(&mut spare, 5000);
        drop(batch);
        assert_eq!(spare.take(3000, Layout::Records).capacity(), 0, "another size");
        let mut next = spare.take(5000, Layout::Delimited);
        assert!(next.is_empty() && next.layout() == Layout::Delimited && spare.bytes == 0);
        fill(&mut next, 100);
        assert_eq!((next.bytes().as_ptr(), next.len(), next.capacity()), (memory, 100, 8192));
        assert_eq!(next.flow(99), next.flow(0));
        let (_held, memory) = sent(&mut spare, 5000);
        let (_, other) = sent(&mut spare, 5000);
        assert_ne!(memory, other, "Kafka has it");
    }

    #[test]
    fn what_is_kept_is_bounded_and_goes_when_nobody_wants_it() {
        let mut spare = Spare::new(3 * 8192);
        let all: Vec<_> = (0..5).map(|_| sent(&mut spare, 8192)).collect();
        assert_eq!(spare.bytes, 3 * 8192);
        drop(all);
        let now = Instant::now();
        spare.tend(now + KEPT / 2);
        assert_eq!(spare.bytes, 3 * 8192);
        spare.tend(now + 2 * KEPT);
        assert_eq!(spare.bytes, 0);
    }

    #[test]
    fn sizes_have_room_and_are_recognised() {
        for bytes in [0, 1, 4096, 4097, 8192, 65_536, 500_000, 524_288] {
            let size = size_for(bytes);
            assert!(LEAST_BYTES << size >= bytes, "{bytes}");
            assert_eq!(size_of(LEAST_BYTES << size), size, "{bytes}");
        }
        assert_eq!((size_for(524_289), size_of(4095)), (SIZES, SIZES));
    }
}
