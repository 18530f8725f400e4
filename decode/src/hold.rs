//! Data sets whose template has not come yet.
//!
//! Bounded in bytes per exporter and per worker, and in time. What falls out is counted once, by
//! the caller.

use std::collections::VecDeque;

use crate::message::Message;

/// Bytes kept free before a held set, so that the eight bytes before any of its fields can be read.
pub(crate) const LEAD_BYTES: usize = 8;
/// What a held set takes beside its bytes, about.
const OVERHEAD_BYTES: usize = size_of::<HeldSet>();

/// A data set that waits: "bounded in bytes per exporter and in time, and decoded when the template
/// comes, in order."
#[derive(Debug)]
pub(crate) struct HeldSet {
    pub(crate) message: Message,
    /// Index of its domain in the worker's table.
    pub(crate) domain: u32,
    pub(crate) template: u16,
    /// [`LEAD_BYTES`], then the records.
    pub(crate) bytes: Box<[u8]>,
}

impl HeldSet {
    fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD_BYTES
    }
}

/// The sets that one exporter has waiting, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    sets: VecDeque<HeldSet>,
    bytes: usize,
}

/// The bounds, and what all exporters of the worker hold together.
#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) exporter_bytes: usize,
    pub(crate) total_bytes: usize,
    pub(crate) used: usize,
}

impl Hold {
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Takes `records` of a set in, or gives it up if there is no room: what another exporter holds
    /// is not touched. Older sets of the same exporter make way and are told to `fell_out`.
    pub(crate) fn push(
        &mut self,
        message: &Message,
        domain: u32,
        template: u16,
        records: &[u8],
        budget: &mut Budget,
        mut fell_out: impl FnMut(&HeldSet),
    ) -> bool {
        let cost = LEAD_BYTES + records.len() + OVERHEAD_BYTES;
        if cost > budget.exporter_bytes {
            return false;
        }
        while self.bytes + cost > budget.exporter_bytes {
            let Some(oldest) = self.sets.pop_front() else { break };
            self.release(&oldest, budget);
            fell_out(&oldest);
        }
        if budget.used + cost > budget.total_bytes {
            return false;
        }
        let mut bytes = Vec::with_capacity(LEAD_BYTES + records.len());
        bytes.resize(LEAD_BYTES, 0);
        bytes.extend_from_slice(records);
        self.bytes += cost;
        budget.used += cost;
        self.sets.push_back(HeldSet { message: *message, domain, template, bytes: bytes.into() });
        true
    }

    /// Takes all sets out that `ready` accepts, in order.
    pub(crate) fn take(
        &mut self,
        budget: &mut Budget,
        mut ready: impl FnMut(&HeldSet) -> bool,
    ) -> Vec<HeldSet> {
        if !self.sets.iter().any(&mut ready) {
            return Vec::new();
        }
        let (taken, kept) = self.sets.drain(..).partition::<Vec<_>, _>(ready);
        self.sets = kept.into();
        for set in &taken {
            self.release(set, budget);
        }
        taken
    }

    /// The oldest set, if it was received before `before_ns`.
    pub(crate) fn expired(&mut self, budget: &mut Budget, before_ns: u64) -> Option<HeldSet> {
        self.sets.front().filter(|set| set.message.received_ns < before_ns)?;
        let set = self.sets.pop_front()?;
        self.release(&set, budget);
        Some(set)
    }

    /// The domains of the waiting sets, as often as they have one.
    pub(crate) fn domains(&self) -> impl Iterator<Item = u32> {
        self.sets.iter().map(|set| set.domain)
    }

    fn release(&mut self, set: &HeldSet, budget: &mut Budget) {
        self.bytes -= set.cost();
        budget.used -= set.cost();
    }
}
