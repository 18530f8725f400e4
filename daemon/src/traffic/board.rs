//! What the counting thread shows: `/flowdata`, top talkers, flows to search in.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use neckar_filter::ParseError;
use neckar_proto::Batch;
use neckar_traffic::{Lag, Question, Report, Sample, TrafficCounts};

use super::search::{Found, Search};
use crate::config;

/// The counters, for the one thread that counts and for those that read.
pub struct TrafficBoard {
    traffic: Mutex<neckar_traffic::Traffic>,
    queued: AtomicUsize,
}

impl std::fmt::Debug for TrafficBoard {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("TrafficBoard").field("queued", &self.queued).finish_non_exhaustive()
    }
}

/// Counts for `/metrics`.
#[derive(Clone, Debug, Default)]
pub struct TrafficView {
    /// What became of the flows.
    pub counts: TrafficCounts,
    /// Label sets of `flow_bits`, and of the series by customer.
    pub series: (usize, usize),
    /// How often a text of a label found no room.
    pub texts_unkept: u64,
    /// Batches waiting to be counted.
    pub queued: usize,
    /// Customers whose talkers are kept apart.
    pub tenants: usize,
    /// Flows' ends whose customer found no place.
    pub tenants_unkept: u64,
    /// How old flows are when they come.
    pub lag: Lag,
}

impl TrafficBoard {
    pub(super) fn new(config: &config::Traffic, now_s: u64) -> Self {
        Self {
            traffic: Mutex::new(neckar_traffic::Traffic::new(&config.counting(), now_s)),
            queued: AtomicUsize::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, neckar_traffic::Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, batch: &Batch, queued: usize, now_s: u64) {
        self.queued.store(queued, Ordering::Relaxed);
        self.lock().count(batch, now_s);
    }

    pub(super) fn tend(&self, now_s: u64) {
        self.lock().tend(now_s);
    }

    /// The page `/flowdata`, in Prometheus' text format.
    #[must_use]
    pub fn page(&self) -> String {
        self.lock().page()
    }

    /// The heaviest of what is asked for.
    #[must_use]
    pub fn report(&self, question: &Question) -> Report {
        self.lock().report(question)
    }

    /// Every counter of `/flowdata`. What `visit` takes, counting waits.
    pub fn each_sample(&self, visit: &mut dyn FnMut(Sample<'_>)) {
        self.lock().each_sample(visit);
    }

    /// Customers whose talkers are kept apart.
    #[must_use]
    pub fn tenants(&self) -> Vec<u32> {
        self.lock().tenants().cids()
    }

    /// Flows of the last minutes that a filter matches. Takes up to seconds of processor time, on a thread
    /// that may wait.
    ///
    /// # Errors
    /// The filter is none, with the place.
    pub fn search(&self, search: &Search, now_s: u64) -> Result<Found, ParseError> {
        let since_s = now_s.saturating_sub(search.seconds);
        let seconds = || self.lock().recent().since(since_s);
        search.run(seconds, since_s)
    }

    /// Counts for `/metrics`.
    #[must_use]
    pub fn view(&self) -> TrafficView {
        let traffic = self.lock();
        TrafficView {
            counts: traffic.counts(),
            series: traffic.flowdata().series(),
            texts_unkept: traffic.flowdata().texts_unkept(),
            queued: self.queued.load(Ordering::Relaxed),
            tenants: traffic.tenants().cids().len(),
            tenants_unkept: traffic.tenants().unkept(),
            lag: traffic.lag().clone(),
        }
    }
}
