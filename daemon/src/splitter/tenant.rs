//! One customer's way out: his topic, his wishes, and how much of his may be under way.
//!
//! While his topic acknowledges, messages point into the workers' own batches. Once it is silent
//! his copies are real ones and bounded, so that a topic that nobody serves holds no worker's batch
//! for longer than a second's worth, and costs nobody but him anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use neckar_kafka::{Packer, Producer, Topic};
use neckar_proto::{Batch, Rows};

use super::counts::TenantCounts;
use super::shape::Shape;

/// A topic that has flows under way and acknowledges none for so long is silent.
const SILENT: Duration = Duration::from_secs(1);

/// What all customers share.
pub(super) struct Room {
    pub(super) producer: Arc<Producer>,
    pub(super) tenant_bytes_max: u64,
    pub(super) bytes_max: u64,
    pub(super) linger: Duration,
}

/// One customer.
pub(super) struct Tenant {
    topic: Topic,
    shape: Option<Box<Shape>>,
    packing: Option<Packing>,
    counts: Arc<TenantCounts>,
    refused: Vec<u32>,
}

/// The message that flows of several batches are being put into.
struct Packing {
    packer: Packer,
    since: Instant,
}

impl Tenant {
    pub(super) fn new(
        topic: Topic,
        shape: Option<Box<Shape>>,
        packer: Option<Packer>,
        counts: Arc<TenantCounts>,
    ) -> Self {
        let packing = packer.map(|packer| Packing { packer, since: Instant::now() });
        Self { topic, shape, packing, counts, refused: Vec::new() }
    }

    /// Does he get many flows in a message?
    pub(super) fn packs(&self) -> bool {
        self.packing.is_some()
    }

    /// Sends him his `flows` of `batch`, and empties them. Never waits. `rows` is scratch.
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
        if self.packs() {
            self.pack(batch, flows, room);
        } else {
            self.submit(batch, flows, room);
        }
        flows.clear();
    }

    fn submit(&mut self, batch: &Arc<Batch>, flows: &[u32], room: &Room) {
        let bytes = || flows.iter().map(|flow| batch.flow(*flow as usize).len() as u64).sum();
        if !self.has_room(room, bytes) {
            return self.refuse(flows.len() as u64);
        }
        self.topic.submit_some(batch, flows.iter().copied(), &mut self.refused);
        let refused = self.refused.len() as u64;
        self.refused.clear();
        self.refuse(refused);
    }

    /// May so many bytes go out? A silent topic gets copies from then on.
    fn has_room(&mut self, room: &Room, bytes: impl Fn() -> u64) -> bool {
        let is_silent = self.topic.silence() > SILENT;
        self.topic.copy(is_silent);
        let is_tight = room.producer.bytes_in_flight() >= room.bytes_max;
        let of_his = || self.topic.counts().bytes_in_flight + bytes();
        !(is_tight || is_silent && of_his() > room.tenant_bytes_max)
    }

    fn refuse(&self, flows: u64) {
        self.counts.refused.fetch_add(flows, Ordering::Relaxed);
    }

    fn pack(&mut self, batch: &Batch, flows: &[u32], room: &Room) {
        for flow in flows {
            let Some(Packing { packer, since }) = &mut self.packing else { return };
            if packer.flows() == 0 {
                *since = Instant::now();
            }
            if !packer.push(batch, *flow) {
                self.flush(room);
                let packing = self.packing.as_mut().expect("it is there, see above");
                assert!(packing.packer.push(batch, *flow), "an empty message takes any flow");
            }
        }
    }

    /// Sends the message that is being filled if it has waited long enough, or now.
    pub(super) fn tend(&mut self, room: &Room, now: bool) {
        let Some(Packing { packer, since }) = &self.packing else { return };
        if packer.flows() > 0 && (now || since.elapsed() >= room.linger) {
            self.flush(room);
        }
    }

    fn flush(&mut self, room: &Room) {
        let Some(mut packing) = self.packing.take() else { return };
        let packer = &mut packing.packer;
        let (flows, bytes) = (packer.flows(), packer.bytes());
        if !self.has_room(room, || bytes) || !self.topic.submit_packer(packer) {
            self.refuse(flows);
            packer.clear();
        }
        packing.since = Instant::now();
        self.packing = Some(packing);
    }
}
