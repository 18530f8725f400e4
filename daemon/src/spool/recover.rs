//! Opening a spool: what an earlier process left, whole, cut or damaged.
//!
//! Reads every segment's header and the last segment in full; a spool of any size opens in the time
//! of one segment.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, TryLockError};
use std::path::Path;

use super::cursor::{Cursor, Kept, Place};
use super::reader::{Reader, Walked};
use super::record::{Count, HEADER_BYTES, Header, Unread};
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
        let mut io_errors = 0;
        let cursor = Cursor::open(&directory.join(CURSOR), &mut io_errors).map_err(io)?;
        let (found, closed) = segment::list(directory).map_err(io)?;
        let mut spool = Self {
            directory: directory.to_path_buf(),
            limits,
            _lock: lock,
            cursor,
            cursor_kept_ms: 0,
            segments_bytes: 0,
            segments: VecDeque::new(),
            active: None,
            number_next: 0,
            written: Count::default(),
            reader: Reader::new(directory),
            place: Place::default(),
            failing: None,
            out: BTreeMap::new(),
            record: Vec::new(),
            state: State { io_errors, ..State::default() },
        };
        let numbers = found.iter().map(|segment| segment.number).chain(closed.iter().copied());
        spool.number_next = numbers.max().unwrap_or(0) + 1;
        spool.take_in(found)?;
        closed.into_iter().for_each(|number| spool.set_aside(number));
        let found = spool.take_up();
        Ok((spool, found))
    }

    /// Would [`open`](Self::open) take `directory` as it is? Changes nothing, and does not mind that
    /// another process has it.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for the lock. A directory that is not there yet is none.
    pub fn check(directory: &Path) -> Result<(), OpenError> {
        if !directory.exists() {
            return Ok(());
        }
        let io = |error| OpenError::Io(directory.to_path_buf(), error);
        // Another user may have made them.
        for file in [LOCK, CURSOR].map(|name| directory.join(name)) {
            if file.exists() {
                File::options().read(true).write(true).open(file).map_err(io)?;
            }
        }
        let (found, _) = segment::list(directory).map_err(io)?;
        let later = found.into_iter().find_map(|one| match one.header {
            Err(Unread::Version(version)) => Some((one.number, version)),
            _ => None,
        });
        later.map_or(Ok(()), |(number, version)| {
            Err(OpenError::Version(segment::path(directory, number), version))
        })
    }

    /// Takes the segments from the cursor on. Those before it are delivered and deleted.
    pub(super) fn take_in(&mut self, found: Vec<FoundSegment>) -> Result<(), OpenError> {
        let kept = self.cursor.kept().unwrap_or_default();
        for one in found {
            if let Err(Unread::Version(version)) = one.header {
                let path = segment::path(&self.directory, one.number);
                return Err(OpenError::Version(path, version));
            }
            if one.number < kept.place.segment {
                self.delete(one.number);
            } else if let Some(segment) = self.known(&one) {
                self.segments.push_back(segment);
            }
        }
        Ok(())
    }

    /// A segment with what is before it, which for a damaged header its own records tell. `None` if
    /// none can be read; the counts of what follows tell what it held.
    fn known(&mut self, found: &FoundSegment) -> Option<Segment> {
        let before = self.segments.back().map_or(Count::default(), |last| last.before);
        let FoundSegment { number, end, header } = *found;
        if let Ok(Header { before, opened_ms, .. }) = header {
            return Some(Segment { number, end, before, opened_ms });
        }
        let segment = Segment { number, end, before, opened_ms: 0 };
        match self.reader.before(&segment) {
            Ok(Some(told)) => return Some(Segment { before: told.max(before), ..segment }),
            Ok(None) => self.delete(number),
            Err(_) => {
                self.state.io_errors += 1;
                self.set_aside(number);
            }
        }
        None
    }

    fn delete(&mut self, number: u64) {
        self.reader.close(number);
        let deleted = fs::remove_file(segment::path(&self.directory, number));
        self.state.io_errors += u64::from(deleted.is_err());
    }

    /// What it held counts as damaged once the reader comes to the gap.
    fn set_aside(&mut self, number: u64) {
        self.reader.close(number);
        self.state.segments_aside += 1;
        let set = segment::set_aside(&self.directory, number);
        self.state.io_errors += u64::from(set.is_err());
    }

    /// Finds where to read on and what is there.
    pub(super) fn take_up(&mut self) -> Found {
        let kept = self.cursor.kept().unwrap_or_default();
        self.place = self.first_place(kept);
        let tail = self.tail(kept);
        self.number_next = self.number_next.max(kept.place.segment + 1);
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
        self.keep_cursor(self.kept(), true);
        Found {
            flows,
            batches: self.state().batches,
            bytes: self.segments_bytes,
            damaged_flows: tail.damaged.flows,
            damaged_records: tail.damaged.records,
            segments_aside: self.state.segments_aside,
        }
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

    /// What the last segment tells; cuts off what is torn at its end.
    fn tail(&mut self, kept: Kept) -> Tail {
        let Some(segment) = self.segments.back().copied() else {
            return Tail { written: kept.place.before, damaged: kept.written - kept.place.before };
        };
        let start = Place { segment: segment.number, offset: HEADER_BYTES, before: segment.before };
        let mut walked = Walked { intact: start, told: start.before };
        let walk = self.reader.walk(&segment, &mut walked);
        let written = walked.intact.before.most(self.place.before);
        let told = walked.told.most(kept.written);
        if walk.is_err() {
            // Nothing is cut off where the disk may yet give it back: the reader tries again, up to
            // what is known to be there.
            self.state.io_errors += 1;
            return Tail { written: written.most(told), damaged: Count::default() };
        }
        let mut damaged = told - written;
        if segment.end > walked.intact.offset {
            damaged.records = damaged.records.max(1);
            self.cut(walked.intact);
        }
        Tail { written, damaged }
    }

    /// Ends the last segment at `place`.
    fn cut(&mut self, place: Place) {
        let path = segment::path(&self.directory, place.segment);
        let file = File::options().write(true).open(path);
        let cut = file.and_then(|file| file.set_len(place.offset));
        self.state.io_errors += u64::from(cut.is_err());
        if let Some(segment) = self.segments.back_mut() {
            segment.end = place.offset;
        }
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
