//! The consumer: a topic's records in, decoded on request, committed when the work is done.
//!
//! In: `group` and topics, or one topic from its beginning to its present end. Out: [`Record`]s,
//! borrowed from librdkafka. Deliberately absent: committing on a timer, which loses what was read
//! and not yet worked on; the old library did that.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use neckar_proto::decode::{Malformed, decode};
use neckar_proto::{Message, Rows};
use prost::Message as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::config::{ConfigError, checked};

/// How long a broker may take to answer a question of ours.
pub(crate) const ANSWER: Duration = Duration::from_secs(20);

/// How to reach Kafka and as whom to read.
#[derive(Clone, Debug, Default)]
pub struct ConsumerConfig {
    /// `host:port`, at least one.
    pub brokers: Vec<String>,
    /// The group whose offsets are kept by Kafka. Needed even to read without committing.
    pub group: String,
    /// Any of librdkafka's properties; they win over everything here.
    pub properties: BTreeMap<String, String>,
}

/// Ours, before the user's: what is worked on is committed, and by us; a new group starts with what
/// is there.
const DEFAULTS: [(&str, &str); 6] = [
    ("client.id", "neckar"),
    ("log_level", "2"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    // Compaction and transactions leave gaps: the last offset before the end may not exist.
    ("enable.partition.eof", "true"),
];

/// Reads records. Not shared: one thread each, as many as the topic has partitions.
pub struct Consumer {
    pub(crate) client: BaseConsumer,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Consumer")
    }
}

/// One record of a topic, in librdkafka's memory.
#[derive(Debug)]
pub struct Record<'a>(pub(crate) BorrowedMessage<'a>);

impl Record<'_> {
    /// Its bytes; empty for a record without a value.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.0.payload().unwrap_or_default()
    }

    /// The topic it is of.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.0.topic()
    }

    /// Its partition and its offset there.
    #[must_use]
    pub fn place(&self) -> (i32, i64) {
        (self.0.partition(), self.0.offset())
    }

    /// When it was produced, in Unix milliseconds, if it says so.
    #[must_use]
    pub fn produced_ms(&self) -> Option<i64> {
        self.0.timestamp().to_millis()
    }

    /// Its key; empty for a record without one.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.0.key().unwrap_or_default()
    }

    /// Appends the bare flow that it is to `rows`: the fast way.
    ///
    /// # Errors
    /// It is no flow of the bwNetFlow profile; `rows` is as before.
    pub fn read(&self, rows: &mut Rows) -> Result<(), Malformed> {
        decode(self.payload(), rows)
    }

    /// The flow as prost's type: the convenient way.
    ///
    /// # Errors
    /// It is no protobuf message of this schema.
    pub fn message(&self) -> Result<Message, prost::DecodeError> {
        Message::decode(self.payload())
    }
}

impl Consumer {
    /// A consumer that reads nothing yet. No broker need be there.
    ///
    /// # Errors
    /// A property that librdkafka does not take.
    pub fn new(config: &ConsumerConfig) -> Result<Self, ConfigError> {
        let brokers = config.brokers.join(",");
        let own = [("bootstrap.servers", brokers.as_str()), ("group.id", &config.group)];
        let client = checked(DEFAULTS.into_iter().chain(own), &config.properties)?;
        let client = client.create().map_err(|error| ConfigError::whole(error.to_string()))?;
        Ok(Self { client })
    }

    /// Joins the group and reads these topics, from where the group stopped.
    ///
    /// # Errors
    /// librdkafka's.
    pub fn subscribe(&self, topics: &[&str]) -> Result<(), KafkaError> {
        self.client.subscribe(topics)
    }

    /// The next record, waited for at most `timeout`; `None` also at the present end of a
    /// partition. A broker that is away is waited for too.
    ///
    /// # Errors
    /// Nothing more will come: no such topic, not allowed, or librdkafka gave up.
    pub fn next(&self, timeout: Duration) -> Result<Option<Record<'_>>, KafkaError> {
        match self.client.poll(timeout) {
            None => Ok(None),
            Some(Ok(message)) => Ok(Some(Record(message))),
            Some(Err(error)) if is_passing(&error) => Ok(None),
            Some(Err(error)) => Err(error),
        }
    }

    /// The work on `record`, and on all before it in its partition, is done: [`Consumer::commit`]
    /// may say so.
    ///
    /// # Errors
    /// The partition went to somebody else meanwhile, who will read the record again.
    pub fn done(&self, record: &Record<'_>) -> Result<(), KafkaError> {
        self.client.store_offset_from_message(&record.0)
    }

    /// Tells Kafka what is done: a successor starts behind it. Waits for the answer.
    ///
    /// # Errors
    /// The broker's. With nothing done since the last time there is nothing to tell, and no error.
    pub fn commit(&self) -> Result<(), KafkaError> {
        match self.client.commit_consumer_state(CommitMode::Sync) {
            Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => Ok(()),
            other => other,
        }
    }

    /// The topic's first and end offsets, by partition.
    ///
    /// # Errors
    /// No broker answers within 20 s, or none has the topic.
    pub fn offsets(&self, topic: &str) -> Result<Vec<(i32, i64, i64)>, KafkaError> {
        let metadata = self.client.fetch_metadata(Some(topic), ANSWER)?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        partitions
            .map(|partition| {
                let (low, end) = self.client.fetch_watermarks(topic, partition.id(), ANSWER)?;
                Ok((partition.id(), low, end))
            })
            .collect()
    }

    /// Reads everything that is in the topic now, from its first record to its end at the time of
    /// the call, without joining the group or committing. Answers how many records there were.
    ///
    /// # Errors
    /// [`KafkaError`]s, and `TimedOut` if nothing comes for `patience` before the end is reached.
    pub fn read_all(
        &self,
        topic: &str,
        patience: Duration,
        mut visit: impl FnMut(&Record<'_>),
    ) -> Result<u64, KafkaError> {
        let mut left = BTreeMap::new();
        let mut list = TopicPartitionList::new();
        for (partition, low, end) in self.offsets(topic)? {
            if end > low {
                list.add_partition_offset(topic, partition, Offset::Offset(low))?;
                left.insert(partition, end);
            }
        }
        self.client.assign(&list)?;
        let (mut records, mut last) = (0, Instant::now());
        while !left.is_empty() {
            match self.client.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let record = Record(message);
                    // What lies behind the end came after the call.
                    if is_wanted(&mut left, record.place()) {
                        visit(&record);
                        records += 1;
                    }
                    last = Instant::now();
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(left.remove(&partition)),
                Some(Err(error)) if !is_passing(&error) => return Err(error),
                _ if last.elapsed() > patience => {
                    let late = RDKafkaErrorCode::OperationTimedOut;
                    return Err(KafkaError::MessageConsumption(late));
                }
                _ => {}
            }
        }
        self.client.unassign()?;
        Ok(records)
    }
}

/// Is the record one of those that are left? A partition of which it is the last is done.
fn is_wanted(left: &mut BTreeMap<i32, i64>, (partition, offset): (i32, i64)) -> bool {
    let Some(end) = left.get(&partition).copied() else { return false };
    if offset + 1 >= end {
        left.remove(&partition);
    }
    offset < end
}

/// Errors that end by themselves: librdkafka reconnects and asks again.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    if matches!(error, KafkaError::PartitionEOF(_)) {
        return true;
    }
    let passing = [
        Code::AllBrokersDown,
        Code::BrokerTransportFailure,
        Code::Resolve,
        Code::OperationTimedOut,
        Code::RequestTimedOut,
        Code::NotCoordinator,
        Code::CoordinatorLoadInProgress,
        Code::CoordinatorNotAvailable,
        Code::LeaderNotAvailable,
        Code::NotLeaderForPartition,
    ];
    error.rdkafka_error_code().is_some_and(|code| passing.contains(&code))
}
