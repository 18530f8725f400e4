//! The sources that the tables in force were made from, for whoever asks why an address has a label.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use neckar_enrich::sources::Source;
use neckar_enrich::{Explanation, Sources};

/// Prefix sources, swapped with the tables; shared with the keeper, so they cost nothing more.
pub struct LabelSources(ArcSwap<Vec<Arc<Source>>>);

impl LabelSources {
    pub(super) fn new(sources: &Sources) -> Self {
        Self(ArcSwap::from_pointee(sources.prefixes.clone()))
    }

    pub(super) fn replace(&self, sources: &Sources) {
        self.0.store(Arc::new(sources.prefixes.clone()));
    }

    /// What each source says of `address`, in their order. Slow, as looks go: for people.
    #[must_use]
    pub fn explain(&self, address: IpAddr) -> Vec<Explanation> {
        self.0.load_full().iter().flat_map(|source| source.explain(address)).collect()
    }
}

impl fmt::Debug for LabelSources {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LabelSources({})", self.0.load().len())
    }
}
