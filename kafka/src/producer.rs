//! The producer: batches in, counted reports out, by one of two transports.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{ConfigError, ProducerConfig, Transport};
use crate::counts::{Counts, ProducerCounts, WireCounts};
use crate::latency::Latency;
use crate::leaders::Topics;
use crate::librdkafka::Librdkafka;
use crate::native::Native;
use crate::topic::{Lane, Topic, TopicOptions};

/// One producer for the whole process; workers share it. Flows given to it are delivered, failed or
/// still in flight: `submitted = delivered + failed + in_flight`, always.
#[derive(Debug)]
pub struct Producer {
    counts: Arc<Counts>,
    topics: Arc<Topics>,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Librdkafka(Librdkafka),
    Native(Box<Native>),
}

impl Producer {
    /// Starts the transport that [`ProducerConfig::choice`] names. No broker need be there: it is
    /// looked for until it comes.
    ///
    /// # Errors
    /// A property that librdkafka does not take, or one that the native transport was asked for and
    /// does not speak; a file that does not hold what it should.
    pub fn new(config: &ProducerConfig) -> Result<Self, ConfigError> {
        let (counts, topics) = (Arc::new(Counts::default()), Arc::new(Topics::default()));
        let choice = config.choice()?;
        let way = match choice.transport {
            Transport::Librdkafka => {
                Way::Librdkafka(Librdkafka::start(&config.check()?, &counts, &topics)?)
            }
            Transport::Auto | Transport::Native => {
                Way::Native(Box::new(Native::start(config, &counts)?))
            }
        };
        Ok(Self { counts, topics, way })
    }

    /// A topic, for one thread, of bare flows without keys. It need not exist yet.
    #[must_use]
    pub fn topic(&self, name: &str) -> Topic {
        self.topic_as(name, TopicOptions::default())
    }

    /// A topic, for one thread. It need not exist yet.
    #[must_use]
    pub fn topic_as(&self, name: &str, options: TopicOptions) -> Topic {
        let (account, leaders) = (Arc::new(self.counts.account()), self.topics.of(name));
        let lane = match &self.way {
            Way::Librdkafka(way) => {
                Lane::Librdkafka(way.lane(name, options, &self.counts, &account, &leaders))
            }
            Way::Native(way) => Lane::Native(way.lane(name, options, &account, &leaders)),
        };
        Topic::new(lane, Arc::clone(&self.counts), account, leaders)
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> ProducerCounts {
        self.counts.view()
    }

    /// From receipt to acknowledgement, as [`ProducerCounts::latency_us`], to be drawn.
    #[must_use]
    pub fn latency(&self) -> Latency {
        self.counts.latency()
    }

    /// What goes over the wire; `None` by librdkafka, which does not tell.
    #[must_use]
    pub fn wire(&self) -> Option<WireCounts> {
        match self.way {
            Way::Librdkafka(_) => None,
            Way::Native(_) => Some(self.counts.wire.view()),
        }
    }

    /// By partition of a topic, the offset of the last record that it acknowledged; empty by
    /// librdkafka.
    #[must_use]
    pub fn offsets(&self, topic: &str) -> BTreeMap<i32, i64> {
        self.topics.offsets(topic)
    }

    /// Bytes handed over by calls that are not wholly reported on, of all topics.
    #[must_use]
    pub fn bytes_in_flight(&self) -> u64 {
        self.counts.bytes_in_flight()
    }

    /// Waits until everything is reported on, at most until `deadline`. What is left then is given
    /// up on and counted as failed. Answers how many flows that were.
    pub fn finish(&self, deadline: Instant) -> u64 {
        let wait = |until: Instant| {
            while self.counts().in_flight > 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        wait(deadline);
        let left = self.counts().in_flight;
        if left > 0 {
            match &self.way {
                Way::Librdkafka(way) => way.purge(),
                Way::Native(way) => way.purge(),
            }
            wait(Instant::now() + Duration::from_secs(5));
        }
        left
    }
}
