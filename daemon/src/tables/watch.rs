//! Watches the files that labels come from, in two ways.
//!
//! The kernel tells at once, of their folders: editors and scripts put a new file in the old one's
//! place, and a watch of the old file would never hear of the new one. It says nothing where a link
//! on the way comes to point elsewhere (a release is switched, Kubernetes swaps its `..data`), or
//! where the file is on another machine. So every few seconds the files' stamps are compared too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use neckar_enrich::config::Stamp;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::TableUpdates;
use crate::config::Config;

/// How often stamps are compared.
const LOOK: Duration = Duration::from_secs(3);

/// Watches until it is dropped.
pub(super) struct Watch {
    /// As written; none if they are not to be watched.
    files: Vec<PathBuf>,
    /// As they were at the last look; `None` for those that were not there.
    stamps: Vec<Option<Stamp>>,
    looked: Instant,
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Of the files as they are now. Nobody is told of anything yet.
    pub(super) fn new(config: &Config) -> Self {
        let files = config.enrich.files().filter(|_| config.enrich.watch);
        let files: Vec<PathBuf> = files.map(Path::to_path_buf).collect();
        let stamps = files.iter().map(|file| Stamp::of(file).ok()).collect();
        Self { files, stamps, looked: Instant::now(), watcher: None }
    }

    /// Tells `updates` from now on when one of the files may have changed. Where the kernel cannot
    /// watch, which is a line in the log, the stamps still tell.
    pub(super) fn start(&mut self, updates: &TableUpdates) {
        let files: BTreeSet<PathBuf> = self.files.iter().map(|file| absolute(file)).collect();
        if files.is_empty() {
            return;
        }
        let folders: BTreeSet<PathBuf> =
            files.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        let told = |error: &notify::Error| {
            log::warn!(
                "the kernel does not watch the files of labels ({error}); neckard looks itself, \
                 every {} s",
                LOOK.as_secs()
            );
        };
        self.watcher = watch(files, &folders, updates.clone()).inspect_err(told).ok();
    }

    /// Looks, if it is time to; has a file become another one?
    pub(super) fn sees_change(&mut self, now: Instant) -> bool {
        if now < self.looked + LOOK {
            return false;
        }
        self.looked = now;
        self.look()
    }

    /// Looks at once.
    pub(super) fn look(&mut self) -> bool {
        let stamps = self.files.iter().map(|file| Stamp::of(file).ok()).collect();
        let before = std::mem::replace(&mut self.stamps, stamps);
        before != self.stamps
    }
}

fn watch(
    files: BTreeSet<PathBuf>,
    folders: &BTreeSet<PathBuf>,
    updates: TableUpdates,
) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.map_or(true, |event| concerns(&event, &files)) {
            updates.files_changed();
        }
    })?;
    for folder in folders {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// May one of the files have changed? If the kernel's queue ran over, any may: that event has a
/// flag, and no path.
fn concerns(event: &Event, files: &BTreeSet<PathBuf>) -> bool {
    // Reading them is no change; we read them ourselves.
    let is_change = !matches!(event.kind, EventKind::Access(_));
    event.need_rescan() || is_change && event.paths.iter().any(|path| files.contains(path))
}

/// As the kernel's events will name it: the folder resolved, the name as written.
fn absolute(file: &Path) -> PathBuf {
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
    match (absolute.parent().and_then(|folder| folder.canonicalize().ok()), absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use notify::event::{AccessKind, CreateKind, Flag};

    use super::*;

    #[test]
    fn a_full_queue_concerns_all_and_reading_none() {
        let files: BTreeSet<PathBuf> = ["/etc/neckar/c.csv".into()].into();
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let created = EventKind::Create(CreateKind::File);
        assert!(concerns(&event(created, "/etc/neckar/c.csv"), &files));
        assert!(!concerns(&event(created, "/etc/neckar/other"), &files));
        let read = EventKind::Access(AccessKind::Any);
        assert!(!concerns(&event(read, "/etc/neckar/c.csv"), &files));
        assert!(concerns(&Event::new(EventKind::Other).set_flag(Flag::Rescan), &files));
    }

    /// As Kubernetes does it: the file is a link into `..data`, which is a link to a folder.
    #[test]
    fn a_link_on_the_way_that_points_elsewhere_is_seen() {
        let folder = std::env::temp_dir().join(format!("neckar-links-{}", std::process::id()));
        for release in ["one", "two"] {
            fs::create_dir_all(folder.join(release)).unwrap();
            fs::write(folder.join(release).join("c.csv"), "10.0.0.0/8,1\n").unwrap();
        }
        let point_to = |release: &str| {
            symlink(release, folder.join("new")).unwrap();
            fs::rename(folder.join("new"), folder.join("..data")).unwrap();
        };
        point_to("one");
        symlink("..data/c.csv", folder.join("c.csv")).unwrap();
        let mut config = Config::default();
        config.enrich.customers = folder.join("c.csv");
        let mut watch = Watch::new(&config);
        assert!(!watch.look());
        point_to("two");
        let now = Instant::now();
        assert!(!watch.sees_change(now), "it has just looked");
        assert!(watch.sees_change(now + LOOK));
        assert!(!watch.sees_change(now + 2 * LOOK));
        config.enrich.watch = false;
        let mut unwatched = Watch::new(&config);
        point_to("one");
        assert!(!unwatched.look());
        fs::remove_dir_all(folder).unwrap();
    }
}
