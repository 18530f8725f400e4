//! Counting encoded flows: what people and Prometheus are shown of the traffic.
//!
//! * [`Flowdata`] are the suite's series (`flow_bits` and its kin): exact sums by label set, capped,
//!   forgotten when idle.
//! * [`Talkers`] are the heaviest hosts, pairs, prefixes, AS and ports of each minute of the last hour,
//!   in bounded memory whatever is sent, with the error of each figure.
//! * [`Tenants`] are each customer's heaviest hosts.
//! * [`Recent`] are the flows of the last minutes, to search in.
//! * [`Lag`] is how old flows are when they come.
//!
//! [`Traffic`] is all of them, fed by one thread with batches as the workers made them. Time enters
//! as an argument. Deliberately absent: threads, clocks, rows, every crate of ours but `proto`.
#![forbid(unsafe_code)]

mod application;
mod class;
mod flowdata;
mod heavy;
mod key;
mod label_set;
mod lag;
mod names;
mod page;
mod prefixes;
mod random;
mod recent;
mod sampling;
mod series;
mod talkers;
mod tenants;
mod window;
mod written;

use neckar_proto::{Batch, FlowView};

pub use class::Class;
pub use flowdata::{Flowdata, Label, METRICS, Metric, Sample};
pub use key::{Dimension, Direction, Key};
pub use lag::Lag;
pub use recent::{RECENT_S, Recent, Second};
pub use talkers::{Measure, Question, Report, Row, Sampling, Talkers};
pub use tenants::Tenants;
pub use window::WINDOW_S;

/// Bounds and choices.
#[derive(Clone, Debug)]
pub struct Config {
    /// Labels that `/flowdata` has; the others are left out.
    pub labels: Vec<Label>,
    /// Label sets of a metric at most; what is beyond goes to one that says `other`.
    pub series_max: usize,
    /// Seconds after which a label set without traffic is forgotten.
    pub series_idle_s: u64,
    /// Customers whose hosts are kept apart at most.
    pub tenants_max: usize,
    /// Entries of each large sketch of talkers.
    pub talkers_max: usize,
    /// Flows a second that go into the sketches at most, about; beyond, they are sampled by size.
    pub sketched_per_s: u64,
    /// Bytes of recent flows that are kept for searching; 0 for none.
    pub recent_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            labels: Label::ALL.to_vec(),
            series_max: 20_000,
            series_idle_s: 3600,
            tenants_max: 200,
            talkers_max: 3584,
            sketched_per_s: 10_000,
            recent_bytes: 64 << 20,
        }
    }
}

/// A flow's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Sums {
    /// As they were on the wire: multiplied by the sampling rate.
    pub bytes: f64,
    /// As they were on the wire.
    pub packets: f64,
    /// Flow records, not multiplied.
    pub flows: f64,
}

impl Sums {
    /// Of one flow.
    #[must_use]
    pub fn of(view: &FlowView<'_>) -> Self {
        let [bytes, packets] = [view.bytes, view.packets].map(|count| on_wire(view, count) as f64);
        Self { bytes, packets, flows: 1.0 }
    }

    /// Bytes, packets, flows.
    pub(crate) const MEASURES: [fn(&Self) -> f64; 3] =
        [|sums| sums.bytes, |sums| sums.packets, |sums| sums.flows];

    /// Means of a flow, 1 at least; `before` if there was none.
    pub(crate) fn means(&self, before: &Self) -> Self {
        if self.flows < 1.0 {
            return *before;
        }
        let mean = |sum: f64| (sum / self.flows).max(1.0);
        Self { bytes: mean(self.bytes), packets: mean(self.packets), flows: 1.0 }
    }

    /// So many of them, and what they weigh in a sketch: each measure by its mean.
    pub(crate) fn weighed(&self, times: f64, means: &Self) -> (Self, f64) {
        let mut all = Self::default();
        all.add(self, times);
        (all, (self.bytes / means.bytes + self.packets / means.packets + 1.0) * times)
    }

    /// The larger of each.
    pub(crate) fn raise_to(&mut self, other: &Self) {
        self.bytes = self.bytes.max(other.bytes);
        self.packets = self.packets.max(other.packets);
        self.flows = self.flows.max(other.flows);
    }

    /// Adds `other`, `times` times.
    pub fn add(&mut self, other: &Self, times: f64) {
        self.bytes += other.bytes * times;
        self.packets += other.packets * times;
        self.flows += other.flows * times;
    }
}

/// A count of the flow as it was on the wire: multiplied by the sampling rate, unless that was done before.
#[inline]
fn on_wire(view: &FlowView<'_>, count: u64) -> u64 {
    let rate = if view.normalized { 1 } else { view.sampling_rate.max(1) };
    count.saturating_mul(rate)
}

/// What became of the flows that were to be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCounts {
    /// Flows counted.
    pub flows: u64,
    /// Messages that are no flow: our own encoder's defect, if it ever happens.
    pub unreadable: u64,
    /// Flows that ended before the minutes that are still open; counted in the older of them.
    pub late: u64,
    /// Flows that went into the sketches, the others being told for by these.
    pub sketched: u64,
}

/// Flows counted at a time: so many look-ups wait for memory together.
const CHUNK: usize = 32;

/// Everything that counts traffic.
pub struct Traffic {
    flowdata: Flowdata,
    talkers: Talkers,
    tenants: Tenants,
    recent: Recent,
    lag: Lag,
    counts: TrafficCounts,
}

impl Traffic {
    /// Nothing counted yet at `now_s`, in Unix seconds.
    #[must_use]
    pub fn new(config: &Config, now_s: u64) -> Self {
        let mut traffic = Self {
            flowdata: Flowdata::new(config),
            talkers: Talkers::new(config, now_s),
            tenants: Tenants::new(config.tenants_max),
            recent: Recent::new(config.recent_bytes),
            lag: Lag::default(),
            counts: TrafficCounts::default(),
        };
        traffic.tend(now_s);
        traffic
    }

    /// Bytes of memory at most, about: what `budget` adds up.
    #[must_use]
    pub fn memory_bytes(config: &Config) -> usize {
        Flowdata::memory_bytes(config)
            + Talkers::memory_bytes(config)
            + Tenants::memory_bytes(config.tenants_max)
            + Recent::memory_bytes(config.recent_bytes)
    }

    /// Bytes of the page at most, about.
    #[must_use]
    pub fn page_bytes(config: &Config) -> usize {
        page::bytes_max(config)
    }

    /// Counts every flow of `batch`, at `now_s`.
    pub fn count(&mut self, batch: &Batch, now_s: u64) {
        self.talkers.advance(now_s);
        self.recent.advance(now_s);
        self.flowdata.set_now(now_s);
        let mut views = Vec::with_capacity(CHUNK);
        for (bytes, len) in batch.flows_in_place() {
            match FlowView::read_in_place(bytes, len) {
                Some(view) => {
                    self.recent.add(&bytes[..len]);
                    views.push(view);
                }
                None => self.counts.unreadable += 1,
            }
            if views.len() == CHUNK {
                self.count_chunk(&views);
                views.clear();
            }
        }
        self.count_chunk(&views);
    }

    fn count_chunk(&mut self, views: &[FlowView<'_>]) {
        self.counts.flows += views.len() as u64;
        let sets = self.flowdata.add(views);
        let mut keys = Vec::new();
        for (view, set) in views.iter().zip(sets) {
            self.lag.add(view);
            let sums = Sums::of(view);
            let window = self.talkers.window_of(view);
            self.counts.late += u64::from(window.is_late);
            if let Some(times) = self.talkers.admit(window.index, view, &sums) {
                self.counts.sketched += 1;
                key::put_keys(view, &mut keys);
                self.talkers.add(window.index, Direction::of(view), &keys, &sums, times);
                self.tenants.add(view, &keys, set.name(Label::Peer), &sums, times);
            }
        }
    }

    /// What time alone does: minutes close, idle series go. About once a second.
    pub fn tend(&mut self, now_s: u64) {
        self.talkers.advance(now_s);
        self.talkers.adapt(now_s);
        self.recent.advance(now_s);
        self.tenants.age(now_s);
        self.flowdata.expire(now_s, self.tenants.used_names());
    }

    /// The page `/flowdata` in Prometheus' text format.
    #[must_use]
    pub fn page(&self) -> String {
        page::render(self)
    }

    /// Every series of the page that is a counter.
    pub fn each_sample(&self, mut visit: impl FnMut(Sample<'_>)) {
        self.flowdata.each(&mut visit);
        self.tenants.each(self.flowdata.peers(), visit);
    }

    /// The heaviest of what is asked for.
    #[must_use]
    pub fn report(&self, question: &Question) -> Report {
        let Some(tenant) = question.tenant else { return self.talkers.report(question) };
        let mut report = self.tenants.report(tenant, question);
        // A customer does not hear of flows that were left to others, the talkers do.
        report.sampling = self.talkers.sampling(report.from_s, report.to_s);
        report
    }

    /// The suite's series.
    #[must_use]
    pub fn flowdata(&self) -> &Flowdata {
        &self.flowdata
    }

    /// The heaviest of the last hour.
    #[must_use]
    pub fn talkers(&self) -> &Talkers {
        &self.talkers
    }

    /// Customers' hosts.
    #[must_use]
    pub fn tenants(&self) -> &Tenants {
        &self.tenants
    }

    /// Flows to search in.
    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// How old flows are when they come.
    #[must_use]
    pub fn lag(&self) -> &Lag {
        &self.lag
    }

    /// What became of the flows.
    #[must_use]
    pub fn counts(&self) -> TrafficCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests;
