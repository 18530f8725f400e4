//! Reads records of segments, and finds the next one behind damage.
//!
//! Costs one read for a head and one for its body; behind damage a search through the segment, 64
//! KiB at a time. Takes the files as they are: nothing in them is trusted without its checksum.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use neckar_proto::Batch;

use super::cursor::Place;
use super::record::{Count, HEAD_BYTES, HEAD_MAGIC, HEADER_BYTES, Head};
use super::segment::{self, Segment};

const SEARCH_BYTES: usize = 64 << 10;

/// Why a segment does not give what is in it.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// There is no such file.
    Gone,
    /// It cannot be opened.
    Closed(io::Error),
    /// It is open and cannot be read.
    Failing(io::Error),
}

/// How far a segment was walked through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    /// Where its last intact record ends.
    pub(super) intact: Place,
    /// The highest count that any head in it tells, be its body damaged or not.
    pub(super) told: Count,
}

/// Reads one segment at a time.
#[derive(Debug)]
pub(super) struct Reader {
    directory: PathBuf,
    open: Option<(u64, File)>,
    /// The body that was read last, or what is searched.
    bytes: Vec<u8>,
}

impl Reader {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf(), open: None, bytes: Vec::new() }
    }

    /// Lets go of segment `number`, so that deleting it frees its blocks.
    pub(super) fn close(&mut self, number: u64) {
        self.open.take_if(|(open, _)| *open == number);
    }

    /// The first intact record of `segment` at `place` or behind it whose counts lie between the
    /// place's and `limit`, put into `batch`, and where it starts. `None` at the end.
    pub(super) fn next(
        &mut self,
        segment: &Segment,
        place: Place,
        limit: Count,
        batch: &mut Batch,
    ) -> Result<Option<(u64, Head)>, Unreadable> {
        self.switch(segment.number).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unreadable::Gone,
            _ => Unreadable::Closed(error),
        })?;
        self.next_intact(segment, place, limit, batch).map_err(|error| {
            // Opened anew at the next call: it may be another file by then.
            self.close(segment.number);
            Unreadable::Failing(error)
        })
    }

    /// The head of the record that [`Reader::next`] looks at first, be its body damaged or not.
    pub(super) fn head(
        &mut self,
        segment: &Segment,
        place: Place,
        limit: Count,
    ) -> io::Result<Option<(u64, Head)>> {
        self.switch(segment.number)?;
        self.find(segment, place.offset.max(HEADER_BYTES), place.before, limit)
    }

    fn next_intact(
        &mut self,
        segment: &Segment,
        place: Place,
        limit: Count,
        batch: &mut Batch,
    ) -> io::Result<Option<(u64, Head)>> {
        let mut offset = place.offset.max(HEADER_BYTES);
        while let Some((at, head)) = self.find(segment, offset, place.before, limit)? {
            if self.body(segment.number, at, &head)? && head.restore(&self.bytes, batch) {
                return Ok(Some((at, head)));
            }
            offset = at + head.record_bytes();
        }
        Ok(None)
    }

    /// Walks `segment` on from where `walked` is, to its end or to where the disk fails.
    pub(super) fn walk(&mut self, segment: &Segment, walked: &mut Walked) -> io::Result<()> {
        self.switch(segment.number)?;
        let limit = Count { flows: u64::MAX, records: u64::MAX };
        let mut offset = walked.intact.offset;
        while let Some((at, head)) = self.find(segment, offset, walked.told, limit)? {
            offset = at + head.record_bytes();
            walked.told = head.after();
            if self.body(segment.number, at, &head)? {
                walked.intact = Place { offset, before: walked.told, ..walked.intact };
            }
        }
        // A torn record at the very end may have kept its head.
        if let Some(torn) = self.find_torn(segment, offset, walked.told)? {
            walked.told = torn;
        }
        Ok(())
    }

    /// What stood before the first record of `segment`, from the records themselves.
    pub(super) fn before(&mut self, segment: &Segment) -> io::Result<Option<Count>> {
        self.switch(segment.number)?;
        let limit = Count { flows: u64::MAX, records: u64::MAX };
        let first = self.find(segment, HEADER_BYTES, Count::default(), limit)?;
        Ok(first.map(|(_, head)| head.before))
    }

    fn switch(&mut self, number: u64) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != number) {
            let file = File::open(segment::path(&self.directory, number))?;
            self.open = Some((number, file));
        }
        Ok(())
    }

    fn file(&self) -> io::Result<&File> {
        self.open.as_ref().map(|(_, file)| file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn body(&mut self, number: u64, at: u64, head: &Head) -> io::Result<bool> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.resize(head.body_bytes as usize, 0);
        let read =
            self.file().and_then(|file| file.read_exact_at(&mut bytes, at + HEAD_BYTES as u64));
        self.bytes = bytes;
        read.map(|()| head.fits(number, &self.bytes))
    }

    /// The first head at `offset` or behind it that may be one of this place.
    fn find(
        &mut self,
        segment: &Segment,
        offset: u64,
        before: Count,
        limit: Count,
    ) -> io::Result<Option<(u64, Head)>> {
        let fits = |at: u64, head: &Head| {
            let after = head.after();
            at.saturating_add(head.record_bytes()) <= segment.end
                && (head.before.flows >= before.flows && head.before.records >= before.records)
                && (after.flows <= limit.flows && after.records <= limit.records)
        };
        let mut bytes = [0; HEAD_BYTES];
        if offset + HEAD_BYTES as u64 <= segment.end {
            self.file()?.read_exact_at(&mut bytes, offset)?;
            let head = Head::read(&bytes, segment.number).filter(|head| fits(offset, head));
            if let Some(head) = head {
                return Ok(Some((offset, head)));
            }
        }
        self.search(segment, offset, fits)
    }

    fn find_torn(&mut self, segment: &Segment, at: u64, told: Count) -> io::Result<Option<Count>> {
        let torn = self.search(segment, at, |_, head| head.before.flows >= told.flows)?;
        Ok(torn.map(|(_, head)| head.after()))
    }

    /// The first head from `offset` on that `fits`, at whatever byte it starts.
    fn search(
        &mut self,
        segment: &Segment,
        mut offset: u64,
        fits: impl Fn(u64, &Head) -> bool,
    ) -> io::Result<Option<(u64, Head)>> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut found = Ok(None);
        while offset + HEAD_BYTES as u64 <= segment.end {
            let len = (segment.end - offset).min(SEARCH_BYTES as u64) as usize;
            bytes.resize(len, 0);
            if let Err(error) = self.file().and_then(|file| file.read_exact_at(&mut bytes, offset))
            {
                found = Err(error);
                break;
            }
            let first = bytes.windows(HEAD_BYTES).enumerate().find_map(|(index, window)| {
                let head = window.starts_with(&HEAD_MAGIC).then_some(window)?;
                let head = Head::read(head, segment.number)?;
                let at = offset + index as u64;
                fits(at, &head).then_some((at, head))
            });
            if first.is_some() {
                found = Ok(first);
                break;
            }
            // The last bytes may be the start of a head.
            offset += (len - HEAD_BYTES + 1) as u64;
        }
        self.bytes = bytes;
        found
    }
}
