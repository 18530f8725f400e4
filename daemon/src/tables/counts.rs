//! What the table keeper did, for `/metrics` and `/healthz`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use neckar_enrich::{Sources, Tables};

/// Shared by the keeper, which writes, and whoever shows.
#[derive(Debug, Default)]
pub struct TableCounts(Mutex<TablesView>);

/// The tables and their loads at one moment.
#[derive(Clone, Debug, Default)]
pub struct TablesView {
    /// Tables that came into force, the first ones included.
    pub swaps: u64,
    /// Loads that failed, and configurations that were refused: what was in force before stayed.
    pub failures: u64,
    /// Why the last load failed; `None` if it did not.
    pub trouble: Option<String>,
    /// Why the configuration was refused when it was last to be read again; `None` if it was not. No
    /// file of labels that loads meanwhile makes it good.
    pub refused: Option<String>,
    /// When the prefixes in force were loaded.
    pub loaded: Option<SystemTime>,
    /// How long that took.
    pub load: Duration,
    /// Prefixes of all sources.
    pub prefixes: u64,
    /// Different sets of labels.
    pub label_sets: u64,
    /// Interfaces with a name.
    pub interfaces: u64,
    /// Bytes of the tables in force.
    pub memory_bytes: u64,
    /// Tables that some worker still reads although others are in force.
    pub retired: u64,
}

impl TablesView {
    /// Is all in force that should be?
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.trouble.is_none() && self.refused.is_none()
    }
}

impl TableCounts {
    /// Reads everything.
    #[must_use]
    pub fn view(&self) -> TablesView {
        self.change(|view| view.clone())
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut TablesView) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Prefixes were loaded, which took `load`.
    pub(super) fn loaded(&self, sources: &Sources, load: Duration) {
        let prefixes = sources.prefixes.iter().map(|source| {
            let (v4, v6) = source.prefixes();
            (v4 + v6) as u64
        });
        self.change(|view| {
            view.trouble = None;
            view.loaded = Some(SystemTime::now());
            view.load = load;
            view.prefixes = prefixes.sum();
        });
    }

    /// What came of reading the configuration again: why it was refused, if it was.
    pub(crate) fn configured(&self, refused: Option<String>) {
        self.change(|view| {
            view.failures += u64::from(refused.is_some());
            view.refused = refused;
        });
    }

    /// Tables came into force.
    pub(super) fn swapped(&self, tables: &Tables) {
        self.change(|view| {
            view.swaps += 1;
            view.label_sets = tables.label_sets() as u64;
            view.interfaces = tables.interfaces() as u64;
            view.memory_bytes = tables.memory_bytes() as u64;
        });
    }

    /// A load failed.
    pub(super) fn failed(&self, trouble: String) {
        self.change(|view| {
            view.failures += 1;
            view.trouble = Some(trouble);
        });
    }
}
