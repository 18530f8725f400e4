//! What the page's curves are made of: a row of numbers from each snapshot.

use neckar_decode::Cause;

use crate::board::Snapshot;

/// A number of the snapshot under its name in the page's interface.
pub(super) struct Measure {
    pub(super) name: &'static str,
    value: fn(&Snapshot) -> u64,
}

/// What only grows: shown as so many a second.
pub(super) const RATES: [Measure; 12] = [
    Measure { name: "datagrams", value: |snapshot| snapshot.totals().datagrams },
    Measure {
        name: "bytes",
        value: |snapshot| snapshot.workers.iter().map(|worker| worker.receive.bytes).sum(),
    },
    Measure { name: "records", value: |snapshot| snapshot.totals().records },
    Measure { name: "flows", value: |snapshot| snapshot.totals().flows },
    Measure { name: "encoded", value: |snapshot| snapshot.totals().encoded },
    Measure {
        name: "batches",
        value: |snapshot| snapshot.workers.iter().map(|worker| worker.stage.batches).sum(),
    },
    Measure { name: "submitted", value: |snapshot| snapshot.output.submitted },
    Measure { name: "delivered", value: |snapshot| snapshot.output.delivered },
    Measure {
        name: "spooled",
        value: |snapshot| snapshot.output.spool.map_or(0, |spool| spool.state.written_flows),
    },
    Measure {
        name: "unspooled",
        value: |snapshot| snapshot.output.spool.map_or(0, |spool| spool.state.delivered_flows),
    },
    Measure { name: "copies", value: |snapshot| snapshot.splitter.total.topic.submitted },
    Measure { name: "counted", value: |snapshot| snapshot.traffic.counts.flows },
];

/// What rises and falls: shown as it is.
pub(super) const LEVELS: [Measure; 7] = [
    Measure {
        name: "batches_lent",
        value: |snapshot| snapshot.workers.iter().map(|worker| worker.stage.batches_lent).sum(),
    },
    Measure {
        name: "backlog",
        value: |snapshot| snapshot.workers.iter().map(|worker| worker.stage.backlog).sum(),
    },
    Measure { name: "in_flight", value: |snapshot| snapshot.output.in_flight },
    Measure { name: "splitter_queue", value: |snapshot| snapshot.splitter.queued },
    Measure { name: "traffic_queue", value: |snapshot| snapshot.traffic.queued as u64 },
    Measure {
        name: "spool_flows",
        value: |snapshot| snapshot.output.spool.map_or(0, |spool| spool.state.spooled_flows),
    },
    Measure {
        name: "spool_bytes",
        value: |snapshot| snapshot.output.spool.map_or(0, |spool| spool.state.bytes),
    },
];

/// A way to lose something: where, what, how much.
pub(super) struct Loss {
    /// As in the metric's name.
    pub(super) cause: &'static str,
    /// The room that counts it, as in the page's picture of the pipeline.
    pub(super) place: &'static str,
    /// What is lost: datagrams, sets, records, flows or copies.
    pub(super) unit: &'static str,
    value: fn(&Snapshot) -> u64,
}

/// Those beside the decoder's.
const LOSSES: [Loss; 11] = [
    Loss {
        cause: "missed",
        place: "network",
        unit: "units",
        value: |snapshot| snapshot.totals().lost_before(),
    },
    Loss {
        cause: "kernel_drops",
        place: "receive",
        unit: "datagrams",
        value: |snapshot| snapshot.totals().kernel_drops,
    },
    Loss { cause: "shed", place: "batch", unit: "flows", value: |snapshot| snapshot.totals().shed },
    Loss {
        cause: "output_failed",
        place: "output",
        unit: "flows",
        value: |snapshot| snapshot.output.failed,
    },
    Loss {
        cause: "spool_given_up",
        place: "spool",
        unit: "flows",
        value: |snapshot| {
            let state = snapshot.output.spool.unwrap_or_default().state;
            state.shed_flows + state.refused_flows
        },
    },
    Loss {
        cause: "spool_damaged",
        place: "spool",
        unit: "flows",
        value: |snapshot| snapshot.output.spool.map_or(0, |spool| spool.state.damaged_flows),
    },
    Loss {
        cause: "splitter_missed",
        place: "split",
        unit: "flows",
        value: |snapshot| {
            let missed: u64 =
                snapshot.workers.iter().map(|worker| worker.stage.splitter_missed).sum();
            missed + snapshot.output.spool.map_or(0, |spool| spool.splitter_missed)
        },
    },
    Loss {
        cause: "traffic_missed",
        place: "traffic",
        unit: "flows",
        value: |snapshot| snapshot.workers.iter().map(|worker| worker.stage.traffic_missed).sum(),
    },
    Loss {
        cause: "splitter_refused",
        place: "split",
        unit: "copies",
        value: |snapshot| snapshot.splitter.total.refused,
    },
    Loss {
        cause: "splitter_failed",
        place: "split",
        unit: "copies",
        value: |snapshot| snapshot.splitter.total.topic.failed,
    },
    Loss {
        cause: "splitter_unserved",
        place: "split",
        unit: "copies",
        value: |snapshot| snapshot.splitter.unserved,
    },
];

/// How many ways there are.
const LOSS_COUNT: usize = LOSSES.len() + Cause::ALL.len();

/// One row of all numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) rates: [u64; RATES.len()],
    pub(super) levels: [u64; LEVELS.len()],
    pub(super) losses: [u64; LOSS_COUNT],
}

impl Default for Row {
    fn default() -> Self {
        Self { rates: [0; RATES.len()], levels: [0; LEVELS.len()], losses: [0; LOSS_COUNT] }
    }
}

impl Row {
    /// Takes them from a snapshot.
    pub(super) fn read(snapshot: &Snapshot) -> Self {
        let mut losses = [0; LOSS_COUNT];
        let (own, decoders) = losses.split_at_mut(LOSSES.len());
        for (count, loss) in own.iter_mut().zip(&LOSSES) {
            *count = (loss.value)(snapshot);
        }
        for (count, cause) in decoders.iter_mut().zip(Cause::ALL) {
            *count = snapshot.workers.iter().map(|worker| worker.decode.dropped(*cause)).sum();
        }
        Self {
            rates: RATES.each_ref().map(|measure| (measure.value)(snapshot)),
            levels: LEVELS.each_ref().map(|measure| (measure.value)(snapshot)),
            losses,
        }
    }

    /// What came since `before`; levels as they are now.
    pub(super) fn since(&self, before: &Self) -> Self {
        let mut row = *self;
        let grown = row.rates.iter_mut().chain(&mut row.losses);
        for (now, then) in grown.zip(before.rates.iter().chain(&before.losses)) {
            // A worker's counts may be a moment older than another's.
            *now = now.saturating_sub(*then);
        }
        row
    }

    /// Joins the row that follows: what came adds up, of levels the higher stands.
    pub(super) fn join(&mut self, next: &Self) {
        for (sum, one) in self.rates.iter_mut().zip(&next.rates) {
            *sum += one;
        }
        for (sum, one) in self.losses.iter_mut().zip(&next.losses) {
            *sum += one;
        }
        for (level, one) in self.levels.iter_mut().zip(&next.levels) {
            *level = (*level).max(*one);
        }
    }
}

/// All ways to lose something, in the order of [`Row::losses`].
pub(super) fn losses() -> impl Iterator<Item = Loss> {
    let decoders = Cause::ALL.iter().map(|cause| {
        let cause = cause.name();
        // "Each cause says in its name whether it counts datagrams, sets or records."
        let unit = match cause.split('_').next() {
            Some("datagram") => "datagrams",
            Some("set") => "sets",
            _ => "records",
        };
        Loss { cause, place: "decode", unit, value: |_| 0 }
    });
    LOSSES.into_iter().chain(decoders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_differences_and_join() {
        let (mut before, mut after) = (Row::default(), Row::default());
        (before.rates[0], after.rates[0]) = (10, 25);
        (before.losses[1], after.losses[1]) = (7, 6);
        (before.levels[0], after.levels[0]) = (9, 4);
        let row = after.since(&before);
        assert_eq!((row.rates[0], row.losses[1], row.levels[0]), (15, 0, 4));
        let mut joined = row;
        joined.join(&before);
        assert_eq!((joined.rates[0], joined.losses[1], joined.levels[0]), (25, 7, 9));
    }

    #[test]
    fn every_loss_has_a_name_of_its_own() {
        let all: Vec<Loss> = losses().collect();
        let names: std::collections::BTreeSet<_> = all.iter().map(|loss| loss.cause).collect();
        assert_eq!((all.len(), names.len()), (LOSS_COUNT, LOSS_COUNT));
        let sets = all.iter().filter(|loss| loss.unit == "sets");
        assert!(sets.count() >= 8, "the decoder's units are read from its names");
    }
}
