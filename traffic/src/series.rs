//! Counters by label set: bounded, and forgotten when idle.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};
use neckar_proto::FlowView;

use crate::flowdata::LABELS;
use crate::names::{EMPTY, Name, OTHER};
use crate::on_wire;

/// The value of each label; those that a metric does not have are empty.
pub(crate) type LabelSet = [Name; LABELS];

/// Where a label set's counters are.
pub(crate) type Place = u32;

/// What a label set has counted. 64 bits, wrapping as Prometheus' counters may.
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

    #[inline]
    fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.packets = self.packets.wrapping_add(other.packets);
        self.number = self.number.wrapping_add(other.number);
        self.flows = self.flows.wrapping_add(other.flows);
        self.scaled_bytes = self.scaled_bytes.wrapping_add(other.scaled_bytes);
        self.scaled_packets = self.scaled_packets.wrapping_add(other.scaled_packets);
    }
}

/// Two cache lines: what is compared, and what is counted.
#[derive(Default)]
#[repr(align(64))]
struct Slot {
    labels: LabelSet,
    /// When it last counted, in Unix seconds; 0 if it has not.
    touched_s: u64,
    /// When it began to count.
    since_s: u64,
    counters: Counters,
}

/// The label sets of one group of metrics.
pub(crate) struct Series {
    /// All ones at its labels.
    mask: LabelSet,
    slots: Vec<Slot>,
    free: Vec<Place>,
    index: HashTable<Place>,
    hasher: DefaultHashBuilder,
    /// Of the flows at hand.
    places: Vec<Place>,
    series_max: usize,
}

/// Where everything beyond the bound is counted.
const OTHER_PLACE: Place = 0;

impl Series {
    /// Has at most `series_max` label sets of these labels, and one more for `other`.
    pub(crate) fn new(series_max: usize, labels: impl Fn(usize) -> bool) -> Self {
        let mask = std::array::from_fn(|label| if labels(label) { Name::MAX } else { EMPTY });
        let slot = Slot { labels: mask.map(|has| has & OTHER), ..Slot::default() };
        Self {
            mask,
            slots: vec![slot],
            free: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            places: Vec::new(),
            series_max,
        }
    }

    /// Bytes of memory at most, about.
    pub(crate) fn memory_bytes(series_max: usize) -> usize {
        // A list grows by doubling, and so does a hash table.
        (series_max + 1).next_power_of_two() * (size_of::<Slot>() + 4 * size_of::<Place>())
    }

    /// Counts flows, each with its label set, at `now_s`.
    pub(crate) fn add(&mut self, sets: &[LabelSet], flows: &[Counters], now_s: u64) {
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        places.extend(sets.iter().map(|set| self.place(set)));
        for (place, flow) in places.iter().zip(flows) {
            self.counters(*place, now_s).add(flow);
        }
        self.places = places;
    }

    /// The place of the label set, as far as its labels are ours; that of `other` if it is new and there
    /// is no room.
    #[inline]
    fn place(&mut self, labels: &LabelSet) -> Place {
        // What is not ours is empty.
        let labels: LabelSet = std::array::from_fn(|label| labels[label] & self.mask[label]);
        let hash = self.hasher.hash_one(labels);
        let slots = &self.slots;
        let found = self.index.find(hash, |place| slots[*place as usize].labels == labels);
        match found.copied() {
            Some(place) => place,
            None => self.make_place(labels, hash),
        }
    }

    #[cold]
    fn make_place(&mut self, labels: LabelSet, hash: u64) -> Place {
        // A set whose texts really are `other` reads like that of the rest: one series, not two of a name.
        let is_other = labels == self.slots[OTHER_PLACE as usize].labels;
        if is_other || self.index.len() >= self.series_max {
            return OTHER_PLACE;
        }
        let slot = Slot { labels, ..Slot::default() };
        let place = match self.free.pop() {
            Some(place) => {
                self.slots[place as usize] = slot;
                place
            }
            None => {
                self.slots.push(slot);
                self.slots.len() as Place - 1
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        let rehash = |place: &Place| hasher.hash_one(slots[*place as usize].labels);
        self.index.insert_unique(hash, place, rehash);
        place
    }

    /// The counters in a place, touched at `now_s`.
    #[inline]
    fn counters(&mut self, place: Place, now_s: u64) -> &mut Counters {
        let slot = &mut self.slots[place as usize];
        if slot.since_s == 0 {
            slot.since_s = now_s;
        }
        slot.touched_s = now_s;
        &mut slot.counters
    }

    /// Forgets what has not counted for `idle_s` at `now_s`.
    pub(crate) fn expire(&mut self, now_s: u64, idle_s: u64) {
        let since_s = now_s.saturating_sub(idle_s);
        let (slots, free) = (&mut self.slots, &mut self.free);
        self.index.retain(|place| {
            let slot = &mut slots[*place as usize];
            // Ahead of a clock that was set back is now, at the latest.
            slot.touched_s = slot.touched_s.min(now_s);
            let stays = slot.touched_s >= since_s;
            if !stays {
                free.push(*place);
            }
            stays
        });
    }

    /// Label sets that have counted, with what they counted and since when, by place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&LabelSet, &Counters, u64)> {
        let mut places: Vec<Place> = self.index.iter().copied().collect();
        places.push(OTHER_PLACE);
        places.sort_unstable();
        let slots = places.into_iter().map(|place| &self.slots[place as usize]);
        let counted = slots.filter(|slot| slot.touched_s > 0);
        counted.map(|slot| (&slot.labels, &slot.counters, slot.since_s))
    }

    /// How many label sets there are, `other` apart.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }
}
