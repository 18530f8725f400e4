//! When each datagram of a replay is due.

use std::time::Duration;

use super::ReplayArgs;
use crate::pace::due_at;

/// A clock that runs as the capture's, without the gaps between files and backward jumps.
#[derive(Debug)]
pub(super) struct Timing {
    speed: Speed,
    /// Datagrams so far.
    count: u64,
    /// Capture time that has passed.
    passed_ns: u64,
    /// The latest time in the file that is being read, and its number.
    last: Option<(u64, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    /// This many times the capture's.
    Factor(f64),
    /// Datagrams a second.
    Rate(f64),
    Flood,
}

impl Timing {
    pub(super) fn new(args: &ReplayArgs) -> Self {
        let speed = match (args.flood, args.pps) {
            (true, _) => Speed::Flood,
            (_, Some(rate)) => Speed::Rate(rate),
            _ => Speed::Factor(args.speed.unwrap_or(1.0)),
        };
        Self::with_speed(speed)
    }

    fn with_speed(speed: Speed) -> Self {
        Self { speed, count: 0, passed_ns: 0, last: None }
    }

    /// The files are read from the start again.
    pub(super) fn start_round(&mut self) {
        self.last = None;
    }

    /// When the next datagram is due, captured at `time_ns` in file number `file`.
    pub(super) fn due(&mut self, time_ns: u64, file: usize) -> Duration {
        self.advance(time_ns, file);
        self.count += 1;
        match self.speed {
            Speed::Flood => Duration::ZERO,
            Speed::Rate(rate) => due_at(self.count - 1, rate),
            Speed::Factor(factor) => due_at(self.passed_ns, factor * 1e9),
        }
    }

    fn advance(&mut self, time_ns: u64, file: usize) {
        let latest = match self.last {
            Some((latest, number)) if number == file => {
                let gap = time_ns.saturating_sub(latest);
                self.passed_ns = self.passed_ns.saturating_add(gap);
                latest.max(time_ns)
            }
            _ => time_ns,
        };
        self.last = Some((latest, file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn dues(speed: Speed, packets: &[(u64, usize)]) -> Vec<u128> {
        let mut timing = Timing::with_speed(speed);
        packets.iter().map(|(ms, file)| timing.due(ms * MS, *file).as_millis()).collect()
    }

    #[test]
    fn the_captures_own_time() {
        let packets = [(1_000_000, 1), (1_000_010, 1), (1_000_030, 1)];
        assert_eq!(dues(Speed::Factor(1.0), &packets), [0, 10, 30]);
        assert_eq!(dues(Speed::Factor(10.0), &packets), [0, 1, 3]);
        assert_eq!(dues(Speed::Factor(0.5), &packets), [0, 20, 60]);
    }

    #[test]
    fn gaps_between_files_and_backward_jumps_do_not_count() {
        let packets = [(1000, 1), (1010, 1), (5, 2), (6, 2), (9_999_999, 3), (9_999_999, 3)];
        assert_eq!(dues(Speed::Factor(1.0), &packets), [0, 10, 10, 11, 11, 11]);
        let packets = [(1000, 1), (1010, 1), (1005, 1), (1012, 1)];
        assert_eq!(dues(Speed::Factor(1.0), &packets), [0, 10, 10, 12]);
    }

    #[test]
    fn a_new_round_starts_where_the_last_ended() {
        let mut timing = Timing::with_speed(Speed::Factor(1.0));
        let mut due = |ms: u64| timing.due(ms * MS, 1).as_millis();
        assert_eq!([due(1000), due(1010)], [0, 10]);
        timing.start_round();
        let mut due = |ms: u64| timing.due(ms * MS, 1).as_millis();
        assert_eq!([due(1000), due(1010)], [10, 20]);
    }

    #[test]
    fn rates_and_floods_ignore_it() {
        let packets = [(1000, 1), (90_000, 1), (0, 1), (7, 2)];
        assert_eq!(dues(Speed::Rate(200.0), &packets), [0, 5, 10, 15]);
        assert_eq!(dues(Speed::Flood, &packets), [0; 4]);
    }
}
