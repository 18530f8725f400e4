//! What pushing came to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counters of one room that pushes, written by its thread.
#[derive(Debug, Default)]
pub struct PushCounts {
    pub(super) points: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) absent: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) pushes: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) buffer_bytes: AtomicU64,
    pub(super) buffer_points: AtomicU64,
    pub(super) last_success_s: AtomicU64,
    pub(super) series: AtomicU64,
    pub(super) databases: AtomicU64,
    pub(super) databases_refused: AtomicU64,
    pub(super) creates: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// The counts at one moment. Points made are `points + failed + absent + dropped +
/// buffer_points`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushView {
    /// Points that the server took.
    pub points: u64,
    /// Points that it refused for good.
    pub failed: u64,
    /// Points for customers' databases that are not there or take nothing.
    pub absent: u64,
    /// Points given up: too old, or still waiting at the end.
    pub dropped: u64,
    /// Requests that it took.
    pub pushes: u64,
    /// Requests that failed and were repeated.
    pub errors: u64,
    /// Intervals without points of their own, because the buffer was full.
    pub skipped: u64,
    /// Bytes that wait.
    pub buffer_bytes: u64,
    /// Points that wait.
    pub buffer_points: u64,
    /// When it last took something, Unix time; 0 for never.
    pub last_success_s: u64,
    /// Series at the last look.
    pub series: u64,
    /// Databases or buckets that are written to, the main one included.
    pub databases: u64,
    /// Those of them that take nothing now.
    pub databases_refused: u64,
    /// Times that a database was asked to be made.
    pub creates: u64,
    /// Why the server takes nothing, or not everything.
    pub trouble: Option<String>,
}

impl PushCounts {
    /// Reads them.
    #[must_use]
    pub fn view(&self) -> PushView {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PushView {
            points: read(&self.points),
            failed: read(&self.failed),
            absent: read(&self.absent),
            dropped: read(&self.dropped),
            pushes: read(&self.pushes),
            errors: read(&self.errors),
            skipped: read(&self.skipped),
            buffer_bytes: read(&self.buffer_bytes),
            buffer_points: read(&self.buffer_points),
            last_success_s: read(&self.last_success_s),
            series: read(&self.series),
            databases: read(&self.databases),
            databases_refused: read(&self.databases_refused),
            creates: read(&self.creates),
            trouble: self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Sets the trouble; tells what it was before.
    pub(super) fn set_trouble(&self, trouble: Option<String>) -> Option<String> {
        let mut held = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut held, trouble)
    }
}

/// Adds to a counter.
pub(super) fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

/// Sets a gauge.
pub(super) fn set(gauge: &AtomicU64, value: u64) {
    gauge.store(value, Ordering::Relaxed);
}
