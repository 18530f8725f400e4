//! Flows into a partition's record batch, as the topic wants them framed.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use neckar_proto::{Batch, Layout};

use super::compress::{Codec, Compression, Compressor};
use super::queue::Piece;
use super::record_batch::{HEADER_BYTES, Identity, RECORD_BYTES, RecordBatch, Sealed};
use crate::framing::Framing;
use crate::packer::{pack_len, side_by_side, together};

/// Buffers kept for the next batches.
const SPARE_MAX: usize = 8;
/// Smaller ones are not worth it.
const SPARE_BYTES: usize = 64 << 10;
/// What capacities are multiples of.
const STEP_BYTES: usize = 256 << 10;
/// What is laid out as records already goes by itself if it is so long, and needs no copy; a request
/// and its answer cost more than copying less. So with a packed message: a piece costs the system more
/// than copying less.
const ALONE_BYTES: usize = 64 << 10;
const SHARED_BYTES: usize = 8 << 10;

/// How much of a partition's queue goes into one batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Before compression.
    pub(super) bytes: usize,
    pub(super) flows: usize,
}

/// Makes batches, and keeps their memory for the next.
#[derive(Debug)]
pub(super) struct Framer {
    compressor: Compressor,
    spare: Vec<Vec<u8>>,
    /// Flows of a packed message in the making.
    list: Vec<u32>,
}

impl Framer {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compressor: Compressor::new(compression), spare: Vec::new(), list: Vec::new() }
    }

    /// Takes as much as fits from the front of `queue`, at least one flow or message, into `taken`.
    pub(super) fn take(
        &mut self,
        queue: &mut VecDeque<Piece>,
        limits: Limits,
        taken: &mut Vec<Piece>,
    ) {
        let (mut bytes, mut flows) = (HEADER_BYTES, 0);
        while let Some(piece) = queue.front_mut() {
            let goes_alone = piece.has_records() && piece.bytes() >= ALONE_BYTES;
            if goes_alone && !taken.is_empty() {
                return;
            }
            // As a rule, all of it fits.
            let all = piece.bytes() + piece.flows.len() * RECORD_BYTES;
            if bytes + all <= limits.bytes && flows + piece.flows.len() <= limits.flows {
                (bytes, flows) = (bytes + all, flows + piece.flows.len());
                taken.extend(queue.pop_front());
                if goes_alone {
                    return;
                }
                continue;
            }
            let batch = &piece.of.batch;
            let fitting = piece.flows.iter().take_while(|flow| {
                bytes += batch.flow(*flow as usize).len() + RECORD_BYTES;
                flows += 1;
                bytes <= limits.bytes && flows <= limits.flows
            });
            let mut count = fitting.count();
            if taken.is_empty() {
                count = count.max(1);
            }
            if count == piece.flows.len() {
                taken.extend(queue.pop_front());
                continue;
            }
            if count > 0 {
                taken.push(piece.split_off_front(count));
            }
            return;
        }
    }

    /// The batch of these flows, ready to be sent, and how many records it has.
    pub(super) fn frame(&mut self, pieces: &[Piece], identity: Identity) -> (Sealed, i32) {
        let batch = match pieces {
            [piece] if piece.has_records() => {
                let records = Bytes::from_owner(Lent(Arc::clone(&piece.of.batch)));
                RecordBatch::of(records, piece.flows.len() as u32, piece.of.time_ms)
            }
            pieces => self.put_together(pieces),
        };
        let records = batch.records();
        let spare = match self.compressor.codec() {
            Codec::None => Vec::new(),
            _ => self.memory(pieces.iter().map(Piece::bytes).sum::<usize>() / 2),
        };
        // A level that the codec does not have is refused at start.
        let sealed = batch.seal(&mut self.compressor, identity, spare);
        let (sealed, rest) = sealed.expect("compressing into memory");
        self.give_back(rest);
        (sealed, records)
    }

    fn put_together(&mut self, pieces: &[Piece]) -> RecordBatch {
        let shares = |piece: &Piece| piece.of.options.framing == Framing::Packed;
        let memory = match self.compressor.codec() {
            // Messages are sent from where they lie, as a rule.
            Codec::None if pieces.iter().all(shares) => Vec::new(),
            _ => {
                let bytes: usize = pieces.iter().map(Piece::bytes).sum();
                let flows: usize = pieces.iter().map(|piece| piece.flows.len()).sum();
                self.memory(bytes + (flows + 1) * RECORD_BYTES)
            }
        };
        let mut batch = RecordBatch::open(memory);
        pieces.iter().for_each(|piece| self.push(piece, &mut batch));
        batch
    }

    fn push(&mut self, piece: &Piece, into: &mut RecordBatch) {
        let (batch, time_ms) = (&piece.of.batch, piece.of.time_ms);
        let options = piece.of.options;
        let key = |flow: usize| if options.keyed { batch.key(flow) } else { &[] };
        match options.framing {
            Framing::Bare => {
                for flow in piece.flows.iter() {
                    let flow = flow as usize;
                    into.push(time_ms, key(flow), batch.flow(flow));
                }
            }
            Framing::Delimited => {
                for flow in piece.flows.iter() {
                    let flow = flow as usize;
                    into.push(time_ms, key(flow), &batch.delimited(flow..flow + 1));
                }
            }
            Framing::Packed => self.push_packed(piece, into),
        }
    }

    fn push_packed(&mut self, piece: &Piece, into: &mut RecordBatch) {
        let (batch, time_ms) = (&piece.of.batch, piece.of.time_ms);
        let may_share =
            self.compressor.codec() == Codec::None && batch.layout() == Layout::Delimited;
        let lent = may_share.then(|| Bytes::from_owner(Lent(Arc::clone(batch))));
        self.list.clear();
        self.list.extend(piece.flows.iter());
        let mut rest = &self.list[..];
        while !rest.is_empty() {
            let (pack, behind) =
                rest.split_at(pack_len(batch, rest, piece.of.options.packed_bytes));
            match (side_by_side(pack).map(|range| batch.delimited(range)), &lent) {
                (Some(message), Some(lent)) if message.len() >= SHARED_BYTES => {
                    into.push_shared(time_ms, lent.slice_ref(&message));
                }
                (Some(message), _) => into.push(time_ms, &[], &message),
                (None, _) => into.push(time_ms, &[], &together(batch, pack)),
            }
            rest = behind;
        }
    }

    /// Memory for so many bytes: the one used last, if it is worth it and large enough.
    fn memory(&mut self, bytes: usize) -> Vec<u8> {
        if bytes < SPARE_BYTES {
            return Vec::with_capacity(bytes);
        }
        let used = self.spare.pop().filter(|used| used.capacity() >= bytes);
        // In steps, so that it serves the next as well.
        used.unwrap_or_else(|| Vec::with_capacity(bytes.next_multiple_of(STEP_BYTES)))
    }

    /// Memory that is not needed any more, unless somebody else has it too.
    pub(super) fn give_back(&mut self, pieces: Vec<Bytes>) {
        for mut piece in pieces {
            if piece.is_unique() && self.spare.len() < SPARE_MAX {
                // Emptied first: the vector would be moved to the front of its memory.
                piece.clear();
                let memory = Vec::from(piece);
                if memory.capacity() >= SPARE_BYTES {
                    self.spare.push(memory);
                }
            }
        }
    }
}

/// A worker's batch, lent until the broker has answered.
struct Lent(Arc<Batch>);

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

#[cfg(test)]
mod tests {
    use neckar_proto::encode::BWNETFLOW;
    use neckar_proto::{Field, Flow};

    use super::super::queue::{Flows, Submission};
    use super::super::record_batch::ANONYMOUS;
    use super::*;
    use crate::account::Account;
    use crate::topic::TopicOptions;

    const FLOWS: u32 = 4_000;

    fn piece(layout: Layout, framing: Framing) -> Piece {
        let mut batch = Batch::with_capacity(FLOWS as usize, 1 << 20).laid_out(layout);
        for bytes in 1..=u64::from(FLOWS) {
            let mut flow = Flow::default();
            flow.set(Field::Bytes, bytes << 40);
            assert!(batch.push(&BWNETFLOW, &flow, &[], &[]));
        }
        let options = TopicOptions { framing, ..TopicOptions::default() };
        let books = (Arc::new(Account::default()), Arc::default());
        let submission = Submission::new(Arc::new(batch), options, books, 0, (0, 0));
        Piece { of: Arc::new(submission), flows: Flows::all(0..FLOWS) }
    }

    /// Is there a piece among the records that lies in the batch?
    fn shares(sealed: &Sealed, batch: &Batch) -> bool {
        let range = batch.bytes().as_ptr_range();
        sealed.records.iter().any(|piece| range.contains(&piece.as_ptr()))
    }

    #[test]
    fn flows_go_from_where_they_lie_if_they_lie_as_they_go() {
        let mut framer = Framer::new(Compression::default());
        for (layout, framing, expected, records) in [
            (Layout::Records, Framing::Bare, true, 4_000),
            (Layout::Delimited, Framing::Packed, true, 1),
            (Layout::Delimited, Framing::Bare, false, 4_000),
            (Layout::Records, Framing::Packed, false, 1),
        ] {
            let piece = piece(layout, framing);
            let (sealed, count) = framer.frame(std::slice::from_ref(&piece), ANONYMOUS);
            let batch = &piece.of.batch;
            assert_eq!(
                (shares(&sealed, batch), count),
                (expected, records),
                "{layout:?} {framing:?}"
            );
            drop(sealed);
            assert_eq!(Arc::strong_count(batch), 1, "nobody holds it any more");
        }
        // One of two: their numbers have to follow each other.
        let both = [(); 2].map(|()| piece(Layout::Records, Framing::Bare));
        let (sealed, count) = framer.frame(&both, ANONYMOUS);
        assert_eq!((count, shares(&sealed, &both[0].of.batch)), (8_000, false));
    }

    #[test]
    fn a_long_batch_of_records_goes_by_itself() {
        let limits = Limits { bytes: 1_000_000, flows: 100_000 };
        for (layout, expected) in [(Layout::Records, [1, 1, 0]), (Layout::Delimited, [2, 0, 0])] {
            let mut queue: VecDeque<Piece> = [(); 2].map(|()| piece(layout, Framing::Bare)).into();
            let taken = expected.map(|_| {
                let mut taken = Vec::new();
                Framer::new(Compression::default()).take(&mut queue, limits, &mut taken);
                taken.len()
            });
            assert_eq!(taken, expected, "{layout:?}");
        }
    }
}
