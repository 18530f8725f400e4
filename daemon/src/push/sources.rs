//! What is pushed: the traffic's counters, and the pipeline's own totals.

use std::sync::Arc;

use neckar_decode::Cause;

use super::{Sample, Source, now_s};
use crate::board::{Board, Snapshot};
use crate::traffic::TrafficBoard;

/// The measurement of the totals.
const NECKAR: &str = "neckar";

/// Every counter of `/flowdata`; none if the traffic is not counted.
#[must_use]
pub fn traffic(board: Option<Arc<TrafficBoard>>) -> Source {
    Box::new(move |visit| each_of_traffic(board.as_deref(), visit))
}

/// The same and the totals: what was received and delivered, and what was lost by cause.
#[must_use]
pub fn everything(board: Arc<Board>) -> Source {
    let started_s = now_s();
    Box::new(move |visit| {
        each_total(&board.snapshot(), started_s, visit);
        each_of_traffic(board.traffic.as_deref(), visit);
    })
}

fn each_of_traffic(board: Option<&TrafficBoard>, visit: &mut dyn FnMut(Sample<'_>)) {
    let Some(board) = board else { return };
    board.each_sample(&mut |sample| {
        let neckar_traffic::Sample { metric, labels, value, since_s } = sample;
        visit(Sample { metric, labels, value, since_s });
    });
}

fn each_total(snapshot: &Snapshot, started_s: u64, visit: &mut dyn FnMut(Sample<'_>)) {
    let totals = snapshot.totals();
    let mut show = |counter: &str, cause: &str, value: u64| {
        let labels = [("counter", counter), ("cause", cause)];
        visit(Sample { metric: NECKAR, labels: &labels, value, since_s: started_s });
    };
    show("datagrams", "", totals.datagrams);
    show("records", "", totals.records);
    show("flows", "", totals.flows);
    show("delivered", "", snapshot.output.delivered);
    // What comes late after all was missed for a while: a counter never falls, so that is another.
    show("recovered", "", totals.recovered);
    show("lost", "kernel", totals.kernel_drops);
    show("lost", "missed", totals.missed);
    show("lost", "shed", totals.shed);
    show("lost", "output", snapshot.output.failed);
    let spool = snapshot.output.spool.unwrap_or_default().state;
    show("lost", "spool_shed", spool.shed_flows);
    show("lost", "spool_refused", spool.refused_flows);
    show("lost", "spool_damaged", spool.damaged_flows);
    for cause in Cause::ALL {
        let count = snapshot.workers.iter().map(|worker| worker.decode.dropped(*cause)).sum();
        show("lost", cause.name(), count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::OutputCounts;
    use crate::spooler::SpoolerView;
    use crate::worker::WorkerCounts;

    /// What is shown of a snapshot, by counter and cause.
    fn shown(snapshot: &Snapshot) -> Vec<(String, String, u64)> {
        let mut shown = Vec::new();
        each_total(snapshot, 1, &mut |Sample { labels, value, .. }| {
            shown.push((labels[0].1.to_owned(), labels[1].1.to_owned(), value));
        });
        shown
    }

    fn value(snapshot: &Snapshot, counter: &str, cause: &str) -> u64 {
        let shown = shown(snapshot);
        let of: Vec<u64> = shown
            .iter()
            .filter(|(own, of, _)| own == counter && of == cause)
            .map(|(.., value)| *value)
            .collect();
        assert_eq!(of.len(), 1, "{counter} {cause} is there once");
        of[0]
    }

    #[test]
    fn what_came_late_after_all_makes_no_counter_fall() {
        let at = |missed, recovered| {
            let mut worker = WorkerCounts::default();
            (worker.decode.missed, worker.decode.recovered) = (missed, recovered);
            Snapshot { workers: vec![worker], ..Snapshot::default() }
        };
        let (before, after) = (at(5, 0), at(5, 2));
        let missed = |snapshot| value(snapshot, "lost", "missed");
        let recovered = |snapshot| value(snapshot, "recovered", "");
        assert_eq!((missed(&before), recovered(&before)), (5, 0));
        assert_eq!((missed(&after), recovered(&after)), (5, 2), "of which 3 are lost");
    }

    #[test]
    fn what_the_spool_loses_is_lost() {
        let mut view = SpoolerView::default();
        let state = &mut view.state;
        (state.shed_flows, state.refused_flows, state.damaged_flows) = (1, 2, 3);
        let output = OutputCounts { spool: Some(view), ..OutputCounts::default() };
        let snapshot = Snapshot { output, ..Snapshot::default() };
        let lost = ["spool_shed", "spool_refused", "spool_damaged"]
            .map(|cause| value(&snapshot, "lost", cause));
        assert_eq!(lost, [1, 2, 3]);
    }
}
