//! What is counted of an exporter's domain: per datagram, per set, per sFlow sample, never per flow.

use neckar_proto::{Field, Flow};

/// What workers report of a domain, and what the views show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Datagrams.
    pub datagrams: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Data records, options records and held ones apart.
    pub records: u64,
    /// When the last datagram was received, Unix nanoseconds.
    pub last_seen_ns: u64,
    /// Data sets decoded (v9, IPFIX).
    pub data_sets: u64,
    /// Options data sets decoded.
    pub options_sets: u64,
    /// Options records.
    pub options_records: u64,
    /// Sets of templates.
    pub template_sets: u64,
    /// Sets of options templates.
    pub options_template_sets: u64,
    /// Template records, refreshes included.
    pub templates: u64,
    /// Options template records, refreshes included.
    pub options_templates: u64,
    /// sFlow flow samples of the expanded form; `records` has both forms.
    pub expanded_samples: u64,
    /// Records in sFlow flow samples, of both forms.
    pub sample_records: u64,
    /// Those of the expanded form.
    pub expanded_sample_records: u64,
    /// sFlow counter samples.
    pub counter_samples: u64,
    /// Units (v5 flows, v9 datagrams, IPFIX records, sFlow datagrams) that sequence numbers jumped
    /// over.
    pub missed: u64,
    /// Units of these that came late: `missed - recovered` were lost on the way here.
    pub recovered: u64,
    /// Gaps in the sequence.
    pub gaps: u64,
    /// Datagrams that came after a later one.
    pub reordered: u64,
    /// Sequences that started anew.
    pub resets: u64,
    /// How old flows were when they came, of some.
    pub ages: Ages,
}

impl Totals {
    /// Adds what one worker counted since it last reported.
    pub(crate) fn add(&mut self, other: &Self) {
        self.datagrams += other.datagrams;
        self.bytes += other.bytes;
        self.records += other.records;
        self.last_seen_ns = self.last_seen_ns.max(other.last_seen_ns);
        self.data_sets += other.data_sets;
        self.options_sets += other.options_sets;
        self.options_records += other.options_records;
        self.template_sets += other.template_sets;
        self.options_template_sets += other.options_template_sets;
        self.templates += other.templates;
        self.options_templates += other.options_templates;
        self.expanded_samples += other.expanded_samples;
        self.sample_records += other.sample_records;
        self.expanded_sample_records += other.expanded_sample_records;
        self.counter_samples += other.counter_samples;
        self.missed = self.missed.saturating_add(other.missed);
        self.recovered += other.recovered;
        self.gaps += other.gaps;
        self.reordered += other.reordered;
        self.resets += other.resets;
        self.ages.add(&other.ages);
    }

    /// Is a flow of this datagram to be looked at? Of each sixteenth it is, and of the first in each
    /// report.
    #[inline]
    pub(crate) fn looks_at_age(&self) -> bool {
        self.datagrams % 16 == 1
    }
}

/// A histogram of the time from the last packet of a flow to its receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// By bound: as many flows as were older than the bound before and at most as old as this one.
    counts: [u32; Self::BOUNDS_S.len() + 1],
    /// Their ages, summed up, in seconds.
    sum_s: u64,
}

impl Ages {
    /// Upper bounds in seconds, at the timeouts that routers are given; what is older comes last.
    pub const BOUNDS_S: [u32; 11] = [1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600];

    /// Looks at the last of these flows.
    #[cold]
    pub(crate) fn note(&mut self, rows: &[Flow], received_ns: u64) {
        let Some(end_ns) = rows.last().and_then(|row| row.word(Field::TimeFlowEndNs)) else {
            return;
        };
        // A router's clock may be ahead of ours.
        let age_s = received_ns.saturating_sub(end_ns) / 1_000_000_000;
        let slot = Self::BOUNDS_S.partition_point(|bound| u64::from(*bound) < age_s);
        self.counts[slot] = self.counts[slot].saturating_add(1);
        self.sum_s = self.sum_s.saturating_add(age_s);
    }

    /// Adds other observations.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(other.counts) {
            *sum = sum.saturating_add(count);
        }
        self.sum_s = self.sum_s.saturating_add(other.sum_s);
    }

    /// How many flows were looked at.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Their ages, summed up, in whole seconds.
    #[must_use]
    pub fn sum_s(&self) -> u64 {
        self.sum_s
    }

    /// The age in seconds that a share of the flows does not exceed, as if they were spread evenly
    /// between two bounds; beyond the last bound, that bound. `None` without flows.
    #[must_use]
    pub fn quantile_s(&self, share: f64) -> Option<f64> {
        let wanted = self.count() as f64 * share;
        let mut below = 0.0;
        let mut lower = 0.0;
        for (count, upper) in self.counts.iter().zip(Self::BOUNDS_S) {
            let (count, upper) = (f64::from(*count), f64::from(upper));
            if count > 0.0 && below + count >= wanted {
                return Some(lower + (upper - lower) * (wanted - below) / count);
            }
            below += count;
            lower = upper;
        }
        (self.count() > 0).then_some(lower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_ages_lie_between_their_bounds() {
        let mut ages = Ages::default();
        assert_eq!(ages.quantile_s(0.5), None);
        let received_ns = 1_700_000_000_000_000_000;
        for age_s in 0..100 {
            let mut row = Flow::default();
            row.set(Field::TimeFlowEndNs, received_ns - age_s * 1_000_000_000);
            ages.note(std::slice::from_ref(&row), received_ns);
        }
        assert_eq!((ages.count(), ages.sum_s()), (100, 99 * 50));
        let median = ages.quantile_s(0.5).expect("there are flows");
        assert!((20.0..=60.0).contains(&median) && (median - 50.0).abs() < 2.0, "{median}");
        let mut row = Flow::default();
        row.set(Field::TimeFlowEndNs, received_ns + 5_000_000_000);
        ages.note(std::slice::from_ref(&row), received_ns);
        assert_eq!(ages.sum_s(), 99 * 50, "a clock that is ahead is no age");
        row.set(Field::TimeFlowEndNs, 1);
        (0..1000).for_each(|_| ages.note(std::slice::from_ref(&row), received_ns));
        assert_eq!(ages.quantile_s(0.99), Some(3600.0));
    }

    #[test]
    fn a_flow_of_each_sixteenth_datagram_is_looked_at() {
        let mut totals = Totals::default();
        let mut row = Flow::default();
        row.set(Field::TimeFlowEndNs, 1);
        for _ in 0..33 {
            totals.datagrams += 1;
            if totals.looks_at_age() {
                totals.ages.note(std::slice::from_ref(&row), 2);
            }
        }
        assert_eq!(totals.ages.count(), 3);
    }
}
