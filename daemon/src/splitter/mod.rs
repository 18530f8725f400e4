//! One topic per customer, on a thread of its own, from the workers' own batches: the same bytes,
//! shared with who gets many of a batch, gathered for who gets few.
//!
//! A flow between two customers goes to both. The splitter may fall behind and lose customers'
//! copies, counted; it never makes a worker wait. Who gets what is [`tenants`], what a customer
//! wants otherwise is [`shape`], what may be under way for one is [`tenant`].

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use hashbrown::HashMap;
use neckar_kafka::{Framing, Producer, TopicOptions};
use neckar_proto::{Batch, Layout, Rows};

mod counts;
mod shape;
mod spare;
mod tenant;
mod tenants;
mod wishes;

pub use counts::{SplitterCounts, SplitterView, TenantView};
pub use wishes::Wishes;

use crate::config::{self, Split};
use crate::spooler::WINDOW_BATCHES;
use spare::Spare;
use tenant::{GATHERED_BYTES, Room, Tenant};
use tenants::Tenants;

/// The aux thread.
#[derive(Debug)]
pub struct Splitter {
    sender: Sender<Arc<Batch>>,
    thread: JoinHandle<()>,
}

/// What the thread is made of, beside the configuration.
pub struct SplitterParts {
    /// What single customers want otherwise.
    pub wishes: Vec<Wishes>,
    /// All that the workers have.
    pub batches: usize,
    /// Bytes of a message of many flows at most.
    pub packed_bytes: usize,
    /// Whose topics the customers' are.
    pub producer: Arc<Producer>,
    /// The way to ask for topics, if they are made on request.
    pub topics: Option<Sender<String>>,
    /// What it counts.
    pub counts: Arc<SplitterCounts>,
}

/// What tenants are made from, when their first flow comes.
struct Maker {
    prefix: String,
    default_topic: String,
    packed_bytes: usize,
    wishes: HashMap<u32, Wishes>,
    counts: Arc<SplitterCounts>,
    /// The way to ask for a topic that may not be there.
    topics: Option<Sender<String>>,
}

/// All that the thread has.
struct Splitting {
    tenants: Tenants<Tenant>,
    maker: Maker,
    room: Room,
    linger: Duration,
    /// What is shared out together: many customers' memory is in no cache, and met once for several
    /// batches in place of once for each.
    held: Vec<Arc<Batch>>,
    held_flows: usize,
    /// Batches held at most.
    held_max: usize,
    /// Scratch.
    rows: Rows,
    /// Places of tenants that flows are gathered for.
    gathering: Vec<u32>,
    tended: Instant,
    looked: Instant,
}

/// How often all customers are looked through for those whose topics are stuck: often, compared with
/// how long a topic is silent before it counts as such.
const LOOK: Duration = Duration::from_millis(100);

/// Flows that a customer may expect of what is shared out together, if all have equal parts.
const FLOWS_EACH: usize = 32;
/// Batches held at most: half of what the spool has to send, or it would wait for us to let go.
const HELD_MAX: usize = WINDOW_BATCHES / 2;
/// If none comes after them for so long, those held are let go: the spool may be waiting for them.
const HELD: Duration = Duration::from_millis(100);

/// Bytes of customers' copies at most: under way, kept for the next ones, and gathered, for messages of
/// many flows up to `packed_bytes`.
#[must_use]
pub fn memory_bytes(split: &Split, packed_bytes: usize) -> usize {
    let customers = if split.wildcard { split.tenants_max } else { split.named() + 1 };
    let packs = split.tenant.iter().any(|tenant| tenant.framing == config::Framing::Packed);
    let gathered = GATHERED_BYTES.max(if packs { packed_bytes } else { 0 });
    split.bytes_max + spare_bytes(split) + customers * gathered
}

/// Batches held at most, where so many may be held or wait.
fn held_max(queue: usize) -> usize {
    (queue / 2).clamp(1, HELD_MAX)
}

fn spare_bytes(split: &Split) -> usize {
    split.bytes_max / 4
}

impl Splitter {
    /// Starts splitting as the configuration says.
    ///
    /// # Errors
    /// There is no thread left.
    pub fn start(split: &Split, parts: SplitterParts) -> io::Result<Self> {
        let queue = split.queue(parts.batches);
        let held_max = held_max(queue);
        // Held or waiting: with the one being looked at, as many as are allowed.
        let (sender, receiver) = bounded(queue + 1 - held_max);
        let mut splitting = Splitting::new(split, parts, held_max);
        let run = move || splitting.run(&receiver);
        let thread = std::thread::Builder::new().name("aux".into()).spawn(run)?;
        Ok(Self { sender, thread })
    }

    /// A worker's way in.
    #[must_use]
    pub fn sender(&self) -> Sender<Arc<Batch>> {
        self.sender.clone()
    }

    /// Splits what was handed over and ends. The workers must be gone.
    pub fn stop(self) {
        drop(self.sender);
        // A splitter that panicked has told so already.
        let _ = self.thread.join();
    }
}

impl Splitting {
    fn new(split: &Split, parts: SplitterParts, held_max: usize) -> Self {
        let SplitterParts { wishes, packed_bytes, producer, topics, counts, .. } = parts;
        let cids = split.cids.iter().copied().chain(wishes.iter().map(|wishes| wishes.cid));
        let wildcard = (split.wildcard, split.tenants_max);
        let has_default = !split.default_topic.is_empty();
        let linger = Duration::from_millis(split.linger_ms);
        Self {
            tenants: Tenants::new(cids, split.by, has_default, wildcard),
            maker: Maker {
                prefix: split.topic_prefix.clone(),
                default_topic: split.default_topic.clone(),
                packed_bytes,
                wishes: wishes.into_iter().map(|wishes| (wishes.cid, wishes)).collect(),
                counts,
                topics,
            },
            room: Room {
                producer,
                tenant_bytes_max: split.tenant_bytes_max as u64,
                bytes_max: split.bytes_max as u64,
                spare: Spare::new(spare_bytes(split)),
                stuck_bytes: 0,
            },
            linger,
            held: Vec::with_capacity(held_max),
            held_flows: 0,
            held_max,
            rows: Rows::default(),
            gathering: Vec::new(),
            tended: Instant::now(),
            looked: Instant::now(),
        }
    }

    /// Until the workers are gone.
    fn run(&mut self, batches: &Receiver<Arc<Batch>>) {
        loop {
            let lingered = self.tended + self.linger;
            let next = match (self.held.is_empty(), self.gathering.is_empty()) {
                (true, true) => batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (true, false) => batches.recv_deadline(lingered),
                (false, _) => batches.recv_deadline(lingered.min(Instant::now() + HELD)),
            };
            match next {
                Ok(batch) => self.hold(batch),
                Err(RecvTimeoutError::Timeout) => self.split(),
                Err(RecvTimeoutError::Disconnected) => return self.send_all(),
            }
            if self.tended.elapsed() >= self.linger {
                self.send_all();
            }
            if self.looked.elapsed() >= LOOK {
                self.look_for_stuck();
            }
            self.maker.counts.queued(batches.len() + self.held.len());
        }
    }

    fn look_for_stuck(&mut self) {
        self.looked = Instant::now();
        let tenants = self.tenants.list.iter().filter_map(|place| place.tenant.as_ref());
        self.room.stuck_bytes = tenants.map(Tenant::stuck_bytes).sum();
    }

    /// Until there are so many flows that each customer may expect some, or too many batches.
    fn hold(&mut self, batch: Arc<Batch>) {
        self.held_flows += batch.len();
        self.held.push(batch);
        let enough = FLOWS_EACH * self.tenants.list.len();
        if self.held_flows >= enough || self.held.len() >= self.held_max {
            self.split();
        }
    }

    fn split(&mut self) {
        let Self { tenants, maker, room, held, rows, gathering, .. } = self;
        let counts = Arc::clone(&maker.counts);
        let facts = held.iter().map(|batch| batch.facts());
        tenants.share(facts, &counts, |at, place, flows| {
            let make = || maker.make(place.cid, &room.producer);
            let tenant = place.tenant.get_or_insert_with(make);
            let gathered = tenant.has_gathered();
            tenant.serve(held, flows, room, rows);
            if !gathered && tenant.has_gathered() {
                gathering.push(at);
            }
        });
        self.held.clear();
        self.held_flows = 0;
    }

    /// Each customer's as one request, as librdkafka has it: the more flows it has, the better.
    fn send_all(&mut self) {
        self.tended = Instant::now();
        self.split();
        for at in self.gathering.drain(..) {
            if let Some(tenant) = &mut self.tenants.list[at as usize].tenant {
                tenant.flush(&mut self.room);
            }
        }
        self.room.spare.tend(self.tended);
    }
}

impl Maker {
    /// The customer's, or everybody else's (0).
    fn make(&mut self, cid: u32, producer: &Producer) -> Tenant {
        let wishes = self.wishes.remove(&cid);
        let (topic, shape, framing) = match wishes {
            Some(wishes) => (wishes.topic, wishes.shape, wishes.framing),
            None => (String::new(), None, Framing::Bare),
        };
        let name = match (cid, topic.is_empty()) {
            (0, _) => self.default_topic.clone(),
            (_, false) => topic,
            (_, true) => format!("{}-{cid}", self.prefix),
        };
        if let Some(topics) = &self.topics {
            // It lives as long as the process.
            let _ = topics.send(name.clone());
        }
        let packed_bytes = self.packed_bytes;
        let options = TopicOptions { framing, packed_bytes, ..TopicOptions::default() };
        let topic = producer.topic_as(&name, options);
        let counts = self.counts.tenant(&name, topic.books());
        let packed_bytes = (framing == Framing::Packed).then_some(packed_bytes);
        let layout = match framing {
            Framing::Bare => Layout::Records,
            Framing::Delimited | Framing::Packed => Layout::Delimited,
        };
        Tenant::new(topic, shape, layout, packed_bytes, counts)
    }
}

#[cfg(test)]
mod tests;
