//! What asking the DNS came to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters, written by the thread and, where the queue is full, by workers.
#[derive(Debug, Default)]
pub struct ReverseCounts {
    pub(super) asked: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) nameless: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) entries: AtomicU64,
    pub(super) queue_full: AtomicU64,
}

/// The counts at one moment. `asked = answered + nameless + failed`, but for what is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReverseView {
    /// Questions.
    pub asked: u64,
    /// Answers with a name.
    pub answered: u64,
    /// Answers that say that there is none.
    pub nameless: u64,
    /// No answer in time, or one of trouble.
    pub failed: u64,
    /// Entries given up before their time because the table was full.
    pub evicted: u64,
    /// Entries.
    pub entries: u64,
    /// Addresses that were not asked for because the queue was full.
    pub queue_full: u64,
}

impl ReverseCounts {
    /// Reads them.
    #[must_use]
    pub fn view(&self) -> ReverseView {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ReverseView {
            asked: read(&self.asked),
            answered: read(&self.answered),
            nameless: read(&self.nameless),
            failed: read(&self.failed),
            evicted: read(&self.evicted),
            entries: read(&self.entries),
            queue_full: read(&self.queue_full),
        }
    }
}
