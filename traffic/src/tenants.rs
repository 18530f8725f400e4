//! What each customer's flows are: its heaviest hosts, pairs, ports and countries of the last minutes, and the
//! suite's `host_bytes` and `host_connections_total`.
//!
//! A bounded number of customers, first come; one that is idle makes room. What is kept of each is small, so
//! only what has a few per cent of a customer's traffic is sure to be found.

use hashbrown::HashMap;
use neckar_proto::FlowView;

use crate::Sums;
use crate::flowdata::Sample;
use crate::heavy::{Heaviest, Heavy};
use crate::key::{DIMENSIONS, Dimension, FlowKey, Key, address, tenants};
use crate::names::{Name, Names};
use crate::window::Window;

/// Seconds of a customer's window; the one before is kept whole.
pub(crate) const TENANT_WINDOW_S: u64 = 300;
/// Seconds after which a customer, or a pair of hosts, without traffic is forgotten, as the suite has it.
const IDLE_S: u64 = 1200;
/// Keys of each of a customer's sketches.
const ENTRIES_MAX: usize = 112;
/// Pairs of hosts of a customer, and how many of them the series show by bytes and by flows.
const PAIRS_MAX: usize = 448;
pub(crate) const PAIRS_SHOWN: usize = 10;

struct Tenant {
    touched_s: u64,
    /// Source, destination and peer, since the customer or the pair came.
    pairs: Heaviest,
    windows: [Window; 2],
}

/// The customers.
pub struct Tenants {
    by_cid: HashMap<u32, Tenant>,
    tenants_max: usize,
    now_s: u64,
    unkept: u64,
}

/// Means that weigh bytes and packets of a customer's flows.
const MEANS: Sums = Sums { bytes: 1000.0, packets: 4.0, flows: 1.0 };

/// Where each dimension stands among a customer's, if it does.
const PLACES: [Option<usize>; DIMENSIONS] = {
    let mut places = [None; DIMENSIONS];
    let mut place = 0;
    while place < Dimension::OF_TENANTS.len() {
        places[Dimension::OF_TENANTS[place] as usize] = Some(place);
        place += 1;
    }
    places
};

impl Tenants {
    pub(crate) fn new(tenants_max: usize) -> Self {
        Self { by_cid: HashMap::new(), tenants_max, now_s: 0, unkept: 0 }
    }

    pub(crate) fn memory_bytes(tenants_max: usize) -> usize {
        let sketches = 2 * 2 * Dimension::OF_TENANTS.len();
        let one =
            sketches * Heaviest::memory_bytes(ENTRIES_MAX) + Heaviest::memory_bytes(PAIRS_MAX);
        tenants_max * one
    }

    /// Counts a flow that stands for so many for its customers.
    pub(crate) fn add(
        &mut self,
        view: &FlowView<'_>,
        keys: &[FlowKey<'_>],
        peer: Name,
        sums: &Sums,
        times: f64,
    ) {
        let now_s = self.now_s;
        let weighed = sums.weighed(times, &MEANS);
        for (cid, direction) in tenants(view) {
            let Some(tenant) = self.tenant(cid) else { continue };
            tenant.touched_s = now_s;
            let window = &mut tenant.windows[1];
            window.totals[direction as usize].add(sums, times);
            for FlowKey { dimension, key, .. } in keys {
                if let Some(place) = PLACES[*dimension as usize] {
                    window.add(place, direction, *key, &weighed, now_s, || 0);
                }
            }
        }
        self.add_pair(view, peer, sums, times);
    }

    /// The suite's series go by the customer on the local side, one of those above.
    fn add_pair(&mut self, view: &FlowView<'_>, peer: Name, sums: &Sums, times: f64) {
        let ends = (address(view.src_addr), address(view.dst_addr));
        let tenant = self.by_cid.get_mut(&view.cid).filter(|_| view.cid != 0);
        if let ((Some(source), Some(destination)), Some(tenant)) = (ends, tenant) {
            let key = Key::of_triple(source, destination, peer);
            let weight = sums.bytes / MEANS.bytes + 1.0;
            // As the records have it, like the suite's other series.
            let raw = Sums { bytes: view.bytes as f64, packets: view.packets as f64, flows: 1.0 };
            let weighed = (raw.weighed(times, &MEANS).0, weight * times);
            tenant.pairs.add(key, &weighed, self.now_s, || peer);
        }
    }

    /// The customer's place; `None`, counted, if there is none left.
    fn tenant(&mut self, cid: u32) -> Option<&mut Tenant> {
        if self.by_cid.len() >= self.tenants_max && !self.by_cid.contains_key(&cid) {
            self.unkept += 1;
            return None;
        }
        let start_s = self.now_s / TENANT_WINDOW_S * TENANT_WINDOW_S;
        let tenant = || Tenant {
            touched_s: 0,
            pairs: Heaviest::new(PAIRS_MAX),
            windows: fresh_windows(start_s),
        };
        Some(self.by_cid.entry(cid).or_insert_with(tenant))
    }

    /// Turns windows over, and forgets who is idle.
    pub(crate) fn age(&mut self, now_s: u64) {
        self.now_s = now_s;
        self.by_cid.retain(|_, tenant| {
            tenant.turn(now_s);
            tenant.touched_s >= now_s.saturating_sub(IDLE_S)
        });
    }

    /// Is a text the peer's of one of the pairs?
    pub(crate) fn used_names(&self) -> impl Iterator<Item = Name> + '_ {
        self.by_cid.values().flat_map(|tenant| tenant.pairs.iter().map(|pair| pair.name))
    }

    pub(crate) fn windows(&self, cid: u32) -> Option<&[Window; 2]> {
        self.by_cid.get(&cid).map(|tenant| &tenant.windows)
    }

    /// Numbers of the customers that are kept apart, in order.
    #[must_use]
    pub fn cids(&self) -> Vec<u32> {
        let mut cids: Vec<u32> = self.by_cid.keys().copied().collect();
        cids.sort_unstable();
        cids
    }

    /// Flows' ends whose customer found no place.
    #[must_use]
    pub fn unkept(&self) -> u64 {
        self.unkept
    }

    /// The suite's series of the heaviest pairs of hosts, by customer.
    pub(crate) fn each(&self, names: &Names, mut visit: impl FnMut(Sample<'_>)) {
        for (metric, measure) in HOST_METRICS {
            for cid in self.cids() {
                for pair in shown(&self.by_cid[&cid].pairs) {
                    let (source, destination, peer) = pair.key.parts();
                    let cid = cid.to_string();
                    let ends = [source, destination].map(|end| end.to_string());
                    let labels = [
                        ("cid", cid.as_str()),
                        ("ipSrc", &ends[0]),
                        ("ipDst", &ends[1]),
                        ("peer", names.text(peer)),
                    ];
                    let value = measure(&pair.sums) as u64;
                    visit(Sample { metric, labels: &labels, value, since_s: pair.since_s });
                }
            }
        }
    }
}

/// Names of the suite's series of hosts, and what they count.
pub(crate) const HOST_METRICS: [(&str, fn(&Sums) -> f64); 2] =
    [("host_bytes", |sums| sums.bytes), ("host_connections_total", |sums| sums.flows)];

/// The heaviest pairs by bytes and those by flows.
fn shown(pairs: &Heaviest) -> Vec<&Heavy> {
    let mut all: Vec<&Heavy> = pairs.iter().collect();
    let mut shown: Vec<&Heavy> = Vec::with_capacity(2 * PAIRS_SHOWN);
    for (_, measure) in HOST_METRICS {
        all.sort_by(|one, other| {
            let by_size = measure(&other.sums).total_cmp(&measure(&one.sums));
            by_size.then(one.key.cmp(&other.key))
        });
        for heavy in all.iter().take(PAIRS_SHOWN) {
            if !shown.iter().any(|there| there.key == heavy.key) {
                shown.push(heavy);
            }
        }
    }
    shown.sort_by_key(|heavy| heavy.key);
    shown
}

impl Tenant {
    /// Turns windows over whose time is over. What lies ahead of a clock that was set back goes.
    fn turn(&mut self, now_s: u64) {
        let start_s = now_s / TENANT_WINDOW_S * TENANT_WINDOW_S;
        self.touched_s = self.touched_s.min(now_s);
        if start_s < self.windows[0].start_s {
            self.windows = fresh_windows(start_s);
            self.pairs.expire(now_s, IDLE_S);
        }
        while self.windows[1].start_s < start_s {
            let next_s = (self.windows[1].start_s + TENANT_WINDOW_S)
                .max(start_s.saturating_sub(TENANT_WINDOW_S));
            self.windows.rotate_left(1);
            self.windows[1] = fresh_window(next_s);
            self.pairs.expire(now_s, IDLE_S);
        }
    }
}

/// The window that begins at `start_s`, and the one before.
fn fresh_windows(start_s: u64) -> [Window; 2] {
    [start_s.saturating_sub(TENANT_WINDOW_S), start_s].map(fresh_window)
}

fn fresh_window(start_s: u64) -> Window {
    Window::new(start_s, MEANS, Dimension::OF_TENANTS.len(), ENTRIES_MAX)
}
