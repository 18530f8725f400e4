//! Top talkers, flow search and `/flowdata`: asked of the traffic's books, on a thread beside.
//!
//! Whoever reads the books holds counting up, so the same question is not asked twice in
//! [`FRESH`], whoever asks it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use neckar_traffic::{Dimension, Direction, Measure, Question};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::routes::{Asked, Rooms, TEXT_FORMAT, aside, asked};
use crate::clock;
use crate::traffic::{Search, TrafficBoard};

/// How long an answer is as good as a new one.
const FRESH: Duration = Duration::from_secs(2);
/// Answers that are kept so long at most.
const KEPT_MAX: usize = 64;
/// Rows of an answer at most.
const ROWS_MAX: usize = 1000;

/// Answers of a moment ago, by their question.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<String, (Instant, Value)>>);

impl Answers {
    fn find(&self, question: &str) -> Option<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = kept.get(question)?;
        (at.elapsed() < FRESH).then(|| answer.clone())
    }

    fn keep(&self, question: String, answer: &Value) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < FRESH);
        if kept.len() < KEPT_MAX {
            kept.insert(question, (Instant::now(), answer.clone()));
        }
    }
}

fn books(rooms: &Rooms) -> Result<Arc<TrafficBoard>, Refusal> {
    let off = || Refusal::new(StatusCode::NOT_FOUND, "traffic is not counted; see traffic.enabled");
    rooms.shown.board.traffic.clone().ok_or_else(off)
}

/// The traffic in the suite's series; an empty page if it is not counted.
pub(super) async fn serve_flowdata(
    State(rooms): State<Arc<Rooms>>,
) -> Result<impl IntoResponse, Refusal> {
    let page = match &rooms.shown.board.traffic {
        None => String::new(),
        Some(books) => {
            let books = Arc::clone(books);
            aside(Arc::clone(&rooms.pages), move || books.page()).await?
        }
    };
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], page))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TalkersQuery {
    #[serde(default = "source_hosts")]
    dimension: Dimension,
    #[serde(default = "bytes")]
    measure: Measure,
    #[serde(default)]
    direction: Way,
    tenant: Option<u32>,
    #[serde(default = "five")]
    minutes: u64,
    #[serde(default = "twenty")]
    rows: usize,
}

/// A direction, or both.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Way {
    #[default]
    All,
    Incoming,
    Outgoing,
}

const fn source_hosts() -> Dimension {
    Dimension::SrcHost
}

const fn bytes() -> Measure {
    Measure::Bytes
}

const fn five() -> u64 {
    5
}

const fn twenty() -> usize {
    20
}

pub(super) async fn serve_talkers(
    State(rooms): State<Arc<Rooms>>,
    query: Asked<TalkersQuery>,
) -> Answer {
    let Query(query) = asked(query)?;
    let books = books(&rooms)?;
    if !(1..=60).contains(&query.minutes) {
        return Err(Refusal::bad("minutes are 1 to 60"));
    }
    let question = Question {
        dimension: query.dimension,
        measure: query.measure,
        direction: match query.direction {
            Way::All => None,
            Way::Incoming => Some(Direction::Incoming),
            Way::Outgoing => Some(Direction::Outgoing),
        },
        tenant: query.tenant,
        minutes: query.minutes,
        rows_max: query.rows.clamp(1, ROWS_MAX),
    };
    let key = format!("{question:?}");
    if let Some(answer) = rooms.answers.find(&key) {
        return Ok(Json(answer));
    }
    let report = aside(Arc::clone(&rooms.looks), move || books.report(&question)).await?;
    let answer = json!(report);
    rooms.answers.keep(key, &answer);
    Ok(Json(answer))
}

/// Numbers of the customers whose talkers are kept apart.
pub(super) async fn serve_tenants(State(rooms): State<Arc<Rooms>>) -> Answer {
    let books = books(&rooms)?;
    let tenants = aside(Arc::clone(&rooms.looks), move || books.tenants()).await?;
    Ok(Json(json!({"tenants": tenants})))
}

#[derive(Debug, Deserialize)]
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

pub(super) async fn serve_search(
    State(rooms): State<Arc<Rooms>>,
    query: Asked<SearchQuery>,
) -> Answer {
    let Query(SearchQuery { filter, seconds, rows }) = asked(query)?;
    let books = books(&rooms)?;
    let search = Search { filter: filter.clone(), seconds, rows_max: rows.clamp(1, ROWS_MAX) };
    let now_s = clock::unix_ns() / 1_000_000_000;
    let found = aside(Arc::clone(&rooms.searches), move || books.search(&search, now_s)).await?;
    match found {
        Ok(found) => Ok(Json(json!(found))),
        Err(error) => Err(Refusal::filter(&filter, &error)),
    }
}
