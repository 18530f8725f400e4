//! A minute of talkers: open while it may still come, closed with its heaviest kept.

use std::cmp::Ordering;

use crate::Sums;
use crate::heavy::{Heaviest, Heavy};
use crate::key::{DIMENSIONS, Direction, Key};
use crate::names::Name;

/// Seconds of a window.
pub const WINDOW_S: u64 = 60;
/// Keys of each measure, dimension and direction that a closed window keeps.
pub(crate) const KEPT_MAX: usize = 100;

/// A window that still counts, over the dimensions of its owner.
pub(crate) struct Window {
    pub(crate) start_s: u64,
    /// Means of bytes and packets a flow in the windows before: what the weights are made with.
    pub(crate) means: Sums,
    /// Exact, sampled or not; by direction.
    pub(crate) totals: [Sums; 2],
    /// The most that the sampler spread figures: how many a flow stood for, and variance by size.
    pub(crate) spread: (f64, Sums),
    sketches: Vec<[Heaviest; 2]>,
}

impl Window {
    pub(crate) fn new(start_s: u64, means: Sums, dimensions: usize, entries_max: usize) -> Self {
        let sketch = || Heaviest::new(entries_max);
        Self {
            start_s,
            means,
            totals: [Sums::default(); 2],
            spread: (1.0, Sums::default()),
            sketches: (0..dimensions).map(|_| [sketch(), sketch()]).collect(),
        }
    }

    /// Notes how figures are spread where flows stand for others.
    #[inline]
    pub(crate) fn note_sampling(&mut self, (k, variance): &(f64, Sums)) {
        self.spread.0 = self.spread.0.max(*k);
        self.spread.1.raise_to(variance);
    }

    /// Adds what weighs so much to a key of dimension number `dimension`.
    #[inline]
    pub(crate) fn add(
        &mut self,
        dimension: usize,
        direction: Direction,
        key: Key,
        weighed: &(Sums, f64),
        now_s: u64,
        name: impl FnOnce() -> Name,
    ) {
        let sketch = &mut self.sketches[dimension][direction as usize];
        sketch.add(key, weighed, now_s, name);
    }

    /// The means of this window, for the next one; the old ones if nothing came.
    pub(crate) fn next_means(&self) -> Sums {
        let mut totals = self.totals[0];
        totals.add(&self.totals[1], 1.0);
        totals.means(&self.means)
    }

    /// What is kept of it.
    pub(crate) fn close(&self) -> Minute {
        let top = |sketch: &Heaviest| self.top(sketch);
        Minute {
            start_s: self.start_s,
            totals: self.totals,
            spread: self.spread,
            tops: self.sketches.iter().map(|[first, second]| [top(first), top(second)]).collect(),
        }
    }

    /// The heaviest by any measure, and the most that anybody else can have had.
    pub(crate) fn top(&self, sketch: &Heaviest) -> Top {
        let mut rows: Vec<Kept> = sketch.iter().map(|heavy| self.kept(heavy)).collect();
        let mut absent = self.of_weight(sketch.taken());
        if rows.len() > KEPT_MAX {
            let lasts = Sums::MEASURES.map(|measure| last_kept(&mut rows, measure));
            rows.retain(|row| {
                let mut lasts = Sums::MEASURES.iter().zip(&lasts);
                let is_kept = lasts.any(|(of, last)| heaviest_first(*of, row, last).is_le());
                if !is_kept {
                    absent.raise_to(&row.upper());
                }
                is_kept
            });
        }
        Top { rows: rows.into_boxed_slice(), absent }
    }

    fn kept(&self, heavy: &Heavy) -> Kept {
        let Heavy { key, name, sums, missed, .. } = *heavy;
        Kept { key, name, sums, error: self.of_weight(missed) }
    }

    /// The most of each measure that a weight can have been.
    fn of_weight(&self, weight: f64) -> Sums {
        Sums {
            bytes: weight * self.means.bytes,
            packets: weight * self.means.packets,
            flows: weight,
        }
    }

    pub(crate) fn sketches(&self) -> impl Iterator<Item = &Heaviest> {
        self.sketches.iter().flatten()
    }

    pub(crate) fn sketch(&self, dimension: usize, direction: Direction) -> &Heaviest {
        &self.sketches[dimension][direction as usize]
    }
}

/// The [`KEPT_MAX`]th heaviest.
fn last_kept(rows: &mut [Kept], measure: fn(&Sums) -> f64) -> Kept {
    let order = |one: &Kept, other: &Kept| heaviest_first(measure, one, other);
    *rows.select_nth_unstable_by(KEPT_MAX - 1, order).1
}

/// Keys that are equal in a measure have an order, too: in a scan all of them are.
fn heaviest_first(measure: fn(&Sums) -> f64, one: &Kept, other: &Kept) -> Ordering {
    measure(&other.sums).total_cmp(&measure(&one.sums)).then(one.key.cmp(&other.key))
}

/// A window that is closed.
pub(crate) struct Minute {
    pub(crate) start_s: u64,
    pub(crate) totals: [Sums; 2],
    pub(crate) spread: (f64, Sums),
    /// By dimension and direction.
    pub(crate) tops: Vec<[Top; 2]>,
}

/// The heaviest keys of one dimension and direction.
pub(crate) struct Top {
    pub(crate) rows: Box<[Kept]>,
    /// What a key that is not here may have had, at most.
    pub(crate) absent: Sums,
}

/// A key of a closed window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) key: Key,
    pub(crate) name: Name,
    /// At least this.
    pub(crate) sums: Sums,
    /// And at most that much more.
    pub(crate) error: Sums,
}

impl Kept {
    fn upper(&self) -> Sums {
        let mut upper = self.sums;
        upper.add(&self.error, 1.0);
        upper
    }
}

/// Bytes of memory at most, about, of closed windows.
pub(crate) fn minutes_memory_bytes(minutes: usize) -> usize {
    // The three measures may each have others for their heaviest.
    let rows = Sums::MEASURES.len() * KEPT_MAX * size_of::<Kept>();
    minutes * DIMENSIONS * 2 * (rows + size_of::<Top>())
}
