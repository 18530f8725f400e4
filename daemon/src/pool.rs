//! The batches of one worker: lent out behind `Arc`s, refilled when everybody is done.
//!
//! Nobody gives a batch back. It is free again when the pool holds the only reference: Kafka's
//! reports are in, the splitter is through. So the pool's size is the bound on what an outage may
//! hold in memory.
//!
//! Of those that are free the one that came back last is written to next, and a batch is made when
//! none is free: a pipeline that is well keeps to a few, which stay in the caches, and takes memory
//! for no more.

use std::collections::VecDeque;
use std::sync::Arc;

use neckar_proto::{Batch, Keying, Layout};

/// A bounded set of batches, one of them open for writing.
#[derive(Debug)]
pub struct Pool {
    /// Flows and bytes of a batch.
    capacity: (usize, usize),
    layout: Layout,
    keying: Keying,
    count_max: usize,
    /// Those made so far.
    batches: Vec<Arc<Batch>>,
    open: Option<usize>,
    /// Nobody else has these; the last of them came back last.
    free: Vec<usize>,
    /// In the order they went out. Some of them may be free again.
    lent: VecDeque<usize>,
}

impl Pool {
    /// At most `count_max` batches of this capacity.
    #[must_use]
    pub fn new(count_max: usize, flows_max: usize, bytes_max: usize) -> Self {
        Self {
            capacity: (flows_max, bytes_max),
            layout: Layout::Delimited,
            keying: Keying::None,
            count_max,
            batches: Vec::with_capacity(count_max),
            open: None,
            free: Vec::with_capacity(count_max),
            lent: VecDeque::with_capacity(count_max),
        }
    }

    /// The same, with batches that keep a key of each flow and are laid out so.
    #[must_use]
    pub fn of(self, layout: Layout, keying: Keying) -> Self {
        Self { layout, keying, ..self }
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
        let index = self.free.pop().or_else(|| self.make())?;
        Arc::get_mut(&mut self.batches[index])?.clear();
        self.open = Some(index);
        Some(index)
    }

    /// Makes one more, if there may be one.
    fn make(&mut self) -> Option<usize> {
        let index = self.batches.len();
        let (flows_max, bytes_max) = self.capacity;
        (index < self.count_max).then(|| {
            let batch = Batch::with_capacity(flows_max, bytes_max);
            self.batches.push(Arc::new(batch.laid_out(self.layout).keyed(self.keying)));
            index
        })
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

    /// Is no more than a quarter of the batches free, or still to be made?
    #[must_use]
    pub fn is_short(&mut self) -> bool {
        self.take_back();
        let unmade = self.count_max - self.batches.len();
        self.free.len() + unmade <= self.count_max / 4
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

    /// How many there may be.
    #[must_use]
    pub fn size(&self) -> usize {
        self.count_max
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
    fn memory_is_short_when_three_quarters_are_lent() {
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
        // Those that came back in between do not stand in the way.
        drop(lent.drain(1..3));
        assert!(!pool.is_short());
        let bytes: Vec<_> = pool.lent_batches().map(|batch| batch.flow(0)[1]).collect();
        assert_eq!((bytes, pool.lent_count()), (vec![5, 8], 2));
    }

    #[test]
    fn the_batch_that_came_back_last_is_next_and_none_is_made_beside() {
        let mut pool = Pool::new(8, 1, 16 << 10);
        let lend = |pool: &mut Pool| {
            assert!(push_one(pool, 1));
            pool.close().expect("one flow in it")
        };
        let (first, second) = (lend(&mut pool), lend(&mut pool));
        let [one, other] = [&first, &second].map(Arc::as_ptr);
        drop(second);
        for _ in 0..5 {
            assert_eq!(Arc::as_ptr(&lend(&mut pool)), other);
        }
        drop(first);
        let both = [lend(&mut pool), lend(&mut pool)].map(|batch| Arc::as_ptr(&batch));
        assert!(both == [one, other] || both == [other, one], "no third was made");
        assert_eq!((pool.batches.len(), pool.size()), (2, 8));
    }

    #[test]
    fn an_empty_batch_is_not_lent() {
        let mut pool = Pool::new(1, 8, 16 << 10);
        assert!(pool.close().is_none());
        assert!(pool.open().is_some());
        assert!(pool.close().is_none());
    }
}
