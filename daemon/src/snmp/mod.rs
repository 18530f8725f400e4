//! Interface names by SNMP: asks the exporters that the decoder knows, as far as their `[[exporter]]`
//! rule says how, and hands on what they say.
//!
//! One thread with a current-thread runtime, beside the flow path: it looks once a second which
//! exporters there are ([`Shared::addresses`]), walks those whose time has come ([`schedule`]), a
//! bounded number at a time ([`walk`]), and remembers what they said ([`known`]), in memory and in
//! `state.directory`. Swapping tables is up to whoever takes the names. Deliberately not here:
//! traps, MIB files, walks because a flow names an interface that nobody knows yet.

mod access;
mod counts;
mod known;
mod schedule;
mod walk;

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hashbrown::{HashMap, HashSet};
use neckar_decode::Shared;
use neckar_enrich::Interface;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

pub use access::AccessRules;
pub use counts::{Failure, SnmpCounts, SnmpView};
use known::Known;
use schedule::{Pace, Schedule};
use walk::{Manner, Said};

use crate::config::Config;
use crate::state;

/// How often new exporters are looked for.
const TICK: Duration = Duration::from_secs(1);
/// What is known is written at most this often.
const WRITE_MS: u64 = 10_000;
const FILE: &str = "interfaces.json";
/// Lines about devices in a minute at most: when a network falls silent, so do we.
const LINES_MAX: u32 = 20;

/// Takes all interfaces of an exporter that are known by now; none if it is forgotten.
type Learnt = Box<dyn FnMut(IpAddr, Vec<(u32, Interface)>) + Send>;
type Result<T> = std::result::Result<T, (Failure, String)>;

/// The poller's thread, from outside.
#[derive(Debug)]
pub struct Poller {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Poller {
    /// Hands on what is remembered from before, then starts asking. Without a rule that says whom,
    /// there is no poller. `learnt` is called on the poller's thread.
    ///
    /// # Errors
    /// There is no thread left.
    pub fn start(
        config: &Config,
        rules: AccessRules,
        shared: Arc<Shared>,
        counts: Arc<SnmpCounts>,
        learnt: impl FnMut(IpAddr, Vec<(u32, Interface)>) + Send + 'static,
    ) -> io::Result<Option<Self>> {
        if rules.is_empty() {
            return Ok(None);
        }
        let mut polling = Polling::new(config, rules, shared, counts, Box::new(learnt));
        polling.restore();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("snmp".into())
            .spawn(move || runtime.block_on(polling.run(stopped)))?;
        Ok(Some(Self { stop, thread }))
    }

    /// Gives up the walks under way, writes what is known, and ends.
    pub fn stop(self) {
        // An error means that the thread has ended by itself, and told so.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// Where names are kept, `None` if nowhere.
fn file(config: &Config) -> Option<PathBuf> {
    let directory = &config.state.directory;
    (!directory.as_os_str().is_empty()).then(|| directory.join(FILE))
}

/// The poller's thread, from inside.
struct Polling {
    rules: AccessRules,
    manner: Arc<Manner>,
    concurrency: usize,
    schedule: Schedule,
    known: Known,
    file: Option<PathBuf>,
    /// Since when something is known that is not on disk.
    unwritten_since_ms: Option<u64>,
    shared: Arc<Shared>,
    counts: Arc<SnmpCounts>,
    learnt: Learnt,
    started: Instant,
    lines: Lines,
    /// Who is being asked by which task.
    walking: HashMap<Id, IpAddr>,
}

impl Polling {
    fn new(
        config: &Config,
        rules: AccessRules,
        shared: Arc<Shared>,
        counts: Arc<SnmpCounts>,
        learnt: Learnt,
    ) -> Self {
        Self {
            rules,
            manner: Arc::new(Manner::new(&config.snmp)),
            concurrency: config.snmp.concurrency,
            schedule: Schedule::new(Pace::new(&config.snmp)),
            known: Known::new(config.snmp.interfaces_max),
            file: file(config),
            unwritten_since_ms: None,
            shared,
            counts,
            learnt,
            started: Instant::now(),
            lines: Lines::default(),
            walking: HashMap::new(),
        }
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut walks: JoinSet<Result<Said>> = JoinSet::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                _ = tick.tick() => self.look_around(),
                Some(ended) = walks.join_next_with_id() => self.ended(ended),
            }
            self.launch(&mut walks);
            self.show();
        }
        if self.unwritten_since_ms.is_some() {
            self.write();
        }
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn look_around(&mut self) {
        let addresses = self.shared.addresses().into_iter();
        let asked: HashSet<IpAddr> = addresses.filter(|one| self.rules.asks(*one)).collect();
        let now_ms = self.now_ms();
        self.schedule.follow(&asked, now_ms);
        if self.unwritten_since_ms.is_some_and(|since| now_ms - since >= WRITE_MS) {
            self.write();
        }
    }

    /// Starts as many walks as are due and allowed.
    fn launch(&mut self, walks: &mut JoinSet<Result<Said>>) {
        let free = self.concurrency.saturating_sub(walks.len());
        for exporter in self.schedule.take_due(self.now_ms(), free) {
            // Whoever is on the schedule has a rule.
            let Some(access) = self.rules.find(exporter) else { continue };
            let manner = Arc::clone(&self.manner);
            let task = walks.spawn(async move { manner.walk(access).await });
            self.walking.insert(task.id(), exporter);
        }
    }

    fn ended(&mut self, ended: std::result::Result<(Id, Result<Said>), JoinError>) {
        let (id, result) = match ended {
            Ok(ended) => ended,
            // A panic over what a device said costs its walk, nothing else.
            Err(error) => (error.id(), Err((Failure::Garbled, error.to_string()))),
        };
        let Some(exporter) = self.walking.remove(&id) else { return };
        let now_ms = self.now_ms();
        let failures = self.schedule.done(exporter, result.is_ok(), now_ms);
        match result {
            Ok(said) => {
                if failures.is_some_and(|failures| failures > 0) && self.lines.allow(now_ms) {
                    log::info!("snmp: {exporter} answers: {} interfaces", said.interfaces.len());
                }
                self.take(exporter, said, now_ms);
            }
            Err((failure, why)) => {
                self.counts.change(|view| view.failed[failure as usize] += 1);
                // Once per device that begins to fail; the counters tell the rest.
                if failures == Some(0) && self.lines.allow(now_ms) {
                    log::warn!("snmp: {exporter}: {}: {why}; trying again", failure.name());
                }
            }
        }
    }

    /// Remembers what a device said, and hands it on if it is news.
    fn take(&mut self, exporter: IpAddr, said: Said, now_ms: u64) {
        let news = self.known.of(exporter) != said.interfaces;
        let mut cut = said.cut;
        if news {
            let schedule = &self.schedule;
            let put = self.known.put(exporter, said.interfaces, |one| schedule.has(one));
            cut |= !put.all;
            // Whoever keeps the names forgets them too: the bound is theirs as well.
            put.forgotten.into_iter().for_each(|one| (self.learnt)(one, Vec::new()));
            (self.learnt)(exporter, self.known.of(exporter).to_vec());
            self.unwritten_since_ms.get_or_insert(now_ms);
        }
        self.counts.change(|view| {
            view.walks += 1;
            view.cut += u64::from(cut);
        });
    }

    fn show(&self) {
        let (devices, backing_off) = self.schedule.counts();
        self.counts.change(|view| {
            view.devices = devices;
            view.backing_off = backing_off;
            view.walking = self.walking.len() as u64;
            view.interfaces = self.known.interfaces() as u64;
        });
    }

    /// Reads what was known when we last ran, as far as we would still ask, and hands it on.
    fn restore(&mut self) {
        let Some(path) = &self.file else { return };
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return log::error!("cannot read {}: {error}", path.display()),
        };
        let rules = &self.rules;
        if let Err(why) = self.known.restore(&bytes, |exporter| rules.asks(exporter)) {
            return log::error!("{}: {why}; asking for all names anew", path.display());
        }
        let exporters: Vec<IpAddr> = self.known.exporters().collect();
        let counts = (exporters.len(), self.known.interfaces());
        log::info!("{}: {} exporters, {} interfaces", path.display(), counts.0, counts.1);
        for exporter in exporters {
            (self.learnt)(exporter, self.known.of(exporter).to_vec());
        }
        self.show();
    }

    fn write(&mut self) {
        self.unwritten_since_ms = None;
        let Some(path) = &self.file else { return };
        if let Err(error) = state::replace(path, &self.known.to_bytes()) {
            log::error!("cannot write {}: {error}", path.display());
        }
    }
}

/// Bounds the log lines about devices.
#[derive(Debug, Default)]
struct Lines {
    minute: u64,
    lines: u32,
}

impl Lines {
    fn allow(&mut self, now_ms: u64) -> bool {
        let minute = now_ms / 60_000;
        if minute != self.minute {
            *self = Self { minute, lines: 0 };
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines == LINES_MAX + 1 {
            log::warn!("snmp: more devices changed their state; /metrics counts them");
        }
        self.lines <= LINES_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    #[test]
    fn who_is_forgotten_is_told() {
        let interfaces = |count: u32| (0..count).map(|one| (one, Interface::default())).collect();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let mut config = Config::default();
        config.snmp.interfaces_max = 3;
        let mut polling = Polling::new(
            &config,
            AccessRules::new(&config).expect("no secrets"),
            Arc::new(Shared::new(neckar_decode::Config::default())),
            Arc::default(),
            Box::new(move |exporter, interfaces: Vec<_>| {
                let mut told = tell.lock().unwrap_or_else(PoisonError::into_inner);
                told.push((exporter, interfaces.len()));
            }),
        );
        let [one, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        for exporter in [one, other] {
            let said = Said { interfaces: interfaces(2), cut: false };
            polling.take(exporter, said, 0);
        }
        // Neither is on the schedule, so the first one had to make room.
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*told, [(one, 2), (one, 0), (other, 2)]);
    }

    #[test]
    fn lines_are_bounded_by_the_minute() {
        let mut lines = Lines::default();
        let allowed = (0..100).filter(|at| lines.allow(*at)).count();
        assert_eq!(allowed as u32, LINES_MAX);
        assert!(lines.allow(60_000));
    }
}
