//! The end of a spool where batches go in.

use std::io;

use neckar_proto::Batch;

use super::cursor::Place;
use super::record::{self, Count, HEADER_BYTES, Header};
use super::segment::{Active, Segment};
use super::{AppendError, Appended, Shed, Spool};

impl Spool {
    /// Writes `batch` behind all others; `now_ms` is Unix milliseconds. An empty one is not written.
    ///
    /// # Errors
    /// [`AppendError::Full`] if there is no room for it, a full disk or quota among the reasons, and
    /// none was to be made by shedding; [`AppendError::Io`] if the disk fails. Its flows count as
    /// refused.
    pub fn append(&mut self, batch: &Batch, now_ms: u64) -> Result<Appended, AppendError> {
        let mut appended = Appended::default();
        if batch.is_empty() {
            return Ok(appended);
        }
        let shed_before = self.state.shed_flows;
        let written = self.write_in_room(batch, now_ms);
        appended.shed_flows = self.state.shed_flows - shed_before;
        self.state.is_refusing = written.is_err() || appended.shed_flows > 0;
        let flows = batch.len() as u64;
        match written {
            Ok(()) => self.state.written_flows += flows,
            Err(_) => self.state.refused_flows += flows,
        }
        written.map(|()| appended)
    }

    /// Writes a record once there is room for it within the bound. Where it is the disk that is full
    /// others may be filling it, and one batch is worth one segment, not all of them.
    fn write_in_room(&mut self, batch: &Batch, now_ms: u64) -> Result<(), AppendError> {
        let bytes = record::record_bytes(batch);
        if u32::try_from(bytes).is_err() {
            return Err(AppendError::Io(io::ErrorKind::FileTooLarge.into()));
        }
        if HEADER_BYTES + bytes > self.limits.bytes_max {
            return Err(AppendError::Full);
        }
        self.seal_before(bytes);
        while self.bytes_with(bytes) > self.limits.bytes_max {
            if !self.make_room() {
                return Err(AppendError::Full);
            }
        }
        match self.write(batch, now_ms) {
            Err(AppendError::Full) if self.make_room() => self.write(batch, now_ms),
            written => written,
        }
    }

    /// Seals the last segment if `bytes` more would make it too long.
    fn seal_before(&mut self, bytes: u64) {
        let bytes_max = self.limits.segment_bytes_max();
        let is_too_long =
            |segment: &Segment| segment.end > HEADER_BYTES && segment.end + bytes > bytes_max;
        if self.active.is_some() && self.segments.back().is_some_and(is_too_long) {
            self.seal();
        }
    }

    /// What all segments have with a record of `bytes` more.
    fn bytes_with(&self, bytes: u64) -> u64 {
        let header_bytes = if self.active.is_some() { 0 } else { HEADER_BYTES };
        self.segments_bytes + header_bytes + bytes
    }

    /// Writes a record; changes nothing on error.
    fn write(&mut self, batch: &Batch, now_ms: u64) -> Result<(), AppendError> {
        if self.active.is_none() {
            self.start_segment(now_ms).map_err(full_or_io)?;
        }
        let (Some(active), Some(segment)) = (&self.active, self.segments.back_mut()) else {
            unreachable!("a segment was started");
        };
        record::write(&mut self.record, batch, segment.number, self.written);
        active.write(&self.record, segment.end).map_err(full_or_io)?;
        segment.end += self.record.len() as u64;
        self.segments_bytes += self.record.len() as u64;
        let flows = batch.len() as u64;
        let Count { flows: before, records } = self.written;
        self.written = Count { flows: before + flows, records: records + 1 };
        self.state.spooled_flows += flows;
        Ok(())
    }

    fn start_segment(&mut self, now_ms: u64) -> io::Result<()> {
        let number = self.number_next;
        let header = Header { number, opened_ms: now_ms, before: self.written };
        // First: what a failed call leaves behind must not stand in the way of the next.
        self.number_next += 1;
        self.active = Some(Active::create(&self.directory, header)?);
        let (end, before) = (HEADER_BYTES, self.written);
        self.segments.push_back(Segment { number, end, before, opened_ms: now_ms });
        self.segments_bytes += HEADER_BYTES;
        Ok(())
    }

    /// No more goes into the last segment, and what is in it survives a power cut.
    fn seal(&mut self) {
        if let Some(active) = self.active.take() {
            self.state.io_errors += u64::from(active.sync().is_err());
            self.keep_cursor(self.kept(), false);
        }
    }

    /// Gives up the oldest segment, if that is what is to be given up, there is one, and its file can
    /// be deleted: one that stays is no room, and its flows are still there.
    fn make_room(&mut self) -> bool {
        let Some(segment) = self.segments.front().copied() else { return false };
        if self.limits.shed == Shed::Newest {
            return false;
        }
        let behind = self.segments.get(1).map_or(self.written, |next| next.before);
        let mut place = self.place;
        if place.segment <= segment.number {
            let before = place.before.max(behind);
            place = Place { segment: segment.number + 1, offset: HEADER_BYTES, before };
        }
        // First, so that after a crash these flows are shed, not missing.
        self.keep_cursor(self.kept_from(segment.number + 1, place), true);
        if !self.remove(&segment) {
            self.keep_cursor(self.kept(), false);
            return false;
        }
        // The last one too, if the disk is so full that there is no other.
        if self.segments.is_empty() {
            self.active = None;
        }
        let Count { flows, .. } = place.before - self.place.before;
        self.state.shed_flows += flows;
        self.state.spooled_flows -= flows;
        self.place = place;
        true
    }
}

pub(super) fn full_or_io(error: io::Error) -> AppendError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::Full,
        _ => AppendError::Io(error),
    }
}
