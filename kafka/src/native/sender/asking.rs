//! Asking for what is to be known, and connecting to those who may know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Sender;
use crate::native::Message;
use crate::native::dial::DIAL;
use crate::native::link::{Asked, FIRST_SEED, Link, LinkState};
use crate::native::request::Head;

/// How long a question about topics may take before it is asked once more.
const PATIENCE: Duration = Duration::from_secs(2);
/// A seed that is not there after so long is not the only one tried.
const TURN: Duration = Duration::from_secs(1);

impl Sender {
    /// Asks for what is to be known, or connects to somebody who may know.
    pub(super) fn ask(&mut self, now: Instant) {
        let up = self.links.iter().filter(|(_, link)| link.is_up() && !link.is_throttled(now));
        // The one with the least to do; one that is stuck has much.
        let load = |link: &mut Link| link.connection().map_or(usize::MAX, |one| one.asked());
        let ids: Vec<i32> = up.map(|(id, _)| *id).collect();
        let least = ids.into_iter().min_by_key(|id| self.links.get_mut(id).map(load));
        let Some(id) = least else { return self.dial_seed(now) };
        let topics = self.cluster.due(now, PATIENCE);
        let needs_producer = self.lacks_producer(now);
        let Some(connection) = self.links.get_mut(&id).and_then(Link::connection) else { return };
        let client_id = &self.settings.client_id;
        if !topics.is_empty() {
            let head = Head { client_id, correlation: connection.next_correlation() };
            let request = head.metadata(topics.iter().map(AsRef::as_ref));
            connection.send([request], Asked::Metadata, now);
        }
        if needs_producer {
            let head = Head { client_id, correlation: connection.next_correlation() };
            connection.send([head.init_producer_id()], Asked::ProducerId, now);
            self.is_asking_producer = true;
        }
        if let Err(error) = connection.flush() {
            self.lose(id, &error.to_string(), now);
        }
    }

    /// Nobody is there: all whom we know take turns, those of the configuration first. One that takes
    /// long holds nobody else up.
    fn dial_seed(&mut self, now: Instant) {
        let has_turn = |since: Instant| now.duration_since(since) < TURN;
        if self.links.values().any(|link| link.dialing().is_some_and(has_turn)) {
            return;
        }
        let ids: Vec<i32> = self.links.keys().copied().collect();
        for _ in 0..ids.len() {
            // Negative numbers, the seeds, stand first; the configuration's first one last of them.
            let seeds = ids.iter().filter(|id| **id < 0).count();
            let id = match self.seed % ids.len() {
                turn if turn < seeds => FIRST_SEED - turn as i32,
                turn => ids[turn],
            };
            self.seed += 1;
            if self.links[&id].may_dial(now) {
                return self.dial(id, now);
            }
        }
    }

    pub(super) fn dial(&mut self, id: i32, now: Instant) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.may_dial(now)) else { return };
        link.state = LinkState::Dialing(now);
        let (dialer, inbox, address) =
            (Arc::clone(&self.dialer), self.inbox.clone(), link.address.clone());
        let dial = move || {
            let result = dialer.dial(&address, now + DIAL).map(Box::new);
            inbox.send(Message::Dialed(id, address, result));
        };
        if let Err(error) = std::thread::Builder::new().name("kafka-dial".into()).spawn(dial) {
            self.lose(id, &error.to_string(), now);
        }
    }

    /// Leaves brokers whose dialling does not end, in a name server's hands or by its thread's death.
    pub(super) fn leave_undialed(&mut self, now: Instant) {
        let is_late = |since: Instant| now.duration_since(since) > DIAL;
        let late = self.links.iter().filter(|(_, link)| link.dialing().is_some_and(is_late));
        let late: Vec<i32> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.lose(id, &format!("no connection within {DIAL:?}"), now);
        }
    }
}
