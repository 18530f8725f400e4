//! Top talkers, flow search and `/flowdata`: asked of the traffic's books, on a thread beside.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use neckar_filter::{Filter, Options};
use serde::Deserialize;

use super::answer::{Answer, Refusal};
use super::routes::{Asked, Rooms, asked};

/// How long somebody waits for his turn.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer may take.
pub(super) const WORK: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SearchQuery {
    filter: String,
    seconds: u64,
    rows: usize,
}

impl Default for SearchQuery {
    fn default() -> Self {
        Self { filter: String::new(), seconds: 300, rows: 100 }
    }
}

fn off() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "traffic is not counted here; see [traffic]")
}

pub(super) async fn serve_flowdata(State(_rooms): State<Arc<Rooms>>) -> Result<Response, Refusal> {
    Err(off())
}

pub(super) async fn serve_talkers(State(_rooms): State<Arc<Rooms>>) -> Answer {
    Err(off())
}

pub(super) async fn serve_search(
    State(_rooms): State<Arc<Rooms>>,
    query: Asked<SearchQuery>,
) -> Answer {
    let Query(SearchQuery { filter, .. }) = asked(query)?;
    Filter::parse(&filter, &Options::default()).map_err(|error| Refusal::filter(&filter, &error))?;
    Err(off())
}
