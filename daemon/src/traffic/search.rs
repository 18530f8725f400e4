//! Searching the flows of the last minutes, in the filter language.

use std::sync::Arc;
use std::time::{Duration, Instant};

use neckar_filter::{Filter, Options, ParseError};
use neckar_kafka::{FlowReader, Framing};
use neckar_proto::{Rows, json};
use neckar_traffic::Second;
use serde::Serialize;
use serde_json::Value;

/// Processor time that a search may take; then it tells how far it came.
const PATIENCE: Duration = Duration::from_secs(2);
/// Flows decoded at a time.
const CHUNK: usize = 64;

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Search {
    /// In the filter language; empty for all flows.
    pub filter: String,
    /// How far back.
    pub seconds: u64,
    /// Flows to show at most, the newest.
    pub rows_max: usize,
}

/// Why nothing was searched.
#[derive(Debug)]
pub enum SearchError {
    /// The filter's text is wrong.
    Filter(ParseError),
    /// Another search is running.
    Busy,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// The newest that match, as `flow.proto`'s JSON, the newest first.
    pub flows: Vec<Value>,
    /// Flows that match among those searched.
    pub matched: u64,
    /// Flows searched.
    pub searched: u64,
    /// Flows that were received in the time searched, of which `kept` were kept for searching.
    pub seen: u64,
    /// See `seen`.
    pub kept: u64,
    /// How far back the search came, Unix seconds.
    pub from_s: u64,
    /// It ran out of time: older flows were not looked at.
    pub is_cut: bool,
}

impl Search {
    /// Looks through `seconds`, the newest first.
    pub(super) fn run(
        &self,
        seconds: impl FnOnce() -> Vec<Arc<Second>>,
        since_s: u64,
    ) -> Result<Found, SearchError> {
        let filter = Filter::parse(&self.filter, &Options::MESSAGE).map_err(SearchError::Filter)?;
        let mut found = Found { from_s: since_s, ..Found::default() };
        let mut reading = Reading { filter, rows: Rows::default(), rows_max: self.rows_max };
        let started = Instant::now();
        for second in seconds() {
            if started.elapsed() > PATIENCE {
                found.is_cut = true;
                break;
            }
            found.from_s = second.at_s;
            found.seen += second.seen;
            found.kept += second.kept;
            reading.read(&second, &mut found);
        }
        Ok(found)
    }
}

struct Reading {
    filter: Filter,
    rows: Rows,
    rows_max: usize,
}

impl Reading {
    fn read(&mut self, second: &Second, found: &mut Found) {
        let mut reader = FlowReader::new(Some(Framing::Bare));
        let messages: Vec<&[u8]> = second.messages().collect();
        for chunk in messages.rchunks(CHUNK) {
            self.rows.clear();
            for message in chunk.iter().rev() {
                // What a worker has encoded can be read.
                let _ = reader.read(message, &mut self.rows);
            }
            for flow in self.rows.as_slice() {
                found.searched += 1;
                if !self.filter.matches(flow, &self.rows) {
                    continue;
                }
                found.matched += 1;
                if found.flows.len() < self.rows_max {
                    let mut line = Vec::new();
                    json::write(&mut line, &self.rows, flow);
                    found.flows.extend(serde_json::from_slice::<Value>(&line));
                }
            }
        }
    }
}
