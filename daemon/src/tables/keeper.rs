//! The thread that keeps the tables in force fresh: reloads on request and when a file changes,
//! takes in interface names as they are learnt, and frees old tables.
//!
//! Workers read the tables through an `ArcSwap` and never wait for this thread; the worst that a
//! swap costs them is one pointer. A load that fails leaves what was in force, counts, and says why
//! in one line.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use hashbrown::HashMap;
use neckar_decode::{InterfaceName, Shared};
use neckar_enrich::config::Loader;
use neckar_enrich::{Interface, Interfaces, Sources, Tables};

use super::watch::Watch;
use super::{LabelSources, TableCounts, build, load};
use crate::config::{Config, Problem};

/// How long files must have been quiet before they are read: whoever writes several, or one in
/// pieces, is done by then.
const QUIET: Duration = Duration::from_millis(500);
/// Interface names come by exporter; this many milliseconds' worth become one swap.
const GATHER: Duration = Duration::from_secs(1);

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
pub struct TableUpdates(Sender<Told>);

impl TableUpdates {
    /// Replaces what was told before of the interfaces of `exporter`. They win over those of the
    /// configured file.
    pub fn interfaces(&self, exporter: IpAddr, interfaces: Vec<(u32, Interface)>) {
        // A keeper that is gone needs no names.
        let _ = self.0.send(Told::Interfaces(exporter, interfaces));
    }

    /// Asks for everything to be read again, as `config` says.
    pub fn reload(&self, config: Config) {
        let _ = self.0.send(Told::Reload(Box::new(config)));
    }

    pub(super) fn files_changed(&self) {
        let _ = self.0.send(Told::FilesChanged);
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
        let mut loader = Loader::default();
        let sources = load(config, &mut loader)?;
        let first = build(&sources)?;
        let counts = Arc::new(TableCounts::default());
        let shown = Arc::new(LabelSources::new(&sources));
        counts.loaded(&sources, started.elapsed());
        counts.swapped(&first);
        let tables = Arc::new(ArcSwap::from_pointee(first));
        let (sender, told) = unbounded();
        let updates = TableUpdates(sender);
        let watch = Watch::start(config, &updates);
        let keeping = Keeping {
            config: config.clone(),
            loader,
            sources,
            learnt: HashMap::new(),
            shared,
            names_revision: 0,
            tables: Arc::clone(&tables),
            retired: Vec::new(),
            counts: Arc::clone(&counts),
            shown: Arc::clone(&shown),
            watch,
            updates: updates.clone(),
        };
        let thread = spawn(keeping, told)
            .map_err(|error| Problem::new("", "", error, "raise the limit of threads"))?;
        Ok(Self { updates, thread, counts, tables, sources: shown })
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
        let _ = self.updates.0.send(Told::Stop);
        // A keeper that panicked has told so already.
        let _ = self.thread.join();
    }
}

fn spawn(mut keeping: Keeping, told: Receiver<Told>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("tables".into()).spawn(move || keeping.run(&told))
}

/// The thread, from inside.
struct Keeping {
    config: Config,
    loader: Loader,
    sources: Sources,
    /// By exporter, what was learnt of its interfaces.
    learnt: HashMap<IpAddr, Vec<(u32, Interface)>>,
    /// Who knows what exporters say of their interfaces themselves.
    shared: Arc<Shared>,
    /// The edition of that which is in force.
    names_revision: u64,
    tables: Arc<ArcSwap<Tables>>,
    /// Held until no worker reads them, so that freeing them is never a worker's work.
    retired: Vec<Arc<Tables>>,
    counts: Arc<TableCounts>,
    /// The sources, for who asks why.
    shown: Arc<LabelSources>,
    watch: Watch,
    updates: TableUpdates,
}

impl Keeping {
    fn run(&mut self, told: &Receiver<Told>) {
        let (mut files_due, mut names_due): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            let now = Instant::now();
            if files_due.is_some_and(|due| due <= now) {
                files_due = None;
                self.reload("files changed");
            }
            if names_due.is_some_and(|due| due <= now) {
                names_due = None;
                self.swap_interfaces();
            }
            self.free();
            if self.names_revision != self.shared.interface_revision() {
                self.swap_interfaces();
            }
            let next = [files_due, names_due].into_iter().flatten().min();
            let wait = next.map_or(GATHER, |due| due.saturating_duration_since(now).min(GATHER));
            match told.recv_timeout(wait) {
                Ok(Told::FilesChanged) => files_due = Some(Instant::now() + QUIET),
                Ok(Told::Interfaces(exporter, interfaces)) => {
                    self.learnt.insert(exporter, interfaces);
                    names_due.get_or_insert(Instant::now() + GATHER);
                }
                Ok(Told::Reload(config)) => {
                    self.config = *config;
                    // By hand means: whatever the time stamps say.
                    self.loader = Loader::default();
                    self.watch = Watch::start(&self.config, &self.updates);
                    self.reload("reload");
                }
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Told::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Reads what has changed and swaps; whatever is wrong, the old stays in force.
    fn reload(&mut self, why: &str) {
        let started = Instant::now();
        let built = load(&self.config, &mut self.loader).and_then(|sources| {
            let tables = build(&self.with_learnt(&sources))?;
            Ok((sources, tables))
        });
        match built {
            Ok((sources, tables)) => {
                self.counts.loaded(&sources, started.elapsed());
                self.shown.replace(&sources);
                self.sources = sources;
                self.swap(tables);
                log::info!("{why}: labels loaded in {} ms", started.elapsed().as_millis());
            }
            Err(problem) => {
                log::error!("{why} refused, the old stays in force: {problem}");
                self.counts.failed(problem.to_string());
            }
        }
    }

    /// The sources with what was learnt of interfaces.
    fn with_learnt(&self, sources: &Sources) -> Sources {
        Sources { interfaces: self.interfaces(&sources.interfaces), ..sources.clone() }
    }

    /// Those of the file, over them what exporters say in options data, and over that what they
    /// answered when they were asked.
    fn interfaces(&self, of_file: &Interfaces) -> Interfaces {
        let mut all = of_file.clone();
        for (exporter, interfaces) in self.shared.interface_names() {
            for (if_index, InterfaceName { name, description }) in interfaces {
                let known = all.interface(exporter, if_index).cloned().unwrap_or_default();
                // "Not said" leaves what the file says.
                let or = |said: String, known: String| if said.is_empty() { known } else { said };
                let interface = Interface {
                    name: or(name, known.name),
                    description: or(description, known.description),
                    speed_mbps: known.speed_mbps,
                };
                all.insert(exporter, if_index, interface);
            }
        }
        for (exporter, interfaces) in &self.learnt {
            for (if_index, interface) in interfaces {
                all.insert(*exporter, *if_index, interface.clone());
            }
        }
        all
    }

    fn swap_interfaces(&mut self) {
        // The edition first: what changes meanwhile is taken in the next time.
        self.names_revision = self.shared.interface_revision();
        let interfaces = self.interfaces(&self.sources.interfaces);
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
