//! Flows into a partition's record batch, as the topic wants them framed.

use std::collections::VecDeque;

use super::compress::{Codec, Compression, Compressor};
use super::queue::Piece;
use super::record_batch::{HEADER_BYTES, Identity, RECORD_BYTES, RecordBatch};
use crate::framing::Framing;
use crate::packer::{pack_len, side_by_side, together};

/// Buffers kept for the next batches.
const SPARE_MAX: usize = 8;
/// Smaller ones are not worth it.
const SPARE_BYTES: usize = 64 << 10;
/// What capacities are multiples of.
const STEP_BYTES: usize = 256 << 10;

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
            // As a rule, all of it fits.
            let all = piece.bytes() + piece.flows.len() * RECORD_BYTES;
            if bytes + all <= limits.bytes && flows + piece.flows.len() <= limits.flows {
                (bytes, flows) = (bytes + all, flows + piece.flows.len());
                taken.extend(queue.pop_front());
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
    pub(super) fn frame(&mut self, pieces: &[Piece], identity: Identity) -> (Vec<u8>, i32) {
        let bytes: usize = pieces.iter().map(Piece::bytes).sum();
        let flows: usize = pieces.iter().map(|piece| piece.flows.len()).sum();
        let room = HEADER_BYTES + bytes + (flows + 1) * RECORD_BYTES;
        let mut batch = RecordBatch::open(self.memory(room));
        for piece in pieces {
            self.push(piece, &mut batch);
        }
        let records = batch.records();
        let spare = match self.compressor.codec() {
            Codec::None => Vec::new(),
            _ => self.memory(room / 2),
        };
        // A level that the codec does not have is refused at start.
        let sealed = batch.seal(&mut self.compressor, identity, spare);
        let (sealed, spare) = sealed.expect("compressing into memory");
        self.give_back(spare);
        (sealed, records)
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
                    into.push(time_ms, key(flow), batch.delimited(flow..flow + 1));
                }
            }
            Framing::Packed => {
                self.list.clear();
                self.list.extend(piece.flows.iter());
                let mut rest = &self.list[..];
                while !rest.is_empty() {
                    let (pack, behind) = rest.split_at(pack_len(batch, rest, options.packed_bytes));
                    match side_by_side(pack) {
                        Some(range) => into.push(time_ms, &[], batch.delimited(range)),
                        None => into.push(time_ms, &[], &together(batch, pack)),
                    }
                    rest = behind;
                }
            }
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

    /// Memory that nobody needs any more.
    pub(super) fn give_back(&mut self, bytes: Vec<u8>) {
        if bytes.capacity() >= SPARE_BYTES && self.spare.len() < SPARE_MAX {
            self.spare.push(bytes);
        }
    }
}
