//! Counters by label set: bounded, and forgotten when idle.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};
use neckar_proto::FlowView;

use crate::label_set::LabelSet;
use crate::names::OTHER;
use crate::on_wire;

/// What flows have counted. 64 bits, wrapping as Prometheus' counters may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Bytes as the record has them.
    pub bytes: u64,
    /// Packets as the record has them.
    pub packets: u64,
    /// Sampling rates added up: what the suite calls the number of flows.
    pub number: u64,
    /// Flows.
    pub flows: u64,
    /// Bytes, multiplied by the sampling rate unless that was done before.
    pub scaled_bytes: u64,
    /// Packets, the same.
    pub scaled_packets: u64,
}

impl Counters {
    /// Of one flow.
    #[inline]
    pub(crate) fn of(view: &FlowView<'_>) -> Self {
        Self {
            bytes: view.bytes,
            packets: view.packets,
            number: view.sampling_rate,
            flows: 1,
            scaled_bytes: on_wire(view, view.bytes),
            scaled_packets: on_wire(view, view.packets),
        }
    }
}

/// What a label set keeps of its flows: all counters, or those that its group of metrics has.
pub(crate) trait Count: Copy + Default {
    /// Adds a flow.
    fn add(&mut self, flow: &Counters);
    /// What is not kept is 0.
    fn counters(&self) -> Counters;
}

impl Count for Counters {
    #[inline]
    fn add(&mut self, flow: &Counters) {
        self.bytes = self.bytes.wrapping_add(flow.bytes);
        self.packets = self.packets.wrapping_add(flow.packets);
        self.number = self.number.wrapping_add(flow.number);
        self.flows = self.flows.wrapping_add(flow.flows);
        self.scaled_bytes = self.scaled_bytes.wrapping_add(flow.scaled_bytes);
        self.scaled_packets = self.scaled_packets.wrapping_add(flow.scaled_packets);
    }

    fn counters(&self) -> Counters {
        *self
    }
}

/// Only the bytes: of the group that has the most label sets, whose table so is half as large.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bytes(u64);

impl Count for Bytes {
    #[inline]
    fn add(&mut self, flow: &Counters) {
        self.0 = self.0.wrapping_add(flow.bytes);
    }

    fn counters(&self) -> Counters {
        Counters { bytes: self.0, ..Counters::default() }
    }
}

/// A label set and what it has counted. Seconds since 1970 have 32 bits until 2106.
#[derive(Default)]
struct Slot<C> {
    labels: LabelSet,
    count: C,
    /// When it last counted; 0 if it has not.
    touched_s: u32,
    /// When it began to count.
    since_s: u32,
}

impl<C: Count> Slot<C> {
    #[inline]
    fn add(&mut self, flow: &Counters, now_s: u32) {
        self.count.add(flow);
        self.touched_s = now_s;
    }
}

/// The label sets of one group of metrics.
pub(crate) struct Series<C> {
    /// All ones at its labels.
    mask: LabelSet,
    table: HashTable<Slot<C>>,
    /// Where everything beyond the bound is counted.
    other: Slot<C>,
    hasher: DefaultHashBuilder,
    series_max: usize,
}

impl<C: Count> Series<C> {
    /// Has at most `series_max` label sets of the labels of `mask`, and one more for `other`.
    pub(crate) fn new(series_max: usize, mask: LabelSet) -> Self {
        Self {
            mask,
            table: HashTable::new(),
            other: Slot { labels: LabelSet::all(mask, OTHER), ..Slot::default() },
            hasher: DefaultHashBuilder::default(),
            series_max,
        }
    }

    /// Bytes of memory at most, about.
    pub(crate) fn memory_bytes(series_max: usize) -> usize {
        // A hash table is at most 7/8 full and has a power of two of places; when it grows, there is the one before.
        (series_max * 8 / 7).next_power_of_two() * 3 / 2 * (size_of::<Slot<C>>() + 1)
    }

    /// Counts flows, each with its label set, at `now_s`.
    pub(crate) fn add(&mut self, sets: &[LabelSet], flows: &[Counters], now_s: u64) {
        let now_s = now_s as u32;
        for (set, flow) in sets.iter().zip(flows) {
            let labels = set.of(self.mask);
            let hash = self.hasher.hash_one(labels);
            match self.table.find_mut(hash, |slot| slot.labels == labels) {
                Some(slot) => slot.add(flow, now_s),
                None => self.slot(labels, hash, now_s).add(flow, now_s),
            }
        }
    }

    /// A place for a label set that has none; that of `other` if there is no room.
    fn slot(&mut self, labels: LabelSet, hash: u64, now_s: u32) -> &mut Slot<C> {
        // A set whose texts really are `other` reads like that of the rest: one series, not two of a name.
        let slot = if labels == self.other.labels || self.table.len() >= self.series_max {
            &mut self.other
        } else {
            let hasher = &self.hasher;
            let slot = Slot { labels, ..Slot::default() };
            self.table.insert_unique(hash, slot, |slot| hasher.hash_one(slot.labels)).into_mut()
        };
        if slot.since_s == 0 {
            slot.since_s = now_s;
        }
        slot
    }

    /// Forgets what has not counted for `idle_s` at `now_s`.
    pub(crate) fn expire(&mut self, now_s: u64, idle_s: u64) {
        let since_s = now_s.saturating_sub(idle_s) as u32;
        self.table.retain(|slot| {
            // Ahead of a clock that was set back is now, at the latest.
            slot.touched_s = slot.touched_s.min(now_s as u32);
            slot.touched_s >= since_s
        });
    }

    /// Label sets that have counted, with what they counted and since when, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LabelSet, Counters, u64)> {
        let other = Some(&self.other).filter(|other| other.touched_s > 0);
        let slots = self.table.iter().chain(other);
        let mut slots: Vec<(LabelSet, &Slot<C>)> = slots.map(|slot| (slot.labels, slot)).collect();
        slots.sort_unstable_by_key(|(labels, _)| *labels);
        slots.into_iter().map(|(set, slot)| (set, slot.count.counters(), slot.since_s.into()))
    }

    /// How many label sets there are, `other` apart.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }
}
