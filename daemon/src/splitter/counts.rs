//! What the splitter counts: of itself, and of each customer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use neckar_kafka::{TopicBooks, TopicCounts};

/// What the splitter did.
#[derive(Debug, Default)]
pub struct SplitterCounts {
    queued: AtomicU64,
    unserved: AtomicU64,
    /// By topic, which several customers may share. Locked for a new customer and to be read, never for a
    /// flow.
    tenants: Mutex<BTreeMap<String, Vec<Arc<TenantCounts>>>>,
}

/// What became of one customer's copies: `flows = filtered + refused + submitted`. What waits for
/// others to go with is not among them yet.
#[derive(Debug)]
pub(super) struct TenantCounts {
    pub(super) flows: AtomicU64,
    pub(super) filtered: AtomicU64,
    pub(super) refused: AtomicU64,
    books: TopicBooks,
}

/// A customer's counts at one moment, or those of all who share a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantView {
    /// Flows that are his.
    pub flows: u64,
    /// Those that his filter did not want.
    pub filtered: u64,
    /// Those for which there was no room: his topic takes nothing, or the producer is full.
    pub refused: u64,
    /// What came of the rest.
    pub topic: TopicCounts,
}

/// The splitter's counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct SplitterView {
    /// Batches waiting.
    pub queued: u64,
    /// Copies for customers beyond `split.tenants_max`.
    pub unserved: u64,
    /// All customers together.
    pub total: TenantView,
    /// By topic.
    pub tenants: BTreeMap<String, TenantView>,
}

impl SplitterCounts {
    /// Reads them.
    #[must_use]
    pub fn view(&self) -> SplitterView {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let sum_of = |counts: &Vec<Arc<TenantCounts>>| sum(counts.iter().map(|one| one.view()));
        let views = tenants.iter().map(|(topic, counts)| (topic.clone(), sum_of(counts)));
        let tenants: BTreeMap<_, _> = views.collect();
        SplitterView {
            queued: self.queued.load(Ordering::Relaxed),
            unserved: self.unserved.load(Ordering::Relaxed),
            total: sum(tenants.values().copied()),
            tenants,
        }
    }

    pub(super) fn queued(&self, batches: usize) {
        self.queued.store(batches as u64, Ordering::Relaxed);
    }

    pub(super) fn unserved(&self) {
        self.unserved.fetch_add(1, Ordering::Relaxed);
    }

    /// A new customer's.
    pub(super) fn tenant(&self, topic: &str, books: TopicBooks) -> Arc<TenantCounts> {
        let zero = AtomicU64::default;
        let counts = TenantCounts { flows: zero(), filtered: zero(), refused: zero(), books };
        let counts = Arc::new(counts);
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(topic.into()).or_default().push(Arc::clone(&counts));
        counts
    }
}

impl TenantCounts {
    fn view(&self) -> TenantView {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // What is submitted was seen before: in this order no part is more than the whole.
        let topic = self.books.counts();
        let (filtered, refused) = (read(&self.filtered), read(&self.refused));
        TenantView { flows: read(&self.flows), filtered, refused, topic }
    }
}

fn sum(views: impl Iterator<Item = TenantView>) -> TenantView {
    views.fold(TenantView::default(), |mut sum, view| {
        sum.flows += view.flows;
        sum.filtered += view.filtered;
        sum.refused += view.refused;
        sum.topic.add(&view.topic);
        sum
    })
}
