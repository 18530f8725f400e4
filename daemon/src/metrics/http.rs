//! What visitors of the page and of this very list came to.

use super::View;
use super::page::Kind::{Counter, Gauge};
use super::page::{Metric, Page};
use crate::board::Snapshot;

const HTTP: &[Metric<Snapshot>] = &[
    Metric {
        name: "neckar_http_connections",
        kind: Gauge,
        help: "Connections to `http.address` now.",
        value: |snapshot| snapshot.http.connections,
    },
    Metric {
        name: "neckar_http_connections_refused_total",
        kind: Counter,
        help: "Connections closed at once: `http.connections_max` are there, or half of them from the same address (IPv6: the same /64).",
        value: |snapshot| snapshot.http.refused,
    },
    Metric {
        name: "neckar_http_denied_total",
        kind: Counter,
        help: "Requests turned away: without token or password, by a name not in `http.hosts`, or for another site.",
        value: |snapshot| snapshot.http.denied,
    },
    Metric {
        name: "neckar_http_busy_total",
        kind: Counter,
        help: "Requests that waited in vain for their turn, or for an answer.",
        value: |snapshot| snapshot.http.busy,
    },
];

pub(super) fn write(page: &mut Page, view: &View<'_>) {
    page.table(HTTP, &[], &[([], &view.snapshot)]);
}
