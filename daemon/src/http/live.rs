//! One look at the counters a second, for all visitors together: into the history, and as an event
//! to whoever is there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use futures_util::stream;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::history::{History, Sample};
use super::measures::{LEVELS, RATES, Row, losses};
use crate::board::{Board, Snapshot};
use crate::config::{Config, OutputKind};
use crate::{budget, clock, traffic};

const INTERVAL: Duration = Duration::from_secs(1);

/// The history, as those see it who show it.
pub(super) type SharedHistory = Arc<Mutex<History>>;

/// How much fits: what levels are measured by.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    batches_per_worker: u64,
    splitter_queue: u64,
    /// 0 if the traffic is not counted.
    traffic_queue: u64,
    spool_bytes: u64,
    output: &'static str,
    topic: String,
    splits: bool,
}

impl Bounds {
    pub(super) fn new(config: &Config, board: &Board) -> Self {
        let workers = board.workers.len();
        let per_worker = budget::batches_per_worker(config, workers);
        let traffic = traffic::queue_batches(config, workers * per_worker);
        let is_kafka = config.output.kind == OutputKind::Kafka;
        Self {
            batches_per_worker: per_worker as u64,
            traffic_queue: if board.traffic.is_some() { traffic as u64 } else { 0 },
            splitter_queue: config.split.queue(workers * per_worker) as u64,
            spool_bytes: config.spool.bytes_max,
            output: match config.output.kind {
                OutputKind::Kafka => "kafka",
                OutputKind::File => "file",
                OutputKind::Stdout => "stdout",
            },
            topic: if is_kafka { config.kafka.topic.clone() } else { String::new() },
            splits: is_kafka && config.split.is_on(),
        }
    }
}

/// Looks, once a second.
pub(super) struct Sampler {
    board: Arc<Board>,
    bounds: Bounds,
    history: SharedHistory,
    told: watch::Sender<Arc<str>>,
}

impl Sampler {
    pub(super) fn new(board: Arc<Board>, bounds: Bounds, told: watch::Sender<Arc<str>>) -> Self {
        Self { board, bounds, history: SharedHistory::default(), told }
    }

    pub(super) fn history(&self) -> SharedHistory {
        Arc::clone(&self.history)
    }

    /// On a thread beside: a counter may have to be waited for, and visitors must not wait with us.
    async fn look(&self) -> Option<(Instant, Snapshot)> {
        let board = Arc::clone(&self.board);
        let look = move || {
            let snapshot = board.snapshot();
            (Instant::now(), snapshot)
        };
        tokio::task::spawn_blocking(look).await.ok()
    }

    /// For ever; whoever listens hears its end.
    pub(super) async fn run(self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Some(mut before) = self.look().await else { return };
        loop {
            ticks.tick().await;
            let Some(now) = self.look().await else { return };
            let row = Row::read(&now.1).since(&Row::read(&before.1));
            let span_ms = now.0.duration_since(before.0).as_millis() as u64;
            let sample = Sample { end_ms: clock::unix_ns() / 1_000_000, span_ms, row };
            self.history.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
            let troubles = self.board.troubles();
            let event = event(&now.1, &before.1, &sample, &troubles, &self.bounds);
            self.told.send_replace(event.to_string().into());
            before = now;
        }
    }
}

/// What a visitor hears: the latest event at once, and then every new one. Who is slow misses some.
pub(super) fn events(
    mut live: watch::Receiver<Arc<str>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    live.mark_changed();
    Sse::new(stream::unfold(live, |mut live| async {
        live.changed().await.ok()?;
        let text = Arc::clone(&live.borrow_and_update());
        Some((Ok(Event::default().data(&*text)), live))
    }))
}

fn event(
    now: &Snapshot,
    before: &Snapshot,
    sample: &Sample,
    troubles: &BTreeMap<&'static str, String>,
    bounds: &Bounds,
) -> Value {
    let row = &sample.row;
    let totals = Row::read(now);
    let named = |values: &mut dyn Iterator<Item = (&'static str, Value)>| {
        Value::Object(values.map(|(name, value)| (name.into(), value)).collect::<Map<_, _>>())
    };
    let rates = RATES.iter().zip(row.rates);
    let counts = RATES.iter().zip(totals.rates);
    let levels = LEVELS.iter().zip(row.levels);
    let losses =
        losses().zip(totals.losses.iter().zip(row.losses)).filter(|(_, (all, _))| **all > 0);
    let losses = losses.map(|(loss, (all, new))| {
        json!({
            "cause": loss.cause, "place": loss.place, "unit": loss.unit,
            "count": all, "rate": sample.per_second(new),
        })
    });
    json!({
        "at_ms": sample.end_ms, "span_ms": sample.span_ms,
        "uptime_s": now.uptime.as_secs(), "version": env!("CARGO_PKG_VERSION"),
        "troubles": troubles,
        "rates": named(&mut rates.map(|(one, rate)| (one.name, sample.per_second(rate).into()))),
        "counts": named(&mut counts.map(|(one, count)| (one.name, count.into()))),
        "levels": named(&mut levels.map(|(one, level)| (one.name, level.into()))),
        "losses": losses.collect::<Vec<_>>(),
        "workers": workers(now, before, sample, bounds),
        "bounds": {
            "batches": bounds.batches_per_worker * now.workers.len() as u64,
            "splitter_queue": bounds.splitter_queue, "traffic_queue": bounds.traffic_queue,
            "spool_bytes": bounds.spool_bytes,
        },
        "output": output(now, bounds),
        "tables": {
            "prefixes": now.tables.prefixes, "label_sets": now.tables.label_sets,
            "interfaces": now.tables.interfaces, "swaps": now.tables.swaps,
        },
    })
}

fn workers(now: &Snapshot, before: &Snapshot, sample: &Sample, bounds: &Bounds) -> Vec<Value> {
    let pairs = now.workers.iter().zip(&before.workers);
    let one = |(now, before): (&crate::worker::WorkerCounts, &crate::worker::WorkerCounts)| {
        let new = |now: u64, before: u64| sample.per_second(now.saturating_sub(before));
        let stalled_ns = now.stage.stalled_ns.saturating_sub(before.stage.stalled_ns);
        json!({
            "flows": now.decode.flows, "datagrams": now.receive.datagrams,
            "flow_rate": new(now.decode.flows, before.decode.flows),
            "datagram_rate": new(now.receive.datagrams, before.receive.datagrams),
            "wake_rate": new(now.receive.batches, before.receive.batches),
            "kernel_drops": now.kernel_drops, "shed": now.stage.shed,
            "lent": now.stage.batches_lent, "batches": bounds.batches_per_worker,
            "backlog": now.stage.backlog, "stalls": now.stage.stalls,
            "stalled": stalled_ns as f64 / (sample.span_ms.max(1) as f64 * 1e6),
        })
    };
    pairs.map(one).collect()
}

fn output(now: &Snapshot, bounds: &Bounds) -> Value {
    let output = &now.output;
    let spool = output.spool.map(|spool| {
        json!({
            "flows": spool.state.spooled_flows, "bytes": spool.state.bytes,
            "oldest_ms": spool.state.oldest_ms,
            "carried_in": spool.state.carried_in_flows, "is_full": spool.state.is_full,
        })
    });
    let ms = |us: f64| (us / 10.0).round() / 100.0;
    json!({
        "kind": bounds.output, "topic": bounds.topic, "trouble": output.trouble,
        "submitted": output.submitted, "delivered": output.delivered,
        "failed": output.failed, "in_flight": output.in_flight,
        "queue_full": output.queue_full, "errors": output.errors,
        "latency_p50_ms": output.latency_us.map(|(p50, _)| ms(p50)),
        "latency_p99_ms": output.latency_us.map(|(_, p99)| ms(p99)),
        "spool": spool, "splits": bounds.splits, "tenants": now.splitter.tenants.len(),
    })
}
