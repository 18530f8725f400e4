//! What stands in a segment: one header, then records, all little-endian.
//!
//! ```text
//! segment header, 48 bytes            record head, 48 bytes            body
//!  0 "NECKARSP"                        0 "NKRB"                        facts: cid, src_cid, dst_cid (3 x 4)
//!  8 version                 4         4 CRC-32C of what follows  4           for each flow
//! 12 CRC-32C of what follows 4         8 bytes of the body        4    keys: length (1), bytes (16)
//! 16 number of the segment   8        12 CRC-32C of the body      4           for each flow, unless keying is 0
//! 24 opened, Unix ms         8        16 records before it        8    flows: as of `Batch::delimited`
//! 32 flows before it         8        24 flows before it          8
//! 40 records before it       8        32 flows in it              4
//!                                     36 keying (1), zero (3)     4
//!                                     40 opened, Unix ns          8
//! ```
//!
//! "Before it" counts over the life of the spool, so a gap in the counts is exactly what damage
//! cost, be it half a record or a whole segment. The head has a checksum of its own: where only the
//! body is damaged, its length still leads to the next record. Both checksums start from the
//! segment's number, so that old disk blocks, or flows that carry a record's bytes, are none.

use neckar_proto::{Batch, Facts, Keying};

/// The version that this code writes and reads.
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: u64 = 48;
pub(super) const HEAD_BYTES: usize = 48;
pub(super) const HEAD_MAGIC: [u8; 4] = *b"NKRB";
const HEADER_MAGIC: [u8; 8] = *b"NECKARSP";
const FACTS_BYTES: usize = 12;
const KEY_BYTES: usize = 17;

/// How many flows and records were written before something, over the life of a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count {
    pub(super) flows: u64,
    pub(super) records: u64,
}

impl Count {
    /// The larger of each.
    pub(super) fn most(self, other: Self) -> Self {
        Self { flows: self.flows.max(other.flows), records: self.records.max(other.records) }
    }
}

/// What lies between; none if the other is not before it.
impl std::ops::Sub for Count {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            flows: self.flows.saturating_sub(before.flows),
            records: self.records.saturating_sub(before.records),
        }
    }
}

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) opened_ms: u64,
    pub(super) before: Count,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    Damaged,
    /// Intact, of this other version.
    Version(u32),
}

/// A record's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) body_bytes: u32,
    pub(super) body_crc: u32,
    pub(super) before: Count,
    pub(super) flows: u32,
    pub(super) keying: Keying,
    pub(super) opened_ns: u64,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(&HEADER_MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.opened_ms.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.before.flows.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.before.records.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[16..]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header of segment `number`.
    pub(super) fn read(bytes: &[u8], number: u64) -> Result<Self, Unread> {
        if bytes.len() < HEADER_BYTES as usize || bytes[..8] != HEADER_MAGIC {
            return Err(Unread::Damaged);
        }
        // A later version may check otherwise, so its number is all that is believed of it.
        if u32_at(bytes, 8) > VERSION && u32_at(bytes, 8) < 1000 {
            return Err(Unread::Version(u32_at(bytes, 8)));
        }
        let header = Self {
            number: u64_at(bytes, 16),
            opened_ms: u64_at(bytes, 24),
            before: Count { flows: u64_at(bytes, 32), records: u64_at(bytes, 40) },
        };
        let crc = crc32c::crc32c(&bytes[16..HEADER_BYTES as usize]);
        let intact = crc == u32_at(bytes, 12) && header.number == number;
        if intact && u32_at(bytes, 8) == VERSION { Ok(header) } else { Err(Unread::Damaged) }
    }
}

impl Head {
    /// Bytes of the record, head and body.
    pub(super) fn record_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.body_bytes)
    }

    /// The counts behind it.
    pub(super) fn after(&self) -> Count {
        Count {
            flows: self.before.flows.saturating_add(u64::from(self.flows)),
            records: self.before.records.saturating_add(1),
        }
    }

    fn to_bytes(self, segment: u64) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&HEAD_MAGIC);
        bytes[8..12].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.body_crc.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.before.records.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.before.flows.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.flows.to_le_bytes());
        bytes[36] = keying_number(self.keying);
        bytes[40..48].copy_from_slice(&self.opened_ns.to_le_bytes());
        let crc = checksum(segment, &bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a head of segment `segment`; `None` if these bytes are none.
    pub(super) fn read(bytes: &[u8], segment: u64) -> Option<Self> {
        let bytes = bytes.get(..HEAD_BYTES)?;
        if bytes[..4] != HEAD_MAGIC || u32_at(bytes, 4) != checksum(segment, &bytes[8..]) {
            return None;
        }
        let head = Self {
            body_bytes: u32_at(bytes, 8),
            body_crc: u32_at(bytes, 12),
            before: Count { records: u64_at(bytes, 16), flows: u64_at(bytes, 24) },
            flows: u32_at(bytes, 32),
            keying: keying_of(bytes[36])?,
            opened_ns: u64_at(bytes, 40),
        };
        (head.flows > 0).then_some(head)
    }

    /// Is `body` what was written behind this head?
    pub(super) fn fits(&self, segment: u64, body: &[u8]) -> bool {
        body.len() == self.body_bytes as usize && checksum(segment, body) == self.body_crc
    }

    /// Puts the flows of `body` into `batch`; `false`, and the batch is empty, if it is no body.
    pub(super) fn restore(&self, body: &[u8], batch: &mut Batch) -> bool {
        let flows = self.flows as usize;
        let keys = if self.keying == Keying::None { 0 } else { flows };
        let Some((facts, rest)) = body.split_at_checked(flows.saturating_mul(FACTS_BYTES)) else {
            return false;
        };
        let Some((keys, bytes)) = rest.split_at_checked(keys.saturating_mul(KEY_BYTES)) else {
            return false;
        };
        let facts = facts.chunks_exact(FACTS_BYTES).map(|facts| Facts {
            cid: u32_at(facts, 0),
            src_cid: u32_at(facts, 4),
            dst_cid: u32_at(facts, 8),
        });
        let keys = keys.chunks_exact(KEY_BYTES).map(|key| {
            let len = usize::from(key[0]);
            key.get(1..=len).unwrap_or_default()
        });
        batch.restore(self.keying, self.opened_ns, bytes, facts, keys)
    }
}

/// Bytes of the record that `batch` makes.
pub(super) fn record_bytes(batch: &Batch) -> u64 {
    let keys = if batch.keying() == Keying::None { 0 } else { KEY_BYTES };
    let flows: usize = (0..batch.len()).map(|index| batch.delimited_len(index)).sum();
    (HEAD_BYTES + batch.len() * (FACTS_BYTES + keys) + flows) as u64
}

/// Writes `batch` as a record of segment `segment` into `out`, in place of what is there.
pub(super) fn write(out: &mut Vec<u8>, batch: &Batch, segment: u64, before: Count) {
    out.clear();
    out.resize(HEAD_BYTES, 0);
    for facts in batch.facts() {
        for cid in [facts.cid, facts.src_cid, facts.dst_cid] {
            out.extend_from_slice(&cid.to_le_bytes());
        }
    }
    if batch.keying() != Keying::None {
        for index in 0..batch.len() {
            let key = batch.key(index);
            let mut bytes = [0; KEY_BYTES];
            bytes[0] = key.len() as u8;
            bytes[1..=key.len()].copy_from_slice(key);
            out.extend_from_slice(&bytes);
        }
    }
    out.extend_from_slice(&batch.delimited(0..batch.len()));
    let head = Head {
        body_bytes: (out.len() - HEAD_BYTES) as u32,
        body_crc: checksum(segment, &out[HEAD_BYTES..]),
        before,
        flows: batch.len() as u32,
        keying: batch.keying(),
        opened_ns: batch.opened_ns(),
    };
    out[..HEAD_BYTES].copy_from_slice(&head.to_bytes(segment));
}

fn checksum(segment: u64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&segment.to_le_bytes()), bytes)
}

fn keying_number(keying: Keying) -> u8 {
    match keying {
        Keying::None => 0,
        Keying::Exporter => 1,
        Keying::Flow => 2,
        Keying::Customer => 3,
    }
}

fn keying_of(number: u8) -> Option<Keying> {
    let all = [Keying::None, Keying::Exporter, Keying::Flow, Keying::Customer];
    all.get(usize::from(number)).copied()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes are four"))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes are eight"))
}
