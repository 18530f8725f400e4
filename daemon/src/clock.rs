//! The daemon's only clock. Rooms below take time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix nanoseconds now. Read once per batch of datagrams, never per flow.
#[must_use]
pub fn unix_ns() -> u64 {
    // A clock before 1970 reads as 1970; one after 2554 does not fit and nobody is left to mind.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
