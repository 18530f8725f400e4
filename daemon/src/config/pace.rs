//! How counters are pushed, whoever takes them.

use super::Problem;
use super::validate::within;

/// How often, how patiently, and how much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Seconds from push to push.
    pub interval_s: u64,
    /// Milliseconds that a request may take.
    pub timeout_ms: u64,
    /// Seconds to wait at most after failures.
    pub backoff_max_s: u64,
    /// Bytes that may wait.
    pub buffer_bytes: usize,
    /// Seconds after which what waits is given up.
    pub give_up_s: u64,
}

impl Pace {
    /// Is it within bounds? `room` is the table that it is written in.
    ///
    /// # Errors
    /// The key that is not.
    pub(super) fn validate(&self, room: &str) -> Result<(), Problem> {
        let bounds = [
            ("interval_s", self.interval_s, 1, 3600),
            ("timeout_ms", self.timeout_ms, 1, 600_000),
            ("backoff_max_s", self.backoff_max_s, 1, 3600),
            ("buffer_bytes", self.buffer_bytes as u64, 64 << 10, 1 << 40),
            ("give_up_s", self.give_up_s, 1, 365 * 24 * 3600),
        ];
        for (key, value, least, most) in bounds {
            within(&[(&format!("{room}.{key}"), value, least, most)])?;
        }
        Ok(())
    }
}
