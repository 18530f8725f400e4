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
    show("lost", "kernel", totals.kernel_drops);
    show("lost", "missed", totals.missed);
    show("lost", "shed", totals.shed);
    show("lost", "output", snapshot.output.failed);
    for cause in Cause::ALL {
        let count = snapshot.workers.iter().map(|worker| worker.decode.dropped(*cause)).sum();
        show("lost", cause.name(), count);
    }
}
