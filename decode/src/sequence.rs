//! Sequence numbers: what was lost on the way here, what came late, and what started anew.
//!
//! "v5 counts flows, v9 packets, IPFIX data records including options records and those of sets
//! held or unknown, where countable." One cell per exporter and domain, shared by all workers: an
//! exporter that changes its port may change its worker, and that is no loss.

use std::sync::atomic::{AtomicU64, Ordering};

/// Units that a datagram may come late by and still be late rather than the first after a restart.
const LATE_MAX: u32 = 1 << 14;
/// Units that may be lost in one gap; a longer jump is taken for a restart.
const GAP_MAX: u32 = 1 << 24;
/// There is an expectation.
const KNOWN: u64 = 1 << 63;

/// What the sequence number of a datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The first of its domain, or the first after an uncountable one.
    First,
    /// As expected.
    InOrder,
    /// So many units are missing before it.
    Gap(u32),
    /// It came after a later one; so many units of it had been missing.
    Late(u32),
    /// The exporter counts anew.
    Reset,
}

/// What is expected next in one domain.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    /// [`KNOWN`], 31 bits of the exporter's clock in seconds, 32 bits of the next number.
    state: AtomicU64,
    /// Units that are missing and have not come late.
    outstanding: AtomicU64,
}

fn pack(next: u32, clock_s: u32) -> u64 {
    KNOWN | u64::from(clock_s & 0x7fff_ffff) << 32 | u64::from(next)
}

impl Sequence {
    /// Takes a datagram in that begins with `number`, holds `units` (`None`: uncountable) and whose
    /// exporter's clock shows `clock_s`.
    pub(crate) fn observe(&self, number: u32, units: Option<u32>, clock_s: u32) -> Seen {
        let mut before = self.state.load(Ordering::Relaxed);
        loop {
            let seen = judge(before, number, clock_s);
            let after = match (seen, units) {
                // A late one says nothing about what comes next.
                (Seen::Late(_), _) => return Seen::Late(self.take_back(units.unwrap_or(0))),
                (_, Some(units)) => pack(number.wrapping_add(units), clock_s),
                (_, None) => 0,
            };
            match self.state.compare_exchange_weak(
                before,
                after,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    self.note(seen);
                    return seen;
                }
                Err(now) => before = now,
            }
        }
    }

    fn note(&self, seen: Seen) {
        match seen {
            Seen::Gap(missing) => {
                self.outstanding.fetch_add(u64::from(missing), Ordering::Relaxed);
            }
            Seen::Reset => self.outstanding.store(0, Ordering::Relaxed),
            _ => {}
        }
    }

    /// How many of these units had been missing: none if the datagram is a copy of one that came in time.
    fn take_back(&self, units: u32) -> u32 {
        let rest = |outstanding: u64| Some(outstanding.saturating_sub(units.into()));
        let before = self.outstanding.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest);
        before.unwrap_or(0).min(units.into()) as u32
    }
}

fn judge(state: u64, number: u32, clock_s: u32) -> Seen {
    if state & KNOWN == 0 {
        return Seen::First;
    }
    let ahead = number.wrapping_sub(state as u32);
    let behind = ahead.wrapping_neg();
    let clock_before = (state >> 32) as u32 & 0x7fff_ffff;
    // A datagram that was overtaken has an older clock or the same; one after a restart a newer.
    let newer = (clock_s & 0x7fff_ffff) > clock_before;
    match ahead {
        0 => Seen::InOrder,
        1..=GAP_MAX => Seen::Gap(ahead),
        _ if behind <= LATE_MAX && !newer => Seen::Late(0),
        _ => Seen::Reset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_counted_in_units() {
        let sequence = Sequence::default();
        assert_eq!(sequence.observe(100, Some(30), 10), Seen::First);
        assert_eq!(sequence.observe(130, Some(30), 10), Seen::InOrder);
        assert_eq!(sequence.observe(190, Some(30), 11), Seen::Gap(30));
        assert_eq!(sequence.observe(220, Some(1), 11), Seen::InOrder);
    }

    #[test]
    fn a_late_one_changes_nothing() {
        let sequence = Sequence::default();
        sequence.observe(1, Some(1), 10);
        assert_eq!(sequence.observe(3, Some(1), 10), Seen::Gap(1));
        assert_eq!(sequence.observe(2, Some(1), 10), Seen::Late(1));
        assert_eq!(sequence.observe(4, Some(1), 10), Seen::InOrder);
    }

    #[test]
    fn copies_bring_nothing_back() {
        let sequence = Sequence::default();
        sequence.observe(1, Some(10), 10);
        assert_eq!(sequence.observe(1, Some(10), 10), Seen::Late(0), "nothing was missing");
        sequence.observe(31, Some(10), 10);
        assert_eq!(sequence.observe(11, Some(10), 10), Seen::Late(10));
        assert_eq!(sequence.observe(1, Some(30), 10), Seen::Late(10), "as many as were missing");
        assert_eq!(sequence.observe(21, Some(10), 10), Seen::Late(0));
    }

    #[test]
    fn a_number_that_falls_while_the_clock_rises_is_a_restart() {
        let sequence = Sequence::default();
        sequence.observe(5000, Some(30), 10);
        assert_eq!(sequence.observe(0, Some(30), 40), Seen::Reset);
        assert_eq!(sequence.observe(30, Some(30), 40), Seen::InOrder);
        // Far behind is a restart whatever the clock says.
        sequence.observe(1 << 30, Some(1), 50);
        assert_eq!(sequence.observe(7, Some(1), 50), Seen::Reset);
    }

    #[test]
    fn numbers_wrap() {
        let sequence = Sequence::default();
        sequence.observe(u32::MAX, Some(1), 10);
        assert_eq!(sequence.observe(0, Some(1), 10), Seen::InOrder);
        sequence.observe(1, Some(1), 10);
        assert_eq!(sequence.observe(u32::MAX, Some(1), 10), Seen::Late(0));
    }

    #[test]
    fn after_an_uncountable_one_nothing_is_expected() {
        let sequence = Sequence::default();
        sequence.observe(10, Some(5), 1);
        assert_eq!(sequence.observe(15, None, 1), Seen::InOrder);
        assert_eq!(sequence.observe(400, Some(5), 1), Seen::First);
        assert_eq!(sequence.observe(405, Some(5), 1), Seen::InOrder);
    }
}
