//! One topic per customer, on a thread of its own, from the workers' own batches: the same bytes,
//! shared.
//!
//! A flow between two customers goes to both. The splitter may fall behind and lose customers'
//! copies, counted; it never makes a worker wait. What a batch costs depends on its flows and on
//! the customers they belong to, never on how many customers are configured.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use hashbrown::HashMap;
use neckar_kafka::{Producer, Topic};
use neckar_proto::{Batch, Facts};

/// How long the copies of one batch, of all customers together, wait for room in the producer's
/// queue: customers that get no room cost the others this much a batch, however many they are.
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
    cid: u32,
    /// Made with the customer's first flow: most of many customers are quiet.
    topic: Option<Topic>,
    /// This batch's flows of the customer.
    flows: Vec<u32>,
    /// Those for which the producer had no room.
    refused: Vec<u32>,
}

/// Which customer a flow belongs to.
struct Customers {
    places: HashMap<u32, u32>,
    list: Vec<Customer>,
    /// Places of those that this batch has flows of.
    touched: Vec<u32>,
}

impl Splitter {
    /// Starts splitting for `cids` into `<prefix>-<cid>`.
    ///
    /// # Errors
    /// There is no thread left.
    pub fn start(
        producer: Arc<Producer>,
        cids: &[u32],
        topic_prefix: &str,
        queue_batches: usize,
        counts: Arc<SplitterCounts>,
    ) -> io::Result<Self> {
        let (sender, receiver) = bounded(queue_batches);
        let customers = Customers::new(cids);
        let prefix = topic_prefix.to_string();
        let thread = std::thread::Builder::new().name("aux".into()).spawn(move || {
            let topic = |cid: u32| producer.topic(&format!("{prefix}-{cid}"));
            split_all(&receiver, customers, topic, &counts);
        })?;
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

impl Customers {
    fn new(cids: &[u32]) -> Self {
        let mut customers = Self { places: HashMap::new(), list: Vec::new(), touched: Vec::new() };
        for cid in cids {
            // One named twice is one customer.
            customers.places.entry(*cid).or_insert_with(|| {
                let (flows, refused) = (Vec::new(), Vec::new());
                customers.list.push(Customer { cid: *cid, topic: None, flows, refused });
                (customers.list.len() - 1) as u32
            });
        }
        customers
    }

    /// Notes each flow at its customers; once where both sides are the same.
    fn sort(&mut self, facts: &[Facts]) {
        self.touched.clear();
        for (index, facts) in facts.iter().enumerate() {
            let Facts { cid, src_cid, dst_cid } = *facts;
            self.note(cid, index);
            if src_cid != cid {
                self.note(src_cid, index);
            }
            if dst_cid != cid && dst_cid != src_cid {
                self.note(dst_cid, index);
            }
        }
    }

    fn note(&mut self, cid: u32, index: usize) {
        // 0 is "no customer", even if someone configures it.
        if cid == 0 {
            return;
        }
        let Some(place) = self.places.get(&cid) else {
            return;
        };
        let flows = &mut self.list[*place as usize].flows;
        if flows.is_empty() {
            self.touched.push(*place);
        }
        flows.push(index as u32);
    }
}

fn split_all(
    batches: &Receiver<Arc<Batch>>,
    mut customers: Customers,
    topic: impl Fn(u32) -> Topic,
    counts: &SplitterCounts,
) {
    for batch in batches {
        counts.queued.store(batches.len() as u64, Ordering::Relaxed);
        customers.sort(batch.facts());
        submit_all(&batch, &mut customers, &topic, counts);
    }
}

/// Everyone is served once before anyone is waited for.
fn submit_all(
    batch: &Arc<Batch>,
    customers: &mut Customers,
    topic: impl Fn(u32) -> Topic,
    counts: &SplitterCounts,
) {
    let started = Instant::now();
    let Customers { list, touched, .. } = customers;
    loop {
        touched.retain(|place| submit(batch, &mut list[*place as usize], &topic, counts));
        if touched.is_empty() || started.elapsed() >= PATIENCE {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for place in touched.drain(..) {
        let flows = &mut list[place as usize].flows;
        counts.refused.fetch_add(flows.len() as u64, Ordering::Relaxed);
        flows.clear();
    }
}

/// Whether flows are left, for which there was no room.
fn submit(
    batch: &Arc<Batch>,
    customer: &mut Customer,
    topic: impl Fn(u32) -> Topic,
    counts: &SplitterCounts,
) -> bool {
    let Customer { cid, topic: handle, flows, refused } = customer;
    let count = flows.len();
    handle.get_or_insert_with(|| topic(*cid)).submit_some(batch, flows.drain(..), refused);
    counts.submitted.fetch_add((count - refused.len()) as u64, Ordering::Relaxed);
    std::mem::swap(flows, refused);
    !flows.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The slow twin: every customer asks every flow.
    fn flows_of(cid: u32, facts: &[Facts]) -> Vec<u32> {
        let belongs = |facts: &Facts| [facts.cid, facts.src_cid, facts.dst_cid].contains(&cid);
        (0..facts.len() as u32).filter(|index| belongs(&facts[*index as usize])).collect()
    }

    fn facts() -> impl Strategy<Value = Facts> {
        (0..6u32, 0..6u32, 0..6u32).prop_map(|(cid, src_cid, dst_cid)| Facts {
            cid,
            src_cid,
            dst_cid,
        })
    }

    #[test]
    fn a_flow_between_two_customers_goes_to_both_and_once_to_one() {
        let mut customers = Customers::new(&[7, 8, 7]);
        assert_eq!(customers.list.len(), 2, "7 is named twice");
        let between = Facts { cid: 7, src_cid: 7, dst_cid: 8 };
        let within = Facts { cid: 8, src_cid: 8, dst_cid: 8 };
        customers.sort(&[between, within, Facts { cid: 9, ..Facts::default() }]);
        assert_eq!(customers.list[0].flows, [0]);
        assert_eq!(customers.list[1].flows, [0, 1]);
        assert_eq!(customers.touched, [0, 1]);
    }

    proptest! {
        #[test]
        fn flows_are_sorted_as_the_slow_twin_does(
            facts in prop::collection::vec(facts(), 0..50),
            cids in prop::collection::vec(1..8u32, 0..6),
        ) {
            let mut customers = Customers::new(&cids);
            customers.sort(&facts);
            for (place, customer) in customers.list.iter().enumerate() {
                prop_assert_eq!(&customer.flows, &flows_of(customer.cid, &facts));
                let touched = customers.touched.iter().filter(|at| **at as usize == place).count();
                prop_assert_eq!(touched, usize::from(!customer.flows.is_empty()));
            }
        }
    }
}
