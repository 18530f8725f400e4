//! One topic per customer, on a thread of its own, from the workers' own batches: the same bytes,
//! shared.
//!
//! A flow between two customers goes to both. The splitter may fall behind and lose customers'
//! copies, counted; it never makes a worker wait.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use hashbrown::HashMap;
use neckar_kafka::{Producer, Topic};
use neckar_proto::{Batch, Facts};

/// How long a customer's copies wait for room in the producer's queue.
const PATIENCE: Duration = Duration::from_millis(200);

/// What the splitter did.
#[derive(Debug, Default)]
pub struct SplitterCounts {
    submitted: AtomicU64,
    refused: AtomicU64,
    queued: AtomicU64,
}

/// The splitter's counts at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct SplitterView {
    /// Copies given to the producer.
    pub submitted: u64,
    /// Copies for which the producer had no room.
    pub refused: u64,
    /// Batches waiting.
    pub queued: u64,
}

impl SplitterCounts {
    /// Reads them.
    #[must_use]
    pub fn view(&self) -> SplitterView {
        SplitterView {
            submitted: self.submitted.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            queued: self.queued.load(Ordering::Relaxed),
        }
    }
}

/// The aux thread.
#[derive(Debug)]
pub struct Splitter {
    sender: Sender<Arc<Batch>>,
    thread: JoinHandle<()>,
}

struct Customer {
    topic: Topic,
    /// This batch's flows of the customer.
    flows: Vec<u32>,
    /// Those for which the producer had no room.
    refused: Vec<u32>,
}

impl Splitter {
    /// Starts splitting for `cids` into `<prefix>-<cid>`.
    ///
    /// # Errors
    /// There is no thread left.
    pub fn start(
        producer: &Producer,
        cids: &[u32],
        topic_prefix: &str,
        queue_batches: usize,
        counts: Arc<SplitterCounts>,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(queue_batches);
        let customers = cids
            .iter()
            .map(|cid| {
                let topic = producer.topic(&format!("{topic_prefix}-{cid}"));
                (*cid, Customer { topic, flows: Vec::new(), refused: Vec::new() })
            })
            .collect();
        let thread = std::thread::Builder::new()
            .name("aux".into())
            .spawn(move || split_all(&receiver, customers, &counts))?;
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

fn split_all(
    batches: &Receiver<Arc<Batch>>,
    mut customers: HashMap<u32, Customer>,
    counts: &SplitterCounts,
) {
    for batch in batches {
        counts.queued.store(batches.len() as u64, Ordering::Relaxed);
        sort_flows(batch.facts(), &mut customers);
        for customer in customers.values_mut() {
            if !customer.flows.is_empty() {
                submit(&batch, customer, counts);
            }
        }
    }
}

/// Notes each flow at its customers; once where both sides are the same.
fn sort_flows(facts: &[Facts], customers: &mut HashMap<u32, Customer>) {
    for (index, facts) in facts.iter().enumerate() {
        let mut cids = [facts.cid, facts.src_cid, facts.dst_cid];
        cids.sort_unstable();
        for (place, cid) in cids.iter().enumerate() {
            let repeated = place > 0 && cids[place - 1] == *cid;
            if *cid != 0
                && !repeated
                && let Some(customer) = customers.get_mut(cid)
            {
                customer.flows.push(index as u32);
            }
        }
    }
}

fn submit(batch: &Arc<Batch>, customer: &mut Customer, counts: &SplitterCounts) {
    let started = Instant::now();
    let Customer { topic, flows, refused } = customer;
    let count = flows.len();
    topic.submit_some(batch, flows.drain(..), refused);
    while !refused.is_empty() && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
        std::mem::swap(flows, refused);
        topic.submit_some(batch, flows.drain(..), refused);
    }
    counts.submitted.fetch_add((count - refused.len()) as u64, Ordering::Relaxed);
    counts.refused.fetch_add(refused.len() as u64, Ordering::Relaxed);
    refused.clear();
}
