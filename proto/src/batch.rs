//! Encoded flows back to back, each with what its readers need around it: what a worker hands to Kafka,
//! to files and to the splitter, shared and never copied.
//!
//! A [`Layout`] is chosen so that what goes out is a slice: each flow behind its length, for messages
//! of many and for files, or in a record of Kafka's, for a topic of single flows.

mod gather;
mod record;
mod restore;

use std::borrow::Cow;
use std::ops::Range;

use crate::encode::{self, LABELS_BYTES_MAX, Profile, ROW_BYTES_MAX};
use crate::field::Field;
use crate::flow::Flow;

/// What splitting and counting need of a flow without decoding it again. 0 is "no customer".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Customer on the local side.
    pub cid: u32,
    /// Customer of the source address.
    pub src_cid: u32,
    /// Customer of the destination address.
    pub dst_cid: u32,
}

/// What of a flow is kept as its key, for whoever puts flows of one kind into one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keying {
    /// Nothing.
    #[default]
    None,
    /// The exporter's address: its 4 or 16 bytes.
    Exporter,
    /// A hash of addresses, ports and protocol, the same for both directions of a conversation: 8
    /// bytes, big-endian, as Java writes a long.
    Flow,
    /// The customer, [`Facts::cid`]: 4 bytes, big-endian, as Java writes an int.
    Customer,
}

#[derive(Clone, Copy, Debug)]
struct Key {
    bytes: [u8; 16],
    len: u8,
}

/// What stands around each flow of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// Its length before it, a varint.
    #[default]
    Delimited,
    /// A record as Kafka's record batches have them, with the flow's number in the batch, at the
    /// batch's time and without a key: all flows of the batch are the records of one record batch.
    Records,
}

impl Layout {
    /// Bytes before flow `index` of `len` bytes.
    #[inline(always)]
    fn lead_bytes(self, index: usize, len: usize) -> usize {
        match self {
            Self::Delimited => varint_bytes(len),
            Self::Records => record::lead_bytes(index, len),
        }
    }

    /// Bytes behind a flow.
    #[inline(always)]
    fn tail_bytes(self) -> usize {
        match self {
            Self::Delimited => 0,
            Self::Records => record::TAIL_BYTES,
        }
    }

    /// Writes what stands around flow `index`, which lies in `out` behind its `lead` bytes, and
    /// answers where the next one's begin.
    #[inline(always)]
    fn put_around(self, out: &mut [u8], lead: usize, index: usize, len: usize) -> usize {
        match self {
            Self::Delimited => {
                put_length(out, len, lead);
                lead + len
            }
            Self::Records => record::put_around(out, lead, index, len),
        }
    }
}

/// A length is at most so long: five groups of seven bits.
const LENGTH_BYTES_MAX: usize = 5;

/// Where a flow's own bytes lie.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    end: u32,
}

/// A batch of encoded flows of bounded size. Filled by one worker, then read-only behind an `Arc`,
/// then filled again.
#[derive(Debug)]
pub struct Batch {
    layout: Layout,
    /// All that may be written to, or, of one that grows, all that is written.
    bytes: Vec<u8>,
    len: usize,
    /// Of each flow, without what stands around it.
    places: Vec<Place>,
    /// Bytes before the last flow: the next one has as many, nearly always.
    lead: usize,
    facts: Vec<Facts>,
    keying: Keying,
    /// One for each flow, or none at all.
    keys: Vec<Key>,
    flows_max: usize,
    bytes_max: usize,
    opened_ns: u64,
}

/// Behind `bytes_max`, so that any row fits that starts before: an empty batch takes every row.
const HEADROOM_BYTES: usize = record::AROUND_BYTES_MAX + ROW_BYTES_MAX + LABELS_BYTES_MAX;

impl Batch {
    /// Room for `flows_max` flows, none of which starts behind `bytes_max` bytes; allocates it all
    /// now.
    ///
    /// # Panics
    /// If that may end beyond 4 GiB: ends are 32-bit.
    #[must_use]
    pub fn with_capacity(flows_max: usize, bytes_max: usize) -> Self {
        let bytes = bytes_max.saturating_add(HEADROOM_BYTES);
        assert!(u32::try_from(bytes).is_ok(), "a batch is at most 4 GiB");
        Self {
            layout: Layout::Delimited,
            bytes: vec![0; bytes],
            len: 0,
            places: Vec::with_capacity(flows_max),
            lead: 1,
            facts: Vec::with_capacity(flows_max),
            keying: Keying::None,
            keys: Vec::new(),
            flows_max,
            bytes_max,
            opened_ns: 0,
        }
    }

    /// The same batch, empty, laid out so.
    #[must_use]
    pub fn laid_out(mut self, layout: Layout) -> Self {
        self.clear();
        self.layout = layout;
        self
    }

    /// The same batch, keeping a key of each flow.
    #[must_use]
    pub fn keyed(mut self, keying: Keying) -> Self {
        self.keying = keying;
        if keying != Keying::None {
            self.keys.reserve_exact(self.flows_max);
        }
        self
    }

    /// Bytes of memory that a batch of this capacity takes, keys included: what `budget` adds up.
    #[must_use]
    pub const fn memory_bytes(flows_max: usize, bytes_max: usize) -> usize {
        let flow = size_of::<Place>() + size_of::<Facts>() + size_of::<Key>();
        bytes_max + HEADROOM_BYTES + flows_max * flow
    }

    /// Notes when the first flow came, in Unix nanoseconds: what its latency is counted from.
    pub fn set_opened_ns(&mut self, now_ns: u64) {
        self.opened_ns = now_ns;
    }

    /// When the first flow came, in Unix nanoseconds; 0 if nobody noted it.
    #[must_use]
    pub fn opened_ns(&self) -> u64 {
        self.opened_ns
    }

    /// Forgets the flows; keeps the memory.
    pub fn clear(&mut self) {
        self.opened_ns = 0;
        self.len = 0;
        self.places.clear();
        self.facts.clear();
        self.keys.clear();
    }

    /// Encodes `flow` behind the others. `false`, and nothing changed, if the batch is full; an
    /// empty one is not.
    ///
    /// # Panics
    /// If the labels are longer than [`LABELS_BYTES_MAX`], which tables are held to.
    #[inline]
    pub fn push(&mut self, profile: &Profile, flow: &Flow, texts: &[u8], labels: &[&[u8]]) -> bool {
        let index = self.places.len();
        if index >= self.flows_max || self.len > self.bytes_max {
            return false;
        }
        let start = self.len + self.lead;
        let len = encode::encode(profile, flow, texts, labels, &mut self.bytes[start..]);
        let lead = self.layout.lead_bytes(index, len);
        if lead != self.lead {
            self.shift(start, len, lead);
        }
        let start = self.len + lead;
        self.len += self.layout.put_around(&mut self.bytes[self.len..], lead, index, len);
        self.places.push(Place { start: start as u32, end: (start + len) as u32 });
        if self.keying != Keying::None {
            self.keys.push(key(self.keying, flow));
        }
        self.facts.push(Facts {
            cid: flow.word_or_zero(Field::Cid) as u32,
            src_cid: flow.word_or_zero(Field::SrcCid) as u32,
            dst_cid: flow.word_or_zero(Field::DstCid) as u32,
        });
        true
    }

    /// Makes the room before a flow as wide as this one's takes: flows that stand side by side are of
    /// one kind, so this is rare.
    #[cold]
    fn shift(&mut self, start: usize, len: usize, lead: usize) {
        self.lead = lead;
        self.bytes.copy_within(start..start + len, self.len + lead);
    }

    /// How many flows it holds.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Does it hold none?
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How the flows lie in it.
    #[inline]
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// All flows, each with what stands around it.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Bytes of flows `range`, what stands around them among these.
    ///
    /// # Panics
    /// If there are no such flows.
    #[inline]
    #[must_use]
    pub fn bytes_of(&self, range: Range<usize>) -> usize {
        let begin = |index| match index {
            0 => 0,
            index if index == self.len() => self.len,
            index => self.begin(index),
        };
        begin(range.end) - begin(range.start)
    }

    /// Flows `range`, each behind its length as a varint: one message of many flows, or of one. A
    /// slice of the batch if it is [`Layout::Delimited`], else a copy.
    ///
    /// # Panics
    /// If the range is empty, or there are no such flows.
    #[inline]
    #[must_use]
    pub fn delimited(&self, range: Range<usize>) -> Cow<'_, [u8]> {
        match self.layout {
            Layout::Delimited => {
                let end = self.places[range.end - 1].end as usize;
                Cow::Borrowed(&self.bytes[self.begin(range.start)..end])
            }
            Layout::Records => {
                let mut copy = Vec::with_capacity(self.bytes_of(range.clone()));
                range.for_each(|index| put_delimited(&mut copy, self.flow(index)));
                Cow::Owned(copy)
            }
        }
    }

    /// Bytes of flow `index` behind its length.
    ///
    /// # Panics
    /// If there is no such flow.
    #[inline]
    #[must_use]
    pub fn delimited_len(&self, index: usize) -> usize {
        let len = self.flow(index).len();
        varint_bytes(len) + len
    }

    /// The bytes of flow `index`, with nothing around it.
    ///
    /// # Panics
    /// If there is no such flow.
    #[inline]
    #[must_use]
    pub fn flow(&self, index: usize) -> &[u8] {
        let Place { start, end } = self.places[index];
        &self.bytes[start as usize..end as usize]
    }

    /// Reads a little of flow `index`, so that its bytes are in the caches when they are copied: of many
    /// flows in any order the processor fetches several at a time. Do something with the answer, or it
    /// is not read.
    ///
    /// # Panics
    /// If there is no such flow.
    #[inline]
    #[must_use]
    pub fn touch(&self, index: usize) -> u8 {
        match self.flow(index) {
            [first, .., last] => first ^ last,
            _ => 0,
        }
    }

    /// The key of flow `index`; empty if none is kept.
    #[inline]
    #[must_use]
    pub fn key(&self, index: usize) -> &[u8] {
        self.keys.get(index).map_or(&[], |key| &key.bytes[..usize::from(key.len)])
    }

    /// What the keys are.
    #[inline]
    #[must_use]
    pub fn keying(&self) -> Keying {
        self.keying
    }

    /// Where flow `index` begins, with what stands before it.
    #[inline]
    fn begin(&self, index: usize) -> usize {
        let Place { start, end } = self.places[index];
        start as usize - self.layout.lead_bytes(index, (end - start) as usize)
    }

    /// The flows in order.
    pub fn flows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.flow(index))
    }

    /// The flows in order as they lie there: all bytes from each on, and how many are its own.
    pub fn flows_in_place(&self) -> impl ExactSizeIterator<Item = (&[u8], usize)> {
        let place = |Place { start, end }: &Place| {
            (&self.bytes[*start as usize..], (*end - *start) as usize)
        };
        self.places.iter().map(place)
    }

    /// What splitting and counting need of each flow, in order; empty if they were gathered.
    #[inline]
    #[must_use]
    pub fn facts(&self) -> &[Facts] {
        &self.facts
    }
}

/// Bytes that a varint takes.
#[inline]
fn varint_bytes(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    }
}

/// Appends a flow behind its length.
fn put_delimited(out: &mut Vec<u8>, flow: &[u8]) {
    let mut length = [0; LENGTH_BYTES_MAX];
    let length_bytes = varint_bytes(flow.len());
    put_length(&mut length, flow.len(), length_bytes);
    out.extend_from_slice(&length[..length_bytes]);
    out.extend_from_slice(flow);
}

#[inline]
fn put_length(out: &mut [u8], len: usize, length_bytes: usize) {
    match length_bytes {
        1 => out[0] = len as u8,
        2 => out[..2].copy_from_slice(&[len as u8 | 0x80, (len >> 7) as u8]),
        _ => {
            for (index, byte) in out[..length_bytes].iter_mut().enumerate() {
                let more = if index + 1 < length_bytes { 0x80 } else { 0 };
                *byte = (len >> (7 * index)) as u8 & 0x7f | more;
            }
        }
    }
}

fn key(keying: Keying, flow: &Flow) -> Key {
    let of = |given: &[u8]| {
        let mut bytes = [0; 16];
        bytes[..given.len()].copy_from_slice(given);
        Key { bytes, len: given.len() as u8 }
    };
    match keying {
        Keying::None => of(&[]),
        Keying::Exporter => of(flow.address(Field::SamplerAddress).unwrap_or_default()),
        Keying::Flow => of(&conversation_hash(flow).to_be_bytes()),
        Keying::Customer => of(&(flow.word_or_zero(Field::Cid) as u32).to_be_bytes()),
    }
}

/// FNV-1a over each end (address, port), the ends added so that they may change places, and the
/// protocol. It is part of what consumers see: it stays.
fn conversation_hash(flow: &Flow) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let end = |address, port| {
        let bytes = flow.address(address).unwrap_or_default().iter().copied();
        let port = (flow.word_or_zero(port) as u16).to_be_bytes();
        bytes.chain(port).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        })
    };
    let source = end(Field::SrcAddr, Field::SrcPort);
    let ends = source.wrapping_add(end(Field::DstAddr, Field::DstPort));
    (ends ^ flow.word_or_zero(Field::Proto)).wrapping_mul(PRIME)
}

#[cfg(test)]
mod tests;
