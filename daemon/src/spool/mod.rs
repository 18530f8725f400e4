//! A queue of batches on disk: what cannot be delivered now waits here, over restarts too.
//!
//! Batches go in at one end ([`Spool::append`]), come out at the other with a [`Ticket`]
//! ([`Spool::next`]), and are gone when the ticket is [`Spool::done`]. Any number of tickets may be
//! out.
//!
//! **On disk** it is a directory of segments (`record` has the layout), a cursor (`cursor`), and a
//! lock. A segment that is delivered is deleted whole.
//!
//! **The law**, after every call:
//! `carried_in + written = delivered + shed + damaged + spooled` ([`State`]).
//! Every record tells how many flows were written before it, so that damage costs exactly the gap
//! that it leaves. Damage within a segment is counted when the reader comes to it, since reading a
//! whole spool at a start would hold the start up; a torn tail is counted at the start.
//!
//! **After a crash** of the daemon nothing written is lost, since the kernel has it; what was
//! delivered since the cursor was last kept ([`CURSOR_INTERVAL_MS`]) comes again, at least that
//! often. A power cut may cost what the kernel had not written of the last segment: it is synced
//! once, when it is sealed, because a sync for every batch would make the disk, not Kafka, the wall,
//! and the outage that a spool is for is not a power cut. The cursor is synced before a segment is
//! deleted.
//!
//! Deliberately absent: Kafka, threads, configuration, the clock, a way to give a batch back: who
//! takes one keeps it until it is delivered. Costs one write for a batch and two reads; memory for
//! one record each way and 48 bytes a segment.

mod accounts;
mod cursor;
mod error;
mod reader;
mod record;
mod recover;
mod segment;
mod writer;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on is a failed test")]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use neckar_proto::Batch;

pub use self::accounts::State;
use self::cursor::{Cursor, Kept, Place};
pub use self::error::{AppendError, OpenError};
use self::reader::{Reader, Unreadable};
use self::record::{Count, HEADER_BYTES, Head};
use self::segment::{Active, Segment};

/// What cannot be read for so long, in milliseconds, never will be: longer than a disk takes to come
/// back from a reset, and one record's time, not one segment's.
pub const READ_PATIENCE_MS: u64 = 10_000;

/// The cursor is kept this often, in milliseconds: so much may be delivered twice after a crash.
pub const CURSOR_INTERVAL_MS: u64 = 1000;

/// What a full spool gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// The oldest segment as a whole, for what comes.
    Oldest,
    /// What comes: [`AppendError::Full`].
    Newest,
}

/// How much a spool may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all segments.
    pub bytes_max: u64,
    /// Bytes of a segment, which is what is deleted at once; at most half of `bytes_max`. A record
    /// that is larger has a segment of its own.
    pub segment_bytes: u64,
    /// What is given up when there is no room.
    pub shed: Shed,
}

impl Limits {
    fn segment_bytes_max(&self) -> u64 {
        self.segment_bytes.min(self.bytes_max / 2)
    }
}

/// What an earlier process left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Flows that wait.
    pub flows: u64,
    /// Batches that wait.
    pub batches: u64,
    /// Bytes of the segments.
    pub bytes: u64,
    /// Flows that the end of the last segment has lost, as far as anything tells their number.
    pub damaged_flows: u64,
    /// Records lost there: at least one if bytes were left over.
    pub damaged_records: u64,
    /// Segments that could not be read at all, renamed to end in `.unreadable`.
    pub segments_aside: u64,
}

/// What making room for a batch cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Flows that were waiting and were given up.
    pub shed_flows: u64,
}

/// A batch that was handed out, until it is [`Spool::done`]. One that is dropped stays out, and the
/// batch comes again after a restart.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket that is dropped keeps its segment on disk"]
pub struct Ticket {
    /// Flows written before it: no two records have the same.
    before_flows: u64,
    flows: u32,
}

impl Ticket {
    /// Flows of the batch.
    #[must_use]
    pub fn flows(&self) -> u32 {
        self.flows
    }
}

/// A record that was handed out and is not delivered. Its segment may have been shed meanwhile.
#[derive(Debug)]
struct Out {
    place: Place,
    flows: u32,
    opened_ns: u64,
}

/// The queue. Dropping it is a crash: [`Spool::close`] keeps the cursor.
#[derive(Debug)]
pub struct Spool {
    directory: PathBuf,
    limits: Limits,
    /// Holds the lock.
    _lock: File,
    cursor: Cursor,
    cursor_kept_ms: u64,
    /// By number; the last one is being written if `active` is there.
    segments: VecDeque<Segment>,
    segments_bytes: u64,
    active: Option<Active>,
    number_next: u64,
    /// All that was ever written: what the next record counts as before it.
    written: Count,
    reader: Reader,
    /// What was never handed out starts here.
    place: Place,
    /// Where reading fails, and since when.
    failing: Option<(Place, u64)>,
    /// By the flows before each.
    out: BTreeMap<u64, Out>,
    /// The record being written.
    record: Vec<u8>,
    state: State,
}

impl Spool {
    /// Puts the oldest batch that is not out into `batch`, which grows if it is too small. `None` if
    /// there is none. Damage on the way is counted and skipped; `now_ms` is Unix milliseconds.
    ///
    /// # Errors
    /// The disk does not give back what is there. It is tried again at the next call, and a record
    /// that cannot be read for [`READ_PATIENCE_MS`] is skipped and counts as damaged. A segment that
    /// cannot be opened is not: descriptors may be short, or its owner a wrong one.
    pub fn next(&mut self, batch: &mut Batch, now_ms: u64) -> io::Result<Option<Ticket>> {
        while let Some((segment, limit)) = self.unread() {
            match self.reader.next(&segment, self.place, limit, batch) {
                Ok(Some((offset, head))) => return Ok(Some(self.hand_out(offset, &head))),
                Ok(None) | Err(Unreadable::Gone) => self.pass_over(limit, segment.end),
                Err(Unreadable::Closed(error)) => return Err(self.count_error(error)),
                Err(Unreadable::Failing(error)) => {
                    let error = self.count_error(error);
                    if !self.has_failed_for_long(now_ms) {
                        return Err(error);
                    }
                    self.skip_unreadable(&segment, limit);
                    continue;
                }
            }
            // To a segment that is being written more may come.
            let is_last = self.segments.back().is_some_and(|last| last.number == segment.number);
            if is_last && self.active.is_some() {
                break;
            }
            self.place.segment = segment.number + 1;
            self.place.offset = HEADER_BYTES;
            self.retire();
        }
        Ok(None)
    }

    /// The batch is delivered.
    pub fn done(&mut self, ticket: Ticket) {
        let Some(out) = self.out.remove(&ticket.before_flows) else { return };
        self.state.delivered_flows += u64::from(out.flows);
        self.state.spooled_flows -= u64::from(out.flows);
        self.retire();
    }

    /// To be called now and then: keeps the cursor if [`CURSOR_INTERVAL_MS`] have passed, and gives
    /// the disk back once all is delivered.
    ///
    /// # Errors
    /// The cursor cannot be written. It is tried again at the next call that is due.
    pub fn tend(&mut self, now_ms: u64) -> io::Result<()> {
        if now_ms.abs_diff(self.cursor_kept_ms) < CURSOR_INTERVAL_MS {
            return Ok(());
        }
        self.cursor_kept_ms = now_ms;
        if self.state.spooled_flows == 0 && self.active.take().is_some() {
            self.place =
                Place { segment: self.number_next, offset: HEADER_BYTES, before: self.written };
            self.retire();
        }
        self.cursor.keep(self.kept(), false).inspect_err(|_| self.state.io_errors += 1)
    }

    /// Seals the last segment and keeps the cursor, both synced: after this no batch comes twice.
    ///
    /// # Errors
    /// Either cannot be written or synced; the next start then finds what a crash leaves.
    pub fn close(mut self) -> io::Result<()> {
        let sealed = self.active.take().map_or(Ok(()), |active| active.sync());
        if self.state.spooled_flows == 0 {
            self.place.segment = self.number_next;
            self.place.offset = HEADER_BYTES;
            self.place.before = self.written;
        }
        self.retire();
        let kept = self.cursor.keep(self.kept(), true);
        sealed.and(kept)
    }

    /// The counts now.
    #[must_use]
    pub fn state(&self) -> State {
        let unread = self.written.records.saturating_sub(self.place.before.records);
        let first_out = self.out.values().next().map(|out| out.opened_ns / 1_000_000);
        let unread_ms = || {
            let at = self.segments.partition_point(|segment| segment.number < self.place.segment);
            self.segments.get(at).map(|segment| segment.opened_ms.max(self.state.oldest_read_ms))
        };
        let oldest_ms = first_out.or_else(unread_ms).filter(|_| self.state.spooled_flows > 0);
        let batches = unread + self.out.len() as u64;
        let bytes = self.segments_bytes;
        let is_full = bytes + self.limits.segment_bytes_max() > self.limits.bytes_max;
        State { bytes, is_full, batches, oldest_ms, ..self.state }
    }

    /// The segment to read on in, and the counts behind it. The place is in it after this.
    fn unread(&mut self) -> Option<(Segment, Count)> {
        let at = self.segments.partition_point(|segment| segment.number < self.place.segment);
        let segment = *self.segments.get(at)?;
        if segment.number != self.place.segment {
            self.place.segment = segment.number;
            self.place.offset = HEADER_BYTES;
        }
        Some((segment, self.segments.get(at + 1).map_or(self.written, |next| next.before)))
    }

    /// Moves the place behind a record, which is out from here on.
    fn hand_out(&mut self, offset: u64, head: &Head) -> Ticket {
        self.pass_over(head.before, offset);
        let (place, flows, opened_ns) = (self.place, head.flows, head.opened_ns);
        self.place.before = head.after();
        self.place.offset = offset + head.record_bytes();
        self.out.insert(head.before.flows, Out { place, flows, opened_ns });
        self.state.oldest_read_ms = opened_ns / 1_000_000;
        Ticket { before_flows: head.before.flows, flows }
    }

    fn count_error(&mut self, error: io::Error) -> io::Error {
        self.state.io_errors += 1;
        error
    }

    fn has_failed_for_long(&mut self, now_ms: u64) -> bool {
        let here = self.failing.filter(|(place, _)| *place == self.place);
        let (_, since_ms) = *self.failing.insert(here.unwrap_or((self.place, now_ms)));
        now_ms.saturating_sub(since_ms) >= READ_PATIENCE_MS
    }

    /// Gives up the record at the place, or the rest of its segment if not even its head can be read.
    fn skip_unreadable(&mut self, segment: &Segment, limit: Count) {
        match self.reader.head(segment, self.place, limit) {
            Ok(Some((offset, head))) => {
                self.pass_over(head.after(), offset + head.record_bytes());
            }
            Ok(None) | Err(_) => self.pass_over(limit, segment.end),
        }
    }

    /// Moves the place to `offset` and its counts up to `before`: what lies between is damaged.
    fn pass_over(&mut self, before: Count, offset: u64) {
        let Count { flows, records } = before - self.place.before;
        self.state.damaged_flows += flows;
        self.state.damaged_records += records;
        self.state.spooled_flows -= flows;
        self.place.before = self.place.before.max(before);
        self.place.offset = offset;
    }

    /// What the cursor would keep now.
    fn kept(&self) -> Kept {
        let first = self.segments.front().map_or(u64::MAX, |segment| segment.number);
        self.kept_from(first, self.place)
    }

    /// The oldest record that is out and in segment `first` or behind it, or else `unread`.
    fn kept_from(&self, first: u64, unread: Place) -> Kept {
        let mut out = self.out.values().map(|out| out.place);
        let place = out.find(|place| place.segment >= first).unwrap_or(unread);
        Kept { place, written: self.written }
    }

    fn keep_cursor(&mut self, kept: Kept, synced: bool) {
        self.state.io_errors += u64::from(self.cursor.keep(kept, synced).is_err());
    }

    /// Deletes the segments before the cursor.
    fn retire(&mut self) {
        let kept = self.kept();
        let is_before = |segment: &&Segment| segment.number < kept.place.segment;
        if self.segments.front().filter(is_before).is_none() {
            return;
        }
        // First, so that a crash in between does not make a delivered segment a missing one.
        self.keep_cursor(kept, true);
        while let Some(segment) = self.segments.front().filter(is_before).copied() {
            if !self.remove(&segment) {
                // It takes its room still, and is tried again with the next.
                break;
            }
        }
    }

    /// Deletes `segment`, which is the first; answers whether it is gone.
    fn remove(&mut self, segment: &Segment) -> bool {
        self.reader.close(segment.number);
        let removed = fs::remove_file(segment::path(&self.directory, segment.number));
        self.state.io_errors += u64::from(removed.is_err());
        let is_gone =
            removed.map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true);
        if is_gone {
            self.segments.pop_front();
            self.segments_bytes -= segment.end;
        }
        is_gone
    }
}
