//! Starting and stopping the whole: sockets, workers, output, splitter, state, http.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fmt, io};

use arc_swap::ArcSwap;
use core_affinity::CoreId;
use crossbeam_channel::{Sender, unbounded};
use neckar_decode::{Decoder, Shared};
use neckar_enrich::Tables;
use neckar_enrich::anonymize::Anonymizer;
use neckar_proto::{Batch, Layout};

use crate::board::{Board, Snapshot};
use crate::config::{Config, Problem};
use crate::effort::Effort;
use crate::handover::{self, Handover};
use crate::http::{Http, Shown};
use crate::ingest::{Receiver, Socket};
use crate::output::Output;
use crate::pool::Pool;
use crate::push::{self, Pusher};
use crate::reverse_names::{NameLabels, ReverseResolver};
use crate::snmp::{AccessRules, Poller};
use crate::splitter::{Splitter, SplitterCounts, SplitterParts, Wishes};
use crate::spooler::{self, Detour, Spooler, SpoolerParts, WINDOW_BATCHES};
use crate::stage::{Stage, StageParts};
use crate::state::StateKeeper;
use crate::tables::{TableKeeper, TableUpdates};
use crate::traffic::TrafficCounter;
use crate::worker::{Published, Worker, WorkerCounts};
use crate::{budget, cores, metrics, settings};

/// Why there is no pipeline.
#[derive(Debug)]
pub enum StartError {
    /// The operator can mend it: exit code 2.
    Problem(Problem),
    /// The system refused: exit code 1.
    System(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Problem(problem) => problem.fmt(out),
            Self::System(what) => out.write_str(what),
        }
    }
}

impl From<Problem> for StartError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What the running pipeline tells the one who started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker has ended although nobody asked it to.
    WorkerEnded,
    /// Nobody reads the output any more.
    OutputClosed,
}

/// The running data plane.
pub struct Pipeline {
    board: Arc<Board>,
    workers: Vec<JoinHandle<io::Result<WorkerCounts>>>,
    splitter: Option<Splitter>,
    traffic: Option<TrafficCounter>,
    spooler: Option<Spooler>,
    names: Option<ReverseResolver>,
    keeper: StateKeeper,
    table_keeper: TableKeeper,
    poller: Option<Poller>,
    pushers: Vec<Pusher>,
    http: Option<Http>,
    listening: Vec<SocketAddr>,
    deadline: Duration,
}

impl Pipeline {
    /// Binds and starts everything. `events` hears of what happens by itself.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(config: &Config, events: &Sender<Event>) -> Result<Self, StartError> {
        let cores = cores::choose_cores(&config.workers.cores).map_err(|why| {
            Problem::new("workers.cores", &config.workers.cores, why, "choose others or auto")
        })?;
        let anonymizer = settings::anonymizer(config)?.map(Arc::new);
        let layout = settings::layout(config)?;
        let access = AccessRules::new(config)?;
        push::check(config)?;
        let shared = Arc::new(Shared::new(settings::decode(config)?));
        let table_keeper = TableKeeper::start(config, Arc::clone(&shared))?;
        let (sockets, listening) = bind_all(config, cores.len())?;
        let keeper = StateKeeper::start(&config.state, Arc::clone(&shared)).map_err(system)?;
        let closed = events.clone();
        // Nobody hears of it only when everything is ending anyway.
        let output = Output::start(config, move || {
            let _ = closed.send(Event::OutputClosed);
        })?;
        let output = Arc::new(output);
        let counts = Arc::new(SplitterCounts::default());
        let batches = cores.len() * budget::batches_per_worker(config, cores.len());
        let splitter = start_splitter(config, &output, batches, &counts)?;
        let spooler = start_spooler(config, &output, splitter.as_ref())?;
        let traffic = TrafficCounter::start(config, batches).map_err(system)?;
        let name_counts = Arc::default();
        let names = ReverseResolver::start(&config.reverse_names, Arc::clone(&name_counts))?;
        let board = Arc::new(Board {
            names: name_counts,
            workers: cores.iter().map(|_| Arc::default()).collect(),
            exporters: Arc::clone(&shared),
            metrics: metrics::Settings::new(config, cores.len()),
            output: Arc::clone(&output),
            splitter: counts,
            http: Arc::default(),
            traffic: traffic.as_ref().map(|traffic| Arc::clone(traffic.board())),
            tables: Arc::clone(table_keeper.counts()),
            snmp: Arc::default(),
            influx: Arc::default(),
            remote_write: Arc::default(),
            stopping: Arc::new(AtomicBool::new(false)),
            started: Instant::now(),
        });
        let mut pipeline = Self {
            board: Arc::clone(&board),
            workers: Vec::new(),
            splitter,
            traffic,
            spooler,
            names,
            keeper,
            table_keeper,
            poller: None,
            pushers: Vec::new(),
            http: None,
            listening,
            deadline: Duration::from_secs(config.stop.deadline_s),
        };
        let tables = Arc::clone(pipeline.table_keeper.tables());
        let launch = Launch {
            config,
            cores: &cores,
            layout,
            shared: Arc::clone(&shared),
            tables,
            anonymizer,
            output,
            events,
        };
        if let Err(error) = pipeline.launch(launch, sockets) {
            let _ = pipeline.stop();
            return Err(error);
        }
        if let Err(error) = pipeline.start_poller(config, access, shared) {
            let _ = pipeline.stop();
            return Err(system(error));
        }
        if let Err(problem) = pipeline.start_pushers(config) {
            let _ = pipeline.stop();
            return Err(problem.into());
        }
        let keeper = &pipeline.table_keeper;
        let (tables, sources) = (Arc::clone(keeper.tables()), Arc::clone(keeper.sources()));
        match Http::start(config, Shown { board, tables, sources }) {
            Ok(http) => pipeline.http = http,
            Err(error) => {
                let _ = pipeline.stop();
                return Err(error);
            }
        }
        Ok(pipeline)
    }

    fn launch(&mut self, launch: Launch<'_>, sockets: Vec<Vec<Socket>>) -> Result<(), StartError> {
        let (ready, started) = unbounded();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let published = Arc::clone(&self.board.workers[index]);
            let splitter = self.splitter.as_ref().map(Splitter::sender);
            let traffic = self.traffic.as_ref().map(TrafficCounter::sender);
            let detour = self.spooler.as_ref().map(Spooler::detour);
            let names = self.names.as_ref().map(ReverseResolver::labels);
            let ways = Ways { splitter, traffic, detour, names };
            let start = launch.worker(index, sockets, published, ways)?;
            let (stopping, deadline) = (Arc::clone(&self.board.stopping), self.deadline);
            let (ready, events) = (ready.clone(), launch.events.clone());
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || {
                    // The ring belongs to the thread that drives it, so it is made here.
                    let worker = start();
                    let ok = worker.as_ref().map(drop).map_err(ToString::to_string);
                    let _ = ready.send(ok);
                    drop(ready);
                    let result = worker?.run(&stopping, deadline);
                    if !stopping.load(Ordering::Relaxed) {
                        let _ = events.send(Event::WorkerEnded);
                    }
                    result
                })
                .map_err(system)?;
            self.workers.push(thread);
        }
        drop(ready);
        for result in started {
            result.map_err(StartError::System)?;
        }
        Ok(())
    }

    /// From here on the labels' tables learn interface names.
    fn start_poller(
        &mut self,
        config: &Config,
        access: AccessRules,
        shared: Arc<Shared>,
    ) -> io::Result<()> {
        let (updates, counts) = (self.table_keeper.updates(), Arc::clone(&self.board.snmp));
        let learnt = move |exporter, interfaces| updates.interfaces(exporter, interfaces);
        self.poller = Poller::start(config, access, shared, counts, learnt)?;
        Ok(())
    }

    /// From here on counters are pushed to those who keep them.
    fn start_pushers(&mut self, config: &Config) -> Result<(), Problem> {
        let board = Arc::clone(&self.board);
        let source = push::everything(Arc::clone(&board));
        let counts = Arc::clone(&board.influx);
        self.pushers.extend(Pusher::influx(&config.influx, source, counts)?);
        let source = push::traffic(board.traffic.clone());
        let counts = Arc::clone(&board.remote_write);
        let page = Box::new(move || metrics::render(&board));
        self.pushers.extend(Pusher::remote_write(&config.remote_write, source, page, counts)?);
        Ok(())
    }

    /// Its counters.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// A way to have the labels' tables read again.
    #[must_use]
    pub fn table_updates(&self) -> TableUpdates {
        self.table_keeper.updates()
    }

    /// Where it listens, ports that the kernel chose filled in.
    #[must_use]
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Where http listens.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Http::address)
    }

    /// The page, as one writes it into a browser.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        self.http.as_ref().map(Http::url)
    }

    /// Stops receiving, takes in what the kernel had queued, delivers everything within the
    /// deadline, and says what came of it all.
    #[must_use]
    pub fn stop(self) -> Snapshot {
        let until = Instant::now() + self.deadline;
        self.board.stopping.store(true, Ordering::Relaxed);
        for worker in self.workers {
            match worker.join() {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => log::error!("a worker failed: {error}"),
                Err(_) => log::error!("a worker panicked; what it held is lost"),
            }
        }
        if let Some(traffic) = self.traffic {
            traffic.stop();
        }
        if let Some(names) = self.names {
            names.stop();
        }
        if let Some(spooler) = self.spooler {
            spooler.stop(until);
        }
        if let Some(splitter) = self.splitter {
            splitter.stop();
        }
        self.board.output.finish(until);
        // What has to be on disk first: somebody else's server may take its time.
        self.keeper.stop();
        if let Some(poller) = self.poller {
            poller.stop();
        }
        self.table_keeper.stop();
        // Everything is counted by now.
        Pusher::stop_all(self.pushers, until);
        if let Some(http) = self.http {
            http.stop();
        }
        self.board.snapshot()
    }
}

/// One worker's ways to other threads.
struct Ways {
    splitter: Option<Sender<Arc<Batch>>>,
    traffic: Option<Sender<Arc<Batch>>>,
    detour: Option<Detour>,
    names: Option<NameLabels>,
}

/// What every worker is made from.
struct Launch<'a> {
    config: &'a Config,
    cores: &'a [CoreId],
    layout: Layout,
    shared: Arc<Shared>,
    tables: Arc<ArcSwap<Tables>>,
    anonymizer: Option<Arc<Anonymizer>>,
    output: Arc<Output>,
    events: &'a Sender<Event>,
}

impl Launch<'_> {
    /// A function that makes worker `index` on the thread that calls it.
    fn worker(
        &self,
        index: usize,
        sockets: Vec<Socket>,
        published: Arc<Published>,
        ways: Ways,
    ) -> Result<impl FnOnce() -> io::Result<Worker> + Send + use<>, StartError> {
        let Ways { splitter, traffic, detour, names } = ways;
        let config = self.config;
        let core = self.cores[index];
        let receiver = settings::receiver(config);
        let keep_sockets = config.stop.keep_sockets;
        let decoder = Decoder::new(settings::decode(config)?, Arc::clone(&self.shared));
        let batches = budget::batches_per_worker(config, self.cores.len());
        let stage = StageParts {
            tables: Arc::clone(&self.tables),
            anonymizer: self.anonymizer.clone(),
            profile: settings::profile(config),
            pool: Pool::new(batches, config.batch.flows_max, config.batch.bytes_max)
                .of(self.layout, settings::keying(config)),
            names,
            sink: self.output.sink(detour),
            splitter,
            traffic,
            linger: Duration::from_millis(config.batch.linger_ms),
            stall: Duration::from_millis(config.batch.stall_ms),
            keep: spooler::keep_time(config.batch.memory_bytes),
        };
        Ok(move || {
            if !core_affinity::set_for_current(core) {
                log::warn!("worker {index} could not be pinned to core {}", core.id);
            }
            let receiver = Receiver::new(sockets, &receiver)?;
            if index == 0 {
                log::info!("{}", receiver.probe());
            }
            let (stage, effort) = (Stage::new(stage), Effort::default());
            Ok(Worker { receiver, decoder, stage, keep_sockets, published, effort })
        })
    }
}

/// One socket per worker and listening address; per worker, in the order of the configuration. Those
/// that a predecessor left are taken over.
fn bind_all(
    config: &Config,
    workers: usize,
) -> Result<(Vec<Vec<Socket>>, Vec<SocketAddr>), StartError> {
    let asked = settings::socket(config);
    let mut handover = Handover::receive(&asked);
    let mut sockets: Vec<Vec<Socket>> = (0..workers).map(|_| Vec::new()).collect();
    let mut listening = Vec::new();
    for (index, listen) in config.listen.iter().enumerate() {
        let mut address = listen.socket_address().expect("validated");
        for (worker, sockets) in sockets.iter_mut().enumerate() {
            let fresh = || {
                let socket = Socket::bind(address, &asked)?;
                // A port of 0 is the kernel's choice once; the other workers share it.
                let bound = socket.local_address()?;
                if config.stop.keep_sockets {
                    handover::keep(&socket, bound, worker);
                }
                Ok((socket, bound))
            };
            let taken = handover.take(address, worker).map(|socket| (socket, address));
            let (socket, bound) = taken.map_or_else(fresh, Ok).map_err(|error: io::Error| {
                let fix = "choose another address, or stop whoever has it (ss -ulpn)";
                Problem::new(&format!("listen[{index}].address"), address, error, fix)
            })?;
            address = bound;
            if worker == 0 {
                settings::report_buffer(&socket, address);
            }
            sockets.push(socket);
        }
        settings::steer(config, sockets.iter().filter_map(|worker| worker.last()));
        for (orphan, worker) in handover.take_orphans(address).into_iter().zip((0..workers).cycle())
        {
            sockets[worker].push(orphan);
        }
        listening.push(address);
    }
    handover.close(config.stop.keep_sockets);
    Ok((sockets, listening))
}

fn start_splitter(
    config: &Config,
    output: &Output,
    batches: usize,
    counts: &Arc<SplitterCounts>,
) -> Result<Option<Splitter>, StartError> {
    let split = &config.split;
    let Some(producer) = output.tenants() else {
        return Ok(None);
    };
    let parts = SplitterParts {
        wishes: Wishes::read(split, config.output.profile)?,
        batches,
        packed_bytes: config.kafka.packed_bytes,
        producer,
        topics: output.topics(),
        counts: Arc::clone(counts),
    };
    Splitter::start(split, parts).map(Some).map_err(system)
}

fn start_spooler(
    config: &Config,
    output: &Output,
    splitter: Option<&Splitter>,
) -> Result<Option<Spooler>, StartError> {
    let Some((topic, counts)) = output.spool() else {
        return Ok(None);
    };
    let spool = settings::open_spool(&config.spool)?;
    let batch = &config.batch;
    let one = || Arc::new(Batch::with_capacity(batch.flows_max, batch.bytes_max));
    let window = std::iter::repeat_with(one).take(WINDOW_BATCHES).collect();
    let splitter = splitter.map(Splitter::sender);
    let parts = SpoolerParts { spool, topic, splitter, window };
    Spooler::start(parts, counts).map(Some).map_err(system)
}

fn system(error: impl ToString) -> StartError {
    StartError::System(error.to_string())
}
