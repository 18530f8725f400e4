//! One partition: its queue, and the one batch of it that may be under way.
//!
//! One at a time, so that a batch that has to go again never comes behind a later one, with
//! idempotence or without; while it is under way the next one fills. That bounds a partition to a
//! batch a round trip, and costs nothing else: partitions share requests.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::framer::{Framer, Limits};
use super::queue::{Flows, Piece};
use super::record_batch::{ANONYMOUS, HEADER_BYTES, Identity, RECORD_BYTES, Sealed};
use super::verdict::Verdict;
use crate::counts::PURGED;

/// Kafka's name, as librdkafka has it, of a flow that is longer than the topic takes.
pub(super) const TOO_LONG: &str = "MessageSizeTooLarge";
/// Pauses between tries double so often.
const DOUBLINGS_MAX: u32 = 4;
/// A partition that is without a leader, or does not get rid of its batch, for so long gets nothing new.
const AILING: Duration = Duration::from_secs(2);
/// Finding out that a leader is gone and electing another takes less, whatever the cluster's time-outs.
const HOPELESS: Duration = Duration::from_secs(30);
/// A broker that knows a topic as it was does so for less: a partition that is not named for so long is
/// no more.
const GONE: Duration = Duration::from_secs(30);

/// Who we are to the brokers, if they are to drop what comes twice: number and epoch.
pub(super) type ProducerId = (i64, i16);

/// What a partition is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has nothing to send, or nobody to send it to.
    Idle,
    /// It stands in its leader's line.
    Ready,
    /// Its batch is under way.
    Sent,
    /// Its batch goes again after a pause.
    Paused,
}

/// A partition.
#[derive(Debug)]
pub(super) struct Partition {
    /// Place of its topic.
    pub(super) topic: usize,
    pub(super) index: i32,
    /// -1 if it has none.
    pub(super) leader: i32,
    /// Since when it has none.
    leaderless: Option<Instant>,
    /// Since when its batch is under way or goes again.
    trying: Option<Instant>,
    pub(super) state: State,
    queue: VecDeque<Piece>,
    /// The batch under way, or to go again.
    taken: Vec<Piece>,
    /// Of the batch under way; kept as long as the broker may have taken it.
    identity: Option<Identity>,
    records: i32,
    /// For whom we number, and the next number.
    numbering: (ProducerId, i32),
    /// Bytes that a batch may have, as far as known.
    limit: usize,
    /// Flows of so many bytes the topic does not take.
    too_long: Option<usize>,
    tries: u32,
}

impl Partition {
    pub(super) fn new(topic: usize, index: i32) -> Self {
        Self {
            topic,
            index,
            leader: -1,
            leaderless: None,
            trying: None,
            state: State::Idle,
            queue: VecDeque::new(),
            taken: Vec::new(),
            identity: None,
            records: 0,
            numbering: ((-1, -1), 0),
            limit: usize::MAX,
            too_long: None,
            tries: 0,
        }
    }

    /// Notes who leads it; answers who did before.
    pub(super) fn lead(&mut self, leader: i32, now: Instant) -> i32 {
        self.leaderless = (leader < 0).then(|| self.leaderless.unwrap_or(now));
        std::mem::replace(&mut self.leader, leader)
    }

    /// Its batch is under way.
    pub(super) fn send(&mut self, now: Instant) {
        self.state = State::Sent;
        self.trying.get_or_insert(now);
    }

    /// Is there nobody to lead it, or does its leader not take its batch, for longer than usual?
    pub(super) fn is_ailing(&self, now: Instant) -> bool {
        self.is_leaderless(now, AILING) || self.is_trying(now, AILING)
    }

    /// Should what waits here go elsewhere, though it comes behind later flows there?
    pub(super) fn is_to_be_left(&self, now: Instant) -> bool {
        self.is_leaderless(now, AILING) || self.is_trying(now, HOPELESS)
    }

    fn is_leaderless(&self, now: Instant, span: Duration) -> bool {
        self.leaderless.is_some_and(|since| now.duration_since(since) >= span)
    }

    fn is_trying(&self, now: Instant, span: Duration) -> bool {
        self.trying.is_some_and(|since| now.duration_since(since) >= span)
    }

    /// Has it been without a leader for longer than a broker may be behind the others?
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.is_leaderless(now, GONE)
    }

    /// Records of the batch under way.
    pub(super) fn records(&self) -> i32 {
        self.records
    }

    /// Number of the batch under way.
    #[cfg(test)]
    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Is there anything to send?
    pub(super) fn has_flows(&self) -> bool {
        !(self.queue.is_empty() && self.taken.is_empty())
    }

    /// Puts flows at the end; those that are known to be too long are given up instead.
    pub(super) fn push(&mut self, piece: Piece) {
        match self.too_long {
            None => self.queue.push_back(piece),
            Some(bytes) => self.queue.extend(shorter(piece, bytes)),
        }
    }

    /// The broker may have been told otherwise since: limits are found out anew.
    pub(super) fn forget_limits(&mut self) {
        self.limit = usize::MAX;
        self.too_long = None;
    }

    /// The batch to send: the one that has to go again, or the next. `None` if there is nothing.
    pub(super) fn batch(
        &mut self,
        framer: &mut Framer,
        mut limits: Limits,
        producer: Option<ProducerId>,
    ) -> Option<Sealed> {
        if self.taken.is_empty() {
            limits.bytes = limits.bytes.min(self.limit);
            framer.take(&mut self.queue, limits, &mut self.taken);
        }
        if self.taken.is_empty() {
            return None;
        }
        let identity = self.identity.unwrap_or_else(|| self.next_identity(producer));
        self.identity = Some(identity);
        let (batch, records) = framer.frame(&self.taken, identity);
        self.records = records;
        Some(batch)
    }

    fn next_identity(&mut self, producer: Option<ProducerId>) -> Identity {
        let Some(producer) = producer else { return ANONYMOUS };
        if self.numbering.0 != producer {
            self.numbering = (producer, 0);
        }
        let ((producer_id, epoch), sequence) = self.numbering;
        Identity { producer_id, epoch, sequence }
    }

    /// Does what the verdict on its batch asks for; answers the pause before it goes again. `true`
    /// beside it: the numbering has a hole that only a new producer's id closes.
    pub(super) fn settle(
        &mut self,
        verdict: &Verdict,
        retry: Duration,
    ) -> (Option<Duration>, bool) {
        self.state = State::Idle;
        let was_in_doubt = self.tries > 0;
        match verdict {
            Verdict::Delivered => {
                self.numbering.1 = self.numbering.1.wrapping_add(self.records) & i32::MAX;
                self.report(None);
                (None, false)
            }
            Verdict::Retry | Verdict::Refresh => (Some(self.pause(retry)), false),
            Verdict::Renumber => {
                self.identity = None;
                (Some(self.pause(retry)), true)
            }
            Verdict::Split => {
                self.split();
                (None, false)
            }
            Verdict::Drop(error) => {
                let is_numbered = self.identity.is_some_and(|identity| identity != ANONYMOUS);
                self.report(Some(error));
                (None, was_in_doubt && is_numbered)
            }
        }
    }

    fn pause(&mut self, retry: Duration) -> Duration {
        let pause = retry * 2_u32.pow(self.tries.min(DOUBLINGS_MAX));
        self.tries = self.tries.saturating_add(1);
        self.state = State::Paused;
        pause
    }

    fn report(&mut self, error: Option<&str>) {
        for piece in self.taken.drain(..) {
            piece.report(error);
        }
        self.identity = None;
        self.tries = 0;
        self.trying = None;
    }

    /// Half of it, next time; a single flow goes, and with it all that are as long.
    fn split(&mut self) {
        self.trying = None;
        let flows: usize = self.taken.iter().map(|piece| piece.flows.len()).sum();
        let bytes: usize = self.taken.iter().map(Piece::bytes).sum();
        if flows > 1 {
            self.limit = (HEADER_BYTES + bytes + flows * RECORD_BYTES) / 2;
            for piece in self.taken.drain(..).rev() {
                self.queue.push_front(piece);
            }
        } else {
            let bytes = self.taken.iter().map(Piece::longest).max().unwrap_or(bytes);
            self.too_long = Some(bytes);
            self.report(Some(TOO_LONG));
            let queue = std::mem::take(&mut self.queue);
            self.queue.extend(queue.into_iter().flat_map(|piece| shorter(piece, bytes)));
        }
        self.identity = None;
    }

    /// Ends everything: time is up. `true` if the broker may have taken the batch all the same: its
    /// numbers must not be given again, or it would take the next batch for this one.
    pub(super) fn give_up(&mut self) -> bool {
        let has_hole = self.identity.is_some_and(|identity| identity != ANONYMOUS);
        let [queued, in_flight] = PURGED;
        self.report(Some(if self.state == State::Sent { in_flight } else { queued }));
        for piece in self.queue.drain(..) {
            piece.report(Some(queued));
        }
        self.state = State::Idle;
        has_hole
    }

    /// Takes out what is in no batch and has no key that binds it to this partition.
    pub(super) fn take_free(&mut self) -> Vec<Piece> {
        let (bound, free) = self.queue.drain(..).partition(Piece::has_keys);
        self.queue = bound;
        free.into()
    }

    /// Takes out what was not sent: the partition is no more. `with_sent`, a batch that the broker may
    /// have taken goes, too; `true` beside it as in [`Self::give_up`].
    pub(super) fn take_all(&mut self, with_sent: bool) -> (Vec<Piece>, bool) {
        if !with_sent || self.state == State::Sent {
            return (self.queue.drain(..).collect(), false);
        }
        self.state = State::Idle;
        self.trying = None;
        let identity = self.identity.take();
        let has_hole = identity.is_some_and(|identity| identity != ANONYMOUS);
        (self.taken.drain(..).chain(self.queue.drain(..)).collect(), has_hole)
    }

    /// Is there enough for a whole batch?
    pub(super) fn is_full(&self, limits: Limits) -> bool {
        let enough = limits.flows.min(limits.bytes / TYPICAL_BYTES);
        let mut flows = 0;
        self.queue.iter().any(|piece| {
            flows += piece.flows.len();
            flows >= enough
        })
    }

    /// When it may go again.
    pub(super) fn resume(&mut self) -> bool {
        let was_paused = self.state == State::Paused;
        if was_paused {
            self.state = State::Idle;
        }
        was_paused
    }
}

/// What a flow takes in a batch, more or less.
const TYPICAL_BYTES: usize = 130;

/// Without the flows that have so many bytes; those are given up.
fn shorter(piece: Piece, bytes: usize) -> Option<Piece> {
    let len = |flow: &u32| piece.of.batch.flow(*flow as usize).len();
    let (short, long): (Vec<u32>, Vec<u32>) =
        piece.flows.iter().partition(|flow| len(flow) < bytes);
    if long.is_empty() {
        return Some(piece);
    }
    let part = |flows: Vec<u32>| Piece {
        of: std::sync::Arc::clone(&piece.of),
        flows: Flows::listed(flows.into()),
    };
    part(long).report(Some(TOO_LONG));
    (!short.is_empty()).then(|| part(short))
}

/// When a partition may go again.
pub(super) type Resumption = std::cmp::Reverse<(Instant, usize)>;
