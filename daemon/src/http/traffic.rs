//! Top talkers, flow search and `/flowdata`: asked of the traffic's books, on a thread beside.
//!
//! Whoever reads the books holds counting up, so the same question is not asked twice in
//! [`FRESH`], whoever asks it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use neckar_traffic::{Dimension, Direction, Measure, Question};
use serde::Deserialize;
use serde_json::json;

use super::answer::{Answer, Refusal};
use super::meaning::meaning;
use super::routes::{Asked, Rooms, TEXT_FORMAT, aside, asked};
use super::shared_page::Shared;
use crate::clock;
use crate::traffic::{Search, TrafficBoard};

/// How long an answer is as good as a new one.
const FRESH: Duration = Duration::from_secs(2);
/// Answers that are kept so long at most.
const KEPT_MAX: usize = 64;
/// Their bytes at most.
pub const KEPT_BYTES_MAX: usize = 4 << 20;
/// Rows of an answer at most.
const ROWS_MAX: usize = 1000;

/// Answers of a moment ago, as they were written, by their question.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<String, (Instant, Bytes)>>);

impl Answers {
    /// Those that are still good.
    fn fresh(&self) -> MutexGuard<'_, HashMap<String, (Instant, Bytes)>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < FRESH);
        kept
    }

    fn find(&self, question: &str) -> Option<Bytes> {
        self.fresh().get(question).map(|(_, answer)| answer.clone())
    }

    fn keep(&self, question: String, answer: &Bytes) {
        let mut kept = self.fresh();
        let bytes: usize = kept.values().map(|(_, answer)| answer.len()).sum();
        if kept.len() < KEPT_MAX && bytes + answer.len() <= KEPT_BYTES_MAX {
            kept.insert(question, (Instant::now(), answer.clone()));
        }
    }

    /// The answer, made by `make` if there is none. When it is one's turn: somebody who waited for the same may
    /// have had his.
    fn find_or_make(&self, question: String, make: impl FnOnce() -> Vec<u8>) -> Bytes {
        self.find(&question).unwrap_or_else(|| {
            let answer = Bytes::from(make());
            self.keep(question, &answer);
            answer
        })
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
        None => Bytes::new(),
        Some(books) => {
            let books = Arc::clone(books);
            Arc::clone(&rooms.flowdata).get(move || books.page()).await?
        }
    };
    Ok((Extension(Shared), [(header::CONTENT_TYPE, TEXT_FORMAT)], page))
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
) -> Result<Response, Refusal> {
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
    let answer = match rooms.answers.find(&key) {
        Some(answer) => answer,
        None => {
            // Numbers and texts: there is nothing that could not be written.
            let make = move || serde_json::to_vec(&books.report(&question)).unwrap_or_default();
            let looks = Arc::clone(&rooms.looks);
            aside(looks, move || rooms.answers.find_or_make(key, make)).await?
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], answer).into_response())
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
        Ok(found) => {
            let meanings: Vec<String> = found.flows.iter().map(meaning).collect();
            let mut answer = json!(found);
            answer["meanings"] = json!(meanings);
            Ok(Json(answer))
        }
        Err(error) => Err(Refusal::filter(&filter, &error)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// All of them looked before any had an answer, and wait for their turn.
    #[tokio::test]
    async fn who_asks_the_same_at_once_is_told_the_same() {
        let (answers, made) = (Arc::new(Answers::default()), Arc::new(AtomicUsize::new(0)));
        let looks = Arc::new(Semaphore::new(1));
        let ask = |_| {
            let (answers, made) = (Arc::clone(&answers), Arc::clone(&made));
            let make = move || made.fetch_add(1, Ordering::Relaxed).to_string().into_bytes();
            let find = move || answers.find_or_make("who?".into(), make);
            tokio::spawn(aside(Arc::clone(&looks), find))
        };
        for asked in (0..10).map(ask).collect::<Vec<_>>() {
            assert_eq!(asked.await.unwrap().unwrap(), "0");
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_goes_when_it_is_stale() {
        let answers = Answers::default();
        let large = Bytes::from(vec![0; KEPT_BYTES_MAX / 2]);
        for question in ["one", "two", "three"] {
            answers.keep(question.into(), &large);
        }
        let found = ["one", "two", "three"].map(|one| answers.find(one).is_some());
        assert_eq!(found, [true, true, false]);
        let past = Instant::now().checked_sub(FRESH).unwrap();
        answers.0.lock().unwrap().values_mut().for_each(|(at, _)| *at = past);
        assert!(answers.find("four").is_none());
        assert_eq!(answers.0.lock().unwrap().len(), 0);
    }
}
