//! Parts of a topic, by offset or by time, and how far behind a group is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::consumer::{ANSWER, Consumer, Record, is_passing};

/// A place in every partition of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// The first record that Kafka still has.
    Beginning,
    /// Behind the last record that there is now.
    End,
    /// The record of this offset.
    Offset(i64),
    /// So many records before the end.
    BeforeEnd(i64),
    /// The first record produced at this time or later, in Unix milliseconds.
    TimeMs(i64),
}

/// Part of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which.
    pub partition: i32,
    /// Its first record.
    pub from: i64,
    /// Behind its last record; `None` for one that does not end.
    pub until: Option<i64>,
}

impl Consumer {
    /// Where `from` and `until` are in each partition of `topic` now. What lies before the first
    /// record or behind the last one there is is moved there; without `until` spans do not end.
    ///
    /// # Errors
    /// No broker answers within 20 s, or none has the topic.
    pub fn spans(
        &self,
        topic: &str,
        from: Position,
        until: Option<Position>,
    ) -> Result<Vec<Span>, KafkaError> {
        let offsets = self.offsets(topic)?;
        let starts = self.resolve(topic, &offsets, from)?;
        let ends = until.map(|until| self.resolve(topic, &offsets, until)).transpose()?;
        let span = |(index, (partition, ..)): (usize, &(i32, i64, i64))| Span {
            partition: *partition,
            from: starts[index],
            until: ends.as_ref().map(|ends| ends[index]),
        };
        Ok(offsets.iter().enumerate().map(span).collect())
    }

    fn resolve(
        &self,
        topic: &str,
        offsets: &[(i32, i64, i64)],
        position: Position,
    ) -> Result<Vec<i64>, KafkaError> {
        let times = match position {
            Position::TimeMs(ms) => self.offsets_at(topic, offsets, ms)?,
            _ => BTreeMap::new(),
        };
        let resolved = offsets.iter().map(|&(partition, low, end)| {
            let offset = match position {
                Position::Beginning => low,
                Position::End => end,
                Position::Offset(offset) => offset,
                Position::BeforeEnd(records) => end.saturating_sub(records),
                Position::TimeMs(_) => times.get(&partition).copied().unwrap_or(end),
            };
            offset.clamp(low, end)
        });
        Ok(resolved.collect())
    }

    /// By partition the first record of that time or later; none where there is none.
    fn offsets_at(
        &self,
        topic: &str,
        offsets: &[(i32, i64, i64)],
        ms: i64,
    ) -> Result<BTreeMap<i32, i64>, KafkaError> {
        let mut asked = TopicPartitionList::new();
        for (partition, ..) in offsets {
            asked.add_partition_offset(topic, *partition, Offset::Offset(ms))?;
        }
        let found = self.client.offsets_for_times(asked, ANSWER)?;
        let found = found.elements();
        let known = found.iter().filter_map(|one| match one.offset() {
            Offset::Offset(offset) => Some((one.partition(), offset)),
            _ => None,
        });
        Ok(known.collect())
    }

    /// Reads `spans` of `topic` without joining the group or committing, until all of them are read
    /// or `visit` breaks. `idle` is asked every 100 ms or so when nothing comes. A broker that goes
    /// away meanwhile is waited for.
    ///
    /// # Errors
    /// Nothing more will come: no such topic, not allowed, or librdkafka gave up.
    pub fn read_spans(
        &self,
        topic: &str,
        spans: &[Span],
        mut visit: impl FnMut(&Record<'_>) -> ControlFlow<()>,
        mut idle: impl FnMut() -> ControlFlow<()>,
    ) -> Result<(), KafkaError> {
        let is_open = |span: &&Span| span.until.is_none_or(|until| until > span.from);
        let mut left: BTreeMap<i32, Option<i64>> =
            spans.iter().filter(is_open).map(|span| (span.partition, span.until)).collect();
        let mut list = TopicPartitionList::new();
        for span in spans.iter().filter(is_open) {
            list.add_partition_offset(topic, span.partition, Offset::Offset(span.from))?;
        }
        self.client.assign(&list)?;
        while !left.is_empty() {
            let step = match self.client.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let record = Record(message);
                    let (partition, offset) = record.place();
                    let wanted = is_wanted(left.get(&partition).copied(), offset);
                    if !wanted || left[&partition] == Some(offset + 1) {
                        left.remove(&partition);
                    }
                    if wanted { visit(&record) } else { ControlFlow::Continue(()) }
                }
                // Compaction and transactions leave gaps: the last offset of a span need not exist.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    if left.get(&partition).is_some_and(Option::is_some) {
                        left.remove(&partition);
                    }
                    ControlFlow::Continue(())
                }
                Some(Err(error)) if !is_passing(&error) => return Err(error),
                _ => idle(),
            };
            if step.is_break() {
                break;
            }
        }
        self.client.unassign()
    }

    /// How many records of each partition of `topic` the group has not done yet: end offset less
    /// the committed one, or the first where none is committed.
    ///
    /// # Errors
    /// No broker answers within 20 s, or none has the topic.
    pub fn lag(&self, topic: &str) -> Result<Vec<(i32, i64)>, KafkaError> {
        let offsets = self.offsets(topic)?;
        let mut asked = TopicPartitionList::new();
        for (partition, ..) in &offsets {
            asked.add_partition(topic, *partition);
        }
        let committed = self.client.committed_offsets(asked, ANSWER)?;
        let lag = offsets.into_iter().map(|(partition, low, end)| {
            let done = committed.find_partition(topic, partition).map(|one| one.offset());
            let done = match done {
                Some(Offset::Offset(offset)) => offset.max(low),
                _ => low,
            };
            (partition, (end - done).max(0))
        });
        Ok(lag.collect())
    }
}

/// Does the record belong to the span that is left of its partition?
fn is_wanted(left: Option<Option<i64>>, offset: i64) -> bool {
    left.is_some_and(|until| until.is_none_or(|until| offset < until))
}
