//! What there is to see, and where.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router, middleware};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use super::access::{self, Granted, Guard};
use super::answer::{Answer, Refusal};
use super::exporters::{self, Names, Order};
use super::live::{self, SharedHistory};
use super::reading::{self, Room};
use super::shared_page::{Shared, SharedPage};
use super::traffic::Answers;
use super::{HttpCounts, Shown, assets, lookup, traffic};
use crate::config::Config;
use crate::metrics;

/// What handlers share.
pub(super) struct Rooms {
    pub(super) shown: Shown,
    names: Names,
    history: SharedHistory,
    live: watch::Receiver<Arc<str>>,
    /// One search at a time.
    pub(super) searches: Arc<Semaphore>,
    /// Looks at tables that take longer than a look at counters: one at a time, since others wait
    /// for what is looked at.
    pub(super) looks: Arc<Semaphore>,
    /// `/status.json`, `/metrics` and `/flowdata`, for machines: no visitor's questions keep them waiting.
    statuses: Arc<Semaphore>,
    metrics: Arc<SharedPage>,
    pub(super) flowdata: Arc<SharedPage>,
    /// Answers that are still good.
    pub(super) answers: Answers,
}

impl Rooms {
    pub(super) fn new(
        config: &Config,
        shown: Shown,
        history: SharedHistory,
        live: watch::Receiver<Arc<str>>,
    ) -> Self {
        Self {
            shown,
            names: Names::new(config),
            history,
            live,
            searches: Arc::new(Semaphore::new(1)),
            looks: Arc::new(Semaphore::new(1)),
            statuses: Arc::new(Semaphore::new(2)),
            metrics: SharedPage::new(Duration::ZERO),
            flowdata: SharedPage::new(FLOWDATA_LIFE),
            answers: Answers::default(),
        }
    }
}

/// Counting waits while `/flowdata` is written, so whoever asks within this time is shown the same.
const FLOWDATA_LIFE: Duration = Duration::from_secs(1);

/// Everything behind the guard.
pub(super) fn routes(rooms: Rooms, guard: Guard) -> Router {
    let api = Router::new()
        .route("/live", get(serve_live))
        .route("/history", get(serve_history))
        .route("/exporters", get(serve_exporters))
        .route("/talkers", get(traffic::serve_talkers))
        .route("/search", get(traffic::serve_search))
        .route("/tenants", get(traffic::serve_tenants))
        .route("/lookup", get(serve_lookup));
    Router::new()
        .route("/", get(assets::serve_page))
        .route("/page/{name}", get(assets::serve_part))
        .route("/metrics", get(serve_metrics))
        .route("/flowdata", get(traffic::serve_flowdata))
        .route("/healthz", get(serve_health))
        .route("/readyz", get(serve_readiness))
        .route("/status.json", get(serve_status))
        .nest("/api", api)
        .layer(middleware::from_fn_with_state(Room::default(), reading::hold))
        .layer(middleware::from_fn_with_state(Arc::clone(&guard.counts), count_busy))
        .layer(middleware::from_fn_with_state(Arc::new(guard), access::guard))
        .layer(middleware::from_fn(access::harden))
        .with_state(Arc::new(rooms))
}

/// What Prometheus reads.
pub(super) const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

async fn serve_metrics(State(rooms): State<Arc<Rooms>>) -> Result<impl IntoResponse, Refusal> {
    let board = Arc::clone(&rooms.shown.board);
    let page = Arc::clone(&rooms.metrics).get(move || metrics::render(&board)).await?;
    Ok((Extension(Shared), [(header::CONTENT_TYPE, TEXT_FORMAT)], page))
}

/// Is all well?
async fn serve_health(State(rooms): State<Arc<Rooms>>, granted: Extension<Granted>) -> Response {
    verdict("ok", "degraded", &rooms.shown.board.troubles(), *granted)
}

/// Should flows be sent here?
async fn serve_readiness(State(rooms): State<Arc<Rooms>>, granted: Extension<Granted>) -> Response {
    verdict("ready", "not ready", &rooms.shown.board.refusals(), *granted)
}

/// 200 if there is no reason against it, 503 if there are, with the reasons for who may see them.
fn verdict(
    good: &str,
    bad: &str,
    reasons: &BTreeMap<&'static str, String>,
    granted: Granted,
) -> Response {
    if reasons.is_empty() {
        return Json(json!({"status": good})).into_response();
    }
    let body = match granted {
        Granted(true) => json!({"status": bad, "reasons": reasons}),
        Granted(false) => json!({"status": bad}),
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn serve_status(State(rooms): State<Arc<Rooms>>) -> Answer {
    let board = Arc::clone(&rooms.shown.board);
    aside(Arc::clone(&rooms.statuses), move || board.snapshot().to_json()).await.map(Json)
}

async fn serve_live(State(rooms): State<Arc<Rooms>>) -> impl IntoResponse {
    live::events(rooms.live.clone())
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HistoryQuery {
    minutes: u64,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self { minutes: 60 }
    }
}

async fn serve_history(State(rooms): State<Arc<Rooms>>, query: Asked<HistoryQuery>) -> Answer {
    let Query(HistoryQuery { minutes }) = asked(query)?;
    let history = rooms.history.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Json(history.to_json(minutes)))
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExportersQuery {
    sort: Order,
    rows: usize,
}

impl Default for ExportersQuery {
    fn default() -> Self {
        Self { sort: Order::default(), rows: 200 }
    }
}

async fn serve_exporters(State(rooms): State<Arc<Rooms>>, query: Asked<ExportersQuery>) -> Answer {
    let Query(ExportersQuery { sort, rows }) = asked(query)?;
    let looks = Arc::clone(&rooms.looks);
    aside(looks, move || {
        let views = rooms.shown.board.exporters.exporters();
        exporters::table(views, &rooms.names, sort, rows)
    })
    .await
    .map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LookupQuery {
    address: String,
}

async fn serve_lookup(State(rooms): State<Arc<Rooms>>, query: Asked<LookupQuery>) -> Answer {
    let Query(LookupQuery { address }) = asked(query)?;
    let address: IpAddr = address
        .trim()
        .parse()
        .map_err(|_| Refusal::bad("not an address; write it like 192.0.2.1 or 2001:db8::1"))?;
    let looks = Arc::clone(&rooms.looks);
    aside(looks, move || {
        let Shown { tables, sources, .. } = &rooms.shown;
        lookup::look_up(&tables.load_full(), sources, address)
    })
    .await
    .map(Json)
}

/// How long a visitor waits for his turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer may take.
const WORK: Duration = Duration::from_secs(10);

/// Counts who was not answered in time.
async fn count_busy(
    State(counts): State<Arc<HttpCounts>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::GATEWAY_TIMEOUT) {
        counts.busy();
    }
    response
}

/// A query string, or what is wrong with it.
pub(super) type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

pub(super) fn asked<T>(query: Asked<T>) -> Result<Query<T>, Refusal> {
    query.map_err(|error| Refusal::bad(error.body_text()))
}

/// Runs what takes longer than a look on a thread beside, when it is its turn.
pub(super) async fn aside<T: Send + 'static>(
    turns: Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let busy = || Refusal::new(StatusCode::TOO_MANY_REQUESTS, "others are being answered; again");
    let turn = tokio::time::timeout(PATIENCE, turns.acquire_owned());
    let turn = turn.await.map_err(|_| busy())?.map_err(|_| busy())?;
    let working = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(turn);
        result
    });
    let late = || Refusal::new(StatusCode::GATEWAY_TIMEOUT, "it took too long");
    tokio::time::timeout(WORK, working)
        .await
        .map_err(|_| late())?
        .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "no answer came of it"))
}
