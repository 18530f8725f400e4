//! Opening a spool: what an earlier process left, whole, cut or damaged.
//!
//! Reads every segment's header and the last segment in full; a spool of any size opens in the time
//! of one segment.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use super::cursor::{Cursor, Kept, Place};
use super::reader::Reader;
use super::record::{Count, HEADER_BYTES, Unread};
use super::segment::{self, FoundSegment, Segment};
use super::{Found, Limits, OpenError, Spool, State};

const LOCK: &str = "lock";
const CURSOR: &str = "cursor";

/// What the end of the last segment tells.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    /// What is written and intact, or delivered.
    written: Count,
    damaged: Count,
}

impl Spool {
    /// Opens the spool in `directory`, which must be there, and takes what an earlier process left.
    ///
    /// # Errors
    /// The directory is locked by another process, cannot be used, or holds segments of a later
    /// version. Damage is no error.
    pub fn open(directory: &Path, limits: Limits) -> Result<(Self, Found), OpenError> {
        let io = |error| OpenError::Io(directory.to_path_buf(), error);
        let lock = lock(directory)?;
        let cursor = Cursor::open(&directory.join(CURSOR)).map_err(io)?;
        let mut reader = Reader::new(directory);
        let found = segment::list(directory).map_err(io)?;
        let segments = known(directory, &mut reader, found, cursor.kept())?;
        let mut spool = Self {
            directory: directory.to_path_buf(),
            limits,
            _lock: lock,
            cursor,
            cursor_kept_ms: 0,
            segments_bytes: 0,
            segments,
            active: None,
            number_next: 0,
            written: Count::default(),
            reader,
            place: Place::default(),
            out: BTreeMap::new(),
            record: Vec::new(),
            state: State::default(),
        };
        let found = spool.take_up().map_err(io)?;
        Ok((spool, found))
    }

    /// Finds where to read on and what is there.
    fn take_up(&mut self) -> io::Result<Found> {
        let kept = self.cursor.kept().unwrap_or_default();
        self.place = self.first_place(kept);
        let tail = self.tail(kept)?;
        let last = self.segments.back().map_or(0, |segment| segment.number);
        self.number_next = last.max(kept.place.segment) + 1;
        self.written = tail.written;
        self.segments_bytes = self.segments.iter().map(|segment| segment.end).sum();
        if self.segments.is_empty() {
            let (segment, before) = (self.number_next, self.written);
            self.place = Place { segment, offset: HEADER_BYTES, before };
        }
        let flows = tail.written.flows.saturating_sub(self.place.before.flows);
        self.state.carried_in_flows = flows + tail.damaged.flows;
        self.state.damaged_flows = tail.damaged.flows;
        self.state.damaged_records = tail.damaged.records;
        self.state.spooled_flows = flows;
        // At once, so that no damage counts again at the next start.
        self.cursor.keep(self.kept(), true)?;
        Ok(Found {
            flows,
            batches: self.state().batches,
            bytes: self.segments_bytes,
            damaged_flows: tail.damaged.flows,
            damaged_records: tail.damaged.records,
        })
    }

    /// The cursor's place, or the first record there is. What is missing between the two counts as
    /// damaged when the reader gets there.
    fn first_place(&self, kept: Kept) -> Place {
        let Some(first) = self.segments.front() else { return kept.place };
        if self.cursor.kept().is_none() {
            return Place { segment: first.number, offset: HEADER_BYTES, before: first.before };
        }
        if first.number == kept.place.segment {
            return kept.place;
        }
        Place { segment: first.number, offset: HEADER_BYTES, before: kept.place.before }
    }

    /// Cuts off what is torn at the end of the last segment.
    fn tail(&mut self, kept: Kept) -> io::Result<Tail> {
        let Some(segment) = self.segments.back().copied() else {
            let written = kept.place.before;
            let flows = kept.written.flows.saturating_sub(written.flows);
            let records = kept.written.records.saturating_sub(written.records);
            return Ok(Tail { written, damaged: Count { flows, records } });
        };
        let start = Place { segment: segment.number, offset: HEADER_BYTES, before: segment.before };
        let (intact, told) = self.reader.walk(&segment, start)?;
        let written = Count {
            flows: intact.before.flows.max(self.place.before.flows),
            records: intact.before.records.max(self.place.before.records),
        };
        let told = Count {
            flows: told.flows.max(kept.written.flows),
            records: told.records.max(kept.written.records),
        };
        let is_torn = segment.end > intact.offset;
        if is_torn {
            let path = segment::path(&self.directory, segment.number);
            File::options().write(true).open(path)?.set_len(intact.offset)?;
            if let Some(segment) = self.segments.back_mut() {
                segment.end = intact.offset;
            }
        }
        let records = told.records.saturating_sub(written.records);
        let damaged = Count {
            flows: told.flows.saturating_sub(written.flows),
            records: records.max(u64::from(is_torn)),
        };
        Ok(Tail { written, damaged })
    }
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let io = |error| OpenError::Io(directory.to_path_buf(), error);
    let path = directory.join(LOCK);
    let lock = File::options().write(true).create(true).truncate(false).open(path).map_err(io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(directory.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// The segments from the cursor on, with what is before each, which a damaged header has its own
/// records or the next segment tell. Those before the cursor are delivered and deleted.
fn known(
    directory: &Path,
    reader: &mut Reader,
    found: Vec<FoundSegment>,
    kept: Option<Kept>,
) -> Result<VecDeque<Segment>, OpenError> {
    let io = |error| OpenError::Io(directory.to_path_buf(), error);
    let kept = kept.unwrap_or_default();
    let mut segments: VecDeque<Segment> = VecDeque::new();
    for FoundSegment { number, end, header } in found {
        let path = segment::path(directory, number);
        if let Err(Unread::Version(version)) = header {
            return Err(OpenError::Version(path, version));
        }
        if number < kept.place.segment {
            fs::remove_file(path).map_err(io)?;
            continue;
        }
        let before = segments.back().map_or(Count::default(), |last| last.before);
        let mut segment = Segment { number, end, before, opened_ms: 0 };
        match header {
            Ok(header) => {
                segment.before = header.before;
                segment.opened_ms = header.opened_ms;
            }
            Err(_) => match reader.before(&segment).map_err(io)? {
                Some(told) => segment.before = told.max(before),
                // Nothing in it can be read; the counts of what follows tell what it held.
                None => {
                    reader.close(number);
                    fs::remove_file(path).map_err(io)?;
                    continue;
                }
            },
        }
        segments.push_back(segment);
    }
    Ok(segments)
}
