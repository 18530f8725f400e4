//! What each counter has counted since it was looked at last.
//!
//! Counters are known by their whole text, not by a hash of it: two never become one. What the source
//! shows no more is remembered for a while, since some come back: a pair of hosts that was among the
//! heaviest, fell behind and rises again has counted all the while. The memory is bounded by what the
//! source shows. Whoever comes unknown and has counted for longer than since the last look may be one
//! that was forgotten: what it has counted so far may be pushed already, and counts no second time.

use hashbrown::HashMap;

/// The memory.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    last: HashMap<Box<[u8]>, Last>,
    round: u32,
    /// When the look before this one was, in Unix seconds; 0 if that is not known.
    looked_s: u64,
    /// When this one is.
    looks_s: u64,
    shown: usize,
}

/// Whoever counts may take its time from a clock that was read so long ago.
const SLACK_S: u64 = 5;
/// A counter that is not shown is remembered for so many looks at most: an hour of ten seconds each.
const ROUNDS_MAX: u32 = 360;
/// As many as are shown may be remembered beside them, and so many more.
const UNSHOWN_MAX: usize = 4096;

#[derive(Debug)]
struct Last {
    value: u64,
    since_s: u64,
    round: u32,
}

impl Deltas {
    /// A new look at all counters begins, at `now_s` of Unix time.
    pub(super) fn begin(&mut self, now_s: u64) {
        self.round = self.round.wrapping_add(1);
        // Of a clock that was set back nothing can be told: better twice than never.
        self.looked_s = if now_s < self.looks_s { 0 } else { self.looks_s };
        self.looks_s = now_s;
        self.shown = 0;
    }

    /// What `key` has counted since the last look, at most `i64::MAX`.
    pub(super) fn delta(&mut self, key: &[u8], value: u64, since_s: u64) -> u64 {
        let round = self.round;
        self.shown += 1;
        let Some(last) = self.last.get_mut(key) else {
            let is_new = since_s.saturating_add(SLACK_S) >= self.looked_s;
            self.last.insert(key.into(), Last { value, since_s, round });
            return if is_new { sane(value) } else { 0 };
        };
        // One that came back has begun from 0 again.
        let before = if last.since_s == since_s { last.value } else { 0 };
        *last = Last { value, since_s, round };
        sane(value.wrapping_sub(before))
    }

    /// Forgets counters that have not been shown for long, the longest unseen first.
    pub(super) fn end(&mut self) {
        let (round, most) = (self.round, 2 * self.shown + UNSHOWN_MAX);
        let mut age_max = ROUNDS_MAX;
        self.last.retain(|_, last| round.wrapping_sub(last.round) <= age_max);
        while self.last.len() > most {
            age_max /= 2;
            self.last.retain(|_, last| round.wrapping_sub(last.round) <= age_max);
        }
    }

    /// How many counters were shown at the last look.
    pub(super) fn shown(&self) -> usize {
        self.shown
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
        look_at(deltas, 1, counters)
    }

    fn look_at(deltas: &mut Deltas, now_s: u64, counters: &[(&str, u64, u64)]) -> Vec<u64> {
        deltas.begin(now_s);
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
        // Past what it had counted before, or not; seen to be away, or not.
        assert_eq!(look(&mut deltas, &[("a", 3, 60)]), [3]);
        assert_eq!(look(&mut deltas, &[]), [0; 0]);
        assert_eq!(look(&mut deltas, &[("a", 2, 99)]), [2]);
        assert_eq!(look(&mut deltas, &[("a", 700, 120)]), [700]);
    }

    #[test]
    fn what_was_only_out_of_sight_goes_on() {
        let mut deltas = Deltas::default();
        assert_eq!(look(&mut deltas, &[("a", 500, 1)]), [500]);
        assert_eq!(look(&mut deltas, &[("b", 1, 1)]), [1]);
        assert_eq!(look(&mut deltas, &[("a", 520, 1)]), [20]);
        for _ in 0..ROUNDS_MAX {
            look(&mut deltas, &[("b", 1, 1)]);
        }
        assert!(deltas.last.contains_key(b"a".as_slice()), "remembered for an hour");
        look(&mut deltas, &[("b", 1, 1)]);
        assert!(!deltas.last.contains_key(b"a".as_slice()), "and no longer");
    }

    #[test]
    fn what_was_forgotten_and_returns_is_not_pushed_twice() {
        let mut deltas = Deltas::default();
        assert_eq!(look_at(&mut deltas, 1000, &[("a", 500, 10)]), [500], "at first all is new");
        for round in 0..=u64::from(ROUNDS_MAX) {
            look_at(&mut deltas, 1010 + 10 * round, &[("b", 1, 1005)]);
        }
        assert!(!deltas.last.contains_key(b"a".as_slice()), "forgotten");
        let back_s = 1020 + 10 * u64::from(ROUNDS_MAX);
        assert_eq!(look_at(&mut deltas, back_s, &[("a", 520, 10)]), [0], "not 520 once more");
        assert_eq!(look_at(&mut deltas, back_s + 10, &[("a", 521, 10)]), [1], "and goes on");
    }

    #[test]
    fn what_came_since_the_last_look_is_new_however_late_its_clock() {
        let mut deltas = Deltas::default();
        assert_eq!(look_at(&mut deltas, 1000, &[]), [0; 0]);
        let since = [("a", 5, 1003), ("b", 6, 1000), ("c", 7, 1000 - SLACK_S), ("d", 8, 994)];
        assert_eq!(look_at(&mut deltas, 1010, &since), [5, 6, 7, 0]);
        // The clock was an hour ahead, and was mended.
        assert_eq!(look_at(&mut deltas, 4610, &[]), [0; 0]);
        assert_eq!(look_at(&mut deltas, 1020, &[("e", 9, 1015)]), [9]);
    }

    #[test]
    fn the_memory_is_bounded_by_what_is_shown() {
        let mut deltas = Deltas::default();
        for round in 0..5_u32 {
            deltas.begin(1);
            for counter in 0..4000_u32 {
                deltas.delta(&[round.to_be_bytes(), counter.to_be_bytes()].concat(), 1, 1);
            }
            deltas.end();
            assert_eq!(deltas.shown(), 4000);
            assert!(deltas.last.len() <= 2 * 4000 + UNSHOWN_MAX, "{}", deltas.last.len());
        }
        assert!(deltas.last.len() > 4000, "some are remembered");
        look(&mut deltas, &[("a", 1, 1)]);
        assert!(deltas.last.len() <= 2 + UNSHOWN_MAX, "{}", deltas.last.len());
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
