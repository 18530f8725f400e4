//! The sampling rate of a flow: eight sources, the first that says something wins (semantics.md
//! section 4).
//!
//! "A rate of 0 in the packet means 'not said'." Decode never multiplies; normalising is an
//! enrichment step.

use crate::elements::RatePart;
use crate::interfaces::NamePlan;
use crate::plan::{Layout, Place, Shape};

/// Named samplers remembered per domain; options rows beyond them are read and forgotten.
pub(crate) const SAMPLERS_MAX: usize = 1024;

/// Where a record says its rate, or who knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateUse {
    interval: Option<Place>,
    space: Option<Place>,
    random: Option<Place>,
    plain: Option<Place>,
    size: Option<Place>,
    population: Option<Place>,
    probability: Option<Place>,
    samplers: Vec<Place>,
}

impl RateUse {
    pub(crate) fn set(&mut self, part: RatePart, place: Place) {
        let slot = match part {
            RatePart::Interval => &mut self.interval,
            RatePart::Space => &mut self.space,
            RatePart::Random => &mut self.random,
            RatePart::Plain => &mut self.plain,
            RatePart::Size => &mut self.size,
            RatePart::Population => &mut self.population,
            RatePart::Probability => &mut self.probability,
        };
        *slot = Some(place);
    }

    pub(crate) fn add_sampler(&mut self, place: Place) {
        self.samplers.push(place);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.samplers.is_empty() && !self.says_rate()
    }

    /// Is there a rate in the record itself?
    pub(crate) fn says_rate(&self) -> bool {
        [self.interval, self.random, self.plain, self.population, self.probability]
            .iter()
            .any(Option::is_some)
    }

    /// The rate that record `record` says; 0 if none. "305 with 306: (305 + 306) / 305; 50; 34; 310
    /// with 309: 310 / 309; 311: 1 / p." A lone 305 is not in that list; exporters that send it
    /// mean "one of so many", and goflow reads it so: it comes last.
    pub(crate) fn rate<L: Layout>(&self, bytes: &[u8], layout: L, record: usize) -> u64 {
        let read = |place: Option<Place>| place?.number(bytes, layout, record);
        let said = |value: Option<u64>| value.filter(|value| *value != 0);
        let interval = said(read(self.interval));
        interval
            .zip(read(self.space))
            .map(|(interval, space)| interval.saturating_add(space) / interval)
            .or_else(|| said(read(self.random)))
            .or_else(|| said(read(self.plain)))
            .or_else(|| {
                let (size, population) = (said(read(self.size))?, said(read(self.population))?);
                said(Some(population / size))
            })
            .or_else(|| one_in(self.probability?.bytes(bytes, layout, record)))
            .or(interval)
            .unwrap_or(0)
    }

    /// The sampler that record `record` names, if it names one.
    pub(crate) fn sampler<L: Layout>(&self, bytes: &[u8], layout: L, record: usize) -> Option<u64> {
        self.samplers.iter().find_map(|place| place.number(bytes, layout, record))
    }
}

/// 1 / p of a probability in `float32` or `float64` (RFC 7011 section 6.2 allows the smaller).
fn one_in(bytes: &[u8]) -> Option<u64> {
    let probability = match bytes.len() {
        4 => f64::from(f32::from_be_bytes(bytes.try_into().ok()?)),
        8 => f64::from_be_bytes(bytes.try_into().ok()?),
        _ => return None,
    };
    (probability > 0.0 && probability <= 1.0).then(|| (1.0 / probability).round() as u64)
}

/// A compiled options template: the parts that decoding needs.
#[derive(Clone, Debug)]
pub(crate) struct OptionsPlan {
    pub(crate) shape: Shape,
    pub(crate) rate: RateUse,
    /// When the exporter started (160).
    pub(crate) boot: Option<Place>,
    /// What it calls its interfaces (82, 83).
    pub(crate) names: Option<Box<NamePlan>>,
}

impl OptionsPlan {
    /// Does decoding want anything of its records?
    pub(crate) fn is_useful(&self) -> bool {
        self.rate.says_rate() || self.boot.is_some()
    }

    /// What record `record` tells.
    pub(crate) fn fact<L: Layout>(&self, bytes: &[u8], layout: L, record: usize) -> Fact {
        let boot = self.boot.and_then(|place| place.number(bytes, layout, record));
        Fact {
            sampler: self.rate.sampler(bytes, layout, record),
            rate: self.rate.rate(bytes, layout, record),
            boot_ms: boot.filter(|boot| *boot != 0),
        }
    }
}

/// What one options record tells about its exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) sampler: Option<u64>,
    /// 0: not said.
    pub(crate) rate: u64,
    pub(crate) boot_ms: Option<u64>,
}

/// What the options records of one domain have told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RateTable {
    /// By sampler id, sorted.
    named: Vec<(u64, u64)>,
    /// Of the newest row that names no sampler; 0 if there was none.
    unnamed: u64,
    /// When the exporter started, Unix milliseconds.
    boot_ms: Option<u64>,
}

impl RateTable {
    /// Takes a fact in; `false` if it says nothing new.
    pub(crate) fn learn(&mut self, fact: Fact) -> bool {
        let before_boot = self.boot_ms;
        self.boot_ms = fact.boot_ms.or(self.boot_ms);
        let booted = before_boot != self.boot_ms;
        booted | (fact.rate != 0 && self.learn_rate(fact.sampler, fact.rate))
    }

    fn learn_rate(&mut self, sampler: Option<u64>, rate: u64) -> bool {
        let Some(id) = sampler else {
            return std::mem::replace(&mut self.unnamed, rate) != rate;
        };
        match self.named.binary_search_by_key(&id, |row| row.0) {
            Ok(at) => std::mem::replace(&mut self.named[at].1, rate) != rate,
            Err(_) if self.named.len() >= SAMPLERS_MAX => false,
            Err(at) => {
                self.named.insert(at, (id, rate));
                true
            }
        }
    }

    /// Would [`learn`](Self::learn) change anything?
    pub(crate) fn knows(&self, fact: Fact) -> bool {
        let boot = fact.boot_ms.is_none() || fact.boot_ms == self.boot_ms;
        boot && match fact.sampler {
            _ if fact.rate == 0 => true,
            None => self.unnamed == fact.rate,
            Some(id) => self.of(id) == fact.rate || self.is_full(id),
        }
    }

    fn is_full(&self, id: u64) -> bool {
        self.named.len() >= SAMPLERS_MAX && self.of(id) == 0
    }

    /// The rate of the row with this sampler id, or 0.
    fn of(&self, id: u64) -> u64 {
        self.named.binary_search_by_key(&id, |row| row.0).map_or(0, |at| self.named[at].1)
    }

    /// "The newest options row of its domain that names no id, or the only row", or 0.
    fn general(&self) -> u64 {
        match self.named.as_slice() {
            [(_, only)] if self.unnamed == 0 => *only,
            _ => self.unnamed,
        }
    }

    pub(crate) fn boot_ms(&self) -> Option<u64> {
        self.boot_ms
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sampler ids and rates, the row without id first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let unnamed = (self.unnamed != 0).then_some((None, self.unnamed));
        unnamed.into_iter().chain(self.named.iter().map(|(id, rate)| (Some(*id), *rate)))
    }
}

/// All that a worker needs to find rates in one domain.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(crate) struct Rates {
    /// Step 1; 0 if nothing is configured for the exporter.
    pub(crate) configured: u64,
    /// What the steps come to for records that name no sampler; 0 if unknown.
    general: u64,
    /// Step 7; 0 if none is configured.
    pub(crate) default: u64,
    /// Steps 3 and 4.
    own: RateTable,
    /// Step 5: the exporter's domain 0.
    zero: RateTable,
}

impl Rates {
    pub(crate) fn new(configured: u64, default: u64) -> Self {
        let mut rates = Self { configured, default, ..Self::default() };
        rates.general = rates.find(None);
        rates
    }

    /// What the domain's own options records have told.
    pub(crate) fn own(&self) -> &RateTable {
        &self.own
    }

    /// Has nobody said a rate for this domain but the configured default?
    pub(crate) fn are_unsaid(&self) -> bool {
        self.configured == 0 && self.own.is_empty()
    }

    pub(crate) fn set_own(&mut self, own: &RateTable) {
        self.own.clone_from(own);
        self.general = self.find(None);
    }

    pub(crate) fn set_zero(&mut self, zero: RateTable) {
        self.zero = zero;
        self.general = self.find(None);
    }

    /// The rate of a record that says none itself and names `sampler`; 0 if unknown.
    #[inline]
    pub(crate) fn rate(&self, sampler: Option<u64>) -> u64 {
        if sampler.is_none() { self.general } else { self.find(sampler) }
    }

    fn find(&self, sampler: Option<u64>) -> u64 {
        let in_table = |table: &RateTable| match sampler.map_or(0, |id| table.of(id)) {
            0 => table.general(),
            rate => rate,
        };
        [self.configured, in_table(&self.own), in_table(&self.zero), self.default]
            .into_iter()
            .find(|rate| *rate != 0)
            .unwrap_or(0)
    }

    /// The rate of a NetFlow v5 record: "v5 header, low 14 bits" comes between the options and the
    /// default.
    pub(crate) fn rate_v5(&self, header: u16) -> u64 {
        let said = u64::from(header & 0x3fff);
        [self.configured, said, self.default].into_iter().find(|rate| *rate != 0).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
