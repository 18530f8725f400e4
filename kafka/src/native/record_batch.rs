//! Kafka's record batch, magic 2: a header of 61 bytes, then the records, each of them fields behind
//! varints (Kafka's protocol guide, "Record Batch"). The CRC-32C covers everything from the attributes
//! on.
//!
//! Records are pieces: what workers have laid out as records already, and long values, are sent from
//! where they lie; other flows are copied together. With compression it is one pass more.

use std::io;

use bytes::Bytes;

use super::compress::{Codec, Compressor};

/// Bytes before the first record.
pub(super) const HEADER_BYTES: usize = 61;
/// Bytes that a record has beside key and value, at most.
pub(super) const RECORD_BYTES: usize = 32;
/// What the batch's length does not count: the offset and the length itself.
const UNCOUNTED_BYTES: usize = 12;
/// The CRC begins behind itself.
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;

/// Who sends a batch, for the broker to drop what comes twice (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    /// The number of its first record among all of this producer's in this partition.
    pub(super) sequence: i32,
}

/// Nobody in particular.
pub(super) const ANONYMOUS: Identity = Identity { producer_id: -1, epoch: -1, sequence: -1 };

/// A batch that records are added to.
#[derive(Debug)]
pub(super) struct RecordBatch {
    /// What is finished of it.
    pieces: Vec<Bytes>,
    /// What is copied together behind that.
    open: Vec<u8>,
    records: u32,
    /// Of the first record, and the latest, in Unix milliseconds.
    base_ms: i64,
    latest_ms: i64,
}

/// A batch as it is sent.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) header: [u8; HEADER_BYTES],
    pub(super) records: Vec<Bytes>,
}

impl Sealed {
    /// Bytes of all of it.
    pub(super) fn len(&self) -> usize {
        HEADER_BYTES + self.records.iter().map(Bytes::len).sum::<usize>()
    }
}

impl RecordBatch {
    /// An empty one, which copies into `memory`.
    pub(super) fn open(mut memory: Vec<u8>) -> Self {
        memory.clear();
        Self { pieces: Vec::new(), open: memory, records: 0, base_ms: 0, latest_ms: 0 }
    }

    /// One of so many records that are laid out already, numbered from 0 on, all at `time_ms`.
    pub(super) fn of(records: Bytes, count: u32, time_ms: i64) -> Self {
        let pieces = vec![records];
        let (base_ms, latest_ms) = (time_ms, time_ms);
        Self { pieces, open: Vec::new(), records: count, base_ms, latest_ms }
    }

    /// How many there are.
    pub(super) fn records(&self) -> i32 {
        self.records as i32
    }

    /// Adds a record; an empty key is none.
    #[inline]
    pub(super) fn push(&mut self, time_ms: i64, key: &[u8], value: &[u8]) {
        self.begin(time_ms, key, value.len());
        extend(&mut self.open, value);
        // No headers.
        self.open.push(0);
    }

    /// Adds a record without a key whose value is not copied.
    pub(super) fn push_shared(&mut self, time_ms: i64, value: Bytes) {
        self.begin(time_ms, &[], value.len());
        self.pieces.push(Bytes::from(std::mem::take(&mut self.open)));
        self.pieces.push(value);
        self.open.push(0);
    }

    /// Writes what stands before a value of `len` bytes.
    #[inline(always)]
    fn begin(&mut self, time_ms: i64, key: &[u8], len: usize) {
        if self.records == 0 {
            self.base_ms = time_ms;
            self.latest_ms = time_ms;
        }
        self.latest_ms = self.latest_ms.max(time_ms);
        // Up to the value: attributes, time, number, key's length, key, value's length.
        let mut head = Head::new();
        head.put(0);
        head.put_varint(time_ms - self.base_ms);
        head.put_varint(i64::from(self.records));
        let before_key = if key.is_empty() {
            head.put_varint(-1);
            0
        } else {
            head.put_varint(key.len() as i64);
            head.len
        };
        head.put_varint(len as i64);
        let mut length = Head::new();
        length.put_varint((head.len + key.len() + len + 1) as i64);
        self.open.reserve(RECORD_BYTES + key.len() + len + PIECE_BYTES);
        extend_short(&mut self.open, &length);
        if before_key > 0 {
            self.open.extend_from_slice(&head.bytes()[..before_key]);
            self.open.extend_from_slice(key);
            self.open.extend_from_slice(&head.bytes()[before_key..]);
        } else {
            extend_short(&mut self.open, &head);
        }
        self.records += 1;
    }

    /// Writes the header, compressing what it is for into `spare`. What is not sent comes back, its
    /// memory being good for others.
    ///
    /// # Errors
    /// The codec's.
    pub(super) fn seal(
        mut self,
        compressor: &mut Compressor,
        identity: Identity,
        mut spare: Vec<u8>,
    ) -> io::Result<(Sealed, Vec<Bytes>)> {
        if !self.open.is_empty() {
            self.pieces.push(Bytes::from(std::mem::take(&mut self.open)));
        }
        let mut rest = Vec::new();
        if compressor.codec() != Codec::None {
            spare.clear();
            match &self.pieces[..] {
                [records] => compressor.compress(records, &mut spare)?,
                pieces => compressor.compress(&pieces.concat(), &mut spare)?,
            }
            rest = std::mem::replace(&mut self.pieces, vec![Bytes::from(spare)]);
        }
        let header = self.header(compressor.codec(), identity);
        Ok((Sealed { header, records: self.pieces }, rest))
    }

    fn header(&self, codec: Codec, identity: Identity) -> [u8; HEADER_BYTES] {
        let records: usize = self.pieces.iter().map(Bytes::len).sum();
        let len = (HEADER_BYTES + records - UNCOUNTED_BYTES) as i32;
        let mut header = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            header[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        // The broker numbers offsets and leader's epochs itself.
        put(&0_i64.to_be_bytes());
        put(&len.to_be_bytes());
        put(&(-1_i32).to_be_bytes());
        put(&[2]);
        put(&[0; 4]);
        put(&(codec as i16).to_be_bytes());
        put(&(self.records as i32 - 1).to_be_bytes());
        put(&self.base_ms.to_be_bytes());
        put(&self.latest_ms.to_be_bytes());
        put(&identity.producer_id.to_be_bytes());
        put(&identity.epoch.to_be_bytes());
        put(&identity.sequence.to_be_bytes());
        put(&(self.records as i32).to_be_bytes());
        let crc = crc32c::crc32c(&header[ATTRIBUTES_AT..]);
        let crc = self.pieces.iter().fold(crc, |crc, piece| crc32c::crc32c_append(crc, piece));
        header[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
        header
    }
}

/// Appends a few bytes: a copy of fixed size, which needs no call, cut to what counts.
#[inline(always)]
fn extend_short(bytes: &mut Vec<u8>, head: &Head) {
    let end = bytes.len() + head.len;
    bytes.extend_from_slice(&head.bytes);
    bytes.truncate(end);
}

/// Appends a flow, likewise: the last piece overlaps the one before.
#[inline(always)]
fn extend(bytes: &mut Vec<u8>, value: &[u8]) {
    let end = bytes.len() + value.len();
    match value.last_chunk::<PIECE_BYTES>() {
        Some(last) if value.len() <= INLINE_BYTES_MAX => {
            for piece in value.as_chunks::<PIECE_BYTES>().0 {
                bytes.extend_from_slice(piece);
            }
            bytes.truncate(end - PIECE_BYTES);
            bytes.extend_from_slice(last);
        }
        _ => bytes.extend_from_slice(value),
    }
}

/// Bytes of a copy of fixed size.
const PIECE_BYTES: usize = 32;
/// Longer ones are worth the call.
const INLINE_BYTES_MAX: usize = 512;

/// A few bytes being put together: four varints of ten and one byte at most, in fact fewer than
/// [`RECORD_BYTES`].
struct Head {
    bytes: [u8; PIECE_BYTES],
    len: usize,
}

impl Head {
    #[inline]
    fn new() -> Self {
        Self { bytes: [0; PIECE_BYTES], len: 0 }
    }

    #[inline]
    fn put(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// Zigzag, as protobuf's `sint64`: small numbers of either sign are short.
    #[inline]
    fn put_varint(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)) as u64;
        while rest >= 0x80 {
            self.put(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.put(rest as u8);
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::{self, RecordBatchDecoder};
    use proptest::prelude::*;

    use super::*;
    use crate::native::compress::Compression;

    const CODECS: [(Codec, records::Compression); 5] = [
        (Codec::None, records::Compression::None),
        (Codec::Gzip, records::Compression::Gzip),
        (Codec::Snappy, records::Compression::Snappy),
        (Codec::Lz4, records::Compression::Lz4),
        (Codec::Zstd, records::Compression::Zstd),
    ];

    proptest! {
        /// The twin is the decoder of the `kafka-protocol` crate, which checks the CRC.
        #[test]
        fn another_decoder_reads_what_was_framed(
            records in prop::collection::vec(
                (0..100_000_i64, prop::collection::vec(any::<u8>(), 0..9), prop::collection::vec(any::<u8>(), 0..3000)),
                1..200,
            ),
            id in any::<(i64, i16, i32)>(),
            codec in 0..5_usize,
        ) {
            let (codec, expected) = CODECS[codec];
            let (producer_id, epoch, sequence) = (id.0 >> 1, id.1, id.2 & 0xffff);
            let identity = Identity { producer_id, epoch, sequence };
            let mut batch = RecordBatch::open(Vec::new());
            for (time, key, value) in &records {
                match key.is_empty() && value.len() > 1500 {
                    true => batch.push_shared(1_700_000_000_000 + time, Bytes::copy_from_slice(value)),
                    false => batch.push(1_700_000_000_000 + time, key, value),
                }
            }
            let mut compressor = Compressor::new(Compression { codec, level: None });
            let (sealed, _) = batch.seal(&mut compressor, identity, Vec::new()).expect("it compresses");
            prop_assert_eq!(sealed.len(), together(&sealed).len());
            let mut sealed = together(&sealed);
            let read = RecordBatchDecoder::decode(&mut sealed).expect("a good batch");
            prop_assert_eq!(read.compression, expected);
            prop_assert_eq!(read.records.len(), records.len());
            for (index, (record, (time, key, value))) in read.records.iter().zip(&records).enumerate() {
                prop_assert_eq!(record.offset, index as i64);
                prop_assert_eq!(record.timestamp, 1_700_000_000_000 + time);
                prop_assert_eq!(record.key.as_deref().unwrap_or_default(), &key[..]);
                prop_assert_eq!(record.value.as_deref(), Some(&value[..]));
                prop_assert_eq!((record.producer_id, record.producer_epoch), (producer_id, epoch));
                prop_assert_eq!(record.sequence, sequence + index as i32);
            }
        }
    }

    fn together(sealed: &Sealed) -> Bytes {
        [&sealed.header[..], &sealed.records.concat()].concat().into()
    }

    #[test]
    fn memory_comes_back() {
        let mut compressor = Compressor::new(Compression { codec: Codec::Lz4, level: None });
        let mut batch = RecordBatch::open(Vec::with_capacity(1 << 16));
        batch.push(0, b"", &[7; 10_000]);
        let (sealed, rest) =
            batch.seal(&mut compressor, ANONYMOUS, Vec::new()).expect("it compresses");
        assert!(sealed.len() < 1000, "{}", sealed.len());
        let capacities = rest.into_iter().map(|bytes| Vec::from(bytes).capacity());
        assert!(capacities.eq([1 << 16]));
    }
}
