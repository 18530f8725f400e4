//! When the next datagram is due: a schedule that is kept on the average, with short sleeps.
//!
//! A sleep on Linux is some 60 µs too long, so at more than 10,000 datagrams a second several are
//! overdue when it ends; they go out back to back and the average holds. What is overdue by more
//! than [`LAG_MAX`] (the machine was busy, the program was suspended) is forgiven: catching up at
//! full speed would only overrun the receiver.

use std::time::{Duration, Instant};

use crate::stop::Stop;

/// How far the sending may fall behind and still catch up.
const LAG_MAX: Duration = Duration::from_millis(50);
/// The longest sleep, so that Ctrl-C is heard.
const NAP_MAX: Duration = Duration::from_millis(100);

/// A schedule being kept.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    forgiven: Duration,
}

impl Pace {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), forgiven: Duration::ZERO }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Sleeps until `due`, counted from the start; less if somebody asks to stop.
    pub(crate) fn wait(&mut self, due: Duration, stop: &Stop) {
        while let Some(nap) = self.nap(due, self.start.elapsed())
            && !stop.is_asked()
        {
            std::thread::sleep(nap);
        }
    }

    /// How long to sleep at `now` before looking again; `None` if it is time.
    fn nap(&mut self, due: Duration, now: Duration) -> Option<Duration> {
        let due = due + self.forgiven;
        if now >= due {
            self.forgiven += (now - due).saturating_sub(LAG_MAX);
            return None;
        }
        Some((due - now).min(NAP_MAX))
    }
}

/// When unit number `count` is due at `rate` units a second.
pub(crate) fn due_at(count: u64, rate: f64) -> Duration {
    // A schedule of more than 500 years is as good as none.
    Duration::try_from_secs_f64(count as f64 / rate).unwrap_or(Duration::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_due_goes_and_what_is_not_waits() {
        let mut pace = Pace::start();
        assert_eq!(pace.nap(5 * MS, 5 * MS), None);
        assert_eq!(pace.nap(7 * MS, 5 * MS), Some(2 * MS));
        assert_eq!(pace.nap(9000 * MS, 5 * MS), Some(NAP_MAX));
    }

    #[test]
    fn a_small_lag_is_caught_up_and_a_large_one_forgiven() {
        let mut pace = Pace::start();
        assert_eq!(pace.nap(10 * MS, 60 * MS), None);
        assert_eq!(pace.forgiven, Duration::ZERO);
        // Two seconds away: what was due then moves on by all but the 50 ms.
        assert_eq!(pace.nap(20 * MS, 2020 * MS), None);
        assert_eq!(pace.forgiven, 1950 * MS);
        assert_eq!(pace.nap(70 * MS, 2020 * MS), None);
        assert_eq!(pace.nap(71 * MS, 2020 * MS), Some(MS));
    }

    #[test]
    fn rates_give_due_times() {
        assert_eq!(due_at(0, 1000.0), Duration::ZERO);
        assert_eq!(due_at(5, 1000.0), 5 * MS);
        assert_eq!(due_at(1, 0.5), 2000 * MS);
        assert_eq!(due_at(u64::MAX, 1e-300), Duration::MAX / 4);
    }
}
