//! When which device is asked next: pure bookkeeping, time is an argument in milliseconds.
//!
//! A device is asked soon after it is seen first, then once per interval. One that fails is left
//! alone for twice as long with each failure in a row, up to a bound. All waits are stretched or
//! shortened by up to a tenth, by a hash, so that devices which fell into step drift apart again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use hashbrown::{HashMap, HashSet};

use crate::config::Snmp;

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two walks, milliseconds.
    pub(super) interval_ms: u64,
    /// After a first failure, milliseconds.
    pub(super) backoff_ms: u64,
    /// After many, milliseconds.
    pub(super) backoff_max_ms: u64,
}

impl Pace {
    pub(super) fn new(config: &Snmp) -> Self {
        Self {
            interval_ms: config.interval_s * 1000,
            backoff_ms: config.backoff_s * 1000,
            backoff_max_ms: config.backoff_max_s * 1000,
        }
    }

    /// How long a device rests after `failures` in a row, 0 for none.
    fn rest_ms(&self, failures: u32) -> u64 {
        match failures.checked_sub(1) {
            None => self.interval_ms,
            Some(doublings) => {
                let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
                self.backoff_ms.saturating_mul(factor).min(self.backoff_max_ms)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Device {
    /// Not before this.
    due_ms: u64,
    /// In a row.
    failures: u32,
    /// Ever; makes the jitter of each turn another one.
    walks: u64,
    /// Being asked now.
    walking: bool,
}

/// All devices that are to be asked.
#[derive(Debug)]
pub(super) struct Schedule {
    pace: Pace,
    devices: HashMap<IpAddr, Device>,
}

impl Schedule {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, devices: HashMap::new() }
    }

    /// Takes up devices that are new in `exporters` and lets go of those that are not in it.
    pub(super) fn follow(&mut self, exporters: &HashSet<IpAddr>, now_ms: u64) {
        self.devices.retain(|exporter, _| exporters.contains(exporter));
        for exporter in exporters {
            let fresh = || Device { due_ms: now_ms, ..Device::default() };
            self.devices.entry(*exporter).or_insert_with(fresh);
        }
    }

    /// Up to `most` devices whose time has come, the longest overdue first. Each counts as being
    /// asked until [`done`](Self::done).
    pub(super) fn take_due(&mut self, now_ms: u64, most: usize) -> Vec<IpAddr> {
        let waiting = self.devices.iter().filter(|(_, device)| !device.walking);
        let mut due: Vec<(u64, IpAddr)> = waiting
            .filter(|(_, device)| device.due_ms <= now_ms)
            .map(|(exporter, device)| (device.due_ms, *exporter))
            .collect();
        due.sort_unstable();
        due.truncate(most);
        for (_, exporter) in &due {
            if let Some(device) = self.devices.get_mut(exporter) {
                device.walking = true;
            }
        }
        due.into_iter().map(|(_, exporter)| exporter).collect()
    }

    /// A walk has ended. Returns how many failures in a row the device had before it; `None` if the
    /// device was let go meanwhile.
    pub(super) fn done(&mut self, exporter: IpAddr, ok: bool, now_ms: u64) -> Option<u32> {
        let device = self.devices.get_mut(&exporter)?;
        let before = device.failures;
        device.walking = false;
        device.walks += 1;
        device.failures = if ok { 0 } else { before.saturating_add(1) };
        let rest_ms = self.pace.rest_ms(device.failures);
        device.due_ms = now_ms.saturating_add(jittered(rest_ms, exporter, device.walks));
        Some(before)
    }

    /// Is it one of ours?
    pub(super) fn has(&self, exporter: IpAddr) -> bool {
        self.devices.contains_key(&exporter)
    }

    /// Devices in all, and those that failed last.
    pub(super) fn counts(&self) -> (u64, u64) {
        let failing = self.devices.values().filter(|device| device.failures > 0).count();
        (self.devices.len() as u64, failing as u64)
    }
}

/// `rest_ms` times 0.9 to 1.1.
fn jittered(rest_ms: u64, exporter: IpAddr, walks: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (exporter, walks).hash(&mut hasher);
    let per_mille = 900 + hasher.finish() % 201;
    rest_ms.saturating_mul(per_mille) / 1000
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use super::*;

    const PACE: Pace = Pace { interval_ms: 1_000_000, backoff_ms: 10_000, backoff_max_ms: 100_000 };

    fn exporters(last: std::ops::Range<u8>) -> HashSet<IpAddr> {
        last.map(|last| IpAddr::from([192, 0, 2, last])).collect()
    }

    fn schedule(exporters: &HashSet<IpAddr>) -> Schedule {
        let mut schedule = Schedule::new(PACE);
        schedule.follow(exporters, 0);
        schedule
    }

    /// When the only device is due next, to the millisecond.
    fn next_ms(schedule: &mut Schedule, from_ms: u64) -> u64 {
        (from_ms..).find(|now| !schedule.take_due(*now, 1).is_empty()).unwrap()
    }

    #[test]
    fn new_devices_are_asked_at_once_but_not_more_than_allowed() {
        let mut schedule = schedule(&exporters(0..5));
        let first = schedule.take_due(0, 3);
        assert_eq!(first.len(), 3);
        let rest = schedule.take_due(0, 3);
        assert_eq!(rest.len(), 2);
        assert!(rest.iter().all(|exporter| !first.contains(exporter)), "none is asked twice");
        assert!(schedule.take_due(u64::MAX, 9).is_empty(), "all are being asked");
    }

    #[test]
    fn failing_doubles_the_rest_up_to_a_bound_and_success_ends_that() {
        let all = exporters(1..2);
        let device = *all.iter().next().unwrap();
        let mut schedule = schedule(&all);
        assert_eq!(next_ms(&mut schedule, 0), 0);
        let mut now = 0;
        for (failures, rest) in
            [10_000, 20_000, 40_000, 80_000, 100_000, 100_000].iter().enumerate()
        {
            assert_eq!(schedule.done(device, false, now), Some(failures as u32));
            assert_eq!(schedule.counts(), (1, 1));
            let next = next_ms(&mut schedule, now);
            assert!((rest * 9 / 10..=rest * 11 / 10).contains(&(next - now)), "{failures}");
            now = next;
        }
        assert_eq!(schedule.done(device, true, now), Some(6));
        assert_eq!(schedule.counts(), (1, 0));
        assert!(next_ms(&mut schedule, now) - now >= 900_000);
    }

    #[test]
    fn a_device_that_failed_countless_times_still_has_its_bound() {
        assert_eq!(PACE.rest_ms(u32::MAX), 100_000);
        let wide = Pace { backoff_max_ms: u64::MAX, ..PACE };
        assert_eq!(wide.rest_ms(200), u64::MAX);
    }

    #[test]
    fn devices_in_step_drift_apart() {
        let mut schedule = schedule(&exporters(0..200));
        for exporter in schedule.take_due(0, 200) {
            schedule.done(exporter, true, 0);
        }
        let half = schedule.take_due(PACE.interval_ms, 200).len();
        assert!((60..140).contains(&half), "{half} of 200 are due after one interval");
        assert_eq!(schedule.take_due(PACE.interval_ms * 11 / 10, 200).len(), 200 - half);
    }

    #[test]
    fn what_is_no_exporter_any_more_is_let_go() {
        let mut schedule = schedule(&exporters(0..2));
        let gone = IpAddr::from([192, 0, 2, 0]);
        assert_eq!(schedule.take_due(0, 2).len(), 2);
        schedule.follow(&exporters(1..3), 5);
        assert_eq!(schedule.done(gone, true, 6), None);
        assert_eq!(schedule.take_due(5, 9), [IpAddr::from([192, 0, 2, 2])]);
        assert!(!schedule.has(gone));
    }
}
