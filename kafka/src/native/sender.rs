//! The thread that has the connections: it takes what is submitted, sends, hears, and tries again.

use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use mio::{Events, Poll, Token};

use super::cluster::Cluster;
use super::connection::Connection;
use super::dial::{Dialer, name_of};
use super::framer::{Framer, Limits};
use super::link::{Asked, FIRST_SEED, Link};
use super::partition::{ProducerId, Resumption, State};
use super::response::{self, Reader};
use super::settings::Settings;
use super::verdict::{self, Verdict};
use super::{Inbox, Message, token};
use crate::counts::Counts;

mod asking;
mod producing;

/// The token of the wake-up; no broker has it.
pub(super) const WAKER: Token = Token(usize::MAX);
/// How often what is not urgent is looked after.
const TICK: Duration = Duration::from_millis(50);
/// A broker that has been asked and says nothing for so long is in trouble.
const SILENCE: Duration = Duration::from_secs(3);
/// Between one refusal of a producer's number and the next question.
const PAUSE: Duration = Duration::from_secs(1);
/// Messages taken between looks at the sockets.
const MESSAGES_MAX: usize = 4096;

/// What the thread has.
pub(super) struct Sender {
    settings: Settings,
    counts: Arc<Counts>,
    dialer: Arc<Dialer>,
    inbox: Inbox,
    messages: Receiver<Message>,
    poll: Poll,
    cluster: Cluster,
    framer: Framer,
    limits: Limits,
    links: BTreeMap<i32, Link>,
    seed: usize,
    /// When the next broker's line has lingered long enough, or is not throttled any more.
    due: Option<Instant>,
    /// When which partition may go again.
    resumptions: BinaryHeap<Resumption>,
    /// Who we are, if brokers are to know; asked for when there is none.
    producer: Option<ProducerId>,
    is_asking_producer: bool,
    /// A broker that refuses a number is not asked again before.
    ask_producer_at: Instant,
    /// When a broker said something last.
    heard: Instant,
    ticked: Instant,
    chance: RandomState,
}

impl Sender {
    pub(super) fn new(
        (settings, counts, dialer, inbox): (Settings, Arc<Counts>, Dialer, Inbox),
        poll: Poll,
        messages: Receiver<Message>,
    ) -> Self {
        let now = Instant::now();
        let limits = Limits { bytes: settings.batch_bytes, flows: settings.batch_flows };
        let seeds = settings.brokers.iter().enumerate();
        let link = |(index, address): (usize, &String)| {
            (FIRST_SEED - index as i32, Link::new(address.clone(), now))
        };
        Self {
            links: seeds.map(link).collect(),
            cluster: Cluster::new(limits, settings.refresh),
            framer: Framer::new(settings.compression),
            limits,
            settings,
            counts,
            dialer: Arc::new(dialer),
            inbox,
            messages,
            poll,
            seed: 0,
            due: None,
            resumptions: BinaryHeap::new(),
            producer: None,
            is_asking_producer: false,
            ask_producer_at: now,
            heard: now,
            ticked: now,
            chance: RandomState::new(),
        }
    }

    /// Until it is told to stop.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(256);
        loop {
            self.sleep(&mut events);
            let now = Instant::now();
            for event in &events {
                if event.token() != WAKER {
                    self.serve(event.token(), now);
                }
            }
            if !self.take_messages(now) {
                return;
            }
            self.resume(now);
            if now.duration_since(self.ticked) >= TICK {
                self.tick(now);
            }
            self.produce(now);
        }
    }

    fn sleep(&mut self, events: &mut Events) {
        let now = Instant::now();
        let mut until = self.ticked + TICK;
        if let Some(std::cmp::Reverse((at, _))) = self.resumptions.peek() {
            until = until.min(*at);
        }
        if let Some(due) = self.due {
            until = until.min(due);
        }
        self.inbox.sleeps.store(true, Ordering::SeqCst);
        let wait = match self.messages.is_empty() {
            true => until.saturating_duration_since(now),
            false => Duration::ZERO,
        };
        // Rounded up by mio to its clock's grain. A signal ends it early, which does no harm.
        if self.poll.poll(events, Some(wait)).is_err() {
            events.clear();
        }
        self.inbox.sleeps.store(false, Ordering::SeqCst);
    }

    /// `false` at the end.
    fn take_messages(&mut self, now: Instant) -> bool {
        for _ in 0..MESSAGES_MAX {
            let Ok(message) = self.messages.try_recv() else { break };
            match message {
                Message::Submit(key, piece) => self.cluster.submit(key, piece, now),
                Message::Register(key, name, leaders) => {
                    self.cluster.register(key, &name, leaders, now);
                    self.ticked = now - TICK;
                }
                Message::Dialed(id, address, result) => self.dialed(id, &address, result, now),
                Message::Purge => self.purge(now),
                // What is left, here and in the line of messages, is counted when it is dropped.
                Message::Stop => return false,
            }
        }
        true
    }

    fn purge(&mut self, now: Instant) {
        if self.cluster.purge() {
            self.producer = None;
        }
        self.resumptions.clear();
        // What comes back now is about flows that are answered for.
        let up: Vec<i32> =
            self.links.iter().filter(|(_, link)| link.is_up()).map(|(id, _)| *id).collect();
        for id in up {
            self.hang_up(id, now);
        }
    }

    fn resume(&mut self, now: Instant) {
        while let Some(std::cmp::Reverse((at, place))) = self.resumptions.peek().copied() {
            if at > now {
                return;
            }
            self.resumptions.pop();
            if self.cluster.partition(place).resume() {
                self.cluster.make_ready(place);
            }
        }
    }

    /// Something happened on a broker's socket.
    fn serve(&mut self, token: Token, now: Instant) {
        let id = token.0 as u32 as i32;
        let mut answers = Vec::new();
        let Some(connection) = self.links.get_mut(&id).and_then(Link::connection) else { return };
        let read = connection.read(|asked, answer| answers.push((asked, answer.to_vec())));
        let result = connection.flush().and(read);
        for (asked, answer) in answers {
            self.heard = now;
            self.hear(id, asked, &answer, now);
        }
        if let Err(error) = result {
            self.lose(id, &error.to_string(), now);
        }
    }

    fn hear(&mut self, id: i32, asked: Asked, answer: &[u8], now: Instant) {
        let reader = &mut Reader::new(answer);
        let throttle = match asked {
            Asked::Metadata => self.hear_metadata(reader, now),
            Asked::Produce(sent) => self.hear_produce(reader, sent, now),
            Asked::ProducerId => self.hear_producer(reader, now),
        };
        match throttle {
            Ok(milliseconds) => {
                let throttled = &self.counts.wire.throttled_ms;
                throttled.fetch_add(u64::try_from(milliseconds).unwrap_or(0), Ordering::Relaxed);
                if let Some(link) = self.links.get_mut(&id) {
                    link.throttle(now, milliseconds);
                }
            }
            Err(response::Malformed) => self.lose(id, "its answer cannot be read", now),
        }
    }

    fn hear_producer(
        &mut self,
        reader: &mut Reader<'_>,
        now: Instant,
    ) -> Result<i32, response::Malformed> {
        // Also by an answer that cannot be read: nobody else is going to answer.
        self.is_asking_producer = false;
        let (error, id, epoch) = response::init_producer_id(reader)?;
        if error == 0 {
            self.producer = Some((id, epoch));
        } else {
            self.ask_producer_at = now + PAUSE;
            let name = name_of(error);
            self.counts.no_broker(format!("no producer's number: {name}"));
        }
        Ok(0)
    }

    fn hear_metadata(
        &mut self,
        reader: &mut Reader<'_>,
        now: Instant,
    ) -> Result<i32, response::Malformed> {
        let mut brokers = BTreeMap::new();
        let Self { cluster, .. } = self;
        let throttle = response::metadata(
            reader,
            |id, host, port| drop(brokers.insert(id, host_port(host, port))),
            |told| cluster.told(&told, now),
        )?;
        if self.cluster.take_hole() {
            self.producer = None;
        }
        if !self.tell_missing() {
            self.counts.broker_answers();
        }
        self.note_brokers(brokers, now);
        Ok(throttle)
    }

    /// Says which topic's flows wait, if one's do.
    fn tell_missing(&self) -> bool {
        let missing = self.cluster.missing();
        if let Some(words) = &missing {
            self.counts.complain(words.clone());
            self.counts.no_broker(words.clone());
        }
        missing.is_some()
    }

    /// Where the brokers are; those that are not named any more, and not connected, are forgotten.
    fn note_brokers(&mut self, brokers: BTreeMap<i32, String>, now: Instant) {
        self.links.retain(|id, link| *id < 0 || brokers.contains_key(id) || !link.is_down());
        // Negative numbers are the seeds', which no broker moves.
        for (id, address) in brokers.into_iter().filter(|(id, _)| *id >= 0) {
            match self.links.get(&id) {
                Some(link) if link.address == address => {}
                Some(_) => {
                    self.lose(id, "it has moved", now);
                    self.links.insert(id, Link::new(address, now));
                }
                None => drop(self.links.insert(id, Link::new(address, now))),
            }
        }
    }

    fn hear_produce(
        &mut self,
        reader: &mut Reader<'_>,
        sent: Vec<(usize, Vec<Bytes>)>,
        now: Instant,
    ) -> Result<i32, response::Malformed> {
        let mut told = HashMap::with_capacity(sent.len());
        let throttle = response::produce(reader, |topic, index, code, offset| {
            told.extend(self.cluster.find(topic, index).map(|place| (place, (code, offset))));
        });
        for (place, records) in sent {
            // An answer that leaves it out, or cannot be read, is none.
            let told = told.get(&place).filter(|_| throttle.is_ok());
            let verdict = told.map_or(Verdict::Refresh, |told| verdict::of(told.0));
            if let Some((code, offset)) = told {
                self.note_answer(place, (*code, &verdict), *offset, now);
            }
            self.settle(place, &verdict, now);
            self.framer.give_back(records);
        }
        throttle
    }

    /// Notes what the answer on a partition's batch says of its topic.
    fn note_answer(
        &mut self,
        place: usize,
        (code, verdict): (i16, &Verdict),
        offset: i64,
        now: Instant,
    ) {
        if code == 0 {
            return self.cluster.note_offset(place, offset);
        }
        let goes_again = matches!(verdict, Verdict::Retry | Verdict::Refresh);
        if let Some(why) = verdict::refusal(code) {
            self.cluster.note_refusal(place, why);
        } else if goes_again && self.cluster.is_stalled(place, now) {
            // Worth another try each, but nothing gets through: too few replicas, say.
            self.cluster.note_refusal(place, name_of(code));
            self.tell_missing();
        }
    }

    fn settle(&mut self, place: usize, verdict: &Verdict, now: Instant) {
        let partition = self.cluster.partition(place);
        if partition.state != State::Sent {
            return;
        }
        let (pause, has_hole) = partition.settle(verdict, self.settings.retry);
        if has_hole {
            self.producer = None;
        }
        if *verdict == Verdict::Refresh {
            self.cluster.doubt(place, now);
            self.ticked = now - TICK;
        }
        if pause.is_some() {
            self.counts.wire.retries.fetch_add(1, Ordering::Relaxed);
        }
        match pause {
            Some(pause) => {
                self.resumptions.push(std::cmp::Reverse((now + pause, place)));
                self.cluster.relieve_one(place, now);
            }
            None => self.cluster.make_ready(place),
        }
    }

    /// The connection is of no use any more.
    fn lose(&mut self, id: i32, why: &str, now: Instant) {
        self.counts.wire.connections_lost.fetch_add(1, Ordering::Relaxed);
        if let Some(link) = self.links.get(&id) {
            self.counts.complain(format!("{}: {why}", link.address));
        }
        self.hang_up(id, now);
        self.cluster.doubt_leader(id, now);
        if !self.links.values().any(Link::is_up) {
            self.counts.no_broker("no broker answers".into());
        }
    }

    fn hang_up(&mut self, id: i32, now: Instant) {
        let chance = self.chance.hash_one(now) as f64 / u64::MAX as f64;
        let Some(link) = self.links.get_mut(&id) else { return };
        let Some(mut connection) = link.fall(now, self.settings.backoff, chance) else { return };
        connection.close(self.poll.registry());
        for asked in connection.into_asked() {
            match asked {
                Asked::Produce(sent) => {
                    for (place, _) in sent {
                        self.settle(place, &Verdict::Refresh, now);
                    }
                }
                Asked::Metadata => {}
                Asked::ProducerId => self.is_asking_producer = false,
            }
        }
    }

    fn dialed(
        &mut self,
        id: i32,
        address: &str,
        result: Result<Box<super::Dialed>, String>,
        now: Instant,
    ) {
        // The broker may have moved meanwhile, there and back even: nobody waits for the second of two.
        let is_wanted = |link: &&mut Link| link.address == address && link.dialing().is_some();
        let Some(link) = self.links.get_mut(&id).filter(is_wanted) else { return };
        let registry = self.poll.registry();
        let up = result.and_then(|dialed| {
            Connection::new(*dialed, registry, token(id))
                .map_err(|error: io::Error| error.to_string())
        });
        match up {
            Ok(connection) => {
                link.rise(connection);
                self.ticked = now - TICK;
            }
            Err(why) => self.lose(id, &why, now),
        }
    }

    /// What is not urgent.
    fn tick(&mut self, now: Instant) {
        self.ticked = now;
        self.leave_stuck(now);
        self.leave_undialed(now);
        let is_asking = self.cluster.is_due(now) || self.lacks_producer(now);
        if is_asking {
            self.ask(now);
        }
        let wanted: Vec<i32> = self.cluster.wanted().collect();
        for id in wanted {
            match self.links.contains_key(&id) {
                true => self.dial(id, now),
                // It leads, they say, and they do not say where it is.
                false => self.cluster.doubt_leader(id, now),
            }
        }
    }

    /// Is a producer's number to be asked for?
    fn lacks_producer(&self, now: Instant) -> bool {
        let is_due = !self.is_asking_producer && now >= self.ask_producer_at;
        self.settings.idempotence && self.producer.is_none() && is_due
    }

    /// Leaves brokers that say nothing, and those that will soon not believe us any more.
    fn leave_stuck(&mut self, now: Instant) {
        let (mut stuck, mut old) = (Vec::new(), Vec::new());
        let mut is_silent = false;
        let has_brokers = self.links.iter().any(|(id, link)| *id >= 0 && link.is_up());
        for (id, link) in &mut self.links {
            let Some(connection) = link.connection() else { continue };
            if connection.is_stuck(now, self.settings.request_timeout) {
                stuck.push(*id);
            } else if connection.asked() == 0 && (connection.is_old(now) || *id < 0 && has_brokers)
            {
                old.push(*id);
            }
            is_silent |= connection.is_stuck(now, SILENCE);
        }
        for id in stuck {
            self.lose(id, "no answer in time", now);
        }
        for id in old {
            self.hang_up(id, now);
        }
        if is_silent && now.duration_since(self.heard) > SILENCE {
            self.counts.no_broker("no broker answers".into());
        }
    }
}

fn host_port(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests;
