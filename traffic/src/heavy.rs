//! The heaviest keys of a stream in bounded memory, with the error of each figure.
//!
//! A table of counters; when it is full, the median weight is taken from all of them and whatever is
//! left with nothing goes (Misra and Gries 1982, in the form of Anderson and others 2017). What a key
//! has lost is at most what was taken altogether, and that is at most `2 / entries_max` of the whole
//! weight: every key with a larger share stays, whoever floods the table with others. A new key costs
//! a few steps, spread over all of them; an old one a look-up.
//!
//! One weight serves bytes, packets and flows: each divided by its mean. So whoever has a large share of
//! any of the three stays: of `keys` keys a flow and `n` entries, with a share of `6 keys / n`, if the means
//! are those of the flows that come. They are those of the minute before; where a flow has become another
//! thing, it takes a larger share. What was taken is a bound in either case.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::Sums;
use crate::key::Key;
use crate::names::Name;

/// What a key has counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heavy {
    pub(crate) key: Key,
    /// Number of the text that names it.
    pub(crate) name: Name,
    /// When it last counted, Unix seconds.
    pub(crate) touched_s: u64,
    /// When it came, Unix seconds.
    pub(crate) since_s: u64,
    /// Since it came: at least this.
    pub(crate) sums: Sums,
    /// Weight that it may have had before it came.
    pub(crate) missed: f64,
    weight: f64,
}

/// The table.
pub(crate) struct Heaviest {
    table: HashTable<Heavy>,
    hasher: DefaultHashBuilder,
    entries_max: usize,
    /// Weight taken from every key so far.
    taken: f64,
}

impl Heaviest {
    /// Of at most `entries_max` keys; memory is taken as they come.
    pub(crate) fn new(entries_max: usize) -> Self {
        Self {
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            entries_max: entries_max.max(2),
            taken: 0.0,
        }
    }

    /// Bytes of memory at most, about.
    pub(crate) fn memory_bytes(entries_max: usize) -> usize {
        // A hash table is at most 7/8 full, and has a power of two of places.
        (entries_max * 8 / 7).next_power_of_two() * (size_of::<Heavy>() + 1)
    }

    /// Adds sums that weigh so much. `name` is asked for when the key is new.
    #[inline]
    pub(crate) fn add(
        &mut self,
        key: Key,
        (sums, weight): &(Sums, f64),
        now_s: u64,
        name: impl FnOnce() -> Name,
    ) {
        let hash = self.hasher.hash_one(key);
        if let Some(heavy) = self.table.find_mut(hash, |heavy| heavy.key == key) {
            heavy.sums.add(sums, 1.0);
            heavy.weight += weight;
            heavy.touched_s = now_s;
            return;
        }
        if self.table.len() >= self.entries_max {
            self.make_room();
        }
        let heavy = Heavy {
            key,
            name: name(),
            touched_s: now_s,
            since_s: now_s,
            sums: *sums,
            missed: self.taken,
            weight: *weight,
        };
        let hasher = &self.hasher;
        self.table.insert_unique(hash, heavy, |heavy| hasher.hash_one(heavy.key));
    }

    #[cold]
    fn make_room(&mut self) {
        let mut weights: Vec<f64> = self.table.iter().map(|heavy| heavy.weight).collect();
        let middle = weights.len() / 2;
        let (_, median, _) = weights.select_nth_unstable_by(middle, f64::total_cmp);
        let median = *median;
        self.taken += median;
        // A table of its own: where entries have gone, the old one would grow rather than tidy up.
        let full = std::mem::replace(&mut self.table, HashTable::with_capacity(self.entries_max));
        let hasher = &self.hasher;
        for mut heavy in full {
            heavy.weight -= median;
            if heavy.weight > 0.0 {
                let hash = hasher.hash_one(heavy.key);
                self.table.insert_unique(hash, heavy, |heavy| hasher.hash_one(heavy.key));
            }
        }
    }

    /// Forgets keys that have not counted for `idle_s` at `now_s`.
    pub(crate) fn expire(&mut self, now_s: u64, idle_s: u64) {
        let since_s = now_s.saturating_sub(idle_s);
        self.table.retain(|heavy| {
            // Ahead of a clock that was set back is now, at the latest.
            heavy.touched_s = heavy.touched_s.min(now_s);
            heavy.touched_s >= since_s
        });
    }

    /// Weight that a key which is not here may have had, at most.
    pub(crate) fn taken(&self) -> f64 {
        self.taken
    }

    /// Keys that are here, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Heavy> {
        self.table.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn key(number: u32) -> Key {
        Key::of_address(u128::from(number) + 1)
    }

    fn bytes(bytes: f64) -> Sums {
        Sums { bytes, packets: 1.0, flows: 1.0 }
    }

    proptest! {
        /// Beside an exact count: no more than that, no less than the bound says, and nobody heavy is missing.
        #[test]
        fn bounds_hold(
            stream in prop::collection::vec((0_u32..200, 1_u32..1000), 1..2000),
            entries_max in 2_usize..40,
        ) {
            let mut heaviest = Heaviest::new(entries_max);
            let mut exact: HashMap<u32, f64> = HashMap::new();
            for (number, size) in &stream {
                let size = f64::from(*size);
                heaviest.add(key(*number), &(bytes(size), size), 0, || 0);
                *exact.entry(*number).or_default() += size;
            }
            let whole: f64 = exact.values().sum();
            prop_assert!(heaviest.len() <= entries_max);
            prop_assert!(heaviest.taken() <= 2.0 * whole / entries_max as f64 + 1e-6);
            for (number, total) in exact {
                match heaviest.iter().find(|heavy| heavy.key == key(number)) {
                    Some(heavy) => {
                        prop_assert!(heavy.sums.bytes <= total);
                        prop_assert!(heavy.sums.bytes + heavy.missed >= total - 1e-6);
                    }
                    None => prop_assert!(total <= heaviest.taken() + 1e-6),
                }
            }
        }
    }

    /// A million keys of one flow each, and one that has a hundredth of all: it is found, in the same memory.
    #[test]
    fn a_flood_of_new_keys_does_not_hide_the_heavy_one() {
        let mut heaviest = Heaviest::new(448);
        for number in 0..1_000_000_u32 {
            heaviest.add(key(number), &(bytes(1.0), 1.0), 0, || 0);
            if number % 100 == 0 {
                heaviest.add(key(u32::MAX), &(bytes(1.0), 1.0), 0, || 0);
            }
        }
        assert!(heaviest.table.capacity() <= 448, "no more memory than was said");
        let heavy = heaviest.iter().find(|heavy| heavy.key == key(u32::MAX)).expect("it is here");
        assert!(heavy.sums.bytes <= 10_000.0 && heavy.sums.bytes + heavy.missed >= 10_000.0);
    }

    #[test]
    fn who_is_idle_goes() {
        let mut heaviest = Heaviest::new(10);
        heaviest.add(key(1), &(bytes(1.0), 1.0), 5, || 0);
        heaviest.add(key(2), &(bytes(1.0), 1.0), 9, || 0);
        heaviest.expire(10, 4);
        let left: Vec<Key> = heaviest.iter().map(|heavy| heavy.key).collect();
        assert_eq!(left, [key(2)]);
        heaviest.expire(3, 1);
        assert_eq!(heaviest.len(), 1, "the clock was set back");
        heaviest.expire(5, 1);
        assert_eq!(heaviest.len(), 0);
    }
}
