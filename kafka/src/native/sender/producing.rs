//! Sending what is ready, as long as brokers take it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::Sender;
use crate::native::link::Asked;
use crate::native::record_batch::Sealed;
use crate::native::request::Head;

impl Sender {
    /// Sends what is ready, as long as brokers take it.
    pub(super) fn produce(&mut self, now: Instant) {
        self.due = None;
        if self.settings.idempotence && self.producer.is_none() {
            return;
        }
        let wanted: Vec<i32> = self.cluster.wanted().collect();
        for id in wanted {
            while self.may_produce(id, now) && self.produce_to(id, now) {}
        }
    }

    /// Is the broker there, and is it time? If time is all that lacks, notes when it is.
    fn may_produce(&mut self, id: i32, now: Instant) -> bool {
        let Some(is_full) = self.cluster.is_full(id) else { return false };
        let Some(link) = self.links.get_mut(&id) else { return false };
        let due =
            match (*link.lingers.get_or_insert(now) + self.settings.linger, link.throttled_until) {
                (_, Some(throttled)) if throttled > now => throttled,
                _ if is_full => now,
                (lingered, _) => lingered,
            };
        let requests_max = self.settings.requests_max;
        let Some(connection) = link.connection() else { return false };
        // An answer wakes us; one that will not be believed much longer is left when it has come.
        if connection.asked() >= requests_max || connection.is_old(now) {
            return false;
        }
        if due > now {
            self.due = Some(self.due.map_or(due, |sooner| sooner.min(due)));
        }
        due <= now
    }

    /// One request; `false` if there was nothing for it.
    fn produce_to(&mut self, id: i32, now: Instant) -> bool {
        let mut sent = Vec::new();
        let mut bytes_left = self.settings.batch_bytes;
        while bytes_left > 0 {
            let Some(place) = self.cluster.next_ready(id) else { break };
            let partition = self.cluster.partition(place);
            let batch = partition.batch(&mut self.framer, self.limits, self.producer);
            let Some(batch) = batch else { continue };
            partition.send(now);
            bytes_left = bytes_left.saturating_sub(batch.len());
            sent.push((place, batch));
        }
        let Some(link) = self.links.get_mut(&id) else { return false };
        link.lingers = None;
        if sent.is_empty() {
            return false;
        }
        let mut batches: Vec<(&str, i32, &Sealed)> = Vec::with_capacity(sent.len());
        for (place, batch) in &sent {
            let (topic, index) = self.cluster.address(*place);
            batches.push((topic, index, batch));
        }
        batches.sort_by_key(|(topic, index, _)| (*topic, *index));
        let Some(connection) = link.connection() else { return false };
        let head = Head {
            client_id: &self.settings.client_id,
            correlation: connection.next_correlation(),
        };
        let bytes: usize = sent.iter().map(|(_, batch)| batch.len()).sum();
        self.counts.wire.requests.fetch_add(1, Ordering::Relaxed);
        self.counts.wire.request_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let timeout_ms = self.settings.request_timeout.as_millis() as i32;
        let pieces = head.produce(self.settings.acks, timeout_ms, &batches);
        let sent = sent.into_iter().map(|(place, batch)| (place, batch.records)).collect();
        connection.send(pieces, Asked::Produce(sent), now);
        if let Err(error) = connection.flush() {
            self.lose(id, &error.to_string(), now);
        }
        true
    }
}
