//! What is known of topics, and which flows go to which partition. No sockets and no clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::framer::Limits;
use super::partition::{Partition, State};
use super::queue::{Flows, Piece};
use super::response::TopicTold;
use super::verdict;
use crate::counts::PURGED;
use crate::leaders::Leaders;
use crate::partitioner::sort_by_key;

/// How soon a topic is asked for again while something is missing, and at the latest.
const SOON: Duration = Duration::from_millis(100);
const DOUBLINGS_MAX: u32 = 6;
/// After so many, some three seconds, it is worth a word.
const MISSES: u32 = 5;
/// Topics that one request asks for.
const TOPICS_MAX: usize = 1000;

fn sooner(one: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(one.map_or(other, |one| one.min(other)))
}

/// A topic, whoever produces to it.
struct Topic {
    name: Arc<str>,
    /// For those who submit.
    leaders: Arc<Leaders>,
    /// Places of its partitions, by number, those among them that are no more.
    partitions: Vec<usize>,
    /// How many there are.
    count: usize,
    /// Places of those that have a leader: batches take turns.
    led: Vec<usize>,
    turn: usize,
    /// What waits until it is known.
    waiting: VecDeque<Piece>,
    /// Why the brokers take nothing for it, by their last word: its flows wait, since they may be told
    /// otherwise.
    refused: Option<String>,
    ask_at: Instant,
    /// Answers in a row that left something missing.
    misses: u32,
}

/// Topics, partitions, and the line of partitions before each broker.
pub(super) struct Cluster {
    topics: Vec<Topic>,
    names: HashMap<Arc<str>, usize>,
    /// Topics by the key of those who submit.
    keys: HashMap<usize, usize>,
    partitions: Vec<Partition>,
    ready: BTreeMap<i32, VecDeque<usize>>,
    limits: Limits,
    refresh: Duration,
    places: Vec<Vec<u32>>,
    /// No topic is to be asked for before: of many, few are, and they are looked through seldom.
    next_ask: Option<Instant>,
    /// Numbers went with a partition that is no more.
    has_hole: bool,
}

impl Cluster {
    pub(super) fn new(limits: Limits, refresh: Duration) -> Self {
        Self {
            topics: Vec::new(),
            names: HashMap::new(),
            keys: HashMap::new(),
            partitions: Vec::new(),
            ready: BTreeMap::new(),
            limits,
            refresh,
            places: Vec::new(),
            next_ask: None,
            has_hole: false,
        }
    }

    /// Somebody will submit to this topic, under this key.
    pub(super) fn register(&mut self, key: usize, name: &str, leaders: Arc<Leaders>, now: Instant) {
        if let Some(place) = self.names.get(name) {
            self.keys.insert(key, *place);
            return;
        }
        let (name, place): (Arc<str>, _) = (name.into(), self.topics.len());
        self.next_ask = sooner(self.next_ask, now);
        self.names.insert(Arc::clone(&name), place);
        self.keys.insert(key, place);
        self.topics.push(Topic {
            name,
            leaders,
            partitions: Vec::new(),
            count: 0,
            led: Vec::new(),
            turn: place,
            waiting: VecDeque::new(),
            refused: None,
            ask_at: now,
            misses: 0,
        });
    }

    /// Flows for the topic of this key.
    pub(super) fn submit(&mut self, key: usize, piece: Piece, now: Instant) {
        // Registered before anything was submitted.
        self.assign(self.keys[&key], piece, now);
    }

    fn assign(&mut self, place: usize, piece: Piece, now: Instant) {
        let topic = &mut self.topics[place];
        if topic.led.is_empty() {
            return topic.waiting.push_back(piece);
        }
        if piece.has_keys() {
            return self.assign_by_key(place, &piece);
        }
        topic.turn = topic.turn.wrapping_add(1);
        let turns = (0..topic.led.len()).map(|step| topic.turn.wrapping_add(step));
        let mut in_turn = turns.map(|turn| topic.led[turn % topic.led.len()]);
        // One that does not get rid of its batch would take as many flows as the others, and keep them.
        let well = in_turn.clone().find(|at| !self.partitions[*at].is_ailing(now));
        if let Some(at) = well.or_else(|| in_turn.next()) {
            self.push(at, piece);
        }
    }

    fn assign_by_key(&mut self, place: usize, piece: &Piece) {
        let partitions = self.topics[place].count;
        let mut places = std::mem::take(&mut self.places);
        sort_by_key(&piece.of.batch, piece.flows.iter(), partitions as u32, &mut places);
        for (index, flows) in places.iter().enumerate().filter(|(_, flows)| !flows.is_empty()) {
            let flows = Flows::listed(flows.as_slice().into());
            let at = self.topics[place].partitions[index];
            self.push(at, Piece { of: Arc::clone(&piece.of), flows });
        }
        self.places = places;
    }

    fn push(&mut self, at: usize, piece: Piece) {
        self.partitions[at].push(piece);
        self.make_ready(at);
    }

    /// Puts the partition into its leader's line, if it has reason to stand there.
    pub(super) fn make_ready(&mut self, at: usize) {
        let partition = &mut self.partitions[at];
        if partition.state == State::Idle && partition.has_flows() && partition.leader >= 0 {
            partition.state = State::Ready;
            self.ready.entry(partition.leader).or_default().push_back(at);
        }
    }

    /// Brokers that somebody waits for.
    pub(super) fn wanted(&self) -> impl Iterator<Item = i32> + '_ {
        self.ready.iter().filter(|(_, line)| !line.is_empty()).map(|(id, _)| *id)
    }

    /// Is somebody waiting for this broker, and is it with a whole batch? Then there is no reason to
    /// linger.
    pub(super) fn is_full(&self, broker: i32) -> Option<bool> {
        let first = self.ready.get(&broker).and_then(VecDeque::front)?;
        Some(self.partitions[*first].is_full(self.limits))
    }

    /// The next partition in the broker's line.
    pub(super) fn next_ready(&mut self, broker: i32) -> Option<usize> {
        loop {
            let at = self.ready.get_mut(&broker)?.pop_front()?;
            let partition = &mut self.partitions[at];
            if partition.state != State::Ready {
                continue;
            }
            partition.state = State::Idle;
            if partition.leader == broker {
                return Some(at);
            }
            self.make_ready(at);
        }
    }

    pub(super) fn partition(&mut self, at: usize) -> &mut Partition {
        &mut self.partitions[at]
    }

    /// Name of its topic, and its number.
    pub(super) fn address(&self, at: usize) -> (&Arc<str>, i32) {
        let partition = &self.partitions[at];
        (&self.topics[partition.topic].name, partition.index)
    }

    /// Place of a partition.
    pub(super) fn find(&self, topic: &str, index: i32) -> Option<usize> {
        let topic = &self.topics[*self.names.get(topic)?];
        topic.partitions.get(usize::try_from(index).ok()?).copied()
    }

    /// The batch of a partition that is under way is in the topic, from this offset on.
    pub(super) fn note_offset(&mut self, at: usize, first: i64) {
        let partition = &self.partitions[at];
        let topic = &mut self.topics[partition.topic];
        topic.refused = None;
        // Any number may stand in an answer.
        let last = first.saturating_add(i64::from(partition.records()) - 1);
        topic.leaders.note_offset(partition.index, last);
    }

    /// The batch of a partition that is under way is not taken, nor will others of its topic be.
    pub(super) fn note_refusal(&mut self, at: usize, why: String) {
        self.topics[self.partitions[at].topic].refused = Some(why);
    }

    /// Does no partition of this one's topic get rid of its flows?
    pub(super) fn is_stalled(&self, at: usize, now: Instant) -> bool {
        !self.is_taking(self.partitions[at].topic, now)
    }

    fn is_taking(&self, place: usize, now: Instant) -> bool {
        self.topics[place].led.iter().any(|at| !self.partitions[*at].is_ailing(now))
    }

    /// Something about the partition's topic is not so any more.
    pub(super) fn doubt(&mut self, at: usize, now: Instant) {
        let topic = &mut self.topics[self.partitions[at].topic];
        topic.ask_at = topic.ask_at.min(now);
        self.next_ask = sooner(self.next_ask, now);
    }

    /// A broker is not there, or not known: its partitions may have other leaders by now.
    pub(super) fn doubt_leader(&mut self, broker: i32, now: Instant) {
        for partition in self.partitions.iter().filter(|partition| partition.leader == broker) {
            let topic = &mut self.topics[partition.topic];
            topic.ask_at = topic.ask_at.min(now + SOON);
            self.next_ask = sooner(self.next_ask, now + SOON);
        }
    }

    /// A topic that flows wait for and that is not to be had, for people.
    pub(super) fn missing(&self) -> Option<String> {
        self.topics.iter().find_map(|topic| {
            let name = &topic.name;
            match &topic.refused {
                Some(why) if self.has_flows(topic) => Some(format!("topic {name}: {why}")),
                None if topic.misses >= MISSES && !topic.waiting.is_empty() => {
                    Some(format!("topic {name} is not there, or nobody leads it"))
                }
                _ => None,
            }
        })
    }

    fn has_flows(&self, topic: &Topic) -> bool {
        let has_flows = |at: &usize| self.partitions[*at].has_flows();
        !topic.waiting.is_empty() || topic.partitions.iter().any(has_flows)
    }

    /// Is there a topic to be asked for?
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.next_ask) {
            self.next_ask = self.topics.iter().map(|topic| topic.ask_at).min();
        }
        is_due(self.next_ask)
    }

    /// Names of topics to be asked for; asked once more in `timeout` unless the answer comes.
    pub(super) fn due(&mut self, now: Instant, timeout: Duration) -> Vec<Arc<str>> {
        let due = self.topics.iter_mut().filter(|topic| topic.ask_at <= now).take(TOPICS_MAX);
        due.map(|topic| {
            topic.ask_at = now + timeout;
            Arc::clone(&topic.name)
        })
        .collect()
    }

    /// Notes what a broker says of a topic.
    pub(super) fn told(&mut self, told: &TopicTold<'_>, now: Instant) {
        let Some(place) = self.names.get(told.name).copied() else { return };
        self.note_leaders(place, &told.partitions, now);
        let topic = &mut self.topics[place];
        let is_whole = told.error == 0 && topic.count > 0 && topic.led.len() == topic.count;
        topic.misses = if is_whole { 0 } else { topic.misses.saturating_add(1) };
        let soon = SOON * 2_u32.pow(topic.misses.min(DOUBLINGS_MAX));
        topic.ask_at = now + if is_whole { self.refresh } else { soon };
        self.next_ask = sooner(self.next_ask, topic.ask_at);
        // One that may be looked at is not yet one that may be written to: a batch that comes through
        // says so.
        if told.error != 0 {
            topic.refused = verdict::refusal(told.error);
        }
        let waiting = std::mem::take(&mut topic.waiting);
        waiting.into_iter().for_each(|piece| self.assign(place, piece, now));
        self.relieve(place, now);
    }

    /// Flows that wait for a partition that takes none for long go to others that do, if there are any: they
    /// would else keep the caller's batches. They come behind later ones there; a batch that was sent
    /// stays, since it may be in the partition.
    fn relieve(&mut self, place: usize, now: Instant) {
        if !self.is_taking(place, now) {
            return;
        }
        for at in self.topics[place].partitions.clone() {
            if self.partitions[at].is_to_be_left(now) {
                let free = self.partitions[at].take_free();
                free.into_iter().for_each(|piece| self.assign(place, piece, now));
            }
        }
    }

    /// The batch of this partition has to go again.
    pub(super) fn relieve_one(&mut self, at: usize, now: Instant) {
        if self.partitions[at].is_to_be_left(now) {
            self.relieve(self.partitions[at].topic, now);
        }
    }

    /// A topic that is not there keeps the partitions it had, without leaders: it may be made anew.
    fn note_leaders(&mut self, place: usize, told: &[(i32, i32)], now: Instant) {
        let known = self.topics[place].partitions.len();
        // Numbers run from 0; a broker that says otherwise is not believed beyond their count.
        for index in known..told.len() {
            self.topics[place].partitions.push(self.partitions.len());
            self.partitions.push(Partition::new(place, index as i32));
        }
        let leaders: BTreeMap<i32, i32> = told.iter().copied().collect();
        let all = self.topics[place].partitions.clone();
        for at in &all {
            let partition = &mut self.partitions[*at];
            partition.forget_limits();
            let leader = leaders.get(&partition.index);
            let before = partition.lead(leader.copied().unwrap_or(-1), now);
            if partition.state == State::Ready && partition.leader != before {
                // Its old leader may never be there again to let it go.
                partition.state = State::Idle;
                self.ready.entry(before).or_default().retain(|other| other != at);
            }
            if leader.is_none() && !told.is_empty() {
                // The topic was made anew with fewer.
                let is_gone = partition.is_gone(now);
                let (pieces, has_hole) = partition.take_all(is_gone);
                self.topics[place].waiting.extend(pieces);
                self.has_hole |= has_hole;
            }
            self.make_ready(*at);
        }
        if !told.is_empty() {
            self.topics[place].count = told.len();
        }
        let led = |at: &usize| self.partitions[*at].leader >= 0;
        let led: Vec<usize> = all.into_iter().filter(led).collect();
        let indices: Vec<i32> = led.iter().map(|at| self.partitions[*at].index).collect();
        let topic = &mut self.topics[place];
        topic.leaders.set(&indices, topic.count as u32);
        topic.led = led;
    }

    /// Must we number anew, as after [`Partition::give_up`]? Asked once.
    pub(super) fn take_hole(&mut self) -> bool {
        std::mem::take(&mut self.has_hole)
    }

    /// Gives up on everything. `true` if we must number anew: see [`Partition::give_up`].
    pub(super) fn purge(&mut self) -> bool {
        let waiting = self.topics.iter_mut().flat_map(|topic| topic.waiting.drain(..));
        waiting.for_each(|piece| piece.report(Some(PURGED[0])));
        self.ready.clear();
        let give_up = |has_hole, partition: &mut Partition| partition.give_up() || has_hole;
        self.partitions.iter_mut().fold(false, give_up)
    }
}

#[cfg(test)]
mod tests;
