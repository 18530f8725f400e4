//! What the running pipeline shows of itself: read by `/metrics`, `/healthz`, the page, the demo
//! and the last log line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use neckar_decode::Shared;
use serde_json::{Value, json};

use crate::http::{HttpCounts, HttpView};
use crate::metrics;
use crate::output::{Output, OutputCounts};
use crate::push::{PushCounts, PushView};
use crate::reverse_names::{ReverseCounts, ReverseView};
use crate::snmp::{SnmpCounts, SnmpView};
use crate::splitter::{SplitterCounts, SplitterView};
use crate::spooler::SpoolerView;
use crate::tables::{TableCounts, TablesView};
use crate::traffic::{TrafficBoard, TrafficView};
use crate::worker::{Published, WorkerCounts};

/// Handles to everything that counts.
pub struct Board {
    /// One per worker.
    pub workers: Vec<Arc<Published>>,
    /// Exporters, their templates and sampling rates: what all workers know together.
    pub exporters: Arc<Shared>,
    /// What of the configuration shows in metrics.
    pub metrics: metrics::Settings,
    /// Where flows go.
    pub output: Arc<Output>,
    /// The splitter's counters.
    pub splitter: Arc<SplitterCounts>,
    /// What visitors came to.
    pub http: Arc<HttpCounts>,
    /// What is counted of the traffic, if it is.
    pub traffic: Option<Arc<TrafficBoard>>,
    /// The labels' tables.
    pub tables: Arc<TableCounts>,
    /// What asking for interface names came to.
    pub snmp: Arc<SnmpCounts>,
    /// What asking for hosts' names came to.
    pub names: Arc<ReverseCounts>,
    /// What pushing to InfluxDB came to.
    pub influx: Arc<PushCounts>,
    /// What remote write came to.
    pub remote_write: Arc<PushCounts>,
    /// Set when the pipeline begins to stop.
    pub stopping: Arc<AtomicBool>,
    /// When it started.
    pub started: Instant,
}

/// All counts at one moment. Each worker's are consistent in themselves.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Per worker.
    pub workers: Vec<WorkerCounts>,
    /// Of the output.
    pub output: OutputCounts,
    /// Of the splitter.
    pub splitter: SplitterView,
    /// Of visitors.
    pub http: HttpView,
    /// Of counting the traffic; nothing if that is not done.
    pub traffic: TrafficView,
    /// Of the labels' tables.
    pub tables: TablesView,
    /// Of asking for interface names.
    pub snmp: SnmpView,
    /// Of asking for hosts' names.
    pub names: ReverseView,
    /// Of pushing to InfluxDB.
    pub influx: PushView,
    /// Of remote write.
    pub remote_write: PushView,
    /// Since the start.
    pub uptime: Duration,
}

/// Sums over the workers, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Datagrams received.
    pub datagrams: u64,
    /// Datagrams that the kernel dropped.
    pub kernel_drops: u64,
    /// Records and reverse flows seen.
    pub records: u64,
    /// Flows decoded.
    pub flows: u64,
    /// Records, sets and datagrams that did not become flows.
    pub dropped: u64,
    /// Flows encoded.
    pub encoded: u64,
    /// Flows shed for want of a free batch.
    pub shed: u64,
    /// Jumped over by sequence numbers.
    pub missed: u64,
    /// Missed for a while, and came late after all.
    pub recovered: u64,
}

impl Totals {
    /// Lost before they reached us. Only over all workers: who gets a late one may not be who missed it.
    #[must_use]
    pub fn lost_before(&self) -> u64 {
        self.missed.saturating_sub(self.recovered)
    }
}

impl Board {
    /// Reads every counter once.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            workers: self.workers.iter().map(|worker| worker.read()).collect(),
            output: self.output.counts(),
            splitter: self.splitter.view(),
            http: self.http.view(),
            traffic: self.traffic.as_ref().map(|traffic| traffic.view()).unwrap_or_default(),
            tables: self.tables.view(),
            snmp: self.snmp.view(),
            names: self.names.view(),
            influx: self.influx.view(),
            remote_write: self.remote_write.view(),
            uptime: self.started.elapsed(),
        }
    }

    /// Why the daemon is not well, by room; empty if it is.
    #[must_use]
    pub fn troubles(&self) -> BTreeMap<&'static str, String> {
        let output = self.output.counts().trouble.map(|trouble| ("output", trouble));
        let TablesView { trouble, refused, .. } = self.tables.view();
        let tables = trouble.map(|trouble| ("tables", trouble));
        let refused = refused.map(|why| ("configuration", why));
        let influx = self.influx.view().trouble.map(|trouble| ("influx", trouble));
        let write = self.remote_write.view().trouble.map(|trouble| ("remote_write", trouble));
        let labels = tables.into_iter().chain(refused);
        let pushes = influx.into_iter().chain(write);
        output.into_iter().chain(labels).chain(pushes).chain(self.stopping()).collect()
    }

    /// Why no flows should be sent here now, by room; empty if they may be. An output in trouble is
    /// no reason while the spool has room, nor is a broken table or configuration: the old one stays in
    /// force.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<&'static str, String> {
        let output = self.output.counts();
        let has_room = |spool: SpoolerView| !(spool.state.is_full || spool.state.is_refusing);
        let has_room = output.spool.is_some_and(has_room);
        let trouble = output.trouble.filter(|_| !has_room).map(|trouble| ("output", trouble));
        trouble.into_iter().chain(self.stopping()).collect()
    }

    fn stopping(&self) -> Option<(&'static str, String)> {
        self.stopping.load(Ordering::Relaxed).then(|| ("daemon", "stopping".into()))
    }
}

impl Snapshot {
    /// Sums over the workers.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for WorkerCounts { receive, kernel_drops, decode, stage, .. } in &self.workers {
            totals.datagrams += receive.datagrams;
            totals.kernel_drops += kernel_drops;
            totals.records += decode.records + decode.reverse_flows;
            totals.flows += decode.flows;
            totals.dropped += decode.dropped.iter().sum::<u64>();
            totals.encoded += stage.encoded;
            totals.shed += stage.shed;
            totals.missed += decode.missed;
            totals.recovered += decode.recovered;
        }
        totals
    }

    /// For the page.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let totals = self.totals();
        let mut dropped = BTreeMap::new();
        for cause in neckar_decode::Cause::ALL {
            let count: u64 = self.workers.iter().map(|one| one.decode.dropped(*cause)).sum();
            if count > 0 {
                dropped.insert(cause.name(), count);
            }
        }
        json!({
            "uptime_s": self.uptime.as_secs(),
            "datagrams": totals.datagrams, "kernel_drops": totals.kernel_drops,
            "records": totals.records, "flows": totals.flows, "dropped": dropped,
            "encoded": totals.encoded, "shed": totals.shed, "missed": totals.lost_before(),
            "output": {
                "submitted": self.output.submitted, "delivered": self.output.delivered,
                "failed": self.output.failed, "in_flight": self.output.in_flight,
                "trouble": self.output.trouble,
                "latency_p50_ms": self.output.latency_us.map(|(p50, _)| p50 / 1000.0),
                "latency_p99_ms": self.output.latency_us.map(|(_, p99)| p99 / 1000.0),
            },
            "workers": self.workers.iter().map(|worker| worker.decode.flows).collect::<Vec<_>>(),
        })
    }
}
