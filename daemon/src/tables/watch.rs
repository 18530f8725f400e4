//! Watches the files that labels come from.
//!
//! It is their folders that are watched: editors and scripts put a new file in the old one's place,
//! and a watch of the old file would never hear of the new one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::TableUpdates;
use crate::config::Config;

/// Watches until it is dropped.
pub(super) struct Watch {
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Tells `updates` when one of the files may have changed. What cannot be watched is a line in
    /// the log: SIGHUP still works.
    pub(super) fn start(config: &Config, updates: &TableUpdates) -> Self {
        let files: BTreeSet<PathBuf> = config.enrich.files().map(absolute).collect();
        if !config.enrich.watch || files.is_empty() {
            return Self { _watcher: None };
        }
        let folders: BTreeSet<PathBuf> =
            files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        let watcher = watch(files, &folders, updates.clone());
        let told = |error: &notify::Error| {
            log::warn!("files of labels are not watched ({error}); use SIGHUP after a change");
        };
        Self { _watcher: watcher.inspect_err(told).ok() }
    }
}

fn watch(
    files: BTreeSet<PathBuf>,
    folders: &BTreeSet<PathBuf>,
    updates: TableUpdates,
) -> notify::Result<RecommendedWatcher> {
    let concerns = move |event: &Event| {
        // Reading them is no change; we read them ourselves.
        !matches!(event.kind, EventKind::Access(_))
            && event.paths.iter().any(|path| files.contains(path))
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // An error is an overflow of the kernel's queue: anything may have changed.
        if event.as_ref().map_or(true, &concerns) {
            updates.files_changed();
        }
    })?;
    for folder in folders {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// As the kernel's events will name it: the folder resolved, the name as written.
fn absolute(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    match (absolute.parent().and_then(|folder| folder.canonicalize().ok()), absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}
