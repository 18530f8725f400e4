//! The batches of one worker: all allocated at start, lent out behind `Arc`s, refilled when
//! everybody is done.
//!
//! Nobody gives a batch back. It is free again when the pool holds the only reference: Kafka's
//! reports are in, the splitter is through. So the pool's size is the bound on what an outage may
//! hold in memory.
//!
//! Of those that are free the one that came back last is written to next: a pipeline that is well
//! keeps to a few batches, which stay in the caches, and memory that was never needed is never
//! touched.

use std::collections::VecDeque;
use std::sync::Arc;

use neckar_proto::{Batch, Keying};

/// A fixed set of batches, one of them open for writing.
#[derive(Debug)]
pub struct Pool {
    batches: Vec<Arc<Batch>>,
    open: Option<usize>,
    /// Nobody else has these; the last of them came back last.
    free: Vec<usize>,
    /// In the order they went out. Some of them may be free again.
    lent: VecDeque<usize>,
}

impl Pool {
    /// `count` batches of this capacity; the memory is reserved now and touched when used.
    #[must_use]
    pub fn new(count: usize, flows_max: usize, bytes_max: usize) -> Self {
        Self::keyed(count, flows_max, bytes_max, Keying::None)
    }

    /// The same, with batches that keep a key of each flow.
    #[must_use]
    pub fn keyed(count: usize, flows_max: usize, bytes_max: usize, keying: Keying) -> Self {
        let batch = || Arc::new(Batch::with_capacity(flows_max, bytes_max).keyed(keying));
        Self {
            batches: (0..count).map(|_| batch()).collect(),
            open: None,
            free: (0..count).rev().collect(),
            lent: VecDeque::with_capacity(count),
        }
    }

    /// The open batch, to write to. Opens a free one if there is none open; `None` if none is free
    /// either.
    #[inline]
    pub fn open(&mut self) -> Option<&mut Batch> {
        let index = match self.open {
            Some(index) => index,
            None => self.open_free()?,
        };
        Arc::get_mut(&mut self.batches[index])
    }

    fn open_free(&mut self) -> Option<usize> {
        self.take_back();
        let index = self.free.pop()?;
        Arc::get_mut(&mut self.batches[index])?.clear();
        self.open = Some(index);
        Some(index)
    }

    /// Closes the open batch and lends it out; `None` if there is none or it holds nothing.
    pub fn close(&mut self) -> Option<Arc<Batch>> {
        let index = self.open?;
        if self.batches[index].is_empty() {
            return None;
        }
        self.open = None;
        self.lent.push_back(index);
        Some(Arc::clone(&self.batches[index]))
    }

    /// Are no more than about a quarter of the batches free?
    #[must_use]
    pub fn is_short(&mut self) -> bool {
        self.take_back();
        self.free.len() <= self.batches.len() / 4
    }

    /// Those that are lent out, in the order they went out.
    pub fn lent_batches(&self) -> impl Iterator<Item = Arc<Batch>> + '_ {
        self.lent().map(Arc::clone)
    }

    /// How many batches are lent out.
    #[must_use]
    pub fn lent_count(&self) -> usize {
        self.lent().count()
    }

    /// How many there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.batches.len()
    }

    fn lent(&self) -> impl Iterator<Item = &Arc<Batch>> {
        let batches = self.lent.iter().map(|index| &self.batches[*index]);
        batches.filter(|batch| Arc::strong_count(batch) > 1)
    }

    /// Finds those that are free again.
    fn take_back(&mut self) {
        let Self { batches, free, lent, .. } = self;
        lent.retain(|index| {
            let is_lent = Arc::get_mut(&mut batches[*index]).is_none();
            if !is_lent {
                free.push(*index);
            }
            is_lent
        });
    }
}

#[cfg(test)]
mod tests {
    use neckar_proto::encode::BWNETFLOW;
    use neckar_proto::{Field, Flow};

    use super::*;

    fn push_one(pool: &mut Pool, bytes: u64) -> bool {
        let mut flow = Flow::default();
        flow.set(Field::Bytes, bytes);
        pool.open().is_some_and(|batch| batch.push(&BWNETFLOW, &flow, &[], &[]))
    }

    #[test]
    fn a_lent_batch_is_not_written_to_until_all_are_done() {
        let mut pool = Pool::new(2, 8, 16 << 10);
        assert!(push_one(&mut pool, 1));
        let first = pool.close().expect("one flow in it");
        let for_splitter = Arc::clone(&first);
        assert!(push_one(&mut pool, 2));
        let second = pool.close().expect("one flow in it");
        assert!(pool.open().is_none(), "both are out");
        drop(first);
        assert!(pool.open().is_none(), "the splitter still reads the first");
        drop(for_splitter);
        assert!(push_one(&mut pool, 3));
        assert_eq!(pool.lent_count(), 1);
        assert_eq!(second.flow(0), [9 << 3, 2], "field 9, untouched");
    }

    #[test]
    fn memory_is_short_when_a_quarter_ahead_is_lent() {
        let mut pool = Pool::new(8, 1, 16 << 10);
        let mut lent = Vec::new();
        for index in 0..8 {
            assert_eq!(pool.is_short(), index >= 6, "{index} are out");
            assert!(push_one(&mut pool, 1 + index));
            lent.push(pool.close().expect("one flow in it"));
        }
        assert!(pool.is_short());
        drop(lent.drain(..4));
        assert!(!pool.is_short());
        let bytes: Vec<_> = pool.lent_batches().map(|batch| batch.flow(0)[1]).collect();
        assert_eq!(bytes, [5, 6, 7, 8], "in the order they went out");
    }

    #[test]
    fn an_empty_batch_is_not_lent() {
        let mut pool = Pool::new(1, 8, 16 << 10);
        assert!(pool.close().is_none());
        assert!(pool.open().is_some());
        assert!(pool.close().is_none());
    }
}
