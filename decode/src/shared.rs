//! What all workers know together: templates, sampling tables and sequence numbers of all
//! exporters, bounded.
//!
//! Read-mostly. Each domain has a generation that a worker compares with the one it copied; equal
//! (the steady state) means no lock is taken. Locks are taken in the order table, exporter, domain,
//! and never while rows are made.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::config::Config;
use crate::counters::Cause;
use crate::interfaces::InterfaceNames;
use crate::sampling::{Fact, RateTable};
use crate::sequence::Sequence;
use crate::template::{Definition, Designs, Protocol, Template};
use crate::totals::Totals;

/// An exporter: its address, and its port where that is part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ExporterKey {
    /// IPv4 as IPv4-mapped IPv6.
    address: u128,
    port: u16,
}

impl ExporterKey {
    pub(crate) fn new(address: IpAddr, port: u16) -> Self {
        let address = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Self { address: address.to_bits(), port }
    }

    pub(crate) fn address(self) -> IpAddr {
        Ipv6Addr::from_bits(self.address).to_canonical()
    }

    pub(crate) fn port(self) -> u16 {
        self.port
    }
}

/// "Exporter address + version + observation domain (source id)", and the template's id below it.
/// "Not the UDP port (an option adds it, off by default)": [`ExporterKey`] has it, 0 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DomainKey {
    pub(crate) exporter: ExporterKey,
    pub(crate) protocol: Protocol,
    pub(crate) domain: u32,
}

/// Ids of missing templates that are told apart per domain.
pub(crate) const MISSING_MAX: usize = 64;

/// What changes in a domain.
#[derive(Debug, Default)]
pub(crate) struct DomainState {
    pub(crate) templates: BTreeMap<u16, Arc<Template>>,
    pub(crate) rates: RateTable,
    pub(crate) totals: Totals,
    /// Sets given up, by the id of the template that was missing.
    pub(crate) missing: BTreeMap<u16, u64>,
}

/// One domain of one exporter. What every datagram touches comes first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct DomainCell {
    /// Changes with `templates` and `rates`, also those of the exporter's domain 0.
    pub(crate) generation: AtomicU64,
    pub(crate) sequence: Sequence,
    /// The exporter was forgotten: workers that still have this cell ask anew.
    pub(crate) gone: AtomicBool,
    pub(crate) key: DomainKey,
    pub(crate) state: Mutex<DomainState>,
}

/// One exporter.
#[derive(Debug)]
pub(crate) struct ExporterCell {
    pub(crate) key: ExporterKey,
    pub(crate) templates: AtomicUsize,
    pub(crate) last_seen_ns: AtomicU64,
    pub(crate) dropped: Mutex<[u64; Cause::ALL.len()]>,
    pub(crate) domains: Mutex<HashMap<(Protocol, u32), Arc<DomainCell>>>,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) exporters: HashMap<ExporterKey, Arc<ExporterCell>>,
    pub(crate) domains: usize,
    /// No search for idle exporters before this moment.
    next_search_ns: u64,
}

/// Templates, sampling tables and accounts of all exporters. One for all workers.
#[derive(Debug)]
pub struct Shared {
    pub(crate) config: Config,
    revision: AtomicU64,
    /// How often exporters were forgotten.
    forgotten: AtomicU64,
    pub(crate) table: Mutex<Table>,
    pub(crate) designs: Mutex<Designs>,
    pub(crate) templates: AtomicUsize,
    pub(crate) template_bytes: AtomicUsize,
    pub(crate) interfaces: InterfaceNames,
}

/// The lock of `mutex`. A panicking worker leaves plain data behind, which is as good as before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often a full table is searched for exporters that have gone silent.
const SEARCH_NS: u64 = 10_000_000_000;

impl Shared {
    /// An empty one within the bounds of `config`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            revision: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            table: Mutex::default(),
            designs: Mutex::default(),
            templates: AtomicUsize::new(0),
            template_bytes: AtomicUsize::new(0),
            interfaces: InterfaceNames::default(),
        }
    }

    /// Changes whenever [`export`](Self::export) would give something else.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Changes when exporters were forgotten.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Finds or makes the cells of `key`.
    pub(crate) fn admit(
        &self,
        key: DomainKey,
        now_ns: u64,
    ) -> Result<(Arc<ExporterCell>, Arc<DomainCell>), Cause> {
        let mut table = lock(&self.table);
        let known = table.exporters.get(&key.exporter).cloned();
        if known.is_none() && table.exporters.len() >= self.config.exporters_max {
            self.forget_idle(&mut table, now_ns);
            if table.exporters.len() >= self.config.exporters_max {
                return Err(Cause::DatagramExporterTableFull);
            }
        }
        let exporter = known.unwrap_or_else(|| {
            Arc::new(ExporterCell {
                key: key.exporter,
                templates: AtomicUsize::new(0),
                last_seen_ns: AtomicU64::new(now_ns),
                dropped: Mutex::new([0; Cause::ALL.len()]),
                domains: Mutex::default(),
            })
        });
        let mut domains = lock(&exporter.domains);
        let id = (key.protocol, key.domain);
        if let Some(domain) = domains.get(&id).cloned() {
            drop(domains);
            return Ok((exporter, domain));
        }
        if domains.len() >= self.config.domains_per_exporter_max
            || table.domains >= self.config.domains_max
        {
            return Err(Cause::DatagramDomainTableFull);
        }
        let domain = Arc::new(DomainCell {
            key,
            generation: AtomicU64::new(1),
            gone: AtomicBool::new(false),
            sequence: Sequence::default(),
            state: Mutex::default(),
        });
        domains.insert(id, Arc::clone(&domain));
        drop(domains);
        table.domains += 1;
        table.exporters.entry(key.exporter).or_insert_with(|| Arc::clone(&exporter));
        Ok((exporter, domain))
    }

    /// Makes room in a full table: exporters that have been silent for long go.
    fn forget_idle(&self, table: &mut Table, now_ns: u64) {
        if now_ns < table.next_search_ns {
            return;
        }
        table.next_search_ns = now_ns.saturating_add(SEARCH_NS);
        let idle_ns = self.config.exporter_idle_ns;
        let mut freed = 0;
        table.exporters.retain(|_, exporter| {
            let seen = exporter.last_seen_ns.load(Ordering::Relaxed);
            if now_ns.saturating_sub(seen) < idle_ns {
                return true;
            }
            freed += self.forget(exporter);
            false
        });
        table.domains -= freed;
    }

    /// Lets go what belongs to an exporter; returns how many domains it had.
    fn forget(&self, exporter: &ExporterCell) -> usize {
        self.interfaces.forget(exporter.key.address());
        let domains = lock(&exporter.domains);
        for domain in domains.values() {
            let state = lock(&domain.state);
            for template in state.templates.values() {
                self.uncount(exporter, template);
            }
            domain.gone.store(true, Ordering::Release);
            domain.generation.fetch_add(1, Ordering::Release);
        }
        self.revision.fetch_add(1, Ordering::Relaxed);
        self.forgotten.fetch_add(1, Ordering::Release);
        domains.len()
    }

    fn uncount(&self, exporter: &ExporterCell, template: &Template) {
        exporter.templates.fetch_sub(1, Ordering::Relaxed);
        self.templates.fetch_sub(1, Ordering::Relaxed);
        self.template_bytes.fetch_sub(template.cost_bytes(), Ordering::Relaxed);
    }

    /// A template of `definition`; `None` if a record of it could be empty.
    pub(crate) fn template(
        &self,
        id: u16,
        definition: &Definition<'_>,
        now_ns: u64,
    ) -> Option<Template> {
        let design = lock(&self.designs).of(definition)?;
        Some(Template::new(id, design, now_ns))
    }

    /// Puts a template in its place; `false` if there is no room for another one. Returns the
    /// generation after it.
    pub(crate) fn install(
        &self,
        exporter: &ExporterCell,
        domain: &DomainCell,
        template: &Arc<Template>,
    ) -> Option<u64> {
        let mut state = lock(&domain.state);
        // A forgotten exporter's cell takes nothing more in, or the sums would not come out.
        if domain.gone.load(Ordering::Acquire) {
            return None;
        }
        // Another worker heard the same announcement first.
        if state.templates.get(&template.id).is_some_and(|old| old.says_the_same(template)) {
            return Some(domain.generation.load(Ordering::Acquire));
        }
        let cost = template.cost_bytes();
        let old = state.templates.get(&template.id).map(|old| old.cost_bytes());
        let config = &self.config;
        let bytes = self.template_bytes.load(Ordering::Relaxed) + cost - old.unwrap_or(0).min(cost);
        let full = bytes > config.template_bytes_max
            || (old.is_none()
                && (exporter.templates.load(Ordering::Relaxed)
                    >= config.templates_per_exporter_max
                    || self.templates.load(Ordering::Relaxed) >= config.templates_max));
        if full {
            return None;
        }
        if let Some(old) = state.templates.insert(template.id, Arc::clone(template)) {
            self.uncount(exporter, &old);
        }
        exporter.templates.fetch_add(1, Ordering::Relaxed);
        self.templates.fetch_add(1, Ordering::Relaxed);
        self.template_bytes.fetch_add(cost, Ordering::Relaxed);
        Some(self.changed(domain))
    }

    /// Removes the templates that `gone` names; `None` if there were none.
    pub(crate) fn remove(
        &self,
        exporter: &ExporterCell,
        domain: &DomainCell,
        gone: impl Fn(&Template) -> bool,
    ) -> Option<u64> {
        let mut state = lock(&domain.state);
        if domain.gone.load(Ordering::Acquire) {
            return None;
        }
        let before = state.templates.len();
        state.templates.retain(|_, template| {
            let keep = !gone(template);
            if !keep {
                self.uncount(exporter, template);
            }
            keep
        });
        (before != state.templates.len()).then(|| self.changed(domain))
    }

    /// Takes facts of options records in. Facts of domain 0 are everybody's (semantics.md section
    /// 4, step 5).
    pub(crate) fn learn(&self, exporter: &ExporterCell, domain: &DomainCell, facts: &[Fact]) {
        let mut news = false;
        {
            let mut state = lock(&domain.state);
            for fact in facts {
                news |= state.rates.learn(*fact);
            }
        }
        if !news {
            return;
        }
        self.changed(domain);
        if domain.key.domain == 0 {
            for other in lock(&exporter.domains).values() {
                other.generation.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// The sampling table of the exporter's domain 0, for its other domains.
    pub(crate) fn rates_of_zero(&self, exporter: &ExporterCell, protocol: Protocol) -> RateTable {
        let zero = lock(&exporter.domains).get(&(protocol, 0)).cloned();
        zero.map(|zero| lock(&zero.state).rates.clone()).unwrap_or_default()
    }

    fn changed(&self, domain: &DomainCell) -> u64 {
        // The generation first: who sees the new revision finds what it is about.
        let generation = domain.generation.fetch_add(1, Ordering::Release) + 1;
        self.revision.fetch_add(1, Ordering::Release);
        generation
    }

    /// Every exporter and its domains, in the order of their addresses; for views and export.
    pub(crate) fn cells(&self) -> Vec<(Arc<ExporterCell>, Vec<Arc<DomainCell>>)> {
        let mut exporters: Vec<_> = lock(&self.table).exporters.values().cloned().collect();
        exporters.sort_by_key(|exporter| (exporter.key.address, exporter.key.port));
        let with_domains = exporters.into_iter().map(|exporter| {
            let mut domains: Vec<_> = lock(&exporter.domains).values().cloned().collect();
            domains.sort_by_key(|domain| (domain.key.protocol, domain.key.domain));
            (exporter, domains)
        });
        with_domains.collect()
    }
}
