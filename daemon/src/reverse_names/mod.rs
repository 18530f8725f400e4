//! Names of hosts by the DNS, off the flow path.
//!
//! Workers look into a table and never wait: an address that nobody has asked for goes to a bounded
//! queue, and its flows go out without a name until the answer is there. One thread with a
//! current-thread runtime asks, a bounded number at a time, and remembers answers, those that say
//! "none" too. A name whose time is over stays until there is another answer. Deliberately not here: names of exporters (`[[exporter]] name`), a cache on disk,
//! DNSSEC. Costs a hash and a lock that is only tried for each address of a flow while it is on.

mod counts;
mod table;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData};
use hickory_resolver::{Resolver, TokioResolver};
use neckar_proto::{Field, Rows};
use tokio::task::JoinSet;

use crate::clock;
use crate::config::{Problem, ReverseNames};
pub use counts::{ReverseCounts, ReverseView};
use table::{Look, Table};

/// Addresses, and where their names go.
const NAMED: [(Field, Field); 3] = [
    (Field::SrcAddr, Field::SrcHostName),
    (Field::DstAddr, Field::DstHostName),
    (Field::NextHop, Field::NextHopHostName),
];
/// How often the thread looks whether to end.
const LOOK: Duration = Duration::from_millis(100);
/// An address that was asked for is not asked for again by the same worker for so long.
const AGAIN_S: u64 = 5;
/// An address whose question got no answer is asked for again after so long.
const RETRY_S: u64 = 30;
/// Addresses that a worker remembers to have asked for.
const ASKED: usize = 4096;

/// A worker's way to names.
#[derive(Debug)]
pub struct NameLabels {
    table: Arc<Table>,
    queue: Sender<IpAddr>,
    counts: Arc<ReverseCounts>,
    /// What this worker asked for lately, by hash: when, and for which.
    asked: Vec<(u64, Option<IpAddr>)>,
}

impl NameLabels {
    /// Writes names that are known to `rows`, and asks for others.
    pub fn label(&mut self, rows: &mut Rows, now_s: u64) {
        for index in 0..rows.len() {
            for (address, name) in NAMED {
                let flow = &rows.as_slice()[index];
                let Some(address) = flow.ip(address).filter(|ip| !ip.is_unspecified()) else {
                    continue;
                };
                if flow.has(name) {
                    continue;
                }
                let set = |text: &str| rows.set_text(index, name, text.as_bytes());
                if self.table.look(address, now_s, set) == Look::Unknown {
                    self.ask(address, now_s);
                }
            }
        }
    }

    fn ask(&mut self, address: IpAddr, now_s: u64) {
        let slot = &mut self.asked[place(address)];
        if slot.1 == Some(address) && now_s < slot.0 + AGAIN_S {
            return;
        }
        match self.queue.try_send(address) {
            Ok(()) => *slot = (now_s, Some(address)),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.counts.queue_full.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Spread over the slots by the bits in which neighbours differ.
fn place(address: IpAddr) -> usize {
    let bits = match address {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() ^ v6.to_bits() >> 64) as u64,
    };
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % ASKED
}

/// The thread that asks.
#[derive(Debug)]
pub struct ReverseResolver {
    table: Arc<Table>,
    queue: Sender<IpAddr>,
    counts: Arc<ReverseCounts>,
    thread: JoinHandle<()>,
}

impl ReverseResolver {
    /// Starts, if it is on.
    ///
    /// # Errors
    /// A server that is none, or the system's that cannot be read.
    pub fn start(
        config: &ReverseNames,
        counts: Arc<ReverseCounts>,
    ) -> Result<Option<Self>, Problem> {
        if !config.enabled {
            return Ok(None);
        }
        let resolver = resolver(config)?;
        let table = Arc::new(Table::new(config.names_max));
        let (queue, asked) = bounded(config.queue);
        let asking = Asking {
            table: Arc::clone(&table),
            counts: Arc::clone(&counts),
            resolver: Arc::new(resolver),
            config: config.clone(),
        };
        let thread = spawn(asking, asked).map_err(|error| {
            Problem::new("reverse_names.enabled", true, error, "free a thread, or switch it off")
        })?;
        Ok(Some(Self { table, queue, counts, thread }))
    }

    /// A worker's way to names.
    #[must_use]
    pub fn labels(&self) -> NameLabels {
        NameLabels {
            table: Arc::clone(&self.table),
            queue: self.queue.clone(),
            counts: Arc::clone(&self.counts),
            asked: vec![(0, None); ASKED],
        }
    }

    /// Ends. The workers must be gone.
    pub fn stop(self) {
        drop(self.queue);
        // A thread that panicked has told so already.
        let _ = self.thread.join();
    }
}

/// Is there somebody to ask, if anybody is to be asked?
///
/// # Errors
/// As [`ReverseResolver::start`].
pub(crate) fn check(config: &ReverseNames) -> Result<(), Problem> {
    if config.enabled {
        resolver(config)?;
    }
    Ok(())
}

fn resolver(config: &ReverseNames) -> Result<TokioResolver, Problem> {
    let servers = config.server_addresses()?;
    let problem = |error: &dyn ToString| {
        let fix = "give the servers' addresses";
        Problem::new("reverse_names.servers", "[]", error.to_string(), fix)
    };
    let mut builder = if servers.is_empty() {
        Resolver::builder_tokio().map_err(|error| problem(&error))?
    } else {
        let servers = servers.into_iter().map(name_server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = Duration::from_millis(config.timeout_ms);
    options.attempts = 1;
    // Ours is the cache.
    options.cache_size = 0;
    builder.build().map_err(|error| problem(&error))
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(|protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.into())
}

fn spawn(asking: Asking, asked: Receiver<IpAddr>) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = move || runtime.block_on(asking.run(&asked));
    std::thread::Builder::new().name("names".into()).spawn(run)
}

#[derive(Clone)]
struct Asking {
    table: Arc<Table>,
    counts: Arc<ReverseCounts>,
    resolver: Arc<TokioResolver>,
    config: ReverseNames,
}

impl Asking {
    /// Until nobody can ask any more.
    async fn run(self, asked: &Receiver<IpAddr>) {
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < self.config.concurrency {
                match asked.try_recv() {
                    Ok(address) => self.start(address, &mut under_way),
                    Err(error) if error.is_disconnected() => return,
                    Err(_) => break,
                }
            }
            self.counts.entries.store(self.table.len() as u64, Ordering::Relaxed);
            // The queue has no way to wake a task: it is looked at when an answer comes, and ten
            // times a second.
            let _ = tokio::time::timeout(LOOK, next(&mut under_way)).await;
        }
    }

    /// Unless it is known by now: several workers may have asked for it.
    fn start(&self, address: IpAddr, under_way: &mut JoinSet<()>) {
        let now_s = now_s();
        if self.table.look(address, now_s, |_| {}) != Look::Unknown {
            return;
        }
        // Nobody asks for it again while it is under way.
        self.put_off(address, now_s, now_s + 1 + self.config.timeout_ms / 500);
        self.counts.asked.fetch_add(1, Ordering::Relaxed);
        let asking = self.clone();
        under_way.spawn(async move { asking.ask(address).await });
    }

    async fn ask(self, address: IpAddr) {
        let answer = self.resolver.reverse_lookup(Name::from(address)).await;
        let now_s = now_s();
        match answer {
            Ok(lookup) => {
                let name = lookup.answers().iter().find_map(|record| match &record.data {
                    RData::PTR(name) => Some(name.0.to_utf8()),
                    _ => None,
                });
                let name = name.unwrap_or_default();
                let left_s =
                    lookup.valid_until().saturating_duration_since(std::time::Instant::now());
                let ttl_s = left_s.as_secs().clamp(1, self.config.ttl_s);
                self.counts.answered.fetch_add(1, Ordering::Relaxed);
                self.note(address, name.trim_end_matches('.'), now_s, now_s + ttl_s);
            }
            Err(error) if error.is_no_records_found() => {
                self.counts.nameless.fetch_add(1, Ordering::Relaxed);
                self.note(address, "", now_s, now_s + self.config.negative_ttl_s);
            }
            // It may well have one.
            Err(_) => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                self.put_off(address, now_s, now_s + RETRY_S);
            }
        }
    }

    fn note(&self, address: IpAddr, name: &str, now_s: u64, until_s: u64) {
        let evicted = self.table.note(address, name, now_s, until_s);
        self.counts.evicted.fetch_add(evicted, Ordering::Relaxed);
    }

    fn put_off(&self, address: IpAddr, now_s: u64, until_s: u64) {
        let evicted = self.table.put_off(address, now_s, until_s);
        self.counts.evicted.fetch_add(evicted, Ordering::Relaxed);
    }
}

/// The end of one question; never if none is under way.
async fn next(under_way: &mut JoinSet<()>) {
    if under_way.join_next().await.is_none() {
        std::future::pending::<()>().await;
    }
}

fn now_s() -> u64 {
    clock::unix_ns() / 1_000_000_000
}
