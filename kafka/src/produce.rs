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
use std::os::raw::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use neckar_proto::Batch;
use rdkafka::bindings as sys;
use rdkafka::config::NativeClientConfig;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::message::{Held, Shape, message, packed};
use crate::packer::pack_len;

/// librdkafka takes batches of any size; ours go in pieces of this many messages, for which the
/// array is kept.
const MESSAGES_MAX: usize = 2048;
/// Reports taken from one event at a time.
const REPORTS_MAX: usize = 1024;

/// Keeps what messages point into alive until all of them that librdkafka has are reported on.
struct InFlight {
    #[expect(dead_code, reason = "held until it is dropped, which is all it is for")]
    held: Held,
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

/// A topic of one thread: the handle, and the array that its batches are handed over with.
pub(crate) struct Handle {
    /// The topic's handle must not outlive it.
    _client: Arc<Client>,
    topic: ptr::NonNull<sys::rd_kafka_topic_t>,
    messages: Vec<sys::rd_kafka_message_t>,
    /// Which flow of the batch each message is.
    flows: Vec<u32>,
    /// How many flows each message has, of many in one.
    packs: Vec<usize>,
    /// `RD_KAFKA_MSG_F_COPY`, or 0.
    flags: i32,
}

// SAFETY: the topic handle is librdkafka's and thread-safe like the client; the array holds no
// pointer between calls that anybody reads.
unsafe impl Send for Handle {}

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

impl std::fmt::Debug for Handle {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Handle")
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

    /// Messages that librdkafka has and has not reported on.
    pub(crate) fn queued(&self) -> u64 {
        // SAFETY: the client is live.
        let queued = unsafe { sys::rd_kafka_outq_len(self.client.as_ptr()) };
        queued.max(0) as u64
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
            let flows_each = unsafe { &*entry.cast::<InFlight>() }.flows_each;
            visit(Report::Flows(code.into(), run as u64 * flows_each));
            if let Some(done) = release(entry.cast(), run) {
                visit(done);
            }
            start += run;
        }
    }
}

/// Counts `messages` of an entry as reported; the last one frees it, and answers what it was.
fn release(entry: *mut InFlight, messages: usize) -> Option<Report> {
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

impl Handle {
    /// The topic's handle; the topic need not exist yet.
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
        let messages = Vec::with_capacity(MESSAGES_MAX);
        let flows = Vec::with_capacity(MESSAGES_MAX);
        Self { _client: client, topic, messages, flows, packs: Vec::new(), flags: 0 }
    }

    /// Has librdkafka copy the flows: only to measure what not copying saves.
    pub(crate) fn copy(&mut self, copy: bool) {
        self.flags = if copy { sys::RD_KAFKA_MSG_F_COPY } else { 0 };
    }

    /// Hands `flows` of `batch`, in order and each as a message, to `partition` (or [`UNASSIGNED`]),
    /// unless `shape` puts them where their keys belong. Those for which librdkafka's queue had no
    /// room go to `refused`; those that it will never take are told to `failed`.
    pub(crate) fn submit(
        &mut self,
        partition: i32,
        shape: Shape,
        batch: &Arc<Batch>,
        flows: impl Iterator<Item = u32>,
        refused: &mut Vec<u32>,
        mut failed: impl FnMut(RDKafkaErrorCode, u64),
    ) {
        let mut flows = flows.peekable();
        while flows.peek().is_some() {
            self.messages.clear();
            self.flows.clear();
            for flow in flows.by_ref().take(MESSAGES_MAX) {
                self.messages.push(shape.message(batch, flow as usize));
                self.flows.push(flow);
            }
            let count = self.messages.len();
            let entry =
                InFlight::start(Held::Batch(Arc::clone(batch)), batch.opened_ns(), count, 1);
            for message in &mut self.messages {
                message._private = entry.cast::<c_void>();
            }
            let each = if shape.keyed_partitions > 0 { sys::RD_KAFKA_MSG_F_PARTITION } else { 0 };
            let accepted = self.produce(partition, each);
            // Refused messages are never reported on: count them out here.
            if accepted < count {
                let _ = release(entry, count - accepted);
                if self.is_full(refused, &mut failed) {
                    // In order: nothing overtakes what was refused.
                    refused.extend(flows.by_ref());
                }
            }
        }
    }

    /// The same with many flows in a message of at most `bytes_max`; without keys.
    pub(crate) fn submit_packed(
        &mut self,
        partition: i32,
        bytes_max: usize,
        batch: &Arc<Batch>,
        flows: impl Iterator<Item = u32>,
        refused: &mut Vec<u32>,
        mut failed: impl FnMut(RDKafkaErrorCode, u64),
    ) {
        self.messages.clear();
        self.flows.clear();
        self.packs.clear();
        self.flows.extend(flows);
        let mut rest = &self.flows[..];
        while !rest.is_empty() {
            let (pack, behind) = rest.split_at(pack_len(batch, rest, bytes_max));
            let (mut message, held) = packed(batch, pack);
            let entry = InFlight::start(held, batch.opened_ns(), 1, pack.len() as u64);
            message._private = entry.cast();
            self.messages.push(message);
            self.packs.push(pack.len());
            rest = behind;
        }
        let accepted = self.produce(partition, 0);
        if accepted < self.messages.len() {
            let mut start = 0;
            for (message, count) in self.messages.iter().zip(&self.packs) {
                let flows = &self.flows[start..start + count];
                start += count;
                match drop_refused(message) {
                    RDKafkaErrorCode::NoError => {}
                    RDKafkaErrorCode::QueueFull => refused.extend_from_slice(flows),
                    code => failed(code, *count as u64),
                }
            }
        }
    }

    /// One message that is made already, of `flows` flows: librdkafka's word on it.
    pub(crate) fn submit_made(
        &mut self,
        partition: i32,
        payload: Box<[u8]>,
        flows: u64,
        opened_ns: u64,
    ) -> RDKafkaErrorCode {
        let mut message = message(&payload);
        message._private = InFlight::start(Held::Copy(payload), opened_ns, 1, flows).cast();
        self.messages.clear();
        self.messages.push(message);
        self.produce(partition, 0);
        drop_refused(&self.messages[0])
    }

    /// One call; answers how many messages librdkafka took. It marks those that it did not.
    fn produce(&mut self, partition: i32, flags: i32) -> usize {
        // SAFETY: the topic is live; the array holds whole messages whose payloads lie in what their
        // entry keeps alive until every accepted one is reported on. librdkafka does not write to
        // payloads, and copies keys.
        let accepted = unsafe {
            sys::rd_kafka_produce_batch(
                self.topic.as_ptr(),
                partition,
                self.flags | flags,
                self.messages.as_mut_ptr(),
                self.messages.len() as i32,
            )
        };
        accepted.max(0) as usize
    }

    /// Sorts out what was not accepted; was there no room for some? librdkafka refuses everything
    /// behind the first message for which it has none.
    fn is_full(
        &self,
        refused: &mut Vec<u32>,
        failed: &mut impl FnMut(RDKafkaErrorCode, u64),
    ) -> bool {
        let before = refused.len();
        for (message, flow) in self.messages.iter().zip(&self.flows) {
            match message.err.into() {
                RDKafkaErrorCode::NoError => {}
                RDKafkaErrorCode::QueueFull => refused.push(*flow),
                code => failed(code, 1),
            }
        }
        refused.len() > before
    }
}

impl InFlight {
    /// An entry for `messages` messages; the last [`release`] frees it.
    fn start(held: Held, opened_ns: u64, messages: usize, flows_each: u64) -> *mut Self {
        let left = AtomicUsize::new(messages);
        Box::into_raw(Box::new(Self { held, flows_each, messages, left, opened_ns }))
    }
}

/// librdkafka's word on a message that has its entry to itself. One that it did not take is never
/// reported on, so the entry goes here.
fn drop_refused(message: &sys::rd_kafka_message_t) -> RDKafkaErrorCode {
    let code = message.err.into();
    if code != RDKafkaErrorCode::NoError {
        let _ = release(message._private.cast(), 1);
    }
    code
}

impl Drop for Handle {
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
