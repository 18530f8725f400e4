//! The one unsafe file: librdkafka's C calls that hand a batch over without copying it.
//!
//! A batch goes as an array of messages that point into its memory; each carries a pointer to one
//! entry that keeps the batch alive. The entry is freed when the last of its messages has been
//! reported on, so librdkafka never reads freed memory, and a batch costs one allocation however
//! many flows it holds.
//!
//! The safe wrapper `rdkafka::BaseProducer` makes one call and one allocation per message;
//! benches/README.md has the ratio.

use std::ffi::{CStr, CString};
use std::os::raw::c_char;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::bindings as sys;
use rdkafka::config::NativeClientConfig;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use super::message::Held;
use crate::account::Account;

/// Reports taken from one event at a time.
const REPORTS_MAX: usize = 1024;

/// Keeps what messages point into alive until all of them that librdkafka has are reported on.
pub(crate) struct InFlight {
    #[expect(dead_code, reason = "held until it is dropped, which is all it is for")]
    held: Held,
    /// The topic's books.
    account: Arc<Account>,
    bytes: u64,
    /// Flows in each of its messages.
    flows_each: u64,
    /// Messages, and those not reported on yet.
    messages: usize,
    left: AtomicUsize,
    opened_ns: u64,
}

/// librdkafka's client, created with delivery reports as events.
pub(crate) struct Client {
    client: ptr::NonNull<sys::rd_kafka_t>,
    events: ptr::NonNull<sys::rd_kafka_queue_t>,
}

// SAFETY: librdkafka's client is thread-safe (its INTRODUCTION.md, "Threads and callbacks"): every
// call made here may come from any thread at any time.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

/// librdkafka's handle of a topic.
pub(crate) struct TopicHandle {
    /// The topic's handle must not outlive it.
    _client: Arc<Client>,
    topic: ptr::NonNull<sys::rd_kafka_topic_t>,
}

// SAFETY: the handle is librdkafka's and thread-safe like the client.
unsafe impl Send for TopicHandle {}

/// The messages of one call, reused by the next.
#[derive(Default)]
pub(crate) struct Messages(pub(crate) Vec<sys::rd_kafka_message_t>);

// SAFETY: nobody reads a pointer in it between calls.
unsafe impl Send for Messages {}

/// What came back about messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// This many flows with this error code; [`RDKafkaErrorCode::NoError`] if they are in Kafka.
    Flows(RDKafkaErrorCode, u64),
    /// The last message of a call is reported on: how many flows they were, and when the first flow
    /// of the batch came.
    Done(u64, u64),
    /// The client has trouble: which, and librdkafka's words for it.
    Trouble(RDKafkaErrorCode, String),
}

impl std::fmt::Debug for Client {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Client")
    }
}

impl Client {
    /// Makes the client of a checked configuration.
    ///
    /// # Errors
    /// librdkafka's own words.
    pub(crate) fn new(config: NativeClientConfig) -> Result<Self, String> {
        // SAFETY: `config.ptr()` is a live configuration object until `config` is dropped or handed
        // over below.
        unsafe {
            sys::rd_kafka_conf_set_events(
                config.ptr(),
                sys::RD_KAFKA_EVENT_DR | sys::RD_KAFKA_EVENT_ERROR,
            );
        }
        let mut said = [0; 512];
        // SAFETY: the configuration is live; `said` has the length that is given. On success
        // librdkafka owns the configuration, so `config` must not free it: it is forgotten
        // right after.
        let client = unsafe {
            sys::rd_kafka_new(
                sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
                config.ptr(),
                said.as_mut_ptr(),
                said.len(),
            )
        };
        let Some(client) = ptr::NonNull::new(client) else {
            return Err(text(&said));
        };
        std::mem::forget(config);
        // SAFETY: the client is live; the queue it returns is ours to destroy.
        let events = unsafe { sys::rd_kafka_queue_get_main(client.as_ptr()) };
        let events = ptr::NonNull::new(events).ok_or("librdkafka has no main queue")?;
        Ok(Self { client, events })
    }

    /// Takes the next event and tells `visit` what it says; `false` if none came within `timeout`.
    pub(crate) fn poll(&self, timeout: Duration, mut visit: impl FnMut(Report)) -> bool {
        let timeout_ms = timeout.as_millis() as i32;
        // SAFETY: the queue is live as long as the client. The event is ours until destroyed below.
        let event = unsafe { sys::rd_kafka_queue_poll(self.events.as_ptr(), timeout_ms) };
        if event.is_null() {
            return false;
        }
        // SAFETY: the event is live.
        match unsafe { sys::rd_kafka_event_type(event) } {
            sys::RD_KAFKA_EVENT_DR => take_reports(event, &mut visit),
            sys::RD_KAFKA_EVENT_ERROR => {
                // SAFETY: the event is live.
                let code = unsafe { sys::rd_kafka_event_error(event) };
                // SAFETY: the event is live, and its text with it.
                let words = unsafe { sys::rd_kafka_event_error_string(event) };
                visit(Report::Trouble(code.into(), words_of(words)));
            }
            _ => {}
        }
        // SAFETY: the event is live and not used after.
        unsafe { sys::rd_kafka_event_destroy(event) };
        true
    }

    /// Asks the brokers which partitions of every topic in use have a leader, and how many there are,
    /// and tells `visit`; `false` if no broker answers within `timeout`. Waits. One request, however many topics.
    pub(crate) fn leaders(
        &self,
        timeout: Duration,
        mut visit: impl FnMut(&str, &[i32], u32),
    ) -> bool {
        let Some(metadata) = Metadata::ask(self.client, timeout) else { return false };
        let mut led = Vec::new();
        for topic in metadata.topics() {
            // SAFETY: `partitions` has `partition_cnt` elements, alive as long as the metadata.
            let partitions = unsafe { elements(topic.partitions, topic.partition_cnt) };
            led.clear();
            // -1 stands for "no leader".
            led.extend(partitions.iter().filter(|one| one.leader >= 0).map(|one| one.id));
            visit(&words_of(topic.topic), &led, partitions.len() as u32);
        }
        true
    }

    /// Gives up on everything queued or in flight; the reports say so.
    pub(crate) fn purge(&self) {
        let flags = sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the client is live.
        unsafe { sys::rd_kafka_purge(self.client.as_ptr(), flags) };
    }
}

/// The brokers' answer, ours to destroy.
struct Metadata(ptr::NonNull<sys::rd_kafka_metadata_t>);

impl Metadata {
    fn ask(client: ptr::NonNull<sys::rd_kafka_t>, timeout: Duration) -> Option<Self> {
        let mut metadata = ptr::null();
        let timeout_ms = timeout.as_millis() as i32;
        // SAFETY: the client is live; `metadata` is written only on success and then ours. Not all
        // topics (0) and no single one (null): those of which the client has handles.
        let code = unsafe {
            sys::rd_kafka_metadata(
                client.as_ptr(),
                0,
                ptr::null_mut(),
                &raw mut metadata,
                timeout_ms,
            )
        };
        let is_answer = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        ptr::NonNull::new(metadata.cast_mut()).filter(|_| is_answer).map(Self)
    }

    fn topics(&self) -> &[sys::rd_kafka_metadata_topic_t] {
        // SAFETY: the answer is whole until `drop`, and nobody writes to it.
        let metadata = unsafe { self.0.as_ref() };
        // SAFETY: `topics` has `topic_cnt` elements, alive as long as the answer.
        unsafe { elements(metadata.topics, metadata.topic_cnt) }
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // SAFETY: it is ours, and whoever borrowed from it borrowed from `self`.
        unsafe { sys::rd_kafka_metadata_destroy(self.0.as_ptr()) };
    }
}

/// A C array. Empty ones have a null pointer, which no slice may have.
///
/// # Safety
/// `first` points to `count` elements that live and are not written to for `'a`.
unsafe fn elements<'a, T>(first: *const T, count: i32) -> &'a [T] {
    match usize::try_from(count) {
        // SAFETY: as the caller promises.
        Ok(count) if count > 0 && !first.is_null() => unsafe {
            std::slice::from_raw_parts(first, count)
        },
        _ => &[],
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Whatever is left is reported now, which frees the entries that hold batches.
        self.purge();
        while self.poll(Duration::from_millis(100), |_| {}) {}
        // SAFETY: the queue is ours, and nobody polls any more: `self` is borrowed uniquely.
        unsafe { sys::rd_kafka_queue_destroy(self.events.as_ptr()) };
        // SAFETY: the client is ours; every topic handle holds an `Arc` of this value, so none is
        // left.
        unsafe { sys::rd_kafka_destroy(self.client.as_ptr()) };
    }
}

fn take_reports(event: *mut sys::rd_kafka_event_t, visit: &mut impl FnMut(Report)) {
    let mut messages = [ptr::null::<sys::rd_kafka_message_t>(); REPORTS_MAX];
    loop {
        // SAFETY: the event is live; the array has the length that is given.
        let count = unsafe {
            sys::rd_kafka_event_message_array(event, messages.as_mut_ptr(), messages.len())
        };
        if count == 0 {
            return;
        }
        // Reports come in long runs of one batch and one code: a run is one call and one atomic.
        let mut start = 0;
        while start < count {
            // SAFETY: librdkafka filled the first `count` pointers; the messages live as long as
            // the event.
            let of = |index: usize| unsafe { &*messages[index] };
            let (code, entry) = (of(start).err, of(start)._private);
            let same = |index: &usize| of(*index).err == code && of(*index)._private == entry;
            let run = 1 + (start + 1..count).take_while(same).count();
            // SAFETY: the entry lives until its last message is released, just below.
            let in_flight = unsafe { &*entry.cast::<InFlight>() };
            let (code, flows) = (RDKafkaErrorCode::from(code), run as u64 * in_flight.flows_each);
            in_flight.account.report(code == RDKafkaErrorCode::NoError, flows);
            visit(Report::Flows(code, flows));
            if let Some(done) = release(entry.cast(), run) {
                visit(done);
            }
            start += run;
        }
    }
}

/// Counts `messages` of an entry as reported; the last one frees it, and answers what it was.
pub(crate) fn release(entry: *mut InFlight, messages: usize) -> Option<Report> {
    // SAFETY: the pointer came from `Box::into_raw` in `InFlight::start`, travelled through librdkafka
    // untouched, and is freed only below, when its count says that these were the last messages to
    // carry it.
    let left = unsafe { &(*entry).left };
    // Release/Acquire: all reads of the batch by reports on other threads happen before its memory
    // is reused.
    if left.fetch_sub(messages, Ordering::AcqRel) != messages {
        return None;
    }
    // SAFETY: the last message; nobody else has the pointer.
    let entry = unsafe { Box::from_raw(entry) };
    Some(Report::Done(entry.messages as u64 * entry.flows_each, entry.opened_ns))
}

impl TopicHandle {
    /// The topic need not exist yet.
    pub(crate) fn new(client: Arc<Client>, name: &str) -> Self {
        let name = CString::new(name).unwrap_or_default();
        // SAFETY: the client is live, the name ends in zero, and no configuration (null) means the
        // client's defaults.
        let topic = unsafe {
            sys::rd_kafka_topic_new(client.client.as_ptr(), name.as_ptr(), ptr::null_mut())
        };
        // librdkafka refuses only an empty or overlong name, which the configuration's check
        // refuses before.
        let topic = ptr::NonNull::new(topic).expect("a checked topic name");
        Self { _client: client, topic }
    }

    /// One call; answers how many messages librdkafka took. It marks those that it did not. Each
    /// message's entry is of [`InFlight::start`], holds what its payload lies in, and counts as many
    /// messages as carry it.
    pub(crate) fn produce(&self, partition: i32, flags: i32, messages: &mut Messages) -> usize {
        // SAFETY: the topic is live; the array holds whole messages whose payloads lie in what their
        // entry keeps alive until every accepted one is reported on. librdkafka does not write to
        // payloads, and copies keys.
        let accepted = unsafe {
            sys::rd_kafka_produce_batch(
                self.topic.as_ptr(),
                partition,
                flags,
                messages.0.as_mut_ptr(),
                messages.0.len() as i32,
            )
        };
        accepted.max(0) as usize
    }
}

impl InFlight {
    /// An entry for `messages` messages; the last [`release`] frees it.
    pub(crate) fn start(
        held: Held,
        account: Arc<Account>,
        opened_ns: u64,
        (messages, bytes): (usize, u64),
        flows_each: u64,
    ) -> *mut Self {
        account.hold(bytes);
        let left = AtomicUsize::new(messages);
        Box::into_raw(Box::new(Self {
            held,
            account,
            bytes,
            flows_each,
            messages,
            left,
            opened_ns,
        }))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.account.release(self.bytes);
    }
}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        // SAFETY: the handle is ours; the client outlives it through the `Arc`.
        unsafe { sys::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

fn words_of(words: *const c_char) -> String {
    if words.is_null() {
        return String::new();
    }
    // SAFETY: librdkafka's texts end in zero; the caller holds what they belong to.
    let words = unsafe { CStr::from_ptr(words) };
    words.to_string_lossy().into_owned()
}

fn text(said: &[c_char]) -> String {
    let bytes: Vec<u8> =
        said.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
