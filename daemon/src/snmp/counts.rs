//! What the poller did, for `/metrics` and the log.

use std::sync::{Mutex, PoisonError};

/// Why a walk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No answer in time, or none that is authentic: also what a wrong community or pass phrase looks
    /// like.
    Timeout,
    /// The network says that nobody is there.
    Unreachable,
    /// It answers that it will not: its view, its context, an error of its own.
    Refused,
    /// It answers what is no answer.
    Garbled,
    /// It answers, but shows no interfaces.
    Empty,
}

impl Failure {
    /// All, in the order of the counters.
    pub const ALL: [Self; 5] =
        [Self::Timeout, Self::Unreachable, Self::Refused, Self::Garbled, Self::Empty];

    /// The `cause` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Garbled => "garbled",
            Self::Empty => "empty",
        }
    }
}

/// Shared by the poller, which writes, and whoever shows.
#[derive(Debug, Default)]
pub struct SnmpCounts(Mutex<SnmpView>);

/// The poller at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnmpView {
    /// Walks that brought interfaces.
    pub walks: u64,
    /// Walks that did not, by [`Failure`].
    pub failed: [u64; Failure::ALL.len()],
    /// Exporters that are asked.
    pub devices: u64,
    /// Those of them whose last walk failed: they rest.
    pub backing_off: u64,
    /// Those that are being asked now.
    pub walking: u64,
    /// Interfaces remembered, of all exporters.
    pub interfaces: u64,
    /// Walks that found more interfaces than there was room for.
    pub cut: u64,
}

impl SnmpCounts {
    /// Reads everything.
    #[must_use]
    pub fn view(&self) -> SnmpView {
        self.change(|view| view.clone())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut SnmpView) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
