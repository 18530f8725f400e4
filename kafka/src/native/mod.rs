//! The native transport: flows framed straight into Kafka's record batches, sent as they are.
//!
//! One thread has all connections and all queues, so nothing in here is locked; those who submit hand
//! a batch over and wake it. [`cluster`] knows which flows go to which partition, [`partition`] keeps
//! one batch of each under way, [`framer`] and [`record_batch`] make its bytes, [`sender`] moves them,
//! [`dial`] connects on threads that come and go.
//!
//! Deliberately absent: transactions, and an async runtime. Cost: benches/README.md, "Kafka".

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Sender as Outbox, unbounded};
use mio::{Poll, Token, Waker};
use neckar_proto::Batch;

mod cluster;
mod compress;
mod connection;
mod dial;
mod framer;
mod link;
mod partition;
mod queue;
mod record_batch;
mod request;
mod response;
mod sender;
mod settings;
mod tls;
mod verdict;

pub(crate) use dial::Dialer;
pub(crate) use settings::Settings;

use crate::account::Account;
use crate::config::{ConfigError, ProducerConfig};
use crate::counts::Counts;
use crate::leaders::Leaders;
use crate::topic::TopicOptions;
use dial::Dialed;
use partition::TOO_LONG;
use queue::{Flows, Piece, Submission};
use record_batch::RECORD_BYTES;
use sender::{Sender, WAKER};

/// Memory that the native transport takes for its requests to one broker at most, with its settings as
/// they are by default: five that are not answered, each of up to two batches of a megabyte (the last
/// that goes in may be a whole one), and as many buffers kept for the next.
pub const REQUESTS_BYTES: usize = (5 * 2 + 8) * 1_000_000;

/// What the thread is told.
enum Message {
    /// Somebody will submit to this topic, under this key.
    Register(usize, String, Arc<Leaders>),
    /// Flows for the topic of this key.
    Submit(usize, Piece),
    /// What came of a try to connect to this broker, at this address.
    Dialed(i32, String, Result<Box<Dialed>, String>),
    /// Time is up.
    Purge,
    /// The end.
    Stop,
}

/// The way to the thread.
#[derive(Clone, Debug)]
struct Inbox {
    messages: Outbox<Message>,
    /// Set by the thread before it sleeps: nobody else pays for a wake-up.
    sleeps: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Inbox {
    fn send(&self, message: Message) {
        // If the thread has ended the message is dropped, and its flows are counted.
        let _ = self.messages.send(message);
        if self.sleeps.swap(false, Ordering::SeqCst) {
            // It looks by itself before long.
            let _ = self.waker.wake();
        }
    }
}

/// The thread, and what its topics need.
#[derive(Debug)]
pub(crate) struct Native {
    inbox: Inbox,
    settings: Settings,
    counts: Arc<Counts>,
    keys: AtomicUsize,
    thread: Option<JoinHandle<()>>,
}

impl Native {
    pub(crate) fn start(
        config: &ProducerConfig,
        counts: &Arc<Counts>,
    ) -> Result<Self, ConfigError> {
        let settings = Settings::of(config)?;
        let system = |error: io::Error| ConfigError::whole(error.to_string());
        let dialer = Dialer::new(&settings)?;
        let poll = Poll::new().map_err(system)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(system)?);
        let (messages, receiver) = unbounded();
        let inbox = Inbox { messages, sleeps: Arc::default(), waker };
        let parts = (settings.clone(), Arc::clone(counts), dialer, inbox.clone());
        let sender = Sender::new(parts, poll, receiver);
        let thread = std::thread::Builder::new().name("kafka".into()).spawn(|| sender.run());
        let thread = Some(thread.map_err(system)?);
        let counts = Arc::clone(counts);
        Ok(Self { inbox, settings, counts, keys: AtomicUsize::new(0), thread })
    }

    /// One thread's way to a topic.
    pub(crate) fn lane(
        &self,
        name: &str,
        options: TopicOptions,
        account: &Arc<Account>,
        leaders: &Arc<Leaders>,
    ) -> Lane {
        let key = self.keys.fetch_add(1, Ordering::Relaxed);
        self.inbox.send(Message::Register(key, name.to_owned(), Arc::clone(leaders)));
        Lane {
            key,
            options,
            account: Arc::clone(account),
            counts: Arc::clone(&self.counts),
            inbox: self.inbox.clone(),
            message_bytes: self.settings.message_bytes,
            flows_max: self.settings.flows_max,
            bytes_max: self.settings.bytes_max,
        }
    }

    /// Gives up on everything queued or in flight.
    pub(crate) fn purge(&self) {
        self.inbox.send(Message::Purge);
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.inbox.send(Message::Stop);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

/// One thread's way to a topic.
#[derive(Debug)]
pub(crate) struct Lane {
    key: usize,
    options: TopicOptions,
    account: Arc<Account>,
    counts: Arc<Counts>,
    inbox: Inbox,
    message_bytes: usize,
    flows_max: Option<u64>,
    bytes_max: Option<u64>,
}

impl Lane {
    /// See [`crate::Topic::submit_some`].
    pub(crate) fn submit(
        &mut self,
        batch: &Arc<Batch>,
        flows: impl ExactSizeIterator<Item = u32>,
        refused: &mut Vec<u32>,
    ) {
        let count = flows.len();
        let is_bounded = self.flows_max.is_some() || self.bytes_max.is_some();
        let has_long = batch.bytes().len() + RECORD_BYTES > self.message_bytes;
        if count == batch.len() && !is_bounded && !has_long {
            return self.hand_over(batch, Flows::all(0..count as u32));
        }
        let mut flows: Vec<u32> = flows.collect();
        if is_bounded {
            refused.extend(flows.drain(self.room(count)..));
        }
        if has_long {
            let fits =
                |flow: &u32| batch.flow(*flow as usize).len() + RECORD_BYTES <= self.message_bytes;
            let before = flows.len();
            flows.retain(fits);
            let long = (before - flows.len()) as u64;
            if long > 0 {
                self.account.report(false, long);
                self.counts.fail(TOO_LONG, long);
            }
        }
        if !flows.is_empty() {
            self.hand_over(batch, Flows::listed(flows.into()));
        }
    }

    /// How many of `count` flows there is room for; they are booked as submitted already.
    fn room(&self, count: usize) -> usize {
        let (submitted, reported) = self.counts.submitted_reported();
        let others = submitted.saturating_sub(reported).saturating_sub(count as u64);
        let room = self.flows_max.map_or(u64::MAX, |flows_max| flows_max.saturating_sub(others));
        let is_full = self.bytes_max.is_some_and(|max| self.counts.bytes_in_flight() >= max);
        if is_full { 0 } else { room.min(count as u64) as usize }
    }

    fn hand_over(&self, batch: &Arc<Batch>, flows: Flows) {
        let time_ms = match batch.opened_ns() {
            0 => {
                SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
            }
            opened_ns => opened_ns / 1_000_000,
        };
        let bytes = flows.bytes_in(batch) as u64;
        let books = (Arc::clone(&self.account), Arc::clone(&self.counts));
        let size = (flows.len() as u64, bytes);
        let batch = Arc::clone(batch);
        let of = Arc::new(Submission::new(batch, self.options, books, time_ms as i64, size));
        self.inbox.send(Message::Submit(self.key, Piece { of, flows }));
    }
}

/// The token under which a broker's socket is watched.
fn token(broker: i32) -> Token {
    Token(broker as u32 as usize)
}
