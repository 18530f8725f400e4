//! A worker's own memory for the labels of the rows at hand.

use neckar_proto::{Field, Rows};

use crate::arena::STEP;
use crate::normalize::Normalization;
use crate::sets::LabelSet;

/// Pieces of encoded labels that a row gets.
pub const PARTS: usize = 1;

/// Rows whose addresses are looked up together.
pub(crate) const CHUNK: usize = 64;

/// What happened while labelling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Rows labelled.
    pub rows: u64,
    /// Addresses looked up: sources and destinations.
    pub addresses: u64,
    /// Those of them that no table says anything of.
    pub addresses_unknown: u64,
    /// Rows of which no end could be told to be the far one.
    pub remote_unknown: u64,
    /// Rows whose counters were multiplied.
    pub normalized: u64,
    /// Rows whose counters had been multiplied before.
    pub already_normalized: u64,
    /// Rows that were to be normalised but have no sampling rate.
    pub rate_unknown: u64,
    /// Interfaces named by a row that the table does not know, if it knows any at all.
    pub interface_unknown: u64,
}

impl LabelCounts {
    pub(crate) const fn count(&mut self, normalization: Normalization) {
        match normalization {
            Normalization::Done => self.normalized += 1,
            Normalization::Already => self.already_normalized += 1,
            Normalization::RateUnknown => self.rate_unknown += 1,
        }
    }
}

/// The labels of the rows of one decoded chunk, and scratch to find them. Made once per worker;
/// allocates only while it grows.
#[derive(Debug, Default)]
pub struct Labels {
    /// The rows' labels one behind the other, with room behind them.
    pub(crate) bytes: Vec<u8>,
    /// Where each row's labels end in `bytes`; they begin where those before end.
    pub(crate) ends: Vec<u32>,
    pub(crate) counts: LabelCounts,
    pub(crate) scratch: Box<Scratch>,
}

/// Addresses of a chunk by family, and what was found for each end of each row.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) v4: Queue<u32>,
    pub(crate) v6: Queue<u128>,
    /// By end: twice the row's place in the chunk, plus 1 for the destination.
    pub(crate) sets: [LabelSet; 2 * CHUNK],
    /// Keeps the compiler from dropping loads whose only purpose is to be under way.
    pub(crate) touched: u8,
}

/// Addresses to look up and the ends that they belong to.
#[derive(Debug)]
pub(crate) struct Queue<A> {
    pub(crate) len: usize,
    pub(crate) addresses: [A; 2 * CHUNK],
    pub(crate) ends: [u8; 2 * CHUNK],
    pub(crate) found: [u32; 2 * CHUNK],
}

impl<A: Copy + Default> Default for Queue<A> {
    fn default() -> Self {
        Self {
            len: 0,
            addresses: [A::default(); 2 * CHUNK],
            ends: [0; 2 * CHUNK],
            found: [0; 2 * CHUNK],
        }
    }
}

impl<A: Copy> Queue<A> {
    /// Addresses that no table says anything of: set 0 is theirs.
    pub(crate) fn unknown(&self) -> usize {
        self.found[..self.len].iter().filter(|set| **set == 0).count()
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, address: A, end: usize) {
        let slot = self.len % (2 * CHUNK);
        self.addresses[slot] = address;
        self.ends[slot] = end as u8;
        self.len += 1;
    }
}

impl Default for Scratch {
    fn default() -> Self {
        let sets = [LabelSet::default(); 2 * CHUNK];
        Self { v4: Queue::default(), v6: Queue::default(), sets, touched: 0 }
    }
}

impl Labels {
    /// What happened so far, summed over all calls.
    #[must_use]
    pub const fn counts(&self) -> &LabelCounts {
        &self.counts
    }

    /// The encoded labels of row `row`, which [`neckar_proto::encode::encode`] appends.
    ///
    /// # Panics
    /// If the last call of [`Tables::label`](crate::Tables::label) had no such row.
    #[inline]
    #[must_use]
    pub fn of(&self, row: usize) -> [&[u8]; PARTS] {
        [self.bytes_of(row)]
    }

    #[inline]
    fn bytes_of(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start as usize..self.ends[row] as usize]
    }

    /// Puts the labels into `rows`, the rows that were labelled, as texts: for output that reads
    /// rows instead of encoded bytes. Slow: meant for tools.
    pub fn write_to(&self, rows: &mut Rows) {
        for row in 0..self.ends.len().min(rows.len()) {
            let mut rest = self.bytes_of(row);
            while let Some((number, text, after)) = split_field(rest) {
                if let Some(field) = Field::all().find(|field| field.info().number == number) {
                    rows.set_text(row, field, text);
                }
                rest = after;
            }
        }
    }

    /// Forgets the rows before, and makes sure that `rows` of at most `bytes_max` bytes each have
    /// room.
    pub(crate) fn restart(&mut self, rows: usize, bytes_max: usize) {
        self.ends.clear();
        self.ends.reserve(rows);
        let room = rows * bytes_max + STEP;
        if self.bytes.len() < room {
            self.bytes.resize(room, 0);
        }
    }
}

/// The first text field of `bytes`: its number, its text, and what follows. Only for our own
/// labels: all fields are texts.
fn split_field(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (key, rest) = split_varint(bytes)?;
    let (len, rest) = split_varint(rest)?;
    let (text, rest) = rest.split_at_checked(len as usize)?;
    Some((key >> 3, text, rest))
}

fn split_varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let len = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (varint, rest) = bytes.split_at(len);
    Some((varint.iter().rev().fold(0, |value, byte| value << 7 | u32::from(byte & 0x7f)), rest))
}
