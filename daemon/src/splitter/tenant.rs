//! One customer's way out: his topic, his wishes, and how much of his may be under way.
//!
//! Many flows of one batch go as they are: messages point into the worker's own batch. A few are
//! copied behind those of earlier batches and go together, since what a request costs, it costs for
//! one flow as for hundreds. While his topic has no leader, is silent or has much under way everything
//! is copied, and bounded for him and for all who are stuck together: a topic that nobody serves holds
//! few of the workers' batches, and costs nobody but him anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use neckar_kafka::{Producer, Topic};
use neckar_proto::{Batch, Layout, Rows};

use super::counts::TenantCounts;
use super::shape::Shape;
use super::spare::Spare;
use super::tenants::FlowAt;

/// A topic that has flows under way and acknowledges none for so long is silent.
const SILENT: Duration = Duration::from_secs(1);
/// So many flows of one batch go as they are.
const MANY: usize = 256;
/// While so many bytes of his are under way: what is held if his topic falls silent, before that is
/// known.
const DIRECT_BYTES: u64 = 1 << 20;
/// What is gathered goes when it has so many bytes: what is around the last flow fits into 64 kB, too.
pub(super) const GATHERED_BYTES: usize = (64 << 10) - 64;

/// Flows fetched ahead of copying: few enough to be there still when their turn comes.
const NEAR: usize = 64;

/// What all customers share.
pub(super) struct Room {
    pub(super) producer: Arc<Producer>,
    pub(super) tenant_bytes_max: u64,
    pub(super) bytes_max: u64,
    /// Memory of what was sent.
    pub(super) spare: Spare,
    /// Bytes under way of those who are stuck, as of the last look and what went out since.
    pub(super) stuck_bytes: u64,
}

/// One customer.
pub(super) struct Tenant {
    topic: Topic,
    shape: Option<Box<Shape>>,
    /// What waits for others to go with, and how many bytes went at once before.
    gathered: Batch,
    gathered_bytes: usize,
    layout: Layout,
    /// He gets many flows in a message, of so many bytes.
    packed_bytes: Option<usize>,
    counts: Arc<TenantCounts>,
    refused: Vec<u32>,
}

impl Tenant {
    pub(super) fn new(
        topic: Topic,
        shape: Option<Box<Shape>>,
        layout: Layout,
        packed_bytes: Option<usize>,
        counts: Arc<TenantCounts>,
    ) -> Self {
        Self {
            topic,
            shape,
            gathered: Batch::growing(0),
            gathered_bytes: 0,
            layout,
            packed_bytes,
            counts,
            refused: Vec::new(),
        }
    }

    /// Do flows wait for others to go with?
    pub(super) fn has_gathered(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Sends him his `flows` of `batches`, or gathers them. Never waits. `rows` is scratch.
    pub(super) fn serve(
        &mut self,
        batches: &[Arc<Batch>],
        flows: &[FlowAt],
        room: &mut Room,
        rows: &mut Rows,
    ) {
        let (mut at, mut near) = (0, 0);
        for part in flows.chunk_by(|one, next| one.batch == next.batch) {
            if at >= near {
                near = flows.len().min(at + NEAR);
                bring_near(batches, &flows[at..near]);
            }
            at += part.len();
            let batch = &batches[part[0].batch as usize];
            let part = part.iter().map(|at| at.flow);
            if self.shape.is_some() {
                self.serve_shaped(batch, part.collect(), room, rows);
            } else {
                self.send(batch, part, room);
            }
        }
    }

    fn serve_shaped(
        &mut self,
        batch: &Arc<Batch>,
        mut flows: Vec<u32>,
        room: &mut Room,
        rows: &mut Rows,
    ) {
        let Some(shape) = &self.shape else { return };
        let all = flows.len();
        let shaped = shape.apply(batch, &mut flows, rows);
        let filtered = (all - flows.len()) as u64;
        self.counts.flows.fetch_add(filtered, Ordering::Relaxed);
        self.counts.filtered.fetch_add(filtered, Ordering::Relaxed);
        self.send(shaped.as_ref().unwrap_or(batch), flows.into_iter(), room);
    }

    fn send(
        &mut self,
        batch: &Arc<Batch>,
        flows: impl ExactSizeIterator<Item = u32>,
        room: &mut Room,
    ) {
        if flows.len() >= MANY && self.packed_bytes.is_none() && self.may_hold_batches() {
            self.flush(room);
            self.submit(batch, flows, room);
        } else {
            self.gather(batch, flows, room);
        }
    }

    fn gather(&mut self, batch: &Batch, flows: impl Iterator<Item = u32>, room: &mut Room) {
        let bytes_max = self.packed_bytes.unwrap_or(GATHERED_BYTES);
        for flow in flows {
            let flow = flow as usize;
            if self.gathered.bytes().len() + batch.delimited_len(flow) > bytes_max {
                self.flush(room);
            }
            if self.gathered.is_empty() {
                self.gathered = room.spare.take(self.gathered_bytes, self.layout);
            }
            self.gathered.append(batch, flow);
        }
    }

    /// Sends what is gathered.
    pub(super) fn flush(&mut self, room: &mut Room) {
        if self.gathered.is_empty() {
            return;
        }
        // As many will come again, more or less.
        self.gathered_bytes = self.gathered.bytes().len();
        let gathered = Arc::new(std::mem::replace(&mut self.gathered, Batch::growing(0)));
        room.spare.keep(&gathered);
        self.submit(&gathered, 0..gathered.len() as u32, room);
    }

    fn submit(
        &mut self,
        batch: &Arc<Batch>,
        flows: impl ExactSizeIterator<Item = u32>,
        room: &mut Room,
    ) {
        // Here and not when they are gathered: of a thousand customers' counts none is in the caches.
        self.counts.flows.fetch_add(flows.len() as u64, Ordering::Relaxed);
        let bytes = batch.bytes().len() as u64;
        if !self.has_room(room, bytes) {
            return self.refuse(flows.len() as u64);
        }
        room.stuck_bytes += if self.is_stuck() { bytes } else { 0 };
        self.topic.submit_some(batch, flows, &mut self.refused);
        let refused = self.refused.len() as u64;
        self.refused.clear();
        self.refuse(refused);
    }

    /// May so many bytes go out? Those who are stuck have half of the room at most: the others go on.
    fn has_room(&self, room: &Room, bytes: u64) -> bool {
        let is_tight = room.producer.bytes_in_flight() >= room.bytes_max;
        let is_too_much_stuck = || room.stuck_bytes + bytes > room.bytes_max / 2;
        let is_too_much_his =
            || self.is_silent() && self.bytes_in_flight() + bytes > room.tenant_bytes_max;
        !(is_tight || self.is_stuck() && is_too_much_stuck() || is_too_much_his())
    }

    /// Bytes of his that are under way and may stay so for long.
    pub(super) fn stuck_bytes(&self) -> u64 {
        let bytes = self.bytes_in_flight();
        if bytes > 0 && self.is_stuck() { bytes } else { 0 }
    }

    fn is_stuck(&self) -> bool {
        self.is_silent() || !self.topic.is_known()
    }

    fn is_silent(&self) -> bool {
        self.topic.silence() > SILENT
    }

    /// May he have a worker's own batch until Kafka has taken it?
    fn may_hold_batches(&self) -> bool {
        !self.is_stuck() && self.bytes_in_flight() < DIRECT_BYTES
    }

    fn bytes_in_flight(&self) -> u64 {
        self.topic.counts().bytes_in_flight
    }

    fn refuse(&self, flows: u64) {
        self.counts.refused.fetch_add(flows, Ordering::Relaxed);
    }
}

/// Has the processor fetch all of these flows at once, where copying would wait for one after the other:
/// they lie all over several batches.
fn bring_near(batches: &[Arc<Batch>], flows: &[FlowAt]) {
    let touch = |at: &FlowAt| batches[at.batch as usize].touch(at.flow as usize);
    std::hint::black_box(flows.iter().fold(0, |touched, at| touched ^ touch(at)));
}
