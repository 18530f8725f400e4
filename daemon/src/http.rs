//! The http thread: `/metrics`, `/healthz`, `/readyz` and the page. Reads counters; no worker ever
//! waits for it.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::sync::oneshot;

use crate::board::Board;
use crate::metrics;

/// The page, one file without external parts.
const PAGE: &str = include_str!("page.html");

/// The running http thread.
#[derive(Debug)]
pub struct Http {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Http {
    /// Binds `address` and serves `board` until [`Http::stop`].
    ///
    /// # Errors
    /// The address cannot be bound, or there is no thread left.
    pub fn start(address: SocketAddr, board: Arc<Board>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("http".into()).spawn(move || {
            runtime.block_on(async {
                let served = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        axum::serve(listener, routes(board))
                            .with_graceful_shutdown(async { drop(stopped.await) })
                            .await
                    }
                    Err(error) => Err(error),
                };
                if let Err(error) = served {
                    log::error!("http stopped serving on {address}: {error}");
                }
            });
        })?;
        Ok(Self { address, stop, thread })
    }

    /// Where it listens; the port is the kernel's choice if it was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops serving.
    pub fn stop(self) {
        // An error means that the thread has ended by itself.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

fn routes(board: Arc<Board>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/metrics", get(serve_metrics))
        .route("/flowdata", get(serve_flowdata))
        .route("/healthz", get(serve_health))
        .route("/readyz", get(serve_readiness))
        .route("/status.json", get(serve_status))
        .with_state(board)
}

async fn serve_metrics(State(board): State<Arc<Board>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&board))
}

/// The traffic in the suite's series; an empty page if it is not counted.
async fn serve_flowdata(State(board): State<Arc<Board>>) -> impl IntoResponse {
    let page = board.traffic.as_ref().map(|traffic| traffic.page()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page)
}

/// Is all well?
async fn serve_health(State(board): State<Arc<Board>>) -> Response {
    verdict("ok", "degraded", &board.troubles())
}

/// Should flows be sent here?
async fn serve_readiness(State(board): State<Arc<Board>>) -> Response {
    verdict("ready", "not ready", &board.refusals())
}

/// 200 if there is no reason against it, 503 with the reasons if there are.
fn verdict(good: &str, bad: &str, reasons: &BTreeMap<&'static str, String>) -> Response {
    if reasons.is_empty() {
        return Json(serde_json::json!({"status": good})).into_response();
    }
    let body = serde_json::json!({"status": bad, "reasons": reasons});
    (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
}

async fn serve_status(State(board): State<Arc<Board>>) -> impl IntoResponse {
    Json(board.snapshot().to_json())
}
