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
    ) -> Result<Found, ParseError> {
        self.run_for(PATIENCE, seconds, since_s)
    }

    fn run_for(
        &self,
        patience: Duration,
        seconds: impl FnOnce() -> Vec<Arc<Second>>,
        since_s: u64,
    ) -> Result<Found, ParseError> {
        let filter = Filter::parse(&self.filter, &Options::MESSAGE)?;
        let mut found = Found { from_s: since_s, ..Found::default() };
        let mut reading = Reading {
            filter,
            rows: Rows::default(),
            rows_max: self.rows_max,
            ends: Instant::now() + patience,
        };
        for second in seconds() {
            found.from_s = second.at_s;
            found.seen += second.seen;
            found.kept += second.kept;
            reading.read(&second, &mut found);
            if found.is_cut {
                break;
            }
        }
        Ok(found)
    }
}

struct Reading {
    filter: Filter,
    rows: Rows,
    rows_max: usize,
    ends: Instant,
}

impl Reading {
    /// Reads a second, or as much of it as there is time for.
    fn read(&mut self, second: &Second, found: &mut Found) {
        let messages: Vec<&[u8]> = second.messages().collect();
        for chunk in messages.rchunks(CHUNK) {
            if Instant::now() >= self.ends {
                found.is_cut = true;
                return;
            }
            self.read_chunk(chunk, found);
        }
    }

    fn read_chunk(&mut self, chunk: &[&[u8]], found: &mut Found) {
        let mut reader = FlowReader::new(Some(Framing::Bare));
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is what a test is for")]
mod tests {
    use neckar_proto::encode::BWNETFLOW;
    use neckar_proto::{Batch, Field};
    use neckar_traffic::{Config, Traffic};

    use super::*;

    /// A second of very many flows takes no more time than others: what is left of it is left.
    #[test]
    fn time_runs_out_within_a_second_too() {
        let mut batch = Batch::with_capacity(5000, 1 << 20);
        let mut rows = Rows::default();
        rows.push().set(Field::Proto, 6);
        while batch.push(&BWNETFLOW, &rows.as_slice()[0], rows.texts(), &[]) {}
        let mut traffic = Traffic::new(&Config::default(), 1000);
        traffic.count(&batch, 1000);
        let seconds = || traffic.recent().since(0);
        let search = Search { filter: String::new(), seconds: 60, rows_max: 10 };
        let found = search.run_for(Duration::from_secs(60), seconds, 0).unwrap();
        assert_eq!((found.searched, found.is_cut, found.flows.len()), (found.kept, false, 10));
        assert!(found.kept > 1000, "{} flows", found.kept);
        let mut found = Found::default();
        let filter = Filter::parse("", &Options::MESSAGE).unwrap();
        let mut reading =
            Reading { filter, rows: Rows::default(), rows_max: 10, ends: Instant::now() };
        reading.read(&seconds()[0], &mut found);
        assert_eq!((found.searched, found.is_cut), (0, true));
    }
}
