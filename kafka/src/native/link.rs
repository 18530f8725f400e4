//! The way to one broker: its connection, or why there is none.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::connection::Connection;

/// A seed is a broker of the configuration, whose number is not known: counted down from here.
pub(super) const FIRST_SEED: i32 = -1;

/// What was asked.
pub(super) enum Asked {
    /// To take batches: places of partitions, and the records.
    Produce(Vec<(usize, Vec<Bytes>)>),
    /// About topics.
    Metadata,
    /// For a producer's number.
    ProducerId,
}

/// The way to one broker.
pub(super) struct Link {
    pub(super) address: String,
    pub(super) state: LinkState,
    /// Tries to connect in a row that failed.
    failures: u32,
    /// The broker wants to be left alone until then.
    pub(super) throttled_until: Option<Instant>,
    /// Since when the first in its line waits for others to go with it.
    pub(super) lingers: Option<Instant>,
}

/// Is it up?
pub(super) enum LinkState {
    /// No, and it is not tried again before then.
    Down(Instant),
    /// It is being connected, since then.
    Dialing(Instant),
    /// Yes.
    Up(Box<Connection<Asked>>),
}

impl Link {
    pub(super) fn new(address: String, now: Instant) -> Self {
        let state = LinkState::Down(now);
        Self { address, state, failures: 0, throttled_until: None, lingers: None }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, LinkState::Up(_))
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.state, LinkState::Down(_))
    }

    /// Since when it is being connected, if it is.
    pub(super) fn dialing(&self) -> Option<Instant> {
        match self.state {
            LinkState::Dialing(since) => Some(since),
            _ => None,
        }
    }

    /// May a try to connect begin?
    pub(super) fn may_dial(&self, now: Instant) -> bool {
        matches!(self.state, LinkState::Down(until) if now >= until)
    }

    pub(super) fn connection(&mut self) -> Option<&mut Connection<Asked>> {
        match &mut self.state {
            LinkState::Up(connection) => Some(connection),
            _ => None,
        }
    }

    /// It is up.
    pub(super) fn rise(&mut self, connection: Connection<Asked>) {
        self.failures = 0;
        self.state = LinkState::Up(Box::new(connection));
    }

    /// It is down, or stays so; pauses double from the shorter to the longer `backoff`, each of them
    /// shortened by chance so that many daemons do not come back at one moment.
    pub(super) fn fall(
        &mut self,
        now: Instant,
        backoff: (Duration, Duration),
        chance: f64,
    ) -> Option<Box<Connection<Asked>>> {
        const SHORTENED_MAX: f64 = 0.5;
        let longest = backoff.0 * 2_u32.pow(self.failures.min(16));
        let pause = longest.min(backoff.1).mul_f64(1.0 - SHORTENED_MAX * chance);
        self.failures = self.failures.saturating_add(1);
        self.throttled_until = None;
        match std::mem::replace(&mut self.state, LinkState::Down(now + pause)) {
            LinkState::Up(connection) => Some(connection),
            _ => None,
        }
    }

    /// Does the broker want to be left alone?
    pub(super) fn is_throttled(&self, now: Instant) -> bool {
        self.throttled_until.is_some_and(|until| now < until)
    }

    /// It wants to, from now on.
    pub(super) fn throttle(&mut self, now: Instant, milliseconds: i32) {
        if let Some(milliseconds) = u64::try_from(milliseconds).ok().filter(|ms| *ms > 0) {
            self.throttled_until = Some(now + Duration::from_millis(milliseconds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(link: &Link, now: Instant) -> u128 {
        match link.state {
            LinkState::Down(until) => (until - now).as_millis(),
            _ => panic!("it is down"),
        }
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        let now = Instant::now();
        let backoff = (Duration::from_millis(100), Duration::from_secs(1));
        let mut link = Link::new("192.0.2.1:9092".into(), now);
        assert!(link.may_dial(now));
        let mut pauses = Vec::new();
        for _ in 0..6 {
            link.fall(now, backoff, 0.0);
            pauses.push(pause(&link, now));
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        link.fall(now, backoff, 1.0);
        assert_eq!(pause(&link, now), 500);
        assert!(!link.may_dial(now));
    }

    #[test]
    fn a_broker_is_left_alone_as_long_as_it_wants() {
        let now = Instant::now();
        let mut link = Link::new("192.0.2.1:9092".into(), now);
        link.throttle(now, 0);
        assert!(!link.is_throttled(now));
        link.throttle(now, 50);
        assert!(link.is_throttled(now + Duration::from_millis(49)));
        assert!(!link.is_throttled(now + Duration::from_millis(50)));
    }
}
