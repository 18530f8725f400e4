//! What each counter has counted since it was looked at last.
//!
//! Counters are known by their whole text, not by a hash of it: two never become one. What the
//! source has forgotten is forgotten here too, so the memory is bounded by the source's bound.

use hashbrown::HashMap;

/// The memory.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    last: HashMap<Box<[u8]>, Last>,
    round: u32,
}

#[derive(Debug)]
struct Last {
    value: u64,
    since_s: u64,
    round: u32,
}

impl Deltas {
    /// A new look at all counters begins.
    pub(super) fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// What `key` has counted since the last look, at most `i64::MAX`.
    pub(super) fn delta(&mut self, key: &[u8], value: u64, since_s: u64) -> u64 {
        let round = self.round;
        let Some(last) = self.last.get_mut(key) else {
            self.last.insert(key.into(), Last { value, since_s, round });
            return sane(value);
        };
        // One that came back has begun from 0 again.
        let before = if last.since_s == since_s { last.value } else { 0 };
        *last = Last { value, since_s, round };
        sane(value.wrapping_sub(before))
    }

    /// Forgets counters that were not looked at since [`Deltas::begin`].
    pub(super) fn end(&mut self) {
        let round = self.round;
        self.last.retain(|_, last| last.round == round);
    }

    /// How many counters are remembered.
    pub(super) fn len(&self) -> usize {
        self.last.len()
    }
}

/// A counter that wrapped has gone on by little. One that went backwards has not counted: better
/// nothing than the giant that the difference would be.
fn sane(delta: u64) -> u64 {
    if delta > i64::MAX as u64 { 0 } else { delta }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(deltas: &mut Deltas, counters: &[(&str, u64, u64)]) -> Vec<u64> {
        deltas.begin();
        let found = counters
            .iter()
            .map(|(key, value, since_s)| deltas.delta(key.as_bytes(), *value, *since_s))
            .collect();
        deltas.end();
        found
    }

    #[test]
    fn deltas_add_up() {
        let mut deltas = Deltas::default();
        assert_eq!(look(&mut deltas, &[("a", 5, 1), ("b", 7, 1)]), [5, 7]);
        assert_eq!(look(&mut deltas, &[("a", 5, 1), ("b", 10, 1)]), [0, 3]);
        assert_eq!(look(&mut deltas, &[("a", 9, 1), ("b", 10, 1)]), [4, 0]);
    }

    #[test]
    fn what_vanishes_and_returns_begins_anew() {
        let mut deltas = Deltas::default();
        assert_eq!(look(&mut deltas, &[("a", 500, 1)]), [500]);
        // Seen by us in between, or not, and past what it had counted before, or not.
        assert_eq!(look(&mut deltas, &[("a", 3, 60)]), [3]);
        assert_eq!(look(&mut deltas, &[]), [0; 0]);
        assert_eq!(deltas.len(), 0, "forgotten with the source");
        assert_eq!(look(&mut deltas, &[("a", 2, 99)]), [2]);
        assert_eq!(look(&mut deltas, &[("a", 700, 120)]), [700]);
    }

    #[test]
    fn wrapping_is_no_giant_and_neither_is_going_back() {
        let mut deltas = Deltas::default();
        assert_eq!(look(&mut deltas, &[("a", u64::MAX - 1, 1)]), [0], "more than fits the field");
        assert_eq!(look(&mut deltas, &[("a", 3, 1)]), [5]);
        assert_eq!(look(&mut deltas, &[("a", 2, 1)]), [0]);
        assert_eq!(look(&mut deltas, &[("a", 4, 1)]), [2]);
    }
}
