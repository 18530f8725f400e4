//! What visitors came to.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counted as it happens.
#[derive(Debug, Default)]
pub struct HttpCounts {
    connections: AtomicU64,
    refused: AtomicU64,
    denied: AtomicU64,
    busy: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpView {
    /// Connections now.
    pub connections: u64,
    /// Connections closed at once because `http.connections_max` are there, or half of them from the
    /// same address (IPv6: the same /64).
    pub refused: u64,
    /// Requests turned away: without the secret, by a name that is not ours, for another site.
    pub denied: u64,
    /// Requests that waited in vain for their turn, or for an answer.
    pub busy: u64,
}

impl HttpCounts {
    /// Reads them.
    #[must_use]
    pub fn view(&self) -> HttpView {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HttpView {
            connections: read(&self.connections),
            refused: read(&self.refused),
            denied: read(&self.denied),
            busy: read(&self.busy),
        }
    }

    pub(super) fn came(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn left(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn denied(&self) {
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn busy(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }
}
