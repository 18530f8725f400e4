//! When the keeper's work is due: pure bookkeeping, time is an argument.

use std::time::{Duration, Instant};

/// How long files must have been quiet before they are read: whoever writes several, or one in
/// pieces, is done by then.
const QUIET: Duration = Duration::from_millis(500);
/// So long after the first change they are read, quiet or not: a file that is written all the time
/// must not keep the others out.
const UNQUIET: Duration = Duration::from_secs(10);
/// Interface names come by exporter; what comes within this time becomes one swap.
const GATHER: Duration = Duration::from_secs(1);
/// Between two swaps for names: each encodes all of them anew, and an exporter may give its
/// interfaces other names with every datagram.
const REST: Duration = Duration::from_secs(5);

/// What is due, and when.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// The first change that has not been read, and when it will be.
    files: Option<(Instant, Instant)>,
    names: Option<Instant>,
    /// When names were swapped last.
    swapped: Option<Instant>,
}

impl Due {
    pub(super) fn files_changed(&mut self, now: Instant) {
        let first = self.files.map_or(now, |(first, _)| first);
        self.files = Some((first, (now + QUIET).min(first + UNQUIET)));
    }

    pub(super) fn names_changed(&mut self, now: Instant) {
        let rested = self.swapped.map_or(now, |swapped| swapped + REST);
        self.names.get_or_insert(rested.max(now + GATHER));
    }

    /// Are files to be read now?
    pub(super) fn take_files(&mut self, now: Instant) -> bool {
        self.files.take_if(|(_, due)| *due <= now).is_some()
    }

    /// Are names to be swapped now?
    pub(super) fn take_names(&mut self, now: Instant) -> bool {
        let is_due = self.names.take_if(|due| *due <= now).is_some();
        if is_due {
            self.swapped = Some(now);
        }
        is_due
    }

    /// Until something is due, or it is time to look around.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let files = self.files.map(|(_, due)| due);
        let next = [files, self.names].into_iter().flatten().min();
        next.map_or(GATHER, |due| due.saturating_duration_since(now).min(GATHER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// When a file is read that changes every 100 ms, for ten minutes.
    #[test]
    fn a_busy_file_is_read_every_ten_seconds_and_a_quiet_one_at_once() {
        let (start, mut due) = (Instant::now(), Due::default());
        let mut reads = Vec::new();
        for at in (0..600_000).step_by(100) {
            let now = start + ms(at);
            if due.take_files(now) {
                reads.push(at);
            }
            due.files_changed(now);
        }
        assert_eq!(reads.len(), 59, "{reads:?}");
        assert!(reads.windows(2).all(|two| two[1] - two[0] == 10_000), "{reads:?}");

        let mut due = Due::default();
        due.files_changed(start);
        assert_eq!(due.wait(start), QUIET);
        assert!(!due.take_files(start + ms(499)));
        assert!(due.take_files(start + ms(500)));
        assert!(!due.take_files(start + ms(501)), "once");
    }

    #[test]
    fn names_are_gathered_and_swaps_are_apart() {
        let (start, mut due) = (Instant::now(), Due::default());
        let mut swaps = Vec::new();
        for at in (0..20_000).step_by(100) {
            let now = start + ms(at);
            due.names_changed(now);
            if due.take_names(now) {
                swaps.push(at);
            }
        }
        assert_eq!(swaps, [1000, 6000, 11_000, 16_000]);
    }
}
