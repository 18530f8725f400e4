//! Where records and their fields lie.

use neckar_proto::Flow;

use crate::bytes::{tail, u16_at};

/// How long records are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    /// Bytes after the last variable-length field; without one, the whole record.
    pub(crate) last: usize,
    /// The fixed bytes before each variable-length field.
    pub(crate) skips: Box<[u32]>,
    /// The shortest possible record. Never 0: a template that could make it 0 is not compiled.
    pub(crate) min: usize,
}

impl Shape {
    pub(crate) fn is_fixed(&self) -> bool {
        self.skips.is_empty()
    }

    /// Fixed points in each record.
    pub(crate) fn anchors(&self) -> usize {
        1 + 2 * self.skips.len()
    }

    pub(crate) fn cost_bytes(&self) -> usize {
        self.skips.len() * size_of::<u32>()
    }
}

/// Tells where the fixed points of records are.
pub(crate) trait Layout: Copy {
    /// Offset of anchor `anchor` of record `record` in the bytes.
    fn start(self, record: usize, anchor: u16) -> usize;

    /// The layout itself, if records are of one length.
    fn fixed(self) -> Option<Fixed> {
        None
    }

    /// Calls `store` for each row with the eight bytes of its record that end at `end` behind the
    /// anchor.
    #[inline(always)]
    fn each(
        self,
        bytes: &[u8],
        anchor: u16,
        end: usize,
        rows: &mut [Flow],
        mut store: impl FnMut(&mut Flow, u64),
    ) {
        for (record, row) in rows.iter_mut().enumerate() {
            if let Some(raw) = tail(bytes, self.start(record, anchor) + end) {
                store(row, raw);
            }
        }
    }
}

/// Records of one length, back to back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed {
    pub(crate) first: usize,
    pub(crate) stride: usize,
}

impl Fixed {
    /// The records as slices of one length, `back` bytes before where they start. `None` if they
    /// are not all there.
    #[inline(always)]
    fn slices(self, bytes: &[u8], back: usize, count: usize) -> Option<&[u8]> {
        let start = self.first.checked_sub(back)?;
        bytes.get(start..start.checked_add(count.checked_mul(self.stride)?)?)
    }
}

impl Layout for Fixed {
    #[inline(always)]
    fn start(self, record: usize, _anchor: u16) -> usize {
        self.first + record * self.stride
    }

    fn fixed(self) -> Option<Fixed> {
        Some(self)
    }

    /// Without a check per record: the eight bytes lie in the record, or, for the first fields, in
    /// the record seen from eight bytes before it. Both hold for records of 16 bytes and more.
    #[inline(always)]
    fn each(
        self,
        bytes: &[u8],
        anchor: u16,
        end: usize,
        rows: &mut [Flow],
        mut store: impl FnMut(&mut Flow, u64),
    ) {
        let back = if end < 8 { 8 } else { 0 };
        let at = end + back - 8;
        let slices = self.slices(bytes, back, rows.len());
        let Some(slices) = slices.filter(|_| at + 8 <= self.stride) else {
            for (record, row) in rows.iter_mut().enumerate() {
                if let Some(raw) = tail(bytes, self.start(record, anchor) + end) {
                    store(row, raw);
                }
            }
            return;
        };
        for (row, slice) in rows.iter_mut().zip(slices.chunks_exact(self.stride)) {
            if let Some(field) = slice[at..].first_chunk() {
                store(row, u64::from_be_bytes(*field));
            }
        }
    }
}

/// Records that were walked, their anchors noted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked<'a> {
    anchors: &'a [u32],
    per_record: usize,
}

impl Layout for Walked<'_> {
    #[inline]
    fn start(self, record: usize, anchor: u16) -> usize {
        self.anchors
            .get(record * self.per_record + usize::from(anchor))
            .map_or(0, |at| *at as usize)
    }
}

/// Anchors of a chunk of records; the memory is kept from set to set.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    list: Vec<u32>,
    records: usize,
}

/// Where walking a record led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The record ends here.
    To(usize),
    /// It would end behind the set.
    Overrun,
}

impl Anchors {
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.records = 0;
    }

    pub(crate) fn records(&self) -> usize {
        self.records
    }

    pub(crate) fn layout(&self, shape: &Shape) -> Walked<'_> {
        Walked { anchors: &self.list, per_record: shape.anchors() }
    }

    /// Walks the record at `at`, which must end by `end`, and notes its anchors.
    pub(crate) fn walk(&mut self, shape: &Shape, bytes: &[u8], at: usize, end: usize) -> Reached {
        let noted = self.list.len();
        let reached = self.note(shape, bytes, at, end);
        match reached {
            Some(to) => {
                self.records += 1;
                Reached::To(to)
            }
            None => {
                self.list.truncate(noted);
                Reached::Overrun
            }
        }
    }

    fn note(&mut self, shape: &Shape, bytes: &[u8], start: usize, end: usize) -> Option<usize> {
        let mut at = start;
        self.list.push(at as u32);
        for skip in &shape.skips {
            at += *skip as usize;
            // RFC 7011 section 7: one byte of length, or 255 and two more; "3-byte length prefix
            // for short values".
            let short = *bytes.get(..end)?.get(at)?;
            let length = if short < 255 {
                at += 1;
                usize::from(short)
            } else {
                let long = u16_at(&bytes[..end], at + 1)?;
                at += 3;
                usize::from(long)
            };
            self.list.push(at as u32);
            at += length;
            self.list.push(at as u32);
        }
        at += shape.last;
        (at <= end).then_some(at)
    }
}
