//! Encoded flows back to back, each behind its length: what a worker hands to Kafka, to files and to
//! the splitter, shared and never copied.
//!
//! The length is there once, so that every framing is a slice: a bare flow behind it, a delimited
//! flow with it, and many flows in one message from the first length on.

mod gather;
mod restore;

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

/// A length is at most so long: five groups of seven bits.
const LENGTH_BYTES_MAX: usize = 5;

/// A batch of encoded flows of bounded size. Filled by one worker, then read-only behind an `Arc`,
/// then filled again.
#[derive(Debug)]
pub struct Batch {
    bytes: Box<[u8]>,
    len: usize,
    /// End of each flow in `bytes`; its length starts where the one before ends.
    ends: Vec<u32>,
    /// Bytes that the last flow's length took: the next one's takes as many, nearly always.
    length_bytes: usize,
    facts: Vec<Facts>,
    keying: Keying,
    /// One for each flow, or none at all.
    keys: Vec<Key>,
    flows_max: usize,
    bytes_max: usize,
    opened_ns: u64,
}

/// Behind `bytes_max`, so that any row fits that starts before: an empty batch takes every row.
const HEADROOM_BYTES: usize = LENGTH_BYTES_MAX + ROW_BYTES_MAX + LABELS_BYTES_MAX;

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
            bytes: vec![0; bytes].into_boxed_slice(),
            len: 0,
            ends: Vec::with_capacity(flows_max),
            length_bytes: 1,
            facts: Vec::with_capacity(flows_max),
            keying: Keying::None,
            keys: Vec::new(),
            flows_max,
            bytes_max,
            opened_ns: 0,
        }
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
        let flow = size_of::<u32>() + size_of::<Facts>() + size_of::<Key>();
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
        self.ends.clear();
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
        if self.ends.len() >= self.flows_max || self.len > self.bytes_max {
            return false;
        }
        let start = self.len + self.length_bytes;
        let len = encode::encode(profile, flow, texts, labels, &mut self.bytes[start..]);
        if varint_bytes(len) != self.length_bytes {
            self.shift(start, len);
        }
        put_length(&mut self.bytes[self.len..], len, self.length_bytes);
        self.len += self.length_bytes + len;
        self.ends.push(self.len as u32);
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

    /// Makes the room for the length as wide as this flow's takes: flows that stand side by side are
    /// of one kind, so this is rare.
    #[cold]
    fn shift(&mut self, start: usize, len: usize) {
        self.length_bytes = varint_bytes(len);
        self.bytes.copy_within(start..start + len, self.len + self.length_bytes);
    }

    /// How many flows it holds.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Does it hold none?
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All flows, each behind its length.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Flows `range`, each behind its length as a varint: one message of many flows, or of one.
    ///
    /// # Panics
    /// If the range is empty, or there are no such flows.
    #[inline]
    #[must_use]
    pub fn delimited(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[self.start(range.start)..self.ends[range.end - 1] as usize]
    }

    /// The bytes of flow `index`, without its length.
    ///
    /// # Panics
    /// If there is no such flow.
    #[inline]
    #[must_use]
    pub fn flow(&self, index: usize) -> &[u8] {
        let (start, end) = (self.start(index), self.ends[index] as usize);
        &self.bytes[start + length_bytes_of(end - start)..end]
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

    #[inline]
    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] as usize }
    }

    /// The flows in order.
    pub fn flows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.flow(index))
    }

    /// The flows in order as they lie there: all bytes from each on, and how many are its own.
    pub fn flows_in_place(&self) -> impl ExactSizeIterator<Item = (&[u8], usize)> {
        let flows = self.ends.iter().zip(self.flows());
        flows.map(|(end, flow)| (&self.bytes[*end as usize - flow.len()..], flow.len()))
    }

    /// What splitting and counting need of each flow, in order.
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

/// How many of so many bytes, a length and a flow, are the length: the flow is shorter by that.
#[inline]
fn length_bytes_of(both: usize) -> usize {
    match both {
        0..0x81 => 1,
        0x81..0x4002 => 2,
        _ => (3..LENGTH_BYTES_MAX).find(|bytes| varint_bytes(both - bytes) == *bytes).unwrap_or(5),
    }
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
