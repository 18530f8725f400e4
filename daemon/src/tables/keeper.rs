//! The thread that keeps the tables in force fresh: reloads on request and when a file changes,
//! takes in interface names as they are learnt, and frees old tables.
//!
//! Workers read the tables through an `ArcSwap` and never wait for this thread; the worst that a
//! swap costs them is one pointer. A load that fails leaves what was in force, counts, and says why
//! in one line.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use neckar_decode::Shared;
use neckar_enrich::config::Loader;
use neckar_enrich::{Interface, Sources, Tables};

use super::due::Due;
use super::names::InterfaceNames;
use super::watch::Watch;
use super::{LabelSources, TableCounts, build, load};
use crate::config::{Config, Problem};

/// What the keeper is told.
enum Told {
    /// By hand: read everything again.
    Reload(Box<Config>),
    /// A watched file may have changed.
    FilesChanged,
    /// The interfaces of an exporter, all that are known by now.
    Interfaces(IpAddr, Vec<(u32, Interface)>),
    Stop,
}

/// The thread, from outside.
pub struct TableKeeper {
    updates: TableUpdates,
    thread: JoinHandle<()>,
    counts: Arc<TableCounts>,
    tables: Arc<ArcSwap<Tables>>,
    sources: Arc<LabelSources>,
}

/// A way to tell the keeper what was learnt. Cheap to clone.
#[derive(Clone)]
pub struct TableUpdates {
    told: Sender<Told>,
    /// That files have changed waits to be heard: once is enough, however often they do while the
    /// keeper reads.
    files_told: Arc<AtomicBool>,
}

impl TableUpdates {
    fn new() -> (Self, Receiver<Told>) {
        let (told, hears) = unbounded();
        (Self { told, files_told: Arc::default() }, hears)
    }

    /// Replaces what was told before of the interfaces of `exporter`; none lets it go. What they
    /// say wins over what the configured file says.
    pub fn interfaces(&self, exporter: IpAddr, interfaces: Vec<(u32, Interface)>) {
        // A keeper that is gone needs no names.
        let _ = self.told.send(Told::Interfaces(exporter, interfaces));
    }

    /// Asks for everything to be read again, as `config` says.
    pub fn reload(&self, config: Config) {
        let _ = self.told.send(Told::Reload(Box::new(config)));
    }

    pub(super) fn files_changed(&self) {
        if !self.files_told.swap(true, Ordering::AcqRel) {
            let _ = self.told.send(Told::FilesChanged);
        }
    }

    /// The keeper has heard it; what changes now has to be told again.
    fn files_heard(&self) {
        self.files_told.store(false, Ordering::Release);
    }
}

impl TableKeeper {
    /// Loads the first tables, which must be good, and starts to keep them. `shared` knows what
    /// exporters call their interfaces.
    ///
    /// # Errors
    /// The [`Problem`] of a source; a lack of threads is one too.
    pub fn start(config: &Config, shared: Arc<Shared>) -> Result<Self, Problem> {
        let started = Instant::now();
        let mut reading = Reading::new(config.clone());
        let names = InterfaceNames::new(shared);
        let (sources, first) = reading.read(&names)?;
        let counts = Arc::new(TableCounts::default());
        counts.loaded(&sources, started.elapsed());
        let sources = Arc::new(LabelSources::new(sources));
        counts.swapped(&first);
        let tables = Arc::new(ArcSwap::from_pointee(first));
        let (updates, told) = TableUpdates::new();
        reading.watch.start(&updates);
        let keeping = Keeping {
            reading,
            sources: Arc::clone(&sources),
            names,
            tables: Arc::clone(&tables),
            retired: Vec::new(),
            counts: Arc::clone(&counts),
            updates: updates.clone(),
        };
        let thread = spawn(keeping, told)
            .map_err(|error| Problem::new("", "", error, "raise the limit of threads"))?;
        Ok(Self { updates, thread, counts, tables, sources })
    }

    /// The tables in force.
    #[must_use]
    pub fn tables(&self) -> &Arc<ArcSwap<Tables>> {
        &self.tables
    }

    /// What they were made from.
    #[must_use]
    pub fn sources(&self) -> &Arc<LabelSources> {
        &self.sources
    }

    /// What it did.
    #[must_use]
    pub fn counts(&self) -> &Arc<TableCounts> {
        &self.counts
    }

    /// A way to tell it something.
    #[must_use]
    pub fn updates(&self) -> TableUpdates {
        self.updates.clone()
    }

    /// Ends the thread.
    pub fn stop(self) {
        let _ = self.updates.told.send(Told::Stop);
        // A keeper that panicked has told so already.
        let _ = self.thread.join();
    }
}

fn spawn(mut keeping: Keeping, told: Receiver<Told>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("tables".into()).spawn(move || keeping.run(&told))
}

/// What is read, what is kept of it, and what is watched: one belongs to the other, so a reload
/// replaces all of it or, if it fails, nothing.
struct Reading {
    config: Config,
    loader: Loader,
    watch: Watch,
}

impl Reading {
    /// Nothing is read or watched yet.
    fn new(config: Config) -> Self {
        Self { watch: Watch::new(&config), loader: Loader::default(), config }
    }

    /// Reads what has changed since the last time.
    fn read(&mut self, names: &InterfaceNames) -> Result<(Sources, Tables), Problem> {
        // Before the files: what changes while they are read is another change.
        self.watch.look();
        let sources = load(&self.config, &mut self.loader)?;
        let interfaces = names.over(&sources.interfaces);
        let tables = build(&Sources { interfaces, ..sources.clone() })?;
        Ok((sources, tables))
    }
}

/// The thread, from inside.
struct Keeping {
    reading: Reading,
    sources: Arc<LabelSources>,
    names: InterfaceNames,
    tables: Arc<ArcSwap<Tables>>,
    /// Held until no worker reads them, so that freeing them is never a worker's work.
    retired: Vec<Arc<Tables>>,
    counts: Arc<TableCounts>,
    updates: TableUpdates,
}

impl Keeping {
    fn run(&mut self, told: &Receiver<Told>) {
        let mut due = Due::default();
        loop {
            let now = Instant::now();
            if due.take_files(now) {
                self.read_changed();
            }
            if due.take_names(now) {
                self.swap_interfaces();
            }
            self.free();
            let now = Instant::now();
            if self.names.have_changed() {
                due.names_changed(now);
            }
            if self.reading.watch.sees_change(now) {
                due.files_changed(now);
            }
            match told.recv_timeout(due.wait(now)) {
                Ok(Told::FilesChanged) => {
                    self.updates.files_heard();
                    due.files_changed(Instant::now());
                }
                Ok(Told::Interfaces(exporter, interfaces)) => {
                    self.names.learn(exporter, interfaces);
                    due.names_changed(Instant::now());
                }
                Ok(Told::Reload(config)) => self.reload(*config),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn read_changed(&mut self) {
        let started = Instant::now();
        let read = self.reading.read(&self.names);
        self.take("files changed", started, read);
    }

    /// By hand means: everything is read, whatever the time stamps say. Only a configuration that
    /// is good is read and watched from then on.
    fn reload(&mut self, config: Config) {
        let started = Instant::now();
        let mut reading = Reading::new(config);
        let read = reading.read(&self.names);
        if self.take("reload", started, read) {
            reading.watch.start(&self.updates);
            self.reading = reading;
        }
    }

    /// Swaps what was read; whatever is wrong, the old stays in force.
    fn take(
        &mut self,
        why: &str,
        started: Instant,
        read: Result<(Sources, Tables), Problem>,
    ) -> bool {
        match read {
            Ok((sources, tables)) => {
                self.counts.loaded(&sources, started.elapsed());
                self.sources.replace(sources);
                self.swap(tables);
                log::info!("{why}: labels loaded in {} ms", started.elapsed().as_millis());
                true
            }
            Err(problem) => {
                log::error!("{why} refused, the old stays in force: {problem}");
                self.counts.failed(problem.to_string());
                false
            }
        }
    }

    fn swap_interfaces(&mut self) {
        self.names.settle();
        let interfaces = self.names.over(&self.sources.in_force().interfaces);
        match self.tables.load().with_interfaces(&interfaces) {
            Ok(tables) => self.swap(tables),
            Err(error) => {
                log::error!("interface names refused, the old stay in force: {error}");
                self.counts.failed(error.to_string());
            }
        }
    }

    fn swap(&mut self, fresh: Tables) {
        self.counts.swapped(&fresh);
        self.retired.push(self.tables.swap(Arc::new(fresh)));
    }

    fn free(&mut self) {
        self.retired.retain(|tables| Arc::strong_count(tables) > 1);
        self.counts.change(|view| view.retired = self.retired.len() as u64);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn wait_until(what: &str, is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_refused_reload_leaves_what_is_read_and_watched() {
        let folder = std::env::temp_dir().join(format!("neckar-keeper-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (good, bad) = (folder.join("good.csv"), folder.join("bad.csv"));
        fs::write(&good, "10.0.0.0/8,1\n").unwrap();
        fs::write(&bad, "nonsense,1\n").unwrap();
        let mut config = Config::default();
        config.enrich.customers = good.clone();
        let shared = Arc::new(Shared::new(neckar_decode::Config::default()));
        let keeper = TableKeeper::start(&config, shared).unwrap();
        config.enrich.customers = bad;
        keeper.updates().reload(config);
        let view = || keeper.counts().view();
        wait_until("the reload is refused", || view().failures == 1);
        fs::write(&good, "10.0.0.0/8,2\n10.1.0.0/16,3\n").unwrap();
        wait_until("the file in force is taken in", || view().prefixes == 2);
        assert_eq!(view().trouble, None);
        assert_eq!(keeper.tables().load().cid([10, 1, 0, 1].into()), 3);
        keeper.stop();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_busy_file_waits_to_be_heard_once() {
        let (updates, told) = TableUpdates::new();
        (0..1000).for_each(|_| updates.files_changed());
        assert_eq!(told.len(), 1);
        updates.files_heard();
        updates.files_changed();
        assert_eq!(told.len(), 2);
    }
}
