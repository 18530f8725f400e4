//! The sources that the tables in force were made from, for whoever asks why an address has a label.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use neckar_enrich::{Explanation, Sources};

/// The keeper's own sources, swapped with the tables; to show them costs nothing more.
pub struct LabelSources(ArcSwap<Sources>);

impl LabelSources {
    pub(super) fn new(sources: Sources) -> Self {
        Self(ArcSwap::from_pointee(sources))
    }

    pub(super) fn replace(&self, sources: Sources) {
        self.0.store(Arc::new(sources));
    }

    pub(super) fn in_force(&self) -> Arc<Sources> {
        self.0.load_full()
    }

    /// What each source says of `address`, in their order. Slow, as looks go: for people.
    #[must_use]
    pub fn explain(&self, address: IpAddr) -> Vec<Explanation> {
        self.in_force().explain(address)
    }
}

impl fmt::Debug for LabelSources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LabelSources({})", self.0.load().prefixes.len())
    }
}
