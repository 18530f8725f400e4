//! One customer's way out: his topic, his wishes, and how much of his may be under way.
//!
//! Many flows of one batch go as they are: messages point into the worker's own batch. A few are
//! copied behind those of earlier batches and go together, since what a request costs, it costs for
//! one flow as for hundreds. Once his topic is silent everything is copied and bounded, so that a
//! topic that nobody serves holds no worker's batch, and costs nobody but him anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use neckar_kafka::{Producer, Topic};
use neckar_proto::{Batch, Rows};

use super::counts::TenantCounts;
use super::shape::Shape;

/// A topic that has flows under way and acknowledges none for so long is silent.
const SILENT: Duration = Duration::from_secs(1);
/// So many flows of one batch go as they are.
const MANY: usize = 256;
/// What is gathered goes when it has so many bytes.
const GATHERED_BYTES: usize = 64 << 10;

/// What all customers share.
pub(super) struct Room {
    pub(super) producer: Arc<Producer>,
    pub(super) tenant_bytes_max: u64,
    pub(super) bytes_max: u64,
}

/// One customer.
pub(super) struct Tenant {
    topic: Topic,
    shape: Option<Box<Shape>>,
    gathered: Batch,
    /// He gets many flows in a message, of so many bytes.
    packed_bytes: Option<usize>,
    counts: Arc<TenantCounts>,
    refused: Vec<u32>,
}

impl Tenant {
    pub(super) fn new(
        topic: Topic,
        shape: Option<Box<Shape>>,
        packed_bytes: Option<usize>,
        counts: Arc<TenantCounts>,
    ) -> Self {
        Self { topic, shape, gathered: Batch::growing(), packed_bytes, counts, refused: Vec::new() }
    }

    /// Do flows wait for others to go with?
    pub(super) fn has_gathered(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Sends him his `flows` of `batch`, or gathers them, and empties them. Never waits. `rows` is
    /// scratch.
    pub(super) fn serve(
        &mut self,
        batch: &Arc<Batch>,
        flows: &mut Vec<u32>,
        room: &Room,
        rows: &mut Rows,
    ) {
        let all = flows.len() as u64;
        self.counts.flows.fetch_add(all, Ordering::Relaxed);
        let shaped = self.shape.as_ref().and_then(|shape| shape.apply(batch, flows, rows));
        self.counts.filtered.fetch_add(all - flows.len() as u64, Ordering::Relaxed);
        let batch = shaped.as_ref().unwrap_or(batch);
        if flows.len() >= MANY && self.packed_bytes.is_none() && self.topic.silence() <= SILENT {
            self.flush(room);
            self.submit(batch, flows.iter().copied(), room);
        } else {
            self.gather(batch, flows, room);
        }
        flows.clear();
    }

    fn gather(&mut self, batch: &Batch, flows: &[u32], room: &Room) {
        let bytes_max = self.packed_bytes.unwrap_or(GATHERED_BYTES);
        for flow in flows {
            let flow = *flow as usize;
            if self.gathered.bytes().len() + batch.delimited(flow..flow + 1).len() > bytes_max {
                self.flush(room);
            }
            self.gathered.append(batch, flow);
        }
    }

    /// Sends what is gathered.
    pub(super) fn flush(&mut self, room: &Room) {
        if self.gathered.is_empty() {
            return;
        }
        // As many will come again, more or less.
        let next = Batch::growing_like(&self.gathered);
        let gathered = Arc::new(std::mem::replace(&mut self.gathered, next));
        self.submit(&gathered, 0..gathered.len() as u32, room);
    }

    fn submit(
        &mut self,
        batch: &Arc<Batch>,
        flows: impl ExactSizeIterator<Item = u32>,
        room: &Room,
    ) {
        if !self.has_room(room, batch.bytes().len() as u64) {
            return self.refuse(flows.len() as u64);
        }
        self.topic.submit_some(batch, flows, &mut self.refused);
        let refused = self.refused.len() as u64;
        self.refused.clear();
        self.refuse(refused);
    }

    /// May so many bytes go out?
    fn has_room(&self, room: &Room, bytes: u64) -> bool {
        let is_silent = self.topic.silence() > SILENT;
        let is_tight = room.producer.bytes_in_flight() >= room.bytes_max;
        let of_his = || self.topic.counts().bytes_in_flight + bytes;
        !(is_tight || is_silent && of_his() > room.tenant_bytes_max)
    }

    fn refuse(&self, flows: u64) {
        self.counts.refused.fetch_add(flows, Ordering::Relaxed);
    }
}
