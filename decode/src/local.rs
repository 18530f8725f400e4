//! A worker's copy of what it needs of [`Shared`]: looked up without a lock, refreshed when
//! generations differ.

use std::sync::atomic::Ordering;
use std::sync::{Arc, TryLockError};

use hashbrown::HashMap;

use crate::Datagram;
use crate::counters::{Cause, Counters};
use crate::hold::{Budget, HeldSet, Hold};
use crate::interfaces::InterfaceName;
use crate::message::Message;
use crate::sampling::Rates;
use crate::sequence::Seen;
use crate::shared::{DomainCell, DomainKey, ExporterCell, ExporterKey, MISSING_MAX, Shared, lock};
use crate::slab::Slab;
use crate::template::{Design, Protocol, Template};
use crate::totals::Totals;

/// A template as a domain has it. The design stands beside it, so that decoding does not look at the template at all.
#[derive(Debug)]
struct Known {
    id: u16,
    design: Arc<Design>,
    template: Arc<Template>,
}

impl Known {
    fn new(template: &Arc<Template>) -> Self {
        Self {
            id: template.id,
            design: Arc::clone(&template.design),
            template: Arc::clone(template),
        }
    }
}

/// A domain as the worker sees it. What every datagram touches comes first: of ten thousand exporters none is in the
/// cache when its turn comes, and each cache line is waited for.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Domain {
    pub(crate) cell: Arc<DomainCell>,
    /// Generation that `templates` and `rates` are a copy of.
    seen: u64,
    /// Sorted by id.
    templates: Vec<Known>,
    /// Where the last one was found: sets of one template come in runs.
    last: usize,
    /// Index of its exporter.
    pub(crate) exporter: u32,
    /// Some options template here can tell a sampling rate.
    tells_rate: bool,
    /// Counted since the last report.
    pub(crate) totals: Totals,
    pub(crate) rates: Rates,
    missing: Vec<(u16, u64)>,
}

impl Domain {
    /// Where the template of this id is.
    #[inline]
    pub(crate) fn find(&mut self, id: u16) -> Option<usize> {
        if self.templates.get(self.last).is_some_and(|known| known.id == id) {
            return Some(self.last);
        }
        let at = self.templates.binary_search_by_key(&id, |known| known.id).ok()?;
        self.last = at;
        Some(at)
    }

    /// How to read records of the template at a place that [`find`](Self::find) gave.
    #[inline]
    pub(crate) fn design(&self, at: usize) -> &Design {
        &self.templates[at].design
    }

    /// That template itself.
    pub(crate) fn template(&self, at: usize) -> &Template {
        &self.templates[at].template
    }

    fn insert(&mut self, template: &Arc<Template>) {
        self.tells_rate |= template.design.tells_rate();
        match self.templates.binary_search_by_key(&template.id, |known| known.id) {
            Ok(at) => self.templates[at] = Known::new(template),
            Err(at) => self.templates.insert(at, Known::new(template)),
        }
    }

    /// Has the exporter been forgotten?
    pub(crate) fn is_gone(&self) -> bool {
        self.cell.gone.load(Ordering::Acquire)
    }

    /// Is no rate known here that options records could still tell?
    pub(crate) fn wants_rate(&self) -> bool {
        self.tells_rate && self.rates.are_unsaid()
    }

    pub(crate) fn knows(&self, id: u16) -> bool {
        self.templates.binary_search_by_key(&id, |known| known.id).is_ok()
    }

    /// Counts a set that was given up because template `id` never came.
    pub(crate) fn count_missing(&mut self, id: u16) {
        match self.missing.iter().position(|(known, _)| *known == id) {
            Some(at) => self.missing[at].1 += 1,
            None if self.missing.len() < MISSING_MAX => self.missing.push((id, 1)),
            None => {}
        }
    }
}

/// An exporter as the worker sees it.
#[derive(Debug)]
pub(crate) struct Exporter {
    pub(crate) cell: Arc<ExporterCell>,
    pub(crate) hold: Hold,
    /// Counted since the last report.
    dropped: [u64; Cause::ALL.len()],
    domains: u32,
}

/// The worker's tables. Slots of forgotten exporters are used again.
#[derive(Debug)]
pub(crate) struct Local {
    shared: Arc<Shared>,
    by_domain: HashMap<DomainKey, u32>,
    by_exporter: HashMap<ExporterKey, u32>,
    domains: Slab<Domain>,
    exporters: Slab<Exporter>,
    last: Option<(DomainKey, u32)>,
    pub(crate) budget: Budget,
    /// Domains that have counted since the last report.
    dirty: Vec<u32>,
}

impl Local {
    pub(crate) fn new(shared: Arc<Shared>, budget: Budget) -> Self {
        Self {
            shared,
            by_domain: HashMap::new(),
            by_exporter: HashMap::new(),
            domains: Slab::default(),
            exporters: Slab::default(),
            last: None,
            budget,
            dirty: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn domain(&mut self, at: u32) -> &mut Domain {
        self.domains.at(at)
    }

    pub(crate) fn exporter(&mut self, at: u32) -> &mut Exporter {
        self.exporters.at(at)
    }

    /// The domain that a datagram belongs to, up to date; counts the datagram in it.
    #[inline]
    pub(crate) fn enter(
        &mut self,
        datagram: &Datagram<'_>,
        protocol: Protocol,
        domain: u32,
    ) -> Result<u32, Cause> {
        let port = if self.shared.config.key_by_port { datagram.port } else { 0 };
        let exporter = ExporterKey::new(datagram.exporter, port);
        let key = DomainKey { exporter, protocol, domain };
        let at = match self.last {
            Some((last, at)) if last == key => at,
            _ => match self.by_domain.get(&key) {
                Some(at) => *at,
                None => self.admit(key, datagram)?,
            },
        };
        self.last = Some((key, at));
        let entry = self.domain(at);
        let is_new = entry.totals.datagrams == 0;
        entry.totals.datagrams += 1;
        entry.totals.bytes += datagram.bytes.len() as u64;
        entry.totals.last_seen_ns = datagram.received_ns;
        if is_new {
            self.dirty.push(at);
        }
        Ok(at)
    }

    /// Is the worker's copy of the domain older than what is known?
    #[inline]
    pub(crate) fn is_stale(&mut self, at: u32) -> bool {
        let domain = self.domain(at);
        domain.cell.generation.load(Ordering::Acquire) != domain.seen
    }

    #[cold]
    fn admit(&mut self, key: DomainKey, datagram: &Datagram<'_>) -> Result<u32, Cause> {
        if !self.shared.config.allows(datagram.exporter) {
            return Err(Cause::DatagramExporterDenied);
        }
        let (exporter, cell) = self.shared.admit(key, datagram.received_ns)?;
        let exporter_at = match self.by_exporter.get(&key.exporter) {
            Some(at) => *at,
            None => {
                let dropped = [0; Cause::ALL.len()];
                let hold = Hold::default();
                let fresh = Exporter { cell: exporter, hold, dropped, domains: 0 };
                let at = self.exporters.add(fresh);
                self.by_exporter.insert(key.exporter, at);
                at
            }
        };
        self.exporter(exporter_at).domains += 1;
        let config = &self.shared.config;
        let exporter = datagram.exporter;
        let rates = Rates::new(config.rate_of(exporter), config.default_rate_of(exporter));
        let domain = Domain {
            cell,
            exporter: exporter_at,
            // Generations start at 1: the first look copies.
            seen: 0,
            templates: Vec::new(),
            last: 0,
            tells_rate: false,
            rates,
            totals: Totals::default(),
            missing: Vec::new(),
        };
        let at = self.domains.add(domain);
        self.by_domain.insert(key, at);
        Ok(at)
    }

    /// Copies what other workers (or this one) have changed. `false` if the exporter was forgotten
    /// meanwhile: then the domain is gone here too, and the datagram has to enter anew.
    #[cold]
    pub(crate) fn refresh(&mut self, at: u32) -> bool {
        let domain = self.domains.at(at);
        let cell = Arc::clone(&domain.cell);
        if cell.gone.load(Ordering::Acquire) {
            return false;
        }
        // Before the copy: a change in between makes the copy stale again instead of being missed.
        domain.seen = cell.generation.load(Ordering::Acquire);
        {
            let state = lock(&cell.state);
            domain.templates.clear();
            domain.templates.extend(state.templates.values().map(Known::new));
            domain.tells_rate = domain.templates.iter().any(|known| known.design.tells_rate());
            domain.rates.set_own(&state.rates);
        }
        if cell.key.domain != 0 {
            let exporter = domain.exporter;
            let exporter = self.exporters.at(exporter);
            let zero = self.shared.rates_of_zero(&exporter.cell, cell.key.protocol);
            domain.rates.set_zero(zero);
        }
        true
    }

    /// Puts a new or changed template in place, here and for everybody.
    pub(crate) fn install(&mut self, at: u32, template: Template) -> Result<(), Cause> {
        let domain = self.domains.at(at);
        let exporter = self.exporters.at(domain.exporter);
        let template = Arc::new(template);
        let generation = self
            .shared
            .install(&exporter.cell, &domain.cell, &template)
            .ok_or(Cause::SetTemplateOverLimit)?;
        domain.insert(&template);
        // Only our own change lies between: the copy stays good. Otherwise the next look refreshes.
        if generation == domain.seen + 1 {
            domain.seen = generation;
        }
        Ok(())
    }

    /// Removes templates, here and for everybody; returns whether there were any.
    pub(crate) fn remove(&mut self, at: u32, gone: impl Fn(&Template) -> bool) -> bool {
        let domain = self.domains.at(at);
        let exporter = self.exporters.at(domain.exporter);
        let generation = self.shared.remove(&exporter.cell, &domain.cell, &gone);
        domain.templates.retain(|known| !gone(&known.template));
        if generation == Some(domain.seen + 1) {
            domain.seen += 1;
        }
        generation.is_some()
    }

    /// Takes in what options records call interfaces.
    #[cold]
    pub(crate) fn learn_names(&mut self, at: u32, said: Vec<(u32, InterfaceName)>) {
        let exporter = self.domains.at(at).exporter;
        let address = self.exporters.at(exporter).cell.key.address();
        self.shared.interfaces.learn(address, said);
    }

    /// Takes in what options records told.
    pub(crate) fn learn(&mut self, at: u32, facts: &[crate::sampling::Fact]) {
        let domain = self.domains.at(at);
        if facts.iter().all(|fact| domain.rates.own().knows(*fact)) {
            return;
        }
        let exporter = self.exporters.at(domain.exporter);
        self.shared.learn(&exporter.cell, &domain.cell, facts);
        self.refresh(at);
    }

    /// Gives up what the worker has of a domain whose exporter was forgotten.
    #[cold]
    pub(crate) fn forget(&mut self, at: u32, counters: &mut Counters) {
        let Some(domain) = self.domains.take(at) else { return };
        self.by_domain.remove(&domain.cell.key);
        self.last = None;
        self.dirty.retain(|dirty| *dirty != at);
        let exporter = self.exporters.at(domain.exporter);
        let dropped = exporter.hold.take(&mut self.budget, |set| set.domain == at);
        counters.drop(Cause::SetTemplateMissing, dropped.len() as u64);
        exporter.domains -= 1;
        if exporter.domains == 0 {
            let key = exporter.cell.key;
            self.exporters.take(domain.exporter);
            self.by_exporter.remove(&key);
        }
    }

    /// Counts `count` things under `cause`, for the exporter too.
    pub(crate) fn drop(&mut self, at: u32, cause: Cause, count: u64, counters: &mut Counters) {
        counters.drop(cause, count);
        let exporter = self.domain(at).exporter;
        self.exporter(exporter).dropped[cause as usize] += count;
    }

    /// Compares a sequence number with what was expected.
    #[inline]
    pub(crate) fn observe(
        &mut self,
        at: u32,
        number: u32,
        units: Option<u32>,
        clock_ns: u64,
        counters: &mut Counters,
    ) {
        let domain = self.domain(at);
        let clock_s = (clock_ns / 1_000_000_000) as u32;
        let totals = &mut domain.totals;
        match domain.cell.sequence.observe(number, units, clock_s) {
            Seen::First | Seen::InOrder => {}
            Seen::Gap(missing) => {
                totals.gaps += 1;
                totals.missed += u64::from(missing);
                counters.missed += u64::from(missing);
            }
            Seen::Late(back) => {
                totals.reordered += 1;
                totals.recovered += u64::from(back);
                counters.reordered += 1;
                counters.recovered += u64::from(back);
            }
            Seen::Reset => {
                totals.resets += 1;
                counters.resets += 1;
            }
        }
    }

    /// Reports what was counted to [`Shared`]. Of a domain that somebody is reading or writing at
    /// this moment only if `waits`; else the next report does.
    pub(crate) fn report(&mut self, waits: bool) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.retain(|at| {
            let Some(domain) = self.domains.get(*at) else { return false };
            let exporter = self.exporters.at(domain.exporter);
            let seen = domain.totals.last_seen_ns;
            exporter.cell.last_seen_ns.fetch_max(seen, Ordering::Relaxed);
            let mut state = match domain.cell.state.try_lock() {
                Ok(state) => state,
                Err(TryLockError::WouldBlock) if !waits => return true,
                Err(_) => lock(&domain.cell.state),
            };
            state.totals.add(&std::mem::take(&mut domain.totals));
            for (id, sets) in domain.missing.drain(..) {
                if state.missing.len() < MISSING_MAX || state.missing.contains_key(&id) {
                    *state.missing.entry(id).or_default() += sets;
                }
            }
            drop(state);
            if exporter.dropped.iter().any(|count| *count != 0) {
                let dropped = std::mem::replace(&mut exporter.dropped, [0; Cause::ALL.len()]);
                let mut sums = lock(&exporter.cell.dropped);
                sums.iter_mut().zip(dropped).for_each(|(sum, count)| *sum += count);
            }
            false
        });
        self.dirty = dirty;
    }

    /// Gives up held sets that were received before `before_ns`; returns how many.
    pub(crate) fn expire_held(&mut self, before_ns: u64) -> u64 {
        let mut given_up = 0;
        if self.budget.used == 0 {
            return given_up;
        }
        for exporter in self.exporters.iter_mut() {
            while let Some(set) = exporter.hold.expired(&mut self.budget, before_ns) {
                self.domains.at(set.domain).count_missing(set.template);
                self.dirty.push(set.domain);
                exporter.dropped[Cause::SetTemplateMissing as usize] += 1;
                given_up += 1;
            }
        }
        given_up
    }

    /// Domains that have sets waiting.
    pub(crate) fn waiting(&mut self) -> Vec<u32> {
        let mut waiting: Vec<u32> = Vec::new();
        if self.budget.used > 0 {
            for exporter in self.exporters.iter_mut() {
                waiting.extend(exporter.hold.domains());
            }
        }
        waiting.sort_unstable();
        waiting.dedup();
        waiting
    }

    /// Holds the records of a set until `template` comes; counts what falls out for it, or the set
    /// itself if there is no room. Returns whether it is held.
    pub(crate) fn hold(
        &mut self,
        at: u32,
        message: &Message,
        template: u16,
        records: &[u8],
        counters: &mut Counters,
    ) -> bool {
        let exporter = self.domains.at(at).exporter;
        let exporter = self.exporters.at(exporter);
        let domains = &mut self.domains;
        let mut given_up = 0;
        let held = exporter.hold.push(message, at, template, records, &mut self.budget, |old| {
            domains.at(old.domain).count_missing(old.template);
            given_up += 1;
        });
        if !held {
            domains.at(at).count_missing(template);
            given_up += 1;
        }
        exporter.dropped[Cause::SetTemplateMissing as usize] += given_up;
        counters.drop(Cause::SetTemplateMissing, given_up);
        held
    }

    /// Takes out the sets of a domain whose template has come.
    pub(crate) fn released(&mut self, at: u32) -> Vec<HeldSet> {
        let domain = self.domains.at(at);
        let exporter = self.exporters.at(domain.exporter);
        if exporter.hold.is_empty() {
            return Vec::new();
        }
        let ready = |set: &HeldSet| set.domain == at && domain.knows(set.template);
        exporter.hold.take(&mut self.budget, ready)
    }

    /// All domains of this worker.
    pub(crate) fn all(&self) -> Vec<u32> {
        self.domains.indices().collect()
    }
}
